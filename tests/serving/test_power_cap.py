"""Clocks and caps: published points, closed forms, invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.serving.power_cap import (
    CLOCK_EXPONENT,
    LEAST_CLOCK,
    at_clock,
    capped,
    clock_of_least_energy,
    clock_under_cap,
    unclocked_power_w,
)
from aiplan.planners.serving.power_constants import POWER_CONSTANTS

# --- published points ---


@pytest.mark.parametrize(("cap_w", "measured"), [(300, 9893 / 9326), (250, 9893 / 8436)])
def test_prefill_under_caps_of_a_published_sweep(cap_w: float, measured: float) -> None:
    # Prefill tokens/s of six RTX 3090 at 350, 300 and 250 W (llmgarage.ai, power-limit-tokens-per-second-benchmark,
    # February 2026; a hobby test bench). 30 W idle is assumed. At 200 W and below they slow down far more (1.67).
    assert float(capped(350, 30, cap_w, 1.0)[1]) == pytest.approx(measured, rel=0.03)


def test_the_sweep_falls_below_the_law_at_deep_caps() -> None:
    # The stated limit: 9,893 / 5,941 measured at 200 W, 0.57 of the power.
    assert 0.7 < float(capped(350, 30, 200, 1.0)[1]) / (9893 / 5941) < 0.85


@pytest.mark.parametrize("cap_w", [350, 300])
def test_decode_on_h200_never_meets_a_cap(cap_w: float) -> None:
    # 137 to 300 of 700 W, whatever the attention (arXiv:2605.11999, abstract).
    for drawn in (137, 300):
        assert [float(value) for value in capped(drawn, 75, cap_w, 0.5)] == [drawn, 1.0]


def test_prefill_at_half_of_the_rated_power() -> None:
    # Splitwise's simulator takes 1.30 for prompts of an H100 capped from 700 to 350 W, and 1.00 for tokens: its
    # assumption, not a measurement. Idle as fitted.
    idle = POWER_CONSTANTS["h100"].idle_share * 700
    assert float(capped(700, idle, 350, 1.0)[1]) == pytest.approx(1.30, rel=0.12)
    assert float(capped(700, idle, 350, 0.0)[1]) == 1.0


def test_a_frequency_cap_of_35_percent() -> None:
    # TAPAS, second-hand: costs 35 % of the performance of compute-bound machines and 28 % of those that serve models.
    assert 1 / float(at_clock(700, 75, 0.65, 1.0)[1]) == pytest.approx(0.65, rel=1e-12)
    slowdowns = at_clock(700, 75, 0.65, [0.6, 0.85])[1]
    assert 1 / slowdowns[0] > 0.72 > 1 / slowdowns[1]


def test_a_few_percent_of_time_buy_a_sixth_of_the_energy() -> None:
    # NVIDIA's Max-Q profile of B200: up to 15 % of energy at 97 % or more of the performance.
    share = np.array([0.25, 0.35])
    clock = share / (0.03 + share)  # slowdown 1.03
    power, slowdown = at_clock(1000, 107, clock, share)
    saved = 1 - power * slowdown / 1000
    np.testing.assert_allclose(slowdown, 1.03, rtol=1e-12)
    assert saved[1] < 0.15 < saved[0]


# --- worked and closed forms ---


def test_power_the_clock_does_not_change() -> None:
    # 75 W idle and 31 pJ x 2.345e12 B/s = 73 W.
    assert float(unclocked_power_w(700, 75 / 700, 2.345e12)) == pytest.approx(75 + 72.7, abs=0.1)


def test_least_energy_of_compute_in_closed_form() -> None:
    idle, busy = np.array([50.0, 100.0, 200.0]), 700.0
    expected = (idle / ((CLOCK_EXPONENT - 1) * (busy - idle))) ** (1 / CLOCK_EXPONENT)
    np.testing.assert_allclose(clock_of_least_energy(busy, idle, 1.0), expected, rtol=1e-9)


def test_memory_bound_work_wants_the_lowest_clock() -> None:
    assert float(clock_of_least_energy(300, 100, 0.0)) == pytest.approx(LEAST_CLOCK, rel=1e-9)
    assert float(clock_of_least_energy(300, 100, 0.0, least=0.5)) == pytest.approx(0.5, rel=1e-9)


def test_idle_power_alone_wants_to_be_done_soon() -> None:
    assert float(clock_of_least_energy(100, 100, 1.0)) == 1.0
    assert float(clock_of_least_energy(100, 100, 0.0)) == 1.0
    # Little above idle: slowing down saves nothing that is worth the time.
    assert float(clock_of_least_energy(110, 100, 1.0)) == 1.0


# --- invariants ---

watts = st.floats(50.0, 2000.0)
shares = st.floats(0.0, 1.0)
idles = st.floats(0.0, 49.0)


@given(watts, idles, watts, shares)
def test_never_above_the_cap_and_never_faster(power: float, idle: float, cap: float, share: float) -> None:
    drawn, slowdown = capped(power, idle, cap, share)
    assert float(drawn) <= cap
    assert float(slowdown) >= 1.0
    if cap >= power:
        assert (float(drawn), float(slowdown)) == (power, 1.0)


@given(watts, idles, watts, st.floats(1.0, 5.0), shares)
def test_a_looser_cap_is_never_slower(power: float, idle: float, cap: float, factor: float, share: float) -> None:
    tight, loose = capped(power, idle, cap, share), capped(power, idle, cap * factor, share)
    assert float(loose[1]) <= float(tight[1]) * (1 + 1e-12)
    assert float(loose[0]) >= float(tight[0])


@given(watts, idles, watts, shares, shares)
def test_more_arithmetic_is_never_slowed_less(power: float, idle: float, cap: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert float(capped(power, idle, cap, low)[1]) <= float(capped(power, idle, cap, high)[1]) * (1 + 1e-12)


@given(watts, idles, watts, shares)
def test_a_cap_is_the_clock_that_meets_it(power: float, idle: float, cap: float, share: float) -> None:
    clock = clock_under_cap(power, idle, cap)
    by_cap, by_clock = capped(power, idle, cap, share), at_clock(power, idle, clock, share)
    np.testing.assert_allclose(by_cap, by_clock, rtol=1e-9)


@given(watts, st.floats(1.0, 49.0), shares, st.floats(LEAST_CLOCK, 1.0))
def test_no_clock_takes_less_energy_than_the_best(power: float, idle: float, share: float, clock: float) -> None:
    def energy(at: float) -> float:
        drawn, slowdown = at_clock(power, idle, at, share)
        return float(drawn * slowdown)

    best = float(clock_of_least_energy(power, idle, share))
    assert LEAST_CLOCK <= best <= 1.0
    assert energy(best) <= energy(clock) * (1 + 1e-9)


def test_rows_broadcast_and_do_not_mix() -> None:
    power, share = np.array([700.0, 300.0, 500.0]), np.array([1.0, 0.2, 0.6])
    drawn, slowdown = capped(power, 75.0, 350.0, share)
    for row in range(3):
        alone = capped(power[row], 75.0, 350.0, share[row])
        assert (drawn[row], slowdown[row]) == (float(alone[0]), float(alone[1]))
    assert capped(power[:, None], 75.0, np.array([200.0, 400.0]), 0.5)[1].shape == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((700, 100, 100, 1.0), "cap_w must be above"),
        ((700, 100, 80, 0.0), "cap_w must be above"),
        ((700, -1, 350, 1.0), "must not be negative"),
        ((700, 100, 350, 1.2), "compute_share"),
        ((700, 100, np.nan, 1.0), "cap_w must be above"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[float, float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        capped(*arguments)


@pytest.mark.parametrize("clock", [0.0, 1.01, np.nan])
def test_impossible_clocks_are_refused(clock: float) -> None:
    with pytest.raises(ValueError, match="clock must be"):
        at_clock(700, 100, clock, 1.0)


def test_a_cap_below_idle_that_nothing_meets_is_no_matter() -> None:
    # Drawing 60 W under a cap of 80 W, with 100 W idle stated: the cap does not bind.
    assert [float(value) for value in capped(60, 100, 80, 1.0)] == [60.0, 1.0]
