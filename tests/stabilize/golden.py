"""Writes the golden answers of `aiplan stabilize`: run ``python -m tests.stabilize.golden`` and review the difference.

They protect against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.plan import Result, plan
from aiplan.planners.stabilize.report import to_report
from aiplan.report.formats import render
from aiplan.report.model import Report

FOLDER = Path(__file__).resolve().parent / "golden"
DEFAULT = "stabilize-100k"
SHORT = ("simulation.duration_s=120",)
"""A run of two minutes in place of ten."""
BANK = ('mitigation.storage.bank={technology="supercapacitor", level="site", energy_mwh=0.5, power_mw=120, '
        'time_constant_s=10, ramp_up_mw_per_s=9.9, ramp_down_mw_per_s=9.9}')  # fmt: skip
"""Measures that pass the limits of the default without a search."""
FLOOR = "mitigation.gpu={floor_fraction=0.9, hysteresis_s=2}"
"""Measures that do not: a floor leaves start and stop as they are."""
KEPT = {"search": SHORT, "asked": (*SHORT, BANK, FLOOR)}
LEFT_OUT = ("waveform", "iterations", "spectrum", "handover")
"""Tables left out of what is kept: lines are made of the long ones, the last has tests of its own."""


@lru_cache(maxsize=1)
def shipped() -> Catalog:
    """The shipped catalog, read once."""
    return Catalog()


@lru_cache(maxsize=32)
def result(name: str, *overrides: str) -> Result:
    """The numbers of a scenario with some inputs changed."""
    return plan(load_scenario(name, StabilizeInputs, list(overrides), "stabilize").inputs, shipped())


@lru_cache(maxsize=32)
def answer(name: str, *overrides: str) -> Report:
    """The report of it."""
    scenario = load_scenario(name, StabilizeInputs, list(overrides), "stabilize")
    return to_report(result(name, *overrides), scenario, shipped())


def kept(name: str) -> Report:
    """A report without its pictures and the tables they are drawn from."""
    whole = answer(DEFAULT, *KEPT[name])
    tables = tuple(table for table in whole.tables if table.id not in LEFT_OUT)
    lines = tuple(replace(line, inputs=()) for line in whole.lines)
    return replace(whole, lines=lines, tables=tables, charts=())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for kept_name in KEPT:
        (FOLDER / f"{kept_name}.json").write_text(render(kept(kept_name), "json"), encoding="utf-8")
