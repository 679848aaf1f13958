"""Words and cells that the formats for people share, so that a screen and its export say the same."""

from __future__ import annotations

from collections import Counter

from aiplan.report import numbers
from aiplan.report.model import GRADES, Cell, Line, Report, Table

MARK = "*"
ASSUMED = "rests on an assumption"
MIDDLE = ("middle half", "p25", "p75")
WIDE = ("9 in 10", "p5", "p95")
MAX_PATHS = 4


def grade_words(grade: str) -> str:
    """A grade as people read it: ``vendor_claim`` is "vendor claim"."""
    return grade.replace("_", " ")


def is_assumed(line: Line) -> bool:
    """Whether the line shows a value that rests on an assumption and is marked so."""
    return line.grade == GRADES[-1] and line.value is not None


def line_value(line: Line, *, pad: bool) -> str:
    """A line's value for people, marked where it rests on an assumption."""
    return marked(numbers.cell(line.value), is_assumed(line), pad=pad)


def marked(text: str, assumed: bool, *, pad: bool) -> str:
    """Text with the assumption mark; ``pad`` keeps the digits of unmarked neighbours aligned with it."""
    return text + (MARK if assumed else " " if pad else "")


def context(report: Report) -> list[tuple[str, str]]:
    """The block above the lines: scenario, boundary, then what the planner adds."""
    given = {label.casefold() for label, _ in report.context}
    own = [("Scenario", report.scenario.name), ("Boundary", report.boundary or "")]
    missing = [(label, text) for label, text in own if text and label.casefold() not in given]
    return missing + list(report.context)


def footnote(report: Report) -> str:
    """What the mark means, with the assumed inputs that matter most; empty when nothing is marked."""
    lines = [line for line in report.lines if is_assumed(line)]
    if not lines and not any(table.assumed for table in report.tables if table.shown):
        return ""
    assumed = {record.path for record in report.inputs if record.grade == GRADES[-1]}
    paths = list(dict.fromkeys(path for line in lines for path in line.inputs if path in assumed))
    text = ASSUMED
    if paths:
        more = f" and {len(paths) - MAX_PATHS} more" if len(paths) > MAX_PATHS else ""
        text += f": {', '.join(paths[:MAX_PATHS])}{more}"
    return text


def counts(report: Report) -> list[str]:
    """The closing line in parts: how good the lines are, what is left out, and how to get the same again."""
    by_grade = Counter(line.grade for line in report.lines)
    order = [grade for grade in GRADES if grade in by_grade] + sorted(set(by_grade) - set(GRADES))
    words = {grade: grade_words(grade) for grade in order} | {GRADES[-1]: f"assumed {MARK}"}
    graded = [f"{by_grade[grade]} {words[grade]}" for grade in order]
    number = len(report.lines)
    parts = [f"{number} line{'' if number == 1 else 's'}: {', '.join(graded)}" if number else "no lines"]
    if report.not_modelled:
        parts.append(f"{len(report.not_modelled)} not modelled")
    if report.samples:
        parts += [f"{report.samples:,d} samples", f"seed {report.seed}"]
    if report.catalog.version:
        parts.append(f"catalog {report.catalog.version}")
    if report.stamp is not None:
        parts.append(report.stamp)
    return parts


def is_numeric(table: Table, index: int) -> bool:
    """Whether a column holds numbers (missing ones allowed) and is aligned as such."""
    values = [row[index] for row in table.rows]
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and all(issubclass(kind, int | float) and kind is not bool for kind in kinds)


def point_aligned(texts: list[str]) -> list[str]:
    """Numbers of one unit padded on the right so that their decimal points stand in one column."""
    tails = [len(text) - (text.index(".") if "." in text else len(text.rstrip(f"{MARK} "))) for text in texts]
    widest = max(tails, default=0)
    return [text + " " * (widest - tail) for text, tail in zip(texts, tails, strict=True)]


def _text(column: str, value: Cell) -> str:
    """A cell for people; a year is a name, not an amount, so it gets no thousands separator."""
    return str(value) if column == "year" and isinstance(value, int) else numbers.cell(value)


def table_cells(table: Table, index: int, *, align: bool) -> list[str]:
    """Texts of a table's column for people, assumed cells marked."""
    column = table.columns[index].id
    assumed = [(row, column) in table.assumed for row in range(len(table.rows))]
    pad = align and any(assumed) and is_numeric(table, index)
    texts = [marked(_text(column, row[index]), mark, pad=pad) for row, mark in zip(table.rows, assumed, strict=True)]
    return point_aligned(texts) if align and is_numeric(table, index) else texts


def intervals(lines: tuple[Line, ...], low: str, high: str, dash: str) -> list[str]:
    """Ranges of lines as text, the dashes in one column; empty where a line was not sampled."""
    ends = [[numbers.number(getattr(line, end)) if line.sampled else "" for end in (low, high)] for line in lines]
    left = max((len(pair[0]) for pair in ends), default=0)
    right = max((len(pair[1]) for pair in ends), default=0)
    return [f"{a:>{left}} {dash} {b:<{right}}" if a else "" for a, b in ends]
