"""Storage technologies as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from aiplan.planners.stabilize.mitigation import Level


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
