"""The least that plans could cost: the linear programme on the designs of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import Ledger, ledger
from aiplan.planners.lifecycle.optimise import Integers, Optimum, optimise
from aiplan.planners.lifecycle.problem import Problem, all_vintages, problem
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
    usd : of every design in the best way, shape (designs,) [USD]; infinite where none serves the demand
    way : the best way
    """

    start: Found
    best: Found
    usd: Array
    way: str


def of_world(study: Study, world: World) -> tuple[Problem, Optimum]:
    """The optimum of a world.

    Raises InfeasibleError, and the error of a solver without proof.
    """
    found = problem(world, all_vintages(world, study.owned))
    asked = study.case.inputs.optimum
    return found, optimise(found, integers=_integers(study.case.inputs), time_limit_s=asked.time_limit_s)


def _integers(inputs: LifecycleInputs) -> Integers | None:
    asked = inputs.optimum
    if asked.whole_halls_mw is None and not asked.whole_servers:
        return None
    hall = 0.0 if asked.whole_halls_mw is None else asked.whole_halls_mw.distribution.median * 1e6
    return Integers(hall_w=hall, servers_step=1.0 if asked.whole_servers else 0.0)


def of_strategy(study: Study, strategy: Strategy) -> Found:
    """The optimum in place of a strategy's policy."""
    made, optimum = of_world(study, study.world(strategy))
    return Found(strategy, made, optimum, ledger(made, optimum.plan))


def optima(study: Study, way: str, start: Strategy) -> Optima:
    """Optima of the baseline's design, and of every design run in a way.

    Raises InfeasibleError where no design serves the demand.
    """
    usd = np.full(study.case.designs(way).size, np.inf)
    best: Found | None = None
    for number in range(len(usd)):
        try:
            found = of_strategy(study, Strategy(number, start.policy, way))
        except InfeasibleError:
            continue
        usd[number] = found.optimum.objective_usd
        if best is None or usd[number] < best.optimum.objective_usd:
            best = found
    first = of_strategy(study, start)
    if best is None:
        best = first
    return Optima(first, best, usd, way)


__all__ = ["Found", "Optima", "of_strategy", "of_world", "optima"]
