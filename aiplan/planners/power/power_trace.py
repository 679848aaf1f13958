"""Power over time from a CSV: one column for the sum, one for each server, or both.

``t_s`` holds seconds, every power column ends in its unit (``node_sum_kw``, ``node_01_w``). Columns whose name ends in
a number before the unit are servers; the sum is the column that says ``sum``, ``total`` or ``power``, the only power
column there is, or else the servers added up. Steps must be equal, unless a grid is asked for.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiplan import units
from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem
from aiplan.inputs.reader import printable, read_bytes
from aiplan.inputs.table import MAX_CSV_BYTES, Rows, read_csv
from aiplan.planners.arrays import Array

TIME = "t_s"
LEAST_ROWS = 16
SAME_STEP = 0.02
"""Difference of a step from the median, relative, that meters make without losing a sample; assumed [1]."""
LONGEST_GAP = 5.0
"""Longest step that resampling bridges by a straight line, in median steps; assumed [1]."""
MOST_W = 1e12
MOST_S = 1e10
MOST_GRID = 10_000_000
"""Values a grid may hold, in all columns [1]."""
_SERVER = re.compile(r".*_\d+|\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SUM_WORDS = frozenset({"sum", "total", "power"})


@dataclass(frozen=True, slots=True, eq=False)
class PowerTrace:
    """Power at equal steps.

    Attributes
    ----------
    t_s : shape (T,) [s]
    step_s : median step [s]
    sum_w : shape (T,) [W]
    server_w : shape (T, n), n = 0 where the file has no servers [W]
    sum_column : empty where the sum is that of the servers
    server_columns, left_out : names of columns read as servers, and of power columns not read
    resampled : whether the values are interpolated onto a grid
    """

    t_s: Array
    step_s: float
    sum_w: Array
    server_w: Array
    sum_column: str
    server_columns: tuple[str, ...]
    left_out: tuple[str, ...]
    resampled: bool


def read_power_trace(
    path: Path,
    *,
    sum_column: str = "",
    server_columns: Sequence[str] = (),
    trim_rows: int = 0,
    resample_s: float | None = None,
) -> PowerTrace:
    """Read a trace.

    Parameters
    ----------
    sum_column, server_columns : where the names do not tell
    trim_rows : rows left unread at the beginning and at the end [1]
    resample_s : step of a grid that the samples are interpolated onto linearly, from the first to the last; steps may
        then differ, up to `LONGEST_GAP` median steps [s]

    Raises
    ------
    InputError for a file that is no CSV; columns that cannot be told apart (E236); cells without a number (E237);
    negative or absurd power, times that do not rise (E238); unequal steps, gaps, too few rows (E239). All problems of a
    kind at once, with their lines.
    """
    table = read_csv(path)
    total, servers, left_out = _columns(table, sum_column, server_columns)
    if trim_rows < 0 or len(table.rows) - 2 * trim_rows < LEAST_ROWS:
        message = (
            f"has {len(table.rows):,} rows, {trim_rows:,} to be left out at both ends; {LEAST_ROWS} must be left"
            if trim_rows >= 0
            else "trim_rows must not be negative"
        )
        raise InputError(Problem("E239", message, file=table.name, hint="give a longer trace, or trim less"))
    rows = table.rows[trim_rows : len(table.rows) - trim_rows]
    lines = Lines(path, table.name, trim_rows)
    names = [TIME, *([total] if total else []), *servers]
    numbers = _numbers(rows, names, lines)
    t = numbers[:, 0]
    with np.errstate(over="ignore"):
        power: Array = numbers[:, 1:] * np.array([watts(name) for name in names[1:]])
    lines.refuse(_impossible(t, power, names, lines))
    lines.refuse(_steps(t, power.shape[1], resample_s, lines))
    if resample_s is not None:
        grid = t[0] + resample_s * np.arange(int((t[-1] - t[0]) / resample_s * (1 + 1e-12)) + 1)
        power = np.stack([np.interp(grid, t, column) for column in power.T], axis=1)
        t = grid
    server_w = power[:, 1:] if total else power
    sum_w = power[:, 0] if total else np.sum(power, axis=1)
    step = float(np.median(np.diff(t)))
    return PowerTrace(t, step, sum_w, server_w, total, tuple(servers), left_out, resample_s is not None)


def _columns(table: Rows, sum_column: str, server_columns: Sequence[str]) -> tuple[str, list[str], tuple[str, ...]]:
    """The sum's column (empty for none), those of servers, and power columns that are neither."""
    problems: list[Problem] = []
    if TIME not in table.columns:
        hint = f"name the column of times '{TIME}' and give it in seconds"
        problems.append(Problem("E236", f"has no column '{TIME}'", "", table.name, 1, 1, hint=hint))
    total, servers, left_out, found = power_columns(table, sum_column, server_columns, "E236")
    if problems := problems + found:
        raise InputError(problems)
    return total, servers, left_out


