"""Halls and VMs for tests of decisions, and a checker that shares no code with what it checks."""

from __future__ import annotations

import itertools

import numpy as np

from aiplan.planners.thermal.hall import Hall, Vms
from aiplan.planners.thermal.placement_problem import PlacementProblem, placement_problem

HOURS = np.arange(24)


def random_hall(
    seed: int, rows: int, servers: int, *, budget: float = 0.9, air: float = 1.0, spread: float = 0.0
) -> Hall:
    """Rows of equal length, two to an aisle; offsets as in section 11 of the reference, budgets +- `spread`."""
    chance = np.random.Generator(np.random.PCG64(seed))
    row = np.repeat(np.arange(rows), servers)
    aisle = np.arange(rows) // 2
    return Hall(
        row, aisle, servers * 6500 * budget * (1 + spread * chance.uniform(-1, 1, rows)),
        np.bincount(aisle) * servers * 840.0 * air * (1 + spread * chance.uniform(-1, 1, aisle[-1] + 1)),
        chance.normal(0, 0.8, rows)[row] + chance.normal(0, 0.6, row.size),
        np.abs(chance.normal(0, 3, (row.size, 8))).max(axis=1), t_max_c=85.0,
    )  # fmt: skip


def random_vms(seed: int, count: int, endpoints: int = 12) -> Vms:
    """Half SaaS on daily curves of their endpoints, half opaque ones of their own; section 11 of the reference."""
    chance = np.random.Generator(np.random.PCG64(seed + 1000))
    saas = count // 2

    def curve(base: np.ndarray, swing: np.ndarray, peak: np.ndarray) -> np.ndarray:
        return np.clip(base[:, None] + swing[:, None] * np.sin(2 * np.pi * (HOURS - peak[:, None] + 6) / 24), 0.05, 1)

    of_endpoint = curve(
        chance.uniform(0.35, 0.5, endpoints), chance.uniform(0.25, 0.45, endpoints), chance.normal(14, 2.5, endpoints)
    )
    endpoint = chance.integers(0, endpoints, saas)
    level = chance.uniform(0.3, 1, count - saas)
    opaque = curve(0.75 * level, 0.25 * level, chance.normal(14, 4, count - saas))
    load = np.vstack([of_endpoint[endpoint], opaque])
    order = chance.permutation(count)
    return Vms(
        tuple(f"vm{n}" for n in range(count)), (np.arange(count) < saas)[order],
        np.concatenate([endpoint, np.full(count - saas, -1)])[order], load[order], np.clip(load[order] + 0.05, 0, 1),
    )  # fmt: skip


def tiny(seed: int) -> tuple[Hall, Vms, PlacementProblem]:
    """Three rows, six slots, up to six VMs, with limits that bind; every fourth has a VM that already stands."""
    chance = np.random.Generator(np.random.PCG64(seed))
    count = int(chance.integers(3, 7))
    row = np.repeat(np.arange(3), 2) if seed % 3 == 0 else np.sort(chance.integers(0, 3, 6))
    hall = Hall(
        row, np.array([0, 0, 1]), chance.uniform(9000, 14000, 3), chance.uniform(1000, 2600, 2),
        chance.normal(0, 1, 6), chance.uniform(0, 5, 6), t_max_c=float(chance.uniform(60, 74)),
    )  # fmt: skip
    swing = 1 + 0.3 * np.sin(HOURS / 24 * 2 * np.pi + chance.uniform(0, 6, (count, 1)))
    load = np.clip(chance.uniform(0, 1, (count, 1)) * swing, 0, 1)
    saas = chance.random(count) < 0.5
    vms = Vms(tuple(map(str, range(count))), saas, np.where(saas, 0, -1), load, load)
    placed = np.full(count, -1)
    if seed % 4 == 0:
        # Small, so that what stands breaks no limit by itself.
        load[0] = 0.05
        placed[0] = 2
    share = (0.5, 0.5) if seed % 2 == 0 else (0.0, 1.0)
    return hall, vms, placement_problem(hall, vms, 25.0, placed=placed, saas_share=share)


