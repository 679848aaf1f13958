"""What fewer points and made hours cost in annual PUE and WUE: the bounds that docs/weather.md states."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.cooling.climates import find_weather
from aiplan.planners.cooling.synthesis import synthesise
from aiplan.planners.cooling.weather import _CURVE_LEVELS, Weather, _curve
from aiplan.planners.cooling.year import year
from tests.cooling.systems import catalog, draws, medians, shipped
from tests.cooling.years import hourly_year, hours_where

YEARS = ("miami-fl", "tucson-az", "new-york-ny", "chicago-ohare-il", "aurora-co", "port-angeles-wa", "pittsburgh-pa",
         "greensboro-nc", "sand-point-ak")  # fmt: skip
SITES = ("phoenix-az", "singapore", "ashburn-va", "helsinki-fi")
SYSTEMS = catalog().ids("cooling")
AIR_SIDE = tuple(name for name in SYSTEMS if shipped(name).system.air.economiser == "air")
HOURS_OF_ONE_PIECE = 8760.0 / 500.0


@cache
def weather(name: str, how: str) -> Weather:
    place = find_weather(catalog(), name)
    if how == "true":
        return place.weather
    return synthesise(place.monthly) if how == "made" else weather(name, "true").condensed(int(how))


@cache
def annual(system: str, name: str, how: str) -> Array:
    """Annual PUE and WUE at medians."""
    found = year(shipped(system).system, medians(system), weather(name, how))
    return np.array([float(found.pue), float(found.wue)])


def worst(system: str, how: str, places: tuple[str, ...]) -> Array:
    """Largest error of PUE and WUE over some places."""
    errors = [np.abs(annual(system, name, how) - annual(system, name, "true")) for name in places]
    return np.asarray(np.max(errors, axis=0))


@cache
def stated(root: Path) -> dict[str, tuple[float, ...]]:
    """Rows of the page's tables by their first cell, the first of that name: the numbers of the other cells."""
    rows: dict[str, tuple[float, ...]] = {}
    for line in (root / "docs" / "weather.md").read_text(encoding="utf-8").splitlines():
        first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
        if rest and all(cell.replace(".", "").isdigit() for cell in rest[-2:]):
            rows.setdefault(first, tuple(float(cell) for cell in rest if cell.replace(".", "").isdigit()))
    return rows


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("points", ["150", "300", "500", "800", "1500"])
def test_annual_figures_of_fewer_points(root: Path, system: str, points: str) -> None:
    bounds = stated(root)[points]
    assert len(bounds) == 4
    assert np.all(worst(system, points, YEARS + SITES) <= (bounds[2:] if system in AIR_SIDE else bounds[:2]))


@pytest.mark.parametrize("system", AIR_SIDE)
@pytest.mark.parametrize("name", ["miami-fl", "chicago-ohare-il", "tucson-az"])
def test_draws_of_limits_on_fewer_points(system: str, name: str) -> None:
    """Mean and quantiles of draws, whose limits differ, within 0.003 in PUE and 0.05 L/kWh."""
    p = draws(system, 300)
    exact, found = (year(shipped(system).system, p, weather(name, how)) for how in ("true", "500"))
    for values, few, bound in ((exact.pue, found.pue, 0.003), (exact.wue, found.wue, 0.05)):
        assert float(few.mean()) == pytest.approx(float(values.mean()), abs=bound)
        assert np.allclose(np.quantile(few, (0.05, 0.5, 0.95)), np.quantile(values, (0.05, 0.5, 0.95)), 0.0, bound)


@pytest.mark.parametrize("name", YEARS + SITES)
@pytest.mark.parametrize("quantity", ["drybulb_c", "rh_fraction", "dewpoint_c", "wetbulb_c"])
def test_hours_beyond_any_limit(name: str, quantity: str) -> None:
    """A limit cuts some 2 sqrt(500) pieces, each of which may fall on the wrong side."""
    exact, few = weather(name, "true"), weather(name, "500")
    # Wet bulb and dry bulb of saturated air differ in the last digits.
    values, states = (np.round(getattr(one, quantity), 6) for one in (exact, few))
    errors = []
    for share in np.linspace(0.02, 0.98, 49):
        limit = exact.quantile(values, float(share))
        errors.append(hours_where(few, states > limit) - hours_where(exact, values > limit))
    assert np.abs(errors).max() < 10.0 * HOURS_OF_ONE_PIECE
    assert float(np.sqrt(np.mean(np.square(errors)))) < 3.0 * HOURS_OF_ONE_PIECE


