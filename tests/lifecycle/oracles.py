"""Second methods for what a plan costs: an electricity bill by months, books and taxes by years, annuities, survival.

Plain loops over plain numbers; nothing of the planner is used.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Component = tuple[float, float]
"""A term of the demand charge: USD per kW and month, and the share of the contract that is billed at least."""

GS3 = (3.316, 8.976, 2.277)
"""Dominion GS-3 from 2026-01: distribution, generation on-peak, transmission [USD/kW-month] (second-hand)."""
GS5 = tuple(zip(GS3, (0.85, 0.60, 0.85), strict=True))
"""The same prices under the minimum shares of GS-5, read as a monthly minimum (assumed)."""


def demand_charge_usd(demand: Iterable[Component], monthly_peaks_kw: Sequence[float], contract_kw: float) -> float:
    """Every month and component: the larger of the peak and the minimum share of the contract [USD]."""
    return sum(
        price * max(peak, share * contract_kw) for price, share in demand for peak in map(float, monthly_peaks_kw)
    )


def hourly_bill_usd(
    prices_usd_per_kwh: Array, demand: Iterable[Component], load_kw: Array, contract_kw: float = 0.0
) -> tuple[float, float]:
    """Energy and demand charge of a year of hours, from 1 January 0 h of a year of 365 days [USD]."""
    peaks, start = [], 0
    for month in range(1, 13):
        hours = 24 * calendar.monthrange(2025, month)[1]
        peaks.append(float(load_kw[start : start + hours].max()))
        start += hours
    assert start == len(load_kw) == len(prices_usd_per_kwh)
    return float(np.dot(prices_usd_per_kwh, load_kw)), demand_charge_usd(demand, peaks, contract_kw)


def yearly_bill_usd(
    price_usd_per_kwh: float, demand: Iterable[Component], mean_kw: float, peak_kw: float, contract_kw: float = 0.0
) -> tuple[float, float]:
    """Energy and demand charge of a year of which only mean and peak are known, the peak reached every month [USD]."""
    return mean_kw * 8760 * price_usd_per_kwh, demand_charge_usd(demand, [peak_kw] * 12, contract_kw)


def book_value_usd(price_usd: float, age_years: float, life_years: float) -> float:
    """The price less equal parts written off for each year of age, and for a part of a year in proportion [USD]."""
    left, at = price_usd, 0.0
    while at < min(age_years, life_years) - 1e-12:
        step = min(1.0, age_years - at, life_years - at)
        left -= price_usd * step / life_years
        at += step
    return left


def written_off_usd(price_usd: float, shares: Iterable[float], bought: int, years: int) -> list[float]:
    """What is deducted in each year of a study, and what of it is left after its end, ``years + 1`` numbers [USD]."""
    found = [0.0] * (years + 1)
    for age, share in enumerate(shares):
        found[min(bought + age, years)] += price_usd * share
    return found


def equal_payment_usd(present_usd: float, rate: float, times_years: Iterable[float]) -> float:
    """The same amount at each of these times with a given present value [USD]."""
    return present_usd / sum((1.0 + rate) ** -time for time in times_years)


def survival_to_age(afr_by_year: Sequence[float], age_years: float) -> float:
    """Share alive at an age; within each year of age failures come at a constant rate, the last year's holds on [1]."""
    left = 1.0
    for year in range(int(np.ceil(age_years))):
        rate = afr_by_year[min(year, len(afr_by_year) - 1)]
        left *= (1.0 - rate) ** min(1.0, age_years - year)
    return left
