"""A chart as SVG to stand inside a page: drawn by matplotlib, coloured by the page, the same bytes every time.

Ticks and places are those of the plot in characters; limits are named outside the data, series below it. matplotlib
is imported only when a chart is drawn.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from aiplan.report.axes import Frame, Point, caption, frame, notes_to_show
from aiplan.report.model import Chart, Series
from aiplan.report.plot import cells, shorten
from aiplan.report.sanitize import clean_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The palette of Okabe and Ito (2008), made for colour-blind readers, less its yellow, which is faint on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666")
MARKERS = "os^DvPX"
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
INK, QUIET, RULE = "#1b1f24", "#57606a", "#d0d7de"
ROLES = {INK: "ink", QUIET: "quiet", RULE: "rule"} | {color: f"series-{n}" for n, color in enumerate(COLORS, 1)}
"""Which variable of the page's style sheet takes the place of which colour."""

# Sizes in points, which are the units of the drawing.
WIDTH, HEIGHT = 540, 190
FONT, LINE, LETTER = 9, 13, 5.4
X_TICKS, Y_TICKS = 8, 7
LONGEST_LIMIT, LONGEST_LABEL, LONGEST_CAPTION, LONGEST_NOTE = 24, 60, 80, 24
MOST_MARKERS = 20
MOST_NOTES = 20

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the font of the page
    "text.parse_math": False,
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
}


def _say(text: str, room: int) -> str:
    return shorten(clean_line(text).strip(), room)


def _size(text: str) -> float:
    """Width of a text in points, rather too much than too little."""
    return len(cells(text)) * LETTER


def _stacked(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places moved up so far that each is ``gap`` above the one before."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    return moved


def _top_labels(shape: Frame, width: float) -> list[tuple[float, float, int, str]]:
    """Limits along x with the place of their name and the line above the axes that it stands in."""
    ends: list[float] = []
    found = []
    for mark, place in sorted((pair for pair in shape.marks if pair[0].axis == "x"), key=lambda pair: pair[1]):
        text = _say(mark.label, LONGEST_LIMIT)
        half = _size(text) / width / 2
        centre = min(max(place, half), 1 - half)
        level = next((n for n, end in enumerate(ends) if centre - half > end), len(ends))
        ends[level : level + 1] = [centre + half + LETTER / width]
        found.append((place, centre, level, text))
    return found


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
    style: dict[str, Any] = {"colors": QUIET, "linestyles": [(0, (4, 3))], "linewidth": 1.0, "clip_on": False}
    for place, centre, level, text in _top_labels(shape, size[0]):
        axes.vlines(place, 0, 1, **style)
        axes.text(centre, 1 + (4 + level * LINE) / size[1], text, ha="center", color=QUIET)
    sides = sorted((pair for pair in shape.marks if pair[0].axis == "y"), key=lambda pair: pair[1])
    heights = _stacked([place for _, place in sides], LINE / size[1])
    for (mark, place), height in zip(sides, heights, strict=True):
        axes.hlines(place, 0, 1, **style)
        text = _say(mark.label, LONGEST_LIMIT)
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
        label=_say(series.label, LONGEST_LABEL),
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
        text = _say(point.note, LONGEST_NOTE)
        if not text:
            continue
        boxes = _note_boxes(point.x * size[0], point.y * size[1], _size(text), size[0])
        align, box = next((one for one in boxes if not any(_touch(one[1], other) for other in taken)), boxes[0])
        taken.append(box)
        anchor = {"left": box[0], "center": (box[0] + box[2]) / 2, "right": box[2]}[align]
        axes.text(anchor / size[0], box[1] / size[1], text, ha=align, color=INK, zorder=5)


def _draw(figure: Figure, chart: Chart, shape: Frame) -> None:
    """Lay out the figure from the sizes of its texts, then draw all of it."""
    names = [_say(series.label, LONGEST_LABEL) for series in chart.series]
    columns = max(1, int(WIDTH // (max(map(_size, names)) + 40)))
    below = 36 + (LINE * math.ceil(sum(map(bool, names)) / columns) + 4 if any(names) else 0)
    left = 14 + max(_size(tick.label) for tick in shape.y.ticks)
    limits = [_size(_say(mark.label, LONGEST_LIMIT)) for mark, _ in shape.marks if mark.axis == "y"]
    width = WIDTH - left - max([12, *(limit + 10 for limit in limits)])
    above = 20 + LINE * max((level + 1 for _, _, level, _ in _top_labels(shape, width)), default=0)
    whole = below + HEIGHT + above
    figure.set_size_inches(WIDTH / 72, whole / 72)
    axes = figure.add_axes((left / WIDTH, below / whole, width / WIDTH, HEIGHT / whole))
    _draw_axes(axes, shape)
    _draw_limits(axes, shape, (width, HEIGHT))
    for index, (series, points) in enumerate(zip(chart.series, shape.series, strict=True)):
        _draw_series(axes, index, series, points)
    if notes_to_show(shape.series, MOST_NOTES):
        _draw_notes(axes, chart, shape, (width, HEIGHT))
    figure.text(2 / WIDTH, 1 - 11 / whole, _say(caption(chart.y), LONGEST_CAPTION), color=QUIET)
    middle, low = (left + width / 2) / WIDTH, (below - 31) / whole
    figure.text(middle, low, _say(caption(chart.x), LONGEST_CAPTION), color=QUIET, ha="center")
    if any(names):
        handles = [line for line, name in zip(axes.lines, names, strict=True) if name]
        figure.legend(handles, [name for name in names if name], loc="lower left", bbox_to_anchor=(0, 0), ncols=columns,
                      frameon=False, borderpad=0, borderaxespad=0.2, handlelength=3, columnspacing=2)  # fmt: skip


def _for_page(svg: str, title: str) -> str:
    """The drawing alone: no prolog, size or unused name, and the page's colours in place of fixed ones."""
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', svg))

    def tag(found: re.Match[str]) -> str:
        text = re.sub(r' id="([^"]*)"', lambda name: name[0] if name[1] in used else "", found[0])
        return re.sub("|".join(ROLES), lambda color: f"var(--{ROLES[color[0]]}, {color[0]})", text)

    # What describes the file, and a style for every element of the page, which the page's own sheet states instead.
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", tag, svg)  # tags only: matplotlib writes < and > of a text as entities
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    head = re.sub(r' (?:width|height)="[^"]*"', "", svg[: svg.index(">")])
    return f'{head} role="img" aria-label="{label}"{svg[svg.index(">") :]}'.strip()


def render_svg(chart: Chart, salt: str = "") -> tuple[str, str]:
    """A chart as an SVG element, and words on what it leaves out.

    Parameters
    ----------
    salt : part of the names inside the drawing; two charts of a page need different ones

    The first text is empty where there is no point to draw. Without the page's style sheet the colours are those of
    a light page.
    """
    shape = frame(chart, X_TICKS, Y_TICKS)
    if shape is None:
        return "", ""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever the user's own settings are
        matplotlib.rcParams.update(_STYLE | {"svg.hashsalt": f"aiplan{salt}"})
        # The font that texts are measured with lacks some letters; the reader's has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure()
        FigureCanvasSVG(figure)
        _draw(figure, chart, shape)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata=nothing, transparent=True)
    return _for_page(out.getvalue(), clean_line(chart.title or chart.id)), shape.left_out
