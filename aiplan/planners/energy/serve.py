"""Every model in every regime: the seconds it holds its accelerators and the Wh each second costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiplan.planners.arrays import Array
from aiplan.planners.energy.case import Case, ModelCase
from aiplan.planners.energy.query import BoundaryEnergies, boundary_energies, effective_output_tokens
from aiplan.planners.parameters import Value, Values
from aiplan.planners.serving.server import ServerPower, component_power, fraction_power, load_coupled_power_fraction
from aiplan.planners.serving.throughput import PhysicalLaw

Span = NDArray[np.intp] | slice
ALL = slice(None)


def pick(value: Value, span: Span) -> Value:
    """Some draws of a value; a value that was not drawn is the same in all of them."""
    return value[span] if isinstance(value, np.ndarray) and value.ndim else value


@dataclass(frozen=True, slots=True)
class Served:
    """One model in one regime.

    Attributes
    ----------
    group_seconds : seconds its group of accelerators is held per query [s]: the law's, times its error, over what
        production reaches of the offline maximum
    law_seconds : the law's alone, which vary from query to query [s]
    server : energy per second of a whole server at each boundary [Wh/s], idle time and PUE included
    share : the group's part of a server [1]
    prompt_share : part of the seconds spent on the prompt [1]
    """

    group_seconds: Value
    law_seconds: Value
    server: BoundaryEnergies
    share: float
    prompt_share: Value

    def energy_wh(self, boundary: str, span: Span = ALL) -> Array:
        """Energy per query at a boundary [Wh], of all draws or some."""
        per_second = pick(self.server.at(boundary), span)
        return np.asarray(pick(self.group_seconds, span) * self.share * per_second, dtype=np.float64)

    def wh_at(self, boundary: str, law_seconds: float, slowdown: Value) -> Array:
        """Energy per query if every query took the same seconds by the law [Wh]."""
        return np.asarray(law_seconds * slowdown * self.share * self.server.at(boundary), dtype=np.float64)


def slowdown(model: ModelCase, values: Values) -> Value:
    """Real seconds over the law's: its error, and production below the offline maximum [1]."""
    return values[model.error] / values.get("serving.production_fraction", 1.0)


def lengths(case: Case, values: Values, regime: str) -> tuple[Value, Value]:
    """Prompt and answer tokens of a regime, answers rounded and clipped as the scenario says."""
    prefix = "long_" if regime == "long" else ""
    work = case.inputs.workload
    output = values[f"workload.{prefix}output_tokens"]
    if work.whole_tokens and isinstance(output, np.ndarray):
        output = np.rint(output)
    return values[f"workload.{prefix}input_tokens"], np.maximum(output, work.least_output_tokens)


def serve(case: Case, values: Values, regimes: tuple[str, ...]) -> dict[tuple[str, str], Served]:
    """Seconds and Wh per second of every model in every regime.

    Power does not depend on the lengths unless it follows the load, so a server's energy per second is worked out
    once for all models that share its inputs.
    """
    follows_load = case.inputs.power.mode == "load"
    known: dict[tuple[str, ...], BoundaryEnergies] = {}
    out: dict[tuple[str, str], Served] = {}
    for regime in regimes:
        input_tokens, output_tokens = lengths(case, values, regime)
        for model in case.models:
            seconds, prompt = _law_seconds(model, values, input_tokens, output_tokens)
            key = (model.rated, model.tdp, str(model.tdp_fraction), *((model.id, regime) if follows_load else ()))
            if key not in known:
                power = _server_power(case, model, values, input_tokens, output_tokens)
                busy, pue = values["power.busy_fraction"], values["facility.pue"]
                known[key] = boundary_energies(1.0, power, busy, pue)
            held = seconds * slowdown(model, values)
            out[model.id, regime] = Served(held, seconds, known[key], model.share, prompt)
    return out


def _law_seconds(model: ModelCase, values: Values, input_tokens: Value, output_tokens: Value) -> tuple[Value, Value]:
    """The law's seconds per query of the model's group, and the part of them spent on the prompt."""
    law = model.profile.law
    if not isinstance(law, PhysicalLaw):
        priced = output_tokens
        if "serving.input_token_weight" in values:
            priced = effective_output_tokens(output_tokens, input_tokens, values["serving.input_token_weight"])
        return priced / law.tokens_per_s(input_tokens, output_tokens), np.asarray(0.0)
    prefill = law.prefill_seconds(input_tokens)
    seconds = prefill + law.decode_seconds(input_tokens, output_tokens)
    return seconds, np.divide(prefill, seconds, out=np.zeros(np.shape(seconds)), where=np.asarray(seconds) > 0)


def _server_power(
    case: Case, model: ModelCase, values: Values, input_tokens: Value, output_tokens: Value
) -> ServerPower:
    """Power of a whole server that serves the model, in the scenario's mode."""
    mode = case.inputs.power.mode
    rated, host = values[model.rated], values["power.host_power_w"]
    idle = values["power.idle_power_fraction"]
    if mode == "component":
        assert model.tdp_fraction is not None  # noqa: S101 - the case sets it in this mode
        count = case.server_accelerators
        return component_power(count, values[model.tdp], values[model.tdp_fraction], host, rated, 1.0, idle)
    if mode == "load":
        rate = model.profile.law.tokens_per_s(input_tokens, output_tokens)
        fraction: Value = load_coupled_power_fraction(rate, model.profile.highest_tokens_per_s)
    else:
        fraction = values["power.rated_power_fraction"]
    return fraction_power(rated, fraction, host, 1.0, idle)
