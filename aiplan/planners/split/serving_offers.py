"""Machines without a measured profile: times, memory and watts from the serving model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.deployment import Deployment, pick
from aiplan.planners.serving.memory import largest_batch, sequence_bytes
from aiplan.planners.serving.predict import band, calibrations, choose, kind_of, serve
from aiplan.planners.serving.roofline import decode_step, prefill, rates
from aiplan.planners.serving.rows import Row, Shelf, deployment_of
from aiplan.planners.serving.rows_cap import phases_of
from aiplan.planners.serving.service import device_memory
from aiplan.planners.serving.time_constants import TimeConstants, constants_of
from aiplan.planners.split.replay import Machine

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

CONCURRENCY = 32.0
"""Sequences at which the power of the phases is taken [1]."""
KNOTS = 96
"""Prompt lengths that are timed; the rest lies on straight lines between them [1]."""
SPAN_TOKENS = 256.0
"""Least distance of the two contexts between which a step's time is taken to be linear [tokens]."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A deployment as a machine of the replay.

    Attributes
    ----------
    machine : tables, memory and network
    kv_bytes_per_token : cache of a token at the mean prompt, all devices, each value once [B]
    prompt_w, token_w : power of one accelerator in prefill and in decode steps [W]
    room_sequences : requests of mean length that memory holds [1]
    source, grade : of the time model's constants
    token_error : P90 of measured over computed time per token; 1 where not measured [1]
    """

    machine: Machine
    kv_bytes_per_token: float
    prompt_w: float
    token_w: float
    room_sequences: float
    source: str
    grade: str
    token_error: float


def timed(shelf: Shelf, row: Row, name: str, link_bytes_per_s: float, most_tokens: int, most_batch: int) -> Timed:
    """Tables of one deployment from the roofline model.

    Parameters
    ----------
    shelf : where names are looked up
    row : the deployment, with mean lengths and perhaps a power cap; one copy of the model
    name : of the machine
    link_bytes_per_s : what its network sends or takes [B/s]
    most_tokens, most_batch : how far the tables reach

    A batch of prompts is timed as one prompt of as many tokens. A step's time is taken to be linear in the context
    between the mean prompt and the mean end of an answer, which it is for full attention.
    """
    asked = replace(row, concurrency=CONCURRENCY)
    known = calibrations(shelf)
    calibration = known[choose(asked, known)]
    constants = constants_of(calibration)
    deployment, _, _, _ = serve([asked], shelf, calibration)
    free = deployment_of([asked], shelf)
    _, _, served, _ = serve([replace(asked, cap_w=float("nan"))], shelf, calibration)
    phases = phases_of([asked], shelf, free, served, rates(free, constants).memory)
    cap = row.cap_w if np.isfinite(row.cap_w) else np.inf
    bytes_each = _kv_bytes(deployment, row.isl)
    memory = device_memory(deployment)
    length = row.isl + row.osl
    sequences = float(largest_batch(memory.pool_bytes, memory.cache, length, whole=False)[0] * row.dp)
    decode, context = _decode_tables(deployment, constants, row, most_batch)
    machine = Machine(
        name=name,
        prompt_s=_prompt_table(deployment, constants, most_tokens),
        decode_s=decode,
        context_s=context,
        room_tokens=max(sequences * length, 0.0),
        link_tokens_per_s=link_bytes_per_s / bytes_each,
        layers=float(np.asarray(deployment.architecture.layers)[0]),
        start_s=float(constants.factors("first_token_s", deployment.engine)[0]),
    )
    return Timed(
        machine=machine,
        kv_bytes_per_token=bytes_each,
        prompt_w=float(min(phases.prompt_w[0], cap)),
        token_w=float(min(phases.decode_w[0], cap)),
        room_sequences=sequences,
        source=calibration.source,
        grade=calibration.grade,
        token_error=_token_error(calibration, asked, shelf),
    )


def _token_error(calibration: Any, row: Row, shelf: Shelf) -> float:
    """Factor from a computed time per token to the P90 of measured ones; 1 where nothing was measured."""
    high = float(band(calibration, "tpot", np.array([kind_of(row, shelf)]))[1][0])
    return high if np.isfinite(high) else 1.0


def _same(deployment: Deployment, rows: int) -> Deployment:
    return pick(deployment, np.zeros(rows, dtype=np.intp))


def _prompt_table(deployment: Deployment, constants: TimeConstants, most_tokens: int) -> Array:
    knots = np.unique(np.round(np.geomspace(1, most_tokens, KNOTS)))
    many = _same(deployment, len(knots))
    found = prefill(many, rates(many, constants), constants, knots).time_s / many.layout.pp
    return np.asarray(np.interp(np.arange(most_tokens + 1), knots, found), dtype=np.float64)


def _decode_tables(deployment: Deployment, constants: TimeConstants, row: Row, most_batch: int) -> tuple[Array, Array]:
    """Time of a step by batch without context, and what each token of context adds [s]."""
    batch = np.arange(1, most_batch + 1, dtype=np.float64)
    many = _same(deployment, most_batch)
    speed = rates(many, constants)
    near, far = row.isl, row.isl + max(row.osl, SPAN_TOKENS)
    each = batch / row.dp
    low, high = (decode_step(many, speed, constants, each, context).time_s for context in (near, far))
    slope = (high - low) / (batch * (far - near))
    bare = low - slope * batch * near
    return np.concatenate([bare[:1], bare]), np.concatenate([slope[:1], slope])


def _kv_bytes(deployment: Deployment, tokens: float) -> float:
    """Cache of one sequence over its tokens, each value once [B/token]."""
    cache = device_memory(deployment).cache
    tensor = float(np.asarray(deployment.layout.tp)[0])
    shards = min(tensor, float(np.asarray(deployment.architecture.kv_shards)[0]))
    stages = float(np.asarray(deployment.layout.pp)[0])
    return float(sequence_bytes(cache, tokens)[0]) * shards * stages / tokens


def profile_by_roofline(
    catalog: Catalog, entry: Any, found: Any, name: str, most_tokens: int, most_batch: int
) -> Timed:
    """A profile's machine with times of the serving model: 16-bit weights, the profile's tensor parallelism."""
    from aiplan.planners.split.offers import CAP_FRACTION, link_bytes_per_s

    shelf, count = Shelf(catalog), float(found.accelerator_count)
    cap = float("nan")
    if found.scaled_from:
        cap = CAP_FRACTION * catalog.get("accelerators", found.accelerator).tdp_w.value
    row = Row(entry.model, found.accelerator, "bf16", "vllm", n_gpus=count, tp=float(found.tensor_parallel), cap_w=cap)
    return timed(shelf, row, name, link_bytes_per_s(catalog, found.server, count), most_tokens, most_batch)
