"""The state of a replay: requests, machines, lists of them, and what happens next.

Everything in this and the other ``replay_*`` files is a plain function of records and flat sequences, so that the same
text runs as it is (on objects and lists) and compiled (on arrays) with the same results to the last bit. A request is a
number, in order of arrival; its prompt task is twice that number, its token task one more. Memory is counted in tokens
of KV cache.

The rules are those of SplitwiseSim (github.com/Mutinifni/splitwise-sim@8f99e7d): mixed batching with a limit on
preemption, shortest queue first, machines borrowed between pools. What differs is said where it does.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

INFINITE = math.inf
NOBODY = -1
PROMPT_POOL, TOKEN_POOL, MIXED_POOL = 0, 1, 2
RETRY, ARRIVAL = 0, 1
"""What a transfer's event means: try to begin it, or it is done."""
PROMPT_HELD, TOKEN_HELD, TOKEN_BLOCKED, PROMPT_DONE, TOKEN_WAITS, PROMPT_WAITS, POOLED = 1, 2, 4, 8, 16, 32, 64
"""Flags of a request: memory taken for prompt and tokens, tokens preempted, prompt done, tasks waiting, known to the
machine it is on."""
POOL, PROMPTS, BLOCKED, FLOWS, WAITING, LISTS = 0, 1, 2, 3, 4, 5
"""Lists of a machine: requests in order of arrival, prompts first come first served, preempted token tasks, transfers
that wait for memory, and tasks that wait for the batch."""

REAL, WHOLE, SHORT = "f8", "i8", "i4"
REQUEST = {
    "arrival_s": REAL, "ttft_s": REAL, "e2e_s": REAL, "stamp": WHOLE,
    "prompt": SHORT, "compute": SHORT, "output": SHORT, "left": SHORT,
    "passes": SHORT, "prompt_at": SHORT, "token_at": SHORT, "state": SHORT,
}  # fmt: skip
"""Fields of a request: when it came, when its first and last token were out, the last selection it was part of; tokens
of its prompt, those of them to compute, tokens of its answer, those still to come after the first; times passed over,
its machines, its flags."""
MACHINE = {
    "prompt_start": WHOLE, "prompt_last": WHOLE, "decode_start": WHOLE, "context_start": WHOLE,
    "pool": WHOLE, "home": WHOLE, "room": REAL, "link": REAL, "layers": REAL,
    "held": REAL, "held_peak": REAL, "reserved": REAL, "pending": WHOLE,
    "size": WHOLE, "tokens": WHOLE, "token_tasks": WHOLE, "run": WHOLE, "cut": WHOLE,
    "start_s": REAL, "step_s": REAL, "grow_s": REAL, "end_s": REAL, "place": WHOLE, "queue": WHOLE,
    "prompt_busy_s": REAL, "decode_busy_s": REAL,
    "prompt_tokens": WHOLE, "decode_tokens": WHOLE, "decode_steps": WHOLE,
}  # fmt: skip
"""Fields of a machine: where its times begin in the tables; its pool, the pool it belongs to, its memory, network and
the model's layers; memory taken, the most ever, memory promised, tokens pending; its batch (tasks, tokens, token tasks,
iterations in a row, whether cut short), when that began, how long one iteration takes, what each adds, when it ends;
its place on the agenda, and the machine that has the place of its own number; and what it did."""
STATE = {"next": WHOLE, "stamp": WHOLE, "queued": WHOLE, "flowing": WHOLE, "borrowed_prompt": WHOLE,
         "borrowed_token": WHOLE, "retries": WHOLE, "done": WHOLE}  # fmt: skip
"""Fields of the whole: the next request to arrive, selections so far, machines and transfers on the agenda, moves of
prompt and token machines to the mixed pool, transfers that found no room, requests that ended."""
ENDS = {"head": WHOLE, "tail": WHOLE, "count": WHOLE}
"""Fields of a list's ends."""
LINK = {"next": SHORT, "prev": SHORT}
"""Fields of a place in a list: its neighbours."""
FLOW = {"when": REAL, "what": WHOLE}
"""Fields of a transfer on the agenda: when something happens to it; twice the request, plus what that is."""


class Rules(NamedTuple):
    """Limits and habits of every machine, see `replay.Policy`."""

    batch_max: int
    batch_tokens_max: int
    passes_max: int
    queue_tokens_max: int
    mixed_factor: float
    mixed_sum: int
    mixed_floor: int
    retry_s: float
    backlog_max: int
    layer_wise: int
    sync_s: float
    split: int


class World(NamedTuple):
    """Everything a replay works on.

    Attributes
    ----------
    state, requests, machines : records with the fields above; ``queue`` of the machines is a heap by ``end_s``
    ends, links : of the lists, all lists one after the other; ends one per list and machine
    flows : transfers as a heap by time
    batch : tasks of each machine's batch, and room for one batch more
    tables : times of all kinds of machine [s]
    order : machines of each pool in order
    members : how many there are
    """

    rules: Rules
    state: Any
    requests: Any
    machines: Any
    ends: Any
    links: Any
    flows: Any
    batch: Any
    tables: Any
    order: Any
    members: Any


# --- lists -----------------------------------------------------------------------------------------------------


def length(world: World, which: int, m: int) -> int:
    """Members of a list of a machine."""
    found: int = world.ends[which * len(world.machines) + m].count
    return found


