"""What an inference engine leaves of a device's memory for its KV cache, and what to say when nothing is left.

The three engines mean different things by their memory fraction: a share of all memory (vLLM), of what is free
after loading (TensorRT-LLM), of what was free before it, for weights and cache (SGLang).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.serving.architecture import Architecture
from aiplan.planners.serving.layout import Layout, layouts
from aiplan.planners.serving.memory import activation_bytes, cache_per_device, sequence_bytes, weights_per_device
from aiplan.planners.serving.precision import EXPERT_BYTES, kv_bytes, weight_bytes

ENGINES = ("vllm", "tensorrt-llm", "sglang")
"""Engines by their code, the position in this list."""
VLLM, TENSORRT_LLM, SGLANG = 0.0, 1.0, 2.0

DEFAULT_FRACTION = (0.92, 0.90, 0.88)
"""Memory fraction an engine takes unasked, by code.

vLLM ``gpu_memory_utilization``: 0.92 (vllm/config/cache.py@002f10e; v0.25 and later, 0.90 before). TensorRT-LLM
``free_gpu_memory_fraction``: 0.90 (KvCacheConfig, 1.3.0rc27); its published benchmarks state 0.95. SGLang
``mem_fraction_static`` depends on the device, see `sglang_fraction`; 0.88 where it cannot tell."""
BLOCK_TOKENS = (16.0, 32.0, 1.0)
"""Tokens per block an engine takes unasked, by code: vLLM 16, TensorRT-LLM 32 (64 in older engines), SGLang 1."""

RESERVE_BYTES = 3.0e9
"""CUDA context, NCCL buffers and graphs of a device where nothing else is known; assumed [B].

