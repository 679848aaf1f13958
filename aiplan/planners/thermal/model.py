"""Temperatures, power and airflow of a hall: pure functions of arrays.

The equations are a common linear form; their default numbers are assumed (see `hall.Hall`). Steady state: good for
steps of a minute and more, because a GPU follows its power within tens of seconds; at 1 s it overstates peaks.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiplan.planners.thermal.hall import NOWHERE, Floats, Hall, Ints

AIR_DENSITY_KG_PER_M3 = 1.2
AIR_HEAT_CAPACITY_J_PER_KG_K = 1005.0
M3_PER_S_PER_CFM = 4.7195e-4
PLAUSIBLE_RISE_K = (5.0, 25.0)
"""Air rise through a server outside of which power and airflow hardly belong together; a rule of thumb."""


def inlet_curve_c(outside_c: npt.ArrayLike, base_c: float, knots_c: Sequence[float], slopes: Sequence[float]) -> Floats:
    """Inlet temperature by outside temperature, piecewise linear: constant up to the first knot [C].

    >>> [float(t) for t in inlet_curve_c([10, 20, 25, 35], 18.0, (15.0, 25.0), (0.6, 0.3))]
    [18.0, 21.0, 24.0, 27.0]
    """
    outside = np.asarray(outside_c, dtype=np.float64)
    inlet = np.full(outside.shape, float(base_c))
    before = 0.0
    for knot, slope in zip(knots_c, slopes, strict=True):
        inlet = inlet + (slope - before) * np.maximum(0.0, outside - knot)
        before = slope
    return np.asarray(inlet, dtype=np.float64)


def shared_inlet_c(hall: Hall, outside_c: npt.ArrayLike, hall_load: npt.ArrayLike) -> Floats:
    """The part of the inlet all slots share: f(T_out) + gamma (L - 0.5), L the hall's mean load [C]."""
    curve = inlet_curve_c(outside_c, hall.inlet_base_c, hall.inlet_knots_c, hall.inlet_slopes)
    return np.asarray(curve + hall.hall_load_coefficient * (np.asarray(hall_load) - 0.5), dtype=np.float64)


def inlet_c(hall: Hall, outside_c: npt.ArrayLike, hall_load: npt.ArrayLike) -> Floats:
    """Inlet of every slot without recirculation, shape (..., S) for outside_c and hall_load of shape (...) [C]."""
    return shared_inlet_c(hall, outside_c, hall_load)[..., None] + hall.slot_offset_c


def gpu_temperature_c(
    hall: Hall, inlet_c: npt.ArrayLike, gpu_w: npt.ArrayLike, offset_c: npt.ArrayLike = 0.0
) -> Floats:
    """a T_inlet + b P_gpu + c + the GPU's own offset [C]."""
    warm = hall.inlet_coefficient * np.asarray(inlet_c) + hall.power_coefficient * np.asarray(gpu_w)
    return np.asarray(warm + hall.intercept_c + np.asarray(offset_c), dtype=np.float64)


def dynamic_share(hall: Hall, load: npt.ArrayLike) -> Floats:
    """w(load): share of a server's dynamic power, w(0) = 0 and w(1) = 1."""
    load = np.asarray(load, dtype=np.float64)
    if len(hall.curve_load) == 2:
        return load
    return np.asarray(np.interp(load, hall.curve_load, hall.curve_share), dtype=np.float64)


def server_power_w(hall: Hall, load: npt.ArrayLike) -> Floats:
    """P_idle + (P_max - P_idle) w(load), fans included [W]."""
    return hall.idle_w + hall.dynamic_w * dynamic_share(hall, load)


def gpu_power_w(hall: Hall, load: npt.ArrayLike) -> Floats:
    """P_gpu,idle + (TDP - P_gpu,idle) load [W]."""
    return hall.gpu_idle_w + (hall.gpu_tdp_w - hall.gpu_idle_w) * np.asarray(load, dtype=np.float64)


