"""What figures of a wave are made of: values with the moment, or the frequency, at which they stand."""

from __future__ import annotations

from dataclasses import dataclass

from aiplan.planners.stabilize.limits import Regime
from aiplan.planners.stabilize.spectrum import Line, Spectra


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value and the moment at which it stands [s]."""

    value: float
    at_s: float


@dataclass(frozen=True, slots=True)
class RampFigure:
    """Steepest rise and fall over a window, both at least 0 [W/s]; None where the wave cannot tell.

    ``gap_up`` and ``gap_down``: what the steepest across a gap is at least [W/s]; ``jump_up`` and ``jump_down``: the
    largest change across one [W], and the moment at which the gap begins; None where there is none.
    """

    window_s: float
    up: Extreme | None
    down: Extreme | None
    gap_up: Extreme | None = None
    gap_down: Extreme | None = None
    jump_up: Extreme | None = None
    jump_down: Extreme | None = None


@dataclass(frozen=True, slots=True)
class BandFigure:
    """What a band holds, of the part of it that the record shows; None where it shows nothing of it.

    Attributes
    ----------
    low_hz, high_hz : the part of the band that the record shows [Hz]
    line : the largest; None where there is none
    rms_w, share_fraction : root mean square [W], and mean square over the variance of the whole wave, transients
        included [1]
    covered_fraction : share of the known time of this regime in segments that resolve ``low_hz`` [1]
    """

    low_hz: float
    high_hz: float
    line: Line | None
    rms_w: float
    share_fraction: float
    covered_fraction: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RegimeFigures:
    """Figures of steady state, or of transients.

    Attributes
    ----------
    duration_s : known time of this regime [s]
    mean_w, sd_w : mean and standard deviation (population) of its values [W]
    most, least : largest and smallest power [W]
    least_running : smallest power while the job runs [W]; None where it does not, or nobody knows whether it does
    ramps : one for each window asked for
    range_w : largest range within the window asked for [W]; None where the record does not hold one
    found : spectra of its segments; None where it has none
    line : the largest of all, in a limited band or not
    bands : one for each band asked for
    pst, pst_block_s : worst flicker severity [1] as of the block that begins then, and length of a block [s]
    more : spectra of stretches between gaps that are too short for a segment of ``found``, longest segments first
    pst_covered_fraction : share of the whole wave's time in blocks without a gap [1]
    """

    regime: Regime
    duration_s: float
    mean_w: float
    sd_w: float
    most: Extreme
    least: Extreme
    least_running: Extreme | None
    ramps: tuple[RampFigure, ...]
    range_w: Extreme | None
    found: Spectra | None
    line: Line | None
    bands: tuple[BandFigure | None, ...]
    pst: Extreme | None
    pst_block_s: float
    more: tuple[Spectra, ...] = ()
    pst_covered_fraction: float = 1.0

    @property
    def spectra(self) -> tuple[Spectra, ...]:
        """All of them, the longest segments first."""
        return () if self.found is None else (self.found, *self.more)


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Figures of a whole wave, of known values only.

    Attributes
    ----------
    mean_w, sd_w, peak_w, min_w : mean, standard deviation (population), largest and smallest power [W]
    peak_to_mean_ratio : [1]; infinite where the mean is not above 0
    reference_w : mean power lines are a fraction of: of steady state, or of everything where there is none [W]
    wanted_segment_s : segment length asked for, or that would resolve the lowest band [s]
    steady, transient : None where the wave has nothing of it
    swings : largest range within each ramp's window, both regimes together [W]; empty with ``only_limited``
    """

    mean_w: float
    sd_w: float
    peak_w: float
    min_w: float
    peak_to_mean_ratio: float
    reference_w: float
    wanted_segment_s: float
    steady: RegimeFigures | None
    transient: RegimeFigures | None
    swings: tuple[Extreme | None, ...] = ()
