"""What a job does when, and how much an accelerator draws meanwhile: a schedule as a row of segments.

Model evaluation and checkpoints are part of the schedule because they move the lines of the spectrum: steps that stop
for a pause every so often repeat with the block, not with the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize.wave import CHECKPOINT, EVALUATION, IDLE, ITERATION, RESTART, START, Kinds

SHORTEST_FACTOR = 0.1
"""Least duration of a phase over what it is on average, however it jitters [1]: assumed."""

SLIVER_S = 1e-9
"""What is left of a phase by less than this is rounding and joins the one before it [s]."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an iteration, evaluation, checkpoint or start-up: its length [s] and power [W per accelerator]."""

    name: str
    duration_s: float
    power_w: float

    def __post_init__(self) -> None:
        _check_not_negative(self.name, duration_s=self.duration_s, power_w=self.power_w)


@dataclass(frozen=True, slots=True)
class Pause:
    """Evaluation or checkpoint: its phases, after every so many iterations."""

    every_iterations: int
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        require(self.every_iterations >= 1, "every_iterations must be at least 1")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything a job does, from idle to idle.

    Attributes
    ----------
    phases : of one iteration
    run_s : from the start of the job to its stop, start-up and failures included [s]
    idle_w : power before, after and while a failed job waits [W per accelerator]
    evaluation, checkpoint : None for none; where both fall due, evaluation comes first
    start_up : phases before the first iteration, and again after every failure
    lead_s, tail_s : idle before and after [s]
    start_s : further delay of the start of this job, among several [s]
    failures_s : times after the start at which the job fails [s]; those after its stop never happen
    restart_s : it waits so long at ``idle_w`` after a failure, then starts up again [s]
    jitter_fraction : standard deviation of each phase's duration over its mean [1]
    phase_offset_s : iterations come so much later than without, behind the end of an extra one [s]. For jobs that are
        staggered; after the first start only, since nobody holds jobs in step after a failure
    """

    phases: tuple[Phase, ...]
    run_s: float
    idle_w: float
    evaluation: Pause | None = None
    checkpoint: Pause | None = None
    start_up: tuple[Phase, ...] = ()
    lead_s: float = 0.0
    start_s: float = 0.0
    tail_s: float = 0.0
    failures_s: tuple[float, ...] = ()
    restart_s: float = 0.0
    jitter_fraction: float = 0.0
    phase_offset_s: float = 0.0

    def __post_init__(self) -> None:
        names = ("run_s", "idle_w", "lead_s", "start_s", "tail_s", "restart_s", "jitter_fraction", "phase_offset_s")
        _check_not_negative("schedule", **{name: getattr(self, name) for name in names})
        for moment in self.failures_s:
            _check_not_negative("schedule", failures_s=moment)
        require(self.iteration_s > 0, "the phases of an iteration must last longer than 0 s together")
        require(self.total_s > 0, "a schedule must last longer than 0 s")

    @property
    def iteration_s(self) -> float:
        """Mean length of an iteration without pauses [s]."""
        return sum(phase.duration_s for phase in self.phases)

    @property
    def total_s(self) -> float:
        """Length of the whole schedule [s]."""
        return self.lead_s + self.start_s + self.run_s + self.tail_s


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Power that is constant for a while, then another: arrays of shape (S,).

    Attributes
    ----------
    duration_s : length of each segment, above 0 [s]
    power_w : power in it [W per accelerator]
    kind : what the job does in it, one of the kinds of `wave`
    """

    duration_s: Array
    power_w: Array
    kind: Kinds

    def __post_init__(self) -> None:
        require(self.duration_s.ndim == 1 and self.duration_s.size > 0, "segments are a row of at least one")
        same = self.power_w.shape == self.duration_s.shape == self.kind.shape
        require(same, "duration_s, power_w and kind must be equally long")
        require(self.duration_s > 0, "a segment must last longer than 0 s")

    @property
    def total_s(self) -> float:
        """Length of all segments together [s]."""
        return float(self.duration_s.sum())

    @property
    def energy_j(self) -> float:
        """Energy of all segments together [J per accelerator]."""
        return float(self.duration_s @ self.power_w)


def mean_period_s(schedule: Schedule) -> float:
    """Mean time per iteration, evaluation and checkpoint spread over the iterations between them [s].

    >>> step, test = Phase("step", 10.0, 700.0), Phase("test", 12.0, 600.0)
    >>> mean_period_s(Schedule((step,), 600.0, 100.0, evaluation=Pause(12, (test,))))
    11.0
    """
    pauses = [pause for pause in (schedule.evaluation, schedule.checkpoint) if pause is not None]
    spread = (sum(phase.duration_s for phase in pause.phases) / pause.every_iterations for pause in pauses)
    return schedule.iteration_s + sum(spread)


