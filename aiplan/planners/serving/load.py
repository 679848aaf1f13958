"""A model of the catalog decoding on accelerators of the catalog, as the numbers the power law wants.

Names and shapes come in as catalog entries (anything with their fields); what goes out is plain numbers.
"""

from __future__ import annotations

from typing import Any

from aiplan.planners.serving.precision import EXPERT_BYTES as EXPERT_BYTES
from aiplan.planners.serving.precision import FIXED_BYTES as FIXED_BYTES
from aiplan.planners.serving.precision import KV_BYTES as KV_BYTES

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


def state_bytes_per_sequence(model: Any, context_tokens: float) -> float:
    """Cache and recurrent state read per sequence and decode step at a context [B].

    Windowed layers read at most their window, linear layers their fixed state.
    """
    every = float(model.kv_values_per_token or 0)
    full = float(model.kv_values_per_token_full_layers if model.kv_values_per_token_full_layers is not None else every)
    seen = min(context_tokens, float(model.window_tokens or context_tokens))
    recurrent = float(model.linear_state_values or 0) + float(model.linear_conv_values or 0)
    return KV_BYTES * (full * context_tokens + (every - full) * seen) + RECURRENT_BYTES * recurrent


def state_shards(model: Any, accelerators: float, replicas: float) -> float:
    """Accelerators one sequence's cache is spread over: KV heads limit it, a shared latent is replicated."""
    if replicas > 1:
        return accelerators  # attention data-parallel: a sequence's cache stands on one of n
    if model.kv_lora_rank:
        return 1.0
    return min(accelerators, float(model.kv_heads or 1))


def decode_fields(
    model: Any,
    *,
    accelerators: float,
    tokens_per_s: float,
    batch: float,
    precision: str,
    replicas: float = 1.0,
    prompt_tokens: float,
    output_tokens: float,
) -> dict[str, float]:
    """Fields of `power.DecodeLoad` for one model at a known token rate.

    Parameters
    ----------
    model : catalog entry of the model
    accelerators, replicas : size of the group, and of its attention data-parallel copies [1]
    tokens_per_s : output tokens of the whole group [1/s]
    batch : sequences decoding at once; NaN where unknown [1]
    precision : canonical name, see `EXPERT_BYTES`
    prompt_tokens, output_tokens : mean lengths [tokens]
    """
    routed = float(model.params_routed_experts or 0)
    experts, active = float(model.experts or 0), float(model.experts_active or 0)
    head = float(model.vocab_size) * float(model.hidden_size)
    fixed = float(model.matmul_params) - head - (routed * active / experts if experts else 0.0)
    return {
        "accelerators": accelerators,
        "tokens_per_s": tokens_per_s,
        "batch": batch,
        "layers": float(model.layers),
        "matmul_params": float(model.matmul_params),
        "fixed_weight_bytes": replicas * (fixed * FIXED_BYTES[precision] + 2.0 * head),
        "routed_weight_bytes": routed * EXPERT_BYTES[precision],
        "experts": experts,
        "experts_active": active,
        "state_bytes_per_sequence": state_bytes_per_sequence(model, prompt_tokens + output_tokens / 2),
        "state_shards": state_shards(model, accelerators, replicas),
        "prompt_tokens": prompt_tokens,
        "output_tokens": output_tokens,
        "block_scaled_fp8": float(precision == "fp8"),
    }
