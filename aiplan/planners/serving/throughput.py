"""Throughput laws: how long a query of given lengths occupies a group of accelerators.

Every law answers ``S(L_in, L_out)``, the node-seconds of one query: seconds of the *fitted group* of
accelerators (a table measured on TP4 gives seconds of four accelerators, not of the server they sit in). All
laws describe an offline maximum, requests queued without limit and no latency target; production runs below
it.

Arguments broadcast, so a sample of lengths is an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array

LENGTH_FLOOR = 1e-6
"""Least length [tokens] the log-linear law sees, as in the authors' code."""

TRANSFER_MEDIAN_FACTOR = 1.09
"""Median factor between the measured rate and what a table moved from another accelerator by the ratio of the time
model gives; the model's constants were fitted without the accelerator moved to."""

TRANSFER_P90_FACTOR = 1.31
"""90th percentile of that factor."""

SCALED_MEDIAN_FACTOR = 1.25
"""Median factor between the measured rate and what `PhysicalLaw.scaled` predicts from another accelerator."""

SCALED_P90_FACTOR = 2.7
"""90th percentile of that factor; 1.8 where neither side is an L40S (tensor parallelism over PCIe)."""


class ThroughputLaw(Protocol):
    """What the planners ask of any law."""

    def node_seconds(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """Seconds of the fitted group per query."""

    def tokens_per_s(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """Output tokens per second of the fitted group, all its users together."""


def _lengths(input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> tuple[Array, Array]:
    inputs, outputs = np.asarray(input_tokens, dtype=np.float64), np.asarray(output_tokens, dtype=np.float64)
    if np.any(inputs < 0) or np.any(outputs < 0):
        raise ValueError("lengths must not be negative")
    return inputs, outputs


def _over(outputs: Array, seconds: Array) -> Array:
    """``outputs / seconds``, 0 where nothing is emitted."""
    outputs, seconds = np.broadcast_arrays(outputs, seconds)
    return np.divide(outputs, seconds, out=np.zeros(seconds.shape), where=(outputs > 0) & (seconds > 0))


@dataclass(frozen=True, slots=True)
class PhysicalLaw:
    """Node-seconds as work per token, each coefficient at least 0.

    ``S = a L_out + b L_in + d L_out (L_in + L_out/2) + e L_out**2/2 + f L_in**2/2``  [s]

    Attributes
    ----------
    a : decode work per output token [s/token]: multiplications, and weights read at the largest batch
    b : prefill work per input token [s/token]
    d : work per output token and token of context [s/token**2]: the KV cache read each step, whose mean
        length is ``L_in + L_out/2``, and the share of the weights when KV memory limits the batch
    e : what reserving memory for the finished sequence adds [s/token**2], ``0 <= e <= d`` when fitted: an
        engine that never evicts admits ``memory / (L_in + L_out)`` sequences, so weights read once per step
        cost ``e L_out (L_in + L_out)``, of which ``d`` already holds ``e L_out (L_in + L_out/2)``
    f : attention work of prefill, which grows with the square of the prompt [s/token**2]

    With ``e = f = 0`` this is ``1/TPS = a + b L_in/L_out + d (L_in + L_out/2)``. S is finite at any length,
    prices input tokens apart from output tokens and grows with context.

    Raises
    ------
    ValueError when a coefficient is negative or not finite, or all are 0.

    Source: roofline of decoding (weights and KV cache read per step) and of prefill, fitted to the
    TensorRT-LLM 0.17 and 1.0 tables (`throughput_fit`). The reservation is that engine's "guaranteed no
    evict" policy (same pages). Valid for 128-20,000 input and 128-4,096 output tokens; laws fitted there
    meet the rates of a later release at up to 32,768 tokens of either within 20 %, data that decided that
    the term ``f`` is kept. Chunked, sliding-window and linear attention bend the context terms: expect
    10-20 % inside the range.

    >>> law = PhysicalLaw(a=1.36e-4, b=1.17e-4, d=7.01e-8)  # Llama 3.1 405B, eight H100, FP8
    >>> round(float(law.tokens_per_s(500, 2000)))
    3698
    """

    a: float
    b: float
    d: float
    e: float = 0.0
    f: float = 0.0

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if not all(np.isfinite(value) and value >= 0 for value in values) or not any(values):
            raise ValueError("coefficients must be finite and at least 0, one of them above 0")

    def prefill_seconds(self, input_tokens: npt.ArrayLike) -> Array:
        """Time in prefill, ``b L_in + f L_in**2/2`` [s]; ``ValueError`` for negative lengths."""
        inputs, _ = _lengths(input_tokens, 0.0)
        return np.asarray(inputs * (self.b + self.f * inputs / 2), dtype=np.float64)

    def decode_seconds(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """Time in decode, everything but `prefill_seconds` [s]; ``ValueError`` for negative lengths."""
        inputs, outputs = _lengths(input_tokens, output_tokens)
        per_token = self.a + self.d * (inputs + outputs / 2) + self.e * outputs / 2
        return np.asarray(outputs * per_token, dtype=np.float64)

    def node_seconds(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """Seconds of the fitted group per query, prefill and decode together.

        Parameters
        ----------
        input_tokens : prompt length [tokens], any shape, at least 0
        output_tokens : answer length [tokens], broadcast against it, at least 0

        Raises
        ------
        ValueError for negative lengths.
        """
        return self.prefill_seconds(input_tokens) + self.decode_seconds(input_tokens, output_tokens)

    def tokens_per_s(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """``L_out / S`` [tokens/s], 0 where no token is emitted; ``ValueError`` for negative lengths."""
        _, outputs = _lengths(input_tokens, output_tokens)
        return _over(outputs, self.node_seconds(input_tokens, output_tokens))

    def scaled(self, bandwidth_ratio: float, flops_ratio: float) -> PhysicalLaw:
        """The law of another group of accelerators running the same model at the same precision.

        ``a, d, e -> / bandwidth_ratio``, ``b, f -> / flops_ratio``

        Parameters
        ----------
        bandwidth_ratio : memory bandwidth of the other group over this one's, counts included [ratio, > 0]
        flops_ratio : dense FLOP/s of the other group over this one's, counts included [ratio, > 0]

        Raises
        ------
        ValueError when a ratio is not above 0.

        An estimate: over all pairs of series of one model and precision in the TensorRT-LLM 0.17 and 1.0
        tables the factor to the measured rate has median `SCALED_MEDIAN_FACTOR` and 90th percentile
        `SCALED_P90_FACTOR`.

        >>> PhysicalLaw(a=2.0, b=1.0, d=4.0).scaled(bandwidth_ratio=2.0, flops_ratio=4.0)
        PhysicalLaw(a=1.0, b=0.25, d=2.0, e=0.0, f=0.0)
        """
        if not (bandwidth_ratio > 0 and flops_ratio > 0):
            raise ValueError("ratios must be above 0")
        memory, compute = 1 / bandwidth_ratio, 1 / flops_ratio
        return PhysicalLaw(self.a * memory, self.b * compute, self.d * memory, self.e * memory, self.f * compute)


@dataclass(frozen=True, slots=True)
class LogLinearLaw:
    """The paper's law: a power of each length, capped at the best rate observed.

    ``TPS = min(exp(b0 + b1 ln L_in + b2 ln L_out), cap)``, lengths floored at `LENGTH_FLOOR`

    Attributes
    ----------
    b0, b1, b2 : coefficients of the logarithm [-]
    cap : largest rate ever returned [tokens/s], > 0

    Raises
    ------
    ValueError when a value is not finite or the cap is not above 0.

    Source: Oviedo et al., Joule 2026 (arXiv:2509.20241), the authors' code. For reproducing the paper only:
    with ``b2 > 0`` tokens get cheaper with length until the cap, and left-out points of the TensorRT-LLM
    tables are missed by half (median 51 %).

    >>> law = LogLinearLaw(9.762, -0.585, 0.227, 4572.23)  # Llama 3.1 405B
    >>> round(float(law.tokens_per_s(500, 300)))
    1671
    """

    b0: float
    b1: float
    b2: float
    cap: float

    def __post_init__(self) -> None:
        if not all(np.isfinite(value) for value in (self.b0, self.b1, self.b2, self.cap)) or self.cap <= 0:
            raise ValueError("coefficients must be finite and the cap above 0")

    def tokens_per_s(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """Output tokens per second of the group [tokens/s]; ``ValueError`` for negative lengths."""
        inputs, outputs = _lengths(input_tokens, output_tokens)
        inputs, outputs = np.maximum(inputs, LENGTH_FLOOR), np.maximum(outputs, LENGTH_FLOOR)
        exponent = self.b0 + self.b1 * np.log(inputs) + self.b2 * np.log(outputs)
        # The cap is applied to the logarithm, so that no exponent can overflow.
        return np.asarray(np.exp(np.minimum(exponent, np.log(self.cap))), dtype=np.float64)

    def node_seconds(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """``L_out / TPS`` [s], 0 for an empty answer; ``ValueError`` for negative lengths."""
        _, outputs = _lengths(input_tokens, output_tokens)
        return _over(outputs, self.tokens_per_s(input_tokens, output_tokens))


@dataclass(frozen=True, slots=True)
class ConstantLaw:
    """One rate whatever the lengths: the paper's choice where only two points are known.

    Attributes
    ----------
    rate_tokens_per_s : output tokens per second of the group [tokens/s], > 0

    Raises
    ------
    ValueError when the rate is not above 0 or not finite.

    Source: Oviedo et al., Joule 2026 (arXiv:2509.20241), the authors' code.

    >>> float(ConstantLaw(5200.0).node_seconds(500, 300))  # Nemotron Ultra 253B
    0.057692307692307696
    """

    rate_tokens_per_s: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.rate_tokens_per_s) and self.rate_tokens_per_s > 0):
            raise ValueError("the rate must be finite and above 0")

    def tokens_per_s(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """The rate, in the broadcast shape of the lengths [tokens/s]; ``ValueError`` for negative lengths."""
        shape = np.broadcast_shapes(*(length.shape for length in _lengths(input_tokens, output_tokens)))
        return np.full(shape, self.rate_tokens_per_s)

    def node_seconds(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> Array:
        """``L_out / rate`` [s]; ``ValueError`` for negative lengths."""
        _, outputs = _lengths(input_tokens, output_tokens)
        return _over(outputs, self.tokens_per_s(input_tokens, output_tokens))


@dataclass(frozen=True, slots=True)
class LengthRange:
    """Smallest and largest lengths a law was fitted to [tokens]."""

    input_min: float
    input_max: float
    output_min: float
    output_max: float

    @classmethod
    def of(cls, points: Iterable[Sequence[float]]) -> LengthRange:
        """Lengths a table of (input tokens, output tokens, rate) covers.

        >>> LengthRange.of([[128, 4096, 900.0], [20_000, 2000, 90.0]])
        LengthRange(input_min=128.0, input_max=20000.0, output_min=2000.0, output_max=4096.0)
        """
        inputs, outputs = zip(*((float(point[0]), float(point[1])) for point in points), strict=True)
        return cls(min(inputs), max(inputs), min(outputs), max(outputs))

    def contains(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether both lengths lie inside, edges included; shape of the broadcast arguments.

        >>> LengthRange(128, 20_000, 128, 4096).contains([500, 500], [300, 5000]).tolist()
        [True, False]
        """
        inputs, outputs = np.asarray(input_tokens), np.asarray(output_tokens)
        inside = (inputs >= self.input_min) & (inputs <= self.input_max)
        return np.asarray(inside & (outputs >= self.output_min) & (outputs <= self.output_max))

    def outside_share(self, input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike) -> float:
        """Share of the queries that need extrapolation [0..1]."""
        return float(1 - np.mean(self.contains(input_tokens, output_tokens)))
