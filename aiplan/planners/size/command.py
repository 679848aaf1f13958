"""`aiplan size` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.size.inputs import SizeInputs

    return SizeInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.size.plan import plan
    from aiplan.planners.size.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


SIZE = Planner("size", _inputs, "size-70b-h200", _answer)

size = planner_command(
    SIZE,
    "Fewest GPUs (or least cost, or least power) that carry a request rate within TTFT and TPOT, and what binds.",
    ("aiplan size", "aiplan size --set workload.requests_per_s=200 --set slo.tpot_ms=30 --format json"),
)
