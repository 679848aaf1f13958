"""Rainflow counting against the standard's example and a plain four-point count; life and least energy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.compiled import compile_function, numba_installed
from aiplan.planners.stabilize.closed_forms import full_cycles_per_year, iteration_storage_j
from aiplan.planners.stabilize.cycle_life import (
    RESERVE_FACTOR,
    count_cycles,
    equivalent_full_cycles,
    least_energy_j,
    life_years,
    rainflow,
    turning_points,
)

STANDARD = [-2, 1, -3, 5, -1, 3, -4, 4, -2]
"""History of figure 6 of ASTM E1049-85, from memory, and what it counts by range."""
STANDARD_COUNTS = {3.0: 0.5, 4.0: 1.5, 6.0: 0.5, 8.0: 1.0, 9.0: 0.5}

whole = st.lists(st.integers(-20, 20), max_size=60)
exponents = st.floats(0.5, 3.0)


def by_depth(state: list[int] | list[float]) -> dict[float, float]:
    depths, counts = rainflow(state)
    found: Counter[float] = Counter()
    for depth, count in zip(depths.tolist(), counts.tolist(), strict=True):
        found[depth] += count
    return dict(found)


def four_point(state: list[int]) -> dict[float, float]:
    """Cycles taken out wherever two points lie within their neighbours, from the start each time; halves at the end."""
    points: list[int] = []
    for value in state:
        if points and value == points[-1]:
            continue
        if len(points) >= 2 and (points[-1] - points[-2]) * (value - points[-1]) > 0:
            points[-1] = value
        else:
            points.append(value)
    found: Counter[float] = Counter()
    while True:
        for at in range(len(points) - 3):
            outer_before, inner, outer_after = (abs(points[at + k + 1] - points[at + k]) for k in range(3))
            if inner <= outer_before and inner <= outer_after:
                found[float(inner)] += 1.0
                del points[at + 1 : at + 3]
                break
        else:
            break
    for first, second in pairwise(points):
        found[float(abs(second - first))] += 0.5
    return dict(found)


def test_the_example_of_the_standard() -> None:
    assert by_depth(STANDARD) == STANDARD_COUNTS
    assert four_point(STANDARD) == STANDARD_COUNTS


@given(whole)
def test_rainflow_is_a_plain_four_point_count(state: list[int]) -> None:
    assert by_depth(state) == four_point(state)


@given(whole)
def test_cycles_and_the_way_that_the_state_went(state: list[int]) -> None:
    depths, counts = rainflow(state)
    assert float((depths * counts).sum()) == pytest.approx(np.abs(np.diff(state)).sum() / 2.0)
    assert np.all((counts == 1.0) | (counts == 0.5))
    assert depths.max(initial=0.0) == (max(state) - min(state) if state else 0)


@given(whole, st.integers(1, 4))
def test_points_in_between_and_mirrors_change_nothing(state: list[int], between: int) -> None:
    fine = np.interp(np.arange((len(state) - 1) * between + 1) / between, np.arange(len(state)), state) if state else []
    assert np.allclose(sum(d * d * n for d, n in by_depth(list(fine)).items()),
                       sum(d * d * n for d, n in by_depth(state).items()))  # fmt: skip
    assert by_depth([-value for value in state]) == by_depth(state)


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=30), st.integers(1, 5))
def test_a_closed_state_repeated_wears_as_often(state: list[int], times: int) -> None:
    """Whatever the exponent: what is left at the end is one swing, and it closes."""
    top = [max(state), *state[state.index(max(state)) :], *state[: state.index(max(state))]]
    once = equivalent_full_cycles([*top, top[0]], 10.0, 2.0)
    again = equivalent_full_cycles([*(top * times), top[0]], 10.0, 2.0)
    assert float(again) == pytest.approx(times * float(once))


@given(whole, st.floats(1.0, 1e3))
def test_at_exponent_one_only_throughput_counts(state: list[int], capacity: float) -> None:
    closed = [0, *state, 0]
    depths, counts = rainflow(closed)
    counted = float((depths * counts).sum()) / capacity
    throughput = float(np.abs(np.diff(closed)).sum()) / (2.0 * capacity)
    found = float(equivalent_full_cycles(closed, capacity))
    assert found == pytest.approx(counted, rel=1e-12)
    assert found == pytest.approx(throughput, rel=1e-12)
    # Just beside one the cycles are counted and not the way.
    assert float(equivalent_full_cycles(closed, capacity, 1.0 + 1e-9)) == pytest.approx(found, rel=1e-6, abs=1e-12)


@given(st.floats(0.01, 1.0), st.integers(1, 20), exponents)
def test_equal_cycles_wear_by_their_depth(depth: float, times: int, exponent: float) -> None:
    state = [0.0, depth] * times + [0.0]
    assert float(equivalent_full_cycles(state, 1.0, exponent)) == pytest.approx(times * depth**exponent)


def test_equivalent_full_cycles_of_several_capacities() -> None:
    found = equivalent_full_cycles(STANDARD, [9.0, 18.0], 2.0)
    wear = sum(depth**2 * count for depth, count in STANDARD_COUNTS.items())
    assert found == pytest.approx([wear / 81, wear / 324])


@pytest.mark.parametrize(
    ("state", "points"),
    [([], []), ([3], [3]), ([3, 3, 3], [3]), ([1, 2], [1, 2]), ([1, 2, 3], [1, 3]), ([0, 2, 2, 1, 1], [0, 2, 1])],
)
def test_turning_points(state: list[float], points: list[float]) -> None:
    assert turning_points(state).tolist() == points


def test_nothing_happens_in_a_state_that_stands() -> None:
    for state in ([], [4.0], [4.0, 4.0]):
        depths, counts = rainflow(state)
        assert (depths.size, counts.size) == (0, 0)
        assert float(equivalent_full_cycles(state, 1.0, 1.5)) == 0.0
        assert float(equivalent_full_cycles(state, 1.0)) == 0.0


def test_thirty_thousand_turns_take_no_time() -> None:
    """30 ms asked for plain Python; every point a turn. Best of a few runs, as the machine is shared."""
    state = np.random.default_rng(1).random(30_000)
    state[::2] += 1.0
    assert turning_points(state).size == state.size

    def once() -> float:
        begun = time.perf_counter()
        rainflow(state)
        return time.perf_counter() - begun

    assert min(once() for _ in range(7)) < 0.060  # twice what is asked, for slower machines


@pytest.mark.skipif(not numba_installed(), reason="numba is not installed")
def test_compiled_is_plain_to_the_last_bit() -> None:
    compiled = compile_function(count_cycles, lambda numba: {"Row": numba.float64[::1]})
    points = turning_points(np.random.default_rng(2).normal(size=5_000).cumsum())
    stack, depths, counts = (np.zeros(points.size) for _ in range(3))
    found = compiled(points, stack, depths, counts)
    plain_depths, plain_counts = rainflow(points)
    assert depths[:found].tobytes() == plain_depths.tobytes()
    assert counts[:found].tobytes() == plain_counts.tobytes()


def test_life_ends_by_cycles_or_by_the_calendar() -> None:
    found = life_years([0.0, 100.0, 1e6], 8_000.0, 15.0)
    assert found.tolist() == [15.0, 15.0, 0.008]
    assert float(life_years(1e9, np.inf, 12.0)) == 12.0


def test_lithium_fails_on_cycle_life_where_supercapacitors_pass() -> None:
    """20 kJ for each of 100,000 accelerators under a swing of 72 MW, 95 % of the year (reference, section 8)."""
    cycles = float(full_cycles_per_year(72e6, 0.8, 2e9, 0.95))
    assert cycles == pytest.approx(172_000, rel=1e-2)
    assert float(life_years(cycles, 8_000, 10.0)) * 365 < 18
    assert float(life_years(cycles, 50e6, 10.0)) == 10.0
    # On the half million cycles of a data sheet of small cells the same bank would last three years.
    assert float(life_years(cycles, 500_000, 10.0)) == pytest.approx(2.9, abs=0.05)


@pytest.mark.parametrize(
    ("cycle_life", "energy_mwh"),
    [(8_000, 120.0), (160_000, 6.0), (50e6, 0.0192)],
)
def test_least_energy_of_the_reference(cycle_life: float, energy_mwh: float) -> None:
    """Section 8: 120 MWh, a twentieth of it, 19 kWh, the last by three times an iteration's energy."""
    depth = float(iteration_storage_j(72e6, 0.8, 2.0))
    yearly = 0.95 * 8760 * 3600 / 2.0
    found = float(least_energy_j([depth], [yearly], 10.0, cycle_life)) / 3.6e9
    assert found == pytest.approx(energy_mwh, rel=1e-2)
    discharge_mwh = 11.52 * 8760 * 0.95
    assert found == pytest.approx(max(3 * depth / 3.6e9, discharge_mwh * 10.0 / cycle_life), rel=1e-9)


