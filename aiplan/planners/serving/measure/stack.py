"""What is built and timed: the shape of a model's layers, its FLOP and bytes, and how few layers stand for all.

A stack has two kinds of layers, dense and with experts; a `Depth` counts both. Counts are of multiplications that a
model of this shape cannot avoid: norms, activations and the embedding's lookup are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiplan.planners.serving.power import expert_coverage

Depth = tuple[int, int]
"""Layers with a dense network, layers with experts."""

CACHE_BYTES = 2.0
"""Bytes per cached value, and per value of activations and output head: 16 bit whatever the weights are [B]."""


@dataclass(frozen=True, slots=True)
class StackShape:
    """Sizes of a decoder with grouped-query attention, one accelerator's share of it.

    Attributes
    ----------
    hidden_size : width of the residual stream [1]
    heads, kv_heads, head_dim : query heads, key and value heads, width of a head [1]
    layers : dense layers and layers with experts of the whole model [1]
    dense_width : inner width of a dense network; 0 without one [1]
    experts, experts_active, expert_width : experts of a layer, those a token visits, inner width of one [1]
    shared_width : inner width of all shared experts of a layer together [1]
    vocab_size : rows of the output head [1]
    gated : whether a network has three matrices (gate, up, down) or two
    """

    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: Depth
    dense_width: int
    experts: int
    experts_active: int
    expert_width: int
    shared_width: int
    vocab_size: int
    gated: bool

    @property
    def matrices(self) -> int:
        """Matrices of a feed-forward network."""
        return 3 if self.gated else 2

    @property
    def qkv_width(self) -> int:
        """Values of query, key and value of one token and layer."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    @property
    def attention_params(self) -> int:
        """Weights of attention, one layer, without biases."""
        return self.hidden_size * (self.qkv_width + self.heads * self.head_dim)

    @property
    def dense_params(self) -> int:
        """Weights of the dense network of one layer."""
        return self.matrices * self.hidden_size * self.dense_width

    @property
    def expert_params(self) -> int:
        """Weights of one routed expert."""
        return self.matrices * self.hidden_size * self.expert_width

    @property
    def always_params(self) -> int:
        """Router and shared experts of one layer with experts: what every token passes."""
        return self.hidden_size * self.experts + self.matrices * self.hidden_size * self.shared_width

    @property
    def head_params(self) -> int:
        """Weights of the output head."""
        return self.vocab_size * self.hidden_size


def shape_of(model: Any) -> StackShape:
    """Shape of a catalog entry (anything with the fields of `aiplan.catalog.schema_models.Model`).

    Raises
    ------
    ValueError where the model has layers that cannot be built here: latent, windowed or recurrent attention, widths
    that differ from layer to layer, layers without attention.
    """
    for has, what in (
        (model.kv_lora_rank, "latent attention"),
        (model.windowed_layers, "attention with a window"),
        (model.linear_layers, "recurrent layers"),
        (model.kv_heads is None, "no count of key and value heads"),
        (isinstance(model.dense_ffn_width, str), "networks of different widths"),
        (model.attention_layers not in (None, model.layers), "layers without attention"),
    ):
        if has:
            raise ValueError(f"the model has {what}, which cannot be built")
    experts = int(model.experts or 0)
    moe_layers = int(model.moe_layers or 0) if experts else 0
    shared = int(model.shared_experts or 0) * int(model.shared_width or model.expert_width or 0)
    return StackShape(
        hidden_size=int(model.hidden_size),
        heads=int(model.attention_heads),
        kv_heads=int(model.kv_heads),
        head_dim=int(model.head_dim),
        layers=(int(model.layers) - moe_layers, moe_layers),
        dense_width=int(model.dense_ffn_width or 0),
        experts=experts,
        experts_active=int(model.experts_active or 0),
        expert_width=int(model.expert_width or 0),
        shared_width=shared,
        vocab_size=int(model.vocab_size),
        gated=int(model.ffn_matrices or 3) == 3,
    )


