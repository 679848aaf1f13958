"""A result of `aiplan cooling` as a report: lines, warnings, and what each number rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.cooling.charts import charts
from aiplan.planners.cooling.plan import EXTREMES, POINTS, SPARED, WORST_SHARE, Result
from aiplan.planners.cooling.tables import tables
from aiplan.planners.cooling.water import CONVENTIONS
from aiplan.planners.parameters import Evidence
from aiplan.report.model import Line, Origin, Report
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

QUANTILES = ("p5", "p25", "p50", "p75", "p95", "mean")

# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "pue_annual": ("PUE, year", None, "energy_mwh / it_energy_mwh = 1 + sum of components"),
    "pue_nominal": ("at the inputs' medians", None, "pue_annual with every input at its median, hour by hour"),
    "pue_worst_hour": ("PUE, worst hour", None, "highest PUE of the year"),
    "pue_p99": ("PUE that 99 % of hours keep", None, "smallest PUE not exceeded in 99 % of the hours"),
    "wue_annual_l_per_kwh": ("WUE, year", "L/kWh", "(evaporation + blow-down + drift + humidification) / IT energy"),
    "wue_nominal_l_per_kwh": (
        "at the inputs' medians",
        "L/kWh",
        "wue_annual_l_per_kwh with every input at its median, hour by hour",
    ),
    "it_power_mw": ("IT power, rated", "MW", "as asked"),
    "facility_power_mw": ("Facility power, worst hour", "MW", "max over hours of PUE x load x it_power_mw"),
    "it_energy_mwh": ("IT energy", "MWh/year", "it_power_mw x sum of load x hours"),
    "energy_mwh": ("Facility energy", "MWh/year", "it_energy_mwh x pue_annual"),
    "cooling_energy_mwh": ("of it, cooling", "MWh/year", "it_energy_mwh x sum of mechanical components"),
    "water_m3": ("Water on site", "m³/year", "it_energy_mwh x wue_annual_l_per_kwh"),
    "water_peak_m3_per_h": ("Water, worst hour", "m³/h", "max over hours of WUE x load x it_power_mw"),
    "compressor_free_h": ("Hours without compressors", "h/year", "hours in which no compressor runs, at medians"),
    "liquid_compressor_free_h": (
        "of the liquid loop",
        "h/year",
        "hours in which the loop's chillers are off, at medians",
    ),
}

NOT_MODELLED = (
    "heat stored in building and water: every hour stands for itself",
    "staging of single fans, pumps and chillers beside the part load given",
    "fouling, failures and units kept running for redundancy",
    "wet bulb by constant enthalpy, up to 0.2 K from the thermodynamic one",
    "water treatment chemicals, water of generation",
    "server fans: PUE is over IT power as drawn",
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
    records = case.parameters.records()
    lines = tuple(_line(result, line) for line in LINES if line in result.lines)
    sources = dict.fromkeys(
        source
        for group in (*(line.sources for line in lines), *(record.sources for record in records))
        for source in group
    )
    return Report(
        planner="cooling",
        title=header.title or f"Cooling at {case.climate.name}",
        headline=_headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.inputs.uncertainty.seed,
        samples=case.inputs.uncertainty.samples,
        lines=lines,
        tables=tuple(tables(result)),
        warnings=case.warnings,
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
        boundary="facility",
        charts=charts(result),
    )


def _line(result: Result, line: str) -> Line:
    label, unit, formula = LINES[line]
    found = result.lines[line]
    evidence = result.evidence.get(line, Evidence())
    quantiles = {key: found.get(key) for key in QUANTILES}
    value = quantiles["p50"] if quantiles["p50"] is not None else quantiles["mean"]
    return Line(line, label, value, unit, **quantiles, grade=evidence.grade, sources=evidence.sources, formula=formula,
                inputs=evidence.inputs, effects=evidence.effects)  # fmt: skip


def _headline(result: Result) -> str:
    lines = result.lines
    pue, worst, water = lines["pue_annual"], lines["pue_worst_hour"], lines["wue_annual_l_per_kwh"]

    def text(found: Any, digits: int) -> str:
        middle = found.get("p50") if found.get("p50") is not None else found["mean"]
        band = f" ({found['p5']:.{digits}f} to {found['p95']:.{digits}f})" if found.get("p5") is not None else ""
        return f"{middle:.{digits}f}{band}"

    load = result.case.inputs.load
    part = "at its load of the day" if load.hourly_load_fractions else f"at {load.load_fraction:.0%} load"
    return (
        f"At {result.case.climate.name} the hall runs {part} at a PUE of {text(pue, 3)} over the year and "
        f"{text(worst, 3)} in its worst hour, and takes {text(water, 2)} L of water per kWh of IT."
    )


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    case, inputs = result.case, result.case.inputs
    load = inputs.load
    part = "24 hourly factors" if load.hourly_load_fractions else f"{load.load_fraction:.0%} of it all year"
    weather = case.climate.weather
    rows = [
        ("System", f"{case.system.name} ({case.system.id})"),
        ("Place", "; ".join([case.climate.name, *case.climate.notes])),
        ("Load", f"{told(case.parameters.medians()['load.it_power_mw'])} MW of IT rated, {part}"),
        ("Weather", f"{weather.hours.size:,} points of {told(weather.total_hours)} h; dry bulb "
                    f"{told(weather.mean(weather.drybulb_c))} °C, wet bulb {told(weather.mean(weather.wetbulb_c))} °C "
                    "in the mean"),
        ("Quantiles", _quantiles(result)),
        ("Water", f"{CONVENTIONS[case.convention]} ({case.convention})"),
    ]  # fmt: skip
    if case.left_out:
        rows.append(("Not compared", case.left_out))
    if case.facility_water:
        rows.append(("Facility water", case.facility_water))
    if result.seasonal is not None and case.climate.seasonal is not weather:
        rows.append(("Months and hours", "made from monthly means; the rest is from the typical year itself"))
    if scenario.header.as_of:
        rows.append(("Data as of", str(scenario.header.as_of)))
    return tuple(rows)


def _quantiles(result: Result) -> str:
    """What quantiles are taken over."""
    if result.lines["pue_annual"].get("p5") is None:
        return "none: no input that the PUE depends on is uncertain"
    if result.case.climate.weather.hours.size <= POINTS:
        where = "every point of the year"
    else:
        where = (
            f"at most {POINTS} points of the year: the {SPARED} worst and the {EXTREMES} of the highest wet and dry "
            f"bulb as they are, the {WORST_SHARE:.0%} of hours of the highest PUE densely, the others less so"
        )
    return (
        f"{result.case.inputs.uncertainty.samples:,} draws of all uncertain inputs, on {where}; hours without "
        "compressors and tables by time at medians, hour by hour"
    )


__all__ = ["LINES", "to_report"]
