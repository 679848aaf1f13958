"""From what is asked to what is computed with: system, weather and numbers, each with its source.

The catalog and the weather file are read here and nowhere further in. Other planners start at `find_system` and
`find_climate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.planners.cooling.air_plant import Design
from aiplan.planners.cooling.needs import LABELS, needs
from aiplan.planners.cooling.plant import System
from aiplan.planners.cooling.water import Convention
from aiplan.planners.cooling.weather import Weather
from aiplan.planners.parameters import Parameters
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.cooling.inputs import CoolingInputs, CoolingSystem

PATH = "cooling"
OFFSET = "site.climate_offset_kelvin"
LIMITS = (("supply_low_c", "supply_high_c"), ("rh_low_fraction", "rh_high_fraction"),
          ("dew_point_low_c", "dew_point_high_c"))  # fmt: skip
HOURS_OF_DAY = 24


@dataclass(frozen=True, slots=True)
class SystemCase:
    """A cooling system of the catalog: what it is made of, and its numbers with their sources, by name."""

    id: str
    name: str
    system: System
    quantities: Mapping[str, Quantity]


@dataclass(frozen=True, slots=True)
class Climate:
    """The weather of a place and what it rests on.

    Attributes
    ----------
    name : of the place or file
    weather : the year, as exact as it is known
    seasonal : a year with months and hours of the day, None where nothing says when its points are
    made : whether the hours were made from monthly means
    whole : whether the worst hours are points of their own, not parts of bins of the user's weather
    source, grade, evidence : of the weather
    notes : what a reader must know
    offset : how much warmer the years planned for are than those of the data [K], at its median in the weather already;
        None where nothing is known of it
    dew_point_share : how far dew points go along with it [1]
    """

    name: str
    weather: Weather
    seasonal: Weather | None
    made: bool
    whole: bool
    source: tuple[str, ...]
    grade: str
    evidence: str
    notes: tuple[str, ...] = ()
    offset: Quantity | None = None
    dew_point_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """Everything `plan` needs, and where it came from.

    Attributes
    ----------
    inputs, system, climate, parameters : what was asked, with its numbers
    others : systems to compare, with the catalog's numbers
    warnings : what a reader must know
    facility_water : of a liquid loop, in words
    left_out : which systems are not compared and why, empty for none
    """

    inputs: CoolingInputs
    system: SystemCase
    climate: Climate
    parameters: Parameters
    others: tuple[SystemCase, ...]
    warnings: tuple[Warn, ...]
    facility_water: str = ""
    left_out: str = ""

    @property
    def convention(self) -> Convention:
        """How blow-down is counted."""
        return self.inputs.cooling.water_convention


def find_system(catalog: Catalog, name: str, given: CoolingSystem | None = None) -> SystemCase:
    """A cooling system by any of its names, with numbers of a scenario in place of the catalog's.

    Parameters
    ----------
    catalog : where to look
    name : id, name or alias
    given : the scenario's section, whose numbers and envelope win

    Raises
    ------
    InputError for names the catalog does not know, numbers the entry lacks and limits that exclude each other.
    """
    problems: list[Problem] = []
    entry = _get(catalog, "cooling", name, "system", problems)
    limits: Any = None
    if given is not None and given.envelope is not None:
        limits = _get(catalog, "envelopes", given.envelope, "envelope", problems)
        if limits is not None and limits.medium != "air":
            problems.append(_problem("E243", "envelope", f"'{given.envelope}' limits water, not the hall's air",
                                     "name a class of air, such as a1-a4-recommended"))  # fmt: skip
    if entry is None or problems:
        raise InputError(problems)
    system = System(Design(entry.rejection, entry.economiser, entry.evaporation), entry.liquid)
    wanted = needs(system)
    found: dict[str, Quantity] = {}
    for label in wanted:
        value = _first(label, given, _limits_of(label, limits, entry), entry)
        if value is None:
            problems.append(_problem("E241", label, f"is missing: '{name}' needs it and the catalog does not give it",
                                     "give it here, or in the entry"))  # fmt: skip
        else:
            found[label] = value
    for low, high in LIMITS:
        if low in found and high in found and found[low].distribution.median > found[high].distribution.median:
            numbers = f"{found[low].distribution.median:g} lies above {high} {found[high].distribution.median:g}"
            problems.append(_problem("E244", low, numbers, "exchange them, or give both"))
    if problems:
        raise InputError(problems)
    return SystemCase(catalog.resolve("cooling", name), entry.name, system, found)


def _problem(code: str, key: str, message: str, hint: str) -> Problem:
    return Problem(code, f"{PATH}.{key} {message}", f"{PATH}.{key}", hint=hint)


def _get(catalog: Catalog, kind: str, name: str, key: str, problems: list[Problem]) -> Any:
    """An entry, or None with the problem noted."""
    try:
        return catalog.get(kind, name)
    except InputError as error:
        problems += error.under(f"{PATH}.{key}")
        return None


def _limits_of(label: str, limits: Any, entry: Any) -> Any:
    """The class whose limit holds, None where the system's own is the narrower one.

    A class that allows colder air than the system mixes to does not make the system supply it.
    """
    if label != "supply_low_c" or getattr(limits, label, None) is None or getattr(entry, label, None) is None:
        return limits
    colder = getattr(limits, label).distribution.median < getattr(entry, label).distribution.median
    return None if colder else limits


def _first(label: str, *places: Any) -> Quantity | None:
    """The first of some sections that gives a number."""
    found = (getattr(place, label, None) for place in places)
    return next((value for value in found if value is not None), None)


def find_climate(
    catalog: Catalog, place: str | None, weather_file: str | None = None, zone: str | None = None
) -> Climate:
    """The weather of a place of the catalog, or of a file.

    Raises
    ------
    InputError for names the catalog does not know, files that cannot be used, and where neither is given.
    """
    if weather_file is not None:
        from aiplan.planners.cooling.weather_file import read_weather

        read = read_weather(Path(weather_file), zone=zone)
        year = read.weather
        timed = year.month is not None and year.hour is not None
        source = (Path(weather_file).name,)
        whole = float(year.hours.max()) <= 1.0
        return Climate(
            read.name, year, year if timed else None, False, whole, source, "assumption", "assumed", read.notes
        )
    if zone is not None:
        raise InputError(Problem("E240", "site.zone picks rows of a weather file, and none is given", "site.zone",
                                 hint=f'for the climate of a zone write place = "{zone[:20]}"'))  # fmt: skip
    if place is None:
        raise InputError(Problem("E240", "no place: site.place or site.weather_file must say where the hall stands",
                                 "site.place", hint='e.g. place = "ashburn-va", or --weather FILE'))  # fmt: skip
    from aiplan.planners.cooling.climates import DEW_POINT_SHARE, find_weather
    from aiplan.planners.cooling.synthesis import synthesise

    try:
        found = find_weather(catalog, place)
    except InputError as error:
        raise InputError(error.under("site.place")) from None
    made = found.kind != "typical_year"
    timed = found.weather.month is not None and found.weather.hour is not None
    seasonal = found.weather if timed else synthesise(found.monthly)
    return Climate(found.name, found.weather, seasonal, made, True, found.sources, found.grade, found.evidence,
                   found.notes, found.offset, DEW_POINT_SHARE)  # fmt: skip


def add_parameters(parameters: Parameters, system: SystemCase, path: str = PATH) -> dict[str, str]:
    """Put a system's numbers among a planner's inputs; the path of each by its name."""
    from aiplan.catalog.schema_cooling import CoolingParameters
    from aiplan.inputs.fields import quantity_bounds

    fields = CoolingParameters.model_fields
    paths = {}
    for name, value in system.quantities.items():
        low, high = quantity_bounds(fields[name]) or (None, None)
        paths[name] = parameters.add(
            f"{path}.{name}",
            LABELS[name],
            value,
            low=float("-inf") if low is None else low,
            high=float("inf") if high is None else high,
        )
    return paths


def build_case(inputs: CoolingInputs, catalog: Catalog) -> Case:
    """Look everything up.

    Raises
    ------
    InputError for names the catalog does not know, numbers that are missing and weather that cannot be used.
    """
    problems: list[Problem] = []
    system = climate = None
    try:
        system = find_system(catalog, inputs.cooling.system, inputs.cooling)
    except InputError as error:
        problems += error.problems
    try:
        climate = find_climate(catalog, inputs.site.place, inputs.site.weather_file, inputs.site.zone)
        climate = _with_offset(inputs, _with_hours(inputs, climate))
    except InputError as error:
        problems += error.problems
    if problems or system is None or climate is None:
        raise InputError(problems)
    parameters = Parameters()
    parameters.add("load.it_power_mw", "rated IT power", inputs.load.it_power_mw, low=0.0)
    if climate.offset is not None:
        parameters.add(OFFSET, "warming since the normals", climate.offset)
    add_parameters(parameters, system)
    others, left_out = _others(catalog, system, inputs)
    warnings = [*_warnings(inputs, system, climate), *parameters.tail_warnings()]
    water = _facility_water(catalog, system)
    return Case(inputs, system, climate, parameters, others, tuple(warnings), water, left_out)


def _others(catalog: Catalog, asked: SystemCase, inputs: CoolingInputs) -> tuple[tuple[SystemCase, ...], str]:
    """Systems to compare, and in words which are left out: the catalog does not know a place's sea."""
    given = inputs.cooling.sea_c
    found, left_out = [], []
    for name in catalog.ids("cooling"):
        one = find_system(catalog, name)
        if "sea_c" in one.quantities and given is not None:
            one = replace(one, quantities={**one.quantities, "sea_c": given})
        if "sea_c" in one.quantities and given is None and one.id != asked.id:
            left_out.append(name)
        else:
            found.append(one)
    text = f"{', '.join(left_out)}: give the sea's temperature as {PATH}.sea_c" if left_out else ""
    return tuple(found), text


