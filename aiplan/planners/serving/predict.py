"""Rows in, predictions out: the one place where time, power and their errors come together.

Regime and constants are chosen per row; rows of one choice are computed side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.memory_pool import RESERVE_BYTES
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.roofline import rates
from aiplan.planners.serving.rows import Row, Shelf, deployment_of, load_of
from aiplan.planners.serving.rows_cap import caps_of, phases_of
from aiplan.planners.serving.rows_power import power_of_rows
from aiplan.planners.serving.service import Load, Served, batch_limit, offline, online
from aiplan.planners.serving.time_constants import constants_of

QUANTITIES = ("tpot", "ttft", "throughput", "energy")
BENCHMARK_FRACTION = 0.95
"""Memory fraction of TensorRT-LLM's published offline runs [1]."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What is known of each row after prediction; arrays of shape (rows,), NaN where nothing can be said.

    ``*_low`` and ``*_high`` are the P10 and P90 of the measured error of rows like it.

    Attributes
    ----------
    tpot_ms, itl_ms, ttft_ms, ttft_idle_ms, ttft_steady_ms : see `service.Served`; ``ttft_ms`` is the benchmark's [ms]
    output_tok_s : output tokens of all devices, the measured one where it was given [1/s]
    power_w : accelerators only, all of them [W]
    energy_j_per_token : per output token [J]
    batch, batch_limit : per attention data-parallel rank [1]
    prefill_share, light_share : share of time in prefill; speed-of-light time over predicted time [1]
    bottleneck : the part of the time that is longest, by name
    method : how time and power were found
    fits : whether the weights and one sequence fit
    beyond_peak : whether the rate is more than the accelerators' peak allows
    decode_clock, prompt_clock : clocks under the row's power cap over the highest, 1 without one [1]
    capped_rate, capped_power : tokens/s and power of the roofline over those without the cap [1]
    """

    tpot_ms: Array
    tpot_ms_low: Array
    tpot_ms_high: Array
    itl_ms: Array
    ttft_ms: Array
    ttft_ms_low: Array
    ttft_ms_high: Array
    ttft_idle_ms: Array
    ttft_steady_ms: Array
    output_tok_s: Array
    output_tok_s_low: Array
    output_tok_s_high: Array
    power_w: Array
    power_w_low: Array
    power_w_high: Array
    energy_j_per_token: Array
    energy_j_per_token_low: Array
    energy_j_per_token_high: Array
    batch: Array
    batch_limit: Array
    prefill_share: Array
    light_share: Array
    bottleneck: list[str]
    method: list[str]
    fits: Array
    beyond_peak: Array
    decode_clock: Array
    prompt_clock: Array
    capped_rate: Array
    capped_power: Array


def calibrations(shelf: Shelf) -> dict[str, Any]:
    """Calibrations of the catalog by id, those of an overlay first."""
    catalog = shelf.catalog
    names = sorted(catalog.ids("calibrations"), key=lambda name: not catalog.is_overlaid("calibrations", name))
    return {name: catalog.get("calibrations", name) for name in names}


def choose(row: Row, known: dict[str, Any]) -> str:
    """Id of the calibration that fits a row best: its regime, then its engine and release, then the first known."""
    regime = "offline" if row.offline else "online"

    def closeness(name: str) -> int:
        entry = known[name]
        if entry.regime != regime or (entry.engine and entry.engine != row.engine):
            return -1
        if entry.engine_version and not _same_release(row.engine_version, entry.engine_version):
            return -1
        return bool(entry.engine) + 2 * bool(entry.engine_version)

    best = max(known, key=closeness)
    if closeness(best) < 0:
        raise ValueError(f"the catalog has no {regime} calibration")
    return best


def _same_release(version: str, start: str) -> bool:
    return version == start or version.startswith(start + ".")


def kind_of(row: Row, shelf: Shelf) -> str:
    """Class of a row for its error band, the least certain that applies."""
    if shelf.accelerator(row.hardware).vendor != "NVIDIA":
        return "vendor"
    if row.precision in ("nvfp4", "fp4", "mxfp4", "int4", "w4a16"):
        return "fp4"
    return "moe" if shelf.architecture(row.model).experts else "dense"


def memory_limit(rows: Sequence[Row], deployment: Deployment, load: Load) -> Array:
    """Sequences that fit per rank under the stated memory fraction or the engine's default, see `fraction_of`."""
    return batch_limit(deployment, load.prompt_tokens, load.output_tokens, fraction=fraction_of(rows),
                       reserve_bytes=RESERVE_BYTES)  # fmt: skip


