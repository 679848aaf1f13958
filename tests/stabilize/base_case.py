"""A job of 100,000 accelerators drawn with numpy alone, and plain ways to look at its power.

The job is the one whose figures stand in the tables of the reference notes on power stabilisation: 1,200 W each, 1.6 s
of computing at 0.95 of that and 0.4 s of communication at 0.35, durations jittered by 2 %, a lag of 30 ms; 8 s of
checkpoint at 0.20 every 150 iterations, 400 iterations, 20 s idle at 180 W at each end; 350 W beside it all the time.
"""

from __future__ import annotations

from functools import cache
from math import exp
from typing import NamedTuple

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.wave import Flags

COUNT, STEP_S, BOARD_W, BESIDE_W, IDLE_W = 100_000, 0.02, 1200.0, 350.0, 180.0
LAG_S = 0.03


class Job(NamedTuple):
    """Power of one accelerator [W], whether its job runs, and the steps of iterations without a checkpoint near."""

    power_w: Array
    busy: Flags
    steady: slice


def phases(seed: int) -> tuple[list[float], list[float]]:
    """Durations [s] and powers [W] of all phases."""
    chance = np.random.default_rng(seed)
    lengths, powers = [20.0], [IDLE_W]
    for number in range(1, 401):
        for length, share in ((1.6, 0.95), (0.4, 0.35)):
            lengths.append(length * (1.0 + 0.02 * float(chance.standard_normal())))
            powers.append(share * BOARD_W)
        if number % 150 == 0:
            lengths.append(8.0)
            powers.append(0.20 * BOARD_W)
    return [*lengths, 20.0], [*powers, IDLE_W]


def lagged(power_w: Array, lag_s: float = LAG_S, step_s: float = STEP_S) -> Array:
    """First-order lag."""
    share, last, out = 1.0 - exp(-step_s / lag_s), float(power_w[0]), []
    for value in power_w.tolist():
        last += share * (value - last)
        out.append(last)
    return np.array(out)


@cache
def base_job(seed: int = 0) -> Job:
    """The job, 855 s at 50 samples/s."""
    lengths, powers = phases(seed)
    ends = np.cumsum(lengths)
    at = (np.arange(round(float(ends[-1]) / STEP_S)) + 0.5) * STEP_S
    power = np.array(powers)[np.searchsorted(ends, at, side="right")]
    busy = (at > 20.0) & (at < ends[-2])
    first = round(float(ends[2 * 150 + 1]) / STEP_S) + 1000
    return Job(lagged(power), busy, slice(first, first + 12_000))


def site_mw(power_w: Array) -> Array:
    """Power of the whole job with what stands beside the accelerators [MW]."""
    return np.asarray(COUNT * (power_w + BESIDE_W) / 1e6)


def square(high: float, low: float, duty: float, steps: int, periods: int) -> Array:
    """A wave of two levels, ``steps`` to a period, beginning high."""
    one = np.where(np.arange(steps) < round(duty * steps), high, low)
    return np.tile(one.astype(np.float64), periods)


def windows(wave: Array, step_s: float = STEP_S) -> tuple[Array, Array]:
    """Frequencies [Hz] and spectra of 60 s records, Hann window, half overlapping, as amplitudes (peak of a sine)."""
    size = round(60.0 / step_s)
    weight = np.hanning(size + 1)[:-1]
    rows = np.stack([wave[at : at + size] for at in range(0, wave.size - size + 1, size // 2)])
    spectra = np.abs(np.fft.rfft((rows - rows.mean(axis=1, keepdims=True)) * weight, axis=1))
    return np.asarray(np.fft.rfftfreq(size, step_s)), np.asarray(2.0 * spectra / weight.sum(), dtype=np.float64)


def largest_line(wave: Array) -> tuple[float, float]:
    """Amplitude and frequency [Hz] of the largest line within 0.1 to 20 Hz, over all records."""
    hz, lines = windows(wave)
    inside = (hz >= 0.1) & (hz <= 20.0)
    most = lines[:, inside].max(axis=0)
    return float(most.max()), float(hz[inside][most.argmax()])


def band_rms(wave: Array, step_s: float = STEP_S) -> float:
    """Root mean square of what is within 0.1 to 20 Hz, mean of all records."""
    hz, lines = windows(wave, step_s)
    size = round(60.0 / step_s)
    weight = np.hanning(size + 1)[:-1]
    # Mean square from line amplitudes: a sine's own is half its square; a Hann window counts it 1.5 times.
    scale = weight.sum() ** 2 / (2.0 * size * (weight**2).sum())
    inside = (hz >= 0.1) & (hz <= 20.0)
    return float(np.sqrt((lines[:, inside] ** 2).mean(axis=0).sum() * scale))


def ramps(wave: Array, window_s: float = 1.0, step_s: float = STEP_S) -> tuple[float, float]:
    """Steepest rise and fall between moments ``window_s`` apart, per second; both positive."""
    apart = round(window_s / step_s)
    change = (wave[apart:] - wave[:-apart]) / window_s
    return float(change.max()), float(-change.min())
