"""Normal and beta distribution functions: scalars from the standard library, arrays from scipy on demand.

Scalar reports (medians, P5, P95, tornado) must not pay scipy's start-up, so the scalar forms stand on
``math`` and ``statistics`` alone. The array forms import ``scipy.special`` when called with many elements.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statistics import NormalDist

    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

Z95 = 1.6448536269514722
"""Standard normal quantile at 0.95, hence half the P5-P95 range in standard deviations [1]."""

U_MIN = 2.0**-31
"""Probabilities are held inside [U_MIN, 1 - U_MIN] where a tail is infinite: draws stay finite."""

SMALLEST_P = 1e-30
"""Beta quantiles below this probability are 0: nearer to zero the iterations lose their footing."""

_TINY = 1e-300
_CONVERGED = 1e-16


@cache
def _standard_normal() -> NormalDist:
    from statistics import NormalDist

    return NormalDist()


def clamp_probability(p: float) -> float:
    """Hold a probability inside [2^-31, 1 - 2^-31], so that infinite tails give finite quantiles."""
    return min(max(p, U_MIN), 1.0 - U_MIN)


def normal_quantile(p: float) -> float:
    """Standard normal quantile of one probability.

    Parameters
    ----------
    p : probability [1]; held inside [2^-31, 1 - 2^-31], hence the result inside +-6.23

    Source: Wichura 1988, algorithm AS 241, in the standard library.

    >>> round(normal_quantile(0.95), 12)
    1.644853626951
    """
    return _standard_normal().inv_cdf(clamp_probability(p))


def normal_cdf(z: float) -> float:
    """Standard normal distribution function, exact in both tails through ``erfc``; accepts infinities."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b) for a, b >= 1.

    Parameters
    ----------
    x : upper limit [1], values outside 0..1 give 0 or 1
    a, b : shape parameters [1]

    Source: DLMF 8.17.22, continued fraction, evaluated with Lentz's method on the side where it converges
    fast. Agrees with ``scipy.special.betainc`` to 1e-13 for the PERT range (a + b = 6 or 7).

    >>> round(beta_cdf(0.5, 3.0, 3.0), 12)
    0.5
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta_near_zero(1.0 - x, b, a)
    return _beta_near_zero(x, a, b)


def _beta_near_zero(x: float, a: float, b: float) -> float:
    """`beta_cdf` by its continued fraction, which converges fast for x up to about (a + 1)/(a + b + 2)."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _beta_fraction(x, a, b))


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Denominator of DLMF 8.17.22: 1 + d1/(1 + d2/(1 + ...))."""
    value = upper = 1.0
    lower = 0.0
    for step in range(1, 400):
        m, odd = divmod(step, 2)
        if odd:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1.0 / ((1.0 + d * lower) or _TINY)
        upper = (1.0 + d / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < _CONVERGED:
            break
    return value


def beta_quantile(p: float, a: float, b: float) -> float:
    """Inverse of :func:`beta_cdf`, by Newton steps in a shrinking bracket; p outside 0..1 gives 0 or 1."""
    if p < SMALLEST_P:
        return 0.0
    if p >= 1.0:
        return 1.0
    if p > 0.5:  # 1 - p is exact here, which keeps the upper tail as accurate as the lower one
        return 1.0 - beta_quantile(1.0 - p, b, a)
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(200):
        excess = beta_cdf(x, a, b) - p
        if excess > 0.0:
            high = x
        else:
            low = x
        density = math.exp(log_scale + (a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x))
        step = x - excess / max(density, _TINY)
        previous, x = x, step if low < step < high else 0.5 * (low + high)
        if abs(x - previous) <= 4e-16 * previous:
            break
    return x


FEW = 4096
"""Elements up to which the standard library is called one by one: that takes less than loading scipy."""


def normal_quantiles(u: FloatArray) -> FloatArray:
    """Standard normal quantiles of an array of probabilities [1], same shape; loads scipy.special for many."""
    import numpy as np

    if np.size(u) <= FEW:
        return np.asarray(np.frompyfunc(normal_quantile, 1, 1)(u), dtype=np.float64)
    from scipy.special import ndtri

    held = np.clip(u, U_MIN, 1.0 - U_MIN)
    return np.asarray(ndtri(held), dtype=np.float64)


def normal_cdfs(z: FloatArray) -> FloatArray:
    """Standard normal distribution function of an array, same shape; loads scipy.special for many."""
    import numpy as np

    if np.size(z) <= FEW:
        return np.asarray(np.frompyfunc(normal_cdf, 1, 1)(z), dtype=np.float64)
    from scipy.special import ndtr

    return np.asarray(ndtr(z), dtype=np.float64)


def beta_quantiles(u: FloatArray, a: float, b: float) -> FloatArray:
    """Quantiles of a beta distribution for an array of probabilities [1], same shape; loads scipy.special."""
    import numpy as np
    from scipy.special import betaincinv

    held = np.where(u < SMALLEST_P, 0.0, np.minimum(u, 1.0))
    return np.asarray(betaincinv(a, b, held), dtype=np.float64)
