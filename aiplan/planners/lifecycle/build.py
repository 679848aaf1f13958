"""Inputs as a world: the numbers of a case, at medians or drawn, for one design of the site or for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan import finance
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle import demand as demands
from aiplan.planners.lifecycle.case import EIGHT, Case
from aiplan.planners.lifecycle.failures import effective_time_fraction
from aiplan.planners.lifecycle.operations import BASELINE, SCALED, Setup, elasticities
from aiplan.planners.lifecycle.roadmap import Roadmap, price_usd
from aiplan.planners.lifecycle.roadmap_breaks import capability_shock, price_shock
from aiplan.planners.lifecycle.world import (
    HOURS_PER_YEAR,
    Accounting,
    Finance,
    Generations,
    Ints,
    Market,
    Site,
    Upkeep,
    World,
)

if TYPE_CHECKING:
    from aiplan.planners.lifecycle.inputs import Break
    from aiplan.planners.parameters import Values

MOST_AGE_YEARS = 60.0
LEAST_PUE = 1.02
"""Floor of a drawn PUE: the lifecycle reference, section 7 (derived) [1]."""
FORMS: dict[str, demands.Growth] = {"linear": "linear", "exponential": "exponential", "sub-linear": "sublinear"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a world is built for.

    Attributes
    ----------
    way : name of a way to run the fleet
    designs : numbers of designs; several become the leading axis of a world at medians
    accounting : None for the scenario's
    happens : a structural break, None for the trend
    years : length of the study, None for the scenario's [y]
    """

    way: str = BASELINE
    designs: tuple[int, ...] = ()
    accounting: Accounting | None = None
    happens: Break | None = None
    years: float | None = None


