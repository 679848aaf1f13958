"""Closed forms against scipy.stats, published values and hand calculation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special, stats

from aiplan.uncertainty import _special
from aiplan.uncertainty.distributions import (
    Choice,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Lognormal,
    Normal,
    Percentiles,
    Pert,
    ShiftedLognormal,
    Triangular,
    Truncated,
    Uniform,
    truncated,
)

PROBABILITIES = (1e-6, 0.001, 0.05, 0.25, 1 / 3, 0.5, 0.75, 0.95, 0.999, 1 - 1e-6)


def pert_oracle(low: float, mode: float, high: float) -> Any:
    width = high - low
    return stats.beta(1 + 4 * (mode - low) / width, 1 + 4 * (high - mode) / width, low, width)


ORACLES: list[tuple[Distribution, Any]] = [
    (Uniform(-2, 5), stats.uniform(-2, 7)),
    (Triangular(25_000, 30_000, 40_000), stats.triang(1 / 3, 25_000, 15_000)),
    (Triangular(0, 0, 2), stats.triang(0, 0, 2)),
    (Triangular(0, 2, 2), stats.triang(1, 0, 2)),
    (Pert(25_000, 30_000, 40_000), pert_oracle(25_000, 30_000, 40_000)),
    (Pert(-1, -1, 3), pert_oracle(-1, -1, 3)),
    (Pert(-1, 3, 3), pert_oracle(-1, 3, 3)),
    (Normal(10, 2), stats.norm(10, 2)),
    (Lognormal(0.3, 0.8), stats.lognorm(0.8, scale=math.exp(0.3))),
    (Lognormal.from_percentiles(0.4, 0.9), stats.lognorm(0.24648, scale=0.6)),
    (Exponential.from_median(300), stats.expon(scale=300 / math.log(2))),
    (ShiftedLognormal(2, 3, 0.5), stats.lognorm(0.5, loc=2, scale=3)),
    (Truncated(Normal(1, 2), -1, 2), stats.truncnorm(-1, 0.5, 1, 2)),
    (Truncated(Exponential(0.5), -math.inf, 3), stats.truncexpon(1.5, scale=2)),
]
IDS = [distribution.text() for distribution, _ in ORACLES]


@pytest.mark.parametrize(("distribution", "oracle"), ORACLES, ids=IDS)
def test_mean_median_and_cdf_agree_with_scipy(distribution: Distribution, oracle: Any) -> None:
    tolerance = 1e-4 if distribution == Lognormal.from_percentiles(0.4, 0.9) else 1e-11
    assert distribution.mean == pytest.approx(oracle.mean(), rel=tolerance)
    assert distribution.median == pytest.approx(oracle.median(), rel=tolerance)
    for p in PROBABILITIES:
        x = oracle.ppf(p)
        assert distribution.cdf(x) == pytest.approx(p, rel=max(tolerance * 50, 1e-9))


@pytest.mark.parametrize(("distribution", "oracle"), ORACLES, ids=IDS)
def test_scalar_and_array_quantiles_agree_with_scipy(distribution: Distribution, oracle: Any) -> None:
    tolerance = 2e-4 if distribution == Lognormal.from_percentiles(0.4, 0.9) else 1e-9
    expected = oracle.ppf(PROBABILITIES)
    scalars = [distribution.quantile(p) for p in PROBABILITIES]
    assert scalars == pytest.approx(expected, rel=tolerance)
    assert distribution.from_uniform(np.array(PROBABILITIES)) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(("distribution", "oracle"), ORACLES, ids=IDS)
def test_partial_means_agree_with_quadrature(distribution: Distribution, oracle: Any) -> None:
    start = oracle.ppf(1e-13)
    for p in (0.03, 0.5, 0.9):
        x = distribution.quantile(p)
        expected, _ = integrate.quad(lambda t: t * oracle.pdf(t), start, x, epsabs=0, epsrel=1e-9)
        scale = abs(distribution.mean) + distribution.quantile(0.95)
        tolerance = 1e-3 if distribution == Lognormal.from_percentiles(0.4, 0.9) else 1e-7
        assert distribution.partial_mean(x) == pytest.approx(expected, abs=tolerance * scale)
    assert distribution.partial_mean(math.inf) == pytest.approx(distribution.mean, rel=1e-12)
    assert distribution.partial_mean(-math.inf) == 0.0


@pytest.mark.parametrize(("distribution", "oracle"), ORACLES, ids=IDS)
def test_direct_draws_follow_the_distribution(distribution: Distribution, oracle: Any) -> None:
    n = 20_000
    draws = distribution.sample(np.random.Generator(np.random.PCG64(7)), n)
    # 1.95/sqrt(n) is the 0.1 % point of the Kolmogorov-Smirnov statistic; the seed is fixed.
    assert stats.kstest(draws, oracle.cdf).statistic < 1.95 / math.sqrt(n)


def test_inverse_triangular_published_check() -> None:
    """Engineering reference, check 1."""
    assert Triangular(25_000, 30_000, 40_000).quantile(1 / 3) == pytest.approx(30_000, rel=1e-9)


def test_normal_quantile_standard_value() -> None:
    """Standard table value; engineering reference, check 2."""
    assert _special.normal_quantile(0.95) == pytest.approx(1.6448536269514722, abs=1e-12)
    assert special.ndtri(0.95) == pytest.approx(_special.Z95, abs=1e-14)


@pytest.mark.parametrize("count", [3, _special.FEW, _special.FEW + 1])
def test_few_elements_and_many_give_the_same(count: int) -> None:
    z, p = np.linspace(-30.0, 6.0, count), np.linspace(1e-6, 1.0 - 1e-6, count)
    np.testing.assert_allclose(_special.normal_cdfs(z), special.ndtr(z), rtol=1e-12)
    np.testing.assert_allclose(_special.normal_quantiles(p), special.ndtri(p), rtol=1e-12, atol=1e-12)
    assert _special.normal_cdfs(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(
    ("p5", "p95", "sigma", "median", "mean"),
    [(0.4, 0.9, 0.2465, 0.600, 0.6185), (1.05, 1.6, 0.1280, 1.296, 1.3068)],
)
def test_paper_inputs_from_percentiles(p5: float, p95: float, sigma: float, median: float, mean: float) -> None:
    """Node power fraction and PUE of Oviedo et al. 2026, within 0.1 %; also with the paper's 1.645."""
    for distribution in (Lognormal.from_percentiles(p5, p95), Lognormal.from_percentiles(p5, p95, z=1.645)):
        assert distribution.sigma == pytest.approx(sigma, rel=1e-3)
        assert distribution.median == pytest.approx(median, rel=1e-3)
        assert distribution.mean == pytest.approx(mean, rel=1e-3)
    assert Lognormal.from_percentiles(p5, p95).quantile(0.05) == pytest.approx(p5, rel=1e-12)
    assert Lognormal.from_percentiles(p5, p95).quantile(0.95) == pytest.approx(p95, rel=1e-12)
    paper = Lognormal.from_percentiles(p5, p95, z=1.645)
    assert paper.sigma == pytest.approx((math.log(p95) - math.log(p5)) / 3.29, rel=1e-15)


