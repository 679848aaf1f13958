"""What may be done to a job's power: settings of each measure, and a mix of them.

A mix is applied in this order: period and stagger change the schedule; cap on start, software load and GPU smoothing
act on each accelerator, so that smoothing sees the filler; storage at the power supply and in the rack acts on its
share of accelerators; storage at the site on the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

INFINITE = float("inf")
Level = Literal["psu", "rack", "site"]


@dataclass(frozen=True, slots=True)
class GpuSmoothing:
    """Power smoothing in the accelerator: a floor, limits of its ramps, and how long it holds on.

    Attributes
    ----------
    floor_w : least power while armed; 0 for none [W per accelerator]
    ramp_up_w_per_s, ramp_down_w_per_s : steepest rise and fall; infinite for none [W/s per accelerator]
    hysteresis_s : it stays armed for so long after the work has stopped [s]
    """

    floor_w: float = 0.0
    ramp_up_w_per_s: float = INFINITE
    ramp_down_w_per_s: float = INFINITE
    hysteresis_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SecondaryLoad:
    """A filler in software that burns what the job leaves free, as telemetry saw it a while ago.

    Attributes
    ----------
    level_w : power it fills up to [W per accelerator]
    delay_s : age of what telemetry says [s]
    back_off_s : after the job has stopped it goes on for so long [s]
    ceiling_w : the most an accelerator draws for a moment, job and filler together (EDPp) [W per accelerator]
    slowdown_fraction : time of the job while the filler runs beside it, over its time alone, less 1 [1]
    """

    level_w: float
    delay_s: float
    back_off_s: float
    ceiling_w: float
    slowdown_fraction: float


@dataclass(frozen=True, slots=True)
class StartCap:
    """A cap on the job's power at every start that rises in a straight line until it no longer binds.

    Attributes
    ----------
    duration_s : from the start until the cap is at ``final_w`` [s]
    initial_w, final_w : the cap at the start and at the end [W per accelerator]
    """

    duration_s: float
    initial_w: float
    final_w: float


@dataclass(frozen=True, slots=True)
class Storage:
    """Storage that takes and gives what the wave has more or less than its set-point.

    Attributes
    ----------
    technology : entry of the catalog it is of
    level : ``psu`` and ``rack`` act on one accelerator's share, ``site`` on the sum; energies and powers below are of
        what they act on: per accelerator, or of the site
    energy_j, power_w : usable energy [J] and rating of the converter [W]
    round_trip_fraction : energy out over energy in [1]; each way loses by its square root
    time_constant_s : of the low-pass filter that makes the set-point; state of charge is led back over 5 of them [s]
    ramp_up_w_per_s, ramp_down_w_per_s : steepest set-point; infinite for none [W/s]
    initial_fraction : state of charge at the beginning, and the one it is led back to [1]
    rating_held : whether sizing keeps ``power_w``, so that swings beyond it are left to the grid
    """

    technology: str
    level: Level
    energy_j: float
    power_w: float
    round_trip_fraction: float
    time_constant_s: float
    ramp_up_w_per_s: float = INFINITE
    ramp_down_w_per_s: float = INFINITE
    initial_fraction: float = 0.5
    rating_held: bool = False


@dataclass(frozen=True, slots=True)
class Mix:
    """Measures taken together; None or empty for what is not taken.

    Attributes
    ----------
    period_factor : work of an iteration over that asked, by batch or gradient accumulation [1]
    stagger : whether jobs of the same period start their steps evenly spread over it
    """

    gpu: GpuSmoothing | None = None
    secondary: SecondaryLoad | None = None
    start_cap: StartCap | None = None
    storage: tuple[Storage, ...] = ()
    period_factor: float = 1.0
    stagger: bool = False
