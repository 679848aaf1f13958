"""From passes to requests: batch, time per token, time to first token and throughput of a deployment under load.

Three regimes: `online` (so many requests in flight, continuous batching, prefill in chunks between decode steps),
`offline` (a queue that never empties, in waves) and `decode_only` (the decode side of a split deployment).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.memory import (
    DeviceCache,
    activation_bytes,
    cache_per_device,
    largest_batch,
    weights_per_device,
)
from aiplan.planners.serving.memory_pool import (
    ENGINES,
    RESERVE_BYTES,
    VLLM,
    default_block_tokens,
    default_fraction,
    kv_pool_bytes,
)
from aiplan.planners.serving.precision import weight_bytes
from aiplan.planners.serving.roofline import CHUNK_TOKENS, Pass, Rates, decode_step, prefill, rates
from aiplan.planners.serving.time_constants import TimeConstants

ROUNDS = 10.0
"""Requests per user of a benchmark that starts all users at once, as InferenceX does [1]."""
MOST_SEQUENCES = 2048.0
"""Largest batch an engine schedules, TensorRT-LLM's default [1]."""
ALLOCATED_ANSWER = 0.6
"""Share of the answer that holds memory on average where an engine allocates as it goes (vLLM); assumed [1]."""
MOST_FRACTION = 0.96
"""Largest memory fraction operators set where an engine's default leaves no room for the cache; assumed [1]."""
BUSIEST = 0.95
"""Largest share of time in prefill that the waiting formula accepts [1]."""
RESIDUAL_WAIT = 0.4
"""Waits for a prefill under way, in units of it: between half of one and none; from theory, not fitted [1]."""
SPECULATIVE_TOKENS = 2.2
"""Tokens of a speculative decode step: a first draft is kept in 85 to 90 % of cases (DeepSeek-V3 report, 5.4.3), runs
draft one to three; assumed [1]."""
FIRST_ROUND = 0.9
"""Share of requests that wait for memory when the first of ten rounds does not [1]."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of each deployment, one row each.

    Attributes
    ----------
    prompt_tokens, output_tokens : mean lengths [tokens]
    concurrency : requests in flight over all copies, may be fractional [1]
    speculative : 1 where tokens are drafted ahead and verified (multi-token prediction) [1]
    """

    prompt_tokens: Array
    output_tokens: Array
    concurrency: Array
    speculative: Array


@dataclass(frozen=True, slots=True)
class Served:
    """Times and rates, one row per deployment; NaN where a regime does not define one.

    Attributes
    ----------
    tpot_s : time per output token of one user, prefill of others included [s]
    itl_s : time between two tokens while no prompt is worked on [s]
    ttft_idle_s, ttft_steady_s, ttft_benchmark_s : time to first token of an idle deployment, in steady state, and as a
        benchmark that starts all users at once reports it: the mean over `ROUNDS` requests per user [s]
    output_tok_s : output tokens of all copies [1/s]
    batch : sequences decoding per attention data-parallel rank [1]
    batch_limit : sequences that memory allows per rank [1]
    prefill_share : share of time in prefill [1]
    decode, prompt : passes behind them, for the breakdown
    """

    tpot_s: Array
    itl_s: Array
    ttft_idle_s: Array
    ttft_steady_s: Array
    ttft_benchmark_s: Array
    output_tok_s: Array
    batch: Array
    batch_limit: Array
    prefill_share: Array
    decode: Pass
    prompt: Pass


def engine_codes(deployment: Deployment) -> Array:
    """Code of each row's engine for the memory rules; unknown engines count as vLLM, whose rule is the plainest."""
    return np.array([float(ENGINES.index(name)) if name in ENGINES else VLLM for name in deployment.engine])


def batch_limit(
    deployment: Deployment,
    prompt_tokens: Any,
    output_tokens: Any,
    *,
    fraction: Any = None,
    reserve_bytes: Any = RESERVE_BYTES,
) -> Array:
    """Sequences that the cache pool holds at once, per attention data-parallel rank; below 1 it does not serve [1].

    Parameters
    ----------
    prompt_tokens, output_tokens : mean lengths [tokens]
    fraction : the engine's memory fraction; its default where absent or NaN, or `MOST_FRACTION` where that default
        leaves no room [1]
    reserve_bytes : see `memory_pool.RESERVE_BYTES` [B]

    TensorRT-LLM and SGLang hold room for the whole answer; vLLM allocates as it goes, so that sequences of mixed age
    hold `ALLOCATED_ANSWER` of it. Chunked windows count in full: the engines measured keep all their tokens.
    """
    memory = device_memory(deployment, fraction=fraction, reserve_bytes=reserve_bytes)
    answer = np.where(engine_codes(deployment) == VLLM, ALLOCATED_ANSWER, 1.0) * as_array(output_tokens)
    return largest_batch(memory.pool_bytes, memory.cache, as_array(prompt_tokens) + answer, whole=False)


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """How the memory of one device is divided, one row per deployment [B].

    Attributes
    ----------
    fraction : the engine's memory fraction as used [1]
    total_bytes, weights_bytes, activation_bytes, reserve_bytes : of the device, and taken from it
    pool_bytes : cache pool; 0 or below where there is no room for one
    cache : what one sequence keeps in it
    """

    fraction: Array
    total_bytes: Array
    weights_bytes: Array
    activation_bytes: Array
    reserve_bytes: Array
    pool_bytes: Array
    cache: DeviceCache


