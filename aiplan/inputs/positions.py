"""Where a value stands in its file. Runs only when a problem is to be shown.

The TOML reader gives values without positions, so this walks the text once more and records line and column of
every key, those inside inline tables and arrays of tables included. It assumes text that tomli has accepted.
"""

from __future__ import annotations

from aiplan.errors import Problem
from aiplan.inputs.reader import Document, Path_, printable

_SPACE = " \t"
_BLANK = " \t\r\n"


class Positions:
    """Key paths of a document mapped to their place in its text."""

    def __init__(self, document: Document) -> None:
        self._name = document.name
        self._text = document.text
        self._starts = _line_starts(document.text)
        self._found: dict[Path_, tuple[int, int]] = {}
        try:
            _Walker(document.text, self._found).walk()
        except (IndexError, RecursionError):
            # A text the walker does not follow costs positions, never the message itself.
            pass

    def of(self, path: Path_) -> tuple[int, int, int]:
        """Line, column and length of the key at ``path``, or of its nearest located parent; zeros if none."""
        for end in range(len(path), 0, -1):
            if place := self._found.get(path[:end]):
                line = self._line_of(place[0])
                return line, place[0] - self._starts[line - 1] + 1, place[1] - place[0]
        return 0, 0, 0

    def problem(self, code: str, message: str, path: Path_, hint: str = "") -> Problem:
        """A problem at ``path``, with the offending line quoted."""
        line, column, length = self.of(path)
        dotted = dotted_path(path)
        text = f"{dotted} {message}" if dotted else message
        return Problem(code, text, dotted, self._name, line, column, self._line(line), length, hint)

    def source(self, path: Path_) -> str:
        """``file:line`` of a value, used as the source of a number that states none."""
        line = self.of(path)[0]
        return f"{self._name}:{line}" if line else self._name

    def _line_of(self, offset: int) -> int:
        from bisect import bisect_right

        return bisect_right(self._starts, offset)

    def _line(self, line: int) -> str:
        if not line:
            return ""
        end = self._starts[line] - 1 if line < len(self._starts) else len(self._text)
        return printable(self._text[self._starts[line - 1] : end])


def dotted_path(path: Path_) -> str:
    """``("levers", "model", 0)`` as ``levers.model[0]``; keys with dots are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = f'"{printable(part)}"' if "." in part or not part.isprintable() else part
            text += f".{quoted}" if text else quoted
    return text


def _line_starts(text: str) -> list[int]:
    starts = [0]
    starts += [index + 1 for index, char in enumerate(text) if char == "\n"]
    return starts


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

    def _skip(self, characters: str) -> bool:
        """Move past blanks and comments; False at the end of the text."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in characters:
                self.at += 1
            elif char == "#" and "\n" in characters:
                self.at = self.text.index("\n", self.at)
            else:
                return True
        return False

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
            if path in self.arrays:
                path = (*path, self.arrays[path])
            self.found.setdefault(path, (start, self.at))
        return path

    def _pair(self, table: Path_) -> None:
        start = self.at
        parts = self._key("=")
        end = self.at
        while self.text[end - 1] in _SPACE:
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
                self._string()
                parts.append(_unquote(self.text[start : self.at]))
            else:
                start = self.at
                while self.text[self.at] not in _SPACE + ".=]":
                    self.at += 1
                parts.append(self.text[start : self.at])

    def _string(self) -> None:
        quote = self.text[self.at]
        long = self.text.startswith(quote * 3, self.at)
        closing = quote * 3 if long else quote
        self.at += len(closing)
        while not self.text.startswith(closing, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(closing)
        # Up to two quotes may stand directly before the closing three.
        while long and self.text[self.at] == quote:
            self.at += 1

    def _value(self, path: Path_) -> None:
        self._skip(_BLANK)
        char = self.text[self.at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self._items(path, "]")
        elif char == "{":
            self._items(path, "}")
        else:
            while self.text[self.at] not in ",]}#\n":
                self.at += 1

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
                self.found.setdefault(child, (start, max(self.at, start + 1)))
                index += 1


def _unquote(text: str) -> str:
    import tomli

    (key,) = tomli.loads(f"{text} = 0")
    return str(key)
