"""A picture as SVG to stand inside a page: drawn by matplotlib, coloured by the page, the same bytes every time.

Here are charts; heat maps and bars have files of their own. Ticks and places are those of the plot in characters;
limits are named outside the data, series below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from aiplan.report.axes import Frame, Point, caption, frame, notes_to_show
from aiplan.report.model import Bars, Chart, HeatMap, Picture, Series
from aiplan.report.svg_bars import draw_bars
from aiplan.report.svg_heat import draw_heat_map
from aiplan.report.svg_page import (
    COLORS,
    FONT,
    INK,
    LETTER,
    LIMIT,
    LINE,
    LONGEST_CAPTION,
    LONGEST_LABEL,
    LONGEST_LIMIT,
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

MARKERS = "os^DvPX"
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
HEIGHT = 190
X_TICKS, Y_TICKS = 8, 7
LONGEST_NOTE = 24
MOST_MARKERS = 20
MOST_NOTES = 20


def _stacked(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places moved up so far that each is ``gap`` above the one before."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    return moved


def _draw_axes(axes: Axes, shape: Frame) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([tick.place for tick in shape.x.ticks], [tick.label for tick in shape.x.ticks])
    axes.set_yticks([tick.place for tick in shape.y.ticks], [tick.label for tick in shape.y.ticks])
    axes.tick_params(colors=QUIET, length=3, width=0.8)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.hlines([tick.place for tick in shape.y.ticks], 0, 1, colors=RULE, linewidth=0.6, clip_on=False, zorder=0)
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)


def _draw_limits(axes: Axes, shape: Frame, size: tuple[float, float]) -> None:
    draw_top_limits(axes, shape.marks, size)
    sides = sorted((pair for pair in shape.marks if pair[0].axis == "y"), key=lambda pair: pair[1])
    heights = _stacked([place for _, place in sides], LINE / size[1])
    for (mark, place), height in zip(sides, heights, strict=True):
        axes.hlines(place, 0, 1, **LIMIT)
        text = say(mark.label, LONGEST_LIMIT)
        axes.text(1 + LETTER / size[0], height, text, va="center_baseline", color=QUIET)


def _draw_series(axes: Axes, index: int, series: Series, points: Sequence[Point]) -> None:
    single = series.style == "points"
    axes.plot(
        [point.x for point in points],
        [point.y for point in points],
        color=COLORS[index % len(COLORS)],
        linestyle="none" if single else DASHES[index % len(DASHES)],
        drawstyle="steps-post" if series.style == "steps" else "default",
        marker=MARKERS[index % len(MARKERS)] if single or len(points) <= MOST_MARKERS else "none",
        label=say(series.label, LONGEST_LABEL),
        clip_on=False,
        zorder=(4 if single else 3) - index / 100,  # as in the plot in characters: the first series on top
    )


Box = tuple[float, float, float, float]
"""Left, low, right and high edge in points from the corner of the axes."""


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _along(points: Sequence[Point], style: str) -> Iterator[tuple[float, float]]:
    """Places close together on what joins the points."""
    for start, end in pairwise(points if style != "points" else ()):
        corner = (end.x, start.y if style == "steps" else end.y)
        legs = [((start.x, start.y), corner), (corner, (end.x, end.y))]
        for (x1, y1), (x2, y2) in legs:
            yield from ((x1 + (x2 - x1) * k / 40, y1 + (y2 - y1) * k / 40) for k in range(41))


def _taken(chart: Chart, shape: Frame, size: tuple[float, float]) -> list[Box]:
    """What a name should not cover: points, lines and limits."""

    def around(x: float, y: float, room: float) -> Box:
        return (x * size[0] - room, y * size[1] - room, x * size[0] + room, y * size[1] + room)

    boxes = [around(point.x, point.y, 3) for points in shape.series for point in points]
    for series, points in zip(chart.series, shape.series, strict=True):
        boxes += [around(x, y, 1) for x, y in _along(points, series.style)]
    for mark, place in shape.marks:
        low, high = around(place, 0, 1), around(1, place, 1)
        boxes.append((low[0], 0, low[2], size[1]) if mark.axis == "x" else (0, high[1], size[0], high[3]))
    return boxes


def _note_boxes(x: float, y: float, width: float, most: float) -> list[tuple[str, Box]]:
    """Where a name may stand beside a point, the best place first, with its alignment."""
    spots = [
        ("left", x + 6, y + 3),
        ("right", x - 6, y + 3),
        ("left", x + 6, y - FONT - 3),
        ("right", x - 6, y - FONT - 3),
    ]
    spots += [("center", x, y + rise) for rise in (5, -FONT - 5, 5 + LINE, 5 + 2 * LINE)]
    before = {"left": 0.0, "center": width / 2, "right": width}
    boxes = [(align, (a - before[align], b, a - before[align] + width, b + FONT)) for align, a, b in spots]
    return [(align, box) for align, box in boxes if box[0] >= 0 and box[2] <= most] or boxes[:1]


def _draw_notes(axes: Axes, chart: Chart, shape: Frame, size: tuple[float, float]) -> None:
    """Names of points, each where it covers nothing; the first place where none is free."""
    taken = _taken(chart, shape, size)
    for point in (point for points in shape.series for point in points):
        text = say(point.note, LONGEST_NOTE)
        if not text:
            continue
        boxes = _note_boxes(point.x * size[0], point.y * size[1], size_of(text), size[0])
        align, box = next((one for one in boxes if not any(_touch(one[1], other) for other in taken)), boxes[0])
        taken.append(box)
        anchor = {"left": box[0], "center": (box[0] + box[2]) / 2, "right": box[2]}[align]
        axes.text(anchor / size[0], box[1] / size[1], text, ha=align, color=INK, zorder=5)


def _draw(figure: Figure, chart: Chart, shape: Frame) -> None:
    """Lay out the figure from the sizes of its texts, then draw all of it."""
    names = [say(series.label, LONGEST_LABEL) for series in chart.series]
    columns, legend = legend_size(names)
    below = 36 + legend
    left = 14 + max(size_of(tick.label) for tick in shape.y.ticks)
    limits = [size_of(say(mark.label, LONGEST_LIMIT)) for mark, _ in shape.marks if mark.axis == "y"]
    width = WIDTH - left - max([12, *(limit + 10 for limit in limits)])
    above = 20 + room_above(shape.marks, width)
    whole = below + HEIGHT + above
    figure.set_size_inches(WIDTH / 72, whole / 72)
    axes = figure.add_axes((left / WIDTH, below / whole, width / WIDTH, HEIGHT / whole))
    _draw_axes(axes, shape)
    _draw_limits(axes, shape, (width, HEIGHT))
    for index, (series, points) in enumerate(zip(chart.series, shape.series, strict=True)):
        _draw_series(axes, index, series, points)
    if notes_to_show(shape.series, MOST_NOTES):
        _draw_notes(axes, chart, shape, (width, HEIGHT))
    figure.text(2 / WIDTH, 1 - 11 / whole, say(caption(chart.y), LONGEST_CAPTION), color=QUIET)
    middle, low = (left + width / 2) / WIDTH, (below - 31) / whole
    figure.text(middle, low, say(caption(chart.x), LONGEST_CAPTION), color=QUIET, ha="center")
    draw_legend(figure, axes.lines[: len(names)], names, columns)


def render_svg(picture: Picture, salt: str = "") -> tuple[str, tuple[str, ...]]:
    """A picture as an SVG element, and words on what it leaves out.

    Parameters
    ----------
    salt : part of the names inside the drawing; two pictures of a page need different ones

    The first text is empty where there is nothing to draw. Without the page's style sheet the colours are those of
    a light page.
    """
    title = picture.title or picture.id
    if isinstance(picture, HeatMap):
        return draw_heat_map(picture, title, salt)
    if isinstance(picture, Bars):
        return draw_bars(picture, title, salt)
    shape = frame(picture, X_TICKS, Y_TICKS)
    if shape is None:
        return "", ()
    return page_svg(lambda figure: _draw(figure, picture, shape), title, salt), (shape.left_out,) * bool(shape.left_out)
