"""Accuracy of the power law on measured rows, leaving out one model at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.energy.measured import Placed, cells_of, find_columns, place
from aiplan.planners.serving.power import DecodeLoad, Device, activity
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.power_fit import PowerSample, leave_one_out
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
    from aiplan.inputs.table import read_csv

    rows = read_csv(data / ROWS)
    names = find_columns(rows)
    cells = [cells_of(row, names) for row in rows.rows]
    placed = [place(number, row, catalog) for number, row in enumerate(cells)]
    outside = [item.number for item in placed if item.group not in CLASSES]
    if outside:
        raise InputError(Problem("E160", f"row {outside[0] + 1} is of an accelerator without constants", file=rows.name,
                                 hint=f"rows of {', '.join(CLASSES)} only"))  # fmt: skip
    sample = _sample(placed, np.array([float(row["avg_power_watts"]) for row in rows.rows]))
    shapes = np.array([_shape(catalog, row["model"]) for row in cells])
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


def _sample(placed: list[Placed], power_w: np.ndarray) -> PowerSample:
    """The rows as the fitting code wants them."""
    load = DecodeLoad(**{name: np.array([item.fields[name] for item in placed]) for name in placed[0].fields})
    device = Device(*np.array([item.device for item in placed]).T)
    group = np.array([CLASSES.index(item.group) for item in placed], dtype=np.intp)
    share = power_w / (np.asarray(load.accelerators) * np.asarray(device.tdp_w))
    return PowerSample(activity(load, device), device, share, group)


def _shape(catalog: Catalog, name: str) -> str:
    """Variants of one shape are one model: leaving out one of them alone would leave its twins in."""
    model = catalog.resolve("models", name)
    return str(catalog.facts("models").get(model, {}).get("shape_of") or model)
