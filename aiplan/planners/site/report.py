"""A result of `aiplan site` as a report: capacity from the power planner, the year from cooling, and their sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.parameters import Evidence
from aiplan.planners.power import report as power_report
from aiplan.planners.site.plan import Result
from aiplan.planners.site.tables import pictures, tables
from aiplan.report.model import Cell, InputRecord, Line, Origin, Report, worst_grade
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

QUANTILES = ("p5", "p25", "p50", "p75", "p95", "mean")
FROM_POWER = ("servers", "gpus", "binding", "it_power_mw", "it_power_mean_mw", "facility_power_mw", "stranded_power_mw",
              "capping_probability", "tokens_per_s", "usd_per_h")  # fmt: skip
"""Lines that are the power planner's own, under the same ids."""

# id: (label, unit, formula). A test checks that every line of a report stands here or in `FROM_POWER`.
LINES: dict[str, tuple[str, str | None, str]] = {
    "blocks": ("Blocks", "blocks", "fewest that use up the grid connection"),
    "pue_annual": ("PUE, year", None, "energy_mwh / it_energy_mwh"),
    "pue_nominal": ("at the inputs' medians", None, "facility over IT energy with every input at its median"),
    "pue_worst_hour": (
        "PUE, worst hour",
        None,
        "(IT + losses + cooling of the worst hour + other) / IT; at medians facility_power_mw / it_power_mw",
    ),
    "wue_annual_l_per_kwh": ("WUE, year", "L/kWh", "water_m3 / it_energy_mwh"),
    "it_energy_mwh": ("IT energy", "MWh/year", "it_power_mean_mw x hours"),
    "energy_mwh": ("Facility energy", "MWh/year", "IT + cooling + losses of every level + other, hour by hour"),
    "energy_nominal_mwh": ("at the inputs' medians", "MWh/year", "sum of the table energy"),
    "water_m3": ("Water on site", "m³/year", "evaporation + blow-down + drift + humidification"),
    "water_nominal_m3": ("at the inputs' medians", "m³/year", "sum of the table water"),
    "offsite_water_m3": ("Water of generation", "m³/year", "energy_mwh x water of generation"),
    "carbon_t": ("Carbon, location-based", "t/year", "energy_mwh x carbon intensity"),
    "electricity_usd": ("Electricity", "USD/year", "energy_mwh x price; demand charges not counted"),
    "shell_usd_per_kw": ("Cost of the shell", "USD/kW", "cost of building per kW of IT power, servers excluded"),
    "shell_usd": ("of all IT power", "USD", "shell_usd_per_kw x it_power_mw"),
}
ORDER = (
    "servers", "gpus", "tokens_per_s", "binding", "blocks", "it_power_mw", "facility_power_mw", "stranded_power_mw",
    "capping_probability", "pue_annual", "pue_nominal", "pue_worst_hour", "wue_annual_l_per_kwh", "it_power_mean_mw",
    "it_energy_mwh", "energy_mwh", "energy_nominal_mwh", "water_m3", "water_nominal_m3", "offsite_water_m3", "carbon_t",
    "electricity_usd", "shell_usd_per_kw", "shell_usd", "usd_per_h",
)  # fmt: skip
NEEDS_POWER = frozenset({"it_energy_mwh", "energy_mwh", "water_m3", "offsite_water_m3", "carbon_t", "electricity_usd",
                         "shell_usd", "pue_annual", "pue_worst_hour", "blocks"})  # fmt: skip
