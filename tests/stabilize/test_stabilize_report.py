"""The report of `aiplan stabilize`: lines, tables and pictures that are sound, agree with each other and stay."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from aiplan.planners.stabilize.report import LINES
from aiplan.planners.stabilize.words import mix_words, reason_words
from aiplan.report.check import problems
from aiplan.report.formats import FORMATS, render
from aiplan.report.model import Cell, Report
from tests.energy.test_golden import assert_same
from tests.stabilize.golden import BANK, DEFAULT, FLOOR, FOLDER, KEPT, SHORT, answer, kept, result

STABLE = {
    "verdict": None, "ramp_up_mw_per_s": "MW/s", "ramp_down_mw_per_s": "MW/s", "largest_line_mw": "MW",
    "largest_line_hz": "Hz", "energy_overhead_share": None, "storage_mwh": "MWh", "storage_mw": "MW",
    "annual_cost_usd": "USD/year",
}  # fmt: skip
"""Lines that pipelines may rely on, and their units."""
SEARCH, ASKED = (DEFAULT, *SHORT), (DEFAULT, *SHORT, BANK)
FAILS = (DEFAULT, *SHORT, FLOOR)
UNTOLD = (DEFAULT, "simulation.sampling_hz=5", BANK)
TRAINED = ("stabilize-405b-h100", "search.technologies=[\"supercapacitor\"]", "search.software_fractions=[0]",
           "search.time_constants_s=[10]")  # fmt: skip
CASES = (SEARCH, ASKED, FAILS, UNTOLD, TRAINED)


def value(report: Report, line: str) -> float:
    found = report.line(line).value
    assert isinstance(found, float | int)
    return float(found)


def values(report: Report) -> dict[str, Cell]:
    return {line.id: line.value for line in report.lines}


def codes(report: Report) -> set[str]:
    return {warning.code for warning in report.warnings}


# ---- what is there ----


@pytest.mark.parametrize("name", KEPT)
def test_golden(name: str) -> None:
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert_same(json.loads(render(kept(name), "json")), golden)


@pytest.mark.parametrize("case", CASES)
def test_every_report_is_sound(case: tuple[str, ...]) -> None:
    report = answer(*case)
    assert problems(report) == []
    assert [line.id for line in report.lines] == list(LINES)
    assert all(line.formula and line.inputs and line.sources and line.grade for line in report.lines)
    assert report.not_modelled
    labels = [line.label for line in report.lines]
    assert len(set(labels)) == len(labels), "a label must stand alone"


@pytest.mark.parametrize("case", CASES)
def test_stable_lines_in_every_format(case: tuple[str, ...]) -> None:
    report = answer(*case)
    assert {line.id: line.unit for line in report.lines if line.id in STABLE} == STABLE
    as_json = {line["id"]: line for line in json.loads(render(report, "json"))["lines"]}
    as_csv = {row["line"]: row for row in csv.DictReader(io.StringIO(render(report, "csv")))}
    others = {one: render(report, one) for one in ("table", "md", "html")}
    for line, unit in STABLE.items():
        assert (as_json[line]["unit"], as_csv[line]["unit"]) == (unit, unit or "")
        cell = report.line(line).value
        assert as_json[line]["value"] == cell
        assert as_csv[line]["value"] == ("" if cell is None else str(cell))
        for one, text in others.items():
            assert report.line(line).label in text, one


def test_tables_of_a_search_and_of_measures_asked() -> None:
    common = {"limits", "limits_as_it_is", "families", "mixes", "costs", "storage", "largest", "periods",
              "settings", "closed_forms", "handover", "ramps", "lines", "bands", "waveform", "iterations",
              "spectrum"}  # fmt: skip
    assert {table.id for table in answer(*SEARCH).tables} == common | {"front", "refused"}
    assert {table.id for table in answer(*ASKED).tables} == common
    assert {table.id for table in answer(*FAILS).tables} == common - {"storage"} | {"nvml_profile"}
    assert "iteration" in {table.id for table in answer(*TRAINED).tables}


@pytest.mark.parametrize("case", [SEARCH, FAILS])
def test_shown_tables_fit_120_columns(case: tuple[str, ...]) -> None:
    report = replace(answer(*case), headline="", warnings=(), charts=(), not_modelled=())
    shown = render(report, "table").splitlines()
    assert [line for line in shown if len(line) > 120 and not line.startswith("* rests")] == []


def test_pictures() -> None:
    charts = {chart.id for chart in answer(*SEARCH).charts}
    assert {"waveform", "spectrum", "pareto"} <= charts
    assert "pareto" not in {chart.id for chart in answer(*ASKED).charts}


# ---- what it says ----


def test_default_passes_and_says_what_for() -> None:
    report = answer(*SEARCH)
    assert report.line("verdict").value == "pass"
    assert all(row["verdict"] == "pass" for row in report.table("limits").records() if row["counts"])
    assert any(row["verdict"] == "fail" for row in report.table("limits_as_it_is").records())
    assert "pass reference-a with the cheapest mix found" in report.headline
    assert value(report, "ramp_up_mw_per_s") <= 10.0
    assert value(report, "largest_line_mw") <= 10.0


def test_recommended_mix_is_the_cheapest_that_passes() -> None:
    report = answer(*SEARCH)
    passing = [row for row in report.table("families").records() if row["verdict"] == "pass"]
    costs = [float(row["annual_cost_musd"]) for row in passing]
    assert costs == sorted(costs)
    assert value(report, "annual_cost_usd") == pytest.approx(1e6 * costs[0], rel=1e-9)
    first = report.table("mixes").records()[0]
    assert first["mix"] == report.line("mix").value
    assert [row["family"] for row in report.table("mixes").records()] == [
        row["family"] for row in report.table("families").records()
    ]


def test_lines_agree_with_tables() -> None:
    report = answer(*ASKED)
    storage = report.table("storage").records()[0]
    assert value(report, "storage_mwh") == pytest.approx(storage["energy_mwh"]) == pytest.approx(0.5)
    assert value(report, "storage_mw") == pytest.approx(storage["power_mw"]) == pytest.approx(120)
    assert value(report, "storage_life_years") == storage["life_years"]
    costs = report.table("costs").records()
    assert value(report, "annual_cost_usd") == pytest.approx(1e6 * sum(row["annual_cost_musd"] for row in costs))
    steep = [row["up_mw_per_s"] for row in report.table("ramps").records()
             if row["wave"] == "with measures" and row["regime"] != "all"]  # fmt: skip
    assert value(report, "ramp_up_mw_per_s") == pytest.approx(max(steep))
    assert value(report, "least_mw") < value(report, "mean_mw") < value(report, "peak_mw")


def test_a_floor_alone_fails_on_start_and_stop() -> None:
    report = answer(*FAILS)
    assert report.line("verdict").value == "fail"
    assert report.line("binding").value in ("ramp up in transients", "ramp down in transients")
    assert "do not pass reference-a with the measures asked: ramp" in report.headline


def test_floor_as_an_operator_sets_it() -> None:
    rows = {row["parameter"]: row for row in answer(*FAILS).table("nvml_profile").records()}
    assert rows["PERCENT_TMP_FLOOR"]["value"] == pytest.approx(90)
    assert rows["RAMP_DOWN_HYSTERESIS"]["value"] == pytest.approx(2000)
    assert rows["RAMP_UP_RATE"]["value"] is None


def test_sampling_too_slow_is_undetermined_and_says_the_rate() -> None:
    report = answer(*UNTOLD)
    assert report.line("verdict").value == "undetermined"
    assert "W-STABILIZE-UNDETERMINED" in codes(report)
    assert "cannot be told. A band up to 20 Hz needs 40 values a second" in report.headline


def test_a_broken_cap_fails_though_the_grid_accepts() -> None:
    report = answer(*ASKED, "search.most_energy_overhead_fraction=0")
    assert report.line("verdict").value == "fail"
    assert report.line("binding").value == "cap on energy added"
    assert all(row["verdict"] == "pass" for row in report.table("limits").records() if row["counts"])


def test_a_job_that_passes_as_it_is_needs_nothing() -> None:
    report = answer(DEFAULT, *SHORT, "jobs.main.accelerators=1000")
    assert (report.line("verdict").value, report.line("mix").value) == ("pass", "nothing")
    assert (
        value(report, "annual_cost_usd") == value(report, "storage_mwh") == value(report, "energy_overhead_share") == 0
    )
    assert "as they are" in report.headline


def test_storage_too_small_saturates_and_says_so() -> None:
    report = answer(DEFAULT, *SHORT, BANK.replace("energy_mwh=0.5", "energy_mwh=0.02"))
    assert value(report, "storage_saturated_share") > 0
    assert "W-STABILIZE-SATURATED" in codes(report)


def test_uncertain_inputs_are_named() -> None:
    report = answer(*ASKED, "machine.constant_w={uniform={low=300, high=400}}")
    found = [warning for warning in report.warnings if warning.code == "W-STABILIZE-MEDIAN"]
    assert ["machine.constant_w" in one.message for one in found] == [True]
    plain = answer(*ASKED)
    assert values(report)["mean_mw"] == pytest.approx(values(plain)["mean_mw"])
    assert "W-STABILIZE-MEDIAN" not in codes(plain)


def test_lithium_that_wears_out_is_warned_of() -> None:
    report = answer(
        DEFAULT, *SHORT, BANK.replace("supercapacitor", "li-ion").replace("time_constant_s=10", "time_constant_s=3")
    )
    assert value(report, "storage_life_years") < 1
    assert {"W-STABILIZE-LIFE", "W-STABILIZE-RESPONSE"} <= codes(report)
    assert report.line("binding").value == "cycle life of storage"


def test_ramps_say_their_window() -> None:
    report = answer(*ASKED, "limits.ramp_window_s=5")
    assert report.line("ramp_up_mw_per_s").label == "Steepest rise over 5 s, with measures"
    assert report.line("raw_ramp_down_mw_per_s").label == "Steepest fall over 5 s, as it is"
    assert value(report, "raw_ramp_up_mw_per_s") < value(answer(*ASKED), "raw_ramp_up_mw_per_s")
    assert "MW/s over 5 s" in report.headline


def test_reasons_and_mixes_in_words() -> None:
    assert reason_words("most in steady state") == "most power in steady state"
    assert reason_words("ramp up in transients") == "ramp up in transients"
    assert reason_words("slowdown") == "cap on time added"
    assert reason_words("") == ""
    mix = result(*FAILS).chosen.mix
    assert mix_words(mix, 1200.0, 1e5) == "GPU floor 90% of TDP"


# ---- laws of the whole ----


def test_same_inputs_same_bytes() -> None:
    first = render(answer(*SEARCH), "json")
    answer.cache_clear()
    result.cache_clear()
    assert render(answer(*SEARCH), "json") == first


def test_seed_moves_only_what_jitter_moves() -> None:
    still = (*ASKED, "jobs.main.jitter_fraction=0")
    assert values(answer(*still)) == values(answer(*still, "uncertainty.seed=7"))
    moved = values(answer(*ASKED)), values(answer(*ASKED, "uncertainty.seed=7"))
    same = {line for line in LINES if moved[0][line] == moved[1][line]}
    assert {"verdict", "mix", "storage_mwh", "storage_mw", "capital_cost_usd", "storage_life_years"} <= same
    assert not {"mean_mw", "raw_largest_line_mw", "largest_line_mw"} & same


@pytest.mark.parametrize("measures", [BANK, FLOOR], ids=["bank", "floor"])
def test_prices_move_money_and_nothing_else(measures: str) -> None:
    """Twice all prices: every line in USD doubles, all others stay bit for bit."""
    once = ("cost.electricity_usd_per_kwh=0.06", "cost.gpu_usd_per_h=2")
    twice = ("cost.electricity_usd_per_kwh=0.12", "cost.gpu_usd_per_h=4")
    a, b = (answer(DEFAULT, *SHORT, measures, *prices) for prices in (once, twice))
    for line in LINES:
        before, after = a.line(line).value, b.line(line).value
        if line == "annual_cost_usd":
            storage = sum(one.annual_usd for one in result(DEFAULT, *SHORT, measures, *once).chosen.storage)
            assert value(b, line) - storage == pytest.approx(2 * (value(a, line) - storage))
        else:
            assert before == after, line
    for table in a.tables:
        money = {column.id for column in table.columns if "usd" in column.id}
        for one, other in zip(table.records(), b.table(table.id).records(), strict=True):
            assert {key: cell for key, cell in one.items() if key not in money and "usd" not in str(one)} == {
                key: other[key] for key in one if key not in money and "usd" not in str(one)
            }


def test_accelerators_scale_power_and_shares_stay() -> None:
    """Ten times the accelerators: ten times the power and lines as it is, the same frequency and shares."""
    one, ten = (answer(DEFAULT, *SHORT, FLOOR, f"jobs.main.accelerators={count}") for count in (10_000, 100_000))
    for line in (
        "raw_largest_line_mw",
        "mean_mw",
        "peak_mw",
        "largest_line_mw",
        "annual_cost_usd",
        "raw_ramp_up_mw_per_s",
    ):
        assert value(ten, line) == pytest.approx(10 * value(one, line), rel=1e-9)
    for line in ("raw_largest_line_hz", "energy_overhead_share", "slowdown_share"):
        assert value(ten, line) == pytest.approx(value(one, line), rel=1e-9)


def test_largest_job_does_not_depend_on_the_job_asked() -> None:
    """As it is the largest job is a matter of the limits: half the job asked, the same answer within a step."""
    whole, half = (
        answer(DEFAULT, *SHORT, "mitigation={}", f"jobs.main.accelerators={count}") for count in (60_000, 30_000)
    )
    assert value(half, "largest_job_as_it_is_gpus") == pytest.approx(
        value(whole, "largest_job_as_it_is_gpus"), rel=5e-3
    )
    assert value(whole, "largest_job_gpus") == value(whole, "largest_job_as_it_is_gpus")


def test_every_format_renders_every_table() -> None:
    report = answer(*SEARCH)
    for one in FORMATS:
        for table in report.tables:
            assert render(report, one, table=table.id)
