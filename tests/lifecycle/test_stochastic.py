"""Several futures: second methods, limits that are known, and what is reported when a plan fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle import decomposition
from aiplan.planners.lifecycle.decomposition import representatives
from aiplan.planners.lifecycle.extensive import scenarios
from aiplan.planners.lifecycle.optimise import optimise
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.recourse import outcome
from aiplan.planners.lifecycle.stochastic import cvar, least_regret, mean_world, two_stage
from aiplan.planners.lifecycle.verify import verify
from aiplan.planners.lifecycle.world import World
from tests.lifecycle.worlds import Setup, changed, flexible, reference_world, small_world

RENT = 3e5


def growing(growth: float, rent: float = RENT, **changes: Any) -> World:
    demand = 100.0 * growth ** np.arange(6)
    # Halls that stand already cost staff, which no decision changes.
    return small_world(demand_per_s=demand[:, None], standing_w=1e5, rent_usd_per_year=np.full((6, 1), rent), **changes)


GROWTHS = (0.9, 1.1, 1.25, 1.5)


def problems(rent: float = RENT) -> list[Problem]:
    return [flexible(growing(growth, rent)) for growth in GROWTHS]


def test_one_scenario_is_the_optimum() -> None:
    made = flexible(growing(1.2))
    found = two_stage([made], expected=made)
    assert found.expected_usd == pytest.approx(optimise(made).objective_usd, rel=1e-9)
    assert found.evpi == pytest.approx(0, abs=1e-9)
    assert found.vss == pytest.approx(0, abs=1e-9)
    assert found.cvar_usd == pytest.approx(found.expected_usd)


def test_scenarios_that_are_equal_need_no_information() -> None:
    found = two_stage([flexible(growing(1.2))] * 3, np.array([0.5, 0.3, 0.2]))
    assert found.evpi == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.cost_usd, found.cost_usd[0], rtol=1e-9)


def test_a_first_stage_is_common_and_every_plan_keeps_the_rules() -> None:
    made = problems()
    found = two_stage(made)
    for one, plan in zip(made, found.plans, strict=True):
        assert verify(one, plan) == ()
        early = one.vintages.bought < 2
        np.testing.assert_allclose(plan.buy[early], found.first.servers, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(plan.halls_w[:2], found.first.halls_w, rtol=1e-9, atol=1e-6)
    assert found.expected_usd == pytest.approx(found.cost_usd.mean(), rel=1e-9)
    assert found.gap < 1e-8
    # Later decisions differ: that is what the second stage is for.
    assert np.ptp([plan.buy[one.vintages.bought >= 2].sum() for one, plan in zip(made, found.plans, strict=True)]) > 1


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_values_of_information_and_of_the_stochastic_plan(stage: int) -> None:
    made = problems()
    mean = flexible(mean_world([one.world for one in made]))
    found = two_stage(made, stage_periods=stage, expected=mean)
    assert found.evpi >= -1e-9
    assert found.vss is not None
    assert found.vss >= -1e-9
    assert found.mean_plan_usd == pytest.approx(found.expected_usd * (1 + found.vss), rel=1e-9)
    each = np.array([optimise(one).objective_usd for one in made])
    np.testing.assert_allclose(found.alone_usd, each, rtol=1e-9)
    assert found.evpi == pytest.approx((found.expected_usd - each.mean()) / found.expected_usd, abs=1e-9)
    assert (found.cost_usd >= each * (1 - 1e-9)).all()


def test_a_longer_first_stage_never_costs_less() -> None:
    costs = [two_stage(problems(), stage_periods=stage).expected_usd for stage in (1, 2, 3, 6)]
    assert costs == sorted(costs)
    assert costs[-1] > costs[0] * 1.001


def test_cheap_rent_makes_knowing_worthless() -> None:
    """Reference 6.5: with cheap rental recourse both values are 0."""
    made = problems(rent=2e4)
    found = two_stage(made, expected=flexible(mean_world([one.world for one in made])))
    assert found.evpi == pytest.approx(0, abs=1e-9)
    assert found.vss == pytest.approx(0, abs=1e-9)


def test_a_newsvendor_by_hand() -> None:
    """One period of a machine to buy now, demand 1 or 3 then; renting what is missing costs four times buying.

    Buying 3 costs 3 c always; buying 1 costs c + p 4 c 2, so that 3 is best where p > 1/4.
    """

    def world(demand: float) -> World:
        made = small_world(
            2, accounting="paper", rate=0.0, afr=0.0, demand_per_s=np.array([[1e-9], [demand]]), efficiency=np.ones(2),
            price_usd=np.full((3, 2), 100.0), hosts=np.array([False, True, False]),
            last_sale_years=np.zeros(3), utilisation=1.0, reserve_fraction=0.0,
            rent_usd_per_year=np.array([[1e6], [400.0]]),
        )  # fmt: skip
        none = np.zeros(3)
        return changed(
            made, capacity_per_s=np.ones((3, 1)), derate=none, network_usd=none, network_usd_per_year=none,
            hall_usd_per_w={}, maintenance_usd_per_year=none, software_usd_per_year=none, decommission_usd=none,
            staff_usd_per_w_year=np.array(0.0), energy_usd_per_kwh=np.zeros(2), embodied_kg=none,
            demand_usd_per_kw_month=np.zeros((1, 2)), water_usd_per_m3=np.zeros(2), carbon_usd_per_kg=np.zeros(2),
        )  # fmt: skip

    made = [flexible(world(1.0)), flexible(world(3.0))]
    for p, servers, cost in ((0.1, 1.0, 100 + 0.1 * 800), (0.5, 3.0, 300.0)):
        found = two_stage(made, np.array([1 - p, p]), stage_periods=1)
        assert found.first.servers.sum() == pytest.approx(servers, rel=1e-6)
        assert found.expected_usd == pytest.approx(cost, rel=1e-6)
        assert found.evpi == pytest.approx(1 - ((1 - p) * 100 + p * 300) / cost, rel=1e-5)
    # Regret of buying b: 100 (b - 1) in the low scenario, 300 (3 - b) in the high one; equal at b = 2.5.
    regret = least_regret(made, stage_periods=1)
    assert regret.first.servers.sum() == pytest.approx(2.5, rel=1e-6)
    np.testing.assert_allclose(regret.regret_usd, 150.0, rtol=1e-5)
    # Risk: the mean of the worst 5 % is the high scenario.
    assert two_stage(made, np.array([0.9, 0.1]), stage_periods=1).cvar_usd == pytest.approx(900.0, rel=1e-6)


def test_a_mean_plan_that_fails_is_reported() -> None:
    """Without rent the purchases of the mean scenario leave the one of strong growth without a plan."""
    made = [flexible(growing(growth, np.inf)) for growth in GROWTHS]
    found = two_stage(made, expected=flexible(mean_world([one.world for one in made])))
    assert 3 in found.mean_plan_failed
    assert found.mean_plan_usd == np.inf
    assert found.vss == np.inf
    assert np.isfinite(found.expected_usd)


@pytest.mark.parametrize("rent", [RENT, np.inf])
@pytest.mark.parametrize("few", [1, 8])
def test_planes_find_what_one_programme_finds(rent: float, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a good start, and from the plan of one scenario, which without rent leaves others without a plan."""
    monkeypatch.setattr(decomposition, "REPRESENTATIVES", few)
    made = problems(rent)
    one, other = (two_stage(made, method=method) for method in ("extensive", "decomposed"))
    assert other.expected_usd == pytest.approx(one.expected_usd, rel=2e-5)
    assert other.bound_usd <= one.expected_usd * (1 + 1e-9)
    assert other.gap <= 1.01e-5
    assert other.rounds > 1
    exact, planes = (least_regret(made, method=method) for method in ("extensive", "decomposed"))
    assert abs(planes.worst_usd - exact.worst_usd) <= 2e-5 * exact.alone_usd.mean()
    assert planes.bound_usd <= exact.worst_usd * (1 + 1e-6)


