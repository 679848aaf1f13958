"""Stacked bars in characters: a filling for each part, its number on it where there is room, limits across all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap

from aiplan.report.axes import caption
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
    packed,
    shorten,
    speaker,
)
from aiplan.report.model import Bars, Mark
from aiplan.report.numbers import number
from aiplan.report.stack import Part, Stack, stack

EMPTY = "no values to draw"
MOST_HEAD = 2
"""Lines above the bars for the names of limits."""
MOST_SPACED = 8
"""Bars that have an empty line between them."""

Say = Callable[[str], str]
Span = tuple[Part, int, int]
"""A part with its first cell and the one behind its last."""


def _look(index: int, glyphs: Glyphs) -> Piece:
    return glyphs.fills[index % len(glyphs.fills)], STYLES[index % len(STYLES)]


def _spans(parts: Sequence[Part], grid: Grid) -> list[Span]:
    """Cells of the parts above zero, none of them without one as long as the bar has some to give.

    A part too small for a cell takes one from the widest of its bar, which moves what lies between the two by a cell;
    the end of the bar stays where it is. A bar too small for a cell gets one, for the largest of its parts.
    """
    seen = [part for part in parts if part.value]
    sizes = [grid.column(part.end) - grid.column(part.start) for part in seen]
    for index, size in enumerate(sizes):
        widest = max(range(len(sizes)), key=sizes.__getitem__)
        if not size and sizes[widest] > 1:
            sizes[widest] -= 1
            sizes[index] = 1
    if seen and not any(sizes):
        sizes[max(range(len(seen)), key=lambda index: seen[index].value)] = 1
    spans, start = [], 0
    for part, size in zip(seen, sizes, strict=True):
        spans.append((part, start, start + size))
        start += size
    return spans


def _write_number(grid: Grid, row: int, text: str, start: int, end: int, over: str) -> None:
    """A number on its part, as near to the middle as limits let it, the filling still seen on both sides."""
    size = len(text) + 2
    middle = start + (end - start - size) // 2
    spots = sorted(range(start + 1, end - size), key=lambda spot: abs(spot - middle))
    any(grid.write(spot, row, f" {text} ", over, "") for spot in spots)


def _write_bar(grid: Grid, row: int, spans: Sequence[Span], parts: Sequence[Part], whole: bool, glyphs: Glyphs) -> None:
    """Numbers on a bar, and behind it what has no length: a zero, or that a part is not known."""
    for part, start, end in spans:
        _write_number(grid, row, number(part.value), start, end, _look(part.index, glyphs)[0])
    rest = ["0"] * (not spans and bool(parts)) + ["?"] * (not whole)
    if rest:
        text, end = "+ " * bool(spans) + " + ".join(rest), spans[-1][2] + 1 if spans else 0
        any(grid.write(start, row, text, " ") for start in range(end, end + 4))


def _draw_limits(grid: Grid, found: Stack, rows: int, glyphs: Glyphs, say: Say) -> list[Mark]:
    """Limits across all bars, named beside their lines in the rows above the bars; returns those without room."""
    for _, place in found.marks:
        for row in range(grid.rows):
            grid.put(grid.column(place), row, glyphs.limit_x, QUIET)
    rest = []
    for mark, place in found.marks:
        column, text = grid.column(place), say(mark.label)
        # With a blank to its line, so that no other line comes between the two.
        spots = [(column + 1, f" {text}"), (column - 1 - len(cells(text)), f"{text} ")]
        if not any(grid.write(start, row, words, " ") for row in range(rows) for start, words in spots):
            rest.append(mark)
    return rest


def _legend(bars: Bars, width: int, glyphs: Glyphs, say: Say) -> Drawing:
    items: list[list[Piece]] = []
    for index, segment in enumerate(bars.segments):
        if segment.label:
            glyph, style = _look(index, glyphs)
            items.append([(glyph * 2, style), (f" {shorten(say(segment.label), width - 3, glyphs.more)}", "")])
    return packed(items, width)


def _canvas(bars: Bars, found: Stack, width: int, glyphs: Glyphs, say: Say) -> tuple[Drawing, int]:
    """Names, bars, limits and the axis, and how many parts are too small to be seen."""
    names = [say(name) for name in bars.bars[: len(found.bars)]]
    longest = max(len(cells(name)) for name in names)
    beside = longest <= width // 3
    gutter = longest if beside else 0
    head = min(len(found.marks), MOST_HEAD)
    step = (1 if beside else 2) + (len(names) <= MOST_SPACED)
    first = head + (not beside)
    grid = Grid(width - gutter - 2, first + step * (len(names) - 1) + 1)
    at = {first + step * index: index for index in range(len(names))}
    spans = [_spans(parts, grid) for parts in found.bars]
    for row, index in at.items():
        for part, start, end in spans[index]:
            for column in range(start, end):
                grid.put(column, row, *_look(part.index, glyphs))
    rest = _draw_limits(grid, found, head, glyphs, say)
    for row, index in at.items():
        _write_bar(grid, row, spans[index], found.bars[index], found.whole[index], glyphs)
        if not beside:
            grid.write(0, row - 1, shorten(names[index], grid.columns, glyphs.more), f" {glyphs.limit_x}", "")
    lines: Drawing = []
    for row in range(grid.rows):
        name = names[at[row]] if beside and row in at else ""
        lines.append([(name + " " * (gutter + 1 - len(cells(name))), ""), (glyphs.side, QUIET), *grid.pieces(row)])
    lines += foot(found.scale, grid, gutter, glyphs)
    lines += centred(shorten(say(caption(bars.value)), width, glyphs.more), gutter + 2, grid.columns, width)
    for mark in rest:
        lines.append([(f"{glyphs.limit_x} {shorten(say(mark.label), width - 2, glyphs.more)}", QUIET)])
    return lines, sum(start == end for bar in spans for _, start, end in bar)


def bar_chart(bars: Bars, width: int = WIDTH, *, unicode: bool = True) -> Drawing:
    """Stacked bars as lines of styled text, none wider than ``width`` cells; their title is left to the page.

    Long names stand above their bars. Bars beyond `aiplan.report.stack.MOST_BARS` are left out, which a line below
    says, and so are parts that are not known or too small to be seen.

    Parameters
    ----------
    width : 40 or more
    unicode : False draws and writes in ASCII only
    """
    glyphs, say = glyphs_for(unicode), speaker(unicode)
    found = stack(bars, max(width // CELLS_PER_X_TICK, 3))
    if found is None:
        return [[(EMPTY, QUIET)]]
    lines, unseen = _canvas(bars, found, width, glyphs, say)
    words = [*found.left_out]
    if unseen:
        words.append(f"too small to be seen: {unseen:,d} part{'s' * (unseen > 1)}")
    lines += _legend(bars, width, glyphs, say)
    return lines + [[(line, QUIET)] for text in words for line in wrap(text, width)]
