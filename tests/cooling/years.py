"""Years hour by hour made from monthly means, and monthly means of such years: what `synthesise` is held to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, require
from aiplan.planners.cooling.synthesis import DAYS, Monthly, _diurnal, _humidity, spread
from aiplan.planners.cooling.weather import Weather

YEAR_HOURS = 8760
DAY_HOURS = 24
PERSISTENCE = 0.57


def hours_where(year: Weather, condition: npt.ArrayLike) -> float:
    """Hours of the points at which a condition, shape (n,), holds [h]."""
    return float(year.hours[np.asarray(condition, dtype=np.bool_)].sum())


def hourly_year(monthly: Monthly, seed: int = 0) -> Weather:
    """One year of 8,760 hours in order, as it might have been.

    The same wave and spread as `synthesise`; weather and dew point stray from day to day as autoregressions of first
    order with 0.57, the mean of 18 zones, and change linearly within a day. Each month is moved to its mean.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    wander = spread(monthly)
    month = np.repeat(np.arange(12), DAYS * DAY_HOURS)
    hour = np.tile(np.arange(DAY_HOURS), int(DAYS.sum()))
    day = np.arange(YEAR_HOURS) / DAY_HOURS
    middle = np.cumsum(DAYS) - DAYS / 2
    mean, dew, high, low = (
        np.interp(day, middle, values, period=float(DAYS.sum()))
        for values in (monthly.tmean_c, monthly.dewpoint_c, monthly.tmax_c, monthly.tmin_c)
    )
    q, r = (np.interp(day, np.arange(DAYS.sum()) + 0.5, _persistent(rng)) for _ in range(2))
    dry = mean + (high - low) * _diurnal()[hour] + wander.sigma_k[month] * q
    count = np.bincount(month)
    dry += (monthly.tmean_c - np.bincount(month, dry) / count)[month]
    damp = dew + (wander.beta * wander.sigma_k)[month] * q + wander.rho_k[month] * r
    damp += (monthly.dewpoint_c - np.bincount(month, damp) / count)[month]
    hours = np.ones(YEAR_HOURS)
    return Weather(dry, _humidity(dry, damp), monthly.pressure_pa[month], hours, month + 1, hour)


def monthly_of(year: Weather) -> Monthly:
    """Normals of an hourly year: means by month, and means of the largest and smallest value of each day.

    Raises ValueError for a year that is not hour by hour from the first of January, or lacks its months.
    """
    if year.month is None or year.drybulb_c.size % DAY_HOURS:
        raise ValueError("an hourly year with months is needed")
    month = year.month - 1
    count = np.bincount(month, minlength=12)
    require(count > 0, "all twelve months are needed")
    days = year.drybulb_c.reshape(-1, DAY_HOURS)
    of_day = month[::DAY_HOURS]
    day_count = np.bincount(of_day, minlength=12)
    dew = np.minimum(year.dewpoint_c, year.drybulb_c)
    mean, mean_dew, pressure = (np.bincount(month, v, 12) / count for v in (year.drybulb_c, dew, year.pressure_pa))
    high, low = (np.bincount(of_day, v, 12) / day_count for v in (days.max(axis=1), days.min(axis=1)))
    return Monthly(high, low, mean, mean_dew, pressure)


def _persistent(rng: np.random.Generator) -> Array:
    """Standard normals of each day of a year, shape (365,), each leaning on the one before by 0.57."""
    noise = rng.standard_normal(int(DAYS.sum()))
    values = np.empty_like(noise)
    values[0] = noise[0]
    for day in range(1, noise.size):
        values[day] = PERSISTENCE * values[day - 1] + np.sqrt(1.0 - PERSISTENCE**2) * noise[day]
    return values
