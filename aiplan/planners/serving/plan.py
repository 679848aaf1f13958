"""A configuration to its numbers: time, memory, power, energy and money, and what each of them rests on.

`outcome` is one function of rows and of named values. It broadcasts, so that the answer, the effect of every input
and a sweep over layouts come from the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array
from aiplan.planners.parameters import Evidence, Value
from aiplan.planners.serving.collect import ACCELERATOR, LOAD, Case, Desk
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.memory import largest_context
from aiplan.planners.serving.memory_pool import Budget, DoesNotFit, require_fit
from aiplan.planners.serving.predict import Predicted, calibrations, choose, fraction_of, predict, serve
from aiplan.planners.serving.remarks import longest_context
from aiplan.planners.serving.rows import Row, Shelf, deployment_of
from aiplan.planners.serving.rows_cap import cap_text
from aiplan.planners.serving.server import component_power
from aiplan.planners.serving.service import MOST_FRACTION, DeviceMemory, Served, device_memory, engine_codes
from aiplan.planners.serving.time_constants import constants_of
from aiplan.report.model import Warn, worst_grade

GB = 1e9
GRID = 64
"""Loads looked at side by side in the search for the highest that keeps a promise."""
MOST_IN_FLIGHT = 1e7
"""Highest load that is looked at: what a scenario may ask for [1]."""
TIMED = frozenset({
    "ttft_ms", "ttft_idle_ms", "ttft_steady_ms", "tpot_ms", "itl_ms", "output_tok_s", "tok_s_per_gpu", "tok_s_per_user",
    "requests_per_s", "power_w", "server_power_w", "facility_power_w", "energy_j_per_token", "energy_per_query_wh",
    "wh_per_million_tokens", "usd_per_million_tokens", "speed_of_light_share", "batch",
})  # fmt: skip
"""Lines that rest on the calibration of time."""
CONDITIONS = frozenset({*(f"load.{path}" for path in LOAD.values()), "power.cap_w"})
"""Inputs that are the question itself: they move the answer and say nothing about how well it is known."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the time per token: its phase, what limits it, its time in that phase [ms] and its share [1]."""

    phase: str
    term: str
    time_ms: float
    share: float
    bound: str


