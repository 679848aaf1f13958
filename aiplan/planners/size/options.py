"""Everything that may be bought: servers, formats and layouts of the catalog as rows, with the numbers they need."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.catalog.names import canonical_precision
from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.parameters import Parameters
from aiplan.planners.serving.deployment import Deployment, whole_format
from aiplan.planners.serving.layout import layouts
from aiplan.planners.serving.precision import CACHE_BYTES, EXPERT_BYTES, FIXED_BYTES
from aiplan.planners.serving.predict import band, calibrations, choose, kind_of
from aiplan.planners.serving.rows import Row, Shelf, deployment_of, engine_of
from aiplan.planners.serving.service import batch_limit
from aiplan.planners.serving.time_constants import TimeConstants, constants_of
from aiplan.planners.size.inputs import SizeInputs
from aiplan.report.model import Warn
from aiplan.uncertainty.distributions import Lognormal

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

SPANS = (1, 2, 4, 8, 16)
"""Servers of one replica that are tried in turn until the model fits."""
RATES = {"fp8": "fp8_dense_tflops", "int8": "fp8_dense_tflops", "nvfp4": "fp4_dense_tflops", "fp4": "fp4_dense_tflops"}
CHIP = {"hbm_tb_per_s": "memory bandwidth", "hbm_gb": "memory", "scaleup_gb_per_s": "link bandwidth", "tdp_w": "TDP",
        "bf16_dense_tflops": "BF16 rate", "fp8_dense_tflops": "FP8 rate", "fp4_dense_tflops": "FP4 rate"}  # fmt: skip
BASES = {"neocloud": "neocloud_usd_per_h", "hyperscaler": "hyperscaler_usd_per_h", "rental_3y": "rental_3y_usd_per_h"}
Z80 = 2.563
"""Width of the middle 80 % of a normal distribution in standard deviations."""


@dataclass(frozen=True, slots=True)
class Option:
    """A replica on a server, and the paths of the inputs it depends on."""

    server: str
    accelerator: str
    per_server: int
    row: Row
    paths: dict[str, str]

    @property
    def devices(self) -> float:
        """Accelerators of one replica."""
        return self.row.tp * self.row.pp * self.row.dp

    @property
    def label(self) -> str:
        """Layout in the field's short form."""
        row = self.row
        degrees = (("PP", row.pp), ("DP", row.dp), ("EP", row.ep))
        return " ".join([f"TP{row.tp:g}", *(f"{name}{degree:g}" for name, degree in degrees if degree > 1)])


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up."""

    inputs: SizeInputs
    shelf: Shelf
    options: list[Option]
    deployment: Deployment
    constants: TimeConstants
    calibration: Any
    bands: dict[str, tuple[Any, Any]]
    parameters: Parameters
    model_name: str
    warnings: list[Warn] = field(default_factory=list)


def build_case(inputs: SizeInputs, catalog: Catalog) -> Case:
    """Look everything up and lay out every replica.

    Raises
    ------
    InputError for names the catalog does not know, and for engines, formats and prices that cannot be worked with.
    """
    builder = _Builder(inputs, catalog)
    return builder.build()


def refuse(message: str, path: str, hint: str) -> InputError:
    """Something is asked for that the catalog or the time model cannot price."""
    return InputError(Problem("E159", message, path, hint=hint))


class _Builder:
    def __init__(self, inputs: SizeInputs, catalog: Catalog) -> None:
        self.inputs, self.catalog, self.shelf = inputs, catalog, Shelf(catalog)
        self.parameters = Parameters()
        self.warnings: list[Warn] = []
        self.general: dict[str, str] = {}

    def build(self) -> Case:
        """The case, or InputError saying what it cannot be built from."""
        inputs, shelf = self.inputs, self.shelf
        model = self._named("models", inputs.serving.model, "serving.model")
        servers = self._servers()
        engine, version = self._engine()
        formats = self._formats(model)
        self._numbers()
        options: list[Option] = []
        for server in servers:
            options += self._of_server(server, model, formats, engine, version)
        if not options:
            raise refuse("no replica can be laid out and timed on these servers", "hardware.servers",
                         "name other servers, or leave serving.tensor_parallel empty")  # fmt: skip
        rows = [option.row for option in options]
        known = calibrations(shelf)
        chosen = choose(rows[0], known)
        calibration = known[chosen]
        kinds = np.array([kind_of(row, shelf) for row in rows])
        bands = {name: band(calibration, name, kinds) for name in ("tpot", "ttft")}
        options = self._with_errors(options, chosen, calibration, bands)
        return Case(inputs, shelf, options, deployment_of(rows, shelf), constants_of(calibration), calibration, bands,
                    self.parameters, shelf.model(model).name, self.warnings)  # fmt: skip

    def _named(self, kind: str, name: str, path: str) -> str:
        try:
            return self.catalog.resolve(kind, name)
        except InputError as error:
            raise InputError(error.under(path)) from None

    def _servers(self) -> list[str]:
        names = self.inputs.hardware.servers
        if "all" in names:
            return self.catalog.ids("servers")
        return list(dict.fromkeys(self._named("servers", name, "hardware.servers") for name in names))

    def _engine(self) -> tuple[str, str]:
        engine, version = engine_of(self.inputs.serving.engine, [])
        if engine == "other":
            raise refuse(f"serving.engine '{self.inputs.serving.engine[:40]}' is not known", "serving.engine",
                         "vllm, tensorrt-llm or sglang")  # fmt: skip
        return engine, version

    def _formats(self, model: str) -> list[str]:
        native, serving = self.shelf.model(model).native_precision, self.inputs.serving
        found: dict[str, None] = {}
        for name in serving.precisions:
            known = canonical_precision(name)
            if known not in EXPERT_BYTES or known not in FIXED_BYTES:
                raise refuse(f"serving.precisions: '{name[:40]}' is not known", "serving.precisions",
                             f"one of {', '.join(EXPERT_BYTES)}")  # fmt: skip
            found[whole_format(known, native)] = None
        given = serving.kv_precision
        if given is not None and canonical_precision(given) not in CACHE_BYTES:
            raise refuse(f"serving.kv_precision '{given[:40]}' is not known", "serving.kv_precision",
                         f"one of {', '.join(CACHE_BYTES)}")  # fmt: skip
        return list(found)

    def _numbers(self) -> None:
        """Inputs that every option shares."""
        inputs = self.inputs
        sections = {
            "workload": ("requests_per_s", "input_tokens", "output_tokens", "arrival_cv2", "service_cv2"),
            "slo": ("ttft_s", "tpot_s"),
            "size": ("utilisation_fraction",),
            "failures": ("accelerator_mttf_h", "mttr_h", "availability_fraction"),
            "cost": ("lifetime_years", "electricity_usd_per_kwh") if inputs.cost.basis == "server" else (),
        }
        labels = {"requests_per_s": "requests", "ttft_s": "promised TTFT", "tpot_s": "promised TPOT",
                  "utilisation_fraction": "utilisation allowed", "mttr_h": "time to repair",
                  "accelerator_mttf_h": "time between failures"}  # fmt: skip
        for section, names in sections.items():
            for name in names:
                quantity = getattr(getattr(inputs, section), name)
                label = labels.get(name, name.replace("_", " "))
                high = 1.0 if name == "utilisation_fraction" else 0.9999999 if "availability" in name else np.inf
                self.general[name] = self.parameters.add(f"{section}.{name}", label, quantity, low=0, high=high)
        self._pue()

    def _pue(self) -> None:
        facility = self.inputs.facility
        found = facility.pue
        if found is None and facility.operator is not None:
            found = self.catalog.get("operators", self._named("operators", facility.operator, "facility.operator")).pue
        if found is None:
            hint = "add pue = ..., or an operator whose PUE the catalog knows"
            raise InputError(Problem("E135", "facility.pue is missing", "facility.pue", hint=hint))
        self.general["pue"] = self.parameters.add("facility.pue", "power usage effectiveness", found, low=1)

    def _of_server(self, server: str, model: str, formats: list[str], engine: str, version: str) -> list[Option]:
        entry = self.catalog.get("servers", server)
        try:
            chip = self.shelf.chip(entry.accelerator)
        except ValueError as error:
            self.warnings.append(Warn("W-SIZE-SKIPPED", f"{server} is left out: {error}", "hardware.servers"))
            return []
        seats = int(entry.accelerator_count)
        found: list[Option] = []
        for precision in formats:
            paths = self._paths(server, entry, precision)
            rows = self._rows(model, entry.accelerator, precision, engine, version, int(min(chip.domain, seats)), seats)
            found += [Option(server, entry.accelerator, seats, row, paths) for row in rows]
        return found

    def _rows(
        self, model: str, accelerator: str, precision: str, engine: str, version: str, domain: int, seats: int
    ) -> list[Row]:
        """Replicas of one format: within a server, or across as many as it takes to hold the model."""
        serving, entry, shape = self.inputs.serving, self.shelf.model(model), self.shelf.architecture(model)
        given = serving.gpus_per_replica_max
        rows: list[Row] = []
        for most in (given,) if given else tuple(seats * span for span in SPANS):
            layout = layouts(most, domain, heads=entry.attention_heads, experts=int(shape.experts),
                             layers=int(shape.layers))  # fmt: skip
            degrees = [(tp, pp, dp, ep) for tp, pp, dp, ep in zip(*(getattr(layout, name).tolist() for name in
                       ("tp", "pp", "dp", "ep")), strict=True)
                       if not serving.tensor_parallel or int(tp) in serving.tensor_parallel]  # fmt: skip
            rows = [
                Row(model, accelerator, precision, engine, version, kv_precision=self._cache(), n_gpus=tp * pp * dp,
                    tp=tp, pp=pp, dp=dp, ep=ep, concurrency=1.0)
                for tp, pp, dp, ep in degrees
            ]  # fmt: skip
            if rows and np.any(self._limit(rows) >= 1.0):
                break
        return rows

    def _cache(self) -> str | None:
        given = self.inputs.serving.kv_precision
        return None if given is None else canonical_precision(given)

    def _limit(self, rows: list[Row]) -> Any:
        medians = self.parameters.medians()
        lengths = (medians["workload.input_tokens"], medians["workload.output_tokens"])
        return batch_limit(deployment_of(rows, self.shelf), *lengths)

    def _paths(self, server: str, entry: Any, precision: str) -> dict[str, str]:
        """Inputs of a server and its accelerator."""
        accelerator = self.catalog.get("accelerators", entry.accelerator)
        paths = dict(self.general)
        wanted = {"hbm_tb_per_s", "hbm_gb", "scaleup_gb_per_s", "tdp_w", "bf16_dense_tflops", RATES.get(precision, "")}
        for name, label in CHIP.items():
            quantity = getattr(accelerator, name)
            if name in wanted and quantity is not None:
                paths[name] = self._add(f"accelerators.{entry.accelerator}.{name}", f"{label} of {accelerator.name}",
                                        quantity)  # fmt: skip
        host = f"servers.{server}.host_power_w"
        paths["host_power_w"] = self._add(host, "server power without accelerators", entry.host_power_w)
        price, path = entry.price_usd, f"servers.{server}.price_usd"
        if (basis := self.inputs.cost.basis) != "server":
            price, path = getattr(accelerator, BASES[basis]), f"accelerators.{entry.accelerator}.{BASES[basis]}"
        if price is not None:
            paths["price"] = self._add(path, f"price ({basis})", price)
        return paths

    def _add(self, path: str, label: str, quantity: Quantity) -> str:
        return self.parameters.add(path, label, quantity, low=0)

    def _with_errors(
        self, options: list[Option], chosen: str, calibration: Any, bands: dict[str, tuple[Any, Any]]
    ) -> list[Option]:
        """Options with the measured error of the time model as an input: a factor of one with its spread."""
        out = []
        for number, option in enumerate(options):
            paths = dict(option.paths)
            for name, (low, high) in bands.items():
                exact = constant(1.0, calibration.source, calibration.grade, calibration.evidence)
                width = float(np.log(high[number] / low[number])) / Z80 if np.isfinite(low[number]) else 0.0
                kind = kind_of(option.row, self.shelf)
                spread = Quantity(1.0, Lognormal(0.0, width)) if width > 0 else exact
                quantity = spread.within(calibration.source, calibration.grade, calibration.evidence)
                path = f"calibrations.{chosen}.{name}_{kind}_factor"
                label = f"{name.upper()} measured over computed, {kind}"
                paths[f"{name}_factor"] = self.parameters.add(path, label, quantity, low=0, unitless=True)
            out.append(replace(option, paths=paths))
        return out
