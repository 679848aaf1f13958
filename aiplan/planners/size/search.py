"""The largest batch that keeps the promises, and the replicas that carry the load: pure arithmetic on arrays.

All candidates and batches are timed in one call; a few more find where each candidate's last batch lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.serving.deployment import Deployment, pick
from aiplan.planners.serving.service import Load, Served, batch_limit, online
from aiplan.planners.serving.time_constants import TimeConstants
from aiplan.planners.size.queueing import wait_s

Index = npt.NDArray[np.intp]

EVERY = 32
"""Batches up to this are all tried; beyond, every `STEP` and the last one that keeps the promises."""
STEP = 1.06
LARGEST = 65_536
"""Largest batch ever tried [1]."""
_ROUNDING = 1e-9
_DOUBLINGS = 24
_HALVINGS = 64

BINDING = ("TPOT", "TTFT", "KV capacity", "batch limit", "waiting", "one replica")
TPOT, TTFT, MEMORY, BATCH_MAX, WAITING, ONE = range(6)
"""What keeps a candidate from fewer accelerators, by its place in `BINDING`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of each candidate, arrays of shape (candidates,).

    Attributes
    ----------
    requests_per_s : arrivals at the whole fleet [1/s]
    prompt_tokens, output_tokens : mean lengths [tokens]
    ttft_s, tpot_s : most time to first token and per output token [s]
    utilisation_max : most of the fleet's throughput that the load may take, in (0, 1] [1]
    wait_quantile : quantile of the wait for a slot that counts to TTFT; NaN for its mean [1]
    arrival_cv2, service_cv2 : squared coefficients of variation, see `queueing.wait_s` [1]
    one_queue : 1 where all replicas share one queue, 0 where each has its own and gets every n-th request by chance
    batch_max : most sequences an engine schedules per rank [1]
    tpot_factor, ttft_factor, memory_factor : factors on the model's TPOT, TTFT and cache, 1 as computed [1]
    """

    requests_per_s: Array
    prompt_tokens: Array
    output_tokens: Array
    ttft_s: Array
    tpot_s: Array
    utilisation_max: Array
    wait_quantile: Array
    arrival_cv2: Array
    service_cv2: Array
    one_queue: Array
    batch_max: Array
    tpot_factor: Array
    ttft_factor: Array
    memory_factor: Array


FIELDS = tuple(Ask.__slots__)


def ask(candidates: int, **values: Any) -> Ask:
    """An `Ask` of shape (candidates,); fields not given: Poisson arrivals, one queue, mean wait, no factors."""
    plain = {"utilisation_max": 1.0, "wait_quantile": np.nan, "batch_max": 2048.0}
    return Ask(*(np.broadcast_to(as_array(values.get(name, plain.get(name, 1.0))), (candidates,)) for name in FIELDS))


def _pick(asked: Ask, rows: Any) -> Ask:
    return Ask(*(getattr(asked, name)[rows] for name in FIELDS))


@dataclass(frozen=True, slots=True)
class Found:
    """What each candidate comes to; NaN where it cannot keep the promises.

    Attributes
    ----------
    feasible : whether it can
    batch : sequences per attention data-parallel rank at which an engine stops admitting [1]
    replicas : that carry the load [1]
    replicas_exact : the same without rounding up and without waiting [1]
    replica_tok_s : output tokens of one replica with its batch full [1/s]
    tpot_s, ttft_s : with the batch full; TTFT without waiting for a slot [s]
    wait_mean_s, wait_s : mean wait for a slot, and what counts to the promise [s]
    utilisation : load over the throughput of these replicas [1]
    binding : place in `BINDING` of what keeps it from fewer accelerators, or what it fails on
    excess : factor by which it misses the promise it fails on, 1 where it keeps all [1]
    batch_limit : sequences per rank that memory holds [1]
    """

    feasible: npt.NDArray[np.bool_]
    batch: Array
    replicas: Array
    replicas_exact: Array
    replica_tok_s: Array
    tpot_s: Array
    ttft_s: Array
    wait_mean_s: Array
    wait_s: Array
    utilisation: Array
    binding: Array
    excess: Array
    batch_limit: Array


def batches(most: int) -> Array:
    """Batches worth trying up to ``most``: all small ones, then steps of 6 %."""
    sizes = list(range(1, min(EVERY, most) + 1))
    while sizes and sizes[-1] < most:
        sizes.append(min(max(int(sizes[-1] * STEP), sizes[-1] + 1), most))
    return np.array(sizes, dtype=np.float64)


def times(deployment: Deployment, constants: TimeConstants, asked: Ask, batch: Array) -> tuple[Array, Array, Served]:
    """TPOT and TTFT of replicas that hold ``batch`` sequences per rank, row by row [s]; see `service.online`."""
    load = Load(asked.prompt_tokens, asked.output_tokens, batch * deployment.layout.dp, np.zeros(len(batch)))
    served = online(deployment, constants, load, np.maximum(batch, 1.0))
    return served.tpot_s * asked.tpot_factor, served.ttft_steady_s * asked.ttft_factor, served


@dataclass(frozen=True, slots=True)
class _Tried:
    """Batches of candidates, flat: which candidate, which batch, its times; ``stay_s`` is the time a slot is held per
    output token, a request's own prefill included."""

    row: Index
    batch: Array
    tpot_s: Array
    ttft_s: Array
    stay_s: Array

    def keeps(self, asked: Ask) -> npt.NDArray[np.bool_]:
        return np.asarray((self.tpot_s <= asked.tpot_s[self.row]) & (self.ttft_s <= asked.ttft_s[self.row]))


