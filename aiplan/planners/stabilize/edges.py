"""Jumps between two steps of a wave: what they alias to in its spectrum, and how to take that away.

A mean over a step weakens a line by sinc(f step), which a spectrum can make good again. A jump of power also has lines
above half the rate, and sampling folds them back: at 50 values a second an ideal square wave of 0.5 Hz reads its second
line 0.13 % too high, and its lines near 20 Hz 75 %, once sinc is made good. A lone jump tells where in its step it lies
(the step's mean stands between the levels before and after), so it can be replaced by one of limited bandwidth.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from aiplan.planners.arrays import Array

FLAT_FRACTION = 0.05
"""Changes beside a lone jump, over the jump, at most: a rise over several steps is no jump. Assumed."""
PASS_CYCLES = 0.42
"""Frequency times step up to which the softened jump is held to its target [1]."""
SIDE = 9
"""Taps on either side of the middle one of the filter that sharpens a softened jump."""
REACH = SIDE + 1
"""Steps before and after the one with the jump that a softened jump changes."""


@lru_cache(maxsize=2)
def _spread(means: bool) -> Array:
    """Shape (4, 4 + 2 SIDE): what each of the four weights of the spline adds to the changes around a jump.

    A symmetric filter turns the droop of a jump by cubic B-spline, sinc^4, into sinc^2, that of a jump in means over a
    step, or into sinc, that of none: least squares up to PASS_CYCLES, exact to second order at low frequency.
    """
    order = 2 if means else 3
    cycles = np.linspace(0.0, PASS_CYCLES, 400)
    taps = np.arange(1, SIDE + 1)
    waves = 2.0 * (np.cos(2.0 * np.pi * np.outer(cycles, taps)) - 1.0)
    target = 1.0 / np.sinc(cycles) ** order - 1.0
    # -sum(m² c_m) = order / 24 makes the second order exact; c_1 is put in terms of the others.
    bend = order / 24.0
    free = waves[:, 1:] - taps[1:] ** 2 * waves[:, :1]
    others = np.linalg.lstsq(free, target + bend * waves[:, 0], rcond=None)[0]
    side = np.concatenate(([-bend - taps[1:] ** 2 @ others], others))
    kernel = np.concatenate((side[::-1], [1.0 - 2.0 * side.sum()], side))
    out = np.zeros((4, 4 + 2 * SIDE))
    for row in range(4):
        out[row, row : row + kernel.size] = kernel
    return out


def jumps(power_w: Array) -> tuple[Array, Array, Array]:
    """Lone jumps: the step each lies in, its height [W], and the part of the step before it [1].

    A jump inside step n makes two changes, from n - 1 to n and from n to n + 1; the changes on either side are below
    FLAT_FRACTION of it. Jumps within REACH steps of an end are left out.
    """
    change = np.diff(power_w)
    if change.size < 2 * REACH + 2:
        return np.empty(0, dtype=np.intp), np.empty(0), np.empty(0)
    size = np.abs(change)
    inner = size[2:-2]
    at = np.flatnonzero((inner >= size[1:-3]) & (inner > size[3:-1])) + 2
    sign = np.sign(change[at])
    right, left = np.maximum(sign * change[at + 1], 0.0), np.maximum(sign * change[at - 1], 0.0)
    after = right >= left
    height = size[at] + np.where(after, right, left)
    beside = np.maximum(
        np.where(after, size[at - 1], size[at + 1]),
        np.where(after, size[at + 2], size[at - 2]),
    )
    # An opposite change on the partner's side is no partner and must be small as well.
    beside = np.maximum(beside, np.where(np.maximum(right, left) == 0.0, np.maximum(size[at - 1], size[at + 1]), 0.0))
    step = np.where(after, at + 1, at)
    alone = (beside <= FLAT_FRACTION * height) & (step >= REACH) & (step < power_w.size - REACH)
    before = np.where(after, right, size[at]) / np.where(height > 0.0, height, 1.0)
    return step[alone], (sign * height)[alone], before[alone]


def soften(power_w: Array, means: bool = True) -> Array:
    """The wave with every lone jump replaced by one whose lines above half the rate are weak, shape (N,) [W].

    With ``means`` the lines of the jumps stay those of a mean over the step, to be divided by sinc(f step) like all
    others; without, they are the lines themselves, for a spectrum that is read as it is. Against closed forms of square
    waves: 0.3 % up to a fifth of the rate, 15 % at two fifths. A wave without lone jumps comes back as it is. A lag
    shorter than about 0.7 of a step is taken for a jump, and its lines near half the rate for those of one: too high.

    Source: band-limited steps as in digital synthesis of square waves, here by a cubic B-spline (own derivation).
    """
    step, height, before = jumps(power_w)
    if step.size == 0:
        return power_w
    e, rest = before, 1.0 - before
    spline = np.stack([rest**3, 3 * e**3 - 6 * e**2 + 4, 3 * rest**3 - 6 * rest**2 + 4, e**3], axis=1) / 6.0
    changes = spline @ _spread(means)
    changes[:, REACH] -= rest
    changes[:, REACH + 1] -= e
    levels = np.cumsum(changes, axis=1)[:, : 2 * REACH + 1] * height[:, None]
    where = step[:, None] + np.arange(-REACH, REACH + 1)
    return power_w + np.bincount(where.ravel(), weights=levels.ravel(), minlength=power_w.size)
