"""Field types of scenario sections and catalog entries, and the way from pydantic's errors to ours.

Every section is strict (no text for a number, no boolean for an integer), frozen, and refuses unknown keys.
The docstring under a field is its description in the schema and in the docs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar, get_args
from unicodedata import normalize

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetPydanticSchema, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

import aiplan.inputs.no_plugins  # noqa: F401 - must run before pydantic builds its first model
from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, in_reading_order
from aiplan.inputs.conversion import convert_units, section_of
from aiplan.inputs.quantity import Quantity, describe, parse_quantity
from aiplan.inputs.reader import Document, Path_
from aiplan.uncertainty.distributions import Choice, Constant, Empirical, SpecError


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


class Limits(NamedTuple):
    """Physical bounds of a quantity, kept with its annotation."""

    low: float
    high: float


S = TypeVar("S", bound=Section)
M = TypeVar("M", bound=BaseModel)


# Far outside anything physical, and products of ten such numbers are still numbers.
_SMALLEST, _LARGEST = 1e-30, 1e30
_RARE = 1e-6


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
        extremes = (found.value, found.distribution.quantile(_RARE), found.distribution.quantile(1 - _RARE))
        if 0 < abs(found.value) < _SMALLEST or max(map(abs, extremes)) > _LARGEST:
            text = f"must be 0 or lie between {_SMALLEST:g} and {_LARGEST:g} in size"
            raise PydanticCustomError("bounds", "{text}", {"text": text, "hint": "check the value and its unit"})
        nominal = sane or (low if above is None else above, high)
        if not nominal[0] <= found.value <= nominal[1] or (above is not None and found.value <= above):
            text = f"must be {_bounds(*nominal, None if sane else above)}, got {found.value:g}"
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

    def schema(_source: Any, _handler: Callable[[Any], core_schema.CoreSchema]) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(validate)

    def json_schema(_core: core_schema.CoreSchema, _handler: Any) -> dict[str, Any]:
        from aiplan.inputs.schema import quantity_schema

        return quantity_schema(low, high, above)

    return Annotated[
        Quantity,
        GetPydanticSchema(get_pydantic_core_schema=schema, get_pydantic_json_schema=json_schema),
        Limits(low if above is None else above, high),
    ]


def quantity_bounds(field: FieldInfo) -> list[float | None] | None:
    """Bounds ``truncate = true`` cuts a field's distribution at, None for an infinite end; None for no quantity."""
    for item in _metadata(field):
        if isinstance(item, Limits):
            return [bound if abs(bound) < float("inf") else None for bound in item]
    return None


def _metadata(field: FieldInfo) -> list[Any]:
    """What a field's annotation carries, seen through Optional."""
    optional = (item for part in get_args(field.annotation) for item in getattr(part, "__metadata__", ()))
    return [*field.metadata, *optional]


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
Text = Annotated[str, Field(max_length=4000), AfterValidator(lambda text: normalize("NFC", text))]


class NamesFile(NamedTuple):
    """Mark of a text that names a file to read.

    ``beside`` says that a scenario file means one in its own folder; others are paths from where the command runs, or
    traces that ship with aiplan.
    """

    beside: bool = False


FileName = Annotated[Text, NamesFile()]
"""A file to read; no output of the run goes over it."""
FileBeside = Annotated[Text, NamesFile(beside=True)]


class Finding(NamedTuple):
    """Something wrong with a table, before it is known where in which file it stands."""

    path: Path_
    message: str
    hint: str
    code: str


def validate_section(model: type[S], raw: Mapping[str, Any], document: Document, at: Path_ = ()) -> S:
    """Validate a table against a section, reporting every problem with its position.

    Raises
    ------
    InputError holding all problems found.
    """
    section, found, more = check_section(model, raw)
    if section is None:
        from aiplan.inputs.positions import Positions

        where = Positions(document)
        problems = [where.problem(code, text, (*at, *path), hint) for path, text, hint, code in found]
        raise InputError(in_reading_order(problems), more)
    return section


