"""Storage: balance, ramps, closed forms, the base case's table."""

from __future__ import annotations

from dataclasses import replace
from math import pi, sin
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.mitigation import INFINITE, Storage
from aiplan.planners.stabilize.storage import buffer
from tests.stabilize.base_case import COUNT, STEP_S, base_job, largest_line, ramps, site_mw, square


def store(energy_j: float, power_w: float, tau_s: float, ramp: float = INFINITE, eta: float = 1.0) -> Storage:
    return Storage("any", "site", energy_j, power_w, eta, tau_s, ramp, ramp)


watts = st.one_of(st.floats(0.0, 1e8), st.sampled_from([0.0, 3e7, 1e8]))
rates = st.one_of(st.just(INFINITE), st.just(0.0), st.floats(0.0, 1e8))
storages = st.builds(
    Storage,
    st.just("any"), st.just("site"),
    st.one_of(st.just(0.0), st.floats(1e-3, 1e10)), st.one_of(st.just(0.0), st.floats(1e-3, 2e8)),
    st.floats(0.05, 1.0), st.one_of(st.just(0.0), st.floats(1e-3, 1e4)), rates, rates, st.floats(0.0, 1.0),
)  # fmt: skip
loads = st.lists(watts, min_size=1, max_size=80).map(np.array)
steps = st.sampled_from([0.02, 0.1, 1.0])


@given(loads, steps, storages)
@settings(max_examples=400)
def test_energy_is_kept(load: Array, step_s: float, how: Storage) -> None:
    """sum(grid - load) dt = losses + change of stored energy, to 1e-9 of the energy that passes."""
    out = buffer(load, step_s, how)
    taken = float((out.grid_w - load).sum()) * step_s
    balance = taken - float(out.loss_w.sum()) * step_s - float(out.state_j[-1] - out.state_j[0])
    assert abs(balance) <= 1e-9 * (float(load.sum() + out.grid_w.sum()) * step_s + how.energy_j)
    assert out.loss_w.min() >= 0.0
    assert out.throughput_j == pytest.approx(float(np.maximum(load - out.grid_w, 0.0).sum()) * step_s, rel=1e-12)


@given(loads, steps, storages)
@settings(max_examples=400)
def test_no_ramp_beyond_its_limit_unless_saturated(load: Array, step_s: float, how: Storage) -> None:
    out = buffer(load, step_s, how)
    change = np.diff(out.grid_w, prepend=load[0])
    free = ~out.saturated
    assert np.all(change[free] <= how.ramp_up_w_per_s * step_s + 1e-6)
    assert np.all(-change[free] <= how.ramp_down_w_per_s * step_s + 1e-6)


@given(loads, steps, storages)
@settings(max_examples=400)
def test_limits_of_storage_hold_and_the_grid_is_never_fed(load: Array, step_s: float, how: Storage) -> None:
    out = buffer(load, step_s, how)
    assert out.grid_w.min() >= 0.0
    assert np.abs(load - out.grid_w).max() <= how.power_w * (1 + 1e-12) + 1e-6
    assert out.state_j.min() >= 0.0
    assert out.state_j.max() <= how.energy_j
    assert out.state_j[0] == how.initial_fraction * how.energy_j


@given(loads, steps, storages)
@settings(max_examples=200)
def test_saturated_is_where_a_limit_binds(load: Array, step_s: float, how: Storage) -> None:
    out = buffer(load, step_s, how)
    given_w = load - out.grid_w
    at_converter = np.abs(np.abs(given_w) - how.power_w) <= 1e-6
    ends = out.state_j[1:]
    assert np.all((at_converter | (ends == 0.0) | (ends == how.energy_j))[out.saturated])


@given(loads, steps, storages, st.booleans())
@settings(max_examples=200)
def test_no_energy_or_no_converter_is_no_storage(load: Array, step_s: float, how: Storage, energy: bool) -> None:
    nothing = replace(how, energy_j=0.0) if energy else replace(how, power_w=0.0)
    out = buffer(load, step_s, nothing)
    assert np.array_equal(out.grid_w, load)
    assert out.loss_w.max() == 0.0
    assert out.throughput_j == 0.0
    # Where the load changes it had to act: the set-point is the load only without filter, ramps and leading back.
    if energy and how.time_constant_s > 1.0 and load.size > 1 and abs(load[1] - load[0]) > 1.0:
        assert out.saturated[1]


