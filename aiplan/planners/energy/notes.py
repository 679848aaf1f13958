"""What a reader must know about the tables and options behind an answer: one warning per kind, naming the models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import exp
from typing import TYPE_CHECKING, Any

from aiplan.planners.serving.throughput import PhysicalLaw
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.planners.energy.inputs import EnergyInputs
    from aiplan.planners.energy.profiles import Profile

STALE_DAYS = 365
TENTH = 1.2816
"""Standard deviations from the median of a normal to its 10th and 90th percentile."""

_TEXTS = {
    "W-ENERGY-ROOFLINE": "no table of these models; their time is computed by the roofline, not measured: {items}",
    "W-ENERGY-CARRIED": "no table for the server's accelerator; another's moved by the ratio the roofline gives, which "
    "misses by a factor of 1.09 (median) to 1.31 (P90): {items}",
    "W-ENERGY-SCALED": "no table for the server's accelerator; another's scaled by bandwidth and FLOP/s, which "
    "misses by a factor of 1.25 (median) to 2.7 (P90): {items}",
    "W-ENERGY-DOES-NOT-FIT": "the weights do not fit the memory of the group the table is carried to: {items}",
    "W-ENERGY-OTHER-SERVER": "tables of another accelerator than the server's, as the scenario names them; power given "
    "in the scenario is kept too: {items}",
    "W-ENERGY-STALE": "tables more than a year older than the scenario; engines have become faster since: {items}",
    "W-ENERGY-EXTRAPOLATED": "typical lengths outside those of the tables (see `aiplan catalog show TABLE`): {items}",
    "W-ENERGY-INACTIVE": "given, but without effect here: {items}",
    "W-ENERGY-RATING": "server power at the medians exceeds the rating: {items}",
}


@dataclass(slots=True)
class Notes:
    """Remarks by kind, gathered while a case is put together."""

    items: dict[str, list[str]] = field(default_factory=dict)

    def add(self, code: str, item: str) -> None:
        """Remember one remark."""
        self.items.setdefault(code, []).append(item)

    def of_table(self, model: str, profile: Profile, accelerator: str, as_of: date | None) -> None:
        """Old tables, computed ones and those of another accelerator."""
        if as_of and profile.measured_on and (as_of - profile.measured_on).days > STALE_DAYS:
            self.add("W-ENERGY-STALE", f"{model} ({profile.measured_on})")
        if profile.computed:
            low, high = (exp(side * TENTH * profile.relative_error) for side in (-1, 1))
            group = f"{profile.accelerator_count} x {profile.accelerator}, {profile.precision}"
            self.add("W-ENERGY-ROOFLINE", f"{model} ({profile.engine}, {group}, band {low:.2f} to {high:.2f})")
        elif profile.carried_from:
            code = "W-ENERGY-CARRIED" if profile.by_ratio else "W-ENERGY-SCALED"
            self.add(code, f"{model} (from {profile.carried_from}, at {profile.precision})")
        elif profile.accelerator != accelerator:
            self.add("W-ENERGY-OTHER-SERVER", f"{model} ({profile.accelerator})")

    def of_lengths(self, model: str, profile: Profile, medians: Mapping[str, float]) -> None:
        """Queries the table has no points around."""
        if not isinstance(profile.law, PhysicalLaw):
            return
        for regime, prefix in (("short", ""), ("long", "long_")):
            typical = (medians[f"workload.{prefix}input_tokens"], medians[f"workload.{prefix}output_tokens"])
            if not profile.covers(*typical):
                self.add("W-ENERGY-EXTRAPOLATED", f"{model} {regime} ({typical[0]:,.0f} + {typical[1]:,.0f})")

    def of_memory(self, model: str, profile: Profile, total_params: float, accelerator: Any) -> None:
        """A carried table whose group could not hold the model."""
        if profile.carried_from and profile.overflow(total_params, accelerator.hbm_gb.value) > 1:
            memory = profile.accelerator_count * accelerator.hbm_gb.value
            self.add("W-ENERGY-DOES-NOT-FIT", f"{model} ({profile.precision} on {memory:.0f} GB)")

    def of_options(self, inputs: EnergyInputs) -> None:
        """Numbers the scenario gives that its mode or law does not read."""
        power, serving = inputs.power, inputs.serving
        if power.rated_power_fraction is not None and power.mode != "fraction":
            self.add("W-ENERGY-INACTIVE", f"power.rated_power_fraction (power.mode is '{power.mode}')")
        if power.tdp_fraction is not None and power.mode != "component":
            self.add("W-ENERGY-INACTIVE", f"power.tdp_fraction (power.mode is '{power.mode}')")
        if serving.input_token_weight is not None and serving.law == "physical":
            self.add("W-ENERGY-INACTIVE", "serving.input_token_weight (the physical law prices prompts itself)")

    def of_rating(self, inputs: EnergyInputs, medians: Mapping[str, float], accelerators: int) -> None:
        """Accelerators and host that draw more than the server is rated for."""
        if inputs.power.mode != "component":
            return
        for path, tdp_w in medians.items():
            if path.startswith("accelerators.") and path.endswith(".tdp_w"):
                share = medians.get("power.tdp_fraction", medians.get(path.replace(".tdp_w", ".power_fraction"), 0.0))
                drawn = accelerators * tdp_w * share + medians["power.host_power_w"]
                rated = medians["power.rated_power_w"]
                if drawn > rated:
                    self.add("W-ENERGY-RATING", f"{drawn:,.0f} W of {rated:,.0f} W")

    def warnings(self) -> list[Warn]:
        """One warning for each kind of remark."""
        return [
            Warn(code, text.format(items=", ".join(self.items[code])), "serving.models")
            for code, text in _TEXTS.items()
            if code in self.items
        ]
