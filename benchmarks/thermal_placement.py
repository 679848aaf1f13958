"""Figures of the placement of `aiplan thermal`: time and gap to the bound, in many halls drawn by chance.

``python -m benchmarks.thermal_placement`` places 10,000 VMs on 10,000 servers (250 rows of 40, 125 aisles), in halls of
several kinds and seeds, and prints the distribution of time and gap; ``--rows 24`` does the same in smaller ones.
Halls are synthetic: offsets and load curves as in the demo, limits as each kind says.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from aiplan.planners.thermal.hall import HOURS, Hall, Vms
from aiplan.planners.thermal.placement import place_batch, place_online
from aiplan.planners.thermal.placement_problem import PlacementProblem, placement_problem
from benchmarks.measure import Figure

ROWS, SERVERS, ENDPOINTS = 250, 40, 12
OUTSIDE_C, T_MAX_C = 30.0, 85.0
MOST_S, MOST_GAP = 60.0, 0.05


class Kind(NamedTuple):
    """A kind of hall: budget and air over nameplate, their spread among rows and aisles, VMs over servers."""

    budget: float = 0.9
    air: float = 1.0
    spread: float = 0.0
    full: float = 1.0
    standing: float = 0.0
    saas_share: tuple[float, float] = (0.0, 1.0)
    t_max_c: float = T_MAX_C


KINDS = {
    "equal rows": Kind(),
    "70 % full": Kind(full=0.7),
    "budgets +- 10 %": Kind(spread=0.1),
    "budgets and air +- 30 %, 90 % full": Kind(0.85, 0.95, 0.3, 0.9),
    "short of air": Kind(air=0.83),
    "short of power": Kind(budget=0.8, spread=0.05),
    "short of cool slots": Kind(t_max_c=75.6),
    "40 to 60 % SaaS in a row": Kind(saas_share=(0.4, 0.6)),
    "half standing already": Kind(spread=0.1, standing=0.5),
}


def curves(base: np.ndarray, swing: np.ndarray, peak_h: np.ndarray) -> np.ndarray:
    """Daily load curves (N, 24)."""
    hour = np.arange(HOURS)
    wave = np.sin(2 * np.pi * (hour - peak_h[:, None] + 6) / 24)
    return np.asarray(np.clip(base[:, None] + swing[:, None] * wave, 0.05, 1.0), dtype=np.float64)


def problem(kind: Kind, seed: int, rows: int) -> PlacementProblem:
    """A hall of the kind, half of its VMs SaaS on twelve endpoints, each opaque VM on a curve of its own."""
    chance = np.random.Generator(np.random.PCG64(seed))
    row, aisle = np.repeat(np.arange(rows), SERVERS), np.arange(rows) // 2
    uneven = [1 + kind.spread * chance.uniform(-1, 1, size) for size in (rows, aisle[-1] + 1)]
    hall = Hall(
        row, aisle, SERVERS * 6500 * kind.budget * uneven[0],
        np.bincount(aisle) * SERVERS * 840.0 * kind.air * uneven[1],
        chance.normal(0, 0.8, rows)[row] + chance.normal(0, 0.6, row.size),
        np.abs(chance.normal(0, 3, (row.size, 8))).max(axis=1), t_max_c=kind.t_max_c,
    )  # fmt: skip
    count = int(kind.full * row.size)
    saas = count // 2
    shared = curves(chance.uniform(0.35, 0.5, ENDPOINTS), chance.uniform(0.25, 0.45, ENDPOINTS),
                    chance.normal(14, 2.5, ENDPOINTS))  # fmt: skip
    level = chance.uniform(0.3, 1.0, count - saas)
    own = curves(0.75 * level, 0.25 * level, chance.normal(14, 4, count - saas))
    endpoint = np.concatenate([chance.integers(0, ENDPOINTS, saas), np.full(count - saas, -1)])
    load, order = np.vstack([shared[endpoint[:saas]], own]), chance.permutation(count)
    high = np.clip(load[order] + 0.05, 0.0, 1.0)
    vms = Vms(tuple(map(str, range(count))), (endpoint >= 0)[order], endpoint[order], load[order], high)
    asked = placement_problem(hall, vms, OUTSIDE_C, saas_share=kind.saas_share)
    return replace(asked, placed=standing_slots(asked, int(kind.standing * count), chance))


def standing_slots(asked: PlacementProblem, count: int, chance: np.random.Generator) -> np.ndarray:
    """Slots of the first VMs by chance; one that would be too warm there counts as new."""
    slots = np.full(asked.count, -1)
    slots[:count] = chance.permutation(asked.row.size)[:count]
    warm = asked.slot_c[np.maximum(slots, 0)] + asked.vm_c > asked.limit_c
    return np.where(warm, -1, slots)


def figures(runs: int) -> list[Figure]:
    """Time and gap of one hall of 10,000 servers, the best time of the runs."""
    asked, times, gap = problem(KINDS["equal rows"], 1, ROWS), [], 0.0
    for _ in range(runs):
        start = time.perf_counter()
        gap = place_batch(asked).gap or 0.0
        times.append(time.perf_counter() - start)
    return [
        Figure("thermal: place 10,000 VMs", min(times), "s", MOST_S),
        Figure("thermal: gap of that plan", 100 * gap, "%", 100 * MOST_GAP),
    ]


def main() -> int:
    """Place in halls of every kind; print what came out, the worst first by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    gaps, times = [], []
    print(f"{'hall':<36}{'seed':>5}{'s':>7}{'gap %':>8}{'left out':>10}{'online gap %':>14}")
    for name, kind in KINDS.items():
        for seed in range(arguments.seeds):
            asked = problem(kind, seed, arguments.rows)
            start = time.perf_counter()
            plan = place_batch(asked)
            times.append(time.perf_counter() - start)
            gaps.append(100 * (plan.gap or 0.0))
            online = place_online(asked)
            print(
                f"{name:<36}{seed:>5}{times[-1]:>7.1f}{gaps[-1]:>8.3f}"
                f"{len(plan.unplaced):>10}{100 * (online.gap or 0.0):>14.2f}",
                flush=True,
            )
    for what, found in (("gap %", gaps), ("s", times)):
        print(f"{what:<6} median {np.median(found):.3f}  P95 {np.percentile(found, 95):.3f}  worst {max(found):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
