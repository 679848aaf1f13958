"""Repeatable draws: each input has a stream of its own, untouched by which others are drawn and when.

A stream is named by (seed, input name) through SHA-256, never by order, so adding an input to a model leaves
every other input's draws as they were, to the bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aiplan.uncertainty import _special
from aiplan.uncertainty.base import Distribution
from aiplan.uncertainty.copula import Correlation, mixtures
from aiplan.uncertainty.discrete import Constant
from aiplan.uncertainty.unbounded import NormalBased

__all__ = ["Correlation", "FloatArray", "Method", "Sampler", "sobol_column", "sobol_directions", "stream"]

FloatArray = NDArray[np.float64]
Method = Literal["random", "lhs", "sobol"]

SOBOL_BITS = 30
SOBOL_MOST_INPUTS = 21201


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def stream(seed: int, name: str) -> np.random.Generator:
    """Random generator of one input: PCG64 seeded by SHA-256 of ``seed:name``.

    >>> bool(stream(0, "pue").random() == stream(0, "pue").random())
    True
    """
    entropy = int.from_bytes(_digest(seed, name), "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


class Sampler:
    """Draws n values of any input, the same for the same (seed, name) whatever else is drawn.

    Parameters
    ----------
    seed : any integer
    n : number of draws [1]; a power of two for ``sobol``
    method : ``random`` (PCG64; draw i is the same for every n), ``lhs`` (one draw in each of n equal slices
    of
        probability) or ``sobol`` (low-discrepancy points; an input's column is its place in `names`)
    correlations : triples (a, b, rho) between inputs in `names`, see :class:`Correlation`
    names : the uncertain inputs, in a lasting order: append new ones at the end. Needed for ``sobol`` and for
        correlations

    Raises ValueError for n < 1, an unknown method, repeated names, correlations that cannot hold, and, for
    ``sobol``, an n that is no power of two or more than 21201 names.

    Only ``random`` without correlations of kinds other than (log)normal is free of scipy.
    Sources: McKay, Beckman and Conover 1979 (lhs); Joe and Kuo 2008 direction numbers with a random digital
    shift per input, L'Ecuyer and Lemieux 2002 (sobol).

    >>> from aiplan.uncertainty.bounded import Uniform
    >>> short = Sampler(0, 3).draw("pue", Uniform(1, 2))
    >>> long = Sampler(0, 5).draw("pue", Uniform(1, 2))
    >>> bool((short == long[:3]).all())
    True
    """

    def __init__(
        self,
        seed: int,
        n: int,
        method: Method = "random",
        correlations: Iterable[tuple[str, str, float]] = (),
        names: Sequence[str] = (),
    ) -> None:
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1, got {n}")
        if method not in get_args(Method):
            raise ValueError(f"unknown sampling method {method!r}, known: {', '.join(get_args(Method))}")
        self.seed, self.n, self.method = seed, n, method
        self._column = {name: place for place, name in enumerate(names)}
        if len(self._column) != len(names):
            raise ValueError("the names of the inputs must differ from one another")
        if method == "sobol":
            self._require_sobol()
        self._mixtures = mixtures(names, correlations)
        self._directions: NDArray[np.uint32] | None = None

    def _require_sobol(self) -> None:
        if self.n & (self.n - 1) or self.n > 2**SOBOL_BITS:
            raise ValueError(f"sobol needs a power of two as number of samples, up to 2^30, got {self.n}")
        if len(self._column) > SOBOL_MOST_INPUTS:
            raise ValueError(f"sobol takes at most {SOBOL_MOST_INPUTS} inputs, got {len(self._column)}")

    def draw(self, name: str, distribution: Distribution) -> FloatArray | float:
        """Draws of one input, shape (n,) in the distribution's unit; the number itself for a constant.

        Raises ValueError for a name missing from `names` where the method needs it there.
        """
        if isinstance(distribution, Constant):
            return distribution.value
        recipe = self._mixtures.get(name)
        if recipe is not None:
            score = sum((weight * self._scores(source) for source, weight in recipe), np.zeros(self.n))
            if isinstance(distribution, NormalBased):
                return distribution.from_normal(score)
            return distribution.from_uniform(_special.normal_cdfs(score))
        if self.method == "random":
            return distribution.sample(stream(self.seed, name), self.n)
        return distribution.from_uniform(self._uniforms(name))

    def _scores(self, name: str) -> FloatArray:
        """Independent standard normal scores of one stream, shape (n,)."""
        if self.method == "random":
            return stream(self.seed, name).standard_normal(self.n)
        return _special.normal_quantiles(self._uniforms(name))

    def _uniforms(self, name: str) -> FloatArray:
        """Probabilities of one stream inside 0..1, shape (n,)."""
        if self.method == "lhs":
            generator = stream(self.seed, name)
            slices = generator.permutation(self.n).astype(np.float64)
            slices += generator.random(self.n)
            return slices / self.n
        if name not in self._column:
            raise ValueError(f"sobol needs {name!r} among the names given to the sampler")
        if self._directions is None:
            self._directions = sobol_directions(len(self._column), (self.n - 1).bit_length())
        points = sobol_column(self._directions[:, self._column[name]])
        # The last bytes of the digest; the generator of `stream` mixes all of them, so the two do not meet.
        shift = np.uint32(int.from_bytes(_digest(self.seed, name)[-4:], "big") >> (32 - SOBOL_BITS))
        return ((points ^ shift).astype(np.float64) + 0.5) / 2.0**SOBOL_BITS


def sobol_directions(inputs: int, bits: int) -> NDArray[np.uint32]:
    """Direction numbers of unscrambled Sobol points, shape (bits, inputs), as 30-bit integers; loads scipy.

    Read off the points numbered 1, 2, 4, ...: in Gray-code order point 2^j is v_j XOR v_(j-1). A column of a
    million points then needs no other column.
    """
    from scipy.stats import qmc

    engine = qmc.Sobol(inputs, scramble=False, bits=SOBOL_BITS)
    directions = np.zeros((bits, inputs), dtype=np.uint32)
    previous = np.zeros(inputs, dtype=np.uint32)
    for bit in range(bits):
        engine.fast_forward(2**bit - engine.num_generated)
        point = (engine.random(1)[0] * 2.0**SOBOL_BITS).astype(np.uint32)
        directions[bit] = previous = point ^ previous
    return directions


def sobol_column(directions: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """One column of 2^bits Sobol points, from its direction numbers, shape (bits,), as 30-bit integers.

    Each doubling repeats the points so far backwards with one more bit set, the reflection that makes a Gray
    code.
    """
    points = np.zeros(2 ** len(directions), dtype=np.uint32)
    for bit, direction in enumerate(directions):
        half = 2**bit
        points[half : 2 * half] = points[half - 1 :: -1][:half] ^ direction
    return points
