"""Device memory of a served model: weights, KV cache and activations on one device, and what fits into the rest.

Everything is per device and, where pipeline stages or experts do not divide evenly, of the fullest one. How much of
a device an engine gives to its cache is in `memory_pool`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.serving.architecture import NO_WINDOW, Architecture
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.precision import WeightBytes

RECURRENT_STATE_BYTES = 4.0
"""Bytes per value of recurrent state: engines keep it in fp32 (``mamba_ssm_dtype`` of Qwen3.5) [B]."""
ACTIVATION_BYTES = 2.0
"""Bytes per value of activations: 16 bit [B]."""
CHUNK_TOKENS = 8192.0
"""Most tokens of one prefill step where nothing else is known; assumed, engines use 2,048 to 16,384 [tokens]."""
SEQUENCES = 256.0
"""Most sequences of one decode step where nothing else is known; assumed [1]."""
SAMPLER_BYTES = 41.0
"""Bytes per sequence and vocabulary entry while sampling: logits, sorting, probabilities [B].

Derived: 1.26 GiB peak for 256 sequences of Llama 3 8B, at TP1 and TP2 alike (vLLM pull request 10511)."""


def stage_share(layers: Any, pp: Any) -> Array:
    """Share of the layers on the fullest pipeline stage, ``ceil(L / pp) / L`` [1].

    >>> round(float(stage_share(61, 2)), 4)
    0.5082
    """
    count = as_array(layers)
    return np.asarray(np.ceil(count / as_array(pp)) / count, dtype=np.float64)


def kv_share(kv_shards: Any, tp: Any) -> Array:
    """Share of one sequence's cache on a device of its tensor-parallel group, ``ceil(n_kv / tp) / n_kv`` [1].

    A device holds whole KV heads and at least one, so beyond ``n_kv`` devices the cache is replicated; a latent
    cache, which all heads share, is replicated from the second device on.

    >>> [float(kv_share(4, tp)) for tp in (1, 2, 4, 8)]
    [1.0, 0.5, 0.25, 0.25]
    """
    heads = as_array(kv_shards)
    return np.asarray(np.ceil(heads / as_array(tp)) / heads, dtype=np.float64)


def expert_share(experts: Any, layout: Layout) -> Array:
    """Share of the routed experts of a stage on its fullest device [1].

    ``ceil(E / ep) / E * ep / (tp dp)``: experts are divided among ``ep`` ranks, and each is cut by the devices of
    its rank. Copies that an engine keeps for balance are not counted.
    """
    count, ranks = np.maximum(as_array(experts), 1.0), as_array(layout.ep)
    return np.asarray(np.ceil(count / ranks) / count * ranks / layout.stage_devices, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class DeviceWeights:
    """Weights on the fullest device, by part as in `precision.WeightBytes`; ``ends`` is embedding and head [B]."""

    routed: Array
    matrices: Array
    ends: Array
    other: Array

    @property
    def total(self) -> Array:
        """All of it [B]."""
        return self.routed + self.matrices + self.ends + self.other


def weights_per_device(architecture: Architecture, weights: WeightBytes, layout: Layout) -> DeviceWeights:
    """Weights on one device under a layout [B].

    Routed experts are spread over all ``tp * dp`` devices of a stage. Attention, dense and shared parts, embedding
    and head are cut by ``tp`` and copied ``dp`` times. Norms and routers are on every device of their stage.
    With a pipeline, embedding and head stand on different stages.

    Source: the engines' parallel layers (column, row and vocabulary parallel; replicated for norms and routers).
    Limits: layers count as equal, padding of matrices and biases cut with their experts are left out.

    >>> from aiplan.planners.serving.precision import weight_bytes
    >>> llama = Architecture(80, 8192, 163840, 0, NO_WINDOW, 0, 8, NO_WINDOW, 0, 0, 2621440, 0, 2621440, 0, 0,
    ...                      12079595520, 56371445760, 0, 1318912, 1050673152, 70553706496, 0, 0, 0, 0)
    >>> round(float(weights_per_device(llama, weight_bytes(llama, "bf16"), Layout(tp=8)).total) / 1e9, 2)
    17.64
    """
    tp, pp = as_array(layout.tp), as_array(layout.pp)
    share = stage_share(architecture.layers, pp)
    ends = np.where(pp > 1, np.maximum(weights.embedding, weights.head), weights.embedding + weights.head)
    return DeviceWeights(
        routed=np.asarray(weights.routed * share * expert_share(architecture.experts, layout)),
        matrices=np.asarray(weights.matrices * share / tp),
        ends=np.asarray(ends / tp),
        other=np.asarray(weights.other * share),
    )


@dataclass(frozen=True, slots=True)
class DeviceCache:
    """What one sequence keeps on one device.

    Attributes
    ----------
    full_bytes : per token of context, layers that keep all of it [B/token]
    windowed_bytes : per token of context up to the window, layers that keep a window [B/token]
    state_bytes : per sequence, recurrent and convolution state [B]
    window_tokens : the window; infinite where there is none, or where the engine keeps all tokens [tokens]
    block_tokens : tokens that are allocated together [tokens]
    """

    full_bytes: Array
    windowed_bytes: Array
    state_bytes: Array
    window_tokens: Array
    block_tokens: Array


def cache_per_device(
    architecture: Architecture,
    layout: Layout,
    kv_bytes: Any = 2.0,
    *,
    index_bytes: Any = None,
    block_tokens: Any = 1.0,
    windows_in_full: Any = False,
) -> DeviceCache:
    """Cache of one sequence on one device of its attention data-parallel rank.

    ``full = (v_full - v_index) b_kv + v_index b_index``, ``windowed = v_window b_kv``, both times the share of the
    KV heads and of the layers; ``state = 4 B v_state / tp`` times the share of the layers.

    Parameters
    ----------
    architecture, layout : shapes, one row per deployment or one
    kv_bytes : bytes per cached value, see `precision.kv_bytes` [B]
    index_bytes : bytes per key of a sparse-attention indexer; absent: as the cache. SGLang keeps them at 8 bit
        with a 32-bit scale per 128 whatever the cache's format: 1.03125 [B]
    block_tokens : page of the allocator: 16 vLLM, 32 or 64 TensorRT-LLM, 1 SGLang [tokens]
    windows_in_full : whether the allocator keeps all tokens of windowed layers too

    Source: cache sizes as in SGLang's ``get_cell_size_per_token`` (model_runner_kv_cache_mixin.py@001ccef) and
    TensorRT-LLM's ``_get_cache_size_per_token`` (_util.py@d8ae02ca). Recurrent heads are cut by ``tp``.
    Limits: copies of recurrent state for prefix reuse and drafts are left out.
    """
    tp, share = as_array(layout.tp), stage_share(architecture.layers, layout.pp)
    per_value = as_array(kv_bytes)
    index = as_array(architecture.index_values)
    index_each = per_value if index_bytes is None else as_array(index_bytes)
    held = kv_share(architecture.kv_shards, tp) * share
    full = (as_array(architecture.kv_values_full) - index) * per_value + index * index_each
    state = as_array(architecture.recurrent_values) * RECURRENT_STATE_BYTES / tp * share
    window = np.where(np.asarray(windows_in_full, dtype=bool), NO_WINDOW, as_array(architecture.window_tokens))
    rows = (full * held, as_array(architecture.kv_values_windowed) * per_value * held, state, window, block_tokens)
    return DeviceCache(*(np.asarray(row, dtype=np.float64) for row in rows))


def _blocks_up(tokens: Array, block: Array) -> Array:
    return np.asarray(np.ceil(tokens / block) * block, dtype=np.float64)


def sequence_bytes(cache: DeviceCache, context_tokens: Any) -> Array:
    """Cache of one sequence on one device once it is this long [B].

    ``c full + min(c, w) windowed + state`` with ``c`` and ``w`` rounded up to whole blocks. A chunked window holds
    up to ``w`` tokens and half of that on average; counted is the most, which has to fit.

    Parameters
    ----------
    cache : see `cache_per_device`
    context_tokens : prompt and answer so far [tokens]
    """
    tokens = _blocks_up(as_array(context_tokens), cache.block_tokens)
    kept = np.minimum(tokens, _blocks_up(cache.window_tokens, cache.block_tokens))
    return np.asarray(tokens * cache.full_bytes + kept * cache.windowed_bytes + cache.state_bytes, dtype=np.float64)


def largest_batch(pool_bytes: Any, cache: DeviceCache, context_tokens: Any, *, whole: bool = True) -> Array:
    """Sequences of a context that a pool holds at once, per attention data-parallel rank [1].

    Parameters
    ----------
    pool_bytes : cache pool of one device, see `memory_pool.kv_pool_bytes`; below 0 counts as 0 [B]
    cache, context_tokens : see `sequence_bytes`; the context at its longest [tokens]
    whole : False gives the ratio itself, for a mean over sequences of unequal age

    Infinite where a sequence keeps nothing.
    """
    pool, each = np.broadcast_arrays(np.maximum(as_array(pool_bytes), 0.0), sequence_bytes(cache, context_tokens))
    ratio = np.divide(pool, each, out=np.full(pool.shape, np.inf), where=each > 0)
    if not whole:
        return np.asarray(ratio)
    bounded = np.where(np.isfinite(ratio), np.floor(ratio), 0.0)
    # The quotient is rounded: the product decides.
    bounded = bounded - (bounded * each > pool)
    bounded = bounded + ((bounded + 1.0) * each <= pool)
    return np.asarray(np.where(np.isfinite(ratio), bounded, np.inf), dtype=np.float64)


def largest_context(pool_bytes: Any, cache: DeviceCache, batch: Any = 1.0) -> Array:
    """Longest context that a batch of equal sequences reaches in a pool [tokens].

    The inverse of `sequence_bytes`: whole blocks, 0 where not even one fits, infinite where only windowed layers or
    recurrent state remain.

    Parameters
    ----------
    pool_bytes : cache pool of one device [B]
    cache : see `cache_per_device`
    batch : sequences at once, per attention data-parallel rank [1]
    """
    require(as_array(batch) > 0, "batch must be above 0")
    spare = np.maximum(as_array(pool_bytes), 0.0) / as_array(batch) - cache.state_bytes
    block, window = cache.block_tokens, _blocks_up(cache.window_tokens, cache.block_tokens)
    both = cache.full_bytes + cache.windowed_bytes
    with np.errstate(divide="ignore", invalid="ignore"):
        short = np.where(both > 0, spare / both, np.inf)
        # 0 bytes a token times an endless window is 0 here.
        inside = np.where(cache.windowed_bytes > 0, window * cache.windowed_bytes, 0.0)
        long = np.where(cache.full_bytes > 0, (spare - inside) / cache.full_bytes, np.inf)
    tokens = np.where((short <= window) | (cache.windowed_bytes == 0), short, long)
    tokens = np.where(spare < 0, 0.0, tokens)
    finite = np.isfinite(tokens)
    blocks = np.floor(np.where(finite, tokens, 0.0) / block)
    limit = spare + cache.state_bytes
    blocks = blocks - ((sequence_bytes(cache, blocks * block) > limit) & (blocks > 0))
    blocks = blocks + (finite & (spare >= 0) & (sequence_bytes(cache, (blocks + 1.0) * block) <= limit))
    return np.asarray(np.where(finite, blocks * block, np.inf), dtype=np.float64)


def activation_bytes(
    architecture: Architecture, layout: Layout, *, chunk_tokens: Any = CHUNK_TOKENS, sequences: Any = SEQUENCES
) -> Array:
    """Largest working memory of a step on one device, beside weights and cache [B].

    The larger of a prefill step of ``T`` tokens and of sampling for ``S`` sequences, which do not overlap:
    ``2 B T (2 h + max(attention, dense, experts))`` and ``41 B S V``. Widths are those alive at once in one layer:
    queries, keys, values and result; both inner matrices and their product; for experts those and the result of
    each active one.

    Parameters
    ----------
    architecture, layout : shapes, one row per deployment or one
    chunk_tokens : most tokens of one prefill step, per rank [tokens]
    sequences : most sequences that are sampled at once [1]

    Source: assumption of ours on which tensors are alive; the sampler's constant is derived from one published log
    (see `SAMPLER_BYTES`). Layers count as equal; engines differ in what they keep and in how they sample.
    """
    tp = as_array(layout.tp)
    hidden, layers = as_array(architecture.hidden_size), as_array(architecture.layers)
    attention = as_array(architecture.attention_params) / (layers * hidden) / tp
    dense = as_array(architecture.dense_params) / (layers * hidden) / tp
    routed = as_array(architecture.experts_active) * (3.0 * as_array(architecture.expert_width) / tp + hidden)
    width = 2.0 * hidden + np.maximum(np.maximum(attention, dense), routed)
    forward = ACTIVATION_BYTES * as_array(chunk_tokens) * width
    vocabulary = as_array(architecture.head_params) / hidden
    return np.asarray(np.maximum(forward, SAMPLER_BYTES * as_array(sequences) * vocabulary), dtype=np.float64)
