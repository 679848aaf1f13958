"""Whole renders kept as files, each named for what it protects.

Regenerate with ``python -m tests.report.golden`` and review the diff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from aiplan.report.formats import render
from aiplan.report.terminal import Terminal
from tests.report.sample import (
    charted_report,
    nasty_charts,
    nasty_pictures,
    nasty_report,
    pictured_report,
    sample_report,
)


def without_drawings(page: str) -> str:
    """A page without its drawings, whose bytes change with the version of the library that draws."""
    return re.sub(r"<svg.*?</svg>", "<svg></svg>", page, flags=re.DOTALL)


FOLDER = Path(__file__).parent / "golden"

CASES: dict[str, Callable[[], str]] = {
    "sample_pipe.txt": lambda: render(sample_report()),
    "sample_tty_60.txt": lambda: render(sample_report(), terminal=Terminal(True, 60)),
    "sample_tty_80.txt": lambda: render(sample_report(), terminal=Terminal(True, 80)),
    "sample_tty_120.txt": lambda: render(sample_report(), terminal=Terminal(True, 120)),
    "sample_tty_80_ascii.txt": lambda: render(sample_report(), terminal=Terminal(True, 80, encoding="ascii")),
    "sample_tty_80_color.txt": lambda: render(sample_report(), terminal=Terminal(True, 80, color=True)),
    "sample_table_models.txt": lambda: render(sample_report(), table="models"),
    "sample_explain.txt": lambda: render(sample_report(), explain="energy_per_query_wh", terminal=Terminal(True, 80)),
    "sample_explain.json": lambda: render(sample_report(), "json", explain="energy_per_query_wh"),
    "sample.json": lambda: render(sample_report(), "json"),
    "sample.csv": lambda: render(sample_report(), "csv"),
    "sample_models.csv": lambda: render(sample_report(), "csv", table="models"),
    "sample.md": lambda: render(sample_report(), "md"),
    "charts_pipe.txt": lambda: render(charted_report()),
    "charts_tty_40.txt": lambda: render(charted_report(), terminal=Terminal(True, 40)),
    "charts_tty_60_ascii.txt": lambda: render(charted_report(), terminal=Terminal(True, 60, encoding="ascii")),
    "charts_tty_100_color.txt": lambda: render(charted_report(), terminal=Terminal(True, 100, color=True)),
    "charts.md": lambda: render(charted_report(), "md"),
    "pictures_pipe.txt": lambda: render(pictured_report()),
    "pictures_tty_40.txt": lambda: render(pictured_report(), terminal=Terminal(True, 40)),
    "pictures_tty_60_ascii.txt": lambda: render(pictured_report(), terminal=Terminal(True, 60, encoding="ascii")),
    "pictures_tty_100_color.txt": lambda: render(pictured_report(), terminal=Terminal(True, 100, color=True)),
    "pictures.md": lambda: render(pictured_report(), "md"),
    "pictures.html": lambda: without_drawings(render(pictured_report(), "html")),
    "nasty_pictures.md": lambda: render(nasty_pictures(), "md"),
    "nasty_pictures.html": lambda: without_drawings(render(nasty_pictures(), "html")),
    "sample.html": lambda: render(sample_report(), "html"),
    "sample_models.html": lambda: render(sample_report(), "html", table="models"),
    "nasty_charts.md": lambda: render(nasty_charts(), "md"),
    "nasty_pipe.txt": lambda: render(nasty_report()),
    "nasty_tty_50_ascii.txt": lambda: render(nasty_report(), terminal=Terminal(True, 50, encoding="ascii")),
    "nasty_explain.txt": lambda: render(nasty_report(), explain=True),
    "nasty.json": lambda: render(nasty_report(), "json"),
    "nasty.csv": lambda: render(nasty_report(), "csv"),
    "nasty.md": lambda: render(nasty_report(), "md"),
    "nasty.html": lambda: render(nasty_report(), "html"),
}


def scrub(text: str) -> str:
    """Text without the program's own version, which changes with every release."""
    return re.sub(r'"aiplan_version": "[^"]*"', '"aiplan_version": "X"', text)


def main() -> None:
    """Write every golden file anew, to be reviewed as a diff."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in CASES.items():
        (FOLDER / name).write_bytes(scrub(make()).encode())


if __name__ == "__main__":
    main()
