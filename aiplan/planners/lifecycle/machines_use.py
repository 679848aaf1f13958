"""The best layout of each generation for one use of its servers, and what the server then draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.machines_power import Meter, Phase
from aiplan.planners.lifecycle.machines_search import Candidates, Work, best_of, chosen, fullest_pass, largest
from aiplan.planners.lifecycle.machines_words import layout_words
from aiplan.planners.serving.chip import Chip
from aiplan.planners.serving.power_cap import least_cap_w
from aiplan.planners.serving.power_constants import POWER_CONSTANTS


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers of the generations, arrays of shape (G,).

    Attributes
    ----------
    count : accelerators of one [1]
    host_w, idle_w, rated_w : everything but accelerators, with nothing to do, and its rating [W]
    classes : of the power law, see `serving.load.power_class`
    """

    count: Array
    host_w: Array
    idle_w: Array
    rated_w: Array
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One use of the servers of every generation, arrays of shape (G,).

    Attributes
    ----------
    per_s, watts : requests/s of a server and what it draws, host included [1/s], [W]
    batch, devices : sequences (or prompts) per rank, accelerators of a replica; 0 where nothing is served [1]
    layout : of replicas in words
    slack : least time over time allowed, see `machines_search.Done`; NaN where the model does not fit [1]
    """

    per_s: Array
    watts: Array
    batch: Array
    devices: Array
    layout: tuple[str, ...]
    slack: Array


def best_use(name: str, work: Work, found: Sequence[Candidates], servers: Servers) -> Use:
    """The layout of most requests/s of a server of each generation.

    Parameters
    ----------
    name : ``prompt``, ``decode`` or ``both``
    work : what is served
    found : candidates that hold the model, each generation in one of them
    servers : of the generations

    Accelerators that no whole replica finds room on idle along at the power law's share of TDP.
    """
    total = len(servers.count)
    rate, batch, devices, drawn = (np.zeros(total) for _ in range(4))
    slack = np.full(total, np.nan)
    layout = [""] * total
    phase = Phase(Meter(work, servers.classes), name)
    for some in found:
        done = fullest_pass(some, phase.do, work) if name == "prompt" else largest(some, phase.do, work.batch_max)
        for number in np.unique(some.generation).tolist():
            slack[number] = done.slack[some.generation == number, 0].min()
        best = best_of(some, done, total)
        held = np.flatnonzero(best >= 0)
        if not held.size:
            continue
        rows = best[held]
        kept = chosen(some, rows)
        chip, count = kept.deployment.chip, servers.count[held]
        busy_w = phase.watts(kept, done.batch[rows]).power_w[:, 0]
        resting_w = (phase.meter.idle_share(kept) * chip.tdp_w)[:, 0]
        rate[held] = (kept.per_server * done.requests_per_s[rows])[:, 0]
        batch[held], devices[held] = done.batch[rows, 0], kept.deployment.layout.devices[:, 0]
        at_work = np.minimum(devices[held] * kept.per_server[:, 0], count)
        drawn[held] = at_work * busy_w + (count - at_work) * resting_w + servers.host_w[held]
        for place, number in enumerate(held.tolist()):
            layout[number] = layout_words(kept, place)
    return Use(rate, np.where(rate > 0, drawn, servers.idle_w), batch, devices, tuple(layout), slack)


def pools(prompt: Use, decode: Use, idle_w: Array) -> Use:
    """Servers of two pools in the ratio that balances them: ``1/mixed = 1/prefill + 1/decode``, watts by servers."""
    works = (prompt.per_s > 0) & (decode.per_s > 0)
    first, second = (np.divide(1.0, one.per_s, out=np.zeros_like(one.per_s), where=works) for one in (prompt, decode))
    both = np.where(works, first + second, 1.0)
    watts = np.where(works, (first * prompt.watts + second * decode.watts) / both, idle_w)
    return Use(np.where(works, 1.0 / both, 0.0), watts, decode.batch, decode.devices, decode.layout, decode.slack)


def capped_rating_w(servers: Servers, chip: Chip, cap_fraction: float) -> Array:
    """Rating of servers whose accelerators are capped, down to the least cap that they can keep, shape (G,) [W]."""
    idle = np.array([POWER_CONSTANTS[name].idle_share for name in servers.classes])
    cap_w = np.maximum(cap_fraction * chip.tdp_w, least_cap_w(chip.tdp_w, idle, chip.hbm_bytes_per_s))
    return np.asarray(servers.rated_w - servers.count * np.maximum(chip.tdp_w - cap_w, 0.0), dtype=np.float64)
