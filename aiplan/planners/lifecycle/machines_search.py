"""Replicas of a model on many servers at once: which layouts there are, how large a batch keeps the promises, what it
draws. Pure numbers; `machines` looks them up.

Arrays have one row per candidate, a layout on the server of one generation, and one column per batch tried: shape
(N, 1) for what a candidate is, (N, K) for what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.machines_network import prompt_extra_s, step_extra_s
from aiplan.planners.serving import architecture as shapes
from aiplan.planners.serving.architecture import Architecture
from aiplan.planners.serving.chip import FIELDS, Chip
from aiplan.planners.serving.deployment import Deployment, numerics
from aiplan.planners.serving.layout import Layout, layouts
from aiplan.planners.serving.roofline import CHUNK_TOKENS, prefill, rates
from aiplan.planners.serving.service import Load, batch_limit, decode_only, online
from aiplan.planners.serving.time_constants import TimeConstants

Index = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

SPANS = (1, 2, 4, 8, 16, 32)
"""Servers of one replica that are tried in turn until the model fits."""
POINTS, LEVELS = 12, 3
"""Batches tried at once, and how often the interval around the last that keeps the promises is divided again."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is served and how, one for all candidates.

    Attributes
    ----------
    architecture : of the model, arrays of shape (1,)
    precision, kv_precision, engine : formats and engine by name
    constants : of the time model
    input_tokens, output_tokens : of the reference request [tokens]
    ttft_s, tbt_s : most time to first token, and between tokens [s]
    batch_max : most sequences per attention data-parallel rank [1]
    cap_fraction : power cap of an accelerator over its TDP, 1 for none [1]
    heads : attention heads of the model; None where unknown
    network_bytes_per_s : what a device reaches to other servers, see `machines_network.pass_extra_s`; NaN for the
        serving model's network [B/s]
    """

    architecture: Architecture
    precision: str
    kv_precision: str | None
    engine: str
    constants: TimeConstants
    input_tokens: float
    output_tokens: float
    ttft_s: float
    tbt_s: float
    batch_max: float
    cap_fraction: float
    heads: int | None
    network_bytes_per_s: float = float("nan")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Layouts of replicas, rows of shape (N, 1) except ``generation``.

    Attributes
    ----------
    generation : which generation each belongs to, shape (N,)
    deployment : the replica; see the module for shapes
    per_server : replicas of a server, below 1 where a replica spans several [1]
    limit : sequences per rank that memory holds [1]
    """

    generation: Index
    deployment: Deployment
    per_server: Array
    limit: Array

    @property
    def fits(self) -> Flags:
        """Whether weights and one sequence fit, shape (N,)."""
        return np.asarray(self.limit[:, 0] >= 1.0)


def at(chip: Chip, index: Any) -> Chip:
    """Rows of a chip of arrays as a column."""
    return Chip(*(as_array(getattr(chip, name))[index][:, None] for name in FIELDS))


def deployed(work: Work, chip: Chip, layout: Layout) -> Deployment:
    """Replicas side by side, each field of shape (N, 1), the model's (1,)."""
    return Deployment(
        architecture=work.architecture,
        chip=chip,
        layout=layout,
        numerics=numerics(chip, [work.precision], [work.kv_precision]),
        engine=(work.engine,),
        replicas=np.ones(1),
        grouped_cache_factor=np.ones(1),
    )


def candidates(work: Work, chip: Chip, count: Array, generations: Sequence[int], span: int) -> Candidates:
    """All layouts of some generations whose replica takes ``span`` servers.

    Parameters
    ----------
    work : what is served
    chip : accelerators, arrays of shape (G,)
    count : accelerators of a server, shape (G,) [1]
    generations : those of interest
    span : servers of one replica; 1 for all that stay in one [1]

    Layouts are those of `serving.layout.layouts`: tensor parallelism inside the scale-up domain of a server and
    pipelines over several; over several, tensor parallelism over all of them too. Accelerators that a layout leaves
    over idle.
    """
    known: dict[tuple[int, int], Array] = {}
    rows: list[Array] = []
    owner: list[Index] = []
    for number in generations:
        seats = int(count[number])
        domain = int(min(float(as_array(chip.domain)[number]), seats))
        if (seats, domain) not in known:
            known[seats, domain] = _degrees(work, seats, domain, span)
        rows.append(known[seats, domain])
        owner.append(np.full(rows[-1].shape[1], number, dtype=np.intp))
    degrees = np.concatenate(rows, axis=1) if rows else np.empty((4, 0))
    generation = np.concatenate(owner) if owner else np.empty(0, dtype=np.intp)
    layout = Layout(*(degree[:, None] for degree in degrees))
    seats_of = as_array(count)[generation][:, None]
    some = at(chip, generation)
    # What stands in another server is outside the domain, however large the domain might be.
    deployment = deployed(work, replace(some, domain=np.minimum(some.domain, seats_of)), layout)
    devices = layout.devices
    per_server = np.where(devices <= seats_of, np.floor(seats_of / devices), 1.0 / np.ceil(devices / seats_of))
    limit = batch_limit(deployment, work.input_tokens, work.output_tokens)
    return Candidates(generation, deployment, per_server, limit)


