"""A year from twelve months: what it keeps, how near it comes to hourly years and to the reference's own figures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.climates import find_weather
from aiplan.planners.cooling.synthesis import DAYS, Monthly, spread, synthesise
from aiplan.planners.cooling.weather import Weather
from tests.cooling.years import hourly_year, hours_where, monthly_of


def monthly_means(year: Weather, values: Array) -> Array:
    assert year.month is not None
    hours = np.bincount(year.month, year.hours, 13)[1:]
    return np.asarray(np.bincount(year.month, year.hours * values, 13)[1:] / hours)


@st.composite
def places(draw: st.DrawFn) -> Monthly:
    """Months of any place on earth, and of a few that are not."""

    def numbers(low: float, high: float) -> Array:
        return np.array(draw(st.lists(st.floats(low, high), min_size=12, max_size=12)))

    mean = numbers(-30.0, 35.0)
    return Monthly(
        mean + numbers(0.0, 8.0), mean - numbers(0.0, 8.0), mean, mean - numbers(0.0, 15.0), np.array(95_000.0)
    )


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(place=places())
def test_monthly_means_of_temperature_are_kept(place: Monthly) -> None:
    for year in (synthesise(place), hourly_year(place, 3)):
        assert np.max(np.abs(monthly_means(year, year.drybulb_c) - place.tmean_c)) < 1e-9
        assert year.total_hours == pytest.approx(8760.0, abs=1e-6)
        assert np.all(year.dewpoint_c <= year.drybulb_c + 1e-6)


def test_shape_and_weights() -> None:
    place = find_weather(Catalog(), "4C").monthly
    year = synthesise(place)
    assert year.hours.size == 38_880
    assert year.month is not None
    assert year.hour is not None
    assert np.allclose(np.bincount(year.month, year.hours)[1:], DAYS * 24.0)
    assert np.allclose(np.bincount(year.hour, year.hours), 365.0)
    # The wave is lowest between five and six and highest at three in the afternoon.
    by_hour = np.bincount(year.hour, year.hours * year.drybulb_c) / 365.0
    assert int(by_hour.argmax()) == 15
    assert int(by_hour.argmin()) in (5, 6)
    daily = np.average(place.tmax_c - place.tmin_c, weights=DAYS)
    # Neither extreme falls on a whole hour, so that hourly means span a little less than the range.
    assert 0.97 * daily < by_hour.max() - by_hour.min() <= daily


def test_spread_is_the_formula() -> None:
    # July of a place with A = 20 K, a daily range of 10 K, and dew points 5 K below the mean.
    mean = np.array([5.0, 5, 10, 15, 20, 25, 25, 25, 20, 15, 10, 5])
    place = Monthly(mean + 5.0, mean - 5.0, mean, mean - 5.0, np.array(1e5))
    season = (25.0 - float(np.average(mean, weights=DAYS))) / 10.0
    found = spread(place)
    assert found.sigma_k[6] == pytest.approx(0.85 + 0.094 * 20 - 0.042 * 20 * season)
    assert found.beta[6] == pytest.approx(1.07 + 0.021 * 20 - 0.011 * 20 * season - 0.093 * 10)
    assert found.rho_k[6] == pytest.approx(-0.03 + 0.0233 * 20 - 0.0117 * 20 * season + 0.1045 * 10 + 0.0828 * 5)


def test_a_place_without_seasons() -> None:
    flat = Monthly(np.full(12, 27.0), np.full(12, 27.0), np.full(12, 27.0), np.full(12, 24.0), np.array(1e5))
    year = synthesise(flat)
    assert year.mean(year.drybulb_c) == pytest.approx(27.0, abs=1e-9)
    assert float(spread(flat).sigma_k.max()) == pytest.approx(0.85)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tmax_c": np.full(12, 9.0)},
        {"tmin_c": np.full(12, 11.0)},
        {"dewpoint_c": np.full(12, 10.5)},
        {"tmean_c": np.full(12, np.nan)},
        {"tmean_c": np.full(11, 10.0)},
    ],
)
def test_impossible_months_are_refused(wrong: dict[str, Array]) -> None:
    good = {"tmax_c": np.full(12, 15.0), "tmin_c": np.full(12, 5.0), "tmean_c": np.full(12, 10.0),
            "dewpoint_c": np.full(12, 8.0), "pressure_pa": np.full(12, 1e5)}  # fmt: skip
    with pytest.raises(ValueError, match=r"must|broadcast"):
        Monthly(**{**good, **wrong})


@pytest.mark.shared_data
def test_the_reference_s_figures_of_42_sites(shared_data: Path) -> None:
    """99.6 % dry and wet bulb and hours above 20 deg C of wet bulb, as the reference made them with +0.75 and +0.4 K.

    They are printed to 0.1 K and 10 h; elevations and dew points went in rounded.
    """
    catalog = Catalog()
    with (shared_data / "sites" / "sites.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 42
    for row in rows:
        year = find_weather(catalog, row["site_id"]).weather
        wet = year.wetbulb_c
        assert year.quantile(year.drybulb_c, 0.996) == pytest.approx(float(row["design_drybulb_99p6_c"]), abs=0.2)
        assert year.quantile(wet, 0.996) == pytest.approx(float(row["design_wetbulb_99p6_c"]), abs=0.1)
        assert hours_where(year, wet > 20.0) == pytest.approx(float(row["hours_wetbulb_over_20c"]), abs=7.0)


def test_chicago_is_the_reference_s_zone_5a() -> None:
    # Its hourly sheet 5A is the O'Hare TMY3: 847 h hourly, 657 h synthesised (tolerance 5 h), 31.8 deg C (table 3.2).
    place = find_weather(Catalog(), "chicago-ohare-il")
    year = synthesise(place.monthly)
    assert hours_where(place.weather, place.weather.wetbulb_c > 20.0) == 847.0
    assert hours_where(year, year.wetbulb_c > 20.0) == pytest.approx(657.0, abs=5.0)
    assert year.quantile(year.drybulb_c, 0.996) == pytest.approx(31.8, abs=0.15)


YEARS = ("miami-fl", "tucson-az", "new-york-ny", "chicago-ohare-il", "aurora-co", "port-angeles-wa", "pittsburgh-pa",
         "greensboro-nc", "sand-point-ak")  # fmt: skip


def test_how_far_synthesis_is_off_typical_years() -> None:
    """Against the nine shipped years: section 3.3 says up to 745 h and 4.6 K, both low on average."""
    catalog = Catalog()
    hours, hot = [], []
    for name in YEARS:
        place = find_weather(catalog, name)
        true, made = place.weather, synthesise(place.monthly)
        assert made.mean(made.drybulb_c) == pytest.approx(true.mean(true.drybulb_c), abs=0.005)
        assert made.mean(made.wetbulb_c) == pytest.approx(true.mean(true.wetbulb_c), abs=0.26)
        hours.append(hours_where(made, made.wetbulb_c > 20) - hours_where(true, true.wetbulb_c > 20))
        hot.append(made.quantile(made.drybulb_c, 0.996) - true.quantile(true.drybulb_c, 0.996))
    assert max(map(abs, hours)) < 800
    assert -250 < float(np.mean(hours)) < 0
    assert max(map(abs, hot)) < 2.5
    assert -2.0 < float(np.mean(hot)) < 0.0


def test_hourly_year_is_a_year_in_order() -> None:
    place = find_weather(Catalog(), "5A").monthly
    year, again, other = (hourly_year(place, seed) for seed in (1, 1, 2))
    assert year.hours.size == 8760
    assert np.array_equal(year.drybulb_c, again.drybulb_c)
    assert not np.array_equal(year.drybulb_c, other.drybulb_c)
    found = monthly_of(year)
    assert np.max(np.abs(found.tmean_c - place.tmean_c)) < 1e-9
    assert np.max(np.abs(found.dewpoint_c - place.dewpoint_c)) < 1.0


def test_hourly_years_stray_as_the_weighted_points_do() -> None:
    place = find_weather(Catalog(), "5A").monthly
    points = synthesise(place)
    many = [hourly_year(place, seed) for seed in range(30)]
    spread_of_points = float(np.sqrt(points.mean(points.drybulb_c**2) - points.mean(points.drybulb_c) ** 2))
    found = float(np.mean([np.std(year.drybulb_c) for year in many]))
    assert found == pytest.approx(spread_of_points, rel=0.03)
    noon = np.array([year.drybulb_c.reshape(365, 24)[:, 12] for year in many])
    strays = noon - noon.mean(axis=0)
    persistence = float(np.mean(strays[:, 1:] * strays[:, :-1]) / np.mean(strays**2))
    assert persistence == pytest.approx(0.57, abs=0.06)


def test_monthly_of_a_year_needs_an_hourly_year() -> None:
    with pytest.raises(ValueError, match="hourly year with months"):
        monthly_of(Weather(np.full(24, 5.0), np.full(24, 0.5), np.full(24, 1e5), np.ones(24)))
