"""Rows under a power cap: the clocks of decode steps and prefill that meet it, and what it costs.

Decode and prefill take turns and draw different watts, so each gets a clock of its own: a mean over both would hide
the phase that meets the cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power import Activity, activity, power_fraction
from aiplan.planners.serving.power_cap import LEAST_CLOCK, at_clock, clock_under_cap, unclocked_power_w
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.roofline import Pass
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.rows_power import loads_of, power_of_rows
from aiplan.planners.serving.service import Served

UNCAPPED = float("inf")


@dataclass(frozen=True, slots=True)
class Phases:
    """What each accelerator of a row draws without a cap, arrays of shape (rows,).

    Attributes
    ----------
    decode_w, prompt_w : in decode steps and in prefill; their mean over time is ``mean_w`` [W]
    decode_fixed_w, prompt_fixed_w : of these, what a lower clock does not save [W]
    mean_w : over both, by the power law [W]
    """

    decode_w: Array
    prompt_w: Array
    decode_fixed_w: Array
    prompt_fixed_w: Array
    mean_w: Array

    def clocks(self, cap_w: Array) -> tuple[Array, Array]:
        """Clocks of decode steps and of prefill under a cap, infinite for none, over the highest [1]."""
        decode = _clock(self.decode_w, self.decode_fixed_w, cap_w)
        return decode, _clock(self.prompt_w, self.prompt_fixed_w, cap_w)

    def capped_mean_w(self, cap_w: Array, prefill_share: Array) -> Array:
        """Mean under a cap, at the share of time that prefill then takes [W]."""
        decode, prompt = np.minimum(self.decode_w, cap_w), np.minimum(self.prompt_w, cap_w)
        return np.asarray((1.0 - prefill_share) * decode + prefill_share * prompt, dtype=np.float64)


def caps_of(rows: Sequence[Row]) -> Array:
    """Cap of each row, infinite where it has none [W per accelerator]."""
    caps = np.array([row.cap_w for row in rows], dtype=np.float64)
    return np.where(np.isnan(caps), UNCAPPED, caps)


def phases_of(rows: Sequence[Row], shelf: Shelf, deployment: Deployment, served: Served, bytes_per_s: Array) -> Phases:
    """Power of both phases of rows that were served without a cap.

    Parameters
    ----------
    rows, shelf, deployment, served : what ran, and how fast
    bytes_per_s : effective memory bandwidth of a device, see `roofline.Rates` [B/s]

    Decode: the power law at the token rate between prompts, without prefill. Prefill: the law at the bytes and
    products of a prompt. The law is concave and was fitted to means over both phases, so that the phases' own mean
    falls a little short of it: both are moved towards TDP by the share that closes the gap (where a mean exceeds the
    law, both are scaled down). That division is an assumption, their mean is not.
    """
    names = np.array([power_class(shelf.listed(row.hardware)) for row in rows])
    found = Phases(*(np.empty(len(rows)) for _ in range(5)))
    ranks = deployment.layout.dp * deployment.replicas
    batch = np.maximum(served.batch, 1.0)
    # Fewer requests than ranks: the rate is that of the ranks at work.
    rate = served.output_tok_s / np.minimum(served.batch, 1.0)
    rate = np.where(np.isfinite(rate) & (rate > 0), rate, 1.0)
    prompts_per_s = ranks * deployment.layout.pp / served.prompt.time_s
    tdp_w, bandwidth = deployment.chip.tdp_w, deployment.chip.hbm_bytes_per_s
    decode_bytes, prompt_bytes = (_bytes_per_s(one, bytes_per_s, bandwidth) for one in (served.decode, served.prompt))
    found.mean_w[:] = power_of_rows(rows, shelf, rate, batch * ranks).power_w / deployment.devices
    for name in sorted(set(names.tolist())):
        index = np.flatnonzero(names == name)
        constants = POWER_CONSTANTS[name]
        some = [rows[number] for number in index.tolist()]
        load, device = loads_of(some, shelf, (batch * ranks / served.itl_s)[index], (batch * ranks)[index])
        decode = activity(replace(load, prompt_tokens=0.0), device)
        products = 2.0 * np.asarray(load.matmul_params) * np.asarray(load.prompt_tokens) * prompts_per_s[index]
        compute = products / (deployment.devices[index] * np.asarray(device.peak_tflops) * 1e12)
        mbu = (prompt_bytes / bandwidth)[index]
        prompt = Activity(mbu, compute, decode.scatter, mbu, decode.batch, decode.batch_inferred)
        tdp = tdp_w[index]
        found.decode_w[index] = tdp * power_fraction(decode, device, constants)
        found.prompt_w[index] = tdp * power_fraction(prompt, device, constants)
        found.decode_fixed_w[index] = unclocked_power_w(tdp, constants.idle_share, decode_bytes[index])
        found.prompt_fixed_w[index] = unclocked_power_w(tdp, constants.idle_share, prompt_bytes[index])
    _match_mean(found, tdp_w, served.prefill_share)
    return found


def _bytes_per_s(phase: Pass, effective: Array, peak: Array) -> Array:
    """Bytes that a device moves per second of a phase, at most its peak [B/s]."""
    busy_s = sum(term.memory_s for term in phase.terms.values())
    return np.asarray(np.minimum(busy_s * effective / phase.time_s, peak), dtype=np.float64)


def _match_mean(found: Phases, tdp_w: Array, prefill_share: Array) -> None:
    """Move the power of both phases, in place, so that their mean over time is that of the law."""
    mean = (1.0 - prefill_share) * found.decode_w + prefill_share * found.prompt_w
    up = np.clip((found.mean_w - mean) / np.maximum(tdp_w - mean, 1e-9), 0.0, 1.0)
    down = np.minimum(found.mean_w / mean, 1.0)
    for phase in (found.decode_w, found.prompt_w):
        phase[:] = (phase + up * (tdp_w - phase)) * down


def _clock(power_w: Array, fixed_w: Array, cap_w: Array) -> Array:
    """Clock under a cap; never below the lowest a board has, for which `power_cap.least_cap_w` makes caps refused."""
    fixed = np.minimum(fixed_w, power_w)
    least, _ = at_clock(power_w, fixed, LEAST_CLOCK, 0.0)
    return clock_under_cap(power_w, fixed, np.maximum(cap_w, least))


def cap_text(row: Row, decode_clock: float, prompt_clock: float, rate: float) -> str:
    """What a cap does to a row, in words; empty where it does not bind."""
    if min(decode_clock, prompt_clock) >= 1.0:
        return ""
    return (
        f"the cap of {row.cap_w:,g} W holds clocks at {decode_clock:.0%} in decode and {prompt_clock:.0%} in prefill: "
        f"{rate:.0%} of the tokens per second without it"
    )
