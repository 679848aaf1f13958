"""What a measured power says of its moments, and of the class of servers it was measured on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.multiplexing import Moments, ServerClass


def series(power_w: npt.ArrayLike, axes: int) -> Array:
    """A trace of shape (T,), or (T, n) for n servers; raises ValueError for another shape or what is not finite."""
    power = as_array(power_w)
    require(power.ndim == axes and power.size > 0, f"power_w must have {'one axis' if axes == 1 else 'two axes'} "
                                                   "and not be empty")  # fmt: skip
    require(np.isfinite(power), "power_w must hold finite numbers only")
    return power


def moments_of(
    power_w: npt.ArrayLike, peak_w: npt.ArrayLike | None = None, floor_w: npt.ArrayLike | None = None
) -> Moments:
    """Moments of a measured power over time (population, not sample).

    Parameters
    ----------
    power_w : shape (T,) [W]
    peak_w, floor_w : sums of the servers' maxima and minima; the trace's own ends otherwise, which a longer
        measurement may exceed [W]
    """
    trace = series(power_w, 1)
    mean, sd = np.mean(trace), np.std(trace)
    z = (trace - mean) / sd if sd > 0 else np.zeros_like(trace)
    third, fourth = np.mean(z**3), np.mean(z**4) - 3.0 if sd > 0 else 0.0
    floor, peak = np.min(trace) if floor_w is None else floor_w, np.max(trace) if peak_w is None else peak_w
    return Moments(*(as_array(value) for value in (mean, sd, third, fourth, floor, peak)))


def class_of(power_w: npt.ArrayLike, count: int | None = None, name: str = "servers") -> ServerClass:
    """The class whose `sum_moments` are those of the measured sum, exactly so for as many servers as were measured.

    Parameters
    ----------
    power_w : servers measured at the same times, shape (T, n), n of 2 or more [W]
    count : servers of the class, n otherwise; more than n is an extrapolation at constant correlations [1]

    ``sd_w`` is the mean over servers and ``rho`` what then gives the sum's variance, which is close to the mean of the
    correlations; the co-moments are what the sum's leave after the servers' own. Clocks of meters that differ lower
    ``rho``: do not take it from unsynchronised meters, bound it.

    Raises ValueError for fewer than two servers.
    """
    power = series(power_w, 2)
    n = power.shape[1]
    require(n >= 2, "power_w must hold at least 2 servers: one says nothing about correlation")
    away = power - np.mean(power, axis=0)
    variances = np.mean(away**2, axis=0)
    third, fourth = np.mean(away**3), np.mean(np.mean(away**4, axis=0) - 3.0 * variances**2)
    total = np.sum(away, axis=1)
    k2, k3 = np.mean(total**2), np.mean(total**3)
    k4 = np.mean(total**4) - 3.0 * k2**2
    # The mean of the deviations, not their root mean square: it is never more than the mean ends leave room for.
    sd = float(np.mean(np.sqrt(variances)))
    unit = sd if sd > 0 else 1.0
    return ServerClass(
        n if count is None else count,
        float(np.mean(power)),
        sd,
        float(np.mean(np.max(power, axis=0))),
        float(third / unit**3),
        float(fourth / unit**4),
        float(np.clip((k2 / (n * unit**2) - 1.0) / (n - 1), -1.0, 1.0)) if sd > 0 else 0.0,
        float(np.mean(np.min(power, axis=0))),
        float((k3 - n * third) / ((n**3 - n) * unit**3)),
        float((k4 - n * fourth) / ((n**4 - n) * unit**4)),
        name,
    )
