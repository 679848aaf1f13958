"""Fleets that tests of policies share: policies, limits of the site, draws, and what is wrong with a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import Plan, retired
from aiplan.planners.lifecycle.objective import spending
from aiplan.planners.lifecycle.policies import POLICIES, Policy, by_generation
from aiplan.planners.lifecycle.problem import Problem, Vintages
from aiplan.planners.lifecycle.simulate import Shortfall, outcome
from aiplan.planners.lifecycle.world import Accounting, World
from tests.lifecycle.worlds import changed

FIVE = [*POLICIES[::2], by_generation([2.0, 5.0, 3.0])]
ALL = [*POLICIES, by_generation([2.0, 5.0, 3.0]), by_generation([0.0, 4.0, 0.0])]
OWNED = Vintages(np.array([0, 1]), np.array([-2, -1]), np.array([60.0, 15.0]), np.array([1.4e5, 2.4e5]))
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
    server, hall = (np.broadcast_to(usd, n) for usd, n in zip(spending(problem), ((K,), (T,)), strict=True))
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
