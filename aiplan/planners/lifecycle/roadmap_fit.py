"""Trends from the generations on record, by least squares."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.roadmap import FIELDS, Form, Known, Trend, known_faults
from aiplan.planners.lifecycle.roadmap_faults import Fault, raise_if_any


def fit_trend(
    known: Known,
    form: Form,
    interval_years: npt.ArrayLike | None = None,
    until_year: float = math.inf,
    last_year: npt.ArrayLike = math.inf,
) -> Trend:
    """Growth of every field over the years of release, equal weights.

    Exponential: a line through the logarithms gives the growth factor; the trend goes on from the last known
    generation. Linear: a line through the values is the trend itself, so that its first projected generation may lie
    below the last known one, but never below half of it.

    Parameters
    ----------
    interval_years : from one release to the next; the mean gap of the generations fitted where not given [years]
    until_year : only generations released by then are fitted; the trend still goes on from the last known one

    Raises
    ------
    FaultyNumbersError: fewer than two generations to fit, or a fitted line that falls by the last value every year.

    Source: linear fits over the listed generations with a floor at half the last value: reference, section 6.2, an
    assumed set-up; Stojkovic et al. 2026 say that FLOPS, bandwidth, power and cost follow linear trends (published).
    """
    raise_if_any(known_faults(known))
    used = known.until(until_year)
    if len(used.names) < 2:
        raise_if_any([Fault("until_year", f"a trend needs two generations, {len(used.names)} released by then")])
    years, last = used.release_years, float(known.release_years[-1])
    interval = interval_years if interval_years is not None else float(years[-1] - years[0]) / (len(years) - 1)
    growth: dict[str, float] = {}
    levels: dict[str, float] = {}
    for name, of_known in FIELDS.items():
        values = as_array(getattr(used, of_known))
        if form == "exponential":
            growth[name] = math.exp(line(years, np.log(values), last)[0])
        else:
            slope, at_last = line(years, values, last)
            final = float(getattr(known, of_known)[-1])
            growth[name], levels[name] = 1 + slope / final, at_last / final
    falling = [name for name, factor in growth.items() if factor <= 0]
    raise_if_any([Fault(name, "a line through its values falls by more than the last one every year; use an "
                              "exponential trend") for name in falling])  # fmt: skip
    return Trend(interval, **growth, form=form, last_year=last_year, levels=levels)


def line(years: Array, values: Array, at_year: float) -> tuple[float, float]:
    """Slope per year of the least-squares line, and its value at a year.

    >>> line(np.array([2020.0, 2022.0]), np.array([1.0, 5.0]), 2023.0)
    (2.0, 7.0)
    """
    centre = years - years.mean()
    slope = float((centre * values).sum() / (centre**2).sum())
    return slope, float(values.mean() + slope * (at_year - years.mean()))