def power_columns(
    table: Rows, sum_column: str, server_columns: Sequence[str], code: str, ask: str = "say which is the sum"
) -> tuple[str, list[str], tuple[str, ...], list[Problem]]:
    """Which columns hold power.

    Parameters
    ----------
    sum_column, server_columns : where the names do not tell
    code : of the problems
    ask : what to do where several columns may be the sum

    Returns
    -------
    The sum's column (empty for none), those of servers, power columns that are neither, and what is wrong.
    """
    stems = {name: stem for name in table.columns if (stem := _power_stem(name)) is not None}
    problems: list[Problem] = []

    def complain(message: str, hint: str) -> None:
        problems.append(Problem(code, message, "", table.name, 1, 1, hint=hint))

    for name in (*([sum_column] if sum_column else []), *server_columns):
        if name not in stems:
            complain(f"has no power column '{printable(name[:80])}'", f"power columns: {listed(list(stems)) or 'none'}")
    servers = list(server_columns) or [name for name, stem in stems.items() if _SERVER.fullmatch(stem)]
    rest = [name for name in stems if name not in servers]
    named = [name for name in rest if stems[name].rpartition("_")[2] in _SUM_WORDS]
    if sum_column:
        total = sum_column
    elif len(named) == 1 or (not named and not servers and len(rest) == 1):
        total = (named or rest)[0]
    else:
        total = ""
        if named or not servers:
            what = f"several columns may be the sum: {listed(named or rest)}" if rest else "has no column of power"
            hint = ask if rest else "end its name in _w, _kw or _mw, such as node_sum_kw"
            complain(what, hint)
    servers = [name for name in servers if name != total]
    return total, servers, tuple(name for name in rest if name != total), problems


def _power_stem(name: str) -> str | None:
    """A column's name without its unit of power; None for other columns."""
    try:
        unit = units.unit_of(name)
    except ValueError:
        return None
    return units.stem(name) if unit is not None and unit.dimension == (("power", 1),) else None


def watts(name: str) -> float:
    """Watts in the unit that a column's name ends in; 1 where it ends in none."""
    unit = units.unit_of(name)
    return unit.factor if unit is not None else 1.0


class Lines:
    """Where rows stand in the file, looked up when something is wrong."""

    def __init__(self, path: Path, name: str, trimmed: int) -> None:
        self.path, self.name, self.trimmed = path, name, trimmed
        self._ends: list[int] = []

    def of(self, row: int) -> int:
        """Line of a row, rows trimmed away not counted."""
        if not self._ends:
            text = read_bytes(self.path, self.name, MAX_CSV_BYTES).removeprefix(b"\xef\xbb\xbf").decode("utf-8")
            reader = csv.reader(io.StringIO(text, newline=""), strict=True)
            self._ends = [reader.line_num for cells in reader if cells][1:]
        return self._ends[row + self.trimmed]

    def problem(self, code: str, row: int, message: str, hint: str) -> Problem:
        """A problem with a row."""
        return Problem(code, message, "", self.name, self.of(row), 1, hint=hint)

    def refuse(self, found: tuple[list[Problem], int]) -> None:
        """Raise what was found, if anything: the first problems, and how many there are."""
        problems, count = found
        if problems:
            problems.sort(key=lambda problem: problem.line)
            raise InputError(problems, count - len(problems))


