"""Planning again in every period with what is known then: what an operator can reach who does not know the future.

In each period the rest of the study is planned in the world as it is believed to be; only that period's decisions
are carried out. Source: reference lifecycle-tco.md 5.1 and section 7, item 7 (static, adaptive, clairvoyant).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array, require
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.linear import Linear, solve
from aiplan.planners.lifecycle.optimise import accepted_usd
from aiplan.planners.lifecycle.problem import Problem, Vintages, all_vintages, joined, problem
from aiplan.planners.lifecycle.programme import Programme, fixed_before, programme
from aiplan.planners.lifecycle.world import World

SLACK = 1e-9
"""Room left over the least unserved demand, relative, so that rounding does not make it impossible."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What was done, and what it cost in the world as it was.

    Attributes
    ----------
    problem : of the true world, with the plan's vintages
    plan : decisions carried out
    cost_usd : discounted cost [USD]
    unmet_per_s : demand not served, shape (T, W) [1/s]
    planned : periods in which the rest was planned anew
    """

    problem: Problem
    plan: Plan
    cost_usd: float
    unmet_per_s: Array
    planned: tuple[int, ...]


def rolling(beliefs: Sequence[World], truth: World, owned: Vintages | None = None) -> Carried:
    """Plan in every period in the world believed then, and carry out that period's decisions.

    Parameters
    ----------
    beliefs : the world as believed at the start of each period, T of them over the whole clock; what is past or
        present in it is as in the truth. Where one is the same object as that before, its plan is followed on
    owned : servers owned at the start

    Demand that cannot be served any more is left out, as little as possible; see `Carried.unmet_per_s`.

    Raises ValueError where clocks differ, UnprovenError where a solve fails.
    """
    periods = truth.clock.periods
    require(len(beliefs) == periods, "there must be one belief per period")
    require(all(belief.clock == truth.clock for belief in beliefs), "beliefs and truth must have one clock")
    vintages = _all_of([truth, *beliefs], owned)
    real = problem(truth, vintages)
    done, intended = _nothing(real), _nothing(real)
    unmet, planned = np.zeros(real.demand_per_s.shape), []
    for period, belief in enumerate(beliefs):
        if period == 0 or belief is not beliefs[period - 1]:
            intended, short = _planned(problem(belief, vintages), done, period)
            planned.append(period)
            unmet[period:] = short[period:]
        done = _advanced(real, done, intended, period)
    return Carried(real, done, _cost(real, done, unmet), unmet, tuple(planned))


def operated(real: Problem, plan: Plan) -> Carried:
    """Purchases and halls as in a plan; servers run, retired and rented as is best then.

    Raises UnprovenError where a solve fails.
    """
    made = programme(real, relaxed=("demand",))
    point, at = made.point(plan), made.columns
    decided = np.concatenate([at.buy[at.buy >= 0], at.halls])
    low, high = made.linear.low.copy(), made.linear.high.copy()
    low[decided] = high[decided] = point[decided]
    found, unmet = _with_least_unmet(made, replace(made.linear, low=low, high=high))
    return Carried(real, found, _cost(real, found, unmet), unmet, (0,))


def _all_of(worlds: Sequence[World], owned: Vintages | None) -> Vintages:
    """Everything that can be bought in any of the worlds, and what is owned."""
    keys = set()
    for world in {id(world): world for world in worlds}.values():
        found = all_vintages(world)
        keys |= {(int(t), int(g)) for g, t in zip(found.generation, found.bought, strict=True)}
    bought, generation = np.array(sorted(keys), dtype=np.int64).reshape(-1, 2).T
    zeros = np.zeros(len(bought))
    new = Vintages(generation, bought, zeros, zeros)
    return new if owned is None else joined(owned, new)


def _nothing(real: Problem) -> Plan:
    k, t, w = real.capacity_per_s.shape
    return Plan(np.zeros(k), np.zeros((k, t)), np.zeros((k, t, w)), np.zeros(t), np.zeros((t, w)))


def _planned(believed: Problem, done: Plan, period: int) -> tuple[Plan, Array]:
    """The rest planned after what is done, and the demand it does not serve, shape (T, W)."""
    made = programme(believed)
    try:
        found = solve(fixed_before(made, done, period))
    except InfeasibleError:
        made = programme(believed, relaxed=("demand",))
        return _with_least_unmet(made, fixed_before(made, done, period))
    return made.plan(found.x), np.zeros(believed.demand_per_s.shape)


def _with_least_unmet(made: Programme, linear: Linear) -> tuple[Plan, Array]:
    """The cheapest plan of those that leave the least demand unserved, and what they leave, shape (T, W)."""
    slack = made.columns.slack["demand"]
    goal = np.zeros(made.columns.count)
    goal[slack.ravel()] = 1.0
    least = solve(replace(linear, cost=goal))
    high = linear.high.copy()
    high[slack] = np.maximum(least.x[slack], 0.0) * (1 + SLACK) + SLACK
    found = solve(replace(linear, high=high))
    unmet = np.maximum(found.x * made.column_scale, 0.0)[slack]
    # What is left to rounding is no demand.
    return made.plan(found.x), np.where(unmet > 1e-6 * np.maximum(made.problem.demand_per_s, 1e-12), unmet, 0.0)


def _advanced(real: Problem, done: Plan, intended: Plan, period: int) -> Plan:
    """What is done with a period's decisions added."""
    buy = np.where(real.vintages.bought == period, intended.buy, done.buy)
    halls = np.where(real.paid_period == period, intended.halls_w, done.halls_w)
    serve, use, rent = done.serve.copy(), done.use.copy(), done.rent_per_s.copy()
    serve[:, period], use[:, period], rent[period] = (
        intended.serve[:, period], intended.use[:, period], intended.rent_per_s[period],
    )  # fmt: skip
    return Plan(buy, serve, use, halls, rent)


def _cost(real: Problem, plan: Plan, unmet: Array) -> float:
    """Discounted cost of a plan checked against the demand it was to serve [USD]."""
    return accepted_usd(replace(real, demand_per_s=real.demand_per_s - unmet), plan)
