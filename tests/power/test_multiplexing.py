"""Moments, tails and counts against Monte Carlo, eigenvalues, quadrature, closed forms and brute force."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.multiplexing import (
    Moments,
    ServerClass,
    correlation_problem,
    exceedance,
    expected_excess_w,
    quantile_w,
    servers_at,
    sum_moments,
)
from aiplan.planners.power.tail_forms import METHODS, Method, beta_shape, is_cornish_fisher_valid

NORMAL = NormalDist()


def moments(
    mean: float = 0.0, sd: float = 1.0, g: float = 0.0, k: float = 0.0, peak: float = np.inf, floor: float = -np.inf
) -> Moments:
    return Moments(*(np.asarray(float(value)) for value in (mean, sd, g, k, floor, peak)))


def figures(found: Moments) -> list[float]:
    return [
        float(value)
        for value in (found.mean_w, found.sd_w, found.skewness, found.excess_kurtosis, found.floor_w, found.peak_w)
    ]


# ---- moments ----


def test_the_published_trace_formula() -> None:
    """64 nodes of a GPT-3 job: s = 353.3 W, rho = 0.723 (power-and-cooling.md, section 4)."""
    node = ServerClass(64, 6848.5, 353.3, rho=0.723)
    assert float(sum_moments([node]).sd_w) == pytest.approx(19_282, rel=1e-3)
    assert float(sum_moments([replace(node, rho=0.0)]).sd_w) == pytest.approx(2_840, rel=0.01)
    assert float(sum_moments([ServerClass(8, 6866, 357.3, rho=0.7175)]).sd_w) == pytest.approx(2_480, rel=2e-3)


def test_moments_equal_those_of_a_common_factor_model() -> None:
    """Two classes, each with a factor of its own: gamma variables, whose skewness and kurtosis are known."""
    generator = np.random.Generator(np.random.PCG64(5))
    draws = 400_000

    def gamma(shape: float, size: tuple[int, ...]) -> np.ndarray:
        return (generator.gamma(shape, size=size) - shape) / math.sqrt(shape)

    classes, total = [], np.zeros(draws)
    for n, mean, s, rho, common, own in ((6, 100.0, 10.0, 0.6, 1.5, 4.0), (3, 50.0, 20.0, 0.2, 9.0, 0.8)):
        factor, rest = gamma(common, (draws,)), gamma(own, (draws, n))
        x = mean + s * (math.sqrt(rho) * factor[:, None] + math.sqrt(1 - rho) * rest)
        total += x.sum(axis=1)
        third = [2 / math.sqrt(shape) for shape in (common, own)]
        fourth = [6 / shape for shape in (common, own)]
        classes.append(ServerClass(
            n, mean, s, rho=rho, skewness=rho**1.5 * third[0] + (1 - rho) ** 1.5 * third[1],
            excess_kurtosis=rho**2 * fourth[0] + (1 - rho) ** 2 * fourth[1],
            co_skewness=rho**1.5 * third[0], co_excess_kurtosis=rho**2 * fourth[0],
        ))  # fmt: skip
    z = (total - total.mean()) / total.std()
    found = sum_moments(classes)
    assert float(found.mean_w) == pytest.approx(total.mean(), rel=1e-3)
    assert float(found.sd_w) == pytest.approx(total.std(), rel=5e-3)
    assert float(found.skewness) == pytest.approx(np.mean(z**3), abs=0.02)
    assert float(found.excess_kurtosis) == pytest.approx(np.mean(z**4) - 3, abs=0.1)


def test_moments_without_co_moments_meet_transforms_of_correlated_normals() -> None:
    """``X = Z + e (Z^2 - 1)``: third cumulants are exact to order e, for positive and negative correlations."""
    generator = np.random.Generator(np.random.PCG64(6))
    e, counts = 0.05, (3, 2)
    rho = np.full((5, 5), -0.2)
    rho[:3, :3], rho[3:, 3:] = 0.5, 0.3
    np.fill_diagonal(rho, 1.0)
    z = generator.standard_normal((600_000, 5)) @ np.linalg.cholesky(rho).T
    s, g = math.sqrt(1 + 2 * e**2), (6 * e + 8 * e**3) / (1 + 2 * e**2) ** 1.5
    total = np.sum(z + e * (z**2 - 1), axis=1)
    t = (total - total.mean()) / total.std()
    classes = [
        ServerClass(n, 100.0, s, skewness=g, rho=r) for n, r in zip(counts, (0.5, 0.3), strict=True)
    ]  # fmt: skip
    found = sum_moments(classes, [[0, -0.2], [-0.2, 0]])
    assert float(found.skewness) == pytest.approx(np.mean(t**3), abs=0.012)
    independent = sum_moments([replace(item, rho=0.0) for item in classes])
    assert abs(float(independent.skewness) - np.mean(t**3)) > 0.02


servers = st.builds(
    lambda n, s, g, k, rho: ServerClass(n, 100.0, s, skewness=g, excess_kurtosis=k, rho=rho, peak_w=200.0),
    st.integers(1, 50),
    st.floats(0.1, 20.0),
    st.floats(-2, 2),
    st.floats(-1, 5),
    st.floats(0, 1),
)


@settings(deadline=None, derandomize=True, database=None)
@given(servers, st.integers(0, 50))
def test_cutting_a_class_in_two_changes_nothing(whole: ServerClass, first: int) -> None:
    first = min(first, whole.count)
    parts = [replace(whole, count=first), replace(whole, count=whole.count - first)]
    cut = sum_moments(parts, [[0, whole.rho], [whole.rho, 0]])
    assert figures(cut) == pytest.approx(figures(sum_moments([whole])), rel=1e-9, abs=1e-9)


@settings(deadline=None, derandomize=True, database=None)
@given(servers)
def test_independent_and_synchronous_servers_are_exact(one: ServerClass) -> None:
    n = one.count
    found = sum_moments([replace(one, rho=0.0)])
    expected = [100.0 * n, one.sd_w * math.sqrt(n), one.skewness / math.sqrt(n), one.excess_kurtosis / n]
    assert figures(found)[:4] == pytest.approx(expected, rel=1e-9)
    found = sum_moments([replace(one, rho=1.0)])
    assert figures(found)[:4] == pytest.approx(
        [100.0 * n, one.sd_w * n, one.skewness, one.excess_kurtosis], rel=1e-9, abs=1e-12
    )


def test_opposed_servers_add_up_to_a_constant() -> None:
    found = sum_moments([ServerClass(5, 10.0, 1.0, skewness=1.0, excess_kurtosis=2.0, rho=-0.25, peak_w=20)])
    assert figures(found)[:4] == pytest.approx([50.0, 0.0, 0.0, 0.0], abs=1e-6)
    assert float(exceedance(found, 50.5)) == 0.0


def test_counts_broadcast() -> None:
    many = sum_moments([ServerClass(np.arange(1, 6), 10.0, 2.0, rho=0.3), ServerClass(2, 5.0, 1.0)])
    one = sum_moments([ServerClass(4, 10.0, 2.0, rho=0.3), ServerClass(2, 5.0, 1.0)])
    assert many.sd_w.shape == (5,)
    assert float(many.sd_w[3]) == float(one.sd_w)


# ---- correlations that can be ----


@st.composite
def correlated(draw: st.DrawFn) -> tuple[list[int], list[float], np.ndarray]:
    k = draw(st.integers(1, 3))
    counts = draw(st.lists(st.integers(1, 4), min_size=k, max_size=k))
    rho = draw(st.lists(st.floats(-1, 1), min_size=k, max_size=k))
    between = np.zeros((k, k))
    for i in range(k):
        for j in range(i):
            between[i, j] = between[j, i] = draw(st.floats(-1, 1))
    return counts, rho, between


@given(correlated())
@settings(max_examples=300, derandomize=True, database=None)
def test_the_reduced_check_is_that_of_the_full_matrix(case: tuple[list[int], list[float], np.ndarray]) -> None:
    counts, rho, between = case
    place = np.repeat(np.arange(len(counts)), counts)
    full = between[place[:, None], place] + np.where(place[:, None] == place, np.asarray(rho)[place], 0.0)
    np.fill_diagonal(full, 1.0)
    lowest = float(np.linalg.eigvalsh(full)[0])
    if abs(lowest) < 1e-7:
        return
    classes = [ServerClass(n, 10.0, 1.0, rho=r) for n, r in zip(counts, rho, strict=True)]
    assert (correlation_problem(classes, between) == "") == (lowest > 0)


def test_impossible_correlations_are_refused_by_name() -> None:
    a, b = ServerClass(10, 10, 1, rho=0.9, name="training"), ServerClass(10, 10, 1, rho=0.9, name="chat")
    with pytest.raises(ValueError, match="training, chat contradict each other"):
        sum_moments([a, b], [[0, -0.99], [-0.99, 0]])
    with pytest.raises(ValueError, match=r"chat: rho = -0\.2 is below -1/\(count - 1\) = -0\.111"):
        sum_moments([a, replace(b, rho=-0.2)])
    with pytest.raises(ValueError, match="symmetric"):
        sum_moments([a, b], [[0, 0.1], [0.2, 0]])
    with pytest.raises(ValueError, match="2 by 2"):
        sum_moments([a, b], [[0.0]])
    assert correlation_problem([replace(a, rho=-1 / 9)]) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 1.5}, "count"),
        ({"count": -1}, "count"),
        ({"sd_w": -1.0}, "sd_w"),
        ({"sd_w": math.nan}, "sd_w"),
        ({"mean_w": 99.0}, "mean_w"),
        ({"mean_w": math.nan}, "mean_w"),
        ({"sd_w": 6.0}, "varies"),
        ({"rho": 1.1}, "rho"),
    ],
)
def test_impossible_servers_are_refused_by_name(change: dict[str, float], message: str) -> None:
    fine = ServerClass(2, 5.0, 1.0, 10.0, name="chat")
    with pytest.raises(ValueError, match=rf"chat: .*{message}"):
        replace(fine, **change)


# ---- tails ----


def test_the_turning_point_of_the_skew_correction() -> None:
    """With g = -0.93, ``z'`` turns at z = 3.2; beyond, the quantile stays level."""
    bent = moments(g=-0.93)
    turn = 3 / 0.93
    assert turn == pytest.approx(3.2, abs=0.05)
    highest = turn - (turn**2 - 1) * 0.93 / 6
    beyond = quantile_w(bent, [NORMAL.cdf(turn), 0.9999, 1 - 1e-8], "skew")
    assert beyond == pytest.approx([highest] * 3, abs=1e-6)
    assert float(quantile_w(bent, 0.99, "skew")) == pytest.approx(2.32635 - (2.32635**2 - 1) * 0.93 / 6, abs=1e-4)
    assert exceedance(bent, highest + 0.01, "skew") == 0.0


