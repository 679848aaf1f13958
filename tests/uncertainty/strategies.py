"""Hypothesis strategies: distributions of ordinary size, of every kind."""

from __future__ import annotations

import math

from hypothesis import assume
from hypothesis import strategies as st

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

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
widths = st.floats(1e-3, 1e6)
fractions = st.floats(0.0, 1.0)


@st.composite
def three_points(draw: st.DrawFn) -> tuple[float, float, float]:
    low = draw(numbers)
    high = low + draw(widths)
    mode = min(max(low + draw(fractions) * (high - low), low), high)
    return low, mode, high


@st.composite
def percentiles(draw: st.DrawFn) -> Percentiles:
    p5 = draw(numbers)
    p50 = p5 + draw(widths)
    p95 = p50 + (p50 - p5) * draw(st.floats(0.02, 50.0))
    assume(p5 < p50 < p95)
    return Percentiles(p5, p50, p95)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    values = draw(st.lists(numbers, min_size=1, max_size=8))
    counts = draw(st.lists(st.integers(0, 9), min_size=len(values), max_size=len(values)))
    assume(sum(counts) > 0)
    return Choice(tuple(values), tuple(count / sum(counts) for count in counts))


lognormals = st.builds(Lognormal, st.floats(-20.0, 20.0), st.floats(1e-3, 3.0))
bounded = st.one_of(
    three_points().map(lambda t: Uniform(t[0], t[2])),
    three_points().map(lambda t: Triangular(*t)),
    three_points().map(lambda t: Pert(*t)),
)
unbounded = st.one_of(
    st.builds(Normal, numbers, widths),
    lognormals,
    st.builds(Exponential, st.floats(1e-6, 1e6)),
    percentiles(),
)
discrete = st.one_of(
    numbers.map(Constant),
    choices(),
    st.lists(numbers, min_size=1, max_size=30).map(lambda v: Empirical(tuple(v))),
)


@st.composite
def cut(draw: st.DrawFn) -> Distribution:
    """A continuous distribution without its tails, one or both."""
    inner = draw(st.one_of(bounded, unbounded))
    low = inner.quantile(draw(st.floats(0.02, 0.4)))
    high = inner.quantile(draw(st.floats(0.6, 0.98)))
    side = draw(st.sampled_from(("both", "low", "high")))
    return truncated(inner, -math.inf if side == "high" else low, math.inf if side == "low" else high)


continuous = st.one_of(bounded, unbounded, cut())
distributions = st.one_of(continuous, discrete)
