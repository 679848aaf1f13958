"""Field types of scenario sections and catalog entries, and the way from pydantic's errors to ours.

Every section is strict (no text for a number, no boolean for an integer), frozen, and refuses unknown keys.
The docstring under a field is its description in the schema and in the docs.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, get_args

# Plugins of other packages must not change what a scenario means, and looking for them costs start-up time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from aiplan.errors import InputError, Problem
from aiplan.inputs.positions import Positions
from aiplan.inputs.quantity import Quantity, describe, parse_quantity
from aiplan.inputs.reader import Document, Path_
from aiplan.uncertainty.distributions import Choice, Constant, Empirical, SpecError
from aiplan.units import convertible


class Section(BaseModel):
    """Base of everything read from TOML."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,
        arbitrary_types_allowed=True,
    )


S = TypeVar("S", bound=Section)
M = TypeVar("M", bound=BaseModel)


def quantity(
    low: float = 0.0,
    high: float = float("inf"),
    *,
    above: float | None = None,
    sane: tuple[float, float] | None = None,
) -> Any:
    """Annotation of a number that may be uncertain, with its physical bounds.

    Parameters
    ----------
    low, high : bounds no draw may leave; a distribution that can is refused unless it is truncated
    above : exclusive lower bound, in place of ``low``
    sane : narrower range for the nominal value, where tails beyond it are tolerated (the planner warns of them)
    """

    def validate(raw: object) -> Quantity:
        try:
            found = parse_quantity(raw, (low if above is None else above, high))
        except SpecError as error:
            items = [(item.path, item.message, item.hint) for item in error.problems]
            raise PydanticCustomError("quantity", "{text}", {"text": str(error), "items": items}) from None
        nominal = sane or (low, high)
        if not nominal[0] <= found.value <= nominal[1] or (above is not None and found.value <= above):
            text = f"must be {_bounds(*nominal, above)}, got {found.value:g}"
            raise PydanticCustomError("bounds", "{text}", {"text": text, "hint": "check the value and its unit"})
        floor, ceiling = found.distribution.support
        discrete = isinstance(found.distribution, Choice | Empirical | Constant)
        too_low = floor < (low if above is None else above) or (discrete and above is not None and floor <= above)
        if too_low or ceiling > high:
            text = f"must stay {_bounds(low, high, above)}, but {found.distribution.text()} reaches beyond"
            raise PydanticCustomError(
                "bounds",
                "{text}",
                {"text": text, "hint": "write truncate = true beside it to cut the distribution"},
            )
        return found

    def schema(source: Any, handler: Callable[[Any], core_schema.CoreSchema]) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(validate)

    def json_schema(core: core_schema.CoreSchema, handler: Any) -> dict[str, Any]:
        from aiplan.inputs.schema import quantity_schema

        return quantity_schema(low, high, above)

    return Annotated[
        Quantity,
        GetPydanticSchema(get_pydantic_core_schema=schema, get_pydantic_json_schema=json_schema),
    ]


def _bounds(low: float, high: float, above: float | None) -> str:
    parts = []
    if above is not None:
        parts.append(f"> {above:g}")
    elif low > float("-inf"):
        parts.append(f">= {low:g}")
    if high < float("inf"):
        parts.append(f"<= {high:g}")
    return " and ".join(parts)


Positive = quantity(above=0.0)
NonNegative = quantity()
Fraction = quantity(0.0, 1.0)
ID_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,79}$"
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Text = Annotated[str, Field(max_length=4000)]


def convert_units(model: type[BaseModel], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[Path_, str]]]:
    """Rename keys given in another unit of the same kind and scale their numbers.

    Returns the converted table and the conflicts (a quantity given twice in two units), by path.
    """
    out: dict[str, Any] = {}
    conflicts: list[tuple[Path_, str]] = []
    for key, value in raw.items():
        field = model.model_fields.get(key)
        if field is not None:
            nested = section_of(field.annotation)
            if nested is not None and isinstance(value, Mapping):
                value, inner = convert_units(nested, value)
                conflicts += [((key, *path), message) for path, message in inner]
            out[key] = value
            continue
        target = convertible(key, model.model_fields)
        if target is None:
            out[key] = value
        elif target[0] in raw:
            conflicts.append(((key,), f"gives the same quantity as '{target[0]}'"))
        else:
            out[target[0]] = _scale(value, target[1])
    return out, conflicts


def _scale(value: Any, factor: float) -> Any:
    try:
        return parse_quantity(value).scaled(factor)
    except SpecError:
        return value


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section a field holds, seen through Optional; None for a plain field."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def validate_section(model: type[S], raw: Mapping[str, Any], document: Document, at: Path_ = ()) -> S:
    """Validate a table against a section, reporting every problem with its position.

    Raises
    ------
    InputError holding all problems found.
    """
    section, problems = try_section(model, raw, document, at)
    if section is None:
        raise InputError(problems)
    return section


