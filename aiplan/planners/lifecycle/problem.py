"""A world and a list of vintages as a linear problem: what each decision costs, in which period, under which name.

A vintage is a generation bought in one period. All planners of a lifecycle (policies, the optimum, its stochastic
forms) decide on the same variables and are charged by the same coefficients, so that they can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from aiplan import finance
from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.world import HOURS_PER_YEAR, Bools, Ints, World

Group = Literal["buy", "paid", "hold", "use", "retire", "hall", "hall_paid", "stand", "peak", "rent", "end", "hall_end"]
When = Literal["start", "booked", "end"]
Kind = Literal["capex", "opex", "tax", "terminal"]
MONTHS = 12.0


@dataclass(frozen=True, slots=True)
class Vintages:
    """What may stand in the fleet.

    Attributes
    ----------
    generation : index of the generation, shape (..., K); may differ between draws
    bought : period of purchase, shape (K,); negative for servers owned at the start
    owned : servers of it at the start, shape (..., K); 0 for those yet to be bought [1]
    paid_usd : price once paid for owned ones, shape (..., K) [USD]
    """

    generation: Ints
    bought: Ints
    owned: Array
    paid_usd: Array

    @property
    def old(self) -> Bools:
        """Which are owned at the start, shape (K,)."""
        return np.asarray(self.bought < 0)


@dataclass(frozen=True, slots=True)
class Line:
    """One cost line.

    Attributes
    ----------
    name : as the ledger prints it
    group : the decision it is charged on, which also gives the shape of ``usd``:

        - ``buy`` (..., K) per server bought, at the start of its period; ``paid`` (..., K, T) the same by period
        - ``hold`` (..., K, T) per server in service; ``use`` (..., K, T, W) per server at work
        - ``retire`` (..., K, T) per server retired at the start of a period
        - ``hall`` (..., T) per watt of hall that opens, when it is paid; ``hall_paid`` (..., T, T) the same by period;
          ``stand`` (..., T) per watt standing
        - ``peak`` (..., C, T) per kW billed; ``rent`` (..., T, W) per request/s rented
        - ``end`` (..., K) per server in service in the last period; ``hall_end`` (..., T) per watt opened
    when : at the start of the period, when operation is booked, or at the end of the study
    kind : capital, operation, tax or terminal value
    usd : dollars per unit; income is negative
    """

    name: str
    group: Group
    when: When
    kind: Kind
    usd: Array


@dataclass(frozen=True, slots=True)
class Problem:
    """Coefficients of a plan.

    Attributes
    ----------
    vintages : what may stand
    allowed : whether a vintage can be bought, shape (..., K)
    serves : whether a vintage may serve in a period, shape (..., K, T)
    survival : share of servers of the period before that still work, shape (..., K, T) [1]
    capacity_per_s : requests/s of one server of each class at the utilisation allowed, shape (..., K, T, W) [1/s]
    power_w : hall capacity that one takes, shape (..., K) [W]
    peak_hold_kw, peak_use_kw : billed peak of one in service, and of one at work, shape (..., K), (..., K, W) [kW]
    racks_count : racks of one, shape (..., K) [1]
    demand_per_s : with reserve, shape (..., T, W) [1/s]
    contract_kw_per_w : floor of the billed peak per watt of hall, shape (..., C) [kW/W]
    standing : which halls stand by period of opening and period, shape (T, T) [1]
    lines : cost lines
    starts, booked : discount factors of period starts and of operation, shape (..., T) [1]
    final : discount factor of the end, shape (...) [1]
    """

    world: World
    vintages: Vintages
    allowed: Bools
    serves: Bools
    survival: Array
    capacity_per_s: Array
    power_w: Array
    peak_hold_kw: Array
    peak_use_kw: Array
    racks_count: Array
    demand_per_s: Array
    contract_kw_per_w: Array
    standing: Array
    starts: Array
    booked: Array
    final: Array
    lines: list[Line] = field(default_factory=list)

    @property
    def paid_period(self) -> Ints:
        """Period in which a hall that opens in a period is paid, shape (T,): its lead time before, not before 0."""
        clock, lead = self.world.clock, self.world.site.lead_years
        return np.maximum(np.arange(clock.periods) - round(lead / clock.dt_years), 0)

    def factor(self, when: When) -> Array:
        """Discount factors of a time of payment, shape (..., T), or (...) for the end [1]."""
        return {"start": self.starts, "booked": self.booked, "end": self.final}[when]

    @property
    def rentable(self) -> Bools:
        """Whether capacity can be rented, shape (..., T, W)."""
        return np.isfinite(self.world.market.rent_usd_per_year)


def all_vintages(world: World, owned: Vintages | None = None) -> Vintages:
    """Every generation in every period in which it is sold, and what is owned; of a world without draws.

    Raises ValueError for a world with draws.
    """
    require(world.generations.available_years.ndim == 1, "vintages can be listed of one world, not of draws")
    sold = on_sale(world)
    generation, bought = np.nonzero(sold)
    order = np.lexsort((generation, bought))
    generation, bought = generation[order], bought[order]
    zeros = np.zeros(len(bought))
    found = Vintages(generation, bought, zeros, zeros)
    return found if owned is None else joined(owned, found)


def joined(first: Vintages, second: Vintages) -> Vintages:
    """Two lists as one."""
    lead = np.broadcast_shapes(first.generation.shape[:-1], second.generation.shape[:-1])

    def wide(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
        parts = [np.broadcast_to(x, (*lead, x.shape[-1])) for x in (a, b)]
        return np.concatenate(parts, axis=-1)

    return Vintages(
        wide(first.generation, second.generation), np.concatenate([first.bought, second.bought]),
        wide(first.owned, second.owned), wide(first.paid_usd, second.paid_usd),
    )  # fmt: skip


def on_sale(world: World) -> Bools:
    """Whether a generation can be bought at the start of a period and stand in the site, shape (..., G, T)."""
    gens, starts = world.generations, world.clock.starts_years
    tolerance = 1e-9
    open_ = gens.available_years[..., None] <= starts + tolerance
    still = starts <= gens.last_sale_years[..., None] + tolerance
    useful = world.site.hosts & (gens.capacity_per_s > 0).any(axis=-1)
    return np.asarray(open_ & still & useful[..., None])


def pick(values: npt.NDArray[Any], generation: Ints) -> npt.NDArray[Any]:
    """Values by generation, shape (..., G), for vintages, shape (..., K)."""
    values = as_array(values) if values.dtype != np.bool_ else values
    if values.ndim == 0 or values.shape[-1] == 1:
        lead = np.broadcast_shapes(values.shape[:-1], generation.shape[:-1])
        return np.broadcast_to(values, (*lead, generation.shape[-1]))
    if generation.ndim == 1:
        return np.asarray(values[..., generation])
    lead = np.broadcast_shapes(values.shape[:-1], generation.shape[:-1])
    return np.take_along_axis(np.broadcast_to(values, (*lead, values.shape[-1])),
                              np.broadcast_to(generation, (*lead, generation.shape[-1])), axis=-1)  # fmt: skip


def problem(world: World, vintages: Vintages) -> Problem:
    """Coefficients of a world for a list of vintages.

    Raises ValueError where shapes or numbers cannot be.
    """
    builder = _Builder(world, vintages)
    return builder.build()


class _Builder:
    def __init__(self, world: World, vintages: Vintages) -> None:
        self.world, self.vintages = world, vintages
        self.lines: list[Line] = []
        clock, gens = world.clock, world.generations
        self.dt, self.periods = clock.dt_years, clock.periods
        self.age = np.arange(self.periods) - vintages.bought[:, None]  # (K, T)
        life = np.maximum(np.round(pick(gens.life_years, vintages.generation) / self.dt), 1)
        self.serves = (self.age >= 0) & (self.age < life[..., None])
        self.price = self._price()
        rate = world.finance.rate
        self.starts = finance.discount_factor(rate[..., None], clock.starts_years)
        shift = {"start": 0.0, "mid": 0.5, "end": 1.0}[world.finance.booking] * self.dt
        self.booked = finance.discount_factor(rate[..., None], clock.starts_years + shift)
        self.final = finance.discount_factor(rate, clock.horizon_years)

    def of(self, values: Array) -> Array:
        """Values by generation for each vintage."""
        return pick(values, self.vintages.generation)

    def by_class(self, values: Array) -> Array:
        """Values by generation and class for each vintage, shape (..., K, W)."""
        return np.stack([self.of(values[..., w]) for w in range(values.shape[-1])], axis=-1)

    def _price(self) -> Array:
        """Price of a server of each vintage when it was bought, shape (..., K) [USD]."""
        gens, vintages = self.world.generations, self.vintages
        at = np.clip(vintages.bought, 0, self.periods - 1)
        rows = np.broadcast_to(gens.price_usd, (*gens.price_usd.shape[:-2], len(gens.names), self.periods))
        # One gather over the flattened axis of generation and period.
        flat = rows.reshape(*rows.shape[:-2], -1)
        index = vintages.generation * self.periods + at
        bought = pick(flat, index) if flat.shape[-1] > 1 else np.broadcast_to(flat, index.shape)
        return np.asarray(np.where(vintages.old, vintages.paid_usd, bought))

    def build(self) -> Problem:
        """The problem."""
        world, site = self.world, self.world.site
        drawn = 1.0 - self.of(site.fan_saved)
        rated = self.of(world.generations.rated_w) * drawn
        oversubscription = self.of(site.oversubscription)
        self._purchases()
        self._operation(drawn)
        self._retirement()
        self._halls()
        self._market()
        self._taxes()
        peaks = self._peaks(rated, drawn)
        sold = self._allowed()
        floor = world.market.minimum_fraction * as_array(site.pue_peak)[..., None] / 1e3
        return Problem(
            world, self.vintages, sold, self.serves, self._survival(), self._capacity(),
            rated * (1.0 + self.of(site.stranding)) / oversubscription, *peaks, self.of(world.generations.racks_count),
            world.demand_per_s * (1.0 + world.reserve_fraction), floor, self._standing(),
            self.starts, self.booked, self.final, self.lines,
        )  # fmt: skip

    def _allowed(self) -> Bools:
        sold = on_sale(self.world)
        flat = sold.reshape(*sold.shape[:-2], -1)
        index = self.vintages.generation * self.periods + np.clip(self.vintages.bought, 0, None)
        return np.asarray(pick(flat, index) & ~self.vintages.old)

    def _standing(self) -> Array:
        life = max(round(self.world.site.hall_life_years / self.dt), 1)
        opened, now = np.arange(self.periods)[:, None], np.arange(self.periods)
        return ((opened <= now) & (now < opened + life)).astype(np.float64)

    def _failures(self) -> Array:
        """Permanent failures over a period that starts at each age, shape (..., K, T) [1]."""
        rates = as_array(self.world.upkeep.failures_per_year)
        rates = rates if rates.ndim else rates[None]
        age = np.clip(self.age, 0, rates.shape[-1] - 1)
        return np.asarray(1.0 - (1.0 - rates[..., age]) ** self.dt)

    def _survival(self) -> Array:
        if self.world.upkeep.failed == "spares":
            return np.ones(self.age.shape)
        lost = self._failures()
        # What fails over the period before is missing at the start of this one.
        before = np.concatenate([np.zeros((*lost.shape[:-1], 1)), lost[..., :-1]], axis=-1)
        return np.asarray(np.where(self.age > 0, 1.0 - before, 1.0))

    def _capacity(self) -> Array:
        world, site = self.world, self.world.site
        left = self.of(site.throughput) * (1.0 - self.of(site.derate)) * world.utilisation
        rate = self.by_class(world.generations.capacity_per_s) * left[..., None]
        return np.asarray(rate[..., None, :] * world.efficiency[..., None, :, None])

    def _peaks(self, rated: Array, drawn: Array) -> tuple[Array, Array]:
        world = self.world
        pue = as_array(world.site.pue_peak)[..., None] / 1e3
        if world.market.billed == "rated":
            hold = pue * rated
            return hold, np.zeros((*hold.shape, world.classes))
        idle = self.of(world.generations.idle_w)
        more = (self.by_class(world.generations.active_w) - idle[..., None]) * world.utilisation
        return pue * idle * drawn, (pue * drawn)[..., None] * more

    def _add(self, name: str, group: Group, when: When, kind: Kind, usd: Array) -> None:
        if np.any(usd):
            self.lines.append(Line(name, group, when, kind, np.asarray(usd, dtype=np.float64)))

    def _purchases(self) -> None:
        """What is paid when servers are bought; those owned are paid."""
        site, market, new = self.world.site, self.world.market, ~self.vintages.old
        self._add("servers", "buy", "start", "capex", np.where(new, self.price, 0.0))
        network = self.of(site.network_usd) + as_array(site.network_price_fraction)[..., None] * self.price
        self._add("network", "buy", "start", "capex", np.where(new, network, 0.0))
        at = np.clip(self.vintages.bought, 0, None)
        embodied = self.of(self.world.generations.embodied_kg) * market.carbon_usd_per_kg[..., at]
        self._add("embodied carbon", "buy", "start", "opex", np.where(new, embodied, 0.0))

    def _operation(self, drawn: Array) -> None:
        """What servers cost while they stand and work."""
        upkeep, site, gens = self.world.upkeep, self.world.site, self.world.generations
        years = np.maximum(self.age, 0) * self.dt
        ageing = 1.0 + as_array(upkeep.ageing_per_year)[..., None, None] * years
        ageing = ageing * np.where(years >= upkeep.extended_years - 1e-9, upkeep.extended_factor, 1.0)

        def hold(name: str, usd_per_year: Array) -> None:
            self._add(name, "hold", "booked", "opex", self.serves * usd_per_year * self.dt)

        hold("maintenance", self.of(upkeep.maintenance_usd_per_year)[..., None] * ageing)
        hold("software", self.of(upkeep.software_usd_per_year)[..., None])
        hold("network operation", self.of(site.network_usd_per_year)[..., None])
        if upkeep.failed == "spares":
            hold("spares", self.price[..., None] * self._failures() / self.dt)
        idle = (self.of(gens.idle_w) * drawn)[..., None]
        busy = self.world.utilisation * as_array(self.world.load_factor)[..., None, None]
        more = (self.by_class(gens.active_w) - self.of(gens.idle_w)[..., None]) * drawn[..., None] * busy
        for name, usd_per_kwh in self._per_it_kwh().items():
            year = usd_per_kwh * HOURS_PER_YEAR / 1e3 * self.dt
            self._add(name, "hold", "booked", "opex", self.serves * idle * year[..., None, :])
            use = more[..., None, :] * year[..., None, :, None]
            self._add(name, "use", "booked", "opex", self.serves[..., None] * use)

    def _per_it_kwh(self) -> dict[str, Array]:
        """Dollars per kWh of IT energy by cost line, shape (..., T)."""
        market, site = self.world.market, self.world.site
        pue, wue = as_array(site.pue_mean)[..., None], as_array(site.wue_l_per_kwh)[..., None]
        return {
            "energy": pue * market.energy_usd_per_kwh,
            "water": wue * market.water_usd_per_m3 / 1e3,
            "carbon": pue * market.carbon_kg_per_kwh * market.carbon_usd_per_kg,
        }

    def _retirement(self) -> None:
        """What comes in and goes out when servers leave, and what those in service are worth at the end."""
        rules, shape = self.world.finance, self.age.shape
        decommission = self.of(self.world.upkeep.decommission_usd)[..., None]
        leaves = np.where(np.broadcast_to(self.age > 0, shape) | self.vintages.old[:, None], 1.0, 0.0)
        self._add("decommissioning", "retire", "start", "opex", leaves * decommission)
        last = self.periods - self.vintages.bought
        works = 1.0 - self._failures()[..., -1] if self.world.upkeep.failed == "shrink" else 1.0
        if rules.accounting == "finance":
            sells = rules.resale_factor * self.price[..., None] * self._residual(self.age)
            self._add("resale", "retire", "start", "capex", -leaves * sells)
            end = rules.resale_factor * self.price * self._residual(last)
            self._add("terminal value of servers", "end", "end", "terminal", -end * works)
        elif rules.accounting == "book":
            left = np.maximum(1.0 - last * self.dt / rules.book_years, 0.0)
            self._add("terminal value of servers", "end", "end", "terminal", -self.price * left * works)

    def _residual(self, age: Ints) -> Array:
        table = as_array(self.world.finance.residual)
        return np.asarray(table[np.clip(age, 0, len(table) - 1)])

    def _halls(self) -> None:
        """Cost of halls per watt that opens, what they cost while they stand, what is left of them."""
        site, upkeep = self.world.site, self.world.upkeep
        total = np.zeros(())
        for name, usd_per_w in site.hall_usd_per_w.items():
            cost = as_array(usd_per_w)
            total = total + cost
            self._add(name, "hall", "start", "capex", np.broadcast_to(cost[..., None], (*cost.shape, self.periods)))
        yearly = total * as_array(upkeep.hall_maintenance_fraction)
        for name, usd in (("hall maintenance", yearly), ("staff", as_array(upkeep.staff_usd_per_w_year))):
            wide = np.broadcast_to(as_array(usd)[..., None] * self.dt, (*np.shape(usd), self.periods))
            self._add(name, "stand", "booked", "opex", wide)
        if self.world.finance.accounting == "paper":
            return
        age = (self.periods - np.arange(self.periods)) * self.dt
        left = np.maximum(1.0 - age / site.hall_life_years, 0.0)
        self._add("terminal value of halls", "hall_end", "end", "terminal", -total[..., None] * left)

    def _market(self) -> None:
        market = self.world.market
        self._add("demand charge", "peak", "booked", "opex", market.demand_usd_per_kw_month * MONTHS * self.dt)
        rent = np.where(np.isfinite(market.rent_usd_per_year), market.rent_usd_per_year, 0.0)
        self._add("rent", "rent", "booked", "opex", rent * self.dt)

    def _taxes(self) -> None:
        """Taxes saved by costs and by depreciation, which runs on after a sale; sales are taxed whole."""
        rules = self.world.finance
        if rules.tax_rate == 0.0:
            return
        for line in list(self.lines):
            if line.kind == "opex" or line.name == "resale":
                self.lines.append(Line("tax", line.group, line.when, "tax", -rules.tax_rate * line.usd))
        basis = sum((line.usd for line in self.lines if line.group == "buy" and line.kind == "capex"), np.zeros(()))
        new = ~self.vintages.old
        shares, after = self._tax_periods(rules.tax_shares, np.clip(self.vintages.bought, 0, None))
        saved = -rules.tax_rate * np.where(new, basis, 0.0)
        self._add("tax", "paid", "booked", "tax", saved[..., None] * shares)
        self._add("tax", "end", "end", "tax", saved * after)
        hall = sum((line.usd for line in self.lines if line.group == "hall"), np.zeros(self.periods))
        shares, after = self._tax_periods(rules.hall_tax_shares, np.arange(self.periods))
        self._add("tax", "hall_paid", "booked", "tax", -rules.tax_rate * hall[..., None] * shares)
        self._add("tax", "hall_end", "end", "tax", -rules.tax_rate * hall * after)

    def _tax_periods(self, by_year: Array, start: Ints) -> tuple[Array, Array]:
        """Shares depreciated in each period by what starts in ``start``, shape (N, T), and what is left then [1]."""
        steps = max(round(1.0 / self.dt), 1)
        fine = np.repeat(as_array(by_year) / steps, steps)
        age = np.arange(self.periods) - start[:, None]
        inside = (age >= 0) & (age < len(fine))
        shares = np.where(inside, fine[np.clip(age, 0, len(fine) - 1)], 0.0)
        return shares, 1.0 - shares.sum(axis=1)
