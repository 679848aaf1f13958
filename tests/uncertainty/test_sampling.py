"""Draws: repeatable, independent of one another, correlated where asked, converging as they should."""

from __future__ import annotations

import hashlib
import math
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.stats import qmc

from aiplan.uncertainty.copula import mixtures
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
    Triangular,
    Uniform,
    truncated,
)
from aiplan.uncertainty.sampling import Correlation, Method, Sampler, sobol_column, sobol_directions, stream

FloatArray = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("random", "lhs", "sobol")
KINDS: list[Distribution] = [
    Uniform(1, 3),
    Triangular(1, 2, 5),
    Pert(1, 2, 5),
    Normal(10, 2),
    Lognormal.from_percentiles(0.4, 0.9),
    Exponential.from_median(300),
    Choice((1, 4, 8), (0.2, 0.3, 0.5)),
    Empirical(tuple(range(10))),
    Percentiles(8, 10, 13),
    truncated(Normal(1, 1), low=0.0),
]

PINNED = [0.5882141552884026, 0.15763546943079454, 0.1800563010492573]
"""First draws of a uniform input named ``pue``, seed 0."""


def drawn(sampler: Sampler, name: str, distribution: Distribution) -> FloatArray:
    values = sampler.draw(name, distribution)
    assert not isinstance(values, float)
    return values