def _degrees(work: Work, seats: int, domain: int, span: int) -> Array:
    """Degrees of the layouts of a server or of a span of servers, shape (4, layouts)."""
    model = work.architecture
    experts, layers = int(np.max(model.experts)), int(np.max(model.layers))
    domains = dict.fromkeys((domain, seats * span) if span > 1 else (domain,))
    found = [layouts(seats * span, one, heads=work.heads, experts=experts, layers=layers) for one in domains]
    degrees = np.concatenate([np.array([one.tp, one.pp, one.dp, one.ep]) for one in found], axis=1)
    servers = np.ceil(degrees[0] * degrees[1] * degrees[2] / seats)
    return np.unique(degrees[:, servers == span], axis=1)


def chosen(found: Candidates, rows: Any) -> Candidates:
    """Some of the candidates."""
    index = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    deployment = found.deployment
    chip = Chip(*(getattr(deployment.chip, name)[index] for name in FIELDS))
    layout = Layout(*(getattr(deployment.layout, name)[index] for name in Layout.__slots__))
    formats = replace(
        deployment.numerics,
        **{name: getattr(deployment.numerics, name)[index]
           for name in ("expert_flops", "matrix_flops", "expert_reach", "matrix_reach")},
    )  # fmt: skip
    return Candidates(
        found.generation[index],
        replace(deployment, chip=chip, layout=layout, numerics=formats),
        found.per_server[index],
        found.limit[index],
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What candidates do at some batches, arrays of shape (N, K).

    Attributes
    ----------
    requests_per_s : of one replica [1/s]
    batch : sequences per rank, or prompts of one pass [1]
    slack : largest of time over time allowed; at most 1 where the promises are kept [1]
    """

    requests_per_s: Array
    batch: Array
    slack: Array


Doing = Callable[[Candidates, Array], Done]
"""What replicas do at a batch."""


def load_of(work: Work, deployment: Deployment, batch: Array) -> Load:
    """So many sequences on every rank."""
    ranks = as_array(deployment.layout.dp)
    return Load(as_array(work.input_tokens), as_array(work.output_tokens), batch * ranks, np.zeros(1))


def decoding(work: Work, deployment: Deployment, batch: Array) -> Done:
    """A replica that only decodes: ``B ranks / (OSL step)`` requests/s while a step takes at most the TBT."""
    served = decode_only(deployment, work.constants, load_of(work, deployment, batch), np.inf)
    step_s = served.itl_s + step_extra_s(deployment, work.constants, batch, work.network_bytes_per_s)
    rate = served.batch * as_array(deployment.layout.dp) / (step_s * work.output_tokens)
    return Done(rate, served.batch, step_s / work.tbt_s)


def prefilling(work: Work, deployment: Deployment, batch: Array) -> Done:
    """A replica that only works on prompts, so many in one pass: TTFT is the engine's start and the whole pass.

    Waiting for the pass before is not counted: a fleet that is held below its capacity has it seldom, and who plans
    with a utilisation cap has paid for it there.
    """
    speed = rates(deployment, work.constants)
    each = prefill(deployment, speed, work.constants, work.input_tokens, batch).time_s
    each = each + prompt_extra_s(deployment, work.constants, work.input_tokens, batch, work.network_bytes_per_s)
    start = work.constants.factors("first_token_s", deployment.engine)
    rate = as_array(deployment.layout.dp) * as_array(deployment.layout.pp) / each
    return Done(rate, np.broadcast_to(batch, each.shape), (start + batch * each) / work.ttft_s)


def serving(work: Work, deployment: Deployment, batch: Array) -> Done:
    """A replica that does both, prompts in chunks between decode steps: TTFT in steady state, TPOT with prefill."""
    served = online(deployment, work.constants, load_of(work, deployment, batch), np.inf)
    held, network = served.batch, work.network_bytes_per_s
    step = step_extra_s(deployment, work.constants, batch, network)
    prompt, alone = (prompt_extra_s(deployment, work.constants, work.input_tokens, together, network)
                     for together in (batch, 1.0))  # fmt: skip
    # Of others' prompts and of all, per token of an answer.
    each = prompt / deployment.layout.pp / work.output_tokens
    tpot = served.tpot_s + step + np.maximum(held - 1.0, 0.0) * each
    ttft = served.ttft_steady_s + alone + work.constants.factors("first_token_steps", deployment.engine) * step
    stay = held * as_array(deployment.layout.dp) / served.output_tok_s + step + held * each
    rate = held * as_array(deployment.layout.dp) / (stay * work.output_tokens)
    return Done(rate, held, np.maximum(tpot / work.tbt_s, ttft / work.ttft_s))


def largest(found: Candidates, doing: Doing, top: float) -> Done:
    """Each candidate at the batch of most requests/s that keeps the promises, shape (N, 1).

    Parameters
    ----------
    found : candidates that fit
    doing : what replicas do at a batch
    top : largest batch allowed [1]

    The interval between the largest batch that keeps the promises and the next is divided again and again: exact to
    ``top^(1/1331)``, 0.5 % at 1024. The points do not depend on the machine, so that a faster one never comes out
    slower. Candidates that cannot become the best of their generation are not followed, requests/s being taken to rise
    with the batch. Where not even a batch of 1 keeps the promises, ``slack`` is above 1 and says by how much.
    """
    steps = np.linspace(0.0, 1.0, POINTS)
    rows = np.arange(len(found.generation))
    grid = np.broadcast_to(max(top, 1.0) ** steps, (len(rows), POINTS))
    best = Done(*(np.empty((len(rows), 1)) for _ in Done.__slots__))
    for _ in range(LEVELS):
        some = found if len(rows) == len(found.generation) else chosen(found, rows)
        done = doing(some, np.minimum(grid, np.maximum(some.limit, 1.0)))
        kept = done.slack <= 1.0
        _keep(best, rows, done, np.argmax(np.where(kept, done.requests_per_s, -1.0), axis=1)[:, None])
        last = np.where(kept.any(axis=1), POINTS - 1 - np.argmax(kept[:, ::-1], axis=1), 0)[:, None]
        after = np.minimum(last + 1, POINTS - 1)
        low, high = (np.take_along_axis(grid, one, axis=1) for one in (last, after))
        open_ = _still_open(some, done, kept, last, after)
        rows, grid = rows[open_], (low * (high / low) ** steps)[open_]
        if not rows.size:
            break
    return best


def _keep(best: Done, rows: Index, done: Done, column: Index) -> None:
    """Write what was found into some rows."""
    for name in Done.__slots__:
        getattr(best, name)[rows] = np.take_along_axis(getattr(done, name), column, axis=1)


def _still_open(found: Candidates, done: Done, kept: Flags, last: Index, after: Index) -> Flags:
    """Candidates that a larger batch may make the best of their generation, shape (N,)."""
    per_s = found.per_server * done.requests_per_s
    reached = np.where(kept, per_s, 0.0).max(axis=1)
    leader = np.zeros(int(found.generation.max()) + 1)
    np.maximum.at(leader, found.generation, reached)
    bound = np.take_along_axis(per_s, after, axis=1)[:, 0]
    return np.asarray(kept.any(axis=1) & (after > last)[:, 0] & (bound >= leader[found.generation]))


def fullest_pass(found: Candidates, doing: Doing, work: Work) -> Done:
    """`largest` for prompts: whole ones, as many as a chunk, memory and the largest batch allow."""
    most = max(int(min(CHUNK_TOKENS / max(work.input_tokens, 1.0), work.batch_max)), 1)
    together = np.unique(np.append(2.0 ** np.arange(most.bit_length()), most))
    batch = np.minimum(together[None, :], np.maximum(np.floor(found.limit), 1.0))
    done = doing(found, batch)
    kept = done.slack <= 1.0
    best = np.argmax(np.where(kept, done.requests_per_s, -1.0), axis=1)[:, None]
    return Done(*(np.take_along_axis(getattr(done, name), best, axis=1) for name in Done.__slots__))


def best_of(found: Candidates, done: Done, generations: int) -> Index:
    """Candidate of most requests/s of a server for each generation, shape (G,); -1 where none keeps the promises."""
    rate = np.where(done.slack[:, 0] <= 1.0, (found.per_server * done.requests_per_s)[:, 0], 0.0)
    best = np.full(generations, -1, dtype=np.intp)
    for number in range(generations):
        rows = np.flatnonzero(found.generation == number)
        if rows.size and rate[rows].max() > 0.0:
            best[number] = rows[np.argmax(rate[rows])]
    return best


def stacked(architecture: Architecture) -> Architecture:
    """One model as arrays of shape (1,)."""
    return shapes.stack([architecture])
