"""Routing: the worked case, limits, a water-filling oracle, affinity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.routing import Routing, RoutingProblem, affinity_range, route, temperature_capacity


def problem(demand: list[float], endpoint: list[int], row: list[int], **given: object) -> RoutingProblem:
    """Instances of capacity 100 that draw 1 W per request in rows without limits, unless given."""
    count = len(endpoint)
    rows = np.asarray(given.get("budget_w", np.zeros(max(row) + 1))).size
    plain: dict[str, object] = {
        "capacity_per_s": np.full(count, 100.0), "power_w_per_load": np.ones(count), "fixed_w": np.zeros(rows),
        "budget_w": np.full(rows, 1e4), "base_c": np.full(count, 40.0), "warmth_c_per_load": np.zeros(count),
        "limit_c": 80.0,
    }  # fmt: skip
    return RoutingProblem(np.array(demand), np.array(endpoint), np.array(row), **(plain | given))  # type: ignore[arg-type]


def served(found: Routing) -> float:
    return float(found.load_per_s.sum())


def test_a_row_allows_sixty() -> None:
    # Check 8 of the reference.
    found = route(problem([170.0], [0, 0], [0, 1], budget_w=np.array([60.0, 1e4])))
    assert found.load_per_s == pytest.approx([60.0, 100.0], abs=1e-9)
    assert served(found) == pytest.approx(160.0, abs=1e-9)
    assert found.unmet_per_s == pytest.approx([10.0], abs=1e-9)
    assert found.binding == ("power", "capacity")


def test_the_unit_of_load_does_not_matter() -> None:
    for unit in (1e-6, 1e6):
        found = route(
            problem([170.0 * unit], [0, 0], [0, 1], budget_w=np.array([60.0, 1e4]),
                    capacity_per_s=np.full(2, 100.0 * unit), power_w_per_load=np.full(2, 1.0 / unit))
        )  # fmt: skip
        assert found.load_per_s / unit == pytest.approx([60.0, 100.0], rel=1e-9)


def test_heat_and_latency_are_capacities() -> None:
    warm = problem([170.0], [0, 0], [0, 1], warmth_c_per_load=np.array([0.8, 0.0]))
    assert temperature_capacity(warm) == pytest.approx([50.0, np.inf])
    found = route(warm)
    assert found.load_per_s == pytest.approx([50.0, 100.0])
    assert found.hottest_c == pytest.approx([80.0, 40.0])
    assert found.binding == ("temperature", "capacity")
    assert route(replace(warm, base_c=np.array([81.0, 40.0]))).load_per_s == pytest.approx([0.0, 100.0])


def test_air_of_an_aisle_holds_both_rows() -> None:
    found = route(
        problem([200.0], [0, 0, 0], [0, 1, 2], air_cfm_per_load=np.full(3, 2.0), aisle_of_row=np.array([0, 0, 1]),
                fixed_cfm=np.array([40.0, 0.0]), supply_cfm=np.array([140.0, 1e4]))
    )  # fmt: skip
    assert found.load_per_s[:2].sum() == pytest.approx(50.0)
    assert found.unmet_per_s == pytest.approx([50.0])
    assert "airflow" in found.binding


def test_a_row_over_budget_gets_nothing_and_the_rest_is_served() -> None:
    found = route(problem([150.0], [0, 0], [0, 1], fixed_w=np.array([70.0, 0.0]), budget_w=np.array([60.0, 1e4])))
    assert found.load_per_s == pytest.approx([0.0, 100.0])
    assert found.over_rows == (0,)
    assert found.unmet_per_s == pytest.approx([50.0])


def even_share(demand: float, fixed: np.ndarray, budget: np.ndarray, beta: np.ndarray, cap: np.ndarray) -> float:
    """Lowest share of one endpoint with an instance in each row, by halving: ``sum min(cap, (rho B - P)/beta) = D``."""
    low, high = float((fixed / budget).max()), 1.0
    for _ in range(200):
        middle = (low + high) / 2
        holds = np.clip((middle * budget - fixed) / beta, 0, cap).sum()
        low, high = (middle, high) if holds < demand else (low, middle)
    return high


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 8), filled=st.floats(0.0, 0.95))
def test_even_over_rows_by_water_filling(seed: int, rows: int, filled: float) -> None:
    chance = np.random.default_rng(seed)
    budget, fixed = chance.uniform(100, 300, rows), chance.uniform(0, 60, rows)
    beta, cap = chance.uniform(0.5, 2, rows), chance.uniform(50, 100, rows)
    most = np.minimum(cap, (budget - fixed) / beta)
    demand = filled * float(most.sum())
    found = route(
        problem([demand], [0] * rows, list(range(rows)), capacity_per_s=cap, power_w_per_load=beta, fixed_w=fixed,
                budget_w=budget)
    )  # fmt: skip
    assert found.unmet_per_s == pytest.approx([0.0], abs=1e-6)
    assert found.fullest_share == pytest.approx(even_share(demand, fixed, budget, beta, cap), rel=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10_000), instances=st.integers(1, 14), endpoints=st.integers(1, 4), before=st.booleans())
def test_limits_hold_and_nothing_is_lost(seed: int, instances: int, endpoints: int, before: bool) -> None:
    chance = np.random.default_rng(seed)
    row = chance.integers(0, 4, instances)
    asked = problem(
        chance.uniform(0, 300, endpoints).tolist(), chance.integers(0, endpoints, instances).tolist(),
        row.tolist(), capacity_per_s=chance.uniform(0, 120, instances),
        warmth_c_per_load=chance.uniform(0, 1, instances),
        fixed_w=chance.uniform(0, 100, 4), budget_w=chance.uniform(50, 300, 4),
        before_per_s=chance.uniform(0, 80, instances) if before else np.zeros(0),
    )  # fmt: skip
    for first in (True, False):
        found = route(replace(asked, affinity_first=first))
        by_endpoint = np.zeros(endpoints)
        for i in range(instances):
            by_endpoint[asked.endpoint[i]] += found.load_per_s[i]
            assert -1e-9 <= found.load_per_s[i] <= asked.capacity_per_s[i] + 1e-9
            assert found.hottest_c[i] <= 80.0 + 1e-6
        assert by_endpoint + found.unmet_per_s == pytest.approx(asked.demand_per_s, abs=1e-5)
        for r in range(4):
            power = asked.fixed_w[r] + found.load_per_s[row == r].sum()
            assert power <= max(asked.budget_w[r], asked.fixed_w[r]) + 1e-5


def test_affinity_limits_change_around_demand() -> None:
    before = np.array([90.0, 10.0])
    still = problem([100.0], [0, 0], [0, 1], before_per_s=before)
    # Even rows would carry 50 and 50; a step moves at most a fifth of 100.
    assert route(still).load_per_s == pytest.approx([70.0, 30.0])
    assert route(replace(still, affinity_share=1.0)).load_per_s == pytest.approx([50.0, 50.0])
    # Half of the demand ends: that is no move.
    ended = replace(still, demand_per_s=np.array([50.0]))
    low, high = affinity_range(ended)
    assert low == pytest.approx([25.0, 0.0])
    assert high == pytest.approx([65.0, 25.0])
    found = route(ended)
    assert found.load_per_s == pytest.approx([25.0, 25.0])
    assert found.moved_per_s == pytest.approx(0.0, abs=1e-9)


def test_affinity_or_serving_first() -> None:
    # The first instance fails: the second may grow by 20 to 60, or take 90 and move 30 beyond affinity.
    failed = problem([90.0], [0, 0], [0, 1], capacity_per_s=np.array([0.0, 100.0]), before_per_s=np.array([50.0, 40.0]))
    strict, lenient = route(failed), route(replace(failed, affinity_first=False))
    assert strict.load_per_s == pytest.approx([0.0, 60.0])
    assert strict.unmet_per_s == pytest.approx([30.0])
    assert lenient.load_per_s == pytest.approx([0.0, 90.0])
    assert lenient.unmet_per_s == pytest.approx([0.0], abs=1e-9)
    assert lenient.moved_per_s == pytest.approx(30.0)


def test_more_room_serves_no_less() -> None:
    tight = problem([170.0, 90.0], [0, 0, 1], [0, 1, 1], budget_w=np.array([60.0, 110.0]))
    unmet = [
        float(route(replace(tight, budget_w=tight.budget_w * factor)).unmet_per_s.sum())
        for factor in (1.0, 1.2, 1.5, 2.0)
    ]
    assert unmet == sorted(unmet, reverse=True)
    assert unmet[0] > unmet[-1]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="demand"):
        route(problem([-1.0], [0], [0]))
    with pytest.raises(ValueError, match="budgets"):
        route(problem([1.0], [0], [0], budget_w=np.zeros(1)))
