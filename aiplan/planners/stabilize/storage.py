"""Storage beside a load: it gives and takes what the load has more or less than a slow set-point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize.kernels import PLAIN, Kernels
from aiplan.planners.stabilize.mitigation import Storage
from aiplan.planners.stabilize.wave import Flags

LEAD_BACK_TIME_CONSTANTS = 5.0
"""Time constants of the filter over which the state of charge is led back [1]; assumed."""


@dataclass(frozen=True, slots=True, eq=False)
class Buffered:
    """What storage does to a load.

    Attributes
    ----------
    grid_w : shape (N,), what the grid supplies [W]
    state_j : shape (N + 1,), energy stored at the beginning and after each step [J]
    loss_w : shape (N,), lost in charging and discharging [W]
    saturated : shape (N,), steps in which the converter or the energy left no room, and the grid took the rest
    throughput_j : energy given at the terminals [J]
    """

    grid_w: Array
    state_j: Array
    loss_w: Array
    saturated: Flags
    throughput_j: float


def buffer(load_w: Array, step_s: float, storage: Storage, kernels: Kernels = PLAIN) -> Buffered:
    """Power drawn from the grid by a load with storage beside it.

    The set-point is what the load and the storage's own losses in the step before need, through a low-pass filter, plus
    ``E / (5 tau) (soc0 - soc)``; not below zero, and by at most the ramp rates away from what the grid supplied in the
    step before. The storage supplies the load less the set-point, within its rating and the energy that is there; each
    way it loses by the square root of its round trip. Where a limit binds the step is saturated and the grid supplies
    the rest, beyond the ramp rates if need be. Without losses in the set-point the state would sag by
    ``5 tau`` times the mean loss, more than small storage holds.

    Parameters
    ----------
    load_w : shape (N,), mean over each step, not negative [W]
    step_s : length of a step [s]
    storage : its numbers, of what ``load_w`` is of
    kernels : plain or compiled

    Raises ValueError for numbers that cannot be.

    Filter and leading back are exact over a step for a load constant in it, so a long step or ``tau = 0`` does no harm:
    without a time constant the set-point is the load and the state is led back within one step. The filter begins in
    equilibrium with the first load. It sees the load without delay. Where the ramp limit R binds after a step dP the
    state comes back without overshoot from about ``tau = dP / (7 R)`` on.

    Source: own law, assumed; a leaky integrator of the state, as arXiv 2512.08076 has by its abstract. Always
    ``sum(grid - load) dt = losses + change of stored energy``.

    >>> plain = Storage("any", "rack", 100.0, 50.0, 1.0, 1e9)
    >>> out = buffer(np.array([100.0, 100.0, 140.0, 60.0]), 1.0, plain)
    >>> out.grid_w.round(3).tolist(), out.state_j.round(3).tolist()
    ([100.0, 100.0, 100.0, 100.0], [50.0, 50.0, 50.0, 10.0, 50.0])
    """
    _check(load_w, step_s, storage)
    tau = storage.time_constant_s
    if tau > 0:
        left = -math.expm1(-step_s / tau)
        kept_share, lag_share = 1.0 - left, left * tau / step_s
        lead_per_s = -math.expm1(-step_s / (LEAD_BACK_TIME_CONSTANTS * tau)) / step_s
    else:
        kept_share, lag_share, lead_per_s = 0.0, 0.0, 1.0 / step_s
    one_way = math.sqrt(storage.round_trip_fraction)
    grid, state = kernels.empty(load_w.size), kernels.empty(load_w.size + 1)
    bound = kernels.marks(load_w.size)
    kernels.store(
        kernels.row(load_w), kept_share, lag_share, lead_per_s,
        float(storage.initial_fraction * storage.energy_j),
        float(storage.ramp_up_w_per_s * step_s), float(storage.ramp_down_w_per_s * step_s),
        float(storage.power_w), float(storage.energy_j), step_s / one_way, step_s * one_way,
        1.0 / one_way - 1.0, 1.0 - one_way, grid, state, bound,
    )  # fmt: skip
    grid_w = np.asarray(grid, dtype=np.float64)
    given = load_w - grid_w
    out, into = np.maximum(given, 0.0), np.maximum(-given, 0.0)
    return Buffered(
        grid_w=grid_w,
        state_j=np.asarray(state, dtype=np.float64),
        loss_w=out * (1.0 / one_way - 1.0) + into * (1.0 - one_way),
        saturated=np.asarray(bound, dtype=np.bool_),
        throughput_j=float(out.sum()) * step_s,
    )


def _check(load_w: Array, step_s: float, storage: Storage) -> None:
    require(step_s > 0, "step_s must be above 0")
    require(load_w >= 0, "load_w must not be negative")
    require(0 <= storage.energy_j < math.inf, "energy_j must not be negative nor infinite")
    require(storage.power_w >= 0, "power_w must not be negative")
    require(0 < storage.round_trip_fraction <= 1, "round_trip_fraction must be above 0 and at most 1")
    require(0 <= storage.initial_fraction <= 1, "initial_fraction must be between 0 and 1")
    require(0 <= storage.time_constant_s < math.inf, "time_constant_s must not be negative nor infinite")
    require(storage.ramp_up_w_per_s >= 0 and storage.ramp_down_w_per_s >= 0, "ramps must not be negative")
