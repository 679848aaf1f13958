"""Writes the golden answer of `aiplan site`: run ``python -m tests.site.golden`` and review the difference.

It protects against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.site.inputs import SiteInputs
from aiplan.planners.site.plan import Result, plan
from aiplan.planners.site.report import to_report
from aiplan.report.formats import render
from aiplan.report.model import Report

FOLDER = Path(__file__).resolve().parent / "golden"
NAME = "site-ashburn"


@lru_cache(maxsize=1)
def shipped() -> Catalog:
    """The shipped catalog, read once."""
    return Catalog()


@lru_cache(maxsize=64)
def result(*overrides: str) -> Result:
    """The numbers of the shipped scenario with some inputs changed."""
    return plan(load_scenario(NAME, SiteInputs, list(overrides), "site").inputs, shipped())


@lru_cache(maxsize=64)
def answer(*overrides: str) -> Report:
    """The report of it."""
    return to_report(result(*overrides), load_scenario(NAME, SiteInputs, list(overrides), "site"), shipped())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{NAME}.json").write_text(render(answer(), "json"), encoding="utf-8")
