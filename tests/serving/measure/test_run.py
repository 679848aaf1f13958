"""The whole measurement on NumPy: points scaled from two depths are those of the whole stack."""

from __future__ import annotations

import time
from typing import Any

import pytest

from aiplan.planners.serving.measure.backend import NumpyBackend
from aiplan.planners.serving.measure.forward import build
from aiplan.planners.serving.measure.power import PowerReading
from aiplan.planners.serving.measure.run import LeftOutError, measure_plan, point_of, step_of
from aiplan.planners.serving.measure.schedule import Budget, Plan, Shot, Timing, make_plan, shots
from aiplan.planners.serving.measure.stack import depths_to_time
from tests.serving.measure.shapes import DENSE, SHAPES, CountingBackend


@pytest.mark.parametrize("name", SHAPES)
def test_two_depths_tell_the_time_of_all_layers(name: str) -> None:
    """With a clock that counts work, times from cut stacks equal those of the whole stack, run as a whole."""
    shape, wanted = SHAPES[name], shots((4, 16), (1, 8), (6, 32))
    backend = CountingBackend()
    plan = Plan(depths_to_time(shape.layers, 3), wanted, ())
    assert plan.depths[0] != shape.layers
    budget = Budget(1e9, len(wanted) * len(plan.depths), time.perf_counter)
    done = measure_plan(backend, shape, plan, budget)
    assert (done.dropped, done.idle_power_w, done.power_method) == ((), None, "")
    whole = build(backend, shape, shape.layers)
    for shot, point in zip(wanted, (*done.prefill, *done.decode), strict=True):
        (seconds,) = backend.time_s(step_of(backend, whole, shot), 1)
        assert point.time_s == pytest.approx(seconds, rel=1e-6)
        assert (point.batch, point.context_tokens, point.tokens) == (shot.batch, shot.context_tokens, shot.tokens)
        assert point.spread_s == pytest.approx(0.0, abs=1e-6)
        # Fixed: the output head alone, one product.
        head_s = 1e-3 + 2e-9 * shot.batch * shape.head_params
        assert point.overhead_s == pytest.approx(head_s, rel=1e-5)


def test_a_real_computation_on_a_clock_of_processor_time() -> None:
    """Scaled from four and two layers, or run as a whole: the same seconds, as far as a shared machine allows."""
    clock = time.process_time  # other processes' time is not in it
    backend, shot = NumpyBackend(memory_bytes=1e9, clock=clock), Shot("prefill", 1, 400)
    plan = make_plan(DENSE, [shot], backend.free_bytes(), backend.bytes_per_weight, 4)
    assert plan.depths == ((4, 0), (2, 0))
    told: list[str] = []
    started = clock()
    done = measure_plan(backend, DENSE, plan, Budget(2.0, 2, clock), say=told.append)
    assert clock() - started < 2.5
    assert (len(told), len(done.prefill), done.dropped) == (1, 1, ())
    direct_s = min(backend.time_s(step_of(backend, build(backend, DENSE, DENSE.layers), shot), 10))
    assert 0.4 < done.prefill[0].time_s / direct_s < 2.5
    assert done.prefill[0].repeats >= 5


def test_what_exceeds_the_budget_is_left_out_and_named() -> None:
    plan = Plan(depths_to_time(DENSE.layers, 4), shots((8,), (1,), (8,)), ())
    told: list[str] = []
    budget = Budget(0.0, 4, time.perf_counter)
    done = measure_plan(NumpyBackend(), DENSE, plan, budget, say=told.append)
    assert (done.prefill, done.decode) == ((), ())
    assert [reason for _, reason in done.dropped] == ["the time budget is used up"] * 2
    assert all("left out" in text for text in told)


class Tiring(NumpyBackend):
    """Its clock moves 10 ms in each of the first four steps and 1 s in every later one."""

    def __init__(self) -> None:
        self.now_s, self.steps = 0.0, 0
        super().__init__(clock=lambda: self.now_s)

    def linear(self, x: Any, weight: Any) -> Any:
        if weight.shape[0] == DENSE.vocab_size:  # once per step
            self.steps += 1
            self.now_s += 0.01 * x.shape[0] if self.steps <= 4 else 1.0
        return super().linear(x, weight)


def test_steps_that_turn_slow_do_not_run_away_with_the_time() -> None:
    backend = Tiring()
    plan = Plan(depths_to_time(DENSE.layers, 4), shots((8,), (1,), (8,)), ())
    measure_plan(backend, DENSE, plan, Budget(60.0, 4, lambda: backend.now_s))
    # Planned were 200 steps; the run ends with its first part of 25, and 60 s leave no room for many more.
    assert backend.now_s < 60.0 + 30.0


class SmallMemory(NumpyBackend):
    """Has no room for large arrays."""

    def normal(self, size: tuple[int, ...], scale: float) -> object:  # type: ignore[override]
        if len(size) == 4 and size[2] > 100:
            raise MemoryError
        return super().normal(size, scale)


def test_what_exceeds_the_memory_is_left_out_and_the_rest_goes_on() -> None:
    plan = Plan(depths_to_time(DENSE.layers, 4), shots((8,), (1,), (200,)), ())
    done = measure_plan(SmallMemory(), DENSE, plan, Budget(2.0, 4, time.perf_counter))
    assert len(done.prefill) == 1
    assert done.dropped == ((Shot("decode", 1, 200), "does not fit the memory"),)


SHOT = Shot("decode", 4, 100)
DEPTHS = ((4, 0), (2, 0))


def run(time_s: float, power_w: float | None, spread_s: float = 0.0) -> tuple[Timing, PowerReading]:
    return Timing(time_s, spread_s, 10), PowerReading(power_w, "samples", 1500.0)


def test_power_is_scaled_energy_over_scaled_time() -> None:
    # Layers of 1 s at 500 W behind a fixed 2 s at 200 W; 6 layers: 3,400 J in 8 s.
    point = point_of(DENSE, DEPTHS, SHOT, [run(6.0, 2400 / 6), run(4.0, 1400 / 4)], 2.0)
    assert point.time_s == pytest.approx(8.0)
    assert point.overhead_s == pytest.approx(2.0)
    assert point.power_w == pytest.approx(3400 / 8)


def test_no_power_where_one_depth_has_none() -> None:
    assert point_of(DENSE, DEPTHS, SHOT, [run(6.0, 400.0), run(4.0, None)], 2.0).power_w is None


def test_a_fixed_part_below_zero_is_none() -> None:
    assert point_of(DENSE, DEPTHS, SHOT, [run(6.0, None), run(2.9, None)], 2.0).overhead_s == 0.0


@pytest.mark.parametrize(
    ("deep", "shallow"),
    [(run(4.0, None), run(4.0, None)), (run(3.0, None), run(4.0, None)), (run(4.1, None, 4.0), run(4.0, None, 4.0))],
)
def test_depths_that_do_not_differ(deep: tuple[Timing, PowerReading], shallow: tuple[Timing, PowerReading]) -> None:
    with pytest.raises(LeftOutError, match="do not differ"):
        point_of(DENSE, DEPTHS, SHOT, [deep, shallow], 2.0)
