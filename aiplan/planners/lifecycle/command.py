"""`aiplan tco` and `aiplan refresh` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.lifecycle.inputs import LifecycleInputs

    return LifecycleInputs


def _tco(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.lifecycle.plan import plan
    from aiplan.planners.lifecycle.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


def _refresh(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.lifecycle.plan import plan
    from aiplan.planners.lifecycle.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog, "refresh")


TCO = Planner("tco", _inputs, "lifecycle-2026", _tco)
REFRESH = Planner("refresh", _inputs, "refresh-2026", _refresh)

tco = planner_command(
    TCO,
    "What a datacenter costs over its life: ways to build, refresh and operate it side by side under three "
    "accountings, the least any plan could cost, and what moves it.",
    (
        "aiplan tco --set account.mode=book --set demand.growth_fraction=0.4",
        "aiplan tco --table years --format csv -o years.csv",
    ),
)

refresh = planner_command(
    REFRESH,
    "When to replace the servers of a fleet that stands: policies side by side, the least any plan could cost, and "
    "what moves it.",
    (
        "aiplan refresh --table policies",
        "aiplan refresh --set baseline.policy=lazy --format json",
    ),
)
