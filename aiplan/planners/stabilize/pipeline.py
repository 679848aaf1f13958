"""A pipeline's schedule played pass by pass: how many stages work at each moment of a step.

It is the second way to the bubble of `iteration.bubble_fraction`, and the shape of it: stages stand idle not only
while the pipeline fills and drains but also before the first gradients come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, require


@dataclass(frozen=True, slots=True)
class Pass:
    """One micro-batch through one chunk of layers, forward or backward.

    Attributes
    ----------
    stage : that works [1]
    start_s, end_s : when, from the start of the step [s]
    """

    stage: int
    start_s: float
    end_s: float


def _order(stages: int, stage: int, micro_batches: int, interleaving: int) -> list[tuple[bool, int, int]]:
    """Passes of a stage in their order: whether backward, which micro-batch, which place among all chunks."""
    total = micro_batches * interleaving
    ahead = stages - stage - 1
    warm_up = min(ahead if interleaving == 1 else 2 * ahead + (interleaving - 1) * stages, total)

    def one(backward: bool, index: int) -> tuple[bool, int, int]:
        if interleaving == 1:
            return backward, index, stage
        chunk = index // stages % interleaving
        chunk = interleaving - 1 - chunk if backward else chunk
        return backward, index // (stages * interleaving) * stages + index % stages, chunk * stages + stage

    forwards, backwards = ([one(backward, index) for index in range(total)] for backward in (False, True))
    out = forwards[:warm_up]
    for forward, backward in zip(forwards[warm_up:], backwards, strict=False):
        out += [forward, backward]
    return out + backwards[total - warm_up :]


def play(
    forward_s: Sequence[float], micro_batches: int, interleaving: int = 1, backward_factor: float = 2.0
) -> list[Pass]:
    """All passes of a step under 1F1B, interleaved where ``interleaving`` is above 1.

    Parameters
    ----------
    forward_s : time of one micro-batch's forward pass through all chunks of each stage, shape (stages,) [s]
    micro_batches : of the step; interleaved schedules need a multiple of the stages [1]
    interleaving : chunks per stage, v [1]
    backward_factor : time of a backward pass over that of a forward pass: 2, and 3 if forward is run again [1]

    Hand-over takes no time of its own. Source: schedules of Megatron-LM (arXiv 2104.04473, section 2.2).

    Raises ValueError for an interleaved schedule whose micro-batches the stages do not divide.
    """
    stages = len(forward_s)
    require(interleaving == 1 or micro_batches % stages == 0, "stages must divide the micro-batches to interleave")
    orders = [_order(stages, stage, micro_batches, interleaving) for stage in range(stages)]
    ends: dict[tuple[bool, int, int], float] = {}
    clock, done, passes = [0.0] * stages, [0] * stages, []
    while any(at < len(order) for at, order in zip(done, orders, strict=True)):
        for stage, order in enumerate(orders):
            while done[stage] < len(order):
                wanted = order[done[stage]]
                ready = _ready(wanted, ends, stages * interleaving)
                if ready is None:
                    break
                start = max(clock[stage], ready)
                length = forward_s[stage] / interleaving * (backward_factor if wanted[0] else 1.0)
                clock[stage] = ends[wanted] = start + length
                passes.append(Pass(stage, start, clock[stage]))
                done[stage] += 1
    return passes


def _ready(wanted: tuple[bool, int, int], ends: dict[tuple[bool, int, int], float], places: int) -> float | None:
    """When what a pass needs is there; None while nobody knows [s]."""
    backward, batch, place = wanted
    if not backward:
        return ends.get((False, batch, place - 1)) if place else 0.0
    own = ends.get((False, batch, place))
    after = ends.get((True, batch, place + 1)) if place + 1 < places else own
    return None if own is None or after is None else max(own, after)


def working_fraction(
    stages: int, micro_batches: int, interleaving: int, slices: int, backward_factor: float = 2.0
) -> Array:
    """Share of equal stages at work in equal slices of the time from first to last micro-batch, shape (slices,) [1].

    Its mean is ``1 / (1 + bubble)``. Where interleaving wants more micro-batches, the next multiple of the stages
    stands in.

    >>> working_fraction(2, 2, 1, 9).tolist()
    [0.5, 1.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5]
    """
    require(slices >= 1, "slices must be 1 or more")
    played = micro_batches if interleaving == 1 else -(-micro_batches // stages) * stages
    passes = play([1.0] * stages, played, interleaving, backward_factor)
    starts, ends = (np.array([getattr(one, name) for one in passes]) for name in ("start_s", "end_s"))
    edges = np.linspace(0.0, ends.max(), slices + 1)
    # Work done until each edge, as the difference of two integrals: what had begun, less what had ended.
    until = _since(starts, edges) - _since(ends, edges)
    return np.asarray(np.diff(until) / np.diff(edges) / stages, dtype=np.float64)


def _since(moments: Array, edges: Array) -> Array:
    """Sum over moments of the time that has passed since each, at every edge; later ones count nothing [s]."""
    rising = np.sort(moments)
    past = np.searchsorted(rising, edges)
    return np.asarray(past * edges - np.concatenate(([0.0], np.cumsum(rising)))[past], dtype=np.float64)
