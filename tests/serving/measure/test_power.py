"""Means over a window, which method is used when, and the thread that samples."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.serving.measure.power import (
    MIN_WINDOW_S,
    PowerMeter,
    PowerReading,
    mean_over_window,
    read_window,
)

gaps = st.lists(st.floats(0.01, 3.0), min_size=1, max_size=30)


@given(gaps, st.floats(0.0, 1000.0), st.floats(-1.0, 10.0), st.floats(0.1, 20.0))
def test_a_constant_is_its_own_mean(steps: list[float], watts: float, start: float, length: float) -> None:
    times = np.cumsum(steps)
    mean = mean_over_window(times, np.full(len(times), watts), start, start + length)
    assert mean == pytest.approx(watts, rel=1e-9, abs=1e-9)


@given(gaps, st.floats(-50.0, 50.0), st.floats(0.0, 500.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_ramp_has_the_mean_of_its_ends(
    steps: list[float], slope: float, base: float, one: float, other: float
) -> None:
    """Exact for irregular samples: the trapezoidal rule of a straight line, cut anywhere between samples."""
    times = np.concatenate(([0.0], np.cumsum(steps)))
    start, end = sorted((one * times[-1], other * times[-1]))
    if end - start < 1e-6:
        return
    want = base + slope * (start + end) / 2
    assert mean_over_window(times, base + slope * times, start, end) == pytest.approx(want, rel=1e-6, abs=1e-6)


def test_irregular_samples_are_weighted_by_time() -> None:
    # 100 W for 9 s and 300 W for 1 s, the step between two samples 1 ms apart: 120 W, where a plain mean says 220 W.
    times = [0.0, 9.0, 9.001, 9.25, 9.5, 10.0]
    watts = [100.0, 100.0, 300.0, 300.0, 300.0, 300.0]
    assert mean_over_window(times, watts, 0.0, 10.0) == pytest.approx(120.0, abs=0.02)
    assert np.mean(watts) > 200


def test_level_beyond_the_samples() -> None:
    assert mean_over_window([1.0, 2.0], [100.0, 200.0], 0.0, 3.0) == pytest.approx((100 + 150 + 200) / 3)


@pytest.mark.parametrize(
    ("times", "watts", "window"),
    [([], [], (0, 1)), ([0, 0], [1, 1], (0, 1)), ([0, 1], [1], (0, 1)), ([0, 1], [1, 1], (1, 1))],
)
def test_samples_that_are_none(times: list[float], watts: list[float], window: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"samples|times|window"):
        mean_over_window(times, watts, *window)


SAMPLES = [(0.5, 90.0, 1000.0), (1.0, 110.0, 2000.0), (1.5, 110.0, None)]


def test_the_counter_comes_before_samples() -> None:
    assert read_window((0.0, 50.0), (2.0, 450.0), list(SAMPLES)) == PowerReading(200.0, "energy-counter", 1500.0)


@pytest.mark.parametrize("counters", [(None, None), (50.0, None), (50.0, 50.0)])
def test_samples_where_the_counter_is_missing_or_stands(counters: tuple[float | None, float | None]) -> None:
    # Level to 0.5 s, up to 110 W at 1 s, level to 2 s: 45 + 50 + 110 J.
    reading = read_window((0.0, counters[0]), (2.0, counters[1]), list(SAMPLES))
    assert reading == PowerReading(pytest.approx(102.5), "samples", 1500.0)  # type: ignore[arg-type]


def test_no_power_of_a_short_window_or_a_silent_driver() -> None:
    assert read_window((0.0, 0.0), (MIN_WINDOW_S * 0.9, 500.0), []) == PowerReading(None, "")
    assert read_window((0.0, None), (2.0, None), [(1.0, None, None)]) == PowerReading(None, "")


class Kettle:
    """Draws 250 W, and counts its energy if it has a counter."""

    def __init__(self, *, counts: bool) -> None:
        self._counts, self.asked = counts, 0

    def power_w(self) -> float | None:
        self.asked += 1
        return 250.0

    def energy_j(self) -> float | None:
        return 250.0 * time.perf_counter() if self._counts else None

    def sm_clock_mhz(self) -> float | None:
        return 1200.0


@pytest.mark.parametrize("counts", [True, False])
def test_the_meter_watches_from_entering_to_leaving(counts: bool) -> None:
    sensor = Kettle(counts=counts)
    with PowerMeter(sensor, interval_s=0.01) as meter:
        time.sleep(MIN_WINDOW_S + 0.05)
    asked = sensor.asked
    time.sleep(0.05)
    assert sensor.asked == asked  # the thread has ended
    assert asked >= 10
    assert meter.reading.power_w == pytest.approx(250.0, rel=0.01)
    assert meter.reading.method == ("energy-counter" if counts else "samples")
    assert meter.reading.sm_clock_mhz == 1200.0


def test_the_meter_ends_with_the_error_that_ends_the_run() -> None:
    sensor = Kettle(counts=False)
    with pytest.raises(MemoryError), PowerMeter(sensor, interval_s=0.01):
        raise MemoryError
    time.sleep(0.03)
    asked = sensor.asked
    time.sleep(0.05)
    assert sensor.asked == asked
