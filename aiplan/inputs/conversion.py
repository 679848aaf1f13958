"""Numbers given in another unit than their field's: recognised by name, converted when the field reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from aiplan.inputs.quantity import InUnit, Quantity, is_quantity_table
from aiplan.inputs.reader import Path_
from aiplan.units import convertible


def convert_units(model: type[BaseModel], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[Path_, str]]]:
    """Rename keys given in another unit of the same kind and scale their numbers.

    Returns the converted table and the conflicts (a quantity given twice in two units), by path.
    """
    out: dict[str, Any] = {}
    conflicts: list[tuple[Path_, str]] = []
    for key, value in raw.items():
        field = model.model_fields.get(key)
        if field is not None:
            out[key], inner = _convert_within(field.annotation, value)
            conflicts += [((key, *path), message) for path, message in inner]
            continue
        target = convertible(key, [name for name, field in model.model_fields.items() if _is_number(field.annotation)])
        if target is None:
            out[key] = value
        elif target[0] in raw or target[0] in out:
            conflicts.append(((key,), f"gives the same quantity as '{target[0]}'"))
        else:
            out[target[0]] = _in_unit(model.model_fields[target[0]].annotation, value, target[1])
    return out, conflicts


def _convert_within(annotation: Any, value: Any) -> tuple[Any, list[tuple[Path_, str]]]:
    """`convert_units` for every section in a field's value: the one, or those of a table or list of them."""
    nested = section_of(annotation)
    if nested is None:
        return value, []
    if isinstance(value, Mapping) and not _is_table(annotation):
        return convert_units(nested, value)
    if not isinstance(value, Mapping | list):
        return value, []
    items: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
    out, conflicts = {}, []
    for key, item in items:
        out[key] = item
        if isinstance(item, Mapping):
            out[key], inner = convert_units(nested, item)
            conflicts += [((key, *path), message) for path, message in inner]
    return out if isinstance(value, Mapping) else list(out.values()), conflicts


def _in_unit(annotation: Any, value: Any, factor: float) -> Any:
    """A number, or each number of a table of them, marked as written in another unit than the field's."""
    if _is_table(annotation) and isinstance(value, Mapping) and not is_quantity_table(value):
        return {key: InUnit(item, factor) for key, item in value.items()}
    return InUnit(value, factor)


def _is_number(annotation: Any) -> bool:
    """Whether a field holds quantities, seen through Optional and tables by name."""
    return annotation is Quantity or any(map(_is_number, get_args(annotation)))


def _is_table(annotation: Any) -> bool:
    """Whether a field is a table whose keys are names."""
    return any(get_origin(candidate) is dict for candidate in (annotation, *get_args(annotation)))


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section a field holds, seen through Optional, tables and lists; None for a plain field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(section_of, get_args(annotation))), None)


def tables_of_names(model: type[BaseModel], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the tables whose keys are names and whose values are no sections, such as the weights of a blend."""
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        if get_origin(field.annotation) is dict:
            if section_of(get_args(field.annotation)[1]) is None:
                yield (*at, name)
        elif section is not None:
            yield from tables_of_names(section, (*at, name))
