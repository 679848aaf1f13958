"""A chart in characters, for terminals, text files and Markdown: a glyph per series, limits as broken lines.

Own code rather than a plotting package: the ones for terminals keep one global figure, bring a frame that only
UTF-8 can write, and round ticks otherwise than the tables beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from textwrap import wrap

from aiplan.report.axes import Frame, Point, Scale, caption, frame, notes_to_show
from aiplan.report.canvas import (
    CELLS_PER_X_TICK,
    QUIET,
    STYLES,
    WIDTH,
    Drawing,
    Glyphs,
    Grid,
    Piece,
    cells,
    centred,
    foot,
    glyphs_for,
    shorten,
    speaker,
)
from aiplan.report.model import Chart, Mark

ROWS = 13
"""Rows of a chart, give or take what makes its ticks stand evenly."""
Y_TICKS = 7
MOST_NOTES = 8
EMPTY = "no points to draw"


def _draw_series(grid: Grid, points: Sequence[Point], style: str, glyph: str, color: str) -> None:
    spots = [(grid.column(point.x), grid.row(point.y)) for point in points]
    for spot in spots:
        grid.put(*spot, glyph, color)
    if style == "points":
        return
    for start, end in pairwise(spots):
        corner = (end[0], start[1]) if style == "steps" else start
        grid.join(start, corner, glyph, color)
        grid.join(corner, end, glyph, color)


def _draw_limits(grid: Grid, marks: Sequence[tuple[Mark, float]], glyphs: Glyphs) -> None:
    for mark, place in marks:
        if mark.axis == "x":
            for row in range(grid.rows):
                grid.put(grid.column(place), row, glyphs.limit_x, QUIET)
        else:
            for column in range(grid.columns):
                grid.put(column, grid.row(place), glyphs.limit_y, QUIET)


def _write_limit(grid: Grid, mark: Mark, place: float, text: str, over: str) -> bool:
    """The name of a limit beside its line, or on it where it lies; False when there is no room."""
    size = len(cells(text))
    if mark.axis == "y":
        row, last = grid.row(place), grid.columns - size - 1
        return any(grid.write(column, row, text, over) for column in (last, 1, last // 2))
    column = grid.column(place)
    return any(
        grid.write(start, row, text, over) for start in (column + 2, column - 1 - size) for row in range(grid.rows)
    )


def _write_note(grid: Grid, point: Point, text: str, over: str) -> None:
    """The name of a point beside, above or below it, wherever there is room; else nowhere: the table has it."""
    column, row, size = grid.column(point.x), grid.row(point.y), len(cells(text))
    centre = min(max(column - size // 2, 0), grid.columns - size)
    spots = [(column + 2, row), (column - 1 - size, row), (centre, row - 1), (centre, row + 1)]
    any(grid.write(start, level, text, over) for start, level in spots)


def _rows(scale: Scale) -> int:
    """As many rows as let ticks stand equally far apart, near ROWS."""
    gaps = len(scale.ticks) - 1
    return gaps * max(round((ROWS - 1) / gaps), 1) + 1 if scale.even else ROWS


def _canvas(chart: Chart, shape: Frame, width: int, glyphs: Glyphs, say: Callable[[str], str]) -> Drawing:
    """Captions, axes and everything between them, then the names of limits that found no room in there."""
    sides = {tick.label: tick.place for tick in shape.y.ticks}
    gutter = max(map(len, sides))
    grid = Grid(max(width - gutter - 2, 8), _rows(shape.y))
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
    lines += foot(shape.x, grid, gutter, glyphs)
    lines += centred(shorten(say(caption(chart.x)), width, glyphs.more), gutter + 2, grid.columns, width)
    for mark in rest:
        glyph = glyphs.limit_x if mark.axis == "x" else glyphs.limit_y
        lines.append([(f"{glyph} {shorten(say(mark.label), width - 2, glyphs.more)}", QUIET)])
    return lines


def _look(index: int, glyphs: Glyphs) -> Piece:
    return glyphs.series[index % len(glyphs.series)], STYLES[index % len(STYLES)]


def plot(chart: Chart, width: int = WIDTH, *, unicode: bool = True) -> Drawing:
    """A chart as lines of styled text, none wider than ``width`` cells; its title is left to the page.

    Parameters
    ----------
    width : 40 or more
    unicode : False draws and writes in ASCII only
    """
    glyphs, say = glyphs_for(unicode), speaker(unicode)
    shape = frame(chart, max(width // CELLS_PER_X_TICK, 3), Y_TICKS)
    if shape is None:
        return [[(EMPTY, QUIET)]]
    lines = _canvas(chart, shape, width, glyphs, say)
    for index, series in enumerate(chart.series):
        if series.label:
            glyph, style = _look(index, glyphs)
            lines.append([(glyph, style), (f" {shorten(say(series.label), width - 2, glyphs.more)}", "")])
    return lines + [[(line, QUIET)] for line in wrap(shape.left_out, width)]