def fraction_of(rows: Sequence[Row]) -> Array:
    """Memory fraction of each row, NaN for the engine's default; published offline runs raised it [1]."""
    raised = [row.offline and row.engine == "tensorrt-llm" for row in rows]
    stated = np.array([row.memory_fraction for row in rows])
    return np.where(np.isnan(stated) & raised, BENCHMARK_FRACTION, stated)


def predict(rows: Sequence[Row], shelf: Shelf, *, tables: bool = True) -> Predicted:
    """Time, power and energy of every row.

    Parameters
    ----------
    rows : deployments under their loads
    shelf : where models and accelerators are looked up
    tables : whether a published throughput table that applies beats the roofline, see `tables`

    Raises ValueError where the catalog has no calibration for a regime.
    """
    known = calibrations(shelf)
    chosen = np.array([choose(row, known) for row in rows])
    total = len(rows)
    arrays = {name: np.full(total, np.nan) for name in Predicted.__slots__ if name not in ("bottleneck", "method")}
    names = [""] * total
    for calibration in sorted(set(chosen.tolist())):
        index = np.flatnonzero(chosen == calibration)
        some = [rows[number] for number in index.tolist()]
        for name, values in _times(some, shelf, known[str(calibration)], names, index).items():
            arrays[name][index] = values
    read = _from_tables(rows, shelf, arrays) if tables and any(row.offline for row in rows) else [""] * total
    method = _power(rows, shelf, chosen, known, arrays, read)
    arrays["fits"] = arrays["batch_limit"] >= 1.0
    return Predicted(**arrays, bottleneck=names, method=method)


@dataclass(frozen=True, slots=True)
class CapEffect:
    """Tokens/s and power under caps over those without, shape (rows,) [1]."""

    rate: Array
    power: Array


def serve(rows: Sequence[Row], shelf: Shelf, calibration: Any) -> tuple[Deployment, Load, Served, CapEffect]:
    """Rows of one calibration as arrays, with their times; rows with a power cap at the clocks that meet it."""
    deployment, load = deployment_of(rows, shelf), load_of(rows)
    constants = constants_of(calibration)
    limit = memory_limit(rows, deployment, load)

    def run(deployment: Deployment) -> Served:
        if calibration.regime == "offline":
            return offline(deployment, constants, load, limit, np.array([row.requests for row in rows]))
        return online(deployment, constants, load, limit, np.array([row.rounds for row in rows]))

    free, caps = run(deployment), caps_of(rows)
    if np.isinf(caps).all():
        return deployment, load, free, CapEffect(np.ones(len(rows)), np.ones(len(rows)))
    phases = phases_of(rows, shelf, deployment, free, rates(deployment, constants).memory)
    decode, prompt = phases.clocks(caps)
    deployment = replace(deployment, decode_clock=decode, prompt_clock=prompt)
    served, bound = run(deployment), np.minimum(decode, prompt) < 1.0
    # No clock moves the batch, so that power at the highest clock is that of the same phases.
    power = phases.capped_mean_w(caps, served.prefill_share) / phases.mean_w
    rate = served.output_tok_s / free.output_tok_s
    return deployment, load, served, CapEffect(np.where(bound, rate, 1.0), np.where(bound, power, 1.0))


def _times(rows: list[Row], shelf: Shelf, calibration: Any, names: list[str], index: Any) -> dict[str, Array]:
    """Times and rates of rows of one calibration, with their bands."""
    deployment, load, served, cap = serve(rows, shelf, calibration)
    longest = _bottlenecks(served, load)
    for place, number in enumerate(index.tolist()):
        names[number] = longest[place]
    kinds = np.array([kind_of(row, shelf) for row in rows])
    out = {
        "tpot_ms": 1e3 * served.tpot_s,
        "itl_ms": 1e3 * served.itl_s,
        "ttft_ms": 1e3 * served.ttft_benchmark_s,
        "ttft_idle_ms": 1e3 * served.ttft_idle_s,
        "ttft_steady_ms": 1e3 * served.ttft_steady_s,
        "output_tok_s": served.output_tok_s,
        "batch": served.batch,
        "batch_limit": served.batch_limit,
        "prefill_share": served.prefill_share,
        "light_share": _light_share(served, load, deployment),
        "decode_clock": np.broadcast_to(deployment.decode_clock, (len(rows),)),
        "prompt_clock": np.broadcast_to(deployment.prompt_clock, (len(rows),)),
        "capped_rate": cap.rate,
        "capped_power": cap.power,
    }
    for name, quantity in (("tpot_ms", "tpot"), ("ttft_ms", "ttft"), ("output_tok_s", "throughput")):
        low, high = band(calibration, quantity, kinds)
        out[f"{name}_low"], out[f"{name}_high"] = out[name] * low, out[name] * high
    return out


