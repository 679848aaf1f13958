"""Deployments as rows of text: names looked up, gaps filled with documented defaults, everything assumed said.

One row is one deployment under one load. Rows come from a user's CSV, from public benchmark tables (`datasets`) and
from scenarios; all of them become `Row` here and arrays in `deployment_of`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.catalog.names import canonical_engine, canonical_precision, precision_hint
from aiplan.planners.serving.architecture import Architecture, architecture_of
from aiplan.planners.serving.cells import LIMITS, number
from aiplan.planners.serving.chip import Chip, chip_of
from aiplan.planners.serving.deployment import Deployment, deploy, whole_format
from aiplan.planners.serving.layout import Layout, complete_layout
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power_cap import least_cap_w
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.precision import CACHE_BYTES, EXPERT_BYTES, FIXED_BYTES
from aiplan.planners.serving.service import ROUNDS, Load

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

DEFAULT_PROMPT = 250.0
"""Prompt of a row that states none: what the power law was fitted with on chat; assumed [tokens]."""
DEFAULT_OUTPUT = 500.0
"""Answer of a row that states none; assumed [tokens]."""
PROMPT_BY_TASK = {
    "lm-arena-chat": 250.0, "gpqa": 250.0, "image-chat": 1000.0, "video-chat": 1000.0, "sourcegraph-fim": 6000.0,
}  # fmt: skip
"""Prompts of ML.ENERGY's tasks, whose table states none; what the power law was fitted with, assumed [tokens]."""
BENCHMARK_LENGTHS = {
    "llama-2-70b": (294.0, 294.0), "mixtral-8x7b": (400.0, 145.0), "llama-3.1-405b": (9428.0, 684.0),
    "llama-3.1-8b": (778.0, 128.0),
}  # fmt: skip
"""Mean lengths of MLPerf Inference's data sets by model. Answers: MLCommons' README for the first two, AMD's v5.1
article for 405B (prompt too), logs for 8B; the other prompts are assumed [tokens]."""
BENCHMARK_SPELLING = {"llama-3.1-8b": "llama3.1-8b"}
"""Models so common that only MLPerf's own spelling makes a bare row a benchmark run."""
TIGHT_SHARE = 0.6
"""Share of memory that weights may take where the layout is ours to choose: beyond, little is left for the cache."""


@dataclass(slots=True)
class Row:
    """One deployment under one load; NaN where unknown, lengths in tokens.

    ``static`` marks batches that start and end together; ``requests`` is the length of an offline run; ``rounds``
    are requests per user of a benchmark; ``memory_fraction`` is the engine's, its default where NaN; ``cap_w`` is the
    power cap of an accelerator, none where NaN; ``left_out`` and ``ttft_left_out`` say why a measured row is not
    fitted; ``group`` is the source's name for the row.
    """

    model: str
    hardware: str
    precision: str
    engine: str = "other"
    engine_version: str = ""
    kv_precision: str | None = None
    n_gpus: float = 1.0
    tp: float = 1.0
    pp: float = 1.0
    dp: float = 1.0
    ep: float = 1.0
    replicas: float = 1.0
    isl: float = DEFAULT_PROMPT
    osl: float = DEFAULT_OUTPUT
    concurrency: float = math.nan
    requests: float = math.inf
    rounds: float = ROUNDS
    memory_fraction: float = math.nan
    cap_w: float = math.nan
    static: bool = False
    speculative: bool = False
    output_tok_s: float = math.nan
    ttft_ms: float = math.nan
    tpot_ms: float = math.nan
    power_w: float = math.nan
    left_out: str = ""
    ttft_left_out: str = ""
    group: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def offline(self) -> bool:
        """Whether the queue never empties: no concurrency stated, or batches that run as one."""
        return self.static or math.isnan(self.concurrency)


