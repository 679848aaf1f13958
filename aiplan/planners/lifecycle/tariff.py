"""The electricity bill: energy, demand with a contract minimum, and fixed charges.

Per month and demand component ``c`` the bill charges ``d_c max(peak, m_c contract)``: the demand charge follows the
peak, not the energy, and a contract of which a minimum share is billed costs even what is not used (sites-and-grids.md,
section 6; lifecycle-tco.md, 4.4 and 5.7). That minimum shares such as the 0.85 (transmission and distribution) and 0.60
(generation) of Dominion's GS-5 are billed every month is an assumed reading: the source words them as an exit charge.

A peak here is the highest hourly mean; a meter that bills the highest 15 or 30 minutes sees more. Not in it: prices of
demand by season or time of day, ramps of the contract, exit fees, power factor, and charges on coincident peaks.
A year has 8,760 hours and 12 months.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

HOURS_PER_YEAR = 8760.0
MONTHS_PER_YEAR = 12.0
HOURS_PER_MONTH = HOURS_PER_YEAR / MONTHS_PER_YEAR
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTH_STARTS = np.concatenate([[0], np.cumsum(_DAYS)[:-1]]) * 24


def _not_negative(value: npt.ArrayLike, what: str) -> Array:
    numbers = as_array(value)
    require(np.isfinite(numbers) & (numbers >= 0), f"{what} must be finite and not negative")
    return numbers


@dataclass(frozen=True, slots=True)
class DemandComponent:
    """One term of the demand charge.

    Attributes
    ----------
    price_usd_per_kw_month : d, leading axes [USD/kW-month]
    minimum_share : m, share of the contract that is billed at least, in 0..1 [1]
    """

    price_usd_per_kw_month: npt.ArrayLike
    minimum_share: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self.price_usd_per_kw_month, "demand charges")
        require(0 <= self.minimum_share <= 1, "the minimum share of a contract lies in 0 to 1")

    @property
    def usd_per_kw_year(self) -> Array:
        """Price of a kW that is billed in every month [USD/kW-year]."""
        return np.asarray(as_array(self.price_usd_per_kw_month) * MONTHS_PER_YEAR)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What electricity costs; every price may carry leading axes (draws, designs, periods) that broadcast.

    Attributes
    ----------
    energy_usd_per_kwh : flat price, or the load-weighted mean of hourly ones (`load_weighted_price`); may be negative
    demand : components of the demand charge
    fixed_usd_per_month : whatever is used [USD/month]
    """

    energy_usd_per_kwh: npt.ArrayLike
    demand: tuple[DemandComponent, ...] = ()
    fixed_usd_per_month: npt.ArrayLike = 0.0

    def __post_init__(self) -> None:
        require(np.isfinite(as_array(self.energy_usd_per_kwh)), "energy prices must be finite")
        _not_negative(self.fixed_usd_per_month, "fixed charges")


@dataclass(frozen=True, slots=True)
class Bill:
    """A year of electricity; every array has the leading axes of load and prices.

    Attributes
    ----------
    energy_kwh : used in the year [kWh]
    energy_usd : for energy [USD]
    peak_usd : demand charge on the peaks that occurred [USD]
    minimum_usd : demand charge beyond that, for contract that was not used [USD]
    fixed_usd : [USD]
    demand_usd : of each component, minimum included, in the order of the tariff [USD]
    """

    energy_kwh: Array
    energy_usd: Array
    peak_usd: Array
    minimum_usd: Array
    fixed_usd: Array
    demand_usd: tuple[Array, ...] = field(default=())

    @property
    def total_usd(self) -> Array:
        """All of the year [USD]."""
        return np.asarray(self.energy_usd + self.peak_usd + self.minimum_usd + self.fixed_usd)

    @property
    def effective_usd_per_mwh(self) -> Array:
        """The whole bill over the energy used [USD/MWh]; NaN where none is used."""
        total, energy = np.broadcast_arrays(self.total_usd, self.energy_kwh)
        return np.asarray(np.divide(total * 1000.0, energy, out=np.full(total.shape, np.nan), where=energy > 0))


