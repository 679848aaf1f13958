"""The requests a fleet must answer: when they come and how long they are, and what can be said of them in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.split.arrivals import Arrivals
from aiplan.planners.split.lengths import LengthPairs, Tokens, whole_tokens
from aiplan.uncertainty.quantiles import quantiles
from aiplan.uncertainty.sampling import stream

PROBABILITIES: dict[str, float] = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
"""Quantiles of lengths that are told [1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """Requests in the order they arrive.

    Parameters
    ----------
    arrival_s : times of arrival [s], not falling and not negative, shape (R,), R >= 1
    prompt_tokens : lengths of the prompts [tokens], whole, 1 to 10^7, shape (R,)
    output_tokens : lengths of the answers [tokens], whole, 1 to 10^7, shape (R,)
    cached_tokens : tokens of each prompt that a prefix cache answers [tokens], 0 to one less than the prompt, so
        that at least one token is computed, shape (R,); left out: none

    Kept as read-only arrays, float64 and int32: 20 bytes a request.
    Raises ValueError for other shapes or values.
    """

    arrival_s: Array
    prompt_tokens: Tokens
    output_tokens: Tokens
    cached_tokens: Tokens = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def __post_init__(self) -> None:
        times = np.asarray(self.arrival_s, dtype=np.float64)
        if times.ndim != 1 or times.size == 0:
            raise ValueError(f"arrival_s must be a one-dimensional, non-empty array, got shape {times.shape}")
        # Ascending between finite ends is finite throughout: a not-a-number fails every comparison.
        if not (times[0] >= 0.0 and times[-1] < math.inf and bool(np.all(times[1:] >= times[:-1]))):
            raise ValueError("arrival_s must be finite, not negative and not falling")
        prompts = whole_tokens(self.prompt_tokens, "prompt_tokens")
        outputs = whole_tokens(self.output_tokens, "output_tokens")
        cached = np.asarray(self.cached_tokens)
        if cached.size == 0:
            cached = np.zeros(times.size, dtype=np.int32)
        if not prompts.shape == outputs.shape == cached.shape == times.shape:
            shapes = f"{times.shape}, {prompts.shape}, {outputs.shape}, {cached.shape}"
            raise ValueError(f"all arrays must be equally long, got {shapes}")
        if cached.dtype.kind not in "iu" or bool(np.any(cached < 0)) or bool(np.any(cached >= prompts)):
            raise ValueError("cached_tokens must be whole and lie in 0..prompt_tokens - 1")
        kept: dict[str, npt.NDArray[Any]] = {"arrival_s": times, "prompt_tokens": prompts, "output_tokens": outputs}
        kept["cached_tokens"] = cached.astype(np.int32, copy=False)
        for name, values in kept.items():
            view = values.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def count(self) -> int:
        """Number of requests."""
        return int(self.arrival_s.size)

    @property
    def span_s(self) -> float:
        """Time from the first to the last arrival [s]."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def rate_per_s(self) -> float:
        """Mean rate [1/s], one over the mean gap: (count - 1)/span.

        Raises ValueError where all requests come at one moment.
        """
        if not self.span_s > 0.0:
            raise ValueError("requests that all come at one moment have no rate")
        return (self.count - 1) / self.span_s

    @property
    def computed_tokens(self) -> Tokens:
        """Prompt tokens that no cache answers [tokens], at least 1, shape (R,)."""
        return self.prompt_tokens - self.cached_tokens

    def stretched(self, rate_per_s: float) -> Requests:
        """The same requests at another mean rate [1/s]: every time is multiplied by old over new rate.

        Keeps lengths, order and the shape of bursts. Raises ValueError unless the rate is positive, and where the
        requests have none.
        """
        if not 0.0 < rate_per_s < math.inf:
            raise ValueError(f"the rate must be positive, got {rate_per_s:g}")
        return Requests(
            self.arrival_s * (self.rate_per_s / rate_per_s), self.prompt_tokens, self.output_tokens, self.cached_tokens
        )

    def with_cache_hits(self, fraction: float) -> Requests:
        """The same requests with this fraction [1] of every prompt in a prefix cache.

        Rounded to the nearest token; at least one token of every prompt is computed. Real hits are uneven: whole
        prefixes or nothing. Raises ValueError for a fraction outside 0..1.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"the fraction of cache hits must lie in 0..1, got {fraction:g}")
        cached = np.minimum(np.rint(self.prompt_tokens * fraction).astype(np.int32), self.prompt_tokens - 1)
        return Requests(self.arrival_s, self.prompt_tokens, self.output_tokens, cached)


