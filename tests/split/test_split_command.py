"""`aiplan split` as a whole: golden answers, exit codes, formats, and what must hold for every plan."""

from __future__ import annotations

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
from tests.split.asking import refusal, value, values
from tests.split.golden import FOLDER, SMALL, answer, command, scrubbed, sets

SCENARIOS = sorted(SMALL)
QUANTILES = [f"{metric}_p{at}_s" for metric in METRICS for at in PERCENTILES]
# A small question about a measured profile, with a rate to carry.
PROFILE = ("split.objective=usd", "workload.duration_s=30", "serving.decode_model=measured")


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
