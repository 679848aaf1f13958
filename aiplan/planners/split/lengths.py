"""How long prompts and answers are: distributions of whole tokens, made from what is published of a workload.

Everything here draws from a generator the caller brings. Lengths are whole numbers from 1 to `MAX_TOKENS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.uncertainty.discrete import Constant
from aiplan.uncertainty.distributions import Distribution

Tokens = npt.NDArray[np.int32]

MAX_TOKENS = 10_000_000
"""Longest prompt or answer [tokens]: sums of two lengths stay far inside 32 bits."""

Z95 = 1.6448536269514722
"""Standard normal quantile at 0.95 [1]."""

_STEPS, _CLOSE, _ROUNDING = 200, 1e-9, 1e-13


class Lengths(Protocol):
    """A distribution of lengths."""

    def sample(self, generator: np.random.Generator, count: int) -> Tokens:
        """Lengths [tokens], shape (count,); the first of a longer draw are those of a shorter one."""
        ...


class LengthPairs(Protocol):
    """A distribution of prompt and answer lengths of one request."""

    def sample(self, prompts: np.random.Generator, outputs: np.random.Generator, count: int) -> tuple[Tokens, Tokens]:
        """Prompt and answer lengths [tokens], each of shape (count,), from a generator for each."""
        ...


@dataclass(frozen=True, slots=True)
class Independent:
    """Prompt and answer lengths that tell nothing of each other.

    For the Azure traces of 2023 that is right within a correlation of 0.00 (code) and -0.11 (conversation).
    """

    prompts: Lengths
    outputs: Lengths

    def sample(self, prompts: np.random.Generator, outputs: np.random.Generator, count: int) -> tuple[Tokens, Tokens]:
        return self.prompts.sample(prompts, count), self.outputs.sample(outputs, count)


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Whole requests of a trace drawn again with equal probability, so that their correlation is kept.

    Parameters
    ----------
    prompts, outputs : lengths of the same requests [tokens], shape (R,)

    Raises ValueError for unequal numbers of them and for what `EmpiricalLengths` refuses.
    """

    prompts: Tokens
    outputs: Tokens

    def __post_init__(self) -> None:
        for name in ("prompts", "outputs"):
            object.__setattr__(self, name, whole_tokens(getattr(self, name), name))
        if self.prompts.shape != self.outputs.shape:
            raise ValueError("there must be as many prompts as outputs")

    def sample(self, prompts: np.random.Generator, outputs: np.random.Generator, count: int) -> tuple[Tokens, Tokens]:  # noqa: ARG002 - one row, one draw
        rows = prompts.integers(0, self.prompts.size, count)
        return self.prompts[rows], self.outputs[rows]


@dataclass(frozen=True, slots=True, eq=False)
class EmpiricalLengths:
    """Measured lengths drawn again with equal probability.

    Parameters
    ----------
    tokens : measured lengths [tokens], shape (R,)

    Raises ValueError when empty, not whole, below 1 or above `MAX_TOKENS`.
    """

    tokens: Tokens

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", whole_tokens(self.tokens, "tokens"))

    def sample(self, generator: np.random.Generator, count: int) -> Tokens:
        return self.tokens[generator.integers(0, self.tokens.size, count)]


@dataclass(frozen=True, slots=True)
class DistributionLengths:
    """Any distribution of `aiplan.uncertainty`, rounded to the nearest whole token.

    Parameters
    ----------
    distribution : of lengths [tokens]
    least, most : draws beyond are moved to these ends [tokens], as a context limit does with long prompts

    Rounding moves the mean by far less than a token while lengths are well above 1; a distribution with much weight
    below 1 gets a higher mean, since no length is below one token.
    Raises ValueError unless 1 <= least <= most <= `MAX_TOKENS`.
    """

    distribution: Distribution
    least: int = 1
    most: int = MAX_TOKENS

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most <= MAX_TOKENS:
            raise ValueError(f"must hold: 1 <= least <= most <= {MAX_TOKENS:,}, got {self.least} and {self.most}")

    def sample(self, generator: np.random.Generator, count: int) -> Tokens:
        drawn = np.rint(self.distribution.sample(generator, count))
        return np.clip(drawn, self.least, self.most, out=drawn).astype(np.int32)


def constant_lengths(tokens: int) -> DistributionLengths:
    """Every length the same [tokens]."""
    return DistributionLengths(Constant(tokens), tokens, tokens)


