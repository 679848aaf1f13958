"""Inputs to result: strategies by simulation, the optimum by linear programme, savings by stage, risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.attribution import Attribution, attribute
from aiplan.planners.lifecycle.case import Case, build_case
from aiplan.planners.lifecycle.ledger import Ledger, Plan, ledger, standing_w
from aiplan.planners.lifecycle.metrics import Levelised, levelised, payback_years, return_on_owning
from aiplan.planners.lifecycle.operations import ALL, BASELINE
from aiplan.planners.lifecycle.optimum import Found, Optima, optima
from aiplan.planners.lifecycle.policies import Policy
from aiplan.planners.lifecycle.problem import Problem, all_vintages, problem
from aiplan.planners.lifecycle.relax import explain_infeasible
from aiplan.planners.lifecycle.risk import Risk, point, risk, trends
from aiplan.planners.lifecycle.robustness import Range
from aiplan.planners.lifecycle.shocks import Shock, shocks
from aiplan.planners.lifecycle.simulate import Outcome
from aiplan.planners.lifecycle.strategies import (
    BUILD,
    OPERATE,
    REFRESH,
    STAGES,
    Grid,
    Strategy,
    Study,
    grid,
)
from aiplan.planners.lifecycle.uncertain_plan import Staged, staged
from aiplan.planners.lifecycle.world import Accounting
from aiplan.planners.parameters import Evidence
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.lifecycle.inputs import LifecycleInputs

ACCOUNTINGS: tuple[Accounting, ...] = ("paper", "book", "finance")


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy of the comparison.

    Attributes
    ----------
    id : ``baseline``, ``build``, ``refresh``, ``operate``, ``joint``, ``policy:NAME``, ``lever:NAME``, ``optimum``,
        ``optimum-joint`` or ``rent``
    problem, plan, money : what is done and what it costs
    feasible : whether all demand is served
    saving : of the baseline's present cost [1]
    regret : cost over the optimum of the same design and way, less 1; NaN where none was looked for [1]
    """

    id: str
    strategy: Strategy
    policy: Policy | None
    problem: Problem
    plan: Plan
    money: Ledger
    feasible: bool
    saving: float
    regret: float
    per_unit: Levelised


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers.

    Attributes
    ----------
    rows : strategies by id
    grid : costs of all strategies, by accounting
    savings : of the stages, by accounting
    optimum : None where it was not asked for
    risk : None where nothing is uncertain
    shocks : structural breaks by name
    robustness : by trend; None where not asked for
    staged : the plan under draws that are known later; None where not asked for
    payback : years until owning has cost less than renting; NaN where it never has or nothing is offered [y]
    return_on_owning : internal rate of return of owning in place of renting; NaN as above [1/y]
    """

    case: Case
    rows: dict[str, Row]
    grids: dict[Accounting, Grid]
    savings: dict[Accounting, Attribution]
    optimum: Optima | None
    risk: Risk | None
    shocks: dict[str, Shock]
    robustness: dict[str, Range] | None
    staged: Staged | None
    payback: float
    return_on_owning: float
    evidence: Mapping[str, Evidence]
    warnings: list[Warn] = field(default_factory=list)

    @property
    def start(self) -> Row:
        """The baseline."""
        return self.rows["baseline"]

    @property
    def accounting(self) -> Accounting:
        """The scenario's."""
        return self.case.inputs.account.mode


