"""A result of `aiplan perf` as a report: lines, tables, warnings, and what each number rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiplan.planners.parameters import Evidence
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.memory_pool import headroom_bytes
from aiplan.planners.serving.plan import GB, Result
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.predict import kind_of
from aiplan.planners.serving.rows import Row
from aiplan.report.model import Cell, Column, InputRecord, Line, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.planners.serving.sweep import Sweep

# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "ttft_ms": (
        "Time to first token, benchmark",
        "ms",
        "steady + (B - 1) T_p / (2 rounds), all users starting at once",
    ),
    "ttft_idle_ms": ("Time to first token, idle", "ms", "start + T_p + k T_d"),
    "ttft_steady_ms": ("Time to first token, steady", "ms", "idle + wait for a prefill under way + queue for memory"),
    "tpot_ms": ("Time per output token", "ms", "T_d(B) + B / (L_out pp) T_p"),
    "itl_ms": ("Time between tokens, no prefill", "ms", "T_d(B)"),
    "output_tok_s": ("Output tokens", "tok/s", "B x ranks / (T_d + B / OSL x T_p)"),
    "tok_s_per_gpu": ("Output tokens per GPU", "tok/s", "output_tok_s / n_gpus"),
    "tok_s_per_user": ("Output tokens per user", "tok/s", "1000 / tpot_ms"),
    "requests_per_s": ("Requests", "1/s", "output_tok_s / L_out"),
    "goodput_requests_per_s": ("Goodput", "1/s", "requests/s at goodput_concurrency"),
    "goodput_concurrency": ("Goodput, requests in flight", None, "highest load with TPOT and steady TTFT as promised"),
    "batch": ("Sequences decoding per rank", None, "min(concurrency / ranks, batch_limit)"),
    "batch_limit": ("Sequences that fit per rank", None, "cache pool / cache of a mean sequence"),
    "power_w": ("Power of the accelerators", "W", "n TDP (idle + (1 - idle)(1 - exp(-memory - compute)))"),
    "server_power_w": ("Power of their servers", "W", "power_w + P_host x share"),
    "facility_power_w": ("Power of the facility", "W", "PUE x server_power_w"),
    "energy_j_per_token": ("Accelerator energy per token", "J", "power_w / output_tok_s"),
    "energy_per_query_wh": ("Energy per query", "Wh", "PUE x (P_server + P_idle (1 - u)/u) / requests_per_s / 3600"),
    "usd_per_million_tokens": ("Cost per million tokens", "USD", "price x n_gpus / (3600 u output_tok_s) x 1e6"),
    "wh_per_million_tokens": ("Energy per million tokens", "Wh", "energy_per_query_wh / L_out x 1e6"),
    "weights_gb_per_gpu": ("Weights per GPU", "GB", "weights on the fullest device"),
    "kv_gb_per_gpu": ("Cache pool per GPU", "GB", "what the engine's rule leaves"),
    "largest_context_tokens": (
        "Longest context of one request",
        "tokens",
        "cache pool / bytes per token, model's limit",
    ),
    "bottleneck": ("Bottleneck", None, "longest part of the time per token"),
    "speed_of_light_share": (
        "Share of speed of light",
        None,
        "max(FLOP / peak, bytes / bandwidth) over T_d + B/OSL T_p",
    ),
}

NO_CAP = "power caps and clocks below the accelerators' default"
NOT_MODELLED = (
    "prefix caches: every prompt is computed in full",
    "spread of lengths and arrivals: means, with a fixed number in flight",
    "links between servers: all GPUs of a layout meet over the fast ones",
    NO_CAP,
    "tokenising, routing and the network before the engine",
    "split prefill and decode",
)
FOLLOWS = {"goodput_requests_per_s": "requests_per_s", "goodput_concurrency": "tpot_ms", "bottleneck": "tpot_ms"}
"""Lines that rest on what another one rests on."""
BANDS = {"ttft_ms": ("ttft", "ms"), "tpot_ms": ("tpot", "ms"), "output_tok_s": ("throughput", "tok/s"),
         "energy_j_per_token": ("energy", "J")}  # fmt: skip


def to_report(result: Result, scenario: Scenario[Any], catalog: Catalog, swept: Sweep | None = None) -> Report:
    """The report of a result.

    Parameters
    ----------
    result : from `plan.plan`
    scenario : what was asked, for its name and hash
    catalog : for titles of sources
    swept : from `sweep.sweep`, where asked
    """
    records = _records(result)
    sources = dict.fromkeys(source for record in records for source in record.sources)
    header = scenario.header
    swept_tables = () if swept is None else (_pareto(swept, result), _all(swept, result))
    return Report(
        planner="perf",
        title=header.title or f"Serving: {header.name}",
        headline=_headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=tuple(_lines(result)),
        tables=(*swept_tables, _accuracy(result), _breakdown(result), _memory(result), _deployment(result)),
        warnings=(*result.case.warnings, *result.warnings),
        not_modelled=tuple(one for one in NOT_MODELLED if one != NO_CAP or math.isnan(result.case.row.cap_w)),
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, swept),
    )  # fmt: skip


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _records(result: Result) -> tuple[InputRecord, ...]:
    """Inputs, the model's shape and the calibration behind the lines."""
    case, entry = result.case, result.calibration_entry
    params = float(case.shelf.architecture(case.row.model).stored_params) / 1e9
    model = InputRecord(f"models.{case.row.model}", f"parameters of {case.model.name}, 10^9", params, None, "",
                        case.model.grade, case.model.evidence, (case.model.source,))  # fmt: skip
    fit = InputRecord(f"calibrations.{result.calibration}", f"rows behind '{entry.name}'", entry.rows_fitted, None, "",
                      entry.grade, entry.evidence, (entry.source,))  # fmt: skip
    return (*case.parameters.records(), model, fit)


