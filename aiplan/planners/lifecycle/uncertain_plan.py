"""Plans that must stand several futures: the first years decided before it is known which one comes."""

from __future__ import annotations

from dataclasses import dataclass

from aiplan.planners.arrays import as_array
from aiplan.planners.lifecycle.build import Choice
from aiplan.planners.lifecycle.problem import Problem, all_vintages, problem
from aiplan.planners.lifecycle.risk import drawn_values
from aiplan.planners.lifecycle.stochastic import LeastRegret, TwoStage, least_regret, two_stage
from aiplan.planners.lifecycle.strategies import Strategy, Study
from aiplan.planners.parameters import Values


@dataclass(frozen=True, slots=True)
class Staged:
    """Two-stage plans of the baseline's design and way.

    Attributes
    ----------
    scenarios : draws
    periods : decided before they are known
    expected : least expected cost
    regret : least worst regret
    """

    scenarios: int
    periods: int
    expected: TwoStage
    regret: LeastRegret


def staged(study: Study, start: Strategy) -> Staged | None:
    """Plans over draws of the uncertain inputs; None where nothing is uncertain.

    Raises InfeasibleError where no first stage leaves every draw a plan.
    """
    case, asked = study.case, study.case.inputs.optimum
    if not case.parameters.uncertain():
        return None
    drawn = drawn_values(study, asked.scenarios_count)
    problems = [_problem(study, start, _one(drawn, number)) for number in range(asked.scenarios_count)]
    periods = max(round(asked.first_years / case.clock.dt_years), 1)
    expected = two_stage(problems, stage_periods=periods, expected=_problem(study, start, study.values))
    return Staged(len(problems), periods, expected, least_regret(problems, stage_periods=periods))


def _problem(study: Study, start: Strategy, values: Values) -> Problem:
    world = study.builder.world(values, Choice(start.way, (start.design,)))
    return problem(world, all_vintages(world, study.owned))


def _one(drawn: Values, number: int) -> Values:
    return {path: float(value[number]) if as_array(value).ndim else value for path, value in drawn.items()}  # type: ignore[index]


__all__ = ["Staged", "staged"]
