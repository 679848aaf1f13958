"""Distributions made from others: through three percentiles, and cut at physical limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from aiplan.uncertainty import _special
from aiplan.uncertainty.base import (
    Distribution,
    checked_factor,
    checked_probability,
    require_below,
    shown,
    store_numbers,
)
from aiplan.uncertainty.discrete import Choice, Constant, Empirical
from aiplan.uncertainty.unbounded import WIDEST_SIGMA, Normal, NormalBased

if TYPE_CHECKING:
    import numpy as np

    from aiplan.uncertainty._special import FloatArray

MOST_LOPSIDED = 1e7
"""Largest ratio of the distances of P5 and P95 from the median that can be fitted [1]."""

SYMMETRIC_WITHIN = 0.01
"""Percentiles whose upper and lower distance from the median differ by no more count as symmetric [1]."""

LARGEST_BATCH = 2**20
"""Draws made at once while cutting a distribution, so that memory does not grow with what is thrown away."""

SMALLEST_MASS = 0.01
"""Limits that keep less of a distribution than this are taken for a slip [1]."""


@dataclass(frozen=True, slots=True)
class ShiftedLognormal(NormalBased):
    """X = shift + scale * exp(sigma Z), rising in Z: scale and sigma both positive (tail up) or both
    negative.

    Parameters
    ----------
    shift, scale : in the input's unit
    sigma : [1], at most 10 in size

    Raises ValueError unless scale * sigma > 0. Source: three-parameter lognormal, Johnson, Kotz and
    Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 14; the negative branch is its mirror
    image.
    """

    kind: ClassVar[str] = "shifted lognormal"
    shift: float
    scale: float
    sigma: float

    def __post_init__(self) -> None:
        store_numbers(self, shift=self.shift, scale=self.scale, sigma=self.sigma)
        if not math.copysign(1.0, self.scale) * self.sigma > 0.0:
            raise ValueError("scale and sigma must have the same sign and not be zero")
        if abs(self.sigma) > WIDEST_SIGMA:
            raise ValueError(f"sigma must lie in -10..10, got {shown(self.sigma)}")

    @property
    def mean(self) -> float:
        return self.shift + self.scale * math.exp(0.5 * self.sigma**2)

    @property
    def support(self) -> tuple[float, float]:
        return (self.shift, math.inf) if self.scale > 0.0 else (-math.inf, self.shift)

    def at(self, z: float) -> float:
        return self.shift + self.scale * math.exp(self.sigma * z)

    def score(self, x: float) -> float:
        ratio = (x - self.shift) / self.scale
        if ratio <= 0.0:
            return math.copysign(math.inf, -self.scale)
        return math.log(ratio) / self.sigma

    def from_normal(self, z: FloatArray) -> FloatArray:
        import numpy as np

        values = np.exp(self.sigma * z)
        values *= self.scale
        values += self.shift
        return values

    def partial_mean(self, x: float) -> float:
        z = self.score(x)
        grown = self.scale * math.exp(0.5 * self.sigma**2)
        return self.shift * _special.normal_cdf(z) + grown * _special.normal_cdf(z - self.sigma)

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.shift * factor, self.scale * factor, self.sigma)

    def text(self) -> str:
        end = "from" if self.scale > 0.0 else "up to"
        return (
            f"shifted lognormal {end} {shown(self.shift)}, "
            f"P5-P95 {shown(self.quantile(0.05))}-{shown(self.quantile(0.95))}"
        )


@dataclass(frozen=True, slots=True)
class Percentiles(NormalBased):
    """A number known by its 5th, 50th and 95th percentile.

    Parameters
    ----------
    p5, p50, p95 : in the input's unit, rising

    With r = (p95 - p50)/(p50 - p5): a normal (mean p50, sd (p95 - p5)/2z) if r is within 1 % of 1, else a
    shifted lognormal through all three points, sigma = ln r/z, scale = (p95 - p50)/(r - 1), shift = p50 -
    scale. z = 1.6449. The family used is named by :meth:`text`.
    Raises ValueError unless p5 < p50 < p95, and when r is beyond 1e7 or below 1e-7.

    >>> Percentiles(8, 10, 12.5).fit.support
    (0.0, inf)
    """

    kind: ClassVar[str] = "percentiles"
    p5: float
    p50: float
    p95: float

    def __post_init__(self) -> None:
        store_numbers(self, p5=self.p5, p50=self.p50, p95=self.p95)
        require_below("p5", self.p5, "p50", self.p50)
        require_below("p50", self.p50, "p95", self.p95)
        _ = self.fit  # a fit that cannot be made is an error of the parameters

    @property
    def fit(self) -> Normal | ShiftedLognormal:
        """The distribution that stands for the three percentiles."""
        upper, lower = self.p95 - self.p50, self.p50 - self.p5
        ratio = upper / lower
        if not 1.0 / MOST_LOPSIDED < ratio < MOST_LOPSIDED:
            raise ValueError("p50 lies too near p5 or p95: one side may be at most 1e7 times as wide as the other")
        if abs(ratio - 1.0) <= SYMMETRIC_WITHIN:
            return Normal(self.p50, (self.p95 - self.p5) / (2.0 * _special.Z95))
        scale = upper / (ratio - 1.0)
        return ShiftedLognormal(self.p50 - scale, scale, math.log(ratio) / _special.Z95)

    @property
    def mean(self) -> float:
        return self.fit.mean

    @property
    def median(self) -> float:
        return self.p50

    @property
    def support(self) -> tuple[float, float]:
        return self.fit.support

    def at(self, z: float) -> float:
        return self.fit.at(z)

    def score(self, x: float) -> float:
        return self.fit.score(x)

    def from_normal(self, z: FloatArray) -> FloatArray:
        return self.fit.from_normal(z)

    def partial_mean(self, x: float) -> float:
        return self.fit.partial_mean(x)

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.p5 * factor, self.p50 * factor, self.p95 * factor)

    def text(self) -> str:
        return (
            f"percentiles, P5-P50-P95 {shown(self.p5)}-{shown(self.p50)}-{shown(self.p95)}, fitted by a {self.fit.kind}"
        )


def _interval(low: float, high: float) -> str:
    if math.isinf(high):
        return f">= {shown(low)}"
    return f"<= {shown(high)}" if math.isinf(low) else f"{shown(low)}-{shown(high)}"


@dataclass(frozen=True, slots=True)
class Truncated(Distribution):
    """A continuous distribution cut at limits and renormalised: X given low <= X <= high.

    Parameters
    ----------
    inner : any continuous kind
    low, high : limits, in the input's unit; an end may be infinite

    Mean = (E[X; X <= high] - E[X; X <= low])/(F(high) - F(low)), in closed form.
    Raises ValueError unless low < high, for kinds with separate values (see :func:`truncated`), and when the
    limits keep less than 1 % of the probability.

    >>> from aiplan.uncertainty.unbounded import Normal
    >>> round(Truncated(Normal(0, 1), 0, math.inf).mean, 4)
    0.7979
    """

    kind: ClassVar[str] = "truncated"
    inner: Distribution
    low: float
    high: float

    def __post_init__(self) -> None:
        if isinstance(self.inner, Constant | Choice | Empirical | Truncated):
            raise ValueError(f"a {self.inner.kind} cannot be wrapped here, use truncated()")
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        require_below("low", self.low, "high", self.high)
        if self._mass < SMALLEST_MASS:
            raise ValueError(
                f"the limits ({_interval(self.low, self.high)}) keep only {self._mass:.2g} of the "
                f"probability of {self.inner.text()}; at least {SMALLEST_MASS} is required"
            )

    @property
    def _mass(self) -> float:
        return self.inner.cdf(self.high) - self.inner.cdf(self.low)

    @property
    def mean(self) -> float:
        kept = (self.inner.partial_mean(self.high) - self.inner.partial_mean(self.low)) / self._mass
        return self._held(kept)

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.inner.support
        return max(low, self.low), min(high, self.high)

    def _held(self, x: float) -> float:
        low, high = self.support
        return min(max(x, low), high)

    def cdf(self, x: float) -> float:
        if x >= self.high:
            return 1.0
        return max(0.0, (self.inner.cdf(x) - self.inner.cdf(self.low)) / self._mass)

    def quantile(self, p: float) -> float:
        inside = self.inner.cdf(self.low) + checked_probability(p) * self._mass
        return self._held(self.inner.quantile(min(inside, 1.0)))

    def partial_mean(self, x: float) -> float:
        held = self._held(x)
        return (self.inner.partial_mean(held) - self.inner.partial_mean(self.low)) / self._mass

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draw n values, shape (n,), by rejection.

        Raises
        ------
        ValueError where no draw falls between the limits.
        """
        import numpy as np

        # Values are kept in the order drawn, so the sizes of the batches do not show in the result.
        batches: list[FloatArray] = []
        missing = n
        while missing > 0:
            values = self.inner.sample(rng, min(int((1.02 * missing + 64) / self._mass), LARGEST_BATCH))
            kept = values[(values >= self.low) & (values <= self.high)]
            if not kept.size:  # chance 1e-28, or limits finer than floating-point numbers resolve
                raise ValueError(f"no draw of {self.text()} falls between its limits")
            batches.append(kept)
            missing -= kept.size
        return np.concatenate(batches)[:n] if batches else np.empty(0)

    def from_uniform(self, u: FloatArray) -> FloatArray:
        import numpy as np

        values = self.inner.from_uniform(np.clip(self.inner.cdf(self.low) + u * self._mass, 0.0, 1.0))
        return np.clip(values, *self.support, out=values)

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.inner.scaled(factor), self.low * factor, self.high * factor)

    def text(self) -> str:
        return f"{self.inner.text()}, truncated to {_interval(self.low, self.high)}"


