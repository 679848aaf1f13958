"""What a wave does: ramps, range, extremes, lines and bands, in steady state and in transients apart."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize import flicker as flickers
from aiplan.planners.stabilize.edges import soften
from aiplan.planners.stabilize.figure_records import BandFigure, Extreme, Figures, RampFigure, RegimeFigures
from aiplan.planners.stabilize.limits import Limits, Regime
from aiplan.planners.stabilize.ramps import WHOLE, ramp, ranges, whole_steps
from aiplan.planners.stabilize.regimes import longest, unsettled
from aiplan.planners.stabilize.spectrum import (
    LEAST_PERIODS,
    LEAST_SAMPLES,
    Line,
    Spectra,
    band_rms_w,
    largest_line,
    segment_starts,
    spectra,
)
from aiplan.planners.stabilize.stretches import (
    Across,
    across_gaps,
    covered_share,
    least_steepest,
    shorter_lengths,
    starts_in_shorter,
)
from aiplan.planners.stabilize.wave import IDLE, RESTART, Flags, Wave, of_kinds

__all__ = ["BandFigure", "Extreme", "Figures", "RampFigure", "RegimeFigures", "figures", "wanted_segment_s"]

SEGMENT_S, SEGMENT_PERIODS, SEGMENT_SAMPLES = 60.0, 4.0, 2048
"""A segment is at least so long, holds so many periods of the lowest band's edge, and so many values."""
RAMP_WINDOWS_S = (1.0, 60.0)
"""Windows ramps are given for when no limit names one. Reference power-stabilisation, section 4.2."""
ROUNDING = 1e-9
"""Standard deviation over the largest power below which a wave counts as constant [1]."""
MOST_POWER_W = 1e100
"""Beyond it squares of power leave the range of numbers."""


def wanted_segment_s(limits: Limits, step_s: float) -> float:
    """Length of a segment: as asked, else the largest of 60 s, 4 periods of the lowest band and 2,048 values [s]."""
    if limits.segment_s is not None:
        return limits.segment_s
    edges = [band.low_hz for band in limits.bands if band.low_hz > 0.0]
    return max(SEGMENT_S, SEGMENT_PERIODS / min(edges) if edges else 0.0, SEGMENT_SAMPLES * step_s)


