"""Which points are timed, how deep the stack is, how often each step runs, and what a budget of time allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiplan.planners.serving.measure.stack import (
    Depth,
    StackShape,
    cache_bytes,
    depths_to_time,
    forward_flop,
    read_bytes,
    weight_bytes,
    workspace_bytes,
)

PROMPTS = (128, 512, 2048, 8192)
"""Prompt lengths of prefill, one sequence each [tokens]."""
BATCHES = (1, 4, 16, 64, 256)
"""Sequences of a decode step."""
CONTEXTS = (512, 2048, 8192)
"""Tokens that each sequence of a decode step attends to [tokens]."""

WARM_UP = 2
MIN_REPEATS, MAX_REPEATS = 5, 2000
WINDOW_S = 2.0
"""Length of a timed run that a step is repeated to fill: the energy counter moves every 0.1 s or so [s]."""
OVERRUN = 1.5
"""A run ends at this multiple of its length as planned, should its steps turn out slower than the first."""
CHUNKS = 8
"""Parts of a run after which its length is looked at."""
MEMORY_SHARE = 0.85
"""Share of free memory that is planned with; the rest is for the libraries' own buffers. Assumed."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One point to time.

    Attributes
    ----------
    kind : ``prefill`` of whole prompts, or a ``decode`` step of one new token per sequence
    batch : sequences
    context_tokens : tokens of each sequence, the new ones included [tokens]
    """

    kind: Literal["prefill", "decode"]
    batch: int
    context_tokens: int

    @property
    def new_tokens(self) -> int:
        """Tokens computed per sequence."""
        return self.context_tokens if self.kind == "prefill" else 1

    @property
    def past_tokens(self) -> int:
        """Tokens of each sequence that are in the cache before."""
        return self.context_tokens - self.new_tokens

    @property
    def tokens(self) -> int:
        """Tokens computed in all."""
        return self.batch * self.new_tokens

    def flop(self, shape: StackShape, depth: Depth) -> float:
        """See `stack.forward_flop` [FLOP]."""
        return forward_flop(shape, depth, self.batch, self.new_tokens, self.past_tokens)

    def read_bytes(self, shape: StackShape, depth: Depth, bytes_per_weight: float) -> float:
        """See `stack.read_bytes` [B]."""
        return read_bytes(shape, depth, self.batch, self.new_tokens, self.past_tokens, bytes_per_weight)

    def label(self) -> str:
        """The point in words."""
        if self.kind == "prefill":
            return f"prefill of {self.batch} x {self.context_tokens} tokens"
        return f"decode step, batch {self.batch}, context {self.context_tokens}"


def shots(
    prompts: Sequence[int] = PROMPTS, batches: Sequence[int] = BATCHES, contexts: Sequence[int] = CONTEXTS
) -> tuple[Shot, ...]:
    """Prefill of each prompt alone, and a decode step for each batch at each context; duplicates once.

    Raises
    ------
    ValueError for a length below 1, or a context below 2 (a decode step needs a token behind it).
    """
    if min((*prompts, *batches), default=1) < 1 or min(contexts, default=2) < 2:
        raise ValueError("prompts and batches must be 1 or more, contexts 2 or more")
    prefill = [Shot("prefill", 1, tokens) for tokens in sorted(set(prompts))]
    decode = [Shot("decode", batch, context) for context in sorted(set(contexts)) for batch in sorted(set(batches))]
    return (*prefill, *decode)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be timed: depths of the stack, points, and points left out with the reason."""

    depths: tuple[Depth, ...]
    shots: tuple[Shot, ...]
    dropped: tuple[tuple[Shot, str], ...]


def needed_bytes(shape: StackShape, depth: Depth, shot: Shot, bytes_per_weight: float) -> float:
    """Weights, cache and activations of one point at a depth [B]."""
    weights = weight_bytes(shape, depth, bytes_per_weight)
    cache = cache_bytes(shape, depth, shot.batch, shot.context_tokens)
    return weights + cache + workspace_bytes(shape, shot.tokens)


