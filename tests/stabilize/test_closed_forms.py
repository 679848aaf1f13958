"""Closed forms of a wave of two levels: printed values, and the same by summing the wave numerically."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.stabilize import closed_forms as forms

# Section 6 of the reference: 100,000 accelerators of 1,200 W, 0.95 and 0.35 of TDP, 350 W around each, 1.6 s and 0.4 s.
TDP, CONSTANT, HIGH, LOW = 120e6, 35e6, 114e6, 42e6
DUTY, PERIOD = 0.8, 2.0
STEPS = 50_000

highs = st.floats(1e3, 1e9)
shares = st.floats(0.0, 1.0)
duties = st.floats(0.02, 0.98)
periods = st.floats(0.05, 60.0)


def wave(high: float, low: float, duty: float) -> np.ndarray:
    """One period, cell averages, so that an edge within a cell is counted exactly."""
    edges = np.linspace(0.0, 1.0, STEPS + 1)
    return low + (high - low) * np.diff(np.minimum(edges, duty)) * STEPS


@pytest.mark.parametrize(("order", "line", "tolerance"), [(1, 22.452, 1e-3), (2, 18.164, 2e-3), (3, 12.109, 3e-2)])
def test_lines_of_a_square_wave(order: int, line: float, tolerance: float) -> None:
    """Check 1 of the reference: 100 and 40 MW, duty 0.8; MW as printed, tolerances as stated."""
    assert float(forms.line_amplitude_w(100.0, 40.0, 0.8, order)) == pytest.approx(line, rel=tolerance)
    assert float(forms.line_amplitude_w(100.0, 40.0, 0.8, order)) == pytest.approx(line, abs=5e-4)


def test_rms_of_a_square_wave() -> None:
    """Check 2: 24.00 MW."""
    assert float(forms.ac_rms_w(100.0, 40.0, 0.8)) == pytest.approx(24.0, rel=1e-12)


@pytest.mark.parametrize(("duty", "period"), [(0.5, 0.37), (0.8, 0.58)])
def test_supply_level_storage_flattens_short_periods_only(duty: float, period: float) -> None:
    """Check 10: 65 J per accelerator and 700 W; 1 %."""
    assert float(forms.longest_flat_period_s(65.0, 700.0, duty)) == pytest.approx(period, rel=1e-2)


def test_ramps_worked_in_the_reference() -> None:
    """Section 5: 96 MW at 10 MW/s and at 10 MW/min."""
    assert float(forms.ramp_storage_j(96e6, 10e6)) / 1e6 == pytest.approx(461, rel=1e-3)
    assert float(forms.ramp_storage_j(96e6, 10e6)) / 3.6e9 == pytest.approx(0.13, abs=0.005)
    slow = float(forms.ramp_storage_j(96e6, 10e6 / 60))
    assert (slow / 1e9, slow / 3.6e9) == (pytest.approx(27.6, abs=0.05), pytest.approx(7.7, abs=0.05))
    assert float(forms.ramp_duration_s(96e6, 10e6 / 60)) == pytest.approx(576)


@pytest.mark.parametrize(
    ("floor", "swing", "converter", "storage", "cycles", "energy"),
    [
        (0.0, 72.0, 57.6, 23.0, 101e3, 0.0),
        (0.50, 54.0, 43.2, 17.3, 76e3, 0.023),
        (0.65, 36.0, 28.8, 11.5, 50e3, 0.048),
        (0.80, 18.0, 14.4, 5.8, 25e3, 0.076),
        (0.90, 6.0, 4.8, 1.9, 8.4e3, 0.096),
    ],
)
def test_split_between_floor_and_storage(
    floor: float, swing: float, converter: float, storage: float, cycles: float, energy: float
) -> None:
    """Check 16, table 6.1: 1 % or half of the last printed digit; energy, which was simulated with lag, 0.6 pp."""
    floor_w = floor * TDP
    left = float(forms.residual_swing_w(HIGH, LOW, floor_w))
    assert left / 1e6 == pytest.approx(swing, rel=1e-2)
    assert float(forms.converter_power_w(left, DUTY)) / 1e6 == pytest.approx(converter, rel=1e-2)
    assert float(forms.iteration_storage_j(left, DUTY, PERIOD)) / 1e6 == pytest.approx(storage, rel=1e-2, abs=0.05)
    assert float(forms.full_cycles_per_year(left, DUTY, 3.6e9)) == pytest.approx(cycles, rel=1e-2)
    on_top = floor_w + CONSTANT
    overhead = float(forms.floor_overhead_fraction(HIGH + CONSTANT, LOW + CONSTANT, DUTY, max(on_top, CONSTANT)))
    assert overhead == pytest.approx(energy, abs=6e-3)


def test_figures_in_the_text_of_the_reference() -> None:
    """Steady mean 134.6 MW, 9.8 % at a floor of 0.9 and 10.7 % at most (6); 11.5 MW, 96 GWh, 172,000 cycles (8)."""
    high, low = HIGH + CONSTANT, LOW + CONSTANT
    assert float(forms.mean_power_w(high, low, DUTY)) / 1e6 == pytest.approx(134.6)
    assert float(forms.floor_overhead_fraction(high, low, DUTY, 0.9 * TDP + CONSTANT)) == pytest.approx(0.098, abs=5e-4)
    assert float(forms.largest_overhead_fraction(high, low, DUTY)) == pytest.approx(0.107, abs=5e-4)
    given_w = float(forms.mean_discharge_w(72e6, DUTY))
    assert given_w / 1e6 == pytest.approx(11.5, abs=0.05)
    assert given_w * 8760 * 0.95 / 1e9 == pytest.approx(96, abs=0.5)
    cycles = float(forms.full_cycles_per_year(72e6, DUTY, 2e9, 0.95))  # 20 kJ for each accelerator, 0.56 MWh
    assert cycles == pytest.approx(172_000, rel=1e-2)


@given(highs, shares, duties)
def test_moments_and_lines_by_numerical_integration(high: float, share: float, duty: float) -> None:
    low = share * high
    power = wave(high, low, duty)
    mean = float(power.mean())
    assert float(forms.mean_power_w(high, low, duty)) == pytest.approx(mean, rel=1e-9)
    rms = math.sqrt(float(np.mean((power - mean) ** 2)))
    assert float(forms.ac_rms_w(high, low, duty)) == pytest.approx(rms, rel=5e-3, abs=1e-6 * high)
    phase = (np.arange(STEPS) + 0.5) / STEPS
    for order in (1, 2, 3, 7):
        line = 2.0 * abs(complex(np.mean(power * np.exp(-2j * np.pi * order * phase))))
        assert float(forms.line_amplitude_w(high, low, duty, order)) == pytest.approx(line, rel=5e-3, abs=1e-6 * high)


@given(highs, shares, duties)
def test_lines_hold_all_of_the_energy(high: float, share: float, duty: float) -> None:
    """Parseval: half the squares of all lines are the square of the RMS."""
    lines = forms.line_amplitude_w(high, share * high, duty, np.arange(1, 200_001))
    rms = float(forms.ac_rms_w(high, share * high, duty))
    assert math.sqrt(float(np.sum(lines**2)) / 2.0) == pytest.approx(rms, rel=5e-3)


@given(highs, shares, shares, duties)
def test_floor_by_numerical_integration(high: float, share: float, floor: float, duty: float) -> None:
    low, floor_w = share * high, floor * high
    before = wave(high, low, duty)
    after = np.maximum(before, floor_w)
    overhead = float(after.sum() / before.sum() - 1.0)
    assert float(forms.floor_overhead_fraction(high, low, duty, floor_w)) == pytest.approx(overhead, rel=5e-3, abs=1e-9)
    assert float(forms.residual_swing_w(high, low, floor_w)) == pytest.approx(float(np.ptp(after)), abs=1e-9 * high)
    most = float(forms.largest_overhead_fraction(high, low, duty))
    assert float(forms.floor_overhead_fraction(high, low, duty, floor_w)) <= most * (1 + 1e-12)


@given(highs, shares, shares, duties, periods, st.floats(1e-3, 1e3))
def test_slow_ramp_down_by_numerical_integration(
    high: float, share: float, floor: float, duty: float, period: float, steepness: float
) -> None:
    low, floor_w, rest = share * high, floor * high, (1.0 - duty) * period
    rate = steepness * high / period
    time = (np.arange(STEPS) + 0.5) / STEPS * rest
    power = np.maximum(high - rate * time, max(floor_w, low))
    added = float(np.mean(power - low)) * (1.0 - duty)
    mean = duty * high + (1.0 - duty) * low
    found = float(forms.ramped_overhead_fraction(high, low, duty, floor_w, rate, rest))
    assert found == pytest.approx(added / mean, rel=5e-3, abs=1e-6)
    lowest = max(high - rate * rest, floor_w, low)
    assert float(forms.effective_low_w(high, low, floor_w, rate, rest)) == pytest.approx(lowest, rel=1e-12)
    plain = float(forms.floor_overhead_fraction(high, low, duty, floor_w))
    assert plain * (1 - 1e-9) - 1e-12 <= found <= float(forms.largest_overhead_fraction(high, low, duty)) * (1 + 1e-9)


def test_with_a_slow_ramp_the_floor_does_not_matter_and_without_one_nothing_else_does() -> None:
    floors = np.array([0.0, 0.5, 0.65, 0.8, 0.9]) * TDP
    slow = forms.ramped_overhead_fraction(HIGH, LOW, DUTY, floors, 10e6, 0.4)
    assert np.ptp(slow) < 1e-12
    assert np.all(forms.effective_low_w(HIGH, LOW, floors, 10e6, 0.4) == 110e6)
    sudden = forms.ramped_overhead_fraction(HIGH, LOW, DUTY, floors, np.inf, 0.4)
    assert sudden == pytest.approx(forms.floor_overhead_fraction(HIGH, LOW, DUTY, floors), rel=1e-12)


@given(highs, shares, duties, periods)
def test_flat_storage_by_numerical_integration(high: float, share: float, duty: float, period: float) -> None:
    power = wave(high, share * high, duty)
    beyond = power - power.mean()
    state = np.concatenate([[0.0], np.cumsum(beyond)]) * period / STEPS
    swing = high - share * high
    near = 1e-6 * high
    assert float(forms.iteration_storage_j(swing, duty, period)) == pytest.approx(np.ptp(state), rel=5e-3, abs=near)
    assert float(forms.converter_power_w(swing, duty)) == pytest.approx(np.abs(beyond).max(), rel=5e-3, abs=near)
    discharge = float(np.maximum(beyond, 0.0).mean())
    assert float(forms.mean_discharge_w(swing, duty)) == pytest.approx(discharge, rel=5e-3, abs=near)
    if swing > near:
        energy = float(np.ptp(state))
        assert float(forms.longest_flat_period_s(energy, swing, duty)) == pytest.approx(period, rel=5e-3)
        cycles = discharge * 8760 * 3600 / energy
        assert float(forms.full_cycles_per_year(swing, duty, energy)) == pytest.approx(cycles, rel=5e-3)


@given(st.floats(1e3, 1e9), st.floats(1e-3, 1e3))
def test_ramp_storage_by_numerical_integration(swing: float, duration: float) -> None:
    ramp = swing / duration
    time = (np.arange(10_000) + 0.5) / 10_000 * duration
    energy = float(np.mean(swing - ramp * time)) * duration
    assert float(forms.ramp_storage_j(swing, ramp)) == pytest.approx(energy, rel=5e-3)
    assert float(forms.ramp_duration_s(swing, ramp)) == pytest.approx(duration)


@given(st.floats(1.0, 1e3), st.floats(0.01, 30.0), st.floats(0.01, 30.0))
def test_half_of_the_energy_is_enough_for_a_step(swing: float, constant: float, duration: float) -> None:
    """A filtered and ramped set-point after a step, in small steps: never more than half, and not much less."""
    ramp = swing / duration
    steps = 20_000
    step = 12.0 * (constant + duration) / steps
    target = swing * (1.0 - np.exp(-np.arange(1, steps + 1) * step / constant))
    set_point, energy = 0.0, 0.0
    for wanted in target.tolist():
        set_point = min(wanted, set_point + ramp * step)
        energy += (swing - set_point) * step
    half = float(forms.unsaturated_storage_j(swing, ramp, constant)) / 2.0
    assert energy <= half * (1 + 5e-3)
    assert energy >= 0.5 * half


def test_without_a_ramp_limit_the_filter_alone_counts() -> None:
    assert float(forms.unsaturated_storage_j(10.0, np.inf, 3.0)) == 60.0


def test_checkpoint_held_flat() -> None:
    """Base case of the reference: 8 s at 0.20 TDP, 59 MW with what is around, below a mean of 134.6 MW."""
    assert float(forms.checkpoint_storage_j(134.6e6, 0.2 * TDP + CONSTANT, 8.0)) / 1e6 == pytest.approx(604.8)


def test_arrays_broadcast() -> None:
    floors = np.array([50.0, 60.0, 70.0])
    duties_ = np.array([[0.5], [0.8]])
    overhead = forms.floor_overhead_fraction(100.0, 40.0, duties_, floors)
    assert overhead.shape == (2, 3)
    assert overhead[1, 2] == float(forms.floor_overhead_fraction(100.0, 40.0, 0.8, 70.0))
    assert forms.longest_flat_period_s(np.array([65.0, 0.0]), 700.0, duties_).shape == (2, 2)


def test_what_is_flat_already_stays_flat() -> None:
    assert float(forms.longest_flat_period_s(65.0, 0.0, 0.5)) == np.inf
    assert float(forms.longest_flat_period_s(65.0, 700.0, 1.0)) == np.inf
    assert float(forms.ac_rms_w(5.0, 5.0, 0.5)) == 0.0
    assert float(forms.floor_overhead_fraction(5.0, 3.0, 1.0, 4.0)) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: forms.mean_power_w(1.0, 2.0, 0.5), "levels"),
        (lambda: forms.mean_power_w(1.0, -1.0, 0.5), "levels"),
        (lambda: forms.mean_power_w(math.inf, 1.0, 0.5), "levels"),
        (lambda: forms.mean_power_w(math.nan, 1.0, 0.5), "levels"),
        (lambda: forms.mean_power_w(2.0, 1.0, 1.01), "duty_fraction"),
        (lambda: forms.mean_power_w(2.0, 1.0, math.nan), "duty_fraction"),
        (lambda: forms.line_amplitude_w(2.0, 1.0, 0.5, 0), "harmonic"),
        (lambda: forms.line_amplitude_w(2.0, 1.0, 0.5, 1.5), "harmonic"),
        (lambda: forms.residual_swing_w(2.0, 1.0, 2.1), "floor_w"),
        (lambda: forms.floor_overhead_fraction(0.0, 0.0, 0.5, 0.0), "mean above 0"),
        (lambda: forms.effective_low_w(2.0, 1.0, 1.0, 0.0, 1.0), "ramp_down_w_per_s"),
        (lambda: forms.ramped_overhead_fraction(2.0, 1.0, 0.5, 1.0, 1.0, math.inf), "low_duration_s"),
        (lambda: forms.iteration_storage_j(1.0, 0.5, 0.0), "period_s"),
        (lambda: forms.ramp_storage_j(-1.0, 1.0), "swing_w"),
        (lambda: forms.ramp_storage_j(1.0, 0.0), "ramp_w_per_s"),
        (lambda: forms.unsaturated_storage_j(1.0, 1.0, -1.0), "time_constant_s"),
        (lambda: forms.full_cycles_per_year(1.0, 0.5, 0.0), "energy_j"),
        (lambda: forms.full_cycles_per_year(1.0, 0.5, 1.0, 1.1), "uptime_fraction"),
        (lambda: forms.longest_flat_period_s(math.nan, 1.0, 0.5), "energy_j"),
    ],
)
def test_what_is_not_physical_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
