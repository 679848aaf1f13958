"""Which numbers a cooling system needs, and what people call them."""

from __future__ import annotations

from aiplan.planners.cooling.plant import System

LABELS: dict[str, str] = {
    "ups_efficiency_fraction": "UPS efficiency",
    "distribution_loss_fraction": "distribution loss",
    "lighting_fraction": "lighting",
    "standing_fraction": "power drawn at any load",
    "supply_c": "supply air",
    "supply_low_c": "set point that cold air is mixed to",
    "supply_high_c": "warmest supply air",
    "rh_low_fraction": "least relative humidity",
    "rh_high_fraction": "most relative humidity",
    "dew_point_low_c": "least dew point",
    "dew_point_high_c": "most dew point",
    "air_rise_kelvin": "warming of the hall's air",
    "water_rise_kelvin": "warming of chilled water",
    "tower_range_kelvin": "range of the tower",
    "sea_rise_kelvin": "warming of sea water",
    "sea_c": "temperature of the sea",
    "tower_approach_kelvin": "approach of the tower",
    "exchanger_approach_kelvin": "approach of the economiser",
    "condenser_approach_kelvin": "approach of dry condensers",
    "exchanger_effectiveness_fraction": "effectiveness of the coils",
    "sensible_fraction": "sensible share at the coils",
    "condensate_reuse_fraction": "condensate used again",
    "fan_pressure_pa": "pressure of the hall's fans",
    "fan_efficiency_fraction": "efficiency of the hall's fans",
    "fan_least_fraction": "least speed of the hall's fans",
    "tower_fan_pressure_pa": "pressure of tower fans",
    "tower_fan_efficiency_fraction": "efficiency of tower fans",
    "tower_pump_pressure_pa": "pressure of tower pumps",
    "tower_pump_efficiency_fraction": "efficiency of tower pumps",
    "sea_pump_pressure_pa": "pressure of sea pumps",
    "sea_pump_efficiency_fraction": "efficiency of sea pumps",
    "economiser_pump_pressure_pa": "pressure of economiser pumps",
    "economiser_pump_efficiency_fraction": "efficiency of economiser pumps",
    "chilled_pump_pressure_pa": "pressure of chilled-water pumps",
    "chilled_pump_efficiency_fraction": "efficiency of chilled-water pumps",
    "humidifier_pressure_pa": "pressure of humidifiers",
    "humidifier_efficiency_fraction": "efficiency of humidifiers",
    "chiller_load_fraction": "part load of the chillers",
    "cop_error_fraction": "chiller efficiency against the fit",
    "dx_cop_ratio": "COP of direct expansion at 35 °C",
    "condenser_fan_ratio": "fans of dry condensers",
    "liquid_to_gas_ratio": "water over air in the tower",
    "latent_fraction": "heat that leaves by evaporation",
    "windage_fraction": "drift of the tower",
    "concentration_ratio": "cycles of concentration",
    "liquid_fraction": "heat into liquid",
    "loop_supply_c": "liquid to the chips",
    "loop_rise_kelvin": "warming of the liquid",
    "cdu_approach_kelvin": "approach of the distribution unit",
    "dry_approach_kelvin": "approach of dry coolers",
    "dry_fan_ratio": "fans of dry coolers",
    "dry_fan_design_kelvin": "difference that asks for full fan speed",
    "dry_fan_least_kelvin": "least difference counted with",
    "loop_pump_ratio": "pumps of the liquid loops",
}
"""Every parameter, in the order of the physics, by the name it goes by in scenario, catalog and code."""

ELECTRICAL = ("ups_efficiency_fraction", "distribution_loss_fraction", "lighting_fraction", "standing_fraction")
"""What `plant.electrical` needs; a caller with a power chain of its own does without them."""
_HALL = ("air_rise_kelvin", "fan_pressure_pa", "fan_efficiency_fraction", "fan_least_fraction",
         "exchanger_effectiveness_fraction", "water_rise_kelvin", "sensible_fraction", "condensate_reuse_fraction",
         "humidifier_pressure_pa", "humidifier_efficiency_fraction", "cop_error_fraction")  # fmt: skip
_ENVELOPE = ("supply_low_c", "supply_high_c", "rh_low_fraction", "rh_high_fraction", "dew_point_low_c",
             "dew_point_high_c")  # fmt: skip
_CHILLER = ("chiller_load_fraction", "chilled_pump_pressure_pa", "chilled_pump_efficiency_fraction")
_WATER_SIDE = ("exchanger_approach_kelvin", "economiser_pump_pressure_pa", "economiser_pump_efficiency_fraction")
_REJECTION = {
    "tower": (*_CHILLER, "tower_range_kelvin", "tower_approach_kelvin", "tower_fan_pressure_pa",
              "tower_fan_efficiency_fraction", "tower_pump_pressure_pa", "tower_pump_efficiency_fraction",
              "liquid_to_gas_ratio", "latent_fraction", "windage_fraction", "concentration_ratio"),
    "sea": (*_CHILLER, "sea_c", "sea_rise_kelvin", "sea_pump_pressure_pa", "sea_pump_efficiency_fraction"),
    "air": (*_CHILLER, "condenser_approach_kelvin", "condenser_fan_ratio"),
    "dx": ("dx_cop_ratio",),
}  # fmt: skip
_LOOP = ("liquid_fraction", "loop_supply_c", "loop_rise_kelvin", "cdu_approach_kelvin", "loop_pump_ratio")
_DRY = ("dry_approach_kelvin", "dry_fan_ratio", "dry_fan_design_kelvin", "dry_fan_least_kelvin")


def needs(system: System, *, electrical: bool = True) -> tuple[str, ...]:
    """Names of the parameters a system is computed from, in the order of `LABELS`.

    >>> from aiplan.planners.cooling.air_plant import Design
    >>> [name in needs(System(Design("tower"))) for name in ("sea_c", "windage_fraction")]
    [False, True]
    """
    plant = system.air
    wanted = {*(ELECTRICAL if electrical else ()), *_HALL, *_REJECTION[plant.rejection]}
    # Chilled water of plants with outdoor air in the hall follows the warmest supply.
    wanted |= set(_ENVELOPE if plant.economiser == "air" else ("supply_c",))
    if plant.economiser == "water":
        wanted |= set(_WATER_SIDE)
    if system.liquid != "none":
        wanted |= {*_LOOP, *(_DRY if system.liquid == "dry" else _REJECTION["tower"])}
    return tuple(name for name in LABELS if name in wanted)


__all__ = ["ELECTRICAL", "LABELS", "needs"]
