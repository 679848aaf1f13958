"""How the tests of `aiplan split` ask, and what a refusal must look like."""

from __future__ import annotations

from typing import Any

from tests.cli.runner import run
from tests.split.golden import answer


def value(name: str, line: str, *overrides: str) -> Any:
    return answer(name, *overrides).line(line).value


def values(name: str, *overrides: str) -> dict[str, Any]:
    return {line.id: line.value for line in answer(name, *overrides).lines}


def refusal(code: int, *arguments: str) -> str:
    """What is said to a command that must end so: never a bug, never any data."""
    done = run("split", *arguments)
    assert done.code == code, (arguments, done.err, done.out[:300])
    assert done.out == ""
    assert "E900" not in done.err
    assert "Traceback" not in done.err
    assert "error[E" in done.err
    assert "help: " in done.err
    return done.err
