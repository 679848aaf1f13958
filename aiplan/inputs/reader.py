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

from aiplan.errors import InputError, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_KEY_PARTS = 16
MAX_DIGITS = 400
MAX_LINES = 50_000
MAX_KEYS = 20_000
MAX_INTEGER = 2**63

Path_ = tuple[str | int, ...]

_STRING_OR_COMMENT = re.compile(
    r'"""(?:[^\\]|\\.)*?"""' r"|'''.*?'''" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'" r"|#[^\n]*",
    re.DOTALL,
)
_LONG_KEY = re.compile(r"(?:(?:[A-Za-z0-9_-]+|\"\")[ \t]*\.[ \t]*){%d}" % MAX_KEY_PARTS)
_LONG_NUMBER = re.compile(r"[0-9_]{%d}" % (MAX_DIGITS + 1))
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

    def refuse(message: str, hint: str, code: str = "E001") -> InputError:
        return InputError(Problem(code, message, file=shown, hint=hint))

    try:
        # Non-blocking, so that a FIFO without a writer is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise refuse("no such file", "check the path; `aiplan init` writes a scenario to start from") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refuse(f"cannot be opened: {reason}", "give a readable TOML file") from None
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise refuse("is not a regular file", "give a file, not a folder, pipe or device")
        if info.st_size > limit:
            raise refuse(f"has {info.st_size:,} bytes, more than {limit:,}", "split the file", "E002")
        return file.read(limit)


def parse_toml(raw: bytes, shown: str, path: Path | None = None) -> Document:
    """Parse bytes that claim to be TOML, with every guard. See `read_toml`."""
    notes: tuple[str, ...] = ()
    if raw.startswith(b"\xef\xbb\xbf"):
        raw, notes = raw[3:], ("a byte-order mark at the start was ignored",)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        problem = Problem("E003", "is not valid UTF-8", file=shown, line=line, column=column)
        raise InputError(_with_hint(problem, "save the file as UTF-8")) from None
    _guard_text(text, shown)
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise InputError(_syntax_problem(error, text, shown)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        problem = Problem("E004", f"cannot be read: {reason}", file=shown)
        raise InputError(_with_hint(problem, "simplify the file")) from None
    document = Document(data, text, shown, path, notes)
    check_values(document)
    return document


def _with_hint(problem: Problem, hint: str) -> Problem:
    from dataclasses import replace

    return replace(problem, hint=hint)


def _guard_text(text: str, shown: str) -> None:
    """Bound nesting, keys and numbers before the parser has to cope with them."""
    problems: list[Problem] = []

    def complain(position: int, message: str, hint: str) -> None:
        line, column, content = locate_offset(text, position)
        problems.append(Problem("E005", message, "", shown, line, column, content, 1, hint))

    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        problems.append(Problem("E005", f"has {lines:,} lines, more than {MAX_LINES:,}", file=shown,
                                hint="split the file"))  # fmt: skip
    bare = _STRING_OR_COMMENT.sub(_blank, text)
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
    """Same-length filler, so that offsets stay those of the file."""
    found = match[0]
    if found[0] == "#":
        return " " * len(found)
    return '""' + "".join("\n" if char == "\n" else "_" for char in found[2:])


def locate_offset(text: str, offset: int) -> tuple[int, int, str]:
    """1-based line and column of an offset, and that line's printable text."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : end if end >= 0 else len(text)]
    return text.count("\n", 0, offset) + 1, offset - start + 1, printable(line)


def printable(line: str) -> str:
    """A line of a hostile file, made safe and short enough to quote in a message."""
    clean = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in line)
    return clean if len(clean) <= 160 else clean[:157] + "..."


def _syntax_problem(error: tomli.TOMLDecodeError, text: str, shown: str) -> Problem:
    line, column, content = locate_offset(text, min(error.pos, len(text)))
    message = printable(error.msg)
    return Problem("E004", f"TOML syntax: {message}", "", shown, line, column, content, 1,
                   "see https://toml.io for the syntax")  # fmt: skip


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
            for key, child in value.items():
                if reason := bad_text(key):
                    found.append((path, f"a key {reason}", "use letters, digits, '-', '_' and '.'"))
                stack.append(((*path, key), child))
        elif isinstance(value, list):
            stack.extend(((*path, index), child) for index, child in enumerate(value))
        elif reason := _bad_scalar(value):
            found.append((path, reason, "give an ordinary finite value"))
    if keys > MAX_KEYS:
        found.append(((), f"has {keys:,} keys, more than {MAX_KEYS:,}", "split the file"))
    if found:
        from aiplan.inputs.positions import Positions

        where = Positions(document)
        raise InputError([where.problem("E006", message, path, hint) for path, message, hint in found])


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
    for char in text:
        if char in "\n\t":
            continue
        category = unicodedata.category(char)
        if category in {"Cc", "Cs"}:
            return f"holds the control character U+{ord(char):04X}"
        if char in _BIDI:
            return f"holds the text-direction character U+{ord(char):04X}"
    return ""
