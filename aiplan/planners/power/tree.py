"""The electrical tree from the grid to the rows: levels of nodes, each fed by one node above it or by two.

A tree is given as counts (so many equal nodes per level) or as named nodes. Whatever is wrong with named nodes is
collected and told at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.packing import Ints
from aiplan.planners.power.redundancy import Scheme

UPS = "ups"
ALLOWED = 1e-9
"""Rounding allowed where a child's rating meets its parent's [1]."""


@dataclass(frozen=True, slots=True)
class Level:
    """Nodes of one kind.

    Attributes
    ----------
    kind : ``transformer``, ``ups``, ``pdu``, ...
    names : of the nodes
    rated_w : ratings, on the side of the load, shape (nodes,) [W]
    derate : share of the rating that may be used, shape (nodes,) [1]
    losses : coefficients of every node, per unit of its rating
    feeds : the one or two nodes above, shape (nodes, 2); the same number twice where there is one
    spare : nodes that carry no load in normal state (block redundancy), shape (nodes,)
    """

    kind: str
    names: tuple[str, ...]
    rated_w: Array
    derate: Array
    losses: Losses
    feeds: Ints
    spare: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def usable_w(self) -> Array:
        """Ratings after derating, shape (nodes,) [W]."""
        return np.asarray(self.rated_w * self.derate)


@dataclass(frozen=True, slots=True)
class Kind:
    """What all nodes of a level have in common, and how many they are.

    ``oversubscription`` is how far one may be rated above one of the level that feeds it.
    """

    kind: str
    losses: Losses
    derate: float = 1.0
    count: int = 0
    rated_w: float = 0.0
    oversubscription: float = 1.0


@dataclass(frozen=True, slots=True)
class Node:
    """A named node: what feeds it (no name for the root, two for redundant feeds), and its rating [W].

    ``derate`` is the share of the rating that may be used; ``oversubscription`` how far a node may be rated above what
    feeds it.
    """

    name: str
    kind: str
    parents: tuple[str, ...]
    rated_w: float
    derate: float = 1.0
    oversubscription: float = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a tree: the place of the node in the list given, and what it is."""

    place: int
    message: str


