"""sites.toml is what its script makes of the gathered tables; operators.toml agrees with the site table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import tomli

from tests.transcribe import sites, sites_curated

NUMBERS = {
    "latitude_deg": "latitude_deg",
    "longitude_deg": "longitude_deg",
    "elevation_meters": "elevation_m",
    "carbon_g_per_kwh": "carbon_g_per_kwh",
    "offsite_water_l_per_kwh": "offsite_water_l_per_kwh",
    "price_usd_per_kwh": "price_usd_per_kwh",
    "price_local_per_kwh": "price_local_per_kwh",
    "tariff_threshold_mw": "tariff_threshold_mw",
    "tariff_min_demand_fraction": "tariff_min_demand_fraction",
    "tariff_term_years": "tariff_term_years",
    "capex_usd_per_w": "capex_usd_per_w",
    "land_usd_per_acre": "land_usd_per_acre",
}
MARKS = {
    "elevation_meters": "elevation_mark",
    "climate_zone": "climate_zone_mark",
    "carbon_g_per_kwh": "carbon_mark",
    "offsite_water_l_per_kwh": "offsite_water_mark",
    "price_usd_per_kwh": "price_mark",
    "price_local_per_kwh": "price_mark",
    "tariff_threshold_mw": "tariff_mark",
    "capex_usd_per_w": "capex_mark",
    "land_usd_per_acre": "land_mark",
}


def value(raw: Any) -> Any:
    return raw["value"] if isinstance(raw, dict) else raw


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "sites" / "sites.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def catalog(root: Path) -> dict[str, dict[str, Any]]:
    return tomli.loads((root / sites.OUTPUT).read_text(encoding="utf-8"))


@pytest.mark.shared_data
def test_file_is_what_the_script_writes(shared_data: Path, root: Path) -> None:
    for name, text in sites.render(shared_data).items():
        assert (root / name).read_text(encoding="utf-8") == text


@pytest.mark.shared_data
def test_every_filled_cell_is_there_and_nothing_else(
    rows: list[dict[str, str]], catalog: dict[str, dict[str, Any]]
) -> None:
    assert [row["site_id"] for row in rows] == list(catalog)
    for row in rows:
        found = catalog[row["site_id"]]
        assert value(found["climate_zone"]) == row["climate_zone"]
        for name, column in NUMBERS.items():
            if row[column]:
                assert value(found[name]) == float(row[column]), (row["site_id"], name)
            else:
                assert name not in found, (row["site_id"], name)


@pytest.mark.shared_data
def test_each_group_keeps_the_mark_of_the_table(rows: list[dict[str, str]], catalog: dict[str, dict[str, Any]]) -> None:
    for row in rows:
        for name, column in MARKS.items():
            if name in catalog[row["site_id"]]:
                assert catalog[row["site_id"]][name]["evidence"] == row[column], (row["site_id"], name)


def test_coverage_is_what_the_reference_counts(catalog: dict[str, dict[str, Any]]) -> None:
    # Counts of filled fields over 42 sites: water 39, price 29, tariff 7, construction 12, land 6.
    def filled(*names: str) -> int:
        return sum(any(name in found for name in names) for found in catalog.values())

    assert filled("offsite_water_l_per_kwh") == 39
    assert filled("price_usd_per_kwh", "price_local_per_kwh") == 29
    assert filled("tariff") == 7
    assert filled("capex_usd_per_w") == 12
    assert filled("land_usd_per_acre") == 6


@pytest.mark.shared_data
def test_normals_are_the_older_set_of_the_table(shared_data: Path, catalog: dict[str, dict[str, Any]]) -> None:
    seen = 0
    with (shared_data / "sites" / "monthly_normals.csv").open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if row["normals_set"] != sites_curated.NORMALS_SET:
                continue
            normals = catalog[row["site_id"]]["normals"]
            for name in sites.NORMALS:
                assert normals[name][int(row["month"]) - 1] == float(row[name])
            seen += 1
    assert seen == 42 * 12


def test_derived_prices_follow_their_formula(catalog: dict[str, dict[str, Any]]) -> None:
    # Hydro-Quebec rate LG at load factor 0.95; a 20 MW hall in Sydney at PUE 1.5 billed 31.5 M$ a year.
    montreal = catalog["montreal-ca"]["price_local_per_kwh"]
    assert montreal["value"] == pytest.approx(13.11 / (730 * 0.95) + 0.0342, abs=1e-4)
    sydney = catalog["sydney-au"]["price_usd_per_kwh"]
    assert sydney["value"] == pytest.approx(31.5e6 / (20_000 * 1.5 * 8760), abs=1e-3)
    assert montreal["evidence"] == sydney["evidence"] == "derived"


def test_the_minimum_demand_reading_of_gs5_is_unverified(catalog: dict[str, dict[str, Any]]) -> None:
    minimum = catalog["ashburn-va"]["tariff_min_demand_fraction"]
    assert (minimum["value"], minimum["evidence"], minimum["grade"]) == (0.85, "unverified", "assumption")


def test_a_source_cell_that_matches_nothing_is_an_error() -> None:
    assert sites.find("C&W APAC 2025 p.22, Inzai", sites_curated.LAND_SOURCES) == ("cw-apac-2025", 2025)
    with pytest.raises(KeyError, match="a new office"):
        sites.find("a new office", sites_curated.PRICE_SOURCES)


@pytest.mark.shared_data
def test_operators_hold_the_figures_of_the_site_table(rows: list[dict[str, str]], root: Path) -> None:
    operators = tomli.loads((root / "hardware_catalog" / "operators.toml").read_text(encoding="utf-8"))

    def at(site: str, prefix: str, name: str) -> list[float]:
        found = [item for key, item in operators.items() if key.startswith(prefix) and item.get("site") == site]
        return sorted(value(item[name]) for item in found if name in item)

    for row in rows:
        google = sorted(float(part) for part in row["google_pue_ttm"].split(";") if part)
        microsoft = [float(part) for part in [row["microsoft_pue"]] if part]
        aws = [float(part) for part in [row["aws_wue_l_per_kwh"]] if part]
        assert at(row["site_id"], "google-", "pue") == google
        assert at(row["site_id"], "microsoft-", "pue") == microsoft
        assert at(row["site_id"], "aws-", "wue_l_per_kwh") == aws
