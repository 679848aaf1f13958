"""Policies forward in time: against a plain loop, against the constraints, against the reference's table 6.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import Plan, retired
from aiplan.planners.lifecycle.optimise import optimise
from aiplan.planners.lifecycle.placement import Placement
from aiplan.planners.lifecycle.policies import (
    BASELINE,
    LAZY,
    POLICIES,
    Policy,
    by_generation,
    extended,
    fixed,
    rate_per_s,
    schedule,
    skipping,
)  # fmt: skip
from aiplan.planners.lifecycle.problem import Problem, Vintages, all_vintages, problem
from aiplan.planners.lifecycle.search import best_lives
from aiplan.planners.lifecycle.simulate import Shortfall, capital_usd, outcome, simulate
from aiplan.planners.lifecycle.world import Accounting, Clock, World
from tests.lifecycle.worlds import HIST, Setup, changed, reference_world, small_world

FIVE = [*POLICIES[::2], by_generation([2.0, 5.0, 3.0])]
ALL = [*POLICIES, by_generation([2.0, 5.0, 3.0]), by_generation([0.0, 4.0, 0.0])]
OWNED = Vintages(np.array([0, 1]), np.array([-2, -1]), np.array([60.0, 15.0]), np.array([1.4e5, 2.4e5]))
HIST_LINES: dict[str, Any] = {"known": HIST, "start": 2016.0, "growth": None}
NEAR = 1e-9
MODES: tuple[Accounting, ...] = ("paper", "book", "finance")
LIMITS: dict[str, dict[str, Any]] = {
    "none": {},
    "site": {"most_w": np.array(900e3)},
    "standing": {"most_w": np.array(900e3), "standing_w": 400e3},
    "racks": {"most_racks_count": 90.0},
    "budget": {"budget_usd": np.full(6, 9e6)},
    "budget, lead": {"budget_usd": np.full(6, 9e6), "lead_years": 2.0},
    "all": {"most_w": np.array(1000e3), "most_racks_count": 95.0, "budget_usd": np.full(6, 12e6)},
    "short halls": {"hall_life_years": 2.0, "budget_usd": np.array([4e7, 4e7, 2e6, 2e6, 9e6, 9e6])},
}
FINANCE: dict[str, Any] = {"accounting": "finance", "rate": 0.08, "resale": True}


def total(world: World, policy: Policy, **how: Any) -> float:
    """Present value of a policy that serves everything."""
    found = outcome(world, policy, **how)
    assert found.shortfall.feasible.all()
    return float(found.money.total())


# Table 6.2 of the reference: baseline in B$, then changes in % of fix3, fix4, fix6, fix8 and replace on new.
TABLE_62 = {
    "hist, no terminal": (Setup(**HIST_LINES, accounting="paper"), 1.476, (14.6, 4.0, -16.1, -23.1, 145.0)),
    "hist, book": (Setup(**HIST_LINES), 0.962, (24.2, 7.8, -7.2, -9.5, 207.0)),
    "hist, finance": (Setup(**HIST_LINES, **FINANCE), 0.470, (6.1, 2.1, -5.8, -8.0, 37.0)),
    "fwd, book": (Setup(), 0.718, (28.1, 9.2, -5.8, -11.1, 209.0)),
    "fwd, linear": (Setup(growth=None), 1.686, (35.4, 11.8, -7.6, -16.4, 269.0)),
    "fwd, slow": (Setup(growth=(1.2, 1.15, 1.1, 1.1)), 1.131, (32.3, 10.7, -6.9, -14.3, 242.0)),
    "fwd, fast": (Setup(growth=(1.6, 1.4, 1.12, 1.12)), 0.432, (19.8, 6.3, -3.5, -5.7, 152.0)),
    "fwd, finance, ageing": (Setup(**FINANCE, afr=0.04, ageing=0.05), 0.448, (5.0, 1.8, -0.9, -1.6, 31.0)),
}  # fmt: skip
# The table's rows choose quantities with foresight, so that a fleet about to be replaced is not filled up before.
# Without a terminal value, and where demand jumps, that matters: up to 2.5 % of the baseline and 6 points.
FORESIGHT = {"hist, no terminal": (0.03, 6.0)}
# These rows also credit the resale of failed servers: their baseline is lower by that (reference, note under 6.2).
FORESIGHT["fwd, finance, ageing"] = (0.07, 1.3)


@pytest.mark.parametrize("row", TABLE_62)
def test_table_of_refresh_policies(row: str) -> None:
    setup, base_busd, want = TABLE_62[row]
    world = reference_world(setup)
    base = total(world, BASELINE)
    got = [
        100 * (total(world, policy) / base - 1) for policy in (*(fixed(n) for n in (3.0, 4.0, 6.0, 8.0)), skipping(0))
    ]
    near, points = FORESIGHT.get(row, (0.01, 1.0))
    assert base / 1e9 == pytest.approx(base_busd, rel=near)
    assert np.sign(got).tolist() == np.sign(want).tolist()
    assert np.argsort(got).tolist() == np.argsort(want).tolist()
    assert np.abs(np.array(got) - want).max() < points


def test_fast_hardware_under_finance_favours_short_lives() -> None:
    # Reference 6.3, reading 5: the one exception in sign, fix3 -1.0 % and fix8 +4.1 %.
    setup = Setup(**FINANCE, afr=0.04, ageing=0.05, growth=(1.6, 1.4, 1.12, 1.12), network_share=0.12,
                  network_year=1500.0, maintenance=7.5e3, energy_usd_per_mwh=50.0, demand_charge=14.57)  # fmt: skip
    world = reference_world(setup)
    base = total(world, BASELINE)
    assert 100 * (total(world, fixed(3.0)) / base - 1) == pytest.approx(-1.0, abs=1.0)
    assert 100 * (total(world, fixed(8.0)) / base - 1) == pytest.approx(4.1, abs=1.0)


def broken(problem: Problem, plan: Plan, short: Shortfall) -> list[str]:
    """Constraints of a problem that a plan of one draw breaks, by themselves and not by the simulator's sums."""
    size = 1.0 + float(plan.serve.max(initial=0.0))
    found = [*broken_fleet(problem, plan, size), *broken_site(problem, plan, short, size)]
    if min(plan.halls_w.min(), plan.rent_per_s.min(), short.per_s.min(), plan.buy.min()) < 0:
        found.append("negative")
    if retired(problem, plan).min() < -NEAR * size:
        found.append("servers come back")
    return found