def some(seed: int, size: int) -> Weather:
    """Air of every kind with unequal weights, and with round readings."""
    rng = np.random.Generator(np.random.PCG64(seed))
    hours = rng.uniform(0.01, 3.0, size)
    return Weather(np.round(rng.normal(12.0, 9.0, size), 1).clip(-60.0, 50.0), np.round(rng.uniform(0, 1, size), 2),
                   rng.uniform(8e4, 1.03e5, size), hours, None, rng.integers(0, 24, size))  # fmt: skip


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 900), points=st.integers(1, 600))
def test_hours_are_kept_and_points_are_of_the_year(seed: int, size: int, points: int) -> None:
    exact = some(seed, size)
    few = exact.condensed(points)
    assert few.hours.size <= max(1, min(points, size))
    assert few.total_hours == pytest.approx(exact.total_hours, rel=1e-12)
    states = set(zip(exact.drybulb_c, exact.rh_fraction, exact.pressure_pa, exact.hour, strict=True))  # type: ignore[arg-type]
    assert states >= set(zip(few.drybulb_c, few.rh_fraction, few.pressure_pa, few.hour, strict=True))  # type: ignore[arg-type]
    again = exact.condensed(points)
    assert np.array_equal(few.drybulb_c, again.drybulb_c)
    assert np.array_equal(few.hours, again.hours)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10_000), size=st.integers(200, 3000), points=st.integers(100, 600))
def test_a_mean_is_kept(seed: int, size: int, points: int) -> None:
    exact = some(seed, size)
    few = exact.condensed(points)
    assert few.mean(few.drybulb_c) == pytest.approx(exact.mean(exact.drybulb_c), abs=1e-9)
    assert exact.hour is not None
    load = 0.5 + exact.hour / 48.0
    few = exact.condensed(points, keep=load)
    assert few.hour is not None
    assert few.mean(0.5 + few.hour / 48.0) == pytest.approx(exact.mean(load), rel=1e-12)


def test_pieces_are_those_of_a_plain_loop() -> None:
    """Ranks by sorting pairs, hours added one by one along the curve."""
    exact = some(3, 400)
    few = exact.condensed(40)
    curve = _curve()
    rows = range(exact.hours.size)
    total = float(exact.hours.sum())
    cells = []
    pairs = list(zip(exact.drybulb_c.tolist(), exact.rh_fraction.tolist(), strict=True))
    for step in (1, -1):
        before, cell = 0.0, {}
        for _, row in sorted((pairs[row][::step], row) for row in rows):
            cell[row] = int((before + exact.hours[row] / 2) / total * len(curve))
            before += exact.hours[row]
        cells.append(cell)
    wanted, before = [], 0.0
    for row in sorted(rows, key=lambda row: int(curve[cells[0][row], cells[1][row]])):
        after = before + float(exact.hours[row])
        wanted += [row for piece in range(40) if before < (piece + 0.5) * total / 40 <= after]
        before = after
    assert np.array_equal(few.drybulb_c, exact.drybulb_c[list(dict.fromkeys(wanted))])


def test_the_curve_steps_to_neighbours() -> None:
    side = 2**_CURVE_LEVELS
    place = np.argsort(_curve().ravel(), kind="stable")
    assert np.array_equal(np.sort(_curve().ravel()), np.arange(side * side))
    steps = np.abs(np.diff(place // side)) + np.abs(np.diff(place % side))
    assert np.all(steps == 1)


def test_a_few_points_stay_as_they_are() -> None:
    exact = some(1, 20)
    assert exact.condensed(20) is exact
    one = exact.condensed(1)
    assert one.hours.size == 1
    assert one.total_hours == pytest.approx(exact.total_hours, rel=1e-15)
    three = (np.array([20.0, 25.0, 30.0]), np.full(3, 0.5), np.full(3, 1e5))
    assert Weather(*three, np.array([1.0, 8000.0, 1.0])).condensed(2).drybulb_c.tolist() == [25.0]
    # A point of no weight to speak of, at the end of the ranks, does not fall off the curve.
    assert Weather(*three, np.array([1.0, 1.0, 1e-300])).condensed(2).total_hours == 2.0
    with pytest.raises(ValueError, match="1 or more"):
        exact.condensed(0)
    with pytest.raises(ValueError, match="as long as"):
        exact.condensed(5, keep=np.ones(3))


def test_load_by_the_hour_of_the_day() -> None:
    """States keep their hour, so that load is looked up at them; energy is kept and PUE is that of all hours."""
    exact = hourly_year(find_weather(catalog(), "ashburn-va").monthly, 1)
    assert exact.hour is not None
    fractions = np.where((np.arange(24) > 7) & (np.arange(24) < 20), 1.0, 0.4)
    load = fractions[exact.hour]
    few = exact.condensed(500, keep=load)
    assert few.hour is not None
    assert float(few.hours @ fractions[few.hour]) == pytest.approx(float(exact.hours @ load), rel=1e-12)
    for system in AIR_SIDE:
        p, made = medians(system), shipped(system).system
        all_hours, found = year(made, p, exact, load), year(made, p, few, fractions[few.hour])
        assert float(found.pue) == pytest.approx(float(all_hours.pue), abs=0.012)
        assert float(found.wue) == pytest.approx(float(all_hours.wue), abs=0.072)


@pytest.mark.parametrize("system", SYSTEMS)
def test_made_hours(root: Path, system: str) -> None:
    made = shipped(system).system
    size = "hyperscale" if system.startswith("hyperscale") else "midsize"
    if made.liquid != "none":
        row = "direct to chip, hybrid, immersion"
    elif made.air.economiser == "none" or made.air.rejection == "sea":
        row = "chillers without an economiser"
    else:
        article = "an air" if made.air.economiser == "air" else "a water"
        row = f"{size} with {article}-side economiser"
    assert np.all(worst(system, "made", YEARS) <= stated(root)[row])
