"""`aiplan stabilize` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.errors import InfeasibleError
from aiplan.planners.door import Planner, planner_command

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.stabilize.inputs import StabilizeInputs

    return StabilizeInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.stabilize.plan import plan
    from aiplan.planners.stabilize.report import to_report
    from aiplan.report.progress import progress_bar

    with progress_bar("mixes") as progress:
        return to_report(plan(scenario.inputs, catalog, progress), scenario, catalog)


def _refused(report: Report) -> InfeasibleError | None:
    """What the exit code says of measures that do not pass."""
    verdict = report.line("verdict").value
    if verdict == "pass":
        return None
    hint = "see the table 'limits'; relax a limit, or allow more measures"
    if verdict == "undetermined":
        hint = "give simulation.sampling_hz and duration_s so that every limit can be told; see the table 'limits'"
    return InfeasibleError(report.headline, code="E320", hint=hint)


STABILIZE = Planner("stabilize", _inputs, "stabilize-100k", _answer, _refused)

stabilize = planner_command(
    STABILIZE,
    "Will the grid accept a training job, and what is the cheapest mix of GPU power smoothing, software load and "
    "storage that makes it? Verdict in time and frequency, costs of a year, the largest job that fits.",
    (
        "aiplan stabilize --set limits.ramp_up_mw_per_s=2 --set limits.ramp_down_mw_per_s=2",
        "aiplan stabilize --set mitigation.gpu.floor_fraction=0.9 --table limits",
    ),
)