def broken_fleet(problem: Problem, plan: Plan, size: float) -> list[str]:
    """What is wrong with single vintages."""
    found = []
    K, T, _ = plan.use.shape
    vintages = problem.vintages
    survival = np.broadcast_to(problem.survival, (K, T))
    serves = np.broadcast_to(problem.serves, (K, T))
    for k in range(K):
        bought = int(vintages.bought[k])
        if plan.buy[k] > 0 and not problem.allowed[k]:
            found.append(f"{k} cannot be bought")
        for t in range(T):
            before = float(vintages.owned[k]) if t == 0 else plan.serve[k, t - 1]
            most = 0.0 if t < bought else plan.buy[k] if t == bought else survival[k, t] * before
            if not -NEAR * size <= plan.serve[k, t] <= (most if serves[k, t] else 0.0) + NEAR * size:
                found.append(f"{k} in {t}: {plan.serve[k, t]} of {most}")
            if plan.use[k, t].min() < 0 or plan.use[k, t].sum() > plan.serve[k, t] + NEAR * size:
                found.append(f"{k} in {t}: too much work")
    return found


def broken_site(problem: Problem, plan: Plan, short: Shortfall, size: float) -> list[str]:
    """What is wrong with demand, power, racks and money."""
    found = []
    K, T, _ = plan.use.shape
    site = problem.world.site
    power, racks = (np.broadcast_to(each, (K,)) for each in (problem.power_w, problem.racks_count))
    server, hall = (np.broadcast_to(usd, n) for usd, n in zip(capital_usd(problem), ((K,), (T,)), strict=True))
    spent = np.zeros(T)
    for t in range(T):
        done = (plan.use * problem.capacity_per_s)[:, t].sum(axis=0) + plan.rent_per_s[t] + short.per_s[t]
        if not np.allclose(done, problem.demand_per_s[t], rtol=NEAR, atol=NEAR):
            found.append(f"demand of {t}: {done}")
        standing = sum(plan.halls_w[s] * problem.standing[s, t] for s in range(T)) + site.standing_w
        if (power * plan.serve[:, t]).sum() > standing * (1 + NEAR) + NEAR * size * power.max():
            found.append(f"power of {t}")
        if standing > max(float(site.most_w), site.standing_w) * (1 + NEAR):
            found.append(f"site of {t}")
        if float((racks * plan.serve[:, t]).sum()) > site.most_racks_count * (1 + NEAR):
            found.append(f"racks of {t}")
        bought = problem.vintages.bought == t
        spent[t] += float((plan.buy * server)[bought].sum())
        spent[problem.paid_period[t]] += plan.halls_w[t] * hall[t]
    if (spent > np.broadcast_to(problem.world.market.budget_usd, (T,)) * (1 + NEAR) + 1e-3).any():
        found.append("budget")
    return found