NVIDIA's aiconfigurator 0.12 puts 342 to 392 MB for NCCL and 3.5 GiB for the rest; a vLLM log of Llama 3 8B states
1.8 GiB outside PyTorch at TP1 and 3.6 GiB at TP2 (pull request 10511)."""

_MIB = 2.0**20


def engine_code(engine: str | Sequence[str]) -> Array:
    """Code of an engine by name, a number or shape (rows,); ValueError for an unknown name.

    >>> engine_code(["sglang", "vllm"]).tolist()
    [2.0, 0.0]
    """
    names = [engine] if isinstance(engine, str) else list(engine)
    if unknown := sorted(set(names) - set(ENGINES)):
        raise ValueError(f"unknown engine {unknown[0]!r}, expected one of {', '.join(ENGINES)}")
    codes = np.array([ENGINES.index(name) for name in names], dtype=np.float64)
    return np.asarray(codes[0] if isinstance(engine, str) else codes)


def _per_engine(engine: Any, vllm: Any, tensorrt_llm: Any, sglang: Any) -> Array:
    code = as_array(engine)
    require((code == VLLM) | (code == TENSORRT_LLM) | (code == SGLANG), "engine must be one of the codes of ENGINES")
    return np.asarray(np.where(code == VLLM, vllm, np.where(code == SGLANG, sglang, tensorrt_llm)), dtype=np.float64)


def default_fraction(engine: Any) -> Array:
    """`DEFAULT_FRACTION` by engine code [1]."""
    return _per_engine(engine, *DEFAULT_FRACTION)


def default_block_tokens(engine: Any) -> Array:
    """`BLOCK_TOKENS` by engine code [tokens]."""
    return _per_engine(engine, *BLOCK_TOKENS)


def kv_pool_bytes(
    engine: Any, fraction: Any, total_bytes: Any, weights: Any, activation: Any, reserve: Any = RESERVE_BYTES
) -> Array:
    """Cache pool of one device by the rule of its engine; negative where not even the rest fits [B].

    ==============  ==============================  =========================
    vLLM            share of all memory             ``u M - W - A - O``
    TensorRT-LLM    share of what is left free      ``f (M - W - A - O)``
    SGLang          share of what was free at start ``s (M - O) - W``
    ==============  ==============================  =========================

    Parameters
    ----------
    engine : code, see `ENGINES`; rows may differ
    fraction : the engine's memory fraction, in (0, 1]
    total_bytes : M, memory of the device as its driver states it [B]
    weights, activation, reserve : W, A and O of one device [B]

    Source: ``Worker.determine_available_memory``, vllm/v1/worker/gpu_worker.py@0012cf6 (later versions are alike and
    can count CUDA graphs into O, which others capture outside the share); ``KvCacheCreator._cal_max_tokens``,
    tensorrt_llm/_torch/pyexecutor/_util.py@d8ae02ca, the same as ``_cal_max_memory`` since;
    ``profile_max_num_token``, python/sglang/srt/model_executor/model_runner_kv_cache_mixin.py@001ccef, where the
    total is the memory free before loading and after NCCL. SGLang does not measure activations; whether they fit
    besides is `headroom_bytes`.

    Raises ValueError for a fraction outside (0, 1] or an unknown code.

    >>> [round(float(kv_pool_bytes(code, 0.9, 80e9, 16e9, 1e9, 3e9)) / 1e9, 1) for code in (VLLM, TENSORRT_LLM, SGLANG)]
    [52.0, 54.0, 53.3]
    """
    share, memory, loaded = as_array(fraction), as_array(total_bytes), as_array(weights)
    require((share > 0) & (share <= 1), "the memory fraction must be above 0 and at most 1")
    working, fixed = as_array(activation), as_array(reserve)
    free = memory - loaded - working - fixed
    return _per_engine(
        engine, share * memory - loaded - working - fixed, share * free, share * (memory - fixed) - loaded
    )


def needed_bytes(
    engine: Any, fraction: Any, cache: Any, weights: Any, activation: Any, reserve: Any = RESERVE_BYTES
) -> Array:
    """Memory a device must have for the pool to reach a size; the inverse of `kv_pool_bytes` in M [B].

    For SGLang it also covers activations, which the share of all memory alone would not.
    """
    share, loaded, pool = as_array(fraction), as_array(weights), as_array(cache)
    require((share > 0) & (share <= 1), "the memory fraction must be above 0 and at most 1")
    working, fixed = as_array(activation), as_array(reserve)
    by_share = (pool + loaded) / share + fixed
    # SGLang takes its whole share, so activations must find room in (1 - s) (M - O).
    left = np.divide(working, 1.0 - share, out=np.full(np.broadcast(working, share).shape, np.inf), where=share < 1)
    left = np.where(working > 0, left, 0.0) + fixed
    return _per_engine(
        engine,
        (pool + loaded + working + fixed) / share,
        pool / share + loaded + working + fixed,
        np.maximum(by_share, left),
    )


def headroom_bytes(total_bytes: Any, pool: Any, weights: Any, activation: Any, reserve: Any = RESERVE_BYTES) -> Array:
    """Memory that no one has claimed; below 0 the engine starts and runs out in service [B]."""
    used = np.maximum(as_array(pool), 0.0) + as_array(weights) + as_array(activation) + as_array(reserve)
    return np.asarray(as_array(total_bytes) - used, dtype=np.float64)


def sglang_fraction(
    total_bytes: Any, layout: Layout, *, chunk_tokens: Any = np.nan, graph_sequences: Any = np.nan
) -> Array:
    """``mem_fraction_static`` that SGLang takes unasked [1].

    ``1 - (512 + 1.5 max(T, 2048) + 2 S + 128 G [+ 3 or 4.5 S dp]) MiB / M``, at least 10 GiB reserved on devices
    above 60 GiB, rounded to three digits; the term in brackets for attention data parallelism, 4.5 above 300
    sequences.

    Parameters
    ----------
    total_bytes : memory of the device [B]
    layout : its ``devices`` are SGLang's ``tp_size * pp_size``
    chunk_tokens, graph_sequences : T and S; by default by memory and ``tp``, 8,192 and 256 on an H100

    Source: ``ServerArgs``, python/sglang/srt/server_args.py since pull request 10975, for NVIDIA devices.
    Left out: drafts (2 or 6 GiB more), encoders of other media, piecewise graphs.

    >>> float(sglang_fraction(81920 * 2**20, Layout(tp=8)))
    0.819
    """
    memory = as_array(total_bytes) / _MIB
    group, dp = layout.stage_devices, as_array(layout.dp)
    edges = np.array([20.0, 35.0, 60.0, 160.0]) * 1024.0
    step = np.searchsorted(edges, memory, side="right")
    chunk = np.where(np.isnan(chunk_tokens), np.array([2048.0, 2048.0, 4096.0, 8192.0, 16384.0])[step], chunk_tokens)
    few = np.array([8.0, 24.0, 32.0, 256.0, 512.0])[step]
    many = np.array([8.0, 80.0, 160.0, 512.0, 512.0])[step]
    graphs = np.where(np.isnan(graph_sequences), np.where(group < 4, few, many), graph_sequences)
    reserved = 512.0 + 1.5 * np.maximum(chunk, 2048.0) + 2.0 * graphs + 128.0 * layout.devices
    reserved = reserved + np.where(dp > 1, graphs * dp * np.where(graphs > 300, 4.5, 3.0), 0.0)
    reserved = np.where(memory > 60.0 * 1024.0, np.maximum(reserved, 10.0 * 1024.0), reserved)
    return np.asarray(np.round((memory - reserved) / memory, 3), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Budget:
    """Memory of a device and how its engine divides it.

    Attributes
    ----------
    engine : code, see `ENGINES`
    fraction : the engine's memory fraction [1]
    total_bytes : memory of the device [B]
    reserve_bytes : context, NCCL and graphs [B]
    """

    engine: Any
    fraction: Any
    total_bytes: Any
    reserve_bytes: Any = RESERVE_BYTES


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model asks of one device [B]: weights, working memory, and the cache of the sequences it must hold."""

    weights: Array
    activation: Array
    cache: Array


