"""A scenario of `aiplan thermal` with everything looked up: the hall, its VMs, its weather, rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError
from aiplan.planners.parameters import Parameters
from aiplan.planners.thermal.case_hall import HallBuilder, refuse
from aiplan.planners.thermal.hall import Floats, Hall, Ints, Vms
from aiplan.planners.thermal.inputs import ThermalInputs
from aiplan.planners.thermal.llm_config import LlmConfig
from aiplan.planners.thermal.llm_configs import given_configs, served_configs
from aiplan.planners.thermal.simulate import Rules
from aiplan.planners.thermal.synthetic import (
    Demand,
    Mix,
    Outside,
    Spread,
    demand,
    hours_of,
    outside_c,
    replayed,
)
from aiplan.planners.thermal.synthetic import design_outside_c as wave_design_c
from aiplan.planners.thermal.vms_file import listed_vms, read_vms
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

MOST_CELLS = 15_000_000
"""Most VMs times steps of a replay; memory grows with them."""
DESIGN_SHARE = 0.996


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up.

    Attributes
    ----------
    servers_per_row : (R,) slots of each row
    design_outside_c : outside temperature plans must stand
    synthetic : what was drawn and not given
    outside : wave of the outside temperature
    spread, row_offset_c : of the offsets; rows' own where given
    mix : who the VMs are where they are drawn
    configs : configurations of a SaaS server, the first what runs before any change
    promises_ms : TTFT and TPOT they must keep
    """

    inputs: ThermalInputs
    hall: Hall
    demand: Demand
    rules: Rules
    design_outside_c: float
    servers_per_row: Ints
    seed: int
    parameters: Parameters
    weather: str
    synthetic: tuple[str, ...]
    outside: Outside
    spread: Spread
    row_offset_c: Floats | None
    mix: Mix | None
    configs: list[LlmConfig] = field(default_factory=list)
    promises_ms: tuple[float, float] = (np.inf, np.inf)
    warnings: list[Warn] = field(default_factory=list)

    @property
    def vms(self) -> Vms:
        """The VMs."""
        return self.demand.vms

    @property
    def nameplate_share(self) -> float:
        """Row budgets over the servers' nameplate, hall-wide."""
        return float(self.hall.row_budget_w.sum() / (self.hall.slots * self.hall.max_w))


def build_case(inputs: ThermalInputs, catalog: Catalog) -> Case:
    """Look everything up.

    Raises
    ------
    InputError for halls that do not fit together, VMs that cannot be read or outnumber slots, weather that is unknown.
    """
    return _Builder(inputs, catalog).build()