@given(whole, exponents, st.floats(1.0, 1e6), st.floats(1.0, 40.0), st.floats(100.0, 1e7))
def test_the_least_energy_lasts_as_long_as_wanted(
    state: list[int], exponent: float, times: float, years: float, cycle_life: float
) -> None:
    """Life at that energy is what was wanted, or longer where the deepest cycle asks for more."""
    depths, counts = rainflow([0, 7, *state])
    energy = float(least_energy_j(depths, counts * times, years, cycle_life, exponent))
    assert energy >= RESERVE_FACTOR * depths.max() * (1 - 1e-12)
    yearly = times * float(equivalent_full_cycles([0, 7, *state], energy, exponent))
    lasts = float(life_years(yearly, cycle_life, 1e9))
    if energy > RESERVE_FACTOR * depths.max() * (1 + 1e-9):
        assert lasts == pytest.approx(years, rel=1e-6)
    else:
        assert lasts >= years * (1 - 1e-6)


def test_least_energy_broadcasts_and_does_not_overflow() -> None:
    found = least_energy_j([[1.0, 2.0], [0.0, 0.0]], [10.0, 5.0], [10.0, 10.0], 4.0)
    assert found.tolist() == [50.0, 0.0]
    assert np.isfinite(least_energy_j([1e15], [1e8], 20.0, 1e3, 10.0))
    assert float(least_energy_j([1.0], [1e9], 20.0, np.inf)) == 3.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rainflow([1.0, np.nan]), "state"),
        (lambda: rainflow([[1.0, 2.0]]), "state"),
        (lambda: equivalent_full_cycles([1.0, np.inf], 1.0), "state_j"),
        (lambda: equivalent_full_cycles([1.0, 2.0], 0.0), "capacity_j"),
        (lambda: equivalent_full_cycles([1.0, 2.0], 1.0, 0.0), "depth_exponent"),
        (lambda: equivalent_full_cycles([1.0, 2.0], 1.0, np.nan), "depth_exponent"),
        (lambda: life_years(-1.0, 1.0, 1.0), "cycles_per_year"),
        (lambda: life_years(np.nan, 1.0, 1.0), "cycles_per_year"),
        (lambda: life_years(1.0, 0.0, 1.0), "cycle_life_count"),
        (lambda: least_energy_j([], [], 1.0, 1.0), "depths_j"),
        (lambda: least_energy_j([-1.0], [1.0], 1.0, 1.0), "cycles"),
        (lambda: least_energy_j([1.0], [np.nan], 1.0, 1.0), "cycles"),
        (lambda: least_energy_j([1.0], [1.0], 0.0, 1.0), "wanted_years"),
        (lambda: least_energy_j([1.0], [1.0], 1.0, 1.0, reserve_factor=0.5), "reserve_factor"),
    ],
)
def test_what_is_not_physical_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
