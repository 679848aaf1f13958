"""The guarded way in for weather: an EPW file, or a CSV of hours or of weighted points.

Nothing is guessed: hours that are missing, doubled or marked as missing, and numbers that no place has, are refused
with their lines, all at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import printable, read_bytes
from aiplan.inputs.table import MAX_CSV_BYTES, Rows, read_csv
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.weather import COLDEST_C, HIGHEST_PA, HOTTEST_C, LOWEST_PA, Weather
from aiplan.planners.cooling.weather_epw import read_epw
from aiplan.planners.cooling.weather_table import YEAR_HOURS, Table, WeatherFile, refusal

__all__ = ["COLUMNS", "PLACES", "WeatherFile", "read_weather"]

COLUMNS = ("drybulb_c", "rh_fraction", "pressure_pa")
"""Columns a CSV must have; ``hours``, ``month`` (1 to 12) and ``hour`` (0 to 23) may stand beside them."""

PLACES = ("zone", "city", "site", "place", "station")
"""Columns that tell places apart where a CSV holds several."""

HOURS_TOLERANCE = 0.5
"""How far the hours of weighted points may miss a year's, for rounding [h]."""

_SHOWN = 20


def read_weather(path: Path | str, *, zone: str | None = None) -> WeatherFile:
    """Weather of an EPW or CSV file.

    Parameters
    ----------
    path : an EPW of 8,760 or 8,784 hours, or a CSV with the columns `COLUMNS`: one row for every hour of a year, or
        any rows with a column ``hours`` that sums to a year
    zone : which place to take from a CSV that holds several

    Relative humidity above 100 % and up to 110 % is taken as 100 %, with a note; beyond, it is refused.

    Raises
    ------
    InputError with every problem of the file and its line, the first 50 in full.
    """
    shown = printable(str(path))
    raw = read_bytes(Path(path), shown, MAX_CSV_BYTES)
    if raw[:2] == b"\x1f\x8b" or raw[:4] == b"PK\x03\x04":
        raise refusal("E245", shown, "is compressed", "unpack it first")
    if b"\x00" in raw:
        raise refusal("E245", shown, "is no text", "give an EPW or a CSV")
    is_epw = raw.removeprefix(b"\xef\xbb\xbf")[:9].upper() == b"LOCATION,"
    if not is_epw and shown.lower().endswith(".epw"):
        raise refusal("E245", shown, "is no EPW: its first line does not begin with 'LOCATION,'", "fetch it again")
    if is_epw and zone is not None:
        raise refusal("E249", shown, "is an EPW, which holds one place", f"drop zone '{printable(zone)[:80]}'")
    return read_epw(raw, shown) if is_epw else _read_csv(Path(path), raw, shown, zone)


def _read_csv(path: Path, raw: bytes, shown: str, zone: str | None) -> WeatherFile:
    """A CSV of hours or of weighted points."""
    if not raw.strip():
        raise refusal("E245", shown, "is empty", "give an EPW or a CSV")
    rows = replace(read_csv(path), name=shown)
    absent = [name for name in COLUMNS if name not in rows.columns]
    if absent:
        near = {name: difflib.get_close_matches(name, rows.columns, 1, 0.5) for name in absent}
        named = [f"{name} (is it '{printable(found[0])[:40]}'?)" if found else name for name, found in near.items()]
        hint = f"a CSV of weather has {', '.join(COLUMNS)}; an EPW begins with 'LOCATION,'"
        raise refusal("E245", shown, f"has no column {', '.join(named)}", hint, 1)
    if not rows.rows:
        raise refusal("E245", shown, "has a header and no rows", "give a row for every hour", 1)
    numbers, lines = _line_numbers(raw, rows)
    chosen, name = _choose(rows, zone)
    table = Table(shown, [numbers[row] for row in chosen], lambda line: lines[line - 1])
    known = {*COLUMNS, "hours", "month", "hour", *PLACES}
    extra = [column for column in rows.columns if column not in known]
    if extra:
        table.notes.append(f"columns that are not used: {', '.join(printable(column)[:40] for column in extra[:10])}")
    values = {
        column: table.column(column, [rows.rows[row][column] for row in chosen])
        for column in (*COLUMNS, "hours", "month", "hour")
        if column in rows.columns
    }
    table.check("drybulb_c", values["drybulb_c"], COLDEST_C, HOTTEST_C, "give deg C: 90 F is 32.2, 300 K is 26.85")
    table.check("pressure_pa", values["pressure_pa"], LOWEST_PA, HIGHEST_PA, "give Pa: 1013 hPa is 101300")
    rh = table.humidity("rh_fraction", values["rh_fraction"], 1.0, "give a fraction: 73 % is 0.73")
    hours = _weights(table, values.get("hours"))
    month, hour = (
        table.whole(part, values[part], low, high, f"count from {low} to {high}") if part in values else None
        for part, low, high in (("month", 1, 12), ("hour", 0, 23))
    )
    table.fail()
    weather = Weather(values["drybulb_c"], rh, values["pressure_pa"], hours, month, hour)
    return WeatherFile(name or Path(shown).stem, "csv", weather, tuple(table.notes))


