"""Cooling systems: published points, balances, monotonicity, limits, part load."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.air_plant import Design, dx_cop
from aiplan.planners.cooling.climates import find_weather
from aiplan.planners.cooling.equipment import Outdoor, chiller_cop, part_load_of
from aiplan.planners.cooling.needs import ELECTRICAL, LABELS, needs
from aiplan.planners.cooling.plant import COMPONENTS, WATERS, System, cool, electrical, mechanical, ups_loss_factor
from aiplan.planners.cooling.points import POINT, PUBLISHED
from aiplan.planners.cooling.water import CONVENTIONS
from aiplan.planners.cooling.weather import Weather, weighted_quantile
from aiplan.planners.cooling.year import summary, year
from aiplan.planners.power.losses import ups_efficiency
from tests.cooling.systems import catalog, draws, medians, shipped


def has_tower(system: System) -> bool:
    """Whether a wet tower stands on the site."""
    return system.liquid == "tower" or system.air.rejection == "tower"


NAMES = catalog().ids("cooling")
WITH_TOWER = [name for name in NAMES if has_tower(shipped(name).system)]


def weather(drybulb_c: Any, rh: Any, pressure_pa: float = 100_000.0) -> Weather:
    t, humidity = np.broadcast_arrays(np.atleast_1d(np.asarray(drybulb_c, float)), np.asarray(rh, float))
    return Weather(t, humidity, np.full(t.size, pressure_pa), np.ones(t.size))


AIR = st.builds(
    lambda t, rh, p: weather(t, rh, p),
    st.lists(st.floats(-40, 50), min_size=6, max_size=6),
    st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6),
    st.floats(70_000, 105_000),
)


# ---- published points ----


@pytest.mark.parametrize(("name", "pue"), [("AE", 1.0746922970), ("WE", 1.0887168185), ("SE", 1.1140761465)])
def test_published_points(name: str, pue: float) -> None:
    system, p, expected = PUBLISHED[name]
    assert expected == pue
    assert float(cool(system, p, POINT).pue[0]) == pytest.approx(expected, abs=1e-6)


def test_needs_are_what_the_published_vectors_hold() -> None:
    for system, p, _ in PUBLISHED.values():
        assert set(needs(system)) <= set(p)


@pytest.mark.parametrize("name", NAMES)
def test_needs_are_neither_short_nor_long(name: str) -> None:
    system, p = shipped(name).system, medians(name)
    assert set(p) == set(needs(system))
    year_ = weather(np.linspace(-25, 45, 30), 0.6)
    assert np.all(cool(system, p, year_, 0.6).pue > 1.0)
    for key in p:  # a number that could be left out would not be needed
        with pytest.raises(KeyError, match=key):
            cool(system, {name: value for name, value in p.items() if name != key}, year_, 0.6)
    assert set(needs(system, electrical=False)) == set(p) - set(ELECTRICAL)


def test_every_parameter_has_a_label() -> None:
    from aiplan.catalog.schema_cooling import CoolingParameters

    assert set(LABELS) == set(CoolingParameters.model_fields)


# ---- balances ----


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(NAMES), AIR, st.integers(0, 2**32), st.floats(0.05, 1.0), st.sampled_from(list(CONVENTIONS)))
def test_balances(name: str, year_: Weather, seed: int, load: float, convention: Any) -> None:
    p = {key: np.reshape(value, (-1, 1)) if np.ndim(value) else value for key, value in draws(name, 3, seed).items()}
    system = shipped(name).system
    found = cool(system, p, year_, load, convention)
    assert found.pue.shape == (3, 6)
    assert np.allclose(1.0 + sum(np.broadcast_to(one, (3, 6)) for one in found.power.values()), found.pue, atol=1e-9)
    assert set(found.power) <= set(COMPONENTS)
    assert all(np.all(np.asarray(one) >= 0.0) for one in (*found.power.values(), *found.water.values()))
    total = sum(np.broadcast_to(found.water[kind], (3, 6)) for kind in WATERS)
    assert np.allclose(total, found.wue, atol=1e-9)
    assert np.allclose(total - found.water["humidification"], found.makeup, atol=1e-9)
    assert np.all((found.compressor_share >= -1e-12) & (found.compressor_share <= 1.0 + 1e-9))
    assert np.all(np.isfinite(found.pue))
    assert np.all(found.pue >= 1.0)
    if not has_tower(system):
        assert np.all(found.makeup == 0.0)


@pytest.mark.parametrize("name", WITH_TOWER)
def test_make_up_equals_the_formula_of_its_convention(name: str) -> None:
    p, year_ = medians(name), weather(np.linspace(-10, 40, 40), 0.5)
    system, coc = shipped(name).system, p["concentration_ratio"]
    first = cool(system, p, year_)
    lost, drift = first.water["evaporation"], first.water["drift"]
    assert np.allclose(first.makeup, (lost + drift) * coc / (coc - 1.0), atol=1e-9)
    second = cool(system, p, year_, convention="drift-in-blowdown")
    assert np.allclose(second.makeup, lost + np.maximum(drift, lost / (coc - 1.0)), atol=1e-9)
    assert np.all(second.makeup <= first.makeup + 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_heat_is_carried_once(name: str) -> None:
    """Tower water carries the heat that enters it: evaporation is the latent share of it, no more."""
    p, system = medians(name), shipped(name).system
    year_ = weather(np.linspace(-20, 45, 50), 0.55)
    found = cool(system, p, year_)
    heat = 1.0 + sum(found.power[key] for key in ("ups", "distribution", "lighting"))
    rejected = heat / p["sensible_fraction"] + found.power["chiller"] + 1.0
    latent = float(air.latent_heat_kj_per_kg(25.0))
    assert np.all(found.water["evaporation"] <= 3600.0 * 0.85 * rejected / latent + 1e-9)


def test_electrical_part_is_replaceable() -> None:
    system, p = shipped("hyperscale-water-side").system, medians("hyperscale-water-side")
    year_ = weather(np.linspace(-10, 35, 20), 0.6)
    losses = electrical(p)
    heat = losses["ups"] + losses["distribution"] + losses["lighting"]
    bare = mechanical(system, {key: p[key] for key in needs(system, electrical=False)}, year_, heat)
    whole = cool(system, p, year_)
    assert np.allclose(whole.pue - bare.pue, sum(losses.values()), atol=1e-12)
    assert not {"ups", "distribution", "lighting", "standing"} & set(bare.power)
    less = mechanical(system, p, year_, 0.0)
    assert np.all(less.pue < bare.pue)


# ---- monotonicity ----

BY_WET_BULB = [name for name in NAMES if shipped(name).system.air.economiser != "air"]


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(BY_WET_BULB), st.floats(-10, 45), st.integers(0, 1000))
def test_pue_never_falls_with_the_wet_bulb(name: str, drybulb: float, seed: int) -> None:
    """At fixed dry bulb moister air never helps; strictly worse where a tower is warm enough to matter."""
    p = {key: value[0] if np.ndim(value) else value for key, value in draws(name, 1, seed).items()}
    found = cool(shipped(name).system, p, weather(drybulb, np.linspace(0.02, 1.0, 40))).pue
    assert np.all(np.diff(found) >= -1e-12)


def test_pue_rises_strictly_with_the_wet_bulb_where_chillers_run() -> None:
    found = cool(shipped("hyperscale-water-side").system, medians("hyperscale-water-side"),
                 weather(34.0, np.linspace(0.45, 1.0, 30)))  # fmt: skip
    assert np.all(np.diff(found.pue) > 0.0)


ENVELOPES = ["hyperscale-air-side", "hyperscale-air-side-evaporative", "midsize-air-chiller-air-side"]


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(ENVELOPES), AIR, st.floats(0, 5), st.floats(0, 0.1), st.floats(0, 0.3))
def test_a_wider_envelope_never_needs_more_compressors(
    name: str, year_: Weather, warmer: float, drier: float, wetter: float
) -> None:
    """The temperature that cold air is mixed to is a set point, not a limit, and stays."""
    system, p = shipped(name).system, medians(name)
    wide = p | {
        "supply_high_c": p["supply_high_c"] + warmer,
        "rh_low_fraction": p["rh_low_fraction"] - min(drier, p["rh_low_fraction"]),
        "rh_high_fraction": min(p["rh_high_fraction"] + wetter, 1.0),
        "dew_point_high_c": p["dew_point_high_c"] + warmer,
        "dew_point_low_c": p["dew_point_low_c"] - warmer,
    }
    tight, loose = cool(system, p, year_), cool(system, wide, year_)
    assert np.all(loose.compressor_share <= tight.compressor_share + 1e-12)


@pytest.mark.parametrize("name", ENVELOPES)
def test_pue_falls_with_wider_humidity_and_warmer_supply(name: str) -> None:
    system, p = shipped(name).system, medians(name)
    t, rh = np.meshgrid(np.linspace(-15, 42, 25), np.linspace(0.05, 1.0, 25))
    year_ = weather(t.ravel(), rh.ravel())
    last = np.inf
    for width in (0.0, 0.05, 0.1, 0.2):
        limits = {
            "rh_high_fraction": p["rh_high_fraction"] + width,
            "rh_low_fraction": p["rh_low_fraction"] * (1 - width),
        }
        mean = float(cool(system, p | limits, year_).pue.mean())
        assert mean < last
        last = mean
    warm = cool(system, p | {"supply_high_c": p["supply_high_c"] + 4.0}, year_).pue.mean()
    assert warm < cool(system, p, year_).pue.mean()


ZONES = ("0A", "0B", "1A", "2A", "2B", "3A", "3B", "3C", "4A", "4B", "4C", "5A", "5B", "5C", "6A", "6B", "7", "8")
WITH_AIR = [name for name in NAMES if shipped(name).system.air.economiser == "air"]


@pytest.mark.parametrize("name", WITH_AIR)
def test_annual_pue_never_rises_with_a_wider_limit_in_any_zone(name: str) -> None:
    """Each limit alone; but for 0.0003 where supply is warmer, thinner air and opens hardly an hour."""
    system, p = shipped(name).system, medians(name)
    wider = {
        "supply_high_c": (1.0, 4.0),
        "rh_low_fraction": (-0.05, -p["rh_low_fraction"]),
        "rh_high_fraction": (0.05, 1.0 - p["rh_high_fraction"]),
        "dew_point_low_c": (-2.0, -6.0),
        "dew_point_high_c": (2.0, 6.0),
    }
    for zone in ZONES:
        air_of_zone = find_weather(catalog(), zone).weather.condensed(1500)
        before = float(year(system, p, air_of_zone).pue)
        for limit, steps in wider.items():
            for step in steps:
                after = float(year(system, p | {limit: p[limit] + step}, air_of_zone).pue)
                assert after <= before + (3e-4 if limit == "supply_high_c" else 1e-12), (zone, limit, step)


def test_colder_mixing_is_no_wider_envelope() -> None:
    """What the page says of `supply_low_c`: 4 K less cost up to 0.06, most in zone 3C."""
    weather_3c, rises = find_weather(catalog(), "3C").weather, []
    for name in WITH_AIR:
        p, system = medians(name), shipped(name).system
        colder = p | {"supply_low_c": p["supply_low_c"] - 4.0}
        rises.append(float(year(system, colder, weather_3c).pue - year(system, p, weather_3c).pue))
    assert all(rise > 0.0 for rise in rises)
    assert max(rises) == pytest.approx(0.06, abs=0.005)


def test_dry_winter_air_goes_to_chillers_where_nothing_is_evaporated() -> None:
    """What the page says of midsize halls with outdoor air in zone 8."""
    fairbanks = find_weather(catalog(), "8").weather
    found = {name: year(shipped(name).system, medians(name), fairbanks) for name in WITH_AIR}
    midsize = [one for name, one in found.items() if name.startswith("midsize")]
    assert [float(one.pue) for one in midsize] == pytest.approx([1.46, 1.44], abs=0.005)
    assert [8760.0 - float(one.free_h) for one in midsize] == pytest.approx([4600.0, 4600.0], abs=50.0)
    assert float(found["hyperscale-air-side"].pue) == pytest.approx(1.12, abs=0.005)


# ---- air-side economiser, point by point ----


@pytest.mark.parametrize(
    ("t", "rh", "evaporation", "opened"),
    [
        (20.0, 0.50, "none", True),
        (20.0, 0.50, "humidify", True),
        (20.0, 0.95, "humidify", False),  # too moist at its own temperature
        (-15.0, 0.60, "none", False),  # too dry, and nothing may be evaporated
        (-15.0, 0.60, "humidify", True),
        (38.0, 0.12, "humidify", False),  # above the warmest supply
        (38.0, 0.12, "cool", True),  # cooled by evaporation
        (38.0, 0.70, "cool", False),  # too much moisture for it
    ],
)
def test_what_the_economiser_does(t: float, rh: float, evaporation: Any, opened: bool) -> None:
    p = medians("hyperscale-air-side")
    found = cool(System(Design("tower", "air", evaporation)), p, weather(t, rh))
    assert (float(found.compressor_share.ravel()[0]) == 0.0) is opened
    if evaporation == "none":
        assert np.all(found.water["humidification"] == 0.0)


def test_humidifier_water_by_hand() -> None:
    """Air of -10 deg C and 70 % mixed to 14 deg C and raised to 14 % there."""
    p = medians("hyperscale-air-side")
    found = cool(System(Design("tower", "air", "humidify")), p, weather(-10.0, 0.7))
    heat = 1.0 + 1.0 / p["ups_efficiency_fraction"] - 1.0 + 1.0 / (1.0 - p["distribution_loss_fraction"]) - 1.0
    heat += p["lighting_fraction"]
    flow = heat / (1.01 * p["air_rise_kelvin"])
    outdoor = float(air.humidity_ratio(-10.0, 0.7, 100_000.0))
    wanted = float(air.humidity_ratio(14.0, p["rh_low_fraction"], 100_000.0))
    wanted = max(wanted, float(air.humidity_ratio(p["dew_point_low_c"], 1.0, 100_000.0)))
    fresh = p["air_rise_kelvin"] / (p["air_rise_kelvin"] + 24.0)
    assert float(found.wue.ravel()[0]) == pytest.approx(3600.0 * fresh * flow * (wanted - outdoor), rel=1e-12)


def test_without_an_economiser_only_condensers_feel_the_weather() -> None:
    p = medians("midsize-water-chiller")
    cold, warm = (cool(shipped("midsize-water-chiller").system, p, weather(t, 0.5)) for t in (-20.0, 0.0))
    assert float(cold.power["chiller"].ravel()[0]) == float(warm.power["chiller"].ravel()[0])  # guard at 10 deg C
    assert np.all(cold.compressor_share == 1.0)


# ---- chillers ----


def test_chiller_fit_and_its_guards() -> None:
    assert float(chiller_cop(0.5, 20.0)) == pytest.approx(8.8, abs=0.05)  # section 6.1
    plain = 16.798751 + 0.00884 * 625 - 8.528931 * 0.09 + 9.885294 * 0.3 - 0.760621 * 25 + 0.084615 * 0.3 * 25
    assert float(chiller_cop(0.3, 25.0, 0.05)) == pytest.approx(1.05 * plain, rel=1e-12)
    assert np.all(chiller_cop(0.3, np.array([-20.0, 0.0, 10.0])) == chiller_cop(0.3, 10.0))
    assert np.all(chiller_cop(0.1, np.linspace(-30, 60, 90), -0.8) >= 2.0)
    assert np.all(np.diff(chiller_cop(0.5, np.linspace(10, 40.6, 50))) < 0.0)
    turn = (0.760621 - 0.084615 * 0.5) / (2 * 0.00884)
    assert np.all(chiller_cop(0.5, np.array([turn, 45.0, 60.0])) == chiller_cop(0.5, turn))


def test_direct_expansion() -> None:
    assert float(dx_cop(2.2, np.array([35.0]), 0.0)[0]) == 2.2
    assert float(dx_cop(2.2, np.array([25.0]), 0.1)[0]) == pytest.approx(2.2 * 1.15 * 1.1)
    assert np.all(dx_cop(2.2, np.array([-30.0, 15.0]), 0.0) == 2.2 * 1.3)
    assert float(dx_cop(1.0, np.array([50.0]), -0.4)[0]) == 1.0


# ---- part load ----


def test_ups_at_part_load_follows_the_power_planner() -> None:
    load = np.array([1.0, 0.75, 0.5, 0.25])
    p = {"ups_efficiency_fraction": float(ups_efficiency(1.0)), "distribution_loss_fraction": 0.0,
         "lighting_fraction": 0.0, "standing_fraction": 0.0}  # fmt: skip
    assert np.allclose(1.0 / (1.0 + electrical(p, load)["ups"]), ups_efficiency(load), atol=1e-12)
    assert float(ups_loss_factor(1.0)) == 1.0


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(NAMES), st.integers(0, 1000), st.floats(0.05, 1.0))
def test_facility_power_rises_with_load(name: str, seed: int, load: float) -> None:
    p = {key: value[0] if np.ndim(value) else value for key, value in draws(name, 1, seed).items()}
    year_, system = weather(np.linspace(-20, 40, 15), 0.6), shipped(name).system
    less, more = (cool(system, p, year_, part).pue * part for part in (load * 0.9, load))
    assert np.all(less < more)


def test_part_load_of_chillers_keeps_what_is_drawn() -> None:
    assert float(part_load_of(0.1, 0.5)) == 0.1
    assert float(part_load_of(0.5, 1.0)) == 0.5
    assert float(part_load_of(0.5, 0.1)) == 0.2


# ---- a year in numbers ----


def test_year_of_draws_is_each_draw_alone() -> None:
    p, system = draws("hyperscale-air-side", 7), shipped("hyperscale-air-side").system
    year_ = Weather(np.linspace(-15, 38, 9000), np.full(9000, 0.6), np.full(9000, 1e5), np.full(9000, 8760 / 9000))
    many = year(system, p, year_)
    for row in range(7):
        one = year(system, {key: value[row] if np.ndim(value) else value for key, value in p.items()}, year_)
        for name in ("pue", "pue_worst", "pue_p99", "facility_peak", "wue", "makeup", "water_peak", "free_h"):
            assert float(getattr(many, name)[row]) == pytest.approx(float(getattr(one, name)), rel=1e-12)
        for key, value in one.power.items():
            assert float(many.power[key][row]) == pytest.approx(float(value), rel=1e-12, abs=1e-15)


def test_means_are_over_energy() -> None:
    """Half the hours at a quarter of the load: the year's PUE weighs them by what they draw."""
    p, system = medians("hyperscale-water-side"), shipped("hyperscale-water-side").system
    year_ = weather(np.array([10.0, 10.0]), 0.6)
    load = np.array([1.0, 0.25])
    hourly = cool(system, p, Outdoor.of(year_), load)
    found = summary(hourly, year_.hours, load)
    assert float(found.pue) == pytest.approx(float((hourly.pue * load).sum() / load.sum()), rel=1e-12)
    assert float(found.facility_peak) == pytest.approx(float(hourly.pue[0]), rel=1e-12)
    assert float(sum(found.power.values()) + 1.0) == pytest.approx(float(found.pue), abs=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 9)), min_size=1, max_size=12), st.floats(0.01, 1.0))
def test_weighted_quantile_is_that_of_repeated_values(pairs: list[tuple[float, int]], share: float) -> None:
    values, counts = (np.array(column) for column in zip(*pairs, strict=True))
    repeated = np.sort(np.repeat(values, counts))
    place = int(np.ceil(share * repeated.size * (1 - 1e-12))) - 1
    assert float(weighted_quantile(values, counts.astype(float), share)) == repeated[max(place, 0)]


def test_draws_of_different_number_are_refused() -> None:
    p = medians("hyperscale-water-side") | {"fan_pressure_pa": np.ones(3) * 500, "tower_range_kelvin": np.ones(4) * 5}
    with pytest.raises(ValueError, match="number of draws"):
        year(shipped("hyperscale-water-side").system, p, POINT)
