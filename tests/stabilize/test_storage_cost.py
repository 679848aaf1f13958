"""What storage costs against the tables of the reference, section 8, and against plain sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.finance import npv
from aiplan.planners.stabilize.closed_forms import converter_power_w, iteration_storage_j
from aiplan.planners.stabilize.cycle_life import least_energy_j
from aiplan.planners.stabilize.storage_cost import (
    annual_usd,
    break_even_usd_per_w,
    capital_usd,
    energy_usd_per_year,
    storage_annual_usd,
)

# Section 8, all prices assumed: 0.06 $/kWh, 8 %, 10 years, 95 % of the year; 100,000 accelerators of 1,200 W.
TDP, HIGH, LOW, DUTY, PERIOD = 120e6, 114e6, 42e6, 0.8, 2.0
RATE, YEARS, UPTIME, PRICE = 0.08, 10.0, 0.95, 0.060
KWH = 3.6e6
FLOORS = (0.35, 0.50, 0.65, 0.80, 0.90, 0.95)


def row(floor: float, usd_per_kw: float, usd_per_kwh: float, cycle_life: float) -> tuple[float, float]:
    """Cost of a year [M$] and energy of the storage [kWh]: floor and storage for flat output."""
    swing = HIGH - floor * TDP
    power = float(converter_power_w(swing, DUTY))
    depth = float(iteration_storage_j(swing, DUTY, PERIOD))
    energy = float(least_energy_j([depth], [UPTIME * 8760 * 3600 / PERIOD], YEARS, cycle_life))
    bought = capital_usd(power, energy, usd_per_kw / 1e3, usd_per_kwh / KWH)
    burnt = energy_usd_per_year((1 - DUTY) * (floor * TDP - LOW), PRICE, UPTIME)
    return float(annual_usd(bought, RATE, YEARS) + burnt) / 1e6, energy / KWH


@pytest.mark.parametrize(
    ("floor", "cost", "energy_mwh"),
    list(zip(FLOORS, (8.4, 8.1, 7.8, 7.5, 7.3, 7.2), (120, 90, 60, 30, 10, 0), strict=True)),
)
def test_lithium_with_full_cycles(floor: float, cost: float, energy_mwh: float) -> None:
    """Check 16, first row: 250 $/kW, 350 $/kWh, 8,000 full cycles; to the printed digit."""
    found, energy = row(floor, 250, 350, 8_000)
    assert found == pytest.approx(cost, rel=1e-2, abs=0.05)
    assert energy / 1e3 == pytest.approx(energy_mwh, rel=1e-2, abs=0.05)


@pytest.mark.parametrize(("floor", "cost"), list(zip(FLOORS, (2.5, 3.6, 4.8, 6.0, 6.8, 7.2), strict=True)))
def test_lithium_with_credit_for_shallow_cycles(floor: float, cost: float) -> None:
    """Second row: the same cells with 20 times the cycles."""
    assert row(floor, 250, 350, 160_000)[0] == pytest.approx(cost, rel=1e-2, abs=0.05)


@pytest.mark.parametrize(("floor", "cost"), list(zip(FLOORS, (1.3, 2.8, 4.3, 5.7, 6.7, 7.2), strict=True)))
def test_supercapacitors(floor: float, cost: float) -> None:
    """Third row: 150 $/kW, 10,000 $/kWh, 50 million cycles; 19 kWh at the lowest floor."""
    found, energy = row(floor, 150, 10_000, 50e6)
    assert found == pytest.approx(cost, rel=1e-2, abs=0.05)
    if floor == FLOORS[0]:
        assert energy == pytest.approx(19, rel=1.1e-2)


def test_cost_is_linear_in_the_floor() -> None:
    """So that the optimum is a corner, and the technology decides which (section 8)."""
    for prices in ((250, 350, 8_000), (250, 350, 160_000), (150, 10_000, 50e6)):
        costs = [row(floor, *prices)[0] for floor in FLOORS]
        slopes = np.diff(costs) / np.diff(FLOORS)
        assert slopes == pytest.approx(np.full(5, slopes[0]), rel=1e-9)


def test_energy_of_a_floor_alone() -> None:
    """Floor of 0.9 and ramps: 14 MW are 7.0 M$ a year (section 8)."""
    assert float(energy_usd_per_year(14e6, PRICE, UPTIME)) / 1e6 == pytest.approx(7.0, rel=1e-2)


def test_break_even_against_a_floor() -> None:
    """Section 8 prints about 770 $/kW.

    That is the energy of a floor of 0.9 over the converter of the whole swing. The floor leaves 6 MW, though; like for
    like, with a floor that leaves nothing or storage that leaves the same, it is 838 $/kW.
    """
    burnt = float(energy_usd_per_year((1 - DUTY) * (0.9 * TDP - LOW), PRICE, UPTIME))
    whole, left = (float(converter_power_w(swing, DUTY)) for swing in (72e6, 6e6))
    assert float(break_even_usd_per_w(burnt, whole, RATE, YEARS)) * 1e3 == pytest.approx(770, rel=1e-2)
    assert float(break_even_usd_per_w(burnt, whole - left, RATE, YEARS)) * 1e3 == pytest.approx(838, rel=1e-3)
    everything = float(energy_usd_per_year((1 - DUTY) * (HIGH - LOW), PRICE, UPTIME))
    assert float(break_even_usd_per_w(everything, whole, RATE, YEARS)) * 1e3 == pytest.approx(838, rel=1e-3)


@pytest.mark.parametrize(("energy_mwh", "share"), [(1.67, 0.98), (0.56, 0.993)])
def test_without_cycle_life_the_converter_is_nearly_all_of_it(energy_mwh: float, share: float) -> None:
    """About 98 % (section 8): of 60 kJ per accelerator; of 20 kJ it is 99 %. Converter 110 MW as in section 6."""
    whole = float(capital_usd(110e6, energy_mwh * 1e3 * KWH, 0.250, 350 / KWH))
    assert float(capital_usd(110e6, 0.0, 0.250, 350 / KWH)) / whole == pytest.approx(share, abs=2e-3)


def test_storage_alone_with_cycle_life_off() -> None:
    """4.4 M$ a year (section 8): 20 kJ per accelerator, 110 MW, losses of 0.5 % of 129.3 MW; withheld work none."""
    bought = capital_usd(110e6, 2e9, 0.250, 350 / KWH)
    lost = energy_usd_per_year(0.005 * 129.3e6, PRICE, UPTIME)
    assert float(annual_usd(bought, RATE, YEARS) + lost) / 1e6 == pytest.approx(4.4, abs=0.06)


@given(st.floats(1.0, 1e9), st.floats(0.0, 0.3), st.integers(1, 40), st.floats(0.0, 0.1))
def test_a_year_s_cost_pays_for_it(capital: float, rate: float, years: int, upkeep: float) -> None:
    """Present value of the yearly payments, upkeep taken out, is the price."""
    yearly = float(annual_usd(capital, rate, years, upkeep)) - upkeep * capital
    assert float(npv(np.full(years, yearly), rate, np.arange(1, years + 1))) == pytest.approx(capital, rel=1e-9)


@given(st.floats(1e3, 1e9), st.floats(0.0, 1e12), st.floats(0.001, 0.3), st.integers(1, 8), st.integers(1, 5))
def test_a_store_bought_again_costs_the_same_yearly(
    power: float, energy: float, rate: float, life: int, times: int
) -> None:
    """Stores bought every few years over the life of the converter, paid when bought, against the formula."""
    years = life * times
    found = float(storage_annual_usd(power, energy, 0.25, 1e-4, rate, years, life))
    flows = np.zeros(years + 1)
    flows[0] = power * 0.25
    flows[0:years:life] += energy * 1e-4
    present = float(npv(flows, rate, np.arange(years + 1)))
    assert found == pytest.approx(float(annual_usd(present, rate, years)), rel=1e-9)


def test_a_store_that_lasts_costs_what_everything_costs() -> None:
    whole = annual_usd(capital_usd(2e6, 3e9, 0.25, 1e-4), RATE, YEARS, 0.02)
    assert float(storage_annual_usd(2e6, 3e9, 0.25, 1e-4, RATE, YEARS, 30.0, 0.02)) == pytest.approx(float(whole))


def test_break_even_is_where_storage_costs_what_it_saves() -> None:
    price = break_even_usd_per_w(7e6, 57.6e6, RATE, YEARS, 0.01)
    cost = annual_usd(capital_usd(57.6e6, 0.0, price, 0.0), RATE, YEARS, 0.01)
    assert float(cost) == pytest.approx(7e6, rel=1e-12)


def test_arrays_broadcast() -> None:
    found = storage_annual_usd(np.array([1e6, 2e6]), np.array([[1e9], [2e9]]), 0.25, 1e-4, RATE, YEARS, 5.0)
    assert found.shape == (2, 2)
    assert found[1, 0] == float(storage_annual_usd(1e6, 2e9, 0.25, 1e-4, RATE, YEARS, 5.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: capital_usd(-1.0, 0.0, 0.0, 0.0), "power_w"),
        (lambda: capital_usd(1.0, np.nan, 0.0, 0.0), "energy_j"),
        (lambda: capital_usd(1.0, 1.0, np.inf, 0.0), "usd_per_w"),
        (lambda: annual_usd(1.0, 0.08, 0.0), "years must be above 0"),
        (lambda: annual_usd(1.0, 0.08, 1.0, -0.1), "upkeep_fraction"),
        (lambda: storage_annual_usd(1.0, 1.0, 1.0, 1.0, 0.08, 10.0, 0.0), "years must be above 0"),
        (lambda: energy_usd_per_year(1.0, 1.0, 1.5), "uptime_fraction"),
        (lambda: break_even_usd_per_w(1.0, 0.0, 0.08, 10.0), "power_w"),
    ],
)
def test_what_is_not_physical_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
