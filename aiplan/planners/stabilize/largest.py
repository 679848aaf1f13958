"""How large a job a connection accepts: the same limits, more or fewer accelerators, measures that grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from aiplan.planners.stabilize.assess import Assessment, Judge
from aiplan.planners.stabilize.mitigation import Mix, Storage
from aiplan.planners.stabilize.search import assessed, reason, unsized

MOST = 1e4
"""Largest site looked at, over the one asked [1]."""
LEAST = 1e-4
"""Smallest site looked at, over the one asked [1]."""
OTHERS = (32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.125, 0.0625)
"""Sizes that are tried under a limit of the least power, over the one asked [1]."""
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
    is accepted is taken to fall with size, which holds for limits in watts but the least power: under such a limit
    sizes a factor of two apart are tried where the one asked is not accepted.

    Parameters
    ----------
    judge : of the site asked
    mixes : that may be used, the most promising first
    """
    low, high, best = _between(judge, mixes)
    if best is None:
        return Size(0.0, None, _why(judge, mixes, low))
    if low >= MOST:
        return Size(MOST, best, "")
    while high / low > 1.0 + PRECISION:
        middle = (low * high) ** 0.5
        found = _accepted(judge, mixes, middle)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    return Size(low, best, _why(judge, mixes, high))


def _between(judge: Judge, mixes: Sequence[Mix]) -> tuple[float, float, Assessment | None]:
    """A size that is accepted, one above it that is not, and what carries the former; None where no size is."""
    asked = _accepted(judge, mixes, 1.0)
    risen = judge.limits.least_w is not None
    most = _accepted(judge, mixes, MOST) if asked is not None or risen else None
    if most is not None:
        return MOST, MOST, most
    if asked is not None:
        return 1.0, MOST, asked
    for above, size in pairwise([MOST, *OTHERS, LEAST] if risen else [1.0, LEAST]):
        best = _accepted(judge, mixes, size)
        if best is not None:
            return size, above, best
    return (1.0 if risen else LEAST), MOST, None


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
    # Twice the accelerators fail twice as often.
    rates = replace(judge.rates, restarts=judge.rates.restarts * factor)
    return replace(judge, scene=judge.scene.scaled(factor), rates=rates, _raw={}, hasty=True)


def resized(mix: Mix, factor: float) -> Mix:
    """A mix for so many times the accelerators: their ramps add up to the same, storage has its size to be found."""
    gpu, start_cap = mix.gpu, mix.start_cap
    if start_cap is not None:
        start_cap = replace(start_cap, duration_s=start_cap.duration_s * factor)
    if gpu is not None:
        gpu = replace(gpu, ramp_up_w_per_s=gpu.ramp_up_w_per_s / factor,
                      ramp_down_w_per_s=gpu.ramp_down_w_per_s / factor)  # fmt: skip
    storage = tuple(_stretched(one, factor) for one in map(unsized, mix.storage))
    return replace(mix, gpu=gpu, start_cap=start_cap, storage=storage)


def _stretched(storage: Storage, factor: float) -> Storage:
    """Storage at the site with a rating of its own grows; the ramps of that beside accelerators add up to the same."""
    if storage.level == "site":
        return replace(storage, power_w=storage.power_w * factor) if storage.rating_held else storage
    return replace(storage, ramp_up_w_per_s=storage.ramp_up_w_per_s / factor,
                   ramp_down_w_per_s=storage.ramp_down_w_per_s / factor)  # fmt: skip


__all__ = ["MOST", "Size", "largest", "resized"]
