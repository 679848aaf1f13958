"""Ramps and ranges against closed forms and a plain loop."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.ramps import ramp, ranges

POWERS = st.lists(st.floats(0, 1e9), min_size=2, max_size=60).map(np.array)


def test_a_straight_rise_has_its_slope_over_every_window() -> None:
    power = 3.0e6 * np.arange(2_000) * 0.02
    for window in (0.02, 0.05, 1.0, 1.2345, 10.0):
        assert ramp(power, 0.02, window) == pytest.approx(3.0e6, rel=1e-9)


def test_a_jump_of_dp_ramps_by_dp_over_the_window() -> None:
    """Reference power-stabilisation, section 6: 96 MW at once is 96 MW/s over 1 s, 1.6 MW/s over 60 s."""
    power = np.where(np.arange(6_000) < 3_000, 53e6, 149e6)
    assert ramp(power, 0.02, 1.0).max() == pytest.approx(96e6)
    assert ramp(power, 0.02, 60.0).max() == pytest.approx(1.6e6)
    assert ramp(power, 0.02, 1.0).min() == 0.0


@settings(deadline=None)
@given(POWERS, st.integers(1, 20), st.floats(0, 0.99))
def test_ramps_against_a_loop(power: Array, whole: int, part: float) -> None:
    window = (whole + part) * 0.5
    times = np.arange(power.size) * 0.5
    got = ramp(power, 0.5, window)
    expected = [
        (np.interp(t + window, times, power) - p) / window
        for t, p in zip(times, power, strict=True)
        if t + window <= times[-1] * (1 + 1e-9)
    ]
    assert got.size == len(expected)
    assert got == pytest.approx(np.array(expected), rel=1e-6, abs=1.0)


@settings(deadline=None)
@given(POWERS, st.integers(1, 70))
def test_ranges_against_a_loop(power: Array, steps: int) -> None:
    got = ranges(power, 0.02, steps * 0.02)
    expected = [np.ptp(power[i : i + steps + 1]) for i in range(power.size - steps)]
    assert got.tolist() == expected


@settings(deadline=None)
@given(POWERS, st.integers(1, 30))
def test_a_range_is_never_below_the_ramp_of_its_window(power: Array, steps: int) -> None:
    window = steps * 0.1
    steepest = np.abs(ramp(power, 0.1, window)) * window
    assert np.all(ranges(power, 0.1, window) >= steepest * (1 - 1e-9))


def test_a_window_that_is_a_whole_number_but_for_rounding_is_that_number() -> None:
    power = np.arange(100.0) ** 2
    assert ramp(power, 0.1, 0.3).tolist() == pytest.approx(((power[3:] - power[:-3]) / 0.3).tolist())
    assert ranges(power, 0.1, 0.3).size == 97


@pytest.mark.parametrize("metric", [ramp, ranges])
def test_a_window_below_the_step_is_refused(metric: object) -> None:
    assert callable(metric)
    with pytest.raises(ValueError, match="shorter than the step"):
        metric(np.ones(10), 2.0, 1.0)


@pytest.mark.parametrize("metric", [ramp, ranges])
def test_a_record_shorter_than_the_window_has_none(metric: object) -> None:
    assert callable(metric)
    assert metric(np.ones(10), 1.0, 10.0).size == 0
    assert metric(np.ones(10), 1.0, 9.0).size == 1
    assert metric(np.ones(1), 1.0, 1.5).size == 0


@pytest.mark.parametrize("window_s", [1.0, 60.0, 599.0])
def test_memory_and_time_do_not_grow_with_the_window(window_s: float) -> None:
    """30,000 values of 240 kB: a table of windows would take 30,000 times as much."""
    power = np.random.default_rng(0).normal(size=30_000)
    ramp(power, 0.02, window_s), ranges(power, 0.02, window_s)
    tracemalloc.start()
    ramp(power, 0.02, window_s), ranges(power, 0.02, window_s)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * power.nbytes
    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        ramp(power, 0.02, window_s), ranges(power, 0.02, window_s)
        spent.append(time.perf_counter() - begin)
    assert min(spent) < 0.02


@settings(max_examples=20, deadline=None)
@given(POWERS, st.floats(0.001, 1000))
def test_ramps_scale_with_power(power: Array, factor: float) -> None:
    assert ramp(power * factor, 1.0, 1.0) == pytest.approx(ramp(power, 1.0, 1.0) * factor, rel=1e-9, abs=1e-3)
