"""Tables and pictures of `aiplan site`: the chain in MW, a year's energy and water part by part, systems, months."""

from __future__ import annotations

from aiplan.planners.cooling.tables import LABELS, WATER_LABELS
from aiplan.planners.power.report import pictures as power_pictures
from aiplan.planners.power.report_tables import chain_table, levels_table
from aiplan.planners.site.plan import Result
from aiplan.report.model import Axis, Bars, Column, Picture, Segment, Table


def tables(result: Result) -> tuple[Table, ...]:
    """Every table of a result."""
    return (_energy(result), _water(result), chain_table(result.power), levels_table(result.power))


def energy_parts(result: Result) -> dict[str, float]:
    """Energy of a year by part, under the names people know [MWh]."""
    return {LABELS.get(name, name): value for name, value in result.energy_mwh.items()}


def _energy(result: Result) -> Table:
    """Parts of the energy; they add up to the whole."""
    parts = energy_parts(result)
    total, it = sum(parts.values()), parts["IT"]
    rows = [(name, value, value / it) for name, value in (*parts.items(), ("facility", total))]
    columns = (
        Column("part", "part", keep=True),
        Column("energy_mwh", "energy", "MWh/year", keep=True),
        Column("over_it_fraction", "over IT energy"),
    )
    return Table("energy", "Energy of a year part by part, at medians", columns, tuple(rows))


def _water(result: Result) -> Table:
    """Uses of water on site; they add up to the whole."""
    it_kwh = result.energy_mwh["IT"] * 1e3
    parts = {WATER_LABELS[name]: value for name, value in result.water_m3.items()}
    rows = [(name, value, value * 1e3 / it_kwh) for name, value in (*parts.items(), ("all", sum(parts.values())))]
    columns = (
        Column("use", "use", keep=True),
        Column("water_m3", "water", "m³/year", keep=True),
        Column("water_l_per_kwh", "over IT energy", "L/kWh"),
    )
    return Table("water", "Water on site in a year, at medians", columns, tuple(rows))


def pictures(result: Result) -> tuple[Picture, ...]:
    """The chain at the design hour and in the mean, and where a year's energy goes."""
    parts = energy_parts(result)
    whole = Bars(
        "energy_of_a_year", "Energy of a year beside IT", Axis("energy", "GWh"), ("year",),
        tuple(Segment(name, (value / 1e3,)) for name, value in parts.items() if name != "IT" and value > 0),
        table="energy",
    )  # fmt: skip
    return (*power_pictures(result.power), whole)
