"""Charts as SVG: structure rather than bytes, which change with the version of the library that draws."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from aiplan.report.model import Axis, Chart, Mark, Series
from aiplan.report.sanitize import clean_line
from aiplan.report.svg import render_svg
from aiplan.report.svg_page import COLORS
from tests.report.sample import NASTY_TEXTS, chart_of, charted_report

LOAD, COST = charted_report().charts
SVG = "{http://www.w3.org/2000/svg}"


def parsed(chart: Chart) -> ET.Element:
    return ET.fromstring(render_svg(chart)[0])


def texts(chart: Chart) -> list[str]:
    return ["".join(node.itertext()).strip() for node in parsed(chart).iter(f"{SVG}text")]


def test_every_label_stands_there_as_text() -> None:
    found = texts(LOAD)
    for label in ("time per token (ms)", "load (queries/s)", "DGX H100", "DGX B200", "measured", "promised 50 ms"):
        assert found.count(label) == 1
    for label in ("expected load", "run 1", "run 2", "run 3", "0", "10", "80"):
        assert label in found
    assert "promised" in texts(COST)
    assert render_svg(COST)[1][0].startswith("left out: 1 point")
    assert parsed(LOAD).get("aria-label") == LOAD.title


def test_each_series_has_its_own_colour_from_the_page() -> None:
    svg = render_svg(LOAD)[0]
    for number, color in enumerate(COLORS[:3], 1):
        assert f"var(--series-{number}, {color})" in svg
    assert "--series-4" not in svg
    # No colour is fixed but what the page leaves open.
    assert not re.search(r"(?:stroke|fill): (?!var|none)", re.sub(r"<text.*?</text>", "", svg, flags=re.DOTALL))


def test_limits_are_broken_lines_across_the_chart() -> None:
    with_limits, without = (render_svg(replace(LOAD, marks=marks))[0] for marks in (LOAD.marks, ()))
    assert with_limits.count("stroke-dasharray") - without.count("stroke-dasharray") == 2


def test_nothing_is_fetched_and_nothing_runs() -> None:
    for chart in (LOAD, COST, *map(chart_of, NASTY_TEXTS)):
        for node in parsed(chart).iter():
            assert node.tag.removeprefix(SVG) in {"svg", "g", "defs", "path", "use", "text", "tspan"}
            for name, value in node.attrib.items():
                assert not name.startswith("on")
                assert not name.endswith("href") or value.startswith("#")
                assert not re.search(r"url\((?!#)", value)


def test_names_are_used_once_and_only_where_needed() -> None:
    first, second = (render_svg(LOAD, salt)[0] for salt in "ab")
    names = [re.findall(r' id="([^"]*)"', svg) for svg in (first, second)]
    assert names[0]
    assert not set(names[0]) & set(names[1])
    for found, svg in zip(names, (first, second), strict=True):
        assert len(set(found)) == len(found)
        assert set(re.findall(r'href="#([^"]*)"', svg)) == set(found)


@pytest.mark.parametrize(
    "text", [*NASTY_TEXTS, "$x^2$", "_x", "<!-- x -->", r"\frac{", "#0072b2", 'a" onload="x', "漢字", "&amp;", "]]>"]
)
def test_hostile_text_is_only_text(text: str) -> None:
    chart = chart_of(text)
    clean = clean_line(text).strip()
    root = parsed(chart)
    assert root.get("aria-label") == clean_line(text)
    assert any(clean in found or found.rstrip("…") in clean for found in texts(chart))
    if len(clean) <= 24:
        assert clean in texts(chart)


def test_the_same_chart_gives_the_same_bytes_whatever_the_settings() -> None:
    import matplotlib

    once = render_svg(LOAD)
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path", "axes.grid": True}):
        assert render_svg(LOAD) == once
        assert matplotlib.rcParams["font.size"] == 30
    assert not re.search(r"20\d\d-\d\d-\d\d|[Mm]atplotlib", once[0])


@pytest.mark.parametrize(
    ("x", "y"),
    [((1.0,), (2.0,)), ((1.0, 2.0), (5.0, 5.0)), ((0.0,), (0.0,)), ((-1.7e308, 1.7e308), (5e-324, 1e308))],
)
@pytest.mark.parametrize("style", ["line", "points", "steps"])
def test_single_constant_and_huge_values(x: tuple[float, ...], y: tuple[float, ...], style: str) -> None:
    chart = Chart("c", "c", Axis("x"), Axis("y"), (Series("s", x, y, style),))  # type: ignore[arg-type]
    assert "s" in texts(chart)
    assert "nan" not in render_svg(chart)[0].lower()


def test_without_points_there_is_no_drawing() -> None:
    assert render_svg(replace(LOAD, series=())) == ("", ())
    assert render_svg(replace(LOAD, series=(Series("s", (), ()),))) == ("", ())
    assert "empty" in texts(replace(LOAD, series=(*LOAD.series, Series("empty", (), ()))))


def test_names_keep_inside_the_drawing() -> None:
    long = "a name of very many letters " * 8
    chart = replace(chart_of(long), marks=tuple(Mark(1 + i / 9, f"limit number {i}") for i in range(9)))
    box = [float(edge) for edge in parsed(chart).get("viewBox", "").split()]
    assert box[3] < 600
    assert all(len(found) <= 81 for found in texts(chart))
