"""The guarded way in: bytes of a file become plain Python values, or a list of clear problems.

Files are hostile until shown otherwise. Everything is bounded before the parser sees it, and everything that
comes out of the parser is checked once more: TOML allows infinities, control characters and nesting that would
hurt later.
"""

from __future__ import annotations

import math
import os
import re
import stat
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import tomli

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_KEY_PARTS = 16
MAX_DIGITS = 400
MAX_LINES = 50_000
MAX_KEYS = 20_000
MAX_ITEMS = 50_000
MAX_INTEGER = 2**63

Path_ = tuple[str | int, ...]

# Possessive throughout, and an open string runs to the end of its line or file: linear on any text. A file
# with an open string is refused by the parser, so nothing needs to be found behind one.
QUOTED_OR_COMMENT = re.compile(
    r'"""(?:[^"\\]|\\.?+|"(?!""))*+(?:"{3,5})?+'
    r"|'''(?:[^']|'(?!''))*+(?:'{3,5})?+"
    r'|"(?:[^"\\\n]|\\[^\n]?+)*+"?+'
    r"|'[^'\n]*+'?+"
    r"|#[^\n]*+",
    re.DOTALL,
)
# Looking back to the start of a word keeps these linear too.
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS}}}")
_LONG_NUMBER = re.compile(rf"(?<![0-9_])(?:0x[0-9A-Fa-f_]|[0-9_])[0-9A-Fa-f_]{{{MAX_DIGITS}}}")
_WIDEST_QUOTE = 160
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its values, its text for positions, and the name the user knows it by."""

    data: dict[str, Any]
    text: str
    name: str
    path: Path | None = None
    notes: tuple[str, ...] = ()


def read_toml(path: Path, name: str | None = None) -> Document:
    """Read, guard and parse one TOML file.

    Parameters
    ----------
    path : file to read; must be a regular file of at most 1 MiB
    name : name to show in messages, by default the path as given

    Raises
    ------
    InputError naming every problem found.
    """
    shown = name or str(path)
    return parse_toml(read_bytes(path, shown), shown, path)


def read_bytes(path: Path, shown: str, limit: int = MAX_BYTES) -> bytes:
    """Bytes of a regular file of at most ``limit`` bytes.

    Raises
    ------
    InputError for anything else: missing, unreadable, a folder, a pipe, a device, too large.
    """

    def refuse(code: str, message: str, hint: str) -> InputError:
        return InputError(Problem(code, message, file=shown, hint=hint))

    try:
        # Non-blocking, so that a FIFO without a writer is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except FileNotFoundError:
        raise refuse("E001", "no such file", "check the path; `aiplan init` writes a scenario to start from") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refuse("E007", f"cannot be opened: {reason}", "give a readable file") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise refuse("E008", "is not a regular file", "give a file, not a folder, pipe or device")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise refuse("E007", f"cannot be read: {error.strerror}", "give a readable file") from None
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise refuse("E002", f"has more than {limit:,} bytes", "split the file")
    return content


def parse_toml(raw: bytes, shown: str, path: Path | None = None) -> Document:
    """Parse bytes that claim to be TOML, with every guard. See `read_toml`."""
    notes: tuple[str, ...] = ()
    if raw.startswith(b"\xef\xbb\xbf"):
        raw, notes = raw[3:], ("a byte-order mark at the start was ignored",)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        before = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start]
        raise InputError(Problem("E003", "is not valid UTF-8", "", shown, line, len(before.decode()) + 1,
                                 hint="save the file as UTF-8")) from None  # fmt: skip
    _guard_text(text, shown)
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise InputError(_syntax_problem(error, text, shown)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(Problem("E004", f"cannot be read: {reason}", "", shown, 1, 1,
                                 hint="simplify the file")) from None  # fmt: skip
    document = Document(data, text, shown, path, notes)
    check_values(document)
    return document


def _guard_text(text: str, shown: str) -> None:
    """Bound nesting, keys and numbers before the parser has to cope with them."""
    problems: list[Problem] = []

    def complain(position: int, message: str, hint: str) -> None:
        problems.append(_problem_at("E005", message, text, position, shown, hint))

    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        problems.append(Problem("E005", f"has {lines:,} lines, more than {MAX_LINES:,}", "", shown, MAX_LINES + 1, 1,
                                hint="split the file"))  # fmt: skip
    bare = QUOTED_OR_COMMENT.sub(_blank, text)
    for mark, limit, what in (("=", MAX_KEYS, "keys"), (",", MAX_ITEMS, "items"), (".", MAX_ITEMS, "dots")):
        if (count := bare.count(mark)) > limit:
            problems.append(Problem("E005", f"has {count:,} {what}, more than {limit:,}", "", shown, 1, 1,
                                    hint="split the file"))  # fmt: skip
    depth = 0
    for match in re.finditer(r"[\[{\]}]", bare):
        depth += 1 if match[0] in "[{" else -1
        if depth > MAX_DEPTH:
            complain(match.start(), f"nests more than {MAX_DEPTH} deep", "flatten the structure")
            break
    if long_key := _LONG_KEY.search(bare):
        complain(long_key.start(), f"has a key of more than {MAX_KEY_PARTS} parts", "shorten the key")
    if long_number := _LONG_NUMBER.search(bare):
        complain(long_number.start(), f"has a number of more than {MAX_DIGITS} digits", "round it")
    if problems:
        raise InputError(problems)


def _blank(match: re.Match[str]) -> str:
    """Filler of the same length and lines, so that offsets stay those of the file; a quoted key stays a word."""
    found = match[0]
    fill = " " if found[0] == "#" else "x"
    return "\n".join(fill * len(line) for line in found.split("\n"))


def _problem_at(code: str, message: str, text: str, position: int, shown: str, hint: str) -> Problem:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    column = position - start + 1
    quoted, offset = quote(text[start : end if end >= 0 else len(text)], column)
    return Problem(code, message, "", shown, text.count("\n", 0, start) + 1, column, quoted, 1, hint, offset)


def quote(line: str, column: int) -> tuple[str, int]:
    """The part of a line around a column that is fit to be printed, and how many characters were left out before.

    >>> quote("pue = 1.2", 1)
    ('pue = 1.2', 0)
    """
    offset = max(column - _WIDEST_QUOTE // 2, 0) if len(line) > _WIDEST_QUOTE else 0
    return printable(line[offset : offset + _WIDEST_QUOTE]), offset


def printable(text: str) -> str:
    """Text of a hostile file, made safe to repeat in a message: what is no character becomes a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def _syntax_problem(error: tomli.TOMLDecodeError, text: str, shown: str) -> Problem:
    message = f"TOML syntax: {printable(error.msg)[:_WIDEST_QUOTE]}"
    return _problem_at("E004", message, text, min(error.pos, len(text)), shown, "see https://toml.io for the syntax")


