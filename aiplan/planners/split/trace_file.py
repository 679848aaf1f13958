"""The guarded way in for traces: a CSV of requests, of any size, plain or compressed by gzip.

The file is read in blocks, so that memory holds the numbers of its requests and little else: 16 bytes a request while
reading, 24 for a moment at the end. All that is wrong with a file is reported at once.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem, in_reading_order
from aiplan.inputs.reader import printable, quote
from aiplan.planners.split import trace_cells
from aiplan.planners.split.lengths import MAX_TOKENS
from aiplan.planners.split.trace_cells import Cells, Flags
from aiplan.planners.split.trace_header import Header, read_header
from aiplan.planners.split.trace_stream import Block, Stream, blocks, opened, refusal
from aiplan.planners.split.workload import Requests

MAX_ROWS = 2**31 - 1
"""Most requests of a trace."""

MAX_BLANK = 1_000_000
"""Most lines with nothing in them."""

MAX_PROBLEMS = 100_000
"""Problems after which a file is not read further."""

_BATCH_ROWS = 20_000
_NANO = 1_000_000_000
_FARTHEST_S = 9_000_000_000
"""Beyond 292 years nanoseconds leave 64 bits; no trace lasts that long."""


def read_trace(path: Path | str, *, context_max: int | None = None) -> Requests:
    """Requests of a trace file.

    Parameters
    ----------
    path : CSV, or CSV compressed by gzip, with the columns ``TIMESTAMP, ContextTokens, GeneratedTokens`` of the
        Azure traces or ``arrival_timestamp, prompt_size, token_size`` of SplitwiseSim's; other columns are ignored,
        as is the case of names
    context_max : most tokens of prompt and answer together that the model allows; None checks nothing

    Times are seconds, or ``2023-11-16 18:15:46.6805900`` with up to nine decimals and a zone or none. Dates, and
    every time of Azure's format, count from the first row; seconds of the simulator's format stay as they are. A last
    line without a line feed is read as it stands: Azure's own files end so.

    Raises
    ------
    InputError with every problem of the file and its place, the first 50 in full; reading stops at 100,000.
    """
    shown = printable(str(path))
    try:
        with opened(path, shown) as stream:
            return _Trace(shown, context_max).read(stream)
    except MemoryError:
        raise refusal("E179", shown, "holds more requests than fit into memory", "split the trace") from None


@dataclass(slots=True)
class _Trace:
    """A trace as far as it has been read: numbers of its sound rows, and problems of the others."""

    shown: str
    context_max: int | None
    problems: list[Problem] = field(default_factory=list)
    found: int = 0
    rows: int = 0
    blank: int = 0
    columns: tuple[list[npt.NDArray[Any]], ...] = field(default_factory=lambda: ([], [], []))
    dates: bool | None = None
    zone: str = ""
    origin: tuple[int, int] | None = None
    origin_s: float = 0.0
    last_s: float = -np.inf
    unsorted: Problem | None = None
    unsorted_rows: int = 0
    header: Header = field(init=False)

    def read(self, stream: Stream) -> Requests:
        """Requests of a file; raises InputError where something is wrong with it."""
        try:
            self.read_rows(blocks(stream, self.shown))
        except InputError as error:
            self.problems = [*self.problems[: MAX_PROBLEMS_SHOWN - 1], *error.problems]
            self.found += 1
        if self.unsorted is not None:
            others = self.unsorted_rows - 1
            more = f"; so {'is' if others == 1 else 'are'} {others:,} more" if others else ""
            first = replace(self.unsorted, message=self.unsorted.message + more)
            self.problems = [*self.problems[: MAX_PROBLEMS_SHOWN - 1], first]
            self.found += 1
        if self.problems:
            raise InputError(in_reading_order(self.problems), self.found - len(self.problems))
        if not self.rows:
            raise refusal("E178", self.shown, "has a header and no requests", "give a row for every request", 1)
        # Each column's blocks are let go before the next is joined.
        return Requests(*(_joined(parts) for parts in self.columns))

    def read_rows(self, source: Iterator[Block]) -> None:
        """Read header and rows."""
        top = next(source, Block(1, b""))
        end = top.data.find(b"\n") + 1 or len(top.data)
        self.header = read_header(top.data[:end], self.shown)
        for block in chain([Block(2, top.data[end:])], source):
            if b'"' in block.data and not trace_cells.is_plainly_quoted(block.data):
                self.read_quoted(block.line, chain([block], source))
                return
            if block.data:
                self.keep(trace_cells.split_block(block.data, self.header.columns, self.header.wanted, block.line))
            if self.found >= MAX_PROBLEMS:
                return

    def read_quoted(self, line: int, source: Iterator[Block]) -> None:
        """Read the rest of a file whose quoted cells hold quotes or line feeds, at a quarter of the speed."""
        texts: list[str] = []
        reader = csv.reader(_lines(source, texts), strict=True)
        failure: Problem | InputError | None = None
        while failure is None and self.found < MAX_PROBLEMS:
            rows, first = [], line + reader.line_num
            texts.clear()
            try:
                for cells in islice(reader, _BATCH_ROWS):
                    rows.append((line + reader.line_num - 1, cells))
            except csv.Error as error:
                reason = "a carriage return inside a line" if "new-line" in str(error) else printable(str(error))
                failure = Problem("E010", f"is no CSV: {reason}", "", self.shown,
                                  line + reader.line_num - 1, 1, hint="check the quotes")  # fmt: skip
            except InputError as error:
                failure = error
            if rows:
                self.keep(_table(rows, self.header, first, list(texts)))
            elif failure is None:
                return
        if isinstance(failure, Problem):
            failure = InputError(failure)
        if failure is not None:
            raise failure

    def keep(self, cells: Cells) -> None:
        """Turn a block's cells into numbers, and keep those of its sound rows."""
        before, width = len(self.problems), self.header.columns
        for line, count in cells.short:
            message = f"has {count} cell{'s' * (count != 1)}, the header has {width}"
            hint = "quote cells that hold commas" if count > width else "is the file cut off here?"
            self.complain("E011", line, 1, cells.line_text(line), message, hint)
        sound = np.ones(cells.lines.size, dtype=np.bool_)
        if sound.size:
            times = self.times(cells, sound)
            self.check_order(cells, times, np.flatnonzero(sound))
            prompts, outputs = (self.counts(cells, column, sound) for column in (1, 2))
            self.check_context(cells, prompts + outputs, sound)
        self.problems[before:] = in_reading_order(self.problems[before:])
        self.rows += sound.size
        self.blank += cells.blank
        for count, limit, what in ((self.rows, MAX_ROWS, "requests"), (self.blank, MAX_BLANK, "blank lines")):
            if count > limit:
                raise refusal("E179", self.shown, f"has more than {limit:,} {what}", "split or clean the trace")
        if self.found or self.unsorted is not None:  # nothing will come of it: only problems matter from here on
            self.columns = ([], [], [])
        elif sound.size:
            for parts, values in zip(self.columns, (times, prompts, outputs), strict=True):
                parts.append(values.astype(np.float64 if values is times else np.int32, copy=False))

    def counts(self, cells: Cells, column: int, sound: Flags) -> npt.NDArray[np.int64]:
        """Tokens of a column; rows that have none are marked as not sound."""
        values, odd = trace_cells.whole_numbers(cells, column)
        for row in np.flatnonzero(odd | (values < 1) | (values > MAX_TOKENS)):
            values[row], code, reason = trace_cells.read_count(cells.text(int(row), column))
            if code:
                hint = "every request has a prompt and an answer" if code == "E176" else "write a whole number"
                self.complain_of(cells, int(row), column, code, reason, hint, sound)
        return values

    def times(self, cells: Cells, sound: Flags) -> npt.NDArray[np.float64]:
        """Times of a block [s]; rows that have none are marked as not sound."""
        for row in range(cells.lines.size if self.dates is None else 0):
            text = cells.text(row, 0)
            if kind := trace_cells.kind_of_time(text):
                self.dates, self.zone = kind == "date", trace_cells.zone_of(text)
                break
        return self.date_times(cells, sound) if self.dates else self.seconds(cells, sound)

    def seconds(self, cells: Cells, sound: Flags) -> npt.NDArray[np.float64]:
        values, odd = trace_cells.plain_seconds(cells, 0)
        for row in np.flatnonzero(odd):
            values[row], code, reason = trace_cells.read_seconds(cells.text(int(row), 0))
            if code:
                hint = "write seconds, or a date and time such as 2023-11-16 18:15:46.6805900"
                self.complain_of(cells, int(row), 0, code, reason, hint, sound)
        if self.header.format.from_first_row and sound.any():
            if self.last_s == -np.inf:
                self.origin_s = float(values[np.argmax(sound)])
            values -= self.origin_s
        return values

    def date_times(self, cells: Cells, sound: Flags) -> npt.NDArray[np.float64]:
        """Times from the first row on [s], shape (rows,); complains of what is no date, and of centuries between."""
        seconds, nanos, odd = trace_cells.date_times(cells, 0, self.zone)
        for row in np.flatnonzero(odd):
            seconds[row], nanos[row], reason = trace_cells.read_date_time(cells.text(int(row), 0))
            if reason:
                hint = "write every time as the first is written"
                self.complain_of(cells, int(row), 0, "E175", reason, hint, sound)
        if self.origin is None and sound.any():
            first = int(np.argmax(sound))
            self.origin = int(seconds[first]), int(nanos[first])
        start = self.origin or (0, 0)
        for row in np.flatnonzero(sound & (np.abs(seconds - start[0]) > _FARTHEST_S)):
            self.complain_of(cells, int(row), 0, "E176", "lies centuries from the first row", "correct it", sound)
        ticks: npt.NDArray[np.int64] = np.where(sound, (seconds - start[0]) * _NANO + nanos - start[1], 0)
        return ticks / _NANO

    def check_context(self, cells: Cells, tokens: npt.NDArray[np.int64], sound: Flags) -> None:
        """Refuse requests longer than the model's context."""
        if self.context_max is None:
            return
        for row in np.flatnonzero(sound & (tokens > self.context_max)):
            message = f"and {self.header.format.columns[2]} are {tokens[row]:,} tokens, more than the context's"
            hint = "leave the request out, or choose a model with a longer context"
            self.complain_of(cells, int(row), 1, "E176", f"{message} {self.context_max:,}", hint, sound)

    def check_order(self, cells: Cells, times: npt.NDArray[np.float64], rows: npt.NDArray[np.intp]) -> None:
        """Remember the first row that comes before the one above it, and how many do."""
        if not rows.size:
            return
        above = np.concatenate([[self.last_s], times[rows[:-1]]])
        back = np.flatnonzero(times[rows] < above)
        self.unsorted_rows += back.size
        self.last_s = float(times[rows[-1]])
        if back.size and self.unsorted is None:
            row = int(rows[back[0]])
            text, column, length = self.place(cells, row, 0)
            quoted, offset = quote(text, column)
            step = above[back[0]] - times[row]
            message = f"{self.header.format.columns[0]} is {step:g} s before the row above it"
            self.unsorted = Problem("E177", message, "", self.shown, int(cells.lines[row]), column, quoted, length,
                                    "sort the rows by time", offset)  # fmt: skip

    def complain(self, code: str, line: int, column: int, text: str, message: str, hint: str, length: int = 1) -> None:
        """Keep a problem, or count it where enough are kept."""
        self.found += 1
        if len(self.problems) < MAX_PROBLEMS_SHOWN:
            quoted, offset = quote(text, column)
            self.problems.append(Problem(code, message, "", self.shown, line, column, quoted, length, hint, offset))

    def complain_of(self, cells: Cells, row: int, column: int, code: str, reason: str, hint: str, sound: Flags) -> None:
        """Keep or count a problem of a cell, and mark its row as not sound."""
        sound[row] = False
        text, at, length = self.place(cells, row, column) if len(self.problems) < MAX_PROBLEMS_SHOWN else ("", 1, 1)
        message = f"{self.header.format.columns[column]} {reason}"
        self.complain(code, int(cells.lines[row]), at, text, message, hint, length)

    def place(self, cells: Cells, row: int, column: int) -> tuple[str, int, int]:
        """Text of a row's line, and where in it a cell starts and how long it is."""
        line, cell = cells.line_text(int(cells.lines[row])), cells.text(row, column)
        # Looked for behind the cells before it, whose text may hold the same.
        before = line.split(",", self.header.wanted[column])[: self.header.wanted[column]]
        at = line.find(cell, sum(len(name) + 1 for name in before))
        return line, max(at, 0) + 1, max(len(cell), 1)


