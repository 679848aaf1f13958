"""Who gets which request, and the loop over everything that happens."""

from __future__ import annotations

from aiplan.planners.split.replay_machine import finish_batch, finish_flow, join
from aiplan.planners.split.replay_state import (
    INFINITE,
    MIXED_POOL,
    NOBODY,
    PROMPT_POOL,
    TOKEN_POOL,
    WAITING,
    World,
    length,
    move,
    pop_flow,
    unschedule_first,
)


def least_pending(world: World, pool: int) -> int:
    """Machine of a pool with the fewest pending tokens, the first of several; nobody where the pool is empty."""
    base, found, best = pool * len(world.machines), NOBODY, 0
    for number in range(base, base + world.members[pool]):
        m = world.order[number]
        if found == NOBODY or world.machines[m].pending < best:
            best = world.machines[m].pending
            found = m
    return found


def least_reserved(world: World, pool: int) -> int:
    """Machine of a pool with the least memory promised, the first of several; nobody where the pool is empty."""
    base, found, best = pool * len(world.machines), NOBODY, 0.0
    for number in range(base, base + world.members[pool]):
        m = world.order[number]
        if found == NOBODY or world.machines[m].reserved < best:
            best = world.machines[m].reserved
            found = m
    return found


def prompt_machine(world: World, pool: int, compute: int) -> int:
    """Machine of a pool for a prompt, unless its queue is too long."""
    m = least_pending(world, pool)
    if m == NOBODY or length(world, WAITING, m) == 0:
        return m
    return m if world.machines[m].pending + compute <= world.rules.queue_tokens_max else NOBODY


def token_machine(world: World, pool: int, size: int) -> int:
    """Machine of a pool for a request's tokens, unless its memory is promised to others."""
    m = least_reserved(world, pool)
    if m != NOBODY and world.machines[m].reserved + size >= world.machines[m].room:
        return NOBODY
    return m


def shortest_queue(world: World) -> int:
    """Machine with the fewest pending tokens of all pools: prompt, mixed, token."""
    found = NOBODY
    for pool in (PROMPT_POOL, MIXED_POOL, TOKEN_POOL):
        m = least_pending(world, pool)
        if m != NOBODY and (found == NOBODY or world.machines[m].pending < world.machines[found].pending):
            found = m
    return found


def route(world: World, r: int, now: float) -> None:
    """Send a request that arrives to its machines."""
    machines, state, request = world.machines, world.state[0], world.requests[r]
    compute, size = request.compute, request.prompt + request.output
    if not world.rules.split:
        p = least_pending(world, MIXED_POOL)
        t = p
    else:
        p = prompt_machine(world, PROMPT_POOL, compute)
        if p == NOBODY:
            p = prompt_machine(world, MIXED_POOL, compute)
        t = token_machine(world, TOKEN_POOL, size)
        if t == NOBODY:
            t = token_machine(world, MIXED_POOL, size)
        if p == NOBODY and world.members[TOKEN_POOL] > 0:
            p = least_pending(world, TOKEN_POOL)
            move(world, p, MIXED_POOL)
            state.borrowed_token += 1
        if t == NOBODY and world.members[PROMPT_POOL] > 0:
            t = least_reserved(world, PROMPT_POOL)
            move(world, t, MIXED_POOL)
            state.borrowed_prompt += 1
        if p == NOBODY or t == NOBODY:
            p = shortest_queue(world)
            t = p
    request.prompt_at = p
    request.token_at = t
    request.left = request.output - 1
    machines[t].reserved += size
    if p != t:
        machines[p].reserved += request.prompt + 1
    machines[p].pending += compute
    machines[t].pending += 1
    join(world, p, 2 * r, now)
    if p == t and request.output > 1:
        # A request that stays: both tasks wait there from the start.
        join(world, p, 2 * r + 1, now)


def advance(world: World, until: int) -> float:
    """Replay until so many requests have arrived, or all are served, or more are in the house than the rules allow.

    Returns the time of the last event [s].
    """
    state, backlog_max = world.state[0], world.rules.backlog_max
    total = len(world.requests)
    now = 0.0
    while True:
        r = state.next
        arrival = world.requests[r].arrival_s if r < total else INFINITE
        batch_end = world.machines[world.machines[0].queue].end_s if state.queued > 0 else INFINITE
        flow = world.flows[0].when if state.flowing > 0 else INFINITE
        if arrival <= batch_end and arrival <= flow:
            if r >= until or arrival == INFINITE or 0 < backlog_max < r - state.done:
                return now
            state.next = r + 1
            now = arrival
            route(world, r, now)
        elif batch_end <= flow:
            now = batch_end
            finish_batch(world, unschedule_first(world), now)
        else:
            now = flow
            finish_flow(world, pop_flow(world), now)
