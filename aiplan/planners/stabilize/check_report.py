"""A wave held to limits as a report; tables and charts that take any number of waves."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aiplan.planners.stabilize.check_charts import spectrum_charts, spectrum_table, waveform_chart, waveform_table
from aiplan.planners.stabilize.check_plan import LIMIT_WORDS, CheckResult, in_mega, in_words
from aiplan.planners.stabilize.figures import Extreme, Figures, RegimeFigures
from aiplan.planners.stabilize.limits import Finding, Limits
from aiplan.planners.stabilize.ramps import ramp
from aiplan.planners.stabilize.spectrum import Line as Peak
from aiplan.planners.stabilize.spectrum import lines as largest_lines
from aiplan.planners.stabilize.wave import Wave
from aiplan.report.model import Cell, Column, Line, Origin, Report, Table, worst_grade
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

LARGEST_LINES = 8
MOST_GAPS = 200
"""Gaps listed: a meter that loses a value now and then loses many thousands in a day."""
_MEGA = 1e6

# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "verdict": ("Verdict", None, "fail if a limit is broken, else undetermined if one cannot be told, else pass"),
    "binding": ("Tightest limit", None, "the one with the least margin, (allowed - value) / allowed"),
    "ramp_up_mw_per_s": ("Steepest rise", "MW/s", "max (P(t + w) - P(t)) / w"),
    "ramp_down_mw_per_s": ("Steepest fall", "MW/s", "max (P(t) - P(t + w)) / w"),
    "largest_line_mw": ("Largest line, peak of its sine", "MW", "2 |X| / sum(window), Hann, largest over segments"),
    "largest_line_hz": ("Frequency of that line", "Hz", "parabola through the three highest bins"),
    "mean_mw": ("Mean power", "MW", "mean P"),
    "peak_mw": ("Largest power", "MW", "max P"),
    "least_mw": ("Smallest power", "MW", "min P"),
    "range_mw": ("Largest range within a window", "MW", "max over windows of (max P - min P)"),
    "standard_deviation_mw": ("Standard deviation", "MW", "sqrt(mean (P - mean)^2)"),
    "peak_to_mean_ratio": ("Largest power over mean", None, "max P / mean P"),
    "sampling_hz": ("Values per second", "Hz", "1 / step; nothing above half of it can be seen"),
    "gap_share": ("Share of the time in gaps", None, "steps without a value, bridged ones apart / steps"),
}

NOT_MODELLED = (
    "the grid's answer: resonances, voltage control, other loads at the same point",
    "reactive power, and harmonics and interharmonics of the mains",
    "ride-through of faults and tripping of the load",
)


def check_report(result: CheckResult, catalog: Catalog) -> Report:
    """The report of `aiplan stabilize check`."""
    file, read, figures = result.file, result.read, result.figures
    records = read.parameters.records()
    named = dict.fromkeys(source for record in records for source in record.sources)
    waves, found = [("measured", file.wave)], [("measured", figures)]
    return Report(
        planner="stabilize-check",
        title=f"{file.name} held to {read.name}",
        headline=_headline(result),
        scenario=Origin(file.name, _digest(result)),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=tuple(_lines(result)),
        tables=(
            limits_table(result.findings),
            ramps_table(found, waves),
            lines_table(found),
            bands_table(found, read.limits),
            _gaps(result),
            waveform_table(waves),
            spectrum_table(found),
        ),
        warnings=result.warnings,
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in named} | {file.name: "measured wave given"},
        context=_context(result),
        charts=(waveform_chart(waves, read.limits), *spectrum_charts(found, read.limits)),
    )


def _digest(result: CheckResult) -> str:
    """Hash of what was held to what."""
    wave = result.file.wave
    found = hashlib.sha256(repr((result.read.sha256, result.settle_s, wave.step_s, wave.start_s)).encode())
    found.update(np.ascontiguousarray(wave.power_w).tobytes())
    found.update(b"" if wave.known is None else wave.known.tobytes())
    for extreme in result.file.extremes or ():
        found.update(np.ascontiguousarray(extreme).tobytes())
    return found.hexdigest()


def _headline(result: CheckResult) -> str:
    counted = [one for one in result.findings if one.binding]
    broken = [one for one in counted if one.verdict == "fail"]
    untold = [one for one in counted if one.verdict == "undetermined"]
    whose = f"{result.file.name} against {result.read.name}: {result.verdict}"
    if broken:
        more = f", and {len(untold)} cannot be told" if untold else ""
        return (
            f"{whose}. {len(broken)} of {len(counted)} limits are broken{more}; worst is {worst_words(result.worst)}."
        )
    tight = f"; tightest is {worst_words(result.worst)}" if result.worst else ""
    if untold:
        return f"{whose}. None of {len(counted)} limits is seen broken, but {len(untold)} cannot be told{tight}."
    return f"{whose}. All {len(counted)} limits are kept{tight}."


def worst_words(finding: Finding | None) -> str:
    """A finding in one line: limit, value, what is allowed, where."""
    return "none" if finding is None else in_words(finding)


def _regimes(figures: Figures) -> list[RegimeFigures]:
    return [one for one in (figures.steady, figures.transient) if one is not None]


def main_line(figures: Figures, limits: Limits) -> Peak | None:
    """The largest line of what the limits' spectrum is of: steady state, or transients too."""
    told_of = _regimes(figures) if limits.spectrum_of == "both" else _regimes(figures)[:1]
    return max((one.line for one in told_of if one.line), key=lambda line: line.amplitude_w, default=None)


