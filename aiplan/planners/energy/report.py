"""A result of `aiplan energy` as a report: lines, tables, warnings, and what each number rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiplan.planners.energy.plan import Result, Summary
from aiplan.planners.parameters import Evidence
from aiplan.report.model import Cell, Column, Line, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

QUANTILES = ("p5", "p25", "p50", "p75", "p95", "mean")

# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "energy_per_query_wh": (
        "Energy per query",
        "Wh",
        "PUE x (P_server + P_idle (1 - u)/u) x S / 3600, over the blend",
    ),
    "energy_per_long_query_wh": (
        "Energy per long query",
        "Wh",
        "as energy_per_query_wh, with the long lengths",
    ),
    "long_to_short_ratio": ("Long query over query", None, "energy_per_long_query_wh / energy_per_query_wh"),
    "prompt_energy_share": ("Share spent on the prompt", None, "b L_in / S, over the blend"),
    "fleet_energy_gwh_per_day": (
        "Fleet energy (mean)",
        "GWh/day",
        "mean(E untrimmed) x queries x overheads / 1e9",
    ),
    "fleet_average_power_mw": ("Fleet average power", "MW", "fleet_energy_gwh_per_day x 1000 / 24"),
    "fleet_servers": ("Servers for the fleet", "servers", "sum(S q) / (86400 u), without improvement"),
    "water_per_query_ml": ("Water on site", "mL", "E_facility / PUE x WUE_site"),
    "water_offsite_per_query_ml": ("Water of generation", "mL", "E_facility x WUE_grid"),
    "carbon_per_query_g": ("Carbon, location-based", "g", "E_facility / 1000 x CI_location"),
    "carbon_market_per_query_g": ("Carbon, market-based", "g", "E_facility / 1000 x CI_market"),
    "carbon_embodied_per_query_g": (
        "Carbon of making servers",
        "g",
        "S / (life x u) x (host + n x accelerator) kg x 1000",
    ),
    "boundary_factor_host": ("Server over accelerator", None, "E_server / E_accelerator"),
    "boundary_factor_idle": ("Idle servers", None, "E_server+idle / E_server"),
    "boundary_factor_pue": ("Facility over IT", None, "E_facility / E_server+idle = PUE"),
}

NOT_MODELLED = (
    "network and storage outside the server",
    "training, fine-tuning and evaluation",
    "user devices and the internet between",
    "queries that are retried, cached or answered by tools",
)


def to_report(result: Result, scenario: Scenario[Any], catalog: Catalog) -> Report:
    """The report of a result.

    Parameters
    ----------
    result : from `plan.plan`
    scenario : what was asked, for its name and hash
    catalog : for titles of sources
    """
    inputs = result.case.inputs
    records = result.case.parameters.records()
    lines = tuple(_line(result, line) for line in LINES if line in result.lines)
    sources = dict.fromkeys(source for record in records for source in record.sources)
    header = scenario.header
    return Report(
        planner="energy",
        title=header.title or f"Energy per query: {header.name}",
        headline=_headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=inputs.uncertainty.seed,
        samples=inputs.uncertainty.samples,
        lines=lines,
        tables=tuple(_tables(result)),
        warnings=result.case.warnings,
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
        boundary=inputs.energy.boundary,
    )


def _headline(result: Result) -> str:
    energy = result.lines["energy_per_query_wh"]
    middle, low, high = (energy.get(key) for key in ("p50", "p25", "p75"))
    blend = result.case.inputs.energy.blend.name
    if low is None or high is None or middle is None:
        return f"A query to {blend} takes {energy.get('value') or 0:.2g} Wh."
    text = f"A typical query to {blend} takes {middle:.2g} Wh (middle half {low:.2g} to {high:.2g})"
    fleet = result.lines.get("fleet_energy_gwh_per_day")
    if not fleet or not fleet["value"]:
        return f"{text}."
    medians = result.case.parameters.medians()
    queries, share = medians["workload.queries_per_day"], medians["workload.long_share"]
    fleets = result.case.inputs.fleet
    long = f", {share:.0%} of them long," if fleets and fleets.case.startswith("mixed") else ""
    return f"{text}; a fleet that answers {queries:,.0f} a day{long} takes {fleet['value']:.2g} GWh a day."


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    inputs, medians = result.case.inputs, result.case.parameters.medians()
    quoted = "trimmed in two stages" if inputs.energy.trim == "two-stage" else "of all draws"
    lengths = [
        f"{name}: {medians[f'workload.{prefix}input_tokens']:,.0f} prompt + "
        f"{medians[f'workload.{prefix}output_tokens']:,.0f} answer tokens"
        for name, prefix in (("short", ""), ("long", "long_"))
    ]
    law = {
        "physical": "a L_out + b L_in + d L_out (L_in + L_out/2) + e L_out²/2 + f L_in²/2, fitted per table",
        "loglinear": "the paper's capped log-linear regression",
    }
    extra = [
        ("Query", f"{'; '.join(lengths)} (medians)"),
        ("Time per query", law[inputs.serving.law]),
        ("Quantiles", f"{quoted}, {inputs.uncertainty.samples:,} draws"),
    ]
    if scenario.header.as_of:
        extra.append(("Data as of", str(scenario.header.as_of)))
    return (*result.case.context, *extra)


def _line(result: Result, line: str) -> Line:
    label, unit, formula = LINES[line]
    found = result.lines[line]
    evidence = result.evidence.get(line, Evidence())
    quantiles = {key: found.get(key) for key in QUANTILES}
    value = found.get("value", quantiles["p50"] if quantiles["p50"] is not None else quantiles["mean"])
    return Line(
        line,
        label,
        value,
        unit,
        **quantiles,
        grade=evidence.grade,
        sources=evidence.sources,
        formula=formula,
        inputs=evidence.inputs,
        effects=evidence.effects,
    )


def _tables(result: Result) -> Iterable[Table]:
    yield _models(result)
    yield _throughput(result)
    yield Table(
        "boundaries",
        "Where the energy of a query is counted",
        (
            Column("boundary", "boundary"),
            Column("energy_wh_p50", "median", "Wh", keep=True),
            Column("factor", "x the one above"),
        ),
        tuple((name, found["p50"], factor) for name, found, factor in result.boundaries),
    )
    yield _sensitivity(result)
    titles = {"short": "Efficiency levers on a query", "long": "Efficiency levers on a long query"}
    for regime, name in (("short", "levers"), ("long", "levers_long")):
        if result.levers.get(regime):
            yield _levers(result, regime, name, titles[regime])
    if result.fleet:
        yield _fleet(result)
        yield Table(
            "comparisons",
            "The fleet's day beside others",
            (
                Column("what", "what"),
                Column("energy_gwh", "energy", "GWh"),
                Column("fleet_ratio", "fleet is x"),
            ),
            tuple(result.comparisons),
            shown=False,
        )


def _sensitivity(result: Result) -> Table:
    """How far each uncertain input moves a query's energy between its own P5 and P95."""
    columns = (
        Column("input", "input"),
        Column("energy_wh_at_p5", "at its P5", "Wh"),
        Column("energy_wh_at_p95", "at its P95", "Wh"),
    )
    rows = tuple((bar.name, bar.low, bar.high) for bar in result.bars if bar.low != bar.high)
    title = "What moves the blend's mean query: each input at its P5 and P95, the others at their medians"
    return Table("sensitivity", title, columns, rows, shown=False)


