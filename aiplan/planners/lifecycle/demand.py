"""Demand over the years: requests, the work in one, the better software, and breaks in their trends.

Times are years after the start. Demand is counted in reference requests per second: requests of the model and the
lengths of the start. A request of twice the work counts as two of them; software that does twice the work on the same
machine halves them. Arrays end in T (periods) or T, W (classes of work: one mixed class, or prefill and decode); axes
before it are draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.roadmap_faults import Fault, finite, not_negative, positive, raise_if_any, share

Growth = Literal["exponential", "linear", "sublinear"]
When = Literal["start", "mid", "end", "larger"]
LARGEST_LOG = 300.0
"""Natural logarithm of the largest growth over the horizon; far beyond it numbers overflow."""
MOMENT_YEARS = 1e-9
"""Times closer than this are the same: 3 periods of 0.1 years end at 0.3 [years]."""


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers by year, between them geometric interpolation.

    Attributes
    ----------
    years : years after the start, rising, at least two, (Y,)
    values : above 0, (..., Y)
    """

    years: Array
    values: Array

    def at(self, times: Array) -> Array:
        """Values at times (..., T); outside the table ValueError, nothing is extrapolated."""
        covered = (times >= self.years[0] - MOMENT_YEARS) & (times <= self.years[-1] + MOMENT_YEARS)
        require(
            covered, f"a table of years {self.years[0]:g} to {self.years[-1]:g} after the start does not cover the plan"
        )
        left = np.clip(np.searchsorted(self.years, times, side="right") - 1, 0, self.years.size - 2)
        weight = (times - self.years[left]) / (self.years[left + 1] - self.years[left])
        logs = np.log(self.values)
        lead = np.broadcast_shapes(logs.shape[:-1], times.shape[:-1])
        logs = np.broadcast_to(logs, (*lead, logs.shape[-1]))
        left = np.broadcast_to(left, (*lead, left.shape[-1]))
        low, high = (np.take_along_axis(logs, left + step, axis=-1) for step in (0, 1))
        return np.asarray(np.exp(low + weight * (high - low)))


@dataclass(frozen=True, slots=True)
class Model:
    """Work in one request over that of a request at the start, at equal lengths.

    With g the growth factor: ``g^t`` exponential, ``1 + (g - 1) t`` linear, ``1 + (g - 1) t^exponent`` sublinear; all
    three meet after one year. Source of the three forms: Stojkovic et al. 2026, section III-B (published); the square
    root of the sublinear one is assumed.

    Attributes
    ----------
    growth_factor : scalar or (draws,) [1]
    exponent : of the sublinear form, above 0 and at most 1 [1]
    table : used instead, where given, relative to any unit: what counts is the value over that at the start
    """

    growth_factor: npt.ArrayLike = 1.0
    form: Growth = "exponential"
    exponent: float = 0.5
    table: Table | None = None

    def at(self, times: Array) -> Array:
        """Work factor at times (..., T) of at least 0 [1]."""
        if self.table is not None:
            return np.asarray(self.table.at(times) / self.table.at(np.zeros(1)))
        growth = as_array(self.growth_factor)[..., None]
        if self.form == "exponential":
            return np.asarray(growth**times)
        power = 1.0 if self.form == "linear" else self.exponent
        return np.asarray(1 + (growth - 1) * times**power)


@dataclass(frozen=True, slots=True)
class Phases:
    """Change of lengths: input tokens drive prefill, output tokens decode.

    Attributes
    ----------
    input_factor, output_factor : growth factor of a year in tokens per request, scalar or (draws,) [1]
    prefill_share : of a reference request's machine time, for one mixed class; scalar or (draws,) [1]

    First order: attention over longer prompts, and decode over a longer context, cost more than in proportion.
    """

    input_factor: npt.ArrayLike = 1.0
    output_factor: npt.ArrayLike = 1.0
    prefill_share: npt.ArrayLike = 0.5

    def at(self, times: Array, classes: int) -> Array:
        """Work factor of each class at times (..., T), (..., T, W) [1]."""
        factors = [as_array(each)[..., None] ** times for each in (self.input_factor, self.output_factor)]
        if classes == 1:
            prefill = as_array(self.prefill_share)[..., None]
            factors = [prefill * factors[0] + (1 - prefill) * factors[1]]
        return np.stack(np.broadcast_arrays(*factors), axis=-1)