class Shelf:
    """Models and accelerators by name, looked up once each."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._found: dict[tuple[str, str], str | Exception] = {}
        self._models: dict[str, Any] = {}
        self._architectures: dict[str, Architecture] = {}
        self._chips: dict[str, Chip] = {}

    def resolve(self, kind: str, name: str) -> str:
        """Id of a name; raises InputError with the nearest ids."""
        key = (kind, name)
        if key not in self._found:
            try:
                self._found[key] = self.catalog.resolve(kind, name)
            except Exception as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, Exception):
            raise found
        return found

    def model(self, model_id: str) -> Any:
        """Catalog entry of a model, or what was put there for it."""
        if model_id not in self._models:
            self._models[model_id] = self.catalog.get("models", model_id)
        return self._models[model_id]

    def put(self, model_id: str, model: Any) -> None:
        """Hold a model that the catalog does not have, such as one read from a ``config.json``."""
        self._models[model_id] = model
        self._found["models", model_id] = model_id

    def architecture(self, model_id: str) -> Architecture:
        """Sums over a model's layers."""
        if model_id not in self._architectures:
            self._architectures[model_id] = architecture_of(self.model(model_id))
        return self._architectures[model_id]

    def accelerator(self, hardware_id: str) -> Any:
        """Catalog entry of an accelerator."""
        return self.catalog.get("accelerators", hardware_id)

    def listed(self, hardware_id: str) -> str:
        """Id under which the catalog, its tables and the power law know an accelerator of this shelf."""
        return hardware_id

    def chip(self, hardware_id: str) -> Chip:
        """Numbers of an accelerator."""
        if hardware_id not in self._chips:
            entry = self.accelerator(hardware_id)
            needs = entry.bf16_achieved_tflops is None or entry.hbm_achieved_tb_per_s is None
            names = self.catalog.ids("accelerators") if needs else []
            others = (self.accelerator(name) for name in names if name != self.listed(hardware_id))
            self._chips[hardware_id] = chip_of(entry, [other for other in others if other.vendor == entry.vendor])
        return self._chips[hardware_id]


def place(cells: Mapping[str, str], shelf: Shelf) -> Row:
    """A row of texts as a `Row`.

    Raises InputError for a name the catalog does not have, ValueError for anything else that is wrong; both say what.
    """
    for key in ("model", "hardware"):
        if key not in cells:
            raise ValueError(f"{key} missing")
    model_id = shelf.resolve("models", cells["model"])
    hardware_id = shelf.resolve("accelerators", cells["hardware"])
    # Numbers the catalog lacks are this row's trouble and not that of the whole file.
    shelf.chip(hardware_id)
    notes: list[str] = []
    engine, version = engine_of(cells.get("framework", ""), notes)
    row = Row(model_id, hardware_id, "", engine, version, notes=notes)
    row.static = "static" in cells.get("framework", "").lower()
    for key in ("concurrency", "output_tok_s", "ttft_ms", "tpot_ms", "power_w", "cap_w"):
        setattr(row, key, number(cells, key))
    check_cap(row, shelf)
    bare = not any(key in cells for key in ("isl", "osl", "concurrency"))
    spelled = cells["model"].lower().startswith(BENCHMARK_SPELLING.get(model_id, ""))
    benchmark = bare and spelled and model_id in BENCHMARK_LENGTHS
    row.precision = _precision(cells, shelf, row, benchmark)
    row.kv_precision = _cache_precision(cells)
    _lengths(cells, row, benchmark)
    _spread(cells, shelf, row)
    return row


def check_cap(row: Row, shelf: Shelf) -> None:
    """Refuse a cap that the accelerator cannot keep whatever its clock."""
    if math.isnan(row.cap_w):
        return
    chip = shelf.chip(row.hardware)
    idle = POWER_CONSTANTS[power_class(row.hardware)].idle_share
    least = float(least_cap_w(chip.tdp_w, idle, chip.hbm_bytes_per_s))
    if row.cap_w < least:
        what = f"what {row.hardware} draws at its lowest clock with its memory at work"
        raise ValueError(f"cap_w must be at least {math.ceil(least)} W, {what}; got {row.cap_w:g} W")


def engine_of(text: str, notes: list[str]) -> tuple[str, str]:
    """Engine and version that a text names, ``other`` with a note where it names none that is known."""
    found = canonical_engine(text) if text else None
    if found is None:
        notes.append(f"engine '{text[:40]}' not known" if text else "engine not stated")
        return "other", ""
    engine, version = found
    return ("tensorrt-llm" if engine == "tensorrt" else engine), version


def _precision(cells: Mapping[str, str], shelf: Shelf, row: Row, benchmark: bool) -> str:
    """Format of the weights, stated or assumed."""
    native = shelf.model(row.model).native_precision
    given = cells.get("precision", "")
    if native == "mxfp4":
        # Nobody serves these in another format; tables call it FP4 or by that of the activations.
        if given and canonical_precision(given) not in ("mxfp4", "nvfp4"):
            row.notes.append(f"precision {given[:20]} read as mxfp4, the only format of this model")
        return "mxfp4"
    if given:
        found = canonical_precision(given) or canonical_precision(given.split("/")[0])
        if found not in EXPERT_BYTES or found not in FIXED_BYTES:
            raise ValueError(f"precision '{given[:40]}' is not known; one of {', '.join(EXPERT_BYTES)}")
        return whole_format(found, native)
    hint = precision_hint(cells["model"])
    if hint is None and benchmark:
        chip = shelf.chip(row.hardware)
        hint = "nvfp4" if chip.has_fp4 else "fp8" if chip.fp8_flops > chip.bf16_flops else None
        if hint:
            row.notes.append(f"precision {hint} assumed, the narrowest of the accelerator, as benchmarks choose")
    if hint is None:
        hint = native if native in EXPERT_BYTES and native != "fp32" else "bf16"
        row.notes.append(f"precision {hint} assumed, the model's own")
    return whole_format(hint, native)