def test_share_of_draws_above_one_of_the_paper() -> None:
    """Oviedo et al. 2026: the node power fraction is not capped, 2 % of draws exceed 1."""
    assert 1 - Lognormal.from_percentiles(0.4, 0.9).cdf(1.0) == pytest.approx(0.02, abs=0.002)


@pytest.mark.parametrize(("median", "mean"), [(300, 432.8), (5000, 7213)])
def test_answer_lengths_of_the_paper(median: float, mean: float) -> None:
    """Exponential output tokens of Oviedo et al. 2026: mean and exact quartiles (124.5-600, 2075-10000)."""
    distribution = Exponential.from_median(median)
    assert distribution.mean == pytest.approx(mean, rel=2e-4)
    assert distribution.quantile(0.25) == pytest.approx(median * 0.41504, rel=1e-4)
    assert distribution.quantile(0.75) == pytest.approx(2 * median, rel=1e-12)
    assert Exponential.from_mean(distribution.mean).rate == pytest.approx(distribution.rate, rel=1e-15)


def test_lognormal_from_median_and_gsd() -> None:
    distribution = Lognormal.from_median(30.0, 1.5)
    assert distribution.median == pytest.approx(30.0, rel=1e-15)
    assert distribution.quantile(special.ndtr(1.0)) == pytest.approx(45.0, rel=1e-12)