class _Part:
    """A wave with what the figures of both regimes need."""

    def __init__(
        self, wave: Wave, limits: Limits, settle_s: float, only_limited: bool, extremes: tuple[Array, Array] | None
    ) -> None:
        self.wave, self.limits = wave, limits
        self.power = wave.power_w
        self.high, self.low = extremes or (self.power, self.power)
        self.known = np.ones(self.power.size, dtype=np.bool_) if wave.known is None else wave.known
        self.gaps = wave.known is not None and not bool(self.known.all())
        self.moved = unsettled(wave, settle_s)
        self.touched = np.concatenate(([0], np.cumsum(self.moved)))
        # A file does not say whether its meter averages; lines of a measured wave are those its values show.
        self.means = wave.kind is not None
        self.windows = tuple(limit.window_s for limit in limits.ramps) or (() if only_limited else RAMP_WINDOWS_S)
        self.with_range = limits.range_w is not None or not only_limited
        self.with_spectrum = bool(limits.bands) or not only_limited

    @cached_property
    def variance(self) -> float:
        """Mean square of everything but the mean, transients included; 0 where that is rounding [W2]."""
        known = self.power[self.known]
        found = float(known.var())
        return found if found > (ROUNDING * float(known.max())) ** 2 else 0.0

    @cached_property
    def softened(self) -> Array:
        """The wave without what its jumps alias to, shape (N,) [W]."""
        return soften(self.power, self.means)

    @cached_property
    def ramps(self) -> dict[float, Array]:
        """Ramps over each window [W/s]; empty where the record or the step does not allow it."""
        step = self.wave.step_s * (1.0 - WHOLE)
        return {w: ramp(self.power, self.wave.step_s, w) if w >= step else np.empty(0) for w in self.windows}

    @cached_property
    def ranges(self) -> Array:
        """Range within each window, or within the whole record where that is shorter [W]."""
        span = min(self.limits.range_window_s, (self.power.size - 1) * self.wave.step_s)
        wanted = self.with_range and span >= self.wave.step_s * (1.0 - WHOLE)
        return ranges(self.high, self.wave.step_s, span, self.low) if wanted else np.empty(0)

    @cached_property
    def across(self) -> Across:
        """Changes of power across gaps."""
        return across_gaps(self.power, self.known)

    @cached_property
    def severities(self) -> tuple[tuple[Extreme, bool], ...]:
        """Flicker severity of each block without a gap, and whether the block touches a transient."""
        wave, limit = self.wave, self.limits.flicker
        if limit is None or wave.rate_hz < flickers.LEAST_RATE_HZ * (1.0 - WHOLE):
            return ()
        change = flickers.voltage_change(self.power, limit.short_circuit_va, limit.grid_angle_deg, limit.power_factor)
        seen = flickers.instantaneous(change, wave.step_s)
        out = []
        for first, end in flickers.blocks(self.power.size, wave.step_s):
            if self.known[first:end].all():
                pst = flickers.severity(seen[2 * first : 2 * end])
                out.append((Extreme(pst, wave.start_s + first * wave.step_s), bool(self.moved[first:end].any())))
        return tuple(out)

    @cached_property
    def severities_share(self) -> float:
        """Share of the wave's time in blocks without a gap [1]."""
        seen = np.zeros(self.known.size, dtype=np.bool_)
        for first, end in flickers.blocks(self.known.size, self.wave.step_s):
            seen[first:end] |= self.known[first:end].all()
        return float(seen.mean())

    def of(self, regime: Regime, count: int, reach: int) -> Flags:
        """For windows of ``reach`` steps beginning at each of the first ``count``: whether they are of the regime.

        Of a transient are those that touch one.
        """
        touches = self.touched[reach : reach + count] > self.touched[:count]
        return np.asarray(touches if regime == "transient" else ~touches)

    def first_largest(self, values: Array, allowed: Flags) -> Extreme | None:
        """The largest of the allowed values and when its window begins."""
        held = np.where(allowed, values, -np.inf)
        at = int(held.argmax()) if held.size else 0
        if not held.size or not allowed[at]:
            return None
        return Extreme(float(held[at]), self.wave.start_s + at * self.wave.step_s)


def _ramps(part: _Part, regime: Regime) -> tuple[RampFigure, ...]:
    out: dict[float, RampFigure] = {}
    for window, values in part.ramps.items():
        if not values.size:
            out[window] = RampFigure(window, None, None)
            continue
        whole, rest = whole_steps(part.wave.step_s, window)
        reach = whole + (rest > 0.0) + 1
        allowed = part.of(regime, values.size, reach)
        if part.gaps:
            ends = part.known[whole : whole + values.size] & part.known[reach - 1 : reach - 1 + values.size]
            allowed = allowed & part.known[: values.size] & ends
        up, down = part.first_largest(values, allowed), part.first_largest(-values, allowed)
        if up is not None and down is not None:
            up, down = Extreme(max(0.0, up.value), up.at_s), Extreme(max(0.0, down.value), down.at_s)
        out[window] = RampFigure(window, up, down, *_hidden(part, regime, window))
    return tuple(out[window] for window in part.windows)


def _hidden(part: _Part, regime: Regime, window_s: float) -> tuple[Extreme | None, ...]:
    """What a ramp across a gap is at least, rise and fall, and the largest rise and fall across a gap."""
    if not part.gaps:
        return ()
    across = part.across
    touches = part.touched[across.after + 1] > part.touched[across.before]
    mine = touches if regime == "transient" else ~touches
    step = part.wave.step_s
    rise, fall = least_steepest(part.power, part.known, across, step, window_s)

    def largest(values: Array) -> Extreme | None:
        allowed = mine & (values > 0.0)
        if not allowed.any():
            return None
        at = int(np.where(allowed, values, -np.inf).argmax())
        return Extreme(float(values[at]), part.wave.start_s + float(across.before[at] + 1) * step)

    return tuple(largest(values) for values in (rise, fall, across.change_w, -across.change_w))


