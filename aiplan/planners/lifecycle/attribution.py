"""Who saved what: stages of a plan alone, one after the other, and by their Shapley values.

Savings of stages do not add up: halls for fewer servers are worth less. A table of the cost of every set of stages
says what each is worth. The Shapley value is a stage's mean saving over all orders in which stages can be added; it is
the only split that adds up, treats equals alike and gives nothing to a stage that saves nothing (Shapley 1953).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from aiplan.planners.arrays import require

MOST_STAGES = 6

Costs = Mapping[frozenset[str], float]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Savings by stage, in the unit of the costs.

    Attributes
    ----------
    joint : of all stages together
    alone : of a stage by itself
    sequential : of a stage after those before it, in the order given
    shapley : mean over all orders
    last : of a stage after all others
    """

    joint: float
    alone: dict[str, float]
    sequential: dict[str, float]
    shapley: dict[str, float]
    last: dict[str, float]


def subsets(stages: Sequence[str]) -> list[frozenset[str]]:
    """All sets of stages, the empty one first: the costs that `attribute` asks for."""
    return [frozenset(found) for size in range(len(stages) + 1) for found in combinations(stages, size)]


def attribute(costs: Costs, stages: Sequence[str]) -> Attribution:
    """Savings of stages from the cost of every set of them.

    Shapley value of stage i of n: ``sum_S |S|! (n - |S| - 1)! / n! (cost(S) - cost(S + i))`` over all sets S without
    i; exact.

    Raises ValueError for no stage, a stage named twice, more than six, and sets without a cost.

    >>> costs = {frozenset(): 100.0, frozenset("a"): 90.0, frozenset("b"): 80.0, frozenset("ab"): 74.0}
    >>> attribute(costs, ["a", "b"]).shapley
    {'a': 8.0, 'b': 18.0}
    """
    require(0 < len(stages) <= MOST_STAGES, f"there must be 1 to {MOST_STAGES} stages")
    require(len(set(stages)) == len(stages), "every stage must be named once")
    missing = [found for found in subsets(stages) if found not in costs]
    require(not missing, f"no cost for {', '.join('+'.join(sorted(found)) or 'no stage' for found in missing)}")
    require([math.isfinite(costs[found]) for found in subsets(stages)], "costs must be finite")
    none, every = frozenset[str](), frozenset(stages)
    return Attribution(
        costs[none] - costs[every],
        {stage: costs[none] - costs[frozenset((stage,))] for stage in stages},
        _sequential(costs, stages),
        {stage: _shapley(costs, stages, stage) for stage in stages},
        {stage: costs[every - {stage}] - costs[every] for stage in stages},
    )


def _sequential(costs: Costs, stages: Sequence[str]) -> dict[str, float]:
    done, found = frozenset[str](), {}
    for stage in stages:
        found[stage] = costs[done] - costs[done | {stage}]
        done |= {stage}
    return found


def _shapley(costs: Costs, stages: Sequence[str], stage: str) -> float:
    others = [other for other in stages if other != stage]
    whole = math.factorial(len(stages))
    terms = []
    for before in subsets(others):
        weight = math.factorial(len(before)) * math.factorial(len(others) - len(before)) / whole
        terms.append(weight * (costs[before] - costs[before | {stage}]))
    return math.fsum(terms)
