"""Greedy placement and local search: worked cases, limits, bounds, sameness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.hall import Hall, Vms, equal_hall
from aiplan.planners.thermal.placement import Placement, place_batch, place_online
from aiplan.planners.thermal.placement_problem import PlacementProblem, placement_problem, violations
from tests.thermal.placing import broken, random_hall, random_vms


def by_hand(budgets: list[float], other: list[float], profiles: list[list[float]], slots: int = 2) -> PlacementProblem:
    """A problem of power alone, in watts as they are written."""
    rows, count = len(budgets), len(profiles)
    hours = len(profiles[0])
    return PlacementProblem(
        tuple(f"vm{n}" for n in range(count)), np.repeat(np.arange(rows), slots), np.zeros(rows, dtype=np.int64),
        np.array(budgets), np.array([1e9]), np.zeros(rows * slots), 80.0, np.array(profiles), np.zeros((count, hours)),
        np.full(count, 40.0), np.zeros(count, dtype=bool), np.full(count, -1),
        np.repeat(np.array(other)[:, None], hours, axis=1), np.zeros((1, hours)),
    )  # fmt: skip


def test_three_rows_by_hand() -> None:
    # Check 6 of the reference: 70, 50, 40 of 100 and VMs of 20, 20, 10; nothing beats the row of 70 as it stands.
    plan = place_batch(by_hand([100, 100, 100], [70, 50, 40], [[20.0], [20.0], [10.0]]))
    assert plan.z_power == pytest.approx(0.70, abs=1e-12)
    assert not plan.unplaced
    assert plan.bound is not None
    assert plan.bound.z_power == pytest.approx(0.70, abs=1e-9)


def test_peaks_at_different_hours_share_a_row() -> None:
    # Check 7: 20 by day and 5 by night with 5 and 20 make 25, not 40.
    plan = place_batch(by_hand([100.0], [0.0], [[20.0, 5.0], [5.0, 20.0]]))
    assert plan.row_peak_w[0] == pytest.approx(25.0, abs=1e-12)
    apart = place_batch(by_hand([100.0, 100.0], [0.0, 0.0], [[20.0, 5.0], [20.0, 5.0], [5.0, 20.0], [5.0, 20.0]]))
    assert apart.row_peak_w == pytest.approx([25.0, 25.0], abs=1e-12)


def test_reasons_name_the_limit() -> None:
    base = by_hand([100.0], [70.0], [[20.0]])
    assert place_batch(replace(base, other_w=np.array([[90.0]]))).unplaced[0].reason == "power"
    assert place_batch(replace(base, vm_c=np.array([81.0]))).unplaced[0].reason == "temperature"
    short = replace(base, air_cfm=np.array([[5.0]]), supply_cfm=np.array([4.0]))
    assert place_batch(short).unplaced[0].reason == "airflow"
    assert place_batch(replace(base, saas_share=(1.0, 1.0))).unplaced[0].reason == "SaaS share"
    both = place_batch(replace(short, other_w=np.array([[90.0]])))
    assert both.unplaced[0].reason == "power and airflow"
    full = place_batch(by_hand([100.0], [0.0], [[20.0]] * 3))
    assert [(left.id, left.reason) for left in full.unplaced] == [("vm2", "slots")]


def test_standing_vms_stay() -> None:
    hall, vms = random_hall(3, 4, 5), random_vms(3, 16)
    placed = np.full(16, -1)
    placed[:4] = [0, 7, 13, 19]
    problem = placement_problem(hall, vms, 30.0, placed=placed)
    for plan in (place_batch(problem), place_online(problem)):
        assert plan.slots[:4].tolist() == [0, 7, 13, 19]
        assert not plan.unplaced
        assert broken(hall, vms, plan.slots, 30.0) == []


def test_bad_inputs_are_refused() -> None:
    hall, vms = random_hall(1, 2, 2), random_vms(1, 2)
    with pytest.raises(ValueError, match="twice"):
        placement_problem(hall, vms, 30.0, placed=[1, 1])
    with pytest.raises(ValueError, match="does not have"):
        placement_problem(hall, vms, 30.0, placed=[9, -1])
    with pytest.raises(ValueError, match="SaaS share"):
        placement_problem(hall, vms, 30.0, saas_share=(0.6, 0.4))


def test_an_empty_list_of_vms_is_a_plan() -> None:
    nothing = Vms((), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), np.zeros((0, 24)), np.zeros((0, 24)))
    plan = place_batch(placement_problem(random_hall(1, 2, 2), nothing, 30.0))
    assert (plan.z_power, plan.z_temperature, plan.unplaced, plan.violations) == (0.0, 0.0, (), ())


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 10_000), rows=st.integers(1, 6), servers=st.integers(1, 8), full=st.floats(0.2, 1.3),
    budget=st.floats(0.3, 1.1), air=st.floats(0.4, 1.1), t_max=st.floats(60, 85), spread=st.floats(0, 0.4),
    low=st.floats(0, 0.5), width=st.floats(0, 0.5),
)  # fmt: skip
def test_no_plan_breaks_a_limit(
    seed: int, rows: int, servers: int, full: float, budget: float, air: float, t_max: float, spread: float,
    low: float, width: float,
) -> None:  # fmt: skip
    # Check 14, by a checker of plain loops; and every VM is either placed or named.
    hall = replace(random_hall(seed, rows, servers, budget=budget, air=air, spread=spread), t_max_c=t_max)
    vms = random_vms(seed, max(1, round(full * rows * servers)), 3)
    share = (low, low + width)
    problem = placement_problem(hall, vms, 30.0, saas_share=share)
    for plan in (place_batch(problem), place_online(problem)):
        assert broken(hall, vms, plan.slots, 30.0, share) == []
        assert plan.violations == ()
        assert [left.vm for left in plan.unplaced] == np.flatnonzero(plan.slots < 0).tolist()
        assert all(left.reason for left in plan.unplaced)
        check_bounds(problem, plan)


def check_bounds(problem: PlacementProblem, plan: Placement) -> None:
    """Check 13: bounds lie below the plan, and the fullest row is no emptier than the hall."""
    assert plan.bound is not None
    assert plan.bound.balance <= plan.bound.z_power <= plan.z_power * (1 + 1e-9)
    assert plan.bound.z_temperature <= plan.z_temperature * (1 + 1e-9)
    assert plan.bound.objective <= plan.objective * (1 + 1e-9)
    here = plan.slots >= 0
    hall_peak = (problem.power_w[here].sum(axis=0)).max(initial=0.0)
    assert plan.row_peak_w.max() >= hall_peak / problem.rows * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_kinds_stay_within_their_share(seed: int) -> None:
    # Full rows of ten with five of each kind at most: every exchange of the search is held to that.
    hall, vms = random_hall(seed, 8, 10, spread=0.1), random_vms(seed, 80)
    plan = place_batch(placement_problem(hall, vms, 30.0, saas_share=(0.5, 0.5)))
    assert not plan.unplaced
    assert broken(hall, vms, plan.slots, 30.0, (0.5, 0.5)) == []
    assert plan.saas_share.tolist() == [0.5] * 8


def test_violations_are_seen() -> None:
    hall, vms = random_hall(5, 2, 3), random_vms(5, 6)
    problem = placement_problem(hall, vms, 30.0)
    slots = np.arange(6)
    assert violations(problem, slots) == ()
    assert any("two VMs" in text for text in violations(problem, np.zeros(6, dtype=np.int64)))
    assert any(text.startswith("row") for text in violations(replace(problem, budget_w=np.full(2, 5e3)), slots))
    assert any(text.startswith("aisle") for text in violations(replace(problem, supply_cfm=np.full(1, 1e3)), slots))
    assert any(text.startswith("VM") for text in violations(replace(problem, limit_c=40.0), slots))
    assert any("SaaS" in text for text in violations(replace(problem, saas_share=(0.0, 0.0)), slots))


HALLS = {
    "equal": ((0.9, 1.0, 0.0), 1.0),
    "half empty": ((0.9, 1.0, 0.0), 0.7),
    "unequal budgets": ((0.9, 1.0, 0.1), 0.95),
    "short of air": ((0.9, 0.83, 0.0), 1.0),
    "short of power": ((0.85, 1.0, 0.05), 1.0),
    "unequal, short of air": ((0.85, 0.95, 0.3), 0.9),
}


@pytest.mark.parametrize("name", HALLS)
def test_within_five_percent_of_the_bound(name: str) -> None:
    seed = 1
    (budget, air, spread), full = HALLS[name]
    hall = random_hall(seed, 24, 40, budget=budget, air=air, spread=spread)
    vms = random_vms(seed, int(full * hall.slots))
    plan = place_batch(placement_problem(hall, vms, 30.0))
    assert not plan.unplaced
    assert plan.violations == ()
    assert plan.gap is not None
    assert plan.bound is not None
    assert 0 <= plan.gap <= 0.05
    assert 0 <= plan.z_power / plan.bound.z_power - 1.0 <= 0.05


@pytest.mark.slow
def test_ten_thousand_servers() -> None:
    hall, vms = random_hall(7, 250, 40), random_vms(7, 10_000)
    plan = place_batch(placement_problem(hall, vms, 30.0))
    assert not plan.unplaced
    assert plan.violations == ()
    assert plan.gap is not None
    assert plan.gap < 0.01


def test_side_by_side_endpoints_are_spread() -> None:
    # Twelve endpoints with peaks at twelve hours: placed endpoint by endpoint each row peaks on its own.
    hall = equal_hall(12, 10, 2, 60e3, 840.0, t_max_c=90.0)
    peak = np.arange(12)[:, None] * 2
    curves = 0.5 + 0.4 * np.cos(2 * np.pi * (np.arange(24) - peak) / 24)
    load = np.repeat(curves, 10, axis=0)
    vms = Vms(tuple(map(str, range(120))), np.ones(120, bool), np.repeat(np.arange(12), 10), load, load)
    problem = placement_problem(hall, vms, 25.0)
    packed = 10 * (1600 + 4900 * 0.9)
    plan = place_batch(problem)
    # All day the hall draws as much as at mean load, so evenly mixed rows draw 10 (1600 + 4900 / 2).
    assert plan.row_peak_w.max() == pytest.approx(10 * (1600 + 4900 * 0.5), rel=0.03)
    assert plan.row_peak_w.max() < 0.75 * packed


def test_online_keeps_the_order_of_arrival() -> None:
    hall, vms = random_hall(2, 6, 10), random_vms(2, 60)
    problem = placement_problem(hall, vms, 30.0)
    plan = place_online(problem)
    batch = place_batch(problem)
    assert (plan.mode, batch.mode) == ("online", "batch")
    # Nobody moves later: the first VMs stand where they do when no others come.
    first = Vms(vms.id[:20], vms.saas[:20], vms.endpoint[:20], vms.load_p50[:20], vms.load_p99[:20])
    load = vms.load_p99.sum(axis=0) / hall.slots
    alone = place_online(placement_problem(hall, first, 30.0, hall_load=load))
    assert alone.slots.tolist() == plan.slots[:20].tolist()
    assert batch.objective <= plan.objective


def test_same_problem_same_plan() -> None:
    hall, vms = random_hall(4, 10, 20, spread=0.2), random_vms(4, 190)
    first, second = (place_batch(placement_problem(hall, vms, 30.0)) for _ in range(2))
    assert first.slots.tolist() == second.slots.tolist()
    assert first.bound == second.bound
    assert first.objective == second.objective


def test_numbers_agree_with_the_plan() -> None:
    hall: Hall = random_hall(6, 3, 4)
    vms = random_vms(6, 10)
    plan = place_batch(placement_problem(hall, vms, 30.0))
    worst = 0.0
    for r in range(3):
        inside = [v for v in range(10) if hall.row[plan.slots[v]] == r]
        power = (1600 + 4900 * vms.load_p99[inside]).sum(axis=0)
        assert plan.row_peak_w[r] == pytest.approx(power.max())
        worst = max(worst, float((power / hall.row_budget_w[r]).max()))
        assert plan.saas_share[r] == pytest.approx(vms.saas[inside].mean())
    assert plan.z_power == pytest.approx(worst)
    assert plan.z_temperature == pytest.approx(np.nanmax(plan.hottest_c) / hall.t_max_c)
    assert plan.objective == pytest.approx(plan.z_power + 0.2 * plan.z_temperature)
    assert plan.hottest_vm == int(np.nanargmax(plan.hottest_c))