def test_the_domain_of_cornish_fisher_is_where_it_rises() -> None:
    z = np.linspace(-60, 60, 4001)
    for g in np.linspace(-2.6, 2.6, 14):
        for k in np.linspace(-1, 10, 23):
            rise = 1 + z * g / 3 + (z**2 - 1) * k / 8 - (6 * z**2 - 5) * g**2 / 36
            assert bool(is_cornish_fisher_valid(np.array(g), np.array(k))) == bool(np.all(rise >= 0)), (g, k)
    limit = 6 * (math.sqrt(2) - 1)
    some = np.linspace(0, 20, 20_001)
    assert np.any(is_cornish_fisher_valid(np.array(limit - 1e-3), some))
    assert not np.any(is_cornish_fisher_valid(np.array(limit + 1e-3), some))


def test_cornish_fisher_meets_a_gamma_tail_and_else_falls_back() -> None:
    shape = 16.0  # skewness 0.5, excess kurtosis 0.375
    from scipy.special import gammaincinv

    expected = (gammaincinv(shape, [0.99, 0.999]) - shape) / math.sqrt(shape)
    gamma = moments(g=0.5, k=0.375)
    assert quantile_w(gamma, [0.99, 0.999], "cornish_fisher") == pytest.approx(expected, rel=5e-3)
    assert quantile_w(moments(g=0.93, k=0.07), [0.9, 0.999], "cornish_fisher") == pytest.approx(
        quantile_w(moments(g=0.93), [0.9, 0.999], "skew"), abs=1e-12
    )


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0.3, 50.0), st.floats(0.01, 0.99))
def test_the_bounded_shape_has_the_moments_asked_for(top: float, place: float) -> None:
    g = -2 / top + place * (top + 1 / top)
    b, a, width = (float(value) for value in beta_shape(np.array(g), np.array(top)))
    assert a > 0
    assert b > 0
    spread = width * math.sqrt(a * b / (a + b + 1)) / (a + b)
    skewness = 2 * (b - a) * math.sqrt(a + b + 1) / ((a + b + 2) * math.sqrt(a * b))
    assert [width * b / (a + b), spread, skewness] == pytest.approx([top, 1.0, g], rel=1e-6, abs=1e-6)