def segments(schedule: Schedule, seed: int) -> Segments:
    """The schedule as segments that last ``lead_s + start_s + run_s + tail_s`` together, to rounding.

    The iteration, pause or start-up that a failure or the stop cuts is simply cut. A failure while the job is still
    down lets it wait anew. After a failure iterations until the next pause are counted anew: it resumes at a
    checkpoint. Every phase's duration is multiplied by ``1 + jitter_fraction N(0, 1)``, by no less than 0.1.

    Parameters
    ----------
    schedule : what the job does
    seed : of the generator PCG64 that jitter is drawn from; without jitter nothing is drawn
    """
    random = np.random.Generator(np.random.PCG64(seed))
    failures = sorted(moment for moment in schedule.failures_s if moment < schedule.run_s)
    bounds = [0.0, *failures, schedule.run_s]
    parts = [_still(schedule.lead_s + schedule.start_s, schedule.idle_w, IDLE)]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        parts += _life(schedule, end - begin, random, first=number == 0)
    parts.append(_still(schedule.tail_s, schedule.idle_w, IDLE))
    rows = np.concatenate(parts, axis=1)
    duration, power, kind = rows[:, rows[0] > 0]
    return Segments(duration, power, kind.astype(np.int8))


def _life(schedule: Schedule, length_s: float, random: np.random.Generator, *, first: bool) -> list[Array]:
    """What happens between two failures, cut to ``length_s``: parts of shape (3, n): duration, power, kind."""
    start_up = _rows(schedule.start_up, START)
    start_up[0] *= _jitter(schedule, start_up.shape[1:], random)
    before = _late(schedule) if first else _still(schedule.restart_s, schedule.idle_w, RESTART)
    parts = [start_up, before] if first else [before, start_up]
    left_s = length_s - float(start_up[0].sum()) - float(before[0].sum())
    parts.extend(_iterations(schedule, left_s, random))
    return [_cut(np.concatenate(parts, axis=1), length_s)]


def _iterations(schedule: Schedule, length_s: float, random: np.random.Generator) -> Iterator[Array]:
    """Iterations and pauses until they fill ``length_s``, in lots of as many as it takes on average."""
    period_s = mean_period_s(schedule)
    done = 0
    while length_s > 0:
        lot = int(np.ceil(length_s / period_s)) + 1
        part = _lot(schedule, np.arange(done + 1, done + lot + 1, dtype=np.int64), random)
        yield part
        length_s -= float(part[0].sum())
        done += lot


def _lot(schedule: Schedule, number: npt.NDArray[np.int64], random: np.random.Generator) -> Array:
    """Iterations of the given numbers, counted from 1, each with the pauses after it; shape (3, n)."""
    columns, due = [_rows(schedule.phases, ITERATION)], [np.ones((number.size, len(schedule.phases)), dtype=np.bool_)]
    for pause, kind in ((schedule.evaluation, EVALUATION), (schedule.checkpoint, CHECKPOINT)):
        if pause is not None:
            columns.append(_rows(pause.phases, kind))
            due.append(np.repeat((number % pause.every_iterations == 0)[:, None], len(pause.phases), axis=1))
    pattern = np.concatenate(columns, axis=1)
    shape = (number.size, pattern.shape[1])
    happens = np.concatenate(due, axis=1)
    duration = pattern[0] * _jitter(schedule, shape, random)
    power, kinds = np.broadcast_to(pattern[1], shape), np.broadcast_to(pattern[2], shape)
    return np.stack([duration[happens], power[happens], kinds[happens]])


def _late(schedule: Schedule) -> Array:
    """The end of iterations that fills ``phase_offset_s`` before the first whole one; without jitter, so exact."""
    one = _rows(schedule.phases, ITERATION)
    whole = int(np.ceil(schedule.phase_offset_s / schedule.iteration_s))
    backwards = np.tile(one[:, ::-1], (1, whole))
    return _cut(backwards, schedule.phase_offset_s)[:, ::-1]


def _cut(rows: Array, length_s: float) -> Array:
    """The first ``length_s`` of rows that last at least as long; the last one is what makes the length exact."""
    ends = np.cumsum(rows[0])
    kept = int(np.searchsorted(ends, length_s - SLIVER_S))
    out = rows[:, : kept + 1].copy()
    if out.size:
        out[0, -1] = length_s - (ends[out.shape[1] - 2] if out.shape[1] > 1 else 0.0)
    return out


def _jitter(schedule: Schedule, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Factors of durations."""
    if schedule.jitter_fraction == 0:
        return np.ones(shape)
    return np.maximum(1.0 + schedule.jitter_fraction * random.standard_normal(shape), SHORTEST_FACTOR)


def _rows(phases: tuple[Phase, ...], kind: int) -> Array:
    """Phases as an array of shape (3, n): duration, power, kind."""
    return np.array([(phase.duration_s, phase.power_w, kind) for phase in phases], dtype=np.float64).reshape(-1, 3).T


def _still(duration_s: float, power_w: float, kind: int) -> Array:
    """One phase as an array of shape (3, 1)."""
    return np.array([[duration_s], [power_w], [kind]], dtype=np.float64)


def _check_not_negative(owner: str, **values: float) -> None:
    for name, value in values.items():
        require(np.isfinite(value) and value >= 0, f"{owner}: {name} must be a finite number, not below 0")
