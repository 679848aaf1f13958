"""Small halls and scenarios shared by the tests of the thermal planner."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aiplan.planners.thermal.hall import Hall, equal_hall
from aiplan.planners.thermal.synthetic import Demand, Mix, Outside, Spread, demand, with_offsets

SMALL = (
    "hall.rows=4",
    "hall.row_servers=10",
    "vms.endpoints=4",
    "replay.days=2",
    "replay.step_min=60",
    "oversubscribe.levels=[0.2, 0.5]",
)
"""Overrides that make the shipped hall small enough to run many times."""


def small_hall(seed: int = 0, rows: int = 6, servers: int = 10, budget_share: float = 1.0) -> tuple[Hall, Demand]:
    """A synthetic hall and a day and a half of it."""
    hall = equal_hall(rows, servers, 2, servers * 6500.0 * budget_share, 840.0)
    hall = with_offsets(hall, Spread(), seed)
    return hall, demand(hall.slots, Mix(0.5, 4), Outside(), 1.5, 1800.0, seed)


def steady(load: float, count: int, steps: int = 4) -> np.ndarray:
    """The same load for all VMs at all steps."""
    return np.full((count, steps), load)


def write_vms(path: Path, rows: list[tuple[str, str, str, float, float]]) -> Path:
    """A CSV of VMs with flat profiles: id, kind, endpoint, P50, P99."""
    header = ["id", "kind", "endpoint", *(f"p50_{hour}" for hour in range(24)), *(f"p99_{hour}" for hour in range(24))]
    lines = [",".join(header)]
    lines += [",".join([name, kind, endpoint, *[str(p50)] * 24, *[str(p99)] * 24])
              for name, kind, endpoint, p50, p99 in rows]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
