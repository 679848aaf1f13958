"""Electrical power of accelerators that decode at a known token rate.

The chain is short: the measured (or predicted) token rate says how many bytes the memory moved and how many
operations the tensor cores did per second (`activity`); a saturating law turns those two into a share of the
thermal design power (`power_fraction`); the rest is multiplication. Boundary: accelerators only. A host and
idle time are added by `server`, PUE by the caller.

The constants (`power_constants`) belong to one measured data set; `power_fit` derives them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiplan.planners.serving.power_constants import PowerConstants

FloatArray = NDArray[np.float64]

STEP_OVERHEAD_S_PER_LAYER = 154e-6
"""Time per layer and decode step that neither memory nor tensor cores explain in the measured set [s]."""
MEMORY_EFFICIENCY = 0.70
"""Share of peak memory bandwidth a decode step reaches; used only to infer a missing batch."""
COMPUTE_EFFICIENCY = 0.50
"""Share of peak FLOP/s a decode step reaches; used only to infer a missing batch."""
LARGEST_BATCH = 4096.0
"""Upper end of an inferred batch, the largest one measured."""

_BATCH_STEPS = 60
_MAY_BE_ZERO = frozenset(
    {
        "fixed_weight_bytes",
        "routed_weight_bytes",
        "experts",
        "experts_active",
        "state_bytes_per_sequence",
        "prompt_tokens",
        "block_scaled_fp8",
    }
)
_FULL_SCATTER_EXPERTS = 8.0


@dataclass(frozen=True, slots=True)
class Device:
    """What the law needs to know of an accelerator; every field broadcasts.

    Attributes
    ----------
    tdp_w : thermal design power [W]
    hbm_tb_per_s : peak memory bandwidth [TB/s]
    peak_tflops : dense peak at the precision of the arithmetic [TFLOP/s] (MXFP4 weights: the BF16 peak)
    """

    tdp_w: ArrayLike
    hbm_tb_per_s: ArrayLike
    peak_tflops: ArrayLike


@dataclass(frozen=True, slots=True)
class DecodeLoad:
    """A model decoding at a known rate on a group of accelerators; every field broadcasts.

    Attributes
    ----------
    accelerators : accelerators in the group [1]
    tokens_per_s : output tokens of the whole group [1/s]
    batch : sequences decoding at once, mean over time; NaN where unknown [1]
    layers : transformer layers [1]
    matmul_params : parameters one token multiplies: active ones without the input embedding [1]
    fixed_weight_bytes : weights the group reads in every step, replicas counted, without routed experts [B]
    routed_weight_bytes : weights of all routed experts; 0 for a dense model [B]
    experts, experts_active : routed experts of a layer and those one token visits; 0 for a dense model [1]
    state_bytes_per_sequence : KV cache at mean context, plus recurrent state read and written, per step [B]
    state_shards : accelerators the state of one sequence is spread over (KV heads limit it) [1]
    prompt_tokens, output_tokens : mean lengths; prompt 0 leaves prefill out [1]
    block_scaled_fp8 : FP8 weights and activations with a scale per block
    """

    accelerators: ArrayLike
    tokens_per_s: ArrayLike
    batch: ArrayLike
    layers: ArrayLike
    matmul_params: ArrayLike
    fixed_weight_bytes: ArrayLike
    routed_weight_bytes: ArrayLike = 0.0
    experts: ArrayLike = 0.0
    experts_active: ArrayLike = 0.0
    state_bytes_per_sequence: ArrayLike = 0.0
    state_shards: ArrayLike = 1.0
    prompt_tokens: ArrayLike = 0.0
    output_tokens: ArrayLike = 1.0
    block_scaled_fp8: ArrayLike = False


@dataclass(frozen=True, slots=True)
class Activity:
    """How busy the accelerators are, one value per row.

    Attributes
    ----------
    memory : share of peak bandwidth in use, inefficient FP8 expert kernels counted as memory work [1]
    compute : share of peak FLOP/s in use, prefill included [1]
    scatter : 0 for dense models and one expert per token, 1 for eight experts per token [1]
    mbu : share of peak bandwidth that useful bytes take [1]
    batch : sequences decoding at once, inferred where it was unknown [1]
    batch_inferred : True where the batch was inferred
    """

    memory: FloatArray
    compute: FloatArray
    scatter: FloatArray
    mbu: FloatArray
    batch: FloatArray
    batch_inferred: NDArray[np.bool_]


def expert_coverage(batch: ArrayLike, experts: ArrayLike, experts_active: ArrayLike) -> FloatArray:
    """Share of a layer's routed experts that at least one sequence of the batch visits.

    ``1 - (1 - k/E)**B`` for k of E experts per token and B sequences [1]; 0 where there are no experts.
    Assumes uniform independent routing; real routing is uneven and reaches fewer experts.

    >>> round(float(expert_coverage(8, 128, 8)), 4)
    0.4033
    """
    total = np.asarray(experts, dtype=np.float64)
    visited = np.asarray(experts_active, dtype=np.float64) / np.maximum(total, 1.0)
    spread: FloatArray = 1.0 - (1.0 - np.minimum(visited, 1.0)) ** np.asarray(batch, dtype=np.float64)
    return np.where(total > 0, spread, 0.0)


def _rows(load: DecodeLoad, device: Device) -> dict[str, FloatArray]:
    """All fields as float arrays of one shape, checked."""
    names = [*DecodeLoad.__slots__, *Device.__slots__]
    raw: list[Any] = [getattr(load if name in DecodeLoad.__slots__ else device, name) for name in names]
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in raw))
    rows = dict(zip(names, arrays, strict=True))
    for name, values in rows.items():
        known = values[~np.isnan(values)] if name == "batch" else values
        if name in _MAY_BE_ZERO:
            if not bool(np.all(np.isfinite(known) & (known >= 0))):
                raise ValueError(f"{name} must be finite and not negative")
        elif not bool(np.all(np.isfinite(known) & (known > 0))):
            raise ValueError(f"{name} must be finite and greater than zero")
    return rows


def _step_bytes(rows: Mapping[str, FloatArray], batch: FloatArray) -> FloatArray:
    """Bytes one accelerator reads in one decode step [B]."""
    coverage = expert_coverage(batch, rows["experts"], rows["experts_active"])
    weights = rows["fixed_weight_bytes"] + rows["routed_weight_bytes"] * coverage
    state = batch * rows["state_bytes_per_sequence"] / rows["state_shards"]
    return weights / rows["accelerators"] + state


def _inferred_batch(rows: Mapping[str, FloatArray]) -> FloatArray:
    """Batch at which a plain roofline step would give the token rate: ``B = rate * step(B)``, damped."""
    prefill = 1.0 + rows["prompt_tokens"] / rows["output_tokens"]
    flop_rate = rows["accelerators"] * rows["peak_tflops"] * 1e12 * COMPUTE_EFFICIENCY
    per_sequence_s = 2.0 * rows["matmul_params"] * prefill / flop_rate
    byte_rate = rows["hbm_tb_per_s"] * 1e12 * MEMORY_EFFICIENCY
    batch = np.full_like(rows["tokens_per_s"], 32.0)
    for _ in range(_BATCH_STEPS):
        step_s = (
            rows["layers"] * STEP_OVERHEAD_S_PER_LAYER + _step_bytes(rows, batch) / byte_rate + batch * per_sequence_s
        )
        batch = np.clip(0.5 * batch + 0.5 * rows["tokens_per_s"] * step_s, 1.0, LARGEST_BATCH)
    return batch


def activity(load: DecodeLoad, device: Device) -> Activity:
    """Memory and compute activity of the accelerators behind a token rate.

    With step time ``t = B / rate``: ``mbu = bytes per step and accelerator / (t * bandwidth)`` and
    ``compute = 2 * params * rate * (1 + prompt/output) / (accelerators * peak)``.
    FP8 experts with block scales keep the chip busy without moving useful bytes: the part of the step beyond
    `STEP_OVERHEAD_S_PER_LAYER` that memory does not explain is then counted as memory work, in proportion to
    ``scatter = log2(k) / 3`` (k experts per token).
    An unknown batch (NaN) is inferred from a roofline step; the error grows, see `PowerConstants`.

    Raises
    ------
    ValueError
        If a rate, a size or a device figure is not positive.

    Notes
    -----
    Shares of peak FLOP/s in the sense of Chowdhery et al. 2022 (arXiv:2204.02311); MBU is the counterpart for
    memory bandwidth. Attention FLOPs are left out: they hide behind the reading of the cache. The overhead is
    the per-layer constant of the step time of the same rows. Valid for steady decoding with continuous
    batching where each sequence is prefilled once by the same accelerators; not for training.
    """
    rows = _rows(load, device)
    unknown = np.isnan(rows["batch"])
    batch = np.where(unknown, _inferred_batch(rows), rows["batch"]) if bool(unknown.any()) else rows["batch"]
    step_s = batch / rows["tokens_per_s"]
    mbu = _step_bytes(rows, batch) / (step_s * rows["hbm_tb_per_s"] * 1e12)
    prefill = 1.0 + rows["prompt_tokens"] / rows["output_tokens"]
    flop_per_s = 2.0 * rows["matmul_params"] * rows["tokens_per_s"] * prefill
    compute = flop_per_s / (rows["accelerators"] * rows["peak_tflops"] * 1e12)
    scatter = np.log2(np.maximum(rows["experts_active"], 1.0)) / np.log2(_FULL_SCATTER_EXPERTS)
    busy = np.maximum(1.0 - rows["layers"] * STEP_OVERHEAD_S_PER_LAYER / step_s, 0.0)
    hidden = np.where(rows["block_scaled_fp8"] > 0, scatter * busy, 0.0) * np.maximum(1.0 - mbu, 0.0)
    return Activity(mbu + hidden, compute, scatter, mbu, batch, unknown)


def power_fraction(busy: Activity, device: Device, constants: PowerConstants) -> FloatArray:
    """Share of TDP drawn by an accelerator at a given activity.

    ``f = f0 + (1 - f0) * (1 - exp(-x))`` with
    ``x = e_mem * memory * bandwidth / ((1 - f0) * TDP) + gain * compute * (1 + scatter_gain * scatter)``.
    For small x this is idle power plus energy per byte and per operation; near TDP the board lowers its
    clocks, so the law bends over and never passes 1.

    Returns
    -------
    array [1], between ``idle_share`` and 1.

    Notes
    -----
    Form and constants are this project's own fit to ML.ENERGY leaderboard v3 (vLLM, H100, B200), whose rows
    reach 0.5 of peak FLOP/s (prefill counted) and 0.8 of peak bandwidth. Beyond, the law only saturates.
    A check outside the fit: eight FP4 runs of MLPerf Inference 5.1 on 8xB200 come out 3 to 7 % below the wall
    power, with a 2.4 kW host and assumed prompt lengths.
    """
    idle = constants.idle_share
    bandwidth = np.asarray(device.hbm_tb_per_s, dtype=np.float64)
    tdp_w = np.asarray(device.tdp_w, dtype=np.float64)
    # pJ/B times TB/s is W
    memory = constants.memory_pj_per_byte * bandwidth * busy.memory / ((1.0 - idle) * tdp_w)
    compute = constants.compute_gain * busy.compute * (1.0 + constants.scatter_gain * busy.scatter)
    share: FloatArray = idle - (1.0 - idle) * np.expm1(-(memory + compute))
    return share


def accelerator_power_w(load: DecodeLoad, device: Device, constants: PowerConstants) -> FloatArray:
    """Power of all accelerators of the group [W]: ``accelerators * TDP * power_fraction``.

    Raises
    ------
    ValueError
        If a rate, a size or a device figure is not positive.

    Examples
    --------
    Llama 3.1 8B in BF16 on one H100 at 511 sequences and 9,806 tokens/s; measured 688 W (ML.ENERGY v3).

    >>> from aiplan.planners.serving.power_constants import POWER_CONSTANTS
    >>> load = DecodeLoad(accelerators=1, tokens_per_s=9806, batch=511, layers=32, matmul_params=7.505e9,
    ...     fixed_weight_bytes=15.01e9, state_bytes_per_sequence=131_072 * 449, prompt_tokens=250,
    ...     output_tokens=397)
    >>> h100 = Device(tdp_w=700, hbm_tb_per_s=3.35, peak_tflops=989)
    >>> round(float(accelerator_power_w(load, h100, POWER_CONSTANTS["h100"])))
    660
    """
    share = power_fraction(activity(load, device), device, constants)
    tdp_w = np.asarray(device.tdp_w, dtype=np.float64)
    return np.asarray(load.accelerators, dtype=np.float64) * tdp_w * share


def energy_j_per_output_token(power_w: ArrayLike, tokens_per_s: ArrayLike) -> FloatArray:
    """Energy of one output token, its share of the prompt inside [J]: ``power / rate``.

    Raises ValueError where the rate is not positive.

    >>> round(float(energy_j_per_output_token(2548, 6827)), 3)
    0.373
    """
    rate = np.asarray(tokens_per_s, dtype=np.float64)
    if not bool(np.all(rate > 0)):
        raise ValueError("tokens_per_s must be greater than zero")
    return np.asarray(power_w, dtype=np.float64) / rate


def power_interval_w(
    power_w: ArrayLike, constants: PowerConstants, batch_inferred: ArrayLike = False
) -> tuple[FloatArray, FloatArray]:
    """Interval that held four of five measured values of models left out of the fit [W].

    ``(power / ratio_p90, power / ratio_p10)``, with the wider ratios where the batch was inferred.
    """
    power = np.asarray(power_w, dtype=np.float64)
    wide = np.asarray(batch_inferred, dtype=np.bool_)
    low = power / np.where(wide, constants.ratio_p90_no_batch, constants.ratio_p90)
    high = power / np.where(wide, constants.ratio_p10_no_batch, constants.ratio_p10)
    return low, high
