"""A result of `aiplan stabilize` as a report: lines, charts, warnings, and what each number rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.planners.stabilize.assess import Assessment
from aiplan.planners.stabilize.case import Case
from aiplan.planners.stabilize.check import blind_ramps
from aiplan.planners.stabilize.check_charts import spectrum_charts, waveform_chart
from aiplan.planners.stabilize.check_report import figure_values
from aiplan.planners.stabilize.figures import Figures
from aiplan.planners.stabilize.largest import MOST, Size
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.plan import Result
from aiplan.planners.stabilize.report_tables import CLOSE_UP, close_up, front_chart, tables
from aiplan.planners.stabilize.search import limit_words, reason
from aiplan.planners.stabilize.wave import BUSY_KINDS, Wave, of_kinds
from aiplan.planners.stabilize.words import mix_words, reason_words
from aiplan.report.model import Cell, InputRecord, Line, Origin, Picture, Report, Warn, worst_grade
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

JOB = ("machine.", "accelerators.", "servers.", "jobs.", "facility.", "power.")
LIMITS = ("limits.",)
MEASURES = ("mitigation.", "search.", "storage.")
COST = ("cost.", "grids.")
YEAR = ("year.", "costs.")

# id: (label, unit, formula, paths of the inputs). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str, tuple[str, ...]]] = {
    "verdict": ("Verdict of the grid", None, "fail if a limit is broken, undetermined if one cannot be told, else pass",
                (*JOB, *LIMITS, *MEASURES)),
    "binding": ("What binds", None, "what the mixes that would be cheaper break most often, or the tightest limit",
                (*JOB, *LIMITS, *MEASURES)),
    "mix": ("Measures", None, "the cheapest that keep limits and caps, or those asked",
            (*JOB, *LIMITS, *MEASURES, *COST)),
    "ramp_up_mw_per_s": ("Steepest rise, with measures", "MW/s", "max (P(t + w) - P(t)) / w", (*JOB, *MEASURES)),
    "ramp_down_mw_per_s": ("Steepest fall, with measures", "MW/s", "max (P(t) - P(t + w)) / w", (*JOB, *MEASURES)),
    "largest_line_mw": ("Largest line, with measures, peak of the sine", "MW", "2 |X| / sum of the Hann window",
                        (*JOB, *MEASURES)),
    "largest_line_hz": ("Frequency of the largest line, with measures", "Hz", "peak between bins", (*JOB, *MEASURES)),
    "raw_ramp_up_mw_per_s": ("Steepest rise, as it is", "MW/s", "max (P(t + w) - P(t)) / w", JOB),
    "raw_ramp_down_mw_per_s": ("Steepest fall, as it is", "MW/s", "max (P(t) - P(t + w)) / w", JOB),
    "raw_largest_line_mw": ("Largest line, as it is, peak of the sine", "MW", "2 |X| / sum of the Hann window", JOB),
    "raw_largest_line_hz": ("Frequency of the largest line, as it is", "Hz", "peak between bins", JOB),
    "energy_overhead_share": ("Energy added by measures", None, "a year's energy for the same work, with over without",
                              (*JOB, *MEASURES, *YEAR)),
    "energy_overhead_run_share": ("Energy added in the run itself", None, "its energy with over without, less 1; "
                                  "charge of storage corrected", (*JOB, *MEASURES)),
    "energy_overhead_mwh_per_year": ("Energy added in a year", "MWh/year", "steady excess x hours + excess of each "
                                     "start, stop and checkpoint x how often", (*JOB, *MEASURES, *YEAR)),
    "slowdown_share": ("Time added by measures", None, "work held back over work, and what software and period cost",
                       (*JOB, *MEASURES, *YEAR)),
    "storage_mwh": ("Storage, usable energy", "MWh", "swing of its state, or what lasts long enough",
                    (*JOB, *MEASURES)),
    "storage_mw": ("Storage, rating of converters", "MW", "largest power it takes or gives", (*JOB, *MEASURES)),
    "storage_life_years": ("Life of the shortest-lived storage", "years", "cycle life / cycles of a year, at most "
                           "calendar life", (*JOB, *MEASURES, *YEAR)),
    "storage_saturated_share": ("Time in which storage is full, empty or at its rating", None, "share of the run",
                                (*JOB, *MEASURES)),
    "capital_cost_usd": ("Capital of storage", "USD", "rating x price + energy x price", (*JOB, *MEASURES)),
    "annual_cost_usd": ("Cost of a year", "USD/year", "energy + time of accelerators + capital x a(n, r) + upkeep",
                        (*JOB, *MEASURES, *YEAR, *COST)),
    "carbon_t_per_year": ("Carbon of the energy added", "t/year", "energy added x carbon of the grid",
                          (*JOB, *MEASURES, *YEAR, "grids.")),
    "mean_mw": ("Mean power of the run, with measures", "MW", "mean over the simulated run, idle ends included",
                (*JOB, *MEASURES)),
    "peak_mw": ("Peak power, with measures", "MW", "largest mean over a step", (*JOB, *MEASURES)),
    "least_mw": ("Least power, with measures", "MW", "smallest mean over a step", (*JOB, *MEASURES)),
    "largest_job_gpus": ("Largest job accepted, with measures", "GPUs", "the size at which limits or caps break, "
                         "measures growing with it", (*JOB, *LIMITS, *MEASURES, *COST)),
    "largest_job_as_it_is_gpus": ("Largest job accepted, as it is", "GPUs", "the size at which a limit breaks",
                                  (*JOB, *LIMITS)),
}  # fmt: skip

NOT_MODELLED = (
    "voltage, reactive power and the grid's own dynamics: limits stand for them, flicker for a stiff source",
    "the delay of storage behind its set-point, and its own control",
    "what a larger batch does to learning, and a job's reaction to power held back",
    "heat: accelerators that throttle, storage that ages by temperature",
    "starts of several jobs apart: a year counts them as one",
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
    known = {record.path: record for record in records}
    sources = dict.fromkeys(source for record in records for source in record.sources)
    waves = [("as it is", result.raw.poi), ("with measures", result.run.poi)]
    seen = [("as it is", result.raw_figures), ("with measures", result.run_figures)]
    values = values_of(result, seen[0][1], seen[1][1])
    return Report(
        planner="stabilize",
        title=header.title or "A training job and the grid",
        headline=headline(result, values),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.site.seed,
        samples=0,
        lines=tuple(_lines(values, known, window_s(result))),
        tables=tables(result, waves, seen),
        warnings=(*result.warnings, *_warnings(result)),
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result),
        charts=_charts(result, waves, seen),
    )


def _charts(result: Result, waves: list[tuple[str, Wave]], seen: list[tuple[str, Figures]]) -> tuple[Picture, ...]:
    """What the first series of a picture shows is not covered by the others: that with measures."""
    limits, near = result.case.limits, close_up(result, waves)
    few = (waveform_chart(near[::-1], Limits(limits.name), *CLOSE_UP),) if near else ()
    return (waveform_chart(waves[::-1], limits), *few, *spectrum_charts(seen[::-1], limits), *front_chart(result))


def values_of(result: Result, raw: Figures, run: Figures) -> dict[str, Cell]:
    """The value of every line."""
    case, chosen = result.case, result.chosen
    before, after = figure_values(raw, case.limits), figure_values(run, case.limits)
    last = list(result.sizes.values())[-1]
    lives = [one.life_years for one in chosen.storage]
    return {
        "verdict": verdict(result),
        "binding": binding(result) or None,
        "mix": mix_words(chosen.mix, case.tdp_w, case.site.accelerators),
        **{name: after[name] for name in ("ramp_up_mw_per_s", "ramp_down_mw_per_s", "largest_line_mw",
                                          "largest_line_hz", "mean_mw", "peak_mw", "least_mw")},
        **{f"raw_{name}": before[name] for name in ("ramp_up_mw_per_s", "ramp_down_mw_per_s", "largest_line_mw",
                                                    "largest_line_hz")},
        "energy_overhead_share": chosen.overhead_fraction,
        "energy_overhead_run_share": run_overhead(result),
        "energy_overhead_mwh_per_year": chosen.overhead_wh / 1e6,
        "slowdown_share": chosen.slowdown_fraction,
        "storage_mwh": chosen.storage_j / 3.6e9,
        "storage_mw": chosen.storage_w / 1e6,
        "storage_life_years": min(lives) if lives else None,
        "storage_saturated_share": result.run.saturated_fraction,
        "capital_cost_usd": sum(one.capital_usd for one in chosen.storage),
        "annual_cost_usd": chosen.annual_usd,
        "carbon_t_per_year": chosen.carbon_g / 1e6 if case.inputs.cost.grid is not None else None,
        "largest_job_gpus": _gpus(last, chosen, case.site.accelerators),
        "largest_job_as_it_is_gpus": _gpus(result.sizes["as it is"], result.plain, case.site.accelerators),
    }  # fmt: skip


def _gpus(size: Size, one: Assessment, accelerators: float) -> int | None:
    """Accelerators of the largest job; None where the limits cannot be told."""
    return None if one.verdict == "undetermined" else int(size.factor * accelerators)


def run_overhead(result: Result) -> float:
    """Energy that measures add to the simulated run, with as many starts and checkpoints as it has [1]."""
    added = result.run.poi.power_w - result.run.exchange_w
    return float(added.sum() / result.judge.raw(result.chosen.mix)[0].poi.power_w.sum()) - 1.0


def verdict(result: Result) -> str:
    """Of the chosen mix: a cap that is broken fails it, too."""
    chosen = result.chosen
    return "fail" if chosen.verdict == "pass" and chosen.rejected else chosen.verdict


def binding(result: Result) -> str:
    """What keeps the measures from being cheaper, or what they break."""
    if not result.passes:
        return reason_words(reason(result.chosen))
    if result.found is not None and result.found.binding:
        return reason_words(result.found.binding)
    margins = [one for one in result.chosen.findings if one.binding and one.margin_fraction is not None]
    if not margins:
        return ""
    tightest = min(margins, key=lambda one: one.margin_fraction or 0.0)
    return reason_words(limit_words(tightest))


def untold(result: Result) -> list[str]:
    """Why limits cannot be held to the run with measures, each reason once."""
    return list(dict.fromkeys(
        one.why for one in result.chosen.findings if one.binding and one.verdict == "undetermined"
    ))  # fmt: skip


def headline(result: Result, values: dict[str, Cell]) -> str:
    """One sentence a newcomer can quote."""
    case, chosen = result.case, result.chosen
    peak = float(result.raw.poi.power_w.max()) / 1e6
    job = f"{case.site.accelerators:,.0f} GPUs, {told(peak)} MW at most as they are,"
    swing = _swing(values, window_s(result))
    as_it_is = f"As it is {swing}."
    mix = mix_words(chosen.mix, case.tdp_w, case.site.accelerators, ratings=True)
    if verdict(result) == "undetermined":
        why = ". ".join(one[:1].upper() + one[1:] for one in untold(result))
        return f"Whether {job} pass {case.limits.name} cannot be told. {why}. {as_it_is}"
    if not result.passes:
        what = "the measures asked" if result.found is None else f"any mix looked at; nearest is {mix}"
        assert result.raw.poi.kind is not None  # noqa: S101 - what is simulated has kinds
        busy = of_kinds(result.raw.poi.kind, BUSY_KINDS)
        mean, most = float(result.raw.poi.power_w[busy].mean()) / 1e6, case.limits.most_w
        if most is not None and mean > most / 1e6:
            as_it_is += f" The mean power alone, {told(mean)} MW, is more than the {told(most / 1e6)} MW allowed."
        return f"{job} do not pass {case.limits.name} with {what}: {binding(result)}. {as_it_is}"
    if result.plain.feasible and result.found is not None and chosen.annual_usd <= 0:
        return f"{job} pass {case.limits.name} as they are: {swing}."
    how = "with" if result.found is None else "with the cheapest mix found,"
    cost = f"{told(chosen.annual_usd / 1e6)} M USD a year and {chosen.overhead_fraction:.2%} more energy"
    return f"{job} pass {case.limits.name} {how} {mix}: {cost}. {as_it_is}"


def _swing(values: dict[str, Cell], window_s: float) -> str:
    """The largest line and the steepest ramp of the job as it is."""
    names = ("raw_largest_line_mw", "raw_ramp_up_mw_per_s", "raw_ramp_down_mw_per_s")
    line, *ramps = (value if isinstance(value, float) else None for value in map(values.__getitem__, names))
    steepest = max((one for one in ramps if one is not None), default=None)
    first = "no line can be told" if line is None else f"its largest line is {told(line)} MW"
    if steepest is None:
        return f"{first} and no ramp can be told"
    return f"{first} and it ramps at {told(steepest)} MW/s over {told(window_s)} s"


def window_s(result: Result) -> float:
    """The window that ramps of lines and headline are taken over [s]: that of the first ramp limited, or a second."""
    ramps = result.case.limits.ramps
    return ramps[0].window_s if ramps else 1.0


def _lines(values: dict[str, Cell], known: dict[str, InputRecord], window_s: float) -> list[Line]:
    out = []
    for line, (label, unit, formula, wanted) in LINES.items():
        used = [path for path in known if any(path.startswith(start) for start in wanted)]
        if label.startswith("Steepest"):
            what, of = label.split(", ")
            label = f"{what} over {told(window_s)} s, {of}"
        grade = worst_grade([known[path].grade for path in used])
        sources = tuple(dict.fromkeys(source for path in used for source in known[path].sources))
        out.append(Line(line, label, values[line], unit, grade=grade, sources=sources, formula=formula,
                        inputs=tuple(used)))  # fmt: skip
    return out


def _warnings(result: Result) -> list[Warn]:
    case, chosen, out = result.case, result.chosen, []
    uncertain = case.parameters.uncertain()
    if uncertain:
        out.append(Warn("W-STABILIZE-MEDIAN", f"taken at the median, though uncertain: {', '.join(uncertain)}",
                        uncertain[0]))  # fmt: skip
    if result.run.saturated_fraction > 0:
        out.append(Warn("W-STABILIZE-SATURATED", f"storage is full, empty or at its rating for "
                        f"{result.run.saturated_fraction:.2%} of the run: the grid then takes the rest, beyond ramps "
                        "if need be", "mitigation.storage"))  # fmt: skip
    slow = [one.technology for one in chosen.storage if one.technology.response_s > case.site.step_s]
    if slow:
        late = ", ".join(f"{one.name} follows within {one.response_s * 1e3:g} ms" for one in slow)
        out.append(Warn("W-STABILIZE-RESPONSE", f"{late}; what passes in that time is not in the verdict", "search"))
    short = [one for one in chosen.storage if "cycle life" in chosen.rejected and one.life_years < case.prices.years]
    out += [Warn("W-STABILIZE-LIFE", f"{one.technology.name} lasts {one.life_years:.3g} years, less than the "
                 f"{case.prices.years:g} it is written off over", "cost.lifetime_years") for one in short]  # fmt: skip
    out += [Warn("W-STABILIZE-WINDOW", text, "limits") for text in blind_ramps(result.run_figures, case.limits)]
    out += [Warn("W-STABILIZE-UNDETERMINED", why, "simulation") for why in untold(result)]
    if chosen.mix.gpu is not None and not case.smoothing:
        out.append(Warn("W-STABILIZE-FLOOR", f"nothing says that {case.accelerator} can hold a floor or ramps: power "
                        "smoothing of NVIDIA comes with Blackwell", "machine.server"))  # fmt: skip
    if any(one.factor >= MOST for one in result.sizes.values()):
        out.append(Warn("W-STABILIZE-SIZE", f"no limit binds a job up to {MOST:g} times this one; give "
                        "limits.most_mw for the rating of the connection", "limits.most_w"))  # fmt: skip
    return out


def _jobs(case: Case) -> str:
    """Jobs by name where there are several."""
    told = [f"{name} {job.count} x {job.accelerators:,}" if job.count > 1 else f"{name} {job.accelerators:,}"
            for name, job in case.inputs.jobs.items()]  # fmt: skip
    return f": {', '.join(told)}" if len(told) > 1 or case.site.jobs[0].count > 1 else ""


def _context(result: Result) -> tuple[tuple[str, str], ...]:
    case = result.case
    site = case.site
    steps = site.duration_s / site.step_s
    out = [
        ("Job", f"{site.accelerators:,.0f} x {case.accelerator} in {case.server}{_jobs(case)}"),
        ("Run", f"{site.duration_s:,.4g} s at {1 / site.step_s:g} steps per second ({steps:,.0f}); settles in "
                f"{case.settle_s:,.3g} s"),
        ("Limits", case.limits.name),
        ("Year", f"{case.rates.uptime:.0%} of the time; {case.rates.starts:,.0f} starts, {case.rates.restarts:,.0f} "
                 f"restarts, {case.rates.checkpoints:,.0f} checkpoints"),
        ("Inputs", "at their medians"),
    ]  # fmt: skip
    if result.found is not None:
        out.insert(
            3, ("Search", f"{len(result.found.assessments):,} mixes, {len(result.found.front)} of them on the front")
        )
    return tuple(out)


__all__ = ["LINES", "binding", "headline", "to_report", "verdict"]
