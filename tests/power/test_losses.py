"""Losses of devices: published split, closed forms, fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.power.losses import (
    Losses,
    fit_losses,
    ups_efficiency,
)

FRACTIONS = st.floats(0.0, 0.1)


def test_default_ups_gives_the_tabulated_efficiencies() -> None:
    # Derived from the assumed coefficients: eta(l) = l / (l + a0 + a1 l + a2 l^2), four digits.
    found = ups_efficiency([1.0, 0.75, 0.5, 0.25])
    assert found == pytest.approx([0.9606, 0.9622, 0.9620, 0.9544], abs=1e-4)


@pytest.mark.parametrize("load", [0.0, -0.1, 1.01, np.nan])
def test_ups_refuses_loads_it_has_no_efficiency_for(load: float) -> None:
    with pytest.raises(ValueError, match="load_fraction"):
        ups_efficiency(load)


@settings(deadline=None, derandomize=True, database=None)
@given(FRACTIONS, FRACTIONS, FRACTIONS)
def test_fit_finds_the_coefficients_the_points_were_made_from(a: float, b: float, c: float) -> None:
    loads = np.array([0.1, 0.25, 0.5, 0.75, 1.0])
    found = fit_losses(loads, Losses(a, b, c).efficiency(loads))
    assert (found.no_load, found.proportional, found.square_law) == pytest.approx((a, b, c), abs=1e-7)


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(0.7, 1.0)), min_size=3, max_size=8,
                unique_by=lambda point: round(point[0], 3)))  # fmt: skip
def test_fit_is_that_of_non_negative_least_squares(points: list[tuple[float, float]]) -> None:
    from scipy.optimize import nnls

    load, eta = (np.array(side) for side in zip(*points, strict=True))
    weight = eta**2 / load
    other, residual = nnls(weight[:, None] * load[:, None] ** np.arange(3), weight * (load / eta - load))
    found = fit_losses(load, eta)
    ours = weight * (found.loss(load) - (load / eta - load))
    assert np.linalg.norm(ours) == pytest.approx(residual, abs=1e-9)
    assert found.loss(load) == pytest.approx(Losses(*other.tolist()).loss(load), abs=1e-5)


def test_fit_needs_three_loads() -> None:
    with pytest.raises(ValueError, match="three different loads"):
        fit_losses([1.0, 0.5, 0.5], [0.96, 0.96, 0.95])
    with pytest.raises(ValueError, match="efficiency"):
        fit_losses([1.0, 0.5, 0.25], [1.2, 0.96, 0.95])


@settings(deadline=None, derandomize=True, database=None)
@given(FRACTIONS, FRACTIONS, FRACTIONS, st.floats(1e3, 1e8), st.floats(0.0, 1.5))
def test_output_is_the_inverse_of_input(a: float, b: float, c: float, rating: float, load: float) -> None:
    device = Losses(a, b, c)
    assert device.output_w(device.input_w(load * rating, rating), rating) == pytest.approx(
        load * rating, rel=1e-9, abs=1e-12 * rating
    )


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(0.0, 100.0), st.floats(0.8, 1.0), st.floats(0.0, 1.0))
def test_a_converter_of_constant_and_proportional_loss(constant: float, efficiency: float, load: float) -> None:
    rating = 1000.0
    device = Losses(constant / (efficiency * rating), 1.0 / efficiency - 1.0)
    assert device.input_w(load * rating, rating) == pytest.approx((load * rating + constant) / efficiency)


def test_converter_of_raps() -> None:
    # In-rack DC-DC of ExaDigiT/RAPS: (P + 13 W) / 0.98.
    entry = Catalog().get("power", "dc-dc-in-rack")
    device = Losses(entry.no_load_fraction.value, entry.proportional_fraction.value)
    assert float(device.input_w(967.0, 1000.0)) == pytest.approx(1000.0, abs=0.01)


def test_transformer_loses_copper_with_the_square_of_its_load() -> None:
    device = Losses(no_load=0.001, square_law=0.005)
    assert device.loss([0.0, 0.5, 1.0]) == pytest.approx([0.001, 0.00225, 0.006])
    with pytest.raises(ValueError, match="negative"):
        Losses(-0.1)
