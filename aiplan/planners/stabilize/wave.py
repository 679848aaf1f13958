"""Power over time at equal steps, and what the job does at every moment of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require

Kinds = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

IDLE, START, ITERATION, EVALUATION, CHECKPOINT, RESTART, STOP = range(7)
"""What the job does: nothing, start up, steps, evaluation, checkpoint, restart after a failure, shut down."""
KIND_NAMES = ("idle", "start", "iteration", "evaluation", "checkpoint", "restart", "stop")
STEADY_KINDS = (ITERATION, EVALUATION)
"""What repeats for as long as the job runs; everything else is a transient."""
BUSY_KINDS = (START, ITERATION, EVALUATION, CHECKPOINT)
"""While the job holds the accelerators."""


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Power at equal steps.

    Attributes
    ----------
    power_w : shape (N,), mean over each step [W]; where ``known`` is False a straight line across the gap
    step_s : length of a step [s]
    start_s : time at which the first step begins [s]
    kind : shape (N,), one of the kinds above; None where nobody knows, as for a measured file
    known : shape (N,), False in gaps; None where there are none
    """

    power_w: Array
    step_s: float
    start_s: float = 0.0
    kind: Kinds | None = None
    known: Flags | None = None

    def __post_init__(self) -> None:
        require(self.power_w.ndim == 1 and self.power_w.size > 0, "a wave is a row of at least one value")
        require(self.step_s > 0, "step_s must be above 0")
        for row in (self.kind, self.known):
            require(row is None or row.shape == self.power_w.shape, "kind and known must be as long as power_w")

    @property
    def rate_hz(self) -> float:
        """Steps in a second."""
        return 1.0 / self.step_s

    @property
    def time_s(self) -> Array:
        """Time at which each step begins, shape (N,) [s]."""
        return np.asarray(self.start_s + self.step_s * np.arange(self.power_w.size), dtype=np.float64)

    @property
    def duration_s(self) -> float:
        """Length of the wave [s]."""
        return self.step_s * self.power_w.size

    @property
    def energy_wh(self) -> float:
        """Energy of the wave [Wh]."""
        return float(self.power_w.sum()) * self.step_s / 3600.0

    def with_power(self, power_w: Array) -> Wave:
        """The same moments at another power."""
        return replace(self, power_w=power_w)


def of_kinds(kind: Kinds, wanted: tuple[int, ...]) -> Flags:
    """Where one of the kinds holds, shape (N,)."""
    table = np.zeros(len(KIND_NAMES), dtype=np.bool_)
    table[list(wanted)] = True
    return np.asarray(table[kind])


def transient(kind: Kinds, settle_steps: int) -> Flags:
    """Moments that are no steady state, and ``settle_steps`` after each of them, shape (N,).

    The step before a transient belongs to it: the edge lies between the two. After a checkpoint at most half of the
    time to the next transient counts as settling, so that a job with many checkpoints has a steady state, too.
    """
    require(settle_steps >= 0, "settle_steps must not be negative")
    away = ~of_kinds(kind, STEADY_KINDS)
    out = away.copy()
    begins = np.flatnonzero(away[1:] & ~away[:-1]) + 1
    ends = np.flatnonzero(away[:-1] & ~away[1:]) + 1
    out[begins - 1] = True
    for end in ends.tolist():
        reach = settle_steps
        if kind[end - 1] == CHECKPOINT:
            later = begins[begins >= end]
            reach = min(reach, ((int(later[0]) if later.size else kind.size) - end) // 2)
        out[end : end + reach] = True
    return out
