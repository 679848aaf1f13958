"""Inputs to result: the year once hour by hour at medians, and many times on fewer points for what is uncertain.

Other planners enter here: `cool` and `mechanical` for hours, `year` for a year in numbers, `find_system` and
`find_climate` for what the catalog has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, keep_freed
from aiplan.planners.cooling.case import (
    OFFSET,
    PATH,
    Case,
    Climate,
    SystemCase,
    add_parameters,
    build_case,
    find_climate,
    find_system,
)
from aiplan.planners.cooling.equipment import Outdoor
from aiplan.planners.cooling.plant import MECHANICAL, Hourly, System, cool, electrical, mechanical
from aiplan.planners.cooling.weather import Weather
from aiplan.planners.cooling.year import Warming, Year, summary, year
from aiplan.planners.parameters import Evidence, Value, Values
from aiplan.report.model import worst_grade
from aiplan.uncertainty.quantiles import summary as quantiles_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.cooling.inputs import CoolingInputs
    from aiplan.uncertainty.sensitivity import TornadoBar

__all__ = ["Climate", "Hourly", "Result", "System", "SystemCase", "Warming", "Year", "add_parameters", "build_case",
           "condensed", "cool", "electrical", "find_climate", "find_system", "mechanical", "named", "plan", "warming",
           "year"]  # fmt: skip

POINTS = 500
"""Points of the year of each draw; what they cost stands in docs/weather.md."""
SYSTEM_POINTS = 1500
"""The same for the comparison of systems, which are computed once."""
SPARED = 24
"""Points with the highest power at medians that stay as they are, so that worst hours are hours."""
EXTREMES = 4
"""The same of the highest wet bulb, and of the highest dry bulb: where medians peak elsewhere, draws peak there."""
WORST_SHARE = 0.03
"""Share of the hours, those of the highest PUE, that have points of their own: `pue_p99` is read off them."""
WORST_PART = 6
"""They get one point of so many."""
BANDS = 4
"""Bands of load whose hours are kept apart, at most."""
Summary = Mapping[str, float | None]
Load = float | Array


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers.

    Attributes
    ----------
    case : what was asked
    hourly, outdoor, load : the year at medians, its weather and load
    point : the same in numbers
    lines : summaries of the draws by line
    draws : the drawn years
    evidence, bars : what moves the lines, and the annual PUE
    seasonal : year with months and hours at medians, its weather and load; None where weather has no calendar
    systems : systems of the catalog here, in numbers at medians; see `Case.others`
    """

    case: Case
    hourly: Hourly
    outdoor: Outdoor
    load: Load
    point: Year
    draws: Year
    lines: dict[str, Summary] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    bars: list[TornadoBar] = field(default_factory=list)
    seasonal: tuple[Hourly, Weather, Load] | None = None
    systems: list[tuple[SystemCase, Year]] = field(default_factory=list)


def plan(inputs: CoolingInputs, catalog: Catalog) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for names the catalog does not know, missing numbers, weather that cannot be used and impossible
    correlations.
    """
    case = build_case(inputs, catalog)
    keep_freed()
    weather, system = case.climate.weather, case.system.system
    load = load_of(case, weather)
    outdoor = Outdoor.of(weather)
    medians = case.parameters.medians()
    hourly = cool(system, named(case, medians), outdoor, load, case.convention)
    badness = hourly.pue * load
    spread, spread_load = condensed(weather, load, badness)

    def years(values: Values) -> Year:
        return year(system, named(case, values), spread, spread_load, case.convention, warming(case, values))

    def point(values: Values) -> dict[str, Value]:
        return lines_of(years(values), values["load.it_power_mw"], weather, load)

    values = case.parameters.draw(inputs.uncertainty)
    drawn = years(values)
    result = Result(case, hourly, outdoor, load, summary(hourly, weather.hours, load), drawn)
    found = lines_of(drawn, values["load.it_power_mw"], weather, load)
    result.lines = {line: summary_of(value) for line, value in found.items()}
    _set_point(result)
    result.evidence = {line: _with_weather(one, case.climate) for line, one in case.parameters.evidence(point).items()}
    result.bars = case.parameters.tornado(point, "pue_annual")
    result.seasonal = _seasonal(result, medians)
    fine = condensed(weather, load, badness, SYSTEM_POINTS)
    result.systems = [(other, year(other.system, _medians(other), *fine, case.convention)) for other in case.others]
    return result


def named(case: Case, values: Values) -> dict[str, Value]:
    """Parameters of a case's system by name, from values by path."""
    return {name: values[f"{PATH}.{name}"] for name in case.system.quantities}


def warming(case: Case, values: Values) -> Warming | None:
    """The climate's offset beyond its median, which is in the weather already."""
    offset = case.climate.offset
    if offset is None:
        return None
    return Warming(np.asarray(values[OFFSET]) - offset.distribution.median, case.climate.dew_point_share)


def _medians(system: SystemCase) -> dict[str, float]:
    return {name: quantity.distribution.median for name, quantity in system.quantities.items()}


def load_of(case: Case, weather: Weather) -> Load:
    """IT load over rated: a number, or shape (n,) where it follows the hour of the day."""
    load = case.inputs.load
    if not load.hourly_load_fractions:
        return load.load_fraction
    return np.asarray(load.hourly_load_fractions)[weather.hour]


