"""A model and an accelerator as a training step needs them: serving's own, there is no second table of shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aiplan.planners.arrays import require
from aiplan.planners.serving.architecture import Architecture
from aiplan.planners.serving.chip import Chip


@dataclass(frozen=True, slots=True)
class Machine:
    """An accelerator and its links, as a step needs them.

    Attributes
    ----------
    peak_flops : dense peak of the number format of the products [FLOP/s]
    scaleup_bytes_per_s, scaleout_bytes_per_s : of one accelerator inside its domain and out of it, one way [B/s]
    hbm_bytes_per_s : memory bandwidth [B/s]
    scaleup_domain : accelerators in the domain [1]
    reach_fraction : share of the peak that a benchmark reached over an H100's (`serving.chip.Chip`) [1]
    """

    peak_flops: float
    scaleup_bytes_per_s: float
    scaleout_bytes_per_s: float
    hbm_bytes_per_s: float
    scaleup_domain: int
    reach_fraction: float = 1.0


def machine_of(chip: Chip, scaleout_gbit_per_s: float, precision: Literal["bf16", "fp8"] = "bf16") -> Machine:
    """A chip of serving and the port of its server (catalog: ``Server.scaleout_gbit_per_s``) as a `Machine`."""
    low = precision == "fp8"
    return Machine(
        peak_flops=float(chip.fp8_flops if low else chip.bf16_flops),
        scaleup_bytes_per_s=float(chip.link_bytes_per_s),
        scaleout_bytes_per_s=scaleout_gbit_per_s * 1e9 / 8.0,
        hbm_bytes_per_s=float(chip.hbm_bytes_per_s),
        scaleup_domain=int(chip.domain),
        reach_fraction=float(chip.low_reach if low else chip.bf16_reach),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """A model at one length of sequence, as a step needs it.

    Attributes
    ----------
    parameters, active_parameters : stored; those a token visits, embedding counted [1]
    layer_parameters, head_parameters : active ones of all layers together, and of the output head [1]
    layers, hidden_size : of the model [1]
    attention_flops_per_token : scores and their sums in one forward pass, causal, all layers [FLOP]
    """

    parameters: float
    active_parameters: float
    layer_parameters: float
    head_parameters: float
    layers: int
    hidden_size: int
    attention_flops_per_token: float


def work_of(model: Architecture, sequence_tokens: float) -> Work:
    """A model of serving as `Work`; attention is causal, windows and sparse attention as the shape says.

    A dense model has ``12 L h s / 3 / 2`` FLOP of attention per token and forward pass: a third of the
    reference's 12 L h s, which counts backward too, and half of it because the mask is causal.
    """
    require(sequence_tokens >= 1, "sequence_tokens must be 1 or more")
    visited = float(model.experts_active) / float(model.experts) if model.experts > 0 else 0.0
    unvisited = float(model.routed_params) * (1.0 - visited if model.experts > 0 else 0.0)
    full = _mean_context(sequence_tokens, float(model.attended_tokens), chunked=False)
    windowed = _mean_context(sequence_tokens, float(model.window_tokens), chunked=bool(model.window_chunked))
    return Work(
        parameters=float(model.stored_params),
        active_parameters=float(model.stored_params) - unvisited,
        layer_parameters=float(
            model.attention_params + model.dense_params + model.other_params + visited * model.routed_params
        ),
        head_parameters=float(model.head_params),
        layers=int(model.layers),
        hidden_size=int(model.hidden_size),
        attention_flops_per_token=float(
            model.prefill_flops_full * full
            + model.prefill_flops_windowed * windowed
            + model.index_flops * sequence_tokens / 2.0
        ),
    )


def _mean_context(sequence: float, window: float, *, chunked: bool) -> float:
    """Mean over a sequence's positions of what one attends to: the integral of min(c, window) [tokens]."""
    if sequence <= window:
        return sequence / 2.0
    return window / 2.0 if chunked else window - window * window / (2.0 * sequence)
