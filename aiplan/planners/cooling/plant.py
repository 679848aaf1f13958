"""A site's cooling at every hour: electrical losses, air plant and liquid loop put together.

Pure functions of numbers. ``mechanical`` takes the heat of electrical losses as given, for callers that know their own
power chain; ``cool`` adds a plain one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling.air_plant import Design, Plant, air_plant
from aiplan.planners.cooling.equipment import Outdoor, Tower, Value, Values
from aiplan.planners.cooling.liquid import Loop, liquid_loop
from aiplan.planners.cooling.water import SECONDS_PER_HOUR, Convention, tower_water
from aiplan.planners.cooling.weather import Weather

ELECTRICAL = ("ups", "distribution", "lighting", "standing")
"""Components that are no cooling; `mechanical` leaves them to its caller."""
MECHANICAL = ("fans", "chiller", "economiser_pumps", "chilled_pumps", "tower_pumps", "tower_fans", "sea_pumps",
              "dry_fans", "loop_pumps", "humidifier")  # fmt: skip
COMPONENTS = (*ELECTRICAL, *MECHANICAL)
MAKEUP = ("evaporation", "blowdown", "drift")
WATERS = (*MAKEUP, "humidification")
FREE = 1e-9
"""Share of the heat below which compressors count as off."""


@dataclass(frozen=True, slots=True)
class System:
    """What a cooling system is made of: an air plant, and a liquid loop for part of the heat or for all of it."""

    air: Design
    liquid: Literal["none", "dry", "tower"] = "none"


@dataclass(frozen=True, slots=True)
class Hourly:
    """A system at work, point by point of the weather, per kW of IT power.

    Attributes
    ----------
    power : kW by component, each of a shape that broadcasts to ``shape``
    water : L per kWh of IT by what becomes of it; the first three are the make-up of towers
    compressor_share : share of all heat that compressors lift [1]
    liquid_compressor_share : the same of the liquid loop alone, None where there is none [1]
    shape : (n,) or (k, n) for k draws and n points
    """

    power: Mapping[str, Array]
    water: Mapping[str, Array]
    compressor_share: Array
    liquid_compressor_share: Array | None
    shape: tuple[int, ...]

    @property
    def pue(self) -> Array:
        """Facility over IT power [1]: 1 and the sum of all components."""
        return _total(self.power.values(), 1.0, self.shape)

    @property
    def wue(self) -> Array:
        """Water over IT energy [L/kWh]."""
        return _total(self.water.values(), 0.0, self.shape)

    @property
    def makeup(self) -> Array:
        """Water into the towers [L/kWh]: evaporation, blow-down and drift."""
        return _total([self.water[name] for name in MAKEUP], 0.0, self.shape)


def _total(parts: Collection[Array], start: float, shape: tuple[int, ...]) -> Array:
    """Sum of a number and of arrays that broadcast to a shape, in place: those that are the same all year first."""
    whole = [part for part in parts if np.shape(part) == shape]
    few = sum((part for part in parts if np.shape(part) != shape), np.zeros(1))
    total = np.array(np.broadcast_to(start + few, shape))
    for part in whole:
        total += part
    return total


def ups_loss_factor(load: npt.ArrayLike) -> Array:
    """UPS loss per kW of IT at part load over that at full load [1].

    From the loss curve of `aiplan.planners.power.losses`, ``(1/eta(l) - 1) / (1/eta(1) - 1)``: an efficiency given for
    full load keeps its value and takes the curve's shape.

    >>> round(float(ups_loss_factor(0.25)), 3)
    1.165
    """
    from aiplan.planners.power.losses import ups_efficiency

    return (1.0 / ups_efficiency(load) - 1.0) / (1.0 / ups_efficiency(1.0) - 1.0)


def electrical(p: Values, load: Value = 1.0) -> dict[str, Array]:
    """Losses and lighting [kW per kW of IT] of a plain power chain (section 6.2), at part load as in section 7.1.

    ``(1/eta_ups - 1) + (1/(1 - pd) - 1) + light + s (1/l - 1)``; the last, ``standing``, is drawn whatever the load
    and is outside the hall: it is not cooled.

    Parameters
    ----------
    p : ``ups_efficiency_fraction``, ``distribution_loss_fraction``, ``lighting_fraction``, ``standing_fraction``
    load : IT load over rated IT load [1]
    """
    full = isinstance(load, float | int) and load == 1.0
    factor = 1.0 if full else ups_loss_factor(load)
    return {
        "ups": (1.0 / as_array(p["ups_efficiency_fraction"]) - 1.0) * factor,
        "distribution": 1.0 / (1.0 - as_array(p["distribution_loss_fraction"])) - 1.0,
        "lighting": as_array(p["lighting_fraction"]),
        "standing": as_array(p["standing_fraction"]) * (1.0 / as_array(load) - 1.0),
    }


def mechanical(
    system: System,
    p: Values,
    weather: Weather | Outdoor,
    loss_heat: Value,
    load: Value = 1.0,
    convention: Convention = "drift-concentrated",
) -> Hourly:
    """Cooling alone: power and water for IT heat and the heat of electrical losses in the hall.

    Parameters
    ----------
    system : what the plant is made of
    p : parameters by name, numbers or shape (k, 1); see `aiplan.planners.cooling.needs`
    weather : shape (n,); an `Outdoor` saves its preparation where many calls share it
    loss_heat : heat of UPS, distribution and lighting that the hall's air carries [kW per kW of IT]
    load : IT load over rated IT load, a number, shape (k, 1) or (n,) [1]
    convention : how blow-down is counted, see `water.CONVENTIONS`

    Returns
    -------
    `Hourly` without electrical components: its ``pue`` is 1 and the cooling.

    Fans of the hall follow the cube of the load down to ``fan_least_fraction`` (section 7.1); chillers run at their
    part load in proportion to it. A liquid loop takes ``liquid_fraction`` of the IT heat; the air plant carries the
    other share of IT heat and of the losses (section 7.2: the rest of the losses leaves with ventilation).
    """
    outdoor = weather if isinstance(weather, Outdoor) else Outdoor.of(weather)
    heat = 1.0 + as_array(loss_heat)
    plant = air_plant(system.air, p, outdoor, heat, load)
    slow = np.maximum(as_array(load), as_array(p["fan_least_fraction"]))
    plant.power["fans"] = plant.power["fans"] * (slow**3 / as_array(load))
    power, share = dict(plant.power), plant.compressor_share
    water = _water(p, plant.tower, convention, plant.humidifier_flow)
    liquid_share: Array | None = None
    if system.liquid != "none":
        loop = liquid_loop(system.liquid, p, outdoor)
        left = 1.0 - as_array(p["liquid_fraction"])
        power = _merged(plant, loop, left)
        of_loop = _water(p, loop.tower, convention, np.zeros(1))
        water = {name: left * water[name] + of_loop[name] for name in WATERS}
        share, liquid_share = left * share + (1.0 - left) * loop.compressor_share, loop.compressor_share
    shape = np.broadcast_shapes(*(np.shape(part) for part in power.values()), outdoor.drybulb_c.shape)
    return Hourly(power, water, share, liquid_share, shape)


def _water(p: Values, tower: Tower | None, convention: Convention, humidifier_flow: Array) -> dict[str, Array]:
    """Water by what becomes of it [L per kWh of IT], one item for each of `WATERS`."""
    zero = np.zeros(1)
    found = dict.fromkeys(WATERS, zero)
    if tower is not None:
        found.update(tower_water(p, tower, convention))
    found["humidification"] = SECONDS_PER_HOUR * humidifier_flow
    return found


def _merged(plant: Plant, loop: Loop, left: Array) -> dict[str, Array]:
    """Power of a loop and of the share of an air plant that is left beside it."""
    power = {name: left * value for name, value in plant.power.items()}
    for name, value in loop.power.items():
        power[name] = power[name] + value if name in power else value
    return power


def cool(
    system: System,
    p: Values,
    weather: Weather | Outdoor,
    load: Value = 1.0,
    convention: Convention = "drift-concentrated",
) -> Hourly:
    """Cooling and a plain power chain at every point of the weather; see `electrical` and `mechanical`.

    >>> sorted(set(ELECTRICAL) & set(MECHANICAL))
    []
    """
    losses = electrical(p, load)
    loss_heat = losses["ups"] + losses["distribution"] + losses["lighting"]
    found = mechanical(system, p, weather, loss_heat, load, convention)
    power = losses | dict(found.power)
    shape = np.broadcast_shapes(found.shape, *(np.shape(value) for value in losses.values()))
    return Hourly(power, found.water, found.compressor_share, found.liquid_compressor_share, shape)
