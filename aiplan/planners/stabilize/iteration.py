"""Time of one step of synchronous training: arithmetic, pipeline bubble, traffic nothing hides, optimizer.

A model (`work.Work`) on a machine (`work.Machine`) under a plan (`parallelism.Plan`) gives a `Step`. Failures,
checkpoints and evaluation are no part of it. The equations are named where they stand; what is assumed is in
`Assumptions`.

Valid for decoder models trained in lock step (1F1B or interleaved pipelines, ring collectives) on a network without
contention. Not modelled: the exchange of experts, the exchange of keys and values between context-parallel ranks
(taken as hidden), data loading, stragglers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from aiplan.planners.arrays import require
from aiplan.planners.serving.chip import REFERENCE_HBM_SHARE
from aiplan.planners.stabilize.parallelism import Plan, problems
from aiplan.planners.stabilize.work import Machine, Work

Recomputation = Literal["none", "selective", "full"]

VALUE_BYTES = 2.0
"""Activations on the wire, BF16 [B]."""
_BISECTIONS = 200


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a step needs that no data sheet says; the defaults are assumed and wide unless a line says otherwise.

    Attributes
    ----------
    kernel_fraction : FLOP/s of the kernels over peak while they run; 0.45 to 0.75, to be calibrated on one run
        (`calibrated`) [1]
    tensor_overlap_fraction, data_overlap_fraction : time of that traffic hidden behind arithmetic; 0 to 1 [1]
    pipeline_overlap_fraction : the same for what stages hand on; taken as that of data parallelism [1]
    gradient_bytes : of one gradient on the wire, 4 for FP32, 2 for BF16 [B]
    recomputation : what backward computes again: nothing, attention, or the whole forward pass
    optimizer_bytes : read and written per parameter by Adam: master, two moments and the gradient in FP32 in
        (16), the first three out (12), the BF16 weight out (2); derived [B]
    optimizer_sharded : whether data-parallel ranks share the update (ZeRO stage 1 and above)
    hbm_fraction : memory bandwidth that streaming reaches; measured on H100 (`serving.chip`) [1]
    """

    kernel_fraction: float = 0.60
    tensor_overlap_fraction: float = 0.5
    data_overlap_fraction: float = 0.9
    pipeline_overlap_fraction: float = 0.9
    gradient_bytes: float = 4.0
    recomputation: Recomputation = "selective"
    optimizer_bytes: float = 30.0
    optimizer_sharded: bool = True
    hbm_fraction: float = REFERENCE_HBM_SHARE


@dataclass(frozen=True, slots=True)
class Step:
    """One step, mean over accelerators; the parts follow each other and sum to ``total_s``.

    Attributes
    ----------
    compute_s : arithmetic
    tensor_exposed_s, pipeline_exposed_s : collectives inside a layer, and hand-over between stages, that nothing hides
    imbalance_s : wait for the stage with the most work, over all micro-batches
    bubble_s : wait while the pipeline fills and drains
    data_exposed_s : exchange of gradients that nothing hides
    optimizer_s : update of the weights
    hardware_flops, model_flops : per accelerator: done, and 6 per active parameter and token [FLOP]
    peak_flops : of the machine [FLOP/s]
    """

    compute_s: float
    tensor_exposed_s: float
    pipeline_exposed_s: float
    imbalance_s: float
    bubble_s: float
    data_exposed_s: float
    optimizer_s: float
    hardware_flops: float
    model_flops: float
    peak_flops: float

    @property
    def pipelined_s(self) -> float:
        """From the first micro-batch to the end of the last: compute, its traffic and its waits [s]."""
        return self.compute_s + self.tensor_exposed_s + self.pipeline_exposed_s + self.imbalance_s + self.bubble_s

    @property
    def total_s(self) -> float:
        """The whole step [s]."""
        return self.pipelined_s + self.data_exposed_s + self.optimizer_s

    @property
    def model_flops_per_s(self) -> float:
        """Useful rate of one accelerator, 6 FLOP per active parameter and token, attention not counted [FLOP/s]."""
        return self.model_flops / self.total_s

    @property
    def mfu(self) -> float:
        """Model FLOPs utilisation, attention not counted [1]."""
        return self.model_flops_per_s / self.peak_flops


def bubble_fraction(pipeline_parallel: int, micro_batches: int, interleaving: int = 1) -> float:
    """Time a stage waits for filling and draining over the time it works: ``(PP - 1) / (v m)`` [1].

    Exact for equal stages under 1F1B and its interleaved form, where PP divides m.

    >>> bubble_fraction(16, 32), bubble_fraction(16, 16, 8)
    (0.46875, 0.1171875)
    """
    return (pipeline_parallel - 1) / (interleaving * micro_batches)


def mfu_short(kernel_fraction: float, exposed_fraction: float, bubble: float) -> float:
    """``MFU = eff (1 - exposed) / (1 + bubble)`` [1]: the short form, for rough work and as a check of `step`.

    ``exposed_fraction`` is traffic nothing hides over a step without bubble.

    430 TFLOP/s were reached with 32 micro-batches; with 16, both at PP = 16 and v = 8 (v assumed):

    >>> round(430 * mfu_short(1, 0, 15 / 128) / mfu_short(1, 0, 15 / 256), 1)
    407.4
    """
    return kernel_fraction * (1.0 - exposed_fraction) / (1.0 + bubble)


def ring_s(ranks: int, payload_bytes: float, bytes_per_s: float) -> float:
    """All-reduce over a ring without latency: ``2 (n - 1) / n * bytes / rate`` [s]."""
    return 2.0 * (ranks - 1) / ranks * payload_bytes / bytes_per_s


def tensor_layer_s(plan: Plan, work: Work, machine: Machine, recomputation: Recomputation = "selective") -> float:
    """Collectives of tensor parallelism in one layer for one micro-batch, none of it hidden [s].

    Four all-reduces of ``s b h`` values, two forward and two backward; six where forward runs again. At the rate of
    the scale-up links, or of the network where the group is larger than the domain.
    """
    payload = _micro_batch_tokens(plan) * work.hidden_size * VALUE_BYTES
    inside = plan.tensor_parallel <= machine.scaleup_domain
    rate = machine.scaleup_bytes_per_s if inside else machine.scaleout_bytes_per_s
    rings = 6 if recomputation == "full" else 4
    return rings * ring_s(plan.tensor_parallel, payload, rate)


def tensor_s(plan: Plan, work: Work, machine: Machine, recomputation: Recomputation = "selective") -> float:
    """The same for a whole step: layers of the fullest stage times micro-batches [s]."""
    layers = math.ceil(work.layers / plan.pipeline_parallel)
    return plan.micro_batches * layers * tensor_layer_s(plan, work, machine, recomputation)


def data_s(plan: Plan, work: Work, machine: Machine, gradient_bytes: float) -> float:
    """Exchange of gradients, none of it hidden: a ring over data- and context-parallel ranks [s].

    Reduce-scatter and all-gather of sharded optimizers move the same bytes.
    """
    payload = gradient_bytes * work.parameters / (plan.tensor_parallel * plan.pipeline_parallel)
    return ring_s(plan.data_parallel * plan.context_parallel, payload, machine.scaleout_bytes_per_s)


def pipeline_s(plan: Plan, work: Work, machine: Machine) -> float:
    """Hand-over between stages, none of it hidden: ``2 v m`` sends of ``s b h / TP`` values [s]."""
    if plan.pipeline_parallel == 1:
        return 0.0
    payload = _micro_batch_tokens(plan) * work.hidden_size * VALUE_BYTES / plan.tensor_parallel
    inside = plan.ranks <= machine.scaleup_domain
    rate = machine.scaleup_bytes_per_s if inside else machine.scaleout_bytes_per_s
    return 2.0 * plan.interleaving * plan.micro_batches * payload / rate


def _micro_batch_tokens(plan: Plan) -> float:
    return plan.micro_batch_sequences * plan.sequence_tokens / plan.context_parallel


def stage_imbalance(plan: Plan, work: Work) -> float:
    """Arithmetic of the stage with the most over that of the mean stage, at least 1 [1].

    Layers are whole; the output head stands in the last stage, which takes as many fewer as is best.
    """
    stages = plan.pipeline_parallel
    if stages == 1:
        return 1.0
    layer = (work.layer_parameters + work.attention_flops_per_token / 2.0) / work.layers
    mean = (work.layers * layer + work.head_parameters) / stages
    even = math.ceil(work.layers / stages)
    return min(
        max(math.ceil((work.layers - last) / (stages - 1)) * layer, last * layer + work.head_parameters)
        for last in range(even + 1)
    ) / mean  # fmt: skip


def hardware_flops_per_token(work: Work, recomputation: Recomputation) -> float:
    """FLOPs of a token, forward and backward, what is computed again included [FLOP].

    ``3 F``, ``3 F + A`` and ``4 F`` for none, selective and full recomputation, with F the forward pass and A its
    attention. F is ``2 P + A``.
    """
    attention = work.attention_flops_per_token
    forward = 2.0 * work.active_parameters + attention
    again = {"none": 0.0, "selective": attention, "full": forward}[recomputation]
    return 3.0 * forward + again


