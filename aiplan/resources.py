"""Where the files that ship with aiplan are: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The shipped folder ``hardware_catalog`` or ``scenarios``.

    >>> shipped("scenarios").name
    'scenarios'
    """
    inside = _PACKAGE / "_shipped" / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def scenario_names() -> list[str]:
    """Names of the shipped scenarios, sorted."""
    return sorted(path.stem for path in shipped("scenarios").glob("*.toml"))


def find_trace(text: str) -> Path:
    """The trace a text means: a file, or one that ships with aiplan by its name without ``.csv``."""
    own = shipped("scenarios") / "traces" / f"{text}.csv"
    return own if not Path(text).exists() and text.replace("-", "").isalnum() and own.is_file() else Path(text)
