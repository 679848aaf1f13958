"""Transcribe ``hardware_catalog/sites/sites.toml`` from the gathered tables.

Numbers come from ``sites/sites.csv`` and ``sites/monthly_normals.csv``; source ids and grades are curated in
``sites_curated.py``. Derived columns (dew points, design temperatures, hours) are left out.

Run ``python -m tests.transcribe.sites [--data DIR]`` to rewrite the file.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tests.transcribe import sites_curated as curated
from tests.transcribe.rewrite import rewrite
from tests.transcribe.toml_text import Num, entry

OUTPUT = "hardware_catalog/sites/sites.toml"
NORMALS = ("tmax_c", "tmin_c", "tmean_c", "rh_percent")
# A derived or remembered figure is never better than these grades, whatever its source.
GRADE_LIMIT = {"derived": "estimate", "unverified": "assumption"}

HEAD = """\
# Sites: where a data centre may stand. Climate, grid, price, land, each group with its own source.
#
# normals     monthly means of daily maximum, minimum, mean and relative humidity, January first. CRU CL 2.0
#             covers 1961-1990 and reads about 0.8 K too cold for today. Dew points and design temperatures
#             are not here: they are computed from these.
# grid        entry of grids.toml. In the United States the eGRID subregion was assigned from the map by
#             memory: unverified, check with the EPA's Power Profiler. The state's own rate is a conflict.
# carbon      location-based, annual; outside the United States a country mean, which is not a site.
# water       off-site consumption of generation, country mean, reservoir evaporation included.
# price       average of industrial customers, not a hyperscale contract: treat as +-30 % (assumed). Local
#             currency stays local; no exchange rate was applied. price_year is the year of the figure.
# elevation   mostly remembered: unverified.
# climate_zone  ASHRAE 169; a derived one is a hint.
#
# A field that is missing was not found. Written by tests/transcribe/sites.py; change the curation there.
"""

T = TypeVar("T")


def find(cell: str, table: Mapping[str, T]) -> T:
    """Value of the longest key a source cell begins with.

    Raises
    ------
    KeyError when no key fits.
    """
    fits = [key for key in table if cell.startswith(key)]
    if not fits:
        raise KeyError(cell)
    return table[max(fits, key=len)]


def marked(value: Any, source: str, grade: str, mark: str, **more: Any) -> dict[str, Any]:
    """A figure with its source; the entry's evidence is second-hand, so the mark is always stated."""
    limited = GRADE_LIMIT.get(mark, grade)
    return {"value": value, "source": source, "grade": limited, "evidence": mark, **more}


def head_fields(row: dict[str, str]) -> dict[str, Any]:
    """Name, country and the source that holds for station coordinates."""
    fields: dict[str, Any] = {"name": row["name"], "country": curated.ISO3[row["country"]]}
    if row["region"]:
        fields["region"] = row["region"]
    fields |= {"source": curated.NORMALS_SOURCE, "grade": "paper", "evidence": "second-hand"}
    if row["country"] == "US":
        fields["unverified_fields"] = ["grid"]
    if row["site_id"] in curated.REMARKS:
        fields["note"] = curated.REMARKS[row["site_id"]]
    return fields


def place_fields(row: dict[str, str]) -> dict[str, Any]:
    """Coordinates of the weather station, elevation, climate zone."""
    mark = row["elevation_mark"]
    elevation_source = "noaa-isd-history" if mark == "unverified" else "typical-year-heads"
    zone_source = find(row["climate_zone_source"], curated.ZONE_SOURCES)
    return {
        "latitude_deg": Num(row["latitude_deg"]),
        "longitude_deg": Num(row["longitude_deg"]),
        "elevation_meters": marked(Num(row["elevation_m"]), elevation_source, "paper", mark),
        "climate_zone": marked(row["climate_zone"], zone_source, "paper", row["climate_zone_mark"]),
    }


def grid_fields(row: dict[str, str]) -> dict[str, Any]:
    """Grid, carbon and off-site water."""
    in_us = row["country"] == "US"
    place = curated.SUBREGION_OF_STATE[row["region"]] if in_us else curated.ISO3[row["country"]].lower()
    source = find(row["carbon_source"], curated.CARBON_SOURCES)
    fields: dict[str, Any] = {
        "grid": f"egrid-{place}" if in_us else f"country-{place}",
        "carbon_g_per_kwh": marked(Num(row["carbon_g_per_kwh"]), source, "paper", row["carbon_mark"]),
    }
    if row["offsite_water_l_per_kwh"]:
        water = Num(row["offsite_water_l_per_kwh"])
        mark = row["offsite_water_mark"]
        fields["offsite_water_l_per_kwh"] = marked(water, curated.WATER_SOURCE, "paper", mark)
    if row["carbon_alt_g_per_kwh"]:
        text = f"state of {row['region']}, total output" if in_us else f"bidding zone {row['region']}, a lower bound"
        conflict = {
            "field": "carbon_g_per_kwh",
            "value": Num(row["carbon_alt_g_per_kwh"]),
            "source": curated.STATE_CARBON if in_us else curated.ZONE_CARBON,
            "evidence": "second-hand",
            "note": text,
        }
        fields["conflicts"] = [conflict]
    return fields