def _swings(part: _Part) -> tuple[Extreme | None, ...]:
    """Largest range within each ramp's window of which both ends are known."""
    out = []
    for window in part.windows:
        swing = None
        if part.wave.step_s * (1.0 - WHOLE) <= window:
            values = ranges(part.high, part.wave.step_s, window, part.low)
            known = part.known
            swing = part.first_largest(values, known[: values.size] & known[known.size - values.size :])
        out.append(swing)
    return tuple(out)


def _range(part: _Part, regime: Regime) -> Extreme | None:
    count = part.ranges.size
    if count == 0:
        return None
    width = part.power.size - count + 1
    allowed = part.of(regime, count, width)
    if part.gaps:
        seen = np.concatenate(([0], np.cumsum(part.known)))
        allowed = allowed & (seen[width:] > seen[:count])
    return part.first_largest(part.ranges, allowed)


def _segments(part: _Part, regime: Regime, here: Flags, wanted_s: float) -> tuple[tuple[Spectra, float], ...]:
    """Spectra of a regime, longest segments first, and the share of its known time that each is of.

    Of steady stretches, or of the segments of the whole record that touch a transient. Stretches between gaps that are
    too short for a segment are read in shorter ones, unless the limits name the length.
    """
    if not part.with_spectrum:
        return ()
    wave, fixed = part.wave, part.limits.segment_s is not None
    usable = part.known & ~part.moved if regime == "steady" else part.known
    length, most = round(wanted_s / wave.step_s), longest(usable)
    if most < length and fixed:
        return ()
    length = min(length, most)
    if length < LEAST_SAMPLES:
        return ()
    lengths = [length]
    if part.gaps and not fixed:
        lengths += shorter_lengths(length, wave.step_s, [band.low_hz for band in part.limits.bands])
    out = []
    for place, size in enumerate(lengths):
        starts = starts_in_shorter(usable, lengths[place - 1], size) if place else segment_starts(usable, size)
        if regime == "transient":
            starts = starts[part.touched[starts + size] > part.touched[starts]]
        if starts.size:
            found = spectra(part.softened, wave.step_s, size * wave.step_s, starts, wave.start_s, part.means)
            out.append((found, covered_share(here, starts, size) if part.gaps else 1.0))
    return tuple(out)


def _bands(part: _Part, read: tuple[tuple[Spectra, float], ...]) -> tuple[BandFigure | None, ...]:
    return tuple(_band(part, read, band.low_hz, band.high_hz) for band in part.limits.bands)


def _band(part: _Part, read: tuple[tuple[Spectra, float], ...], low_hz: float, high_hz: float) -> BandFigure | None:
    """The largest line of all spectra; the mean square of each counts with the time it is of."""
    high = min(high_hz, 0.5 * part.wave.rate_hz)
    lines, lowest, covered, squares, time = [], math.inf, 0.0, 0.0, 0.0
    for found, share in read:
        resolved = LEAST_PERIODS / found.segment_s * (1.0 - WHOLE)
        low = max(low_hz, resolved)
        if low >= high:
            continue
        lowest = min(lowest, low)
        lines.append(largest_line(found, low, high))
        covered += share if resolved <= lowest else 0.0
        squares += share * band_rms_w(found, low, high) ** 2
        time += share
    if not lines:
        return None
    line = max((one for one in lines if one is not None), key=lambda one: one.amplitude_w, default=None)
    rms = math.sqrt(squares / time) if time > 0.0 else 0.0
    counts = part.variance > 0.0 and rms > read[0][0].floor_w
    share_fraction = min(1.0, rms**2 / part.variance) if counts else 0.0
    return BandFigure(lowest, high, line, rms, share_fraction, min(1.0, covered))


