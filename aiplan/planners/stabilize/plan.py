"""Inputs to result: the job as it is, the measures asked or the cheapest that pass, and the largest job accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiplan.planners.stabilize.assess import Assessment, Judge
from aiplan.planners.stabilize.candidates import Slopes, slopes
from aiplan.planners.stabilize.case import Case, build_case
from aiplan.planners.stabilize.figures import Figures, figures
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.kernels import kernels, worth_compiling
from aiplan.planners.stabilize.largest import Size, largest
from aiplan.planners.stabilize.measures import measures
from aiplan.planners.stabilize.mitigation import Mix
from aiplan.planners.stabilize.scene import Outcome, Scene
from aiplan.planners.stabilize.search import Found, Progress, search, shortfall
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

RECIPES = 4
"""Mixes with which larger jobs are tried [1]."""
RUNS_OF_A_SEARCH = 400
"""Runs that a search is expected to take, to decide whether compiling is worth it [1]."""


@dataclass(slots=True)
class Result:
    """Everything the report prints.

    Attributes
    ----------
    plain, chosen : the job as it is, and with the measures asked or recommended
    raw, run : their waves
    found : of the search; None where measures are asked
    slopes : what the limits allow at the point of interconnection
    raw_figures, run_figures : of both waves
    sizes : the largest job by the measures that may be used
    """

    case: Case
    judge: Judge
    plain: Assessment
    raw: Outcome
    chosen: Assessment
    run: Outcome
    found: Found | None
    slopes: Slopes
    raw_figures: Figures
    run_figures: Figures
    sizes: dict[str, Size] = field(default_factory=dict)
    warnings: list[Warn] = field(default_factory=list)

    @property
    def passes(self) -> bool:
        """Whether the chosen mix keeps limits and caps."""
        return self.chosen.feasible


def plan(inputs: StabilizeInputs, catalog: Catalog, progress: Progress | None = None) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for what cannot be worked with.
    """
    case = build_case(inputs, catalog)
    asked, allowed = measures(case)
    steps = round(case.site.duration_s / case.site.step_s) * (RUNS_OF_A_SEARCH if asked is None else 2)
    scene = Scene(case.site, kernels(compiled=worth_compiling(steps)))
    judge = Judge(scene, case.limits, case.settle_s, case.rates, case.prices, case.caps, case.technologies)
    plain = judge.judge(Mix())
    found: Found | None = None
    if asked is not None:
        chosen = judge.judge(asked)
    else:
        hasty = Judge(
            scene, case.limits, case.settle_s, case.rates, case.prices, case.caps, case.technologies, hasty=True
        )
        found = search(hasty, allowed, case.tdp_w, progress)
        # What the search computed from what boundless storage did is run once more as it would be built.
        chosen = judge.judge(found.best.mix) if found.best is not None else judge.judge(nearest(found).mix)
    raw, run = judge.raw(Mix())[0], scene.apply(chosen.mix)
    result = Result(case, judge, plain, raw, chosen, run, found, slopes(case.limits, case.site),
                    _figures(case, raw), _figures(case, run), warnings=list(case.warnings))  # fmt: skip
    result.sizes = _sizes(result)
    return result


def _figures(case: Case, run: Outcome) -> Figures:
    told = figures(run.poi, case.limits, case.settle_s)
    assert told is not None  # noqa: S101 - a simulated wave has no gaps
    return told


def nearest(found: Found) -> Assessment:
    """The mix that comes nearest to passing."""
    return min(found.assessments, key=shortfall)


def _sizes(result: Result) -> dict[str, Size]:
    """The largest job without measures, and with those chosen or found."""
    judge, sizes = result.judge, {}
    sizes["as it is"] = largest(judge, [Mix()])
    if result.found is None:
        sizes["measures asked, resized"] = largest(judge, [result.chosen.mix])
        return sizes
    found = result.found
    good = [*found.front, *([nearest(found)] if not found.front else [])]
    sizes["best mix"] = largest(judge, [one.mix for one in good[:RECIPES]])
    return sizes


__all__ = ["Result", "nearest", "plan"]
