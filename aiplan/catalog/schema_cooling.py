"""What an entry says of a cooling system, and of the limits of air and water that equipment is made for."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from aiplan.catalog.entry import Entry
from aiplan.inputs.fields import Fraction, Positive, Section, quantity
from aiplan.inputs.quantity import Quantity

if TYPE_CHECKING:
    Efficiency: TypeAlias = Quantity
    Span: TypeAlias = Quantity
    Temperature: TypeAlias = Quantity
    Loss: TypeAlias = Quantity
    Sea: TypeAlias = Quantity
    Speed: TypeAlias = Quantity
    Error: TypeAlias = Quantity
    Cycles: TypeAlias = Quantity
    Approach: TypeAlias = Quantity
else:
    Efficiency = quantity(0.05, 1.0)
    Span = quantity(0.0, 60.0, above=0.0)
    Temperature = quantity(-40.0, 70.0)
    Loss = quantity(0.0, 0.5)
    Sea = quantity(-2.0, 40.0)
    Speed = quantity(0.05, 1.0)
    Error = quantity(-0.8, 1.0)
    Cycles = quantity(1.05, 100.0)
    Approach = quantity(0.0, 60.0)


class CoolingParameters(Section):
    """Numbers of a cooling system; which of them a system needs follows from what it is made of."""

    ups_efficiency_fraction: Efficiency | None = None
    """Efficiency of the UPS with the hall at its rated load."""
    distribution_loss_fraction: Loss | None = None
    """Loss of distribution over what enters it."""
    lighting_fraction: Fraction | None = None
    """Lighting over IT power."""
    standing_fraction: Fraction | None = None
    """Power drawn whatever the load, over rated IT power; at rated load it is part of the other losses."""
    supply_c: Temperature | None = None
    """Air sent into the hall by systems without an air-side economiser."""
    supply_low_c: Temperature | None = None
    """Coldest air sent into the hall by an air-side economiser: colder outdoor air is mixed with return air."""
    supply_high_c: Temperature | None = None
    """Warmest air sent into the hall by an air-side economiser."""
    rh_low_fraction: Fraction | None = None
    """Least relative humidity of supply air."""
    rh_high_fraction: Fraction | None = None
    """Most relative humidity of supply air."""
    dew_point_low_c: Temperature | None = None
    """Least dew point of supply air."""
    dew_point_high_c: Temperature | None = None
    """Most dew point of supply air."""
    air_rise_kelvin: Span | None = None
    """Warming of the air on its way through the IT."""
    water_rise_kelvin: Span | None = None
    """Warming of the chilled water."""
    tower_range_kelvin: Span | None = None
    """Cooling of the water in a tower."""
    sea_rise_kelvin: Span | None = None
    """Warming of sea water."""
    sea_c: Sea | None = None
    """Temperature of the sea at the intake, all year."""
    tower_approach_kelvin: Span | None = None
    """Water out of a tower above the wet bulb."""
    exchanger_approach_kelvin: Span | None = None
    """Economiser's water above the water that cools it."""
    condenser_approach_kelvin: Span | None = None
    """Tower water that would burden a chiller as much as outdoor air does, above that air (dry condensers)."""
    exchanger_effectiveness_fraction: Efficiency | None = None
    """Effectiveness of the coils between air and chilled water."""
    sensible_fraction: Efficiency | None = None
    """Sensible over total heat at the coils."""
    condensate_reuse_fraction: Fraction | None = None
    """Share of the coils' condensate that goes back into the air."""
    fan_pressure_pa: Positive | None = None
    """Pressure of the hall's fans."""
    fan_efficiency_fraction: Efficiency | None = None
    """Efficiency of the hall's fans."""
    fan_least_fraction: Speed | None = None
    """Least speed of the hall's fans over rated."""
    tower_fan_pressure_pa: Positive | None = None
    """Pressure of a tower's fans."""
    tower_fan_efficiency_fraction: Efficiency | None = None
    """Efficiency of a tower's fans."""
    tower_pump_pressure_pa: Positive | None = None
    """Pressure of the pumps between chillers and tower."""
    tower_pump_efficiency_fraction: Efficiency | None = None
    """Their efficiency."""
    sea_pump_pressure_pa: Positive | None = None
    """Pressure of the sea-water pumps."""
    sea_pump_efficiency_fraction: Efficiency | None = None
    """Their efficiency."""
    economiser_pump_pressure_pa: Positive | None = None
    """Pressure of the economiser's pumps."""
    economiser_pump_efficiency_fraction: Efficiency | None = None
    """Their efficiency."""
    chilled_pump_pressure_pa: Positive | None = None
    """Pressure of the chilled-water pumps."""
    chilled_pump_efficiency_fraction: Efficiency | None = None
    """Their efficiency."""
    humidifier_pressure_pa: Positive | None = None
    """Pressure of the humidifiers' pumps."""
    humidifier_efficiency_fraction: Efficiency | None = None
    """Their efficiency."""
    chiller_load_fraction: Speed | None = None
    """Load of the running chillers over their rating, with the hall at its rated load."""
    cop_error_fraction: Error | None = None
    """How far the chillers' efficiency lies from the fit."""
    dx_cop_ratio: Positive | None = None
    """Heat moved over power of direct expansion at 35 deg C outdoors, condenser fans included."""
    condenser_fan_ratio: Fraction | None = None
    """Fans of dry condensers over the heat they reject."""
    liquid_to_gas_ratio: Positive | None = None
    """Water over air through a tower, by mass."""
    latent_fraction: Fraction | None = None
    """Share of a tower's heat that leaves by evaporation."""
    windage_fraction: Fraction | None = None
    """Water that drifts out of a tower, over the water through it."""
    concentration_ratio: Cycles | None = None
    """Cycles of concentration: solids in a tower's water over those of its make-up."""
    liquid_fraction: Fraction | None = None
    """Share of the IT heat that goes into liquid."""
    loop_supply_c: Temperature | None = None
    """Liquid sent to the chips."""
    loop_rise_kelvin: Span | None = None
    """Warming of the liquid."""
    cdu_approach_kelvin: Approach | None = None
    """Liquid to the chips above the facility's water, across the distribution unit."""
    dry_approach_kelvin: Span | None = None
    """Water out of a dry cooler above outdoor air."""
    dry_fan_ratio: Fraction | None = None
    """Fans of dry coolers at full speed over the heat they reject."""
    dry_fan_design_kelvin: Span | None = None
    """Warm water above outdoor air below which dry coolers' fans run at full speed."""
    dry_fan_least_kelvin: Span | None = None
    """Least such difference that is counted with."""
    loop_pump_ratio: Fraction | None = None
    """Pumps of the liquid loops over the heat they carry."""


