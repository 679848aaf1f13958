"""Plants that cool a hall with air: what economisers carry, what chillers carry, and how heat leaves the site.

A plant is composed of how heat is rejected (wet tower, sea, dry condensers, or direct expansion) and of its economiser
(none, water side, air side). Tower, sea and economisers follow Lei & Masanet, Energy 201 (2020) 117556, as restated in
section 6.3 of the project's notes; plants on dry condensers are ours (derived): the same chiller fit, fed with
outdoor air plus an approach in place of tower water.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling import air_side
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.equipment import (
    WATER_KJ_PER_KG_K,
    Outdoor,
    Tower,
    Value,
    Values,
    chiller_cop,
    circulation_kw,
    part_load_of,
    pump_kw,
    room_fans_kw,
    tower,
)

Rejection = Literal["tower", "sea", "air", "dx"]
Economiser = Literal["none", "water", "air"]


DX_RATED_C = 35.0
DX_HEAD_PRESSURE_C = 15.0
DX_SLOPE = 0.015
"""Outdoor air at which direct expansion is rated and below which head pressure is held, gain per K between: assumed."""


@dataclass(frozen=True, slots=True)
class Design:
    """What a plant is made of.

    Attributes
    ----------
    rejection : wet tower, sea water, chillers with dry condensers, or direct expansion
    economiser : none, water side (free cooling of the chilled water), air side (outdoor air in the hall)
    evaporation : what water an air-side economiser puts into outdoor air
    published_rule : an air-side economiser follows its authors' rule instead of the envelope
    """

    rejection: Rejection = "tower"
    economiser: Economiser = "none"
    evaporation: air_side.Evaporation = "humidify"
    published_rule: bool = False


@dataclass(frozen=True, slots=True)
class Plant:
    """A plant at work, per kW of IT.

    Attributes
    ----------
    power : kW by component
    compressor_share : share of the heat that compressors carry [1]
    tower : the wet tower, None where there is none
    humidifier_flow : water into the air, less the coils' condensate that is used again [kg/s]
    """

    power: dict[str, Array]
    compressor_share: Array
    tower: Tower | None
    humidifier_flow: Array


@dataclass(frozen=True, slots=True)
class Coil:
    """The hall's side of chilled water: heat with its latent part, water temperatures, water the coils dry out."""

    heat: Array
    supply_c: Array
    return_c: Array
    dried: Array


def coil(p: Values, heat: Array, supply_air_c: Value) -> Coil:
    """What the coils take from the hall: ``Q / SHR``; the latent part is put back by humidifiers.

    ``T_sfw = T_ra - (T_ra - T_sa)/HTE`` and ``T_rfw = T_sfw + dT_w`` (section 6.3).
    """
    total = heat / as_array(p["sensible_fraction"])
    rise = as_array(p["air_rise_kelvin"])
    supply = as_array(supply_air_c) + rise - rise / as_array(p["exchanger_effectiveness_fraction"])
    back = supply + as_array(p["water_rise_kelvin"])
    return Coil(total, supply, back, (total - heat) / air.latent_heat_kj_per_kg((supply + back) / 2.0))


def free_share(source_c: Array, part: Coil) -> Array:
    """Share of the heat that water of ``source_c`` carries without compressors [1].

    ``clip((T_return - T_source) / (T_return - T_supply), 0, 1)`` (section 6.3); temperatures in deg C.
    """
    return np.clip((part.return_c - source_c) / (part.return_c - part.supply_c), 0.0, 1.0)


def condenser_c(design: Design, p: Values, outdoor: Outdoor) -> Array:
    """What the chillers' condensers are fed with [deg C]: tower water, the sea, or outdoor air and its approach."""
    if design.rejection == "sea":
        return as_array(p["sea_c"])
    if design.rejection == "tower":
        return outdoor.wetbulb_c + as_array(p["tower_approach_kelvin"])
    if design.rejection == "dx":
        return outdoor.drybulb_c
    return outdoor.drybulb_c + as_array(p["condenser_approach_kelvin"])