def _line(part: _Part, read: tuple[tuple[Spectra, float], ...]) -> Line | None:
    """The largest line there is, in a band that is limited or not, of what the record resolves."""
    figure = _band(part, read, 0.0, math.inf)
    return None if figure is None else figure.line


def _running(part: _Part, regime: Regime, here: Flags) -> Flags:
    """Where the job runs: neither idle nor restarting; of a measured wave, its steady state."""
    kind = part.wave.kind
    if kind is None:
        return here & (regime == "steady")
    return here & ~of_kinds(kind, (IDLE, RESTART))


def _regime(part: _Part, regime: Regime, wanted_s: float) -> RegimeFigures | None:
    here = part.known & (part.moved if regime == "transient" else ~part.moved)
    most, least = part.first_largest(part.high, here), part.first_largest(-part.low, here)
    if most is None or least is None:
        return None
    values = part.power[here]
    running = part.first_largest(-part.low, _running(part, regime, here))
    read = _segments(part, regime, here, wanted_s)
    pst = [block for block, moved in part.severities if moved == (regime == "transient")]
    return RegimeFigures(
        regime=regime,
        duration_s=values.size * part.wave.step_s,
        mean_w=float(values.mean()),
        sd_w=float(values.std()),
        most=most,
        least=Extreme(-least.value, least.at_s),
        least_running=None if running is None else Extreme(-running.value, running.at_s),
        ramps=_ramps(part, regime),
        range_w=_range(part, regime),
        found=read[0][0] if read else None,
        line=_line(part, read),
        bands=_bands(part, read),
        pst=max(pst, key=lambda block: block.value, default=None),
        pst_block_s=min(flickers.BLOCK_S, part.wave.duration_s),
        more=tuple(found for found, _ in read[1:]),
        pst_covered_fraction=part.severities_share if part.gaps else 1.0,
    )


def figures(
    wave: Wave,
    limits: Limits,
    settle_s: float = 30.0,
    only_limited: bool = False,
    extremes: tuple[Array, Array] | None = None,
) -> Figures | None:
    """Figures of a wave over the windows and bands of the limits; None where nothing of it is known.

    A ramp or range whose window touches a transient is of the transient; lines and bands of steady state come from
    segments within steady stretches, those of transients from segments of the whole record that touch one. Where the
    limits name no ramp, ramps are given over 1 s and 60 s. Ramps that begin or end in a gap, and segments and flicker
    blocks that hold one, are left out; a range takes a gap for the straight line it is bridged with. With
    ``only_limited`` nothing is worked out that no limit is on. ``extremes``, largest and smallest power of each step,
    shape (N,) each, are what peaks, least powers and ranges are taken from where the wave's values are interpolated.

    Raises ValueError where a power is not finite or beyond 1e100 W.
    """
    require(np.abs(wave.power_w).max() <= MOST_POWER_W, "powers must be finite and below 1e100 W")
    part = _Part(wave, limits, settle_s, only_limited, extremes)
    known = part.power[part.known] if part.gaps else part.power
    if known.size == 0:
        return None
    wanted_s = wanted_segment_s(limits, wave.step_s)
    steady = _regime(part, "steady", wanted_s)
    mean, peak = float(known.mean()), float(part.high[part.known].max())
    return Figures(
        mean_w=mean,
        sd_w=float(known.std()),
        peak_w=peak,
        min_w=float(part.low[part.known].min()),
        peak_to_mean_ratio=peak / mean if mean > 0.0 else math.inf,
        reference_w=mean if steady is None else steady.mean_w,
        wanted_segment_s=wanted_s,
        steady=steady,
        transient=_regime(part, "transient", wanted_s),
        swings=() if only_limited else _swings(part),
    )
