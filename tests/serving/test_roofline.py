"""Time of one pass: worked cases term by term, work counted by hand, kinds of attention against sums over tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.arrays import Array
from aiplan.planners.serving.deployment import Deployment, deploy
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.roofline import (
    CHUNK_TOKENS,
    Pass,
    active_experts,
    decode_step,
    forward,
    prefill,
    prefill_attention_flops,
    prefill_index_flops,
    rates,
)
from aiplan.planners.serving.rows import Shelf
from aiplan.planners.serving.service import Load, online
from aiplan.planners.serving.time_constants import TimeConstants, constants_of

ENGINE = {"overhead": 1.0, "compute": 1.0, "first_token_s": 0.0, "first_token_steps": 0.0}
# Constants with which the form is that of the worked cases: experts' products at 0.7185 of the others' for FP8, whose
# rate is twice BF16's; nothing moved beside the products; no imbalance.
PLAIN = TimeConstants(
    compute_efficiency=0.64270, memory_efficiency=0.92, feed_ratio=1e12,
    expert_feed_ratio=2.0 / (1.0 / 0.7185 - 1.0), expert_tokens=1e-9, expert_imbalance=1.0, expert_traffic_bytes=0.0,
    elementwise_bytes=0.0, cache_read_factor=1.0, attention_efficiency=0.8, layer_overhead_s=54.58e-6,
    step_overhead_s=3.440e-3, sequence_overhead_s=2.326e-6, link_latency_s=8e-6, link_efficiency=0.5,
    speculative_factor=1.0, rank_wait_steps=0.0, engines={"other": ENGINE},
)  # fmt: skip
# Everything at its data sheet's rate and nothing beside: times are work over rate.
IDEAL = replace(
    PLAIN, compute_efficiency=1.0, memory_efficiency=1.0, expert_feed_ratio=1e12, attention_efficiency=1.0,
    layer_overhead_s=0.0, step_overhead_s=0.0, sequence_overhead_s=0.0, link_latency_s=0.0,
)  # fmt: skip
SHELF = Shelf(Catalog())


def deployed(model: str, hardware: str, precision: str = "fp8", *, reach: bool = False, **degrees: float) -> Deployment:
    chip = SHELF.chip(hardware)
    if not reach:
        chip = replace(chip, bf16_reach=1.0, low_reach=1.0, hbm_reach=1.0)
    return deploy([SHELF.architecture(model)], [chip], Layout(**degrees), [precision], engine=["other"])


def ms(value: Array) -> float:
    return 1e3 * float(np.asarray(value).item())


class Case(NamedTuple):
    """A row of the worked cases at prompts and answers of 1,000 tokens; times in ms."""

    model: str
    hardware: str
    degrees: dict[str, float]
    batch: float
    fixed: tuple[float, float]
    head: float
    cache: float
    links: float
    overhead: float
    experts: float
    prompt: float
    step: float
    tpot: float
    tok_s: float


# Worked cases of a published form of the model (sums of the larger of bytes and FLOPs per part), computed apart from
# this code. In the last one attention's FLOPs (0.515 ms) hide the reading of the cache (0.191 ms), which the form adds.
CASES = (
    Case("llama-3.1-70b", "h100-sxm", {"tp": 8}, 64, (2.776, 0.861), 0.085, 0.638, 2.585, 7.956, 0.0, 34.75, 14.05,
         16.27, 3933),
    Case("llama-3.1-8b", "h100-sxm", {"tp": 1}, 64, (2.265, 0.702), 0.341, 2.041, 0.0, 5.336, 0.0, 11.56, 10.00, 10.74,
         5960),
    Case("qwen3-235b-a22b", "h200-sxm", {"tp": 8}, 64, (0.190, 0.084), 0.035, 0.523, 2.271, 8.720, 6.325, 18.24, 18.08,
         19.24, 3326),
    Case("deepseek-r1", "h200-sxm", {"dp": 8, "ep": 8}, 16, (3.432, 0.381), 0.420, 0.515, 1.549, 7.068, 18.19, 110.5,
         31.37, 33.13, 3863),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.model)
def test_worked_cases_term_by_term(case: Case) -> None:
    deployment = deployed(case.model, case.hardware, "fp8", reach=False, **case.degrees)
    speed = rates(deployment, PLAIN)
    step = decode_step(deployment, speed, PLAIN, case.batch, 1500.0)
    # Norms and routers count as matrices here: DeepSeek's routers are 0.7 % of what every token reads.
    assert ms(step.terms["matrices"].memory_s) == pytest.approx(case.fixed[0], rel=0.01)
    assert ms(step.terms["matrices"].compute_s) == pytest.approx(case.fixed[1], rel=0.01, abs=1e-3)
    waiting = step.terms["overhead"].time_s + step.terms["scheduling"].time_s
    assert ms(waiting) == pytest.approx(case.overhead, rel=0.01)
    for name in ("head", "cache", "links", "experts"):
        assert ms(step.terms[name].time_s) == pytest.approx(getattr(case, name), rel=0.01, abs=6e-4), name
    assert ms(step.time_s) == pytest.approx(case.step, rel=0.01)
    prompt = prefill(deployment, speed, PLAIN, 1000.0, case.batch)
    assert ms(prompt.time_s) == pytest.approx(case.prompt, rel=0.01)
    users = case.batch * case.degrees.get("dp", 1)
    load = Load(np.array([1000.0]), np.array([1000.0]), np.array([users]), np.zeros(1))
    served = online(deployment, PLAIN, load, np.array([np.inf]))
    assert ms(served.tpot_s) == pytest.approx(case.tpot, rel=0.01)
    assert float(served.output_tok_s[0]) == pytest.approx(case.tok_s, rel=0.01)


@pytest.mark.parametrize(
    ("model", "bytes_per_token"),
    [("llama-3.1-70b", 163_840), ("llama-3.1-8b", 65_536), ("qwen3-235b-a22b", 96_256), ("deepseek-r1", 35_136)],
)
def test_cache_read_per_token_of_context_is_exact(model: str, bytes_per_token: int) -> None:
    # 2 x KV heads x head size x layers, or 576 x layers for a latent, at one byte.
    deployment = deployed(model, "h200-sxm")
    speed = rates(deployment, IDEAL)
    short, long = (decode_step(deployment, speed, IDEAL, 3.0, tokens).terms["cache"] for tokens in (1000.0, 2000.0))
    read = (long.memory_s - short.memory_s).item() * 4.8e12 / 3.0 / 1000.0
    assert read == pytest.approx(bytes_per_token, rel=1e-9)


def test_a_step_of_llama_8b_counted_by_hand() -> None:
    layer = 4096 * 4096 * 2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    norms = (2 * 32 + 1) * 4096
    head = 128256 * 4096
    deployment = deployed("llama-3.1-8b", "h100-sxm", "bf16")
    chip = deployment.chip
    step = decode_step(deployment, rates(deployment, IDEAL), IDEAL, 16.0, 1000.0)
    parts = step.terms
    matrices = 32 * layer + norms
    assert (parts["matrices"].compute_s * chip.bf16_flops).item() == pytest.approx(2 * matrices * 16, rel=1e-9)
    assert (parts["matrices"].memory_s * chip.hbm_bytes_per_s).item() == pytest.approx(2 * matrices, rel=1e-9)
    assert (parts["head"].compute_s * chip.bf16_flops).item() == pytest.approx(2 * head * 16, rel=1e-9)
    assert (parts["head"].memory_s * chip.hbm_bytes_per_s).item() == pytest.approx(2 * head, rel=1e-9)
    cache = 16 * 1000 * 2 * 8 * 128 * 32 * 2
    assert (parts["cache"].memory_s * chip.hbm_bytes_per_s).item() == pytest.approx(cache, rel=1e-9)
    assert parts["experts"].time_s.item() == 0
    expected = (2 * matrices + 2 * head + cache) / 3.35e12
    assert step.light_s.item() == pytest.approx(expected, rel=1e-9)
    assert step.time_s.item() == pytest.approx(expected, rel=1e-9)


def test_a_prompt_of_llama_8b_counted_by_hand() -> None:
    matrices = 32 * (4096 * 4096 * 2 + 2 * 4096 * 1024 + 3 * 4096 * 14336) + 65 * 4096
    deployment = deployed("llama-3.1-8b", "h100-sxm", "bf16")
    one = prefill(deployment, rates(deployment, IDEAL), IDEAL, 4096.0)
    attention = 32 * 4 * 32 * 128 * 4096 * 4096 / 2
    peak = deployment.chip.bf16_flops
    assert (one.terms["matrices"].compute_s * peak).item() == pytest.approx(2 * matrices * 4096, rel=1e-9)
    assert (one.terms["attention"].compute_s * peak).item() == pytest.approx(attention, rel=1e-9)
    # One token of a prompt needs logits: the head is read, not multiplied much.
    assert (one.terms["head"].memory_s * 3.35e12).item() == pytest.approx(2 * 128256 * 4096, rel=1e-9)


def test_latent_attention_multiplies_in_the_compressed_space() -> None:
    model = SHELF.architecture("deepseek-r1")
    # Per head and token attended: 576 for the scores, 512 for the sum; prompts use 192 and 128 of each head.
    assert model.decode_flops_full == 61 * 2 * 128 * (576 + 512)
    assert model.prefill_flops_full == 61 * 2 * 128 * (192 + 128)
    deployment = deployed("deepseek-r1", "h200-sxm", dp=8, ep=8)
    cache = decode_step(deployment, rates(deployment, IDEAL), IDEAL, 16.0, 1500.0).terms["cache"]
    assert ms(cache.compute_s) == pytest.approx(0.515 * 0.8, rel=0.002)
    # Tensor parallelism divides heads, but every device reads the whole latent.
    cut = deployed("deepseek-r1", "h200-sxm", tp=8)
    other = decode_step(cut, rates(cut, IDEAL), IDEAL, 16.0, 1500.0).terms["cache"]
    assert other.memory_s.item() == pytest.approx(cache.memory_s.item())
    assert other.compute_s.item() == pytest.approx(cache.compute_s.item() / 8)


def test_windowed_layers_read_their_window() -> None:
    # gpt-oss-120b: 36 layers of 8 KV heads of 64, every second one with a window of 128.
    deployment = deployed("gpt-oss-120b", "h100-sxm", "mxfp4")
    per_layer = 2 * 8 * 64 * 2
    for context in (100.0, 1000.0, 100_000.0):
        cache = decode_step(deployment, rates(deployment, IDEAL), IDEAL, 4.0, context).terms["cache"]
        expected = 4 * 18 * per_layer * (context + min(context, 128))
        assert (cache.memory_s * 3.35e12).item() == pytest.approx(expected, rel=1e-9)


def test_chunked_layers_see_half_their_chunk() -> None:
    # Llama 4 Scout: 48 layers of 8 KV heads of 128, 36 of them in chunks of 8,192.
    deployment = deployed("llama-4-scout", "h200-sxm", "fp8", tp=1)
    cache = decode_step(deployment, rates(deployment, IDEAL), IDEAL, 1.0, 65536.0).terms["cache"]
    assert (cache.memory_s * 4.8e12).item() == pytest.approx(2 * 8 * 128 * (12 * 65536 + 36 * 4096), rel=1e-9)


def test_recurrent_layers_read_and_write_a_state_that_does_not_grow() -> None:
    name = "qwen3-next-80b-a3b"
    model = SHELF.architecture(name)
    deployment = deployed(name, "h200-sxm", "bf16")
    short, long = (
        (decode_step(deployment, rates(deployment, IDEAL), IDEAL, 8.0, tokens).terms["cache"].memory_s * 4.8e12).item()
        for tokens in (1.0, 4001.0)
    )
    # 12 of 48 layers have a cache: 2 KV heads of 256.
    assert long - short == pytest.approx(8 * 4000 * 12 * 2 * 2 * 256 * 2, rel=1e-9)
    assert short == pytest.approx(8 * (12 * 2 * 2 * 256 * 2 + 8 * model.recurrent_values), rel=1e-9)


def test_sparse_attention_reads_its_choice_and_the_whole_index() -> None:
    name = "deepseek-v3.2"
    deployment = deployed(name, "h200-sxm", dp=8, ep=8)
    read = {
        context: (decode_step(deployment, rates(deployment, IDEAL), IDEAL, 1.0, context).terms["cache"].memory_s).item()
        * 4.8e12
        for context in (2048.0, 65536.0, 131072.0)
    }
    assert read[2048.0] == pytest.approx(2048 * 61 * (576 + 128), rel=1e-9)
    assert read[131072.0] - read[65536.0] == pytest.approx(65536 * 61 * 128, rel=1e-9)


@pytest.mark.parametrize(("name", "per_pair"), [("deepseek-v3.2", 2 * 64 * 128 * 61), ("glm-5", 2 * 32 * 128 * 78)])
@pytest.mark.parametrize("length", [512, 8192, 40960])
def test_an_indexer_scores_every_token_of_the_whole_context(name: str, per_pair: float, length: int) -> None:
    """Heads, width and layers of the models' own configs; each query scores the whole of what came before it."""
    model = SHELF.architecture(name)
    assert model.index_flops == per_pair
    assert model.attended_tokens == 2048
    found = prefill_index_flops(deployed(name, "h200-sxm"), float(length)).item()
    assert found == pytest.approx(per_pair * (np.arange(length) + 1.0).sum(), rel=0.003)
    # On every device whole, at FP8's rate: tensor parallelism divides attention and not the scores.
    for degrees in ({"tp": 8, "ep": 8}, {"dp": 8, "ep": 8}):
        deployment = deployed(name, "h200-sxm", **degrees)
        speed = rates(deployment, IDEAL)
        prompt = prefill(deployment, speed, IDEAL, float(length)).terms["attention"].time_s.item()
        attention = prefill_attention_flops(deployment, float(length)).item() / degrees.get("tp", 1)
        assert prompt == pytest.approx(attention / 989e12 + found / 1979e12, rel=1e-3)
        new = decode_step(deployment, speed, IDEAL, 3.0, float(length)).terms["cache"].compute_s.item()
        attended = 3 * model.decode_flops_full * min(length, 2048) / degrees.get("tp", 1)
        assert new == pytest.approx(attended / 989e12 + 3 * per_pair * length / 1979e12, rel=1e-3)


