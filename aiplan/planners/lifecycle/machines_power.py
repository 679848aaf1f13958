"""Watts of the accelerators of many replicas in prefill, in decode and in both, and what a power cap makes of them.

Shapes as in `machines_search`. The power law and its constants are those of the serving planner; so is the cap: decode
and prefill get a clock of their own. Boundary: one accelerator at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.machines_search import Candidates, Done, Work, decoding, load_of, prefilling, serving
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.load import decode_load
from aiplan.planners.serving.power import Activity, DecodeLoad, Device, activity, power_fraction
from aiplan.planners.serving.power_cap import LEAST_CLOCK, at_clock, clock_under_cap, unclocked_power_w
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.roofline import Pass, prefill, rates
from aiplan.planners.serving.service import decode_only, online


@dataclass(frozen=True, slots=True)
class Watts:
    """Power of one accelerator at work [W] and the clocks that keep it under the cap [1], arrays of shape (N, K)."""

    power_w: Array
    decode_clock: Array
    prompt_clock: Array


@dataclass(frozen=True, slots=True)
class Meter:
    """Power of replicas.

    Attributes
    ----------
    work : what is served
    classes : class of the power law of each generation, see `load.power_class`
    """

    work: Work
    classes: Sequence[str]

    def idle_share(self, found: Candidates) -> Array:
        """Power of an accelerator with nothing to do over its TDP, shape (N, 1) [1]."""
        shares = np.array([POWER_CONSTANTS[name].idle_share for name in self.classes])
        return np.asarray(shares[found.generation][:, None])

    def _law(self, busy: Activity, found: Candidates) -> Array:
        """Power of one accelerator at an activity [W]."""
        device = _device(found.deployment)
        names = np.array(self.classes)[found.generation][:, None]
        drawn = np.zeros(1)
        for name in sorted(set(names[:, 0].tolist())):
            drawn = np.where(names == name, power_fraction(busy, device, POWER_CONSTANTS[name]), drawn)
        return np.asarray(found.deployment.chip.tdp_w * drawn, dtype=np.float64)

    def _load(self, deployment: Deployment, tokens_per_s: Array, batch: Array, prompt: float) -> DecodeLoad:
        layout, work = deployment.layout, self.work
        return replace(
            decode_load(
                [_one(work)], [work.precision], accelerators=layout.devices, ranks=layout.dp,
                tokens_per_s=tokens_per_s, batch=batch, prompt_tokens=work.input_tokens,
                output_tokens=work.output_tokens,
            ),
            prompt_tokens=prompt,
        )  # fmt: skip

    def decode(self, found: Candidates, batch: Array) -> Watts:
        """While a replica only decodes."""
        served = decode_only(found.deployment, self.work.constants, load_of(self.work, found.deployment, batch), np.inf)
        power, fixed = self._decode(found, batch, served.itl_s, served.decode)
        clock, drawn = self._capped(found, power, fixed)
        return Watts(drawn, clock, np.ones_like(clock))

    def prompt(self, found: Candidates, batch: Array) -> Watts:
        """While a replica only works on prompts."""
        speed = rates(found.deployment, self.work.constants)
        one = prefill(found.deployment, speed, self.work.constants, self.work.input_tokens, batch)
        power, fixed = self._prompt(found, one, batch)
        clock, drawn = self._capped(found, power, fixed)
        return Watts(drawn, np.ones_like(clock), clock)

    def both(self, found: Candidates, batch: Array) -> Watts:
        """While prefill and decode take turns: the law's mean over both, phases apart only under a cap."""
        deployment = found.deployment
        served = online(deployment, self.work.constants, load_of(self.work, deployment, batch), np.inf)
        sequences = served.batch * as_array(deployment.layout.dp)
        busy = activity(self._load(deployment, served.output_tok_s, sequences, self.work.input_tokens),
                        _device(deployment))  # fmt: skip
        mean = self._law(busy, found)
        if self.work.cap_fraction >= 1.0:
            ones = np.ones_like(mean)
            return Watts(mean, ones, ones)
        decode, decode_fixed = self._decode(found, batch, served.itl_s, served.decode)
        prompt, prompt_fixed = self._prompt(found, served.prompt, batch)
        decode, prompt = _with_mean(decode, prompt, mean, served.prefill_share, deployment.chip.tdp_w)
        decode_clock, decode_w = self._capped(found, decode, decode_fixed)
        prompt_clock, prompt_w = self._capped(found, prompt, prompt_fixed)
        slow = replace(deployment, decode_clock=decode_clock, prompt_clock=prompt_clock)
        share = online(slow, self.work.constants, load_of(self.work, deployment, batch), np.inf).prefill_share
        return Watts((1.0 - share) * decode_w + share * prompt_w, decode_clock, prompt_clock)

    def _decode(self, found: Candidates, batch: Array, step_s: Array, step: Pass) -> tuple[Array, Array]:
        """Power of an accelerator in decode steps, and the part of it that its clock does not change [W]."""
        deployment = found.deployment
        sequences = batch * as_array(deployment.layout.dp)
        busy = activity(self._load(deployment, sequences / step_s, sequences, 0.0), _device(deployment))
        return self._law(busy, found), self._fixed(found, step)

    def _prompt(self, found: Candidates, one: Pass, batch: Array) -> tuple[Array, Array]:
        """The same in prefill: bytes and products of a prompt."""
        deployment, layout = found.deployment, found.deployment.layout
        prompts_per_s = as_array(layout.dp) * as_array(layout.pp) / one.time_s
        load = self._load(deployment, prompts_per_s, batch, self.work.input_tokens)
        products = 2.0 * np.asarray(load.matmul_params) * self.work.input_tokens * prompts_per_s
        compute = products / (layout.devices * deployment.numerics.matrix_flops)
        mbu = self._bytes_per_s(deployment, one) / deployment.chip.hbm_bytes_per_s
        active = np.maximum(np.asarray(load.experts_active), 1.0)
        # Eight small experts per token count in full, see `power.activity`.
        scatter = np.log2(active) / 3.0
        busy = Activity(mbu, compute, scatter, mbu, batch, np.zeros(1, dtype=np.bool_))
        return self._law(busy, found), self._fixed(found, one)

    def _bytes_per_s(self, deployment: Deployment, phase: Pass) -> Array:
        """Bytes that an accelerator moves per second of a phase [B/s]."""
        effective = rates(deployment, self.work.constants).memory
        busy_s = sum(term.memory_s for term in phase.terms.values())
        return np.asarray(np.minimum(busy_s * effective / phase.time_s, deployment.chip.hbm_bytes_per_s))

    def _fixed(self, found: Candidates, phase: Pass) -> Array:
        moved = self._bytes_per_s(found.deployment, phase)
        return unclocked_power_w(found.deployment.chip.tdp_w, self.idle_share(found), moved)

    def _capped(self, found: Candidates, power_w: Array, fixed_w: Array) -> tuple[Array, Array]:
        """Clock under the cap and power at it; a board at its lowest clock may draw more than the cap."""
        if self.work.cap_fraction >= 1.0:
            return np.ones_like(power_w), power_w
        fixed = np.minimum(fixed_w, power_w)
        least, _ = at_clock(power_w, fixed, LEAST_CLOCK, 0.0)
        cap = np.maximum(self.work.cap_fraction * found.deployment.chip.tdp_w, least)
        return clock_under_cap(power_w, fixed, cap), np.minimum(power_w, cap)


