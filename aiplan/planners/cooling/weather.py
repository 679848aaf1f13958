"""A year of outdoor air, hour by hour or as weighted points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.cooling import psychrometrics as air

COLDEST_C, HOTTEST_C = -80.0, 60.0
"""Dry bulbs that are believed: the coldest and hottest towns stay inside."""

LOWEST_PA, HIGHEST_PA = 40_000.0, 110_000.0
"""Pressures that are believed: 7,200 m above the sea, and the highest ever read."""

_Whole = npt.NDArray[np.int64]
_CURVE_LEVELS = 8
"""Halvings of the plane of temperature and humidity: 256 x 256 cells, more than a year has points."""


@dataclass(frozen=True, eq=False)
class Weather:
    """Points of outdoor air, each with the hours it stands for.

    Attributes
    ----------
    drybulb_c : dry bulb, shape (n,) [deg C]
    rh_fraction : relative humidity, shape (n,), 0 to 1
    pressure_pa : station pressure, shape (n,) [Pa]
    hours : weight of each point, shape (n,) [h]
    month, hour : 1 to 12 and 0 to 23 where known, shape (n,)

    Raises ValueError for arrays of unequal length, none at all, or numbers that no place has.
    """

    drybulb_c: Array
    rh_fraction: Array
    pressure_pa: Array
    hours: Array
    month: _Whole | None = None
    hour: _Whole | None = None

    def __post_init__(self) -> None:
        for name in ("drybulb_c", "rh_fraction", "pressure_pa", "hours"):
            values = np.array(as_array(getattr(self, name)))
            require(values.ndim == 1 and values.size > 0, f"{name} must be one row of numbers")
            require(values.size == np.size(self.drybulb_c), f"{name} must be as long as drybulb_c")
            require(np.isfinite(values), f"{name} must be finite")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        for name, low, high in (("month", 1, 12), ("hour", 0, 23)):
            if (given := getattr(self, name)) is not None:
                whole = np.array(given, dtype=np.int64)
                require(whole.shape == self.drybulb_c.shape, f"{name} must be as long as drybulb_c")
                require((whole >= low) & (whole <= high), f"{name} must be {low} to {high}")
                whole.flags.writeable = False
                object.__setattr__(self, name, whole)
        require((self.drybulb_c >= COLDEST_C) & (self.drybulb_c <= HOTTEST_C), "drybulb_c must be -80 to 60")
        require((self.rh_fraction >= 0.0) & (self.rh_fraction <= 1.0), "rh_fraction must be 0 to 1")
        require((self.pressure_pa >= LOWEST_PA) & (self.pressure_pa <= HIGHEST_PA), "pressure_pa must be 40 to 110 kPa")
        require(self.hours > 0.0, "hours must be more than 0")

    @cached_property
    def wetbulb_c(self) -> Array:
        """Wet bulb of constant enthalpy, shape (n,) [deg C]."""
        return air.wet_bulb_c(self.drybulb_c, self.rh_fraction, self.pressure_pa)

    @cached_property
    def humidity_ratio(self) -> Array:
        """Water per dry air, shape (n,) [kg/kg]."""
        return air.humidity_ratio(self.drybulb_c, self.rh_fraction, self.pressure_pa)

    @cached_property
    def dewpoint_c(self) -> Array:
        """Dew point, shape (n,) [deg C]."""
        return air.dew_point_c(self.drybulb_c, self.rh_fraction)

    @property
    def total_hours(self) -> float:
        """Sum of the weights [h]."""
        return float(self.hours.sum())

    def mean(self, values: npt.ArrayLike) -> float:
        """Mean of one value per point, weighted by hours."""
        return float(np.dot(as_array(values), self.hours) / self.total_hours)

    def quantile(self, values: npt.ArrayLike, fraction: float) -> float:
        """Smallest value that at least this share of the hours does not exceed."""
        return float(weighted_quantile(as_array(values), self.hours, fraction))

    def condensed(self, points: int = 500, keep: Array | None = None) -> Weather:
        """The same year as at most so many of its points, for what is computed on a year many times.

        All points are put in the order of a Hilbert curve through the plane of dry bulb and relative humidity, both by
        rank, and the curve is cut into pieces of equal hours. A piece is a compact patch of the plane; the state in its
        middle stands for it. Then weights are tilted along dry bulb, at most by half, so that its mean is kept.

        States stay what they are: readings and limits are both round numbers, and a state moved by a hair would pass
        from one side of a limit to the other. What is gained and lost stands in docs/weather.md.

        Parameters
        ----------
        points : how many at most; a year of no more is returned as it is
        keep : values at the points whose mean is kept in place of that of dry bulb, shape (n,): load that follows the
            hour, say
        """
        require(points >= 1, "points must be 1 or more")
        return self if self.hours.size <= points else self.at(*self.pieces(points, keep))

    def pieces(self, points: int, keep: Array | None = None) -> tuple[_Whole, Array]:
        """Rows of the points that `condensed` keeps, and the hours that each stands for, shape (m,)."""
        if self.hours.size <= points:
            return np.arange(self.hours.size), self.hours
        kept = self.drybulb_c if keep is None else as_array(keep)
        require(kept.shape == self.drybulb_c.shape, "keep must be as long as drybulb_c")
        order = np.argsort(_curve()[_cells(self.drybulb_c, self.rh_fraction, self.hours)], kind="stable")
        reached = np.cumsum(self.hours[order])
        middle = np.searchsorted(reached, (np.arange(points) + 0.5) * (reached[-1] / points))
        # A heavy point may be the middle of several pieces. (NumPy's unique loads its masked arrays first.)
        starts = np.flatnonzero(np.diff(middle, prepend=-1))
        rows = order[middle[starts]]
        hours = np.diff(starts, append=points) * (self.total_hours / points)
        return rows, _tilted(hours, kept[rows], self.mean(kept))

    def at(self, rows: _Whole, hours: Array) -> Weather:
        """Some of the points, with other hours."""
        month, hour = (None if given is None else given[rows] for given in (self.month, self.hour))
        return Weather(self.drybulb_c[rows], self.rh_fraction[rows], self.pressure_pa[rows], hours, month, hour)

    def shifted(self, drybulb_k: float, dewpoint_k: float) -> Weather:
        """The same year with every dry bulb and dew point moved [K]; a dew point stops at its dry bulb."""
        dry = self.drybulb_c + drybulb_k
        dew = np.minimum(self.dewpoint_c + dewpoint_k, dry)
        rh = np.clip(air.saturation_pressure_pa(dew) / air.saturation_pressure_pa(dry), 0.0, 1.0)
        return Weather(dry, rh, self.pressure_pa, self.hours, self.month, self.hour)


def weighted_quantile(values: Array, hours: Array, share: float) -> Array:
    """Smallest value that ``share`` of the hours does not exceed, along the last axis.

    >>> float(weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0]), 0.85))
    2.0
    """
    total = hours.sum()
    # Rounding of the sum must not push the point past the share it reaches exactly.
    wanted = share * total * (1.0 - 1e-12)
    # So many points at most lie above the one looked for: only they need be put in order.
    above = int(np.searchsorted(np.cumsum(np.sort(hours)), total - wanted, side="right"))
    first = max(values.shape[-1] - above - 1, 0)
    top = np.argpartition(values, first, axis=-1)[..., first:]
    found = np.take_along_axis(values, top, axis=-1)
    order = np.argsort(found, axis=-1)
    weights = np.take_along_axis(hours[top], order, axis=-1)
    reached = total - weights.sum(axis=-1, keepdims=True) + np.cumsum(weights, axis=-1)
    place = np.argmax(reached >= wanted, axis=-1)
    best = np.take_along_axis(order, place[..., None], axis=-1)
    return np.take_along_axis(found, best, axis=-1)[..., 0]


def _cells(first: Array, second: Array, hours: Array) -> tuple[_Whole, _Whole]:
    """Where points lie in a square of cells whose rows and columns all hold the same hours, by rank.

    Equal values are ranked by the other coordinate.
    """
    # NumPy sorts whole numbers of 16 bits in linear time; ticks of 0.002 K or less tell states apart.
    a, b = (np.rint((x - x.min()) * (65_535.0 / max(np.ptp(x), 1.0))).astype(np.uint16) for x in (first, second))
    parts = 2**_CURVE_LEVELS
    order = np.argsort(a, kind="stable")
    found = []
    for ticks in (b, a):
        order = order[np.argsort(ticks[order], kind="stable")]
        reached = np.cumsum(hours[order])
        cell = np.empty(order.size, dtype=np.int64)
        cell[order] = np.minimum((reached - 0.5 * hours[order]) * (parts / reached[-1]), parts - 1)
        found.append(cell)
    return found[1], found[0]


@lru_cache(maxsize=1)
def _curve() -> npt.NDArray[np.uint16]:
    """Places of the cells of a square along Hilbert's curve, which steps from each cell to a neighbour."""
    place = np.zeros((1, 1), dtype=np.int64)
    for _ in range(_CURVE_LEVELS):
        size = place.size
        turned = place[::-1, ::-1].T
        place = np.block([[place.T, place + size], [turned + 3 * size, place + 2 * size]])
    return place.astype(np.uint16)


def _tilted(hours: Array, values: Array, wanted: float) -> Array:
    """Weights, their sum kept, that rise or fall along values until these have the wanted mean; at most by half."""
    # Of values that differ by rounding alone nothing can be kept.
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return hours
    share = hours / hours.sum()
    mean = np.sum(values * share)
    away = values - mean
    steepest = 0.5 / np.abs(away).max()
    return as_array(hours * (1.0 + np.clip((wanted - mean) / np.sum(away * away * share), -steepest, steepest) * away))
