"""Text of a trace into numbers, many rows at once: which cells are plain is seen for all of them together.

What is not plain (a sign, a decimal point in a count, blanks around it, another way to write a time) goes cell by
cell through the functions at the end, which also say what is wrong with it. Both ways give the same numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.split.lengths import MAX_TOKENS

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_TIME_S = 1e10
"""Latest time of a trace [s], some 300 years: beyond it a file is no trace."""

PAD = 64
"""Bytes before and behind the text of a block, so that a window at any cell stays inside."""

_COMMA, _LF, _CR, _QUOTE = b',\n\r"'
_DIGITS, _WIDEST = 8, 40
_IN_NUMBER = np.isin(np.arange(256), list(b"0123456789+-.eE"))
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)  # fmt: skip
_STAMP = 19


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of some rows: where the text of each starts and ends.

    Attributes
    ----------
    data : bytes of the rows with `PAD` bytes around them
    starts, ends : place of each cell in data, shape (rows, columns)
    lines : number of each row's line in the file, shape (rows,)
    short : line and number of cells of each row that has other than the header's
    blank : lines with nothing in them
    line_text : text of a line, by its number
    """

    data: npt.NDArray[np.uint8]
    starts: Places
    ends: Places
    lines: Places
    short: Sequence[tuple[int, int]]
    blank: int
    line_text: Callable[[int], str]

    def text(self, row: int, column: int) -> str:
        """Text of one cell, without blanks around it."""
        cell = self.data[self.starts[row, column] : self.ends[row, column]]
        return cell.tobytes().decode("utf-8", "replace").strip()


def padded(text: bytes) -> npt.NDArray[np.uint8]:
    """Bytes with `PAD` zeros before and behind."""
    return np.frombuffer(bytes(PAD) + text + bytes(PAD), dtype=np.uint8)


def is_plainly_quoted(block: bytes) -> bool:
    """Whether quotes, if there are any, stand around whole cells and hold neither quotes nor line feeds.

    >>> is_plainly_quoted(b'"1,5",2'), is_plainly_quoted(b'"a ""b",2')
    (True, False)
    """
    data = padded(block)
    quotes = np.flatnonzero(data == _QUOTE)
    if quotes.size % 2:
        return False
    before, behind = data[quotes[0::2] - 1], data[quotes[1::2] + 1]
    inside = np.cumsum(data == _QUOTE, dtype=np.uint8) & 1
    return bool(
        np.all(np.isin(before, (_COMMA, _LF, 0)))
        and np.all(np.isin(behind, (_COMMA, _LF, _CR, 0)))
        and not np.any((data == _LF) & (inside == 1))
    )


def split_block(block: bytes, columns: int, wanted: Sequence[int], first_line: int) -> Cells:
    """Cells of a block of whole lines, plainly quoted or not at all.

    Parameters
    ----------
    block : lines; only the last of a file may lack its line feed
    columns : cells that a row must have
    wanted : places of the columns to keep
    first_line : number of the block's first line
    """
    data = padded(block if block.endswith(b"\n") else block + b"\n")
    separates = (data == _COMMA) | (data == _LF)
    if b'"' in block:
        separates &= np.cumsum(data == _QUOTE, dtype=np.uint8) & 1 == 0
    breaks = np.flatnonzero(separates)
    last = np.flatnonzero(data[breaks] == _LF)
    line_ends = breaks[last]
    line_starts = np.concatenate([[PAD], line_ends[:-1] + 1])
    cells = np.diff(last, prepend=-1)
    blank = (cells == 1) & (line_ends - line_starts - (data[line_ends - 1] == _CR) <= 0)
    good = (cells == columns) & ~blank
    place = last[good][:, None] + (np.asarray(wanted) - columns + 1)
    ends = breaks[place]
    starts = np.where(np.asarray(wanted) == 0, line_starts[good][:, None], breaks[place - 1] + 1)
    ends -= (np.asarray(wanted) == columns - 1) & (data[ends - 1] == _CR) & (ends > starts)
    if b'"' in block:
        quoted = (data[starts] == _QUOTE) & (ends - starts > 1)
        starts, ends = starts + quoted, ends - quoted
    odd = np.flatnonzero(~good & ~blank)

    def line_text(line: int) -> str:
        row = line - first_line
        return data[line_starts[row] : line_ends[row]].tobytes().decode("utf-8", "replace").rstrip("\r")

    short = [(first_line + int(row), int(cells[row])) for row in odd]
    return Cells(data, starts, ends, np.flatnonzero(good) + first_line, short, int(blank.sum()), line_text)


