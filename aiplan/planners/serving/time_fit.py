"""Least squares for the time model: the shipped constants, and those of a user's own fleet.

Residuals are ln(predicted / measured) of time per token, time to first token and throughput, each with a robust
loss; the unknowns are logarithms of constants with a Gaussian prior around a start and bounds. Little is fitted:
what theory or a data sheet gives stays fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.deployment import Deployment, pick
from aiplan.planners.serving.service import Load, offline, online
from aiplan.planners.serving.time_constants import TimeConstants

TPOT_SCALE = 0.2
"""Log error of a time per token or a throughput beyond which a row's pull stops growing [1]."""
TTFT_SCALE = 0.15
"""The same for times to first token [1]."""
TTFT_WEIGHT = 0.15
"""Weight of a time to first token beside a time per token: its policies are not in the model [1]."""
LEVEL, FIRST_TOKEN = "level", "first_token"
"""Names of unknowns that scale several constants at once: all times, and what comes before every first token."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A constant to fit: centre and standard deviation of its prior in ln, and bounds."""

    centre: float
    spread: float
    low: float = 0.0
    high: float = np.inf


@dataclass(frozen=True, slots=True)
class Sample:
    """Measured rows under one regime.

    Attributes
    ----------
    deployment, load : what ran under what
    limit : sequences per rank that fit [1]
    requests : length of an offline run; NaN for rows with a fixed number in flight [1]
    tpot_s, ttft_s, output_tok_s : measured, NaN where not [s], [1/s]
    """

    deployment: Deployment
    load: Load
    limit: Array
    requests: Array
    tpot_s: Array
    ttft_s: Array
    output_tok_s: Array

    def pick(self, rows: Any) -> Sample:
        """Some rows: a boolean mask or indices."""
        arrays = [getattr(self, name)[rows] for name in ("limit", "requests", "tpot_s", "ttft_s", "output_tok_s")]
        load = Load(*(getattr(self.load, name)[rows] for name in Load.__slots__))
        return Sample(pick(self.deployment, rows), load, *arrays)

    def __len__(self) -> int:
        return len(self.deployment)


@dataclass(frozen=True, slots=True)
class Errors:
    """ln(predicted / measured) of each quantity, NaN where it was not measured.

    Throughput counts as time: positive means that the model is too slow.
    """

    tpot: Array
    ttft: Array
    throughput: Array


def errors(sample: Sample, constants: TimeConstants) -> Errors:
    """Errors of every row under the constants."""
    rows = len(sample)
    found = Errors(np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan))
    waves = ~np.isnan(sample.requests)
    for mask, run in ((~waves, online), (waves, offline)):
        if not bool(mask.any()):
            continue
        part = sample if bool(mask.all()) else sample.pick(mask)
        if run is offline:
            served = offline(part.deployment, constants, part.load, part.limit, part.requests)
        else:
            served = online(part.deployment, constants, part.load, part.limit)
        found.tpot[mask] = np.log(served.tpot_s / part.tpot_s)
        found.ttft[mask] = np.log(served.ttft_benchmark_s / part.ttft_s)
        found.throughput[mask] = np.log(part.output_tok_s / served.output_tok_s)
    return found


def with_values(constants: TimeConstants, values: Mapping[str, float]) -> TimeConstants:
    """Constants with some replaced; ``engine.factor`` names a factor of one engine, see also `scaled`."""
    level, first = values.get(LEVEL, 1.0), values.get(FIRST_TOKEN, 1.0)
    plain = {name: value for name, value in values.items() if "." not in name and name not in (LEVEL, FIRST_TOKEN)}
    engines = {name: dict(row) for name, row in constants.engines.items()}
    for name, value in values.items():
        if "." in name:
            engine, factor = name.split(".", 1)
            engines.setdefault(engine, dict(engines["other"]))[factor] = value
    changed = replace(constants, **plain, engines=engines)
    return changed if level == first == 1.0 else scaled(changed, level, first)


SLOWER = ("layer_overhead_s", "step_overhead_s", "sequence_overhead_s", "link_latency_s")
FASTER = ("compute_efficiency", "memory_efficiency", "attention_efficiency", "link_efficiency")


