"""Inputs to result: placement, replays with each lever, more servers, emergencies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InfeasibleError, InputError, Problem
from aiplan.planners.thermal.case import Case, build_case
from aiplan.planners.thermal.configuration_search import UNPROVEN
from aiplan.planners.thermal.events import Emergency, emergencies_of
from aiplan.planners.thermal.hall import HOURS, Hall, Ints, Vms
from aiplan.planners.thermal.inputs import ThermalInputs
from aiplan.planners.thermal.llm_configs import median_of
from aiplan.planners.thermal.oversubscribe import (
    ByMoments,
    Capacity,
    Level,
    Wider,
    by_moments,
    most_added,
    packed_slots,
    random_slots,
    try_levels,
)
from aiplan.planners.thermal.peak_routing import PeakRouting, route_peak
from aiplan.planners.thermal.placement import Placement, place_batch, place_online, with_bound
from aiplan.planners.thermal.placement_lp import PlacementBound, balance_share, most_placeable
from aiplan.planners.thermal.placement_milp import MOST_VMS, STOPPED, place_exact
from aiplan.planners.thermal.placement_problem import (
    PlacementProblem,
    coolest_bound_c,
    objective,
    placement_problem,
    without,
)
from aiplan.planners.thermal.row_configuration import RowConfigured, configure_row
from aiplan.planners.thermal.simulate import Run, simulate
from aiplan.planners.thermal.synthetic import Demand, demand, hours_of, replayed, with_offsets
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

POLICIES = {
    "random": "random",
    "packed": "packed: an endpoint's VMs side by side",
    "route": "random + route",
    "configure": "random + configure",
    "place": "place",
    "place_route": "place + route",
    "all": "place + route + configure",
}
"""What is replayed: id and label."""
NEAR_ENOUGH = 0.001
"""Share above the bound by balance at which no better bound is worth a second, and gap at which a solver may stop."""
MOMENTS_PROBABILITY = 0.999
"""Share of time a row stays below its budget, where rows are filled by moments."""


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers."""

    case: Case
    problem: PlacementProblem
    placement: Placement
    runs: dict[str, Run]
    levels: list[Level]
    capacity: Capacity
    moments: dict[str, ByMoments]
    peak: PeakRouting | None = None
    configured: list[RowConfigured] = field(default_factory=list)
    emergencies: list[Emergency] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)

    @property
    def best(self) -> Run:
        """The replay with all levers."""
        return self.runs["all"]

    @property
    def placed(self) -> int:
        """VMs that have a slot."""
        return int((self.placement.slots >= 0).sum())


