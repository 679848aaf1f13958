"""Summaries of samples against numpy, hand calculation and known sampling theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.uncertainty.quantiles import (
    half_width,
    half_width_of_batches,
    quantiles,
    summary,
    trim_two_stage,
)

samples = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=80)


@given(samples)
def test_summary_equals_numpys_percentiles(values: list[float]) -> None:
    found = summary(values)
    assert list(found) == ["p5", "p25", "p50", "p75", "p95", "mean"]
    assert [found[key] for key in list(found)[:5]] == np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    assert found["mean"] == pytest.approx(math.fsum(values) / len(values), rel=1e-12, abs=1e-4)


def test_summary_of_a_million_values_by_hand() -> None:
    values = np.random.default_rng(0).permutation(1_000_001).astype(np.float64)
    found = summary(values)
    assert found == {"p5": 5e4, "p25": 2.5e5, "p50": 5e5, "p75": 7.5e5, "p95": 9.5e5, "mean": 5e5}


def test_summary_leaves_the_sample_as_it_was() -> None:
    values = np.array([3.0, 1.0, 2.0])
    summary(values)
    trim_two_stage(values)
    assert values.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize("number", [0.31, 7, np.float64(2.5), np.array(4.0)])
def test_a_scalar_has_a_mean_but_no_percentiles(number: float) -> None:
    expected = {"p5": None, "p25": None, "p50": None, "p75": None, "p95": None, "mean": float(number)}
    assert summary(number) == expected


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, math.nan], [1.0, math.inf], [math.inf, -math.inf]])
def test_unusable_samples_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="a sample must"), np.errstate(invalid="ignore"):
        summary(values)


def test_a_scalar_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite number, got nan"):
        summary(math.nan)


def test_large_finite_values_are_not_mistaken_for_infinite_ones() -> None:
    with np.errstate(over="ignore"):
        assert quantiles([1.7e308, 1.7e308], [0.5]) == [1.7e308]


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_probabilities_outside_the_unit_interval_are_refused(p: float) -> None:
    with pytest.raises(ValueError, match="probability must lie in"):
        quantiles([1.0], [p])
    with pytest.raises(ValueError, match="probability must lie in"):
        half_width([1.0], p)


def test_trimming_keeps_the_published_share_in_order() -> None:
    """Oviedo et al. 2026, authors' code: first P5-P95, then P10-P90 of what is left; 72 % remain."""
    values = np.random.default_rng(5).lognormal(size=100_000)
    kept = trim_two_stage(values)
    assert kept.size / values.size == pytest.approx(0.72, abs=2e-4)
    once = values[(values >= np.quantile(values, 0.05)) & (values <= np.quantile(values, 0.95))]
    twice = once[(once >= np.quantile(once, 0.10)) & (once <= np.quantile(once, 0.90))]
    assert kept.tolist() == twice.tolist()
    # Quantiles left over: 0.05 + 0.9*0.1 = 0.14 to 0.86.
    low, high = np.quantile(values, [0.14, 0.86])
    assert (kept.min(), kept.max()) == pytest.approx((low, high), rel=1e-3)


@given(st.lists(st.floats(-1e9, 1e9), min_size=20, max_size=80))
def test_trimming_keeps_some_of_what_was_there(values: list[float]) -> None:
    kept = trim_two_stage(values)
    assert 0.55 * len(values) < kept.size <= len(values)
    assert set(kept.tolist()) <= set(np.asarray(values).tolist())


@pytest.mark.parametrize("values", [[0.0, 1.0], [0.0, 1.0, 2.0, 3.0]])
def test_samples_too_small_to_trim_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="too small to trim"):
        trim_two_stage(values)


def test_half_width_of_a_median_matches_its_known_standard_error() -> None:
    """Standard error of a median = 1/(2 f sqrt(n)); for the standard normal sqrt(pi/2)/sqrt(n)."""
    rng = np.random.default_rng(2)
    n = 10_000
    widths = [half_width(rng.standard_normal(n)) for _ in range(40)]
    known = math.sqrt(math.pi / 2 / n)
    assert np.mean([width for width in widths if width is not None]) == pytest.approx(known, rel=0.05)
    observed = np.std([np.median(rng.standard_normal(n)) for _ in range(300)])
    assert observed == pytest.approx(known, rel=0.12)


def test_half_width_of_a_tail_quantile() -> None:
    """sqrt(p (1 - p)/n)/f(x_p): 0.0211 for P95 of a standard normal, n = 10 000."""
    widths = [half_width(np.random.default_rng(seed).standard_normal(10_000), 0.95) for seed in range(40)]
    assert np.mean([w for w in widths if w is not None]) == pytest.approx(0.02113, rel=0.05)


def test_half_width_scales_with_z_on_even_spacing() -> None:
    values = np.linspace(0, 1, 10_001)
    one, two = half_width(values), half_width(values, z=2.0)
    assert one == pytest.approx(0.005, rel=1e-3)
    assert two == pytest.approx(0.010, rel=1e-3)


def test_half_width_is_unknown_where_the_sample_is_too_small() -> None:
    assert half_width([1.0, 2.0, 3.0], 0.95) is None
    assert half_width([1.0], 0.5) == 0.0
    assert half_width([1.0, 2.0], 0.0) is None
    assert half_width(list(range(5)), 0.5, z=5.0) is None


def test_half_width_of_batches_is_the_standard_error_of_their_mean() -> None:
    assert half_width_of_batches([1.0, 2.0, 3.0, 4.0]) == pytest.approx(math.sqrt(5 / 3) / 2, rel=1e-12)
    assert half_width_of_batches([1.0, 3.0], z=1.96) == pytest.approx(1.96)
    assert half_width_of_batches([5.0]) is None