def first(world: World, which: int, m: int) -> int:
    """Head of a list of a machine, or nobody."""
    found: int = world.ends[which * len(world.machines) + m].head
    return found


def last(world: World, which: int, m: int) -> int:
    """Tail of a list of a machine, or nobody."""
    found: int = world.ends[which * len(world.machines) + m].tail
    return found


def after(world: World, which: int, x: int) -> int:
    """Who follows ``x`` in a list."""
    found: int = world.links[which * len(world.requests) + x].next
    return found


def before(world: World, which: int, x: int) -> int:
    """Who precedes ``x`` in a list."""
    found: int = world.links[which * len(world.requests) + x].prev
    return found


def insert_before(world: World, which: int, m: int, x: int, other: int) -> None:
    """Put ``x`` before ``other`` in a list of a machine; at the end where that is nobody."""
    base = which * len(world.requests)
    ends = world.ends[which * len(world.machines) + m]
    previous = ends.tail if other == NOBODY else world.links[base + other].prev
    world.links[base + x].prev = previous
    world.links[base + x].next = other
    if other == NOBODY:
        ends.tail = x
    else:
        world.links[base + other].prev = x
    if previous == NOBODY:
        ends.head = x
    else:
        world.links[base + previous].next = x
    ends.count += 1


def remove(world: World, which: int, m: int, x: int) -> None:
    """Take ``x`` out of a list of a machine."""
    base = which * len(world.requests)
    ends = world.ends[which * len(world.machines) + m]
    previous, following = world.links[base + x].prev, world.links[base + x].next
    if previous == NOBODY:
        ends.head = following
    else:
        world.links[base + previous].next = following
    if following == NOBODY:
        ends.tail = previous
    else:
        world.links[base + following].prev = previous
    ends.count -= 1


# --- what happens next -------------------------------------------------------------------------------------------


def rise(world: World, at: int) -> None:
    """Move a machine up the agenda to where it belongs."""
    machines = world.machines
    m = machines[at].queue
    time = machines[m].end_s
    while at > 0:
        parent = (at - 1) >> 1
        other = machines[parent].queue
        ends = machines[other].end_s
        if ends < time or (ends == time and other < m):
            break
        machines[at].queue = other
        machines[other].place = at
        at = parent
    machines[at].queue = m
    machines[m].place = at


def sink(world: World, at: int) -> None:
    """Move a machine down the agenda to where it belongs."""
    machines = world.machines
    size = world.state[0].queued
    m = machines[at].queue
    time = machines[m].end_s
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = machines[child].queue
        ends = machines[other].end_s
        if child + 1 < size:
            right = machines[child + 1].queue
            sooner = machines[right].end_s
            if sooner < ends or (sooner == ends and right < other):
                child, other, ends = child + 1, right, sooner
        if time < ends or (time == ends and m < other):
            break
        machines[at].queue = other
        machines[other].place = at
        at = child
    machines[at].queue = m
    machines[m].place = at


def schedule(world: World, m: int, time: float) -> None:
    """Let a machine end its batch at a time, whether it had another before or none."""
    machine, state = world.machines[m], world.state[0]
    machine.end_s = time
    if machine.place == NOBODY:
        machine.place = state.queued
        world.machines[state.queued].queue = m
        state.queued += 1
    rise(world, machine.place)
    sink(world, machine.place)


def unschedule_first(world: World) -> int:
    """Take the machine whose batch ends first off the agenda, and return it."""
    machines, state = world.machines, world.state[0]
    found: int = machines[0].queue
    machines[found].place = NOBODY
    state.queued -= 1
    if state.queued > 0:
        machines[0].queue = machines[state.queued].queue
        machines[machines[0].queue].place = 0
        sink(world, 0)
    return found


def push_flow(world: World, time: float, what: int) -> None:
    """Note a transfer's event."""
    flows, state = world.flows, world.state[0]
    at = state.flowing
    state.flowing += 1
    while at > 0:
        parent = (at - 1) >> 1
        above = flows[parent]
        if above.when < time or (above.when == time and above.what < what):
            break
        flows[at].when = above.when
        flows[at].what = above.what
        at = parent
    flows[at].when = time
    flows[at].what = what


def pop_flow(world: World) -> int:
    """Take the next event of a transfer off the agenda, and return what it is."""
    flows, state = world.flows, world.state[0]
    found: int = flows[0].what
    state.flowing -= 1
    size = state.flowing
    time, what = flows[size].when, flows[size].what
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        below = flows[child]
        if child + 1 < size:
            right = flows[child + 1]
            if right.when < below.when or (right.when == below.when and right.what < below.what):
                child, below = child + 1, right
        if time < below.when or (time == below.when and what < below.what):
            break
        flows[at].when = below.when
        flows[at].what = below.what
        at = child
    flows[at].when = time
    flows[at].what = what
    return found


def move(world: World, m: int, pool: int) -> None:
    """Move a machine to the end of another pool."""
    machine, order, members = world.machines[m], world.order, world.members
    many = len(world.machines)
    base, end = machine.pool * many, machine.pool * many + members[machine.pool] - 1
    at = base
    while order[at] != m:
        at += 1
    for number in range(at, end):
        order[number] = order[number + 1]
    members[machine.pool] -= 1
    order[pool * many + members[pool]] = m
    members[pool] += 1
    machine.pool = pool
