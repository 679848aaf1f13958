"""What a stored hostile file says about itself, and what `aiplan` said about it.

A line of the corpus that must be complained about ends in ``#! CODE``, with ``@LINE`` where the complaint belongs
to another line, ``| words of the help`` where the help matters, and ``;;`` between several.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).resolve().parent / "corpus"
MANY = re.compile(r"#! MANY (\d+)")

_MARK = re.compile(r"#!\s+(E\d{3}.*)$")
_ITEM = re.compile(r"(E\d{3})(?: @(\d+))?(?: \| (.*))?")
_ERROR = re.compile(r"error\[(E\d{3})\]: (.*)")
_PLACE = re.compile(r"  --> (.+?)(?::(\d+):(\d+))?")


class Expected(NamedTuple):
    """A complaint that must come."""

    code: str
    line: int
    help: str


class Said(NamedTuple):
    """A complaint that came; line and column are 0 where it named none."""

    code: str
    message: str
    file: str
    line: int
    column: int
    help: str


def expected_of(text: str) -> list[Expected]:
    """Marks of a stored file."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if mark := _MARK.search(line):
            for item in mark[1].split(";;"):
                code, at, words = _ITEM.fullmatch(item.strip()).groups()  # type: ignore[union-attr]
                found.append(Expected(code, int(at or number), (words or "").strip()))
    return found


def said(stderr: str) -> list[Said]:
    """Complaints in the text of stderr."""
    found: list[Said] = []
    for block in re.split(r"\n\n(?=error\[)", stderr):
        lines = block.splitlines()
        head = next((match for line in lines if (match := _ERROR.fullmatch(line))), None)
        if head is None:
            continue
        place = next((match for line in lines if (match := _PLACE.fullmatch(line))), None)
        words = next((line.removeprefix("help: ") for line in lines if line.startswith("help: ")), "")
        file, line, column = place.groups() if place else ("", None, None)
        found.append(Said(head[1], head[2], file, int(line or 0), int(column or 0), words))
    return found
