"""Writes the golden answers of `aiplan split`: run ``python -m tests.split.golden`` and review the difference.

They protect against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
The shipped scenarios are made small, so that each takes about a second.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.split.command import SPLIT
from aiplan.planners.split.inputs import SplitInputs
from aiplan.report.model import Report
from tests.cli.runner import Outcome, run

FOLDER = Path(__file__).resolve().parent / "golden"
SMALL: dict[str, tuple[str, ...]] = {
    "split-70b": ("workload.requests_per_s=20", "workload.duration_s=20", "split.seeds=1"),
    "splitwise-2024": ("workload.requests_per_s=10", "workload.duration_s=60", "split.budget_kw=88"),
    "deepseek-2025": (),
}
REPLAY = ("replay", "--trace", "conversation-synthetic", "--profile", "splitwise-bloom-176b",
          "--prompt", "dgx-h100:3", "--token", "dgx-a100:4")  # fmt: skip


def sets(*overrides: str) -> list[str]:
    """The overrides as they stand on a command line."""
    return [word for one in overrides for word in ("--set", one)]


def command(name: str, *arguments: str) -> Outcome:
    """``aiplan split`` on a shipped scenario made small."""
    return run("split", name, *sets(*SMALL[name]), *arguments)


def answer(name: str, *overrides: str) -> Report:
    """The report of a shipped scenario made small, with some inputs changed."""
    return _answer(name, (*SMALL[name], *overrides))


@lru_cache(maxsize=64)
def _answer(name: str, overrides: tuple[str, ...]) -> Report:
    return SPLIT.answer(load_scenario(name, SplitInputs, list(overrides), "split"), Catalog())


def files() -> dict[str, str]:
    """Every golden file: its name and what it should hold."""
    found = {}
    for name in (*SMALL, "replay"):
        for end, words in (("json", ("--format", "json")), ("txt", ())):
            done = run("split", *REPLAY, *words) if name == "replay" else command(name, *words)
            if done.code:
                raise SystemExit(done.err)
            found[f"{name}.{end}"] = done.out if end == "json" else scrubbed(done.out)
    return found


def scrubbed(text: str) -> str:
    """A table without the version of the catalog, which may move without any number moving."""
    return re.sub(r"catalog \d{4}\.\d+", "catalog VERSION", text)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, content in files().items():
        (FOLDER / file).write_text(content, encoding="utf-8")