def _lines(result: Result) -> Iterable[Line]:
    found: dict[str, Cell] = {name: _number(value) for name, value in result.lines.items()}
    found["bottleneck"] = result.predicted.bottleneck[0]
    if result.goodput is not None:
        found["goodput_requests_per_s"] = result.goodput.requests_per_s
        found["goodput_concurrency"] = result.goodput.concurrency
    # What a regime does not define rests on nothing; the calibration says that it does not.
    unknown = Evidence(grade=result.calibration_entry.grade, sources=(result.calibration_entry.source,))
    for name, (label, unit, formula) in LINES.items():
        if name in found:
            evidence = result.evidence.get(FOLLOWS.get(name, name), unknown)
            yield Line(name, label, found[name], unit, grade=evidence.grade, sources=evidence.sources, formula=formula,
                       inputs=evidence.inputs, effects=evidence.effects)  # fmt: skip


def layout_text(row: Row) -> str:
    """A layout in a few words: ``2 copies of TP4``."""
    degrees = [f"{name.upper()}{getattr(row, name):g}" for name in ("tp", "pp", "dp", "ep")
               if getattr(row, name) > 1 or name == "tp"]  # fmt: skip
    return f"{row.replicas:,g} {'copies' if row.replicas > 1 else 'copy'} of {' '.join(degrees)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _headline(result: Result) -> str:
    case, lines = result.case, result.lines
    row = case.row
    text = (
        f"{case.model.name} on {row.n_gpus:,g} x {case.accelerator.name} ({layout_text(row)}, {row.precision}): "
        f"{_short(lines['tok_s_per_gpu'])} tokens/s per GPU"
    )
    if not row.offline:
        text += f", {_short(lines['tok_s_per_user'])} per user at {_short(row.concurrency)} in flight"
    text += f", {lines['power_w'] / row.n_gpus:,.0f} W per GPU"
    if case.price:
        text += f", ${lines['usd_per_million_tokens']:.2g} per million tokens"
    return f"{text}; limited by {result.predicted.bottleneck[0]}."


