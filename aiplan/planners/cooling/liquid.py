"""Liquid to the chip, or around it: what a technology cooling loop draws, and when it needs compressors.

Section 7.2 of the project's notes (derived); every coefficient is assumed and an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling.equipment import Outdoor, Tower, Values, tower

Sink = Literal["dry", "tower"]

TRIM_RATED_C = 25.0
TRIM_COP = 5.5
TRIM_COP_SLOPE = 0.08
TRIM_COP_LEAST = 3.0
"""COP of the chillers that trim the loop at 25 deg C outdoors, its loss per K above, and its floor: assumed."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A liquid loop at work, per kW of IT.

    Attributes
    ----------
    power : kW by component
    compressor_share : share of the loop's heat that compressors lift [1]
    tower : the wet tower, None with dry coolers
    """

    power: dict[str, Array]
    compressor_share: Array
    tower: Tower | None


def trim_cop(drybulb_c: Array) -> Array:
    """COP of trim chillers, ``max(3, 5.5 - 0.08 (T - 25))`` [1]; assumed."""
    return np.maximum(TRIM_COP - TRIM_COP_SLOPE * (drybulb_c - TRIM_RATED_C), TRIM_COP_LEAST)


def liquid_loop(sink: Sink, p: Values, outdoor: Outdoor) -> Loop:
    """The loop that carries ``liquid_fraction`` of the IT heat.

    Compressor-free share ``g = clip(1 + (T_loop - a_cdu - T_sink) / dT_loop, 0, 1)`` with ``T_sink = T + a_dry`` or
    ``Tw + a_tower``; trim chillers lift ``f (1 - g)``. Dry coolers' fans follow the cube of
    ``clip(dT_fan / max(T_loop - a_cdu + dT_loop - T, 4), 0, 1)``; a tower is that of section 6.3. Pumps take a share
    of f.

    Parameters
    ----------
    sink : dry coolers or a wet tower
    p : parameters by name, numbers or shape (k, 1)
    outdoor : weather, shape (n,)
    """
    f = as_array(p["liquid_fraction"])
    facility = as_array(p["loop_supply_c"]) - as_array(p["cdu_approach_kelvin"])
    rise = as_array(p["loop_rise_kelvin"])
    if sink == "dry":
        source = outdoor.drybulb_c + as_array(p["dry_approach_kelvin"])
    else:
        source = outdoor.wetbulb_c + as_array(p["tower_approach_kelvin"])
    free = np.clip(1.0 + (facility - source) / rise, 0.0, 1.0)
    chiller = f * (1.0 - free) / trim_cop(outdoor.drybulb_c)
    power = {"chiller": chiller, "loop_pumps": f * as_array(p["loop_pump_ratio"])}
    if sink == "tower":
        wet = tower(p, outdoor, f + chiller)
        power["tower_fans"], power["tower_pumps"] = wet.fans, wet.pumps
        return Loop(power, 1.0 - free, wet)
    reach = np.maximum(facility + rise - outdoor.drybulb_c, as_array(p["dry_fan_least_kelvin"]))
    speed = np.clip(as_array(p["dry_fan_design_kelvin"]) / reach, 0.0, 1.0)
    power["dry_fans"] = f * as_array(p["dry_fan_ratio"]) * speed**3
    return Loop(power, 1.0 - free, None)
