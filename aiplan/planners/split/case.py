"""A scenario of `aiplan split` with every name looked up: machines, requests, promises, prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiplan.catalog.names import canonical_precision
from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.precision import EXPERT_BYTES, FIXED_BYTES
from aiplan.planners.serving.rows import Row, Shelf, engine_of
from aiplan.planners.size.options import BASES
from aiplan.planners.split.arrivals import Arrivals, Profile
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.lengths import (
    DistributionLengths,
    Independent,
    Joint,
    LengthPairs,
    QuantileLengths,
)
from aiplan.planners.split.offers import Offer, Watts, link_bytes_per_s, machine_names, policy_of, profile_offer
from aiplan.planners.split.profile_machines import MOST_BATCH, MOST_TOKENS
from aiplan.planners.split.replay import Policy
from aiplan.planners.split.serving_offers import timed
from aiplan.planners.split.slo import METRICS, PERCENTILES, Limit
from aiplan.planners.split.trace_file import read_trace
from aiplan.planners.split.workload import Requests, generate
from aiplan.report.model import InputRecord, Warn
from aiplan.resources import find_trace

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

UTILISATION = 0.85
"""Most of their time that prompt machines are busy where nothing is said [1]."""
SYNC_S = 0.005
"""What a layer-wise transfer costs where nothing is said: 5 ms between H100, 8 ms between A100 (arXiv 2311.18677,
section 5.2, second-hand) [s]."""


@dataclass(slots=True)
class Demand:
    """The requests, as many and as often as wanted.

    Attributes
    ----------
    rate_per_s : mean rate to plan for: that of the busiest hour [1/s]
    cv2 : of the times between requests [1]
    lengths : of prompts and answers
    trace : requests of a trace file, None where they are drawn
    profile : the swing of the rate over a day, of which ``rate_per_s`` is the peak; None where it is steady
    cached_fraction : share of prompts that a cache answers [1]
    duration_s : length of a replay [s]
    """

    rate_per_s: float
    cv2: float
    lengths: LengthPairs
    trace: Requests | None
    cached_fraction: float
    duration_s: float
    profile: Profile | None = None

    def requests(self, seed: int, rate_per_s: float | None = None) -> Requests:
        """The requests of one replay; a trace comes at its own times, stretched to the rate."""
        rate = rate_per_s or self.rate_per_s
        if self.trace is not None:
            found = self.trace.stretched(rate)
            return found.with_cache_hits(self.cached_fraction) if self.cached_fraction else found
        return generate(
            seed, Arrivals(rate, self.cv2), self.lengths, duration_s=self.duration_s,
            cached_fraction=self.cached_fraction,
        )  # fmt: skip

    def sample(self, seed: int, count: int) -> Requests:
        """Requests whose lengths stand for all."""
        if self.trace is not None:
            found = self.trace
            return found.with_cache_hits(self.cached_fraction) if self.cached_fraction else found
        return generate(seed, Arrivals(1.0), self.lengths, count=count, cached_fraction=self.cached_fraction)


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up."""

    inputs: SplitInputs
    model_name: str
    prompt: list[Offer]
    token: list[Offer]
    mixed: list[Offer]
    reference: Offer | None
    limits: tuple[Limit, ...]
    policy: Policy
    demand: Demand
    utilisation: float
    pue: float
    records: list[InputRecord] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)
    source: str = ""

    @property
    def simulator(self) -> bool:
        """Whether times are read and counted as SplitwiseSim does."""
        return self.inputs.serving.profile is not None and self.inputs.serving.decode_model == "simcompat"


def refuse(code: str, message: str, path: str, hint: str) -> InputError:
    """Something is asked for that cannot be worked with."""
    return InputError(Problem(code, message, path, hint=hint))


def build_case(inputs: SplitInputs, catalog: Catalog) -> Case:
    """Look everything up.

    Raises
    ------
    InputError for names the catalog does not know, and for questions without requests, machines or promises.
    """
    return _Builder(inputs, catalog).build()


