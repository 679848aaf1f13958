"""What is not known: policies over many draws of the inputs, what moves their cost, how far trends may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle import montecarlo, robustness
from aiplan.planners.lifecycle.build import Choice
from aiplan.planners.lifecycle.policies import Policy
from aiplan.planners.lifecycle.robustness import Range
from aiplan.planners.lifecycle.shares import Share, first_order
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.strategies import Strategy, Study
from aiplan.planners.lifecycle.world import Ints, World
from aiplan.planners.parameters import Values
from aiplan.uncertainty.sensitivity import TornadoBar

COST = "npv_usd"
BY_GENERATION = ("roadmap.gain_factor", "roadmap.price_factor")
"""Inputs that every generation draws anew; a correlation between two of them holds within each generation."""
PATHS = {"model_growth": "demand.model_growth_fraction", "demand_growth": "demand.growth_fraction",
         "compute_density": "roadmap.flops_fraction", "memory": "roadmap.bandwidth_fraction",
         "power": "roadmap.power_fraction", "price": "roadmap.price_fraction"}  # fmt: skip
"""Inputs of the trends that robustness is asked of; links between accelerators have no trend of their own."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Policies over the draws, of the baseline's design and way.

    Attributes
    ----------
    costs : by draw and policy
    spread : of each policy
    cheapest : share of the draws in which each policy costs least, shape (P,) [1]
    paired : differences to the baseline's policy in the same draws
    convergence : of the baseline's mean
    shares : of the variance of the baseline's cost, by input
    tornado : the baseline's cost with each input at its P5 and P95
    """

    costs: montecarlo.Costs
    spread: montecarlo.Spread
    cheapest: Array
    paired: montecarlo.Paired
    convergence: montecarlo.Convergence
    shares: Mapping[str, Share]
    tornado: list[TornadoBar]


def risk(study: Study, start: Strategy) -> Risk | None:
    """Draws of the uncertain inputs; None where nothing is uncertain.

    Raises InputError for correlations that cannot hold.
    """
    case = study.case
    if not case.parameters.uncertain():
        return None
    how = case.inputs.uncertainty
    drawn = drawn_values(study, how.samples)
    policies = [lived(study, policy, drawn) for policy in case.policies.values() if policy.rule != "per-generation"]
    world = study.builder.world(drawn, Choice(start.way, (start.design,)))
    found = montecarlo.costs(world, policies, how.samples, study.owned, case.ways[start.way].placement)
    base = found.names.index(start.policy)
    least = np.bincount(np.where(found.feasible, found.usd, np.inf).argmin(axis=1), minlength=len(policies))
    uncertain = {path: as_array(drawn[path]) for path in case.parameters.uncertain()}
    tied = {name for pair in _expanded(study) for name in (pair.a, pair.b)}
    used = {path: values for path, values in uncertain.items() if values.ndim}
    shares = first_order(used, found.usd[:, base], tied & set(used)) if how.samples > len(used) + 1 else {}
    return Risk(found, montecarlo.spread(found.usd), least / how.samples, montecarlo.paired(found.usd, base),
                montecarlo.convergence(found.usd[:, base]), shares, bars(study, start))  # fmt: skip


def drawn_values(study: Study, samples: int) -> Values:
    """Draws of every uncertain input, fixed ones as they are.

    Raises InputError for correlations that cannot hold.
    """
    changed = {"correlations": _expanded(study), "samples": samples}
    return study.case.parameters.draw(study.case.inputs.uncertainty.model_copy(update=changed))


def _expanded(study: Study) -> tuple[Any, ...]:
    """Correlations with those of gains and prices written out for every generation."""
    found = []
    known, uncertain = study.case.parameters.items, study.case.parameters.uncertain()
    for pair in study.case.inputs.uncertainty.correlations:
        # An input made certain, as by --set, has nothing left to move with another.
        if any(name in known and name not in uncertain for name in (pair.a, pair.b)):
            continue
        ends = [pair.a in BY_GENERATION, pair.b in BY_GENERATION]
        if not any(ends):
            found.append(pair)
            continue
        if not all(ends) or pair.a == pair.b:
            raise InputError(Problem("E274", f"'{pair.a}' and '{pair.b}' cannot be correlated: generations draw anew",
                                     "uncertainty.correlations",
                                     hint="correlate roadmap.gain_factor with roadmap.price_factor"))  # fmt: skip
        numbers = [path.rsplit(".", 1)[1] for path in study.case.paths if path.startswith(f"{pair.a}.")]
        found += [pair.model_copy(update={"a": f"{pair.a}.{number}", "b": f"{pair.b}.{number}"}) for number in numbers]
    return tuple(found)


def lived(study: Study, policy: Policy, values: Values) -> Policy:
    """A policy with the lives that were drawn for it."""
    path = f"policies.{policy.name}.life_years"
    return policy if path not in study.case.paths else replace(policy, life_years=as_array(values[path]))


def point(study: Study, start: Strategy) -> Any:
    """The start's cost lines as a function of the inputs, single or varied side by side."""
    case = study.case

    def lines(values: Values) -> dict[str, Any]:
        world = study.builder.world(values, Choice(start.way, (start.design,)))
        policy = lived(study, case.policies[start.policy], values)
        money = outcome(world, policy, study.owned, case.ways[start.way].placement).money
        return {
            COST: money.total(),
            "tco_usd": money.plain(),
            "capex_usd": money.plain("capex"),
            "opex_usd": money.plain("opex", "tax"),
        }

    return lines


def bars(study: Study, start: Strategy) -> list[TornadoBar]:
    """The start's cost with each uncertain input at its ends."""
    return study.case.parameters.tornado(point(study, start), COST)


def trends(study: Study, start: Strategy) -> dict[str, Range]:
    """How far each trend may be wrong before another policy is best in the baseline's design and way."""
    case = study.case
    policies = [policy for policy in case.policies.values() if policy.rule != "per-generation"]
    known = [name for name, path in PATHS.items() if path in case.paths]

    def rank(trend: str, changes: Array) -> Ints:
        path = case.paths[PATHS[trend]]
        values = {**study.values, path: study.values[path] * (1.0 + changes)}
        if trend == "memory":
            size = case.paths["roadmap.memory_fraction"]
            values[size] = study.values[size] * (1.0 + changes)
        world: World = study.builder.world(values, Choice(start.way, (start.design,)))
        found = montecarlo.costs(world, policies, len(changes), study.owned, case.ways[start.way].placement)
        return robustness.ordered(found.usd, as_array(~found.feasible))

    return robustness.ranges(rank, known)


__all__ = ["COST", "Risk", "drawn_values", "lived", "point", "risk", "trends"]
