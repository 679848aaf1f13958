"""Summaries of samples: percentiles, mean, trimming, and how far a percentile can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

SUMMARY_PROBABILITIES: dict[str, float] = {"p5": 0.05, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p95": 0.95}
"""Percentiles every sampled line reports [1]."""


def _sample(values: ArrayLike) -> FloatArray:
    """The values as a 1-D array; raises ValueError when empty, of another shape, or not finite."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise ValueError(f"a sample must be a one-dimensional, non-empty array, got shape {sample.shape}")
    # A sum is finite unless an element is not (or the sum overflows): one pass, no array of flags.
    if not math.isfinite(float(np.sum(sample))) and not np.isfinite(sample).all():
        raise ValueError("a sample must hold finite numbers only")
    return sample


def quantiles(values: ArrayLike, probabilities: Sequence[float]) -> list[float]:
    """Quantiles of a sample by linear interpolation between order statistics.

    Parameters
    ----------
    values : sample, shape (n,), any unit
    probabilities : in 0..1 [1]

    Position (n - 1) p, definition 7 of Hyndman and Fan 1996; only the places needed are sorted out.
    Raises ValueError for an empty or not finite sample, and for p outside 0..1.

    >>> quantiles([1.0, 2.0, 4.0], [0.5, 0.75])
    [2.0, 3.0]
    """
    for p in probabilities:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"a probability must lie in 0..1, got {p}")
    sample = _sample(values)
    # np.quantile would do, but it loads numpy.ma, which costs as much as all quantiles of a report together.
    places = [(sample.size - 1) * p for p in probabilities]
    below = [math.floor(place) for place in places]
    above = [min(rank + 1, sample.size - 1) for rank in below]
    ordered = np.partition(sample, sorted({*below, *above}))
    return [
        _between(float(ordered[low]), float(ordered[high]), place - low)
        for low, high, place in zip(below, above, places, strict=True)
    ]


def _between(low: float, high: float, part: float) -> float:
    """Linear interpolation in the form NumPy uses, so that both give the same bits."""
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1.0 - part)


def summary(values: ArrayLike) -> dict[str, float | None]:
    """Percentiles 5, 25, 50, 75, 95 and mean of a sample.

    Parameters
    ----------
    values : sample of shape (n,), or a scalar, any unit

    Returns
    -------
    Keys ``p5 p25 p50 p75 p95 mean`` in the sample's unit. A scalar was not sampled: its percentiles are None
    and its mean is the value itself.

    Raises ValueError for an empty or not finite sample. The mean is numpy's pairwise sum, whose relative
    error grows as log2(n) units of rounding.

    >>> summary([1.0, 2.0, 3.0])["p50"], summary(7.0)["p50"], summary(7.0)["mean"]
    (2.0, None, 7.0)
    """
    if np.ndim(values) == 0:
        number = float(np.asarray(values, dtype=np.float64))
        if not math.isfinite(number):
            raise ValueError(f"a result must be a finite number, got {number}")
        return {**dict.fromkeys(SUMMARY_PROBABILITIES), "mean": number}
    sample = _sample(values)
    found = quantiles(sample, list(SUMMARY_PROBABILITIES.values()))
    return {**dict(zip(SUMMARY_PROBABILITIES, found, strict=True)), "mean": float(np.mean(sample))}


def trim_two_stage(values: ArrayLike) -> FloatArray:
    """Sample without its tails, cut twice: values within P5-P95, and of those the ones within their P10-P90.

    Parameters
    ----------
    values : sample, shape (n,), any unit

    Returns
    -------
    The kept values in their old order, about 72 % of them.

    Both limits belong to the kept values; percentiles interpolate linearly. Narrows the interquartile range:
    a label must say that a figure is trimmed. Raises ValueError when nothing is left of a very small sample
    (20 values always leave something). Source: Oviedo et al. 2026, authors' code.

    >>> trim_two_stage(range(1, 101)).size
    72
    """
    sample = _sample(values)
    for lower, upper in ((0.05, 0.95), (0.10, 0.90)):
        low, high = quantiles(sample, (lower, upper))
        sample = sample[(sample >= low) & (sample <= high)]
        if sample.size == 0:
            raise ValueError("the sample is too small to trim: nothing lies between its percentiles")
    return sample


def half_width(values: ArrayLike, p: float = 0.5, z: float = 1.0) -> float | None:
    """Uncertainty of a sample quantile from its own neighbours: z standard errors, in the sample's unit.

    Parameters
    ----------
    values : independent draws, shape (n,)
    p : probability of the quantile [1]
    z : width in standard errors [1]; 1.96 for a 95 % interval

    Returns
    -------
    Half the distance between the sample's quantiles at p -+ z sqrt(p (1 - p)/n); None where the sample is too
    small to hold both of them. Needs no assumption about the shape of the distribution.

    Source: David and Nagaraja 2003, Order Statistics, section 7.1. Not valid for Latin hypercube or Sobol
    samples, whose draws are not independent: use :func:`half_width_of_batches`.

    >>> round(half_width(range(10_001)), 1)
    50.0
    """
    sample = _sample(values)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability must lie in 0..1, got {p}")
    reach = z * math.sqrt(p * (1.0 - p) / sample.size)
    if not 0.0 < p < 1.0 or p - reach < 0.0 or p + reach > 1.0:
        return None
    low, high = quantiles(sample, (p - reach, p + reach))
    return 0.5 * (high - low)


def half_width_of_batches(estimates: ArrayLike, z: float = 1.0) -> float | None:
    """Uncertainty of the mean of independent estimates: z standard errors, in the estimates' unit.

    Parameters
    ----------
    estimates : the same statistic from independent batches (other seeds), shape (k,); 16 are customary
    z : width in standard errors [1]

    Returns z * sd / sqrt(k), None for a single batch. Valid for every sampling method.

    >>> half_width_of_batches([1.0, 3.0])
    1.0
    """
    sample = _sample(estimates)
    if sample.size < 2:
        return None
    return z * float(np.std(sample, ddof=1)) / math.sqrt(sample.size)
