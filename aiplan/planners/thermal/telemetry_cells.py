"""Cells of telemetry as numbers: a column at once where all is well, cell by cell where it is not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from aiplan.inputs.reader import printable
from aiplan.planners.thermal.regression import Floats

_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
FARTHEST_S = 1e12


@dataclass(frozen=True, slots=True)
class Reading:
    """Numbers of a column; for each that is wrong its row, the code and the reason."""

    values: Floats
    problems: tuple[tuple[int, str, str], ...] = ()


def values_of(cells: Sequence[str], limits: tuple[float, float]) -> Reading:
    """Numbers within limits, both ends allowed.

    >>> values_of(["1", "2.5"], (0.0, 10.0)).values.tolist()
    [1.0, 2.5]
    >>> values_of(["1", "x", "11"], (0.0, 10.0)).problems
    ((1, 'E251', "must be a number, got 'x'"), (2, 'E252', 'must lie between 0 and 10, got 11'))
    """
    text = "".join(cells)
    if text.isascii() and "_" not in text:
        try:
            values = np.array(list(map(float, cells)), dtype=np.float64)
        except ValueError:
            pass
        else:
            if np.all((values >= limits[0]) & (values <= limits[1])):
                return Reading(values)
    found, problems = np.zeros(len(cells)), []
    for row, cell in enumerate(cells):
        number, code, reason = _one(cell.strip(), limits)
        found[row] = number
        if code:
            problems.append((row, code, reason))
    return Reading(found, tuple(problems))


def _one(text: str, limits: tuple[float, float]) -> tuple[float, str, str]:
    if not text:
        return 0.0, "E251", "is empty"
    if not _NUMBER.fullmatch(text):
        if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            return 0.0, "E251", f"must be a finite number, got {text}"
        return 0.0, "E251", f"must be a number, got '{_short(text)}'"
    number = float(text)
    if not math.isfinite(number) or not limits[0] <= number <= limits[1]:
        return 0.0, "E252", f"must lie between {limits[0]:g} and {limits[1]:g}, got {_short(text)}"
    return number, "", ""


def time_of(text: str) -> Literal["date", "number"]:
    """How a time is written."""
    return "date" if _DATE.fullmatch(text.strip()) else "number"


def times_of(cells: Sequence[str], *, dates: bool) -> Reading:
    """Times [s]: plain seconds, or dates since 1970."""
    if not dates:
        return values_of(cells, (-FARTHEST_S, FARTHEST_S))
    known: dict[str, float] = {}
    found, problems = np.zeros(len(cells)), []
    for row, cell in enumerate(cells):
        if cell not in known:
            number, reason = _date(cell.strip())
            if reason:
                problems.append((row, "E251", reason))
            else:
                known[cell] = number
        found[row] = known.get(cell, 0.0)
    return Reading(found, tuple(problems))


def _date(text: str) -> tuple[float, str]:
    if not _DATE.fullmatch(text):
        return 0.0, f"must be a date and time as the first row has, got '{_short(text)}'" if text else "is empty"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0, f"is no time of the calendar, got '{_short(text)}'"
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), ""


def _short(text: str) -> str:
    return printable(text[:40]) + "..." * (len(text) > 40)