def _lines(source: Iterator[Block], texts: list[str]) -> Iterator[str]:
    """Lines of blocks as text, each also added to the list that messages quote from."""
    for block in source:
        for line in block.data.decode("utf-8", "replace").removesuffix("\n").split("\n"):
            texts.append(line.rstrip("\r"))
            yield line + "\n"


def _table(rows: Sequence[tuple[int, list[str]]], header: Header, first: int, texts: Sequence[str]) -> Cells:
    """Cells of rows that a CSV reader has split; each row is known by the line it ends in."""
    good = [(line, cells) for line, cells in rows if len(cells) == header.columns]
    words = [cells[column].strip().encode("utf-8", "replace") for _, cells in good for column in header.wanted]
    ends = trace_cells.PAD + np.cumsum([len(word) for word in words], dtype=np.int64)
    starts = np.concatenate([[trace_cells.PAD], ends[:-1]])[: ends.size]
    short = [(line, len(cells)) for line, cells in rows if cells and len(cells) != header.columns]
    lines = np.array([line for line, _ in good], dtype=np.int64)

    def line_text(line: int) -> str:
        return texts[line - first] if 0 <= line - first < len(texts) else ""

    data = trace_cells.padded(b"".join(words))
    blank = sum(1 for _, cells in rows if not cells)
    return Cells(data, starts.reshape(-1, 3), ends.reshape(-1, 3), lines, short, blank, line_text)


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    whole = np.concatenate(parts)
    parts.clear()
    return whole
