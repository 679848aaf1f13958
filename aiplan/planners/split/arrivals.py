"""When requests arrive: Poisson or burstier or more regular, at one rate or by the hour of the day."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array

MAX_REQUESTS = 2**31 - 1
"""Most requests of one workload [1]."""

MAX_CV2 = 1e6
"""Largest squared coefficient of variation of the gaps [1]: beyond it no trace is long enough to show it."""

HOURS = 24
_HOUR_S = 3600.0
_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Profile:
    """The rate of each hour of the day over the mean rate.

    Parameters
    ----------
    factors : 24 weights [1], from midnight on; divided by their mean, so that only their ratios count
    start_hour : hour of the day at which time 0 lies [h], 0 <= start_hour < 24

    The rate is constant within an hour, and the day repeats.
    Raises ValueError unless there are 24 finite factors >= 0, one of them positive.
    """

    factors: tuple[float, ...]
    start_hour: float = 0.0

    def __post_init__(self) -> None:
        given = [float(factor) for factor in self.factors]
        if len(given) != HOURS or not all(0.0 <= factor < math.inf for factor in given) or not any(given):
            raise ValueError("a profile needs 24 factors, none negative and not all zero")
        if not 0.0 <= self.start_hour < HOURS:
            raise ValueError(f"the hour of the start must lie in 0..24, got {self.start_hour}")
        mean = math.fsum(given) / HOURS
        object.__setattr__(self, "factors", tuple(factor / mean for factor in given))

    @classmethod
    def cosine(cls, peak_to_mean_ratio: float, peak_hour: float = 14.5, start_hour: float = 0.0) -> Profile:
        """A day that swings once: factor of hour h is 1 + (ratio - 1) cos(2 pi (h + 1/2 - peak)/24).

        Parameters
        ----------
        peak_to_mean_ratio : highest over mean rate [1], 1 to 2
        peak_hour : hour of the day of the highest rate [h]; half hours (14.5 is the hour from 14 to 15) meet the
            ratio exactly

        Raises ValueError for a ratio outside 1..2, beyond which the rate would fall below zero.
        """
        if not 1.0 <= peak_to_mean_ratio <= 2.0:
            raise ValueError(f"the peak over the mean must lie in 1..2, got {peak_to_mean_ratio:g}")
        angles = [2.0 * math.pi * (hour + 0.5 - peak_hour) / HOURS for hour in range(HOURS)]
        swing = peak_to_mean_ratio - 1.0
        return cls(tuple(max(1.0 + swing * math.cos(angle), 0.0) for angle in angles), start_hour)

    def operational_s(self, time_s: float) -> float:
        """Expected arrivals up to a time, for a mean rate of one per second [s].

        The integral of the factors from 0 to ``time_s``.
        """
        start = self.start_hour
        return _HOUR_S * (self._cumulated(start + time_s / _HOUR_S) - self._cumulated(start))

    def clock_s(self, operational_s: Array) -> Array:
        """Times at which `operational_s` takes given values, ascending like them [s], same shape."""
        steps = self._steps()
        target = operational_s / _HOUR_S + self._cumulated(self.start_hour)
        days = np.floor(target / HOURS)
        hours = np.interp(target - HOURS * days, steps, np.arange(HOURS + 1.0))
        times = _HOUR_S * (HOURS * days + hours - self.start_hour)
        # Where two hours meet, rounding may put a time one unit in the last place before the last one.
        return np.maximum.accumulate(np.maximum(times, 0.0))

    def _steps(self) -> Array:
        steps = np.concatenate([[0.0], np.cumsum(self.factors)])
        steps[-1] = HOURS
        return steps

    def _cumulated(self, hour: float) -> float:
        days = math.floor(hour / HOURS)
        return HOURS * days + float(np.interp(hour - HOURS * days, np.arange(HOURS + 1.0), self._steps()))


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A stream of requests.

    Parameters
    ----------
    rate_per_s : mean rate over a day [1/s]
    cv2 : squared coefficient of variation of the gaps between requests [1]: 1 is Poisson, 0 is a metronome
    profile : rate by the hour; None for one rate

    Gaps are independent and alike, with mean 1 in operational time:

    - cv2 = 1: exponential, the Poisson process;
    - cv2 < 1: gamma of shape 1/cv2 (Erlang where that is whole); cv2 = 0: all equal;
    - cv2 > 1: hyper-exponential of two phases with balanced means, p = (1 + sqrt((cv2 - 1)/(cv2 + 1)))/2, rates
      2p and 2(1 - p): the usual fit by two moments (Whitt 1982, Operations Research 30, 125-147, section 3).
      A gamma of the same cv2 would crowd its requests at single instants: at the 173 of Azure's code trace
      most of its gaps are below 1e-50 of the mean.

    Operational time is then turned into hours by the inverse of the expected number of arrivals, which is exact for
    a Poisson process of varying rate (Cinlar 1975, Introduction to Stochastic Processes, section 4.7) and carries
    the cv2 over for the others (Gerhardt and Nelson 2009, INFORMS Journal on Computing 21, 630-640).

    Renewal gaps say nothing of bursts that last: a real trace with the same cv2 may have longer ones.
    Raises ValueError for a rate that is not positive or a cv2 outside 0..1e6.
    """

    rate_per_s: float
    cv2: float = 1.0
    profile: Profile | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.rate_per_s < math.inf:
            raise ValueError(f"the rate must be positive, got {self.rate_per_s:g}")
        if not 0.0 <= self.cv2 <= MAX_CV2:
            raise ValueError(f"the squared coefficient of variation must lie in 0..1e6, got {self.cv2:g}")

    def times_s(
        self, generator: np.random.Generator, *, count: int | None = None, duration_s: float | None = None
    ) -> Array:
        """Times of arrival [s], ascending, shape (count,), or as many as fall into [0, duration_s).

        Parameters
        ----------
        generator : every draw comes from it; a longer run begins with the times of a shorter one
        count, duration_s : one of the two

        The first request comes one gap after time 0.
        Raises ValueError unless exactly one of both is given and it asks for 1 to 2^31 - 1 requests.
        """
        if (count is None) == (duration_s is None):
            raise ValueError("give the number of requests or the duration, not both")
        if count is not None:
            expected, horizon = float(count), math.inf
        else:
            length_s = float(duration_s or 0.0)
            if not 0.0 < length_s < math.inf:
                raise ValueError(f"the duration must be positive, got {length_s:g} s")
            horizon = self.rate_per_s * (self.profile.operational_s(length_s) if self.profile else length_s)
            expected = horizon
        if not (expected <= MAX_REQUESTS and (count is None or count >= 1)):
            raise ValueError(f"asks for {expected:,.0f} requests, must lie in 1..{MAX_REQUESTS:,}")
        found, total, last = [], 0, 0.0
        for gaps in self._gaps(generator):
            times = last + np.cumsum(gaps)
            last = float(times[-1])
            inside = times[: int(np.searchsorted(times, horizon))][: None if count is None else count - total]
            found.append(inside)
            total += inside.size
            if last >= horizon or total == count:
                break
        arrivals = np.concatenate(found) / self.rate_per_s
        if self.profile:
            arrivals = self.profile.clock_s(arrivals)
        # The way through operational time may round the last one up to the end itself.
        return arrivals if duration_s is None else arrivals[arrivals < duration_s]

    def _gaps(self, generator: np.random.Generator) -> Iterator[Array]:
        """Blocks of gaps with mean 1. Blocks are of one size, so that draws do not depend on how many are used."""
        cv2 = self.cv2
        balance = 0.5 * (1.0 + math.sqrt((cv2 - 1.0) / (cv2 + 1.0))) if cv2 > 1.0 else 1.0
        while True:
            if cv2 == 0.0:
                yield np.ones(_BLOCK)
            elif cv2 < 1.0:
                yield generator.standard_gamma(1.0 / cv2, _BLOCK) * cv2
            elif cv2 == 1.0:
                yield generator.standard_exponential(_BLOCK)
            else:
                phase = np.where(generator.random(_BLOCK) < balance, 0.5 / balance, 0.5 / (1.0 - balance))
                yield generator.standard_exponential(_BLOCK) * phase
