"""Lines, bands and density against closed forms and the measured run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.edges import FLAT_FRACTION, REACH, jumps, soften
from aiplan.planners.stabilize.spectrum import (
    Spectra,
    band_rms_w,
    largest_line,
    lines,
    segment_starts,
    spectra,
)
from tests.stabilize.waves import line_w, sine, square

HIGH, LOW, SIZE = 100e6, 40e6, 30_000


def band_share(found: Spectra, low_hz: float, high_hz: float) -> float:
    """Mean square in a band over that of all frequencies."""
    whole = band_rms_w(found, 0.0, math.inf)
    return (band_rms_w(found, low_hz, high_hz) / whole) ** 2 if whole > 0.0 else 0.0


def found_in(power_w: Array, segment_s: float = 60.0, step_s: float = 0.02) -> Spectra:
    return spectra(soften(power_w), step_s, segment_s)


def amplitude(found: Spectra, f_hz: float) -> float:
    line = largest_line(found, 0.6 * f_hz, 1.4 * f_hz) if f_hz < 1 else largest_line(found, f_hz - 0.1, f_hz + 0.1)
    assert line is not None
    assert line.f_hz == pytest.approx(f_hz, abs=0.0005)
    return line.amplitude_w


PHASES = np.random.default_rng(7).uniform(size=3).tolist()


@pytest.mark.parametrize("phase", [0.0, 0.0025, 0.0051, *PHASES])
@pytest.mark.parametrize(("duty", "period_s"), [(0.8, 2.0), (0.37, 1.7321), (0.63, 0.9137), (0.55, 3.3017)])
def test_square_waves_have_their_harmonics(duty: float, period_s: float, phase: float) -> None:
    """Reference power-stabilisation, check 1, held to 0.1, 0.1 and 1 %; any phase, periods that fit no segment."""
    found = found_in(square(HIGH, LOW, duty, period_s, SIZE, phase))
    for k, tolerance in ((1, 1e-3), (2, 1e-3), (3, 1e-2)):
        assert amplitude(found, k / period_s) == pytest.approx(line_w(HIGH, LOW, duty, k), rel=tolerance)


@pytest.mark.parametrize("means", [True, False])
@pytest.mark.parametrize(
    ("duty", "period_s", "highest_hz", "tolerance"),
    [(0.37, 0.7321, 10.0, 0.003), (0.6, 0.3571, 10.0, 0.003), (0.31, 0.4, 10.0, 0.003), (0.37, 0.7321, 20.0, 0.15)],
)
def test_jumps_leave_high_lines_right(
    duty: float, period_s: float, highest_hz: float, tolerance: float, means: bool
) -> None:
    """What `soften` promises: 0.3 % up to a fifth of the rate and 15 % at two fifths."""
    power = square(HIGH, LOW, duty, period_s, SIZE, 0.2)
    found = spectra(soften(power, means), 0.02, 60.0, means=means)
    for k in range(1, int(highest_hz * period_s) + 1):
        theory = line_w(HIGH, LOW, duty, k)
        if theory > 0.05 * line_w(HIGH, LOW, duty, 1):
            assert amplitude(found, k / period_s) == pytest.approx(theory, rel=tolerance)


@pytest.mark.parametrize("means", [True, False])
@pytest.mark.parametrize("phase", PHASES)
def test_square_waves_at_half_the_rate(phase: float, means: bool) -> None:
    """25 values a second, the least of reference power-stabilisation, section 4."""
    power = square(HIGH, LOW, 0.37, 1.7321, SIZE // 2, phase, 25.0)
    found = spectra(soften(power, means), 0.04, 60.0, means=means)
    for k, tolerance in ((1, 1e-3), (2, 1e-3), (3, 1e-2)):
        assert amplitude(found, k / 1.7321) == pytest.approx(line_w(HIGH, LOW, 0.37, k), rel=tolerance)


def test_the_worked_square_wave() -> None:
    """22.452, 18.164 and 12.109 MW: reference power-stabilisation, section 6 and check 1."""
    found = found_in(square(HIGH, LOW, 0.8, 2.0, SIZE))
    got = [line.amplitude_w / 1e6 for line in lines(found, 3)]
    assert got == pytest.approx([22.452, 18.164, 12.109], rel=1e-4)
    assert [line.f_hz for line in lines(found, 3)] == pytest.approx([0.5, 1.0, 1.5], abs=1e-4)


@pytest.mark.parametrize(("duty", "period_s"), [(0.8, 2.0), (0.37, 1.7321)])
def test_square_waves_have_their_root_mean_square(duty: float, period_s: float) -> None:
    """24.00 MW for the first: reference power-stabilisation, check 2, to 1 %."""
    found = found_in(square(HIGH, LOW, duty, period_s, SIZE, 0.31))
    theory = (HIGH - LOW) * math.sqrt(duty * (1 - duty))
    assert band_rms_w(found, 0.0, 25.0) == pytest.approx(theory, rel=0.01)
    assert band_rms_w(found, 0.1, 20.0) == pytest.approx(theory, rel=0.015)
    in_band = [line_w(HIGH, LOW, duty, k) ** 2 / 2 for k in range(1, 1000) if k / period_s <= 20.0]
    assert band_rms_w(found, 0.1, 20.0) == pytest.approx(math.sqrt(sum(in_band)), rel=0.01)


@pytest.mark.parametrize("f_hz", [0.1234, 0.5, 1.50833, 7.2719, 13.0007, 20.0, 23.1])
@pytest.mark.parametrize("phase", [0.0, 1.1])
def test_a_sine_between_two_bins_is_read_whole(f_hz: float, phase: float) -> None:
    """The mean over a step takes 24 % at 20 Hz and 50 values a second; it is made good."""
    power = 100e6 + sine(2e6, f_hz, SIZE, phase)
    line = largest_line(found_in(power), 0.1, 25.0)
    assert line is not None
    assert line.amplitude_w == pytest.approx(2e6, rel=1e-3)
    assert line.f_hz == pytest.approx(f_hz, abs=0.0005)


def test_values_that_are_no_means_are_read_as_they_are() -> None:
    power = 2e6 * np.sin(2 * np.pi * 20.003 * np.arange(SIZE) * 0.02)
    line = largest_line(spectra(power, 0.02, 60.0, means=False), 10.0, 24.0)
    assert line is not None
    assert line.amplitude_w == pytest.approx(2e6, rel=1e-3)
    for duty, period_s in ((0.8, 2.0), (0.37, 1.7321)):
        jumpy = spectra(soften(square(HIGH, LOW, duty, period_s, SIZE, 0.2), means=False), 0.02, 60.0, means=False)
        for k in (1, 2, 3):
            assert amplitude(jumpy, k / period_s) == pytest.approx(line_w(HIGH, LOW, duty, k), rel=1e-3)


@pytest.mark.parametrize(("f_hz", "inside"), [(2.0, True), (1.98, False), (1.9, False), (2.02, True)])
def test_a_line_outside_a_band_does_not_count(f_hz: float, inside: bool) -> None:
    """The flank that rises towards the band's edge is no line, and neither are the side lobes beyond it."""
    line = largest_line(found_in(50e6 + sine(5e6, f_hz, SIZE)), 2.0, 20.0)
    assert (line is not None) is inside
    assert line is None or line.amplitude_w == pytest.approx(5e6, rel=1e-3)


