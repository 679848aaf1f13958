"""Storage technologies of the catalog as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiplan.planners.parameters import Parameters
from aiplan.planners.stabilize.mitigation import Level

J_PER_KWH = 3.6e6
W_PER_KW = 1e3
LABELS = {
    "converter_usd_per_kw": "converter of {}",
    "energy_usd_per_kwh": "energy of {}",
    "upkeep_fraction": "yearly upkeep of {} over its price",
    "round_trip_fraction": "round trip of {}",
    "cycle_life_count": "full cycles of {}",
    "depth_exponent": "wear of {} by depth, exponent",
    "calendar_life_years": "calendar life of {}",
    "standby_fraction": "power of {} to stay ready, over its rating",
    "least_duration_s": "shortest full discharge of {}",
    "response_s": "time in which {} follows",
    "energy_j_per_gpu": "energy of {} per accelerator",
}
UNITLESS = frozenset({"depth_exponent"})


@dataclass(frozen=True, slots=True)
class Technology:
    """One technology.

    Attributes
    ----------
    id, name : in the catalog, and for people
    levels : where it may stand
    usd_per_w, usd_per_j : of converter and of energy [USD]; the latter 0 where the price is with the server
    upkeep : yearly, over the price [1]
    round_trip : energy out over energy in [1]
    cycle_life, depth_exponent, calendar_years : life in full cycles, credit of shallow ones, life without cycles
    standby : power drawn to stay ready, over the rating [1]
    least_duration_s, response_s : shortest full discharge, and time in which power follows the load [s]
    energy_j_per_gpu : energy of each accelerator's where it comes with the server [J]; None where it is bought
    """

    id: str
    name: str
    levels: tuple[Level, ...]
    usd_per_w: float
    usd_per_j: float
    upkeep: float
    round_trip: float
    cycle_life: float
    depth_exponent: float
    calendar_years: float
    standby: float
    least_duration_s: float
    response_s: float
    energy_j_per_gpu: float | None = None


def technology_of(entry_id: str, entry: Any, parameters: Parameters) -> Technology:
    """A technology from its catalog entry (anything with the fields of kind ``storage``); its numbers become inputs."""
    numbers: dict[str, float] = {}
    for field, label in LABELS.items():
        quantity = getattr(entry, field, None)
        if quantity is not None:
            parameters.add(f"storage.{entry_id}.{field}", label.format(entry.name), quantity, low=0.0,
                           unitless=field in UNITLESS)  # fmt: skip
            numbers[field] = quantity.distribution.median
    return Technology(
        entry_id, entry.name, tuple(entry.levels),
        numbers.get("converter_usd_per_kw", 0.0) / W_PER_KW, numbers.get("energy_usd_per_kwh", 0.0) / J_PER_KWH,
        numbers.get("upkeep_fraction", 0.0), numbers["round_trip_fraction"],
        numbers.get("cycle_life_count", float("inf")), numbers.get("depth_exponent", 1.0),
        numbers.get("calendar_life_years", float("inf")), numbers.get("standby_fraction", 0.0),
        numbers.get("least_duration_s", 0.0), numbers.get("response_s", 0.0),
        numbers.get("energy_j_per_gpu"),
    )  # fmt: skip
