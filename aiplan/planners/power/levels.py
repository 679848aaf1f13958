"""Every level of a placement: what it alone would allow, what it carries, and how full its fullest node is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.power.design import Design, Rack
from aiplan.planners.power.flows import Chain
from aiplan.planners.power.limits import GRID, PLANT, Outline, pooling
from aiplan.planners.power.packing import SLACK, Packed, totals

RACK, RACK_COOLING, SPACE = "rack", "rack cooling", "space"


@dataclass(frozen=True, slots=True)
class Limit:
    """One level as a limit: what it alone would allow, and what it carries.

    Attributes
    ----------
    name, count : kind of the level, and its nodes
    rated_w, usable_w : installed, and what may be used of it, on the level's output; usable None where it limits
        nothing [W]
    load_w : output at the design hour [W]
    it_w : IT power that it alone would allow; None for limits that are no watts [W]
    servers : that it alone would allow; None where it limits nothing
    fullest : plan of the fullest node over its limit [1]
    loss_w, efficiency : at the design hour [W], [1]
    over : probability that the fullest node exceeds its limit; None without classes [1]
    nodes_over : nodes above their limit at a time, in the mean: the probabilities of all nodes added up [1]
    worst_rated_w, worst_limit_w : nameplate and limit of the node with the largest probability [W]
    held : power that a cap then holds back at that node, over what it would draw, both in the mean [1]
    """

    name: str
    count: int
    rated_w: float
    usable_w: float | None
    load_w: float
    it_w: float | None
    servers: int | None
    fullest: float | None = None
    loss_w: float = 0.0
    efficiency: float | None = None
    over: float | None = None
    nodes_over: float | None = None
    worst_rated_w: float | None = None
    worst_limit_w: float | None = None
    held: float | None = None

    @property
    def headroom_w(self) -> float | None:
        """Usable minus load [W]."""
        return None if self.usable_w is None else self.usable_w - self.load_w


def rack_limits_w(rack: Rack) -> Array:
    """What a rack's feed and its cooling allow, as if its share of the network stood in it, shape (2,) [W]."""
    return np.array([rack.rated_w, rack.density_w]) * (rack.server_w / rack.plug_w)


def servers_per_rack(rack: Rack, design: Design) -> dict[str, float]:
    """Servers that a rack's feed, its cooling and its room would each allow [1].

    The network stands elsewhere: a rack carries its servers alone.
    """
    rated = design.demand.rated_w(rack_limits_w(rack)) / rack.server_w
    fed, cooled = (float(np.floor(value * (1 + SLACK))) for value in rated)
    return {RACK: fed, RACK_COOLING: cooled, SPACE: float(rack.slots)}


def level_limits(
    design: Design, packed: Packed, allowed: list[dict[str, float]], found: list[Outline], worst: Chain
) -> tuple[Limit, ...]:  # fmt: skip
    """Every level with what it alone would allow, grid first, then rack, its cooling and space.

    Parameters
    ----------
    packed : racks placed
    allowed : of each kind of rack, see `servers_per_rack`
    found : outlines of the levels
    worst : chain at the design hour
    """
    shares = np.array([rack.share for rack in design.racks])
    per_rack = float(shares @ np.array([min(one.values()) for one in allowed]))
    mean_rack_w = float(shares @ packed.rack_w)
    out: list[Limit] = []
    for outline in found:
        how = pooling(design, outline.name)
        rated = design.demand.rated_w(np.array([outline.total_w]) if how == "sum" else outline.rack_w)
        racks = rated / mean_rack_w * (1 + SLACK)
        # Racks of one kind come whole in every node; of several the mean says no more than their sum.
        servers = float((np.floor(racks) if len(design.racks) == 1 else racks).sum()) * per_rack
        out.append(_of_level(design, outline, worst, None if how == "free" else round(servers)))
    places = design.places * len(design.levels[-1].names)
    for name in (RACK, RACK_COOLING, SPACE):
        each = float(shares @ np.array([one[name] for one in allowed]))
        if np.isfinite(each):
            out.append(_of_racks(design, packed, worst, name, round(places * each)))
    return _filled(design, packed, out, {outline.name: outline for outline in found})


