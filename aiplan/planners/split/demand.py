"""The requests of a scenario of `aiplan split`: a trace, or when they come and how long they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.parameters import Parameters
from aiplan.planners.split.arrivals import Arrivals, Profile
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.lengths import DistributionLengths, Independent, Joint, LengthPairs, QuantileLengths
from aiplan.planners.split.trace_file import read_trace
from aiplan.planners.split.workload import Requests, generate
from aiplan.resources import find_trace

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

LEAST_REQUESTS = 750
"""Requests expected of a replay below which it lasts longer than asked: a P99 of fewer means nothing [1]."""


@dataclass(slots=True)
class Demand:
    """The requests, as many and as often as wanted.

    Attributes
    ----------
    rate_per_s : mean rate to plan for: that of the busiest hour [1/s]
    cv2 : of the times between requests [1]
    lengths : of prompts and answers
    trace : requests of a trace file, None where they are drawn
    cached_fraction : share of prompts that a cache answers [1]
    duration_s : length of a replay [s]
    profile : the swing of the rate over a day, of which ``rate_per_s`` is the peak; None where it is steady
    """

    rate_per_s: float
    cv2: float
    lengths: LengthPairs
    trace: Requests | None
    cached_fraction: float
    duration_s: float
    profile: Profile | None = None

    def requests(self, seed: int, rate_per_s: float) -> Requests:
        """The requests of one replay, `LEAST_REQUESTS` or more expected; a trace's at its own times, stretched."""
        if self.trace is not None:
            return self._cached(self.trace.stretched(rate_per_s))
        lasting = max(self.duration_s, LEAST_REQUESTS / rate_per_s)
        return self._cached(generate(seed, Arrivals(rate_per_s, self.cv2), self.lengths, duration_s=lasting))

    def sample(self, seed: int, count: int) -> Requests:
        """Requests whose lengths stand for all."""
        if self.trace is not None:
            return self._cached(self.trace)
        return self._cached(generate(seed, Arrivals(1.0), self.lengths, count=count))

    def _cached(self, requests: Requests) -> Requests:
        return requests.with_cache_hits(self.cached_fraction) if self.cached_fraction else requests


def refuse(code: str, message: str, path: str, hint: str) -> InputError:
    """Something is asked for that cannot be worked with."""
    return InputError(Problem(code, message, path, hint=hint))


def number(
    parameters: Parameters, path: str, label: str, given: Quantity | None, default: float, *, neutral: bool = False
) -> float:
    """An input at its median, kept with its source; the default where it is absent.

    Parameters
    ----------
    parameters : where it is kept
    path, label, given : where it stands, what it is called, what was given
    default : taken where it is absent, as an assumption
    neutral : the default changes nothing, and is not kept
    """
    if given is None and neutral:
        return default
    quantity = constant(default, "default of aiplan", "assumption", "assumed") if given is None else given
    parameters.add(path, label, quantity)
    return quantity.distribution.median


def build_demand(inputs: SplitInputs, catalog: Catalog, parameters: Parameters) -> Demand:
    """The requests that a scenario asks for.

    Raises
    ------
    InputError for a trace that cannot be read, a workload the catalog does not know, and for no or two of them.
    """
    work = inputs.workload
    cached = number(parameters, "workload.cache_hit_fraction", "prefix-cache hits", work.cache_hit_fraction, 0.0,
                    neutral=True)  # fmt: skip
    profile = _swing(inputs, parameters)
    peak = max(profile.factors) if profile else 1.0
    ways = {"trace": work.trace, "statistics": work.statistics, "input_tokens": work.input_tokens}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise refuse("E222", f"workload.{' and workload.'.join(given)} exclude each other", f"workload.{given[0]}",
                     f"drop {given[1]}; --set cannot take away what a file gives")  # fmt: skip
    if not given or (work.input_tokens is None) is not (work.output_tokens is None):
        raise refuse("E222", "workload gives no lengths: a trace, statistics, or input_tokens with output_tokens",
                     "workload", 'statistics = "azure-2023-conversation" is one')  # fmt: skip
    rate = None
    if work.requests_per_s is not None:
        rate = number(parameters, "workload.requests_per_s", "requests", work.requests_per_s, 0.0)
    if work.trace is not None:
        trace = read_trace(find_trace(work.trace))
        if trace.count < 2 or trace.span_s <= 0.0:
            raise refuse("E222", f"workload.trace: {trace.count} requests at one moment have no rate", "workload.trace",
                         "give a trace of more requests")  # fmt: skip
        lengths = Joint(trace.prompt_tokens, trace.output_tokens)
        return Demand((rate or trace.rate_per_s) * peak, 1.0, lengths, trace, cached, trace.span_s, profile)
    if rate is None and inputs.split.objective != "rate":
        raise refuse("E222", "workload.requests_per_s is missing", "workload.requests_per_s",
                     "add it, or ask for split.objective = 'rate'")  # fmt: skip
    cv2 = number(parameters, "workload.arrival_cv2", "burstiness of arrivals", work.arrival_cv2, 1.0)
    return Demand((rate or 1.0) * peak, cv2, _lengths(inputs, catalog, parameters), None, cached, work.duration_s,
                  profile)  # fmt: skip


def _swing(inputs: SplitInputs, parameters: Parameters) -> Profile | None:
    """The rate over the day, where it is not steady."""
    work, path = inputs.workload, "workload.hourly_factors"
    if work.hourly_factors and work.peak_to_mean is not None:
        raise refuse("E222", f"{path} and workload.peak_to_mean exclude each other", path, "drop one of them")
    if work.hourly_factors:
        try:
            return Profile(work.hourly_factors)
        except ValueError as error:
            raise refuse("E222", f"{path}: {error}", path, "give 24 numbers, from midnight on") from None
    if work.peak_to_mean is None:
        return None
    return Profile.cosine(number(parameters, "workload.peak_to_mean", "peak over mean rate", work.peak_to_mean, 1.0))


def _lengths(inputs: SplitInputs, catalog: Catalog, parameters: Parameters) -> LengthPairs:
    work = inputs.workload
    if work.statistics is None:
        spreads = []
        for name in ("input_tokens", "output_tokens"):
            given = getattr(work, name)
            parameters.add(f"workload.{name}", name.replace("_", " "), given)
            spreads.append(DistributionLengths(given.distribution))
        return Independent(*spreads)
    try:
        name = catalog.resolve("workloads", work.statistics)
    except InputError as error:
        raise InputError(error.under("workload.statistics")) from None
    entry, sides = catalog.get("workloads", name), []
    for side in ("input", "output"):
        mean, sd = getattr(entry, f"{side}_mean_tokens"), getattr(entry, f"{side}_sd_tokens")
        parameters.add(f"workloads.{name}.{side}_mean_tokens", f"{side} tokens, mean", mean)
        quantiles = getattr(entry, f"{side}_quantile_tokens")
        sides.append(QuantileLengths.through(quantiles, mean.value, sd.value if sd else None))
    return Independent(*sides)
