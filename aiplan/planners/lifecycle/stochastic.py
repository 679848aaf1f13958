"""Planning for several futures: one first stage, then the best of each scenario.

Two-stage programme over scenarios with probabilities, value of perfect information and of the stochastic solution,
and the first stage whose worst regret is least. Source: reference lifecycle-tco.md 5.1 and 6.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array, require
from aiplan.planners.lifecycle.decomposition import GAP, Goal, decompose
from aiplan.planners.lifecycle.extensive import FirstStage, Scenarios, joined, scenarios
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.linear import Linear, solve
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.recourse import Outcome, alone, outcome
from aiplan.planners.lifecycle.world import World

Method = Literal["auto", "extensive", "decomposed"]
EXTENSIVE_MOST = {"expected": 80, "regret": 24}
"""Scenarios up to which one programme of all is the faster way. Measured for 15 years and two classes: expected cost of
40, 100, 200 in 2, 22, 84 s; regret of 20, 40 in 4, 13 s. Planes take time in proportion to the number: 6 s for 40."""
TAIL = 0.95
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TwoStage:
    """The first stage with the least expected cost, and what knowing more would be worth.

    Attributes
    ----------
    first : the first stage
    expected_usd : expected cost (RP) [USD]
    bound_usd : no first stage has a lower one [USD]
    cost_usd : by scenario, shape (S,) [USD]
    plans : by scenario
    cvar_usd : mean cost of the worst 5 % [USD]
    alone_usd : by scenario with perfect foresight, shape (S,) [USD]
    evpi : share of the expected cost that perfect information would save, (RP - WS) / RP [1]
    mean_plan_usd : expected cost of the first stage that is best in the mean scenario (EEV); infinite where it leaves
        a scenario without a plan, None where no mean scenario was given [USD]
    mean_plan_failed : scenarios that it leaves without a plan
    vss : share that planning for all scenarios saves over that, (EEV - RP) / RP; None as above [1]
    method, rounds, first_gap : how it was found; rounds of planes and the gap of their start, 0 where not used
    """

    first: FirstStage
    expected_usd: float
    bound_usd: float
    cost_usd: Array
    plans: tuple[Plan, ...]
    cvar_usd: float
    alone_usd: Array
    evpi: float
    mean_plan_usd: float | None
    mean_plan_failed: tuple[int, ...]
    vss: float | None
    method: str
    rounds: int
    first_gap: float

    @property
    def gap(self) -> float:
        """Expected cost over its bound, relative [1]."""
        return max(self.expected_usd - self.bound_usd, 0.0) / max(abs(self.expected_usd), 1e-9)


@dataclass(frozen=True, slots=True)
class LeastRegret:
    """The first stage whose worst regret is least.

    Attributes
    ----------
    first : the first stage
    regret_usd : cost over that with perfect foresight by scenario, shape (S,) [USD]
    worst_usd, bound_usd : the largest, and what no first stage is below [USD]
    cost_usd, alone_usd : shape (S,) [USD]
    plans : by scenario
    """

    first: FirstStage
    regret_usd: Array
    worst_usd: float
    bound_usd: float
    cost_usd: Array
    alone_usd: Array
    plans: tuple[Plan, ...]


def two_stage(problems: Sequence[Problem], chance: Array | None = None, *, stage_periods: int = 2,
              expected: Problem | None = None, method: Method = "auto", gap: float = GAP) -> TwoStage:  # fmt: skip
    """The first stage with the least expected cost.

    Parameters
    ----------
    problems : scenarios of one clock; lists of vintages may differ
    chance : probabilities, shape (S,); equal ones where none are given
    stage_periods : periods whose purchases and halls are decided before it is known which scenario comes
    expected : the mean scenario, such as a `problem` of `mean_world`, for the value of the stochastic solution
    gap : proof asked of the decomposition, relative [1]

    Raises InfeasibleError where no first stage leaves every scenario a plan, UnprovenError where a solve fails,
    ValueError for scenarios that cannot stand together.
    """
    set_, mean = _with_mean(problems, chance, expected, stage_periods)
    alone_usd, _ = alone(set_)
    point, bound, used, rounds, first_gap = _best(problems, set_, alone_usd, "expected", method, gap, stage_periods)
    found = outcome(set_, point)
    plans = _all_plans(found)
    value = float(set_.chance @ found.cost_usd)
    eev = None if mean is None else outcome(set_, mean)
    return TwoStage(
        set_.first(point), value, bound, found.cost_usd, plans, cvar(found.cost_usd, set_.chance), alone_usd,
        (value - float(set_.chance @ alone_usd)) / value, None if eev is None else _mean_cost(set_, eev),
        () if eev is None else eev.failed, None if eev is None else (_mean_cost(set_, eev) - value) / value,
        used, rounds, first_gap,
    )  # fmt: skip


def least_regret(problems: Sequence[Problem], *, stage_periods: int = 2, method: Method = "auto",
                 gap: float = GAP) -> LeastRegret:  # fmt: skip
    """The first stage whose cost over perfect foresight is least in the scenario where it is worst.

    Raises as `two_stage`.
    """
    set_ = scenarios(problems, stage_periods=stage_periods)
    alone_usd, _ = alone(set_)
    point, bound, *_ = _best(problems, set_, alone_usd, "regret", method, gap, stage_periods)
    found = outcome(set_, point)
    regret = found.cost_usd - alone_usd
    return LeastRegret(set_.first(point), regret, float(regret.max()), bound, found.cost_usd, alone_usd,
                       _all_plans(found))  # fmt: skip


def cvar(cost_usd: Array, chance: Array, tail: float = TAIL) -> float:
    """Mean cost of the worst share ``1 - tail`` of the probability [USD]; a scenario may count in part."""
    order = np.argsort(-cost_usd, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(chance[order])[:-1]])
    weight = np.clip(1.0 - tail - before, 0.0, chance[order])
    return float(weight @ cost_usd[order] / weight.sum())


def mean_world(worlds: Sequence[World], chance: Array | None = None) -> World:
    """The world with the mean of every number that differs.

    Raises ValueError where worlds differ in more than numbers.
    """
    share = np.full(len(worlds), 1.0 / len(worlds)) if chance is None else np.asarray(chance)
    return _mean(list(worlds), share)


def _mean(values: list[T], share: Array) -> T:
    first: Any = values[0]
    if is_dataclass(first) and not isinstance(first, type):
        parts = {part.name: _mean([getattr(value, part.name) for value in values], share) for part in fields(first)}
        return replace(first, **parts)  # type: ignore[return-value]
    if isinstance(first, dict):
        return {key: _mean([value[key] for value in values], share) for key in first}  # type: ignore[return-value,index]
    if isinstance(first, np.ndarray) and first.dtype == np.float64:
        wide = np.broadcast_arrays(*(np.asarray(value) for value in values))
        same = np.all([part == wide[0] for part in wide], axis=0)
        with np.errstate(invalid="ignore"):
            return np.where(same, wide[0], np.tensordot(share, np.stack(wide), axes=1))  # type: ignore[return-value]
    if isinstance(first, float):
        return first if all(value == first for value in values) else float(share @ np.array(values))  # type: ignore
    require(all(np.array_equal(np.asarray(value), np.asarray(first)) for value in values), "worlds differ in kind")
    return first  # type: ignore[no-any-return]


def _with_mean(problems: Sequence[Problem], chance: Array | None, expected: Problem | None,
               stage_periods: int) -> tuple[Scenarios, Array | None]:  # fmt: skip
    """Scenarios and the scaled first stage that is best in the mean one."""
    if expected is None:
        return scenarios(problems, chance, stage_periods=stage_periods), None
    share = np.full(len(problems), 1.0 / len(problems)) if chance is None else np.asarray(chance, dtype=np.float64)
    both = scenarios([*problems, expected], np.append(share, 0.0), stage_periods=stage_periods)
    point = solve(both.made[-1].linear).x[both.stage.places[-1]]
    return both.part(range(len(problems)), share), np.asarray(point)


def _best(problems: Sequence[Problem], set_: Scenarios, alone_usd: Array, goal: Goal, method: Method, gap: float,
          stage_periods: int) -> tuple[Array, float, str, int, float]:  # fmt: skip
    """First stage, bound [USD], method used, rounds and gap of the start."""
    if method == "extensive" or (method == "auto" and len(problems) <= EXTENSIVE_MOST[goal]):
        whole, _ = joined(set_) if goal == "expected" else _with_regret(set_, alone_usd)
        found = solve(whole)
        constant = float(set_.chance @ [made.constant_usd for made in set_.made]) if goal == "expected" else 0.0
        return found.x[: len(set_.stage.scale)], found.bound * set_.money_usd + constant, "extensive", 0, 0.0
    split = decompose(problems, set_, alone_usd, goal=goal, gap=gap, stage_periods=stage_periods)
    if not np.isfinite(split.value_usd):
        raise InfeasibleError("no first stage was found that leaves every scenario a plan", code="E291")
    return split.point, split.bound_usd, "decomposed", split.rounds, split.first_gap


def _with_regret(set_: Scenarios, alone_usd: Array) -> tuple[Linear, list[Any]]:
    """One programme of all scenarios that makes the worst regret small."""
    whole, maps = joined(set_)
    last, row = len(whole.cost), len(whole.row_low)
    rows, columns, values, limit = [whole.rows], [whole.columns], [whole.values], []
    for number, (made, place) in enumerate(zip(set_.made, maps, strict=True)):
        charged = np.nonzero(made.linear.cost)[0]
        rows.append(np.full(len(charged) + 1, row + number))
        columns.append(np.append(place[charged], last))
        values.append(np.append(made.linear.cost[charged], -1.0))
        limit.append((alone_usd[number] - made.constant_usd) / made.money_usd)
    many = len(set_.made)
    return Linear(
        np.append(np.zeros(last), 1.0), np.append(whole.low, 0.0), np.append(whole.high, np.inf),
        np.concatenate(rows), np.concatenate(columns), np.concatenate(values),
        np.append(whole.row_low, np.full(many, -np.inf)), np.append(whole.row_high, limit),
    ), maps  # fmt: skip


def _all_plans(found: Outcome) -> tuple[Plan, ...]:
    plans = tuple(plan for plan in found.plans if plan is not None)
    if len(plans) < len(found.plans):
        raise InfeasibleError("the first stage leaves a scenario without a plan", code="E291")
    return plans


def _mean_cost(set_: Scenarios, found: Outcome) -> float:
    return float("inf") if found.failed else float(set_.chance @ found.cost_usd)