def whole_numbers(cells: Cells, column: int) -> tuple[Places, Flags]:
    """Numbers of a column, and which rows do not hold one to eight digits and nothing else."""
    ends = cells.ends[:, column]
    width = ends - cells.starts[:, column]
    odd = (width < 1) | (width > _DIGITS)
    values = np.zeros(ends.size, dtype=np.int64)
    for place in range(min(int(width.max(initial=0)), _DIGITS)):
        inside = place < width
        digit = cells.data[ends - 1 - place] - np.uint8(ord("0"))
        odd |= inside & (digit > 9)
        values += np.where(inside, digit, 0).astype(np.int64) * 10**place
    return values, odd


def _windows(cells: Cells, column: int) -> tuple[npt.NDArray[np.uint8], Places]:
    """Cells of a column as rows of bytes, zero behind each, shape (rows, widest), and the width of each."""
    starts = cells.starts[:, column]
    width = cells.ends[:, column] - starts
    widest = max(min(int(width.max(initial=1)), _WIDEST), 1)
    found = np.lib.stride_tricks.sliding_window_view(cells.data, widest)[starts]
    return np.where(np.arange(widest) < width[:, None], found, np.uint8(0)), width


def plain_seconds(cells: Cells, column: int) -> tuple[npt.NDArray[np.float64], Flags]:
    """Numbers of a column [s], and which rows do not plainly hold one in 0 to `MAX_TIME_S`."""
    found, width = _windows(cells, column)
    behind = np.arange(found.shape[1]) >= width[:, None]
    odd = (width < 1) | (width > found.shape[1]) | ~np.all(_IN_NUMBER[found] | behind, axis=1)
    found[odd] = np.frombuffer(b"0".ljust(found.shape[1], b"\0"), dtype=np.uint8)
    try:
        values = np.ascontiguousarray(found).view(f"S{found.shape[1]}")[:, 0].astype(np.float64)
    except ValueError:  # such as "1e" or "1-2": the rows tell for themselves which
        return np.zeros(width.size), np.ones(width.size, dtype=np.bool_)
    odd |= ~((values >= 0.0) & (values <= MAX_TIME_S))
    return values, odd


def date_times(cells: Cells, column: int, zone: str) -> tuple[Places, Places, Flags]:
    """Seconds since 1970 and nanoseconds of a column, and which rows do not plainly hold a date and time.

    Plain is ``2023-11-16 18:15:46.6805900`` with a fraction or none, and with the zone given or none.
    """
    found, width = _windows(cells, column)
    suffix = np.frombuffer(zone.encode(), dtype=np.uint8)
    odd = (width < _STAMP + suffix.size) | (width > found.shape[1])
    if found.shape[1] < _STAMP + suffix.size:
        return np.zeros(width.size, np.int64), np.zeros(width.size, np.int64), np.ones(width.size, np.bool_)
    width = np.where(odd, _STAMP + suffix.size, width) - suffix.size
    if suffix.size:
        tail = np.take_along_axis(found, width[:, None] + np.arange(suffix.size), axis=1)
        odd |= np.any(tail != suffix, axis=1)
    for place, mark in ((4, "-"), (7, "-"), (13, ":"), (16, ":")):
        odd |= found[:, place] != ord(mark)
    odd |= (found[:, 10] != ord(" ")) & (found[:, 10] != ord("T"))

    def digits(*places: int) -> Places:
        nonlocal odd
        number = np.zeros(width.size, dtype=np.int64)
        for place in places:
            digit = found[:, place] - np.uint8(ord("0"))
            odd |= digit > 9
            number = number * 10 + digit
        return number

    year, month, day = digits(0, 1, 2, 3), digits(5, 6), digits(8, 9)
    hour, minute, second = digits(11, 12), digits(14, 15), digits(17, 18)
    fraction = np.zeros(width.size, dtype=np.int64)
    if found.shape[1] > _STAMP:
        odd |= (width > _STAMP) & ((found[:, _STAMP] != ord(".")) | (width == _STAMP + 1))
    odd |= width > _STAMP + 10
    for place in range(_STAMP + 1, _STAMP + 10):
        fraction *= 10
        if place < found.shape[1]:
            inside = place < width
            digit = found[:, place] - np.uint8(ord("0"))
            odd |= inside & (digit > 9)
            fraction += np.where(inside, digit, 0)
    odd |= (year < 1) | (month < 1) | (month > 12) | (hour > 23) | (minute > 59) | (second > 59)
    months = (np.where(odd, 1970, year) - 1970) * 12 + np.where(odd, 1, month) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    odd |= (day < 1) | (day > after - first)
    seconds = (first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second - zone_s(zone)
    return seconds, fraction, odd


def zone_s(zone: str) -> int:
    """Seconds that a zone's clock is ahead of universal time.

    >>> zone_s("+01:30"), zone_s("Z"), zone_s("")
    (5400, 0, 0)
    """
    if zone in ("", "Z"):
        return 0
    return (1 if zone[0] == "+" else -1) * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)


