"""The verdict: a wave held to what a utility allows, limit by limit, steady state and transients apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from aiplan.planners.stabilize import flicker as flickers
from aiplan.planners.stabilize.figures import (
    BandFigure,
    Extreme,
    Figures,
    RampFigure,
    RegimeFigures,
    figures,
)
from aiplan.planners.stabilize.limits import Band, Finding, Limits, Regime, Verdict
from aiplan.planners.stabilize.ramps import WHOLE
from aiplan.planners.stabilize.spectrum import LEAST_PERIODS
from aiplan.planners.stabilize.wave import Wave

ROUNDING = 1e-9
"""A value that exceeds what is allowed by less than this share meets it: a ramp that is held to a limit rounds."""
LEAST_COVERED = 0.9
"""Share of the time that must have been looked at for a limit to pass; a choice [1]."""


def _margin(value: float, allowed: float, least: bool) -> float | None:
    if allowed == 0.0:
        return None
    return (value - allowed if least else allowed - value) / allowed


def _finding(
    limit: str,
    name: str,
    regime: Regime,
    value: float | None,
    allowed: float,
    unit: str,
    *,
    at: tuple[float | None, float | None] = (None, None),
    why: str = "",
    lower_bound: bool = True,
    binding: bool = True,
) -> Finding:
    """Value against limit. With ``why`` the wave shows part only: a violation of that part fails, else undetermined.

    ``lower_bound`` is False where a part that violates does not mean that the whole does; ``at`` is moment, frequency.
    """
    if value is None:
        verdict: Verdict = "undetermined"
        return Finding(limit, name, regime, None, allowed, unit, None, verdict, why=why, binding=binding)
    least = limit == "least"
    slack = ROUNDING * abs(allowed)
    violated = value < allowed - slack if least else value > allowed + slack
    part_decides = violated and lower_bound
    verdict = "undetermined" if why and not part_decides else "fail" if violated else "pass"
    margin = _margin(value, allowed, least)
    return Finding(limit, name, regime, value, allowed, unit, margin, verdict, at[0], at[1], why, binding)


def _parts(told: Figures | None) -> tuple[RegimeFigures, ...]:
    return () if told is None else tuple(part for part in (told.steady, told.transient) if part is not None)


def _only(told: Figures | None) -> Regime:
    """The regime a limit is reported under that the wave shows nothing of."""
    return "transient" if told is not None and told.steady is None else "steady"


def _ramp_findings(wave: Wave, limits: Limits, told: Figures | None) -> Iterator[Finding]:
    unit = "W/s"
    for place, limit in enumerate(limits.ramps):
        for way, allowed in (("up", limit.up_w_per_s), ("down", limit.down_w_per_s)):
            if math.isinf(allowed):
                continue
            seen = [(part.regime, *_steepest(part.ramps[place], way, allowed)) for part in _parts(told)]
            seen = [one for one in seen if one[1] is not None or one[2]]
            for regime, extreme, why in seen:
                value, at = (None, None) if extreme is None else (extreme.value, extreme.at_s)
                yield _finding(f"ramp_{way}", limit.name, regime, value, allowed, unit, at=(at, None), why=why)
            if not seen:
                why = _no_window(wave, limit.window_s)
                yield _finding(f"ramp_{way}", limit.name, _only(told), None, allowed, unit, why=why)


def _steepest(figure: RampFigure, way: str, allowed: float) -> tuple[Extreme | None, str]:
    """The steepest ramp that is certain, and what a gap may hide: empty where that breaks nothing."""
    seen: Extreme | None = getattr(figure, way)
    least: Extreme | None = getattr(figure, f"gap_{way}")
    jump: Extreme | None = getattr(figure, f"jump_{way}")
    above = allowed * (1.0 + ROUNDING)
    if least is not None and least.value > max(above, 0.0 if seen is None else seen.value):
        return least, f"across a gap: the least that the steepest {figure.window_s:g} s can have been"
    broken = seen is not None and seen.value > above
    if not broken and jump is not None and jump.value > above * figure.window_s:
        side = "higher" if way == "up" else "lower"
        hidden = f"power is {jump.value / 1e6:.4g} MW {side} after the gap at {jump.at_s:g} s than before it"
        return seen, f"{hidden}; a change of so much within {figure.window_s:g} s would break the limit"
    return seen, ""


def _no_window(wave: Wave, window_s: float) -> str:
    if window_s < wave.step_s * (1.0 - WHOLE):
        return f"a window of {window_s:g} s needs {1.0 / window_s:g} values a second; the wave has {wave.rate_hz:g}"
    return f"no {window_s:g} s of the wave are known at both ends; it is {wave.duration_s:g} s long"


def _range_findings(wave: Wave, limits: Limits, told: Figures | None) -> Iterator[Finding]:
    if limits.range_w is None:
        return
    window, allowed = limits.range_window_s, limits.range_w
    seen = [(part.regime, part.range_w) for part in _parts(told) if part.range_w is not None]
    short = window > (wave.power_w.size - 1) * wave.step_s * (1.0 + WHOLE)
    why = f"a window of {window:g} s needs a longer wave; it is {wave.duration_s:g} s long" if short else ""
    for regime, extreme in seen:
        yield _finding("range", "", regime, extreme.value, allowed, "W", at=(extreme.at_s, None), why=why)
    if not seen:
        yield _finding("range", "", _only(told), None, allowed, "W", why=why or _no_window(wave, window))


def _level_findings(limits: Limits, told: Figures | None) -> Iterator[Finding]:
    nothing = "" if told is not None else "no value of the wave is known"
    if limits.most_w is not None:
        for part in _parts(told):
            at = (part.most.at_s, None)
            yield _finding("most", "", part.regime, part.most.value, limits.most_w, "W", at=at)
        if told is None:
            yield _finding("most", "", "steady", None, limits.most_w, "W", why=nothing)
    if limits.least_w is not None:
        seen: list[tuple[Regime, Extreme]] = []
        for part in _parts(told):
            if part.least_running is not None:
                seen.append((part.regime, part.least_running))
        for regime, extreme in seen:
            yield _finding("least", "", regime, extreme.value, limits.least_w, "W", at=(extreme.at_s, None))
        if told is None:
            yield _finding("least", "", "steady", None, limits.least_w, "W", why=nothing)
        elif not seen:
            yield Finding("least", "", _only(told), None, limits.least_w, "W", None, "pass", why="the job never runs")


def _blind(
    wave: Wave, band: Band, told: Figures | None, part: RegimeFigures | None, figure: BandFigure | None
) -> tuple[str, bool]:
    """Why a band is not seen whole, empty where it is; and whether it reaches beyond half the rate."""
    if told is None or part is None:
        return ("no value of the wave is known" if told is None else "the wave has no steady state"), False
    high = band.high_hz > 0.5 * wave.rate_hz * (1.0 + WHOLE)
    said = []
    if high:
        rate = 2.0 * band.high_hz
        said.append(f"a band up to {band.high_hz:g} Hz needs {rate:g} values a second; the wave has {wave.rate_hz:g}")
    have = 0.0 if part.found is None else part.found.segment_s
    need = LEAST_PERIODS / band.low_hz if band.low_hz > 0.0 else math.inf
    if have == 0.0:
        need = max(told.wanted_segment_s, 0.0 if math.isinf(need) else need)
        said.append(f"a spectrum needs an unbroken stretch of {need:g} s of this regime; the wave has none")
    elif have < need * (1.0 - WHOLE):
        wants = f"an unbroken stretch of {need:g} s" if math.isfinite(need) else "a lower end above 0 Hz"
        said.append(f"a band from {band.low_hz:g} Hz needs {wants}; the segments are {have:g} s long")
    elif figure is not None and figure.covered_fraction < LEAST_COVERED:
        share = f"only {figure.covered_fraction:.0%} of the known {part.regime} time"
        said.append(
            f"{share} lies in unbroken stretches of {need:g} s, which a band from {band.low_hz:g} Hz needs; "
            "gaps break up the rest"
        )
    return "; ".join(said), high


def _band_findings(wave: Wave, limits: Limits, told: Figures | None) -> Iterator[Finding]:
    parts: tuple[RegimeFigures | None, ...] = _parts(told)
    if told is None or told.steady is None:
        # Lines count in steady state; a wave without one must not pass for that.
        parts = (None, *parts)
    for place, band in enumerate(limits.bands):
        for part in parts:
            figure = None if part is None else part.bands[place]
            why, high = _blind(wave, band, told, part, figure)
            regime: Regime = "steady" if part is None else part.regime
            binding = regime == "steady" or limits.spectrum_of == "both"
            reference = 0.0 if told is None else told.reference_w
            yield from _of_band(band, figure, regime, reference, why, high, binding)


def _of_band(
    band: Band, figure: BandFigure | None, regime: Regime, reference_w: float, why: str, high: bool, binding: bool
) -> Iterator[Finding]:
    line = None if figure is None else figure.line
    at = (None, None) if line is None else (line.at_s, line.f_hz)
    amplitude = None if figure is None else 0.0 if line is None else line.amplitude_w
    rms = None if figure is None else figure.rms_w
    share = None if figure is None else figure.share_fraction
    name = band.name
    if band.line_w is not None:
        yield _finding("line", name, regime, amplitude, band.line_w, "W", at=at, why=why, binding=binding)
    if band.line_fraction is not None:
        ratio = amplitude / reference_w if amplitude is not None and reference_w > 0.0 else None
        said = why if amplitude is None or reference_w > 0.0 else "mean power is not above 0"
        yield _finding("line_fraction", name, regime, ratio, band.line_fraction, "1", at=at, why=said, binding=binding)
    if band.rms_w is not None:
        yield _finding("rms", name, regime, rms, band.rms_w, "W", why=why, binding=binding)
    if band.share_fraction is not None:
        allowed = band.share_fraction
        # What lies above half the rate, inside the band or beyond it, moves the share either way.
        yield _finding("share", name, regime, share, allowed, "1", why=why, lower_bound=not high, binding=binding)


def _flicker_findings(wave: Wave, limits: Limits, told: Figures | None) -> Iterator[Finding]:
    if limits.flicker is None:
        return
    allowed = limits.flicker.pst
    seen = [(part, part.pst) for part in _parts(told) if part.pst is not None]
    for part, pst in seen:
        share, why = part.pst_covered_fraction, ""
        if share < LEAST_COVERED:
            why = f"only {share:.0%} of the time lies in blocks of {flickers.BLOCK_S:g} s without a gap"
        finding = _finding("flicker", "", part.regime, pst.value, allowed, "1", at=(pst.at_s, None), why=why)
        if not why and part.pst_block_s < flickers.BLOCK_S * (1.0 - WHOLE):
            finding = replace(finding, why=f"over a block of {part.pst_block_s:g} s, not {flickers.BLOCK_S:g} s")
        yield finding
    if not seen:
        least = flickers.LEAST_RATE_HZ
        if wave.rate_hz < least * (1.0 - WHOLE):
            why = f"flicker needs {least:g} values a second; the wave has {wave.rate_hz:g}"
        else:
            why = f"flicker needs {flickers.BLOCK_S:g} s without a gap"
        yield _finding("flicker", "", _only(told), None, allowed, "1", why=why)


def check(wave: Wave, limits: Limits, settle_s: float = 30.0) -> tuple[Finding, ...]:
    """Every limit against the wave, in steady state and in transients, in the order of `Limits`.

    Limits on ramps, range, levels and flicker count in both regimes, lines and bands in steady state and, where
    ``limits.spectrum_of`` is ``both``, in transients. Infinite ramp limits give no finding. A regime that a wave has
    nothing of gives none, but a limit that would thereby be left out is ``undetermined``, with what would decide it
    in ``why``. Where the wave shows only part of what a limit is on, a violation in that part fails, and anything
    else is undetermined; a share fails only when the wave shows all up to the band's upper end. So it is where gaps
    leave less than 90 % of the known time to segments or flicker blocks, or hide a change that could break a ramp.

    Parameters
    ----------
    settle_s : time after a transient that still belongs to it [s]

    Raises ValueError where a power is not finite or beyond 1e100 W.
    """
    return judge(wave, limits, figures(wave, limits, settle_s, only_limited=True))


def judge(wave: Wave, limits: Limits, told: Figures | None) -> tuple[Finding, ...]:
    """As `check`, for figures that `figures.figures` has already found of this wave and these limits."""
    return (
        *_ramp_findings(wave, limits, told),
        *_range_findings(wave, limits, told),
        *_level_findings(limits, told),
        *_band_findings(wave, limits, told),
        *_flicker_findings(wave, limits, told),
    )


def blind_ramps(told: Figures, limits: Limits) -> list[str]:
    """Ramp limits that pass though power moves by more than they allow within their window, in words.

    A ramp compares two moments a window apart; a swing whose period divides the window is none. Empty for figures that
    were found with ``only_limited``.
    """
    out = []
    for place, (limit, swing) in enumerate(zip(limits.ramps, told.swings, strict=False)):
        most = {"up": limit.up_w_per_s, "down": limit.down_w_per_s}
        allowed = min(most.values()) * limit.window_s * (1.0 + ROUNDING)
        if swing is None or not swing.value > allowed:
            continue
        ends = [(getattr(part.ramps[place], way), most[way]) for part in _parts(told) for way in most]
        values = [(end.value, bound) for end, bound in ends if end is not None]
        if values and all(value <= bound * (1.0 + ROUNDING) for value, bound in values):
            name = f" of {limit.name}" if limit.name else ""
            steepest = max(value for value, _ in values)
            apart = f"values {limit.window_s:g} s apart differ by {steepest * limit.window_s / 1e6:.4g} MW at most"
            moves = f"power moves by {swing.value / 1e6:.4g} MW within {limit.window_s:g} s"
            out.append(f"ramp{name}: {moves}, though {apart}; only limits on range or lines judge that")
    return out