def test_both_ways_to_give_a_lognormal_meet() -> None:
    """P5-P95 and median with gsd say the same; the median is the geometric mean of P5 and P95."""
    by_percentiles = Lognormal.from_percentiles(1.5, 3.5)
    by_gsd = Lognormal.from_median(by_percentiles.median, math.exp(by_percentiles.sigma))
    assert by_gsd.quantile(0.05) == pytest.approx(1.5, rel=1e-12)
    assert by_percentiles.median == pytest.approx(math.sqrt(1.5 * 3.5), rel=1e-12)


@pytest.mark.parametrize(
    ("points", "family"),
    [
        ((8, 10, 12), "normal"),
        ((8, 10, 12.019), "normal"),
        ((8, 10, 11.981), "normal"),
        ((8, 10, 12.021), "shifted lognormal"),
        ((8, 10, 11.979), "shifted lognormal"),
        ((8, 10, 12.5), "shifted lognormal"),
        ((1, 10, 11), "shifted lognormal"),
    ],
)
def test_percentiles_pass_through_their_points(points: tuple[float, float, float], family: str) -> None:
    distribution = Percentiles(*points)
    assert distribution.fit.kind == family
    assert family in distribution.text()
    found = [distribution.quantile(p) for p in (0.05, 0.5, 0.95)]
    assert found == pytest.approx(points, rel=2e-3 if family == "normal" else 1e-12)


def test_percentiles_of_a_pure_lognormal_have_no_shift() -> None:
    """P5, P50, P95 in geometric progression are those of a lognormal starting at 0."""
    distribution = Percentiles(8, 10, 12.5)
    assert distribution.support == (0.0, math.inf)
    assert distribution.mean == pytest.approx(Lognormal.from_percentiles(8, 12.5).mean, rel=1e-12)


def test_left_tailed_percentiles_mirror_right_tailed_ones() -> None:
    right, left = Percentiles(8, 10, 14), Percentiles(-14, -10, -8)
    assert left.mean == pytest.approx(-right.mean, rel=1e-12)
    assert left.support == (-math.inf, -right.support[0])
    for p in (0.001, 0.3, 0.9):
        assert left.quantile(p) == pytest.approx(-right.quantile(1 - p), rel=1e-9)
        assert left.cdf(left.quantile(p)) == pytest.approx(p, rel=1e-9)
    assert left.cdf(left.support[1] + 1) == 1.0


def test_a_shifted_lognormal_changes_unit_as_a_whole() -> None:
    assert ShiftedLognormal(2, -3, -0.5).scaled(4) == ShiftedLognormal(8, -12, -0.5)


def test_percentiles_mean_and_partial_mean_by_quadrature() -> None:
    for distribution in (Percentiles(8, 10, 14), Percentiles(6, 10, 12), Percentiles(8, 10, 12)):
        grid = (np.arange(200_000) + 0.5) / 200_000
        values = distribution.from_uniform(grid)
        assert distribution.mean == pytest.approx(values.mean(), rel=2e-5)
        x = distribution.quantile(0.3)
        assert distribution.partial_mean(x) == pytest.approx(values[grid <= 0.3].sum() / 200_000, rel=2e-4)


def test_choice_by_hand() -> None:
    distribution = Choice((8, 1, 4, 99), (0.5, 0.2, 0.3, 0.0))
    assert distribution.values == (1, 4, 8)
    assert distribution.mean == pytest.approx(5.4, rel=1e-15)
    assert distribution.support == (1, 8)
    assert [distribution.quantile(p) for p in (0, 0.2, 0.21, 0.5, 0.51, 1)] == [1, 1, 4, 4, 8, 8]
    assert [distribution.cdf(x) for x in (0.9, 1, 7.9, 8)] == pytest.approx([0, 0.2, 0.5, 1])
    assert distribution.partial_mean(4) == pytest.approx(1.4)
    draws = distribution.sample(np.random.default_rng(1), 40_000)
    shares = [float(np.mean(draws == value)) for value in (1, 4, 8)]
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.01)
    assert Choice((1, 2), (0.5, 0.5 + 5e-10)).quantile(1.0) == 2