def shard(shape: StackShape, tensor_parallel: int) -> StackShape:
    """One accelerator's share under tensor parallelism; what passes between accelerators is not part of it.

    Heads, inner widths and vocabulary are divided; key and value heads are divided, and copied where there are fewer
    of them than accelerators.

    Raises
    ------
    ValueError where a size cannot be divided.
    """
    n = tensor_parallel
    if n < 1:
        raise ValueError(f"tensor parallelism must be 1 or more, got {n}")
    kv_even = shape.kv_heads % n == 0 or n % shape.kv_heads == 0
    uneven = [
        name
        for name, even in (
            ("query heads", shape.heads % n == 0),
            ("key and value heads", kv_even),
            ("width of the dense network", shape.dense_width % n == 0),
            ("width of an expert", shape.expert_width % n == 0),
            ("width of the shared experts", shape.shared_width % n == 0),
        )
        if not even
    ]
    if uneven:
        raise ValueError(f"tensor parallelism of {n} does not divide: {', '.join(uneven)}")
    return replace(
        shape,
        heads=shape.heads // n,
        kv_heads=max(shape.kv_heads // n, 1),
        dense_width=shape.dense_width // n,
        expert_width=shape.expert_width // n,
        shared_width=shape.shared_width // n,
        vocab_size=math.ceil(shape.vocab_size / n),
    )


def forward_flop(shape: StackShape, depth: Depth, batch: int, new_tokens: int, past_tokens: int) -> float:
    """Multiplications and additions of one forward pass [FLOP].

    ``2 P_active B n + 4 H d B (n p + n (n + 1) / 2) layers + 2 B V h``

    Every new token is multiplied with the active weights and attends to the past and to the new tokens up to itself;
    only the last token of a sequence passes the output head.

    Parameters
    ----------
    depth : layers of either kind
    batch : B, sequences
    new_tokens, past_tokens : n tokens computed and p tokens in the cache, of each sequence
    """
    dense, moe = depth
    moe_params = shape.always_params + shape.experts_active * shape.expert_params
    params = (dense + moe) * shape.attention_params + dense * shape.dense_params + moe * moe_params
    pairs = new_tokens * past_tokens + new_tokens * (new_tokens + 1) / 2
    attention = 4.0 * shape.heads * shape.head_dim * batch * pairs * (dense + moe)
    return 2.0 * params * batch * new_tokens + attention + 2.0 * batch * shape.head_params


def cache_bytes(shape: StackShape, depth: Depth, batch: int, context_tokens: int) -> float:
    """Keys and values of a batch at a context [B]."""
    return CACHE_BYTES * 2.0 * shape.kv_heads * shape.head_dim * batch * context_tokens * sum(depth)


def weight_bytes(shape: StackShape, depth: Depth, bytes_per_weight: float) -> float:
    """All weights of a stack, output head included [B].

    Parameters
    ----------
    bytes_per_weight : of matrices inside the layers; the output head stays at 16 bit [B]
    """
    dense, moe = depth
    moe_params = shape.always_params + shape.experts * shape.expert_params
    params = (dense + moe) * shape.attention_params + dense * shape.dense_params + moe * moe_params
    return bytes_per_weight * params + CACHE_BYTES * shape.head_params


def read_bytes(
    shape: StackShape, depth: Depth, batch: int, new_tokens: int, past_tokens: int, bytes_per_weight: float
) -> float:
    """Least that one forward pass reads from memory: touched weights and the cache, each once [B].

    Of routed experts those are counted that uniform routing is expected to touch (`power.expert_coverage`); every
    key and value is counted once, the new ones too.
    """
    idle = 0.0
    if shape.experts:
        touched = float(expert_coverage(batch * new_tokens, shape.experts, shape.experts_active))
        idle = bytes_per_weight * depth[1] * shape.experts * shape.expert_params * (1.0 - touched)
    cache = cache_bytes(shape, depth, batch, past_tokens + new_tokens)
    return weight_bytes(shape, depth, bytes_per_weight) - idle + cache


def workspace_bytes(shape: StackShape, tokens: int) -> float:
    """Activations alive at once in the widest place of a layer, generously [B].

    Assumed: four copies of the residual stream, the attention's inputs, and three inner widths.
    """
    routed = shape.experts_active * (shape.expert_width + shape.hidden_size)
    inner = max(shape.dense_width, routed + shape.shared_width)
    return CACHE_BYTES * tokens * (4 * shape.hidden_size + 2 * shape.qkv_width + 3 * inner)


def depths_to_time(full: Depth, deepest: int) -> tuple[Depth, ...]:
    """Depths whose differences give the time of one layer of each kind: the deepest, then one shallower per kind.

    Parameters
    ----------
    full : layers of the model
    deepest : most layers of a kind to build

    >>> depths_to_time((80, 0), 8)
    ((8, 0), (4, 0))
    >>> depths_to_time((3, 89), 8)
    ((3, 8), (1, 8), (3, 4))
    """
    dense, moe = (min(layers, deepest) for layers in full)
    out = [(dense, moe)]
    if dense:
        out.append((dense // 2, moe))
    if moe:
        out.append((dense, moe // 2))
    return tuple(out)


def depth_weights(depths: Sequence[Depth], target: Depth) -> tuple[float, ...]:
    """Weights that turn quantities at the depths timed into the quantity at another depth.

    ``x(target) = x_deep + sum_k (target_k - deep_k) (x_deep - x_k) / (deep_k - shallow_k)``

    Exact for what is a fixed part plus a part per layer of each kind: time, energy, FLOP, bytes. The fixed part
    (output head, launch of the pass) is the quantity at a depth of no layers. What a layer costs must not depend on
    how many there are: weights of the shallow stack must not fit the accelerator's cache.

    Parameters
    ----------
    depths : as from `depths_to_time`: the first is the deepest, every other one has fewer layers of one kind
    target : depth asked for

    Raises
    ------
    ValueError where no difference between the depths tells of a kind the target needs.

    >>> depth_weights(((8, 0), (4, 0)), (80, 0))
    (19.0, -18.0)
    """
    deep = depths[0]
    weights = [1.0] + [0.0] * (len(depths) - 1)
    missing = [target[0] - deep[0], target[1] - deep[1]]
    for index, shallow in enumerate(depths[1:], start=1):
        fewer = (deep[0] - shallow[0], deep[1] - shallow[1])
        kind = 0 if fewer[0] else 1
        if fewer[kind] <= 0 or fewer[1 - kind]:
            raise ValueError("every depth after the first must have fewer layers of exactly one kind")
        reach = missing[kind] / fewer[kind]
        weights[0] += reach
        weights[index] -= reach
        missing[kind] = 0
    if any(missing):
        raise ValueError("the depths timed do not tell the kinds of layers apart")
    return tuple(weights)


def combine(weights: Sequence[float], values: Sequence[float]) -> float:
    """The quantity that `depth_weights` stand for."""
    return math.fsum(weight * value for weight, value in zip(weights, values, strict=True))


def combine_spread(weights: Sequence[float], spreads: Sequence[float]) -> float:
    """Spread of a combination of independent quantities: root of the sum of squares."""
    return math.sqrt(math.fsum((weight * spread) ** 2 for weight, spread in zip(weights, spreads, strict=True)))
