"""Power smoothing in the accelerator: a floor, limited ramps, hysteresis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize.kernels import PLAIN, Kernels
from aiplan.planners.stabilize.mitigation import GpuSmoothing
from aiplan.planners.stabilize.wave import Flags


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Power after a measure, and the work it did not let through.

    Attributes
    ----------
    power_w : shape (N,) [W]
    withheld_w : shape (N,), what the job would have drawn above that, never negative [W]
    """

    power_w: Array
    withheld_w: Array


def held(busy: Flags, step_s: float, hold_s: float) -> Flags:
    """Steps in which the job is busy, or that begin less than ``hold_s`` after it was, shape (N,).

    Parameters
    ----------
    busy : shape (N,)
    step_s, hold_s : length of a step [s], [s]

    >>> held(np.array([False, True, False, False, False]), 0.5, 0.8).tolist()
    [False, True, True, True, False]
    """
    require(step_s > 0 and hold_s >= 0, "step_s must be above 0 and hold_s not negative")
    steps = hold_s / step_s
    if steps < 1e-9:
        return busy
    at = np.arange(busy.size)
    last = np.maximum.accumulate(np.where(busy, at, -1))
    # Rounding of the quotient must not add a step.
    return np.asarray((last >= 0) & (at - last <= math.ceil(min(steps, busy.size) - 1e-9)))


def smooth(power_w: Array, step_s: float, busy: Flags, setting: GpuSmoothing, kernels: Kernels = PLAIN) -> Smoothed:
    """Power of one accelerator with power smoothing.

    While armed the target is the floor where the job draws less, else what the job draws. The power follows the target
    by at most the ramp rates, on from its first value; after disarming too, so that it burns down at its rate. Work is
    withheld where the job would draw more.

    Parameters
    ----------
    power_w : shape (N,), what the job draws, mean over each step [W]
    step_s : length of a step [s]
    busy : shape (N,), whether the job holds the accelerator
    setting : floor, ramps and hysteresis
    kernels : plain or compiled

    Raises ValueError for negative numbers. Source: the parameters are those of NVML's power smoothing profiles (NVML
    API reference, group nvmlPowerSmoothing); what the hardware does with them is not published, so the law is assumed.
    Valid where a ramp takes several steps; windows of activation and the secondary floor are not modelled.

    >>> out = smooth(np.array([100.0, 700.0, 100.0]), 1.0, np.array([True, True, True]), GpuSmoothing(300.0, 250.0))
    >>> out.power_w.tolist(), out.withheld_w.tolist()
    ([300.0, 550.0, 300.0], [0.0, 150.0, 0.0])
    """
    require(power_w.shape == busy.shape, "busy must be as long as power_w")
    require(power_w >= 0, "power_w must not be negative")
    require(
        0 <= setting.floor_w < math.inf and setting.ramp_up_w_per_s >= 0 and setting.ramp_down_w_per_s >= 0,
        "floor and ramps must not be negative, nor the floor infinite",
    )
    armed = held(busy, step_s, setting.hysteresis_s)
    power = np.where(armed, np.maximum(power_w, setting.floor_w), power_w)
    rise, fall = setting.ramp_up_w_per_s * step_s, setting.ramp_down_w_per_s * step_s
    if not (math.isinf(rise) and math.isinf(fall)):
        out = kernels.empty(power.size)
        kernels.follow(kernels.row(power), rise, fall, out)
        power = np.asarray(out, dtype=np.float64)
    return Smoothed(power, np.maximum(power_w - power, 0.0))
