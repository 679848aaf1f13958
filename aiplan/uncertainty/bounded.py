"""Distributions between two known limits: uniform, triangular, PERT."""

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
    require_mode_between,
    shown,
    store_numbers,
)

if TYPE_CHECKING:
    import numpy as np

    from aiplan.uncertainty._special import FloatArray


def _into(values: FloatArray, low: float, high: float) -> FloatArray:
    """Hold new values inside the limits, in place: the last rounding may step over one of them."""
    import numpy as np

    return np.clip(values, low, high, out=values)


@dataclass(frozen=True, slots=True)
class Uniform(Distribution):
    """Every value between `low` and `high` equally likely.

    Parameters
    ----------
    low, high : limits, in the input's unit

    Raises ValueError unless low < high, both finite.

    >>> Uniform(2, 4).mean
    3.0
    """

    kind: ClassVar[str] = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        store_numbers(self, low=self.low, high=self.high)
        require_below("low", self.low, "high", self.high)

    @property
    def mean(self) -> float:
        return 0.5 * (self.low + self.high)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def cdf(self, x: float) -> float:
        return min(max((x - self.low) / (self.high - self.low), 0.0), 1.0)

    def quantile(self, p: float) -> float:
        return min(self.low + checked_probability(p) * (self.high - self.low), self.high)

    def partial_mean(self, x: float) -> float:
        held = min(max(x, self.low), self.high)
        return self.cdf(held) * 0.5 * (self.low + held)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self.from_uniform(rng.random(n))

    def from_uniform(self, u: FloatArray) -> FloatArray:
        return _into(self.low + u * (self.high - self.low), self.low, self.high)

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.low * factor, self.high * factor)

    def text(self) -> str:
        return f"uniform, {shown(self.low)}-{shown(self.high)}"


@dataclass(frozen=True, slots=True)
class Triangular(Distribution):
    """Density rising straight from `low` to `mode` and falling straight to `high`.

    Parameters
    ----------
    low, mode, high : limits and most likely value, in the input's unit; the mode may sit on a limit

    Raises ValueError unless low <= mode <= high and low < high.

    With c = (mode - low)/(high - low): x = low + sqrt(u c)(high - low) for u < c, else
    x = high - sqrt((1 - u)(1 - c))(high - low).
    Source: Kotz and van Dorp 2004, Beyond Beta, chapter 1.

    >>> round(Triangular(25_000, 30_000, 40_000).quantile(1 / 3), 6)
    30000.0
    """

    kind: ClassVar[str] = "triangular"
    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        store_numbers(self, low=self.low, mode=self.mode, high=self.high)
        require_mode_between(self.low, self.mode, self.high)

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3.0

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def _peak(self) -> float:
        """Probability below the mode."""
        return (self.mode - self.low) / (self.high - self.low)

    def cdf(self, x: float) -> float:
        if x <= self.low:
            return 0.0
        if x >= self.high:
            return 1.0
        width = self.high - self.low
        if x < self.mode:
            return (x - self.low) / width * ((x - self.low) / (self.mode - self.low))
        return 1.0 - (self.high - x) / width * ((self.high - x) / (self.high - self.mode))

    def quantile(self, p: float) -> float:
        u, c, width = checked_probability(p), self._peak, self.high - self.low
        if u < c:
            return min(self.low + math.sqrt(u * c) * width, self.high)
        return max(self.high - math.sqrt((1.0 - u) * (1.0 - c)) * width, self.low)

    def partial_mean(self, x: float) -> float:
        if x <= self.low:
            return 0.0
        if x >= self.high:
            return self.mean
        if x < self.mode:
            return self.cdf(x) * (self.low + 2.0 * (x - self.low) / 3.0)
        return self.mean - (1.0 - self.cdf(x)) * (self.high - 2.0 * (self.high - x) / 3.0)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return _into(rng.triangular(self.low, self.mode, self.high, n), self.low, self.high)

    def from_uniform(self, u: FloatArray) -> FloatArray:
        import numpy as np

        c, width = self._peak, self.high - self.low
        rising = self.low + np.sqrt(u * c) * width
        falling = self.high - np.sqrt((1.0 - u) * (1.0 - c)) * width
        return _into(np.where(u < c, rising, falling), self.low, self.high)

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.low * factor, self.mode * factor, self.high * factor)

    def text(self) -> str:
        return f"triangular, {shown(self.low)}-{shown(self.high)}, mode {shown(self.mode)}"


@dataclass(frozen=True, slots=True)
class Pert(Distribution):
    """Beta distribution on [low, high] with mean (low + 4 mode + high)/6: triangular knowledge, thinner
    tails.

    Parameters
    ----------
    low, mode, high : limits and most likely value, in the input's unit; the mode may sit on a limit

    Raises ValueError unless low <= mode <= high and low < high.

    X = low + (high - low) Beta(1 + 4(mode - low)/(high - low), 1 + 4(high - mode)/(high - low)).
    Source: Malcolm, Roseboom, Clark and Fazar 1959, Operations Research 7(5); weight 4 on the mode.

    >>> Pert(0, 1, 2).mean
    1.0
    """

    kind: ClassVar[str] = "pert"
    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        store_numbers(self, low=self.low, mode=self.mode, high=self.high)
        require_mode_between(self.low, self.mode, self.high)

    @property
    def shape(self) -> tuple[float, float]:
        """Parameters (a, b) of the beta distribution; a + b = 6."""
        rise = (self.mode - self.low) / (self.high - self.low)
        return 1.0 + 4.0 * rise, 1.0 + 4.0 * (1.0 - rise)

    @property
    def mean(self) -> float:
        return (self.low + 4.0 * self.mode + self.high) / 6.0

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def cdf(self, x: float) -> float:
        return _special.beta_cdf((x - self.low) / (self.high - self.low), *self.shape)

    def quantile(self, p: float) -> float:
        y = _special.beta_quantile(checked_probability(p), *self.shape)
        return min(self.low + y * (self.high - self.low), self.high)

    def partial_mean(self, x: float) -> float:
        width = self.high - self.low
        y = (x - self.low) / width
        a, b = self.shape
        return self.low * _special.beta_cdf(y, a, b) + width * a / 6.0 * _special.beta_cdf(y, a + 1.0, b)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return _into(self.low + rng.beta(*self.shape, n) * (self.high - self.low), self.low, self.high)

    def from_uniform(self, u: FloatArray) -> FloatArray:
        y = _special.beta_quantiles(u, *self.shape)
        return _into(self.low + y * (self.high - self.low), self.low, self.high)

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(self.low * factor, self.mode * factor, self.high * factor)

    def text(self) -> str:
        return f"PERT, {shown(self.low)}-{shown(self.high)}, mode {shown(self.mode)}"
