"""What an entry says of the limits a connection to the grid is held to."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from aiplan.catalog.entry import Entry
from aiplan.inputs.fields import Id, Positive, Section, quantity
from aiplan.inputs.quantity import Quantity

if TYPE_CHECKING:
    Angle: TypeAlias = Quantity
    PowerFactor: TypeAlias = Quantity
    Frequency: TypeAlias = Quantity
    Window: TypeAlias = Quantity
    OverMean: TypeAlias = Quantity
    Share: TypeAlias = Quantity
    Severity: TypeAlias = Quantity
else:
    Angle = quantity(0.0, 90.0)
    PowerFactor = quantity(above=0.0, high=1.0)
    Frequency = quantity(above=0.0, high=1e4)
    Window = quantity(above=0.0, high=86_400.0)
    OverMean = quantity(above=0.0, high=10.0)
    Share = quantity(above=0.0, high=1.0)
    Severity = quantity(above=0.0, high=100.0)

MOST_PARTS = 50
"""Ramp limits, and bands, of one connection."""


class RampParameters(Section):
    """A further limit of ramps; `up`, `down` or both."""

    up_w_per_s: Positive | None = None
    """Steepest rise between two moments a window apart; none where absent."""
    down_w_per_s: Positive | None = None
    """Steepest fall between two moments a window apart; none where absent."""
    window_s: Window | None = None
    """Time between the two moments."""


class BandParameters(Section):
    """What may be in a band of frequencies; what is absent is not limited."""

    low_hz: Frequency | None = None
    """Lower end, included."""
    high_hz: Frequency | None = None
    """Upper end, included."""
    line_w: Positive | None = None
    """Largest amplitude of a line: the peak of its sine, neither RMS nor peak to peak."""
    line_fraction: OverMean | None = None
    """The same over mean power."""
    rms_w: Positive | None = None
    """Root mean square of everything in the band."""
    share_fraction: Share | None = None
    """Mean square in the band over that of all that varies."""


class FlickerParameters(Section):
    """Flicker at the point of connection."""

    pst: Severity | None = None
    """Most short-term flicker severity of IEC 61000-4-15."""
    short_circuit_va: Positive | None = None
    """Short-circuit power of the grid at the point of connection."""
    grid_angle_deg: Angle | None = None
    """Angle of the grid's impedance, atan(X / R); 85 where absent."""
    power_factor: PowerFactor | None = None
    """Of the load, its reactive power lagging; 1 where absent."""


class LimitsParameters(Section):
    """Everything a connection may be held to; what is absent is not limited."""

    ramp_up_w_per_s: Positive | None = None
    """Steepest rise between two moments a window apart."""
    ramp_down_w_per_s: Positive | None = None
    """Steepest fall between two moments a window apart."""
    ramp_window_s: Window | None = None
    """Time between the two moments; 1 where absent."""
    ramps: dict[Id, RampParameters] = Field(default={}, max_length=MOST_PARTS)
    """Further limits of ramps, over other windows, by name."""
    range_w: Positive | None = None
    """Largest difference of two powers within a window."""
    range_window_s: Window | None = None
    """That window; 60 where absent."""
    most_w: Positive | None = None
    """Rating of the connection."""
    least_w: Positive | None = None
    """The least that must be drawn while the job runs."""
    bands: dict[Id, BandParameters] = Field(default={}, max_length=MOST_PARTS)
    """Bands of frequencies by name."""
    flicker: FlickerParameters | None = None
    """Flicker; none where absent."""
    segment_s: Window | None = None
    """Length of a record that a spectrum is taken over; as much as resolves the lowest band where absent."""
    spectrum_of: Literal["steady", "both"] | None = None
    """Whether lines and bands hold in steady state only, or in transients too; ``steady`` where absent."""


class GridLimits(Entry, LimitsParameters):
    """Limits of a connection. No utility publishes numbers for all: every entry is an illustration."""
