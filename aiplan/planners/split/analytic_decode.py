"""Token machines: how large their batches are, how they differ over machines and time, and what that does to steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.split.replay import Machine

MIXED = 0.5
"""Share of the spread of sequences' memory that becomes spread of batches, see `token_batch` [1]. Calibrated."""
FEEDBACK = 1.5
"""Power of the feedback of batches on themselves; 1 in linear theory, see `token_batch` [1]. Calibrated."""
_LEAST_PULL = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class TokenWork:
    """What answers ask of a kind of machine, whatever the number of machines and the rate.

    Attributes
    ----------
    steps : decode steps of each request, N - 1 [1], shape (requests,)
    mean_steps : E[N - 1] [1]
    context_tokens : mean context of a step [tokens]
    batch : 0, 1, 2, ... [sequences]
    step_s : f, time of a step by batch, each sequence with that context [s], shape as ``batch``
    pull : 1 - d ln f / d ln b: how fast a batch that is too large comes down, 1 where f is flat [1], same shape
    evened : standard deviation of the mean batch over so many steps, over that at one instant [1], shape (steps + 1,)
    overlap : integral of P(L > t)^2 over E[L], L the time that a sequence stays [1]
    size_cv2 : squared coefficient of variation of the memory of the sequences in a batch [1]
    """

    steps: npt.NDArray[np.int64]
    mean_steps: float
    context_tokens: float
    batch: Array
    step_s: Array
    pull: Array
    evened: Array
    overlap: float
    size_cv2: float


def token_work(machine: Machine, prompts: npt.NDArray[Any], outputs: npt.NDArray[Any], batch_max: int) -> TokenWork:
    """`TokenWork` of a sample of requests.

    Parameters
    ----------
    machine : of the tokens
    prompts, outputs : n and N [tokens], shape (requests,)
    batch_max : largest batch [sequences]

    A step is met in proportion to how many a request has: the mean context is ``E[(N-1)(n + N/2)]/E[N-1]``
    (for independent n and N and long answers, E[n] + E[N^2]/(2 E[N])).
    """
    steps = outputs.astype(np.int64) - 1
    size = (prompts + outputs).astype(np.float64)
    weight = steps / max(float(steps.sum()), 1.0)
    context, mean_size = float(np.dot(weight, size - outputs / 2.0)), float(np.dot(weight, size))
    batch = np.arange(min(batch_max + 1, len(machine.decode_s)), dtype=np.float64)
    table = machine.decode_s[: len(batch)] + machine.context_s[: len(batch)] * batch * context
    table[0] = table[1]
    pull = np.clip(1.0 - np.gradient(table) * batch / table, _LEAST_PULL, 1.0)
    evened, overlap = lifetimes(steps)
    size_cv2 = float(np.dot(weight, size**2)) / mean_size**2 - 1.0 if mean_size > 0 else 0.0
    return TokenWork(steps, float(steps.mean()), context, batch, table, pull, evened, overlap, max(size_cv2, 0.0))


def lifetimes(steps: npt.NDArray[np.int64]) -> tuple[Array, float]:
    """How the mean of a batch over some steps varies less than the batch itself, and the overlap of lifetimes.

    Where sequences come at random and stay L steps, the numbers present k steps apart have the correlation
    ``r(k) = E[max(L - k, 0)]/E[L]``, and the mean over m steps has the variance
    ``(1/m)[1 + 2 sum_(k=1)^(m-1) (1 - k/m) r(k)]`` of the number itself.

    Parameters
    ----------
    steps : L of each request [1], shape (requests,)

    Returns
    -------
    Standard deviation of the mean over 0, 1, 2, ... steps over that of the number [1], shape (max L + 1,), and
    ``sum_k P(L > k)^2 / E[L]`` [1].

    Source: Cox and Isham, Point Processes, 1980, 5.6 (M/G/infinity).

    >>> evened, overlap = lifetimes(np.array([4, 4]))  # each sees those before it leave at an even pace
    >>> (evened**2).round(4).tolist(), overlap
    ([1.0, 1.0, 0.875, 0.7778, 0.6875], 1.0)
    """
    most = int(steps.max())
    if most < 1:
        return np.ones(2), 1.0
    counts = np.bincount(steps, minlength=most + 1)
    alive = (np.cumsum(counts[::-1])[::-1] / len(steps))[1:]  # P(L > k) for k from 0
    mean = float(alive.sum())
    correlation = np.cumsum(alive[::-1])[::-1] / mean
    lag, over = np.arange(most, dtype=np.float64), np.arange(1.0, most + 1.0)
    variance = (2.0 * (np.cumsum(correlation) - np.cumsum(lag * correlation) / over) - 1.0) / over
    return np.sqrt(np.concatenate([[1.0], np.clip(variance, 0.0, 1.0)])), float(np.dot(alive, alive)) / mean


