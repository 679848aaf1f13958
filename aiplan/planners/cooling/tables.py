"""Tables of `aiplan cooling`: components, water, months and hours, worst hours, systems side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.cooling.plan import Load, Result, varies
from aiplan.planners.cooling.plant import COMPONENTS, MECHANICAL, WATERS, Hourly
from aiplan.planners.cooling.water import CONVENTIONS
from aiplan.planners.cooling.weather import Weather
from aiplan.report.model import Cell, Column, Table
from aiplan.uncertainty.quantiles import quantiles

LABELS = {
    "ups": "UPS",
    "distribution": "distribution",
    "lighting": "lighting",
    "standing": "drawn at any load",
    "fans": "fans of the hall",
    "chiller": "chillers",
    "economiser_pumps": "economiser pumps",
    "chilled_pumps": "chilled-water pumps",
    "tower_pumps": "tower pumps",
    "tower_fans": "tower fans",
    "sea_pumps": "sea-water pumps",
    "dry_fans": "fans of dry coolers",
    "loop_pumps": "pumps of the liquid loops",
    "humidifier": "humidifiers",
}
WATER_LABELS = {
    "evaporation": "evaporation",
    "blowdown": "blow-down",
    "drift": "drift",
    "humidification": "humidifiers",
}
GROUPS = {
    "losses": ("ups", "distribution", "lighting", "standing"),
    "fans": ("fans",),
    "compressors": ("chiller",),
    "pumps": ("economiser_pumps", "chilled_pumps", "tower_pumps", "sea_pumps", "loop_pumps", "humidifier"),
    "rejection": ("tower_fans", "dry_fans"),
}
"""Components by what they are, for the comparison of systems."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HOURS = tuple(range(24))
WORST = 10


def tables(result: Result) -> Iterator[Table]:
    """Every table of a result."""
    yield _components(result)
    yield _water(result)
    if result.seasonal is not None:
        yield _months(*result.seasonal)
        yield _month_hours(*result.seasonal)
    yield _worst(result)
    yield _systems(result)
    yield _conventions(result)
    yield _sensitivity(result)


def _band(values: Any) -> tuple[float | None, float | None]:
    sample = np.atleast_1d(values)
    if not varies(sample):
        return None, None
    low, high = quantiles(sample, (0.05, 0.95))
    return low, high


def _components(result: Result) -> Table:
    """Mean power of each component over IT power; with 1 they add up to the PUE."""
    energy = float(result.lines["it_energy_mwh"]["p50"] or result.lines["it_energy_mwh"]["mean"] or 0.0)
    rows: list[tuple[Cell, ...]] = []
    for name in COMPONENTS:
        if name in result.point.power:
            mean = float(result.point.power[name])
            low, high = _band(result.draws.power[name])
            kind = "cooling" if name in MECHANICAL else "electrical"
            rows.append((LABELS[name], kind, mean, low, high, energy * mean))
    total = float(result.point.pue) - 1.0
    low, high = _band(result.draws.pue - 1.0)
    rows.append(("all", "PUE - 1", total, low, high, energy * total))
    columns = (
        Column("component", "component", keep=True),
        Column("kind", "kind"),
        Column("share_of_it_fraction", "over IT power", keep=True),
        Column("p5_fraction", "P5"),
        Column("p95_fraction", "P95"),
        Column("energy_mwh", "energy", "MWh/year"),
    )
    return Table("components", "Where the power beside IT goes, mean of the year at medians", columns, tuple(rows))


def _water(result: Result) -> Table:
    energy = float(result.lines["it_energy_mwh"]["p50"] or result.lines["it_energy_mwh"]["mean"] or 0.0)
    rows: list[tuple[Cell, ...]] = []
    for name in WATERS:
        mean = float(result.point.water[name])
        rows.append((WATER_LABELS[name], mean, *_band(result.draws.water[name]), energy * mean))
    for label, found, drawn in (("make-up of towers", result.point.makeup, result.draws.makeup),
                                ("all", result.point.wue, result.draws.wue)):  # fmt: skip
        rows.append((label, float(found), *_band(drawn), energy * float(found)))
    columns = (
        Column("use", "use", keep=True),
        Column("l_per_kwh", "water", "L/kWh", keep=True),
        Column("p5_l_per_kwh", "P5", "L/kWh"),
        Column("p95_l_per_kwh", "P95", "L/kWh"),
        Column("water_m3", "a year", "m³"),
    )
    return Table("water", f"Water on site; {CONVENTIONS[result.case.convention]}", columns, tuple(rows))


def _grouped(values: Array, weights: Array, groups: Array, count: int) -> Array:
    """Weighted means by group; NaN where a group has no weight."""
    total = np.bincount(groups, weights, count)
    found = np.bincount(groups, weights * values, count)
    return np.asarray(np.divide(found, total, out=np.full(count, np.nan), where=total > 0))


def _cell(value: float) -> Cell:
    return float(value) if np.isfinite(value) else None


def _months(hourly: Hourly, weather: Weather, load: Load) -> Table:
    """Means by month over IT energy; weather as means over hours."""
    month = np.asarray(weather.month) - 1
    energy = weather.hours * load
    by_energy = [_grouped(values, energy, month, 12) for values in (hourly.pue, hourly.wue)]
    shares = np.broadcast_to(hourly.compressor_share, weather.hours.shape)
    by_hours = [_grouped(values, weather.hours, month, 12)
                for values in (weather.drybulb_c, weather.wetbulb_c, shares)]  # fmt: skip
    worst = [float(hourly.pue[month == number].max()) if np.any(month == number) else np.nan for number in range(12)]
    rows = tuple(
        (name, *(_cell(values[number]) for values in (*by_hours[:2], by_energy[0])), _cell(worst[number]),
         _cell(by_energy[1][number]), _cell(by_hours[2][number]))
        for number, name in enumerate(MONTHS)
    )  # fmt: skip
    columns = (
        Column("month", "month", keep=True),
        Column("drybulb_c", "dry bulb", "°C"),
        Column("wetbulb_c", "wet bulb", "°C"),
        Column("pue", "PUE", keep=True),
        Column("pue_worst", "worst hour"),
        Column("wue_l_per_kwh", "WUE", "L/kWh"),
        Column("compressor_fraction", "heat by compressors"),
    )
    return Table("months", "Month by month, at medians", columns, rows)


