"""From replicas needed to machines paid for: spares, whole servers, dollars and watts."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array, require

MANY_FAILURES = 1000.0
"""Failures at a time beyond which spares are no longer counted one by one [1]."""


def availability(mttf_h: Any, mttr_h: Any, parts: Any = 1.0) -> Array:
    """Share of time in which a unit works that fails with any of its parts, ``M / (M + n R)`` [1].

    Parameters
    ----------
    mttf_h : M, mean time to failure of one part [h]
    mttr_h : R, time until the unit serves again [h]
    parts : n, parts of the unit [1]

    >>> round(float(availability(50_000, 24, 8)), 5)
    0.99617
    """
    return np.asarray(as_array(mttf_h) / (as_array(mttf_h) + as_array(parts) * as_array(mttr_h)), dtype=np.float64)


def spare_units(needed: Any, unit_availability: Any, target: Any) -> Array:
    """Fewest units beyond ``k`` such that at least ``k`` of them work with the target probability [1].

    Smallest ``s`` with ``P(Binomial(k + s, A) >= k) >= target``; units fail independently.

    Parameters
    ----------
    needed : k, whole numbers of 1 or more [1]
    unit_availability : A, in (0, 1] [1]
    target : in [0, 1) [1]

    The probability is summed as that of at most ``s`` failures before the k-th unit that works (negative binomial),
    term by term in logarithms; above `MANY_FAILURES` expected failures its normal approximation with a correction for
    skewness takes over, within 0.1 % there.

    >>> spare_units([1, 11, 100], 0.996, 0.999).tolist()
    [1.0, 2.0, 3.0]
    """
    k, up, goal = (
        np.array(row, dtype=np.float64)
        for row in np.broadcast_arrays(as_array(needed), as_array(unit_availability), as_array(target))
    )
    require((k >= 1) & (up > 0) & (up <= 1), "needed must be 1 or more and the availability in (0, 1]")
    require((goal >= 0) & (goal < 1), "target must lie in [0, 1)")
    many = k * (1.0 - up) / up > MANY_FAILURES
    spares = np.zeros(k.shape)
    spares[~many] = _summed(k[~many], up[~many], goal[~many])
    spares[many] = _approximate(k[many], up[many], goal[many])
    return spares


def _summed(k: Array, up: Array, goal: Array) -> Array:
    down = np.log(np.maximum(1.0 - up, 1e-300))
    term = k * np.log(up)
    total, spares = term.copy(), np.zeros(k.shape)
    short = np.exp(total) < goal
    step = 0
    while np.any(short):
        step += 1
        term = term + np.log((k + step - 1.0) / step) + down
        total = np.logaddexp(total, term)
        spares = np.where(short, float(step), spares)
        short = short & (np.exp(total) < goal)
    return spares


def _approximate(k: Array, up: Array, goal: Array) -> Array:
    z = np.array([NormalDist().inv_cdf(one) if one > 0 else 0.0 for one in goal.tolist()])
    mean, spread = k * (1.0 - up) / up, np.sqrt(k * (1.0 - up)) / up
    skew = (2.0 - up) / np.sqrt(k * (1.0 - up))
    found = np.ceil(mean + spread * (z + (z**2 - 1.0) * skew / 6.0) - 0.5)
    return np.where(goal > 0, np.maximum(found, 0.0), 0.0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is paid for, one row per option.

    Attributes
    ----------
    replicas : that run, spares included [1]
    spare_replicas : of them, beyond those that the load needs [1]
    accelerators : paid for [1]
    servers : they stand in [1]
    """

    replicas: Array
    spare_replicas: Array
    accelerators: Array
    servers: Array


def fleet(
    needed: Any, devices: Any, per_server: Any, mttf_h: Any, mttr_h: Any, target: Any, *, whole_servers: bool
) -> Fleet:
    """Replicas, accelerators and servers for so many replicas in use.

    Parameters
    ----------
    needed : replicas that must work [1]
    devices : accelerators of one replica [1]
    per_server : accelerators of one server [1]
    mttf_h : mean time to failure of one accelerator with its share of the server [h]
    mttr_h : time until a failed unit serves again [h]
    target : share of time in which enough replicas work; 0 for no spares [1]
    whole_servers : pay for whole servers, which fail as one and are filled with replicas; else for the accelerators of
        each replica, which fails alone

    A replica larger than a server takes whole servers of its own and fails with any of them.
    """
    k, size, seats = (np.asarray(row) for row in np.broadcast_arrays(as_array(needed), devices, per_server))
    hosted = np.maximum(np.floor(seats / size), 1.0)
    span = np.ceil(size / seats)
    if not whole_servers:
        extra = spare_units(k, availability(mttf_h, mttr_h, size), target)
        total = k + extra
        return Fleet(total, extra, total * size, np.where(span > 1, total * span, np.ceil(total / hosted)))
    units = np.ceil(k / hosted)
    units = units + spare_units(units, availability(mttf_h, mttr_h, seats * span), target)
    return Fleet(units * hosted, units * hosted - k, units * span * seats, units * span)
