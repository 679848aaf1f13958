"""The guarded way in for telemetry: a CSV of temperatures and power, read in batches, every problem with its line.

The only file of the fit that reads one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem, in_reading_order
from aiplan.inputs.reader import bad_text, printable, read_bytes
from aiplan.planners.thermal.regression import Floats, Ints
from aiplan.planners.thermal.telemetry_cells import Reading, time_of, times_of, values_of

MAX_BYTES = 2 << 30
MAX_ROWS = 20_000_000
MAX_NAME = 200
MAX_PROBLEMS = 100_000
"""Problems after which a file is not read further."""

NEEDED = ("time", "server", "gpu", "inlet_c", "power_w", "temp_c")
OPTIONAL = ("load", "outside_c", "row", "rack", "mem_temp_c")
LIMITS = {"inlet_c": (-40.0, 80.0), "temp_c": (-40.0, 150.0), "mem_temp_c": (-40.0, 150.0), "outside_c": (-70.0, 65.0),
          "power_w": (0.0, 20_000.0), "load": (0.0, 1.0)}  # fmt: skip
"""What a sensor that works can say."""
_BATCH = 50_000


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Samples sorted by GPU, then by time. N samples of G GPUs in S servers.

    Attributes
    ----------
    name : the file
    servers : (S,) names; `row_of_server` the names of their rows, empty where the file has none
    gpus : (G,) names within the server
    server_of_gpu : (G,) index of the server
    position : (G,) index of the GPU's name among all names of GPUs
    time_s : (N,) from the first sample on [s]
    gpu : (N,) index of the GPU
    values : the numeric columns, (N,) each
    """

    name: str
    servers: tuple[str, ...]
    row_of_server: tuple[str, ...]
    gpus: tuple[str, ...]
    server_of_gpu: Ints
    position: Ints
    time_s: Floats
    gpu: Ints
    values: dict[str, Floats]


def read_telemetry(path: Path) -> Telemetry:
    """Telemetry of a CSV with a header.

    Parameters
    ----------
    path : needs the columns of `NEEDED`; uses those of `OPTIONAL`; other columns are ignored. Times are seconds, or
        dates and times as ``2026-11-22 18:15:46.5``, with a zone or none, all alike; times of a GPU rise.

    Raises
    ------
    InputError with every problem of the file and its line.
    """
    name = printable(str(path))
    raw = read_bytes(path, name, MAX_BYTES).removeprefix(b"\xef\xbb\xbf")
    return _File(name).read(raw)


