"""Prices by hour and demand charges as prices of energy: against published arithmetic and a bill by months."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aiplan.planners.lifecycle.tariff import demand_usd_per_mwh, load_weighted_price
from tests.lifecycle.oracles import GS3, GS5, hourly_bill_usd, yearly_bill_usd

PRICES = st.floats(0.0, 50.0)


def test_demand_charge_at_a_load_factor() -> None:
    """lifecycle-tco.md, check 9 (derived): 14.57 USD/kW-month at 80 % = 24.9 USD/MWh."""
    assert sum(GS3) == pytest.approx(14.57, abs=0.005)
    assert float(demand_usd_per_mwh(14.57, 0.80)) == pytest.approx(24.9, abs=0.1)


@given(PRICES, st.floats(0.01, 1.0), st.floats(1.0, 1e6))
def test_demand_charge_per_energy_is_that_of_the_bill(price: float, load: float, peak: float) -> None:
    charge = yearly_bill_usd(0.0, [(price, 0.0)], load * peak, peak)[1]
    assert float(demand_usd_per_mwh(price, load)) == pytest.approx(charge / (load * peak * 8.76), rel=1e-9)


@settings(max_examples=25)
@given(arrays(float, 24, elements=st.floats(1.0, 1e5)), arrays(float, 24, elements=st.floats(-0.1, 1.0)))
def test_the_load_weighted_price_costs_as_much_as_the_hours(day: np.ndarray, prices: np.ndarray) -> None:
    load, hourly = np.tile(day, 365), np.tile(prices, 365)
    flat = float(load_weighted_price(prices, 0.001 * day))
    paid = hourly_bill_usd(hourly, (), load)[0]
    scale = float(np.sum(np.abs(hourly) * load))
    assert yearly_bill_usd(flat, (), float(load.mean()), float(load.max()))[0] == pytest.approx(paid, abs=1e-9 * scale)
    assert prices.min() - 1e-12 <= flat <= prices.max() + 1e-12


def test_a_load_in_cheap_hours_pays_less_than_the_mean_price() -> None:
    prices = np.array([0.02, 0.10])
    assert load_weighted_price(prices, [[2.0, 1.0], [1.0, 1.0], [1.0, 2.0]]) == pytest.approx(
        [0.14 / 3, 0.06, 0.22 / 3]
    )


def test_a_bill_by_hand() -> None:
    """50 MW peak, 40 MW mean, 100 MW contract: T&D billed on 85 MW, generation on 60 MW; alike by hours and by mean."""
    energy, demand = yearly_bill_usd(0.05, GS5, 40_000, 50_000, 100_000)
    assert energy == pytest.approx(40_000 * 8760 * 0.05)
    assert demand == pytest.approx(12 * (3.316 * 85_000 + 8.976 * 60_000 + 2.277 * 85_000))
    even = np.full(8760, 70_000.0)
    assert hourly_bill_usd(np.full(8760, 0.05), GS5, even, 1e5) == pytest.approx(
        yearly_bill_usd(0.05, GS5, 7e4, 7e4, 1e5)
    )


def test_each_month_is_billed_on_its_own_peak() -> None:
    """A load that rises all year peaks in the last hour of every month."""
    rising = np.linspace(20_000.0, 90_000.0, 8760)
    ends = np.cumsum([744, 672, 744, 720, 744, 720, 744, 744, 720, 744, 720, 744]) - 1
    _, demand = hourly_bill_usd(np.zeros(8760), [(1.0, 0.5)], rising, 100_000)
    assert demand == pytest.approx(float(np.sum(np.maximum(rising[ends], 50_000.0))))


@pytest.mark.parametrize(
    "call",
    [
        lambda: load_weighted_price([0.1, 0.2], [0.0, 0.0]),
        lambda: load_weighted_price([0.1, 0.2], [1.0]),
        lambda: load_weighted_price([0.1, np.inf], [1.0, 1.0]),
        lambda: load_weighted_price([0.1, 0.2], [1.0, np.nan]),
        lambda: load_weighted_price([0.1, 0.2], [1.0, -1.0]),
        lambda: load_weighted_price(0.1, 1.0),
        lambda: demand_usd_per_mwh(10.0, 0.0),
        lambda: demand_usd_per_mwh(10.0, 1.1),
        lambda: demand_usd_per_mwh(-1.0, 0.5),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()
