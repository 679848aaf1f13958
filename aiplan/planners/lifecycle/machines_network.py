"""What a network between servers adds to the passes of a replica that spans several.

The serving model knows one network, 46 GB/s a device through a 400 Gbit/s port, for what leaves a scale-up domain, and
lets pipelines hop at the speed of the links inside. This is the difference to another network, by the same formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.roofline import (
    CHUNK_TOKENS,
    DISPATCH_BYTES,
    PCIE_LATENCY_FACTOR,
    SCALE_OUT_BYTES_PER_S,
    SCALE_OUT_LATENCY_S,
)
from aiplan.planners.serving.time_constants import TimeConstants

PORT_SHARE = SCALE_OUT_BYTES_PER_S / 50e9
"""Share of a port's rate that collectives reach: that of the serving model's network, 46 of 50 GB/s [1]."""


def pass_extra_s(deployment: Deployment, constants: TimeConstants, tokens: Any, network_bytes_per_s: float) -> Array:
    """Time of a pass over another network less that over the serving model's [s]; negative over a faster one.

    Parameters
    ----------
    deployment : replicas; what their ``chip.domain`` does not hold stands in other servers
    constants : of the time model
    tokens : of the pass, per attention data-parallel rank [1]
    network_bytes_per_s : what a device reaches to other servers; NaN keeps the serving model's network, infinite is as
        fast as the links inside [B/s]

    Pipelines hop once between servers, rings of tensor parallelism leave a server by all of its ports at once,
    exchanges of experts by each device's own (`serving.roofline`). Latencies stay: 40 us, for pipelines too.
    """
    if np.isnan(network_bytes_per_s):
        return np.zeros(1)
    model, layout, chip = deployment.architecture, deployment.layout, deployment.chip
    tp, pp, stage = as_array(layout.tp), as_array(layout.pp), layout.stage_devices
    link = chip.link_bytes_per_s * constants.link_efficiency
    known, network = np.minimum(SCALE_OUT_BYTES_PER_S, link), np.minimum(network_bytes_per_s, link)
    width = 2.0 * as_array(tokens) * model.hidden_size
    near = constants.link_latency_s * np.where(chip.pcie > 0, PCIE_LATENCY_FACTOR, 1.0)
    crossed = np.minimum(np.ceil(layout.devices / chip.domain), pp) - 1.0
    hops = crossed * (SCALE_OUT_LATENCY_S - near + width / tp * (1.0 / network - 1.0 / link))
    rings = (
        np.minimum(bytes_per_s * chip.domain, link) for bytes_per_s in (network_bytes_per_s, SCALE_OUT_BYTES_PER_S)
    )
    ours, theirs = rings
    ring = 4.0 * model.layers * (tp - 1.0) / tp * width * (1.0 / ours - 1.0 / theirs)
    sent = DISPATCH_BYTES * as_array(tokens) * model.hidden_size * np.minimum(model.experts_active, stage)
    outside = (stage - np.minimum(chip.domain, stage)) / stage
    exchange = model.moe_layers * sent * outside * (1.0 / network - 1.0 / known)
    return np.asarray(
        hops + np.where(tp > chip.domain, ring, 0.0) + np.where(layout.dp > 1, exchange, 0.0), dtype=np.float64
    )


def step_extra_s(deployment: Deployment, constants: TimeConstants, batch: Any, network_bytes_per_s: float) -> Array:
    """`pass_extra_s` of a decode step of a batch, in which every stage works on its share [s]."""
    sequences = as_array(batch)
    group = np.maximum(sequences / deployment.layout.pp, np.minimum(sequences, 1.0))
    return pass_extra_s(deployment, constants, group, network_bytes_per_s)


def prompt_extra_s(
    deployment: Deployment, constants: TimeConstants, prompt_tokens: float, together: Any, network_bytes_per_s: float
) -> Array:
    """`pass_extra_s` of a prompt of so many in one pass, per prompt [s]."""
    passes = np.ceil(prompt_tokens / CHUNK_TOKENS)
    shared = np.minimum(CHUNK_TOKENS, prompt_tokens * np.maximum(as_array(together), 1.0))
    tokens = np.where(prompt_tokens > CHUNK_TOKENS, prompt_tokens / passes, shared)
    return pass_extra_s(deployment, constants, tokens, network_bytes_per_s) * prompt_tokens / tokens
