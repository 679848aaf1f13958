"""Structural breaks: what moves a roadmap off its trend.

Breaks go by the release of a generation. What was released before keeps its numbers, and so does every machine already
bought. Source of the breaks: Stojkovic et al. 2026, section VIII-A (published); that they go by release and that the
shocked price is capped at the projection follows the reference, section 2.5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.roadmap_faults import finite, not_negative, positive, raise_if_any


def on_trend(release_years: npt.ArrayLike, values: npt.ArrayLike, year: npt.ArrayLike) -> Array:
    """Where a number stands at a year between two releases, by geometric interpolation, (...).

    Exact for an exponential trend. Before the first release its value, after the last one that one's.

    Parameters
    ----------
    release_years, values : (..., G), releases in rising order
    year : calendar year, scalar or (...)
    """
    at = as_array(year)[..., None]
    release, logs = np.broadcast_arrays(as_array(release_years), np.log(as_array(values)))
    if release.shape[-1] == 1:
        return np.asarray(np.exp(np.broadcast_to(logs, np.broadcast_shapes(logs.shape, at.shape))[..., 0]))
    left = np.clip((release <= at).sum(axis=-1, keepdims=True) - 1, 0, release.shape[-1] - 2)
    release, logs = (np.broadcast_to(each, (*left.shape[:-1], each.shape[-1])) for each in (release, logs))
    from_year, to_year = (np.take_along_axis(release, left + step, axis=-1) for step in (0, 1))
    low, high = (np.take_along_axis(logs, left + step, axis=-1) for step in (0, 1))
    weight = np.clip((at - from_year) / (to_year - from_year), 0.0, 1.0)
    return np.asarray(np.exp(low + weight * (high - low))[..., 0])


def capability_shock(
    release_years: npt.ArrayLike, capacity: npt.ArrayLike, gamma: npt.ArrayLike, break_year: npt.ArrayLike,
    epsilon_per_year: npt.ArrayLike, at_least_trend: bool = False,
) -> Array:  # fmt: skip
    """Factor on the capacity of each generation after a jump in what hardware can do, (..., G) [1].

    ``gamma P(t_h) (1 + epsilon (t - t_h)) / P(t)`` for a generation released at t, from ``t_h`` on; 1 before. P is the
    capacity along the roadmap. As published, the path after the jump is a line, so a trend that grows faster
    overtakes it and the factor falls below 1; ``at_least_trend`` keeps it at 1 or above [assumed].

    Parameters
    ----------
    release_years : (..., G) calendar years, in rising order
    capacity : (..., G), any unit; for work classes (..., W, G) with releases (..., 1, G)
    gamma, break_year, epsilon_per_year : scalar or (...) [1], [calendar year], [1/year]; published 3, 5 years
        after the start, 0.05

    Raises FaultyNumbersError for a gamma or capacity that is not positive or a negative epsilon.
    """
    raise_if_any([*positive("gamma", gamma), *not_negative("epsilon_per_year", epsilon_per_year),
                  *positive("capacity", capacity), *finite("break_year", break_year)])  # fmt: skip
    factor, after = _over_trend(release_years, capacity, gamma, break_year, epsilon_per_year)
    return np.where(after, np.maximum(factor, 1.0) if at_least_trend else factor, 1.0)


def price_shock(
    release_years: npt.ArrayLike, price_usd: npt.ArrayLike, delta: npt.ArrayLike, break_year: npt.ArrayLike,
    eta_per_year: npt.ArrayLike,
) -> Array:  # fmt: skip
    """Factor on the price at release of each generation after a fall in prices, (..., G), at most 1 [1].

    ``min(1, delta Price(t_p) (1 + eta (t - t_p)) / Price(t))`` for a generation released at t, from ``t_p`` on; 1
    before: the shocked price never exceeds the projection. Generations released before ``t_p`` keep their price, also
    for purchases after it, and what was bought stays paid.

    Parameters
    ----------
    release_years : (..., G) calendar years, in rising order
    price_usd : price at release, (..., G) [USD]
    delta, break_year, eta_per_year : scalar or (...) [1], [calendar year], [1/year]; published 0.6, 5 years after
        the start, 0.1

    Raises FaultyNumbersError for a delta or price that is not positive or a negative eta.
    """
    raise_if_any([*positive("delta", delta), *not_negative("eta_per_year", eta_per_year),
                  *positive("price_usd", price_usd), *finite("break_year", break_year)])  # fmt: skip
    factor, after = _over_trend(release_years, price_usd, delta, break_year, eta_per_year)
    return np.where(after, np.minimum(factor, 1.0), 1.0)


def _over_trend(
    release_years: npt.ArrayLike, values: npt.ArrayLike, jump: npt.ArrayLike, break_year: npt.ArrayLike,
    slope_per_year: npt.ArrayLike,
) -> tuple[Array, npt.NDArray[np.bool_]]:  # fmt: skip
    """The line after a break over the trend, and which generations come after it, both (..., G)."""
    since = as_array(release_years) - as_array(break_year)[..., None]
    at_break = on_trend(release_years, values, break_year)[..., None]
    path = as_array(jump)[..., None] * at_break * (1 + as_array(slope_per_year)[..., None] * since)
    # The slack keeps a generation whose date meets the break but for rounding.
    return path / as_array(values), since >= -1e-9
