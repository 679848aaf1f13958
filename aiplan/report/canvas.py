"""What drawings in characters share: text measured in terminal cells, a grid to draw on, an axis below it, a legend."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiplan.report.axes import Scale
from aiplan.report.sanitize import clean_line, to_ascii

WIDTH = 80
"""Columns of a drawing where nothing says how wide the page is."""
CELLS_PER_X_TICK = 12
QUIET = "dim"
STYLES = ("cyan", "yellow", "magenta", "green", "blue", "red")

Piece = tuple[str, str]
"""Text with a style."""
Drawing = list[list[Piece]]
"""Lines of styled text."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters of an encoding.

    Attributes
    ----------
    series, fills, shades : of series in order, of parts of a bar in order, of values from low to high
    limit_x, limit_y : of limits across and along
    side, side_tick, foot, foot_tick, corner : of the axes
    more, dash : what stands for text cut off, and between the ends of a range
    """

    series: str
    fills: str
    shades: str
    limit_x: str
    limit_y: str
    side: str
    side_tick: str
    foot: str
    foot_tick: str
    corner: str
    more: str
    dash: str


_UNICODE = Glyphs("•∘+×▪▫▴▵", "█░▓▒╱═┼▚", "·░▒▓█", "┆", "╌", "│", "┤", "─", "┬", "└", "…", "–")
_ASCII = Glyphs("*o+x#@%&", "#=+o*%~@", ".:+#@", ":", "-", "|", "+", "-", "+", "+", "..", "-")


def glyphs_for(unicode: bool) -> Glyphs:
    """The characters to draw with."""
    return _UNICODE if unicode else _ASCII


def speaker(unicode: bool) -> Callable[[str], str]:
    """What makes foreign text fit to stand on one line of a drawing."""

    def say(text: str) -> str:
        line = clean_line(text).strip()
        return line if unicode else to_ascii(line)

    return say


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
    if len(row) <= room:
        return text
    end = max(room - len(more), 0)
    # A wide character whose second half would be cut off goes as a whole.
    return "".join(row[: end - (row[end] == "" and end > 0)]).rstrip() + more


class Grid:
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

    def write(self, column: int, row: int, text: str, over: str, style: str = QUIET) -> bool:
        """Write text where it fits and covers nothing but blanks and the characters of ``over``."""
        row_cells = cells(text)
        if not 0 <= row < self.rows or column < 0 or column + len(row_cells) > self.columns:
            return False
        place = self._cells[row][column : column + len(row_cells)]
        if any(glyph not in over for glyph, _ in place):
            return False
        self._cells[row][column : column + len(row_cells)] = [(cell, style) for cell in row_cells]
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


def foot(scale: Scale, grid: Grid, gutter: int, glyphs: Glyphs) -> Drawing:
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


def centred(text: str, start: int, room: int, width: int) -> Drawing:
    """A quiet line in the middle of what begins at a cell, moved left where it would leave the page."""
    indent = max(min(start + (room - len(cells(text))) // 2, width - len(cells(text))), 0)
    return [[(" " * indent + text, QUIET)]]


def packed(items: Sequence[Sequence[Piece]], width: int) -> Drawing:
    """Short pieces side by side, two blanks apart; a line breaks only between items, each no wider than the page."""
    lines: Drawing = []
    used = width
    for item in items:
        size = sum(len(cells(text)) for text, _ in item)
        if used + 2 + size > width:
            lines.append([])
            used = -2
        lines[-1] += [("  ", "")] * (used > 0) + list(item)
        used += 2 + size
    return lines


def plain(lines: Sequence[Sequence[Piece]]) -> str:
    """Lines of a drawing without their styles."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
