"""What a power cap costs: how often, how deep, how much energy, and whose work waits.

Power turns into speed by a law that the caller hands in (`Law`), for accelerators that of
`aiplan.planners.serving.power_cap`; there is no second one here. Who is capped first is an order of priorities, in
outline that of POLCA (ASPLOS 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.multiplexing import Moments, exceedance, expected_excess_w
from aiplan.planners.power.tail_forms import Method
from aiplan.planners.power.trace_moments import series

Law = Callable[[Array, Array], Array]
"""Time over that without a cap [1], from the power wanted and the power allowed [W], both of one shape."""
_S_PER_H = 3600.0
HOURS_PER_YEAR = 8760.0
"""Of a year without a leap day [h]."""


@dataclass(frozen=True, slots=True, eq=False)
class CapCost:
    """What a capacity costs a sum of servers; arrays of one shape.

    Attributes
    ----------
    probability : share of time with a cap at work [1]
    excess_w : power above the capacity, mean over all time [W]
    capped_energy_wh : energy wanted and not drawn [Wh]; work put off takes it later
    depth_fraction : power above the capacity over power wanted, both as means while capped [1]
    """

    probability: Array
    excess_w: Array
    capped_energy_wh: Array
    depth_fraction: Array


@dataclass(frozen=True, slots=True)
class CapEvents:
    """What a capacity would have cost a measured power.

    Attributes
    ----------
    share : share of steps above the capacity [1]
    events : runs of consecutive steps above it [1]
    longest_s : of one run [s]
    capped_energy_wh : energy above the capacity [Wh]
    deepest_fraction : largest part of the power wanted that is held back [1]
    """

    share: float
    events: int
    longest_s: float
    capped_energy_wh: float
    deepest_fraction: float


@dataclass(frozen=True, slots=True, eq=False)
class Caps:
    """Power taken from classes, shape (..., k), and what none could give, shape (...) [W]."""

    cut_w: Array
    unmet_w: Array


def cap_depth_fraction(power_w: npt.ArrayLike, capacity_w: npt.ArrayLike) -> Array:
    """Part of the power wanted that a cap holds back, ``max(0, (T - C)/T)`` [1].

    30 % more servers, each with a peak of 79 % of what was provided for it (a second-hand reading of POLCA), want
    102.7 % of the capacity:

    >>> round(float(cap_depth_fraction(1.30 * 0.79, 1.0)), 3)
    0.026
    """
    power, capacity = as_array(power_w), as_array(capacity_w)
    require((power >= 0) & (capacity >= 0), "power_w and capacity_w must not be negative")
    excess = np.maximum(power - capacity, 0.0)
    return np.divide(excess, power, out=np.zeros(excess.shape), where=excess > 0)


def cap_cost(
    moments: Moments, capacity_w: npt.ArrayLike, duration_h: npt.ArrayLike, method: Method = "bounded"
) -> CapCost:
    """Cost of a capacity from the moments of the power wanted.

    Parameters
    ----------
    capacity_w, duration_h : broadcast [W], [h]
    method : see `aiplan.planners.power.multiplexing.quantile_w`

    Raises ValueError for negative numbers.
    """
    capacity, duration = as_array(capacity_w), as_array(duration_h)
    require((capacity >= 0) & (duration >= 0), "capacity_w and duration_h must not be negative")
    chance, excess = exceedance(moments, capacity, method), expected_excess_w(moments, capacity, method)
    wanted = excess + chance * capacity
    depth = np.divide(excess, wanted, out=np.zeros(np.shape(wanted)), where=excess > 0)
    return CapCost(chance, excess, np.asarray(excess * duration), depth)


def cap_events(power_w: npt.ArrayLike, capacity_w: float, step_s: float) -> CapEvents:
    """Events of a measured power above a capacity, each a longest run of consecutive steps.

    Parameters
    ----------
    power_w : shape (T,) [W]
    """
    require(step_s > 0, "step_s must be above 0")
    power = series(power_w, 1)
    above = power > capacity_w
    edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[0::2]
    return CapEvents(
        float(np.mean(above)),
        int(runs.size),
        float(step_s * np.max(runs, initial=0)),
        float(np.sum(np.maximum(power - capacity_w, 0.0)) * step_s / _S_PER_H),
        float(np.max(cap_depth_fraction(power, capacity_w))),
    )


def cap_by_priority(
    power_w: npt.ArrayLike, least_w: npt.ArrayLike, priority: npt.ArrayLike, needed_w: npt.ArrayLike
) -> Caps:
    """Take power from the classes of lowest priority first, down to what each must keep.

    Parameters
    ----------
    power_w : wanted by each class, shape (..., k) [W]
    least_w : what a class keeps whatever happens: idle, or the lowest cap its boards take, shape (..., k) [W]
    priority : whole numbers, the lowest is capped first, shape (k,) [1]
    needed_w : to be taken from all together, shape (...) [W]

    Classes of one priority give in proportion to what they have above their least. Never more than needed is taken, and
    none of a higher priority while a lower one has something left.

    Raises ValueError for negative watts or shapes that do not fit.
    """
    power, least, order = as_array(power_w), as_array(least_w), as_array(priority)
    needed = as_array(needed_w)
    require((power >= 0) & (least >= 0) & np.isfinite(power), "power_w and least_w must not be negative")
    require(needed >= 0, "needed_w must not be negative")
    require(order.ndim == 1 and order.size == power.shape[-1], "priority must hold one number for each class")
    room = np.maximum(power - least, 0.0)
    shape = np.broadcast_shapes(room.shape[:-1], needed.shape)
    room, left = np.broadcast_to(room, (*shape, order.size)), np.broadcast_to(needed, shape)
    cut = np.zeros(room.shape)
    for level in np.unique(order):
        among = order == level
        offered = np.sum(room[..., among], axis=-1)
        share = np.divide(np.minimum(left, offered), offered, out=np.zeros(shape), where=offered > 0)
        cut[..., among] = room[..., among] * share[..., None]
        left = np.where(share < 1.0, np.where(offered > 0, 0.0, left), left - offered)
    return Caps(cut, np.maximum(left, 0.0))


def slowdowns(power_w: npt.ArrayLike, cut_w: npt.ArrayLike, laws: Sequence[Law]) -> Array:
    """Time over that without a cap for every class, at least 1 [1], shape (..., k).

    Parameters
    ----------
    power_w, cut_w : wanted by each class and taken from it, shape (..., k) [W]
    laws : one for each class; give phases classes of their own, since a cap that slows prefill may leave decode alone

    >>> from aiplan.planners.serving.power_cap import capped
    >>> prefill = lambda wanted, allowed: capped(wanted, 100.0, allowed, 1.0)[1]
    >>> slowdowns([700.0], [350.0], [prefill]).round(2).tolist()
    [1.44]
    """
    power, cut = np.broadcast_arrays(as_array(power_w), as_array(cut_w))
    require((cut >= 0) & (cut <= power), "cut_w must lie between 0 and power_w")
    require(len(laws) == power.shape[-1], "laws must hold one for each class")
    found = np.ones(power.shape)
    for place, law in enumerate(laws):
        found[..., place] = law(power[..., place], power[..., place] - cut[..., place])
    require(found >= 1.0 - 1e-12, "a law must not make capped work faster")
    return np.maximum(found, 1.0)


def linear_law(coefficient: float) -> Law:
    """Law for what is known by one number: time grows by ``coefficient`` times the part of power taken [1]."""
    require(coefficient >= 0, "coefficient must not be negative")

    def law(wanted: Array, allowed: Array) -> Array:
        return 1.0 + coefficient * cap_depth_fraction(wanted, allowed)

    return law


def latency_factor(time_shares: npt.ArrayLike, phase_slowdowns: npt.ArrayLike) -> Array:
    """Latency over that without a cap, ``sum share x slowdown`` [1].

    Parameters
    ----------
    time_shares : of the uncapped time, by phase of a request or by state (free, capped), shape (..., phases), each row
        of sum 1 [1]
    phase_slowdowns : shape (..., phases) [1]
    """
    shares, slower = as_array(time_shares), as_array(phase_slowdowns)
    require(shares >= 0, "time_shares must not be negative")
    require(np.abs(np.sum(shares, axis=-1) - 1.0) < 1e-9, "time_shares must add up to 1")
    return np.asarray(np.sum(shares * slower, axis=-1))
