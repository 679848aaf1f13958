"""Tables of `aiplan thermal`."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from aiplan.planners.thermal.hall import HOURS
from aiplan.planners.thermal.llm_config import hottest_of
from aiplan.planners.thermal.llm_configs import median_of
from aiplan.planners.thermal.model import shared_inlet_c
from aiplan.planners.thermal.oversubscribe import breaks
from aiplan.planners.thermal.plan import POLICIES, Result
from aiplan.planners.thermal.published import STATEMENTS
from aiplan.report.model import Cell, Column, Table

FULLEST = 8
Cells = tuple[tuple[Cell, ...], ...]


def tables_of(result: Result) -> list[Table]:
    """Every table, those that answer first."""
    rows = rows_table(result)
    return [
        levers_table(result),
        Table("rows", "Fullest rows, all levers", _ROWS, _fullest(result, rows)),
        oversubscription_table(result),
        emergency_table(result),
        *configuration_tables(result),
        published_table(result),
        Table("all_rows", "Every row, all levers", _ROWS, rows, shown=False),
        aisles_table(result),
        placement_table(result),
        moments_table(result),
    ]


def _number(value: Any) -> float | None:
    """A number of numpy as Python's, None for NaN."""
    number = float(value)
    return number if math.isfinite(number) else None


def levers_table(result: Result) -> Table:
    """Each policy against both baselines."""
    columns = (
        Column("policy", "policy", keep=True),
        Column("row_peak_kw", "row peak", "kW", keep=True),
        Column("against_packed", "to packed"),
        Column("against_random", "to random"),
        Column("hottest_c", "hottest", "°C", keep=True),
        Column("hotter_kelvin", "to random", "K"),
        Column("p999_c", "P99.9", "°C"),
        Column("over_share", "over budget"),
        Column("capped_kwh", "above it", "kWh"),
        Column("energy_kwh", "energy", "kWh"),
        Column("throttle_events", "throttled"),
        Column("quality_loss", "quality lost"),
        Column("moved_share", "load moved"),
    )
    random, packed = (float(result.runs[name].row_peak_w.max()) for name in ("random", "packed"))
    rows = []
    for name, label in POLICIES.items():
        run = result.runs[name]
        peak = float(run.row_peak_w.max())
        rows.append((label, peak / 1e3, peak / packed - 1.0, peak / random - 1.0, run.hottest_c,
                     run.hottest_c - result.runs["random"].hottest_c, run.p999_c, run.over_share, run.capped_kwh,
                     run.energy_kwh, run.throttle_events, run.quality_loss, run.moved_share))  # fmt: skip
    return Table("levers", "What each lever does, beside both baselines", columns, tuple(rows))


_ROWS = (
    Column("row", "row", keep=True),
    Column("aisle", "aisle"),
    Column("servers", "servers"),
    Column("vms", "VMs"),
    Column("saas_share", "SaaS"),
    Column("budget_kw", "budget", "kW"),
    Column("peak_kw", "peak", "kW", keep=True),
    Column("headroom", "headroom", keep=True),
    Column("peak_hour", "at hour"),
    Column("hottest_c", "hottest", "°C"),
)


def rows_table(result: Result) -> Cells:
    """Every row of the hall."""
    case, best, placement = result.case, result.best, result.placement
    hall = case.hall
    here = placement.slots >= 0
    held = np.bincount(hall.row[placement.slots[here]], minlength=hall.rows)
    out = []
    for row in range(hall.rows):
        hour = int(best.row_peak_step[row] * case.demand.step_s / 3600.0) % HOURS
        budget, peak = float(hall.row_budget_w[row]), float(best.row_peak_w[row])
        out.append((row + 1, int(hall.aisle_of_row[row]) + 1, int(case.servers_per_row[row]), int(held[row]),
                    _number(placement.saas_share[row]), budget / 1e3, peak / 1e3, 1.0 - peak / budget, hour,
                    _number(best.row_hottest_c[row])))  # fmt: skip
    return tuple(out)


def _fullest(result: Result, rows: Cells) -> Cells:
    """The rows with the least headroom."""
    fill = result.best.row_peak_w / result.case.hall.row_budget_w
    return tuple(rows[row] for row in np.argsort(-fill, kind="stable")[:FULLEST].tolist())


def aisles_table(result: Result) -> Table:
    """Air asked of every aisle."""
    columns = (Column("aisle", "aisle", keep=True), Column("supply_cfm", "supply", "CFM"),
               Column("peak_cfm", "peak", "CFM", keep=True), Column("use_share", "used"))  # fmt: skip
    hall, best = result.case.hall, result.best
    rows = tuple(
        (aisle + 1, float(hall.aisle_airflow_cfm[aisle]), float(best.aisle_peak_cfm[aisle]),
         float(best.aisle_peak_cfm[aisle] / hall.aisle_airflow_cfm[aisle]))
        for aisle in range(hall.aisles)
    )  # fmt: skip
    return Table("aisles", "Air of every aisle, all levers", columns, rows, shown=False)