def _context(result: Result, swept: Sweep | None) -> tuple[tuple[str, str], ...]:
    case, row, entry = result.case, result.case.row, result.calibration_entry
    formats = f"{row.precision} weights, {result.kv_precision} cache"
    load = f"{row.isl:,.0f} prompt + {row.osl:,.0f} answer tokens, " + (
        "a queue that never empties" if row.offline else f"{row.concurrency:,g} requests in flight"
    )
    engine = " ".join(part for part in (row.engine, row.engine_version) if part)
    power = POWER_CONSTANTS[power_class(row.hardware)]
    pairs = [
        ("Model", case.model.name),
        ("Accelerators", f"{row.n_gpus:,g} x {case.accelerator.name}, {layout_text(row)}"),
        ("Formats", formats),
        ("Engine", f"{engine}, {result.memory.fraction[0]:.2g} of memory"),
        ("Load", load),
        ("Time", f"roofline with constants '{result.calibration}': {entry.rows_fitted:,} rows, {entry.fitted_on}"),
        ("Power", f"law of activity '{power_class(row.hardware)}': {power.n_rows} rows, {power.data_date}"),
        ("Host", case.server.name if case.server else "assumed, that of eight accelerators"),
    ]
    if not math.isnan(row.cap_w):
        decode, prompt = (float(one[0]) for one in (result.predicted.decode_clock, result.predicted.prompt_clock))
        clocks = f"clock {decode:.0%} in decode and {prompt:.0%} in prefill"
        pairs.append(("Power cap", f"{row.cap_w:,g} W per accelerator, {clocks}"))
    if case.price:
        pairs.append(("Price", f"{case.parameters.items[case.price].label} ({case.price.rsplit('.', 1)[-1]})"))
    if swept is not None:
        pairs.append(("Sweep", f"{', '.join(swept.keys)}: {len(swept.rows)} configurations, {swept.refused} layouts "
                      "and formats without room"))  # fmt: skip
    return tuple(pairs)


def _breakdown(result: Result) -> Table:
    columns = (Column("phase", "phase"), Column("term", "part"), Column("time_ms", "time", "ms", keep=True),
               Column("share", "share of time per token"), Column("bound", "bound by"))  # fmt: skip
    rows = tuple((part.phase, part.term, part.time_ms, part.share, part.bound) for part in result.breakdown)
    return Table("breakdown", "Where the time of an output token goes", columns, rows)


def _memory(result: Result) -> Table:
    memory = result.memory
    total, weights, working, reserve, pool = (
        float(getattr(memory, f"{name}_bytes")[0]) for name in ("total", "weights", "activation", "reserve", "pool")
    )
    free = float(headroom_bytes(total, pool, weights, working, reserve))
    parts = {
        "weights": weights,
        "cache pool": pool,
        "activations": working,
        "reserve": reserve,
        "free": free,
        "all": total,
    }
    rows = tuple((name, value / GB, value / total) for name, value in parts.items())
    columns = (Column("part", "part"), Column("memory_gb", "memory", "GB", keep=True), Column("share", "share"))
    return Table("memory", "Memory of one accelerator", columns, rows, shown=False)


def _deployment(result: Result) -> Table:
    """The configuration as it was completed, for programs; people read it above the lines."""
    row = result.case.row
    cells: dict[str, Cell] = {
        "model": row.model, "hardware": row.hardware, "n_gpus": int(row.n_gpus), "copies": int(row.replicas),
        "tp": int(row.tp), "pp": int(row.pp), "dp": int(row.dp), "ep": int(row.ep), "precision": row.precision,
        "kv_precision": result.kv_precision, "engine": row.engine, "engine_version": row.engine_version or None,
        "memory_fraction": float(result.memory.fraction[0]), "calibration": result.calibration,
        "method": result.predicted.method[0],
    }  # fmt: skip
    columns = tuple(Column(name) for name in cells)
    return Table("deployment", "The configuration", columns, (tuple(cells.values()),), shown=False)