def _one(work: Work) -> Any:
    """The model as one item of a sequence of models: `decode_load` stacks them."""
    model = work.architecture
    return type(model)(*(float(np.asarray(getattr(model, name))[0]) for name in type(model).__slots__))


def _device(deployment: Deployment) -> Device:
    chip = deployment.chip
    return Device(chip.tdp_w, 1e-12 * chip.hbm_bytes_per_s, 1e-12 * deployment.numerics.matrix_flops)


def _with_mean(decode: Array, prompt: Array, mean: Array, share: Array, tdp_w: Any) -> tuple[Array, Array]:
    """Power of both phases moved so that their mean over time is the law's, as `serving.rows_cap.phases_of` does."""
    own = (1.0 - share) * decode + share * prompt
    up = np.clip((mean - own) / np.maximum(tdp_w - own, 1e-9), 0.0, 1.0)
    down = np.minimum(mean / own, 1.0)
    decode, prompt = ((phase + up * (tdp_w - phase)) * down for phase in (decode, prompt))
    return decode, prompt


@dataclass(frozen=True, slots=True)
class Phase:
    """One way to use a server: what a replica does at a batch, and what it then draws.

    Attributes
    ----------
    meter : power of the candidates
    name : ``decode``, ``prompt`` or ``both``
    """

    meter: Meter
    name: str

    def watts(self, found: Candidates, batch: Array) -> Watts:
        """Power at a batch."""
        way = {"decode": self.meter.decode, "prompt": self.meter.prompt, "both": self.meter.both}[self.name]
        return way(found, batch)

    def do(self, found: Candidates, batch: Array) -> Done:
        """What is done at a batch, at the clocks that keep the cap."""
        way = {"decode": decoding, "prompt": prefilling, "both": serving}[self.name]
        deployment, work = found.deployment, self.meter.work
        if work.cap_fraction < 1.0:
            clocks = self.watts(found, batch)
            deployment = replace(deployment, decode_clock=clocks.decode_clock, prompt_clock=clocks.prompt_clock)
        return way(work, deployment, batch)
