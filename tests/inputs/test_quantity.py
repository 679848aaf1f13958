"""A number in every form people may write it, and every way to get it wrong."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.inputs.quantity import (
    EVIDENCE,
    InUnit,
    Quantity,
    constant,
    describe,
    is_quantity_table,
    parse_quantity,
)
from aiplan.report.model import GRADES
from aiplan.uncertainty.distributions import Constant, Lognormal, SpecError, Truncated, Uniform


def problems(raw: object, bounds: tuple[float, float] | None = None) -> list[tuple[tuple[str | int, ...], str, str]]:
    with pytest.raises(SpecError) as caught:
        parse_quantity(raw, bounds)
    return [(item.path, item.message, item.hint) for item in caught.value.problems]


def test_plain_numbers() -> None:
    assert parse_quantity(1.2) == Quantity(1.2, Constant(1.2))
    assert parse_quantity(700) == Quantity(700.0, Constant(700.0))
    assert not parse_quantity(1.2).uncertain


def test_distributions() -> None:
    found = parse_quantity({"uniform": {"low": 1, "high": 3}})
    assert found == Quantity(2.0, Uniform(1.0, 3.0))
    assert found.uncertain
    # The value of a distribution is its median: sqrt(1.05 * 1.6) for a lognormal by P5 and P95.
    assert parse_quantity({"lognormal": {"p5": 1.05, "p95": 1.6}}).value == pytest.approx(math.sqrt(1.05 * 1.6))


def test_everything_at_once() -> None:
    raw = {"value": 30_000, "source": "a", "grade": "estimate", "evidence": "second-hand", "currency_year": 2026,
           "range": [25_000, 40_000], "note": "street price"}  # fmt: skip
    number = Constant(30_000.0)
    expected = Quantity(30_000.0, number, "a", "estimate", "second-hand", 2026, 25_000, 40_000, "street price")
    assert parse_quantity(raw) == expected


def test_a_distribution_with_provenance_beside_it_or_in_dist() -> None:
    beside = parse_quantity({"lognormal": {"p5": 1, "p95": 2}, "source": "a"})
    inside = parse_quantity({"dist": {"lognormal": {"p5": 1, "p95": 2}}, "source": "a"})
    assert beside == inside
    assert isinstance(beside.distribution, Lognormal)
    with_value = parse_quantity({"value": 1.5, "dist": {"uniform": {"low": 1, "high": 3}}})
    assert (with_value.value, with_value.distribution) == (1.5, Uniform(1.0, 3.0))


def test_truncation_at_the_bounds_of_the_field() -> None:
    found = parse_quantity({"normal": {"mean": 0.5, "sd": 1.0}, "truncate": True, "source": "a"}, (0.0, 1.0))
    assert isinstance(found.distribution, Truncated)
    assert found.distribution.support == (0.0, 1.0)
    inside = parse_quantity({"dist": {"normal": {"mean": 0.5, "sd": 1.0}, "truncate": {"low": 0.2}}, "value": 0.6})
    assert inside.distribution.support == (0.2, math.inf)


@pytest.mark.parametrize(
    ("raw", "path", "words", "hint"),
    [
        (True, (), "got a boolean true", "write a number"),
        ("1.5", (), "got text '1.5'", "write a number"),
        ([1, 2], (), "got a list", "distribution"),
        (date(2026, 1, 1), (), "got a date 2026-01-01", "write a number"),
        ({}, (), "has neither 'value' nor a distribution", "lognormal"),
        ({"source": "a"}, (), "has neither 'value' nor a distribution", "lognormal"),
        ({"valeu": 3}, ("valeu",), "is not a known key", "did you mean 'value'?"),
        ({"value": 3, "sorce": "a"}, ("sorce",), "is not a known key", "did you mean 'source'?"),
        ({"lognorml": {"p5": 1, "p95": 2}}, ("lognorml",), "is not a known key", "did you mean 'lognormal'?"),
        ({"banana": 3}, ("banana",), "is not a known key", "known keys: value, dist"),
        ({"value": "3"}, ("value",), "got text '3'", "write a number"),
        ({"value": {"uniform": {"low": 1, "high": 2}}}, ("value",), "got a table", "write a number"),
        ({"value": 3, "source": 5}, ("source",), "must be text", "quotes"),
        ({"value": 3, "note": ["a"]}, ("note",), "must be text", "quotes"),
        ({"value": 3, "grade": "best"}, ("grade",), "must be one of measured, datasheet", "choose"),
        ({"value": 3, "grade": ["paper"]}, ("grade",), "must be one of measured", "choose"),
        ({"value": 3, "evidence": "seen"}, ("evidence",), "must be one of published", "choose"),
        ({"value": 3, "currency_year": 26}, ("currency_year",), "must be a year", "2026"),
        ({"value": 3, "currency_year": 2026.0}, ("currency_year",), "must be a year", "2026"),
        ({"value": 3, "currency_year": True}, ("currency_year",), "must be a year", "2026"),
        ({"value": 3, "range": [2, 1]}, ("range",), "must be [low, high]", "write"),
        ({"value": 3, "range": [1]}, ("range",), "must be [low, high]", "write"),
        ({"value": 3, "range": [1, "2"]}, ("range",), "must be [low, high]", "write"),
        ({"value": 3, "range": 1}, ("range",), "must be [low, high]", "write"),
        ({"value": 5, "dist": {"uniform": {"low": 1, "high": 2}}}, ("value",), "never comes", "agree"),
        ({"dist": {"uniform": {"low": 2, "high": 1}}}, ("dist", "uniform"), "low must be below high", "for example"),
        ({"uniform": {"low": 2, "high": 1}, "source": "a"}, ("uniform",), "low must be below high", "for example"),
        ({"dist": 5.0, "uniform": {"low": 1, "high": 2}}, ("uniform",), "stands beside 'dist'", "keep one"),
        ({"kind": "normal", "mean": 1, "sd": 2}, ("kind",), "is written as a key", "normal = {"),
        ({"normal": {"mean": 1, "sd": 1}, "truncate": True}, ("truncate",), "no limits of its own", "truncate"),
    ],
)  # fmt: skip
def test_refusals(raw: object, path: tuple[str, ...], words: str, hint: str) -> None:
    found = problems(raw)
    assert len(found) == 1
    assert found[0][0] == path
    assert words in found[0][1]
    assert hint in found[0][2]


def test_all_that_is_wrong_is_said_at_once() -> None:
    dist = {"uniform": {"low": "a", "high": True}}
    found = problems({"value": "x", "dist": dist, "grade": "x", "range": 1, "nte": ""})
    assert [item[0] for item in found] == [
        ("nte",), ("dist", "uniform", "low"), ("dist", "uniform", "high"), ("value",), ("grade",), ("range",),
    ]  # fmt: skip


def test_provenance_is_inherited_only_where_it_is_missing() -> None:
    bare = parse_quantity(3).within("s", "paper", "derived")
    assert (bare.source, bare.grade, bare.evidence) == ("s", "paper", "derived")
    own = parse_quantity({"value": 3, "source": "own", "grade": "measured"}).within("s", "paper", "derived")
    assert (own.source, own.grade, own.evidence) == ("own", "measured", "derived")
    assert constant(3, "s", "paper") == Quantity(3.0, Constant(3.0), "s", "paper", "published")


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.floats(1e-6, 1e6), st.floats(0.01, 5), st.sampled_from([1e-3, 1 / 12, 3600.0, 1e9]))
def test_scaling_moves_value_range_and_every_quantile(low: float, width: float, factor: float) -> None:
    high = low * (1 + width)
    quantity = parse_quantity({"uniform": {"low": low, "high": high}, "range": [low, high], "source": "a"})
    scaled = quantity.scaled(factor)
    assert (scaled.low, scaled.high) == (low * factor, high * factor)
    assert scaled.source == "a"
    for p in (0.05, 0.5, 0.95):
        expected = quantity.distribution.quantile(p) * factor
        assert scaled.distribution.quantile(p) == pytest.approx(expected, rel=1e-12)
    assert quantity.scaled(1.0) is quantity


def test_a_number_in_another_unit() -> None:
    assert parse_quantity(InUnit(10.2, 1e3)) == Quantity(10_200.0, Constant(10_200.0))
    cut = parse_quantity(InUnit({"uniform": {"low": 1, "high": 3}, "truncate": True}, 1e3), (0.0, 2000.0))
    assert cut.distribution.support == (1000.0, 2000.0)
    assert cut.value == pytest.approx(1500.0)
    assert problems(InUnit("x", 1e3))[0][1] == "must be a number, got text 'x'"


def test_what_is_replaced_whole() -> None:
    for table in ({"value": 1}, {"dist": {}}, {"lognormal": {}}, {"uniform": 3, "source": "a"}):
        assert is_quantity_table(table)
    for other in ({}, {"low": 1}, {"server": "x"}, {"source": "a"}, 3, [1], "value", None):
        assert not is_quantity_table(other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "a boolean true"),
        ("x", "text 'x'"),
        ("\x1b[31m", "text '\\x1b[31m'"),
        ("y" * 100, "text"),
        ([1, 2], "a list"),
        ({"a": 1}, "a table"),
        (3, "an integer 3"),
        (1.5, "a number 1.5"),
        (date(2026, 11, 22), "a date 2026-11-22"),
        (datetime(2026, 11, 22, 7, 32), "a date and time 2026-11-22 07:32:00"),
        (time(7, 32), "a time of day 07:32:00"),
    ],
)
def test_what_was_found_is_named(value: object, text: str) -> None:
    assert describe(value) == text


TEXTS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=4), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["value", "dist", "range", "grade", "source", "uniform", "low", "high",
                                         "truncate", "choice", "values", "weights", "kind", "x"]), inner, max_size=4),
    ),
)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(TEXTS)
def test_anything_is_a_quantity_or_a_list_of_problems(raw: object) -> None:
    try:
        found = parse_quantity(raw, (0.0, 1e9))
    except SpecError as refused:
        messages = [item.message for item in refused.problems]
        found = None
    if found is None:
        assert messages
        assert all(messages)
        return
    assert math.isfinite(found.value)
    assert found.grade is None or found.grade in GRADES
    assert found.evidence is None or found.evidence in EVIDENCE
