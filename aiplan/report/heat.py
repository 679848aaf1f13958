"""A heat map in characters: a shade for each cell, its number beside the shade where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from textwrap import wrap

from aiplan.report.axes import caption
from aiplan.report.canvas import (
    QUIET,
    STYLES,
    WIDTH,
    Drawing,
    Glyphs,
    Piece,
    cells,
    centred,
    glyphs_for,
    packed,
    shorten,
    speaker,
)
from aiplan.report.model import HeatMap
from aiplan.report.shades import MIDDLE, MOST_ROWS, Shades, level, room_for, shades
from aiplan.report.view import point_aligned

EMPTY = "no values to draw"
WIDEST_SHADE = 4
"""Characters of a cell without a number."""
LONGEST_COLUMN = 10
"""Characters of a column's name, if the column itself is not wider."""
COLOR = STYLES[0]

Say = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a drawing has room for: rows, columns, and characters of a cell, of which ``number`` are its number's."""

    rows: int
    columns: int
    size: int
    number: int


def _gutter(rows: Sequence[str], width: int) -> int:
    """Room for the names of the rows."""
    return min(max((len(cells(name)) for name in rows), default=0), width // 3)


def _turned(heat: HeatMap, width: int, say: Say) -> HeatMap:
    """The heat map on its side where it has more columns than a page has room for, and fewer rows."""

    def fits(one: HeatMap) -> bool:
        return len(one.columns) < width - _gutter([say(name) for name in one.rows], width)

    turned = tuple(zip(*heat.cells, strict=True))
    side = replace(heat, x=heat.y, y=heat.x, columns=heat.rows, rows=heat.columns, cells=turned)
    return side if not fits(heat) and len(side.rows) <= MOST_ROWS and fits(side) else heat


def _shape(numbers: Sequence[str], rows: int, columns: int, room: int, between: int) -> _Shape:
    """Sizes of cells; numbers only where those of all cells fit, each with a shade and a blank behind it."""
    widest = max(map(len, numbers))
    least, each = widest + between + 2, room // columns
    if each < least:
        return _Shape(rows, columns, min(each, WIDEST_SHADE), 0)
    return _Shape(rows, columns, min(each, least - 1 + WIDEST_SHADE), widest)


def _names(columns: Sequence[str], size: int, start: int, width: int, more: str) -> str:
    """Names below their columns, only every second or third where they would touch."""
    texts = [shorten(name, max(size - 1, LONGEST_COLUMN), more) for name in columns]
    step = -(-(max(len(cells(text)) for text in texts) + 1) // size)
    line: list[str] = []
    for index in range(0, len(texts), step):
        text, place = cells(texts[index]), start + index * size
        if place + len(text) <= width:
            line += [" "] * (place - len(line)) + text
    return "".join(line)


def _body(found: Shades, numbers: Sequence[str], shape: _Shape, glyphs: Glyphs, between: int) -> list[list[Piece]]:
    """The cells of each row: shades alone, or each number with its shade."""
    lines: list[list[Piece]] = []
    for row, places in enumerate(found.places[: shape.rows]):
        line: list[Piece] = []
        for place, text in zip(places[: shape.columns], numbers[row * shape.columns :], strict=False):
            shade = " " if place is None else glyphs.shades[level(place)]
            if not shape.number:
                line.append((shade * shape.size, COLOR))
                continue
            line.append((f"{text if place is not None else '':>{shape.number}}" + " " * between, ""))
            line.append((shade * (shape.size - shape.number - between - 1) + " ", COLOR))
        lines.append(line)
    return lines


def _legend(heat: HeatMap, found: Shades, width: int, glyphs: Glyphs, say: Say) -> Drawing:
    """What is shown, and the range that each shade stands for."""
    edges = found.edges
    ranges = [(glyphs.shades[level(MIDDLE)], edges[0])]
    if len(edges) > 1:
        ends = enumerate(pairwise(edges))
        ranges = [(glyphs.shades[n], f"{low} {glyphs.dash} {high}") for n, (low, high) in ends]
    items: list[list[Piece]] = [[(shorten(say(caption(heat.value)), width, glyphs.more), QUIET)]]
    told = [(shade * 2, f" {shorten(text, width - 3, glyphs.more)}") for shade, text in ranges]
    return packed(items + [[(shade, COLOR), (text, "")] for shade, text in told], width)


def heat_map(heat: HeatMap, width: int = WIDTH, *, unicode: bool = True) -> Drawing:
    """A heat map as lines of styled text, none wider than ``width`` cells; its title is left to the page.

    Where there are more columns than a page has room for, it is drawn on its side if that fits; otherwise the last
    columns are left out, as are rows beyond ``MOST_ROWS``. A line below says so.

    Parameters
    ----------
    width : 40 or more
    unicode : False draws and writes in ASCII only
    """
    glyphs, say = glyphs_for(unicode), speaker(unicode)
    heat = _turned(heat, width, say)
    found = shades(heat)
    if found is None:
        return [[(EMPTY, QUIET)]]
    names = [say(name) for name in heat.rows]
    gutter = _gutter(names, width)
    start, room = gutter + 1, width - gutter - 1
    rows, columns, left_out = room_for(heat, room)
    between = 0 if unicode else 1  # a shade such as . must not look like part of the number
    numbers = point_aligned([text for row in found.texts[:rows] for text in row[:columns]])
    shape = _shape(numbers, rows, columns, room, between)
    lines: Drawing = [[(shorten(say(caption(heat.y)), width, glyphs.more), QUIET)]]
    for name, body in zip(names, _body(found, numbers, shape, glyphs, between), strict=False):
        head = shorten(name, gutter, glyphs.more)
        lines.append([(head + " " * (start - len(cells(head))), ""), *body])
    shown = [say(name) for name in heat.columns[:columns]]
    lines.append([(_names(shown, shape.size, start, width, glyphs.more), "")])
    below = shorten(say(caption(heat.x)), width, glyphs.more)
    lines += centred(below, start, columns * shape.size, width)
    lines += _legend(heat, found, width, glyphs, say)
    return lines + [[(line, QUIET)] for words in (*found.missing, *left_out) for line in wrap(words, width)]
