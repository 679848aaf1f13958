"""What a job does when: lengths, order, pauses, failures, jitter, offsets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.timeline import Pause, Phase, Schedule, Segments, mean_period_s, segments
from aiplan.planners.stabilize.wave import CHECKPOINT, EVALUATION, IDLE, ITERATION, RESTART, START

COMPUTE, TALK = Phase("compute", 1.6, 1140.0), Phase("communication", 0.4, 420.0)
TEST, SAVE, LOAD = Phase("test", 3.0, 700.0), Phase("save", 8.0, 240.0), Phase("load", 5.0, 300.0)
PLAIN = Schedule((COMPUTE, TALK), run_s=20.0, idle_w=180.0)
FULL = replace(
    PLAIN,
    run_s=100.0,
    evaluation=Pause(3, (TEST,)),
    checkpoint=Pause(6, (SAVE,)),
    start_up=(LOAD,),
    lead_s=7.0,
    start_s=2.0,
    tail_s=4.0,
)


def told(found: Segments) -> list[tuple[int, float, float]]:
    """Segments as kind, duration, power."""
    rows = zip(found.kind.tolist(), found.duration_s.round(9).tolist(), found.power_w.tolist(), strict=True)
    return list(rows)


def brute_force(schedule: Schedule) -> list[tuple[int, float, float]]:
    """The same without jitter, offset and failures, step by step."""
    out: list[tuple[int, float, float]] = []

    def add(kind: int, phases: tuple[Phase, ...]) -> None:
        for phase in phases:
            left = schedule.run_s - sum(length for _, length, _ in out)
            if left > 1e-9:
                out.append((kind, round(min(phase.duration_s, left), 9), phase.power_w))

    add(START, schedule.start_up)
    number = 0
    while sum(length for _, length, _ in out) < schedule.run_s - 1e-9:
        number += 1
        add(ITERATION, schedule.phases)
        for kind, pause in ((EVALUATION, schedule.evaluation), (CHECKPOINT, schedule.checkpoint)):
            if pause is not None and number % pause.every_iterations == 0:
                add(kind, pause.phases)
    before, after = schedule.lead_s + schedule.start_s, schedule.tail_s
    first = [(IDLE, before, schedule.idle_w)] if before else []
    return [*first, *out, *([(IDLE, after, schedule.idle_w)] if after else [])]


def starts_of(found: Segments, power_w: float) -> Array:
    """Times at which segments of a power begin."""
    begins = np.cumsum(found.duration_s) - found.duration_s
    return np.asarray(begins[found.power_w == power_w])


def test_iterations_pauses_start_up_and_idle_stand_in_order() -> None:
    assert told(segments(FULL, 0)) == brute_force(FULL)
    assert told(segments(FULL, 0))[:4] == [(IDLE, 9.0, 180.0), (START, 5.0, 300.0), *brute_force(FULL)[2:4]]
    counted = np.unique(segments(FULL, 0).kind)
    assert counted.tolist() == sorted([IDLE, START, ITERATION, EVALUATION, CHECKPOINT])


@given(
    run_s=st.floats(0.5, 400.0),
    evaluation=st.none() | st.integers(1, 7),
    checkpoint=st.none() | st.integers(1, 7),
    lead_s=st.sampled_from([0.0, 3.7]),
)
def test_without_chance_it_is_the_loop_over_iterations(
    run_s: float, evaluation: int | None, checkpoint: int | None, lead_s: float
) -> None:
    schedule = replace(
        FULL,
        run_s=run_s,
        lead_s=lead_s,
        evaluation=None if evaluation is None else Pause(evaluation, (TEST, TALK)),
        checkpoint=None if checkpoint is None else Pause(checkpoint, (SAVE,)),
    )
    found, wanted = told(segments(schedule, 3)), brute_force(schedule)
    assert [row[0] for row in found] == [row[0] for row in wanted]
    assert np.array(found) == pytest.approx(np.array(wanted), abs=2e-9)


@given(
    run_s=st.floats(0.0, 2000.0),
    jitter_fraction=st.floats(0.0, 3.0),
    failures_s=st.lists(st.floats(0.0, 2500.0), max_size=5),
    offset_s=st.floats(0.0, 9.0),
    restart_s=st.floats(0.0, 200.0),
    seed=st.integers(0, 5),
)
def test_the_length_is_what_was_asked_whatever_happens(
    run_s: float, jitter_fraction: float, failures_s: list[float], offset_s: float, restart_s: float, seed: int
) -> None:
    schedule = replace(
        FULL,
        run_s=run_s,
        jitter_fraction=jitter_fraction,
        failures_s=tuple(failures_s),
        phase_offset_s=offset_s,
        restart_s=restart_s,
    )
    found = segments(schedule, seed)
    assert found.total_s == pytest.approx(7.0 + 2.0 + run_s + 4.0, rel=1e-12)
    assert found.kind[0] == IDLE
    assert found.duration_s[0] == 9.0
    assert found.kind[-1] == IDLE
    assert found.duration_s[-1] == 4.0
    lengths = found.duration_s[1:-1]
    assert not lengths.size or lengths.min() > 0


def test_the_mean_period_spreads_pauses_over_iterations() -> None:
    assert mean_period_s(PLAIN) == pytest.approx(2.0)
    assert mean_period_s(FULL) == pytest.approx(2.0 + 3.0 / 3 + 8.0 / 6)
    whole = segments(replace(FULL, start_up=(), run_s=6 * 50 * mean_period_s(FULL)), 0)
    assert np.count_nonzero((whole.kind == ITERATION) & (whole.power_w == 1140.0)) == 300


def test_a_failure_cuts_then_the_job_waits_starts_up_and_counts_anew() -> None:
    schedule = replace(
        PLAIN, run_s=40.0, start_up=(LOAD,), failures_s=(14.0,), restart_s=6.0, evaluation=Pause(3, (TEST,))
    )
    assert told(segments(schedule, 0)) == [
        (START, 5.0, 300.0),
        *[(ITERATION, 1.6, 1140.0), (ITERATION, 0.4, 420.0)] * 3,
        (EVALUATION, 3.0, 700.0),  # ends at 14 s, the moment of the failure
        (RESTART, 6.0, 180.0),
        (START, 5.0, 300.0),
        *[(ITERATION, 1.6, 1140.0), (ITERATION, 0.4, 420.0)] * 3,
        (EVALUATION, 3.0, 700.0),
        *[(ITERATION, 1.6, 1140.0), (ITERATION, 0.4, 420.0)] * 3,
    ]
    cut = told(segments(replace(schedule, failures_s=(6.0, 8.5, 99.0)), 0))
    # It fails 1 s into the first compute phase, again while it waits, and once after its stop, which never happens.
    assert cut[:5] == [
        (START, 5.0, 300.0),
        (ITERATION, 1.0, 1140.0),
        (RESTART, 2.5, 180.0),
        (RESTART, 6.0, 180.0),
        cut[0],
    ]
    assert sum(kind == RESTART for kind, _, _ in cut) == 2


def test_a_failure_at_the_very_start_or_twice_at_once_leaves_no_empty_segment() -> None:
    found = segments(replace(PLAIN, failures_s=(0.0, 4.0, 4.0), restart_s=1.0), 0)
    assert found.kind[0] == RESTART
    assert found.total_s == pytest.approx(20.0, rel=1e-12)


def test_an_offset_delays_every_iteration_and_keeps_the_draws() -> None:
    for jitter in (0.0, 0.05):
        one = replace(PLAIN, run_s=200.0, jitter_fraction=jitter, evaluation=Pause(7, (TEST,)), start_up=(LOAD,))
        plain = starts_of(segments(one, 5), 1140.0)
        late = starts_of(segments(replace(one, phase_offset_s=0.3), 5), 1140.0)
        assert late[:50] == pytest.approx(plain[:50] + 0.3, abs=1e-9)
        later = starts_of(segments(replace(one, phase_offset_s=1.1), 5), 1140.0)
        assert later[0] == pytest.approx(
            plain[0]
        )  # 0.7 s of computing, 0.4 s of communication, then the first whole one
        assert later[1:50] == pytest.approx(plain[:49] + 1.1, abs=1e-9)
        assert segments(replace(one, phase_offset_s=7.3), 5).total_s == pytest.approx(200.0, rel=1e-12)


def test_jitter_is_normal_bounded_below_and_of_its_seed_alone() -> None:
    schedule = replace(PLAIN, run_s=40_000.0, jitter_fraction=0.02)
    found = segments(schedule, 11)
    computing = found.duration_s[found.power_w == 1140.0][:-1] / 1.6
    assert computing.mean() == pytest.approx(1.0, abs=4 * 0.02 / np.sqrt(computing.size))
    assert computing.std() == pytest.approx(0.02, rel=4 / np.sqrt(2 * computing.size))
    again, other = segments(schedule, 11), segments(schedule, 12)
    assert np.array_equal(found.duration_s, again.duration_s)
    assert not np.array_equal(found.duration_s[:50], other.duration_s[:50])
    np.random.seed(1)  # the global generator must not matter
    assert np.array_equal(found.duration_s, segments(schedule, 11).duration_s)
    wild = segments(replace(schedule, jitter_fraction=3.0), 11)
    assert wild.duration_s[:-1].min() == pytest.approx(0.1 * 0.4)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    one = replace(FULL, jitter_fraction=0.05, tail_s=0.0)
    short, long = segments(one, 2), segments(replace(one, run_s=900.0), 2)
    kept = short.duration_s.size - 1
    assert np.array_equal(short.duration_s[:kept], long.duration_s[:kept])


def test_without_jitter_no_iteration_differs_from_another() -> None:
    found = segments(replace(PLAIN, run_s=2000.0), 4)
    assert found.duration_s.reshape(-1, 2) == pytest.approx(np.tile([1.6, 0.4], (1000, 1)), abs=1e-9)
    assert found.energy_j == pytest.approx(1000 * (1.6 * 1140.0 + 0.4 * 420.0), rel=1e-12)


@pytest.mark.parametrize("count", [1, 3, 7, 10, 31, 1000])
def test_rounding_leaves_no_slivers_behind(count: int) -> None:
    """0.1 s is no sum of powers of two: sums of many end just before or just behind what was asked."""
    found = segments(Schedule((Phase("step", 0.1, 500.0),), run_s=count * 0.1, idle_w=100.0), 0)
    assert found.duration_s == pytest.approx(np.full(count, 0.1), rel=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"run_s": -1.0},
        {"run_s": float("nan")},
        {"run_s": float("inf")},
        {"idle_w": -5.0},
        {"jitter_fraction": -0.1},
        {"restart_s": float("inf")},
        {"phase_offset_s": -0.1},
        {"failures_s": (3.0, -1.0)},
        {"phases": ()},
        {"phases": (Phase("nothing", 0.0, 5.0),)},
        {"run_s": 0.0},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        replace(PLAIN, **change)


def test_phases_pauses_and_segments_that_cannot_be_are_refused() -> None:
    for make in (
        lambda: Phase("x", -1.0, 5.0),
        lambda: Phase("x", 1.0, float("nan")),
        lambda: Pause(0, (TEST,)),
        lambda: Segments(np.array([1.0, 0.0]), np.ones(2), np.zeros(2, dtype=np.int8)),
        lambda: Segments(np.array([1.0, 1.0]), np.ones(3), np.zeros(2, dtype=np.int8)),
        lambda: Segments(np.array([]), np.array([]), np.array([], dtype=np.int8)),
    ):
        with pytest.raises(ValueError, match=r"must|at least"):
            make()