def read_count(text: str) -> tuple[int, str, str]:
    """Tokens of one cell, the code of what is wrong with it, and why.

    >>> read_count("374.0"), read_count("0")
    ((374, '', ''), (0, 'E176', 'must be at least 1, got 0'))
    """
    if not text or not _NUMBER.fullmatch(text):
        return 0, "E175", _no_number(text)
    value = float(text)
    if value < 1:
        return 0, "E176", f"must be at least 1, got {_short(text)}"
    if value > MAX_TOKENS:
        return 0, "E176", f"must be at most {MAX_TOKENS:,}, got {_short(text)}"
    if not value.is_integer():
        return 0, "E176", f"must be a whole number, got {_short(text)}"
    return int(value), "", ""


def read_seconds(text: str) -> tuple[float, str, str]:
    """Plain seconds of one cell, the code of what is wrong with it, and why."""
    if not text or not _NUMBER.fullmatch(text):
        return 0.0, "E175", _no_number(text)
    value = float(text)
    if value < 0.0:
        return 0.0, "E176", f"must not be negative, got {_short(text)}"
    if value > MAX_TIME_S:
        return 0.0, "E176", f"must be at most {MAX_TIME_S:g} s, got {_short(text)}"
    return value, "", ""


def read_date_time(text: str) -> tuple[int, int, str]:
    """Seconds since 1970, nanoseconds, and what is wrong with one cell that should hold a date and time.

    >>> read_date_time("1970-01-02T00:00:01.5Z")
    (86401, 500000000, '')
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return 0, 0, f"must be a date and time, got '{_short(text)}'" if text else "is empty"
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    zone = match[8] or ""
    try:
        days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return 0, 0, f"is no day of the calendar, got '{_short(text)}'"
    if hour > 23 or minute > 59 or second > 59:
        return 0, 0, f"is no time of the day, got '{_short(text)}'"
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - zone_s(zone)
    return seconds, int((match[7] or "0").ljust(9, "0")), ""


def kind_of_time(text: str) -> Literal["number", "date"] | None:
    """How a time is written, None where it is no time."""
    if _NUMBER.fullmatch(text):
        return "number"
    return "date" if _DATE.fullmatch(text) else None


def zone_of(text: str) -> str:
    """The zone at the end of a date and time, empty where there is none."""
    match: Any = _DATE.fullmatch(text)
    return (match[8] or "") if match else ""


def _no_number(text: str) -> str:
    if not text:
        return "is empty"
    try:
        finite = math.isfinite(float(text))
    except ValueError:
        finite = True
    return f"must be a number, got '{_short(text)}'" if finite else f"must be a finite number, got {_short(text)}"


def _short(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:40]) + "..." * (len(text) > 40)
