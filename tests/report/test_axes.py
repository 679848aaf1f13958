"""Axes: every value between the ends, round ticks few enough, whatever the range."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.report.axes import caption, frame, make_scale
from aiplan.report.model import Axis, Mark, Series
from tests.report.sample import charted_report

LINEAR, LOG = Axis("a", "W"), Axis("a", "W", log=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def labels(axis: Axis, *values: float, most: int = 6) -> list[str]:
    return [tick.label for tick in make_scale(axis, values, most).ticks]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((20, 240), ["0", "50", "100", "150", "200", "250"]),
        ((0.3, 1.9), ["0.0", "0.5", "1.0", "1.5", "2.0"]),
        ((-3, 4), ["-4", "-2", "0", "2", "4"]),
        ((0, 999_999), ["0", "200,000", "400,000", "600,000", "800,000", "1,000,000"]),
        ((1e7, 3.3e7), ["1e7", "1.5e7", "2e7", "2.5e7", "3e7", "3.5e7"]),
        ((0, 3e-6), ["0", "1e-6", "2e-6", "3e-6"]),
        ((5, 5), ["2", "4", "6", "8"]),
        ((0, 0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((-1.7e308, 1.7e308), ["-2e308", "-1e308", "0", "1e308", "2e308"]),
        ((1, 1 + 1e-9), ["0.5", "1.0", "1.5", "2.0"]),
        ((0, 0.1), ["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]),
        ((0.1 + 0.2, 0.5), ["0.30", "0.35", "0.40", "0.45", "0.50"]),
    ],
)
def test_linear_ticks(values: tuple[float, ...], shown: list[str]) -> None:
    assert labels(LINEAR, *values) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((20, 240), ["20", "50", "100", "200", "500"]),
        ((3, 40_000), ["10", "100", "1,000", "10,000"]),
        ((1, 1), ["0.5", "1", "2"]),
        ((3.1, 3.2), ["2", "5"]),
        ((1e-6, 1e-5), ["1e-6", "2e-6", "5e-6", "1e-5"]),
        ((5e-324, 1.7e308), ["1e-200", "1", "1e200"]),
    ],
)
def test_log_ticks(values: tuple[float, ...], shown: list[str]) -> None:
    assert labels(LOG, *values) == shown


def test_years_are_names() -> None:
    assert labels(Axis("year"), 2024, 2026) == ["2024", "2025", "2026"]
    assert labels(Axis("Year"), 2025, 2026) == ["2025", "2026"]


@given(st.lists(FINITE, min_size=1, max_size=6), st.integers(3, 9))
def test_every_value_has_a_place_on_a_linear_axis(values: list[float], most: int) -> None:
    scale = make_scale(LINEAR, values, most)
    places = [scale.place(value) for value in sorted(values)]
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert places == sorted(places)
    assert 2 <= len(scale.ticks) <= most
    assert (scale.ticks[0].place, scale.ticks[-1].place) == (0, 1)
    assert len({tick.label for tick in scale.ticks}) == len(scale.ticks)


@given(st.lists(FINITE.filter(lambda x: x > 0), min_size=1, max_size=6), st.integers(3, 9))
def test_every_value_above_zero_has_a_place_on_a_log_axis(values: list[float], most: int) -> None:
    scale = make_scale(LOG, values, most)
    places = [scale.place(value) for value in sorted(values)]
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert places == sorted(places)
    assert 1 <= len(scale.ticks) <= most
    assert len({tick.label for tick in scale.ticks}) == len(scale.ticks)


def test_a_caption_names_the_unit() -> None:
    assert caption(LINEAR) == "a (W)"
    assert caption(Axis("a")) == "a"


def test_what_a_log_axis_cannot_show_is_left_out_and_counted() -> None:
    chart = charted_report().charts[1]
    series = Series("s", (0.0, 1.0, 2.0, -3.0), (1.0, 0.0, 5.0, 1.0))
    shape = frame(replace(chart, series=(series,), marks=(Mark(0.0, "m"), Mark(4.0, "n"))), 6, 6)
    assert shape is not None
    assert [len(points) for points in shape.series] == [1]
    assert [mark.label for mark, _ in shape.marks] == ["n"]
    assert shape.left_out == "left out: 3 points and 1 limit at or below zero, where a log axis has no place"
    assert frame(replace(chart, series=(replace(series, x=(0.0,) * 4),)), 6, 6) is None


def test_limits_widen_the_axes() -> None:
    chart = charted_report().charts[0]
    shape = frame(replace(chart, marks=(Mark(400.0, "far", "y"),)), 6, 6)
    assert shape is not None
    assert shape.y.ticks[-1].label == "400"


def test_series_of_uneven_length_are_a_bug() -> None:
    chart = charted_report().charts[0]
    with pytest.raises(ValueError, match="shorter"):
        frame(replace(chart, series=(Series("s", (1.0, 2.0), (1.0,)),)), 6, 6)