def scaled(constants: TimeConstants, level: float, first_token: float = 1.0) -> TimeConstants:
    """Constants under which every pass takes ``level`` times as long, and first tokens wait ``first_token`` times that.

    Times are homogeneous: overheads times ``level`` and rates over it scale every term of a pass alike, up to where a
    rate meets the peak of the data sheet.
    """
    moved = {name: getattr(constants, name) * level for name in SLOWER}
    moved |= {name: getattr(constants, name) / level for name in FASTER}
    engines = {name: {**row, "first_token_s": row["first_token_s"] * level * first_token,
                      "first_token_steps": row["first_token_steps"] * first_token}
               for name, row in constants.engines.items()}  # fmt: skip
    return replace(constants, **moved, engines=engines)


def fit_time(
    sample: Sample,
    start: TimeConstants,
    unknowns: Mapping[str, Unknown],
    ttft_weight: float = TTFT_WEIGHT,
) -> TimeConstants:
    """Constants that minimise the robust sum of squares plus prior.

    Parameters
    ----------
    sample : measured rows
    start : constants that stay where they are not among the unknowns
    unknowns : what is fitted, by name; see `with_values`
    ttft_weight : weight of times to first token [1]

    Raises ValueError for a sample without rows.

    Notes
    -----
    Soft-L1 residuals, trust-region reflective least squares (scipy), numerical derivatives, repeatable. The prior
    keeps a constant that no row informs where it started.
    """
    from scipy.optimize import least_squares

    if not len(sample):
        raise ValueError("there are no rows to fit")
    names = list(unknowns)
    centre = np.log([unknowns[name].centre for name in names])
    spread = np.array([unknowns[name].spread for name in names])
    low = np.maximum(np.log([max(unknowns[name].low, 1e-30) for name in names]), centre - 4.0)
    high = np.minimum(np.log([unknowns[name].high for name in names]), centre + 4.0)

    def residuals(point: Array) -> Array:
        found = errors(sample, with_values(start, dict(zip(names, np.exp(point).tolist(), strict=True))))
        parts = [_robust(found.tpot, TPOT_SCALE), ttft_weight * _robust(found.ttft, TTFT_SCALE),
                 _robust(np.where(np.isnan(found.tpot), found.throughput, np.nan), TPOT_SCALE)]  # fmt: skip
        return np.concatenate([*parts, (point - centre) / spread])

    inside = np.clip(centre, low + 1e-9, high - 1e-9)
    solved = least_squares(residuals, inside, bounds=(low, high), x_scale=np.maximum(spread, 0.05))
    return with_values(start, dict(zip(names, np.exp(solved.x).tolist(), strict=True)))


def _robust(error: Array, scale: float) -> Array:
    """Residuals whose square is the soft-L1 loss of an error; rows without a measurement leave nothing."""
    known = error[~np.isnan(error)] / scale
    return np.asarray(np.sign(known) * np.sqrt(2.0 * (np.sqrt(1.0 + known**2) - 1.0)))


def leave_one_out(
    sample: Sample,
    fitted: Any,
    labels: Sequence[str],
    start: TimeConstants,
    unknowns: Mapping[str, Unknown],
    ttft_weight: float = TTFT_WEIGHT,
    from_without: Callable[[str], tuple[TimeConstants, Mapping[str, Unknown]]] | None = None,
) -> Errors:
    """Errors of each row under constants fitted without any row of the same label.

    Parameters
    ----------
    fitted : mask of rows that may be fitted; the others are scored only
    labels : what is left out together: a model shape, an accelerator
    from_without : start and unknowns for a label, where those were fitted too and must not know it either
    """
    names = np.asarray(labels)
    rows = len(sample)
    out = Errors(np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan))
    for name in np.unique(names):
        held = names == name
        first, free = (start, unknowns) if from_without is None else from_without(str(name))
        found = errors(sample.pick(held), fit_time(sample.pick(fitted & ~held), first, free, ttft_weight))
        for quantity in ("tpot", "ttft", "throughput"):
            getattr(out, quantity)[held] = getattr(found, quantity)
    return out
