"""The cheapest plan of a problem, its proof, and what one more unit of each limit is worth.

Method: linear programme of `programme`, solved by HiGHS; no point is accepted without `verify` and without a bound
from the prices (weak duality). Whole halls or servers: branch and bound, then the rest again with those fixed.
Source: reference lifecycle-tco.md 5.3-5.5; engineering.md 4.4 for what a solver's answer is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from aiplan.errors import UnprovenError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import Plan, ledger
from aiplan.planners.lifecycle.linear import Effort, Solution, rescaled, solve
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.programme import Programme, programme
from aiplan.planners.lifecycle.verify import TOLERANCE, verify, worst_violation
from aiplan.planners.lifecycle.world import Bools

Status = Literal["optimal", "within gap", "stopped"]
LARGE = 6000
"""Columns above which the interior point method is faster: 60 quarters, 19,835 columns, 1.9 against 4.1 s."""
PROOF = 1e-6
"""Gap of a continuous optimum to its bound that counts as proven, relative."""


@dataclass(frozen=True, slots=True)
class Integers:
    """What comes in whole pieces.

    Attributes
    ----------
    hall_w : halls open in multiples of this; 0 for any size [W]
    servers_step : servers are bought in multiples of this; 0 for any number [1]
    gap : at which the search may stop [1]
    node_limit : after which it does; the same limit gives the same answer again [1]
    """

    hall_w: float = 0.0
    servers_step: float = 0.0
    gap: float = 1e-3
    node_limit: int = 2000


@dataclass(frozen=True, slots=True)
class ShadowPrices:
    """What one more unit saves, in discounted dollars; where pieces are whole, with those as they are.

    Attributes
    ----------
    site_usd_per_w : of capacity that may be built; 0 where the site has no limit [USD/W]
    power_usd_per_w : of hall capacity for one period, shape (T,) [USD/W]
    budget_usd_per_usd : of a dollar of budget, shape (T,) [1]
    racks_usd : of a rack that may stand [USD]
    demand_usd_s : what one more request/s of demand costs, shape (T, W) [USD s]
    """

    site_usd_per_w: float
    power_usd_per_w: Array
    budget_usd_per_usd: Array
    racks_usd: float
    demand_usd_s: Array


@dataclass(frozen=True, slots=True)
class Optimum:
    """A plan and how good it is known to be.

    Attributes
    ----------
    plan : the decisions
    objective_usd : discounted cost, from the ledger [USD]
    status : ``optimal`` proven; ``within gap`` for whole pieces; ``stopped`` where the search ended before
    gap : objective over bound, relative to the objective [1]
    bound_usd : no plan costs less [USD]
    prices : what limits are worth
    worst_violation : largest relative violation of any rule [1]
    certified : whether rules are kept within 1e-6 and the gap is what the status claims
    """

    plan: Plan
    objective_usd: float
    status: Status
    gap: float
    bound_usd: float
    prices: ShadowPrices
    worst_violation: float
    certified: bool


def optimise(problem: Problem, *, keep: Bools | None = None, integers: Integers | None = None,
             time_limit_s: float | None = None) -> Optimum:  # fmt: skip
    """The cheapest plan of a world without draws.

    Parameters
    ----------
    keep : vintages that stay whole until their life ends, shape (K,)
    integers : what comes in whole pieces; anything may be bought in parts where none is given
    time_limit_s : of each solve; answers found under one may differ between runs [s]

    Raises InfeasibleError where no plan keeps the rules (see `relax.explain_infeasible`), UnprovenError where the
    solver has no answer or one that fails the check, ValueError for numbers that cannot be.
    """
    made = programme(problem, keep=keep)
    if integers is None or not (integers.hall_w or integers.servers_step):
        return _optimum(made, solve(made.linear, Effort(time_limit_s, made.columns.count > LARGE)), keep)
    return _in_pieces(made, integers, keep, time_limit_s)


def _in_pieces(made: Programme, integers: Integers, keep: Bools | None, time_limit_s: float | None) -> Optimum:
    at, scale = made.columns, made.column_scale.copy()
    whole = np.zeros(at.count, dtype=bool)
    for columns, step in ((at.halls, integers.hall_w), (at.buy[at.buy >= 0], integers.servers_step)):
        if step:
            whole[columns], scale[columns] = True, step
    counted = rescaled(made.linear, scale / made.column_scale)
    effort = Effort(time_limit_s, node_limit=integers.node_limit, gap=integers.gap)
    found = solve(replace(counted, whole=whole), effort)
    # Again with the pieces as they are: exact recourse, and prices.
    fixed = replace(counted, low=np.where(whole, found.x, counted.low), high=np.where(whole, found.x, counted.high))
    made = replace(made, linear=fixed, column_scale=scale)
    again = solve(fixed, effort)
    return _optimum(made, replace(again, bound=found.bound, status=found.status), keep, integers.gap)


def _optimum(made: Programme, found: Solution, keep: Bools | None, gap: float = 0.0) -> Optimum:
    plan = made.plan(found.x)
    cost = accepted_usd(made.problem, plan, keep)
    bound = found.bound * made.money_usd + made.constant_usd
    solved = found.objective * made.money_usd + made.constant_usd
    size = max(abs(cost), abs(cost - made.constant_usd), 1e-9)
    if abs(solved - cost) > PROOF * size:
        raise UnprovenError(f"the solver's cost {solved:.9g} USD is not the ledger's {cost:.9g} USD", code="E290")
    distance = max(cost - bound, 0.0) / size
    proven = distance <= PROOF
    status: Status = "optimal" if proven else "within gap" if gap and found.status == "optimal" else "stopped"
    certified = proven or (status == "within gap" and distance <= gap * 1.01 + PROOF)
    return Optimum(plan, cost, status, distance, bound, _prices(made, found.row_price),
                   worst_violation(made.problem, plan, keep=keep), certified)  # fmt: skip


def accepted_usd(problem: Problem, plan: Plan, keep: Bools | None = None) -> float:
    """Discounted cost of a plan that keeps the rules [USD].

    Raises UnprovenError for a plan that does not.
    """
    broken = verify(problem, plan, keep=keep)
    if broken:
        worst = broken[0]
        raise UnprovenError(
            f"the solver's plan breaks a rule: {worst.rule} (period {worst.period}, by {worst.amount:.3g}, "
            f"{worst.relative:.1e} of its size, {TOLERANCE:.0e} accepted)", code="E292",
        )  # fmt: skip
    return float(ledger(problem, plan).total())


def _prices(made: Programme, row_price: Array) -> ShadowPrices:
    T, W = made.problem.capacity_per_s.shape[1:]

    def worth(name: str) -> Array:
        return -made.prices(name, row_price) if name in made.rows else np.zeros(0)

    budget = np.zeros(T)
    if "budget" in made.rows:
        budget[made.row_period[made.rows["budget"]]] = worth("budget")
    # Adding zero turns -0.0 into 0.0.
    return ShadowPrices(
        float(worth("site").sum()) + 0.0, worth("power") + 0.0, budget + 0.0, float(worth("racks").sum()) + 0.0,
        made.prices("demand", row_price).reshape(T, W) + 0.0,
    )  # fmt: skip