def _facility_water(catalog: Catalog, system: SystemCase) -> str:
    """The facility's water of a liquid loop, and the class of equipment it is warm enough for; empty without a loop."""
    if system.system.liquid == "none":
        return ""
    medians = {name: one.distribution.median for name, one in system.quantities.items()}
    water = medians["loop_supply_c"] - medians["cdu_approach_kelvin"]
    entries = [catalog.get("envelopes", name) for name in catalog.ids("envelopes")]
    limits = sorted(
        (one.supply_high_c.value, one.name) for one in entries if one.medium == "water" and one.supply_high_c
    )
    fitting = next((name for limit, name in limits if water <= limit), "beyond the classes with an upper limit")
    return f"{water:g} °C to the distribution units: {fitting} (remembered, not verified)"


def _with_hours(inputs: CoolingInputs, climate: Climate) -> Climate:
    """Weather that says when it is, where the load depends on the hour."""
    hourly = inputs.load.hourly_load_fractions
    if not hourly:
        return climate
    path = "load.hourly_load_fractions"
    if len(hourly) != HOURS_OF_DAY:
        raise InputError(Problem("E242", f"{path} has {len(hourly)} numbers, a day has {HOURS_OF_DAY} hours", path,
                                 hint="give one number for every hour from midnight on"))  # fmt: skip
    if climate.seasonal is None:
        raise InputError(Problem("E242", f"{path}: the weather does not say which hour of the day it is", path,
                                 hint="add the columns month and hour, or give load.load_fraction"))  # fmt: skip
    made = climate.made or climate.seasonal is not climate.weather
    return replace(climate, weather=climate.seasonal, made=made, whole=True)


