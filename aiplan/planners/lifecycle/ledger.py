"""A plan's money: every cost line in every period, from the same coefficients the optimum is found with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.problem import Kind, Line, Problem
from aiplan.planners.lifecycle.world import Ints


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions.

    Attributes
    ----------
    buy : servers bought of each vintage, shape (..., K) [1]
    serve : servers in service, shape (..., K, T) [1]
    use : servers at work by class, shape (..., K, T, W) [1]
    halls_w : hall capacity that opens at the start of each period, shape (..., T) [W]
    rent_per_s : capacity rented, shape (..., T, W) [1/s]
    """

    buy: Array
    serve: Array
    use: Array
    halls_w: Array
    rent_per_s: Array


@dataclass(frozen=True, slots=True)
class Ledger:
    """Cash flows of a plan.

    Attributes
    ----------
    names, kinds, whens : of the lines, in the order of `Problem.lines`, lines of one name and kind added up
    usd : undiscounted dollars by line and period, shape (L, ..., T + 1); what comes in after the last period, terminal
        values, stands in the last column
    present_usd : the same discounted
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    usd: Array
    present_usd: Array

    def total(self, *kinds: Kind) -> Array:
        """Discounted dollars of lines of these kinds, of all where none is named, shape (...)."""
        return self._sum(self.present_usd, kinds)

    def plain(self, *kinds: Kind) -> Array:
        """Undiscounted dollars, as `total`."""
        return self._sum(self.usd, kinds)

    def _sum(self, money: Array, kinds: tuple[Kind, ...]) -> Array:
        rows = [place for place, kind in enumerate(self.kinds) if not kinds or kind in kinds]
        return np.asarray(money[rows].sum(axis=(0, -1)))


def retired(problem: Problem, plan: Plan) -> Array:
    """Servers that leave at the start of each period, failed ones not counted, shape (..., K, T) [1]."""
    vintages = problem.vintages
    before = np.concatenate([np.zeros((*plan.serve.shape[:-1], 1)), plan.serve[..., :-1]], axis=-1)
    first = np.where(vintages.old, vintages.owned, 0.0)
    before = np.concatenate([(before[..., :1] + first[..., None]), before[..., 1:]], axis=-1)
    began = np.arange(problem.world.clock.periods) > vintages.bought[:, None]
    return np.asarray(np.where(began, problem.survival * before - plan.serve, 0.0))


def standing_w(problem: Problem, plan: Plan) -> Array:
    """Hall capacity that stands in each period, shape (..., T) [W]."""
    return as_array(problem.world.site.standing_w + plan.halls_w @ problem.standing)


def peak_kw(problem: Problem, plan: Plan) -> Array:
    """Billed peak of each component of the demand charge, shape (..., C, T) [kW]."""
    hold = (problem.peak_hold_kw[..., None] * plan.serve).sum(axis=-2)
    use = (problem.peak_use_kw[..., None, :] * plan.use).sum(axis=(-3, -1))
    floor = problem.contract_kw_per_w[..., None] * standing_w(problem, plan)[..., None, :]
    return as_array(np.maximum((hold + use)[..., None, :], floor))


def ledger(problem: Problem, plan: Plan) -> Ledger:
    """Cash flows of a plan by cost line and period."""
    groups = {line.group for line in problem.lines}
    none = np.zeros(())
    leaves = retired(problem, plan) if "retire" in groups else none
    peak = peak_kw(problem, plan) if "peak" in groups else none
    stand = standing_w(problem, plan) if "stand" in groups else none
    plain: dict[tuple[str, Kind], Array] = {}
    present: dict[tuple[str, Kind], Array] = {}
    for line in problem.lines:
        flow, key = _flow(problem, plan, line, leaves, peak, stand), (line.name, line.kind)
        plain[key] = plain[key] + flow if key in plain else flow
        now = flow * _factor(problem, line)
        present[key] = present[key] + now if key in present else now
    money = np.broadcast_arrays(*plain.values(), *present.values())
    names, kinds = zip(*plain, strict=True)
    return Ledger(names, kinds, np.stack(money[: len(plain)]), np.stack(money[len(plain) :]))


def _factor(problem: Problem, line: Line) -> Array:
    """Discount factors of a line's columns, shape (..., T + 1)."""
    if line.when == "end":
        return np.asarray(problem.final)[..., None]
    factors = problem.factor(line.when)
    return np.concatenate([factors, np.zeros((*factors.shape[:-1], 1))], axis=-1)


def _flow(problem: Problem, plan: Plan, line: Line, leaves: Array, peak: Array, stand: Array) -> Array:
    """Dollars of a line in each period and after the last, shape (..., T + 1)."""
    usd = line.usd
    if line.group in ("end", "bought", "hall_end"):
        held = {"end": plan.serve[..., -1], "bought": plan.buy, "hall_end": plan.halls_w}[line.group]
        return _only_last((usd * held).sum(axis=-1), problem.world.clock.periods)
    found: Array
    match line.group:
        case "buy":
            found = _scatter(usd * plan.buy, np.clip(problem.vintages.bought, 0, None), problem)
        case "paid":
            found = (usd * plan.buy[..., None]).sum(axis=-2)
        case "hold":
            found = (usd * plan.serve).sum(axis=-2)
        case "use":
            found = (usd * plan.use).sum(axis=(-3, -1))
        case "retire":
            found = (usd * leaves).sum(axis=-2)
        case "hall":
            found = _scatter(usd * plan.halls_w, problem.paid_period, problem)
        case "hall_paid":
            found = (usd * plan.halls_w[..., None]).sum(axis=-2)
        case "stand":
            found = usd * stand
        case "peak":
            found = (usd * peak).sum(axis=-2)
        case _:
            found = (usd * plan.rent_per_s).sum(axis=-1)
    return np.concatenate([found, np.zeros((*found.shape[:-1], 1))], axis=-1)


def _scatter(values: Array, period: Ints, problem: Problem) -> Array:
    """Sums by period, shape (..., T)."""
    at = (period[:, None] == np.arange(problem.world.clock.periods)).astype(np.float64)
    return np.asarray(values @ at)


def _only_last(values: Array, periods: int) -> Array:
    return np.concatenate([np.zeros((*values.shape, periods)), values[..., None]], axis=-1)
