"""What an entry says of storage that takes fast swings of power off the grid."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from aiplan.catalog.entry import Entry
from aiplan.inputs.fields import NonNegative, Positive, quantity
from aiplan.inputs.quantity import Quantity

if TYPE_CHECKING:
    RoundTrip: TypeAlias = Quantity
    Exponent: TypeAlias = Quantity
    YearlyShare: TypeAlias = Quantity
else:
    RoundTrip = quantity(above=0.0, high=1.0)
    Exponent = quantity(0.1, 10.0)
    YearlyShare = quantity(0.0, 1.0)

Levels = Annotated[tuple[Literal["psu", "rack", "site"], ...], Field(strict=False, min_length=1)]


class Storage(Entry):
    """A technology of storage, converter included."""

    levels: Levels
    """Where it can stand: in the power supply, in the rack, or at the site."""
    converter_usd_per_kw: NonNegative | None = None
    """Price of the converter by its rating; absent where it comes with the power supply."""
    energy_usd_per_kwh: NonNegative | None = None
    """Price of the store by usable energy; absent where it comes with the power supply."""
    upkeep_fraction: YearlyShare | None = None
    """Upkeep of a year over the price of converter and store."""
    round_trip_fraction: RoundTrip
    """Energy out over energy in, converter included."""
    standby_fraction: YearlyShare | None = None
    """Power that it draws to stay ready, over the converter's rating; none where absent."""
    cycle_life_count: Positive | None = None
    """Full cycles until it is worn out; absent where cycles are not what wears it or nothing is known."""
    depth_exponent: Exponent
    """A cycle of depth D wears as much as D to this power full cycles; 1 where only the energy passed counts."""
    calendar_life_years: Positive
    """Years until it is worn out without cycles."""
    response_s: Positive
    """Time from a change of load until its power has followed."""
    least_duration_s: Positive
    """Least time in which it may be emptied or filled at rated power; 3600 s over the C-rate."""
    energy_j_per_gpu: Positive | None = None
    """Usable energy for each accelerator, where it comes with the machine and cannot be chosen."""