def device_memory(deployment: Deployment, *, fraction: Any = None, reserve_bytes: Any = RESERVE_BYTES) -> DeviceMemory:
    """Memory of the devices of each deployment; parameters as in `batch_limit`."""
    codes = engine_codes(deployment)
    stated = np.full(len(deployment), np.nan) if fraction is None else as_array(fraction)
    taken = np.where(np.isnan(stated), default_fraction(codes), stated)
    model, layout, formats = deployment.architecture, deployment.layout, deployment.numerics
    weights = weights_per_device(model, weight_bytes(model, formats.precision), layout).total
    memory, working = deployment.chip.memory_bytes, activation_bytes(model, layout)
    pool = kv_pool_bytes(codes, taken, memory, weights, working, reserve_bytes)
    # A model that the default share is too small for is served with a larger one, or not at all.
    raised = kv_pool_bytes(codes, np.maximum(taken, MOST_FRACTION), memory, weights, working, reserve_bytes)
    tight = (pool <= 0.0) & np.isnan(stated)
    cache = cache_per_device(
        model,
        layout,
        formats.cache_bytes,
        block_tokens=default_block_tokens(codes),
        windows_in_full=model.window_chunked > 0,
    )
    return DeviceMemory(
        fraction=np.where(tight, np.maximum(taken, MOST_FRACTION), taken),
        total_bytes=memory,
        weights_bytes=weights,
        activation_bytes=working,
        reserve_bytes=np.broadcast_to(as_array(reserve_bytes), np.shape(weights)),
        pool_bytes=np.where(tight, raised, pool),
        cache=cache,
    )


def online(deployment: Deployment, constants: TimeConstants, load: Load, limit: Any, rounds: Any = ROUNDS) -> Served:
    """Continuous batching with a fixed number of requests in flight.

    ``TPOT = T_d(B) + (B - 1) / (OSL pp) T_p``, ``throughput = B D R / (T_d(B) + B / (OSL pp) T_p)``

    Parameters
    ----------
    deployment, constants, load : what runs, how fast, under what
    limit : sequences per rank that fit, see `batch_limit` [1]
    rounds : requests per user of the benchmark whose TTFT is predicted [1]

    TTFT is the engine's start, the prompt's own prefill, ``k`` decode steps that streaming and scheduling wait, the
    residual of a prefill under way, and waiting where more requests are in flight than memory and chunks admit; a
    benchmark adds the burst of all users at its start, spread over its rounds. A closed-loop simulation gives the same
    curves.

    Source: the form was found on InferenceX runs of H100, H200 and B200; constants from theory are named above.
    """
    speed = rates(deployment, constants)
    ranks = deployment.layout.dp * deployment.replicas
    wanted = load.concurrency / ranks
    most = np.maximum(np.minimum(limit, _admitted(deployment, load)), 1.0)
    held = np.minimum(wanted, most)
    # Fewer requests than ranks: each has a rank of its own.
    batch = np.maximum(held, 1.0)
    context = load.prompt_tokens + load.output_tokens / 2.0
    step = decode_step(deployment, speed, constants, batch, context)
    shared = prefill(deployment, speed, constants, load.prompt_tokens, batch)
    alone = prefill(deployment, speed, constants, load.prompt_tokens)
    drafted = load.speculative > 0
    itl = step.time_s * np.where(drafted, constants.speculative_factor, 1.0)
    each = shared.time_s / deployment.layout.pp
    # A request's own prefill is in its time to first token: its later tokens meet those of the others.
    tpot = itl + np.maximum(held - 1.0, 0.0) / load.output_tokens * each
    stay = itl + held / load.output_tokens * each
    busy = np.minimum(BUSIEST, held * each / (load.output_tokens * stay))
    # Nobody waits for a prefill of their own.
    met = busy * np.maximum(1.0 - 1.0 / np.maximum(held, 1.0), 0.0)
    start, steps = _first_token(deployment, constants)
    # A step that verifies drafts yields several tokens and takes that much longer than a token's share of it.
    steps = steps * np.where(drafted, constants.speculative_factor * SPECULATIVE_TOKENS, 1.0)
    single = decode_step(deployment, speed, constants, 1.0, context)
    queue = np.maximum(wanted / most - 1.0, 0.0) * load.output_tokens * stay
    loaded = start + alone.time_s + steps * step.time_s
    steady = loaded + RESIDUAL_WAIT * met * each / (1.0 - met / 2.0) + queue
    burst = (batch - 1.0) * each / (2.0 * rounds)
    return Served(
        tpot_s=tpot,
        itl_s=itl,
        ttft_idle_s=start + alone.time_s + steps * single.time_s,
        ttft_steady_s=steady,
        ttft_benchmark_s=steady + burst - (1.0 - FIRST_ROUND) * queue,
        output_tok_s=held * ranks / stay,
        batch=held,
        batch_limit=np.asarray(limit),
        prefill_share=busy,
        decode=step,
        prompt=shared,
    )


