"""Designs of a site: stranding, pooling, the power chain, and every combination of options."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.lifecycle.chain import PowerChain
from aiplan.planners.lifecycle.designs import (
    CoolingOption,
    Designs,
    NetworkOption,
    PowerOption,
    enumerate_designs,
    oversubscription,
    stranding,
)
from aiplan.planners.power.demand import Mix
from aiplan.planners.power.flows import chain
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.multiplexing import ServerClass, quantile_w, servers_at, sum_moments
from aiplan.planners.power.redundancy import scheme
from aiplan.planners.power.tree import Kind, from_counts

FAST = settings(max_examples=80, deadline=None, derandomize=True, database=None)

DOMAINS_KW = (40, 50, 150, 300, 1250, 2500)
LOST: dict[float, tuple[float | None, ...]] = {
    # unit [kW]: share of the domain lost [%] (lifecycle reference, 5.4, derived); None where no unit fits
    6.5: (2.5, 9.0, 0.3, 0.3, 0.2, 0.2),
    10.2: (23.5, 18.4, 4.8, 1.4, 0.4, 0.0),
    14.3: (28.5, 14.2, 4.7, 4.7, 0.5, 0.5),
    132.0: (None, None, 12.0, 12.0, 5.0, 5.0),
    600.0: (None, None, None, None, 4.0, 4.0),
}
LOAD = ServerClass(1, 0.6, 0.12, 0.9, rho=0.3, floor_w=0.2)
UPS, TRANSFORMER, PDU = Losses(0.006, 0.02, 0.015), Losses(0.001, 0.0, 0.005), Losses(0.002, 0.0, 0.008)

POWER = [PowerOption("per-pdu", 40e3, 7.0), PowerOption("per-ups", 1e6, 7.0), PowerOption("flat", 10e6, 7.0)]
COOLING = [
    CoolingOption("air", 2.5, 1.30, 1.45, 0.4, derate=0.06, rack_limit_w=41e3),
    CoolingOption("hybrid", 2.9, 1.15, 1.25, 0.3, derate=0.015, fan_saved=0.08, liquid_fraction=0.75),
    CoolingOption("liquid", 3.3, 1.12, 1.2, 0.3, fan_saved=0.08, liquid_fraction=0.85),
]
NETWORK = [
    NetworkOption("ethernet", 300.0, 75.0),
    NetworkOption("infiniband", 1800.0, 250.0),
    NetworkOption("nvlink", 4000.0, 500.0, np.array([1.06, 1.04, 1.02])),
    NetworkOption("hierarchical", 2000.0, 250.0, 1.06, price_fraction=0.01),
]
RATED = np.array([10.2e3, 14.3e3, 132e3])
SCALE = np.array([1.0, 1.0, 9.0])
WET = np.array([False, False, True])


def every(**more: Any) -> Designs:
    return enumerate_designs(POWER, COOLING, NETWORK, RATED, SCALE, liquid_only=WET, **more)


# --- stranding ---


@pytest.mark.parametrize("unit_kw", LOST)
def test_the_table_of_the_reference(unit_kw: float) -> None:
    found = stranding(np.array(DOMAINS_KW) * 1e3, unit_kw * 1e3)
    lost = 100.0 * found / (1.0 + found)
    for domain, percent, expected in zip(DOMAINS_KW, lost, LOST[unit_kw], strict=True):
        if expected is None:
            assert unit_kw > domain
        else:
            assert percent == pytest.approx(expected, abs=0.1), (unit_kw, domain)


@pytest.mark.parametrize(
    ("domain_kw", "unit_kw", "expected"),
    [(40, 132, 4 * 40 / 132 - 1), (50, 132, 3 * 50 / 132 - 1), (300, 600, 0.0), (50, 600, 0.0), (40, 40, 0.0),
     (0.3, 0.1, 0.0), (0.1, 0.3, 0.0), (1000, 1001, 2000 / 1001 - 1)],
)  # fmt: skip
def test_larger_units_take_whole_domains(domain_kw: float, unit_kw: float, expected: float) -> None:
    assert float(stranding(domain_kw * 1e3, unit_kw * 1e3)) == pytest.approx(expected, abs=1e-12)


@FAST
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_stranding_counts_what_fits(domain: int, unit: int) -> None:
    """By laying units into domains one at a time; whole numbers, so without rounding."""
    if unit <= domain:
        count, left = 0, domain
        while left >= unit:
            count, left = count + 1, left - unit
        expected = domain / (count * unit) - 1
    else:
        domains = next(number for number in range(1, unit + 1) if number * domain >= unit)
        expected = domains * domain / unit - 1
    assert float(stranding(domain, unit)) == pytest.approx(expected, abs=1e-9)


@FAST
@given(st.floats(1e3, 1e6), st.integers(1, 50), st.floats(100.0, 1e6))
def test_a_pool_of_whole_domains_strands_no_more(domain: float, many: int, unit: float) -> None:
    if unit <= domain:
        assert stranding(domain * many, unit) <= stranding(domain, unit) + 1e-6


@FAST
@given(st.floats(1.0, 1e7), st.floats(1.0, 1e7), st.floats(1e-3, 1e3))
def test_stranding_has_no_scale(domain: float, unit: float, factor: float) -> None:
    found = stranding(domain, unit)
    assert found >= 0
    # A unit that fits leaves less than its own power, a larger one less than a domain.
    assert float(found) * unit * max(1, math.floor(domain / unit * (1 + 1e-9))) <= max(unit, domain) + 1e-3
    assert float(stranding(domain * factor, unit * factor)) == pytest.approx(float(found), abs=1e-6)


@pytest.mark.parametrize(("domain", "unit"), [(0, 1), (1, 0), (-1, 1), (math.nan, 1), (1, math.nan), (math.inf, 1)])
def test_no_watts_no_stranding(domain: float, unit: float) -> None:
    for check in (stranding, lambda one, other: oversubscription(one, other, LOAD)):
        with pytest.raises(ValueError, match="above 0 W"):
            check(domain, unit)


# --- pooling of loads ---


def test_nameplate_places_no_more() -> None:
    assert np.all(oversubscription(np.array([[40e3], [10e6]]), RATED, None) == 1.0)


@pytest.mark.parametrize("probability", [0.9, 0.99, 0.999])
@pytest.mark.parametrize("domain_kw", [40, 150, 1000])
def test_the_count_is_the_largest_within_the_percentile(domain_kw: float, probability: float) -> None:
    """Against a search by ones, and against `servers_at` of the power planner."""
    rated, domain = 10.2e3, domain_kw * 1e3
    by_plate = math.floor(domain / rated)
    count = by_plate
    while float(quantile_w(sum_moments([replace(LOAD, count=count + 1)]), probability)) <= domain / rated:
        count += 1
    assert float(oversubscription(domain, rated, LOAD, probability)) == pytest.approx(count / by_plate, abs=1e-12)
    assert servers_at([LOAD], domain / rated, probability) == count


def test_a_mix_of_one_class_is_the_class() -> None:
    halves = Mix((LOAD, LOAD), np.array([0.5, 0.5]), np.array([[0.0, 0.3], [0.3, 0.0]]))
    domains = np.array([40e3, 150e3, 1e6])
    assert oversubscription(domains, 10.2e3, halves) == pytest.approx(oversubscription(domains, 10.2e3, LOAD))
    idle = Mix((LOAD, ServerClass(1, 0.2, 0.0, 0.2)), np.array([0.5, 0.5]), np.zeros((2, 2)))
    assert np.all(oversubscription(domains, 10.2e3, idle) > oversubscription(domains, 10.2e3, LOAD))


def test_many_servers_approach_the_closed_form() -> None:
    """``N -> C / (mu + z s sqrt(rho))`` for normal tails (power reference, section 4)."""
    z = NormalDist().inv_cdf(0.99)
    expected = 1.0 / (0.6 + z * 0.12 * math.sqrt(0.3))
    unbounded = ServerClass(1, 0.6, 0.12, 1.0, rho=0.3)
    normal = Mix((unbounded,), np.ones(1), np.zeros((1, 1)), method="normal")
    found = float(oversubscription(1e9, 10e3, normal, 0.99))
    assert found == pytest.approx(expected, rel=2e-3)


def test_flat_pools_better_than_pdus() -> None:
    domains = np.array([[40e3], [1e6], [10e6]])
    rated = np.array([6.5e3, 10.2e3, 14.3e3])
    for load in (LOAD, ServerClass(1, 0.7, 0.1, 1.0, rho=0.05), ServerClass(1, 0.9, 0.05, 1.0, rho=0.9)):
        per_watt = oversubscription(domains, rated, load) / (1.0 + stranding(domains, rated))
        assert np.all(np.diff(per_watt, axis=0) >= -1e-12), per_watt
        assert np.all(per_watt[2] > per_watt[0])


@FAST
@given(st.integers(5, 60), st.integers(1, 20), st.floats(0.2, 0.8), st.floats(0.0, 1.0), st.sampled_from([0.9, 0.999]))
def test_whole_domains_together_carry_what_they_carry_apart(
    size: int, many: int, mean: float, rho: float, probability: float
) -> None:
    load = ServerClass(1, mean, 0.4 * min(mean, 1 - mean), 1.0, rho=rho)
    unit, domain = 1e3, size * 1e3 + 500
    apart, together = (float(oversubscription(one, unit, load, probability) / (1 + stranding(one, unit)) * one)
                       for one in (domain, domain * many))  # fmt: skip
    assert together >= many * apart * (1 - 1e-9)
    assert apart >= math.floor(domain / unit) * unit * (1 - 1e-9)


def test_servers_in_step_gain_nothing_from_numbers() -> None:
    together = ServerClass(1, 0.5, 0.2, 1.0, rho=1.0)
    small, large = oversubscription(np.array([100.0, 1e6]), 1.0, together)
    assert float(small) == pytest.approx(float(large), rel=0.02)


def test_a_unit_larger_than_its_domain_takes_whole_ones() -> None:
    """132 kW at no more than 0.9 of it needs 3 domains of 40 kW, by its plate 4."""
    still = ServerClass(1, 0.9, 0.0, 0.9)
    assert float(oversubscription(40e3, 132e3, still)) == pytest.approx(4 / 3)
    assert float(oversubscription(50e3, 132e3, still)) == 1.0


def test_a_load_above_its_rating_is_refused() -> None:
    with pytest.raises(ValueError, match="at most its rating"):
        oversubscription(1e5, 1e4, ServerClass(1, 0.6, 0.1, 1.2))
    with pytest.raises(ValueError, match="at most its rating"):
        oversubscription(1e5, 1e4, ServerClass(1, 0.6, 0.1))
    for probability in (0.3, 1.0, math.nan):
        with pytest.raises(ValueError, match="probability"):
            oversubscription(1e5, 1e4, LOAD, probability)


# --- the power chain ---


@FAST
@given(st.floats(0.05, 1.0), st.floats(0.0, 0.6), st.floats(0.0, 0.02), st.floats(0.5, 1.0))
def test_the_chain_is_the_power_planners(load: float, mechanical: float, other: float, usable: float) -> None:
    """The same devices as a tree of one node a level, computed by the power planner."""
    mine = PowerChain(TRANSFORMER, UPS, PDU, usable)
    rated = 1e6
    pdu_rated = rated / usable
    ups_rated = float(PDU.input_w(rated, pdu_rated)) / usable
    top = (float(UPS.input_w(PDU.input_w(rated, pdu_rated), ups_rated)) + (0.3 + other) * rated) / usable
    kinds = [Kind("transformer", TRANSFORMER, 1.0, 1, top, 2.0), Kind("ups", UPS, 1.0, 1, ups_rated, 2.0),
             Kind("pdu", PDU, 1.0, 1, pdu_rated, 2.0)]  # fmt: skip
    whole = chain(from_counts(kinds, scheme("n")), np.array([load * rated]), mechanical, other)
    assert float(mine.pue(mechanical, load, 0.3, other)) == pytest.approx(whole.pue, rel=1e-12)
    below = sum(flow.loss_w for flow in whole.flows[1:]) / whole.it_w
    assert mine.hall_loss(load) == pytest.approx(below, rel=1e-9)


def test_without_losses_only_cooling_is_left() -> None:
    ideal = PowerChain(Losses(), Losses(), Losses())
    assert ideal.pue([0.0, 0.25], 0.5, 0.3, 0.01).tolist() == pytest.approx([1.01, 1.26], abs=1e-15)
    assert ideal.hall_loss(0.5) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("load", [0.0, -0.5, 1.5, math.nan])
def test_a_chain_has_a_load(load: float) -> None:
    for ask in (lambda: PowerChain(UPS, UPS, PDU).hall_loss(load), lambda: PowerChain(UPS, UPS, PDU).pue(0, load, 0)):
        with pytest.raises(ValueError, match="load"):
            ask()
    with pytest.raises(ValueError, match="usable"):
        PowerChain(UPS, UPS, PDU, 0.0)


# --- every combination ---


def test_thirty_six_designs_in_order() -> None:
    found = every()
    assert found.size == 36
    assert list(zip(found.power, found.cooling, found.network, strict=True)) == list(
        product(*([one.name for one in options] for options in (POWER, COOLING, NETWORK)))
    )
    assert len(set(found.names)) == 36
    for at, name in enumerate(found.names):
        assert found.place(*name.split(" / ")) == at
    with pytest.raises(ValueError, match="no design flat / peltier / ethernet"):
        found.place("flat", "peltier", "ethernet")


def test_each_design_is_its_options() -> None:
    found = every(load=LOAD, probability=0.99)
    options = product(POWER, COOLING, NETWORK)
    for at, (power, cooling, network) in enumerate(options):
        plate = np.asarray(RATED) * (1.0 - found.fan_saved[at])
        assert found.stranding[at] == pytest.approx(stranding(power.domain_w, plate))
        assert found.oversubscription[at] == pytest.approx(oversubscription(power.domain_w, plate, LOAD, 0.99))
        assert found.pue_mean[at] == cooling.pue_mean
        assert found.pue_peak[at] == cooling.pue_peak
        assert found.wue_l_per_kwh[at] == cooling.wue_l_per_kwh
        assert found.power_usd_per_w[at] == power.usd_per_w
        assert found.cooling_usd_per_w[at] == cooling.usd_per_w
        assert found.derate[at].tolist() == [cooling.derate, cooling.derate, 0.0]
        assert found.fan_saved[at].tolist() == [cooling.fan_saved, cooling.fan_saved, 0.0]
        assert found.throughput[at].tolist() == np.broadcast_to(network.throughput, 3).tolist()
        assert found.network_usd[at].tolist() == [network.usd_per_server * scale for scale in SCALE]
        assert found.network_usd_per_year[at].tolist() == [network.usd_per_server_year * scale for scale in SCALE]
        assert found.network_price_fraction[at] == network.price_fraction
        assert found.hosts[at].tolist() == [True, True, cooling.name != "air"]
    taken = (1 - found.fan_saved) * (1 + found.stranding) / found.oversubscription
    assert found.hall_share == pytest.approx(taken)
    assert found.useful == pytest.approx(found.throughput * (1 - found.derate))


def test_what_needs_liquid_stands_only_where_liquid_is() -> None:
    small = enumerate_designs(POWER[:1], COOLING, NETWORK[:1], [20e3, 20e3], [1, 1], liquid_only=[True, False])
    assert small.hosts.tolist() == [[False, True], [True, True], [True, True]]


def test_racks_beyond_the_limit_of_air_do_not_stand_in_air() -> None:
    at_limit = enumerate_designs(POWER[:1], COOLING[:1], NETWORK[:1], [41e3, 41.1e3], [4, 4])
    assert at_limit.hosts.tolist() == [[True, False]]


def test_pooling_over_the_hall_strands_no_more_than_pdus() -> None:
    """Published direction (power, Stojkovic et al. 2026, section 2.3), for units that fit into every domain."""
    found = every()
    flat, fed = (found.stranding[found.place(name, "air", "ethernet")][:2] for name in ("flat", "per-pdu"))
    assert np.all(flat <= fed)
    assert fed.max() > 0.3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PowerOption("p", 0.0, 7.0), "domain_w"),
        (lambda: PowerOption("p", math.inf, 7.0), "domain_w"),
        (lambda: PowerOption("p", math.nan, 7.0), "domain_w"),
        (lambda: PowerOption("p", 1.0, -1.0), "usd_per_w"),
        (lambda: CoolingOption("c", math.nan, 1.1, 1.2), "usd_per_w"),
        (lambda: CoolingOption("c", 1.0, 0.9, 1.2), "pue_mean"),
        (lambda: CoolingOption("c", 1.0, 1.1, 0.9), "pue_mean"),
        (lambda: CoolingOption("c", 1.0, math.nan, 1.2), "pue_mean"),
        (lambda: CoolingOption("c", 1.0, 1.1, math.inf), "pue_mean"),
        (lambda: CoolingOption("c", 1.0, 1.1, 1.2, -0.1), "wue"),
        (lambda: CoolingOption("c", 1.0, 1.1, 1.2, derate=1.0), "derate"),
        (lambda: CoolingOption("c", 1.0, 1.1, 1.2, fan_saved=-0.1), "fan_saved"),
        (lambda: CoolingOption("c", 1.0, 1.1, 1.2, rack_limit_w=0.0), "rack_limit_w"),
        (lambda: CoolingOption("c", 1.0, 1.1, 1.2, liquid_fraction=1.1), "liquid_fraction"),
        (lambda: NetworkOption("n", -1.0, 0.0), "costs"),
        (lambda: NetworkOption("n", 1.0, math.nan), "costs"),
        (lambda: NetworkOption("n", 1.0, 1.0, 0.0), "throughput"),
        (lambda: NetworkOption("n", 1.0, 1.0, np.array([1.0, math.nan])), "throughput"),
        (lambda: enumerate_designs([], COOLING, NETWORK, RATED, SCALE), "power: one option"),
        (lambda: enumerate_designs(POWER, COOLING * 2, NETWORK, RATED, SCALE), "cooling: one option"),
        (lambda: enumerate_designs(POWER, COOLING, NETWORK, [], []), "per generation"),
        (lambda: enumerate_designs(POWER, COOLING, NETWORK, RATED, SCALE[:2]), "per generation"),
        (lambda: enumerate_designs(POWER, COOLING, NETWORK, -RATED, SCALE), "above 0"),
        (lambda: enumerate_designs(POWER, COOLING, NETWORK, RATED, SCALE * math.nan), "above 0"),
        (lambda: enumerate_designs(POWER, COOLING, NETWORK, RATED[:2], SCALE[:2]), "broadcast"),
    ],
)
def test_what_cannot_be_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
