"""Parameters counted matrix by matrix, from the fields of a catalog entry and what its class adds to them.

A second implementation beside the one that writes the catalog: it lists weight matrices and vectors instead
of evaluating a formula, and knows biases, norms and routers of each class on its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Entry = dict[str, Any]
Parts = dict[str, int]

QKV_BIAS = (
    "qwen2.5-", "deepseek-r1-distill-qwen-", "gpt-oss-", "glm-4.5", "bloom-", "opt-", "gpt3-", "phi-2",
    "phi-3.5-moe", "gpt-neox-", "seed-oss-",
)  # fmt: skip
EVERY_BIAS = ("bloom-", "opt-", "gpt3-", "phi-2", "gpt-neox-")
ATTENTION_OUT_BIAS = (*EVERY_BIAS, "gpt-oss-", "phi-3.5-moe")
FFN_BIAS = (*EVERY_BIAS, "gpt-j-")
HEAD_NORM = ("qwen3-", "qwen3.5-", "gemma-3-")
FULL_NORM = ("minimax-", "olmo-")
GATED_QUERY = ("qwen3-next-", "qwen3.5-")
ROUTING_BIAS = ("deepseek-v3", "deepseek-r1", "kimi-", "glm-", "minimax-", "gpt-oss-", "nemotron-3-")
FOUR_NORMS = ("gemma-2-2b", "gemma-2-9b", "gemma-2-27b", "gemma-3-", "grok-")
HEAD_BIAS = ("gpt-j-", "phi-2", "phi-3.5-moe")
POSITIONS = {"opt-": 2050, "gpt3-": 2048}

# Norm vectors of a layer and at the end; a LayerNorm with bias holds two vectors.
LAYER_NORM_WITH_BIAS = (
    "bloom-",
    "opt-",
    "gpt3-",
    "falcon-",
    "gpt-j-",
    "gpt-neox-",
    "phi-2",
    "phi-3.5",
    "nemotron-4-",
)
ONE_NORM = ("gpt-j-", "command-", "falcon-7b", "nemotron-nano-", "nemotron-3-", "nemotron-h-", "phi-2")

# Widths of FFN blocks by ffn_mult, with the number of blocks: 2/3 x mult x hidden, up to a multiple of 256.
FFN_MULTS = {
    "nemotron-ultra-253b": {
        4.875: 34, 2.4375: 19, 1.95: 10, 1.4625: 6, 3.4125: 4, 2.925: 2, 0.4875: 1, 0.975: 1, 27.5625: 1,
        31.40625: 1, 36.5625: 1, 39.0: 1,
    },
    "nemotron-super-49b": {5.25: 49, 1.3125: 10, 1.0: 8, 0.5: 6, 2.625: 6, 3.28125: 1},
}  # fmt: skip
# Heads, head dimension, state size and groups of Mamba-2 layers.
MAMBA = {
    "nemotron-nano-9b-v2": (128, 80, 128, 8),
    "nemotron-nano-12b-v2": (128, 80, 128, 8),
    "nemotron-3-nano-30b-a3b": (64, 64, 128, 8),
    "nemotron-h-56b": (256, 64, 256, 8),
}
# Value heads of gated-DeltaNet layers; 16 key heads, all of dimension 128.
DELTA = {
    "qwen3-next-80b-a3b": 32,
    "qwen3.5-9b": 32,
    "qwen3.5-27b": 48,
    "qwen3.5-35b-a3b": 32,
    "qwen3.5-122b-a10b": 64,
    "qwen3.5-397b-a17b": 64,
}


def _is(entry_id: str, starts: tuple[str, ...]) -> bool:
    return entry_id.startswith(starts)


def _sizes(matrices: Iterable[tuple[int, ...]]) -> int:
    total = 0
    for shape in matrices:
        size = 1
        for length in shape:
            size *= length
        total += size
    return total


def attention(entry_id: str, entry: Entry) -> int:
    """Parameters of all attention layers."""
    h, heads, dim = entry["hidden_size"], entry["attention_heads"], entry["head_dim"]
    layers = entry.get("attention_layers", entry["layers"])
    if entry["attention"] == "mla":
        return int(layers * _latent(entry))
    q, kv = heads * dim, entry["kv_heads"] * dim
    weights: list[tuple[int, ...]] = [(q, h), (kv, h), (kv, h), (h, q)]
    if _is(entry_id, GATED_QUERY):
        weights.append((q, h))
    if _is(entry_id, QKV_BIAS):
        weights += [(q,), (kv,), (kv,)]
    if _is(entry_id, ATTENTION_OUT_BIAS):
        weights.append((h,))
    if _is(entry_id, ("gpt-oss-",)):
        weights.append((heads,))
    if _is(entry_id, HEAD_NORM) or entry_id == "glm-4.5":
        weights += [(dim,), (dim,)]
    if _is(entry_id, FULL_NORM):
        weights += [(q,), (kv,)]
    return int(layers * _sizes(weights))


def _latent(entry: Entry) -> int:
    h, heads, rank = entry["hidden_size"], entry["attention_heads"], entry["kv_lora_rank"]
    nope, rope, value = entry["qk_nope_head_dim"], entry["qk_rope_head_dim"], entry["v_head_dim"]
    compressed = entry.get("q_lora_rank", 0)
    query = heads * (nope + rope)
    down: list[tuple[int, ...]] = [(compressed, h), (compressed,), (query, compressed)] if compressed else [(query, h)]
    weights = [
        *down,
        (rank + rope, h),
        (rank,),
        (heads * nope, rank),
        (heads * value, rank),
        (h, heads * value),
    ]
    if "index_heads" in entry:
        index, dim = entry["index_heads"], entry["index_head_dim"]
        weights += [(index * dim, compressed), (dim, h), (dim,), (dim,), (index, h)]
    return _sizes(weights)


def linear(entry_id: str, entry: Entry) -> tuple[int, int, int]:
    """Parameters, state values and convolution state values of all linear layers."""
    h, layers = entry["hidden_size"], entry.get("linear_layers", 0)
    if entry_id in MAMBA:
        heads, dim, state, groups = MAMBA[entry_id]
        inner = heads * dim
        conv = inner + 2 * groups * state
        weights: list[tuple[int, ...]] = [
            (2 * inner + 2 * groups * state + heads, h),
            (conv, 4),
            (conv,),
            (h, inner),
        ]
        weights += [(heads,), (heads,), (heads,), (inner,)]
        return layers * _sizes(weights), layers * heads * dim * state, layers * conv * 3
    if entry_id in DELTA:
        heads = DELTA[entry_id]
        keys, values = 16 * 128, heads * 128
        conv = 2 * keys + values
        weights = [
            (2 * keys + 2 * values, h),
            (2 * heads, h),
            (conv, 4),
            (heads,),
            (heads,),
            (128,),
            (h, values),
        ]
        return layers * _sizes(weights), layers * heads * 128 * 128, layers * conv * 3
    return 0, 0, 0


def feed_forward(entry_id: str, entry: Entry) -> tuple[int, int, int]:
    """Parameters of dense FFNs, routed experts and shared experts."""
    h, matrices = entry["hidden_size"], entry["ffn_matrices"]
    if entry_id in FFN_MULTS:
        widths = [
            (-(-round(2 * mult * h, 6) // 768)) * 256 for mult, n in FFN_MULTS[entry_id].items() for _ in range(n)
        ]
        return sum(int(matrices * h * width) for width in widths), 0, 0
    width = entry.get("dense_ffn_width", 0)
    bias = width + h if _is(entry_id, FFN_BIAS) else 0
    dense = entry["dense_layers"] * (matrices * h * width + bias)
    layers, experts = entry.get("moe_layers", 0), entry.get("experts", 0)
    wide = entry.get("expert_width", 0)
    expert = matrices * h * wide + (2 * wide + h if _is(entry_id, ("gpt-oss-",)) else 0)
    shared = entry.get("shared_experts", 0) * matrices * h * entry.get("shared_width", 0)
    return dense, layers * experts * expert, layers * shared


def other(entry_id: str, entry: Entry) -> int:
    """Parameters of norms, routers, learned positions and the output head's bias."""
    h, layers, experts = entry["hidden_size"], entry["layers"], entry.get("experts", 0)
    vectors = 2 if _is(entry_id, LAYER_NORM_WITH_BIAS) else 1
    per_layer = 1 if _is(entry_id, ONE_NORM) else 4 if _is(entry_id, FOUR_NORMS) else 2
    norms = layers * per_layer + 1
    if entry_id in FFN_MULTS:  # one norm per attention and per FFN that a block has
        norms = entry["attention_layers"] + entry["dense_layers"] + 1
    if _is(entry_id, ("bloom-",)):
        norms += 1
    router = experts * h + (experts if _is(entry_id, ROUTING_BIAS) else 0)
    router += h if _is(entry_id, GATED_QUERY) and experts else 0
    rows = next((count for start, count in POSITIONS.items() if entry_id.startswith(start)), 0)
    head_bias = entry["vocab_size"] if _is(entry_id, HEAD_BIAS) else 0
    return int(norms * vectors * h + entry.get("moe_layers", 0) * router + rows * h + head_bias)


def positions(entry_id: str, entry: Entry) -> int:
    """Parameters of learned positions, which are looked up like the input embedding."""
    rows = next((count for start, count in POSITIONS.items() if entry_id.startswith(start)), 0)
    return int(rows * entry["hidden_size"])


def parts(entry_id: str, entry: Entry) -> Parts:
    """Parameters by part, under the names of the catalog."""
    table = entry["vocab_size"] * entry["hidden_size"]
    dense, routed, shared = feed_forward(entry_id, entry)
    return {
        "params_embedding": table,
        "params_output_head": 0 if entry["tied_embeddings"] else table,
        "params_attention": attention(entry_id, entry),
        "params_linear_attention": linear(entry_id, entry)[0],
        "params_dense_ffn": dense,
        "params_routed_experts": routed,
        "params_shared_experts": shared,
        "params_other": other(entry_id, entry),
    }
