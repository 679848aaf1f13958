"""The hall of a scenario: rows, limits, physics and offsets, from numbers to arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.planners.parameters import Parameters
from aiplan.planners.thermal.hall import Floats, Hall, Ints
from aiplan.planners.thermal.inputs import MOST_SLOTS, ThermalInputs
from aiplan.planners.thermal.model import PLAUSIBLE_RISE_K, air_rise_k
from aiplan.planners.thermal.synthetic import Spread, with_offsets
from aiplan.report.model import Warn


def refuse(code: str, message: str, path: str, hint: str) -> InputError:
    """One problem as an error."""
    return InputError(Problem(code, message, path, hint=hint))


class HallBuilder:
    """Builds the hall; every number it reads is kept with its source.

    Its methods raise InputError (E255) for what does not fit together.
    """

    def __init__(self, inputs: ThermalInputs) -> None:
        self.inputs = inputs
        self.parameters = Parameters()
        self.warnings: list[Warn] = []
        self.seed = inputs.uncertainty.seed

    def number(self, section: str, name: str, label: str = "") -> float:
        """A number of a section, kept with its source."""
        quantity: Quantity = getattr(getattr(self.inputs, section), name)
        self.parameters.add(f"{section}.{name}", label or name.replace("_", " "), quantity)
        return quantity.distribution.median

    def hall(self) -> tuple[Hall, Ints]:
        """Slots, limits, physics, offsets; and the slots of each row."""
        asked, listed = self.inputs.hall, self.inputs.row
        counts = np.array([one.servers for one in listed] if listed else [asked.row_servers] * asked.rows,
                          dtype=np.int64)  # fmt: skip
        if counts.sum() > MOST_SLOTS:
            raise refuse("E255", f"the hall has {counts.sum():,} servers, more than {MOST_SLOTS:,}", "hall",
                         "plan hall by hall")  # fmt: skip
        physics = self.physics()
        aisle = self.aisles(counts.size)
        hall = replace(
            physics,
            row=np.repeat(np.arange(counts.size, dtype=np.int64), counts),
            aisle_of_row=aisle,
            row_budget_w=self.budgets(counts, physics.max_w),
            aisle_airflow_cfm=self.airflow(counts, aisle, physics),
            slot_offset_c=np.zeros(counts.sum()),
            gpu_offset_c=np.zeros(counts.sum()),
        )
        return with_offsets(hall, self.spread(), self.seed, self.row_offsets()), counts

    def spread(self) -> Spread:
        """Spreads of the offsets."""
        return Spread(*(self.number("hall", f"{name}_spread_kelvin") for name in ("row", "server", "gpu")))

    def row_offsets(self) -> Floats | None:
        """Offsets of rows where any is given."""
        given = [row.offset_kelvin for row in self.inputs.row]
        if not any(one is not None for one in given):
            return None
        for number, one in enumerate(given):
            if one is not None:
                self.parameters.add(f"row.{number}.offset_kelvin", f"offset of row {number + 1}", one)
        return np.array([one.distribution.median if one is not None else 0.0 for one in given])

    def budgets(self, counts: Ints, max_w: float) -> Floats:
        """Budget of each row [W]."""
        share = self.number("hall", "row_budget_share", "row budget over nameplate")
        same = self.inputs.hall.row_budget_w
        if same is not None:
            self.parameters.add("hall.row_budget_w", "row budget", same)
        budgets = counts * max_w * share if same is None else np.full(counts.size, same.distribution.median)
        for number, row in enumerate(self.inputs.row):
            if row.budget_w is not None:
                self.parameters.add(f"row.{number}.budget_w", f"budget of row {number + 1}", row.budget_w)
                budgets[number] = row.budget_w.distribution.median
        return np.asarray(budgets, dtype=np.float64)

    def aisles(self, rows: int) -> Ints:
        """Aisle of each row."""
        listed = self.inputs.row
        if not listed:
            return np.arange(rows, dtype=np.int64) // self.inputs.hall.aisle_rows
        aisle = np.array([row.aisle - 1 for row in listed], dtype=np.int64)
        known = set(aisle.tolist())
        if missing := sorted(set(range(int(aisle.max()) + 1)) - known):
            raise refuse("E255", f"no row stands at aisle {missing[0] + 1}, but one at aisle {int(aisle.max()) + 1}",
                         "row", "number the aisles from 1 without gaps")  # fmt: skip
        return aisle

    def airflow(self, counts: Ints, aisle: Ints, physics: Hall) -> Floats:
        """Supply of each aisle [CFM]."""
        aisles = int(aisle.max()) + 1
        listed = self.inputs.aisle
        if listed:
            if len(listed) != aisles:
                raise refuse("E255", f"{len(listed)} aisles are listed, the rows stand at {aisles}", "aisle",
                             "give one [[aisle]] for each, in their order")  # fmt: skip
            for number, one in enumerate(listed):
                self.parameters.add(f"aisle.{number}.airflow_cfm", f"air of aisle {number + 1}", one.airflow_cfm)
            return np.array([one.airflow_cfm.distribution.median for one in listed])
        same = self.inputs.hall.aisle_airflow_cfm
        if same is not None:
            self.parameters.add("hall.aisle_airflow_cfm", "air of an aisle", same)
            return np.full(aisles, same.distribution.median)
        share = self.number("hall", "aisle_airflow_share", "air of an aisle over its servers' most")
        most = physics.airflow_idle_cfm + physics.airflow_span_cfm
        return np.asarray(np.bincount(aisle, counts * most) * share, dtype=np.float64)

    def physics(self) -> Hall:
        """A hall of no slots, with everything servers and air share."""
        server, thermal = self.inputs.server, self.inputs.thermal
        names = ("idle_w", "max_w", "gpu_idle_w", "gpu_tdp_w", "airflow_idle_cfm", "airflow_span_cfm")
        value = {name: self.number("server", name) for name in names}
        same = ("inlet_coefficient", "intercept_c", "t_max_c", "t_throttle_c", "inlet_base_c")
        value |= {name: self.number("thermal", name) for name in same}
        value["power_coefficient"] = self.number("thermal", "power_coefficient_kelvin_per_w")
        value["margin_c"] = self.number("thermal", "margin_kelvin")
        value["recirculation_c"] = self.number("thermal", "recirculation_kelvin")
        value["hall_load_coefficient"] = self.number("thermal", "hall_load_kelvin")
        for low, high in (("idle_w", "max_w"), ("gpu_idle_w", "gpu_tdp_w")):
            if not value[low] < value[high]:
                raise refuse("E255", f"server.{low} must lie below {high}", f"server.{low}", "check both")
        if value["t_max_c"] > value["t_throttle_c"]:
            raise refuse("E255", "thermal.t_max_c lies above t_throttle_c", "thermal.t_max_c", "check both")
        if value["airflow_idle_cfm"] + value["airflow_span_cfm"] <= 0.0:
            raise refuse("E255", "server moves no air", "server.airflow_span_cfm", "give its airflow")
        knots, slopes = thermal.inlet_knots_c, thermal.inlet_slopes
        if len(knots) != len(slopes) or list(knots) != sorted(set(knots)):
            raise refuse("E255", "thermal.inlet_knots_c must rise and have one slope each", "thermal.inlet_knots_c",
                         "e.g. inlet_knots_c = [15, 25] and inlet_slopes = [0.6, 0.3]")  # fmt: skip
        curve = server.power_curve or ((0.0, 0.0), (1.0, 1.0))
        load, share = tuple(pair[0] for pair in curve), tuple(pair[1] for pair in curve)
        ends = (load[0], share[0], load[-1], share[-1]) == (0.0, 0.0, 1.0, 1.0)
        if not ends or any(np.diff(load) <= 0.0) or any(np.diff(share) < 0.0):
            raise refuse("E255", "server.power_curve must rise from [0, 0] to [1, 1]", "server.power_curve",
                         "e.g. [[0, 0], [0.5, 0.7], [1, 1]]")  # fmt: skip
        none, empty = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Hall(none, none, empty, empty, empty, empty, **value, inlet_knots_c=knots, inlet_slopes=slopes,
                    curve_load=load, curve_share=share)  # fmt: skip

    def plausible(self, hall: Hall) -> None:
        """Warn of power and airflow that hardly belong together."""
        low, high = PLAUSIBLE_RISE_K
        for load, watts in ((0, hall.idle_w), (1, hall.max_w)):
            air = hall.airflow_idle_cfm + load * hall.airflow_span_cfm
            rise = float(air_rise_k(watts, air)) if air > 0.0 else np.inf
            if not low <= rise <= high:
                told = f"{watts:,.0f} W at {air:,.0f} CFM warm the air by {rise:.1f} K, not by {low:g} to {high:g} K"
                self.warnings.append(Warn("W-THERMAL-AIR", told, "server.airflow_idle_cfm"))
