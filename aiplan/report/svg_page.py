"""What drawings in SVG share: colours that the page may change, sizes, names of limits, and the way out of matplotlib.

matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aiplan.report.canvas import cells, shorten
from aiplan.report.model import Mark
from aiplan.report.sanitize import clean_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The palette of Okabe and Ito (2008), made for colour-blind readers, less its yellow, which is faint on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666")
INK, QUIET, RULE = "#1b1f24", "#57606a", "#d0d7de"
ROLES = {INK: "ink", QUIET: "quiet", RULE: "rule"} | {color: f"series-{n}" for n, color in enumerate(COLORS, 1)}
"""Which variable of the page's style sheet takes the place of which colour."""

# Sizes in points, which are the units of the drawing.
WIDTH = 540
FONT, LINE, LETTER = 9, 13, 5.4
LONGEST_LIMIT, LONGEST_LABEL, LONGEST_CAPTION = 24, 60, 80

LIMIT: Any = {"colors": QUIET, "linestyles": [(0, (4, 3))], "linewidth": 1.0, "clip_on": False}
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the font of the page
    "text.parse_math": False,
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
}


def say(text: str, room: int) -> str:
    return shorten(clean_line(text).strip(), room)


def size_of(text: str) -> float:
    """Width of a text in points, rather too much than too little."""
    return len(cells(text)) * LETTER


def top_labels(marks: Sequence[tuple[Mark, float]], width: float) -> list[tuple[float, float, int, str]]:
    """Limits along x with the place of their name and the line above the axes that it stands in."""
    ends: list[float] = []
    found = []
    for mark, place in sorted((pair for pair in marks if pair[0].axis == "x"), key=lambda pair: pair[1]):
        text = say(mark.label, LONGEST_LIMIT)
        half = size_of(text) / width / 2
        centre = min(max(place, half), 1 - half)
        level = next((n for n, end in enumerate(ends) if centre - half > end), len(ends))
        ends[level : level + 1] = [centre + half + LETTER / width]
        found.append((place, centre, level, text))
    return found


def draw_top_limits(axes: Axes, marks: Sequence[tuple[Mark, float]], size: tuple[float, float]) -> None:
    """Limits along x as broken lines, their names above the axes, which are from 0 to 1 each way."""
    for place, centre, level, text in top_labels(marks, size[0]):
        axes.vlines(place, 0, 1, **LIMIT)
        axes.text(centre, 1 + (4 + level * LINE) / size[1], text, ha="center", color=QUIET)


def room_above(marks: Sequence[tuple[Mark, float]], width: float) -> float:
    """Height of the names of limits above the axes."""
    return LINE * max((level + 1 for _, _, level, _ in top_labels(marks, width)), default=0)


def legend_size(names: Sequence[str]) -> tuple[int, float]:
    """Columns of a legend and its height; empty names have no place in it."""
    columns = max(1, int(WIDTH // (max(map(size_of, names)) + 40)))
    return columns, (LINE * math.ceil(sum(map(bool, names)) / columns) + 4 if any(names) else 0)


def draw_legend(figure: Figure, handles: Sequence[Any], names: Sequence[str], columns: int) -> None:
    """The legend at the foot of the drawing, nothing where no name is."""
    pairs = [(handle, name) for handle, name in zip(handles, names, strict=True) if name]
    if pairs:
        figure.legend(*zip(*pairs, strict=True), loc="lower left", bbox_to_anchor=(0, 0), ncols=columns,
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


def page_svg(draw: Callable[[Figure], None], title: str, salt: str) -> str:
    """What ``draw`` puts on a figure as an SVG element, the same bytes whatever the user's own settings are.

    Parameters
    ----------
    title : for readers who do not see the drawing
    salt : part of the names inside the drawing; two drawings of a page need different ones
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | {"svg.hashsalt": f"aiplan{salt}"})
        # The font that texts are measured with lacks some letters; the reader's has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure()
        FigureCanvasSVG(figure)
        draw(figure)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata=nothing, transparent=True)
    return _for_page(out.getvalue(), clean_line(title))
