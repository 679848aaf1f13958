"""Provisioning as a whole: closed forms on small halls, and what must hold for every design."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.compare import settle
from aiplan.planners.power.demand import Demand
from aiplan.planners.power.design import TOPOLOGIES, Design, Rack
from aiplan.planners.power.flows import chain
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.provision import NoRackFits, Provision, provision
from aiplan.planners.power.redundancy import scheme
from aiplan.planners.power.tree import Kind, from_counts
from tests.power.designs import SERVER_W, design, statistics

WORST, MEAN = 0.13, 0.06


def found(**changes: object) -> Provision:
    return provision(design(**changes), WORST, MEAN)  # type: ignore[arg-type]


def within(result: Provision) -> None:
    """No level is above its limit, power balances, and nothing is counted twice."""
    worst = result.worst
    assert worst.grid_w <= result.design.contract_w * (1 + 2e-9)
    for limit in result.limits:
        if limit.usable_w is not None and limit.name != "rack cooling":
            assert limit.load_w <= limit.usable_w * (1 + 2e-9), limit.name
    parts = worst.it_w + worst.mechanical_w + worst.other_w + sum(flow.loss_w for flow in worst.flows)
    assert worst.grid_w == pytest.approx(parts, rel=1e-9)
    assert result.stranded_w >= 0
    assert result.packed.counts.sum() <= result.most_racks * (1 + 1e-9)


def test_without_losses_the_servers_are_a_quotient() -> None:
    none = Losses()
    levels = from_counts([Kind("ups", none, count=4, rated_w=1e6), Kind("pdu", none, count=12, rated_w=250e3)],
                         scheme("4n/3"))  # fmt: skip
    rack = Rack("server", 10e3, 10e3, 1, 10e3)
    plain = Design(tuple(levels), scheme("4n/3"), 5e6, (rack,), 25, Demand("nameplate", 10e3))
    # Six pairs of 500 kW with two rows of 250 kW each: 25 racks fit a row, 50 a pair, 300 in all.
    result = provision(plain, 0.0, 0.0)
    assert (result.servers, result.stranded_w, result.worst.pue) == (300, pytest.approx(0.0, abs=1e-6), 1.0)
    # A contract of 2 MW with 0.25 kW of cooling per kW of IT leaves 1.6 MW.
    assert provision(replace(plain, contract_w=2e6), 0.25, 0.1).servers == 160
    # Racks of 15 kW: 16 of 250 kW in a row, 10 kW of it stranded.
    odd = replace(plain, racks=(Rack("server", 15e3, 15e3, 1, 15e3),), demand=Demand("nameplate", 15e3))
    result = provision(odd, 0.0, 0.0)
    assert (result.servers, result.stranded_w) == (192, pytest.approx(3e6 - 192 * 15e3))
    assert provision(replace(odd, topology="per-ups"), 0.0, 0.0).servers == 6 * 33
    assert provision(replace(odd, topology="flat"), 0.0, 0.0).servers == 200


@pytest.mark.parametrize(
    ("changes", "binding"),
    [
        ({"contract_w": 40e6}, "contract"),
        ({"row_w": 150e3}, "pdu"),
        ({"ups_w": 1.2e6}, "ups"),
        ({"places": 6}, "rack cooling"),
        ({"places": 5, "racks": (Rack("s", SERVER_W, SERVER_W, 1, 60e3, 60e3),)}, "space"),
        ({"places": 5, "racks": (Rack("s", SERVER_W, SERVER_W, 4, 30e3, 90e3),)}, "rack"),
        ({"cooling_w": 30e6}, "cooling"),
    ],
)
def test_what_binds_is_named(changes: dict[str, object], binding: str) -> None:
    result = found(**changes)
    within(result)
    assert result.binding == binding
    limit = next(limit for limit in result.limits if limit.name == binding)
    assert limit.servers == min(other.servers for other in result.limits if other.servers is not None)
    assert result.servers <= (limit.servers or 0)


@pytest.mark.parametrize("rule", ["nameplate", "statistics"])
def test_stranding_falls_as_power_is_pooled(rule: str) -> None:
    demand = None if rule == "nameplate" else statistics(0.01)
    results = [found(topology=topology, demand=demand) for topology in TOPOLOGIES]
    for result in results:
        within(result)
    servers, stranded = [result.servers for result in results], [result.stranded_w for result in results]
    assert servers == sorted(servers)
    assert all(after <= before + 1.0 for before, after in pairwise(stranded))


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.floats(5e6, 120e6), st.floats(150e3, 600e3), st.integers(6, 400), st.floats(6e3, 140e3),
       st.sampled_from(["n", "2n", "3n/2", "4n/3"]), st.integers(1, 30))  # fmt: skip
def test_pooling_never_strands_more(
    contract: float, row: float, rows: int, server: float, name: str, places: int
) -> None:
    racks = (Rack("s", server, server, 1, 200e3),)
    how = scheme(name)
    results = []
    for topology in TOPOLOGIES:
        try:
            results.append(found(how=how, contract_w=contract, row_w=row, rows=rows, places=places, racks=racks,
                                 demand=Demand("nameplate", server), topology=topology))  # fmt: skip
        except NoRackFits:
            results.append(None)
    servers = [0 if result is None else result.servers for result in results]
    assert servers == sorted(servers)
    for result in results:
        if result is not None:
            within(result)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(5e6, 150e6), min_size=2, max_size=4), st.sampled_from(TOPOLOGIES), st.integers(40, 400))
def test_a_larger_contract_never_carries_fewer(contracts: list[float], topology: str, rows: int) -> None:
    servers = [found(contract_w=contract, topology=topology, rows=rows).servers for contract in sorted(contracts)]
    assert servers == sorted(servers)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.floats(5e6, 150e6), st.floats(0.3e6, 4e6), st.integers(1, 4), st.integers(1, 3))
def test_more_redundancy_never_adds_servers(contract: float, ups: float, rows: int, blocks: int) -> None:
    # Pooled over the hall, so that whole racks in pairs do not count. Rows can be dealt out evenly over groups of 2, 3
    # and 4 UPS: uneven ones lose more, which can cost a rack or two.
    servers, even = [], 36 * blocks * rows
    for name in ("n", "4n/3", "3n/2", "2n"):
        try:
            servers.append(found(how=scheme(name), contract_w=contract, ups_w=ups, rows=even, blocks=3 * blocks,
                                 row_w=200e3, places=40, topology="flat").servers)  # fmt: skip
        except NoRackFits:
            servers.append(0)
    assert servers == sorted(servers, reverse=True)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(
    st.floats(0.5e6, 4e6), st.sampled_from([144, 288]), st.sampled_from(["per-pdu", "per-ups"]), st.floats(8e3, 90e3)
)
def test_no_redundancy_carries_what_any_other_does_but_for_a_rack(
    ups: float, rows: int, topology: str, server: float
) -> None:
    racks = (Rack("s", server, server, 1, 200e3),)
    # Rows that can be dealt out evenly: over 48 UPS, 72 pairs of four, 48 of three, 24 of two.
    shared = {"ups_w": ups, "rows": rows, "topology": topology, "racks": racks, "row_w": 200e3,
              "demand": Demand("nameplate", server), "places": 40}  # fmt: skip
    # Whole racks fall otherwise under pairs than under single UPS, and losses with them: a rack more or less.
    most = found(how=scheme("n"), **shared).servers + 1
    for name in ("4n/3", "3n/2", "2n"):
        try:
            assert found(how=scheme(name), **shared).servers <= most
        except NoRackFits:
            continue


def test_flex_uses_the_reserve() -> None:
    # Rows and contract wide enough that the UPS bind.
    wide = {"ups_w": 1.2e6, "row_w": 450e3, "contract_w": 300e6, "places": 40}
    reserved, in_use = found(**wide), found(sheddable=0.25, **wide)
    assert (reserved.binding, in_use.binding) == ("ups", "ups")
    assert in_use.servers / reserved.servers == pytest.approx(4 / 3, rel=0.03)  # whole racks


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(st.floats(1e-4, 0.2), st.floats(0.05, 0.9))
def test_time_capped_stays_below_what_is_allowed(probability: float, rho: float) -> None:
    result = found(demand=statistics(probability, rho=rho))
    within(result)
    assert result.over is not None
    assert result.over <= probability * (1 + 1e-9)


def test_capping_falls_with_fewer_servers_and_rises_with_correlation() -> None:
    demand = statistics(0.01)
    assert demand.mix is not None
    over = [float(demand.mix.over(servers, 300e3)) for servers in range(20, 36)]
    assert over == sorted(over)
    by_rho = [float(statistics(0.01, rho=rho).mix.over(28.0, 300e3)) for rho in (0.0, 0.2, 0.5, 0.9)]  # type: ignore[union-attr]
    assert by_rho == sorted(by_rho)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(2e4, 5e7), min_size=1, max_size=6), st.floats(1e-4, 0.3))
def test_search_finds_the_last_count_that_is_within(limits: list[float], probability: float) -> None:
    demand = statistics(probability)
    assert demand.mix is not None
    counts = demand.rated_w(limits) / SERVER_W
    assert np.all(demand.mix.over(counts, limits) <= probability)
    # One more is too many, unless the whole servers of the classes happen to fall better.
    assert np.all((demand.mix.over(counts + 3, limits) > probability) | (counts * 0.82 * SERVER_W < limits))


def test_mixes_of_racks_stay_below_their_bound() -> None:
    racks = (Rack("old", 10.2e3, 10.2e3, 4, 60e3, 30e3, 0.4), Rack("new", 14.3e3, 14.3e3, 4, 60e3, 30e3, 0.4),
             Rack("rack", 120e3, 120e3, 1, 140e3, 140e3, 0.2, 72))  # fmt: skip
    results = [found(racks=racks, topology=topology) for topology in TOPOLOGIES]
    for result in results:
        within(result)
        total = result.packed.counts.sum()
        assert np.all(np.abs(result.packed.counts - total * np.array([0.4, 0.4, 0.2])) < 1)
        assert result.most_racks >= total
    assert [result.servers for result in results] == sorted(result.servers for result in results)


def test_cooling_may_depend_on_the_losses_of_the_chain() -> None:
    # Cooling carries the heat of UPS and transformers, too: 0.1 kW per kW of heat.
    def cooled(found: Provision | None) -> tuple[float, float]:
        worst, mean = (0.0, 0.0) if found is None else (one.loss_w / one.it_w for one in (found.worst, found.mean))
        return 0.1 * (1 + worst), 0.05 * (1 + mean)

    result, cooling = settle(design(), cooled)
    loss = result.worst.loss_w / result.worst.it_w
    assert cooling[0] == pytest.approx(0.1 * (1 + loss), abs=1e-10)
    assert result.worst.pue == pytest.approx(1 + loss + cooling[0] + 0.001, rel=1e-9)


def test_spare_ups_draw_their_no_load_loss() -> None:
    how = scheme("n+1", 4)
    result = found(how=how)
    ups = result.worst.flows[1]
    assert np.count_nonzero(ups.output_w == 0) == 12
    assert ups.input_w[result.design.levels[1].spare] == pytest.approx(0.006 * 2.4e6)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(NoRackFits, match="not one s of 70 kW fits into its rack: by rack"):
        found(racks=(Rack("s", 70e3, 70e3, 1, 60e3),), demand=Demand("nameplate", 70e3))
    with pytest.raises(NoRackFits, match="level 'pdu' carries 40 kW"):
        found(racks=(Rack("s", 70e3, 70e3, 1, 80e3),), demand=Demand("nameplate", 70e3), row_w=40e3)
    with pytest.raises(ValueError, match="less than nothing"):
        provision(design(), -0.1, 0.0)


def test_limits_at_the_racks_are_where_the_level_meets_its_own() -> None:
    result = found()
    contract = next(limit for limit in result.limits if limit.name == "contract")
    shape = np.full(288, (contract.it_w or 0.0) / 288)
    assert chain(result.design.levels, shape, WORST, 0.001).grid_w == pytest.approx(100e6, rel=1e-10)