def yearly_bill(
    tariff: Tariff, mean_kw: npt.ArrayLike, peak_kw: npt.ArrayLike, contract_kw: npt.ArrayLike = 0.0
) -> Bill:
    """Bill of a year of which only mean and peak are known.

    Parameters
    ----------
    tariff : prices
    mean_kw : mean over the year at the meter, facility included [kW]
    peak_kw : reached in every month, at least the mean [kW]
    contract_kw : contracted capacity; 0 for no contract [kW]
    """
    mean, peak = _not_negative(mean_kw, "mean loads"), _not_negative(peak_kw, "peak loads")
    require(peak >= mean * (1.0 - 1e-12), "a peak must be at least the mean load")
    energy = mean * HOURS_PER_YEAR
    return _bill(tariff, energy, energy * as_array(tariff.energy_usd_per_kwh), peak[..., None], contract_kw)


def hourly_bill(
    tariff: Tariff,
    load_kw: npt.ArrayLike,
    contract_kw: npt.ArrayLike = 0.0,
    hourly_price_usd_per_kwh: npt.ArrayLike | None = None,
) -> Bill:
    """Bill of a year of hours; each month of a 365-day year is billed on its own peak.

    Parameters
    ----------
    tariff : prices; their axes broadcast with the leading axes of the load
    load_kw : hourly mean at the meter, ``[..., 8760]``, from 1 January 0 h [kW]
    contract_kw : contracted capacity, leading axes [kW]
    hourly_price_usd_per_kwh : ``[8760]`` or ``[..., 8760]``; takes the place of the flat price [USD/kWh]
    """
    load = _not_negative(load_kw, "loads")
    require(load.ndim >= 1 and load.shape[-1] == HOURS_PER_YEAR, "an hourly load has 8760 hours")
    energy = load.sum(axis=-1)
    if hourly_price_usd_per_kwh is None:
        paid = energy * as_array(tariff.energy_usd_per_kwh)
    else:
        price = _hourly_prices(hourly_price_usd_per_kwh, load)
        paid = np.asarray((price * load).sum(axis=-1))
    return _bill(tariff, energy, paid, np.maximum.reduceat(load, _MONTH_STARTS, axis=-1), contract_kw)


def _bill(tariff: Tariff, energy: Array, paid: Array, peaks: Array, contract_kw: npt.ArrayLike) -> Bill:
    """The bill with peaks ``[..., months]``, or ``[..., 1]`` for the same peak in every month."""
    contract = _not_negative(contract_kw, "contracts")[..., None]
    on_peak, minimum, whole = as_array(0.0), as_array(0.0), []
    for part in tariff.demand:
        used = part.usd_per_kw_year * peaks.mean(axis=-1)
        idle = part.usd_per_kw_year * np.maximum(part.minimum_share * contract - peaks, 0.0).mean(axis=-1)
        on_peak, minimum = on_peak + used, minimum + idle
        whole.append(np.asarray(used + idle))
    fixed = as_array(tariff.fixed_usd_per_month) * MONTHS_PER_YEAR
    return Bill(energy, np.asarray(paid), np.asarray(on_peak), np.asarray(minimum), np.asarray(fixed), tuple(whole))


def _hourly_prices(price_usd_per_kwh: npt.ArrayLike, load: Array) -> Array:
    price = as_array(price_usd_per_kwh)
    require(np.isfinite(price), "energy prices must be finite")
    require(price.ndim >= 1 and load.ndim >= 1 and price.shape[-1] == load.shape[-1], "one price for each hour of load")
    return price


def load_weighted_price(hourly_price_usd_per_kwh: npt.ArrayLike, load_kw: npt.ArrayLike) -> Array:
    """Flat price that costs a load as much as the hourly ones, ``sum p_h L_h / sum L_h`` [USD/kWh].

    Both ``[..., H]``, any number of hours and any scale of the load: only its shape counts. It holds for another load
    of the same shape. A load of nothing has no mean price and is refused.

    >>> round(float(load_weighted_price([0.02, 0.10], [3.0, 1.0])), 3)
    0.04
    """
    load = _not_negative(load_kw, "loads")
    price = _hourly_prices(hourly_price_usd_per_kwh, load)
    total = load.sum(axis=-1)
    require(total > 0, "a load of nothing has no mean price")
    return np.asarray((price * load).sum(axis=-1) / total)


