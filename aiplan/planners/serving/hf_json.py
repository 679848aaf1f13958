"""The guarded way from the bytes of a ``config.json`` to its keys, each of the type and size that was asked for.

Such files come from anywhere. Size, nesting and encoding are bounded before the parser sees them; keys are checked
when they are read, since a config holds many that no shape needs (an infinite time step among them). What is wrong is
gathered, so that a file is refused once with everything it lacks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem
from aiplan.inputs.reader import printable, quote, read_bytes

MAX_DEPTH = 32
MAX_DIGITS = 400
MAX_COUNT = 10**9
MAX_LAYERS = 10_000

# Possessive, and an open string runs to the end: linear on any text.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?+', re.DOTALL)
_WIDEST_TEXT = 80


@dataclass(slots=True)
class Findings:
    """What is wrong with a file, and what its reader should know."""

    file: str
    text: str
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _positions: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, path: str, message: str, hint: str) -> None:
        """Note a problem with a key, and where the key stands if that is plain."""
        line, column, quoted, length, offset = 0, 0, "", 1, 0
        name = path.rpartition(".")[2]
        if len(self.problems) < MAX_PROBLEMS_SHOWN and (position := self._position(f'"{name}"')) >= 0:
            line, column, quoted, offset = _place(self.text, position)
            length = len(name) + 2
        self.problems.append(Problem(code, message, path, self.file, line, column, quoted, length, hint, offset))

    def _position(self, quoted_name: str) -> int:
        """Where a key stands in the text, -1 where it does not or a text of the same name makes that unclear."""
        if not self._positions:
            for match in _STRING.finditer(self.text):
                self._positions[match[0]] = -1 if match[0] in self._positions else match.start()
        return self._positions.get(quoted_name, -1)

    def refuse(self) -> None:
        """Raise what was found, if anything.

        Raises
        ------
        InputError with the problems, and how many there are beyond those shown.
        """
        if self.problems:
            shown = self.problems[:MAX_PROBLEMS_SHOWN]
            raise InputError(shown, len(self.problems) - len(shown))


def _place(text: str, position: int) -> tuple[int, int, str, int]:
    """Line and column of a position, the line fit to be printed, and how many characters of it were left out."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    column = position - start + 1
    quoted, offset = quote(text[start : end if end >= 0 else len(text)], column)
    return text.count("\n", 0, start) + 1, column, quoted, offset


