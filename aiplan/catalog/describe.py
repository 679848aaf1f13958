"""One catalog entry as tables: values with provenance, points, conflicts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from aiplan.catalog.entry import SourcedText
from aiplan.catalog.schema_profiles import TABLES, ProfileMachine
from aiplan.inputs.quantity import Quantity
from aiplan.report.model import Cell, Column, Table
from aiplan.units import symbol_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

_QUANTILES = {"prompt": "input_quantile_tokens", "answer": "output_quantile_tokens"}
_OWN = ("name", "source", "grade", "evidence", "conflicts", "exceptions", "points", "note", *_QUANTILES.values())
TITLES = {
    "by_batched_tokens": "Times by batched prompt tokens, medians over all rows",
    "prompt_by_length": "Prompt pass by length, batch 1",
    "prompt_by_batch": "Prompt pass by batch, 512 tokens each",
    "decode_by_batch": "Decode step by batch, 512 + 128 tokens",
    "decode_by_context": "Decode step by mean context, batch 1",
    "power_prompt": "Highest power by batched prompt tokens",
}
"""Headings of the tables of a machine."""
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
        inner = {field: found for field, found in inner.items() if not _empty(found) and field not in TABLES}
        # A machine has no source of its own: what it does not say rests on its entry.
        within = entry if isinstance(value, ProfileMachine) else value
        return [row for field, found in inner.items() for row in _rows(f"{name}.{field}", found, within)]
    if isinstance(value, dict) and all(isinstance(item, BaseModel) for item in value.values()):
        return [row for key, item in value.items() for row in _rows(f"{name}.{key}", item, entry)]
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
                symbol_of(name.rsplit(".", 1)[-1]),
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


def _whole(value: float) -> Cell:
    return int(value) if value.is_integer() else value


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
    machines = getattr(entry, "machines", {})
    for name, titles in TABLES.items():
        rows = tuple((key, *map(_whole, row)) for key, one in machines.items() for row in getattr(one, name))
        if rows:
            heads = tuple(Column(title, unit=symbol_of(title)) for title in titles)
            tables.append(Table(name, TITLES[name], (Column("machine"), *heads), rows))
    lengths = tuple((what, *map(_whole, pair)) for what, field in _QUANTILES.items()
                    for pair in getattr(entry, field, ()))  # fmt: skip
    if lengths:
        heads = (Column("of"), Column("probability"), Column("tokens", "length", "tokens"))
        tables.append(Table("quantiles", "Lengths not exceeded with a probability", heads, lengths))
    conflicts = getattr(entry, "conflicts", ())
    if conflicts:
        others = (Column("field"), Column("value"), Column("source"), Column("note"))
        found = tuple((item.field, _cell(item.value), item.source, item.note) for item in conflicts)
        tables.append(Table("conflicts", "What other sources say", others, found))
    return tables
