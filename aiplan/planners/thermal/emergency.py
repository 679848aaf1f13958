"""What an emergency asks of a hall: watts or air to shed, and three ways to shed them.

A power event cuts the budgets of rows, a cooling event the air of aisles. At every step of the event

    X_r = P_r - B_r'          SaaS-only share = X / sum over SaaS (P_s - P_idle)
                              uniform share   = X / sum over all  (P_s - P_idle)

where air takes the place of power in a cooling event. Equations as restated in the project's notes; what an event
cuts, how fast controls act and how performance follows frequency is second-hand or assumed, see `Controls`.

Air is taken to fall with a server's dynamic power, as fans follow heat [assumed].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.thermal.hall import Bools, Floats, Hall, Ints, Vms
from aiplan.planners.thermal.model import (
    airflow_cfm,
    aisle_of,
    dynamic_share,
    row_of,
    server_power_w,
    sum_by,
)

POWER, COOLING = "power", "cooling"
UNIFORM, SAAS_ONLY, REROUTE = "uniform cap", "SaaS only", "reroute"


@dataclass(frozen=True, slots=True)
class Event:
    """An emergency.

    Attributes
    ----------
    kind : "power" (UPS or feed lost) or "cooling" (air handler lost)
    start_s, duration_s : [s]; five minutes is second-hand
    factor : what is left of budgets or air; 0.75 for power is second-hand, 0.90 for cooling unverified [1]
    where : (R,) rows or (A,) aisles struck; None: all
    deadline_s : time in which the limit must be kept again; 10 s for a UPS is second-hand, 60 s for air assumed [s]
    """

    kind: str
    start_s: float = 0.0
    duration_s: float = 300.0
    factor: float = 0.75
    where: Bools | None = None
    deadline_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Controls:
    """How controls act.

    Attributes
    ----------
    control_s : until a cap on frequency reaches GPUs; 40 s out of band is second-hand [s]
    frequency_s : to change frequency then; assumed [s]
    reload_s, reroute_s : to load another model, to drain what is routed away, both by the serving system; assumed [s]
    max_shed_share : share of its dynamic power a SaaS VM can shed by reconfiguration; assumed
    quality_per_full_shed : quality index lost at `max_shed_share`; assumed
    lowest_frequency_ratio : lowest frequency over the full one; assumed
    power_exponent : dynamic power goes with (f/f0) to this; assumed
    decode_exponent : decode speed goes with (f/f0) to this, prefill with f; assumed
    prefill_share : share of a SaaS request's time at full frequency that is prefill; assumed
    """

    control_s: float = 40.0
    frequency_s: float = 0.1
    reload_s: float = 60.0
    reroute_s: float = 10.0
    max_shed_share: float = 0.35
    quality_per_full_shed: float = 0.1
    lowest_frequency_ratio: float = 0.5
    power_exponent: float = 2.4
    decode_exponent: float = 0.3
    prefill_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy does at the T steps of an event, for G rows (power) or aisles (cooling).

    Attributes
    ----------
    policy : "uniform cap", "SaaS only" or "reroute"
    share : (T, G) share of dynamic power shed, of all servers or of SaaS; NaN where there is none to shed [1]
    uncovered : (T, G) what remains over the limit [W, CFM]
    feasible : whether nothing remains
    iaas_performance_loss, saas_performance_loss : (T,) mean over VMs [1]
    saas_quality_loss : (T,) mean over SaaS VMs, in quality index [1]
    comply_s : time until the policy has acted [s]
    in_time : whether that is within the deadline, or nothing had to be shed
    """

    policy: str
    share: Floats
    uncovered: Floats
    feasible: bool
    iaas_performance_loss: Floats
    saas_performance_loss: Floats
    saas_quality_loss: Floats
    comply_s: float
    in_time: bool


@dataclass(frozen=True, slots=True)
class Shortage:
    """What an event asks for at its T steps, in G rows or aisles; V VMs.

    Attributes
    ----------
    steps : (T,) indices of the steps of the event
    group : (V,) row or aisle of each VM, negative for one that is not placed
    limit : (G,) during the event [W, CFM]
    demand : (T, G) without any action [W, CFM]
    needed : (T, G) X, what must be shed [W, CFM]
    dynamic : (T, V) of each VM what can be shed at all, by power or air [W, CFM]
    """

    steps: Ints
    group: Ints
    limit: Floats
    demand: Floats
    needed: Floats
    dynamic: Floats