def check_values(document: Document) -> None:
    """Refuse values that TOML allows and a planner cannot use; all of them at once.

    Raises
    ------
    InputError for non-finite numbers, integers beyond 64 bits, control or bidirectional characters, lone
    surrogates, and too many keys.
    """
    found: list[tuple[Path_, str, str]] = []
    keys = 0
    stack: list[tuple[Path_, Any]] = [((), document.data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            keys += len(value)
            for key in value:
                if reason := bad_text(key):
                    found.append(((*path, key), f"is a key that {reason}", "use letters, digits, '-', '_' and '.'"))
            stack.extend(((*path, key), child) for key, child in reversed(value.items()))
        elif isinstance(value, list):
            stack.extend(((*path, index), child) for index, child in reversed(list(enumerate(value))))
        elif reason := _bad_scalar(value):
            found.append((path, reason, "give an ordinary finite value"))
    if keys > MAX_KEYS:
        found.append(((), f"has {keys:,} keys, more than {MAX_KEYS:,}", "split the file"))
    if found:
        from aiplan.inputs.positions import Positions

        where = Positions(document)
        shown = [where.problem("E006", message, path, hint) for path, message, hint in found[:MAX_PROBLEMS_SHOWN]]
        raise InputError(shown, len(found) - len(shown))


def _bad_scalar(value: Any) -> str:
    if isinstance(value, bool | date | datetime | time):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, got {value}"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return "is an integer beyond 64 bits"
    return bad_text(value) if isinstance(value, str) else ""


def bad_text(text: str) -> str:
    """Why a text may not enter, or an empty string."""
    if text.isascii() and text.isprintable():
        return ""
    for char in text:
        if char in "\n\t":
            continue
        category = unicodedata.category(char)
        if category in {"Cc", "Cs"}:
            return f"holds the control character U+{ord(char):04X}"
        if char in _BIDI:
            return f"holds the text-direction character U+{ord(char):04X}"
    return ""
