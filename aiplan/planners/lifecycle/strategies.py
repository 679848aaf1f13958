"""Every way to build, refresh and operate side by side: what each costs, and the best of each set of stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.build import Builder, Choice
from aiplan.planners.lifecycle.case import Case, owned_ages
from aiplan.planners.lifecycle.operations import ALL, BASELINE
from aiplan.planners.lifecycle.policies import Policy
from aiplan.planners.lifecycle.problem import Vintages
from aiplan.planners.lifecycle.search import best_lives
from aiplan.planners.lifecycle.simulate import Outcome, outcome
from aiplan.planners.lifecycle.world import Accounting, World
from aiplan.planners.parameters import Values

BUILD, REFRESH, OPERATE = "build", "refresh", "operate"
STAGES = (BUILD, REFRESH, OPERATE)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A design of the site, a policy and a way to run the fleet, by number or name."""

    design: int
    policy: str
    way: str


@dataclass(slots=True)
class Grid:
    """Costs of every strategy.

    Attributes
    ----------
    ways, policies : names
    counted : which ways savings may be counted from
    usd : present value, shape (ways, policies, designs) [USD]; infinite where demand cannot be served
    searched : policies by generation that were searched for, by the strategy they are part of
    """

    ways: tuple[str, ...]
    counted: tuple[bool, ...]
    policies: tuple[str, ...]
    usd: Array
    start: Strategy
    searched: dict[Strategy, tuple[Policy, float]] = field(default_factory=dict)

    def best(self, stages: frozenset[str]) -> tuple[Strategy, float]:
        """The cheapest strategy that differs from the start in these stages alone, and its cost."""
        shape = self.usd.shape
        fixed = (self.ways.index(self.start.way), self.policies.index(self.start.policy), self.start.design)
        free = (OPERATE in stages, REFRESH in stages, BUILD in stages)
        axes = [
            np.arange(size) if open_ else np.array([at]) for size, open_, at in zip(shape, free, fixed, strict=True)
        ]
        axes[0] = np.array([at for at in axes[0].tolist() if self.counted[at]])
        part = self.usd[np.ix_(*axes)]
        way, policy, design = (int(axis[at]) for axis, at in
                               zip(axes, np.unravel_index(int(part.argmin()), part.shape), strict=True))  # fmt: skip
        found = Strategy(design, self.policies[policy], self.ways[way])
        cost = float(part.min())
        for strategy, (_, usd) in self.searched.items():
            differs = {
                stage for stage, name in ((BUILD, "design"), (REFRESH, "policy"), (OPERATE, "way"))
                if getattr(strategy, name) != getattr(self.start, name)
            }  # fmt: skip
            if usd < cost and differs <= stages:
                found, cost = strategy, usd
        return found, cost

    def values(self) -> dict[frozenset[str], float]:
        """Least cost of every set of stages that may be improved [USD]."""
        sets = (frozenset(some) for size in range(len(STAGES) + 1) for some in combinations(STAGES, size))
        return {stages: self.best(stages)[1] for stages in sets}


@dataclass(slots=True)
class Study:
    """A case with what is worked out once: worlds by choice, owned servers, policies."""

    case: Case
    builder: Builder
    values: Values
    owned: Vintages | None

    @classmethod
    def of(cls, case: Case) -> Study:
        """The study of a case at medians."""
        return cls(case, Builder(case), case.parameters.medians(), owned_of(case))

    def world(self, strategy: Strategy, accounting: Accounting | None = None) -> World:
        """The world of one strategy."""
        return self.builder.world(self.values, Choice(strategy.way, (strategy.design,), accounting))

    def run(self, strategy: Strategy, policy: Policy | None = None, accounting: Accounting | None = None) -> Outcome:
        """What a strategy does and costs; ``policy`` where it was searched for."""
        found = policy or self.case.policies[strategy.policy]
        return outcome(self.world(strategy, accounting), found, self.owned, self.case.ways[strategy.way].placement)

    def search(
        self, strategy: Strategy, accounting: Accounting | None = None, start: tuple[float, ...] = ()
    ) -> tuple[Policy, float]:
        """The best lives by generation in place of a strategy's policy, and their cost; infinite if not feasible."""
        placement = self.case.ways[strategy.way].placement
        best = best_lives(self.world(strategy, accounting), self.owned, placement, start=start)
        return best.policy, best.usd if best.missing <= 1e-9 else float("inf")


def owned_of(case: Case) -> Vintages | None:
    """Servers at the start as vintages; None where there are none."""
    generation, age, count, paid = owned_ages(case)
    if not len(generation):
        return None
    return Vintages(generation.astype(np.int64), -age.astype(np.int64), count, paid)


def grid(study: Study, accounting: Accounting | None = None, near: Grid | None = None) -> Grid:
    """Costs of every strategy of a case, by simulation; policies by generation are searched where they may be best.

    ``near`` is a grid whose policies by generation the search starts from.
    """
    case = study.case
    start = Strategy(case.baseline, case.inputs.baseline.policy, BASELINE)
    plain = tuple(name for name, policy in case.policies.items() if policy.rule != "per-generation")
    ways = tuple(case.ways)
    every = tuple(range(case.designs(BASELINE).size))
    usd = np.full((len(ways), len(plain), len(every)), np.inf)
    for row, way in enumerate(ways):
        world = study.builder.world(study.values, Choice(way, every, accounting))
        for column, name in enumerate(plain):
            found = outcome(world, case.policies[name], study.owned, case.ways[way].placement)
            usd[row, column] = np.where(found.shortfall.feasible, found.money.total(), np.inf)
    counted = tuple(not way.alone for way in case.ways.values())
    made = Grid(ways, counted, plain, usd, start)
    searched = [name for name, policy in case.policies.items() if policy.rule == "per-generation"]
    wanted = ({REFRESH}, {BUILD, REFRESH}, {REFRESH, OPERATE}, set(STAGES))
    begins = (
        {} if near is None else {strategy.way: policy.lives_years for strategy, (policy, _) in near.searched.items()}
    )
    # Where to search is decided before anything is found: what is found elsewhere would hide a design.
    places = [made.best(frozenset(stages))[0] for stages in wanted]
    for name in searched[:1]:
        for best in places:
            strategy = Strategy(best.design, name, best.way)
            if strategy not in made.searched:
                made.searched[strategy] = study.search(strategy, accounting, begins.get(best.way, ()))
    return made


__all__ = ["ALL", "BASELINE", "BUILD", "OPERATE", "REFRESH", "STAGES", "Grid", "Strategy", "Study", "grid", "owned_of"]
