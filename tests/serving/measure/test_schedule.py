"""Points, depth by memory, repeats by budget, median and spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.measure.schedule import (
    BATCHES,
    CONTEXTS,
    MAX_REPEATS,
    MEMORY_SHARE,
    MIN_REPEATS,
    PROMPTS,
    Budget,
    Shot,
    make_plan,
    needed_bytes,
    shots,
    summarise,
)
from aiplan.planners.serving.measure.stack import shape_of, weight_bytes
from tests.serving.measure.shapes import DENSE, MIXED


def test_points_of_both_kinds() -> None:
    points = shots((100, 10, 10), (1, 8), (64,))
    assert points == (
        Shot("prefill", 1, 10),
        Shot("prefill", 1, 100),
        Shot("decode", 1, 64),
        Shot("decode", 8, 64),
    )
    prefill, decode = points[1], points[3]
    assert (prefill.new_tokens, prefill.past_tokens, prefill.tokens) == (100, 0, 100)
    assert (decode.new_tokens, decode.past_tokens, decode.tokens) == (1, 63, 8)
    assert len(shots()) == len(PROMPTS) + len(BATCHES) * len(CONTEXTS)


@pytest.mark.parametrize("bad", [((0,), (1,), (2,)), ((1,), (0,), (2,)), ((1,), (1,), (1,))])
def test_points_that_are_none(bad: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="or more"):
        shots(*bad)


@given(free=st.floats(1e3, 1e7), deepest=st.integers(2, 10), bytes_per_weight=st.sampled_from([1.0, 2.0]))
def test_a_plan_fits_the_memory(free: float, deepest: int, bytes_per_weight: float) -> None:
    wanted = shots((8, 64), (1, 16), (8, 128))
    plan = make_plan(MIXED, wanted, free, bytes_per_weight, deepest)
    assert set(plan.shots) | {shot for shot, _ in plan.dropped} == set(wanted)
    assert all(max(depth) <= deepest for depth in plan.depths)
    for shot in plan.shots:
        assert needed_bytes(MIXED, plan.depths[0], shot, bytes_per_weight) <= MEMORY_SHARE * free
    for shot, _ in plan.dropped:
        assert needed_bytes(MIXED, (2, 2), shot, bytes_per_weight) > MEMORY_SHARE * free


def test_depth_grows_with_memory_up_to_what_was_asked() -> None:
    wanted = shots((8,), (1,), (8,))
    room = needed_bytes(DENSE, (4, 0), wanted[0], 2.0) / MEMORY_SHARE
    assert make_plan(DENSE, wanted, room * 1.001, 2.0, 6).depths == ((4, 0), (2, 0))
    assert make_plan(DENSE, wanted, 1e9, 2.0, 5).depths == ((5, 0), (2, 0))
    assert make_plan(DENSE, wanted, 1e9, 2.0, 100).depths == ((6, 0), (3, 0))


def test_llama_70b_on_one_gpu_of_80_gb() -> None:
    """Eight layers of 1.71 GB, head of 2.1 GB; batch 256 at 8,192 has 69 GB of cache and costs the plan its depth."""
    shape = shape_of(Catalog().get("models", "llama-3.1-70b"))
    assert weight_bytes(shape, (8, 0), 2.0) == pytest.approx(8 * 1.711e9 + 2.10e9, rel=1e-3)
    small = make_plan(shape, shots(batches=(1, 16)), 80e9, 2.0, 8)
    assert (small.depths, small.dropped) == (((8, 0), (4, 0)), ())
    large = make_plan(shape, shots(), 80e9, 2.0, 8)
    assert large.depths[0][0] < 8
    assert not large.dropped


class Watch:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.floats(1.0, 1000.0), st.lists(st.floats(1e-5, 30.0), min_size=1, max_size=40))
def test_runs_stay_within_the_budget(total_s: float, steps: list[float]) -> None:
    """Only a first step, whose length nobody knows, can overdraw it."""
    watch = Watch()
    budget = Budget(total_s, len(steps), watch)
    for step_s in steps:
        watch.now_s += step_s  # the warm-up that tells how long a step is
        left = budget.left_s
        repeats = budget.repeats(step_s)
        assert repeats == 0 or MIN_REPEATS <= repeats <= MAX_REPEATS
        assert repeats * step_s <= max(left, 0.0) * (1 + 1e-9)
        watch.now_s += repeats * step_s


def test_repeats_fill_the_window_where_there_is_time() -> None:
    assert Budget(600.0, 10, Watch()).repeats(0.01, window_s=2.0) == 200
    assert Budget(600.0, 10, Watch()).repeats(1e-6, window_s=2.0) == MAX_REPEATS
    assert Budget(600.0, 10, Watch()).repeats(1.0, window_s=2.0) == MIN_REPEATS
    # A share of 10 s for each of ten runs is less than the window.
    assert Budget(10.0, 10, Watch()).repeats(0.1, window_s=2.0) == 10
    assert Budget(1.0, 10, Watch()).repeats(0.5, window_s=2.0) == 0


def test_a_run_whose_steps_turn_slow_ends_early() -> None:
    watch = Watch()
    budget = Budget(100.0, 10, watch)
    assert budget.repeats(0.01, window_s=2.0) == 200
    watch.now_s += 2.9
    assert not budget.run_over
    watch.now_s += 0.2
    assert budget.run_over
    budget.repeats(0.01, window_s=1000.0)
    watch.now_s += 97.0
    assert budget.run_over  # no run outlasts the budget


def test_time_that_a_run_leaves_goes_to_the_others() -> None:
    watch = Watch()
    budget = Budget(10.0, 2, watch)
    budget.repeats(0.001, window_s=0.0)
    assert budget.repeats(0.1, window_s=100.0) == 100
    other = Budget(10.0, 5, watch)
    other.expect(2)
    assert other.repeats(0.1, window_s=100.0) == 50


def test_a_step_takes_time() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Budget(1.0, 1, Watch()).repeats(0.0)


@given(st.lists(st.floats(0.001, 10.0), min_size=1, max_size=50))
def test_median_and_quartiles(times: list[float]) -> None:
    timing = summarise(times)
    assert timing.time_s == pytest.approx(float(np.median(times)))
    low, high = timing.time_s - 2 * timing.spread_s, timing.time_s + 2 * timing.spread_s
    assert sum(low - 1e-9 <= value <= high + 1e-9 for value in times) >= len(times) / 2
    assert timing.repeats == len(times)


def test_nothing_to_summarise() -> None:
    with pytest.raises(ValueError, match="no runs"):
        summarise([])


def test_a_plan_of_a_model_smaller_than_two_layers() -> None:
    shape = replace(DENSE, layers=(1, 0))
    assert make_plan(shape, shots((4,), (1,), (4,)), 1e9, 2.0, 8).depths == ((1, 0), (0, 0))