class _Builder:
    def __init__(self, inputs: SplitInputs, catalog: Catalog) -> None:
        self.inputs, self.catalog, self.shelf = inputs, catalog, Shelf(catalog)
        self.records: list[InputRecord] = []
        self.warnings: list[Warn] = []
        self.source = ""

    def build(self) -> Case:
        """The case, or InputError saying what it cannot be built from."""
        inputs = self.inputs
        limits = self._limits()
        demand = self._demand()
        self.lengths = self._mean_lengths(demand)
        profile, model = inputs.serving.profile, inputs.serving.model
        if (profile is None) == (model is None):
            raise refuse("E222", "serving needs a profile or a model, and not both", "serving",
                         'profile = "splitwise-bloom-176b", or model = "llama-3.1-70b"')  # fmt: skip
        name, source, pools, reference = self._profile(profile) if profile else self._model(model or "")
        if not (pools["prompt"] and pools["token"]):
            raise refuse("E222", "hardware names no machines for prompts, or none for tokens", "hardware",
                         "give prompt = [...] and token = [...]")  # fmt: skip
        split, facility = inputs.split, inputs.facility
        self._budget()
        utilisation = self._number("split.utilisation_fraction", "utilisation allowed", split.utilisation_fraction,
                                   UTILISATION)  # fmt: skip
        pue = self._number("facility.pue", "power usage effectiveness", facility.pue if facility else None, 1.0)
        sync = self._number("transfer.sync_s", "least cost of a transfer", inputs.transfer.sync_s, SYNC_S)
        decode_model = inputs.serving.decode_model if profile else "roofline"
        policy = policy_of(decode_model, layer_wise=inputs.transfer.layer_wise, sync_s=sync)
        return Case(inputs, name, pools["prompt"], pools["token"], pools["mixed"], reference, limits, policy, demand,
                    utilisation, pue, self.records, self.warnings, source)  # fmt: skip

    # --- requests and promises ---

    def _demand(self) -> Demand:
        work = self.inputs.workload
        cached = self._number("workload.cache_hit_fraction", "prefix-cache hits", work.cache_hit_fraction, 0.0)
        profile = self._swing()
        peak = max(profile.factors) if profile else 1.0
        given = [work.trace is not None, work.statistics is not None, work.input_tokens is not None]
        if sum(given) != 1 or (work.output_tokens is None) is given[2]:
            raise refuse("E222", "workload needs one of: a trace, statistics, or input_tokens with output_tokens",
                         "workload", 'statistics = "azure-2023-conversation" is one')  # fmt: skip
        rate = None
        if work.requests_per_s is not None:
            rate = self._number("workload.requests_per_s", "requests", work.requests_per_s, 0.0) * peak
        if work.trace is not None:
            trace = read_trace(find_trace(work.trace))
            own = rate or (trace.rate_per_s if trace.count > 1 else None)
            if own is None:
                raise refuse("E222", "the trace has no rate of its own", "workload.requests_per_s", "give one")
            return Demand(
                own, 1.0, Joint(trace.prompt_tokens, trace.output_tokens), trace, cached, trace.span_s, profile
            )
        if rate is None and self.inputs.split.objective != "rate":
            raise refuse("E222", "workload.requests_per_s is missing", "workload.requests_per_s",
                         "add it, or ask for split.objective = 'rate'")  # fmt: skip
        cv2 = self._number("workload.arrival_cv2", "burstiness of arrivals", work.arrival_cv2, 1.0)
        return Demand(rate or 1.0, cv2, self._lengths(), None, cached, work.duration_s, profile)

    def _swing(self) -> Profile | None:
        """The rate over the day, where it is not steady."""
        work = self.inputs.workload
        if work.hourly_factors and work.peak_to_mean is not None:
            raise refuse("E222", "workload.hourly_factors and workload.peak_to_mean exclude each other",
                         "workload.hourly_factors", "drop one of them")  # fmt: skip
        if work.hourly_factors:
            try:
                return Profile(work.hourly_factors)
            except ValueError as error:
                raise refuse("E222", f"workload.hourly_factors: {error}", "workload.hourly_factors",
                             "give 24 numbers, from midnight on") from None  # fmt: skip
        if work.peak_to_mean is None:
            return None
        return Profile.cosine(self._number("workload.peak_to_mean", "peak over mean rate", work.peak_to_mean, 1.0))

    def _lengths(self) -> LengthPairs:
        work = self.inputs.workload
        if work.statistics is not None:
            entry = self.catalog.get("workloads", self._named("workloads", work.statistics, "workload.statistics"))
            for name in ("input_mean_tokens", "output_mean_tokens"):
                self._record(f"workloads.{work.statistics}.{name}", name.replace("_", " "), getattr(entry, name))
            sides = []
            for side in ("input", "output"):
                mean, sd = getattr(entry, f"{side}_mean_tokens"), getattr(entry, f"{side}_sd_tokens")
                quantiles = getattr(entry, f"{side}_quantile_tokens")
                sides.append(QuantileLengths.through(quantiles, mean.value, sd.value if sd else None))
            return Independent(*sides)
        spreads = []
        for name in ("input_tokens", "output_tokens"):
            given = getattr(work, name)
            self._record(f"workload.{name}", name.replace("_", " "), given)
            spreads.append(DistributionLengths(given.distribution))
        return Independent(*spreads)

    @staticmethod
    def _mean_lengths(demand: Demand) -> tuple[float, float]:
        some = demand.sample(0, 4096)
        return float(some.prompt_tokens.mean()), float(some.output_tokens.mean())

    def _limits(self) -> tuple[Limit, ...]:
        slo, slowdown = self.inputs.slo, self.inputs.slowdown
        found = []
        for metric in METRICS:
            for at in PERCENTILES:
                seconds = getattr(slo, f"{metric}_p{at}_s")
                if seconds is not None:
                    self._record(f"slo.{metric}_p{at}_s", f"promised {metric.upper()} P{at}", seconds)
                    found.append(Limit(metric, at, seconds.value))
                times = getattr(slowdown, f"{metric}_p{at}") if slowdown else None
                if times is not None:
                    self._record(f"slowdown.{metric}_p{at}", f"promised slowdown of {metric.upper()} P{at}", times)
                    found.append(Limit(metric, at, times.value, slowdown=True))
        if not found:
            raise refuse("E222", "nothing is promised: slo and slowdown are empty", "slo", "give e.g. ttft_p90_s = 1")
        return tuple(found)

    def _budget(self) -> None:
        split = self.inputs.split
        budgets = (split.budget_usd_per_h, split.budget_kw, split.budget_machines)
        for name in ("budget_usd_per_h", "budget_kw"):
            if (value := getattr(split, name)) is not None:
                self._record(f"split.{name}", name.replace("_", " "), value)
        if split.objective == "rate" and all(one is None for one in budgets):
            raise refuse("E222", "split.objective 'rate' needs a budget", "split.objective",
                         "give budget_usd_per_h, budget_kw or budget_machines")  # fmt: skip

    # --- machines ---

    def _profile(self, wanted: str) -> tuple[str, str, dict[str, list[Offer]], Offer | None]:
        inputs = self.inputs
        profile = self._named("profiles", wanted, "serving.profile")
        entry = self.catalog.get("profiles", profile)
        known = machine_names(self.catalog, profile)
        cache: dict[str, Offer] = {}

        def offer(name: str, path: str) -> Offer:
            if name not in known:
                raise refuse("E220", f"{path}: profile {profile} has no machine '{name[:60]}'", path,
                             f"one of {', '.join(known)}")  # fmt: skip
            if name not in cache:
                found = profile_offer(self.catalog, profile, name, inputs.serving.decode_model)
                cache[name] = self._priced(found, entry.machines[name].usd_per_h, profile)
            return cache[name]

        pools = {
            role: [offer(name, f"hardware.{role}") for name in dict.fromkeys(getattr(inputs.hardware, role))]
            for role in ("prompt", "token", "mixed")
        }
        slow = inputs.slowdown
        reference = offer(slow.reference, "slowdown.reference") if slow else None
        model = self.catalog.get("models", entry.model)
        if any(entry.machines[one.name].scaled_from for one in cache.values()):
            self.warnings.append(Warn("W-SPLIT-PCAP", "nothing was measured on power-capped machines of the profile; "
                                      "their times are scaled", "hardware"))  # fmt: skip
        return model.name, entry.source, pools, reference

    def _model(self, wanted: str) -> tuple[str, str, dict[str, list[Offer]], Offer | None]:
        inputs = self.inputs
        serving, hardware = inputs.serving, inputs.hardware
        model = self._named("models", wanted, "serving.model")
        engine, version = engine_of(serving.engine, [])
        precision = canonical_precision(serving.precision)
        if engine == "other" or precision not in EXPERT_BYTES or precision not in FIXED_BYTES:
            raise refuse("E222", "serving.engine or serving.precision is not known", "serving.precision",
                         "vllm, tensorrt-llm or sglang; bf16, fp8, nvfp4 ...")  # fmt: skip
        pools: dict[str, list[Offer]] = {}
        for role in ("prompt", "token", "mixed"):
            caps = (None, *getattr(hardware, f"{role}_caps_w", ()))
            pools[role] = [
                offer
                for name in dict.fromkeys(getattr(hardware, role))
                for degree in hardware.tensor_parallel or (None,)
                for cap in caps
                if (offer := self._serving_offer(model, name, degree, cap, precision, engine, version, role))
                is not None
            ]
        reference = None
        if inputs.slowdown:
            reference = self._serving_offer(
                model, inputs.slowdown.reference, None, None, precision, engine, version, "reference"
            )
        entry = self.shelf.model(model)
        return entry.name, self.source, pools, reference

    def _serving_offer(
        self, model: str, server: str, degree: int | None, cap_w: float | None, precision: str, engine: str,
        version: str, role: str,
    ) -> Offer | None:  # fmt: skip
        path = "slowdown.reference" if role == "reference" else f"hardware.{role}"
        server = self._named("servers", server, path)
        entry = self.catalog.get("servers", server)
        chip = self.catalog.get("accelerators", entry.accelerator)
        seats = int(entry.accelerator_count)
        count = min(degree or seats, seats)
        name = server + (f" TP{count}" if count < seats else "") + (f" {cap_w:g} W" if cap_w else "")
        prompts, outputs = self.lengths
        row = Row(
            model, entry.accelerator, precision, engine, version, kv_precision=self.inputs.serving.kv_precision,
            n_gpus=float(count), tp=float(count), isl=prompts, osl=outputs, cap_w=cap_w or float("nan"),
        )  # fmt: skip
        link = link_bytes_per_s(self.catalog, server, float(count))
        found = timed(self.shelf, row, name, link, MOST_TOKENS, MOST_BATCH)
        if found.room_sequences < 1.0:
            self.warnings.append(Warn("W-SPLIT-SKIPPED", f"{name} is left out: memory holds {found.room_sequences:.2g} "
                                      "of a mean request", path))  # fmt: skip
            return None
        host = entry.host_power_w.value * count / seats
        tdp = chip.tdp_w.value
        idle = POWER_CONSTANTS[power_class(entry.accelerator)].idle_share * tdp * count
        saved = max(tdp - cap_w, 0.0) * count if cap_w else 0.0
        watts = Watts(found.prompt_w * count + host, found.token_w * count + host, idle + host,
                      entry.max_power_w.value * count / seats - saved)  # fmt: skip
        self._record(f"servers.{server}.max_power_w", f"rated power of {entry.name}", entry.max_power_w)
        offer = Offer(name, found.machine, entry.accelerator, float(count), server, seats / count, None, watts,
                      kv_bytes_per_token=found.kv_bytes_per_token, token_error=found.token_error)  # fmt: skip
        self.source = found.source
        return self._priced(offer, None, "")

    def _priced(self, offer: Offer, rent: Quantity | None, profile: str) -> Offer:
        """The offer with its price by the basis asked."""
        from dataclasses import replace

        basis = self.inputs.cost.basis
        if basis == "profile":
            if rent is not None:
                self._record(f"profiles.{profile}.machines.{offer.name}.usd_per_h", f"rent of {offer.name}", rent)
            return replace(offer, usd_per_h=rent)
        each = getattr(self.catalog.get("accelerators", offer.accelerator), BASES[basis])
        if each is None:
            return replace(offer, usd_per_h=None)
        self._record(
            f"accelerators.{offer.accelerator}.{BASES[basis]}", f"price of {offer.accelerator} ({basis})", each
        )
        return replace(offer, usd_per_h=replace(each, value=each.value * offer.accelerators))

    # --- helpers ---

    def _named(self, kind: str, name: str, path: str) -> str:
        try:
            return self.catalog.resolve(kind, name)
        except InputError as error:
            raise InputError(error.under(path)) from None

    def _number(self, path: str, label: str, given: Quantity | None, default: float) -> float:
        """A number at its median, recorded with its source; the default where it is absent."""
        if given is None:
            self.records.append(InputRecord(path, label, default, None, grade="assumption", evidence="assumed",
                                            sources=("default of aiplan",)))  # fmt: skip
            return default
        self._record(path, label, given)
        return given.distribution.median

    def _record(self, path: str, label: str, given: Any) -> None:
        from aiplan.units import symbol_of

        if any(record.path == path for record in self.records):
            return
        self.records.append(
            InputRecord(
                path, label, given.distribution.median, symbol_of(path.rsplit(".", 1)[-1]),
                given.distribution.text() if given.uncertain else "", given.grade or "assumption",
                given.evidence or "assumed", (given.source,) if given.source else (),
            )
        )  # fmt: skip


__all__ = ["Case", "Demand", "build_case", "refuse"]
