"""``--set``: one key at a time, and how layers are laid over each other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import InputError
from aiplan.inputs.overrides import merge, parse_override, parse_overrides


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("facility.pue=1.2", {"facility": {"pue": 1.2}}),
        ("facility.pue = 1.2", {"facility": {"pue": 1.2}}),
        ("samples=1_000", {"samples": 1000}),
        ("a.b.c=true", {"a": {"b": {"c": True}}}),
        ("serving.server=dgx-h200", {"serving": {"server": "dgx-h200"}}),
        ('serving.server="dgx-h200"', {"serving": {"server": "dgx-h200"}}),
        ("serving.models=['a', 'b']", {"serving": {"models": ["a", "b"]}}),
        ("pue={ lognormal = { p5 = 1.05, p95 = 1.6 } }", {"pue": {"lognormal": {"p5": 1.05, "p95": 1.6}}}),
        ('weights."llama-3.1-405b"=2', {"weights": {"llama-3.1-405b": 2}}),
        ("as_of=2026-11-22x", {"as_of": "2026-11-22x"}),
        ("name=a=b", {"name": "a=b"}),
        ('name=say "hi" \\ bye', {"name": 'say "hi" \\ bye'}),
        ("name=", {"name": ""}),
        ("pue=1,2", {"pue": "1,2"}),
        ("pue=[1", {"pue": "[1"}),
    ],
)
def test_read(text: str, data: dict[str, Any]) -> None:
    assert parse_override(text).data == data


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pue", "E110"), ("=1", "E110"), ("", "E110"), (" = 1", "E110"), ("a=1\nb=2", "E110"),
        ("a b=1", "E004"), ("a.=1", "E004"), ("a..b=1", "E004"), ("[a]=1", "E004"), ("#=1", "E110"),
        ("pue=nan", "E006"), ("pue=1e999", "E006"), ("n=99999999999999999999", "E006"), ('x="\\u001b"', "E006"),
        ("x=" + "[" * 40 + "]" * 40, "E005"), (".".join("k" * 17) + "=1", "E005"), ("x=" + "9" * 401, "E005"),
        ("x=" + "[" * 5000, "E000"), ("k" * 5000, "E110"),
    ],
)  # fmt: skip
def test_refused(text: str, code: str) -> None:
    if code == "E000":  # what is no TOML is text, and text may hold any bracket
        assert parse_override(text).data == {"x": "[" * 5000}
        return
    with pytest.raises(InputError) as caught:
        parse_override(text)
    assert caught.value.code == code
    (problem,) = caught.value.problems
    assert problem.file.startswith("--set ")
    assert len(problem.render()) < 800


def test_all_of_them_are_reported() -> None:
    with pytest.raises(InputError) as caught:
        parse_overrides(["a", "b=1", "c=nan", "=", "d=2"])
    assert [problem.code for problem in caught.value.problems] == ["E110", "E006", "E110"]
    assert [document.data for document in parse_overrides(["b=1", "d=2"])] == [{"b": 1}, {"d": 2}]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = parse_override(text)
    except InputError:
        return
    assert len(document.data) == 1


# Laying one table over another.


def test_sections_merge_and_values_are_replaced() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 3}
    assert merge(base, {"a": {"y": [9]}, "c": 4}) == {"a": {"x": 1, "y": [9]}, "b": 3, "c": 4}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 3}


def test_a_quantity_is_replaced_whole() -> None:
    old = {"pue": {"lognormal": {"p5": 1.05, "p95": 1.6}, "source": "a", "note": "n"}}
    for new in ({"triangular": {"low": 1}}, {"value": 1.2}, {"dist": {}}, 1.2):
        assert merge(old, {"pue": new}) == {"pue": new}
    assert merge({"pue": 1.2}, {"pue": {"value": 1.3}}) == {"pue": {"value": 1.3}}


def test_a_section_may_replace_a_value_and_the_other_way_round() -> None:
    assert merge({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}
    assert merge({"a": {"b": 2}}, {"a": 1}) == {"a": 1}


def test_another_unit_takes_the_place_of_the_first() -> None:
    base = {"power": {"rated_power_w": 10_200, "host_power_w": 1}}
    assert merge(base, {"power": {"rated_power_kw": 11}}) == {"power": {"rated_power_kw": 11, "host_power_w": 1}}
    # Two units in one layer stay two: that is the user's contradiction, to be reported.
    both = {"rated_power_kw": 11, "rated_power_mw": 0.011}
    assert merge({"rated_power_w": 1}, both) == both
    assert merge({"queries_per_day": 5}, {"queries_per_s": 1}) == {"queries_per_s": 1}


TREES: st.SearchStrategy[Any] = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=8
)
TABLES = st.dictionaries(st.sampled_from("abcd"), TREES, max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(TABLES, TABLES, TABLES)
def test_laying_over_twice_changes_nothing_and_the_last_wins(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert merge(merge(one, two), two) == merge(one, two)
    assert merge(one, {}) == one
    assert merge({}, one) == one
    for key, value in three.items():
        if not isinstance(value, dict):
            assert merge(merge(one, two), three)[key] == value
