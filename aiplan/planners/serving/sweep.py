"""`aiplan perf --sweep`: the scenario's GPUs under every layout, format and batch, and which of them nothing beats.

All configurations serve the scenario's model and lengths on its number of GPUs, so that a narrower layout means more
copies, and rates per GPU compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array
from aiplan.planners.serving.collect import Case
from aiplan.planners.serving.deployment import whole_format
from aiplan.planners.serving.memory_pool import ENGINES
from aiplan.planners.serving.plan import outcome
from aiplan.planners.serving.predict import predict
from aiplan.planners.serving.rows import Row

FORMATS = ("bf16", "fp8", "nvfp4")
"""Formats of weights that a sweep tries, where the accelerator has units for them."""
MOST_BATCH = 4096
"""Largest batch per rank that a sweep tries."""
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Sweep:
    """Configurations that fit, by falling tokens/s of a user.

    Attributes
    ----------
    keys : what was swept
    rows, lines : configurations, and lines by id with shape (rows,)
    best : whether no other gives both more tokens/s per GPU and more per user
    refused : configurations without room for one request
    """

    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: Mapping[str, Array]
    best: npt.NDArray[np.bool_]
    refused: int


def parse_keys(text: str) -> tuple[str, ...]:
    """What to sweep, from the text of ``--sweep``; raises InputError naming what can be."""
    keys = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    unknown = [key for key in keys if key not in KEYS]
    if unknown or not keys:
        message = f"cannot sweep '{unknown[0][:40]}'" if unknown else "nothing to sweep"
        raise InputError(Problem("E102", message, file="--sweep", hint=f"any of {', '.join(KEYS)}, with commas"))
    return keys


def sweep(case: Case, keys: tuple[str, ...]) -> Sweep:
    """Every configuration of the swept keys that fits.

    Raises InputError for more than 20,000 configurations, and where none fits.
    """
    values = case.parameters.medians()
    start = case.row_at(values)
    choices = {key: _CHOICES[key](case, start) for key in keys if key != "batch"}
    rows = [
        row
        for chosen in product(*choices.values())
        if (row := _arranged(start, dict(zip(choices, chosen, strict=True))))
    ]
    # One sequence per rank shows how many have room.
    limits = predict([replace(row, concurrency=row.dp * row.replicas) for row in rows], case.shelf).batch_limit
    fitting = [(row, float(limit)) for row, limit in zip(rows, limits, strict=True) if limit >= 1.0]
    refused = len(rows) - len(fitting)
    if not fitting:
        hint = "more GPUs (deployment.n_gpus), shorter lengths, or a sweep over precision"
        raise InputError(Problem("E102", f"none of {len(rows)} configurations fits", file="--sweep", hint=hint))
    if "batch" in keys:
        loaded = [
            replace(row, concurrency=batch * row.dp * row.replicas) for row, most in fitting for batch in batches(most)
        ]
    else:
        loaded = [row for row, _ in fitting]
    if len(loaded) > MOST_ROWS:
        text = f"{len(loaded):,} configurations are more than {MOST_ROWS:,}"
        raise InputError(Problem("E102", text, file="--sweep", hint="sweep fewer keys at once"))
    lines = outcome(case, loaded, case.shelf, values)[1]
    order = np.lexsort((-lines["tok_s_per_gpu"], -lines["tok_s_per_user"]))
    lines = {name: found[order] for name, found in lines.items()}
    best = pareto(lines["tok_s_per_user"], lines["tok_s_per_gpu"])
    return Sweep(keys, tuple(loaded[place] for place in order.tolist()), lines, best, refused)


def batches(most: float) -> list[float]:
    """Powers of two up to what memory holds, and that itself.

    >>> batches(5.5)
    [1.0, 2.0, 4.0, 5.0]
    """
    top = float(min(int(most), MOST_BATCH))
    powers = [float(1 << power) for power in range(int(top).bit_length())]
    return powers if powers[-1] == top else [*powers, top]


def pareto(user: Array, gpu: Array) -> npt.NDArray[np.bool_]:
    """Which points no other equals in one number and beats in the other, or beats in both; of equal points the first.

    Parameters
    ----------
    user, gpu : the two numbers, larger is better, shape (rows,)

    >>> pareto(np.array([9.0, 5.0, 5.0, 1.0]), np.array([1.0, 3.0, 2.0, 4.0])).tolist()
    [True, True, False, True]
    """
    order = np.lexsort((-gpu, -user))
    sorted_gpu = gpu[order]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(sorted_gpu)[:-1]])
    best = np.zeros(len(gpu), dtype=bool)
    best[order] = sorted_gpu > before
    return best


def _powers(n: float) -> list[float]:
    return [float(1 << power) for power in range(int(n).bit_length()) if n % (1 << power) == 0]


def _tensor(case: Case, start: Row) -> list[float]:
    heads = case.shelf.model(start.model).attention_heads
    domain = case.shelf.chip(start.hardware).domain
    return [degree for degree in _powers(start.n_gpus) if degree <= domain and heads % degree == 0]


def _data(case: Case, start: Row) -> list[float]:
    experts = case.shelf.architecture(start.model).experts
    return _powers(start.n_gpus) if experts else [1.0]


def _expert(case: Case, start: Row) -> list[float]:
    experts = case.shelf.architecture(start.model).experts
    return [degree for degree in _powers(start.n_gpus) if degree <= max(experts, 1.0)]


def _formats(case: Case, start: Row) -> list[str]:
    model, chip = case.shelf.model(start.model), case.shelf.chip(start.hardware)
    if model.native_precision == "mxfp4":
        return [start.precision]
    known = {"bf16": True, "fp8": chip.fp8_flops > chip.bf16_flops, "nvfp4": chip.has_fp4 > 0}
    tried = [whole_format(name, model.native_precision) for name in FORMATS if known[name]]
    return list(dict.fromkeys([*tried, start.precision]))


_CHOICES: Mapping[str, Callable[[Case, Row], list[Any]]] = {
    "tp": _tensor,
    "dp": _data,
    "ep": _expert,
    "precision": _formats,
    "engine": lambda _case, _start: list(ENGINES),
}
KEYS = (*_CHOICES, "batch")


def _arranged(start: Row, chosen: Mapping[str, Any]) -> Row | None:
    """The start with other degrees, formats or engine; None for degrees that the GPUs cannot be divided by."""
    engine = chosen.get("engine", start.engine)
    version = start.engine_version if engine == start.engine else ""
    row = replace(start, precision=chosen.get("precision", start.precision), engine=engine, engine_version=version)
    row.tp, row.dp = chosen.get("tp", row.tp), chosen.get("dp", row.dp)
    stage = row.tp * row.dp
    # Experts that were divided among all devices of a stage stay so.
    whole = start.ep > 1 and start.ep == start.tp * start.dp
    row.ep = chosen.get("ep", stage if whole else row.ep)
    if row.n_gpus % (stage * row.pp) or stage % row.ep:
        return None
    row.replicas = row.n_gpus / (stage * row.pp)
    return row


__all__ = ["KEYS", "Sweep", "batches", "pareto", "parse_keys", "sweep"]
