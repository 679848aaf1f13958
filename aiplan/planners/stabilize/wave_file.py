"""A measured wave from a CSV: one column of times, one of power or several that are summed.

Times are seconds in ``t_s``, another unit that a name such as ``t_ms`` ends in, or dates in ``time``. The sum is found
as `aiplan.planners.power.power_trace` finds it. Steps that differ are brought to the median step, and extremes of the
values as they are written are kept beside it. Cells without a value and rows that are missing become gaps: a straight
line that is marked as not known, unless no more than two values are missing. The planner's only reader of measured
files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aiplan import units
from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem
from aiplan.inputs.reader import printable, read_bytes
from aiplan.inputs.table import MAX_CSV_BYTES, Rows, read_csv
from aiplan.planners.arrays import Array
from aiplan.planners.power.power_trace import MOST_S, MOST_W, Lines, cells, listed, power_columns, watts
from aiplan.planners.stabilize.wave import Wave
from aiplan.planners.thermal.telemetry_cells import time_of, times_of

LEAST_SAMPLES = 16
MOST_STEPS = 10_000_000
MOST_GAP_SHARE = 0.5
"""Share of unknown steps above which a file tells too little; a choice [1]."""
LONGEST_STEP = 1.5
"""Time between two values, in median steps and in steps that 90 % do not exceed, above which something is missing; a
choice [1]."""
USUAL_PERCENT = 90.0
MOST_BRIDGED = 2
"""Missing values in a row that a straight line may stand for; a choice [1]."""
SAME_TIME = 0.05
"""How far times may stray from equal steps and still count as such, in steps: a clock of milliseconds that writes 60
values a second strays by 0.03; a choice [1]."""
_TIMES = frozenset({"t", "time", "elapsed"})
_DATES = ("time", "timestamp", "datetime", "date_time", "t")
_ZONE = re.compile(r":\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$", re.ASCII)
_NUMBERED = re.compile(r"(.*[^\d_])\d+")
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that no value stands for.

    Attributes
    ----------
    start_s, end_s : from the end of the last value before it to the beginning of the first after it [s]
    steps : steps of the wave in it [1]
    empty_rows : rows of the file in it that hold no value; 0 where rows are missing altogether [1]
    bridged : whether it is so short that the straight line across it counts as known
    """

    start_s: float
    end_s: float
    steps: int
    empty_rows: int
    bridged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class WaveFile:
    """A measured wave and what was done to it.

    Attributes
    ----------
    name : of the file, without its folder
    columns : columns of power read: the sum, or those that were added up
    rows : of the file; ``trimmed_rows`` without a value were left out at both ends
    resampled : whether steps differed, so that values are interpolated
    begins : date of the first row where the file has dates, else empty
    extremes : largest and smallest power of each step, shape (N,) each [W], where values are interpolated; else None
    between : values beyond one a step, which interpolation passes over [1]
    """

    wave: Wave
    name: str
    columns: tuple[str, ...]
    rows: int
    trimmed_rows: int
    gaps: tuple[Gap, ...]
    resampled: bool
    begins: str = ""
    extremes: tuple[Array, Array] | None = None
    between: int = 0

    @property
    def gap_share(self) -> float:
        """Share of the wave's steps that are not known; bridged gaps are [1]."""
        return 0.0 if self.wave.known is None else float(np.mean(~self.wave.known))


def read_wave(path: Path, column: str = "") -> WaveFile:
    """Read a wave.

    Parameters
    ----------
    column : of power, where the names do not tell

    Raises
    ------
    InputError for a file that is no CSV; columns that cannot be told apart (E300); cells that are neither number nor
    empty, and times without a number (E302); negative or absurd power, times that do not rise (E303); fewer than 16
    values, hardly anything but gaps, more steps than can be held (E304). All problems of a kind at once, with their
    lines.
    """
    table = _table(path)
    time_column, names = _columns(table, column)
    lines = Lines(path, table.name, 0)
    t, begins = _times(table, time_column, lines)
    power = _power(table, names, lines)
    lines.refuse(_impossible(t, power, names, lines))
    total: Array = np.sum(power, axis=1)
    there = np.flatnonzero(~np.isnan(total))
    if there.size < LEAST_SAMPLES:
        message = f"has {there.size} values of power in {len(table.rows):,} rows; {LEAST_SAMPLES} are needed"
        raise InputError(Problem("E304", message, file=table.name, hint="record for longer"))
    if not np.any(total[there]):
        raise InputError(Problem("E303", "shows no power at all: every value is 0", file=table.name,
                                 hint="check the column"))  # fmt: skip
    first, last = int(there[0]), int(there[-1])
    t, total = t[first : last + 1], total[first : last + 1]
    wave, gaps, resampled = _even(t, total, table.name)
    extremes, between = _as_written(t, total, wave) if resampled else (None, 0)
    trimmed = len(table.rows) - total.size
    return WaveFile(wave, path.name, tuple(names), len(table.rows), trimmed, gaps, resampled, begins, extremes, between)