class _Builder(HallBuilder):
    def __init__(self, inputs: ThermalInputs, catalog: Catalog) -> None:
        super().__init__(inputs)
        self.catalog = catalog

    def build(self) -> Case:
        """The case, or InputError saying what it cannot be built from."""
        inputs = self.inputs
        hall, counts = self.hall()
        spread = self.spread()
        rows_drawn = spread.row_kelvin > 0.0 and self.row_offsets() is None
        drawn = ["offsets of servers"] if rows_drawn or spread.server_kelvin > 0.0 or spread.gpu_kelvin > 0.0 else []
        outside, design, weather = self.weather()
        vms, given = self.vms(hall, outside)
        if not given:
            drawn.append("VMs")
        self.plausible(hall)
        if own := self.parameters.uncertain():
            told = f"{', '.join(own)} {'is' if len(own) == 1 else 'are'} taken at the median: nothing is sampled"
            self.warnings.append(Warn("W-THERMAL-MEDIAN", told, own[0]))
        if drawn:
            told = f"the {' and the '.join(drawn)} are drawn, not given: a demonstration of this kind of hall"
            self.warnings.append(Warn("W-THERMAL-SYNTHETIC", told, "hall"))
        mix = None if given else self.mix()
        configs, promises = self.configs(hall)
        self.emergency()
        return Case(inputs, hall, vms, self.rules(), design, counts, self.seed, self.parameters, weather, tuple(drawn),
                    outside, spread, self.row_offsets(), mix, configs, promises, self.warnings)  # fmt: skip

    # --- weather, VMs, rules ---

    def weather(self) -> tuple[Outside, float, str]:
        """The wave of the replay, the design temperature, and where it comes from."""
        asked = self.inputs.weather
        swing, noise = self.number("weather", "swing_kelvin"), self.number("weather", "noise_kelvin")
        told, design = "", None
        if asked.site is not None and asked.file is not None:
            raise refuse("E257", "weather.site and weather.file exclude each other", "weather.file", "drop one")
        if asked.site is not None:
            from aiplan.planners.cooling.climates import find_weather

            try:
                place = find_weather(self.catalog, asked.site)
            except InputError as error:
                raise InputError(error.under("weather.site")) from None
            design = place.weather.quantile(place.weather.drybulb_c, DESIGN_SHARE)
            told = f"{place.name}, P99.6 dry bulb {design:.1f} C"
        elif asked.file is not None:
            from aiplan.planners.cooling.weather_file import read_weather

            year = read_weather(Path(asked.file)).weather
            design = year.quantile(year.drybulb_c, DESIGN_SHARE)
            told = f"{asked.file}, P99.6 dry bulb {design:.1f} C"
        if asked.design_outside_c is not None:
            design = self.number("weather", "design_outside_c")
            told = f"design temperature {design:.1f} C as given"
        if asked.mean_c is not None and not (asked.site or asked.file):
            outside = Outside(self.number("weather", "mean_c"), swing, noise)
        elif design is not None:
            outside = Outside(design - swing, swing, noise)
        else:
            raise refuse(
                "E257", "weather tells no temperature", "weather", "give site, file, design_outside_c or mean_c"
            )
        design = wave_design_c(outside) if design is None else design
        wave = f"replay {outside.mean_c - swing:.1f} to {outside.mean_c + swing:.1f} C a day"
        return outside, design, f"{told or f'wave, P99.6 of its warmest hour {design:.1f} C'}; {wave}"

    def vms(self, hall: Hall, outside: Outside) -> tuple[Demand, bool]:
        """VMs and what they ask for; whether they were given."""
        asked, listed = self.inputs.vms, self.inputs.vm
        days, step_s = self.number("replay", "days"), self.number("replay", "step_s")
        if asked.file is not None and listed:
            raise refuse("E256", "vms.file and [[vm]] exclude each other", "vms.file", "drop one")
        given = asked.file is not None or bool(listed)
        known = read_vms(Path(asked.file)) if asked.file is not None else listed_vms(listed) if listed else None
        count = known.count if known is not None else asked.count or hall.slots
        if count > hall.slots:
            raise refuse("E256", f"{count:,} VMs need {count:,} servers, the hall has {hall.slots:,}", "vms",
                         "add servers or drop VMs")  # fmt: skip
        steps = hours_of(days, step_s).size
        most = count * (1.0 + max(self.inputs.oversubscribe.levels, default=0.0))
        if steps < 2 or steps * most > MOST_CELLS:
            raise refuse("E255", f"{steps:,} steps of {most:,.0f} VMs are too many to replay, or too few",
                         "replay.step_s", "choose another step or length")  # fmt: skip
        if known is not None:
            series = outside_c(hours_of(days, step_s), outside, self.seed)
            return replayed(known, series, days, step_s, self.seed), given
        return demand(count, self.mix(), outside, days, step_s, self.seed), given

    def mix(self) -> Mix:
        """Who the drawn VMs are."""
        return Mix(self.number("vms", "saas_share"), self.inputs.vms.endpoints)

    def configs(self, hall: Hall) -> tuple[list[LlmConfig], tuple[float, float]]:
        """Configurations a SaaS server may run, and the latencies promised."""
        serving = self.inputs.serving
        promises = (np.inf, np.inf)
        if serving is not None:
            promises = self.number("serving", "ttft_ms"), self.number("serving", "tpot_ms")
        if self.inputs.llm_config:
            return given_configs(self.inputs.llm_config), promises
        if serving is None:
            return [], promises
        for name in ("prompt_tokens", "output_tokens", "quantised_quality_loss"):
            self.number("serving", name)
        exponent = self.number("place", "power_exponent")
        return served_configs(serving, hall, self.inputs.hall.server_gpus, exponent, self.catalog), promises

    def emergency(self) -> None:
        """Keep the numbers of an emergency with their sources."""
        for name in ("row_power_share", "aisle_airflow_share", "duration_s", "deadline_s", "cooling_deadline_s",
                     "control_s", "shed_max_share"):  # fmt: skip
            self.number("emergency", name)

    def rules(self) -> Rules:
        """What routing and configuration do."""
        low, high = self.inputs.place.saas_share_range
        if not 0.0 <= low <= high <= 1.0:
            raise refuse("E255", "place.saas_share_range must be two shares, the lower first", "place.saas_share_range",
                         "e.g. [0.3, 0.7]")  # fmt: skip
        names = ("shed_above_share", "shed_max_share", "quality_per_full_shed", "cut_share", "power_exponent",
                 "row_weight")  # fmt: skip
        value = {name: self.number("place", name) for name in names}
        return Rules(heat_weight=self.number("place", "heat_weight_per_kelvin"),
                     gpus=self.inputs.hall.server_gpus, **value)  # type: ignore[arg-type]  # fmt: skip