def test_least_regret_is_least() -> None:
    made = problems()
    best, usual = least_regret(made), two_stage(made)
    assert best.worst_usd == pytest.approx(best.bound_usd, rel=1e-6)
    assert best.worst_usd <= (usual.cost_usd - usual.alone_usd).max() * (1 + 1e-9)
    assert float(best.cost_usd.mean()) >= usual.expected_usd * (1 - 1e-9)
    assert (best.regret_usd >= -1e-6 * best.alone_usd).all()
    # No first stage drawn at random has a smaller worst regret.
    set_ = scenarios(made)
    rng = np.random.Generator(np.random.PCG64(5))
    count = len(set_.stage.bought)
    base = np.concatenate([best.first.servers, best.first.halls_w]) / set_.stage.scale
    for _ in range(10):
        point = base * rng.uniform(0.8, 1.3, len(base))
        point[:count] += rng.uniform(0, 0.5, count)
        assert (outcome(set_, point).cost_usd - best.alone_usd).max() >= best.worst_usd * (1 - 1e-9)


def test_a_scenario_without_a_plan_is_named() -> None:
    made = [flexible(growing(1.1)), flexible(growing(1.1, np.inf, most_w=np.array(1e4)))]
    with pytest.raises(InfeasibleError, match="scenario 2"):
        two_stage(made)