def test_stream_is_named_by_sha256_of_seed_and_name() -> None:
    digest = hashlib.sha256(b"42:pue").digest()
    seeds = np.random.SeedSequence(int.from_bytes(digest, "big"))
    expected = np.random.Generator(np.random.PCG64(seeds)).random(5)
    assert stream(42, "pue").random(5).tolist() == expected.tolist()
    # Pinned: a change here changes every published figure of the product.
    assert Sampler(0, 3).draw("pue", Uniform(0, 1)) == pytest.approx(PINNED, rel=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distribution", KINDS, ids=lambda d: d.kind)
def test_draws_do_not_depend_on_other_inputs_or_on_order(method: Method, distribution: Distribution) -> None:
    alone = drawn(Sampler(3, 64, method, names=("pue", "price")), "pue", distribution)
    company = Sampler(3, 64, method, names=("pue", "price", "power", "late"), correlations=[("price", "power", 0.5)])
    company.draw("late", Normal(0, 1))
    company.draw("price", Normal(0, 1))
    assert drawn(company, "pue", distribution).tolist() == alone.tolist()
    assert drawn(company, "pue", distribution).tolist() == alone.tolist()
    assert drawn(Sampler(4, 64, method, names=("pue", "price")), "pue", distribution).tolist() != alone.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_streams_of_different_inputs_are_uncorrelated(method: Method) -> None:
    n = 4096
    names = [f"input{i}" for i in range(6)]
    sampler = Sampler(0, n, method, names=names)
    matrix = np.corrcoef([drawn(sampler, name, Uniform(0, 1)) for name in names])
    assert np.abs(matrix - np.eye(6)).max() < 4 / math.sqrt(n)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distribution", KINDS, ids=lambda d: d.kind)
def test_every_method_reproduces_mean_and_tails(method: Method, distribution: Distribution) -> None:
    n = 16_384
    values = drawn(Sampler(1, n, method, names=("x",)), "x", distribution)
    deviation = float(np.std(values))
    assert float(np.mean(values)) == pytest.approx(distribution.mean, abs=4 * deviation / math.sqrt(n))
    for p in (0.05, 0.5, 0.95):
        at = distribution.quantile(p)
        assert np.mean(values <= at) == pytest.approx(distribution.cdf(at), abs=4 * math.sqrt(p * (1 - p) / n))


def test_constants_are_numbers_and_consume_nothing() -> None:
    for method in METHODS:
        sampler = Sampler(0, 8, method)
        value = sampler.draw("anything", Constant(3))
        assert value == 3.0
        assert isinstance(value, float)


def test_latin_hypercube_has_one_draw_in_every_slice() -> None:
    for name in ("a", "b"):
        values = drawn(Sampler(5, 1000, "lhs"), name, Uniform(0, 1))
        assert sorted(np.floor(values * 1000).astype(int).tolist()) == list(range(1000))


def test_sobol_columns_equal_scipys_unscrambled_points() -> None:
    points = qmc.Sobol(12, scramble=False, bits=30).random(1024)
    directions = sobol_directions(12, 10)
    for column in range(12):
        assert sobol_column(directions[:, column]).tolist() == (points[:, column] * 2**30).astype(int).tolist()


def test_shifted_sobol_column_keeps_one_point_in_every_slice() -> None:
    sampler = Sampler(9, 256, "sobol", names=("a", "b", "c"))
    for name in ("a", "b", "c"):
        values = drawn(sampler, name, Uniform(0, 1))
        assert sorted(np.floor(values * 256).astype(int).tolist()) == list(range(256))
        assert 0.0 < values.min() < values.max() < 1.0
    assert drawn(Sampler(9, 1, "sobol", names=("a",)), "a", Uniform(0, 1)).shape == (1,)


def smooth_product_error(method: Method, seed: int) -> float:
    """Relative error of the mean of prod exp(0.3 (x_i - 0.5)), 8 uniform inputs, 1024 samples."""
    names = [f"x{i}" for i in range(8)]
    sampler = Sampler(seed, 1024, method, names=names)
    total = sum((drawn(sampler, name, Uniform(0, 1)) - 0.5 for name in names), np.zeros(1024))
    exact = ((math.exp(0.15) - math.exp(-0.15)) / 0.3) ** 8
    assert exact == pytest.approx(1.0304314, rel=1e-7)
    return abs(float(np.mean(np.exp(0.3 * total))) / exact - 1)


def test_convergence_on_a_smooth_product() -> None:
    """Engineering reference, check 4 and section 4.5: medians over 30 seeds."""
    median = {m: float(np.median([smooth_product_error(m, seed) for seed in range(30)])) for m in METHODS}
    assert median["sobol"] <= 5e-4
    assert 4e-4 <= median["lhs"] <= 2e-3
    assert 2.5e-3 <= median["random"] <= 1e-2


RHO = [("a", "b", 0.8), ("b", "c", -0.4), ("x", "y", 1.0)]
NAMES = ("a", "b", "c", "x", "y", "free")


@pytest.mark.parametrize("method", METHODS)
def test_correlation_is_recovered(method: Method) -> None:
    n = 65_536
    sampler = Sampler(0, n, method, RHO, NAMES)
    normal = {name: drawn(sampler, name, Normal(0, 1)) for name in NAMES}
    found = np.corrcoef([normal[name] for name in ("a", "b", "c", "free")])
    expected = np.array([[1, 0.8, 0, 0], [0.8, 1, -0.4, 0], [0, -0.4, 1, 0], [0, 0, 0, 1]])
    assert found == pytest.approx(expected, abs=4 / math.sqrt(n))
    assert normal["x"] == pytest.approx(normal["y"], abs=1e-12)
    for values in normal.values():
        assert (np.mean(values), np.std(values)) == pytest.approx((0, 1), abs=4 / math.sqrt(n))


@pytest.mark.parametrize("distribution", KINDS, ids=lambda d: d.kind)
def test_correlated_marginals_keep_their_shape(distribution: Distribution) -> None:
    """Mean of the marginal, and Spearman's rho = 6/pi asin(rho/2) of the Gaussian copula."""
    n = 65_536
    sampler = Sampler(2, n, correlations=RHO, names=NAMES)
    first, second = drawn(sampler, "a", Lognormal(0, 1)), drawn(sampler, "b", distribution)
    assert float(np.mean(second)) == pytest.approx(distribution.mean, abs=4 * float(np.std(second)) / math.sqrt(n))
    if distribution.kind not in ("choice", "empirical"):
        rank = float(stats.spearmanr(first, second).statistic)
        assert rank == pytest.approx(6 / math.pi * math.asin(0.4), abs=0.01)


def test_the_first_of_a_group_keeps_its_own_draws() -> None:
    plain, linked = Sampler(0, 100), Sampler(0, 100, correlations=RHO, names=NAMES)
    distribution = Lognormal.from_percentiles(0.4, 0.9)
    assert drawn(plain, "a", distribution).tolist() == drawn(linked, "a", distribution).tolist()
    assert drawn(plain, "free", distribution).tolist() == drawn(linked, "free", distribution).tolist()
    assert drawn(plain, "b", distribution).tolist() != drawn(linked, "b", distribution).tolist()


def test_correlated_draws_have_the_prefix_property() -> None:
    for distribution in KINDS:
        short = drawn(Sampler(0, 100, correlations=RHO, names=NAMES), "b", distribution)
        long = drawn(Sampler(0, 250, correlations=RHO, names=NAMES), "b", distribution)
        assert short == pytest.approx(long[:100], rel=1e-12)


def test_a_constant_in_a_correlation_stays_a_number() -> None:
    sampler = Sampler(0, 10, correlations=RHO, names=NAMES)
    assert sampler.draw("b", Constant(2)) == 2.0
    assert drawn(sampler, "c", Normal(0, 1)).shape == (10,)


def test_chained_names_form_one_group_in_the_order_of_names() -> None:
    recipes = mixtures(("c", "b", "a", "d"), [Correlation("a", "b", 0.6), Correlation("c", "b", 0.3)])
    assert set(recipes) == {"a", "b", "c"}
    assert recipes["c"] == (("c", 1.0),)
    assert [source for source, _ in recipes["b"]] == ["c", "b"]
    assert [weight for _, weight in recipes["b"]] == pytest.approx([0.3, math.sqrt(1 - 0.09)])
    for recipe in recipes.values():
        assert math.fsum(weight**2 for _, weight in recipe) == pytest.approx(1.0, rel=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
@settings(max_examples=60)
def test_consistent_correlations_are_met_and_others_refused(rhos: list[float]) -> None:
    names = ("p", "q", "r", "s")
    pairs = [(i, j) for i in range(4) for j in range(i)]
    matrix = np.eye(4)
    for (i, j), rho in zip(pairs, rhos, strict=True):
        matrix[i, j] = matrix[j, i] = rho
    links = [(names[i], names[j], rho) for (i, j), rho in zip(pairs, rhos, strict=True)]
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -1e-9:
        with pytest.raises(ValueError, match="cannot all hold"):
            mixtures(names, links)
    elif smallest > 1e-9:
        recipes = mixtures(names, links)
        factor = np.array([[dict(recipes[row]).get(column, 0.0) for column in names] for row in names])
        assert factor @ factor.T == pytest.approx(matrix, abs=1e-7)


def test_contradicting_correlations_name_the_worst_pair() -> None:
    links = [("a", "b", 0.9), ("b", "c", 0.9), ("a", "c", -0.9), ("c", "d", 0.1)]
    with pytest.raises(ValueError, match=r"of a, b, c, d cannot all hold \(smallest eigenvalue -0\.8"):
        mixtures(("a", "b", "c", "d"), links)
    weak = [("a", "b", 0.95), ("b", "c", 0.95), ("a", "c", 0.2)]
    # Raising rho(a, c) to 0.805 would do too; what contributes most is one of the two strong pairs.
    with pytest.raises(ValueError, match=r"is the pair '[ab]' and '[bc]' \(rho = 0\.95\)"):
        mixtures(("a", "b", "c"), weak)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([("a", "prise", 0.5)], "names 'prise', which is not an uncertain input, did you mean price"),
        ([("zzz", "a", 0.5)], "names 'zzz', which is not an uncertain input$"),
        ([("a", "a", 0.5)], "'a' cannot be correlated with itself"),
        ([("a", "price", 1.01)], r"must lie in -1\.\.1, got 1\.01"),
        ([("a", "price", math.nan)], r"must lie in -1\.\.1, got nan"),
        ([("a", "price", 0.5), ("price", "a", 0.4)], "is given twice"),
    ],
)
def test_bad_correlations_are_refused(links: list[tuple[str, str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampler(0, 10, correlations=links, names=("a", "price"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "at least 1, got 0"),
        ({"n": 8, "method": "halton"}, "unknown sampling method 'halton', known: random, lhs, sobol"),
        ({"n": 1000, "method": "sobol"}, "power of two as number of samples"),
        ({"n": 2**31, "method": "sobol"}, "power of two as number of samples, up to"),
        ({"n": 8, "method": "sobol", "names": [str(i) for i in range(21202)]}, "at most 21201 inputs"),
        ({"n": 8, "names": ("a", "a")}, "must differ"),
    ],
)
def test_bad_samplers_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampler(0, **cast("dict[str, int]", arguments))  # type: ignore[arg-type]


def test_sobol_refuses_a_name_without_a_column() -> None:
    with pytest.raises(ValueError, match="sobol needs 'b' among the names"):
        Sampler(0, 8, "sobol", names=("a",)).draw("b", Uniform(0, 1))
