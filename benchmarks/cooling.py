"""Figures of `aiplan cooling`: a year hour by hour, drawn a thousand times, and the whole process."""

from __future__ import annotations

from functools import cache

import numpy as np

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.arrays import Array
from aiplan.planners.cooling.case import find_climate, find_system
from aiplan.planners.cooling.inputs import CoolingInputs
from aiplan.planners.cooling.plan import plan
from aiplan.planners.cooling.weather import Weather
from aiplan.planners.cooling.year import year
from aiplan.uncertainty.sampling import Sampler
from benchmarks.measure import AIPLAN, Figure, best_s, process_ms

HOURS, DRAWS = 8760, 1000
SYSTEMS = ("hyperscale-water-side", "hyperscale-air-side", "direct-to-chip-40c-dry")


@cache
def hours() -> Weather:
    """8,760 single hours: every fourth or fifth point of Ashburn's year."""
    weather = find_climate(Catalog(), "ashburn-va").weather
    rows = np.linspace(0, weather.hours.size - 1, HOURS).astype(int)
    return Weather(weather.drybulb_c[rows], weather.rh_fraction[rows], weather.pressure_pa[rows], np.ones(HOURS))


def drawn(name: str) -> dict[str, float | Array]:
    """`DRAWS` of every number of a system."""
    quantities = find_system(Catalog(), name).quantities
    sampler = Sampler(0, DRAWS, "random", [], list(quantities))
    return {
        key: sampler.draw(key, one.distribution) if one.uncertain else one.distribution.median
        for key, one in quantities.items()
    }


def monte_carlo_s(name: str, runs: int) -> float:
    """Seconds of `DRAWS` years of `HOURS` hours [s]."""
    system, values, weather = find_system(Catalog(), name).system, drawn(name), hours()
    return best_s(lambda: year(system, values, weather), runs)


def plan_s(runs: int) -> float:
    """Seconds of the shipped scenario in a warm process [s]."""
    inputs, catalog = load_scenario("cooling-ashburn", CoolingInputs, (), "cooling").inputs, Catalog()
    return best_s(lambda: plan(inputs, catalog), runs)


def figures(runs: int) -> list[Figure]:
    """Everything that is measured of cooling."""
    return [
        Figure(
            "aiplan cooling --format json", process_ms([[*AIPLAN, "cooling", "--format", "json"]], runs)[0], "ms", 500.0
        ),
        *(Figure(f"8,760 h x 1,000 draws, {name}", monte_carlo_s(name, 3), "s", 5.0) for name in SYSTEMS),
        Figure("cooling-ashburn, warm", 1e3 * plan_s(3), "ms"),
    ]


if __name__ == "__main__":
    for row in figures(5):
        print(f"{row.what:<50}{row.value:>9.3g} {row.unit:<3}{'' if row.met else '  missed'}")
