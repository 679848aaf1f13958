"""Policy (c) of an emergency: SaaS load leaves the rows that are short for instances of its endpoint elsewhere."""

from __future__ import annotations

import numpy as np

from aiplan.planners.thermal.emergency import (
    COOLING,
    POWER,
    REROUTE,
    Controls,
    Event,
    Outcome,
    Shortage,
    mean_over,
    saas_only,
    shortage,
    uniform_cap,
)
from aiplan.planners.thermal.hall import Floats, Hall, Ints, Vms
from aiplan.planners.thermal.model import airflow_cfm, aisle_of, row_of, server_power_w, sum_by
from aiplan.planners.thermal.routing import RoutingProblem, route


def reroute(
    hall: Hall, vms: Vms, slots: Ints, load: Floats, short: Shortage, event: Event, controls: Controls
) -> Outcome:
    """Policy (c): SaaS load moves, as little as serving needs, to where the event leaves room; the rest is shed.

    An instance takes no more than its highest P99 load, or what it has: for that its slot was found cool enough.

    Load is counted in servers. A server's dynamic power is taken as linear in load here; where the hall's curve bends
    above a straight line, what that misses shows as uncovered. A SaaS VM without an endpoint keeps its load. The loss
    of SaaS performance is the share of load that nobody serves; opaque VMs lose nothing. `share` is of the SaaS load
    that leaves a row or aisle.
    """
    here = np.flatnonzero(vms.saas & (slots >= 0) & (vms.endpoint >= 0))
    served = np.zeros((short.steps.size, vms.count))
    unmet = np.zeros(short.steps.size)
    for number, step in enumerate(short.steps.tolist()):
        before = load[step]
        after = before.copy()
        if here.size and short.needed[number].any():
            found = route(_problem(hall, vms, slots, before, here, short, event))
            after[here] = found.load_per_s
            unmet[number] = float(found.unmet_per_s.sum())
        served[number] = after
    saas_load = np.maximum((load[short.steps] * vms.saas * (slots >= 0)).sum(axis=1), 1e-300)
    draws = server_power_w if event.kind == POWER else airflow_cfm
    left = sum_by(short.group, draws(hall, served), short.limit.size) - short.limit
    uncovered = np.where(left <= 1e-6 * np.maximum(short.limit, 1.0), 0.0, left)
    away = sum_by(short.group, np.maximum(load[short.steps] - served, 0.0) * vms.saas, short.limit.size)
    had = sum_by(short.group, load[short.steps] * vms.saas, short.limit.size)
    return Outcome(
        REROUTE, np.divide(away, had, out=np.zeros(had.shape), where=had > 0), uncovered, not uncovered.any(),
        mean_over(short, ~vms.saas, np.zeros(had.shape)), unmet / saas_load, np.zeros(short.steps.size),
        controls.reroute_s, controls.reroute_s <= event.deadline_s or not short.needed.any(),
    )  # fmt: skip


def _problem(
    hall: Hall, vms: Vms, slots: Ints, load: Floats, here: Ints, short: Shortage, event: Event
) -> RoutingProblem:
    """One step's routing."""
    others = load.copy()
    others[here] = 0.0
    rows, aisles = row_of(hall, slots), aisle_of(hall, slots)
    budget = short.limit if event.kind == POWER else hall.row_budget_w
    supply = short.limit if event.kind == COOLING else hall.aisle_airflow_cfm
    endpoints = int(vms.endpoint.max()) + 1
    demand = np.bincount(vms.endpoint[here], weights=load[here], minlength=endpoints).astype(np.float64)
    capacity = np.maximum(vms.load_p99[here].max(axis=1), load[here])
    count = here.size
    return RoutingProblem(
        demand, vms.endpoint[here], rows[here], capacity, np.full(count, hall.dynamic_w),
        sum_by(rows, server_power_w(hall, others), hall.rows), budget, np.zeros(count), np.zeros(count), np.inf,
        np.full(count, hall.airflow_span_cfm), hall.aisle_of_row,
        sum_by(aisles, airflow_cfm(hall, others), hall.aisles), np.maximum(supply, 1e-9),
        load[here], 0.0, False,
    )  # fmt: skip


def emergency(
    hall: Hall, vms: Vms, slots: Ints, load: Floats, step_s: float, event: Event, controls: Controls | None = None
) -> tuple[Shortage, tuple[Outcome, Outcome, Outcome]]:
    """The shortage of an event and the three policies against it: uniform cap, SaaS only, reroute.

    Parameters
    ----------
    slots : (V,) slot of each VM, negative for none
    load : (T, V) load at every step of a trace [1]
    step_s : length of a step [s]
    controls : how controls act; None: all assumed
    """
    how = controls or Controls()
    short = shortage(hall, slots, load, step_s, event)
    return short, (
        uniform_cap(vms, short, event, how),
        saas_only(vms, short, event, how),
        reroute(hall, vms, slots, load, short, event, how),
    )
