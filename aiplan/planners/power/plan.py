"""Inputs to result: what fits as asked, and beside it other topologies, redundancies and rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InfeasibleError, InputError, Problem
from aiplan.planners.power.build import Values, design_of, scheme_of, tree_of
from aiplan.planners.power.capped import (
    CappedClass,
    CappedLevel,
    capped_classes,
    capped_levels,
    priorities_of,
    worst_level,
)
from aiplan.planners.power.case import Case, build_case, refuse
from aiplan.planners.power.compare import Gain, Mechanical, SchemeRow, gains, rules, schemes, settle, topologies
from aiplan.planners.power.design import Design
from aiplan.planners.power.inputs import PowerInputs
from aiplan.planners.power.provision import NoRackFits, Provision
from aiplan.planners.power.serving_capacity import Served, served, usd_per_h
from aiplan.planners.power.stabilized import warnings_of
from aiplan.planners.power.tree import Level, TreeError
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers.

    Attributes
    ----------
    found : what fits as asked
    mechanical : power of cooling over IT power, at the worst hour and in the mean [1]
    topologies, schemes, rules : the same design with one thing otherwise; a rule by its name
    gains : published beside ours
    served, tokens_per_s : one server by kind; all inference servers, slowed by their caps [1/s]
    usd_per_h : None without prices
    inference_share : of the servers [1]
    capped, capped_classes : caps behind the worst node of every level, and by class behind the worst of all
    trace, trace_caps : figures of a measured power, by id
    """

    case: Case
    values: Values
    found: Provision
    mechanical: tuple[float, float]
    topologies: list[tuple[str, Provision]] = field(default_factory=list)
    schemes: list[SchemeRow] = field(default_factory=list)
    rules: list[tuple[str, Provision]] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    served: Served | None = None
    tokens_per_s: float | None = None
    tokens_low_high: tuple[float, float] | None = None
    usd_per_h: float | None = None
    inference_share: float = 1.0
    capped: list[CappedLevel] = field(default_factory=list)
    capped_classes: list[CappedClass] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)
    trace_caps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)


def plan(inputs: PowerInputs, catalog: Catalog, mechanical: Mechanical | None = None, *, beside: bool = True) -> Result:
    """Answer a scenario.

    Parameters
    ----------
    mechanical : power of cooling by the caller; by ``[facility]`` where None
    beside : whether other topologies, redundancies and rules are computed, too

    Raises
    ------
    InputError for what cannot be worked with; InfeasibleError where nothing fits.
    """
    case = build_case(inputs, catalog, cooled=mechanical is not None)
    values = case.parameters.medians()
    cooled = mechanical or _facility(case, values)
    found, cooling = _settled(_design(case, values), cooled)
    result = Result(case, values, found, cooling, warnings=list(case.warnings))
    if beside:
        result.topologies = topologies(found, cooled)
        result.schemes = schemes(case, values, found, cooled)
        result.rules = rules(case, values, found, cooled)
        result.gains = gains(case, values, catalog, found, result.schemes, result.rules)
    _serve(result, catalog)
    _cap(result)
    if case.trace is not None and case.traced is not None:
        from aiplan.planners.power.traced import cap_rows, trace_rows

        behind = {one.name: round(one.servers) for one in result.capped_classes}
        result.trace = trace_rows(case, values, behind.get(case.traced[0], 0))
        result.trace_caps = cap_rows(case, values)
    _warn(result)
    return result


def capacity(
    inputs: PowerInputs, catalog: Catalog, mechanical: Mechanical, contract_w: float | None = None
) -> Provision:
    """What fits, and no more, with the scenario's grid connection or another.

    Raises as `plan` does.
    """
    case = build_case(inputs, catalog, cooled=True)
    design = _design(case, case.parameters.medians())
    if contract_w is not None:
        design = replace(design, contract_w=contract_w)
    return _settled(design, mechanical)[0]


def _settled(design: Design, mechanical: Mechanical) -> tuple[Provision, tuple[float, float]]:
    try:
        return settle(design, mechanical)
    except NoRackFits as error:
        raise InfeasibleError(str(error), code="E232", hint="raise what the message names, or take a smaller server or "
                              "another cooling") from None  # fmt: skip


def _design(case: Case, values: Values) -> Design:
    """The design asked, with what is wrong with it as problems of the scenario."""
    try:
        how = scheme_of(case)
    except ValueError as error:
        raise refuse(
            "E231", str(error), "redundancy.group_count", "give the UPS of a group, or another scheme"
        ) from None
    if case.inputs.nodes and how.name not in ("n", "distributed"):
        raise refuse("E231", f"{how.name} is for equal UPS by counts", "redundancy.scheme",
                     'with nodes write "distributed" for rows with two feeds, else "n"')  # fmt: skip
    try:
        _one_or_two_feeds(tree_of(case, values, how))
    except TreeError as error:
        named = list(case.inputs.nodes) or list(case.inputs.levels)
        section = "nodes" if case.inputs.nodes else "levels"
        raise InputError([
            Problem("E230", fault.message, f"{section}.{named[fault.place]}",
                    hint="correct the node" if case.inputs.nodes else "correct counts and ratings, or the redundancy")
            for fault in error.faults
        ]) from None  # fmt: skip
    try:
        design = design_of(case, values)
        if design.demand.mix is not None:
            # Correlations that contradict each other do so the more servers there are.
            design.demand.mix.moments(np.ceil(design.contract_w / design.demand.mix.mean_w))
    except ValueError as error:
        raise refuse("E233", str(error), "classes", "correct the shares, powers or correlations named") from None
    return design


