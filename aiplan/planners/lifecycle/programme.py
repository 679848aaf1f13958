"""A problem as a sparse linear programme: columns, rows, scales, and the way back to a plan.

Rows follow reference lifecycle-tco.md 5.3: survival with slack (slack is retired), work, demand, power, the site's
limits, billed peaks and budgets. Costs are those of `Problem.lines`, discounted, so that the objective is the ledger's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.linear import Linear, Rows
from aiplan.planners.lifecycle.objective import Columns, costs, spending
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.world import Bools, Ints

RESOURCES = ("demand", "site", "budget", "racks")
"""What an elastic programme may relax."""


@dataclass(frozen=True, slots=True)
class Programme:
    """A problem's linear programme, in scaled units.

    Attributes
    ----------
    problem : what it was made from
    linear : the programme
    columns : where each decision is
    rows : where each constraint is, by name
    row_period : period of each row, shape (M,)
    column_scale, row_scale : value of one scaled unit, shapes (N,), (M,)
    money_usd : dollars of one unit of the scaled objective
    constant_usd : what no decision changes [USD]
    """

    problem: Problem
    linear: Linear
    columns: Columns
    rows: dict[str, Ints]
    row_period: Ints
    column_scale: Array
    row_scale: Array
    money_usd: float
    constant_usd: float

    def plan(self, x: Array) -> Plan:
        """The plan of a point."""
        true = np.append(np.maximum(x * self.column_scale, 0.0), 0.0)  # the last stands for columns that do not exist
        at = self.columns
        return Plan(true[at.buy], true[at.serve], true[at.use], true[at.halls], true[at.rent])

    def point(self, plan: Plan) -> Array:
        """Column values of a plan, scaled; peaks and slacks zero, shape (N,)."""
        found = np.zeros(self.columns.count + 1)
        at = self.columns
        pairs = ((at.buy, plan.buy), (at.serve, plan.serve), (at.use, plan.use), (at.halls, plan.halls_w),
                 (at.rent, plan.rent_per_s))  # fmt: skip
        for column, value in pairs:
            found[column] = np.where(column >= 0, value, 0.0)
        return np.asarray(found[:-1] / self.column_scale)

    def prices(self, name: str, row_price: Array) -> Array:
        """Dollars per unit of a constraint's limit, in the shape of its rows [USD/unit]."""
        at = self.rows[name]
        return np.asarray(row_price[at] * self.money_usd / self.row_scale[at])


def programme(problem: Problem, *, keep: Bools | None = None, relaxed: tuple[str, ...] = ()) -> Programme:
    """The linear programme of a problem of a world without draws.

    Parameters
    ----------
    keep : vintages that stay whole until their life ends, shape (K,): policies of fixed life
    relaxed : resources with a slack column, of `RESOURCES`; the slack costs nothing by itself

    Raises ValueError for a problem with draws.
    """
    return _Assembly(problem, keep, relaxed).build()


def _numbered(start: int, mask: npt.ArrayLike) -> tuple[Ints, int]:
    wide = np.asarray(mask)
    found = np.full(wide.shape, -1, dtype=np.int64)
    count = int(wide.sum())
    found[wide] = np.arange(start, start + count)
    return found, start + count


def _power_of_two(value: float) -> float:
    """Nearest power of two: scaling with it rounds nothing."""
    return float(2.0 ** np.round(np.log2(value))) if value > 0 and np.isfinite(value) else 1.0


