"""How large a job a connection accepts: the same limits, more or fewer accelerators, measures that grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiplan.planners.stabilize.assess import Assessment, Judge
from aiplan.planners.stabilize.mitigation import Mix
from aiplan.planners.stabilize.search import assessed, reason, unsized

MOST = 64.0
"""Largest site looked at, over the one asked [1]."""
LEAST = 1e-4
"""Smallest site looked at, over the one asked [1]."""
PRECISION = 2e-3
"""Relative width at which the search for the size stops [1]."""


@dataclass(frozen=True, slots=True)
class Size:
    """The largest job that is accepted with certain measures.

    Attributes
    ----------
    factor : accelerators over those asked; 0 where none is accepted, `MOST` where nothing binds [1]
    best : the mix that carries it; None where there is none
    binding : what the next larger job breaks; empty where nothing binds
    """

    factor: float
    best: Assessment | None
    binding: str


def largest(judge: Judge, mixes: Sequence[Mix]) -> Size:
    """The largest site for which one of the mixes keeps limits and caps.

    Storage is sized anew at every size, ramps of accelerators stay the same for all of them together. Whether a size
    is accepted is taken to fall with size, which holds for limits in watts.

    Parameters
    ----------
    judge : of the site asked
    mixes : that may be used, the most promising first
    """
    at = _accepted(judge, mixes, 1.0)
    low, high = (1.0, MOST) if at is not None else (LEAST, 1.0)
    best, found = at, _accepted(judge, mixes, high if at is not None else low)
    if at is not None and found is not None:
        return Size(MOST, found, "")
    if at is None:
        if found is None:
            return Size(0.0, None, _why(judge, mixes, LEAST))
        best = found
    while high / low > 1.0 + PRECISION:
        middle = (low * high) ** 0.5
        found = _accepted(judge, mixes, middle)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    return Size(low, best, _why(judge, mixes, high))


def _accepted(judge: Judge, mixes: Sequence[Mix], factor: float) -> Assessment | None:
    """The first mix that carries a site so many times as large."""
    larger = _larger(judge, factor)
    for mix in mixes:
        found = assessed(larger, resized(mix, factor))
        if found.feasible:
            return found
    return None


def _why(judge: Judge, mixes: Sequence[Mix], factor: float) -> str:
    """What the first mix breaks at a size."""
    return reason(assessed(_larger(judge, factor), resized(mixes[0], factor)))


def _larger(judge: Judge, factor: float) -> Judge:
    return replace(judge, scene=judge.scene.scaled(factor), caps=replace(
        judge.caps, storage_j=judge.caps.storage_j), _raw={}, hasty=True)  # fmt: skip


def resized(mix: Mix, factor: float) -> Mix:
    """A mix for so many times the accelerators: their ramps add up to the same, storage has its size to be found."""
    gpu = mix.gpu
    if gpu is not None:
        gpu = replace(gpu, ramp_up_w_per_s=gpu.ramp_up_w_per_s / factor,
                      ramp_down_w_per_s=gpu.ramp_down_w_per_s / factor)  # fmt: skip
    storage = tuple(
        one if one.level == "site" else replace(one, ramp_up_w_per_s=one.ramp_up_w_per_s / factor,
                                                ramp_down_w_per_s=one.ramp_down_w_per_s / factor)
        for one in map(unsized, mix.storage)
    )  # fmt: skip
    return replace(mix, gpu=gpu, storage=storage)


__all__ = ["MOST", "Size", "largest", "resized"]
