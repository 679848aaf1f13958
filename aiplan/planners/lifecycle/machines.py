"""Requests/s and watts of a server of each hardware generation, from the time and power models of the serving planner.

Nothing here is a constant of a generation: an accelerator and a server of the catalog, perhaps scaled by factors, go
through the roofline, memory rules, engines and power law that `aiplan perf` uses. Limits are theirs: constants of time
are fitted on A100 to B200 with today's engines. P100 and V100 lie outside, today's engines do not support P100, and
what NVIDIA's other parts reach of their data sheets stands in for both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.machines_network import PORT_SHARE
from aiplan.planners.lifecycle.machines_search import SPANS, Candidates, Work, candidates, chosen, stacked
from aiplan.planners.lifecycle.machines_use import Servers, best_use, capped_rating_w, pools
from aiplan.planners.lifecycle.machines_words import all_layouts, why_nothing, wider_format
from aiplan.planners.serving import chip as chips
from aiplan.planners.serving.chip import Chip
from aiplan.planners.serving.deployment import KV_PRECISION, whole_format
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.precision import weight_bytes
from aiplan.planners.serving.predict import calibrations, choose
from aiplan.planners.serving.rows import Row
from aiplan.planners.serving.server import idle_power_w
from aiplan.planners.serving.time_constants import constants_of

if TYPE_CHECKING:
    from aiplan.planners.serving.rows import Shelf


@dataclass(frozen=True, slots=True)
class Machines:
    """Servers of hardware generations, arrays of shape (G,).

    Attributes
    ----------
    names : of the generations
    accelerator, server : ids of the catalog whose numbers are scaled; they need not stand in one another
    count : accelerators of a server [1]
    flops, bandwidth, memory, link : factors over the accelerator's, 1 for one of the catalog; ``flops`` for all
        formats; how near a part comes to its data sheet is not scaled [1]
    power : factor over the accelerator's TDP and over the server's host and rating per accelerator [1]
    """

    names: tuple[str, ...]
    accelerator: tuple[str, ...]
    server: tuple[str, ...]
    count: Array
    flops: Array
    bandwidth: Array
    memory: Array
    link: Array
    power: Array


@dataclass(frozen=True, slots=True)
class Operation:
    """How a fleet is run.

    Attributes
    ----------
    precision, kv_precision : formats of weights and cache, see `serving.deployment.numerics`; None for the cache takes
        what recipes for that precision do
    engine : by name, as the serving planner knows it
    batch_max : most sequences per attention data-parallel rank [1]
    cap_fraction : power cap of an accelerator over its TDP, 1 for none [1]
    interference : prefill and decode share servers; otherwise each has a pool of its own
    """

    precision: str
    kv_precision: str | None
    engine: str
    batch_max: float
    cap_fraction: float = 1.0
    interference: bool = True


@dataclass(frozen=True, slots=True)
class Rates:
    """What a server of each generation does, arrays of shape (G,).

    Attributes
    ----------
    prefill_per_s, decode_per_s, mixed_per_s : requests/s of a server that only works on prompts, only decodes, does
        both; 0 where the model does not fit or no batch keeps the promises [1/s]
    prefill_w, decode_w, mixed_w : drawn by the server while it does that at full rate, host included; as ``idle_w``
        where the rate is 0 [W]
    idle_w : drawn with nothing to do [W]
    rated_w : rating, less what a cap takes from the accelerators [W]
    batch : sequences per rank of the mixed use, of decode where pools are apart; 0 where there is none [1]
    devices : accelerators of one replica of that use; 0 where there is none [1]
    layout : replicas of each use in words
    reason : why a rate is 0, empty where none is
    notes : what else is worth saying, such as a format that a part computes wider
    """

    prefill_per_s: Array
    decode_per_s: Array
    mixed_per_s: Array
    prefill_w: Array
    decode_w: Array
    mixed_w: Array
    idle_w: Array
    rated_w: Array
    batch: Array
    devices: Array
    layout: tuple[str, ...]
    reason: tuple[str, ...]
    notes: tuple[str, ...]


def rates(
    machines: Machines,
    model: str,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float,
    tbt_s: float,
    operation: Operation,
    shelf: Shelf,
    *,
    scaleout_gb_per_s: float | None = None,
) -> Rates:
    """Requests/s and watts of a server of each generation under promises of latency.

    Parameters
    ----------
    machines : the generations
    model : id of the catalog
    input_tokens, output_tokens : mean lengths of the reference request [tokens]
    ttft_s, tbt_s : most time to first token, and between tokens (TPOT where prefill interferes) [s]
    operation : how the fleet is run
    shelf : where names are looked up
    scaleout_gb_per_s : port of an accelerator to other servers, one way, of which `machines_network.PORT_SHARE` is
        reached; matters to replicas over several servers only. None is the serving model's network (50) without
        latency between the stages of a pipeline [GB/s]

    Every layout of `serving.layout.layouts` inside a server is tried, where none fits those over 2 to 32 servers; each
    use takes the one of most requests/s per server. Prefill: as many prompts in one pass as TTFT allows. Decode: the
    largest batch whose step keeps the TBT. Mixed: the largest number in flight at which TPOT and TTFT hold; without
    interference the servers of two pools in the ratio that balances them, ``1/mixed = 1/prefill + 1/decode``. Waiting
    for a free slot is not in it: hold the load under a utilisation cap.

    A format that a part has no units for is stored small and computed at the rate of the next wider one, as
    `serving.deployment.numerics` does; ``notes`` says so.

    Source: docs/serving.md with its errors; phases apart and layouts per use are compositions of ours.

    Raises InputError for names that the catalog does not have, ValueError for formats that are not known, numbers that
    are not physical, and accelerators without rate, bandwidth or TDP.
    """
    chip = _chips(machines, shelf)
    work = _work(machines, model, input_tokens, output_tokens, ttft_s, tbt_s, operation, shelf)
    if scaleout_gb_per_s is not None:
        require(scaleout_gb_per_s > 0, "scaleout_gb_per_s must be above 0")
        work = replace(work, network_bytes_per_s=1e9 * PORT_SHARE * scaleout_gb_per_s)
    found = _fitting(work, chip, machines)
    servers = _servers(machines, shelf)
    prompt, decode, both = (best_use(name, work, found, servers) for name in ("prompt", "decode", "both"))
    uses = {"prefill": prompt, "decode": decode}
    if operation.interference:
        uses["mixed"] = both
    else:
        both = pools(prompt, decode, servers.idle_w)
    lead = both if operation.interference else decode
    weights = float(weight_bytes(work.architecture, [work.precision]).total[0])
    generations = range(len(machines.names))
    entries = [shelf.accelerator(name) for name in machines.accelerator]
    return Rates(
        prefill_per_s=prompt.per_s,
        decode_per_s=decode.per_s,
        mixed_per_s=both.per_s,
        prefill_w=prompt.watts,
        decode_w=decode.watts,
        mixed_w=both.watts,
        idle_w=servers.idle_w,
        rated_w=capped_rating_w(servers, chip, work.cap_fraction),
        batch=lead.batch,
        devices=lead.devices,
        layout=tuple(all_layouts({name: use.layout[one] for name, use in uses.items()}) for one in generations),
        reason=tuple(
            why_nothing({name: float(use.slack[one]) for name, use in uses.items()}, weights,
                        float(machines.count[one] * chip.memory_bytes[one]))
            for one in generations
        ),
        notes=tuple(
            wider_format(work.precision, entry.fp8_dense_tflops is not None, entry.fp4_dense_tflops is not None)
            for entry in entries
        ),
    )  # fmt: skip


def _chips(machines: Machines, shelf: Shelf) -> Chip:
    """Numbers of the accelerators, scaled, shape (G,)."""
    for name in ("count", "flops", "bandwidth", "memory", "link", "power"):
        given = as_array(getattr(machines, name))
        require(np.isfinite(given) & (given > 0), f"{name} of machines must be above 0")
    require(as_array(machines.count) == np.round(machines.count), "count of machines must be whole")
    base = chips.stack([shelf.chip(name) for name in machines.accelerator])
    return replace(
        base,
        bf16_flops=base.bf16_flops * machines.flops,
        fp8_flops=base.fp8_flops * machines.flops,
        fp4_flops=base.fp4_flops * machines.flops,
        hbm_bytes_per_s=base.hbm_bytes_per_s * machines.bandwidth,
        memory_bytes=base.memory_bytes * machines.memory,
        link_bytes_per_s=base.link_bytes_per_s * machines.link,
        tdp_w=base.tdp_w * machines.power,
    )


def _servers(machines: Machines, shelf: Shelf) -> Servers:
    """Servers of the generations; host and rating go with the accelerators of the catalog's server."""
    entries = [shelf.catalog.get("servers", name) for name in machines.server]
    scale = machines.power * machines.count / np.array([float(entry.accelerator_count) for entry in entries])
    host, rated, idle = (
        np.array([float(getattr(entry, name).value) for entry in entries])
        for name in ("host_power_w", "max_power_w", "idle_power_fraction")
    )
    return Servers(
        count=as_array(machines.count),
        host_w=host * scale,
        idle_w=idle_power_w(rated * scale, 1.0, idle),
        rated_w=rated * scale,
        classes=tuple(power_class(shelf.listed(name)) for name in machines.accelerator),
    )


