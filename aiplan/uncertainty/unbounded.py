"""Distributions with an infinite tail: normal, lognormal, exponential."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from aiplan.uncertainty import _special
from aiplan.uncertainty.base import (
    LARGEST,
    Distribution,
    checked_factor,
    checked_probability,
    require_below,
    require_positive,
    shown,
    store_numbers,
)

if TYPE_CHECKING:
    import numpy as np

    from aiplan.uncertainty._special import FloatArray

WIDEST_SIGMA = 10.0
"""Beyond this log standard deviation (P95/P5 = 2e14) no sample can estimate a mean: refused as a slip."""


class NormalBased(Distribution):
    """A rising function of one standard normal variable Z: normal, lognormal and what is fitted by them.

    The Gaussian copula works on Z directly, which spares these kinds the way through probabilities (and
    scipy).
    """

    __slots__ = ()

    @abstractmethod
    def at(self, z: float) -> float:
        """Value at one standard normal score."""

    @abstractmethod
    def score(self, x: float) -> float:
        """Standard normal score of a value, the inverse of :meth:`at`; infinite outside the support."""

    @abstractmethod
    def from_normal(self, z: FloatArray) -> FloatArray:
        """Values at an array of standard normal scores, same shape; no scipy."""

    def cdf(self, x: float) -> float:
        return _special.normal_cdf(self.score(x))

    def quantile(self, p: float) -> float:
        return self.at(_special.normal_quantile(checked_probability(p)))

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self.from_normal(rng.standard_normal(n))

    def from_uniform(self, u: FloatArray) -> FloatArray:
        return self.from_normal(_special.normal_quantiles(u))


@dataclass(frozen=True, slots=True)
class Normal(NormalBased):
    """Symmetric errors around a mean.

    Parameters
    ----------
    mean, sd : mean and standard deviation, in the input's unit

    Raises ValueError unless sd > 0. Reaches below zero: for a positive quantity use a lognormal, or truncate.

    >>> round(Normal(10, 2).quantile(0.95), 4)
    13.2897
    """

    kind: ClassVar[str] = "normal"
    mean: float = field()  # without field() the inherited property would be taken for a default
    sd: float

    def __post_init__(self) -> None:
        store_numbers(self, mean=self.mean, sd=self.sd)
        require_positive("sd", self.sd)

    @property
    def median(self) -> float:
        return self.mean

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    def at(self, z: float) -> float:
        return self.mean + self.sd * z

    def score(self, x: float) -> float:
        return (x - self.mean) / self.sd

    def from_normal(self, z: FloatArray) -> FloatArray:
        values = self.sd * z
        values += self.mean
        return values

    def partial_mean(self, x: float) -> float:
        z = self.score(x)
        density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        return self.mean * _special.normal_cdf(z) - self.sd * density

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.mean * factor, self.sd * factor)

    def text(self) -> str:
        return f"normal, mean {shown(self.mean)}, sd {shown(self.sd)}"


@dataclass(frozen=True, slots=True)
class Lognormal(NormalBased):
    """A positive number known up to a factor: ln X is normal.

    Parameters
    ----------
    mu : mean of ln X, X in the input's unit
    sigma : standard deviation of ln X [1], at most 10

    Usually built by :meth:`from_percentiles` or :meth:`from_median`. Median exp(mu), mean exp(mu +
    sigma^2/2).
    Raises ValueError unless 0 < sigma <= 10.

    >>> round(Lognormal.from_percentiles(0.4, 0.9).mean, 4)
    0.6185
    """

    kind: ClassVar[str] = "lognormal"
    mu: float
    sigma: float

    def __post_init__(self) -> None:
        store_numbers(self, mu=self.mu, sigma=self.sigma)
        require_positive("sigma", self.sigma)
        if self.sigma > WIDEST_SIGMA:
            raise ValueError(
                f"the spread is too wide to compute with: sigma = {shown(self.sigma)}, at most {shown(WIDEST_SIGMA)}"
            )
        if abs(self.mu) > math.log(LARGEST):
            raise ValueError("the median must lie between 1e-100 and 1e100")

    @classmethod
    def from_percentiles(cls, p5: float, p95: float, z: float = _special.Z95) -> Self:
        """From the values not exceeded with probability 5 % and 95 %, in the input's unit.

        sigma = (ln p95 - ln p5)/(2 z), mu = ln p5 + z sigma.

        Parameters
        ----------
        p5, p95 : positive, p5 < p95
        z : normal quantile at 0.95 [1]; Oviedo et al. 2026 (code) round it to 1.645

        Raises ValueError for p5 <= 0 or p5 >= p95.
        """
        require_positive("p5", p5)
        require_below("p5", p5, "p95", p95)
        require_positive("z", z)
        if not math.isfinite(p95):
            raise ValueError(f"p95 must be a finite number, got {p95}")
        sigma = (math.log(p95) - math.log(p5)) / (2.0 * z)
        return cls(math.log(p5) + z * sigma, sigma)

    @classmethod
    def from_median(cls, median: float, gsd: float) -> Self:
        """From the median [the input's unit] and the geometric standard deviation [1], gsd = exp(sigma) > 1.

        Raises ValueError for a median <= 0 or a gsd <= 1.
        """
        require_positive("median", median)
        if not (gsd > 1.0 and math.isfinite(gsd)):
            raise ValueError(f"gsd must be > 1 (it is a factor: 1.2 means about 20 % either way), got {shown(gsd)}")
        if not math.isfinite(median):
            raise ValueError(f"median must be a finite number, got {median}")
        return cls(math.log(median), math.log(gsd))

    @property
    def mean(self) -> float:
        return math.exp(self.mu + 0.5 * self.sigma**2)

    @property
    def median(self) -> float:
        return math.exp(self.mu)

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    def at(self, z: float) -> float:
        return math.exp(self.mu + self.sigma * z)

    def score(self, x: float) -> float:
        if x <= 0.0:
            return -math.inf
        return (math.log(x) - self.mu) / self.sigma

    def from_normal(self, z: FloatArray) -> FloatArray:
        import numpy as np

        values = self.sigma * z
        values += self.mu
        return np.exp(values, out=values)

    def partial_mean(self, x: float) -> float:
        return self.mean * _special.normal_cdf(self.score(x) - self.sigma)

    def scaled(self, k: float) -> Self:
        return type(self)(self.mu + math.log(checked_factor(k)), self.sigma)

    def text(self) -> str:
        return f"lognormal, P5-P95 {shown(self.quantile(0.05))}-{shown(self.quantile(0.95))}"


@dataclass(frozen=True, slots=True)
class Exponential(Distribution):
    """Waiting times and answer lengths without memory: density rate * exp(-rate x) for x >= 0.

    Parameters
    ----------
    rate : 1/mean, in the inverse of the input's unit

    Raises ValueError unless 1e-100 <= rate <= 1e100.

    >>> round(Exponential.from_median(300).mean, 1)
    432.8
    """

    kind: ClassVar[str] = "exponential"
    rate: float

    def __post_init__(self) -> None:
        require_positive("rate", self.rate)
        store_numbers(self, rate=self.rate)
        if self.rate < 1.0 / LARGEST:
            raise ValueError("rate must be at least 1e-100")

    @classmethod
    def from_median(cls, median: float) -> Self:
        """From the median, in the input's unit: rate = ln 2/median. Raises ValueError unless positive."""
        require_positive("median", median)
        if not 1.0 / LARGEST <= median <= LARGEST:
            raise ValueError(f"median must lie between 1e-100 and 1e100, got {shown(median)}")
        return cls(math.log(2.0) / median)

    @classmethod
    def from_mean(cls, mean: float) -> Self:
        """From the mean, in the input's unit: rate = 1/mean. Raises ValueError unless positive."""
        require_positive("mean", mean)
        if not 1.0 / LARGEST <= mean <= LARGEST:
            raise ValueError(f"mean must lie between 1e-100 and 1e100, got {shown(mean)}")
        return cls(1.0 / mean)

    @property
    def mean(self) -> float:
        return 1.0 / self.rate

    @property
    def median(self) -> float:
        return math.log(2.0) / self.rate

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    def cdf(self, x: float) -> float:
        return -math.expm1(-self.rate * max(x, 0.0))

    def quantile(self, p: float) -> float:
        return -math.log1p(-min(checked_probability(p), 1.0 - _special.U_MIN)) / self.rate

    def partial_mean(self, x: float) -> float:
        t = self.rate * max(x, 0.0)
        if t > 700.0:
            return self.mean
        return (-math.expm1(-t) - t * math.exp(-t)) / self.rate

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return rng.standard_exponential(n) / self.rate

    def from_uniform(self, u: FloatArray) -> FloatArray:
        import numpy as np

        return -np.log1p(-np.clip(u, 0.0, 1.0 - _special.U_MIN)) / self.rate

    def scaled(self, k: float) -> Self:
        return type(self)(self.rate / checked_factor(k))

    def text(self) -> str:
        return f"exponential, median {shown(self.median)}"
