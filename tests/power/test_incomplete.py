"""Incomplete beta and gamma functions against scipy's, on both sides of every switch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from aiplan.planners.power import incomplete
from aiplan.planners.power.incomplete import beta_at, beta_below, gamma_at, gamma_below

SHAPES = st.floats(0.05, 1e4)
LARGER = st.floats(1.0, 1e4)
PROBABILITIES = st.floats(1e-9, 1 - 1e-9)


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0, 1), SHAPES, SHAPES)
def test_beta_by_arrays_and_one_by_one(x: float, a: float, b: float) -> None:
    expected = float(special.betainc(a, b, x))
    many = np.full(incomplete.HANDFUL + 1, x)
    for found in (float(beta_below(np.array(x), np.array(a), np.array(b))), *beta_below(many, a, b)[:1].tolist()):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-11)


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0, 2e4), SHAPES)
def test_gamma(x: float, b: float) -> None:
    assert float(gamma_below(np.array(x), np.array(b))) == pytest.approx(
        float(special.gammainc(b, x)), rel=1e-9, abs=1e-11
    )


@settings(deadline=None, derandomize=True, database=None)
@given(PROBABILITIES, LARGER, LARGER)
def test_inverses(p: float, a: float, b: float) -> None:
    expected = float(special.betaincinv(a, b, p))
    many = np.full(incomplete.HANDFUL + 1, p)
    assert float(beta_at(np.array(p), np.array(a), np.array(b))) == pytest.approx(expected, rel=1e-8)
    assert beta_at(many, a, b) == pytest.approx(np.full(many.shape, expected), rel=1e-8)
    assert float(gamma_at(np.array(p), np.array(b))) == pytest.approx(float(special.gammaincinv(b, p)), rel=1e-8)


def test_ends() -> None:
    assert beta_at(np.array([0.0, 1.0]), 2.0, 3.0).tolist() == [0.0, 1.0]
    assert beta_at(np.linspace(0, 1, 30), 2.0, 3.0)[[0, -1]].tolist() == [0.0, 1.0]
    assert float(gamma_at(np.array(0.0), np.array(3.0))) == 0.0
    assert gamma_below(np.array([0.0, 1e4]), 3.0).tolist() == [0.0, 1.0]
    assert beta_below(np.zeros((0, 3)), 1.0, 1.0).shape == (0, 3)


def test_shapes_too_large_go_to_scipy() -> None:
    a = 10 * incomplete.LARGEST_SHAPE
    assert float(beta_below(np.array(0.5), a, a)) == pytest.approx(0.5)
    assert float(beta_at(np.array(0.5), a, a)) == pytest.approx(0.5)
    assert float(gamma_below(np.array(a), a)) == float(special.gammainc(a, a))
    assert float(gamma_at(np.array(0.3), a)) == float(special.gammaincinv(a, 0.3))