def demand_usd_per_mwh(price_usd_per_kw_month: npt.ArrayLike, load_factor: npt.ArrayLike) -> Array:
    """Demand charge per unit of energy at a load factor (mean over peak), ``1000 d / (730 L)`` [USD/MWh].

    >>> round(float(demand_usd_per_mwh(14.57, 0.80)), 1)
    24.9
    """
    share = as_array(load_factor)
    require((share > 0) & (share <= 1), "a load factor lies above 0 and at most at 1")
    price = _not_negative(price_usd_per_kw_month, "demand charges")
    return np.asarray(price * 1000.0 / (HOURS_PER_MONTH * share))


@dataclass(frozen=True, slots=True)
class DemandTerms:
    """The demand charge of a year as ``sum_c peak_usd_per_kw_year[c] billed_c``.

    One linear variable for each distinct minimum share, ascending: ``billed_c >= peak`` and
    ``billed_c >= floor_share[c] contract`` [kW].

    Attributes
    ----------
    floor_share : ``[C]`` [1]
    peak_usd_per_kw_year : price of a kW of billed peak, ``[..., C]`` [USD/kW-year]
    """

    floor_share: Array
    peak_usd_per_kw_year: Array

    @property
    def floor_usd_per_kw_year(self) -> Array:
        """Demand charge of each term for a kW of contract of which nothing is used, ``[..., C]`` [USD/kW-year]."""
        return np.asarray(self.peak_usd_per_kw_year * self.floor_share)


def demand_terms(tariff: Tariff) -> DemandTerms:
    """Linear coefficients of the demand charge; components of equal minimum share are summed."""
    shares = sorted({part.minimum_share for part in tariff.demand})
    sums = [
        np.asarray(sum((part.usd_per_kw_year for part in tariff.demand if part.minimum_share == share), as_array(0.0)))
        for share in shares
    ]
    prices = np.stack(np.broadcast_arrays(*sums), axis=-1) if sums else np.zeros(0)
    return DemandTerms(as_array(shares), as_array(prices))


@dataclass(frozen=True, slots=True)
class DemandCuts:
    """The demand charge of a year as the largest of ``peak_usd_per_kw_year peak + contract_usd_per_kw_year contract``.

    Both ``[..., C + 1]`` for C distinct minimum shares. With one cost variable above all cuts the charge is exact in a
    linear programme that pays for it.
    """

    peak_usd_per_kw_year: Array
    contract_usd_per_kw_year: Array

    def charge_usd(self, peak_kw: npt.ArrayLike, contract_kw: npt.ArrayLike) -> Array:
        """The charge of a year [USD] for a peak in every month and a contract, leading axes [kW]."""
        peak, contract = _not_negative(peak_kw, "peak loads"), _not_negative(contract_kw, "contracts")
        lines = self.peak_usd_per_kw_year * peak[..., None] + self.contract_usd_per_kw_year * contract[..., None]
        return np.asarray(np.max(lines, axis=-1))


def demand_cuts(tariff: Tariff) -> DemandCuts:
    """Cuts of the demand charge, which is convex: cut ``j`` bills ``j`` terms on the peak, the rest at their floor.

    At any peak the terms at their floor are those of the highest shares, so those on the peak are the ``j`` lowest and
    C + 1 of the 2^C cuts are enough.
    """
    terms = demand_terms(tariff)
    nothing = np.zeros((*terms.peak_usd_per_kw_year.shape[:-1], 1))
    below = np.concatenate([nothing, np.cumsum(terms.peak_usd_per_kw_year, axis=-1)], axis=-1)
    floors = np.concatenate([np.cumsum(terms.floor_usd_per_kw_year[..., ::-1], axis=-1)[..., ::-1], nothing], axis=-1)
    return DemandCuts(below, floors)
