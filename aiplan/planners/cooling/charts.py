"""Pictures of `aiplan cooling`: PUE by month and hour, and systems side by side."""

from __future__ import annotations

import numpy as np

from aiplan.planners.cooling.plan import Result
from aiplan.planners.cooling.tables import GROUPS, HOURS, MONTHS, group_powers, month_hour_pue
from aiplan.report.model import Axis, Bars, HeatMap, Picture, Segment


def charts(result: Result) -> tuple[Picture, ...]:
    """Every picture of a result; its numbers stand in the tables."""
    return (*_heat(result), _bars(result))


def _heat(result: Result) -> tuple[HeatMap, ...]:
    if result.seasonal is None:
        return ()
    hourly, weather, load = result.seasonal
    found = month_hour_pue(hourly, weather, load)
    cells = tuple(tuple(float(value) if np.isfinite(value) else None for value in row) for row in found)
    return (
        HeatMap(
            "pue_by_month_and_hour",
            "Mean PUE by month and hour of the day",
            Axis("hour of the day"),
            Axis("month"),
            tuple(str(hour) for hour in HOURS),
            MONTHS,
            cells,
            Axis("PUE"),
            "pue_month_hour",
        ),
    )


def _bars(result: Result) -> Bars:
    ranked = sorted(result.systems, key=lambda pair: float(pair[1].pue))
    parts = [group_powers(one.power) for _, one in ranked]
    segments = tuple(Segment(group, tuple(part[group] for part in parts)) for group in GROUPS)
    names = tuple(system.id for system, _ in ranked)
    title = "PUE - 1 of systems on this weather"
    return Bars("overhead_by_system", title, Axis("power over IT power"), names, segments, table="systems")
