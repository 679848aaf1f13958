"""What an entry says of how long a model's prompt passes and decode steps took on some machines."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from aiplan.catalog.entry import AtLeastOne, Entry
from aiplan.inputs.fields import Fraction, Id, Positive, Section, Text

Above0 = Annotated[float, Field(gt=0.0)]
Pair = Annotated[tuple[Above0, ...], Field(strict=False, min_length=2, max_length=2)]
Triple = Annotated[tuple[Above0, ...], Field(strict=False, min_length=3, max_length=3)]
Pairs = Annotated[tuple[Pair, ...], Field(strict=False)]
Triples = Annotated[tuple[Triple, ...], Field(strict=False)]

TABLES = {
    "by_batched_tokens": ("batched_tokens", "prompt_ms", "token_ms"),
    "prompt_by_length": ("prompt_tokens", "prompt_ms"),
    "prompt_by_batch": ("batch", "prompt_ms"),
    "decode_by_batch": ("batch", "token_ms"),
    "decode_by_context": ("context_tokens", "token_ms"),
    "power_prompt": ("batched_tokens", "tdp_fraction"),
}
"""Tables of a machine, with the names of their columns."""
_NEEDED = ("by_batched_tokens", "decode_by_batch", "prompt_by_length")


class ProfileMachine(Section):
    """One machine: a server or some of its accelerators, and the times measured on it."""

    server: Id | None = None
    """Server it is, where it is a whole one."""
    accelerator: Id
    """Accelerator in it."""
    accelerator_count: AtLeastOne
    """Accelerators in it."""
    tensor_parallel: AtLeastOne
    """Accelerators that share each layer."""
    memory_bytes: Positive
    """Memory of all its accelerators."""
    note: Text = ""
    """What a reader must know before using the numbers."""
    by_batched_tokens: Triples = ()
    """Rows of batched prompt tokens, ms of a prompt pass, ms per output token: medians over all rows of that product of
    prompt length and batch, whatever was generated. The curves of the simulator."""
    prompt_by_length: Pairs = ()
    """Rows of prompt tokens, ms of a prompt pass at batch 1."""
    prompt_by_batch: Pairs = ()
    """Rows of sequences, ms of a prompt pass over 512 tokens of each."""
    decode_by_batch: Pairs = ()
    """Rows of sequences, ms of a decode step at 512 prompt and 128 output tokens."""
    decode_by_context: Pairs = ()
    """Rows of mean context in tokens (prompt and half of the output), ms of a decode step at batch 1."""
    power_prompt: Pairs = ()
    """Rows of batched prompt tokens, highest power of an accelerator over its TDP."""
    power_token_fraction: Fraction | None = None
    """Mean power of an accelerator while it decodes, over its TDP."""
    scaled_from: Id | None = None
    """Machine of the same entry whose times, times the factors, are this one's: nothing was measured on it."""
    prompt_factor: Positive | None = None
    """Time of a prompt pass over that of ``scaled_from``."""
    token_factor: Positive | None = None
    """Time of a decode step over that of ``scaled_from``."""
    usd_per_h: Positive | None = None
    """Rent of the machine."""
    rated_w: Positive | None = None
    """Power the simulator's file of machines rates it at."""
    provisioned_w: Positive | None = None
    """Power set aside for it."""
    power_unit_count: Positive | None = None
    """Power of one in the units of the simulator's equal-power budgets; the unit is not stated."""
    prompt_cost_ratio: Positive | None = None
    """Cost as a prompt machine over that of a DGX A100."""
    token_cost_ratio: Positive | None = None
    """Cost as a token machine over that of a DGX A100."""
    power_ratio: Positive | None = None
    """Provisioned power over that of a DGX A100."""

    @model_validator(mode="after")
    def _measured_or_scaled(self) -> Self:
        if self.scaled_from is None:
            missing = [name for name in _NEEDED if not getattr(self, name)]
            if missing or self.prompt_factor or self.token_factor:
                raise ValueError(f"needs either {', '.join(_NEEDED)} or scaled_from with its factors")
        elif self.prompt_factor is None or self.token_factor is None or any(getattr(self, name) for name in TABLES):
            raise ValueError("needs prompt_factor and token_factor beside scaled_from, and no tables")
        for name in TABLES:
            firsts = [row[0] for row in getattr(self, name)]
            if firsts != sorted(set(firsts)):
                raise ValueError(f"{name} must have its rows in order, none twice")
        return self


class Profile(Entry):
    """Times of prompt passes and decode steps of one model by machine, as one study measured them."""

    model: Id
    """Model served."""
    engine: Text
    """Serving engine."""
    kv_bytes_per_token: Positive
    """KV cache of a token, all layers."""
    simulator_kv_bytes_per_token: Positive | None = None
    """KV cache of a token as the study's own simulator counts it."""
    weights_bytes: Positive
    """Weights, all accelerators together."""
    profile_context_tokens: Positive
    """Mean context at which ``decode_by_batch`` was measured."""
    machines: dict[Id, ProfileMachine]
    """Machines by name."""

    @model_validator(mode="after")
    def _scaled_from_a_measured_one(self) -> Self:
        for name, machine in self.machines.items():
            base = self.machines.get(machine.scaled_from) if machine.scaled_from else None
            if machine.scaled_from and (base is None or base.scaled_from):
                raise ValueError(f"machine {name} must be scaled from a measured machine of the entry")
        return self
