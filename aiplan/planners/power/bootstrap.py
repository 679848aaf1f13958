"""Quantiles of a measured power with their uncertainty: block bootstrap of a sum, or of servers to more servers.

Whole blocks of consecutive samples are drawn, so that what follows what within a block stays as measured; the trace is
closed to a circle, so that every sample is drawn as often (Politis and Romano 1992). Nothing drawn exceeds what was
measured: where a quantile lies beyond the longest block seen, the band is too narrow, and `peak_w` says where it ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.trace_moments import series

LEAST_SAMPLES = 16
_AT_ONCE = 1 << 21
"""Samples drawn at once, which bounds memory. It is part of what a seed means where there are several groups."""


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Figures of resampled sums; bands hold ``confidence`` of the draws, the same share left out on both sides.

    Attributes
    ----------
    probabilities, quantile_w, low_w, high_w : shape (p,); the median over the draws and its band [1], [W]
    capacities_w, exceedance, exceedance_low, exceedance_high : shape (c,); share of time above each, the mean over the
        draws, which rare events may lift out of its band [W], [1]
    mean_w, sd_w : means over the draws [W]
    peak_w : the highest power of any draw [W]
    block_steps, draws : [1]
    """

    probabilities: Array
    quantile_w: Array
    low_w: Array
    high_w: Array
    capacities_w: Array
    exceedance: Array
    exceedance_low: Array
    exceedance_high: Array
    mean_w: float
    sd_w: float
    peak_w: float
    block_steps: int
    draws: int


def autocorrelation(trace_w: npt.ArrayLike) -> Array:
    """Correlation of a trace with itself by lag in steps, shape (T,), 1 at lag 0 [1]; 0 elsewhere for a constant."""
    trace = series(trace_w, 1)
    away = trace - np.mean(trace)
    spectrum = np.fft.rfft(away, 2 * trace.size)
    found = np.fft.irfft(spectrum * np.conj(spectrum))[: trace.size]
    flat = not found[0] > 1e-20 * max(float(np.max(np.abs(trace))), 1e-150) ** 2 * trace.size
    return np.eye(1, trace.size)[0] if flat else as_array(found / found[0])


