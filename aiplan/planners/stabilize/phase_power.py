"""Power of an accelerator in the phases of a training step, through serving's law of power.

The law (`serving.power.power_fraction`) was fitted to inference under vLLM: shares of peak FLOP/s up to 0.5, no
collectives. Training is outside of that range; every fraction here is an estimate. What is known of the error:

- 64 nodes of 8 H100 that train GPT-3 come out 3 % low on their plateau and 2 % low over their steps, with an assumed
  host and plan of parallelism; the dips between steps are then 0.6 of the measured ones.
- At zero activity the law gives an idle accelerator; one that waits inside a collective draws more. 8 x H100 in
  training have plateaus of 0.21 of TDP where the law gives 0.11 to 0.17: ``least_fraction`` is there for it.
- It saturates at 1, where boards may pass their TDP for milliseconds.

No clock is slowed here: a step takes as long as `iteration.step` says, whatever it draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.serving.power import Activity, Device, power_fraction
from aiplan.planners.serving.power_constants import PowerConstants
from aiplan.planners.stabilize.iteration import VALUE_BYTES, Assumptions, Step
from aiplan.planners.stabilize.parallelism import Plan
from aiplan.planners.stabilize.pipeline import working_fraction
from aiplan.planners.stabilize.work import Machine, Work

WIRE_FACTOR = 4.0
"""Bytes to and from device memory per byte sent; derived. A ring's reduce-scatter reads to send, writes what
arrives, reads it and its own and writes the sum (5); its all-gather reads, writes, and copies or not (2 to 4) [1]."""
ACTIVATION_BYTES = 34.0
"""Activations that a layer keeps per token and unit of width, attention computed again (arXiv 2205.05198; coefficient
unverified) [B]."""
ACTIVATION_PASSES = 5.0
"""Times they cross memory: written, read by the next operation, read by backward, their gradients written and read;
derived [1]."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Share of TDP that an accelerator draws in each part of a step; see `busy` [1]."""

    compute: float
    tensor: float
    pipeline: float
    waiting: float
    data: float
    optimizer: float


@dataclass(frozen=True, slots=True)
class PhaseShare:
    """What the whole job does at one time.

    Attributes
    ----------
    name : ``compute``, ``communication`` or ``optimizer``
    duration_s : its length [s]
    power_fraction : power of an accelerator over its TDP, mean over the phase and over pipeline stages [1]
    """

    name: str
    duration_s: float
    power_fraction: float


def memory_bytes(plan: Plan, work: Work, gradient_bytes: float) -> float:
    """Bytes that the arithmetic of one step moves to and from an accelerator's memory [B].

    Per micro-batch the weights are read forward and backward and the sums of gradients read and written:
    ``(2 VALUE_BYTES + 2 gradient_bytes) P / (TP PP)``. Activations: ``ACTIVATION_PASSES ACTIVATION_BYTES h / TP`` per
    token and layer. For Llama 3 405B about 2,700 FLOP per byte.

    A lower bound: what matrix products read twice for want of cache is left out. It matters little, because the law of
    power is saturated by arithmetic there.
    """
    stages, shards = plan.pipeline_parallel, plan.tensor_parallel * plan.pipeline_parallel
    weights = plan.micro_batches * (2.0 * VALUE_BYTES + 2.0 * gradient_bytes) * work.parameters / shards
    tokens = plan.global_batch_sequences * plan.sequence_tokens / (plan.data_parallel * plan.context_parallel)
    width = ACTIVATION_PASSES * ACTIVATION_BYTES * work.hidden_size / plan.tensor_parallel
    return weights + tokens * width * work.layers / stages


