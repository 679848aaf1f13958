"""Level 0: how many machines the flows of tokens need, without a queue."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.split.analytic import Prepared

UTILISATION_MOST = 0.85
"""Prompt utilisation beyond which queues grow too long to promise anything; assumed, the usual figure [1]."""


class Pools(NamedTuple):
    """Machines that flows need, not rounded.

    Attributes
    ----------
    prompt, token : n_P and n_T [machines]
    """

    prompt: float
    token: float

    @property
    def whole(self) -> tuple[int, int]:
        """The same in whole machines, at least one of each."""
        return max(math.ceil(self.prompt), 1), max(math.ceil(self.token), 1)


def flow_balance(
    prepared: Prepared, rate_per_s: float, step_max_s: float = math.inf, utilisation_max: float = UTILISATION_MOST
) -> Pools:
    """Machines that a rate needs: a bound from below, and where to begin a search.

        n_P = lambda S_sat/rho_max,   n_T = lambda E[N-1] f(b)/b,   at least lambda E[n]/link of each

    with b the largest batch whose step f stays within the limit and whose caches, n + N each, fit the memory.

    Parameters
    ----------
    prepared : the requests and machines
    rate_per_s : lambda [1/s]
    step_max_s : longest step [s]
    utilisation_max : rho_max, 0 to 1 [1]

    Raises ValueError where not even a batch of one keeps the limit or fits.
    """
    require(rate_per_s > 0.0 and 0.0 < utilisation_max <= 1.0, "the rate must be positive, the utilisation in 0..1")
    work, tokens = prepared.prompt_work, prepared.token_work
    batch, step = tokens.batch[1:], tokens.step_s[1:]
    fits = (step <= step_max_s) & (batch * float(prepared.size.mean()) <= prepared.token.room_tokens)
    require(fits[0], "not even one sequence keeps the limit and fits the memory")
    steps_per_s = float(np.max(np.where(fits, batch / step, 0.0)))
    sent = rate_per_s * float(prepared.prompts.mean())
    return Pools(
        max(rate_per_s * work.packed_s / utilisation_max, sent / prepared.prompt.link_tokens_per_s),
        max(rate_per_s * tokens.mean_steps / steps_per_s, sent / prepared.token.link_tokens_per_s),
    )


def token_rate_pools(
    input_tokens_per_s: float,
    output_tokens_per_s: float,
    prompt_tokens_per_s: float,
    decode_tokens_per_s: float,
    cached_fraction: float = 0.0,
    *,
    rate_counts_hits: bool = True,
) -> Pools:
    """Machines of which only token rates are known.

    ``n_P = input/tau_p``, ``n_T = output/tau_d``; where tau_p counts computed tokens alone, n_P is (1 - h) times that

    Parameters
    ----------
    input_tokens_per_s, output_tokens_per_s : of all requests, cache hits counted [tokens/s]
    prompt_tokens_per_s, decode_tokens_per_s : tau_p and tau_d, of one machine [tokens/s]
    cached_fraction : h, share of input tokens that a prefix cache answers [1]
    rate_counts_hits : whether tau_p counts them, as published rates mostly do

    DeepSeek's day of February 2025 (open-infra-index, day 6): 608e9 input tokens with 56.3 % hits and 168e9 output
    tokens at 73.7k and 14.8k tokens/s per node, hits counted, took 226.75 nodes on average:

    >>> pools = token_rate_pools(608e9 / 86400, 168e9 / 86400, 73.7e3, 14.8e3, 0.563)
    >>> round(pools.prompt, 2), round(pools.token, 2), round(sum(pools), 2)
    (95.48, 131.38, 226.86)
    """
    require(min(prompt_tokens_per_s, decode_tokens_per_s) > 0.0, "token rates of machines must be positive")
    require(0.0 <= cached_fraction <= 1.0, "the cached fraction must lie in 0..1")
    computed = input_tokens_per_s * (1.0 if rate_counts_hits else 1.0 - cached_fraction)
    return Pools(computed / prompt_tokens_per_s, output_tokens_per_s / decode_tokens_per_s)
