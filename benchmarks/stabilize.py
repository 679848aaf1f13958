"""Figures of `aiplan stabilize`: one configuration, a search of 600 of them, memory, and whole processes.

The job is that of ``stabilize-100k``: 100,000 GPUs for ten minutes at 50 Hz, 30,000 steps. ``python -m
benchmarks.stabilize`` also says where the time of a configuration goes, and checks a measured wave of a million rows.
"""

from __future__ import annotations

import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.compiled import numba_installed
from aiplan.planners.stabilize.assess import Judge
from aiplan.planners.stabilize.case import Case, build_case
from aiplan.planners.stabilize.check import check
from aiplan.planners.stabilize.facility import poi_power_w
from aiplan.planners.stabilize.gpu_smoothing import smooth
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.kernels import kernels
from aiplan.planners.stabilize.measures import measures
from aiplan.planners.stabilize.mitigation import GpuSmoothing, Mix, SecondaryLoad, Storage
from aiplan.planners.stabilize.scene import Scene
from aiplan.planners.stabilize.search import search
from aiplan.planners.stabilize.secondary_load import fill
from aiplan.planners.stabilize.storage import buffer
from benchmarks.measure import AIPLAN, Figure, best_s, process_ms

SCENARIO = "stabilize-100k"
WIDE = (
    "search.floor_fractions=[0, 0.45, 0.5, 0.6, 0.65, 0.8, 0.9]",
    "search.ramp_factors=[0, 0.5, 0.95]",
    "search.software_fractions=[0, 0.8, 0.9]",
    "search.time_constants_s=[1, 1.5, 2, 3, 5, 7, 10]",
)
"""Options of a search that looks at 552 mixes and refines the cheapest, 600 or more in all."""
LEAST_MIXES = 600
FEW, MANY = 1_000, 10_000_000
"""Accelerators between which memory is compared [1]."""
CSV_ROWS = 1_000_000
"""Rows of the measured wave, the most that `check` takes [1]."""
SMOOTHING = GpuSmoothing(780.0, 100.0, 100.0, 2.0)
SOFTWARE = SecondaryLoad(1080.0, 0.1, 0.1, 1320.0, 0.05)
STORAGE = Storage("supercapacitor", "site", 2e9, 120e6, 0.92, 3.0, 10e6, 10e6)
MIX = Mix(gpu=SMOOTHING, secondary=SOFTWARE, storage=(STORAGE,))
"""A floor with ramps, a software load and storage at once: everything that a configuration can have."""


@cache
def case(*overrides: str) -> Case:
    """The shipped scenario, with every name looked up."""
    return build_case(load_scenario(SCENARIO, StabilizeInputs, overrides, "stabilize").inputs, Catalog())


def judge(found: Case, *, compiled: bool, hasty: bool = False) -> Judge:
    """A judge of a scene of which nothing is known yet."""
    scene = Scene(found.site, kernels(compiled=compiled))
    return Judge(scene, found.limits, found.settle_s, found.rates, found.prices, found.caps, found.technologies, hasty)


def fresh_s(runs: int, *, compiled: bool) -> float:
    """Seconds of one configuration from its schedule on: the job as it is, the job with measures, limits, costs [s]."""
    found = case()
    judge(found, compiled=compiled).judge(MIX)
    return best_s(lambda: judge(found, compiled=compiled).judge(MIX), runs)


def next_s(runs: int, *, compiled: bool) -> float:
    """Seconds of one more configuration of a job whose schedule is known [s]."""
    known = judge(case(), compiled=compiled)
    known.judge(MIX)
    floors = iter(np.linspace(780.0, 900.0, runs).tolist())
    return best_s(lambda: known.judge(replace(MIX, gpu=replace(SMOOTHING, floor_w=next(floors)))), runs)


def search_s(*, compiled: bool) -> tuple[float, int]:
    """Seconds of a search, and the mixes it has looked at [s], [1]."""
    found = case(*WIDE)
    allowed = measures(found)[1]
    counts: list[int] = []

    def task() -> None:
        mixes = search(judge(found, compiled=compiled, hasty=True), allowed, found.tdp_w).assessments
        counts.append(len(mixes))

    return best_s(task, 1), counts[0]


