"""A site hour by hour: what its grid connection carries when cooling changes with the weather and IT does not.

Pure functions of numbers. The electrical chain is the power planner's, cooling the cooling planner's; here they meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.flows import Chain, chain
from aiplan.planners.power.tree import UPS, Level

NODES = 9
"""Points at which the chain is computed whole. Losses above the UPS are a polynomial of the load, whose degree doubles
with every level: nine points carry three such levels."""
MOST = 10.0
"""Most power of cooling over IT power that is looked for; a polynomial says nothing of what is beyond [1]."""


@dataclass(frozen=True, slots=True)
class Supply:
    """A chain at a fixed IT load, for any power of cooling.

    Attributes
    ----------
    it_w : IT power [W]
    other_w : lighting and the like [W]
    loss_w : losses by level, each a Chebyshev series over cooling from 0 to `MOST` times IT [W]
    """

    it_w: float
    other_w: float
    loss_w: dict[str, Array]

    def losses_w(self, mechanical: npt.ArrayLike) -> dict[str, Array]:
        """Losses of every level [W] for a power of cooling over IT power, any shape [1].

        Raises ValueError beyond `MOST`.
        """
        at = 2.0 * as_array(mechanical) / MOST - 1.0
        require(np.abs(at) <= 1.0 + 1e-9, f"power of cooling must be 0 to {MOST:g} times that of IT")
        return {kind: np.asarray(np.polynomial.chebyshev.chebval(at, series)) for kind, series in self.loss_w.items()}

    def grid_w(self, mechanical: npt.ArrayLike) -> Array:
        """Power at the grid [W]: IT, cooling, losses and the rest."""
        lost = sum(self.losses_w(mechanical).values(), np.zeros(()))
        return np.asarray(self.it_w * (1.0 + as_array(mechanical)) + self.other_w + lost)


def supply(levels: Sequence[Level], row_w: Array, other: float) -> Supply:
    """The chain for every power of cooling.

    Parameters
    ----------
    levels : grid side first, rows last
    row_w : what the racks of each row draw, shape (rows,) [W]
    other : lighting and the like over IT power [1]

    The chain is computed at Chebyshev points and interpolated: the result is exact to rounding.
    """
    points = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    found = [chain(levels, row_w, float(MOST * (1.0 + point) / 2.0), other) for point in points]
    losses = {
        level.kind: as_array(
            np.polynomial.chebyshev.chebfit(points, [one.flows[place].loss_w for one in found], NODES - 1)
        )
        for place, level in enumerate(levels)
    }
    return Supply(found[0].it_w, found[0].other_w, losses)


def hall_loss(levels: Sequence[Level], flow: Chain) -> float:
    """Losses from the UPS down over IT power [1]: what warms the hall; transformers above the UPS stand outside it."""
    first = next((place for place, level in enumerate(levels) if level.kind == UPS), 0)
    return sum(one.loss_w for one in flow.flows[first:]) / flow.it_w


def blocks_needed(contract_w: float, block_w: float) -> int:
    """Equal blocks that use up a grid connection; the last one may stand partly empty.

    >>> blocks_needed(100e6, 8.4e6)
    12
    """
    return max(1, int(np.ceil(contract_w / block_w - 1e-9)))
