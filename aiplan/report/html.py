"""One self-contained page: no script, nothing fetched, light and dark, fit to print.

The template escapes every text; jinja2 is imported only when a page is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from aiplan.report import heat, numbers, plot, view
from aiplan.report.check import require_numbers
from aiplan.report.find import find_table
from aiplan.report.model import Chart, HeatMap, Line, Picture, Report, Table
from aiplan.report.sanitize import clean_line

if TYPE_CHECKING:
    from jinja2 import Environment

DASH = "–"
TEMPLATE = "page.html.jinja"
DENSE = 12
"""A heat map with more columns than these scrolls on a narrow screen rather than shrink."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the report as the page shows it; ``sources`` by their number in the list at its end."""

    line: Line
    value: str
    ranges: tuple[str, ...]
    grade: str
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table as the page shows it; ``right`` says of each column whether it holds numbers."""

    table: Table
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture with its drawing, empty where there is nothing to draw, and words on what is not drawn.

    ``linked`` where its table is on the page; ``dense`` where it is not to shrink as far as others, so that numbers
    in many columns stay legible.
    """

    chart: Picture
    svg: str
    left_out: tuple[str, ...]
    linked: bool
    dense: bool
    empty: str


def _sources(report: Report) -> dict[str, str]:
    """Titles of all sources by id, those last that have none: lines of the scenario."""
    cited = dict.fromkeys((source for line in report.lines for source in line.sources), "")
    return report.sources | {source: "" for source in cited if source not in report.sources}


def _row(line: Line, numbered: dict[str, int]) -> _Row:
    ends = [(getattr(line, low), getattr(line, high)) for _, low, high in (view.MIDDLE, view.WIDE)]
    ranges = tuple(numbers.interval(*pair, dash=DASH) if line.sampled else "" for pair in ends)
    cited = tuple(sorted(numbered[source] for source in line.sources))
    return _Row(line, view.line_value(line, pad=False), ranges, view.grade_words(line.grade), cited)


def _grid(table: Table) -> _Grid:
    indices = range(len(table.columns))
    columns = [view.table_cells(table, index, align=False) for index in indices]
    rows = tuple(zip(*columns, strict=True))
    return _Grid(table, rows, tuple(view.is_numeric(table, index) for index in indices))


def _pictures(report: Report, tables: Sequence[Table]) -> list[_Picture]:
    if not report.charts:
        return []
    from markupsafe import Markup

    from aiplan.report.svg import render_svg

    pictures = []
    for index, chart in enumerate(report.charts):
        svg, left_out = render_svg(chart, str(index))
        linked = any(table.id == chart.table for table in tables)
        dense = isinstance(chart, HeatMap) and len(chart.columns) > DENSE
        empty = plot.EMPTY if isinstance(chart, Chart) else heat.EMPTY
        drawing = Markup(svg)  # noqa: S704 (escaped by matplotlib)
        pictures.append(_Picture(chart, drawing, left_out, linked, dense, empty))
    return pictures


@cache
def _environment() -> Environment:
    """Templates beside this file; every text they print is made safe for the eye here and for HTML by escaping."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def safe(value: object) -> object:
        return clean_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=safe,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render_html(report: Report, *, table: str | None = None) -> str:
    """The report, or one of its tables, as a page that stands alone.

    Raises InputError when there is no such table and ValueError for a number that is NaN or infinite.
    """
    require_numbers(report)
    shown = [one for one in report.tables if one.shown] if table is None else [find_table(report, table)]
    content: dict[str, object] = {"report": report, "grids": [_grid(one) for one in shown], "pictures": []}
    content["alone"] = table is not None
    if table is None:
        sources = _sources(report)
        numbered = {source: number for number, source in enumerate(sources, 1)}
        content |= {
            "context": view.context(report),
            "sources": sources,
            "rows": [_row(line, numbered) for line in report.lines],
            "ranges": (view.MIDDLE, view.WIDE) if any(line.sampled for line in report.lines) else (),
            "pictures": _pictures(report, shown),
            "footnote": view.footnote(report),
            "counts": view.counts(report),
        }
    return _environment().get_template(TEMPLATE).render(content, dash=DASH, mark=view.MARK, assumed=view.ASSUMED)
