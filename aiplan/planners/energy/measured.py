"""`aiplan energy measured`: watts and J per token of rows whose throughput somebody measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError
from aiplan.inputs.table import Rows, read_csv
from aiplan.planners.serving.cells import cells_of, require_columns
from aiplan.planners.serving.power import energy_j_per_output_token
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.rows import DEFAULT_OUTPUT, Row, Shelf, place
from aiplan.planners.serving.rows_power import power_of_rows
from aiplan.planners.serving.rows_report import with_rows
from aiplan.report.model import Column, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

REQUIRED = ("model", "hardware", "output_tok_s")
IGNORED = ("ttft_ms", "tpot_ms", "power_w", "kv_precision")
"""What rows may state and the power law does not use."""
MEASURED_ENGINE = "vllm"
"""Engine behind the law's constants; stands in where a row names none. Power at a known rate does not depend on it."""

_OUT = (
    "power_w",
    "energy_j_per_token",
    "energy_j_per_token_low",
    "energy_j_per_token_high",
    "method",
    "warning",
)


def measured_report(path: Path, catalog: Catalog) -> tuple[Report, int]:
    """Rows of a file with power and energy beside them, and how many could not be placed.

    Parameters
    ----------
    path : CSV of measured throughput
    catalog : where models and accelerators are looked up

    Raises
    ------
    InputError for a file that cannot be read or lacks a required column.
    """
    rows = read_csv(path)
    names = columns_of(rows)
    shelf = Shelf(catalog)
    out: list[dict[str, Any]] = [dict.fromkeys(_OUT) for _ in rows.rows]
    placed: dict[int, Row] = {}
    for number, row in enumerate(rows.rows):
        try:
            placed[number] = measured_row(cells_of(row, names), shelf)
        except (InputError, ValueError) as error:
            hint = getattr(error, "hint", "")
            out[number]["warning"] = f"{error}; {hint}" if hint else str(error)
    if placed:
        _predict(placed, shelf, out)
    return _report(rows, out, catalog)


def _report(rows: Rows, out: list[dict[str, Any]], catalog: Catalog) -> tuple[Report, int]:
    """The rows as a report; their own columns come first and keep their texts, unless ours replace them."""
    unknown = sum(1 for row in out if row["power_w"] is None)
    names_out = (*rows.columns, *(name for name in _OUT if name not in rows.columns))
    columns = tuple(Column(name, keep=name in _OUT[:2]) for name in names_out)
    cells = tuple(
        tuple(out[number].get(column.id, row.get(column.id)) for column in columns)
        for number, row in enumerate(rows.rows)
    )
    told = Report(
        planner="energy-measured",
        title="Power and energy of measured throughput",
        headline=f"{{}} of {len(cells)} rows placed; accelerators only, no host, idle or PUE.",
        scenario=Origin(rows.name, ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=(),
        not_modelled=("host, network, idle time and PUE",),
        boundary="accelerator",
    )
    return with_rows(told, Table("rows", "Rows", columns, cells), unknown, "W-ENERGY-ROWS"), unknown


def columns_of(rows: Rows) -> dict[str, tuple[str, ...]]:
    """Which columns of the file hold which quantity, best first.

    Raises
    ------
    InputError naming every required column that is missing.
    """
    found = require_columns(rows, REQUIRED)
    return {key: names for key, names in found.items() if key not in IGNORED}


def measured_row(cells: Mapping[str, str], shelf: Shelf) -> Row:
    """A row of texts as a deployment with a token rate.

    Raises
    ------
    InputError or ValueError saying why it cannot be placed.
    """
    missing = [key for key in REQUIRED if key not in cells]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing")
    filled = {"framework": MEASURED_ENGINE, **cells}
    # A rate of one's own is no run of MLPerf: its lengths are not assumed here.
    no_answer = "osl" not in cells
    if no_answer:
        filled["osl"] = f"{DEFAULT_OUTPUT:g}"
    row = place(filled, shelf)
    if no_answer:
        row.notes.append(f"answer length {DEFAULT_OUTPUT:g} assumed")
    shelf.chip(row.hardware)  # raises where the catalog lacks what the law needs
    return row


def _predict(placed: Mapping[int, Row], shelf: Shelf, out: list[dict[str, Any]]) -> None:
    """Power, energy, band and notes of all rows that could be placed."""
    rows = list(placed.values())
    rate = np.array([row.output_tok_s for row in rows])
    found = power_of_rows(rows, shelf, rate, np.array([row.concurrency for row in rows]))
    energy = [energy_j_per_output_token(watts, rate) for watts in (found.power_w, found.low_w, found.high_w)]
    for index, (number, row) in enumerate(placed.items()):
        group = found.classes[index]
        notes = [*row.notes, *(["batch inferred"] if found.batch_inferred[index] else [])]
        if found.beyond_peak[index]:
            notes.append("the throughput is beyond the accelerators' peak: check the row")
        if group == "other":
            notes.append("accelerator not measured: constants of H100 and B200 pooled")
        values = [float(found.power_w[index]), *(float(part[index]) for part in energy)]
        method = f"power law {group}, data of {POWER_CONSTANTS[group].data_date}"
        out[number].update(zip(_OUT, [*values, method, "; ".join(notes) or None], strict=True))
