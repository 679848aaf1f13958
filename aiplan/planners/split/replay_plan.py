"""A trace on a cluster that is given: what every request saw, and whether the promises hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array
from aiplan.planners.split.offers import SIMCOMPAT, DecodeModel, Offer, beyond_measured, policy_of, profile_offer
from aiplan.planners.split.profile_machines import MOST_TOKENS
from aiplan.planners.split.replay import Cluster, Policy, Replayed, mean_batch, replay
from aiplan.planners.split.slo import SPLITWISE, Judged, Times, alone, judge, times
from aiplan.planners.split.trace_file import read_trace
from aiplan.planners.split.workload import Requests

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

REFERENCE = "dgx-a100"
"""Machine that slowdowns are against, as in the paper."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be replayed: machines by name with their counts, in the order given."""

    trace: Path
    profile: str
    prompt: tuple[tuple[str, int], ...] = ()
    token: tuple[tuple[str, int], ...] = ()
    mixed: tuple[tuple[str, int], ...] = ()
    decode_model: DecodeModel = "measured"


@dataclass(slots=True)
class ReplayResult:
    """A replay with everything its report needs."""

    asked: Asked
    offers: dict[str, Offer]
    reference: Offer
    requests: Requests
    cluster: Cluster
    policy: Policy
    found: Replayed
    seen: Times
    judged: Judged
    warnings: list[tuple[str, str]] = field(default_factory=list)


def replay_plan(asked: Asked, catalog: Catalog, progress: Callable[[int, int], None] | None = None) -> ReplayResult:
    """Replay a trace.

    Raises
    ------
    InputError for a file, profile or machine that cannot be used, and for a request that no machine has memory for.
    """
    profile = catalog.resolve("profiles", asked.profile)
    names = dict.fromkeys(name for name, _ in (*asked.prompt, *asked.token, *asked.mixed))
    # Machines are looked up before a long file is read.
    for name in names:
        profile_offer(catalog, profile, name, asked.decode_model)
    requests = read_trace(asked.trace)
    most = max(MOST_TOKENS, int(requests.prompt_tokens.max()) + 1)
    offers = {name: profile_offer(catalog, profile, name, asked.decode_model, most_tokens=most) for name in names}
    reference = offers.get(REFERENCE) or profile_offer(
        catalog, profile, REFERENCE, asked.decode_model, most_tokens=most
    )
    check_memory(requests, list(offers.values()), str(asked.trace))

    def side(machines: Sequence[tuple[str, int]]) -> tuple[tuple[object, int], ...]:
        return tuple((offers[name].machine, count) for name, count in machines)

    cluster = Cluster(side(asked.prompt), side(asked.token), side(asked.mixed))  # type: ignore[arg-type]
    policy = policy_of(asked.decode_model)
    found = replay(
        requests.arrival_s,
        requests.prompt_tokens,
        requests.output_tokens,
        cluster,
        policy,
        computed_tokens=requests.computed_tokens,
        progress=progress,
    )
    simulator = asked.decode_model == "simcompat"
    seen = times(found.ttft_s, found.e2e_s, requests.output_tokens, simulator=simulator)
    judged = judge(seen, SPLITWISE, alone_on(reference, requests))
    result = ReplayResult(asked, offers, reference, requests, cluster, policy, found, seen, judged)
    _warn(result)
    return result


def alone_on(reference: Offer, requests: Requests) -> Times:
    """The same requests, each on a reference machine of its own."""
    return alone(reference.machine, requests.prompt_tokens, requests.output_tokens, reference.step_by_tokens_s)


def check_memory(requests: Requests, offers: Sequence[Offer], what: str) -> None:
    """Raise InputError for requests that are larger than a machine's memory: they would wait for ever."""
    least = min(offers, key=lambda offer: offer.machine.room_tokens)
    sizes: Array = requests.prompt_tokens.astype(np.float64) + requests.output_tokens
    large = np.flatnonzero(sizes >= least.machine.room_tokens)
    if len(large):
        many = "" if len(large) == 1 else f" and {len(large) - 1:,} more"
        raise InputError(
            Problem(
                "E221",
                f"request {large[0] + 1:,} of {what}{many} needs {sizes[large[0]]:,.0f} tokens of KV cache; "
                f"{least.name} has room for {max(least.machine.room_tokens, 0.0):,.0f}",
                hint="leave the request out, or name a machine with more memory",
            )
        )


def _warn(result: ReplayResult) -> None:
    """What a reader must know of these numbers."""
    asked, found = result.asked, result.found
    if asked.decode_model == "simcompat":
        result.warnings.append(("W-SPLIT-SIMCOMPAT", SIMCOMPAT))
    if asked.decode_model == "measured" and (note := beyond_measured(mean_batch(found), result.offers)):
        result.warnings.append(("W-SPLIT-BATCH", note))
    if any("pcap" in name for name in result.offers):
        result.warnings.append(
            ("W-SPLIT-PCAP", "nothing was measured on the power-capped machine: its prompts take 1.30 times and its "
             "tokens 1.00 times what they take without a cap, as the simulator assumes")
        )  # fmt: skip
    if found.unserved:
        result.warnings.append(
            ("W-SPLIT-UNSERVED", f"{found.unserved:,} requests never ended: the machines wait for each other's memory")
        )
    if found.retries and asked.decode_model != "simcompat":
        result.warnings.append(
            ("W-SPLIT-MEMORY", f"{found.retries:,} caches waited for memory of a token machine before they could move")
        )
