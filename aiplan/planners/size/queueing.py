"""Waiting for a free slot: many servers, Poisson or burstier arrivals.

A batch slot of an engine is a server of queueing theory: a request holds one from its admission to its last token.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array, require

_EXACT = 32
_HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)
_REST = np.array([0.0, *(math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - _HALF_LN_2PI for n in range(1, _EXACT))])
_TINY = 1e-14
_MANY = 1e6
_LARGEST_EXPONENT = 700.0


def _stirling_rest(count: Array) -> Array:
    """``ln n! - [(n + 1/2) ln n - n + ln(2 pi)/2]`` of whole numbers of 1 or more."""
    n = np.maximum(count, 1.0)
    series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n**3) + 1.0 / (1260.0 * n**5)
    return np.where(count < _EXACT, _REST[np.minimum(count, _EXACT - 1).astype(np.intp)], series)


def _tail_ratio(offered: Array, slots: Array) -> Array:
    """Poisson probabilities above ``c`` over that of ``c``: ``sum over k >= 1 of a^k / ((c+1) ... (c+k))``."""
    total = np.zeros(offered.shape)
    left = np.arange(offered.size)
    term = np.ones(offered.size)
    load, count, step = offered, slots.copy(), 0
    while left.size:
        count = count + 1.0
        term = term * load / count
        total[left] += term
        step += 1
        if step % 16 == 0:
            going = term > _TINY * total[left]
            left, term, load, count = left[going], term[going], load[going], count[going]
    return total


def erlang_c(offered: Any, slots: Any) -> Array:
    """Probability that an arrival finds all slots taken and waits (M/M/c) [1].

    ``1/C = rho + (1 - rho) / B`` with ``rho = a/c`` and Erlang's loss ``B = p(c) / (p(0) + ... + p(c))``, ``p`` the
    Poisson probabilities of mean ``a``. The sum is taken as one minus the tail, which converges for every ``a < c``,
    and ``p(c)`` from its logarithm, so that 100,000 slots are no harder than ten. Beyond a million slots Halfin and
    Whitt's limit takes over, ``1/C = 1 + b Phi(b) / phi(b)`` with ``b = (1 - rho) sqrt(c)``, within 1 % there.

    Parameters
    ----------
    offered : a, mean slots in use, arrival rate times service time [1]
    slots : c, whole numbers of 1 or more [1]

    Returns
    -------
    1 where ``a >= c``: the queue grows without end.

    Source: Erlang 1917; Cooper, Introduction to Queueing Theory, 2nd ed., 3.3 and 3.4; Halfin and Whitt, Operations
    Research 29, 1981.

    >>> round(float(erlang_c(2.0, 3)), 4)
    0.4444
    """
    a, c = (np.array(value, dtype=np.float64) for value in np.broadcast_arrays(as_array(offered), as_array(slots)))
    require((c >= 1) & (c == np.round(c)), "slots must be whole numbers of 1 or more")
    require(a >= 0, "offered must not be negative")
    waiting = np.where(a > 0, 1.0, 0.0)
    open_ = (a < c) & (a > 0)
    exact, limit = open_ & (c <= _MANY), open_ & (c > _MANY)
    waiting[exact] = _erlang_c_exact(a[exact], c[exact])
    waiting[limit] = _erlang_c_limit(a[limit], c[limit])
    return np.asarray(waiting, dtype=np.float64)


def _erlang_c_exact(load: Array, count: Array) -> Array:
    rho = load / count
    log_p = -0.5 * np.log(2.0 * math.pi * count) - _stirling_rest(count) - count * (rho - 1.0 - np.log(rho))
    # Where p(c) is smaller than this nobody waits, to more digits than a double has.
    over_p = np.exp(np.minimum(-log_p, _LARGEST_EXPONENT))
    over_loss = np.maximum(over_p - _tail_ratio(load, count), 1.0)
    return np.asarray(1.0 / (rho + (1.0 - rho) * over_loss), dtype=np.float64)


def _erlang_c_limit(load: Array, count: Array) -> Array:
    spare = np.minimum((1.0 - load / count) * np.sqrt(count), math.sqrt(_LARGEST_EXPONENT))
    below = np.array([0.5 * math.erfc(-one / math.sqrt(2.0)) for one in spare.tolist()])
    return np.asarray(1.0 / (1.0 + spare * below * np.exp(spare**2 / 2.0) * math.sqrt(2.0 * math.pi)), dtype=np.float64)


def wait_s(
    offered: Any, slots: Any, service_s: Any, arrival_cv2: Any = 1.0, service_cv2: Any = 1.0, quantile: Any = np.nan
) -> Array:
    """Wait for a slot: its mean, or a quantile [s].

    ``E[W] = C S v / (c - a)``, ``W_q = ln(C / (1 - q)) S v / (c - a)`` where ``C > 1 - q`` and 0 elsewhere, with
    ``v = (ca2 + cs2) / 2`` and ``C = C(c', rho c')``, ``c' = c / z`` to the nearest whole number, ``z = (1 + ca2) / 2``

    Parameters
    ----------
    offered, slots : a and c, see `erlang_c` [1]
    service_s : S, time a request holds its slot [s]
    arrival_cv2, service_cv2 : squared coefficient of variation of the times between arrivals and of S [1]
    quantile : q in (0, 1); NaN for the mean [1]

    Infinite where ``a >= c``, unless nothing varies.

    Source: Allen and Cunneen's approximation (Allen, Probability, Statistics and Queueing Theory, 2nd ed., 5.3),
    exact for M/M/c and for the mean of M/G/1. How often arrivals that are not Poisson wait is Hayward's: slots and
    load divided by the peakedness z of the slots in use (Fredericks, Bell System Technical Journal 59, 1980), here
    that of exponential service. The quantile stretches the exponential of M/M/c by ``v``, which is an assumption for
    other distributions.

    >>> round(float(wait_s(2.0, 3, 1.0)), 4)
    0.4444
    """
    a, c, held, level = np.broadcast_arrays(as_array(offered), as_array(slots), as_array(service_s), as_array(quantile))
    spread = np.broadcast_to((as_array(arrival_cv2) + as_array(service_cv2)) / 2.0, a.shape)
    peaks = (1.0 + np.broadcast_to(as_array(arrival_cv2), a.shape)) / 2.0
    alike = np.maximum(np.round(c / peaks), 1.0)
    chance = erlang_c(a / c * alike, alike)
    free = c - a
    scale = np.divide(held * spread, free, out=np.full(a.shape, np.inf), where=free > 0)
    mean = np.isnan(level)
    over = chance / np.where(mean, 1.0, 1.0 - level)
    reach = np.where(mean, chance, np.log(np.maximum(over, 1.0)))
    return np.where((reach > 0) & (spread > 0), np.where(reach > 0, reach, 1.0) * scale, 0.0) + 0.0