def test_models_without_an_indexer_score_nothing() -> None:
    names = [name for name in SHELF.catalog.ids("models") if not SHELF.model(name).index_heads]
    assert len(names) > 150
    assert all(SHELF.architecture(name).index_flops == 0.0 for name in names)


def seen_by(token: Array, window: float, chunked: bool) -> Array:
    return np.asarray(np.mod(token, window) + 1 if chunked else np.minimum(token + 1, window))


@pytest.mark.parametrize("name", ["llama-3.1-8b", "gpt-oss-120b", "llama-4-scout", "deepseek-r1", "deepseek-v3.2"])
@pytest.mark.parametrize("length", [1000, 8192, 40960])
def test_attention_of_a_prompt_is_the_sum_over_its_tokens(name: str, length: int) -> None:
    model = SHELF.architecture(name)
    token = np.arange(length, dtype=float)
    far = np.minimum(token + 1, model.attended_tokens).sum()
    near = seen_by(token, min(model.window_tokens, 1e12), bool(model.window_chunked)).sum()
    expected = model.prefill_flops_full * far + model.prefill_flops_windowed * near
    found = prefill_attention_flops(deployed(name, "h200-sxm"), float(length)).item()
    assert found == pytest.approx(expected, rel=0.005)


@given(st.integers(1, 4096), st.integers(1, 512), st.integers(1, 16))
def test_active_experts_lie_between_one_tokens_and_all(tokens: int, experts: int, active: int) -> None:
    chosen = min(active, experts)
    found = float(active_experts(tokens, experts, chosen))
    assert chosen - 1e-9 <= found <= experts + 1e-9
    assert float(active_experts(1, experts, chosen)) == pytest.approx(chosen)
    assert float(active_experts(tokens + 1, experts, chosen)) >= found - 1e-9


