"""Where to put new VMs: greedy and local search for halls of any size, in a batch or one VM after the other.

No VM is ever put where a limit would break. One that fits nowhere stays out and is named, with the limit that keeps
it out. GPU VMs do not migrate live, so a placement is decided once: `place_online` is what an operator can do,
`place_batch`, which knows all VMs beforehand and may reorder them, is the upper bound of that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.thermal.hall import NOWHERE, Floats, Ints
from aiplan.planners.thermal.placement_lp import PlacementBound, balance_share, placement_bound
from aiplan.planners.thermal.placement_problem import (
    PlacementProblem,
    coolest_bound_c,
    loads_of,
    objective,
    temperatures_c,
    violations,
    without,
    z_values,
)  # fmt: skip
from aiplan.planners.thermal.placement_search import by_load, fill, insert, reason, relieve
from aiplan.planners.thermal.placement_state import State

BATCH, ONLINE, EXACT = "batch", "online", "exact"
HEURISTIC = "heuristic"
NEAR = 2e-3
"""Share above the easy bound at which one search is enough."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A VM without a slot: index, name, and the limits that keep it out ("power", "airflow or temperature", ...)."""

    vm: int
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """A plan and how good it is.

    Attributes
    ----------
    mode : "batch" (all VMs known, reordered), "online" (by arrival, no migration) or "exact" (a solver's)
    slots : (V,) slot of each VM, NOWHERE (-1) for one left out
    unplaced : every VM left out
    z_power : highest row power over its budget, over all hours [1]
    z_temperature : hottest GPU over the limit, margin included [1]
    objective : w1 z_power + w2 z_temperature [1]
    bound : no plan of the VMs that are placed has a lower objective; None where none was asked for
    row_peak_w, aisle_peak_cfm : (R,), (A,) highest over the hours [W, CFM]
    hottest_c : (V,) hottest GPU of each VM, margin included, NaN for one left out [C]
    fullest_row, fullest_hour : where z_power is; the binding constraint of power
    hottest_vm : where z_temperature is, NOWHERE in an empty hall
    saas_share : (R,) SaaS among the VMs of each row, NaN for an empty row [1]
    violations : limits broken by VMs that stood before, in words; empty means the plan keeps to every limit
    status : what ended the search: "heuristic", or a solver's word
    """

    mode: str
    slots: Ints
    unplaced: tuple[Unplaced, ...]
    z_power: float
    z_temperature: float
    objective: float
    bound: PlacementBound | None
    row_peak_w: Floats
    aisle_peak_cfm: Floats
    hottest_c: Floats
    fullest_row: int
    fullest_hour: int
    hottest_vm: int
    saas_share: Floats
    violations: tuple[str, ...]
    status: str = HEURISTIC

    @property
    def gap(self) -> float | None:
        """(objective - bound) / bound; None without a bound, or where the bound is 0 [1]."""
        if self.bound is None or self.bound.objective <= 0.0:
            return None
        return (self.objective - self.bound.objective) / self.bound.objective


def place_batch(problem: PlacementProblem, *, bound: bool = True) -> Placement:
    """Place all new VMs at once: greedy by peak power, highest first, then local search.

    Where that left a VM out or stayed more than `NEAR` above what balance and the order of heat allow, the search is
    run a second way; and where VMs are still left out, greedy starts from the smallest, which places more of them.
    The plan that leaves fewer VMs out wins, among those the one of lower objective. `bound` asks for the linear
    programme's bound.
    """
    order = by_load(problem)
    best = _batch(problem, order, 0.0, 0.0, heat_first=True)
    if best.unplaced or best.objective > (1.0 + NEAR) * easy_bound(problem):
        best = min(best, _batch(problem, order, 0.0, 1.0, heat_first=False), key=_rank)
    if best.unplaced:
        best = min(best, _batch(problem, order[::-1], 0.0, 0.0, heat_first=True), key=_rank)
    return with_bound(problem, best) if bound else best


def _rank(plan: Placement) -> tuple[int, float]:
    return len(plan.unplaced), plan.objective


def _batch(problem: PlacementProblem, order: Ints, warm: float, air: float, *, heat_first: bool) -> Placement:
    state = State(problem)
    left = insert(state, fill(state, order, warm, air))
    relieve(state, balance_share(problem, state.row_of >= 0), heat_first=heat_first)
    # What the search freed may admit what the greedy left out.
    left = insert(state, left)
    return finish(problem, state.slots(), BATCH, tuple(_named(state, v) for v in left), HEURISTIC)


def place_online(problem: PlacementProblem, *, bound: bool = True) -> Placement:
    """Place VMs in the order of their arrival, which is their index; nobody moves later.

    The bound is that of the batch: what is lost against it is partly the price of not knowing what comes.
    """
    state = State(problem)
    slots = problem.placed.copy()
    unplaced = []
    for v in np.flatnonzero(problem.placed < 0):
        if fill(state, np.array([v])):
            unplaced.append(_named(state, int(v)))
            continue
        r = int(state.row_of[v])
        slots[v] = state.slots_of[r][int(state.held[r]) - 1]
    plan = finish(problem, slots, ONLINE, tuple(unplaced), HEURISTIC)
    return with_bound(problem, plan) if bound else plan


def _named(state: State, v: int) -> Unplaced:
    return Unplaced(v, state.problem.id[v], reason(state, v))


def easy_bound(problem: PlacementProblem) -> float:
    """Lower bound of the objective of all VMs: balance alone for power, the order of heat alone for temperature."""
    everyone = np.ones(problem.count, dtype=np.bool_)
    return objective(problem, balance_share(problem, everyone), coolest_bound_c(problem) / problem.limit_c)


def with_bound(problem: PlacementProblem, plan: Placement) -> Placement:
    """The plan with the bound of the VMs it places."""
    return replace(plan, bound=placement_bound(without(problem, plan.slots < 0)))


def finish(problem: PlacementProblem, slots: Ints, mode: str, unplaced: tuple[Unplaced, ...], status: str) -> Placement:
    """A plan with everything that follows from its slots, without a bound."""
    z_power, z_temperature = z_values(problem, slots)
    power, air = loads_of(problem, slots)
    warm = temperatures_c(problem, slots)
    fullest = np.unravel_index(np.argmax(power / problem.budget_w[:, None]), power.shape)
    here = slots >= 0
    rows = problem.row[slots[here]]
    held = np.bincount(rows, minlength=problem.rows)
    saas = np.bincount(rows[problem.saas[here]], minlength=problem.rows)
    share = np.divide(saas, held, out=np.full(held.shape, np.nan), where=held > 0)
    return Placement(
        mode, slots, unplaced, z_power, z_temperature, objective(problem, z_power, z_temperature), None,
        power.max(axis=1), air.max(axis=1), warm, int(fullest[0]), int(fullest[1]),
        int(np.nanargmax(warm)) if here.any() else NOWHERE, share, violations(problem, slots), status,
    )  # fmt: skip