def test_a_steady_load_leaves_storage_alone() -> None:
    out = buffer(np.full(100, 1e8), 0.02, store(1e9, 1e7, 3.0, 1e6, 0.9))
    assert np.all(out.grid_w == 1e8)
    assert not out.saturated.any()
    assert np.ptp(out.state_j) == 0.0


# ---- a second method ----


@pytest.mark.parametrize("tau", [0.5, 3.0, 20.0])
def test_a_step_of_load_against_its_closed_form(tau: float) -> None:
    """Without limits: state less its aim = dP tau (exp(-t / 5 tau) - exp(-t / tau)) / (1 - 1/5)."""
    step_s, fall = 0.01, 4e7
    load = np.concatenate([[1e8], np.full(round(20 * tau / step_s), 1e8 - fall)])
    out = buffer(load, step_s, store(1e10, 1e9, tau))
    time_s = step_s * np.arange(load.size)
    expected = fall * tau * 1.25 * (np.exp(-time_s / (5 * tau)) - np.exp(-time_s / tau))
    assert out.state_j[1:] - out.state_j[0] == pytest.approx(expected, abs=0.005 * expected.max())


def test_a_smooth_load_against_an_integrator() -> None:
    """Filter, state and losses as differential equations, by scipy's Runge-Kutta."""
    tau, energy, eta, step_s = 2.0, 4e9, 0.81, 0.005
    one_way = np.sqrt(eta)

    def load_at(time_s: float) -> float:
        return 1e8 + 3e7 * sin(2 * pi * 0.2 * time_s) + 1e7 * sin(2 * pi * 0.9 * time_s)

    def slopes(time_s: float, y: Array) -> list[float]:
        mean, stored = y
        # What is lost hangs on what is given, and that on the filter alone.
        given_w = load_at(time_s) - mean - (energy / 2 - stored) / (5 * tau)
        lost = given_w * (1 / one_way - 1) if given_w > 0 else -given_w * (1 - one_way)
        return [(load_at(time_s) + lost - mean) / tau, -given_w - lost]

    end = 30.0
    found = solve_ivp(slopes, (0.0, end), [load_at(0.0), energy / 2], rtol=1e-8, max_step=0.01, dense_output=True)
    count = round(end / step_s)
    load = np.array([load_at((at + 0.5) * step_s) for at in range(count)])
    out = buffer(load, step_s, store(energy, 1e9, tau, eta=eta))
    expected = found.sol(step_s * np.arange(count + 1))[1]
    assert out.state_j == pytest.approx(expected, abs=0.01 * np.ptp(expected))


# ---- closed forms ----


@pytest.mark.parametrize(("duty", "period_s"), [(0.8, 2.0), (0.5, 2.0), (0.3, 0.7), (0.65, 10.0)])
def test_energy_of_an_iteration(duty: float, period_s: float) -> None:
    """State swings by d (1 - d) dP T where the output is flat: tau = 20 T, once settled. Within 0.5 %.

    The converter gives max(d, 1 - d) dP and on average d (1 - d) dP.
    """
    swing, per_period = 72e6, 100
    wave = square(149e6, 149e6 - swing, duty, per_period, 1000)
    closed = duty * (1 - duty) * swing * period_s
    out = buffer(wave, period_s / per_period, store(120 * closed, 1e9, 20 * period_s))
    last = slice(-10 * per_period, None)
    assert not out.saturated[last].any()
    assert np.ptp(out.grid_w[last]) < 0.02 * swing
    assert np.ptp(out.state_j[last]) == pytest.approx(closed, rel=5e-3)
    given_w = (wave - out.grid_w)[last]
    assert np.abs(given_w).max() == pytest.approx(max(duty, 1 - duty) * swing, rel=0.02)
    assert np.maximum(given_w, 0).mean() == pytest.approx(duty * (1 - duty) * swing, rel=5e-3)


