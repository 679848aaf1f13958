"""The fit of GPU and inlet temperature: known coefficients come back, and what it says of its own error holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.fit import Fit, fit
from aiplan.planners.thermal.fit_shape import FEW_SAMPLES, SHAPES, Samples, UnfitError
from aiplan.planners.thermal.inlet_fit import InletSamples, fit_inlet
from aiplan.planners.thermal.model import inlet_curve_c
from aiplan.planners.thermal.regression import independent, lags, long_run, panel_of, solve, standard_errors, sums_of


def one_gpu(seed: int, count: int = 1000, *, bend: float = 0.0) -> Samples:
    """T = T_in + 0.11 P + 3 + N(0, 1), with T_in ~ N(24, 3) and P ~ U(60, 400)."""
    draw = np.random.Generator(np.random.PCG64(seed))
    inlet, power = draw.normal(24.0, 3.0, count), draw.uniform(60.0, 400.0, count)
    temp = inlet + 0.11 * power + bend * np.maximum(0.0, power - 250.0) + 3.0 + draw.normal(0.0, 1.0, count)
    time = np.asarray(60.0 * np.arange(count), dtype=np.float64)
    return Samples(time, np.zeros(count, dtype=np.int64), inlet, power, temp, np.zeros(1, np.int64))


@pytest.fixture(scope="module")
def fits() -> list[Fit]:
    return [fit(one_gpu(seed)) for seed in range(200)]


def test_all_200_seeds_meet_the_slopes_and_the_error(fits: list[Fit]) -> None:
    assert all(abs(found.inlet_coefficient - 1.0) <= 0.04 for found in fits)
    assert all(abs(found.power_coefficient - 0.11) <= 0.0012 for found in fits)
    assert all(abs(found.mae_c - np.sqrt(2.0 / np.pi)) <= 0.06 for found in fits)


def test_intercept_lies_within_two_standard_errors_about_as_often_as_it_should(fits: list[Fit]) -> None:
    # 95.4 % in theory; 190.8 of 200, give or take 3. The Bartlett window of a finite sample errs to the low side.
    inside = sum(abs(found.intercept_c - 3.0) <= 2.0 * found.errors[2] for found in fits)
    assert 183 <= inside <= 199


def test_error_left_out_is_no_flattery(fits: list[Fit]) -> None:
    inside = np.mean([found.mae_c for found in fits])
    outside = np.mean([found.mae_out_of_sample_c for found in fits])
    assert inside < outside < 1.01 * inside


def test_a_straight_line_is_mostly_called_straight(fits: list[Fit]) -> None:
    assert sum(found.shape.name == "straight" for found in fits) >= 160


def test_a_bend_is_found() -> None:
    found = fit(one_gpu(3, 3000, bend=0.05))
    assert found.shape.power
    assert found.mae_c < 0.9
    assert found.score[0] > found.score[SHAPES.index(found.shape)]


def many(seed: int, counts: list[int], slopes: list[float]) -> Samples:
    """GPUs with a slope on power and a constant of their own; position 0, 1, 0, 1, ..."""
    draw = np.random.Generator(np.random.PCG64(seed))
    gpu = np.repeat(np.arange(len(counts)), counts)
    inlet, power = draw.normal(24.0, 3.0, gpu.size), draw.uniform(60.0, 400.0, gpu.size)
    temp = inlet + np.array(slopes)[gpu] * power + gpu + draw.normal(0.0, 0.5, gpu.size)
    time = np.concatenate([60.0 * np.arange(count) for count in counts])
    return Samples(time, gpu, inlet, power, temp, np.arange(len(counts)) % 2)


def test_a_gpu_with_few_samples_takes_the_slopes_of_its_position_and_keeps_its_constant() -> None:
    found = fit(many(1, [2000, 2000, 20], [0.10, 0.20, 0.10]))
    assert found.own.tolist() == [True, True, False]
    assert found.power_slopes[2] == pytest.approx(0.10, abs=0.002)
    assert found.power_slopes[1] == pytest.approx(0.20, abs=0.002)
    assert found.constants[2] == pytest.approx(2.0, abs=0.6)


def test_own_slopes_are_those_of_least_squares_by_qr() -> None:
    samples = many(2, [FEW_SAMPLES, 700, 900], [0.1, 0.12, 0.09])
    found = fit(samples)
    if found.shape.name == "straight":
        for gpu in range(3):
            rows = samples.gpu == gpu
            design = np.column_stack([samples.inlet_c[rows], samples.power_w[rows], np.ones(rows.sum())])
            expected = np.linalg.lstsq(design, samples.temp_c[rows], rcond=None)[0]
            assert found.slopes[gpu] == pytest.approx(expected[:2], rel=1e-9)
            assert found.constants[gpu] == pytest.approx(expected[2], rel=1e-7)
    assert found.shape.name == "straight"


@given(st.floats(-30.0, 30.0), st.floats(-50.0, 50.0))
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
def test_shifting_all_temperatures_shifts_the_constant_alone(shift: float, inlet_shift: float) -> None:
    plain = one_gpu(5, 300)
    moved = Samples(
        plain.time_s, plain.gpu, plain.inlet_c + inlet_shift, plain.power_w, plain.temp_c + shift, plain.position
    )
    a, b = fit(plain), fit(moved)
    assert b.inlet_coefficient == pytest.approx(a.inlet_coefficient, rel=1e-6)
    assert b.power_coefficient == pytest.approx(a.power_coefficient, rel=1e-6)
    assert b.intercept_c == pytest.approx(a.intercept_c + shift - a.inlet_coefficient * inlet_shift, abs=1e-6)
    assert b.mae_c == pytest.approx(a.mae_c, abs=1e-6)


@pytest.mark.parametrize("which", ["inlet_c", "power_w", "both"])
def test_columns_that_tell_nothing_are_refused(which: str) -> None:
    plain = one_gpu(6, 300)
    inlet = np.full(300, 24.0) if which == "inlet_c" else plain.inlet_c
    power = np.full(300, 200.0) if which == "power_w" else 10.0 * inlet if which == "both" else plain.power_w
    with pytest.raises(UnfitError, match="together" if which == "both" else which):
        fit(Samples(plain.time_s, plain.gpu, inlet, power, plain.temp_c, plain.position))


def test_few_times_leave_nothing_out() -> None:
    found = fit(one_gpu(7, 8))
    assert np.isnan(found.mae_out_of_sample_c)
    assert found.shape.name == "straight"


def test_errors_grow_where_noise_is_correlated() -> None:
    draw = np.random.Generator(np.random.PCG64(8))
    count, ar = 4000, 0.95

    def walk(size: float) -> np.ndarray:
        steps = draw.normal(0.0, size, count)
        out = np.empty(count)
        out[0] = steps[0]
        for t in range(1, count):
            out[t] = ar * out[t - 1] + np.sqrt(1 - ar**2) * steps[t]
        return out

    x, noise = walk(1.0), walk(1.0)
    panel = panel_of(np.zeros(count, dtype=np.int64), 1, x[:, None], x + noise)
    slope = solve(sums_of(panel).total())
    residual = panel.y - panel.x @ slope
    robust = standard_errors(panel, residual, np.arange(count), count)[0]
    plain = np.sqrt(residual @ residual / (count - 2) / (panel.x[:, 0] @ panel.x[:, 0]))
    # In theory sqrt((1 + ar^2) / (1 - ar^2)) = 4.4; nine lags see a part of it.
    assert 2.0 * plain < robust < 5.0 * plain


def test_errors_without_correlation_are_those_of_the_text_book() -> None:
    ratios = []
    for seed in range(30):
        samples = one_gpu(seed)
        found = fit(samples)
        design = np.column_stack([samples.inlet_c, samples.power_w, np.ones(1000)])
        guess = design @ np.array([found.inlet_coefficient, found.power_coefficient, found.intercept_c])
        variance = np.sum((samples.temp_c - guess) ** 2) / 997
        ratios.append(found.errors / np.sqrt(np.diag(np.linalg.inv(design.T @ design) * variance)))
    assert np.mean(ratios, axis=0) == pytest.approx([1.0, 1.0, 1.0], abs=0.05)


def test_what_hits_all_servers_at_once_is_one_sample() -> None:
    draw = np.random.Generator(np.random.PCG64(9))
    times, servers = 300, 40
    x = np.tile(draw.normal(0.0, 1.0, times), servers)
    y = x + np.tile(draw.normal(0.0, 1.0, times), servers)
    panel = panel_of(np.repeat(np.arange(servers), times), servers, x[:, None], y)
    residual = panel.y - panel.x @ solve(sums_of(panel).total())
    error = standard_errors(panel, residual, np.tile(np.arange(times), servers), times)[0]
    assert error == pytest.approx(1.0 / np.sqrt(times), rel=0.3)


def test_bartlett_window_by_hand() -> None:
    scores = np.array([[1.0], [2.0], [3.0]])
    assert long_run(scores, 1)[0, 0] == pytest.approx(14.0 + 0.5 * 2.0 * (2.0 + 6.0))
    assert lags(1) == 0


def test_dependent_columns_are_seen() -> None:
    draw = np.random.Generator(np.random.PCG64(10)).normal(size=(50, 2))
    whole = draw.T @ draw
    doubled = np.column_stack([draw[:, 0], 2 * draw[:, 0]])
    assert independent(np.stack([whole, doubled.T @ doubled, np.zeros((2, 2))])).tolist() == [True, False, False]


def inlets(seed: int, *, warmest: float, load: bool = True) -> InletSamples:
    draw = np.random.Generator(np.random.PCG64(seed))
    servers, times = 24, 400
    outside = draw.uniform(5.0, warmest, times)
    shared = inlet_curve_c(outside, 18.0, (15.0, 25.0), (0.6, 0.3))
    hall_load = draw.uniform(0.2, 0.9, times)
    row = np.arange(servers) // 6
    level = np.array([-1.0, 0.0, 0.0, 1.0])[row] + np.tile([-0.5, 0.5], servers // 2)
    inlet = (shared + 2.0 * (hall_load - 0.5))[None] + level[:, None] + draw.normal(0.0, 0.2, (servers, times))
    tiled = np.tile(np.arange(times) * 300.0, servers)
    return InletSamples(tiled, inlet.ravel(), np.tile(outside, servers), np.tile(hall_load, servers) if load else None,
                        np.repeat(np.arange(servers), times), row)  # fmt: skip


def test_inlet_curve_load_and_offsets_come_back() -> None:
    found = fit_inlet(inlets(1, warmest=36.0))
    assert found is not None
    assert found.slopes == pytest.approx((0.6, 0.3), abs=0.02)
    assert found.base_c == pytest.approx(18.0, abs=0.1)
    assert found.load_kelvin == pytest.approx(2.0, abs=0.1)
    assert found.row_c == pytest.approx([-1.0, 0.0, 0.0, 1.0], abs=0.05)
    assert found.server_c[:2] == pytest.approx([-0.5, 0.5], abs=0.05)
    assert found.mae_c == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=0.05)


def test_a_bend_no_sample_reaches_is_not_fitted() -> None:
    found = fit_inlet(inlets(2, warmest=24.0))
    assert found is not None
    assert found.fitted == (True, False)
    assert found.slopes[1] == found.slopes[0]


def test_without_load_none_is_told() -> None:
    found = fit_inlet(inlets(3, warmest=36.0, load=False))
    assert found is not None
    assert found.load_kelvin is None


def test_cold_weather_alone_tells_no_curve() -> None:
    assert fit_inlet(inlets(4, warmest=14.0, load=False)) is None
