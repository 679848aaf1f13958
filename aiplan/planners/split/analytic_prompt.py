"""Prompt machines as a queue: how often a request waits, and how long, where the shortest of many queues is joined.

Every machine has a queue of its own and takes from it, first come first served, as many prompts at once as fit. A
request joins the machine with the fewest pending tokens; an idle machine has none, so that nobody waits while a machine
is idle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.size.queueing import erlang_c
from aiplan.planners.split.replay import Machine, Policy
from aiplan.planners.split.slo import prompt_seconds

UNEVEN = 0.45
"""How much rarer waiting is in own queues than in a common one [1], see `prompt_queue`. Calibrated."""
SHAPE = 0.07
"""How much narrower than exponential the wait is, per logarithm of the number of machines [1]. Calibrated."""
GRID = 24
"""Utilisations among which `prompt_queue` looks for the balance of batches and load [1]."""
_FULL = 0.9999


@dataclass(frozen=True, slots=True, eq=False)
class PromptWork:
    """What prompts ask of a kind of machine, whatever the number of machines and the rate.

    Attributes
    ----------
    alone_s : S, time of each prompt in an iteration of its own [s], shape (requests,)
    mean_s : S1, its mean [s]
    cv2 : its squared coefficient of variation [1]
    packed_s : S_sat, mean time per request where iterations are as full as they may be [s]
    ordered_s, beyond : S in ascending order, and the share of busy time spent on prompts that take longer, with a 1
        before the first [1], shapes (requests,) and (requests + 1,)
    """

    alone_s: Array
    mean_s: float
    cv2: float
    packed_s: float
    ordered_s: Array
    beyond: Array

    @property
    def residual_s(self) -> float:
        """What an arrival finds left of an iteration under way, E[S^2]/(2 E[S]) [s]."""
        return 0.5 * self.mean_s * (1.0 + self.cv2)

    def least_residual_s(self, machines: int) -> float:
        """What is left of the shortest of the iterations under way on all machines [s]; `residual_s` for one machine.

        Half the mean of the least of so many S, each met in proportion to its time.
        """
        powers = self.beyond**machines
        return 0.5 * float(np.dot(self.ordered_s, powers[:-1] - powers[1:]))


def prompt_work(
    machine: Machine, computed_tokens: npt.NDArray[Any], policy: Policy, order: npt.NDArray[Any]
) -> PromptWork:
    """`PromptWork` of a sample of prompts.

    Parameters
    ----------
    machine, policy : what computes the prompts, and how many at once
    computed_tokens : tokens of each prompt that no cache answers [tokens], shape (requests,)
    order : in which prompts are packed; any that tells nothing of their lengths, shape (requests,)
    """
    alone = prompt_seconds(machine, computed_tokens)
    mean = float(alone.mean())
    ordered = np.sort(alone)
    spent = np.cumsum(ordered)
    beyond = np.concatenate([[1.0], np.maximum(1.0 - spent / spent[-1], 0.0)])
    batches = packed_tokens(computed_tokens[order], policy.batch_tokens_max, policy.batch_max)
    packed = float(prompt_seconds(machine, batches).sum()) / len(alone)
    return PromptWork(alone, mean, float(alone.var()) / mean**2, packed, ordered, beyond)


def packed_tokens(tokens: npt.NDArray[Any], most_tokens: int, most_tasks: int) -> npt.NDArray[np.int64]:
    """Tokens of each iteration of a machine that always has prompts waiting, first come first served.

    The first prompt of an iteration always fits, others while the sum stays within ``most_tokens``.

    >>> packed_tokens(np.array([1500, 400, 400, 3000, 10]), 2048, 512).tolist()
    [1900, 400, 3000, 10]
    """
    batches: list[int] = []
    held = count = 0
    for length in tokens.tolist():
        if count and (held + length > most_tokens or count >= most_tasks):
            batches.append(held)
            held = count = 0
        held += length
        count += 1
    return np.array([*batches, held], dtype=np.int64)


class PromptQueue(NamedTuple):
    """A pool of prompt machines at one rate.

    Attributes
    ----------
    load : lambda S_sat / n_P, the least share of time that machines must be busy [1]
    utilisation : share of time that they are, with iterations as full as they happen to be [1]
    waits : probability that a request waits or shares its iteration [1]
    excess_s : what that adds to the time of its prompt, mean over those that do [s]
    shape : of the Weibull distribution of it [1]; 1 is exponential
    """

    load: float
    utilisation: float
    waits: float
    excess_s: float
    shape: float

    @property
    def _scale_s(self) -> float:
        return self.excess_s / math.gamma(1.0 + 1.0 / self.shape)

    def excess(self, position: Array) -> Array:
        """Excess of requests at positions in [0, 1) of its distribution [s], same shape."""
        found: Array = np.zeros_like(position)
        beyond = position - (1.0 - self.waits)
        those = beyond > 0.0  # few in most clusters, and powers are slow
        found[those] = self._scale_s * (-np.log1p(-beyond[those] / self.waits)) ** (1.0 / self.shape)
        return found

    def longer(self, excess_s: Array) -> Array:
        """Probability of an excess beyond the given ones [1], same shape."""
        if self.waits <= 0.0:
            return np.zeros_like(excess_s)
        found: Array = self.waits * np.exp(-((excess_s / self._scale_s) ** self.shape))
        return found


def prompt_queue(work: PromptWork, machines: int, rate_per_s: float, arrival_cv2: float = 1.0) -> PromptQueue | None:
    """How often and how long requests wait for a prompt machine; None where ``lambda S_sat >= n_P``.

    An arrival waits where all machines are busy. With utilisation u and Erlang's C,

        odds(waits) = odds(C(c', u c')) [odds(KLB(u)) / odds(u)]^(1/n_P) (n_P R_n / R_1)^(-0.45 u)

    Then it waits for what is left of the shortest iteration, R_n, and for requests before it:

        E[excess | waits] = R_n + u/(1 - u) (ca2 + cs2)/(1 + cs2) R_1/n_P,   R_1 = E[S^2]/(2 E[S])

    distributed as Weibull with shape ``1 + 0.07 ln n_P``. Who waits shares iterations, so that

        u = lambda/n_P [S_sat + (S1 - S_sat)/(1 + L)],   L = lambda/n_P P(waits) E[excess | waits]

    with L the mean number that wait on a machine, and u found where both agree.

    Parameters
    ----------
    work : of the prompts
    machines : n_P [1]
    rate_per_s : lambda [1/s]
    arrival_cv2 : ca2, squared coefficient of variation of the gaps between arrivals [1]

    Exact for one machine without batching: M/M/1, and the mean of M/G/1 (Pollaczek and Khinchine). For more machines,
    C with ``c' = 1 + (n_P - 1)/z``, ``z = (1 + ca2)/2``, is Erlang's with Hayward's correction for bursts (Fredericks,
    Bell System Technical Journal 59, 1980); KLB is the delay probability of GI/G/1 after Kraemer and Langenbach-Belz
    (Whitt, Bell System Technical Journal 62, 1983, equation 48). Derived here: the shortest iteration, since the
    router counts tokens and not time left; the 0.45, because own queues leave machines idle while others have a queue;
    the 0.07; and the balance of u. The two constants were set on 500 replays with 40,000 requests (1 to 45 machines,
    load 0.2 to 0.93, ca2 0.3 to 4, lengths of two traces and lognormal ones), which `accuracy` does not use: mean
    error of P(waits) 0.009 for Poisson arrivals and load up to 0.85. Valid for loads up to 0.85 and ca2 of 0.3 to 4.
    """
    full, single = rate_per_s * work.packed_s / machines, rate_per_s * work.mean_s / machines
    if full >= 1.0:
        return None
    u = np.linspace(full, max(min(single, _FULL), full), GRID)
    least = work.least_residual_s(machines)
    odds = _odds_all_busy(u, machines, arrival_cv2, work.cv2)
    odds *= (machines * least / work.residual_s) ** (-UNEVEN * u)
    waits = odds / (1.0 + odds)
    burst = (arrival_cv2 + work.cv2) / (1.0 + work.cv2) if work.cv2 + arrival_cv2 > 0 else 0.0
    excess = least + u / (1.0 - u) * burst * work.residual_s / machines
    waiting = rate_per_s / machines * waits * excess
    balance = u - full - max(single - full, 0.0) / (1.0 + waiting)
    found = float(np.interp(0.0, balance, u)) if u[-1] > u[0] else full
    at = float(np.interp(found, u, waits)), float(np.exp(np.interp(found, u, np.log(excess))))
    return PromptQueue(full, found, at[0], at[1], 1.0 + SHAPE * math.log(machines))


def _odds_all_busy(u: Array, machines: int, arrival_cv2: float, service_cv2: float) -> Array:
    """Odds that an arrival finds all machines busy, see `prompt_queue` [1], same shape as ``u``."""
    alike = 1.0 + (machines - 1.0) / (0.5 + 0.5 * arrival_cv2)
    low = math.floor(alike)
    if alike == low:
        chance = erlang_c(u * low, low)
        odds: Array = chance / (1.0 - chance)
    else:
        counts = np.array([[low], [low + 1.0]])
        chance = erlang_c(u * counts, counts)
        fewer, more = chance / (1.0 - chance)
        odds = fewer ** (1.0 - (alike - low)) * more ** (alike - low)
    if arrival_cv2 == 1.0:
        return odds
    one = np.clip(_one_busy(u, arrival_cv2, service_cv2), 1e-9, 1.0 - 1e-9)
    found: Array = odds * (one / (1.0 - one) * (1.0 - u) / u) ** (1.0 / machines)
    return found


def _one_busy(u: Array, arrival_cv2: float, service_cv2: float) -> Array:
    """Probability that an arrival at one server waits: Kraemer and Langenbach-Belz, see `prompt_queue` [1]."""
    heavy = u**2 * (4.0 * arrival_cv2 + service_cv2)
    if arrival_cv2 < 1.0:
        h = (1.0 + arrival_cv2 + u * service_cv2) / (1.0 + u * (service_cv2 - 1.0) + heavy)
    else:
        h = 4.0 * u / (arrival_cv2 + heavy)
    found: Array = u + (arrival_cv2 - 1.0) * u * (1.0 - u) * h
    return found
