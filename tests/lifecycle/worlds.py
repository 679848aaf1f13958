"""Worlds that tests share: a small one, and the set-ups of reference lifecycle-tco.md 6.2 and 6.3.

The numbers of the set-ups are the reference's [assumed]; prices and powers marked so there are [unverified].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.problem import Problem, all_vintages, problem
from aiplan.planners.lifecycle.world import (
    Accounting,
    Booking,
    Clock,
    Finance,
    Generations,
    Market,
    Site,
    Upkeep,
    World,
)

# release year, k$, kW of a server, dense TFLOPS and TB/s of a GPU
P100 = (2016.0, 90.0, 3.2, 21.2, 0.732)
V100 = (2018.0, 149.0, 3.5, 125.0, 0.9)
A100 = (2021.25, 200.0, 6.5, 312.0, 2.04)
H100 = (2023.75, 375.0, 10.2, 989.0, 3.35)
H200 = (2024.75, 400.0, 10.2, 989.0, 4.8)
B200 = (2025.75, 500.0, 14.3, 2250.0, 8.0)
HIST = (P100, V100, A100, H100, H200, B200)
FWD = (A100, H100, H200, B200)
# Table of the public artifact (reference section 3): price and power of 8 GPUs, server power 8 TDP / 0.5, FP64.
G_TABLE = tuple(
    (year, 8 * usd / 1e3, 8 * watts / 0.5 / 1e3, tf, gbps / 1e3)
    for year, watts, gbps, usd, tf in (
        (2016.0, 300, 732, 9428, 21.2), (2018.0, 250, 897, 11458, 31.3), (2021.25, 400, 2090, 18000, 78.0),
        (2023.75, 700, 3440, 27000, 268.0), (2024.75, 700, 5007, 35000, 268.0), (2025.25, 1000, 4200, 30000, 248.0),
        (2025.75, 1000, 4200, 40000, 248.0),
    )
)  # fmt: skip
SIZES = (1e8, 2e8, 3e8, 1e9, 1.5e9, 1.75e10, 2e10, 5e10, 7e10, 4e11, 1e12)
"""Model sizes of 2015 to 2025."""


@dataclass(frozen=True)
class Setup:
    """Inputs of one row of a table."""

    known: tuple[tuple[float, ...], ...] = FWD
    start: float = 2025.0
    growth: tuple[float, ...] | None = (1.35, 1.25, 1.12, 1.12)  # TF, TB/s, price, power; None: linear fits
    accounting: Accounting = "book"
    rate: float = 0.0
    resale: bool = False
    afr: float = 0.0
    ageing: float = 0.0
    classes: int = 1
    periods: int = 15
    reference: int = 3
    energy_usd_per_mwh: float = 30.0
    demand_charge: float = 0.0
    maintenance: float = 5e3
    network_share: float = 0.0
    network: float = 2e3
    network_year: float = 600.0
    pue: float = 1.3
    domain_kw: float | None = None
    derate: float = 0.0
    fan_saved: float = 0.0
    throughput: float = 1.0
    cooling: float = 2.5
    oversubscription: float = 1.0
    demand_factor: float = 1.0
    utilisation: float = 0.75
    at_full_load: bool = True  # the reference charges every server in service as if it worked
    booking: Booking = "mid"
    extra: dict[str, Any] = field(default_factory=dict)


def generations(setup: Setup) -> Array:
    """Rows of release, k$, kW, TF, TB/s: the list, then one a year."""
    known = np.array(setup.known)
    last, end = known[-1], setup.start + setup.periods
    years = np.arange(last[0] + 1.0, end, 1.0)
    if setup.growth is None:
        fits = [np.polyfit(known[:, 0], known[:, c], 1) for c in range(1, 5)]
        later = np.stack([np.maximum(np.polyval(f, years), last[c + 1] / 2) for c, f in enumerate(fits)], axis=1)
    else:
        tf, tb, usd, kw = setup.growth
        step = np.arange(1, len(years) + 1)
        later = np.stack([last[1] * usd**step, last[2] * kw**step, last[3] * tf**step, last[4] * tb**step], axis=1)
    return np.concatenate([known, np.concatenate([years[:, None], later], axis=1)])


def demand(setup: Setup) -> Array:
    """Peak demand in reference servers, shape (T,), at most 2000."""
    years = setup.start + np.arange(setup.periods)
    if setup.start < 2020:
        known = 2015.0 + np.arange(len(SIZES))
        fit = np.maximum(np.polyval(np.polyfit(known, SIZES, 1), years), 0.9e12)
        size = np.where(years <= 2025, np.interp(years, known, SIZES), fit)
        path = 1.15 ** (years - 2015) * size
    else:
        t = years - setup.start
        path = 1.15**t * (1 + 0.10 * t)
    return np.asarray(2000.0 * setup.demand_factor * path / path.max())


def stranding(domain_kw: float, kw: Array) -> Array:
    """Floor packing of reference 5.4: power that no server can use over power that servers use."""
    fits = domain_kw / (np.maximum(np.floor(domain_kw / kw + 1e-9), 1) * kw) - 1
    return np.where(kw <= domain_kw, fits, np.ceil(kw / domain_kw - 1e-9) * domain_kw / kw - 1)


def reference_world(setup: Setup) -> World:
    """The world of a row."""
    rows = generations(setup)
    release, usd, kw, tf, tb = rows.T
    cf, cb = tf / tf[setup.reference], tb / tb[setup.reference]
    capacity = np.stack([2 * cf, 2 * cb], -1) if setup.classes == 2 else (1 / (0.5 / cf + 0.5 / cb))[:, None]
    G, T = len(rows), setup.periods
    active = kw * 1e3
    idle = active * (0.3 + 0.7 * setup.utilisation) if setup.at_full_load else 0.3 * active
    work = (idle if setup.at_full_load else active)[:, None]
    st = np.full(G, 0.10) if setup.domain_kw is None else stranding(setup.domain_kw, kw)
    residual = 0.77 ** np.arange(T + 1.0) if setup.resale else np.zeros(1)
    charge = np.full((1, T), setup.demand_charge) if setup.demand_charge else np.zeros((0, T))
    return World(
        Clock(setup.start, T),
        Generations(
            tuple(str(g) for g in range(G)), release - setup.start, release + 4.0 - setup.start,
            np.repeat(usd[:, None] * 1e3, T, axis=1), active, idle, np.repeat(work, setup.classes, axis=1), capacity,
            np.full(G, float(setup.extra.get("life", 10.0))), np.zeros(G),
        ),
        Site(
            st, np.full(G, setup.fan_saved), np.full(G, setup.derate), np.full(G, setup.throughput),
            np.ones(G, dtype=bool), np.array(setup.oversubscription), np.array(setup.pue), np.array(setup.pue),
            np.array(0.0), {"power": np.array(7.0), "cooling": np.array(setup.cooling)},
            usd * 1e3 * setup.network_share if setup.network_share else np.full(G, setup.network),
            np.full(G, setup.network_year),
        ),
        Market(
            np.full(T, setup.energy_usd_per_mwh / 1e3), charge, np.zeros(len(charge)), np.zeros(T), np.zeros(T),
            np.zeros(T), np.full((T, setup.classes), np.inf), np.full(T, np.inf), "rated",
        ),
        Upkeep(
            np.full(G, setup.maintenance), np.full(G, 200.0), np.array([setup.afr]), np.zeros(G), np.array(0.0),
            np.array(0.0), np.array(setup.ageing), 5.0, 1.15,
        ),
        Finance(setup.accounting, np.array(setup.rate), residual, 0.85, 5.0, setup.booking),
        np.repeat(demand(setup)[:, None], setup.classes, axis=1), np.ones(T), np.array(1.0), setup.utilisation,
    )  # fmt: skip


def newest_only(made: Problem) -> Problem:
    """The problem in which only the newest generation on sale may be bought."""
    vintages = made.vintages
    newest = np.array([(vintages.generation[vintages.bought == t]).max() for t in range(made.world.clock.periods)])
    return replace(made, allowed=made.allowed & (vintages.generation == newest[np.clip(vintages.bought, 0, None)]))


def fixed_life(world: World, years: float) -> Problem:
    """Buy the newest, keep it that long: with ``keep`` of all vintages the reference's fixed-life policies."""
    gens = replace(world.generations, life_years=np.full(len(world.generations.names), years))
    world = replace(world, generations=gens)
    return newest_only(problem(world, all_vintages(world)))


