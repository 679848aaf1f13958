"""Closed forms of a two-level wave for a job of two phases, beside what the run gives: a second opinion on both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiplan.planners.stabilize.closed_forms import (
    converter_power_w,
    floor_overhead_fraction,
    iteration_storage_j,
    largest_overhead_fraction,
    line_amplitude_w,
    ramp_duration_s,
    ramp_storage_j,
)
from aiplan.planners.stabilize.facility import poi_power_w
from aiplan.planners.stabilize.mitigation import INFINITE, Mix
from aiplan.planners.stabilize.plan import Result
from aiplan.planners.stabilize.scene import Site
from aiplan.planners.stabilize.spectrum import largest_line
from aiplan.report.model import Cell

NEAR = 0.05
"""Where a harmonic is looked for around its frequency [1]: jitter and lag move it."""


def closed_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """Quantity, closed form, what the run gives where it has it, and unit; nothing but for one job of two phases."""
    site = result.case.site
    job = site.jobs[0]
    if len(site.jobs) > 1 or job.count > 1 or len(job.phases) != 2:
        return
    high, low = sorted(job.phases, key=lambda phase: -phase.power_w)
    period = job.iteration_s
    duty = high.duration_s / period
    swing = _swing_w(site, high.power_w, low.power_w)
    told = result.raw_figures.steady
    for harmonic in (1, 2, 3):
        at = harmonic / period
        got = None
        if told is not None and told.found is not None:
            line = largest_line(told.found, at * (1 - NEAR), at * (1 + NEAR))
            got = None if line is None else line.amplitude_w / 1e6
        yield (f"line {harmonic} at {at:.4g} Hz, peak of the sine",
               float(line_amplitude_w(swing, 0.0, duty, harmonic)) / 1e6, got, "MW")  # fmt: skip
    both = high.power_w + site.constant_w, low.power_w + site.constant_w
    yield ("energy of a floor that leaves nothing, at most", float(largest_overhead_fraction(*both, duty)), None, None)
    gpu = result.chosen.mix.gpu
    if gpu is not None and low.power_w < gpu.floor_w <= high.power_w and gpu.ramp_down_w_per_s == INFINITE:
        floor = float(floor_overhead_fraction(*both, duty, gpu.floor_w + site.constant_w))
        alone = result.chosen.overhead_fraction if result.chosen.mix == Mix(gpu=gpu) else None
        yield "energy of the floor in steady state; the run's is that of a year", floor, alone, None
    yield "storage that flattens an iteration", float(iteration_storage_j(swing, duty, period)) / 3.6e9, None, "MWh"
    yield "converter that flattens an iteration", float(converter_power_w(swing, duty)) / 1e6, None, "MW"
    start = max(_swing_w(site, high.power_w, site.idle_w), 0.0)
    for name, slope in (("start", result.slopes.up_w_per_s), ("stop", result.slopes.down_w_per_s)):
        if slope < INFINITE:
            yield f"storage for a {name} at the ramp allowed", float(ramp_storage_j(start, slope)) / 3.6e9, None, "MWh"
            yield f"time of that {name}", float(ramp_duration_s(start, slope)), None, "s"


def _swing_w(site: Site, high_w: float, low_w: float) -> float:
    """Difference at the point of interconnection of two powers of all accelerators, too fast for cooling [W]."""
    it_w = site.accelerators * (np.array([high_w, low_w]) + site.constant_w)
    high, low = poi_power_w(it_w, site.step_s, site.conversion, 0.0, 0.0).total_w.tolist()
    return float(high - low)


__all__ = ["closed_rows"]
