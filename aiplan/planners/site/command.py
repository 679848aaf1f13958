"""`aiplan site` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.site.inputs import SiteInputs

    return SiteInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.site.plan import plan
    from aiplan.planners.site.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


SITE = Planner("site", _inputs, "site-ashburn", _answer)

site = planner_command(
    SITE,
    "Megawatts at a place, with its cooling, redundancy and mix of work: how many GPUs and tokens they carry, and the "
    "energy, water, carbon and shell that this takes.",
    (
        "aiplan site --set site.place=phoenix-az --set cooling.system=direct-to-chip-40c-dry",
        "aiplan site --set grid.contract_mw=40 --set redundancy.scheme=2n --format json",
    ),
)
