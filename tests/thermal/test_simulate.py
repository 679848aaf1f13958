"""The replay: sums by hand, what levers may and may not do, and a plain second implementation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.hall import NO_ENDPOINT, Hall, Vms, equal_hall
from aiplan.planners.thermal.model import (
    airflow_cfm,
    aisle_airflow_cfm,
    hottest_c,
    recirculation_c,
    row_power_w,
    server_power_w,
)
from aiplan.planners.thermal.oversubscribe import packed_slots, random_slots
from aiplan.planners.thermal.simulate import JOULES_PER_KWH, Rules, events, simulate
from tests.thermal.cases import small_hall, steady


def some_vms(saas: list[bool]) -> Vms:
    count = len(saas)
    flat = np.full((count, 24), 0.5)
    kind = np.array(saas)
    return Vms(tuple(f"v{number}" for number in range(count)), kind, np.where(kind, 0, NO_ENDPOINT), flat, flat)


def test_against_the_model_step_by_step() -> None:
    hall, asked = small_hall(1)
    slots = random_slots(hall, asked.vms, 3)
    run = simulate(hall, asked.vms, slots, asked.load, asked.outside_c, asked.step_s)
    power = row_power_w(hall, slots, asked.load.T)
    air = aisle_airflow_cfm(hall, slots, asked.load.T)
    warm = hottest_c(hall, slots, asked.load.T, asked.outside_c, asked.load.sum(axis=0) / hall.slots)
    warm = warm + hall.inlet_coefficient * recirculation_c(hall, air)[:, hall.aisle[slots]]
    assert run.row_peak_w == pytest.approx(power.max(axis=0))
    assert run.energy_kwh == pytest.approx(power.sum() * asked.step_s / JOULES_PER_KWH)
    assert run.aisle_peak_cfm == pytest.approx(air.max(axis=0))
    assert run.hottest_c == pytest.approx(warm.max())
    assert run.hall_peak_w == pytest.approx(power.sum(axis=1).max())
    step, vm = np.unravel_index(np.argmax(warm), warm.shape)
    assert (run.hottest_slot, run.hottest_step) == (int(slots[vm]), int(step))
    assert run.p999_c == np.sort(warm.ravel())[int(np.ceil(0.999 * warm.size)) - 1]


def test_energy_above_the_budget_by_hand() -> None:
    hall = equal_hall(1, 2, 1, 10_000.0, 840.0)
    run = simulate(
        hall, some_vms([False, False]), np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2), 900.0
    )
    assert run.row_peak_w[0] == 13_000.0
    assert run.capped_kwh == pytest.approx(3000.0 * 900.0 / JOULES_PER_KWH)
    assert (run.over_share, run.over_events) == (0.5, 1)


def test_events_are_maximal_runs() -> None:
    pattern = "0110111010"
    assert events(np.array([[mark == "1" for mark in pattern], [True] * 10])) == 4


def test_full_air_is_what_warms_an_aisle() -> None:
    hall = equal_hall(2, 2, 2, 1e6, 0.9 * 840.0)
    run = simulate(hall, some_vms([False] * 4), np.arange(4), steady(1.0, 4), np.full(4, 25.0), 600.0)
    assert run.aisle_peak_cfm[0] == pytest.approx(4 * 840.0)
    # Inlet 24 + 1 for the full hall + 20 (1/0.9 - 1), GPU 44 + 3 above it.
    assert run.hottest_c == pytest.approx(72.0 + 20.0 * (1.0 / 0.9 - 1.0))


def test_shedding_by_hand() -> None:
    hall = equal_hall(1, 2, 1, 12_000.0, 840.0)
    vms = some_vms([True, False])
    run = simulate(hall, vms, np.array([0, 1]), steady(1.0, 2), np.zeros(4), 600.0, configure=True)
    share = (13_000.0 - 0.97 * 12_000.0) / 4900.0
    assert share < 0.35
    assert run.row_peak_w[0] == pytest.approx(0.97 * 12_000.0)
    assert run.quality_loss == pytest.approx(0.1 * share / 0.35)
    assert run.shed_share == 1.0
    assert run.over_share == 0.0


def test_opaque_vms_are_never_touched() -> None:
    hall = equal_hall(1, 2, 1, 5000.0, 840.0, t_max_c=20.0, t_throttle_c=30.0)
    plain = simulate(hall, some_vms([False] * 2), np.arange(2), steady(0.9, 2), np.zeros(4), 600.0)
    levers = simulate(hall, some_vms([False] * 2), np.arange(2), steady(0.9, 2), np.zeros(4), 600.0, route=True,
                      configure=True)  # fmt: skip
    assert levers.row_peak_w == pytest.approx(plain.row_peak_w)
    assert levers.hottest_c == plain.hottest_c
    assert (levers.quality_loss, levers.performance_loss, levers.moved_share) == (0.0, 0.0, 0.0)


def test_a_cut_cools_and_costs_speed() -> None:
    hall = equal_hall(1, 1, 1, 1e6, 840.0, t_max_c=60.0)
    vms = some_vms([True])
    plain = simulate(hall, vms, np.array([0]), steady(1.0, 1), np.full(4, 25.0), 600.0)
    cut = simulate(hall, vms, np.array([0]), steady(1.0, 1), np.full(4, 25.0), 600.0, configure=True)
    assert plain.hottest_c - cut.hottest_c == pytest.approx(0.11 * 0.25 * 340.0)
    assert plain.row_peak_w[0] - cut.row_peak_w[0] == pytest.approx(8 * 0.25 * 340.0)
    assert cut.performance_loss == pytest.approx(1.0 - 0.75 ** (1.0 / 2.4))


def test_routing_loses_no_request_and_overfills_no_server() -> None:
    hall, asked = small_hall(2)
    slots = random_slots(hall, asked.vms, 0)
    # The energy of the hall is linear in load, so nothing lost means the same energy.
    plain = simulate(hall, asked.vms, slots, asked.load, asked.outside_c, asked.step_s)
    routed = simulate(hall, asked.vms, slots, asked.load, asked.outside_c, asked.step_s, route=True)
    assert routed.energy_kwh == pytest.approx(plain.energy_kwh, rel=1e-12)
    assert routed.moved_share > 0.0
    full = np.maximum(asked.load, 0.97)
    packed_full = simulate(hall, asked.vms, slots, full, asked.outside_c, asked.step_s, route=True)
    assert packed_full.row_peak_w.max() <= 10 * hall.max_w * (1 + 1e-12)


def test_routing_moves_load_to_the_cooler_server() -> None:
    hall = equal_hall(1, 2, 1, 1e6, 840.0)
    hall = replace(hall, gpu_offset_c=np.array([0.0, 6.0]))
    vms = some_vms([True, True])
    plain = simulate(hall, vms, np.arange(2), steady(0.5, 2), np.full(4, 20.0), 600.0)
    routed = simulate(hall, vms, np.arange(2), steady(0.5, 2), np.full(4, 20.0), 600.0, route=True)
    # Weights 1.15 and 0.85: 0.075 of load leaves the warm server.
    assert plain.hottest_c - routed.hottest_c == pytest.approx(0.11 * 340.0 * 0.075)
    assert routed.moved_share == pytest.approx(0.075)


def test_vms_without_a_slot_do_not_run() -> None:
    hall = equal_hall(2, 2, 1, 1e6, 840.0)
    run = simulate(hall, some_vms([False] * 3), np.array([0, -1, 1]), steady(1.0, 3), np.zeros(4), 600.0)
    assert run.row_peak_w.tolist() == [13_000.0, 0.0]
    assert np.isnan(run.row_hottest_c[1])


def every(hall: Hall, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.Generator(np.random.PCG64(seed))
    load = draw.uniform(0.0, 1.0, (hall.slots, 6))
    return load, draw.permutation(hall.slots)


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.floats(0.4, 1.2))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_levers_never_break_what_they_promise(seed: int, route: bool, configure: bool, share: float) -> None:
    hall = equal_hall(3, 4, 2, 4 * 6500.0 * share, 840.0)
    load, slots = every(hall, seed)
    saas = np.arange(hall.slots) % 2 == 0
    vms = replace(some_vms(saas.tolist()), endpoint=np.where(saas, np.arange(hall.slots) % 3, NO_ENDPOINT))
    outside = np.full(6, 30.0)
    plain = simulate(hall, vms, slots, load, outside, 600.0)
    run = simulate(hall, vms, slots, load, outside, 600.0, route=route, configure=configure)
    assert run.row_peak_w.max() >= run.hall_peak_w / hall.rows * (1 - 1e-12)
    assert run.row_peak_w.max() <= 4 * hall.max_w * (1 + 1e-9)
    assert run.energy_kwh <= plain.energy_kwh * (1 + 1e-9)
    assert 0.0 <= run.quality_loss <= Rules().quality_per_full_shed + 1e-12
    if not configure:
        assert run.energy_kwh == pytest.approx(plain.energy_kwh, rel=1e-9)
    if configure and not route:
        assert run.hottest_c <= plain.hottest_c + 1e-9
        assert run.over_share <= plain.over_share
        assert np.all(run.row_peak_w <= plain.row_peak_w * (1 + 1e-12))


@given(st.integers(0, 10_000), st.floats(0.5, 1.0), st.floats(0.0, 10.0))
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
def test_more_of_anything_never_hurts(seed: int, share: float, cooler: float) -> None:
    hall = equal_hall(3, 4, 2, 4 * 6500.0 * share, 840.0 * share)
    load, slots = every(hall, seed)
    vms = some_vms([False] * hall.slots)
    outside = np.full(6, 35.0)
    before = simulate(hall, vms, slots, load, outside, 600.0)
    richer = replace(hall, row_budget_w=hall.row_budget_w * 1.1, aisle_airflow_cfm=hall.aisle_airflow_cfm * 1.1)
    after = simulate(richer, vms, slots, load, outside - cooler, 600.0)
    assert after.over_share <= before.over_share
    assert after.hottest_c <= before.hottest_c + 1e-9
    assert after.throttled_share <= before.throttled_share


@given(st.integers(0, 10_000), st.lists(st.floats(3_000.0, 60_000.0), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_no_placement_comes_below_the_least_row_peak(seed: int, budgets: list[float]) -> None:
    # Rows of unequal budgets and lengths: two placements of the same loads, and the least that one tells of the other.
    draw = np.random.Generator(np.random.PCG64(seed))
    row = np.repeat(np.arange(len(budgets)), draw.integers(1, 6, len(budgets)))
    hall = Hall(row, np.zeros(len(budgets), dtype=np.int64), np.array(budgets), np.array([1e5]), np.zeros(row.size),
                np.zeros(row.size))  # fmt: skip
    load = draw.uniform(0.0, 1.0, (row.size, 5))
    vms = some_vms([False] * row.size)
    first, second = (simulate(hall, vms, draw.permutation(row.size), load, np.full(5, 20.0), 600.0) for _ in range(2))
    assert first.least_row_peak_w == pytest.approx(second.least_row_peak_w)
    assert first.row_peak_w.max() >= second.least_row_peak_w * (1 - 1e-12)
    # Equal servers in equal rows reach it, whatever their budgets.
    even = replace(hall, row=np.repeat(np.arange(len(budgets)), 2), slot_offset_c=np.zeros(2 * len(budgets)),
                   gpu_offset_c=np.zeros(2 * len(budgets)))  # fmt: skip
    flat = simulate(even, some_vms([False] * even.slots), np.arange(even.slots), steady(0.5, even.slots), np.zeros(4),
                    600.0)  # fmt: skip
    assert flat.row_peak_w.max() == pytest.approx(flat.least_row_peak_w)


def test_packed_puts_an_endpoint_side_by_side() -> None:
    _, asked = small_hall(0)
    slots = packed_slots(asked.vms)
    assert sorted(slots.tolist()) == list(range(asked.vms.count))
    for endpoint in range(4):
        own = np.sort(slots[asked.vms.endpoint == endpoint])
        assert own[-1] - own[0] == own.size - 1
    assert slots[asked.vms.saas].max() < slots[~asked.vms.saas].min()


def test_idle_servers_draw_what_idle_servers_draw() -> None:
    hall, asked = small_hall(4)
    run = simulate(hall, asked.vms, np.arange(hall.slots), np.zeros_like(asked.load), asked.outside_c, asked.step_s)
    assert run.row_peak_w == pytest.approx(10 * server_power_w(hall, 0.0))
    assert run.aisle_peak_cfm == pytest.approx(20 * airflow_cfm(hall, 0.0))
