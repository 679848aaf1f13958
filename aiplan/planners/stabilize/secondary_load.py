"""A filler in software: power-hungry work that takes what the job leaves free, as late as telemetry sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize.gpu_smoothing import held
from aiplan.planners.stabilize.mitigation import SecondaryLoad
from aiplan.planners.stabilize.wave import Flags

HIGH_PHASE_FRACTION = 0.9
"""Of the most a busy job draws, from which on it counts as in its high phase [1]; assumed."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """Power of job and filler.

    Attributes
    ----------
    power_w : shape (N,), of both together [W]
    filler_w : shape (N,), of the filler in it [W]
    beside : shape (N,), steps in which the filler runs while the job is in its high phase, and slows it down
    """

    power_w: Array
    filler_w: Array
    beside: Flags


def late(power_w: Array, step_s: float, delay_s: float) -> Array:
    """The wave so much later, shape (N,) [W]; before its beginning it had its first value.

    Means over steps, so that a delay of a part of a step mixes two of them.

    >>> late(np.array([0.0, 8.0, 8.0, 0.0]), 1.0, 1.25).tolist()
    [0.0, 0.0, 6.0, 8.0]
    """
    require(step_s > 0 and delay_s >= 0, "step_s must be above 0 and delay_s not negative")
    whole, part = divmod(min(delay_s / step_s, float(power_w.size)), 1.0)
    before = np.concatenate([np.full(int(whole) + 1, power_w[0]), power_w])
    return np.asarray((1.0 - part) * before[1:][: power_w.size] + part * before[: power_w.size])


def fill(power_w: Array, step_s: float, busy: Flags, setting: SecondaryLoad) -> Filled:
    """Power of one accelerator with a filler beside its job, ``max(0, level - p(t - delay))`` up to the ceiling.

    Parameters
    ----------
    power_w : shape (N,), p, what the job draws, mean over each step [W]
    step_s : length of a step [s]
    busy : shape (N,), whether the job holds the accelerator; the filler runs then, and for the back-off after it
    setting : level, delay, back-off and ceiling

    Raises ValueError for negative numbers. Source: own law, assumed, after what is known second-hand of the software
    load of arXiv 2508.14318. The filler does not cut the job's own power: where their sum would pass the ceiling the
    filler gives way. What the job loses in time is the setting's slowdown while both run.

    >>> setting = SecondaryLoad(level_w=600, delay_s=1, back_off_s=0, ceiling_w=900, slowdown_fraction=0.05)
    >>> out = fill(np.array([700.0, 100.0, 100.0, 700.0]), 1.0, np.ones(4, dtype=bool), setting)
    >>> out.power_w.tolist(), out.beside.tolist()
    ([700.0, 100.0, 600.0, 900.0], [False, False, False, True])
    """
    require(power_w.shape == busy.shape, "busy must be as long as power_w")
    require(power_w >= 0, "power_w must not be negative")
    require(setting.level_w >= 0 and setting.ceiling_w >= 0, "level and ceiling must not be negative")
    wanted = np.maximum(setting.level_w - late(power_w, step_s, setting.delay_s), 0.0)
    free = np.maximum(setting.ceiling_w - power_w, 0.0)
    filler = np.where(held(busy, step_s, setting.back_off_s), np.minimum(wanted, free), 0.0)
    most = float(np.max(power_w, where=busy, initial=0.0))
    beside = busy & (filler > 0) & (power_w >= HIGH_PHASE_FRACTION * most)
    return Filled(power_w + filler, filler, np.asarray(beside))