def _cache_precision(cells: Mapping[str, str]) -> str | None:
    given = cells.get("kv_precision", "")
    if not given:
        return None
    found = canonical_precision(given)
    if found not in CACHE_BYTES:
        raise ValueError(f"kv_precision '{given[:40]}' is not known; one of {', '.join(CACHE_BYTES)}")
    return found


def _lengths(cells: Mapping[str, str], row: Row, benchmark: bool) -> None:
    """Prompt and answer, stated or assumed."""
    isl, osl = number(cells, "isl"), number(cells, "osl")
    if benchmark:
        isl, osl = BENCHMARK_LENGTHS[row.model]
        row.notes.append(f"lengths {isl:g}/{osl:g} assumed, those of MLPerf's data set")
    if math.isnan(isl):
        isl = PROMPT_BY_TASK.get(cells.get("task", ""), DEFAULT_PROMPT)
        row.notes.append(f"prompt length {isl:g} assumed")
    if math.isnan(osl):
        osl = DEFAULT_OUTPUT
        row.notes.append(f"answer length {osl:g} assumed")
    # A prompt has a first token, even where a table says 0.
    row.isl, row.osl = max(isl, 1.0), osl


def _spread(cells: Mapping[str, str], shelf: Shelf, row: Row) -> None:
    """Layout, stated, derived from the number of GPUs, or chosen."""
    n_gpus, tp, pp, dp, ep = (number(cells, key) for key in ("n_gpus", "tp", "pp", "dp", "ep"))
    moe = bool(shelf.architecture(row.model).experts)
    stated = [degree for degree in (tp, pp, dp) if not math.isnan(degree)]
    if math.isnan(n_gpus):
        n_gpus = math.prod(stated) if stated else 1.0
        if not stated:
            row.notes.append("n_gpus not stated: 1 assumed")
        elif n_gpus > LIMITS["n_gpus"][1]:
            raise ValueError(f"tp x pp x dp is {n_gpus:g} GPUs, more than {LIMITS['n_gpus'][1]:g}")
    if math.isnan(tp) and moe and ep > 1 and ep == n_gpus / (1.0 if math.isnan(pp) else pp):
        # Experts on every device and nothing said of attention: each device is a rank of its own.
        tp = 1.0
    if math.isnan(tp) and math.isnan(pp) and math.isnan(dp):
        tp = tensor_parallel_for(shelf, row, n_gpus)
        row.replicas = n_gpus / tp
        if n_gpus > 1:
            row.notes.append(f"layout not stated: {row.replicas:g} copies of TP{tp:g} assumed")
    if moe and tp == dp == n_gpus > 1 and (math.isnan(pp) or pp == 1):
        # Recipes for attention data parallelism state the size of the group for both.
        row.notes.append(f"TP{tp:g} and DP{dp:g} on {n_gpus:g} GPUs: read as DP{dp:g}")
        tp = 1.0
    product = math.prod(degree for degree in (tp, pp, dp) if not math.isnan(degree)) * row.replicas
    if n_gpus % product:
        row.notes.append(f"tp x pp x dp = {product:g} does not divide {n_gpus:g} GPUs: read as TP{n_gpus:g}")
        tp, pp, dp, product, row.replicas = n_gpus, 1.0, 1.0, n_gpus, 1.0
    stages = 1.0 if math.isnan(pp) else pp
    _check_stages(shelf, row, stages, 1.0 if moe or math.isnan(tp) else n_gpus / product)
    row.n_gpus = n_gpus
    # Experts are shared by the devices of one stage of one copy; a dense model has none to share.
    sharing = n_gpus / row.replicas / stages if moe else 0.0
    known_ep = ep if moe and _divides(ep, sharing) else math.nan
    row.tp, row.pp, row.dp, row.ep = _completed(n_gpus / row.replicas, tp, pp, dp, known_ep, moe)
    derived = [f"{name.upper()}{getattr(row, name):g}" for name, given in (("pp", pp), ("dp", dp))
               if getattr(row, name) > 1 and getattr(row, name) != given]  # fmt: skip
    if derived:
        row.notes.append(f"{' and '.join(derived)} derived from n_gpus")
    if moe and not _divides(ep, sharing):
        row.notes.append(f"ep = {ep:g} does not divide {sharing:g} GPUs: left out")
    _attention_ranks(row, moe, math.isnan(dp))


