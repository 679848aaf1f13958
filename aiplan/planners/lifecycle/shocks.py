"""Structural breaks: what a policy costs when one comes, and what adapting to it is worth.

Halls open without lead time here: a policy that is simulated has them in time, so that the others must, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.lifecycle.build import Choice
from aiplan.planners.lifecycle.optimise import optimise
from aiplan.planners.lifecycle.problem import all_vintages, problem
from aiplan.planners.lifecycle.rolling import Carried, operated, rolling
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.strategies import Strategy, Study
from aiplan.planners.lifecycle.world import World


@dataclass(frozen=True, slots=True)
class Shock:
    """One break in the baseline's design and way; present costs in dollars.

    Attributes
    ----------
    period : from which it is known
    trend_usd : the baseline's policy without the break
    policy_usd : the baseline's policy with it, buying what it needs by its rule
    policy_feasible : whether that serves all demand
    frozen : purchases and halls of the optimum without the break, run as then is best
    adaptive : planned anew once the break is seen
    clairvoyant_usd : the best for who knew it from the start
    """

    period: int
    trend_usd: float
    policy_usd: float
    policy_feasible: bool
    frozen: Carried
    adaptive: Carried
    clairvoyant_usd: float

    @property
    def saving(self) -> float:
        """Share of the policy's cost that adapting saves [1]."""
        return 1.0 - self.adaptive.cost_usd / self.policy_usd

    @property
    def unmet(self) -> float:
        """Share of the demand that the frozen plan does not serve [1]."""
        wanted = self.frozen.problem.demand_per_s
        return float(self.frozen.unmet_per_s.sum() / wanted.sum())


def shocks(study: Study, start: Strategy) -> dict[str, Shock]:
    """Every break of the scenario by name."""
    case = study.case
    if not case.inputs.breaks:
        return {}
    designs = (start.design,)
    trend = _prompt(study.builder.world(study.values, Choice(start.way, designs)))
    policy, placement = case.policies[start.policy], case.ways[start.way].placement
    before = float(outcome(trend, policy, study.owned, placement).money.total())
    found = {}
    for name, happens in case.inputs.breaks.items():
        truth = _prompt(study.builder.world(study.values, Choice(start.way, designs, happens=happens)))
        seen = happens.after_years.distribution.median
        period = int(np.searchsorted(case.clock.starts_years, seen - 1e-9))
        run = outcome(truth, policy, study.owned, placement)
        frozen, adaptive, clairvoyant = _three(study, trend, truth, period)
        found[name] = Shock(period, before, float(run.money.total()), bool(run.shortfall.feasible), frozen, adaptive,
                            clairvoyant)  # fmt: skip
    return found


def _prompt(world: World) -> World:
    return replace(world, site=replace(world.site, lead_years=0.0))


def _three(study: Study, trend: World, truth: World, period: int) -> tuple[Carried, Carried, float]:
    """Frozen, adaptive and clairvoyant plans of a world that breaks with its trend."""
    believed = [trend if at < period else truth for at in range(truth.clock.periods)]
    vintages = all_vintages(truth, study.owned)
    real = problem(truth, vintages)
    planned = optimise(problem(trend, vintages)).plan
    return operated(real, planned), rolling(believed, truth, study.owned), optimise(real).objective_usd


__all__ = ["Shock", "shocks"]