def test_empirical_by_hand() -> None:
    distribution = Empirical((5, 1, 3, 3))
    assert distribution.mean == 3.0
    assert [distribution.quantile(p) for p in (0, 0.25, 0.26, 0.75, 0.76, 1)] == [1, 1, 3, 3, 5, 5]
    assert [distribution.cdf(x) for x in (0, 1, 3, 5)] == [0, 0.25, 0.75, 1]
    assert distribution.partial_mean(3) == 1.75
    draws = distribution.sample(np.random.default_rng(1), 40_000)
    assert float(np.mean(draws == 3)) == pytest.approx(0.5, abs=0.01)


def test_empirical_quantiles_agree_with_numpy() -> None:
    values = np.random.default_rng(3).lognormal(size=173)
    distribution = Empirical(tuple(values))
    grid = np.linspace(0.001, 0.999, 777)
    expected = np.quantile(values, grid, method="inverted_cdf")
    assert distribution.from_uniform(grid) == pytest.approx(expected, rel=1e-15)
    assert [distribution.quantile(p) for p in grid] == pytest.approx(expected, rel=1e-15)


def test_constant_never_varies() -> None:
    distribution = Constant(3)
    assert (distribution.mean, distribution.median, distribution.support) == (3, 3, (3, 3))
    assert [distribution.cdf(x) for x in (2.9, 3)] == [0, 1]
    assert [distribution.partial_mean(x) for x in (2.9, 3)] == [0, 3]
    assert distribution.sample(np.random.default_rng(0), 4).tolist() == [3, 3, 3, 3]
    assert distribution.from_uniform(np.array([0.1, 0.9])).tolist() == [3, 3]
    assert distribution.text() == "3"


def test_truncated_lognormal_and_pert_by_quadrature() -> None:
    cases: list[tuple[Distribution, float, float]] = [
        (Lognormal.from_percentiles(0.4, 0.9), 0.5, 1.0),
        (Pert(1, 2, 5), 1.5, 4.0),
        (Triangular(1, 2, 5), 1.5, 4.0),
        (Uniform(0, 2), -1.0, 0.5),
    ]
    grid = (np.arange(200_000) + 0.5) / 200_000
    for inner, low, high in cases:
        values = inner.from_uniform(grid)
        kept = values[(values >= low) & (values <= high)]
        cut = Truncated(inner, low, high)
        assert cut.mean == pytest.approx(kept.mean(), rel=2e-5)
        assert cut.median == pytest.approx(float(np.median(kept)), rel=1e-4)
        assert cut.cdf(cut.quantile(0.3)) == pytest.approx(0.3, rel=1e-9)
        assert [cut.cdf(low - 1), cut.cdf(high), cut.cdf(high + 1)] == [0.0, 1.0, 1.0]
        assert cut.support == (max(low, inner.support[0]), min(high, inner.support[1]))


def test_truncating_separate_values_drops_those_outside() -> None:
    assert truncated(Choice((1, 2, 4), (0.5, 0.25, 0.25)), 2, 4) == Choice((2, 4), (0.5, 0.5))
    assert truncated(Empirical((1, 2, 3)), high=2) == Empirical((1, 2))
    assert truncated(Constant(2), 1, 3) == Constant(2)
    nested = truncated(truncated(Normal(0, 1), -1, 5), -3, 1)
    assert nested == Truncated(Normal(0, 1), -1, 1)


def test_share_outside_counts_both_ends() -> None:
    assert Normal(0, 1).share_outside(-1.959963984540054, 1.959963984540054) == pytest.approx(0.05, rel=1e-9)
    assert Choice((1, 2, 3), (0.25, 0.25, 0.5)).share_outside(2, 2) == pytest.approx(0.75)
    assert Uniform(0, 1).share_outside(-math.inf, math.inf) == 0.0


