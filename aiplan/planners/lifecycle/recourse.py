"""What each scenario costs on its own, and with a given first stage."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aiplan.errors import InfeasibleError, UnprovenError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.extensive import Scenarios
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.linear import Solution, solve
from aiplan.planners.lifecycle.optimise import accepted_usd


@dataclass(frozen=True, slots=True)
class Outcome:
    """A first stage carried out in every scenario.

    Attributes
    ----------
    cost_usd : discounted cost, shape (S,); infinite where the first stage leaves no plan [USD]
    plans : of each scenario, None where there is none
    failed : scenarios without a plan
    """

    cost_usd: Array
    plans: tuple[Plan | None, ...]
    failed: tuple[int, ...]


def within(set_: Scenarios, number: int, point: Array) -> Solution | None:
    """A scenario's best answer to a first stage, scaled, shape (Z,); None where it leaves no plan."""
    try:
        return solve(set_.fixed(number, point))
    except InfeasibleError:
        return None


def outcome(set_: Scenarios, point: Array) -> Outcome:
    """Cost of a first stage in every scenario, from the ledger of checked plans."""
    plans: list[Plan | None] = []
    cost = np.full(len(set_.made), np.inf)
    for number, made in enumerate(set_.made):
        found = within(set_, number, point)
        plans.append(None if found is None else set_.plan(number, found.x))
        if plans[-1] is not None:
            cost[number] = accepted_usd(made.problem, plans[-1])
    return Outcome(cost, tuple(plans), tuple(int(n) for n in np.nonzero(np.isinf(cost))[0]))


def alone(set_: Scenarios) -> tuple[Array, Array]:
    """Cost of each scenario with perfect foresight, shape (S,) [USD], and its first stage, scaled, shape (S, Z).

    Raises InfeasibleError where a scenario has no plan at all.
    """
    cost, points = np.zeros(len(set_.made)), []
    for number, made in enumerate(set_.made):
        try:
            found = solve(made.linear)
        except InfeasibleError as error:
            raise InfeasibleError(f"scenario {number + 1} has no plan", code="E291", hint=error.hint) from error
        cost[number] = found.objective * made.money_usd + made.constant_usd
        points.append(found.x[set_.stage.places[number]])
    return cost, np.array(points)


@dataclass(frozen=True, slots=True)
class Cut:
    """A plane below what a scenario costs, or below what it lacks: ``height + slope @ (z - at)``.

    Attributes
    ----------
    scenario : which
    lacks : whether it is what a first stage lacks to have a plan, which must not be above zero
    at : first stage it was found at, shape (Z,); slope : shape (Z,)
    height : cost there without what no decision changes, or what lacks
    """

    scenario: int
    lacks: bool
    at: Array
    slope: Array
    height: float


def cut(set_: Scenarios, relaxed: Scenarios, number: int, point: Array) -> Cut:
    """The plane at a first stage, from the prices of its columns; ``relaxed`` has slack for every resource.

    Raises UnprovenError where a scenario has no plan though nothing is lacking.
    """
    at = set_.stage.places[number]
    found = within(set_, number, point)
    if found is not None:
        return Cut(number, False, point, found.column_price[at], found.objective)
    loose = relaxed.fixed(number, point)
    cost = np.zeros(len(loose.cost))
    for columns in relaxed.made[number].columns.slack.values():
        cost[columns.ravel()] = 1.0
    lacking = solve(replace(loose, cost=cost))
    if lacking.objective <= 1e-9:
        raise UnprovenError("the solver finds no plan of a scenario in which nothing is lacking", code="E290")
    return Cut(number, True, point, lacking.column_price[relaxed.stage.places[number]], lacking.objective)