@pytest.mark.parametrize(("rate", "energy"), [(10e6, 461e6), (10e6 / 60, 27.6e9)])
@pytest.mark.parametrize("start", [True, False])
def test_energy_of_a_ramp(rate: float, energy: float, start: bool) -> None:
    """dP^2 / (2 R) at a start or stop of 96 MW, 461 MJ at 10 MW/s and 27.6 GJ at 10 MW/min, over dP / R. Within 0.5 %.

    The ramp is of 1,000 steps (a staircase of n differs by 1 / n) and tau = 0.2 dP / R, so that nothing overshoots.
    """
    swing = 96e6
    ramp_s = swing / rate
    low = 53e6
    level = [low, low + swing] if start else [low + swing, low]
    load = np.concatenate([np.full(10, level[0]), np.full(12_000, level[1])])
    out = buffer(load, ramp_s / 1000, store(3 * energy, 2e8, 0.2 * ramp_s, rate))
    assert not out.saturated.any()
    assert np.ptp(out.state_j) == pytest.approx(swing**2 / (2 * rate), rel=5e-3)
    assert np.ptp(out.state_j) == pytest.approx(energy, rel=5e-3)
    extreme = int(np.abs(out.state_j - out.state_j[0]).argmax())
    assert (extreme - 10) * ramp_s / 1000 == pytest.approx(ramp_s, rel=5e-3)


def test_a_state_led_back_too_fast_overshoots() -> None:
    """Below tau = dP / (7 R) the grid cannot turn in time; without a time constant the state swings twice as far."""
    swing, rate = 96e6, 10e6
    load = np.concatenate([np.full(10, 53e6), np.full(12_000, 149e6)])
    seen = []
    for share in (0.0, 0.02, 0.05, 1 / 7, 0.3):
        out = buffer(load, swing / rate / 1000, store(2e9, 1e9, share * swing / rate, rate))
        seen.append(np.ptp(out.state_j) / (swing**2 / (2 * rate)))
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(2.0, rel=0.01)
    assert seen[-2:] == pytest.approx([1.0, 1.0], rel=5e-3)


@given(st.floats(1e6, 1e8), st.floats(0.2, 60.0), st.floats(0.0, 1.0), st.booleans())
@settings(max_examples=100, deadline=None)
def test_enough_energy_for_a_step_never_saturates(swing: float, ramp_s: float, share: float, start: bool) -> None:
    """E/2 >= dP^2 / (2 R) + dP tau is enough, with a converter of twice dP."""
    rate, tau = swing / ramp_s, share * ramp_s
    level = [1e8, 1e8 + swing] if start else [1e8 + swing, 1e8]
    load = np.concatenate([np.full(5, level[0]), np.full(4_000, level[1])])
    out = buffer(load, ramp_s / 200, store(2 * (swing * ramp_s / 2 + swing * tau), 2 * swing, tau, rate))
    assert not out.saturated.any()


def flattens(period_s: float, duty: float, *, eta: float = 1.0, energy_j: float = 65.0, periods: int = 50) -> bool:
    """Whether 65 J beside 350 to 1,050 W saturate no more once settled, with tau of 50 periods."""
    wave = square(1050.0, 350.0, duty, 100, 1500)
    out = buffer(wave, period_s / 100, Storage("psu", "psu", energy_j, 1e4, eta, periods * period_s))
    return not out.saturated[-2000:].any()


@pytest.mark.parametrize(("duty", "flat_s", "not_s"), [(0.5, 0.36, 0.5), (0.8, 0.57, 0.7)])
@pytest.mark.parametrize("eta", [1.0, 0.95])
def test_65_j_flatten_short_periods_only(duty: float, flat_s: float, not_s: float, eta: float) -> None:
    """Closed form T <= e / (d (1 - d) dP): 0.371 s at d = 0.5 and 0.580 s at d = 0.8 for dP = 700 W."""
    assert flattens(flat_s, duty, eta=eta)
    assert not flattens(not_s, duty, eta=eta)


@pytest.mark.parametrize("duty", [0.5, 0.8, 0.25])
def test_longest_flat_period(duty: float) -> None:
    """Within 0.5 % of the closed form at tau = 50 T; at d = 0.8 a shorter one costs about T / (8 tau)."""
    closed = 65.0 / (duty * (1 - duty) * 700.0)
    assert flattens(0.995 * closed, duty)
    assert not flattens(1.005 * closed, duty)


