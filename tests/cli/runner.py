"""Runs a command line in this process, with real text streams in place of the terminal's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from aiplan.cli import main

ROOT = Path(__file__).resolve().parents[2]

# Categories no terminal should be sent; newline and tab excepted. Line and paragraph separators break lines too.
_RAW = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class Outcome:
    """Exit code and what was written."""

    code: int
    out: str
    err: str

    @property
    def raw_characters(self) -> list[str]:
        """Control, format and direction characters that reached either stream."""
        text = self.out + self.err
        return sorted({ascii(char) for char in text if unicodedata.category(char) in _RAW and char not in "\n\t"})


def run(*arguments: str) -> Outcome:
    """Run ``aiplan`` with these arguments; anything but an exit code coming out of it is a bug."""
    out, err = io.BytesIO(), io.BytesIO()
    # As the interpreter opens them: stdout strict, stderr never failing.
    stdout = io.TextIOWrapper(out, encoding="utf-8", errors="strict", newline="\n")
    stderr = io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = main(arguments)
    stdout.flush()
    stderr.flush()
    return Outcome(code, out.getvalue().decode("utf-8"), err.getvalue().decode("utf-8"))


def environment(**changes: str) -> dict[str, str]:
    """A small environment that finds this checkout and is the same everywhere."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", **changes}


def spawn(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m aiplan`` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "aiplan", *arguments],
        cwd=cwd,
        env=dict(env or environment()),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )
