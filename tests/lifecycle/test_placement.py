"""Whether servers suffice and which work: against linear programmes and halving."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle import placement
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.placement import fit, place
from aiplan.planners.lifecycle.policies import (
    BASELINE,
    fixed,
)  # fmt: skip
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.simulate import simulate
from tests.lifecycle.fleets import ALL, OWNED, broken, drawn, total
from tests.lifecycle.worlds import changed, small_world

rates = st.just(0.0) | st.floats(0.01, 5.0)
counts = st.just(0.0) | st.floats(0.01, 20.0)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(rates, rates, counts), min_size=1, max_size=5), st.tuples(rates, rates),
       counts, counts)  # fmt: skip
def test_servers_missing_are_the_least_that_fit(
    fleet: list[tuple[float, float, float]], new: tuple[float, float], first: float, second: float
) -> None:
    capacity = np.array([[a, b] for a, b, _ in fleet] + [list(new)])
    n = np.array([count for *_, count in fleet] + [0.0])
    demand = np.array([first, second])
    K = len(n)
    rule = fit(capacity, "aware")
    found = max(float(rule.balance(n @ rule.effect, rule.wanted(demand), rule.effect[-1])), 0.0)
    # Columns: servers of each vintage on each class, then those to buy.
    cost = np.append(np.zeros(2 * K), 1.0)
    rows, limits = [], []
    for k in range(K):
        row = np.zeros(2 * K + 1)
        row[[k, K + k]] = 1.0
        row[-1] = -1.0 if k == K - 1 else 0.0
        rows.append(row)
        limits.append(n[k])
    for w in (0, 1):
        row = np.zeros(2 * K + 1)
        row[w * K : (w + 1) * K] = -capacity[:, w]
        rows.append(row)
        limits.append(-demand[w])
    solved = linprog(cost, A_ub=np.array(rows), b_ub=np.array(limits), bounds=(0, 1e7))
    if solved.status == 0:
        assert found == pytest.approx(solved.fun, rel=1e-6, abs=1e-5 * (1 + solved.fun))
    elif solved.status == 2:
        assert found > 1e6


@settings(max_examples=150, deadline=None)
@given(st.tuples(rates, rates), st.tuples(rates, rates), counts, st.floats(0.01, 30.0), st.floats(0.01, 30.0))
def test_time_shared_servers_missing_by_halving(
    old: tuple[float, float], new: tuple[float, float], n: float, first: float, second: float
) -> None:
    demand, effect = np.array([first, second]), np.array(new)
    rule = fit(np.array([old, new]), "uniform")
    supply = n * np.array(old)

    def load(count: float) -> float:
        whole = supply + count * effect
        return float((demand / whole).sum()) if (whole > 0).all() else np.inf

    found = float(rule.balance(supply, rule.wanted(demand), effect))
    low, high = 0.0, 1e9
    if load(low) <= 1:
        assert found <= 1e-9
    elif load(high) > 1:
        assert found > 1e8
    else:
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (low, middle) if load(middle) <= 1 else (middle, high)
        assert found == pytest.approx(high, rel=1e-6, abs=1e-9)
    share = float(rule.share(supply, rule.wanted(demand)))
    assert share == pytest.approx(min(1.0, 1.0 / load(0.0)) if load(0.0) < np.inf else 0.0)


def least_energy(problem: Problem, plan: Plan, t: int, more_w: Array) -> float:
    """Least power over idling of the servers in service in a period, by linear programming [W]."""
    K, W = more_w.shape
    rows = [np.tile(np.eye(K), W)]
    limits = [plan.serve[:, t]]
    done = np.zeros((W, K * W))
    for w in range(W):
        done[w, w * K : (w + 1) * K] = -problem.capacity_per_s[:, t, w]
    wanted = -(problem.demand_per_s[t] * (1 - 1e-9))
    solved = linprog(more_w.T.ravel(), A_ub=np.vstack([*rows, done]), b_ub=np.concatenate([*limits, wanted]))
    assert solved.status == 0
    return float(solved.fun)


@pytest.mark.parametrize("classes", [1, 2])
def test_aware_placement_uses_little_energy(classes: int) -> None:
    world = small_world(8, classes=classes)
    gens = world.generations
    gaps, saved = [], []
    for policy in ALL:
        problem, plan, short = simulate(world, policy)
        more = (gens.active_w - gens.idle_w[:, None])[problem.vintages.generation] * 0.95
        if not short.feasible:
            continue
        other = simulate(world, policy, placement="uniform")
        for t in range(8):
            used, least = float((plan.use[:, t] * more).sum()), least_energy(problem, plan, t, more)
            gaps.append(used / least - 1)
        alike = place(problem, plan.serve, problem.demand_per_s, "uniform") if classes == 1 else other[1].use
        saved.append(float((plan.use * more[:, None]).sum()) <= float((alike * more[:, None]).sum()) * (1 + 1e-9))
    assert min(gaps) > -1e-6
    assert max(gaps) < 1e-6
    assert all(saved)


def test_two_classes_with_servers_to_spare_use_little_energy() -> None:
    falling = np.array([100.0, 90, 80, 70, 60, 50, 40, 30])[:, None]
    gaps = []
    for ratio in (1.0, 0.5, 0.2):
        world = small_world(8, classes=2, demand_per_s=falling * np.array([1.0, ratio]), life_years=np.full(3, 8.0))
        gens = world.generations
        problem, plan, _ = simulate(world, fixed(8.0), OWNED)
        more = (gens.active_w - gens.idle_w[:, None])[problem.vintages.generation] * 0.95
        gaps += [float((plan.use[:, t] * more).sum()) / least_energy(problem, plan, t, more) - 1 for t in range(8)]
        assert plan.use[0].sum() < 0.5 * plan.serve[0].sum()  # the old ones idle
    assert max(gaps) < 1e-6


def test_two_classes_on_servers_made_up_at_random() -> None:
    rng, gaps = np.random.default_rng(0), []
    for _ in range(20):
        world = small_world(8, classes=2)
        gens = world.generations
        active, capacity = (
            each * np.exp(rng.normal(0.0, 0.4, (3, 2))) for each in (gens.active_w, gens.capacity_per_s)
        )
        world = changed(
            world, demand_per_s=80.0 * np.exp(rng.normal(0.0, 0.4, (8, 2))), life_years=np.full(3, 8.0),
            active_w=np.maximum(active, 1.2 * gens.idle_w[:, None]), capacity_per_s=capacity,
        )  # fmt: skip
        problem, plan, short = simulate(world, fixed(8.0), OWNED)
        assert not broken(problem, plan, short)
        more = (world.generations.active_w - gens.idle_w[:, None])[problem.vintages.generation] * 0.95
        gaps += [float((plan.use[:, t] * more).sum()) / least_energy(problem, plan, t, more) - 1 for t in range(8)]
    assert min(gaps) > -1e-6
    assert 0.01 < np.mean(gaps) < 0.10  # what the docstring of `place` says


def test_knowing_the_servers_needs_no_more_of_them() -> None:
    world = small_world(classes=2)
    aware, alike = (simulate(world, BASELINE, OWNED, placement)[1] for placement in ("aware", "uniform"))
    assert aware.buy[2] <= alike.buy[2] * (1 + 1e-12)
    assert total(world, BASELINE) <= total(world, BASELINE, placement="uniform") * (1 + 1e-12)


def test_one_class_is_filled_with_the_least_energy_first() -> None:
    world = small_world(afr=0.0, efficiency=np.ones(6), demand_per_s=np.array([50.0, 60, 90, 40, 40, 40])[:, None])
    problem, plan, _ = simulate(world, fixed(8.0), OWNED)
    gens = world.generations
    energy = ((gens.active_w[:, 0] - gens.idle_w) / gens.capacity_per_s[:, 0])[problem.vintages.generation]
    for t in range(6):
        idle = plan.use[:, t, 0] < plan.serve[:, t] - 1e-9
        works = plan.use[:, t, 0] > 1e-9
        if idle.any() and works.any():
            assert energy[works].max() <= energy[idle].min() + 1e-9


@pytest.mark.parametrize("classes", [1, 2])
def test_periods_and_draws_are_placed_each_by_itself(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = drawn(small_world(8, classes=classes), 5)
    for policy in (fixed(2.0), fixed(8.0)):  # few and many vintages stand at once
        problem, plan, _ = simulate(world, policy, OWNED)
        served = (plan.use * problem.capacity_per_s).sum(axis=-3)
        for t in range(8):
            alone = np.where(np.arange(8) == t, plan.serve, 0.0)
            found = place(problem, alone, served, "aware")
            assert found[..., t, :] == pytest.approx(plan.use[..., t, :], rel=1e-9, abs=1e-9)
            assert not np.delete(found, t, axis=-2).any()
        together = place(problem, plan.serve, served, "aware")
        monkeypatch.setattr(placement, "TOGETHER", 1)
        assert np.array_equal(place(problem, plan.serve, served, "aware"), together)
        monkeypatch.undo()


def placed_one_by_one(capacity: Array, n: Array, energy: Array, served: Array) -> Array:
    """Servers at work in one period, shape (K, 2): idle the dearest, then split by comparative advantage."""
    rule, left, found = fit(capacity, "aware"), n.copy(), np.zeros((len(n), 2))
    wanted = rule.wanted(served)
    for k in np.argsort(energy)[::-1]:
        left[k] -= np.clip(-float(rule.balance(left @ rule.effect, wanted, rule.effect[k])), 0.0, left[k])
    for w, order in ((0, np.argsort(-capacity[:, 0] / capacity[:, 1])), (1, np.argsort(energy))):
        lacks = float(served[w])
        for k in order:
            found[k, w] = min(left[k] - found[k, 0], max(lacks, 0.0) / capacity[k, w])
            lacks -= found[k, w] * capacity[k, w]
    return found


def test_two_classes_are_placed_as_by_a_plain_loop() -> None:
    rng, idle = np.random.default_rng(1), 0
    for _ in range(10):
        world = small_world(8, classes=2)
        active, capacity = (each * np.exp(rng.normal(0.0, 0.4, (3, 2)))
                            for each in (world.generations.active_w, world.generations.capacity_per_s))  # fmt: skip
        world = changed(world, active_w=active + 4e3, capacity_per_s=capacity, life_years=np.full(3, 8.0),
                        demand_per_s=80.0 * np.exp(rng.normal(0.0, 0.4, (8, 2))))  # fmt: skip
        problem, plan, short = simulate(world, fixed(8.0), OWNED)
        assert short.feasible
        more = (active + 4e3 - world.generations.idle_w[:, None])[problem.vintages.generation]
        # Vintages of one generation are equal but for a hair, by which the first of them is filled first.
        energy = (more / problem.capacity_per_s[:, 0]).sum(axis=-1) * (1 + 1e-9 * np.arange(len(more)))
        for t in range(8):
            bent = problem.capacity_per_s[:, t] * (1 - 1e-9 * np.outer(np.arange(len(more)), [1, 0]))
            want = placed_one_by_one(bent, plan.serve[:, t], energy, problem.demand_per_s[t] * (1 - 1e-8))
            assert plan.use[:, t] == pytest.approx(want, rel=1e-5, abs=1e-4)
            idle += want.sum() < plan.serve[:, t].sum() * (1 - 1e-3)
    assert idle > 20


def test_nothing_stands_and_nothing_is_placed() -> None:
    problem, plan, _ = simulate(small_world(classes=2), fixed(5.0))
    none = np.zeros(plan.serve.shape)
    assert not place(problem, none, np.zeros((6, 2)), "aware").any()


def test_three_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="one class or two"):
        fit(np.ones((2, 3)), "aware")