"""Lines of a year that rest on what the power planner found, too."""
NOT_MODELLED = (
    "servers and building over the years: cost of ownership",
    "carbon of making servers and building",
    "hours of carbon intensity and price, demand charges and minimum bills",
    "load that follows the hour: IT power is the classes' mean all year",
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
    records = (*result.power.case.parameters.records(), *case.parameters.records())
    lines = _lines(result)
    sources = dict.fromkeys(
        source
        for group in (*(line.sources for line in lines), *(record.sources for record in records))
        for source in group
    )
    capacity = power_report.NOT_MODELLED
    return Report(
        planner="site",
        title=header.title or "A site from its grid connection to its tokens",
        headline=_headline(result, lines),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.inputs.uncertainty.seed,
        samples=case.inputs.uncertainty.samples,
        lines=lines,
        tables=tables(result),
        charts=pictures(result),
        warnings=(*result.power.warnings, *case.warnings),
        not_modelled=(*NOT_MODELLED, *capacity),
        inputs=_once(records),
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
        boundary="facility",
    )


def _once(records: tuple[InputRecord, ...]) -> tuple[InputRecord, ...]:
    return tuple({record.path: record for record in records}.values())


def _lines(result: Result) -> tuple[Line, ...]:
    """Lines in `ORDER`, as far as they are known."""
    capacity = {line.id: line for line in power_report.lines(result.power)}
    found: dict[str, Line] = {name: capacity[name] for name in FROM_POWER}
    rest = capacity["it_power_mean_mw"]
    energy, it = sum(result.energy_mwh.values()), result.energy_mwh["IT"]
    plain: dict[str, Cell] = {
        "blocks": result.blocks,
        "it_energy_mwh": it,
        "pue_nominal": energy / it,
        "energy_nominal_mwh": energy,
        "water_nominal_m3": sum(result.water_m3.values()),
    }
    for name, value in plain.items():
        label, unit, formula = LINES[name]
        found[name] = Line(name, label, value, unit, grade=rest.grade, sources=rest.sources, formula=formula,
                           inputs=rest.inputs)  # fmt: skip
    for name in result.lines:
        found[name] = _line(result, name, rest)
    return tuple(found[name] for name in ORDER if name in found)


def _line(result: Result, name: str, rest: Line) -> Line:
    """A line of the year; its evidence is that of cooling and place, with what the power planner rests on."""
    label, unit, formula = LINES[name]
    drawn, evidence = result.lines[name], result.evidence.get(name, Evidence())
    quantiles = {key: drawn.get(key) for key in QUANTILES}
    value = quantiles["p50"] if quantiles["p50"] is not None else quantiles["mean"]
    climate = result.case.cooling.climate
    grades, sources = [evidence.grade], [*evidence.sources]
    if name not in ("shell_usd_per_kw", "shell_usd"):
        grades.append(climate.grade)
        sources = [*climate.source, *sources]
    inputs, effects = evidence.inputs, evidence.effects
    if name in NEEDS_POWER:
        grades.append(rest.grade)
        sources += rest.sources
        inputs, effects = (*inputs, *rest.inputs), ()
    return Line(name, label, value, unit, **quantiles, grade=worst_grade(grades), sources=tuple(dict.fromkeys(sources)),
                formula=formula, inputs=tuple(dict.fromkeys(inputs)), effects=effects)  # fmt: skip


def _headline(result: Result, lines: tuple[Line, ...]) -> str:
    value = {line.id: line.value for line in lines}
    contract = result.found.design.contract_w / 1e6
    kinds = " and ".join(rack.title for rack in result.power.case.racks)
    tokens = value.get("tokens_per_s")
    answer = f", which answer {told(float(tokens))} tokens/s" if isinstance(tokens, float) else ""
    return (
        f"{contract:,.4g} MW at {result.case.cooling.climate.name} carry {value['servers']:,} x {kinds} "
        f"({value['gpus']:,} GPUs){answer}; PUE {value['pue_annual']:.3f} over the year and "
        f"{value['pue_worst_hour']:.3f} in the worst hour, {value['wue_annual_l_per_kwh']:.2f} L of water per kWh "
        "of IT."
    )


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    case, found = result.case, result.found
    cooling = case.cooling
    rows = [
        ("Place", "; ".join([cooling.climate.name, *cooling.climate.notes])),
        ("Cooling", f"{cooling.system.name} ({cooling.system.id})"),
        *(row for row in power_report.context(result.power) if row[0] != "Inputs"),
        ("Load", f"{found.mean.it_w / found.worst.it_w:.0%} of the design hour's IT power in the mean, all year"),
        ("Quantiles", f"{case.inputs.uncertainty.samples:,} draws of cooling, climate and place; capacity at medians"),
    ]
    if scenario.header.as_of:
        rows.append(("Data as of", str(scenario.header.as_of)))
    return tuple(rows)


__all__ = ["LINES", "to_report"]
