"""What `aiplan split` cannot do, and how it says so; traces in scenarios; what is given in vain."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import run
from tests.split.asking import refusal, values
from tests.split.golden import SMALL, answer, command, sets

# ---- what cannot be ----


@pytest.mark.parametrize(
    ("override", "promise"),
    [("slo.ttft_p50_s=0.001", "TTFT P50 < 0.001 s"), ("slo.tbt_p50_s=0.001", "TBT P50 < 0.001 s"),
     ("slo.e2e_p50_s=0.01", "E2E P50 < 0.01 s")],
)  # fmt: skip
def test_a_promise_that_no_machine_can_keep_is_named_with_the_nearest(override: str, promise: str) -> None:
    said = refusal(4, "split-70b", *sets(*SMALL["split-70b"], override))
    assert "error[E223]" in said
    assert promise in said
    name = override.partition("=")[0]
    relaxed = [word for word in said.split("help: ")[1].split(";")[0].split(", ") if name in word]
    assert len(relaxed) == 1
    enough = float(relaxed[0].rpartition("= ")[2])
    assert enough > float(override.partition("=")[2])
    # What is said to be the nearest is feasible.
    assert command("split-70b", "--set", f"{name}={enough * 1.02}", "--format", "json").code == 0


@pytest.mark.parametrize("budget", ["budget_usd_per_h=1", "budget_kw=5", "budget_machines=2"])
def test_too_small_a_budget_is_told_what_would_do(budget: str) -> None:
    said = refusal(4, "split-70b", *sets(*SMALL["split-70b"], f"split.{budget}", "workload.requests_per_s=60"))
    assert "error[E223]" in said
    assert "60 requests/s" in said
    assert "the nearest is" in said
    assert "kW" in said
    refusal(4, "splitwise-2024", *sets("split.budget_kw=5"))


def test_more_than_any_cluster_carries() -> None:
    said = refusal(4, *sets("workload.requests_per_s=1e6"))
    assert "1e+06 requests/s" in said
    assert "inf" not in said.replace("infe", "")


def test_so_few_requests_that_one_machine_of_each_does() -> None:
    """Half a million seconds of replay, but no more requests than tell a percentile."""
    found = values("split-70b", "workload.requests_per_s=0.001")
    assert found["prompt_machines"] == found["token_machines"] == 1
    assert found["requests_per_s"] == 0.001
    assert found["slo_ok"] is True
    assert found["decode_batch"] == pytest.approx(1, abs=0.01)
    # All the energy is that of waiting machines.
    assert found["energy_idle_wh"] > 0.99 * found["energy_per_request_wh"]
    assert found["saving_fraction"] < 0


def test_a_request_that_no_machine_can_hold_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "long.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,90000,5\n1,100,5\n2,100,5\n", encoding="utf-8")
    said = refusal(2, str(scenario_of(tmp_path, trace)))
    assert "error[E221]" in said
    assert "90,005" in said
    assert "dgx-a100 holds 89,2" in said


# ---- traces ----


def scenario_of(folder: Path, trace: Path | str, more: str = "") -> Path:
    """A scenario that replays a trace on machines of the BLOOM profile."""
    path = folder / "traced.toml"
    path.write_text(
        f"""[scenario]
