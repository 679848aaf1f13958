"""Closed forms of a wave of two levels: what mitigation costs and how much storage it takes, without simulation.

A wave is ``high_w`` for the share ``duty_fraction`` of its period and ``low_w`` for the rest; its swing is the
difference. All functions broadcast and take one accelerator's power as well as a site's. Power that is always there
may be in both levels or in neither; shares are of the mean of what was given. What is negative, not a number or out of
range raises ValueError.

Source: Fourier series and geometry of the wave; relations and worked cases as in section 5 of the reference on power
stabilisation (derived). They hold for a wave without lag, jitter, skew, losses and converter limits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

SECONDS_PER_YEAR = 8760.0 * 3600.0
FLAT = "duty_fraction must lie within 0 and 1"


def _levels(high_w: npt.ArrayLike, low_w: npt.ArrayLike) -> tuple[Array, Array]:
    high, low = as_array(high_w), as_array(low_w)
    require((low >= 0) & (high >= low) & np.isfinite(high), "levels must be finite, 0 <= low_w <= high_w")
    return high, low


def _duty(duty_fraction: npt.ArrayLike) -> Array:
    duty = as_array(duty_fraction)
    require((duty >= 0) & (duty <= 1), FLAT)
    return duty


def _amount(value: npt.ArrayLike, name: str) -> Array:
    amount = as_array(value)
    require((amount >= 0) & np.isfinite(amount), f"{name} must be finite and not negative")
    return amount


def _above(value: npt.ArrayLike, name: str) -> Array:
    amount = as_array(value)
    require(amount > 0, f"{name} must be above 0")
    return amount


def mean_power_w(high_w: npt.ArrayLike, low_w: npt.ArrayLike, duty_fraction: npt.ArrayLike) -> Array:
    """Mean ``d H + (1 - d) L`` [W].

    >>> float(mean_power_w(100.0, 40.0, 0.8))
    88.0
    """
    high, low = _levels(high_w, low_w)
    duty = _duty(duty_fraction)
    return np.asarray(duty * high + (1.0 - duty) * low)


def ac_rms_w(high_w: npt.ArrayLike, low_w: npt.ArrayLike, duty_fraction: npt.ArrayLike) -> Array:
    """Root mean square around the mean, ``(H - L) sqrt(d (1 - d))`` [W].

    >>> round(float(ac_rms_w(100.0, 40.0, 0.8)), 6)
    24.0
    """
    high, low = _levels(high_w, low_w)
    duty = _duty(duty_fraction)
    return np.asarray((high - low) * np.sqrt(duty * (1.0 - duty)))


def line_amplitude_w(
    high_w: npt.ArrayLike, low_w: npt.ArrayLike, duty_fraction: npt.ArrayLike, harmonic: npt.ArrayLike
) -> Array:
    """Amplitude of line k at k over the period, ``2 (H - L) |sin(pi k d)| / (pi k)``, peak of the sine [W].

    >>> [round(float(line_amplitude_w(100.0, 40.0, 0.8, k)), 3) for k in (1, 2, 3)]
    [22.452, 18.164, 12.109]
    """
    high, low = _levels(high_w, low_w)
    order = as_array(harmonic)
    require((order >= 1) & (order == np.floor(order)), "harmonic must be a whole number from 1")
    turns = np.pi * order
    return np.asarray(2.0 * (high - low) * np.abs(np.sin(turns * _duty(duty_fraction))) / turns)


def floored_low_w(high_w: npt.ArrayLike, low_w: npt.ArrayLike, floor_w: npt.ArrayLike) -> Array:
    """Low level under a floor, ``max(L, F)`` [W]; a floor above the high level is refused."""
    high, low = _levels(high_w, low_w)
    floor = _amount(floor_w, "floor_w")
    require(floor <= high, "floor_w must not be above high_w")
    return np.maximum(low, floor)


def floor_overhead_fraction(
    high_w: npt.ArrayLike, low_w: npt.ArrayLike, duty_fraction: npt.ArrayLike, floor_w: npt.ArrayLike
) -> Array:
    """Energy that a floor adds over the energy without it, ``(1 - d) (max(F, L) - L) / mean`` [1].

    With 114 and 42 MW of accelerators, 35 MW around them and a floor at 90 % of 120 MW:

    >>> round(float(floor_overhead_fraction(149.0, 77.0, 0.8, 143.0)), 4)
    0.0981
    """
    _, low = _levels(high_w, low_w)
    added = (1.0 - _duty(duty_fraction)) * (floored_low_w(high_w, low_w, floor_w) - low)
    return _over_mean(added, mean_power_w(high_w, low_w, duty_fraction))


def largest_overhead_fraction(high_w: npt.ArrayLike, low_w: npt.ArrayLike, duty_fraction: npt.ArrayLike) -> Array:
    """Energy that a floor at the high level adds, ``(1 - d) (H - L) / mean`` [1]; no floor or ramp costs more.

    >>> round(float(largest_overhead_fraction(149.0, 77.0, 0.8)), 3)
    0.107
    """
    return floor_overhead_fraction(high_w, low_w, duty_fraction, high_w)


def residual_swing_w(high_w: npt.ArrayLike, low_w: npt.ArrayLike, floor_w: npt.ArrayLike) -> Array:
    """Swing that a floor leaves, ``H - max(F, L)`` [W]."""
    return np.asarray(as_array(high_w) - floored_low_w(high_w, low_w, floor_w))


def effective_low_w(
    high_w: npt.ArrayLike,
    low_w: npt.ArrayLike,
    floor_w: npt.ArrayLike,
    ramp_down_w_per_s: npt.ArrayLike,
    low_duration_s: npt.ArrayLike,
) -> Array:
    """Lowest power under a floor and a slow ramp down, ``max(L, F, H - r t)`` [W].

    Parameters
    ----------
    ramp_down_w_per_s : r, infinite for none [W/s]
    low_duration_s : t, length of the low phase [s]

    With a slow ramp the floor stops mattering: 10 MW/s for 0.4 s leaves 110 of 114 MW, whatever the floor below it.

    >>> float(effective_low_w(114e6, 42e6, 78e6, 10e6, 0.4)) / 1e6
    110.0
    """
    floored = floored_low_w(high_w, low_w, floor_w)
    fall = _above(ramp_down_w_per_s, "ramp_down_w_per_s") * _above(low_duration_s, "low_duration_s")
    return np.maximum(floored, as_array(high_w) - fall)


def ramped_overhead_fraction(
    high_w: npt.ArrayLike,
    low_w: npt.ArrayLike,
    duty_fraction: npt.ArrayLike,
    floor_w: npt.ArrayLike,
    ramp_down_w_per_s: npt.ArrayLike,
    low_duration_s: npt.ArrayLike,
) -> Array:
    """Energy that a floor and a slow ramp down add over the energy without them [1].

    Power falls from H at the rate r until it meets ``B = max(F, L)`` or the low phase of length t ends. With
    ``s = min(t, (H - B) / r)`` the phase keeps ``(B - L) t + (H - B) s - r s^2 / 2`` beyond its own energy. Rises are
    free. Parameters as in `effective_low_w`.
    """
    high, low = _levels(high_w, low_w)
    floored = floored_low_w(high_w, low_w, floor_w)
    rate, length = _above(ramp_down_w_per_s, "ramp_down_w_per_s"), _above(low_duration_s, "low_duration_s")
    require(np.isfinite(length), "low_duration_s must be finite")
    falling = np.minimum(length, (high - floored) / rate)
    steep = np.where(np.isinf(rate), 0.0, rate)
    kept = (floored - low) * length + (high - floored) * falling - steep * falling**2 / 2.0
    added = (1.0 - _duty(duty_fraction)) * kept / length
    return _over_mean(added, mean_power_w(high_w, low_w, duty_fraction))


def _over_mean(added_w: Array, mean_w: Array) -> Array:
    require(mean_w > 0, "the wave must have a mean above 0")
    return np.asarray(added_w / mean_w)


def mean_discharge_w(swing_w: npt.ArrayLike, duty_fraction: npt.ArrayLike) -> Array:
    """Mean over the whole period of what storage gives to keep the wave flat, ``d (1 - d) dP`` [W].

    >>> round(float(mean_discharge_w(72.0, 0.8)), 2)
    11.52
    """
    duty = _duty(duty_fraction)
    return np.asarray(duty * (1.0 - duty) * _amount(swing_w, "swing_w"))


def converter_power_w(swing_w: npt.ArrayLike, duty_fraction: npt.ArrayLike) -> Array:
    """Rating of the converter that keeps the wave flat, ``max(d, 1 - d) dP`` [W].

    >>> round(float(converter_power_w(72.0, 0.8)), 1)
    57.6
    """
    duty = _duty(duty_fraction)
    return np.asarray(np.maximum(duty, 1.0 - duty) * _amount(swing_w, "swing_w"))


def iteration_storage_j(swing_w: npt.ArrayLike, duty_fraction: npt.ArrayLike, period_s: npt.ArrayLike) -> Array:
    """Usable energy that keeps the wave flat, from the fullest to the emptiest moment, ``d (1 - d) dP T`` [J].

    >>> round(float(iteration_storage_j(72e6, 0.8, 2.0)) / 1e6, 2)
    23.04
    """
    return np.asarray(mean_discharge_w(swing_w, duty_fraction) * _above(period_s, "period_s"))


def ramp_duration_s(swing_w: npt.ArrayLike, ramp_w_per_s: npt.ArrayLike) -> Array:
    """Time that the grid takes for a step at its ramp limit, ``dP / R`` [s].

    >>> round(float(ramp_duration_s(96e6, 10e6 / 60.0)), 1)
    576.0
    """
    return np.asarray(_amount(swing_w, "swing_w") / _above(ramp_w_per_s, "ramp_w_per_s"))


def ramp_storage_j(swing_w: npt.ArrayLike, ramp_w_per_s: npt.ArrayLike) -> Array:
    """Energy between a step of the load and the grid's ramp, ``dP^2 / (2 R)`` [J].

    Storage gives it at a start and takes it at a stop. Accelerators that hold the ramp themselves withhold it as work
    or burn it.

    >>> round(float(ramp_storage_j(96e6, 10e6)) / 1e6)
    461
    >>> slow = float(ramp_storage_j(96e6, 10e6 / 60.0))
    >>> round(slow / 1e9, 1), round(slow / 3.6e9, 1)
    (27.6, 7.7)
    """
    return np.asarray(_amount(swing_w, "swing_w") * ramp_duration_s(swing_w, ramp_w_per_s) / 2.0)


def checkpoint_storage_j(mean_w: npt.ArrayLike, checkpoint_w: npt.ArrayLike, duration_s: npt.ArrayLike) -> Array:
    """Energy that holds the mean through a checkpoint, ``(mean - C) t`` [J]; negative where C lies above the mean.

    >>> round(float(checkpoint_storage_j(134.6e6, 59e6, 8.0)) / 1e6, 1)
    604.8
    """
    gap = _amount(mean_w, "mean_w") - _amount(checkpoint_w, "checkpoint_w")
    return np.asarray(gap * _amount(duration_s, "duration_s"))


def unsaturated_storage_j(swing_w: npt.ArrayLike, ramp_w_per_s: npt.ArrayLike, time_constant_s: npt.ArrayLike) -> Array:
    """Energy with which half-full storage never saturates at a step, ``2 (dP^2 / (2 R) + dP tau)`` [J].

    Sufficient, not necessary: the filter of the set-point and its ramp overlap in time. Steps that follow each other
    before the state of charge is back, and losses, are not in it.

    Parameters
    ----------
    ramp_w_per_s : R, steepest set-point; infinite for none [W/s]
    time_constant_s : tau of its low-pass filter [s]
    """
    filtered = _amount(swing_w, "swing_w") * _amount(time_constant_s, "time_constant_s")
    return np.asarray(2.0 * (ramp_storage_j(swing_w, ramp_w_per_s) + filtered))


def full_cycles_per_year(
    swing_w: npt.ArrayLike,
    duty_fraction: npt.ArrayLike,
    energy_j: npt.ArrayLike,
    uptime_fraction: npt.ArrayLike = 1.0,
) -> Array:
    """Equivalent full cycles a year of storage that keeps the wave flat, ``8760 h u d (1 - d) dP / E`` [1].

    Parameters
    ----------
    energy_j : E, energy of one full cycle [J]
    uptime_fraction : u, share of the year in which the wave is there [1]

    >>> round(float(full_cycles_per_year(72e6, 0.8, 3.6e9)), -3)
    101000.0
    """
    share = as_array(uptime_fraction)
    require((share >= 0) & (share <= 1), "uptime_fraction must lie within 0 and 1")
    given = mean_discharge_w(swing_w, duty_fraction) * SECONDS_PER_YEAR * share
    return np.asarray(given / _above(energy_j, "energy_j"))


def longest_flat_period_s(energy_j: npt.ArrayLike, swing_w: npt.ArrayLike, duty_fraction: npt.ArrayLike) -> Array:
    """Longest period that storage alone keeps flat, ``e / (d (1 - d) dP)`` [s]; infinite without a swing.

    65 J for each accelerator with a swing of 700 W, at a duty of 0.5 and 0.8:

    >>> [round(float(longest_flat_period_s(65.0, 700.0, duty)), 2) for duty in (0.5, 0.8)]
    [0.37, 0.58]
    """
    energy, given = np.broadcast_arrays(_amount(energy_j, "energy_j"), mean_discharge_w(swing_w, duty_fraction))
    return np.asarray(np.divide(energy, given, out=np.full(energy.shape, np.inf), where=given > 0))