def band(calibration: Any, quantity: str, kinds: Array) -> tuple[Array, Array]:
    """Factors from a prediction to the P10 and P90 of what is measured, per row [1]; NaN where nothing was measured.

    Errors of throughput are those of time. A class without rows takes the widest of the others.
    """
    held = [row for row in calibration.bands if _get(row, "quantity") == quantity]
    if not held and quantity in ("tpot", "throughput"):
        other = "throughput" if quantity == "tpot" else "tpot"
        held = [row for row in calibration.bands if _get(row, "quantity") == other]
    if not held:
        return np.full(len(kinds), np.nan), np.full(len(kinds), np.nan)
    widest = max(held, key=lambda row: _get(row, "p90") - _get(row, "p10"))
    by_kind = {_get(row, "kind"): row for row in held}
    rows = [by_kind.get(str(kind), widest) for kind in kinds]
    p10 = np.array([_get(row, "p10") for row in rows])
    p90 = np.array([_get(row, "p90") for row in rows])
    # ln(predicted / measured) of time: what is measured lies at prediction * exp(-error).
    if quantity == "throughput":
        return np.exp(p10), np.exp(p90)
    return np.exp(-p90), np.exp(-p10)


def _get(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)


def _bottlenecks(served: Served, load: Load) -> list[str]:
    """The longest part of each row's time: of a decode step, or prefill where that takes more."""
    terms, shape = served.decode.terms, served.tpot_s.shape

    def of_terms(part: str) -> Array:
        return np.array([np.broadcast_to(getattr(term, part), shape) for term in terms.values()])

    longest = np.argmax(of_terms("time_s"), axis=0)
    by_compute = (of_terms("compute_s") > of_terms("memory_s"))[longest, np.arange(len(longest))]
    own = {"links": "communication", "overhead": "overhead", "scheduling": "scheduling", "cache": "KV cache"}
    names = [own.get(name, "") for name in terms]
    found = [names[place] or ("compute" if compute else "memory bandwidth")
             for place, compute in zip(longest.tolist(), by_compute.tolist(), strict=True)]  # fmt: skip
    full = ~np.isnan(load.concurrency) & (served.batch_limit < served.batch + 1e-9)
    where = zip(found, (served.prefill_share > 0.5).tolist(), full.tolist(), strict=True)
    return ["prefill compute" if prefill else "KV capacity" if no_room else what for what, prefill, no_room in where]


def _light_share(served: Served, load: Load, deployment: Deployment) -> Array:
    """Speed-of-light time of decode and prefill over what a sequence takes per token, its own prefill in it [1]."""
    per_token = served.decode.light_s + served.batch / load.output_tokens * served.prompt.light_s / deployment.layout.pp
    ranks = deployment.layout.dp * deployment.replicas
    return np.asarray(per_token * served.output_tok_s / (served.batch * ranks), dtype=np.float64)


def _from_tables(rows: Sequence[Row], shelf: Shelf, arrays: dict[str, Array]) -> list[str]:
    """Rates that published tables give, into ``arrays`` with time per token and both bands; the tables, per row."""
    from aiplan.planners.serving.tables import TENTH, Tables

    found = Tables(shelf).rates(rows)
    told = ~np.isnan(found.tokens_per_s)
    # A table was measured without a cap: it loses what the roofline loses.
    rate = found.tokens_per_s * arrays["capped_rate"]
    slower = np.where(told, arrays["output_tok_s"] / rate, 1.0)
    wide = np.exp(TENTH * np.where(told, found.spread, 0.0))
    arrays["output_tok_s"] = np.where(told, rate, arrays["output_tok_s"])
    for name, factor in (("tpot_ms", slower), ("itl_ms", slower), ("light_share", 1.0 / slower)):
        arrays[name] = arrays[name] * factor
    for name in ("output_tok_s", "tpot_ms"):
        for end, factor in (("low", 1.0 / wide), ("high", wide)):
            column = f"{name}_{end}"
            arrays[column] = np.where(told, arrays[name] * factor, arrays[column])
    return found.table