def generate(
    seed: int,
    arrivals: Arrivals,
    lengths: LengthPairs,
    *,
    count: int | None = None,
    duration_s: float | None = None,
    cached_fraction: float = 0.0,
) -> Requests:
    """Requests drawn from distributions.

    Parameters
    ----------
    seed : any integer; the same seed gives the same requests
    arrivals, lengths : what they are drawn from
    count, duration_s : one of the two: number of requests, or time they come in [s]
    cached_fraction : part of every prompt that a prefix cache answers [1]

    Arrivals, prompts and answers each have a PCG64 stream of their own, named by seed and purpose, so that changing
    one leaves the draws of the others as they were.
    Raises ValueError as `Arrivals.times_s` does, and when no request falls into the duration.

    >>> from aiplan.planners.split.lengths import Independent, constant_lengths
    >>> fixed = Independent(constant_lengths(500), constant_lengths(100))
    >>> generate(0, Arrivals(2.0, cv2=0.0), fixed, count=3).arrival_s.tolist()
    [0.5, 1.0, 1.5]
    """
    times = arrivals.times_s(stream(seed, "split.arrivals"), count=count, duration_s=duration_s)
    if times.size == 0:
        raise ValueError(f"no request comes within {duration_s:g} s: make the duration longer or the rate higher")
    prompts, outputs = lengths.sample(stream(seed, "split.prompts"), stream(seed, "split.outputs"), times.size)
    found = Requests(times, prompts, outputs)
    return found.with_cache_hits(cached_fraction) if cached_fraction else found


@dataclass(frozen=True, slots=True)
class LengthStatistics:
    """Lengths in numbers [tokens]; the second moment is in tokens squared."""

    mean: float
    sd: float
    second_moment: float
    minimum: int
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float
    p99: float
    maximum: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Requests in numbers.

    Attributes
    ----------
    count, span_s, rate_per_s : number of requests, time from first to last [s], mean rate [1/s]
    prompt, output : lengths
    correlation : of prompt and answer lengths, Pearson [1]
    cached_fraction : prompt tokens answered from a cache over all prompt tokens [1]
    context_tokens : mean context of a decode step [tokens], E[n] + E[N^2]/(2 E[N]): long answers are seen more often
    arrival_cv2 : squared coefficient of variation of the gaps [1]; 1 for Poisson
    dispersion_ratio : variance over mean of the arrivals in each whole second [1]; 1 for Poisson
    single_token_fraction : requests with one output token, which need no decode step [1]

    What needs a rate, a spread or two seconds is None where there is none.
    """

    count: int
    span_s: float
    rate_per_s: float | None
    prompt: LengthStatistics
    output: LengthStatistics
    correlation: float | None
    cached_fraction: float
    context_tokens: float
    arrival_cv2: float | None
    dispersion_ratio: float | None
    single_token_fraction: float


def statistics(requests: Requests) -> Statistics:
    """What can be said of requests in numbers.

    Quantiles interpolate linearly; standard deviations divide by R - 1.
    Length-biased context: at a random decode step an answer is met in proportion to its length, half done on
    average, so that the mean is E[n] + E[N^2]/(2 E[N]) for independent n and N (Cox 1962, Renewal Theory, 5.4).
    """
    gaps = np.diff(requests.arrival_s)
    output = _of_lengths(requests.output_tokens)
    prompt = _of_lengths(requests.prompt_tokens)
    moving = requests.count > 2 and requests.span_s > 0.0
    return Statistics(
        count=requests.count,
        span_s=requests.span_s,
        rate_per_s=requests.rate_per_s if requests.span_s > 0.0 else None,
        prompt=prompt,
        output=output,
        correlation=_correlation(requests, prompt, output),
        cached_fraction=float(requests.cached_tokens.sum(dtype=np.int64) / requests.prompt_tokens.sum(dtype=np.int64)),
        context_tokens=prompt.mean + output.second_moment / (2.0 * output.mean),
        arrival_cv2=float(np.var(gaps, ddof=1) / np.mean(gaps) ** 2) if moving else None,
        dispersion_ratio=_dispersion(requests.arrival_s),
        single_token_fraction=float(np.mean(requests.output_tokens == 1)),
    )


def _of_lengths(tokens: npt.NDArray[np.int32]) -> LengthStatistics:
    exact = tokens.astype(np.float64)
    named = dict(zip(PROBABILITIES, quantiles(exact, list(PROBABILITIES.values())), strict=True))
    return LengthStatistics(
        mean=float(exact.mean()),
        sd=float(exact.std(ddof=1)) if exact.size > 1 else 0.0,
        second_moment=float(np.dot(exact, exact) / exact.size),
        minimum=int(tokens.min()),
        maximum=int(tokens.max()),
        **named,
    )


def _correlation(requests: Requests, prompt: LengthStatistics, output: LengthStatistics) -> float | None:
    if not (prompt.sd > 0.0 and output.sd > 0.0):
        return None
    together = np.dot(requests.prompt_tokens - prompt.mean, requests.output_tokens - output.mean)
    return float(together / ((requests.count - 1) * prompt.sd * output.sd))


def _dispersion(arrival_s: Array) -> float | None:
    """Variance over mean of the counts of whole seconds from the first arrival on; seconds without one count too."""
    seconds = math.floor(float(arrival_s[-1] - arrival_s[0]))
    if seconds < 2:
        return None
    # Only seconds with an arrival are held: a trace may span years.
    found = np.floor(arrival_s - arrival_s[0])
    _, counts = np.unique(found[found < seconds], return_counts=True)
    mean = float(counts.sum()) / seconds
    variance = (float(np.dot(counts, counts)) - seconds * mean**2) / (seconds - 1)
    return variance / mean
