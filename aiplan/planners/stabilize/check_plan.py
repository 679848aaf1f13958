"""A measured wave held to limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.stabilize.check import blind_ramps, judge
from aiplan.planners.stabilize.figures import Figures, figures
from aiplan.planners.stabilize.limits import Finding, Verdict, whole_verdict
from aiplan.planners.stabilize.limits_file import ReadLimits
from aiplan.planners.stabilize.wave_file import MOST_BRIDGED, WaveFile
from aiplan.report.model import Warn
from aiplan.report.numbers import number as told

_MEGA = 1e6
MOST_SAID = 6
"""Findings named in one warning [1]."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """Everything the report prints, as numbers; ``worst`` is the limit broken worst, else the tightest."""

    file: WaveFile
    read: ReadLimits
    settle_s: float
    findings: tuple[Finding, ...]
    figures: Figures
    verdict: Verdict
    worst: Finding | None
    warnings: tuple[Warn, ...]


def check_plan(file: WaveFile, read: ReadLimits, settle_s: float) -> CheckResult:
    """Hold a wave to limits.

    Parameters
    ----------
    settle_s : after a transient, before the state is steady [s]

    Raises
    ------
    InputError (E118) where the numbers, each possible, lead together beyond what a computer can hold.
    """
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            found = figures(file.wave, read.limits, settle_s, extremes=file.extremes)
            findings = judge(file.wave, read.limits, found)
    except ArithmeticError as error:
        hint = "look for powers or limits that are far too large, far too small, or zero"
        raise InputError(Problem("E118", f"the numbers given cannot be computed with: {error}", hint=hint)) from None
    if found is None:
        raise InputError(Problem("E304", "has no value that is known", file=file.name, hint="record for longer"))
    return CheckResult(
        file,
        read,
        settle_s,
        findings,
        found,
        whole_verdict(findings),
        worst_of(findings),
        _warnings(file, read, findings, found),
    )


def worst_of(findings: tuple[Finding, ...]) -> Finding | None:
    """Of the limits that count, the one broken worst, else the tightest that is kept; None where all are untold."""
    for verdict in ("fail", "pass"):
        told = [one for one in findings if one.binding and one.verdict == verdict and one.margin_fraction is not None]
        if told:
            return min(told, key=lambda one: one.margin_fraction or 0.0)
    return None


def _warnings(file: WaveFile, read: ReadLimits, findings: tuple[Finding, ...], found: Figures) -> tuple[Warn, ...]:
    """What a reader must know: what cannot be told or does not count, gaps, numbers that are uncertain."""
    out = list(read.warnings)
    untold: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict == "undetermined" and finding.binding:
            untold.setdefault(finding.why, []).append(said(finding))
    for why, whose in untold.items():
        out.append(Warn("W-STABILIZE-UNTOLD", f"undetermined: {', '.join(dict.fromkeys(whose))}: {why}"))
    if aside := [in_words(one) for one in findings if one.verdict == "fail" and not one.binding]:
        more = f"; and {len(aside) - MOST_SAID} more" * (len(aside) > MOST_SAID)
        text = f"broken in transients, where it does not count: {'; '.join(aside[:MOST_SAID])}{more}"
        out.append(Warn("W-STABILIZE-TRANSIENT", text))
    out += [Warn("W-STABILIZE-WINDOW", text) for text in blind_ramps(found, read.limits)]
    if file.gaps:
        out.append(Warn("W-STABILIZE-GAPS", _gaps_told(file)))
    if file.between:
        text = f"{file.between:,} of {file.rows:,} values fall between steps of {file.wave.step_s:g} s"
        text += ": peaks, least powers and ranges take them as written; ramps, lines and flicker do not see them"
        out.append(Warn("W-STABILIZE-RESAMPLED", text))
    if uncertain := read.parameters.uncertain():
        out.append(Warn("W-STABILIZE-MEDIAN", f"taken at their medians: {', '.join(uncertain)}"))
    return tuple(out)


def _gaps_told(file: WaveFile) -> str:
    """Gaps and what became of them."""
    unseen = [gap.end_s - gap.start_s for gap in file.gaps if not gap.bridged]
    count, bridged = len(file.gaps), len(file.gaps) - len(unseen)
    text = f"{count:,} gap{'s' * (count > 1)}"
    if bridged:
        share = sum(gap.steps for gap in file.gaps if gap.bridged) / file.wave.power_w.size
        text += f", {bridged:,} of them ({share:.2%} of the time) bridged: {MOST_BRIDGED} values missing at most"
        text += ", read from a straight line"
    if unseen:
        others = f"; the other {len(unseen):,}" * bool(bridged)
        text += f"{others}, {file.gap_share:.2%} of the time, the longest {max(unseen):g} s"
        text += ": what happened in them is not judged"
    return text


def in_mega(finding: Finding) -> tuple[float | None, float | None, str]:
    """Value and what is allowed, in MW and MW/s where they are powers."""
    unit = {"W": "MW", "W/s": "MW/s"}.get(finding.unit, finding.unit)
    size = 1.0 if unit == finding.unit else _MEGA
    value, allowed = (
        None if one is None or math.isinf(one) else one / size for one in (finding.value, finding.allowed)
    )
    return value, allowed, unit


def in_words(finding: Finding) -> str:
    """A finding in one line: limit, value, what is allowed, where."""
    value, allowed, unit = in_mega(finding)
    where = [f"{finding.at_hz:.4g} Hz"] if finding.at_hz is not None else []
    where += [f"{finding.at_s:.10g} s"] if finding.at_s is not None else []
    place = f", at {', '.join(where)}" if where else ""
    return f"{said(finding)}: {told(value)}{f' {unit}' * (unit != '1')}, {told(allowed)} allowed{place}"


LIMIT_WORDS = {
    "ramp_up": "ramp up",
    "ramp_down": "ramp down",
    "range": "range",
    "most": "most power",
    "least": "least power",
    "line": "line",
    "line_fraction": "line over mean",
    "rms": "RMS",
    "share": "share",
    "flicker": "flicker Pst",
}


def said(finding: Finding) -> str:
    """A limit in words: ``line of critical, steady``.

    >>> said(Finding("ramp_up", "", "transient", None, 1e6, "W/s", None, "pass"))
    'ramp up, transient'
    """
    of = f" of {finding.name}" if finding.name else ""
    return f"{LIMIT_WORDS.get(finding.limit, finding.limit)}{of}, {finding.regime}"
