"""A class of servers as `aiplan stabilize` leaves it: its powers for the scenario's, and losses of its storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiplan.errors import InputError, Problem
from aiplan.report.model import Cell, Column, Table, Warn

if TYPE_CHECKING:
    from aiplan.inputs.quantity import Quantity
    from aiplan.planners.power.inputs import Power, ServerClass
    from aiplan.planners.power.plan import Result
    from aiplan.planners.stabilize.handover_file import Handover

FRACTIONS = ("mean_fraction", "sd_fraction", "peak_fraction", "floor_fraction")
MOMENTS = ("skewness", "excess_kurtosis", "rho_within")
LABELS = {
    "mean_fraction": "mean power over rating",
    "sd_fraction": "standard deviation over rating",
    "peak_fraction": "most it draws over rating",
    "floor_fraction": "least it draws over rating",
    "skewness": "skewness",
    "excess_kurtosis": "excess kurtosis",
    "rho_within": "correlation of two servers",
}
LOSS = "power.stabilized.site_loss_share"
"""Input: losses of the storage at the site over the IT energy of the class."""


@dataclass(frozen=True, slots=True)
class Stabilized:
    """A class and what a report of `aiplan stabilize` says of it.

    Attributes
    ----------
    name : of the class
    before : numbers of the scenario that the file's take the place of; None for what it did not give
    """

    name: str
    handover: Handover
    before: Mapping[str, float | None]

    def quantity(self, field: str) -> Quantity:
        """A number of the class by its field."""
        return self.handover.quantity(self.handover.power[field])


def stabilized_class(power: Power, classes: Mapping[str, ServerClass]) -> Stabilized | None:
    """The class that a file of `aiplan stabilize` describes; None where none is named.

    Raises
    ------
    InputError for a file without a class, a class that is none or has a trace, too (E323), powers that no class can
    have (E324), and what is wrong with the file, see `handover_file.read_handover`.
    """
    file, name = power.stabilized, power.stabilized_class
    if file is None and name is None:
        return None
    if file is None or name is None:
        missing = "stabilized" if file is None else "stabilized_class"
        raise _refuse("E323", f"power.{missing} is missing: a file and a class go together", missing,
                      "give both, or neither")  # fmt: skip
    if name not in classes:
        known = ", ".join(classes) or "none; add [classes.NAME]"
        raise _refuse("E323", f"power.stabilized_class: '{name}' is no class", "stabilized_class", f"one of {known}")
    if power.trace_class == name:
        raise _refuse("E323", f"class '{name}' has a trace and a stabilised job", "stabilized_class",
                      "keep one of the two, or name another class")  # fmt: skip
    from aiplan.planners.stabilize.handover_file import read_handover

    found = read_handover(Path(file))
    for field in FRACTIONS:
        value = found.power[field]
        if not 0 <= value <= 1:
            text = f"power.stabilized: {LABELS[field]} is {value:.4g} in {found.file}, and must be 0 to 1"
            hint = "rate the server for what its job draws: machine.server, tdp_w and constant_w there"
            raise _refuse("E324", text, "stabilized", hint)
    item = classes[name]
    before = {field: _value(getattr(item, field)) for field in (*FRACTIONS, *MOMENTS)}
    return Stabilized(name, found, before)


def _refuse(code: str, message: str, field: str, hint: str) -> InputError:
    return InputError(Problem(code, message, f"power.{field}", hint=hint))


def _value(quantity: Quantity | None) -> float | None:
    return None if quantity is None else float(quantity.distribution.median)


def peak_fraction(stabilized: Stabilized | None, values: Mapping[str, float]) -> float:
    """Most power of a server over its rating by the rule ``peak``, classes by their shares [1]."""
    given = values["power.peak_fraction"]
    if stabilized is None:
        return given
    share = values[f"classes.{stabilized.name}.share_fraction"]
    return share * values[f"classes.{stabilized.name}.peak_fraction"] + (1.0 - share) * given


def site_loss(stabilized: Stabilized | None, values: Mapping[str, float], server_mean: float) -> float:
    """Losses of storage at the site over the IT power of all classes [1].

    ``server_mean`` is the mean power of a server of all classes, network included, over its rating without it [1].
    """
    if stabilized is None:
        return 0.0
    of = f"classes.{stabilized.name}"
    return values[LOSS] * values[f"{of}.share_fraction"] * values[f"{of}.mean_fraction"] / server_mean


def accelerators(result: Result) -> float:
    """Accelerators of the stabilised class among those that fit [1]."""
    found = result.case.stabilized
    return 0.0 if found is None else result.found.gpus * result.values[f"classes.{found.name}.share_fraction"]


def context_row(result: Result) -> list[tuple[str, str]]:
    """What the file stands for, and that it wins."""
    found = result.case.stabilized
    if found is None:
        return []
    changed = [f"{name.removesuffix('_fraction').replace('_', ' ')} {found.handover.power[name]:.3g}"
               + ("" if old is None else f" in place of {old:.3g}")
               for name, old in found.before.items()]  # fmt: skip
    return [("Stabilised", f"classes.{found.name} by {found.handover.words}: {', '.join(changed)}")]


def stabilized_table(result: Result) -> Table:
    """The class as the scenario has it and as it is planned; without rows where no file is named."""
    columns = (Column("quantity", "quantity", keep=True), Column("scenario", "the scenario's"),
               Column("stabilized", "planned with", keep=True), Column("unit", "unit"))  # fmt: skip
    found = result.case.stabilized
    rows: list[tuple[Cell, ...]] = []
    if found is not None:
        given, here = found.handover.power, accelerators(result)
        each = here / given["accelerators_count"]
        rows = [(LABELS[name], old, given[name], None) for name, old in found.before.items()]
        rows += [
            ("of it drawn all the time around accelerators", None, given["constant_fraction"], None),
            ("most of a server over its rating, rule peak", result.values["power.peak_fraction"],
             peak_fraction(found, result.values), None),
            ("lighting, losses of storage and the like over IT", result.values["facility.other_fraction"],
             result.found.design.other, None),
            ("accelerators of the class", None, here, "GPUs"),
            ("accelerators that limits were held to", None, given["accelerators_count"], "GPUs"),
            ("their peak at a connection before storage at the site", None, each * given["connection_before_mw"], "MW"),
            ("their peak at a connection, with all measures", None, each * given["connection_peak_mw"], "MW"),
        ]  # fmt: skip
    title = "" if found is None else f"Class {found.name} as {found.handover.file} has it"
    return Table("stabilized", title, columns, tuple(rows))


def warnings_of(result: Result) -> list[Warn]:
    """Where the file does not carry over as it is."""
    found = result.case.stabilized
    if found is None:
        return []
    told, out = found.handover, []
    if told.verdict != "pass":
        out.append(f"the verdict of {told.file} is '{told.verdict}': its measures do not make the job fit its grid")
    servers = sorted({rack.server for rack in result.case.racks})
    if servers != [told.server]:
        out.append(f"{told.file} has powers of {told.server} over its rating, carried over to {', '.join(servers)}")
    here, checked = accelerators(result), told.power["accelerators_count"]
    if here > checked * (1 + 1e-9):
        out.append(f"limits were held to {checked:,.0f} accelerators, {here:,.0f} of the class fit here: swings grow "
                   "with them")  # fmt: skip
    if told.power["jobs_count"] > 1:
        out.append(f"powers of {told.file} are the mean of {told.power['jobs_count']:.0f} jobs: behind a row with "
                   "servers of one of them they swing more")  # fmt: skip
    return [Warn("W-POWER-STABILIZED", text, "power.stabilized") for text in out]


__all__ = ["LOSS", "Stabilized", "context_row", "peak_fraction", "site_loss", "stabilized_class", "stabilized_table",
           "warnings_of"]  # fmt: skip
