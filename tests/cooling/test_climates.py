"""Places of the catalog: every zone, what a site's normals become, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tomli

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.cooling.climates import DAILY_MAX_ABOVE_KELVIN, DAILY_MIN_BELOW_KELVIN, find_weather
from aiplan.planners.cooling.psychrometrics import pressure_at_elevation_pa
from aiplan.planners.cooling.synthesis import synthesise
from tests.cooling.years import hours_where
from tests.transcribe import climates

ZONES = ("0A", "0B", "1A", "2A", "2B", "3A", "3B", "3C", "4A", "4B", "4C", "5A", "5B", "5C", "6A", "6B", "7", "8")


class Known(NamedTuple):
    """Figures of a typical year, computed from the published file's 8,760 hours when it was transcribed.

    Means of dry and wet bulb [deg C], hours with a wet bulb above 20 and a dry bulb above 27 deg C, 99.6 % dry bulb
    [deg C], mean pressure [Pa].
    """

    zone: str
    dry: float
    wet: float
    humid_h: int
    warm_h: int
    hot: float
    pressure: int


TYPICAL_YEARS = {
    "miami-fl": Known("1A", 24.314, 20.585, 5677, 2374, 31.7, 101_744),
    "tucson-az": Known("2B", 21.706, 11.503, 507, 2607, 40.0, 92_091),
    "new-york-ny": Known("4A", 12.554, 9.488, 1346, 476, 32.2, 101_653),
    "chicago-ohare-il": Known("5A", 9.988, 7.142, 847, 522, 32.2, 99_189),
    "aurora-co": Known("5B", 10.017, 4.358, 0, 613, 35.0, 82_723),
    "port-angeles-wa": Known("5C", 9.257, 7.491, 0, 9, 24.0, 100_696),
    "pittsburgh-pa": Known("5A", 11.240, 8.446, 658, 196, 29.2, 97_163),
    "greensboro-nc": Known("3A", 14.422, 11.130, 1690, 811, 33.3, 98_692),
    "sand-point-ak": Known("7", 4.421, 2.589, 0, 0, 16.6, 101_200),
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


@pytest.mark.parametrize("zone", ZONES)
def test_every_zone_but_one_has_a_climate(catalog: Catalog, zone: str) -> None:
    place = find_weather(catalog, zone)
    assert place.zone == zone
    assert place.weather.total_hours == pytest.approx(8760.0, abs=1e-6)
    assert place.sources
    assert set(place.sources) <= set(catalog.ids("sources"))
    assert find_weather(catalog, f"zone-{zone.lower()}").name == place.name


def test_zones_are_colder_by_their_number(catalog: Catalog) -> None:
    means = [
        find_weather(catalog, zone).monthly.annual_mean_c for zone in ("0A", "1A", "2A", "3A", "4A", "5A", "6A", "7")
    ]
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("name", TYPICAL_YEARS)
def test_typical_years_keep_what_their_hours_say(catalog: Catalog, name: str) -> None:
    place, known = find_weather(catalog, name), TYPICAL_YEARS[name]
    year = place.weather
    assert (place.kind, place.grade, place.evidence, place.zone) == ("typical_year", "paper", "derived", known.zone)
    assert place.offset is None
    assert year.mean(year.drybulb_c) == pytest.approx(known.dry, abs=6e-4)
    assert year.mean(year.wetbulb_c) == pytest.approx(known.wet, abs=1e-3)
    assert hours_where(year, year.wetbulb_c > 20.0) == pytest.approx(known.humid_h, abs=4.0)
    assert hours_where(year, year.drybulb_c > 27.0) == known.warm_h
    assert year.quantile(year.drybulb_c, 0.996) == known.hot
    assert year.mean(year.pressure_pa) == pytest.approx(known.pressure, abs=2.0)
    assert place.monthly.annual_mean_c == pytest.approx(known.dry, abs=0.005)


def test_statistics_are_what_the_script_writes(root: Path) -> None:
    assert (root / climates.STATISTICS).read_text(encoding="utf-8") == climates.statistics()


def test_what_is_made_from_months_is_an_estimate(catalog: Catalog) -> None:
    place = find_weather(catalog, "3C")
    entry: Any = catalog.get("climates", "3C")
    assert (place.kind, place.grade, place.evidence) == ("months", "estimate", "derived")
    assert np.array_equal(place.monthly.tmean_c, entry.tmean_c)
    assert np.allclose(place.monthly.tmax_c, np.array(entry.warmest_hour_c) + DAILY_MAX_ABOVE_KELVIN)
    assert np.allclose(place.monthly.tmin_c, np.array(entry.coldest_hour_c) - DAILY_MIN_BELOW_KELVIN)
    assert np.allclose(place.monthly.pressure_pa, pressure_at_elevation_pa(entry.elevation_meters.value))
    assert np.array_equal(place.weather.drybulb_c, synthesise(place.monthly).drybulb_c)
    assert any("200 h" in note for note in place.notes)


def test_a_site_is_its_normals_and_a_documented_offset(catalog: Catalog) -> None:
    place = find_weather(catalog, "ashburn-va")
    normals: Any = catalog.get("sites", "ashburn-va").normals
    assert (place.kind, place.grade, place.evidence, place.zone) == ("normals", "estimate", "derived", "4A")
    assert place.sources == ("cru-cl-2.0",)
    assert np.allclose(place.monthly.tmean_c, np.array(normals.tmean_c) + 0.75)
    assert place.offset is not None
    assert place.offset.distribution.text() == "normal, mean 0.75, sd 0.7"
    assert (place.offset.grade, place.offset.evidence) == ("estimate", "derived")
    assert any("1961-1990" in note for note in place.notes)
    assert any("0.75 K" in note for note in place.notes)


def test_a_zone_of_a_site_says_so(catalog: Catalog) -> None:
    zone, site = find_weather(catalog, "0B"), find_weather(catalog, "riyadh-sa")
    assert np.array_equal(zone.weather.drybulb_c, site.weather.drybulb_c)
    assert zone.offset is not None
    assert "taken as at Riyadh" in zone.notes[0]
    assert any("humid" in note for note in zone.notes)


def test_every_site_has_weather(catalog: Catalog) -> None:
    for site in catalog.ids("sites"):
        place = find_weather(catalog, site)
        assert place.weather.total_hours == pytest.approx(8760.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("chicgo-ohare-il", "did you mean chicago-ohare-il"),
        ("ashburn", "did you mean ashburn-va?"),
        ("1B", "no weather of free terms was found for this zone"),
        ("Zone-1B", "no weather of free terms was found for this zone"),
        ("@@@", "catalog list climates"),
    ],
)
def test_unknown_places(catalog: Catalog, name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        find_weather(catalog, name)
    (problem,) = caught.value.problems
    assert problem.code == "E121"
    assert problem.message == f"no climate or site '{name}' in the catalog"
    assert hint in problem.hint


def test_climates_name_sites_and_sources_that_exist(catalog: Catalog, root: Path) -> None:
    for path in sorted((root / climates.FOLDER).glob("*.toml")):
        for entry_id, entry in tomli.loads(path.read_text(encoding="utf-8")).items():
            assert entry["source"] in catalog.ids("sources"), entry_id
            assert "site" not in entry or entry["site"] in catalog.ids("sites"), entry_id


TWELVE = "[" + ", ".join(["10.0"] * 12) + "]"
ENTRY = f"""
[mine]
name = "Mine"
country = "USA"
zone = "4A"
source = "nrel-tmy3-pvlib"
grade = "paper"
tmean_c = {TWELVE}
dewpoint_c = {TWELVE.replace("10", "8")}
tmax_c = {TWELVE.replace("10", "15")}
tmin_c = {TWELVE.replace("10", "5")}
elevation_meters = 100
"""


def overlay(folder: Path, text: str) -> Catalog:
    (folder / "climates").mkdir(parents=True)
    (folder / "climates" / "mine.toml").write_text(text, encoding="utf-8")
    return Catalog(folder)


def test_a_climate_of_one_s_own(tmp_path: Path) -> None:
    place = find_weather(overlay(tmp_path, ENTRY), "mine")
    assert place.kind == "months"
    assert place.weather.mean(place.weather.drybulb_c) == pytest.approx(10.0, abs=1e-9)


BINS = (
    "bin_drybulb_c = [5.0, 15.0]\nbin_rh_percent = [80, 50]\nbin_pressure_pa = [100000, 100000]\nbin_h = [4000, 4760]\n"
)


def test_a_typical_year_of_one_s_own(tmp_path: Path) -> None:
    year = find_weather(overlay(tmp_path, ENTRY + BINS), "mine").weather
    assert year.rh_fraction.tolist() == [0.8, 0.5]
    assert year.hours.tolist() == [4000.0, 4760.0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("elevation_meters = 100\n", "", "needs pressure_pa or elevation_meters"),
        ("tmax_c", "warmest_hour_c", "needs tmax_c and tmin_c, or warmest_hour_c and coldest_hour_c"),
        (f"tmin_c = {TWELVE.replace('10', '5')}", f"tmin_c = {TWELVE.replace('10', '11')}", "not so in month 1"),
        (TWELVE.replace("10", "8"), TWELVE.replace("10", "12"), "not so in month 1"),
        (f"dewpoint_c = {TWELVE.replace('10', '8')}\n", "", "needs either site, or tmean_c and dewpoint_c"),
        ('zone = "4A"', 'zone = "4A"\nsite = "singapore"', "needs either site, or tmean_c and dewpoint_c"),
        (TWELVE, "[10.0]", "tmean_c"),
        ("elevation_meters = 100\n", "elevation_meters = 100\n" + BINS.replace("4760", "4761"), "bins of 8,760 hours"),
        ("elevation_meters = 100\n", "elevation_meters = 100\n" + BINS.replace("[80, 50]", "[80]"), "equal length"),
        (
            "elevation_meters = 100\n",
            "elevation_meters = 100\n" + BINS.replace("[80, 50]", "[80, 101]"),
            "bin_rh_percent",
        ),
    ],
)
def test_a_climate_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ENTRY
    with pytest.raises(InputError) as caught:
        overlay(tmp_path, ENTRY.replace(old, new, 1))
    assert any(message in problem.message for problem in caught.value.problems)


def test_the_page_shows_what_the_code_makes(catalog: Catalog, root: Path) -> None:
    page = (root / "docs" / "weather.md").read_text(encoding="utf-8")
    for name in TYPICAL_YEARS:
        place = find_weather(catalog, name)
        years = (place.weather, synthesise(place.monthly))
        humid = [f"{hours_where(year, year.wetbulb_c > 20.0):.0f}" for year in years]
        hot = [f"{year.quantile(year.drybulb_c, 0.996):.1f}" for year in years]
        assert f"| {name} | {' | '.join([*humid, *hot])} |" in page
    for zone in ZONES:
        assert f"| {zone} | " in page
