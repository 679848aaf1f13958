"""Charts in characters: within their width, every series and limit told apart, nothing lost in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from aiplan.report.canvas import cells, plain, shorten
from aiplan.report.model import Axis, Chart, Mark, Series
from aiplan.report.plot import EMPTY, plot
from aiplan.report.table import render_table
from tests.report.sample import NASTY_TEXTS, chart_of, charted_report

LOAD, COST = charted_report().charts


def text(chart: Chart, width: int = 80, *, unicode: bool = True) -> str:
    return plain(plot(chart, width, unicode=unicode))


def simple(x: tuple[float, ...], y: tuple[float, ...], **rest: object) -> Chart:
    return Chart("c", "c", Axis("x"), Axis("y"), (Series("", x, y, **rest),))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 200])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("chart", [LOAD, COST, *map(chart_of, NASTY_TEXTS), chart_of("漢字 long " * 30)])
def test_nothing_is_wider_than_asked_for(chart: Chart, width: int, unicode: bool) -> None:
    drawing = text(chart, width, unicode=unicode)
    assert max(map(cell_len, drawing.splitlines())) <= width
    assert 14 <= len(drawing.splitlines()) <= 26
    if not unicode:
        assert drawing.isascii()


def test_series_limits_captions_and_names_are_there() -> None:
    drawing = text(LOAD)
    for words in ("time per token (ms)", "load (queries/s)", "• DGX H100", "∘ DGX B200", "+ measured"):
        assert words in drawing
    for words in ("promised 50 ms", "expected load", "run 1", "run 2", "run 3"):
        assert drawing.count(words) == 1
    assert drawing.count("+") == 4  # three points and the legend: points lie on top of lines
    assert text(LOAD, unicode=False).count("expected load") == 1


def test_the_same_chart_gives_the_same_text() -> None:
    assert text(LOAD) == text(LOAD)
    assert plot(LOAD) == plot(LOAD)


@pytest.mark.parametrize(
    ("chart", "dots"),
    [
        (simple((3.0,), (7.0,)), 1),
        (simple((1.0, 2.0), (5.0, 5.0), style="points"), 2),
        (simple((2.0, 2.0), (1.0, 9.0), style="points"), 2),
        (simple((0.0,), (0.0,)), 1),
        (simple((-1.7e308, 1.7e308), (5e-324, 1e308), style="points"), 2),
        (simple((10**400, 1), (1, 2), style="points"), 2),
    ],
)
def test_single_constant_and_huge_values(chart: Chart, dots: int) -> None:
    assert text(chart).count("•") == dots


def test_a_constant_line_is_level() -> None:
    rows = [line for line in text(simple((1.0, 9.0), (5.0, 5.0))).splitlines() if "•" in line]
    assert len(rows) == 1
    assert rows[0].count("•") > 40


def test_steps_hold_until_the_next_point() -> None:
    rows = [line.partition("│")[2] or line.partition("┤")[2] for line in text(
        simple((0.0, 1.0, 2.0), (0.0, 1.0, 0.5), style="steps")
    ).splitlines()]  # fmt: skip
    bottom = next(row for row in reversed(rows) if "•" in row)
    top = next(row for row in rows if "•" in row)
    # Level from the first point to the place of the second, where it rises; then level again.
    assert bottom.index("•") == 0
    assert abs(bottom.rindex("•") - top.index("•")) <= 1
    assert "•" * 30 in bottom
    assert "•" * 30 in top


def test_a_chart_without_points_says_so() -> None:
    for series in ((), (Series("s", (), ()),)):
        assert plot(replace(LOAD, series=series)) == [[(EMPTY, "dim")]]
    empty_among_others = replace(LOAD, series=(*LOAD.series, Series("nothing", (), ())))
    assert "▪ nothing" not in text(LOAD)
    assert "× nothing" in text(empty_among_others)


def test_points_without_a_place_are_counted() -> None:
    assert "\nleft out: 1 point at or below zero, where a\nlog axis" in text(COST, 45)
    assert text(COST).endswith("left out: 1 point at or below zero, where a log axis has no place")
    assert "left out" not in text(LOAD)


def test_a_limit_without_room_is_named_below() -> None:
    name = "a limit whose name is longer than the chart is wide"
    drawing = text(replace(LOAD, marks=(Mark(8.2, name), Mark(50.0, name, "y"))), 40)
    assert "\n┆ a limit whose name is longer than the" in drawing
    assert "\n╌ a limit whose name is longer than the" in drawing


def test_names_of_many_points_are_left_to_the_table() -> None:
    many = tuple(float(i) for i in range(20))
    chart = simple(many, many, style="points", notes=tuple(f"point {i}" for i in many))
    assert "point" not in text(chart)


def test_more_series_than_glyphs_begin_anew() -> None:
    series = tuple(Series(f"s{i}", (0.0, 1.0), (float(i), i + 1.0)) for i in range(10))
    drawing = text(replace(LOAD, series=series, marks=()))
    assert "• s0" in drawing
    assert "• s8" in drawing


def test_wide_and_combining_characters_are_measured_in_cells() -> None:
    assert cells("a漢e\u0301") == ["a", "漢", "", "e\u0301"]
    assert shorten("漢字漢字", 5) == "漢字…"
    assert shorten("漢字漢字", 4) == "漢…"  # no half of a character, and no cell too many
    assert shorten("plain", 5) == "plain"
    assert shorten("longer", 5, "..") == "lon.."


def test_the_page_shows_charts_with_title_and_table() -> None:
    drawing = render_table(charted_report())
    lines, load, cost, models = (
        drawing.index(words) for words in ("Nodes needed", LOAD.title, COST.title, "Models in the blend")
    )
    assert lines < load < cost < models
    assert "its numbers: --table levers" in drawing
    assert text(LOAD) in drawing
    assert LOAD.title not in render_table(charted_report(), table="models")
