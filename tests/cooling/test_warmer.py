"""Wet bulbs of many warmings between nodes, against each computed by itself; quantiles of years by a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.climates import find_weather
from aiplan.planners.cooling.equipment import Outdoor
from aiplan.planners.cooling.warmer import Warmer
from aiplan.planners.cooling.weather import Weather, weighted_quantile
from tests.cooling.systems import catalog

STEADY = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def any_air(seed: int, size: int = 400) -> Weather:
    """Air of every kind, much of it saturated, where the dew point cannot rise above the dry bulb."""
    rng = np.random.Generator(np.random.PCG64(seed))
    rh = np.minimum(rng.uniform(0.0, 1.3, size), 1.0)
    return Weather(rng.uniform(-60, 48, size), rh, rng.uniform(6e4, 1.05e5, size), np.ones(size))


def directly(weather: Weather, kelvin: float, share: float) -> tuple[Array, Array]:
    """Wet bulb and humidity ratio by moving dry bulb and dew point."""
    t = weather.drybulb_c + kelvin
    dew = np.minimum(weather.dewpoint_c + share * kelvin, t)
    rh = np.minimum(air.saturation_pressure_pa(dew) / air.saturation_pressure_pa(t), 1.0)
    p = weather.pressure_pa
    return air.wet_bulb_c(t, rh, p), air.humidity_ratio(dew, 1.0, p)


@STEADY
@given(
    seed=st.integers(0, 1000),
    warmings=st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=8),
    share=st.floats(0.0, 1.0),
)
def test_wet_bulbs_between_nodes(seed: int, warmings: list[float], share: float) -> None:
    weather = any_air(seed)
    kelvin = np.array(warmings)[:, None]
    found = Warmer(weather, kelvin, share).at(kelvin)
    for row, one in enumerate(warmings):
        wet, moisture = directly(weather, one, share)
        assert np.allclose(found.wetbulb_c[row], wet, rtol=0.0, atol=1e-6)
        assert np.allclose(found.humidity_ratio[row], moisture, rtol=1e-12)
        assert np.all(found.wetbulb_c[row] <= found.drybulb_c[row])


def test_a_draw_does_not_depend_on_the_others() -> None:
    weather = any_air(1)
    kelvin = np.random.Generator(np.random.PCG64(0)).normal(0.0, 0.7, (50, 1))
    together = Warmer(weather, kelvin, 0.5).at(kelvin).wetbulb_c
    alone = Warmer(weather, kelvin[7:8], 0.5).at(kelvin[7:8]).wetbulb_c
    assert np.allclose(together[7], alone[0], rtol=0.0, atol=1e-11)
    assert Warmer(weather, 0.3, 0.5).at(0.3).wetbulb_c.shape == weather.drybulb_c.shape


def test_no_warming_is_the_weather_itself() -> None:
    weather = find_weather(catalog(), "ashburn-va").weather.condensed(300)
    found, plain = Warmer(weather, 0.0, 0.53).at(0.0), Outdoor.of(weather)
    for name in ("drybulb_c", "wetbulb_c", "humidity_ratio", "enthalpy", "density", "pressure_pa"):
        assert np.allclose(getattr(found, name), getattr(plain, name), rtol=1e-9, atol=1e-9)


def test_only_what_is_asked_is_computed() -> None:
    weather = any_air(2)
    outdoor = Outdoor.of(weather)
    assert outdoor.density.shape == weather.drybulb_c.shape
    assert "wetbulb_c" not in vars(weather)
    assert outdoor.wetbulb_c is weather.wetbulb_c


@STEADY
@given(
    values=st.lists(st.tuples(st.integers(0, 5), st.floats(0.01, 50.0)), min_size=1, max_size=60),
    share=st.floats(0.01, 1.0),
)
def test_quantile_of_a_year_by_a_plain_loop(values: list[tuple[int, float]], share: float) -> None:
    total = sum(hours for _, hours in values)
    wanted, reached = 0.0, 0.0
    for value, hours in sorted(values):
        wanted, reached = float(value), reached + hours
        if reached >= share * total * (1.0 - 1e-9):
            break
    numbers, weights = np.array(values).T
    both = weighted_quantile(np.stack([numbers, numbers[::-1]]), weights, share)
    assert both[0] == pytest.approx(wanted)
    assert weighted_quantile(numbers[::-1], weights[::-1], share) == pytest.approx(wanted)
