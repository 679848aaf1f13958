"""Sparse linear programmes: how they are put together, solved by HiGHS, and what of an answer is proven.

Method: scipy's interface to HiGHS. Rows are two-sided; an answer carries its marginals, and a bound computed from
them by weak duality, which does not trust the solver's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.errors import InfeasibleError, UnprovenError
from aiplan.planners.arrays import Array, require
from aiplan.planners.lifecycle.world import Bools, Ints

LARGEST_COEFFICIENT = 1e12
"""HiGHS reads 1e20 as infinite and loses digits long before."""
TOLERANCE = 1e-9
"""Feasibility and optimality tolerance asked of the solver, for columns and rows scaled to about one."""
NODE_LIMIT = 5000
"""Repeatable stop of a search over integers; a time limit is not repeatable."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try.

    Attributes
    ----------
    time_limit_s : of one solve; answers found under one may differ between runs [s]
    interior : start with the interior point method, faster for large programmes
    node_limit : of a search over whole numbers; the same limit gives the same answer again [1]
    gap : at which such a search may stop [1]
    """

    time_limit_s: float | None = None
    interior: bool = False
    node_limit: int = NODE_LIMIT
    gap: float = 1e-4


USUAL = Effort()


@dataclass(frozen=True, slots=True)
class Linear:
    """Minimise ``cost @ x`` where ``row_low <= A x <= row_high`` and ``low <= x <= high``.

    Attributes
    ----------
    cost, low, high : shape (N,)
    rows, columns, values : coordinates of A; equal ones are added up
    row_low, row_high : shape (M,); infinite where there is no limit
    whole : columns that must be whole numbers, shape (N,), or none
    """

    cost: Array
    low: Array
    high: Array
    rows: Ints
    columns: Ints
    values: Array
    row_low: Array
    row_high: Array
    whole: Bools | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """Answer to a programme.

    Attributes
    ----------
    x : shape (N,)
    objective : of ``x``
    bound : no point is below it: by weak duality for continuous programmes, from the search for whole numbers
    row_price : change of the objective per unit of a row's limit, shape (M,); zero with whole numbers
    column_price : reduced costs, shape (N,)
    status : ``optimal``, or ``stopped`` where a point was found but not proven best
    """

    x: Array
    objective: float
    bound: float
    row_price: Array
    column_price: Array
    status: str

    @property
    def gap(self) -> float:
        """Objective over bound, relative to the objective [1]."""
        return abs(self.objective - self.bound) / max(abs(self.objective), 1e-12)


@dataclass(slots=True)
class Rows:
    """Rows under construction."""

    count: int = 0
    _rows: list[Ints] = field(default_factory=list)
    _columns: list[Ints] = field(default_factory=list)
    _values: list[Array] = field(default_factory=list)
    _low: list[Array] = field(default_factory=list)
    _high: list[Array] = field(default_factory=list)

    def block(self, low: npt.ArrayLike, high: npt.ArrayLike, size: int) -> Ints:
        """Adds rows with these limits and returns their numbers."""
        found = np.arange(self.count, self.count + size)
        self.count += size
        self._low.append(np.broadcast_to(np.asarray(low, dtype=np.float64), (size,)))
        self._high.append(np.broadcast_to(np.asarray(high, dtype=np.float64), (size,)))
        return found

    def put(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any], values: npt.ArrayLike) -> None:
        """Adds coefficients; arrays broadcast, a column below zero does not exist and is left out."""
        wide = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=np.float64))
        kept = (wide[1] >= 0) & (wide[2] != 0.0)
        self._rows.append(wide[0][kept])
        self._columns.append(wide[1][kept])
        self._values.append(wide[2][kept])

    def finish(self) -> tuple[Ints, Ints, Array, Array, Array]:
        """Rows, columns and values of the coefficients, and both limits."""

        def joined(parts: Iterable[Any], kind: type) -> npt.NDArray[Any]:
            return np.concatenate([np.empty(0, dtype=kind), *parts])

        return (
            joined(self._rows, np.int64), joined(self._columns, np.int64), joined(self._values, np.float64),
            joined(self._low, np.float64), joined(self._high, np.float64),
        )  # fmt: skip


def solve(programme: Linear, effort: Effort = USUAL) -> Solution:
    """The best point.

    A failure of the solver is tried once more without its presolve (HiGHS fails about once in a thousand,
    ERGO-Code/HiGHS#2810).

    Raises InfeasibleError where no point exists; UnprovenError where the solver stops without an answer or cost falls
    without limit; ValueError for numbers it cannot take.
    """
    _check(programme)
    run = _continuous if programme.whole is None or not programme.whole.any() else _whole
    found = run(programme, effort, presolve=True) or run(programme, effort, presolve=False)
    if found is None:
        raise UnprovenError("the solver stopped without an answer", code="E290",
                            hint="give it more time, or fewer periods, generations or scenarios")  # fmt: skip
    return found


def rescaled(linear: Linear, factor: Array) -> Linear:
    """The programme with other units of its columns: ``factor`` old units are one new, shape (N,)."""
    return replace(
        linear, cost=linear.cost * factor, low=linear.low / factor, high=linear.high / factor,
        values=linear.values * factor[linear.columns],
    )  # fmt: skip


def _check(programme: Linear) -> None:
    # HiGHS drops NaN coefficients without a word and reads NaN limits as infeasible.
    require(np.isfinite(programme.values), "coefficients must be finite numbers")
    require(np.isfinite(programme.cost), "costs must be finite numbers")
    limits = (programme.row_low, programme.row_high, programme.low, programme.high)
    require(not any(np.isnan(limit).any() for limit in limits), "limits must be numbers")
    require(np.abs(programme.values) < LARGEST_COEFFICIENT, "coefficients must be below 1e12")


def _matrix(programme: Linear, rows: Bools) -> Any:
    from scipy.sparse import csc_array

    number = np.cumsum(rows) - 1
    kept = rows[programme.rows]
    place = (number[programme.rows[kept]], programme.columns[kept])
    return csc_array((programme.values[kept], place), shape=(int(rows.sum()), len(programme.cost)))


def _continuous(programme: Linear, effort: Effort, *, presolve: bool) -> Solution | None:
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    equal = programme.row_low == programme.row_high
    upper, lower = ~equal & np.isfinite(programme.row_high), ~equal & np.isfinite(programme.row_low)
    options: dict[str, Any] = {
        "presolve": presolve, "primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE,
    }  # fmt: skip
    if effort.time_limit_s is not None:
        options["time_limit"] = effort.time_limit_s
    result = linprog(
        programme.cost,
        A_ub=vstack([_matrix(programme, upper), -_matrix(programme, lower)], format="csc"),
        b_ub=np.concatenate([programme.row_high[upper], -programme.row_low[lower]]),
        A_eq=_matrix(programme, equal), b_eq=programme.row_low[equal],
        bounds=np.stack([programme.low, programme.high], axis=1),
        method="highs-ipm" if effort.interior else "highs-ds", options=options,
    )  # fmt: skip
    if result.status == 2 and "infeasible" in str(result.message).lower():
        raise InfeasibleError("no plan satisfies the constraints", code="E291")
    if result.status == 3:
        raise UnprovenError("cost falls without limit: something sells for more than it costs", code="E293",
                            hint="check resale values, prices and terminal values")  # fmt: skip
    if result.status == 1:
        raise _late()
    if result.status != 0 or result.x is None:
        return None
    price = np.zeros(len(programme.row_low))
    count = int(upper.sum())
    price[equal] = result.eqlin.marginals
    price[upper] += result.ineqlin.marginals[:count]
    price[lower] -= result.ineqlin.marginals[count:]
    reduced = programme.cost - _matrix(programme, np.ones(len(price), dtype=bool)).T @ price
    return Solution(result.x, float(result.fun), weak_bound(programme, result.x, price, reduced), price, reduced,
                    "optimal")  # fmt: skip


def _late() -> UnprovenError:
    return UnprovenError("the solver reached its limit without an answer", code="E290", hint="give it more time")


def weak_bound(programme: Linear, x: Array, price: Array, reduced: Array) -> float:
    """Lower bound from prices: any feasible point costs at least this much.

    A reduced cost of the wrong sign within the tolerance is charged over twice the range that the answer uses,
    in place of an infinite limit.
    """
    active = np.where(price > 0, programme.row_low, programme.row_high)
    rows = float(np.sum(price * np.where(price != 0, active, 0.0)))
    reach = 2.0 * max(float(np.abs(x).max(initial=0.0)), 1.0)
    low, high = np.maximum(programme.low, -reach), np.minimum(programme.high, reach)
    return rows + float(np.sum(np.where(reduced > 0, reduced * low, reduced * high)))


def _whole(programme: Linear, effort: Effort, *, presolve: bool) -> Solution | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    whole = np.zeros(len(programme.cost)) if programme.whole is None else programme.whole.astype(np.float64)
    options: dict[str, Any] = {"presolve": presolve, "node_limit": effort.node_limit, "mip_rel_gap": effort.gap}
    if effort.time_limit_s is not None:
        options["time_limit"] = effort.time_limit_s
    matrix = _matrix(programme, np.ones(len(programme.row_low), dtype=bool))
    result = milp(
        programme.cost, integrality=whole, bounds=Bounds(programme.low, programme.high),
        constraints=LinearConstraint(matrix, programme.row_low, programme.row_high), options=options,
    )  # fmt: skip
    if result.status == 2 and "infeasible" in str(result.message).lower():
        raise InfeasibleError("no plan in whole numbers satisfies the constraints", code="E291")
    if result.status == 1 and result.x is None:
        raise _late()
    if result.x is None or result.mip_dual_bound is None:
        return None
    x = np.where(whole > 0, np.round(result.x), result.x)
    none = np.zeros(len(programme.row_low))
    return Solution(x, float(programme.cost @ x), float(result.mip_dual_bound), none, np.zeros(len(x)),
                    "optimal" if result.status == 0 else "stopped")  # fmt: skip
