"""What `aiplan validate` holds the closed forms of `aiplan stabilize` to: tables of our notes on its reference job.

Prices and cycle lives of the tables are assumed, and 65 J per GPU is second-hand: the forms are checked, not these.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from aiplan.planners.stabilize.closed_forms import (
    converter_power_w,
    full_cycles_per_year,
    iteration_storage_j,
    longest_flat_period_s,
    residual_swing_w,
)
from aiplan.planners.stabilize.cycle_life import least_energy_j
from aiplan.planners.stabilize.storage_cost import annual_usd, capital_usd, energy_usd_per_year
from aiplan.study.validate import Check, Results

OURS = "stabilise-cases"
TDP_W, HIGH_W, LOW_W, AROUND_W, DUTY, PERIOD_S = 1200.0, 1140.0, 420.0, 350.0, 0.8, 2.0
"""Of the job: TDP, phases and what stands around each accelerator [W], share of computing [1], an iteration [s]."""
ACCELERATORS = 100_000
FLOORS = (0.5, 0.65, 0.8, 0.9)
SECONDS_PER_YEAR = 8760.0 * 3600.0
KWH, MWH = 3.6e6, 3.6e9
SPLIT = ((0.0, 23.0, 101e3), (0.5, 17.3, 76e3), (0.65, 11.5, 50e3), (0.8, 5.8, 25e3), (0.9, 1.9, 8.4e3))
"""Floor over TDP [1], energy of an iteration [MJ], full cycles a year of 1 MWh [1], as printed."""
COSTS = (
    ("lithium cells, 8,000 cycles", (250.0, 350.0, 8e3), (8.4, 7.3)),
    ("lithium cells, 160,000 shallow cycles", (250.0, 350.0, 160e3), (2.5, 6.8)),
    ("supercapacitors", (150.0, 10_000.0, 50e6), (1.3, 6.7)),
)
"""Storage, assumed prices per kW and kWh [USD] and cycle life [1], a year's cost by floor [M USD], as printed."""
COST_FLOORS = (0.35, 0.9)
RATE, YEARS, UPTIME, USD_PER_KWH = 0.08, 10.0, 0.95, 0.06


def _swing_w(floor: float) -> float:
    """Swing that a floor leaves [W]."""
    return float(residual_swing_w(HIGH_W, LOW_W, floor * TDP_W)) * ACCELERATORS


def _iteration_mj(floor: float, _: Results) -> float:
    return float(iteration_storage_j(_swing_w(floor), DUTY, PERIOD_S)) / 1e6


def _cycles(floor: float, _: Results) -> float:
    return float(full_cycles_per_year(_swing_w(floor), DUTY, MWH))


def _flat_s(duty: float, _: Results) -> float:
    return float(longest_flat_period_s(65.0, 700.0, duty))


def cost_musd(floor: float, prices: tuple[float, float, float], _: Results | None = None) -> float:
    """A year's cost of a floor and the storage that makes the rest flat, cycle life enforced [M USD]."""
    usd_per_kw, usd_per_kwh, cycle_life = prices
    swing = _swing_w(floor)
    depth = float(iteration_storage_j(swing, DUTY, PERIOD_S))
    energy = float(least_energy_j([depth], [UPTIME * SECONDS_PER_YEAR / PERIOD_S], YEARS, cycle_life))
    bought = capital_usd(float(converter_power_w(swing, DUTY)), energy, usd_per_kw / 1e3, usd_per_kwh / KWH)
    burnt_w = (1.0 - DUTY) * (floor * TDP_W - LOW_W) * ACCELERATORS
    return float(annual_usd(bought, RATE, YEARS) + energy_usd_per_year(burnt_w, USD_PER_KWH, UPTIME)) / 1e6


def table_checks() -> Iterator[Check]:
    """Closed forms as the notes print them: 1 %, or half of the last digit printed."""
    for floor, energy, cycles in SPLIT:
        name = f"Floor of {floor:.0%} and storage"
        within = max(0.01, 0.05 / energy)
        yield Check(
            f"{name}: energy of an iteration", energy, within, OURS, "derived", partial(_iteration_mj, floor), "MJ"
        )
        within = max(0.01, (500.0 if cycles > 1e4 else 50.0) / cycles)
        yield Check(f"{name}: full cycles a year of 1 MWh", cycles, within, OURS, "derived", partial(_cycles, floor))
    for duty, longest in ((0.5, 0.37), (0.8, 0.58)):
        yield Check(f"65 J per GPU: longest flat period at a duty of {duty:g}", longest, 0.01, OURS, "derived",
                    partial(_flat_s, duty), "s")  # fmt: skip
    for name, prices, costs in COSTS:
        for floor, cost in zip(COST_FLOORS, costs, strict=True):
            yield Check(f"Floor of {floor:.0%} and {name}, assumed prices: a year", cost, max(0.01, 0.05 / cost), OURS,
                        "derived", partial(cost_musd, floor, prices), "M USD")  # fmt: skip
