"""Designs that the tests of provisioning ask about."""

from __future__ import annotations

import numpy as np

from aiplan.planners.power.demand import Demand, Mix
from aiplan.planners.power.design import Design, Rack
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.multiplexing import ServerClass
from aiplan.planners.power.redundancy import Scheme, scheme
from aiplan.planners.power.tree import Kind, from_counts

UPS = Losses(0.006, 0.02, 0.015)
SERVER_W = 14_300.0


def design(
    how: Scheme | None = None,
    *,
    topology: str = "per-pdu",
    demand: Demand | None = None,
    contract_w: float = 100e6,
    blocks: int = 12,
    ups_w: float = 2.4e6,
    row_w: float = 300e3,
    rows: int = 288,
    places: float = 14,
    racks: tuple[Rack, ...] | None = None,
    sheddable: float = 0.0,
    cooling_w: float = np.inf,
) -> Design:
    """Blocks of a transformer and four UPS each, rows below, one kind of server by its nameplate."""
    how = how or scheme("4n/3")
    kinds = [
        Kind("transformer", Losses(0.001, 0.0, 0.005), count=blocks, rated_w=10e6),
        Kind("ups", UPS, count=4 * blocks, rated_w=ups_w),
        Kind("pdu", Losses(0.002, 0.0, 0.008), count=rows, rated_w=row_w),
    ]
    racks = racks or (Rack("dgx-b200", SERVER_W, SERVER_W, 4, 60e3, 30e3),)
    return Design(tuple(from_counts(kinds, how)), how, contract_w, racks, places,
                  demand or Demand("nameplate", SERVER_W), 0.7, topology, sheddable, cooling_w, 0.001)  # fmt: skip


def statistics(probability: float, *, rho: float = 0.3, sd: float = 0.1) -> Demand:
    """Inference and training in two classes, as a rule that may be above a limit for some time."""
    classes = (
        ServerClass(1, 0.55 * SERVER_W, sd * SERVER_W, 0.82 * SERVER_W, rho=rho, floor_w=0.2 * SERVER_W, name="a"),
        ServerClass(1, 0.76 * SERVER_W, 0.035 * SERVER_W, 0.82 * SERVER_W, rho=rho, floor_w=0.2 * SERVER_W, name="b"),
    )
    mix = Mix(classes, np.array([0.6, 0.4]), np.zeros((2, 2)), 0.0, "skew")
    return Demand("oversubscribed", SERVER_W, 1.0, mix, probability)
