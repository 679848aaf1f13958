"""Replay of a hall step by step: powers, air, temperatures, and what routing and reconfiguration do to them.

All steps at once: no step depends on the one before. Routing weights, shedding and cuts are rules of thumb, every
constant of `Rules` is assumed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.power.capping import cap_events
from aiplan.planners.thermal.hall import Floats, Hall, Ints, Vms
from aiplan.planners.thermal.model import (
    airflow_cfm,
    gpu_power_w,
    gpu_temperature_c,
    recirculation_c,
    server_power_w,
    shared_inlet_c,
)

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Rules:
    """How routing and configuration react.

    Attributes
    ----------
    heat_weight : weight lost per kelvin a server is warmer than its endpoint's others [1/K]
    row_weight : weight lost per share of budget a row draws more than the mean row
    weight_range : least and most weight
    shed_above_share : share of a row's budget above which its SaaS sheds power
    shed_max_share : most dynamic power SaaS may shed
    quality_per_full_shed : quality index lost when all of that is shed
    cut_share : dynamic power of GPUs cut where a SaaS server is warmer than t_max_c
    power_exponent : dynamic power goes with frequency to this power
    gpus : GPUs of a server
    """

    heat_weight: float = 0.05
    row_weight: float = 0.6
    weight_range: tuple[float, float] = (0.3, 1.7)
    shed_above_share: float = 0.97
    shed_max_share: float = 0.35
    quality_per_full_shed: float = 0.1
    cut_share: float = 0.25
    power_exponent: float = 2.4
    gpus: int = 8


@dataclass(frozen=True, slots=True)
class Run:
    """What a replay of T steps showed.

    Attributes
    ----------
    row_peak_w : (R,) highest power of each row
    row_peak_step : (R,) step of that peak
    aisle_peak_cfm : (A,) most air each aisle asked for
    hall_peak_w : highest power of the hall
    energy_kwh : of all servers over the replay
    hottest_c, p999_c : hottest GPU, and the P99.9 over servers and steps
    hottest_slot, hottest_step : where and when it was
    row_hottest_c : (R,) hottest GPU of each row
    throttle_events : maximal runs of steps in which a server's hottest GPU throttled; throttled_share of server-steps
    over_share : share of row-steps above the row's budget; over_events maximal runs of them
    capped_kwh : energy above the budgets
    shed_share : share of row-steps in which SaaS shed power
    quality_loss : mean quality index lost over SaaS VM-steps
    performance_loss : mean speed lost to cuts over SaaS VM-steps
    moved_share : share of SaaS load that routing moved
    """

    row_peak_w: Floats
    row_peak_step: Ints
    aisle_peak_cfm: Floats
    hall_peak_w: float
    energy_kwh: float
    hottest_c: float
    p999_c: float
    hottest_slot: int
    hottest_step: int
    row_hottest_c: Floats
    throttle_events: int
    throttled_share: float
    over_share: float
    over_events: int
    capped_kwh: float
    shed_share: float
    quality_loss: float
    performance_loss: float
    moved_share: float

    @property
    def least_row_peak_w(self) -> float:
        """What the highest row draws at least, wherever the same VMs stand: the hall's peak over its rows [W].

        Budgets play no part: a row of a large budget may be left as empty as any other.
        """
        return self.hall_peak_w / self.row_peak_w.size


class _Groups:
    """Sums over sorted groups of VMs."""

    def __init__(self, index: Ints, groups: int) -> None:
        self.index, self.groups = index, groups
        self.filled, self.starts = np.unique(index, return_index=True)

    def sum(self, values: Floats) -> Floats:
        """(groups, T) from (V, T)."""
        out = np.zeros((self.groups, *values.shape[1:]))
        out[self.filled] = np.add.reduceat(values, self.starts, axis=0)
        return out

    def largest(self, values: Floats) -> Floats:
        """(groups,) from (V,); NaN for an empty group."""
        out = np.full(self.groups, np.nan)
        out[self.filled] = np.maximum.reduceat(values, self.starts)
        return out


def events(over: npt.NDArray[np.bool_]) -> int:
    """Maximal runs of consecutive true steps, over all rows of (N, T).

    >>> events(np.array([[True, True, False, True]]))
    2
    """
    # A step of nothing after each row keeps its last event apart from the first of the next.
    apart = np.pad(over, ((0, 0), (0, 1))).astype(np.float64).ravel()
    return cap_events(apart, 0.5, 1.0).events


def simulate(
    hall: Hall,
    vms: Vms,
    slots: Ints,
    load: Floats,
    outside_c: Floats,
    step_s: float,
    *,
    route: bool = False,
    configure: bool = False,
    rules: Rules | None = None,
) -> Run:
    """Replay a placement.

    Parameters
    ----------
    slots : (V,) slot of each VM; VMs without one do not run, and one at least does
    load : (V, T) asked of each VM, 0 to 1
    outside_c : (T,)
    route, configure : whether SaaS load is routed, and SaaS VMs reconfigured
    """
    rules = rules or Rules()
    here = np.flatnonzero(slots >= 0)
    # Sorted by row, so that sums over rows are sums over stretches.
    order = here[np.lexsort((slots[here], hall.row[slots[here]]))]
    at, saas = slots[order], vms.saas[order]
    rows = _Groups(hall.row[at], hall.rows)
    used, moved = load[order], 0.0
    if route and saas.any():
        moved = _route(hall, used, vms.endpoint[order], saas, at, rows, rules)
    return _run(hall, used, outside_c, step_s, np.flatnonzero(saas), at, rows, rules, configure=configure, moved=moved)


def _route(
    hall: Hall, load: Floats, endpoint: Ints, saas: npt.NDArray[np.bool_], at: Ints, rows: _Groups, rules: Rules
) -> float:
    """Share each endpoint's demand by weight, none above 1, nothing lost; in place. The share of load that moved."""
    heat = hall.inlet_coefficient * hall.slot_offset_c[at] + hall.gpu_offset_c[at]
    fill = rows.sum(server_power_w(hall, load)) / hall.row_budget_w[:, None]
    excess = 1.0 - rules.row_weight * (fill - fill.mean(axis=0))
    moved = total = 0.0
    for name in np.unique(endpoint[saas]):
        vms = np.flatnonzero(saas & (endpoint == name))
        own, asked = heat[vms], load[vms]
        weight = (1.0 - rules.heat_weight * (own - own.mean()))[:, None] * excess[rows.index[vms]]
        np.clip(weight, *rules.weight_range, out=weight)
        demand = asked.sum(axis=0)
        given = np.minimum(weight * (demand / weight.sum(axis=0)), 1.0)
        room = 1.0 - given
        given += room * ((demand - given.sum(axis=0)) / np.maximum(room.sum(axis=0), 1e-300))
        moved += float(np.abs(given - asked).sum()) / 2.0
        total += float(demand.sum())
        load[vms] = given
    return moved / total if total > 0.0 else 0.0