@dataclass(frozen=True, slots=True, eq=False)
class QuantileLengths:
    """Lengths through published quantiles, and with the published mean and standard deviation where given.

    Parameters
    ----------
    probabilities : rising from 0 to 1 [1], shape (Q,)
    tokens : quantiles at these probabilities [tokens], not falling, shape (Q,); the first is the shortest length
        and the last the longest
    mean_tokens, sd_tokens : published mean and standard deviation [tokens]; None leaves it to the quantiles

    Between two quantiles the logarithm of the length is spread evenly, so the inverse CDF is piecewise linear in
    log tokens; a whole token k takes what lies in [k - 1/2, k + 1/2). Quantiles say little of what lies between
    them, and the spread above is a guess: of the Azure answers it makes the mean 17 % (code) too long. Where mean
    and standard deviation are known, the probabilities p_k are therefore tilted to

        p_k = sum_s m_s w_sk exp(a z_k + b z_k^2)/Z_s,    z_k = (k - mean)/sd,

    with m_s the probability between two quantiles, w_sk the even spread and Z_s its new sum: every quantile stays
    where it is, mean and standard deviation are met, and among all distributions that do so this one is nearest to
    the even spread in relative entropy (the I-projection of Csiszar 1975, Annals of Probability 3, 146-158). The
    two numbers a and b are the minimum of a convex function, found by Newton's method; with a mean alone b = 0.

    Attributes
    ----------
    lengths, cumulative : whole lengths [tokens] and the probability of at most that length [1], shape (K,)

    Raises ValueError for quantiles out of order, and for a mean or standard deviation that no distribution with
    these quantiles has.

    >>> answers = QuantileLengths((0, 0.5, 1), (10, 100, 1000), mean_tokens=180)
    >>> round(answers.mean, 6), answers.quantile(0.5)
    (180.0, 100)
    """

    probabilities: tuple[float, ...]
    tokens: tuple[float, ...]
    mean_tokens: float | None = None
    sd_tokens: float | None = None
    lengths: Tokens = field(init=False, repr=False)
    cumulative: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_quantiles(self.probabilities, self.tokens)
        segments = _even_spread(self.probabilities, self.tokens)
        if self.mean_tokens is not None:
            segments = _tilted(segments, self.mean_tokens, self.sd_tokens)
        elif self.sd_tokens is not None:
            raise ValueError("a standard deviation needs a mean beside it")
        first = int(segments[0].lengths[0])
        shares = np.zeros(int(segments[-1].lengths[-1]) - first + 1)
        for one in segments:
            place = int(one.lengths[0]) - first
            shares[place : place + one.weights.size] += one.mass * one.weights
        cumulative = np.minimum(np.cumsum(shares), 1.0)
        cumulative[-1] = 1.0  # absorbs the rounding of the sum, so that no draw falls behind the end
        object.__setattr__(self, "lengths", np.arange(first, first + shares.size, dtype=np.int32))
        object.__setattr__(self, "cumulative", cumulative)

    @classmethod
    def through(
        cls, pairs: Sequence[Sequence[float]], mean_tokens: float | None = None, sd_tokens: float | None = None
    ) -> QuantileLengths:
        """From rows of probability and tokens, as the catalog has them."""
        return cls(tuple(row[0] for row in pairs), tuple(row[1] for row in pairs), mean_tokens, sd_tokens)

    def sample(self, generator: np.random.Generator, count: int) -> Tokens:
        return self.lengths[np.searchsorted(self.cumulative, generator.random(count), side="right")]

    def quantile(self, p: float) -> int:
        """Smallest length that a share p [1] of all does not exceed [tokens]."""
        # A knot's own probability must find it, whatever the rounding of the sum up to there.
        return int(self.lengths[np.searchsorted(self.cumulative, p - 1e-12) if p < 1.0 else -1])

    @property
    def mean(self) -> float:
        """Mean of what is drawn [tokens]."""
        return float(np.dot(np.diff(self.cumulative, prepend=0.0), self.lengths))

    @property
    def sd(self) -> float:
        """Standard deviation of what is drawn [tokens]."""
        return math.sqrt(float(np.dot(np.diff(self.cumulative, prepend=0.0), (self.lengths - self.mean) ** 2)))


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """What lies between two quantiles: its probability, its whole lengths, and their shares of it."""

    mass: float
    lengths: Array
    weights: Array


def _check_quantiles(probabilities: tuple[float, ...], tokens: tuple[float, ...]) -> None:
    p, q = np.asarray(probabilities, dtype=float), np.asarray(tokens, dtype=float)
    if p.ndim != 1 or p.shape != q.shape or p.size < 2:
        raise ValueError("there must be as many probabilities as quantiles, at least two")
    if not (p[0] == 0.0 and p[-1] == 1.0 and np.all(np.diff(p) > 0.0)):
        raise ValueError("probabilities must rise from 0 to 1: the shortest and the longest length are needed")
    if not (q[0] >= 1.0 and q[-1] <= MAX_TOKENS and np.all(np.diff(q) >= 0.0)):
        raise ValueError(f"quantiles must not fall and must lie in 1..{MAX_TOKENS:,} tokens")


