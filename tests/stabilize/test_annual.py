"""A year from one run: closed forms by hand, weights of what happens seldom, and energy that is only parked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.annual import (
    AT_CHECKPOINT,
    AT_RESTART,
    AT_START,
    AT_STOP,
    STEADY,
    Episodes,
    Rates,
)
from aiplan.planners.stabilize.wave import CHECKPOINT, EVALUATION, IDLE, ITERATION, RESTART, START, Kinds

RATES = Rates(uptime=0.9, starts=100.0, checkpoints=1000.0, restarts=10.0)
NEVER = Rates(0.9, 0.0, 0.0, 0.0)
STEP_S, SETTLE_S = 0.5, 5.0


def kinds(*parts: tuple[int, float]) -> Kinds:
    """Kinds that last so many seconds each."""
    return np.concatenate([np.full(round(seconds / STEP_S), kind, dtype=np.int8) for kind, seconds in parts])


WHOLE = kinds((IDLE, 10), (START, 4), (ITERATION, 60), (CHECKPOINT, 6), (ITERATION, 60), (RESTART, 8), (START, 4),
              (ITERATION, 60), (EVALUATION, 10), (ITERATION, 30), (IDLE, 10))  # fmt: skip
EPISODES = Episodes.of(WHOLE, STEP_S, SETTLE_S)


def test_every_stretch_is_what_happens_in_it() -> None:
    assert EPISODES.counts == (0, 1, 1, 1, 1)
    labels = [STEADY if kind in (ITERATION, EVALUATION) else None for kind in WHOLE]
    for at, label in enumerate(labels):
        if label == STEADY and EPISODES.label[at] != STEADY:
            # What still settles, and the one step before that belongs to the edge.
            later = WHOLE[at + 1] if at + 1 < WHOLE.size else IDLE
            before = WHOLE[max(0, at - round(SETTLE_S / STEP_S)) : at]
            assert later not in (ITERATION, EVALUATION) or not set(before.tolist()) <= {ITERATION, EVALUATION}
    assert set(EPISODES.label[WHOLE == CHECKPOINT].tolist()) == {AT_CHECKPOINT}
    assert set(EPISODES.label[WHOLE == RESTART].tolist()) == {AT_RESTART}
    assert set(EPISODES.label[:28].tolist()) == {AT_START}
    assert set(EPISODES.label[-20:].tolist()) == {AT_STOP}
    np.testing.assert_array_equal(EPISODES.busy, ~np.isin(WHOLE, (IDLE, RESTART)))


def test_a_year_by_hand() -> None:
    """100 W in steady state; 1 kJ too much at the start, 2 at the checkpoint, 3 at the restart, 4 after the stop."""
    values = np.where(EPISODES.busy, 100.0, 0.0)
    for label, joules in ((AT_START, 1e3), (AT_CHECKPOINT, 2e3), (AT_RESTART, 3e3), (AT_STOP, 4e3)):
        values[np.flatnonzero(EPISODES.label == label)[-3]] += joules / STEP_S
    expected = 100.0 * 8760 * 0.9 + (100 * 1e3 + 1000 * 2e3 + 10 * 3e3 + 100 * 4e3) / 3600.0
    assert EPISODES.annual(values, RATES) == pytest.approx(expected, rel=1e-12)
    assert EPISODES.annual(values, NEVER) == pytest.approx(100.0 * 8760 * 0.9, rel=1e-12)
    twice = EPISODES.annual(values, replace(RATES, starts=200.0))
    assert twice - expected == pytest.approx(100 * (1e3 + 4e3) / 3600.0, rel=1e-6)


def test_a_restart_that_the_run_has_not_counts_as_a_stop_and_a_start() -> None:
    kind = kinds((IDLE, 10), (ITERATION, 60), (IDLE, 10))
    episodes = Episodes.of(kind, STEP_S, SETTLE_S)
    values = np.zeros(kind.size)
    values[20], values[-5] = 30.0, 50.0  # 15 J at the start, 25 J after the stop
    alone = Rates(0.9, 0.0, 0.0, 10.0)
    assert episodes.annual(values, alone) == pytest.approx(10 * (15.0 + 25.0) / 3600.0, rel=1e-12)


def test_two_of_a_kind_count_by_their_mean() -> None:
    kind = kinds((ITERATION, 60), (CHECKPOINT, 6), (ITERATION, 60), (CHECKPOINT, 6), (ITERATION, 60))
    episodes = Episodes.of(kind, STEP_S, SETTLE_S)
    assert episodes.counts[AT_CHECKPOINT] == 2
    values = np.zeros(kind.size)
    first, second = np.flatnonzero(np.diff((kind == CHECKPOINT).astype(int)) == 1) + 1
    values[first], values[second] = 10.0, 30.0
    assert episodes.annual(values, RATES) == pytest.approx(1000.0 * 20.0 * STEP_S / 3600.0, rel=1e-12)


@pytest.mark.parametrize("kind", [kinds((IDLE, 5), (START, 20), (IDLE, 5)), kinds((START, 20))])
def test_without_a_steady_state_the_mean_while_busy_stands_in(kind: Kinds) -> None:
    episodes = Episodes.of(kind, STEP_S, SETTLE_S)
    assert not np.any(episodes.label == STEADY)
    values = np.where(kind == START, 70.0, 0.0)
    assert episodes.steady(values) == pytest.approx(70.0)
    assert episodes.annual(values, RATES) == pytest.approx(70.0 * 8760 * 0.9, rel=1e-9)


def test_a_job_that_is_never_there_has_a_year_of_nothing() -> None:
    episodes = Episodes.of(kinds((IDLE, 20)), STEP_S, SETTLE_S)
    assert episodes.annual(np.zeros(40), RATES) == 0.0


rows = st.builds(
    lambda seed, scale: scale * np.random.default_rng(seed).standard_normal(WHOLE.size),
    st.integers(0, 2**32), st.floats(1e-3, 1e6),
)  # fmt: skip


@given(rows, rows, st.floats(-10.0, 10.0))
@settings(max_examples=50)
def test_a_year_is_linear_in_power(one: Array, other: Array, factor: float) -> None:
    together = EPISODES.annual(one + factor * other, RATES)
    apart = EPISODES.annual(one, RATES) + factor * EPISODES.annual(other, RATES)
    assert together == pytest.approx(apart, rel=1e-9, abs=1e-3)


@given(rows)
@settings(max_examples=50)
def test_a_year_made_of_the_run_itself_has_its_energy(values: Array) -> None:
    """So many hours, starts and checkpoints as the run has in it, repeated: the year's integral is the run's."""
    times = 8760.0 * 3600.0 / (WHOLE.size * STEP_S)
    busy = float(EPISODES.busy.mean())
    rates = Rates(busy, times, times, times)
    whole = float(values.sum()) * STEP_S / 3600.0 * times
    assert EPISODES.annual(values, rates) == pytest.approx(whole, rel=1e-9, abs=1e-3)
