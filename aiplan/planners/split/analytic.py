"""Prompt and token pools in closed form: what requests would see, within a few per cent and a millisecond.

A sample of requests goes through the formulas instead of through the events: each gets a place in the distribution of
waits, of the delay of joining a batch and of batches, all places evenly spread and the same in every evaluation, so
that the same question has the same answer and a little more load never helps. Nothing spills: where it would,
`Analytic` says so, and the replay is to be asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require
from aiplan.planners.split.analytic_decode import TokenBatch, TokenWork, mean_steps_s, token_batch, token_work
from aiplan.planners.split.analytic_prompt import PromptQueue, PromptWork, prompt_queue, prompt_work
from aiplan.planners.split.replay import Machine, Policy
from aiplan.planners.split.slo import Times, percentile

SAMPLE = 4096
"""Requests of a sample where no other number is asked for [1]."""
SPARE_SD = 4.0
"""Standard deviations of the pool's memory that must be left [1]: of ten pools, made smaller until their requests
spilt in replays of 60,000, none did with 4.1 or more left, and each had with 3.9 or less."""
SPILL_MOST, SPILL_MACHINES = 1e-4, 10.0
"""Share of requests that may find every prompt queue too long, beside so many token machines or more [1]: each borrows
one of them, whose sequences wait. Beside fewer a loan weighs more: with one in 2,000 and a single token machine the
99th percentile of TBT came out 16 % too low, with one in 12,000 and three 26 %."""
DEFAULT = Policy()
_PLASTIC = 1.2207440846057596


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A sample of requests with what they ask of a prompt and of a token machine, for any counts and rate.

    Attributes
    ----------
    prompts, computed, outputs : n, those of it that no cache answers, N [tokens], shape (requests,)
    prompt, token, policy : the machines, and how they batch
    prompt_work, token_work : what the requests ask of them
    transfer_s : time from the first token to the cache's arrival at the token machine [s], shape (requests,)
    size : n + N [tokens], shape (requests,)
    wait, join, normal : places of each request in the distributions of waits and of joining delays in (0, 1), and
        standard normal deviate of its batch, shape (requests,)
    """

    prompts: npt.NDArray[Any]
    computed: npt.NDArray[Any]
    outputs: npt.NDArray[Any]
    prompt: Machine
    token: Machine
    policy: Policy
    prompt_work: PromptWork
    token_work: TokenWork
    transfer_s: Array
    size: Array
    wait: Array
    join: Array
    normal: Array


@dataclass(frozen=True, slots=True, eq=False)
class Analytic:
    """What a split cluster would do.

    Attributes
    ----------
    times : what the requests of the sample would see; infinite where a pool cannot keep up
    token_count : token machines [1]
    prompt_load : lambda S_sat / n_P, the least utilisation [1]
    prompt_utilisation : share of time that prompt machines are busy [1]
    waits : share of requests that wait for a prompt machine or share its iteration [1]
    token_utilisation : share of time that token machines are busy [1]
    batch, batch_seen : sequences on a token machine, mean over time and over tokens [1]
    step_s : mean time of a decode step, over tokens [s]
    memory_share : memory promised on a token machine over what there is, mean [1]
    memory_sd_share : its standard deviation where the router evens it out over the machines [1]
    memory_alone_sd_share : and where each machine kept what it got by chance [1]
    link_share : utilisation of the busier side's network [1]
    spill_share : share of requests that would find every prompt queue too long [1]
    unstable : a pool cannot keep up, or its memory less `SPARE_SD` standard deviations does not suffice
    """

    times: Times
    token_count: int
    prompt_load: float
    prompt_utilisation: float
    waits: float
    token_utilisation: float
    batch: float
    batch_seen: float
    step_s: float
    memory_share: float
    memory_sd_share: float
    memory_alone_sd_share: float
    link_share: float
    spill_share: float
    unstable: bool

    @property
    def trusted(self) -> bool:
        """Whether nothing that the formulas leave out matters: stable, and prompts hardly ever spill."""
        return not self.unstable and self.spill_share <= SPILL_MOST * min(self.token_count / SPILL_MACHINES, 1.0)

    def percentile(self, metric: str, at: float) -> float:
        """Percentile of ``ttft``, ``tbt`` or ``e2e`` over requests [s]; TBT over those that have one."""
        values: Array = getattr(self.times, f"{metric}_s")
        values = values[~np.isnan(values)]
        return percentile(values, at) if len(values) else math.nan