def test_active_experts_agree_with_drawing_them() -> None:
    generator = np.random.default_rng(7)
    for tokens, experts, active in ((4, 256, 8), (64, 128, 8), (64, 256, 8), (3, 8, 2)):
        draws = [
            len(set(np.concatenate([generator.choice(experts, active, replace=False) for _ in range(tokens)])))
            for _ in range(300)
        ]
        assert float(active_experts(tokens, experts, active)) == pytest.approx(np.mean(draws), rel=0.01)
    assert float(active_experts(16, 0, 0)) == 0


def times(of: Pass) -> float:
    return float(np.asarray(of.time_s).item())


def test_a_pipeline_passes_every_layer_once() -> None:
    # Two stages work on half of the sequences each; without links a token's way is as long as one device's pass of
    # that half.
    one, two = deployed("llama-3.1-70b", "h100-sxm", tp=4), deployed("llama-3.1-70b", "h100-sxm", tp=4, pp=2)
    free = replace(PLAIN, step_overhead_s=0.0, sequence_overhead_s=0.0, link_latency_s=0.0, link_efficiency=1e9)
    half = times(decode_step(one, rates(one, free), free, 16.0, 1000.0))
    assert times(decode_step(two, rates(two, free), free, 32.0, 1000.0)) == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize("name", ["llama-3.1-70b", "deepseek-r1", "gpt-oss-120b"])