def test_the_bounded_shape_has_the_right_limits() -> None:
    from scipy.special import gammainccinv, gammaincinv

    far = quantile_w(moments(peak=1e9), [0.95, 0.999], "bounded")
    assert far == pytest.approx([NORMAL.inv_cdf(0.95), NORMAL.inv_cdf(0.999)], rel=1e-3)
    right = quantile_w(moments(g=0.5, peak=1e9), 0.999, "bounded")
    assert float(right) == pytest.approx((gammaincinv(16, 0.999) - 16) / 4, rel=1e-3)
    for peak in (3.999, 4.001, 50.0):  # from skewness -0.5 on, an end beyond 4 is out of reach
        left = quantile_w(moments(g=-0.5, peak=peak), 0.999, "bounded")
        assert float(left) == pytest.approx((16 - gammainccinv(16, 0.999)) / 4, rel=1e-3)
    assert float(quantile_w(moments(g=0.0, peak=3**0.5), 0.9)) == pytest.approx(3**0.5 * 0.8, rel=1e-9)
    assert float(quantile_w(moments(g=5.0, peak=1.0), 0.9)) == pytest.approx(1.0, abs=1e-3)


shapes = st.builds(
    lambda sd, g, k, up, down: moments(100.0, sd, g, k, 100.0 + up * sd, 100.0 - down * sd),
    st.floats(0.1, 10),
    st.floats(-1.5, 1.5),
    st.floats(0, 4),
    st.floats(1.0, 8.0),
    st.floats(1.0, 8.0),
)


