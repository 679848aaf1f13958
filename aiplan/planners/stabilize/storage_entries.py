"""Storage technologies of the catalog as numbers."""

from __future__ import annotations

from typing import Any

from aiplan.planners.parameters import Parameters
from aiplan.planners.stabilize.technology import Technology

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