def test_what_is_not_on_sale_in_every_scenario_is_not_bought_at_first() -> None:
    """The middle generation, the better buy of a strong growth, may come later than the first stage."""
    strong = flexible(growing(2.0))
    early = (strong.vintages.bought < 2) & (strong.vintages.generation == 1)
    assert optimise(strong).plan.buy[early].sum() > 1
    found = two_stage([strong, flexible(growing(1.2, available_years=np.array([-2.0, 1.5, 2.0])))])
    assert all(generation == 0 for generation, _ in found.first.bought)
    assert found.plans[0].buy[early].sum() == pytest.approx(0, abs=1e-9)


def test_scenarios_that_cannot_stand_together() -> None:
    made = flexible(growing(1.2))
    with pytest.raises(ValueError, match="a scenario"):
        scenarios([])
    with pytest.raises(ValueError, match="one clock"):
        scenarios([made, flexible(small_world(5))])
    with pytest.raises(ValueError, match="add up to 1"):
        scenarios([made, made], np.array([0.5, 0.6]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0, 1e9), min_size=1, max_size=30), st.floats(0.0, 0.99))
def test_cvar_of_equal_chances_is_a_mean_of_the_worst(costs: list[float], tail: float) -> None:
    cost = np.array(costs)
    found = cvar(cost, np.full(len(cost), 1 / len(cost)), tail)
    # Rockafellar and Uryasev: least over levels of level + mean excess / (1 - tail), reached at one of the costs.
    levels = [level + np.maximum(cost - level, 0).mean() / (1 - tail) for level in cost]
    assert found == pytest.approx(min(levels), rel=1e-9, abs=1e-6)


def test_mean_world() -> None:
    worlds = [growing(1.0), growing(2.0)]
    mean = mean_world(worlds, np.array([0.25, 0.75]))
    expected = 100 * (0.25 + 0.75 * 2.0 ** np.arange(6))
    np.testing.assert_allclose(mean.demand_per_s[:, 0], expected)
    assert mean.generations.names == worlds[0].generations.names
    np.testing.assert_array_equal(mean.market.budget_usd, np.inf)
    with pytest.raises(ValueError, match="differ"):
        mean_world([worlds[0], replace(worlds[1], finance=replace(worlds[1].finance, booking="end"))])


def test_representatives_of_two_crowds() -> None:
    made = [flexible(growing(growth)) for growth in (1.0, 1.01, 1.02, 2.0, 2.02)]
    chosen, share = representatives(made, np.full(5, 0.2), 2)
    assert sorted(int(n) > 2 for n in chosen) == [False, True]
    np.testing.assert_allclose(sorted(share), [0.4, 0.6])


def many(count: int) -> list[Problem]:
    """Reference 6.5: demand growth log-normal around 25 %, hardware growth normal, rent 220 k$ per unit-year."""
    rng = np.random.Generator(np.random.PCG64(0))
    found = []
    base = Setup(accounting="finance", rate=0.08, resale=True, afr=0.04, ageing=0.05, classes=2, at_full_load=False)
    for _ in range(count):
        growth = float(np.exp(np.log(1.25) + 0.15 * rng.standard_normal()))
        speed, bandwidth = 1.35 + 0.1 * rng.standard_normal(), 1.25 + 0.07 * rng.standard_normal()
        world = reference_world(replace(base, growth=(speed, bandwidth, 1.12, 1.12)))
        demand: Array = np.repeat(300.0 * growth ** np.arange(15)[:, None], 2, axis=1)
        world = changed(world, demand_per_s=demand, rent_usd_per_year=np.full((15, 2), 220e3))
        found.append(flexible(world))
    return found


def test_forty_scenarios_are_solved_as_one_programme() -> None:
    found = two_stage(many(40))
    assert found.method == "extensive"
    assert 0 <= found.evpi < 0.03
    assert found.gap < 1e-8