def prepare(
    prompts: npt.NDArray[Any],
    outputs: npt.NDArray[Any],
    prompt: Machine,
    token: Machine,
    policy: Policy = DEFAULT,
    *,
    computed_tokens: npt.NDArray[Any] | None = None,
    most: int = SAMPLE,
) -> Prepared:
    """All that does not depend on counts and rate.

    Parameters
    ----------
    prompts, outputs : n and N of requests of the workload, as many as there are [tokens], shape (requests,)
    prompt, token, policy : machines of either kind, how they batch and send
    computed_tokens : prompt tokens that no prefix cache answers, at least 1; all of them where absent [tokens]
    most : requests kept, see `representative` [1]

    The cache of all n tokens travels, ``X = n/link`` after the prompt; layer by layer
    ``X = max(n/(L link), n/link - S (L - 1)/L) + sync``, with L layers and the prompt's own time S.
    Raises ValueError for lengths below 1.
    """
    computed = prompts if computed_tokens is None else computed_tokens
    require(len(prompts) > 0 and len(prompts) == len(outputs) == len(computed), "there must be as many of each length")
    require(min(np.min(prompts), np.min(computed), np.min(outputs)) >= 1, "lengths must be 1 or more")
    n, computed, outputs = representative(prompts, computed, outputs, most)
    wait, join, normal, shuffled = places(len(n))
    work = prompt_work(prompt, computed, policy, shuffled)
    transfer = n / min(prompt.link_tokens_per_s, token.link_tokens_per_s)
    if policy.layer_wise:
        layers = prompt.layers
        behind = transfer - work.alone_s * (layers - 1.0) / layers
        transfer = np.maximum(transfer / layers, behind) + policy.sync_s
    tokens = token_work(token, n, outputs, policy.batch_max)
    size = (n + outputs).astype(np.float64)
    return Prepared(n, computed, outputs, prompt, token, policy, work, tokens, transfer, size, wait, join, normal)