def _even_spread(probabilities: tuple[float, ...], tokens: tuple[float, ...]) -> list[_Segment]:
    """Whole lengths between each two quantiles, with the logarithm of the length spread evenly."""
    segments = []
    for low, high, mass in zip(tokens[:-1], tokens[1:], np.diff(probabilities), strict=True):
        # The shortest and the longest length are whole tokens themselves, so none is rounded past them.
        cells = np.arange(math.floor(low + 0.5), math.ceil(high - 0.5) + 1, dtype=float)
        if low == high or cells.size < 2:
            weights = np.ones(1)
            cells = np.array([math.floor((low + high) / 2 + 0.5)], dtype=float)
        else:
            weights = np.log(np.minimum(cells + 0.5, high) / np.maximum(cells - 0.5, low)) / math.log(high / low)
        segments.append(_Segment(float(mass), cells, weights))
    return segments


def _tilted(segments: list[_Segment], mean: float, sd: float | None) -> list[_Segment]:
    """The segments reweighted so that mean and standard deviation are as asked; see `QuantileLengths`."""
    least = sum(one.mass * one.lengths[0] for one in segments)
    most = sum(one.mass * one.lengths[-1] for one in segments)
    if not least <= mean <= most:
        raise ValueError(f"no lengths with these quantiles have the mean {mean:g}: it lies in {least:g}..{most:g}")
    if sd is not None and not sd > 0.0:
        raise ValueError(f"the standard deviation must be positive, got {sd:g}")
    scale = sd or max(most - least, 1.0)
    wanted = np.array([0.0, 1.0] if sd else [0.0])
    powers = [np.stack([(one.lengths - mean) / scale, ((one.lengths - mean) / scale) ** 2][: wanted.size])
              for one in segments]  # fmt: skip

    def at(tilt: Array) -> tuple[list[_Segment], float]:
        """Segments of a tilt, and the convex function whose gradient is moments less those wanted."""
        out, value = [], -float(tilt @ wanted)
        for one, power in zip(segments, powers, strict=True):
            exponent = tilt @ power
            top = float(exponent.max())
            weights = one.weights * np.exp(exponent - top)
            total = float(weights.sum())
            value += one.mass * (top + math.log(total))
            out.append(_Segment(one.mass, one.lengths, weights / total))
        return out, value

    tilt = np.zeros(wanted.size)
    found, value = at(tilt)
    for _ in range(_STEPS):
        miss, spread = -wanted, np.zeros((wanted.size, wanted.size))
        for one, power in zip(found, powers, strict=True):
            middle = power @ one.weights
            miss = miss + one.mass * middle
            spread += one.mass * ((power * one.weights) @ power.T - np.outer(middle, middle))
        if np.abs(miss).max() < _CLOSE:
            return found
        step, length = np.linalg.lstsq(spread, miss, rcond=None)[0], 1.0
        while length > 1e-12:
            trial, height = at(tilt - length * step)
            # Near the end the fall is lost in rounding, hence the slack.
            fall = 1e-4 * length * float(miss @ step) - _ROUNDING * (1.0 + abs(value))
            if math.isfinite(height) and height <= value - fall:
                break
            length /= 2.0
        else:
            break
        tilt, found, value = tilt - length * step, trial, height
    asked = f"the mean {mean:g}" + (f" and the standard deviation {sd:g}" if sd else "")
    raise ValueError(f"no lengths with these quantiles have {asked}")


def whole_tokens(tokens: npt.ArrayLike, name: str) -> Tokens:
    """Lengths as a read-only array of 32-bit integers, shape (R,).

    Raises ValueError when empty, of another shape, not whole, below 1 or above `MAX_TOKENS`.
    """
    given = np.asarray(tokens)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{name} must be a one-dimensional, non-empty array, got shape {given.shape}")
    if given.dtype.kind not in "iu" and not (given.dtype.kind == "f" and bool(np.all(given == np.floor(given)))):
        raise ValueError(f"{name} must be whole numbers")
    if int(given.min()) < 1 or int(given.max()) > MAX_TOKENS:
        raise ValueError(f"{name} must lie in 1..{MAX_TOKENS:,}, got {given.min()} to {given.max()}")
    out = given.astype(np.int32, copy=False).view()
    out.flags.writeable = False
    return out