def _largest(found: Sequence[Extreme | None]) -> float | None:
    return max((one.value for one in found if one is not None), default=None)


def figure_values(figures: Figures, limits: Limits) -> dict[str, Cell]:
    """Values of the lines that tell of a wave alone, by id."""
    parts = _regimes(figures)
    line = main_line(figures, limits)
    ratio = figures.peak_to_mean_ratio
    return {
        "ramp_up_mw_per_s": _mega(_largest([one.ramps[0].up for one in parts])),
        "ramp_down_mw_per_s": _mega(_largest([one.ramps[0].down for one in parts])),
        "largest_line_mw": None if line is None else line.amplitude_w / _MEGA,
        "largest_line_hz": None if line is None else line.f_hz,
        "mean_mw": figures.mean_w / _MEGA,
        "peak_mw": figures.peak_w / _MEGA,
        "least_mw": figures.min_w / _MEGA,
        "range_mw": _mega(_largest([one.range_w for one in parts])),
        "standard_deviation_mw": figures.sd_w / _MEGA,
        "peak_to_mean_ratio": ratio if math.isfinite(ratio) else None,
    }


def _mega(value: float | None) -> float | None:
    return None if value is None else value / _MEGA


def _lines(result: CheckResult) -> list[Line]:
    file, limits, items = result.file, result.read.limits, result.read.parameters.items
    worst = worst_words(result.worst) if result.worst else None
    values: dict[str, Cell] = {
        "verdict": result.verdict,
        "binding": worst,
        **figure_values(result.figures, limits),
        "sampling_hz": file.wave.rate_hz,
        "gap_share": file.gap_share,
    }
    bands = tuple(path for path in items if path.startswith("limits.bands.") and path.endswith("_hz"))
    window_path = next((path for path in items if path.startswith("limits.ramp") and path.endswith("window_s")), None)
    window = limits.ramps[0].window_s if limits.ramps else 1.0
    rests_on = {"verdict": tuple(items), "binding": tuple(items)}
    rests_on |= dict.fromkeys(("ramp_up_mw_per_s", "ramp_down_mw_per_s"), (window_path,) if window_path else ())
    rests_on |= dict.fromkeys(("largest_line_mw", "largest_line_hz"), bands)
    grades = worst_grade([item.quantity.grade or "assumption" for item in items.values()])
    out = []
    for name, (label, unit, formula) in LINES.items():
        if name.startswith("ramp_"):
            label += f" over {window:g} s"
        if name == "range_mw":
            label = f"Largest range within {limits.range_window_s:g} s"
        grade = grades if name in ("verdict", "binding") else "measured"
        out.append(Line(name, label, values[name], unit, grade=grade, sources=(file.name,), formula=formula,
                        inputs=rests_on.get(name, ())))  # fmt: skip
    return out


