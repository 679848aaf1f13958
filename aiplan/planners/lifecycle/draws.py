"""What is drawn for a lifecycle: the distributions of Table IV, and draws for each generation of servers.

Source: Stojkovic et al. 2026, Table IV (published); what the table leaves open is filled in and marked [assumed].
Inputs are joined by a Gaussian copula: normal scores are correlated, then turned into values by inverse distributions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.uncertainty import _special
from aiplan.uncertainty.base import Distribution
from aiplan.uncertainty.bounded import Triangular
from aiplan.uncertainty.discrete import Choice
from aiplan.uncertainty.fitted import Truncated
from aiplan.uncertainty.sampling import stream
from aiplan.uncertainty.unbounded import Lognormal, Normal

DEMAND_GROWTH_SIGMA = 0.05
"""Of the logarithm of workload growth [1]: Table IV (published)."""
PATH_GROWTH_FACTOR = 1.05
"""Median of workload growth in Table IV [1] (published): a factor a year on the path of demand, as we read it."""
RELEASE_INTERVALS_YEARS = (1.0, 1.5, 2.0)
"""Equally likely intervals between generations [y]: Table IV (published)."""
ELECTRICITY_SIGMA = 0.15
"""Of the logarithm of the electricity price [1]: Table IV (published)."""
PUE_SD, LEAST_PUE = 0.05, 1.02
"""Standard deviation of PUE [1]: Table IV (published); and the floor under its draws [assumed]."""
SERVER_LIVES_YEARS = (4.0, 5.0, 6.0)
"""Equally likely lives of servers [y]: Table IV (published)."""
MODEL_GROWTH_CAP = 2.0
"""Standard deviations at which growth of models is capped [1]: Table IV (published)."""
PRICE_CHANGE = (-0.15, 0.0, 0.20)
"""Triangular change of the price of a generation [1]: Stojkovic et al. 2026, Table IV (published)."""
GAIN_SPREAD = 0.1
"""Standard deviation of a generation's gain in work per watt over its mean [1]: the same table (published)."""
GAIN_PRICE_CORRELATION = -0.5
"""Of the gain in work per watt with the change of price: the same table (published)."""
DEMAND_MODEL_CORRELATION = 0.4
"""Of workload growth with model growth: the same table (published); set where these two are drawn."""


def demand_growth(median_factor: float) -> Distribution:
    """Growth factor of demand in a year [1]; 1.15 is usual, 1.05 is Table IV's own, taken as a factor on a path."""
    return Lognormal(math.log(median_factor), DEMAND_GROWTH_SIGMA)


def model_growth(median_factor: float, sigma: float) -> Distribution:
    """Growth factor of the work in a request in a year [1], its logarithm capped at two standard deviations.

    >>> [round(end, 4) for end in model_growth(1.1, 0.05).support]
    [0.9953, 1.2157]
    """
    low, high = (math.exp(math.log(median_factor) + sign * MODEL_GROWTH_CAP * sigma) for sign in (-1.0, 1.0))
    return Truncated(Lognormal(math.log(median_factor), sigma), low, high)


def electricity_price(mean: float) -> Distribution:
    """Price of electricity about its regional mean, in the unit of the mean."""
    return Lognormal(math.log(mean) - ELECTRICITY_SIGMA**2 / 2.0, ELECTRICITY_SIGMA)


def pue(mean: float) -> Distribution:
    """Facility over IT power [1].

    Raises ValueError for a mean so low that hardly any of the distribution is physical.
    """
    return Truncated(Normal(mean, PUE_SD), LEAST_PUE, math.inf)


def release_interval() -> Distribution:
    """Years between generations [y]."""
    return _alike(RELEASE_INTERVALS_YEARS)


def server_life() -> Distribution:
    """Life of servers under the fixed-life policy [y]."""
    return _alike(SERVER_LIVES_YEARS)


def _alike(values: Sequence[float]) -> Distribution:
    return Choice(tuple(values), (1.0 / len(values),) * len(values))


def generation_scores(
    seed: int, names: Sequence[str], draws: int, rho: float = GAIN_PRICE_CORRELATION
) -> tuple[Array, Array]:
    """Standard normal scores of gain and price of each generation, two arrays of shape (n, G).

    Gain and price of one generation are correlated by ``rho`` (Gaussian copula), those of different ones independent.
    Every generation has streams of its own, named by it: another roadmap leaves its draws as they are.

    Raises ValueError for a rho outside -1..1.
    """
    require(-1.0 <= rho <= 1.0, "a correlation must lie in -1..1")
    gains = [stream(seed, f"generation:{name}:gain").standard_normal(draws) for name in names]
    own = [stream(seed, f"generation:{name}:price").standard_normal(draws) for name in names]
    prices = [rho * gain + math.sqrt(1.0 - rho**2) * each for gain, each in zip(gains, own, strict=True)]
    return np.stack(gains, axis=-1), np.stack(prices, axis=-1)


def price_factors(scores: Array, low_mode_high: tuple[float, float, float] = PRICE_CHANGE) -> Array:
    """Price over its trend from normal scores, same shape: 1 + a triangular change [1]."""
    return 1.0 + Triangular(*low_mode_high).from_uniform(_special.normal_cdfs(scores))


def gain_factors(scores: Array, gain_fraction: float, spread: float = GAIN_SPREAD) -> Array:
    """Work per watt over its trend from normal scores, same shape [1].

    A generation's gain, ``gain_fraction`` on the trend, is normal with a standard deviation of ``spread`` times it:
    ``(1 + gain (1 + spread z))/(1 + gain)``, and at least a tenth.
    """
    return np.asarray(np.maximum((1.0 + gain_fraction * (1.0 + spread * scores)) / (1.0 + gain_fraction), 0.1))
