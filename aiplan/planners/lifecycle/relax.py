"""Why no plan keeps the rules, and the least that would have to give.

Method: elastic linear programmes, in which one limit may be exceeded and the excess is made as small as possible.
The first year is the shortest horizon that has no plan; what binds in it is what has a price there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.linear import Linear, Solution, solve
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.programme import RESOURCES, Programme, programme
from aiplan.planners.lifecycle.words import ROUNDING, at_least, percent, year_text
from aiplan.planners.lifecycle.world import Bools

UNITS = {"demand": "requests/s", "site": "W", "budget": "USD", "racks": "racks"}
LIMIT_ROWS = {"site": "site", "budget": "budget", "racks": "racks"}
SMALLEST_PRICE = 1e-7
"""Price of a limit, over the largest, below which it does not bind."""
SMALLEST_SHARE = 1e-6
"""Share of a year's demand that is told as missing [1]."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The least that one limit would have to give, all others kept.

    Attributes
    ----------
    resource : ``demand``, ``site``, ``budget`` or ``racks``
    amount : demand not served, added up over periods and classes; extra capacity or racks; extra budget of a period
    by_period : the same by period, shape (T,); of demand the class that is served least
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
    problem : that has none
    period, year : first in which demand cannot be served
    resources : what binds up to then, the tightest first: ``site``, ``budget``, ``racks``, or ``hardware`` where
        nothing on sale or owned can serve, ``kept`` where servers that must be kept are too many
    unmet_per_s : least demand, with its reserve, that has to go unserved in that horizon, shape (W,) in that
        period [1/s]
    relaxations : of each resource that cures it alone, the relatively smallest first
    """

    problem: Problem
    period: int
    year: float
    resources: tuple[str, ...]
    unmet_per_s: Array
    relaxations: tuple[Relaxation, ...]

    @property
    def silent(self) -> bool:
        """Whether no server, on sale or not, serves some class of work at all."""
        return bool(np.any(np.all(self.problem.world.generations.capacity_per_s <= 0, axis=0)))

    def sentence(self) -> str:
        """What is wrong, in one line."""
        names = {"site": "the power of the site", "budget": "the budget", "racks": "the racks of the site",
                 "hardware": "the hardware on sale and owned", "kept": "servers that must be kept"}  # fmt: skip
        what = " and ".join(names[name] for name in self.resources)
        # A request needs every class of work, so that what is missing is not their sum.
        short = float(self.unmet_per_s.max())
        if short <= 0.0:
            return f"from {year_text(self.year)} on, {what} forbids what stands already"
        if self.silent:
            return ("no server of the roadmap serves anything: none keeps the promises of time to first token and "
                    "between tokens, or none holds the model")  # fmt: skip
        part = percent(short / float(self._demand()[self.period]))
        missing = f"{self._requests(short)} requests/s of the reference kind are missing then"
        return (
            f"from {year_text(self.year)} on, {what} cannot serve the demand: {missing}, {part} of that year's demand"
        )

    def hint(self) -> str:
        """What would make it possible."""
        if self.silent:
            return ("loosen demand.ttft_s or demand.tbt_s, or ask for shorter demand.input_tokens or output_tokens, a "
                    "smaller demand.model, a narrower operation.precision or larger roadmap.servers")  # fmt: skip
        tell = {"demand": self._less, "site": self._power, "racks": self._racks, "budget": self._money}
        cures = [tell[cure.resource](cure) for cure in self.relaxations]
        return "least change that is enough by itself: " + "; or ".join(cures) if cures else "several limits must give"

    def error(self) -> InfeasibleError:
        """The error that says all this."""
        return InfeasibleError(self.sentence(), code="E291", hint=self.hint())

    def _demand(self) -> Array:
        """Demand of a class, with its reserve, shape (T,) [1/s]."""
        return np.asarray(self.problem.demand_per_s.max(axis=-1))

    def _requests(self, per_s: float) -> str:
        """Requests/s without the reserve that is kept over them, rounded up."""
        return at_least(per_s / (1.0 + self.problem.world.reserve_fraction))

    def _year(self, period: int) -> str:
        clock = self.problem.world.clock
        return year_text(clock.start_year + float(clock.starts_years[period]))

    def _less(self, cure: Relaxation) -> str:
        demand = self._demand()
        part = np.divide(cure.by_period, demand, out=np.zeros(demand.shape), where=demand > 0)
        short, most = np.nonzero(part > SMALLEST_SHARE)[0], int(part.argmax())
        count = self._requests(float(cure.by_period[most]))
        if len(short) == 1:
            return f"serving {count} requests/s less in {self._year(most)}, {percent(part[most])} of its demand"
        span = f"from {self._year(int(short[0]))} to {self._year(int(short[-1]))}" if len(short) else "throughout"
        return (f"serving less {span}, at most {count} requests/s less in {self._year(most)}, {percent(part[most])} "
                "of its demand")  # fmt: skip

    def _power(self, cure: Relaxation) -> str:
        watts = cure.amount
        amount = f"{at_least(watts / 1e6)} MW" if watts >= 1e6 else f"{at_least(watts / 1e3)} kW"
        return f"{amount} more of site power"

    def _racks(self, cure: Relaxation) -> str:
        count = math.ceil(cure.amount * (1.0 - ROUNDING))
        return f"{count:,} rack{'' if count == 1 else 's'} more"

    def _money(self, cure: Relaxation) -> str:
        yearly = cure.amount / self.problem.world.clock.dt_years
        return f"{at_least(yearly / 1e6)} M USD more of budget in every year"


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
    return Infeasibility(problem, first, year, resources, unmet, tuple(cures))


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
    linear, columns = made.linear, made.columns.slack[name]
    if name == "budget":
        # A budget is given once for all years, so that one slack stands for all of them.
        linear = replace(linear, columns=np.where(np.isin(linear.columns, columns), columns[0], linear.columns))
    found = least(made, name, linear)
    if found is None:
        return None
    amount = np.maximum((found.x * made.column_scale)[columns], 0.0)
    if name == "demand":
        return Relaxation(name, float(amount.sum()), np.asarray(amount.max(axis=-1)), UNITS[name])
    same = np.full(problem.world.clock.periods, amount.max())
    return Relaxation(name, float(amount.max()), same, UNITS[name])


def _size(problem: Problem, name: str) -> float:
    """What a relaxation is compared with."""
    world = problem.world
    budget = world.market.budget_usd
    sizes = {
        "demand": float(problem.demand_per_s.sum()),
        "site": float(np.asarray(world.site.most_w)),
        "budget": float(np.max(np.where(np.isfinite(budget), budget, 0.0))),
        "racks": world.site.most_racks_count,
    }
    return max(sizes[name], 1e-9)
