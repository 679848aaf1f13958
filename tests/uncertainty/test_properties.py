"""Invariants that hold for every distribution of ordinary size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.uncertainty.distributions import Distribution
from aiplan.uncertainty.sampling import Sampler

from .strategies import continuous, distributions, fractions

factors = st.sampled_from((1e-9, 1e-3, 0.25, 3.6, 1000.0))


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def size_of(distribution: Distribution) -> float:
    """Size against which rounding errors are judged."""
    return max(abs(distribution.quantile(0.05)), abs(distribution.median), abs(distribution.quantile(0.95)))


@given(distributions, fractions, fractions)
def test_quantile_rises_with_probability(distribution: Distribution, p: float, q: float) -> None:
    lower, higher = sorted((p, q))
    slack = 1e-12 * size_of(distribution)
    assert distribution.quantile(lower) <= distribution.quantile(higher) + slack


@given(continuous, st.floats(0.001, 0.999))
def test_cdf_undoes_the_quantile(distribution: Distribution, p: float) -> None:
    assert distribution.cdf(distribution.quantile(p)) == pytest.approx(p, abs=1e-6)


@given(distributions, st.floats(0.0, 1.0))
def test_at_least_p_lies_at_or_below_the_quantile(distribution: Distribution, p: float) -> None:
    x = distribution.quantile(p)
    assert distribution.cdf(x + 1e-9 * (abs(x) + 1e-3)) >= p - 1e-6


@given(distributions, st.integers(0, 2**32))
def test_samples_and_inverse_draws_stay_inside_the_support(distribution: Distribution, seed: int) -> None:
    low, high = distribution.support
    rng = generator(seed)
    for values in (distribution.sample(rng, 200), distribution.from_uniform(rng.random(200))):
        assert values.shape == (200,)
        assert np.isfinite(values).all()
        assert values.min() >= low
        assert values.max() <= high
    assert low <= distribution.median <= high
    # The mean of values on one side of a limit may round onto it, not past it by more than that.
    slack = 1e-9 * size_of(distribution)
    assert low - slack <= distribution.mean <= high + slack


@given(distributions, st.lists(fractions, min_size=1, max_size=20))
def test_scalar_and_array_inverse_agree(distribution: Distribution, probabilities: list[float]) -> None:
    array = distribution.from_uniform(np.array(probabilities))
    scalars = [distribution.quantile(p) for p in probabilities]
    scale = max(size_of(distribution), float(np.abs(scalars).max()))
    assert array == pytest.approx(scalars, rel=1e-7, abs=1e-9 * scale)


@given(distributions, factors, st.integers(0, 2**32), fractions)
def test_a_change_of_unit_commutes_with_everything(distribution: Distribution, k: float, seed: int, p: float) -> None:
    scaled = distribution.scaled(k)
    small = 1e-9 * k * size_of(distribution)
    assert type(scaled) is type(distribution)
    assert scaled.quantile(p) == pytest.approx(k * distribution.quantile(p), rel=1e-9, abs=small)
    assert scaled.mean == pytest.approx(k * distribution.mean, rel=1e-9, abs=small)
    assert scaled.support == pytest.approx([k * end for end in distribution.support], rel=1e-9, abs=small)
    # Rounding of the parameters may turn a beta draw by more than it moves a quantile: compare coarsely.
    draws, expected = scaled.sample(generator(seed), 50), k * distribution.sample(generator(seed), 50)
    assert draws == pytest.approx(expected, rel=1e-5, abs=1e-6 * k * size_of(distribution))


@given(distributions, st.integers(0, 2**32), st.integers(1, 120), st.integers(0, 120))
def test_a_short_run_is_the_start_of_a_long_one(distribution: Distribution, seed: int, n: int, more: int) -> None:
    short, long = Sampler(seed, n).draw("x", distribution), Sampler(seed, n + more).draw("x", distribution)
    if isinstance(short, float):
        assert short == long
    else:
        assert not isinstance(long, float)
        assert short.tolist() == long[:n].tolist()


@given(distributions)
@settings(max_examples=60)
def test_the_mean_is_that_of_the_quantiles(distribution: Distribution) -> None:
    """Integral of the quantile over 0..1, midpoint rule: closed-form mean within the error of the tails."""
    grid = (np.arange(4096) + 0.5) / 4096
    values = distribution.from_uniform(grid)
    spread = float(np.std(values)) + 1e-9 * size_of(distribution)
    assert distribution.mean == pytest.approx(float(np.mean(values)), abs=0.2 * spread)


@given(distributions)
def test_text_is_one_short_line(distribution: Distribution) -> None:
    text = distribution.text()
    assert "\n" not in text
    assert 0 < len(text) < 200
