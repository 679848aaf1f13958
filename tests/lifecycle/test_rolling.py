"""Planning again with what is known: consistent without surprise, between static and clairvoyant with one."""

from __future__ import annotations

import numpy as np
import pytest

from aiplan.planners.lifecycle.ledger import ledger
from aiplan.planners.lifecycle.optimise import optimise
from aiplan.planners.lifecycle.problem import Vintages, all_vintages, problem
from aiplan.planners.lifecycle.rolling import Carried, operated, rolling
from aiplan.planners.lifecycle.verify import verify
from aiplan.planners.lifecycle.world import Accounting, World
from tests.lifecycle.worlds import Setup, changed, flexible, reference_world, small_world

T_BREAK = 5


def copied(world: World) -> World:
    """An equal world that is another object, so that it is planned anew."""
    return changed(world, demand_per_s=world.demand_per_s.copy())


@pytest.mark.parametrize("accounting", ["paper", "finance"])
def test_without_surprise_planning_again_changes_nothing(accounting: Accounting) -> None:
    world = small_world(accounting=accounting)
    best = optimise(flexible(world)).objective_usd
    once = rolling([world] * 6, world)
    assert once.planned == (0,)
    assert once.cost_usd == pytest.approx(best, rel=1e-8)
    again = rolling([copied(world) for _ in range(6)], world)
    assert again.planned == tuple(range(6))
    assert again.cost_usd == pytest.approx(best, rel=1e-7)
    assert again.unmet_per_s.max() == 0


def test_with_lead_time_owned_servers_and_limits() -> None:
    world = small_world(lead_years=1.0, most_w=np.array(1.4e6), rent_usd_per_year=np.full((6, 1), 2e5))
    owned = Vintages(np.array([0]), np.array([-1]), np.array([40.0]), np.array([150e3]))
    again = rolling([copied(world) for _ in range(6)], world, owned)
    assert verify(again.problem, again.plan) == ()
    assert again.cost_usd == pytest.approx(float(ledger(again.problem, again.plan).total()), rel=1e-12)
    assert again.cost_usd == pytest.approx(optimise(again.problem).objective_usd, rel=1e-6)


def broken(kind: str, base: World) -> World:
    """Reference 2.5 with its values; hardware breaks by release date, never for machines already sold."""
    demand, gens = base.demand_per_s.copy(), base.generations
    release = gens.available_years
    first = int(np.searchsorted(release, T_BREAK))
    since = (release[first:] - T_BREAK)[:, None]
    if kind in ("shock", "contraction"):
        demand[T_BREAK:] = {"shock": 3.0, "contraction": 0.8}[kind] * demand[T_BREAK]
        return changed(base, demand_per_s=demand)
    if kind == "capability":
        capacity = gens.capacity_per_s.copy()
        capacity[first:] = np.maximum(capacity[first:], 3.0 * capacity[first - 1] * (1 + 0.05 * since))
        return changed(base, capacity_per_s=capacity)
    price = gens.price_usd.copy()
    price[first:] = np.minimum(price[first:], 0.6 * price[first - 1, 0] * (1 + 0.1 * since))
    return changed(base, price_usd=price)


def three(base: World, truth: World) -> tuple[Carried, Carried, float]:
    """A plan that is kept, one that is made anew at the break, and the cost of the one that knew."""
    vintages = all_vintages(truth)
    static = operated(problem(truth, vintages), optimise(problem(base, vintages)).plan)
    adaptive = rolling([base] * T_BREAK + [truth] * (truth.clock.periods - T_BREAK), truth)
    return static, adaptive, optimise(problem(truth, vintages)).objective_usd


@pytest.mark.parametrize("kind", ["shock", "contraction", "capability", "price"])
@pytest.mark.parametrize("accounting", ["book", "finance"])
def test_adapting_lies_between_standing_still_and_knowing(kind: str, accounting: Accounting) -> None:
    setup = Setup(accounting=accounting, rate=0.08 if accounting == "finance" else 0.0, resale=accounting == "finance")
    base = reference_world(setup)
    truth = broken(kind, base)
    static, adaptive, clairvoyant_usd = three(base, truth)
    assert adaptive.planned == (0, T_BREAK)
    assert adaptive.unmet_per_s.max() == 0
    assert adaptive.cost_usd >= clairvoyant_usd * (1 - 1e-9)
    if kind == "shock":
        # Standing still leaves demand unserved from the break on, so that its cost compares with nothing.
        assert static.unmet_per_s[T_BREAK:].sum() > 100
        assert static.unmet_per_s[:T_BREAK].sum() == 0
    else:
        assert static.unmet_per_s.max() == 0
        assert adaptive.cost_usd < static.cost_usd
    # What was decided before the break is that of who did not know.
    early = adaptive.problem.vintages.bought < T_BREAK
    np.testing.assert_allclose(adaptive.plan.buy[early], static.plan.buy[early], rtol=1e-7, atol=1e-7)


def test_not_knowing_costs_something_without_resale() -> None:
    """Without resale, what was bought too early before a fall of demand is lost."""
    base = reference_world(Setup(accounting="paper"))
    truth = changed(base, demand_per_s=np.where(np.arange(15)[:, None] < T_BREAK, 1.0, 0.3) * base.demand_per_s)
    static, adaptive, clairvoyant_usd = three(base, truth)
    assert adaptive.cost_usd > 1.001 * clairvoyant_usd
    assert static.cost_usd > adaptive.cost_usd


def test_demand_that_cannot_be_served_any_more_is_left_out_and_said() -> None:
    base = small_world(most_w=np.array(1.2e6))
    truth = changed(base, demand_per_s=base.demand_per_s * np.where(np.arange(6) < 3, 1.0, 3.0)[:, None])
    found = rolling([base] * 3 + [truth] * 3, truth)
    assert found.unmet_per_s[:3].max() == 0
    assert found.unmet_per_s[3:].min() > 0
    served = (found.problem.capacity_per_s * found.plan.use).sum(axis=0)
    np.testing.assert_allclose(served + found.unmet_per_s, found.problem.demand_per_s, rtol=1e-5)


def test_carrying_out_the_best_plan_is_the_best() -> None:
    made = flexible(small_world())
    best = optimise(made)
    found = operated(made, best.plan)
    assert found.cost_usd == pytest.approx(best.objective_usd, rel=1e-9)
    assert found.unmet_per_s.max() == 0


def test_beliefs_that_do_not_fit() -> None:
    world = small_world()
    with pytest.raises(ValueError, match="one belief per period"):
        rolling([world] * 5, world)
    with pytest.raises(ValueError, match="one clock"):
        rolling([small_world(5)] * 6, world)
