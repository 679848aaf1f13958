"""Writes the golden answers of `aiplan thermal`: run ``python -m tests.thermal.golden`` and review the difference.

They protect against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.thermal.fit_plan import fit_plan
from aiplan.planners.thermal.fit_report import fit_report
from aiplan.planners.thermal.inputs import ThermalInputs
from aiplan.planners.thermal.plan import plan
from aiplan.planners.thermal.report import to_report
from aiplan.planners.thermal.telemetry_file import read_telemetry
from aiplan.planners.thermal.telemetry_text import telemetry_text
from aiplan.report.formats import render
from aiplan.report.model import Report
from tests.thermal.cases import SMALL

FOLDER = Path(__file__).resolve().parent / "golden"
NAME = "thermal-hall"


def answer(*overrides: str) -> Report:
    """The report of the shipped scenario with some inputs changed."""
    scenario = load_scenario(NAME, ThermalInputs, list(overrides), "thermal")
    catalog = Catalog()
    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


def small(*overrides: str) -> Report:
    """The report of a small hall."""
    return answer(*SMALL, *overrides)


def fitted(folder: Path) -> Report:
    """The report of a fit of a little synthetic telemetry, which is written to a folder."""
    file = folder / "synthetic-telemetry.csv"
    file.write_text(telemetry_text(2, 3, 5.0, 1800.0, 1.0, 0), encoding="utf-8")
    telemetry = read_telemetry(file)
    return fit_report(fit_plan(telemetry), Catalog())


if __name__ == "__main__":
    (FOLDER / f"{NAME}-small.json").write_text(render(small(), "json"), encoding="utf-8")
