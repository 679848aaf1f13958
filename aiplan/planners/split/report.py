"""A result of `aiplan split` as a report: lines, tables, charts, warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.split.design import Design, Verified
from aiplan.planners.split.plan import Result, best_unsplit, saving
from aiplan.planners.split.replay_report import (
    distribution_charts,
    distribution_table,
    number,
    promises_table,
    quantile_lines,
)
from aiplan.planners.split.replay_state import MIXED_POOL, PROMPT_POOL, TOKEN_POOL
from aiplan.report.model import (
    Axis,
    Cell,
    Chart,
    Column,
    InputRecord,
    Line,
    Origin,
    Report,
    Series,
    Table,
    worst_grade,
)
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

SECONDS_PER_HOUR = 3600.0

# id: (label, unit, formula). A test checks that every line of a report stands here, or is a percentile.
LINES: dict[str, tuple[str, str | None, str]] = {
    "prompt_machines": ("Prompt machines", "machines", "fewest that keep every promise in every replay"),
    "token_machines": ("Token machines", "machines", "fewest that keep every promise in every replay"),
    "prompt_machine": ("Prompt machine", None, "the kinds that are best by the objective"),
    "token_machine": ("Token machine", None, "the kinds that are best by the objective"),
    "spare_prompt_machines": ("Spare prompt machines", "machines", "least s with P(Binomial(k + s, A) >= k) >= target"),
    "spare_token_machines": ("Spare token machines", "machines", "least s with P(Binomial(k + s, A) >= k) >= target"),
    "accelerators": ("Accelerators, spares included", "accelerators", "machines x accelerators of one"),
    "requests_per_s": ("Requests", "1/s", "the rate asked, or the highest at which every promise holds"),
    "cost_usd_per_h": ("Cost, spares included", "USD/h", "rent x machines"),
    "usd_per_million_output_tokens": ("Cost per million answer tokens", "USD/M tokens", "cost / answer tokens"),
    "provisioned_kw": ("Power set aside, spares included", "kW", "power set aside for a machine x machines"),
    "facility_kw": ("Power of the facility, average", "kW", "energy per request x requests"),
    "energy_per_day_mwh": ("Energy of a day", "MWh", "PUE x power of the machines, summed over 24 hours (closed form)"),
    "energy_per_request_wh": ("Energy per request", "Wh", "prompt + token + idle"),
    "energy_prompt_wh": ("Energy per request, prompts", "Wh", "PUE x busy time x power in prefill / requests"),
    "energy_token_wh": ("Energy per request, tokens", "Wh", "PUE x busy time x power in decode / requests"),
    "energy_idle_wh": ("Energy per request, waiting machines", "Wh", "PUE x idle time x idle power / requests"),
    "prompt_utilisation": ("Busy time of prompt machines", None, "busy time / time, mean over machines and replays"),
    "token_utilisation": ("Busy time of token machines", None, "busy time / time, mean over machines and replays"),
    "decode_batch": ("Sequences of a decode step", "sequences", "tokens / steps"),
    "kv_peak_fraction": ("Fullest memory for caches", None, "most held at once / room"),
    "slo_ok": ("All promises kept", None, "every percentile below its limit in every replay"),
    "slo_tightest": ("What binds", None, "the promise with the least slack in any replay"),
    "slo_slack": ("Slack of it", None, "1 - value / limit"),
    "unsplit": ("Best of the unsplit clusters", None, "the fewest mixed machines that keep every promise"),
    "saving_fraction": ("Saved against it", None, "1 - cost (or power, machines) of the split over the unsplit one"),
}

NOT_MODELLED = (
    "network between machines shared by several transfers at once",
    "failures during a replay: spares are counted apart",
    "uneven hits of the prefix cache, and its memory",
    "prompts of one machine run in chunks beside its sequences only where pools help each other out",
    "start-up, scaling up and down during the day",
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
    sources = dict.fromkeys([case.times[0], *(source for record in records for source in record.sources)])
    return Report(
        planner="split",
        title=header.title or f"Prompt and token machines for {case.model_name}",
        headline=_headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.inputs.uncertainty.seed,
        samples=0,
        lines=tuple(_lines(result, records)),
        tables=(
            _designs(result),
            promises_table(result.best.worst),
            _frontier(result),
            _changes(result),
            *([_day(result)] if result.day else []),
            distribution_table(result.best.seen),
        ),
        charts=(*_frontier_chart(result), *distribution_charts(result.best.seen, _marks(result))),
        warnings=tuple(result.warnings),
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
    )


def _headline(result: Result) -> str:
    best, case, found = result.best, result.case, result.found
    design, binding = best.design, best.binding
    text = (
        f"{design.label} carry {told(found.rate_per_s)} requests/s of {case.model_name}"
        + (f" for {result.bought.usd_per_h:,.0f} USD/h" if np.isfinite(result.bought.usd_per_h) else "")
        + f"; {binding.limit.name} binds, with {binding.slack:.0%} to spare"
    )
    unsplit = best_unsplit(result)
    if unsplit is None:
        return text + "."
    saved = saving(result, unsplit)
    word = "more" if saved is not None and saved < 0 else "less"
    what = {"usd": "cost", "power": "power", "machines": "machines", "rate": "requests/s"}[case.inputs.split.objective]
    if saved is None:
        return text + "."
    if case.inputs.split.objective == "rate":
        return text + f"; unsplit, {unsplit.design.counts} carry {told(found.rates[unsplit.design.label])}."
    return text + f": {abs(saved):.0%} {word} {what} than {unsplit.design.counts} unsplit."


def _lines(result: Result, records: tuple[InputRecord, ...]) -> list[Line]:
    best, bought, found = result.best, result.bought, result.found
    design, binding, energy = best.design, best.binding, result.energy
    unsplit = best_unsplit(result)
    tokens = float(np.mean([float(np.mean(one.output_tokens)) for one in best.replays]))
    per_million = bought.usd_per_h / (found.rate_per_s * tokens * SECONDS_PER_HOUR / 1e6)
    values: dict[str, Cell] = {
        "prompt_machines": design.prompts,
        "token_machines": design.tokens,
        "prompt_machine": design.prompt.name,
        "token_machine": design.token.name if design.token else None,
        "spare_prompt_machines": bought.prompts - design.prompts,
        "spare_token_machines": bought.tokens - design.tokens,
        "accelerators": round(bought.accelerators),
        "requests_per_s": found.rate_per_s,
        "cost_usd_per_h": number(bought.usd_per_h),
        "usd_per_million_output_tokens": number(per_million),
        "provisioned_kw": bought.power_w / 1e3,
        "facility_kw": energy.total_wh * found.rate_per_s * SECONDS_PER_HOUR / 1e3,
        "energy_per_day_mwh": sum(one.facility_kw for one in result.day) / 1e3 if result.day else None,
        "energy_per_request_wh": energy.total_wh,
        "energy_prompt_wh": energy.prompt_wh,
        "energy_token_wh": energy.token_wh,
        "energy_idle_wh": energy.idle_wh,
        "prompt_utilisation": _busy(best, PROMPT_POOL),
        "token_utilisation": _busy(best, TOKEN_POOL),
        "decode_batch": _batch(best),
        "kv_peak_fraction": max(float(np.max(one.room_used)) for one in best.replays),
        "slo_ok": best.kept,
        "slo_tightest": binding.limit.name,
        "slo_slack": number(binding.slack),
        "unsplit": unsplit.design.label if unsplit else None,
        "saving_fraction": saving(result, unsplit) if unsplit else None,
    }
    rate = result.case.inputs.split.objective == "rate"
    lines = []
    for name, value in values.items():
        label, unit, formula = LINES[name]
        if name == "saving_fraction" and rate:
            label, formula = "Gained over it", "requests/s of the split over the unsplit one - 1"
        paths, grade, sources = _rests_on(name, result, records)
        lines.append(Line(name, label, value, unit, grade=grade, sources=sources, formula=formula, inputs=paths))
    paths, grade, sources = _rests_on("ttft", result, records)
    times = quantile_lines(best.seen, grade, sources, simulator=result.case.simulator)
    return [*lines, *(replace(line, inputs=paths) for line in times)]


_LOAD = ("workload.", "workloads.")
_ASKED = ("slo.", "slowdown.", "split.", "transfer.")
_PRICE = ("usd_per_h",)
_POWER = ("provisioned_w", "max_power_w", "host_power_w", "tdp_w", "facility.")
_SPARES = ("failures.",)
RESTS_ON: dict[str, tuple[str, ...]] = {
    "spare_prompt_machines": (*_LOAD, *_ASKED, *_SPARES),
    "spare_token_machines": (*_LOAD, *_ASKED, *_SPARES),
    "accelerators": (*_LOAD, *_ASKED, *_SPARES),
    "cost_usd_per_h": (*_PRICE, *_LOAD, *_ASKED, *_SPARES),
    "usd_per_million_output_tokens": (*_PRICE, *_LOAD, *_ASKED, *_SPARES),
    "provisioned_kw": (*_POWER, *_LOAD, *_ASKED, *_SPARES),
    "facility_kw": (*_POWER, *_LOAD),
    "energy_per_day_mwh": (*_POWER, *_LOAD),
    "energy_per_request_wh": (*_POWER, *_LOAD),
    "energy_prompt_wh": (*_POWER, *_LOAD),
    "energy_token_wh": (*_POWER, *_LOAD),
    "energy_idle_wh": (*_POWER, *_LOAD),
    "requests_per_s": ("workload.requests_per_s", "workload.peak_to_mean"),
}
"""Inputs of a line by the start (with a dot) or the end of their paths; the others rest on the load, what is asked,
and times alone."""


def _matches(path: str, part: str) -> bool:
    return path.startswith(part) if "." in part else path.endswith(part)


def _rests_on(name: str, result: Result, records: tuple[InputRecord, ...]) -> tuple[Any, str, tuple[str, ...]]:
    """Paths, worst grade and sources of what a line is computed from; every line but the rate rests on the times."""
    rate = result.case.inputs.split.objective == "rate"
    parts = RESTS_ON.get(name, (*_LOAD, *_ASKED))
    if rate:
        # The rate that a scenario gives is where the search begins, no more.
        parts = (*_LOAD, *_ASKED) if name == "requests_per_s" else parts
        records = tuple(record for record in records if record.path != "workload.requests_per_s")
    used = [record for record in records if any(_matches(record.path, part) for part in parts)]
    source, grade = result.case.times
    timed = name != "requests_per_s" or rate
    grades = [record.grade for record in used] + ([grade] if timed else [])
    sources = dict.fromkeys([*([source] if timed else []), *(one for record in used for one in record.sources)])
    return tuple(record.path for record in used), worst_grade(grades), tuple(sources)


def _busy(verified: Verified, pool: int) -> float | None:
    """Mean share of time that a pool's machines are busy."""
    shares = []
    for one in verified.replays:
        some = one.pool == pool
        if np.any(some):
            shares.append(float(np.mean((one.busy_prompt_s + one.busy_decode_s)[some])) / one.end_s)
    return float(np.mean(shares)) if shares else None


