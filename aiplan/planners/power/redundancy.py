"""Redundant UPS: what part of what is installed may be used, and whether a loss is survived.

Fractions of the schemes follow from counting units (derived). Distributed redundancy feeds each load from two UPS, half
each: with ``L_ij`` the load fed by UPS i and j, UPS i carries ``(1/2) sum_k L_ik``, and after the loss of j
``(1/2) (sum_k L_ik + L_ij)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

SCHEMES = ("n", "n+1", "2n", "3n/2", "4n/3", "distributed")
"""Schemes by name; ``n+1`` and ``distributed`` take the number of UPS in a group."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A redundancy scheme: its name, and the UPS of one group."""

    name: str
    group: int

    @property
    def usable(self) -> float:
        """Share of the installed capacity that may carry load in normal state [1].

        N: 1; N+1: N / (N + 1); k distributed UPS: (k - 1) / k, which is 1/2, 2/3 and 3/4 for 2N, 3N/2 and 4N/3.
        """
        return 1.0 if self.name == "n" else (self.group - 1) / self.group

    @property
    def shared(self) -> bool:
        """Whether every load is fed by two UPS."""
        return self.name not in ("n", "n+1")

    @property
    def domains(self) -> int:
        """Parts of a group into which loads are placed: pairs of UPS, or the UPS that carry load."""
        return self.group * (self.group - 1) // 2 if self.shared else max(self.group - 1, 1)

    def domain_w(self, capacity_w: float) -> float:
        """Load one domain may carry [W]; equal domains. k UPS in pairs: 2 C / k each, so that a loss fills them to C.

        >>> Scheme("4n/3", 4).domain_w(1.0) * Scheme("4n/3", 4).domains
        3.0
        """
        return 2.0 * capacity_w / self.group if self.shared else capacity_w


def scheme(name: str, group: int | None = None) -> Scheme:
    """A scheme by name.

    Parameters
    ----------
    name : one of `SCHEMES`
    group : UPS of a group, needed for ``n+1`` (N and its spare) and ``distributed``, else fixed by the name

    Raises
    ------
    ValueError for an unknown name, a group that is missing, too small, or not the one of the name.
    """
    fixed = {"n": 1, "2n": 2, "3n/2": 3, "4n/3": 4}
    require(name in SCHEMES, f"'{name}' is no redundancy scheme: one of {', '.join(SCHEMES)}")
    size = fixed.get(name, group)
    if size is None:
        raise ValueError(f"{name} needs the number of UPS in a group")
    require(group is None or group == size, f"a group of {name} has {size} UPS, not {group}")
    require(name == "n" or size >= 2, f"a group of {name} needs at least 2 UPS")
    return Scheme(name, size)


def flex_usable(usable: float, sheddable_share: float) -> float:
    """Usable share of the installed capacity when the reserve carries load that a loss sheds [1].

    After a loss only ``usable`` of the capacity is left, for what is not shed: ``min(1, usable / (1 - s))``.

    Parameters
    ----------
    usable : share without shedding, `Scheme.usable` [1]
    sheddable_share : s, share of the load that is shed or capped in time [1]

    Source: Flex, ISCA 2021 (published: up to 33 % more servers, 4/3 of 4N/3); holds only if shedding ends within the
    UPS overload time, some seconds (unverified).

    >>> flex_usable(0.75, 0.25)
    1.0
    """
    require(0 <= sheddable_share <= 1, "sheddable_share must lie in 0..1")
    require(0 < usable <= 1, "usable must be above 0 and at most 1")
    return min(1.0, usable / (1.0 - sheddable_share)) if sheddable_share < 1 else 1.0


def normal_w(loads_w: npt.ArrayLike) -> Array:
    """Load of each UPS in normal state, ``(1/2) sum_k L_ik`` [W].

    Parameters
    ----------
    loads_w : L, symmetric with a zero diagonal, shape (n, n) [W]
    """
    loads = _matrix(loads_w)
    return np.asarray(loads.sum(axis=1) / 2.0)


def after_loss_w(loads_w: npt.ArrayLike) -> Array:
    """Load of UPS i after the loss of j, ``(1/2) (sum_k L_ik + L_ij)``, shape (n, n); zero on the diagonal [W]."""
    loads = _matrix(loads_w)
    after = (loads.sum(axis=1)[:, None] + loads) / 2.0
    np.fill_diagonal(after, 0.0)
    return np.asarray(after)


def equal_pairs_w(capacity_w: float, units: int) -> Array:
    """Loads of the equal pairs that `units` UPS carry at most, 2 C / k each, shape (units, units) [W]."""
    loads = np.full((units, units), 2.0 * capacity_w / units)
    np.fill_diagonal(loads, 0.0)
    return loads


def best_pairs_w(capacity_w: npt.ArrayLike, limit_w: npt.ArrayLike, sheddable_share: float = 0.0) -> Array:
    """Loads of pairs with the largest sum that survive the loss of any one UPS, shape (n, n) [W].

    Pairs are first filled in proportion to their limits. Where that leaves room, the linear programme
    ``max sum L, 0 <= L <= limit, (1/2) sum_k L_ik <= C_i, (1/2) (sum_k L_ik + L_ij) (1 - s) <= C_i`` is solved.

    Parameters
    ----------
    capacity_w : of each UPS, shape (n,) [W]
    limit_w : most that a pair can carry, symmetric, zero where no load has that pair, shape (n, n) [W]
    sheddable_share : s, share of the load that is shed when a UPS is lost [1]
    """
    limit = _matrix(limit_w)
    capacity = np.broadcast_to(as_array(capacity_w), (len(limit),))
    require(capacity > 0, "a UPS capacity must be above 0 W")
    kept = 1.0 - sheddable_share
    worst = np.maximum(normal_w(limit), after_loss_w(limit).max(axis=1, initial=0.0) * kept)
    share = float(np.min(np.divide(capacity, worst, out=np.full(len(limit), np.inf), where=worst > 0), initial=np.inf))
    if share >= 1.0:
        return limit
    if np.all(np.isclose(worst, capacity / share)):
        return np.asarray(limit * share)  # every UPS is full: no other filling carries more
    return _solve_pairs(capacity, limit, kept)


def _solve_pairs(capacity: Array, limit: Array, kept: float) -> Array:
    """The linear programme of `best_pairs_w`."""
    from scipy.optimize import linprog

    first, second = np.nonzero(np.triu(limit, 1))
    rows, bounds = [], []
    for unit in range(len(limit)):
        feeds = ((first == unit) | (second == unit)).astype(float)
        rows.append(feeds / 2.0)
        bounds.append(capacity[unit])
        for pair in np.flatnonzero(feeds):
            row = feeds / 2.0 * kept
            row[pair] += kept / 2.0
            rows.append(row)
            bounds.append(capacity[unit])
    scale = float(limit.max())
    solved = linprog(-np.ones(len(first)), A_ub=np.array(rows), b_ub=np.array(bounds) / scale,
                     bounds=[(0.0, value / scale) for value in limit[first, second]])  # fmt: skip
    loads = np.zeros_like(limit)
    loads[first, second] = loads[second, first] = solved.x * scale
    return loads


def _matrix(loads_w: npt.ArrayLike) -> Array:
    loads = as_array(loads_w)
    require(loads.ndim == 2 and loads.shape[0] == loads.shape[1], "loads of pairs form a square")
    require(
        np.allclose(loads, loads.T) and not np.any(np.diag(loads)), "loads of pairs are symmetric, none with itself"
    )
    require(np.all(loads >= 0), "loads must not be negative")
    return loads
