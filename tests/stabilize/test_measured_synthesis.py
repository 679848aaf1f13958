"""A measured training run from its log alone: GPT-3 175B on 64 nodes, 512 H100, MLPerf Training v4.0.

Source of the times: mlcommons/training_results_v4.0@6fe9543, log ``result_5848-240517221859825376616_2.txt`` of
64xSMC-H100-SXM-80GB, seconds after 2024-05-17 15:38:28.906 UTC; of the power: the 64 meters' logs beside it, summed on
a grid of 2 s. Everything else is chosen by reasoning, nothing is fitted to the spectrum:

- three levels read off the trace: 454.5 kW flat top of a step (454-455), 409 kW trough between steps and evaluation,
  387 kW the first seconds of an evaluation (379-395);
- one low duration, 3.02 s, around the end of each step and at the beginning of each evaluation: what makes the mean of
  these levels over a block the measured 438.28 kW. The trace says 1.5 to 4 s after the stamp for the rise;
- one smear, a moving mean over 2.005 s: the meters report once in 2.005 s, taken as the mean since the last report
  (assumed). The clocks of the meters differ by up to 1.7 s besides; with a window of that variance too,
  ``sqrt(2.005^2 + 1.7^2) = 2.63 s``, the bounds hold as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.stabilize.timeline import Pause, Phase, Schedule, Segments, mean_period_s, segments
from aiplan.planners.stabilize.wave import EVALUATION, ITERATION
from aiplan.planners.stabilize.waveform import meter, sample

BLOCKS = np.array(
    [
        (-1.104, 128.279, 141.439),
        (141.440, 270.511, 283.470),
        (283.471, 412.643, 425.604),
        (425.604, 554.776, 567.740),
        (567.740, 696.934, 709.896),
        (709.896, 839.170, 852.132),
        (852.132, 981.321, 994.284),
        (994.284, 1123.472, 1136.435),
        (1136.435, 1265.631, 1278.593),
        (1278.594, 1407.790, 1420.755),
        (1420.756, 1549.950, 1562.913),
        (1562.913, 1692.127, 1705.100),
        (1705.101, 1834.225, 1847.188),
        (1847.188, 1976.400, 1989.364),
        (1989.364, 2118.492, 2131.466),
        (2131.467, 2260.621, 2273.585),
        (2273.585, 2402.755, 2415.717),
        (2415.717, 2544.847, 2557.811),
        (2557.811, 2687.057, 2700.034),
        (2700.035, 2829.183, 2842.147),
        (2842.147, 2971.364, 2984.326),
        (2984.326, 3113.515, 3126.477),
        (3126.477, 3255.624, 3268.619),
        (3268.619, 3397.820, 3410.781),
    ]
)
"""Start and stop of each block of 12 steps, stop of the evaluation that follows it [s]."""
STEPS = 12
BEGIN_S = float(BLOCKS[0, 0])
BLOCK_S = float(np.mean(BLOCKS[:, 1] - BLOCKS[:, 0]))
EVALUATION_S = float(np.mean(BLOCKS[:, 2] - BLOCKS[:, 1]))
REPORTED_STEP_S = 10.627
"""Step time as the trainer reports it, without the gaps between steps [s]."""

TOP_KW, TROUGH_KW, FIRST_KW = 454.5, 409.0, 387.0
MEASURED_MEAN_KW = 438.28
METER_S = 2.005
METER_AND_CLOCKS_S = float(np.hypot(2.005, 1.7))
WITHIN = 0.12
"""What issue 7 asks for [1]."""
TRIM_ROWS = 60
GRID_S = 0.05


def low_s() -> float:
    """The low duration, from the balance of the mean over block and evaluation [s]."""
    surplus = TOP_KW * BLOCK_S + TROUGH_KW * EVALUATION_S - MEASURED_MEAN_KW * (BLOCK_S + EVALUATION_S)
    return surplus / (STEPS * (TOP_KW - TROUGH_KW) + (TROUGH_KW - FIRST_KW))


def logged() -> Segments:
    """Segments from the log: each block's own twelve equal steps, each evaluation's own length."""
    rows: list[tuple[float, float, int]] = []
    for start, stop, end in BLOCKS:
        step = (stop - start) / STEPS
        rows += [(low_s(), TROUGH_KW, ITERATION), (step - low_s(), TOP_KW, ITERATION)] * STEPS
        rows += [(low_s(), FIRST_KW, EVALUATION), (end - stop - low_s(), TROUGH_KW, EVALUATION)]
    duration, power, kind = np.array(rows).T
    return Segments(duration, power, kind.astype(np.int8))


def scheduled(step_s: float = BLOCK_S / STEPS, *, evaluates: bool = True) -> Schedule:
    """The same as a schedule of the log's mean times, with an evaluation after every twelfth step."""
    phases = Phase("low", low_s(), TROUGH_KW), Phase("top", step_s - low_s(), TOP_KW)
    pause = Pause(STEPS, (Phase("first", low_s(), FIRST_KW), Phase("evaluation", EVALUATION_S - low_s(), TROUGH_KW)))
    run_s = float(BLOCKS[-1, 2]) - BEGIN_S
    return Schedule(phases, run_s, TROUGH_KW, evaluation=pause if evaluates else None)


