"""A language model as the numbers that time, memory and power need.

`Architecture` holds sums over layers, so that everything downstream is the same arithmetic for dense models and
experts, for grouped, latent, windowed and recurrent attention. It is made from an entry of the catalog
(`architecture_of`) or from a ``config.json`` (`hf_config`), one model at a time; `stack` puts many side by side,
one row each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array

NO_WINDOW = float("inf")


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sums over the layers of a model; every field a number, or an array with one row per model.

    Attributes
    ----------
    layers : blocks of the decoder, each mixer counted [1]
    hidden_size : width of the residual stream [1]
    kv_values_full : cached values per token of layers that keep the whole context, all layers [1]
    kv_values_windowed : cached values per token of layers that keep a window, all layers [1]
    window_tokens : tokens such a layer looks back; infinite where there is none [tokens]
    window_chunked : 1 where the window moves in chunks (a token sees half of it on average), 0 where it slides
    kv_shards : devices over which tensor parallelism can spread one sequence's cache: the KV heads, 1 for a latent [1]
    attended_tokens : most tokens that sparse attention reads; infinite where it reads all [tokens]
    index_values : of ``kv_values_full``, those an indexer reads for every token of context [1]
    recurrent_values : values of recurrent and convolution state per sequence, all layers [1]
    decode_flops_full, decode_flops_windowed : attention FLOPs of one new token per token it attends to, all layers
    prefill_flops_full, prefill_flops_windowed : the same for prompts, where latent attention is expanded
    index_flops : FLOPs with which an indexer scores one pair of a query and a token of its whole context, all layers
    attention_params : softmax and recurrent attention [1]
    dense_params : dense feed-forward networks and shared experts [1]
    routed_params : all routed experts [1]
    other_params : norms, routers, biases, positions [1]
    head_params : output head, whether or not it is the embedding [1]
    stored_params : all of the text model, a shared matrix once [1]
    moe_layers, experts, experts_active, expert_width : layers with experts, experts of one, those a token visits,
        inner width of one; 0 for a dense model [1]
    """

    layers: Any
    hidden_size: Any
    kv_values_full: Any
    kv_values_windowed: Any
    window_tokens: Any
    window_chunked: Any
    kv_shards: Any
    attended_tokens: Any
    index_values: Any
    recurrent_values: Any
    decode_flops_full: Any
    decode_flops_windowed: Any
    prefill_flops_full: Any
    prefill_flops_windowed: Any
    index_flops: Any
    attention_params: Any
    dense_params: Any
    routed_params: Any
    other_params: Any
    head_params: Any
    stored_params: Any
    moe_layers: Any
    experts: Any
    experts_active: Any
    expert_width: Any


FIELDS = tuple(Architecture.__slots__)


def architecture_of(model: Any) -> Architecture:
    """Sums over the layers of a catalog entry (anything with the fields of `aiplan.catalog.schema_models.Model`).

    Source of the arithmetic: the shapes' own definitions; a latent cache holds ``kv_lora_rank + qk_rope_head_dim``
    values per token and layer, shared by all heads.
    """
    attention_layers = float(model.layers if model.attention_layers is None else model.attention_layers)
    windowed = float(model.windowed_layers or 0)
    full = attention_layers - windowed
    heads = float(model.attention_heads)
    latent = float(model.kv_lora_rank or 0)
    if latent:
        rope = float(model.qk_rope_head_dim or 0)
        decode_pair = 2.0 * heads * (2.0 * latent + rope)
        prefill_pair = 2.0 * heads * (float(model.head_dim) + float(model.v_head_dim or model.head_dim))
    else:
        decode_pair = prefill_pair = 4.0 * heads * float(model.head_dim)
    every = float(model.kv_values_per_token or 0)
    kept = model.kv_values_per_token_full_layers
    kv_full = every if kept is None else float(kept)
    index_values = float(model.index_head_dim or 0) * attention_layers
    return Architecture(
        layers=float(model.layers),
        hidden_size=float(model.hidden_size),
        kv_values_full=kv_full,
        kv_values_windowed=every - kv_full,
        window_tokens=float(model.window_tokens or NO_WINDOW),
        window_chunked=float(model.window_kind == "chunked"),
        kv_shards=1.0 if latent else float(model.kv_heads or 1),
        attended_tokens=float(model.index_topk or NO_WINDOW),
        index_values=index_values,
        recurrent_values=float(model.linear_state_values or 0) + float(model.linear_conv_values or 0),
        decode_flops_full=decode_pair * full,
        decode_flops_windowed=decode_pair * windowed,
        prefill_flops_full=prefill_pair * full,
        prefill_flops_windowed=prefill_pair * windowed,
        index_flops=2.0 * float(model.index_heads or 0) * index_values,
        attention_params=float(model.params_attention or 0) + float(model.params_linear_attention or 0),
        dense_params=float(model.params_dense_ffn or 0) + float(model.params_shared_experts or 0),
        routed_params=float(model.params_routed_experts or 0),
        other_params=float(model.params_other or 0),
        head_params=float(model.vocab_size) * float(model.hidden_size),
        stored_params=float(model.total_params),
        moe_layers=float(model.moe_layers or 0),
        experts=float(model.experts or 0),
        experts_active=float(model.experts_active or 0),
        expert_width=float(model.expert_width or 0),
    )


def stack(rows: Sequence[Architecture]) -> Architecture:
    """Many models as one `Architecture` of arrays of shape (rows,)."""
    return Architecture(*np.array([[getattr(row, name) for row in rows] for name in FIELDS], dtype=np.float64))


def windowed_context(context_tokens: Any, window_tokens: Any, chunked: Any) -> Array:
    """Tokens that a layer with a window attends to on average, at a context [tokens].

    A sliding window sees ``min(w, c)``. A chunk starts anew at every multiple of w: past the first one a token sees
    half a window on average, which is exact over whole chunks.

    >>> [float(windowed_context(c, 8192, 1)) for c in (1000, 8192, 32768)]
    [1000.0, 8192.0, 4096.0]
    """
    context, window = as_array(context_tokens), as_array(window_tokens)
    seen = np.minimum(context, window)
    in_chunk = np.where((as_array(chunked) > 0) & (context > window), window / 2.0, seen)
    return np.asarray(in_chunk, dtype=np.float64)
