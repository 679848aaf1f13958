"""Deployments at a known token rate, as the numbers the power law of `power` wants.

The law was fitted with these definitions: a 16-bit cache, weights read whole by every copy of attention, recurrent
state read and written. They stay as they were then, whatever the deployment's own cache is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.serving.architecture import Architecture, stack
from aiplan.planners.serving.power import DecodeLoad, Device
from aiplan.planners.serving.precision import EXPERT_BYTES, FIXED_BYTES, KV_BYTES, bytes_of

RECURRENT_BYTES = 8.0
"""32-bit recurrent state, read and written in each step [B]."""

# Precisions whose products run at the rate of another: four-bit weights without four-bit activations.
_ARITHMETIC = {
    "mxfp4": "bf16",
    "int4": "bf16",
    "w4a16": "bf16",
    "fp16": "bf16",
    "int8": "fp8",
    "nvfp4": "fp4",
}
_CLASSES = {"h100-sxm": "h100", "b200-sxm": "b200"}


def power_class(accelerator_id: str) -> str:
    """Which measured constants of the power law an accelerator takes."""
    return _CLASSES.get(accelerator_id, "other")


def weight_bytes(total_params: float, precision: str) -> float:
    """Bytes of all weights at a precision, scales included [B]."""
    return total_params * EXPERT_BYTES.get(precision, 2.0)


def peak_tflops(accelerator: Any, precision: str) -> float:
    """Dense peak of an accelerator at the precision of the arithmetic [TFLOP/s].

    A precision the accelerator has no units for runs at the next wider one it has.
    """
    at = _ARITHMETIC.get(precision, precision)
    order = ("fp4", "fp8", "bf16")
    start = order.index(at) if at in order else 2
    for name in order[start:]:
        peak = getattr(accelerator, f"{name}_dense_tflops", None)
        if peak is not None:
            return float(peak.value)
    raise ValueError("the catalog has no dense FLOP/s of this accelerator")


def device_of(accelerators: Sequence[Any], precision: Sequence[str]) -> Device:
    """What the power law needs to know of catalog entries, one row each.

    Raises ValueError for an entry without TDP, bandwidth or FLOP/s.
    """
    for entry in accelerators:
        if entry.tdp_w is None or entry.hbm_tb_per_s is None:
            raise ValueError("the catalog has no TDP or bandwidth of this accelerator")
    return Device(
        tdp_w=np.array([entry.tdp_w.value for entry in accelerators]),
        hbm_tb_per_s=np.array([entry.hbm_tb_per_s.value for entry in accelerators]),
        peak_tflops=np.array(
            [peak_tflops(entry, name) for entry, name in zip(accelerators, precision, strict=True)], dtype=np.float64
        ),
    )


def state_bytes_per_sequence(model: Architecture, context_tokens: Any) -> Array:
    """Cache and recurrent state read per sequence and decode step at a context [B].

    Windowed layers read at most their window, linear layers their fixed state.
    """
    context = as_array(context_tokens)
    seen = np.minimum(context, model.window_tokens)
    cached = KV_BYTES * (model.kv_values_full * context + model.kv_values_windowed * seen)
    return np.asarray(cached + RECURRENT_BYTES * as_array(model.recurrent_values), dtype=np.float64)


def state_shards(model: Architecture, accelerators: Any, ranks: Any) -> Array:
    """Accelerators that the caches of all sequences are spread over: KV heads limit it per copy of attention, and a
    shared latent is replicated [1].

    ``ranks min(accelerators / ranks, kv_shards)``: a sequence's cache stands in one of the copies, whichever.
    """
    copies = as_array(ranks)
    return np.asarray(copies * np.minimum(as_array(accelerators) / copies, model.kv_shards), dtype=np.float64)


def decode_load(
    architectures: Sequence[Architecture],
    precision: Sequence[str],
    *,
    accelerators: Any,
    ranks: Any,
    tokens_per_s: Any,
    batch: Any,
    prompt_tokens: Any,
    output_tokens: Any,
) -> DecodeLoad:
    """The load of each row; arrays of shape (rows,).

    Parameters
    ----------
    architectures, precision : model and format of the weights, one per row
    accelerators : size of the whole group, all copies [1]
    ranks : copies of attention in it: attention data-parallel ranks of all copies [1]
    tokens_per_s : output tokens of the whole group [1/s]
    batch : sequences decoding at once in all of it; NaN where unknown [1]
    prompt_tokens, output_tokens : mean lengths [tokens]
    """
    model, names = stack(architectures), list(precision)
    visited = np.where(model.experts > 0, model.experts_active / np.maximum(model.experts, 1.0), 0.0)
    fixed = model.attention_params + model.dense_params + model.other_params
    prompt, output = as_array(prompt_tokens), as_array(output_tokens)
    return DecodeLoad(
        accelerators=accelerators,
        tokens_per_s=tokens_per_s,
        batch=batch,
        layers=model.layers,
        matmul_params=fixed + model.head_params + model.routed_params * visited,
        fixed_weight_bytes=as_array(ranks) * (fixed * bytes_of(FIXED_BYTES, names) + 2.0 * model.head_params),
        routed_weight_bytes=model.routed_params * bytes_of(EXPERT_BYTES, names),
        experts=model.experts,
        experts_active=model.experts_active,
        state_bytes_per_sequence=state_bytes_per_sequence(model, prompt + output / 2.0),
        state_shards=state_shards(model, accelerators, ranks),
        prompt_tokens=prompt,
        output_tokens=output,
        block_scaled_fp8=np.array([name == "fp8" for name in names], dtype=np.float64),
    )
