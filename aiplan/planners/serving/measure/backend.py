"""What a stack needs of an array library, and the NumPy one.

The NumPy backend computes everything in float64 on the CPU: it is the reference that arithmetic, schedule and
profile are tested with, not something to plan from. `torch_backend` runs on the accelerator.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from aiplan.planners.arrays import Array

Step = Callable[[], Any]


class Backend(Protocol):
    """Operations of a forward pass, and a clock for them. Arrays are the library's own."""

    bytes_per_weight: float
    """Of matrices inside the layers [B]."""
    memory_error: type[Exception]
    """What is raised where memory runs out."""

    def normal(self, size: tuple[int, ...], scale: float) -> Any:
        """Normal draws of a size, mean 0 and standard deviation ``scale``."""

    def packed(self, weight: Any) -> Any:
        """A matrix (outer, inner) in the precision it is multiplied in."""

    def linear(self, x: Any, weight: Any) -> Any:
        """``x W^T`` over the last axis of ``x``, for a packed or plain matrix."""

    def grouped(self, rows: Any, weights: Any, ends: Any) -> Any:
        """Rows in groups, each times its own matrix: group ``e`` ends before row ``ends[e]``."""

    def route(self, logits: Any, active: int) -> tuple[Any, Any, Any]:
        """Order of visits by expert, end of each expert's visits, and share of each visit (tokens, active).

        Visit ``i`` is token ``i // active``'s; shares are the softmax over the experts chosen.
        """

    def inverse(self, order: Any) -> Any:
        """The permutation that undoes ``order``."""

    def normalised(self, x: Any) -> Any:
        """``x`` over its root mean square along the last axis."""

    def silu(self, x: Any) -> Any:
        """``x sigmoid(x)``."""

    def attend(self, q: Any, k: Any, v: Any, *, causal: bool) -> Any:
        """Softmax attention (batch, heads, tokens, width); query heads in groups share a key and value head."""

    def recorded(self, step: Step) -> Step:
        """The step in a form that is quick to launch again; its inputs and outputs stay where they are."""

    def time_s(self, step: Step, repeats: int) -> list[float]:
        """Seconds of each of several runs in a row [s]."""

    def free_bytes(self) -> float:
        """Memory that can still be taken [B]."""


class NumpyBackend:
    """Float64 on the CPU. Draws come from a generator of its own; ``clock`` is what steps are timed with."""

    bytes_per_weight = 8.0
    memory_error: type[Exception] = MemoryError

    def __init__(self, seed: int = 0, memory_bytes: float = 1e9, clock: Callable[[], float] = time.perf_counter):
        self._generator = np.random.default_rng(seed)
        self._memory_bytes = memory_bytes
        self._clock = clock

    def normal(self, size: tuple[int, ...], scale: float) -> Array:
        return self._generator.normal(0.0, scale, size)

    def packed(self, weight: Array) -> Array:
        return weight

    def linear(self, x: Array, weight: Array) -> Array:
        return np.asarray(x @ weight.T)

    def grouped(self, rows: Array, weights: Array, ends: Any) -> Array:
        starts = np.concatenate(([0], ends[:-1]))
        parts = [rows[a:b] @ weight.T for a, b, weight in zip(starts, ends, weights, strict=True)]
        return np.concatenate(parts)

    def route(self, logits: Array, active: int) -> tuple[Any, Any, Array]:
        chosen = np.argsort(-logits, axis=-1, kind="stable")[:, :active]
        best = np.take_along_axis(logits, chosen, axis=-1)
        share = _softmax(best)
        visits = chosen.reshape(-1)
        order = np.argsort(visits, kind="stable")
        ends = np.cumsum(np.bincount(visits, minlength=logits.shape[-1]))
        return order, ends, share

    def inverse(self, order: Any) -> Any:
        return np.argsort(order)

    def normalised(self, x: Array) -> Array:
        return np.asarray(x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6))

    def silu(self, x: Array) -> Array:
        return np.asarray(x / (1.0 + np.exp(-x)))

    def attend(self, q: Array, k: Array, v: Array, *, causal: bool) -> Array:
        groups = q.shape[1] // k.shape[1]
        keys, values = np.repeat(k, groups, axis=1), np.repeat(v, groups, axis=1)
        scores = q @ keys.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        if causal:
            scores = np.where(np.tri(q.shape[2], k.shape[2], dtype=bool), scores, -np.inf)
        return np.asarray(_softmax(scores) @ values)

    def recorded(self, step: Step) -> Step:
        return step

    def time_s(self, step: Step, repeats: int) -> list[float]:
        times = [self._clock()]
        for _ in range(repeats):
            step()
            times.append(self._clock())
        return np.diff(times).tolist()

    def free_bytes(self) -> float:
        return self._memory_bytes


def _softmax(x: Array) -> Array:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
