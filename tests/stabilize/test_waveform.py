"""From segments to a wave; lag, skew, meters and sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.timeline import Pause, Phase, Schedule, Segments, segments
from aiplan.planners.stabilize.wave import (
    CHECKPOINT,
    EVALUATION,
    IDLE,
    ITERATION,
    KIND_NAMES,
    RESTART,
    START,
    STEADY_KINDS,
    Kinds,
    Wave,
)
from aiplan.planners.stabilize.waveform import lag, meter, sample, skew, sum_of

HIGH_W, LOW_W = 100e6, 40e6
POWERS = st.lists(st.floats(0.0, 2000.0), min_size=1, max_size=60)


def kinds(*values: int) -> Kinds:
    return np.array(values, dtype=np.int8)


def square(duty: float, period_s: float, run_s: float, step_s: float, offset_s: float = 0.0) -> Wave:
    """High, then low, sampled."""
    phases = Phase("high", duty * period_s, HIGH_W), Phase("low", (1 - duty) * period_s, LOW_W)
    return sample(segments(Schedule(phases, run_s, LOW_W, phase_offset_s=offset_s), 0), step_s)


def theory_w(duty: float, harmonic: int) -> float:
    """Amplitude of a harmonic of a two-level wave: ``2 (H - L) |sin(pi k d)| / (pi k)``."""
    return float(2 * (HIGH_W - LOW_W) * abs(np.sin(np.pi * harmonic * duty)) / (np.pi * harmonic))


def line_w(power_w: Array, step_s: float, frequency_hz: float) -> float:
    """Amplitude at a frequency through a Hann window."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(power_w.size) + 0.5) / power_w.size)
    turn = np.exp(-2j * np.pi * frequency_hz * step_s * np.arange(power_w.size))
    return float(abs(2 * np.sum((power_w - power_w.mean()) * window * turn)) / window.sum())


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_a_cell_holds_the_mean_of_what_happens_in_it() -> None:
    made = Segments(np.array([0.25, 0.5, 1.25]), np.array([100.0, 300.0, 40.0]), kinds(IDLE, START, ITERATION))
    wave = sample(made, 0.5)
    assert wave.power_w == pytest.approx([200.0, 170.0, 40.0, 40.0], rel=1e-12)
    assert wave.kind is not None
    assert wave.kind.tolist() == [START, ITERATION, ITERATION, ITERATION]  # at 0.25, 0.75, 1.25 and 1.75 s
    assert wave.start_s == 0.0


def test_beyond_the_last_segment_its_power_and_kind_hold() -> None:
    made = Segments(np.array([1.0, 1.0]), np.array([100.0, 40.0]), kinds(ITERATION, IDLE))
    assert sample(made, 0.8).power_w == pytest.approx([100.0, (0.2 * 100 + 0.6 * 40) / 0.8, 40.0], rel=1e-12)
    longer, shorter = sample(made, 0.5, 3.0), sample(made, 0.5, 1.4)
    assert longer.power_w == pytest.approx([100.0, 100.0, 40.0, 40.0, 40.0, 40.0], rel=1e-12)
    assert longer.kind is not None
    assert longer.kind.tolist() == [ITERATION] * 2 + [IDLE] * 4
    assert shorter.power_w == pytest.approx([100.0, 100.0, 40.0], rel=1e-12)
    assert sample(made, 10.0).power_w == pytest.approx([(100 + 9 * 40) / 10], rel=1e-12)


@pytest.mark.parametrize(("period_s", "offset_s"), [(2.0, 0.0), (2.0, 0.37), (1.7, 0.0), (10.766, 3.1), (0.31, 0.1)])
@pytest.mark.parametrize("duty", [0.8, 0.5, 0.63])
def test_a_square_wave_has_the_harmonics_of_theory(period_s: float, offset_s: float, duty: float) -> None:
    """Harmonics 1, 2, 3 within 0.1, 0.1 and 1 % where a cell is short against a period."""
    wave = square(duty, period_s, 200 * period_s, period_s / 500, offset_s)
    assert wave.power_w.mean() == pytest.approx(duty * HIGH_W + (1 - duty) * LOW_W, rel=1e-4)
    for harmonic, within in ((1, 1e-3), (2, 1e-3), (3, 1e-2)):
        found = line_w(wave.power_w, wave.step_s, harmonic / period_s)
        assert found == pytest.approx(theory_w(duty, harmonic), rel=within, abs=1e-6 * HIGH_W)


