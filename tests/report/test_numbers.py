"""Rounding for people and exact text for machines."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.report import numbers

ORDINARY = st.floats(min_value=1e-4, max_value=1e14, allow_nan=False)
ANY_FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.30814, "0.308"),
        (0.3, "0.3"),
        (0.29996, "0.300"),
        (0.1 + 0.2, "0.300"),
        (1.3, "1.3"),
        (99.96, "100"),
        (999.6, "1,000"),
        (12.345, "12.3"),
        (700.0, "700"),
        (4572.23, "4,572"),
        (25150.03, "25,150"),
        (123456.7, "123,500"),
        (1e9, "1,000,000,000"),
        (0.00012345, "0.000123"),
        (0.0000999, "9.99e-5"),
        (1e15, "1e15"),
        (1.23456e20, "1.235e20"),
        (-0.0456, "-0.0456"),
        (-0.0, "0"),
        (0.0, "0"),
        (123456, "123,456"),
        (10**18, "1,000,000,000,000,000,000"),
        (-3.5, "-3.5"),
        (None, "-"),
    ],
)
def test_number_for_people(value: float | int | None, text: str) -> None:
    assert numbers.number(value) == text


def test_more_digits_on_request() -> None:
    assert numbers.number(math.pi, digits=5) == "3.1416"


@given(ORDINARY)
def test_rounding_error_is_below_half_a_unit_of_the_last_digit(value: float) -> None:
    shown = float(numbers.number(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.5e-2 if value < 1000 else 0.5e-3)


@given(ORDINARY)
def test_ordinary_numbers_have_no_exponent_and_mirror_their_sign(value: float) -> None:
    text = numbers.number(value)
    assert "e" not in text
    assert numbers.number(-value) == "-" + text


@given(ANY_FINITE)
def test_shortest_reads_back_exactly(value: float) -> None:
    assert float(numbers.shortest(value)) == value


@given(st.integers())
def test_integers_stay_exact(value: int) -> None:
    assert int(numbers.shortest(value)) == value
    assert int(numbers.number(value).replace(",", "")) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        numbers.number(value)
    with pytest.raises(ValueError, match="finite"):
        numbers.shortest(value)


def test_cells_and_units() -> None:
    assert [numbers.cell(value) for value in (True, False, "text", None, 2)] == [
        "yes",
        "no",
        "text",
        "-",
        "2",
    ]
    assert numbers.with_unit(0.30814, "Wh") == "0.308 Wh"
    assert numbers.with_unit(None, "Wh") == "-"
    assert numbers.with_unit(4, None) == "4"


def test_intervals() -> None:
    assert numbers.interval(0.16234, 0.60712) == "0.162 - 0.607"
    assert numbers.interval(-3.0, -1.0, "–") == "-3 – -1"
    assert numbers.interval(0.1, None) == "-"


@pytest.mark.parametrize(
    ("change", "text"),
    [(0.1, "+10.0 %"), (-0.0909, "-9.1 %"), (0.0, "0 %"), (-1e-5, "-<0.1 %"), (12.0, "+1,200.0 %")],
)
def test_effects(change: float, text: str) -> None:
    assert numbers.effect(change) == text