def plan(inputs: ThermalInputs, catalog: Catalog) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for what cannot be worked with; InfeasibleError where no VM can be placed at all.
    """
    case = build_case(inputs, catalog)
    low, high = inputs.place.saas_share_range
    problem = placement_problem(case.hall, case.vms, case.design_outside_c, saas_share=(low, high))
    placement = _placed(problem, inputs.place.mode)
    if not (placement.slots >= 0).any():
        reason = placement.unplaced[0].reason
        raise InfeasibleError(
            f"no VM can be placed: each breaks a limit of {reason}",
            code="E258",
            hint="raise row budgets, air or thermal.t_max_c, or lower the design temperature",
        )
    runs = _runs(case, placement.slots)
    # More servers are no question where those there are do not fit.
    levels, capacity = ([], Capacity(0.0, "")) if placement.unplaced else _oversubscribe(case)
    moments = {
        name: by_moments(case.hall, case.demand, MOMENTS_PROBABILITY, peak_hour=name == "peak hour")
        for name in ("all hours", "peak hour")
    }
    peak = route_peak(case.hall, case.vms, placement.slots, case.demand.load, case.demand.outside_c)
    configured = _configured(case, placement.slots)
    emergencies = emergencies_of(case, placement.slots)
    result = Result(case, problem, placement, runs, levels, capacity, moments, peak, configured, emergencies,
                    list(case.warnings))  # fmt: skip
    _warn(result)
    return result


def _placed(problem: PlacementProblem, mode: str) -> Placement:
    if mode == "exact":
        if problem.count > MOST_VMS:
            raise InputError(Problem("E255", f"place.mode: exact takes up to {MOST_VMS} VMs, not {problem.count:,}",
                                     "place.mode", hint="take batch, which comes with a bound"))  # fmt: skip
        return place_exact(problem, relative_gap=NEAR_ENOUGH)
    place = place_online if mode == "online" else place_batch
    return _bounded(problem, place(problem, bound=False))


def _bounded(problem: PlacementProblem, placement: Placement) -> Placement:
    """The placement with a bound: by balance where that tells enough, else by a linear programme, which takes a second.

    Both hold for every plan of the VMs that are placed.
    """
    placed = without(problem, placement.slots < 0)
    balance = balance_share(placed, np.ones(placed.count, dtype=np.bool_))
    if placement.z_power > balance * (1.0 + NEAR_ENOUGH):
        return with_bound(problem, placement)
    warm = coolest_bound_c(placed) / problem.limit_c
    bound = PlacementBound(objective(problem, balance, warm), balance, warm, balance, "balance", gathered=False)
    return replace(placement, bound=bound)


def _runs(case: Case, placed: Ints) -> dict[str, Run]:
    hall, asked, rules = case.hall, case.demand, case.rules
    chance, packed = random_slots(hall, asked.vms, case.seed), packed_slots(asked.vms)

    def run(slots: Ints, *, route: bool = False, configure: bool = False) -> Run:
        return simulate(hall, asked.vms, slots, asked.load, asked.outside_c, asked.step_s, route=route,
                        configure=configure, rules=rules)  # fmt: skip

    return {
        "random": run(chance),
        "packed": run(packed),
        "route": run(chance, route=True),
        "configure": run(chance, configure=True),
        "place": run(placed),
        "place_route": run(placed, route=True),
        "all": run(placed, route=True, configure=True),
    }


def _configured(case: Case, slots: Ints) -> list[RowConfigured]:
    if not case.configs:
        return []
    share = median_of(case.inputs.emergency.row_power_share)
    return configure_row(case.hall, case.vms, slots, case.demand.load, case.demand.outside_c, case.configs,
                         case.promises_ms, share)  # fmt: skip


def _oversubscribe(case: Case) -> tuple[list[Level], Capacity]:
    asked = case.inputs.oversubscribe
    risks = asked.over_share.distribution.median, asked.throttle_share.distribution.median

    def widen(added: float) -> Wider:
        return wider(case, added)

    levels = try_levels(widen, asked.levels, case.hall.slots, case.design_outside_c, case.rules, case.seed)
    capacity = most_added(widen, levels, case.servers_per_row, case.design_outside_c, case.rules, risks)
    return levels, capacity


def wider(case: Case, added: float) -> Wider:
    """The hall with servers added to every row, budgets and air as they are, and as many more VMs."""
    hall, counts = case.hall, np.rint(case.servers_per_row * (1.0 + added)).astype(np.int64)
    slots = int(counts.sum())
    bare = replace(hall, row=np.repeat(np.arange(hall.rows, dtype=np.int64), counts), slot_offset_c=np.zeros(slots),
                   gpu_offset_c=np.zeros(slots))  # fmt: skip
    more = with_offsets(bare, case.spread, case.seed, case.row_offset_c)
    return Wider(more, _more(case, round(case.vms.count * slots / hall.slots), more))


def _more(case: Case, count: int, hall: Hall) -> Demand:
    """VMs as before and more: drawn on, or the given ones over again."""
    asked = case.demand
    count = min(count, hall.slots)
    if case.mix is not None:
        days = asked.load.shape[1] * asked.step_s / (HOURS * 3600.0)
        return demand(count, case.mix, case.outside, days, asked.step_s, case.seed)
    again = np.arange(count) % asked.vms.count
    vms = asked.vms
    names = tuple(f"{vms.id[at]}+{number // vms.count}" for number, at in enumerate(again.tolist()))
    more = Vms(names, vms.saas[again], vms.endpoint[again], vms.load_p50[again], vms.load_p99[again])
    days = hours_of(1.0, asked.step_s).size
    return replayed(more, asked.outside_c, asked.load.shape[1] / days, asked.step_s, case.seed)


def _unproven(result: Result) -> list[Warn]:
    """What a solver ended by its clock, which may end elsewhere in another run."""
    told = "a better answer may exist, and another run may find another one"
    out = []
    if result.placement.status == STOPPED:
        gap = result.placement.gap
        within = "" if gap is None else f" within {gap:.1%} of its bound"
        out.append(Warn("W-THERMAL-UNPROVEN", f"the placement's solver stopped before a proof{within}: {told}",
                        "place.mode"))  # fmt: skip
    cases = [one.case for one in result.configured if one.found.status == UNPROVEN]
    if cases:
        out.append(Warn("W-THERMAL-UNPROVEN", "the solver of the fullest row's configurations stopped before a proof "
                        f"({' and '.join(cases)} budget): {told}", "serving"))  # fmt: skip
    return out


def _warn(result: Result) -> None:
    """What the reader must know to use the numbers."""
    case, out = result.case, result.warnings
    if result.placement.unplaced:
        count = len(result.placement.unplaced)
        reasons = ", ".join(sorted({one.reason for one in result.placement.unplaced}))
        most = min(most_placeable(result.problem), case.vms.count)
        out.append(Warn("W-THERMAL-UNPLACED", f"{count:,} VMs have no slot that keeps all limits ({reasons}), "
                        f"{result.placed:,} have one, and no placement finds one for more than {most:,}; replays of "
                        "the placement run without them", "hall.row_budget_share"))  # fmt: skip
    out += _unproven(result)
    for one in result.emergencies:
        if not any(outcome.feasible and outcome.in_time for outcome in one.outcomes):
            out.append(Warn("W-THERMAL-EMERGENCY", f"no policy meets a lost {one.what} in time and in full: a brake in "
                            "band or in hardware is needed", "emergency"))  # fmt: skip
    best = result.best
    if best.throttle_events:
        out.append(Warn("W-THERMAL-THROTTLE", f"GPUs throttle {best.throttle_events:,} times with all levers",
                        "thermal.t_throttle_c"))  # fmt: skip
    if best.over_share > 0.0:
        out.append(Warn("W-THERMAL-OVER", f"rows draw more than their budget in {best.over_share:.2%} of row-steps "
                        "with all levers", "hall.row_budget_share"))  # fmt: skip
    short = np.flatnonzero(best.aisle_peak_cfm > case.hall.aisle_airflow_cfm * (1.0 + 1e-9))
    if short.size:
        out.append(Warn("W-THERMAL-AISLE", f"{short.size} of {case.hall.aisles} aisles ask for more air than they get: "
                        "hot air comes back", "hall.aisle_airflow_share"))  # fmt: skip
