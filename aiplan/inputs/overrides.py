"""``--set path.to.key=value``: the same grammar as a scenario file, one key at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomli

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import is_quantity_table
from aiplan.inputs.reader import Document, parse_toml, printable
from aiplan.units import convertible

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
    name = printable(f"{SET} {text[:_LONGEST_SHOWN]}")
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or "\n" in text:
        raise InputError(Problem("E110", "must read path.to.key=value", file=name,
                                 hint="e.g. --set facility.pue=1.2"))  # fmt: skip
    try:
        tomli.loads(text)
    except (ValueError, RecursionError):
        escaped = value.strip().replace("\\", "\\\\").replace('"', '\\"')
        text = f'{key}= "{escaped}"'
    document = parse_toml(text.encode("utf-8", "surrogatepass"), name)
    if not document.data:  # nothing but a comment
        raise InputError(Problem("E110", "sets nothing", file=name, hint="e.g. --set facility.pue=1.2"))
    return document


_LONGEST_SHOWN = 100


def assign(base: Mapping[str, Any], change: Document) -> dict[str, Any]:
    """``base`` with one override applied: what stands at its key is replaced, tables included.

    >>> assign({"blend": {"a": 1, "b": 1}}, parse_override("blend={a=1}"))
    {'blend': {'a': 1}}
    """
    key = change.text.partition("=")[0]
    path, at = [], tomli.loads(f"{key}=0")
    while isinstance(at, dict):
        ((part, at),) = at.items()
        path.append(part)
    return _assign(base, change.data, len(path))


def _assign(base: Mapping[str, Any], change: Mapping[str, Any], depth: int) -> dict[str, Any]:
    out = {key: value for key, value in base.items() if key in change or not convertible(key, change)}
    for key, value in change.items():
        old = out.get(key)
        goes_on = depth > 1 and isinstance(old, Mapping) and not is_quantity_table(old)
        out[key] = _assign(old, value, depth - 1) if goes_on else value  # type: ignore[arg-type]
    return out


def parse_overrides(texts: Sequence[str]) -> list[Document]:
    """Read every ``--set``.

    Raises
    ------
    InputError with the problems of all of them.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            documents.append(parse_override(text))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return documents


def merge(
    base: Mapping[str, Any],
    change: Mapping[str, Any],
    whole: frozenset[tuple[str, ...]] = frozenset(),
    at: tuple[str, ...] = (),
) -> dict[str, Any]:
    """``base`` with ``change`` laid over it; sections merge, quantities and lists are replaced whole.

    So are the tables at the paths in ``whole``, whose keys are names rather than fields: half of one blend and half of
    another is no blend. A number that ``change`` gives in another unit takes the place of the one in ``base``.
    """
    out = {key: value for key, value in base.items() if key in change or not convertible(key, change)}
    for key, value in change.items():
        old = out.get(key)
        sections = isinstance(old, Mapping) and isinstance(value, Mapping) and (*at, key) not in whole
        if sections and not is_quantity_table(old) and not is_quantity_table(value):
            out[key] = merge(old, value, whole, (*at, key))  # type: ignore[arg-type]
        else:
            out[key] = value
    return out
