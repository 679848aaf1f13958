"""Flicker by IEC 61000-4-15, from the envelope of the voltage that a changing load leaves."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize.edges import soften

LEAST_RATE_HZ = 50.0
"""Values a second below which flicker is not judged: the eye's response reaches to 25 Hz."""
BLOCK_S = 600.0
"""Length of record of a short-term severity, IEC 61000-4-15 [s]."""
HIGH_PASS_HZ, LOW_PASS_HZ, LOW_PASS_ORDER = 0.05, 35.0, 6
"""Demodulator's filters for 230 V and 50 Hz: first order, and Butterworth. IEC 61000-4-15, from memory (unverified)."""
LAMP_GAIN, LAMP_DAMPING_HZ = 1.74802, 4.05981
LAMP_HZ = (9.15494, 2.27979, 1.22535, 21.9)
"""Weighting filter of a 230 V, 60 W lamp and the eye: gain, lambda / 2 pi, omega 1 to 4 / 2 pi. IEC 61000-4-15, from
memory (unverified); the tables of the standard that the tests hold it to come from memory as well."""
SMOOTHING_S = 0.3
"""Time constant of the memory of the eye, IEC 61000-4-15 [s]."""
REFERENCE_HZ, REFERENCE_CHANGE = 8.8, 0.0025
"""A sinusoidal change of this size, peak to peak over the voltage, is just perceived: instantaneous flicker of 1."""
REST_S = 40.0
"""Time between the end of the record and its beginning, where filters in the frequency domain meet [s]."""
PERCENTS = (0.1, 0.7, 1.0, 1.5, 2.2, 3.0, 4.0, 6.0, 8.0, 10.0, 13.0, 17.0, 30.0, 50.0, 80.0)
WEIGHTS = (0.0314, *(0.0525 / 3,) * 3, *(0.0657 / 3,) * 3, *(0.28 / 5,) * 5, *(0.08 / 3,) * 3)
"""Shares of time above a level, and what the level counts in the severity: 0.1 % alone, 1, 3, 10 and 50 % smoothed."""

Complex = npt.NDArray[np.complex128]


def voltage_change(
    power_w: Array, short_circuit_va: float, grid_angle_deg: float = 85.0, power_factor: float = 1.0
) -> Array:
    """Relative fall of the voltage that the load's power makes, shape (N,) [1].

    ``d = S cos(psi - phi) / S_sc`` with S the load's apparent power, psi the angle of the grid's impedance and phi that
    of the load. Source: IEC 61000-3-7 and 61000-3-3 (unverified). Valid while d is a few percent.

    Raises ValueError unless short-circuit power is above 0 and the power factor within (0, 1].
    """
    require(short_circuit_va > 0.0, "short_circuit_va must be above 0")
    require(0.0 < power_factor <= 1.0, "power_factor must be within (0, 1]")
    angle = math.radians(grid_angle_deg) - math.acos(power_factor)
    return np.asarray(power_w * (math.cos(angle) / (power_factor * short_circuit_va)), dtype=np.float64)


def weighting(frequency_hz: npt.ArrayLike) -> Complex:
    """Complex gain from relative voltage change to what the eye sees of it, demodulator's filters included [1]."""
    s = 2j * np.pi * np.asarray(frequency_hz, dtype=np.float64)
    one, two, three, four = (2.0 * math.pi * hz for hz in LAMP_HZ)
    damping = 2.0 * math.pi * LAMP_DAMPING_HZ
    lamp = LAMP_GAIN * one * s / (s * s + 2.0 * damping * s + one**2)
    lamp = lamp * (1.0 + s / two) / ((1.0 + s / three) * (1.0 + s / four))
    gain = lamp * s / (s + 2.0 * math.pi * HIGH_PASS_HZ)
    order = LOW_PASS_ORDER
    for pole in range(order):
        root = np.exp(0.5j * math.pi * (2 * pole + 1 + order) / order)
        gain = gain / (s / (2.0 * math.pi * LOW_PASS_HZ) - root)
    return np.asarray(gain, dtype=np.complex128)


def _perceived() -> float:
    """Largest smoothed square that the reference change makes: a mean and a ripple of twice its frequency."""
    amplitude = abs(complex(weighting(REFERENCE_HZ))) * REFERENCE_CHANGE / 2.0
    ripple = 1.0 / math.hypot(1.0, 4.0 * math.pi * REFERENCE_HZ * SMOOTHING_S)
    return 0.5 * amplitude**2 * (1.0 + ripple)


def instantaneous(change_fraction: Array, step_s: float) -> Array:
    """Instantaneous flicker, twice as many values a second as were given, shape (2 N,) [1].

    Filters run in the frequency domain; the square is taken at twice the rate, so that nothing folds back. Calibrated
    to a largest value of 1 at a sinusoidal change of 0.250 % at 8.8 Hz. Begins as if the load had been steady before.

    Parameters
    ----------
    change_fraction : shape (N,), relative voltage change, mean over each step [1]
    step_s : [s]

    Raises ValueError below 50 values a second. Source: IEC 61000-4-15, 230 V and 50 Hz lamp.
    """
    from scipy.fft import next_fast_len
    from scipy.signal import lfilter

    require(step_s * LEAST_RATE_HZ <= 1.0 + 1e-9, f"flicker needs {LEAST_RATE_HZ:g} values a second")
    row = soften(change_fraction - change_fraction[0])
    size = int(next_fast_len(row.size + math.ceil(REST_S / step_s), real=True))
    rest = size - row.size
    joined = np.concatenate((row, row[-1] * (1.0 - np.arange(1, rest + 1) / (rest + 1.0))))
    frequency = np.arange(size // 2 + 1) / (size * step_s)
    seen = np.fft.rfft(joined) * weighting(frequency) / np.sinc(frequency * step_s)
    if size % 2 == 0:
        seen[-1] = 0.0  # half the rate itself has no phase, so it cannot be filtered
    signal = 2.0 * np.fft.irfft(seen, 2 * size)[: 2 * row.size]
    keep = math.exp(-0.5 * step_s / SMOOTHING_S)
    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], signal**2) / _perceived(), dtype=np.float64)


def severity(flicker: Array) -> float:
    """Short-term severity Pst of a block of instantaneous flicker [1].

    ``sqrt(0.0314 P0.1 + 0.0525 P1s + 0.0657 P3s + 0.28 P10s + 0.08 P50s)``, P the level exceeded for that percentage of
    time and s its mean with its neighbours. Source: IEC 61000-4-15, section on Pst (coefficients as commonly cited).
    """
    levels = np.percentile(flicker, 100.0 - np.asarray(PERCENTS))
    return math.sqrt(max(0.0, float(np.dot(WEIGHTS, levels))))


def blocks(size: int, step_s: float) -> tuple[tuple[int, int], ...]:
    """First and last-but-one step of each 10-minute block, the last one flush with the end; a short record is one."""
    length = round(BLOCK_S / step_s)
    if size <= length:
        return ((0, size),)
    first = [*range(0, size - length, length), size - length]
    return tuple((start, start + length) for start in first)