def _one_or_two_feeds(levels: Sequence[Level]) -> None:
    """Refuse rows of one feed beside rows of two: what a UPS may carry is known for either, not for both."""
    for level in levels:
        two = level.feeds[:, 0] != level.feeds[:, 1]
        if np.any(two) and not np.all(two):
            lone = level.names[int(np.argmin(two))]
            raise refuse("E231", f"'{lone}' has one feed, others of its kind two", "nodes",
                         "give every node below the UPS two feeds, or none of them")  # fmt: skip


def _facility(case: Case, values: Values) -> Mechanical:
    """Cooling as the scenario states it: a fraction, or a PUE less what it counts beside cooling."""
    electrical = case.inputs.facility.pue_boundary == "mechanical+electrical"
    other = values["facility.other_fraction"]
    hottest, mean_hour = (values.get(f"facility.mechanical_{when}_fraction") for when in ("worst", "mean"))
    if hottest is not None and mean_hour is not None and mean_hour > hottest:
        raise refuse("E234", f"cooling takes {mean_hour:.3g} of IT power in the mean, more than the {hottest:.3g} of "
                     "the worst hour", "facility.mechanical_mean_fraction", "exchange or correct them")  # fmt: skip

    def of(when: str, hour: str, loss: float) -> float:
        if f"facility.mechanical_{when}_fraction" in values:
            return values[f"facility.mechanical_{when}_fraction"]
        pue = values[f"facility.pue_{hour}"]
        left = pue - 1.0 - other - (loss if electrical else 0.0)
        if left < 0:
            raise refuse("E234", f"{pue:g} leaves nothing for cooling: losses of the chain are {loss:.3f} and the rest "
                         f"{other:g} of IT power", f"facility.pue_{hour}",
                         'raise it, or write pue_boundary = "mechanical"')  # fmt: skip
        return left

    def cooled(found: Provision | None) -> tuple[float, float]:
        worst, mean = (0.0, 0.0) if found is None else (one.loss_w / one.it_w for one in (found.worst, found.mean))
        return of("worst", "design", worst), of("mean", "mean", mean)

    return cooled


def _serve(result: Result, catalog: Catalog) -> None:
    """Tokens of the inference servers and cost of all; caps slow them by what they hold back."""
    case, values, found = result.case, result.values, result.found
    counts = (found.per_rack * found.packed.counts).tolist()
    result.usd_per_h = usd_per_h(case, values, counts, found.mean.grid_w)
    result.served = served(case, catalog, values)
    if result.served is None:
        return
    share, slower = _inference(case, values, found.held or 0.0)
    result.inference_share = share

    def of_all(each: list[float]) -> float:
        return float(share * sum(rate * many for rate, many in zip(each, counts, strict=True)) / slower)

    result.tokens_per_s = of_all(result.served.tokens_per_s)
    result.tokens_low_high = of_all(result.served.low), of_all(result.served.high)


def _cap(result: Result) -> None:
    """Caps behind the worst nodes, and who gives way behind the worst of all."""
    mix = result.found.design.demand.mix
    result.capped = capped_levels(result.found)
    if mix is None or not result.capped:
        return
    classes = result.case.inputs.classes
    priorities = priorities_of({name: (item.work, item.priority) for name, item in classes.items()})
    slower = [result.values[f"classes.{name}.slowdown_factor"] for name in classes]
    result.capped_classes = capped_classes(mix, worst_level(result.capped), priorities, slower)


def _inference(case: Case, values: Values, held: float) -> tuple[float, float]:
    """Share of the servers that answer, and how much longer they take under caps [1]."""
    if not case.inputs.classes:
        return 1.0, 1.0
    answering = [name for name, item in case.inputs.classes.items() if item.work == "inference"]
    share = float(sum(values[f"classes.{name}.share_fraction"] for name in answering))
    if share <= 0:
        return 0.0, 1.0
    weighted = sum(values[f"classes.{name}.share_fraction"] * values[f"classes.{name}.slowdown_factor"]
                   for name in answering)  # fmt: skip
    return share, 1.0 + weighted / share * held


def _warn(result: Result) -> None:
    """What a reader must know before building."""
    case, found, out = result.case, result.found, result.warnings
    uncertain = case.parameters.uncertain()
    if uncertain:
        out.append(
            Warn("W-POWER-MEDIAN", f"taken at the median, though uncertain: {', '.join(uncertain)}", uncertain[0])
        )
    out += warnings_of(result)
    shed = found.design.sheddable
    if shed > 0:
        usable = found.design.scheme.usable if found.design.scheme is not None else None
        needed = "" if usable is None else f"; the whole reserve needs {1 - usable:.0%}"
        text = f"{shed:.0%} of the load must be shed within the overload time of the UPS, some seconds (unverified)"
        out.append(Warn("W-POWER-FLEX", f"{text}, when one is lost{needed}", "redundancy.sheddable_fraction"))
    if found.design.demand.probability is not None:
        step = dict(result.rules).get("oversubscribed, classes in step")
        if step is not None and step.servers < found.servers:
            out.append(Warn("W-POWER-CORRELATION", f"with the servers of each class in step {step.servers:,} fit, not "
                            f"{found.servers:,}: correlation is known least", "classes"))  # fmt: skip
    if found.over is not None and found.design.demand.probability is None and found.over > 0.01:
        out.append(Warn("W-POWER-OVER", f"by the statistics of the classes some node is above its limit for "
                        f"{found.over:.1%} of the time", "power.rule"))  # fmt: skip