def _check_stages(shelf: Shelf, row: Row, stages: float, left: float) -> None:
    """No stage without a layer: a stated pipeline that is too long is a slip, a derived one becomes copies."""
    layers = shelf.architecture(row.model).layers
    if stages > layers:
        raise ValueError(f"pp = {stages:g} exceeds the {layers:g} layers of the model")
    if stages * left > layers:
        row.replicas *= left
        row.notes.append(f"{row.replicas:g} copies assumed: a pipeline over all GPUs has more stages than layers")


@lru_cache(maxsize=4096)
def _completed(n_gpus: float, tp: float, pp: float, dp: float, ep: float, moe: bool) -> tuple[float, ...]:
    """`layout.complete_layout` of one row; files repeat a few layouts many times."""
    layout = complete_layout(n_gpus, tp, pp, dp, ep, moe=moe)
    return tuple(float(getattr(layout, name)) for name in ("tp", "pp", "dp", "ep"))


def _divides(ep: float, n_gpus: float) -> bool:
    return math.isnan(ep) or n_gpus % ep == 0


def _attention_ranks(row: Row, moe: bool, free: bool) -> None:
    """TensorRT-LLM's maxima of models with experts ran with attention data parallelism, under the label TP."""
    released = _release(row)
    recent = not released or released[0] >= 1
    if moe and free and row.engine == "tensorrt-llm" and row.offline and not row.static and recent and row.tp > 1:
        row.dp, row.tp, row.ep = row.dp * row.tp, 1.0, row.dp * row.tp
        row.notes.append(f"attention data-parallel over {row.dp:g}, as TensorRT-LLM's tables of maxima")


def _release(row: Row) -> tuple[int, ...]:
    """Major and minor number of an engine's version, as far as they are numbers."""
    return tuple(int(part) for part in row.engine_version.split(".")[:2] if part.isdigit())


def tensor_parallel_for(shelf: Shelf, row: Row, n_gpus: float) -> float:
    """Smallest power of two of GPUs, up to those there are, on which the weights leave room for a cache."""
    model, chip = shelf.architecture(row.model), shelf.chip(row.hardware)
    routed = model.routed_params * EXPERT_BYTES[row.precision]
    rest = (model.stored_params - model.routed_params - 2 * model.head_params) * FIXED_BYTES[row.precision]
    total = routed + rest + 4.0 * model.head_params
    tp = 1.0
    while tp * 2 <= n_gpus and n_gpus % (tp * 2) == 0 and total / tp > TIGHT_SHARE * chip.memory_bytes:
        tp *= 2
    return tp


GROUPED_CACHE_SINCE = (0, 8)
"""TensorRT-LLM's first release after its kernel that shares a cached head among its query heads, announced in January
2024 with 2.4 times the throughput of Llama 70B (TensorRT-LLM, docs/source/blogs/XQA-kernel.md)."""
MOST_SHARED_HEADS = 8.0
"""Query heads per cached head of the models seen on older releases; their reads grew by about as much [1]."""


def _grouped_cache_factor(row: Row, model: Any) -> float:
    """Reads of the cache per read needed: engines before shared heads read it once for each query head."""
    released = _release(row)
    if row.engine != "tensorrt-llm" or not released or released >= GROUPED_CACHE_SINCE or not model.kv_heads:
        return 1.0
    return float(min(model.attention_heads / model.kv_heads, MOST_SHARED_HEADS))


def deployment_of(rows: Sequence[Row], shelf: Shelf) -> Deployment:
    """Rows as arrays."""
    degrees = np.array([[row.tp, row.pp, row.dp, row.ep] for row in rows], dtype=np.float64).T
    return deploy(
        [shelf.architecture(row.model) for row in rows],
        [shelf.chip(row.hardware) for row in rows],
        Layout(*degrees),
        [row.precision for row in rows],
        kv_precision=[row.kv_precision for row in rows],
        engine=[row.engine for row in rows],
        replicas=np.array([row.replicas for row in rows]),
        grouped_cache_factor=np.array([_grouped_cache_factor(row, shelf.model(row.model)) for row in rows]),
    )


def load_of(rows: Sequence[Row]) -> Load:
    """What is asked of each row."""
    return Load(
        prompt_tokens=np.array([row.isl for row in rows]),
        output_tokens=np.array([row.osl for row in rows]),
        concurrency=np.array([row.concurrency for row in rows]),
        speculative=np.array([float(row.speculative) for row in rows]),
    )
