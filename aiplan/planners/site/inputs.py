"""What may be asked of `aiplan site`: the scenario, section by section.

Power, racks, classes and serving are the sections of `aiplan power`, cooling those of `aiplan cooling`. Levels are
counted per block here: blocks are repeated until the grid connection is used up.
"""

from typing import Annotated

from pydantic import Field

from aiplan.inputs.fields import Fraction, Id, NonNegative, Positive, Section
from aiplan.inputs.scenario import Header
from aiplan.planners.cooling.inputs import CoolingSystem, Draws
from aiplan.planners.cooling.inputs import Site as Weather
from aiplan.planners.power.inputs import Basis, Grid, Hall, Level, Power, Rack, Redundancy, ServerClass, Serving


class Place(Weather):
    """Where the site stands, and what the place gives; numbers here win over the catalog's."""

    carbon_g_per_kwh: NonNegative | None = None
    """g CO2e of its electricity, location-based."""
    offsite_water_l_per_kwh: NonNegative | None = None
    """Water consumed where the electricity is generated."""
    price_usd_per_kwh: NonNegative | None = None
    """Price of electricity."""
    shell_usd_per_w: Positive | None = None
    """Cost of building per watt of IT power, servers excluded."""


class Blocks(Section):
    """How often the levels are repeated."""

    count: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Blocks of the levels given; as many as use up the grid connection where absent."""


class Rest(Section):
    """Power beside IT, losses and cooling."""

    other_fraction: Fraction
    """Lighting and the like over IT power."""


class Cost(Section):
    """What an hour costs; electricity is the place's."""

    basis: Basis = "neocloud"
    """Price per accelerator-hour of the catalog, or the server's price spread over its life, and its electricity."""
    lifetime_years: Positive
    """Years a server is written off over (basis server)."""


class SiteInputs(Section):
    """A scenario of `aiplan site`."""

    scenario: Header
    uncertainty: Draws = Draws()
    site: Place
    cooling: CoolingSystem
    grid: Grid
    blocks: Blocks = Blocks()
    levels: dict[Id, Level] = Field(min_length=1, max_length=20)
    """Levels of one block by kind, grid side first."""
    redundancy: Redundancy
    racks: dict[Id, Rack] = Field(min_length=1, max_length=20)
    """Kinds of rack by name."""
    hall: Hall
    facility: Rest
    power: Power
    classes: dict[Id, ServerClass] = Field(default={}, max_length=20)
    """Classes of servers by name; none are needed for the rules nameplate and peak."""
    serving: Serving | None = None
    cost: Cost


__all__ = ["SiteInputs"]
