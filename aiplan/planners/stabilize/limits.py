"""What a utility allows: ramps, range, lines, bands and flicker, as numbers. `check` holds a wave to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

INFINITE = float("inf")
Regime = Literal["steady", "transient"]
Verdict = Literal["pass", "fail", "undetermined"]


@dataclass(frozen=True, slots=True)
class RampLimit:
    """Steepest change of power between two moments ``window_s`` apart [W/s]; infinite for none."""

    name: str
    up_w_per_s: float
    down_w_per_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Band:
    """What may be in a band of frequencies; None for what is not limited.

    Attributes
    ----------
    low_hz, high_hz : the band, both ends included [Hz]
    line_w : largest amplitude of a line, peak of the sine [W]
    line_fraction : the same over mean power [1]
    rms_w : root mean square of everything in the band [W]
    share_fraction : mean square in the band over that of the whole wave without its mean [1]
    """

    name: str
    low_hz: float
    high_hz: float
    line_w: float | None = None
    line_fraction: float | None = None
    rms_w: float | None = None
    share_fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Flicker:
    """Flicker at the point of connection.

    Attributes
    ----------
    pst : most short-term flicker severity of IEC 61000-4-15 [1]
    short_circuit_va : short-circuit power at the point of connection [VA]
    grid_angle_deg : angle of the grid's impedance, atan(X / R) [°]
    power_factor : of the load [1], its reactive power lagging
    """

    pst: float
    short_circuit_va: float
    grid_angle_deg: float = 85.0
    power_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything a connection is held to.

    Attributes
    ----------
    name : of the preset or file
    ramps, bands : as above
    range_w, range_window_s : largest difference of two powers within a window [W], [s]
    most_w, least_w : the connection's rating, and the least that must be drawn while the job runs [W]
    segment_s : length of a record the spectrum is taken over; None for as much as resolves the lowest band [s]
    spectrum_of : whether lines and bands hold in steady state only, or in transients too
    """

    name: str
    ramps: tuple[RampLimit, ...] = ()
    range_w: float | None = None
    range_window_s: float = 60.0
    most_w: float | None = None
    least_w: float | None = None
    bands: tuple[Band, ...] = ()
    flicker: Flicker | None = None
    segment_s: float | None = None
    spectrum_of: Literal["steady", "both"] = "steady"


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit held to one part of a wave.

    Attributes
    ----------
    limit : stable id: ``ramp_up``, ``ramp_down``, ``range``, ``most``, ``least``, ``line``, ``line_fraction``, ``rms``,
        ``share``, ``flicker``
    name : of the ramp limit or band, empty for others
    regime : steady state or transients
    value, allowed : in ``unit``: W/s, W or 1; value None where it cannot be told
    margin_fraction : (allowed - value) / allowed, the other way round for ``least``; None where value is
    verdict : ``undetermined`` where the wave cannot tell; ``pass`` too where the wave has nothing of this regime
    at_s, at_hz : the moment, or the frequency, at which the value stands; None where there is none
    why : for ``undetermined``, with the rate or length that would do
    binding : whether it counts towards the whole verdict
    """

    limit: str
    name: str
    regime: Regime
    value: float | None
    allowed: float
    unit: str
    margin_fraction: float | None
    verdict: Verdict
    at_s: float | None = None
    at_hz: float | None = None
    why: str = ""
    binding: bool = True


def whole_verdict(findings: tuple[Finding, ...]) -> Verdict:
    """``fail`` if any finding that counts fails, else ``undetermined`` if any is, else ``pass``."""
    told = {finding.verdict for finding in findings if finding.binding}
    if "fail" in told:
        return "fail"
    return "undetermined" if "undetermined" in told else "pass"
