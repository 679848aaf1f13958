"""Heat maps: shades and colours say what the numbers say, on any width, nothing left out in silence."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from aiplan.report.canvas import plain
from aiplan.report.heat import EMPTY, heat_map
from aiplan.report.html import render_html
from aiplan.report.md import render_md
from aiplan.report.model import Axis, HeatMap
from aiplan.report.sanitize import clean_line
from aiplan.report.shades import LEVELS, MOST_ROWS, level, shades
from aiplan.report.svg import render_svg
from aiplan.report.svg_heat import _color
from aiplan.report.svg_page import ROLES
from aiplan.report.table import render_table
from tests.report.sample import NASTY_TEXTS, heat_map_of, pictured_report
from tests.report.test_sanitize import ANY_TEXT

PUE = pictured_report().charts[0]
assert isinstance(PUE, HeatMap)
TURNED = replace(PUE, x=PUE.y, y=PUE.x, columns=PUE.rows, rows=PUE.columns, cells=tuple(zip(*PUE.cells, strict=True)))
SVG = "{http://www.w3.org/2000/svg}"
SHADES = {True: "·░▒▓█", False: ".:+#@"}


def grid(*rows: tuple[float | None, ...], log: bool = False) -> HeatMap:
    columns = tuple(f"c{i}" for i in range(len(rows[0])))
    names = tuple(f"r{i}" for i in range(len(rows)))
    return HeatMap("g", "grid", Axis("x"), Axis("y"), columns, names, rows, Axis("value", log=log))


def text(heat: HeatMap, width: int = 80, *, unicode: bool = True) -> str:
    return plain(heat_map(heat, width, unicode=unicode))


def parsed(heat: HeatMap) -> ET.Element:
    return ET.fromstring(render_svg(heat)[0])


def texts(heat: HeatMap) -> list[str]:
    return ["".join(node.itertext()).strip() for node in parsed(heat).iter(f"{SVG}text")]


@pytest.mark.parametrize("width", [40, 57, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize(
    "heat", [PUE, TURNED, *map(heat_map_of, NASTY_TEXTS), heat_map_of("漢字 long " * 30), heat_map_of("漢" * 40)]
)
def test_nothing_is_wider_than_asked_for(heat: HeatMap, width: int, unicode: bool) -> None:
    drawing = text(heat, width, unicode=unicode)
    assert max(map(cell_len, drawing.splitlines())) <= width
    # A caption, a line per row, names of columns, a caption, the legend and a note: no row is ever wrapped.
    assert len(heat.rows) + 5 <= len(drawing.splitlines()) <= len(heat.rows) + 12
    if not unicode:
        assert drawing.isascii()


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [40, 80])
def test_each_cell_has_the_shade_of_its_level(width: int, unicode: bool) -> None:
    found = shades(PUE)
    assert found is not None
    lines = text(PUE, width, unicode=unicode).splitlines()[1:13]
    size = (width - 4) // 24
    for line, name, places in zip(lines, PUE.rows, found.places, strict=True):
        assert line.startswith(f"{name} ")
        cells = line[4:].ljust(24 * size)
        for column, place in enumerate(places):
            shade = " " if place is None else SHADES[unicode][level(place)]
            assert cells[column * size : (column + 1) * size] == shade * size


def test_captions_names_and_the_range_are_there() -> None:
    drawing = text(PUE)
    assert drawing.startswith("month\nJan ")
    assert "    0  1  2  3 " in drawing
    assert re.search(r"^ +hour$", drawing, re.MULTILINE)
    values = [value for row in PUE.cells for value in row if value is not None]
    assert f"PUE  ·· {min(values):.2f} – " in drawing
    assert f"{max(values):.2f}\n" in drawing
    assert drawing.endswith("blank: 1 cell without a value")


def test_names_of_columns_that_would_touch_are_skipped_evenly() -> None:
    names = text(PUE, 40).splitlines()[13].split()
    assert names == ["0", "3", "6", "9", "12", "15", "18", "21"]
    assert text(PUE, 80).splitlines()[13].split() == list(PUE.columns)


def test_numbers_stand_beside_their_shades_where_all_fit() -> None:
    row = text(TURNED).splitlines()[1]
    assert re.fullmatch(r"0  (\d\.\d\d[·░▒▓█] ?){12}", row)
    assert "1.0" not in "".join(text(TURNED, 40).splitlines()[1:25])
    plain_row = text(TURNED, 100, unicode=False).splitlines()[1]
    # In ASCII a blank keeps the shade from looking like part of the number.
    assert re.fullmatch(r"0  (\d\.\d\d ([.:+#@])\2 ?){12}", plain_row)
    assert text(grid((1.5, None, -20.0))).splitlines()[1].split() == ["r0", "1.5████", "-20", "····"]


def test_numbers_are_those_of_the_cells() -> None:
    heat = grid((1.25, 3.0, -7.5), (12345, 8, 0.001))
    for found in (text(heat, 100), " ".join(texts(heat))):
        for number in ("1.25", "3", "-7.5", "12,345", "8", "0.001"):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d,])", found), number


def test_equal_values_have_one_shade_and_one_number_for_it() -> None:
    for value in (1.2, 0.0, -3.5, 5e-324, 1.7e308):
        drawing = text(grid((value,) * 30, (value,) * 30))
        assert drawing.splitlines()[1] == "r0 " + "▒▒" * 30
        assert len(set(drawing) & set(SHADES[True])) == 1
        assert "–" not in drawing
        assert len(re.findall(r"<path", render_svg(grid((value,) * 3))[0])) > 3
    # A rounding error apart is not a range either.
    assert "–" not in text(grid((0.3, 0.1 + 0.2)))


@pytest.mark.parametrize(
    "values", [(-1.7e308, 1.7e308), (5e-324, 1e308), (10**400, 1), (-(10**400), 5), (1.0, 1.00001), (0, 1)]
)
def test_any_range_has_five_levels_told_apart(values: tuple[float, float]) -> None:
    heat = grid(values)
    found = shades(heat)
    assert found is not None
    assert sorted(place for row in found.places for place in row if place is not None) == [0.0, 1.0]
    assert len(set(found.edges)) == LEVELS + 1
    for width in (40, 80):
        assert max(map(cell_len, text(heat, width).splitlines())) <= width
    svg = render_svg(heat)[0].lower()
    assert not re.search(r"\bnan\b|\binf\b", svg)


def test_a_shade_is_the_range_the_legend_gives_it() -> None:
    values = (0.0, 1.9, 2.1, 3.9, 4.1, 5.9, 6.1, 7.9, 8.1, 10.0)
    shown = re.findall(r"[\d.]+ *([·░▒▓█])", text(grid(values)).splitlines()[1].removeprefix("r0"))
    assert shown == [shade for shade in SHADES[True] for _ in range(2)]
    assert "·· 0 – 2  ░░ 2 – 4  ▒▒ 4 – 6  ▓▓ 6 – 8  ██ 8 – 10" in text(grid(values))


def test_levels_are_equal_parts_of_the_range_or_of_its_powers() -> None:
    linear, log = shades(grid((0.0, 2.0, 10.0))), shades(grid((1.0, 10.0, 100_000.0), log=True))
    assert linear is not None
    assert linear.edges == ("0", "2", "4", "6", "8", "10")
    assert linear.places == ((0.0, 0.2, 1.0),)
    assert log is not None
    assert log.edges == ("1", "10", "100", "1,000", "10,000", "100,000")
    assert log.places == ((0.0, 0.2, 1.0),)


def test_cells_without_a_value_or_a_place_are_blank_and_counted() -> None:
    heat = grid((1.0, None, 0.0, -2.0, 100.0), log=True)
    drawing = text(heat)
    assert drawing.splitlines()[1].split() == ["r0", "1····", "100████"]
    assert "blank: 1 cell without a value\nblank: 2 cells at or below zero, no place on a log scale" in drawing
    svg, left_out = render_svg(heat)
    assert left_out == ("blank: 1 cell without a value", "blank: 2 cells at or below zero, no place on a log scale")
    # An outline, and no number but those of two cells, the ends of the bar and what is between.
    assert texts(heat).count("100") == 2
    assert "-2" not in texts(heat)
    assert len(re.findall(r"<(?:use|path)[^>]*var\(--rule", svg)) == 3


def test_without_a_value_there_is_no_drawing() -> None:
    for heat in (grid((None, None)), grid((0.0, -1.0), log=True), replace(PUE, rows=(), cells=())):
        assert heat_map(heat) == [[(EMPTY, "dim")]]
        assert render_svg(heat)[0] == ""
    page = render_html(replace(pictured_report(), charts=(grid((None, None)),)))
    assert EMPTY in page


def test_more_columns_than_a_page_has_turn_it_on_its_side() -> None:
    wide = replace(
        PUE,
        columns=tuple(f"w{i}" for i in range(52)),
        cells=tuple(tuple(float(row * column) for column in range(52)) for row in range(12)),
    )
    assert text(wide, 80).startswith("month\nJan")
    turned = text(wide, 40)
    assert turned.startswith("hour\nw0 ")
    assert "\nw51" in turned
    assert "left out" not in turned


def test_what_has_no_room_is_counted() -> None:
    large = grid(*((float(i), *(1.0,) * 199) for i in range(MOST_ROWS + 12)))
    for width in (40, 80):
        drawing = text(large, width)
        shown = sum(line.startswith("r") for line in drawing.splitlines())
        assert shown == MOST_ROWS
        columns = len(drawing.splitlines()[1]) - 4
        told = " ".join(drawing.splitlines()[-2:])
        assert f"left out for want of room: 12 of 72 rows and {200 - columns} of 200 columns" in told
    left_out = render_svg(large)[1]
    assert left_out == ("left out for want of room: 12 of 72 rows and 80 of 200 columns",)
    assert left_out[0] in unescape(render_html(replace(pictured_report(), charts=(large,))))


def test_every_format_for_people_shows_it() -> None:
    report = pictured_report()
    assert text(PUE) in render_table(report)
    assert f"## {PUE.title}\n\n```text\nmonth\nJan " in render_md(report)
    page = render_html(report)
    assert '<figure id="chart-pue">' in page
    assert '<div class="wide chart dense"' in page  # many columns: scrolled, not shrunk
    assert ".chart.dense svg" in page
    narrow = replace(TURNED, id="t")
    assert ".chart.dense svg" not in render_html(replace(report, charts=(narrow,)))


def test_the_svg_has_every_name_number_and_edge() -> None:
    found = texts(PUE)
    words = shades(PUE)
    assert words is not None
    for label in (*PUE.rows, "month", "hour", "PUE", *words.edges):
        assert label in found
    numbers = [value for row in words.texts for value in row if value]
    assert len(numbers) == 12 * 24 - 1
    assert all(found.count(value) >= numbers.count(value) for value in set(numbers))
    assert parsed(PUE).get("aria-label") == PUE.title
    # A number where the cells are too small for it is left to the table.
    crowd = grid(*((1.11, *(2.22,) * 59) for _ in range(3)))
    assert "2.22" not in texts(replace(crowd, value=Axis("v")))[: len(crowd.rows)]
    assert texts(crowd).count("2.22") == 1  # the end of the colour bar


def test_numbers_on_cells_are_legible_and_colours_rise_in_lightness() -> None:
    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pairs = [_color(step / 100) for step in range(101)]
    light = [luminance(face) for face, _ in pairs]
    assert light == sorted(light)
    for face, ink in pairs:
        low, high = sorted((luminance(face), luminance(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, level AA
    # The page must not exchange one of them for a colour of its own.
    assert not {color for pair in pairs for color in pair} & set(ROLES)


@pytest.mark.parametrize("value", [*NASTY_TEXTS, "$x^2$", "]]>", 'a" onload="x', "&amp;", "漢字"])
def test_hostile_text_is_only_text(value: str) -> None:
    heat = heat_map_of(value)
    clean = clean_line(value).strip()
    root = parsed(heat)
    assert root.get("aria-label") == clean_line(value)
    assert any(clean in found or found.rstrip("…") in clean for found in texts(heat))
    for node in root.iter():
        assert node.tag.removeprefix(SVG) in {"svg", "g", "defs", "path", "use", "text", "tspan"}
        for name, given_value in node.attrib.items():
            assert not name.startswith("on")
            assert not name.endswith("href") or given_value.startswith("#")


def test_same_bytes_whatever_the_settings() -> None:
    import matplotlib

    once = render_svg(PUE)
    with matplotlib.rc_context({"font.size": 30, "image.cmap": "jet", "svg.fonttype": "path"}):
        assert render_svg(PUE) == once


VALUES = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers())


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.integers(40, 120), ANY_TEXT)
def test_no_values_or_names_leave_the_width(
    data: st.DataObject, rows: int, columns: int, log: bool, width: int, name: str
) -> None:
    values = data.draw(st.lists(VALUES, min_size=1, max_size=9))
    cells = tuple(tuple(values[(r * columns + c) % len(values)] for c in range(columns)) for r in range(rows))
    axis = Axis(name, name)
    heat = HeatMap("h", name, axis, axis, (name,) * columns, (name,) * rows, cells, Axis(name, log=log))
    for unicode in (True, False):
        lines = plain(heat_map(heat, width, unicode=unicode)).splitlines()
        assert all(len(line) <= width for line in lines if line.isascii())
        assert unicode or all(line.isascii() for line in lines)
        assert len(lines) < max(rows, columns) + 20


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=30), st.booleans())
def test_a_higher_value_is_never_lighter(values: list[float], log: bool) -> None:
    found = shades(grid(tuple(values), log=log))
    placed = [(value, place) for value, place in zip(values, found.places[0] if found else (), strict=False)]
    kept = sorted((value, place) for value, place in placed if place is not None)
    assert [place for _, place in kept] == sorted(place for _, place in kept)
    assert all(0 <= place <= 1 for _, place in kept)
