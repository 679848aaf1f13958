"""The emergencies of a scenario: power and air lost at the hall's peak, and three policies against each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.thermal.case import Case
from aiplan.planners.thermal.emergency import COOLING, POWER, Controls, Event, Outcome, Shortage
from aiplan.planners.thermal.emergency_reroute import emergency
from aiplan.planners.thermal.hall import Ints
from aiplan.planners.thermal.llm_configs import median_of
from aiplan.planners.thermal.model import aisle_airflow_cfm, row_power_w, server_power_w


@dataclass(frozen=True, slots=True)
class Emergency:
    """One event and what each policy does.

    Attributes
    ----------
    what : "power" or "air"
    event, shortage, outcomes : see `emergency`
    step : of the replay at which it strikes
    """

    what: str
    event: Event
    shortage: Shortage
    outcomes: tuple[Outcome, Outcome, Outcome]
    step: int


def emergencies_of(case: Case, slots: Ints) -> list[Emergency]:
    """Both events of a scenario at the step in which the hall draws most, with VMs at `slots` (V,)."""
    asked, hall, replay = case.inputs.emergency, case.hall, case.demand
    here = slots >= 0
    step = int(np.argmax(server_power_w(hall, replay.load[here]).sum(axis=0)))
    load = replay.load[:, step:].T
    now = load[0]
    duration = median_of(asked.duration_s)
    fullest = asked.struck == "fullest"
    row = np.arange(hall.rows) == int(np.argmax(row_power_w(hall, slots, now) / hall.row_budget_w))
    aisle = np.arange(hall.aisles) == int(np.argmax(aisle_airflow_cfm(hall, slots, now) / hall.aisle_airflow_cfm))
    controls = Controls(
        control_s=median_of(asked.control_s),
        max_shed_share=median_of(asked.shed_max_share),
        quality_per_full_shed=case.rules.quality_per_full_shed,
        power_exponent=case.rules.power_exponent,
    )
    events = (
        ("power", Event(POWER, 0.0, duration, median_of(asked.row_power_share), row if fullest else None,
                        median_of(asked.deadline_s))),
        ("air", Event(COOLING, 0.0, duration, median_of(asked.aisle_airflow_share), aisle if fullest else None,
                      median_of(asked.cooling_deadline_s))),
    )  # fmt: skip
    return [
        Emergency(what, event, *emergency(hall, case.vms, slots, load, replay.step_s, event, controls), step)
        for what, event in events
    ]
