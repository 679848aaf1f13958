"""What a cap costs: published arithmetic, a worked emergency, brute force over samples, and conservation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.capping import (
    cap_by_priority,
    cap_cost,
    cap_depth_fraction,
    cap_events,
    latency_factor,
    linear_law,
    slowdowns,
)
from aiplan.planners.power.multiplexing import Moments, ServerClass, class_powers_w, sum_moments
from aiplan.planners.serving.power_cap import capped


def test_thirty_percent_more_than_headroom_carries() -> None:
    """1.30 x 0.79 (second-hand, thermal-power-scheduling.md, check 10): 30 % more fits only with 2.6 % capped."""
    assert float(cap_depth_fraction(1.30 * 0.79, 1.0)) == pytest.approx(0.026, abs=5e-4)
    assert float(cap_depth_fraction(0.9, 1.0)) == 0.0


def test_the_worked_emergency() -> None:
    """40 servers of 5.5 kW on 220 kW, budget 260 -> 195 kW, half of them SaaS, idle 1.6 kW: 25 kW, 32.1 %, 16.0 %."""
    power, idle = np.array([110_000.0, 110_000.0]), np.array([32_000.0, 32_000.0])
    needed = power.sum() - 0.75 * 260_000
    assert needed == 25_000
    first = cap_by_priority(power, idle, [0, 1], needed)
    assert first.cut_w[0] / (power - idle)[0] == pytest.approx(0.321, abs=5e-4)
    assert first.cut_w[1] == 0.0
    together = cap_by_priority(power, idle, [0, 0], needed)
    assert together.cut_w / (power - idle) == pytest.approx([0.160, 0.160], abs=5e-4)


watts = st.floats(0, 1e5)


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(watts, watts, st.integers(0, 3)), min_size=1, max_size=6), st.floats(0, 3e5))
def test_cuts_add_up_and_spare_the_important(
    classes: list[tuple[float, float, int]], needed: float
) -> None:  # fmt: skip
    power, least, order = (np.array(column, dtype=float) for column in zip(*classes, strict=True))
    caps = cap_by_priority(power, least, order, needed)
    room = np.maximum(power - least, 0.0)
    assert np.all(caps.cut_w >= 0)
    assert np.all(caps.cut_w <= room + 1e-9)
    assert float(caps.cut_w.sum() + caps.unmet_w) == pytest.approx(needed, rel=1e-12, abs=1e-6)
    assert float(caps.unmet_w) == pytest.approx(max(needed - room.sum(), 0.0), abs=1e-6)
    for place in np.flatnonzero(caps.cut_w > 1e-6):
        lower = order < order[place]
        assert caps.cut_w[lower] == pytest.approx(room[lower], abs=1e-6)


def test_many_times_at_once_are_each_on_its_own() -> None:
    power = np.array([[50.0, 80.0], [70.0, 90.0], [10.0, 10.0]])
    needed = np.array([0.0, 60.0, 30.0])
    caps = cap_by_priority(power, [20.0, 30.0], [1, 0], needed)
    each = [cap_by_priority(row, [20.0, 30.0], [1, 0], need) for row, need in zip(power, needed, strict=True)]
    assert caps.cut_w.tolist() == [one.cut_w.tolist() for one in each]
    assert caps.unmet_w.tolist() == [0.0, 0.0, 30.0]
    assert caps.cut_w.tolist() == [[0.0, 0.0], [0.0, 60.0], [0.0, 0.0]]


# ---- slowdown ----


def test_the_law_is_that_of_serving() -> None:
    """Prefill at half its power takes 1.44 times as long; decode far below the cap does not notice."""

    def prefill(wanted: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        return capped(wanted, 100.0, allowed, 1.0)[1]

    found = slowdowns([[700.0, 300.0], [700.0, 300.0]], [[350.0, 0.0], [0.0, 150.0]], [prefill, linear_law(0.5)])
    assert found == pytest.approx(np.array([[(600 / 250) ** (1 / 2.4), 1.0], [1.0, 1.25]]))
    assert float(latency_factor([0.2, 0.8], found[0])) == pytest.approx(1 + 0.2 * (found[0, 0] - 1))


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0, 5), st.floats(0, 1), st.floats(0, 1))
def test_slower_with_every_watt_taken(coefficient: float, one: float, other: float) -> None:
    less, more = sorted((one, other))
    found = slowdowns([[100.0], [100.0]], [[100 * less], [100 * more]], [linear_law(coefficient)])
    assert 1.0 <= found[0, 0] <= found[1, 0]


def test_laws_that_speed_up_are_refused() -> None:
    with pytest.raises(ValueError, match="faster"):
        slowdowns([100.0], [10.0], [lambda wanted, allowed: allowed / wanted])
    with pytest.raises(ValueError, match="cut_w"):
        slowdowns([100.0], [110.0], [linear_law(1)])
    with pytest.raises(ValueError, match="laws"):
        slowdowns([100.0], [10.0], [])
    with pytest.raises(ValueError, match="add up"):
        latency_factor([0.5, 0.4], [1.0, 1.0])


# ---- classes while capped ----


def test_classes_given_their_sum_against_draws() -> None:
    """Normal servers, 300,000 draws: the mean of each class where the sum is near a total."""
    classes = [ServerClass(3, 100.0, 10.0, rho=0.5), ServerClass(2, 200.0, 30.0, rho=0.1)]
    between = np.array([[0.0, 0.2], [0.2, 0.0]])
    sd = np.array([10.0] * 3 + [30.0] * 2)
    kind = np.array([0, 0, 0, 1, 1])
    rho = np.array([[0.5, 0.2], [0.2, 0.1]])[kind][:, kind]
    np.fill_diagonal(rho, 1.0)
    generator = np.random.Generator(np.random.PCG64(5))
    drawn = generator.multivariate_normal(np.array([100.0] * 3 + [200.0] * 2), rho * np.outer(sd, sd), 300_000)
    near = drawn[np.abs(drawn.sum(axis=1) - 760.0) < 2.0]
    found = class_powers_w(classes, 760.0, between)
    assert found.sum() == pytest.approx(760.0)
    assert found == pytest.approx([near[:, :3].sum(axis=1).mean(), near[:, 3:].sum(axis=1).mean()], rel=5e-3)
    still = [ServerClass(1, 100.0, 0.0), ServerClass(1, 300.0, 0.0)]
    assert class_powers_w(still, [400.0, 200.0]).tolist() == [[100.0, 300.0], [50.0, 150.0]]


# ---- how often, how deep ----


def test_cost_against_draws() -> None:
    """Independent beta servers, whose sum is drawn 400,000 times."""
    generator = np.random.Generator(np.random.PCG64(2))
    a, b, n = 4.0, 2.0, 6
    draws = 200 + 800 * generator.beta(a, b, (400_000, n))
    total = draws.sum(axis=1)
    sd = 800 * math.sqrt(a * b / (a + b + 1)) / (a + b)
    g = 2 * (b - a) * math.sqrt(a + b + 1) / ((a + b + 2) * math.sqrt(a * b))
    found = cap_cost(
        sum_moments([ServerClass(n, 200 + 800 * a / (a + b), sd, 1000.0, g, floor_w=200.0)]), [4500.0, 4900.0], 8760.0
    )
    for place, capacity in enumerate((4500.0, 4900.0)):
        over = np.maximum(total - capacity, 0.0)
        assert float(found.probability[place]) == pytest.approx(np.mean(total > capacity), rel=0.03)
        assert float(found.capped_energy_wh[place]) == pytest.approx(8760 * np.mean(over), rel=0.06)
        depth = np.sum(over) / np.sum(over + capacity * (total > capacity))
        assert float(found.depth_fraction[place]) == pytest.approx(depth, rel=0.05)


@given(st.floats(0, 2_000))
@settings(max_examples=60, derandomize=True, database=None)
def test_more_capacity_never_costs_more(capacity: float) -> None:
    known = sum_moments([ServerClass(10, 100.0, 30.0, 180.0, -0.4, rho=0.4)])
    found = cap_cost(known, [capacity, capacity + 10.0], 1.0)
    for values in (found.probability, found.excess_w, found.capped_energy_wh):
        assert values[1] <= values[0] + 1e-9
    assert np.all((found.depth_fraction >= 0) & (found.depth_fraction <= 1))
    assert float(cap_cost(known, 1800.0, 1.0).excess_w) == 0.0


def test_a_sum_without_variation_costs_all_or_nothing() -> None:
    still = Moments(*(np.asarray(value) for value in (100.0, 0.0, 0.0, 0.0, 100.0, 100.0)))
    found = cap_cost(still, [80.0, 120.0], 2.0)
    assert found.capped_energy_wh.tolist() == [40.0, 0.0]
    assert found.depth_fraction.tolist() == [0.2, 0.0]


def test_events_are_runs() -> None:
    power = np.array([90, 110, 120, 90, 130, 90, 90, 105, 105, 105], dtype=float)
    found = cap_events(power, 100.0, 2.0)
    assert (found.share, found.events, found.longest_s) == (0.6, 3, 6.0)
    assert found.capped_energy_wh == pytest.approx(75 * 2 / 3600)
    assert found.deepest_fraction == pytest.approx(30 / 130)
    none = cap_events(power, 200.0, 2.0)
    assert (none.share, none.events, none.longest_s, none.capped_energy_wh, none.deepest_fraction) == (0, 0, 0, 0, 0)


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(0, 200), min_size=1, max_size=50), st.floats(0, 200))
def test_runs_are_those_counted_one_by_one(values: list[float], capacity: float) -> None:
    runs, longest, run = 0, 0, 0
    for value in values:
        run = run + 1 if value > capacity else 0
        runs += run == 1
        longest = max(longest, run)
    found = cap_events(values, capacity, 1.0)
    assert (found.events, found.longest_s) == (runs, float(longest))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: cap_depth_fraction(-1.0, 1.0),
        lambda: cap_by_priority([1.0], [0.0], [0], -1.0),
        lambda: cap_by_priority([-1.0], [0.0], [0], 1.0),
        lambda: cap_by_priority([1.0, 2.0], [0.0], [0], 1.0),
        lambda: cap_events([1.0], 1.0, 0.0),
        lambda: linear_law(-1.0),
    ],
)
def test_impossible_numbers_are_refused(ask: object) -> None:
    with pytest.raises(ValueError, match="must"):
        ask()  # type: ignore[operator]
