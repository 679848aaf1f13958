"""The terminal format: the first screen a newcomer sees. rich is imported only when something is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aiplan.report import view
from aiplan.report.canvas import WIDTH
from aiplan.report.check import require_numbers
from aiplan.report.find import find_table
from aiplan.report.formats import FORMATS
from aiplan.report.layout import DECORATION, READABLE, Column, Page
from aiplan.report.model import Line, Picture, Report, Table
from aiplan.report.pictures import draw
from aiplan.report.terminal import Terminal

GRADE_STYLES = {
    "measured": "green",
    "datasheet": "green",
    "paper": "cyan",
    "vendor_claim": "yellow",
    "estimate": "yellow",
    "assumption": "magenta",
}
BAR_CELLS = 15
BAR_MAX_RATIO = 100.0


def _log_ratios(line: Line) -> list[float] | None:
    """Quantiles over the median on a log scale; None where that means nothing."""
    quantiles = (line.p5, line.p25, line.p50, line.p75, line.p95)
    positive = [value for value in quantiles if value is not None and value > 0]
    if len(positive) < len(quantiles):
        return None
    limit = math.log(BAR_MAX_RATIO)
    return [min(max(math.log(value / positive[2]), -limit), limit) for value in positive]


def spread_bars(lines: Sequence[Line], *, unicode: bool) -> list[str]:
    """One box plot per line on a shared log scale with all medians in one place; empty texts where none fits.

    Thin from p5 to p95, thick from p25 to p75: lines of any unit can be compared in how uncertain they are.
    """
    ratios = [_log_ratios(line) for line in lines]
    known = [ratio for ratio in ratios if ratio is not None]
    low = min((ratio[0] for ratio in known), default=0.0)
    high = max((ratio[-1] for ratio in known), default=0.0)
    if high - low < 0.01:
        return [""] * len(lines)
    thin, thick, middle = ("─", "━", "┿") if unicode else ("-", "=", "|")
    bars = []
    for ratio in ratios:
        if ratio is None:
            bars.append("")
            continue
        p5, p25, p50, p75, p95 = (round((x - low) / (high - low) * (BAR_CELLS - 1)) for x in ratio)
        cells = [" "] * BAR_CELLS
        cells[p5 : p95 + 1] = thin * (p95 + 1 - p5)
        cells[p25 : p75 + 1] = thick * (p75 + 1 - p25)
        cells[p50] = middle
        bars.append("".join(cells))
    return bars


def _line_columns(report: Report, page: Page) -> list[Column]:
    lines = report.lines
    pad = any(view.is_assumed(line) for line in lines)
    columns = [
        Column("", [line.label for line in lines]),
        Column("value", [view.line_value(line, pad=pad) for line in lines], right=True, style="bold"),
        Column("unit", [line.unit or "" for line in lines]),
    ]
    if any(line.sampled for line in lines):
        for rank, (head, low, high) in ((1, view.MIDDLE), (3, view.WIDE)):
            cells = view.intervals(lines, low, high, page.dash)
            columns.append(Column(head, cells, f"{low} {page.dash} {high}", right=True, rank=rank))
        bars = spread_bars(lines, unicode=page.unicode)
        if any(bars):
            columns.append(Column("spread", bars, "log scale", rank=DECORATION, style="cyan"))
    styles = [GRADE_STYLES.get(line.grade, "") for line in lines]
    grades = [view.grade_words(line.grade) for line in lines]
    columns.append(Column("grade", grades, rank=2, cell_styles=styles))
    return columns


def _draw_table(page: Page, table: Table) -> None:
    page.paragraph((table.title or table.id, "bold"), (f" ({table.id})", "dim"))
    if not table.rows:
        page.paragraph(("no rows", "dim"))
        return
    columns = []
    for index, column in enumerate(table.columns):
        numeric = view.is_numeric(table, index)
        cells = view.table_cells(table, index, align=True)
        # The first column names the rows; of the others the last is the first to go, unless it is to be kept.
        rank = 0 if column.keep else index
        columns.append(Column(column.label or column.id, cells, column.unit or "", right=numeric, rank=rank))
    dropped = page.table(columns)
    if dropped:
        names = ", ".join(column.head for column in dropped)
        more = f"no room for {len(dropped)} more column{'s' if len(dropped) > 1 else ''}: {names}"
        page.paragraph((f"{more} (--table {table.id} --format csv has all)", "dim"))


def _draw_picture(page: Page, picture: Picture) -> None:
    page.paragraph((picture.title or picture.id, "bold"))
    width = WIDTH if page.width is None else min(page.width, READABLE)
    page.drawing(draw(picture, width, unicode=page.unicode))
    if picture.table:
        page.paragraph((f"its numbers: --table {picture.table}", "dim"))


def _draw_lines(page: Page, report: Report) -> None:
    if not report.lines:
        return
    page.blank()
    dropped = [column for column in page.table(_line_columns(report, page)) if column.rank < DECORATION]
    if dropped:
        names = ", ".join(f"{column.head} ({column.sub})" if column.sub else column.head for column in dropped)
        page.paragraph((f"a wider terminal also shows: {names}", "dim"))


def _draw_footnote(page: Page, note: str) -> None:
    if note:
        page.blank()
        page.paragraph((note, "dim"), lead=(view.MARK, "magenta"), hang=2)


def _draw_notes(page: Page, report: Report) -> None:
    """Footnote, warnings and what is left out: needed to use the numbers, so never dropped."""
    _draw_footnote(page, view.footnote(report))
    if report.warnings:
        page.blank()
        page.paragraph(("Warnings", "bold yellow"))
        for warning in report.warnings:
            tag = ", ".join(part for part in (warning.code, warning.path) if part)
            page.paragraph(warning.message, (f" ({tag})", "dim"), lead=("!", "yellow"), hang=2)
    if report.not_modelled:
        page.blank()
        page.paragraph(("Not modelled", "bold"))
        for item in report.not_modelled:
            page.paragraph(item, lead=(page.dot, "dim"), hang=2)


def _draw_closing(page: Page, report: Report) -> None:
    page.blank()
    page.items(view.counts(report))
    if not page.is_terminal:
        return
    page.blank()
    hints = []
    if report.lines and report.inputs:
        hints.append((f"--explain {report.lines[0].id}", "where a number comes from"))
    hidden = [table.id for table in report.tables if not table.shown]
    if hidden:
        hints.append((f"--table {'|'.join(hidden)}", "more detail"))
    hints.append((f"--format {'|'.join(name for name in FORMATS if name != 'table')}", "other formats"))
    for option, meaning in hints:
        page.paragraph(f"{meaning}: {option}", lead=(page.dot, "dim"), hang=2)


def _draw_sources(page: Page, report: Report) -> None:
    """Where the headline's number comes from, by title."""
    first = report.lines[0].sources if report.lines else ()
    titles = list(dict.fromkeys(report.sources.get(source, source) for source in first))
    if titles:
        page.blank()
        page.paragraph((f"Sources of {report.lines[0].id}", "bold"))
        for title in titles:
            page.paragraph(title, lead=(page.dot, "dim"), hang=2)


