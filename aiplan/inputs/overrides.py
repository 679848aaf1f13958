"""``--set path.to.key=value``: the same grammar as a scenario file, one key at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomli

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import is_quantity_table
from aiplan.inputs.reader import Document, parse_toml

SET = "--set"


def parse_override(text: str) -> Document:
    """Read one ``key=value``; a value that is no TOML is taken as text.

    Raises
    ------
    InputError when there is no ``=``, the key is no TOML key, or a guard is violated.

    >>> parse_override("serving.server=dgx-h200").data
    {'serving': {'server': 'dgx-h200'}}
    >>> parse_override("facility.pue=1.2").data
    {'facility': {'pue': 1.2}}
    """
    name = f"{SET} {text}"
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or "\n" in text:
        raise InputError(Problem("E110", "must read path.to.key=value", file=name[:100],
                                 hint="e.g. --set facility.pue=1.2"))  # fmt: skip
    try:
        tomli.loads(text)
    except (ValueError, RecursionError):
        escaped = value.strip().replace("\\", "\\\\").replace('"', '\\"')
        text = f'{key}= "{escaped}"'
    return parse_toml(text.encode("utf-8", "surrogatepass"), SET)


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` laid over it; sections merge, quantities and lists are replaced whole."""
    out = dict(base)
    for key, value in change.items():
        old = out.get(key)
        sections = isinstance(old, Mapping) and isinstance(value, Mapping)
        if sections and not is_quantity_table(old) and not is_quantity_table(value):
            out[key] = merge(old, value)  # type: ignore[arg-type]
        else:
            out[key] = value
    return out


def leaves(data: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of the values a table sets, quantities counting as one value."""
    found: list[tuple[str, ...]] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and not is_quantity_table(value):
            found += leaves(value, (*prefix, key))
        else:
            found.append((*prefix, key))
    return found


def apply(data: Mapping[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], set[tuple[str, ...]]]:
    """Lay every ``--set`` over the data; also the paths they touched.

    Raises
    ------
    InputError with the problems of all of them.
    """
    problems: list[Problem] = []
    merged, touched = dict(data), set[tuple[str, ...]]()
    for text in overrides:
        try:
            document = parse_override(text)
        except InputError as error:
            problems += error.problems
            continue
        merged = merge(merged, document.data)
        touched.update(leaves(document.data))
    if problems:
        raise InputError(problems)
    return merged, touched
