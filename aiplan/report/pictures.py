"""A picture in characters, whichever kind it is."""

from __future__ import annotations

from aiplan.report.bars import bar_chart
from aiplan.report.canvas import WIDTH, Drawing
from aiplan.report.heat import heat_map
from aiplan.report.model import Bars, HeatMap, Picture
from aiplan.report.plot import plot


def draw(picture: Picture, width: int = WIDTH, *, unicode: bool = True) -> Drawing:
    """A picture as lines of styled text, none wider than ``width`` cells; its title is left to the page.

    Parameters
    ----------
    width : 40 or more
    unicode : False draws and writes in ASCII only
    """
    if isinstance(picture, HeatMap):
        return heat_map(picture, width, unicode=unicode)
    if isinstance(picture, Bars):
        return bar_chart(picture, width, unicode=unicode)
    return plot(picture, width, unicode=unicode)
