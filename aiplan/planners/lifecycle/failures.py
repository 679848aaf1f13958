"""Failures: how often units fail, and what interruptions leave of the time.

Two kinds are kept apart. A *permanent* failure takes a unit out of the fleet: its yearly share enters survival. An
*interruption* (a fault that a restart clears) enters nothing but the time that is useful. Fed into survival,
interruptions would bury units that went on working: 419 interruptions in 54 days on 16,384 GPUs are 17 % per GPU-year,
permanent failures about 4 % (second-hand: research-viewer.pages.dev, after Cui et al. 2025 and Meta).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

DAYS_PER_YEAR = 365.0
HOURS_PER_YEAR = 8760.0


def _not_negative(value: npt.ArrayLike, what: str) -> Array:
    numbers = as_array(value)
    require(np.isfinite(numbers) & (numbers >= 0), f"{what} must be finite and not negative")
    return numbers


def failures_per_unit_year(events: npt.ArrayLike, units: npt.ArrayLike, days: npt.ArrayLike) -> Array:
    """Rate of failures observed, ``events / (units days / 365)`` [1/unit-year]; shapes broadcast.

    Llama 3 training (second-hand): 148 GPU faults in 54 days on 16,384 GPUs.

    >>> round(float(failures_per_unit_year(148, 16_384, 54)), 4)
    0.0611
    """
    count, many, span = _not_negative(events, "events"), as_array(units), as_array(days)
    require((many > 0) & (span > 0), "units and days must be above 0")
    return np.asarray(count * DAYS_PER_YEAR / (many * span))


def effective_time_fraction(interruptions_per_year: npt.ArrayLike, lost_h: npt.ArrayLike) -> Array:
    """Share of calendar time that was useful, ``1 - n h / 8760``, with n interruptions counted in calendar time [1].

    Parameters
    ----------
    interruptions_per_year : of the whole job, planned and unplanned [1/year]
    lost_h : hours lost by each, its time out and the work done twice [h]

    Raises ValueError where more hours are lost than there are: such a rate cannot have been counted.
    """
    count, lost = _not_negative(interruptions_per_year, "interruptions"), _not_negative(lost_h, "hours lost")
    share = 1.0 - count * lost / HOURS_PER_YEAR
    require(share >= 0, "more hours are lost than the year has")
    return np.asarray(share)
