"""How many servers fit behind a grid connection, level by level.

One pure function of numbers: the tree, the racks, the rule by which a server counts, and the power of cooling per power
of IT at the worst hour and in the mean, which the caller supplies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.power.design import TOPOLOGIES, Design
from aiplan.planners.power.flows import Chain, chain
from aiplan.planners.power.levels import Limit, level_limits, rack_limits_w, servers_per_rack
from aiplan.planners.power.limits import Outline, hall_w, nested, outlines, pooling, spread_rows
from aiplan.planners.power.packing import Domains, Packed, most_racks, pack
from aiplan.planners.power.tree import UPS

BEYOND = 1e-9
"""How far a level may be above its limit by rounding [1]."""


class NoRackFits(ValueError):  # noqa: N818 - it says what happened
    """Not one rack can be placed; the message says what forbids it."""


@dataclass(frozen=True, slots=True)
class Provision:
    """What fits, what it draws, and what binds.

    Attributes
    ----------
    packed, per_rack : racks of each kind in each row; servers of one rack of each kind
    servers, gpus : in all
    it_w : IT power at the design hour, as the rule plans it [W]
    hall_w : IT power that contract, plant and UPS allow [W]
    limits, binding : every level, and the name of the one that allows the fewest servers
    worst, mean : the chain at the design hour and in the mean
    most_racks : upper bound on racks, not a whole number
    over : the largest probability of a node to exceed its limit, of all levels; None without classes [1]
    over_any : upper bound of the probability that any node does; None without classes [1]
    held : the largest share of a node's power that caps hold back; None without classes [1]
    """

    design: Design
    packed: Packed
    per_rack: Array
    servers: int
    gpus: int
    it_w: float
    hall_w: float
    limits: tuple[Limit, ...]
    binding: str
    worst: Chain
    mean: Chain
    most_racks: float
    over: float | None
    over_any: float | None
    held: float | None

    @property
    def stranded_w(self) -> float:
        """IT power that contract, plant and UPS allow and no rack uses [W]."""
        return max(self.hall_w - self.it_w, 0.0)

    @property
    def rated_w(self) -> float:
        """Nameplate of all servers, network included [W]."""
        return self.packed.power_w


def provision(design: Design, mechanical_worst: float, mechanical_mean: float) -> Provision:
    """How many servers fit, and the power of every level.

    Parameters
    ----------
    design : what is given
    mechanical_worst : power of cooling over IT power at the worst hour, for capacity [1]
    mechanical_mean : the same in the mean, for energy [1]

    Raises
    ------
    NoRackFits where nothing can be placed.

    The levels limit the racks in turn, see `limits.nested`. Losses bend with the load and rows are not equally full, so
    the hall's limit is then lowered until the grid and every level above the UPS are within theirs.
    """
    require(mechanical_worst >= 0 and mechanical_mean >= 0, "cooling cannot draw less than nothing")
    require(design.topology in TOPOLOGIES, f"topology is one of {', '.join(TOPOLOGIES)}")
    found = outlines(design, mechanical_worst)
    # All limits at once: by statistics one costs as much as many.
    own = [watts for rack in design.racks for watts in rack_limits_w(rack)]
    design.demand.rated_w(np.concatenate([*(one.rack_w for one in found), [one.total_w for one in found], own]))
    allowed = [servers_per_rack(rack, design) for rack in design.racks]
    per_rack = np.array([min(one.values()) for one in allowed])
    for rack, one in zip(design.racks, allowed, strict=True):
        if min(one.values()) < 1:
            tight = min(one, key=lambda name: one[name])
            raise NoRackFits(f"not one {rack.name} of {rack.plug_w / 1e3:g} kW fits into its rack: by {tight}")
    rack_w = np.array([rack.server_w for rack in design.racks]) * per_rack
    packed, domains, worst = _placed(design, rack_w, found, mechanical_worst)
    mean = min(_chains(design, found, packed, packed.power_w * design.mean_share, mechanical_mean),
               key=lambda one: one.grid_w)  # fmt: skip
    limits = level_limits(design, packed, allowed, found, worst)
    over = [limit.over for limit in limits if limit.over is not None]
    each = [limit.nodes_over for limit in limits if limit.nodes_over is not None]
    held = [limit.held for limit in limits if limit.held is not None]
    shares = np.array([rack.share for rack in design.racks])
    gpus = np.array([rack.gpus for rack in design.racks])
    return Provision(
        design, packed, per_rack, round(float(per_rack @ packed.counts)), round(float(gpus * per_rack @ packed.counts)),
        worst.it_w, hall_w(design, found), limits, _binding(limits), worst, mean,
        most_racks(rack_w, shares, domains), max(over, default=None), min(sum(each), 1.0) if each else None,
        max(held, default=None),
    )  # fmt: skip


def _placed(design: Design, rack_w: Array, found: list[Outline], mechanical: float) -> tuple[Packed, Domains, Chain]:
    """The most racks that fit as power is pooled, or as it would be pooled lower down: pooling takes no placement away.

    Losses bend with the load, and where whole racks stand decides how; without this a looser pooling could place a rack
    less than a tighter one.
    """
    settled = []
    why: NoRackFits | None = None
    for topology in TOPOLOGIES[: TOPOLOGIES.index(design.topology) + 1]:
        try:
            settled.append(_settle(replace(design, topology=topology), rack_w, found, mechanical))
        except NoRackFits as error:
            why = error
    if not settled:
        raise why or NoRackFits(_why_not(design, rack_w, found))
    packed = max(settled, key=lambda one: one[0].power_w)[0]
    worst, _ = _worst(design, found, packed, mechanical)
    return packed, nested(design, found), worst


def _worst(design: Design, found: list[Outline], packed: Packed, mechanical: float) -> tuple[Chain, float]:
    """The chain at the design hour, and how far it is beyond the limits above the UPS [1]."""
    chains = _chains(design, found, packed, float(design.demand.planned_w(packed.power_w)), mechanical)
    return min(((one, _beyond(design, one, found)) for one in chains), key=lambda pair: pair[1])


def _settle(
    design: Design, rack_w: Array, found: list[Outline], mechanical: float
) -> tuple[Packed, Domains, Chain]:  # fmt: skip
    """Racks placed so that no level above the UPS is beyond its limit, and none more would be within.

    The outlines take all rows as equally full. Where whole racks are not, the hall is lowered in proportion, and then
    brought as near the limit as a rack by halving.
    """

    def trial(hall: float) -> tuple[Packed, Domains, Chain, float]:
        packed, domains = _pack(design, rack_w, found, hall)
        if packed.counts.sum() < 1:
            raise NoRackFits(_why_not(design, rack_w, found))
        return packed, domains, *_worst(design, found, packed, mechanical)

    packed, domains, worst, beyond = trial(np.inf)
    good, bad = 0.0, packed.power_w
    while beyond > 1 + BEYOND:
        bad = packed.power_w
        good = min(bad / beyond, bad - float(rack_w.min()))
        packed, domains, worst, beyond = trial(good)
    while 0 < good < bad - float(rack_w.min()):
        middle = (good + bad) / 2.0
        more = trial(middle)
        if more[3] > 1 + BEYOND:
            bad = middle
        else:
            good, (packed, domains, worst, _) = middle, more
    return packed, domains, worst


def _pack(design: Design, rack_w: Array, found: list[Outline], hall: float) -> tuple[Packed, Domains]:
    """Racks placed below every limit of a topology and a limit of the hall."""
    shares = np.array([rack.share for rack in design.racks])
    domains = nested(design, found)
    domains = replace(domains, limit_w=(*domains.limit_w[:-1], np.minimum(hall, domains.limit_w[-1])))
    return pack(rack_w, shares, domains), domains


def _chains(design: Design, found: list[Outline], packed: Packed, total_w: float, mechanical: float) -> list[Chain]:
    """Chains for a power of all racks, dealt out as they stand and, where rows pool, as it loses least."""
    rows = packed.row_w
    spread = [rows] if design.topology == TOPOLOGIES[0] else [rows, spread_rows(design, found, rows)]
    return [chain(design.levels, one * (total_w / rows.sum()), mechanical, design.other) for one in spread]


def _beyond(design: Design, worst: Chain, found: list[Outline]) -> float:
    """How far the grid or a level above the UPS is beyond its limit; pooled power counts as one [1]."""
    ratios = [worst.grid_w / design.contract_w]
    for outline, flow in ((one, worst.flows[place]) for place, level in enumerate(design.levels)
                          for one in found if one.name == level.kind):  # fmt: skip
        if outline.name == UPS:
            break
        how, output = pooling(design, outline.name), flow.output_w
        if how == "each":
            ratios.append(float(np.max(output / outline.usable_w)))
        elif how == "sum":
            ratios.append(float(output.sum() / outline.usable_w.sum()))
    return max(ratios)


def _why_not(design: Design, rack_w: Array, found: list[Outline]) -> str:
    least = min(found, key=lambda outline: float(outline.rack_w.max()))
    return (
        f"not one rack of {float(design.demand.planned_w(rack_w.max())) / 1e3:.4g} kW fits: a domain of level "
        f"'{least.name}' carries {round(float(least.rack_w.max()) / 1e3, 3):.4g} kW at most"
    )


def _binding(limits: tuple[Limit, ...]) -> str:
    """The level that alone would allow the fewest servers; of equals the one nearest the grid."""
    return min((limit for limit in limits if limit.servers is not None), key=lambda limit: limit.servers or 0).name