def truncated(inner: Distribution, low: float = -math.inf, high: float = math.inf) -> Distribution:
    """The distribution given that low <= X <= high: wrapped if continuous, else without the values outside.

    Parameters
    ----------
    inner : any distribution
    low, high : limits, in the input's unit; both ends belong to the result

    Raises ValueError for low >= high and when less than 1 % of the probability is left.

    >>> truncated(Empirical((1, 2, 3, 4)), high=2).values
    (1.0, 2.0)
    """
    if math.isnan(low) or math.isnan(high):
        raise ValueError("limits must be numbers")
    require_below("low", low, "high", high)
    if isinstance(inner, Truncated):
        return truncated(inner.inner, max(low, inner.low), min(high, inner.high))
    if not isinstance(inner, Constant | Choice | Empirical):
        return Truncated(inner, low, high)
    if 1.0 - inner.share_outside(low, high) < SMALLEST_MASS:
        raise ValueError(f"the limits ({_interval(low, high)}) leave nothing of {inner.text()}")
    if isinstance(inner, Choice):
        kept = [(v, w) for v, w in zip(inner.values, inner.weights, strict=True) if low <= v <= high]
        total = math.fsum(w for _, w in kept)
        return Choice(tuple(v for v, _ in kept), tuple(w / total for _, w in kept))
    if isinstance(inner, Empirical):
        return Empirical(tuple(v for v in inner.values if low <= v <= high))
    return inner
