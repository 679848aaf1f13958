"""JSON Schema of what may be written, with the description under each field. Loaded by `aiplan schema` only."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from aiplan.inputs.quantity import EVIDENCE
from aiplan.report.model import GRADES
from aiplan.uncertainty.distributions import json_schema as distribution_schema
from aiplan.units import symbol_of

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def quantity_schema(low: float, high: float, above: float | None) -> dict[str, Any]:
    """Schema of a number that may be uncertain and may carry its source."""
    number: dict[str, Any] = {"type": "number"}
    if above is not None:
        number["exclusiveMinimum"] = above
    elif low > float("-inf"):
        number["minimum"] = low
    if high < float("inf"):
        number["maximum"] = high
    spec = distribution_schema()
    kinds = [item for item in spec["oneOf"] if item.get("type") == "object"]  # type: ignore[attr-defined]
    provenance = {
        "value": number,
        "dist": {"oneOf": kinds},
        "source": {"type": "string"},
        "grade": {"enum": list(GRADES)},
        "evidence": {"enum": list(EVIDENCE)},
        "currency_year": {"type": "integer", "minimum": 1990, "maximum": 2100},
        "range": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "note": {"type": "string"},
    }
    sourced = {
        "type": "object",
        "properties": provenance,
        "anyOf": [{"required": ["value"]}, {"required": ["dist"]}],
    }
    return {"anyOf": [number, *kinds, sourced]}


@lru_cache(maxsize=None)
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The text under each field of a section, parents first."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not (isinstance(base, type) and issubclass(base, BaseModel)) or base is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        if not isinstance(body, ast.ClassDef):
            continue
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                docs[statement.target.id] = " ".join(following.value.value.split())
    return docs


class _Schema(GenerateJsonSchema):
    """Adds the description and the unit of every field."""

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        out = super().generate(schema, mode)
        out["$schema"] = DRAFT
        return out


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema (2020-12) of a section with descriptions and units."""
    out = model.model_json_schema(schema_generator=_Schema, mode="validation")
    sections = {name: item for name, item in out.get("$defs", {}).items()}
    by_name = {cls.__name__: cls for cls in _sections(model)}
    _describe(out, model)
    for name, item in sections.items():
        if name in by_name:
            _describe(item, by_name[name])
    return out


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    docs = field_docs(model)
    for name, item in schema.get("properties", {}).items():
        if name in docs:
            item["description"] = docs[name]
        if unit := symbol_of(name):
            item["unit"] = unit
        item.pop("title", None)


def _sections(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The sections a model is made of, itself included."""
    from typing import get_args

    found: set[type[BaseModel]] = set()
    todo: list[Any] = [model]
    while todo:
        item = todo.pop()
        if isinstance(item, type) and issubclass(item, BaseModel):
            if item not in found:
                found.add(item)
                todo += [field.annotation for field in item.model_fields.values()]
        else:
            todo += list(get_args(item))
    return found
