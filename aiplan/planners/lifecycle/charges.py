"""What a plan is charged: every cost line of a world for a list of vintages, in dollars per unit of a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.vintages import Vintages, pick, pick_rows
from aiplan.planners.lifecycle.world import HOURS_PER_YEAR, Bools, Ints, World

Group = Literal[
    "buy", "paid", "hold", "use", "retire", "hall", "hall_paid", "stand", "peak", "rent", "end", "bought", "hall_end"
]  # fmt: skip
When = Literal["start", "booked", "end"]
Kind = Literal["capex", "opex", "tax", "terminal"]
MONTHS = 12.0
LAND = "land"
"""Line that has no depreciation."""


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
        - ``end`` (..., K) per server in service in the last period, ``bought`` (..., K) per server ever bought,
          ``hall_end`` (..., T) per watt opened: at the end
    when : at the start of the period, when operation is booked, or at the end of the study
    kind : capital, operation, tax or terminal value
    usd : dollars per unit; income is negative
    """

    name: str
    group: Group
    when: When
    kind: Kind
    usd: Array


def lines(world: World, vintages: Vintages, age: Ints, serves: Bools, failures: Array) -> list[Line]:
    """Cost lines of a world; those that are zero throughout are left out.

    Parameters
    ----------
    age : periods since a vintage was bought, shape (K, T) [1]
    serves : whether a vintage may serve in a period, shape (..., K, T)
    failures : permanent failures over a period, shape (..., K, T) [1]
    """
    return _Charges(world, vintages, age, serves, failures).build()


class _Charges:
    def __init__(self, world: World, vintages: Vintages, age: Ints, serves: Bools, failures: Array) -> None:
        self.world, self.vintages, self.age, self.failures = world, vintages, age, failures
        self.lines: list[Line] = []
        self.dt, self.periods = world.clock.dt_years, world.clock.periods
        self.serves = serves.astype(np.float64)
        self.price = self._price()

    def build(self) -> list[Line]:
        """The lines, in the order in which they are printed."""
        self._purchases()
        self._operation()
        self._retirement()
        self._halls()
        self._storage()
        self._market()
        self._taxes()
        return self.lines

    def of(self, values: Array) -> Array:
        """Values by generation for each vintage."""
        return pick(values, self.vintages.generation)

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

    def _operation(self) -> None:
        """What servers cost while they stand and work."""
        upkeep, site, gens = self.world.upkeep, self.world.site, self.world.generations
        years = np.maximum(self.age, 0) * self.dt
        ageing = 1.0 + as_array(upkeep.ageing_per_year)[..., None, None] * years
        ageing = ageing * np.where(years >= upkeep.extended_years - 1e-9, upkeep.extended_factor, 1.0)

        def hold(name: str, usd_per_year: Array) -> None:
            if np.any(usd_per_year):
                self._add(name, "hold", "booked", "opex", self.serves * usd_per_year * self.dt)

        hold("maintenance", self.of(upkeep.maintenance_usd_per_year)[..., None] * ageing)
        hold("software", self.of(upkeep.software_usd_per_year)[..., None])
        hold("network operation", self.of(site.network_usd_per_year)[..., None])
        if upkeep.failed == "spares":
            hold("spares", self.price[..., None] * self.failures / self.dt)
        drawn = 1.0 - self.of(site.fan_saved)
        idle = self.serves * (self.of(gens.idle_w) * drawn)[..., None]
        busy = self.world.utilisation * as_array(self.world.load_factor)[..., None, None]
        more = pick_rows(gens.active_w, self.vintages.generation) - self.of(gens.idle_w)[..., None]
        work = self.serves[..., None] * (more * drawn[..., None] * busy)[..., None, :]
        for name, usd_per_kwh in self._per_it_kwh().items():
            if np.any(usd_per_kwh):
                year = usd_per_kwh * HOURS_PER_YEAR / 1e3 * self.dt
                self._add(name, "hold", "booked", "opex", idle * year[..., None, :])
                self._add(name, "use", "booked", "opex", work * year[..., None, :, None])

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
        works = 1.0 - self.failures[..., -1] if self.world.upkeep.failed == "shrink" else 1.0
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

    def _storage(self) -> None:
        """Storage that is bought with a hall and again whenever it is worn out, while the hall stands."""
        if not self.world.site.storage:
            return
        periods, hall = self.periods, max(round(self.world.site.hall_life_years / self.dt), 1)
        for one in self.world.site.storage:
            cost, life = as_array(one.usd_per_w), one.life_years / self.dt
            self._add("stabilisation storage", "hall", "start", "capex",
                      np.broadcast_to(cost[..., None], (*cost.shape, periods)))  # fmt: skip
            upkeep = as_array(one.upkeep_usd_per_w_year)[..., None] * self.dt
            self._add("storage upkeep", "stand", "booked", "opex",
                      np.broadcast_to(upkeep, (*upkeep.shape[:-1], periods)))  # fmt: skip
            age = np.arange(periods) - np.arange(periods)[:, None]
            # Stores needed until the end of a period, less those bought before it; the first is paid with the hall.
            needed = np.maximum(np.ceil((age + 1) / life - 1e-9), 1.0)
            before = np.where(age > 0, np.maximum(np.ceil(age / life - 1e-9), 1.0), 1.0)
            again = np.where((age >= 0) & (age < hall), needed - before, 0.0)
            self._add("storage replacement", "hall_paid", "start", "opex", cost[..., None, None] * again)
            if self.world.finance.accounting != "paper":
                stands = periods - np.arange(periods)
                last = min(life, hall)
                worn = np.where(stands > hall, 1.0, (stands - (np.ceil(stands / last - 1e-9) - 1.0) * last) / last)
                self._add("terminal value of storage", "hall_end", "end", "terminal", -cost[..., None] * (1.0 - worn))

    def _market(self) -> None:
        market = self.world.market
        self._add("demand charge", "peak", "booked", "opex", market.demand_usd_per_kw_month * MONTHS * self.dt)
        rent = np.where(np.isfinite(market.rent_usd_per_year), market.rent_usd_per_year, 0.0)
        self._add("rent", "rent", "booked", "opex", rent * self.dt)

    def _taxes(self) -> None:
        """Taxes saved by costs and by depreciation; sales and terminal values are taxed whole.

        Depreciation runs on after a sale; what is left of it at the end is deducted at once. Land has none.
        """
        rules = self.world.finance
        if rules.tax_rate == 0.0:
            return
        for line in list(self.lines):
            if line.kind in ("opex", "terminal") or line.name == "resale":
                self.lines.append(Line("tax", line.group, line.when, "tax", -rules.tax_rate * line.usd))
        basis = sum((line.usd for line in self.lines if line.group == "buy" and line.kind == "capex"), np.zeros(()))
        new = ~self.vintages.old
        shares, after = self._tax_periods(rules.tax_shares, np.clip(self.vintages.bought, 0, None))
        saved = -rules.tax_rate * np.where(new, basis, 0.0)
        self._add("tax", "paid", "booked", "tax", saved[..., None] * shares)
        self._add("tax", "bought", "end", "tax", saved * after)
        hall = sum((line.usd for line in self.lines if line.group == "hall" and line.name != LAND),
                   np.zeros(self.periods))  # fmt: skip
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
