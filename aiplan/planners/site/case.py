"""A scenario of `aiplan site` as questions to the planners it stands on, with what the place gives looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.cooling.case import Case as CoolingCase
from aiplan.planners.cooling.case import build_case as build_cooling
from aiplan.planners.cooling.inputs import CoolingInputs, Load
from aiplan.planners.parameters import Parameters
from aiplan.planners.power.inputs import Cost, Facility, PowerInputs
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.site.inputs import SiteInputs

GIVEN = {
    "carbon_g_per_kwh": ("carbon intensity, location-based", "carbon_g_per_kwh"),
    "offsite_water_l_per_kwh": ("water of generation", "offsite_water_l_per_kwh"),
    "price_usd_per_kwh": ("price of electricity", "price_usd_per_kwh"),
    "shell_usd_per_w": ("cost of building per watt of IT", "capex_usd_per_w"),
}
"""What a place gives: the scenario's field, its label, and the field of a site of the catalog."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, with every name looked up.

    Attributes
    ----------
    cooling : cooling system and weather
    parameters : inputs of cooling and of the place; those of power are the power planner's
    place : paths of what the place gives, by name; what is not known is not there
    """

    inputs: SiteInputs
    cooling: CoolingCase
    parameters: Parameters
    place: dict[str, str]
    warnings: tuple[Warn, ...]


def build_case(inputs: SiteInputs, catalog: Catalog) -> Case:
    """Look cooling, weather and place up.

    Raises
    ------
    InputError for names the catalog does not know and numbers that are missing.
    """
    # Its IT power is what the power planner finds; only ratios are asked of the cooling planner.
    load = Load(it_power_mw=constant(1.0, "aiplan-choice", "assumption", "assumed"))
    asked = CoolingInputs.model_construct(
        scenario=inputs.scenario, uncertainty=inputs.uncertainty, site=inputs.site, cooling=inputs.cooling, load=load
    )
    cooling = build_cooling(asked, catalog)
    parameters = Parameters({path: item for path, item in cooling.parameters.items.items() if path != LOAD})
    place, warnings = _place(inputs, catalog, parameters)
    return Case(inputs, cooling, parameters, place, (*cooling.warnings, *warnings))


LOAD = "load.it_power_mw"


def _place(inputs: SiteInputs, catalog: Catalog, parameters: Parameters) -> tuple[dict[str, str], list[Warn]]:
    """What the scenario or the catalog's site gives, put among the inputs; a warning for each figure nobody gives."""
    site = _site(inputs, catalog)
    paths: dict[str, str] = {}
    missing, warnings = [], []
    for name, (label, kept) in GIVEN.items():
        own: Quantity | None = getattr(site, kept, None)
        found: Quantity | None = getattr(inputs.site, name) or own
        if found is not None and own is not None and found is not own:
            text = f"{found.value:g} is given, the catalog has {own.value:g} for this place"
            warnings.append(Warn("W-SITE-GIVEN", f"site.{name}: {text}", f"site.{name}"))
        if found is None:
            missing.append(name)
        else:
            paths[name] = parameters.add(f"site.{name}", label, found, low=0.0)
    if not missing:
        return paths, warnings
    text = f"not known of this place, so that what rests on it is left out: {', '.join(missing)}"
    return paths, [*warnings, Warn("W-SITE-UNKNOWN", text, f"site.{missing[0]}")]


def _site(inputs: SiteInputs, catalog: Catalog) -> Any:
    """The catalog's site of that name, None where the place is a zone, a climate or a file alone."""
    if inputs.site.place is None:
        return None
    found = catalog.names("sites").resolve(inputs.site.place)
    return None if found is None else catalog.get("sites", found)


def power_inputs(case: Case, blocks: int) -> PowerInputs:
    """The question to the power planner, with so many blocks and the place's price of electricity.

    Raises
    ------
    InputError where servers are to be paid with their electricity and the place has no price.
    """
    inputs = case.inputs
    price = case.parameters.items.get(case.place.get("price_usd_per_kwh", ""))
    if price is None and inputs.cost.basis == "server":
        raise InputError(Problem("E260", 'cost.basis = "server" needs a price of electricity, and the place has none',
                                 "site.price_usd_per_kwh", hint="give site.price_usd_per_kwh"))  # fmt: skip
    cost = Cost.model_construct(
        basis=inputs.cost.basis, lifetime_years=inputs.cost.lifetime_years,
        electricity_usd_per_kwh=None if price is None else price.quantity,
    )  # fmt: skip
    levels = {
        kind: level if level.count is None else level.model_copy(update={"count": level.count * blocks})
        for kind, level in inputs.levels.items()
    }
    return PowerInputs.model_construct(
        scenario=inputs.scenario, uncertainty=inputs.uncertainty, grid=inputs.grid, levels=levels, nodes={},
        redundancy=inputs.redundancy, racks=inputs.racks, hall=inputs.hall,
        facility=Facility(other_fraction=inputs.facility.other_fraction), power=inputs.power, classes=inputs.classes,
        serving=inputs.serving, cost=cost,
    )  # fmt: skip


__all__ = ["Case", "build_case", "power_inputs"]