def _with_offset(inputs: CoolingInputs, climate: Climate) -> Climate:
    """Weather at the median of an offset that the scenario gives, in place of the one it has already."""
    given = inputs.site.climate_offset_kelvin
    if given is None:
        return climate
    from aiplan.planners.cooling.climates import DEW_POINT_SHARE

    inside = climate.offset.distribution.median if climate.offset is not None else 0.0
    more = given.distribution.median - inside
    weather = climate.weather.shifted(more, DEW_POINT_SHARE * more)
    seasonal = climate.seasonal
    if seasonal is not None:
        seasonal = weather if seasonal is climate.weather else seasonal.shifted(more, DEW_POINT_SHARE * more)
    notes = (*climate.notes, f"moved by {more:+.3g} K as asked")
    return replace(
        climate, weather=weather, seasonal=seasonal, offset=given, dew_point_share=DEW_POINT_SHARE, notes=notes
    )


def _warnings(inputs: CoolingInputs, system: SystemCase, climate: Climate) -> list[Warn]:
    """What a reader must know of the choice of inputs."""
    out = []
    given = [name for name in LABELS if getattr(inputs.cooling, name) is not None]
    # The comparison of systems takes the sea that is given.
    idle = [name for name in given if name not in system.quantities and name != "sea_c"]
    if idle:
        out.append(Warn("W-COOLING-UNUSED", f"{system.id} does not depend on {', '.join(idle)}", f"{PATH}.{idle[0]}"))
    if inputs.cooling.envelope is not None and system.system.air.economiser != "air":
        out.append(Warn("W-COOLING-UNUSED", f"{system.id} has no air-side economiser: the envelope limits nothing",
                        f"{PATH}.envelope"))  # fmt: skip
    if climate.made:
        text = (
            "the hottest hours are made from monthly means, about 1 K too low and on some coasts more than 4 K: "
            "size plant and connection with a weather file"
        )
        out.append(Warn("W-COOLING-DESIGN", text, "site.place"))
    elif not climate.whole:
        out.append(Warn("W-COOLING-DESIGN", "the weather is binned: the worst hour is the mean of the worst bin, less "
                        "than the hottest hour", "site.place"))  # fmt: skip
    return out