@pytest.mark.parametrize("limit", ["none", "standing", "budget, lead"])
@pytest.mark.parametrize("classes", [1, 2])
def test_no_policy_is_cheaper_than_the_optimum(limit: str, classes: int) -> None:
    world = small_world(classes=classes, rent_usd_per_year=np.full((6, classes), 3e5), **LIMITS[limit])
    for owned in (None, OWNED):
        least = optimise(problem(world, all_vintages(world, owned))).objective_usd
        for policy in ALL:
            assert total(world, policy, owned=owned) >= least - 1e-6 * abs(least), policy.name
        found = best_lives(world, owned)
        assert found.usd >= least - 1e-6 * abs(least)
        # A policy does not save for halls to come; where the budget does not bind it is near the optimum.
        assert found.usd <= 1.25 * least or limit == "budget, lead"


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


def drawn(world: World, n: int, seed: int = 0) -> World:
    """The world with draws of most that can be drawn."""
    rng = np.random.default_rng(seed)
    gens, T, G = world.generations, world.clock.periods, len(world.generations.names)

    def factors(*shape: int) -> Array:
        return np.asarray(np.exp(rng.normal(0.0, 0.2, (n, *shape))))

    return changed(
        world, available_years=gens.available_years + rng.choice([0.0, 1.0], (n, G)),
        last_sale_years=gens.last_sale_years + np.ones((n, 1)), price_usd=gens.price_usd * factors(G, 1),
        capacity_per_s=gens.capacity_per_s * factors(G, 1), rated_w=gens.rated_w * factors(G),
        active_w=gens.active_w * (1 + 0.1 * factors(G, 1)), demand_per_s=world.demand_per_s * factors(T, 1),
        efficiency=world.efficiency * np.sort(factors(T)), pue_mean=1.0 + 0.2 * factors(),
        energy_usd_per_kwh=world.market.energy_usd_per_kwh * factors(T), load_factor=np.minimum(0.6 * factors(), 1.0),
        maintenance_usd_per_year=world.upkeep.maintenance_usd_per_year * factors(G),
        discount_rate=0.08 * factors(), stranding=world.site.stranding * factors(G),
    )  # fmt: skip


def draw(world: World, row: int) -> World:
    """One draw of `drawn`."""
    gens, site, market, upkeep = world.generations, world.site, world.market, world.upkeep
    return changed(
        world, available_years=gens.available_years[row], last_sale_years=gens.last_sale_years[row],
        price_usd=gens.price_usd[row], capacity_per_s=gens.capacity_per_s[row], rated_w=gens.rated_w[row],
        active_w=gens.active_w[row], demand_per_s=world.demand_per_s[row], efficiency=world.efficiency[row],
        pue_mean=site.pue_mean[row], energy_usd_per_kwh=market.energy_usd_per_kwh[row],
        load_factor=world.load_factor[row], maintenance_usd_per_year=upkeep.maintenance_usd_per_year[row],
        discount_rate=world.finance.discount_rate[row], stranding=site.stranding[row],
    )  # fmt: skip


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


