"""From the power of the IT equipment to that at the point of interconnection.

Conversion follows every swing; cooling does not, since water and air take minutes to warm. That is why a fast swing
is not multiplied by the PUE: only by what conversion loses at the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.losses import Losses
from aiplan.planners.stabilize.waveform import lag

Conversion = Sequence[tuple[Losses, float]]
"""Devices in series from the IT equipment outwards, each with its rating, the sum of units that share the load [W]."""


@dataclass(frozen=True, slots=True, eq=False)
class FacilityPower:
    """Power at the point of interconnection, shape (N,) each.

    Attributes
    ----------
    total_w : IT equipment, loss, cooling and everything else [W]
    loss_w : of conversion [W]
    cooling_w : of cooling [W]
    """

    total_w: Array
    loss_w: Array
    cooling_w: Array


def poi_power_w(
    it_w: npt.ArrayLike,
    step_s: float,
    conversion: Conversion,
    cooling_fraction: float,
    cooling_time_constant_s: float,
    other_w: npt.ArrayLike = 0.0,
) -> FacilityPower:
    """Power at the point of interconnection, ``P_IT + loss(P_IT) + cooling + other``.

    Parameters
    ----------
    it_w : power of the IT equipment, shape (N,) [W]; below 0 where storage behind the conversion feeds back
    step_s : length of a step [s]
    conversion : UPS, transformers and so on that feed the IT equipment; they store nothing. A load above a rating is
        not refused: accelerators exceed theirs for moments. Power that is fed back loses as much as the same power
        drawn (assumed)
    cooling_fraction : power of cooling over that of IT in equilibrium [1]; fed past the conversion
    cooling_time_constant_s : of the first-order lag of cooling [s]; in equilibrium with the first power
    other_w : anything else at the point of interconnection, one number or shape (N,) [W]

    Raises
    ------
    ValueError for power that is not finite, negative fractions and time constants, and ratings not above 0.

    Source: equation of the reference on power stabilisation, section 4.1 (derived); a time constant of 60 to 300 s is
    its assumption.
    """
    power, other = as_array(it_w), as_array(other_w)
    require(power.ndim == 1 and power.size > 0, "it_w must be a row of at least one value")
    require(np.isfinite(power), "it_w must be finite")
    require(np.isfinite(other), "other_w must be finite")
    require(np.isfinite(cooling_fraction) and cooling_fraction >= 0, "cooling_fraction must not be negative")
    drawn = power
    for losses, rating_w in conversion:
        through = np.abs(drawn)
        drawn = drawn + losses.input_w(through, rating_w) - through
    loss = drawn - power
    cooling = lag(cooling_fraction * power, step_s, cooling_time_constant_s)
    return FacilityPower(power + loss + cooling + other, loss, cooling)
