"""`aiplan cooling` as a whole: the shipped scenario, weather of its own, part load, tables, refusals, speed."""

from __future__ import annotations

import csv
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.errors import InputError
from aiplan.planners.cooling.case import find_climate, find_system
from aiplan.planners.cooling.report import LINES
from aiplan.planners.cooling.tables import GROUPS, LABELS
from aiplan.planners.cooling.year import Warming, year
from aiplan.report.formats import FORMATS, render
from aiplan.report.model import Bars, HeatMap, Report
from tests.cli.runner import run, spawn
from tests.cooling.golden import FOLDER, NAME, answer
from tests.cooling.systems import catalog, medians, shipped
from tests.energy.test_golden import assert_same

DRY = "cooling.system=direct-to-chip-40c-dry"
AIR = "cooling.system=hyperscale-air-side"


def value(report: Report, line: str) -> float:
    found = report.line(line).value
    assert isinstance(found, float)
    return found


def records(report: Report, table: str) -> list[dict[str, Any]]:
    return report.table(table).records()


def codes(report: Report) -> list[str]:
    return [warning.code for warning in report.warnings]


def hourly_csv(folder: Path, *, calendar: bool = True, hours: int = 8760) -> Path:
    """A year with seasons and days, written as a user would."""
    at = np.arange(hours)
    t = 12.0 + 12.0 * np.cos(2 * np.pi * (at - 4700) / 8760) + 5.0 * np.cos(2 * np.pi * (at - 15) / 24)
    month = np.minimum(at // 730, 11) + 1
    path = folder / "year.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["drybulb_c", "rh_fraction", "pressure_pa", *(["month", "hour"] if calendar else [])])
        for row in range(hours):
            writer.writerow([round(float(t[row]), 2), 0.6, 100_000, *([month[row], row % 24] if calendar else [])])
    return path


# ---- the shipped scenario ----


def test_golden() -> None:
    golden = json.loads((FOLDER / f"{NAME}.json").read_text(encoding="utf-8"))
    assert_same(json.loads(render(answer(), "json")), golden)


def test_lines_are_known_and_whole() -> None:
    for report in (answer(), answer(DRY)):
        names = [line.id for line in report.lines]
        assert set(names) <= set(LINES)
        assert all(line.formula and line.grade and line.sources for line in report.lines if line.id != "it_power_mw")
    assert "liquid_compressor_free_h" in names


def test_lines_agree_with_each_other() -> None:
    report = answer("load.it_power_mw=40", "load.load_fraction=0.6")
    assert value(report, "it_power_mw") == 40.0
    assert value(report, "it_energy_mwh") == pytest.approx(40 * 0.6 * 8760)
    assert value(report, "energy_mwh") == pytest.approx(value(report, "it_energy_mwh") * value(report, "pue_annual"))
    assert value(report, "facility_power_mw") == pytest.approx(24.0 * value(report, "pue_worst_hour"))
    assert value(report, "water_m3") == pytest.approx(
        value(report, "it_energy_mwh") * value(report, "wue_annual_l_per_kwh")
    )
    assert 1.0 < value(report, "pue_annual") < value(report, "pue_p99") < value(report, "pue_worst_hour")
    line = report.line("pue_annual")
    assert line.p5 is not None and line.p95 is not None  # noqa: PT018
    assert line.p5 < value(report, "pue_nominal") < line.p95


def test_components_add_up() -> None:
    for report in (answer(), answer(DRY, "load.load_fraction=0.5"), answer(AIR)):
        rows = records(report, "components")
        total = sum(row["share_of_it_fraction"] for row in rows[:-1])
        assert rows[-1]["share_of_it_fraction"] == pytest.approx(total, abs=1e-9)
        assert 1.0 + total == pytest.approx(value(report, "pue_nominal"), abs=1e-9)
        water = {row["use"]: row["l_per_kwh"] for row in records(report, "water")}
        made = water["evaporation"] + water["blow-down"] + water["drift"]
        assert water["make-up of towers"] == pytest.approx(made, abs=1e-9)
        assert water["all"] == pytest.approx(made + water["humidifiers"], abs=1e-9)
        assert water["all"] == pytest.approx(value(report, "wue_nominal_l_per_kwh"), abs=1e-9)


def test_months_and_hours_average_to_the_year() -> None:
    report = answer()
    months = records(report, "months")
    days = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    mean = sum(row["pue"] * count for row, count in zip(months, days, strict=True)) / 365
    assert mean == pytest.approx(value(report, "pue_nominal"), abs=1e-6)
    for month, row in zip(months, records(report, "pue_month_hour"), strict=True):
        cells = [row[f"pue_at_{hour:02d}"] for hour in range(24)]
        assert np.mean(cells) == pytest.approx(month["pue"], abs=1e-9)
    assert max(months, key=lambda row: row["pue"])["month"] in ("Jul", "Aug")


def test_worst_hours_head_the_year() -> None:
    report = answer("load.it_power_mw=10")
    rows = records(report, "worst_hours")
    assert all(a["facility_power_mw"] >= b["facility_power_mw"] for a, b in pairwise(rows))
    assert rows[0]["month"] in ("Jul", "Aug")
    assert rows[0]["facility_power_mw"] == pytest.approx(10 * rows[0]["pue"])


def test_every_system_stands_in_the_table_best_first() -> None:
    report = answer()
    rows = records(report, "systems")
    assert {row["system"] for row in rows} == set(catalog().ids("cooling")) - {"hyperscale-sea-water"}
    assert [row["pue"] for row in rows] == sorted(row["pue"] for row in rows)
    for row in rows:
        assert 1.0 + sum(row[f"{group}_fraction"] for group in GROUPS) == pytest.approx(row["pue"], abs=1e-9)
    own = next(row for row in rows if row["system"] == "hyperscale-water-side")
    assert own["pue"] == pytest.approx(value(report, "pue_nominal"), abs=0.0005)
    assert own["pue_worst"] == pytest.approx(records(report, "worst_hours")[0]["pue"], abs=1e-9)
    named = [name for names in GROUPS.values() for name in names]
    assert sorted(named) == sorted(LABELS)


def test_sea_water_is_compared_where_its_sea_is_known() -> None:
    """The catalog's 5 to 25 deg C is the sea of no place: no rank by it, unless the plant is the one asked for."""
    sea = "hyperscale-sea-water"

    def rank(report: Report) -> tuple[int, float] | None:
        found = [(at, row["pue"]) for at, row in enumerate(records(report, "systems")) if row["system"] == sea]
        return found[0] if found else None

    plain, cold, warm = answer(), answer("cooling.sea_c=8"), answer("cooling.sea_c=32")
    assert rank(plain) is None
    assert sea in dict(plain.context)["Not compared"]
    assert "cooling.sea_c" in dict(plain.context)["Not compared"]
    for report in (cold, warm, answer(f"cooling.system={sea}")):
        assert rank(report) is not None
        assert "Not compared" not in dict(report.context)
    assert rank(cold) < rank(warm)  # type: ignore[operator]


def test_what_is_not_drawn_has_no_quantiles() -> None:
    """Immersion's numbers are assumed without ranges; a typical year has no offset that is drawn."""
    fixed = answer("cooling.system=immersion", "site.place=4A")
    drawn = answer("cooling.system=immersion")
    assert all(line.p5 is None and line.p95 is None for line in fixed.lines)
    assert all(row["p5_fraction"] is None for row in records(fixed, "components"))
    assert value(fixed, "pue_annual") == pytest.approx(value(fixed, "pue_nominal"), abs=0.001)
    assert "(" not in fixed.headline
    assert dict(fixed.context)["Quantiles"].startswith("none")
    assert drawn.line("pue_annual").p5 < drawn.line("pue_annual").p95  # type: ignore[operator]
    # Of what is drawn, what does not vary has none either.
    assert drawn.line("wue_annual_l_per_kwh").p5 is None
    assert drawn.line("wue_annual_l_per_kwh").value == 0.0


def test_both_conventions_are_told_and_one_is_used() -> None:
    report, other = answer(), answer("cooling.water_convention=drift-in-blowdown")
    rows = {row["convention"]: row for row in records(report, "water_conventions")}
    assert rows["drift-concentrated"]["used"] is True
    assert rows["drift-concentrated"]["makeup_l_per_kwh"] == pytest.approx(value(report, "wue_nominal_l_per_kwh"))
    assert dict(report.context)["Water"].endswith("(drift-concentrated)")
    assert dict(other.context)["Water"].endswith("(drift-in-blowdown)")
    assert value(other, "wue_nominal_l_per_kwh") == pytest.approx(
        rows["drift-in-blowdown"]["makeup_l_per_kwh"], abs=2e-3
    )
    assert value(other, "pue_annual") == value(report, "pue_annual")


def test_pictures_show_what_tables_hold() -> None:
    report = answer()
    heat, bars = report.charts
    assert isinstance(heat, HeatMap)
    assert isinstance(bars, Bars)
    assert len(heat.cells) == 12
    assert heat.cells[6][15] == records(report, "pue_month_hour")[6]["pue_at_15"]
    rows = records(report, "systems")
    assert bars.bars == tuple(row["system"] for row in rows)
    assert bars.segments[0].values == tuple(row["losses_fraction"] for row in rows)


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"xlsx"}))
def test_every_format(kind: str) -> None:
    assert render(answer(), kind)