def _power(
    rows: Sequence[Row],
    shelf: Shelf,
    chosen: Array,
    known: dict[str, Any],
    arrays: dict[str, Array],
    tables: Sequence[str],
) -> list[str]:
    """Power and energy of all rows, into ``arrays``; how both were found, per row."""
    given = np.array([row.output_tok_s for row in rows])
    measured = ~np.isnan(given)
    for name in ("output_tok_s", "output_tok_s_low", "output_tok_s_high"):
        arrays[name] = np.where(measured, given, arrays[name])
    rate = arrays["output_tok_s"]
    ranks = np.array([row.dp * row.replicas for row in rows])
    held = np.where(measured, [row.concurrency for row in rows], arrays["batch"] * ranks)
    # Fewer requests than ranks: each rank decodes for one part of the time and idles for the rest.
    duty = np.fmin(held / ranks, 1.0)
    usable = np.isfinite(rate) & (rate > 0)
    index = np.flatnonzero(usable)
    some = [rows[number] for number in index.tolist()]
    # A measured rate is that under the cap: the law's power for it, and no more than the cap.
    slow, weak = (np.where(measured, 1.0, arrays[name])[index] for name in ("capped_rate", "capped_power"))
    most = caps_of(some) * np.array([row.n_gpus for row in some])
    found = power_of_rows(some, shelf, (rate / duty)[index] / slow, (held / duty)[index])
    idle = np.where(duty[index] < 1.0, _idle_w(some, shelf), 0.0)
    for column, watts in (("", found.power_w), ("_low", found.low_w), ("_high", found.high_w)):
        drawn = duty[index] * np.minimum(watts * weak, most) + (1.0 - duty[index]) * idle
        arrays[f"energy_j_per_token{column}"][index] = drawn / rate[index]
        arrays[f"power_w{column}"][index] = drawn
    arrays["beyond_peak"] = np.zeros(len(rows), dtype=bool)
    arrays["beyond_peak"][index] = found.beyond_peak
    tabled = np.array([bool(name) for name in tables], dtype=bool)
    wide = np.where(tabled, arrays["output_tok_s_high"] / rate, 1.0)
    arrays["energy_j_per_token_low"] = arrays["energy_j_per_token_low"] / wide
    arrays["energy_j_per_token_high"] = arrays["energy_j_per_token_high"] * wide
    _widen(rows, shelf, chosen, known, arrays, usable & ~measured & ~tabled)
    ways = ("measured rate" if given_ else f"table {table}" if table else f"roofline {name}"
            for given_, table, name in zip(measured, tables, chosen, strict=True))  # fmt: skip
    return [f"{way}, power law {power_class(shelf.listed(row.hardware))}" for way, row in zip(ways, rows, strict=True)]


def _idle_w(rows: Sequence[Row], shelf: Shelf) -> Array:
    """Power of all accelerators of each row with nothing to do [W]."""
    full = [row.n_gpus * shelf.accelerator(row.hardware).tdp_w.value for row in rows]
    idle = [POWER_CONSTANTS[power_class(shelf.listed(row.hardware))].idle_share for row in rows]
    return np.asarray(np.array(full) * np.array(idle), dtype=np.float64)


def _widen(
    rows: Sequence[Row], shelf: Shelf, chosen: Array, known: dict[str, Any], arrays: dict[str, Array], where: Array
) -> None:
    """Energy per token from first principles carries the error measured for it, not that of the power law alone."""
    for calibration in sorted(set(chosen[where].tolist())):
        index = np.flatnonzero(where & (chosen == calibration))
        kinds = np.array([kind_of(rows[number], shelf) for number in index.tolist()])
        low, high = band(known[str(calibration)], "energy", kinds)
        if np.isnan(low).any():
            low, high = band(known[str(calibration)], "throughput", kinds)
            low, high = np.minimum(low, 1.0 / high), np.maximum(high, 1.0 / low)
        energy = arrays["energy_j_per_token"][index]
        arrays["energy_j_per_token_low"][index] = np.fmin(energy * low, arrays["energy_j_per_token_low"][index])
        arrays["energy_j_per_token_high"][index] = np.fmax(energy * high, arrays["energy_j_per_token_high"][index])
