"""Shapes that a sum of powers may have above its mean: quantile, exceedance and expected excess of each.

Everything here is standardised: in standard deviations from the mean. Two families:

- *polynomial*: ``X = w(Z)``, Z standard normal, w of degree 1 to 3: normal, skew-corrected, Cornish-Fisher. All three
  are cut at ``top`` and ``bottom``, the sums of the individual maxima and minima, which a sum cannot leave.
- *bounded*: a beta distribution whose upper end is ``top``, with the mean, standard deviation and skewness given.

Sources: Cornish and Fisher 1937; Maillard 2012 (SSRN 1997178) for where their expansion is a distribution; Pearson's
types I and III (Johnson, Kotz and Balakrishnan 1994, chapters 17 and 25). Solving type I for a given end and skewness
in closed form is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.power.incomplete import beta_at, beta_below, gamma_at, gamma_below
from aiplan.uncertainty._special import normal_cdfs, normal_quantiles

Method = Literal["normal", "skew", "cornish_fisher", "bounded"]
METHODS: tuple[Method, ...] = ("normal", "skew", "cornish_fisher", "bounded")

FARTHEST = 40.0
"""Normal deviate beyond which nothing is left of the tail [1]."""
FARTHEST_TOP = 1e4
"""Distance of the upper end, in standard deviations, beyond which it no longer shapes the tail [1]."""
_HALVINGS = 70
_EDGE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A standardised sum; arrays of one shape.

    Attributes
    ----------
    skewness, excess_kurtosis : [1]
    top, bottom : distance of the sums of the maxima and minima above and below the mean, infinite if unknown [1]
    """

    skewness: Array
    excess_kurtosis: Array
    top: Array
    bottom: Array


def quantile(shape: Shape, probability: Array, method: Method) -> Array:
    """Value not exceeded with the probability, in standard deviations above the mean [1]."""
    if method == "bounded":
        value = _bounded_quantile(shape, probability)
    else:
        curve = _curve(shape, method)
        value = curve.at(np.clip(normal_quantiles(probability), curve.first, curve.last))
    return np.asarray(np.clip(value, -shape.bottom, shape.top))


def exceedance(shape: Shape, level: Array, method: Method) -> Array:
    """Probability of more than a level [1]; 0 from ``top`` on, 1 below ``bottom``.

    Parameters
    ----------
    level : in standard deviations above the mean [1]
    """
    if method == "bounded":
        over = _bounded_tail(shape, level)[0]
    else:
        curve = _curve(shape, method)
        over = np.where(level >= curve.at(curve.last), 0.0, normal_cdfs(-curve.deviate(level)))
    return np.asarray(np.where(level >= shape.top, 0.0, np.where(level < -shape.bottom, 1.0, over)))


def expected_excess(shape: Shape, level: Array, method: Method) -> Array:
    """Mean of what lies above a level, ``E[(X - level)+]``, in standard deviations [1]; falls with the level."""
    from_level = np.clip(level, -shape.bottom, shape.top)
    tail = _bounded_tail(shape, from_level)[1] if method == "bounded" else _polynomial_excess(shape, from_level, method)
    return np.asarray(np.maximum(tail, 0.0) + np.maximum(from_level - level, 0.0))


# ---- polynomials of a normal deviate ----


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """``w(z) = c0 + c1 z + c2 z^2 + c3 z^3``, which rises between ``first`` and ``last`` and is held level outside."""

    c0: Array
    c1: Array
    c2: Array
    c3: Array
    first: Array
    last: Array

    def at(self, z: Array) -> Array:
        return np.asarray(self.c0 + z * (self.c1 + z * (self.c2 + z * self.c3)))

    def deviate(self, level: Array) -> Array:
        """Deviate at which the curve reaches a level, by halving; the nearer end where it does not."""
        low, high = (end.copy() for end in np.broadcast_arrays(self.first, self.last, level)[:2])
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = self.at(middle) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(0.5 * (low + high))


def is_cornish_fisher_valid(skewness: Array, excess_kurtosis: Array) -> npt.NDArray[np.bool_]:
    """Whether the expansion rises everywhere, hence is a distribution.

    ``g^2/9 <= 4 (k/8 - g^2/6) (1 - k/8 + 5 g^2/36)``, both factors positive: its derivative, a parabola in z, has no
    root. Source: the derivative of the expansion; the domain is Maillard's (2012). Above |g| = 2.49 nothing is valid.

    >>> is_cornish_fisher_valid(np.array([0.5, -0.93]), np.array([1.0, 0.07])).tolist()
    [True, False]
    """
    square = excess_kurtosis / 8.0 - skewness**2 / 6.0
    constant = 1.0 - excess_kurtosis / 8.0 + 5.0 * skewness**2 / 36.0
    return np.asarray((skewness**2 / 9.0 <= 4.0 * square * constant) & (square >= 0.0) & (constant > 0.0))


