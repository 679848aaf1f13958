"""What each level of the tree allows, in watts at the racks, and how the levels nest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.power.design import Design
from aiplan.planners.power.flows import ancestors, chain, row_load_at
from aiplan.planners.power.packing import Domains, Ints, totals
from aiplan.planners.power.redundancy import best_pairs_w, flex_usable
from aiplan.planners.power.tree import UPS

GRID = "contract"
PLANT = "cooling"


@dataclass(frozen=True, slots=True)
class Outline:
    """One level as a limit.

    Attributes
    ----------
    name : kind of the level, or `GRID`, `PLANT`
    usable_w : on the level's output, shape (domains,) [W]; for the grid on what it delivers
    rack_w : the same at the racks, losses and cooling taken off, shape (domains,) [W]
    above : the domain above each row, None where rows rise together
    """

    name: str
    usable_w: Array
    rack_w: Array
    above: Ints | None

    @property
    def total_w(self) -> float:
        """IT power that the level allows [W]."""
        return float(self.rack_w.sum())


def outlines(design: Design, mechanical: float) -> list[Outline]:
    """Every level as a limit, grid first, rows last, then the cooling plant where it has one."""
    levels = design.levels
    shape = levels[-1].usable_w
    ups = next((place for place, level in enumerate(levels) if level.kind == UPS), None)
    own = None if ups is None else _of_ups(design, ups, shape)
    contract = np.array([design.contract_w])
    # What is pooled may be spread as it loses least.
    shapes = _shapes(design, own, shape)
    grids = [_outline(design, mechanical, GRID, -1, contract, one) for one in shapes]
    best = max(range(len(shapes)), key=lambda number: grids[number].total_w)
    shape, found = shapes[best], [grids[best]]
    for place, level in enumerate(levels):
        if own is not None and place == ups:
            found.append(own)
        else:
            found.append(_outline(design, mechanical, level.kind, place, level.usable_w, shape))
    if np.isfinite(design.cooling_w):
        one = np.array([design.cooling_w])
        found.append(Outline(PLANT, one, one, np.zeros(len(shape), dtype=np.int64)))
    return found


def _shapes(design: Design, ups: Outline | None, rows_w: Array) -> list[Array]:
    """Loads of rows in proportion: as full as rows and feeds let them be; where rows pool, by feeds alone, too [W]."""
    if ups is None or ups.above is None:
        return [rows_w]
    room = ups.rack_w[ups.above] / totals(ups.above, rows_w, len(ups.rack_w))[ups.above]
    own = np.asarray(rows_w * np.minimum(room, 1.0))
    return [own] if design.topology == "per-pdu" else [own, np.asarray(rows_w * room)]


def spread_rows(design: Design, found: list[Outline], rows_w: Array) -> Array:
    """Power of rows that pool it: even over those of a feed or, by feeds, over the hall, shape (rows,) [W]."""
    usable = design.levels[-1].usable_w
    ups = next((one for one in found if one.name == UPS), None)
    if ups is None or ups.above is None:
        return np.asarray(usable * rows_w.sum() / usable.sum())
    feed, size = ups.above, len(ups.rack_w)
    within = usable / totals(feed, usable, size)[feed]
    if design.topology == "per-ups":
        return np.asarray(within * totals(feed, rows_w, size)[feed])
    # A feed without rows carries nothing.
    used = np.unique(feed)
    return np.asarray(within * ups.rack_w[feed] / ups.rack_w[used].sum() * rows_w.sum())


def _outline(design: Design, mechanical: float, name: str, place: int, limit: Array, shape: Array) -> Outline:
    levels = design.levels
    if place == len(levels) - 1:
        return Outline(name, limit, limit, np.arange(len(shape)))
    together = pooling(design, name) == "sum"
    above = np.zeros(len(shape), dtype=np.int64) if together else ancestors(levels, place)
    limit = np.array([limit.sum()]) if together else limit

    def output(row_w: Array) -> Array:
        state = chain(levels, row_w, mechanical, design.other)
        if place < 0:
            return np.array([state.grid_w])
        node = state.flows[place].output_w
        return np.array([node.sum()]) if together else node

    load = row_load_at(output, limit, shape, above)
    if above is None:
        return Outline(name, limit, np.array([load.sum()]), None)
    return Outline(name, limit, totals(above, load, len(limit)), above)


def _of_ups(design: Design, place: int, shape: Array) -> Outline:
    """UPS by their domains: what a pair, or a UPS, may carry so that the loss of any one is survived."""
    levels = design.levels
    feed, limit = domain_limits(design, place)
    above = ancestors(levels, place + 1)
    # Below the UPS every node has one feed.
    row = feed[above if above is not None else np.arange(len(shape))]

    def output(row_w: Array) -> Array:
        drawn = chain(levels[place + 1 :], row_w, 0.0).flows[0].input_w
        return totals(feed, drawn, len(limit))

    load = row_load_at(output, limit, shape, row)
    return Outline(UPS, limit, totals(row, load, len(limit)), row)


def domain_limits(design: Design, place: int) -> tuple[Ints, Array]:
    """The domain of each node below the UPS, and what each domain may carry [W].

    A design with a scheme has equal UPS; named feeds are filled as far as the loss of any one UPS allows.
    """
    level, below = design.levels[place], design.levels[place + 1]
    pairs, feed = np.unique(np.sort(below.feeds, axis=1), axis=0, return_inverse=True)
    feed = feed.reshape(-1)
    usable = level.usable_w
    if design.scheme is not None:
        gain = flex_usable(design.scheme.usable, design.sheddable) / design.scheme.usable
        return feed, np.array([gain * design.scheme.domain_w(float(usable[pair[0]])) for pair in pairs])
    if np.all(pairs[:, 0] == pairs[:, 1]):
        return feed, usable[pairs[:, 0]]
    wanted = totals(feed, below.losses.input_w(below.usable_w, below.rated_w), len(pairs))
    matrix = np.zeros((len(usable), len(usable)))
    matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = wanted
    return feed, np.asarray(best_pairs_w(usable, matrix, design.sheddable)[pairs[:, 0], pairs[:, 1]])


def nested(design: Design, found: list[Outline]) -> Domains:
    """Domains for placing racks, in watts of nameplate.

    Pooling takes limits away: per-UPS those of rows, flat those of everything but the hall. Levels whose nodes do not
    nest (two UPS of a pair on different transformers) count through the hall, which takes the least of all.
    """
    carried, hall = design.demand.rated_w, hall_w(design, found)
    chosen = [(one, one.above) for one in found if one.above is not None and one.name not in (GRID, PLANT)]
    limits: list[Array] = []
    maps: list[Ints] = []
    for outline, node in reversed(chosen):
        distinct, number = np.unique(node, return_inverse=True)
        alone = pooling(design, outline.name) == "each"
        limits.append(np.asarray(carried(outline.rack_w[distinct]) if alone else np.full(len(distinct), np.inf)))
        maps.append(number.reshape(-1))
    above = []
    for lower, upper in pairwise(maps):
        first = np.unique(lower, return_index=True)[1]
        above.append(upper[first])
    above.append(np.zeros(len(limits[-1]), dtype=np.int64))
    places = np.full(len(design.levels[-1].names), float(design.places))
    return Domains((*limits, carried(np.array([hall]))), tuple(above), places)


def hall_w(design: Design, found: list[Outline]) -> float:
    """IT power that everything above the rows allows [W]."""
    return min(outline.total_w for outline in found if not _is_row(design, outline.name))


def pooling(design: Design, name: str) -> Literal["each", "sum", "free"]:
    """How a level limits: every node its own load, all of them together, or not at all.

    Per-UPS builds rows large enough for whatever the UPS feeds; flat pools what stands above the rows, too.
    """
    if name in (GRID, PLANT):
        return "sum"
    if _is_row(design, name):
        return "each" if design.topology == "per-pdu" else "free"
    return "sum" if design.topology == "flat" else "each"


def _is_row(design: Design, name: str) -> bool:
    """Whether a level lies below the UPS; without UPS, whether it is that of the rows."""
    kinds = [level.kind for level in design.levels]
    if name not in kinds:
        return False
    return kinds.index(name) > kinds.index(UPS) if UPS in kinds else name == kinds[-1]
