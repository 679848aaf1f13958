"""Cooling systems as shipped, and weather that the tests of cooling share."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from aiplan.catalog.loader import Catalog
from aiplan.planners.cooling.case import SystemCase, find_system
from aiplan.planners.cooling.weather import Weather


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    return Catalog()


@lru_cache(maxsize=32)
def shipped(name: str) -> SystemCase:
    return find_system(catalog(), name)


def medians(name: str) -> dict[str, Any]:
    """Numbers of a shipped system, each at its median."""
    return {key: quantity.distribution.median for key, quantity in shipped(name).quantities.items()}


def draws(name: str, count: int, seed: int = 0) -> dict[str, Any]:
    """Numbers of a shipped system drawn from their ranges, shape (count,)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    out: dict[str, Any] = {}
    for key, quantity in shipped(name).quantities.items():
        chance = generator.uniform(size=count)
        distribution = quantity.distribution
        out[key] = np.array([distribution.quantile(p) for p in chance]) if quantity.uncertain else distribution.median
    return out


def zones(shared_data: Path) -> dict[str, Weather]:
    """Weather of the zones of ``climate_bins.csv``."""
    found: dict[str, list[list[float]]] = {}
    with (shared_data / "cooling" / "climate_bins.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            cells = [float(row[key]) for key in ("drybulb_c", "rh_fraction", "pressure_pa", "hours")]
            found.setdefault(row["zone"], []).append(cells)
    return {zone: Weather(*np.array(rows).T) for zone, rows in found.items()}


def bands(shared_data: Path) -> dict[tuple[str, str], tuple[float, float, float, float]]:
    """PUE P5, P95 and WUE P5, P95 by case and zone of ``pue_wue_bands.csv``."""
    keys = ("pue_p05", "pue_p95", "wue_p05_l_per_kwh", "wue_p95_l_per_kwh")
    with (shared_data / "cooling" / "pue_wue_bands.csv").open(newline="") as file:
        return {
            (row["case"], row["zone"]): tuple(float(row[key]) for key in keys)  # type: ignore[misc]
            for row in csv.DictReader(file)
        }
