"""Time of one forward pass, term by term: compute, memory, communication and what neither explains.

A pass of ``n`` tokens per attention data-parallel rank is a sum of terms, each the larger of its arithmetic and its
memory traffic. Decode steps and prefill differ in ``n``, in the cache they read and in their attention; both are
built from the same pass. Everything broadcasts over deployments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.serving.architecture import windowed_context
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.memory import RECURRENT_STATE_BYTES
from aiplan.planners.serving.time_constants import TimeConstants

CHUNK_TOKENS = 8192.0
"""Tokens of one prefill step: what engines take by default on large devices, and the benchmarks' recipes [tokens]."""
MANY_EXPERTS = 32.0
"""Experts from which on their imbalance counts; with 8 or 16 the fit sees none [1]."""
PCIE_LATENCY_FACTOR = 2.5
"""Latency of a collective over PCIe by that over a switch; assumed [1]."""
SCALE_OUT_BYTES_PER_S = 46e9
"""Reached per device beyond the scale-up domain through one 400 Gbit/s port, as in HGX and DGX servers [B/s]: 43 to
48 GB/s (nccl-tests issue 290, README of DeepEP)."""
RANKS_PER_FRONT = 8.0
"""Attention data-parallel ranks whose sequences one front end schedules; measured up to one server of 8, assumed to be
one front end per server beyond [1]."""
SCALE_OUT_LATENCY_S = 40e-6
"""Latency of one collective that leaves the scale-up domain; assumed, small all-reduces over two servers [s]."""
HEAD_BYTES = 2.0
"""Output heads stay at 16 bit [B]."""
DISPATCH_BYTES = 3.0
"""Per token and hidden value sent to another rank's expert and back: one byte out, two home [B]."""


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a pass: its time [s], and the share of it that its arithmetic, its bytes and its links could fill.

    Attributes
    ----------
    time_s : what the part takes [s]
    compute_s, memory_s, link_s : what each would take alone at the model's effective rates [s]
    """

    time_s: Array
    compute_s: Array
    memory_s: Array
    link_s: Array


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of every device of a deployment.

    Attributes
    ----------
    terms : parts by name, see `forward`
    light_s : speed-of-light time: ``max(FLOPs / peak, bytes / bandwidth)`` of the data sheet, summed over terms [s]
    """

    terms: dict[str, Term]
    light_s: Array

    @property
    def time_s(self) -> Array:
        """Time of the pass [s]."""
        return np.asarray(sum(term.time_s for term in self.terms.values()), dtype=np.float64)


def _term(compute_s: Any = 0.0, memory_s: Any = 0.0, link_s: Any = 0.0, extra_s: Any = 0.0) -> Term:
    """A part whose arithmetic and memory traffic overlap, and whose links do not."""
    compute, memory, link = as_array(compute_s), as_array(memory_s), as_array(link_s)
    return Term(np.asarray(np.maximum(compute, memory) + link + as_array(extra_s)), compute, memory, link)


@dataclass(frozen=True, slots=True)
class Rates:
    """Effective rates of one device [FLOP/s], [B/s], and engine factors [1], one row per deployment."""

    matrix: Array
    expert: Array
    head: Array
    attention: Array
    memory: Array
    link: Array
    overhead: Array
    prompt_attention: Array
    index: Array

    def at_clock(self, clock: Any) -> Rates:
        """Arithmetic at a share of the highest clock; memory, links and the host keep their pace."""
        return replace(
            self,
            matrix=self.matrix * clock,
            expert=self.expert * clock,
            head=self.head * clock,
            attention=self.attention * clock,
            prompt_attention=self.prompt_attention * clock,
            index=self.index * clock,
        )


