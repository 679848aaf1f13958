"""What a lifecycle is planned in: machines, site, prices and rules, as arrays.

Leading axes are draws or designs and broadcast against each other; trailing axes are G generations, T periods,
W classes of work and C components of the demand charge. A field without draws simply has no leading axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Accounting = Literal["paper", "book", "finance"]
Booking = Literal["start", "mid", "end"]
HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Periods of equal length; period ``t`` starts ``t * dt_years`` after the start.

    Attributes
    ----------
    start_year : calendar year of the start
    periods : number of periods
    dt_years : length of one [y]
    """

    start_year: float
    periods: int
    dt_years: float = 1.0

    @property
    def starts_years(self) -> Array:
        """Starts of the periods, shape (T,) [y]."""
        return as_array(np.arange(self.periods) * self.dt_years)

    @property
    def horizon_years(self) -> float:
        """Length of the study [y]."""
        return self.periods * self.dt_years


@dataclass(frozen=True, slots=True)
class Generations:
    """Servers that can be bought, now or later; one server is what is bought as one.

    Attributes
    ----------
    names : shape (G,)
    available_years : years after the start from which one can be bought, shape (..., G); negative for earlier [y]
    last_sale_years : years after the start until which it is sold, shape (..., G) [y]
    price_usd : price of a server bought at the start of a period, shape (..., G, T) [USD]
    rated_w : what a power domain counts for it, shape (..., G) [W]
    idle_w : drawn without work, shape (..., G) [W]
    active_w : drawn at work, by class, shape (..., G, W) [W]
    capacity_per_s : requests it serves when it does nothing else, by class, shape (..., G, W) [1/s]
    life_years : longest service, shape (G,) [y]
    embodied_kg : carbon of making one, shape (..., G) [kg]
    racks_count : racks it takes, shape (G,) [1]
    accelerators_count : accelerators in it, shape (G,) [1]
    """

    names: tuple[str, ...]
    available_years: Array
    last_sale_years: Array
    price_usd: Array
    rated_w: Array
    idle_w: Array
    active_w: Array
    capacity_per_s: Array
    life_years: Array
    embodied_kg: Array = field(default_factory=lambda: np.zeros(()))
    racks_count: Array = field(default_factory=lambda: np.ones(()))
    accelerators_count: Array = field(default_factory=lambda: np.ones(()))


@dataclass(frozen=True, slots=True)
class SiteStorage:
    """Storage that keeps the power of a job within what the grid allows, bought with a hall.

    Attributes
    ----------
    usd_per_w, upkeep_usd_per_w_year : price and upkeep per watt of hall, shape (...) [USD/W, USD/(W y)]
    life_years : it is bought again after so long; infinite for never [y]
    """

    name: str
    usd_per_w: Array
    upkeep_usd_per_w_year: Array
    life_years: float = np.inf


@dataclass(frozen=True, slots=True)
class Site:
    """A design of the building, as what it costs and what it does to servers.

    Attributes
    ----------
    stranding : power that no server can use over power that servers use, shape (..., G) [1]
    fan_saved : share of a server's power saved by its cooling, shape (..., G) [1]
    derate : share of throughput lost to heat, shape (..., G) [1]
    throughput : share of throughput that the network leaves, shape (..., G) [1]
    hosts : whether a generation can stand in it, shape (..., G)
    oversubscription : servers placed over those that ratings allow, shape (..., G) or () [1]
    pue_mean, pue_peak : facility over IT power, mean and worst, shape (...) [1]
    wue_l_per_kwh : water over IT energy, shape (...) [L/kWh]
    hall_usd_per_w : costs of a hall per watt of IT capacity by name, each shape (...) [USD/W]
    network_usd, network_usd_per_year : network of a server, shape (..., G) [USD, USD/y]
    network_price_fraction : network on top, over the price of the server, shape (...) [1]
    hall_life_years : life of a hall [y]
    lead_years : time from paying for a hall to its first server [y]
    most_w : IT capacity that may be built, shape (...) [W]
    most_racks_count : racks that may stand [1]
    standing_w : capacity that stands already and is paid for [W]
    storage : what keeps a job's power within the limits of the grid
    """

    stranding: Array
    fan_saved: Array
    derate: Array
    throughput: Array
    hosts: Bools
    oversubscription: Array
    pue_mean: Array
    pue_peak: Array
    wue_l_per_kwh: Array
    hall_usd_per_w: Mapping[str, Array]
    network_usd: Array
    network_usd_per_year: Array
    hall_life_years: float = 15.0
    lead_years: float = 0.0
    most_w: Array = field(default_factory=lambda: np.array(np.inf))
    most_racks_count: float = np.inf
    standing_w: float = 0.0
    network_price_fraction: Array = field(default_factory=lambda: np.zeros(()))
    storage: tuple[SiteStorage, ...] = ()


