"""Cases of `aiplan perf` for the tests: the shipped scenario with changes, looked up in the shipped catalog."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import Scenario, load_scenario
from aiplan.planners.serving.collect import Case, build_case
from aiplan.planners.serving.inputs import PerfInputs
from aiplan.planners.serving.plan import Result, plan
from aiplan.planners.serving.report import to_report
from aiplan.planners.serving.sweep import Sweep
from aiplan.report.model import Report


@cache
def catalog() -> Catalog:
    return Catalog()


def scenario(*changes: str, file: str | Path = "llama-70b-h200") -> Scenario[PerfInputs]:
    return load_scenario(str(file), PerfInputs, list(changes), "perf")


def case(*changes: str) -> Case:
    return build_case(scenario(*changes), catalog())


@cache
def result(*changes: str) -> Result:
    return plan(case(*changes))


def report(*changes: str, swept: Sweep | None = None) -> Report:
    return to_report(result(*changes), scenario(*changes), catalog(), swept)


def lines(*changes: str) -> dict[str, float]:
    return result(*changes).lines
