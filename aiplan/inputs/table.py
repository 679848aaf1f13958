"""The guarded way in for CSV files: rows of text under a checked header."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import bad_text, printable, read_bytes

MAX_CSV_BYTES = 64 << 20
MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """A CSV: column names and one dictionary of texts per row."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_csv(path: Path) -> Rows:
    """Read a CSV with a header.

    Raises
    ------
    InputError for a file that is no regular file, too large, not UTF-8, empty, with doubled column names, rows
    of another length than the header, or control characters; all bad rows at once.
    """
    name = str(path)
    raw = read_bytes(path, name, MAX_CSV_BYTES).removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(Problem("E003", "is not valid UTF-8", "", name, line, 1, hint="save it as UTF-8")) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    problems: list[Problem] = []
    rows: list[dict[str, str]] = []
    header: list[str] = []
    try:
        header = [column.strip() for column in next(reader, [])]
        problems += _check_header(header, name)
        for cells in reader:
            if not cells:
                continue
            if len(rows) >= MAX_ROWS:
                problems.append(Problem("E012", f"has more than {MAX_ROWS:,} rows", file=name, hint="split the file"))
                break
            if len(cells) != len(header):
                problems.append(
                    Problem(
                        "E011",
                        f"has {len(cells)} cells, the header has {len(header)}",
                        "",
                        name,
                        reader.line_num,
                        1,
                        hint="quote cells that hold commas",
                    )  # fmt: skip
                )
                continue
            if reason := next((found for cell in cells if (found := bad_text(cell))), ""):
                problems.append(Problem("E006", f"a cell {reason}", "", name, reader.line_num, 1, hint="remove it"))
                continue
            rows.append(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    except csv.Error as error:
        problems.append(Problem("E010", f"is no CSV: {printable(str(error))}", "", name, reader.line_num, 1,
                                hint="check the quotes"))  # fmt: skip
    if problems:
        raise InputError(problems)
    return Rows(name, tuple(header), tuple(rows))


def _check_header(header: list[str], name: str) -> list[Problem]:
    if not header:
        return [Problem("E010", "is empty", file=name, hint="the first line names the columns")]
    doubled = sorted({column for column in header if header.count(column) > 1})
    problems = [Problem("E010", f"names column '{printable(column)}' twice", "", name, 1, 1, hint="rename one")
                for column in doubled]  # fmt: skip
    problems += [Problem("E006", f"a column name {bad_text(column)}", "", name, 1, 1, hint="rename it")
                 for column in header if bad_text(column)]  # fmt: skip
    return problems
