"""Jobs behind one connection as waves, before and after a mix of measures.

A `Site` says what there is, `Scene` keeps the waves of the jobs without measures, `Scene.apply` puts a mix on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.stabilize.facility import Conversion, poi_power_w
from aiplan.planners.stabilize.gpu_smoothing import smooth
from aiplan.planners.stabilize.kernels import Kernels, kernels
from aiplan.planners.stabilize.mitigation import Mix, Storage
from aiplan.planners.stabilize.secondary_load import fill
from aiplan.planners.stabilize.start_cap import cap
from aiplan.planners.stabilize.storage import Buffered, buffer
from aiplan.planners.stabilize.timeline import Pause, Phase, Schedule, segments
from aiplan.planners.stabilize.wave import BUSY_KINDS, Flags, Kinds, Wave, of_kinds
from aiplan.planners.stabilize.waveform import lag, sample, skew, sum_of

Part = tuple[float, Array, Buffered]
"""Units of a storage that see the same load, that load [W], and what one of them does."""
SEED_STEP = 1000
"""Between the seeds of one kind of job and the next, more than there may be copies of one [1]."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Jobs of one kind.

    Attributes
    ----------
    accelerators, count : accelerators of one job, and jobs [1]
    phases : of one iteration, powers per accelerator [W]
    scales : for each phase whether it gets longer with the batch
    evaluation, checkpoint, start_up : as in `timeline.Schedule`
    start_s, failures_s, restart_s, jitter_fraction, skew_s : as in the scenario
    """

    accelerators: float
    count: int
    phases: tuple[Phase, ...]
    scales: tuple[bool, ...]
    evaluation: Pause | None = None
    checkpoint: Pause | None = None
    start_up: tuple[Phase, ...] = ()
    start_s: float = 0.0
    failures_s: tuple[float, ...] = ()
    restart_s: float = 0.0
    jitter_fraction: float = 0.0
    skew_s: float = 0.0

    def with_period(self, factor: float) -> JobSpec:
        """The same job with so many times the work in an iteration."""
        phases = tuple(
            replace(phase, duration_s=phase.duration_s * factor) if scaled else phase
            for phase, scaled in zip(self.phases, self.scales, strict=True)
        )
        return replace(self, phases=phases)

    @property
    def iteration_s(self) -> float:
        """Length of one iteration without pauses [s]."""
        return sum(phase.duration_s for phase in self.phases)

    @property
    def iteration_j(self) -> float:
        """Energy of one accelerator in one iteration [J]."""
        return sum(phase.duration_s * phase.power_w for phase in self.phases)


@dataclass(frozen=True, slots=True)
class Site:
    """Everything behind the connection, and what is simulated of it.

    Attributes
    ----------
    jobs : kinds of job
    idle_w, constant_w : of an accelerator without a job, and of what stands around one [W]
    lag_s : of an accelerator's power behind its work [s]
    conversion : devices from the servers outwards
    cooling_fraction, cooling_s, other_w : as in `facility.poi_power_w`
    step_s, duration_s, idle_s : step and length of the simulation, idle at both ends of it [s]
    seed : of the jitter
    """

    jobs: tuple[JobSpec, ...]
    idle_w: float
    constant_w: float
    lag_s: float
    conversion: Conversion
    cooling_fraction: float
    cooling_s: float
    other_w: float
    step_s: float
    duration_s: float
    idle_s: float
    seed: int = 0

    @property
    def accelerators(self) -> float:
        """Accelerators of all jobs."""
        return sum(job.accelerators * job.count for job in self.jobs)

    def scaled(self, factor: float) -> Site:
        """The site with so many times the accelerators in each job; devices and other load grow with them."""
        jobs = tuple(replace(job, accelerators=job.accelerators * factor) for job in self.jobs)
        devices = tuple((losses, rated_w * factor) for losses, rated_w in self.conversion)
        return replace(self, jobs=jobs, conversion=devices, other_w=self.other_w * factor)


@dataclass(frozen=True, slots=True, eq=False)
class JobWave:
    """Power of one accelerator of one job without measures, with the times at which the job starts [s]."""

    wave: Wave
    busy: Flags
    accelerators: float
    skew_s: float
    starts_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What one storage does, for the whole site.

    Attributes
    ----------
    storage : settings and size, of one unit
    count : units: accelerators, or 1 at the site
    parts : what one unit of each job does; sums say nothing of it where jobs swing against each other
    discharge_w, loss_w : power out of it, into it below 0, and losses, shape (N,) [W]
    exchange_w : power that goes into the store and stays there, out of it below 0, shape (N,) [W]
    state_j : energy stored at the beginning and after each step, shape (N + 1,) [J]
    saturated : shape (N,), steps in which a unit cannot do what it should
    """

    storage: Storage
    count: float
    parts: tuple[Part, ...]
    discharge_w: Array
    loss_w: Array
    exchange_w: Array
    state_j: Array
    saturated: Flags

    @property
    def energy_j(self) -> float:
        """Energy of all units [J]."""
        return self.storage.energy_j * self.count

    @property
    def power_w(self) -> float:
        """Rating of all converters [W]."""
        return self.storage.power_w * self.count


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A site's waves under a mix.

    Attributes
    ----------
    poi : at the point of interconnection
    it_w, cooling_w, conversion_w : parts of it before storage at the site, shape (N,) [W]
    withheld_w : work that measures hold back, at accelerators [W]
    beside : share of the accelerators that work beside a filler, shape (N,) [1]
    storage : every storage of the mix, in the order in which they act: those at the site last
    """

    mix: Mix
    poi: Wave
    it_w: Array
    cooling_w: Array
    conversion_w: Array
    withheld_w: Array
    beside: Array
    storage: tuple[Stored, ...] = ()

    @property
    def saturated_fraction(self) -> float:
        """Share of the time in which some storage cannot do what it should."""
        if not self.storage:
            return 0.0
        return float(np.mean(np.any([one.saturated for one in self.storage], axis=0)))

    @property
    def exchange_w(self) -> Array:
        """Power that goes into stores and stays there, out of them counted below 0, shape (N,) [W]."""
        return np.asarray(sum((one.exchange_w for one in self.storage), start=np.zeros(self.it_w.size)))


@dataclass(slots=True)
class Scene:
    """Waves of a site's jobs, each computed once.

    ``kernels`` are the recursions of the measures, plain or compiled.
    """

    site: Site
    kernels: Kernels = field(default_factory=lambda: kernels(compiled=False))
    _bases: dict[tuple[float, bool], tuple[JobWave, ...]] = field(default_factory=dict)
    _last: Outcome | None = None

    def scaled(self, factor: float) -> Scene:
        """The scene of a larger or smaller site; the waves per accelerator are the same."""
        bases = {
            key: tuple(replace(one, accelerators=one.accelerators * factor) for one in waves)
            for key, waves in self._bases.items()
        }
        return Scene(self.site.scaled(factor), self.kernels, bases)

    def base(self, period_factor: float = 1.0, stagger: bool = False) -> tuple[JobWave, ...]:
        """Every job without measures."""
        key = (period_factor, stagger)
        if key not in self._bases:
            self._bases[key] = tuple(self._job_waves(period_factor, stagger))
        return self._bases[key]

    def _job_waves(self, period_factor: float, stagger: bool) -> list[JobWave]:
        out = []
        for place, job in enumerate(self.site.jobs):
            spec = job.with_period(period_factor)
            for copy in range(job.count):
                out.append(self._job_wave(spec, place, copy, stagger))
        return out

    def _job_wave(self, job: JobSpec, place: int, copy: int, stagger: bool) -> JobWave:
        site = self.site
        seed = site.seed + SEED_STEP * place
        if stagger:
            # Jobs that are kept apart are kept in step, too: one draw of jitter holds for all of them.
            offset = copy / job.count * job.iteration_s
        else:
            offset = float(np.random.Generator(np.random.PCG64([seed, copy])).uniform(0.0, job.iteration_s)) * (
                copy > 0
            )
            seed += copy
        run_s = site.duration_s - 2.0 * site.idle_s - job.start_s
        require(run_s > 0, "the simulation must be longer than its idle ends and the latest start")
        schedule = Schedule(
            phases=job.phases, evaluation=job.evaluation, checkpoint=job.checkpoint, start_up=job.start_up,
            idle_w=site.idle_w, lead_s=site.idle_s, start_s=job.start_s, run_s=run_s, tail_s=site.idle_s,
            failures_s=job.failures_s, restart_s=job.restart_s, jitter_fraction=job.jitter_fraction,
            phase_offset_s=offset,
        )  # fmt: skip
        wave = sample(segments(schedule, seed), site.step_s, site.duration_s)
        # Means from differences of energies may round to less than nothing where a phase draws nothing.
        wave = wave.with_power(np.maximum(lag(wave.power_w, site.step_s, site.lag_s), 0.0))
        kind = _kinds(wave)
        begin = site.idle_s + job.start_s
        starts = (begin, *(begin + moment + job.restart_s for moment in job.failures_s))
        return JobWave(wave, of_kinds(kind, BUSY_KINDS), job.accelerators, job.skew_s, starts)

    def apply(self, mix: Mix) -> Outcome:
        """The site's waves under a mix; storage acts in the order of the mix, but that of the site after all other."""
        before = self._before(replace(mix, storage=tuple(one for one in mix.storage if one.level != "site")))
        power, found = before.poi.power_w, list(before.storage)
        for storage in mix.storage:
            if storage.level == "site":
                done = buffer(power, self.site.step_s, storage, self.kernels)
                found.append(_stored(storage, 1.0, [(1.0, power, done)], self.site.step_s))
                power = done.grid_w
        return replace(before, mix=mix, poi=before.poi.with_power(power), storage=tuple(found))

    def _before(self, mix: Mix) -> Outcome:
        """The site without storage of its own; the last one is kept, since many mixes differ in storage alone."""
        if self._last is None or self._last.mix != mix:
            self._last = self._run(mix)
        return self._last

    def _run(self, mix: Mix) -> Outcome:
        site = self.site
        jobs = self.base(mix.period_factor, mix.stagger)
        steps = jobs[0].wave.power_w.size
        total, withheld, beside = np.zeros(steps), np.zeros(steps), np.zeros(steps)
        stored: list[list[Part]] = [[] for _ in mix.storage]
        for job in jobs:
            each, held, share = self._accelerator(job, mix)
            withheld += job.accelerators * held
            beside += job.accelerators / site.accelerators * share
            each = each + site.constant_w
            for place, storage in enumerate(mix.storage):
                done = buffer(each, site.step_s, storage, self.kernels)
                stored[place].append((job.accelerators, each, done))
                each = done.grid_w
            total += job.accelerators * skew(each, site.step_s, job.skew_s)
        facility = poi_power_w(total, site.step_s, site.conversion, site.cooling_fraction, site.cooling_s, site.other_w)
        found = tuple(
            _stored(storage, site.accelerators, parts, site.step_s)
            for storage, parts in zip(mix.storage, stored, strict=True)
        )
        wave = jobs[0].wave if len(jobs) == 1 else sum_of([job.wave for job in jobs])
        return Outcome(
            mix, wave.with_power(facility.total_w), total, facility.cooling_w, facility.loss_w, withheld, beside, found
        )

    def _accelerator(self, job: JobWave, mix: Mix) -> tuple[Array, Array, Array]:
        """One accelerator of a job under the measures that act in it: power, work withheld, share beside a filler."""
        site, power = self.site, job.wave.power_w
        withheld, beside, filler = (np.zeros(power.size) for _ in range(3))
        if mix.start_cap is not None:
            capped = cap(power, site.step_s, job.starts_s, mix.start_cap)
            power, withheld = capped.power_w, withheld + capped.withheld_w
        if mix.secondary is not None:
            filled = fill(power, site.step_s, job.busy, mix.secondary)
            power, filler, beside = filled.power_w, filled.filler_w, filled.beside.astype(np.float64)
        if mix.gpu is not None:
            # Where smoothing cuts job and filler together the filler gives way first.
            work, power = power - filler, smooth(power, site.step_s, job.busy, mix.gpu, self.kernels).power_w
            withheld = withheld + np.maximum(work - power, 0.0)
        return power, withheld, beside


def _kinds(wave: Wave) -> Kinds:
    assert wave.kind is not None  # noqa: S101 - what is sampled from segments has kinds
    return wave.kind


def _stored(storage: Storage, count: float, parts: list[Part], step_s: float) -> Stored:
    """One storage of all accelerators, or of the site, from those of its jobs."""
    steps = parts[0][1].size
    discharge, loss, exchange, state = np.zeros(steps), np.zeros(steps), np.zeros(steps), np.zeros(steps + 1)
    for many, load, done in parts:
        discharge += many * (load - done.grid_w)
        loss += many * done.loss_w
        exchange += many * np.diff(done.state_j) / step_s
        state += many * done.state_j
    saturated = np.any([done.saturated for _, _, done in parts], axis=0)
    return Stored(storage, count, tuple(parts), discharge, loss, exchange, state, np.asarray(saturated))


__all__ = ["JobSpec", "JobWave", "Outcome", "Scene", "Site", "Stored"]
