"""What another length of the iteration does to the lines of a job: a cheap way off a frequency that resounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiplan.planners.stabilize.assess import Judge
from aiplan.planners.stabilize.figures import figures
from aiplan.planners.stabilize.mitigation import Mix

FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Period:
    """A job with another length of its iteration.

    Attributes
    ----------
    factor : work of an iteration over that asked [1]
    period_s : its length without pauses [s]
    line_w, line_hz : the largest line in steady state, peak of the sine
    time_factor : time for the same work over that asked [1]
    """

    factor: float
    period_s: float
    line_w: float
    line_hz: float
    time_factor: float


def periods(judge: Judge) -> Iterator[Period]:
    """The first job's iteration at several lengths, without other measures."""
    asked = judge.scene.site.jobs[0].iteration_s
    for factor in FACTORS:
        run = judge.raw(Mix(period_factor=factor))[0]
        told = figures(run.poi, judge.limits, judge.settle_s)
        line = None if told is None or told.steady is None else told.steady.line
        if line is not None:
            own = judge.scene.site.jobs[0].with_period(factor).iteration_s
            yield Period(factor, own, line.amplitude_w, line.f_hz, own / factor / asked)


__all__ = ["Period", "periods"]