class TokenBatch(NamedTuple):
    """A pool of token machines at one rate.

    Attributes
    ----------
    mean : sequences on a machine, mean over time [1]
    seen : sequences of the batch that a token is made in, mean over tokens [1]
    step_s : time of a step of that batch [s]
    pool_sd : standard deviation of the batch of a machine, what all machines share [1]
    mixed_sd : the same, what is each machine's own [1]
    pull : see `TokenWork`, at that batch [1]
    """

    mean: float
    seen: float
    step_s: float
    pool_sd: float
    mixed_sd: float
    pull: float

    @property
    def busy(self) -> float:
        """Probability that a machine has a batch [1]: a variance of v b leaves it empty with ``exp(-b/v)``, which is
        exact for a Poisson number."""
        spread = self.pool_sd**2 + self.mixed_sd**2
        return -math.expm1(-(self.mean**2) / spread) if spread > 0.0 else 1.0


def token_batch(work: TokenWork, machines: int, rate_per_s: float, arrival_cv2: float = 1.0) -> TokenBatch | None:
    """Batch of the token machines; None where sequences come faster than the largest batch ends them.

    By Little's law ``b = lambda E[N-1] f(b_seen)/n_T``. Tokens see larger batches than there are on average, since
    a larger batch makes more tokens: ``b_seen = b + v (1 - d ln f/d ln b)``, v the variance of the batch over b:

        v = z/(n_T pull^1.5) + 0.5 (1 - 1/n_T) cv2(memory),   z = 1 + (ca2 - 1) overlap

    First all sequences of the pool: Poisson as in M/G/infinity, with the peakedness z of bursts, and amplified because
    a larger batch is slower and so grows. Then the machines among themselves: the router evens out their memory, so
    that batches differ as far as sequences differ in memory.

    Parameters
    ----------
    work : of the answers
    machines : n_T [1]
    rate_per_s : lambda [1/s]
    arrival_cv2 : ca2, squared coefficient of variation of the gaps between arrivals [1]

    Source: peakedness, Eckberg, Bell System Technical Journal 62, 1983. Derived here: the two terms. Linear theory
    has the power 1 for the pull and gives no number for the 0.5; both were set on 150 replays with 80,000 requests
    that `accuracy` does not use.
    """
    load, batch, step = rate_per_s * work.mean_steps / machines, work.batch, work.step_s
    pool = (1.0 + (arrival_cv2 - 1.0) * work.overlap) / machines * work.pull**-FEEDBACK
    mixed = MIXED * (1.0 - 1.0 / machines) * work.size_cv2
    spare = batch - (pool + mixed) * work.pull - load * step
    held = np.flatnonzero(spare[1:] >= 0.0)
    if not len(held):
        return None
    high = int(held[0]) + 1
    part = spare[high] / (spare[high] - spare[high - 1]) if high > 1 else 0.0
    seen = high - part

    def at(table: Array) -> float:
        return float(table[high] + (table[high - 1] - table[high]) * part)

    mean = load * at(step)
    return TokenBatch(mean, seen, at(step), math.sqrt(at(pool) * mean), math.sqrt(mixed * mean), at(work.pull))


def mean_steps_s(work: TokenWork, batch: TokenBatch, normal: Array) -> Array:
    """Mean time of the steps of each request [s], shape (requests,).

    Parameters
    ----------
    work, batch : the answers and what they meet
    normal : standard normal deviate of the batch that each request meets [1], shape (requests,)

    A long answer meets the mean batch, a short one what there is at the moment. What all machines share changes more
    slowly than sequences come and go, by the pull.
    """
    slowed = np.rint(work.steps * batch.pull).astype(np.int64)
    spread = np.hypot(batch.pool_sd * work.evened[slowed], batch.mixed_sd * work.evened[work.steps])
    found: Array = np.interp(batch.seen + spread * normal, work.batch, work.step_s)
    return found
