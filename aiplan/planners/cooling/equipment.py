"""Fans, pumps, chillers, towers: what each draws per kW of IT.

Equations after Lei & Masanet, Energy 201 (2020) 117556, as restated in section 6 of the project's notes on cooling.
Heat and power are in kW per kW of IT, mass flows in kg/s per kW of IT. Every function broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.weather import Weather

WATER_KJ_PER_KG_K = 4.2
AIR_KJ_PER_KG_K = 1.01
WATER_KG_PER_M3 = 1000.0
LOWEST_CONDENSER_C = 10.0
LOWEST_COP = 2.0
"""Guards of the chiller fit, see `chiller_cop` (derived)."""
LOWEST_PART_LOAD = 0.2
"""Chillers are switched off one by one rather than run below this share of their rating (section 7.1, assumed)."""

Value = float | Array
Values = Mapping[str, Value]
"""Parameters of a system by name: numbers, or one per draw with shape (k, 1)."""


@dataclass(frozen=True, eq=False)
class Outdoor:
    """Outdoor air as the systems need it, each of shape (n,), or (k, n) for draws of a warmer climate.

    Only what a plant asks for is computed, once: many have no tower and never ask for the wet bulb.

    Attributes
    ----------
    drybulb_c, pressure_pa : dry bulb and station pressure [deg C, Pa]
    moisture, wet_bulb : ways to humidity ratio and wet bulb, see the properties
    """

    drybulb_c: Array
    pressure_pa: Array
    moisture: Callable[[], Array]
    wet_bulb: Callable[[], Array]

    @classmethod
    def of(cls, weather: Weather) -> Outdoor:
        """The outdoor air of some weather."""
        return cls(weather.drybulb_c, weather.pressure_pa, lambda: weather.humidity_ratio, lambda: weather.wetbulb_c)

    @cached_property
    def humidity_ratio(self) -> Array:
        """Water per dry air [kg/kg]."""
        return self.moisture()

    @cached_property
    def wetbulb_c(self) -> Array:
        """Wet bulb of constant enthalpy [deg C]."""
        return self.wet_bulb()

    @cached_property
    def enthalpy(self) -> Array:
        """Enthalpy per dry air [kJ/kg]."""
        return air.enthalpy_kj_per_kg(self.drybulb_c, self.humidity_ratio)

    @cached_property
    def density(self) -> Array:
        """Density of air [kg/m3]."""
        return air.air_density_kg_per_m3(self.pressure_pa, self.drybulb_c)


def fan_kw(mass: npt.ArrayLike, pressure_pa: npt.ArrayLike, efficiency: npt.ArrayLike, density: npt.ArrayLike) -> Array:
    """Power of fans ``m / rho x dp / eta / 1000`` [kW] of a mass flow [kg/s]."""
    return as_array(mass) * as_array(pressure_pa) / (as_array(efficiency) * 1e3) / as_array(density)


def pump_kw(mass: npt.ArrayLike, pressure_pa: npt.ArrayLike, efficiency: npt.ArrayLike) -> Array:
    """Power of pumps ``dp m / (1000 eta 1000)`` [kW] of a mass flow of water [kg/s]."""
    return as_array(mass) * (as_array(pressure_pa) / (WATER_KG_PER_M3 * 1e3 * as_array(efficiency)))


def chiller_cop(part_load: npt.ArrayLike, condenser_c: npt.ArrayLike, error: npt.ArrayLike = 0.0) -> Array:
    """Heat moved over power of a water-cooled chiller [1], a quadratic fit of the source, times ``1 + error``.

    Parameters
    ----------
    part_load : load over rating of the chillers that run [1]
    condenser_c : water that enters the condenser [deg C]; below 10 deg C it counts as 10
    error : relative error of the fit [1]

    The fit is quadratic and leaves the range of chillers outside some 10 to 40 deg C. It is held at its value at
    10 deg C below that, at its least value beyond the temperature where it would turn and rise again (38 to 43 deg C),
    and never falls below 2 (guards derived).

    >>> round(float(chiller_cop(0.5, 20.0)), 1)
    8.8
    """
    plr = as_array(part_load)
    fixed = 16.798751 + (9.885294 - 8.528931 * plr) * plr
    slope = 0.084615 * plr - 0.760621
    t = np.clip(as_array(condenser_c), LOWEST_CONDENSER_C, slope / -0.01768)
    return np.maximum((fixed + (slope + 0.00884 * t) * t) * (1.0 + as_array(error)), LOWEST_COP)


def part_load_of(rated: Value, load: Value) -> Array:
    """Part load of the running chillers when the hall runs at ``load``: in proportion, down to 0.2 [1]."""
    plr = as_array(rated)
    return np.maximum(plr * load, np.minimum(plr, LOWEST_PART_LOAD))


@dataclass(frozen=True, slots=True)
class Tower:
    """A wet cooling tower at work: power of fans and pumps [kW], water through it and heat rejected [kg/s, kW]."""

    fans: Array
    pumps: Array
    flow: Array
    rejected: Array


def tower(p: Values, outdoor: Outdoor, rejected: Array) -> Tower:
    """A tower that rejects heat [kW per kW of IT]: ``m = Q / (4.2 dT)``, air ``m / (L/G)`` at outdoor density."""
    flow = rejected / (WATER_KJ_PER_KG_K * as_array(p["tower_range_kelvin"]))
    blown = flow / as_array(p["liquid_to_gas_ratio"])
    fans = fan_kw(blown, p["tower_fan_pressure_pa"], p["tower_fan_efficiency_fraction"], outdoor.density)
    return Tower(fans, pump_kw(flow, p["tower_pump_pressure_pa"], p["tower_pump_efficiency_fraction"]), flow, rejected)


def circulation_kw(p: Values, pump: str, heat: npt.ArrayLike) -> Array:
    """Power of the pumps that carry heat in the building's water loop, ``m = Q / (4.2 dT_w)`` [kW]."""
    flow = as_array(heat) / (WATER_KJ_PER_KG_K * as_array(p["water_rise_kelvin"]))
    return pump_kw(flow, p[f"{pump}_pressure_pa"], p[f"{pump}_efficiency_fraction"])


def room_fans_kw(p: Values, heat: npt.ArrayLike, supply_c: npt.ArrayLike, pressure_pa: npt.ArrayLike) -> Array:
    """Power of the fans that move the hall's air, ``m = Q / (1.01 dT_air)`` at the supply's density [kW]."""
    density = air.air_density_kg_per_m3(pressure_pa, supply_c)
    return fan_kw(room_air(p, heat), p["fan_pressure_pa"], p["fan_efficiency_fraction"], density)


def room_air(p: Values, heat: npt.ArrayLike) -> Array:
    """Air through the hall [kg/s per kW of IT]."""
    return as_array(heat) / (AIR_KJ_PER_KG_K * as_array(p["air_rise_kelvin"]))