def test_at_fifty_hertz_the_references_square_wave_is_met() -> None:
    """Section 6: 22.452, 18.164 and 12.109 MW in theory. Edges that meet ends of cells make it a sum over N cells."""
    wave = square(0.8, 2.0, 120.0, 0.02)
    for harmonic, told_w, within in ((1, 22.452e6, 1e-3), (2, 18.164e6, 1e-3), (3, 12.109e6, 1e-2)):
        assert theory_w(0.8, harmonic) == pytest.approx(told_w, rel=1e-4)
        angle = np.pi * harmonic / 100
        found = line_w(wave.power_w, 0.02, harmonic / 2.0)
        assert found == pytest.approx(told_w, rel=within)
        assert found == pytest.approx(theory_w(0.8, harmonic) * angle / np.sin(angle), rel=1e-6)


def test_without_jitter_a_wave_repeats_itself() -> None:
    wave = square(0.63, 1.7, 1.7 * 40, 0.017)
    assert wave.power_w.reshape(40, 100) == pytest.approx(np.tile(wave.power_w[:100], (40, 1)), rel=1e-9)
    assert set(np.round(wave.power_w[:100])) == {HIGH_W, LOW_W}


@given(
    rows=st.lists(st.tuples(st.floats(1e-3, 30.0), st.just(0.0) | st.floats(1e-3, 1e9)), min_size=1, max_size=40),
    step_s=st.floats(0.005, 5.0),
)
def test_sampling_keeps_energy(rows: list[tuple[float, float]], step_s: float) -> None:
    lengths, powers = np.array(rows).T
    made = Segments(lengths, powers, np.full(lengths.size, ITERATION, dtype=np.int8))
    wave = sample(made, step_s)
    beyond_s = wave.duration_s - made.total_s
    assert -1e-5 * step_s <= beyond_s < step_s
    wanted = made.energy_j + beyond_s * powers[-1]
    assert 3600 * wave.energy_wh == pytest.approx(wanted, rel=1e-11, abs=1e-9 * powers.max() * made.total_s)
    assert wave.power_w.min() >= powers.min() - 1e-6 * powers.max()
    assert wave.power_w.max() <= powers.max() * (1 + 1e-6)


def test_kinds_of_a_schedule_arrive_in_the_wave() -> None:
    step, test, save = Phase("step", 2.0, 900.0), Phase("test", 4.0, 700.0), Phase("save", 6.0, 200.0)
    schedule = Schedule(
        (step,),
        run_s=60.0,
        idle_w=100.0,
        evaluation=Pause(3, (test,)),
        checkpoint=Pause(6, (save,)),
        start_up=(Phase("load", 5.0, 300.0),),
        lead_s=10.0,
        tail_s=10.0,
        failures_s=(50.0,),
        restart_s=3.0,
    )
    wave = sample(segments(schedule, 0), 0.5)
    assert wave.kind is not None
    seconds = {name: 0.5 * np.count_nonzero(wave.kind == at) for at, name in enumerate(KIND_NAMES)}
    # 45 s from start-up to failure: 26 s a round of six steps, two evaluations and a checkpoint, then 19 s of the next.
    wanted = {"idle": 20.0, "start": 10.0, "iteration": 12 + 12 + 2.0, "evaluation": 8 + 4 + 3.0, "checkpoint": 6.0}
    assert seconds == {**wanted, "restart": 3.0, "stop": 0.0}
    assert np.all(wave.power_w[wave.kind == CHECKPOINT] == pytest.approx(200.0))


def test_ten_minutes_of_short_iterations_at_fifty_hertz_are_many_segments_and_exact() -> None:
    phases = Phase("compute", 0.25, 1140.0), Phase("talk", 0.05, 420.0)
    schedule = Schedule(phases, run_s=600.0, idle_w=180.0, jitter_fraction=0.02)
    made = segments(schedule, 1)
    wave = sample(made, 0.02)
    assert made.duration_s.size > 3900
    assert wave.power_w.size == 30_000
    assert 3600 * wave.energy_wh == pytest.approx(made.energy_j, rel=1e-12)


# --- lag --------------------------------------------------------------------------------------------------------------


