"""Sum of the power of many servers: its moments, quantiles, and how many servers fit below a limit.

Servers come in classes of equal ones. Mean and standard deviation of the sum are exact for any correlations; skewness
and kurtosis rest on one of two assumptions, named at `sum_moments`. What the sum does above its mean is one of the
`tail_forms`; whichever is taken, the sum never exceeds the sum of the individual maxima.

Correlation decides: with ``rho`` within a class of N servers of standard deviation ``s``, the sum's is
``s sqrt(N (1 + (N - 1) rho))``. One synchronous job has ``rho`` near 1 and gains nothing from numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power import tail_forms
from aiplan.planners.power.tail_forms import Method

MOST_SERVERS = 2**40
"""Servers beyond which the search for a count gives up [1]."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ServerClass:
    """Equal servers, each a number or an array; all fields broadcast.

    Attributes
    ----------
    count : whole number of servers [1]
    mean_w, sd_w : of one server's power over time [W]
    peak_w, floor_w : the most and the least one server draws, the most infinite where unknown [W]
    skewness, excess_kurtosis : of one server [1]
    rho : correlation of two servers of the class, down to ``-1/(count - 1)`` [1]
    co_skewness, co_excess_kurtosis : third and fourth cumulant of different servers over ``sd_w`` to the same power,
        where measured; see `sum_moments` for what stands in for them [1]
    name : for messages
    """

    count: Any
    mean_w: Any
    sd_w: Any
    peak_w: Any = np.inf
    skewness: Any = 0.0
    excess_kurtosis: Any = 0.0
    rho: Any = 0.0
    floor_w: Any = 0.0
    co_skewness: Any = None
    co_excess_kurtosis: Any = None
    name: str = "servers"

    def __post_init__(self) -> None:
        count, mean, sd = as_array(self.count), as_array(self.mean_w), as_array(self.sd_w)
        floor, peak, rho = as_array(self.floor_w), as_array(self.peak_w), as_array(self.rho)
        require((count >= 0) & (count == np.round(count)), f"{self.name}: count must be a whole number of 0 or more")
        require((sd >= 0) & np.isfinite(sd), f"{self.name}: sd_w must be 0 or more")
        require((floor <= mean) & (mean <= peak) & np.isfinite(mean) & np.isfinite(floor),
                f"{self.name}: mean_w must lie between floor_w and peak_w")  # fmt: skip
        room = np.where(mean > floor, peak - mean, 0.0) * (mean - floor)
        require(sd**2 <= room * (1 + _ROUNDING) + _ROUNDING * mean**2,
                f"{self.name}: no power between floor_w and peak_w with that mean_w varies by that sd_w")  # fmt: skip
        require((rho >= -1) & (rho <= 1), f"{self.name}: rho must lie between -1 and 1")


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moments of a power, numbers or arrays of one shape.

    Attributes
    ----------
    mean_w, sd_w : [W]
    skewness, excess_kurtosis : [1]
    floor_w, peak_w : what it cannot leave: the sums of the individual minima and maxima [W]
    """

    mean_w: Array
    sd_w: Array
    skewness: Array
    excess_kurtosis: Array
    floor_w: Array
    peak_w: Array

    def _shape(self) -> tuple[tail_forms.Shape, Array]:
        """The standardised sum, and its standard deviation or 1 W where it is none."""
        unit = np.where(self.sd_w > 0, self.sd_w, 1.0)
        top, bottom = (self.peak_w - self.mean_w) / unit, (self.mean_w - self.floor_w) / unit
        # A sum without variation has no shape; any that is valid will do, nothing of it is used.
        top, bottom = (np.where(self.sd_w > 0, end, 1.0) for end in (top, bottom))
        return tail_forms.Shape(self.skewness, self.excess_kurtosis, top, bottom), unit


def correlation_problem(classes: Sequence[ServerClass], between: npt.ArrayLike | None = None) -> str:
    """Why no servers can be correlated like that, naming the classes; empty where they can.

    The matrix of all servers is positive semi-definite if and only if ``rho <= 1`` and the reduced matrix is,
    ``R_cc = 1 + (n_c - 1) rho_c``, ``R_cd = sqrt(n_c n_d) rho_cd``: classes of equal servers leave N - k eigenvectors
    inside the classes, with eigenvalues ``1 - rho_c``, and one per class. So it costs k^3, not N^3.

    >>> correlation_problem([ServerClass(3, 10.0, 1.0, rho=-0.6, name="a")])
    'a: rho = -0.6 is below -1/(count - 1) = -0.5: so many servers cannot all oppose each other'
    """
    counts, rho, matrix = _counts_rho_between(classes, between)
    if not np.all((np.abs(matrix) <= 1) & (matrix == np.swapaxes(matrix, -1, -2))):
        return "between must be symmetric, with correlations from -1 to 1"
    size = np.sqrt(counts)
    own = 1.0 + (counts - 1.0) * rho
    for place, item in enumerate(classes):
        if np.any((counts[..., place] > 0) & (own[..., place] < -_ROUNDING)):
            worst = np.unravel_index(np.argmin(own[..., place]), own.shape[:-1])
            n, r = float(counts[(*worst, place)]), float(rho[(*worst, place)])
            return (
                f"{item.name}: rho = {r:g} is below -1/(count - 1) = {-1 / (n - 1):g}: "
                "so many servers cannot all oppose each other"
            )
    reduced = size[..., :, None] * size[..., None, :] * matrix
    places = np.arange(len(classes))
    reduced[..., places, places] = np.where(counts > 0, own, 0.0)
    lowest = np.linalg.eigvalsh(reduced)[..., 0]
    if np.all(lowest >= -_ROUNDING * np.maximum(np.max(own, axis=-1), 1.0)):
        return ""
    names = ", ".join(item.name for item in classes)
    return f"correlations within and between {names} contradict each other: no powers have them (smallest " \
           f"eigenvalue {float(np.min(lowest)):g})"  # fmt: skip


def sum_moments(classes: Sequence[ServerClass], between: npt.ArrayLike | None = None) -> Moments:
    """Moments of the sum of all servers.

    ``var = sum n s^2 (1 + (n - 1) rho) + 2 sum n_c n_d s_c s_d rho_cd`` (exact). Third cumulant of a class

    - with co-moments: ``n s^3 (g + (n^2 - 1) co_g)``, fourth ``n s^4 (k + (n^3 - 1) co_k)``. Exact for a common factor,
      ``X_i = m + s (sqrt(rho) F + sqrt(1 - rho) e_i)`` with all independent: ``co_g = rho^1.5 g_F``,
      ``co_k = rho^2 k_F``.
    - without: ``n s^3 g r^2``, ``n s^4 k r^3`` with ``r = 1 + (n - 1) rho``. It assumes that what one server's power
      does not say about the sum in a straight line, it does not say at all: ``cum(X_i, T, T) = k3(X_i) b_i^2``, ``b_i``
      the slope of the sum over the server. Exact for independent and for synchronous servers, and to first order in
      skewness and kurtosis for smooth transforms of correlated normals; skewness of equal servers becomes
      ``g sqrt((1 + (n - 1) rho) / n)``, kurtosis k times its square.

    Between classes always by the second, with class sums for servers, so that cutting a class in two changes nothing.

    Parameters
    ----------
    classes : one or more
    between : correlation of servers of two classes, shape (..., k, k), symmetric, diagonal not read; 0 if not given

    Raises ValueError where no servers have such correlations, naming the classes. Derivation: ours, from the
    multilinearity of cumulants.

    64 nodes of a training job (measured 19.284 kW):

    >>> round(float(sum_moments([ServerClass(64, 6848.5, 353.3, rho=0.723)]).sd_w / 1e3), 2)
    19.28
    """
    require(len(classes) > 0, "classes must not be empty")
    problem = correlation_problem(classes, between)
    require(not problem, problem)
    return _sum_moments(classes, between)


def class_powers_w(
    classes: Sequence[ServerClass], total_w: npt.ArrayLike, between: npt.ArrayLike | None = None
) -> Array:
    """Power of each class when all together draw a total, shape (..., k) [W]: the best straight line through the means.

    ``m_c + cov(X_c, T) / var(T) (T - m)``, exact for normal powers; the classes add up to the total. Where the sum does
    not vary, every class keeps its share.

    Parameters
    ----------
    classes, between : as for `sum_moments`
    total_w : shape (...) [W]
    """
    counts, rho, matrix = _counts_rho_between(classes, between)
    means, load = counts * _stacked(classes, "mean_w"), counts * _stacked(classes, "sd_w")
    covariance = load[..., :, None] * load[..., None, :] * matrix
    places = np.arange(len(classes))
    spread = np.divide(1.0 + (counts - 1.0) * rho, counts, out=np.zeros_like(counts), where=counts > 0)
    covariance[..., places, places] = load**2 * np.maximum(spread, 0.0)
    with_sum = np.sum(covariance, axis=-1)
    variance, mean = np.sum(with_sum, axis=-1, keepdims=True), np.sum(means, axis=-1, keepdims=True)
    still = np.divide(means, mean, out=np.zeros_like(means), where=mean > 0)
    share = np.divide(with_sum, variance, out=still, where=variance > 0)
    return np.asarray(means + share * (as_array(total_w)[..., None] - mean))


def quantile_w(moments: Moments, probability: npt.ArrayLike, method: Method = "bounded") -> Array:
    """Power not exceeded with a probability [W], within the sums of the individual minima and maxima.

    Parameters
    ----------
    probability : above 0 and below 1, held inside 2^-31 from both except for "bounded" [1]
    method : "normal", ``m + z s``; "skew", ``z + (z^2 - 1) g/6`` up to its turning point ``z = -3/g``, level beyond;
        "cornish_fisher" with kurtosis, where that is a distribution, else "skew"; "bounded", a beta distribution that
        ends at the sum of the maxima, with the mean, standard deviation and skewness given (kurtosis is not read)

    "bounded" is the default: physically capped powers press against their end, where the others overshoot.
    """
    p = as_array(probability)
    require((p > 0) & (p < 1), "probability must be above 0 and below 1")
    shape, unit = _checked_shape(moments, method)
    return np.asarray(moments.mean_w + np.where(moments.sd_w > 0, unit * tail_forms.quantile(shape, p, method), 0.0))


def exceedance(moments: Moments, capacity_w: npt.ArrayLike, method: Method = "bounded") -> Array:
    """Probability that the sum exceeds a capacity [1]: the share of time in which something must be capped."""
    capacity = as_array(capacity_w)
    shape, unit = _checked_shape(moments, method)
    over = tail_forms.exceedance(shape, (capacity - moments.mean_w) / unit, method)
    return np.asarray(np.where(moments.sd_w > 0, over, moments.mean_w > capacity), dtype=np.float64)


def expected_excess_w(moments: Moments, capacity_w: npt.ArrayLike, method: Method = "bounded") -> Array:
    """Mean of what lies above a capacity, ``E[(T - C)+]`` [W]; times hours it is the energy that a cap holds back.

    For "normal", before the cut at the peak, ``sd (phi(k) - k (1 - Phi(k)))`` with ``k = (C - m)/sd``.
    """
    capacity = as_array(capacity_w)
    shape, unit = _checked_shape(moments, method)
    over = unit * tail_forms.expected_excess(shape, (capacity - moments.mean_w) / unit, method)
    return np.asarray(np.where(moments.sd_w > 0, over, np.maximum(moments.mean_w - capacity, 0.0)))


def servers_at(
    classes: Sequence[ServerClass],
    capacity_w: npt.ArrayLike,
    probability: npt.ArrayLike,
    method: Method = "bounded",
    between: npt.ArrayLike | None = None,
    vary: int = 0,
) -> npt.NDArray[np.int64]:
    """Most servers of one class whose sum with the others stays within a capacity with a probability [1].

    Parameters
    ----------
    classes : the count of ``classes[vary]`` is not read
    capacity_w, probability : broadcast, probability at least 0.5 [W], [1]
    method, between : see `quantile_w` and `sum_moments`

    Returns
    -------
    0 where not even the others fit, or none of it does. By halving whole numbers: a quantile of 0.5 or more rises with
    every server added, unless it opposes the others (negative correlation).

    Raises ValueError where the class draws nothing, or its servers cannot be so many with these correlations.
    """
    capacity, p = np.broadcast_arrays(as_array(capacity_w), as_array(probability))
    require((p >= 0.5) & (p < 1), "probability must be at least 0.5 and below 1")
    require(np.isfinite(capacity), "capacity_w must be a finite number")
    varied = classes[vary]
    require(as_array(varied.mean_w) > 0, f"{varied.name}: mean_w must be above 0 W to limit their count")

    def with_count(count: Array) -> list[ServerClass]:
        return [*classes[:vary], replace(varied, count=count), *classes[vary + 1 :]]

    def fits(count: Array) -> npt.NDArray[np.bool_]:
        return quantile_w(_sum_moments(with_count(count), between), p, method) <= capacity

    low, high = np.zeros(capacity.shape), np.ones(capacity.shape)
    while np.any(more := fits(high)):
        require(high < MOST_SERVERS, f"{varied.name}: no count of them reaches capacity_w")
        low, high = np.where(more, high, low), np.where(more, 2.0 * high, high)
    while np.any(high - low > 1):
        middle = np.floor(0.5 * (low + high))
        ok = fits(middle)
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    problem = correlation_problem(with_count(low), between)
    require(not problem, problem)
    return low.astype(np.int64)


def _sum_moments(classes: Sequence[ServerClass], between: npt.ArrayLike | None) -> Moments:
    """`sum_moments` without the check of the correlations."""
    counts, rho, matrix = _counts_rho_between(classes, between)
    mean, sd, peak, floor, g, k = (
        _stacked(classes, name)
        for name in ("mean_w", "sd_w", "peak_w", "floor_w", "skewness", "excess_kurtosis")
    )  # fmt: skip
    spread = 1.0 + (counts - 1.0) * rho
    own = counts * sd**2 * np.maximum(spread, 0.0)
    load = counts * sd
    covariance = load[..., :, None] * load[..., None, :] * matrix
    places = np.arange(len(classes))
    covariance[..., places, places] = own
    with_sum = np.sum(covariance, axis=-1)
    variance = np.maximum(np.sum(with_sum, axis=-1), 0.0)
    third, fourth = own * sd * g * spread, own * sd**2 * k * spread**2
    for place, item in enumerate(classes):
        n, s = counts[..., place], sd[..., place]
        if item.co_skewness is not None:
            third[..., place] = n * s**3 * (g[..., place] + (n**2 - 1.0) * as_array(item.co_skewness))
        if item.co_excess_kurtosis is not None:
            fourth[..., place] = n * s**4 * (k[..., place] + (n**3 - 1.0) * as_array(item.co_excess_kurtosis))
    slope = np.divide(with_sum, own, out=np.zeros_like(own), where=own > 0)
    unit = np.where(variance > 0, np.sqrt(variance), 1.0)
    return Moments(
        np.sum(counts * mean, axis=-1),
        np.sqrt(variance),
        np.sum(third * slope**2, axis=-1) / unit**3,
        np.sum(fourth * slope**3, axis=-1) / unit**4,
        np.sum(counts * floor, axis=-1),
        np.sum(np.multiply(counts, peak, out=np.zeros_like(peak), where=counts > 0), axis=-1),
    )


def _stacked(classes: Sequence[ServerClass], field: str) -> Array:
    """One field of all classes, shape (..., k), in the shape that all fields of all classes have together."""
    fields = ("count", "mean_w", "sd_w", "peak_w", "skewness", "excess_kurtosis", "rho", "floor_w")
    together = np.broadcast_shapes(*(np.shape(getattr(item, name)) for item in classes for name in fields))
    return np.stack([np.broadcast_to(as_array(getattr(item, field)), together) for item in classes], axis=-1)


def _counts_rho_between(
    classes: Sequence[ServerClass], between: npt.ArrayLike | None
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Counts and correlations within, shape (..., k), and between, shape (..., k, k), with 0 on the diagonal."""
    counts, rho = _stacked(classes, "count"), _stacked(classes, "rho")
    k = len(classes)
    given = np.zeros((k, k)) if between is None else as_array(between)
    require(given.shape[-2:] == (k, k), f"between must be {k} by {k}, one row for each class")
    matrix = np.broadcast_to(given, (*np.broadcast_shapes(counts.shape[:-1], given.shape[:-2]), k, k)).copy()
    matrix[..., np.arange(k), np.arange(k)] = 0.0
    return counts, rho, matrix


def _checked_shape(moments: Moments, method: Method) -> tuple[tail_forms.Shape, Array]:
    require(method in tail_forms.METHODS, f"method must be one of {', '.join(tail_forms.METHODS)}")
    return moments._shape()
