"""What `aiplan validate` holds `aiplan cooling` to: published points, tables on shipped climates, published bands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.case import SystemCase, find_climate, find_system
from aiplan.planners.cooling.plant import cool
from aiplan.planners.cooling.points import POINT, PUBLISHED
from aiplan.planners.cooling.year import Year, year
from aiplan.report.model import Cell, Column, Table
from aiplan.study.validate import Check, NotReproduced, Results

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.cooling.weather import Weather

TOOL, DATA_SET, CHOICE = "pue-prediction-tool", "uecalculator-app", "aiplan-choice"
WATER_SIDE, AIR_SIDE = "hyperscale-water-side", "hyperscale-air-side"
EVAPORATIVE = "hyperscale-air-side-evaporative"
CASES = {
    AIR_SIDE: "1",
    WATER_SIDE: "2",
    "midsize-water-chiller-air-side": "3",
    "midsize-water-chiller-water-side": "4",
    "midsize-water-chiller": "5",
    "midsize-air-chiller-air-side": "6",
    "midsize-air-chiller": "7",
    "small-water-chiller": "8",
    "small-air-chiller": "9",
    "small-dx": "10",
}
"""Case of the published data set that each system of the catalog stands for."""
BINS, BANDS = Path("cooling") / "climate_bins.csv", Path("cooling") / "pue_wue_bands.csv"
DRAWS, SEED = 1000, 0


def _point(name: str) -> Callable[[Results], float]:
    system, parameters, _ = PUBLISHED[name]
    return lambda _: float(cool(system, parameters, POINT).pue[0])


def _of_place(system: str, place: str, field: str = "pue") -> Callable[[Results], float]:
    """A year at medians on a shipped climate."""

    def got(results: Results) -> float:
        found = find_system(results.catalog, system)
        return float(getattr(at_medians(found, find_climate(results.catalog, place).weather), field))

    return got


def at_medians(system: SystemCase, weather: Weather) -> Year:
    """A system's year with every number at its median."""
    return year(system.system, {name: one.distribution.median for name, one in system.quantities.items()}, weather)


CHECKS: tuple[Check, ...] = (
    *(
        Check(f"PUE at 20 °C and 40 %: {label}", PUBLISHED[name][2], 1e-6, TOOL, "published", _point(name))
        for name, label in (("AE", "air side"), ("WE", "water side"), ("SE", "sea water"))
    ),
    # The station behind zone 5A of the notes is Chicago O'Hare, whose typical year the catalog has.
    Check("PUE of zone 5A, water side", 1.140, 0.001, TOOL, "derived", _of_place(WATER_SIDE, "5A")),
    Check("WUE of zone 5A, water side", 2.09, 0.01, TOOL, "derived", _of_place(WATER_SIDE, "5A", "wue"), "L/kWh"),
    Check("PUE of zone 5A, air side, evaporative", 1.166, 0.002, TOOL, "derived", _of_place(EVAPORATIVE, "5A")),
    Check("PUE of zone 5A, 40 °C liquid, dry", 1.075, 0.002, CHOICE, "derived", _of_place("dtc-40-dry", "5A")),
    Check("PUE of zone 5A, 32 °C liquid, dry", 1.097, 0.002, CHOICE, "derived", _of_place("dtc-32-dry", "5A")),
    Check("PUE of zone 5A, 32 °C liquid, tower", 1.087, 0.002, CHOICE, "derived", _of_place("dtc-32-tower", "5A")),
    *(
        Check(f"PUE at {place}, {label}", expected, 0.002, source, "derived", _of_place(system, place))
        for place, numbers in (
            ("ashburn-va", (1.142, 1.078, 1.107)),
            ("singapore", (1.263, 1.125, 1.242)),
            ("phoenix-az", (1.146, 1.119, 1.163)),
            ("helsinki-fi", (1.134, 1.070, 1.075)),
        )
        for system, source, label, expected in zip(
            (WATER_SIDE, "dtc-40-dry", "dtc-32-dry"),
            (TOOL, CHOICE, CHOICE),
            ("water side", "40 °C liquid, dry", "32 °C liquid, dry"),
            numbers,
            strict=True,
        )
    ),
)

NOT_REPRODUCED: tuple[NotReproduced, ...] = (
    NotReproduced(
        "PUE of one operator's sites",
        "1.04 to 1.15",
        "google-efficiency-2025",
        "climate alone does not predict it: Singapore 1.13, dry Nevada 1.14; plants differ more than their weather",
    ),
)