@given(shapes, st.sampled_from(METHODS), st.floats(-3, 5))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_excess_is_the_integral_of_exceedance(found: Moments, method: Method, z: float) -> None:
    level = 100.0 + z * float(found.sd_w)
    end = max(float(found.peak_w), level) + 1e-9
    x = np.linspace(level, end, 20_001)
    y = exceedance(found, 0.5 * (x[1:] + x[:-1]), method)
    assert float(expected_excess_w(found, level, method)) == pytest.approx(
        float(np.sum(y * np.diff(x))), rel=2e-3, abs=2e-4 * float(found.sd_w)
    )


@given(shapes, st.sampled_from(METHODS), st.floats(0.5, 0.9999))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_exceedance_inverts_the_quantile_inside_the_ends(found: Moments, method: Method, p: float) -> None:
    level = float(quantile_w(found, p, method))
    assert float(found.floor_w) <= level <= float(found.peak_w)
    beyond = float(quantile_w(found, min(p + 1e-5, 0.99999), method))
    if level > float(found.floor_w) and beyond - level > 1e-9:
        assert float(exceedance(found, level, method)) == pytest.approx(1 - p, abs=1e-6)
    if method != "normal":
        assert float(exceedance(found, float(found.peak_w), method)) == 0.0


def test_the_normal_excess_is_the_closed_form() -> None:
    k = 1.3
    expected = 7 * (NORMAL.pdf(k) - k * (1 - NORMAL.cdf(k)))
    assert float(expected_excess_w(moments(10, 7), 10 + k * 7, "normal")) == pytest.approx(expected, rel=1e-9)


def test_a_sum_that_does_not_vary() -> None:
    still = sum_moments([ServerClass(3, 10.0, 0.0, 10.0)])
    for method in METHODS:
        assert float(quantile_w(still, 0.999, method)) == 30.0
        assert [float(exceedance(still, c, method)) for c in (29.0, 30.0)] == [1.0, 0.0]
        assert float(expected_excess_w(still, 28.0, method)) == 2.0


