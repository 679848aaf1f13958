"""Which moments of a wave are steady state, and which are transients."""

from __future__ import annotations

import numpy as np

from aiplan.planners.stabilize.wave import Flags, Wave, transient

USUAL_PERCENTS = (5.0, 50.0, 95.0)
USUAL_MARGIN = 0.05
"""The usual level of a measured load: between the outer percentiles of the middle half of its record, and so much of
its median beyond. Assumed."""


def unsettled(wave: Wave, settle_s: float) -> Flags:
    """Moments that are no steady state, shape (N,).

    Where it is known what the job does: everything but steps and evaluation, and ``settle_s`` after it. For a measured
    wave: what comes before the load first reaches its usual level, with ``settle_s`` after it, and what comes after it
    last leaves it. The usual level lies between the 5th and the 95th percentile of the middle half of the record (by
    time), 5 % of the median wider on both sides. Dips and peaks inside stay steady, and so does an end of the record
    that is off its usual level no longer and no further than the middle half is at times.
    """
    settle = round(settle_s / wave.step_s)
    if wave.kind is not None:
        return transient(wave.kind, settle)
    power, size = wave.power_w, wave.power_w.size
    known = np.ones(size, dtype=np.bool_) if wave.known is None else wave.known
    middle = slice(size // 4, size - size // 4)
    inside = power[middle][known[middle]]
    out = np.zeros(size, dtype=np.bool_)
    if inside.size == 0:
        return out
    low, median, high = np.percentile(inside, USUAL_PERCENTS)
    margin = USUAL_MARGIN * abs(median)
    off = known & ((power < low - margin) | (power > high + margin))
    near = np.flatnonzero(known & ~off)
    longest_off, least, most = longest(off[middle]), inside.min() - margin, inside.max() + margin

    def unusual(end: slice) -> bool:
        values = power[end][known[end]]
        if values.size <= longest_off:
            return bool(np.any(values < least) or np.any(values > most))
        return True

    first, last = int(near[0]), int(near[-1])
    if first > 0 and unusual(slice(0, first)):
        out[: first + settle] = True
    if last < size - 1 and unusual(slice(last + 1, size)):
        out[last:] = True
    return out


def longest(flags: Flags) -> int:
    """Length of the longest row of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0
