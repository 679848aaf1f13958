"""Power through the tree from the rows to the grid: IT, losses and cooling, node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.power.packing import Ints, totals
from aiplan.planners.power.tree import UPS, Level

STEPS = 60
CLOSE = 1e-13
"""Relative change at which a load that meets a limit is taken as found [1]."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Power of the nodes of one level [W], shape (nodes,)."""

    output_w: Array
    input_w: Array

    @property
    def loss_w(self) -> float:
        """Lost in all nodes [W]."""
        return float(self.input_w.sum() - self.output_w.sum())


@dataclass(frozen=True, slots=True)
class Chain:
    """Flows of all levels, grid side first, and what else the grid feeds [W].

    ``mechanical_w`` is cooling, ``other_w`` lighting and the like; both join the chain above the UPS.
    """

    flows: tuple[Flow, ...]
    it_w: float
    mechanical_w: float
    other_w: float
    joined_at_grid: bool

    @property
    def loss_w(self) -> float:
        """Lost in the whole chain [W]."""
        return sum(flow.loss_w for flow in self.flows)

    @property
    def grid_w(self) -> float:
        """Drawn from the grid [W]."""
        beside = self.mechanical_w + self.other_w if self.joined_at_grid else 0.0
        return float(self.flows[0].input_w.sum()) + beside

    @property
    def pue(self) -> float:
        """Power of the facility over that of its IT [1]."""
        return self.grid_w / self.it_w


def joins(levels: Sequence[Level]) -> int:
    """The level whose nodes feed the cooling: the one above the UPS, -1 for the grid itself."""
    return next((place - 1 for place, level in enumerate(levels) if level.kind == UPS), -1)


def chain(levels: Sequence[Level], row_w: Array, mechanical: float, other: float = 0.0) -> Chain:
    """Power through every node for loads of the rows.

    Two feeds share a load in halves. Cooling and the rest are dealt out over the nodes that feed them as IT is.

    Parameters
    ----------
    levels : grid side first, rows last
    row_w : what the racks of each row draw, shape (rows,) [W]
    mechanical, other : power of cooling and of the rest over IT power [1]
    """
    it = float(row_w.sum())
    at = joins(levels)
    output = row_w
    found: list[Flow] = []
    for place in range(len(levels) - 1, -1, -1):
        level = levels[place]
        if place == at and output.sum() > 0:
            output = output * (1.0 + (mechanical + other) * it / output.sum())
        drawn = level.losses.input_w(output, level.rated_w)
        found.append(Flow(output, drawn))
        if place:
            size = len(levels[place - 1].names)
            output = sum((totals(level.feeds[:, side], drawn / 2.0, size) for side in (0, 1)),
                         start=np.zeros(size))  # fmt: skip
    return Chain(tuple(reversed(found)), it, mechanical * it, other * it, at < 0)


def ancestors(levels: Sequence[Level], place: int) -> Ints | None:
    """The node of a level above each row, or None where some rows have two."""
    found = np.repeat(np.arange(len(levels[-1].names))[:, None], 2, axis=1)
    for level in reversed(levels[place + 1 :]):
        # Only rows fed from two UPS have two nodes above, and each of these has one.
        found = np.stack([level.feeds[found[:, 0], 0], level.feeds[found[:, 1], 1]], axis=1)
    return None if np.any(found[:, 0] != found[:, 1]) else np.asarray(found[:, 0])


def row_load_at(
    output_w: Callable[[Array], Array], limit_w: Array, shape_w: Array, above: Ints | None
) -> Array:  # fmt: skip
    """Loads of the rows at which nodes above them meet their limits, shape (rows,) [W].

    Parameters
    ----------
    output_w : from loads of the rows to the output of each node [W]
    limit_w : on that output, shape (nodes,) [W]
    shape_w : loads of the rows in proportion to each other, shape (rows,) [W]
    above : the node above each row: every node is brought to its own limit; None: all rows rise together until the
        first node meets its limit

    By repeated division by what is used: losses bend little, so that a few steps settle it.
    """
    load = shape_w
    for _ in range(STEPS):
        output = output_w(load)
        room = np.divide(limit_w, output, out=np.full(len(output), np.inf), where=output > 0)
        step = np.full(len(load), room.min()) if above is None else room[above]
        load = load * step
        if np.all(np.abs(step - 1.0) < CLOSE):
            break
    return np.asarray(load)
