"""Latency curves of one machine from a table of measured cells: time of a prompt pass, time of a decode step.

Two ways to read a profile. ``simcompat`` copies the simulator of Splitwise: piecewise linear through medians on the
axis of batched prompt tokens, decode looked up there by batch (see `simulated_decode_s`). ``measured`` reads prompt
times by batched tokens and decode times by batch. Tables are arrays indexed by the whole number they are looked up
with, so that a replay or a queueing formula pays one indexing.

Times are in seconds, lengths in tokens, batches in sequences. Source of the simulator's rules: SplitwiseSim
(github.com/Mutinifni/splitwise-sim@8f99e7d); of the fits: our own, errors in `prompt_left_out` and
`decode_left_out`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

DecodeModel = Literal["simcompat", "measured"]
"""How a profile is read."""

HINGE_BATCH = 32
"""Batch from which a decode step grows faster in all eight measured groups [sequences]; derived."""
BANDWIDTH_SHARE = 0.68
"""Share of the memory bandwidth at which decode reads its KV cache; assumed, 0.6 to 0.75, where no slope tells."""
PLAUSIBLE_SHARE = (0.4, 1.0)
"""Shares of the bandwidth that a slope over context may imply to be believed; assumed."""
SIGNIFICANT = 3.0
"""Standard errors a slope over context must be away from zero to be believed; assumed."""

Curve = Callable[[Array, Array, Array], Array]


def interpolated(x: npt.ArrayLike, y: npt.ArrayLike, at: npt.ArrayLike) -> Array:
    """Piecewise linear through the points, continued at both ends along the first and the last segment.

    Parameters
    ----------
    x : (n,) increasing
    y : (n,)
    at : any shape

    Returns
    -------
    Array shaped as ``at``; a single point is a constant.

    Raises ValueError for points out of order.
    Source: what SplitwiseSim does (its performance model on medians).

    >>> interpolated([1, 2, 4], [10.0, 20.0, 30.0], [0, 3, 6]).tolist()
    [0.0, 25.0, 40.0]
    """
    (known, values), wanted = _points(x, y), as_array(at)
    if known.size == 1:
        return np.full_like(wanted, values[0])
    slope = np.diff(values) / np.diff(known)
    left = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, known.size - 2)
    return values[left] + (wanted - known[left]) * slope[left]


def pchip_slopes(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Slopes at the knots of the monotone cubic of Fritsch and Carlson: no overshoot between points.

    Inside, the harmonic mean of the neighbouring secants weighted by the lengths of their segments, zero where the
    secants differ in sign; at an end, the three-point formula held within what keeps the shape.

    Parameters
    ----------
    x : (n,) increasing, n >= 2
    y : (n,)

    Returns
    -------
    (n,) slopes.

    Source: Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300; equal to ``scipy.interpolate``'s.
    """
    known, values = _points(x, y)
    step, secant = np.diff(known), np.diff(values) / np.diff(known)
    if known.size == 2:
        return np.repeat(secant, 2)
    before, after = secant[:-1], secant[1:]
    near, far = step[1:] + 2 * step[:-1], 2 * step[1:] + step[:-1]
    turning = before * after <= 0
    safe = np.where(turning, 1.0, before), np.where(turning, 1.0, after)
    inner = np.where(turning, 0.0, (near + far) / (far / safe[0] + near / safe[1]))
    first = _end_slope(step[0], step[1], secant[0], secant[1])
    last = _end_slope(step[-1], step[-2], secant[-1], secant[-2])
    return np.concatenate([[first], inner, [last]])


def _end_slope(step: float, next_step: float, secant: float, next_secant: float) -> float:
    slope = ((2 * step + next_step) * secant - step * next_secant) / (step + next_step)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant < 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope


def pchip(x: npt.ArrayLike, y: npt.ArrayLike, at: npt.ArrayLike) -> Array:
    """Monotone cubic through the points, constant before the first and after the last.

    Parameters
    ----------
    x : (n,) increasing, n >= 2
    y : (n,)
    at : any shape

    >>> float(pchip([0, 1, 2], [0.0, 1.0, 1.0], 0.5))
    0.6875
    """
    known, values = _points(x, y)
    slope = pchip_slopes(known, values)
    wanted = np.clip(as_array(at), known[0], known[-1])
    left = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, known.size - 2)
    step = known[left + 1] - known[left]
    t = (wanted - known[left]) / step
    rise = t * t * (3 - 2 * t)
    bend = step * t * (1 - t) * ((1 - t) * slope[left] - t * slope[left + 1])
    found: Array = values[left] + (values[left + 1] - values[left]) * rise + bend
    return found


def loglog_pchip(x: npt.ArrayLike, y: npt.ArrayLike, at: npt.ArrayLike) -> Array:
    """Monotone cubic in the logarithms; constant before the first point, straight on after the last.

    Constant before the first because the shortest prompts take the time of a pass over the weights; straight on in
    plain coordinates, along the last segment, where a cubic would guess.

    Parameters
    ----------
    x, y : (n,) positive, x increasing, n >= 2
    at : any shape, 0 or more
    """
    known, values = _points(x, y)
    require(known > 0, "lengths must be positive")
    wanted = as_array(at)
    inside = np.exp(pchip(np.log(known), np.log(values), np.log(np.clip(wanted, known[0], known[-1]))))
    slope = max((values[-1] - values[-2]) / (known[-1] - known[-2]), 0.0)
    found: Array = inside + np.maximum(wanted - known[-1], 0.0) * slope
    return found


def prompt_table_s(tokens: npt.ArrayLike, time_s: npt.ArrayLike, most_tokens: int, way: DecodeModel) -> Array:
    """Time of a prompt pass by batched prompt tokens.

    Parameters
    ----------
    tokens : (n,) batched prompt tokens of the measured cells, increasing [tokens]
    time_s : (n,) time of a pass over them [s]
    most_tokens : last length of the table [tokens]
    way : ``simcompat`` piecewise linear, ``measured`` the monotone cubic in the logarithms

    Returns
    -------
    (most_tokens + 1,) [s] for 0 to ``most_tokens``, positive: what a line through the points puts at 0 or below is
    the smallest positive time of the table.

    Valid up to the longest measured cell (32,768 batched tokens, 8,192 of one prompt); straight on beyond it.

    >>> prompt_table_s([2, 4], [0.1, 0.3], 4, "simcompat").round(3).tolist()  # the line is at -0.1 s and 0 s before
    [0.1, 0.1, 0.1, 0.2, 0.3]
    """
    at = np.arange(most_tokens + 1, dtype=np.float64)
    table = (interpolated if way == "simcompat" else loglog_pchip)(tokens, time_s, at)
    return _positive(table, time_s)


def _positive(table: Array, time_s: npt.ArrayLike) -> Array:
    """The table with the smallest positive time in it, or else of the points, where a time is not positive."""
    shortest = float(np.min(as_array(time_s)))
    real = table > 1e-6 * shortest  # what rounding leaves of 0 is no time
    floor = float(np.min(table[real])) if real.any() else shortest
    filled: Array = np.where(real, table, floor)
    return filled


def simulated_decode_s(tokens: npt.ArrayLike, time_s: npt.ArrayLike, most_batch: int) -> Array:
    """Time of a decode step by batch, as SplitwiseSim has it: looked up on the wrong axis.

    The curve's axis is prompt length x batch; the simulator asks it at x = batch. A batch of 512 or less so reads the
    left end and decode time is almost constant: 35.5 ms for BLOOM-176B on 8 x H100 at batch 64, where the same file
    says 63.8 ms was measured. For reproducing the paper only.

    Parameters
    ----------
    tokens : (n,) prompt length x batch of the measured cells, increasing [tokens]
    time_s : (n,) median time per output token over the rows with that product [s]
    most_batch : last batch of the table [sequences]

    Returns
    -------
    (most_batch + 1,) [s], positive as `prompt_table_s`; index 0 continues the curve.
    """
    return _positive(interpolated(tokens, time_s, np.arange(most_batch + 1, dtype=np.float64)), time_s)


