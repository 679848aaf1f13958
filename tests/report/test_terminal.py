"""What the other end can show, judged from stream and environment."""

from __future__ import annotations

import os
import pty

import pytest

from aiplan.report.terminal import Terminal, detect


class Fake:
    def __init__(self, tty: bool, encoding: str | None = "utf-8") -> None:
        self.tty = tty
        self.encoding = encoding

    def isatty(self) -> bool:
        return self.tty

    def fileno(self) -> int:
        raise OSError("no file behind")


@pytest.mark.parametrize(
    ("tty", "environ", "option", "color"),
    [
        (True, {}, "auto", True),
        (False, {}, "auto", False),
        (True, {"NO_COLOR": "1"}, "auto", False),
        (True, {"NO_COLOR": ""}, "auto", True),
        (True, {"TERM": "dumb"}, "auto", False),
        (False, {"FORCE_COLOR": "1"}, "auto", True),
        (True, {"FORCE_COLOR": "0"}, "auto", False),
        (True, {"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False),
        (True, {"NO_COLOR": "1"}, "always", True),
        (True, {"FORCE_COLOR": "1"}, "never", False),
    ],
)
def test_colour(tty: bool, environ: dict[str, str], option: str, color: bool) -> None:
    assert detect(Fake(tty), environ, option).color is color


@pytest.mark.parametrize(("columns", "width"), [("57", 57), ("", 80), ("0", 80), ("-5", 80), ("wide", 80)])
def test_columns_sets_the_width_of_a_terminal(columns: str, width: int) -> None:
    assert detect(Fake(True), {"COLUMNS": columns}).width == width


def test_a_pipe_has_no_width_and_a_closed_stream_is_a_pipe() -> None:
    assert detect(Fake(False), {"COLUMNS": "57"}) == Terminal(False, None, False, "utf-8")
    assert detect(None, {}) == Terminal()


def test_encoding_is_taken_from_the_stream() -> None:
    assert detect(Fake(False, "ANSI_X3.4-1968"), {}).encoding == "ANSI_X3.4-1968"
    assert detect(Fake(False, None), {}).encoding == "utf-8"


def test_a_real_terminal() -> None:
    leader, follower = pty.openpty()
    try:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 93, 0, 0))
        with os.fdopen(follower, "w", encoding="utf-8") as stream:
            assert detect(stream, {"TERM": "xterm"}) == Terminal(True, 93, True, "utf-8")
    finally:
        os.close(leader)
