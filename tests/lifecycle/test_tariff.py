"""The electricity bill against published arithmetic, a bill by hand, month by month, and a linear programme."""

from __future__ import annotations

import calendar
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from aiplan.planners.lifecycle.tariff import (
    DemandComponent,
    Tariff,
    demand_cuts,
    demand_terms,
    demand_usd_per_mwh,
    hourly_bill,
    load_weighted_price,
    yearly_bill,
)

GS3 = (DemandComponent(3.316), DemandComponent(8.976), DemandComponent(2.277))
"""Dominion GS-3 from 2026-01: distribution, generation on-peak, transmission [USD/kW-month] (second-hand)."""
GS5_STYLE = (DemandComponent(3.316, 0.85), DemandComponent(8.976, 0.60), DemandComponent(2.277, 0.85))
"""The same prices under the minimum shares of GS-5, read as a monthly minimum (assumed)."""

PRICES = st.floats(0.0, 50.0)
SHARES = st.floats(0.0, 1.0)
COMPONENTS = st.lists(st.builds(DemandComponent, PRICES, SHARES), max_size=5).map(tuple)
KW = st.floats(0.0, 1e6)


def test_demand_charge_at_a_load_factor() -> None:
    """lifecycle-tco.md, check 9 (derived): 14.57 USD/kW-month at 80 % = 24.9 USD/MWh; through the bill as well."""
    assert sum(float(part.usd_per_kw_year) / 12 for part in GS3) == pytest.approx(14.57, abs=0.005)
    assert float(demand_usd_per_mwh(14.57, 0.80)) == pytest.approx(24.9, abs=0.1)
    bill = yearly_bill(Tariff(0.0, (DemandComponent(14.57),)), 80.0, 100.0)
    assert float(bill.effective_usd_per_mwh) == pytest.approx(24.9, abs=0.1)
    assert float(bill.effective_usd_per_mwh) == pytest.approx(float(demand_usd_per_mwh(14.57, 0.80)), rel=1e-12)


def test_a_minimum_bill_costs_a_site_in_part_use_42_percent_more() -> None:
    """sites-and-grids.md, section 6 (derived): 60 % used under a minimum of 0.85 pays 42 % more demand charge."""
    bill = yearly_bill(Tariff(0.03, (DemandComponent(10.0, 0.85),)), 60_000, 60_000, 100_000)
    assert float(bill.minimum_usd / bill.peak_usd) == pytest.approx(0.42, abs=0.005)
    assert float(bill.demand_usd[0]) == pytest.approx(12 * 10 * 85_000)


def test_quebec_price_at_a_load_factor() -> None:
    """sites-and-grids.md, check 10: 13.11 / (730 x 0.95) + 0.0342 = 0.0531 CAD/kWh; published prices."""
    bill = yearly_bill(Tariff(0.0342, (DemandComponent(13.11, 0.75),)), 9_500, 10_000, 10_000)
    assert float(bill.effective_usd_per_mwh) == pytest.approx(53.1, abs=0.1)
    assert float(bill.minimum_usd) == 0.0


def test_a_bill_by_hand() -> None:
    """50 MW peak, 40 MW mean, 100 MW contract: T&D billed on 85 MW, generation on 60 MW."""
    bill = yearly_bill(Tariff(0.05, GS5_STYLE, 1000.0), 40_000, 50_000, 100_000)
    assert [float(part) for part in bill.demand_usd] == pytest.approx(
        [12 * 3.316 * 85_000, 12 * 8.976 * 60_000, 12 * 2.277 * 85_000]
    )
    assert float(bill.energy_kwh) == pytest.approx(40_000 * 8760)
    assert float(bill.energy_usd) == pytest.approx(40_000 * 8760 * 0.05)
    assert float(bill.fixed_usd) == 12_000
    parts = float(bill.energy_usd) + sum(float(part) for part in bill.demand_usd) + 12_000
    assert float(bill.total_usd) == pytest.approx(parts)
    assert float(bill.peak_usd + bill.minimum_usd) == pytest.approx(sum(float(part) for part in bill.demand_usd))


@given(COMPONENTS, KW, KW, KW, st.floats(-0.1, 1.0))
def test_bill_is_the_larger_of_peak_and_minimum_for_every_component(
    demand: tuple[DemandComponent, ...], mean: float, more: float, contract: float, price: float
) -> None:
    bill = yearly_bill(Tariff(price, demand, 5.0), mean, mean + more, contract)
    brute = mean * 8760 * price + 60.0
    for part in demand:
        brute += 12 * float(part.price_usd_per_kw_month) * max(mean + more, part.minimum_share * contract)  # type: ignore[arg-type]
    scale = abs(mean * 8760 * price) + float(bill.peak_usd) + float(bill.minimum_usd)
    assert float(bill.total_usd) == pytest.approx(brute, abs=1e-9 * scale)


