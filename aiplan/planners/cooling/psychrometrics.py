"""Moist air: vapour pressure, humidity, enthalpy, wet bulb, dew point, density.

Equations after Lei & Masanet, Energy 201 (2020) 117556, as restated in section 6.1 of the project's notes on cooling.
Temperatures in deg C, pressures in Pa, humidity ratios in kg of water per kg of dry air, relative humidity from 0 to 1.
Every function broadcasts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array

SATURATION_PA = 611.21
"""Vapour pressure over water at 0 deg C [Pa]."""

WET_BULB_SATURATION_PA = 611.2
"""The same, as the source rounds it in its wet bulb [Pa]."""

WATER_TO_AIR = 0.62198
"""Molar mass of water over that of dry air."""

SEA_LEVEL_PA = 101_325.0
FREEZING_K = 273.15
LOWEST_RH = 1e-6
"""Humidity below which a dew point is that of this humidity: none at all has no dew point."""

_EXPONENT = 18.678
_CURVATURE_C = 234.5
_OFFSET_C = 257.14
_DRY_KJ = 1.01
_VAPOUR_KJ = 2500.0
_VAPOUR_SLOPE_KJ = 1.84
_NEWTON_STEPS = 60
_CLOSE_ENOUGH_K = 1e-6
"""A last step of this size leaves some 1e-13 K: what is left goes with its square."""


def saturation_pressure_pa(temperature_c: npt.ArrayLike, constant: float = SATURATION_PA) -> Array:
    """Vapour pressure over water [Pa]: ``constant exp((18.678 - T/234.5) T / (257.14 + T))``, after Buck.

    >>> round(float(saturation_pressure_pa(20.0)), 1)
    2338.3
    """
    t = as_array(temperature_c)
    return constant * np.exp((_EXPONENT - t / _CURVATURE_C) * t / (_OFFSET_C + t))


def humidity_ratio(
    temperature_c: npt.ArrayLike,
    rh_fraction: npt.ArrayLike,
    pressure_pa: npt.ArrayLike,
    molar_ratio: float = WATER_TO_AIR,
) -> Array:
    """Water per dry air [kg/kg]: ``molar_ratio e / (p - e)`` with the vapour pressure ``e = rh psat(T)``."""
    vapour = as_array(rh_fraction) * saturation_pressure_pa(temperature_c)
    return molar_ratio * vapour / (as_array(pressure_pa) - vapour)


def enthalpy_kj_per_kg(temperature_c: npt.ArrayLike, humidity_ratio: npt.ArrayLike) -> Array:
    """Enthalpy per dry air [kJ/kg]: ``1.01 T + w (2500 + 1.84 T)``."""
    t = as_array(temperature_c)
    return _DRY_KJ * t + as_array(humidity_ratio) * (_VAPOUR_KJ + _VAPOUR_SLOPE_KJ * t)


_TABLE_C = np.linspace(-85.0, 65.0, 301)
_TABLE_PA = saturation_pressure_pa(_TABLE_C, WET_BULB_SATURATION_PA)


def wet_bulb_c(temperature_c: npt.ArrayLike, rh_fraction: npt.ArrayLike, pressure_pa: npt.ArrayLike) -> Array:
    """Wet bulb of constant enthalpy: the temperature at which saturated air holds the enthalpy of this air [deg C].

    It differs from the thermodynamic wet bulb by at most 0.2 K between 10 deg C at 80 % and 40 deg C at 10 %. Newton's
    method: enthalpy at saturation rises and bends upwards with temperature, so that from the second step on every step
    lands between the root and the last point, wherever it starts. Holds for -80 to 60 deg C; the source's own
    bisection agrees to 1e-9 K.
    """
    t, p = as_array(temperature_c), as_array(pressure_pa)
    vapour = as_array(rh_fraction) * saturation_pressure_pa(t, WET_BULB_SATURATION_PA)
    return as_array(np.minimum(saturated_c(enthalpy_kj_per_kg(t, WATER_TO_AIR * vapour / (p - vapour)), p), t))


def saturated_c(enthalpy: npt.ArrayLike, pressure_pa: npt.ArrayLike) -> Array:
    """Temperature at which saturated air of this pressure holds an enthalpy [kJ/kg]; see `wet_bulb_c` [deg C]."""
    wanted, p = np.broadcast_arrays(as_array(enthalpy), as_array(pressure_pa))
    # A table for the mean pressure saves half of the steps.
    w = WATER_TO_AIR * _TABLE_PA / (float(p.mean()) - _TABLE_PA)
    wet = np.interp(wanted, enthalpy_kj_per_kg(_TABLE_C, w), _TABLE_C)
    for _ in range(_NEWTON_STEPS):
        offset = _OFFSET_C + wet
        vapour = WET_BULB_SATURATION_PA * np.exp((_EXPONENT - wet / _CURVATURE_C) * wet / offset)
        dry_pressure = p - vapour
        w = WATER_TO_AIR * vapour / dry_pressure
        heat = _VAPOUR_KJ + _VAPOUR_SLOPE_KJ * wet
        # d ln(psat)/dT, then dw/dT = w p/(p - e) of it.
        steepness = _EXPONENT * _OFFSET_C - wet / _CURVATURE_C * (_OFFSET_C + offset)
        slope = _DRY_KJ + _VAPOUR_SLOPE_KJ * w + heat * w * p / dry_pressure * steepness / offset**2
        step = (_DRY_KJ * wet + w * heat - wanted) / slope
        wet = wet - step
        if np.all(np.abs(step) < _CLOSE_ENOUGH_K):
            break
    return as_array(wet)


def dew_point_c(temperature_c: npt.ArrayLike, rh_fraction: npt.ArrayLike) -> Array:
    """Temperature at which the vapour would saturate [deg C], `saturation_pressure_pa` solved for it.

    With ``y = ln(e / 611.21)`` it is a root of ``T^2/234.5 - (18.678 - y) T + 257.14 y = 0``. Humidity below 1e-6
    counts as 1e-6.
    """
    t = as_array(temperature_c)
    y = np.log(np.maximum(as_array(rh_fraction), LOWEST_RH))
    y = y + (_EXPONENT - t / _CURVATURE_C) * t / (_OFFSET_C + t)
    b = _EXPONENT - y
    return as_array(2.0 * _OFFSET_C * y / (b + np.sqrt(b * b - 4.0 * _OFFSET_C / _CURVATURE_C * y)))


def air_density_kg_per_m3(pressure_pa: npt.ArrayLike, temperature_c: npt.ArrayLike) -> Array:
    """Density of air [kg/m3]: ``1.293 (p / 101325) (273.15 / (273.15 + T))``."""
    return 1.293 * (as_array(pressure_pa) / SEA_LEVEL_PA) * (FREEZING_K / (FREEZING_K + as_array(temperature_c)))


def latent_heat_kj_per_kg(temperature_c: npt.ArrayLike) -> Array:
    """Heat of evaporation [kJ/kg]: ``-0.0013 T^2 - 2.3097 T + 2500.5``."""
    t = as_array(temperature_c)
    return -0.0013 * t * t - 2.3097 * t + 2500.5


def pressure_at_elevation_pa(elevation_meters: npt.ArrayLike) -> Array:
    """Pressure of the standard atmosphere [Pa]: ``101325 (1 - 2.25577e-5 z)^5.2559``, up to 11 km."""
    return SEA_LEVEL_PA * (1.0 - 2.25577e-5 * as_array(elevation_meters)) ** 5.2559
