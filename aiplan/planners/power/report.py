"""A result of `aiplan power` as a report: lines, charts, warnings, and what each number rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.power.capping import HOURS_PER_YEAR
from aiplan.planners.power.plan import Result
from aiplan.planners.power.report_tables import chain_parts, tables
from aiplan.planners.power.stabilized import context_row
from aiplan.report.model import Axis, Bars, Cell, Line, Mark, Origin, Picture, Report, Segment, worst_grade

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

MW = 1e6

# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "servers": ("Servers", "servers", "racks placed x servers of a rack"),
    "gpus": ("GPUs", "GPUs", "servers x accelerators of one"),
    "racks": ("Racks", "racks", "placed largest first, below every limit from row to grid"),
    "racks_bound": ("Racks, upper bound", "racks", "one kind: exact; several: linear programme over ways to fill rows"),
    "binding": ("What binds", None, "the level that alone would allow the fewest servers"),
    "it_power_mw": ("IT power, design hour", "MW", "what the rule plans for the servers, network included"),
    "it_power_mean_mw": ("IT power, mean", "MW", "servers x mean power, network included"),
    "facility_power_mw": ("Facility power, design hour", "MW", "IT + losses + cooling + other, at the grid"),
    "facility_power_mean_mw": ("Facility power, mean", "MW", "the chain at the mean"),
    "energy_gwh_per_year": ("Energy of a year", "GWh/year", "mean facility power x 8,760 h"),
    "loss_mw": ("Electrical losses, design hour", "MW", "sum over nodes of rating (a0 + a1 l + a2 l^2)"),
    "mechanical_mw": ("Cooling, design hour", "MW", "IT power x cooling over IT, worst hour"),
    "pue_design": ("PUE, design hour", None, "facility / IT"),
    "pue_mean": ("PUE, mean", None, "facility / IT in the mean"),
    "usable_it_mw": (
        "IT power that grid, plant and UPS allow",
        "MW",
        "least of their limits, after losses and cooling",
    ),
    "stranded_power_mw": ("Stranded power", "MW", "usable_it_mw - it_power_mw"),
    "stranded_fraction": ("Stranded share", None, "stranded_power_mw / usable_it_mw"),
    "capping_probability": ("Time above limit, worst node", None, "largest P(T > C) of any node of any level"),
    "capping_probability_any": (
        "Time above limit, any node, at most",
        None,
        "min(1, sum of P(T > C) over all nodes of all levels), Bonferroni",
    ),
    "capped_energy_fraction": ("Energy that caps hold back, worst node", None, "largest E[(T - C)+] / E[T] of a node"),
    "oversubscription_fraction": ("Servers over the nameplate rule", None, "servers / servers by nameplate - 1"),
    "headroom_mw": ("Headroom at the grid", "MW", "contract after margin - facility power"),
    "tokens_per_s": (
        "Answer tokens of all inference servers",
        "tokens/s",
        "servers x share x tokens of one, less caps",
    ),
    "usd_per_h": ("Cost", "USD/h", "price x GPUs, or servers over their life and electricity"),
    "usd_per_million_tokens": ("Cost per million answer tokens", "USD/M tokens", "inference share of cost / tokens"),
}

NOT_MODELLED = (
    "generators, transfer switches, batteries and their recharging",
    "power factor, harmonics, unbalanced phases, breaker curves and faults",
    "power of servers that moves faster than the caps, and what a ramp does to the grid",
    "placement of jobs and requests by the power of rows (the gains of such routing are published beside ours)",
    "losses and faults on the server's own power supplies: ratings are at the plug",
)

_TREE = ("grid.", "levels.", "power.", "redundancy.", "racks.", "hall.", "servers.", "facility.")
_USE = ("classes.",)
_PRICE = ("accelerators.", "cost.")
RESTS_ON: dict[str, tuple[str, ...]] = {
    "usd_per_h": (*_TREE, *_USE, *_PRICE),
    "usd_per_million_tokens": (*_TREE, *_USE, *_PRICE, "serving."),
    "tokens_per_s": (*_TREE, *_USE, "serving."),
}
"""Inputs of a line by the start of their paths; the others rest on the tree and the classes."""


def to_report(result: Result, scenario: Scenario[Any], catalog: Catalog) -> Report:
    """The report of a result.

    Parameters
    ----------
    result : from `plan.plan`
    scenario : what was asked, for its name and hash
    catalog : for titles of sources
    """
    case, header = result.case, scenario.header
    as_of = [("Data as of", str(header.as_of))] if header.as_of else []
    records = case.parameters.records()
    sources = dict.fromkeys(source for record in records for source in record.sources)
    if result.served is not None:
        sources[result.served.source] = None
    return Report(
        planner="power",
        title=header.title or "Servers behind a grid connection",
        headline=_headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.inputs.uncertainty.seed,
        samples=0,
        lines=lines(result),
        tables=tables(result),
        charts=pictures(result),
        warnings=tuple(result.warnings),
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=(*context(result), *as_of),
    )


def _values(result: Result) -> dict[str, Cell]:
    found = result.found
    nameplate = dict(result.rules).get("nameplate")
    tokens, usd = result.tokens_per_s, result.usd_per_h
    share = result.inference_share
    per_million = None if not tokens or usd is None else usd * share / (tokens * 3600.0 / 1e6)
    contract = found.design.contract_w
    return {
        "servers": found.servers,
        "gpus": found.gpus,
        "racks": round(float(found.packed.counts.sum())),
        "racks_bound": int(found.most_racks * (1 + 1e-9)),
        "binding": found.binding,
        "it_power_mw": found.it_w / MW,
        "it_power_mean_mw": found.mean.it_w / MW,
        "facility_power_mw": found.worst.grid_w / MW,
        "facility_power_mean_mw": found.mean.grid_w / MW,
        "energy_gwh_per_year": found.mean.grid_w * HOURS_PER_YEAR / 1e9,
        "loss_mw": found.worst.loss_w / MW,
        "mechanical_mw": found.worst.mechanical_w / MW,
        "pue_design": found.worst.pue,
        "pue_mean": found.mean.pue,
        "usable_it_mw": found.hall_w / MW,
        "stranded_power_mw": found.stranded_w / MW,
        "stranded_fraction": found.stranded_w / found.hall_w,
        "capping_probability": found.over,
        "capping_probability_any": found.over_any,
        "capped_energy_fraction": found.held,
        "oversubscription_fraction": None if nameplate is None else found.servers / nameplate.servers - 1.0,
        "headroom_mw": (contract - found.worst.grid_w) / MW,
        "tokens_per_s": tokens,
        "usd_per_h": usd,
        "usd_per_million_tokens": per_million,
    }


def lines(result: Result) -> tuple[Line, ...]:
    """Every line of a result."""
    records = result.case.parameters.records()
    out = []
    for name, value in _values(result).items():
        label, unit, formula = LINES[name]
        parts = RESTS_ON.get(name, (*_TREE, *_USE))
        used = [record for record in records if record.path.startswith(parts)]
        grades, sources = [record.grade for record in used], [one for record in used for one in record.sources]
        if name in ("tokens_per_s", "usd_per_million_tokens") and result.served is not None:
            grades.append(result.served.grade)
            sources.append(result.served.source)
        out.append(Line(name, label, value, unit, grade=worst_grade(grades), sources=tuple(dict.fromkeys(sources)),
                        formula=formula, inputs=tuple(record.path for record in used)))  # fmt: skip
    return tuple(out)


def _headline(result: Result) -> str:
    found = result.found
    kinds = " and ".join(rack.title for rack in result.case.racks)
    contract = found.design.contract_w / MW
    return (
        f"{found.servers:,} x {kinds} ({found.gpus:,} GPUs) fit behind {contract:,.4g} MW: {found.binding} binds, "
        f"{found.stranded_w / MW:.3g} MW of IT power are stranded."
    )


def context(result: Result) -> tuple[tuple[str, str], ...]:
    """What was asked, in words."""
    found, inputs = result.found, result.case.inputs
    worst, mean = result.mechanical
    demand = found.design.demand
    rule = demand.rule
    if demand.probability is not None:
        rule += f": a node's servers above its limit for {demand.probability:.4g} of the time ({inputs.power.tail})"
    if found.design.scheme is not None:
        redundancy = f"{found.design.scheme.name}, {found.design.scheme.usable:.1%} of the UPS usable"
    else:
        redundancy = "by the nodes listed"
    extra = [
        ("Rule", rule),
        ("Power pooled", f"{found.design.topology}"),
        ("Redundancy", redundancy),
        ("Cooling over IT", f"{worst:.3f} at the worst hour, {mean:.3f} in the mean"),
        ("Inputs", "at their medians"),
    ]
    if result.served is not None and result.tokens_low_high is not None:
        low, high = result.tokens_low_high
        extra.insert(4, ("Served", f"{result.served.model} at {result.served.tpot_ms[0]:.3g} ms per token; tokens/s by "
                         f"the model's measured error {low:,.0f} to {high:,.0f}"))  # fmt: skip
    return (*extra[:-1], *context_row(result), extra[-1])


def pictures(result: Result) -> tuple[Picture, ...]:
    """Where the power goes, and how full every level is."""
    parts = chain_parts(result.found)
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    chain = Bars(
        "power_chain", "Where the power goes", Axis("power at the grid", "MW"), tuple(parts),
        tuple(Segment(name, tuple(part.get(name) for part in parts.values())) for name in names),
        (Mark(result.found.design.contract_w / MW, "contract", "x"),), table="chain",
    )  # fmt: skip
    known = [limit for limit in result.found.limits if limit.headroom_w is not None]
    headroom = Bars(
        "headroom", "Load and headroom by level", Axis("power on the level's output", "MW"),
        tuple(limit.name for limit in known),
        (
            Segment("load", tuple(limit.load_w / MW for limit in known)),
            Segment("headroom", tuple(max(limit.headroom_w or 0.0, 0.0) / MW for limit in known)),
        ),
        table="levels",
    )  # fmt: skip
    return chain, headroom


__all__ = ["LINES", "to_report"]
