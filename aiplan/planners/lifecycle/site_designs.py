"""Options of a site's design from the catalog: costs and effects as it has them, PUE and WUE as the planners find them.

Cooling is asked of the cooling planner on the weather of the place, losses of the power chain of the power planner. A
number the scenario gives wins over both. Every number is put among the planner's inputs with its source; what is
computed is derived, and graded as the worst it rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.cooling.plan import find_climate
from aiplan.planners.lifecycle.designs import CoolingOption, NetworkOption, PowerOption
from aiplan.planners.lifecycle.plants import EQUIPMENT, Cooler, Plant, liquid_of, power_chain, refuse, shares_of
from aiplan.planners.parameters import Parameters

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

LABELS = {
    "domain_w": "power pooled by",
    "usd_per_w": "cost per watt of IT of",
    "pue_mean": "PUE, mean, of",
    "pue_peak": "PUE, worst hour, of",
    "wue_l_per_kwh": "water on site of",
    "thermal_derate_fraction": "throughput lost to heat with",
    "fan_saved_fraction": "fan power saved with",
    "rack_limit_w": "heat of a rack removed by",
    "liquid_fraction": "share of heat into liquid with",
    "server_usd": "network per eight accelerators,",
    "server_usd_per_year": "upkeep of the network per eight accelerators,",
    "server_price_fraction": "network over the server's price,",
    "throughput_factor": "throughput over the plain network,",
}
COOLING_FIELDS = ("usd_per_w", "thermal_derate_fraction", "fan_saved_fraction", "rack_limit_w", "liquid_fraction")
COMPUTED = ("pue_mean", "pue_peak", "wue_l_per_kwh")
NETWORK_FIELDS = ("server_usd", "server_usd_per_year", "server_price_fraction", "throughput_factor")
LEAST = {"pue_mean": 1.0, "pue_peak": 1.0}
Given = Mapping[str, Mapping[str, Quantity]]
"""Numbers of the scenario by option and field; they win."""
Option = TypeVar("Option", PowerOption, CoolingOption, NetworkOption)


@dataclass(frozen=True, slots=True)
class Choice(Generic[Option]):
    """An option at medians, and the paths of its numbers among the planner's inputs, by field."""

    option: Option
    paths: Mapping[str, str]


def cost_entry(catalog: Catalog, name: str, role: str, path: str) -> Any:
    """An entry of kind costs that has a role, by any of its names.

    Raises
    ------
    InputError, by the path the name stands at, for names that are no entry (E121) or one of another role (E285).
    """

    def hint() -> str:
        return f"one of {', '.join(one for one in catalog.ids('costs') if catalog.get('costs', one).role == role)}"

    try:
        entry = catalog.get("costs", name)
    except InputError as error:
        raise InputError([replace(problem, hint=hint()) for problem in error.under(path)]) from None
    if entry.role != role:
        raise refuse("E285", f"'{name}' is {entry.role}, not {role}", path, hint())
    return entry


def power_options(
    catalog: Catalog, names: Sequence[str], parameters: Parameters, given: Given | None = None, path: str = "site.power"
) -> list[Choice[PowerOption]]:
    """Ways to pool power by the names of their entries.

    Raises
    ------
    InputError with all problems: unknown names and roles (E121, E285), numbers that are missing (E286), names given
    twice or numbers of options that are not asked for (E288).
    """

    def build(name: str, own: Mapping[str, Quantity]) -> Choice[PowerOption]:
        entry_id, entry = _entry(catalog, name, "power-topology", path)
        found, paths = _numbers(parameters, entry_id, entry, ("domain_w", "usd_per_w"), own, f"{path}.{name}")
        _needed(found, ("domain_w", "usd_per_w"), f"{path}.{name}")
        return Choice(PowerOption(name, found["domain_w"], found["usd_per_w"]), paths)

    return _all(names, given, path, ("domain_w", "usd_per_w"), build)


