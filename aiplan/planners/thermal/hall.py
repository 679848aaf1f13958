"""A hall of servers and the virtual machines in it, as plain arrays.

S slots (one slot holds one server), R rows, A aisles, V virtual machines (VMs), 24 hours of the day. An empty slot is
off: it draws no power and moves no air.

Every default number of `Hall` is assumed or remembered, none is published: a scenario or a fit replaces it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOURS = 24
NO_ENDPOINT = -1
NOWHERE = -1
"""The slot of a VM that was not placed."""


@dataclass(frozen=True, slots=True)
class Hall:
    """Slots, rows, aisles, their limits, and the physics all servers share.

    Attributes
    ----------
    row : (S,) index of each slot's row
    aisle_of_row : (R,) index of each row's aisle
    row_budget_w : (R,) electrical power a row may draw [W]
    aisle_airflow_cfm : (A,) cold air supplied to an aisle [CFM]
    slot_offset_c : (S,) lasting offset of a slot's inlet, row and server together [K]
    gpu_offset_c : (S,) own offset of the slot's hottest GPU [K]
    idle_w, max_w : power of a server at load 0 and 1, fans included [W]
    gpu_idle_w, gpu_tdp_w : power of a GPU at load 0 and 1 [W]
    airflow_idle_cfm, airflow_span_cfm : airflow of a server is idle + span * load [CFM]
    inlet_coefficient, power_coefficient, intercept_c : T_gpu = a T_inlet + b P_gpu + c [-, K/W, C]
    t_max_c, t_throttle_c : limit for plans, and the temperature at which a GPU throttles [C]
    margin_c : P99 of the temperature model's residual; plans keep T + margin under t_max_c [K]
    recirculation_c : kappa, rise of an aisle's inlets per share of airflow missing [K]
    hall_load_coefficient : gamma, inlet rise from an empty to a full hall [K]
    inlet_base_c : inlet in cold weather [C]
    inlet_knots_c : outside temperatures at which the inlet curve bends [C]
    inlet_slopes : slope of the inlet curve past each knot [K/K]
    curve_load, curve_share : knots of w(load), the share of a server's dynamic power; from (0, 0) to (1, 1)
    """

    row: Ints
    aisle_of_row: Ints
    row_budget_w: Floats
    aisle_airflow_cfm: Floats
    slot_offset_c: Floats
    gpu_offset_c: Floats
    idle_w: float = 1600.0
    max_w: float = 6500.0
    gpu_idle_w: float = 60.0
    gpu_tdp_w: float = 400.0
    airflow_idle_cfm: float = 300.0
    airflow_span_cfm: float = 540.0
    inlet_coefficient: float = 1.0
    power_coefficient: float = 0.11
    intercept_c: float = 3.0
    t_max_c: float = 80.0
    t_throttle_c: float = 85.0
    margin_c: float = 0.0
    recirculation_c: float = 20.0
    hall_load_coefficient: float = 2.0
    inlet_base_c: float = 18.0
    inlet_knots_c: tuple[float, ...] = (15.0, 25.0)
    inlet_slopes: tuple[float, ...] = (0.6, 0.3)
    curve_load: tuple[float, ...] = (0.0, 1.0)
    curve_share: tuple[float, ...] = (0.0, 1.0)

    @property
    def slots(self) -> int:
        """S, the number of slots."""
        return int(self.row.size)

    @property
    def rows(self) -> int:
        """R, the number of rows."""
        return int(self.aisle_of_row.size)

    @property
    def aisles(self) -> int:
        """A, the number of aisles."""
        return int(self.aisle_airflow_cfm.size)

    @property
    def aisle(self) -> Ints:
        """(S,) index of each slot's aisle."""
        return self.aisle_of_row[self.row]

    @property
    def dynamic_w(self) -> float:
        """Power between an idle and a full server [W]."""
        return float(self.max_w - self.idle_w)

    @property
    def plan_limit_c(self) -> float:
        """Highest modelled temperature a plan may accept: t_max_c less the margin [C]."""
        return self.t_max_c - self.margin_c


@dataclass(frozen=True, slots=True)
class Vms:
    """Virtual machines, one to a server.

    Attributes
    ----------
    id : (V,) names
    saas : (V,) true where requests may be routed and the configuration changed
    endpoint : (V,) index of the endpoint served; NO_ENDPOINT for opaque (IaaS) VMs
    load_p50, load_p99 : (V, 24) expected and high load by hour of day, 0 to 1
    """

    id: tuple[str, ...]
    saas: Bools
    endpoint: Ints
    load_p50: Floats
    load_p99: Floats

    @property
    def count(self) -> int:
        """V, the number of VMs."""
        return len(self.id)


def equal_hall(
    rows: int,
    servers_per_row: int,
    rows_per_aisle: int,
    row_budget_w: float,
    airflow_per_server_cfm: float,
    **physics: Any,
) -> Hall:
    """A hall of equal rows without offsets; slots run along row 0, then row 1, and so on.

    `physics` replaces fields of `Hall` that have a default. The last aisle may hold fewer rows, and gets air for those.
    """
    aisle_of_row = np.arange(rows, dtype=np.int64) // rows_per_aisle
    slots = rows * servers_per_row
    return Hall(
        row=np.repeat(np.arange(rows, dtype=np.int64), servers_per_row),
        aisle_of_row=aisle_of_row,
        row_budget_w=np.full(rows, float(row_budget_w)),
        aisle_airflow_cfm=np.bincount(aisle_of_row).astype(np.float64) * (airflow_per_server_cfm * servers_per_row),
        slot_offset_c=np.zeros(slots),
        gpu_offset_c=np.zeros(slots),
        **physics,
    )