def scaled(world: World, what: str, factor: float) -> World:
    """The world with something dearer, worse or larger."""
    gens, site, market = world.generations, world.site, world.market
    changes: dict[str, dict[str, Any]] = {
        "price": {"price_usd": gens.price_usd * factor},
        "tariff": {"energy_usd_per_kwh": market.energy_usd_per_kwh * factor,
                   "demand_usd_per_kw_month": market.demand_usd_per_kw_month * factor},
        "pue": {"pue_mean": site.pue_mean * factor, "pue_peak": site.pue_peak * factor},
        "afr": {"failures_per_year": world.upkeep.failures_per_year * factor},
        "performance": {"capacity_per_s": gens.capacity_per_s * factor},
        "utilisation": {"utilisation": world.utilisation * factor},
        "demand": {"demand_per_s": world.demand_per_s * factor},
        "maintenance": {"maintenance_usd_per_year": world.upkeep.maintenance_usd_per_year * factor},
    }  # fmt: skip
    return changed(world, **changes[what])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FIVE), st.floats(1.01, 1.3), st.sampled_from([1, 2]),
       st.sampled_from(["price", "tariff", "pue", "performance", "demand", "maintenance"]),
       st.sampled_from(["paper", "book", "finance"]))  # fmt: skip
def test_costs_move_as_they_must(
    policy: Policy, factor: float, classes: int, what: str, accounting: Accounting
) -> None:
    world = small_world(classes=classes, accounting=accounting)
    before, after = total(world, policy), total(scaled(world, what, factor), policy)
    assert after < before if what == "performance" else after > before


@pytest.mark.parametrize("accounting", ["paper", "book", "finance"])
def test_more_failures_cost_more_with_one_generation(accounting: Accounting) -> None:
    # With better generations to come, an early failure can be a lucky chance to buy one; with one it cannot.
    world = small_world(accounting=accounting, hosts=np.array([False, True, False]))
    world = changed(world, last_sale_years=np.full(3, 9.0), price_usd=np.full((3, 6), 2e5))
    for policy in (BASELINE, fixed(3.0), LAZY):
        costs = [total(scaled(world, "afr", factor), policy) for factor in (0.5, 1.0, 1.5, 3.0)]
        assert costs == sorted(costs)
        assert costs[0] < costs[-1]


def test_a_higher_utilisation_costs_less() -> None:
    for policy in FIVE:
        assert total(scaled(small_world(), "utilisation", 1.2), policy) < total(small_world(), policy)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(ALL[:-1]), st.floats(0.01, 100.0), st.sampled_from([1, 2]))
def test_everything_grows_with_demand_alike(policy: Policy, factor: float, classes: int) -> None:
    world = small_world(classes=classes)
    plan, more = simulate(world, policy)[1], simulate(scaled(world, "demand", factor), policy)[1]
    np.testing.assert_allclose(more.buy, plan.buy * factor, rtol=1e-9, atol=1e-9 * factor)
    np.testing.assert_allclose(more.use, plan.use * factor, rtol=1e-7, atol=1e-7 * factor)
    np.testing.assert_allclose(more.halls_w, plan.halls_w * factor, rtol=1e-7, atol=1e-3 * factor)


def test_extension_is_charged_as_such() -> None:
    world = small_world(8, ageing_per_year=np.array(0.0))
    dear = changed(world, extended_factor=3.0)
    assert total(dear, fixed(5.0)) == pytest.approx(total(world, fixed(5.0)))
    assert total(dear, extended(5.0, 1.0)) > total(world, extended(5.0, 1.0))
