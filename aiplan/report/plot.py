"""A chart in characters, for terminals, text files and Markdown: a glyph per series, limits as broken lines.

Own code rather than a plotting package: the ones for terminals keep one global figure, bring a frame that only
UTF-8 can write, and round ticks otherwise than the tables beside them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from aiplan.report.axes import Frame, Point, Scale, caption, frame, notes_to_show
from aiplan.report.model import Chart, Mark
from aiplan.report.sanitize import clean_line, to_ascii

WIDTH = 80
"""Columns of a chart where nothing says how wide the page is."""
ROWS = 13
"""Rows of a chart, give or take what makes its ticks stand evenly."""
Y_TICKS = 7
CELLS_PER_X_TICK = 12
MOST_NOTES = 8
EMPTY = "no points to draw"
QUIET = "dim"
STYLES = ("cyan", "yellow", "magenta", "green", "blue", "red")

Piece = tuple[str, str]
"""Text with a style."""


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """Characters of an encoding: of the series in order, of limits across and along, and of the axes."""

    series: str
    limit_x: str
    limit_y: str
    side: str
    side_tick: str
    foot: str
    foot_tick: str
    corner: str
    more: str


_UNICODE = _Glyphs("•∘+×▪▫▴▵", "┆", "╌", "│", "┤", "─", "┬", "└", "…")
_ASCII = _Glyphs("*o+x#@%&", ":", "-", "|", "+", "-", "+", "+", "..")


def cells(text: str) -> list[str]:
    """Text by terminal cell: a wide character takes two, the second empty; a combining one joins the one before."""
    row: list[str] = []
    for character in text:
        if unicodedata.combining(character) and row:
            row[-1] += character
        else:
            row += [character, ""] if unicodedata.east_asian_width(character) in "WF" else [character]
    return row


def shorten(text: str, room: int, more: str = "…") -> str:
    """Text cut to a number of terminal cells, the cut shown."""
    row = cells(text)
    return text if len(row) <= room else "".join(row[: max(room - len(more), 0)]).rstrip() + more


class _Grid:
    """The cells between the axes, row 0 on top."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells: list[list[Piece]] = [[(" ", "")] * columns for _ in range(rows)]

    def column(self, place: float) -> int:
        return round(place * (self.columns - 1))

    def row(self, place: float) -> int:
        return round((1 - place) * (self.rows - 1))

    def put(self, column: int, row: int, glyph: str, style: str) -> None:
        self._cells[row][column] = (glyph, style)

    def join(self, start: tuple[int, int], end: tuple[int, int], glyph: str, style: str) -> None:
        """A straight line of glyphs between two cells."""
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            column, row = (round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
            self.put(column, row, glyph, style)

    def write(self, column: int, row: int, text: str, over: str) -> bool:
        """Write text where it fits and covers nothing but blanks and the characters of ``over``."""
        row_cells = cells(text)
        if not 0 <= row < self.rows or column < 0 or column + len(row_cells) > self.columns:
            return False
        place = self._cells[row][column : column + len(row_cells)]
        if any(glyph not in over for glyph, _ in place):
            return False
        self._cells[row][column : column + len(row_cells)] = [(cell, QUIET) for cell in row_cells]
        return True

    def pieces(self, row: int) -> list[Piece]:
        """A row, neighbours of one style in one piece."""
        merged: list[Piece] = []
        for glyph, style in self._cells[row]:
            if merged and merged[-1][1] == style:
                merged[-1] = (merged[-1][0] + glyph, style)
            else:
                merged.append((glyph, style))
        return merged


def _draw_series(grid: _Grid, points: Sequence[Point], style: str, glyph: str, color: str) -> None:
    spots = [(grid.column(point.x), grid.row(point.y)) for point in points]
    for spot in spots:
        grid.put(*spot, glyph, color)
    if style == "points":
        return
    for start, end in pairwise(spots):
        corner = (end[0], start[1]) if style == "steps" else start
        grid.join(start, corner, glyph, color)
        grid.join(corner, end, glyph, color)


def _draw_limits(grid: _Grid, marks: Sequence[tuple[Mark, float]], glyphs: _Glyphs) -> None:
    for mark, place in marks:
        if mark.axis == "x":
            for row in range(grid.rows):
                grid.put(grid.column(place), row, glyphs.limit_x, QUIET)
        else:
            for column in range(grid.columns):
                grid.put(column, grid.row(place), glyphs.limit_y, QUIET)


def _write_limit(grid: _Grid, mark: Mark, place: float, text: str, over: str) -> bool:
    """The name of a limit beside its line, or on it where it lies; False when there is no room."""
    size = len(cells(text))
    if mark.axis == "y":
        row, last = grid.row(place), grid.columns - size - 1
        return any(grid.write(column, row, text, over) for column in (last, 1, last // 2))
    column = grid.column(place)
    return any(
        grid.write(start, row, text, over) for start in (column + 2, column - 1 - size) for row in range(grid.rows)
    )


def _write_note(grid: _Grid, point: Point, text: str, over: str) -> None:
    """The name of a point beside, above or below it, wherever there is room; else nowhere: the table has it."""
    column, row, size = grid.column(point.x), grid.row(point.y), len(cells(text))
    centre = min(max(column - size // 2, 0), grid.columns - size)
    spots = [(column + 2, row), (column - 1 - size, row), (centre, row - 1), (centre, row + 1)]
    any(grid.write(start, level, text, over) for start, level in spots)


def _rows(scale: Scale) -> int:
    """As many rows as let ticks stand equally far apart, near ROWS."""
    gaps = len(scale.ticks) - 1
    return gaps * max(round((ROWS - 1) / gaps), 1) + 1 if scale.even else ROWS


def _foot(scale: Scale, grid: _Grid, gutter: int, glyphs: _Glyphs) -> list[list[Piece]]:
    """The x axis and its labels; a label that would touch the one before is left out."""
    ticks = {grid.column(tick.place): tick.label for tick in scale.ticks}
    line = "".join(glyphs.foot_tick if column in ticks else glyphs.foot for column in range(grid.columns))
    labels = ""
    for column, label in ticks.items():
        start = gutter + 2 + column - len(label) // 2
        start = min(start, gutter + 2 + grid.columns - len(label))
        if not labels or start > len(labels):
            labels = labels.ljust(start) + label
    return [[(" " * (gutter + 1) + glyphs.corner + line, QUIET)], [(labels, "")]]


def _canvas(chart: Chart, shape: Frame, width: int, glyphs: _Glyphs, say: Callable[[str], str]) -> list[list[Piece]]:
    """Captions, axes and everything between them, then the names of limits that found no room in there."""
    sides = {tick.label: tick.place for tick in shape.y.ticks}
    gutter = max(map(len, sides))
    grid = _Grid(max(width - gutter - 2, 8), _rows(shape.y))
    _draw_limits(grid, shape.marks, glyphs)
    drawn = enumerate(zip(chart.series, shape.series, strict=True))
    # Single points lie on top of lines, and of each the first series on top.
    for index, (series, points) in sorted(drawn, key=lambda item: (item[1][0].style == "points", -item[0])):
        _draw_series(grid, points, series.style, *_look(index, glyphs))
    over = f" {glyphs.limit_x}{glyphs.limit_y}"
    rest = [mark for mark, place in shape.marks if not _write_limit(grid, mark, place, say(mark.label), over)]
    if notes_to_show(shape.series, MOST_NOTES):
        for point in (point for points in shape.series for point in points if point.note):
            _write_note(grid, point, say(point.note), over)
    at = {grid.row(place): label for label, place in sides.items()}
    lines = [[(shorten(say(caption(chart.y)), width, glyphs.more), QUIET)]]
    for row in range(grid.rows):
        side = glyphs.side_tick if row in at else glyphs.side
        lines.append([(f"{at.get(row, ''):>{gutter}} ", ""), (side, QUIET), *grid.pieces(row)])
    lines += _foot(shape.x, grid, gutter, glyphs)
    below = shorten(say(caption(chart.x)), width, glyphs.more)
    indent = max(min(gutter + 2 + (grid.columns - len(cells(below))) // 2, width - len(cells(below))), 0)
    lines.append([(" " * indent + below, QUIET)])
    for mark in rest:
        glyph = glyphs.limit_x if mark.axis == "x" else glyphs.limit_y
        lines.append([(f"{glyph} {shorten(say(mark.label), width - 2, glyphs.more)}", QUIET)])
    return lines


def _look(index: int, glyphs: _Glyphs) -> Piece:
    return glyphs.series[index % len(glyphs.series)], STYLES[index % len(STYLES)]


def plot(chart: Chart, width: int = WIDTH, *, unicode: bool = True) -> list[list[Piece]]:
    """A chart as lines of styled text, none wider than ``width`` cells; its title is left to the page.

    Parameters
    ----------
    width : 40 or more
    unicode : False draws and writes in ASCII only
    """
    glyphs = _UNICODE if unicode else _ASCII

    def say(text: str) -> str:
        line = clean_line(text).strip()
        return line if unicode else to_ascii(line)

    shape = frame(chart, max(width // CELLS_PER_X_TICK, 3), Y_TICKS)
    if shape is None:
        return [[(EMPTY, QUIET)]]
    lines = _canvas(chart, shape, width, glyphs, say)
    for index, series in enumerate(chart.series):
        if series.label:
            glyph, style = _look(index, glyphs)
            lines.append([(glyph, style), (f" {shorten(say(series.label), width - 2, glyphs.more)}", "")])
    return lines + [[(line, QUIET)] for line in wrap(shape.left_out, width)]


def plain(lines: Sequence[Sequence[Piece]]) -> str:
    """Lines of ``plot`` without their styles."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
