"""Air-side economisers: outdoor air through the hall, adiabatic cooling, and chillers when it cannot be used.

After Lei & Masanet, Energy 201 (2020) 117556, section 6.3 of the project's notes, and the envelope of section 6.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.equipment import Outdoor, Values, room_air

Evaporation = Literal["none", "humidify", "cool"]
"""Water put into outdoor air: none, for humidity alone, or for humidity and to cool air above the hall's limit."""

PUBLISHED_THRESHOLD_C = 27.0
PUBLISHED_DEW_POINT_C = 15.0
PUBLISHED_LEAST_RH = 0.20
PUBLISHED_MOST_RH = 0.80
OUTDOOR_MOLAR_RATIO = 0.622
"""Limits of the published rule, and how the source rounds the molar ratio for outdoor air."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the economiser does with outdoor air.

    Attributes
    ----------
    supply_c : air sent into the hall [deg C]
    open : 1 where outdoor air carries the heat, 0 where chillers do
    humidifier_flow : water put into the air [kg/s per kW of IT]
    """

    supply_c: Array
    open: Array
    humidifier_flow: Array


def published(p: Values, outdoor: Outdoor, heat: Array) -> Choice:
    """The rule as its authors published it, for their point tests (section 6.3).

    Air below an enthalpy (27 deg C with a dew point of 15) is used: humidified to at least 20 % or, above the supply
    temperature, cooled by evaporation. Above that enthalpy it is used up to 80 % at the supply temperature. Limits
    of humidity in ``p`` take no part, and all supply air is outdoor air.
    """
    t = outdoor.drybulb_c
    supply = np.clip(t, as_array(p["supply_low_c"]), as_array(p["supply_high_c"]))
    pressure = outdoor.pressure_pa
    w = air.humidity_ratio(t, air_rh(outdoor), pressure, OUTDOOR_MOLAR_RATIO)
    h = air.enthalpy_kj_per_kg(t, w)
    # The source leaves T/234.5 out of this vapour pressure.
    vapour = air.SATURATION_PA * np.exp(18.678 * PUBLISHED_DEW_POINT_C / (257.14 + PUBLISHED_DEW_POINT_C))
    limit = air.enthalpy_kj_per_kg(PUBLISHED_THRESHOLD_C, air.WATER_TO_AIR * vapour / (pressure - vapour))
    most = air.enthalpy_kj_per_kg(supply, air.humidity_ratio(supply, PUBLISHED_MOST_RH, pressure))
    least = air.humidity_ratio(supply, PUBLISHED_LEAST_RH, pressure)
    cooled = (h - 1.01 * supply) / (2500.0 + 1.84 * supply)
    plain = (h < limit) & (t <= supply)
    wetted = np.where(plain, np.maximum(w, least), cooled)
    opened = (h < limit) | (h <= most)
    return Choice(supply, opened.astype(np.float64), _flow(p, heat, opened, wetted - w))


def _flow(p: Values, heat: Array, opened: npt.NDArray[np.bool_], rise: Array) -> Array:
    """Humidifier water of the published rule, ``m (1 - 1/(1 + dw))`` [kg/s]."""
    gained = np.maximum(rise, 0.0)
    return np.where(opened, room_air(p, heat) * (1.0 - 1.0 / (1.0 + gained)), 0.0)


def air_rh(outdoor: Outdoor) -> Array:
    """Relative humidity from the humidity ratio [1]."""
    w = outdoor.humidity_ratio
    return w * outdoor.pressure_pa / ((air.WATER_TO_AIR + w) * air.saturation_pressure_pa(outdoor.drybulb_c))


def envelope(p: Values, outdoor: Outdoor, heat: Array, evaporation: Evaporation = "humidify") -> Choice:
    """Outdoor air where it can be brought into the hall's envelope, chillers elsewhere.

    Supply is outdoor temperature clipped to the envelope. Cold air is mixed with return air and dry air humidified.
    Limits of humidity are relative humidity and dew point at once. What happens to dry and hot air is a choice:

    - ``none``: nothing is evaporated; air too dry or too hot is left to the chillers.
    - ``humidify``: air too dry is humidified; above the upper temperature chillers take over.
    - ``cool``: besides, air above the upper temperature is cooled by evaporation at constant enthalpy as long as it
      stays within the limits of humidity (section 6.4, derived).
    """
    t, w, pressure = outdoor.drybulb_c, outdoor.humidity_ratio, outdoor.pressure_pa
    low, high = as_array(p["supply_low_c"]), as_array(p["supply_high_c"])
    supply = np.clip(t, low, high)
    saturated = air.saturation_pressure_pa(supply)
    wettest = np.minimum(as_array(p["rh_high_fraction"]) * saturated, air.saturation_pressure_pa(p["dew_point_high_c"]))
    driest = np.maximum(as_array(p["rh_low_fraction"]) * saturated, air.saturation_pressure_pa(p["dew_point_low_c"]))
    wettest, driest = (air.WATER_TO_AIR * vapour / (pressure - vapour) for vapour in (wettest, driest))
    hot, dry = t > high, w < driest
    fits = (w <= wettest) | (t < low)
    wanted = np.maximum(w, driest)
    if evaporation == "cool":
        heavy = 2500.0 + 1.84 * supply
        fits &= ~hot | (outdoor.enthalpy <= 1.01 * supply + wettest * heavy)
        wanted = np.where(hot, np.maximum(w, (outdoor.enthalpy - 1.01 * supply) / heavy), wanted)
    else:
        fits &= ~hot if evaporation == "humidify" else ~(hot | dry)
    rise = as_array(p["air_rise_kelvin"])
    fresh = rise / (rise + np.maximum(low - t, 0.0))
    flow = np.where(fits, fresh * room_air(p, heat) * (wanted - w), 0.0)
    return Choice(supply, fits.astype(np.float64), flow)