def until_newer(world: World) -> Problem:
    """Buy the newest, replace it as soon as a newer one is on sale."""
    made = newest_only(problem(world, all_vintages(world)))
    starts = world.clock.starts_years
    newest = np.array([np.nonzero(world.generations.available_years <= t + 1e-9)[0].max() for t in starts])
    serves = made.serves & (newest == made.vintages.generation[:, None])
    return replace(made, serves=serves)


def flexible(world: World) -> Problem:
    """Anything on sale, any life up to the longest."""
    return problem(world, all_vintages(world))


def small_world(periods: int = 6, *, accounting: Accounting = "finance", rate: float = 0.08, classes: int = 1,
                afr: float = 0.04, **changes: Any) -> World:  # fmt: skip
    """Three generations, growing demand, resale, failures, a demand charge; rent and limits through ``changes``."""
    T, W = periods, classes
    capacity = np.array([[1.0, 1.0], [2.2, 1.8], [4.5, 3.5]])[:, :W]
    active = np.array([[6e3, 5e3], [9e3, 8e3], [12e3, 11e3]])[:, :W]
    rise = 100.0 * 1.25 ** np.arange(float(T))
    world = World(
        Clock(2026.0, T),
        Generations(
            ("old", "mid", "new"), np.array([-2.0, 0.0, 2.0]), np.array([3.0, 5.0, 9.0]),
            np.array([150e3, 260e3, 400e3])[:, None] * 0.97 ** np.arange(T), np.array([6.5e3, 9.5e3, 13e3]),
            np.array([2e3, 3e3, 4e3]), active, capacity, np.array([4.0, 6.0, 8.0]), np.array([1e3, 2e3, 3e3]),
        ),
        Site(
            np.array([0.1, 0.05, 0.02]), np.full(3, 0.05), np.full(3, 0.02), np.ones(3), np.ones(3, dtype=bool),
            np.array(1.0), np.array(1.2), np.array(1.4), np.array(1.0),
            {"power": np.array(7.0), "cooling": np.array(2.5)},
            np.array([10e3, 15e3, 20e3]), np.full(3, 600.0),
        ),
        Market(
            np.full(T, 0.06), np.full((1, T), 12.0), np.zeros(1), np.full(T, 2.0), np.full(T, 0.05), np.full(T, 0.4),
            np.full((T, W), np.inf), np.full(T, np.inf),
        ),
        Upkeep(
            np.full(3, 5e3), np.full(3, 200.0), np.array([afr]), np.full(3, 500.0), np.array(0.1), np.array(0.02),
            np.array(0.05), 5.0, 1.15,
        ),
        Finance(accounting, np.array(rate), 0.77 ** np.arange(T + 1.0), 0.85),
        np.repeat(rise[:, None], W, axis=1), 1.05 ** np.arange(float(T)), np.array(0.7), 0.75, 0.05,
    )  # fmt: skip
    return changed(world, **changes)


def changed(world: World, **changes: Any) -> World:
    """The world with fields of any of its parts replaced."""
    parts = ("generations", "site", "market", "upkeep", "finance", "clock")
    for name, value in changes.items():
        owner = next((part for part in parts if hasattr(getattr(world, part), name)), None)
        if owner is None:
            world = replace(world, **{name: value})
        else:
            world = replace(world, **{owner: replace(getattr(world, owner), **{name: value})})
    return world
