"""How long a run has to be: idle at both ends, time to settle after a transient, and steady state between."""

from __future__ import annotations

from dataclasses import dataclass

from aiplan.errors import InputError, Problem
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.limits import INFINITE, Limits
from aiplan.planners.stabilize.scene import JobSpec
from aiplan.planners.stabilize.timeline import Schedule, mean_period_s

LEAST_IDLE_S = 20.0
"""Idle before a start and after a stop where a scenario says nothing [s]."""
LEAST_SETTLE_S = 30.0
"""Time after a transient before the state is steady, where a scenario says nothing [s]: assumed."""
RAMPS = 1.7
"""Time that a swing at the slowest ramp allowed needs to settle, over its own: accelerators that limit both ramps rise
only for the time by which compute outlasts the rest [1]."""
MOST_RAMP_S = 12_000.0
"""Longest ramp that is simulated [s]."""
SETTLING = 5.0
"""Time constants of storage until its charge has settled [1]; see `storage.buffer`."""
STEADY_S, MOST_STEADY_S = 240.0, 1200.0
"""Steady state that a run is made longer for where slow ramps would leave none, at least and at most [s]."""


@dataclass(frozen=True, slots=True)
class RunLength:
    """Length of a run, idle at each of its ends, and time after a transient before the state is steady [s]."""

    duration_s: float
    idle_s: float
    settle_s: float


def run_length(inputs: StabilizeInputs, jobs: list[JobSpec], limits: Limits, idle_w: float) -> RunLength:
    """A run as asked, or longer where limits or measures ask for ramps that would not come to an end in it.

    Parameters
    ----------
    idle_w : of an accelerator without a job [W]

    Raises
    ------
    InputError (E312) for ramps so slow that no run can hold one.
    """
    simulation = inputs.simulation
    slowest = _slowest(limits)
    swing = sum(job.accelerators * job.count * (_hot_w(job) - idle_w) for job in jobs)
    ramp_s = RAMPS * swing / slowest if slowest < INFINITE else 0.0
    if ramp_s > MOST_RAMP_S:
        message = (
            f"limits: a start at {slowest / 1e6:.3g} MW/s takes {swing / slowest:,.0f} s for a swing of "
            f"{swing / 1e6:,.4g} MW; runs hold ramps of up to {MOST_RAMP_S / RAMPS:,.0f} s"
        )
        hint = "relax the ramp or the range, or ask for a smaller job; docs/stabilize.md has the storage in closed form"
        raise InputError(Problem("E312", message, "limits", hint=hint))
    ramp_s = max(ramp_s, _measure_s(inputs, jobs, idle_w))
    idle_s = max(simulation.idle_s if simulation.idle_s is not None else LEAST_IDLE_S, ramp_s)
    charged_s = min(SETTLING * _time_constant_s(inputs), simulation.duration_s / 4.0)
    settle_s = simulation.settle_s if simulation.settle_s is not None else max(LEAST_SETTLE_S, ramp_s, charged_s)
    duration_s = simulation.duration_s
    if ramp_s > LEAST_IDLE_S:
        before = max(job.start_s + sum(one.duration_s for one in job.start_up) for job in jobs)
        steady = max([STEADY_S, *(min(1.5 * between_checkpoints_s(job), MOST_STEADY_S) for job in jobs)])
        duration_s = max(duration_s, 2.0 * idle_s + before + settle_s + steady)
    return RunLength(duration_s, idle_s, settle_s)


def between_checkpoints_s(job: JobSpec) -> float:
    """Time from one checkpoint to the next; 0 where there is none [s]."""
    if job.checkpoint is None:
        return 0.0
    schedule = Schedule(job.phases, 1.0, 0.0, evaluation=job.evaluation, checkpoint=job.checkpoint)
    return job.checkpoint.every_iterations * mean_period_s(schedule)


def _hot_w(job: JobSpec) -> float:
    return max(phase.power_w for phase in job.phases)


def _slowest(limits: Limits) -> float:
    """The slowest ramp that a limit asks for [W/s]."""
    slopes = [slope for one in limits.ramps for slope in (one.up_w_per_s, one.down_w_per_s)]
    if limits.range_w is not None:
        slopes.append(limits.range_w / limits.range_window_s)
    return min(slopes, default=INFINITE)


def _measure_s(inputs: StabilizeInputs, jobs: list[JobSpec], idle_w: float) -> float:
    """Time that measures asked for take at a start or a stop [s]."""
    given, found = inputs.mitigation, [0.0]
    if given is None:
        return 0.0
    if given.start_cap is not None:
        found.append(given.start_cap.duration_s.distribution.median)
    if given.gpu is not None:
        swing = max(_hot_w(job) for job in jobs) - idle_w
        rates = (given.gpu.ramp_up_w_per_s, given.gpu.ramp_down_w_per_s)
        found += [RAMPS * swing / one.distribution.median for one in rates if one is not None]
    return min(max(found), MOST_RAMP_S)


def _time_constant_s(inputs: StabilizeInputs) -> float:
    """The longest time constant of storage that is asked for or may be searched [s]."""
    given = inputs.mitigation
    if given is None:
        return max(inputs.search.time_constants_s, default=0.0)
    return max((one.time_constant_s.distribution.median for one in given.storage.values()), default=0.0)


__all__ = ["RunLength", "between_checkpoints_s", "run_length"]