def test_a_step_through_a_lag_is_the_closed_form_in_every_cell() -> None:
    power = np.concatenate([np.full(5, 100.0), np.full(200, 300.0)])
    for tau_s in (0.003, 0.03, 5.0):
        out = lag(power, 0.02, tau_s)
        edges = 0.02 * np.arange(201)
        left = tau_s * -np.diff(np.exp(-edges / tau_s)) / 0.02  # mean of exp(-t / tau) over each cell
        assert out[:5] == pytest.approx(np.full(5, 100.0), rel=1e-12)
        assert out[5:] == pytest.approx(300.0 - 200.0 * left, rel=1e-10)


def test_a_lag_of_nothing_changes_nothing_and_one_in_equilibrium_either() -> None:
    power = np.array([3.0, 9.0, 1.0])
    assert lag(power, 0.1, 0.0).tolist() == power.tolist()
    assert lag(np.full(50, 7.0), 0.1, 33.0).tolist() == [7.0] * 50
    assert lag([], 0.1, 3.0).size == 0
    assert lag([5.0], 0.1, 3.0).tolist() == [5.0]
    tau_s = 2.0
    started = lag(np.zeros(10), 1.0, tau_s, start_w=100.0)
    assert started[0] == pytest.approx(100.0 * tau_s * (1 - np.exp(-1 / tau_s)), rel=1e-12)


def test_the_gain_of_a_lag_is_that_of_a_low_pass_filter() -> None:
    """A sine of many cells a period: 1 / sqrt(1 + (2 pi f tau)^2)."""
    time_s = 0.001 * (np.arange(40_000) + 0.5)
    for frequency_hz, tau_s in ((0.5, 0.03), (5.0, 0.03), (5.0, 0.3), (1.0, 2.0)):
        sine = 50.0 + 10.0 * np.sin(2 * np.pi * frequency_hz * time_s)
        out = lag(sine, 0.001, tau_s)[20_000:]
        gain = 1.0 / np.hypot(1.0, 2 * np.pi * frequency_hz * tau_s)
        assert line_w(out, 0.001, frequency_hz) / 10.0 == pytest.approx(gain, rel=1e-3)


@given(power=POWERS, step_s=st.floats(1e-3, 3.0), tau_s=st.floats(1e-4, 500.0), start_w=st.none() | st.floats(0, 2000))
def test_a_lag_is_the_recursive_filter_and_never_leaves_the_range(
    power: list[float], step_s: float, tau_s: float, start_w: float | None
) -> None:
    out = lag(power, step_s, tau_s, start_w)
    begin = power[0] if start_w is None else start_w
    keep = np.exp(-step_s / tau_s)
    mean = (1 - keep) * tau_s / step_s
    wanted = begin + lfilter([1 - mean, mean - keep], [1, -keep], np.array(power) - begin)
    assert out == pytest.approx(wanted, abs=1e-7)
    assert out.min() >= min(*power, begin) - 1e-9
    assert out.max() <= max(*power, begin) + 1e-9


@given(power=POWERS, tau_s=st.floats(0.01, 0.5))
def test_a_lag_keeps_energy_once_it_has_settled(power: list[float], tau_s: float) -> None:
    settled = [*power, *([power[0]] * 1500)]
    assert lag(settled, 0.02, tau_s).sum() == pytest.approx(sum(settled), rel=1e-9)


# --- skew -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma_s", [0.01, 0.02, 0.05, 0.1, 0.3, 2.0])
def test_a_skew_multiplies_every_harmonic_by_its_gaussian(sigma_s: float) -> None:
    """Cells of 20 ms, so from half a cell to a hundred; a two-level wave of 2 s, and one of 10 s for the longest."""
    period_s = 2.0 if sigma_s < 1 else 20.0
    wave = square(0.8, period_s, 100 * period_s, 0.02)
    out = skew(wave.power_w, 0.02, sigma_s)
    inner = slice(10 * round(period_s / 0.02), -10 * round(period_s / 0.02))
    for harmonic in (1, 2, 3, 4, 6):
        frequency_hz = harmonic / period_s
        before = line_w(wave.power_w[inner], 0.02, frequency_hz)
        gain = np.exp(-0.5 * (2 * np.pi * frequency_hz * sigma_s) ** 2)
        assert line_w(out[inner], 0.02, frequency_hz) == pytest.approx(gain * before, rel=1e-3, abs=1.0)
    assert out.sum() == pytest.approx(wave.power_w.sum(), rel=1e-3)


@given(power=POWERS, sigma_s=st.floats(0.02, 1.0))
def test_a_skew_keeps_energy_between_ends_that_stand_still(power: list[float], sigma_s: float) -> None:
    still = np.full(1000, 500.0)
    whole = np.concatenate([still, power, still])
    out = skew(whole, 0.02, sigma_s)
    assert out.sum() == pytest.approx(whole.sum(), rel=1e-9)
    assert out[[0, -1]] == pytest.approx([500.0, 500.0], rel=1e-5)


