"""A second way to the latencies of `service.online`: a simulation of users in a closed loop, step by step.

It knows nothing of chips and models: a step takes ``fixed_s + sequence_s * (running) + token_s * (prompt tokens)``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Steps:
    """Time of a step: its fixed part, per running sequence, per prompt token worked on in it [s]."""

    fixed_s: float
    sequence_s: float
    token_s: float


@dataclass(frozen=True)
class Loop:
    """Means over all requests: time to first token, time per later token [s]; output tokens per second of the run."""

    ttft_s: float
    tpot_s: float
    output_tok_s: float
    late_ttft_s: float
    """Mean time to first token over the second half of the requests: the burst of the start has passed."""


def simulate(
    steps: Steps,
    users: int,
    prompt_tokens: float,
    output_tokens: float,
    *,
    rounds: int = 10,
    chunk_tokens: int = 8192,
    most_running: float = np.inf,
    shortest: float = 0.8,
    seed: int = 1,
) -> Loop:
    """Users who send their next request when the last is answered, all from t = 0, first come first served.

    Parameters
    ----------
    prompt_tokens, output_tokens : nominal; drawn uniformly from ``shortest`` to 1 of it
    most_running : requests that memory holds at once; the others wait
    """
    generator = np.random.default_rng(seed)
    total = rounds * users
    prompts = np.maximum(np.rint(generator.uniform(shortest, 1.0, total) * prompt_tokens), 1)
    answers = np.maximum(np.rint(generator.uniform(shortest, 1.0, total) * output_tokens), 1)
    sent, first, done = np.zeros(total), np.zeros(total), np.zeros(total)
    waiting = deque(range(users))
    next_request, clock = users, 0.0
    filling: deque[int] = deque()
    to_fill = prompts.copy()
    running = np.zeros(0, dtype=int)
    left = np.zeros(0)
    while waiting or filling or running.size:
        while waiting and len(filling) + running.size < most_running:
            filling.append(waiting.popleft())
        budget = max(chunk_tokens - running.size, 0)
        filled, ready = 0.0, []
        while filling and filled < budget:
            part = min(budget - filled, to_fill[filling[0]])
            to_fill[filling[0]] -= part
            filled += part
            if to_fill[filling[0]] <= 0:
                ready.append(filling.popleft())
        clock += steps.fixed_s + steps.sequence_s * running.size + steps.token_s * filled
        left = left - 1
        over = running[left <= 0]
        done[over] = clock
        first[ready] = clock
        instant = [one for one in ready if answers[one] <= 1]
        done[instant] = clock
        stay = [one for one in ready if answers[one] > 1]
        keep = left > 0
        running = np.concatenate([running[keep], np.array(stay, dtype=int)])
        left = np.concatenate([left[keep], answers[stay] - 1])
        for _ in range(over.size + len(instant)):
            if next_request < total:
                sent[next_request] = clock
                waiting.append(next_request)
                next_request += 1
    ttft = first - sent
    later = answers > 1
    tpot = (done - first)[later] / (answers[later] - 1)
    return Loop(
        ttft_s=float(ttft.mean()),
        tpot_s=float(tpot.mean()) if later.any() else float("nan"),
        output_tok_s=float(answers.sum() / clock),
        late_ttft_s=float(ttft[total // 2 :].mean()),
    )