def plan(inputs: LifecycleInputs, catalog: Catalog) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for what cannot be worked with; InfeasibleError where no strategy serves the demand, with what binds.
    """
    case = build_case(inputs, catalog)
    study = Study.of(case)
    mode = inputs.account.mode
    main = grid(study, mode)
    grids = {name: main if name == mode else grid(study, name, main) for name in ACCOUNTINGS}
    if not np.isfinite(main.usd).any():
        _refuse(study, main.start)
    savings = {name: attribute(each.values(), STAGES) for name, each in grids.items() if _serves(each)}
    joint, _ = main.best(frozenset(STAGES))
    best = optima(study, joint.way, main.start) if inputs.optimum.run else None
    rows = _rows(study, main, best)
    rent = rows.get("rent")
    payback = rate = float("nan")
    if rent is not None:
        both = rows["baseline"].money, rent.money, case.clock.dt_years
        payback, rate = float(payback_years(*both)), float(return_on_owning(*both))
    asked = inputs.study
    if inputs.optimum.scenarios_count and not case.parameters.uncertain():
        text = "no input is uncertain, so that there are no draws to plan for"
        case.warnings.append(Warn("W-TCO-CERTAIN", text, "optimum.scenarios_count"))
    return Result(
        case, rows, grids, savings, best, risk(study, main.start),
        shocks(study, main.start) if asked.breaks else {}, trends(study, main.start) if asked.robustness else None,
        staged(study, main.start) if inputs.optimum.scenarios_count else None, payback, rate,
        case.parameters.evidence(point(study, main.start)), list(case.warnings),
    )  # fmt: skip


def _serves(found: Grid) -> bool:
    """Whether the baseline serves the demand, so that savings can be counted from it."""
    return bool(np.isfinite(found.best(frozenset())[1]))


def _refuse(study: Study, start: Strategy) -> None:
    """Say what binds where no strategy serves the demand.

    Raises InfeasibleError.
    """
    world = study.world(start)
    found = explain_infeasible(problem(world, all_vintages(world, study.owned)))
    if found is not None:
        raise found.error()
    runs = {name: study.run(Strategy(start.design, name, start.way)) for name in study.case.policies
            if study.case.policies[name].rule != "per-generation"}  # fmt: skip
    name, run = min(runs.items(), key=lambda item: float(item[1].shortfall.per_s.sum()))
    missing = run.shortfall.per_s.sum(axis=-1)
    first = int(np.argmax(missing > 0))
    clock = study.case.clock
    text = (f"no policy serves the demand, though a plan of another form would: {name} comes nearest and misses "
            f"{missing[first]:.4g} requests/s in {clock.start_year + clock.starts_years[first]:g}")  # fmt: skip
    hint = (
        "add policies, such as one of rule lazy, or give more of what runs out: site.most_w, market.budget_usd_per_year"
    )
    raise InfeasibleError(text, code="E294", hint=hint)


def _rows(study: Study, main: Grid, best: Optima | None) -> dict[str, Row]:
    """Strategies to print: the baseline, the best of each stage, each policy and lever alone, optima and rent."""
    case, start = study.case, main.start
    wanted: dict[str, Strategy] = {"baseline": start}
    for name, stages in ((BUILD, {BUILD}), (REFRESH, {REFRESH}), (OPERATE, {OPERATE}), ("joint", set(STAGES))):
        wanted[name] = main.best(frozenset(stages))[0]
    wanted |= {f"policy:{name}": Strategy(start.design, name, start.way) for name in main.policies}
    wanted |= {f"lever:{name}": Strategy(start.design, start.policy, name) for name in case.ways if name != BASELINE}
    runs: dict[Strategy, Outcome] = {}
    rows: dict[str, Row] = {}
    for name, strategy in wanted.items():
        policy = main.searched[strategy][0] if strategy in main.searched else case.policies[strategy.policy]
        if strategy not in runs:
            runs[strategy] = study.run(strategy, policy)
        run = runs[strategy]
        rows[name] = _row(study, name, strategy, policy, run.problem, run.plan, run.money, bool(run.shortfall.feasible))
    if best is not None:
        rows["optimum"] = _of_optimum(study, "optimum", best.start)
        rows["optimum-joint"] = _of_optimum(study, "optimum-joint", best.best)
    rented = _rented(study, start)
    if rented is not None:
        rows["rent"] = rented
    return _compared(rows, best)


def _row(
    study: Study, name: str, strategy: Strategy, policy: Policy | None, made: Problem, what: Plan, money: Ledger,
    feasible: bool,
) -> Row:  # fmt: skip
    asked, clock = study.builder.path(study.values), study.case.clock
    years = np.floor(clock.starts_years + 1e-9)
    requests = asked.requests(years)
    if study.case.inputs.demand.requests_per_s is None:
        requests = requests * float(made.world.demand_per_s.sum(axis=-1).flat[0] / made.world.classes)
    grown = 1.0 + as_array(study.values[study.case.paths["demand.output_growth_fraction"]])
    tokens = study.values[study.case.paths["demand.output_tokens"]] * grown**years
    return Row(name, strategy, policy, made, what, money, feasible, float("nan"), float("nan"),
               levelised(made, what, money, requests, as_array(tokens)))  # fmt: skip


def _of_optimum(study: Study, name: str, found: Found) -> Row:
    return _row(study, name, found.strategy, None, found.problem, found.optimum.plan, found.money, True)


def _rented(study: Study, start: Strategy) -> Row | None:
    """Renting all capacity, in the baseline's design; None where none is offered."""
    made = study.run(start).problem
    if not made.rentable.all():
        return None
    vintages, periods = made.vintages.bought.size, made.world.clock.periods
    nothing = np.zeros((vintages, periods))
    idle = np.zeros((*nothing.shape, made.world.classes))
    what = Plan(np.zeros(vintages), nothing, idle, np.zeros(periods), made.demand_per_s)
    return _row(study, "rent", start, None, made, what, ledger(made, what), True)


def _compared(rows: dict[str, Row], best: Optima | None) -> dict[str, Row]:
    """The rows with savings and regrets."""
    base = float(rows["baseline"].money.total())
    out = {}
    for name, row in rows.items():
        cost = float(row.money.total())
        regret = float("nan")
        if best is not None and name != "rent":
            least = float("nan")
            if (row.strategy.design, row.strategy.way) == (best.start.strategy.design, best.start.strategy.way):
                least = best.start_usd
            elif row.strategy.way == best.way:
                least = float(best.usd[row.strategy.design])
            regret = cost / least - 1.0
        out[name] = replace(row, saving=1.0 - cost / base, regret=regret)
    return out


def hall_w(row: Row) -> Array:
    """Hall capacity that stands by period, shape (T,) [W]."""
    return standing_w(row.problem, row.plan)


__all__ = ["ACCOUNTINGS", "ALL", "Result", "Row", "hall_w", "plan"]
