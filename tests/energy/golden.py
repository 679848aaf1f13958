"""Writes the golden answers of `aiplan energy`: run ``python -m tests.energy.golden`` and review the difference.

They protect against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from aiplan.cli import main

FOLDER = Path(__file__).resolve().parent / "golden"
COMMANDS = {
    "oviedo-2026.json": ["energy", "oviedo-2026", "--samples", "2000", "--format", "json"],
    "oviedo-2025.json": ["energy", "oviedo-2025", "--samples", "2000", "--format", "json"],
    "frontier-chat.json": ["energy", "--samples", "2000", "--format", "json"],
    "published.csv": ["energy", "published", "--format", "csv", "--table", "estimates"],
}


def answer(arguments: list[str]) -> str:
    """What a command writes to stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main(arguments)
    assert code == 0, arguments
    return out.getvalue()


if __name__ == "__main__":
    for name, arguments in COMMANDS.items():
        (FOLDER / name).write_text(answer(arguments), encoding="utf-8")