def step(plan: Plan, work: Work, machine: Machine, assumptions: Assumptions | None = None) -> Step:
    """Time of one step and its parts.

    ``t_compute = FLOP / (N peak eff)``; traffic of kind k is exposed for ``t_k (1 - overlap_k)``, and never less than
    ``t_k - t_compute``, because it can only hide behind arithmetic. The bubble holds a micro-batch with its
    exposed traffic: ``(PP - 1)/(v m)`` of arithmetic, tensor and pipeline traffic, less what unequal stages already
    wait. The optimizer streams its state once.

    Source: equations of Megatron-LM (arXiv 2104.04473, section 2.2, for the bubble) in the form of the project's
    notes on training; overlaps and efficiency are assumed. A long form that applies the bubble to arithmetic alone
    is smaller by bubble x exposed tensor traffic; a schedule played slot by slot agrees with the one here.

    Raises ValueError with all that `parallelism.problems` finds, or where a number is not physical.
    """
    given = assumptions or Assumptions()
    _check(plan, work, machine, given)
    tokens = plan.global_batch_sequences * plan.sequence_tokens / plan.accelerators
    flops = tokens * hardware_flops_per_token(work, given.recomputation)
    compute = flops / (machine.peak_flops * machine.reach_fraction * given.kernel_fraction)

    def exposed(whole_s: float, overlap: float) -> float:
        return max(whole_s * (1.0 - overlap), whole_s - compute)

    tensor = exposed(tensor_s(plan, work, machine, given.recomputation), given.tensor_overlap_fraction)
    pipeline = exposed(pipeline_s(plan, work, machine), given.pipeline_overlap_fraction)
    stages, slots = plan.pipeline_parallel, plan.interleaving * plan.micro_batches
    imbalance = stage_imbalance(plan, work)
    # Filling passes every stage once; the fullest one's own share of it is work.
    bubble = ((stages - imbalance) * compute + (stages - 1) * (tensor + pipeline)) / slots
    shards = plan.tensor_parallel * stages
    if given.optimizer_sharded:
        shards *= plan.data_parallel * plan.context_parallel
    return Step(
        compute_s=compute,
        tensor_exposed_s=tensor,
        pipeline_exposed_s=pipeline,
        imbalance_s=(imbalance - 1.0) * compute,
        bubble_s=bubble,
        data_exposed_s=exposed(data_s(plan, work, machine, given.gradient_bytes), given.data_overlap_fraction),
        optimizer_s=given.optimizer_bytes * work.parameters / shards / (machine.hbm_bytes_per_s * given.hbm_fraction),
        hardware_flops=flops,
        model_flops=6.0 * work.active_parameters * tokens,
        peak_flops=machine.peak_flops,
    )


def _check(plan: Plan, work: Work, machine: Machine, given: Assumptions) -> None:
    found = problems(plan, work.layers)
    require(not found, "; ".join(found))
    for name in ("tensor_overlap_fraction", "data_overlap_fraction", "pipeline_overlap_fraction"):
        require(0.0 <= getattr(given, name) <= 1.0, f"{name} must be between 0 and 1")
    for name in ("kernel_fraction", "hbm_fraction"):
        require(0.0 < getattr(given, name) <= 1.0, f"{name} must be above 0 and at most 1")
    for name in ("peak_flops", "scaleup_bytes_per_s", "scaleout_bytes_per_s", "hbm_bytes_per_s", "reach_fraction"):
        value = getattr(machine, name)
        require(math.isfinite(value) and value > 0, f"{name} must be finite and above 0")


def calibrated(
    plan: Plan, work: Work, machine: Machine, step_s: float, assumptions: Assumptions | None = None
) -> Assumptions:
    """The assumptions with the ``kernel_fraction`` at which a step takes as long as a measured one.

    A run used here is no check of the model any more.

    Raises ValueError where kernels at their peak would still be slower than ``step_s``.
    """
    given = assumptions or Assumptions()
    require(math.isfinite(step_s) and step_s > 0, "step_s must be finite and above 0")

    def total(fraction: float) -> float:
        return step(plan, work, machine, replace(given, kernel_fraction=fraction)).total_s

    fastest = total(1.0)
    require(fastest <= step_s, f"kernels at their peak take {fastest:.4g} s, longer than the {step_s:.4g} s measured")
    return replace(given, kernel_fraction=_falling_to(total, step_s))


def _falling_to(function: Callable[[float], float], target: float) -> float:
    """Where a falling function on (0, 1] meets a target that it reaches at 1."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (middle, high) if function(middle) > target else (low, middle)
    return high
