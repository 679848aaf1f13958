"""A result of `aiplan size` as a report: lines, tables, warnings, and what each number rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.parameters import Evidence
from aiplan.planners.size.plan import Result
from aiplan.planners.size.search import BINDING
from aiplan.planners.size.solve import SECONDS_PER_HOUR
from aiplan.report.model import Cell, Column, Line, Origin, Report, Table
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "gpus": ("GPUs", "GPUs", "replicas x TP x PP x DP; whole servers where asked for"),
    "gpus_low": ("GPUs if TPOT is shorter", "GPUs", "gpus with TPOT at the short end of the model's measured error"),
    "gpus_high": ("GPUs if TPOT is longer", "GPUs", "gpus with TPOT at the long end of the model's measured error"),
    "gpus_bare": ("GPUs without reserves", "GPUs", "gpus with full utilisation, no spares and no waiting"),
    "servers": ("Servers they stand in", "servers", "replicas over those that a server holds, rounded up"),
    "replicas": ("Replicas", "replicas", "ceil(rate OSL / (u thr(B))) + spares, raised until waiting fits TTFT"),
    "gpus_per_replica": ("GPUs per replica", "GPUs", "TP x PP x DP"),
    "batch": ("Batch per rank", "sequences", "largest B with TPOT(B), TTFT(B) as promised and B <= memory"),
    "tok_s_per_gpu": ("Throughput, batch full", "tokens/s/GPU", "B DP / TPOT(B) / (TP PP DP)"),
    "ttft_ms": ("TTFT, wait included", "ms", "idle + prefill under way + wait for a slot"),
    "wait_ms": ("Wait for a slot in it", "ms", "C(c, a) S / (c - a) (ca2 + cs2) / 2, or its P99"),
    "tpot_ms": ("TPOT, batch full", "ms", "T_d(B) + B T_p / (OSL PP)"),
    "utilisation": ("Utilisation without spares", None, "rate OSL / (thr(B) x replicas without spares)"),
    "spare_replicas": ("Spare replicas", "replicas", "least s with P(Binomial(k + s, A) >= k) >= target"),
    "cost_usd_per_h": ("Cost", "USD/h", "price x gpus"),
    "usd_per_million_tokens": ("Cost per million answer tokens", "USD/M tokens", "cost / (rate x OSL x 3600 / 1e6)"),
    "power_kw": ("Power of the GPUs", "kW", "replicas x power law at the rate asked"),
    "facility_power_kw": ("Power of the facility", "kW", "PUE x (GPUs + host x gpus / GPUs per server)"),
    "binding": ("What binds", None, "what forbids a larger batch, or makes it useless"),
}

NOT_MODELLED = (
    "spread of prompt and answer lengths beside the variation of the service time",
    "prompts answered from a prefix cache",
    "network between servers, load balancer and front end",
    "split prefill and decode",
    "roll-outs and growth",
)

SHOWN = 12
WORTH_SAYING = 1000.0
_COLUMNS = (
    Column("option", "option", keep=True),
    Column("server", "server"),
    Column("precision", "format"),
    Column("gpus", "GPUs", keep=True),
    Column("replicas", "replicas"),
    Column("gpus_per_replica", "x GPUs"),
    Column("spare_replicas", "spare"),
    Column("batch", "batch"),
    Column("tok_s_per_gpu", "tok/s/GPU"),
    Column("ttft_ms", "TTFT", "ms"),
    Column("tpot_ms", "TPOT", "ms"),
    Column("utilisation", "utilisation"),
    Column("cost_usd_per_h", "cost", "USD/h"),
    Column("facility_power_kw", "power", "kW"),
    Column("usd_per_million_tokens", "USD/M tokens"),
    Column("binding", "binds"),
)


def to_report(result: Result, scenario: Scenario[Any], catalog: Catalog) -> Report:
    """The report of a result.

    Parameters
    ----------
    result : from `plan.plan`
    scenario : what was asked, for its name and hash
    catalog : for titles of sources
    """
    case, header = result.case, scenario.header
    used = set(case.options[result.best].paths.values())
    records = tuple(record for record in case.parameters.records() if record.path in used)
    sources = dict.fromkeys(source for record in records for source in record.sources)
    return Report(
        planner="size",
        title=header.title or f"Size of a fleet for {case.model_name}",
        headline=_headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.inputs.uncertainty.seed,
        samples=0,
        lines=tuple(_lines(result)),
        tables=tuple(_tables(result)),
        warnings=tuple(result.warnings),
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
    )


def _number(value: Any) -> float | None:
    """A number of numpy as Python's, None for NaN."""
    number = float(value)
    return number if np.isfinite(number) else None