def fit_hinge(batch: npt.ArrayLike, time_s: npt.ArrayLike) -> Array:
    """Least squares of relative errors of t = a + c min(b, 32) + e max(b - 32, 0), nothing falling.

    Parameters
    ----------
    batch : (n,) sequences, increasing
    time_s : (n,) time of a step [s]

    Returns
    -------
    (3,) a [s], c and e [s/sequence], none below 0. Where no batch is beyond 32, e is c: straight on.

    >>> (fit_hinge([1, 16, 32, 64], [0.031, 0.046, 0.062, 0.126]) * 1000).round(1).tolist()
    [30.0, 1.0, 2.0]
    """
    sizes, times = _points(batch, time_s)
    # Three coefficients: every subset that may be zero is tried, so that no solver of bounded problems is needed.
    require(times > 0, "times must be positive")
    weighted = _hinge_terms(sizes) / times[:, None]
    best, found = np.inf, np.zeros(3)
    for count in (3, 2, 1):
        for columns in combinations(range(3), count):
            part = weighted[:, columns]
            fitted = np.linalg.lstsq(part, np.ones_like(times), rcond=None)[0]
            residual = float(np.sum((part @ fitted - 1.0) ** 2))
            if np.all(fitted >= 0) and residual < best - 1e-15:
                best, found = residual, np.zeros(3)
                found[list(columns)] = fitted
    if sizes[-1] <= HINGE_BATCH:
        found[2] = found[1]
    return found


def hinge_s(coefficients: npt.ArrayLike, batch: npt.ArrayLike) -> Array:
    """Time of a decode step by `fit_hinge`'s coefficients [s], shaped as ``batch``."""
    return _hinge_terms(as_array(batch)) @ as_array(coefficients)


def _hinge_terms(batch: Array) -> Array:
    return np.stack([np.ones_like(batch), np.minimum(batch, HINGE_BATCH), np.maximum(batch - HINGE_BATCH, 0.0)], -1)


def _by_hinge(batch: Array, time_s: Array, at: Array) -> Array:
    return hinge_s(fit_hinge(batch, time_s), at)


def _by_segments(batch: Array, time_s: Array, at: Array) -> Array:
    return interpolated(batch, rising(time_s), at)


DECODE_WAYS: dict[str, Curve] = {"hinge": _by_hinge, "segments": _by_segments}
"""Ways through decode times by batch, in the order they are preferred in where both do equally well."""