def test_a_skewed_edge_is_the_normal_distribution_and_ends_are_held() -> None:
    power = np.concatenate([np.full(4000, 40.0), np.full(4000, 100.0)])
    out = skew(power, 0.02, 0.5)
    at_s = 0.02 * (np.arange(8000) + 0.5) - 80.0
    # A cell's mean of the blurred edge differs from its middle by h^2 / 24 times the curvature, below 0.001 W.
    assert out == pytest.approx(40.0 + 60.0 * ndtr(at_s / 0.5), abs=0.005)
    ramp = skew(np.linspace(0.0, 100.0, 500), 0.02, 0.2)
    assert 0.0 < ramp[0] < 5.0
    assert 95.0 < ramp[-1] < 100.0
    assert ramp[100:-100] == pytest.approx(np.linspace(0.0, 100.0, 500)[100:-100], rel=1e-9)


@given(
    power=st.lists(st.floats(0.0, 2000.0), min_size=1, max_size=200),
    sigma=st.floats(2.0, 60.0),
    tail=st.integers(0, 300),
)
def test_a_skew_is_a_convolution_with_held_ends(power: list[float], sigma: float, tail: int) -> None:
    """From two cells on a Gaussian at the cells' middles is the same to 1e-7, whatever the length."""
    row = np.array([*power, *([power[-1] + 1000.0] * tail)])
    wanted = gaussian_filter1d(row, sigma, mode="nearest", truncate=8.0)
    assert skew(row, 0.02, 0.02 * sigma) == pytest.approx(wanted, abs=1e-3)


def test_first_and_last_power_do_not_see_each_other() -> None:
    for sigma in (0.5, 1.0, 7.0):
        out = skew(np.concatenate([np.zeros(764), np.ones(764)]), 1.0, sigma)
        assert out[:300] == pytest.approx(np.zeros(300), abs=1e-5)
        assert out[-300:] == pytest.approx(np.ones(300), abs=1e-5)


def test_a_short_skew_overshoots_by_no_more_than_it_says() -> None:
    power = np.concatenate([np.zeros(500), np.ones(500)])
    for sigma, most in ((0.5, 0.013), (1.0, 1e-4), (2.0, 1e-9)):
        out = skew(power, 1.0, sigma)
        assert out.max() - 1 <= most
        assert out.min() >= -most
    assert skew(power, 1.0, 0.0).tolist() == power.tolist()
    assert skew([], 1.0, 1.0).size == 0
    assert skew(np.full(300, 7.0), 1.0, 5.0).tolist() == [7.0] * 300


def test_a_skew_is_the_mean_of_shifted_nodes() -> None:
    """2,000 nodes at the quantiles of their clocks, each sampled exactly, against one convolution."""
    phases = Phase("high", 1.6, HIGH_W), Phase("low", 0.4, LOW_W)
    made = segments(Schedule(phases, 60.0, LOW_W), 0)
    clocks = 0.1 * ndtri((np.arange(2000) + 0.5) / 2000)
    edges = 0.02 * np.arange(1001, 2001)
    ends = np.concatenate([[0.0], np.cumsum(made.duration_s)])
    energy = np.concatenate([[0.0], np.cumsum(made.duration_s * made.power_w)])
    exact = np.mean([np.diff(np.interp(edges - late, ends, energy)) / 0.02 for late in clocks], axis=0)
    found = skew(sample(made, 0.02).power_w, 0.02, 0.1)[1001:2000]
    assert found == pytest.approx(exact, abs=0.003 * (HIGH_W - LOW_W))


# --- meters and sums --------------------------------------------------------------------------------------------------


def test_a_meter_shows_the_mean_of_its_window() -> None:
    power = np.array([10.0, 20.0, 40.0, 80.0])
    assert meter(power, 1.0, 1.0, [1.0, 2.0, 3.0, 4.0]) == pytest.approx(power)
    assert meter(power, 1.0, 2.0, [2.0, 3.5, 4.0]) == pytest.approx([15.0, (0.5 * 20 + 40 + 0.5 * 80) / 2, 60.0])
    assert meter(power, 1.0, 2.0, [1.0, 5.0, 9.0]) == pytest.approx([10.0, 80.0, 80.0])  # held beyond the ends
    assert meter(power, 1.0, 0.5, []).size == 0


