"""A machine at work: batches start and end, tasks join, caches move on."""

from __future__ import annotations

import math

from aiplan.planners.split.replay_batch import hold, need, select, wait_in_line
from aiplan.planners.split.replay_state import (
    ARRIVAL,
    FLOWS,
    MIXED_POOL,
    NOBODY,
    POOL,
    POOLED,
    PROMPT_DONE,
    PROMPT_WAITS,
    PROMPTS,
    RETRY,
    TOKEN_WAITS,
    WAITING,
    World,
    before,
    first,
    insert_before,
    last,
    length,
    move,
    push_flow,
    remove,
    schedule,
)


def start(world: World, m: int, now: float, old: int) -> None:
    """Start the next batch of a machine, or leave it idle."""
    machine = world.machines[m]
    if length(world, POOL, m) == 0:
        machine.size = 0
        if machine.pool == MIXED_POOL and machine.home != MIXED_POOL:
            move(world, m, machine.home)
        return
    select(world, m, old)
    if machine.size == 0:
        return
    step, grow, run = 0.0, 0.0, 1
    if machine.token_tasks > 0:
        step = world.tables[machine.decode_start + machine.token_tasks]
        slope = world.tables[machine.context_start + machine.token_tasks]
        if slope != 0.0:
            step += slope * context_tokens(world, m)
            grow = slope * machine.token_tasks
    if machine.token_tasks < machine.size:
        grow = 0.0
        if world.rules.mixed_sum:
            step += prompt_time(world, m, machine.tokens - machine.token_tasks)
        else:
            factor = world.rules.mixed_factor if machine.token_tasks > 0 else 1.0
            together = prompt_time(world, m, machine.tokens) * factor
            # The simulator lets a step with a short prompt be over sooner than one without.
            step = max(step, together) if world.rules.mixed_floor else together
    else:
        run = fewest_left(world, m)
    machine.start_s = now
    machine.step_s = step
    machine.grow_s = grow
    machine.run = run
    machine.cut = 0
    schedule(world, m, now + lasting(step, grow, run))


def context_tokens(world: World, m: int) -> int:
    """Tokens before the next one, over all sequences of the batch."""
    base, found = m * world.rules.batch_max, 0
    for number in range(base, base + world.machines[m].size):
        task = world.batch[number]
        if task & 1:
            request = world.requests[task >> 1]
            found += request.prompt + request.output - request.left
    return found


def fewest_left(world: World, m: int) -> int:
    """Iterations until the first sequence of a batch without prompts is done."""
    base = m * world.rules.batch_max
    found: int = world.requests[world.batch[base] >> 1].left
    for number in range(base + 1, base + world.machines[m].size):
        left = world.requests[world.batch[number] >> 1].left
        if left < found:
            found = left
    return found


def prompt_time(world: World, m: int, tokens: int) -> float:
    """Time of an iteration over so many prompt tokens; the last segment of the table goes on beyond its end [s]."""
    machine = world.machines[m]
    end: float = world.tables[machine.prompt_start + min(tokens, machine.prompt_last)]
    if tokens <= machine.prompt_last:
        return end
    slope: float = end - world.tables[machine.prompt_start + machine.prompt_last - 1]
    beyond: int = tokens - machine.prompt_last
    return end + beyond * slope


def lasting(step: float, grow: float, run: int) -> float:
    """Time of a run of iterations, each longer than the last by what the tokens before it added [s]."""
    if grow == 0.0:
        return run * step
    return run * step + grow * (0.5 * run * (run - 1))


def cut(world: World, m: int, now: float) -> None:
    """End a run of token iterations after the one under way, so that whoever came can join."""
    machine = world.machines[m]
    if machine.cut or machine.token_tasks < machine.size:
        return
    machine.cut = 1
    elapsed, step, grow = now - machine.start_s, machine.step_s, machine.grow_s
    if grow == 0.0:
        done = math.floor(elapsed / step) + 1
    else:
        half = step - 0.5 * grow
        done = math.floor((math.sqrt(half * half + 2.0 * grow * elapsed) - half) / grow) + 1
        while done > 1 and lasting(step, grow, done - 1) > elapsed:
            done -= 1
        while lasting(step, grow, done) <= elapsed:
            done += 1
    if done < machine.run:
        machine.run = done
        schedule(world, m, machine.start_s + lasting(step, grow, done))


def enter_pool(world: World, m: int, r: int) -> None:
    """Put a request among those of a machine, in order of arrival."""
    world.requests[r].state |= POOLED
    earlier, following = last(world, POOL, m), NOBODY
    while earlier != NOBODY and earlier > r:
        following = earlier
        earlier = before(world, POOL, earlier)
    insert_before(world, POOL, m, r, following)


def leave_pool(world: World, m: int, r: int) -> None:
    """Take a request from those of a machine."""
    remove(world, POOL, m, r)
    world.requests[r].state &= ~POOLED