def render_table(
    report: Report,
    *,
    table: str | None = None,
    is_terminal: bool = False,
    width: int | None = None,
    color: bool = False,
    encoding: str = "utf-8",
) -> str:
    """The report as text for a terminal or a text file, possibly with ANSI colours.

    Parameters
    ----------
    table : print this table only
    is_terminal : keep to ``width`` (80 when None): drop the least important columns, wrap labels, never cut a
        number. Otherwise as wide as the content and the same on every machine.
    color : with ANSI styles
    encoding : anything but UTF-8 gives plain ASCII

    Raises InputError when there is no such table and ValueError for a number that is NaN or infinite.
    """
    require_numbers(report)
    page = Page(Terminal(is_terminal, width, color, encoding))
    if table is not None:
        wanted = find_table(report, table)
        _draw_table(page, wanted)
        _draw_footnote(page, view.ASSUMED if wanted.assumed else "")
        return page.text()
    page.paragraph((report.title, "bold cyan"))
    if report.headline:
        page.paragraph((report.headline, "bold"))
    pairs = view.context(report)
    if pairs:
        page.blank()
        page.pairs(pairs)
    _draw_lines(page, report)
    for picture in report.charts:
        page.blank()
        _draw_picture(page, picture)
    for shown in report.tables:
        if shown.shown:
            page.blank()
            _draw_table(page, shown)
    _draw_notes(page, report)
    _draw_sources(page, report)
    _draw_closing(page, report)
    return page.text()