def rates(deployment: Deployment, constants: TimeConstants) -> Rates:
    """What the devices of each deployment reach.

    ``rate = peak * reach * min(1, efficiency * engine / (1 + r / feed))`` with ``r`` the peak over BF16's.
    """
    chip, formats = deployment.chip, deployment.numerics
    compute = constants.factors("compute", deployment.engine)
    layer = constants.factors("overhead", deployment.engine)
    usable = constants.compute_efficiency * compute
    # A calibration whose prompts are assumed may ask for more than the units have.
    attention = np.minimum(constants.attention_efficiency * compute, 1.0)

    def fed(peak: Any, ratio: float) -> Array:
        return np.asarray(1.0 / (1.0 + peak / (chip.bf16_flops * ratio)))

    return Rates(
        matrix=formats.matrix_flops * formats.matrix_reach
        * np.minimum(usable * fed(formats.matrix_flops, constants.feed_ratio), 1.0),
        # An expert's product is small and scattered: it is starved twice over.
        expert=formats.expert_flops * formats.expert_reach
        * np.minimum(usable * fed(formats.matrix_flops, constants.feed_ratio), 1.0)
        * fed(formats.expert_flops, constants.expert_feed_ratio),
        head=chip.bf16_flops * chip.bf16_reach * np.minimum(usable * fed(chip.bf16_flops, constants.feed_ratio), 1.0),
        attention=chip.bf16_flops * chip.bf16_reach * constants.attention_efficiency,
        memory=chip.hbm_bytes_per_s * chip.hbm_reach * constants.memory_efficiency,
        link=chip.link_bytes_per_s * constants.link_efficiency,
        overhead=layer,
        prompt_attention=chip.bf16_flops * chip.bf16_reach * attention,
        # Indexers score in FP8 (DeepGEMM's fp8_mqa_logits and fp8_paged_mqa_logits); that they come as close to its
        # peak as attention does to BF16's is assumed.
        index=chip.fp8_flops * chip.low_reach * attention,
    )  # fmt: skip


def active_experts(tokens: Any, experts: Any, experts_active: Any) -> Array:
    """Experts of a layer that at least one of the tokens visits, ``E (1 - (1 - k/E)^n)`` [1]; 0 without experts.

    Uniform independent routing; real routing is uneven and reaches fewer.

    >>> round(float(active_experts(64, 128, 8)), 1)
    125.9
    """
    total = as_array(experts)
    share = as_array(experts_active) / np.maximum(total, 1.0)
    return np.asarray(total * (1.0 - (1.0 - np.minimum(share, 1.0)) ** as_array(tokens)), dtype=np.float64)


def forward(deployment: Deployment, speed: Rates, constants: TimeConstants, tokens: Any, sequences: Any) -> Pass:
    """One pass without attention over the cache.

    Parameters
    ----------
    deployment, speed, constants : what runs, how fast
    tokens, sequences : tokens per attention data-parallel rank, and those of them that need logits [1]

    Returns
    -------
    Terms ``matrices`` (attention projections, dense and shared networks), ``head``, ``experts``, ``traffic``
    (activations moved around experts and by element-wise work), ``links``, ``overhead``.

    Source: performance models of this form are common; the terms ``traffic`` and the feed ratio are ours, see
    docs/serving.md for what each is worth.
    """
    model, layout, formats = deployment.architecture, deployment.layout, deployment.numerics
    n, logits = as_array(tokens), as_array(sequences)
    tp, dp, devices = layout.tp, layout.dp, layout.stage_devices
    hidden = model.hidden_size
    fixed = model.attention_params + model.dense_params + model.other_params
    all_tokens = n * dp
    moe = model.experts > 0
    used = active_experts(all_tokens, model.experts, model.experts_active)
    one = np.where(moe, model.routed_params / np.maximum(model.experts * model.moe_layers, 1.0), 0.0)
    per_expert = all_tokens * model.experts_active / np.maximum(used, 1e-9)
    filled = np.where(moe, per_expert / (per_expert + constants.expert_tokens), 1.0)
    uneven = np.where(model.experts >= MANY_EXPERTS, constants.expert_imbalance, 1.0)
    work = 2.0 * one * model.experts_active * all_tokens * model.moe_layers / devices
    read = used * one * formats.expert_bytes * model.moe_layers / devices
    # Cut experts: every device handles all tokens. Divided experts: each its share.
    ranks = np.minimum(layout.ep, devices)
    visits = np.where(layout.ep > 1, all_tokens / ranks, all_tokens) * model.experts_active
    moved = hidden * (
        model.moe_layers * visits * constants.expert_traffic_bytes + model.layers * n * constants.elementwise_bytes
    )
    step_bytes = fixed * formats.matrix_bytes / tp
    head_bytes = HEAD_BYTES * model.head_params / tp
    products, logit_work = 2.0 * fixed * n / tp, 2.0 * model.head_params * logits / tp
    terms = {
        "matrices": _term(products / speed.matrix, step_bytes / speed.memory),
        "head": _term(logit_work / speed.head, head_bytes / speed.memory),
        "experts": _term(work * uneven / (speed.expert * filled), read * uneven / speed.memory),
        "traffic": _term(memory_s=moved / speed.memory),
        "links": _term(link_s=_links_s(deployment, speed, constants, n)),
        "overhead": _term(extra_s=model.layers * constants.layer_overhead_s * speed.overhead),
    }
    chip = deployment.chip
    light = (
        np.maximum(products / formats.matrix_flops, step_bytes / chip.hbm_bytes_per_s)
        + np.maximum(logit_work / chip.bf16_flops, head_bytes / chip.hbm_bytes_per_s)
        + np.maximum(work / formats.expert_flops, read / chip.hbm_bytes_per_s)
    )
    return Pass(terms, np.asarray(light, dtype=np.float64))


