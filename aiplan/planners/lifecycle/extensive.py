"""Several scenarios in one linear programme with a common first stage.

First stage: servers bought and halls decided in the first periods. What can be bought then in some scenarios only is
not bought: a decision that is common must be possible in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.linear import Linear, rescaled
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.programme import Programme, programme
from aiplan.planners.lifecycle.world import Ints

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """Columns of the first stage and where they are in each scenario.

    Attributes
    ----------
    bought : generation and period of each vintage, in order
    halls : periods in which halls that are decided in the stage open
    places : columns of each scenario, shape (Z,): vintages, then halls
    barred : columns of each scenario that are not bought because others cannot
    scale : servers or watts of one scaled unit, shape (Z,)
    """

    bought: tuple[Key, ...]
    halls: tuple[int, ...]
    places: tuple[Ints, ...]
    barred: tuple[Ints, ...]
    scale: Array


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What is decided before it is known which scenario comes.

    Attributes
    ----------
    bought : generation and period of each vintage
    servers : bought of each, shape (V,) [1]
    halls : periods in which halls open; halls_w : their capacity, shape (H,) [W]
    """

    bought: tuple[Key, ...]
    servers: Array
    halls: tuple[int, ...]
    halls_w: Array


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Problems with their programmes in common units.

    Attributes
    ----------
    made : programmes, S of them, all in the same money
    stage : the first stage
    chance : probabilities, shape (S,)
    """

    made: tuple[Programme, ...]
    stage: Stage
    chance: Array

    @property
    def money_usd(self) -> float:
        """Dollars of one unit of an objective."""
        return self.made[0].money_usd

    def first(self, point: Array) -> FirstStage:
        """The first stage of a point of its columns, shape (Z,)."""
        values = np.maximum(point, 0.0) * self.stage.scale
        count = len(self.stage.bought)
        return FirstStage(self.stage.bought, values[:count], self.stage.halls, values[count:])

    def fixed(self, number: int, point: Array) -> Linear:
        """A scenario's programme with the first stage as given."""
        linear, at = self.made[number].linear, self.stage.places[number]
        low, high = linear.low.copy(), linear.high.copy()
        low[at] = high[at] = np.maximum(point, 0.0)
        return replace(linear, low=low, high=high)

    def plan(self, number: int, x: Array) -> Plan:
        """A scenario's plan."""
        return self.made[number].plan(x)

    def part(self, numbers: Sequence[int], chance: Array) -> Scenarios:
        """Some of the scenarios with probabilities of their own."""
        stage = replace(self.stage, places=tuple(self.stage.places[n] for n in numbers),
                        barred=tuple(self.stage.barred[n] for n in numbers))  # fmt: skip
        return Scenarios(tuple(self.made[n] for n in numbers), stage, np.asarray(chance))


def scenarios(problems: Sequence[Problem], chance: Array | None = None, *, stage_periods: int = 2,
              relaxed: tuple[str, ...] = ()) -> Scenarios:  # fmt: skip
    """Programmes of problems with a common first stage.

    Parameters
    ----------
    chance : probabilities, shape (S,); equal ones where none are given
    stage_periods : periods in which decisions are made before it is known which scenario comes

    Raises ValueError where there is no scenario, where clocks differ, or for probabilities that cannot be.
    """
    require(len(problems) > 0, "there must be a scenario")
    require(all(p.world.clock == problems[0].world.clock for p in problems), "scenarios must have one clock")
    require(stage_periods > 0, "the first stage must have a period")
    share = np.full(len(problems), 1.0 / len(problems)) if chance is None else np.asarray(chance, dtype=np.float64)
    require(share.shape == (len(problems),), "there must be one probability per scenario")
    require((share >= 0).all() and abs(share.sum() - 1) < 1e-9, "probabilities must not be negative and add up to 1")
    made = [programme(problem, relaxed=relaxed) for problem in problems]
    stage, scales = _stage(made, stage_periods)
    money = float(np.median([one.money_usd for one in made]))
    made = [_in_units(one, scale, money) for one, scale in zip(made, scales, strict=True)]
    barred = [_barred(one, at) for one, at in zip(made, stage.barred, strict=True)]
    return Scenarios(tuple(barred), stage, share)


def _keys(made: Programme, periods: int) -> dict[Key, int]:
    vintages = made.problem.vintages
    generation = np.broadcast_to(vintages.generation, made.columns.buy.shape)
    inside = np.nonzero((made.columns.buy >= 0) & (vintages.bought < periods))[0]
    return {(int(generation[k]), int(vintages.bought[k])): int(made.columns.buy[k]) for k in inside}


def _stage(made: list[Programme], periods: int) -> tuple[Stage, list[Array]]:
    keys = [_keys(one, periods) for one in made]
    common = sorted(set.intersection(*(set(found) for found in keys)), key=lambda key: (key[1], key[0]))
    halls = np.nonzero(made[0].problem.paid_period < periods)[0]
    places = [np.array([*(found[key] for key in common), *one.columns.halls[halls]], dtype=np.int64)
              for one, found in zip(made, keys, strict=True)]  # fmt: skip
    barred = [np.array(sorted(set(found.values()) - {found[key] for key in common}), dtype=np.int64) for found in keys]
    scale = made[0].column_scale[places[0]]
    factors = []
    for one, at in zip(made, places, strict=True):
        factor = np.ones(one.columns.count)
        factor[at] = scale / one.column_scale[at]
        factors.append(factor)
    return Stage(tuple(common), tuple(int(t) for t in halls), tuple(places), tuple(barred), scale), factors


def _in_units(made: Programme, factor: Array, money_usd: float) -> Programme:
    """The programme with the first stage in the scale of all, and money in the unit of all."""
    linear = rescaled(made.linear, factor)
    linear = replace(linear, cost=linear.cost * (made.money_usd / money_usd))
    return replace(made, linear=linear, column_scale=made.column_scale * factor, money_usd=money_usd)


def _barred(made: Programme, columns: Ints) -> Programme:
    high = made.linear.high.copy()
    high[columns] = 0.0
    return replace(made, linear=replace(made.linear, high=high))


def joined(set_: Scenarios) -> tuple[Linear, list[Ints]]:
    """One programme of all scenarios, cost by probability, and the columns of each in it."""
    first = len(set_.stage.scale)
    maps, parts = [], []
    column, row = first, 0
    cost, low, high = np.zeros(first), np.zeros(first), np.full(first, np.inf)
    costs, lows, highs = [], [], []
    for made, at, share in zip(set_.made, set_.stage.places, set_.chance, strict=True):
        own = np.ones(made.columns.count, dtype=bool)
        own[at] = False
        place = np.empty(made.columns.count, dtype=np.int64)
        place[at] = np.arange(first)
        place[own] = np.arange(column, column + int(own.sum()))
        linear = made.linear
        cost += share * linear.cost[at]
        costs.append(share * linear.cost[own])
        lows.append(linear.low[own])
        highs.append(linear.high[own])
        parts.append((linear.rows + row, place[linear.columns], linear.values, linear.row_low, linear.row_high))
        maps.append(place)
        column, row = column + int(own.sum()), row + len(linear.row_low)
    rows, columns, values, row_low, row_high = (np.concatenate(group) for group in zip(*parts, strict=True))
    whole = Linear(np.concatenate([cost, *costs]), np.concatenate([low, *lows]), np.concatenate([high, *highs]),
                   rows, columns, values, row_low, row_high)  # fmt: skip
    return whole, maps