def test_the_smaller_line_inside_is_found_beside_a_larger_one_outside() -> None:
    power = 50e6 + sine(5e6, 1.9, SIZE) + sine(0.5e6, 2.1, SIZE, 0.3)
    line = largest_line(found_in(power), 2.0, 20.0)
    assert line is not None
    assert line.f_hz == pytest.approx(2.1, abs=1e-3)
    assert line.amplitude_w == pytest.approx(0.5e6, rel=0.02)


def test_lines_are_distinct() -> None:
    power = sine(5e6, 0.7, SIZE) + sine(3e6, 1.3, SIZE) + sine(0.2e6, 4.4, SIZE)
    got = lines(found_in(power), 10)
    assert [line.f_hz for line in got] == pytest.approx([0.7, 1.3, 4.4], abs=1e-3)
    assert lines(found_in(power), 2) == got[:2]


def test_the_largest_of_all_segments_counts_and_says_when() -> None:
    swell = np.where(np.abs(np.arange(SIZE) - 20_000) < 3_000, 1.0, 0.25)
    line = largest_line(spectra(50e6 + swell * sine(4e6, 1.0, SIZE), 0.02, 60.0, start_s=100.0), 0.1, 20.0)
    assert line is not None
    assert line.amplitude_w == pytest.approx(4e6, rel=1e-3)
    assert 100 + 340 <= line.at_s <= 100 + 400


