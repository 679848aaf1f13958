"""How a training job is cut over accelerators, what cannot be, and what is unusual."""

from __future__ import annotations

from dataclasses import dataclass, fields

SPARE_CHUNKS = 2
"""Chunks of a pipeline without a layer: one may hold the embedding, one the output head."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Degrees of parallelism and sizes of batches; what is derived holds where `problems` finds nothing.

    Attributes
    ----------
    accelerators : of the job [1]
    tensor_parallel, pipeline_parallel, context_parallel : accelerators that share a layer, the layers, a sequence [1]
    interleaving : chunks of layers per pipeline stage, v [1]
    micro_batch_sequences : sequences a replica takes at once [1]
    global_batch_sequences : sequences of one step [1]
    sequence_tokens : length of one [tokens]
    """

    accelerators: int
    tensor_parallel: int
    pipeline_parallel: int
    context_parallel: int
    interleaving: int
    micro_batch_sequences: int
    global_batch_sequences: int
    sequence_tokens: int

    @property
    def ranks(self) -> int:
        """Accelerators of one replica of the model [1]."""
        return self.tensor_parallel * self.pipeline_parallel * self.context_parallel

    @property
    def data_parallel(self) -> int:
        """Replicas, ``DP = N / (TP PP CP)`` [1]."""
        return self.accelerators // self.ranks

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a replica in one step, ``m = GBS / (mbs DP)`` [1]."""
        return self.global_batch_sequences // (self.micro_batch_sequences * self.data_parallel)


def problems(plan: Plan, layers: int | None = None, heads: int | None = None) -> list[str]:
    """What keeps a plan from being carried out, all of it at once; empty where nothing does.

    Parameters
    ----------
    plan : the plan
    layers, heads : of the model, where known [1]
    """
    values = {field.name: getattr(plan, field.name) for field in fields(plan)}
    found = [
        f"{name} is {value!r}; it must be a whole number of 1 or more"
        for name, value in values.items()
        if isinstance(value, bool) or not isinstance(value, int) or value < 1
    ]
    return found or [*_counts(plan), *_shape(plan, layers, heads)]


def _counts(plan: Plan) -> list[str]:
    found = []
    if plan.sequence_tokens % plan.context_parallel:
        found.append(f"context_parallel {plan.context_parallel} does not divide sequence_tokens {plan.sequence_tokens}")
    if plan.accelerators % plan.ranks:
        below, above = (plan.accelerators // plan.ranks + one for one in (0, 1))
        nearest = f"nearest are {below * plan.ranks} and {above * plan.ranks}" if below else f"nearest is {plan.ranks}"
        found.append(
            f"accelerators {plan.accelerators} is no multiple of tensor x pipeline x context parallel = {plan.ranks}; "
            f"the {nearest}"
        )
        return found
    at_once = plan.micro_batch_sequences * plan.data_parallel
    if plan.global_batch_sequences % at_once:
        found.append(
            f"global_batch_sequences {plan.global_batch_sequences} is no multiple of the {at_once} sequences that "
            f"{plan.data_parallel} replicas take at {plan.micro_batch_sequences} each"
        )
    return found


def _shape(plan: Plan, layers: int | None, heads: int | None) -> list[str]:
    found = []
    chunks = plan.interleaving * plan.pipeline_parallel
    if layers is not None and plan.pipeline_parallel > layers:
        found.append(f"pipeline_parallel {plan.pipeline_parallel} is above the model's {layers} layers")
    elif layers is not None and chunks > max(layers + SPARE_CHUNKS, plan.pipeline_parallel):
        found.append(
            f"interleaving x pipeline_parallel = {chunks} chunks, but the model has {layers} layers: "
            f"interleaving {max((layers + SPARE_CHUNKS) // plan.pipeline_parallel, 1)} is the most"
        )
    if heads is not None and heads % plan.tensor_parallel:
        found.append(f"tensor_parallel {plan.tensor_parallel} does not divide the model's {heads} attention heads")
    return found


def remarks(plan: Plan, layers: int, scaleup_domain: int, kv_heads: int | None = None) -> list[str]:
    """What is unusual in a plan without problems, or is not seen by `iteration.step`.

    Parameters
    ----------
    plan : the plan
    layers, kv_heads : of the model, the latter where known [1]
    scaleup_domain : accelerators in a domain of fast links [1]
    """
    chunks = plan.interleaving * plan.pipeline_parallel
    said = {
        f"tensor_parallel {plan.tensor_parallel} leaves the scale-up domain of {scaleup_domain}: its traffic takes "
        "the network": plan.tensor_parallel > scaleup_domain,
        f"{layers} layers do not divide evenly over {plan.pipeline_parallel} pipeline stages: others wait for the "
        "fullest": layers % plan.pipeline_parallel != 0,
        f"{chunks} chunks for {layers} layers: the embedding or the output head stands in one alone": chunks > layers,
        f"{plan.micro_batches} micro-batches are no multiple of {plan.pipeline_parallel} pipeline stages: interleaved "
        "schedules want that, the bubble may be larger": plan.interleaving > 1
        and plan.micro_batches % plan.pipeline_parallel != 0,
        "interleaving does nothing without pipeline stages": plan.interleaving > 1 and plan.pipeline_parallel == 1,
        f"tensor_parallel {plan.tensor_parallel} is above the model's {kv_heads} KV heads, which are replicated": (
            kv_heads is not None and plan.tensor_parallel > kv_heads
        ),
        "exchange of keys and values between context-parallel ranks is taken as hidden": plan.context_parallel > 1,
    }
    return [text for text, holds in said.items() if holds]