def demand(
    architecture: Architecture,
    layout: Layout,
    precision: str | Sequence[str],
    *,
    kv_precision: str | Sequence[str] = "auto",
    context_tokens: Any,
    batch: Any = 1.0,
    engine: Any = SGLANG,
    windows_in_full: Any = False,
    **activation: Any,
) -> Demand:
    """Bytes on one device for a batch of sequences of a context.

    Parameters
    ----------
    architecture, layout, precision, kv_precision : one row per deployment, or one
    context_tokens, batch : longest context, and sequences per attention data-parallel rank
    engine : its blocks round contexts up; SGLang's are single tokens
    windows_in_full : see `memory.cache_per_device`
    activation : see `memory.activation_bytes`
    """
    block_tokens = default_block_tokens(engine)
    cache = cache_per_device(
        architecture, layout, kv_bytes(kv_precision), block_tokens=block_tokens, windows_in_full=windows_in_full
    )
    return Demand(
        weights=weights_per_device(architecture, weight_bytes(architecture, precision), layout).total,
        activation=activation_bytes(architecture, layout, **activation),
        cache=np.asarray(as_array(batch) * sequence_bytes(cache, context_tokens), dtype=np.float64),
    )


def missing_bytes(need: Demand, budget: Budget) -> Array:
    """Memory that each device would need to have more; 0 or below where it fits [B]."""
    needed = needed_bytes(
        budget.engine, budget.fraction, need.cache, need.weights, need.activation, budget.reserve_bytes
    )
    return np.asarray(needed - as_array(budget.total_bytes), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a deployment does not fit, and what would.

    Attributes
    ----------
    devices : of the layout that was asked for [1]
    weights_bytes, activation_bytes, reserve_bytes, cache_bytes : asked of each device [B]
    needed_bytes : memory a device would have to have under the engine's rule [B]
    available_bytes : memory it has [B]
    smallest_devices : fewest devices that would do at this precision; None where none of those searched does [1]
    narrower_precision : widest narrower format that would do on the same devices; None where none does
    """

    devices: int
    weights_bytes: float
    activation_bytes: float
    reserve_bytes: float
    cache_bytes: float
    needed_bytes: float
    available_bytes: float
    smallest_devices: int | None
    narrower_precision: str | None

    @property
    def missing_bytes(self) -> float:
        """Memory each device lacks [B]."""
        return self.needed_bytes - self.available_bytes

    def text(self) -> str:
        """One or two sentences for a reader, in GB of 10^9 B per device."""
        parts = {
            "weights": self.weights_bytes,
            "cache": self.cache_bytes,
            "activations": self.activation_bytes,
            "reserve": self.reserve_bytes,
        }
        listed = ", ".join(f"{name} {value / 1e9:.1f}" for name, value in parts.items())
        ways = [f"{self.smallest_devices} devices would do"] if self.smallest_devices is not None else []
        ways += [f"{self.narrower_precision} weights would do"] if self.narrower_precision is not None else []
        advice = " or ".join(ways) or "no larger layout and no narrower format would do"
        return (
            f"each of {self.devices} device{'s' * (self.devices > 1)} would need {self.needed_bytes / 1e9:.1f} GB "
            f"({listed}) and has {self.available_bytes / 1e9:.1f} GB: {self.missing_bytes / 1e9:.1f} GB are missing; "
            f"{advice}"
        )


class DoesNotFit(ValueError):  # noqa: N818 - reads as what is raised
    """A deployment needs more memory than its devices have; ``shortfall`` says how much and what would do."""

    def __init__(self, shortfall: Shortfall) -> None:
        super().__init__(shortfall.text())
        self.shortfall = shortfall


def require_fit(
    architecture: Architecture,
    layout: Layout,
    precision: str,
    budget: Budget,
    *,
    kv_precision: str = "auto",
    context_tokens: float,
    batch: float = 1.0,
    narrower: Sequence[str] = ("fp8", "nvfp4"),
    domain: int = 8,
    most_devices: int = 1024,
    **options: Any,
) -> Demand:
    """Bytes that one deployment asks of a device, or `DoesNotFit`.

    Parameters
    ----------
    architecture, layout, precision, budget, kv_precision : one deployment
    context_tokens, batch : longest context, and sequences per attention data-parallel rank
    narrower : formats to suggest, the widest first; only those narrower than ``precision`` are tried
    domain, most_devices : of the layouts searched for a larger one, see `layout.layouts`
    options : of `demand`
    """

    def asked(on: Layout, weights: str, sequences: Any) -> Demand:
        return demand(
            architecture, on, weights, kv_precision=kv_precision, context_tokens=context_tokens, batch=sequences,
            engine=budget.engine, **options,
        )  # fmt: skip

    need = asked(layout, precision, batch)
    missing = float(missing_bytes(need, budget))
    if missing <= 0:
        return need
    larger = layouts(most_devices, domain, experts=int(architecture.experts), layers=int(architecture.layers))
    # The same sequences altogether: more ranks have fewer each.
    fewer = np.ceil(batch * float(layout.dp) / as_array(larger.dp))
    enough = larger.devices[missing_bytes(asked(larger, precision, fewer), budget) <= 0]
    formats = [name for name in narrower if EXPERT_BYTES[name] < EXPERT_BYTES[precision]]
    doing = [name for name in formats if missing_bytes(asked(layout, name, batch), budget) <= 0]
    raise DoesNotFit(
        Shortfall(
            devices=int(layout.devices),
            weights_bytes=float(need.weights),
            activation_bytes=float(need.activation),
            reserve_bytes=float(budget.reserve_bytes),
            cache_bytes=float(need.cache),
            needed_bytes=float(budget.total_bytes) + missing,
            available_bytes=float(budget.total_bytes),
            smallest_devices=int(enough.min()) if enough.size else None,
            narrower_precision=doing[0] if doing else None,
        )
    )