class _Rows(Protocol):
    """A reader of CSV: rows, and how many lines they took."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


@dataclass(slots=True)
class _File:
    """A file as far as it has been read."""

    name: str
    problems: list[Problem] = field(default_factory=list)
    found: int = 0
    rows: int = 0
    dates: bool | None = None
    width: int = 0
    times_hold: bool = True
    columns: dict[str, int] = field(default_factory=dict)
    servers: dict[str, int] = field(default_factory=dict)
    rows_of: dict[int, str] = field(default_factory=dict)
    gpus: dict[tuple[int, str], int] = field(default_factory=dict)
    parts: dict[str, list[Floats]] = field(default_factory=dict)
    index: list[Ints] = field(default_factory=list)
    lines: list[Ints] = field(default_factory=list)

    def complain(self, code: str, message: str, line: int, hint: str) -> None:
        """Keep a problem, or count it where enough are kept."""
        self.found += 1
        if len(self.problems) < MAX_PROBLEMS_SHOWN:
            self.problems.append(Problem(code, message, "", self.name, line, 1, hint=hint))

    def read(self, raw: bytes) -> Telemetry:
        """Everything, or InputError with all problems."""
        stream = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8", newline="")
        reader = csv.reader(stream, strict=True)
        try:
            self.header(next(reader, []))
            self.body(reader)
        except csv.Error as error:
            message = f"is no CSV: {printable(str(error))}"
            self.complain("E010", message, max(reader.line_num, 1), "check the quotes")
        except UnicodeDecodeError:
            self.complain("E003", "is not valid UTF-8", max(reader.line_num, 1), "save it as UTF-8")
        if not self.problems and not self.rows:
            self.complain("E250", "has a header and no samples", 1, "give a row for every sample")
        order = self.order() if self.times_hold and self.index else np.zeros(0, dtype=np.int64)
        if self.problems:
            raise InputError(in_reading_order(self.problems), self.found - len(self.problems))
        return self.telemetry(order)

    def header(self, names: Sequence[str]) -> None:
        """Places of the columns; raises InputError where some are missing or doubled."""
        known = [name.strip().casefold() for name in names]
        if not any(known):
            raise InputError(Problem("E010", "is empty", file=self.name, hint="the first line names the columns"))
        missing = [name for name in NEEDED if name not in known]
        problems = []
        if missing:
            near = {name: get_close_matches(name, known, n=1, cutoff=0.6) for name in missing}
            told = [
                f"did you mean '{printable(match[0])[:40]}'? name it '{name}'" for name, match in near.items() if match
            ]
            hint = "; ".join(told) or f"the columns are {', '.join(NEEDED)}, and if known {', '.join(OPTIONAL)}"
            listed = ", ".join(f"'{name}'" for name in missing)
            problems.append(Problem("E250", f"has no column{'s' * (len(missing) > 1)} {listed}", "", self.name, 1, 1,
                                    hint=hint))  # fmt: skip
        problems += [Problem("E010", f"names column '{name}' twice", "", self.name, 1, 1, hint="rename one")
                     for name in (*NEEDED, *OPTIONAL) if known.count(name) > 1]  # fmt: skip
        if problems:
            raise InputError(problems)
        self.columns = {name: known.index(name) for name in (*NEEDED, *OPTIONAL) if name in known}
        self.width = len(names)

    def body(self, reader: _Rows) -> None:
        """All rows, in batches."""
        first = 2
        while self.found < MAX_PROBLEMS:
            rows = list(islice(reader, _BATCH))
            if not rows:
                return
            lines = np.arange(first, first + len(rows), dtype=np.int64)
            first += len(rows)
            if reader.line_num != first - 1:
                message = "has a cell with a line break, or a line that ends without one"
                self.complain("E010", message, int(lines[0]), "keep every row on one line")
                return
            if not all(len(cells) == self.width for cells in rows):
                whole = [self.whole(int(line), cells) for line, cells in zip(lines, rows, strict=True)]
                lines = lines[np.array(whole)]
                rows = [cells for cells in rows if len(cells) == self.width]
            self.rows += len(rows)
            if self.rows > MAX_ROWS:
                self.complain("E012", f"has more than {MAX_ROWS:,} rows", int(lines[-1]), "split the file")
                return
            if rows:
                self.batch(rows, lines)

    def whole(self, line: int, cells: list[str]) -> bool:
        """Whether a row has as many cells as the header; an empty line is no row and no problem."""
        if cells and len(cells) != self.width:
            message = f"has {len(cells)} cells, the header has {self.width}"
            self.complain("E011", message, line, "quote cells that hold commas")
        return len(cells) == self.width

    def batch(self, rows: list[list[str]], lines: Ints) -> None:
        """Cells of sound rows into numbers."""
        cells = list(zip(*rows, strict=True))
        numbers: dict[str, Floats] = {}
        for name, place in self.columns.items():
            if name in LIMITS:
                numbers[name] = self.told(name, values_of(cells[place], LIMITS[name]), lines)
        if self.dates is None:
            self.dates = time_of(cells[self.columns["time"]][0]) == "date"
        times = times_of(cells[self.columns["time"]], dates=self.dates)
        self.times_hold &= not times.problems
        numbers["time"] = self.told("time", times, lines)
        servers, gpus = (cells[self.columns[name]] for name in ("server", "gpu"))
        self.index.append(self.named(servers, gpus, cells, lines))
        self.lines.append(lines)
        for name, values in numbers.items():
            self.parts.setdefault(name, []).append(values)

    def told(self, name: str, reading: Reading, lines: Ints) -> Floats:
        """A column's numbers, after its problems have been kept."""
        for row, code, reason in reading.problems:
            hint = (
                "write a number, or leave the row out" if code == "E251" else "correct the sensor or leave the row out"
            )
            self.complain(code, f"{name} {reason}", int(lines[row]), hint)
        return reading.values

    def named(self, servers: Sequence[str], gpus: Sequence[str], cells: list[tuple[str, ...]], lines: Ints) -> Ints:
        """Index of the GPU of each row; names are met for the first time here."""
        local: dict[tuple[str, str], int] = {}
        seen: list[int] = []
        index = np.empty(len(lines), dtype=np.int64)
        for row, pair in enumerate(zip(servers, gpus, strict=True)):
            number = local.get(pair, -1)
            if number < 0:
                number = local[pair] = len(seen)
                seen.append(row)
            index[row] = number
        place = np.empty(len(local), dtype=np.int64)
        for pair, number in local.items():
            server, gpu = pair[0].strip(), pair[1].strip()
            for what, text in (("server", server), ("gpu", gpu)):
                if not text or len(text) > MAX_NAME or bad_text(text):
                    reason = "is empty" if not text else bad_text(text) or f"is longer than {MAX_NAME} characters"
                    self.complain("E251", f"{what} {reason}", int(lines[seen[number]]), "give a name")
            at = self.servers.setdefault(server, len(self.servers))
            place[number] = self.gpus.setdefault((at, gpu), len(self.gpus))
            if at not in self.rows_of and "row" in self.columns:
                self.rows_of[at] = cells[self.columns["row"]][seen[number]].strip()[:MAX_NAME]
        return place[index]

    def order(self) -> Ints:
        """Rows sorted by GPU, kept in their order within; complains of times that do not rise."""
        gpu, time = np.concatenate(self.index), np.concatenate(self.parts["time"])
        order = np.argsort(gpu, kind="stable")
        sorted_gpu, sorted_time = gpu[order], time[order]
        step = np.diff(sorted_time)
        bad = np.flatnonzero((np.diff(sorted_gpu) == 0) & (step <= 0.0)) + 1
        if bad.size:
            lines = np.concatenate(self.lines)
            names = list(self.gpus)
            servers = list(self.servers)
            for row in bad[:MAX_PROBLEMS_SHOWN].tolist():
                server, name = names[int(sorted_gpu[row])]
                who = f"GPU {printable(name)[:40]} of server {printable(servers[server])[:60]}"
                after = int(lines[order[row - 1]])
                what = "is that of" if step[row - 1] == 0.0 else "lies before that of"
                self.complain(
                    "E253",
                    f"the time of {who} {what} line {after}",
                    int(lines[order[row]]),
                    "keep one row for each GPU and time" if step[row - 1] == 0.0 else "sort the rows by time",
                )
            self.found += max(bad.size - MAX_PROBLEMS_SHOWN, 0)
        return order

    def telemetry(self, order: Ints) -> Telemetry:
        """What has been read, sorted."""
        values = {name: np.concatenate(parts)[order] for name, parts in self.parts.items()}
        time = values.pop("time")
        labels = sorted({gpu for _, gpu in self.gpus}, key=lambda text: (len(text), text))
        place = {label: number for number, label in enumerate(labels)}
        return Telemetry(
            name=self.name,
            servers=tuple(self.servers),
            row_of_server=tuple(self.rows_of.get(at, "") for at in range(len(self.servers))),
            gpus=tuple(gpu for _, gpu in self.gpus),
            server_of_gpu=np.array([at for at, _ in self.gpus], dtype=np.int64),
            position=np.array([place[gpu] for _, gpu in self.gpus], dtype=np.int64),
            time_s=time - time.min(),
            gpu=np.concatenate(self.index)[order],
            values=values,
        )