def _count(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else round(number)


def _row(result: Result, row: int) -> dict[str, Cell]:
    """Everything about one option, by id."""
    solved, found, option = result.solved, result.solved.found, result.case.options[row]
    paid = solved.fleet
    cost = _number(solved.usd_per_h[row])
    values = result.case.parameters.medians()
    tokens = values["workload.requests_per_s"] * values["workload.output_tokens"] * SECONDS_PER_HOUR / 1e6
    feasible = bool(found.feasible[row])
    binding = BINDING[int(found.binding[row])]
    return {
        "option": option.label,
        "server": option.server,
        "precision": option.row.precision,
        "gpus": _count(paid.accelerators[row]),
        "servers": _count(paid.servers[row]),
        "replicas": _count(paid.replicas[row]),
        "gpus_per_replica": round(option.devices),
        "spare_replicas": _count(paid.spare_replicas[row]),
        "batch": _count(found.batch[row]),
        "tok_s_per_gpu": _number(solved.tok_s_per_gpu[row]),
        "ttft_ms": _number(1e3 * (found.ttft_s[row] + found.wait_s[row])),
        "wait_ms": _number(1e3 * found.wait_s[row]),
        "tpot_ms": _number(1e3 * found.tpot_s[row]),
        "utilisation": _number(found.utilisation[row]),
        "cost_usd_per_h": cost,
        "power_kw": _number(solved.accelerator_w[row] / 1e3),
        "facility_power_kw": _number(solved.facility_w[row] / 1e3),
        "usd_per_million_tokens": None if cost is None else cost / tokens,
        "binding": binding if feasible else _failure(binding, float(found.excess[row])),
    }


def _failure(binding: str, excess: float) -> str:
    return f"fails on {binding}" + (f", {excess:.3g} x" if excess < WORTH_SAYING else "")


def _lines(result: Result) -> list[Line]:
    values = _row(result, result.best)
    values["gpus_low"], values["gpus_high"] = (_optional(result.bands.get(f"tpot_{end}")) for end in ("low", "high"))
    values["gpus_bare"] = _optional(result.bands["bare"])
    rests_on = {"gpus_low": "gpus", "gpus_high": "gpus", "gpus_bare": "gpus", "wait_ms": "utilisation"}
    out = []
    for line, (label, unit, formula) in LINES.items():
        evidence = result.evidence.get(rests_on.get(line, line), Evidence())
        out.append(
            Line(line, label, values[line], unit, grade=evidence.grade, sources=evidence.sources, formula=formula,
                 inputs=evidence.inputs, effects=evidence.effects)
        )  # fmt: skip
    return out


def _optional(value: float | None) -> int | None:
    return None if value is None else round(value)


def _headline(result: Result) -> str:
    best, work = _row(result, result.best), result.case.parameters.medians()
    aim = {"gpus": "the fewest GPUs", "usd": "the least cost", "power": "the least power"}
    return (
        f"{best['gpus']:,} GPUs carry {told(work['workload.requests_per_s'])} requests/s of {result.case.model_name}: "
        f"{best['replicas']:,} x {best['option']} in {best['precision']} on {best['server']} "
        f"({aim[result.case.inputs.size.objective]}); {best['binding']} binds."
    )


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    case, inputs, values = result.case, result.case.inputs, result.case.parameters.medians()
    feasible = len(result.order)
    wait = {"p99": "P99 wait", "mean": "mean wait"}[inputs.slo.wait]
    portions = "whole servers" if inputs.hardware.whole_servers else "single GPUs"
    spares = f"{values['failures.availability_fraction']:.4%} of the time" if inputs.failures.spares else "no spares"
    extra = [
        ("Load", f"{values['workload.requests_per_s']:,g} requests/s of {values['workload.input_tokens']:,.0f} prompt "
                 f"+ {values['workload.output_tokens']:,.0f} answer tokens"),
        ("Promise", f"TTFT {values['slo.ttft_s']:g} s with the {wait}, TPOT {1e3 * values['slo.tpot_s']:g} ms"),
        ("Reserves", f"load at most {values['size.utilisation_fraction']:.0%} of throughput; enough replicas {spares}"),
        ("Options", f"{len(case.options)} tried, {feasible} keep the promise; paid in {portions}"),
        ("Time", f"{case.calibration.name}; engine {inputs.serving.engine}; inputs at their medians"),
    ]  # fmt: skip
    if scenario.header.as_of:
        extra.append(("Data as of", str(scenario.header.as_of)))
    return tuple(extra)


def _tables(result: Result) -> list[Table]:
    failed = [row for row in range(len(result.case.options)) if row not in set(result.order)]
    failed.sort(key=lambda row: float(result.solved.found.excess[row]))
    every = [*result.order, *failed]
    best_first = every[:SHOWN]
    sensitivity = Table(
        "sensitivity",
        "What is best when one thing changes",
        (
            Column("what", "change", keep=True),
            Column("gpus", "GPUs", keep=True),
            Column("saved_gpus", "saved"),
            Column("option", "then best"),
        ),
        tuple((row["what"], _optional(row["gpus"]), _optional(row["saved"]), row["option"])
              for row in result.sensitivity),
    )  # fmt: skip
    return [
        _candidates(result, "candidates", "Options, best first", best_first, shown=True),
        sensitivity,
        _candidates(result, "all_candidates", "Every option", every, shown=False),
    ]


def _candidates(result: Result, name: str, title: str, rows: list[int], *, shown: bool) -> Table:
    cells = [_row(result, row) for row in rows]
    table = tuple(tuple(row[column.id] for column in _COLUMNS) for row in cells)
    return Table(name, title, _COLUMNS, table, shown=shown)


__all__ = ["LINES", "to_report"]