def network_options(
    catalog: Catalog,
    names: Sequence[str],
    parameters: Parameters,
    given: Given | None = None,
    path: str = "site.network",
) -> list[Choice[NetworkOption]]:
    """Networks by the names of their entries; costs an entry does not have are 0, throughput 1. Raises as above."""

    def build(name: str, own: Mapping[str, Quantity]) -> Choice[NetworkOption]:
        entry_id, entry = _entry(catalog, name, "network", path)
        found, paths = _numbers(parameters, entry_id, entry, NETWORK_FIELDS, own, f"{path}.{name}")
        usd, yearly, share, factor = (found.get(field) for field in NETWORK_FIELDS)
        option = NetworkOption(name, usd or 0.0, yearly or 0.0, 1.0 if factor is None else factor, share or 0.0)
        return Choice(option, paths)

    return _all(names, given, path, NETWORK_FIELDS, build)


def cooling_options(
    catalog: Catalog,
    place: str | None,
    names: Sequence[str],
    parameters: Parameters,
    given: Given | None = None,
    *,
    load_fraction: float = 0.75,
    usable_fraction: float = 0.75,
    equipment: Mapping[str, str] = EQUIPMENT,
    weather_file: str | None = None,
    path: str = "site.cooling",
) -> list[Choice[CoolingOption]]:
    """Cooling plants at a place by the names of their entries.

    Parameters
    ----------
    place : site or climate of the catalog, or a zone; None where PUE is given, or with a weather file
    parameters : the planner's inputs; what is used here is added to them
    given : numbers of the scenario, among them pue_mean, pue_peak and wue_l_per_kwh
    load_fraction : mean IT power over rated IT power, for the mean; the worst hour is at full load [1]
    usable_fraction : share of the electrical capacity that may be loaded, 3/4 for 4N/3 [1]
    equipment : entries of kind power, see `EQUIPMENT`

    A given mean PUE without a worst one moves the computed worst hour in proportion; without a place the worst hour is
    taken as the mean, which is assumed and marked, and water stays unknown (nan).

    Raises
    ------
    InputError with all problems: as `power_options`; no place and no PUE (E286), systems that cannot share the heat
    as asked (E287), a given worst hour below the mean (E288); what the cooling planner refuses.
    """
    where = None
    if place is not None or weather_file is not None:
        where = find_climate(catalog, place, weather_file)

    @cache
    def cooler() -> Cooler | None:
        if where is None:
            return None
        chain, grade = power_chain(catalog, parameters, usable_fraction, equipment, f"{path}.equipment")
        return Cooler(where, chain, grade, load_fraction)

    def build(name: str, own: Mapping[str, Quantity]) -> Choice[CoolingOption]:
        """One plant by its entry; InputError for numbers it lacks and shares that do not fit (E286)."""
        entry_id, entry = _entry(catalog, name, "cooling-plant", path)
        at = f"{path}.{name}"
        found, paths = _numbers(parameters, entry_id, entry, COOLING_FIELDS, own, at)
        _needed(found, ("usd_per_w",), at)
        shares = shares_of(catalog, entry, found.get("liquid_fraction"), at)
        # Where the scenario has all three numbers nothing is computed, and equipment is no input.
        asked = cooler() if shares and not set(COMPUTED) <= own.keys() else None
        plant = None if asked is None else asked.plant(shares)
        for field, one in _pue(plant, own, at).items():
            paths[field] = _add(parameters, f"{at}.{field}", field, name, one)
            found[field] = one.distribution.median
        if "pue_peak" in own and found["pue_peak"] < found["pue_mean"]:
            text = f"{found['pue_peak']:g} at the worst hour lies below the mean {found['pue_mean']:g}"
            raise refuse("E288", text, f"{at}.pue_peak", "raise it, or give the mean alone")
        liquid = found.get("liquid_fraction", sum(part * liquid_of(one) for one, part in shares))
        option = CoolingOption(
            name, found["usd_per_w"], found["pue_mean"], found["pue_peak"], found.get("wue_l_per_kwh", np.nan),
            found.get("thermal_derate_fraction", 0.0), found.get("fan_saved_fraction", 0.0),
            found.get("rack_limit_w", np.inf), liquid,
        )  # fmt: skip
        return Choice(option, paths)

    return _all(names, given, path, (*COOLING_FIELDS, *COMPUTED), build)