@dataclass(frozen=True, slots=True)
class Market:
    """What is paid for power, water, carbon and rented servers.

    Attributes
    ----------
    energy_usd_per_kwh : shape (..., T) [USD/kWh]
    demand_usd_per_kw_month : components of the demand charge, shape (..., C, T) [USD/(kW month)]
    minimum_fraction : share of the contract that each component bills at least, shape (C,) [1]
    billed : whether peaks are what servers draw, or their ratings
    water_usd_per_m3, carbon_usd_per_kg, carbon_kg_per_kwh : shape (..., T)
    rent_usd_per_year : rent for one request/s of peak demand for a year, shape (..., T, W); infinite where none is
        offered [USD s/y]
    budget_usd : most that may be spent on capital at the start of a period, shape (T,) [USD]
    """

    energy_usd_per_kwh: Array
    demand_usd_per_kw_month: Array
    minimum_fraction: Array
    water_usd_per_m3: Array
    carbon_usd_per_kg: Array
    carbon_kg_per_kwh: Array
    rent_usd_per_year: Array
    budget_usd: Array
    billed: Literal["drawn", "rated"] = "drawn"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What machines and halls cost while they stand, and how they fail.

    Attributes
    ----------
    maintenance_usd_per_year : per server, shape (..., G) [USD/y]
    ageing_per_year : rise of maintenance per year of age [1/y]
    extended_years, extended_factor : maintenance from that age on is that times as much [y, 1]
    software_usd_per_year : per server, shape (..., G) [USD/y]
    staff_usd_per_w_year : per watt of hall that stands, shape (...) [USD/(W y)]
    hall_maintenance_fraction : of the cost of a hall per year [1/y]
    failures_per_year : permanent failures per server and year by age in periods, shape (..., A); the last holds [1/y]
    failed : ``shrink``: what fails is gone; ``spares``: it is replaced at the price once paid
    decommission_usd : per server retired, shape (..., G) [USD]
    """

    maintenance_usd_per_year: Array
    software_usd_per_year: Array
    failures_per_year: Array
    decommission_usd: Array
    staff_usd_per_w_year: Array
    hall_maintenance_fraction: Array
    ageing_per_year: Array
    extended_years: float = np.inf
    extended_factor: float = 1.0
    failed: Literal["shrink", "spares"] = "shrink"


@dataclass(frozen=True, slots=True)
class Finance:
    """Rules of the account.

    Attributes
    ----------
    accounting : ``paper``: undiscounted, no resale, no terminal value; ``book``: undiscounted, book value at the end;
        ``finance``: discounted, resale on the way and market value at the end
    discount_rate : nominal, shape (...) [1/y]; not used by the other two
    booking : when costs of operation are booked in their period; purchases are at its start
    residual : share of the price a server sells for by age in periods, shape (A,); the last holds on [1]
    resale_factor : what the channel of sale leaves of it [1]
    book_years : straight-line life of servers [y]
    tax_rate : on profit; 0 leaves taxes out [1]
    tax_shares : depreciation for tax by year, shares that sum to 1, shape (Y,) [1]
    hall_tax_shares : the same of halls [1]
    """

    accounting: Accounting
    discount_rate: Array
    residual: Array
    resale_factor: float = 1.0
    book_years: float = 5.0
    booking: Booking = "mid"
    tax_rate: float = 0.0
    tax_shares: Array = field(default_factory=lambda: np.ones(1))
    hall_tax_shares: Array = field(default_factory=lambda: np.ones(1))

    @property
    def rate(self) -> Array:
        """Discount rate that counts, shape (...) [1/y]."""
        return as_array(self.discount_rate) if self.accounting == "finance" else np.zeros(())


@dataclass(frozen=True, slots=True)
class World:
    """Everything a plan is made in.

    Attributes
    ----------
    demand_per_s : peak requests/s by class, shape (..., T, W) [1/s]
    efficiency : requests a server answers over those at the start, by period, shape (..., T): software gets better [1]
    load_factor : mean over peak demand, shape (...) [1]
    utilisation : share of a server's rate that the peak may take [1]
    reserve_fraction : capacity kept over the demand [1]
    """

    clock: Clock
    generations: Generations
    site: Site
    market: Market
    upkeep: Upkeep
    finance: Finance
    demand_per_s: Array
    efficiency: Array
    load_factor: Array
    utilisation: float = 1.0
    reserve_fraction: float = 0.0

    def __post_init__(self) -> None:
        classes = self.demand_per_s.shape[-1]
        require(self.generations.capacity_per_s.shape[-1] == classes, "demand and capacity must have the same classes")
        require(self.demand_per_s.shape[-2] == self.clock.periods, "demand must have one row per period")
        require(0 < self.utilisation <= 1, "utilisation must be above 0 and at most 1")
        require(self.finance.rate > -1, "a discount rate must be above -1")

    @property
    def classes(self) -> int:
        """Classes of work."""
        return int(self.demand_per_s.shape[-1])
