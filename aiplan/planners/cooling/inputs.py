"""What may be asked of `aiplan cooling`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.catalog.schema_cooling import CoolingParameters
from aiplan.inputs.fields import FileName, Positive, Section, Text, quantity
from aiplan.inputs.scenario import MAX_SAMPLES, Header, Uncertainty

LoadFraction = Annotated[float, Field(ge=0.05, le=1.0)]


class Draws(Uncertainty):
    """How uncertain inputs are sampled; a draw is a whole year here, so that fewer do."""

    samples: Annotated[int, Field(ge=2, le=MAX_SAMPLES)] = 1000
    """Number of draws."""


class Site(Section):
    """Where the hall stands."""

    place: Text | None = None
    """Site or climate of the catalog, or a zone of ASHRAE 169 such as "4A"."""
    weather_file: FileName | None = None
    """Hourly weather instead: an EPW, or a CSV of drybulb_c, rh_fraction and pressure_pa. Wins over the place."""
    zone: Text | None = None
    """Place to take from a CSV that holds several."""
    climate_offset_kelvin: quantity(-10.0, 10.0) | None = None  # type: ignore[valid-type]
    """How much warmer the years planned for are than the data; for normals of 1961-1990 the catalog knows one."""


class CoolingSystem(CoolingParameters):
    """The cooling system: an entry of the catalog, any number of it replaced by one given here."""

    system: Text
    """Cooling system of the catalog; `aiplan catalog list cooling` has them."""
    envelope: Text | None = None
    """Class of the catalog whose limits of supply air hold, such as "a1-a4-recommended"."""
    water_convention: Literal["drift-concentrated", "drift-in-blowdown"] = "drift-concentrated"
    """How blow-down of towers is counted: drift added to what must be flushed, or part of it."""


class Load(Section):
    """What the hall has to be cooled for."""

    it_power_mw: Positive
    """Rated IT power: what the servers draw with the hall full."""
    load_fraction: LoadFraction = 1.0
    """IT power drawn over rated, all year."""
    hourly_load_fractions: Annotated[tuple[LoadFraction, ...], Field(strict=False, max_length=24)] = ()
    """The same for every hour of the day, 24 numbers from midnight on; wins over load_fraction."""


class CoolingInputs(Section):
    """A scenario of `aiplan cooling`."""

    scenario: Header
    uncertainty: Draws = Draws()
    site: Site = Site()
    cooling: CoolingSystem
    load: Load


__all__ = ["CoolingInputs"]