@dataclass(frozen=True, slots=True)
class Break:
    """From a year on, a path is constant: a factor times its trend of that year.

    Attributes
    ----------
    factor : scalar or (draws,) [1]
    year : years after the start, scalar or (draws,)
    """

    factor: npt.ArrayLike
    year: npt.ArrayLike

    def apply(self, times: Array, ending: bool) -> tuple[Array, Array]:
        """Times at which to read the trend, and the factor on it; ``ending`` takes the moment before each time."""
        year = as_array(self.year)[..., None]
        after = times > year + MOMENT_YEARS if ending else times >= year - MOMENT_YEARS
        return np.minimum(times, year), np.where(after, as_array(self.factor)[..., None], 1.0)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of the site over the years.

    Attributes
    ----------
    requests_per_s : at the start, at peak; scalar or (draws,) [1/s]
    growth_factor : of requests in a year, scalar or (draws,) [1]
    table : requests/s by year at peak instead of the two, where given
    model, phases : work in a request
    software_factor : work a machine does after a year over before, from software alone; scalar or (draws,) [1]
    shock : break of requests: shock and plateau, published with 3 at 5 years
    contraction : break of the work in a request by its model, published with 0.8 at 5 years

    Source: 100,000 requests/s growing 15 % a year, and the breaks, are those of Stojkovic et al. 2026, sections III-B
    and VIII-A (published). That a shock holds requests and not the work in them is our reading [assumed].
    """

    requests_per_s: npt.ArrayLike = 0.0
    growth_factor: npt.ArrayLike = 1.0
    table: Table | None = None
    model: Model = field(default_factory=Model)
    phases: Phases = field(default_factory=Phases)
    software_factor: npt.ArrayLike = 1.0
    shock: Break | None = None
    contraction: Break | None = None

    def requests(self, times: npt.ArrayLike, ending: bool = False) -> Array:
        """Requests/s at peak at times (..., T) [1/s]."""
        at, factor = self.shock.apply(as_array(times), ending) if self.shock else (as_array(times), np.ones(1))
        if self.table is not None:
            return np.asarray(factor * self.table.at(at))
        return np.asarray(
            factor * as_array(self.requests_per_s)[..., None] * as_array(self.growth_factor)[..., None] ** at
        )

    def work(self, times: npt.ArrayLike, ending: bool = False) -> Array:
        """Work in a request by its model over that at the start, at times (..., T) [1]."""
        at, factor = (self.contraction.apply(as_array(times), ending) if self.contraction
                      else (as_array(times), np.ones(1)))  # fmt: skip
        return np.asarray(factor * self.model.at(at))

    def software(self, times: npt.ArrayLike) -> Array:
        """Work the same machine does over that at the start, at times (..., T) [1]."""
        return np.asarray(as_array(self.software_factor)[..., None] ** as_array(times))

    def at(self, times: npt.ArrayLike, classes: int = 1, software: bool = True, ending: bool = False) -> Array:
        """Peak demand in reference requests/s at times (..., T), (..., T, W); see ``demand`` [1/s]."""
        factor = self.requests(times, ending) * self.work(times, ending)
        if software:
            factor = factor / self.software(times)
        return np.asarray(factor[..., None] * self.phases.at(as_array(times), classes))


def demand(
    path: Demand, periods: int, dt_years: float = 1.0, classes: int = 1, when: When = "larger", software: bool = True
) -> Array:
    """Peak demand of each period in reference requests/s by class, (..., T, W) [1/s].

    Parameters
    ----------
    classes : 1 mixed, or 2: prefill and decode, each to be met by capacity of its own
    when : moment of the period that counts. ``larger``: the largest of its start, middle and end and of both sides of
        every break and table year inside it, class by class, because a plan must serve all of a period. A smooth
        path may lie above that between them by a term of second order in the period's length.
        A break that falls on the end of a period belongs to the next one.
    software : whether demand is net of what software saves; where False, use ``efficiency`` for capacity

    Raises
    ------
    FaultyNumbersError (a ValueError) with all faults; ValueError where a table does not cover the plan.

    >>> float(demand(Demand(100_000, 1.15), 15, when="start")[9, 0].round())
    351788.0
    """
    raise_if_any(demand_faults(path, periods, dt_years, classes))
    starts = np.arange(periods) * dt_years
    ends = np.arange(1, periods + 1) * dt_years
    moments = {"start": (starts, False), "mid": (starts + dt_years / 2, False), "end": (ends, True)}
    if when != "larger":
        times, ending = moments[when]
        return path.at(times, classes, software, ending)
    found = [path.at(times, classes, software, ending) for times, ending in moments.values()]
    for knot in _knots(path):
        year = knot[..., None]
        # Knots outside a period, and the far side of one on its end, are replaced by moments already read.
        before = np.where((year > starts + MOMENT_YEARS) & (year <= ends), year, ends)
        since = np.where((year >= starts) & (year < ends - MOMENT_YEARS), year, starts)
        found += [path.at(before, classes, software, ending=True), path.at(since, classes, software)]
    return np.asarray(np.max(np.stack(np.broadcast_arrays(*found)), axis=0))


def efficiency(path: Demand, periods: int, dt_years: float = 1.0, when: When = "larger") -> Array:
    """Work the same machine does over that at the start, by period, (..., T) [1].

    For ``larger`` the smaller end of each period, the one that a plan may count on throughout.
    """
    raise_if_any(demand_faults(path, periods, dt_years, 1))
    starts = np.arange(periods) * dt_years
    if when == "larger":
        return np.minimum(path.software(starts), path.software(starts + dt_years))
    return path.software(starts + {"start": 0.0, "mid": 0.5, "end": 1.0}[when] * dt_years)


def _knots(path: Demand) -> list[Array]:
    breaks = [as_array(each.year) for each in (path.shock, path.contraction) if each is not None]
    tables = [table for table in (path.table, path.model.table) if table is not None]
    return breaks + [as_array(year) for table in tables for year in table.years]


def load_factor(shape: npt.ArrayLike) -> Array:
    """Mean over peak of a load's shape, hours on the last axis, any unit, (...) [1].

    >>> float(load_factor([50.0, 100.0, 75.0, 75.0]))
    0.75

    Raises FaultyNumbersError for negative hours, none at all, or none above 0.
    """
    hours = as_array(shape)
    faults = [Fault("shape", "has no hours")] if hours.ndim == 0 or not hours.size else not_negative("shape", hours)
    if not faults and not np.all(hours.max(axis=-1) > 0):
        faults.append(Fault("shape", "has no hour above 0"))
    raise_if_any(faults)
    return np.asarray(hours.mean(axis=-1) / hours.max(axis=-1))


def demand_faults(path: Demand, periods: int, dt_years: float, classes: int) -> list[Fault]:
    """What is wrong with a demand and the periods it is asked for."""
    faults = positive("dt_years", dt_years)
    if periods < 1:
        faults.append(Fault("periods", f"{periods} periods make no plan"))
    if classes not in (1, 2):
        faults.append(Fault("classes", f"{classes} is neither 1 (mixed) nor 2 (prefill and decode)"))
    if path.table is None:
        faults += not_negative("requests_per_s", path.requests_per_s) + positive("growth_factor", path.growth_factor)
    else:
        faults += _table_faults("table", path.table)
    if path.model.table is not None:
        faults += _table_faults("model.table", path.model.table)
    if not 0 < path.model.exponent <= 1:
        faults.append(Fault("model.exponent", f"{path.model.exponent:g} is not above 0 and at most 1"))
    faults += positive("model.growth_factor", path.model.growth_factor)
    faults += positive("phases.input_factor", path.phases.input_factor)
    faults += positive("phases.output_factor", path.phases.output_factor)
    faults += share("phases.prefill_share", path.phases.prefill_share)
    faults += positive("software_factor", path.software_factor)
    for name, each in (("shock", path.shock), ("contraction", path.contraction)):
        if each is not None:
            faults += positive(f"{name}.factor", each.factor) + not_negative(f"{name}.year", each.year)
    return faults or _range_faults(path, periods * dt_years)


def _table_faults(name: str, table: Table) -> list[Fault]:
    years, values = as_array(table.years), as_array(table.values)
    if years.ndim != 1 or years.size < 2 or values.shape[-1:] != years.shape:
        return [Fault(name, "needs two years or more, and one value for each")]
    faults = finite(f"{name}.years", years) + positive(f"{name}.values", values)
    if not faults and not np.all(np.diff(years) > 0):
        faults.append(Fault(f"{name}.years", "must rise, each year once"))
    return faults


def _range_faults(path: Demand, horizon_years: float) -> list[Fault]:
    """Growth that leaves the range of numbers, and work that falls to nothing, within the horizon."""
    # What grows along a line or a root stays in range whatever its slope.
    model = path.model.growth_factor if path.model.form == "exponential" else 1.0
    factors = {"growth_factor": path.growth_factor, "model.growth_factor": model,
               "phases.input_factor": path.phases.input_factor, "phases.output_factor": path.phases.output_factor,
               "software_factor": path.software_factor}  # fmt: skip
    faults = []
    for name, factor in factors.items():
        log_growth = float(np.max(np.abs(np.log(as_array(factor))))) * horizon_years
        if log_growth > LARGEST_LOG / len(factors):
            faults.append(Fault(name, f"grows or shrinks beyond the range of numbers in {horizon_years:g} years"))
    if not faults and path.model.table is None and np.any(path.work([horizon_years]) <= 0):
        faults.append(Fault("model.growth_factor", f"work per request falls to nothing within {horizon_years:g} years; "
                                                   "use the exponential form"))  # fmt: skip
    return faults