@dataclass(slots=True)
class Builder:
    """Worlds of a case; what serving is asked for is kept between them."""

    case: Case
    _elastic: dict[str, dict[str, Array]] = field(default_factory=dict)

    def world(self, values: Values, choice: Choice) -> World:
        """The world of a choice at values of the inputs, single or drawn (then with one design)."""
        case = self.case
        clock = case.clock
        if choice.years is not None:
            clock = replace(clock, periods=round(choice.years / clock.dt_years))
        setup = case.setup(choice.way)
        roadmap = case.hardware.roadmap(values)
        along = _Along(case.roadmap, roadmap)
        designs = choice.designs or (case.baseline,)
        generations = self._generations(values, choice, setup, roadmap, along, clock.periods)
        path = self.path(values, choice.happens, setup)
        site = self._site(values, setup, designs, along)
        # A year is planned for its peak hour, whatever the length of a period: demand rises from year to year.
        years = int(np.ceil(clock.horizon_years - 1e-9))
        each = np.minimum((clock.starts_years + 1e-9).astype(np.int64), years - 1)
        per_s = demands.demand(path, years, 1.0, setup.way.classes, "start", software=False)[..., each, :]
        reserve = 1.0 + case.inputs.demand.reserve_fraction
        found = World(
            clock, generations, site, self._market(values, setup, clock.starts_years), self._upkeep(values, along),
            self._finance(values, choice.accounting), per_s,
            demands.efficiency(path, years, 1.0, "start")[..., each],
            as_array(values[case.paths["demand.load_fraction"]]), case.inputs.demand.utilisation_fraction / reserve,
        )  # fmt: skip
        return found if case.inputs.demand.requests_per_s is not None else filled(found, per_s)

    def path(self, values: Values, happens: Break | None = None, setup: Setup | None = None) -> demands.Demand:
        """What is asked over the years; 1 request/s at the start where the site is to be filled."""
        case, asked = self.case, self.case.inputs.demand
        of = {name: as_array(values[path]) for name, path in case.paths.items() if name.startswith("demand.")}
        share = 0.5 if setup is None else float(setup.prefill_share[0])
        kind, break_ = (None, None) if happens is None else (happens.kind, _break(happens))
        return demands.Demand(
            of.get("demand.requests_per_s", np.ones(())), 1.0 + of["demand.growth_fraction"],
            model=demands.Model(1.0 + of["demand.model_growth_fraction"], FORMS[asked.model_growth]),
            phases=demands.Phases(1.0 + of["demand.input_growth_fraction"], 1.0 + of["demand.output_growth_fraction"],
                                  share),
            software_factor=1.0 + of["demand.efficiency_fraction"],
            shock=break_ if kind == "demand" else None, contraction=break_ if kind == "model" else None,
        )  # fmt: skip

    def _generations(
        self, values: Values, choice: Choice, setup: Setup, roadmap: Roadmap, along: _Along, periods: int
    ) -> Generations:
        case, hardware = self.case, self.case.hardware
        clock, roadmap_of = case.clock, self._value
        capacity = (
            along.of(setup.capacity_per_s, axis=-2) * as_array(values[case.paths["speed_factor"]])[..., None, None]
        )
        capacity = capacity * self._useful(values, setup, along)[..., None]
        watts = along.ratio("power", roadmap)
        if along.drawn:
            elastic = self._elasticities(choice.way)
            for name in SCALED:
                power = along.of(elastic[name], axis=-2, log=False)
                capacity = capacity * along.ratio(name, roadmap)[..., None] ** power
        gains, prices = self._by_generation(values, roadmap)
        times = clock.start_year + np.arange(periods) * clock.dt_years
        change = roadmap_of(values, "roadmap.price_change_fraction")
        price = price_usd(roadmap, hardware.known, times, change)
        price = (
            price * (hardware.prices(values) / hardware.known.price_usd)[..., roadmap.base, None] * prices[..., None]
        )
        capacity = capacity * gains[..., None]
        happens = choice.happens
        if happens is not None and happens.kind in ("capability", "price"):
            at, factor, slope = (
                clock.start_year + _median(happens.after_years),
                _median(happens.factor),
                _slope(happens),
            )
            if happens.kind == "capability":
                rate = 1.0 / np.sum(1.0 / np.maximum(capacity, 1e-300), axis=-1)
                jump = capability_shock(roadmap.release_years, rate, factor, at, slope, at_least_trend=factor >= 1)
                capacity = capacity * jump[..., None]
            else:
                price = price * price_shock(roadmap.release_years, price[..., 0], factor, at, slope)[..., None]
        count = as_array([float(entry.accelerator_count) for entry in hardware.entries])[roadmap.base]
        start = clock.start_year
        return Generations(
            roadmap.names, roadmap.available_years - start, roadmap.last_sale_years - start, price,
            along.of(setup.rated_w) * watts, along.of(setup.idle_w) * watts,
            along.of(setup.active_w, axis=-2) * watts[..., None], capacity,
            np.full(len(roadmap.names), case.inputs.roadmap.life_years), hardware.embodied_kg()[roadmap.base],
            np.ones(()), count,
        )  # fmt: skip

    def _useful(self, values: Values, setup: Setup, along: _Along) -> Array:
        """Share of time that interruptions leave a replica of each generation, shape (..., G) [1]."""
        paths = self.case.paths
        if "upkeep.interruption_h" not in paths:
            return np.ones(())
        rate, lost = (as_array(values[paths[f"upkeep.{name}"]])[..., None] for name in
                      ("interruptions_per_year", "interruption_h"))  # fmt: skip
        return effective_time_fraction(rate * along.nearest(setup.rates.devices), lost)

    def _value(self, values: Values, path: str) -> Any:
        return values[self.case.paths.get(path, path)]

    def _elasticities(self, way: str) -> dict[str, Array]:
        case = self.case
        if way not in self._elastic:
            self._elastic[way] = elasticities(case.ways[way], case.machines, case.inputs.demand, case.model, case.shelf)
        return self._elastic[way]

    def _by_generation(self, values: Values, roadmap: Roadmap) -> tuple[Array, Array]:
        """Gains and price factors of every generation, each on top of those before it, shape (..., G) [1]."""
        first = int(roadmap.base[-1]) + 1
        found: list[Array] = []
        for name in ("gain_factor", "price_factor"):
            paths = [path for path in values if path.startswith(f"roadmap.{name}.")]
            drawn = [as_array(values[f"roadmap.{name}.{number}"]) for number in range(1, len(paths) + 1)]
            projected = len(roadmap.names) - first
            drawn = [drawn[min(number, len(drawn) - 1)] if drawn else np.ones(()) for number in range(projected)]
            wide = np.broadcast_arrays(np.ones(()), *drawn)
            known = [np.ones(wide[0].shape)] * first
            own = [np.broadcast_to(each, wide[0].shape) for each in drawn]
            both = np.stack([*known, *own], axis=-1)
            found.append(as_array(np.cumprod(both, axis=-1)))
        return found[0], found[1]

    def _site(self, values: Values, setup: Setup, designs: Sequence[int], along: _Along) -> Site:
        case = self.case
        table = case.designs(setup.way.name)
        at: Any = designs[0] if len(designs) == 1 else np.asarray(designs)

        def option(kind: str, name: str, default: float) -> Array:
            choices = {choice.option.name: choice for choice in getattr(case, kind)}
            found = []
            for number in designs:
                choice = choices[getattr(table, kind)[number]]
                found.append(as_array(values[choice.paths[name]] if name in choice.paths else default))
            return found[0] if len(found) == 1 else np.stack(found)

        land = self._value(values, "site.land_usd_per_acre") * self._value(values, "site.land_acre_per_mw") / 1e6
        scale = as_array([float(entry.accelerator_count) for entry in case.hardware.entries])[along.base] / EIGHT
        site = case.inputs.site
        # What is left of a replica over several servers, without the factor that may be drawn.
        factors = {choice.option.name: float(choice.option.throughput) for choice in case.network}
        plain = as_array([factors[table.network[number]] for number in designs])[:, None]
        spans = table.throughput[at] / (plain[0] if len(designs) == 1 else plain)
        wue = option("cooling", "wue_l_per_kwh", 0.0)
        error = as_array(values.get(case.paths.get("site.pue_added_ratio", ""), 0.0))
        pue = option("cooling", "pue_mean", 1.0)
        pue = np.where(error == 0.0, pue, np.maximum(pue + error, LEAST_PUE))
        found = Site(
            stranding=along.nearest(table.stranding[at]),
            fan_saved=along.nearest(table.fan_saved[at]),
            derate=option("cooling", "thermal_derate_fraction", 0.0)[..., None] * (along.nearest(table.derate[at]) > 0),
            throughput=option("network", "throughput_factor", 1.0)[..., None] * along.nearest(spans),
            hosts=along.nearest(table.hosts[at]),
            oversubscription=along.nearest(table.oversubscription[at]),
            pue_mean=pue,
            pue_peak=np.maximum(option("cooling", "pue_peak", 1.0) + error, pue),
            wue_l_per_kwh=np.nan_to_num(wue),
            hall_usd_per_w={
                "land": as_array(land),
                "shell": as_array(self._value(values, "site.shell_usd_per_w")),
                "power plant": option("power", "usd_per_w", 0.0),
                "cooling plant": option("cooling", "usd_per_w", 0.0),
            },
            network_usd=option("network", "server_usd", 0.0)[..., None] * scale,
            network_usd_per_year=option("network", "server_usd_per_year", 0.0)[..., None] * scale,
            hall_life_years=site.hall_life_years,
            lead_years=site.lead_years,
            most_w=as_array(np.inf if site.most_w is None else _median(site.most_w)),
            most_racks_count=np.inf if site.most_racks_count is None else _median(site.most_racks_count),
            standing_w=0.0 if site.standing_w is None else _median(site.standing_w),
            network_price_fraction=option("network", "server_price_fraction", 0.0),
        )
        return found if case.stabilized is None else case.stabilized.site(found, values)

    def _market(self, values: Values, setup: Setup, starts: Array) -> Market:
        case, market = self.case, self.case.inputs.market
        rise = (1.0 + as_array(self._value(values, "market.escalation_fraction"))[..., None]) ** starts
        parts = [(minimum, as_array(values[path])[..., None] * rise) for path, minimum in case.tariff.values()]
        none = np.zeros((0, len(starts)))
        demand = np.stack(np.broadcast_arrays(*[rows for _, rows in parts]), axis=-2) if parts else none
        flat = np.ones(len(starts))
        budget = (
            np.inf if market.budget_usd_per_year is None else _median(market.budget_usd_per_year) * case.clock.dt_years
        )
        return Market(
            energy_usd_per_kwh=as_array(self._value(values, "market.energy_usd_per_kwh"))[..., None] * rise,
            demand_usd_per_kw_month=demand,
            minimum_fraction=as_array([minimum for minimum, _ in parts]),
            water_usd_per_m3=as_array(self._value(values, "market.water_usd_per_m3"))[..., None] * rise,
            carbon_usd_per_kg=as_array(self._value(values, "market.carbon_usd_per_t"))[..., None] / 1e3 * flat,
            carbon_kg_per_kwh=as_array(self._value(values, "market.carbon_g_per_kwh"))[..., None] / 1e3 * flat,
            rent_usd_per_year=self._rent(values, setup, starts),
            budget_usd=budget * flat,
            billed=market.billed,
        )

    def _rent(self, values: Values, setup: Setup, starts: Array) -> Array:
        """Rent of one request/s of peak for a year by class, shape (..., T, W); infinite where none is offered."""
        case, market = self.case, self.case.inputs.market
        if market.rent_server is None:
            return np.full((len(starts), setup.way.classes), np.inf)
        server = case.shelf.resolve("servers", market.rent_server)
        place = case.hardware.servers.index(server)
        hours = as_array(values[case.paths["market.rent_usd_per_h"]]) * HOURS_PER_YEAR
        usd = hours * float(case.hardware.entries[place].accelerator_count)
        rate = setup.capacity_per_s[place] * case.inputs.demand.utilisation_fraction
        with np.errstate(divide="ignore"):
            per_year = usd[..., None, None] / rate
        software = (1.0 + as_array(values[case.paths["demand.efficiency_fraction"]]))[..., None] ** starts
        change = as_array(values.get(case.paths.get("market.rent_change_fraction", ""), 0.0))
        return np.asarray(per_year * ((1.0 + change)[..., None] ** starts / software)[..., None])

    def _upkeep(self, values: Values, along: _Along) -> Upkeep:
        case, asked = self.case, self.case.inputs.upkeep
        scale = as_array([float(entry.accelerator_count) for entry in case.hardware.entries])[along.base] / EIGHT

        def of(name: str) -> Array:
            return as_array(self._value(values, f"upkeep.{name}"))

        def given(name: str) -> Array:
            return as_array(values[case.paths[name]] if name in case.paths else 0.0)

        return Upkeep(
            maintenance_usd_per_year=of("maintenance_usd_per_year")[..., None] * scale,
            software_usd_per_year=of("software_usd_per_year")[..., None] * scale,
            failures_per_year=of("failure_fraction")[..., None],
            decommission_usd=given("upkeep.decommission_usd")[..., None] * scale,
            staff_usd_per_w_year=of("staff_usd_per_w_per_year"),
            hall_maintenance_fraction=given("site.hall_maintenance_fraction"),
            ageing_per_year=of("ageing_fraction"),
            extended_years=asked.extended_years,
            extended_factor=_median(asked.extended_factor),
            failed=asked.failed,
        )

    def _finance(self, values: Values, accounting: Accounting | None) -> Finance:
        case, account = self.case, self.case.inputs.account
        ages = np.arange(round(MOST_AGE_YEARS / case.clock.dt_years) + 1) * case.clock.dt_years
        entry = case.residual
        if entry.kept_fraction is not None:
            residual = finance.residual_fraction(ages, entry.kept_fraction.value)
        else:
            anchors = as_array(entry.anchor_fraction)
            residual = finance.residual_from_table(ages, np.arange(len(anchors)), anchors)
        shares = (
            finance.straight_line(5)
            if account.tax_schedule == "straight-5"
            else finance.macrs(int(account.tax_schedule[-1]))
        )
        return Finance(
            accounting or account.mode, as_array(self._value(values, "account.discount_fraction")), residual,
            _median(account.resale_fraction), account.book_years, account.booking, _median(account.tax_fraction),
            shares, finance.straight_line(case.inputs.site.hall_life_years),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Along:
    """Numbers of the median roadmap carried over to one that is drawn.

    A known generation keeps its own; one to come takes what the median roadmap has at its day of release, by geometric
    interpolation.
    """

    median: Roadmap
    other: Roadmap

    @property
    def base(self) -> Ints:
        """Known generation behind each, shape (G,)."""
        return self.other.base

    @property
    def drawn(self) -> bool:
        """Whether the roadmaps differ."""
        same = self.median.release_years.shape == self.other.release_years.shape
        fields = ("release_years", *SCALED, "power")
        return not (
            same and all(np.array_equal(getattr(self.median, name), getattr(self.other, name)) for name in fields)
        )

    def _first(self) -> int:
        return int(self.median.base[-1])

    def of(self, values: Array, axis: int = -1, *, log: bool = True) -> Array:
        """Values of the median roadmap, generations on an axis, at the releases of the other."""
        if not self.drawn:
            return values
        moved = np.moveaxis(values, axis, -1)
        # Of the last known generation on, the trend; before, each its own.
        start, release = self._first(), self.median.release_years
        trend = np.log(np.maximum(moved[..., start:], 1e-300)) if log else moved[..., start:]
        at = np.clip(self.other.release_years[..., start + 1 :], release[start], release[-1])
        lead = at.shape[:-1]
        shape = (*moved.shape[:-1], *lead, at.shape[-1])
        rows = [np.interp(at, release[start:], row) for row in trend.reshape(-1, trend.shape[-1])]
        later = np.stack(rows).reshape(shape)
        later = np.exp(later) if log else later
        known = np.broadcast_to(moved[..., : start + 1].reshape(*moved.shape[:-1], *(1,) * len(lead), start + 1),
                                (*moved.shape[:-1], *lead, start + 1))  # fmt: skip
        both = np.concatenate([known, later], axis=-1)
        # Draws lead, then whatever else the values had, generations back where they were.
        order = (*range(moved.ndim - 1, moved.ndim - 1 + len(lead)), *range(moved.ndim - 1), both.ndim - 1)
        return np.moveaxis(np.transpose(both, order), -1, axis)

    def nearest(self, values: Any) -> Any:
        """Values by generation on the last axis, those of the nearest release; for what jumps between generations."""
        if not self.drawn:
            return values
        start, release = self._first(), self.median.release_years
        later = np.abs(self.other.release_years[..., start + 1 :, None] - release[start:]).argmin(axis=-1) + start
        lead = later.shape[:-1]
        index = np.concatenate([np.broadcast_to(np.arange(start + 1), (*lead, start + 1)), later], axis=-1)
        return values[..., index]

    def ratio(self, name: str, roadmap: Roadmap) -> Array:
        """A factor of the other roadmap over what the median one has at the same day, shape (..., G) [1]."""
        if not self.drawn:
            return np.ones(len(roadmap.names))
        return np.asarray(getattr(roadmap, name) / self.of(getattr(self.median, name)))


def filled(world: World, unit_per_s: Array) -> World:
    """The world with the demand that its site carries in the first period, in the newest generation that it hosts."""
    from aiplan.planners.lifecycle.policies import newest
    from aiplan.planners.lifecycle.problem import Vintages, on_sale, problem

    first = newest(world, on_sale(world))[..., :1]
    found = problem(world, Vintages(first, np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1)))
    servers = as_array(world.site.most_w) / found.power_w[..., 0]
    with np.errstate(divide="ignore"):
        per_server = 1.0 / (found.demand_per_s[..., 0, :] / found.capacity_per_s[..., 0, 0, :]).sum(axis=-1)
    return replace(world, demand_per_s=unit_per_s * (servers * per_server)[..., None, None])


def _break(happens: Break) -> demands.Break:
    return demands.Break(_median(happens.factor), _median(happens.after_years))


def _slope(happens: Break) -> float:
    return 0.0 if happens.slope_per_year is None else _median(happens.slope_per_year)


def _median(quantity: Any) -> float:
    return float(quantity.distribution.median)
