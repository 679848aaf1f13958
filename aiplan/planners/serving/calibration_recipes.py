"""Where a calibration starts and what it may move: starting constants with their reasons, priors, and stages.

A start is what is known before any row of the fit: from theory, a data sheet's companion figures, or assumed. Grade
``fitted`` marks the few that were settled on the very tables the shipped constants are fitted to; leaving a group out
does not undo those, so they are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from aiplan.planners.serving.time_constants import NAMES, TimeConstants
from aiplan.planners.serving.time_fit import FIRST_TOKEN, LEVEL, Unknown


class Start(NamedTuple):
    """A constant before the fit: value, grade, reason; spread of its prior in ln (None: not fitted), and bounds."""

    value: float
    grade: str
    reason: str
    spread: float | None = None
    low: float = 0.0
    high: float = inf


ONLINE_STARTS: Mapping[str, Start] = {
    "compute_efficiency": Start(0.75, "assumed", "large products of vendor libraries", 0.25, 0.2, 0.95),
    "memory_efficiency": Start(0.9, "assumed", "streaming reads reach about nine tenths", 0.12, 0.4, 0.95),
    "feed_ratio": Start(4.0, "assumed", "FP4's rate over BF16's: fed at half there", 0.4),
    "expert_feed_ratio": Start(1.0, "assumed", "small products lose half at BF16 already", 0.4),
    "expert_tokens": Start(1e-6, "fitted", "no loss from few tokens per expert is seen in served runs"),
    "expert_imbalance": Start(1.38, "fitted", "busiest over mean device for 32 experts and more, InferenceX"),
    "expert_traffic_bytes": Start(8.0, "theory", "16-bit values written and read before and after", 0.5, 1.0, 60.0),
    "elementwise_bytes": Start(5.0, "assumed", "norms and residuals at 8 to 16 bit, most of them fused"),
    "cache_read_factor": Start(1.5, "assumed", "paged reads reach about two thirds of streaming ones", 0.3, 1.0, 3.0),
    "attention_efficiency": Start(0.5, "assumed", "fused attention kernels, half of peak", 0.4, 0.1, 0.9),
    "layer_overhead_s": Start(60e-6, "assumed", "about a dozen dependent kernels of 5 us each", 0.7),
    "step_overhead_s": Start(0.5e-3, "assumed", "scheduler and sampler once per step", 1.0),
    "sequence_overhead_s": Start(1e-5, "assumed", "bookkeeping of one sequence", 1.0),
    "link_latency_s": Start(6e-6, "assumed", "one collective over a switch; rows do not tell it from overhead"),
    "link_efficiency": Start(0.5, "assumed", "of data-sheet bandwidth, at messages of a decode step"),
    "speculative_factor": Start(0.76, "fitted", "pairs of runs with and without multi-token prediction", 0.2),
    "rank_wait_steps": Start(30.0, "assumed", "ranks of attention data parallelism that start together", 0.7),
}
"""Served with a fixed number of requests in flight."""

OFFLINE_STARTS: Mapping[str, Start] = {
    **ONLINE_STARTS,
    "expert_feed_ratio": Start(1.2, "assumed", "as online; larger products in full batches", 0.4),
    "expert_tokens": Start(40.0, "assumed", "half rate at about a third of a 128-row tile"),
    "expert_imbalance": Start(1.38, "fitted", "as online; moves with the full batches here", 0.25, 1.0, 2.5),
    "cache_read_factor": Start(1.2, "assumed", "long contiguous reads of full batches", 0.3, 1.0, 3.0),
    "step_overhead_s": Start(3e-3, "assumed", "host work of a step of thousands of sequences", 1.0),
    "sequence_overhead_s": Start(4e-6, "assumed", "bookkeeping without a stream per user", 1.0),
    "speculative_factor": Start(0.76, "fitted", "as online; no such rows"),
    "rank_wait_steps": Start(0.0, "theory", "a queue that never empties has no first token to wait for"),
}
"""A queue that never empties."""

ENGINE_SPREAD = 0.25
"""Spread of an engine's factors on overhead and matrix rates: engines differ by a quarter; assumed."""
STEPS_SPREAD, SECONDS_SPREAD = 0.5, 0.7
"""Spreads of what comes before a first token, in decode steps and in seconds: front ends differ by twice; assumed."""
FIRST_TOKENS = {
    "vllm": (0.018, 3.0), "tensorrt-llm": (0.03, 7.0), "sglang": (0.025, 16.0), "other": (0.025, 6.0),
}  # fmt: skip
"""Seconds and decode steps before a first token by engine: read off InferenceX's least loaded runs, so ``fitted``."""
ENGINES = tuple(name for name in FIRST_TOKENS if name != "other")

