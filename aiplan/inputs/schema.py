"""JSON Schema of what may be written, with the description under each field. Loaded by `aiplan schema` only."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from aiplan.inputs.quantity import EVIDENCE
from aiplan.report.model import GRADES
from aiplan.uncertainty.distributions import json_schema as distribution_schema
from aiplan.units import spellings, stem, symbol_of

DRAFT = "https://json-schema.org/draft/2020-12/schema"


# Where a quantity stands while pydantic writes the schema; references of our own would confuse it.
_QUANTITY = "x-aiplan-quantity"
_DEFINITION = "Quantity"


def quantity_schema(low: float, high: float, above: float | None) -> dict[str, Any]:
    """Placeholder of a number that may be uncertain and may carry its source; `json_schema` resolves it.

    Parameters
    ----------
    low, high : bounds of the plain number
    above : exclusive lower bound, in place of ``low``
    """
    number: dict[str, Any] = {"type": "number"}
    if above is not None:
        number["exclusiveMinimum"] = above
    elif low > float("-inf"):
        number["minimum"] = low
    if high < float("inf"):
        number["maximum"] = high
    return {_QUANTITY: number}


def _quantity_definition() -> dict[str, Any]:
    """A table of a number or a distribution with where it comes from: what `parse_quantity` reads."""
    spec: Any = distribution_schema()
    kinds = [item for item in spec["oneOf"] if item.get("type") == "object"]
    distributions: dict[str, Any] = {}
    names = [item["required"][0] for item in kinds]
    for name, item in zip(names, kinds, strict=True):
        distributions |= item["properties"]
        distributions[name] = {**item["properties"][name], "description": item["description"]}
    return {
        "type": "object",
        "description": "A number or one distribution, with the source it comes from.",
        "properties": {
            "value": {"type": "number", "description": "the number; the median of the distribution where absent"},
            "dist": {"oneOf": kinds, "description": "a distribution, where it stands beside a value"},
            **distributions,
            "source": {"type": "string", "description": "id of a source in the catalog"},
            "grade": {"enum": list(GRADES), "description": "how good the source is, best first"},
            "evidence": {"enum": list(EVIDENCE), "description": "how the number was seen"},
            "currency_year": {"type": "integer", "minimum": 1990, "maximum": 2100, "description": "year of a price"},
            "range": {
                "type": "array",
                "items": {"type": "number"},
                "minItems": 2,
                "maxItems": 2,
                "description": "lowest and highest value known",
            },
            "note": {"type": "string", "description": "what a reader must know"},
        },
        "anyOf": [{"required": [name]} for name in ("value", "dist", *names)],
        "additionalProperties": False,
    }


def _resolve(node: Any) -> bool:
    """Put references where quantities stand; whether there were any."""
    number = node.pop(_QUANTITY, None) if isinstance(node, dict) else None
    if number is not None:
        table = {"$ref": f"#/$defs/{_DEFINITION}"}
        if len(number) > 1:
            table["properties"] = {"value": number}  # type: ignore[assignment]
        node["anyOf"] = [number, table]
        return True
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [_resolve(item) for item in inner]  # every one, not only up to the first
    return any(found)


@cache
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
    by_name = {cls.__name__: cls for cls in _sections(model)}
    _describe(out, model)
    for name, item in out.get("$defs", {}).items():
        if name in by_name:
            _describe(item, by_name[name])
    if "scenario" in out.get("properties", {}):
        _let_base_supply(out)
        _let_other_units(out)
    if _resolve(out):
        out.setdefault("$defs", {})[_DEFINITION] = _quantity_definition()
    return out


def _let_base_supply(schema: dict[str, Any]) -> None:
    """Ask for required keys only of a scenario without a base, which may supply any of them."""
    needs = _take_required(schema, schema.get("$defs", {}), {})
    own = needs.get("properties", {}).pop("scenario", {})
    schema["required"] = ["scenario"]
    schema["if"] = {"properties": {"scenario": {"required": ["base"]}}}
    schema["then"] = {"properties": {"scenario": own}}
    schema["else"] = {**needs, "properties": {**needs.get("properties", {}), "scenario": own}}


def _let_other_units(node: Any) -> None:
    """Let a quantity be given in any unit of its dimension: ``rated_kw`` where a field is called ``rated_w``.

    Bounds are those of the field's own unit; what is written in another is checked once it is converted.
    """
    if isinstance(node, list):
        for item in node:
            _let_other_units(item)
    if not isinstance(node, dict):
        return
    for item in node.values():  # before anything is added that asks for the same names again
        _let_other_units(item)
    properties = node.get("properties", {})
    for name in [name for name, item in properties.items() if _is_quantity(item)]:
        own, *others = spellings(name)
        if others:
            pattern = f"^{re.escape(stem(own))}_({'|'.join(other.rsplit('_', 1)[-1] for other in others)})$"
            text = f"{own} in another unit"
            node.setdefault("patternProperties", {})[pattern] = {_QUANTITY: {"type": "number"}, "description": text}
    for name in [name for name in node.get("required", ()) if len(spellings(name)) > 1]:
        node["required"].remove(name)
        node.setdefault("allOf", []).append({"anyOf": [{"required": [one]} for one in spellings(name)]})
    if node.get("required") == []:
        del node["required"]


def _is_quantity(item: Any) -> bool:
    """Whether a property is a number that may be uncertain, or one that may be left out."""
    return isinstance(item, dict) and (_QUANTITY in item or any(_QUANTITY in one for one in item.get("anyOf", ())))


def _take_required(
    schema: dict[str, Any], definitions: dict[str, Any], taken: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Move what a table and the tables in it require into a schema of its own.

    What stands in a list stays required: a list is replaced as a whole. ``taken`` remembers definitions done.
    """
    named = [item["$ref"].rsplit("/", 1)[-1] for item in [schema, *schema.get("anyOf", ())] if "$ref" in item]
    if named:
        if named[0] not in taken:
            taken[named[0]] = _take_required(definitions[named[0]], definitions, taken)
        return taken[named[0]]
    needs: dict[str, Any] = {}
    if "required" in schema:
        needs["required"] = schema.pop("required")
    for group in ("properties", "patternProperties"):
        inner = {name: _take_required(item, definitions, taken) for name, item in schema.get(group, {}).items()}
        if inner := {name: item for name, item in inner.items() if item}:
            needs[group] = inner
    return needs


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
