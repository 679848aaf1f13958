"""Whether a plan keeps every rule, recomputed from its decisions and the problem's numbers, not from a matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.ledger import Plan, retired, standing_w
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.world import Bools, Ints

TOLERANCE = 1e-6
"""Largest violation accepted, relative to the size of what it is measured against."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a plan breaks.

    Attributes
    ----------
    rule : what is broken
    period : where; -1 for a rule of no period
    vintage : which, -1 for a rule of the whole fleet
    amount : by how much, in the rule's own unit
    relative : over the size of what it is measured against [1]
    """

    rule: str
    period: int
    vintage: int
    amount: float
    relative: float


def verify(problem: Problem, plan: Plan, *, keep: Bools | None = None,
           tolerance: float = TOLERANCE) -> tuple[Violation, ...]:  # fmt: skip
    """Rules that a plan breaks by more than the tolerance, the worst place of each; none where it keeps them all."""
    broken = [found for found in _worst(problem, plan, keep) if not found.relative <= tolerance]
    return tuple(sorted(broken, key=lambda found: -found.relative))


def worst_violation(problem: Problem, plan: Plan, *, keep: Bools | None = None) -> float:
    """Largest relative violation of any rule; 0 where all are kept exactly [1]."""
    return max((found.relative for found in _worst(problem, plan, keep)), default=0.0)


def _worst(problem: Problem, plan: Plan, keep: Bools | None) -> Iterator[Violation]:
    unfit = _shapes(problem, plan)
    if unfit is not None:
        yield unfit
        return
    for found in (*_decisions(problem, plan), *_fleet(problem, plan, keep), *_limits(problem, plan)):
        if found is not None:
            yield found


def _shapes(problem: Problem, plan: Plan) -> Violation | None:
    k, t, w = problem.capacity_per_s.shape
    expected = {"buy": (k,), "serve": (k, t), "use": (k, t, w), "halls_w": (t,), "rent_per_s": (t, w)}
    for name, shape in expected.items():
        values = getattr(plan, name)
        if values.shape != shape or not np.isfinite(values).all():
            return Violation(f"{name} must be finite numbers of shape {shape}", -1, -1, np.inf, np.inf)
    return None


def _rule(name: str, excess: npt.ArrayLike, scale: npt.ArrayLike, axes: str) -> Violation | None:
    """The worst place of a rule; ``axes`` names the axes of the excess: k vintage, t period, w class."""
    over = as_array(excess)
    relative = np.where(over > 0, over / np.maximum(np.broadcast_to(scale, over.shape), 1e-300), 0.0)
    if not relative.size or relative.max() <= 0.0:
        return None
    place = dict(zip(axes, np.unravel_index(int(np.argmax(relative)), relative.shape), strict=True))
    where = tuple(place.values())
    return Violation(name, int(place.get("t", -1)), int(place.get("k", -1)), float(over[where]), float(relative[where]))


def _decisions(problem: Problem, plan: Plan) -> list[Violation | None]:
    """Nothing is negative, and only what may be bought, serve, work or be rented does."""
    demand = max(float(problem.demand_per_s.max(initial=0.0)), 1e-12)
    fleet = max(float(plan.serve.max(initial=0.0)), 1e-12)
    watts = max(float(np.max(standing_w(problem, plan), initial=0.0)), 1e-12)
    could = problem.serves & (problem.allowed | problem.vintages.old)[:, None]
    unfit = np.where(problem.capacity_per_s > 0, 0.0, plan.use)
    return [
        _rule("servers bought must not be negative", -plan.buy, fleet, "k"),
        _rule("servers in service must not be negative", -plan.serve, fleet, "kt"),
        _rule("servers at work must not be negative", -plan.use, fleet, "ktw"),
        _rule("halls must not be negative", -plan.halls_w, watts, "t"),
        _rule("rented capacity must not be negative", -plan.rent_per_s, demand, "tw"),
        _rule("bought what is not on sale", np.where(problem.allowed, 0.0, plan.buy), fleet, "k"),
        _rule("in service outside its life", np.where(could, 0.0, plan.serve), fleet, "kt"),
        _rule("at work on a class it cannot serve", unfit, fleet, "ktw"),
        _rule("rented what is not offered", np.where(problem.rentable, 0.0, plan.rent_per_s), demand, "tw"),
    ]


def _fleet(problem: Problem, plan: Plan, keep: Bools | None) -> list[Violation | None]:
    """Servers are bought before they serve, do not come back, and do not work more than they are."""
    size = np.maximum(plan.serve.max(axis=-1, initial=0.0), max(float(plan.serve.max(initial=0.0)) * 1e-3, 1e-12))
    periods, bought = np.arange(plan.serve.shape[-1]), problem.vintages.bought
    first = np.where(periods == bought[:, None], plan.serve - plan.buy[:, None], 0.0)
    early = np.where(periods < bought[:, None], plan.serve, 0.0)
    leaves = retired(problem, plan)
    idle = plan.serve - plan.use.sum(axis=-1)
    found = [
        _rule("more in service than bought", first, size[:, None], "kt"),
        _rule("in service before it is bought", early, size[:, None], "kt"),
        _rule("more in service than survive", -leaves, size[:, None], "kt"),
        _rule("more at work than in service", -idle, size[:, None], "kt"),
    ]
    if keep is not None:
        kept = np.where(keep[:, None] & problem.serves, leaves, 0.0)
        found.append(_rule("retired before its life ends", kept, size[:, None], "kt"))
    return found


def _limits(problem: Problem, plan: Plan) -> list[Violation | None]:
    """Demand is served; power, site, racks and budgets suffice."""
    site = problem.world.site
    served = (problem.capacity_per_s * plan.use).sum(axis=0) + plan.rent_per_s
    standing = standing_w(problem, plan)
    drawn = (problem.power_w[:, None] * plan.serve).sum(axis=0)
    racks = (np.broadcast_to(problem.racks_count, plan.buy.shape)[:, None] * plan.serve).sum(axis=0)
    spent, budget = _spent(problem, plan), as_array(problem.world.market.budget_usd)
    most = as_array(site.most_w)
    watts = np.maximum(np.maximum(standing, drawn), 1e-9)
    return [
        _rule("demand is not served", problem.demand_per_s - served, problem.demand_per_s, "tw"),
        _rule("servers take more power than halls have", drawn - standing, watts, "t"),
        _rule("more halls than the site may hold", _over(standing, most), watts, "t"),
        _rule("more racks than may stand", _over(racks, as_array(site.most_racks_count)), np.maximum(racks, 1e-9), "t"),
        _rule("more capital than the budget", _over(spent, budget), np.maximum(spent, 1e-9), "t"),
    ]


def _over(value: Array, limit: Array) -> Array:
    return np.where(np.isfinite(limit), value - np.where(np.isfinite(limit), limit, 0.0), 0.0)


def _spent(problem: Problem, plan: Plan) -> Array:
    """Capital spent on servers and halls at the start of each period, shape (T,) [USD]; sales do not count."""
    spent = np.zeros(len(problem.standing))
    for line in problem.lines:
        if line.kind != "capex" or line.group not in ("buy", "hall"):
            continue
        held, when = (plan.buy, problem.vintages.bought) if line.group == "buy" else (plan.halls_w, problem.paid_period)
        _collect(spent, when, line.usd * held)
    return spent


def _collect(spent: Array, when: Ints, usd: Array) -> None:
    for period in range(len(spent)):
        spent[period] += float(usd[when == period].sum())