def memory_mib(accelerators: int) -> float:
    """Most memory that one configuration of a job of ten minutes takes at a time [MiB].

    Ramps allowed grow with the job: against a fixed one a larger job ramps for longer, and its run is longer, too.
    """
    ramps = [f"limits.ramp_{way}_mw_per_s={accelerators / 1e4:g}" for way in ("up", "down")]
    found = case(f"jobs.main.accelerators={accelerators}", *ramps)
    judge(found, compiled=False).judge(MIX)
    tracemalloc.start()
    judge(found, compiled=False).judge(MIX)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def check_s(rows: int) -> tuple[float, float]:
    """Seconds of ``aiplan stabilize check`` on a square wave at 50 Hz, the whole process, and the file's size [MB]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "wave.csv")
        at = np.arange(rows)
        table = np.stack([0.02 * at, np.where(at % 100 < 80, 100.0, 95.0)], axis=1)
        np.savetxt(path, table, fmt=("%.2f", "%.3f"), delimiter=",", header="t_s,site_mw", comments="")
        command = [*AIPLAN, "stabilize", "check", str(path), "--limits", "reference-a", "--format", "json"]
        return process_ms([command], 1)[0] / 1e3, path.stat().st_size / 1e6


def figures(runs: int) -> list[Figure]:
    """Everything that is measured; what needs compiled code only where there is some."""
    found = []
    for compiled in (False, True) if numba_installed() else (False,):
        how = "compiled" if compiled else "plain"
        lasts_s, mixes = search_s(compiled=compiled)
        assert mixes >= LEAST_MIXES
        found += [
            Figure(f"one configuration, {how}", fresh_s(max(runs, 5), compiled=compiled), "s", 0.1),
            Figure(f"one more of the same job, {how}", next_s(max(runs, 5), compiled=compiled), "s", 0.1),
            Figure(f"search of {mixes} mixes, {how}", lasts_s, "s", 15.0),
        ]
    return [
        *found,
        Figure("memory, 1e7 over 1e3 GPUs", memory_mib(MANY) / memory_mib(FEW), "", 1.05),
        Figure(
            "aiplan stabilize", process_ms([[*AIPLAN, "stabilize", "--format", "json"]], min(runs, 3))[0] / 1e3, "s"
        ),
    ]


def stages(*, compiled: bool) -> Iterator[tuple[str, float]]:
    """Where the time of a configuration goes [s]."""
    found = case()
    known = judge(found, compiled=compiled)
    outcome, (job,) = known.scene.apply(MIX), known.scene.base()
    site, power, functions = found.site, job.wave.power_w, known.scene.kernels
    total = site.accelerators * (power + site.constant_w)
    known.assess(outcome)
    in_time = replace(found.limits, bands=(), flicker=None)
    in_frequency = replace(found.limits, ramps=(), range_w=None, most_w=None, least_w=None)
    parts: dict[str, Callable[[], object]] = {
        "schedule, sampling and lag": lambda: Scene(site).base(),
        "software load": lambda: fill(power, site.step_s, job.busy, SOFTWARE),
        "GPU smoothing": lambda: smooth(power, site.step_s, job.busy, SMOOTHING, functions),
        "conversion and cooling": lambda: poi_power_w(
            total, site.step_s, site.conversion, site.cooling_fraction, site.cooling_s, site.other_w
        ),
        "storage": lambda: buffer(total, site.step_s, STORAGE, functions),
        "limits in time": lambda: check(outcome.poi, in_time, found.settle_s),
        "limits in frequency": lambda: check(outcome.poi, in_frequency, found.settle_s),
        "limits, energy, life and cost of a year": lambda: known.assess(outcome),
    }
    for name, task in parts.items():
        yield name, best_s(task, 9)


def main() -> int:
    """Measure everything, where the time goes and the largest file too, and print it."""
    rows = figures(5)
    lasts_s, size_mb = check_s(CSV_ROWS)
    rows += [
        Figure(f"check of {CSV_ROWS:,} rows, {size_mb:.0f} MB", lasts_s, "s"),
        Figure(f"memory of a configuration, {MANY:,} GPUs", memory_mib(MANY), "MiB"),
    ]
    for row in rows:
        print(f"{row.what:<50}{row.value:>9.3g} {row.unit:<3}{'' if row.met else '  missed'}")
    for compiled in (False, True) if numba_installed() else (False,):
        print(f"a configuration, {'compiled' if compiled else 'plain'}:")
        for name, seconds in stages(compiled=compiled):
            print(f"  {name:<48}{1e3 * seconds:>9.3g} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
