"""The same question with one thing otherwise: topologies, redundancies, sizing rules; published gains beside ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aiplan.planners.power.build import Values, demand_of, racks_of, tree_of
from aiplan.planners.power.case import Case
from aiplan.planners.power.design import TOPOLOGIES, Design
from aiplan.planners.power.limits import outlines
from aiplan.planners.power.provision import NoRackFits, Provision, provision
from aiplan.planners.power.redundancy import Scheme, scheme
from aiplan.planners.power.tree import TreeError

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

Mechanical = Callable[[Provision | None], tuple[float, float]]
"""Power of cooling over IT power at the worst hour and in the mean, given what was found last; None at first."""
SCHEMES = (("n", None), ("n+1", 4), ("4n/3", None), ("3n/2", None), ("2n", None))
"""Redundancies shown side by side, the least first."""
RULES = ("nameplate", "peak", "percentile", "oversubscribed")
IN_STEP = 1.0
RESERVE = "reserve"
"""Load of a gain that takes the reserve of a redundancy into use."""
ROUNDS = 30
SETTLED = 1e-12


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """A redundancy on the same UPS: what fits, or why it cannot be built."""

    scheme: Scheme
    flex: bool
    found: Provision | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Gain:
    """A published gain in servers, and ours: behind one feed by statistics alone, and in this design [1]."""

    entry: str
    name: str
    load: str
    published: float
    evidence: str
    feed: float | None
    design: float | None
    condition: str

    @property
    def reached(self) -> bool | None:
        """Whether ours is as large; None where nothing can be said.

        Behind one feed by statistics; for a reserve, whose gain behind a feed is an identity, in the whole design.
        """
        ours = self.design if self.load == RESERVE else self.feed
        return None if ours is None else ours >= self.published


def settle(design: Design, mechanical: Mechanical) -> tuple[Provision, tuple[float, float]]:
    """What fits when cooling depends on the losses of the chain, which depend on what fits."""
    cooling = mechanical(None)
    found = provision(design, *cooling)
    for _ in range(ROUNDS):
        before, cooling = cooling, mechanical(found)
        if np.allclose(before, cooling, rtol=0.0, atol=SETTLED):
            break
        found = provision(design, *cooling)
    return found, cooling


def topologies(found: Provision, cooled: Mechanical) -> list[tuple[str, Provision]]:
    """The same design with power pooled at every height."""
    out = []
    for topology in TOPOLOGIES:
        own = topology == found.design.topology
        out.append((topology, found if own else settle(replace(found.design, topology=topology), cooled)[0]))
    return out


def schemes(case: Case, values: Values, found: Provision, cooled: Mechanical) -> list[SchemeRow]:
    """Other redundancies on the same UPS, and the reserve of the one asked in use."""
    design = found.design
    if design.scheme is None or (design.scheme.name == "n" and not any(level.kind == "ups" for level in design.levels)):
        return []
    asked = design.scheme
    shown = [scheme(name, group) for name, group in SCHEMES]
    if asked not in shown:
        shown.append(asked)
    same = asked if design.sheddable == 0 else None
    rows = [
        SchemeRow(how, False, found) if how == same else _scheme_row(case, values, design, how, 0.0, cooled)
        for how in shown
    ]
    if asked.name != "n":
        rows.append(_scheme_row(case, values, design, asked, 1.0 - asked.usable, cooled))
    return sorted(rows, key=lambda row: (row.flex, -row.scheme.usable))


def _scheme_row(
    case: Case, values: Values, design: Design, how: Scheme, sheddable: float, cooled: Mechanical
) -> SchemeRow:  # fmt: skip
    flex = sheddable > 0
    try:
        other = replace(design, levels=tree_of(case, values, how), scheme=how, sheddable=sheddable)
        return SchemeRow(how, flex, settle(other, cooled)[0])
    except TreeError as error:
        return SchemeRow(how, flex, None, error.faults[0].message)
    except NoRackFits as error:
        return SchemeRow(how, flex, None, str(error))


def rules(case: Case, values: Values, found: Provision, cooled: Mechanical) -> list[tuple[str, Provision]]:
    """The same design by every sizing rule, and oversubscribed with all servers of a class in step."""
    racks = racks_of(case, values)
    out = []
    wanted: list[tuple[str, str, float | None]] = [(rule, rule, None) for rule in RULES]
    wanted.append(("oversubscribed, classes in step", "oversubscribed", IN_STEP))
    for label, rule, rho in wanted:
        if rule in RULES[2:] and not case.inputs.classes:
            continue
        if rho is None and rule == found.design.demand.rule:
            out.append((label, found))
            continue
        try:
            demand = demand_of(case, values, racks, rule, rho=rho)
            out.append((label, settle(replace(found.design, demand=demand), cooled)[0]))
        except (NoRackFits, ValueError):
            continue  # a rule under which nothing fits, or correlations that only hold as given, has no row
    return out


def gains(
    case: Case, values: Values, catalog: Catalog, found: Provision, by_scheme: list[SchemeRow],
    by_rule: list[tuple[str, Provision]],
) -> list[Gain]:  # fmt: skip
    """Published gains of oversubscription, and ours for the same kind of load."""
    known = dict(by_rule)
    base = known.get("nameplate")
    out = []
    feed = _feed_w(found)
    racks = racks_of(case, values)
    for name in catalog.ids("power"):
        entry = catalog.get("power", name)
        if entry.role != "oversubscription":
            continue
        ours: float | None = None
        here: float | None = None
        if entry.load == RESERVE:
            pair = {row.flex: row.found for row in by_scheme if row.scheme == found.design.scheme}
            with_reserve, without = pair.get(True), pair.get(False)
            if with_reserve is not None and without is not None and found.design.scheme is not None:
                ours = 1.0 / found.design.scheme.usable - 1.0
                here = with_reserve.servers / without.servers - 1.0
        elif case.inputs.classes:
            only = None if entry.load == "mixed" else entry.load
            if _share(case, values, only) > 0:
                demand = demand_of(case, values, racks, "oversubscribed", only)
                ours = float(demand.rated_w(np.array([feed]))[0]) / feed - 1.0
            if only is None and base is not None and "oversubscribed" in known:
                here = known["oversubscribed"].servers / base.servers - 1.0
        out.append(Gain(name, entry.name, entry.load or "", entry.gain_fraction.value, entry.evidence or "", ours, here,
                        entry.condition))  # fmt: skip
    return out


def _share(case: Case, values: Values, work: str | None) -> float:
    """Share of the servers that do a kind of work, of all where None [1]."""
    shares = (values[f"classes.{name}.share_fraction"] for name, item in case.inputs.classes.items()
              if work in (None, item.work))  # fmt: skip
    return float(sum(shares))


def _feed_w(found: Provision) -> float:
    """What one UPS feed carries at the racks; a row's where there is no UPS [W]."""
    outline = next((one for one in outlines(found.design, 0.0) if one.name == "ups"), None)
    return float(outline.rack_w.min() if outline is not None else found.design.levels[-1].usable_w.min())
