"""What a provisioning question is made of: tree, racks, rule and topology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.power.demand import Demand
from aiplan.planners.power.redundancy import Scheme
from aiplan.planners.power.tree import Level

TOPOLOGIES = ("per-pdu", "per-ups", "flat")
"""Where power is pooled: behind each row's PDU, behind each UPS feed, or over the hall."""


@dataclass(frozen=True, slots=True)
class Rack:
    """A kind of rack.

    Attributes
    ----------
    name : of the server in it
    server_w : rating of one server with its share of the network [W]
    plug_w : rating of the server alone [W]
    slots : servers it has room for [1]
    rated_w : what feeds it, after derating [W]
    density_w : heat that its kind of cooling can remove [W]
    share : of this kind in the number of racks [1]
    gpus : accelerators of one server [1]
    """

    name: str
    server_w: float
    plug_w: float
    slots: float
    rated_w: float
    density_w: float = np.inf
    share: float = 1.0
    gpus: float = 8.0


@dataclass(frozen=True, slots=True)
class Design:
    """Everything electrical that is given.

    Attributes
    ----------
    levels : grid side first, rows last
    scheme : redundancy of equal UPS; None where rows name the UPS that feed them
    contract_w : what may be drawn from the grid, margin taken off [W]
    racks : kinds of rack, shares with sum 1
    places : racks that a row has room for [1]
    demand : how a server counts
    mean_share : mean power of a server, network included, over its `server_w` [1]
    topology : one of `TOPOLOGIES`
    sheddable : share of the load that is shed when a UPS is lost; 0 keeps the reserve free [1]
    cooling_w : IT heat that the cooling plant can remove [W]
    other : lighting and the like over IT power [1]
    """

    levels: tuple[Level, ...]
    scheme: Scheme | None
    contract_w: float
    racks: tuple[Rack, ...]
    places: float
    demand: Demand
    mean_share: float = 1.0
    topology: str = "per-pdu"
    sheddable: float = 0.0
    cooling_w: float = np.inf
    other: float = 0.0
