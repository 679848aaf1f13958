"""From a case and values of its inputs to a design: what varies between the rows of a table is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.power.case import LOSSES, Case
from aiplan.planners.power.demand import Demand, Mix
from aiplan.planners.power.design import Design, Rack
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.multiplexing import ServerClass
from aiplan.planners.power.redundancy import Scheme, scheme
from aiplan.planners.power.stabilized import peak_fraction, site_loss
from aiplan.planners.power.tree import Kind, Level, Node, from_counts, from_nodes

Values = Mapping[str, float]
LEAST_SHARE = 1e-12


def losses_of(case: Case, values: Values, kind: str) -> Losses:
    """Losses of a level."""
    if kind in case.fitted:
        return case.fitted[kind]
    paths = case.losses.get(kind, {})
    return Losses(*(values[paths[name]] if name in paths else 0.0 for name in LOSSES))


def tree_of(case: Case, values: Values, how: Scheme) -> tuple[Level, ...]:
    """The tree, by counts or by names.

    Raises
    ------
    TreeError with everything that is wrong.
    """
    inputs = case.inputs
    if inputs.nodes:
        nodes = [
            Node(name, node.kind, tuple(node.feeds) or ((node.parent,) if node.parent else ()), node.rated_w.value,
                 node.breaker_fraction, node.oversubscription_factor)
            for name, node in inputs.nodes.items()
        ]  # fmt: skip
        return tuple(from_nodes(nodes, {kind: losses_of(case, values, kind) for kind in inputs.levels}))
    kinds = [
        Kind(kind, losses_of(case, values, kind), values.get(f"levels.{kind}.breaker_fraction", 1.0), level.count or 0,
             values.get(f"levels.{kind}.rated_w", 0.0), level.oversubscription_factor)
        for kind, level in inputs.levels.items()
    ]  # fmt: skip
    return tuple(from_counts(kinds, how))


def scheme_of(case: Case) -> Scheme:
    """The redundancy asked."""
    return scheme(case.inputs.redundancy.scheme, case.inputs.redundancy.group_count)


def racks_of(case: Case, values: Values) -> tuple[Rack, ...]:
    """Kinds of rack; a server counts with its share of the network."""
    network = 1.0 + values["hall.network_fraction"]
    shares = [values[rack.paths["share"]] if "share" in rack.paths else 1.0 for rack in case.racks]
    return tuple(
        Rack(rack.title, values[rack.paths["server_w"]] * network, values[rack.paths["server_w"]], rack.slots,
             values[rack.paths["rated_w"]] * (values[rack.paths["breaker"]] if "breaker" in rack.paths else 1.0),
             values[rack.paths["density_w"]], share / sum(shares), rack.gpus)
        for rack, share in zip(case.racks, shares, strict=True)
    )  # fmt: skip


def mix_of(
    case: Case, values: Values, reference_w: float, only: str | None = None, rho: float | None = None
) -> Mix | None:
    """Classes of servers in watts of a reference server.

    Parameters
    ----------
    reference_w : rating of the server without network [W]
    only : the work of the classes that are kept, all where None
    rho : correlation within every class in place of its own
    """
    chosen = {name: item for name, item in case.inputs.classes.items() if only in (None, item.work)}
    shares = np.array([values[f"classes.{name}.share_fraction"] for name in chosen])
    if not chosen or shares.sum() < LEAST_SHARE:
        return None
    classes = []
    for name in chosen:
        item = _class(case, values, name, reference_w)
        classes.append(item if rho is None else replace(item, rho=rho, co_skewness=None, co_excess_kurtosis=None))
    between = np.zeros((len(chosen), len(chosen)))
    for i, one in enumerate(chosen):
        for j, other in enumerate(chosen):
            if i != j:
                given = chosen[one].rho_between.get(other, chosen[other].rho_between.get(one, 0.0))
                between[i, j] = given
    network = values["hall.network_fraction"] * reference_w
    return Mix(tuple(classes), np.asarray(shares / shares.sum()), between, network, case.inputs.power.tail)


def _class(case: Case, values: Values, name: str, reference_w: float) -> ServerClass:
    if case.traced is not None and case.traced[0] == name:
        # Measured watts become shares of the rating they were measured on, then watts of this server.
        item, scale = case.traced[1], reference_w / values["power.trace_rated_w"]
        return replace(item, count=1, mean_w=item.mean_w * scale, sd_w=item.sd_w * scale, peak_w=item.peak_w * scale,
                       floor_w=item.floor_w * scale)  # fmt: skip

    def at(key: str) -> float:
        return values.get(f"classes.{name}.{key}", 0.0)

    return ServerClass(
        1, at("mean_fraction") * reference_w, at("sd_fraction") * reference_w, at("peak_fraction") * reference_w,
        at("skewness"), at("excess_kurtosis"), at("rho_within"), at("floor_fraction") * reference_w, name=name,
    )  # fmt: skip


def demand_of(
    case: Case, values: Values, racks: Sequence[Rack], rule: str, only: str | None = None, rho: float | None = None
) -> Demand:
    """A sizing rule; the reference server is the mean of those in the racks."""
    network = 1.0 + values["hall.network_fraction"]
    weights: Array = np.array([rack.share * rack.slots for rack in racks])
    reference = float(np.average([rack.server_w for rack in racks], weights=weights))
    mix = mix_of(case, values, reference / network, only, rho)
    if rule == "nameplate":
        return Demand(rule, reference, 1.0, mix)
    if rule == "peak":
        # The network is drawn all the time, at its rating.
        factor = (peak_fraction(case.stabilized, values) + network - 1.0) / network
        return Demand(rule, reference, factor, mix)
    over = values["power.capping_fraction"] if rule == "oversubscribed" else 1.0 - values["power.percentile_fraction"]
    return Demand(rule, reference, 1.0, mix, over)


def design_of(case: Case, values: Values) -> Design:
    """The design of a case.

    Raises
    ------
    TreeError for a tree that is none; ValueError for a scheme or for classes that cannot be.
    """
    chosen = scheme_of(case)
    racks = racks_of(case, values)
    demand = demand_of(case, values, racks, case.inputs.power.rule)
    mean = demand.mix.mean_w / demand.reference_w if demand.mix is not None else 1.0
    levels = tree_of(case, values, chosen)
    contract = values["grid.contract_w"] * (1.0 - values["grid.margin_fraction"])
    if case.inputs.nodes:
        contract = min(contract, _root_w(case))
    shed = values.get("redundancy.sheddable_fraction", 0.0)
    network = 1.0 + values["hall.network_fraction"]
    other = values["facility.other_fraction"] + site_loss(case.stabilized, values, mean * network)
    return Design(
        levels, None if case.inputs.nodes else chosen, contract, racks,
        case.inputs.hall.racks_per_row_count, demand, mean, case.inputs.power.topology, shed,
        values.get("hall.cooling_capacity_w", np.inf), other,
    )  # fmt: skip


def _root_w(case: Case) -> float:
    """What the node that stands for the grid may deliver [W]."""
    root = next(node for node in case.inputs.nodes.values() if not node.parent and not node.feeds)
    return float(root.rated_w.value * root.breaker_fraction)
