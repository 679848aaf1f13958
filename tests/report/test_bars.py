"""Stacked bars: lengths and order as given, limits across all, nothing left out in silence."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from aiplan.report.bars import EMPTY, bar_chart
from aiplan.report.canvas import plain
from aiplan.report.check import require_numbers
from aiplan.report.html import render_html
from aiplan.report.md import render_md
from aiplan.report.model import Axis, Bars, Mark, Segment
from aiplan.report.sanitize import clean_line
from aiplan.report.stack import MOST_BARS, stack
from aiplan.report.svg import render_svg
from aiplan.report.svg_page import COLORS
from aiplan.report.table import render_table
from tests.report.sample import NASTY_TEXTS, bars_of, pictured_report
from tests.report.test_sanitize import ANY_TEXT

CHAIN = pictured_report().charts[1]
assert isinstance(CHAIN, Bars)
SVG = "{http://www.w3.org/2000/svg}"
FILLS = {True: "█░▓▒╱═┼▚", False: "#=+o*%~@"}


def simple(*segments: tuple[float | None, ...], marks: tuple[Mark, ...] = ()) -> Bars:
    names = tuple(f"b{i}" for i in range(len(segments[0])))
    parts = tuple(Segment(f"s{i}", values) for i, values in enumerate(segments))
    return Bars("b", "bars", Axis("v"), names, parts, marks)


def text(bars: Bars, width: int = 80, *, unicode: bool = True) -> str:
    return plain(bar_chart(bars, width, unicode=unicode))


def bodies(bars: Bars, width: int = 80, *, unicode: bool = True) -> list[str]:
    """What stands right of the axis, bar by bar."""
    lines = text(bars, width, unicode=unicode).splitlines()
    side = "│" if unicode else "|"
    return [line.partition(side)[2] for name in bars.bars for line in lines if line.startswith(f"{name} ")]


def parsed(bars: Bars) -> ET.Element:
    return ET.fromstring(render_svg(bars)[0])


def texts(bars: Bars) -> list[str]:
    return ["".join(node.itertext()).strip() for node in parsed(bars).iter(f"{SVG}text")]


LONG = replace(CHAIN, bars=("utility interconnect at the substation", "UPS string A of the third hall", "b", "r"))


@pytest.mark.parametrize("width", [40, 57, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize(
    "bars", [CHAIN, LONG, *map(bars_of, NASTY_TEXTS), bars_of("漢字 long " * 30), bars_of("漢" * 40)]
)
def test_nothing_is_wider_than_asked_for(bars: Bars, width: int, unicode: bool) -> None:
    drawing = text(bars, width, unicode=unicode)
    assert max(map(cell_len, drawing.splitlines())) <= width
    assert len(drawing.splitlines()) <= 3 * len(bars.bars) + 12
    if not unicode:
        assert drawing.isascii()


@pytest.mark.parametrize("unicode", [True, False])
def test_parts_are_as_long_as_their_values_and_in_order(unicode: bool) -> None:
    bars = simple((20.0, 40.0), (30.0, 10.0), (50.0, 0.0))
    fills = FILLS[unicode]
    for width in (40, 80):
        room = width - 5
        for body, values in zip(bodies(bars, width, unicode=unicode), ((20, 30, 50), (40, 10)), strict=True):
            # Numbers stand on their parts: between two pieces of one filling they count as filling.
            whole = re.sub(r"(.) (\d+) (?=\1)", lambda found: found[1] * len(found[0]), body).rstrip()
            assert re.fullmatch("".join(f"({re.escape(fill)}+)" for fill in fills[: len(values)]), whole)
            for fill, value in zip(fills, values, strict=False):
                assert abs(whole.count(fill) - value / 100 * room) <= 1


def test_a_number_stands_in_the_middle_of_its_part() -> None:
    for body in bodies(simple((30.0, 80.0))):
        before, _, after = re.split(r" (\d+) ", body.rstrip())
        assert abs(len(before) - len(after)) <= 1


def test_numbers_names_axis_and_legend_are_there() -> None:
    drawing = text(CHAIN)
    for words in (" 20 █", "▒ 4 ▒", "██ IT", "░░ cooling", "▓▓ losses", "▒▒ headroom", "power (MW)", "rating ┆"):
        assert words in drawing
    for name in CHAIN.bars:
        assert len(re.findall(rf"^{name} +│", drawing, re.MULTILINE)) == 1
    assert "power (MW)" in text(CHAIN, 40)
    assert "##" in text(CHAIN, unicode=False)
    assert "┆ contract 30 MW" in text(CHAIN, 40)  # no room beside the line: below, with its glyph


def test_a_thin_part_is_seen_as_long_as_there_is_room() -> None:
    assert "▓" in bodies(CHAIN, 40)[3]  # 0.1 of 20.6
    crowd = simple(*((0.001,) for _ in range(60)), (1.0,))
    drawing = text(crowd, 40)
    seen = sum(len(set(run)) for run in re.findall(r"│(\S+)", drawing))
    assert seen
    (count,) = re.findall(r"too small to be seen: (\d+) parts", drawing)
    # Each part has a character of its own or is counted; the last has one at least.
    assert 61 - 35 <= int(count) <= 60


def test_a_limit_crosses_every_bar_where_it_lies() -> None:
    bars = simple((40.0, 80.0), marks=(Mark(60.0, "limit"),))
    short, long = bodies(bars)
    place = short.index("┆")
    assert long.index("┆") == place
    assert "█" not in short[place:]
    assert long[place + 1] == "█"
    at = simple((60.0,), marks=(Mark(60.0, "limit"),))
    (body,) = bodies(at)
    assert body.rstrip()[-2:] == "█┆"  # as long as allowed: up to the line, not beyond


def test_names_of_close_limits_are_each_beside_their_own_line() -> None:
    drawing = text(simple((40.0,), marks=(Mark(20.0, "a"), Mark(21.0, "b"))))
    assert "a ┆" in drawing
    assert "┆ b" in drawing


def test_long_names_stand_above_their_bars() -> None:
    drawing = text(LONG, 60)
    for name in LONG.bars:
        assert f"\n │{name} " in drawing
    assert "│utility interconnect at the substation\n" in text(LONG, 40)
    longer = replace(LONG, bars=("utility interconnect at the substation X", *LONG.bars[1:]))
    assert "│utility interconnect at the substatio…\n" in text(longer, 40)
    assert "\nb " in text(replace(LONG, bars=("a", "b", "c", "d")), 40)


def test_a_part_without_a_value_is_said() -> None:
    drawing = text(simple((1.0, None, 0.0), (2.0, None, None)))
    assert drawing.endswith("?: 3 parts without a value")
    assert [body.strip() for body in drawing.splitlines()[:5] if body.startswith("b")][1:] == ["b1 │?", "b2 │0 + ?"]
    assert "+ ?" in bodies(CHAIN)[1]
    svg, left_out = render_svg(CHAIN)
    assert left_out == ("?: 1 part without a value",)
    assert texts(CHAIN).count("+ ?") == 1
    assert svg


def test_zero_has_no_length_but_a_number() -> None:
    zero = simple((0.0, 5.0), (0.0, 0.0))
    assert bodies(zero)[0].strip() == "0"
    assert "0" in texts(zero)
    assert set(bodies(simple((0.0,), (0.0,)))[0].strip()) == {"0"}


@pytest.mark.parametrize("values", [(3.0,), (5.0, 5.0), (5e-324,), (1.7e308, 1e-300), (10**400, 1), (1e-9, 1e9)])
def test_single_equal_and_huge_values(values: tuple[float, ...]) -> None:
    bars = simple(values, values)
    for width in (40, 80):
        drawing = text(bars, width)
        assert max(map(cell_len, drawing.splitlines())) <= width
        assert "█" in bodies(bars, width)[0]
    assert not re.search(r"\bnan\b|\binf\b", render_svg(bars)[0].lower())


@pytest.mark.parametrize(
    ("bars", "where"),
    [
        (simple((1.0, -0.5)), "bars b, segment s0, bar 1: -0.5 is below zero"),
        (simple((1.0,), marks=(Mark(-2.0, "floor"),)), "bars b, mark floor: -2.0 is below zero"),
        (simple((float("nan"),)), "bars b, segment s0, bar 0: nan is not a finite number"),
        (simple((float("inf"),)), "inf is not a finite number"),
    ],
)
def test_what_cannot_be_stacked_is_refused_by_every_format(bars: Bars, where: str) -> None:
    report = replace(pictured_report(), charts=(bars,))
    for refuse in (require_numbers, render_table, render_md, render_html):
        with pytest.raises(ValueError, match=re.escape(where)):
            refuse(report)


def test_without_a_value_there_is_no_drawing() -> None:
    for bars in (simple((None, None)), replace(CHAIN, segments=()), replace(CHAIN, bars=(), segments=())):
        assert bar_chart(bars) == [[(EMPTY, "dim")]]
        assert render_svg(bars) == ("", ())
    assert EMPTY in render_html(replace(pictured_report(), charts=(simple((None,)),)))


def test_bars_without_room_are_counted() -> None:
    many = simple(tuple(float(i) for i in range(MOST_BARS + 7)))
    for width in (40, 80):
        drawing = text(many, width)
        assert drawing.endswith("left out: 7 of 47 bars")
        assert sum(line.startswith("b") for line in drawing.splitlines()) == MOST_BARS
    assert render_svg(many)[1] == ("left out: 7 of 47 bars",)
    assert "left out" not in text(simple(tuple(float(i) for i in range(MOST_BARS))))


def test_more_parts_than_fillings_begin_anew() -> None:
    bars = simple(*((1.0,) for _ in range(10)))
    drawing = text(bars)
    assert "██ s0" in drawing
    assert "██ s8" in drawing
    colors = set(re.findall(r"--series-\d", render_svg(bars)[0]))
    assert len(colors) == len(COLORS)


def test_every_format_for_people_shows_it() -> None:
    report = pictured_report()
    assert text(CHAIN) in render_table(report)
    assert "its numbers: --table levers" in render_table(report)
    assert f"## {CHAIN.title}\n\n```text\n" in render_md(report)
    page = render_html(report)
    assert '<figure id="chart-chain">' in page
    assert "<code>--table levers</code>" in page
    assert '<p class="quiet">?: 1 part without a value</p>' in page


def test_the_svg_names_and_numbers_its_parts() -> None:
    found = texts(CHAIN)
    for label in (*CHAIN.bars, *(segment.label for segment in CHAIN.segments), "contract 30 MW", "rating"):
        assert label in found
    assert "IT 20" in found  # named where there is room, once
    assert found.count("20") == 3 + 1  # the other bars and a tick
    svg = render_svg(CHAIN)[0]
    for number, color in enumerate(COLORS[:4], 1):
        assert f"fill: var(--series-{number}, {color})" in svg
    assert svg.count("stroke-dasharray") == 2
    assert not re.search(r"(?:stroke|fill): (?!var|none)", re.sub(r"<text.*?</text>", "", svg, flags=re.DOTALL))


def test_a_number_is_not_struck_through_by_a_limit() -> None:
    for limit in (2.0, 5.0, 9.5):
        bars = simple((10.0,), marks=(Mark(limit, "limit"),))
        root = parsed(bars)
        spot = next(node for node in root.iter(f"{SVG}text") if "".join(node.itertext()).strip() == "s0 10")
        line = next(node for node in root.iter() if "stroke-dasharray" in node.get("style", ""))
        at = float(re.findall(r"[\d.]+", line.get("d", ""))[0])
        assert abs(float(spot.get("x", "nan")) - at) > 5 * 5.4 / 2
        assert re.search(r" 10 .*┆|┆.* 10 ", bodies(bars)[0])


@pytest.mark.parametrize("value", [*NASTY_TEXTS, "$x^2$", "]]>", 'a" onload="x', "&amp;", "漢字"])
def test_hostile_text_is_only_text(value: str) -> None:
    bars = bars_of(value)
    clean = clean_line(value).strip()
    root = parsed(bars)
    assert root.get("aria-label") == clean_line(value)
    assert any(clean in found or found.rstrip("…") in clean for found in texts(bars))
    for node in root.iter():
        assert node.tag.removeprefix(SVG) in {"svg", "g", "defs", "path", "use", "text", "tspan"}
        for name, given_value in node.attrib.items():
            assert not name.startswith("on")
            assert not name.endswith("href") or given_value.startswith("#")


def test_same_bytes_whatever_the_settings() -> None:
    import matplotlib

    once = render_svg(CHAIN)
    with matplotlib.rc_context({"font.size": 30, "patch.linewidth": 9, "hatch.color": "red"}):
        assert render_svg(CHAIN) == once


LENGTHS = st.one_of(st.none(), st.floats(0, allow_nan=False, allow_infinity=False), st.integers(0))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 50), st.integers(1, 12), st.integers(40, 120), ANY_TEXT)
def test_no_values_or_names_leave_the_width(data: st.DataObject, count: int, parts: int, width: int, name: str) -> None:
    values = data.draw(st.lists(LENGTHS, min_size=1, max_size=9))
    segments = tuple(
        Segment(name, tuple(values[(i * parts + s) % len(values)] for i in range(count))) for s in range(parts)
    )
    marks = tuple(Mark(value, name) for value in values[:2] if value is not None)
    bars = Bars("b", name, Axis(name, name), (name,) * count, segments, marks)
    for unicode in (True, False):
        lines = plain(bar_chart(bars, width, unicode=unicode)).splitlines()
        assert all(len(line) <= width for line in lines if line.isascii())
        assert unicode or all(line.isascii() for line in lines)


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(0, 1e300), min_size=3, max_size=3), min_size=1, max_size=8))
def test_parts_lie_end_to_end_from_zero(rows: list[list[float]]) -> None:
    found = stack(simple(*zip(*rows, strict=True)), 6)
    assert found is not None
    for row, parts in zip(rows, found.bars, strict=True):
        assert [part.value for part in parts] == row
        ends = [0.0, *(part.end for part in parts)]
        assert [part.start for part in parts] == ends[:-1]
        assert ends == sorted(ends)
        assert ends[-1] <= 1
    totals = [sum(row) for row in rows]
    longest = max(parts[-1].end for parts in found.bars)
    for total, parts in zip(totals, found.bars, strict=True):
        if max(totals) < 1e300 and max(totals) > 0:
            assert parts[-1].end == pytest.approx(longest * total / max(totals), abs=1e-9)
