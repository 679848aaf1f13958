"""Waves whose lines, ramps and flicker are known in closed form, as means over each step."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from aiplan.planners.arrays import Array

RATE_HZ = 50.0


def means(integral: Callable[[Array], Array], size: int, rate_hz: float = RATE_HZ) -> Array:
    """Mean over each step of what has this integral over time."""
    return np.diff(integral(np.arange(size + 1) / rate_hz)) * rate_hz


def square(
    high: float, low: float, duty: float, period_s: float, size: int, phase: float = 0.0, rate_hz: float = RATE_HZ
) -> Array:
    """Two levels, high first; ``phase`` in periods."""

    def integral(time: Array) -> Array:
        periods = np.floor(time / period_s + phase)
        rest = time + (phase - periods) * period_s
        return low * time + (high - low) * (periods * duty * period_s + np.minimum(rest, duty * period_s))

    return means(integral, size, rate_hz)


def sine(amplitude: float, f_hz: float, size: int, phase: float = 0.0, rate_hz: float = RATE_HZ) -> Array:
    """``amplitude sin(2 pi f t + phase)``."""
    angle = 2.0 * math.pi * f_hz
    return means(lambda time: -amplitude * np.cos(angle * time + phase) / angle, size, rate_hz)


def line_w(high: float, low: float, duty: float, k: int) -> float:
    """Amplitude of line k of a square wave. Reference power-stabilisation, section 5."""
    return 2.0 * (high - low) * abs(math.sin(math.pi * k * duty)) / (k * math.pi)
