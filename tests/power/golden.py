"""Writes the golden answer of `aiplan power`: run ``python -m tests.power.golden`` and review the difference.

It protects against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.power.inputs import PowerInputs
from aiplan.planners.power.plan import plan
from aiplan.planners.power.report import to_report
from aiplan.report.formats import render
from aiplan.report.model import Report

FOLDER = Path(__file__).resolve().parent / "golden"
NAME = "power-100mw"


@lru_cache(maxsize=1)
def shipped() -> Catalog:
    """The shipped catalog, read once."""
    return Catalog()


def answer(*overrides: str, scenario: str = NAME, overlay: Path | None = None) -> Report:
    """The report of a scenario with some inputs changed."""
    loaded = load_scenario(scenario, PowerInputs, list(overrides), "power")
    catalog = Catalog(overlay) if overlay else shipped()
    return to_report(plan(loaded.inputs, catalog), loaded, catalog)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{NAME}.json").write_text(render(answer(), "json"), encoding="utf-8")