def rising(values: npt.ArrayLike) -> Array:
    """The non-decreasing sequence nearest to the values in the sense of least squares (pool adjacent violators).

    >>> rising([1.0, 3.0, 2.0, 4.0]).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    pools: list[tuple[float, int]] = []
    for value in as_array(values).tolist():
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean, count = (before * size + mean * count) / (size + count), size + count
        pools.append((mean, count))
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])


def decode_way(batch: npt.ArrayLike, time_s: npt.ArrayLike) -> str:
    """The key of `DECODE_WAYS` whose mean error on left-out batches is lower; ``segments`` for fewer than 5 points."""
    if as_array(batch).size < 5:
        return "segments"
    return min(DECODE_WAYS, key=lambda way: float(np.mean(decode_left_out(batch, time_s, way))))


def decode_table_s(batch: npt.ArrayLike, time_s: npt.ArrayLike, most_batch: int) -> Array:
    """Time of a decode step by batch, as measured: a hinge, or segments where they predict left-out batches better.

    Parameters
    ----------
    batch : (n,) sequences of the measured cells, increasing
    time_s : (n,) time of a step [s]
    most_batch : last batch of the table [sequences]

    Returns
    -------
    (most_batch + 1,) [s], non-decreasing; index 0 as index 1. Holds at the context of the cells, see
    `context_slope_s_per_token`.

    Valid up to the largest measured batch (64; 32 for two accelerators); beyond it straight on along the last slope.
    """
    sizes, times = _points(batch, time_s)
    at = np.maximum(np.arange(most_batch + 1, dtype=np.float64), 1.0)
    return _positive(DECODE_WAYS[decode_way(sizes, times)](sizes, times, at), times)


def context_slope_s_per_token(
    context: npt.ArrayLike,
    time_s: npt.ArrayLike,
    kv_bytes_per_token: float,
    memory_bytes_per_s: float,
) -> float:
    """What a token of context, summed over the sequences of a batch, adds to a decode step [s/token].

    The least-squares slope of the measured times where it is `SIGNIFICANT` and implies a `PLAUSIBLE_SHARE` of the
    bandwidth; else kv / (bandwidth x `BANDWIDTH_SHARE`). A slope at batch 1 that implies less is the latency of one
    sequence on a few cores and does not add up over a batch.

    Parameters
    ----------
    context : (n,) mean context of the cells at batch 1 [tokens]; empty where none was measured
    time_s : (n,) time of a step [s]
    kv_bytes_per_token : KV cache of a token, whole model [bytes/token]
    memory_bytes_per_s : memory bandwidth of all accelerators that share the cache [bytes/s]

    Source: slopes of BLOOM-176B, 2.1e-4 ms/token on 8 x H100 and 4.2e-4 on 8 x A100, imply 0.71 and 0.58; derived.

    >>> context_slope_s_per_token([], [], 327_680, 8 * 3.35e12) * 1e6  # microseconds
    0.01798068...
    """
    floor = kv_bytes_per_token / memory_bytes_per_s
    lengths, times = as_array(context), as_array(time_s)
    if lengths.size >= 3:
        spread = lengths - lengths.mean()
        slope = float(spread @ times / (spread @ spread))
        rest = times - times.mean() - slope * spread
        error = float(np.sqrt(rest @ rest / (lengths.size - 2) / (spread @ spread)))
        if slope > SIGNIFICANT * error and PLAUSIBLE_SHARE[0] <= floor / slope <= PLAUSIBLE_SHARE[1]:
            return slope
    return floor / BANDWIDTH_SHARE


def prompt_left_out(tokens: npt.ArrayLike, time_s: npt.ArrayLike) -> Array:
    """Relative errors of the measured prompt curve at lengths left out, first and last kept.

    Parameters
    ----------
    tokens, time_s : (n,) as for `prompt_table_s`

    Returns
    -------
    (n - 2,) abs(predicted / measured - 1) [1].
    """
    return _left_out(loglog_pchip, *_points(tokens, time_s))


def decode_left_out(batch: npt.ArrayLike, time_s: npt.ArrayLike, way: str) -> Array:
    """Relative errors of a decode curve at batches left out, first and last kept: (n - 2,) [1].

    Parameters
    ----------
    batch, time_s : (n,) as for `decode_table_s`
    way : a key of `DECODE_WAYS`
    """
    return _left_out(DECODE_WAYS[way], *_points(batch, time_s))


def _left_out(curve: Curve, x: Array, y: Array) -> Array:
    places = np.arange(x.size)
    guesses = [curve(x[places != one], y[places != one], x[one : one + 1])[0] for one in places[1:-1]]
    return np.abs(np.asarray(guesses) / y[1:-1] - 1.0)


def _points(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    """Points as arrays; raises ValueError where they are none, of unequal number, or out of order."""
    known, values = as_array(x), as_array(y)
    require(known.ndim == 1 and known.shape == values.shape and known.size > 0, "x and y must be as many")
    require(np.diff(known) > 0, "x must increase")
    return known, values
