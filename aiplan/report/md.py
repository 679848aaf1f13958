"""Markdown for pull requests: the same words and rounding as the screen, every text shown literally."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiplan.report import numbers, view
from aiplan.report.canvas import plain
from aiplan.report.check import require_numbers
from aiplan.report.find import find_table
from aiplan.report.model import Picture, Report, Table
from aiplan.report.pictures import draw
from aiplan.report.sanitize import markdown_cell, markdown_text

DASH = "–"


def pipe_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """A pipe table whose raw text is aligned too; all cells are escaped here."""
    body = [[markdown_cell(text).strip() for text in row] for row in rows]
    head = [markdown_cell(text) for text in heads]
    widths = [max(3, len(name), *(len(row[i]) for row in body)) for i, name in enumerate(head)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            f"{text:>{width}}" if to_right else f"{text:<{width}}"
            for text, width, to_right in zip(cells, widths, right, strict=True)
        ]
        return "| " + " | ".join(padded) + " |"

    ends = [":" if to_right else "-" for to_right in right]
    dashes = ["-" * (width - 1) + end for width, end in zip(widths, ends, strict=True)]
    return "\n".join([line(head), "| " + " | ".join(dashes) + " |", *map(line, body)])


def _lines(report: Report) -> str:
    sampled = any(line.sampled for line in report.lines)
    heads, right = ["line", "value", "unit"], [False, True, False]
    if sampled:
        heads += [f"{name} ({low} {DASH} {high})" for name, low, high in (view.MIDDLE, view.WIDE)]
        right += [True, True]
    rows = []
    for line in report.lines:
        row = [line.label, view.line_value(line, pad=False), line.unit or ""]
        if sampled:
            for _, low, high in (view.MIDDLE, view.WIDE):
                ends = (getattr(line, low), getattr(line, high))
                row.append(numbers.interval(*ends, dash=DASH) if line.sampled else "")
        rows.append([*row, view.grade_words(line.grade), ", ".join(line.sources)])
    return pipe_table([*heads, "grade", "sources"], rows, [*right, False, False])


def _table(table: Table) -> str:
    heads = [f"{c.label or c.id} ({c.unit})" if c.unit else c.label or c.id for c in table.columns]
    columns = [view.table_cells(table, index, align=False) for index in range(len(table.columns))]
    right = [view.is_numeric(table, index) for index in range(len(table.columns))]
    rows = list(zip(*columns, strict=True))
    return f"## {markdown_text(table.title or table.id)}\n\n{pipe_table(heads, rows, right)}"


def _picture(picture: Picture) -> str:
    """The picture of the screen, fenced by more backticks than any text in it has in a row."""
    drawing = plain(draw(picture))
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", drawing)), 0)
    return f"## {markdown_text(picture.title or picture.id)}\n\n{fence}text\n{drawing}\n{fence}"


def _bullets(title: str, items: Sequence[str]) -> list[str]:
    """A section with one bullet per item, nothing when there is none; items are Markdown already."""
    return [f"## {title}\n\n" + "\n".join(f"- {item}" for item in items)] if items else []


def _warnings(report: Report) -> list[str]:
    items = []
    for warning in report.warnings:
        where = f" ({markdown_cell(warning.path)})" if warning.path else ""
        items.append(f"**{markdown_cell(warning.code)}** {markdown_cell(warning.message)}{where}")
    return items


def render_md(report: Report, *, table: str | None = None) -> str:
    """The report as GitHub-flavoured Markdown, or one of its tables.

    Raises InputError when there is no such table and ValueError for a number that is NaN or infinite.
    """
    require_numbers(report)
    if table is not None:
        wanted = find_table(report, table)
        note = "\n" + markdown_cell(f"{view.MARK} {view.ASSUMED}") + "\n" if wanted.assumed else ""
        return _table(wanted) + "\n" + note
    blocks = [f"# {markdown_text(report.title)}"]
    if report.headline:
        blocks.append(f"**{markdown_text(report.headline)}**")
    pairs = view.context(report)
    if pairs:
        blocks.append("\n".join(f"- {markdown_text(label)}: {markdown_cell(text)}" for label, text in pairs))
    if report.lines:
        blocks.append(_lines(report))
    note = view.footnote(report)
    if note:
        blocks.append(markdown_cell(f"{view.MARK} {note}"))
    blocks += [_picture(picture) for picture in report.charts]
    blocks += [_table(shown) for shown in report.tables if shown.shown]
    blocks += _bullets("Warnings", _warnings(report))
    blocks += _bullets("Not modelled", [markdown_text(item) for item in report.not_modelled])
    titles = [f"{markdown_text(name)}: {markdown_cell(title)}" for name, title in report.sources.items()]
    blocks += _bullets("Sources", titles)
    blocks.append(markdown_text(", ".join(view.counts(report))))
    return "\n\n".join(blocks) + "\n"
