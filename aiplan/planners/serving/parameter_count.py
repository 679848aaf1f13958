"""Parameters of a decoder counted part by part, and the values its caches hold.

Whole numbers in, whole numbers out: a count is exact or it is wrong. The formulas follow the weight matrices and
vectors of each kind of layer; where a vendor publishes the count of every parameter (BLOOM: 176,247,271,424)
they give it to the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

GATED_DELTANET = "gated-deltanet"
MAMBA2 = "mamba2"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Widths and numbers of a decoder's layers, under the names of the catalog, and the small print of its class.

    Everything is a plain whole number [1]. 0 means that the model has none of it.

    Attributes
    ----------
    layers : blocks of the decoder
    hidden_size : width of the residual stream
    vocab_size : rows of the embedding, padded as stored
    tied_embeddings : whether the output head is the embedding
    attention_heads, kv_heads, head_dim : of a layer with softmax attention; ``kv_heads`` 0 for latent attention,
        where ``head_dim`` is that of queries and keys
    attention_layers : layers with softmax attention; None means all that are not recurrent
    windowed_layers : those of them that keep a window
    q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim : latent attention; without
        ``q_lora_rank`` the query is not compressed
    index_heads, index_head_dim : indexer of sparse attention
    linear_layers, linear_kind : recurrent layers, ``mamba2`` or ``gated-deltanet``
    linear_heads, linear_head_dim : Mamba-2 heads, or value heads of DeltaNet
    linear_groups, linear_state_size : Mamba-2 groups and state, or key heads of DeltaNet and their width
    linear_kernel : taps of the short convolution
    dense_layers, dense_ffn_width : dense feed-forward networks; None layers means all without experts
    dense_ffn_widths : (width, layers) where widths differ; in place of the two above
    ffn_matrices : matrices of a network, three gated and two plain
    moe_layers, experts, experts_active, expert_width : layers with experts, and what stands in one
    shared_experts, shared_width : experts that every token passes
    qkv_bias, output_bias : biases in attention
    qk_norm : norms of queries and keys: ``head`` one vector for all heads, ``full`` one value per head and dimension
    attention_gate : whether the query projection is doubled to gate the output
    attention_sinks : one learned logit per head
    ffn_bias, expert_bias, head_bias : biases of dense networks, of experts, of the output head
    routing_bias : one value per expert that balances load
    shared_expert_gate : one vector that weighs the shared expert
    norms_per_block : norms around each attention, recurrence and feed-forward network
    shared_norm : whether attention and feed-forward network stand side by side behind one norm
    norm_bias : whether a norm has a bias beside its scale
    outer_norms : norms outside the blocks
    position_rows : rows of a learned table of positions
    """

    layers: int
    hidden_size: int
    vocab_size: int
    tied_embeddings: bool
    attention_heads: int
    kv_heads: int = 0
    head_dim: int
    attention_layers: int | None = None
    windowed_layers: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0
    index_heads: int = 0
    index_head_dim: int = 0
    linear_layers: int = 0
    linear_kind: str = ""
    linear_heads: int = 0
    linear_head_dim: int = 0
    linear_groups: int = 0
    linear_state_size: int = 0
    linear_kernel: int = 4
    dense_layers: int | None = None
    dense_ffn_width: int = 0
    dense_ffn_widths: tuple[tuple[int, int], ...] = ()
    ffn_matrices: int = 3
    moe_layers: int = 0
    experts: int = 0
    experts_active: int = 0
    expert_width: int = 0
    shared_experts: int = 0
    shared_width: int = 0
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: str = ""
    attention_gate: bool = False
    attention_sinks: bool = False
    ffn_bias: bool = False
    expert_bias: bool = False
    head_bias: bool = False
    routing_bias: bool = False
    shared_expert_gate: bool = False
    norms_per_block: int = 1
    shared_norm: bool = False
    norm_bias: bool = False
    outer_norms: int = 1
    position_rows: int = 0


