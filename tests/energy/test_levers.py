"""Levers against the paper's scripts, and the overlap model's invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.energy.levers import apply_levers, combined_multiplier, overlap_exponent
from tests.energy.oviedo_draws import lognormal, trimmed_blend

LEVERS = {"model": (1.5, 10.0), "serving": (1.5, 5.0), "hardware": (1.5, 2.5)}
MEDIANS = [float(np.sqrt(p5 * p95)) for p5, p95 in LEVERS.values()]
multipliers = st.lists(st.floats(1.01, 50), min_size=1, max_size=5)


def test_medians_of_the_paper_levers() -> None:
    assert [round(median, 2) for median in MEDIANS] == [3.87, 2.74, 1.94]


@pytest.mark.parametrize(
    ("lever", "regime", "expected_wh"),
    [
        ("model", "short", 0.079),
        ("serving", "short", 0.113),
        ("hardware", "short", 0.159),
        ("model", "long", 1.01),
        ("serving", "long", 1.42),
        ("hardware", "long", 2.01),
    ],
)
def test_one_lever_on_the_trimmed_blend(lever: str, regime: str, expected_wh: float) -> None:
    # Medians of the authors' scripts as run (n = 10 000): their own sampling error is about 1 %.
    blend = trimmed_blend(regime)
    draws = lognormal(np.random.default_rng(11), *LEVERS[lever], blend.size)
    assert float(np.median(apply_levers(blend, [draws]))) == pytest.approx(expected_wh, rel=0.03)


def test_blend_before_the_levers() -> None:
    # The oracle itself: 0.308 and 3.91 Wh (authors' scripts; printed 0.31 and 3.91).
    assert float(np.median(trimmed_blend("short"))) == pytest.approx(0.308, rel=0.02)
    assert float(np.median(trimmed_blend("long"))) == pytest.approx(3.91, rel=0.02)


def test_independent_product_of_the_three_levers() -> None:
    rng = np.random.default_rng(12)
    draws = [lognormal(rng, *lever, 400_000) for lever in LEVERS.values()]
    p5, p25, p50, p75, p95 = np.percentile(combined_multiplier(draws), (5, 25, 50, 75, 95))
    for got, expected in zip((p5, p25, p50, p75, p95), (6.5, 12.8, 20.5, 33.0, 65.0), strict=True):
        assert got == pytest.approx(expected, rel=0.03)


def test_eta_of_the_abstract() -> None:
    assert overlap_exponent(8, MEDIANS) == pytest.approx(0.69, abs=0.005)
    assert overlap_exponent(20, MEDIANS) == pytest.approx(0.99, abs=0.005)


def test_no_lever_changes_nothing() -> None:
    assert float(apply_levers(0.308, [])) == 0.308


def test_impossible_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="eta"):
        combined_multiplier([2.0], 1.1)
    with pytest.raises(ValueError, match="multiplier"):
        combined_multiplier([2.0, 0.0])
    with pytest.raises(ValueError, match="cannot combine to 30"):
        overlap_exponent(30, MEDIANS)
    with pytest.raises(ValueError, match="product"):
        overlap_exponent(2, [1.0, 1.0])


@given(multipliers, st.floats(0, 1))
def test_overlap_only_weakens_levers_above_one(sizes: list[float], eta: float) -> None:
    damped = float(combined_multiplier(sizes, eta))
    assert 1.0 <= damped <= float(np.prod(sizes)) * (1 + 1e-12)


@given(multipliers, st.floats(0.01, 1))
def test_exponent_is_the_inverse_of_combining(sizes: list[float], eta: float) -> None:
    assert overlap_exponent(float(combined_multiplier(sizes, eta)), sizes) == pytest.approx(eta, abs=1e-9)


@given(multipliers, st.floats(0.05, 1), st.floats(1e-3, 1e3), st.floats(0.1, 10))
def test_order_does_not_matter_and_energy_scales(sizes: list[float], eta: float, energy: float, k: float) -> None:
    once = float(apply_levers(energy, sizes, eta))
    assert float(apply_levers(energy, sizes[::-1], eta)) == pytest.approx(once)
    assert float(apply_levers(k * energy, sizes, eta)) == pytest.approx(k * once)
    assert once < energy