def dx_cop(rated: Value, outdoor_c: Array, error: Value) -> Array:
    """Heat moved over power of direct expansion, condenser fans included [1].

    The rating at 35 deg C, 1.5 % better for every K below it down to 15 deg C, where head pressure is held, times
    ``1 + error``; never below 1. Assumed.
    """
    cooler = DX_RATED_C - np.maximum(outdoor_c, DX_HEAD_PRESSURE_C)
    return np.maximum(as_array(rated) * (1.0 + DX_SLOPE * cooler) * (1.0 + as_array(error)), 1.0)


def air_plant(design: Design, p: Values, outdoor: Outdoor, heat: Array, load: Value = 1.0) -> Plant:
    """Power, compressors and water of a plant that takes ``heat`` [kW per kW of IT] from the hall.

    Parameters
    ----------
    design : what the plant is made of
    p : its parameters by name, numbers or shape (k, 1)
    outdoor : weather, shape (n,)
    heat : IT, electrical losses and lighting [kW per kW of IT]
    load : IT load over rated IT load [1]
    """
    power: dict[str, Array] = {}
    humidified = np.zeros(1)
    set_point = as_array(p["supply_high_c" if design.economiser == "air" else "supply_c"])
    supply, coiled = set_point, heat
    if design.economiser == "air":
        if design.published_rule:
            choice = air_side.published(p, outdoor, heat)
        else:
            choice = air_side.envelope(p, outdoor, heat, design.evaporation)
        supply, humidified, coiled = choice.supply_c, choice.humidifier_flow, heat * (1.0 - choice.open)
    power["fans"] = room_fans_kw(p, heat, supply, outdoor.pressure_pa)
    part = coil(p, coiled, set_point)
    source = condenser_c(design, p, outdoor)
    free = np.zeros(1)
    if design.economiser == "water":
        free = free_share(source + as_array(p["exchanger_approach_kelvin"]), part)
        power["economiser_pumps"] = circulation_kw(p, "economiser_pump", free * part.heat)
    lifted = (1.0 - free) * part.heat
    power["chiller"] = lifted / _cop(design, p, outdoor, source, load)
    if design.rejection != "dx":
        power["chilled_pumps"] = circulation_kw(p, "chilled_pump", lifted)
    wet = _reject(design, p, outdoor, part.heat + power["chiller"], power)
    flow = humidified + part.dried
    power["humidifier"] = pump_kw(flow, p["humidifier_pressure_pa"], p["humidifier_efficiency_fraction"])
    bought = flow - part.dried * as_array(p["condensate_reuse_fraction"])
    return Plant(power, lifted / (heat / as_array(p["sensible_fraction"])), wet, bought)


def _cop(design: Design, p: Values, outdoor: Outdoor, source: Array, load: Value) -> Array:
    if design.rejection == "dx":
        return dx_cop(p["dx_cop_ratio"], outdoor.drybulb_c, p["cop_error_fraction"])
    return chiller_cop(part_load_of(p["chiller_load_fraction"], load), source, p["cop_error_fraction"])


def _reject(design: Design, p: Values, outdoor: Outdoor, rejected: Array, power: dict[str, Array]) -> Tower | None:
    """Power of what takes the heat off the site, added to ``power``; the tower where there is one."""
    if design.rejection == "tower":
        wet = tower(p, outdoor, rejected)
        power["tower_pumps"], power["tower_fans"] = wet.pumps, wet.fans
        return wet
    if design.rejection == "sea":
        flow = rejected / (WATER_KJ_PER_KG_K * as_array(p["sea_rise_kelvin"]))
        power["sea_pumps"] = pump_kw(flow, p["sea_pump_pressure_pa"], p["sea_pump_efficiency_fraction"])
    elif design.rejection == "air":
        power["dry_fans"] = rejected * as_array(p["condenser_fan_ratio"])
    return None
