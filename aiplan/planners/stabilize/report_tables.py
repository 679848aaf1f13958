"""The tables of `aiplan stabilize` that a wave alone does not have: measures, mixes, storage, costs, sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiplan.planners.stabilize.assess import Assessment
from aiplan.planners.stabilize.check_charts import spectrum_table, waveform_table
from aiplan.planners.stabilize.check_report import bands_table, limits_table, lines_table, ramps_table
from aiplan.planners.stabilize.closed_rows import closed_rows
from aiplan.planners.stabilize.figures import Figures
from aiplan.planners.stabilize.handover import handover_rows
from aiplan.planners.stabilize.mitigation import INFINITE
from aiplan.planners.stabilize.periods import periods
from aiplan.planners.stabilize.plan import Result
from aiplan.planners.stabilize.search import reason, shortfall
from aiplan.planners.stabilize.settings import settings
from aiplan.planners.stabilize.wave import Wave, transient
from aiplan.planners.stabilize.words import family, mix_words, reason_words
from aiplan.report.model import Axis, Cell, Chart, Column, Series, Table

MUSD = 1e6
CLOSE_UP = ("iterations", "A few iterations")
SHOWN_ITERATIONS = 5
MOST_FRONT = 40
"""Rows of the front that a table and a picture hold; more say nothing more [1]."""

_OF_MIX = (
    Column("family", "measures", keep=True),
    Column("verdict", "verdict", keep=True),
    Column("annual_cost_musd", "cost", "M USD/year", keep=True),
    Column("energy_overhead_share", "+ energy", keep=True),
    Column("slowdown_share", "+ time"),
    Column("storage_mwh", "storage", "MWh"),
    Column("life_years", "life", "years"),
    Column("breaks", "breaks"),
)


def tables(result: Result, waves: list[tuple[str, Wave]], told: list[tuple[str, Figures]]) -> tuple[Table, ...]:
    """All tables of a result; those without a row are left out."""
    wide = ramps_table(told, waves), lines_table(told), bands_table(told, result.case.limits)
    asides = [replace(table, shown=False) for table in wide]
    found = [
        limits_table(result.chosen.findings, "limits", "Limits with measures"),
        limits_table(result.plain.findings, "limits_as_it_is", "Limits without measures"),
        families_table(result), mixes_table(result), front_table(result), costs_table(result), storage_table(result),
        profile_table(result), settings_table(result),
        sizes_table(result), refused_table(result), periods_table(result), phases_table(result), closed_table(result),
        handover_table(result), *asides, waveform_table(waves),
        waveform_table(close_up(result, waves), *CLOSE_UP), spectrum_table(told),
    ]  # fmt: skip
    return tuple(table for table in found if table.rows)


def close_up(result: Result, waves: list[tuple[str, Wave]]) -> list[tuple[str, Wave]]:
    """A few iterations of each wave: the last before the middle of the longest steady stretch."""
    site = result.case.site
    kind = result.raw.poi.kind
    assert kind is not None  # noqa: S101 - what is simulated has kinds
    steady = ~transient(kind, round(result.case.settle_s / site.step_s))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steady, [False]])))
    begins, ends = edges[::2], edges[1::2]
    if not begins.size:
        return []
    longest = int(np.argmax(ends - begins))
    middle = int(begins[longest] + ends[longest]) // 2
    first = max(middle - round(SHOWN_ITERATIONS * site.jobs[0].iteration_s / site.step_s), int(begins[longest]))
    if middle <= first:
        return []
    begin_s = first * site.step_s
    return [
        (label, replace(wave, power_w=wave.power_w[first:middle], start_s=wave.start_s + begin_s, kind=None))
        for label, wave in waves
    ]


def _of_mix(one: Assessment) -> tuple[Cell, ...]:
    lives = [storage.life_years for storage in one.storage]
    verdict = "fail" if one.verdict == "pass" and one.rejected else one.verdict
    return (
        family(one.mix), verdict, one.annual_usd / MUSD, one.overhead_fraction, one.slowdown_fraction,
        one.storage_j / 3.6e9 or None, min(lives) if lives else None, reason_words(reason(one)) or None,
    )  # fmt: skip


def _words(result: Result, one: Assessment) -> str:
    return mix_words(one.mix, result.case.tdp_w, result.case.site.accelerators)


def families(result: Result) -> list[Assessment]:
    """The cheapest mix of every kind that passes, or the one that comes nearest; those that pass first."""
    best: dict[str, Assessment] = {}
    for one in result.found.assessments if result.found is not None else (result.plain, result.chosen):
        name = family(one.mix)
        if name not in best or shortfall(one) < shortfall(best[name]):
            best[name] = one
    return sorted(best.values(), key=shortfall)


def families_table(result: Result) -> Table:
    """The cheapest mix of every kind, against the job as it is."""
    rows = tuple(_of_mix(one) for one in families(result))
    return Table("families", "Kinds of measure, the cheapest mix found of each; the three cheapest are tuned", _OF_MIX,
                 rows)  # fmt: skip


def mixes_table(result: Result) -> Table:
    """The settings of the cheapest mix of every kind: too long to stand beside its figures."""
    columns = (Column("family", "measures", keep=True), Column("storage_mw", "converters", "MW"),
               Column("mix", "the cheapest mix of them", keep=True))  # fmt: skip
    rows = tuple((family(one.mix), one.storage_w / 1e6 or None, _words(result, one)) for one in families(result))
    return Table("mixes", "Settings of the cheapest mix of every kind", columns, rows, shown=False)


def _front(result: Result) -> tuple[Assessment, ...]:
    return result.found.front[:MOST_FRONT] if result.found is not None else ()


def front_table(result: Result) -> Table:
    """Mixes that no other beats in cost, energy and time at once."""
    columns = (*_OF_MIX[:-1], Column("mix", "settings", keep=True))
    rows = tuple((*_of_mix(one)[:-1], _words(result, one)) for one in _front(result))
    return Table("front", "Mixes that no other beats in cost, energy and time at once", columns, rows, shown=False)


def front_chart(result: Result) -> tuple[Chart, ...]:
    """Cost over energy of the cheapest mix of every kind, and of the front."""
    front = _front(result)
    if not front:
        return ()
    kinds = families_table(result).records()
    shown = [row for row in kinds if row["verdict"] == "pass"]
    series = [
        Series("front", tuple(one.annual_usd / MUSD for one in front), tuple(one.overhead_fraction for one in front)),
        Series(
            "cheapest of each kind", tuple(float(row["annual_cost_musd"] or 0.0) for row in shown),
            tuple(float(row["energy_overhead_share"] or 0.0) for row in shown), "points",
            tuple(str(row["family"]) for row in shown),
        ),
    ]  # fmt: skip
    return (Chart("pareto", "Mixes that pass", Axis("cost", "M USD/year"), Axis("energy added, share"), tuple(series),
                  table="families"),)  # fmt: skip


def costs_table(result: Result) -> Table:
    """What a year costs, part by part."""
    columns = (Column("part", "part", keep=True), Column("annual_cost_musd", "cost", "M USD/year", keep=True),
               Column("amount", "of"), Column("unit", "unit"))  # fmt: skip
    one, prices = result.chosen, result.case.prices
    hours = one.slowdown_usd / prices.gpu_usd_per_h if prices.gpu_usd_per_h else 0.0
    rows: list[tuple[Cell, ...]] = [
        ("energy added", one.energy_usd / MUSD, one.overhead_wh / 1e6, "MWh/year"),
        ("time of accelerators", one.slowdown_usd / MUSD, hours, "GPU-hours/year"),
        *((f"{storage.technology.name}, {storage.level}", storage.annual_usd / MUSD, storage.capital_usd / MUSD,
           "M USD capital") for storage in one.storage),
    ]  # fmt: skip
    return Table("costs", "Cost of a year", columns, tuple(rows))


def storage_table(result: Result) -> Table:
    """Every storage of the mix: size, use, life."""
    columns = (
        Column("storage", "storage", keep=True),
        Column("level", "where"),
        Column("energy_mwh", "energy", "MWh", keep=True),
        Column("power_mw", "rating", "MW", keep=True),
        Column("c_rate_per_h", "rate", "1/h"),
        Column("cycles_per_year", "cycles", "1/year"),
        Column("cycle_life_count", "cycle life"),
        Column("life_years", "life", "years", keep=True),
        Column("losses_mwh_per_year", "lost", "MWh/year"),
        Column("saturated_share", "saturated"),
        Column("least_state_fraction", "state from"),
        Column("most_state_fraction", "state to"),
    )
    rows: list[tuple[Cell, ...]] = []
    for one, run in zip(result.chosen.storage, result.run.storage, strict=True):
        full = run.energy_j or 1.0
        life = one.technology.cycle_life
        rows.append((
            one.technology.name, one.level, one.energy_j / 3.6e9, one.power_w / 1e6, 3600.0 * one.power_w / full,
            one.cycles_per_year, life if life < INFINITE else None, one.life_years, one.losses_wh / 1e6,
            one.saturated_fraction, float(run.state_j.min()) / full, float(run.state_j.max()) / full,
        ))  # fmt: skip
    return Table("storage", "Storage", columns, tuple(rows))


def settings_table(result: Result) -> Table:
    """The chosen mix as keys of a scenario's [mitigation], to be built again, changed or run with other limits."""
    columns = (Column("key", "key of a scenario", keep=True), Column("value", "value", keep=True),
               Column("unit", "unit", keep=True))  # fmt: skip
    rows = tuple(settings(result.chosen.mix, result.case.tdp_w, result.case.site.accelerators))
    return Table("settings", "The measures as [mitigation] of a scenario", columns, rows, shown=False)


