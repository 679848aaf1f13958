"""Accuracy of the power law on measured rows, leaving out one model at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.serving.datasets import read_rows
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power import activity
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.power_fit import PowerSample, leave_one_out
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.rows_power import loads_of
from aiplan.report.model import Column, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

ROWS = Path("energy") / "mlenergy_v3.csv"
CLASSES = ("h100", "b200")


def power_accuracy_table(catalog: Catalog, data: Path) -> Table:
    """Error of J per token on every measured row, its model left out of the fit.

    Parameters
    ----------
    catalog : where the rows' models and accelerators are looked up
    data : folder that holds ``energy/mlenergy_v3.csv``

    Raises
    ------
    InputError when the file is missing or a row cannot be placed.
    """
    shelf = Shelf(catalog)
    rows = read_rows(data / ROWS, shelf)
    groups = [power_class(row.hardware) for row in rows]
    outside = [number for number, name in enumerate(groups) if name not in CLASSES]
    if outside:
        raise InputError(Problem("E160", f"row {outside[0] + 1} is of an accelerator without constants",
                                 file=str(data / ROWS), hint=f"rows of {', '.join(CLASSES)} only"))  # fmt: skip
    sample = _sample(rows, shelf, groups)
    shapes = np.array([_shape(catalog, row.model) for row in rows])
    share = leave_one_out(sample, shapes)
    ratio = share / sample.share
    found = []
    for index, name in enumerate(CLASSES):
        mine = ratio[sample.group == index]
        error = np.abs(mine - 1)
        band = np.quantile(mine, (0.1, 0.9))
        found.append((name, mine.size, float(np.median(error)), float(error.mean()), float(band[0]), float(band[1]),
                      POWER_CONSTANTS[name].data_date))  # fmt: skip
    columns = (
        Column("accelerator", "accelerator"),
        Column("rows", "rows"),
        Column("median_error", "median error"),
        Column("mean_error", "mean error"),
        Column("ratio_p10", "P10 of ratio"),
        Column("ratio_p90", "P90 of ratio"),
        Column("data_date", "data of"),
    )
    title = "Power law, J per token from measured throughput, one model left out at a time"
    return Table("power_law", title, columns, tuple(found))


def _sample(rows: list[Row], shelf: Shelf, groups: list[str]) -> PowerSample:
    """The rows as the fitting code wants them."""
    rate = np.array([row.output_tok_s for row in rows])
    load, device = loads_of(rows, shelf, rate, np.array([row.concurrency for row in rows]))
    group = np.array([CLASSES.index(name) for name in groups], dtype=np.intp)
    power_w = np.array([row.power_w for row in rows])
    share = power_w / (np.asarray(load.accelerators) * np.asarray(device.tdp_w))
    return PowerSample(activity(load, device), device, share, group)


def _shape(catalog: Catalog, model: str) -> str:
    """Variants of one shape are one model: leaving out one of them alone would leave its twins in."""
    return str(catalog.facts("models").get(model, {}).get("shape_of") or model)
