"""Money over time against published tables, textbook closed forms, brute force and a root finder of scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from aiplan.finance import (
    MACRS_FACTORS,
    RESIDUAL_TABLE_AGES_YEARS,
    RESIDUAL_TABLE_FRACTIONS,
    capital_recovery_factor,
    declining_balance,
    discount_factor,
    internal_rate_of_return,
    macrs,
    npv,
    payback_years,
    present_value_factor,
    real_rate,
    residual_fraction,
    residual_from_table,
    sign_changes,
    straight_line,
)

RATES = st.floats(-0.5, 1.0)
MONEY = st.floats(-1e9, 1e9).map(lambda usd: round(usd, 6))
FLOWS = st.lists(MONEY, min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("years", "rate", "factor"), [(5, 0.08, 0.250456), (15, 0.08, 0.116830), (5, 0.0624, 0.238948)]
)
def test_annuity_factors_of_the_reference(years: int, rate: float, factor: float) -> None:
    """lifecycle-tco.md, check 3, arithmetic."""
    assert float(capital_recovery_factor(years, rate)) == pytest.approx(factor, abs=1e-6)


def server_year_usd(
    server: float, kw: float, building: float, network: tuple[float, float], price: float, **kw_: Any
) -> float:
    """Cost of a server-year by lifecycle-tco.md, 6.1, with the annuity factors of the module."""
    rate, net_life, pue = kw_.get("rate", 0.0), kw_.get("net_life", 5), kw_.get("pue", 1.2)
    energy = kw * 0.75 * 8.76 * pue * price
    demand = 12 * kw * pue * kw_.get("demand", 0.0)
    facility = kw * 1000 * (7.0 + kw_.get("cooling", 2.5) + building)
    return float(
        server * capital_recovery_factor(5, rate)
        + facility * capital_recovery_factor(15, rate)
        + network[0] * capital_recovery_factor(net_life, rate)
        + network[1]
        + energy
        + demand
        + kw_["maintenance"]
    )


def test_server_years_of_the_reference() -> None:
    """lifecycle-tco.md, checks 1 and 2 (derived): 90.0 +- 0.1, and 59.3, 133.5, 106.6, 132.7 k$ +- 0.2 %."""
    table_three = server_year_usd(375e3, 10.2, 0.0, (2000, 600), 30.0, net_life=7, maintenance=5200)
    assert table_three == pytest.approx(90.0e3, abs=100)
    artifact = server_year_usd(216e3, 11.2, 0.125, (300, 75), 40.0, maintenance=5200)
    assert artifact == pytest.approx(59.3e3, rel=2e-3)
    h100 = {"demand": 14.57, "pue": 1.25, "maintenance": 7700}
    assert server_year_usd(375e3, 10.2, 2.2, (40e3, 1500), 50.0, rate=0.08, **h100) == pytest.approx(133.5e3, rel=2e-3)
    assert server_year_usd(375e3, 10.2, 2.2, (40e3, 1500), 50.0, **h100) == pytest.approx(106.6e3, rel=2e-3)
    rack = {"demand": 14.57, "pue": 1.15, "maintenance": 7700, "cooling": 3.3, "rate": 0.08}
    eighth = server_year_usd(8 * 41.7e3, 8 * 1.833, 2.2, (40e3, 1500), 50.0, **rack)
    assert eighth == pytest.approx(132.7e3, rel=2e-3)


@given(st.floats(0.1, 60.0), RATES)
def test_recovery_factor_is_the_inverse_of_the_present_value_factor(years: float, rate: float) -> None:
    product = capital_recovery_factor(years, rate) * present_value_factor(years, rate)
    assert float(product) == pytest.approx(1.0, rel=1e-12)


@given(st.integers(1, 60), RATES)
def test_present_value_factor_is_the_sum_of_its_payments(years: int, rate: float) -> None:
    brute = sum((1.0 + rate) ** -year for year in range(1, years + 1))
    assert float(present_value_factor(years, rate)) == pytest.approx(brute, rel=1e-9)


@given(st.floats(0.5, 50.0), st.floats(1e-320, 1e-9))
def test_annuity_has_no_jump_near_a_rate_of_zero(years: float, rate: float) -> None:
    """Series ``a = 1/n + (n + 1) r / (2 n) + O(r^2)``, on both sides of 0 and below the smallest normal number."""
    for signed in (rate, -rate):
        series = (1.0 + (years + 1.0) * signed / 2.0) / years
        assert float(capital_recovery_factor(years, signed)) == pytest.approx(series, rel=1e-14)


def test_annuity_at_zero_is_one_over_the_years() -> None:
    assert capital_recovery_factor([1, 5, 40], 0.0).tolist() == [1.0, 0.2, 0.025]


@given(FLOWS, FLOWS, RATES, st.floats(-5, 5), st.floats(-5, 5))
def test_npv_is_linear_in_the_flows(first: list[float], second: list[float], rate: float, a: float, b: float) -> None:
    size = min(len(first), len(second))
    one, two, times = np.array(first[:size]), np.array(second[:size]), np.arange(size)
    together = float(npv(a * one + b * two, rate, times))
    scale = float(npv(np.abs(a * one) + np.abs(b * two), rate, times))
    assert together == pytest.approx(
        a * float(npv(one, rate, times)) + b * float(npv(two, rate, times)), abs=1e-12 * scale + 1e-250
    )


@given(FLOWS)
def test_a_zero_rate_is_the_plain_sum(flows: list[float]) -> None:
    times = np.linspace(0.0, 7.3, len(flows))
    assert float(npv(flows, 0.0, times)) == pytest.approx(float(np.sum(flows)), abs=1e-6)


@given(FLOWS, RATES)
def test_npv_equals_the_brute_sum(flows: list[float], rate: float) -> None:
    brute = [flow / (1.0 + rate) ** year for year, flow in enumerate(flows)]
    scale = sum(map(abs, brute))
    assert float(npv(flows, rate, np.arange(len(flows)))) == pytest.approx(sum(brute), abs=1e-12 * scale)


def test_npv_broadcasts_over_draws_of_flows_and_rates() -> None:
    flows, rates, times = np.arange(24.0).reshape(2, 3, 4), np.array([0.0, 0.05, 0.1]), np.array([0.25, 1.0, 2.0, 7.5])
    table = npv(flows, rates, times)
    assert table.shape == (2, 3)
    assert table[1, 2] == pytest.approx(float(npv(flows[1, 2], 0.1, times)), rel=1e-14)


@given(st.floats(-0.2, 0.5), st.floats(-0.1, 0.3), FLOWS)
def test_real_rate_discounts_constant_prices_alike(nominal: float, inflation: float, flows: list[float]) -> None:
    """Flows of constant prices at the real rate = their nominal amounts at the nominal rate."""
    times = np.arange(len(flows))
    paid = np.array(flows) * (1.0 + inflation) ** times
    scale = float(npv(np.abs(paid), nominal, times))
    same = float(npv(flows, real_rate(nominal, inflation), times))
    assert same == pytest.approx(float(npv(paid, nominal, times)), abs=1e-9 * scale)


PUBLICATION_946 = {
    3: [33.33, 44.45, 14.81, 7.41],
    5: [20.00, 32.00, 19.20, 11.52, 11.52, 5.76],
    7: [14.29, 24.49, 17.49, 12.49, 8.93, 8.92, 8.93, 4.46],
    10: [10.00, 18.00, 14.40, 11.52, 9.22, 7.37, 6.55, 6.55, 6.56, 6.55, 3.28],
    15: [5.00, 9.50, 8.55, 7.70, 6.93, 6.23, 5.90, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 5.90, 5.91, 2.95],
}
"""IRS Publication 946, Table A-1, percent, to compare with what the rule gives (3 to 15 years; second-hand prints)."""


@pytest.mark.parametrize("years", sorted(PUBLICATION_946))
def test_macrs_follows_from_the_rule(years: int) -> None:
    assert 100 * macrs(years) == pytest.approx(PUBLICATION_946[years], abs=0.0101)


@pytest.mark.parametrize("years", sorted(MACRS_FACTORS))
def test_macrs_sums_to_one(years: int) -> None:
    assert float(macrs(years).sum()) == pytest.approx(1.0, abs=1e-12)
    assert macrs(years).size == years + 1


@given(st.floats(0.2, 60.0), st.floats(1.0, 4.0))
def test_schedules_sum_to_one_and_never_pay_back(life: float, factor: float) -> None:
    for shares in (straight_line(life), declining_balance(life, factor)):
        assert float(shares.sum()) == pytest.approx(1.0, abs=1e-12)
        assert np.all(shares >= 0)
        assert shares.size == np.ceil(life * (1 - 1e-12))


@given(st.integers(1, 40))
def test_straight_line_is_equal_and_is_declining_balance_of_factor_one(life: int) -> None:
    assert straight_line(life) == pytest.approx(np.full(life, 1.0 / life), rel=1e-9)
    assert declining_balance(life, 1.0) == pytest.approx(straight_line(life), rel=1e-12)


def test_double_declining_balance_by_hand() -> None:
    """5 years: 40 % of what is left, until half of the rest in each of two years is as much."""
    assert declining_balance(5) == pytest.approx([0.4, 0.24, 0.144, 0.108, 0.108], rel=1e-12)
    assert straight_line(5.5) == pytest.approx([1 / 5.5] * 5 + [0.5 / 5.5], rel=1e-12)


@given(st.floats(1.0, 20.0), st.floats(1.0, 3.0), st.floats(0.0, 0.3))
def test_faster_depreciation_shields_no_less(life: float, factor: float, rate: float) -> None:
    slow, fast = straight_line(life), declining_balance(life, factor)
    times = np.arange(1, slow.size + 1)
    shields = [float(npv(0.21 * 1e6 * row, rate, times)) for row in (slow, fast)]
    assert shields[1] >= shields[0] - 1e-6


def test_residual_curve_fits_the_anchor() -> None:
    """lifecycle-tco.md, 4.3: fit 1, .770, .593, .457, .352 (derived) to the anchor 1, .78, .60, .46, .35 (S)."""
    ages = np.array(RESIDUAL_TABLE_AGES_YEARS)
    assert residual_fraction(ages) == pytest.approx([1, 0.770, 0.593, 0.457, 0.352], abs=5e-4)
    assert residual_from_table(ages) == pytest.approx(RESIDUAL_TABLE_FRACTIONS, rel=1e-12)
    assert residual_fraction(ages) == pytest.approx(residual_from_table(ages), abs=0.011)


@given(st.floats(0.0, 30.0), st.floats(0.3, 1.0))
def test_a_table_of_an_exponential_is_that_exponential(age: float, factor: float) -> None:
    knots = [0.0, 0.5, 2.0, 4.0]
    table = residual_from_table(age, knots, residual_fraction(knots, factor))
    assert float(table) == pytest.approx(factor**age, rel=1e-9)


@given(st.lists(st.floats(0.0, 50.0), min_size=2, max_size=20))
def test_residual_value_never_rises_with_age(ages: list[float]) -> None:
    for curve in (residual_fraction, residual_from_table):
        assert np.all(np.diff(curve(np.sort(ages))) <= 0)


@given(
    st.lists(st.floats(1.0, 1e6), min_size=1, max_size=8),
    st.lists(st.floats(1.0, 1e6), min_size=1, max_size=25),
    st.floats(0.1, 2.0),
    st.sampled_from([-1.0, 1.0]),
)
def test_rate_of_return_agrees_with_brentq(paid: list[float], earned: list[float], dt: float, side: float) -> None:
    """The oracle looks for the growth per step, which the ratio of the sums (25 million at most) bounds."""
    flows = side * np.array([-one for one in paid] + earned)
    steps = np.arange(flows.size)

    def value(per_step: float) -> float:
        return float(np.sum(flows * np.exp(-per_step * (steps - len(paid)))))

    root = brentq(value, -18.0, 18.0, xtol=1e-14, rtol=1e-14) / dt
    found = float(internal_rate_of_return(flows, dt * steps))
    assert found == pytest.approx(np.expm1(root), rel=1e-9, abs=1e-11)


@given(st.floats(-0.9, 3.0), st.integers(1, 30), st.floats(1.0, 1e9))
def test_rate_of_return_of_a_loan_is_its_rate(rate: float, years: int, price: float) -> None:
    payment = price * float(capital_recovery_factor(years, rate))
    flows = np.array([-price] + [payment] * years)
    assert float(internal_rate_of_return(flows, np.arange(years + 1))) == pytest.approx(rate, rel=1e-7, abs=1e-9)


def test_rate_of_return_says_where_there_is_none_or_no_certain_one() -> None:
    """-1, 5, -6 has the rates 1 and 2: neither is given."""
    rows = np.array([[-1.0, 5.0, -6.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-100.0, 0.0, 121.0]])
    rates = internal_rate_of_return(rows, [0.0, 1.0, 2.0])
    assert np.isnan(rates[:3]).all()
    assert rates[3] == pytest.approx(0.1, rel=1e-12)
    assert sign_changes(rows).tolist() == [2, 0, 0, 1]


def test_rate_of_return_keeps_the_shape_of_draws() -> None:
    flows = np.array([[[-100.0, 50.0, 80.0]], [[-100.0, 10.0, 20.0]]])
    rates = internal_rate_of_return(flows, [0, 1, 2])
    assert rates.shape == (2, 1)
    assert npv(flows, rates, [0, 1, 2]) == pytest.approx(np.zeros((2, 1)), abs=1e-9)


def test_payback_by_hand() -> None:
    flows, times = np.array([-100.0, 40.0, 40.0, 40.0]), [0, 1, 2, 3]
    assert float(payback_years(flows, times)) == pytest.approx(2.5)
    tenth = 40 / 1.1, 40 / 1.21, 40 / 1.331
    assert np.isnan(payback_years(flows, times, 0.1))
    assert float(payback_years([-90, 40, 40, 40], times, 0.1)) == pytest.approx(2 + (90 - sum(tenth[:2])) / tenth[2])
    assert float(payback_years([0.0, -100.0, 60.0, 60.0], times)) == pytest.approx(2 + 40 / 60)
    assert float(payback_years([5.0, 0.0, 0.0, 0.0], times)) == 0.0
    assert float(payback_years([-0.3, 0.1, 0.1, 0.1], times)) == pytest.approx(3.0)


def test_payback_counts_only_when_it_lasts() -> None:
    """A refurbishment in year 3 puts the sum under water again."""
    times = np.arange(6)
    assert float(payback_years([-100, 80, 40, -60, 30, 30], times)) == pytest.approx(4 + 10 / 30)
    assert np.isnan(payback_years([-100, 80, 40, -60, 10, 10], times))


@given(
    st.lists(st.floats(0.0, 1e4), min_size=1, max_size=20), st.floats(1.0, 1e5), st.floats(0.0, 0.5), st.floats(0.1, 9)
)
def test_payback_is_homogeneous_and_no_earlier_with_discounting(
    earned: list[float], price: float, rate: float, scale: float
) -> None:
    flows, times = np.array([-price, *earned]), np.arange(len(earned) + 1)
    simple, discounted = payback_years(np.stack([flows, scale * flows]), times), payback_years(flows, times, rate)
    assert simple[0] == pytest.approx(simple[1], rel=1e-9, nan_ok=True)
    assert np.isnan(discounted) or float(discounted) >= simple[0] - 1e-9


@settings(max_examples=30)
@given(FLOWS, RATES, st.floats(1e-3, 1e3))
def test_money_is_homogeneous(flows: list[float], rate: float, scale: float) -> None:
    times = np.arange(len(flows))
    flat = np.array(flows)
    tolerance = 1e-12 * scale * float(npv(np.abs(flat), rate, times))
    assert float(npv(scale * flat, rate, times)) == pytest.approx(scale * float(npv(flat, rate, times)), abs=tolerance)


@pytest.mark.parametrize(
    "call",
    [
        lambda: discount_factor(-1.0, 1),
        lambda: discount_factor(np.nan, 1),
        lambda: discount_factor(-0.9, 1e6),
        lambda: npv([1.0, np.inf], 0.1, [0, 1]),
        lambda: npv(1.0, 0.1, 0.0),
        lambda: capital_recovery_factor(0, 0.1),
        lambda: capital_recovery_factor(5, -1.5),
        lambda: present_value_factor(1e6, -0.9),
        lambda: real_rate(0.05, -1.0),
        lambda: straight_line(0),
        lambda: straight_line(1e9),
        lambda: declining_balance(5, 0.5),
        lambda: declining_balance(float("nan")),
        lambda: macrs(6),
        lambda: residual_fraction(-1),
        lambda: residual_fraction(1, 0.0),
        lambda: residual_from_table(1, [0, 1], [0.5, 0.6]),
        lambda: residual_from_table(1, [1, 2], [1, 0.5]),
        lambda: residual_from_table(1, [0, 1], [1, 0]),
        lambda: residual_from_table(1, [0], [1]),
        lambda: internal_rate_of_return([-1, 2], [1, 0]),
        lambda: internal_rate_of_return([-1, 2], [0, 1, 2]),
        lambda: payback_years([-1, np.nan], [0, 1]),
        lambda: sign_changes(1.0),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()
