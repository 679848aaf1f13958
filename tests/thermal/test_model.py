"""Temperatures, power and air of a hall: definitions, plausibility, sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.hall import NOWHERE, equal_hall
from aiplan.planners.thermal.model import (
    air_rise_k,
    airflow_cfm,
    aisle_airflow_cfm,
    gpu_temperature_c,
    hottest_c,
    inlet_c,
    inlet_curve_c,
    recirculation_c,
    row_power_w,
    server_power_w,
    sum_by,
)

HALL = equal_hall(4, 3, 2, 20_000.0, 840.0)


def test_inlet_curve_at_the_default_knots() -> None:
    found = inlet_curve_c([10.0, 20.0, 25.0, 35.0], HALL.inlet_base_c, HALL.inlet_knots_c, HALL.inlet_slopes)
    assert found == pytest.approx([18.0, 21.0, 24.0, 27.0], abs=1e-9)


def test_gpu_at_25_c_and_400_w() -> None:
    assert gpu_temperature_c(HALL, 25.0, 400.0) == pytest.approx(72.0, abs=1e-9)


@pytest.mark.parametrize(("power_w", "cfm", "rise"), [(6500.0, 840.0, 13.6), (10_200.0, 1105.0, 16.2)])
def test_air_rise(power_w: float, cfm: float, rise: float) -> None:
    assert air_rise_k(power_w, cfm) == pytest.approx(rise, abs=0.1)


def test_load_of_the_hall_warms_all_inlets_alike() -> None:
    spread = inlet_c(HALL, 20.0, 1.0) - inlet_c(HALL, 20.0, 0.0)
    assert spread == pytest.approx(np.full(HALL.slots, 2.0))


def test_recirculation_starts_where_supply_ends() -> None:
    supply = HALL.aisle_airflow_cfm
    assert recirculation_c(HALL, supply) == pytest.approx([0.0, 0.0])
    assert recirculation_c(HALL, 1.1 * supply) == pytest.approx([2.0, 2.0])
    assert recirculation_c(HALL, supply, 0.8 * supply) == pytest.approx([5.0, 5.0])


def test_a_bent_power_curve_keeps_its_ends() -> None:
    bent = equal_hall(1, 1, 1, 1.0, 1.0, curve_load=(0.0, 0.5, 1.0), curve_share=(0.0, 0.8, 1.0))
    assert server_power_w(bent, [0.0, 0.25, 1.0]) == pytest.approx([1600.0, 1600.0 + 0.4 * 4900.0, 6500.0])


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(-1, 11), st.floats(0.0, 1.0)), min_size=1, max_size=30))
def test_rows_and_aisles_add_up(placed: list[tuple[int, float]]) -> None:
    slots = np.array([slot for slot, _ in placed])
    load = np.array([share for _, share in placed])
    here = slots != NOWHERE
    power = server_power_w(HALL, load)
    expected = [sum(power[here & (HALL.row[slots] == row)]) for row in range(HALL.rows)]
    assert row_power_w(HALL, slots, load) == pytest.approx(expected)
    assert aisle_airflow_cfm(HALL, slots, load).sum() == pytest.approx(airflow_cfm(HALL, load)[here].sum())


def test_sums_of_no_entries_are_zero() -> None:
    assert sum_by(np.array([-1, -1]), np.ones((3, 2)), 2).tolist() == [[0.0, 0.0]] * 3


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(-20.0, 45.0), st.floats(0.0, 5.0))
def test_hotter_where_more_is_asked_of_it(load: float, more: float, outside: float, warmer: float) -> None:
    slots = np.array([0])
    cool = hottest_c(HALL, slots, [load], outside, 0.5)
    assert hottest_c(HALL, slots, [max(load, more)], outside, 0.5) >= cool
    assert hottest_c(HALL, slots, [load], outside + warmer, 0.5) >= cool