class TreeError(ValueError):
    """Named nodes or counts that are no tree; ``faults`` holds all of them."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def from_counts(kinds: Sequence[Kind], scheme: Scheme) -> list[Level]:
    """Levels of equal nodes, each level dealt out evenly over the one above.

    Parameters
    ----------
    kinds : first the level nearest the grid
    scheme : redundancy of the level ``ups``; the level below it is fed from pairs where the scheme shares loads

    Raises
    ------
    TreeError for a level without nodes or rating, several levels ``ups``, UPS that do not form whole groups, and nodes
    rated above what feeds them.
    """
    faults = [Fault(place, f"level '{kind.kind}' needs a count and a rating above 0")
              for place, kind in enumerate(kinds) if kind.count < 1 or not kind.rated_w > 0]  # fmt: skip
    units = [place for place, kind in enumerate(kinds) if kind.kind == UPS]
    faults += [Fault(place, "there is a level 'ups' already") for place in units[1:]]
    if not units and scheme.name != "n":
        faults.append(Fault(0, f"redundancy {scheme.name} needs a level 'ups'"))
    faults += [
        Fault(place, f"{kinds[place].count} UPS do not form groups of {scheme.group}, as {scheme.name} needs")
        for place in units[:1]
        if kinds[place].count % scheme.group
    ]
    for place, (over, kind) in enumerate(pairwise(kinds), start=1):
        if kind.rated_w > over.rated_w * kind.oversubscription * (1 + ALLOWED):
            faults.append(Fault(place, f"one {kind.kind} is rated {kind.rated_w / 1e3:g} kW, above the "
                                f"{over.rated_w / 1e3:g} kW of the {over.kind} that feeds it"))  # fmt: skip
    if units and units[0] == len(kinds) - 1:
        faults.append(Fault(units[0], "below the UPS a level with rows (PDU or busway) is missing"))
    if not kinds:
        faults.append(Fault(0, "a tree needs at least one level"))
    if faults:
        raise TreeError(faults)
    levels: list[Level] = []
    for kind in kinds:
        above = levels[-1] if levels else None
        numbers = np.arange(kind.count)
        if above is None:
            feeds = np.zeros((kind.count, 2), dtype=np.int64)
        elif above.kind == UPS:
            feeds = domain_feeds(scheme, len(above.names))[numbers * _domains(scheme, above) // kind.count]
        else:
            feeds = np.repeat((numbers * len(above.names) // kind.count)[:, None], 2, axis=1)
        spare = numbers % scheme.group == scheme.group - 1 if kind.kind == UPS and scheme.name == "n+1" else numbers < 0
        names = tuple(f"{kind.kind}-{number + 1}" for number in numbers)
        levels.append(Level(kind.kind, names, np.full(kind.count, kind.rated_w), np.full(kind.count, kind.derate),
                            kind.losses, feeds, spare))  # fmt: skip
    return levels


def _domains(scheme: Scheme, above: Level) -> int:
    return len(above.names) // scheme.group * scheme.domains


def domain_feeds(scheme: Scheme, units: int) -> Ints:
    """The UPS of every domain of equal groups, shape (domains, 2)."""
    if scheme.shared:
        pairs = np.array([(i, j) for i in range(scheme.group) for j in range(i + 1, scheme.group)])
    else:
        pairs = np.repeat(np.arange(scheme.domains)[:, None], 2, axis=1)
    starts = np.arange(units // scheme.group) * scheme.group
    return np.asarray((pairs[None, :, :] + starts[:, None, None]).reshape(-1, 2), dtype=np.int64)


def from_nodes(nodes: Sequence[Node], kinds: dict[str, Losses]) -> list[Level]:
    """Levels of named nodes, below a single root, which stands for the grid and is no level itself.

    Parameters
    ----------
    nodes : in any order
    kinds : losses of the kinds that have any

    Raises
    ------
    TreeError for names that come twice, unknown parents, no root or several, cycles, ratings that are not above zero,
    nodes rated above what feeds them, and levels that mix kinds: all of them at once.
    """
    faults = [*_bad_names(nodes), *_bad_ratings(nodes)]
    depth = _depths(nodes, faults)
    if not faults:
        faults += _bad_levels(nodes, depth)
    if faults:
        raise TreeError(sorted(faults, key=lambda fault: fault.place))
    levels: list[Level] = []
    for level in range(1, max(depth) + 1):
        here = [node for node, deep in zip(nodes, depth, strict=True) if deep == level]
        above = {node.name: number for number, node in
                 enumerate(node for node, deep in zip(nodes, depth, strict=True) if deep == level - 1)}  # fmt: skip
        feeds = np.array([[above[node.parents[0]], above[node.parents[-1]]] for node in here], dtype=np.int64)
        kind = here[0].kind
        levels.append(Level(kind, tuple(node.name for node in here), np.array([node.rated_w for node in here]),
                            np.array([node.derate for node in here]), kinds.get(kind, Losses()), feeds,
                            np.zeros(len(here), dtype=bool)))  # fmt: skip
    return levels


def _bad_names(nodes: Sequence[Node]) -> list[Fault]:
    names = [node.name for node in nodes]
    known = set(names)
    faults = [Fault(place, f"there is a node '{name}' already") for place, name in enumerate(names)
              if name in names[:place]]  # fmt: skip
    for place, node in enumerate(nodes):
        faults += [Fault(place, f"'{node.name}' is fed by '{parent}', which no node is called")
                   for parent in node.parents if parent not in known]  # fmt: skip
        if len(node.parents) > 2 or len(set(node.parents)) < len(node.parents):
            faults.append(Fault(place, f"'{node.name}' needs one parent, or two different ones"))
    roots = [place for place, node in enumerate(nodes) if not node.parents]
    if not roots:
        faults.append(Fault(0, "no node is without a parent: one must stand for the grid"))
    faults += [Fault(place, f"'{nodes[place].name}' is a second root beside '{nodes[roots[0]].name}'")
               for place in roots[1:]]  # fmt: skip
    return faults


def _bad_ratings(nodes: Sequence[Node]) -> list[Fault]:
    rated = {node.name: node.rated_w for node in nodes}
    faults = []
    for place, node in enumerate(nodes):
        if not node.rated_w > 0:
            faults.append(Fault(place, f"'{node.name}' is rated {node.rated_w:g} W, and must be above 0"))
            continue
        for parent in node.parents:
            limit = rated.get(parent, np.inf) * node.oversubscription
            if limit > 0 and node.rated_w > limit * (1 + ALLOWED):
                faults.append(Fault(place, f"'{node.name}' is rated {node.rated_w / 1e3:g} kW, above the "
                                    f"{rated[parent] / 1e3:g} kW of '{parent}' that feeds it"))  # fmt: skip
    return faults


def _depths(nodes: Sequence[Node], faults: list[Fault]) -> list[int]:
    """Steps from the root of each node; cycles are added to the faults."""
    place = {node.name: number for number, node in enumerate(nodes)}
    depth = [0 if not node.parents else -1 for node in nodes]
    for _ in nodes:
        changed = False
        for number, node in enumerate(nodes):
            above = [depth[place[parent]] for parent in node.parents if parent in place]
            if depth[number] < 0 and above and min(above) >= 0:
                depth[number], changed = max(above) + 1, True
        if not changed:
            break
    unknown = {number for number, node in enumerate(nodes) if any(parent not in place for parent in node.parents)}
    for number, node in enumerate(nodes):
        if depth[number] < 0 and number not in unknown and _in_cycle(number, nodes, place):
            faults.append(Fault(number, f"'{node.name}' feeds itself: its parents lead in a circle"))
    return depth


def _in_cycle(start: int, nodes: Sequence[Node], place: dict[str, int]) -> bool:
    """Whether a node is among those above it."""
    seen: set[int] = set()
    todo = [start]
    while todo:
        for parent in nodes[todo.pop()].parents:
            above = place.get(parent)
            if above == start:
                return True
            if above is not None and above not in seen:
                seen.add(above)
                todo.append(above)
    return False


def _bad_levels(nodes: Sequence[Node], depth: list[int]) -> list[Fault]:
    """Nodes at the same distance from the root must be of one kind, and rows all at the same distance."""
    faults = []
    kinds: dict[int, str] = {}
    parents = {parent for node in nodes for parent in node.parents}
    place = {node.name: number for number, node in enumerate(nodes)}
    for number, node in enumerate(nodes):
        kind = kinds.setdefault(depth[number], node.kind)
        if node.kind != kind:
            faults.append(Fault(number, f"'{node.name}' is a {node.kind} among nodes of kind {kind}"))
        if len({depth[place[parent]] for parent in node.parents}) > 1:
            faults.append(Fault(number, f"'{node.name}' is fed from two levels"))
        if node.name not in parents and depth[number] < max(depth):
            faults.append(Fault(number, f"'{node.name}' feeds nothing, and is no row: rows are the lowest level"))
        if len(node.parents) == 2 and kinds.get(depth[number] - 1, UPS) != UPS:
            faults.append(Fault(number, f"'{node.name}' has two feeds, and they are no UPS"))
    repeated = [kind for level, kind in kinds.items() if kind in [kinds[other] for other in kinds if other < level]]
    faults += [Fault(0, f"nodes of kind {kind} stand on two levels") for kind in repeated]
    if max(depth, default=0) < 1:
        faults.append(Fault(0, "below the grid a level with rows (PDU or busway) is missing"))
    return faults