def test_a_meter_has_the_gain_of_a_moving_mean() -> None:
    time_s = 0.01 * (np.arange(200_000) + 0.5)
    sine = 100.0 + 10.0 * np.sin(2 * np.pi * 0.09148 * time_s)
    shown = meter(sine, 0.01, 3.0, 0.5 * np.arange(200, 3900))
    assert line_w(shown, 0.5, 0.09148) / 10 == pytest.approx(np.sinc(0.09148 * 3.0), rel=1e-3)


def test_jobs_add_up_and_transients_win_over_steady_states() -> None:
    one = Wave(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 0.5, kind=kinds(ITERATION, EVALUATION, IDLE, ITERATION, IDLE))
    two = Wave(np.array([9.0, 8.0, 7.0, 6.0, 5.0]), 0.5, kind=kinds(ITERATION, ITERATION, ITERATION, RESTART, START))
    total = sum_of([one, two])
    assert total.power_w.tolist() == [10.0] * 5
    assert total.kind is not None
    assert total.kind.tolist() == [ITERATION, EVALUATION, IDLE, RESTART, START]
    assert total.known is None
    assert sum_of([one]).power_w.tolist() == one.power_w.tolist()
    assert sum_of([one, Wave(two.power_w, 0.5)]).kind is None
    gaps = Wave(two.power_w, 0.5, kind=two.kind, known=np.array([True, False, True, True, True]))
    others = Wave(two.power_w, 0.5, kind=two.kind, known=np.array([True, True, True, False, True]))
    known = sum_of([one, gaps, others]).known
    assert known is not None
    assert known.tolist() == [True, False, True, False, True]


@given(rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_the_kind_of_a_sum_is_steady_only_where_every_job_is(rows: list[tuple[int, int, int]]) -> None:
    each = np.array(rows, dtype=np.int8).T
    waves = [Wave(np.ones(len(rows)), 1.0, kind=kind) for kind in each]
    found, turned = sum_of(waves).kind, sum_of(waves[::-1]).kind
    assert found is not None
    assert turned is not None
    assert found.tolist() == turned.tolist()
    assert np.array_equal(np.isin(found, STEADY_KINDS), np.all(np.isin(each, STEADY_KINDS), axis=0))
    assert np.all(np.any(found == each, axis=0))


def test_jobs_in_antiphase_cancel_the_first_line_and_independent_ones_add_in_square() -> None:
    together = sum_of([square(0.5, 2.0, 200.0, 0.02, offset) for offset in (0.0, 1.0)])
    assert together.power_w == pytest.approx(np.full(10_000, HIGH_W + LOW_W), rel=1e-9)
    random = np.random.Generator(np.random.PCG64(4))
    jobs = [[square(0.8, 2.0, 100.0, 0.02, offset) for offset in random.uniform(0, 2, 25)] for _ in range(60)]
    lines = [line_w(sum_of(some).power_w[500:-500], 0.02, 0.5) for some in jobs]
    # Phases at random: the mean square of the sum is 25 times that of one, so 1 / sqrt(25) of the sum in phase.
    in_phase = 25 * theory_w(0.8, 1)
    assert np.sqrt(np.mean(np.square(lines))) / in_phase == pytest.approx(1 / 5, rel=3 / np.sqrt(60))


STILL = Wave(np.ones(3), 0.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sum_of([]),
        lambda: sum_of([STILL, Wave(np.ones(4), 0.5)]),
        lambda: sum_of([STILL, Wave(np.ones(3), 0.4)]),
        lambda: sum_of([STILL, Wave(np.ones(3), 0.5, start_s=1.0)]),
        lambda: lag([1.0], 0.0, 1.0),
        lambda: lag([1.0], 0.1, -1.0),
        lambda: lag([1.0], 0.1, float("nan")),
        lambda: skew([1.0], 0.0, 1.0),
        lambda: skew([1.0], 0.1, -1.0),
        lambda: meter([1.0], 0.1, 0.0, [1.0]),
        lambda: meter([], 0.1, 1.0, [1.0]),
        lambda: sample(Segments(np.ones(1), np.ones(1), kinds(IDLE)), 0.0),
        lambda: sample(Segments(np.ones(1), np.ones(1), kinds(IDLE)), 0.1, -1.0),
        lambda: sample(Segments(np.ones(1), np.ones(1), kinds(IDLE)), 0.1, float("inf")),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"must|at least one"):
        call()