def _batch(verified: Verified) -> float | None:
    """Mean sequences of a step of the machines that were bought for tokens."""
    tokens = steps = 0.0
    for one in verified.replays:
        some = one.pool != PROMPT_POOL
        tokens, steps = tokens + float(one.decode_tokens[some].sum()), steps + float(one.decode_steps[some].sum())
    return tokens / steps if steps else None


def _designs(result: Result) -> Table:
    """Designs with their replays, and the unsplit clusters beside them."""
    found = result.found
    rows = []
    for one in (*found.verified, *found.baselines):
        design, bought = one.design, result.case.bought(one.design)
        rows.append(
            (design.label, design.prompts if design.token else None, design.tokens if design.token else None,
             bought.machines, number(bought.usd_per_h), bought.power_w / 1e3,
             found.rates.get(design.label, found.rate_per_s), one.kept, one.binding.limit.name,
             number(one.binding.slack), _busy(one, PROMPT_POOL if design.token else MIXED_POOL), _batch(one))
        )  # fmt: skip
    columns = (
        Column("design", "design", keep=True),
        Column("prompt_machines", "prompt"),
        Column("token_machines", "token"),
        Column("machines", "with spares"),
        Column("cost_usd_per_h", "cost", "USD/h", keep=True),
        Column("provisioned_kw", "power", "kW", keep=True),
        Column("requests_per_s", "requests", "1/s"),
        Column("slo_ok", "kept", keep=True),
        Column("slo_tightest", "binds"),
        Column("slo_slack", "slack"),
        Column("prompt_utilisation", "busy"),
        Column("decode_batch", "batch"),
    )
    many = len(result.best.replays)
    title = f"Designs, each replayed {many} time{'s' * (many > 1)}, best first; cost and power with spares"
    return Table("designs", title, columns, tuple(rows))