def _accuracy(result: Result) -> Table:
    """Each estimate with the P10 and P90 of what was measured where it was left out of the fit."""
    found, entry = result.predicted, result.calibration_entry
    kind = kind_of(result.case.row, result.case.shelf)
    rows = []
    for name, (quantity, unit) in BANDS.items():
        value, low, high = (_number(float(getattr(found, f"{name}{end}")[0])) for end in ("", "_low", "_high"))
        if value is None:
            continue
        band, basis = _band(entry, quantity, kind)
        behind = (None, None) if band is None else (band.rows, band.median_error)
        rows.append((name, low, value, high, unit, kind, *behind, basis))
    columns = (
        Column("quantity", "estimate"), Column("low", "P10"), Column("value", "value", keep=True),
        Column("high", "P90"), Column("unit", "unit"), Column("kind", "class"), Column("rows", "left out"),
        Column("median_error", "median error"), Column("basis", "band of"),
    )  # fmt: skip
    title = "How far off this may be: measured on rows of models and accelerators left out of the fit"
    return Table("accuracy", title, columns, tuple(rows))


def _band(entry: Any, quantity: str, kind: str) -> tuple[Any, str]:
    """The measured band behind an estimate, None where there is none of its class; and in words what was taken."""
    held = [SimpleNamespace(**band) if isinstance(band, dict) else band for band in entry.bands]
    names = (quantity, {"throughput": "tpot", "tpot": "throughput"}.get(quantity, quantity))
    for name in names:
        found = [band for band in held if band.quantity == name]
        if found:
            own = next((band for band in found if band.kind == kind), None)
            return own, name if own is not None else f"{name}, widest of the other classes"
    return None, "time and power together" if quantity == "energy" else "nothing measured"


_SWEPT = (
    ("tok_s_per_user", "per user", "tok/s"), ("tok_s_per_gpu", "per GPU", "tok/s"), ("ttft_ms", "TTFT", "ms"),
    ("tpot_ms", "TPOT", "ms"), ("usd_per_million_tokens", "cost", "USD/M tok"),
    ("wh_per_million_tokens", "energy", "Wh/M tok"), ("power_w", "GPU power", "W"),
)  # fmt: skip


def _all(swept: Sweep, result: Result) -> Table:
    title = "Every configuration that fits, by tokens/s of a user"
    return _configurations("sweep", title, swept, result, range(len(swept.rows)), shown=False)


def _pareto(swept: Sweep, result: Result) -> Table:
    title = "Configurations that no other beats both per user and per GPU"
    places = [place for place in range(len(swept.rows)) if swept.best[place]]
    return _configurations("pareto", title, swept, result, places, shown=True)


def _configurations(
    name: str, title: str, swept: Sweep, result: Result, places: Iterable[int], *, shown: bool
) -> Table:
    columns = (
        *(Column(key, key.upper()) for key in ("tp", "pp", "dp", "ep")), Column("copies", "copies"),
        Column("precision", "weights"), Column("engine", "engine"), Column("batch", "batch"),
        Column("concurrency", "in flight"),
        *(Column(key, label, unit, keep=key.startswith("tok_s")) for key, label, unit in _SWEPT),
        Column("keeps_slo", "keeps SLO"), Column("pareto", "unbeaten"),
    )  # fmt: skip
    kept = _kept(swept, result)
    rows = []
    for place in places:
        row = swept.rows[place]
        numbers = [_number(float(swept.lines[key][place])) for key, _, _ in _SWEPT]
        rows.append((
            *(int(getattr(row, key)) for key in ("tp", "pp", "dp", "ep")), int(row.replicas), row.precision, row.engine,
            _number(float(swept.lines["batch"][place])), _number(row.concurrency), *numbers,
            None if kept is None else kept[place], bool(swept.best[place]),
        ))  # fmt: skip
    return Table(name, title, columns, tuple(rows), shown=shown)


def _kept(swept: Sweep, result: Result) -> list[bool] | None:
    """Whether each configuration keeps what was promised; None where nothing was."""
    slo = result.case.inputs.slo
    checks = [(1e3 * promised.distribution.median, swept.lines[line])
              for promised, line in ((slo.ttft_s, "ttft_steady_ms"), (slo.tpot_s, "tpot_ms")) if promised]  # fmt: skip
    if not checks:
        return None
    return [all(found[place] <= most for most, found in checks) for place in range(len(swept.rows))]


__all__ = ["LINES", "layout_text", "to_report"]
