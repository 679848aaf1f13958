"""Promises to users: percentiles of TTFT, TBT and E2E, in seconds or as slowdown against a machine of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require
from aiplan.planners.split.replay import Machine

METRICS = ("ttft", "tbt", "e2e")
PERCENTILES = (50, 90, 99)


class Limit(NamedTuple):
    """A percentile of a metric that must stay below a limit, in seconds or, as slowdown, in times the reference."""

    metric: str
    percentile: float
    below: float
    slowdown: bool = False

    @property
    def name(self) -> str:
        """Short form, e.g. ``TTFT P90 slowdown < 3``."""
        unit = "" if self.slowdown else " s"
        of = " slowdown" if self.slowdown else ""
        return f"{self.metric.upper()} P{self.percentile:g}{of} < {self.below:g}{unit}"


SPLITWISE = tuple(
    Limit(metric, percentile, below, slowdown=True)
    for metric, row in (("ttft", (2.0, 3.0, 6.0)), ("tbt", (1.25, 1.5, 5.0)), ("e2e", (1.25, 1.5, 5.0)))
    for percentile, below in zip(PERCENTILES, row, strict=True)
)
"""The nine promises of the Splitwise paper (arXiv 2311.18677, Table VI): slowdown against a DGX A100 of one's own."""


@dataclass(frozen=True, slots=True)
class Times:
    """What requests saw, or what they would see alone [s].

    Attributes
    ----------
    ttft_s, e2e_s : time to first and to last token, shape (requests,)
    tbt_s : mean time between tokens, NaN for requests with one token, shape (requests,)
    """

    ttft_s: Array
    tbt_s: Array
    e2e_s: Array


def times(ttft_s: Array, e2e_s: Array, output_tokens: npt.NDArray[Any], *, simulator: bool = False) -> Times:
    """TBT of each request beside its TTFT and E2E.

    ``TBT = (E2E - TTFT) / (N - 1)``; SplitwiseSim divides by ``N``. A request with one token has none.
    """
    gaps = output_tokens - (0 if simulator else 1)
    tbt = np.where(output_tokens > 1, (e2e_s - ttft_s) / np.maximum(gaps, 1), np.nan)
    return Times(ttft_s, tbt, e2e_s)


def alone(
    machine: Machine,
    prompt_tokens: npt.NDArray[Any],
    output_tokens: npt.NDArray[Any],
    step_by_tokens_s: Array | None = None,
) -> Times:
    """What each request would see on a machine of its own.

    ``TTFT = start + T_p(n)``, ``TBT = T_d(1, n + N/2)``, ``E2E = TTFT + (N - 1) TBT``

    Parameters
    ----------
    machine : the reference
    prompt_tokens, output_tokens : n and N [tokens], shape (requests,)
    step_by_tokens_s : instead, time of a token by prompt tokens, as SplitwiseSim looks it up [s], shape (tokens + 1,)

    Source: arXiv 2311.18677, section 6 (slowdown against DGX A100 without contention); github.com/Mutinifni/
    splitwise-sim@8f99e7d.
    """
    first = prompt_seconds(machine, prompt_tokens) + machine.start_s
    if step_by_tokens_s is None:
        step = machine.decode_s[1] + machine.context_s[1] * (prompt_tokens + output_tokens / 2.0)
    else:
        step = extended(step_by_tokens_s, prompt_tokens)
    return Times(first, np.where(output_tokens > 1, step, np.nan), first + step * (output_tokens - 1))


def prompt_seconds(machine: Machine, tokens: npt.NDArray[Any]) -> Array:
    """Time of an iteration over so many prompt tokens [s]; see `Machine.prompt_s`."""
    return extended(machine.prompt_s, tokens)


def extended(table: Array, at: npt.NDArray[Any]) -> Array:
    """A table over whole numbers, its last segment going on beyond its end."""
    last = len(table) - 1
    inside = table[np.minimum(at, last)]
    return np.asarray(inside + np.maximum(at - last, 0) * (table[last] - table[last - 1]), dtype=np.float64)


class Met(NamedTuple):
    """A promise, what came of it, and how much of it is left: ``1 - value / below``, negative where it is broken."""

    limit: Limit
    value: float
    slack: float


@dataclass(frozen=True, slots=True)
class Judged:
    """All promises of a run.

    Attributes
    ----------
    met : one per promise
    kept : whether every value lies below its limit
    """

    met: tuple[Met, ...]
    kept: bool

    @property
    def binding(self) -> Met | None:
        """The promise with the least slack; none where none was made."""
        return min(self.met, key=lambda one: one.slack, default=None)


def judge(seen: Times, limits: Sequence[Limit], reference: Times | None = None) -> Judged:
    """Hold what requests saw against the promises.

    Parameters
    ----------
    seen : times, NaN for requests that were not served
    limits : the promises; percentiles are of requests, with linear interpolation
    reference : the same requests alone, for promises of slowdown

    A run in which a request was not served keeps no promise about it: its times count as infinite.
    """
    require([limit.metric in METRICS for limit in limits], "a promise is about ttft, tbt or e2e")
    lost = np.isnan(seen.e2e_s)
    ordered: dict[tuple[str, bool], Array] = {}
    met = []
    for limit in limits:
        key = (limit.metric, limit.slowdown)
        if key not in ordered:
            values = np.where(lost, np.inf, getattr(seen, f"{limit.metric}_s"))
            if limit.slowdown:
                if reference is None:
                    raise ValueError("a promise of slowdown needs a reference")
                values = values / getattr(reference, f"{limit.metric}_s")
            ordered[key] = np.sort(values[~np.isnan(values)])
        value = of_ordered(ordered[key], limit.percentile) if len(ordered[key]) else 0.0
        met.append(Met(limit, value, 1.0 - value / limit.below))
    return Judged(tuple(met), all(one.value < one.limit.below for one in met))


def percentile(values: Array, at: float) -> float:
    """Percentile with linear interpolation between order statistics, infinite values allowed."""
    return of_ordered(np.sort(values), at)


def of_ordered(order: Array, at: float) -> float:
    """The same of values that are in order already."""
    place = (len(order) - 1) * at / 100.0
    low = int(place)
    high = min(low + 1, len(order) - 1)
    if not np.isfinite(order[high]):
        return float(order[low]) if place == low else float("inf")
    return float(order[low] + (order[high] - order[low]) * (place - low))