def test_a_lone_sequence_gains_nothing_from_a_pipeline(name: str) -> None:
    # Its token still reads every layer's experts and cache: at batch 1 eight stages are no faster than one.
    one, eight = deployed(name, "b200-sxm"), deployed(name, "b200-sxm", pp=8)
    plain, long = (times(decode_step(of, rates(of, PLAIN), PLAIN, 1.0, 20_000.0)) for of in (one, eight))
    assert long >= plain


def test_long_prompts_run_in_chunks() -> None:
    deployment = deployed("llama-3.1-8b", "h100-sxm")
    speed = rates(deployment, PLAIN)
    short, long = (prefill(deployment, speed, PLAIN, tokens) for tokens in (CHUNK_TOKENS, 8 * CHUNK_TOKENS))
    for name in ("matrices", "head", "overhead"):
        assert long.terms[name].time_s.item() == pytest.approx(8 * short.terms[name].time_s.item(), rel=1e-9)
    assert long.terms["attention"].time_s.item() == pytest.approx(64 * short.terms["attention"].time_s.item())
    # Batched short prompts share what a pass costs, and no more than a chunk of them is batched.
    alone, shared, many = (times(prefill(deployment, speed, PLAIN, 128.0, count)) for count in (1, 64, 10_000))
    assert shared < alone / 2
    assert many == pytest.approx(shared)