# --- with the measured data -------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def zones(data: Path) -> Mapping[str, Weather]:
    """Weather of the zones of the bins.

    Raises
    ------
    InputError where the file is missing or not what it should be.
    """
    from aiplan.inputs.table import read_csv
    from aiplan.planners.cooling.weather import Weather

    found: dict[str, list[list[float]]] = {}
    for row in read_csv(_existing(data / BINS)).rows:
        cells = [float(row[key]) for key in ("drybulb_c", "rh_fraction", "pressure_pa", "hours")]
        found.setdefault(row["zone"], []).append(cells)
    return {zone: Weather(*np.array(rows).T) for zone, rows in found.items()}


@lru_cache(maxsize=4)
def bands(data: Path) -> Mapping[tuple[str, str], tuple[float, ...]]:
    """Published 5th and 95th percentiles of annual PUE and WUE, by case and zone."""
    from aiplan.inputs.table import read_csv

    keys = ("pue_p05", "pue_p95", "wue_p05_l_per_kwh", "wue_p95_l_per_kwh")
    rows = read_csv(_existing(data / BANDS)).rows
    return {(row["case"], row["zone"]): tuple(float(row[key]) for key in keys) for row in rows}


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    raise InputError(Problem("E002", f"the folder of measured data has no {path.name}", file=str(path),
                             hint="give the folder that holds cooling/"))  # fmt: skip


def data_checks(catalog: Catalog, data: Path) -> tuple[Check, ...]:
    """How many of ten zones have their annual PUE and WUE at medians inside the published band."""
    found = []
    for name in (WATER_SIDE, AIR_SIDE):
        counts = [_inside(find_system(catalog, name), CASES[name], data)[place] for place in (0, 1)]
        for what, count in zip(("PUE", "WUE"), counts, strict=True):
            text = f"zones of ten with {what} inside the published band, {name}"
            found.append(Check(text, 10, 0.0, DATA_SET, "published", _constant(float(count)), "zones"))
    return tuple(found)


def _constant(value: float) -> Callable[[Results], float]:
    return lambda _: value


def _inside(system: SystemCase, case: str, data: Path) -> tuple[int, int]:
    pue = wue = 0
    for (kind, zone), (low, high, dry, wet) in bands(data).items():
        if kind == case:
            found = at_medians(system, zones(data)[zone])
            pue += low <= float(found.pue) <= high
            wue += dry <= float(found.wue) <= wet
    return pue, wue


def data_tables(catalog: Catalog, data: Path) -> list[Table]:
    """Every system beside its published band, zone by zone: medians, spread of draws, share of the band covered."""
    rows: list[tuple[Cell, ...]] = []
    for name, case in CASES.items():
        system = find_system(catalog, name)
        drawn = _drawn(system)
        for (kind, zone), band in bands(data).items():
            if kind != case:
                continue
            middle = at_medians(system, zones(data)[zone])
            spread = year(system.system, drawn, zones(data)[zone])
            rows.append((name, zone, *_beside(middle.pue, spread.pue, *band[:2]),
                         *_beside(middle.wue, spread.wue, *band[2:])))  # fmt: skip
    columns = (
        Column("system", "system"),
        Column("zone", "zone"),
        *(
            Column(f"{kind}_{name}", f"{kind.upper()} {label}", unit)
            for kind, unit in (("pue", None), ("wue", "L/kWh"))
            for name, label in (("median", "at medians"), ("p5", "P5"), ("p95", "P95"), ("band_p5", "band P5"),
                                ("band_p95", "band P95"), ("covered_fraction", "covered"))
        ),
    )  # fmt: skip
    title = f"Annual PUE and WUE beside published bands; {DRAWS:,} draws of the catalog's ranges"
    return [Table("cooling_bands", title, columns, tuple(rows), shown=False)]


def _drawn(system: SystemCase) -> dict[str, float | Array]:
    """Draws of a system's numbers, shape (`DRAWS`,)."""
    from aiplan.uncertainty.sampling import Sampler

    sampler = Sampler(SEED, DRAWS, "random", [], list(system.quantities))
    return {
        name: sampler.draw(name, one.distribution) if one.uncertain else one.distribution.median
        for name, one in system.quantities.items()
    }


def _beside(middle: Array, spread: Array, low: float, high: float) -> tuple[float, ...]:
    p5, p95 = (float(value) for value in np.percentile(spread, (5, 95)))
    covered = max(0.0, min(p95, high) - max(p5, low)) / (high - low)
    return float(middle), p5, p95, low, high, covered
