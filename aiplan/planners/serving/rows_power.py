"""Power of rows at a known token rate: the one way from `rows` to the power law, for predictions and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.layout import Flags
from aiplan.planners.serving.load import decode_load, device_of, power_class
from aiplan.planners.serving.power import DecodeLoad, Device, accelerator_power_w, activity, power_interval_w
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.rows import Row, Shelf


@dataclass(frozen=True, slots=True)
class RowPower:
    """Power of each row, arrays of shape (rows,).

    Attributes
    ----------
    power_w, low_w, high_w : all accelerators of the row, and the interval of `power.power_interval_w` [W]
    classes : which constants of the law were taken, by name
    batch_inferred : the batch was not known
    beyond_peak : the rate needs more than the accelerators' peak bandwidth or FLOP/s
    """

    power_w: Array
    low_w: Array
    high_w: Array
    classes: list[str]
    batch_inferred: Flags
    beyond_peak: Flags


def loads_of(rows: Sequence[Row], shelf: Shelf, tokens_per_s: Any, batch: Any) -> tuple[DecodeLoad, Device]:
    """Rows as the power law wants them.

    Parameters
    ----------
    rows, shelf : deployments, and where their names are looked up
    tokens_per_s : output tokens of the whole row, shape (rows,) [1/s]
    batch : sequences decoding at once in all of it, NaN where unknown, shape (rows,) [1]

    The load is that of one of the row's copies: each reads its own weights for its own sequences.
    """
    names = [row.precision for row in rows]
    copies = np.array([row.replicas for row in rows])
    load = decode_load(
        [shelf.architecture(row.model) for row in rows],
        names,
        accelerators=np.array([row.n_gpus for row in rows]) / copies,
        ranks=np.array([row.dp for row in rows]),
        tokens_per_s=tokens_per_s / copies,
        batch=batch / copies,
        prompt_tokens=np.array([row.isl for row in rows]),
        output_tokens=np.array([row.osl for row in rows]),
    )
    return load, device_of([shelf.accelerator(row.hardware) for row in rows], names)


def power_of_rows(rows: Sequence[Row], shelf: Shelf, tokens_per_s: Any, batch: Any) -> RowPower:
    """Power of rows with the constants of each one's class of accelerator; parameters as in `loads_of`.

    Raises ValueError for a rate that is not positive, and for an accelerator without TDP, bandwidth or FLOP/s.
    """
    rate, held = np.asarray(tokens_per_s, dtype=np.float64), np.asarray(batch, dtype=np.float64)
    classes = [power_class(shelf.listed(row.hardware)) for row in rows]
    names = np.array(classes, dtype=np.str_)
    found = {name: np.empty(len(rows)) for name in ("power", "low", "high")}
    inferred, beyond = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.bool_)
    for name in sorted(set(classes)):
        index = np.flatnonzero(names == name)
        load, device = loads_of([rows[number] for number in index.tolist()], shelf, rate[index], held[index])
        constants = POWER_CONSTANTS[str(name)]
        busy = activity(load, device)
        watts = accelerator_power_w(load, device, constants) * np.array(
            [rows[number].replicas for number in index.tolist()]
        )
        found["power"][index] = watts
        found["low"][index], found["high"][index] = power_interval_w(watts, constants, busy.batch_inferred)
        inferred[index], beyond[index] = busy.batch_inferred, (busy.mbu > 1) | (busy.compute > 1)
    return RowPower(found["power"], found["low"], found["high"], classes, inferred, beyond)
