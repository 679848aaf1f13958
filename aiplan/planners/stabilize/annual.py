"""From one simulated run to a year: steady hours, and starts, stops and checkpoints as often as they happen.

A run of ten minutes has one start; a year has a few a day. What measures cost at a start must be weighted by starts a
year, not by starts in a simulated minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.wave import CHECKPOINT, IDLE, RESTART, START, STOP, Kinds, of_kinds, transient

HOURS_PER_YEAR = 8760.0
DAYS_PER_YEAR = 365.0
STEADY, AT_START, AT_CHECKPOINT, AT_RESTART, AT_STOP = range(5)
EPISODES = ("steady", "start", "checkpoint", "restart", "stop")


@dataclass(frozen=True, slots=True)
class Rates:
    """How often things happen.

    Attributes
    ----------
    uptime : share of the year in which the job runs [1]
    starts, checkpoints, restarts : in a year [1]; every start has a stop
    """

    uptime: float
    starts: float
    checkpoints: float
    restarts: float


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """What each step of a run belongs to, and how many of each there are.

    Attributes
    ----------
    label : shape (N,), `STEADY` or one of the others
    counts : episodes of each label in the run, by label
    busy : shape (N,), whether the job is there
    step_s : length of a step [s]
    """

    label: npt.NDArray[np.int8]
    counts: tuple[int, ...]
    busy: npt.NDArray[np.bool_]
    step_s: float

    @classmethod
    def of(cls, kind: Kinds, step_s: float, settle_s: float) -> Episodes:
        """Episodes of a run: each lasts from its beginning until things have settled."""
        away = transient(kind, round(settle_s / step_s))
        label = np.zeros(kind.size, dtype=np.int8)
        counts = [0] * len(EPISODES)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], away, [False]])))
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            what = _episode(kind[begin:end], begin == 0, end == kind.size)
            label[begin:end] = what
            counts[what] += 1
        return cls(label, tuple(counts), ~of_kinds(kind, (IDLE, RESTART, STOP)), step_s)

    def annual(self, values: Array, rates: Rates) -> float:
        """A year's integral of a power [Wh]: its steady mean for all hours, and what episodes have beyond it.

        Where a run has no steady state, its mean while busy stands in for it. An episode that the run does not have
        counts as if nothing happened, a restart as a stop and a start.

        Parameters
        ----------
        values : shape (N,), zero where the job is not there but for what an episode leaves behind [W]
        """
        usual = self.steady(values)
        beyond = values - usual * self.busy
        total = usual * HOURS_PER_YEAR * rates.uptime
        restarts = rates.restarts if self.counts[AT_RESTART] == 0 else 0.0
        times = {AT_START: rates.starts + restarts, AT_STOP: rates.starts + restarts, AT_CHECKPOINT: rates.checkpoints,
                 AT_RESTART: rates.restarts}  # fmt: skip
        for what, often in times.items():
            if self.counts[what]:
                once = float(beyond[self.label == what].sum()) * self.step_s / 3600.0 / self.counts[what]
                total += often * once
        return total

    def steady(self, values: Array) -> float:
        """Mean in steady state, or while busy where there is none."""
        here = self.label == STEADY
        if not here.any():
            here = self.busy
        return float(values[here].mean()) if here.any() else 0.0


def _episode(kind: Kinds, first: bool, last: bool) -> int:
    """What a stretch of transients is: the gravest thing in it, ends of the run first."""
    if first and (kind[0] in (IDLE, START)):
        return AT_START
    if last and kind[-1] in (IDLE, STOP):
        return AT_STOP
    if np.any(kind == RESTART):
        return AT_RESTART
    return AT_CHECKPOINT if np.any(kind == CHECKPOINT) else AT_START


__all__ = ["EPISODES", "HOURS_PER_YEAR", "Episodes", "Rates"]
