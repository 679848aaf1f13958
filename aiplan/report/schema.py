"""JSON Schema of what ``--format json`` writes, made from the classes of `aiplan.report.model`.

The schema names every key and its meaning. It stays open: a reader should ignore keys it does not know, and a
change of meaning raises the number at the end of ``schema``.
"""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from aiplan.report.check import QUANTILES
from aiplan.report.json import ENVELOPE_VERSION
from aiplan.report.model import GRADES, Column, InputRecord, Line, Warn

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_NAMES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}

_LINE = {
    "id": "stable name of the line; carries the unit",
    "label": "name for people",
    "value": "the result: the median where sampled unless the label says mean",
    "unit": "unit of the value and its quantiles; null for a pure number",
    "p5": "5th percentile; quantiles stand only on a sampled line",
    "p25": "25th percentile",
    "p50": "median",
    "p75": "75th percentile",
    "p95": "95th percentile",
    "mean": "mean of the draws",
    "grade": "worst grade among the inputs that move the line by more than 1 %",
    "sources": "ids of the sources behind it; titles stand under the top-level sources",
    "formula": "how it is computed",
    "inputs": "paths of the inputs that move it, largest effect first",
    "effects": "relative change of the line when each of these inputs is raised by a tenth",
}
_INPUT = {
    "path": "where the input is set: a dotted path of the scenario or the catalog",
    "label": "name for people",
    "value": "as used; the median where uncertain",
    "unit": "unit of the value; null when it has none",
    "distribution": "the distribution in words; null for a fixed number",
    "grade": "how good the number is",
    "evidence": "how it was seen: published, second-hand, derived, assumed or unverified",
    "sources": "ids of catalog sources, or file:line of the scenario",
}
_WARNING = {"code": "stable name of the warning", "path": "input it is about, or empty", "message": "what to know"}
_COLUMN = {
    "id": "key in the records",
    "label": "heading for people",
    "unit": "unit of the column; null when it has none",
    "keep": "whether the column stays on a narrow terminal while others make room",
}


def result_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the envelope that `aiplan.report.json.render_json` writes.

    >>> sorted(result_schema()["$defs"])
    ['column', 'input', 'line', 'table', 'warning']
    """
    line = _record(Line, _LINE, optional=(*QUANTILES, "mean", "formula", "inputs", "effects"))
    line["dependentRequired"] = {"p50": [*(name for name in QUANTILES if name != "p50"), "mean"]}
    return {
        "$schema": DRAFT,
        "title": "aiplan: a report",
        "description": "What `aiplan COMMAND --format json` writes. The same inputs give the same bytes.",
        "type": "object",
        "properties": _properties(),
        "required": [name for name in _properties() if name != "stamp"],
        "$defs": {
            "line": line,
            "input": _record(InputRecord, _INPUT, null=("distribution",)),
            "warning": _record(Warn, _WARNING),
            "column": _record(Column, _COLUMN),
            "table": _table(),
        },
    }


def _properties() -> dict[str, Any]:
    whole = {"type": "integer", "minimum": 0}
    digest = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}
    texts = {"type": "array", "items": {"type": "string"}}
    record = {"type": "object", "additionalProperties": _cell()}
    kind = f"^aiplan/[a-z][a-z0-9-]*/{ENVELOPE_VERSION}$"
    return {
        "schema": {"type": "string", "pattern": kind, "description": "what this is: aiplan/<command>/<version>"},
        "aiplan_version": {"type": "string", "description": "version of aiplan that wrote it"},
        "seed": {**whole, "description": "seed of the draws"},
        "samples": {**whole, "description": "number of draws; 0 where nothing was sampled"},
        "boundary": {"type": ["string", "null"], "description": "which loads the energy figures include"},
        "scenario": _pair("name", digest, "the inputs, and the hash of all of them as resolved"),
        "catalog": _pair("version", digest, "the catalog, and the hash of its files"),
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "description": "the results, one by one"},
        "tables": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": record},
            "description": "tables by id, as flat records",
        },
        "warnings": {"type": "array", "items": {"$ref": "#/$defs/warning"}, "description": "what a reader must know"},
        "not_modelled": {**texts, "description": "what the figures leave out"},
        "inputs": {"type": "array", "items": {"$ref": "#/$defs/input"}, "description": "every input as it was used"},
        "sources": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "titles of the sources by id",
        },
        "title": {"type": "string", "description": "title of the report"},
        "headline": {"type": "string", "description": "the answer in one sentence"},
        "context": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"label": {"type": "string"}, "text": {"type": "string"}},
                "required": ["label", "text"],
            },
            "description": "what the answer holds for, as label and text",
        },
        "table_info": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/table"},
            "description": "titles and columns of the tables by id",
        },
        "stamp": {"type": "string", "description": "time of the run, with --stamp only"},
    }


def _pair(first: str, digest: dict[str, Any], about: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {first: {"type": "string"}, "sha256": digest},
        "required": [first, "sha256"],
        "description": about,
    }


def _table() -> dict[str, Any]:
    mark = {
        "type": "array",
        "prefixItems": [{"type": "integer", "minimum": 0}, {"type": "string"}],
        "minItems": 2,
        "maxItems": 2,
    }
    properties = {
        "title": {"type": "string", "description": "title of the table"},
        "shown": {"type": "boolean", "description": "whether it is printed without being asked for"},
        "columns": {"type": "array", "items": {"$ref": "#/$defs/column"}, "description": "columns in order"},
        "assumed": {
            "type": "array",
            "items": mark,
            "description": "row and column of cells that rest on an assumption",
        },
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _record(
    model: type, about: dict[str, str], *, optional: tuple[str, ...] = (), null: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Schema of a class of the model, field by field, each with its meaning.

    Raises KeyError for a field that ``about`` does not describe.
    """
    hints = get_type_hints(model)
    properties: dict[str, Any] = {}
    for field in fields(model):
        found = _type(hints[field.name])
        if field.name in null:
            found["type"] = [found["type"], "null"]
        if field.name == "grade":
            found = {"enum": list(GRADES)}
        properties[field.name] = {**found, "description": about[field.name]}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _type(hint: Any) -> dict[str, Any]:
    """Schema of an annotation: a scalar, a union of scalars, or a tuple of one kind of scalar."""
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0])}
    if isinstance(hint, UnionType):
        names = [_NAMES[part] for part in get_args(hint)]
        # Every integer is a number to JSON Schema.
        return {"type": [name for name in names if name != "integer" or "number" not in names]}
    return {"type": _NAMES[hint]}


def _cell() -> dict[str, Any]:
    return _type(float | int | bool | str | None)
