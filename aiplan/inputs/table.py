"""The guarded way in for CSV files: rows of text under a checked header."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem
from aiplan.inputs.reader import bad_text, printable, read_bytes

MAX_CSV_BYTES = 64 << 20
MAX_ROWS = 1_000_000
MAX_COLUMNS = 1_000


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

    def complain(code: str, message: str, hint: str) -> None:
        problems.append(Problem(code, message, "", name, max(reader.line_num, 1), 1, hint=hint))

    try:
        header = [column.strip() for column in next(reader, [])]
        problems += _check_header(header, name)
        for cells in reader:
            if len(rows) >= MAX_ROWS:
                complain("E012", f"has more than {MAX_ROWS:,} rows", "split the file")
                break
            if len(problems) > MAX_PROBLEMS_SHOWN:
                complain("E012", "is not read further", "mend the rows above first")
                break
            if not cells:
                continue
            if len(cells) != len(header):
                message = f"has {len(cells)} cells, the header has {len(header)}"
                complain("E011", message, "quote cells that hold commas")
            elif reason := next((found for cell in cells if (found := bad_text(cell))), ""):
                complain("E006", f"a cell {reason}", "remove it")
            else:
                rows.append(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    except csv.Error as error:
        complain("E010", f"is no CSV: {printable(str(error))}", "check the quotes")
    if problems:
        raise InputError(problems)
    return Rows(name, tuple(header), tuple(rows))


def _check_header(header: list[str], name: str) -> list[Problem]:
    if not header:
        return [Problem("E010", "is empty", file=name, hint="the first line names the columns")]
    if len(header) > MAX_COLUMNS:
        message = f"has {len(header):,} columns, more than {MAX_COLUMNS:,}"
        raise InputError(Problem("E010", message, "", name, 1, 1, hint="is it a CSV?"))
    doubled = sorted({column for column in header if header.count(column) > 1})
    problems = [Problem("E010", f"names column '{printable(column[:80])}' twice", "", name, 1, 1, hint="rename one")
                for column in doubled]  # fmt: skip
    problems += [Problem("E006", f"a column name {bad_text(column)}", "", name, 1, 1, hint="rename it")
                 for column in header if bad_text(column)]  # fmt: skip
    return problems
