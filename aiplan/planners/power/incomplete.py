"""Incomplete beta and gamma functions of few points without loading scipy, which takes longer than the points do.

Many points, or shapes so large that continued fractions are long, go to scipy. Both agree to 1e-11 (tests).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.uncertainty._special import beta_cdf, beta_quantile

HANDFUL = 24
"""Points up to which they are computed one by one: arrays take longer [1]."""
FEW = 20_000
"""Points up to which the functions here are used [1]."""
LARGEST_SHAPE = 3e4
"""Sum of the shapes up to which they are used: the fractions take some square root of it in steps [1]."""
_STEPS = 2000
_TINY = 1e-300
_CLOSE = 1e-15
_NEWTON = 100
_NEWTON_CLOSE = 1e-13


def beta_below(x: Array, a: Array, b: Array) -> Array:
    """Regularised incomplete beta function ``I_x(a, b)`` for x in 0..1 and a, b above 0, arrays of any shapes.

    Source: DLMF 8.17.22, the continued fraction, by Lentz's method on the side where it converges fast.

    >>> float(beta_below(np.array(0.5), np.array(3.0), np.array(3.0)))
    0.5
    """
    x, a, b = np.broadcast_arrays(as_array(x), as_array(a), as_array(b))
    if not _own(x, a + b):
        from scipy.special import betainc

        return as_array(betainc(a, b, x))
    if x.size <= HANDFUL:
        return np.asarray(np.frompyfunc(beta_cdf, 3, 1)(x, a, b), dtype=np.float64)
    far = x > (a + 1.0) / (a + b + 2.0)
    first, second, at = np.where(far, b, a), np.where(far, a, b), np.where(far, 1.0 - x, x)
    with np.errstate(divide="ignore", under="ignore"):
        front = np.exp(_log_beta_front(at, first, second)) / first
    part = np.where(at > 0, front / _beta_fraction(at, first, second), 0.0)
    return as_array(np.where(far, 1.0 - part, part))


def gamma_below(x: Array, b: Array) -> Array:
    """Regularised incomplete gamma function ``P(b, x)`` for x of 0 or more and b above 0, arrays of any shapes.

    Source: DLMF 8.11.4, the series, below ``b + 1``; 8.9.2, the continued fraction, above.
    """
    x, b = np.broadcast_arrays(as_array(x), as_array(b))
    if not _own(x, b):
        from scipy.special import gammainc

        return as_array(gammainc(b, x))
    with np.errstate(divide="ignore", under="ignore"):
        front = np.exp(b * np.log(x) - x - _log_gamma(b))
    near = x < b + 1.0
    below = front * _gamma_series(np.where(near, x, 0.0), b)
    above = front / _gamma_fraction(np.where(near, b + 1.0, x), b)
    return as_array(np.where(near, below, 1.0 - above))


def beta_at(p: Array, a: Array, b: Array) -> Array:
    """Inverse of `beta_below` in x for probabilities in 0..1."""
    p, a, b = np.broadcast_arrays(as_array(p), as_array(a), as_array(b))
    if not _own(p, a + b):
        from scipy.special import betaincinv

        return as_array(betaincinv(a, b, p))
    if p.size <= HANDFUL and np.all((a >= 1.0) & (b >= 1.0)):
        return np.asarray(np.frompyfunc(beta_quantile, 3, 1)(p, a, b), dtype=np.float64)

    def log_density(x: Array) -> Array:
        return as_array(_log_beta_front(x, a, b) - np.log(x) - np.log1p(-x))

    return _solved(p, lambda x: beta_below(x, a, b), log_density, as_array(a / (a + b)), np.ones(p.shape))


def gamma_at(p: Array, b: Array) -> Array:
    """Inverse of `gamma_below` in x for probabilities of 0 or more and below 1."""
    p, b = np.broadcast_arrays(as_array(p), as_array(b))
    if not _own(p, b):
        from scipy.special import gammaincinv

        return as_array(gammaincinv(b, p))

    def log_density(x: Array) -> Array:
        return as_array((b - 1.0) * np.log(x) - x - _log_gamma(b))

    # Forty standard deviations and the tail of an exponential: nothing is left above.
    return _solved(p, lambda x: gamma_below(x, b), log_density, as_array(b), b + 40.0 * np.sqrt(b) + 800.0)


def _own(points: Array, shapes: Array) -> bool:
    return bool(points.size <= FEW and np.all(shapes <= LARGEST_SHAPE))


def _log_gamma(x: Array) -> Array:
    return np.asarray(np.frompyfunc(math.lgamma, 1, 1)(x), dtype=np.float64)


def _log_beta_front(x: Array, a: Array, b: Array) -> Array:
    """``log (x^a (1 - x)^b / B(a, b))``."""
    return as_array(_log_gamma(a + b) - _log_gamma(a) - _log_gamma(b) + a * np.log(x) + b * np.log1p(-x))


def _beta_fraction(x: Array, a: Array, b: Array) -> Array:
    """Denominator of DLMF 8.17.22: 1 + d1/(1 + d2/(1 + ...))."""
    value, upper, lower = np.ones(x.shape), np.ones(x.shape), np.zeros(x.shape)
    for step in range(1, _STEPS):
        m, odd = divmod(step, 2)
        if odd:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower, upper, factor = _lentz(d, 1.0, lower, upper)
        value *= factor
        if np.all(np.abs(factor - 1.0) < _CLOSE):
            break
    return value


def _gamma_series(x: Array, b: Array) -> Array:
    """``sum x^k / (b (b + 1) ... (b + k))``."""
    term = 1.0 / b
    total = term
    for step in range(1, _STEPS):
        term = term * x / (b + step)
        total = total + term
        if np.all(term <= _CLOSE * total):
            break
    return as_array(total)


def _gamma_fraction(x: Array, b: Array) -> Array:
    """Denominator of DLMF 8.9.2: x + 1 - b - 1 (1 - b)/(x + 3 - b - 2 (2 - b)/(x + 5 - b - ...))."""
    upper = x + 1.0 - b
    value, lower = upper, np.zeros(x.shape)
    for step in range(1, _STEPS):
        lower, upper, factor = _lentz(-step * (step - b), x + 2.0 * step + 1.0 - b, lower, upper)
        value = value * factor
        if np.all(np.abs(factor - 1.0) < _CLOSE):
            break
    return as_array(value)


def _lentz(numerator: Array, denominator: Array | float, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """One step of Lentz's method: both halves and the factor."""
    below, above = denominator + numerator * lower, denominator + numerator / upper
    low = 1.0 / np.where(below == 0.0, _TINY, below)
    up = np.where(above == 0.0, _TINY, above)
    return low, up, up * low


def _solved(
    p: Array, below: Callable[[Array], Array], log_density: Callable[[Array], Array], start: Array, end: Array
) -> Array:
    """Where a distribution function from 0 to ``end`` reaches p, by Newton's steps in a shrinking bracket.

    The steps are those of ``log F`` over ``log x``: straight near 0, and bent one way for shapes of 1 and more.
    """
    low, high, x = np.zeros(p.shape), np.broadcast_to(end, p.shape), start
    held = np.maximum(p, _TINY)
    for _ in range(_NEWTON):
        found = np.maximum(below(x), _TINY)
        over = found > held
        low, high = np.where(over, low, x), np.where(over, x, high)
        with np.errstate(all="ignore"):
            step = x * np.exp(-found * np.log(found / held) * np.exp(-log_density(x)) / x)
        inside = (step > low) & (step < high)
        before, x = x, np.where(found == held, x, np.where(inside, step, 0.5 * (low + high)))
        if np.all(np.abs(x - before) <= _NEWTON_CLOSE * before):
            break
    return as_array(np.where(p <= 0.0, 0.0, np.where(p >= 1.0, end, x)))