def _table(path: Path) -> Rows:
    """The cells; where another sign than the comma parts them, that is what is wrong."""
    try:
        table = read_csv(path)
    except InputError:
        _refuse_separators(path)
        raise
    if len(table.columns) == 1:
        _refuse_separators(path)
    return table


def _refuse_separators(path: Path) -> None:
    header = read_bytes(path, str(path), MAX_CSV_BYTES).split(b"\n", 1)[0]
    if b"," in header:
        return
    for sign, name in ((b";", "semicolons"), (b"\t", "tabs")):
        if sign in header:
            hint = "export it with commas between columns, and a point in numbers"
            raise InputError(Problem("E300", f"looks separated by {name}", "", str(path), 1, 1, hint=hint))


def _numbered(table: Rows) -> tuple[str, ...]:
    """Servers such as node1_mw, node2_mw: all columns of power there are, of one stem and a number each."""
    names = [name for name in table.columns if (unit := _unit(name)) and unit.dimension == (("power", 1),)]
    found = [_NUMBERED.fullmatch(units.stem(name)) for name in names]
    stems = {match.group(1) if match else "" for match in found}
    return tuple(names) if len(names) > 1 and len(stems) == 1 and "" not in stems else ()


def _unit(name: str) -> units.Unit | None:
    try:
        return units.unit_of(name)
    except ValueError:
        return None


def _columns(table: Rows, column: str) -> tuple[str, list[str]]:
    """The column of times, and those of power to be summed."""
    ask = "give --column NAME; servers that are to be summed end in a number before the unit, such as node_01_mw"
    total, servers, _, problems = power_columns(table, column, () if column else _numbered(table), "E300", ask)
    names = [name for name in table.columns if _seconds(name) is not None]
    dates = [name for name in _DATES if name in table.columns and table.rows and _is_date(table.rows[0][name])]
    found = ["t_s"] if "t_s" in names else names or dates[:1]
    if len(found) != 1:
        message = f"has several columns of times: {listed(found)}" if found else "has no column of times"
        hint = "name the column of times 't_s' and give it in seconds (t_ms, t_min or dates in 'time' go too)"
        problems.insert(0, Problem("E300", message, "", table.name, 1, 1, hint=hint))
    if problems:
        raise InputError(problems)
    return found[0], [total] if total else servers


def _seconds(name: str) -> float | None:
    """Seconds in the unit of a column of times; None for other columns."""
    unit = _unit(name)
    is_time = unit is not None and unit.dimension == (("time", 1),) and units.stem(name) in _TIMES
    return unit.factor if unit is not None and is_time else None


def _is_date(text: str) -> bool:
    return time_of(text) == "date"


def _times(table: Rows, name: str, lines: Lines) -> tuple[Array, str]:
    """Times [s], and the date of the first where they are dates; those count from the first."""
    texts = [row[name] for row in table.rows]
    factor = _seconds(name)
    if factor is None:
        read = times_of(texts, dates=True)
        zones = [bool(_ZONE.search(text)) for text in texts]
        mixed = [row for row, zone in enumerate(zones) if zone != zones[0] and _is_date(texts[row])]
        lines.refuse((
            [lines.problem("E302", row, f"{name} names a time zone and others do not, or the other way round",
                           "write all times alike") for row in mixed[:MAX_PROBLEMS_SHOWN]],
            len(mixed),
        ))  # fmt: skip
        lines.refuse((
            [lines.problem("E302", row, f"{name} {reason}", "correct the cell, or leave the row out")
             for row, _, reason in read.problems[:MAX_PROBLEMS_SHOWN]],
            len(read.problems),
        ))  # fmt: skip
        return read.values - read.values[0], texts[0]
    t = cells(texts) * factor
    _refuse_cells(texts, name, ~np.isfinite(t), lines)
    return t, ""


def _power(table: Rows, names: Sequence[str], lines: Lines) -> Array:
    """Power, shape (rows, columns); NaN where a cell is empty or says that it has no value [W]."""
    columns = []
    for name in names:
        texts = [row[name] for row in table.rows]
        column = cells(texts)
        wrong = ~np.isfinite(column)
        wrong[wrong] = [texts[row].lower() not in _MISSING for row in np.flatnonzero(wrong)]
        _refuse_cells(texts, name, wrong, lines)
        with np.errstate(over="ignore"):
            columns.append(column * watts(name))
    return np.stack(columns, axis=1)


def _refuse_cells(texts: Sequence[str], name: str, wrong: npt.NDArray[np.bool_], lines: Lines) -> None:
    """Refuse cells that hold no number, all of the column at once."""
    bad = np.flatnonzero(wrong)
    problems = []
    for row in bad[:MAX_PROBLEMS_SHOWN].tolist():
        text = texts[row]
        what = f"must be a finite number, got '{printable(text[:40])}'" if text else "is empty"
        problems.append(lines.problem("E302", row, f"{printable(name[:80])} {what}",
                                      "correct the cell, or leave the row out"))  # fmt: skip
    lines.refuse((problems, len(bad)))