@dataclass(frozen=True, kw_only=True)
class ParameterCount:
    """Parameters by what they belong to, and what the caches hold [1]; names are those of the catalog.

    Attributes
    ----------
    params_embedding ... params_other : parts, which add up to ``total_params``
    active_params : the total less the experts a token does not visit
    matmul_params : active, without the rows that are looked up: the input embedding where it is not the output head
        as well, and learned positions
    kv_values_per_token : cached values of one token, all layers, while inside every window
    kv_values_per_token_full_layers : those of layers without a window
    linear_state_values, linear_conv_values : recurrent and convolution state of one sequence, all layers
    """

    params_embedding: int
    params_output_head: int
    params_attention: int
    params_linear_attention: int
    params_dense_ffn: int
    params_routed_experts: int
    params_shared_experts: int
    params_other: int
    total_params: int
    active_params: int
    matmul_params: int
    kv_values_per_token: int
    kv_values_per_token_full_layers: int
    linear_state_values: int
    linear_conv_values: int


def count_parameters(shape: Shape) -> ParameterCount:
    """Parameters of a shape part by part, its KV values per token and its recurrent state.

    ``active = total - routed (E - k) / E``, with E experts of which a token visits k.

    Raises
    ------
    ValueError where numbers contradict each other: more active experts than experts, more windowed layers than
    layers with attention, a kind of recurrence or norm that is not known.

    Source: definitions of the layers in the vendors' reference implementations. Encoders of other media, modules for
    multi-token prediction and quantisation scales are not counted.

    >>> llama_8b = Shape(layers=32, hidden_size=4096, vocab_size=128_256, tied_embeddings=False, attention_heads=32,
    ...                  kv_heads=8, head_dim=128, dense_ffn_width=14_336)
    >>> count = count_parameters(llama_8b)
    >>> count.total_params, count.kv_values_per_token
    (8030261248, 65536)
    """
    _check(shape)
    table = shape.vocab_size * shape.hidden_size
    positions = shape.position_rows * shape.hidden_size
    expert = _network(shape, shape.expert_width, bias=shape.expert_bias)
    routed = shape.moe_layers * shape.experts * expert
    shared = _network(shape, shape.shared_width, bias=shape.expert_bias)
    parts = {
        "params_embedding": table,
        "params_output_head": 0 if shape.tied_embeddings else table,
        "params_attention": _attention_layers(shape) * _attention(shape),
        "params_linear_attention": shape.linear_layers * _recurrence(shape),
        "params_dense_ffn": sum(n * _network(shape, width, bias=shape.ffn_bias) for width, n in _dense(shape)),
        "params_routed_experts": routed,
        "params_shared_experts": shape.moe_layers * shape.shared_experts * shared,
        "params_other": _norms(shape) + shape.moe_layers * _router(shape) + positions
        + (shape.vocab_size if shape.head_bias else 0),
    }  # fmt: skip
    total = sum(parts.values())
    active = total - shape.moe_layers * (shape.experts - shape.experts_active) * expert
    looked_up = positions + (0 if shape.tied_embeddings else table)
    per_layer, full_layers = _kv_values(shape), _attention_layers(shape) - shape.windowed_layers
    return ParameterCount(
        **parts,
        total_params=total,
        active_params=active,
        matmul_params=active - looked_up,
        kv_values_per_token=_attention_layers(shape) * per_layer,
        kv_values_per_token_full_layers=full_layers * per_layer,
        linear_state_values=(
            shape.linear_layers * shape.linear_heads * shape.linear_head_dim * shape.linear_state_size
        ),
        linear_conv_values=shape.linear_layers * _channels(shape) * max(shape.linear_kernel - 1, 0),
    )


def _check(shape: Shape) -> None:
    if shape.experts_active > shape.experts:
        raise ValueError("experts_active must not exceed experts")
    if shape.windowed_layers > _attention_layers(shape):
        raise ValueError("windowed_layers must not exceed the layers with attention")
    if shape.linear_layers and shape.linear_kind not in (MAMBA2, GATED_DELTANET):
        raise ValueError(f"linear_kind must be {MAMBA2} or {GATED_DELTANET}")
    if shape.qk_norm not in ("", "head", "full"):
        raise ValueError("qk_norm must be empty, head or full")
    if min(_attention_layers(shape), *(count for _, count in _dense(shape))) < 0:
        raise ValueError("layers must be at least those with recurrence, and those with experts")


def _attention_layers(shape: Shape) -> int:
    return shape.layers - shape.linear_layers if shape.attention_layers is None else shape.attention_layers


