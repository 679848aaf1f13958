"""What a run is too short for, and what would be too much to compute: found before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aiplan.errors import Problem
from aiplan.planners.stabilize.candidates import Options, before_storage, slopes, storages
from aiplan.planners.stabilize.mitigation import Mix
from aiplan.planners.stabilize.periods import FACTORS
from aiplan.planners.stabilize.scene import JobSpec
from aiplan.planners.stabilize.timeline import Schedule, mean_period_s

if TYPE_CHECKING:
    from aiplan.planners.stabilize.case import Case

MOST_STEPS = 4_000_000
"""Steps of a run [1]."""
MOST_SEGMENTS = 4_000_000
"""Phases of one job in a run, at the shortest iteration looked at [1]: about 0.5 GB while they are laid out."""
MOST_SAMPLES = 100_000_000
"""Steps of all jobs at all lengths of their iteration together [1]: about 1 GB."""
MOST_WORK = 500_000_000
"""Steps of all mixes of a search together [1]: about two minutes with numba, a quarter of an hour without."""
LEAST_ITERATIONS = 3.0
"""Iterations that a run must hold [1]."""


def unfit(case: Case, asked: Mix | None, allowed: Options) -> list[Problem]:
    """What is wrong with the length of a run and the size of a search (E312).

    Parameters
    ----------
    case : what is asked
    asked : measures that are taken as they stand; None for a search
    allowed : what the search may combine
    """
    found = [*_too_short(case, asked, allowed), *_too_long(case, asked, allowed)]
    if not found and asked is None:
        found += _too_many(case, allowed)
    return found


def _refuse(path: str, message: str, hint: str) -> Problem:
    return Problem("E312", f"{path}: {message}", path, hint=hint)


def _too_short(case: Case, asked: Mix | None, allowed: Options) -> Iterator[Problem]:
    """Jobs that do not come to a few iterations, at their own length or at another that is asked for."""
    site = case.site
    factors = {"": 1.0}
    if asked is not None:
        factors["mitigation.period_factor"] = asked.period_factor
    else:
        factors |= {f"search.period_factors.{place}": factor for place, factor in enumerate(allowed.period_factors)}
    for name, job in zip(case.inputs.jobs, site.jobs, strict=True):
        before = 2.0 * site.idle_s + job.start_s + sum(one.duration_s for one in job.start_up)
        for path, factor in factors.items():
            needed = before + LEAST_ITERATIONS * job.with_period(factor).iteration_s
            if site.duration_s >= needed or (path and factor <= 1.0):
                continue
            if path:
                yield _refuse(path, f"of {factor:g} lets three iterations of jobs.{name}, with start-up and idle ends, "
                              f"take {needed:,.0f} s; the run has {site.duration_s:,.0f} s",
                              "lower it, or simulate longer")  # fmt: skip
            else:
                yield _refuse("simulation.duration_s", f"is {site.duration_s:g} s; idle at both ends, start-up and "
                              f"three iterations of jobs.{name} take {needed:,.0f} s",
                              f"give at least {needed:,.0f}, or a shorter simulation.idle_s")  # fmt: skip


def _too_long(case: Case, asked: Mix | None, allowed: Options) -> Iterator[Problem]:
    """More steps than can be kept, and phases too short to be laid out."""
    site = case.site
    steps = site.duration_s / site.step_s
    if steps > MOST_STEPS:
        given = case.inputs.simulation.sampling_hz is not None
        why = "" if given else ", the rate that the limits need"
        yield _refuse("simulation.sampling_hz" if given else "simulation.duration_s",
                      f"{site.duration_s:,.6g} s at {1 / site.step_s:g} Hz{why} are {steps:,.0f} steps, more than "
                      f"{MOST_STEPS:,}", "simulate less, or at a lower rate")  # fmt: skip
    periods = set(FACTORS) | ({asked.period_factor} if asked is not None else set(allowed.period_factors))
    for name, job in zip(case.inputs.jobs, site.jobs, strict=True):
        count = segments_of(job.with_period(min(periods)), site.duration_s - 2.0 * site.idle_s - job.start_s)
        if count > MOST_SEGMENTS:
            yield _refuse(f"jobs.{name}", f"has phases so short that {count:.2g} fill the run where iterations are "
                          f"{min(periods):g} times as long as asked; {MOST_SEGMENTS:,} are the most",
                          "give longer phases or a shorter run")  # fmt: skip
    waves = sum(job.count for job in site.jobs) * len(periods) * len(allowed.stagger)
    if steps <= MOST_STEPS < MOST_SAMPLES < steps * waves:
        yield _refuse("jobs", f"{waves:,} waves of jobs and lengths of their iteration, {steps:,.0f} steps each, are "
                      f"more than can be kept ({MOST_SAMPLES:,} in all)",
                      "fewer jobs or search.period_factors, a shorter run, or a lower rate")  # fmt: skip


def segments_of(job: JobSpec, run_s: float) -> float:
    """Phases that a job has in a run, on average [1]."""
    schedule = Schedule(job.phases, max(run_s, 0.0), 0.0, job.evaluation, job.checkpoint, lead_s=1.0)
    pauses = [one for one in (job.evaluation, job.checkpoint) if one is not None]
    each = len(job.phases) + sum(len(one.phases) / one.every_iterations for one in pauses)
    return schedule.run_s / mean_period_s(schedule) * each


def _too_many(case: Case, allowed: Options) -> Iterator[Problem]:
    """A search whose mixes cannot all be run within some minutes."""
    site = case.site
    steps = site.duration_s / site.step_s
    found = slopes(case.limits, site)
    swing = site.accelerators * max(phase.power_w for job in site.jobs for phase in job.phases)
    before = len(list(before_storage(allowed, found, case.tdp_w, swing)))
    behind = [(), *storages(allowed, found, swing)]
    inside = sum(any(one.level != "site" for one in mix) for mix in behind)
    jobs = sum(job.count for job in site.jobs)
    work = steps * before * (len(behind) + jobs * (1 + inside))
    if work > MOST_WORK:
        yield _refuse("search", f"combines {before * len(behind):,} mixes of {steps:,.0f} steps and {jobs:,} job"
                      f"{'s' * (jobs > 1)}, {work / MOST_WORK:,.3g} times what it can look at",
                      "fewer options in the lists of [search], a shorter run, a lower rate, or fewer jobs")  # fmt: skip


__all__ = ["MOST_SEGMENTS", "MOST_STEPS", "segments_of", "unfit"]
