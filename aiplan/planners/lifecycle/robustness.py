"""How far a trend may be wrong before another policy is best.

Each trend's annual rate is changed by a share up and down, on a grid: whether the base's best policy stays best, or
among the best five, need not change only once along the way, so nothing is searched for by halving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.world import Bools, Ints

TRENDS = (
    "model_growth", "demand_growth", "compute_density", "memory", "interconnect", "power", "price",
)  # fmt: skip
PUBLISHED_FRACTIONS: dict[str, tuple[float, float]] = {
    "model_growth": (0.45, 0.80), "demand_growth": (0.50, 0.85), "compute_density": (0.35, 0.75),
    "memory": (0.40, 0.80), "interconnect": (0.55, 0.85), "power": (0.45, 0.75), "price": (0.50, 0.85),
}  # fmt: skip
"""Largest change up to which the policy stays best, and among the best five [1]: Stojkovic et al. 2026, Table X
(published). Their order is a check, not their size."""
STEP_FRACTION = 0.05
MOST_FRACTION = 1.0
PLACES = 5

Rank = Callable[[str, Array], Ints]
"""Trend and changes of its annual rate, shape (N,) [1] -> policies best first, shape (N, P), as indices."""


@dataclass(frozen=True, slots=True)
class Range:
    """How far one trend may be wrong.

    Attributes
    ----------
    trend : its name
    best_fraction : the policy is best for all changes of the grid up to this one, up and down [1]
    top_fraction : the same for being among the best five [1]
    changes_fraction : the grid, shape (N,), ascending, 0 in it [1]
    place : of the policy at each change, 0 for the best, shape (N,)
    """

    trend: str
    best_fraction: float
    top_fraction: float
    changes_fraction: Array
    place: Ints

    @property
    def returns(self) -> bool:
        """Whether the policy is best again beyond a change at which it was not, on the same side."""
        best = self.place == 0
        sides = (best[self.changes_fraction >= 0], best[self.changes_fraction <= 0][::-1])
        return any(bool(np.any(side[1:] & ~side[:-1])) for side in sides)


def grid(step_fraction: float = STEP_FRACTION, most_fraction: float = MOST_FRACTION) -> Array:
    """Changes to scan, from minus to plus the most [1]."""
    require(0 < step_fraction <= most_fraction, "the step must be above 0 and not above the most")
    count = int(np.floor(most_fraction / step_fraction + 1e-9))
    return np.asarray(np.arange(-count, count + 1) * step_fraction)


def ordered(costs_usd: Array, missing: Array | None = None) -> Ints:
    """Policies best first from their costs, shape (N, P); one that misses demand comes after all that do not.

    Costs that agree to nine digits are equal; of equal ones the first listed comes first.
    """
    misses = np.zeros(costs_usd.shape) if missing is None else as_array(missing)
    size = np.abs(costs_usd).max(axis=-1, keepdims=True)
    rounded = np.round(np.divide(costs_usd, size, out=np.zeros(costs_usd.shape), where=size > 0), 9)
    return np.asarray(np.lexsort((rounded, misses), axis=-1))


def ranges(rank: Rank, trends: Sequence[str] = TRENDS, changes_fraction: Array | None = None) -> dict[str, Range]:
    """How far each trend may be wrong, by the policy that is best without a change.

    Parameters
    ----------
    rank : called once per trend, with all changes
    changes_fraction : ascending, with 0, as from `grid` [1]

    Raises ValueError for a grid without 0, or where policies ranked at 0 differ between trends.
    """
    changes = grid() if changes_fraction is None else as_array(changes_fraction)
    zero = np.nonzero(np.abs(changes) < 1e-12)[0]
    require(len(zero) == 1 and np.all(np.diff(changes) > 0), "changes must ascend and hold 0 once")
    found, base = {}, -1
    for trend in trends:
        order = np.asarray(rank(trend, changes))
        require(order.ndim == 2 and len(order) == len(changes), "there must be one order for each change")
        best = int(order[zero[0], 0])
        require(base in (-1, best), "without a change the best policy must be the same for every trend")
        base = best
        place = np.asarray((order == best).argmax(axis=1))
        found[trend] = Range(
            trend, _holds(changes, place == 0), _holds(changes, place < PLACES), changes, place,
        )  # fmt: skip
    return found


def _holds(changes: Array, good: Bools) -> float:
    """Largest size of change up to which all changes of the grid, up and down, are good."""
    bad = np.abs(changes[~good])
    sizes = np.abs(changes)
    fine = sizes[sizes < bad.min() - 1e-12] if bad.size else sizes
    both = min(float(-changes[0]), float(changes[-1]))
    return min(float(fine.max()), both) if fine.size else 0.0


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's rank correlation of two lists, equal values at their mean rank [1]; NaN where one is constant.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 40.0]))
    1.0
    """
    first, second = (_ranks(as_array(values)) for values in (a, b))
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 0 else float("nan")


def _ranks(values: Array) -> Array:
    return np.asarray((values[:, None] > values).sum(axis=1) + 0.5 * (values[:, None] == values).sum(axis=1))


def agreement(found: dict[str, Range]) -> float:
    """Rank correlation with the published table over the trends in both; NaN below two, or for equal ranges [1]."""
    both = [trend for trend in found if trend in PUBLISHED_FRACTIONS]
    if len(both) < 2:
        return float("nan")
    return rank_correlation(
        np.array([found[trend].best_fraction for trend in both]),
        np.array([PUBLISHED_FRACTIONS[trend][0] for trend in both]),
    )