def _try(deployment: Deployment, constants: TimeConstants, asked: Ask, row: Index, batch: Array) -> _Tried:
    if not len(row):
        return _Tried(row, batch, batch, batch, batch)
    of, some = _pick(asked, row), pick(deployment, row)
    tpot, ttft, served = times(some, constants, of, batch)
    stay = batch * some.layout.dp / served.output_tok_s * of.tpot_factor
    return _Tried(row, batch, tpot, ttft, stay)


def search(deployment: Deployment, constants: TimeConstants, asked: Ask) -> Found:
    """Batch and replicas of every candidate.

    ``N = ceil(rate OSL / (u thr(B)))``, raised until TTFT and the wait for a slot stay below the promise; the batch
    is the one that needs the fewest replicas, the largest of several.

    Parameters
    ----------
    deployment : one replica of each candidate
    constants : of the time model
    asked : load and promises

    The wait takes every slot as held from prompt to last token with B full; a fleet that is less than full is faster,
    so it is an upper estimate.

    Limits: batches above `EVERY` are tried in steps of 6 %, and the last one that keeps the promises is found
    exactly, given that none beyond a failing step keeps them again.
    """
    limit = batch_limit(deployment, asked.prompt_tokens, asked.output_tokens) * asked.memory_factor
    cap = np.floor(np.minimum(np.minimum(limit, asked.batch_max), LARGEST) + _ROUNDING)
    grid = batches(int(cap.max(initial=1.0)))
    inside = grid[None, :] <= np.maximum(cap, 1.0)[:, None]
    row, column = np.nonzero(inside)
    tried = _try(deployment, constants, asked, row, grid[column])
    keeps = tried.keeps(asked) & (cap[row] >= 1)
    last = np.full(len(cap), -1)
    np.maximum.at(last, row[keeps], column[keeps])
    edge = _last_batch(deployment, constants, asked, cap, grid, last)
    good = _joined(tried, keeps, edge)
    chosen = _fewest(deployment, asked, good)
    return _describe(deployment, constants, asked, limit, tried, good, chosen)


