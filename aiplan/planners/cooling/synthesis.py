"""A year of weather from twelve monthly means.

Section 3 of the project's notes on sites: a diurnal wave and two normals, of weather and of dew point, taken at fixed
quantiles, so that nothing is random. Annual PUE from it is good to 0.002 to 0.004, hours above a threshold to some
200 h, extremes to 1 to 5 K; see docs/weather.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.weather import Weather

DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
DAYS.flags.writeable = False

_PARTS = np.array([1 / 6, 1 / 2, 5 / 6])
_COLDEST_HOUR, _WARMEST_HOUR = 5.5, 15.0
_DAY_HOURS = 24
_WEATHER_QUANTILES = 9
_DEW_QUANTILES = 5


@dataclass(frozen=True, eq=False)
class Monthly:
    """Monthly normals of a place, January first.

    Attributes
    ----------
    tmax_c, tmin_c : mean daily maximum and minimum, shape (12,) [deg C]
    tmean_c : mean, shape (12,) [deg C]
    dewpoint_c : mean dew point, shape (12,) [deg C], at most the mean temperature
    pressure_pa : station pressure [Pa], one for the year or shape (12,)

    Raises ValueError for other shapes, numbers that are not finite, a mean outside the daily range, or a dew point
    above the mean.
    """

    tmax_c: Array
    tmin_c: Array
    tmean_c: Array
    dewpoint_c: Array
    pressure_pa: Array

    def __post_init__(self) -> None:
        for name in ("tmax_c", "tmin_c", "tmean_c", "dewpoint_c", "pressure_pa"):
            values = np.array(np.broadcast_to(as_array(getattr(self, name)), (12,)))
            require(np.isfinite(values), f"{name} must be finite")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        require((self.tmin_c <= self.tmean_c) & (self.tmean_c <= self.tmax_c), "tmin_c <= tmean_c <= tmax_c must hold")
        require(self.dewpoint_c <= self.tmean_c, "dewpoint_c must be at most tmean_c")

    @classmethod
    def from_humidity(
        cls,
        tmax_c: npt.ArrayLike,
        tmin_c: npt.ArrayLike,
        tmean_c: npt.ArrayLike,
        rh_fraction: npt.ArrayLike,
        elevation_meters: float,
    ) -> Monthly:
        """Normals of a place that gives relative humidity instead of dew point, and elevation instead of pressure."""
        tmean = as_array(tmean_c)
        dew = np.minimum(air.dew_point_c(tmean, rh_fraction), tmean)
        pressure = air.pressure_at_elevation_pa(elevation_meters)
        return cls(as_array(tmax_c), as_array(tmin_c), tmean, dew, pressure)

    def shifted(self, drybulb_k: float, dewpoint_k: float) -> Monthly:
        """Every temperature and dew point moved [K]; a dew point stops at its mean temperature."""
        mean = self.tmean_c + drybulb_k
        dew = np.minimum(self.dewpoint_c + dewpoint_k, mean)
        return Monthly(self.tmax_c + drybulb_k, self.tmin_c + drybulb_k, mean, dew, self.pressure_pa)

    @property
    def annual_mean_c(self) -> float:
        """Mean over the year's days [deg C]."""
        return float(np.dot(self.tmean_c, DAYS) / DAYS.sum())


class Spread(NamedTuple):
    """How weather strays from its monthly means, each of shape (12,).

    ``sigma_k`` : standard deviation of temperature around its diurnal wave [K]
    ``beta`` : how far the dew point goes along, 1 for all the way
    ``rho_k`` : standard deviation of the dew point's own movement [K]
    """

    sigma_k: Array
    beta: Array
    rho_k: Array