@pytest.mark.parametrize("name", ["online", "offline", "vllm-0-11"])
@pytest.mark.parametrize("hardware", ["h100-sxm", "b200-sxm", "mi300x", "a100-80gb-sxm"])
def test_no_calibration_asks_for_more_than_the_units_have(name: str, hardware: str) -> None:
    constants = constants_of(SHELF.catalog.get("calibrations", name))
    for engine in (*constants.engines, "unheard-of"):
        for precision in ("bf16", "fp8", "nvfp4", "mxfp4"):
            deployment = deployed("gpt-oss-120b", hardware, precision, reach=True)
            deployment = replace(deployment, engine=(engine,))
            speed = rates(deployment, constants)
            formats, chip = deployment.numerics, deployment.chip
            assert speed.matrix <= formats.matrix_flops * formats.matrix_reach
            assert speed.expert <= formats.expert_flops * formats.expert_reach
            assert speed.head <= chip.bf16_flops * chip.bf16_reach
            assert speed.prompt_attention <= chip.bf16_flops * chip.bf16_reach
            assert speed.memory <= chip.hbm_bytes_per_s


def test_terms_and_their_parts() -> None:
    deployment = deployed("deepseek-r1", "h200-sxm", dp=8, ep=8)
    constants = constants_of(SHELF.catalog.get("calibrations", "online"))
    speed = rates(deployment, constants)
    step = decode_step(deployment, speed, constants, 16.0, 1500.0)
    assert set(step.terms) == {
        "matrices", "head", "experts", "traffic", "links", "overhead", "cache", "scheduling",
    }  # fmt: skip
    for name, term in step.terms.items():
        work = np.maximum(term.compute_s, term.memory_s) + term.link_s
        assert np.all(term.time_s >= work - 1e-15), name
        if name not in ("overhead", "scheduling"):
            assert term.time_s == pytest.approx(work), name
    assert times(step) == pytest.approx(sum(float(term.time_s.item()) for term in step.terms.values()))
    assert set(forward(deployment, speed, constants, 16.0, 16.0).terms) < set(step.terms)