def profile_table(result: Result) -> Table:
    """GPU smoothing as fields of a power-smoothing profile of NVML, for an operator to set; nothing is written."""
    gpu = result.chosen.mix.gpu
    columns = (Column("parameter", "NVML parameter", keep=True), Column("value", "value", keep=True),
               Column("unit", "unit", keep=True), Column("note", "note"))  # fmt: skip
    if gpu is None:
        return Table("nvml_profile", "Power smoothing profile", columns, ())
    share = 100.0 * gpu.floor_w / result.case.tdp_w
    free = "no limit asked: leave as it is"
    rows: list[tuple[Cell, ...]] = [
        ("PERCENT_TMP_FLOOR", share, "%",
         "of TDP" if share <= 90.0 else "above 90 % of TDP, said to be the most (second-hand)"),
        ("RAMP_UP_RATE", None if gpu.ramp_up_w_per_s == INFINITE else gpu.ramp_up_w_per_s, "W/s",
         free if gpu.ramp_up_w_per_s == INFINITE else "of one accelerator"),
        ("RAMP_DOWN_RATE", None if gpu.ramp_down_w_per_s == INFINITE else gpu.ramp_down_w_per_s, "W/s",
         free if gpu.ramp_down_w_per_s == INFINITE else "of one accelerator"),
        ("RAMP_DOWN_HYSTERESIS", 1e3 * gpu.hysteresis_s, "ms", "after the work has stopped"),
    ]  # fmt: skip
    title = "Power smoothing profile (group nvmlPowerSmoothing), to be set by an operator"
    return Table("nvml_profile", title, columns, tuple(rows))


