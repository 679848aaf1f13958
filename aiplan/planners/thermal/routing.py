"""Where requests go: load of instances within power of rows, air of aisles, temperature and latency.

The routing of TAPAS (arXiv 2501.02600) as restated in the project's notes. There one objective, ``rho + 1000 unmet``,
puts serving first. Here serving, keeping to affinity and balance are solved one after the other, which is the same
with a weight that no unit of load can outgrow. Whatever cannot be served is a number (`unmet`), never "infeasible".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.thermal.hall import Floats, Ints

AFFINITY_SHARE = 0.2
"""Share of an instance's capacity by which its load may change in a step; assumed."""
SLACKS = (0.0, 1e-9, 1e-6)
"""Shares of all load by which a stage may give up what the stage before reached; the next only if rounding asks."""


@dataclass(frozen=True, slots=True)
class RoutingProblem:
    """Instances of endpoints, I, E, R and A of instances, endpoints, rows and aisles.

    Attributes
    ----------
    demand_per_s : (E,) requests of each endpoint [1/s]; any unit of load serves, if all agree
    endpoint, row : (I,) endpoint and row of each instance
    capacity_per_s : (I,) load at which the latency promise still holds; not the maximum throughput [1/s]
    power_w_per_load : (I,) beta [W s]
    fixed_w : (R,) drawn whatever is routed: idle power, other VMs [W]
    budget_w : (R,) [W]
    base_c, warmth_c_per_load : (I,) temperature of the hottest GPU at no load, and its rise [C, K s]
    limit_c : [C]
    air_cfm_per_load : (I,) [CFM s]; empty: air is not asked
    aisle_of_row : (R,) aisle of each row; empty: air is not asked
    fixed_cfm, supply_cfm : (A,) [CFM]
    before_per_s : (I,) load in the step before; empty: no affinity
    affinity_share : share of its capacity by which the load of an instance may change beyond what demand changes
    affinity_first : whether affinity comes before serving; else it yields where requests would go unserved
    """

    demand_per_s: Floats
    endpoint: Ints
    row: Ints
    capacity_per_s: Floats
    power_w_per_load: Floats
    fixed_w: Floats
    budget_w: Floats
    base_c: Floats
    warmth_c_per_load: Floats
    limit_c: float
    air_cfm_per_load: Floats = field(default_factory=lambda: np.zeros(0))
    aisle_of_row: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    fixed_cfm: Floats = field(default_factory=lambda: np.zeros(0))
    supply_cfm: Floats = field(default_factory=lambda: np.zeros(0))
    before_per_s: Floats = field(default_factory=lambda: np.zeros(0))
    affinity_share: float = AFFINITY_SHARE
    affinity_first: bool = True


@dataclass(frozen=True, slots=True)
class Routing:
    """Loads, and what they cost.

    Attributes
    ----------
    load_per_s : (I,) load of each instance [1/s]
    unmet_per_s : (E,) demand that no instance serves [1/s]
    fullest_share : rho, the fullest row's share of its budget [1]
    row_w : (R,) [W]
    hottest_c : (I,) [C]
    moved_per_s : load moved between instances beyond the affinity limit, because limits or demand forced it [1/s]
    over_rows : rows whose fixed power alone is over budget; they get no load
    binding : (I,) what keeps an instance from more: "capacity", "temperature", "affinity", "power", "airflow", ""
    """

    load_per_s: Floats
    unmet_per_s: Floats
    fullest_share: float
    row_w: Floats
    hottest_c: Floats
    moved_per_s: float
    over_rows: tuple[int, ...]
    binding: tuple[str, ...]


def temperature_capacity(problem: RoutingProblem) -> Floats:
    """(I,) load at which the hottest GPU of an instance reaches its limit; infinite where load does not warm it."""
    room = problem.limit_c - problem.base_c
    warmth = problem.warmth_c_per_load
    most = np.divide(room, warmth, out=np.full(room.shape, np.inf), where=warmth > 0)
    return np.where(room < 0, 0.0, np.maximum(most, 0.0))