def _context(result: CheckResult) -> tuple[tuple[str, str], ...]:
    file, read, wave = result.file, result.read, result.file.wave
    names = file.columns
    column = names[0] if len(names) == 1 else f"sum of {len(names)} columns, {names[0]} to {names[-1]}"
    shape = "values interpolated to" if file.resampled else "steps of"
    length = f"{wave.power_w.size:,} {shape} {wave.step_s:g} s, {wave.duration_s:,.6g} s in all"
    parts = [f"{told(one.duration_s)} s {one.regime}" for one in _regimes(result.figures)]
    out = [("Power", column), ("Wave", length), ("State", f"{', '.join(parts)}; settles in {result.settle_s:g} s")]
    out += [("Begins", file.begins)] if file.begins else []
    out += [("Left out", f"{file.trimmed_rows:,} rows without power at the ends")] if file.trimmed_rows else []
    out += [("Limits", f"{read.name}. {read.note}" if read.note else read.name)]
    return tuple(out)


def limits_table(findings: Sequence[Finding], table_id: str = "limits", title: str = "Limit by limit") -> Table:
    """Each limit: value, what is allowed, margin, verdict, moment and frequency, and why where it cannot be told."""
    columns = (
        Column("limit", "limit", keep=True),
        Column("name", "of"),
        Column("regime", "state"),
        Column("value", "value", keep=True),
        Column("allowed", "allowed", keep=True),
        Column("unit", "unit", keep=True),
        Column("margin_fraction", "margin"),
        Column("verdict", "verdict", keep=True),
        Column("at_s", "at", "s"),
        Column("at_hz", "at", "Hz"),
        Column("counts", "in verdict"),
        Column("why", "why"),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in findings:
        value, allowed, unit = in_mega(one)
        rows.append((LIMIT_WORDS.get(one.limit, one.limit), one.name, one.regime, value, allowed,
                     "" if unit == "1" else unit, one.margin_fraction, one.verdict, one.at_s, one.at_hz, one.binding,
                     one.why))  # fmt: skip
    return Table(table_id, title, columns, tuple(rows))


def ramps_table(waves: Sequence[tuple[str, Figures]], steps: Sequence[tuple[str, Wave]] = ()) -> Table:
    """Steepest rise and fall of each wave over each window, and when the window begins; of ``steps``, over one step."""
    columns = (
        Column("wave", "wave", keep=True),
        Column("regime", "state"),
        Column("window_s", "window", "s", keep=True),
        Column("up_mw_per_s", "rise", "MW/s", keep=True),
        Column("up_at_s", "at", "s"),
        Column("down_mw_per_s", "fall", "MW/s", keep=True),
        Column("down_at_s", "at", "s"),
    )
    rows: list[tuple[Cell, ...]] = []
    for label, figures in waves:
        for part in _regimes(figures):
            for one in part.ramps:
                ends = ((None, None) if end is None else (end.value / _MEGA, end.at_s) for end in (one.up, one.down))
                rows.append((label, part.regime, one.window_s, *(cell for pair in ends for cell in pair)))
    for label, wave in steps:
        change = ramp(wave.power_w, wave.step_s, wave.step_s)
        if wave.known is not None:
            change = np.where(wave.known[1:] & wave.known[:-1], change, 0.0)
        cells: list[Cell] = []
        for signed in (change, -change):
            at = int(signed.argmax())
            cells += [max(0.0, float(signed[at])) / _MEGA, wave.start_s + at * wave.step_s]
        rows.append((label, "all", wave.step_s, *cells))
    return Table("ramps", "Steepest ramps", columns, tuple(rows))


def lines_table(waves: Sequence[tuple[str, Figures]]) -> Table:
    """The largest lines of each wave's spectrum, whether limited or not; amplitudes are peaks of a sine."""
    columns = (
        Column("wave", "wave", keep=True),
        Column("regime", "state"),
        Column("line_hz", "frequency", "Hz", keep=True),
        Column("line_mw", "amplitude, peak of the sine", "MW", keep=True),
        Column("line_fraction", "over mean"),
        Column("at_s", "segment begins", "s"),
    )
    rows: list[tuple[Cell, ...]] = []
    for label, figures in waves:
        for part in _regimes(figures):
            for line in _largest_lines(part):
                share = line.amplitude_w / figures.reference_w if figures.reference_w > 0 else None
                rows.append((label, part.regime, line.f_hz, line.amplitude_w / _MEGA, share, line.at_s))
    return Table("lines", "Largest lines", columns, tuple(rows))


def _largest_lines(part: RegimeFigures) -> list[Peak]:
    """The largest lines of all spectra of a regime, largest first; a line that two of them show counts once."""
    if not part.more:
        return list(largest_lines(part.found, LARGEST_LINES)) if part.found else []
    found = [(line, one.segment_s) for one in part.spectra for line in largest_lines(one, LARGEST_LINES)]
    out: list[tuple[Peak, float]] = []
    for line, segment_s in sorted(found, key=lambda one: -one[0].amplitude_w):
        others = [(other, length) for other, length in out if length != segment_s]
        if all(abs(line.f_hz - other.f_hz) >= 2.0 / min(length, segment_s) for other, length in others):
            out.append((line, segment_s))
    return [line for line, _ in out[:LARGEST_LINES]]


def bands_table(waves: Sequence[tuple[str, Figures]], limits: Limits) -> Table:
    """What each band holds, of the part of it that the record shows."""
    columns = (
        Column("band", "band", keep=True),
        Column("wave", "wave"),
        Column("regime", "state"),
        Column("low_hz", "from", "Hz"),
        Column("high_hz", "to", "Hz"),
        Column("seen_low_hz", "seen from", "Hz"),
        Column("seen_high_hz", "seen to", "Hz"),
        Column("line_mw", "largest line, peak", "MW", keep=True),
        Column("line_hz", "at", "Hz"),
        Column("rms_mw", "RMS", "MW", keep=True),
        Column("share_fraction", "share", keep=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for label, figures in waves:
        for part in _regimes(figures):
            for band, seen in zip(limits.bands, part.bands, strict=True):
                head = (band.name, label, part.regime, band.low_hz, band.high_hz)
                if seen is None:
                    rows.append((*head, None, None, None, None, None, None))
                    continue
                line = (None, None) if seen.line is None else (seen.line.amplitude_w / _MEGA, seen.line.f_hz)
                rows.append((*head, seen.low_hz, seen.high_hz, *line, seen.rms_w / _MEGA, seen.share_fraction))
    return Table("bands", "Bands", columns, tuple(rows), shown=bool(rows))


def _gaps(result: CheckResult) -> Table:
    columns = (
        Column("start_s", "from", "s", keep=True),
        Column("end_s", "to", "s", keep=True),
        Column("duration_s", "length", "s", keep=True),
        Column("steps", "steps"),
        Column("empty_rows", "rows without a value"),
        Column("bridged", "bridged", keep=True),
    )
    gaps = result.file.gaps
    shown = sorted(sorted(gaps, key=lambda gap: -gap.steps)[:MOST_GAPS], key=lambda gap: gap.start_s)
    title = "Gaps" if len(shown) == len(gaps) else f"Gaps, the longest {len(shown)} of {len(gaps):,}"
    rows = tuple((gap.start_s, gap.end_s, gap.end_s - gap.start_s, gap.steps, gap.empty_rows, gap.bridged)
                 for gap in shown)  # fmt: skip
    return Table("gaps", title, columns, rows, shown=bool(rows))
