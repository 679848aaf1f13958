"""The recursions plain and compiled: the same to the last bit, and fast enough as they are."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from time import perf_counter

import numpy as np
import pytest

from aiplan.planners.arrays import Array
from aiplan.planners.compiled import SWITCH, kept
from aiplan.planners.stabilize import kernels as module
from aiplan.planners.stabilize.gpu_smoothing import smooth
from aiplan.planners.stabilize.kernels import PLAIN, Kernels, kernels, worth_compiling
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Storage
from aiplan.planners.stabilize.storage import Buffered, buffer

with_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
STEPS, STEP_S = 30_000, 0.02


def noisy_job() -> Array:
    chance = np.random.default_rng(3)
    high = np.arange(STEPS) * STEP_S % 2.0 < 1.6
    return np.where(high, 1140.0, 420.0) * chance.uniform(0.8, 1.2, STEPS)


SMOOTHINGS = (GpuSmoothing(900.0, 100.0, 20.0, 2.0), GpuSmoothing(500.0, INFINITE, 300.0))
RACK = Storage("any", "rack", 20e3, 1100.0, 0.9, 2.0, 100.0, 100.0)
STORAGES = (
    RACK,
    replace(RACK, energy_j=65.0, ramp_up_w_per_s=INFINITE, ramp_down_w_per_s=INFINITE),
    replace(RACK, power_w=100.0),
    replace(RACK, energy_j=0.0),
    replace(RACK, time_constant_s=0.0),
)


def same(one: Buffered, other: Buffered) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Buffered.__slots__)


@with_numba
@pytest.mark.parametrize("how", STORAGES)
def test_storage_compiled_is_the_same_to_the_last_bit(how: Storage) -> None:
    plain, compiled = (buffer(noisy_job(), STEP_S, how, kernels(fast)) for fast in (False, True))
    assert same(plain, compiled)


@with_numba
@pytest.mark.parametrize("how", SMOOTHINGS)
def test_smoothing_compiled_is_the_same_to_the_last_bit(how: GpuSmoothing) -> None:
    busy = np.arange(STEPS) % 9000 > 1000
    plain, compiled = (smooth(noisy_job(), STEP_S, busy, how, kernels(fast)) for fast in (False, True))
    assert np.array_equal(plain.power_w, compiled.power_w)
    assert np.array_equal(plain.withheld_w, compiled.withheld_w)
    assert plain.withheld_w.max() > 0.0 or how.ramp_up_w_per_s == INFINITE


@with_numba
def test_compiled_takes_rows_that_may_not_be_written_to() -> None:
    load = noisy_job()[::2]
    load.flags.writeable = False
    assert same(buffer(load, STEP_S, RACK, kernels(True)), buffer(load, STEP_S, RACK))


def test_plain_is_fast_enough() -> None:
    """30,000 steps in at most 30 ms, best of several runs."""
    load = PLAIN.row(noisy_job())

    def seconds(run: object) -> float:
        begin = perf_counter()
        assert callable(run)
        run()
        return perf_counter() - begin

    def follow() -> None:
        PLAIN.follow(load, 2.0, 0.4, PLAIN.empty(STEPS))

    def store() -> None:
        buffer(np.array(load), STEP_S, RACK)

    for run in (follow, store):
        assert min(seconds(run) for _ in range(7)) <= 0.030


def test_plain_needs_no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    assert not worth_compiling(10**12)
    found: Kernels = kernels(False)
    assert not found.compiled
    assert found.follow is module.follow


@with_numba
def test_many_steps_are_worth_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")
    assert worth_compiling(module.COMPILED_FROM + 1)
    assert not worth_compiling(module.LOADED_FROM)
    kernels(True)  # leaves compiled code behind, where it can
    assert worth_compiling(module.LOADED_FROM + 1) is (kept(module.follow) and kept(module.store))