def _line_numbers(raw: bytes, rows: Rows) -> tuple[list[int], list[str]]:
    """Line of each row and the file's lines; 0 for every row where cells that hold line feeds make them uncertain."""
    lines = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = [number for number, line in enumerate(lines, 1) if line][1:]
    return (found if len(found) == len(rows.rows) else [0] * len(rows.rows)), lines


def _choose(rows: Rows, zone: str | None) -> tuple[list[int], str]:
    """Rows of one place, and what the file calls it."""
    chosen, name = list(range(len(rows.rows))), ""
    columns = [column for column in PLACES if column in rows.columns]
    if zone is not None:
        wanted = zone.strip().casefold()
        by = next((c for c in columns if any(row[c].casefold() == wanted for row in rows.rows)), None)
        if by is None:
            raise _several(rows, columns[0] if columns else "", f"holds no zone '{printable(zone)[:80]}'", zone)
        chosen = [index for index in chosen if rows.rows[index][by].casefold() == wanted]
        name = rows.rows[chosen[0]][by]
    for column in columns:
        if len({rows.rows[index][column] for index in chosen}) > 1:
            raise _several(rows, column, "holds several places", zone, chosen)
        name = name or rows.rows[chosen[0]][column]
    return chosen, printable(name)[:120]


def _several(rows: Rows, column: str, message: str, zone: str | None, chosen: Sequence[int] = ()) -> InputError:
    """The error that names the places of a file."""
    if not column:
        return refusal("E249", rows.name, f"{message}, nor a column {' or '.join(PLACES)}", "drop the zone")
    places = list(dict.fromkeys(rows.rows[index][column] for index in chosen or range(len(rows.rows))))
    listed = ", ".join(printable(place)[:40] for place in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    near = difflib.get_close_matches(zone, places, 1, 0.5) if zone and not chosen else []
    hint = f"did you mean '{printable(near[0])[:40]}'?" if near else "name one of them"
    return refusal("E249", rows.name, f"{message} in column '{column}': {listed}{more}", hint, 1)


def _weights(table: Table, hours: Array | None) -> Array:
    """Hours of each row; complains where they do not make a year."""
    count = len(table.numbers)
    if hours is None:
        if count not in YEAR_HOURS:
            message = f"has {count:,} rows and no column hours; a year has {YEAR_HOURS[0]:,} or {YEAR_HOURS[1]:,} hours"
            hint = "give every hour, or the hours that each row stands for"
            table.problems.append(Problem("E248", message, "", table.shown, 1, 1, hint=hint))
        return np.ones(count)
    table.complain("E247", np.flatnonzero(hours <= 0.0), lambda row: f"hours is {hours[row]:g}, which is not above 0",
                   "leave rows without hours out")  # fmt: skip
    total = float(hours.sum())
    if not min(abs(total - year) for year in YEAR_HOURS) <= HOURS_TOLERANCE and np.all(np.isfinite(hours)):
        message = f"hours sum to {total:g}, a year has {YEAR_HOURS[0]:,} or {YEAR_HOURS[1]:,}"
        table.problems.append(Problem("E248", message, "", table.shown, 1, 1, hint="are rows missing?"))
    return hours
