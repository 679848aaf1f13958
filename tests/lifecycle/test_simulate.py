"""Policies forward in time: against a plain loop, against the constraints, and draw by draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.placement import Placement
from aiplan.planners.lifecycle.policies import BASELINE, LAZY, Policy, by_generation, fixed, rate_per_s, schedule
from aiplan.planners.lifecycle.simulate import outcome, simulate
from aiplan.planners.lifecycle.world import Clock, World
from tests.lifecycle.fleets import ALL, FINANCE, LIMITS, OWNED, broken, draw, drawn
from tests.lifecycle.worlds import Setup, changed, reference_world, small_world


def test_the_check_finds_what_is_broken() -> None:
    problem, plan, short = simulate(small_world(), BASELINE)
    assert not broken(problem, plan, short)
    for name, factor in (("serve", 1.001), ("use", 0.99), ("use", 3.0), ("halls_w", 0.9), ("buy", 0.9)):
        assert broken(problem, replace(plan, **{name: getattr(plan, name) * factor}), short)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("placement", ["aware", "uniform"])
def test_plans_keep_all_constraints(limit: str, classes: int, placement: Placement) -> None:
    fallen = np.array([100.0, 150, 150, 60, 70, 200])[:, None]
    for demand in (fallen * np.ones(classes), fallen * np.array([1.0, 0.6][:classes])):
        for rent in (np.inf, 3e5):
            world = small_world(classes=classes, demand_per_s=demand, rent_usd_per_year=np.full((6, classes), rent),
                                **LIMITS[limit])  # fmt: skip
            for policy in ALL:
                for owned in (None, OWNED):
                    found = simulate(world, policy, owned, placement)
                    assert not broken(*found), (policy.name, owned is None, broken(*found))
                    assert bool(found[2].feasible) == (float(found[2].per_s.max()) < 1e-6)
                    if rent < np.inf:
                        assert found[2].feasible


def bought_plainly(world: World, policy: Policy) -> tuple[Array, Array]:
    """Servers bought and power of halls opened by a loop over periods, vintages one by one; one class, no limits."""
    power = simulate(world, policy)[0].power_w
    chosen = schedule(world, policy)
    T = world.clock.periods
    fleet: dict[int, float] = {}
    bought, opened = np.zeros(T), np.zeros(T)
    for t in range(T):
        for k in list(fleet):
            age = t - k
            rate = float(world.upkeep.failures_per_year[min(age - 1, len(world.upkeep.failures_per_year) - 1)])
            fleet[k] *= (1 - rate) ** world.clock.dt_years
            life = world.generations.life_years[chosen.vintages.generation[k]]
            if not chosen.keeps[k, t] or age * world.clock.dt_years >= life - 1e-9:
                del fleet[k]
        demand = float(world.demand_per_s[t, 0]) * (1 + world.reserve_fraction)
        rate_of = {k: each(world, int(chosen.vintages.generation[k]), t) for k in [*fleet, t]}
        missing = demand - sum(n * rate_of[k] for k, n in fleet.items())
        bought[t] = max(missing / rate_of[t], 0.0)
        fleet[t] = bought[t]
        used = sum(n * float(power[k]) for k, n in fleet.items())
        opened[t] = max(used - opened.sum(), 0.0)
    return bought, opened


def each(world: World, g: int, t: int) -> float:
    """Requests/s of a server of a generation in a period."""
    site = world.site
    left = float(site.throughput[g]) * (1 - float(site.derate[g])) * world.utilisation
    return float(world.generations.capacity_per_s[g, 0]) * left * float(world.efficiency[t])


@pytest.mark.parametrize("policy", [policy for policy in ALL if policy is not LAZY], ids=lambda policy: policy.name)
def test_a_plain_loop_buys_the_same(policy: Policy) -> None:
    half = replace(small_world(16), clock=Clock(2026.0, 16, 0.5))
    for world in (small_world(8), half, reference_world(Setup(**FINANCE, afr=0.04, at_full_load=False))):
        if policy.rule == "per-generation" and len(world.generations.names) != 3:
            continue
        if not schedule(world, policy).buys.all():
            continue
        plan = simulate(world, policy)[1]
        bought, opened = bought_plainly(world, policy)
        assert plan.buy == pytest.approx(bought, rel=1e-9, abs=1e-9)
        assert plan.halls_w == pytest.approx(opened, rel=1e-9, abs=1e-3)


@pytest.mark.parametrize("limit", ["none", "all"])
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("placement", ["aware", "uniform"])
def test_draws_are_the_same_side_by_side_and_one_by_one(limit: str, classes: int, placement: Placement) -> None:
    worlds = drawn(small_world(classes=classes, **LIMITS[limit]), 5)
    for policy in ALL:
        together = outcome(worlds, policy, OWNED, placement)
        for row in range(5):
            alone = outcome(draw(worlds, row), policy, OWNED, placement)
            assert not broken(alone.problem, alone.plan, alone.shortfall), (policy.name, row)
            for name in ("buy", "serve", "use", "halls_w", "rent_per_s"):
                wide = np.broadcast_to(getattr(together.plan, name), (5, *getattr(alone.plan, name).shape))
                np.testing.assert_allclose(wide[row], getattr(alone.plan, name), rtol=1e-9, atol=1e-9)
            assert together.money.total()[row] == pytest.approx(float(alone.money.total()), rel=1e-9)
            assert together.shortfall.feasible[row] == alone.shortfall.feasible


def test_lazy_lets_the_least_go_when_demand_falls() -> None:
    demand = np.array([100.0, 200, 120, 120, 120, 120])[:, None]
    world = small_world(afr=0.0, demand_per_s=demand, efficiency=np.ones(6))
    problem, plan, short = simulate(world, LAZY, OWNED)
    assert short.feasible
    capacity = (plan.serve[..., None] * problem.capacity_per_s).sum(axis=0)[:, 0]
    assert capacity == pytest.approx(problem.demand_per_s[:, 0])
    # Owned old ones have the least requests/s per watt and go first, then the owned of the next generation.
    assert plan.serve[0, 2] == 0
    order = rate_per_s(problem.capacity_per_s[:, 0]) / problem.power_w
    gone = [k for k in range(4) if plan.serve[k, 2] < plan.serve[k, 1] - 1e-9]
    assert order[gone].max() <= order[[k for k in range(4) if k not in gone]].min() + 1e-12
    kept = simulate(world, fixed(8.0), OWNED)[1]
    assert kept.serve[0, 1] > 0


def test_lazy_makes_room_where_power_binds() -> None:
    world = small_world(afr=0.0, most_w=np.array(500e3), efficiency=np.ones(6))
    problem, plan, short = simulate(world, LAZY)
    stuck = simulate(world, fixed(8.0))[2]
    assert plan.serve[0, -1] < plan.buy[0]  # mid gave way to new
    assert short.per_s.sum() < stuck.per_s.sum()
    # No more went than had to: until the site is full of the best, all demand is served.
    best = 500e3 / float(problem.power_w[2]) * float(problem.capacity_per_s[2, 0, 0])
    reachable = problem.demand_per_s[2:, 0] <= best * (1 - 1e-9)
    assert (short.per_s[2:, 0][reachable] < 1e-6).all()
    assert short.per_s[2:, 0][~reachable] == pytest.approx(problem.demand_per_s[2:, 0][~reachable] - best, rel=1e-6)
    full = (plan.serve * problem.power_w[:, None]).sum(axis=0)
    early = plan.serve[0, :] < plan.buy[0] - 1e-9
    assert full[early] == pytest.approx(500e3)


def test_lazy_swaps_no_more_than_it_must() -> None:
    # 100 requests/s of mid, then a little more than fits: some mid go, the site is full and the demand is just met.
    demand = np.array([100.0, 100, 115, 115, 120, 125])[:, None]
    world = small_world(afr=0.0, efficiency=np.ones(6), demand_per_s=demand, budget_usd=np.full(6, 1e9))
    full = float(simulate(world, LAZY)[1].halls_w[0]) * 1.02
    for tight in (
        {"most_w": np.array(full)},
        {"most_w": np.array(full), "most_racks_count": 1e3},
        {"most_racks_count": float(simulate(world, LAZY)[1].buy[0]) * 1.02},
        {"most_racks_count": float(simulate(world, LAZY)[1].buy[0]) * 1.02, "most_w": np.array(1e7)},
    ):
        problem, plan, short = simulate(changed(world, **tight), LAZY)
        assert short.feasible
        assert 0 < plan.serve[0, 2] < plan.serve[0, 1] - 0.1
        work = (plan.serve[..., None] * problem.capacity_per_s).sum(axis=0)[:, 0]
        assert work[2:] == pytest.approx(problem.demand_per_s[2:, 0])
        if "most_racks_count" not in tight or "most_w" not in tight:
            limit = tight.get("most_w", tight.get("most_racks_count"))
            size = problem.power_w if "most_w" in tight else problem.racks_count
            assert float((size * plan.serve[:, 2]).sum()) == pytest.approx(float(np.asarray(limit)))
    plans = [
        simulate(changed(world, most_racks_count=60.0, most_w=np.array(watts)), LAZY)[1] for watts in (1e9, np.inf)
    ]
    np.testing.assert_allclose(plans[0].serve, plans[1].serve, rtol=1e-9)


def test_lazy_lets_none_go_that_cannot_be_replaced() -> None:
    world = small_world(afr=0.0, efficiency=np.ones(6), most_w=np.array(500e3))
    tight = changed(world, budget_usd=np.array([1e9, 1e9, 1e6, 1e6, 1e6, 1e6]))
    lazy, kept = (simulate(tight, policy)[2].per_s for policy in (LAZY, fixed(8.0)))
    assert (lazy <= kept * (1 + 1e-9) + 1e-9).all()
    assert lazy.sum() < kept.sum()


def test_what_has_no_room_is_rented_or_missed() -> None:
    tight = small_world(most_w=np.array(400e3))
    problem, plan, short = simulate(tight, BASELINE)
    assert not short.feasible
    assert plan.rent_per_s.max() == 0
    rented = changed(tight, rent_usd_per_year=np.full((6, 1), 5e4))
    _, plan2, short2 = simulate(rented, BASELINE)
    assert short2.feasible
    assert plan2.rent_per_s == pytest.approx(short.per_s)
    done = (plan2.use * problem.capacity_per_s).sum(axis=0) + plan2.rent_per_s
    assert done == pytest.approx(problem.demand_per_s)


def test_skipping_everything_is_shown_as_missing() -> None:
    found = outcome(small_world(), by_generation([0.0, 0.0, 0.0]))
    assert not found.shortfall.feasible
    assert found.shortfall.per_s == pytest.approx(found.problem.demand_per_s)
    assert float(found.money.total()) == 0.0


def test_owned_servers_over_the_limits_go_at_the_start() -> None:
    world = small_world(most_racks_count=40.0)
    problem, plan, short = simulate(world, LAZY, OWNED)
    assert not broken(problem, plan, short)
    assert plan.serve[:2, 0].sum() <= 40.0 + 1e-9
    assert plan.serve[1, 0] > 0  # the newer of the two stays