def _of_level(design: Design, outline: Outline, worst: Chain, servers: int | None) -> Limit:
    kinds = [level.kind for level in design.levels]
    if outline.name in (GRID, PLANT):
        load = worst.grid_w if outline.name == GRID else worst.it_w
        usable = float(outline.usable_w.sum())
        return Limit(outline.name, 1, usable, usable, load, outline.total_w, servers)
    place = kinds.index(outline.name)
    level, flow = design.levels[place], worst.flows[place]
    drawn = float(flow.input_w.sum())
    return Limit(
        outline.name, len(level.names), float(level.rated_w.sum()),
        None if servers is None else float(outline.usable_w.sum()), float(flow.output_w.sum()), outline.total_w,
        servers, loss_w=flow.loss_w, efficiency=float(flow.output_w.sum()) / drawn if drawn > 0 else None,
    )  # fmt: skip


def _of_racks(design: Design, packed: Packed, worst: Chain, name: str, servers: int) -> Limit:
    """Racks by what feeds them, by their cooling, or by their room."""
    racks = float(packed.counts.sum())
    if name == SPACE:
        places = round(design.places * len(design.levels[-1].names))
        return Limit(name, places, 0.0, None, worst.it_w, None, servers, fullest=racks / places)
    usable = float(packed.counts @ _rack_w(design, name))
    load = worst.it_w * float(_alone(design) @ (packed.rack_w * packed.counts)) / packed.power_w
    return Limit(name, round(racks), usable, usable, load, None, servers)


def _alone(design: Design) -> Array:
    """Servers without network over servers with it, by kind of rack [1]."""
    return np.array([rack.plug_w / rack.server_w for rack in design.racks])


def _rack_w(design: Design, name: str) -> Array:
    """Limit of a rack by what feeds it or by its cooling, by kind [W]."""
    return np.array([rack.rated_w if name == RACK else rack.density_w for rack in design.racks])


def _filled(design: Design, packed: Packed, limits: list[Limit], found: dict[str, Outline]) -> tuple[Limit, ...]:
    """Limits with how full their fullest node is; all nodes of all levels at once."""
    nodes = [_nodes(design, packed, limit, found) for limit in limits]
    rated, limit_w, many = (np.concatenate([node[side] for node in nodes]) for side in (0, 1, 2))
    loads = design.demand.loads(rated, limit_w)
    plan = design.demand.planned_w(rated) if loads is None else loads[0]
    out, start = [], 0
    for limit, (watts, _, _) in zip(limits, nodes, strict=True):
        here = slice(start, start + len(watts))
        start += len(watts)
        if not len(watts):
            out.append(limit)
            continue
        full = replace(limit, fullest=float((plan[here] / limit_w[here]).max()))
        if loads is not None:
            over, held = loads[1][here], loads[2][here]
            worst = int(np.argmax(over))
            full = replace(full, over=float(over[worst]), held=float(held.max()), nodes_over=float(over @ many[here]),
                           worst_rated_w=float(watts[worst]), worst_limit_w=float(limit_w[here][worst]))  # fmt: skip
        out.append(full)
    return tuple(out)


def _nodes(design: Design, packed: Packed, limit: Limit, found: dict[str, Outline]) -> tuple[Array, Array, Array]:
    """Nameplate watts under the nodes of a level, and their limits at the racks [W]; equal nodes once, and how many."""
    none = np.zeros(0), np.zeros(0), np.zeros(0)
    if limit.name in (RACK, RACK_COOLING):
        used = packed.counts > 0
        return packed.rack_w[used], (_rack_w(design, limit.name) / _alone(design))[used], packed.counts[used]
    if limit.name == SPACE or limit.servers is None:
        return none
    outline, rows = found[limit.name], packed.row_w
    if outline.above is None or pooling(design, outline.name) == "sum":
        return np.array([rows.sum()]), np.array([outline.total_w]), np.ones(1)
    rated = totals(outline.above, rows, len(outline.rack_w))
    used = rated > 0
    # What differs by rounding is equal.
    pairs = np.round(np.stack([rated[used], outline.rack_w[used]]), 3)
    both, many = np.unique(pairs, axis=1, return_counts=True)
    return both[0], both[1], many.astype(np.float64)
