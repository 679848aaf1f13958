"""One catalog entry as tables: values with provenance, points, conflicts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from aiplan.catalog.entry import SourcedText
from aiplan.inputs.quantity import Quantity
from aiplan.report.model import Cell, Column, Table
from aiplan.units import symbol_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

_OWN = ("name", "source", "grade", "evidence", "conflicts", "exceptions", "points", "note")
_PROVENANCE = ("source", "grade", "evidence")
_COLUMNS = (
    Column("field", "field"),
    Column("value", "value", keep=True),
    Column("unit", "unit"),
    Column("range", "range"),
    Column("grade", "grade", keep=True),
    Column("evidence", "evidence"),
    Column("source", "source", keep=True),
    Column("note", "note"),
)


def describe_entry(catalog: Catalog, kind: str, entry_id: str) -> tuple[str, list[Table]]:
    """Headline and tables of an entry.

    Parameters
    ----------
    catalog : where the entry is
    kind, entry_id : which entry
    """
    entry = catalog.checked(kind, entry_id)
    rows: list[tuple[Cell, ...]] = []
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if name in _OWN or _empty(value):
            continue
        rows += _rows(name, value, entry)
    title = getattr(entry, "name", None) or getattr(entry, "title", entry_id)
    note = getattr(entry, "note", "")
    headline = f"{entry_id} ({kind}): {title}" + (f". {note}" if note else "")
    tables = [Table("values", "Values", _COLUMNS, tuple(rows))]
    tables += _extra_tables(entry)
    return headline, tables


def _rows(name: str, value: Any, entry: Any) -> list[tuple[Cell, ...]]:
    if isinstance(value, SourcedText):
        own = "published" if value.source and entry.evidence == "assumed" else entry.evidence
        return [(name, value.value, None, "", value.grade or entry.grade, value.evidence or own,
                 value.source or entry.source, value.note)]  # fmt: skip
    if isinstance(value, BaseModel):
        inner = {field: getattr(value, field) for field in type(value).model_fields if field not in _PROVENANCE}
        return [row for field, found in inner.items() if not _empty(found)
                for row in _rows(f"{name}.{field}", found, value)]  # fmt: skip
    source, grade = getattr(entry, "source", ""), getattr(entry, "grade", None)
    evidence: str = getattr(entry, "evidence", "published")
    if isinstance(value, Quantity):
        band = f"{value.low:g} to {value.high:g}" if value.low is not None and value.high is not None else ""
        if value.uncertain:
            band = value.distribution.text()
        note = f"{value.note} (prices of {value.currency_year})" if value.currency_year else value.note
        return [
            (
                name,
                value.value,
                symbol_of(name),
                band,
                value.grade,
                value.evidence,
                value.source,
                note.strip(),
            )
        ]
    if name.rsplit(".", 1)[-1] in getattr(entry, "unverified_fields", ()):
        grade, evidence = "assumption", "unverified"
    if name == "year" or name.endswith("_year"):
        return [(name, str(value), None, "", grade, evidence, source, "")]
    return [(name, _cell(value), symbol_of(name), "", grade, evidence, source, "")]


def _empty(value: Any) -> bool:
    return value is None or value in ("", (), {})


def _cell(value: Any) -> Cell:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    return str(value)


def _extra_tables(entry: Any) -> list[Table]:
    tables = []
    points = getattr(entry, "points", ())
    if points:
        columns = (
            Column("input_tokens", "prompt", "tokens"),
            Column("output_tokens", "answer", "tokens"),
            Column("tokens_per_s", "throughput", "tokens/s"),
        )
        tables.append(Table("points", "Measured points", columns, tuple(tuple(point[:3]) for point in points)))
    conflicts = getattr(entry, "conflicts", ())
    if conflicts:
        others = (Column("field"), Column("value"), Column("source"), Column("note"))
        found = tuple((item.field, _cell(item.value), item.source, item.note) for item in conflicts)
        tables.append(Table("conflicts", "What other sources say", others, found))
    return tables