class _Assembly:
    def __init__(self, problem: Problem, keep: Bools | None, relaxed: tuple[str, ...]) -> None:
        require(problem.capacity_per_s.ndim == 3, "a programme is of one world, not of draws")
        require(all(name in RESOURCES for name in relaxed), f"what is relaxed must be of {', '.join(RESOURCES)}")
        self.problem, self.world = problem, problem.world
        self.old, self.bought = problem.vintages.old, problem.vintages.bought
        self.K, self.T, self.W = problem.capacity_per_s.shape
        self.keep = np.zeros(self.K, dtype=bool) if keep is None else np.asarray(keep)
        require(self.keep.shape == (self.K,), "keep must have one entry per vintage")
        self.periods = np.arange(self.T)
        self.allowed = np.broadcast_to(problem.allowed, (self.K,))
        self.power_w = np.broadcast_to(problem.power_w, (self.K,))
        self.floor = np.broadcast_to(as_array(problem.contract_kw_per_w), self._components())
        self.floored = self.floor > 0
        self.at = self._columns(relaxed)
        self.rows, self.named = Rows(), dict[str, Ints]()
        self.scales: list[Array] = []
        self.row_periods: list[Ints] = []

    def _components(self) -> tuple[int, ...]:
        return (max((line.usd.shape[-2] for line in self.problem.lines if line.group == "peak"), default=0),)

    def _columns(self, relaxed: tuple[str, ...]) -> Columns:
        problem, T, W = self.problem, self.T, self.W
        useful = self.allowed & (self.bought < T)
        serves = problem.serves & (useful | self.old)[:, None]
        works = serves[..., None] & (problem.capacity_per_s > 0)
        rentable = np.broadcast_to(problem.rentable, (T, W))
        buy, n = _numbered(0, useful)
        serve, n = _numbered(n, serves)
        use, n = _numbered(n, works)
        halls, n = _numbered(n, np.ones(T, dtype=bool))
        rent, n = _numbered(n, rentable)
        drawn, n = _numbered(n, np.full(T, self.floored.any()))
        bill, n = _numbered(n, np.repeat(self.floored[:, None], T, axis=1))
        slack = {}
        for name in relaxed:
            shape = {"demand": (T, W), "budget": (T,)}.get(name, (1,))
            slack[name], n = _numbered(n, np.ones(shape, dtype=bool))
        period = np.zeros(n + 1, dtype=np.int64)
        period[buy] = np.clip(self.bought, 0, None)
        period[serve], period[halls], period[drawn] = self.periods, problem.paid_period, self.periods
        period[use], period[rent], period[bill] = self.periods[:, None], self.periods[:, None], self.periods
        for name, columns in slack.items():
            # A limit of all periods is never behind us.
            period[columns] = {"demand": self.periods[:, None], "budget": self.periods}.get(name, np.array(T))
        return Columns(buy, serve, use, halls, rent, drawn, bill, slack, n, period[:-1])

    def _block(self, name: str, low: npt.ArrayLike, high: npt.ArrayLike, period: Ints, scale: npt.ArrayLike) -> Ints:
        size = len(period)
        found = self.rows.block(low, high, size)
        self.named[name] = found
        self.row_periods.append(period)
        self.scales.append(np.broadcast_to(as_array(scale), (size,)))
        return found

    def build(self) -> Programme:
        """The programme, in its own units: columns, rows and money are scaled near 1."""
        self._scale()
        self._fleet()
        self._work()
        self._site()
        self._peaks()
        self._budget()
        cost, constant = costs(self.problem, self.at, self.floored)
        rows, columns, values, low, high = self.rows.finish()
        row_scale = np.concatenate(self.scales)
        by_column = self._column_scale()
        cost = cost * by_column
        money = _power_of_two(float(np.abs(cost).max(initial=0.0)) / 64.0)
        linear = Linear(
            cost / money, np.zeros(self.at.count), np.full(self.at.count, np.inf),
            rows, columns, values * by_column[columns] / row_scale[rows], low / row_scale, high / row_scale,
        )  # fmt: skip
        return Programme(self.problem, linear, self.at, self.named, np.concatenate(self.row_periods), by_column,
                         row_scale, money, constant)  # fmt: skip

    def _scale(self) -> None:
        """Sizes near which servers, watts and requests/s will be."""
        best = self.problem.capacity_per_s.max(axis=0, initial=0.0)
        demand = self.problem.demand_per_s
        need = np.divide(demand, best, out=np.zeros(demand.shape), where=best > 0)
        fleet = max(float(need.max(initial=0.0)), float(np.sum(self.problem.vintages.owned)))
        self.servers = _power_of_two(fleet / 8.0)
        self.watts = _power_of_two(float(self.power_w.max(initial=0.0)) * self.servers)
        self.rate = _power_of_two(float(demand.max(initial=0.0)) / 8.0)
        self.kw = self.watts / 1024.0
        dear = max((float(np.abs(line.usd).max()) for line in self.problem.lines if line.group == "buy"), default=0.0)
        self.spent = _power_of_two(dear * self.servers)

    def _column_scale(self) -> Array:
        at = self.at
        found = np.full(at.count + 1, self.servers)
        found[at.halls], found[at.rent] = self.watts, self.rate
        found[at.drawn], found[at.bill] = self.kw, self.kw
        units = {"demand": self.rate, "site": self.watts, "budget": self.spent, "racks": self.servers}
        for name, columns in at.slack.items():
            found[columns] = units[name]
        return found[:-1]

    def _fleet(self) -> None:
        """Servers put to use are bought; those of the period before stay, fail or are retired."""
        at, problem = self.at, self.problem
        new = np.nonzero(at.buy >= 0)[0]
        first = at.serve[new, self.bought[new]]
        new, first = new[first >= 0], first[first >= 0]
        rows = self._block("bought", -np.inf, 0.0, self.bought[new], self.servers)
        self.rows.put(rows, first, 1.0)
        self.rows.put(rows, at.buy[new], -1.0)
        k, t = np.nonzero((at.serve >= 0) & (self.periods > self.bought[:, None]))
        before = np.where(t > 0, at.serve[k, t - 1], -1)
        held = problem.survival[k, t] * np.where((t == 0) & self.old[k], problem.vintages.owned[k], 0.0)
        rows = self._block("survival", np.where(self.keep[k], held, -np.inf), held, t, self.servers)
        self.rows.put(rows, at.serve[k, t], 1.0)
        self.rows.put(rows, before, -problem.survival[k, t])

    def _work(self) -> None:
        at, problem = self.at, self.problem
        k, t = np.nonzero((at.use >= 0).any(axis=-1))
        rows = self._block("work", -np.inf, 0.0, t, self.servers)
        self.rows.put(rows[:, None], at.use[k, t], 1.0)
        self.rows.put(rows, at.serve[k, t], -1.0)
        demand = np.broadcast_to(problem.demand_per_s, (self.T, self.W))
        scale = np.where(demand > 0, demand, self.rate)
        rows = self._block("demand", demand.ravel(), np.inf, np.repeat(self.periods, self.W), scale.ravel())
        wide = rows.reshape(self.T, self.W)
        self.rows.put(wide, at.use, problem.capacity_per_s)
        self.rows.put(wide, at.rent, 1.0)
        if "demand" in at.slack:
            self.rows.put(wide, at.slack["demand"], 1.0)

    def _site(self) -> None:
        at, site, standing = self.at, self.world.site, self.problem.standing
        rows = self._block("power", -np.inf, site.standing_w, self.periods, self.watts)
        self.rows.put(rows, at.serve, self.power_w[:, None])
        self.rows.put(rows, at.halls[:, None], -standing)
        most = float(as_array(site.most_w))
        if np.isfinite(most):
            rows = self._block("site", -np.inf, most - site.standing_w, self.periods, self.watts)
            self.rows.put(rows, at.halls[:, None], standing)
            self._relax("site", rows)
        if np.isfinite(site.most_racks_count):
            rows = self._block("racks", -np.inf, site.most_racks_count, self.periods, self.servers)
            self.rows.put(rows, at.serve, np.broadcast_to(self.problem.racks_count, (self.K,))[:, None])
            self._relax("racks", rows)

    def _relax(self, name: str, rows: Ints) -> None:
        if name in self.at.slack:
            self.rows.put(rows, self.at.slack[name], -1.0)

    def _peaks(self) -> None:
        """Billed peaks of components with a floor; the others are charged on servers directly."""
        if not self.floored.any():
            return
        at, problem = self.at, self.problem
        rows = self._block("drawn", -np.inf, 0.0, self.periods, self.kw)
        self.rows.put(rows, at.serve, np.broadcast_to(problem.peak_hold_kw, (self.K,))[:, None])
        self.rows.put(rows, at.use.transpose(2, 0, 1), problem.peak_use_kw.T[..., None])
        self.rows.put(rows, at.drawn, -1.0)
        c = np.nonzero(self.floored)[0]
        periods = np.tile(self.periods, len(c))
        rows = self._block("billed", -np.inf, 0.0, periods, self.kw)
        self.rows.put(rows, np.tile(at.drawn, len(c)), 1.0)
        self.rows.put(rows, at.bill[c].ravel(), -1.0)
        floor = np.repeat(self.floor[c], self.T)
        rows = self._block("floor", -np.inf, -floor * self.world.site.standing_w, periods, self.kw)
        self.rows.put(rows, at.halls[:, None], floor * np.tile(problem.standing, (1, len(c))))
        self.rows.put(rows, at.bill[c].ravel(), -1.0)

    def _budget(self) -> None:
        budget = np.broadcast_to(as_array(self.world.market.budget_usd), (self.T,))
        limited = np.nonzero(np.isfinite(budget))[0]
        if not len(limited):
            return
        rows = np.full(self.T, -1, dtype=np.int64)
        rows[limited] = self._block("budget", -np.inf, budget[limited], limited, self.spent)
        server, hall = spending(self.problem)
        for columns, period, usd in ((self.at.buy, np.clip(self.bought, 0, self.T - 1), server),
                                     (self.at.halls, self.problem.paid_period, hall)):  # fmt: skip
            at = rows[period]
            self.rows.put(at[at >= 0], columns[at >= 0], usd[at >= 0])
        if "budget" in self.at.slack:
            self.rows.put(rows[limited], self.at.slack["budget"][limited], -1.0)


def fixed_before(made: Programme, plan: Plan, period: int) -> Linear:
    """The programme with all that is decided before a period as in a plan, and rows of those periods left out."""
    past = made.columns.period < period
    point = made.point(plan)
    free = made.row_period < period
    linear = made.linear
    return replace(
        linear, low=np.where(past, point, linear.low), high=np.where(past, point, linear.high),
        row_low=np.where(free, -np.inf, linear.row_low), row_high=np.where(free, np.inf, linear.row_high),
    )  # fmt: skip