def price_fields(row: dict[str, str]) -> dict[str, Any]:
    """Price of electricity in USD or local currency, with its year."""
    fields: dict[str, Any] = {}
    if not row["price_year"]:
        return fields
    year = int(row["price_year"][:4])
    source = find(row["price_source"], curated.PRICE_SOURCES)
    mark = {"currency_year": year, "note": row["price_note"]}
    if len(row["price_year"]) > 4:
        mark["note"] = f"{row['price_year']}; {row['price_note']}"
    for name in ("price_usd_per_kwh", "price_local_per_kwh"):
        if row[name]:
            grade = "paper" if source in curated.OFFICIAL_PRICES else "estimate"
            fields[name] = marked(Num(row[name]), source, grade, row["price_mark"], **mark)
    if row["price_currency"]:
        fields["price_currency"] = row["price_currency"]
    return {**fields, "price_year": year}


def tariff_fields(row: dict[str, str]) -> dict[str, Any]:
    """Terms of a large-load tariff."""
    if not row["tariff"]:
        return {}
    source = find(row["tariff_source"], curated.TARIFF_SOURCES)
    fields: dict[str, Any] = {"tariff": marked(row["tariff"], source, "paper", row["tariff_mark"])}
    for name in ("tariff_threshold_mw", "tariff_min_demand_fraction", "tariff_term_years"):
        if row[name]:
            minimum = name == "tariff_min_demand_fraction" and row["site_id"] in curated.UNVERIFIED_MINIMUM
            mark = "unverified" if minimum else row["tariff_mark"]
            fields[name] = marked(Num(row[name]), source, "paper", mark)
    return {**fields, "tariff_note": row["tariff_note"]}


def cost_field(row: dict[str, str], name: str, stem: str, table: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """Construction or land cost with its range and the year of the money."""
    if not row[name]:
        return {}
    low, high = (
        row[f"{stem}_low_{name.removeprefix(stem + '_')}"],
        row[f"{stem}_high_{name.removeprefix(stem + '_')}"],
    )
    source, year = find(row[f"{stem}_source"], table)
    more: dict[str, Any] = {"currency_year": year}
    if low and high:
        more["range"] = [Num(low), Num(high)]
    return {name: marked(Num(row[name]), source, "estimate", row[f"{stem}_mark"], **more, note=row[f"{stem}_source"])}


def normals_table(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The twelve months of one site as four arrays."""
    months = sorted(rows, key=lambda row: int(row["month"]))
    first = months[0]
    return {
        "source": curated.NORMALS_SOURCE,
        "grade": "paper",
        "evidence": first["mark"],
        "set": first["normals_set"],
        "period": first["period"],
        "station": f"{first['station']} ({first['station_id']})",
        **{name: [Num(month[name]) for month in months] for name in NORMALS},
    }


def render_site(row: dict[str, str], months: list[dict[str, str]]) -> str:
    """TOML text of one site."""
    money = {
        **cost_field(row, "capex_usd_per_w", "capex", curated.CAPEX_SOURCES),
        **cost_field(row, "land_usd_per_acre", "land", curated.LAND_SOURCES),
    }
    groups = [
        head_fields(row),
        place_fields(row),
        grid_fields(row),
        price_fields(row),
        tariff_fields(row),
        money,
    ]
    return entry(row["site_id"], [group for group in groups if group], {"normals": normals_table(months)})


def render(shared_data: Path) -> dict[str, str]:
    """Text of the catalog file, by path relative to the repository root."""
    folder = shared_data / "sites"
    with (folder / "monthly_normals.csv").open(newline="", encoding="utf-8") as handle:
        normals = [row for row in csv.DictReader(handle) if row["normals_set"] == curated.NORMALS_SET]
    by_site: dict[str, list[dict[str, str]]] = {}
    for month in normals:
        by_site.setdefault(month["site_id"], []).append(month)
    with (folder / "sites.csv").open(newline="", encoding="utf-8") as handle:
        blocks = [render_site(row, by_site[row["site_id"]]) for row in csv.DictReader(handle)]
    return {OUTPUT: HEAD + "\n" + "\n\n".join(blocks)}


if __name__ == "__main__":
    rewrite(render, __doc__)
