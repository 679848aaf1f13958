"""The weather of a named place: a zone of ASHRAE 169, a climate of the catalog, or a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.inputs.reader import printable
from aiplan.planners.cooling.psychrometrics import pressure_at_elevation_pa
from aiplan.planners.cooling.synthesis import Monthly, synthesise
from aiplan.planners.cooling.weather import Weather
from aiplan.uncertainty.unbounded import Normal

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.catalog.schema import Site
    from aiplan.catalog.schema_climates import Climate

CRU_OFFSET_KELVIN = 0.75
CRU_OFFSET_SD_KELVIN = 0.7
CRU_DEW_POINT_OFFSET_KELVIN = 0.4
"""How much warmer and moister today is than the normals of 1961-1990.

Chosen on typical years of 11 stations, whose scatter around it is 0.66 K (section 3.4 of the project's notes on sites:
derived, and flattered by being chosen on the stations it is judged by).
"""

DEW_POINT_SHARE = CRU_DEW_POINT_OFFSET_KELVIN / CRU_OFFSET_KELVIN
"""How far dew points go along with an offset of temperature [1]."""

DAILY_MAX_ABOVE_KELVIN = 0.76
DAILY_MIN_BELOW_KELVIN = 1.07
"""How far means of a day's extremes lie outside the extremes of the mean day.

Means over nine US typical years, of 0.50 to 1.00 K above and 0.64 to 1.70 K below (derived, docs/weather.md).
"""

NORMALS_TO_WARM = "cru_cl_2.0"
"""Data set of normals that lie a generation back."""

ZONES_WITHOUT_CLIMATE = frozenset({"1b"})


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Weather of a place and what it rests on.

    Attributes
    ----------
    name : what the catalog calls the place
    weather : the year; of a typical year every hour, else synthesised from the months
    monthly : its monthly means, offset included
    sources : ids of the sources
    grade, evidence : of the weather; what is synthesised is an estimate, derived
    kind : ``typical_year``, ``months`` (of a typical year), or ``normals`` (of a site)
    zone : zone of ASHRAE 169, empty where the catalog has none
    notes : what a reader must know
    offset : how much warmer the years planned for are than the normals [K], already in ``weather`` at its median;
        None where the data are typical years. Dew points go along by `DEW_POINT_SHARE` of it.
    """

    name: str
    weather: Weather
    monthly: Monthly
    sources: tuple[str, ...]
    grade: str
    evidence: str
    kind: str
    zone: str = ""
    notes: tuple[str, ...] = ()
    offset: Quantity | None = None


def climate_offset() -> Quantity:
    """How much warmer than the normals of 1961-1990 a site is taken to be [K]: normal(0.75, 0.7)."""
    return Quantity(
        CRU_OFFSET_KELVIN, Normal(CRU_OFFSET_KELVIN, CRU_OFFSET_SD_KELVIN), "cru-cl-2.0", "estimate", "derived"
    )


def find_weather(catalog: Catalog, name: str) -> Place:
    """The weather of a zone, climate or site.

    Parameters
    ----------
    catalog : where to look
    name : zone of ASHRAE 169 such as ``4A``, or id, name or alias of a climate or a site; climates come first

    Raises
    ------
    InputError where there is none: with the nearest names, or with why there is no climate for a zone.
    """
    for kind in ("climates", "sites"):
        if (found := catalog.names(kind).resolve(name)) is not None:
            entry = catalog.get(kind, found)
            return _of_climate(catalog, entry) if kind == "climates" else _of_site(found, entry)
    near = [*catalog.names("climates").nearest(name, 2), *catalog.names("sites").nearest(name, 2)]
    if name.strip().lower().removeprefix("zone-") in ZONES_WITHOUT_CLIMATE:
        hint = "no weather of free terms was found for this zone; give a weather file"
    elif near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = "see `aiplan catalog list climates` and `aiplan catalog list sites`, or give a weather file"
    raise InputError(Problem("E121", f"no climate or site '{printable(name)[:80]}' in the catalog", hint=hint))


def _of_climate(catalog: Catalog, entry: Climate) -> Place:
    """Weather of a climate's bins, months or site."""
    zone = entry.zone
    if entry.site is not None:
        site = _of_site(entry.site, catalog.get("sites", entry.site))
        notes = (f"zone {zone} is taken as at {site.name}", *site.notes, *([entry.note] if entry.note else []))
        return Place(entry.name, site.weather, site.monthly, site.sources, site.grade, site.evidence, site.kind,
                     zone, notes, site.offset)  # fmt: skip
    monthly = _monthly(entry)
    notes = (f"typical year of {entry.station}, {entry.period}", *([entry.note] if entry.note else []))
    if entry.bin_h:
        rh = np.array(entry.bin_rh_percent) / 100.0
        weather = Weather(np.array(entry.bin_drybulb_c), rh, np.array(entry.bin_pressure_pa), np.array(entry.bin_h))
        return Place(entry.name, weather, monthly, (entry.source,), entry.grade, entry.evidence, "typical_year",
                     zone, notes)  # fmt: skip
    notes = (*notes, "hours are made from twelve months: hours above a threshold are good to some 200 h")
    return Place(entry.name, synthesise(monthly), monthly, (entry.source,), "estimate", "derived", "months",
                 zone, notes)  # fmt: skip


def _monthly(entry: Climate) -> Monthly:
    """Monthly means of a climate; days' extremes from the mean day where they are not given."""
    if entry.tmax_c is not None:
        high, low = np.array(entry.tmax_c), np.array(entry.tmin_c)
    else:
        high = np.array(entry.warmest_hour_c) + DAILY_MAX_ABOVE_KELVIN
        low = np.array(entry.coldest_hour_c) - DAILY_MIN_BELOW_KELVIN
    elevation: Any = entry.elevation_meters
    pressure = np.array(entry.pressure_pa) if entry.pressure_pa else pressure_at_elevation_pa(elevation.value)
    return Monthly(high, low, np.array(entry.tmean_c), np.array(entry.dewpoint_c), pressure)


def _of_site(entry_id: str, site: Site) -> Place:
    """Weather of a site from its normals, warmed by the offset where they are those of 1961-1990."""
    normals = site.normals
    rh = np.array(normals.rh_percent) / 100.0
    notes = [f"normals of {normals.period} at {normals.station or entry_id}, hours made from them"]
    if site.elevation_meters is None:
        notes.append("no elevation is known: sea level is taken")
    elevation = site.elevation_meters.value if site.elevation_meters is not None else 0.0
    monthly = Monthly.from_humidity(normals.tmax_c, normals.tmin_c, normals.tmean_c, rh, elevation)
    offset = climate_offset() if normals.set == NORMALS_TO_WARM else None
    if offset is not None:
        monthly = monthly.shifted(CRU_OFFSET_KELVIN, CRU_DEW_POINT_OFFSET_KELVIN)
        notes.append(
            f"warmed by {CRU_OFFSET_KELVIN:g} K, dew points by {CRU_DEW_POINT_OFFSET_KELVIN:g} K, for today's climate"
        )
    if normals.note:
        notes.append(normals.note)
    zone = site.climate_zone.value if site.climate_zone is not None else ""
    return Place(site.name, synthesise(monthly), monthly, (normals.source,), "estimate", "derived", "normals",
                 zone, tuple(notes), offset)  # fmt: skip
