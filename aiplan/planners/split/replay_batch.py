"""Which tasks a machine takes into its next batch."""

from __future__ import annotations

from aiplan.planners.split.replay_state import (
    BLOCKED,
    NOBODY,
    POOL,
    PROMPT_DONE,
    PROMPT_HELD,
    PROMPT_WAITS,
    PROMPTS,
    TOKEN_BLOCKED,
    TOKEN_HELD,
    TOKEN_WAITS,
    WAITING,
    World,
    after,
    first,
    insert_before,
    length,
    remove,
)


def need(world: World, task: int) -> int:
    """Memory a task takes when it first runs [tokens]."""
    request = world.requests[task >> 1]
    found: int = request.output - 1 if task & 1 else request.prompt + 1
    return found


def hold(world: World, m: int, tokens: float) -> None:
    """Take memory of a machine."""
    machine = world.machines[m]
    machine.held += tokens
    if machine.held > machine.held_peak:
        machine.held_peak = machine.held


def wait_in_line(world: World, m: int, task: int) -> None:
    """Put a task among those that wait on a machine, ordered by how often they were passed over, then by arrival."""
    requests = world.requests
    r = task >> 1
    passes = requests[r].passes
    other = first(world, WAITING, m)
    while other != NOBODY:
        more = requests[other >> 1].passes
        if more > passes or (more == passes and other >> 1 > r):
            break
        other = after(world, WAITING, other)
    insert_before(world, WAITING, m, task, other)


def fits(world: World, m: int, task: int) -> bool:
    """Whether the batch being formed has room for a task, memory aside; the first always has."""
    rules, machine = world.rules, world.machines[m]
    if machine.size == 0:
        return True
    budget = 1 if task & 1 else world.requests[task >> 1].compute
    found: bool = machine.size < rules.batch_max and machine.tokens + budget <= rules.batch_tokens_max
    return found


def admit(world: World, m: int, task: int, stamp: int) -> bool:
    """Put a task that fits into the batch being formed; False where there is no memory for it."""
    machine, r = world.machines[m], task >> 1
    request = world.requests[r]
    state = request.state
    kept = TOKEN_HELD if task & 1 else PROMPT_HELD
    if not state & kept:
        wanted = need(world, task)
        if machine.held + wanted > machine.room:
            return False
        hold(world, m, wanted)
        state |= kept
    if task & 1:
        if state & TOKEN_BLOCKED:
            remove(world, BLOCKED, m, r)
        if state & TOKEN_WAITS:
            remove(world, WAITING, m, task)
        state &= ~(TOKEN_BLOCKED | TOKEN_WAITS)
        machine.token_tasks += 1
        machine.tokens += 1
    else:
        remove(world, PROMPTS, m, r)
        if state & PROMPT_WAITS:
            remove(world, WAITING, m, task)
        state &= ~PROMPT_WAITS
        machine.tokens += request.compute
    request.state = state
    request.stamp = stamp
    world.batch[m * world.rules.batch_max + machine.size] = task
    machine.size += 1
    return True


def select_passed_over(world: World, m: int, stamp: int) -> None:
    """Tasks passed over too often go first, while all that wait were."""
    task = first(world, WAITING, m)
    while task != NOBODY:
        request = world.requests[task >> 1]
        if request.passes < world.rules.passes_max or not fits(world, m, task):
            return
        following = after(world, WAITING, task)
        if request.stamp != stamp and (not task & 1 or request.state & PROMPT_DONE):
            admit(world, m, task, stamp)
        task = following


def select_prompts(world: World, m: int, stamp: int) -> None:
    """Prompts first come first served, until one does not fit."""
    r = first(world, PROMPTS, m)
    while r != NOBODY:
        following = after(world, PROMPTS, r)
        if world.requests[r].stamp != stamp and not (fits(world, m, 2 * r) and admit(world, m, 2 * r, stamp)):
            return
        r = following


def select_blocked(world: World, m: int, stamp: int) -> None:
    """Sequences that had to make room for others; their memory is still theirs."""
    r = first(world, BLOCKED, m)
    while r != NOBODY:
        following = after(world, BLOCKED, r)
        if world.requests[r].stamp != stamp:
            if not fits(world, m, 2 * r + 1):
                return
            admit(world, m, 2 * r + 1, stamp)
        r = following


def select_pool(world: World, m: int, stamp: int) -> None:
    """Whoever is left in order of arrival, until one does not fit."""
    r = first(world, POOL, m)
    while r != NOBODY:
        request = world.requests[r]
        if request.stamp != stamp:
            task = 2 * r + 1 if request.state & PROMPT_DONE else 2 * r
            if not (fits(world, m, task) and admit(world, m, task, stamp)):
                return
        r = after(world, POOL, r)


def pass_over(world: World, m: int, stamp: int) -> None:
    """Count it for every request of the machine that the batch leaves out."""
    r = first(world, POOL, m)
    while r != NOBODY:
        request = world.requests[r]
        if request.stamp != stamp:
            request.passes += 1
        r = after(world, POOL, r)


def keeps_on(world: World, m: int, old: int) -> bool:
    """Whether the last batch simply goes on, with at most one sequence that joins at its end: by far the most common
    case, and the same result as the whole selection would give."""
    waiting = length(world, WAITING, m)
    if waiting > 1 or length(world, BLOCKED, m) > 0:
        return False
    task = first(world, WAITING, m)
    if waiting == 1:
        request = world.requests[task >> 1]
        if not task & 1 or not request.state & PROMPT_DONE or request.passes >= world.rules.passes_max:
            return False
    machine = world.machines[m]
    machine.size = old
    machine.tokens = old
    machine.token_tasks = old
    if waiting == 1 and not (fits(world, m, task) and admit(world, m, task, 0)):
        world.requests[task >> 1].passes += 1
    return True


def select(world: World, m: int, old: int) -> None:
    """Form the next batch of a machine, of which the first ``old`` tasks are those of the last one not done yet."""
    machine, batch, requests = world.machines[m], world.batch, world.requests
    if keeps_on(world, m, old):
        return
    stamp = world.state[0].stamp + 1
    world.state[0].stamp = stamp
    machine.size = 0
    machine.tokens = 0
    machine.token_tasks = 0
    # The tasks of the last batch make way while the new one is formed.
    base, aside = m * world.rules.batch_max, len(world.machines) * world.rules.batch_max
    for number in range(old):
        batch[aside + number] = batch[base + number]
    select_passed_over(world, m, stamp)
    select_prompts(world, m, stamp)
    select_blocked(world, m, stamp)
    left_out = 0
    for number in range(old):
        task = batch[aside + number]
        if requests[task >> 1].stamp == stamp:
            continue
        if fits(world, m, task):
            admit(world, m, task, stamp)
        else:
            batch[aside + left_out] = task
            left_out += 1
    if machine.size + left_out < length(world, POOL, m):
        select_pool(world, m, stamp)
    for number in range(left_out):
        task = batch[aside + number]
        request = requests[task >> 1]
        if request.stamp != stamp:
            insert_before(world, BLOCKED, m, task >> 1, NOBODY)
            wait_in_line(world, m, task)
            request.state |= TOKEN_BLOCKED | TOKEN_WAITS
    if machine.size < length(world, POOL, m):
        pass_over(world, m, stamp)
