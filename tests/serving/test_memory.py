"""Weights, cache and activations on one device, and what fits: published sizes, worked cases, invariants."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.architecture import NO_WINDOW, Architecture, architecture_of, stack
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.load import state_bytes_per_sequence, state_shards
from aiplan.planners.serving.memory import (
    DeviceCache,
    activation_bytes,
    cache_per_device,
    kv_share,
    largest_batch,
    largest_context,
    sequence_bytes,
    stage_share,
    weights_per_device,
)
from aiplan.planners.serving.memory_pool import TENSORRT_LLM, kv_pool_bytes
from aiplan.planners.serving.precision import EXPERT_BYTES, bytes_of, kv_bytes, weight_bytes

GIB = 2.0**30
CATALOG = Catalog()


@cache
def shape(model: str) -> Architecture:
    return architecture_of(CATALOG.get("models", model))


# Dense, tied, windowed, chunked, experts, latent attention, an indexer, recurrent state.
MODELS = ("llama-3.1-8b", "llama-3.2-1b", "gemma-3-27b", "llama-4-scout", "gpt-oss-120b", "qwen3-235b-a22b",
          "deepseek-r1", "glm-5", "qwen3.5-397b-a17b", "nemotron-nano-9b-v2", "mistral-7b-v0.1")  # fmt: skip
SHAPES = {model: shape(model) for model in MODELS}  # read before Hypothesis starts its clock
models = st.sampled_from(MODELS)
degrees = st.sampled_from([1, 2, 4, 8, 16])
caches = st.sampled_from(["bf16", "fp8", "nvfp4"])
contexts = st.integers(1, 200_000)


# --- weights ---


@pytest.mark.parametrize(
    ("model", "precision", "published_gb"),
    [
        ("llama-3.1-8b", "bf16", 16.1),
        ("llama-3.1-405b", "bf16", 811.7),
        ("deepseek-v3", "fp8", 673.1),
        ("kimi-k2", "fp8", 1029.2),
        ("minimax-m2", "fp8", 230.0),
        ("gpt-oss-120b", "mxfp4", 65.25),
        ("kimi-k2.5", "int4", 594.2),
        ("gemma-3-27b", "bf16", 54.0),
        ("gpt-j-6b", "fp32", 24.2),
    ],
)
def test_weights_of_published_checkpoints(model: str, precision: str, published_gb: float) -> None:
    # Shapes reference, section 4; FP8 scales (0.02 %) are left out here, the figures have 3 to 4 digits.
    assert float(weight_bytes(shape(model), precision).total) / 1e9 == pytest.approx(published_gb, rel=4e-3)


@pytest.mark.parametrize(("tp", "logged_gib"), [(1, 14.96), (2, 7.48)])
def test_weights_against_a_vllm_log(tp: int, logged_gib: float) -> None:
    # "model weights take" of Meta-Llama-3-8B, vLLM pull request 10511; the goal is 1 %.
    weights = weights_per_device(shape("llama-3.1-8b"), weight_bytes(shape("llama-3.1-8b"), "bf16"), Layout(tp=tp))
    assert float(weights.total) / GIB == pytest.approx(logged_gib, rel=1e-3)


@pytest.mark.parametrize("model", CATALOG.ids("models"))
def test_parts_add_up_to_the_stored_parameters(model: str) -> None:
    parts = weight_bytes(shape(model), "bf16")
    assert float(parts.total) == 2.0 * shape(model).stored_params
    sixteen = float(parts.embedding + parts.head + parts.other)
    assert float(parts.sixteen_bit) == sixteen
    tied = CATALOG.get("models", model).tied_embeddings
    assert float(parts.embedding) == (0.0 if tied else float(parts.head))


@given(models, degrees, degrees, st.sampled_from(sorted(EXPERT_BYTES)))
def test_devices_together_hold_every_part_once(model: str, tp: int, dp: int, precision: str) -> None:
    parts = weight_bytes(shape(model), precision)
    for ep in (1, tp * dp):
        if ep > 1 and shape(model).experts % ep:
            continue
        one = weights_per_device(shape(model), parts, Layout(tp=tp, dp=dp, ep=ep))
        assert float(one.routed) * tp * dp == pytest.approx(float(parts.routed), rel=1e-12)
        assert float(one.matrices) * tp == pytest.approx(float(parts.matrices), rel=1e-12)
        assert float(one.ends) * tp == pytest.approx(float(parts.embedding + parts.head), rel=1e-12)
        assert float(one.other) == float(parts.other)


@given(models, degrees, degrees, st.sampled_from([1, 2, 4]), st.booleans())
def test_more_tensor_parallelism_never_raises_weights(model: str, tp: int, dp: int, pp: int, divided: bool) -> None:
    parts = weight_bytes(shape(model), "fp8")

    def total(degree: int) -> float:
        layout = Layout(degree, pp, dp, degree * dp if divided else 1)
        return float(weights_per_device(shape(model), parts, layout).total)

    assert total(2 * tp) <= total(tp)


def test_fullest_stage_and_ends_of_a_pipeline() -> None:
    # 61 layers on two stages: 31 on the fuller; embedding and head stand on different ones.
    model = shape("deepseek-r1")
    parts = weight_bytes(model, "fp8")
    one, two = (weights_per_device(model, parts, Layout(tp=8, pp=pp)) for pp in (1, 2))
    assert float(two.matrices) == pytest.approx(float(one.matrices) * 31 / 61)
    assert float(two.ends) == pytest.approx(float(parts.head) / 8)
    assert float(stage_share(61, 61)) == pytest.approx(1 / 61)


def test_experts_that_do_not_divide_are_counted_on_the_fullest_device() -> None:
    # 160 experts of GLM-4.5 on 64 ranks: three on the fullest, 2.5 on average.
    model = shape("glm-4.5")
    parts = weight_bytes(model, "bf16")
    one = weights_per_device(model, parts, Layout(tp=8, dp=8, ep=64))
    assert float(one.routed) == pytest.approx(float(parts.routed) * 3 / 160)


def test_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match="unknown format 'fp7', expected one of fp32"):
        bytes_of(EXPERT_BYTES, ["bf16", "fp7"])


def test_parts_beyond_the_total_are_rejected() -> None:
    with pytest.raises(ValueError, match="more parameters than it stores"):
        weight_bytes(replace(shape("llama-3.1-8b"), stored_params=7e9), "bf16")


# --- cache ---


@pytest.mark.parametrize(
    ("model", "values"),
    [("llama-3.1-70b", 163_840), ("llama-3.1-8b", 65_536), ("qwen3-235b-a22b", 96_256), ("deepseek-r1", 35_136)],
)
def test_cache_per_token(model: str, values: int) -> None:
    # Performance reference, check 2: bytes per token at FP8, exact.
    one = cache_per_device(shape(model), Layout(), kv_bytes("fp8"))
    assert float(one.full_bytes + one.windowed_bytes) == values


def test_cache_tokens_against_an_sglang_log() -> None:
    # Qwen3-235B at TP4: 367,404 tokens, K and V 8.23 GiB each (vLLM issue 21348); two decimals are 0.06 %.
    one = cache_per_device(shape("qwen3-235b-a22b"), Layout(tp=4), kv_bytes("auto"))
    assert float(sequence_bytes(one, 367_404)) / GIB == pytest.approx(2 * 8.23, rel=1e-3)


@given(models, st.sampled_from([1, 2, 4, 8]), contexts)
def test_cache_equals_the_power_model_state(model: str, tp: int, context: int) -> None:
    # A second formulation in `load`: bytes moved per step, where recurrent state counts twice (read and written)
    # and all of it is spread like the cache.
    one = cache_per_device(shape(model), Layout(tp=tp), 2.0)
    shards = float(state_shards(shape(model), tp, 1))
    moved = float(state_bytes_per_sequence(shape(model), context)) / shards
    recurrent = 8.0 * shape(model).recurrent_values / shards
    assert float(sequence_bytes(one, context) - one.state_bytes) == pytest.approx(moved - recurrent, rel=1e-9, abs=1)


@given(models, caches, contexts)
def test_cache_falls_with_tensor_parallelism_until_the_heads_run_out(model: str, cached: str, context: int) -> None:
    model_shape = shape(model)
    sizes = []
    for tp in (1, 2, 4, 8, 16, 32):
        one = cache_per_device(model_shape, Layout(tp=tp), kv_bytes(cached))
        sizes.append((tp, float(sequence_bytes(one, context) - one.state_bytes)))
    for (tp, size), (_, next_size) in pairwise(sizes):
        if 2 * tp <= model_shape.kv_shards:
            assert next_size == pytest.approx(size / 2)
        else:
            assert next_size == pytest.approx(size)


def test_heads_are_held_whole() -> None:
    # Phi-4 has 10 KV heads: on 4 devices one of them holds 3.
    assert float(kv_share(10, 4)) == pytest.approx(0.3)
    assert float(kv_share(1, 8)) == 1.0


def test_windows_in_full_and_index_keys() -> None:
    scout = shape("llama-4-scout")
    kept = cache_per_device(scout, Layout(), 2.0)
    in_full = cache_per_device(scout, Layout(), 2.0, windows_in_full=True)
    # Shapes reference, section 4: 196,608 bytes per token, 49,152 of them in layers that keep everything.
    assert float(sequence_bytes(in_full, 100_000)) == 196_608 * 100_000
    assert float(sequence_bytes(kept, 100_000)) == 49_152 * 100_000 + (196_608 - 49_152) * 8192
    glm = shape("glm-5")
    narrow = cache_per_device(glm, Layout(), 2.0, index_bytes=132 / 128)
    assert float(cache_per_device(glm, Layout(), 2.0).full_bytes) == 78 * (576 + 128) * 2
    assert float(narrow.full_bytes) == pytest.approx(78 * (576 * 2 + 132))


def test_recurrent_state_is_constant_and_in_fp32() -> None:
    # Shapes reference, section 3.3: Qwen3.5 189 MB of recurrent state per sequence, convolution state besides.
    one = cache_per_device(shape("qwen3.5-397b-a17b"), Layout(), 2.0)
    assert float(one.state_bytes) == pytest.approx(189e6 + 4 * 1_658_880, rel=2e-3)
    grown = float(sequence_bytes(one, 2000) - sequence_bytes(one, 1000))
    assert grown == 1000 * 30_720
    cut = cache_per_device(shape("qwen3.5-397b-a17b"), Layout(tp=8), 2.0)
    assert float(cut.state_bytes) == float(one.state_bytes) / 8


@given(models, contexts, contexts, st.sampled_from([1, 16, 32, 64]))
def test_cache_grows_with_context(model: str, context: int, more: int, block: int) -> None:
    one = cache_per_device(shape(model), Layout(), 2.0, block_tokens=block)
    exact = cache_per_device(shape(model), Layout(), 2.0)
    assert float(sequence_bytes(one, context + more)) >= float(sequence_bytes(one, context))
    excess = float(sequence_bytes(one, context) - sequence_bytes(exact, context))
    assert 0 <= excess <= (block - 1) * float(one.full_bytes + one.windowed_bytes)


# --- what fits ---


@pytest.mark.parametrize(
    ("model", "precision", "layout", "memory_gb", "expected"),
    [
        ("llama-3.1-70b", "fp8", Layout(tp=8), 80, 1525),
        ("llama-3.1-8b", "fp8", Layout(), 80, 477),
        ("qwen3-235b-a22b", "fp8", Layout(tp=8), 141, 2073),
        ("deepseek-r1", "fp8", Layout(dp=8, ep=8), 141, 490),
        ("llama-3.1-70b", "fp8", Layout(), 141, 183.5),
        ("llama-3.1-70b", "fp8", Layout(), 80, 12.2),
        ("llama-3.1-70b", "fp8", Layout(tp=2), 80, 228.4),
        ("llama-3.1-70b", "bf16", Layout(tp=4), 141, 576.8),
        ("llama-3.1-405b", "fp8", Layout(tp=8), 80, 367.1),
        ("llama-3.1-405b", "fp8", Layout(tp=8), 141, 1237),
        ("llama-3.1-8b", "bf16", Layout(), 80, 213.9),
    ],
)
def test_batch_limits_of_the_worked_cases(
    model: str, precision: str, layout: Layout, memory_gb: float, expected: float
) -> None:
    # Performance reference, check 4 at 1000/1000: 3e9 B reserved, 0.92 of what is free, no activations.
    weights = weights_per_device(shape(model), weight_bytes(shape(model), precision), layout)
    pool = kv_pool_bytes(TENSORRT_LLM, 0.92, memory_gb * 1e9, weights.total, 0.0, 3e9)
    one = cache_per_device(shape(model), layout, kv_bytes(precision))
    assert float(largest_batch(pool, one, 2000, whole=False)) == pytest.approx(expected, rel=0.01)


pools = st.floats(0, 2e11)


@given(models, pools, contexts, degrees, st.sampled_from([1, 16]))
def test_largest_batch_fits_and_one_more_does_not(model: str, pool: float, context: int, tp: int, block: int) -> None:
    one = cache_per_device(shape(model), Layout(tp=tp), 2.0, block_tokens=block)
    batch, each = float(largest_batch(pool, one, context)), float(sequence_bytes(one, context))
    assert batch * each <= pool < (batch + 1) * each
    assert float(largest_batch(pool, one, context, whole=False)) == pytest.approx(pool / each)


def plain(full_bytes: float, windowed_bytes: float = 0.0, window: float = NO_WINDOW, block: float = 1.0) -> DeviceCache:
    return DeviceCache(*(np.array(value) for value in (full_bytes, windowed_bytes, 0.0, window, block)))


@given(st.floats(1e-3, 1e6), st.integers(0, 1_000_000))
def test_a_pool_of_exactly_so_many_sequences_holds_them(each: float, count: int) -> None:
    # Quotients round to either side of a whole number here.
    for pool in (count * each, float(np.nextafter(count * each, 0))):
        batch = float(largest_batch(pool, plain(each), 1))
        assert batch * each <= pool < (batch + 1) * each


@given(
    st.floats(1e-3, 1e6),
    st.floats(0, 1e6),
    st.integers(1, 10_000),
    st.integers(1, 20_000),
    st.sampled_from([1, 16, 64]),
)
def test_a_pool_of_exactly_one_sequence_holds_it(
    full: float, windowed: float, window: int, context: int, block: int
) -> None:
    one = plain(full, windowed, window, block)
    exact = float(sequence_bytes(one, context))
    assert float(largest_context(exact, one)) >= context
    for pool in (exact, float(np.nextafter(exact, 0))):
        held = float(largest_context(pool, one))
        assert float(sequence_bytes(one, held)) <= pool < float(sequence_bytes(one, held + block))


@given(models, pools, st.integers(1, 512), st.sampled_from([1, 16, 64]))
def test_largest_context_fits_and_one_block_more_does_not(model: str, pool: float, batch: int, block: int) -> None:
    one = cache_per_device(shape(model), Layout(), 2.0, block_tokens=block)
    context = float(largest_context(pool, one, batch))
    if np.isinf(context):
        assert float(one.full_bytes) == 0
        assert batch * float(sequence_bytes(one, 10 * shape(model).window_tokens)) <= pool * (1 + 1e-12)
        return
    assert context % block == 0
    if context > 0:
        assert batch * float(sequence_bytes(one, context)) <= pool * (1 + 1e-12)
    assert batch * float(sequence_bytes(one, context + block)) > pool * (1 - 1e-12)


@given(models, pools, pools, contexts)
def test_more_memory_never_holds_less(model: str, pool: float, more: float, context: int) -> None:
    one = cache_per_device(shape(model), Layout(), 2.0)
    assert float(largest_batch(pool + more, one, context)) >= float(largest_batch(pool, one, context))
    assert float(largest_context(pool + more, one)) >= float(largest_context(pool, one))
    assert float(largest_batch(pool, one, context + 1)) <= float(largest_batch(pool, one, context))


def test_edges_of_what_fits() -> None:
    nothing = DeviceCache(*(np.array(value) for value in (0.0, 0.0, 0.0, NO_WINDOW, 1.0)))
    assert float(largest_batch(1e9, nothing, 100)) == np.inf
    assert float(largest_context(1e9, nothing)) == np.inf
    one = cache_per_device(shape("llama-3.1-8b"), Layout(), 2.0)
    assert float(largest_batch(-1e9, one, 100)) == 0
    assert float(largest_context(-1e9, one)) == 0
    state = cache_per_device(shape("qwen3.5-397b-a17b"), Layout(), 2.0)
    assert float(largest_context(1e8, state)) == 0
    with pytest.raises(ValueError, match="batch must be above 0"):
        largest_context(1e9, one, 0)


# --- activations ---


@pytest.mark.parametrize("tp", [1, 2])
def test_activations_against_a_vllm_log(tp: int) -> None:
    # Meta-Llama-3-8B: 1.26 GiB at both (vLLM pull request 10511); the sampler's constant is derived from it.
    assert float(activation_bytes(shape("llama-3.1-8b"), Layout(tp=tp))) / GIB == pytest.approx(1.26, rel=0.01)


def test_activations_of_a_prefill_step_by_hand() -> None:
    # Llama 3.1 70B: residual twice, gate, up and their product; 16,384 tokens at 16 bit.
    used = activation_bytes(shape("llama-3.1-70b"), Layout(tp=2), chunk_tokens=16_384)
    assert float(used) == 2 * 16_384 * (2 * 8192 + 3 * 28_672 / 2)
    # Qwen3-235B: eight experts of width 1,536 a token, each with a result of width 4,096.
    experts = activation_bytes(shape("qwen3-235b-a22b"), Layout(tp=2), chunk_tokens=16_384)
    assert float(experts) == 2 * 16_384 * (2 * 4096 + 8 * (3 * 1536 / 2 + 4096))


@given(models, degrees, st.floats(1, 1e5), st.floats(1, 1e5))
def test_activations_grow_with_tokens_and_sequences(model: str, tp: int, tokens: float, sequences: float) -> None:
    def used(chunk_tokens: float, at_once: float) -> float:
        layout = Layout(tp=tp)
        return float(activation_bytes(shape(model), layout, chunk_tokens=chunk_tokens, sequences=at_once))

    base = used(tokens, sequences)
    assert used(2 * tokens, sequences) >= base
    assert used(tokens, 2 * sequences) >= base
    assert used(2 * tokens, 2 * sequences) == pytest.approx(2 * base)


# --- many rows ---


def test_many_rows_equal_one_by_one() -> None:
    draw = np.random.default_rng(7)
    names = draw.choice(MODELS, 200)
    formats = draw.choice(["bf16", "fp8", "mxfp4"], 200)
    tp, dp = draw.choice([1, 2, 4, 8], 200).astype(float), draw.choice([1, 2], 200).astype(float)
    context, pool = draw.integers(1, 50_000, 200).astype(float), draw.uniform(1e9, 1e11, 200)
    rows, layout = stack([shape(str(name)) for name in names]), Layout(tp, np.ones(200), dp, tp * dp)
    weights = weights_per_device(rows, weight_bytes(rows, formats.tolist()), layout).total
    together = cache_per_device(rows, layout, 2.0, block_tokens=16)
    batches, contexts_held = largest_batch(pool, together, context), largest_context(pool, together, 4)
    working = activation_bytes(rows, layout)
    for i in range(200):
        model, single = shape(str(names[i])), Layout(tp[i], 1, dp[i], tp[i] * dp[i])
        one = cache_per_device(model, single, 2.0, block_tokens=16)
        assert weights[i] == weights_per_device(model, weight_bytes(model, str(formats[i])), single).total
        assert batches[i] == largest_batch(pool[i], one, context[i])
        assert contexts_held[i] == largest_context(pool[i], one, 4)
        assert working[i] == activation_bytes(model, single)
