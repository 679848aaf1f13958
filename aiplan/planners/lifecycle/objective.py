"""Columns of a linear programme and what a unit of each costs, from the lines that the ledger charges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.problem import Problem
from aiplan.planners.lifecycle.world import Bools, Ints


@dataclass(frozen=True, slots=True)
class Columns:
    """Numbers of the columns; -1 where there is none.

    Attributes
    ----------
    buy : shape (K,); serve : (K, T); use : (K, T, W); halls : (T,); rent : (T, W)
    drawn : peak that servers draw, shape (T,); bill : billed peak of components with a floor, shape (C, T)
    slack : by resource that may be relaxed: ``demand`` (T, W), ``budget`` (T,), ``site`` and ``racks`` (1,)
    count : columns
    period : period in which each is decided, shape (N,)
    """

    buy: Ints
    serve: Ints
    use: Ints
    halls: Ints
    rent: Ints
    drawn: Ints
    bill: Ints
    slack: dict[str, Ints]
    count: int
    period: Ints


def spending(problem: Problem) -> tuple[Array, Array]:
    """Capital per server bought, shape (..., K), and per watt of hall, (..., T) [USD]; sales do not count."""
    server, hall = np.zeros(problem.serves.shape[-2]), np.zeros(problem.serves.shape[-1])
    for line in problem.lines:
        if line.kind == "capex" and line.group == "buy":
            server = server + line.usd
        elif line.kind == "capex" and line.group == "hall":
            hall = hall + line.usd
    return server, hall


def costs(problem: Problem, at: Columns, floored: Bools) -> tuple[Array, float]:
    """Discounted cost of a unit of each column, shape (N,), and what no decision changes [USD]."""
    account = _Account(problem, at, floored)
    for line in problem.lines:
        account.add(line.group, line.usd, np.asarray(problem.factor(line.when)))
    return account.cost[:-1], account.constant


class _Account:
    def __init__(self, problem: Problem, at: Columns, floored: Bools) -> None:
        self.problem, self.at, self.floored = problem, at, floored
        self.cost, self.constant = np.zeros(at.count + 1), 0.0
        K, T = problem.serves.shape[-2:]
        self.k = np.arange(K)[:, None]
        self.began = np.arange(T) > problem.vintages.bought[:, None]

    def put(self, columns: Ints, usd: Array) -> None:
        # Column -1 is the spare last place, where the cost of columns that do not exist is dropped.
        np.add.at(self.cost, columns, np.broadcast_to(usd, columns.shape))

    def add(self, group: str, usd: Array, factor: Array) -> None:
        """Charge a line."""
        problem, at = self.problem, self.at
        match group:
            case "buy":
                self.put(at.buy, usd * factor[np.clip(problem.vintages.bought, 0, None)])
            case "paid":
                self.put(at.buy, (usd * factor).sum(axis=-1))
            case "hold":
                self.put(at.serve, usd * factor)
            case "use":
                self.put(at.use, usd * factor[:, None])
            case "rent":
                self.put(at.rent, usd * factor[:, None])
            case "end":
                self.put(at.serve[:, -1], usd * factor)
            case "bought":
                self.put(at.buy, usd * factor)
            case "retire":
                self._retire(usd * factor)
            case "peak":
                self._peak(usd * factor)
            case _:
                self._halls(group, usd, factor)

    def _halls(self, group: str, usd: Array, factor: Array) -> None:
        problem, halls = self.problem, self.at.halls
        match group:
            case "hall":
                self.put(halls, usd * factor[problem.paid_period])
            case "hall_paid":
                self.put(halls, (usd * factor).sum(axis=-1))
            case "hall_end":
                self.put(halls, usd * factor)
            case "stand":
                self.put(halls, problem.standing @ (usd * factor))
                self.constant += problem.world.site.standing_w * float(np.sum(usd * factor))
            case _:
                raise ValueError(f"no decision is charged as {group}")

    def _retire(self, usd: Array) -> None:
        """What is retired is what still works of the period before less what stays."""
        problem, at = self.problem, self.at
        usd = np.where(self.began, usd, 0.0)
        still = usd * problem.survival
        self.put(at.serve, -usd)
        self.put(at.serve[:, :-1], still[:, 1:])
        vintages = problem.vintages
        self.constant += float(np.sum(np.where(vintages.old, vintages.owned * still[:, 0], 0.0)))

    def _peak(self, usd: Array) -> None:
        problem, at = self.problem, self.at
        usd = np.broadcast_to(usd, (len(self.floored), usd.shape[-1]))
        direct = usd[~self.floored].sum(axis=0)
        self.put(at.serve, problem.peak_hold_kw[:, None] * direct)
        self.put(at.use, problem.peak_use_kw[:, None, :] * direct[:, None])
        self.put(at.bill[self.floored], usd[self.floored])
