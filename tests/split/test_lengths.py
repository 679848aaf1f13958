"""Lengths of prompts and answers: what is drawn meets what is published."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.split.arrivals import Arrivals
from aiplan.planners.split.lengths import (
    MAX_TOKENS,
    DistributionLengths,
    EmpiricalLengths,
    Independent,
    Joint,
    QuantileLengths,
    constant_lengths,
)
from aiplan.planners.split.workload import generate, statistics
from aiplan.uncertainty.distributions import Uniform
from tests.split import synthetic
from tests.split.test_workload import KINDS, PUBLISHED, generator

# --- lengths from quantiles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_lengths_have_the_published_statistics(kind: str) -> None:
    """200,000 draws: mean and sd within 1 %, quantiles within 2 %, second moments and context within 2 %."""
    told = PUBLISHED[kind]
    found = statistics(generate(0, Arrivals(70.0), synthetic.lengths_of(kind), count=200_000))
    for what in ("prompt", "output"):
        one = getattr(found, what)
        assert one.mean == pytest.approx(told[f"{what}_mean"], rel=0.01)
        assert one.sd == pytest.approx(told[f"{what}_sd"], rel=0.02)
        assert one.second_moment == pytest.approx(told[f"{what}_square"], rel=0.02)
        quantiles = (one.p25, one.p50, one.p75, one.p90, one.p95, one.p99)
        for have, want in zip(quantiles, told[what], strict=False):
            # Two per cent, and for the 99th percentile of the long tails what 2000 draws beyond it leave open.
            assert have == pytest.approx(want, rel=0.02 if want != told[what][5] else 0.04), quantiles
        assert one.minimum >= told["shortest"][what == "output"]
        assert one.maximum <= told[what][6]
    assert found.context_tokens == pytest.approx(told["context"], rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_the_distribution_itself_meets_quantiles_mean_and_deviation(kind: str) -> None:
    entry = Catalog().get("workloads", kind)
    pairs = synthetic.lengths_of(kind)
    for what, lengths in (("input", pairs.prompts), ("output", pairs.outputs)):
        assert isinstance(lengths, QuantileLengths)
        assert lengths.mean == pytest.approx(getattr(entry, f"{what}_mean_tokens").value, rel=1e-6)
        assert lengths.sd == pytest.approx(getattr(entry, f"{what}_sd_tokens").value, rel=1e-6)
        for probability, tokens in getattr(entry, f"{what}_quantile_tokens"):
            assert abs(lengths.quantile(probability) - tokens) <= 0.5


def test_quantiles_alone_miss_the_mean_which_is_why_it_is_asked_for() -> None:
    """Documented in `QuantileLengths`: 17 % on answers of the code trace."""
    entry = Catalog().get("workloads", "azure-2023-code")
    plain = QuantileLengths.through(entry.output_quantile_tokens)
    assert plain.mean / entry.output_mean_tokens.value == pytest.approx(1.17, abs=0.005)


def test_between_quantiles_the_logarithm_is_spread_evenly() -> None:
    found = QuantileLengths((0, 0.5, 1), (100, 1000, 100_000))
    for p in (0.1, 0.25, 0.4):
        assert found.quantile(p) == pytest.approx(100 * 10 ** (p / 0.5), abs=0.51)
    for p in (0.6, 0.75, 0.9):
        assert found.quantile(p) == pytest.approx(1000 * 100 ** ((p - 0.5) / 0.5), abs=0.51)
    # Mean of a log-uniform piece: (b - a)/ln(b/a).
    closed = 0.5 * 900 / math.log(10) + 0.5 * 99_000 / math.log(100)
    assert found.mean == pytest.approx(closed, rel=1e-5)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    tokens=st.lists(st.integers(1, 3000), min_size=2, max_size=7).map(sorted),
    place=st.floats(0.05, 0.95),
)
def test_any_mean_that_quantiles_allow_is_met(tokens: list[int], place: float) -> None:
    probabilities = tuple(np.linspace(0, 1, len(tokens)))
    masses = np.diff(probabilities)
    low, high = float(masses @ tokens[:-1]), float(masses @ tokens[1:])
    mean = low + place * (high - low)
    found = QuantileLengths(probabilities, tuple(tokens), mean_tokens=mean)
    assert found.mean == pytest.approx(mean, abs=1e-4 * max(high - low, 1))
    assert np.all(np.diff(found.cumulative) >= 0)
    assert (found.lengths[0], found.lengths[-1]) == (tokens[0], tokens[-1])
    for probability, wanted in zip(probabilities, tokens, strict=True):
        below, up_to = (found.cumulative[found.lengths <= length] for length in (wanted - 1, wanted))
        assert below.max(initial=0.0) - 1e-9 <= probability <= up_to.max() + 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 1), (5,)), "as many"),
        (((0,), (5,)), "at least two"),
        (((0.1, 1), (5, 9)), "from 0 to 1"),
        (((0, 0.5, 0.5, 1), (5, 6, 7, 8)), "from 0 to 1"),
        (((0, 0.5, 1), (5, 9, 8)), "must not fall"),
        (((0, 1), (0.5, 9)), "must not fall and must lie"),
        (((0, 1), (1, 2 * MAX_TOKENS)), "must lie in"),
        (((0, 1), (1, 9), None, 3.0), "needs a mean"),
        (((0, 0.5, 1), (10, 100, 1000), 50.0), "it lies in 55..550"),
        (((0, 0.5, 1), (10, 100, 1000), 180.0, 5.0), "have the mean 180 and the standard deviation 5"),
        (((0, 0.5, 1), (10, 100, 1000), 180.0, 900.0), "have the mean 180 and the standard deviation 900"),
        (((0, 0.5, 1), (10, 100, 1000), 180.0, -1.0), "must be positive"),
        (((0, 0.5, 1), (10, 100, 1000), math.nan), "it lies in"),
    ],
)
def test_quantiles_that_contradict_themselves_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        QuantileLengths(*arguments)


# --- other lengths ----------------------------------------------------------------------------------------------------


def test_lengths_are_whole_and_inside_their_bounds() -> None:
    drawn = DistributionLengths(Uniform(0.0, 40.0), 5, 30).sample(generator(), 10_000)
    assert drawn.dtype == np.int32
    assert (drawn.min(), drawn.max()) == (5, 30)
    assert np.mean(drawn == 30) == pytest.approx(10.5 / 40, abs=0.02)
    assert set(constant_lengths(7).sample(generator(), 5).tolist()) == {7}


@pytest.mark.parametrize("low", [0, -3, 31])
def test_bounds_of_lengths_must_be_in_order(low: int) -> None:
    with pytest.raises(ValueError, match="must hold"):
        DistributionLengths(Uniform(1, 2), low, 30)


def test_a_trace_is_drawn_again_jointly_or_not() -> None:
    prompts = np.arange(1, 101)
    joint = generate(1, Arrivals(1.0), Joint(prompts, prompts * 3), count=5000)
    assert np.array_equal(joint.output_tokens, joint.prompt_tokens * 3)
    apart = Independent(EmpiricalLengths(prompts), EmpiricalLengths(prompts * 3))
    drawn = statistics(generate(1, Arrivals(1.0), apart, count=5000))
    assert drawn.correlation == pytest.approx(0, abs=0.05)
    assert drawn.prompt.mean == pytest.approx(50.5, rel=0.03)


@pytest.mark.parametrize("bad", [[], [0, 1], [1.5], [[1, 2]], [MAX_TOKENS + 1], [math.nan]])
def test_measured_lengths_must_be_lengths(bad: list[Any]) -> None:
    with pytest.raises(ValueError, match="tokens must"):
        EmpiricalLengths(np.array(bad))


def test_a_joint_draw_needs_pairs() -> None:
    with pytest.raises(ValueError, match="as many prompts as outputs"):
        Joint(np.array([1, 2]), np.array([1]))