def affinity_range(problem: RoutingProblem) -> tuple[Floats, Floats]:
    """(I,), (I,) least and most load by affinity alone.

    The load before follows its endpoint's demand, growing or ending with it; around that it may change by
    ``affinity_share * capacity``. Zero and infinity where nothing was before.
    """
    before, count = problem.before_per_s, problem.endpoint.size
    if not before.size:
        return np.zeros(count), np.full(count, np.inf)
    served = np.bincount(problem.endpoint, weights=before, minlength=problem.demand_per_s.size)
    growth = np.divide(problem.demand_per_s, served, out=np.zeros(served.shape), where=served > 0)
    follows = before * growth[problem.endpoint]
    change = problem.affinity_share * problem.capacity_per_s
    known = served[problem.endpoint] > 0
    return np.where(known, np.maximum(follows - change, 0.0), 0.0), np.where(known, follows + change, np.inf)


def route(problem: RoutingProblem) -> Routing:
    """Serve as much as limits allow, with as little moved as affinity asks, over rows as even as then possible.

    Order: limits of rows, aisles, temperature and latency hold always; then affinity and serving, in the order
    `affinity_first` says; then the lowest share of the fullest row. Solved as linear programmes (HiGHS).

    Raises ValueError for loads, budgets or shares that are negative.
    """
    _check(problem)
    unit = max(float(problem.capacity_per_s.max(initial=0.0)), float(problem.demand_per_s.max(initial=0.0)))
    return _route(problem, unit or 1.0)


def _route(problem: RoutingProblem, unit: float) -> Routing:
    count, endpoints = problem.endpoint.size, problem.demand_per_s.size
    most = np.minimum(problem.capacity_per_s, temperature_capacity(problem))
    low, high = affinity_range(problem)
    low = np.minimum(low, most)
    program = _Program(_in_units(problem, unit), most / unit, low / unit, high / unit)
    columns = count + endpoints + 2 * count + 1
    unmet, moved, rho = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    unmet[count : count + endpoints] = 1.0
    moved[count + endpoints : -1] = 1.0
    rho[-1] = 1.0
    stages = [moved, unmet] if problem.affinity_first else [unmet, moved]
    if not problem.before_per_s.size:
        stages = [unmet]
    x = program.solve([*stages, rho])
    load = np.clip(x[:count] * unit, 0.0, most)
    served = np.bincount(problem.endpoint, weights=load, minlength=endpoints)
    row_w = problem.fixed_w + np.bincount(problem.row, weights=problem.power_w_per_load * load,
                                          minlength=problem.budget_w.size)  # fmt: skip
    beyond = float(np.maximum(low - load, 0.0).sum() + np.maximum(load - np.maximum(high, 0.0), 0.0).sum())
    return Routing(
        load, np.maximum(problem.demand_per_s - served, 0.0), float((row_w / problem.budget_w).max(initial=0.0)), row_w,
        problem.base_c + problem.warmth_c_per_load * load, beyond,
        tuple(np.flatnonzero(problem.fixed_w > problem.budget_w).tolist()), _binding(problem, load, most, high, row_w),
    )  # fmt: skip


def _in_units(problem: RoutingProblem, unit: float) -> RoutingProblem:
    """The problem with load counted in units near the largest, so that the solver's tolerance fits any unit."""
    return replace(
        problem, demand_per_s=problem.demand_per_s / unit, capacity_per_s=problem.capacity_per_s / unit,
        power_w_per_load=problem.power_w_per_load * unit, air_cfm_per_load=problem.air_cfm_per_load * unit,
    )  # fmt: skip