class Measured(NamedTuple):
    """Times [s] and power of the 64 nodes [kW]."""

    time_s: Array
    power_kw: Array


@pytest.fixture(scope="module")
def measured(shared_data: Path) -> Measured:
    path = shared_data / "power" / "smc_gpt3_node_sum.csv"
    table = np.genfromtxt(path, delimiter=",", names=True)
    return Measured(np.asarray(table["t_s"], dtype=np.float64), np.asarray(table["node_sum_kw"], dtype=np.float64))


def shown(made: Segments, at: Measured, window_s: float) -> Array:
    """What the meters show at the file's times [kW]."""
    return meter(sample(made, GRID_S).power_w, GRID_S, window_s, at.time_s - BEGIN_S)


def spectrum(power_kw: Array) -> tuple[Array, Array]:
    """Frequencies and amplitudes of what stands between the trimmed ends, through one Hann window [Hz], [kW]."""
    kept = power_kw[TRIM_ROWS:-TRIM_ROWS]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(kept.size) / kept.size)
    amplitude = 2 * np.abs(np.fft.rfft((kept - kept.mean()) * window)) / window.sum()
    return as_array(np.fft.rfftfreq(kept.size, 2.0)), as_array(amplitude)


def line(power_kw: Array, low_hz: float, high_hz: float) -> tuple[float, float]:
    """Frequency [Hz] and amplitude [kW] of the largest line in a range."""
    frequency, amplitude = spectrum(power_kw)
    inside = np.flatnonzero((frequency > low_hz) & (frequency < high_hz))
    top = inside[np.argmax(amplitude[inside])]
    return float(frequency[top]), float(amplitude[top])


def bin_hz(power_kw: Array) -> float:
    return float(spectrum(power_kw)[0][1])


def figures(power_kw: Array) -> list[float]:
    """Mean, standard deviation [kW], peak over mean [1], amplitude of the two lines [kW]."""
    mean = float(power_kw.mean())
    lines = line(power_kw, 0.05, 0.14)[1], line(power_kw, 0.15, 0.24)[1]
    return [mean, float(power_kw.std()), float(power_kw.max()) / mean, *lines]


def test_times_of_the_log_are_those_told_of_it() -> None:
    """The means of the data's description; they are what the transcription is held to."""
    means = (BLOCK_S, EVALUATION_S)
    assert means == pytest.approx((129.188, 12.974), abs=0.001)
    assert float(np.std(BLOCKS[:, 1] - BLOCKS[:, 0])) == pytest.approx(0.058, abs=0.002)
    assert np.all(np.abs(BLOCKS[1:, 0] - BLOCKS[:-1, 2]) <= 0.0011)
    assert mean_period_s(scheduled()) == pytest.approx(142.162 / STEPS, abs=1e-4)
    assert logged().total_s == pytest.approx(3410.781 + 1.104, abs=0.01)
    assert low_s() == pytest.approx(3.02, abs=0.005)


