"""CSV for spreadsheets and scripts: tidy lines, or one table; header always, ``\\n``, ``.`` as decimal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from aiplan.report.check import require_numbers
from aiplan.report.find import find_table
from aiplan.report.model import Cell, Report
from aiplan.report.numbers import shortest
from aiplan.report.sanitize import csv_cell

LINE_COLUMNS = (
    "scenario",
    "line",
    "label",
    "value",
    "unit",
    "p5",
    "p25",
    "p50",
    "p75",
    "p95",
    "mean",
    "grade",
    "sources",
)


def _text(value: Cell) -> str:
    """Text is defused against formulas; numbers stay numbers, so a negative one keeps its bare sign."""
    return csv_cell(value) if isinstance(value, str) else shortest(value)


def write_rows(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """CSV text of a header and rows; a missing value is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([csv_cell(column) for column in columns])
    writer.writerows([_text(value) for value in row] for row in rows)
    return buffer.getvalue()


def _line_rows(report: Report) -> Iterable[Sequence[Cell]]:
    for line in report.lines:
        quantiles = (line.p5, line.p25, line.p50, line.p75, line.p95, line.mean)
        sources = ";".join(line.sources)
        yield (
            report.scenario.name,
            line.id,
            line.label,
            line.value,
            line.unit,
            *quantiles,
            line.grade,
            sources,
        )


def render_csv(report: Report, table: str | None = None) -> str:
    """Lines of the report, one per row, or the records of one table.

    Raises InputError when there is no such table and ValueError for a number that is NaN or infinite.
    """
    require_numbers(report)
    if table is None:
        return write_rows(LINE_COLUMNS, _line_rows(report))
    wanted = find_table(report, table)
    return write_rows([column.id for column in wanted.columns], wanted.rows)