def representative(
    prompts: npt.NDArray[Any], computed: npt.NDArray[Any], outputs: npt.NDArray[Any], most: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """At most so many requests that stand for all of them: prompts, computed tokens and outputs, each (count,).

    Ordered by outputs, within parts of them by prompts up and down. Where there are more than ``most``, every k-th in
    that order tells how lengths go together, and each length is the mean of the k that its rank stands for, to the
    nearest token: means and quantiles are those of all requests, where a random sample of 4096 would be off by 1.5 %
    at the 99th percentile of outputs.
    """
    total = len(prompts)
    count = min(most, total)
    order = np.argsort(outputs, kind="stable")
    part = np.arange(total) * max(round(math.sqrt(count)), 1) // total
    order = order[np.lexsort((np.where(part % 2, -1, 1) * prompts[order], part))]
    kept = order[((np.arange(count) + 0.5) * (total / count)).astype(np.int64)]
    n, m, answers = (_stand_ins(values, kept) for values in (prompts, computed, outputs))
    return n, np.minimum(m, n), answers


def _stand_ins(values: npt.NDArray[Any], kept: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Values of the kept ones, each the mean of those that its rank stands for, rounded."""
    total, count = len(values), len(kept)
    if count == total:
        return values[kept].astype(np.int64)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(values[kept], kind="stable")] = np.arange(count)
    sums = np.concatenate([[0.0], np.cumsum(np.sort(values), dtype=np.float64)])
    edges = np.interp(np.arange(count + 1) * (total / count), np.arange(total + 1), sums)
    found: npt.NDArray[np.int64] = np.rint(np.diff(edges) * (count / total)).astype(np.int64)[rank]
    return found


@cache
def places(count: int) -> tuple[Array, Array, Array, npt.NDArray[np.int64]]:
    """Evenly spread points: two columns in (0, 1), one of standard normal deviates, and a permutation, each (count,).

    Each column alone is as even as can be, and so are all together with the order of the requests, nearly.

    Source: Roberts, The unreasonable effectiveness of quasirandom sequences, 2018 (additive recurrence with powers of
    the root of x^4 = x + 1).
    """
    ranks = [np.argsort(np.argsort(np.modf(np.arange(count) * _PLASTIC**-power)[0])) for power in (1, 2, 3)]
    columns = [(rank + 0.5) / count for rank in ranks]
    normal = np.array([NormalDist().inv_cdf(one) for one in columns[2].tolist()])
    golden = np.modf(np.arange(count) * (math.sqrt(5.0) - 1.0) / 2.0)[0]
    return columns[0], columns[1], normal, np.argsort(golden, kind="stable")


def analyse(
    prepared: Prepared,
    prompt_count: int,
    token_count: int,
    rate_per_s: float,
    arrival_cv2: float = 1.0,
    *,
    simulator_tbt: bool = False,
) -> Analytic:
    """What requests would see on so many prompt and token machines.

        TTFT = S + excess,   E2E = TTFT + X + U f + (N - 1) f_r,   TBT = (E2E - TTFT)/(N - 1)

    with the excess of `prompt_queue`, the transfer X, the rest U f of the step under way when the cache arrives, and
    the steps f_r of the batches that the request meets (`token_batch`). A request with one token ends with TTFT.

    Memory (M/G/infinity over the times from arrival to end): mean ``lambda E[(n+N) E2E]/n_T``, and a variance of
    ``lambda E[(n+N)^2 E2E]`` for the pool, amplified by the pull of batches. Least memory first spreads it evenly, so
    that spilling begins when the *pool* is full.

    Parameters
    ----------
    prepared : the requests and machines
    prompt_count, token_count : n_P and n_T [1]
    rate_per_s : lambda [1/s]
    arrival_cv2 : squared coefficient of variation of the gaps between arrivals [1]
    simulator_tbt : divide by N, as SplitwiseSim does

    Accuracy against the replay: see `accuracy`. Not modelled: requests that spill to other pools (see
    `Analytic.trusted`), contention on the network, bursts that last longer than their cv2 tells.
    """
    require(prompt_count >= 1 and token_count >= 1, "counts must be 1 or more")
    require(rate_per_s > 0.0 and arrival_cv2 >= 0.0, "the rate must be positive and cv2 not negative")
    queue = prompt_queue(prepared.prompt_work, prompt_count, rate_per_s, arrival_cv2)
    batch = token_batch(prepared.token_work, token_count, rate_per_s, arrival_cv2)
    sent = rate_per_s * float(prepared.prompts.mean())
    link = max(
        sent / (prompt_count * prepared.prompt.link_tokens_per_s),
        sent / (token_count * prepared.token.link_tokens_per_s),
    )
    load = rate_per_s * prepared.prompt_work.packed_s / prompt_count
    if queue is None or batch is None:
        return _overrun(prepared, token_count, queue, batch, load, link)
    ttft = prepared.prompt_work.alone_s + queue.excess(prepared.wait) + prepared.prompt.start_s
    steps = prepared.token_work.steps
    decode = prepared.transfer_s + prepared.join * (batch.busy * batch.step_s)
    decode += steps * mean_steps_s(prepared.token_work, batch, prepared.normal)
    several = steps > 0
    decode = np.where(several, decode, 0.0)
    e2e = ttft + decode
    tbt = np.where(several, decode / np.maximum(steps + int(simulator_tbt), 1), np.nan)
    held = prepared.size * e2e
    room = token_count * prepared.token.room_tokens
    mean = rate_per_s * float(held.mean()) / room
    sd = math.sqrt(rate_per_s * float(np.dot(prepared.size, held)) / len(held)) / room
    peaked = 1.0 + (arrival_cv2 - 1.0) * prepared.token_work.overlap
    pooled = sd * math.sqrt(peaked / batch.pull)
    return Analytic(
        times=Times(ttft, tbt, e2e),
        token_count=token_count,
        prompt_load=load,
        prompt_utilisation=queue.utilisation,
        waits=queue.waits,
        token_utilisation=batch.busy,
        batch=batch.mean,
        batch_seen=batch.seen,
        step_s=batch.step_s,
        memory_share=mean,
        memory_sd_share=pooled,
        memory_alone_sd_share=sd * math.sqrt(token_count),
        link_share=link,
        spill_share=_spill_share(prepared, queue),
        unstable=mean + SPARE_SD * pooled > 1.0,
    )


def _overrun(
    prepared: Prepared, token_count: int, queue: PromptQueue | None, batch: TokenBatch | None, load: float, link: float
) -> Analytic:
    """A cluster of which a pool cannot keep up."""
    never = np.full(len(prepared.size), math.inf)
    tbt = np.where(prepared.token_work.steps > 0, math.inf, math.nan)
    return Analytic(
        times=Times(never, tbt, never),
        token_count=token_count,
        prompt_load=load,
        prompt_utilisation=queue.utilisation if queue else 1.0,
        waits=queue.waits if queue else 1.0,
        token_utilisation=batch.busy if batch else 1.0,
        batch=batch.mean if batch else math.inf,
        batch_seen=batch.seen if batch else math.inf,
        step_s=batch.step_s if batch else math.inf,
        memory_share=math.inf,
        memory_sd_share=math.inf,
        memory_alone_sd_share=math.inf,
        link_share=link,
        spill_share=1.0,
        unstable=True,
    )


def _spill_share(prepared: Prepared, queue: PromptQueue) -> float:
    """Share of requests that would find more than ``queue_tokens_max`` tokens pending, their own counted [1].

    A wait stands for as many tokens as full iterations do in that time.
    """
    token_s = prepared.prompt_work.packed_s / float(prepared.computed.mean())
    rest = np.maximum(prepared.policy.queue_tokens_max - prepared.computed, 0) * token_s
    return float(queue.longer(rest).mean())