def _frontier(result: Result) -> Table:
    """Designs in closed form that no other beats in cost, power and machines."""
    rows = []
    for one in result.found.frontier:
        binding, bought = one.judged.binding, result.case.bought(one.design)
        rows.append(
            (one.design.prompt.name, one.design.prompts, one.design.token.name if one.design.token else None,
             one.design.tokens, number(bought.usd_per_h), bought.power_w / 1e3, one.found.prompt_load,
             one.found.batch, one.found.memory_share, one.found.link_share,
             binding.limit.name if binding else None, number(binding.slack) if binding else None)
        )  # fmt: skip
    columns = (
        Column("prompt_machine", "prompt machine", keep=True),
        Column("prompt_machines", "machines", keep=True),
        Column("token_machine", "token machine", keep=True),
        Column("token_machines", "machines", keep=True),
        Column("cost_usd_per_h", "cost", "USD/h", keep=True),
        Column("provisioned_kw", "power", "kW"),
        Column("prompt_utilisation", "prompt busy"),
        Column("decode_batch", "batch"),
        Column("memory_fraction", "memory"),
        Column("link_fraction", "network"),
        Column("slo_tightest", "binds"),
        Column("slo_slack", "slack"),
    )
    return Table("frontier", "Designs that no other beats in cost, power and machines (closed form)", columns,
                 tuple(rows))  # fmt: skip


