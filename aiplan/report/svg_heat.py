"""A heat map as SVG: a coloured cell for each value, its number on it where there is room, a colour bar below.

The colours are cividis (Nuñez, Anderton and Renslow 2018), which readers with and without colour blindness see alike
and which grows lighter evenly. They are the same on a light and a dark page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiplan.report.axes import caption
from aiplan.report.model import HeatMap
from aiplan.report.shades import LEVELS, MIDDLE, Shades, room_for, shades
from aiplan.report.svg_page import FONT, LETTER, LONGEST_CAPTION, QUIET, RULE, WIDTH, page_svg, say, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARK, BRIGHT = "#000001", "#ffffff"
"""Colours of numbers on cells: not those of the page, since the cells keep theirs."""
MOST_COLUMNS = 120
LONGEST_NAME = 20
WIDEST_CELL = 64
HEIGHT, LOWEST_CELL, HIGHEST_CELL = 360, 9, 18
SMALL = 8
"""Size of the numbers on cells, and with it the lowest cell that holds one."""
GAP = 0.5
BAR_WIDTH, BAR_HEIGHT, BAR_STEPS = 240, 9, 60


Corners = tuple[tuple[float, float], ...]


def _color(place: float) -> tuple[str, str]:
    """Colour of a cell, and of the number on it: whichever of two has the higher contrast (WCAG 2.2)."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    red, green, blue, _ = colormaps["cividis"](place)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # The two contrasts are equal where (L + 0.05) ** 2 = 1.05 * 0.05.
    return to_hex((red, green, blue)), DARK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else BRIGHT


def _draw_cells(axes: Axes, found: Shades, rows: int, columns: int, size: tuple[float, float]) -> None:
    """Cells as two collections, which are drawn many times faster than shapes one by one, then their numbers."""
    from matplotlib.collections import PolyCollection

    texts = [text for row in found.texts[:rows] for text in row[:columns]]
    widest = max(map(len, texts)) * LETTER * SMALL / FONT
    numbered = widest + 3 * GAP <= size[0] and size[1] > SMALL + 2
    across, down = GAP / size[0], GAP / size[1]
    full: list[tuple[Corners, str]] = []
    blank: list[Corners] = []
    for row in range(rows):
        for column in range(columns):
            left, right, top, bottom = column + across, column + 1 - across, row + down, row + 1 - down
            corners = ((left, top), (right, top), (right, bottom), (left, bottom))
            place = found.places[row][column]
            if place is None:
                blank.append(corners)
                continue
            face, ink = _color(place)
            full.append((corners, face))
            if numbered:
                text = found.texts[row][column]
                axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", color=ink, fontsize=SMALL)
    # Nothing reaches beyond the axes, and to clip would be stated anew for each cell.
    outline = PolyCollection(blank, facecolors="none", edgecolors=RULE, linewidths=0.6, clip_on=False)
    filled = PolyCollection(
        [corners for corners, _ in full], facecolors=[face for _, face in full], linewidths=0, clip_on=False
    )
    for cells in (filled, outline):
        axes.add_collection(cells, autolim=False)


def _draw_bar(figure: Figure, found: Shades, left: float, low: float, whole: float) -> None:
    """The colours from the lowest to the highest value, with those between the levels of the plot in characters."""
    from matplotlib.patches import Rectangle

    single = len(found.edges) == 1
    width = 3 * BAR_HEIGHT if single else BAR_WIDTH
    axes = figure.add_axes((left / WIDTH, low / whole, width / WIDTH, BAR_HEIGHT / whole))
    axes.set_axis_off()
    steps = 1 if single else BAR_STEPS
    for step in range(steps):
        color, _ = _color(MIDDLE if single else step / (steps - 1))
        # Each reaches below the next, so that no seam shows between them.
        reach = min(1.5 / steps, 1 - step / steps)
        axes.add_patch(Rectangle((step / steps, 0), reach, 1, facecolor=color, edgecolor="none", clip_on=False))
    if single:
        axes.text(1 + LETTER / width, 0.5, found.edges[0], va="center_baseline", color=QUIET)
        return
    end = -math.inf
    last = BAR_WIDTH - size_of(found.edges[-1]) / 2
    for step, text in enumerate(found.edges):
        place, half = step / LEVELS * BAR_WIDTH, size_of(text) / 2
        # The highest always has its label, any other only where it touches neither that nor the one before.
        if step == LEVELS or (place - half > end and place + half + LETTER < last):
            axes.text(step / LEVELS, -12 / BAR_HEIGHT, text, ha="center", color=QUIET)
            end = place + half + LETTER


def _draw(figure: Figure, heat: HeatMap, found: Shades, rows: int, columns: int) -> None:
    """Lay out the figure from the sizes of its texts, then draw all of it."""
    names = [say(name, LONGEST_NAME) for name in heat.rows[:rows]]
    heads = [say(name, LONGEST_NAME) for name in heat.columns[:columns]]
    left = 14 + max(map(size_of, names))
    cell = min((WIDTH - left - 4) / columns, WIDEST_CELL)
    high = min(max(HEIGHT / rows, LOWEST_CELL), HIGHEST_CELL)
    width, height = cell * columns, high * rows
    below, above = 84, 22
    whole = below + height + above
    figure.set_size_inches(WIDTH / 72, whole / 72)
    axes = figure.add_axes((left / WIDTH, below / whole, width / WIDTH, height / whole))
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.patch.set_visible(False)
    axes.spines[:].set_visible(False)
    across = range(0, columns, math.ceil((max(map(size_of, heads)) + LETTER) / cell))
    down = range(0, rows, math.ceil(FONT / high))
    axes.set_xticks([index + 0.5 for index in across], [heads[index] for index in across])
    axes.set_yticks([index + 0.5 for index in down], [names[index] for index in down])
    axes.tick_params(colors=QUIET, length=0, pad=5)
    _draw_cells(axes, found, rows, columns, (cell, high))
    figure.text(2 / WIDTH, 1 - 11 / whole, say(caption(heat.y), LONGEST_CAPTION), color=QUIET)
    middle, low = (left + width / 2) / WIDTH, (below - 31) / whole
    figure.text(middle, low, say(caption(heat.x), LONGEST_CAPTION), color=QUIET, ha="center")
    start = max(size_of(found.edges[0]) / 2, 2)
    _draw_bar(figure, found, start, 18, whole)
    figure.text(2 / WIDTH, 31 / whole, say(caption(heat.value), LONGEST_CAPTION), color=QUIET)


def draw_heat_map(heat: HeatMap, title: str, salt: str) -> tuple[str, tuple[str, ...]]:
    """A heat map as an SVG element, empty where no cell has a value, and words on what is not drawn."""
    found = shades(heat)
    if found is None:
        return "", ()
    rows, columns, left_out = room_for(heat, MOST_COLUMNS)
    return page_svg(lambda figure: _draw(figure, heat, found, rows, columns), title, salt), (*found.missing, *left_out)