@given(KW, st.floats(0.0, 1e6), st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_bill_is_homogeneous_in_money_and_in_size(peak: float, contract: float, money: float, size: float) -> None:
    base = yearly_bill(Tariff(0.04, GS5_STYLE, 100.0), peak / 2, peak, contract).total_usd
    prices = tuple(DemandComponent(money * float(one.price_usd_per_kw_month), one.minimum_share) for one in GS5_STYLE)  # type: ignore[arg-type]
    dearer = yearly_bill(Tariff(money * 0.04, prices, money * 100.0), peak / 2, peak, contract).total_usd
    assert float(dearer) == pytest.approx(money * float(base), rel=1e-12)
    larger = yearly_bill(Tariff(0.04, GS5_STYLE, size * 100.0), size * peak / 2, size * peak, size * contract)
    assert float(larger.total_usd) == pytest.approx(size * float(base), rel=1e-12)


@given(KW, KW, KW, KW)
def test_more_contract_or_more_peak_never_costs_less(peak: float, more: float, contract: float, extra: float) -> None:
    tariff = Tariff(0.0, GS5_STYLE)
    base = float(yearly_bill(tariff, 0.0, peak, contract).total_usd)
    slack = 1e-12 * base
    assert float(yearly_bill(tariff, 0.0, peak + more, contract).total_usd) >= base - slack
    assert float(yearly_bill(tariff, 0.0, peak, contract + extra).total_usd) >= base - slack


def test_prices_loads_and_contracts_broadcast() -> None:
    tariff = Tariff(np.array([0.03, 0.05, 0.08]), (DemandComponent(np.array([5.0, 10.0, 20.0]), 0.5),), 10.0)
    bill = yearly_bill(tariff, np.array([[10.0], [20.0]]), 30.0, np.array([[0.0], [100.0]]))
    assert bill.total_usd.shape == (2, 3)
    alone = yearly_bill(Tariff(0.08, (DemandComponent(20.0, 0.5),), 10.0), 20.0, 30.0, 100.0)
    assert bill.total_usd[1, 2] == pytest.approx(float(alone.total_usd), rel=1e-14)


def test_no_energy_has_no_price_per_energy() -> None:
    assert np.isnan(yearly_bill(Tariff(0.05, GS3), 0.0, 0.0).effective_usd_per_mwh)


def test_an_even_load_is_billed_alike_by_hours_and_by_mean() -> None:
    tariff = Tariff(0.05, GS5_STYLE, 1000.0)
    by_hours = hourly_bill(tariff, np.full(8760, 70_000.0), 100_000)
    by_mean = yearly_bill(tariff, 70_000, 70_000, 100_000)
    for name in ("energy_kwh", "energy_usd", "peak_usd", "minimum_usd", "fixed_usd", "total_usd"):
        assert float(getattr(by_hours, name)) == pytest.approx(float(getattr(by_mean, name)), rel=1e-12), name


def test_each_month_is_billed_on_its_own_peak() -> None:
    """Months of the standard library's calendar; a load that rises or falls all year peaks at the edges of months."""
    rising = np.linspace(20_000.0, 90_000.0, 8760)
    load = np.stack([rising, rising[::-1], np.random.Generator(np.random.PCG64(7)).permutation(rising)])
    contract = np.array([30_000.0, 100_000.0, 100_000.0])
    brute, start = np.zeros(3), 0
    for month in range(1, 13):
        hours = 24 * calendar.monthrange(2025, month)[1]
        peak = load[:, start : start + hours].max(axis=1)
        start += hours
        for part in GS5_STYLE:
            brute += float(part.price_usd_per_kw_month) * np.maximum(peak, part.minimum_share * contract)  # type: ignore[arg-type]
    bill = hourly_bill(Tariff(0.0, GS5_STYLE), load, contract)
    assert start == 8760
    assert bill.total_usd == pytest.approx(brute, rel=1e-12)
    assert np.all(bill.total_usd < yearly_bill(Tariff(0.0, GS5_STYLE), 0, load.max(axis=1), contract).total_usd)


@settings(max_examples=25)
@given(arrays(float, 24, elements=st.floats(1.0, 1e5)), arrays(float, 24, elements=st.floats(-0.1, 1.0)))
def test_the_load_weighted_price_costs_as_much_as_the_hours(day: np.ndarray, prices: np.ndarray) -> None:
    load, hourly = np.tile(day, 365), np.tile(prices, 365)
    paid = hourly_bill(Tariff(9.0), load, hourly_price_usd_per_kwh=hourly).energy_usd
    flat = Tariff(load_weighted_price(prices, 0.001 * day))
    scale = float(np.sum(np.abs(hourly) * load))
    assert float(paid) == pytest.approx(float(np.sum(hourly * load)), abs=1e-11 * scale)
    assert float(hourly_bill(flat, load).energy_usd) == pytest.approx(float(paid), abs=1e-9 * scale)
    assert prices.min() - 1e-12 <= float(flat.energy_usd_per_kwh) <= prices.max() + 1e-12  # type: ignore[arg-type]


def test_a_load_in_cheap_hours_pays_less_than_the_mean_price() -> None:
    prices = np.array([0.02, 0.10])
    assert load_weighted_price(prices, [[2.0, 1.0], [1.0, 1.0], [1.0, 2.0]]) == pytest.approx(
        [0.14 / 3, 0.06, 0.22 / 3]
    )


@given(COMPONENTS, KW, KW)
def test_terms_and_cuts_give_the_charge_of_the_bill(
    demand: tuple[DemandComponent, ...], peak: float, contract: float
) -> None:
    tariff = Tariff(0.0, demand)
    charge = float(yearly_bill(tariff, 0.0, peak, contract).total_usd)
    terms, cuts = demand_terms(tariff), demand_cuts(tariff)
    billed = np.maximum(peak, terms.floor_share * contract)
    assert float(np.sum(terms.peak_usd_per_kw_year * billed)) == pytest.approx(charge, rel=1e-12, abs=1e-9)
    assert float(cuts.charge_usd(peak, contract)) == pytest.approx(charge, rel=1e-12, abs=1e-9)
    assert cuts.peak_usd_per_kw_year.shape == (len({part.minimum_share for part in demand}) + 1,)


@given(COMPONENTS, KW, KW)
def test_no_subset_of_terms_at_their_floor_is_above_the_cuts(
    demand: tuple[DemandComponent, ...], peak: float, contract: float
) -> None:
    """All 2^C lines of the convex charge against the C + 1 that are kept."""
    terms = demand_terms(Tariff(0.0, demand))
    most = max(
        float(np.sum(np.where(at_floor, terms.floor_usd_per_kw_year * contract, terms.peak_usd_per_kw_year * peak)))
        for at_floor in product([False, True], repeat=terms.floor_share.size)
    )
    cuts = demand_cuts(Tariff(0.0, demand))
    assert float(cuts.charge_usd(peak, contract)) == pytest.approx(most, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(("peak", "contract"), [(50.0, 100.0), (70.0, 100.0), (95.0, 100.0), (70.0, 0.0)])
def test_a_linear_programme_pays_the_bill(peak: float, contract: float) -> None:
    """Both forms, minimised by HiGHS over billed kW, and over one cost above all cuts."""
    tariff = Tariff(0.0, GS5_STYLE)
    terms, cuts = demand_terms(tariff), demand_cuts(tariff)
    floors = [(max(peak, share * contract), None) for share in terms.floor_share.tolist()]
    by_terms = linprog(terms.peak_usd_per_kw_year, bounds=floors)
    lines = cuts.peak_usd_per_kw_year * peak + cuts.contract_usd_per_kw_year * contract
    by_cuts = linprog([1.0], A_ub=-np.ones((lines.size, 1)), b_ub=-lines)
    expected = float(yearly_bill(tariff, 0.0, peak, contract).total_usd)
    assert by_terms.fun == pytest.approx(expected, rel=1e-9)
    assert by_cuts.fun == pytest.approx(expected, rel=1e-9)
    assert terms.floor_share.tolist() == [0.60, 0.85]
    assert terms.peak_usd_per_kw_year == pytest.approx([12 * 8.976, 12 * 5.593])
    assert terms.floor_usd_per_kw_year == pytest.approx([0.60 * 12 * 8.976, 0.85 * 12 * 5.593])


def test_coefficients_keep_the_draws_of_prices() -> None:
    demand = (DemandComponent(np.array([1.0, 2.0, 3.0]), 0.85), DemandComponent(4.0, 0.60))
    terms, cuts = demand_terms(Tariff(0.0, demand)), demand_cuts(Tariff(0.0, demand))
    assert terms.peak_usd_per_kw_year.tolist() == [[48, 12], [48, 24], [48, 36]]
    assert cuts.peak_usd_per_kw_year.shape == (3, 3)
    assert cuts.charge_usd(70.0, 100.0) == pytest.approx([48 * 70 + 12 * d * 85 for d in (1, 2, 3)])


@pytest.mark.parametrize(
    "call",
    [
        lambda: DemandComponent(-1.0),
        lambda: DemandComponent(1.0, 1.2),
        lambda: DemandComponent(1.0, float("nan")),
        lambda: Tariff(float("nan")),
        lambda: Tariff(0.05, (), -1.0),
        lambda: yearly_bill(Tariff(0.05), 10.0, 9.0),
        lambda: yearly_bill(Tariff(0.05), -1.0, 9.0),
        lambda: yearly_bill(Tariff(0.05), 1.0, 9.0, -5.0),
        lambda: hourly_bill(Tariff(0.05), np.ones(8784)),
        lambda: hourly_bill(Tariff(0.05), 5.0),
        lambda: hourly_bill(Tariff(0.05), np.full(8760, np.nan)),
        lambda: hourly_bill(Tariff(0.05), np.ones(8760), hourly_price_usd_per_kwh=np.ones(24)),
        lambda: hourly_bill(Tariff(0.05), np.ones(8760), hourly_price_usd_per_kwh=np.full(8760, np.inf)),
        lambda: load_weighted_price([0.1, 0.2], [0.0, 0.0]),
        lambda: load_weighted_price([0.1, 0.2], [1.0]),
        lambda: load_weighted_price(0.1, 1.0),
        lambda: demand_usd_per_mwh(10.0, 0.0),
        lambda: demand_usd_per_mwh(10.0, 1.1),
        lambda: demand_cuts(Tariff(0.0, GS3)).charge_usd(-1.0, 0.0),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()
