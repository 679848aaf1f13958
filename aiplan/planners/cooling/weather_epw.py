"""Weather in the EPW format: a header that ends with DATA PERIODS, then an hour of the year in every line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aiplan.errors import Problem
from aiplan.inputs.reader import printable
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.weather import COLDEST_C, HIGHEST_PA, HOTTEST_C, LOWEST_PA, Weather
from aiplan.planners.cooling.weather_table import YEAR_HOURS, Table, WeatherFile, refusal

_HEADER_LINES = 100
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_CELLS = {"month": 1, "day": 2, "hour": 3, "dry bulb": 6, "relative humidity": 8, "pressure": 9}
_WIDTH = 10
_MISSING = {"dry bulb": 99.9, "relative humidity": 999.0, "pressure": 999999.0}


def read_epw(raw: bytes, shown: str) -> WeatherFile:
    """An EPW: header up to DATA PERIODS, then an hour in every line."""
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # comments of old files; the numbers are ASCII or refused
    lines = text.replace("\r\n", "\n").split("\n")
    start = _body(lines, shown)
    numbers = [n for n, line in enumerate(lines[start:], start + 1) if line and not line.isspace()]
    if not numbers:
        raise refusal("E245", shown, "has a header and no hours", "fetch it again", start)
    width = max(lines[numbers[0] - 1].count(",") + 1, _WIDTH)
    table = Table(shown, numbers, lambda line: lines[line - 1])
    counts = np.array([lines[n - 1].count(",") + 1 for n in numbers])
    table.complain("E011", np.flatnonzero(counts < width),
                   lambda row: f"has {counts[row]} cells, an hour of this file has {width}",
                   "is the file cut off here?")  # fmt: skip
    if table.problems and len(numbers) < YEAR_HOURS[0]:
        message = f"has {len(numbers):,} hours, a year has {YEAR_HOURS[0]:,} or {YEAR_HOURS[1]:,}"
        table.problems.append(Problem("E248", message, "", shown, numbers[-1], 1, hint="fetch it again"))
    table.fail()
    rows = [lines[n - 1].split(",", _WIDTH) for n in numbers]
    cells = {name: [row[at] for row in rows] for name, at in _CELLS.items()}
    values = {name: table.column(name, column) for name, column in cells.items()}
    for name, code in _MISSING.items():
        absent = values[name] >= code if name != "dry bulb" else values[name] == code
        table.complain("E246", np.flatnonzero(absent),
                       _marked(name), "fill the gap from another year, or take another file")  # fmt: skip
        values[name] = np.where(absent, np.nan, values[name])
    table.check("dry bulb", values["dry bulb"], COLDEST_C, HOTTEST_C, "an EPW gives deg C")
    table.check("pressure", values["pressure"], LOWEST_PA, HIGHEST_PA, "an EPW gives the station's own pressure in Pa")
    rh = table.humidity("relative humidity", values["relative humidity"], 100.0, "an EPW gives percent")
    month, _, hour, order = _calendar(table, values)
    table.fail()
    dry, pressure = values["dry bulb"][order], values["pressure"][order]
    weather = Weather(dry, rh[order], pressure, np.ones(order.size), month[order], hour[order] - 1)
    place = [printable(cell.strip()) for cell in lines[0].split(",")[1:4]]
    name = ", ".join(part for part in place if part not in ("", "-"))[:120] or Path(shown).stem
    return WeatherFile(name, "epw", weather, tuple(table.notes))


def _body(lines: Sequence[str], shown: str) -> int:
    """Number of header lines; they end with DATA PERIODS, which must say one record an hour."""
    for number, line in enumerate(lines[:_HEADER_LINES], 1):
        if line.upper().startswith("DATA PERIODS"):
            cells = [cell.strip() for cell in line.split(",")]
            if len(cells) > 2 and cells[1:3] != ["1", "1"]:
                message = f"holds {printable(cells[1])[:20]} periods of {printable(cells[2])[:20]} records an hour"
                raise refusal("E248", shown, message, "give one year with one record an hour", number)
            return number
    raise refusal("E245", shown, "is no whole EPW: its header has no line DATA PERIODS", "fetch it again", 1)


def _marked(name: str) -> Callable[[int], str]:
    return lambda _: f"{name} is marked as missing"


def _calendar(table: Table, values: dict[str, Array]) -> tuple[npt.NDArray[np.int64], ...]:
    """Month, day, hour of each row, and the rows in order of the year; complains of hours missing and doubled."""
    month = table.whole("month", values["month"], 1, 12, "an EPW counts months from 1")
    leap = bool(np.any((values["month"] == 2) & (values["day"] == 29)))
    length = _DAYS + np.array([0, int(leap), *[0] * 10])
    day = table.whole("day", values["day"], 1, 31, "an EPW counts days from 1")
    hour = table.whole("hour", values["hour"], 1, 24, "an EPW counts hours from 1 to 24")

    def named(row: int) -> str:
        return f"month {month[row]}, day {day[row]}, hour {hour[row]}"

    table.complain("E248", np.flatnonzero(day > length[month - 1]), lambda row: f"{named(row)} is no hour of the year",
                   "correct the day")  # fmt: skip
    if table.problems:
        return month, day, hour, np.arange(month.size)
    starts = np.cumsum(length) - length
    at = (starts[month - 1] + day - 1) * 24 + hour - 1
    order = np.argsort(at, kind="stable")
    again = order[1:][np.diff(at[order]) == 0]
    table.complain("E248", np.sort(again), lambda row: f"{named(row)} comes a second time", "remove one of them")
    present = np.zeros(YEAR_HOURS[int(leap)], dtype=np.bool_)
    present[at] = True
    absent = np.flatnonzero(~present)
    if absent.size:
        first = int(absent[0])
        of = int(np.searchsorted(starts, first // 24, side="right"))
        when = f"month {of}, day {first // 24 - int(starts[of - 1]) + 1}, hour {first % 24 + 1}"
        message = f"lacks {absent.size:,} of the year's {present.size:,} hours, the first {when}"
        table.problems.append(Problem("E248", message, "", table.shown, table.numbers[-1], 1, hint="fetch it again"))
    if np.any(np.diff(at) < 0):
        table.notes.append("the hours were not in order of the year and are sorted")
    return month, day, hour, order
