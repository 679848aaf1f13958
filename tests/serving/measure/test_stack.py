"""Counts by hand and by counting, shares, and the arithmetic of two depths."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.measure.forward import build, forward, new_cache
from aiplan.planners.serving.measure.stack import (
    StackShape,
    cache_bytes,
    combine,
    combine_spread,
    depth_weights,
    depths_to_time,
    forward_flop,
    read_bytes,
    shape_of,
    shard,
    weight_bytes,
)
from tests.serving.measure.shapes import DENSE, MIXED, MOE, SHAPES, CountingBackend

# --- counts ---


def test_counts_of_a_dense_stack_by_hand() -> None:
    # Hidden 12; 4 query and 2 KV heads of width 3: QKV is 24 x 12, output 12 x 12; gated network 3 x 20 x 12.
    assert DENSE.attention_params == 24 * 12 + 12 * 12
    assert DENSE.dense_params == 3 * 20 * 12
    layer = 24 * 12 + 12 * 12 + 3 * 20 * 12
    # Prompt of 3, batch 2: 6 tokens through 6 layers, 1 + 2 + 3 pairs of 4 heads x width 3, two heads' worth of logits.
    assert forward_flop(DENSE, (6, 0), 2, 3, 0) == 2 * 6 * 6 * layer + 6 * 2 * (4 * 4 * 3) * 6 + 2 * 2 * 17 * 12
    # A decode step at context 10: one new token over 9 behind it and itself.
    assert forward_flop(DENSE, (6, 0), 2, 1, 9) == 2 * 2 * 6 * layer + 6 * 2 * (4 * 4 * 3) * 10 + 2 * 2 * 17 * 12
    # 16-bit cache of 2 KV heads x width 3, keys and values.
    assert cache_bytes(DENSE, (6, 0), 2, 10) == 2 * (2 * 2 * 3) * 2 * 10 * 6
    assert weight_bytes(DENSE, (6, 0), 1.0) == 6 * layer + 2 * 17 * 12
    assert read_bytes(DENSE, (6, 0), 2, 1, 9, 1.0) == 6 * layer + 2 * 17 * 12 + 2 * (2 * 2 * 3) * 2 * 10 * 6


def test_counts_of_experts_by_hand() -> None:
    # 5 experts of 3 x 8 x 12, 2 of them per token; router 5 x 12; no shared expert.
    assert (MOE.expert_params, MOE.always_params) == (3 * 8 * 12, 5 * 12)
    attention = 24 * 12 + 12 * 12
    active = attention + 5 * 12 + 2 * 3 * 8 * 12
    assert forward_flop(MOE, (0, 1), 1, 1, 0) == 2 * active + 4 * 4 * 3 + 2 * 17 * 12
    # One token reads 2 of 5 experts; a hundred read them all but for a part of 0.6^100.
    experts = 5 * 3 * 8 * 12
    all_of_it = attention + 5 * 12 + experts + 2 * 17 * 12
    assert weight_bytes(MOE, (0, 1), 1.0) == all_of_it
    one = read_bytes(MOE, (0, 1), 1, 1, 0, 1.0) - cache_bytes(MOE, (0, 1), 1, 1)
    many = read_bytes(MOE, (0, 1), 100, 1, 0, 1.0) - cache_bytes(MOE, (0, 1), 100, 1)
    assert one == pytest.approx(all_of_it - experts * 3 / 5, rel=1e-12)
    assert many == pytest.approx(all_of_it, rel=1e-12)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("batch", "new", "past"), [(1, 7, 0), (3, 4, 0), (2, 1, 9)])
def test_flop_is_what_a_forward_pass_does(name: str, batch: int, new: int, past: int) -> None:
    shape = SHAPES[name]
    backend = CountingBackend()
    stack = build(backend, shape, shape.layers)
    x = backend.normal((batch, new, shape.hidden_size), 1.0)
    forward(backend, stack, x, new_cache(backend, stack, batch, past + new), past)
    assert backend.flop == forward_flop(shape, shape.layers, batch, new, past)


def _buildable() -> dict[str, tuple[StackShape, object]]:
    catalog, out = Catalog(), {}
    for name in catalog.ids("models"):
        model = catalog.get("models", name)
        try:
            out[name] = (shape_of(model), model)
        except ValueError:
            continue
    return out


def test_shapes_of_the_catalog_have_its_parameters() -> None:
    """The catalog counts every model's parameters on its own; biases and norms are all that is left out here."""
    shapes = _buildable()
    assert len(shapes) >= 100
    for name, (shape, model) in shapes.items():
        dense, moe = shape.layers
        attention = (dense + moe) * shape.attention_params
        assert attention == pytest.approx(model.params_attention, rel=2e-3), name  # type: ignore[attr-defined]
        shared = moe * shape.matrices * shape.hidden_size * shape.shared_width
        network = dense * shape.dense_params + shared
        counted = (model.params_dense_ffn or 0) + (model.params_shared_experts or 0)  # type: ignore[attr-defined]
        assert network == pytest.approx(counted, rel=2e-3), name
        routed = moe * shape.experts * shape.expert_params
        assert routed == pytest.approx(model.params_routed_experts or 0, rel=2e-3), name  # type: ignore[attr-defined]
        cached = cache_bytes(shape, shape.layers, 1, 1) / 2
        assert cached == model.kv_values_per_token, name  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kv_lora_rank": 512}, "latent"),
        ({"windowed_layers": 4}, "window"),
        ({"linear_layers": 4}, "recurrent"),
        ({"kv_heads": None}, "key and value heads"),
        ({"dense_ffn_width": "varies"}, "different widths"),
        ({"attention_layers": 3}, "without attention"),
    ],
)
def test_models_that_cannot_be_built_say_why(change: dict[str, object], words: str) -> None:
    fields = {
        "kv_lora_rank": None, "windowed_layers": None, "linear_layers": None, "kv_heads": 2, "dense_ffn_width": 20,
        "attention_layers": None, "layers": 6, "hidden_size": 12, "attention_heads": 4, "head_dim": 3, "experts": None,
        "experts_active": None, "expert_width": None, "shared_experts": None, "shared_width": None, "moe_layers": None,
        "vocab_size": 17, "ffn_matrices": 3,
    }  # fmt: skip
    assert shape_of(SimpleNamespace(**fields)) == DENSE
    with pytest.raises(ValueError, match=words):
        shape_of(SimpleNamespace(**fields | change))


