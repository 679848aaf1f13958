"""A scenario of `aiplan split` with every name looked up: machines, requests, promises, prices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aiplan.catalog.names import canonical_precision
from aiplan.errors import InputError
from aiplan.inputs.quantity import Quantity
from aiplan.planners.parameters import Parameters
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.precision import CACHE_BYTES, EXPERT_BYTES, FIXED_BYTES
from aiplan.planners.serving.rows import Row, Shelf, check_cap, engine_of
from aiplan.planners.size.options import BASES
from aiplan.planners.split.demand import Demand, build_demand, number, refuse
from aiplan.planners.split.design import Design, Reserve
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.offers import Offer, Watts, link_bytes_per_s, machine_names, policy_of, profile_offer
from aiplan.planners.split.profile_machines import MOST_BATCH, MOST_TOKENS
from aiplan.planners.split.replay import Policy
from aiplan.planners.split.serving_offers import timed
from aiplan.planners.split.slo import METRICS, PERCENTILES, Limit
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

UTILISATION = 0.85
"""Most of their time that prompt machines are busy where nothing is said [1]."""
SYNC_S = 0.005
"""What a layer-wise transfer costs where nothing is said: 5 ms between H100, 8 ms between A100 (arXiv 2311.18677,
section 5.2, second-hand) [s]."""
POOLS = ("prompt", "token", "mixed")


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up.

    ``times`` is source and grade of what the times of machines come from.
    """

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
    parameters: Parameters
    times: tuple[str, str]
    reserve: Reserve | None = None
    warnings: list[Warn] = field(default_factory=list)

    @property
    def simulator(self) -> bool:
        """Whether times are read and counted as SplitwiseSim does."""
        return self.inputs.serving.profile is not None and self.inputs.serving.decode_model == "simcompat"

    def bought(self, design: Design) -> Design:
        """A design with its spares: what is paid for and supplied."""
        return design if self.reserve is None else self.reserve.beside(design)


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
        self.parameters = Parameters()
        self.warnings: list[Warn] = []
        self.times = ("", "assumption")

    def build(self) -> Case:
        """The case, or InputError saying what it cannot be built from."""
        inputs, parameters = self.inputs, self.parameters
        profile, model = inputs.serving.profile, inputs.serving.model
        if (profile is None) == (model is None):
            raise refuse("E222", "serving needs a profile or a model, and not both", "serving",
                         'profile = "splitwise-bloom-176b", or model = "llama-3.1-70b"')  # fmt: skip
        limits = self._limits()
        demand = build_demand(inputs, self.catalog, parameters)
        some = demand.sample(0, 4096)
        self.lengths = float(some.prompt_tokens.mean()), float(some.output_tokens.mean())
        for role in ("prompt", "token"):
            if not getattr(inputs.hardware, role):
                raise refuse("E222", f"hardware.{role} names no machines", f"hardware.{role}",
                             f"give {role} = [...]")  # fmt: skip
        name, pools, reference = self._profile(profile) if profile else self._model(model or "")
        self._budget(pools)
        utilisation = number(parameters, "split.utilisation_fraction", "utilisation allowed",
                             inputs.split.utilisation_fraction, UTILISATION)  # fmt: skip
        facility = inputs.facility
        pue = number(parameters, "facility.pue", "power usage effectiveness", facility.pue if facility else None, 1.0,
                     neutral=True)  # fmt: skip
        sync = number(parameters, "transfer.sync_s", "least cost of a transfer", inputs.transfer.sync_s, SYNC_S)
        decode_model = inputs.serving.decode_model if profile else "roofline"
        policy = policy_of(decode_model, layer_wise=inputs.transfer.layer_wise, sync_s=sync)
        reserve = self._reserve()
        self._inactive()
        return Case(
            inputs=inputs,
            model_name=name,
            prompt=pools["prompt"],
            token=pools["token"],
            mixed=pools["mixed"],
            reference=reference,
            limits=limits,
            policy=policy,
            demand=demand,
            utilisation=utilisation,
            pue=pue,
            parameters=parameters,
            times=self.times,
            reserve=reserve,
            warnings=self.warnings,
        )

    def _reserve(self) -> Reserve | None:
        failures = self.inputs.failures
        if failures is None or not failures.spares:
            return None
        names = ("accelerator_mttf_h", "mttr_h", "availability_fraction")
        labels = ("time between failures", "time to repair", "share of time in which enough work")
        given = [getattr(failures, name) for name in names]
        for name, label, quantity in zip(names, labels, given, strict=True):
            self.parameters.add(f"failures.{name}", label, quantity)
        return Reserve(*(quantity.distribution.median for quantity in given))

    # --- promises, budgets, what is given in vain ---

    def _limits(self) -> tuple[Limit, ...]:
        slo, slowdown = self.inputs.slo, self.inputs.slowdown
        found = []
        for metric in METRICS:
            for at in PERCENTILES:
                seconds = getattr(slo, f"{metric}_p{at}_s")
                if seconds is not None:
                    self.parameters.add(f"slo.{metric}_p{at}_s", f"promised {metric.upper()} P{at}", seconds)
                    found.append(Limit(metric, at, seconds.value))
                times = getattr(slowdown, f"{metric}_p{at}") if slowdown else None
                if times is not None:
                    label = f"promised slowdown of {metric.upper()} P{at}"
                    self.parameters.add(f"slowdown.{metric}_p{at}", label, times, unitless=True)
                    found.append(Limit(metric, at, times.value, slowdown=True))
        if not found:
            raise refuse("E222", "nothing is promised: slo and slowdown are empty", "slo", "give e.g. ttft_p90_s = 1")
        return tuple(found)

    def _budget(self, pools: dict[str, list[Offer]]) -> None:
        split, basis = self.inputs.split, self.inputs.cost.basis
        for name in ("budget_usd_per_h", "budget_kw"):
            if (value := getattr(split, name)) is not None:
                self.parameters.add(f"split.{name}", name.replace("_", " "), value)
        if split.objective == "rate" and not (split.budget_usd_per_h or split.budget_kw or split.budget_machines):
            raise refuse("E222", "split.objective 'rate' needs a budget", "split.objective",
                         "give budget_usd_per_h, budget_kw or budget_machines")  # fmt: skip
        for role in ("prompt", "token"):
            dollars = split.objective == "usd" or split.budget_usd_per_h is not None
            if dollars and all(offer.usd_per_h is None for offer in pools[role]):
                raise refuse("E222", f"no machine of hardware.{role} has a price by basis '{basis}'", "cost.basis",
                             "choose another basis or objective, or add prices in an overlay")  # fmt: skip

    def _inactive(self) -> None:
        """Warn of what a scenario gives and this question does not read."""
        inputs, vain = self.inputs, []
        given = {name: getattr(inputs, name).model_fields_set for name in ("workload", "serving", "hardware")}
        if inputs.serving.profile:
            vain += [f"serving.{name}" for name in ("engine", "precision", "kv_precision") if name in given["serving"]]
            unread = ("tensor_parallel", "prompt_caps_w", "token_caps_w")
            vain += [f"hardware.{name}" for name in unread if name in given["hardware"]]
        elif "decode_model" in given["serving"]:
            vain.append("serving.decode_model")
        if inputs.workload.trace is not None:
            vain += [f"workload.{name}" for name in ("arrival_cv2", "duration_s") if name in given["workload"]]
        if vain:
            self.warnings.append(Warn("W-SPLIT-INACTIVE", f"nothing reads {', '.join(vain)} here", vain[0]))
        spreads = ("workload.input_tokens", "workload.output_tokens")
        catalog = ("servers.", "accelerators.", "profiles.", "workloads.")
        own = [path for path in self.parameters.uncertain() if path not in spreads and not path.startswith(catalog)]
        if own:
            self.warnings.append(Warn("W-SPLIT-MEDIAN", f"{', '.join(own)} {'is' if len(own) == 1 else 'are'} taken at "
                                      "the median: designs are not sampled", own[0]))  # fmt: skip

    # --- machines ---

    def _profile(self, wanted: str) -> tuple[str, dict[str, list[Offer]], Offer | None]:
        inputs = self.inputs
        profile = self._named("profiles", wanted, "serving.profile")
        entry = self.catalog.get("profiles", profile)
        known = machine_names(self.catalog, profile)
        found: dict[str, Offer] = {}

        def offer(name: str, path: str) -> Offer:
            if name not in known:
                raise refuse("E220", f"{path}: profile {profile} has no machine '{name[:60]}'", path,
                             f"one of {', '.join(known)}")  # fmt: skip
            if name not in found:
                one = profile_offer(self.catalog, profile, name, inputs.serving.decode_model)
                self._powered(profile, entry, name)
                found[name] = self._priced(one, entry.machines[name].usd_per_h, profile)
            return found[name]

        pools = {
            role: [offer(name, f"hardware.{role}") for name in dict.fromkeys(getattr(inputs.hardware, role))]
            for role in POOLS
        }
        reference = offer(inputs.slowdown.reference, "slowdown.reference") if inputs.slowdown else None
        scaled = [name for name in found if entry.machines[name].scaled_from]
        if scaled:
            self.warnings.append(Warn("W-SPLIT-PCAP", f"nothing was measured on {', '.join(scaled)}; its times are "
                                      "those of another machine, scaled", "hardware"))  # fmt: skip
        self.times = (entry.source, "assumption" if scaled else entry.grade)
        return self.catalog.get("models", entry.model).name, pools, reference

    def _powered(self, profile: str, entry: Any, name: str) -> None:
        """Keep what the power of a profile's machine rests on."""
        machine = entry.machines[name]
        if machine.provisioned_w is not None:
            path = f"profiles.{profile}.machines.{name}.provisioned_w"
            self.parameters.add(path, f"power set aside for {name}", machine.provisioned_w)
        if machine.server is not None:
            server = self.catalog.get("servers", machine.server)
            path = f"servers.{machine.server}.host_power_w"
            self.parameters.add(path, f"host power of {server.name}", server.host_power_w)
        chip = self.catalog.get("accelerators", machine.accelerator)
        self.parameters.add(f"accelerators.{machine.accelerator}.tdp_w", f"TDP of {chip.name}", chip.tdp_w)

    def _model(self, wanted: str) -> tuple[str, dict[str, list[Offer]], Offer | None]:
        inputs, serving, hardware = self.inputs, self.inputs.serving, self.inputs.hardware
        model = self._named("models", wanted, "serving.model")
        engine, version = engine_of(serving.engine, [])
        if engine == "other":
            raise refuse("E222", f"serving.engine '{serving.engine[:40]}' is not known", "serving.engine",
                         "vllm, tensorrt-llm or sglang")  # fmt: skip
        precision = canonical_precision(serving.precision)
        if precision not in EXPERT_BYTES or precision not in FIXED_BYTES:
            raise refuse("E222", f"serving.precision '{serving.precision[:40]}' is not known", "serving.precision",
                         f"one of {', '.join(EXPERT_BYTES)}")  # fmt: skip
        cache = canonical_precision(serving.kv_precision) if serving.kv_precision is not None else None
        if serving.kv_precision is not None and cache not in CACHE_BYTES:
            raise refuse("E222", f"serving.kv_precision '{serving.kv_precision[:40]}' is not known",
                         "serving.kv_precision", f"one of {', '.join(CACHE_BYTES)}")  # fmt: skip
        like = Row(model, "", precision, engine, version, kv_precision=cache, isl=self.lengths[0], osl=self.lengths[1])
        pools: dict[str, list[Offer]] = {}
        for role in POOLS:
            names = dict.fromkeys(getattr(hardware, role))
            shapes = [
                (name, degree, cap)
                for name in names
                for degree in dict.fromkeys(hardware.tensor_parallel or (None,))
                for cap in (None, *getattr(hardware, f"{role}_caps_w", ()))
            ]
            offers = [self._serving_offer(like, *shape, f"hardware.{role}") for shape in shapes]
            pools[role] = [offer for offer in offers if offer is not None]
            if names and not pools[role]:
                raise refuse("E221", f"hardware.{role}: no machine has room for the model and a mean request",
                             f"hardware.{role}", "raise hardware.tensor_parallel, or narrow the precision")  # fmt: skip
        reference = None
        if inputs.slowdown:
            reference = self._serving_offer(like, inputs.slowdown.reference, None, None, "slowdown.reference")
        return self.shelf.model(model).name, pools, reference

    def _serving_offer(
        self, like: Row, server: str, degree: int | None, cap_w: float | None, path: str
    ) -> Offer | None:  # fmt: skip
        """A server, or some of its accelerators, by the serving model; None, with a warning, where nothing fits."""
        server = self._named("servers", server, path)
        entry = self.catalog.get("servers", server)
        chip = self.catalog.get("accelerators", entry.accelerator)
        seats, heads = int(entry.accelerator_count), self.shelf.model(like.model).attention_heads
        count = degree or seats
        if degree is not None and (degree > seats or seats % degree or (heads and heads % degree)):
            raise refuse("E222", f"hardware.tensor_parallel {degree} does not divide the {seats} accelerators of "
                         f"{server} and the {heads} heads of the model", "hardware.tensor_parallel",
                         "1, 2, 4 or 8")  # fmt: skip
        name = server + (f" TP{count}" if count < seats else "") + (f" {cap_w:g} W" if cap_w else "")
        row = replace(like, hardware=entry.accelerator, n_gpus=float(count), tp=float(count),
                      cap_w=cap_w or float("nan"))  # fmt: skip
        tdp = chip.tdp_w.value
        try:
            check_cap(row, self.shelf)
        except ValueError as error:
            raise refuse("E222", f"{path}, {name}: {error}", f"{path}_caps_w", "raise the cap") from None
        if cap_w is not None and cap_w > tdp:
            raise refuse("E222", f"{path}, {name}: a cap above the accelerator's {tdp:g} W caps nothing",
                         f"{path}_caps_w", "lower the cap, or leave it out")  # fmt: skip
        link = link_bytes_per_s(self.catalog, server, float(count))
        found = timed(self.shelf, row, name, link, MOST_TOKENS, MOST_BATCH)
        if found.room_sequences < 1.0:
            self.warnings.append(Warn("W-SPLIT-SKIPPED", f"{name} is left out: memory holds {found.room_sequences:.2g} "
                                      "of a mean request", path))  # fmt: skip
            return None
        host = entry.host_power_w.value * count / seats
        idle = POWER_CONSTANTS[power_class(entry.accelerator)].idle_share * tdp * count
        saved = (tdp - cap_w) * count if cap_w else 0.0
        watts = Watts(found.prompt_w * count + host, found.token_w * count + host, idle + host,
                      entry.max_power_w.value * count / seats - saved)  # fmt: skip
        self.parameters.add(f"servers.{server}.max_power_w", f"rated power of {entry.name}", entry.max_power_w)
        self.parameters.add(f"servers.{server}.host_power_w", f"host power of {entry.name}", entry.host_power_w)
        self.parameters.add(f"accelerators.{entry.accelerator}.tdp_w", f"TDP of {chip.name}", chip.tdp_w)
        self.times = (found.source, found.grade)
        offer = Offer(name, found.machine, entry.accelerator, float(count), server, seats / count, None, watts,
                      kv_bytes_per_token=found.kv_bytes_per_token, token_error=found.token_error)  # fmt: skip
        return self._priced(offer, None, "")

    def _priced(self, offer: Offer, rent: Quantity | None, profile: str) -> Offer:
        """The offer with its price by the basis asked."""
        basis, accelerator = self.inputs.cost.basis, offer.accelerator
        if basis == "profile":
            path, label = f"profiles.{profile}.machines.{offer.name}.usd_per_h", f"rent of {offer.name}"
            price, each = rent, rent
        else:
            path, label = f"accelerators.{accelerator}.{BASES[basis]}", f"price of {accelerator} ({basis})"
            each = getattr(self.catalog.get("accelerators", accelerator), BASES[basis])
            price = None if each is None else each.scaled(offer.accelerators)
        if each is not None:
            self.parameters.add(path, label, each)
        return replace(offer, usd_per_h=price)

    def _named(self, kind: str, name: str, path: str) -> Any:
        try:
            return self.catalog.resolve(kind, name)
        except InputError as error:
            raise InputError(error.under(path)) from None


__all__ = ["Case", "build_case"]