def _numbers(rows: Sequence[dict[str, str]], names: Sequence[str], lines: Lines) -> Array:
    """Cells of the columns as numbers, shape (rows, columns); all cells that hold none are named."""
    columns = []
    for name in names:
        columns.append(cells([row[name] for row in rows]))
    numbers = np.stack(columns, axis=1)
    bad = np.argwhere(~np.isfinite(numbers))
    problems = []
    for row, place in bad[:MAX_PROBLEMS_SHOWN]:
        text = rows[row][names[place]]
        what = f"must be a finite number, got '{printable(text[:40])}'" if text else "is empty"
        problems.append(lines.problem("E237", int(row), f"{printable(names[place][:80])} {what}",
                                      "correct the cell, or leave the row out"))  # fmt: skip
    lines.refuse((problems, len(bad)))
    return numbers


def cells(texts: Sequence[str]) -> Array:
    """Cells of a column as numbers, shape (rows,); NaN for what is no number, infinite for what is beyond one."""
    try:
        column = np.array(texts, dtype=np.float64)
    except ValueError:
        column = np.full(len(texts), np.nan)
    if not np.all(np.isfinite(column)) or any("_" in text for text in texts):
        column = np.array([float(text) if _NUMBER.fullmatch(text) else np.nan for text in texts])
    return column


def _impossible(t: Array, power: Array, names: Sequence[str], lines: Lines) -> tuple[list[Problem], int]:
    """Power that no meter shows, and times that do not rise."""
    problems = []
    wrong = np.argwhere(~((power >= 0) & (power <= MOST_W)))
    for row, place in wrong[:MAX_PROBLEMS_SHOWN]:
        value = power[row, place]
        bound = "must not be negative" if value < 0 else f"must be at most {MOST_W:g} W"
        message = f"{printable(names[place + 1][:80])} {bound}, got {value:g} W"
        problems.append(lines.problem("E238", int(row), message, "check the sign and the unit in the column's name"))
    far = np.flatnonzero(np.abs(t) > MOST_S)
    for row in far[:MAX_PROBLEMS_SHOWN]:
        message = f"{TIME} must be within {MOST_S:g} s of 0, got {t[row]:g} s"
        problems.append(lines.problem("E238", int(row), message, "count seconds from the start of the trace"))
    late = np.flatnonzero(t[1:] <= t[:-1]) + 1
    for row in late[:MAX_PROBLEMS_SHOWN]:
        message = f"{TIME} must rise, got {t[row]:g} s after {t[row - 1]:g} s"
        problems.append(lines.problem("E238", int(row), message, "sort the rows by time; a time stands once"))
    return problems, len(wrong) + len(far) + len(late)


def _steps(t: Array, columns: int, resample_s: float | None, lines: Lines) -> tuple[list[Problem], int]:
    """Steps that differ from the others, or gaps that are too long to bridge."""
    steps = np.diff(t)
    usual = float(np.median(steps))
    if resample_s is None:
        wrong = np.flatnonzero(np.abs(steps - usual) > SAME_STEP * usual)
        hint = "give a step to resample to, or trim the rows"
    else:
        length = float(t[-1] - t[0]) / resample_s if resample_s > 0 and math.isfinite(resample_s) else 0.0
        if not LEAST_ROWS <= length + 1 <= MOST_GRID / columns:
            message = f"cannot be resampled to {resample_s:g} s"
            hint = f"its own step is {usual:g} s; {LEAST_ROWS} to {MOST_GRID // columns:,} steps must come of it"
            return [Problem("E239", message, file=lines.name, hint=hint)], 1
        wrong = np.flatnonzero(steps > LONGEST_GAP * usual)
        hint = f"only gaps of up to {LONGEST_GAP:g} steps are bridged: cut the file there"
    return [
        lines.problem("E239", int(row) + 1, f"comes {steps[row]:g} s after the row above, most {usual:g} s", hint)
        for row in wrong[:MAX_PROBLEMS_SHOWN]
    ], len(wrong)


def listed(names: Sequence[str]) -> str:
    """Names of columns for a message, the first eight of them."""
    shown = ", ".join(printable(name[:80]) for name in names[:8])
    return shown + ", ..." * (len(names) > 8)
