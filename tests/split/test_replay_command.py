"""`aiplan split replay` as a whole: golden answer, its lines, how TBT is counted, and what it refuses."""

from __future__ import annotations

import gzip
import html
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aiplan.planners.split.slo import METRICS, PERCENTILES
from tests.cli.runner import run
from tests.energy.test_golden import assert_same
from tests.split.golden import FOLDER, REPLAY, scrubbed

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BLOOM = ("--profile", "splitwise-bloom-176b")
LINES = [
    *(f"{metric}_p{at}_s" for metric in METRICS for at in PERCENTILES),
    "slo_ok", "slo_tightest", "slo_slack", "requests", "unserved", "prompt_utilisation", "token_utilisation",
    "kv_peak_fraction", "borrowed_prompt", "borrowed_token", "energy_prompt_wh", "energy_token_wh", "energy_idle_wh",
]  # fmt: skip


def of_text(folder: Path, text: str | bytes, *arguments: str, name: str = "trace.csv") -> Any:
    """Replay this trace on BLOOM."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else (HEADER + text).encode())
    return run("split", "replay", "--trace", str(path), *BLOOM, *arguments)


def values(outcome: Any) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    return {line["id"]: line["value"] for line in json.loads(outcome.out)["lines"]}


def rows(outcome: Any, table: str) -> list[dict[str, Any]]:
    return json.loads(outcome.out)["tables"][table]


# ---- the shipped trace ----


def test_golden() -> None:
    found = run("split", *REPLAY, "--format", "json")
    assert_same(json.loads(found.out), json.loads((FOLDER / "replay.json").read_text(encoding="utf-8")))
    assert scrubbed(run("split", *REPLAY).out) == (FOLDER / "replay.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", ["measured", "simcompat", "roofline"])
def test_json_is_valid_the_same_twice_and_complete(model: str) -> None:
    words = ("split", *REPLAY, "--decode-model", model, "--format", "json")
    first = run(*words)
    assert first.out == run(*words).out
    Draft202012Validator(json.loads(run("schema", "result").out)).validate(json.loads(first.out))
    found = values(first)
    assert list(found) == LINES
    assert isinstance(found["slo_ok"], bool)
    assert (found["requests"], found["unserved"]) == (2000, 0)
    for metric in METRICS:
        assert 0 < found[f"{metric}_p50_s"] < found[f"{metric}_p90_s"] < found[f"{metric}_p99_s"]
    for share in ("prompt_utilisation", "token_utilisation", "kv_peak_fraction"):
        assert 0 < found[share] < 1
    promises = rows(first, "promises")
    assert len(promises) == 9
    assert found["slo_ok"] is all(row["kept"] for row in promises)
    assert found["slo_slack"] == min(row["slack"] for row in promises)
    assert (found["slo_slack"] > 0) is found["slo_ok"]
    assert ("W-SPLIT-SIMCOMPAT" in first.err) is (model == "simcompat")


def test_the_decode_models_differ_as_they_should() -> None:
    tbt = {}
    for model in ("measured", "simcompat"):
        tbt[model] = values(run("split", *REPLAY, "--decode-model", model, "--format", "json"))["tbt_p50_s"]
    assert tbt["simcompat"] < 0.9 * tbt["measured"]


def test_mixed_machines_in_place_of_pools() -> None:
    words = ("split", "replay", "--trace", "conversation-synthetic", *BLOOM, "--mixed", "dgx-h100:8")
    found = values(run(*words, "--format", "json"))
    assert "mixed_utilisation" in found
    assert "prompt_utilisation" not in found
    one = values(run(*words[:-1], "dgx-h100:4", "--format", "json"))
    assert one["e2e_p99_s"] > found["e2e_p99_s"]


def test_more_machines_are_not_slower_and_wait_more() -> None:
    few, many = (values(run("split", *REPLAY[:-3], "dgx-h100:3", "--token", f"dgx-a100:{count}", "--format", "json"))
                 for count in (4, 8))  # fmt: skip
    assert many["tbt_p90_s"] < few["tbt_p90_s"]
    assert many["energy_idle_wh"] > few["energy_idle_wh"]
    assert many["energy_prompt_wh"] == pytest.approx(few["energy_prompt_wh"], rel=1e-9)


def test_formats(tmp_path: Path) -> None:
    words = ("split", *REPLAY)
    table = run(*words, "--format", "csv", "--table", "machines").out.splitlines()
    assert table[0].startswith("pool,machine,machines,")
    assert [row.split(",")[:3] for row in table[1:]] == [["prompt", "dgx-h100", "3"], ["token", "dgx-a100", "4"]]
    target = tmp_path / "page.html"
    assert run(*words, "-o", str(target)).code == 0
    assert "<svg" in target.read_text(encoding="utf-8")
    assert run(*words, "-o", str(target)).code == 2
    assert run(*words, "-o", str(target), "--force").code == 0
    assert "conversation-synthetic" in html.unescape(target.read_text(encoding="utf-8"))


# ---- one request, by hand ----


def test_time_between_tokens_is_counted_as_each_model_says(tmp_path: Path) -> None:
    """(E2E - TTFT) / (N - 1); SplitwiseSim divides by N.  Four requests far apart, all alike."""
    text = "".join(f"{100 * one},1000,11\n" for one in range(4))
    for model, gaps in (("measured", 10), ("roofline", 10), ("simcompat", 11)):
        found = values(of_text(tmp_path, text, "--mixed", "dgx-h100:1", "--decode-model", model, "--format", "json"))
        spent = found["e2e_p50_s"] - found["ttft_p50_s"]
        assert spent > 0
        assert found["tbt_p50_s"] == pytest.approx(spent / gaps, rel=1e-9), model
        assert found["tbt_p99_s"] == pytest.approx(found["tbt_p50_s"], rel=1e-6)


def test_an_answer_of_one_token_has_no_time_between_tokens(tmp_path: Path) -> None:
    alone = of_text(tmp_path, "0,100,1\n5,100,1\n9,100,1\n", "--mixed", "dgx-h100:1", "--format", "json")
    found = values(alone)
    assert found["tbt_p50_s"] is None
    assert found["e2e_p50_s"] == found["ttft_p50_s"] > 0
    some = values(of_text(tmp_path, "0,100,1\n5,100,2\n9,100,1\n", "--mixed", "dgx-h100:1", "--format", "json"))
    # Only the middle one counts: one gap, which is its whole time after the first token.
    assert some["tbt_p50_s"] == some["tbt_p99_s"] > 0
    assert some["tbt_p50_s"] == pytest.approx(some["e2e_p99_s"] - some["ttft_p50_s"], rel=0.05)


def test_a_capped_machine_takes_1_30_times_for_prompts(tmp_path: Path) -> None:
    text = "0,1020,2\n100,1020,2\n"
    plain, capped = (
        values(of_text(tmp_path, text, "--mixed", f"{name}:1", "--format", "json"))
        for name in ("dgx-h100", "dgx-h100-pcap")
    )
    assert capped["ttft_p50_s"] == pytest.approx(1.30 * plain["ttft_p50_s"], rel=1e-12)
    assert capped["tbt_p50_s"] == pytest.approx(plain["tbt_p50_s"], rel=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "1,50,6\n",
        "1,50,6\n1,60,7\n",
        "1,50,6\n1.000001,60,7\n",
    ],
)
def test_requests_at_one_moment(tmp_path: Path, text: str) -> None:
    found = of_text(tmp_path, text, "--mixed", "dgx-h100:2", "--format", "json")
    assert values(found)["requests"] == text.count("\n")


# ---- what it refuses ----


def assert_refused(outcome: Any, code: str, *says: str) -> None:
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.raw_characters == []
    assert f"error[{code}]" in outcome.err
    assert "help: " in outcome.err
    for word in says:
        assert word in outcome.err, outcome.err


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        ("-1,5,6\n1,5,6\n", "E176", ":2:1", "must not be negative, got -1"),
        ("2,5,6\n1,5,6\n", "E177", ":3:1", "sort the rows by time"),
        ("1,0,6\n", "E176", ":2:3", "ContextTokens must be at least 1, got 0"),
        ("1,6,0\n", "E176", ":2:5", "GeneratedTokens must be at least 1, got 0"),
        ("1,6.5,3\n", "E176", ":2:3", "6.5"),
        ("1,x,3\n", "E175", ":2:3", "x"),
        ("nan,6,3\n", "E175", ":2:1", "nan"),
        ("1,6\n", "E011", ":2:", "cells"),
        ("", "E178", ":1:1", "no requests"),
    ],
)
def test_a_bad_row_is_refused_where_it_stands(tmp_path: Path, text: str, code: str, at: str, says: str) -> None:
    assert_refused(of_text(tmp_path, text, "--mixed", "dgx-h100:1"), code, f"trace.csv{at}", says)


def test_every_bad_row_is_told(tmp_path: Path) -> None:
    done = of_text(tmp_path, "-1,0,0\n-2,5,6\n", "--mixed", "dgx-h100:1")
    assert_refused(done, "E176")
    assert done.err.count("error[") >= 4
    assert "problems found" in done.err


def test_a_prompt_longer_than_memory_is_refused(tmp_path: Path) -> None:
    done = of_text(tmp_path, "1,50,6\n2,90000,6\n3,90000,6\n", "--mixed", "dgx-h100:1")
    assert_refused(done, "E221", "request 2 of", "and 1 more", "90,006 tokens", "dgx-h100 has room for 89,235", "leave")


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    packed = gzip.compress((HEADER + "".join(f"{one},{one * 7 % 97 + 1},5\n" for one in range(3000))).encode())
    whole = of_text(tmp_path, packed, "--mixed", "dgx-h100:1", "--format", "json", name="all.csv.gz")
    assert values(whole)["requests"] == 3000
    cut = of_text(tmp_path, packed[: len(packed) // 2], "--mixed", "dgx-h100:1", name="cut.csv.gz")
    assert_refused(cut, "E179", "cut.csv.gz", "ends in the middle", "again")
    assert_refused(of_text(tmp_path, b"hello", "--mixed", "dgx-h100:1", name="bad.csv.gz"), "E179", "not compressed")
    assert_refused(of_text(tmp_path, bytes(range(256)), "--mixed", "dgx-h100:1"), "E174", "trace.csv:1:1")
    assert_refused(
        run("split", "replay", "--trace", "nowhere.csv", *BLOOM, "--mixed", "dgx-h100:1"), "E001", "nowhere.csv"
    )
    assert_refused(
        run("split", "replay", "--trace", str(tmp_path), *BLOOM, "--mixed", "dgx-h100:1"), "E008", str(tmp_path)
    )
    assert_refused(run("split", "replay", "--trace", "/dev/zero", *BLOOM, "--mixed", "dgx-h100:1"), "E008", "/dev/zero")


@pytest.mark.parametrize(
    ("cluster", "code", "says"),
    [
        ((), "E222", "--prompt and --token, or --mixed"),
        (("--prompt", "dgx-h100:1"), "E222", "--prompt and --token, or --mixed"),
        (("--token", "dgx-h100:1"), "E222", "--prompt and --token, or --mixed"),
        (("--prompt", "dgx-h100:1", "--token", "dgx-h100:1", "--mixed", "dgx-h100:1"), "E207", "excludes"),
        (("--mixed", "dgx-h100"), "E222", "write e.g. dgx-h100:25"),
        (("--mixed", "dgx-h100:0"), "E222", "from 1 to 100,000"),
        (("--mixed", "dgx-h100:100001"), "E222", "from 1 to 100,000"),
        (("--mixed", "dgx-h100:1.5"), "E222", "dgx-h100:1.5"),
        (("--mixed", "dgx-h100:-1"), "E222", "dgx-h100:-1"),
        (("--mixed", "dgx-h100:١"), "E222", "--mixed"),
        (("--mixed", ":1"), "E222", "--mixed"),
        (("--mixed", "dgx-h200:1"), "E220", "one of dgx-a100, dgx-h100, dgx-h100-pcap"),
        (("--mixed", "dgx-h100:1", "--decode-model", "best"), "E222", "one of measured, roofline, simcompat"),
        (("--mixed", "dgx-h100:1", "--table", "none"), "E203", "promises, machines, distribution"),
        (("--mixed", "dgx-h100:1", "--format", "xml"), "E205", "json"),
    ],
)
def test_a_bad_cluster_is_refused(cluster: tuple[str, ...], code: str, says: str) -> None:
    assert_refused(run("split", "replay", "--trace", "conversation-synthetic", *BLOOM, *cluster), code, says)


def test_both_pools_problems_are_told_at_once() -> None:
    done = run("split", "replay", "--trace", "conversation-synthetic", *BLOOM, "--prompt", "a", "--token", "b:x",
               "--decode-model", "c")  # fmt: skip
    assert done.code == 2
    for option in ("--prompt", "--token", "--decode-model"):
        assert f"--> {option}" in done.err


def test_a_bad_profile_is_refused_with_a_suggestion() -> None:
    words = ("split", "replay", "--trace", "conversation-synthetic", "--mixed", "dgx-h100:1", "--profile")
    assert_refused(run(*words, "splitwise-bloom-176"), "E121", "did you mean splitwise-bloom-176b")
    assert_refused(run(*words, "nothing-like-it"), "E121", "aiplan catalog list profiles")


def test_missing_options_are_usage_errors() -> None:
    for words, missing in ((("--trace", "x.csv"), "--profile"), (BLOOM, "--trace")):
        done = run("split", "replay", *words)
        assert (done.code, done.out) == (2, "")
        assert missing in done.err


def test_the_trace_is_never_overwritten(tmp_path: Path) -> None:
    done = of_text(tmp_path, "0,5,6\n1,5,6\n", "--mixed", "dgx-h100:1", "-o", str(tmp_path / "trace.csv"), "--force")
    assert_refused(done, "E202", "trace.csv")
    assert (tmp_path / "trace.csv").read_text(encoding="utf-8").startswith(HEADER)
