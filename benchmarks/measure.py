"""What a benchmark finds, and how whole processes and calls are timed."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

AIPLAN = [sys.executable, "-m", "aiplan"]
TO_MS = {"ms": 1.0, "s": 1e3}
"""Milliseconds of each unit of time [ms]."""


class Figure(NamedTuple):
    """One figure and its target, both in ``unit``; None where there is no target.

    A target is the most a figure may be, or the least where ``at_least`` is set.
    """

    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met; true where there is none."""
        return self.target is None or (self.value >= self.target if self.at_least else self.value <= self.target)


def process_ms(commands: list[list[str]], runs: int) -> list[float]:
    """Median wall time of whole processes [ms], taken in turn so that a busy minute falls on all of them."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(runs):
        for command, found in zip(commands, times, strict=True):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            found.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(found) for found in times]


def best_s(task: Callable[[], object], runs: int) -> float:
    """Best wall time of a call [s]."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)