def _links_s(deployment: Deployment, speed: Rates, constants: TimeConstants, tokens: Array) -> Array:
    """Two all-reduces per layer over tensor-parallel ranks; two exchanges per layer with experts over data-parallel
    ones; one hop per pipeline stage. What leaves the scale-up domain goes over the network."""
    model, layout, chip = deployment.architecture, deployment.layout, deployment.chip
    tp, dp, devices = layout.tp, layout.dp, layout.stage_devices
    near = constants.link_latency_s * np.where(chip.pcie > 0, PCIE_LATENCY_FACTOR, 1.0)
    network = np.minimum(SCALE_OUT_BYTES_PER_S, speed.link)
    width = 2.0 * tokens * model.hidden_size
    # Rings leave a server by all of its ports at once: 24 A100 behind 100 GB/s a server reduce at 96 GB/s (nccl-tests
    # issue 119).
    outside = tp > chip.domain
    rings = np.minimum(SCALE_OUT_BYTES_PER_S * chip.domain, speed.link)
    ring = 2.0 * (tp - 1.0) / tp * width / np.where(outside, rings, speed.link)
    reduce_s = 2.0 * model.layers * (np.where(outside, SCALE_OUT_LATENCY_S, near) + ring)
    sent = DISPATCH_BYTES * tokens * model.hidden_size * np.minimum(model.experts_active, devices)
    inside = np.minimum(chip.domain, devices)
    exchange = sent * ((inside - 1.0) / devices / speed.link + (devices - inside) / devices / network)
    latency = np.where(devices > chip.domain, SCALE_OUT_LATENCY_S, constants.link_latency_s)
    exchange_s = model.moe_layers * (2.0 * latency + exchange)
    hop = near + width / (speed.link * tp)
    return np.asarray(
        np.where(tp > 1, reduce_s, 0.0) + np.where(dp > 1, exchange_s, 0.0) + (layout.pp - 1.0) * hop,
        dtype=np.float64,
    )


def decode_step(
    deployment: Deployment, speed: Rates, constants: TimeConstants, batch: Any, context_tokens: Any
) -> Pass:
    """One token for every running sequence.

    Parameters
    ----------
    batch : sequences per attention data-parallel rank, may be fractional [1]
    context_tokens : mean tokens before the new one [tokens]

    With a pipeline each stage works on ``batch / pp`` sequences, at least one; the token passes all stages, so that
    the time is that of a pass of so many over all layers. Terms as in `forward`, and ``cache`` (reading it, and
    attention where a latent makes that the longer, with an indexer's scores), ``scheduling`` (per step and sequence).
    """
    model, layout, formats = deployment.architecture, deployment.layout, deployment.numerics
    speed = speed.at_clock(deployment.decode_clock)
    sequences = as_array(batch)
    # A stage works on whole tokens: fewer sequences than stages leave stages idle.
    group = np.maximum(sequences / layout.pp, np.minimum(sequences, 1.0))
    one = forward(deployment, speed, constants, group, group)
    context = as_array(context_tokens)
    near = windowed_context(context, model.window_tokens, model.window_chunked)
    far = np.minimum(context, model.attended_tokens)
    values = (
        (model.kv_values_full - model.index_values) * far
        + model.index_values * context
        + model.kv_values_windowed * near
    )
    shards = np.minimum(layout.tp, model.kv_shards)
    kept = formats.cache_bytes * values / shards * deployment.grouped_cache_factor
    # Recurrent state is read and written.
    state = 2.0 * RECURRENT_STATE_BYTES * model.recurrent_values / layout.tp
    cache_bytes = group * (kept + state)
    work = group * (model.decode_flops_full * far + model.decode_flops_windowed * near) / layout.tp
    latent = (model.kv_shards == 1) & (model.decode_flops_full > model.prefill_flops_full)
    # An indexer is whole on every device of its rank and scores the whole context.
    scores = group * model.index_flops * context
    attention = np.where(latent, work / speed.attention, 0.0) + scores / speed.index
    # Every stage has a loop of its own that looks after all sequences of the pipeline.
    ranks = np.minimum(layout.dp, RANKS_PER_FRONT)
    waiting = layout.pp * (constants.step_overhead_s + constants.sequence_overhead_s * sequences * ranks)
    terms = {
        **one.terms,
        "cache": _term(attention, cache_bytes * constants.cache_read_factor / speed.memory),
        "scheduling": _term(extra_s=waiting),
    }
    chip = deployment.chip
    least = np.where(latent, work / chip.bf16_flops, 0.0) + scores / chip.fp8_flops
    light = one.light_s + np.maximum(cache_bytes / chip.hbm_bytes_per_s, least)
    return Pass(terms, np.asarray(light, dtype=np.float64))