def month_hour_pue(hourly: Hourly, weather: Weather, load: Load) -> Array:
    """Mean PUE by month and hour of the day over IT energy, shape (12, 24); NaN where there is none."""
    cell = (np.asarray(weather.month) - 1) * 24 + np.asarray(weather.hour)
    return _grouped(hourly.pue, weather.hours * load, cell, 288).reshape(12, 24)


def _month_hours(hourly: Hourly, weather: Weather, load: Load) -> Table:
    found = month_hour_pue(hourly, weather, load)
    rows = tuple((name, *(_cell(value) for value in found[number])) for number, name in enumerate(MONTHS))
    columns = (Column("month", "month"), *(Column(f"pue_at_{hour:02d}", f"{hour}") for hour in HOURS))
    return Table("pue_month_hour", "Mean PUE by month and hour of the day, at medians", columns, rows, shown=False)


def _worst(result: Result) -> Table:
    hourly, weather = result.hourly, result.case.climate.weather
    at = np.broadcast_to(result.load, weather.hours.shape)
    power = hourly.pue * at
    order = np.argsort(-power, kind="stable")[:WORST]
    shares = np.broadcast_to(hourly.compressor_share, weather.hours.shape)
    wue = hourly.wue
    it = float(result.lines["it_power_mw"]["p50"] or result.lines["it_power_mw"]["mean"] or 0.0)
    rows = tuple(
        (
            float(weather.drybulb_c[row]),
            float(weather.wetbulb_c[row]),
            float(weather.rh_fraction[row]),
            None if weather.month is None else MONTHS[weather.month[row] - 1],
            None if weather.hour is None else int(weather.hour[row]),
            float(weather.hours[row]),
            float(hourly.pue[row]),
            it * float(power[row]),
            float(shares[row]),
            float(wue[row]),
        )
        for row in order
    )
    columns = (
        Column("drybulb_c", "dry bulb", "°C", keep=True),
        Column("wetbulb_c", "wet bulb", "°C"),
        Column("rh_fraction", "humidity"),
        Column("month", "month"),
        Column("hour_of_day", "hour"),
        Column("hours_h", "stands for", "h"),
        Column("pue", "PUE", keep=True),
        Column("facility_power_mw", "facility", "MW"),
        Column("compressor_fraction", "heat by compressors"),
        Column("wue_l_per_kwh", "WUE", "L/kWh"),
    )
    return Table("worst_hours", "Hours with the highest facility power, at medians", columns, rows)


def group_powers(power: Mapping[str, Any]) -> dict[str, float]:
    """Components summed by `GROUPS`, over IT power."""
    return {group: float(sum(float(power[name]) for name in names if name in power)) for group, names in GROUPS.items()}


def _systems(result: Result) -> Table:
    """Systems of the catalog on this weather, at medians; best annual PUE first."""
    ranked = sorted(result.systems, key=lambda pair: float(pair[1].pue))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (system.id, float(one.pue), float(one.pue_worst), float(one.wue), float(one.free_h),
         *group_powers(one.power).values())
        for system, one in ranked
    )  # fmt: skip
    columns = (
        Column("system", "system", keep=True),
        Column("pue", "PUE", keep=True),
        Column("pue_worst", "worst hour"),
        Column("wue_l_per_kwh", "WUE", "L/kWh", keep=True),
        Column("compressor_free_h", "no compressors", "h"),
        *(Column(f"{group}_fraction", group) for group in GROUPS),
    )
    return Table("systems", "Systems of the catalog on this weather and load, at medians", columns, rows)


def _conventions(result: Result) -> Table:
    """Make-up of towers by both ways to count blow-down, at medians."""
    water = {name: float(result.point.water[name]) for name in WATERS}
    concentration = result.case.parameters.medians().get("cooling.concentration_ratio")
    rows: list[tuple[Cell, ...]] = []
    if concentration is not None:
        lost, flushed = water["evaporation"], water["evaporation"] / (concentration - 1.0)
        makeups = {"drift-concentrated": (lost + water["drift"]) * concentration / (concentration - 1.0),
                   "drift-in-blowdown": lost + max(water["drift"], flushed)}  # fmt: skip
        for name, makeup in makeups.items():
            rows.append(
                (name, CONVENTIONS[name], makeup, makeup + water["humidification"], name == result.case.convention)
            )
    columns = (
        Column("convention", "convention", keep=True),
        Column("equation", "equation"),
        Column("makeup_l_per_kwh", "make-up", "L/kWh", keep=True),
        Column("wue_l_per_kwh", "WUE", "L/kWh"),
        Column("used", "used here"),
    )
    return Table(
        "water_conventions", "The same towers by both ways to count blow-down", columns, tuple(rows), shown=False
    )


def _sensitivity(result: Result) -> Table:
    columns = (
        Column("input", "input", keep=True),
        Column("pue_at_p5", "PUE at its P5"),
        Column("pue_at_p95", "PUE at its P95"),
    )
    rows = tuple((bar.name, bar.low, bar.high) for bar in result.bars if bar.low != bar.high)
    title = "What moves the annual PUE: each input at its P5 and P95, the others at their medians"
    return Table("sensitivity", title, columns, rows, shown=False)