def read_object(path: Path, shown: str) -> tuple[dict[str, Any], str]:
    """The JSON object in a file, and its text.

    Parameters
    ----------
    path : file to read; a regular file of at most 1 MiB, nested at most 32 deep
    shown : name to show in messages

    Raises
    ------
    InputError for what cannot be read, is no JSON, is cut off, gives a key two values, or is no object.
    """
    try:
        raw = read_bytes(path, shown)
    except InputError as error:
        hint = "give the config.json of a model"
        raise InputError([replace(problem, hint=hint) for problem in error.problems]) from None
    text = _decode(raw, shown)
    _bound(text, shown)
    findings = Findings(shown, text)

    def whole(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in pairs:
            # The same value twice does no harm; repr tells nan from nan and 1 from true as == does not.
            if key in values and repr(values[key]) != repr(value):
                name = printable(key)[:_WIDEST_TEXT]
                findings.add("E190", name, f"{name} is given twice, with different values", "keep one of them")
            values[key] = value
        return values

    try:
        data = json.loads(text, object_pairs_hook=whole, parse_int=_integer)
    except json.JSONDecodeError as error:
        line, column, quoted, offset = _place(text, min(error.pos, len(text)))
        message = f"JSON syntax: {printable(error.msg)[:_WIDEST_TEXT]}"
        hint = "give the whole file, as the vendor published it"
        raise InputError(Problem("E190", message, "", shown, line, column, quoted, 1, hint, offset)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        message = f"cannot be read: {printable(str(error))[:_WIDEST_TEXT]}"
        raise InputError(Problem("E190", message, "", shown, hint="simplify the file")) from None
    findings.refuse()
    if not isinstance(data, dict):
        message = f"holds {describe(data)} where a model's config is an object"
        raise InputError(Problem("E191", message, "", shown, 1, 1, hint="give the config.json of a model"))
    return data, text


def _integer(digits: str) -> int | float:
    """An integer, or infinity for one so long that its digits alone would take time."""
    return int(digits) if len(digits) <= MAX_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _decode(raw: bytes, shown: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem("E003", "is not valid UTF-8", "", shown, line, 1, hint="save the file as UTF-8")
        raise InputError(problem) from None


def _bound(text: str, shown: str) -> None:
    """Refuse nesting that would exhaust a parser which calls itself."""
    depth = 0
    for match in re.finditer(r"[\[{\]}]", _STRING.sub(lambda found: " " * len(found[0]), text)):
        depth += 1 if match[0] in "[{" else -1
        if depth > MAX_DEPTH:
            line, column, quoted, offset = _place(text, match.start())
            message = f"nests more than {MAX_DEPTH} deep"
            hint = "give the config.json of a model"
            raise InputError(Problem("E005", message, "", shown, line, column, quoted, 1, hint, offset))


def describe(value: Any) -> str:
    """A value of a hostile file in words fit for a message."""
    kinds = {dict: "an object", list: "a list", bool: str(value).lower() if isinstance(value, bool) else ""}
    if type(value) in kinds:
        return kinds[type(value)]
    if isinstance(value, str):
        return f"the text '{printable(value)[:_WIDEST_TEXT]}'"
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of more than 18 digits"
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


class Keys:
    """Keys of one object of a config, by name, type and range; the first of several names that is not null counts.

    A key that is wrong or missing is noted among the findings and answered with the least value that is allowed, so
    that reading goes on and finds the next.
    """

    def __init__(self, data: Mapping[str, Any], findings: Findings, prefix: str = "") -> None:
        self._data = data
        self.findings = findings
        self._prefix = prefix
        self._told: set[str] = set()

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        return next(((name, self._data[name]) for name in names if self._data.get(name) is not None), (names[0], None))

    def complain(self, code: str, name: str, message: str, hint: str) -> None:
        """Note a problem with a key of this object, once."""
        path = f"{self._prefix}{name}"
        if path not in self._told:
            self._told.add(path)
            self.findings.add(code, path, f"{path} {message}", hint)

    def has(self, *names: str) -> bool:
        """Whether one of the names holds something other than null."""
        return self._find(names)[1] is not None

    def is_null(self, name: str) -> bool:
        """Whether a key is there and says nothing, which switches off what the class would have without it."""
        return name in self._data and self._data[name] is None

    def sound(self, *names: str) -> bool:
        """Whether nothing was wrong with any of these keys so far, so that others may be held against them."""
        return not any(f"{self._prefix}{name}" in self._told for name in names)

    def matters(self, name: str) -> bool:
        """Whether a key holds something beside nothing: not null, false, 0 or empty."""
        return bool(self._data.get(name))

    def holds_list(self, name: str) -> bool:
        """Whether a key that may hold a number or a list holds a list."""
        return isinstance(self._data.get(name), list)

    def section(self, name: str) -> Keys | None:
        """The keys of a nested object, None where there is none."""
        value = self._data.get(name)
        if value is None:
            return None
        if isinstance(value, dict):
            return Keys(value, self.findings, f"{self._prefix}{printable(name)[:_WIDEST_TEXT]}.")
        self._wrong_type(name, "an object", value)
        return None

    def sections(self, name: str) -> list[Keys]:
        """Objects nested in an object of groups."""
        outer = self.section(name)
        inner = [outer.section(key) for key in outer._data] if outer else []
        return [keys for keys in inner if keys]

    def _wrong_type(self, name: str, wanted: str, value: Any) -> None:
        hint = "write it as the vendor's config does"
        self.complain("E192", name, f"must be {wanted}, got {describe(value)}", hint)

    def count(self, *names: str, default: int | None = None, least: int = 1, most: int = MAX_COUNT) -> int:
        """A whole number between two bounds; without a default the key must be there."""
        name, value = self._find(names)
        if value is None:
            if default is None:
                others = f", or {' or '.join(names[1:])}" if names[1:] else ""
                self.complain("E194", name, "is missing, and the shape cannot be told without it", f"add it{others}")
            return least if default is None else default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong_type(name, "a whole number", value)
            return least
        if not least <= value <= most:  # as with nan, which compares with nothing
            message = f"must be a whole number from {least:,} to {most:,}, got {describe(value)}"
            self.complain("E193", name, message, "check the value")
            return least
        if value != int(value):
            self._wrong_type(name, "a whole number", value)
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        """A truth value."""
        value = self._data.get(name)
        if value is not None and not isinstance(value, bool):
            self._wrong_type(name, "true or false", value)
        return value if isinstance(value, bool) else default

    def text(self, *names: str, default: str = "", most: int = _WIDEST_TEXT) -> str:
        """A text, fit to be printed; what goes beyond ``most`` characters is dropped."""
        name, value = self._find(names)
        if value is not None and not isinstance(value, str):
            self._wrong_type(name, "a text", value)
        return printable(value)[:most] if isinstance(value, str) else default

    def texts(self, name: str, length: int | None = None) -> list[str] | None:
        """A list of texts, one per layer where a length is given; None where it is absent or wrong."""
        found = self._list(name, str, "texts", length)
        return None if found is None else [printable(text)[:_WIDEST_TEXT] for text in found]

    def counts(self, name: str, length: int | None = None) -> list[int] | None:
        """A list of whole numbers not below 0, one per layer where a length is given."""
        found = self._list(name, int, "whole numbers", length)
        if found is not None and any(isinstance(value, bool) or value < 0 for value in found):
            self._wrong_type(name, "a list of whole numbers not below 0", found)
            return None
        return found

    def _list(self, name: str, kind: type, what: str, length: int | None) -> list[Any] | None:
        value = self._data.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            self._wrong_type(name, f"a list of {what}", value)
            return None
        if length is not None and len(value) != length:
            message = f"must name each of {length:,} layers, got {len(value):,}"
            self.complain("E193", name, message, "check it against num_hidden_layers")
            return None
        return value
