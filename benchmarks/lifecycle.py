"""Figures of `aiplan tco`: the whole study, its linear programmes, draws, and plans for many scenarios.

``python -m benchmarks.lifecycle`` also plans for 100 scenarios by decomposition and as one programme, about a minute:
its time, the gap it proves, and how far its cost is from that of the whole programme. Scenarios are draws of the
uncertain inputs of ``lifecycle-2026``, as ``optimum.scenarios_count`` makes them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.arrays import as_array
from aiplan.planners.lifecycle.build import Choice
from aiplan.planners.lifecycle.case import build_case
from aiplan.planners.lifecycle.decomposition import GAP
from aiplan.planners.lifecycle.inputs import LifecycleInputs
from aiplan.planners.lifecycle.operations import BASELINE
from aiplan.planners.lifecycle.optimum import of_world, optima
from aiplan.planners.lifecycle.problem import Problem, all_vintages, problem
from aiplan.planners.lifecycle.risk import drawn_values
from aiplan.planners.lifecycle.stochastic import Method, TwoStage, two_stage
from aiplan.planners.lifecycle.strategies import Strategy, Study
from aiplan.planners.parameters import Values
from benchmarks.measure import AIPLAN, Figure, best_s, process_ms

PAPER, LARGE = "lifecycle-paper", "lifecycle-2026"
DRAWS, FEW, MANY = 10_000, 40, 100

T = TypeVar("T")


@cache
def study(name: str) -> tuple[Study, Strategy]:
    """The study of a shipped scenario and its baseline."""
    case = build_case(load_scenario(name, LifecycleInputs, (), "tco").inputs, Catalog())
    return Study.of(case), Strategy(case.baseline, case.inputs.baseline.policy, BASELINE)


def scenarios(count: int) -> tuple[list[Problem], Problem, int]:
    """Problems of so many draws, that of the medians, and the periods decided before it is known which one comes."""
    large, start = study(LARGE)

    def made(values: Values) -> Problem:
        world = large.builder.world(values, Choice(start.way, (start.design,)))
        return problem(world, all_vintages(world, large.owned))

    drawn = drawn_values(large, count)
    each: list[Values] = [
        {path: float(as_array(value)[number]) if as_array(value).ndim else value for path, value in drawn.items()}
        for number in range(count)
    ]
    periods = round(large.case.inputs.optimum.first_years / large.case.clock.dt_years)
    return [made(values) for values in each], made(large.values), max(periods, 1)


def timed(task: Callable[[], T]) -> tuple[float, T]:
    """Seconds of a call, and what it returns."""
    start = time.perf_counter()
    found = task()
    return time.perf_counter() - start, found


def staged(count: int, method: Method) -> tuple[float, TwoStage]:
    """Seconds of a plan for so many scenarios, their problems and proofs included, and the plan."""

    def task() -> TwoStage:
        problems, expected, periods = scenarios(count)
        return two_stage(problems, stage_periods=periods, expected=expected, method=method)

    return timed(task)


def process_s(*arguments: str, runs: int) -> float:
    """Wall time of ``aiplan tco`` without structural breaks, the whole process [s]."""
    command = [*AIPLAN, "tco", *arguments, "--set", "study.breaks=false", "--format", "json"]
    return process_ms([command], runs)[0] / 1e3


def figures(runs: int) -> list[Figure]:
    """Everything that is measured of lifecycles but the 100 scenarios."""
    paper, start = study(PAPER)
    world, designs = paper.world(start), paper.case.designs(start.way).size
    large = study(LARGE)[0].case
    policies = sum(policy.rule != "per-generation" for policy in large.policies.values())
    lasted, plan = staged(FEW, "auto")
    draws = ("--samples", str(DRAWS), "--set", "optimum.run=false")
    return [
        Figure(f"aiplan tco {PAPER}, {designs} designs", process_s(PAPER, runs=min(runs, 3)), "s", 5.0),
        Figure("one linear programme of it", best_s(lambda: of_world(paper, world), 5), "s", 0.1),
        Figure(f"{designs} of them", best_s(lambda: optima(paper, start.way, start), 3), "s"),
        Figure(f"aiplan tco, {DRAWS:,} x {policies} policies", process_s(LARGE, *draws, runs=1), "s", 30.0),
        Figure(f"plan for {FEW} scenarios", lasted, "s", 30.0),
        Figure("gap of that plan", 100 * plan.gap, "%", 100 * GAP),
    ]


def decomposition() -> list[Figure]:
    """The plan for 100 scenarios by decomposition, and against that of the whole programme."""
    parts_s, parts = staged(MANY, "decomposed")
    whole_s, whole = staged(MANY, "extensive")
    apart = abs(parts.expected_usd / whole.expected_usd - 1.0)
    return [
        Figure(f"plan for {MANY} scenarios, decomposed", parts_s, "s"),
        Figure("gap of that plan", 100 * parts.gap, "%", 100 * GAP),
        Figure(f"plan for {MANY} scenarios, whole", whole_s, "s"),
        Figure("its cost over that of the whole, less 1", 100 * apart, "%", 100 * GAP),
    ]


def main() -> int:
    """Measure everything, the 100 scenarios too, and print it."""
    for row in figures(3) + decomposition():
        print(f"{row.what:<50}{row.value:>9.3g} {row.unit:<3}{'' if row.met else '  missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
