"""More servers in the same rows: by replay, by moments, and on a measured training job."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.multiplexing import ServerClass, sum_moments
from aiplan.planners.thermal.hall import equal_hall
from aiplan.planners.thermal.oversubscribe import (
    Wider,
    balanced_slots,
    breaks,
    by_moments,
    levers_run,
    moments_of,
    most_added,
    packed_slots,
    random_slots,
    try_levels,
)
from aiplan.planners.thermal.simulate import Rules, simulate
from aiplan.planners.thermal.synthetic import Demand, Mix, Outside, Spread, demand, design_outside_c, with_offsets

DESIGN = design_outside_c(Outside())


def full_hall(servers: int, seed: int, share: float = 1.0) -> Wider:
    """The synthetic hall with so many servers a row, row budgets and air of 40."""
    hall = equal_hall(24, servers, 2, 40 * 6500.0 * share, 840.0 * 40 / servers)
    return Wider(with_offsets(hall, Spread(), seed), demand(hall.slots, Mix(), Outside(), 7.0, 1200.0, seed))


@pytest.mark.parametrize("seed", [0, 1])
def test_forty_percent_more_servers_order_the_policies(seed: int) -> None:
    wider = full_hall(56, seed)
    packed, random = (
        simulate(wider.hall, wider.demand.vms, slots, wider.demand.load, wider.demand.outside_c, 1200.0)
        for slots in (packed_slots(wider.demand.vms), random_slots(wider.hall, wider.demand.vms, seed))
    )
    levers = levers_run(wider, DESIGN, Rules())
    assert levers.over_share == 0.0
    assert random.over_share > 0.05
    assert max(packed.over_share, random.over_share) > 0.1
    assert packed.capped_kwh > random.capped_kwh > levers.capped_kwh
    assert 0.001 < levers.quality_loss < 0.02


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_packed_the_row_peak_falls_by_what_was_seen_before(seed: int) -> None:
    wider = full_hall(40, seed)
    vms, asked = wider.demand.vms, wider.demand
    packed = simulate(wider.hall, vms, packed_slots(vms), asked.load, asked.outside_c, 1200.0)
    levers = levers_run(wider, DESIGN, Rules())
    change = levers.row_peak_w.max() / packed.row_peak_w.max() - 1.0
    bound = packed.hall_peak_w / 24 / packed.row_peak_w.max() - 1.0
    # -14 to -21 %, by balance alone -18 to -25 %, over five seeds of another generator; a little wider here.
    assert -0.26 < bound < change < -0.12
    assert levers.row_peak_w.max() >= levers.hall_peak_w / 24 * (1 - 1e-12)


def test_every_vm_has_a_slot_of_its_own() -> None:
    wider = full_hall(56, 0)
    slots = balanced_slots(wider.hall, wider.demand.vms, 50.0)
    assert sorted(slots.tolist()) == list(range(wider.hall.slots))


def widened(servers: int, seed: int, share: float) -> Wider:
    hall = equal_hall(4, servers, 2, 10 * 6500.0 * share, 840.0 * 10 / servers)
    return Wider(with_offsets(hall, Spread(), seed), demand(hall.slots, Mix(0.5, 4), Outside(), 2.0, 3600.0, seed))


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_the_most_is_the_most(share: float) -> None:
    def widen(added: float) -> Wider:
        return widened(round(10 * (1.0 + added)), 2, share)

    levels = try_levels(widen, [0.2, 0.4, 0.6], 40, DESIGN, Rules(), 2)
    found = most_added(widen, levels, np.full(4, 10), DESIGN, Rules(), (0.0, 0.0))
    fits = [added for added in np.arange(1, 7) / 10 if not breaks(levers_run(widen(added), DESIGN, Rules()), 0.0, 0.0)]
    expected = max((added for added in fits if all(other in fits for other in np.arange(1, 7) / 10 if other < added)),
                   default=0.0)  # fmt: skip
    assert found.added == pytest.approx(expected)
    assert (found.binding == "") == (found.added == pytest.approx(0.6))


def test_moments_without_spread_fill_the_row_exactly() -> None:
    hall = equal_hall(2, 10, 2, 30_000.0, 840.0)
    _, asked = hall, Demand(widened(10, 0, 1.0).demand.vms, np.full((40, 24), 0.5), np.zeros(24), 3600.0)
    found = by_moments(hall, asked, 0.999)
    assert found.mean_w == pytest.approx(4050.0)
    assert found.sd_w == 0.0
    assert found.servers.tolist() == [7, 7]


def test_moments_of_independent_and_of_synchronous_servers() -> None:
    draw = np.random.Generator(np.random.PCG64(0))
    alone = draw.normal(100.0, 10.0, (50, 4000))
    together = np.tile(draw.normal(100.0, 10.0, 4000), (50, 1))
    assert moments_of(alone)[2] == pytest.approx(0.0, abs=0.01)
    mean, sd, rho = moments_of(together)
    assert mean == pytest.approx(100.0, abs=1.0)
    assert sd == pytest.approx(10.0, rel=0.05)
    assert rho == pytest.approx(1.0)


@given(st.integers(2, 30), st.integers(2, 40), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_moments_tell_the_variance_of_the_sum(count: int, steps: int, seed: int) -> None:
    draw = np.random.Generator(np.random.PCG64(seed))
    power = draw.uniform(0.0, 1.0, (count, steps)) + draw.uniform(0.0, 1.0, steps)
    mean, sd, rho = moments_of(power)
    if rho < 1.0:
        assert count * sd**2 * (1.0 + (count - 1) * rho) == pytest.approx(power.sum(axis=0).var(), rel=1e-6, abs=1e-9)
    assert count * mean == pytest.approx(power.sum(axis=0).mean())


def test_inference_by_its_hour_gains_more_than_by_all_hours() -> None:
    wider = full_hall(40, 0)
    daily = by_moments(wider.hall, wider.demand, 0.999)
    hour = by_moments(wider.hall, wider.demand, 0.999, peak_hour=True)
    assert daily.rho > 0.2
    assert hour.rho < 0.05
    assert hour.added > daily.added


@pytest.mark.shared_data
def test_moments_on_a_measured_training_job(shared_data: Path) -> None:
    with (shared_data / "power" / "smc_gpt3_node_sum.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    total = np.array([float(row["node_sum_kw"]) for row in rows])
    assert total.mean() == pytest.approx(438.3, abs=0.1)
    assert total.max() == pytest.approx(458.4, abs=0.1)
    assert np.quantile(total, 0.99) == pytest.approx(457.3, abs=0.1)
    formula = sum_moments([ServerClass(64, 438_300.0 / 64, 353.0, rho=0.723)])
    assert float(formula.sd_w) == pytest.approx(19_280.0, rel=0.005)
    assert float(formula.sd_w) / 1e3 == pytest.approx(total.std(), rel=0.02)