def placement_table(result: Result) -> Table:
    """Where every VM stands, and why."""
    columns = (
        Column("vm", "VM", keep=True),
        Column("kind", "kind"),
        Column("row", "row", keep=True),
        Column("slot", "slot"),
        Column("hottest_c", "hottest at P99", "°C"),
        Column("p99_load", "P99 load"),
        Column("offset_kelvin", "slot offset", "K"),
        Column("reason", "why", keep=True),
    )
    case, placement = result.case, result.placement
    hall, vms = case.hall, case.vms
    left = {one.vm: one.reason for one in placement.unplaced}
    peak = vms.load_p99.max(axis=1)
    first = np.searchsorted(hall.row, np.arange(hall.rows))
    rows: list[tuple[Cell, ...]] = []
    for vm in range(vms.count):
        slot = int(placement.slots[vm])
        kind = "saas" if vms.saas[vm] else "iaas"
        if slot < 0:
            why = f"left out: every slot breaks {left.get(vm, 'a limit')}"
            rows.append((vms.id[vm], kind, None, None, None, float(peak[vm]), None, why))
            continue
        row = int(hall.row[slot])
        share = float(placement.row_peak_w[row] / hall.row_budget_w[row])
        heat = float(placement.hottest_c[vm] / hall.t_max_c)
        why = f"row at {share:.1%} of its budget, GPU at {heat:.1%} of its limit"
        rows.append((vms.id[vm], kind, row + 1, slot - int(first[row]) + 1, float(placement.hottest_c[vm]),
                     float(peak[vm]), float(hall.slot_offset_c[slot] + hall.gpu_offset_c[slot]), why))  # fmt: skip
    return Table("placement", "Where every VM stands", columns, tuple(rows), shown=False)


def oversubscription_table(result: Result) -> Table:
    """Servers added, under three policies."""
    columns = (
        Column("added", "added", keep=True),
        Column("servers", "servers"),
        Column("packed_over_share", "packed over budget", keep=True),
        Column("random_over_share", "random over budget", keep=True),
        Column("levers_over_share", "levers over budget", keep=True),
        Column("levers_quality_loss", "quality lost"),
        Column("levers_hottest_c", "hottest", "°C"),
        Column("levers_throttled_share", "throttled"),
        Column("levers_aisle_use", "air used"),
        Column("breaks", "breaks", keep=True),
    )
    asked = result.case.inputs.oversubscribe
    risks = asked.over_share.distribution.median, asked.throttle_share.distribution.median
    supply = result.case.hall.aisle_airflow_cfm
    rows = tuple(
        (level.added, level.servers, level.packed.over_share, level.random.over_share, level.levers.over_share,
         level.levers.quality_loss, level.levers.hottest_c, level.levers.throttled_share,
         float(np.max(level.levers.aisle_peak_cfm / supply)), breaks(level.levers, *risks) or "nothing")
        for level in result.levels
    )  # fmt: skip
    title = f"More servers, row budgets {result.case.nameplate_share:.0%} of today's nameplate and air as they are"
    return Table("oversubscription", title, columns, rows)


