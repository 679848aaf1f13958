"""`aiplan split` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.split.inputs import SplitInputs

    return SplitInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    if scenario.inputs.token_rates is not None:
        from aiplan.planners.split.flow_report import flow_report

        return flow_report(scenario, catalog)
    from aiplan.planners.split.plan import plan
    from aiplan.planners.split.report import to_report
    from aiplan.report.progress import progress_bar

    with progress_bar("replays") as progress:
        result = plan(scenario.inputs, catalog, progress)
    return to_report(result, scenario, catalog)


SPLIT = Planner("split", _inputs, "split-70b", _answer)

split = planner_command(
    SPLIT,
    "Which machines for prompts and which for tokens, how many of each, at what cost and power: searched in closed "
    "form, proved by replaying requests.",
    ("aiplan split", "aiplan split --set split.objective=power --set workload.requests_per_s=100 --format json"),
)
