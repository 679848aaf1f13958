"""Generations of servers: those of the catalog, and those a trend adds to them.

Years are calendar years, a fraction for the part of the year (2025.75 is October 2025). Arrays end in the axis G of
generations; axes before it are draws. A generation that a draw's roadmap does not reach by its end has a release
``NEVER_YEARS`` later, so that all draws have the same number of generations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.roadmap_faults import Fault, finite, not_negative, positive, raise_if_any

Form = Literal["exponential", "linear"]
Ints = npt.NDArray[np.int64]

FIELDS = {"flops": "flops", "bandwidth": "bandwidth", "memory": "memory", "link": "link", "power": "rated_w",
          "price": "price_usd"}  # fmt: skip
"""What follows a trend, and under which name a known generation has it."""
NEVER_YEARS = 1000.0
"""How long after the end of the roadmap a generation is put that it does not reach."""
MOST_YEARS = 100.0
MOST_GENERATIONS = 200
"""Limits beyond which a roadmap counts as unbounded."""
LARGEST_LOG = 300.0
"""Natural logarithm of the largest factor that a trend may reach; far beyond it numbers overflow."""


@dataclass(frozen=True, slots=True)
class Known:
    """Generations on record, in the order of their release; every array of shape (G0,), numbers per server.

    Attributes
    ----------
    names : name of each generation
    release_years : calendar years of announcement
    price_usd : price when new [USD]
    rated_w : full-load power [W]
    flops : dense peak [FLOP/s]
    bandwidth : memory bandwidth [B/s]
    memory : accelerator memory [B]
    link : bandwidth between its accelerators [B/s]
    """

    names: tuple[str, ...]
    release_years: Array
    price_usd: Array
    rated_w: Array
    flops: Array
    bandwidth: Array
    memory: Array
    link: Array

    def until(self, year: float) -> Known:
        """The generations released by a year."""
        kept = self.release_years <= year
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        return Known(names, self.release_years[kept], *(getattr(self, each)[kept] for each in _OF_KNOWN))


_OF_KNOWN = ("price_usd", "rated_w", "flops", "bandwidth", "memory", "link")


@dataclass(frozen=True, slots=True)
class Trend:
    """How generations go on after the last known one; every number a scalar or of shape (draws,).

    A growth factor g says what one year brings: ``g^t`` after t years where the form is exponential, ``1 + (g - 1) t``
    where it is linear, both over the last known generation. Growth is per year, so that the interval between
    generations does not change it.

    Attributes
    ----------
    interval_years : from one release to the next [years]
    flops, bandwidth, memory, link, power, price : growth factor of a year [1]
    form : of all of them
    last_year : calendar year after which nothing new is released; infinity for none
    levels : by field, where the trend stands at the last known generation over its value [1]; 1 where not named.
        A fitted line need not pass through its last point.
    floor_factor : a linear trend never falls below this share of the last known value [1]; half of it in the
        set-up of the reference's section 6.2, an assumption
    """

    interval_years: npt.ArrayLike
    flops: npt.ArrayLike
    bandwidth: npt.ArrayLike
    memory: npt.ArrayLike
    link: npt.ArrayLike
    power: npt.ArrayLike
    price: npt.ArrayLike
    form: Form = "exponential"
    last_year: npt.ArrayLike = math.inf
    levels: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    floor_factor: npt.ArrayLike = 0.5

    def factor(self, name: str, years: npt.ArrayLike) -> Array:
        """A field over its value in the last known generation, (..., G), at years (..., G) after that one [1]."""
        after = as_array(years)
        growth = as_array(getattr(self, name))[..., None]
        level = as_array(self.levels.get(name, 1.0))[..., None]
        if self.form == "exponential":
            return np.asarray(level * growth**after)
        return np.maximum(level + (growth - 1) * after, as_array(self.floor_factor)[..., None])


@dataclass(frozen=True, slots=True)
class Roadmap:
    """Generations in the order of their release, the known ones first; arrays (..., G), leading axes are draws.

    Attributes
    ----------
    names : (G,)
    release_years, available_years, last_sale_years : calendar years: announced, first delivered, last sold
    base : (G,) the known generation whose numbers the factors scale
    flops, bandwidth, memory, link, power, price : factor over the base's value [1]; 1 for a known generation
    """

    names: tuple[str, ...]
    release_years: Array
    available_years: Array
    last_sale_years: Array
    base: Ints
    flops: Array
    bandwidth: Array
    memory: Array
    link: Array
    power: Array
    price: Array

    @property
    def projected(self) -> npt.NDArray[np.bool_]:
        """Which generations are not in the catalog, (G,)."""
        return np.asarray(np.arange(len(self.names)) > self.base)

    def values(self, known: Known, name: str) -> Array:
        """A field of ``FIELDS`` in its own unit, per server, (..., G)."""
        return np.asarray(as_array(getattr(known, FIELDS[name]))[self.base] * getattr(self, name))


def project(
    known: Known, trend: Trend, delay_years: npt.ArrayLike, sale_years: npt.ArrayLike, start_year: float,
    end_year: float,
) -> Roadmap:  # fmt: skip
    """The known generations and as many more as the shortest interval brings until the end.

    Generation k after the last known one is released ``k interval`` after it. A generation is sold from release plus
    delay on, for ``sale_years``.

    Parameters
    ----------
    delay_years : announcement to availability, scalar or (draws,) [years]
    sale_years : on sale after availability, scalar or (draws,), infinity for ever [years]
    start_year, end_year : calendar years the plan covers

    Returns
    -------
    Roadmap; every array has the leading axes of whatever is drawn, as a read-only view where it does not depend on it.

    Raises
    ------
    FaultyNumbersError (a ValueError) with all faults: known generations that overlap or are out of order, numbers that
    are not positive, a negative delay, and what makes a roadmap unbounded.

    Source: the form follows section 6.2 of the reference, an assumed set-up; a delay of 6 to 12 months is what
    Stojkovic et al. 2026 say of B200 (published).
    """
    raise_if_any([*known_faults(known), *_trend_faults(trend), *not_negative("delay_years", delay_years),
                  *not_negative("sale_years", sale_years, endless=True),
                  *finite("start_year", start_year), *finite("end_year", end_year)])  # fmt: skip
    until, count = _extent(known, trend, start_year, end_year)
    first, lead = len(known.names), _lead(trend, delay_years, sale_years)
    after = as_array(trend.interval_years)[..., None] * np.arange(1, count + 1)
    release = known.release_years[-1] + after
    # The slack keeps a generation whose date meets the end exactly but for rounding.
    release = np.where(release <= until[..., None] + 1e-9, release, end_year + NEVER_YEARS + np.arange(count))
    released = _joined(known.release_years, release, lead)
    available = released + as_array(delay_years)[..., None]
    # Generations never reached would grow without end; they keep the numbers of the last year.
    reached = np.minimum(after, max(0.0, end_year - known.release_years[-1]))
    factors = {name: _joined(np.ones(first), trend.factor(name, reached), lead) for name in FIELDS}
    return Roadmap(
        known.names + tuple(f"projected-{number}" for number in range(1, count + 1)),
        released,
        available,
        available + as_array(sale_years)[..., None],
        np.minimum(np.arange(first + count), first - 1),
        **factors,
    )


def price_usd(
    roadmap: Roadmap, known: Known, times_years: npt.ArrayLike, yearly_price_change: npt.ArrayLike = 0.0
) -> Array:
    """Price of one server of a generation bought at a time, ``release price (1 + change)^(years since availability)``.

    Parameters
    ----------
    times_years : calendar years of purchase, (T,)
    yearly_price_change : scalar or (draws,); -0.1 for 10 % less every year on sale [1]

    Returns
    -------
    Array (..., G, T) [USD]; before availability the price at release. Whether it is on sale is not looked at.

    Raises ValueError for a change of -100 % or less. The exponential fall is a modelling choice, not published.
    """
    change = as_array(yearly_price_change)
    require(np.isfinite(change) & (change > -1), "yearly_price_change must be above -1")
    since = np.maximum(0.0, as_array(times_years) - roadmap.available_years[..., None])
    return np.asarray(roadmap.values(known, "price")[..., None] * (1 + change[..., None, None]) ** since)


def known_faults(known: Known) -> list[Fault]:
    """What is wrong with the known generations: none, overlapping, not in order, numbers that are not positive."""
    if not known.names:
        return [Fault("names", "no known generation to go on from")]
    sizes = {each: as_array(getattr(known, each)).shape for each in ("release_years", *_OF_KNOWN)}
    wrong = [Fault(each, f"needs {len(known.names)} numbers, one per generation")
             for each, shape in sizes.items() if shape != (len(known.names),)]  # fmt: skip
    if wrong:
        return wrong
    faults = [fault for each in _OF_KNOWN for fault in positive(each, getattr(known, each))]
    years = as_array(known.release_years)
    faults += finite("release_years", years)
    for place, name in enumerate(known.names):
        if name in known.names[:place]:
            faults.append(Fault("names", f"'{name}' stands there twice: generations overlap"))
        if name.startswith("projected-"):
            faults.append(Fault("names", f"'{name}' is a name that projected generations are given"))
    for place, gap in enumerate(np.diff(years)):
        before, after = known.names[place], known.names[place + 1]
        if gap == 0:
            faults.append(Fault("release_years", f"'{before}' and '{after}' overlap: both released {years[place]:g}, "
                                                 "so neither follows the other"))  # fmt: skip
        elif gap < 0:
            faults.append(Fault("release_years", f"'{after}' ({years[place + 1]:g}) stands after '{before}' "
                                                 f"({years[place]:g}): not in order of release"))  # fmt: skip
    return faults


def _trend_faults(trend: Trend) -> list[Fault]:
    faults = positive("interval_years", trend.interval_years) + positive("floor_factor", trend.floor_factor)
    for name in FIELDS:
        faults += positive(name, getattr(trend, name))
    for name, level in trend.levels.items():
        if name not in FIELDS:
            faults.append(Fault("levels", f"'{name}' follows no trend; those that do: {', '.join(FIELDS)}"))
        elif trend.form == "exponential":
            faults += positive(f"levels.{name}", level)
        else:  # a line may stand below 0 where its floor takes over
            faults += finite(f"levels.{name}", level)
    if np.isnan(as_array(trend.last_year)).any():
        faults.append(Fault("last_year", "is no number"))
    return faults


def _extent(known: Known, trend: Trend, start_year: float, end_year: float) -> tuple[Array, int]:
    """Year of the last release and number of projected generations; raises where the roadmap has no bound."""
    faults: list[Fault] = []
    if end_year <= start_year:
        faults.append(Fault("end_year", f"{end_year:g} is not after the start, {start_year:g}"))
    if end_year > start_year + MOST_YEARS:
        faults.append(Fault("end_year", f"unbounded roadmap: {end_year:g} is more than {MOST_YEARS:g} years "
                                        f"after the start, {start_year:g}"))  # fmt: skip
    until = np.minimum(as_array(trend.last_year), end_year)
    span = float(np.max(until)) - float(known.release_years[-1])
    interval = float(np.min(as_array(trend.interval_years)))
    count = max(0.0, span / interval + 1e-9)
    if len(known.names) + count > MOST_GENERATIONS:
        faults.append(Fault("interval_years", f"unbounded roadmap: one generation every {interval:g} years makes "
                                              f"more than {MOST_GENERATIONS} until {end_year:g}"))  # fmt: skip
    if trend.form == "exponential":
        for name in FIELDS:
            largest = np.max(np.abs(np.log(as_array(getattr(trend, name)))))
            if largest * max(0.0, end_year - float(known.release_years[-1])) > LARGEST_LOG:
                faults.append(Fault(name, "unbounded roadmap: this growth leaves the range of numbers before "
                                          f"{end_year:g}"))  # fmt: skip
    raise_if_any(faults)
    return until, int(count)


def _lead(trend: Trend, *others: npt.ArrayLike) -> tuple[int, ...]:
    """Shape of the draws."""
    drawn = [trend.interval_years, trend.last_year, trend.floor_factor, *trend.levels.values(), *others]
    drawn += [getattr(trend, name) for name in FIELDS]
    return np.broadcast_shapes(*(as_array(value).shape for value in drawn))


def _joined(known: Array, projected: Array, lead: tuple[int, ...]) -> Array:
    """Known (G0,) and projected (..., N) generations side by side, (..., G)."""
    own = projected.shape[:-1]
    both = np.concatenate([np.broadcast_to(known, (*own, known.size)), projected], axis=-1)
    return np.broadcast_to(both, (*lead, both.shape[-1]))