def prefill_attention_flops(deployment: Deployment, prompt_tokens: Any) -> Array:
    """FLOPs of causal attention over one prompt, all layers [1].

    A layer that sees everything has ``S^2 / 2`` pairs, a sliding window ``S w - w^2 / 2``, chunks ``S w / 2``.
    """
    model, length = deployment.architecture, as_array(prompt_tokens)
    window = np.minimum(length, model.window_tokens)
    sliding = length * window - window**2 / 2.0
    near = np.where(model.window_chunked > 0, length * window / 2.0, sliding)
    seen = np.minimum(length, model.attended_tokens)
    far = length * seen - seen**2 / 2.0
    return np.asarray(model.prefill_flops_full * far + model.prefill_flops_windowed * near, dtype=np.float64)


def prefill_index_flops(deployment: Deployment, prompt_tokens: Any) -> Array:
    """FLOPs with which an indexer scores every token of one prompt against all before it, all layers [1].

    ``S^2 / 2`` pairs, however few of them attention then reads; 0 without an indexer. Every device of a rank does them
    all: engines replicate the indexer (vLLM's ``deepseek_v2.py`` and SGLang's indexer: ``ReplicatedLinear``).
    """
    length = as_array(prompt_tokens)
    return np.asarray(deployment.architecture.index_flops * length**2 / 2.0, dtype=np.float64)


def prefill(
    deployment: Deployment, speed: Rates, constants: TimeConstants, prompt_tokens: Any, together: Any = 1.0
) -> Pass:
    """One prompt, alone or batched with others up to a chunk; time per prompt.

    Parameters
    ----------
    prompt_tokens : its length [tokens]
    together : prompts that are there to be batched, 1 for one alone [1]

    Long prompts run in chunks of `CHUNK_TOKENS`. Terms as in `forward`, and ``attention`` with an indexer's scores.
    """
    speed = speed.at_clock(deployment.prompt_clock)
    length, others = as_array(prompt_tokens), np.maximum(as_array(together), 1.0)
    passes = np.ceil(length / CHUNK_TOKENS)
    tokens = np.where(length > CHUNK_TOKENS, length / passes, np.minimum(CHUNK_TOKENS, length * others))
    prompts = tokens / np.maximum(length, 1e-9)
    one = forward(deployment, speed, constants, tokens, np.minimum(prompts, others))
    each = {name: _scaled(term, 1.0 / prompts) for name, term in one.terms.items()}
    work = prefill_attention_flops(deployment, length) / deployment.layout.tp
    scores = prefill_index_flops(deployment, length)
    each["attention"] = _term(work / speed.prompt_attention + scores / speed.index)
    light = one.light_s / prompts + work / deployment.chip.bf16_flops + scores / deployment.chip.fp8_flops
    return Pass(each, np.asarray(light, dtype=np.float64))


def _scaled(term: Term, by: Any) -> Term:
    return Term(term.time_s * by, term.compute_s * by, term.memory_s * by, term.link_s * by)
