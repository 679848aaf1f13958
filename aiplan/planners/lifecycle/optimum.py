"""The least that plans could cost: the linear programme on the designs of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InfeasibleError, UnprovenError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import Ledger, ledger
from aiplan.planners.lifecycle.optimise import Integers, Optimum, optimise
from aiplan.planners.lifecycle.problem import Problem, all_vintages, problem
from aiplan.planners.lifecycle.relax import explain_infeasible
from aiplan.planners.lifecycle.strategies import Strategy, Study
from aiplan.planners.lifecycle.world import World

if TYPE_CHECKING:
    from aiplan.planners.lifecycle.inputs import LifecycleInputs


@dataclass(frozen=True, slots=True)
class Found:
    """The optimum of one design and way.

    Attributes
    ----------
    money : its ledger; the total is the objective
    """

    strategy: Strategy
    problem: Problem
    optimum: Optimum
    money: Ledger


@dataclass(frozen=True, slots=True)
class Optima:
    """Optima of a study.

    Attributes
    ----------
    start : of the baseline's design and way
    best : the best over all designs, run in the best way
    start_usd : least cost of the baseline's design and way where parts may be bought, which no policy is below [USD]
    usd : of every design in the best way, shape (designs,) [USD]; infinite where none serves the demand
    way : the best way
    """

    start: Found
    best: Found
    start_usd: float
    usd: Array
    way: str


def of_world(study: Study, world: World, integers: Integers | None = None) -> tuple[Problem, Optimum]:
    """The optimum of a world.

    Raises InfeasibleError that says what binds, and the error of a solver without proof.
    """
    found = problem(world, all_vintages(world, study.owned))
    try:
        return found, optimise(found, integers=integers, time_limit_s=study.case.inputs.optimum.time_limit_s)
    except InfeasibleError:
        why = explain_infeasible(found)
        raise why.error() if why is not None else UnprovenError(
            "no whole halls or servers were found that serve the demand, though parts of them would", code="E290",
            hint="give optimum.time_limit_s more, or smaller halls") from None  # fmt: skip


def integers_of(inputs: LifecycleInputs) -> Integers | None:
    """What is built and bought as a whole; None for nothing."""
    asked = inputs.optimum
    if asked.whole_halls_mw is None and not asked.whole_servers:
        return None
    hall = 0.0 if asked.whole_halls_mw is None else asked.whole_halls_mw.distribution.median * 1e6
    return Integers(hall_w=hall, servers_step=1.0 if asked.whole_servers else 0.0)


def of_strategy(study: Study, strategy: Strategy, integers: Integers | None = None) -> Found:
    """The optimum in place of a strategy's policy."""
    made, optimum = of_world(study, study.world(strategy), integers)
    return Found(strategy, made, optimum, ledger(made, optimum.plan))


def optima(study: Study, way: str, start: Strategy) -> Optima:
    """Optima of the baseline's design, and of every design run in a way.

    Policies buy and build in parts, and so do these; with whole halls or servers the two that are printed are solved
    once more with them.

    Raises InfeasibleError where the baseline's design cannot serve the demand.
    """
    usd = np.full(study.case.designs(way).size, np.inf)
    best: Found | None = None
    at_start: Found | None = None
    for number in range(len(usd)):
        try:
            found = of_strategy(study, Strategy(number, start.policy, way))
        except InfeasibleError:
            continue
        if found.strategy == start:
            at_start = found
        usd[number] = found.optimum.objective_usd
        if best is None or usd[number] < best.optimum.objective_usd:
            best = found
    first = at_start if at_start is not None else of_strategy(study, start)
    best = first if best is None else best
    least, whole = first.optimum.objective_usd, integers_of(study.case.inputs)
    if whole is not None:
        first, best = (of_strategy(study, found.strategy, whole) for found in (first, best))
    return Optima(first, best, least, usd, way)


__all__ = ["Found", "Optima", "of_strategy", "of_world", "optima"]
