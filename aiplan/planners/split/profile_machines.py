"""Latency curves of a machine of a catalog profile: which numbers of the entry each way of reading it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.split.curves import (
    DecodeModel,
    context_slope_s_per_token,
    decode_table_s,
    prompt_table_s,
    simulated_decode_s,
)

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

MOST_TOKENS, MOST_BATCH = 16_384, 512
"""Last index of the tables where none is asked for."""
MS = 1e-3


@dataclass(frozen=True, slots=True)
class Curves:
    """Times of one model on one machine.

    Attributes
    ----------
    prompt_s : (most_tokens + 1,) time of a prompt pass by batched prompt tokens [s]
    decode_s : (most_batch + 1,) time of a decode step by batch, at ``profile_context_tokens`` of context each [s]
    context_s_per_token : what each token of context beyond that, summed over the batch, adds to a step [s/token]
    profile_context_tokens : context that ``decode_s`` holds at [tokens]
    room_tokens : tokens of KV cache that fit beside the weights [tokens]
    kv_bytes_per_token : KV cache of a token, whole model [bytes/token]
    tensor_parallel : accelerators that share each layer
    layers : layers of the model
    """

    prompt_s: Array
    decode_s: Array
    context_s_per_token: float
    profile_context_tokens: float
    room_tokens: float
    kv_bytes_per_token: float
    tensor_parallel: int
    layers: int


def profile_curves(
    entry: Any,
    machine_name: str,
    decode_model: DecodeModel,
    *,
    layers: int,
    hbm_tb_per_s: float,
    most_tokens: int = MOST_TOKENS,
    most_batch: int = MOST_BATCH,
) -> Curves:
    """Curves of a machine of a profile.

    Parameters
    ----------
    entry : a catalog entry of kind ``profiles``
    machine_name : one of its machines
    decode_model : ``simcompat`` takes curves, KV bytes and look-up of decode by batched tokens from the simulator and
        has no context term; ``measured`` takes cells by batch and by length and the KV cache the model really needs
    layers : layers of the model
    hbm_tb_per_s : memory bandwidth of one accelerator [TB/s]
    most_tokens, most_batch : last index of the tables

    Returns
    -------
    Curves; of a machine scaled from another, the other's times exactly the factors, its context term as the steps.

    Raises KeyError where the entry has no such machine.
    """
    machine = entry.machines[machine_name]
    if machine.scaled_from is not None:
        base = profile_curves(
            entry,
            machine.scaled_from,
            decode_model,
            layers=layers,
            hbm_tb_per_s=hbm_tb_per_s,
            most_tokens=most_tokens,
            most_batch=most_batch,
        )
        return replace(
            base,
            prompt_s=base.prompt_s * machine.prompt_factor.value,
            decode_s=base.decode_s * machine.token_factor.value,
            context_s_per_token=base.context_s_per_token * machine.token_factor.value,
            room_tokens=(machine.memory_bytes.value - entry.weights_bytes.value) / base.kv_bytes_per_token,
            tensor_parallel=machine.tensor_parallel,
        )
    if decode_model == "simcompat":
        kv = (entry.simulator_kv_bytes_per_token or entry.kv_bytes_per_token).value
        tokens, prompt_ms, token_ms = as_array(machine.by_batched_tokens).T
        prompt = prompt_table_s(tokens, prompt_ms * MS, most_tokens, "simcompat")
        decode = simulated_decode_s(tokens, token_ms * MS, most_batch)
        slope = 0.0
    else:
        kv = entry.kv_bytes_per_token.value
        prompt = prompt_table_s(*prompt_cells(machine), most_tokens, "measured")
        decode = decode_table_s(*decode_cells(machine.decode_by_batch), most_batch)
        bandwidth = machine.tensor_parallel * hbm_tb_per_s * 1e12
        slope = context_slope_s_per_token(*decode_cells(machine.decode_by_context), kv, bandwidth)
    return Curves(
        prompt_s=prompt,
        decode_s=decode,
        context_s_per_token=slope,
        profile_context_tokens=entry.profile_context_tokens.value,
        room_tokens=(machine.memory_bytes.value - entry.weights_bytes.value) / kv,
        kv_bytes_per_token=kv,
        tensor_parallel=machine.tensor_parallel,
        layers=layers,
    )


def catalog_curves(
    catalog: Catalog,
    profile: str,
    machine_name: str,
    decode_model: DecodeModel,
    *,
    most_tokens: int = MOST_TOKENS,
    most_batch: int = MOST_BATCH,
) -> Curves:
    """`profile_curves` with layers and memory bandwidth looked up in the catalog.

    Raises InputError where the catalog has no such profile, KeyError where the profile has no such machine.
    """
    entry = catalog.get("profiles", profile)
    chip = catalog.get("accelerators", entry.machines[machine_name].accelerator)
    return profile_curves(
        entry,
        machine_name,
        decode_model,
        layers=catalog.get("models", entry.model).layers,
        hbm_tb_per_s=chip.hbm_tb_per_s.value,
        most_tokens=most_tokens,
        most_batch=most_batch,
    )


def prompt_cells(machine: Any) -> tuple[Array, Array]:
    """Batched prompt tokens [tokens] and times [s] of the prompt passes measured, one point for each length.

    Where one long prompt and a batch of short ones have as many tokens, their geometric mean: they differ by up to a
    third, either way.
    """
    cells: dict[float, list[float]] = {}
    for tokens, time_ms in machine.prompt_by_length:
        cells.setdefault(tokens, []).append(time_ms)
    for batch, time_ms in machine.prompt_by_batch:
        if batch > 1:  # the cell at batch 1 stands among the lengths
            cells.setdefault(batch * PROMPT_TOKENS, []).append(time_ms)
    tokens = np.array(sorted(cells))
    return tokens, np.array([np.exp(np.mean(np.log(cells[one]))) for one in tokens.tolist()]) * MS


PROMPT_TOKENS = 512
"""Prompt of the cells of ``prompt_by_batch`` [tokens]."""


def decode_cells(rows: Sequence[Sequence[float]]) -> tuple[Array, Array]:
    """Batch [sequences] or context [tokens], and time of a step [s], of a table of pairs with ms; both may be empty."""
    pairs = as_array(rows).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1] * MS
