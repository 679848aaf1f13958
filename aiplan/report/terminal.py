"""What the other end of stdout can show: width, colour, character set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

DEFAULT_WIDTH = 80


class Stream(Protocol):
    """The part of a text stream that tells what it leads to."""

    @property
    def encoding(self) -> str | None: ...

    def isatty(self) -> bool: ...

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Terminal:
    """How to draw: ``width`` None means as wide as the content needs. The defaults suit a file."""

    is_terminal: bool = False
    width: int | None = None
    color: bool = False
    encoding: str = "utf-8"


def is_unicode(encoding: str) -> bool:
    """Whether an encoding can write every character.

    >>> is_unicode("UTF-8"), is_unicode("ANSI_X3.4-1968")
    (True, False)
    """
    return encoding.lower().replace("_", "-").startswith("utf")


def _width(stream: Stream, environ: Mapping[str, str]) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH
    except (OSError, ValueError):
        return DEFAULT_WIDTH


def _color(is_terminal: bool, environ: Mapping[str, str]) -> bool:
    if environ.get("NO_COLOR"):
        return False
    forced = environ.get("FORCE_COLOR", "")
    if forced:
        return forced.lower() not in ("0", "false")
    return is_terminal and environ.get("TERM") != "dumb"


def detect(stream: Stream | None, environ: Mapping[str, str], color: str = "auto") -> Terminal:
    """What ``stream`` can show, given the environment.

    Parameters
    ----------
    stream : usually ``sys.stdout``; None when it is closed
    environ : COLUMNS sets a terminal's width; NO_COLOR, then FORCE_COLOR, then TERM=dumb decide on colour
    color : ``auto``, or ``always`` / ``never`` to overrule the environment
    """
    if stream is None:
        return Terminal()
    try:
        is_terminal = stream.isatty()
    except ValueError:  # a closed stream
        is_terminal = False
    colored = _color(is_terminal, environ) if color == "auto" else color == "always"
    width = _width(stream, environ) if is_terminal else None
    return Terminal(is_terminal, width, colored, stream.encoding or "utf-8")