@pytest.mark.shared_data
def test_the_file_has_the_figures_told_of_it(measured: Measured) -> None:
    """The reference's section 7.1, which also holds this file's oracle of a spectrum to another program's."""
    mean, deviation, peak, first, second = figures(measured.power_kw)
    assert mean == pytest.approx(438.28, abs=0.01)
    assert deviation == pytest.approx(19.32, abs=0.01)
    assert peak == pytest.approx(1.046, abs=0.0005)
    assert (first, second) == pytest.approx((18.7, 7.5), abs=0.05)
    assert line(measured.power_kw, 0.05, 0.14)[0] == pytest.approx(0.09148, abs=5e-6)
    assert line(measured.power_kw, 0.15, 0.24)[0] == pytest.approx(0.18297, abs=5e-6)
    assert bin_hz(measured.power_kw) == pytest.approx(0.000315, abs=1e-6)


@pytest.mark.shared_data
@pytest.mark.parametrize("window_s", [METER_S, METER_AND_CLOCKS_S])
@pytest.mark.parametrize("by", ["log", "schedule"])
def test_the_run_is_met_from_its_log(measured: Measured, by: str, window_s: float) -> None:
    """Mean, deviation, peak and both lines within 12 %, both frequencies within a bin."""
    made = logged() if by == "log" else segments(scheduled(), 0)
    power = shown(made, measured, window_s)
    assert figures(power) == pytest.approx(figures(measured.power_kw), rel=WITHIN)
    for low_hz, high_hz in ((0.05, 0.14), (0.15, 0.24)):
        found, wanted = line(power, low_hz, high_hz)[0], line(measured.power_kw, low_hz, high_hz)[0]
        assert abs(found - wanted) <= bin_hz(power)


@pytest.mark.shared_data
def test_what_is_met_and_by_how_much(measured: Measured) -> None:
    """The figures that are told of this synthesis, from the log, with the meters' own window."""
    off = np.array(figures(shown(logged(), measured, METER_S))) / figures(measured.power_kw) - 1
    assert off == pytest.approx([0.000, 0.011, -0.009, 0.046, 0.085], abs=0.0015)


@pytest.mark.shared_data
@pytest.mark.parametrize("step_s", [BLOCK_S / STEPS, REPORTED_STEP_S])
def test_without_evaluation_the_lines_are_elsewhere(measured: Measured, step_s: float) -> None:
    """The line of the step is at 1 / 10.766 or 1 / 10.627 s, four to eight bins from the measured one."""
    power = shown(segments(scheduled(step_s, evaluates=False), 0), measured, METER_S)
    found, wanted = line(power, 0.05, 0.14)[0], line(measured.power_kw, 0.05, 0.14)[0]
    assert abs(found - 1 / step_s) <= bin_hz(power)
    assert found - wanted > 3.5 * bin_hz(power)
    assert 0.013 < found / wanted - 1 < 0.029
    assert figures(power) != pytest.approx(figures(measured.power_kw), rel=WITHIN)


def test_lines_stand_at_harmonics_13_and_26_of_block_and_evaluation() -> None:
    """Through the schedule alone, with no meter: 13 and 26 over 142.162 s."""
    wave = sample(segments(scheduled(), 0), 1.0)
    for harmonic, low_hz, high_hz in ((13, 0.05, 0.14), (26, 0.15, 0.24)):
        power = np.asarray(wave.power_w)
        frequency = np.fft.rfftfreq(power.size, 1.0)
        size = np.abs(np.fft.rfft((power - power.mean()) * np.hanning(power.size)))
        inside = np.flatnonzero((frequency > low_hz) & (frequency < high_hz))
        found = frequency[inside[np.argmax(size[inside])]]
        assert abs(found - harmonic / (STEPS * mean_period_s(scheduled()))) <= frequency[1]