def emergency_table(result: Result) -> Table:
    """Three policies against each event."""
    columns = (
        Column("lost", "lost", keep=True),
        Column("left_share", "left"),
        Column("short", "rows or aisles short"),
        Column("needed", "to shed"),
        Column("unit", "unit"),
        Column("policy", "policy", keep=True),
        Column("shed_share", "sheds", keep=True),
        Column("uncovered", "uncovered", keep=True),
        Column("iaas_performance_loss", "IaaS speed"),
        Column("saas_performance_loss", "SaaS speed"),
        Column("saas_quality_loss", "SaaS quality"),
        Column("comply_s", "complies in", "s"),
        Column("deadline_s", "deadline", "s"),
        Column("in_time", "in time", keep=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in result.emergencies:
        unit, scale = ("kW", 1e3) if one.what == "power" else ("CFM", 1.0)
        for outcome in one.outcomes:
            share = outcome.share[np.isfinite(outcome.share)]
            rows.append((one.what, one.event.factor, int((one.shortage.needed > 0.0).any(axis=0).sum()),
                         float(one.shortage.needed.sum(axis=1).max()) / scale, unit, outcome.policy,
                         float(share.max(initial=0.0)), float(outcome.uncovered.sum(axis=1).max()) / scale,
                         float(outcome.iaas_performance_loss.max()), float(outcome.saas_performance_loss.max()),
                         float(outcome.saas_quality_loss.max()), outcome.comply_s, one.event.deadline_s,
                         outcome.in_time))  # fmt: skip
    return Table("emergency", "Power or air lost at the hall's peak, and what each policy does", columns, tuple(rows))


def configuration_tables(result: Result) -> list[Table]:
    """What a SaaS server may run, and what the fullest row's servers run at its peak, budget whole and cut."""
    case = result.case
    if not case.configs:
        return []
    inlet = float(np.mean(case.hall.slot_offset_c)) + float(shared_inlet_c(case.hall, case.design_outside_c, 0.5))
    columns = (
        Column("configuration", "configuration", keep=True),
        Column("server_kw", "server", "kW", keep=True),
        Column("gpu_w", "busiest GPU", "W"),
        Column("hottest_c", "its heat", "°C", keep=True),
        Column("tokens_per_s", "tokens/s"),
        Column("tokens_per_j", "tokens/J"),
        Column("ttft_ms", "TTFT", "ms"),
        Column("tpot_ms", "TPOT", "ms"),
        Column("quality", "quality"),
        *(Column(f"servers_{one.case}", one.case) for one in result.configured),
    )
    chosen = [Counter(one.names) for one in result.configured]
    rows: Cells = tuple(
        (one.name, one.server_w / 1e3, one.gpu_w, hottest_of(case.hall, one, inlet), one.tokens_per_s,
         one.tokens_per_s / one.server_w, one.ttft_ms, one.tpot_ms, one.quality,
         *(count.get(one.name, 0) for count in chosen))
        for one in case.configs
    )  # fmt: skip
    title = "What a SaaS server may run"
    if result.configured:
        row = result.configured[0].row + 1
        share = median_of(case.inputs.emergency.row_power_share)
        title += f"; servers of row {row} at its peak, budget whole (normal) and {share:.0%} of it (emergency)"
    tables = [Table("configurations", title, columns, rows)]
    if result.configured:
        tables.append(_row_table(result))
    return tables


def _row_table(result: Result) -> Table:
    columns = (
        Column("case", "budget", keep=True),
        Column("row", "row"),
        Column("budget_kw", "budget", "kW"),
        Column("power_kw", "power", "kW", keep=True),
        Column("saas_vms", "SaaS VMs"),
        Column("stopped", "stopped", keep=True),
        Column("changed", "changed"),
        Column("unmet_share", "unmet", keep=True),
        Column("quality_loss", "quality lost"),
        Column("hottest_c", "hottest", "°C"),
        Column("lost_s", "service lost", "s"),
        Column("status", "search"),
    )
    rows = tuple(
        (one.case, one.row + 1, one.budget_w / 1e3, float(one.found.row_w[0]) / 1e3, one.vms,
         sum(not name for name in one.names), int(one.found.changed.sum()),
         float(one.found.unmet_tokens_s.sum()) / max(one.demand_tokens_per_s, 1e-300), one.found.quality_loss,
         float(one.found.hottest_c.max()), float(one.found.lost_s.sum()), one.found.status)
        for one in result.configured
    )  # fmt: skip
    return Table("row_configuration", "The fullest row, reconfigured at its peak", columns, rows)


def moments_table(result: Result) -> Table:
    """Rows filled by chance, by the moments of power."""
    columns = (
        Column("moments", "moments of", keep=True),
        Column("mean_w", "mean", "W"),
        Column("sd_w", "standard deviation", "W"),
        Column("rho", "correlation"),
        Column("row_servers", "least row"),
        Column("added", "added", keep=True),
    )
    rows = tuple((name, found.mean_w, found.sd_w, found.rho, int(found.servers.min()), found.added)
                 for name, found in result.moments.items())  # fmt: skip
    return Table(
        "moments", "Servers a row carries by mean, spread and correlation of power", columns, rows, shown=False
    )


def published_table(result: Result) -> Table:
    """What was stated elsewhere, and what this hall gives; nothing is reproduced."""
    columns = (
        Column("what", "what", keep=True),
        Column("published", "published, not reproduced", keep=True),
        Column("evidence", "seen"),
        Column("ours", "this hall, to packed / to random", keep=True),
        Column("source", "source"),
    )
    ours = _ours(result)
    rows = tuple((one.what, one.value, one.evidence, ours.get(one.ours, ""), one.source) for one in STATEMENTS)
    told = "synthetic" if result.case.synthetic else "as given"
    return Table("published", f"Stated elsewhere, and what this hall ({told}) gives", columns, rows)


def _ours(result: Result) -> dict[str, str]:
    best = result.best
    against = [result.runs[name] for name in ("packed", "random")]
    peak = float(best.row_peak_w.max())

    def events(name: str) -> str:
        mine = getattr(best, name)
        return " / ".join(f"{mine} of {getattr(run, name)}" for run in against)

    return {
        "row": " / ".join(f"{peak / float(run.row_peak_w.max()) - 1.0:+.1%}" for run in against),
        "temperature": " / ".join(f"{best.hottest_c / run.hottest_c - 1.0:+.1%}" for run in against),
        "added": f"{result.capacity.added:+.1%}",
        "throttle": events("throttle_events"),
        "over": events("over_events"),
    }
