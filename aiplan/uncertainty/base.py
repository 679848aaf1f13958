"""What every distribution can do, and the checks their parameters share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    import numpy as np

    from aiplan.uncertainty._special import FloatArray

LARGEST = 1e100
"""No parameter may exceed this in size: products and squares of draws then stay finite."""


class Distribution(ABC):
    """An uncertain number. Values carry the unit of the input they stand for; probabilities are in 0..1.

    Every kind is a frozen dataclass, compares by its parameters and draws no random number of its own: the
    caller brings the generator. Draws come one after the other from the generator, so ``n`` draws are the
    first ``n`` of any longer run.
    """

    __slots__ = ()
    kind: ClassVar[str]

    @property
    def median(self) -> float:
        """Smallest value that at least half of the probability does not exceed, in the input's unit."""
        return self.quantile(0.5)

    @property
    @abstractmethod
    def mean(self) -> float:
        """Expected value in closed form, in the input's unit."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Lowest and highest possible value; an end may be infinite."""

    @abstractmethod
    def cdf(self, x: float) -> float:
        """Probability of a value <= x."""

    @abstractmethod
    def quantile(self, p: float) -> float:
        """Value not exceeded with probability p [1].

        Without scipy. Where a tail is infinite p is held inside [2^-31, 1 - 2^-31], so the value is finite.
        Raises ValueError for p outside 0..1.
        """

    @abstractmethod
    def partial_mean(self, x: float) -> float:
        """E[X; X <= x]: the part of the mean that comes from values up to x, in the input's unit."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draw n values, shape (n,), by the fastest direct method; never loads scipy."""

    @abstractmethod
    def from_uniform(self, u: FloatArray) -> FloatArray:
        """Inverse CDF of an array of probabilities [1], same shape; may load scipy.special."""

    @abstractmethod
    def scaled(self, k: float) -> Self:
        """The same quantity in another unit: the distribution of k * X, for k > 0.

        Raises ValueError unless k is a positive finite number.
        """

    @abstractmethod
    def text(self) -> str:
        """One line for people, for example ``lognormal, P5-P95 0.4-0.9``."""

    def share_outside(self, low: float, high: float) -> float:
        """Probability [1] of a value below `low` or above `high`.

        >>> from aiplan.uncertainty.bounded import Uniform
        >>> Uniform(0, 4).share_outside(1, 3)
        0.5
        """
        return self.cdf(math.nextafter(low, -math.inf)) + (1.0 - self.cdf(high))


def shown(value: float) -> str:
    """A number as people write it, six digits."""
    return f"{value:.6g}"


def as_number(name: str, value: float) -> float:
    """The parameter as a float; raises ValueError if it is not finite or too large to compute with."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {number}")
    if abs(number) > LARGEST:
        raise ValueError(f"{name} must lie between -1e100 and 1e100, got {shown(number)}")
    return number


def store_numbers(target: object, **values: float) -> None:
    """Set fields of a frozen dataclass to checked floats; integers given by a caller become floats."""
    for name, value in values.items():
        object.__setattr__(target, name, as_number(name, value))


def require_below(low_name: str, low: float, high_name: str, high: float) -> None:
    """Raise ValueError unless low < high."""
    if not low < high:
        raise ValueError(
            f"{low_name} must be below {high_name}, got {low_name} = {shown(low)} and {high_name} = {shown(high)}"
        )


def require_mode_between(low: float, mode: float, high: float) -> None:
    """Raise ValueError unless low <= mode <= high and low < high."""
    require_below("low", low, "high", high)
    if not low <= mode <= high:
        raise ValueError(
            f"mode must lie between low and high, got low = {shown(low)}, mode = {shown(mode)}, high = {shown(high)}"
        )


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless the value is > 0."""
    if not value > 0.0:
        raise ValueError(f"{name} must be > 0, got {shown(value)}")


def checked_probability(p: float) -> float:
    """The probability itself; raises ValueError outside 0..1 (a not-a-number too)."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability must lie in 0..1, got {p}")
    return float(p)


def checked_factor(k: float) -> float:
    """The unit factor itself; raises ValueError unless it is positive and finite."""
    if not (k > 0.0 and math.isfinite(k)):
        raise ValueError(f"a unit factor must be positive and finite, got {k}")
    return float(k)
