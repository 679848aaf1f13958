"""Pictures of a lifecycle: cost by year, fleet by generation, what moves the cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.plan import Result, Row
from aiplan.planners.lifecycle.report_tables import flow, names_of
from aiplan.planners.lifecycle.report_values import by_year, first_periods, per_generation, years_of
from aiplan.report.model import Axis, Bars, Picture, Segment
from aiplan.uncertainty.sensitivity import TornadoBar

GROUPS = {
    "servers": ("servers", "spares"),
    "network": ("network", "network operation"),
    "land and shell": ("land", "shell", "hall maintenance"),
    "power and cooling plant": ("power plant", "cooling plant"),
    "storage for the grid": ("stabilisation storage", "storage replacement", "storage upkeep"),
    "electricity": ("energy", "demand charge"),
    "water and carbon": ("water", "carbon", "embodied carbon"),
    "maintenance, software, staff": ("maintenance", "software", "staff", "decommissioning"),
    "rent": ("rent",),
}
"""Cost lines that are drawn as one; income and tax are not drawn."""
MOST_GENERATIONS = 11
"""Generations drawn apart; smaller ones go together."""
MOST_BARS = 12


def pictures(result: Result) -> tuple[Picture, ...]:
    """All pictures; the tornado where something is uncertain."""
    found: list[Picture] = [cost_by_year(result), fleet_by_generation(result, "baseline")]
    if "optimum" in result.rows:
        found.append(fleet_by_generation(result, "optimum"))
    moved = [] if result.risk is None else [bar for bar in result.risk.tornado if abs(bar.high - bar.low) > 0]
    if moved:
        found.append(tornado(result, moved[:MOST_BARS]))
    return tuple(found)


def _labels(result: Result) -> tuple[str, ...]:
    return tuple(f"{year}" for year in years_of(result))


def cost_by_year(result: Result) -> Bars:
    """What is spent in each year, stacked; what comes in is left out."""
    row, segments = result.start, []
    for label, names in GROUPS.items():
        values = _spent(result, row, names)
        if values.max() > 0:
            segments.append(Segment(label, tuple(float(value) / 1e6 for value in values)))
    title = f"Cost by year of the baseline, accounting {result.accounting}: resale, tax and terminal value left out"
    return Bars("cost_by_year", title, Axis("spent in the year", "M USD"), _labels(result), tuple(segments),
                table="years")  # fmt: skip


def _spent(result: Result, row: Row, names: tuple[str, ...]) -> Array:
    """Dollars of some cost lines by year, shape (years,) [USD]."""
    flows = [by_year(result, flow(row, name)[:-1]) for name in names if name in names_of(row)]
    return np.asarray(sum(flows, np.zeros(len(years_of(result)))))


def fleet_by_generation(result: Result, name: str) -> Bars:
    """Accelerators in service at the start of each year."""
    row = result.rows[name]
    generations = row.problem.world.generations
    count = np.broadcast_to(generations.accelerators_count, (len(generations.names),))
    held = per_generation(row, row.plan.serve)[:, first_periods(result)] * count[:, None]
    largest = np.sort(np.argsort(-held.sum(axis=1), kind="stable")[:MOST_GENERATIONS])
    largest = largest[held[largest].sum(axis=1) > 1e-9 * held.sum()]
    segments = [Segment(generations.names[at], tuple(float(value) for value in held[at])) for at in largest]
    rest = np.maximum(held.sum(axis=0) - held[largest].sum(axis=0), 0.0)
    if rest.sum() > 1e-9 * held.sum():
        segments.append(Segment("others", tuple(float(value) for value in rest)))
    title = f"Fleet of the {name} by generation"
    return Bars(f"fleet_by_generation_{name}", title, Axis("accelerators at the start of the year"), _labels(result),
                tuple(segments), table="fleet")  # fmt: skip


def tornado(result: Result, bars: Sequence[TornadoBar]) -> Bars:
    """How far the baseline's cost moves with each uncertain input, down and up, in the order given."""
    base, items = float(result.start.money.total()), result.case.parameters.items
    low = tuple(max(base - min(bar.low, bar.high), 0.0) / 1e6 for bar in bars)
    high = tuple(max(max(bar.low, bar.high) - base, 0.0) / 1e6 for bar in bars)
    title = f"What moves the baseline's cost, inputs at P5 and P95, accounting {result.accounting}"
    return Bars("tornado", title, Axis("move of the cost", "M USD"), tuple(items[bar.name].label for bar in bars),
                (Segment("cheaper by", low), Segment("dearer by", high)), table="tornado")  # fmt: skip


__all__ = ["GROUPS", "pictures"]
