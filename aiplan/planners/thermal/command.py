"""`aiplan thermal` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.thermal.inputs import ThermalInputs

    return ThermalInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.thermal.plan import plan
    from aiplan.planners.thermal.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


THERMAL = Planner("thermal", _inputs, "thermal-hall", _answer)

thermal = planner_command(
    THERMAL,
    "Place GPU VMs in the rows of a hall within power, air and temperature; replay a week with routing and "
    "reconfiguration; how many more servers fit, and what an emergency costs. Without a scenario, a synthetic hall.",
    (
        "aiplan thermal",
        "aiplan thermal --set hall.row_budget_share=0.9 --set weather.site=4A --table rows --format csv",
    ),
)