def _admitted(deployment: Deployment, load: Load) -> Array:
    """Sequences per rank that full chunks keep decoding [1].

    A step admits ``8192 / ISL`` prompts, and each then decodes for OSL steps; further requests wait for a chunk as
    they do for memory.
    """
    prompts = deployment.layout.pp * CHUNK_TOKENS / np.maximum(load.prompt_tokens, 1.0)
    return np.asarray(prompts * load.output_tokens, dtype=np.float64)


def _first_token(deployment: Deployment, constants: TimeConstants) -> tuple[Array, Array]:
    """Seconds and decode steps before the first token beside its prefill."""
    start = constants.factors("first_token_s", deployment.engine)
    steps = constants.factors("first_token_steps", deployment.engine)
    # TensorRT-LLM starts the ranks of attention data parallelism together and lets each wait for the others.
    together = np.array([engine == "tensorrt-llm" for engine in deployment.engine]) & (deployment.layout.dp > 1)
    return start, steps + np.where(together, constants.rank_wait_steps, 0.0)


def offline(deployment: Deployment, constants: TimeConstants, load: Load, limit: Any, requests: Any = np.inf) -> Served:
    """A queue of requests worked off as fast as possible: full waves, then a partial one.

    ``tok/s = Q OSL / sum over waves of (OSL T_d(B) + B T_p)``

    Parameters
    ----------
    limit : sequences per rank that fit [1]
    requests : requests of the run per copy; infinite leaves the partial wave out [1]

    Where the published tables of maxima apply (TensorRT-LLM), they are runs of 1,000 to 30,000 requests.
    """
    speed = rates(deployment, constants)
    dp = deployment.layout.dp
    queue = as_array(requests) / dp
    batch = np.maximum(np.minimum(np.minimum(limit, MOST_SEQUENCES), queue), 0.5)
    full = np.where(np.isfinite(queue), np.floor(queue / batch + 1e-9), 1.0)
    rest = np.where(np.isfinite(queue), np.maximum(queue - full * batch, 0.0), 0.0)
    first, step, prompt = _wave(deployment, speed, constants, load, batch)
    last, _, _ = _wave(deployment, speed, constants, load, np.maximum(rest, 0.5))
    # Fewer requests than ranks are one wave too.
    tail = (rest > 0.5) | (full < 1.0)
    done = full * batch + np.where(tail, rest, 0.0)
    seconds = full * first + np.where(tail, last, 0.0)
    rate = done * dp * deployment.replicas * load.output_tokens / seconds
    each = prompt.time_s / deployment.layout.pp
    nothing = np.full(len(deployment), np.nan)
    return Served(
        tpot_s=first / load.output_tokens,
        itl_s=step.time_s,
        ttft_idle_s=prefill(deployment, speed, constants, load.prompt_tokens).time_s,
        ttft_steady_s=nothing,
        ttft_benchmark_s=nothing,
        output_tok_s=rate,
        batch=batch,
        batch_limit=np.asarray(limit),
        prefill_share=batch * each / first,
        decode=step,
        prompt=prompt,
    )


def _wave(
    deployment: Deployment, speed: Rates, constants: TimeConstants, load: Load, batch: Array
) -> tuple[Array, Pass, Pass]:
    """Time of a batch from its prompts to its last token [s], with the passes."""
    context = load.prompt_tokens + load.output_tokens / 2.0
    step = decode_step(deployment, speed, constants, batch, context)
    prompt = prefill(deployment, speed, constants, load.prompt_tokens, batch)
    per_token = step.time_s * np.where(load.speculative > 0, constants.speculative_factor, 1.0)
    return per_token * load.output_tokens + batch * prompt.time_s / deployment.layout.pp, step, prompt


def decode_only(deployment: Deployment, constants: TimeConstants, load: Load, limit: Any) -> Served:
    """The decode workers of a split deployment: no prefill between steps; their TTFT is not modelled.

    Parameters as in `online`; ``load.concurrency`` is that of all decode workers.
    """
    speed = rates(deployment, constants)
    ranks = deployment.layout.dp * deployment.replicas
    held = np.minimum(load.concurrency / ranks, np.maximum(limit, 1.0))
    step = decode_step(
        deployment, speed, constants, np.maximum(held, 1.0), load.prompt_tokens + load.output_tokens / 2.0
    )
    itl = step.time_s * np.where(load.speculative > 0, constants.speculative_factor, 1.0)
    nothing = np.full(len(deployment), np.nan)
    return Served(
        itl, itl, nothing, nothing, nothing, held * ranks / itl, held, np.asarray(limit), np.zeros(len(deployment)),
        step, step,
    )  # fmt: skip


def check_load(load: Load) -> None:
    """Raise ValueError for lengths below 0 or without an answer, and for nothing in flight."""
    require(load.prompt_tokens >= 0, "prompt_tokens must not be negative")
    require(load.output_tokens > 0, "output_tokens must be above 0")
    require(np.isnan(load.concurrency) | (load.concurrency > 0), "concurrency must be above 0")
