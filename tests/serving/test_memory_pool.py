"""Engines' memory rules against their logs, their inverse, and what is said when a model does not fit."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.serving.architecture import stack
from aiplan.planners.serving.layout import Layout, layouts
from aiplan.planners.serving.memory import cache_per_device, largest_batch
from aiplan.planners.serving.memory_pool import (
    ENGINES,
    RESERVE_BYTES,
    SGLANG,
    TENSORRT_LLM,
    VLLM,
    Budget,
    DoesNotFit,
    default_block_tokens,
    default_fraction,
    demand,
    engine_code,
    headroom_bytes,
    kv_pool_bytes,
    missing_bytes,
    needed_bytes,
    require_fit,
    sglang_fraction,
)
from tests.serving.test_memory import GIB, MODELS, shape

MIB = 2.0**20


def test_codes_are_positions() -> None:
    assert engine_code(list(ENGINES)).tolist() == [VLLM, TENSORRT_LLM, SGLANG]
    assert float(engine_code("tensorrt-llm")) == TENSORRT_LLM
    with pytest.raises(ValueError, match="unknown engine 'triton', expected one of vllm"):
        engine_code(["vllm", "triton"])
    with pytest.raises(ValueError, match="one of the codes"):
        default_fraction([0, 3])


def test_defaults_by_engine() -> None:
    codes = engine_code(list(ENGINES))
    assert default_fraction(codes).tolist() == [0.92, 0.90, 0.88]
    assert default_block_tokens(codes).tolist() == [16, 32, 1]


@pytest.mark.parametrize(
    ("total", "weights", "activation", "outside", "logged"),
    [
        (79.22, 14.96, 1.26, 1.79, 53.29),  # Meta-Llama-3-8B, vLLM pull request 10511
        (79.22, 19.86, 36.63, 0.16, 14.65),  # Llama-3.2-11B-Vision, vLLM pull request 12126
    ],
)
def test_vllm_pool_as_logged(total: float, weights: float, activation: float, outside: float, logged: float) -> None:
    # All in GiB with two decimals, four of them summed: 0.03 GiB. A share of what is free would be 55.1 and 20.3.
    pool = kv_pool_bytes(VLLM, 0.90, total * GIB, weights * GIB, activation * GIB, outside * GIB)
    assert float(pool) / GIB == pytest.approx(logged, abs=0.03)


def test_sglang_pool_vanishes_at_the_fraction_it_names() -> None:
    # DeepSeek-V4-Pro on H200 (InferenceX issue 2128): 125.65 GiB loaded, 12.25 left, and 0.9113 named as the least
    # fraction. Read as a share of all 140.4 GiB it would have been 0.895.
    free_before = 125.65 + 12.25
    reserve = 140.4 - free_before
    at = [float(kv_pool_bytes(SGLANG, s, 140.4 * GIB, 125.65 * GIB, 0.0, reserve * GIB)) for s in (0.9105, 0.9118)]
    assert at[0] < 0 < at[1]
    assert float(kv_pool_bytes(SGLANG, 0.9113, 140.4 * GIB, 125.65 * GIB, 0.0, reserve * GIB)) / GIB < 0.03


def test_tensorrt_llm_takes_a_share_of_what_is_free() -> None:
    # 80 - 20 - 2 - 3 = 55 free; the code: (total - peak) * fraction.
    assert float(kv_pool_bytes(TENSORRT_LLM, 0.95, 80e9, 20e9, 2e9, 3e9)) == pytest.approx(0.95 * 55e9)


def test_engines_may_differ_by_row() -> None:
    pools = kv_pool_bytes(engine_code(list(ENGINES)), [0.92, 0.95, 0.85], 80e9, 16e9, 2e9, 3e9)
    assert pools == pytest.approx([0.92 * 80e9 - 21e9, 0.95 * 59e9, 0.85 * 77e9 - 16e9])


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, np.nan])
def test_fractions_outside_their_range_are_rejected(fraction: float) -> None:
    with pytest.raises(ValueError, match="memory fraction"):
        kv_pool_bytes(VLLM, fraction, 80e9, 1e9, 0, 0)
    with pytest.raises(ValueError, match="memory fraction"):
        needed_bytes(VLLM, fraction, 1e9, 1e9, 0, 0)


sizes = st.floats(0, 3e11)
fractions = st.floats(0.3, 0.99)
codes = st.sampled_from([VLLM, TENSORRT_LLM, SGLANG])


@given(codes, fractions, sizes, sizes, st.floats(0, 2e10), st.floats(0, 2e10))
def test_needed_memory_is_enough_and_no_more(
    code: float, fraction: float, cache: float, weights: float, activation: float, reserve: float
) -> None:
    needed = float(needed_bytes(code, fraction, cache, weights, activation, reserve))
    slack = 1e-9 * needed + 1.0

    def holds(memory: float) -> bool:
        pool = kv_pool_bytes(code, fraction, memory, weights, activation, reserve)
        spare = headroom_bytes(memory, pool, weights, activation, reserve)
        # Other engines measure the peak; SGLang takes its share whatever is left.
        return bool(pool >= cache and (code != SGLANG or spare >= 0))

    assert holds(needed + slack)
    assert not holds(needed - slack)


@given(codes, fractions, sizes, sizes, st.floats(0, 2e10))
def test_pool_grows_with_memory_and_shrinks_with_weights(
    code: float, fraction: float, total: float, weights: float, more: float
) -> None:
    base = float(kv_pool_bytes(code, fraction, total, weights, 1e9))
    assert float(kv_pool_bytes(code, fraction, total + more, weights, 1e9)) >= base
    assert float(kv_pool_bytes(code, fraction, total, weights + more, 1e9)) <= base


@given(codes, fractions, st.floats(5e10, 3e11), st.floats(0, 5e10))
def test_only_sglang_can_overcommit(code: float, fraction: float, total: float, activation: float) -> None:
    weights = total / 4
    pool = kv_pool_bytes(code, fraction, total, weights, activation, 3e9)
    spare = float(headroom_bytes(total, pool, weights, activation, 3e9))
    if code == SGLANG:
        assert spare == pytest.approx((1 - fraction) * (total - 3e9) - activation, abs=1.0) or pool <= 0
    else:
        assert spare >= -1.0 or pool <= 0


@pytest.mark.parametrize(
    ("gib", "layout", "expected"),
    [
        (80, Layout(), 0.836),  # 512 + 12288 + 512 + 128 MiB
        (80, Layout(tp=8), 0.819),  # 512 + 12288 + 1024 + 1024 MiB
        (24, Layout(), 0.847),  # 512 + 3072 + 48 + 128 MiB on 24,564 MiB
    ],
)
def test_sglang_default_fraction(gib: float, layout: Layout, expected: float) -> None:
    memory = 24_564 * MIB if gib == 24 else gib * GIB
    assert float(sglang_fraction(memory, layout)) == expected


def test_sglang_reserves_more_for_attention_data_parallelism() -> None:
    # 512 + 12288 + 1024 + 1024 + 4.5 * 512 * 8 = 33280 MiB of 143771, the memory of an H200.
    fraction = float(sglang_fraction(143_771 * MIB, Layout(dp=8, ep=8)))
    assert fraction == round(1 - 33_280 / 143_771, 3)
    few = float(sglang_fraction(143_771 * MIB, Layout(dp=8, ep=8), graph_sequences=256))
    assert few == round(1 - (512 + 12_288 + 512 + 1024 + 3 * 256 * 8) / 143_771, 3)
    least = float(sglang_fraction(80 * GIB, Layout(), chunk_tokens=2048, graph_sequences=8))
    assert least == round(1 - 10 / 80, 3)


# --- fitting or not ---


def test_what_fits_is_returned_and_what_does_not_is_explained() -> None:
    model, budget = shape("llama-3.1-70b"), Budget(VLLM, 0.9, 80e9)
    need = require_fit(model, Layout(tp=4), "bf16", budget, context_tokens=8192, batch=8)
    assert float(need.weights) == pytest.approx(141.1e9 / 4, rel=1e-3)
    with pytest.raises(DoesNotFit) as caught:
        require_fit(model, Layout(), "bf16", budget, context_tokens=8192, batch=8)
    short = caught.value.shortfall
    # 70.55e9 parameters and 8 sequences of 8,192 tokens at 327,680 bytes.
    assert short.weights_bytes == pytest.approx(141.107e9, rel=1e-4)
    assert short.cache_bytes == 8 * 8192 * 327_680
    total = short.weights_bytes + short.cache_bytes + short.activation_bytes + short.reserve_bytes
    assert short.needed_bytes == pytest.approx(total / 0.9)
    assert short.missing_bytes == pytest.approx(total / 0.9 - 80e9)
    assert (short.devices, short.smallest_devices, short.narrower_precision) == (1, 4, "nvfp4")
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == (
        "each of 1 device would need 185.8 GB (weights 141.1, cache 21.5, activations 1.7, reserve 3.0) and has "
        "80.0 GB: 105.8 GB are missing; 4 devices would do or nvfp4 weights would do"
    )


@pytest.mark.parametrize(
    ("model", "precision", "batch"),
    [("llama-3.1-405b", "bf16", 16), ("deepseek-r1", "fp8", 16), ("deepseek-r1", "fp8", 1000), ("glm-5", "bf16", 16)],
)
@pytest.mark.parametrize("code", [VLLM, TENSORRT_LLM, SGLANG])
def test_suggestions_are_true(model: str, precision: str, batch: int, code: float) -> None:
    budget = Budget(code, 0.85, 141e9)
    with pytest.raises(DoesNotFit) as caught:
        require_fit(shape(model), Layout(tp=2), precision, budget, context_tokens=16_384, batch=batch)
    short = caught.value.shortfall
    assert short.smallest_devices is not None
    assert short.smallest_devices > 2
    fitting = []
    for tp, pp, dp, ep in _rows(short.smallest_devices, int(shape(model).experts)):
        layout, per_rank = Layout(tp, pp, dp, ep), np.ceil(batch / dp)
        need = demand(shape(model), layout, precision, context_tokens=16_384, batch=per_rank, engine=code)
        if missing_bytes(need, budget) <= 0:
            fitting.append(tp * pp * dp)
    assert min(fitting) == short.smallest_devices


def _rows(most: int, experts: int) -> list[tuple[float, ...]]:
    found = layouts(most, 8, experts=experts)
    return list(zip(found.tp.tolist(), found.pp.tolist(), found.dp.tolist(), found.ep.tolist(), strict=True))


def test_nothing_helps_where_nothing_does() -> None:
    # One sequence of 300 million tokens: a device of any layout is too small, and cache is no matter of weights.
    budget = Budget(VLLM, 0.9, 80e9)
    with pytest.raises(DoesNotFit, match="no larger layout and no narrower format would do") as caught:
        require_fit(shape("llama-3.1-8b"), Layout(), "bf16", budget, context_tokens=3e8, most_devices=8)
    assert caught.value.shortfall.smallest_devices is None


def test_windows_kept_in_full_ask_for_more() -> None:
    scout = shape("llama-4-scout")
    kept, in_full = (
        demand(scout, Layout(tp=8), "fp8", context_tokens=100_000, windows_in_full=option) for option in (False, True)
    )
    # 36 of 48 layers keep 8,192 tokens of 100,000, or all.
    assert float(in_full.cache) == 196_608 * 100_000 / 8
    assert float(in_full.cache - kept.cache) == 0.75 * 196_608 * (100_000 - 8192) / 8


@given(st.sampled_from(MODELS), codes, st.integers(1, 64), st.integers(1, 100_000))
def test_demand_grows_with_batch_and_context(model: str, code: float, batch: int, context: int) -> None:
    def missing(sequences: int, tokens: int) -> float:
        need = demand(shape(model), Layout(tp=2), "bf16", context_tokens=tokens, batch=sequences, engine=code)
        return float(missing_bytes(need, Budget(code, 0.9, 80e9)))

    assert missing(batch + 1, context) >= missing(batch, context)
    assert missing(batch, context + 100) >= missing(batch, context)


def test_five_thousand_mixed_rows_in_one_call() -> None:
    draw = np.random.default_rng(3)
    n = 5000
    names = draw.choice(MODELS, n)
    rows = stack([shape(str(name)) for name in names])
    formats = draw.choice(["bf16", "fp8", "nvfp4"], n).tolist()
    codes_ = draw.choice([VLLM, TENSORRT_LLM, SGLANG], n)
    layout = Layout(draw.choice([1, 2, 4, 8], n).astype(float), 1.0, 1.0, 1.0)
    memory = draw.choice([80e9, 141e9, 180e9], n)
    start = time.perf_counter()
    need = demand(rows, layout, formats, kv_precision="fp8", context_tokens=4096, batch=4, engine=codes_)
    pool = kv_pool_bytes(codes_, default_fraction(codes_), memory, need.weights, need.activation)
    one = cache_per_device(rows, layout, 1.0, block_tokens=default_block_tokens(codes_))
    batch = largest_batch(pool, one, 4096)
    missing = missing_bytes(need, Budget(codes_, default_fraction(codes_), memory))
    elapsed = time.perf_counter() - start
    assert elapsed < 0.5
    # Two ways to the same answer: four sequences fit in the pool, or the device has the memory that four need.
    left = headroom_bytes(memory, pool, need.weights, need.activation, RESERVE_BYTES)
    fits = (batch >= 4) & ((codes_ != SGLANG) | (left >= 0))
    assert np.array_equal(fits, missing <= 0)
    assert 0.1 < np.mean(fits) < 0.99
