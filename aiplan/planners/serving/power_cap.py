"""Clocks and power caps: what an accelerator draws, and how much longer it takes, when it runs slower.

Two ways to the same law. A locked clock is given as a share of the highest (`at_clock`); a cap in watts is met by the
highest clock that stays below it (`capped`), which is what the board's firmware does. Time bound by arithmetic
stretches with the clock, time bound by memory, links or the host does not. Boundary: one accelerator, or a group of
equal ones with all its watts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array, require

CLOCK_EXPONENT = 2.4
"""Power above idle goes with the clock to this power: 1 for the clock itself and the rest for the voltage that falls
with it, less than the 3 of textbooks because voltage falls less than the clock; assumed [1]."""
HBM_PJ_PER_BYTE = 31.0
"""Energy of the memory devices for a byte, which the clock of the chip does not change: 3.92 pJ/bit of HBM2
(O'Connor et al., MICRO 2017); taken for its successors, which is an assumption [pJ/B]."""
LEAST_CLOCK = 0.15
"""Lowest clock over the highest that boards offer: 210 of 1,410 MHz on A100; assumed for others [1]."""

_HALVINGS = 50


def unclocked_power_w(tdp_w: Any, idle_share: Any, memory_bytes_per_s: Any) -> Array:
    """Power that a lower clock does not save: idle, and the memory devices at work [W].

    ``P_0 = idle_share TDP + 31 pJ/B x bytes per second``

    Parameters
    ----------
    tdp_w : thermal design power of the accelerators considered [W]
    idle_share : see `power_constants.PowerConstants`, their fitted share at zero activity [1]
    memory_bytes_per_s : read and written by all of them; ``Activity.mbu`` times bandwidth [B/s]

    Source: see `HBM_PJ_PER_BYTE`. Adding both is ours; the rest of a byte's energy in the power law (236 pJ with
    chip, caches and wires) follows the clock.

    >>> round(float(unclocked_power_w(700, 0.107, 0.7 * 3.35e12)))
    148
    """
    return np.asarray(
        as_array(tdp_w) * as_array(idle_share) + 1e-12 * HBM_PJ_PER_BYTE * as_array(memory_bytes_per_s),
        dtype=np.float64,
    )


def least_cap_w(tdp_w: Any, idle_share: Any, hbm_bytes_per_s: Any) -> Array:
    """Cap that an accelerator can keep whatever it is given to do [W]: all of TDP at the lowest clock, memory at work.

    Parameters
    ----------
    tdp_w, idle_share : see `unclocked_power_w`
    hbm_bytes_per_s : peak bandwidth of those accelerators [B/s]

    Vendors' own floors are near: 200 W on H100 SXM (nvidia-smi), where this says:

    >>> round(float(least_cap_w(700, 0.107, 3.35e12)))
    184
    """
    fixed = np.minimum(unclocked_power_w(tdp_w, idle_share, hbm_bytes_per_s), as_array(tdp_w))
    return at_clock(tdp_w, fixed, LEAST_CLOCK, 0.0)[0]


def _checked(power_w: Any, idle_w: Any, compute_share: Any) -> tuple[Array, Array, Array]:
    power, idle, share = as_array(power_w), as_array(idle_w), as_array(compute_share)
    require((idle >= 0) & (power >= 0), "power_w and idle_w must not be negative")
    require((share >= 0) & (share <= 1), "compute_share must lie between 0 and 1")
    return power, idle, share


def _slowdown(clock: Array, share: Array) -> Array:
    return np.asarray(1.0 - share + share / clock, dtype=np.float64)


def at_clock(power_w: Any, idle_w: Any, clock: Any, compute_share: Any) -> tuple[Array, Array]:
    """Power and slowdown at a locked clock.

    ``P = P_0 + (P_1 - P_0) f^2.4``, ``t / t_1 = 1 - c + c / f``

    Parameters
    ----------
    power_w : P_1, drawn at the highest clock [W]
    idle_w : P_0, what the clock does not change, see `unclocked_power_w`; where it exceeds P_1, nothing changes [W]
    clock : f, over the highest, above 0 and at most 1 [1]
    compute_share : c, share of the time at the highest clock that arithmetic bounds [1]

    Returns
    -------
    power [W] and time over that at the highest clock [1]; shapes broadcast.

    Raises ValueError for negative watts, a share outside 0 to 1, or a clock outside (0, 1].

    Source: dynamic power ``C V^2 f`` with a voltage that falls with the clock; the exponent is assumed. Time: roofline,
    one part that goes with the clock and one that does not. Limits: memory bandwidth falls as well at very low
    clocks, and below the voltage floor power falls only with f; down to 0.7 of the uncapped power the law meets a
    published sweep within 3 %, at 0.57 it is a fifth too fast, and below it is no guide.

    Prefill, all compute, at two thirds of the clock:

    >>> [round(float(value), 2) for value in at_clock(700, 100, 2 / 3, 1.0)]
    [326.74, 1.5]
    """
    power, idle, share = _checked(power_w, idle_w, compute_share)
    scale = as_array(clock)
    require((scale > 0) & (scale <= 1), "clock must be above 0 and at most 1")
    above = np.maximum(power - idle, 0.0)
    drawn = np.where(power > idle, idle + above * scale**CLOCK_EXPONENT, power)
    shape = np.broadcast_shapes(drawn.shape, scale.shape, share.shape)
    return np.broadcast_to(drawn, shape).copy(), np.broadcast_to(_slowdown(scale, share), shape).copy()


def clock_under_cap(power_w: Any, idle_w: Any, cap_w: Any) -> Array:
    """Highest clock that keeps power under a cap [1]: ``((cap - P_0) / (P_1 - P_0))^(1/2.4)``, at most 1.

    Raises ValueError for negative watts, and for a cap that cannot be met: not above idle where more is drawn.

    >>> round(float(clock_under_cap(700, 100, 350)), 3)
    0.694
    """
    power, idle, _ = _checked(power_w, idle_w, 0.0)
    cap = as_array(cap_w)
    binding = ~(power <= cap)  # a cap that is no number is refused below
    require(~binding | (cap > idle), "cap_w must be above what the accelerator draws whatever its clock")
    room, above = np.where(binding, cap - idle, 1.0), np.where(binding, power - idle, 1.0)
    return np.asarray(np.where(binding, (room / above) ** (1.0 / CLOCK_EXPONENT), 1.0), dtype=np.float64)


def capped(power_w: Any, idle_w: Any, cap_w: Any, compute_share: Any) -> tuple[Array, Array]:
    """Power and slowdown under a cap.

    Parameters
    ----------
    power_w, idle_w, compute_share : see `at_clock`
    cap_w : most that may be drawn, of the same accelerators as ``power_w`` [W]

    Returns
    -------
    power, never above the cap [W], and time over that without it, at least 1 [1]; shapes broadcast. Energy of the
    same work goes with their product.

    Raises ValueError for negative watts, a share outside 0 to 1, or a cap that cannot be met.

    Source and limits: see `at_clock`. Phases that draw less than the cap are not slowed: decode on H200 drew 137 to
    300 of 700 W (arXiv:2605.11999), so give each phase's own power rather than a mean.

    Prefill at 700 W under half of it; decode at 300 W does not notice.

    >>> [round(float(value), 2) for value in capped(700, 100, 350, 1.0)]
    [350.0, 1.44]
    >>> [float(value) for value in capped(300, 100, 350, 0.2)]
    [300.0, 1.0]
    """
    power, idle, share = _checked(power_w, idle_w, compute_share)
    clock = clock_under_cap(power, idle, cap_w)
    drawn = np.minimum(power, as_array(cap_w))
    shape = np.broadcast_shapes(drawn.shape, clock.shape, share.shape)
    return np.broadcast_to(drawn, shape).copy(), np.broadcast_to(_slowdown(clock, share), shape).copy()


def clock_of_least_energy(power_w: Any, idle_w: Any, compute_share: Any, least: Any = LEAST_CLOCK) -> Array:
    """Clock at which the same work takes the least energy, between ``least`` and 1 [1].

    Energy goes with ``(P_0 + D f^a) (1 - c + c / f)``, D being ``P_1 - P_0``; it has one minimum, where
    ``a D (1 - c) f^(a+1) + (a - 1) c D f^a = c P_0``.

    Parameters
    ----------
    power_w, idle_w, compute_share : see `at_clock`
    least : lowest clock allowed [1]

    Raises ValueError for negative watts, a share outside 0 to 1, or ``least`` outside (0, 1].

    Only the accelerator's energy: a host that waits along moves the minimum up; add its watts to ``idle_w`` and
    ``power_w`` for the server's.

    All compute has a closed form, ``(P_0 / ((a - 1) D))^(1/a)``:

    >>> round(float(clock_of_least_energy(700, 100, 1.0)), 3), round(float((100 / (1.4 * 600)) ** (1 / 2.4)), 3)
    (0.412, 0.412)
    """
    power, idle, share = _checked(power_w, idle_w, compute_share)
    bottom = as_array(least)
    require((bottom > 0) & (bottom <= 1), "least must be above 0 and at most 1")
    above = np.maximum(power - idle, 0.0)

    def rising(clock: Array) -> Array:
        slope = CLOCK_EXPONENT * (1.0 - share) * clock + (CLOCK_EXPONENT - 1.0) * share
        return np.asarray(above * clock**CLOCK_EXPONENT * slope - share * np.minimum(idle, power), dtype=np.float64)

    low, high = np.broadcast_arrays(bottom, np.ones(np.broadcast_shapes(above.shape, share.shape, bottom.shape)))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        too_fast = rising(middle) > 0
        low, high = np.where(too_fast, low, middle), np.where(too_fast, middle, high)
    # Work that the clock neither slows nor makes dearer may as well run at the highest.
    return np.asarray(np.where((above > 0) | (share > 0), high, 1.0), dtype=np.float64)
