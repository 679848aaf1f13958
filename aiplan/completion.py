"""Shell completion: commands, shipped scenarios, formats, and catalog ids after ``--set``.

Completion reads the catalog's index only, and never fails loudly: a shell must not print a traceback.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

FORMATS = ("table", "json", "csv", "md", "html")

# Scenario keys that take a catalog id, and the kind of entry they take.
CATALOG_KEYS = {
    "serving.server": "servers",
    "facility.grid": "grids",
    "facility.operator": "operators",
    "facility.site": "sites",
}


def complete_scenario(ctx: Any, incomplete: str) -> list[str]:
    """Shipped scenario names that begin as typed, and second words of the command: ``energy published``."""
    from aiplan.cli import COMMANDS
    from aiplan.resources import scenario_names

    second = [name.removeprefix(f"{ctx.info_name} ") for name in COMMANDS if name.startswith(f"{ctx.info_name} ")]
    return [name for name in [*scenario_names(), *second] if name.startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    """Output formats that begin as typed."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def complete_set(incomplete: str) -> list[str]:
    """Keys that take a catalog id, and the ids once the key is there."""
    key, equals, value = incomplete.partition("=")
    if not equals:
        return [f"{name}=" for name in CATALOG_KEYS if name.startswith(key)]
    return [f"{key}={name}" for name in catalog_ids(CATALOG_KEYS.get(key, "")) if name.startswith(value)]


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of catalog entries."""
    return [kind for kind in sorted(_entries()) if kind.startswith(incomplete)]


def complete_entry(incomplete: str) -> list[str]:
    """Ids of every kind of entry."""
    return sorted({name for kind in _entries() for name in catalog_ids(kind) if name.startswith(incomplete)})


def catalog_ids(kind: str) -> list[str]:
    """Ids of one kind, from the index."""
    return sorted(_entries().get(kind, {}))


@lru_cache(maxsize=1)
def _entries() -> dict[str, dict[str, str]]:
    from aiplan.resources import shipped

    try:
        entries = json.loads((shipped("hardware_catalog") / "index.json").read_bytes())["entries"]
        return {kind: dict(found) for kind, found in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def complete(arguments: Sequence[str]) -> int:
    """Answer a shell's completion request, or show or install the completion script.

    A request is answered on stdout or not at all: nobody wants a message in the line they are typing.
    """
    asked = os.environ.get("_AIPLAN_COMPLETE", "").startswith("complete_")
    answer, unheard = io.StringIO(), io.StringIO()
    cut = False
    code = 0
    try:
        cut = _join_words() if asked else False
        root = _application()
        if asked:
            with contextlib.redirect_stdout(answer), contextlib.redirect_stderr(unheard):
                root.main(args=list(arguments), prog_name="aiplan")
        else:
            root.main(args=list(arguments), prog_name="aiplan")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except Exception:
        if not asked or os.environ.get("AIPLAN_DEBUG"):
            raise
    lines = answer.getvalue().splitlines()
    sys.stdout.write("".join((line.rpartition("=")[2] if cut else line) + "\n" for line in lines if line))
    # Fish asks by exit code whether there is anything; to the others, and to us, a shell unknown is bad input.
    return code if asked or code == 0 else 2


def _application() -> Any:
    """All commands as one Typer application, whose completion then knows every option.

    Here, and only here, all commands are imported. ``energy`` is a command and ``energy published`` another; the
    second goes by one hidden name, see `_join_words`.
    """
    from importlib import import_module

    import typer

    from aiplan.cli import COMMANDS

    root = typer.Typer(add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    groups: dict[str, typer.Typer] = {}
    for name, row in COMMANDS.items():
        function = getattr(import_module(row.module), row.function)
        first, _, second = name.partition(" ")
        if not second or first in COMMANDS:
            root.command(name=_JOINT.join(name.split()), help=row.help, hidden=bool(second))(function)
        else:
            if first not in groups:
                groups[first] = typer.Typer(rich_markup_mode=None)
                root.add_typer(groups[first], name=first)
            groups[first].command(name=second, help=row.help)(function)
    return typer.main.get_command(root)


_JOINT = "--"


def _join_words() -> bool:
    """Rewrite the typed words for `_application`: ``energy published`` becomes one word.

    Bash, which takes ``=`` for the end of a word, also gets ``key=value`` back in one piece; then the answer must
    be cut at the ``=`` again, and True is returned.
    """
    from aiplan.cli import COMMANDS

    bash = "COMP_WORDS" in os.environ
    text = os.environ.get("COMP_WORDS" if bash else "_TYPER_COMPLETE_ARGS", "")
    words = _split(text)
    # PowerShell leaves the blank at the end out and gives the word being typed by itself.
    begins_word = text.endswith(" ") or os.environ.get("_TYPER_COMPLETE_WORD_TO_COMPLETE") == ""
    current = int(os.environ["COMP_CWORD"]) if bash else len(words) - (not begins_word)
    pieces = [1] * len(words)
    for index in range(len(words) - 1, 0, -1):
        if bash and (words[index].startswith("=") or words[index - 1].endswith("=")):
            words[index - 1 : index + 1] = [words[index - 1] + words[index]]
            pieces[index - 1 : index + 1] = [pieces[index - 1] + pieces[index]]
            current -= index <= current
    two = " ".join(words[1:3])
    if current > 2 and two in COMMANDS and words[1] in COMMANDS:
        words[1:3], pieces[1:3] = [_JOINT.join(words[1:3])], [1]
        current -= 1
    text = shlex.join(words) + " " * (current == len(words))
    os.environ["COMP_WORDS" if bash else "_TYPER_COMPLETE_ARGS"] = text
    os.environ["COMP_CWORD"] = str(current)
    return bash and current < len(words) and pieces[current] > 1


def _split(text: str) -> list[str]:
    """Words of a line that may end inside a quotation."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        words.append(lexer.token)
    return words
