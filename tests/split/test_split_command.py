"""`aiplan split` as a whole: golden answers, exit codes, formats, and what must hold for every plan."""

from __future__ import annotations

import gzip
import html
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aiplan.planners.split import case, compiled, flow_report, report
from aiplan.planners.split.slo import METRICS, PERCENTILES
from tests.cli.runner import run
from tests.energy.test_golden import assert_same
from tests.split.golden import FOLDER, SMALL, answer, command, scrubbed, sets

SCENARIOS = sorted(SMALL)
QUANTILES = [f"{metric}_p{at}_s" for metric in METRICS for at in PERCENTILES]
# A small question about a measured profile, with a rate to carry.
PROFILE = ("split.objective=usd", "workload.duration_s=30", "serving.decode_model=measured")


def value(name: str, line: str, *overrides: str) -> Any:
    return answer(name, *overrides).line(line).value


def values(name: str, *overrides: str) -> dict[str, Any]:
    return {line.id: line.value for line in answer(name, *overrides).lines}


def refusal(code: int, *arguments: str) -> str:
    """What is said to a command that must end so: never a bug, never any data."""
    done = run("split", *arguments)
    assert done.code == code, (arguments, done.err, done.out[:300])
    assert done.out == ""
    assert "E900" not in done.err
    assert "Traceback" not in done.err
    assert "error[E" in done.err
    assert "help: " in done.err
    return done.err


# ---- golden ----


@pytest.mark.parametrize("name", SCENARIOS)
def test_golden_json(name: str) -> None:
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert_same(json.loads(command(name, "--format", "json").out), golden)


@pytest.mark.parametrize("name", SCENARIOS)
def test_golden_table(name: str) -> None:
    assert scrubbed(command(name).out) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{name}.{end}" for name in (*SMALL, "replay") for end in ("json", "txt")}
    assert {path.name for path in FOLDER.iterdir()} == wanted


@pytest.mark.slow
@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
@pytest.mark.parametrize("name", ["split-70b", "splitwise-2024"])
def test_numbers_hang_on_no_compiler(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, "0")
    plain = command(name, "--format", "json").out
    monkeypatch.setenv(compiled.SWITCH, "1")
    for least in ("LOADED_FROM", "COMPILED_FROM"):
        monkeypatch.setattr(compiled, least, 0)
    assert compiled.worth_compiling(2)
    assert command(name, "--format", "json").out == plain


@pytest.mark.parametrize("name", SCENARIOS)
def test_json_is_valid_and_the_same_twice(name: str) -> None:
    schema = json.loads(run("schema", "result").out)
    first, second = (command(name, "--format", "json").out for _ in range(2))
    assert first == second
    Draft202012Validator(schema).validate(json.loads(first))
    assert json.loads(first)["schema"] == "aiplan/split/1"
    assert "NaN" not in first
    assert "Infinity" not in first


# ---- lines ----


@pytest.mark.parametrize("name", ["split-70b", "splitwise-2024"])
def test_every_line_appears_once_in_order(name: str) -> None:
    assert [line.id for line in answer(name).lines] == [*report.LINES, *QUANTILES]


def test_every_line_of_token_rates_appears() -> None:
    assert [line.id for line in answer("deepseek-2025").lines] == list(flow_report.LINES)


def test_lines_agree_with_each_other_and_with_the_first_design() -> None:
    found = values("split-70b")
    first = answer("split-70b").table("designs").records()[0]
    for name in ("prompt_machines", "token_machines", "requests_per_s", "slo_ok", "slo_tightest", "slo_slack"):
        assert found[name] == first[name]
    assert found["slo_ok"] is True
    assert 0 < found["slo_slack"] < 1
    parts = sum(found[f"energy_{part}_wh"] for part in ("prompt", "token", "idle"))
    assert found["energy_per_request_wh"] == pytest.approx(parts, rel=1e-12)
    assert found["facility_kw"] == pytest.approx(parts * 3.6 * found["requests_per_s"], rel=1e-12)
    assert found["facility_kw"] < 1.15 * found["provisioned_kw"]
    bought = sum(found[f"{spare}{pool}_machines"] for spare in ("", "spare_") for pool in ("prompt", "token"))
    assert found["accelerators"] == 4 * bought
    for metric in METRICS:
        assert found[f"{metric}_p50_s"] <= found[f"{metric}_p90_s"] <= found[f"{metric}_p99_s"]
    for share in ("prompt_utilisation", "token_utilisation", "kv_peak_fraction"):
        assert 0 < found[share] < 1
    saved = 1 - first["cost_usd_per_h"] / next(
        row["cost_usd_per_h"] for row in answer("split-70b").table("designs").records()
        if row["design"] == found["unsplit"]
    )  # fmt: skip
    assert found["saving_fraction"] == pytest.approx(saved)


def test_the_promises_table_is_judged_by_the_worst_replay() -> None:
    rows = answer("split-70b").table("promises").records()
    assert [(row["metric"], row["percentile"]) for row in rows][:4] == [
        ("ttft", 50), ("ttft", 90), ("ttft", 99), ("tbt", 50)]  # fmt: skip
    for row in rows:
        assert row["kept"] is (row["value"] < row["limit"])
        assert row["slack"] == pytest.approx(1 - row["value"] / row["limit"])
        assert row["value"] == pytest.approx(value("split-70b", f"{row['metric']}_p{row['percentile']:g}_s"))


def test_a_published_day_by_token_rates() -> None:
    """DeepSeek's open infra day 6: 226.75 nodes on average, 87,072 USD a day."""
    found = values("deepseek-2025")
    assert found["machines"] == pytest.approx(226.75, rel=0.01)
    assert found["usd_per_day"] == pytest.approx(87_072, rel=0.01)
    assert found["machines"] == pytest.approx(found["prompt_machines"] + found["token_machines"], rel=1e-12)
    assert found["prompt_units"] == -(-found["prompt_machines"] // 4)
    assert found["power_kw"] is None
    hot = values("deepseek-2025", "token_rates.machine_w=10000")
    assert hot["power_kw"] == pytest.approx(10 * found["machines"])
    assert hot["energy_per_million_output_tokens_kwh"] == pytest.approx(hot["power_kw"] * 24 / 168e3)


def test_hits_are_left_out_where_the_rate_leaves_them_out() -> None:
    counted, left = (values("deepseek-2025", f"token_rates.counts_cache_hits={one}") for one in ("true", "false"))
    assert left["prompt_machines"] == pytest.approx((1 - 0.563) * counted["prompt_machines"])
    assert left["token_machines"] == counted["token_machines"]


# ---- what moves what ----


def test_only_dollars_follow_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = values("split-70b")
    real = case._Builder._priced

    def dearer(self: Any, *arguments: Any) -> Any:
        found = real(self, *arguments)
        return replace(found, usd_per_h=found.usd_per_h.scaled(3.0))

    monkeypatch.setattr(case._Builder, "_priced", dearer)
    found = values("split-70b", "scenario.title=dearer")
    for line, old in plain.items():
        if "usd" in line:
            assert found[line] == pytest.approx(3 * old, rel=1e-12), line
        else:
            assert found[line] == (pytest.approx(old, rel=1e-12) if isinstance(old, float) else old), line


def test_a_machine_costs_what_all_its_accelerators_cost() -> None:
    found = values("split-70b", 'hardware.prompt=["dgx-h200"]', 'hardware.token=["dgx-h200"]', "failures.spares=false")
    assert found["accelerators"] == 4 * (found["prompt_machines"] + found["token_machines"])
    assert found["cost_usd_per_h"] == pytest.approx(1.74 * found["accelerators"])  # catalog: neocloud H200


def test_a_million_tokens_cost_the_rent_of_their_time() -> None:
    found = values("split-70b")
    tokens = found["requests_per_s"] * 213 * 3600 / 1e6  # Azure 2023, conversation, as drawn
    assert found["usd_per_million_output_tokens"] == pytest.approx(found["cost_usd_per_h"] / tokens, rel=0.05)


def test_rent_of_a_profile_is_of_the_whole_machine() -> None:
    found = values("splitwise-2024", *PROFILE, 'hardware.prompt=["dgx-h100"]', 'hardware.token=["dgx-h100"]')
    machines = found["prompt_machines"] + found["token_machines"]
    assert found["cost_usd_per_h"] == pytest.approx(38.08 * machines)  # catalog: rent of the paper's H100 machine


def test_vendors_mix_and_the_objective_is_the_least() -> None:
    mixed = answer("split-70b", 'hardware.prompt=["dgx-h200"]', 'hardware.token=["mi300x-8gpu"]')
    assert mixed.line("prompt_machine").value == "dgx-h200 TP4"
    assert mixed.line("token_machine").value == "mi300x-8gpu TP4"
    by_aim = {aim: values("split-70b", f"split.objective={aim}", "failures.spares=false") for aim in
              ("usd", "power", "machines")}  # fmt: skip
    for aim, line in (("usd", "cost_usd_per_h"), ("power", "provisioned_kw"), ("machines", "accelerators")):
        assert by_aim[aim][line] == min(one[line] for one in by_aim.values())


def test_capping_token_machines_sets_less_power_aside() -> None:
    asked = ("split.objective=power", 'hardware.prompt=["dgx-h100"]', 'hardware.token=["dgx-h100"]',
             "slo.tbt_p99_s=0.06")  # fmt: skip
    free, capped = (values("split-70b", *asked, f"hardware.token_caps_w={caps}") for caps in ("[]", "[400]"))
    assert free["token_machine"] == "dgx-h100 TP4"
    assert capped["token_machine"] == "dgx-h100 TP4 400 W"
    count = capped["token_machines"] + capped["spare_token_machines"]
    assert capped["provisioned_kw"] <= free["provisioned_kw"] - (700 - 400) * 4 * count / 1e3 + 1e-9
    assert capped["slo_ok"] is True


def test_cached_prompts_need_fewer_prompt_machines() -> None:
    asked = ("workload.requests_per_s=60", 'hardware.prompt=["dgx-h100"]', 'hardware.token=["dgx-h200"]')
    cold, warm = (values("split-70b", *asked, f"workload.cache_hit_fraction={hits}") for hits in (0, 0.8))
    assert warm["prompt_machines"] <= cold["prompt_machines"] / 2
    assert warm["energy_prompt_wh"] < 0.5 * cold["energy_prompt_wh"]
    assert warm["ttft_p50_s"] < cold["ttft_p50_s"]


def test_bursts_cost() -> None:
    calm, bursty = (values("split-70b", "workload.requests_per_s=60", f"workload.arrival_cv2={cv2}")
                    for cv2 in (0, 50))  # fmt: skip
    assert bursty["cost_usd_per_h"] > calm["cost_usd_per_h"]


def test_the_cluster_is_built_for_the_peak() -> None:
    swung, steady = (values("split-70b", one) for one in ("workload.peak_to_mean=1.5", "workload.requests_per_s=30"))
    assert swung["requests_per_s"] == pytest.approx(30)
    for pool in ("prompt_machines", "token_machines"):
        assert swung[pool] == steady[pool]


def test_a_day_has_energy_only_where_the_rate_swings() -> None:
    assert value("split-70b", "energy_per_day_mwh") is None
    assert "day" not in [table.id for table in answer("split-70b").tables]
    swing = "workload.peak_to_mean=1.5"
    hours = answer("split-70b", swing).table("day").records()
    assert [row["hour"] for row in hours] == list(range(24))
    assert max(row["requests_per_s"] for row in hours) == pytest.approx(30)
    assert sum(row["requests_per_s"] for row in hours) / 24 == pytest.approx(20, rel=0.01)
    day = value("split-70b", "energy_per_day_mwh", swing)
    assert day == pytest.approx(sum(row["facility_kw"] for row in hours) / 1e3)
    # Between every machine idle and the peak all day.
    assert 0.3 < day / (24e-3 * value("split-70b", "facility_kw", swing)) < 1.0


def test_spares_follow_availability() -> None:
    asked = ("spares=false", "availability_fraction=0.9", "availability_fraction=0.9999999")
    none, few, many = (values("split-70b", f"failures.{one}") for one in asked)
    assert none["spare_prompt_machines"] == none["spare_token_machines"] == 0
    assert few["spare_prompt_machines"] < many["spare_prompt_machines"]
    assert none["cost_usd_per_h"] <= few["cost_usd_per_h"] < many["cost_usd_per_h"]


# ---- budgets ----


def test_more_power_carries_more() -> None:
    small, large = (values("splitwise-2024", f"split.budget_kw={kw}") for kw in (60, 120))
    assert small["provisioned_kw"] <= 60
    assert large["provisioned_kw"] <= 120
    assert large["requests_per_s"] > 1.5 * small["requests_per_s"]


def test_the_rate_recommended_keeps_every_promise_whatever_rate_was_guessed() -> None:
    usual = value("splitwise-2024", "requests_per_s")
    for guess in (1, 100):
        found = answer("splitwise-2024", f"workload.requests_per_s={guess}")
        assert found.line("slo_ok").value is True
        assert found.line("requests_per_s").value == pytest.approx(usual, rel=0.05)
        for row in found.table("designs").records():
            assert row["slo_ok"] is True
            assert row["slo_slack"] > 0


@pytest.mark.parametrize("budget", ["budget_kw=40", "budget_machines=7", "budget_usd_per_h=45"])
def test_what_is_bought_for_a_rate_stays_within_the_budget(budget: str) -> None:
    found = answer("split-70b", "split.objective=rate", f"split.{budget}")
    column = {"budget_kw": "provisioned_kw", "budget_machines": "machines", "budget_usd_per_h": "cost_usd_per_h"}
    name, _, most = budget.partition("=")
    rows = found.table("designs").records()
    assert len(rows) > 3
    for row in rows:
        assert row[column[name]] <= float(most)
        assert row["slo_ok"] is True
        if row["prompt_machines"] is not None:
            assert row["machines"] >= row["prompt_machines"] + row["token_machines"] + 2


def test_a_budget_holds_with_spares() -> None:
    """What does without spares does not with them; what does with them is bought with them."""
    fragile = "failures.accelerator_mttf_h=1000"
    bare, whole = (value("split-70b", "cost_usd_per_h", one) for one in ("failures.spares=false", fragile))
    assert whole > 1.5 * bare
    enough = values("split-70b", fragile, f"split.budget_usd_per_h={1.001 * whole}")
    assert enough["cost_usd_per_h"] == whole
    assert enough["spare_prompt_machines"] + enough["spare_token_machines"] > 2
    short = sets(*SMALL["split-70b"], fragile, f"split.budget_usd_per_h={0.99 * whole}")
    said = refusal(4, "split-70b", *short)
    assert f"{whole:,.2f} USD/h" in said
    assert "spares included" in said


def test_a_budget_that_the_best_design_meets_is_no_hindrance() -> None:
    best = value("split-70b", "cost_usd_per_h", "failures.spares=false")
    done = command("split-70b", *sets(f"split.budget_usd_per_h={1.05 * best}", "failures.spares=false"))
    assert done.code == 0


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


# ---- the door ----


def test_formats(tmp_path: Path) -> None:
    done = command("split-70b", "--format", "csv", "--table", "designs")
    assert done.code == 0
    header, first = done.out.splitlines()[:2]
    assert header.startswith("design,prompt_machines,token_machines,machines,cost_usd_per_h")
    assert first.count(",") == header.count(",")
    target = tmp_path / "page.html"
    assert command("split-70b", "-o", str(target)).code == 0
    page = html.unescape(target.read_text(encoding="utf-8"))
    assert "<svg" in page
    assert answer("split-70b").headline in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert command("split-70b", "--format", "md").out.startswith("# ")


@pytest.mark.parametrize("name", ["split-70b", "splitwise-2024"])
def test_every_line_can_be_explained(name: str) -> None:
    done = command(name, "--explain")
    assert done.code == 0
    for line in (*report.LINES, *QUANTILES):
        assert f"  {line}\n" in done.out
    assert done.out.count("formula  ") == len(report.LINES) + len(QUANTILES)


def test_explaining_a_cost_names_the_prices() -> None:
    said = command("split-70b", "--explain", "cost_usd_per_h").out
    for chip in ("h100-sxm", "mi300x"):
        assert f"accelerators.{chip}.neocloud_usd_per_h" in said
    assert "failures.accelerator_mttf_h" in said
    rented = command("splitwise-2024", "--explain", "cost_usd_per_h").out
    assert "profiles.splitwise-bloom-176b.machines.dgx-h100.usd_per_h" in rented
    assert "neocloud" not in rented


@pytest.mark.parametrize("name", ["split-70b", "splitwise-2024"])
def test_every_line_says_what_it_rests_on(name: str) -> None:
    found = answer(name)
    known = {record.path for record in found.inputs}
    prices = {path for path in known if path.endswith("usd_per_h") and not path.startswith("split.")}
    assert prices
    for line in found.lines:
        assert line.inputs, line.id
        assert set(line.inputs) <= known
        assert line.sources
        assert set(line.sources) <= set(found.sources)
        assert line.grade == "assumption"  # load or promises are chosen, in these scenarios
        assert bool(prices & set(line.inputs)) is ("usd" in line.id), line.id


def test_no_row_is_lost_where_there_is_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    narrow = command("split-70b").out
    for line in answer("split-70b").lines:
        assert line.label in narrow


def test_seeds_draw_other_requests_and_are_said() -> None:
    found = [json.loads(command("split-70b", "--seed", str(seed), "--format", "json").out) for seed in (0, 7)]
    assert [one["seed"] for one in found] == [0, 7]
    middle = [next(line["value"] for line in one["lines"] if line["id"] == "e2e_p50_s") for one in found]
    assert middle[0] != middle[1]


def test_help_shows_examples_and_the_sister() -> None:
    said = run("split", "--help").out
    assert "aiplan split --set" in said
    assert "aiplan split replay" in said
