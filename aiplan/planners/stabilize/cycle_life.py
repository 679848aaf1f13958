"""Cycles of storage and what is left of its life: rainflow counting, equivalent full cycles, years, least energy.

A cycle of depth D, as a share of the energy of a full cycle, wears as much as ``D^k`` full cycles. With ``k = 1`` only
the energy that has passed counts; above 1 shallow cycles are cheaper. Wear of cycles adds up (Miner's rule). Calendar
life, temperature, rate and mean state of charge are not in it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.stabilize.kernels import Row

RESERVE_FACTOR = 3.0
"""Energy over the deepest cycle that storage is at least given [1]: section 8 of the reference, assumed."""


def count_cycles(points: Row, stack: Row, depths: Row, counts: Row) -> int:
    """Rainflow cycles of turning points by the three-point rule, in one pass.

    A range that is no longer than the one after it is a cycle: a half one where it begins at the first point, which
    then goes, else a whole one, whose two points go. What is left at the end counts as half cycles.

    Source: ASTM E1049-85, 5.4.4 (the rule from memory; its example is among the tests).

    Parameters
    ----------
    points : shape (N,), each a turning point but the first and last
    stack : shape (N,), to work on
    depths, counts : shape (N,), out: ranges of the cycles, and 1 or 0.5

    Returns
    -------
    How many cycles were written.
    """
    held = 0
    found = 0
    for point in points:
        stack[held] = point
        held += 1
        while held >= 3:
            middle = stack[held - 2]
            before = abs(middle - stack[held - 3])
            if abs(point - middle) < before:
                break
            depths[found] = before
            if held == 3:
                counts[found] = 0.5
                stack[0] = middle
                stack[1] = point
                held = 2
            else:
                counts[found] = 1.0
                stack[held - 3] = point
                held -= 2
            found += 1
    for at in range(1, held):
        depths[found] = abs(stack[at] - stack[at - 1])
        counts[found] = 0.5
        found += 1
    return found


def turning_points(state: npt.ArrayLike) -> Array:
    """First and last value and every turn in between, equal neighbours taken as one.

    >>> turning_points([0, 1, 1, 3, 2, 2, 5]).tolist()
    [0.0, 3.0, 2.0, 5.0]
    """
    values = as_array(state)
    require(values.ndim == 1 and np.all(np.isfinite(values)), "state must be a row of finite numbers")
    moved = np.append(True, values[1:] != values[:-1]) if values.size else np.zeros(0, dtype=np.bool_)
    values = np.asarray(values[moved])
    if values.size <= 2:
        return values
    rising = values[1:] > values[:-1]
    return np.asarray(values[np.concatenate(([True], rising[1:] != rising[:-1], [True]))])


def rainflow(state: npt.ArrayLike) -> tuple[Array, Array]:
    """Depths of the cycles in a row of states, and how often each counts: 1 or 0.5.

    Sums of ``depth x count`` are half the way that the state went, up and down.

    Parameters
    ----------
    state : shape (N,), in any unit; need not consist of turning points

    Returns
    -------
    depths : shape (M,), in the unit of ``state``, in the order in which cycles close
    counts : shape (M,) [1]

    >>> depths, counts = rainflow([-2, 1, -3, 5, -1, 3, -4, 4, -2])
    >>> [round(float(counts[depths == depth].sum()), 1) for depth in (3, 4, 6, 8, 9)]
    [0.5, 1.5, 0.5, 1.0, 0.5]
    """
    points = turning_points(state).tolist()
    depths, counts = [0.0] * len(points), [0.0] * len(points)
    found = count_cycles(points, [0.0] * len(points), depths, counts)
    return np.array(depths[:found]), np.array(counts[:found])


def equivalent_full_cycles(state_j: npt.ArrayLike, capacity_j: npt.ArrayLike, depth_exponent: float = 1.0) -> Array:
    """Full cycles that wear as much as what the state of charge did, ``sum_i n_i (D_i / E)^k`` [1].

    Parameters
    ----------
    state_j : shape (N,), energy stored over time [J]
    capacity_j : E, energy of a full cycle; any shape [J]
    depth_exponent : k [1]

    At k = 1 it is what went in and out over 2 E, and no cycles are counted.

    >>> float(equivalent_full_cycles([5.0, 10.0, 0.0, 5.0], 10.0))
    1.0
    """
    capacity = as_array(capacity_j)
    require(capacity > 0, "capacity_j must be above 0")
    _exponent(depth_exponent)
    if depth_exponent == 1.0:
        states = as_array(state_j)
        require(states.ndim == 1 and np.all(np.isfinite(states)), "state_j must be a row of finite numbers")
        return np.asarray(np.abs(np.diff(states)).sum() / 2.0 / capacity)
    depths, counts = rainflow(state_j)
    return np.asarray((counts * (depths / capacity[..., None]) ** depth_exponent).sum(axis=-1))


def life_years(
    cycles_per_year: npt.ArrayLike, cycle_life_count: npt.ArrayLike, calendar_life_years: npt.ArrayLike
) -> Array:
    """Years until the cycles or the calendar have worn it out, ``min(calendar, N / n)``; shapes broadcast [years].

    Parameters
    ----------
    cycles_per_year : n, equivalent full cycles [1]
    cycle_life_count : N, full cycles that it lasts; infinite where cycles do not wear it [1]

    >>> round(float(life_years(172_000, 8_000, 15.0)) * 365, 1)
    17.0
    """
    given = (cycles_per_year, cycle_life_count, calendar_life_years)
    yearly, cycles, calendar = np.broadcast_arrays(*map(as_array, given))
    require((yearly >= 0) & np.isfinite(yearly), "cycles_per_year must be finite and not negative")
    require((cycles > 0) & (calendar > 0), "cycle_life_count and calendar_life_years must be above 0")
    with np.errstate(over="ignore"):
        worn = np.divide(cycles, yearly, out=np.full(yearly.shape, np.inf), where=yearly > 0)
    return np.asarray(np.minimum(calendar, worn))


def least_energy_j(
    depths_j: npt.ArrayLike,
    counts_per_year: npt.ArrayLike,
    wanted_years: npt.ArrayLike,
    cycle_life_count: npt.ArrayLike,
    depth_exponent: float = 1.0,
    reserve_factor: float = RESERVE_FACTOR,
) -> Array:
    """Least energy that lasts a wanted number of years, ``max(m D_max, (y sum_i n_i D_i^k / N)^(1/k))`` [J].

    Section 8 of the reference for k = 1: three times the energy of an iteration, or a year's discharge times years
    over cycle life. Whether the calendar allows so many years is another question.

    Parameters
    ----------
    depths_j, counts_per_year : D, n, shape (..., M), cycles and how many of each in a year [J], [1]
    wanted_years, cycle_life_count : y, N, broadcast with the leading axes; N infinite where cycles do not wear it
    depth_exponent : k [1]
    reserve_factor : m [1]

    Storage for 23.04 MJ every 2 s, 95 % of the year and 10 years, at 8,000 full cycles:

    >>> yearly = 0.95 * 8760 * 3600 / 2.0
    >>> round(float(least_energy_j([23.04e6], [yearly], 10.0, 8_000)) / 3.6e9)
    120
    """
    depths, counts = np.broadcast_arrays(as_array(depths_j), as_array(counts_per_year))
    require(depths.ndim >= 1 and depths.shape[-1] >= 1, "depths_j must be rows of at least one cycle")
    require((depths >= 0) & (counts >= 0) & np.isfinite(depths * counts), "cycles must be finite and not negative")
    years, cycles = as_array(wanted_years), as_array(cycle_life_count)
    require((years > 0) & np.isfinite(years) & (cycles > 0), "wanted_years and cycle_life_count must be above 0")
    require(reserve_factor >= 1, "reserve_factor must be 1 or more")
    _exponent(depth_exponent)
    deepest = depths.max(axis=-1)
    # Over the deepest first, so that powers of joules do not overflow.
    scale = np.where(deepest > 0, deepest, 1.0)
    yearly = (counts * (depths / scale[..., None]) ** depth_exponent).sum(axis=-1)
    lasting = scale * (yearly * years / cycles) ** (1.0 / depth_exponent)
    return np.asarray(np.maximum(reserve_factor * deepest, lasting))


def _exponent(depth_exponent: float) -> None:
    require(0 < depth_exponent < np.inf, "depth_exponent must be above 0 and finite")
