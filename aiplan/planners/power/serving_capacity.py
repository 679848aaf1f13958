"""What the servers that fit would answer and cost: tokens from the serving model, prices from the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiplan.catalog.names import canonical_precision
from aiplan.errors import InputError
from aiplan.planners.arrays import Array
from aiplan.planners.power.build import Values
from aiplan.planners.power.capping import HOURS_PER_YEAR
from aiplan.planners.power.case import Case, RackKind, refuse
from aiplan.planners.serving.deployment import whole_format
from aiplan.planners.serving.precision import CACHE_BYTES, EXPERT_BYTES, FIXED_BYTES
from aiplan.planners.serving.predict import calibrations, choose, predict
from aiplan.planners.serving.rows import Row, Shelf, engine_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog


@dataclass(frozen=True, slots=True)
class Served:
    """Tokens of one server of each kind, and what they rest on.

    Attributes
    ----------
    tokens_per_s : answer tokens of one server of each kind of rack [1/s]
    low, high : the same at the ends of the measured error [1/s]
    tpot_ms : time per output token, by kind [ms]
    source, grade : of the time model
    model : its name
    """

    tokens_per_s: list[float]
    low: list[float]
    high: list[float]
    tpot_ms: list[float]
    source: str
    grade: str
    model: str


def served(case: Case, catalog: Catalog, values: Values) -> Served | None:
    """Tokens of one server of each kind of rack; None where nothing is served.

    Raises
    ------
    InputError for a model, engine or format that cannot be timed, and for a model that does not fit.
    """
    serving = case.inputs.serving
    if serving is None:
        return None
    shelf = Shelf(catalog)
    try:
        model = catalog.resolve("models", serving.model)
    except InputError as error:
        raise InputError(error.under("serving.model")) from None
    engine, version = engine_of(serving.engine, [])
    if engine == "other":
        raise refuse("E235", f"'{serving.engine[:40]}' is not known", "serving.engine", "vllm, tensorrt-llm or sglang")
    precision = canonical_precision(serving.precision)
    if precision not in EXPERT_BYTES or precision not in FIXED_BYTES:
        raise refuse("E235", f"'{serving.precision[:40]}' is not known", "serving.precision",
                     f"one of {', '.join(EXPERT_BYTES)}")  # fmt: skip
    cache = canonical_precision(serving.kv_precision) if serving.kv_precision is not None else None
    if serving.kv_precision is not None and cache not in CACHE_BYTES:
        raise refuse("E235", f"'{serving.kv_precision[:40]}' is not known", "serving.kv_precision",
                     f"one of {', '.join(CACHE_BYTES)}")  # fmt: skip
    native = shelf.model(model).native_precision
    degree = float(serving.tensor_parallel)
    rows = [
        Row(model, rack.accelerator, whole_format(precision, native), engine, version, cache, n_gpus=degree, tp=degree,
            isl=values["serving.input_tokens"], osl=values["serving.output_tokens"],
            concurrency=values["serving.concurrency"])
        for rack in case.racks
    ]  # fmt: skip
    try:
        found = predict(rows, shelf)
    except ValueError as error:
        raise refuse("E235", str(error), "serving.model", "take another server or model") from None
    for number, rack in enumerate(case.racks):
        _check(rack, degree, bool(found.fits[number]))
    copies = [rack.gpus // serving.tensor_parallel for rack in case.racks]
    known = calibrations(shelf)
    entry = known[choose(rows[0], known)]

    def of_servers(rates: Array) -> list[float]:
        return [float(value) * copy for value, copy in zip(rates, copies, strict=True)]

    return Served(
        of_servers(found.output_tok_s), of_servers(found.output_tok_s_low), of_servers(found.output_tok_s_high),
        [float(value) for value in found.tpot_ms], entry.source, entry.grade, shelf.model(model).name,
    )  # fmt: skip


def _check(rack: RackKind, degree: float, fits: bool) -> None:
    if degree > rack.gpus:
        raise refuse("E235", f"{degree:g} accelerators are more than the {rack.gpus} of {rack.title}",
                     "serving.tensor_parallel", "lower it")  # fmt: skip
    if not fits:
        raise refuse("E235", f"does not fit on {degree:g} accelerators of {rack.title}", "serving.model",
                     "raise serving.tensor_parallel, or take a narrower precision")  # fmt: skip


def usd_per_h(case: Case, values: Values, servers: list[float], facility_mean_w: float) -> float | None:
    """Cost of an hour of all servers [USD/h]; None where one kind has no price.

    Rent of each accelerator, or the servers' price over their life and the electricity of the facility in the mean.
    """
    if any("price" not in rack.paths for rack in case.racks):
        return None
    prices = [values[rack.paths["price"]] for rack in case.racks]
    if case.inputs.cost.basis != "server":
        return sum(price * rack.gpus * many for price, rack, many in zip(prices, case.racks, servers, strict=True))
    hours = values["cost.lifetime_years"] * HOURS_PER_YEAR
    capital = sum(price * many for price, many in zip(prices, servers, strict=True)) / hours
    return capital + facility_mean_w / 1e3 * values["cost.electricity_usd_per_kwh"]
