"""Which configurations the SaaS of one row takes at its peak, with its budget whole and in an emergency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.thermal.configuration import (
    ConfigurationProblem,
    Configurations,
    Configured,
    airflow_of_power_cfm,
)
from aiplan.planners.thermal.configuration_search import configure
from aiplan.planners.thermal.hall import Floats, Hall, Ints, Vms
from aiplan.planners.thermal.llm_config import LlmConfig
from aiplan.planners.thermal.model import airflow_cfm, server_power_w, shared_inlet_c, sum_by

SOLVER_S = 10.0
"""Time of each stage of the solver [s]; the shipped hall needs hundredths of that."""


@dataclass(frozen=True, slots=True)
class RowConfigured:
    """The SaaS of a row, configured.

    Attributes
    ----------
    case : "normal" or "emergency"
    row, step : which row, and the step of its peak
    budget_w : of the row in this case
    vms : SaaS VMs of the row
    names : configuration of each, empty for one that is stopped
    found : the solver's answer
    demand_tokens_per_s : what the row's endpoints ask for
    """

    case: str
    row: int
    step: int
    budget_w: float
    vms: int
    names: tuple[str, ...]
    found: Configured
    demand_tokens_per_s: float


def table_of(configs: Sequence[LlmConfig], hall: Hall) -> Configurations:
    """Configurations as the solver wants them."""
    loaded = {key: number for number, key in enumerate(dict.fromkeys(_loaded(one) for one in configs))}
    watts = np.array([one.server_w for one in configs])
    return Configurations(
        name=tuple(one.name for one in configs),
        loaded=np.array([loaded[_loaded(one)] for one in configs], dtype=np.int64),
        tokens_s=np.array([one.tokens_per_s for one in configs]),
        server_w=watts,
        gpu_w_max=np.array([one.gpu_w for one in configs]),
        airflow_cfm=airflow_of_power_cfm(hall, watts),
        quality=np.array([one.quality for one in configs]),
        ttft_ms=np.array([one.ttft_ms for one in configs]),
        tpot_ms=np.array([one.tpot_ms for one in configs]),
    )


def _loaded(config: LlmConfig) -> tuple[str, str, int]:
    return config.model, config.precision, config.tp


def configure_row(
    hall: Hall,
    vms: Vms,
    slots: Ints,
    load: Floats,
    outside_c: Floats,
    configs: Sequence[LlmConfig],
    limits_ms: tuple[float, float],
    emergency_share: float,
) -> list[RowConfigured]:
    """Configure the fullest row's SaaS at its peak, with its whole budget and with a share of it.

    Parameters
    ----------
    slots : (V,) ; load : (V, T) ; outside_c : (T,)
    configs : the first is what runs before; a VM's demand is its load times that one's throughput
    limits_ms : TTFT and TPOT promised
    emergency_share : of the budget left in an emergency

    Empty where no row holds SaaS.
    """
    placed = np.flatnonzero(slots >= 0)
    rows = hall.row[slots[placed]]
    power = server_power_w(hall, load[placed])
    total = np.zeros((hall.rows, load.shape[1]))
    np.add.at(total, rows, power)
    fill = total / hall.row_budget_w[:, None]
    held = np.bincount(rows[vms.saas[placed]], minlength=hall.rows)
    fill[held == 0] = -1.0
    row, step = (int(at) for at in np.unravel_index(np.argmax(fill), fill.shape))
    if fill[row, step] < 0.0:
        return []
    here = placed[rows == row]
    saas, opaque = here[vms.saas[here]], here[~vms.saas[here]]
    names, endpoint = np.unique(vms.endpoint[saas], return_inverse=True)
    asked = sum_by(endpoint.astype(np.int64), load[saas, step] * configs[0].tokens_per_s, names.size)
    hall_load = float(load[placed, step].sum() / hall.slots)
    inlet = shared_inlet_c(hall, float(outside_c[step]), hall_load) + hall.slot_offset_c[slots[saas]]
    base = hall.inlet_coefficient * inlet + hall.intercept_c + hall.gpu_offset_c[slots[saas]] + hall.margin_c
    aisle = int(hall.aisle_of_row[row])
    others = placed[(hall.aisle[slots[placed]] == aisle) & (rows != row)]
    table = table_of(configs, hall)
    out = []
    for case, share in (("normal", 1.0), ("emergency", emergency_share)):
        budget = float(hall.row_budget_w[row]) * share
        problem = ConfigurationProblem(
            table=table,
            endpoint=endpoint.astype(np.int64),
            row=np.zeros(saas.size, dtype=np.int64),
            now=np.zeros(saas.size, dtype=np.int64),
            demand_tokens_s=asked,
            ttft_limit_ms=np.full(names.size, limits_ms[0]),
            tpot_limit_ms=np.full(names.size, limits_ms[1]),
            base_c=base,
            warmth_c_per_w=hall.power_coefficient,
            limit_c=hall.t_max_c,
            fixed_w=np.array([float(server_power_w(hall, load[opaque, step]).sum())]),
            budget_w=np.array([budget]),
            aisle_of_row=np.zeros(1, dtype=np.int64),
            fixed_cfm=np.array([float(airflow_cfm(hall, load[np.r_[opaque, others], step]).sum())]),
            supply_cfm=hall.aisle_airflow_cfm[aisle : aisle + 1],
            stopped_w=hall.idle_w,
            stopped_cfm=hall.airflow_idle_cfm,
        )
        found = configure(problem, time_limit_s=SOLVER_S)
        chosen = tuple(table.name[choice] if choice >= 0 else "" for choice in found.choice.tolist())
        out.append(RowConfigured(case, row, step, budget, saas.size, chosen, found, float(asked.sum())))
    return out