def make_plan(
    shape: StackShape, wanted: Sequence[Shot], free_bytes: float, bytes_per_weight: float, deepest: int
) -> Plan:
    """The deepest stack that fits with its largest point, and the points that fit at all.

    A depth of two layers per kind (or all of them, where there are fewer) comes before the largest points: what does
    not fit with it is left out. Among the rest the depth grows up to ``deepest`` layers of a kind.

    Parameters
    ----------
    free_bytes : memory of the accelerator that is free; `MEMORY_SHARE` of it is used [B]
    bytes_per_weight : of matrices inside the layers [B]
    """
    room = MEMORY_SHARE * free_bytes

    def fits(layers: int, shot: Shot) -> bool:
        return needed_bytes(shape, depths_to_time(shape.layers, layers)[0], shot, bytes_per_weight) <= room

    least = min(2, deepest)
    kept = tuple(shot for shot in wanted if fits(least, shot))
    dropped = tuple((shot, "does not fit the memory") for shot in wanted if shot not in kept)
    layers = max((n for n in range(least, deepest + 1) if all(fits(n, shot) for shot in kept)), default=least)
    return Plan(depths_to_time(shape.layers, layers), kept, dropped)


@dataclass(frozen=True, slots=True)
class Timing:
    """Repeated runs of one step: median and half the distance between the quartiles [s]."""

    time_s: float
    spread_s: float
    repeats: int


def summarise(times_s: Sequence[float]) -> Timing:
    """Median and spread of repeated runs.

    Half the distance between the quartiles says how far single runs scatter, which a stray interruption does not
    move; the median itself is known better than that.

    Raises
    ------
    ValueError without runs.

    >>> summarise([1.0, 2.0, 3.0, 4.0, 100.0])
    Timing(time_s=3.0, spread_s=1.0, repeats=5)
    """
    if not times_s:
        raise ValueError("no runs to summarise")
    low, middle, high = (float(value) for value in np.percentile(times_s, (25, 50, 75)))
    return Timing(middle, (high - low) / 2.0, len(times_s))


class Budget:
    """Time left for all runs, shared out evenly among those to come.

    Parameters
    ----------
    total_s : time for everything from now on [s]
    runs : timed runs to come
    clock : seconds that pass; a caller's own, so that nothing here reads the time of day
    """

    def __init__(self, total_s: float, runs: int, clock: Callable[[], float]):
        self._clock = clock
        self._end = clock() + total_s
        self._runs = runs
        self._run_end = self._end

    @property
    def left_s(self) -> float:
        """Time left [s]; negative once it is overdrawn."""
        return self._end - self._clock()

    def repeats(self, step_s: float, window_s: float = WINDOW_S) -> int:
        """How often the next run repeats a step that takes ``step_s``: 0 where not even the fewest repeats fit.

        As many as fill the window or the run's share of what is left, whichever is less, and between `MIN_REPEATS`
        and `MAX_REPEATS`. Counts the run as taken.

        Raises
        ------
        ValueError for a step that takes no time.
        """
        if step_s <= 0:
            raise ValueError("step_s must be above 0")
        share_s = self.left_s / max(self._runs, 1)
        self._runs -= 1
        if MIN_REPEATS * step_s > self.left_s:
            return 0
        self._run_end = min(self._clock() + OVERRUN * max(window_s, MIN_REPEATS * step_s), self._end)
        return min(max(math.floor(min(window_s, share_s) / step_s), MIN_REPEATS), MAX_REPEATS)

    @property
    def run_over(self) -> bool:
        """Whether the run that `repeats` was last asked for should end, its steps being slower than its first one."""
        return self._clock() > self._run_end

    def expect(self, runs: int) -> None:
        """Share what is left among this many runs: those that did not take place have left theirs."""
        self._runs = runs