def try_section(
    model: type[S], raw: Mapping[str, Any], document: Document, at: Path_ = ()
) -> tuple[S | None, list[Problem]]:
    """Like `validate_section`, but hands the problems back so that a caller can gather several tables'."""
    converted, conflicts = convert_units(model, raw)
    found = [(path, message, "keep one of the two", "E104") for path, message in conflicts]
    section: S | None = None
    try:
        section = model.model_validate(converted)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            found += list(_translate(model, item, converted))
    if not found:
        return section, []
    where = Positions(document)
    return None, [where.problem(code, text, (*at, *path), hint) for path, text, hint, code in found]


_MESSAGES = {
    "missing": ("is missing", "add it", "E103"),
    "string_type": ("must be text", "write it in quotes", "E101"),
    "int_type": ("must be a whole number", "write it without a decimal point", "E101"),
    "int_from_float": ("must be a whole number", "write it without a decimal point", "E101"),
    "float_type": ("must be a number", "write a number without quotes", "E101"),
    "bool_type": ("must be true or false", "write true or false without quotes", "E101"),
    "finite_number": ("must be a finite number", "give a finite number", "E101"),
    "date_type": ("must be a date", "write e.g. 2026-11-22, without quotes", "E101"),
    "model_type": ("must be a table", "write it as [section] with keys below", "E101"),
    "model_attributes_type": ("must be a table", "write it as [section] with keys below", "E101"),
    "dict_type": ("must be a table", "write it as [section] with keys below", "E101"),
    "list_type": ("must be a list", "write it in square brackets", "E101"),
    "tuple_type": ("must be a list", "write it in square brackets", "E101"),
}


def _translate(model: type[BaseModel], item: Any, raw: Mapping[str, Any]) -> list[tuple[Path_, str, str, str]]:
    """One pydantic error as (path, message, hint, code) entries."""
    path = tuple(part for part in item["loc"] if not (isinstance(part, str) and part.startswith("function-")))
    kind, found = item["type"], item.get("input")
    if kind == "extra_forbidden":
        return [(path, "is not a known key", _suggest(model, path), "E100")]
    if kind == "quantity":
        return [((*path, *sub), message, hint, "E102") for sub, message, hint in item["ctx"]["items"]]
    if kind == "bounds":
        return [(path, item["ctx"]["text"], item["ctx"]["hint"], "E102")]
    if kind in ("too_short", "too_long"):
        limit = item["ctx"].get("min_length") if kind == "too_short" else item["ctx"].get("max_length")
        size = "at least" if kind == "too_short" else "at most"
        return [(path, f"must have {size} {limit} items", "see the description of the field", "E102")]
    if kind in _MESSAGES:
        message, hint, code = _MESSAGES[kind]
        if kind == "missing":
            return [(path, message, f"add '{path[-1]} = ...' here or name a base scenario", code)]
        return [(path, f"{message}, got {describe(found)}", hint, code)]
    if kind == "string_pattern_mismatch":
        return [(path, f"must be an id of lower-case letters, digits, '.', '_' and '-', got {describe(found)}",
                 "see `aiplan catalog list`", "E102")]  # fmt: skip
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return [(path, f"{message[0].lower()}{message[1:]}, got {describe(found)}", "see the description of the field",
             "E102")]  # fmt: skip


def _suggest(model: type[BaseModel], path: Path_) -> str:
    """What the user probably meant by an unknown key."""
    current: type[BaseModel] | None = model
    for part in path[:-1]:
        field = current.model_fields.get(str(part)) if current else None
        # A table of named sections passes its key on to the section behind it.
        current = section_of(field.annotation) if field else current
        if field is not None and current is None:
            current = next((s for s in map(section_of, get_args(field.annotation)) if s), None)
    known = sorted(current.model_fields) if current else []
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known keys here: {', '.join(known)}" if known else "remove it"


Origin = Callable[[Path_], tuple[str, str, str]]
"""Given a path: source, grade and evidence of a number there that states none."""


def with_sources(section: M, origin: Origin, at: Path_ = ()) -> M:
    """The section with source, grade and evidence of every quantity in it filled in."""
    changes: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        new = _sourced(value, (*at, name), origin)
        if new is not value:
            changes[name] = new
    return section.model_copy(update=changes) if changes else section


def _sourced(value: Any, at: Path_, origin: Origin) -> Any:
    if isinstance(value, Quantity):
        if value.source and value.grade and value.evidence:
            return value
        source, grade, evidence = origin(at)
        # A number that names its own source was looked up there, so it does not inherit "assumed".
        return value.within(source, grade, "published" if value.source and evidence == "assumed" else evidence)
    if isinstance(value, BaseModel):
        return with_sources(value, origin, at)
    if isinstance(value, dict):
        return {key: _sourced(child, (*at, key), origin) for key, child in value.items()}
    return value
