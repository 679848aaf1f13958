"""Routing at the hall's worst step by linear programme, beside what the replay's rule of thumb reaches there."""

from dataclasses import dataclass

import numpy as np

from aiplan.planners.thermal.hall import Floats, Hall, Ints, Vms
from aiplan.planners.thermal.model import (
    aisle_airflow_cfm,
    gpu_power_w,
    gpu_temperature_c,
    hottest_c,
    row_power_w,
    server_power_w,
    shared_inlet_c,
    sum_by,
)
from aiplan.planners.thermal.routing import Routing, RoutingProblem, route

ROUNDING = 1e-9
"""Share of the demand below which what is unmet is rounding."""


@dataclass(frozen=True, slots=True)
class PeakRouting:
    """The step at which the hall draws most, routed.

    Attributes
    ----------
    step : which
    unrouted_share, share : the fullest row's share of its budget before and after
    unrouted_c, hottest_c : hottest GPU before and after [C]
    unmet_share : share of the SaaS demand that fits nowhere
    routing : the programme's answer; loads in units of a full server
    """

    step: int
    unrouted_share: float
    share: float
    unrouted_c: float
    hottest_c: float
    unmet_share: float
    routing: Routing


def route_peak(hall: Hall, vms: Vms, slots: Ints, load: Floats, outside_c: Floats) -> PeakRouting | None:
    """Route the step at which the hall draws most; None where no SaaS VM has a slot.

    Parameters
    ----------
    slots : (V,) slot of each VM
    load : (V, T) asked of each VM
    outside_c : (T,)

    Power is taken as linear in load between an idle and a full server, air that comes back is kept out by the limit on
    each aisle's air, and a server may be filled to load 1.
    """
    placed = slots >= 0
    total = server_power_w(hall, load[placed]).sum(axis=0)
    step = int(np.argmax(total))
    now, outside = load[:, step], float(outside_c[step])
    mine = placed & vms.saas
    if not mine.any():
        return None
    fixed_load = np.where(mine, 0.0, now)
    at, row = slots[mine], hall.row[slots[mine]]
    hall_load = float(now[placed].sum() / hall.slots)
    idle_inlet = shared_inlet_c(hall, outside, hall_load) + hall.slot_offset_c[at]
    endpoints = int(vms.endpoint.max()) + 1
    ones = np.ones(at.size)
    problem = RoutingProblem(
        demand_per_s=sum_by(vms.endpoint[mine], now[mine], endpoints),
        endpoint=vms.endpoint[mine],
        row=row,
        capacity_per_s=ones,
        power_w_per_load=ones * hall.dynamic_w,
        fixed_w=row_power_w(hall, slots, fixed_load),
        budget_w=hall.row_budget_w,
        base_c=gpu_temperature_c(hall, idle_inlet, gpu_power_w(hall, 0.0), hall.gpu_offset_c[at]),
        warmth_c_per_load=ones * hall.power_coefficient * (hall.gpu_tdp_w - hall.gpu_idle_w),
        limit_c=hall.plan_limit_c,
        air_cfm_per_load=ones * hall.airflow_span_cfm,
        aisle_of_row=hall.aisle_of_row,
        fixed_cfm=aisle_airflow_cfm(hall, slots, fixed_load),
        supply_cfm=hall.aisle_airflow_cfm,
    )
    found = route(problem)
    routed = now.copy()
    routed[mine] = found.load_per_s
    before, after = (
        float(hottest_c(hall, slots[placed], shares[placed], outside, hall_load).max()) for shares in (now, routed)
    )
    asked, unmet = float(now[mine].sum()), float(found.unmet_per_s.sum())
    return PeakRouting(
        step=step,
        unrouted_share=float((row_power_w(hall, slots, now) / hall.row_budget_w).max()),
        share=found.fullest_share,
        unrouted_c=before,
        hottest_c=after,
        unmet_share=unmet / asked if unmet > ROUNDING * asked else 0.0,
        routing=found,
    )
