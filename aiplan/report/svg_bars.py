"""Stacked bars as SVG: parts in tints with a firm edge, named and numbered on themselves where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from aiplan.report.axes import caption
from aiplan.report.model import Bars
from aiplan.report.numbers import number
from aiplan.report.stack import Part, Stack, stack
from aiplan.report.svg_page import (
    COLORS,
    INK,
    LETTER,
    LONGEST_CAPTION,
    LONGEST_LABEL,
    QUIET,
    RULE,
    WIDTH,
    draw_legend,
    draw_top_limits,
    legend_size,
    page_svg,
    room_above,
    say,
    size_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

X_TICKS = 8
LONGEST_NAME = 28
THICK, PITCH = 18, 26
TINT, TINT_AGAIN = 0.35, 0.12
"""How strong the colour of a part is, so that words on it are read on a light and a dark page; less from the second
time on that a colour is used."""


def _fill(index: int) -> tuple[str, float]:
    return COLORS[index % len(COLORS)], TINT if index < len(COLORS) else TINT_AGAIN


def _widest(part: Part, limits: Sequence[float]) -> tuple[float, float]:
    """The widest piece of a part that no limit crosses: a number on it must not be struck through."""
    inside = sorted(limit for limit in limits if part.start < limit < part.end)
    ends = [part.start, *inside, part.end]
    return max(pairwise(ends), key=lambda piece: piece[1] - piece[0])


def _draw_bar(axes: Axes, found: Stack, index: int, names: list[str], size: tuple[float, float]) -> None:
    """One bar, numbers on its parts; a name is written where it first has room, and then taken off ``names``."""
    from matplotlib.patches import Rectangle

    limits = [place for _, place in found.marks]
    thick = THICK / size[1]
    middle = 1 - (index + 0.5) * PITCH / size[1]
    for part in (part for part in found.bars[index] if part.value):
        color, tint = _fill(part.index)
        corner, length = (part.start, middle - thick / 2), part.end - part.start
        axes.add_patch(
            Rectangle(corner, length, thick, facecolor=(color, tint), edgecolor=color, linewidth=1.1, clip_on=False)
        )
        low, high = _widest(part, limits)
        value, name = number(part.value), names[part.index]
        fitting = [text for text in (f"{name} {value}", value) if size_of(text) + LETTER <= (high - low) * size[0]]
        if fitting:
            axes.text((low + high) / 2, middle, fitting[0], ha="center", va="center_baseline", color=INK, zorder=5)
            names[part.index] = name if fitting[0] == value else ""
    end = found.bars[index][-1].end if found.bars[index] else 0.0
    rest = ["0"] * (bool(found.bars[index]) and not end) + ["?"] * (not found.whole[index])
    text = "+ " * bool(end) + " + ".join(rest)
    axes.text(end + LETTER / size[0], middle, text if rest else "", va="center_baseline", color=QUIET, zorder=5)


def _draw_axes(axes: Axes, found: Stack) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    ticks = found.scale.ticks
    axes.set_xticks([tick.place for tick in ticks], [tick.label for tick in ticks])
    axes.tick_params(colors=QUIET, length=3, width=0.8)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.vlines([tick.place for tick in ticks], 0, 1, colors=RULE, linewidth=0.6, clip_on=False, zorder=0)
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)


def _draw(figure: Figure, bars: Bars, found: Stack) -> None:
    """Lay out the figure from the sizes of its texts, then draw all of it."""
    from matplotlib.patches import Patch

    count = len(found.bars)
    names = [say(name, LONGEST_NAME) for name in bars.bars[:count]]
    labels = [say(segment.label, LONGEST_LABEL) for segment in bars.segments]
    columns, legend = legend_size(labels)
    left = 14 + max(map(size_of, names))
    width, height = WIDTH - left - 30, float(PITCH * count)
    below, above = 36 + legend, 8 + room_above(found.marks, width)
    whole = below + height + above
    figure.set_size_inches(WIDTH / 72, whole / 72)
    axes = figure.add_axes((left / WIDTH, below / whole, width / WIDTH, height / whole))
    _draw_axes(axes, found)
    axes.set_yticks([1 - (index + 0.5) / count for index in range(count)], names)
    draw_top_limits(axes, found.marks, (width, height))
    waiting = list(labels)
    for index in range(count):
        _draw_bar(axes, found, index, waiting, (width, height))
    middle, low = (left + width / 2) / WIDTH, (below - 31) / whole
    figure.text(middle, low, say(caption(bars.value), LONGEST_CAPTION), color=QUIET, ha="center")
    fills = [_fill(index) for index in range(len(labels))]
    draw_legend(figure, [Patch(facecolor=fill, edgecolor=fill[0]) for fill in fills], labels, columns)


def draw_bars(bars: Bars, title: str, salt: str) -> tuple[str, tuple[str, ...]]:
    """Bars as an SVG element, empty where none has a value, and words on what is not drawn."""
    found = stack(bars, X_TICKS)
    if found is None:
        return "", ()
    return page_svg(lambda figure: _draw(figure, bars, found), title, salt), found.left_out
