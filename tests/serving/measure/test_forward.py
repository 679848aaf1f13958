"""The stack computes what a decoder computes: prefill and decode agree, groups, experts, causality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aiplan.planners.serving.measure.backend import NumpyBackend
from aiplan.planners.serving.measure.forward import Layer, Stack, build, forward, new_cache
from tests.serving.measure.shapes import DENSE, MOE, SHAPES


def assert_close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def rms(x: Any) -> Any:
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def reference_layer(stack: Stack, layer: Layer, x: Any) -> Any:
    """One layer on (tokens, hidden), token by token and head by head, from the definitions."""
    shape, n = stack.shape, len(x)
    width, group = shape.head_dim, shape.heads // shape.kv_heads
    qkv = rms(x) @ layer.qkv.T
    mixed = np.zeros((n, shape.heads * width))
    for token in range(n):
        for head in range(shape.heads):
            key_at = (shape.heads + head // group) * width
            value_at = key_at + shape.kv_heads * width
            query = qkv[token, head * width : (head + 1) * width]
            scores = np.array([query @ qkv[j, key_at : key_at + width] for j in range(token + 1)]) / np.sqrt(width)
            share = np.exp(scores) / np.exp(scores).sum()
            for j in range(token + 1):
                mixed[token, head * width : (head + 1) * width] += share[j] * qkv[j, value_at : value_at + width]
    x = x + mixed @ layer.out.T
    y = rms(x)
    out = np.zeros_like(x)
    for token in range(n):
        if layer.network is not None:
            out[token] += reference_network(shape.gated, layer.network.up, layer.network.down, y[token])
        if layer.experts is not None:
            logits = layer.router @ y[token]
            best = sorted(range(shape.experts), key=lambda e: -logits[e])[: shape.experts_active]
            total = sum(np.exp(logits[e]) for e in best)
            for e in best:
                result = reference_network(shape.gated, layer.experts.up[e], layer.experts.down[e], y[token])
                out[token] += np.exp(logits[e]) / total * result
    return x + out


def reference_network(gated: bool, up: Any, down: Any, y: Any) -> Any:
    inner = up @ y
    if not gated:
        return down @ silu(inner)
    half = len(inner) // 2
    return down @ (silu(inner[:half]) * inner[half:])


@pytest.mark.parametrize("name", SHAPES)
def test_forward_is_the_definition(name: str) -> None:
    shape = replace(SHAPES[name], layers=(min(SHAPES[name].layers[0], 2), min(SHAPES[name].layers[1], 2)))
    backend = NumpyBackend(1)
    stack = build(backend, shape, shape.layers)
    x = backend.normal((2, 6, shape.hidden_size), 1.0)
    logits = forward(backend, stack, x, new_cache(backend, stack, 2, 6), 0)
    for sequence in range(2):
        want = x[sequence]
        for layer in stack.layers:
            want = reference_layer(stack, layer, want)
        assert_close(logits[sequence], rms(want[-1]) @ stack.head.T)


@pytest.mark.parametrize("name", SHAPES)
def test_prefill_then_decode_is_one_forward_pass(name: str) -> None:
    shape, prompt, answer, batch = SHAPES[name], 5, 4, 3
    backend = NumpyBackend(2)
    stack = build(backend, shape, shape.layers)
    x = backend.normal((batch, prompt + answer, shape.hidden_size), 1.0)
    cache = new_cache(backend, stack, batch, prompt + answer)
    forward(backend, stack, x[:, :prompt], cache, 0)
    for past in range(prompt, prompt + answer):
        step = forward(backend, stack, x[:, past : past + 1], cache, past)
        whole = forward(backend, stack, x[:, : past + 1], new_cache(backend, stack, batch, past + 1), 0)
        assert_close(step, whole)


def test_later_tokens_change_nothing_before_them() -> None:
    backend = NumpyBackend(3)
    stack = build(backend, DENSE, (2, 0))
    x = backend.normal((1, 6, DENSE.hidden_size), 1.0)
    other = x.copy()
    other[:, 4:] += 1.0
    caches = [new_cache(backend, stack, 1, 6) for _ in range(2)]
    for tokens, cache in zip((x, other), caches, strict=True):
        forward(backend, stack, tokens, cache, 0)
    # Keys of the second layer are made from what the first one put out.
    first, second = (cache[1][0] for cache in caches)
    np.testing.assert_array_equal(first[:, :, :4], second[:, :, :4])
    assert np.abs(first[:, :, 4:] - second[:, :, 4:]).min() > 0


def test_grouped_heads_are_heads_with_copied_keys() -> None:
    backend = NumpyBackend(4)
    grouped = build(backend, DENSE, (1, 0))
    layer = grouped.layers[0]
    q, k, v = np.split(layer.qkv, [4 * 3, 6 * 3])
    copied = [np.repeat(part.reshape(2, 3, -1), 2, axis=0).reshape(12, -1) for part in (k, v)]
    every = replace(layer, qkv=np.concatenate([q, *copied]))
    full = Stack(replace(DENSE, kv_heads=4), (every,), (), grouped.head)
    x = backend.normal((2, 5, DENSE.hidden_size), 1.0)
    results = [forward(backend, stack, x, new_cache(backend, stack, 2, 5), 0) for stack in (grouped, full)]
    assert_close(*results)


def test_random_routers_use_all_experts() -> None:
    backend = NumpyBackend(5)
    logits = backend.normal((400, MOE.experts), 1.0)
    order, ends, share = backend.route(logits, MOE.experts_active)
    visits = np.diff(np.concatenate(([0], ends)))
    assert ends[-1] == len(order) == 400 * MOE.experts_active
    # 160 visits each on average; 5 standard deviations of a binomial are 49.
    assert np.abs(visits - 160).max() < 49
    np.testing.assert_allclose(share.sum(-1), 1.0)
    np.testing.assert_array_equal(order[backend.inverse(order)], np.arange(len(order)))


def test_sizes_stay_put_through_many_layers() -> None:
    """Variance 1 / inner: no overflow in 16 bit, however deep the stack."""
    shape = replace(DENSE, hidden_size=64, dense_width=128, head_dim=16, layers=(24, 0))
    backend = NumpyBackend(6)
    stack = build(backend, shape, shape.layers)
    x = backend.normal((1, 8, 64), 1.0)
    logits = forward(backend, stack, x, new_cache(backend, stack, 1, 8), 0)
    assert 0.3 < np.sqrt(np.mean(logits**2)) < 3.0


def test_several_tokens_behind_a_past_are_refused() -> None:
    backend = NumpyBackend()
    stack = build(backend, DENSE, (1, 0))
    with pytest.raises(ValueError, match="behind a past"):
        forward(backend, stack, backend.normal((1, 2, 12), 1.0), new_cache(backend, stack, 1, 9), 5)
