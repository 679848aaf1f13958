"""The stack itself, once for every backend: weights, cache and a forward pass.

Arrays are whatever the backend makes: NumPy arrays or torch tensors, which share indexing, ``reshape``, ``swapaxes``
and arithmetic. Left out: the embedding's lookup, positions, biases and the norms' weights, which move few bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiplan.planners.serving.measure.backend import Backend
from aiplan.planners.serving.measure.stack import Depth, StackShape

Cache = list[tuple[Any, Any]]
"""Keys and values of each layer, of shape (batch, KV heads, capacity, head width)."""


@dataclass(frozen=True, slots=True)
class Network:
    """A feed-forward network, or all routed experts of a layer: matrices into and out of the inner width."""

    up: Any
    down: Any


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer; ``router`` and ``experts`` are None in a dense one."""

    qkv: Any
    out: Any
    network: Network | None
    router: Any = None
    experts: Network | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers of both kinds and the output head."""

    shape: StackShape
    dense: tuple[Layer, ...]
    moe: tuple[Layer, ...]
    head: Any

    def cut(self, depth: Depth) -> Stack:
        """The same stack with fewer layers, weights shared."""
        return Stack(self.shape, self.dense[: depth[0]], self.moe[: depth[1]], self.head)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers in the order they are passed."""
        return self.dense + self.moe


def build(backend: Backend, shape: StackShape, depth: Depth) -> Stack:
    """A stack of random weights; every matrix is (outer, inner) with variance 1 / inner, so that sizes stay put."""

    def matrix(outer: int, inner: int) -> Any:
        return backend.normal((outer, inner), inner**-0.5)

    def network(width: int) -> Network | None:
        if not width:
            return None
        up = backend.packed(matrix((shape.matrices - 1) * width, shape.hidden_size))
        return Network(up, backend.packed(matrix(shape.hidden_size, width)))

    def experts() -> Network:
        inner, hidden = shape.expert_width, shape.hidden_size
        up = backend.normal((shape.experts, (shape.matrices - 1) * inner, hidden), hidden**-0.5)
        return Network(up, backend.normal((shape.experts, hidden, inner), inner**-0.5))

    def layer(*, routed: bool) -> Layer:
        qkv = backend.packed(matrix(shape.qkv_width, shape.hidden_size))
        out = backend.packed(matrix(shape.hidden_size, shape.heads * shape.head_dim))
        if not routed:
            return Layer(qkv, out, network(shape.dense_width))
        return Layer(qkv, out, network(shape.shared_width), matrix(shape.experts, shape.hidden_size), experts())

    dense = tuple(layer(routed=False) for _ in range(depth[0]))
    moe = tuple(layer(routed=True) for _ in range(depth[1]))
    return Stack(shape, dense, moe, matrix(shape.vocab_size, shape.hidden_size))


def new_cache(backend: Backend, stack: Stack, batch: int, capacity: int) -> Cache:
    """A cache of random keys and values: power depends on the bits that move, and zeros move none."""
    size = (batch, stack.shape.kv_heads, capacity, stack.shape.head_dim)
    return [(backend.normal(size, 1.0), backend.normal(size, 1.0)) for _ in stack.layers]


def forward(backend: Backend, stack: Stack, x: Any, cache: Cache, past: int) -> Any:
    """Logits of the last token of each sequence; keys and values of the new tokens are put into the cache.

    Parameters
    ----------
    x : new tokens, shape (batch, tokens, hidden)
    past : tokens in the cache already; with any, there must be one new token

    Raises
    ------
    ValueError for several new tokens behind a past, which neither prefill nor decode needs.
    """
    if past and x.shape[1] != 1:
        raise ValueError("several new tokens behind a past are not built")
    for layer, kept in zip(stack.layers, cache, strict=True):
        x = x + _attention(backend, stack.shape, layer, backend.normalised(x), kept, past)
        x = x + _feed_forward(backend, stack.shape, layer, backend.normalised(x))
    return backend.linear(backend.normalised(x[:, -1]), stack.head)


def _attention(backend: Backend, shape: StackShape, layer: Layer, x: Any, kept: tuple[Any, Any], past: int) -> Any:
    batch, tokens, _ = x.shape
    qkv = backend.linear(x, layer.qkv).reshape(batch, tokens, -1, shape.head_dim).swapaxes(1, 2)
    q = qkv[:, : shape.heads]
    keys, values = kept
    seen = past + tokens
    keys[:, :, past:seen] = qkv[:, shape.heads : shape.heads + shape.kv_heads]
    values[:, :, past:seen] = qkv[:, shape.heads + shape.kv_heads :]
    if past:
        # The heads of a group are rows of one query: their keys are read once, and nothing needs a mask.
        groups = q.reshape(batch, shape.kv_heads, shape.heads // shape.kv_heads, shape.head_dim)
        mixed = backend.attend(groups, keys[:, :, :seen], values[:, :, :seen], causal=False)
        mixed = mixed.reshape(batch, 1, shape.heads * shape.head_dim)
    else:
        mixed = backend.attend(q, keys[:, :, :seen], values[:, :, :seen], causal=True)
        mixed = mixed.swapaxes(1, 2).reshape(batch, tokens, shape.heads * shape.head_dim)
    return backend.linear(mixed, layer.out)


def _feed_forward(backend: Backend, shape: StackShape, layer: Layer, x: Any) -> Any:
    out = 0.0
    if layer.network is not None:
        out = backend.linear(_activated(backend, shape, backend.linear(x, layer.network.up)), layer.network.down)
    if layer.experts is None:
        return out
    flat = x.reshape(-1, shape.hidden_size)
    order, ends, share = backend.route(backend.linear(flat, layer.router), shape.experts_active)
    rows = flat[order // shape.experts_active]
    inner = _activated(backend, shape, backend.grouped(rows, layer.experts.up, ends))
    sorted_out = backend.grouped(inner, layer.experts.down, ends)
    visits = sorted_out[backend.inverse(order)].reshape(-1, shape.experts_active, shape.hidden_size)
    return out + (visits * share[:, :, None]).sum(1).reshape(x.shape)


def _activated(backend: Backend, shape: StackShape, up: Any) -> Any:
    if not shape.gated:
        return backend.silu(up)
    width = up.shape[-1] // 2
    return backend.silu(up[..., :width]) * up[..., width:]
