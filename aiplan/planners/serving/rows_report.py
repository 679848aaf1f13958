"""`aiplan perf --rows`: a file of deployments with time, power and energy beside them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError
from aiplan.inputs.table import Rows, read_csv
from aiplan.planners.serving.cells import cells_of, require_columns
from aiplan.planners.serving.predict import Predicted, predict
from aiplan.planners.serving.remarks import remarks
from aiplan.planners.serving.rows import Row, Shelf, place
from aiplan.planners.serving.rows_cap import cap_text
from aiplan.report.model import Cell, Column, Line, Origin, Report, Table, Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

REQUIRED = ("model", "hardware")
VALUES = ("ttft_ms", "tpot_ms", "output_tok_s", "power_w", "energy_j_per_token")
"""What is predicted, in the order of the columns."""
BANDS = tuple(f"{name}_{end}" for name in VALUES for end in ("low", "high"))
OUT = (*VALUES, *BANDS, "method", "warning")
"""Columns that are added; a measured column of the same name moves to ``measured_NAME``."""
BLOCK = 20_000
"""Rows predicted side by side: a hundred thousand need no more memory than this many."""


def rows_report(path: Path, catalog: Catalog) -> tuple[Report, int]:
    """Every row of a file, in order, with its prediction; and how many could not be placed.

    Parameters
    ----------
    path : CSV of deployments; see `rows.COLUMNS` for the names its columns go by
    catalog : where models and accelerators are looked up

    Raises InputError for a file that cannot be read or has neither a column for models nor one for hardware.
    """
    table = read_csv(path)
    columns = require_columns(table, REQUIRED)
    shelf = Shelf(catalog)
    out: list[dict[str, Cell]] = [dict.fromkeys(OUT) for _ in table.rows]
    unknown = 0
    for start in range(0, len(table.rows), BLOCK):
        unknown += _block(table, start, columns, shelf, out)
    names = _names(table, columns)
    shown = tuple(Column(name, keep=name in VALUES) for name in [*names.values(), *OUT])
    cells = tuple(
        (*(row[name] for name in names), *(found[name] for name in OUT))
        for row, found in zip(table.rows, out, strict=True)
    )
    told = Report(
        planner="perf-rows",
        title="Time, power and energy of a file of deployments",
        headline=f"{{}} of {len(cells)} rows predicted; power of accelerators only, totals over n_gpus.",
        scenario=Origin(table.name, ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=(),
        not_modelled=("host, network, idle time and PUE", "prefix caches and speculative decoding"),
        boundary="accelerator",
    )
    return with_rows(told, Table("rows", "Rows", shown, cells), unknown, "W-PERF-ROWS"), unknown


def with_rows(report: Report, table: Table, unknown: int, code: str) -> Report:
    """A report on a file's rows: how many have an answer, in its headline's place for it and in lines, and the rows."""
    done = len(table.rows) - unknown
    told = (Warn(code, f"rows that could not be placed: {unknown}; see their 'warning'"),) if unknown else ()
    return replace(
        report,
        headline=report.headline.format(done),
        lines=(
            Line("rows_placed", "Rows with a prediction", done, None, grade="measured"),
            Line("rows_unknown", "Rows without", unknown, None, grade="measured"),
        ),
        tables=(table,),
        warnings=told,
    )


def _names(table: Rows, columns: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The file's columns by what they are called in the answer; empty ones that a prediction fills are dropped."""
    names = {}
    for column in table.columns:
        if column not in OUT:
            names[column] = column
        elif any(row[column].strip() for row in table.rows) and column not in columns["output_tok_s"]:
            kept = f"measured_{column}"
            while kept in table.columns:
                kept = f"measured_{kept}"
            names[column] = kept
    return names


def _block(
    table: Rows, start: int, columns: dict[str, tuple[str, ...]], shelf: Shelf, out: list[dict[str, Cell]]
) -> int:
    """Predict some rows into ``out``; how many could not be placed."""
    placed: list[Row] = []
    where: list[int] = []
    failed = 0
    for number, cells in enumerate(table.rows[start : start + BLOCK], start):
        try:
            placed.append(place(cells_of(cells, columns), shelf))
            where.append(number)
        except (InputError, ValueError) as error:
            hint = "; ".join(problem.hint for problem in getattr(error, "problems", ()) if problem.hint)
            out[number]["warning"] = f"{_plain(error)}; {hint}" if hint else _plain(error)
            failed += 1
    if placed:
        found = predict(placed, shelf)
        values = {name: np.asarray(getattr(found, name)).tolist() for name in (*VALUES, *BANDS)}
        for place_, number in enumerate(where):
            answer = out[number]
            for name, column in values.items():
                answer[name] = _finite(column[place_])
            answer["method"] = found.method[place_]
            answer["warning"] = "; ".join(_warnings(placed[place_], found, place_, shelf)) or None
    return failed


def _plain(error: Exception) -> str:
    """What is wrong, without the code and the file's name."""
    problems = getattr(error, "problems", ())
    return "; ".join(problem.message for problem in problems) if problems else str(error)


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _warnings(row: Row, found: Predicted, index: int, shelf: Shelf) -> list[str]:
    """What a reader of this row must know."""
    notes = [*row.notes, *(text for _, text in remarks(row, shelf))]
    if not found.fits[index]:
        notes.append("does not fit the accelerators' memory; predicted as if it did")
    elif not row.offline and row.concurrency > found.batch_limit[index] * row.dp * row.replicas:
        held = found.batch_limit[index] * row.dp * row.replicas
        notes.append(f"memory holds {held:.0f} of {row.concurrency:g} requests: the others wait")
    capped = cap_text(row, *(float(one[index]) for one in (found.decode_clock, found.prompt_clock, found.capped_rate)))
    notes += [capped] if capped else []
    if row.offline:
        notes.append("no time to first token: the queue never empties")
    if found.beyond_peak[index]:
        notes.append("the throughput is beyond the accelerators' peak: check the row")
    return notes
