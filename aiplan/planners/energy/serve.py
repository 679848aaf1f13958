"""One model in one regime: the law's seconds and the Wh each of them costs, from named values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiplan.planners.energy.case import Case, ModelCase
from aiplan.planners.energy.query import (
    BoundaryEnergies,
    ServerPower,
    boundary_energies,
    component_power,
    effective_output_tokens,
    fraction_power,
    load_coupled_power_fraction,
)
from aiplan.planners.energy.throughput import PhysicalLaw
from aiplan.planners.parameters import Value, Values

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Served:
    """One model in one regime.

    ``seconds`` are what the law says for the lengths; ``per_second`` turns them into Wh at each boundary, the
    law's error and production below the offline maximum included; ``group_seconds`` are the seconds a server's
    group is really held.
    """

    seconds: Value
    per_second: BoundaryEnergies
    slowdown: Value
    prompt_share: Value

    def energy_wh(self, boundary: str) -> Array:
        """Energy per query at a boundary [Wh]."""
        return np.asarray(self.seconds * self.per_second.at(boundary), dtype=np.float64)

    @property
    def group_seconds(self) -> Array:
        """Node-seconds of the model's own group of accelerators per query [s]."""
        return np.asarray(self.seconds * self.slowdown, dtype=np.float64)


def lengths(case: Case, values: Values, regime: str) -> tuple[Value, Value]:
    """Prompt and answer tokens of a regime, answers rounded and clipped as the scenario says."""
    prefix = "long_" if regime == "long" else ""
    work = case.inputs.workload
    output = values[f"workload.{prefix}output_tokens"]
    if work.whole_tokens and isinstance(output, np.ndarray):
        output = np.rint(output)
    return values[f"workload.{prefix}input_tokens"], np.maximum(output, work.least_output_tokens)


def serve(case: Case, model: ModelCase, values: Values, regime: str) -> Served:
    """Seconds and Wh per second of one model in one regime."""
    input_tokens, output_tokens = lengths(case, values, regime)
    priced = output_tokens
    if "serving.input_token_weight" in values:
        priced = effective_output_tokens(output_tokens, input_tokens, values["serving.input_token_weight"])
    law = model.profile.law
    if isinstance(law, PhysicalLaw):
        seconds: Value = law.node_seconds(input_tokens, priced)
        with np.errstate(divide="ignore", invalid="ignore"):
            prompt = np.nan_to_num(np.asarray(law.prefill_seconds(input_tokens)) / seconds)
    else:
        seconds, prompt = priced / law.tokens_per_s(input_tokens, output_tokens), np.asarray(0.0)
    slowdown = values[model.error] / values["serving.production_fraction"]
    power = _power(case, model, values, input_tokens, output_tokens)
    per_second = boundary_energies(slowdown, power, values["power.busy_fraction"], values["facility.pue"])
    return Served(seconds, per_second, slowdown, prompt)


def _power(case: Case, model: ModelCase, values: Values, input_tokens: Value, output_tokens: Value) -> ServerPower:
    """Power of the model's group in the scenario's mode."""
    mode = case.inputs.power.mode
    rated, host = values[model.rated], values["power.host_power_w"]
    idle = values["power.idle_power_fraction"]
    if mode == "component":
        assert model.tdp_fraction is not None  # noqa: S101 - the case sets it in this mode
        return component_power(
            model.profile.accelerator_count,
            values[model.tdp],
            values[model.tdp_fraction],
            host,
            rated,
            model.share,
            idle,
        )
    fraction = values["power.rated_power_fraction"]
    if mode == "load":
        rate = model.profile.law.tokens_per_s(input_tokens, output_tokens)
        fraction = fraction * load_coupled_power_fraction(rate, model.profile.highest_tokens_per_s)
    return fraction_power(rated, fraction, host, model.share, idle)