def spread(monthly: Monthly) -> Spread:
    """Spread of the weather in each month, from the means alone.

    With A the warmest minus the coldest monthly mean, s = (T - annual mean) / (A/2), R the daily range and S = T - dew
    point: ``sigma = max(0.4, 0.85 + 0.094 A - 0.042 A s)``, ``beta = 1.07 + 0.021 A - 0.011 A s - 0.093 R`` within
    -0.5 and 1.2, ``rho = max(0.5, -0.03 + 0.0233 A - 0.0117 A s + 0.1045 R + 0.0828 S)``. Least squares on 18 climate
    zones; residual standard deviation 0.90 K, 0.61 and 0.82 K. (Derived for this project, not published.)
    """
    t = monthly.tmean_c
    swing = float(t.max() - t.min())
    # A s, written without the division: a place without seasons has A = 0 and no s.
    season = 2.0 * (t - monthly.annual_mean_c)
    daily = monthly.tmax_c - monthly.tmin_c
    sigma = np.maximum(0.4, 0.85 + 0.094 * swing - 0.042 * season)
    beta = np.clip(1.07 + 0.021 * swing - 0.011 * season - 0.093 * daily, -0.5, 1.2)
    rho = -0.03 + 0.0233 * swing - 0.0117 * season + 0.1045 * daily + 0.0828 * (t - monthly.dewpoint_c)
    return Spread(sigma, beta, np.maximum(0.5, rho))


def synthesise(monthly: Monthly) -> Weather:
    """A year of 38,880 weighted points: 12 months, 3 parts each, 24 hours, 9 kinds of weather, 5 of dew point.

    Keeps every monthly mean of temperature; weights sum to 8,760 h. The order is month, part, hour, weather, dew point.
    """
    wander = spread(monthly)
    q, r = (as_array(_quantiles(count)) for count in (_WEATHER_QUANTILES, _DEW_QUANTILES))
    mean, dew, daily = (
        _within_months(values) for values in (monthly.tmean_c, monthly.dewpoint_c, monthly.tmax_c - monthly.tmin_c)
    )
    wave = mean[:, :, None] + daily[:, :, None] * _diurnal()
    dry = wave[..., None] + wander.sigma_k[:, None, None, None] * q
    drift = (wander.beta * wander.sigma_k)[:, None] * q
    damp = (dew[:, :, None] + drift[:, None, :])[:, :, None, :, None] + (wander.rho_k[:, None] * r)[:, None, None, None]
    dry = np.broadcast_to(dry[..., None], (12, _PARTS.size, _DAY_HOURS, q.size, r.size))
    rh = _humidity(dry, damp)
    each = DAYS / (_PARTS.size * q.size * r.size)
    shape = (12, _PARTS.size * _DAY_HOURS * q.size * r.size)
    month = np.broadcast_to(np.arange(1, 13)[:, None], shape)
    hour = np.broadcast_to(np.arange(_DAY_HOURS)[:, None], (12, _PARTS.size, _DAY_HOURS, q.size * r.size))
    pressure, hours = (np.broadcast_to(values[:, None], shape).ravel() for values in (monthly.pressure_pa, each))
    return Weather(dry.ravel(), rh.ravel(), pressure, hours, month.ravel(), hour.ravel())


def _humidity(dry: Array, dew: Array) -> Array:
    """Relative humidity of air with this dew point, which stops at the dry bulb."""
    ratio = air.saturation_pressure_pa(np.minimum(dew, dry)) / air.saturation_pressure_pa(dry)
    return as_array(np.minimum(ratio, 1.0))


def _within_months(values: Array) -> Array:
    """Values at the three parts of each month, shape (12, 3), linear between mid-months and true to their means."""
    middle = np.cumsum(DAYS) - DAYS / 2
    at = (np.cumsum(DAYS) - DAYS)[:, None] + DAYS[:, None] * _PARTS
    parts = np.interp(at, middle, values, period=float(DAYS.sum()))
    return as_array(parts + (values - parts.mean(axis=1))[:, None])


@lru_cache(maxsize=1)
def _diurnal() -> Array:
    """Wave of a day by hour, shape (24,): range 1, mean 0, half-cosines from 5.5 h up to 15 h and down again."""
    hour = np.arange(_DAY_HOURS, dtype=np.float64)
    rise = _WARMEST_HOUR - _COLDEST_HOUR
    since = (hour - _COLDEST_HOUR) % _DAY_HOURS
    phase = np.where(since < rise, since / rise - 1.0, (since - rise) / (_DAY_HOURS - rise))
    wave = 0.5 * np.cos(np.pi * phase)
    return as_array(wave - wave.mean())


@lru_cache(maxsize=4)
def _quantiles(count: int) -> tuple[float, ...]:
    """Normal quantiles at the middle of ``count`` equal shares, rescaled to unit variance."""
    from statistics import NormalDist

    q = np.array([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)])
    return tuple(float(x) for x in q / np.sqrt(np.mean(q * q)))