def condensed(weather: Weather, load: Load, badness: Array, points: int = POINTS) -> tuple[Weather, Load]:
    """Weather on fewer points, the worst ones left as they are; and the load on the same points.

    Parameters
    ----------
    weather, load : the year, and IT load over rated, a number or shape (n,)
    badness : facility power over rated IT power, shape (n,): PUE times load
    points : how many at most, some hundred or more; a year of no more is returned as it is

    The worst points by power, wet bulb and dry bulb stay as they are. `WORST_SHARE` of the hours, those of the highest
    PUE, share one point of `WORST_PART`; all other hours share the rest. In both, hours of different load are kept
    apart, in up to `BANDS` bands that share the points by their hours; within a band the mean load is kept.
    """
    if weather.hours.size <= points:
        return weather, load
    order = np.argsort(badness / load, kind="stable")[::-1]
    worst = order[np.cumsum(weather.hours[order]) <= WORST_SHARE * weather.total_hours]
    band = _bands(np.broadcast_to(load, badness.shape), weather.hours)
    band[worst] += BANDS
    for bad, count in ((badness, SPARED), (weather.wetbulb_c, EXTREMES), (weather.drybulb_c, EXTREMES)):
        band[np.argsort(bad, kind="stable")[-count:]] = -1
    spared = np.flatnonzero(band == -1)
    first = min(points // WORST_PART, int(np.count_nonzero(band >= BANDS)))
    rows, hours = [spared], [weather.hours[spared]]
    for numbers, shared in ((range(BANDS, 2 * BANDS), first), (range(BANDS), points - spared.size - first)):
        parts = [part for number in numbers if (part := np.flatnonzero(band == number)).size]
        for part, count in zip(parts, _shares(parts, weather.hours, shared), strict=True):
            at = load[part] if isinstance(load, np.ndarray) and np.ptp(load[part]) > 0.0 else None
            kept, weights = weather.at(part, weather.hours[part]).pieces(count, at)
            rows.append(part[kept])
            hours.append(weights)
    found = np.concatenate(rows)
    return weather.at(found, np.concatenate(hours)), load[found] if isinstance(load, np.ndarray) else load


def _shares(parts: list[npt.NDArray[np.int64]], hours: Array, points: int) -> list[int]:
    """How many points each of some parts gets, by its hours; at least one."""
    if not parts:
        return []
    ends = np.cumsum([hours[part].sum() for part in parts])
    shared = max(points - len(parts), 0)
    return [1 + int(more) for more in np.diff(np.rint(ends * (shared / ends[-1])), prepend=0)]


def _bands(load: Array, hours: Array) -> npt.NDArray[np.int64]:
    """Band of load of each point: its level where these are few, else which part of the hours in order of load."""
    if np.ptp(load) == 0.0:
        return np.zeros(load.size, dtype=np.int64)
    levels, level = np.unique(load, return_inverse=True)
    if levels.size > BANDS:
        each = np.bincount(level, hours)
        middle = np.cumsum(each) - 0.5 * each
        level = np.unique((middle * (BANDS / each.sum())).astype(np.int64), return_inverse=True)[1][level]
    return np.asarray(level, dtype=np.int64)


def lines_of(found: Year, it_power_mw: Value, weather: Weather, load: Load) -> dict[str, Value]:
    """Lines of the report from years.

    Parameters
    ----------
    found : years, shape (k,) or ()
    it_power_mw : rated IT power [MW]
    weather, load : the whole year, for its hours at full load
    """
    power = np.asarray(it_power_mw, dtype=np.float64)
    it_energy = power * float(np.dot(np.broadcast_to(load, weather.hours.shape), weather.hours))
    cooling = sum((found.power[name] for name in MECHANICAL if name in found.power), np.zeros(()))
    lines: dict[str, Value] = {
        "pue_annual": found.pue,
        "pue_nominal": found.pue,
        "pue_worst_hour": found.pue_worst,
        "pue_p99": found.pue_p99,
        "wue_annual_l_per_kwh": found.wue,
        "wue_nominal_l_per_kwh": found.wue,
        "it_power_mw": power,
        "facility_power_mw": power * found.facility_peak,
        "it_energy_mwh": it_energy,
        "energy_mwh": it_energy * found.pue,
        "cooling_energy_mwh": it_energy * cooling,
        "water_m3": it_energy * found.wue,
        "water_peak_m3_per_h": power * found.water_peak,
        "compressor_free_h": found.free_h,
    }
    if found.liquid_free_h is not None:
        lines["liquid_compressor_free_h"] = found.liquid_free_h
    return lines


def summary_of(value: Value) -> Summary:
    """Mean and quantiles of a line; of draws that are all one number, that number without quantiles."""
    drawn = np.atleast_1d(value)
    return quantiles_of(value if varies(drawn) else float(drawn[0]))


def varies(drawn: Array) -> bool:
    """Whether draws, shape (k,), differ by more than rounding."""
    return bool(np.ptp(drawn) > 1e-12 * np.abs(drawn).max())


def _set_point(result: Result) -> None:
    """Lines at medians, hour by hour. Hours without compressors are among them: limits cut pieces of some 20 h."""
    point = result.point
    hourly = {
        "pue_nominal": point.pue,
        "wue_nominal_l_per_kwh": point.wue,
        "compressor_free_h": point.free_h,
        "liquid_compressor_free_h": point.liquid_free_h,
    }
    result.lines |= {line: summary_of(value) for line, value in hourly.items() if value is not None}


def _with_weather(evidence: Evidence, climate: Climate) -> Evidence:
    """Evidence of a line that rests on the weather too."""
    grade = worst_grade([evidence.grade, climate.grade])
    return replace(evidence, grade=grade, sources=tuple(dict.fromkeys([*climate.source, *evidence.sources])))


def _seasonal(result: Result, medians: Mapping[str, float]) -> tuple[Hourly, Weather, Load] | None:
    """The year at medians on weather that says month and hour."""
    case = result.case
    weather = case.climate.seasonal
    if weather is None:
        return None
    if weather is case.climate.weather:
        return result.hourly, weather, result.load
    load = load_of(case, weather)
    return cool(case.system.system, named(case, medians), weather, load, case.convention), weather, load