def _last_batch(
    deployment: Deployment, constants: TimeConstants, asked: Ask, cap: Array, grid: Array, last: Index
) -> _Tried:
    """Largest batch that keeps the promises, by halving between the last step that does and the next."""
    some = np.flatnonzero(last >= 0)
    low = grid[last[some]]
    following = grid[np.minimum(last[some] + 1, len(grid) - 1)]
    high = np.where(following > low, np.minimum(following, cap[some] + 1.0), cap[some] + 1.0)
    best = _try(deployment, constants, asked, some, low)
    tpot, ttft, stay = best.tpot_s.copy(), best.ttft_s.copy(), best.stay_s.copy()
    while np.any(open_ := high - low > 1.0):
        middle = np.floor((low + high) / 2.0)
        here = np.flatnonzero(open_)
        found = _try(deployment, constants, asked, some[here], middle[here])
        keeps = found.keeps(asked)
        low[here[keeps]], high[here[~keeps]] = middle[here[keeps]], middle[here[~keeps]]
        for values, name in ((tpot, "tpot_s"), (ttft, "ttft_s"), (stay, "stay_s")):
            values[here[keeps]] = getattr(found, name)[keeps]
    return _Tried(some, low, tpot, ttft, stay)


def _joined(tried: _Tried, keeps: npt.NDArray[np.bool_], edge: _Tried) -> _Tried:
    pairs = ((getattr(tried, name)[keeps], getattr(edge, name)) for name in _Tried.__slots__)
    return _Tried(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Row of the batches tried that is best for a candidate, and what it comes to."""

    candidate: Index
    place: Index
    replicas: Array
    exact: Array
    waited: npt.NDArray[np.bool_]


def _wait(asked: Ask, tried: _Tried, ranks: Array, replicas: Array, quantile: Any) -> Array:
    """Wait for a slot [s], row by row."""
    of = _pick(asked, tried.row)
    share = np.where(of.one_queue > 0, 1.0, replicas)
    held = of.output_tokens * tried.stay_s
    slots = np.round(tried.batch * ranks[tried.row]) * replicas / share
    # Requests dealt out by chance are nearer to Poisson than those that arrive.
    arrival = 1.0 + (of.arrival_cv2 - 1.0) / share
    arrival = np.where((of.arrival_cv2 == 0) & (of.service_cv2 == 0), 0.0, arrival)
    return wait_s(of.requests_per_s / share * held, slots, held, arrival, of.service_cv2, quantile)


def _fewest(deployment: Deployment, asked: Ask, good: _Tried) -> _Chosen:
    """Per candidate the batch with the fewest replicas, the largest of several."""
    of, ranks = _pick(asked, good.row), as_array(deployment.layout.dp)
    rate = good.batch * ranks[good.row] / good.stay_s
    exact = of.requests_per_s * of.output_tokens / (rate * of.utilisation_max)
    least = np.maximum(np.ceil(exact - _ROUNDING), 1.0)
    replicas = _until_short(asked, good, ranks, least)
    order = np.lexsort((-good.batch, replicas, good.row))
    order = order[np.isfinite(replicas[order])]
    candidates, first = np.unique(good.row[order], return_index=True)
    place = order[first]
    largest = np.zeros(len(deployment))
    np.maximum.at(largest, good.row, good.batch)
    waited = (replicas > least)[place] | (good.batch[place] < largest[candidates])
    return _Chosen(candidates, place, replicas[place], exact[place], waited)


def _until_short(asked: Ask, good: _Tried, ranks: Array, least: Array) -> Array:
    """Replicas from ``least`` up at which TTFT with waiting keeps the promise; infinite where none does."""
    of = _pick(asked, good.row)

    def late(rows: Index, replicas: Array) -> npt.NDArray[np.bool_]:
        some = _Tried(*(getattr(good, name)[rows] for name in _Tried.__slots__))
        wait = _wait(asked, some, ranks, replicas, of.wait_quantile[rows])
        return np.asarray(good.ttft_s[rows] + wait > of.ttft_s[rows])

    replicas = least.copy()
    rows = np.arange(len(least))
    rows = rows[late(rows, replicas)]
    low, high = replicas[rows], replicas[rows] * 2.0
    slow = late(rows, high)
    for _ in range(_DOUBLINGS):
        if not np.any(slow):
            break
        low, high = np.where(slow, high, low), np.where(slow, 2.0 * high, high)
        slow = late(rows, high)
    for _ in range(_HALVINGS):
        open_ = (high - low > 1.0) & ~slow
        if not np.any(open_):
            break
        middle = np.floor((low + high) / 2.0)
        wait = late(rows, middle)
        low, high = np.where(open_ & wait, middle, low), np.where(open_ & ~wait, middle, high)
    replicas[rows] = np.where(slow, np.inf, high)
    return replicas


def _describe(
    deployment: Deployment,
    constants: TimeConstants,
    asked: Ask,
    limit: Array,
    tried: _Tried,
    good: _Tried,
    chosen: _Chosen,
) -> Found:
    """Everything about each candidate's choice, and why the others have none."""
    total = len(deployment)
    best = _Tried(*(getattr(good, name)[chosen.place] for name in _Tried.__slots__))
    ranks, who = as_array(deployment.layout.dp), chosen.candidate
    of = _pick(asked, who)
    rate = best.batch * ranks[who] / best.stay_s
    feasible = np.zeros(total, dtype=bool)
    feasible[who] = True
    binding, excess = _failure(asked, limit, tried)
    excess[who] = 1.0
    binding[who] = _what_binds(deployment, constants, asked, limit, best, chosen)

    def spread(values: Array) -> Array:
        out = np.full(total, np.nan)
        out[who] = values
        return out

    return Found(
        feasible=feasible,
        batch=spread(best.batch),
        replicas=spread(chosen.replicas),
        replicas_exact=spread(chosen.exact),
        replica_tok_s=spread(rate),
        tpot_s=spread(best.tpot_s),
        ttft_s=spread(best.ttft_s),
        wait_mean_s=spread(_wait(asked, best, ranks, chosen.replicas, np.nan)),
        wait_s=spread(_wait(asked, best, ranks, chosen.replicas, of.wait_quantile)),
        utilisation=spread(of.requests_per_s * of.output_tokens / (rate * chosen.replicas)),
        binding=binding,
        excess=excess,
        batch_limit=np.asarray(limit, dtype=np.float64),
    )


def _what_binds(
    deployment: Deployment, constants: TimeConstants, asked: Ask, limit: Array, best: _Tried, chosen: _Chosen
) -> Array:
    """What forbids one sequence more, or makes it useless."""
    who = chosen.candidate
    of = _pick(asked, who)
    more = _try(deployment, constants, asked, who, best.batch + 1.0)
    code = np.full(len(who), float(WAITING))
    code = np.where(more.ttft_s > of.ttft_s, TTFT, code)
    code = np.where(more.tpot_s > of.tpot_s, TPOT, code)
    code = np.where(best.batch + 1.0 > of.batch_max, BATCH_MAX, code)
    code = np.where(best.batch + 1.0 > limit[who] + _ROUNDING, MEMORY, code)
    code = np.where(chosen.waited, WAITING, code)
    return np.asarray(np.where(chosen.replicas <= 1, ONE, code), dtype=np.float64)


def _failure(asked: Ask, limit: Array, tried: _Tried) -> tuple[Array, Array]:
    """What a candidate without a plan fails on, and by what factor at the batch that comes closest."""
    of = _pick(asked, tried.row)
    tpot, ttft = tried.tpot_s / of.tpot_s, tried.ttft_s / of.ttft_s
    order = np.lexsort((np.maximum(tpot, ttft), tried.row))
    _, first = np.unique(tried.row[order], return_index=True)
    nearest = order[first]
    binding = np.where(tpot[nearest] >= ttft[nearest], float(TPOT), float(TTFT))
    # A promise that can be kept at rest and not under load fails on waiting.
    worst = np.maximum(tpot, ttft)[nearest]
    binding = np.where(worst <= 1.0, float(WAITING), binding)
    short = limit < 1.0 - _ROUNDING
    ratio = 1.0 / np.maximum(limit, 1e-9)
    return np.where(short, float(MEMORY), binding), np.where(short, ratio, worst)