# ---- places and weather ----


def test_places_differ_as_their_climates_do() -> None:
    pues = [value(answer(f"site.place={place}"), "pue_nominal") for place in ("helsinki-fi", "ashburn-va", "singapore")]
    assert pues == sorted(pues)
    assert pues[2] > 1.25
    assert "W-COOLING-DESIGN" in codes(answer())


def test_a_zone_a_climate_and_a_site_are_places() -> None:
    assert value(answer('site.place="4A"'), "pue_nominal") == pytest.approx(1.143, abs=0.01)
    report = answer("site.place=miami-fl")
    assert "typical year" in dict(report.context)["Place"]
    assert len(records(report, "pue_month_hour")) == 12
    # Its hours are measured ones, though several may share a row.
    assert "W-COOLING-DESIGN" not in codes(report)


def test_weather_of_a_file(tmp_path: Path) -> None:
    path = hourly_csv(tmp_path)
    outcome = run("cooling", "--weather", str(path), "--samples", "20", "--format", "json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert "months" in found["tables"]
    assert "W-COOLING-DESIGN" not in outcome.err
    lines = {line["id"]: line for line in found["lines"]}
    assert lines["pue_annual"]["sources"][0] == "year.csv"
    exact = find_climate(catalog(), None, str(path)).weather
    mine = year(shipped("hyperscale-water-side").system, medians("hyperscale-water-side"), exact)
    assert lines["pue_nominal"]["value"] == pytest.approx(float(mine.pue), rel=1e-12)
    assert lines["compressor_free_h"]["value"] == float(mine.free_h)


def test_weather_without_a_calendar_has_no_months(tmp_path: Path) -> None:
    report = answer(f"site.weather_file={json.dumps(str(hourly_csv(tmp_path, calendar=False)))}")
    assert "months" not in [table.id for table in report.tables]
    assert len(report.charts) == 1
    assert records(report, "worst_hours")[0]["month"] is None


@pytest.mark.shared_data
def test_a_file_of_several_places(shared_data: Path) -> None:
    path = shared_data / "cooling" / "climate_bins.csv"
    report = answer(f"site.weather_file={json.dumps(str(path))}", 'site.zone="4A"')
    assert value(report, "pue_nominal") == pytest.approx(1.143, abs=0.002)
    assert "W-COOLING-DESIGN" in codes(report)


def test_offset_of_the_climate() -> None:
    cold, plain, warm = (answer("site.place=phoenix-az", f"site.climate_offset_kelvin={k}") for k in (0.0, 0.75, 3.0))
    own = answer("site.place=phoenix-az")
    assert value(plain, "pue_nominal") == pytest.approx(value(own, "pue_nominal"), abs=1e-9)
    assert value(cold, "pue_nominal") < value(plain, "pue_nominal") < value(warm, "pue_nominal")
    assert own.line("pue_annual").p95 is not None
    weather = find_climate(catalog(), "phoenix-az").weather.condensed(150)
    p, system = medians("hyperscale-water-side"), shipped("hyperscale-water-side").system
    drawn = year(system, p, weather, warming=Warming(np.array([-2.0, 0.0, 2.0]), 0.5))
    for row, kelvin in enumerate((-2.0, 0.0, 2.0)):  # the other way to move a climate
        assert float(drawn.pue[row]) == pytest.approx(
            float(year(system, p, weather.shifted(kelvin, 0.5 * kelvin)).pue), abs=1e-9
        )


# ---- load ----


def test_load_by_the_hour_of_the_day() -> None:
    flat = answer("load.load_fraction=0.7")
    same = answer(f"load.hourly_load_fractions={[0.7] * 24}")
    assert value(same, "pue_nominal") == pytest.approx(value(flat, "pue_nominal"), abs=1e-9)
    day = [0.4] * 8 + [1.0] * 12 + [0.4] * 4
    hourly = answer(f"load.hourly_load_fractions={day}")
    assert value(hourly, "it_energy_mwh") == pytest.approx(100 * 8760 * 0.7)
    assert value(hourly, "facility_power_mw") > value(flat, "facility_power_mw")
    assert records(hourly, "worst_hours")[0]["hour_of_day"] in range(8, 20)
    day = [0.7 + 0.3 * np.cos(2 * np.pi * (at - 15) / 24) for at in range(24)]
    every = answer("site.place=helsinki-fi", f"load.hourly_load_fractions={[float(load) for load in day]}")
    assert value(every, "it_energy_mwh") == pytest.approx(100 * 8760 * 0.7, rel=1e-12)
    assert value(every, "energy_mwh") / value(every, "it_energy_mwh") == pytest.approx(value(every, "pue_annual"))


def test_part_load_raises_pue_at_a_quarter() -> None:
    by_load = {load: value(answer(f"load.load_fraction={load}"), "pue_nominal") for load in (1.0, 0.5, 0.25, 0.1)}
    assert by_load[0.5] < by_load[1.0]
    assert by_load[0.1] > by_load[0.25] > by_load[0.5]


# ---- systems and their numbers ----


def test_a_number_given_wins_and_may_be_a_distribution() -> None:
    fixed = answer("cooling.ups_efficiency_fraction=0.97")
    assert value(fixed, "pue_nominal") < value(answer(), "pue_nominal")
    drawn = answer("cooling.ups_efficiency_fraction={uniform={low=0.90,high=0.99}}")
    assert value(drawn, "pue_nominal") == pytest.approx(value(answer(), "pue_nominal"), abs=1e-12)
    assert fixed.line("pue_annual").p95 < drawn.line("pue_annual").p95  # type: ignore[operator]


def test_an_envelope_of_the_catalog() -> None:
    narrow = answer(AIR, "cooling.envelope=a1-a4-recommended")
    wide = answer(AIR, "cooling.envelope=a3-allowable")
    assert value(wide, "compressor_free_h") > value(narrow, "compressor_free_h")
    given = {record.path: record for record in narrow.inputs}
    assert given["cooling.supply_low_c"].value == 18.0
    assert given["cooling.supply_low_c"].evidence == "unverified"
    # What a class allows is not what the system does: it still mixes cold air to its own temperature.
    assert next(record.value for record in wide.inputs if record.path == "cooling.supply_low_c") == 14.0


def test_class_of_facility_water() -> None:
    for liquid, water, name in ((40, 36, "W40"), (32, 28, "W32"), (21, 17, "W17"), (55, 51, "beyond")):
        told = dict(answer(DRY, f"cooling.loop_supply_c={liquid}").context)["Facility water"]
        assert told.startswith(f"{water} °C")
        assert name in told
    assert "Facility water" not in dict(answer().context)


def test_what_is_given_in_vain_is_told() -> None:
    assert "W-COOLING-UNUSED" in codes(answer("cooling.loop_supply_c=40"))
    assert "W-COOLING-UNUSED" not in codes(answer("cooling.sea_c=10"))
    assert "W-COOLING-UNUSED" in codes(answer("cooling.envelope=a1-allowable"))
    assert "W-COOLING-UNUSED" not in codes(answer(AIR, "cooling.envelope=a1-allowable"))


def test_samples_and_seed() -> None:
    one, same, other = answer(), answer(), answer("uncertainty.seed=1")
    assert render(one, "json") == render(same, "json")
    assert value(one, "pue_annual") != value(other, "pue_annual")
    assert value(one, "pue_nominal") == value(other, "pue_nominal")


# ---- refusals ----


@pytest.mark.parametrize(
    ("overrides", "code", "words"),
    [
        (("cooling.system=hyperscale-watr-side",), "E121", "hyperscale-water-side"),
        (("site.place=atlantis",), "E121", "site.place"),
        (("cooling.envelope=w32",), "E243", "limits water"),
        (("cooling.system=ae", "cooling.supply_low_c=30", "cooling.supply_high_c=20"), "E244", "30"),
        ((f"load.hourly_load_fractions={[0.5] * 23}",), "E242", "23"),
        (("load.load_fraction=0",), "E102", "load_fraction"),
        (("cooling.fan_pressure_pa=-1",), "E102", "fan_pressure_pa"),
        (("cooling.liquid_fraction=1.2",), "E102", "liquid_fraction"),
        (("cooling.concentration_ratio=1",), "E102", "concentration_ratio"),
    ],
)
def test_refusals(overrides: tuple[str, ...], code: str, words: str) -> None:
    sets = [part for text in overrides for part in ("--set", text)]
    outcome = run("cooling", *sets)
    assert outcome.code == 2
    assert outcome.out == ""
    assert f"error[{code}]" in outcome.err
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_no_place_at_all(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.toml"
    path.write_text(
        '[scenario]\nname = "nowhere"\n[cooling]\nsystem = "we"\n[load]\nit_power_mw = 1\n', encoding="utf-8"
    )
    outcome = run("cooling", str(path))
    assert outcome.code == 2
    assert "error[E240]" in outcome.err
    assert "--weather" in outcome.err


def test_load_by_the_hour_needs_hours(tmp_path: Path) -> None:
    path = hourly_csv(tmp_path, calendar=False)
    outcome = run("cooling", "--weather", str(path), "--set", f"load.hourly_load_fractions={[0.5] * 24}")
    assert outcome.code == 2
    assert "error[E242]" in outcome.err


def test_an_entry_that_lacks_a_number(tmp_path: Path) -> None:
    (tmp_path / "cooling.toml").write_text(
        '[bare]\nname = "Bare"\nsource = "aiplan-choice"\ngrade = "assumption"\nscale = "small"\nrejection = "dx"\n',
        encoding="utf-8",
    )
    outcome = run("cooling", "--catalog", str(tmp_path), "--set", "cooling.system=bare")
    assert outcome.code == 2
    assert "error[E241]" in outcome.err
    assert "cooling.dx_cop_ratio" in outcome.err
    assert "cooling.ups_efficiency_fraction" in outcome.err  # all of them at once


def test_all_problems_at_once() -> None:
    outcome = run("cooling", "--set", "cooling.system=none-such", "--set", "site.place=atlantis")
    assert "2 problems found" in outcome.err


def test_missing_weather_file() -> None:
    outcome = run("cooling", "--weather", "no-such.epw")
    assert outcome.code == 2
    assert "no-such.epw" in outcome.err


# ---- for other planners ----


def test_entry_for_other_planners() -> None:
    system = find_system(catalog(), "we")
    climate = find_climate(catalog(), "ashburn-va")
    found = year(
        system.system, {name: one.distribution.median for name, one in system.quantities.items()}, climate.weather
    )
    assert float(found.pue) == pytest.approx(value(answer(), "pue_nominal"), abs=1e-12)
    with pytest.raises(InputError):
        find_system(catalog(), "no-such-system")


# ---- speed ----


def test_never_imports_scipy() -> None:
    code = (
        "import sys; from aiplan.cli import main; code = main(['cooling', '--format', 'json', '--samples', '20']); "
        "sys.stderr.write(' '.join(name for name in sys.modules if name.split('.')[0] in ('scipy', 'numba', 'pandas')))"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1].startswith("warning["), done.stderr


def test_help() -> None:
    outcome = spawn("cooling", "--help")
    assert outcome.returncode == 0
    assert "--weather" in outcome.stdout


def test_a_zone_without_a_weather_file_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        answer("site.zone=3B")
    assert (caught.value.code, caught.value.problems[0].path) == ("E240", "site.zone")
