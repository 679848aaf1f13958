"""What may stand in a fleet: generations by period of purchase, and how values by generation are read for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.world import Bools, Ints, World


@dataclass(frozen=True, slots=True)
class Vintages:
    """What may stand in the fleet.

    Attributes
    ----------
    generation : index of the generation, shape (..., K); may differ between draws
    bought : period of purchase, shape (K,); negative for servers owned at the start
    owned : servers of it at the start, shape (..., K); 0 for those yet to be bought [1]
    paid_usd : price once paid for owned ones, shape (..., K) [USD]
    """

    generation: Ints
    bought: Ints
    owned: Array
    paid_usd: Array

    @property
    def old(self) -> Bools:
        """Which are owned at the start, shape (K,)."""
        return np.asarray(self.bought < 0)


def all_vintages(world: World, owned: Vintages | None = None) -> Vintages:
    """Every generation in every period in which it is sold, and what is owned; of a world without draws.

    Raises ValueError for a world with draws.
    """
    require(world.generations.available_years.ndim == 1, "vintages can be listed of one world, not of draws")
    sold = on_sale(world)
    generation, bought = np.nonzero(sold)
    order = np.lexsort((generation, bought))
    generation, bought = generation[order], bought[order]
    zeros = np.zeros(len(bought))
    found = Vintages(generation, bought, zeros, zeros)
    return found if owned is None else joined(owned, found)


def joined(first: Vintages, second: Vintages) -> Vintages:
    """Two lists as one."""
    lead = np.broadcast_shapes(first.generation.shape[:-1], second.generation.shape[:-1])

    def wide(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
        parts = [np.broadcast_to(x, (*lead, x.shape[-1])) for x in (a, b)]
        return np.concatenate(parts, axis=-1)

    return Vintages(
        wide(first.generation, second.generation), np.concatenate([first.bought, second.bought]),
        wide(first.owned, second.owned), wide(first.paid_usd, second.paid_usd),
    )  # fmt: skip


def on_sale(world: World) -> Bools:
    """Whether a generation can be bought at the start of a period and stand in the site, shape (..., G, T)."""
    gens, starts = world.generations, world.clock.starts_years
    tolerance = 1e-9
    open_ = gens.available_years[..., None] <= starts + tolerance
    still = starts <= gens.last_sale_years[..., None] + tolerance
    useful = world.site.hosts & (gens.capacity_per_s > 0).any(axis=-1)
    return np.asarray(open_ & still & useful[..., None])


def pick(values: npt.NDArray[Any], generation: Ints) -> npt.NDArray[Any]:
    """Values by generation, shape (..., G), for vintages, shape (..., K)."""
    values = as_array(values) if values.dtype != np.bool_ else values
    if values.ndim == 0 or values.shape[-1] == 1:
        lead = np.broadcast_shapes(values.shape[:-1], generation.shape[:-1])
        return np.broadcast_to(values, (*lead, generation.shape[-1]))
    if generation.ndim == 1 or values.ndim == 1:
        return np.asarray(values[..., generation])
    lead = np.broadcast_shapes(values.shape[:-1], generation.shape[:-1])
    return np.take_along_axis(np.broadcast_to(values, (*lead, values.shape[-1])),
                              np.broadcast_to(generation, (*lead, generation.shape[-1])), axis=-1)  # fmt: skip


def pick_rows(values: Array, generation: Ints) -> Array:
    """Values by generation and class, shape (..., G, W), for vintages, shape (..., K, W)."""
    if values.ndim == 2:
        return np.asarray(values[generation])
    return np.stack([pick(values[..., w], generation) for w in range(values.shape[-1])], axis=-1)