name = "traced"
planner = "split"
source = "aiplan-choice"
grade = "assumption"
evidence = "assumed"
[workload]
trace = "{trace}"
{more}
[slo]
ttft_p90_s = 2
tbt_p90_s = 0.1
[serving]
profile = "splitwise-bloom-176b"
[hardware]
prompt = ["dgx-a100"]
token = ["dgx-a100"]
[cost]
basis = "profile"
""",
        encoding="utf-8",
    )
    return path


def traced(folder: Path, trace: Path | str, more: str = "") -> dict[str, Any]:
    done = run("split", str(scenario_of(folder, trace, more)), "--format", "json")
    assert done.code == 0, done.err
    return {line["id"]: line["value"] for line in json.loads(done.out)["lines"]}


def test_a_trace_comes_at_its_own_rate_or_stretched(tmp_path: Path) -> None:
    own = traced(tmp_path, "conversation-synthetic")
    assert own["requests_per_s"] == pytest.approx(5.45, abs=0.01)
    assert own["slo_ok"] is True
    assert own["ttft_p90_s"] < 2
    assert own["tbt_p90_s"] < 0.1
    twice = traced(tmp_path, "conversation-synthetic", "requests_per_s = 20")
    assert twice["requests_per_s"] == 20
    assert twice["cost_usd_per_h"] > own["cost_usd_per_h"]
    assert twice["prompt_utilisation"] < 1


def test_a_trace_is_planned_for_its_peak(tmp_path: Path) -> None:
    own = traced(tmp_path, "conversation-synthetic", "peak_to_mean = 1.8")
    assert own["requests_per_s"] == pytest.approx(1.8 * 5.45, abs=0.03)


HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (HEADER + "-1,5,6\n", "E176", ":2:1"),
        (HEADER + "2,5,6\n1,5,6\n", "E177", ":3:1"),
        (HEADER + "1,0,6\n", "E176", ":2:3"),
        (HEADER + "1,6,0\n", "E176", ":2:5"),
        (HEADER, "E178", "no requests"),
        ("", "E010", "is empty"),
        ("a,b\n1,2\n", "E174", ":1:1"),
    ],
)
def test_a_bad_trace_is_refused_at_its_cell(tmp_path: Path, content: str, code: str, says: str) -> None:
    trace = tmp_path / "bad.csv"
    trace.write_text(content, encoding="utf-8")
    said = refusal(2, str(scenario_of(tmp_path, trace)))
    assert f"error[{code}]" in said
    assert f"{trace}" in said
    assert says in said


def test_a_missing_or_cut_off_trace_is_refused(tmp_path: Path) -> None:
    assert "error[E001]" in refusal(2, str(scenario_of(tmp_path, "nowhere.csv")))
    packed = gzip.compress((HEADER + "".join(f"{one},{one * 7 % 97 + 1},5\n" for one in range(3000))).encode())
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    assert "error[E179]" in refusal(2, str(scenario_of(tmp_path, cut)))


# ---- bad input ----


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (("workload.request_per_s=3",), "E100", "did you mean 'requests_per_s'"),
        (("workload.requests_per_s=nan",), "E006", "finite"),
        (("workload.requests_per_s=-1",), "E102", "workload.requests_per_s"),
        (("workload.requests_per_s=true",), "E102", "must be a number, got a boolean true"),
        (("workload.duration_s='x'",), "E101", "workload.duration_s"),
        (("workload.statistics=azure",), "E121", "workload.statistics"),
        (("workload.trace=conversation-synthetic",), "E222", "trace and workload.statistics exclude each other"),
        (("workload.input_tokens=100",), "E222", "statistics and workload.input_tokens exclude each other"),
        (("workload.output_tokens=100",), "E222", "workload gives no lengths: a trace, statistics, or input_tokens"),
        (("workload.duration_s=0",), "E102", "workload.duration_s"),
        (('hardware.prompt=["dgx-h1000"]',), "E121", "did you mean dgx-h100"),
        (("hardware.prompt=[]",), "E222", "hardware.prompt names no machines"),
        (("hardware.token=[]",), "E222", "hardware.token names no machines"),
        (("hardware.tensor_parallel=[0]",), "E102", "tensor_parallel"),
        (("serving.model=llama-9",), "E121", "serving.model"),
        (("serving.profile=splitwise-bloom-176b",), "E222", "not both"),
        (("serving.engine=mlx",), "E222", "serving.engine 'mlx' is not known"),
        (("serving.precision=fp3",), "E222", "serving.precision 'fp3' is not known"),
        (("serving.kv_precision=fp3",), "E222", "serving.kv_precision 'fp3' is not known"),
        (("hardware.tensor_parallel=[3]",), "E222", "3 does not divide the 8 accelerators of dgx-h100"),
        (("hardware.tensor_parallel=[16]",), "E222", "16 does not divide the 8 accelerators of dgx-h100"),
        (("hardware.token_caps_w=[5]",), "E222", "at least 185 W"),
        (("hardware.prompt_caps_w=[5]",), "E222", "at least 185 W"),
        (("hardware.token_caps_w=[99999]",), "E222", "above the accelerator's 700 W"),
        (("cost.basis=profile",), "E222", "no machine of hardware.prompt has a price by basis 'profile'"),
        (("serving.decode_model=guess",), "E102", "serving.decode_model"),
        (("slo.tbt_p50_s=0",), "E102", "slo.tbt_p50_s"),
        (("slowdown.ttft_p50=2",), "E103", "slowdown.reference"),
        (("slowdown.reference=dgx-h1",), "E121", "slowdown.reference"),
        (("split.objective=best",), "E102", "split.objective"),
        (("split.objective=rate",), "E222", "needs a budget"),
        (("split.utilisation_fraction=0.99",), "E102", "split.utilisation_fraction"),
        (("split.finalists=0",), "E102", "split.finalists"),
        (("cost.basis=free",), "E102", "cost.basis"),
        (("facility.pue=0.5",), "E102", "facility.pue"),
        (("failures.accelerator_mttf_h=0",), "E102", "failures.accelerator_mttf_h"),
        (("transfer.sync_s=-1",), "E102", "transfer.sync_s"),
        (("token_rates.input_tokens_per_day=3",), "E103", "token_rates"),
    ],
)
def test_bad_input_is_refused_where_it_stands(overrides: tuple[str, ...], code: str, says: str) -> None:
    said = refusal(2, "split-70b", *sets(*overrides))
    assert f"error[{code}]" in said
    assert says in said
    if code != "E103":
        assert f"--> --set {overrides[0].partition('=')[0]}" in said or "scenarios/" in said


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (("serving.profile=bloom",), "E121", "serving.profile"),
        (('hardware.prompt=["dgx-h200"]',), "E220", "one of dgx-a100, dgx-h100, dgx-h100-pcap"),
        (("slowdown.reference=dgx-h200",), "E220", "slowdown.reference"),
        (("slowdown.e2e_p50=0",), "E102", "slowdown.e2e_p50"),
    ],
)
def test_bad_names_of_a_profile_are_refused(overrides: tuple[str, ...], code: str, says: str) -> None:
    said = refusal(2, "splitwise-2024", *sets(*overrides))
    assert f"error[{code}]" in said
    assert says in said


def test_another_planners_scenario_is_sent_there() -> None:
    assert "aiplan size size-70b-h200" in refusal(2, "size-70b-h200")
    assert "splitwise-2024" in refusal(2, "splitwise-2025")


def test_a_model_that_fits_nowhere_is_told_so() -> None:
    said = refusal(2, "split-70b", *sets("serving.model=deepseek-r1", 'hardware.token=["dgx-h100"]'))
    assert "error[E221]" in said
    assert "hardware.prompt: no machine has room for the model" in said
    assert "names no machines" not in said


def test_what_is_given_in_vain_is_said_beside_the_answer() -> None:
    done = command("splitwise-2024", *sets("serving.engine=vllm"))
    assert done.code == 0
    assert "nothing reads serving.engine here (W-SPLIT-INACTIVE, serving.engine)" in done.out
    done = command("split-70b", *sets("facility.pue={uniform={low=1.1,high=1.3}}"))
    assert done.code == 0
    assert "facility.pue is taken at the median: designs are not sampled (W-SPLIT-MEDIAN, facility.pue)" in done.out


def test_designs_without_a_price_are_ranked_by_what_they_have() -> None:
    found = answer("split-70b", "cost.basis=profile", "split.objective=power")
    assert found.line("cost_usd_per_h").value is None
    assert found.line("usd_per_million_output_tokens").value is None
    assert found.line("saving_fraction").value is not None
    assert "USD" not in found.headline
    assert "W-SPLIT-PRICE" in [warning.code for warning in found.warnings]