def _models(result: Result) -> Table:
    columns = (
        Column("model", "model"),
        Column("regime", "query"),
        Column("energy_wh_p25", "P25", "Wh"),
        Column("energy_wh_p50", "median", "Wh", keep=True),
        Column("energy_wh_p75", "P75", "Wh"),
        Column("energy_wh_mean", "mean", "Wh"),
        Column("energy_wh_p5", "P5", "Wh"),
        Column("energy_wh_p95", "P95", "Wh"),
        Column("group_seconds_p50", "time", "s"),
        Column("prompt_share", "prompt share"),
        Column("grade", "grade"),
    )
    rows = tuple(_model_row(result, row) for row in result.models)
    marks = frozenset((number, "energy_wh_p50") for number, row in enumerate(rows) if row[-1] == "assumption")
    return Table("models", "Each model on its own, all draws", columns, rows, marks)


def _model_row(result: Result, row: dict[str, Any]) -> tuple[Cell, ...]:
    energy, model = row["energy"], row["case"]
    evidence = result.evidence.get(f"model:{model.id}:{row['regime']}", Evidence())
    quantiles = (energy[key] for key in ("p25", "p50", "p75", "mean", "p5", "p95"))
    prompt = row["prompt_share"] if result.case.inputs.serving.law == "physical" else None
    return (model.id, row["regime"], *quantiles, row["seconds"], prompt, evidence.grade)


def _throughput(result: Result) -> Table:
    columns = (
        Column("model", "model"),
        Column("table", "throughput table"),
        Column("accelerators", "on"),
        Column("precision", "precision"),
        Column("engine", "engine"),
        Column("measured_on", "measured"),
        Column("law_error_loo", "law error"),
        Column("grade", "grade"),
    )
    rows = []
    for model in result.case.models:
        profile = model.profile
        group = f"{profile.carried_count or profile.accelerator_count} x {profile.carried_from or profile.accelerator}"
        when = str(profile.measured_on) if profile.measured_on else None
        rows.append(
            (
                model.id,
                profile.id,
                group,
                profile.precision,
                profile.engine,
                when,
                profile.loo_error,
                profile.grade.replace("_", " "),
            )
        )
    return Table("throughput", "Where the time per query comes from", columns, tuple(rows))


def _levers(result: Result, regime: str, name: str, title: str) -> Table:
    columns = (
        Column("lever", "lever"),
        Column("label", "what it is"),
        Column("energy_wh_p25", "P25", "Wh"),
        Column("energy_wh_p50", "median", "Wh", keep=True),
        Column("energy_wh_p75", "P75", "Wh"),
        Column("reduction_p50", "times less"),
        Column("saved_share_p50", "saved"),
    )
    rows: list[tuple[Cell, ...]] = [
        (lever, label, found["p25"], found["p50"], found["p75"], reduction, 1 - 1 / reduction)
        for lever, found, reduction, label in result.levers[regime]
    ]
    return Table(name, title, columns, tuple(rows), shown=regime == "short")


def _fleet(result: Result) -> Table:
    keys = ("p5", "p50", "p95", "p25", "p75")
    columns = (
        Column("case", "case"),
        Column("energy_gwh_per_day", "mean", "GWh/day"),
        *(Column(f"energy_gwh_per_day_{key}", key.upper(), "GWh/day") for key in keys),
        Column("average_power_mw", "average", "MW"),
        Column("servers", "servers"),
    )
    rows = tuple(
        (
            row["case"],
            row["energy_gwh_per_day"],
            *(row[key] for key in keys),
            row["average_power_mw"],
            row["servers"],
        )
        for row in result.fleet
    )
    return Table("fleet", "A fleet's day, and what is not known about it", columns, rows)


__all__ = ["LINES", "Summary", "to_report"]