def broken(hall: Hall, vms: Vms, slots: np.ndarray, outside_c: float, share: tuple[float, float] = (0, 1)) -> list[str]:
    """Limits a plan breaks, by plain loops over the definitions of sections 3 and 5 of the reference."""
    found = []
    used = [int(k) for k in slots if k >= 0]
    if len(used) != len(set(used)):
        found.append("two VMs in a slot")
    curve = 18.0
    if outside_c > 15:
        curve += 0.6 * (min(outside_c, 25) - 15)
    if outside_c > 25:
        curve += 0.3 * (outside_c - 25)
    for hour in range(24):
        mean_load = min(sum(float(x) for x in vms.load_p99[:, hour]) / hall.row.size, 1.0)
        row_w = dict.fromkeys(range(hall.row_budget_w.size), 0.0)
        aisle_cfm = dict.fromkeys(range(hall.aisle_airflow_cfm.size), 0.0)
        for v, k in enumerate(slots.tolist()):
            if k < 0:
                continue
            load = float(vms.load_p99[v, hour])
            r = int(hall.row[k])
            row_w[r] += 1600 + (6500 - 1600) * load
            aisle_cfm[int(hall.aisle_of_row[r])] += 300 + 540 * load
            inlet = curve + 2 * (mean_load - 0.5) + float(hall.slot_offset_c[k])
            warm = inlet + 0.11 * (60 + 340 * load) + 3 + float(hall.gpu_offset_c[k])
            if warm > hall.t_max_c + 1e-6:
                found.append(f"VM {v} {warm} C")
        found += [f"row {r}" for r, w in row_w.items() if w > hall.row_budget_w[r] * (1 + 1e-8)]
        found += [f"aisle {a}" for a, f in aisle_cfm.items() if f > hall.aisle_airflow_cfm[a] * (1 + 1e-8)]
    low, high = share
    for r in range(hall.row_budget_w.size):
        size = int((hall.row == r).sum())
        inside = [v for v, k in enumerate(slots.tolist()) if k >= 0 and hall.row[k] == r]
        saas = sum(bool(vms.saas[v]) for v in inside)
        if saas > np.ceil(size * high - 1e-9) or len(inside) - saas > np.ceil(size * (1 - low) - 1e-9):
            found.append(f"kinds in row {r}")
    return found


def best_by_brute_force(hall: Hall, vms: Vms, problem: PlacementProblem) -> tuple[int, float]:
    """(VMs left out, objective) of the best of all plans, by trying every one."""
    best = (problem.count + 1, np.inf)
    fixed = [(v, int(k)) for v, k in enumerate(problem.placed) if k >= 0]
    for slots in itertools.product(range(-1, hall.row.size), repeat=problem.count):
        if any(slots[v] != k for v, k in fixed) or slots.count(-1) > best[0]:
            continue
        used = [k for k in slots if k >= 0]
        if len(used) != len(set(used)):
            continue
        row_w, warmest = np.zeros((3, 24)), 0.0
        aisle_cfm = np.zeros((2, 24))
        kinds = np.zeros((3, 2))
        for v, k in enumerate(slots):
            if k >= 0:
                r = problem.row[k]
                row_w[r] += problem.power_w[v]
                aisle_cfm[problem.aisle_of_row[r]] += problem.air_cfm[v]
                kinds[r, 0 if problem.saas[v] else 1] += 1
                warmest = max(warmest, problem.slot_c[k] + problem.vm_c[v])
        share = (row_w / problem.budget_w[:, None]).max()
        if share > 1 or (aisle_cfm > problem.supply_cfm[:, None]).any() or warmest > problem.limit_c:
            continue
        if (kinds > np.array(problem.kind_limits).T).any():
            continue
        best = min(best, (slots.count(-1), problem.weights[0] * share + problem.weights[1] * warmest / problem.limit_c))
    return best
