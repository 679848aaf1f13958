"""A scenario of `aiplan tco` looked up: servers, site options, ways to run them, prices, each with its source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.checks import check, median
from aiplan.planners.lifecycle.designs import CoolingOption, Designs, NetworkOption, PowerOption, enumerate_designs
from aiplan.planners.lifecycle.hardware import Hardware, find_hardware
from aiplan.planners.lifecycle.machines import Machines
from aiplan.planners.lifecycle.operations import BASELINE, Setup, Way, set_up, span_factors, ways
from aiplan.planners.lifecycle.policies import Policy
from aiplan.planners.lifecycle.price_file import read_price
from aiplan.planners.lifecycle.roadmap import Roadmap
from aiplan.planners.lifecycle.site_designs import (
    Choice,
    cooling_options,
    cost_entry,
    network_options,
    power_options,
)
from aiplan.planners.lifecycle.stabilized import Stabilized, stabilized_site
from aiplan.planners.lifecycle.world import Clock
from aiplan.planners.parameters import Parameters
from aiplan.planners.power.multiplexing import ServerClass
from aiplan.planners.serving.rows import Shelf
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.lifecycle.inputs import LifecycleInputs, PolicySpec

EIGHT = 8.0
"""Accelerators that a network's cost is stated for."""
AIR_MOST_W = 41e3
"""Racks above this are sold with liquid cooling alone: limit of air per rack, ASHRAE TC9.9 (second-hand) [W]."""
DEMAND = ("requests_per_s", "growth_fraction", "model_growth_fraction", "efficiency_fraction",
          "input_growth_fraction", "output_growth_fraction", "load_fraction", "output_tokens")  # fmt: skip
MARKET = ("escalation_fraction", "water_usd_per_m3", "carbon_usd_per_t", "rent_usd_per_h", "rent_change_fraction")
UPKEEP = ("ageing_fraction", "extended_factor", "failure_fraction", "interruptions_per_year", "interruption_h",
          "decommission_usd")  # fmt: skip
LABELS = {
    "requests_per_s": "requests at the start",
    "load_fraction": "mean over peak demand",
    "growth_fraction": "growth of requests per year",
    "model_growth_fraction": "growth of work per request and year",
    "efficiency_fraction": "gain of software per year",
    "input_growth_fraction": "growth of prompts per year",
    "output_growth_fraction": "growth of answers per year",
    "output_tokens": "answer tokens of a request",
    "escalation_fraction": "rise of prices of electricity and water per year",
    "water_usd_per_m3": "price of water",
    "carbon_usd_per_t": "price of carbon",
    "rent_usd_per_h": "rent of an accelerator",
    "rent_change_fraction": "change of rent per year",
    "ageing_fraction": "rise of maintenance per year of age",
    "extended_factor": "maintenance beyond the planned life",
    "failure_fraction": "servers that fail per year",
    "decommission_usd": "taking a server out",
    "interruptions_per_year": "interruptions of an accelerator",
    "interruption_h": "hours that one costs its replica",
}
COSTS_OF_UPKEEP = ("maintenance_usd_per_year", "software_usd_per_year", "staff_usd_per_w_per_year")
COMPONENTS = {"distribution": "minimum_wires_fraction", "transmission": "minimum_wires_fraction",
              "generation": "minimum_generation_fraction"}  # fmt: skip