LEVEL_SPREAD = 0.28
"""Prior of the level of all times. With the fit's scale of 0.2 one row moves it by two thirds of its error and n rows
by n / (n + 0.5), which is what held for InferenceX's deployments left out in turn."""
FIRST_TOKEN_SPREAD = 1.4
"""Prior of what comes before the first token, which networks and front ends change by factors; assumed."""
OWN_TTFT_WEIGHT = 0.3
"""Weight of a first token beside a time per token in a user's own fit, twice that of the shipped one: policies are
those of one fleet. On deployments of InferenceX whose model was left out, one row brings the median error of time
per token from 11.5 to 9.1 % and of time to first token from 30.9 to 21.0 %, five rows to 7.5 and 15.8 %."""
ENGINE_ROWS, SHARED_ROWS, ALL_ROWS = 8, 40, 200
"""Rows from which engines, the constants that matter most, and all constants are freed; see `unknowns_for`."""
SHARED = (
    "compute_efficiency", "memory_efficiency", "layer_overhead_s", "step_overhead_s", "sequence_overhead_s",
    "cache_read_factor",
)  # fmt: skip
"""Constants that a few dozen rows can tell apart."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is fitted in one regime, from where."""

    regime: str
    start: TimeConstants
    unknowns: Mapping[str, Unknown]


def starting_constants(starts: Mapping[str, Start], engines: Sequence[str]) -> TimeConstants:
    """Constants before any fit."""
    factors = {
        name: {"overhead": 1.0, "compute": 1.0, "first_token_s": FIRST_TOKENS[name][0],
               "first_token_steps": FIRST_TOKENS[name][1]}
        for name in engines
    }  # fmt: skip
    return TimeConstants(**{name: starts[name].value for name in NAMES}, engines=factors)


def _unknowns(starts: Mapping[str, Start]) -> dict[str, Unknown]:
    return {
        name: Unknown(start.value, start.spread, start.low, start.high)
        for name, start in starts.items()
        if start.spread is not None
    }


def engine_unknowns(engine: str, factors: Mapping[str, float], *, first_token: bool = True) -> dict[str, Unknown]:
    """What is fitted of one engine."""
    found = {f"{engine}.{name}": Unknown(factors[name], ENGINE_SPREAD) for name in ("overhead", "compute")}
    if first_token:
        found[f"{engine}.first_token_steps"] = Unknown(factors["first_token_steps"], STEPS_SPREAD)
        found[f"{engine}.first_token_s"] = Unknown(factors["first_token_s"], SECONDS_SPREAD)
    return found


def online_recipe() -> Recipe:
    """From assumed constants, with requests in flight."""
    start = starting_constants(ONLINE_STARTS, (*ENGINES, "other"))
    unknowns = _unknowns(ONLINE_STARTS)
    for engine in ENGINES:
        unknowns |= engine_unknowns(engine, start.engines[engine])
    return Recipe("online", start, unknowns)


def offline_recipe() -> Recipe:
    """From assumed constants, for a queue that never empties; one engine is in the public tables."""
    return Recipe("offline", starting_constants(OFFLINE_STARTS, ("other",)), _unknowns(OFFLINE_STARTS))


def release_recipe(start: TimeConstants, engine: str) -> Recipe:
    """One release of an engine behind a server of its own, from constants of the same regime."""
    unknowns = {
        "step_overhead_s": Unknown(start.step_overhead_s, 1.0),
        "sequence_overhead_s": Unknown(start.sequence_overhead_s, 1.0),
    }
    # Twice the usual spread: a release is one draw, and its server is part of what it is timed with.
    for name in ("overhead", "compute"):
        unknowns[f"{engine}.{name}"] = Unknown(start.factor(name, engine), 2.0 * ENGINE_SPREAD)
    return Recipe("online", start, unknowns)


def recipe_for(regime: str) -> Recipe:
    """The recipe of a regime from assumed constants."""
    return offline_recipe() if regime == "offline" else online_recipe()


def unknowns_for(
    start: TimeConstants, regime: str, rows: int, models: int, by_engine: Mapping[str, int]
) -> dict[str, Unknown]:
    """What a user's own rows may move, from constants fitted before: more rows free more.

    Parameters
    ----------
    start : constants before
    rows, models : rows to fit, and model shapes among them [1]
    by_engine : rows of each engine [1]

    Notes
    -----
    - any row: the level of all times and its engine's factors; with requests in flight what precedes a first token;
    - an engine with `ENGINE_ROWS` rows: its own seconds and steps before a first token, time per step and sequence;
    - `SHARED_ROWS` rows: the constants in `SHARED`;
    - `ALL_ROWS` rows of three models: all that the shipped constants were fitted with.

    Every one keeps its prior around the start, so that what the rows do not tell stays where it was.
    """
    full = recipe_for(regime).unknowns
    free: dict[str, Unknown] = {LEVEL: Unknown(1.0, LEVEL_SPREAD)}
    if regime == "online":
        free[FIRST_TOKEN] = Unknown(1.0, FIRST_TOKEN_SPREAD)
    for engine, count in by_engine.items():
        factors = start.engines.get(engine, start.engines["other"])
        free |= engine_unknowns(engine, factors, first_token=regime == "online" and count >= ENGINE_ROWS)
    many = any(count >= ENGINE_ROWS for count in by_engine.values())
    names = ["step_overhead_s", "sequence_overhead_s"] if many else []
    names += [name for name in SHARED if name not in names] if rows >= SHARED_ROWS else []
    if rows >= ALL_ROWS and models >= 3:
        names += [name for name in full if "." not in name and name not in names]
    return free | {name: _around(float(getattr(start, name)), full[name]) for name in names}


def _around(value: float, usual: Unknown) -> Unknown:
    """A prior around a start, its bounds wide enough to hold it."""
    return Unknown(value, usual.spread, min(usual.low, value), max(usual.high, value))