def _pue(plant: Plant | None, own: Mapping[str, Quantity], path: str) -> dict[str, Quantity]:
    """PUE in the mean and at the worst hour, and water where known: the scenario's, else what was computed."""
    mean, peak = own.get("pue_mean"), own.get("pue_peak")
    if plant is None and mean is None:
        raise refuse("E286", "no place, or no cooling system, and no PUE", f"{path}.pue_mean",
                      "name the place, or give pue_mean")  # fmt: skip
    out: dict[str, Quantity] = {}
    if plant is not None:
        out = {field: plant.quantity(field) for field in COMPUTED}
        if mean is not None and peak is None and plant.pue_mean > 1:
            over = (mean.distribution.median - 1.0) * (plant.pue_peak - 1.0) / (plant.pue_mean - 1.0)
            out["pue_peak"] = constant(1.0 + over, plant.source, plant.grade, "derived")
    elif mean is not None and peak is None:
        out["pue_peak"] = constant(mean.distribution.median, "aiplan-choice", "assumption", "assumed",
                                   note="no place is named: as the mean")  # fmt: skip
    return out | {field: own[field] for field in COMPUTED if field in own}


def _entry(catalog: Catalog, name: str, role: str, path: str) -> tuple[str, Any]:
    entry = cost_entry(catalog, name, role, f"{path}.{name}")
    return catalog.resolve("costs", name), entry


def _numbers(
    parameters: Parameters, entry_id: str, entry: Any, fields: Sequence[str], own: Mapping[str, Quantity], path: str
) -> tuple[dict[str, float], dict[str, str]]:
    """Medians and paths of the fields that the scenario or the entry has; the scenario's win."""
    found: dict[str, float] = {}
    paths: dict[str, str] = {}
    for field in fields:
        theirs: Quantity | None = getattr(entry, field)
        one = own.get(field, theirs)
        if one is not None:
            where = f"{path}.{field}" if field in own else f"costs.{entry_id}.{field}"
            paths[field] = _add(parameters, where, field, entry_id, one)
            found[field] = one.distribution.median
    return found, paths


def _add(parameters: Parameters, path: str, field: str, name: str, quantity: Quantity) -> str:
    high = 1.0 if field.endswith("_fraction") else np.inf
    return parameters.add(path, f"{LABELS[field]} {name}", quantity, low=LEAST.get(field, 0.0), high=high)


def _needed(found: Mapping[str, float], fields: Sequence[str], path: str) -> None:
    missing = [Problem("E286", f"{path}.{field} is missing: neither the scenario nor the catalog gives it",
                       f"{path}.{field}", hint="give it") for field in fields if field not in found]  # fmt: skip
    if missing:
        raise InputError(missing)


def _all(
    names: Sequence[str],
    given: Given | None,
    path: str,
    fields: Sequence[str],
    build: Callable[[str, Mapping[str, Quantity]], Choice[Option]],
) -> list[Choice[Option]]:
    """Every option, or all problems of all of them."""
    own = given or {}
    problems: list[Problem] = []
    if not names:
        problems += refuse("E286", "names no option", path, "name one or more").problems
    for name in dict.fromkeys(one for one in names if list(names).count(one) > 1):
        problems += refuse("E288", f"'{name}' is named twice", path, "keep one").problems
    for name, numbers in own.items():
        if name not in names:
            problems += refuse("E288", "is no option that is asked for", f"{path}.{name}",
                                f"name it beside {', '.join(names)}, or remove it").problems  # fmt: skip
        for field in numbers.keys() - set(fields):
            problems += refuse("E288", "is no number of such an option", f"{path}.{name}.{field}",
                                f"known: {', '.join(fields)}").problems  # fmt: skip
    found: list[Choice[Option]] = []
    for name in dict.fromkeys(names):
        try:
            found.append(build(name, own.get(name, {})))
        except InputError as error:
            problems += error.problems
        except ValueError as error:
            problems += refuse("E288", str(error), f"{path}.{name}", "correct the number").problems
    if problems:
        # What options share is wrong for each of them, and told once.
        raise InputError(list(dict.fromkeys(problems)))
    return found