def sizes_table(result: Result) -> Table:
    """The largest job that the limits accept."""
    columns = (
        Column("measures", "measures", keep=True),
        Column("gpus", "GPUs", keep=True),
        Column("factor", "over the job asked", keep=True),
        Column("peak_mw", "peak as it is", "MW"),
        Column("annual_cost_musd", "cost", "M USD/year"),
        Column("binding", "what binds", keep=True),
        Column("family", "mix"),
        Column("storage_mwh", "storage", "MWh"),
    )
    peak = float(result.raw.poi.power_w.max()) / 1e6
    rows = tuple(
        (name, int(size.factor * result.case.site.accelerators), size.factor, size.factor * peak,
         None if size.best is None else size.best.annual_usd / MUSD, reason_words(size.binding) or "nothing looked at",
         *((None, None) if size.best is None else (family(size.best.mix), size.best.storage_j / 3.6e9 or None)))
        for name, size in result.sizes.items()
    )  # fmt: skip
    return Table("largest", "The largest job the connection accepts", columns, rows)


def refused_table(result: Result) -> Table:
    """What the mixes that were refused broke worst."""
    columns = (Column("breaks", "limit or cap", keep=True), Column("mixes", "mixes", keep=True))
    refused = result.found.refused if result.found is not None else {}
    rows = tuple((reason_words(why), mixes) for why, mixes in sorted(refused.items(), key=lambda pair: -pair[1]))
    return Table("refused", "Why mixes are refused", columns, rows)


def periods_table(result: Result) -> Table:
    """What another length of the iteration would do to the lines, without other measures."""
    columns = (
        Column("period_factor", "work of an iteration", keep=True),
        Column("period_s", "period", "s", keep=True),
        Column("first_line_hz", "first line", "Hz", keep=True),
        Column("largest_line_mw", "largest line", "MW", keep=True),
        Column("largest_line_hz", "at", "Hz", keep=True),
        Column("time_share", "time for the same work"),
    )
    rows = tuple(
        (row.factor, row.period_s, 1.0 / row.period_s, row.line_w / 1e6, row.line_hz, row.time_factor)
        for row in periods(result.judge)
    )
    return Table("periods", "What if iterations were longer or shorter", columns, rows, shown=False)


def phases_table(result: Result) -> Table:
    """Iterations that were computed, part by part."""
    columns = (Column("job", "job", keep=True), Column("part", "part of a step", keep=True),
               Column("duration_s", "length", "s", keep=True), Column("share", "share"))  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, computed in result.case.computed.items():
        step = computed.step
        parts = {
            "compute": step.compute_s, "tensor traffic": step.tensor_exposed_s,
            "pipeline traffic": step.pipeline_exposed_s, "stages that wait for the fullest": step.imbalance_s,
            "pipeline fills and drains": step.bubble_s, "exchange of gradients": step.data_exposed_s,
            "optimizer": step.optimizer_s, "whole step": step.total_s,
        }  # fmt: skip
        rows += [(name, part, seconds, seconds / step.total_s) for part, seconds in parts.items()]
    return Table("iteration", "Parts of a step", columns, tuple(rows))


def closed_table(result: Result) -> Table:
    """Closed forms of a wave of two levels beside the run, where the first job has two phases."""
    columns = (Column("quantity", "quantity", keep=True), Column("closed_form", "closed form", keep=True),
               Column("run", "run"), Column("unit", "unit"))  # fmt: skip
    return Table(
        "closed_forms", "Closed forms of a wave of two levels", columns, tuple(closed_rows(result)), shown=False
    )


def handover_table(result: Result) -> Table:
    """What other planners take from this one, under the names they know it by."""
    columns = (Column("planner", "for", keep=True), Column("path", "input", keep=True),
               Column("value", "value", keep=True), Column("unit", "unit"), Column("note", "what it is"))  # fmt: skip
    return Table("handover", "For other planners", columns, tuple(handover_rows(result)), shown=False)


__all__ = ["CLOSE_UP", "close_up", "front_chart", "tables"]
