"""The first stage by planes below what each scenario costs (L-shaped method, one plane per scenario and round).

Source of the method: Van Slyke and Wets 1969; Birge and Louveaux 1988 for one plane per scenario [unverified]. The
start is the answer to a few scenarios that stand for all (fast forward selection, Heitsch and Roemisch 2003
[unverified]); every round asks between the best first stage and the one that the planes propose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.extensive import Scenarios, joined, scenarios
from aiplan.planners.lifecycle.linear import Linear, Rows, solve
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.programme import RESOURCES
from aiplan.planners.lifecycle.recourse import Cut, cut

Goal = Literal["expected", "regret"]
REPRESENTATIVES = 8
"""Scenarios the start is found with."""
GAP = 1e-5
MOST_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Decomposed:
    """A first stage and what is known of it.

    Attributes
    ----------
    point : scaled, shape (Z,)
    value_usd, bound_usd : goal at the point, and what no first stage is below [USD]
    rounds : of planes
    first_gap : of the start, relative: what standing for all by a few costs [1]
    gap : at the end [1]
    """

    point: Array
    value_usd: float
    bound_usd: float
    rounds: int
    first_gap: float
    gap: float


def representatives(problems: Sequence[Problem], chance: Array, count: int) -> tuple[npt.NDArray[np.int64], Array]:
    """Scenarios that stand for all and the probabilities they take over: fast forward selection.

    Distance of two scenarios: mean relative difference of demand and of the cheapest capital per request/s by period.
    """
    features = np.array([_features(problem) for problem in problems])
    features /= np.maximum(np.abs(features).mean(axis=0), 1e-12)
    distance = np.abs(features[:, None] - features[None]).mean(axis=-1)
    chosen: list[int] = []
    near = np.full(len(problems), np.inf)
    for _ in range(min(count, len(problems))):
        reached = np.minimum(near[None, :], distance)
        left = reached @ chance
        left[chosen] = np.inf
        chosen.append(int(np.argmin(left)))
        near = reached[chosen[-1]]
    owner = np.argmin(distance[chosen], axis=0)
    share = np.bincount(owner, weights=chance, minlength=len(chosen))
    return np.array(chosen), np.asarray(share)


def _features(problem: Problem) -> Array:
    buy = [line.usd for line in problem.lines if line.group == "buy" and line.kind == "capex"]
    usd = np.sum(buy, axis=0) if buy else np.zeros(problem.allowed.shape[-1])
    periods = np.arange(problem.world.clock.periods)
    best = problem.capacity_per_s.max(axis=-1)
    sold = problem.allowed[:, None] & (problem.vintages.bought[:, None] <= periods) & (best > 0)
    each = np.where(sold, usd[:, None] / np.maximum(best, 1e-300), np.inf).min(axis=0, initial=np.inf)
    return np.concatenate([problem.demand_per_s.ravel(), np.where(np.isfinite(each), each, 0.0)])


def start(problems: Sequence[Problem], set_: Scenarios) -> Array:
    """First stage of a few scenarios that stand for all, scaled, shape (Z,)."""
    chosen, share = representatives(problems, set_.chance, REPRESENTATIVES)
    whole, _ = joined(set_.part([int(n) for n in chosen], share))
    return np.asarray(solve(whole).x[: len(set_.stage.scale)])


def decompose(problems: Sequence[Problem], set_: Scenarios, alone_usd: Array, *, goal: Goal = "expected",
              gap: float = GAP, most_rounds: int = MOST_ROUNDS, stage_periods: int = 2) -> Decomposed:  # fmt: skip
    """The best first stage, to a gap relative to the goal (of the expected cost, for both goals).

    Parameters
    ----------
    alone_usd : cost of each scenario with perfect foresight, shape (S,): what no plan of it is below

    Raises UnprovenError where a solve fails.
    """
    master = _Master(set_, alone_usd, goal)
    relaxed = scenarios(problems, set_.chance, stage_periods=stage_periods, relaxed=RESOURCES)
    size = float(set_.chance @ np.abs(alone_usd))
    point = start(problems, set_)
    best, value, bound, first_gap, step, rounds = point, np.inf, -np.inf, np.inf, 0.5, 0
    while rounds < most_rounds:
        rounds += 1
        cuts = [cut(set_, relaxed, number, point) for number in range(len(set_.made))]
        found = master.value(cuts)
        if found < value:
            best, value, step = point, found, 0.5
        else:
            step = 1.0 if step == 0.5 else 0.5
        proposal, bound = master.proposal(cuts)
        if rounds == 1:
            first_gap = (value - bound) / size
        if value - bound <= gap * size:
            break
        point = proposal if not np.isfinite(value) else best + step * (proposal - best)
    return Decomposed(best, value, bound, rounds, first_gap, (value - bound) / size)


class _Master:
    """Least goal over the planes so far: columns are the first stage, then cost of each scenario, then the regret."""

    def __init__(self, set_: Scenarios, alone_usd: Array, goal: Goal) -> None:
        self.set, self.goal, self.money = set_, goal, set_.money_usd
        self.constant = np.array([made.constant_usd for made in set_.made])
        self.least = (alone_usd - self.constant) / self.money
        self.alone = alone_usd
        self.cuts: list[Cut] = []

    def value(self, cuts: list[Cut]) -> float:
        """Goal at the first stage the planes were found at [USD]."""
        if any(found.lacks for found in cuts):
            return np.inf
        cost = np.array([found.height for found in cuts]) * self.money + self.constant
        return float(self.set.chance @ cost if self.goal == "expected" else np.max(cost - self.alone))

    def proposal(self, cuts: list[Cut]) -> tuple[Array, float]:
        """The first stage with the least goal, scaled, and that goal [USD]: a bound of the true one."""
        self.cuts += cuts
        first, many = len(self.set.stage.scale), len(self.set.made)
        total = first + many + 1
        slopes = np.array([found.slope for found in self.cuts])
        which = np.array([found.scenario for found in self.cuts])
        lacks = np.array([found.lacks for found in self.cuts])
        level = np.array([found.height - found.slope @ found.at for found in self.cuts])
        rows = Rows()
        # cost - slope z >= level; for what lacks: -slope z >= level.
        at = rows.block(level, np.inf, len(level))
        rows.put(at[:, None], np.arange(first), -slopes)
        rows.put(at, np.where(lacks, -1, first + which), 1.0)
        if self.goal == "regret":
            at = rows.block(-np.inf, self.least, many)
            rows.put(at, first + np.arange(many), 1.0)
            rows.put(at, np.full(many, total - 1), -1.0)
        cost = np.zeros(total)
        if self.goal == "expected":
            cost[first:-1] = self.set.chance
        else:
            cost[-1] = 1.0
        low = np.concatenate([np.zeros(first), self.least, [0.0]])
        found = solve(Linear(cost, low, np.full(total, np.inf), *rows.finish()))
        constant = float(self.set.chance @ self.constant) if self.goal == "expected" else 0.0
        return found.x[:first], found.objective * self.money + constant
