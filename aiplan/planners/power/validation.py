"""What `aiplan validate` holds `aiplan power` to, and published gains that it cannot reproduce."""

from __future__ import annotations

from collections.abc import Callable

from aiplan.study.validate import Check, NotReproduced, Results

SCENARIO = "power-100mw"
FLEX, LIFECYCLE, OURS = "flex-2021", "stojkovic-2026-lifecycle", "aiplan-choice"
STRANDED = (
    (10.2, 40, 23.5),
    (10.2, 300, 1.4),
    (14.3, 40, 28.5),
    (14.3, 300, 4.7),
    (132.0, 300, 12.0),
    (132.0, 1250, 5.0),
)
"""Unit [kW], domain [kW] and share lost [%], by the floor rule of the lifecycle study."""


def _gain(scheme: str) -> Callable[[Results], float]:
    def got(_: Results) -> float:
        from aiplan.planners.power.redundancy import flex_usable
        from aiplan.planners.power.redundancy import scheme as known

        usable = known(scheme).usable
        return flex_usable(usable, 1.0 - usable) / usable - 1.0

    return got


def _usable(scheme: str) -> Callable[[Results], float]:
    """Load of a UPS in normal state over its rating when equal pairs fill it after a loss."""

    def got(_: Results) -> float:
        from aiplan.planners.power.redundancy import equal_pairs_w, normal_w
        from aiplan.planners.power.redundancy import scheme as known

        return float(normal_w(equal_pairs_w(1.0, known(scheme).group))[0])

    return got


def _efficiency(load: float) -> Callable[[Results], float]:
    def got(_: Results) -> float:
        from aiplan.planners.power.losses import ups_efficiency

        return float(ups_efficiency(load))

    return got


def _stranded(unit_kw: float, domain_kw: float) -> Callable[[Results], float]:
    def got(_: Results) -> float:
        from aiplan.planners.power.packing import stranded_fraction

        return 100.0 * stranded_fraction(domain_kw * 1e3, unit_kw * 1e3)

    return got


def _balance(results: Results) -> float:
    """Power at the grid over the sum of IT, losses, cooling and the rest."""
    records = results.report(SCENARIO).table("chain").records()
    parts = sum(float(row["design_mw"] or 0.0) for row in records if row["part"] != "grid")
    return results.line(SCENARIO, "facility_power_mw") / parts


CHECKS: tuple[Check, ...] = (
    Check("Flex: servers gained from the reserve of 4N/3", 0.33, 0.02, FLEX, "published", _gain("4n/3")),
    Check("4N/3: load of a UPS in normal state", 0.75, 1e-12, FLEX, "derived", _usable("4n/3")),
    Check("3N/2: load of a UPS in normal state", 2 / 3, 1e-12, FLEX, "derived", _usable("3n/2")),
    *(
        Check(f"UPS efficiency at {load:.0%} load, assumed coefficients", expected, 1e-4, OURS, "derived",
              _efficiency(load))
        for load, expected in ((1.0, 0.9606), (0.75, 0.9622), (0.5, 0.9620), (0.25, 0.9544))
    ),
    *(
        Check(f"Share of a {domain:g} kW domain lost to units of {unit:g} kW", expected, 0.04, LIFECYCLE, "derived",
              _stranded(unit, domain), "%")
        for unit, domain, expected in STRANDED
    ),
    Check("Power at the grid over the sum of its parts", 1.0, 1e-9, OURS, "derived", _balance),
)  # fmt: skip

NOT_REPRODUCED: tuple[NotReproduced, ...] = (
    NotReproduced(
        "Fan et al.: servers hosted with mixed load",
        "39 % more",
        "fan-2007",
        "CPU servers, and traces that are not public; `aiplan power --table published` has ours for the classes stated",
    ),
    NotReproduced(
        "Google: oversubscription of the medium-voltage plane",
        "at least 25 %",
        "google-mv-power-plane",
        "second-hand; no trace, rating or cap is stated",
    ),
    NotReproduced(
        "POLCA: servers for inference",
        "30 % more",
        "polca-2024",
        "second-hand, on production traces that are not public; peaks of classes are inputs here, not results",
    ),
    NotReproduced(
        "TAPAS: oversubscription",
        "up to 40 %",
        "tapas-2025",
        "second-hand; it places and routes by temperature and power, which this planner does not",
    ),
)
