"""Small sites with short runs, and what it takes to judge them: numbers chosen so that closed forms are at hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiplan.planners.stabilize.annual import Rates
from aiplan.planners.stabilize.assess import Caps, Judge, Prices
from aiplan.planners.stabilize.candidates import Options
from aiplan.planners.stabilize.limits import Band, Limits, RampLimit
from aiplan.planners.stabilize.mitigation import INFINITE
from aiplan.planners.stabilize.scene import JobSpec, Scene, Site
from aiplan.planners.stabilize.technology import Technology
from aiplan.planners.stabilize.timeline import Pause, Phase

TDP_W, HIGH_W, LOW_W, IDLE_W, AROUND_W = 1200.0, 1140.0, 420.0, 180.0, 350.0
"""Of the reference job, sections 6 of the notes: per accelerator."""
HIGH_S, LOW_S = 1.6, 0.4
DUTY = HIGH_S / (HIGH_S + LOW_S)
CHECKPOINT_W = 240.0
SETTLE_S = 10.0

SUPERCAP = Technology("supercap", "Supercapacitors", ("rack", "site"), 0.15, 1e4 / 3.6e6, 0.01, 0.95, 50e6, 1.0, 10.0,
                      0.0, 3.0, 0.005)  # fmt: skip
LITHIUM = Technology("lithium", "Lithium cells", ("rack", "site"), 0.25, 350 / 3.6e6, 0.015, 0.87, 8000.0, 1.0, 10.0,
                     0.0, 360.0, 0.05)  # fmt: skip
SUPPLY = Technology("supply", "Capacitors of power supplies", ("psu",), 0.0, 0.0, 0.0, 0.95, INFINITE, 1.0, 10.0,
                    0.0, 0.05, 0.001, 65.0)  # fmt: skip
TECHNOLOGIES = {one.id: one for one in (SUPERCAP, LITHIUM, SUPPLY)}
"""Numbers of the catalog; prices and cycle lives are assumed there: 50 million cycles of supercapacitors, too."""

PRICES = Prices(60e-6, 2.0, 0.08, 10.0, 0.4)
RATES = Rates(0.95, 4 * 365.0, 48 * 365.0, 0.0)
FREE = Caps(INFINITE, INFINITE, INFINITE, 1e-9)
"""Caps that cap nothing."""


def job(**changes: Any) -> JobSpec:
    """1,000 accelerators with the iteration of the reference job, without checkpoints and jitter."""
    phases = (Phase("compute", HIGH_S, HIGH_W), Phase("communication", LOW_S, LOW_W))
    return replace(JobSpec(1000.0, 1, phases, (True, False)), **changes)


def checkpoint(every: int = 5, seconds: float = 8.0) -> Pause:
    return Pause(every, (Phase("checkpoint", seconds, CHECKPOINT_W),))


def site(*jobs: JobSpec, **changes: Any) -> Site:
    """Jobs behind a connection without losses and cooling: 60 s at 50 Hz, idle for 5 s at both ends."""
    one = Site(jobs or (job(),), IDLE_W, AROUND_W, 0.0, (), 0.0, 120.0, 0.0, 0.02, 60.0, 5.0)
    return replace(one, **changes)


def ramps(up_w_per_s: float = INFINITE, down_w_per_s: float | None = None, **others: Any) -> Limits:
    """A limit of ramps over 1 s, and others."""
    down = up_w_per_s if down_w_per_s is None else down_w_per_s
    return Limits("test", (RampLimit("r", up_w_per_s, down, 1.0),), **{"segment_s": 20.0, **others})


def line(most_w: float, low_hz: float = 0.3, high_hz: float = 10.0) -> Band:
    """A limit of lines, from where 20 s of steady state see them."""
    return Band("b", low_hz, high_hz, line_w=most_w)


def lines(most_w: float) -> Limits:
    """Nothing but that."""
    return Limits("lines", bands=(line(most_w),), segment_s=20.0)


def judge(where: Site, limits: Limits, **changes: Any) -> Judge:
    return replace(Judge(Scene(where), limits, SETTLE_S, RATES, PRICES, FREE, dict(TECHNOLOGIES)), **changes)


def options(**changes: Any) -> Options:
    """Nothing to choose from but what is given."""
    return replace(Options((0.0,), (0.0,), 2.0, (), None, (), ("site",), (1.0,), (1.0,), (False,)), **changes)
