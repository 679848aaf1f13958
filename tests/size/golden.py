"""Writes the golden answer of `aiplan size`: run ``python -m tests.size.golden`` and review the difference.

It protects against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.size.inputs import SizeInputs
from aiplan.planners.size.plan import plan
from aiplan.planners.size.report import to_report
from aiplan.report.formats import render
from aiplan.report.model import Report

FOLDER = Path(__file__).resolve().parent / "golden"
NAME = "size-70b-h200"


def answer(*overrides: str, overlay: Path | None = None) -> Report:
    """The report of the shipped scenario with some inputs changed."""
    scenario = load_scenario(NAME, SizeInputs, list(overrides), "size")
    catalog = Catalog(overlay)
    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


if __name__ == "__main__":
    (FOLDER / f"{NAME}.json").write_text(render(answer(), "json"), encoding="utf-8")