class _Program:
    """Columns: load (I), unmet (E), moved downwards (I) and upwards (I) beyond affinity, rho."""

    def __init__(self, problem: RoutingProblem, most: Floats, low: Floats, high: Floats) -> None:
        from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

        count, endpoints, rows = problem.endpoint.size, problem.demand_per_s.size, problem.budget_w.size
        each = np.arange(count)
        of_endpoint = coo_array((np.ones(count), (problem.endpoint, each)), shape=(endpoints, count))
        self.equal = hstack([of_endpoint, eye_array(endpoints), csr_array((endpoints, 2 * count + 1))], format="csr")
        self.demand = problem.demand_per_s
        share = problem.power_w_per_load / problem.budget_w[problem.row]
        of_row = coo_array((share, (problem.row, each)), shape=(rows, count))
        none = csr_array((rows, endpoints + 2 * count))
        fixed = problem.fixed_w / problem.budget_w
        lines: list[Any] = [hstack([of_row, none, csr_array(-np.ones((rows, 1)))])]
        lines.append(hstack([of_row, none, csr_array((rows, 1))]))
        right = [-fixed, np.maximum(1.0 - fixed, 0.0)]
        if problem.air_cfm_per_load.size:
            aisle = problem.aisle_of_row[problem.row]
            aisles = problem.supply_cfm.size
            air = problem.air_cfm_per_load / problem.supply_cfm[aisle]
            lines.append(hstack([coo_array((air, (aisle, each)), shape=(aisles, count)),
                                 csr_array((aisles, endpoints + 2 * count + 1))]))  # fmt: skip
            right.append(np.maximum(1.0 - problem.fixed_cfm / problem.supply_cfm, 0.0))
        if problem.before_per_s.size:
            eye, nothing = eye_array(count), csr_array((count, count))
            gap, last = csr_array((count, endpoints)), csr_array((count, 1))
            lines.append(hstack([-eye, gap, -eye, nothing, last]))
            lines.append(hstack([eye, gap, nothing, -eye, last]))
            right += [-low, np.minimum(high, most)]
        self.left, self.right = vstack(lines, format="csr"), np.concatenate(right)
        free = np.full(2 * count + 1, np.inf)
        self.bounds = np.c_[np.zeros(count + endpoints + free.size), np.r_[most, problem.demand_per_s, free]]

    def solve(self, stages: list[Floats]) -> Floats:
        """The loads that are best by the first stage, among those by the second, and so on."""
        from scipy.optimize import linprog
        from scipy.sparse import csr_array, vstack

        left, right = self.left, self.right
        x = np.zeros(self.bounds.shape[0])
        for number, cost in enumerate(stages):
            # A stage may miss by rounding what the one before reached.
            for slack in SLACKS[: 1 if number == 0 else None]:
                loose = np.r_[right[: self.right.size], right[self.right.size :] + slack]
                found = linprog(cost, A_ub=left, b_ub=loose, A_eq=self.equal, b_eq=self.demand, bounds=self.bounds)
                if found.x is not None:
                    break
            if found.x is None:
                raise ArithmeticError(f"the solver stopped while routing: {found.message}")
            x = found.x
            left = vstack([left, csr_array(cost[None, :])], format="csr")
            right = np.append(right, found.fun)
        return np.asarray(x, dtype=np.float64)


def _check(problem: RoutingProblem) -> None:
    require(problem.demand_per_s >= 0, "demand must not be negative")
    require(problem.capacity_per_s >= 0, "capacity must not be negative")
    require(problem.power_w_per_load >= 0, "power per load must not be negative")
    require(problem.warmth_c_per_load >= 0, "warmth per load must not be negative")
    require(problem.budget_w > 0, "budgets must be positive")
    require(problem.fixed_w >= 0, "fixed power must not be negative")
    require(problem.affinity_share >= 0, "the affinity share must not be negative")


def _binding(problem: RoutingProblem, load: Floats, most: Floats, high: Floats, row_w: Floats) -> tuple[str, ...]:
    near = 1e-7 * np.maximum(problem.capacity_per_s, 1e-12)
    full_row = row_w >= problem.budget_w * (1 - 1e-7)
    short = np.zeros(problem.row.size, dtype=np.bool_)
    if problem.air_cfm_per_load.size:
        aisle = problem.aisle_of_row[problem.row]
        air = problem.fixed_cfm + np.bincount(aisle, weights=problem.air_cfm_per_load * load,
                                              minlength=problem.supply_cfm.size)  # fmt: skip
        short = (air >= problem.supply_cfm * (1 - 1e-7))[aisle]
    tests = {
        "capacity": load >= problem.capacity_per_s - near,
        "temperature": load >= most - near,
        "power": full_row[problem.row],
        "airflow": short,
        "affinity": load >= high - near,
    }
    return tuple(next((name for name, at in tests.items() if at[i]), "") for i in range(load.size))
