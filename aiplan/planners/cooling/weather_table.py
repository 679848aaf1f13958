"""Rows of a weather file as texts: how columns become numbers, and how to say where one is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem, in_reading_order
from aiplan.inputs.reader import printable, quote
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.weather import Weather

YEAR_HOURS = (8760, 8784)
"""Hours of a year, common and leap."""

OVER_SATURATED = 1.1
"""Relative humidity up to which an instrument reads too much: taken as 1. Beyond is refused."""

_FEW = 10


@dataclass(frozen=True, slots=True)
class WeatherFile:
    """Weather read from a file.

    Attributes
    ----------
    name : place as the file names it, else the file's own name
    kind : ``epw`` or ``csv``
    weather : the year; hour by hour from January on where the file is
    notes : what was done to the numbers or left out
    """

    name: str
    kind: str
    weather: Weather
    notes: tuple[str, ...] = ()


def refusal(code: str, shown: str, message: str, hint: str, line: int = 0) -> InputError:
    return InputError(Problem(code, message, "", shown, line, 1 if line else 0, hint=hint))


@dataclass(slots=True)
class Table:
    """Rows of a file as texts: what it takes to turn columns into numbers and to say where one is wrong."""

    shown: str
    numbers: Sequence[int]
    texts: Callable[[int], str]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def complain(self, code: str, rows: npt.NDArray[np.intp], what: Callable[[int], str], hint: str) -> None:
        """A problem for each row, or one for all of them where they are many."""
        for row in rows[: _FEW if rows.size <= _FEW else 1]:
            more = f"; so are {rows.size - 1:,} more rows" if rows.size > _FEW else ""
            line = self.numbers[row]
            quoted, offset = quote(self.texts(line), 1) if line else ("", 0)
            message = what(int(row)) + more
            length = min(len(quoted), 60)
            problem = Problem(code, message, "", self.shown, line, 1, quoted, length, hint, offset)
            self.problems.append(problem)

    def column(self, name: str, cells: Sequence[str]) -> Array:
        """Numbers of a column; nan where a cell holds none, which is complained of."""
        joined = "".join(cells)
        values: list[float]
        try:
            # float() also takes 1_000 and digits of other scripts.
            values = [] if "_" in joined or not joined.isascii() else [float(cell) for cell in cells]
        except ValueError:
            values = []
        found = np.array(values or [_number(cell) for cell in cells], dtype=np.float64)
        self.complain("E246", np.flatnonzero(~np.isfinite(found)),
                      lambda row: f"{name} {_seen(cells[row])}", "write a number, with a point")  # fmt: skip
        return found

    def check(self, name: str, values: Array, low: float, high: float, hint: str) -> None:
        """Complain of numbers outside what any place has."""
        self.complain("E247", np.flatnonzero((values < low) | (values > high)),
                      lambda row: f"{name} is {values[row]:g}, which is outside {low:g} to {high:g}",
                      hint)  # fmt: skip

    def humidity(self, name: str, values: Array, full: float, hint: str) -> Array:
        """Relative humidity as a fraction; ``full`` is saturation as the file writes it."""
        if values.size > 1 and full > 1.0 and np.all(values <= 1.0):
            self.problems.append(Problem("E247", f"no {name} is above 1: it looks like a fraction", "", self.shown,
                                         self.numbers[0], 1, hint=hint))  # fmt: skip
        self.check(name, values, 0.0, OVER_SATURATED * full, hint)
        above = int(np.count_nonzero((values > full) & (values <= OVER_SATURATED * full)))
        if above:
            self.notes.append(f"{name} was above saturation in {above:,} rows and is taken as {full:g}")
        return np.clip(values / full, 0.0, 1.0)

    def whole(self, name: str, values: Array, low: int, high: int, hint: str) -> npt.NDArray[np.int64]:
        """Whole numbers between two bounds."""
        odd = np.isfinite(values) & ~((values >= low) & (values <= high) & (values == np.rint(values)))
        self.complain("E248", np.flatnonzero(odd),
                      lambda row: f"{name} is {values[row]:g}, which is not one of {low} to {high}", hint)  # fmt: skip
        return np.where(np.isfinite(values) & ~odd, values, low).astype(np.int64)

    def fail(self) -> None:
        """Raise what was complained of."""
        if self.problems:
            problems = in_reading_order(self.problems)
            raise InputError(problems[:MAX_PROBLEMS_SHOWN], max(len(problems) - MAX_PROBLEMS_SHOWN, 0))


def _number(text: str) -> float:
    try:
        return float(text) if text.isascii() and "_" not in text else np.nan
    except ValueError:
        return np.nan


def _seen(cell: str) -> str:
    """What a cell holds that is no number, for a message."""
    text = cell.strip()
    return f"is '{printable(text)[:40]}', which is no finite number" if text else "is empty"