class Cooling(Entry, CoolingParameters):
    """A kind of cooling system: what it is made of, and ranges of its numbers."""

    scale: Literal["hyperscale", "midsize", "small"]
    """Size of the halls whose ranges these are."""
    rejection: Literal["tower", "sea", "air", "dx"]
    """How the air plant's heat leaves: wet tower, sea water, chillers with dry condensers, or direct expansion."""
    economiser: Literal["none", "water", "air"] = "none"
    """What replaces the chillers: nothing, cold water, or outdoor air in the hall."""
    evaporation: Literal["none", "humidify", "cool"] = "none"
    """Water put into outdoor air: none, for humidity alone, or to cool hot air too."""
    liquid: Literal["none", "dry", "tower"] = "none"
    """Liquid loop to the chips, and what cools it."""


class Envelope(Entry):
    """Limits of air or water that a class of equipment is made for."""

    medium: Literal["air", "water"]
    """What is limited."""
    supply_low_c: Temperature | None = None
    """Coldest supply."""
    supply_high_c: Temperature | None = None
    """Warmest supply."""
    dew_point_low_c: Temperature | None = None
    """Least dew point."""
    dew_point_high_c: Temperature | None = None
    """Most dew point."""
    rh_low_fraction: Fraction | None = None
    """Least relative humidity."""
    rh_high_fraction: Fraction | None = None
    """Most relative humidity."""
