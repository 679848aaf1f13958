"""A measured wave held to limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.stabilize.check import judge
from aiplan.planners.stabilize.figures import Figures, figures
from aiplan.planners.stabilize.limits import Finding, Verdict, whole_verdict
from aiplan.planners.stabilize.limits_file import ReadLimits
from aiplan.planners.stabilize.wave_file import WaveFile
from aiplan.report.model import Warn


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
            found = figures(file.wave, read.limits, settle_s)
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
        _warnings(file, read, findings),
    )


def worst_of(findings: tuple[Finding, ...]) -> Finding | None:
    """Of the limits that count, the one broken worst, else the tightest that is kept; None where all are untold."""
    for verdict in ("fail", "pass"):
        told = [one for one in findings if one.binding and one.verdict == verdict and one.margin_fraction is not None]
        if told:
            return min(told, key=lambda one: one.margin_fraction or 0.0)
    return None


def _warnings(file: WaveFile, read: ReadLimits, findings: tuple[Finding, ...]) -> tuple[Warn, ...]:
    """What a reader must know: what cannot be told, gaps, numbers that are uncertain."""
    out = list(read.warnings)
    untold: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict == "undetermined" and finding.binding:
            untold.setdefault(finding.why, []).append(said(finding))
    for why, whose in untold.items():
        out.append(Warn("W-STABILIZE-UNTOLD", f"undetermined: {', '.join(dict.fromkeys(whose))}: {why}"))
    if file.gaps:
        longest = max(gap.end_s - gap.start_s for gap in file.gaps)
        what = f"{len(file.gaps):,} gap{'s' * (len(file.gaps) > 1)}, {file.gap_share:.2%} of the time"
        text = f"{what}, the longest {longest:g} s: what happened in them is not judged"
        out.append(Warn("W-STABILIZE-GAPS", text))
    if uncertain := read.parameters.uncertain():
        out.append(Warn("W-STABILIZE-MEDIAN", f"taken at their medians: {', '.join(uncertain)}"))
    return tuple(out)


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
