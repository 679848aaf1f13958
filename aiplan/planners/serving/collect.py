"""Everything a scenario of `aiplan perf` names, looked up: the row to predict, and what power and money rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.inputs.reader import printable
from aiplan.planners.parameters import Parameters
from aiplan.planners.serving.inputs import PerfInputs
from aiplan.planners.serving.predict import memory_limit
from aiplan.planners.serving.remarks import remarks
from aiplan.planners.serving.rows import Row, Shelf, deployment_of, load_of, place
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

ACCELERATOR = {
    "bf16_dense_tflops": "BF16 rate", "fp8_dense_tflops": "FP8 rate", "fp4_dense_tflops": "FP4 rate",
    "bf16_achieved_tflops": "BF16 rate reached", "fp8_achieved_tflops": "FP8 rate reached",
    "hbm_gb": "memory", "hbm_tb_per_s": "memory bandwidth", "hbm_achieved_tb_per_s": "memory bandwidth reached",
    "scaleup_gb_per_s": "link bandwidth", "tdp_w": "TDP",
}  # fmt: skip
"""Fields of an accelerator that a prediction may rest on, with what they are called."""
PRICES = {"neocloud_usd_per_h": "cost at a specialised cloud", "hyperscaler_usd_per_h": "cost at a hyperscaler",
          "rental_3y_usd_per_h": "rent on a three-year contract"}  # fmt: skip
"""Prices of an accelerator in the catalog, the first that is known counts."""
HOST_POWER_W, HOST_ACCELERATORS = 1600.0, 8
"""Host of accelerators without a server in the catalog: that of an HGX of eight, as `server` has it; assumed."""
IDLE_FRACTION = 0.24
"""Power at no load over rated power where the catalog has no server, see `server.idle_power_w`; assumed."""


class Desk(Shelf):
    """A shelf with variants of an accelerator beside it: some of its numbers changed, the rest as it was looked up."""

    def __init__(self, shelf: Shelf, hardware_id: str, variants: Mapping[str, Any]) -> None:
        super().__init__(shelf.catalog)
        self._found, self._models, self._architectures = shelf._found, shelf._models, shelf._architectures
        self._original, self._variants = hardware_id, variants

    def accelerator(self, hardware_id: str) -> Any:
        """The variant of that name, or the catalog's entry."""
        return self._variants.get(hardware_id) or super().accelerator(hardware_id)

    def listed(self, hardware_id: str) -> str:
        """Id in the catalog of an accelerator or of the one it is a variant of."""
        return self._original if hardware_id in self._variants else hardware_id


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Name of a model, and where its shape was read."""

    name: str
    source: str
    grade: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Case:
    """One configuration, everything found.

    Attributes
    ----------
    inputs, row, shelf : what was asked, what is predicted, where its names are looked up
    parameters : numbers by path, with source and grade
    model : what the model's shape rests on
    accelerator, server, operator : catalog entries; ``server`` and ``operator`` None where there is none
    server_accelerators : accelerators that share one host [1]
    price : path of the price; empty where nobody knows one
    warnings : what was assumed, and what is unusual
    """

    inputs: PerfInputs
    row: Row
    shelf: Shelf
    parameters: Parameters
    model: ModelSource
    accelerator: Any
    server: Any
    operator: Any
    server_accelerators: int
    price: str
    warnings: tuple[Warn, ...]

    def row_at(self, values: Mapping[str, float]) -> Row:
        """The row with its load and cap at given values."""
        load = {name: values.get(f"load.{path}", math.nan) for name, path in LOAD.items()}
        cap = values.get("power.cap_w", math.nan)
        return replace(self.row, isl=max(load["isl"], 1.0), osl=load["osl"], concurrency=load["concurrency"], cap_w=cap)


LOAD = {"isl": "input_tokens", "osl": "output_tokens", "concurrency": "concurrency"}
PATHS = {
    **{name: f"load.{path}" for name, path in LOAD.items()},
    "precision": "deployment.precision", "kv_precision": "deployment.kv_precision", "n_gpus": "deployment.n_gpus",
    "ep": "deployment.ep", "pp": "deployment.pp", "tp,": "deployment.n_gpus", "the": "deployment.hardware",
    "cap_w": "power.cap_w",
}  # fmt: skip
"""Input that a message of the core is about, by its first word."""


def build_case(scenario: Scenario[PerfInputs], catalog: Catalog) -> Case:
    """Look up everything a scenario names.

    Raises
    ------
    InputError with all names the catalog lacks, or the first combination that cannot run.
    """
    return _Builder(scenario, catalog).build()


class _Builder:
    def __init__(self, scenario: Scenario[PerfInputs], catalog: Catalog) -> None:
        self.scenario, self.inputs, self.catalog = scenario, scenario.inputs, catalog
        self.shelf = Shelf(catalog)
        self.parameters = Parameters()
        self.problems: list[Problem] = []
        self.warnings: list[Warn] = []

    def build(self) -> Case:
        """The case, or InputError with every problem found on the way."""
        asked = self.inputs.deployment
        model = self._model()
        server = self._lookup("servers", asked.server, "deployment.server")
        hardware = self._hardware(server)
        operator = self._lookup("operators", self.inputs.facility.operator, "facility.operator")
        self._pue(operator)
        if self.problems:
            raise InputError(self.problems)
        row = self._row(model, hardware, server)
        server = server or self._server_of(hardware)
        accelerator = self.catalog.get("accelerators", hardware)
        self._load()
        self._accelerator(hardware, accelerator)
        self._host(hardware, server)
        price = self._price(hardware, accelerator)
        self._notes(row)
        count = HOST_ACCELERATORS if server is None else server.accelerator_count
        return Case(self.inputs, row, self.shelf, self.parameters, self._source(row), accelerator, server, operator,
                    count, price, tuple(self.warnings))  # fmt: skip

    def _source(self, row: Row) -> ModelSource:
        entry, config = self.shelf.model(row.model), self.inputs.deployment.config
        if not config:
            return ModelSource(entry.name, entry.source, entry.grade, entry.evidence)
        # A vendor publishes it with the weights, and it says what they are.
        return ModelSource(entry.name, printable(config), "datasheet", "derived")

    def _lookup(self, kind: str, name: str | None, path: str) -> Any:
        if not name:
            return None
        try:
            return self.catalog.get(kind, name)
        except InputError as error:
            self._gather(error, path)
            return None

    def _gather(self, error: InputError, path: str) -> None:
        self.problems += error.under(path)

    def _problem(self, code: str, path: str, text: str, hint: str) -> None:
        self.problems.append(Problem(code, f"{path} {text}", path, hint=hint))

    def _model(self) -> str:
        """Name to ask the shelf for: a model of the catalog, or one read from its own config."""
        asked = self.inputs.deployment
        if not asked.config:
            if not asked.model:
                self._problem("E103", "deployment.model", "is missing", 'add it, or config = "config.json"')
                return ""
            try:
                self.shelf.model(self.shelf.resolve("models", asked.model))
            except InputError as error:
                self._gather(error, "deployment.model")
            return asked.model
        from aiplan.planners.serving.hf_config import read_hf_config

        path = self._config_path(asked.config)
        if path is None:
            return ""
        found = read_hf_config(path)
        self.warnings += [Warn("W-PERF-CONFIG", text, "deployment.config") for text in found.warnings]
        self.shelf.put(found.name, found)
        return found.name

    def _config_path(self, text: str) -> Path | None:
        """The file meant: any on the command line, one in its own folder from a scenario file."""
        at = ("deployment", "config")
        layer = next((layer for layer in self.scenario.layers if layer.depth(at) == len(at)), None)
        if layer is None or not layer.is_file or layer.document.path is None:
            return Path(text)
        folder = layer.document.path.resolve().parent
        if Path(text).is_absolute() or not (folder / text).resolve().is_relative_to(folder):
            hint = "put it beside the scenario, or give it with --config"
            self._problem("E102", "deployment.config", "must be a file in the scenario's folder", hint)
            return None
        return folder / text

    def _hardware(self, server: Any) -> str:
        """Accelerator id, empty where it cannot be told."""
        asked = self.inputs.deployment
        if not asked.hardware:
            if server is None and not asked.server:
                self._problem("E103", "deployment.hardware", "is missing", "add it, or a server")
            return server.accelerator if server else ""
        try:
            found = self.catalog.resolve("accelerators", asked.hardware)
        except InputError as error:
            self._gather(error, "deployment.hardware")
            return ""
        if server is not None and server.accelerator != found:
            hint = "name one of the two"
            self._problem(
                "E102", "deployment.hardware", f"is '{found}', but the server has '{server.accelerator}'", hint
            )
        return found

    def _server_of(self, hardware: str) -> Any:
        entries = (self.catalog.get("servers", name) for name in self.catalog.ids("servers"))
        return next((entry for entry in entries if entry.accelerator == hardware), None)

    def _row(self, model: str, hardware: str, server: Any) -> Row:
        """The configuration as a row, its layout completed."""
        asked, load = self.inputs.deployment, self.inputs.load
        stated = {name: getattr(asked, name) for name in ("tp", "pp", "dp") if getattr(asked, name) is not None}
        layout, copies = math.prod(stated.values()), asked.copies or 1
        n_gpus = asked.n_gpus
        if n_gpus is None:
            n_gpus = layout * copies if stated or asked.copies else server.accelerator_count if server else 1
        if n_gpus % (layout * copies):
            text = " x ".join([*stated, *(["copies"] if asked.copies else [])])
            hint = f"{text} = {layout * copies}; change one of them"
            raise InputError(Problem("E102", f"deployment.n_gpus = {n_gpus} is no multiple of {text}",
                                     "deployment.n_gpus", hint=hint))  # fmt: skip
        cells = {"model": model, "hardware": hardware, "n_gpus": str(n_gpus // copies), "framework": asked.engine}
        cells |= {name: str(degree) for name, degree in stated.items()}
        cells |= {name: str(value) for name in ("ep", "precision", "kv_precision") if (value := getattr(asked, name))}
        for name, path in LOAD.items():
            given: Quantity | None = getattr(load, path)
            cells |= {} if given is None else {name: repr(given.distribution.median)}
        cap = self.inputs.power.cap_w
        cells |= {} if cap is None else {"cap_w": repr(cap.distribution.median)}
        if asked.ep and n_gpus // copies % asked.ep:
            raise InputError(Problem("E102", f"deployment.ep = {asked.ep} does not divide {n_gpus // copies} GPUs",
                                     "deployment.ep", hint="take a divisor"))  # fmt: skip
        try:
            row = place(cells, self.shelf)
            if list(stated) == ["tp"] and not asked.ep and not asked.copies:
                row, copies = self._as_copies(cells, row, n_gpus // asked.tp if asked.tp else 1)
        except ValueError as error:
            path = PATHS.get(str(error).split(" ", 1)[0], "deployment")
            raise InputError(Problem("E134" if path == PATHS["the"] else "E102", f"{path}: {error}", path,
                                     hint="see `aiplan schema scenario perf`")) from None  # fmt: skip
        # The rule that chose a layout is documented and the layout shown: no reason to warn.
        row.notes = [note for note in row.notes if not note.startswith("layout not stated")]
        row.n_gpus, row.replicas = float(n_gpus), row.replicas * copies
        row.speculative, row.rounds = load.speculative, load.rounds
        row.memory_fraction = math.nan if asked.memory_fraction is None else asked.memory_fraction
        return row

    def _as_copies(self, cells: Mapping[str, str], whole: Row, copies: int) -> tuple[Row, int]:
        """Tensor parallelism alone, on more GPUs than it takes: copies, where one of them has room for a request.

        A planner asks for a way to run the model; a row of a measured table (`rows`) has run as one group.
        """
        if copies == 1:
            return whole, 1
        one = place({**cells, "n_gpus": cells["tp"]}, self.shelf)
        room = memory_limit([one], deployment_of([one], self.shelf), load_of([one]))
        return (one, copies) if room[0] >= 1 else (whole, 1)

    def _load(self) -> None:
        labels = {
            "input_tokens": "prompt tokens",
            "output_tokens": "answer tokens",
            "concurrency": "requests in flight",
        }
        for name, label in labels.items():
            given = getattr(self.inputs.load, name)
            if given is not None:
                self._add(f"load.{name}", label, given, low=0)
        if self.inputs.power.cap_w is not None:
            self._add("power.cap_w", "power cap of an accelerator", self.inputs.power.cap_w, low=0)

    def _add(self, path: str, label: str, number: Quantity, **bounds: Any) -> str:
        if number.uncertain:
            text = f"{path} is uncertain; its median is used"
            self.warnings.append(Warn("W-PERF-MEDIAN", text, path))
        return self.parameters.add(path, label, number, **bounds)

    def _accelerator(self, hardware: str, entry: Any) -> None:
        for name, label in ACCELERATOR.items():
            number = getattr(entry, name)
            if number is not None:
                self.parameters.add(f"accelerators.{hardware}.{name}", f"{label} of {entry.name}", number, low=0)

    def _host(self, hardware: str, server: Any) -> None:
        """Host and rating of the server, or of eight accelerators where the catalog has none."""
        given = self.inputs.power.host_power_w
        if server is None:
            why = f"no server with {hardware} in the catalog: the host of eight accelerators is assumed"
            self.warnings.append(Warn("W-PERF-HOST", why, "deployment.server"))
            host = constant(HOST_POWER_W, "aiplan-choice", "assumption", "assumed", why)
            idle = constant(IDLE_FRACTION, "aiplan-choice", "assumption", "assumed", why)
            tdp = self.catalog.get("accelerators", hardware).tdp_w
            rated = constant(
                tdp.value * HOST_ACCELERATORS + HOST_POWER_W, "aiplan-choice", "assumption", "assumed", why
            )
        else:
            host, idle, rated = server.host_power_w, server.idle_power_fraction, server.max_power_w
        add = self.parameters.add
        add("power.host_power_w", "server power without accelerators", given or host, low=0)
        add("power.rated_power_w", "rated power of the server", rated, low=0)
        add("power.idle_power_fraction", "idle power over rated power", idle, low=0, high=1)
        busy = self.inputs.facility.busy_fraction or constant(
            1.0, "aiplan-choice", "assumption", "assumed", "no idle time"
        )
        self._add("facility.busy_fraction", "busy share of the time", busy, low=0, high=1)

    def _pue(self, operator: Any) -> None:
        pue = self.inputs.facility.pue or (operator.pue if operator else None)
        if pue is not None:
            # An operator's span is data, not a question: no need to say that its median is taken.
            add = self._add if self.inputs.facility.pue else self.parameters.add
            add("facility.pue", "power usage effectiveness", pue, low=1)
        elif not self.problems:
            hint = "add pue = ..., or an operator whose PUE the catalog knows"
            self._problem("E135", "facility.pue", "is missing", hint)

    def _price(self, hardware: str, entry: Any) -> str:
        given = self.inputs.price.gpu_usd_per_h
        if given is not None:
            return self._add("price.gpu_usd_per_h", "price per accelerator", given, low=0)
        for name, label in PRICES.items():
            number = getattr(entry, name)
            if number is not None:
                return self.parameters.add(f"accelerators.{hardware}.{name}", f"{label}, {entry.name}", number, low=0)
        text = f"the catalog has no price of {hardware}: cost is left out"
        self.warnings.append(Warn("W-PERF-PRICE", text, "price.gpu_usd_per_h"))
        return ""

    def _notes(self, row: Row) -> None:
        """What was assumed for the row, and what is unusual about it."""
        self.warnings += [Warn("W-PERF-ASSUMED", note, "deployment") for note in row.notes]
        paths = {"W-PERF-CONTEXT": "load", "W-PERF-POWER": "deployment.hardware"}
        self.warnings += [Warn(code, text, paths.get(code, "deployment")) for code, text in remarks(row, self.shelf)]


__all__ = ["ACCELERATOR", "LOAD", "Case", "Desk", "build_case"]
