"""Shell completion: commands, shipped scenarios, formats, and catalog ids after ``--set``.

Completion reads the catalog's index only, and never fails loudly: a shell must not print a traceback.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import lru_cache

FORMATS = ("table", "json", "csv", "md")

# Scenario keys that take a catalog id, and the kind of entry they take.
CATALOG_KEYS = {
    "serving.server": "servers",
    "facility.grid": "grids",
    "facility.operator": "operators",
    "facility.site": "sites",
}


def complete_scenario(incomplete: str) -> list[str]:
    """Shipped scenario names that begin as typed."""
    from aiplan.resources import scenario_names

    return [name for name in scenario_names() if name.startswith(incomplete)]


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
    except (OSError, ValueError, KeyError):
        return {}
    return dict(entries)


def complete(arguments: Sequence[str]) -> int:
    """Answer a shell's completion request, or show or install the completion script.

    Here, and only here, all commands are imported: they form one Typer application whose completion then knows
    every option.
    """
    from importlib import import_module

    import typer

    from aiplan.cli import COMMANDS

    root = typer.Typer(add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    groups: dict[str, typer.Typer] = {}
    for name, row in COMMANDS.items():
        function = getattr(import_module(row.module), row.function)
        first, _, second = name.partition(" ")
        if not second:
            root.command(name=first, help=row.help)(function)
        elif first in COMMANDS:
            # `energy` is a command and `energy published` another: the shell offers the second word as an argument.
            continue
        else:
            if first not in groups:
                groups[first] = typer.Typer(rich_markup_mode=None)
                root.add_typer(groups[first], name=first)
            groups[first].command(name=second, help=row.help)(function)
    try:
        typer.main.get_command(root).main(args=list(arguments), prog_name="aiplan")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except Exception:
        if os.environ.get("AIPLAN_DEBUG"):
            raise
    return 0
