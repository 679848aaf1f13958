"""Why no plan keeps the rules, and the least that would have to give.

Method: elastic linear programmes, in which one limit may be exceeded and the excess is made as small as possible.
The first year is the shortest horizon that has no plan; what binds in it is what has a price there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.linear import Linear, Solution, solve
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.programme import RESOURCES, Programme, programme
from aiplan.planners.lifecycle.world import Bools

UNITS = {"demand": "requests/s", "site": "W", "budget": "USD", "racks": "racks"}
LIMIT_ROWS = {"site": "site", "budget": "budget", "racks": "racks"}
SMALLEST_PRICE = 1e-7
"""Price of a limit, over the largest, below which it does not bind."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The least that one limit would have to give, all others kept.

    Attributes
    ----------
    resource : ``demand``, ``site``, ``budget`` or ``racks``
    amount : demand not served, added up over periods and classes; extra capacity or racks; budget added up
    by_period : the same by period, shape (T,)
    unit : of both
    """

    resource: str
    amount: float
    by_period: Array
    unit: str


@dataclass(frozen=True, slots=True)
class Infeasibility:
    """Why there is no plan.

    Attributes
    ----------
    period, year : first in which demand cannot be served
    resources : what binds up to then, the tightest first: ``site``, ``budget``, ``racks``, or ``hardware`` where
        nothing on sale or owned can serve, ``kept`` where servers that must be kept are too many
    unmet_per_s : least demand that has to go unserved in that horizon, shape (W,) in that period [1/s]
    relaxations : of each resource that cures it alone, the relatively smallest first
    """

    period: int
    year: float
    resources: tuple[str, ...]
    unmet_per_s: Array
    relaxations: tuple[Relaxation, ...]

    def sentence(self) -> str:
        """What is wrong, in one line."""
        names = {"site": "the power of the site", "budget": "the budget", "racks": "the racks of the site",
                 "hardware": "the hardware on sale and owned", "kept": "servers that must be kept"}  # fmt: skip
        what = " and ".join(names[name] for name in self.resources)
        short = float(self.unmet_per_s.sum())
        if short <= 0.0:
            return f"from {self.year:g} on, {what} forbids what stands already"
        return f"from {self.year:g} on, {what} cannot serve the demand: {short:.4g} requests/s are missing then"

    def hint(self) -> str:
        """What would make it possible."""
        cures = []
        for cure in self.relaxations:
            verb = "less served" if cure.resource == "demand" else "more"
            over = " (added up over periods)" if cure.resource in ("demand", "budget") else ""
            cures.append(f"{cure.amount:.4g} {cure.unit} {verb}{over}")
        return "least change that is enough by itself: " + "; or ".join(cures) if cures else "several limits must give"

    def error(self) -> InfeasibleError:
        """The error that says all this."""
        return InfeasibleError(self.sentence(), code="E291", hint=self.hint())


def explain_infeasible(problem: Problem, *, keep: Bools | None = None) -> Infeasibility | None:
    """Why a problem has no plan; None where it has one."""
    made = programme(problem, keep=keep)
    first = _first_period(made)
    if first is None:
        return None
    resources, unmet = _binding(problem, keep, first)
    cures = [cure for name in RESOURCES if (cure := _relaxation(problem, keep, name)) is not None]
    cures.sort(key=lambda cure: cure.amount / _size(problem, cure.resource))
    year = problem.world.clock.start_year + float(problem.world.clock.starts_years[first])
    return Infeasibility(first, year, resources, unmet, tuple(cures))


def until(linear: Linear, made: Programme, period: int) -> Linear:
    """The programme with only the rows of periods up to one."""
    later = made.row_period > period
    return replace(linear, row_low=np.where(later, -np.inf, linear.row_low),
                   row_high=np.where(later, np.inf, linear.row_high))  # fmt: skip


def attempt(linear: Linear) -> Solution | None:
    """The best point, None where there is none."""
    try:
        return solve(linear)
    except InfeasibleError:
        return None


def possible(linear: Linear) -> bool:
    """Whether any point keeps the rows; costs are left out, which with rows left out may fall without limit."""
    return attempt(replace(linear, cost=np.zeros(len(linear.cost)))) is not None


def least(made: Programme, name: str, linear: Linear) -> Solution | None:
    """The point with the least slack of a resource, None where there is none."""
    cost = np.zeros(made.columns.count)
    cost[made.columns.slack[name].ravel()] = 1.0
    return attempt(replace(linear, cost=cost))


def _first_period(made: Programme) -> int | None:
    """The first period up to which there is no plan, by bisection; None where there is one for all."""
    good, bad = -1, made.problem.world.clock.periods - 1
    if possible(made.linear):
        return None
    while bad - good > 1:
        middle = (good + bad) // 2
        if possible(until(made.linear, made, middle)):
            good = middle
        else:
            bad = middle
    return bad


def _binding(problem: Problem, keep: Bools | None, period: int) -> tuple[tuple[str, ...], Array]:
    """What has a price in the horizon up to a period, and what is missing in it, shape (W,)."""
    made = programme(problem, keep=keep, relaxed=("demand",))
    found = least(made, "demand", until(made.linear, made, period))
    if found is None:
        return _without_demand(problem, keep, period), np.zeros(problem.capacity_per_s.shape[-1])
    unmet = (found.x * made.column_scale)[made.columns.slack["demand"]][period]
    weight: dict[str, float] = {}
    for name in LIMIT_ROWS:
        rows = made.rows.get(name)
        if rows is not None:
            limit = np.where(np.isfinite(made.linear.row_high[rows]), made.linear.row_high[rows], 0.0)
            price = np.abs(found.row_price[rows])
            weight[name] = float(np.sum(price * np.maximum(np.abs(limit), 1e-6)))
    most = max(weight.values(), default=0.0)
    tight = [name for name, value in weight.items() if most > 0 and value > SMALLEST_PRICE * most]
    tight.sort(key=lambda name: -weight[name])
    return tuple(tight) or ("hardware",), np.asarray(unmet)


def _without_demand(problem: Problem, keep: Bools | None, period: int) -> tuple[str, ...]:
    """What forbids every plan though nothing has to be served: what stands, or must be kept, is over a limit."""
    for name in LIMIT_ROWS:
        made = programme(problem, keep=keep, relaxed=("demand", name))
        if possible(until(made.linear, made, period)):
            return (name,)
    return ("kept",)


def _relaxation(problem: Problem, keep: Bools | None, name: str) -> Relaxation | None:
    """The least that a limit has to give if nothing else does; None where that is not enough or has no limit."""
    made = programme(problem, keep=keep, relaxed=(name,))
    if name != "demand" and LIMIT_ROWS[name] not in made.rows:
        return None
    found = least(made, name, made.linear)
    if found is None:
        return None
    columns = made.columns.slack[name]
    amount = np.maximum((found.x * made.column_scale)[columns], 0.0)
    periods = problem.world.clock.periods
    by_period = amount.sum(axis=-1) if name == "demand" else np.broadcast_to(amount, (periods,))
    total = float(amount.sum())
    return Relaxation(name, total, np.asarray(by_period), UNITS[name])


def _size(problem: Problem, name: str) -> float:
    """What a relaxation is compared with."""
    world = problem.world
    budget = world.market.budget_usd
    sizes = {
        "demand": float(problem.demand_per_s.sum()),
        "site": float(np.asarray(world.site.most_w)),
        "budget": float(np.sum(np.where(np.isfinite(budget), budget, 0.0))),
        "racks": world.site.most_racks_count,
    }
    return max(sizes[name], 1e-9)
