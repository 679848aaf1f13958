"""The command line of every script here: read the gathered tables, write the catalog files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT, find_shared_data


def rewrite(render: Callable[[Path], dict[str, str]], about: str | None) -> None:
    """Write what ``render`` makes of the gathered tables: texts by path relative to the repository root."""
    parser = argparse.ArgumentParser(description=about)
    found = find_shared_data()
    parser.add_argument("--data", type=Path, default=found, required=not found, help="folder of the gathered tables")
    for name, text in render(parser.parse_args().data).items():
        target = ROOT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