@dataclass(frozen=True, slots=True)
class Goodput:
    """The highest load that keeps what was promised: requests in flight, requests/s, output tokens/s; 0 for none."""

    concurrency: float
    requests_per_s: float
    output_tok_s: float
    kept: bool


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers; NaN where a regime does not define one."""

    case: Case
    lines: dict[str, float]
    predicted: Predicted
    calibration: str
    calibration_entry: Any
    kv_precision: str
    memory: DeviceMemory
    breakdown: list[Part]
    goodput: Goodput | None
    evidence: dict[str, Evidence]
    warnings: list[Warn] = field(default_factory=list)


def plan(case: Case) -> Result:
    """Answer a case.

    Raises
    ------
    InfeasibleError (E156) where weights and one request do not fit, with what is missing and what would do.
    """
    parameters = case.parameters
    values = parameters.medians()
    row = case.row_at(values)
    predicted, lines = outcome(case, [row], case.shelf, values)
    known = calibrations(case.shelf)
    chosen = choose(row, known)
    deployment, _, served, _ = serve([row], case.shelf, known[chosen])
    memory = device_memory(deployment, fraction=fraction_of([row]))
    if not predicted.fits[0]:
        _refuse(case, row, memory)
    result = Result(
        case=case,
        lines={name: float(found[0]) for name, found in lines.items()},
        predicted=predicted,
        calibration=chosen,
        calibration_entry=known[chosen],
        kv_precision=deployment.numerics.kv_precision[0],
        memory=memory,
        breakdown=_breakdown(row, served, known[chosen]),
        goodput=goodput(case, row, predicted),
        evidence=_evidence(case, known[chosen], chosen),
    )
    _warn(result, row)
    return result


def outcome(
    case: Case, rows: Sequence[Row], shelf: Shelf, values: Mapping[str, Value]
) -> tuple[Predicted, dict[str, Array]]:
    """Lines of many rows at once.

    Parameters
    ----------
    case : for the paths of its inputs
    rows : deployments on the case's accelerator
    shelf : where their names are looked up
    values : every input by path, a number or one per row

    Returns
    -------
    What was predicted, and lines by id with shape (rows,).

    ``E_query = PUE (P_server + P_idle (1 - u)/u) / requests/s``, ``USD/token = price n / (3600 u tok/s)``
    """
    found = predict(rows, shelf)
    gpus = np.array([row.n_gpus for row in rows])
    answer = np.array([row.osl for row in rows])
    rate = found.output_tok_s
    requests = rate / answer
    busy, pue = np.asarray(values["facility.busy_fraction"]), np.asarray(values["facility.pue"])
    power = component_power(
        gpus, found.power_w / gpus, 1.0, values["power.host_power_w"], values["power.rated_power_w"],
        gpus / case.server_accelerators, values["power.idle_power_fraction"],
    )  # fmt: skip
    query_wh = pue * (power.server_w + power.idle_w * (1.0 - busy) / busy) / requests / 3600.0
    price = np.asarray(values[case.price]) if case.price else np.nan
    return found, {
        "ttft_ms": found.ttft_ms,
        "ttft_idle_ms": found.ttft_idle_ms,
        "ttft_steady_ms": found.ttft_steady_ms,
        "tpot_ms": found.tpot_ms,
        "itl_ms": found.itl_ms,
        "output_tok_s": rate,
        "tok_s_per_gpu": rate / gpus,
        "tok_s_per_user": 1e3 / found.tpot_ms,
        "requests_per_s": requests,
        "batch": found.batch,
        "batch_limit": found.batch_limit,
        "power_w": found.power_w,
        "server_power_w": power.server_w,
        "facility_power_w": pue * power.server_w,
        "energy_j_per_token": found.energy_j_per_token,
        "energy_per_query_wh": query_wh,
        "usd_per_million_tokens": 1e6 * price * gpus / (3600.0 * busy * rate),
        "wh_per_million_tokens": 1e6 * query_wh / answer,
        **_memory_lines(rows, shelf),
        "speed_of_light_share": found.light_share,
    }


def _memory_lines(rows: Sequence[Row], shelf: Shelf) -> dict[str, Array]:
    memory = device_memory(deployment_of(rows, shelf), fraction=fraction_of(rows))
    allowed = np.array([longest_context(shelf.model(row.model)) for row in rows])
    context = np.minimum(largest_context(memory.pool_bytes, memory.cache), allowed)
    return {
        "weights_gb_per_gpu": memory.weights_bytes / GB,
        "kv_gb_per_gpu": np.maximum(memory.pool_bytes, 0.0) / GB,
        "largest_context_tokens": np.where(np.isfinite(context), context, np.nan),
    }


def _refuse(case: Case, row: Row, memory: DeviceMemory) -> None:
    """Raise the error of a configuration that has no room for one request."""
    shelf = case.shelf
    deployment = deployment_of([row], shelf)
    budget = Budget(
        engine=float(engine_codes(deployment)[0]),
        fraction=float(memory.fraction[0]),
        total_bytes=float(memory.total_bytes[0]),
        reserve_bytes=float(memory.reserve_bytes[0]),
    )
    what = f"{case.shelf.model(row.model).name} in {row.precision} on {row.n_gpus:g} x {case.accelerator.name}"
    hint = "give it more GPUs (deployment.n_gpus, tp), a narrower precision, or shorter lengths"
    try:
        require_fit(
            shelf.architecture(row.model),
            Layout(row.tp, row.pp, row.dp, row.ep),
            row.precision,
            budget,
            kv_precision=deployment.numerics.kv_precision[0],
            context_tokens=row.isl + row.osl,
            domain=int(shelf.chip(row.hardware).domain),
            windows_in_full=shelf.architecture(row.model).window_chunked > 0,
        )
    except DoesNotFit as error:
        raise InfeasibleError(f"{what} does not fit: {error}", code="E156", hint=hint) from None
    raise InfeasibleError(f"{what} leaves no room for one request", code="E156", hint=hint)


def _breakdown(row: Row, served: Served, calibration: Any) -> list[Part]:
    """Terms of a decode step and of one prompt, with their shares of the time per token."""
    drafted = constants_of(calibration).speculative_factor if row.speculative else 1.0
    prompts = float(served.batch[0]) / row.osl / row.pp
    phases = (("decode step", served.decode, drafted), ("prefill of a prompt", served.prompt, prompts))
    # A sequence holds its place for its own prompt too: more than the time per token of its answer.
    total = sum(float(np.ravel(one.time_s)[0]) * weight for _, one, weight in phases)
    parts = []
    for phase, one, weight in phases:
        for name, term in one.terms.items():
            time, compute, memory, link = (
                float(np.ravel(getattr(term, key))[0]) for key in ("time_s", "compute_s", "memory_s", "link_s")
            )
            if time > 0:
                bound = "compute" if compute > memory else "memory" if memory > 0 else "links" if link > 0 else "fixed"
                parts.append(Part(phase, name, 1e3 * time, time * weight / total, bound))
    return parts


def goodput(case: Case, row: Row, stated: Predicted) -> Goodput | None:
    """The highest load whose time per token and steady time to first token keep what the scenario promises.

    Looks at loads from one request up to what memory holds, then closer between the last that keeps the promise and
    the first beyond; None where nothing is promised. ``stated`` is what was predicted for the row's own load.
    """
    slo = case.inputs.slo
    if slo.ttft_s is None and slo.tpot_s is None:
        return None
    ttft = np.inf if slo.ttft_s is None else 1e3 * slo.ttft_s.distribution.median
    tpot = np.inf if slo.tpot_s is None else 1e3 * slo.tpot_s.distribution.median
    kept_now = row.offline or bool(stated.tpot_ms[0] <= tpot and stated.ttft_steady_ms[0] <= ttft)
    # Memory holds as many online as it does for the stated load, unless that is a queue with another fraction.
    first = predict([replace(row, concurrency=1.0)], case.shelf) if row.offline else stated
    most = float(np.clip(np.floor(first.batch_limit[0] * row.dp * row.replicas), 1.0, MOST_IN_FLIGHT))
    low, high, best = 1.0, most, Goodput(0.0, 0.0, 0.0, kept=kept_now)
    while True:
        loads = sorted(set(np.round(np.geomspace(low, high, GRID)).tolist()))
        found = predict([replace(row, concurrency=one) for one in loads], case.shelf)
        kept = (found.tpot_ms <= tpot) & (found.ttft_steady_ms <= ttft)
        if not kept.any():
            break
        last = int(np.flatnonzero(kept)[-1])
        rate = float(found.output_tok_s[last])
        best = Goodput(loads[last], rate / row.osl, rate, kept=kept_now)
        if last + 1 == len(loads) or loads[last + 1] - loads[last] <= 1.0:
            break
        low, high = loads[last], loads[last + 1]
    return best


def _evidence(case: Case, calibration: Any, chosen: str) -> dict[str, Evidence]:
    """What moves each line; grade and sources leave out the load, which is the question, and add the calibration."""
    items = case.parameters.items
    out = {}
    for line, found in case.parameters.evidence(lambda values: _columns(case, values)).items():
        known = [items[path].quantity for path in found.inputs if path not in CONDITIONS]
        grades = [case.model.grade, *(number.grade or "assumption" for number in known)]
        sources = [number.source for number in known if number.source]
        behind = [f"models.{case.row.model}"]
        if line in TIMED:
            behind.append(f"calibrations.{chosen}")
            grades.append(calibration.grade)
            sources.insert(0, calibration.source)
        sources.append(case.model.source)
        out[line] = Evidence(
            (*found.inputs, *behind),
            found.effects,
            worst_grade(grades),
            tuple(dict.fromkeys(sources)),
        )
    return out


def _columns(case: Case, values: Mapping[str, Value]) -> dict[str, Array]:
    """Lines at columns of values, all side by side: an accelerator with other numbers is a variant on the shelf."""
    columns = {path: np.atleast_1d(np.asarray(found, dtype=np.float64)) for path, found in values.items()}
    total = max(len(column) for column in columns.values())
    columns = {path: np.broadcast_to(column, (total,)) for path, column in columns.items()}
    prefix = f"accelerators.{case.row.hardware}."
    names = [name for name in ACCELERATOR if f"{prefix}{name}" in columns]
    table = list(zip(*(columns[f"{prefix}{name}"].tolist() for name in names), strict=True))
    variants = {numbers: f"{case.row.hardware} {place}" for place, numbers in enumerate(dict.fromkeys(table))}
    changed = {
        name: _changed(case.accelerator, dict(zip(names, numbers, strict=True))) for numbers, name in variants.items()
    }
    rows = [case.row_at({path: float(column[place]) for path, column in columns.items()}) for place in range(total)]
    for row, numbers in zip(rows, table, strict=True):
        row.hardware = variants[numbers]
    return outcome(case, rows, Desk(case.shelf, case.row.hardware, changed), columns)[1]


def _changed(entry: Any, numbers: Mapping[str, float]) -> Any:
    """An accelerator with some of its numbers replaced."""
    new = {name: SimpleNamespace(value=float(value)) for name, value in numbers.items()}
    fields = (
        vars(entry)
        if isinstance(entry, SimpleNamespace)
        else {name: getattr(entry, name) for name in type(entry).model_fields}
    )
    return SimpleNamespace(**{**fields, **new})


def _warn(result: Result, row: Row) -> None:
    """What the reader must know of this answer."""
    warnings, found = result.warnings, result.predicted
    ranks = row.dp * row.replicas
    if not row.offline and row.concurrency / ranks > found.batch_limit[0] + 1e-9:
        text = f"of {row.concurrency:,.0f} requests in flight {found.batch_limit[0] * ranks:,.0f} fit: the rest waits"
        warnings.append(Warn("W-PERF-QUEUE", text, "load.concurrency"))
    taken, stated = float(result.memory.fraction[0]), result.case.inputs.deployment.memory_fraction
    if stated is None and taken >= MOST_FRACTION:
        text = f"the engine's own share of memory leaves no room for a cache: {taken:g} taken, as operators do"
        warnings.append(Warn("W-PERF-FRACTION", text, "deployment.memory_fraction"))
    capped = cap_text(row, *(float(one[0]) for one in (found.decode_clock, found.prompt_clock, found.capped_rate)))
    if capped:
        warnings.append(Warn("W-PERF-CAP", capped, "power.cap_w"))
    good = result.goodput
    if good is None:
        return
    if good.concurrency == 0.0:
        warnings.append(Warn("W-PERF-SLO", "no load keeps what slo promises, not even one request", "slo"))
    elif not good.kept:
        text = f"this load breaks what slo promises; up to {good.concurrency:,.0f} requests in flight keep it"
        warnings.append(Warn("W-PERF-SLO", text, "slo"))


__all__ = ["Goodput", "Part", "Result", "goodput", "outcome", "plan"]
