"""`aiplan power` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.power.inputs import PowerInputs

    return PowerInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.power.plan import plan
    from aiplan.planners.power.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


POWER = Planner("power", _inputs, "power-100mw", _answer)

power = planner_command(
    POWER,
    "Servers and GPUs that fit behind a grid connection: losses, redundancy, stranded power, oversubscription.",
    ("aiplan power", "aiplan power --set redundancy.scheme=2n --set grid.contract_mw=50 --format json"),
)