def check_section(model: type[S], raw: Mapping[str, Any]) -> tuple[S | None, list[Finding], int]:
    """The section, or None with what is wrong with the table; the last number counts what is wrong beyond that."""
    converted, conflicts = convert_units(model, raw)
    found = [Finding(path, message, "keep one of the two", "E104") for path, message in conflicts]
    section: S | None = None
    more = 0
    try:
        section = model.model_validate(converted)
    except ValidationError as error:
        items = error.errors(include_url=False)
        # Suggestions cost time, and a hostile file has thousands of unknown keys.
        more = max(len(items) - _MOST_FINDINGS, 0)
        bad = {item["loc"][:-1] for item in items}
        for item in items[:_MOST_FINDINGS]:
            # A list with a bad item counts as shorter to pydantic; the item is what is wrong.
            if not (item["type"] == "too_short" and item["loc"] in bad):
                found += _translate(model, item)
    return (None if found else section), found, more


_MOST_FINDINGS = 4 * MAX_PROBLEMS_SHOWN


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


def _translate(model: type[BaseModel], item: Any) -> list[Finding]:
    """What pydantic found, in our words."""
    path = tuple(part for part in item["loc"] if not (isinstance(part, str) and part.startswith("function-")))
    kind, found = item["type"], item.get("input")
    if path[-1:] == ("[key]",):  # pydantic's way to say that the key itself is wrong
        path = path[:-1]
    if kind == "extra_forbidden":
        return [Finding(path, "is not a known key", _suggest(model, path), "E100")]
    if kind == "quantity":
        return [Finding((*path, *sub), message, hint, "E102") for sub, message, hint in item["ctx"]["items"]]
    if kind == "bounds":
        return [Finding(path, item["ctx"]["text"], item["ctx"]["hint"], "E102")]
    if kind == "literal_error":
        hint = _nearest(str(found), re.findall("'([^']*)'", item["ctx"]["expected"])) or "choose one of them"
        return [Finding(path, f"must be {item['ctx']['expected']}, got {describe(found)}", hint, "E102")]
    if kind in ("too_short", "too_long"):
        limit = item["ctx"].get("min_length") if kind == "too_short" else item["ctx"].get("max_length")
        size = "at least" if kind == "too_short" else "at most"
        return [Finding(path, f"must have {size} {limit} items", "see the description of the field", "E102")]
    if kind in _MESSAGES:
        message, hint, code = _MESSAGES[kind]
        if kind == "missing":
            return [Finding(path, message, f"add '{path[-1]} = ...' here or name a base scenario", code)]
        return [Finding(path, f"{message}, got {describe(found)}", hint, code)]
    if kind == "string_pattern_mismatch":
        return [Finding(path, f"must be an id of lower-case letters, digits, '.', '_' and '-', got {describe(found)}",
                        "see `aiplan catalog list`", "E102")]  # fmt: skip
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return [Finding(path, f"{message[0].lower()}{message[1:]}, got {describe(found)}",
                    "see the description of the field", "E102")]  # fmt: skip


def _suggest(model: type[BaseModel], path: Path_) -> str:
    """What the user probably meant by an unknown key."""
    current: type[BaseModel] | None = model
    for part in path[:-1]:
        field = current.model_fields.get(str(part)) if current else None
        # A table of named sections passes its key on to the section behind it.
        current = section_of(field.annotation) if field else current
    known = sorted(current.model_fields) if current else []
    return _nearest(str(path[-1]), known) or (f"known keys here: {', '.join(known)}" if known else "remove it")


def _nearest(text: str, known: list[str]) -> str:
    near = difflib.get_close_matches(text[:_LONGEST_KEY], known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


_LONGEST_KEY = 80


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


def named_files(value: Any) -> Iterator[tuple[str, NamesFile]]:
    """Every text in a section, however deep, that names a file to read."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            found = getattr(value, name)
            mark = next((item for item in _metadata(field) if isinstance(item, NamesFile)), None)
            if mark is not None and found:
                yield found, mark
            yield from named_files(found)
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from named_files(item)


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