def join(world: World, m: int, task: int, now: float) -> None:
    """A task arrives at a machine."""
    machine, rules, r = world.machines[m], world.rules, task >> 1
    request = world.requests[r]
    if not request.state & POOLED:
        enter_pool(world, m, r)
    wait_in_line(world, m, task)
    if task & 1:
        request.state |= TOKEN_WAITS
    else:
        insert_before(world, PROMPTS, m, r, NOBODY)
        request.state |= PROMPT_WAITS
    if machine.size == 0:
        if machine.held + need(world, task) <= machine.room:
            start(world, m, now, 0)
        return
    budget = 1 if task & 1 else request.compute
    fitting = machine.size < rules.batch_max and machine.tokens + budget <= rules.batch_tokens_max
    # A prompt may push sequences out.
    if fitting or (not task & 1 and machine.tokens - machine.token_tasks + budget <= rules.batch_tokens_max):
        cut(world, m, now)


def finish_batch(world: World, m: int, now: float) -> None:
    """The batch of a machine ends: tokens are out, who is done leaves, the next batch starts."""
    machine, requests, batch = world.machines[m], world.requests, world.batch
    base, run = m * world.rules.batch_max, machine.run
    account(world, m, now)
    old, freed = 0, False
    for number in range(base, base + machine.size):
        task = batch[number]
        r = task >> 1
        request = requests[r]
        if not task & 1:
            finish_prompt(world, m, r, now)
            freed = freed or request.output == 1
            continue
        request.left -= run
        if request.left > 0:
            batch[base + old] = task
            old += 1
            continue
        request.e2e_s = now - request.arrival_s
        whole = request.prompt + request.output
        leave_pool(world, m, r)
        machine.pending -= 1
        machine.held -= whole
        machine.reserved -= whole
        world.state[0].done += 1
        freed = True
    if freed and length(world, FLOWS, m) > 0:
        begin_waiting_flows(world, m, now)
    start(world, m, now, old)


def account(world: World, m: int, now: float) -> None:
    """Note what a batch that ends did, and for how long."""
    machine = world.machines[m]
    spent = now - machine.start_s
    if machine.token_tasks < machine.size:
        machine.prompt_busy_s += spent
        machine.prompt_tokens += machine.tokens - machine.token_tasks
    else:
        machine.decode_busy_s += spent
        machine.decode_steps += machine.run
    machine.decode_tokens += machine.token_tasks * machine.run


def finish_prompt(world: World, m: int, r: int, now: float) -> None:
    """The first token of a request is out; its tokens go on here or elsewhere."""
    machine, request = world.machines[m], world.requests[r]
    t, held = request.token_at, request.prompt + 1
    machine.pending -= request.compute
    request.ttft_s = now - request.arrival_s
    request.state |= PROMPT_DONE
    if request.output == 1:
        request.e2e_s = request.ttft_s
        leave_pool(world, m, r)
        world.machines[t].pending -= 1
        world.machines[t].reserved -= held
        machine.held -= held
        if t != m:
            machine.reserved -= held
        world.state[0].done += 1
    elif t != m:
        leave_pool(world, m, r)
        begin_flow(world, r, now, now - machine.start_s)


def begin_flow(world: World, r: int, now: float, prompt_s: float) -> None:
    """Send a request's KV cache to the machine of its tokens, or wait until that has room.

    The simulator looks again every second; else whoever waits goes as soon as there is room, in order.
    """
    rules, request = world.rules, world.requests[r]
    p, t, size = request.prompt_at, request.token_at, request.prompt + 1
    to = world.machines[t]
    if to.held + size > to.room or (rules.retry_s == 0.0 and length(world, FLOWS, t) > 0):
        world.state[0].retries += 1
        if rules.retry_s > 0.0:
            push_flow(world, now + rules.retry_s, 2 * r + RETRY)
        else:
            insert_before(world, FLOWS, t, r, NOBODY)
        return
    hold(world, t, size)
    serial = request.prompt / min(world.machines[p].link, to.link)
    if rules.layer_wise:
        # Layers leave while later ones are computed; what is left is the last layer, or what the link is behind by.
        layers = world.machines[p].layers
        serial = max(serial / layers, serial - prompt_s * (layers - 1.0) / layers) + rules.sync_s
    push_flow(world, now + serial, 2 * r + ARRIVAL)


def begin_waiting_flows(world: World, t: int, now: float) -> None:
    """Room was made: start the transfers that waited for it, first come first served."""
    to = world.machines[t]
    r = first(world, FLOWS, t)
    while r != NOBODY and to.held + world.requests[r].prompt + 1 <= to.room:
        request = world.requests[r]
        remove(world, FLOWS, t, r)
        hold(world, t, request.prompt + 1)
        # The prompt is long done: all of its layers go at once.
        speed = min(world.machines[request.prompt_at].link, to.link)
        push_flow(world, now + request.prompt / speed, 2 * r + ARRIVAL)
        r = first(world, FLOWS, t)


def finish_flow(world: World, what: int, now: float) -> None:
    """A transfer is done, or is tried again."""
    r = what >> 1
    if not what & 1:
        begin_flow(world, r, now, 0.0)
        return
    rules, request = world.rules, world.requests[r]
    p = request.prompt_at
    machine = world.machines[p]
    machine.held -= request.prompt + 1
    machine.reserved -= request.prompt + 1
    join(world, request.token_at, 2 * r + 1, now)
    if length(world, FLOWS, p) > 0:
        begin_waiting_flows(world, p, now)
    if length(world, WAITING, p) == 0:
        return
    if machine.size == 0:
        if machine.held + need(world, first(world, WAITING, p)) <= machine.room:
            start(world, p, now, 0)
    elif machine.size < rules.batch_max and machine.tokens < rules.batch_tokens_max:
        cut(world, p, now)
