"""Times a plan's points on a backend and scales them to all layers.

Every point runs at each depth of the plan; time and energy of the whole model follow from the differences. A point
whose runs do not fit the budget or the memory, or whose differences drown in scatter, is left out and named.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiplan.planners.serving.measure.backend import Backend, Step
from aiplan.planners.serving.measure.forward import Stack, build, forward, new_cache
from aiplan.planners.serving.measure.power import PowerMeter, PowerReading, Sensor
from aiplan.planners.serving.measure.profile import Point
from aiplan.planners.serving.measure.schedule import CHUNKS, MIN_REPEATS, WARM_UP, Budget, Plan, Shot, Timing, summarise
from aiplan.planners.serving.measure.stack import (
    Depth,
    StackShape,
    combine,
    combine_spread,
    depth_weights,
)

IDLE_S = 2.0
"""How long an idle accelerator is watched, after as long a wait for it to settle [s]."""

Run = tuple[Timing, PowerReading]


class LeftOutError(Exception):
    """Why a point has no result."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Points of both kinds, points left out with the reason, idle power [W] and how power was read."""

    prefill: tuple[Point, ...]
    decode: tuple[Point, ...]
    dropped: tuple[tuple[Shot, str], ...]
    idle_power_w: float | None
    power_method: str


def measure_plan(
    backend: Backend,
    shape: StackShape,
    plan: Plan,
    budget: Budget,
    sensor: Sensor | None = None,
    say: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Measured:
    """Time every point of a plan.

    Parameters
    ----------
    shape : one accelerator's share of the model
    budget : made for the plan: points times depths
    sensor : where power is read; None measures time alone
    say : told every point as it is done
    """
    stack = build(backend, shape, plan.depths[0])
    idle = _idle(sensor, sleep)
    points: dict[str, list[Point]] = {"prefill": [], "decode": []}
    dropped = list(plan.dropped)
    methods = set()
    for done_before, shot in enumerate(plan.shots):
        budget.expect((len(plan.shots) - done_before) * len(plan.depths))
        try:
            runs = _run_depths(backend, stack, plan.depths, shot, budget, sensor)
            done = point_of(shape, plan.depths, shot, runs, backend.bytes_per_weight)
        except (LeftOutError, backend.memory_error) as error:
            reason = str(error) if isinstance(error, LeftOutError) else "does not fit the memory"
            dropped.append((shot, reason))
            say(f"{shot.label()}: left out, {reason}")
            continue
        methods |= {reading.method for _, reading in runs}
        points[shot.kind].append(done)
        watts = "" if done.power_w is None else f", {done.power_w:.0f} W"
        say(f"{shot.label()}: {done.time_s * 1e3:.3f} ms{watts}")
    return Measured(
        tuple(points["prefill"]), tuple(points["decode"]), tuple(dropped), idle, "+".join(sorted(methods - {""}))
    )


def _idle(sensor: Sensor | None, sleep: Callable[[float], None]) -> float | None:
    """Power with weights loaded and nothing to do [W]."""
    if sensor is None:
        return None
    sleep(IDLE_S)
    with PowerMeter(sensor) as meter:
        sleep(IDLE_S)
    return meter.reading.power_w


def _run_depths(
    backend: Backend, stack: Stack, depths: tuple[Depth, ...], shot: Shot, budget: Budget, sensor: Sensor | None
) -> list[Run]:
    """Timing and power of a point at each depth."""
    runs = []
    for depth in depths:
        step = backend.recorded(step_of(backend, stack.cut(depth), shot))
        first_s = min(backend.time_s(step, WARM_UP))
        repeats = budget.repeats(first_s)
        if not repeats:
            raise LeftOutError("the time budget is used up")
        runs.append(_timed(backend, step, repeats, budget, sensor))
        del step  # its cache makes room for the next one
    return runs


def _timed(backend: Backend, step: Step, repeats: int, budget: Budget, sensor: Sensor | None) -> Run:
    if sensor is None:
        return summarise(_times(backend, step, repeats, budget)), PowerReading(None, "")
    with PowerMeter(sensor) as meter:
        times = _times(backend, step, repeats, budget)
    return summarise(times), meter.reading


def _times(backend: Backend, step: Step, repeats: int, budget: Budget) -> list[float]:
    """Seconds of each of the repeats; of fewer, but one part at least, where the budget ends the run."""
    chunk = max(math.ceil(repeats / CHUNKS), MIN_REPEATS)
    times: list[float] = []
    while len(times) < repeats and not (times and budget.run_over):
        times += backend.time_s(step, min(chunk, repeats - len(times)))
    return times


def step_of(backend: Backend, stack: Stack, shot: Shot) -> Step:
    """One pass of a point, with new tokens and a full cache of its own; every call does the same again."""
    x = backend.normal((shot.batch, shot.new_tokens, stack.shape.hidden_size), 1.0)
    cache = new_cache(backend, stack, shot.batch, shot.context_tokens)

    def step() -> Any:
        return forward(backend, stack, x, cache, shot.past_tokens)

    return step


def point_of(
    shape: StackShape, depths: tuple[Depth, ...], shot: Shot, runs: list[Run], bytes_per_weight: float
) -> Point:
    """A point of the whole model from its runs at each depth.

    Time and energy are combined with `depth_weights`, power is energy over time. The fixed part is 0 where the
    difference comes out below it, by scatter.

    Parameters
    ----------
    runs : timing and power at each of the depths

    Raises
    ------
    LeftOutError where the depths do not differ by more than runs scatter.
    """
    to_all, to_none = depth_weights(depths, shape.layers), depth_weights(depths, (0, 0))
    times = [timing.time_s for timing, _ in runs]
    spread = combine_spread(to_all, [timing.spread_s for timing, _ in runs])
    total, overhead = combine(to_all, times), combine(to_none, times)
    if any(shallow >= times[0] for shallow in times[1:]) or total <= spread:
        raise LeftOutError("the depths do not differ by more than runs scatter")
    watts = [reading.power_w for _, reading in runs]
    energies = [power * seconds for power, seconds in zip(watts, times, strict=True) if power is not None]
    clock_mhz = runs[0][1].sm_clock_mhz
    energy = combine(to_all, energies) if len(energies) == len(times) else 0.0
    return Point(
        batch=shot.batch,
        context_tokens=shot.context_tokens,
        tokens=shot.tokens,
        time_s=_rounded(total),
        spread_s=_rounded(spread),
        overhead_s=_rounded(max(overhead, 0.0)),
        repeats=min(timing.repeats for timing, _ in runs),
        flop=shot.flop(shape, shape.layers),
        read_bytes=shot.read_bytes(shape, shape.layers, bytes_per_weight),
        power_w=_rounded(energy / total) if energy > 0 else None,
        sm_clock_mhz=None if clock_mhz is None else _rounded(clock_mhz),
    )


def _rounded(value: float) -> float:
    """Seven digits: more than any measurement here has."""
    return float(f"{value:.7g}")
