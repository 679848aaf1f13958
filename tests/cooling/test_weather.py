"""A year of outdoor air: what it refuses, and what shifting keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.cooling.weather import Weather
from tests.cooling.years import hours_where


def some(seed: int = 1, size: int = 2000) -> Weather:
    """Air of every kind with unequal weights."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return Weather(
        rng.uniform(-25, 45, size),
        rng.uniform(0.05, 1, size),
        rng.uniform(8e4, 1.03e5, size),
        rng.uniform(0.5, 9, size),
    )


GOOD: dict[str, Any] = {"drybulb_c": [20.0], "rh_fraction": [0.5], "pressure_pa": [1e5], "hours": [1.0]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"drybulb_c": [61.0]}, "-80 to 60"),
        ({"drybulb_c": [np.nan]}, "finite"),
        ({"rh_fraction": [1.01]}, "0 to 1"),
        ({"rh_fraction": [-0.01]}, "0 to 1"),
        ({"pressure_pa": [1013.0]}, "40 to 110 kPa"),
        ({"hours": [0.0]}, "more than 0"),
        ({"hours": [1.0, 2.0]}, "as long as drybulb_c"),
        ({"drybulb_c": []}, "one row of numbers"),
        ({"drybulb_c": [[20.0]]}, "one row of numbers"),
        ({"month": [13]}, "1 to 12"),
        ({"hour": [24]}, "0 to 23"),
        ({"hour": [1, 2]}, "as long as drybulb_c"),
    ],
)
def test_impossible_air_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Weather(**{**GOOD, **wrong})


def test_arrays_are_its_own_and_stay() -> None:
    given_ = np.array([20.0])
    weather = Weather(given_, np.array([0.5]), np.array([1e5]), np.array([1.0]))
    given_[0] = 99.0
    assert weather.drybulb_c[0] == 20.0
    with pytest.raises(ValueError, match="read-only"):
        weather.drybulb_c[0] = 1.0


def test_a_shift_of_nothing_changes_nothing() -> None:
    year = some(4)
    same = year.shifted(0.0, 0.0)
    assert np.allclose(same.rh_fraction, year.rh_fraction, rtol=1e-10)
    assert np.array_equal(same.drybulb_c, year.drybulb_c)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(dry=st.floats(0.0, 5.0), dew=st.floats(-3.0, 8.0))
def test_a_shift_moves_dry_bulb_and_dew_point(dry: float, dew: float) -> None:
    year = some(5, 300)
    moved = year.shifted(dry, dew)
    wanted: Array = np.minimum(year.dewpoint_c + dew, year.drybulb_c + dry)
    assert np.allclose(moved.drybulb_c, year.drybulb_c + dry)
    assert np.allclose(moved.dewpoint_c, wanted, atol=1e-6)
    assert np.array_equal(moved.hours, year.hours)


def test_quantile_and_hours_against_the_definition() -> None:
    year = some(6, 300)
    values = year.drybulb_c
    for share in (0.004, 0.25, 0.5, 0.996, 1.0):
        found = year.quantile(values, share)
        assert hours_where(year, values <= found) >= share * year.total_hours * (1 - 1e-9)
        assert hours_where(year, values < found) < share * year.total_hours
    assert hours_where(year, values > 1000.0) == 0.0