def _work(
    machines: Machines,
    model: str,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float,
    tbt_s: float,
    operation: Operation,
    shelf: Shelf,
) -> Work:
    require(input_tokens >= 1 and output_tokens >= 1, "a request has a token of prompt and one of answer at least")
    require(ttft_s > 0 and tbt_s > 0, "ttft_s and tbt_s must be above 0")
    require(operation.batch_max >= 1, "batch_max must be 1 or more")
    require(0 < operation.cap_fraction <= 1, "cap_fraction must be above 0 and at most 1")
    entry = shelf.model(model)
    precision = whole_format(operation.precision, entry.native_precision)
    known = calibrations(shelf)
    row = Row(model, machines.accelerator[0], precision, operation.engine, concurrency=1.0)
    return Work(
        architecture=stacked(shelf.architecture(model)),
        precision=precision,
        kv_precision=operation.kv_precision or KV_PRECISION.get(precision, "bf16"),
        engine=operation.engine,
        constants=constants_of(known[choose(row, known)]),
        input_tokens=float(input_tokens),
        output_tokens=float(output_tokens),
        ttft_s=float(ttft_s),
        tbt_s=float(tbt_s),
        batch_max=float(operation.batch_max),
        cap_fraction=float(operation.cap_fraction),
        heads=entry.attention_heads,
    )


def _fitting(work: Work, chip: Chip, machines: Machines) -> list[Candidates]:
    """Candidates that hold the model, those of as few servers as each generation needs."""
    left = list(range(len(machines.names)))
    found = []
    for span in SPANS:
        if not left:
            break
        tried = candidates(work, chip, machines.count, left, span)
        fits = tried.fits
        if fits.any():
            found.append(chosen(tried, fits))
            done = set(found[-1].generation.tolist())
            left = [number for number in left if number not in done]
    return found