def test_incomplete_beta_and_inverse_against_scipy() -> None:
    rng = np.random.default_rng(11)
    for _ in range(300):
        a = float(rng.uniform(1, 6))
        b = float(rng.uniform(1, 5))
        x, p = float(rng.random()), float(rng.random())
        assert _special.beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-13)
        assert _special.beta_quantile(p, a, b) == pytest.approx(special.betaincinv(a, b, p), rel=1e-10)
    assert _special.beta_quantile(1 - 2**-53, 5, 1) == pytest.approx(1.0, abs=1e-15)
    assert 1 - _special.beta_quantile(1 - 2**-53, 1, 5) == pytest.approx(2 ** (-53 / 5), rel=1e-12)
    assert _special.beta_quantile(1e-29, 1, 5) == pytest.approx(2e-30, rel=1e-9)
    assert _special.beta_quantile(0.0, 2, 3) == 0.0
    assert _special.beta_quantile(1.0, 2, 3) == 1.0


def test_infinite_tails_give_finite_quantiles_at_the_ends() -> None:
    assert Normal(0, 1).quantile(1.0) == pytest.approx(-stats.norm.ppf(2.0**-31), rel=1e-9)
    assert Normal(0, 1).quantile(0.0) == -Normal(0, 1).quantile(1.0)
    assert Exponential(1).quantile(1.0) == pytest.approx(31 * math.log(2), rel=1e-9)
    ends = np.array([0.0, 1.0])
    for distribution in (Normal(0, 1), Lognormal(0, 1), Exponential(1), Percentiles(1, 2, 4)):
        both = distribution.from_uniform(ends)
        assert np.isfinite(both).all()
        assert both == pytest.approx([distribution.quantile(0), distribution.quantile(1)], rel=1e-9)


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        (Uniform(0.8, 1.2), "uniform, 0.8-1.2"),
        (Triangular(25_000, 30_000, 40_000), "triangular, 25000-40000, mode 30000"),
        (Pert(1, 2, 3), "PERT, 1-3, mode 2"),
        (Normal(10, 2), "normal, mean 10, sd 2"),
        (Lognormal.from_percentiles(0.4, 0.9), "lognormal, P5-P95 0.4-0.9"),
        (Exponential.from_median(300), "exponential, median 300"),
        (Choice((4, 8), (0.25, 0.75)), "choice of 4 (0.25), 8 (0.75)"),
        (Choice(tuple(range(10)), (0.1,) * 10), "choice of 0 (0.1), 1 (0.1), 2 (0.1), 3 (0.1), 4 (0.1), "),
        (Empirical((1, 2, 3)), "empirical, 3 values, P5-P95 1-3"),
        (Percentiles(8, 10, 12), "percentiles, P5-P50-P95 8-10-12, fitted by a normal"),
        (Percentiles(8, 10, 12.5).fit, "shifted lognormal from "),
        (Percentiles(6, 10, 12).fit, "shifted lognormal up to 14, P5-P95 6-12"),
        (Truncated(Normal(1, 1), 0, math.inf), "normal, mean 1, sd 1, truncated to >= 0"),
        (Truncated(Normal(1, 1), -math.inf, 2), "normal, mean 1, sd 1, truncated to <= 2"),
        (Truncated(Normal(1, 1), 0, 2), "normal, mean 1, sd 1, truncated to 0-2"),
    ],
)
def test_text(distribution: Distribution, text: str) -> None:
    assert distribution.text().startswith(text)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Uniform(3, 2), "low must be below high, got low = 3 and high = 2"),
        (lambda: Uniform(0, math.inf), "high must be a finite number"),
        (lambda: Uniform(0, 1e101), "high must lie between -1e100 and 1e100"),
        (lambda: Triangular(1, 4, 3), "mode must lie between low and high"),
        (lambda: Pert(1, 0.5, 3), "mode must lie between low and high"),
        (lambda: Normal(1, 0), "sd must be > 0, got 0"),
        (lambda: Normal(math.nan, 1), "mean must be a finite number"),
        (lambda: Lognormal(0, 0), "sigma must be > 0"),
        (lambda: Lognormal(0, 11), "spread is too wide"),
        (lambda: Lognormal(500, 1), "median must lie between"),
        (lambda: Lognormal.from_percentiles(0, 1), "p5 must be > 0"),
        (lambda: Lognormal.from_percentiles(2, 1), "p5 must be below p95, got p5 = 2 and p95 = 1"),
        (lambda: Lognormal.from_percentiles(1, math.inf), "p95 must be a finite number"),
        (lambda: Lognormal.from_percentiles(1, 2, z=0), "z must be > 0"),
        (lambda: Lognormal.from_median(1, 1), "gsd must be > 1"),
        (lambda: Lognormal.from_median(-1, 2), "median must be > 0"),
        (lambda: Lognormal.from_median(math.inf, 2), "median must be a finite number"),
        (lambda: Exponential(0), "rate must be > 0"),
        (lambda: Exponential(1e-101), "rate must be at least"),
        (lambda: Exponential.from_median(-3), "median must be > 0"),
        (lambda: Exponential.from_median(1e101), "median must lie between"),
        (lambda: Exponential.from_mean(1e101), "mean must lie between"),
        (lambda: Choice((), ()), "values must not be empty"),
        (lambda: Choice((1, 2), (1,)), "equally many, got 2 and 1"),
        (lambda: Choice((1, 2), (1.5, -0.5)), "weights must be >= 0, got -0.5"),
        (lambda: Choice((1, 2), (0.5, 0.4)), "weights must sum to 1, got 0.9"),
        (lambda: Choice((1, math.nan), (0.5, 0.5)), r"values\[1\] must be a finite number"),
        (lambda: Empirical(()), "values must not be empty"),
        (lambda: Empirical((1, math.nan)), r"values\[1\] must be a finite number"),
        (lambda: Percentiles(10, 10, 12), "p5 must be below p50"),
        (lambda: Percentiles(8, 13, 12), "p50 must be below p95"),
        (lambda: Percentiles(0, 1e-9, 1e9), "too near p5 or p95"),
        (lambda: ShiftedLognormal(0, 1, -1), "same sign"),
        (lambda: ShiftedLognormal(0, 1, 11), "sigma must lie in"),
        (lambda: Truncated(Normal(0, 1), 2, 1), "low must be below high"),
        (lambda: Truncated(Normal(0, 1), 5, 9), "keep only 2.87e-07|keep only 2.9e-07"),
        (lambda: Truncated(Constant(1), 0, 2), "use truncated"),
        (lambda: truncated(Constant(1), 2, 3), "leave nothing of 1"),
        (lambda: truncated(Normal(0, 1), math.nan, 3), "limits must be numbers"),
        (lambda: Uniform(0, 1).scaled(0), "unit factor must be positive"),
        (lambda: Uniform(0, 1).quantile(1.5), r"probability must lie in 0\.\.1"),
        (lambda: Normal(0, 1).quantile(math.nan), r"probability must lie in 0\.\.1"),
    ],
)
def test_bad_parameters_are_refused_in_plain_words(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_limits_no_draw_can_meet_end_with_an_error() -> None:
    """Many floats share one logarithm: limits may straddle its step and still miss every draw."""
    narrow = Lognormal(36.8, 1e-17)
    centre = high = narrow.at(0.0)
    while math.log(math.nextafter(high, 0.0)) >= 36.8:
        high = math.nextafter(high, 0.0)
    low = math.nextafter(high, 0.0)
    assert low < high < centre
    cut = Truncated(narrow, low, high)
    with pytest.raises(ValueError, match=r"no draw of .* falls between its limits"):
        cut.sample(np.random.default_rng(0), 4)


def test_incomplete_beta_in_the_middle_of_nearly_equal_shapes() -> None:
    """Rounding puts both sides of the swap above their limit: one swap has to be enough."""
    x, a, b = 0.5000000000000001, 31.917544517459948, 31.917544517459934
    assert _special.beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-12)
