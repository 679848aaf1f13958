"""Look up a line or table by the id a user typed, with the nearest ids when there is none."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from aiplan.errors import InputError, Problem
from aiplan.report.model import Line, Report, Table
from aiplan.report.sanitize import clean_line

MAX_LISTED = 12


def _unknown(code: str, kind: str, option: str, wanted: str, ids: Sequence[str]) -> InputError:
    shown = clean_line(wanted)[:80]
    near = difflib.get_close_matches(wanted, ids, n=3, cutoff=0.5)
    if near:
        hint = "did you mean " + " or ".join(near) + "?"
    elif ids:
        more = f" and {len(ids) - MAX_LISTED} more" if len(ids) > MAX_LISTED else ""
        hint = f"there is {', '.join(ids[:MAX_LISTED])}{more}"
    else:
        hint = f"this report has no {kind}s"
    return InputError(Problem(code, f"no {kind} is called {shown!r}", file=option, hint=hint))


def find_line(report: Report, line_id: str) -> Line:
    """The line with this id. Raises InputError E204 with the nearest ids when there is none."""
    for line in report.lines:
        if line.id == line_id:
            return line
    raise _unknown("E204", "line", "--explain", line_id, [line.id for line in report.lines])


def find_table(report: Report, table_id: str) -> Table:
    """The table with this id. Raises InputError E203 with the nearest ids when there is none."""
    for table in report.tables:
        if table.id == table_id:
            return table
    raise _unknown("E203", "table", "--table", table_id, [table.id for table in report.tables])
