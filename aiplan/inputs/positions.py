"""Where a value stands in its file. Runs only when a problem is to be shown.

The TOML reader gives values without positions, so this walks the text once more and records line and column of
every key, those inside inline tables and arrays of tables included. It assumes text that tomli has accepted.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiplan.errors import Problem
from aiplan.inputs.reader import QUOTED_OR_COMMENT, Document, Path_, printable, quote
from aiplan.units import convertible

_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*+)*+")
_BARE_KEY = re.compile(r"[^ \t.=\]]*+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*+")
_LONGEST_KEY_SHOWN = 80


class Positions:
    """Key paths of a document mapped to their place in its text."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._starts: list[int] = []
        self._found: dict[Path_, tuple[int, int]] = {}

    def of(self, path: Path_) -> tuple[int, int, int]:
        """Line, column and length of the key at ``path``, or of its nearest located parent; zeros if none.

        A key that the file gives in another unit is found under the name it has there.
        """
        if path and not self._starts:
            self._walk()
        written = as_written(self._document.data, path)
        for end in range(len(written), 0, -1):
            if place := self._found.get(written[:end]):
                line = bisect_right(self._starts, place[0])
                return line, place[0] - self._starts[line - 1] + 1, place[1] - place[0]
        return 0, 0, 0

    def problem(self, code: str, message: str, path: Path_, hint: str = "") -> Problem:
        """A problem at ``path``, with the offending line quoted; a key that stands nowhere is missing on line 1."""
        line, column, length = self.of(path)
        dotted = dotted_path(path)
        text = f"{dotted} {message}" if dotted else message
        if not line:
            first = 1 if path else 0
            return Problem(code, text, dotted, self._document.name, first, first, hint=hint)
        quoted, offset = quote(self._line(line), column)
        return Problem(code, text, dotted, self._document.name, line, column, quoted, length, hint, offset)

    def source(self, path: Path_) -> str:
        """``file:line`` of a value, used as the source of a number that states none."""
        line = self.of(path)[0]
        return f"{self._document.name}:{line}" if line else self._document.name

    def _walk(self) -> None:
        text = self._document.text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        # A text the walker does not follow costs positions, never the message itself.
        with suppress(IndexError, ValueError, RecursionError):
            _Walker(text, self._found).walk()

    def _line(self, line: int) -> str:
        text = self._document.text
        end = self._starts[line] - 1 if line < len(self._starts) else len(text)
        return text[self._starts[line - 1] : end]


def as_written(data: Mapping[str, Any], path: Path_) -> Path_:
    """As much of ``path`` as a file holds, each key as it is spelled there, which may be in another unit.

    >>> as_written({"power": {"rated_power_kw": 10.2}}, ("power", "rated_power_w", "lognormal"))
    ('power', 'rated_power_kw')
    """
    found: list[str | int] = []
    table: Any = data
    for part in path:
        if isinstance(table, list) and isinstance(part, int) and part < len(table):
            table = table[part]
        elif isinstance(table, Mapping) and isinstance(part, str):
            spelled = part if part in table else next((key for key in table if convertible(key, [part])), None)
            if spelled is None:
                break
            part, table = spelled, table[spelled]
        else:
            break
        found.append(part)
    return tuple(found)


def dotted_path(path: Path_) -> str:
    """``("levers", "model", 0)`` as ``levers.model[0]``; keys with dots are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = printable(part[:_LONGEST_KEY_SHOWN]) + "..." * (len(part) > _LONGEST_KEY_SHOWN)
            quoted = f'"{shown}"' if "." in part or not part.isprintable() else shown
            text += f".{quoted}" if text else quoted
    return text


class _Walker:
    """A reader of accepted TOML that only keeps where each key begins and ends."""

    def __init__(self, text: str, found: dict[Path_, tuple[int, int]]) -> None:
        self.text = text + "\n"
        self.at = 0
        self.found = found
        self.arrays: dict[Path_, int] = {}

    def walk(self) -> None:
        table: Path_ = ()
        while self._skip(_BLANK):
            if self.text.startswith("[[", self.at):
                table = self._header(2)
            elif self.text[self.at] == "[":
                table = self._header(1)
            else:
                self._pair(table)

    def _skip(self, what: re.Pattern[str]) -> bool:
        """Move past what matches here; False at the end of the text."""
        match = what.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def _must_have_moved(self, start: int) -> None:
        if self.at == start:
            raise IndexError("this is not the TOML it was taken for")

    def _header(self, brackets: int) -> Path_:
        start = self.at
        self.at += brackets
        parts = self._key("]")
        self.at += brackets
        path: Path_ = ()
        for number, part in enumerate(parts):
            path = (*path, part)
            is_last = number == len(parts) - 1
            if brackets == 2 and is_last:
                self.arrays[path] = self.arrays.get(path, -1) + 1
            self.found.setdefault(path, (start, self.at))
            if path in self.arrays:
                path = (*path, self.arrays[path])
                self.found.setdefault(path, (start, self.at))
        return path

    def _pair(self, table: Path_) -> None:
        start = self.at
        parts = self._key("=")
        end = self.at
        while self.text[end - 1] in " \t":
            end -= 1
        path = table
        for part in parts:
            path = (*path, part)
            self.found.setdefault(path, (start, end))
        self.at += 1
        self._value(path)

    def _key(self, closing: str) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            char = self.text[self.at]
            if char == closing:
                return parts
            if char == ".":
                self.at += 1
            elif char in "\"'":
                start = self.at
                self._skip(QUOTED_OR_COMMENT)
                parts.append(_unquote(self.text[start : self.at]))
            else:
                start = self.at
                self._skip(_BARE_KEY)
                self._must_have_moved(start)
                parts.append(self.text[start : self.at])

    def _value(self, path: Path_) -> None:
        self._skip(_BLANK)
        char = self.text[self.at]
        if char in "\"'":
            self._skip(QUOTED_OR_COMMENT)
        elif char == "[":
            self._items(path, "]")
        elif char == "{":
            self._items(path, "}")
        else:
            self._skip(_BARE_VALUE)

    def _items(self, path: Path_, closing: str) -> None:
        self.at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            char = self.text[self.at]
            if char == closing:
                self.at += 1
                return
            if char == ",":
                self.at += 1
            elif closing == "}":
                self._pair(path)
            else:
                child: Path_ = (*path, index)
                start = self.at
                self._value(child)
                self._must_have_moved(start)
                self.found.setdefault(child, (start, max(self.at, start + 1)))
                index += 1


def _unquote(text: str) -> str:
    import tomli

    (key,) = tomli.loads(f"{text} = 0")
    return str(key)