def _changes(result: Result) -> Table:
    """What the counts of the best kinds hang on."""
    rows = tuple((one.what, one.prompts, one.tokens) for one in result.changes)
    columns = (
        Column("change", "change", keep=True),
        Column("prompt_machines", "prompt machines", keep=True),
        Column("token_machines", "token machines", keep=True),
    )
    return Table("sensitivity", "The same kinds of machine when one thing is otherwise (closed form)", columns, rows)


def _day(result: Result) -> Table:
    """The best design hour by hour."""
    rows = tuple(
        (one.hour, one.requests_per_s, one.prompt_utilisation, one.token_utilisation, one.ttft_p90_s,
         number(one.tbt_p90_s), one.facility_kw)
        for one in result.day
    )  # fmt: skip
    columns = (
        Column("hour", "hour", keep=True),
        Column("requests_per_s", "requests", "1/s", keep=True),
        Column("prompt_utilisation", "prompt busy"),
        Column("token_utilisation", "token busy"),
        Column("ttft_p90_s", "TTFT P90", "s"),
        Column("tbt_p90_s", "TBT P90", "s"),
        Column("facility_kw", "power", "kW", keep=True),
    )
    return Table("day", "The best design through the day (closed form)", columns, rows)


def _marks(result: Result) -> dict[str, list[tuple[float, str]]]:
    """Limits in seconds, by metric, for the charts."""
    marks: dict[str, list[tuple[float, str]]] = {}
    for met in result.best.worst.met:
        if not met.limit.slowdown:
            label = f"P{met.limit.percentile:g} < {met.limit.below:g} s"
            marks.setdefault(met.limit.metric, []).append((met.limit.below, label))
    return marks


def _frontier_chart(result: Result) -> list[Chart]:
    """Cost against power of designs: closed form, replayed, unsplit."""

    def series(label: str, designs: list[Design]) -> list[Series]:
        known = [one for one in designs if np.isfinite(one.usd_per_h)]
        if not known:
            return []
        notes = tuple(f"{one.prompts}+{one.tokens}" if one.token else f"{one.prompts}" for one in known)
        bought = [result.case.bought(one) for one in known]
        x, y = tuple(one.usd_per_h for one in bought), tuple(one.power_w / 1e3 for one in bought)
        return [Series(label, x, y, "points", notes)]

    found = result.found
    shown = [
        *series("frontier", [one.design for one in found.frontier]),
        *series("replayed", [one.design for one in found.verified if one.kept]),
        *series("unsplit", [one.design for one in found.baselines if one.kept]),
    ]
    if not shown:
        return []
    return [
        Chart("frontier", "Cost and power of designs that keep the promises (prompt + token machines)",
              Axis("cost", "USD/h"), Axis("power set aside", "kW"), tuple(shown), table="designs")
    ]  # fmt: skip


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    case, found = result.case, result.found
    serving = case.inputs.serving
    times = f"{serving.profile}, {serving.decode_model}" if serving.profile else f"serving model, {serving.engine}"
    sample = case.demand.sample(case.inputs.uncertainty.seed, 4096)
    aim = {"usd": "least cost", "power": "least power", "machines": "fewest machines", "rate": "most requests"}
    reference = f" against {case.reference.name} of one's own" if case.reference else ""
    extra = [
        ("Load", f"{told(found.rate_per_s)} requests/s of {sample.prompt_tokens.mean():,.0f} prompt + "
                 f"{sample.output_tokens.mean():,.0f} answer tokens on average"),
        ("Promises", f"{len(case.limits)}{reference}"),
        ("Aim", aim[case.inputs.split.objective]),
        ("Times", times),
        ("Search", f"{len(case.prompt)} x {len(case.token)} pairs of machines in closed form, "
                   f"{found.replays} replays"),
    ]  # fmt: skip
    if scenario.header.as_of:
        extra.append(("Data as of", str(scenario.header.as_of)))
    return tuple(extra)


__all__ = ["LINES", "to_report"]