def test_losses_do_not_pull_the_state_down() -> None:
    """Their mean is in the set-point: the state stays at its aim; 5 tau times the losses are over 10 times E."""
    wave = square(1050.0, 350.0, 0.5, 100, 2000)
    out = buffer(wave, 0.003, Storage("psu", "psu", 200.0, 1e4, 0.8, 30.0))
    assert not out.saturated[-50_000:].any()
    assert out.state_j[-10_000:].mean() == pytest.approx(100.0, rel=0.1)
    assert 5 * 30.0 * out.loss_w[-10_000:].mean() > 10 * 200.0


# ---- the grid is not fed ----


def test_storage_too_full_charges_less_but_never_feeds_the_grid() -> None:
    load = np.concatenate([np.full(10, 1e8), np.full(2000, 1e5)])
    how = replace(store(1e9, 2e8, 5.0), initial_fraction=0.9)
    out = buffer(load, 0.1, how)
    assert out.grid_w.min() >= 0.0
    full = replace(how, initial_fraction=1.0)
    assert buffer(load, 0.1, full).saturated[10]
    # Storage above its aim gives to the load, at most all of it.
    away = np.full(500, 1e5)
    falling = buffer(np.concatenate([np.full(2, 1e8), away]), 0.1, replace(how, initial_fraction=0.5))
    assert falling.grid_w.min() == 0.0
    assert not falling.saturated[falling.grid_w == 0.0].any()


# ---- the base case ----


@pytest.mark.parametrize(
    ("kj", "converter_mw", "tau", "ramp", "line", "within"),
    [(20.0, 110.0, 2.0, 10.0, 3.3, 0.1), (20.0, 120.0, 3.0, 10.0, 2.8, 0.1), (60.0, 120.0, 10.0, 2.0, 0.82, 0.2)],
)
def test_storage_on_the_base_case(
    kj: float, converter_mw: float, tau: float, ramp: float, line: float, within: float
) -> None:
    """Derived table of the reference notes: ramps as limited, lines [MW], energy +0.5 to 0.9 %.

    Their efficiency is not stated; 90 % there and back gives 0.9 to 1.0 % here, 95 % about half of it.
    """
    job = base_job()
    raw = site_mw(job.power_w) * 1e6
    out = buffer(raw, STEP_S, store(kj * 1e3 * COUNT, converter_mw * 1e6, tau, ramp * 1e6, 0.92))
    assert ramps(out.grid_w / 1e6) == pytest.approx((ramp, ramp), rel=1e-6)
    assert not out.saturated.any()
    assert largest_line(out.grid_w / 1e6)[0] == pytest.approx(line, rel=within)
    extra = float((out.grid_w - raw).sum()) * STEP_S - float(out.state_j[-1] - out.state_j[0])
    assert 0.005 <= extra / (float(raw.sum()) * STEP_S) <= 0.009


def test_65_j_each_do_nothing_for_the_base_case() -> None:
    """Derived table: ramps 96/96 MW/s and the line hardly less, since the period of 2 s is above 0.58 s."""
    raw = site_mw(base_job().power_w) * 1e6
    out = buffer(raw, STEP_S, store(65.0 * COUNT, 110e6, 2.0, eta=0.92))
    assert ramps(out.grid_w / 1e6) == pytest.approx((96.0, 96.0), rel=1e-3)
    assert largest_line(out.grid_w / 1e6)[0] > 0.85 * largest_line(raw / 1e6)[0]
    assert out.saturated.mean() > 0.5


# ---- what cannot be ----


@pytest.mark.parametrize(
    "bad",
    [
        {"energy_j": -1.0}, {"energy_j": INFINITE}, {"time_constant_s": INFINITE},
        {"power_w": -1.0}, {"round_trip_fraction": 0.0}, {"round_trip_fraction": 1.1},
        {"time_constant_s": -1.0}, {"ramp_up_w_per_s": -1.0}, {"ramp_down_w_per_s": -1.0},
        {"initial_fraction": 1.1}, {"initial_fraction": float("nan")},
    ],
)  # fmt: skip
def test_impossible_storage_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad)).split("_")[0]):
        buffer(np.ones(3), 1.0, replace(store(1.0, 1.0, 1.0), **bad))


@pytest.mark.parametrize("load", [[1.0, -1.0], [1.0, float("nan")]])
def test_negative_or_missing_load_is_refused(load: list[float]) -> None:
    with pytest.raises(ValueError, match="load_w"):
        buffer(np.array(load), 1.0, store(1.0, 1.0, 1.0))