# --- shares ---


@pytest.mark.parametrize("n", [1, 2, 4])
def test_shares_add_up_to_the_model(n: int) -> None:
    whole = replace(MIXED, kv_heads=4, heads=8, dense_width=24, shared_width=8, vocab_size=20)
    part = shard(whole, n)
    assert n * part.dense_params == whole.dense_params
    assert n * part.expert_params == whole.expert_params
    assert n * part.attention_params == whole.attention_params
    assert n * part.head_params == whole.head_params
    # The router is small and on every accelerator.
    assert n * (part.always_params - part.hidden_size * part.experts) == (
        whole.always_params - whole.hidden_size * whole.experts
    )


def test_few_key_heads_are_copied() -> None:
    assert shard(replace(DENSE, heads=8), 4).kv_heads == 1


@pytest.mark.parametrize("n", [0, 3, 8])
def test_what_cannot_be_divided(n: int) -> None:
    with pytest.raises(ValueError, match="tensor parallelism"):
        shard(DENSE, n)


# --- two depths ---

layers = st.integers(0, 200)
costs = st.floats(0.0, 10.0)


@given(dense=layers, moe=layers, deepest=st.integers(1, 12), fixed=costs, per_dense=costs, per_moe=costs)
def test_differences_are_exact_for_a_fixed_part_and_layers(
    dense: int, moe: int, deepest: int, fixed: float, per_dense: float, per_moe: float
) -> None:
    depths = depths_to_time((dense, moe), deepest)
    cost = [fixed + n * per_dense + m * per_moe for n, m in depths]
    whole = fixed + dense * per_dense + moe * per_moe
    assert combine(depth_weights(depths, (dense, moe)), cost) == pytest.approx(whole, rel=1e-9, abs=1e-9)
    assert combine(depth_weights(depths, (0, 0)), cost) == pytest.approx(fixed, rel=1e-9, abs=1e-9)
    assert all(n <= deepest and m <= deepest for n, m in depths)
    assert len(depths) == 1 + (dense > 0) + (moe > 0)


@given(deepest=st.integers(2, 12), total=st.integers(2, 200))
def test_flop_and_bytes_scale_like_time(deepest: int, total: int) -> None:
    shape = replace(MIXED, layers=(3, total))
    depths = depths_to_time(shape.layers, deepest)
    weights = depth_weights(depths, shape.layers)
    counted = [forward_flop(shape, depth, 2, 5, 0) for depth in depths]
    assert combine(weights, counted) == pytest.approx(forward_flop(shape, shape.layers, 2, 5, 0), rel=1e-9)
    read = [read_bytes(shape, depth, 2, 1, 7, 2.0) for depth in depths]
    assert combine(weights, read) == pytest.approx(read_bytes(shape, shape.layers, 2, 1, 7, 2.0), rel=1e-9)


def test_a_stack_of_all_layers_needs_no_scaling() -> None:
    assert depth_weights(((6, 0), (3, 0)), (6, 0)) == (1.0, 0.0)


def test_scatter_of_single_depths_grows_with_the_reach() -> None:
    # 80 layers from 8 and 4: weights 19 and -18, so 1 us of scatter at each depth becomes sqrt(19^2 + 18^2) us.
    assert combine_spread(depth_weights(((8, 0), (4, 0)), (80, 0)), [1.0, 1.0]) == pytest.approx(np.hypot(19, 18))


@pytest.mark.parametrize("depths", [((4, 4), (2, 2)), ((4, 0), (4, 0)), ((4, 0), (6, 0))])
def test_depths_that_tell_nothing_apart(depths: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="exactly one kind"):
        depth_weights(depths, (8, 0))


def test_a_kind_that_was_not_timed() -> None:
    with pytest.raises(ValueError, match="tell the kinds"):
        depth_weights(((4, 1), (2, 1)), (8, 2))
