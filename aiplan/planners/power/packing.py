"""Racks into power domains: what fits, and the most that could.

Domains nest: a rack under a row counts against the row, against the feed above it and against the hall. Limits are
watts and, for rows, places. The largest racks go first; a bound from above says how far from the best
that can be.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require

Ints = npt.NDArray[np.int64]

SLACK = 1e-9
"""Rounding allowed where a sum of racks meets a limit exactly [1]."""
MOST_PATTERNS = 4000
"""Ways to fill a domain that the bound by linear programme looks at before it settles for watts."""


def totals(place: Ints, watts: Array, size: int) -> Array:
    """Sum of watts by place, shape (size,) [W]."""
    return np.bincount(place, weights=watts, minlength=size).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Domains:
    """Limits that nest, from the rows up to the hall.

    Attributes
    ----------
    limit_w : limits of each level, rows first, the hall last and alone [W]; infinite where power is pooled above
    above : for each level but the hall, the number of the domain above, shape as the level
    places : racks a row has room for, shape (rows,) [1]
    """

    limit_w: tuple[Array, ...]
    above: tuple[Ints, ...]
    places: Array

    @property
    def feed(self) -> Ints:
        """For each row, the number of the domain right below the hall; the row itself where there is none."""
        found = np.arange(len(self.places))
        for above in self.above[:-1]:
            found = above[found]
        return found

    def paths(self) -> list[Ints]:
        """For each level, the domain above each row, shape (rows,)."""
        found = [np.arange(len(self.places))]
        for above in self.above:
            found.append(above[found[-1]])
        return found


@dataclass(frozen=True, slots=True)
class Packed:
    """Racks of each kind in each row, shape (kinds, rows), and the watts of one rack of each kind."""

    racks: Array
    rack_w: Array

    @property
    def counts(self) -> Array:
        """Racks of each kind [1]."""
        return np.asarray(self.racks.sum(axis=1))

    @property
    def row_w(self) -> Array:
        """Power of each row [W]."""
        return np.asarray(self.rack_w @ self.racks)

    @property
    def power_w(self) -> float:
        """Power of all racks [W]."""
        return float(self.rack_w @ self.counts)


def stranded_fraction(domain_w: float, unit_w: float) -> float:
    """Share of a domain that whole units leave unused, ``1 - floor(X / Y) Y / X`` [1].

    Source: the floor rule of Stojkovic et al. 2026, lifecycle of AI clusters (published).

    >>> round(stranded_fraction(300e3, 14.3e3), 4)
    0.0467
    """
    require(domain_w > 0 and unit_w > 0, "domain and unit must be above 0 W")
    return 1.0 - math.floor(domain_w / unit_w * (1 + SLACK)) * unit_w / domain_w


def fit_counts(wanted: Array, rack_w: Array, domains: Domains) -> Packed:
    """First fit, largest racks first, of a number of racks of each kind; what does not fit stays out.

    Racks of one kind go side by side, so that the work is kinds x rows however many racks there are.
    """
    packed = np.zeros((len(rack_w), len(domains.places)))
    left_w = [(limit * (1 + SLACK)).tolist() for limit in domains.limit_w]
    paths = [path.tolist() for path in domains.paths()]
    places = domains.places.tolist()
    for kind in np.argsort(-rack_w, kind="stable"):
        watts, left = float(rack_w[kind]), float(wanted[kind])
        for row in range(len(places)):
            if left < 1:
                break
            room = min(level[path[row]] for level, path in zip(left_w, paths, strict=True))
            count = min(left, places[row], room // watts if room < math.inf else math.inf)
            if count < 1:
                continue
            packed[kind, row] += count
            left -= count
            places[row] -= count
            for level, path in zip(left_w, paths, strict=True):
                level[path[row]] -= count * watts
    return Packed(packed, rack_w)


def deal_counts(wanted: Array, rack_w: Array, domains: Domains) -> Packed:
    """Racks of each kind, largest first, dealt out evenly over all rows that have room; what finds none stays out.

    Places as many as `fit_counts` unless rows are nearly full, and loads feeds and rows alike.
    """
    packed = np.zeros((len(rack_w), len(domains.places)))
    left, places = domains, domains.places
    for kind in np.argsort(-rack_w, kind="stable"):
        watts = float(rack_w[kind])
        room = _one_kind(watts, Domains(left.limit_w, left.above, places)).racks[0]
        packed[kind] = _cut(room, float(wanted[kind]))
        places = places - packed[kind]
        used = packed[kind] * watts
        left = Domains(
            tuple(limit - totals(path, used, len(limit))
                  for limit, path in zip(left.limit_w, domains.paths(), strict=True)),
            left.above, places,
        )  # fmt: skip
    return Packed(packed, rack_w)


def split_counts(total: int, shares: Array) -> Array:
    """Whole racks of each kind, near shares of a total: largest remainders first."""
    exact = total * shares
    counts = np.floor(exact + SLACK)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: round(total - counts.sum())]] += 1
    return np.asarray(counts)


def pack(rack_w: Array, shares: Array, domains: Domains) -> Packed:
    """As many racks as fit in the shares asked.

    One kind: exact, and spread over rows and feeds in proportion. Several: the largest total whose every rack finds a
    place, dealt out evenly or, where that fails, by first fit; largest first.

    Parameters
    ----------
    rack_w : power of one rack of each kind, shape (kinds,) [W]
    shares : share of each kind in the number of racks, shape (kinds,), sum 1 [1]
    """
    require(np.all(rack_w > 0), "a rack must draw more than 0 W")
    if len(rack_w) == 1:
        return _one_kind(float(rack_w[0]), domains)

    def fits(total: int) -> Packed | None:
        wanted = split_counts(total, shares)
        for place in (deal_counts, fit_counts):
            found = place(wanted, rack_w, domains)
            if np.array_equal(found.counts, wanted):
                return found
        return None

    best = Packed(np.zeros((len(rack_w), len(domains.places))), rack_w)
    low, high = 0, int(_by_watts(rack_w, shares, domains))
    while low < high:
        middle = (low + high + 1) // 2
        found = fits(middle)
        if found is None:
            high = middle - 1
        else:
            low, best = middle, found
    return best


def _one_kind(watts: float, domains: Domains) -> Packed:
    """The most racks of one kind: what each row takes, cut by the domain above it, and so on up to the hall."""
    rows = np.minimum(domains.places, _whole(domains.limit_w[0], watts))
    for path, limit in zip(domains.paths()[1:], domains.limit_w[1:], strict=True):
        most = _whole(limit, watts)
        over = np.flatnonzero(totals(path, rows, len(limit)) > most)
        for number in over:
            under = np.flatnonzero(path == number)
            rows[under] = _cut(rows[under], float(most[number]))
    return Packed(rows[None, :], np.array([watts]))


def _whole(limit: Array, watts: float) -> Array:
    """Racks that each limit allows; infinite limits allow any number."""
    return np.asarray(np.floor(np.maximum(limit, 0.0) / watts * (1 + SLACK)))


def _cut(counts: Array, most: float) -> Array:
    """Counts reduced to a sum of `most`, as evenly as whole racks allow."""
    total = counts.sum()
    if total <= most:
        return counts
    return np.asarray(np.minimum(split_counts(round(most), counts / total), counts))


def most_racks(rack_w: Array, shares: Array, domains: Domains) -> float:
    """Upper bound on racks in the shares asked, not a whole number; exact for one kind.

    The linear programme over all ways to fill a row that leave no room for one rack more (Gilmore and Gomory), with
    feeds and hall as limits in watts. Where there are more than `MOST_PATTERNS` ways the bound is by watts alone.
    """
    if len(rack_w) == 1:
        return float(_one_kind(float(rack_w[0]), domains).counts[0])
    by_watts = _by_watts(rack_w, shares, domains)
    ways = _row_patterns(rack_w, domains)
    return by_watts if ways is None else min(by_watts, _by_patterns(rack_w, shares, domains, ways))


def _by_watts(rack_w: Array, shares: Array, domains: Domains) -> float:
    """Every domain filled to the last watt, no row beyond its places.

    Whole numbers of racks stray from their shares by less than one of each kind, hence the sum.
    """
    mean = float(rack_w @ shares)
    watts = np.minimum(domains.limit_w[0], domains.places * rack_w.max())
    for above, limit in zip(domains.above, domains.limit_w[1:], strict=True):
        watts = np.minimum(totals(above, watts, len(limit)), limit)
    total = float(watts[0]) * (1 + SLACK) + float(np.abs(rack_w - mean).sum())
    return min(float(domains.places.sum()), total / mean)


Row = tuple[float, float]
"""Limit [W] and places of a row."""
Ways = dict[Row, list[tuple[int, ...]]]


def _row_patterns(rack_w: Array, domains: Domains) -> Ways | None:
    """Patterns of each kind of row, or None where there are too many."""
    found: Ways = {}
    for limit, places in sorted(set(zip(domains.limit_w[0].tolist(), domains.places.tolist(), strict=True))):
        ways = maximal_patterns(rack_w, limit, places)
        if ways is None:
            return None
        found[limit, places] = ways
    return found


def maximal_patterns(rack_w: Array, limit_w: float, places: float) -> list[tuple[int, ...]] | None:
    """Ways to fill a domain that leave no room for one rack more; None where there are more than `MOST_PATTERNS`."""
    found: list[tuple[int, ...]] = []
    kinds = [float(value) for value in rack_w]
    tried = 0

    def extend(taken: tuple[int, ...], left: float, room: float) -> bool:
        nonlocal tried
        tried += 1
        watts = kinds[len(taken)]
        most = int(min(room, np.floor(left / watts) if np.isfinite(left) else room))
        if len(taken) == len(kinds) - 1:
            rest, places_left = left - most * watts, room - most
            if places_left < 1 or all(other > rest for other in kinds):
                found.append((*taken, most))
            return tried <= MOST_PATTERNS
        return all(extend((*taken, count), left - count * watts, room - count) for count in range(most, -1, -1))

    return found if extend((), limit_w * (1 + SLACK), places) else None


def _by_patterns(rack_w: Array, shares: Array, domains: Domains, ways: Ways) -> float:
    """The linear programme of `most_racks`; feeds with equal rows and limits count as one.

    Variables: patterns used by feed and row, racks placed by feed and kind, and their total N. Racks placed may be
    fewer than the patterns hold, so that a feed's limit can cut them.
    """
    from scipy.optimize import linprog

    groups = _alike(domains)
    kinds, scale = len(rack_w), float(rack_w.max())
    columns = [(place, row, way) for place, (_, rows) in enumerate(groups) for row, _ in rows for way in ways[row]]
    size = len(columns) + len(groups) * kinds + 1
    upper: list[Array] = []
    limits: list[float] = []

    def add(limit: float, cells: list[tuple[int, float]]) -> None:
        line = np.zeros(size)
        for place, value in cells:
            line[place] += value
        upper.append(line)
        limits.append(limit)

    def placed(group: int, kind: int) -> int:
        return len(columns) + group * kinds + kind

    for group, ((limit, rows), many) in enumerate(groups.items()):
        here = [number for number, column in enumerate(columns) if column[0] == group]
        for row, count in rows:
            add(float(count * many), [(number, 1.0) for number in here if columns[number][1] == row])
        for kind in range(kinds):
            add(0.0, [(placed(group, kind), 1.0), *((number, -float(columns[number][2][kind])) for number in here)])
        if np.isfinite(limit):
            add(limit * many * (1 + SLACK) / scale,
                [(placed(group, kind), float(rack_w[kind]) / scale) for kind in range(kinds)])  # fmt: skip
    every = [(placed(group, kind), kind) for group in range(len(groups)) for kind in range(kinds)]
    if np.isfinite(hall := float(domains.limit_w[-1][0])):
        add(hall * (1 + SLACK) / scale, [(place, float(rack_w[kind]) / scale) for place, kind in every])
    for kind in range(kinds):
        add(1.0, [(size - 1, float(shares[kind])), *((place, -1.0) for place, other in every if other == kind)])
    add(0.0, [(size - 1, 1.0), *((place, -1.0) for place, _ in every)])
    goal = np.zeros(size)
    goal[-1] = -1.0
    return float(-linprog(goal, A_ub=np.array(upper), b_ub=np.array(limits), bounds=(0, None)).fun)


def _alike(domains: Domains) -> Counter[tuple[float, tuple[tuple[Row, int], ...]]]:
    """Domains right below the hall by their limit and the rows under them, with how many there are of each."""
    found: Counter[tuple[float, tuple[tuple[Row, int], ...]]] = Counter()
    feed = domains.feed
    limits = domains.limit_w[-2] if len(domains.limit_w) > 2 else np.full(len(domains.places), np.inf)
    for number, limit in enumerate(limits.tolist()):
        under = feed == number
        rows = Counter(zip(domains.limit_w[0][under].tolist(), domains.places[under].tolist(), strict=True))
        found[limit, tuple(sorted(rows.items()))] += 1
    return found
