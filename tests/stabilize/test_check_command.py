"""`aiplan stabilize check`: lines, verdicts, exit codes, warnings, formats; and the parts its report is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.planners.stabilize.check_charts import MOST_POINTS, spectrum_charts, spectrum_table, thinned, waveform_chart
from aiplan.planners.stabilize.check_plan import LIMIT_WORDS, check_plan, worst_of
from aiplan.planners.stabilize.check_report import LINES, check_report, limits_table
from aiplan.planners.stabilize.figures import figures
from aiplan.planners.stabilize.limits import Band, Finding, Limits, RampLimit
from aiplan.planners.stabilize.limits_file import read_limits
from aiplan.planners.stabilize.wave import Wave
from aiplan.planners.stabilize.wave_file import read_wave
from aiplan.report.check import problems
from tests.cli.runner import Outcome, run

MW = 1e6
RATE = 20.0
Save = Callable[..., Path]


def sine(t: np.ndarray, amplitude: float = 2.0, hz: float = 0.5) -> np.ndarray:
    """Mean over each step of 50 MW with one line on it."""
    step = 1.0 / RATE
    return np.asarray(50.0 + amplitude * np.sinc(hz * step) * np.sin(2 * np.pi * hz * (t + step / 2)))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def to_file(power: np.ndarray | None = None, unit: str = "mw", gone: tuple[int, ...] = ()) -> Path:
        t = np.arange(6_000) / RATE
        values = sine(t) if power is None else power
        path = tmp_path / "wave.csv"
        rows = [f"{moment:.2f},{'' if row in gone else format(value, '.12g')}"
                for row, (moment, value) in enumerate(zip(t, values, strict=True))]  # fmt: skip
        path.write_text(f"t_s,site_{unit}\n" + "\n".join(rows) + "\n", encoding="utf-8")
        return path

    return to_file


def check(path: Path, limits: str, *more: str) -> tuple[Outcome, dict[str, Any]]:
    outcome = run("stabilize", "check", str(path), "--limits", limits, "--format", "json", *more)
    assert outcome.out, outcome.err
    return outcome, json.loads(outcome.out)


def values(found: dict[str, Any]) -> dict[str, Any]:
    return {line["id"]: line["value"] for line in found["lines"]}


def limits_file(tmp_path: Path, body: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(f"[limits]\n{body}\n", encoding="utf-8")
    return str(path)


BAND = "[limits.bands.all]\nlow_hz = 0.1\nhigh_hz = 5\n"


def test_a_sine_has_the_figures_of_a_sine(save: Save, tmp_path: Path) -> None:
    """2 MW at 0.5 Hz on 50 MW: steepest ramp over 1 s is 2 A |sin(pi f w)| / w = 4 MW/s, range 4, sd A / sqrt 2."""
    outcome, found = check(
        save(), limits_file(tmp_path, f"ramp_up_mw_per_s = 5\nramp_down_mw_per_s = 5\n{BAND}line_mw = 3")
    )
    assert (outcome.code, outcome.err) == (0, "")
    told = values(found)
    assert list(told) == list(LINES)
    assert told["verdict"] == "pass"
    assert told["ramp_up_mw_per_s"] == pytest.approx(4.0, rel=0.01)
    assert told["ramp_down_mw_per_s"] == pytest.approx(4.0, rel=0.01)
    assert told["largest_line_mw"] == pytest.approx(2.0, rel=1e-3)
    assert told["largest_line_hz"] == pytest.approx(0.5, rel=1e-4)
    assert told["mean_mw"] == pytest.approx(50.0, rel=1e-6)
    assert (told["peak_mw"], told["least_mw"]) == pytest.approx((52.0, 48.0), rel=1e-3)
    assert told["range_mw"] == pytest.approx(4.0, rel=0.01)
    assert told["standard_deviation_mw"] == pytest.approx(math.sqrt(2.0), rel=2e-3)
    assert told["peak_to_mean_ratio"] == pytest.approx(1.04, rel=1e-3)
    assert (told["sampling_hz"], told["gap_share"]) == (20.0, 0.0)


@pytest.mark.parametrize(("unit", "factor"), [("w", 1e6), ("kw", 1e3), ("gw", 1e-3)])
def test_units_of_the_file_change_nothing(save: Save, unit: str, factor: float) -> None:
    megawatts = values(check(save(), "reference-a")[1])
    power = sine(np.arange(6_000) / RATE) * factor
    others = values(check(save(power, unit), "reference-a")[1])
    for name in ("ramp_up_mw_per_s", "largest_line_mw", "mean_mw", "range_mw"):
        assert others[name] == pytest.approx(megawatts[name], rel=1e-9), name


@pytest.mark.parametrize(
    ("body", "limit", "name"),
    [
        ("ramp_up_mw_per_s = 3", "ramp up", ""),
        ("ramp_down_mw_per_min = 180", "ramp down", ""),
        ("[limits.ramps.slow]\nup_mw_per_s = 0.1\nwindow_s = 9", "ramp up", "slow"),
        ("range_mw = 3", "range", ""),
        ("most_mw = 51", "most power", ""),
        ("least_mw = 49", "least power", ""),
        (f"{BAND}line_mw = 1", "line", "all"),
        (f"{BAND}line_fraction = 0.03", "line over mean", "all"),
        (f"{BAND}rms_mw = 1", "RMS", "all"),
        (f"{BAND}share_fraction = 0.5\nline_mw = 9", "share", "all"),
    ],
)
def test_each_limit_is_broken_named_and_ends_in_exit_code_3(
    save: Save, tmp_path: Path, body: str, limit: str, name: str
) -> None:
    outcome, found = check(save(), limits_file(tmp_path, body))
    assert outcome.code == 3
    broken = [row for row in found["tables"]["limits"] if row["verdict"] == "fail" and row["counts"]]
    assert {(row["limit"], row["name"]) for row in broken} == {(limit, name)}
    assert all(row["margin_fraction"] < 0 for row in broken)
    told = values(found)
    assert told["verdict"] == "fail"
    assert told["binding"].startswith(limit)
    (message,) = [line for line in outcome.err.splitlines() if line.startswith("error[E305]")]
    assert f"wave.csv breaks {limit}" in message


def test_twice_the_limit_is_kept(save: Save, tmp_path: Path) -> None:
    body = "ramp_up_mw_per_s = 6\nrange_mw = 6\nmost_mw = 100\nleast_mw = 25\n" + BAND + "line_mw = 4\nrms_mw = 3"
    outcome, found = check(save(), limits_file(tmp_path, body))
    assert outcome.code == 0
    assert {row["verdict"] for row in found["tables"]["limits"]} == {"pass"}
    assert all(row["margin_fraction"] > 0 for row in found["tables"]["limits"])


@pytest.mark.parametrize(("format_", "says"), [("json", '"fail"'), ("csv", ""), ("md", "fail"), ("table", "fail")])
def test_the_report_is_written_before_the_exit_code(save: Save, format_: str, says: str) -> None:
    outcome = run("stabilize", "check", str(save()), "--limits", "reference-b", "--format", format_)
    assert outcome.code == 3
    assert outcome.out
    assert says in outcome.out
    assert outcome.err.count("error[") == 1
    assert not outcome.raw_characters


def test_a_file_is_written_and_then_the_exit_code_is_3(save: Save, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    arguments = ("stabilize", "check", str(save()), "--limits", "reference-b", "-o", str(target))
    assert run(*arguments).code == 3
    assert json.loads(target.read_text(encoding="utf-8"))["schema"].startswith("aiplan/stabilize-check/")
    assert "error[E201]" in run(*arguments).err
    assert run(*arguments, "--force").code == 3
    assert "error[E202]" in run("stabilize", "check", str(save()), "--limits", "reference-b", "-o", str(save())).err


@pytest.mark.parametrize("format_", ["json", "csv", "table", "md"])
def test_what_is_sampled_too_slowly_is_undetermined_with_the_rate_needed(save: Save, format_: str) -> None:
    outcome = run("stabilize", "check", str(save()), "--limits", "torsional", "--format", format_)
    assert outcome.code == 0
    warnings = [line for line in outcome.err.splitlines() if line.startswith("warning[W-STABILIZE-UNTOLD]")]
    assert len(warnings) == 1
    assert "200 values a second" in warnings[0]
    assert "error" not in outcome.err


def test_what_is_seen_broken_fails_even_where_the_rest_cannot_be_told(save: Save, tmp_path: Path) -> None:
    outcome, found = check(save(), limits_file(tmp_path, "[limits.bands.x]\nlow_hz = 0.1\nhigh_hz = 40\nline_mw = 1"))
    assert (outcome.code, values(found)["verdict"]) == (3, "fail")


def test_an_uncertain_limit_counts_at_its_median_and_says_so(save: Save, tmp_path: Path) -> None:
    outcome, found = check(save(), limits_file(tmp_path, "most_mw = { uniform = { low = 60, high = 80 } }"))
    (row,) = found["tables"]["limits"]
    assert (row["allowed"], row["verdict"]) == (70.0, "pass")
    assert "warning[W-STABILIZE-MEDIAN]: taken at their medians: limits.most_w" in outcome.err


def test_gaps_are_reported_and_not_judged(save: Save) -> None:
    power = sine(np.arange(6_000) / RATE)
    power[3_000:3_100] = np.linspace(50.0, 90.0, 100)  # what is in the gap would break every limit
    gone = tuple(range(2_999, 3_101))
    outcome, found = check(save(power, gone=gone), "reference-a")
    assert outcome.code == 0
    assert values(found)["gap_share"] == pytest.approx(102 / 6_000)
    (gap,) = found["tables"]["gaps"]
    assert (gap["start_s"], gap["end_s"], gap["steps"], gap["empty_rows"]) == pytest.approx((149.95, 155.05, 102, 102))
    assert "1 gap, 1.70% of the time, the longest 5.1 s" in outcome.err
    assert check(save(power), "reference-a")[0].code == 3


@pytest.mark.shared_data
def test_the_measured_run_goes_through(shared_data: Path, tmp_path: Path) -> None:
    """Reference power-stabilisation, checks 11, 12: mean 438.28 kW, largest 2 s step 87 kW, 18.7 kW at 0.09148 Hz."""
    path = shared_data / "power" / "smc_gpt3_node_sum.csv"
    band = "[limits.bands.step]\nlow_hz = 0.05\nhigh_hz = 0.25\nline_kw = 30\n"
    body = f"ramp_up_kw_per_s = 60\nramp_down_kw_per_s = 60\nramp_window_s = 2\n{band}"
    outcome, found = check(path, limits_file(tmp_path, body))
    told = values(found)
    assert (outcome.code, told["verdict"]) == (0, "pass")
    assert told["mean_mw"] == pytest.approx(0.43828, abs=5e-6)
    assert max(told["ramp_up_mw_per_s"], told["ramp_down_mw_per_s"]) == pytest.approx(0.0435, abs=5e-4)
    assert told["largest_line_hz"] == pytest.approx(0.09148, abs=0.0003)
    assert told["largest_line_mw"] == pytest.approx(0.0187, rel=0.03)
    # A 2 s meter says nothing of ramps over 1 s, nor of anything above 0.25 Hz.
    outcome, found = check(path, "reference-a")
    assert (outcome.code, values(found)["verdict"]) == (0, "undetermined")
    assert "40 values a second; the wave has 0.5" in outcome.err
    assert values(found)["ramp_up_mw_per_s"] is None
    rows = {row["window_s"]: row for row in found["tables"]["ramps"]}
    assert max(rows[2]["up_mw_per_s"], rows[2]["down_mw_per_s"]) == pytest.approx(0.0435, abs=5e-4)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "E306"),
        (("--limits", "refrence-a"), "E309"),
        (("--limits", "reference-a", "--column", "other_w"), "E300"),
        (("--limits", "reference-a", "--settle", "-1"), "E102"),
        (("--limits", "reference-a", "--settle", "nan"), "E102"),
        (("--limits", "reference-a", "--settle", "inf"), "E102"),
        (("--limits", "reference-a", "--set", "limits.most_mw=x"), "E102"),
        (("--limits", "reference-a", "--table", "limit"), "E203"),
        (("--limits", "reference-a", "--format", "xml"), "E205"),
    ],
)
def test_bad_options_end_in_exit_code_2(save: Save, arguments: tuple[str, ...], code: str) -> None:
    outcome = run("stabilize", "check", str(save()), *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"error[{code}]" in outcome.err


def test_without_limits_the_presets_are_named(save: Save) -> None:
    err = run("stabilize", "check", str(save())).err
    assert all(name in err for name in Catalog().ids("limits"))


@pytest.mark.parametrize("text", ["", "t_s\n", "t_s,x_w\n" + "1,-1\n" * 40, "\x00\xff", "t_s,x_w\n0,1e12\n1,nan\n" * 9])
def test_hostile_files_end_in_exit_code_2(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wave.csv"
    path.write_text(text, encoding="latin-1")
    outcome = run("stabilize", "check", str(path), "--limits", "reference-a")
    assert (outcome.code, outcome.out) == (2, "")
    assert not outcome.raw_characters


def test_extreme_powers_end_without_a_traceback(save: Save, tmp_path: Path) -> None:
    t = np.arange(6_000)
    for power, unit in ((np.where(t % 2, 1e-300, 2e-300), "w"), (np.where(t % 2, 1e12, 0.0), "w"), (t * 0.0 + 5, "mw")):
        outcome = run("stabilize", "check", str(save(power, unit)), "--limits", "slides-two-bands", "--format", "json")
        assert outcome.code in (0, 2, 3), outcome.err
        assert "E900" not in outcome.err


def test_the_report_is_whole_and_explains_itself(save: Save) -> None:
    catalog = Catalog()
    for preset in catalog.ids("limits"):
        read = read_limits(preset, (), catalog)
        report = check_report(check_plan(read_wave(save(gone=(9, 10))), read, 30.0), catalog)
        assert problems(report) == []
        assert [line.id for line in report.lines] == list(LINES)
        verdict = report.line("verdict")
        assert verdict.grade == "assumption"
        assert set(verdict.inputs) == set(read.parameters.items)
    outcome = run("stabilize", "check", str(save()), "--limits", "reference-a", "--explain", "verdict")
    assert "Cases of aiplan's reference on power stabilisation" in outcome.out


def test_the_same_input_gives_the_same_bytes(save: Save) -> None:
    arguments = ("stabilize", "check", str(save()), "--limits", "reference-a", "--format", "json")
    assert run(*arguments).out == run(*arguments).out
    other = run(*arguments, "--settle", "40").out
    assert json.loads(other)["scenario"]["sha256"] != json.loads(run(*arguments).out)["scenario"]["sha256"]


def test_bridged_gaps_are_reported_and_judged(save: Save) -> None:
    outcome, found = check(save(gone=(9, 100, 101, *range(300, 310))), "reference-a")
    assert [(gap["steps"], gap["bridged"]) for gap in found["tables"]["gaps"]] == [(1, True), (2, True), (10, False)]
    assert "3 gaps, 2 of them (0.05% of the time) bridged: 2 values missing at most" in outcome.err
    assert "the other 1, 0.17% of the time, the longest 0.5 s: what happened in them is not judged" in outcome.err
    assert values(found)["gap_share"] == pytest.approx(10 / 6_000)


def test_the_longest_gaps_are_listed_where_there_are_many(save: Save) -> None:
    gone = (*range(3, 5_000, 10), 4_994, 4_995, 4_996)
    outcome = run("stabilize", "check", str(save(gone=gone)), "--limits", "reference-a", "--format", "json")
    rows = json.loads(outcome.out)["tables"]["gaps"]
    assert "500 gaps, 499 of them (" in outcome.err
    assert len(rows) == 200
    assert sum(not row["bridged"] for row in rows) == 1
    assert [row["start_s"] for row in rows] == sorted(row["start_s"] for row in rows)


def test_strict_makes_undetermined_a_failure(save: Save, tmp_path: Path) -> None:
    outcome, found = check(save(), "torsional", "--strict")
    assert (outcome.code, values(found)["verdict"]) == (3, "undetermined")
    assert "error[E325]: wave.csv does not tell whether every limit is kept" in outcome.err
    assert check(save(), limits_file(tmp_path, "most_mw = 60"), "--strict")[0].code == 0
    assert "E305" in check(save(), limits_file(tmp_path, "most_mw = 51"), "--strict")[0].err


def test_lines_in_transients_do_not_pass_in_silence(save: Save, tmp_path: Path) -> None:
    """Oscillation at both ends around a flat middle is read as a start and a stop."""
    t = np.arange(6_000) / RATE
    power = np.where((t < 60) | (t >= 240), np.where(t % 2 < 1.6, 100.0, 40.0), 88.0)
    outcome, found = check(save(power), limits_file(tmp_path, f"{BAND}line_mw = 3"))
    assert (outcome.code, values(found)["verdict"]) == (0, "pass")
    (warning,) = [line for line in outcome.err.splitlines() if "W-STABILIZE-TRANSIENT" in line]
    assert "broken in transients, where it does not count: line of all, transient: " in warning
    assert "3 allowed, at 0." in warning
    (row,) = [row for row in found["tables"]["limits"] if row["regime"] == "transient"]
    assert (row["verdict"], row["counts"], row["at_s"]) == ("fail", False, 0.0)
    assert row["at_hz"] == pytest.approx(0.5, abs=0.005)
    assert 3.0 < row["value"] < 22.45  # a segment of 102 s holds 60 s of it


def test_a_ramp_that_sees_nothing_is_told(save: Save, tmp_path: Path) -> None:
    power = 50.0 + 10.0 * np.sign(np.sin(2 * np.pi * (np.arange(6_000) + 0.5) / RATE))
    outcome, found = check(save(power), limits_file(tmp_path, "ramp_up_mw_per_s = 5\nramp_down_mw_per_s = 5"))
    assert (outcome.code, values(found)["ramp_up_mw_per_s"]) == (0, 0.0)
    assert "warning[W-STABILIZE-WINDOW]: ramp: power moves by 20 MW within 1 s" in outcome.err


def test_bursts_between_steps_break_what_they_break(tmp_path: Path) -> None:
    """100 MW every second, and 20 values of 500 MW at 10 ms, against a rating of 200 MW."""
    times = sorted([*(float(t) for t in range(240)), *(120.4 + 0.01 * k for k in range(20))])
    path = tmp_path / "burst.csv"
    rows = [f"{t:.2f},{500 if 120.3 < t < 120.7 else 100}" for t in times]
    path.write_text("t_s,site_mw\n" + "\n".join(rows) + "\n", encoding="utf-8")
    outcome, found = check(path, limits_file(tmp_path, "most_mw = 200"))
    assert (outcome.code, values(found)["peak_mw"]) == (3, 500.0)
    assert "20 of 260 values fall between steps of 1 s" in outcome.err
    assert "E305" in outcome.err


# ---- parts that the planner's own report takes ----


def test_thinning_keeps_extremes_and_ends() -> None:
    draw = np.random.Generator(np.random.PCG64(3))
    for size in (1, 15, MOST_POINTS, MOST_POINTS + 1, 30_000, 123_457):
        power = draw.normal(size=size)
        kept = thinned(power)
        assert kept.size <= MOST_POINTS
        assert (kept[0], kept[-1]) == (0, size - 1)
        assert np.all(np.diff(kept) > 0)
        assert (power[kept].min(), power[kept].max()) == (power.min(), power.max())


def test_charts_take_waves_side_by_side() -> None:
    t = np.arange(40_000) / 50.0
    raw = Wave(MW * (50 + 20 * np.sign(np.sin(2 * np.pi * 0.5 * t))), 0.02)
    calm = Wave(MW * (50 + 2 * np.sin(2 * np.pi * 0.5 * t)), 0.02)
    limits = Limits("mine", (RampLimit("", MW, MW, 1.0),), most_w=60 * MW, bands=(Band("all", 0.1, 20.0, 10 * MW),))
    both = [("before", figures(raw, limits)), ("after", figures(calm, limits))]
    told = [(label, found) for label, found in both if found is not None]
    assert len(told) == 2
    wave_chart = waveform_chart([("before", raw), ("after", calm)], limits)
    assert [series.label for series in wave_chart.series] == ["before", "after"]
    assert [(mark.value, mark.axis) for mark in wave_chart.marks] == [(60.0, "y")]
    (chart,) = spectrum_charts(told, limits)
    assert [series.label for series in chart.series] == ["before", "after", "limit of all, 10 MW"]
    assert (max(chart.series[0].y), max(chart.series[1].y)) == pytest.approx((20 * 4 / np.pi, 2.0), rel=2e-3)
    assert chart.series[2].y == (10.0, 10.0)
    rows = spectrum_table(told).rows
    assert len(rows) <= 2 * MOST_POINTS
    assert max(row[2] for row in rows if row[0] == "before") == max(chart.series[0].y)  # type: ignore[type-var]


def test_a_table_of_findings_is_in_megawatts() -> None:
    findings = (
        Finding("line", "low", "steady", 3e5, 2e5, "W", -0.5, "fail", 1.0, 0.5),
        Finding("ramp_up", "", "transient", None, 1e6, "W/s", None, "undetermined", why="because"),
        Finding("share", "low", "steady", 0.1, 0.2, "1", 0.5, "pass", binding=False),
    )
    rows = limits_table(findings).records()
    assert [(row["value"], row["allowed"], row["unit"]) for row in rows] == [
        (0.3, 0.2, "MW"), (None, 1.0, "MW/s"), (0.1, 0.2, "")
    ]  # fmt: skip
    assert worst_of(findings) is findings[0]
    assert worst_of(findings[1:]) is None
    assert {row["limit"] for row in rows} <= set(LIMIT_WORDS.values())


def test_codes_are_documented(root: Path) -> None:
    page = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    codes = ["E300", "E325", *(f"E30{n}" for n in range(2, 10))]
    for code in (
        *codes,
        *(f"W-STABILIZE-{word}" for word in ("GAPS", "MEDIAN", "RESAMPLED", "SHARE", "TRANSIENT", "UNTOLD", "WINDOW")),
    ):
        assert f"| `{code}` |" in page


def test_a_line_that_several_spectra_show_is_listed_once(save: Save) -> None:
    """100 s, a gap, then stretches too short for a segment of 102 s: one line at 0.5 Hz, whatever it was read in."""
    gone = tuple(row for start in (2_400, 3_500, 4_600) for row in range(start, start + 10))
    lines = check(save(gone=gone), "reference-a")[1]["tables"]["lines"]
    assert [row["line_hz"] for row in lines if row["line_mw"] > 1.0] == pytest.approx([0.5], abs=1e-3)