def _curve(shape: Shape, method: Method) -> _Curve:
    """Coefficients, and the range in which the curve rises: up to the turning point ``z = -3/g`` without kurtosis."""
    g, k = shape.skewness, shape.excess_kurtosis
    if method == "normal":
        g = np.zeros_like(g)
    full = is_cornish_fisher_valid(g, k) if method == "cornish_fisher" else np.zeros(g.shape, dtype=np.bool_)
    # Nearly without skewness, the turning point lies where nothing is left of the tail.
    turn = np.divide(-3.0, g, out=np.asarray(np.copysign(FARTHEST, -g)), where=np.abs(g) > 3.0 / FARTHEST)
    return _Curve(
        -g / 6.0,
        np.where(full, 1.0 - k / 8.0 + 5.0 * g**2 / 36.0, 1.0),
        g / 6.0,
        np.where(full, k / 24.0 - g**2 / 18.0, 0.0),
        np.where(~full & (g > 0), turn, -FARTHEST),
        np.where(~full & (g < 0), turn, FARTHEST),
    )


def _polynomial_excess(shape: Shape, level: Array, method: Method) -> Array:
    """Integral of ``(w(z) - level) phi(z)`` from where w passes the level to where it meets its end, and the rest."""
    curve = _curve(shape, method)
    highest = np.minimum(shape.top, curve.at(curve.last))
    a, b = curve.deviate(level), curve.deviate(highest)
    mass = normal_cdfs(-a) - normal_cdfs(-b)
    phi_a, phi_b = (np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) for z in (a, b))
    first = phi_a - phi_b
    second = mass + a * phi_a - b * phi_b
    third = 2.0 * first + a**2 * phi_a - b**2 * phi_b
    inside = (curve.c0 - level) * mass + curve.c1 * first + curve.c2 * second + curve.c3 * third
    return np.asarray(np.where(level < highest, inside + (highest - level) * normal_cdfs(-b), 0.0))


# ---- bounded: beta with a given upper end ----


def beta_shape(skewness: Array, top: Array) -> tuple[Array, Array, Array]:
    """Beta distribution of mean 0 and standard deviation 1 with a given skewness and upper end.

    With ``h`` the upper end and ``g`` the skewness, the distance below the end is ``W`` times a beta variable of
    shapes ``b`` (at the end) and ``a``:

    ``b = 2 h (h^2 - 1 - g h) / (g (h^2 - 1) + 4 h)``, ``a = b (b + 1) / (h^2 - b)``, ``W = h (a + b) / b``

    Parameters
    ----------
    skewness : g [1], above ``-2/h``, where the other end moves to infinity, and below ``h - 1/h``, the skewness of two
        points, which nothing with that end exceeds
    top : h, in standard deviations above the mean [1]

    Returns
    -------
    b, a [1] and W in standard deviations [1].

    Derivation: mean 0 and variance 1 give ``h^2 = b (a + b + 1) / a``, hence a; put into
    ``g = 2 (b - a) sqrt(a + b + 1) / ((a + b + 2) sqrt(a b))`` it leaves a fraction linear in b.

    A uniform distribution ends at sqrt(3) and has no skewness:

    >>> [round(float(value), 6) for value in beta_shape(np.array(0.0), np.array(3**0.5))]
    [1.0, 1.0, 3.464102]
    """
    b = 2.0 * top * (top**2 - 1.0 - skewness * top) / (skewness * (top**2 - 1.0) + 4.0 * top)
    a = b * (b + 1.0) / (top**2 - b)
    return b, a, top * (a + b) / b


def _bounded_parts(shape: Shape) -> tuple[Array, Array, Array, Array, Array]:
    """Upper end, shapes b and a, width, and where the lower end lies at infinity.

    There the distance below the end is ``width`` times a gamma variable of shape b (Pearson III), and the end comes
    nearer than ``top``: ``2/|g|``. A skewness that no distribution below ``top`` can have is moved to the nearest.
    """
    top = np.minimum(shape.top, FARTHEST_TOP)
    skewness = np.minimum(shape.skewness, top - 1.0 / top - _EDGE * (top + 1.0 / top))
    endless = skewness * top <= -2.0 * (1.0 - _EDGE)
    negative = np.where(endless, skewness, -1.0)
    b, a, width = beta_shape(np.where(endless, 0.0, skewness), np.where(endless, 2.0, top))
    return (
        np.where(endless, -2.0 / negative, top),
        np.where(endless, 4.0 / negative**2, b),
        a,
        np.where(endless, -negative / 2.0, width),
        np.asarray(endless),
    )


def _bounded_quantile(shape: Shape, probability: Array) -> Array:
    end, b, a, width, endless, rest = np.broadcast_arrays(*_bounded_parts(shape), 1.0 - probability)
    below = np.empty(end.shape)
    below[endless] = gamma_at(rest[endless], b[endless])
    below[~endless] = beta_at(rest[~endless], b[~endless], a[~endless])
    return np.asarray(end - width * below)


def _bounded_tail(shape: Shape, level: Array) -> tuple[Array, Array]:
    """Probability above a level and expected excess over it, by incomplete beta (or gamma) functions."""
    end, b, a, width, endless, at = np.broadcast_arrays(*_bounded_parts(shape), level)
    room = np.maximum(end - at, 0.0)
    depth = np.where(np.isfinite(room), room / width, 1.0)
    over, mean = np.empty(end.shape), np.empty(end.shape)
    x, k = depth[endless], b[endless]
    over[endless], mean[endless] = gamma_below(x, k), k * gamma_below(x, k + 1.0)
    x, k, j = np.minimum(depth[~endless], 1.0), b[~endless], a[~endless]
    over[~endless], mean[~endless] = beta_below(x, k, j), k / (k + j) * beta_below(x, k + 1.0, j)
    return over, as_array(room * over - width * mean)