def test_a_straight_ramp_makes_no_line() -> None:
    found = found_in(10e6 + 2e5 * np.arange(SIZE) * 0.02)
    assert largest_line(found, 0.1, 25.0) is None
    assert lines(found, 3) == ()
    assert band_rms_w(found, 0.1, 20.0) <= found.floor_w


def test_a_ramp_that_bends_hides_no_line_and_makes_none_at_the_lowest_frequency() -> None:
    """100 MW in 100 s and then flat, with a line of 1 MW: its trend differs from segment to segment."""
    time = np.arange(SIZE) * 0.02
    power = 50e6 + 1e6 * np.clip(time - 200, 0, 100) + sine(1e6, 0.77, SIZE)
    found = found_in(power)
    line = largest_line(found, 0.1, 20.0)
    assert line is not None
    assert line.f_hz == pytest.approx(0.77, abs=1e-3)
    assert line.amplitude_w == pytest.approx(1e6, rel=0.01)


def test_white_noise_has_its_density() -> None:
    """Variance s² over half the rate each side: 2 s² / rate, whitened by what a mean over a step loses."""
    noise = np.random.default_rng(3).normal(0, 1e6, 200_000)
    found = spectra(noise, 0.02, 60.0, means=False)
    assert band_rms_w(found, 5.0, 10.0) == pytest.approx(1e6 * math.sqrt(0.2), rel=0.01)
    assert band_share(found, 5.0, 10.0) == pytest.approx(0.2, rel=0.02)
    means = spectra(noise, 0.02, 60.0)
    ratio = means.density_w2_per_hz[1:] / found.density_w2_per_hz[1:]
    assert ratio == pytest.approx(1 / np.sinc(found.frequency_hz[1:] * 0.02) ** 2)


@settings(max_examples=20, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(0.2, 20.0), st.floats(0, 6.28))
def test_a_constant_changes_no_line(constant: float, f_hz: float, phase: float) -> None:
    power = sine(1e6, f_hz, 6_000, phase)
    without, with_it = found_in(power), found_in(power + constant)
    one, other = largest_line(without, 0.1, 25.0), largest_line(with_it, 0.1, 25.0)
    assert one is not None
    assert other is not None
    assert other.amplitude_w == pytest.approx(one.amplitude_w, rel=1e-6)
    assert other.f_hz == pytest.approx(one.f_hz, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.15, 10.0), st.floats(0.05, 0.95), st.floats(0, 1))
def test_bands_add_up(edge_hz: float, duty: float, phase: float) -> None:
    found = found_in(square(HIGH, LOW, duty, 1.37, 6_000, phase))
    parts = band_rms_w(found, 0.0, edge_hz) ** 2 + band_rms_w(found, edge_hz, 25.0) ** 2
    assert parts == pytest.approx(band_rms_w(found, 0.0, 25.0) ** 2, rel=1e-6)
    assert band_share(found, 0.0, edge_hz) + band_share(found, edge_hz, 25.01) == pytest.approx(1.0, abs=1e-3)


