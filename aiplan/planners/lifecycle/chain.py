"""Electrical losses from the grid to the racks, as a factor on what servers and cooling draw.

Pure functions of numbers, on the loss curves of the power planner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.losses import Losses


@dataclass(frozen=True, slots=True)
class PowerChain:
    """Grid, transformer, UPS, PDU, IT in a row; cooling and the rest join below the transformer.

    Attributes
    ----------
    transformer, ups, pdu : losses of each
    usable : load of every level at the design hour over its rating: what redundancy leaves, e.g. 3/4 for 4N/3 [1]
    """

    transformer: Losses
    ups: Losses
    pdu: Losses
    usable: float = 1.0

    def __post_init__(self) -> None:
        require(0 < self.usable <= 1, "usable must be above 0 and at most 1")

    def _ups(self, load: float) -> tuple[float, float]:
        """Input of the UPS at a load and its rating, over rated IT power [1]."""
        pdu_rated = 1.0 / self.usable
        ups_rated = float(self.pdu.input_w(1.0, pdu_rated)) / self.usable
        return float(self.ups.input_w(self.pdu.input_w(load, pdu_rated), ups_rated)), ups_rated

    def hall_loss(self, load: float) -> float:
        """Losses of UPS and PDU over IT power: what warms the hall [1]; load is IT power over rated IT power."""
        require(0 < load <= 1, "load must be above 0 and at most 1")
        return self._ups(load)[0] / load - 1.0

    def pue(self, mechanical: npt.ArrayLike, load: float, design_mechanical: float, other: float = 0.0) -> Array:
        """Power at the grid over IT power [1].

        Parameters
        ----------
        mechanical : power of cooling over IT power, any shape [1]
        load : IT power over rated IT power, above 0 and at most 1 [1]
        design_mechanical : cooling over IT power at the design hour, which the transformer is sized for [1]
        other : lighting and the like over IT power [1]
        """
        require(0 < load <= 1, "load must be above 0 and at most 1")
        rated = (self._ups(1.0)[0] + design_mechanical + other) / self.usable
        output = self._ups(load)[0] + (as_array(mechanical) + other) * load
        return np.asarray(self.transformer.input_w(output, rated) / load)