def test_unknown_methods_and_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="method must be one of normal, skew"):
        quantile_w(moments(), 0.9, "lognormal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="probability"):
        quantile_w(moments(), 1.0)


# ---- what must rise and fall ----


@st.composite
def possible(draw: st.DrawFn) -> ServerClass:
    """A server whose skewness some power between its ends has: ``1/d - d < g < h - 1/h``."""
    s, top, bottom = draw(st.floats(1, 24)), draw(st.floats(1.05, 4.0)), draw(st.floats(1.05, 4.0))
    low, high = 1 / bottom - bottom, top - 1 / top
    g = low + draw(st.floats(0.001, 0.999)) * (high - low)
    return ServerClass(1, 100.0, s, 100.0 + top * s, g, draw(st.floats(-1, 3)), draw(st.floats(0, 1)), 100 - bottom * s)


@given(possible(), st.integers(1, 60), st.sampled_from(METHODS), st.floats(0.0, 4.0))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_capping_falls_with_fewer_servers(one: ServerClass, n: int, method: Method, z: float) -> None:
    found = sum_moments([replace(one, count=np.arange(1, n + 2))])
    capacity = 100.0 * n + z * float(found.sd_w[n - 1])
    assert np.all(np.diff(exceedance(found, capacity, method)) >= -1e-9)
    assert np.all(np.diff(expected_excess_w(found, capacity, method)) >= -1e-7)


@given(possible(), st.integers(2, 200), st.floats(0.0, 5.0), st.sampled_from(("normal", "skew", "bounded")))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_capping_rises_with_correlation(one: ServerClass, n: int, over: float, method: Method) -> None:
    """For powers that are not skewed to the high side and a capacity above the mean."""
    rho = np.linspace(0, 1, 21)
    found = sum_moments([replace(one, count=n, rho=rho, skewness=min(one.skewness, 0.0))])
    capacity = 100.0 * n + over * one.sd_w * math.sqrt(n)
    assert np.all(np.diff(exceedance(found, capacity, method)) >= -1e-9)


# ---- how many fit ----


@given(
    st.floats(50, 150), st.floats(0, 40), st.floats(-0.9, 0.9), st.floats(0, 1), st.floats(100, 20_000),
    st.floats(0.5, 0.9999), st.sampled_from(METHODS),
)  # fmt: skip
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_the_count_is_that_of_brute_search(
    mean: float, s: float, g: float, rho: float, capacity: float, p: float, method: Method
) -> None:
    one = ServerClass(1, mean, s, mean + 2 * s + 1, g, 0.3, rho)
    other = ServerClass(3, 20.0, 5.0, 40.0, name="other")
    counts = np.arange(0, 500)
    q = quantile_w(sum_moments([replace(one, count=counts), other]), p, method)
    fits = q <= capacity
    best = int(counts[fits][-1]) if fits.any() else 0
    assert int(servers_at([one, other], capacity, p, method)) == best
    assert np.all(fits[: best + 1]) or not fits.any()


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(50, 150), st.floats(1, 40), st.floats(0, 1), st.floats(1e3, 1e6), st.floats(0.51, 0.9999))
def test_the_count_is_that_of_the_closed_form(mean: float, s: float, rho: float, capacity: float, p: float) -> None:
    """Root of ``(C - N m)^2 = z^2 s^2 N (1 + (N - 1) rho)`` below C/m."""
    z = NORMAL.inv_cdf(p)
    a = mean**2 - z**2 * s**2 * rho
    b = 2 * capacity * mean + z**2 * s**2 * (1 - rho)
    if a <= 1.0:
        return
    root = 2 * capacity**2 / (b + math.sqrt(b**2 - 4 * a * capacity**2))
    if abs(root - round(root)) < 1e-6:
        return
    found = int(servers_at([ServerClass(1, mean, s, rho=rho, floor_w=0.0)], capacity, p, "normal"))
    assert found == math.floor(root)


def test_the_count_at_large_capacity_goes_with_the_root_of_rho() -> None:
    node = ServerClass(1, 100.0, 20.0, rho=0.4)
    limit = 1e9 / (100 + NORMAL.inv_cdf(0.999) * 20 * math.sqrt(0.4))
    assert int(servers_at([node], 1e9, 0.999, "normal")) == pytest.approx(limit, rel=1e-5)
    synchronous = replace(node, rho=1.0)
    alone = 100 + NORMAL.inv_cdf(0.999) * 20
    assert int(servers_at([synchronous], 1e4, 0.999, "normal")) == math.floor(1e4 / alone)


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0, 1), st.sampled_from(METHODS))
def test_the_count_falls_with_the_probability(rho: float, method: Method) -> None:
    node = ServerClass(1, 6848.5, 353.3, 7255.0, -1.25, 1.5, rho)
    found = servers_at([node], 652_800.0, [0.5, 0.9, 0.99, 0.999, 0.9999], method)
    assert np.all(np.diff(found) <= 0)
    assert np.all(found >= 652_800 // 7255)


def test_what_bounds_no_count_is_refused() -> None:
    with pytest.raises(ValueError, match="idle: mean_w must be above 0 W"):
        servers_at([ServerClass(1, 0.0, 0.0, name="idle")], 100.0, 0.99)
    with pytest.raises(ValueError, match="at least 0"):
        servers_at([ServerClass(1, 1.0, 0.0)], 100.0, 0.4)
    with pytest.raises(ValueError, match=r"opposed: rho = -0\.5"):
        servers_at([ServerClass(1, 1.0, 0.1, rho=-0.5, name="opposed")], 100.0, 0.99)
    assert int(servers_at([ServerClass(1, 10.0, 0.0), ServerClass(5, 10.0, 0.0)], 40.0, 0.99)) == 0