def _impossible(t: Array, power: Array, names: Sequence[str], lines: Lines) -> tuple[list[Problem], int]:
    """Power that no meter of a load shows, and times that do not rise."""
    problems = []
    wrong = np.argwhere((power < 0) | (power > MOST_W))
    for row, place in wrong[:MAX_PROBLEMS_SHOWN].tolist():
        unit = _unit(names[place])
        size, sign = (unit.factor, unit.symbol) if unit is not None else (1.0, "W")
        value = power[row, place] / size
        bound = "must not be negative" if value < 0 else f"must be at most {MOST_W / size:g} {sign}"
        message = f"{printable(names[place][:80])} {bound}, got {value:g} {sign}"
        problems.append(lines.problem("E303", row, message, "check the sign and the unit in the column's name"))
    far = np.flatnonzero(np.abs(t) > MOST_S)
    for row in far[:MAX_PROBLEMS_SHOWN].tolist():
        message = f"the time must be within {MOST_S:g} s of 0, got {t[row]:g} s"
        problems.append(lines.problem("E303", row, message, "count seconds from the start of the file"))
    late = np.flatnonzero(t[1:] <= t[:-1]) + 1
    for row in late[:MAX_PROBLEMS_SHOWN].tolist():
        message = f"the time must rise, got {t[row]:.10g} s after {t[row - 1]:.10g} s"
        problems.append(lines.problem("E303", row, message, "sort the rows by time; a time stands once"))
    return problems[:MAX_PROBLEMS_SHOWN], len(wrong) + len(far) + len(late)


def _even(t: Array, total: Array, name: str) -> tuple[Wave, tuple[Gap, ...], bool]:
    """Values at equal steps, gaps, and whether values were interpolated; first and last value are there."""
    step, on_grid = _step(t)
    at = t if on_grid is None else on_grid
    count = int((at[-1] - at[0]) / step + SAME_TIME) + 1
    if not LEAST_SAMPLES <= count <= MOST_STEPS:
        message = f"makes {count:,} steps of {step:g} s; {LEAST_SAMPLES} to {MOST_STEPS:,} can be looked at"
        raise InputError(Problem("E304", message, file=name, hint="cut the file, or give equal steps"))
    grid = at[0] + step * np.arange(count)
    there = np.flatnonzero(~np.isnan(total))
    seen: Array = at[there]
    value: Array = np.interp(grid, seen, total[there])
    known = np.ones(count, dtype=np.bool_)
    gaps = []
    near = SAME_TIME * step
    # Of a clock that strays, some steps are long though nothing is missing.
    usual = step if on_grid is not None else max(step, float(np.percentile(np.diff(t), USUAL_PERCENT)))
    for place in np.flatnonzero(np.diff(seen) > LONGEST_STEP * usual).tolist():
        low, high = np.searchsorted(grid, (seen[place] + near, seen[place + 1] - near)).tolist()
        bridged = high - low <= MOST_BRIDGED
        known[low:high] = bridged
        empty = int(there[place + 1] - there[place]) - 1
        gaps.append(Gap(float(seen[place]) + step, float(seen[place + 1]), high - low, empty, bridged))
    missing = sum(gap.steps for gap in gaps)
    if (share := missing / count) > MOST_GAP_SHARE:
        message = f"is {share:.0%} gaps: {count - missing:,} of {count:,} steps of {step:g} s have a value"
        raise InputError(Problem("E304", message, file=name, hint="cut the file where its gaps are"))
    wave = Wave(value, step, float(at[0]), None, None if known.all() else known)
    return wave, tuple(gaps), on_grid is None


def _as_written(t: Array, total: Array, wave: Wave) -> tuple[tuple[Array, Array], int]:
    """Largest and smallest power of each step, values between steps included, and values beyond one a step.

    A value between two steps counts, for the nearer one, where it lies outside of both.
    """
    there = ~np.isnan(total)
    value = total[there]
    place = np.clip((t[there] - wave.start_s) / wave.step_s, 0, wave.power_w.size - 1)
    nearest = np.rint(place).astype(np.intp)
    ends = wave.power_w[np.stack((np.floor(place), np.ceil(place))).astype(np.intp)]
    most, least = wave.power_w.copy(), wave.power_w.copy()
    above, below = value > ends.max(axis=0), value < ends.min(axis=0)
    np.maximum.at(most, nearest[above], value[above])
    np.minimum.at(least, nearest[below], value[below])
    return (most, least), int(value.size - np.unique(nearest).size)


def _step(t: Array) -> tuple[float, Array | None]:
    """The step [s], and the times as they would be without the clock's rounding; None where steps differ."""
    steps = np.diff(t)
    median = float(f"{float(np.median(steps)):.10g}")
    usual = steps[np.abs(steps - median) <= 0.5 * median]
    for step in (median, float(np.mean(usual)) if usual.size else median):
        places = np.concatenate([[0.0], np.cumsum(np.rint(steps / step))])
        if step != median and places[-1] > 0:
            # The mean of rounded steps is a little off; a straight line through all times is not.
            step = float(places @ (t - t[0]) / (places @ places))
        on_grid = t[0] + step * places
        if np.all(np.diff(places) >= 1) and np.all(np.abs(on_grid - t) <= SAME_TIME * step):
            return step, on_grid
    return median, None
