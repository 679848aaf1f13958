"""How fast, and over what range, power changes within a window of time."""

from __future__ import annotations

import math

import numpy as np

from aiplan.planners.arrays import Array, require

WHOLE = 1e-9
"""A window this near a whole number of steps is that number: 0.3 / 0.1 is not 3 in binary."""


def whole_steps(step_s: float, window_s: float) -> tuple[int, float]:
    """Steps in a window: the whole number and the fraction that is left.

    Raises ValueError where the window is shorter than a step: what happens inside a step nobody knows.
    """
    steps = window_s / step_s
    require(steps >= 1.0 - WHOLE, f"a window of {window_s:g} s is shorter than the step of {step_s:g} s")
    whole = math.floor(steps + WHOLE * max(steps, 1.0))
    part = steps - whole
    return whole, part if part > WHOLE * max(steps, 1.0) else 0.0


def ramp(power_w: Array, step_s: float, window_s: float) -> Array:
    """Change of power over a window, for every step at which one can begin, divided by the window [W/s].

    ``(P(t + w) - P(t)) / w``. Between two steps P is the straight line between them, so that a window need not be a
    whole number of steps. Empty where the record is shorter than the window.

    Parameters
    ----------
    power_w : shape (N,), mean over each step [W]
    step_s, window_s : [s]

    Raises ValueError where the window is shorter than a step.
    Source: reference power-stabilisation, section 4.2.
    """
    whole, part = whole_steps(step_s, window_s)
    later = power_w[whole:]
    if part > 0.0:
        later = (1.0 - part) * later[:-1] + part * later[1:]
    return np.asarray((later - power_w[: later.size]) / window_s, dtype=np.float64)


def ranges(power_w: Array, step_s: float, window_s: float, least_w: Array | None = None) -> Array:
    """Largest less smallest power within a window, for every step at which one can begin [W].

    Both ends of the window belong to it: the range is never below ``window_s`` times the steepest ramp of the same
    window. A window that is no whole number of steps is rounded down. Empty where the record is shorter than the
    window. Work grows with N, not with the window.

    Parameters
    ----------
    power_w : shape (N,), mean over each step [W]; with ``least_w``, shape (N,), the largest and the smallest of it
    step_s, window_s : [s]

    Raises ValueError where the window is shorter than a step.
    Source: reference power-stabilisation, section 4.2 (dynamic range).
    """
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    width = whole_steps(step_s, window_s)[0] + 1
    count = power_w.size - width + 1
    if count <= 0:
        return np.empty(0, dtype=np.float64)
    # scipy centres its window: the one that begins at i stands at i + width // 2.
    inside = slice(width // 2, width // 2 + count)
    most = maximum_filter1d(power_w, width, mode="nearest")[inside]
    least = minimum_filter1d(power_w if least_w is None else least_w, width, mode="nearest")[inside]
    return np.asarray(most - least, dtype=np.float64)
