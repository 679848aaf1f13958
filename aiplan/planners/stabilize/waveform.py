"""From segments to a wave, and what clocks, power supplies and meters make of it.

Everywhere a value is the mean over a step, and power is held constant within one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, expm1

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.stabilize.timeline import Segments
from aiplan.planners.stabilize.wave import (
    CHECKPOINT,
    EVALUATION,
    IDLE,
    ITERATION,
    RESTART,
    START,
    STOP,
    Kinds,
    Wave,
)

WHOLE_STEPS = 1e-6
"""A length is a whole number of steps where it is one to this share of a step [1]."""
SKEW_REACH = 8.0
"""Beyond so many standard deviations a Gaussian is nothing [1]: less than 1e-14 of it lies there."""
RINGING_STEPS = 256
"""Cells that a skew shorter than a step rings over [1]: beyond them less than 1e-6 of an edge."""
FADED = 1e-18
"""What a lag keeps of a power so little of is nothing [1]: far below the rounding of doubles."""
KINDS_BY_RANK = (ITERATION, EVALUATION, IDLE, CHECKPOINT, STOP, START, RESTART)
"""Of several jobs the kind that stands last here is that of their sum."""


def sample(segments: Segments, step_s: float, duration_s: float | None = None) -> Wave:
    """Segments on a grid of equal steps: exact means over each, from differences of the energy up to its ends.

    Parameters
    ----------
    segments : power [W per accelerator], held after the last one
    step_s : length of a step [s]
    duration_s : length of the wave [s], rounded up to whole steps; None for that of the segments

    Returns
    -------
    Wave from 0 s on; the kind of a step is that at its middle.
    """
    ends = np.cumsum(segments.duration_s)
    length_s = float(ends[-1]) if duration_s is None else duration_s
    require(step_s > 0 and np.isfinite(step_s), "step_s must be above 0")
    require(length_s > 0 and np.isfinite(length_s), "duration_s must be above 0")
    count = max(ceil(length_s / step_s - WHOLE_STEPS), 1)
    edges = as_array(step_s * np.arange(count + 1))
    power = _mean_between(segments.duration_s, segments.power_w, edges[:-1], edges[1:])
    at = np.searchsorted(ends, edges[:-1] + 0.5 * step_s, side="right")
    return Wave(power, step_s, kind=segments.kind[np.minimum(at, segments.kind.size - 1)])


def lag(power_w: npt.ArrayLike, step_s: float, tau_s: float, start_w: float | None = None) -> Array:
    """First-order lag ``tau dy/dt = p - y``: means over each step, exact for power held constant within a step.

    With ``a = exp(-h / tau)`` and ``b = (1 - a) tau / h`` the state at the ends of steps is ``y' = p + (y - p) a`` and
    the mean over the step ``p + (y - p) b``.

    Parameters
    ----------
    power_w : shape (N,) [W]
    step_s, tau_s : h and tau [s]; tau 0 leaves the power as it is
    start_w : y at the beginning [W]; None for the first power, which is equilibrium

    Source: the closed form of the equation, derived.
    """
    power = as_array(power_w)
    require(step_s > 0, "step_s must be above 0")
    require(tau_s >= 0, "tau_s must not be negative")
    if tau_s == 0 or power.size == 0:
        return power.copy()
    ratio = step_s / tau_s
    moved = -expm1(-ratio)
    begin = float(power[0]) if start_w is None else start_w
    above = power - begin
    state = np.concatenate([[0.0], moved * _faded_sum(above[:-1], exp(-ratio))])
    return np.asarray(begin + above + (state - above) * (moved / ratio), dtype=np.float64)


def skew(power_w: npt.ArrayLike, step_s: float, sigma_s: float) -> Array:
    """Mean of nodes whose clocks differ by ``N(0, sigma)``: a line of frequency f keeps ``exp(-(2 pi f sigma)^2 / 2)``.

    Every line below half the sampling rate is multiplied by just that factor; first and last power are held beyond
    the ends. Where sigma is shorter than about a step, edges within a step cannot be told from edges at its ends and
    a jump overshoots: by 1.3 % of itself at half a step, by 0.01 % at a step.

    Parameters
    ----------
    power_w : shape (N,) [W]
    step_s : length of a step [s]
    sigma_s : standard deviation of the clocks [s]; 0 leaves the power as it is

    Source: characteristic function of the normal distribution, derived.
    """
    power = as_array(power_w)
    require(step_s > 0, "step_s must be above 0")
    require(sigma_s >= 0, "sigma_s must not be negative")
    if sigma_s == 0 or power.size == 0:
        return power.copy()
    margin = ceil(SKEW_REACH * sigma_s / step_s) + RINGING_STEPS
    size = 1 << (power.size + 2 * margin - 1).bit_length()
    held = np.pad(power - power[0], (margin, size - power.size - margin), mode="edge")
    held[power.size + 2 * margin :] = 0.0
    angle = 2.0 * np.pi * np.fft.rfftfreq(size, step_s) * sigma_s
    blurred = np.fft.irfft(np.fft.rfft(held) * np.exp(-0.5 * angle**2), size)
    return np.asarray(power[0] + blurred[margin : margin + power.size], dtype=np.float64)


def meter(power_w: npt.ArrayLike, step_s: float, window_s: float, read_s: npt.ArrayLike) -> Array:
    """What a meter shows that averages over the window before each reading [W].

    Parameters
    ----------
    power_w : shape (N,) [W]; first and last are held beyond the ends
    step_s, window_s : length of a step and of the window, above 0 [s]
    read_s : times of the readings after the beginning of the first step, shape (M,) [s]
    """
    power, read = as_array(power_w), as_array(read_s)
    require(power.ndim == 1 and power.size > 0, "power_w must be a row of at least one value")
    require(step_s > 0 and window_s > 0, "step_s and window_s must be above 0")
    return _mean_between(np.full(power.size, step_s), power, read - window_s, read)


def sum_of(waves: Sequence[Wave]) -> Wave:
    """Several jobs at once; all must begin at the same time and have the same steps.

    The kind of the sum is the transient of any job that is in one, idle included: while one job stands still the site
    is not in the steady state it has with all. It is None if that of any job is. Power is known where all are.
    """
    require(len(waves) > 0, "at least one wave is needed")
    one = waves[0]
    for other in waves[1:]:
        same = other.step_s == one.step_s and other.start_s == one.start_s and other.power_w.size == one.power_w.size
        require(same, "waves must have the same steps to be added")
    power = np.sum([wave.power_w for wave in waves], axis=0)
    gaps = [wave.known for wave in waves if wave.known is not None]
    known = np.asarray(np.logical_and.reduce(gaps)) if gaps else None
    return Wave(power, one.step_s, one.start_s, _kind_of_sum([wave.kind for wave in waves]), known)


def _kind_of_sum(kinds: Sequence[Kinds | None]) -> Kinds | None:
    rank_of = np.argsort(KINDS_BY_RANK).astype(np.int8)
    ranks = [rank_of[kind] for kind in kinds if kind is not None]
    if len(ranks) < len(kinds):
        return None
    return np.asarray(np.array(KINDS_BY_RANK, dtype=np.int8)[np.maximum.reduce(ranks)])


def _faded_sum(values: Array, keep: float) -> Array:
    """``y[n] = values[n] + keep y[n - 1]``, by doubling the reach of the sum until what it leaves out is nothing."""
    out, reach, weight = values.copy(), 1, keep
    while reach < out.size and weight > FADED:
        out[reach:] += weight * out[:-reach]
        reach, weight = 2 * reach, weight * weight
    return out


def _mean_between(duration_s: Array, power_w: Array, begin_s: Array, end_s: Array) -> Array:
    """Mean of piecewise constant power between two times each, first and last power held beyond the ends."""
    # Energies are counted from the first power: differences of small sums lose fewer digits.
    above = power_w - power_w[0]
    ends = np.concatenate([[0.0], np.cumsum(duration_s)])
    energy = np.concatenate([[0.0], np.cumsum(duration_s * above)])

    def up_to(time_s: Array) -> Array:
        return np.asarray(np.interp(time_s, ends, energy) + above[-1] * np.maximum(time_s - ends[-1], 0.0))

    return np.asarray(power_w[0] + (up_to(end_s) - up_to(begin_s)) / (end_s - begin_s), dtype=np.float64)