def test_a_constant_has_nothing() -> None:
    found = found_in(np.full(6_000, 123.456e6))
    assert largest_line(found, 0.0, 25.0) is None
    assert band_rms_w(found, 0.1, 20.0) < 1e-3
    assert band_rms_w(found, 0.1, 20.0) <= found.floor_w


def test_segments_keep_out_of_gaps_and_reach_the_end() -> None:
    usable = np.ones(100, dtype=np.bool_)
    usable[40] = False
    assert segment_starts(usable, 20).tolist() == [0, 10, 20, 41, 51, 61, 71, 80]
    assert segment_starts(usable, 60).tolist() == []
    assert segment_starts(~usable, 1).tolist() == [40]


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="16 steps"):
        spectra(np.ones(15), 1.0, 15.0)
    with pytest.raises(ValueError, match="no segment"):
        spectra(np.ones(30), 1.0, 31.0)


def test_a_jump_is_found_where_it_lies() -> None:
    power = square(HIGH, LOW, 0.5, 100.0, 400, 0.0, 1.0)  # falls at 50, rises at 100, ...
    shifted = square(HIGH, LOW, 0.5, 100.0, 400, 0.003, 1.0)  # 0.3 of a step earlier
    at, height, before = jumps(power)
    assert (at + before).tolist() == pytest.approx([50, 100, 150, 200, 250, 300, 350])
    assert height.tolist() == pytest.approx([-60e6, 60e6] * 3 + [-60e6])
    at, _, before = jumps(shifted)
    assert (at + before).tolist() == pytest.approx([49.7, 99.7, 149.7, 199.7, 249.7, 299.7, 349.7, 399.7][:7])


def test_what_does_not_jump_comes_back_untouched() -> None:
    """A lag of 20 ms, the least of reference power-stabilisation, section 4.1, is no jump at 50 values a second."""
    time = np.arange(SIZE) * 0.02
    lagged = 40e6 + 60e6 * (1 - np.exp(-(time % 2.0) / 0.02))
    lagged[time % 4.0 >= 2.0] = 140e6 - lagged[time % 4.0 >= 2.0]
    for power in (time * 1e6, sine(1e6, 3.3, SIZE), lagged):
        assert soften(power) is power
    assert soften(np.ones(5)).tolist() == [1.0] * 5
    assert 0 < FLAT_FRACTION < math.exp(-0.02 / 0.02) ** 2


@pytest.mark.parametrize("means", [True, False])
def test_softening_keeps_energy_and_levels(means: bool) -> None:
    power = square(HIGH, LOW, 0.5, 4.0, 2_000, 0.123)
    soft = soften(power, means)
    away = np.ones(2_000, dtype=np.bool_)
    for step in jumps(power)[0]:
        away[step - REACH : step + REACH + 1] = False
    assert np.array_equal(soft[away], power[away])
    assert soft.sum() == pytest.approx(power.sum(), rel=1e-9)


@pytest.mark.shared_data
def test_the_measured_run_has_its_two_lines(shared_data: Path) -> None:
    """Reference power-stabilisation, checks 11 and 12: one Hann window over the run, 60 rows less at both ends."""
    path = shared_data / "power" / "smc_gpt3_node_sum.csv"
    names = path.read_text().splitlines()[0].split(",")
    power = 1e3 * np.loadtxt(path, delimiter=",", skiprows=1, usecols=names.index("node_sum_kw"))
    assert power.mean() / 1e3 == pytest.approx(438.28, rel=1e-3)
    power = power[60:-60]
    found = spectra(power, 2.0, 2.0 * power.size, means=False)
    first, second = lines(found, 2)
    assert first.f_hz == pytest.approx(0.09148, abs=0.0003)
    assert second.f_hz == pytest.approx(0.18297, abs=0.0003)
    assert first.amplitude_w == pytest.approx(18.7e3, rel=0.03)
    assert second.amplitude_w == pytest.approx(7.5e3, rel=0.03)