def airflow_cfm(hall: Hall, load: npt.ArrayLike) -> Floats:
    """Air a server moves, linear in load as fan speed is; fan power goes with its cube [CFM]."""
    return hall.airflow_idle_cfm + hall.airflow_span_cfm * np.asarray(load, dtype=np.float64)


def recirculation_c(hall: Hall, demand_cfm: npt.ArrayLike, supply_cfm: npt.ArrayLike | None = None) -> Floats:
    """Rise of all inlets of an aisle: kappa max(0, demand / supply - 1), shapes (..., A) [K].

    `supply_cfm` replaces the hall's own, as in an emergency.
    """
    supply = hall.aisle_airflow_cfm if supply_cfm is None else np.asarray(supply_cfm, dtype=np.float64)
    return np.asarray(hall.recirculation_c * np.maximum(0.0, np.asarray(demand_cfm) / supply - 1.0), dtype=np.float64)


def hottest_c(
    hall: Hall, slots: Ints, load: npt.ArrayLike, outside_c: npt.ArrayLike, hall_load: npt.ArrayLike
) -> Floats:
    """Hottest GPU of the servers at `slots`, without recirculation [C].

    Parameters
    ----------
    slots : int (N,), every one an index of a slot
    load : (..., N) or broadcastable, as (V, 1) for every VM in every slot
    outside_c, hall_load : (...) or scalars
    """
    inlet = shared_inlet_c(hall, outside_c, hall_load)[..., None] + hall.slot_offset_c[slots]
    return gpu_temperature_c(hall, inlet, gpu_power_w(hall, load), hall.gpu_offset_c[slots])


def sum_by(index: Ints, values: Floats, groups: int) -> Floats:
    """Sums of `values` (..., N) over `index` (N,) into (..., groups); entries with a negative index are left out."""
    kept = index >= 0
    if not kept.all():
        index, values = index[kept], values[..., kept]
    order = np.argsort(index, kind="stable")
    first = np.searchsorted(index[order], np.arange(groups))
    padded = np.concatenate([values[..., order], np.zeros((*values.shape[:-1], 1))], axis=-1)
    sums = np.add.reduceat(padded, np.minimum(first, index.size), axis=-1)
    empty = np.bincount(index, minlength=groups) == 0
    sums[..., empty] = 0.0
    return np.asarray(sums, dtype=np.float64)


def row_of(hall: Hall, slots: Ints) -> Ints:
    """(V,) row of each VM; NOWHERE where it has no slot."""
    return np.where(slots < 0, NOWHERE, hall.row[np.maximum(slots, 0)])


def aisle_of(hall: Hall, slots: Ints) -> Ints:
    """(V,) aisle of each VM; NOWHERE where it has no slot."""
    return np.where(slots < 0, NOWHERE, hall.aisle[np.maximum(slots, 0)])


def row_power_w(hall: Hall, slots: Ints, load: npt.ArrayLike) -> Floats:
    """Power of every row with VMs at `slots` (V,) and load (..., V); shape (..., R) [W]."""
    return sum_by(row_of(hall, slots), server_power_w(hall, load), hall.rows)


def aisle_airflow_cfm(hall: Hall, slots: Ints, load: npt.ArrayLike) -> Floats:
    """Air the servers of every aisle draw, for load (..., V); shape (..., A) [CFM]."""
    return sum_by(aisle_of(hall, slots), airflow_cfm(hall, load), hall.aisles)


def air_rise_k(power_w: npt.ArrayLike, airflow_cfm: npt.ArrayLike) -> Floats:
    """Temperature rise of air through a server, P / (rho c_p V); sea level, about 20 C [K].

    >>> [round(float(air_rise_k(w, cfm)), 1) for w, cfm in ((6500, 840), (10_200, 1105))]
    [13.6, 16.2]
    """
    flow = np.asarray(airflow_cfm, dtype=np.float64) * M3_PER_S_PER_CFM
    return np.asarray(power_w, dtype=np.float64) / (AIR_DENSITY_KG_PER_M3 * AIR_HEAT_CAPACITY_J_PER_KG_K * flow)
