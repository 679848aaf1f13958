"""Writes the golden answer of `aiplan cooling`: run ``python -m tests.cooling.golden`` and review the difference.

It protects against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.cooling.inputs import CoolingInputs
from aiplan.planners.cooling.plan import plan
from aiplan.planners.cooling.report import to_report
from aiplan.report.formats import render
from aiplan.report.model import Report

FOLDER = Path(__file__).resolve().parent / "golden"
NAME = "cooling-ashburn"
FEW = ("uncertainty.samples=50",)


def answer(*overrides: str, overlay: Path | None = None) -> Report:
    """The report of the shipped scenario with some inputs changed."""
    scenario = load_scenario(NAME, CoolingInputs, [*FEW, *overrides], "cooling")
    catalog = Catalog(overlay)
    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


if __name__ == "__main__":
    (FOLDER / f"{NAME}.json").write_text(render(answer(), "json"), encoding="utf-8")
