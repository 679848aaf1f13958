"""The placement problem as plain arrays: what a VM asks of a row, an aisle and a slot, and whether a plan keeps to it.

Temperature is separable: the hottest GPU of slot k under VM v is ``slot_c[k] + vm_c[v]``, because the model is linear
with one set of coefficients for the hall. So VMs are ordered by heat and slots by coolness, and within a row the plan
that puts the hottest VM into the coolest slot, and so on down, has the lowest maximum there is.

Reference for the problem: the placement of TAPAS (arXiv 2501.02600) as restated in the project's notes; its weights
and score are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import require
from aiplan.planners.thermal.hall import HOURS, NOWHERE, Bools, Floats, Hall, Ints, Vms
from aiplan.planners.thermal.model import airflow_cfm, gpu_power_w, server_power_w, shared_inlet_c, sum_by

POWER_WEIGHT, TEMPERATURE_WEIGHT = 1.0, 0.2
"""w1 and w2 of the objective; assumed."""
TOLERANCE = 1e-9
"""Share of a limit by which sums may miss it through rounding."""


@dataclass(frozen=True, slots=True)
class PlacementProblem:
    """VMs to place, one to a slot, under power of rows, air of aisles, temperature of GPUs.

    S slots, R rows, A aisles, V VMs, H hours.

    Attributes
    ----------
    id : (V,) names of the VMs
    row : (S,) row of each slot
    aisle_of_row : (R,) aisle of each row
    budget_w : (R,) power a row may draw [W]
    supply_cfm : (A,) air an aisle gets [CFM]
    slot_c : (S,) a slot's part of the temperature of its hottest GPU, margin included [C]
    limit_c : highest temperature a plan accepts [C]
    power_w, air_cfm : (V, H) what a VM's server draws at its high load, by hour [W, CFM]
    vm_c : (V,) a VM's part of the temperature, at its hottest hour [K]
    saas : (V,) true where the VM may be reconfigured later
    placed : (V,) slot of a VM that already stands and stays; NOWHERE for those to be placed
    other_w, other_cfm : (R, H) and (A, H) drawn by what is not a VM [W, CFM]
    saas_share : (low, high); in a row at most high of its slots hold SaaS and at most 1 - low hold opaque VMs
    weights : (w1, w2) of the fullest row and the hottest GPU
    """

    id: tuple[str, ...]
    row: Ints
    aisle_of_row: Ints
    budget_w: Floats
    supply_cfm: Floats
    slot_c: Floats
    limit_c: float
    power_w: Floats
    air_cfm: Floats
    vm_c: Floats
    saas: Bools
    placed: Ints
    other_w: Floats
    other_cfm: Floats
    saas_share: tuple[float, float] = (0.0, 1.0)
    weights: tuple[float, float] = (POWER_WEIGHT, TEMPERATURE_WEIGHT)

    @property
    def rows(self) -> int:
        """R, the number of rows."""
        return int(self.budget_w.size)

    @property
    def count(self) -> int:
        """V, the number of VMs."""
        return len(self.id)

    @property
    def kind_limits(self) -> tuple[Ints, Ints]:
        """(R,) most SaaS and (R,) most opaque VMs of each row, whole numbers rounded up."""
        slots = np.bincount(self.row, minlength=self.rows)
        low, high = self.saas_share
        most = [np.ceil(slots * share - TOLERANCE).astype(np.int64) for share in (high, 1.0 - low)]
        return most[0], most[1]


def placement_problem(
    hall: Hall,
    vms: Vms,
    outside_c: float,
    *,
    placed: npt.ArrayLike | None = None,
    hall_load: npt.ArrayLike | None = None,
    other_w: npt.ArrayLike = 0.0,
    other_cfm: npt.ArrayLike = 0.0,
    saas_share: tuple[float, float] = (0.0, 1.0),
    weights: tuple[float, float] = (POWER_WEIGHT, TEMPERATURE_WEIGHT),
) -> PlacementProblem:
    """The problem of placing `vms` in `hall`, at the P99 profile and the outside temperature of design.

    Parameters
    ----------
    outside_c : design outside temperature [C]
    placed : (V,) slots of VMs that stay where they are, NOWHERE for the others; None: all are new
    hall_load : (24,) or scalar mean load of the hall, which warms all inlets; None: all VMs at their P99 load
    other_w, other_cfm : (R, 24) and (A, 24), or scalars, drawn by what is not in `vms` [W, CFM]
    saas_share, weights : see `PlacementProblem`

    Raises ValueError where the inputs contradict each other: a slot taken twice or unknown, a share outside 0..1.
    """
    where = np.full(vms.count, NOWHERE, dtype=np.int64) if placed is None else np.asarray(placed, dtype=np.int64)
    standing = where[where >= 0]
    require(where.shape == (vms.count,), "placed needs one slot per VM")
    require((where >= NOWHERE) & (where < hall.slots), "placed names a slot the hall does not have")
    require(np.unique(standing).size == standing.size, "placed names a slot twice")
    low, high = saas_share
    require(0.0 <= low <= high <= 1.0, "the SaaS share needs 0 <= low <= high <= 1")
    require(min(weights) >= 0.0, "weights must not be negative")
    load = vms.load_p99
    # At most as many VMs stand as there are slots, so the mean never passes 1.
    everyone = np.minimum(load.sum(axis=0) / hall.slots, 1.0)
    mean_load = everyone if hall_load is None else np.asarray(hall_load, dtype=np.float64)
    require((mean_load >= 0.0) & (mean_load <= 1.0 + TOLERANCE), "the mean load of the hall must lie between 0 and 1")
    shared = hall.inlet_coefficient * np.broadcast_to(shared_inlet_c(hall, outside_c, mean_load), (HOURS,))
    # A slot's part is what does not depend on the VM; the hour enters with the VM, whose own peak it meets or misses.
    vm_c = (hall.power_coefficient * gpu_power_w(hall, load) + shared).max(axis=1)
    slot_c = hall.inlet_coefficient * hall.slot_offset_c + hall.gpu_offset_c + hall.intercept_c + hall.margin_c
    return PlacementProblem(
        vms.id, hall.row, hall.aisle_of_row, hall.row_budget_w, hall.aisle_airflow_cfm, slot_c, hall.t_max_c,
        server_power_w(hall, load), airflow_cfm(hall, load), vm_c, vms.saas, where,
        np.array(np.broadcast_to(other_w, (hall.rows, HOURS)), dtype=np.float64),
        np.array(np.broadcast_to(other_cfm, (hall.aisles, HOURS)), dtype=np.float64), saas_share, weights,
    )  # fmt: skip


def without(problem: PlacementProblem, vms: Bools) -> PlacementProblem:
    """The problem without some of its VMs (V,)."""
    kept = np.flatnonzero(~vms)
    names = tuple(problem.id[v] for v in kept.tolist())
    return replace(
        problem, id=names, power_w=problem.power_w[kept], air_cfm=problem.air_cfm[kept], vm_c=problem.vm_c[kept],
        saas=problem.saas[kept], placed=problem.placed[kept],
    )  # fmt: skip


def loads_of(problem: PlacementProblem, slots: Ints) -> tuple[Floats, Floats]:
    """Power of rows (R, H) [W] and air of aisles (A, H) [CFM] when VMs stand at `slots` (V,)."""
    rows = np.where(slots < 0, NOWHERE, problem.row[np.maximum(slots, 0)])
    aisles = np.where(slots < 0, NOWHERE, problem.aisle_of_row[np.maximum(rows, 0)])
    power = problem.other_w + sum_by(rows, problem.power_w.T, problem.rows).T
    air = problem.other_cfm + sum_by(aisles, problem.air_cfm.T, problem.supply_cfm.size).T
    return power, air


def temperatures_c(problem: PlacementProblem, slots: Ints) -> Floats:
    """Hottest GPU of each VM (V,), NaN for one without a slot [C]."""
    return np.where(slots < 0, np.nan, problem.slot_c[np.maximum(slots, 0)] + problem.vm_c)


def z_values(problem: PlacementProblem, slots: Ints) -> tuple[float, float]:
    """(z_pow, z_temp): fullest row by its budget, hottest GPU by its limit; z_temp is 0 in an empty hall [1]."""
    power, _ = loads_of(problem, slots)
    z_power = float((power / problem.budget_w[:, None]).max(initial=0.0))
    here = slots >= 0
    hottest = float((problem.slot_c[slots[here]] + problem.vm_c[here]).max(initial=0.0))
    return z_power, hottest / problem.limit_c


def objective(problem: PlacementProblem, z_power: float, z_temperature: float) -> float:
    """``w1 z_pow + w2 z_temp`` [1]."""
    return problem.weights[0] * z_power + problem.weights[1] * z_temperature


def violations(problem: PlacementProblem, slots: Ints) -> tuple[str, ...]:
    """Every limit a plan breaks, in words; empty for a plan that keeps to all of them.

    VMs that already stood may break limits on their own: then the plan shows it, and adds nothing to it.
    """
    power, air = loads_of(problem, slots)
    found = []
    here = slots[slots >= 0]
    if np.unique(here).size != here.size:
        found.append("a slot holds two VMs")
    for r in np.flatnonzero((power > problem.budget_w[:, None] * (1 + TOLERANCE)).any(axis=1)).tolist():
        found.append(f"row {r}: {power[r].max():.0f} W of {problem.budget_w[r]:.0f} W")
    for a in np.flatnonzero((air > problem.supply_cfm[:, None] * (1 + TOLERANCE)).any(axis=1)).tolist():
        found.append(f"aisle {a}: {air[a].max():.0f} CFM of {problem.supply_cfm[a]:.0f} CFM")
    warm = temperatures_c(problem, slots)
    for v in np.flatnonzero(warm > problem.limit_c * (1 + TOLERANCE)).tolist():
        found.append(f"VM {problem.id[v]}: {warm[v]:.1f} C of {problem.limit_c:.1f} C")
    rows = problem.row[np.maximum(slots, 0)]
    for kind, most, name in zip((problem.saas, ~problem.saas), problem.kind_limits, ("SaaS", "opaque"), strict=True):
        held = np.bincount(rows[kind & (slots >= 0)], minlength=problem.rows)
        found += [f"row {r}: {held[r]} {name} VMs, {most[r]} allowed" for r in np.flatnonzero(held > most).tolist()]
    return tuple(found)


def coolest_bound_c(problem: PlacementProblem) -> float:
    """The lowest maximum temperature any plan that places all VMs has, limits of power and air left out [C].

    Hottest VM to coolest free slot, second to second: exchanging any two of another plan never lowers its maximum
    below this (the bottleneck assignment of a sum). VMs that already stand keep their slots.
    """
    new = problem.placed < 0
    standing = problem.placed[~new]
    known = (problem.slot_c[standing] + problem.vm_c[~new]).max(initial=0.0)
    free = np.sort(np.delete(problem.slot_c, standing))
    heat = np.sort(problem.vm_c[new])[::-1]
    matched = min(free.size, heat.size)
    return float(max(known, (free[:matched] + heat[:matched]).max(initial=0.0)))
