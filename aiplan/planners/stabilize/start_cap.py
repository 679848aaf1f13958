"""A cap on power at every start of a job, which rises in a straight line and then is gone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.stabilize.gpu_smoothing import Smoothed
from aiplan.planners.stabilize.mitigation import StartCap


def cap(power_w: Array, step_s: float, starts_s: npt.ArrayLike, setting: StartCap, start_s: float = 0.0) -> Smoothed:
    """Power of one accelerator under the cap, ``initial + (final - initial) (t - start) / duration``.

    Parameters
    ----------
    power_w : shape (N,), what the job draws, mean over each step [W]
    step_s : length of a step [s]
    starts_s : shape (K,), moments at which the job starts [s]; a start before the end of another's cap begins it anew
    setting : duration, first and last value of the cap
    start_s : time at which the first step begins [s]

    Raises ValueError for negative numbers and for a cap that falls. The mean over a step is exact for a job that draws
    the same all through it. What is withheld is not caught up.

    >>> out = cap(np.full(3, 700.0), 1.0, [0.0], StartCap(duration_s=2.0, initial_w=300.0, final_w=700.0))
    >>> out.power_w.tolist(), out.withheld_w.tolist()
    ([400.0, 600.0, 700.0], [300.0, 100.0, 0.0])
    """
    require(step_s > 0, "step_s must be above 0")
    require(power_w >= 0, "power_w must not be negative")
    require(0 <= setting.duration_s < np.inf, "duration_s must not be negative nor infinite")
    require(0 <= setting.initial_w <= setting.final_w, "the cap must not be negative and must not fall")
    withheld = np.zeros(power_w.size)
    starts = np.sort(as_array(starts_s).ravel()) - start_s
    ends = np.minimum(starts + setting.duration_s, np.append(starts[1:], np.inf))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        first = max(0, int(start // step_s))
        last = min(power_w.size, int(end // step_s) + 1)
        if end > start and first < last:
            withheld[first:last] += _withheld(power_w[first:last], first, step_s, start, end, setting)
    withheld = np.minimum(withheld, power_w)
    return Smoothed(power_w - withheld, withheld)


def _withheld(power_w: Array, first: int, step_s: float, start: float, end: float, setting: StartCap) -> Array:
    """Mean over each step of what the job draws above the cap between start and end, shape (N,) [W]."""
    edges = np.clip((first + np.arange(power_w.size + 1)) * step_s, start, end)
    line = setting.initial_w + (setting.final_w - setting.initial_w) * (edges - start) / setting.duration_s
    over, under = power_w - line[:-1], power_w - line[1:]  # the cap rises: it binds less at the end of a step
    both = 0.5 * (np.maximum(over, 0.0) + np.maximum(under, 0.0))
    share = np.divide(over, over - under, out=np.ones(over.size), where=(over > 0) & (under < 0))
    return np.asarray(both * share * np.diff(edges) / step_s)
