"""Writes the golden answers of `aiplan tco` and `aiplan refresh`: run ``python -m tests.lifecycle.golden``.

They protect against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
Optima are left out: the same cost has more than one plan, and which one a solver finds may differ between machines.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.lifecycle.inputs import LifecycleInputs
from aiplan.planners.lifecycle.plan import Result, plan
from aiplan.planners.lifecycle.report import Name, to_report
from aiplan.report.formats import render
from aiplan.report.model import Report

FOLDER = Path(__file__).resolve().parent / "golden"
SCENARIOS: dict[str, Name] = {"lifecycle-2026": "tco", "refresh-2026": "refresh", "site-1gw-gb200": "tco",
                              "lifecycle-paper": "tco"}  # fmt: skip
KEPT = ("lifecycle-2026", "refresh-2026")
"""Those with a golden answer."""
PLAIN = (
    "optimum.run=false",
    "study.breaks=false",
    "study.robustness=false",
    "uncertainty.samples=32",
)
"""What takes time, or is not the same on every machine, left out."""


@lru_cache(maxsize=1)
def shipped() -> Catalog:
    """The shipped catalog, read once."""
    return Catalog()


@lru_cache(maxsize=32)
def result(name: str, *overrides: str) -> Result:
    """The numbers of a shipped scenario with some inputs changed."""
    return plan(load_scenario(name, LifecycleInputs, list(overrides), SCENARIOS[name]).inputs, shipped())


@lru_cache(maxsize=32)
def answer(name: str, *overrides: str) -> Report:
    """The report of it."""
    scenario = load_scenario(name, LifecycleInputs, list(overrides), SCENARIOS[name])
    return to_report(result(name, *overrides), scenario, shipped(), SCENARIOS[name])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for scenario_name in KEPT:
        (FOLDER / f"{scenario_name}.json").write_text(render(answer(scenario_name, *PLAIN), "json"), encoding="utf-8")
