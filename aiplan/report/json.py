"""The JSON envelope ``aiplan/<planner>/1``: the interchange form every other tool reads.

Same report, same bytes. Text is never altered: what a terminal must not see is written as a ``\\u`` escape:
a reader gets the label back exactly and ``cat`` of the file stays harmless.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiplan._version import __version__
from aiplan.report.check import QUANTILES, require_numbers
from aiplan.report.find import find_table
from aiplan.report.model import InputRecord, Line, Report, Table
from aiplan.report.sanitize import is_safe

ENVELOPE_VERSION = 1
LINE_WIDTH = 100


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _harmless(text: str) -> str:
    """JSON text with unsafe characters escaped: they can only stand inside strings, where any may be."""
    unsafe = {ord(c): _escaped(c) for c in set(text) if c != "\n" and not is_safe(c)}
    return text.translate(unsafe) if unsafe else text


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _layout(value: Any, indent: int, room: int, *, records: bool = False) -> str:
    """``value`` on one line where it fits into ``room`` or is a table's record, else one member per line."""
    if not isinstance(value, dict | list) or not value:
        return _flat(value)
    if records or room > 0:
        flat = _flat(value)
        if records or len(flat) <= room:
            return flat
    inner, pad = indent + 2, " " * (indent + 2)
    if isinstance(value, dict):
        parts = []
        for key, member in value.items():
            head = f"{pad}{_flat(key)}: "
            parts.append(head + _layout(member, inner, LINE_WIDTH - len(head)))
        opening, closing = "{", "}"
    else:
        parts = [pad + _layout(member, inner, LINE_WIDTH - inner) for member in value]
        opening, closing = "[", "]"
    return f"{opening}\n" + ",\n".join(parts) + f"\n{' ' * indent}{closing}"


def _table_layout(tables: Mapping[str, Sequence[Any]]) -> str:
    """Tables with one record per line, however wide: they stay greppable and a diff shows whole records."""
    blocks = []
    for name, records in tables.items():
        rows = ",\n".join(f"      {_layout(record, 6, 0, records=True)}" for record in records)
        blocks.append(f"    {_flat(name)}: " + (f"[\n{rows}\n    ]" if rows else "[]"))
    return "{\n" + ",\n".join(blocks) + "\n  }" if blocks else "{}"


def dump(envelope: Mapping[str, Any]) -> str:
    """Text of an envelope: keys in the order given, two spaces of indent, short members on one line.

    Numbers are in shortest round-trip form. Raises ValueError for NaN and infinity.
    """
    parts = []
    for key, value in envelope.items():
        head = f"  {_flat(key)}: "
        text = _table_layout(value) if key == "tables" else _layout(value, 2, LINE_WIDTH - len(head))
        parts.append(head + text)
    return _harmless("{\n" + ",\n".join(parts) + "\n}\n")


def line_record(line: Line) -> dict[str, Any]:
    """A line as the envelope holds it; quantile keys only when it was sampled."""
    record: dict[str, Any] = {"id": line.id, "label": line.label, "value": line.value, "unit": line.unit}
    if line.sampled:
        record |= {name: getattr(line, name) for name in (*QUANTILES, "mean")}
    record |= {"grade": line.grade, "sources": list(line.sources)}
    if line.formula:
        record["formula"] = line.formula
    if line.inputs:
        record["inputs"] = list(line.inputs)
    if line.effects:
        record["effects"] = list(line.effects)
    return record


def input_record(record: InputRecord) -> dict[str, Any]:
    """An input as the envelope holds it; what is absent is null."""
    return {
        "path": record.path,
        "label": record.label,
        "value": record.value,
        "unit": record.unit,
        "distribution": record.distribution or None,
        "grade": record.grade,
        "evidence": record.evidence,
        "sources": list(record.sources),
    }


def _table_info(table: Table) -> dict[str, Any]:
    """What a reader needs beside the records to show a table to people."""
    columns = [{"id": c.id, "label": c.label or c.id, "unit": c.unit, "keep": c.keep} for c in table.columns]
    assumed = [[row, column] for row, column in sorted(table.assumed)]
    return {"title": table.title, "shown": table.shown, "columns": columns, "assumed": assumed}


def header(report: Report, kind: str) -> dict[str, Any]:
    """First keys of every envelope: what it is and what it was made from."""
    return {
        "schema": f"aiplan/{kind}/{ENVELOPE_VERSION}",
        "aiplan_version": __version__,
        "seed": report.seed,
        "samples": report.samples,
        "boundary": report.boundary,
        "scenario": {"name": report.scenario.name, "sha256": report.scenario.sha256},
        "catalog": {"version": report.catalog.version, "sha256": report.catalog.sha256},
    }


def envelope(report: Report, *, table: str | None = None) -> dict[str, Any]:
    """The report as plain dictionaries and lists, in the order they are written.

    With ``table`` only that one is kept. Raises InputError when there is no such table.
    """
    tables = report.tables if table is None else (find_table(report, table),)
    content = header(report, report.planner)
    content |= {
        "lines": [line_record(line) for line in report.lines],
        "tables": {one.id: one.records() for one in tables},
        "warnings": [{"code": w.code, "path": w.path, "message": w.message} for w in report.warnings],
        "not_modelled": list(report.not_modelled),
        "inputs": [input_record(record) for record in report.inputs],
        "sources": dict(report.sources),
        "title": report.title,
        "headline": report.headline,
        "context": [{"label": label, "text": text} for label, text in report.context],
        "table_info": {one.id: _table_info(one) for one in tables},
    }
    if report.stamp is not None:
        content["stamp"] = report.stamp
    return content


def render_json(report: Report, *, table: str | None = None) -> str:
    """The report as JSON text, ending in a newline.

    Raises ValueError naming the line when a number is NaN or infinite, which is a bug of the planner.
    """
    require_numbers(report)
    return dump(envelope(report, table=table))
