"""A plan's money against bills, books, taxes and annuities written out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aiplan import finance
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import Ledger, Plan, ledger
from aiplan.planners.lifecycle.metrics import levelised
from aiplan.planners.lifecycle.policies import BASELINE, fixed
from aiplan.planners.lifecycle.problem import Problem, problem
from aiplan.planners.lifecycle.simulate import simulate
from aiplan.planners.lifecycle.tariff import load_weighted_price
from aiplan.planners.lifecycle.world import Accounting, Booking, Clock, World
from tests.lifecycle.oracles import (
    GS5,
    book_value_usd,
    equal_payment_usd,
    hourly_bill_usd,
    survival_to_age,
    written_off_usd,
    yearly_bill_usd,
)
from tests.lifecycle.worlds import changed, small_world

T = 6


def tariffed(periods: int = T, demand: Any = GS5, **how: Any) -> World:
    """The small world under components of a demand charge, which rise over time."""
    prices, shares = (np.array(each) for each in zip(*demand, strict=True))
    rise = 1.03 ** np.arange(float(periods))
    return small_world(
        periods, demand_usd_per_kw_month=prices[:, None] * rise, minimum_fraction=shares,
        energy_usd_per_kwh=0.06 * rise, **how,
    )  # fmt: skip


def line(money: Ledger, name: str, *, present: bool = False) -> Array:
    """Dollars of a cost line by period, and after the last."""
    rows = [at for at, one in enumerate(money.names) if one == name]
    return np.asarray((money.present_usd if present else money.usd)[rows].sum(axis=0))


def standing_w(world: World, plan: Plan) -> Array:
    return np.asarray(world.site.standing_w + np.cumsum(plan.halls_w))


def drawn_w(made: Problem, plan: Plan, period: int) -> tuple[float, float, float]:
    """Watts of all servers in a period: without work, what full work adds, and their ratings."""
    world, idle, more, rated = made.world, 0.0, 0.0, 0.0
    gens = world.generations
    for k, g in enumerate(made.vintages.generation.tolist()):
        left = 1.0 - float(world.site.fan_saved[g])
        idle += float(plan.serve[k, period] * gens.idle_w[g]) * left
        rated += float(plan.serve[k, period] * gens.rated_w[g]) * left
        for w in range(world.classes):
            at_work = float(plan.use[k, period, w]) * world.utilisation
            more += at_work * float(gens.active_w[g, w] - gens.idle_w[g]) * left
    return idle, more, rated


@pytest.mark.parametrize("billed", ["drawn", "rated"])
@pytest.mark.parametrize("standing", [0.0, 4e6])
@pytest.mark.parametrize(("classes", "dt"), [(1, 1.0), (2, 0.5)])
def test_energy_and_demand_charge_are_the_bill(billed: str, standing: float, classes: int, dt: float) -> None:
    world = tariffed(classes=classes, billed=billed, standing_w=standing)
    made, plan, short = simulate(replace(world, clock=Clock(2026.0, T, dt)), BASELINE)
    assert short.feasible
    money, site = ledger(made, plan), world.site
    for t in range(T):
        idle, more, rated = drawn_w(made, plan, t)
        mean_kw = float(site.pue_mean) * (idle + more * float(world.load_factor)) / 1e3
        peak_kw = float(site.pue_peak) * (rated if billed == "rated" else idle + more) / 1e3
        contract_kw = float(site.pue_peak) * standing_w(world, plan)[t] / 1e3
        prices = world.market.demand_usd_per_kw_month[:, t]
        energy, demand = yearly_bill_usd(
            float(world.market.energy_usd_per_kwh[t]), zip(prices, world.market.minimum_fraction, strict=True),
            mean_kw, peak_kw, contract_kw,
        )  # fmt: skip
        assert line(money, "energy")[t] == pytest.approx(dt * energy, rel=1e-9)
        assert line(money, "demand charge")[t] == pytest.approx(dt * demand, rel=1e-9)
    if standing:  # a contract that is not used is billed at its minimum
        free = ledger(problem(changed(made.world, minimum_fraction=np.zeros(3)), made.vintages), plan)
        assert (line(money, "demand charge")[:T] > 1.01 * line(free, "demand charge")[:T]).all()


def test_hourly_prices_enter_as_the_price_that_the_load_pays() -> None:
    """A year of hours with a daily and a weekly wave, at prices that follow it in part."""
    draw = np.random.Generator(np.random.PCG64(5))
    hours = np.arange(8760)
    work = 0.6 + 0.3 * np.cos(2 * np.pi * (hours - 14) / 24) + 0.1 * np.cos(2 * np.pi * hours / 168)
    work[::73] = 1.0  # the peak is reached in every month
    prices = 0.02 + 0.08 * work**2 + draw.uniform(-0.03, 0.03, 8760)
    world = tariffed(load_factor=np.array(work.mean()), pue_peak=np.array(1.2), standing_w=2e6)
    made, plan, _ = simulate(world, BASELINE)
    loads = []
    for t in range(T):
        idle, more, _ = drawn_w(made, plan, t)
        loads.append(1.2 * (idle + more * work) / 1e3)
    world = changed(world, energy_usd_per_kwh=load_weighted_price(prices, np.stack(loads)))
    money = ledger(problem(world, made.vintages), plan)
    for t, load in enumerate(loads):
        components = zip(world.market.demand_usd_per_kw_month[:, t], world.market.minimum_fraction, strict=True)
        energy, demand = hourly_bill_usd(prices, components, load, 1.2 * standing_w(world, plan)[t] / 1e3)
        assert line(money, "energy")[t] == pytest.approx(energy, rel=1e-9)
        assert line(money, "demand charge")[t] == pytest.approx(demand, rel=1e-9)
        assert line(money, "energy")[t] > 1.01 * float(prices.mean() * load.sum())  # it works when power is dear


def even_site(**how: Any) -> tuple[World, Problem, Plan]:
    """A year of a fleet that draws nothing without work."""
    world = small_world(1, idle_w=np.zeros(3), pue_peak=np.array(1.2), **how)
    made, plan, _ = simulate(world, BASELINE)
    return world, made, plan


def test_a_minimum_bill_costs_a_site_in_part_use_42_percent_more() -> None:
    """sites-and-grids.md, section 6 (derived): 60 % used under a minimum of 0.85 pays 42 % more demand charge."""
    world, made, plan = even_site()
    used = sum(drawn_w(made, plan, 0)[:2])
    plan = replace(plan, halls_w=np.zeros(1))
    charges = [
        line(ledger(problem(changed(world, standing_w=used / 0.6, minimum_fraction=np.array([share])), made.vintages),
                    plan), "demand charge")[0]
        for share in (0.0, 0.85)
    ]  # fmt: skip
    assert charges[1] / charges[0] == pytest.approx(1.42, abs=0.005)
    assert charges[1] == pytest.approx(12 * 12 * 0.85 * 1.2 * used / 0.6 / 1e3, rel=1e-9)


@pytest.mark.parametrize(
    ("price", "demand", "load", "per_mwh"),
    [(0.0342, 13.11, 0.95, 53.1), (0.0, 14.57, 0.80, 24.9)],
    ids=["sites-and-grids.md, check 10: Quebec, published prices", "lifecycle-tco.md, check 9, derived"],
)
def test_price_of_energy_at_a_load_factor(price: float, demand: float, load: float, per_mwh: float) -> None:
    _, made, plan = even_site(energy_usd_per_kwh=np.array([price]), load_factor=np.array(load),
                              demand_usd_per_kw_month=np.array([[demand]]))  # fmt: skip
    mwh = 1.2 * load * drawn_w(made, plan, 0)[1] * 8760 / 1e6
    money = ledger(made, plan)
    paid = sum(float(line(money, name)[0]) for name in ("energy", "demand charge") if name in money.names)
    assert paid / mwh == pytest.approx(per_mwh, abs=0.1)


@pytest.mark.parametrize("dt", [1.0, 0.5])
@pytest.mark.parametrize("policy", [BASELINE, fixed(3.0)], ids=lambda policy: policy.name)
def test_book_value_at_the_end(dt: float, policy: Any) -> None:
    world = replace(small_world(accounting="book"), clock=Clock(2026.0, T, dt))
    made, plan, _ = simulate(world, policy)
    money, gens, servers = ledger(made, plan), world.generations, 0.0
    for k, (g, bought) in enumerate(zip(made.vintages.generation, made.vintages.bought, strict=True)):
        works = survival_to_age([0.04], dt)  # who fails in the last period has no value
        age = (T - int(bought)) * dt
        servers += plan.serve[k, -1] * works * book_value_usd(float(gens.price_usd[g, bought]), age, 5.0)
    halls = sum(plan.halls_w[t] * book_value_usd(9.5, (T - t) * dt, 15.0) for t in range(T))
    assert servers > 0 < halls
    assert line(money, "terminal value of servers")[-1] == pytest.approx(-servers, rel=1e-9)
    assert line(money, "terminal value of halls")[-1] == pytest.approx(-halls, rel=1e-9)
    assert not line(money, "terminal value of servers")[:-1].any()


@pytest.mark.parametrize("shares", [finance.macrs(3), finance.macrs(5), finance.straight_line(5)], ids=len)
@pytest.mark.parametrize("accounting", ["paper", "finance"])
@pytest.mark.parametrize("leaves", [True, False])
def test_taxes_of_every_year(shares: Array, accounting: Accounting, leaves: bool) -> None:
    """Costs and depreciation save tax in their year; sales and what is worth something at the end are taxed.

    What is not yet written off is deducted at the end, whether the server is still there or not.
    """
    tax, halls, until = 0.21, finance.straight_line(15), T + 1
    world = small_world(accounting=accounting, afr=0.04 if leaves else 0.0, tax_rate=tax, tax_shares=shares,
                        hall_tax_shares=halls)  # fmt: skip
    made, plan, _ = simulate(world, fixed(3.0 if leaves else float(T)))
    money, gens = ledger(made, plan), world.generations
    profit = np.zeros(T + 1)
    for name, kind, usd in zip(money.names, money.kinds, money.usd, strict=True):
        if kind in ("opex", "terminal") or name == "resale":
            profit -= usd
    for k, (g, bought) in enumerate(zip(made.vintages.generation, made.vintages.bought, strict=True)):
        basis = plan.buy[k] * (float(gens.price_usd[g, bought]) + float(world.site.network_usd[g]))
        profit -= written_off_usd(float(basis), shares, int(bought), T)
    for t in range(T):
        profit -= written_off_usd(9.5 * float(plan.halls_w[t]), halls, t, T)
    assert line(money, "tax")[:until] == pytest.approx(tax * profit[:until], rel=1e-9)
    assert profit[until - 1] != 0
    assert ("resale" in money.names) == (accounting == "finance")


@pytest.mark.parametrize(("booking", "shift"), [("start", 0.0), ("mid", 0.5), ("end", 1.0)])
@pytest.mark.parametrize(("rate", "dt"), [(0.08, 1.0), (0.03, 0.5), (0.0, 0.25)])
def test_the_levelised_year_is_the_equal_payment(booking: Booking, shift: float, rate: float, dt: float) -> None:
    world = replace(small_world(rate=rate, booking=booking), clock=Clock(2026.0, T, dt))
    made, plan, _ = simulate(world, BASELINE)
    money = ledger(made, plan)
    found = float(levelised(made, plan, money, np.ones(T), np.ones(T)).usd_per_year)
    times = (np.arange(T) + shift) * dt
    assert found * dt == pytest.approx(equal_payment_usd(float(money.total()), rate, times), rel=1e-12)
    if dt == 1.0 and booking == "end":
        annuity = float(money.total()) * float(finance.capital_recovery_factor(T, rate))
        assert found == pytest.approx(annuity, rel=1e-12)


def test_booking_moves_operation_by_half_a_period_of_discounting() -> None:
    """lifecycle-tco.md, check 23: a step of booking is half a period; nothing changes at a rate of 0."""
    for rate, dt in ((0.08, 1.0), (0.08, 0.5), (0.0, 1.0)):
        cost = {}
        for booking in ("start", "mid", "end"):
            world = replace(small_world(rate=rate, booking=booking), clock=Clock(2026.0, T, dt))
            made, plan, _ = simulate(world, BASELINE)
            money = ledger(made, plan)
            cost[booking] = float(line(money, "energy", present=True).sum())
            times = (np.arange(T) + {"start": 0.0, "mid": 0.5, "end": 1.0}[booking]) * dt
            assert cost[booking] == pytest.approx(float(finance.npv(line(money, "energy")[:T], rate, times)), rel=1e-12)
        half = (1 + rate) ** (-dt / 2)
        assert cost["mid"] == pytest.approx(cost["start"] * half, rel=1e-12)
        assert cost["end"] == pytest.approx(cost["mid"] * half, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 2])
def test_survival_to_any_age(steps: int) -> None:
    """Rates by age are of a year also where periods are shorter."""
    yearly = [0.10, 0.02, 0.05, 0.08]
    world = small_world(2 * T, failures_per_year=np.repeat(yearly, steps), life_years=np.full(3, 2.0 * T))
    made = simulate(replace(world, clock=Clock(2026.0, 2 * T, 1.0 / steps)), fixed(2.0 * T))[0]
    for k, bought in enumerate(made.vintages.bought.tolist()):
        alive = np.cumprod(made.survival[k, bought:])
        ages = np.arange(len(alive)) / steps
        assert alive == pytest.approx([survival_to_age(yearly, float(age)) for age in ages], rel=1e-9)