"""Components of a demand charge, and the field with the share of the contract that each bills at least."""


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up.

    Attributes
    ----------
    hardware, roadmap, machines : generations at medians
    power, cooling, network : options of the site
    ways : ways to run the fleet; `setup` has what servers do under each
    policies : refresh policies; those by generation have to be searched for
    paths : of inputs by short name
    residual : cost entry of the resale curve
    stabilized : measures that keep a job's power within the limits of the grid
    """

    inputs: LifecycleInputs
    shelf: Shelf
    parameters: Parameters
    clock: Clock
    hardware: Hardware
    roadmap: Roadmap
    machines: Machines
    model: str
    power: list[Choice[PowerOption]]
    cooling: list[Choice[CoolingOption]]
    network: list[Choice[NetworkOption]]
    ways: dict[str, Way]
    policies: dict[str, Policy]
    paths: dict[str, str]
    residual: Any
    tariff: dict[str, tuple[str, float]]
    stabilized: Stabilized | None = None
    warnings: list[Warn] = field(default_factory=list)
    _setups: dict[str, Setup] = field(default_factory=dict)
    _designs: dict[str, Designs] = field(default_factory=dict)

    def setup(self, name: str) -> Setup:
        """What servers do under a way to run them, asked of serving once."""
        if name not in self._setups:
            self._setups[name] = set_up(self.ways[name], self.machines, self.inputs.demand, self.model, self.shelf)
        return self._setups[name]

    def designs(self, name: str) -> Designs:
        """All designs of the site for servers run in a way."""
        if name not in self._designs:
            self._designs[name] = self._enumerate(self.setup(name))
        return self._designs[name]

    def _enumerate(self, setup: Setup) -> Designs:
        load = self.inputs.server_power
        count = as_array([float(entry.accelerator_count) for entry in self.hardware.entries])[self.roadmap.base]
        planned, probability = None, 0.999
        if setup.way.oversubscribed and load is not None:
            of = {name: getattr(load, name).distribution.median for name in type(load).model_fields}
            probability = of.pop("percentile_fraction")
            planned = ServerClass(count=1.0, mean_w=of["mean_fraction"], sd_w=of["sd_fraction"],
                                  peak_w=of["peak_fraction"], rho=of["rho_within"])  # fmt: skip
        return enumerate_designs(
            [choice.option for choice in self.power], [choice.option for choice in self.cooling],
            [self._linked(choice.option, setup) for choice in self.network], setup.rated_w, count / EIGHT,
            liquid_only=setup.rated_w > AIR_MOST_W, load=planned, probability=probability,
        )  # fmt: skip

    def _linked(self, option: NetworkOption, setup: Setup) -> NetworkOption:
        """A network with what it leaves of the throughput of replicas that span servers."""
        port = self.shelf.catalog.get("costs", option.name).bandwidth_gb_per_s
        # What stays on one accelerator asks nothing of a network.
        gained = np.where(setup.rates.devices > 1, option.throughput, 1.0)
        if port is None:
            return replace(option, throughput=gained)
        left = span_factors(setup, self.machines, self.inputs.demand, self.model, self.shelf, port.value)
        return replace(option, throughput=gained * left)

    @property
    def baseline(self) -> int:
        """Number of the design that savings are counted from."""
        asked = self.inputs.baseline
        return self.designs(BASELINE).place(asked.power, asked.cooling, asked.network)


def build_case(inputs: LifecycleInputs, catalog: Catalog) -> Case:
    """Look everything up.

    Raises
    ------
    InputError for names the catalog does not know, numbers that are missing and choices that cannot be together.
    """
    return _Builder(inputs, catalog).build()


class _Builder:
    def __init__(self, inputs: LifecycleInputs, catalog: Catalog) -> None:
        self.inputs, self.catalog, self.shelf = inputs, catalog, Shelf(catalog)
        self.parameters = Parameters()
        self.paths: dict[str, str] = {}
        self.warnings: list[Warn] = []

    def build(self) -> Case:
        """The case.

        Raises InputError for names the catalog does not know, numbers that are missing, choices at odds.
        """
        inputs, parameters = self.inputs, self.parameters
        check(inputs)
        hardware = find_hardware(inputs, self.catalog, parameters)
        self.paths |= {path: path for path in hardware.paths.values()}
        model = self._model()
        roadmap = hardware.roadmap(parameters.medians())
        self._numbers()
        self._drawn_by_generation(len(roadmap.names) - len(hardware.servers))
        power, cooling, network = self._options()
        self._building()
        stabilized = stabilized_site(inputs.site)
        if stabilized is not None:
            stabilized.add(self._add, inputs.site)
            self.warnings += stabilized.warnings(inputs.site)
        residual = cost_entry(self.catalog, inputs.account.residual, "residual", "account.residual")
        tariff = self._tariff()
        self._market(hardware)
        found = ways(inputs.operation, inputs.levers, self.shelf)
        if any(way.oversubscribed for way in found.values()) and inputs.server_power is None:
            raise InputError(Problem("E274", "oversubscribed servers need to be known over time", "server_power",
                                     hint="add [server_power], or leave oversubscribed out"))  # fmt: skip
        horizon = inputs.horizon
        clock = Clock(horizon.start_year, round(horizon.years / horizon.step_years), horizon.step_years)
        policies = {name: policy_of(name, asked) for name, asked in inputs.policies.items()}
        for name, asked in inputs.policies.items():
            if asked.life_years is not None and asked.life_years.uncertain:
                self._add(f"policies.{name}.life_years", f"life of {name}", asked.life_years, low=0.0)
        self._owned(hardware)
        return Case(inputs, self.shelf, parameters, clock, hardware, roadmap, hardware.machines(roadmap), model, power,
                    cooling, network, found, policies, self.paths, residual, tariff, stabilized,
                    self.warnings)  # fmt: skip

    def _add(self, path: str, label: str, quantity: Quantity, **more: Any) -> None:
        self.paths[path] = self.parameters.add(path, label, quantity, **more)

    def _model(self) -> str:
        try:
            return self.catalog.resolve("models", self.inputs.demand.model)
        except InputError as error:
            raise InputError(error.under("demand.model")) from None

    def _numbers(self) -> None:
        inputs = self.inputs
        for section, names in (("demand", DEMAND), ("market", MARKET), ("upkeep", UPKEEP)):
            for name in names:
                quantity = getattr(getattr(inputs, section), name)
                if quantity is not None:
                    high = 1.0 if name == "load_fraction" else np.inf
                    low = -1.0 if name.endswith("_fraction") else 0.0
                    self._add(
                        f"{section}.{name}", LABELS.get(name, name.replace("_", " ")), quantity, low=low, high=high
                    )
        self._add("account.discount_fraction", "discount rate", inputs.account.discount_fraction, low=-1.0)
        self._add("account.resale_fraction", "what the channel of sale leaves", inputs.account.resale_fraction)
        self._add("account.tax_fraction", "tax", inputs.account.tax_fraction)
        speed = constant(1.0, "aiplan-choice", "estimate", "derived", "speed from serving, as predicted")
        self._add("speed_factor", "speed over what serving predicts", speed, low=0.0, unitless=True)
        costs = cost_entry(self.catalog, inputs.upkeep.costs, "upkeep", "upkeep.costs")
        for name in COSTS_OF_UPKEEP:
            quantity = getattr(costs, name) or constant(0.0, "aiplan-choice", "assumption", "assumed")
            self._add(f"upkeep.{name}", f"{name.split('_usd')[0]} per year", quantity)

    def _drawn_by_generation(self, projected: int) -> None:
        """Gains and prices that each generation draws anew, as inputs of their own."""
        roadmap = self.inputs.roadmap
        for name in ("gain_factor", "price_factor"):
            quantity = getattr(roadmap, name)
            if quantity is not None:
                for number in range(1, max(projected, 1) + 1):
                    path, place = f"roadmap.{name}.{number}", f"projected generation {number}"
                    what = "speed over the trend" if name == "gain_factor" else "price over the trend"
                    self._add(path, f"{what}, {place}", quantity, low=0.0, unitless=True)

    def _options(self) -> tuple[list[Any], list[Any], list[Any]]:
        site, parameters = self.inputs.site, self.parameters
        pooled = {name: {"domain_w": quantity} for name, quantity in site.domain_w.items()}
        cooled = {name: {"pue_mean": quantity} for name, quantity in site.pue.items()}
        load = min(max(self.inputs.demand.load_fraction.distribution.median, 0.05), 1.0)
        return (
            power_options(self.catalog, site.power, parameters, pooled),
            cooling_options(self.catalog, site.place, site.cooling, parameters, cooled, load_fraction=load),
            network_options(self.catalog, site.network, parameters),
        )

    def _building(self) -> None:
        building = cost_entry(self.catalog, self.inputs.site.building, "site", "site.building")
        zero = constant(0.0, "aiplan-choice", "assumption", "assumed")
        self._add("site.shell_usd_per_w", "cost of the shell", building.shell_usd_per_w or zero)
        self._add("site.land_usd_per_acre", "price of land", building.land_usd_per_acre or zero)
        self._add("site.land_acre_per_mw", "land per megawatt", self.inputs.site.land_acre_per_mw)
        if self.inputs.site.pue_added_ratio is not None:
            self._add("site.pue_added_ratio", "error of every PUE", self.inputs.site.pue_added_ratio)
        maintenance = self.inputs.site.hall_maintenance_fraction
        if maintenance is not None:
            self._add("site.hall_maintenance_fraction", "maintenance of halls per year", maintenance, low=0.0)

    def _tariff(self) -> dict[str, tuple[str, float]]:
        """Paths of the components of the demand charge, and the share of the contract that each bills at least."""
        name = self.inputs.market.tariff
        if name is None:
            return {}
        entry = cost_entry(self.catalog, name, "tariff", "market.tariff")
        found: dict[str, tuple[str, float]] = {}
        for part, minimum in COMPONENTS.items():
            price = getattr(entry, f"{part}_usd_per_kw_per_month")
            if price is not None:
                path = f"market.{part}_usd_per_kw_per_month"
                self._add(path, f"demand charge, {part}", price)
                floor = getattr(entry, minimum)
                found[part] = path, 0.0 if floor is None else floor.value
        if not found:
            hint = "leave it out, or name one that has, see `aiplan catalog list costs`"
            raise InputError(Problem("E277", f"'{name}' has no demand charge in dollars", "market.tariff", hint=hint))
        return found

    def _market(self, hardware: Hardware) -> None:
        """Price and carbon of electricity: the scenario's, else the place's."""
        market, place = self.inputs.market, self.inputs.site.place
        site_id = None if place is None else self.catalog.names("sites").resolve(place)
        site = None if site_id is None else self.catalog.get("sites", site_id)
        if market.energy_file is not None:
            self._hourly(market.energy_file)
        for own, kept, label in (("energy_usd_per_kwh", "price_usd_per_kwh", "price of electricity"),
                                 ("carbon_g_per_kwh", "carbon_g_per_kwh", "carbon of electricity")):  # fmt: skip
            quantity = getattr(market, own) or getattr(site, kept, None)
            if f"market.{own}" in self.paths:
                continue
            if quantity is None:
                raise InputError(Problem("E277", f"market.{own} is missing, and the place has none", f"market.{own}",
                                         hint=f"give market.{own}"))  # fmt: skip
            self._add(f"market.{own}", label, quantity, low=0.0)
        rented = None if market.rent_server is None else self.catalog.names("servers").resolve(market.rent_server)
        if market.rent_server is not None and rented not in hardware.servers:
            text = f"market.rent_server: '{market.rent_server}' is not among roadmap.servers"
            raise InputError(Problem("E279", text, "market.rent_server", hint=f"one of {', '.join(hardware.servers)}"))

    def _hourly(self, name: str) -> None:
        """The price that a file of hours comes to.

        Raises InputError for files that cannot be used.
        """
        value, weighed = read_price(Path(name))
        note = "hours weighed by the load of the file" if weighed else "mean of the hours"
        price = constant(value, Path(name).name, "assumption", "derived", note)
        self._add("market.energy_usd_per_kwh", "price of electricity", price, low=0.0)

    def _owned(self, hardware: Hardware) -> None:
        for name, owned in self.inputs.fleet.items():
            server = self.catalog.names("servers").resolve(owned.server)
            if server not in hardware.servers:
                text = f"fleet.{name}.server: '{owned.server}' is not among roadmap.servers"
                hint = f"one of {', '.join(hardware.servers)}"
                raise InputError(Problem("E279", text, f"fleet.{name}.server", hint=hint))
            self._add(f"fleet.{name}.count", f"servers of {name}", owned.count)
            step, age = self.inputs.horizon.step_years, median(owned.age_years)
            taken = max(round(age / step), 1) * step
            if abs(taken - age) > 1e-9:
                text = f"fleet.{name}.age_years: {age:g} is taken as {taken:g}, a whole number of periods"
                self.warnings.append(Warn("W-TCO-AGE", text, f"fleet.{name}.age_years"))
            if age >= self.inputs.roadmap.life_years:
                text = f"fleet.{name} is as old as servers get, {self.inputs.roadmap.life_years:g} years"
                self.warnings.append(Warn("W-TCO-AGE", text, f"fleet.{name}.age_years"))
        self._fleet_power(hardware)

    def _fleet_power(self, hardware: Hardware) -> None:
        """Refuse a fleet that the site cannot carry."""
        site = self.inputs.site
        if not self.inputs.fleet or site.most_w is None:
            return
        rated = {
            server: entry.max_power_w.value for server, entry in zip(hardware.servers, hardware.entries, strict=True)
        }
        watts = sum(rated[self.catalog.resolve("servers", owned.server)] * median(owned.count)
                    for owned in self.inputs.fleet.values())  # fmt: skip
        if watts > median(site.most_w):
            text = f"the fleet is rated at {watts / 1e6:,.4g} MW, the site carries {median(site.most_w) / 1e6:,.4g}"
            raise InputError(Problem("E279", text, "fleet", hint="raise site.most_w, or leave servers out"))


def policy_of(name: str, asked: PolicySpec) -> Policy:
    """A policy of the scenario; one by generation keeps every generation for its life until it is searched for."""
    life = 5.0 if asked.life_years is None else asked.life_years.distribution.median
    return Policy(name, asked.rule, life, asked.extend_years or 0.0, asked.skip_count or 0)


def owned_ages(case: Case) -> tuple[Array, Array, Array, Array]:
    """Servers at the start: generation, age in periods, number and price paid, each of shape (F,)."""
    names = {server: place for place, server in enumerate(case.hardware.servers)}
    medians, rows = case.parameters.medians(), []
    for name, owned in case.inputs.fleet.items():
        place = names[case.shelf.resolve("servers", owned.server)]
        price = case.hardware.known.price_usd[place] if owned.paid_usd is None else owned.paid_usd.distribution.median
        age = max(round(owned.age_years.distribution.median / case.clock.dt_years), 1)
        rows.append((place, age, medians[case.paths[f"fleet.{name}.count"]], price))
    table = as_array(rows).reshape(-1, 4)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]
