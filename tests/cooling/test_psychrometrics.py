"""Moist air against published values, a second method for each inverse, and laws that hold everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.cooling import psychrometrics as air

temperatures = st.floats(-60.0, 58.0)
humidities = st.floats(0.0, 1.0)
pressures = st.floats(55_000.0, 106_000.0)


def grid() -> tuple[Array, Array, Array]:
    """Air of every kind, shape (20000,) each."""
    rng = np.random.Generator(np.random.PCG64(20))
    return rng.uniform(-60, 58, 20_000), rng.uniform(0, 1, 20_000), rng.uniform(55e3, 106e3, 20_000)


def bisected(t: Array, rh: Array, p: Array) -> Array:
    """The source's own way to a wet bulb: halve an interval until saturated air has the enthalpy asked for."""

    def enthalpy(at: Array, humidity: Array | float) -> Array:
        vapour = humidity * air.saturation_pressure_pa(at, 611.2)
        return air.enthalpy_kj_per_kg(at, 0.62198 * vapour / (p - vapour))

    wanted, low, high = enthalpy(t, rh), np.full_like(t, -80.0), np.array(t)
    for _ in range(80):
        middle = (low + high) / 2.0
        below = enthalpy(middle, 1.0) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def test_wet_bulb_is_the_bisections() -> None:
    t, rh, p = grid()
    assert np.max(np.abs(air.wet_bulb_c(t, rh, p) - bisected(t, rh, p))) < 1e-9


@settings(deadline=None, derandomize=True, database=None)
@given(t=temperatures, rh=humidities, p=pressures)
def test_wet_bulb_lies_between_dew_point_and_dry_bulb(t: float, rh: float, p: float) -> None:
    wet = float(air.wet_bulb_c(t, rh, p))
    assert wet <= t
    # Enthalpy at constant temperature of evaporation is not quite constant: the two cross by less than 0.05 K.
    assert wet >= float(air.dew_point_c(t, rh)) - 0.05


@settings(deadline=None, derandomize=True, database=None)
@given(t=temperatures, rh=st.floats(0.0, 0.98), p=pressures)
def test_wet_bulb_rises_with_humidity_and_temperature(t: float, rh: float, p: float) -> None:
    base = float(air.wet_bulb_c(t, rh, p))
    assert float(air.wet_bulb_c(t, rh + 0.02, p)) >= base
    assert float(air.wet_bulb_c(t + 0.5, rh, p)) > base


@settings(deadline=None, derandomize=True, database=None)
@given(t=temperatures, p=pressures)
def test_saturated_air_has_one_temperature(t: float, p: float) -> None:
    assert float(air.wet_bulb_c(t, 1.0, p)) == pytest.approx(t, abs=1e-9)
    assert float(air.dew_point_c(t, 1.0)) == pytest.approx(t, abs=1e-9)


def thermodynamic_wet_bulb(t: float, rh: float, p: float) -> float:
    """Wet bulb with the enthalpy of the water taken up, ASHRAE Handbook Fundamentals 2009, chapter 1, equation 35."""
    w = float(air.humidity_ratio(t, rh, p))
    low, high = -20.0, t
    for _ in range(60):
        wet = (low + high) / 2.0
        saturated = float(air.humidity_ratio(wet, 1.0, p))
        found = ((2501.0 - 2.326 * wet) * saturated - 1.006 * (t - wet)) / (2501.0 + 1.86 * t - 4.186 * wet)
        low, high = (wet, high) if found < w else (low, wet)
    return high


@pytest.mark.parametrize("t", [10.0, 20.0, 30.0, 40.0])
@pytest.mark.parametrize("rh", [0.1, 0.3, 0.5, 0.8])
def test_constant_enthalpy_is_near_the_thermodynamic_wet_bulb(t: float, rh: float) -> None:
    # Section 6.1: at most 0.2 K apart between 10 C / 80 % and 40 C / 10 %.
    apart = float(air.wet_bulb_c(t, rh, 101_325.0)) - thermodynamic_wet_bulb(t, rh, 101_325.0)
    assert abs(apart) <= 0.2


def test_dew_point_inverts_saturation() -> None:
    t, rh, _ = grid()
    rh = np.maximum(rh, air.LOWEST_RH)
    vapour = air.saturation_pressure_pa(air.dew_point_c(t, rh))
    assert np.allclose(vapour, rh * air.saturation_pressure_pa(t), rtol=1e-11, atol=0.0)


def test_dry_air_has_a_finite_dew_point() -> None:
    assert float(air.dew_point_c(20.0, 0.0)) == float(air.dew_point_c(20.0, 1e-6)) < -80.0


@pytest.mark.parametrize(
    ("t", "pascal"),
    [(0.01, 611.657), (10.0, 1228.2), (20.0, 2339.3), (30.0, 4247.0), (40.0, 7384.9)],
)
def test_saturation_against_steam_tables(t: float, pascal: float) -> None:
    # IAPWS-IF97 saturation pressures; Buck's fit holds them to 0.1 %.
    assert float(air.saturation_pressure_pa(t)) == pytest.approx(pascal, rel=1e-3)


@pytest.mark.parametrize(("meters", "pascal"), [(0.0, 101_325.0), (1000.0, 89_875.0), (2000.0, 79_495.0)])
def test_pressure_against_the_standard_atmosphere(meters: float, pascal: float) -> None:
    # ICAO standard atmosphere, tables of pressure by altitude.
    assert float(air.pressure_at_elevation_pa(meters)) == pytest.approx(pascal, rel=3e-4)


def test_worked_values() -> None:
    # Air at 0 deg C and one atmosphere weighs 1.293 kg/m3; evaporation at 25 deg C takes 2,442 kJ/kg (steam tables).
    assert float(air.air_density_kg_per_m3(101_325.0, 0.0)) == pytest.approx(1.293)
    assert float(air.latent_heat_kj_per_kg(25.0)) == pytest.approx(2442.0, abs=1.0)
    # 25 deg C, 50 %: 9.9 g/kg and 50.3 kJ/kg in any psychrometric chart.
    w = air.humidity_ratio(25.0, 0.5, 101_325.0)
    assert float(w) == pytest.approx(0.0099, abs=5e-5)
    assert float(air.enthalpy_kj_per_kg(25.0, w)) == pytest.approx(50.3, abs=0.4)


def test_functions_broadcast() -> None:
    t, rh = np.array([[10.0], [30.0]]), np.array([0.2, 0.5, 0.9])
    wet = air.wet_bulb_c(t, rh, 100_000.0)
    assert wet.shape == (2, 3)
    assert float(wet[1, 1]) == pytest.approx(float(air.wet_bulb_c(30.0, 0.5, 100_000.0)), abs=1e-10)
