"""What the place adds: PUE, water and carbon, from the scenario, an operator, a site or a grid, in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiplan.inputs.quantity import Quantity
    from aiplan.planners.energy.inputs import Facility

LABELS = {
    "pue": "power usage effectiveness",
    "wue_l_per_kwh": "on-site water per IT energy",
    "offsite_water_l_per_kwh": "water of generation",
    "carbon_g_per_kwh": "carbon intensity, location-based",
    "market_carbon_g_per_kwh": "carbon intensity, market-based",
}

# Where the catalog keeps a number the scenario does not give: kind of entry and its field, nearest first.
_KEPT = {
    "pue": (("operator", "pue"),),
    "wue_l_per_kwh": (("operator", "wue_l_per_kwh"),),
    "offsite_water_l_per_kwh": (("site", "offsite_water_l_per_kwh"), ("grid", "water_l_per_kwh")),
    "carbon_g_per_kwh": (("site", "carbon_g_per_kwh"), ("grid", "carbon_g_per_kwh")),
}


def place_numbers(facility: Facility, lookup: Callable[[str, str, str], Any]) -> dict[str, tuple[str, Quantity]]:
    """The place's numbers with their labels, as far as they are known.

    Parameters
    ----------
    facility : the scenario's section; a number given there wins, then the operator, the site, the grid
    lookup : finds an entry by kind, name and the path that named it; None where there is none
    """
    entries: dict[str, Any] = {}
    for kind in ("operator", "site", "grid"):
        name = getattr(facility, kind)
        entries[kind] = lookup(f"{kind}s", name, f"facility.{kind}") if name else None
    site = entries["site"]
    if site is not None and site.grid:
        entries["grid"] = lookup("grids", site.grid, "facility.site")
    found: dict[str, tuple[str, Quantity]] = {}
    for field, label in LABELS.items():
        candidates = [getattr(facility, field)]
        candidates += [getattr(entries[kind], name) for kind, name in _KEPT.get(field, ()) if entries[kind] is not None]
        quantity = next((item for item in candidates if item is not None), None)
        if quantity is not None:
            found[field] = (label, quantity)
    return found
