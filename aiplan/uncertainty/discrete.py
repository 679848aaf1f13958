"""Numbers that take one value, one of a few values, or one of the values that were measured."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar, Self

from aiplan.uncertainty.base import (
    LARGEST,
    Distribution,
    as_number,
    checked_factor,
    checked_probability,
    shown,
    store_numbers,
)

if TYPE_CHECKING:
    import numpy as np

    from aiplan.uncertainty._special import FloatArray

WEIGHT_TOLERANCE = 1e-9
"""How far the weights of a choice may miss a sum of 1 [1]."""


@dataclass(frozen=True, slots=True)
class Constant(Distribution):
    """A certain number: no spread, no draws.

    Parameters
    ----------
    value : in the input's unit

    Raises ValueError unless finite.
    """

    kind: ClassVar[str] = "constant"
    value: float

    def __post_init__(self) -> None:
        store_numbers(self, value=self.value)

    @property
    def mean(self) -> float:
        return self.value

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value

    def cdf(self, x: float) -> float:
        return 1.0 if x >= self.value else 0.0

    def quantile(self, p: float) -> float:
        checked_probability(p)
        return self.value

    def partial_mean(self, x: float) -> float:
        return self.value if x >= self.value else 0.0

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:  # noqa: ARG002 - nothing to draw
        import numpy as np

        return np.full(n, self.value)

    def from_uniform(self, u: FloatArray) -> FloatArray:
        import numpy as np

        return np.full(np.shape(u), self.value)

    def scaled(self, k: float) -> Self:
        return type(self)(self.value * checked_factor(k))

    def text(self) -> str:
        return shown(self.value)


@dataclass(frozen=True, slots=True)
class Choice(Distribution):
    """One of a few values, each with a probability.

    Parameters
    ----------
    values : possible values, in the input's unit
    weights : their probabilities [1], >= 0, summing to 1 within 1e-9

    Stored sorted by value, without the impossible ones. The quantile is the smallest value whose cumulated
    weight reaches p: always one of the values, never between two.
    Raises ValueError for unequal lengths, no value, a negative weight, or another sum.

    >>> Choice((1, 4, 8), (0.2, 0.3, 0.5)).mean
    5.4
    """

    kind: ClassVar[str] = "choice"
    values: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.weights):
            raise ValueError(f"values and weights must be equally many, got {len(self.values)} and {len(self.weights)}")
        if not self.values:
            raise ValueError("values must not be empty")
        pairs = [
            (as_number(f"values[{i}]", v), as_number(f"weights[{i}]", w))
            for i, (v, w) in enumerate(zip(self.values, self.weights, strict=True))
        ]
        negative = [weight for _, weight in pairs if weight < 0.0]
        if negative:
            raise ValueError(f"weights must be >= 0, got {shown(negative[0])}")
        total = math.fsum(weight for _, weight in pairs)
        if abs(total - 1.0) > WEIGHT_TOLERANCE:
            raise ValueError(f"weights must sum to 1, got {total:.10g}")
        possible = sorted(pair for pair in pairs if pair[1] > 0.0)
        object.__setattr__(self, "values", tuple(value for value, _ in possible))
        object.__setattr__(self, "weights", tuple(weight for _, weight in possible))

    @property
    def mean(self) -> float:
        return math.fsum(v * w for v, w in zip(self.values, self.weights, strict=True))

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    def _cumulated(self) -> list[float]:
        steps = list(accumulate(self.weights))
        steps[-1] = 1.0  # absorbs the rounding of the sum, so that p = 1 finds the last value
        return steps

    def cdf(self, x: float) -> float:
        count = bisect_right(self.values, x)
        return self._cumulated()[count - 1] if count else 0.0

    def quantile(self, p: float) -> float:
        return self.values[bisect_left(self._cumulated(), checked_probability(p))]

    def partial_mean(self, x: float) -> float:
        count = bisect_right(self.values, x)
        return math.fsum(v * w for v, w in zip(self.values[:count], self.weights[:count], strict=True))

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self.from_uniform(rng.random(n))

    def from_uniform(self, u: FloatArray) -> FloatArray:
        import numpy as np

        place = np.searchsorted(np.array(self._cumulated()), u, side="left")
        return np.array(self.values)[place]

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(tuple(value * factor for value in self.values), self.weights)

    def text(self) -> str:
        pairs = [f"{shown(v)} ({w:.3g})" for v, w in zip(self.values, self.weights, strict=True)]
        head = ", ".join(pairs[:6])
        return f"choice of {head}" + (f" and {len(pairs) - 6} more" if len(pairs) > 6 else "")


@dataclass(frozen=True, slots=True)
class Empirical(Distribution):
    """Measured values, drawn again with equal probability.

    Parameters
    ----------
    values : measurements, in the input's unit; stored sorted

    The quantile is the smallest value with at least a share p of all values at or below it. Nothing outside
    what was measured can occur, so tails are as short as the sample.
    Raises ValueError when empty or not finite.

    >>> Empirical((3, 1, 2)).quantile(0.5)
    2.0
    """

    kind: ClassVar[str] = "empirical"
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("values must not be empty")
        numbers = [float(value) for value in self.values]
        for place, number in enumerate(numbers):
            if not abs(number) <= LARGEST:
                as_number(f"values[{place}]", number)
        object.__setattr__(self, "values", tuple(sorted(numbers)))

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    def cdf(self, x: float) -> float:
        return bisect_right(self.values, x) / len(self.values)

    def quantile(self, p: float) -> float:
        return self.values[max(math.ceil(checked_probability(p) * len(self.values)) - 1, 0)]

    def partial_mean(self, x: float) -> float:
        return math.fsum(self.values[: bisect_right(self.values, x)]) / len(self.values)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self.from_uniform(rng.random(n))

    def from_uniform(self, u: FloatArray) -> FloatArray:
        import numpy as np

        place = np.ceil(u * len(self.values)).astype(np.intp) - 1
        return np.array(self.values)[np.maximum(place, 0, out=place)]

    def scaled(self, k: float) -> Self:
        factor = checked_factor(k)
        return type(self)(tuple(value * factor for value in self.values))

    def text(self) -> str:
        return f"empirical, {len(self.values)} values, P5-P95 {shown(self.quantile(0.05))}-{shown(self.quantile(0.95))}"
