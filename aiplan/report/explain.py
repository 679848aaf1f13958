"""``--explain``: a line's formula, its inputs by how far they move it, and where each came from."""

from __future__ import annotations

from typing import Any

from aiplan.report import numbers, view
from aiplan.report.check import require_numbers
from aiplan.report.find import find_line
from aiplan.report.json import input_record
from aiplan.report.layout import GAP, Column, Page
from aiplan.report.model import InputRecord, Line, Report
from aiplan.report.table import GRADE_STYLES
from aiplan.report.terminal import Terminal

RAISED = "+10 %"
"""By how much an input is raised to get its effect."""

Mover = tuple[str, float | None, InputRecord | Line | None]
"""Path of an input, its effect, and the record or line behind it."""


def _movers(report: Report, line: Line) -> list[Mover]:
    """Inputs of a line with their effect and record; an input may itself be a line."""
    records: dict[str, InputRecord | Line] = {one.id: one for one in report.lines}
    records |= {record.path: record for record in report.inputs}
    effects: list[float | None] = [*line.effects, *[None] * len(line.inputs)]
    return [(path, change, records.get(path)) for path, change in zip(line.inputs, effects, strict=False)]


def _mover_columns(movers: list[Mover]) -> list[Column]:
    found = [record for _, _, record in movers]
    grades = [record.grade if record else "" for record in found]
    changes = [numbers.MISSING if change is None else numbers.effect(change) for _, change, _ in movers]
    return [
        Column("input", [path for path, _, _ in movers]),
        Column("value", [numbers.cell(record.value if record else None) for record in found], right=True),
        Column("unit", [(record.unit if record else None) or "" for record in found]),
        Column("effect", changes, f"of {RAISED}", right=True),
        Column(
            "grade",
            [view.grade_words(grade) for grade in grades],
            rank=1,
            cell_styles=[GRADE_STYLES.get(grade, "") for grade in grades],
        ),
    ]


def _draw_sources(page: Page, report: Report, sources: tuple[str, ...], hang: int) -> None:
    for source in sources:
        title = report.sources.get(source, "")
        page.paragraph(title, (f" ({source})" if title else source, "dim"), lead=" " if hang else "", hang=hang)


def _draw_details(page: Page, report: Report, line: Line) -> None:
    """What does not fit a column: name, distribution, evidence and sources of every input."""
    for path, _, record in _movers(report, line):
        if not isinstance(record, InputRecord):
            continue
        facts = [record.label, record.distribution, record.evidence]
        page.paragraph((path, "bold"))
        page.paragraph(f" {page.dot} ".join(fact for fact in facts if fact), lead=" ", hang=GAP)
        _draw_sources(page, report, record.sources, GAP)


def _draw_line(page: Page, report: Report, line: Line) -> None:
    page.paragraph((line.label, "bold"), (f"  {line.id}", "dim"))
    facts = []
    if line.sampled:
        for name, low, high in (view.MIDDLE, view.WIDE):
            facts.append(f"{name} {numbers.interval(getattr(line, low), getattr(line, high), page.dash)}")
        if line.mean is not None:
            facts.append(f"mean {numbers.number(line.mean)}")
    grade = view.grade_words(line.grade) + (f" {view.MARK}" if view.is_assumed(line) else "")
    pairs = [("value", numbers.with_unit(line.value, line.unit)), ("spread", ", ".join(facts))]
    pairs += [("grade", grade), ("formula", line.formula)]
    page.pairs([(label, text) for label, text in pairs if text])
    if line.inputs:
        page.blank()
        page.table(_mover_columns(_movers(report, line)))
        page.blank()
        _draw_details(page, report, line)
    elif line.sources:
        page.blank()
        _draw_sources(page, report, line.sources, 0)


def render_explain(report: Report, line_id: str | None = None, terminal: Terminal | None = None) -> str:
    """Where a line's number comes from, as text; every line when no id is given.

    Raises InputError E204 with the nearest ids when there is no such line.
    """
    require_numbers(report)
    lines = report.lines if line_id is None else (find_line(report, line_id),)
    page = Page(terminal or Terminal())
    for index, line in enumerate(lines):
        if index:
            page.blank()
            page.blank()
        _draw_line(page, report, line)
    return page.text()


def _line_node(line: Line) -> dict[str, Any]:
    node = {"id": line.id, "kind": "line", "label": line.label, "value": line.value, "unit": line.unit}
    return node | {"grade": line.grade, "formula": line.formula or None}


def _input_node(record: InputRecord) -> dict[str, Any]:
    told = {name: value for name, value in input_record(record).items() if name not in ("path", "sources")}
    return {"id": record.path, "kind": "input", **told}


def explain_graph(report: Report, line_id: str | None = None) -> dict[str, Any]:
    """The same as a graph: ``nodes`` (line, input, source) and ``edges`` from what moves to what is moved.

    An edge into a line carries ``effect``, the relative change for an input raised by a tenth (null when not
    known); an edge from a source has none. Node ids are unique; sources are called ``source:<id>``. An input
    that is itself a line is followed to its own inputs. Raises InputError E204 for an unknown line.
    """
    todo = list(report.lines) if line_id is None else [find_line(report, line_id)]
    nodes: dict[str, dict[str, Any]] = {}
    edges: list[dict[str, Any]] = []

    def cite(sources: tuple[str, ...], target: str) -> None:
        for source in sources:
            key = f"source:{source}"
            title = report.sources.get(source)
            nodes.setdefault(key, {"id": key, "kind": "source", "title": title})
            edges.append({"from": key, "to": target})

    while todo:
        line = todo.pop(0)
        if line.id in nodes:
            continue
        nodes[line.id] = _line_node(line)
        if not line.inputs:
            cite(line.sources, line.id)
        for path, change, record in _movers(report, line):
            edges.append({"from": path, "to": line.id, "effect": change})
            if isinstance(record, Line):
                todo.append(record)
            elif path not in nodes:
                nodes[path] = {"id": path, "kind": "input"} if record is None else _input_node(record)
                cite(record.sources if record is not None else (), path)
    return {"nodes": list(nodes.values()), "edges": edges}


def render_explain_json(report: Report, line_id: str | None = None) -> str:
    """``explain_graph`` in an envelope with schema ``aiplan/<planner>/explain/1``, as JSON text."""
    from aiplan.report.json import dump, header

    require_numbers(report)
    return dump(header(report, f"{report.planner}/explain") | explain_graph(report, line_id))
