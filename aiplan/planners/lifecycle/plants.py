"""Cooling plants at a place, with the losses of the power chain that feeds them: PUE and WUE as the planners find them.

One plant may be two cooling systems that share the heat. Numbers are medians; what they rest on goes along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.equipment import Outdoor
from aiplan.planners.cooling.plan import Climate, SystemCase, find_system, mechanical
from aiplan.planners.lifecycle.chain import PowerChain
from aiplan.planners.parameters import Parameters
from aiplan.planners.power.losses import Losses
from aiplan.report.model import worst_grade

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

EQUIPMENT = {"transformer": "transformer-mv", "ups": "ups-double-conversion", "pdu": "pdu-transformer"}
"""Equipment of the power chain, entries of kind power with role equipment."""
LOSSES = ("no_load_fraction", "proportional_fraction", "square_law_fraction")
MOST_SYSTEMS = 2
ROUNDING = 1e-9


def power_chain(
    catalog: Catalog,
    parameters: Parameters,
    usable_fraction: float = 0.75,
    equipment: Mapping[str, str] = EQUIPMENT,
    path: str = "site.equipment",
) -> tuple[PowerChain, str]:
    """Losses of transformer, UPS and PDU from the catalog, and the worst grade of them.

    Raises as `equipment_losses` does.
    """
    losses, grades = equipment_losses(catalog, parameters, equipment, path)
    chain = PowerChain(losses["transformer"], losses["ups"], losses["pdu"], usable_fraction)
    return chain, worst_grade(grades)


def equipment_losses(
    catalog: Catalog, parameters: Parameters, equipment: Mapping[str, str], path: str
) -> tuple[dict[str, Losses], list[str]]:
    """Losses of devices of the catalog by what they are, and the grades of their numbers.

    Raises
    ------
    InputError for names the catalog does not know (E121) and entries that are no equipment (E285).
    """
    losses: dict[str, Losses] = {}
    grades: list[str] = []
    for kind, name in equipment.items():
        try:
            entry = catalog.get("power", name)
        except InputError as error:
            raise InputError(error.under(f"{path}.{kind}")) from None
        if entry.role != "equipment":
            raise refuse("E285", f"'{name}' is {entry.role}, not equipment", f"{path}.{kind}",
                          "see `aiplan catalog list power`")  # fmt: skip
        numbers = []
        for field in LOSSES:
            one: Quantity | None = getattr(entry, field)
            numbers.append(0.0 if one is None else one.distribution.median)
            if one is not None:
                label = f"{field.removesuffix('_fraction').replace('_', ' ')} loss of the {kind}"
                parameters.add(f"power.{name}.{field}", label, one, low=0.0, high=1.0)
                grades.append(one.grade or "assumption")
        losses[kind] = Losses(*numbers)
    return losses, grades


@dataclass(frozen=True, slots=True)
class Plant:
    """A cooling plant at a place, found by the planners, at medians.

    Attributes
    ----------
    pue_mean, pue_peak : cooling and losses of the power chain, in the mean and at the worst hour [1]
    wue_l_per_kwh : water over IT energy
    source, grade : what it was computed from, and the worst grade of it
    """

    pue_mean: float
    pue_peak: float
    wue_l_per_kwh: float
    source: str
    grade: str

    def quantity(self, field: str) -> Quantity:
        """One of its numbers with where it comes from."""
        return constant(getattr(self, field), self.source, self.grade, "derived")


Shares = Sequence[tuple[SystemCase, float]]
"""Cooling systems, each with its share of the IT power; the shares add up to 1."""


class Cooler:
    """Plants at one place; what several of them share is computed once.

    Parameters
    ----------
    where : the place's weather
    chain, grade : the power chain, and the worst grade of its numbers
    load : mean IT power over rated IT power [1]
    """

    def __init__(self, where: Climate, chain: PowerChain, grade: str, load: float) -> None:
        self.where, self.chain, self.grade, self.load = where, chain, grade, load
        self.outdoor = Outdoor.of(where.weather)
        self._runs: dict[tuple[str, float], tuple[Array, Array, float]] = {}

    def plant(self, shares: Shares) -> Plant:
        """A plant of one system, or of several that share the heat.

        The mix is made hour by hour, so that its worst hour is the worst of the mix, not the mix of the worst.
        """
        full, _, other = self._mix(shares, 1.0)
        mean, water, _ = self._mix(shares, self.load)
        worst = float(full.max())
        pue = self.chain.pue(mean, self.load, worst, other)
        grades = [self.grade, self.where.grade]
        grades += [one.grade or "assumption" for system, _ in shares for one in system.quantities.values()]
        return Plant(
            self._mean(pue), float(self.chain.pue(worst, 1.0, worst, other)), self._mean(water),
            f"computed for {' and '.join(system.id for system, _ in shares)} at {self.where.name}", worst_grade(grades),
        )  # fmt: skip

    def _mean(self, hourly: Array) -> float:
        hours = self.where.weather.hours
        return float(np.einsum("n,n->", np.broadcast_to(hourly, hours.shape), hours) / hours.sum())

    def _mix(self, shares: Shares, load: float) -> tuple[Array, Array, float]:
        """Cooling and lighting over IT power and water over IT energy, shares weighted."""
        power, water, other = np.zeros(1), np.zeros(1), 0.0
        for system, part in shares:
            one = self._run(system, load)
            power, water, other = power + part * one[0], water + part * one[1], other + part * one[2]
        return power, water, other

    def _run(self, system: SystemCase, load: float) -> tuple[Array, Array, float]:
        if (system.id, load) not in self._runs:
            p = {label: one.distribution.median for label, one in system.quantities.items()}
            other = p.get("lighting_fraction", 0.0)
            found = mechanical(system.system, p, self.outdoor, self.chain.hall_loss(load) + other, load)
            self._runs[system.id, load] = found.pue - 1.0, found.wue, other
        return self._runs[system.id, load]


def shares_of(catalog: Catalog, entry: Any, liquid: float | None, path: str) -> Shares:
    """The systems of a plant and their shares of IT power, such that the share of heat into liquid is met.

    Raises
    ------
    InputError for systems that cannot share the heat as asked (E287) and what the cooling planner refuses.
    """
    try:
        systems = [find_system(catalog, name) for name in entry.cooling_systems]
    except InputError as error:
        raise InputError(error.under(path)) from None
    if len(systems) < MOST_SYSTEMS:
        if systems and liquid is not None and abs(liquid - liquid_of(systems[0])) > ROUNDING:
            text = f"{liquid:g} is not the {liquid_of(systems[0]):g} of {systems[0].id}, its only system"
            raise refuse("E287", text, f"{path}.liquid_fraction", "leave it out, or take a plant of two systems")
        return [(system, 1.0) for system in systems]
    first, second = (liquid_of(system) for system in systems[:2])
    if len(systems) > MOST_SYSTEMS or liquid is None or first == second:
        raise refuse("E287", "needs two systems that differ in liquid_fraction, and its own", path,
                      "give one system, or an air and a liquid one with the share of heat into liquid")  # fmt: skip
    part = (liquid - first) / (second - first)
    if not -ROUNDING <= part <= 1 + ROUNDING:
        text = f"{liquid:g} lies outside {min(first, second):g} to {max(first, second):g}, what its systems put in"
        raise refuse("E287", text, f"{path}.liquid_fraction", "move it, or take other systems")
    return [(systems[0], 1.0 - part), (systems[1], part)]


def liquid_of(system: SystemCase) -> float:
    """Share of the IT heat that a system puts into liquid [1]."""
    own = system.quantities.get("liquid_fraction")
    return 0.0 if own is None else own.distribution.median


def refuse(code: str, message: str, path: str, hint: str) -> InputError:
    """Something that does not fit together, by the path it stands at."""
    return InputError(Problem(code, f"{path}: {message}", path, hint=hint))