def busy(
    step: Step,
    plan: Plan,
    work: Work,
    machine: Machine,
    assumptions: Assumptions,
    tdp_w: float,
    constants: PowerConstants,
    *,
    least_fraction: float = 0.0,
) -> Busy:
    """Share of TDP in each part of a step, by serving's law on the shares of peak FLOP/s and bandwidth in use.

    Arithmetic: FLOP of the step over its time and peak, `memory_bytes` over its time and bandwidth. Collectives and
    hand-over: no FLOP, `WIRE_FACTOR` times the rate of the link they take. Waiting: neither. Optimizer: the
    bandwidth that streaming reaches, no FLOP. No share exceeds 1; experts count as dense layers.

    Parameters
    ----------
    step, plan, work, machine, assumptions : as for and from `iteration.step`
    tdp_w : thermal design power of the accelerator [W]
    constants : of the law, ``POWER_CONSTANTS[serving.load.power_class(accelerator)]``
    least_fraction : floor under all of it, for accelerators that spin while they wait; 0 leaves the law alone [1]

    Raises ValueError where ``tdp_w`` or ``least_fraction`` is not physical.
    """
    require(np.isfinite(tdp_w) and tdp_w > 0, "tdp_w must be finite and above 0")
    require(0.0 <= least_fraction <= 1.0, "least_fraction must be between 0 and 1")
    streamed = memory_bytes(plan, work, assumptions.gradient_bytes) / step.compute_s
    near, far = machine.scaleup_bytes_per_s, machine.scaleout_bytes_per_s
    rates = [
        streamed,
        WIRE_FACTOR * (near if plan.tensor_parallel <= machine.scaleup_domain else far),
        WIRE_FACTOR * (near if plan.ranks <= machine.scaleup_domain else far),
        0.0,
        WIRE_FACTOR * far,
        assumptions.hbm_fraction * machine.hbm_bytes_per_s,
    ]
    memory = np.minimum(np.array(rates) / machine.hbm_bytes_per_s, 1.0)
    compute = np.zeros_like(memory)
    compute[0] = min(step.hardware_flops / step.compute_s / machine.peak_flops, 1.0)
    none = np.zeros_like(memory)
    activity = Activity(memory, compute, none, memory, none, np.zeros(memory.shape, dtype=np.bool_))
    device = Device(tdp_w, machine.hbm_bytes_per_s / 1e12, machine.peak_flops / 1e12)
    shares = np.maximum(power_fraction(activity, device, constants), least_fraction)
    return Busy(*(float(share) for share in shares))


def phases(
    step: Step,
    plan: Plan,
    work: Work,
    machine: Machine,
    assumptions: Assumptions,
    tdp_w: float,
    constants: PowerConstants,
    *,
    least_fraction: float = 0.0,
    slices: int = 1,
) -> tuple[PhaseShare, ...]:
    """What the job draws through one step, in order; phases without length are left out.

    ``compute`` holds arithmetic, exposed tensor and pipeline traffic and all waits of the pipeline, at their mean
    by time: traffic and arithmetic change places within milliseconds, and at any moment some stages wait while others
    work. ``communication`` is the exposed exchange of gradients, ``optimizer`` the update; both happen everywhere at
    once.

    With ``slices`` above 1 ``compute`` comes in so many equal pieces, each with the stages that work then
    (`pipeline.working_fraction`) and all with the same sum as before. A single one flattens what the pipeline does: at
    16 stages, 16 micro-batches and v = 8 half of the stages work in the middle of a step and fewer at its ends, and
    lines of the spectrum are ten times as high as those of the flattened step.

    Parameters and errors as for `busy`. Grade: estimate.
    """
    at = busy(step, plan, work, machine, assumptions, tdp_w, constants, least_fraction=least_fraction)
    working_s = step.compute_s + step.tensor_exposed_s + step.pipeline_exposed_s
    working = (
        step.compute_s * at.compute + step.tensor_exposed_s * at.tensor + step.pipeline_exposed_s * at.pipeline
    ) / working_s
    share = np.full(1, working_s / step.pipelined_s)
    if slices > 1 and plan.pipeline_parallel > 1:
        again = 3.0 if assumptions.recomputation == "full" else 2.0
        shape = working_fraction(plan.pipeline_parallel, plan.micro_batches, plan.interleaving, slices, again)
        share = share * shape / shape.mean()
    every = (
        *(
            PhaseShare("compute", step.pipelined_s / share.size, at.waiting + float(one) * (working - at.waiting))
            for one in share
        ),
        PhaseShare("communication", step.data_exposed_s, at.data),
        PhaseShare("optimizer", step.optimizer_s, at.optimizer),
    )
    return tuple(phase for phase in every if phase.duration_s > 0.0)