def _run(
    hall: Hall,
    load: Floats,
    outside_c: Floats,
    step_s: float,
    saas: Ints,
    at: Ints,
    rows: _Groups,
    rules: Rules,
    *,
    configure: bool,
    moved: float,
) -> Run:
    power = server_power_w(hall, load)
    configure = configure and saas.size > 0
    quality = performance = shedding = 0.0
    if configure:
        shed = _shed_share(hall, power, saas, rows, rules)
        shedding = float((shed > 0.0).mean())
        if shedding > 0.0:
            share = shed[rows.index[saas]]
            quality = float(share.mean()) / max(rules.shed_max_share, 1e-300) * rules.quality_per_full_shed
            power[saas] -= share * (power[saas] - hall.idle_w)
            # GPUs and air follow the power that is shed.
            load[saas] *= 1.0 - share
    aisle_cfm = _by_aisle(hall, rows, airflow_cfm(hall, load))
    # What every server of a row shares is added once per row, not once per server.
    shared = recirculation_c(hall, aisle_cfm.T)[:, hall.aisle_of_row].T
    shared += shared_inlet_c(hall, outside_c, load.sum(axis=0) / hall.slots)
    fixed = hall.inlet_coefficient * hall.slot_offset_c[at] + hall.gpu_offset_c[at]
    heat = gpu_temperature_c(hall, shared[rows.index], gpu_power_w(hall, load), fixed[:, None])
    if configure and (hot := heat[saas] > hall.t_max_c).any():
        cut = np.where(hot, rules.cut_share * (gpu_power_w(hall, load[saas]) - hall.gpu_idle_w), 0.0)
        performance = float(hot.mean()) * (1.0 - (1.0 - rules.cut_share) ** (1.0 / rules.power_exponent))
        heat[saas] -= hall.power_coefficient * cut
        power[saas] -= np.minimum(rules.gpus * cut, np.maximum(power[saas] - hall.idle_w, 0.0))
    row_w = rows.sum(power)
    budget = hall.row_budget_w[:, None]
    over = row_w > budget * (1.0 + 1e-12)
    throttled = heat >= hall.t_throttle_c
    hottest = int(np.argmax(heat))
    return Run(
        row_peak_w=row_w.max(axis=1),
        row_peak_step=row_w.argmax(axis=1),
        aisle_peak_cfm=aisle_cfm.max(axis=1),
        hall_peak_w=float(row_w.sum(axis=0).max()),
        energy_kwh=float(row_w.sum() * step_s / JOULES_PER_KWH),
        hottest_c=float(heat.flat[hottest]),
        p999_c=_high_quantile(heat.ravel(), 0.999),
        hottest_slot=int(at[hottest // heat.shape[1]]),
        hottest_step=hottest % heat.shape[1],
        row_hottest_c=rows.largest(heat.max(axis=1)),
        throttle_events=events(throttled) if throttled.any() else 0,
        throttled_share=float(throttled.mean()),
        over_share=float(over.mean()),
        over_events=events(over),
        capped_kwh=float(np.maximum(row_w - budget, 0.0).sum() * step_s / JOULES_PER_KWH),
        shed_share=shedding,
        quality_loss=quality,
        performance_loss=performance,
        moved_share=moved,
    )


def _shed_share(hall: Hall, power: Floats, saas: Ints, rows: _Groups, rules: Rules) -> Floats:
    """Share of its dynamic power that the SaaS of each row sheds, (R, T)."""
    row_w = rows.sum(power)
    own = _Groups(rows.index[saas], rows.groups)
    dynamic = own.sum(power[saas] - hall.idle_w)
    wanted = np.maximum(row_w - rules.shed_above_share * hall.row_budget_w[:, None], 0.0)
    share = np.minimum(wanted / np.maximum(dynamic, 1e-9), rules.shed_max_share)
    return np.where(dynamic > 0.0, share, 0.0)


def _by_aisle(hall: Hall, rows: _Groups, air: Floats) -> Floats:
    """(A, T) from (V, T)."""
    out = np.zeros((hall.aisles, air.shape[1]))
    np.add.at(out, hall.aisle_of_row, rows.sum(air))
    return out


def _high_quantile(values: Floats, share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    place = min(int(np.ceil(share * values.size)) - 1, values.size - 1)
    return float(np.partition(values, place)[place])
