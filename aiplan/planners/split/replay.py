"""Replay of requests on a cluster of prompt and token machines, or of mixed ones: what every request would see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require
from aiplan.planners.split.replay_router import advance as plain_advance
from aiplan.planners.split.replay_state import (
    ENDS,
    FLOW,
    LINK,
    LISTS,
    MACHINE,
    MIXED_POOL,
    NOBODY,
    PROMPT_POOL,
    REQUEST,
    STATE,
    TOKEN_POOL,
    Rules,
    World,
)

CHUNK = 100_000
"""Requests between two looks at the progress bar [1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """What a kind of machine takes for prompts and tokens, as tables over whole numbers.

    Attributes
    ----------
    name : of the kind
    prompt_s : time of an iteration over x batched prompt tokens, x the index; goes on in a straight line beyond its
        end [s], shape (tokens + 1,)
    decode_s : time of an iteration over b sequences without context, b the index [s], shape (batch + 1,)
    context_s : what each token of context in the batch adds to it [s], shape (batch + 1,)
    room_tokens : KV cache that its memory has room for [tokens]
    link_tokens_per_s : KV cache that its network sends or takes [tokens/s]
    layers : of the model [1]
    start_s : what its engine adds to the first token of each request, and takes no machine's time [s]
    """

    name: str
    prompt_s: Array
    decode_s: Array
    context_s: Array
    room_tokens: float
    link_tokens_per_s: float
    layers: float = 1.0
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How machines batch and how caches move.

    Attributes
    ----------
    batch_max : most tasks of a batch [1]
    batch_tokens_max : most tokens of a batch with more than one task: a prompt counts its own, a sequence one [tokens]
    passes_max : times a request is passed over before it goes first [1]
    queue_tokens_max : pending prompt tokens from which on a machine's queue counts as too long [tokens]
    mixed_factor : time of an iteration with prompts and sequences over one with as many prompt tokens [1]
    mixed_sum : instead, such an iteration takes as long as its prompts and its sequences would one after the other
    mixed_floor : such an iteration takes at least as long as its sequences alone
    retry_s : a transfer without room tries again after this long; 0 waits until there is room, in order [s]
    layer_wise : layers leave while later ones are computed; else the cache leaves when the prompt is done
    sync_s : what a layer-wise transfer costs however short it is [s]
    backlog_max : requests in the house beyond which the replay gives up; 0 for never [1]
    """

    batch_max: int = 512
    batch_tokens_max: int = 2048
    passes_max: int = 4
    queue_tokens_max: int = 8192
    mixed_factor: float = 1.1
    mixed_sum: bool = False
    mixed_floor: bool = True
    retry_s: float = 0.0
    layer_wise: bool = True
    sync_s: float = 0.005
    backlog_max: int = 0


SIMULATOR = Policy(retry_s=1.0, layer_wise=False, mixed_floor=False)
"""What SplitwiseSim does: serialised transfers, tried again after a second; steps that prompts can shorten."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """How many of which machine. Either prompt and token machines, or mixed ones."""

    prompt: tuple[tuple[Machine, int], ...] = ()
    token: tuple[tuple[Machine, int], ...] = ()
    mixed: tuple[tuple[Machine, int], ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.mixed) != bool(self.prompt or self.token), "machines are split or mixed, not both")
        require(bool(self.prompt) == bool(self.token), "a split cluster has prompt and token machines")
        require([count >= 1 for _, count in self.pools], "counts must be 1 or more")

    @property
    def pools(self) -> tuple[tuple[Machine, int], ...]:
        """Kinds with their counts, prompt before token."""
        return (*self.prompt, *self.token, *self.mixed)

    @property
    def split(self) -> bool:
        """Whether prompts and tokens have machines of their own."""
        return not self.mixed


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the requests and of the machines.

    Attributes
    ----------
    ttft_s, e2e_s : time to first token, and to the last, by request; NaN where it was not served [s]
    output_tokens : tokens asked for [1]
    busy_prompt_s, busy_decode_s : time in iterations with a prompt, and with sequences alone, by machine [s]
    prompt_tokens, decode_tokens : worked on, by machine [1]
    decode_steps : iterations with sequences alone, by machine [1]
    room_used : most of the memory for caches that was held at once, by machine [1]
    pool : pool each machine was bought for, see `replay_state`
    end_s : time of the last event [s]
    unserved : requests that had not ended when nothing more could happen [1]
    borrowed_prompt, borrowed_token : moves of prompt and of token machines to the mixed pool [1]
    retries : transfers that found no room, every try counted [1]
    """

    ttft_s: Array
    e2e_s: Array
    output_tokens: npt.NDArray[Any]
    busy_prompt_s: Array
    busy_decode_s: Array
    prompt_tokens: Array
    decode_tokens: Array
    decode_steps: Array
    room_used: Array
    pool: npt.NDArray[Any]
    end_s: float
    unserved: int
    borrowed_prompt: int
    borrowed_token: int
    retries: int


def mean_batch(found: Replayed) -> float:
    """Sequences of a decode step on the machine where they are most, mean over its steps [1]."""
    return float(np.max(found.decode_tokens / np.maximum(found.decode_steps, 1.0), initial=0.0))


def replay(
    arrival_s: Array,
    prompt_tokens: npt.NDArray[Any],
    output_tokens: npt.NDArray[Any],
    cluster: Cluster,
    policy: Policy = Policy(),
    *,
    computed_tokens: npt.NDArray[Any] | None = None,
    compiled: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Replayed:
    """Every request through the cluster, one event at a time.

    Parameters
    ----------
    arrival_s : ascending [s], shape (requests,)
    prompt_tokens, output_tokens : whole numbers of 1 or more [tokens], shape (requests,)
    cluster, policy : what serves them, and how
    computed_tokens : prompt tokens that no prefix cache answers, at least 1; all of them where absent [tokens]
    compiled : run compiled code; by default where numba is installed and it is worth it
    progress : called now and then with requests arrived and requests in all

    Raises
    ------
    ValueError for arrivals that are not ascending, for lengths below 1 and for a request larger than every memory

    Source: the rules of SplitwiseSim (github.com/Mutinifni/splitwise-sim@8f99e7d), the simulator of the Splitwise paper
    (arXiv 2311.18677), with other ways to move caches.
    """
    from aiplan.planners.split.compiled import compile_advance, worth_compiling

    arrival = np.ascontiguousarray(arrival_s, dtype=np.float64)
    require(np.all(np.diff(arrival) >= 0) and np.all(np.isfinite(arrival)), "arrivals must be ascending")
    computed = prompt_tokens if computed_tokens is None else computed_tokens
    require(np.min(computed, initial=1) >= 1 and np.min(output_tokens, initial=1) >= 1, "lengths must be 1 or more")
    fast = worth_compiling(len(arrival)) if compiled is None else compiled
    world = _world(arrival, prompt_tokens, computed, output_tokens, cluster, policy, arrays=fast)
    advance = compile_advance(_smallest) if fast else plain_advance
    total, until, end = len(arrival), 0, 0.0
    while True:
        until = min(until + CHUNK, total)
        end = float(advance(world, until))
        if progress is not None:
            progress(until, total)
        if until == total or world.state[0].next < until:
            break
    starts = np.repeat([machine.start_s for machine, _ in cluster.pools], [count for _, count in cluster.pools])
    return _replayed(world, end, starts)


def _world(
    arrival: Array, prompt: Any, computed: Any, output: Any, cluster: Cluster, policy: Policy, *, arrays: bool
) -> World:
    """The state of a replay before it begins: arrays for compiled code, objects and lists for plain."""
    requests, kinds = len(arrival), [machine for machine, _ in cluster.pools]
    kind = np.repeat(np.arange(len(kinds)), [count for _, count in cluster.pools])
    machines = len(kind)
    home = np.concatenate(
        [
            np.full(sum(count for _, count in side), pool)
            for side, pool in ((cluster.prompt, PROMPT_POOL), (cluster.token, TOKEN_POOL), (cluster.mixed, MIXED_POOL))
        ]
    )
    order, members = np.zeros((3, machines), dtype=np.int64), np.zeros(3, dtype=np.int64)
    for pool in range(3):
        own = np.flatnonzero(home == pool)
        order[pool, : len(own)], members[pool] = own, len(own)
    work = _records(REQUEST, requests)
    for name, values in (("arrival_s", arrival), ("prompt", prompt), ("compute", computed), ("output", output)):
        work[name] = values
    for name in ("ttft_s", "e2e_s"):
        work[name] = np.nan
    for name in ("prompt_at", "token_at"):
        work[name] = NOBODY
    tables, starts = _tables(kinds, policy.batch_max)
    state = _records(MACHINE, machines)
    for name, values in starts.items():
        state[name] = values[kind]
    for name, field in (("room", "room_tokens"), ("link", "link_tokens_per_s"), ("layers", "layers")):
        state[name] = np.array([getattr(machine, field) for machine in kinds], dtype=np.float64)[kind]
    state["pool"] = state["home"] = home
    state["place"] = NOBODY
    ends = _records(ENDS, LISTS * machines)
    ends["head"] = ends["tail"] = NOBODY
    # The list of waiting tasks has two of each request.
    links = _records(LINK, (LISTS + 1) * requests)
    flat: dict[str, Any] = {
        "batch": np.zeros((machines + 1) * policy.batch_max, dtype=np.int32),
        "tables": tables,
        "order": order.ravel(),
        "members": members,
    }
    records = {
        "state": _records(STATE, 1),
        "requests": work,
        "machines": state,
        "ends": ends,
        "links": links,
        "flows": _records(FLOW, requests + 1),
    }
    if arrays:
        return World(
            rules=_rules(policy, cluster), **{name: found.view(np.recarray) for name, found in records.items()}, **flat
        )
    return World(
        rules=_rules(policy, cluster),
        **{name: _objects(found) for name, found in records.items()},
        **{name: found.tolist() for name, found in flat.items()},
    )


def _smallest() -> World:
    """A state of the types that compiled code works on."""
    one = np.ones(1)
    machine = Machine("", np.ones(3), np.ones(2), np.zeros(2), 1.0, 1.0)
    return _world(one, one, one, one, Cluster(mixed=((machine, 1),)), Policy(batch_max=1), arrays=True)


def _records(fields: dict[str, str], size: int) -> npt.NDArray[Any]:
    return np.zeros(size, dtype=list(fields.items()))


def _objects(records: npt.NDArray[Any]) -> list[Any]:
    """Records as objects with the same fields: plain code reads those faster."""
    names = records.dtype.names or ()
    made = type("Record", (), {"__slots__": names})
    found = [made() for _ in range(len(records))]
    for name in names:
        for one, value in zip(found, records[name].tolist(), strict=True):
            setattr(one, name, value)
    return found


def _rules(policy: Policy, cluster: Cluster) -> Rules:
    return Rules(
        batch_max=policy.batch_max,
        batch_tokens_max=policy.batch_tokens_max,
        passes_max=policy.passes_max,
        queue_tokens_max=policy.queue_tokens_max,
        mixed_factor=policy.mixed_factor,
        mixed_sum=int(policy.mixed_sum),
        mixed_floor=int(policy.mixed_floor),
        retry_s=policy.retry_s,
        backlog_max=policy.backlog_max,
        layer_wise=int(policy.layer_wise),
        sync_s=policy.sync_s,
        split=int(cluster.split),
    )


def _tables(kinds: list[Machine], batch_max: int) -> tuple[Array, dict[str, npt.NDArray[Any]]]:
    """Times of all kinds, one after the other, and where those of each begin."""
    parts: list[Array] = []
    starts: dict[str, list[int]] = {name: [] for name in ("prompt_start", "decode_start", "context_start")}
    at = 0
    for machine in kinds:
        require(min(len(machine.decode_s), len(machine.context_s)) > batch_max, "a table ends before the batch does")
        require((np.min(machine.prompt_s[1:]) > 0) & (np.min(machine.decode_s[1:]) > 0), "iterations must take time")
        require(len(machine.prompt_s) > 2, "a table of prompts needs more than two entries")
        for name, table in zip(starts, (machine.prompt_s, machine.decode_s, machine.context_s), strict=True):
            starts[name].append(at)
            parts.append(table)
            at += len(table)
    found = {name: np.array(values) for name, values in starts.items()}
    found["prompt_last"] = np.array([len(machine.prompt_s) - 1 for machine in kinds])
    return np.concatenate(parts), found


def _replayed(world: World, end: float, starts: Array) -> Replayed:
    state = world.state[0]

    def column(records: Any, name: str) -> Any:
        return records[name] if isinstance(records, np.ndarray) else np.array([getattr(one, name) for one in records])

    work = {name: np.ascontiguousarray(column(world.requests, name)) for name in ("ttft_s", "e2e_s", "output")}
    if starts.any():
        extra = starts[column(world.requests, "prompt_at")]
        work["ttft_s"], work["e2e_s"] = work["ttft_s"] + extra, work["e2e_s"] + extra
    machines = {name: np.ascontiguousarray(column(world.machines, name)) for name in MACHINE}
    return Replayed(
        ttft_s=work["ttft_s"],
        e2e_s=work["e2e_s"],
        output_tokens=work["output"],
        busy_prompt_s=machines["prompt_busy_s"],
        busy_decode_s=machines["decode_busy_s"],
        prompt_tokens=machines["prompt_tokens"],
        decode_tokens=machines["decode_tokens"],
        decode_steps=machines["decode_steps"],
        room_used=machines["held_peak"] / machines["room"],
        pool=machines["home"],
        end_s=end,
        unserved=len(world.requests) - int(state.done),
        borrowed_prompt=int(state.borrowed_prompt),
        borrowed_token=int(state.borrowed_token),
        retries=int(state.retries),
    )