def _dense(shape: Shape) -> tuple[tuple[int, int], ...]:
    """Width and number of layers of every kind of dense network."""
    if shape.dense_ffn_widths:
        return shape.dense_ffn_widths
    layers = shape.layers - shape.moe_layers if shape.dense_layers is None else shape.dense_layers
    return ((shape.dense_ffn_width, layers),)


def _attention(shape: Shape) -> int:
    """Parameters of one layer of attention with a key and value per head or group of heads."""
    if shape.kv_lora_rank:
        return _latent_attention(shape)
    query, kv = shape.attention_heads * shape.head_dim, shape.kv_heads * shape.head_dim
    count = shape.hidden_size * ((2 if shape.attention_gate else 1) * query + 2 * kv + query)
    if shape.qkv_bias:
        count += query + 2 * kv
    if shape.output_bias:
        count += shape.hidden_size
    if shape.attention_sinks:
        count += shape.attention_heads
    return count + {"": 0, "head": 2 * shape.head_dim, "full": query + kv}[shape.qk_norm]


def _latent_attention(shape: Shape) -> int:
    """Parameters of one layer of latent attention, with its indexer where there is one."""
    hidden, heads, query_rank, rank = shape.hidden_size, shape.attention_heads, shape.q_lora_rank, shape.kv_lora_rank
    nope, rope, value = shape.qk_nope_head_dim, shape.qk_rope_head_dim, shape.v_head_dim
    query = heads * (nope + rope)
    count = hidden * query_rank + query_rank + query_rank * query if query_rank else hidden * query
    count += hidden * (rank + rope) + rank + rank * heads * (nope + value) + heads * value * hidden
    if shape.index_heads:
        # Queries from the compressed query, one key per token with its norm (scale and bias), one weight per head.
        count += query_rank * shape.index_heads * shape.index_head_dim
        count += hidden * shape.index_head_dim + 2 * shape.index_head_dim + hidden * shape.index_heads
    if shape.qkv_bias:
        count += query_rank + rank + rope
    return count + (hidden if shape.output_bias else 0)


def _channels(shape: Shape) -> int:
    """Channels of a recurrent layer that pass the short convolution."""
    return shape.linear_heads * shape.linear_head_dim + 2 * shape.linear_groups * shape.linear_state_size


def _recurrence(shape: Shape) -> int:
    """Parameters of one recurrent layer."""
    hidden, heads, channels = shape.hidden_size, shape.linear_heads, _channels(shape)
    inner = heads * shape.linear_head_dim
    if shape.linear_kind == MAMBA2:
        # Projection in, convolution with bias, decay, step and skip per head, gated norm, projection out.
        count = hidden * (inner + channels + heads) + channels * (shape.linear_kernel + 1)
        return count + 3 * heads + inner + inner * hidden
    # Queries, keys, values and gate in, two rates per value head, convolution, decay and step, norm, projection out.
    count = hidden * (channels + inner + 2 * heads) + channels * shape.linear_kernel
    return count + 2 * heads + shape.linear_head_dim + inner * hidden


def _network(shape: Shape, width: int, *, bias: bool) -> int:
    """Parameters of one feed-forward network."""
    count = shape.ffn_matrices * shape.hidden_size * width
    return count + ((shape.ffn_matrices - 1) * width + shape.hidden_size if bias else 0)


def _router(shape: Shape) -> int:
    count = shape.experts * shape.hidden_size + (shape.experts if shape.routing_bias else 0)
    return count + (shape.hidden_size if shape.shared_expert_gate else 0)


def _norms(shape: Shape) -> int:
    """Parameters of all norms: one before each block of a layer, however many blocks a layer has."""
    dense = sum(count for _, count in _dense(shape))
    blocks = _attention_layers(shape) + shape.linear_layers + dense + shape.moe_layers
    norms = (shape.layers if shape.shared_norm else blocks) * shape.norms_per_block + shape.outer_norms
    return norms * (2 if shape.norm_bias else 1) * shape.hidden_size


def _kv_values(shape: Shape) -> int:
    """Values one layer with attention caches for a token; a latent cache is shared by all heads."""
    if shape.kv_lora_rank:
        return shape.kv_lora_rank + shape.qk_rope_head_dim + shape.index_head_dim
    return 2 * shape.kv_heads * shape.head_dim
