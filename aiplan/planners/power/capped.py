"""Caps behind every level's worst node: how often, how deep, how much energy, and which class gives way first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.power.capping import (
    HOURS_PER_YEAR,
    cap_by_priority,
    cap_cost,
    latency_factor,
    linear_law,
    slowdowns,
)
from aiplan.planners.power.demand import Mix
from aiplan.planners.power.multiplexing import class_powers_w
from aiplan.planners.power.provision import Provision

FIRST = {"training": 0, "other": 1, "inference": 2}
"""Priority by work where none is given: the lowest is capped first."""


@dataclass(frozen=True, slots=True)
class CappedLevel:
    """The worst node of a level.

    Attributes
    ----------
    level : its kind; UPS that feed rows in pairs count by pair
    servers, limit_w : behind the node, and its limit at the racks [1], [W]
    probability : share of time in which they want more [1]
    depth : part of the power wanted that is then held back, both as means while capped [1]
    energy_wh : held back in a year [Wh]
    """

    level: str
    servers: float
    limit_w: float
    probability: float
    depth: float
    energy_wh: float


@dataclass(frozen=True, slots=True)
class CappedClass:
    """A class behind the worst node of all.

    Attributes
    ----------
    name, priority, servers : the class; the lowest priority is capped first
    wanted_w, cut_w : power in the mean while the node is capped, and what is taken of it [W]
    slowdown : time over that without a cap, while capped [1]
    latency : the same over all time [1]
    """

    name: str
    priority: int
    servers: float
    wanted_w: float
    cut_w: float
    slowdown: float
    latency: float


def capped_levels(found: Provision) -> list[CappedLevel]:
    """Every level with classes of servers behind it, grid first; empty without classes."""
    demand = found.design.demand
    limits = [one for one in found.limits if one.worst_rated_w is not None and one.worst_limit_w is not None]
    if demand.mix is None or not limits:
        return []
    servers = np.maximum(np.rint(np.array([one.worst_rated_w for one in limits]) / demand.reference_w), 1.0)
    limit_w = np.array([one.worst_limit_w for one in limits], dtype=float)
    moments, fixed = demand.mix.moments(servers), servers * demand.mix.constant_w
    # What does not vary shifts the sum and both its ends.
    whole = replace(moments, mean_w=moments.mean_w + fixed, floor_w=moments.floor_w + fixed,
                    peak_w=moments.peak_w + fixed)  # fmt: skip
    cost = cap_cost(whole, limit_w, HOURS_PER_YEAR, demand.mix.method)
    return [
        CappedLevel(limit.name, float(many), float(watts), float(chance), float(depth), float(energy))
        for limit, many, watts, chance, depth, energy in zip(
            limits, servers, limit_w, cost.probability, cost.depth_fraction, cost.capped_energy_wh, strict=True
        )
    ]


def worst_level(levels: Sequence[CappedLevel]) -> CappedLevel:
    """The level whose worst node is capped most often; of equals the one nearest the grid."""
    return max(levels, key=lambda one: one.probability)


def capped_classes(
    mix: Mix, node: CappedLevel, priorities: Sequence[int], slower: Sequence[float]
) -> list[CappedClass]:
    """Who gives way behind a node, in the order of the mix.

    Parameters
    ----------
    priorities : of each class, the lowest is capped first, equal ones in proportion to what they draw above their floor
    slower : time grows by this times the part of power taken [1]

    While capped, every class draws what a straight line through its mean says for the node's mean power then, within
    its floor and peak; the cap takes the mean excess.
    """
    counts = mix.counts(node.servers)
    some = [replace(item, count=counts[place]) for place, item in enumerate(mix.classes)]
    least, most = (np.array([float(getattr(item, end)) for item in mix.classes]) * counts
                   for end in ("floor_w", "peak_w"))  # fmt: skip
    total = node.limit_w / (1.0 - node.depth) if node.depth < 1 else node.limit_w
    wanted = np.clip(class_powers_w(some, total - node.servers * mix.constant_w, mix.between), least, most)
    cut = cap_by_priority(wanted, least, priorities, total - node.limit_w).cut_w
    slow = slowdowns(wanted, cut, [linear_law(one) for one in slower])
    shares = np.array([1.0 - node.probability, node.probability])
    late = latency_factor(shares, np.stack([np.ones(slow.shape), slow], axis=-1))
    return [
        CappedClass(item.name, priority, *(float(one) for one in values))
        for item, priority, *values in zip(mix.classes, priorities, counts, wanted, cut, slow, late, strict=True)
    ]


def priorities_of(classes: Mapping[str, tuple[str, int | None]]) -> list[int]:
    """Priorities by class: those given, by the work of others; ``classes`` holds work and priority by name."""
    return [FIRST[work] if given is None else given for work, given in classes.values()]
