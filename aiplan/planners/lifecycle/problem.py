"""A world and a list of vintages as a linear problem: what each decision costs, in which period, under which name.

A vintage is a generation bought in one period. All planners of a lifecycle (policies, the optimum, its stochastic
forms) decide on the same variables and are charged by the same coefficients, so that they can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from aiplan import finance
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.charges import Group, Kind, Line, When, lines
from aiplan.planners.lifecycle.vintages import Vintages, all_vintages, joined, on_sale, pick, pick_rows
from aiplan.planners.lifecycle.world import Bools, Ints, World


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


def problem(world: World, vintages: Vintages) -> Problem:
    """Coefficients of a world for a list of vintages.

    Raises ValueError where shapes or numbers cannot be.
    """
    builder = _Builder(world, vintages)
    return builder.build()


class _Builder:
    def __init__(self, world: World, vintages: Vintages) -> None:
        self.world, self.vintages = world, vintages
        clock, gens = world.clock, world.generations
        self.dt, self.periods = clock.dt_years, clock.periods
        self.age = np.arange(self.periods) - vintages.bought[:, None]  # (K, T)
        life = np.maximum(np.round(pick(gens.life_years, vintages.generation) / self.dt), 1)
        self.serves = (self.age >= 0) & (self.age < life[..., None])
        self.failures = self._failures()
        rate = world.finance.rate
        self.starts = finance.discount_factor(rate[..., None], clock.starts_years)
        shift = {"start": 0.0, "mid": 0.5, "end": 1.0}[world.finance.booking] * self.dt
        self.booked = finance.discount_factor(rate[..., None], clock.starts_years + shift)
        self.final = finance.discount_factor(rate, clock.horizon_years)

    def of(self, values: Array) -> Array:
        """Values by generation for each vintage."""
        return pick(values, self.vintages.generation)

    def build(self) -> Problem:
        """The problem."""
        world, site = self.world, self.world.site
        drawn = 1.0 - self.of(site.fan_saved)
        rated = self.of(world.generations.rated_w) * drawn
        oversubscription = self.of(site.oversubscription)
        peaks = self._peaks(rated, drawn)
        sold = self._allowed()
        floor = world.market.minimum_fraction * as_array(site.pue_peak)[..., None] / 1e3
        return Problem(
            world, self.vintages, sold, self.serves, self._survival(), self._capacity(),
            rated * (1.0 + self.of(site.stranding)) / oversubscription, *peaks, self.of(world.generations.racks_count),
            world.demand_per_s * (1.0 + world.reserve_fraction), floor, self._standing(),
            self.starts, self.booked, self.final,
            lines(world, self.vintages, self.age, self.serves, self.failures),
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
        lost = self.failures
        # What fails over the period before is missing at the start of this one.
        before = np.concatenate([np.zeros((*lost.shape[:-1], 1)), lost[..., :-1]], axis=-1)
        return np.asarray(np.where(self.age > 0, 1.0 - before, 1.0))

    def _capacity(self) -> Array:
        world, site = self.world, self.world.site
        left = self.of(site.throughput) * (1.0 - self.of(site.derate)) * world.utilisation
        rate = pick_rows(world.generations.capacity_per_s, self.vintages.generation) * left[..., None]
        return np.asarray(rate[..., None, :] * world.efficiency[..., None, :, None])

    def _peaks(self, rated: Array, drawn: Array) -> tuple[Array, Array]:
        world = self.world
        pue = as_array(world.site.pue_peak)[..., None] / 1e3
        if world.market.billed == "rated":
            hold = pue * rated
            return hold, np.zeros((*hold.shape, world.classes))
        idle = self.of(world.generations.idle_w)
        active = pick_rows(world.generations.active_w, self.vintages.generation)
        more = (active - idle[..., None]) * world.utilisation
        return pue * idle * drawn, (pue * drawn)[..., None] * more


__all__ = [
    "Group", "Kind", "Line", "Problem", "Vintages", "When", "all_vintages", "joined", "on_sale", "pick", "problem",
]  # fmt: skip