def period_steps(trace_w: npt.ArrayLike) -> int | None:
    """Longest period that the trace shows at least three of: lag of the highest peak of its autocorrelation [steps].

    Peaks are sought from the first lag without positive correlation to a third of the trace, and must exceed three
    standard errors of no correlation, ``3 / sqrt(T)``. None where there is no such peak.
    """
    r = autocorrelation(trace_w)
    lags = np.arange(1, r.size // 3)
    after = np.flatnonzero(r[: r.size // 3] <= 0.0)
    if after.size == 0 or lags.size < 2:
        return None
    inner = lags[(lags > after[0]) & (r[lags] >= r[lags - 1]) & (r[lags] > r[lags + 1])]
    if inner.size == 0:
        return None
    best = int(inner[np.argmax(r[inner])])
    return best if r[best] > 3.0 / math.sqrt(r.size) else None


def politis_white_steps(trace_w: npt.ArrayLike) -> int:
    """Block length of least error of the mean's variance for a circular block bootstrap [steps].

    ``b = (2 G^2 / D)^(1/3) T^(1/3)``, ``G = sum w(k/M) |k| R(k)``, ``D = 4/3 (sum w(k/M) R(k))^2``, w Politis and
    Romano's flat-top window, M twice the lag after which correlation stays below ``2 sqrt(log10 T / T)``; at most
    ``min(3 sqrt(T), T/3)``.

    Source: Politis and White 2004, with the correction of Patton, Politis and White 2009. Meant for correlations that
    die out: a periodic trace wants whole periods, see `block_steps`.
    """
    trace = series(trace_w, 1)
    size = trace.size
    require(size >= LEAST_SAMPLES, f"a trace needs at least {LEAST_SAMPLES} samples")
    r = autocorrelation(trace)
    longest = max(math.ceil(min(3.0 * math.sqrt(size), size / 3.0)), 1)
    quiet_for = max(5, math.isqrt(max(int(math.log10(size)), 1)))
    most = min(math.ceil(math.sqrt(size)) + quiet_for, size - 1)
    small = np.abs(r[1 : most + 1]) < 2.0 * math.sqrt(math.log10(size) / size)
    runs = np.flatnonzero(np.convolve(small, np.ones(quiet_for), "valid") > quiet_for - 0.5)
    loud = np.flatnonzero(~small)
    last = int(runs[0]) if runs.size else (int(loud[-1]) + 1 if loud.size else 0)
    reach = min(2 * max(last, 1), most)
    lags = np.arange(1, reach + 1)
    window = np.clip(2.0 * (1.0 - lags / reach), 0.0, 1.0)
    spread = 2.0 * float(np.sum(window * lags * r[lags]))
    level = 1.0 + 2.0 * float(np.sum(window * r[lags]))
    if level == 0.0:
        return longest
    best = (2.0 * spread**2 / (4.0 / 3.0 * level**2)) ** (1.0 / 3.0) * size ** (1.0 / 3.0)
    return int(min(max(math.ceil(best), 1), longest))


def block_steps(trace_w: npt.ArrayLike, period: int | None = None) -> int:
    """Block length for a trace [steps]: the longer of `politis_white_steps` and the period, given or found."""
    found = period_steps(trace_w) if period is None else period
    size = series(trace_w, 1).size
    require(found is None or 1 <= found <= size, "period must be at least 1 step and no more than the trace has")
    return max(politis_white_steps(trace_w), found or 1)


def groups_of(count: int, synchronised_share: float) -> list[int]:
    """Sizes of groups in step: one of ``synchronised_share`` of the servers (rounded), the rest each on its own."""
    require(count >= 1, "count must be at least 1")
    require(0.0 <= synchronised_share <= 1.0, "synchronised_share must lie between 0 and 1")
    together = round(count * synchronised_share)
    return [together] * (together > 0) + [1] * (count - together)


def bootstrap_sum(
    trace_w: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    *,
    block: int,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.9,
    capacities_w: npt.ArrayLike = (),
) -> Bootstrap:
    """Resample a summed trace, as long as it is, in circular blocks.

    Parameters
    ----------
    trace_w : shape (T,) [W]
    probabilities : of the quantiles, shape (p,) [1]
    block : block length, see `block_steps` [steps]
    draws, seed : of PCG64 [1]
    confidence : share of the draws within a band [1]
    capacities_w : levels whose exceedance is counted, shape (c,) [W]

    Raises ValueError for a trace that is short or not finite, and for numbers outside their range.
    """
    trace = series(trace_w, 1)
    _require_blocks(trace.size, block, draws)

    def sums() -> Iterator[Array]:
        generator = np.random.Generator(np.random.PCG64(seed))
        windows = np.lib.stride_tricks.sliding_window_view(_circle(trace, block), block)
        for many in _parts(draws, trace.size):
            starts = _starts(generator, many, trace.size, block)
            yield windows[starts].reshape(many, -1)[:, : trace.size]

    return _figures(sums(), probabilities, capacities_w, confidence, block, draws)


def bootstrap_servers(
    power_w: npt.ArrayLike,
    groups: Sequence[int],
    probabilities: npt.ArrayLike,
    *,
    block: int,
    draws: int = 200,
    seed: int = 0,
    confidence: float = 0.9,
    capacities_w: npt.ArrayLike = (),
) -> Bootstrap:
    """Resample measured servers to as many as wanted, in groups that keep step.

    Every server becomes one of those measured, drawn with replacement. All of a group take their blocks at the same
    times, as the servers of one job; groups take theirs independently of each other.

    Parameters
    ----------
    power_w : servers measured at the same times, shape (T, n) [W]
    groups : servers in each group, see `groups_of`; one group is one synchronous job [1]
    others : see `bootstrap_sum`

    Within a group the correlation is the measured one or a little more, ``rho + (1 - rho)/n``: two servers may be
    copies of one. It matters for few measured servers.
    """
    power = series(power_w, 2)
    require(len(groups) > 0 and min(groups) >= 1, "groups must hold at least one server each")
    size, servers = power.shape
    _require_blocks(size, block, draws)
    extended = np.ascontiguousarray(_circle(power, block).T)

    def sums() -> Iterator[Array]:
        generator = np.random.Generator(np.random.PCG64(seed))
        for many in _parts(draws, size):
            total = np.zeros((many, size))
            rows = np.arange(many)[:, None]
            for group in groups:
                counts = generator.multinomial(group, np.full(servers, 1.0 / servers), many)
                windows = np.lib.stride_tricks.sliding_window_view(counts @ extended, block, axis=1)
                total += windows[rows, _starts(generator, many, size, block)].reshape(many, -1)[:, :size]
            yield total

    return _figures(sums(), probabilities, capacities_w, confidence, block, draws)


def _require_blocks(size: int, block: int, draws: int) -> None:
    require(size >= LEAST_SAMPLES, f"a trace needs at least {LEAST_SAMPLES} samples")
    require(1 <= block <= size, "block must be at least 1 step and no more than the trace has")
    require(draws >= 1, "draws must be at least 1")


def _circle(trace: Array, block: int) -> Array:
    return np.concatenate([trace, trace[: block - 1]])


def _parts(draws: int, size: int) -> list[int]:
    """Draws at a time, in parts that do not fill memory."""
    most = max(_AT_ONCE // size, 1)
    return [most] * (draws // most) + [draws % most] * (draws % most > 0)


def _starts(generator: np.random.Generator, many: int, size: int, block: int) -> npt.NDArray[np.int64]:
    return generator.integers(0, size, (many, -(-size // block)))


def _figures(
    sums: Iterator[Array],
    probabilities: npt.ArrayLike,
    capacities_w: npt.ArrayLike,
    confidence: float,
    block: int,
    draws: int,
) -> Bootstrap:
    p, capacities = np.atleast_1d(as_array(probabilities)), np.atleast_1d(as_array(capacities_w))
    require((p >= 0) & (p <= 1), "probabilities must lie between 0 and 1")
    require(0.0 < confidence < 1.0, "confidence must lie between 0 and 1")
    quantiles, over, means, spreads, peak = [], [], [], [], -math.inf
    for part in sums:
        over.append(np.stack([np.mean(part > level, axis=1) for level in capacities], axis=1)
                    if capacities.size else np.zeros((part.shape[0], 0)))  # fmt: skip
        means.append(np.mean(part, axis=1))
        spreads.append(np.std(part, axis=1))
        peak = max(peak, float(np.max(part)))
        quantiles.append(_row_quantiles(part, p))
    each, share = np.concatenate(quantiles), np.concatenate(over)
    ends = np.array([0.5 - 0.5 * confidence, 0.5, 0.5 + 0.5 * confidence])
    low, middle, high = _row_quantiles(each.T.copy(), ends).T
    share_low, _, share_high = _row_quantiles(share.T.copy(), ends).T
    return Bootstrap(
        p, middle, low, high, capacities, np.mean(share, axis=0), share_low, share_high,
        float(np.mean(np.concatenate(means))), float(np.mean(np.concatenate(spreads))), peak, block, draws,
    )  # fmt: skip


def _row_quantiles(rows: Array, probabilities: Array) -> Array:
    """Quantiles of every row, shape (rows, p), interpolated as `aiplan.uncertainty.quantiles` does."""
    place = (rows.shape[1] - 1) * probabilities
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, rows.shape[1] - 1)
    ordered = np.partition(rows, np.unique(np.concatenate([below, above])), axis=1) if rows.size else rows
    return as_array(ordered[:, below] + (ordered[:, above] - ordered[:, below]) * (place - below))