def shortage(hall: Hall, slots: Ints, load: Floats, step_s: float, event: Event) -> Shortage:
    """What the event asks for.

    Parameters
    ----------
    load : (T, V) load of each VM at every step of a trace, 0 to 1 [1]
    step_s : length of a step [s]; an event lasts at least the step it starts in

    Raises ValueError for an event of another kind, or one that the trace does not reach.
    """
    require(event.kind in (POWER, COOLING), f"an event is '{POWER}' or '{COOLING}'")
    require(event.factor >= 0.0, "an event leaves 0 or more")
    require(step_s > 0.0, "a step must take time")
    first = int(event.start_s // step_s)
    last = max(first + 1, int(np.ceil((event.start_s + event.duration_s) / step_s - 1e-9)))
    steps = np.arange(first, min(last, load.shape[0]))
    require((first >= 0) & (steps.size > 0), "the event starts outside the trace")
    at = load[steps]
    placed = slots >= 0
    if event.kind == POWER:
        group, whole = row_of(hall, slots), hall.row_budget_w
        demand = sum_by(group, server_power_w(hall, at), hall.rows)
        dynamic = hall.dynamic_w * dynamic_share(hall, at) * placed
    else:
        group, whole = aisle_of(hall, slots), hall.aisle_airflow_cfm
        demand = sum_by(group, airflow_cfm(hall, at), hall.aisles)
        dynamic = hall.airflow_span_cfm * at * placed
    struck = np.ones(whole.size, dtype=np.bool_) if event.where is None else event.where
    limit = np.where(struck, whole * event.factor, whole)
    return Shortage(steps, group, limit, demand, np.maximum(demand - limit, 0.0), dynamic)


def shed_share(needed: Floats, dynamic: Floats) -> Floats:
    """``X / sum (P - P_idle)``, 0 where nothing is needed, infinite where nothing can be shed [1].

    >>> [round(float(shed_share(np.array(25e3), np.array(n * 3900.0))), 3) for n in (20, 40)]
    [0.321, 0.16]
    """
    share = np.divide(needed, dynamic, out=np.full(np.shape(needed), np.inf), where=dynamic > 0)
    return np.where(needed > 0, share, 0.0)


def uniform_cap(vms: Vms, short: Shortage, event: Event, controls: Controls) -> Outcome:
    """Policy (a): one frequency for all servers of a row or aisle.

    Dynamic power goes with ``(f/f0)^2.4``; an opaque VM is taken to lose speed as f does, a SaaS VM
    ``1 - 1 / (p f0/f + (1 - p) (f0/f)^0.3)`` with p the prefill share [assumed].
    """
    groups = short.limit.size
    ideal = shed_share(short.needed, sum_by(short.group, short.dynamic, groups))
    most = 1.0 - controls.lowest_frequency_ratio**controls.power_exponent
    share = np.minimum(ideal, most)
    ratio = (1.0 - share) ** (1.0 / controls.power_exponent)
    seconds = controls.prefill_share / ratio + (1.0 - controls.prefill_share) / ratio**controls.decode_exponent
    shed = share * sum_by(short.group, short.dynamic, groups)
    return _outcome(UNIFORM, vms, short, event, share, shed, 1.0 - ratio, 1.0 - 1.0 / seconds, np.zeros(share.shape),
                    controls.control_s + controls.frequency_s)  # fmt: skip


def saas_only(vms: Vms, short: Shortage, event: Event, controls: Controls) -> Outcome:
    """Policy (b): SaaS VMs change their configuration, opaque VMs notice nothing: their loss is exactly 0.

    A VM sheds up to `max_shed_share` of its dynamic power and loses quality in proportion; its speed is kept, as a
    smaller model is faster [second-hand direction]. What is asked beyond stays uncovered.
    """
    groups = short.limit.size
    saas = sum_by(short.group, short.dynamic * vms.saas, groups)
    share = np.minimum(shed_share(short.needed, saas), controls.max_shed_share)
    full = controls.max_shed_share
    quality = share / full * controls.quality_per_full_shed if full > 0 else np.zeros(share.shape)
    none = np.zeros(share.shape)
    return _outcome(SAAS_ONLY, vms, short, event, share, share * saas, none, none, quality,
                    controls.reload_s)  # fmt: skip


def _outcome(
    policy: str, vms: Vms, short: Shortage, event: Event, share: Floats, shed: Floats, iaas: Floats, saas: Floats,
    quality: Floats, comply_s: float,
) -> Outcome:  # fmt: skip
    uncovered = np.maximum(short.needed - shed, 0.0)
    uncovered = np.where(uncovered <= 1e-9 * np.maximum(short.limit, 1.0), 0.0, uncovered)
    return Outcome(
        policy, share, uncovered, not uncovered.any(), mean_over(short, ~vms.saas, iaas),
        mean_over(short, vms.saas, saas), mean_over(short, vms.saas, quality), comply_s,
        comply_s <= event.deadline_s or not short.needed.any(),
    )  # fmt: skip


def mean_over(short: Shortage, kind: Bools, value: Floats) -> Floats:
    """(T,) mean over the placed VMs of a kind of their row's or aisle's value (T, G); 0 where there are none."""
    some = kind & (short.group >= 0)
    if not some.any():
        return np.zeros(value.shape[0])
    return np.asarray(value[:, short.group[some]].mean(axis=1), dtype=np.float64)
