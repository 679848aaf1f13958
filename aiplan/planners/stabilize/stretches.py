"""What gaps leave of a wave: stretches that segments fit into, and changes of power across what nobody saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.ramps import WHOLE
from aiplan.planners.stabilize.spectrum import LEAST_PERIODS, LEAST_SAMPLES, Starts, segment_starts
from aiplan.planners.stabilize.wave import Flags


def stretches(flags: Flags) -> tuple[Starts, Starts]:
    """First step of each row of True, and the step after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return edges[::2], edges[1::2]


def shorter_lengths(length: int, step_s: float, low_hz: Sequence[float]) -> list[int]:
    """Lengths of segments below ``length``, longest first: what resolves each band's lower end, then halves [steps]."""
    needs = {math.ceil(LEAST_PERIODS / (low * step_s) * (1.0 - WHOLE)) for low in low_hz if low > 0.0}
    out = sorted((need for need in needs if LEAST_SAMPLES <= need < length), reverse=True)
    half = (out[-1] if out else length) // 2
    while half >= LEAST_SAMPLES:
        out.append(half)
        half //= 2
    return out


def starts_in_shorter(usable: Flags, below: int, length: int) -> Starts:
    """Segments of ``length`` in stretches that hold one, but none of ``below`` steps."""
    firsts, ends = stretches(usable)
    sizes = ends - firsts
    chosen = (sizes >= length) & (sizes < below)
    edges = np.zeros(usable.size + 1, dtype=np.int8)
    edges[firsts[chosen]] = 1
    edges[ends[chosen]] = -1
    return segment_starts(np.cumsum(edges[:-1]) > 0, length)


def covered_share(here: Flags, starts: Starts, length: int) -> float:
    """Share of the moments asked about that lie in a segment [1]."""
    edges = np.zeros(here.size + 1, dtype=np.int64)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + length, -1)
    asked = int(np.count_nonzero(here))
    return float(np.count_nonzero(here & (np.cumsum(edges[:-1]) > 0))) / asked if asked else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Across:
    """Changes of power across G gaps with a known value on both sides.

    Attributes
    ----------
    before, after : shape (G,), last known step before and first after each
    change_w : shape (G,), power after less power before [W]
    """

    before: Starts
    after: Starts
    change_w: Array


def across_gaps(power_w: Array, known: Flags) -> Across:
    """The gaps of a wave, those at its ends apart."""
    firsts, ends = stretches(~known)
    inside = (firsts > 0) & (ends < known.size)
    before, after = firsts[inside] - 1, ends[inside]
    return Across(before, after, np.asarray(power_w[after] - power_w[before], dtype=np.float64))


def least_steepest(power_w: Array, known: Flags, across: Across, step_s: float, window_s: float) -> tuple[Array, Array]:
    """What the steepest ramp across each gap is at least, rise and fall, shape (G,) [W/s].

    Between two known moments ``n`` windows apart, at least one of the ``n`` windows in a row is as steep as their mean.
    ``n`` is the least that reaches across the gap; pairs that begin where it begins, or end where it ends, are taken.
    Minus infinity where neither pair is known at both ends.
    """
    window = window_s / step_s
    count = np.maximum(1.0, np.ceil((across.after - across.before) / window * (1.0 - WHOLE)))
    span = count * window
    found = []
    for low, high in ((across.before, across.before + span), (across.after - span, across.after)):
        first, last = _at(power_w, known, low), _at(power_w, known, high)
        found.append((last - first) / (span * step_s))
    slopes = np.stack(found)
    seen = np.isfinite(slopes)
    rise = np.where(seen, slopes, -np.inf).max(axis=0)
    fall = np.where(seen, -slopes, -np.inf).max(axis=0)
    return rise, fall


def _at(power_w: Array, known: Flags, place: Array | Starts) -> Array:
    """Power at a place between steps; NaN outside the wave and where a step it lies between is not known [W]."""
    place = np.asarray(place, dtype=np.float64)
    near = np.rint(place)
    place = np.where(np.abs(place - near) <= WHOLE * np.maximum(1.0, near), near, place)
    low, high = np.floor(place), np.ceil(place)
    inside = (low >= 0) & (high < power_w.size)
    left, right = np.where(inside, low, 0).astype(np.intp), np.where(inside, high, 0).astype(np.intp)
    value = power_w[left] + (place - low) * (power_w[right] - power_w[left])
    return np.where(inside & known[left] & known[right], value, np.nan)
