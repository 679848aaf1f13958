"""A result of `aiplan thermal` as a report: lines, warnings, and what each number rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.thermal.hall import HOURS
from aiplan.planners.thermal.plan import MOMENTS_PROBABILITY, NEAR_ENOUGH, Result
from aiplan.planners.thermal.report_tables import tables_of
from aiplan.report.model import Cell, InputRecord, Line, Origin, Report, worst_grade

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

POWER = ("server.idle_w", "server.max_w")
HEAT = ("thermal.power_coefficient_kelvin_per_w", "thermal.intercept_c", "thermal.inlet_coefficient",
        "server.gpu_tdp_w", "weather.", "hall.gpu_spread_kelvin", "hall.server_spread_kelvin",
        "hall.row_spread_kelvin")  # fmt: skip
BUDGET = (*POWER, "hall.row_budget_share", "hall.row_budget_w", "row.")
RULES = ("place.",)

# id: (label, unit, formula, paths of the inputs). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str, tuple[str, ...]]] = {
    "servers": ("Servers", "servers", "sum of the rows' positions", ()),
    "gpus": ("GPUs", "GPUs", "servers x GPUs per server", ()),
    "vms": ("VMs", "VMs", "one to a server", ()),
    "vms_placed": ("VMs placed", "VMs", "VMs with a slot that keeps every limit at P99 load and design weather",
                   (*BUDGET, *HEAT)),
    "max_gpu_temperature_c": ("Hottest GPU, all levers", "°C", "max over servers and steps of a T_in + b P + c + own",
                              (*HEAT, *RULES)),
    "p999_gpu_temperature_c": ("P99.9 of the hottest GPUs", "°C", "over servers and steps, all levers",
                               (*HEAT, *RULES)),
    "random_gpu_temperature_c": ("Hottest GPU, random placement", "°C", "the same without levers", HEAT),
    "row_peak_kw": ("Highest row power, all levers", "kW", "max over rows and steps of the sum of server powers",
                    (*POWER, *RULES)),
    "random_row_peak_kw": ("Highest row power, random placement", "kW", "the same without levers", POWER),
    "packed_row_peak_kw": ("Highest row power, packed placement", "kW", "an endpoint's VMs side by side", POWER),
    "balance_row_peak_kw": ("Least any placement reaches", "kW", "hall's peak without levers / rows", POWER),
    "routed_row_share": ("Fullest row at the hall's peak, routed by programme", None,
                         "min rho with sum q = D, q <= 1, T <= T_max, sum P <= rho B", (*BUDGET, *HEAT)),
    "routed_unmet_fraction": ("SaaS demand that fits nowhere then", None, "unmet / D at that step", (*BUDGET, *HEAT)),
    "row_headroom_fraction": ("Headroom of the fullest row", None, "1 - max row power / budget", (*BUDGET, *RULES)),
    "aisle_use_fraction": ("Air asked of the fullest aisle", None, "max aisle airflow / supply",
                           ("server.airflow_idle_cfm", "server.airflow_span_cfm", "hall.aisle_airflow", "aisle.")),
    "row_steps_over_fraction": ("Row-steps above budget", None, "share of rows and steps with P_r > B_r, all levers",
                                (*BUDGET, *RULES)),
    "random_steps_over_fraction": ("Row-steps above budget, random", None, "the same without levers", BUDGET),
    "throttle_events": ("Throttling events", "events", "maximal runs of steps with T >= throttle, all levers",
                        (*HEAT, "thermal.t_throttle_c")),
    "capping_fraction": ("Row-steps in which SaaS sheds", None, "share of rows and steps above the shedding threshold",
                         (*BUDGET, *RULES)),
    "quality_loss_fraction": ("Quality index lost by SaaS", None, "mean over VMs and steps; opaque VMs lose none",
                              (*BUDGET, *RULES)),
    "performance_loss_fraction": ("Speed lost by SaaS to cuts", None, "share of VM-steps cut x (1 - (1 - cut)^(1/n))",
                                  (*HEAT, *RULES)),
    "placement_objective": ("Objective of the placement", None, "w1 max row share + w2 max temperature share",
                            (*BUDGET, *HEAT)),
    "lp_bound": ("Bound no placement beats", None, "by balance and by heat order, or by linear programme",
                 (*BUDGET, *HEAT)),
    "placement_gap_fraction": ("Gap to the bound", None, "(objective - bound) / bound", (*BUDGET, *HEAT)),
    "added_capacity_fraction": ("Servers that may be added, all levers", None,
                                "largest share with both risks kept, by replay", (*BUDGET, *HEAT, *RULES)),
    "moments_added_fraction": ("The same by chance and moments", None,
                               f"N mu + z s sqrt(N (1 + (N - 1) rho)) <= B_r, P = {MOMENTS_PROBABILITY:g}, peak hour",
                               BUDGET),
    "emergency_shed_kw": ("To shed when power is lost", "kW", "sum of P_r - B_r' over rows at the hall's peak",
                          (*BUDGET, "emergency.row_power_share")),
    "emergency_saas_fraction": ("Dynamic power SaaS sheds then", None, "largest X / sum (P_s - P_idle), SaaS only",
                                (*BUDGET, "emergency.")),
    "emergency_uncovered_kw": ("What that leaves uncovered", "kW", "beyond emergency.shed_max_share",
                               (*BUDGET, "emergency.")),
    "binding": ("What binds", None, "the limit nearest to its value, all levers", (*BUDGET, *HEAT)),
}  # fmt: skip

NOT_MODELLED = (
    "warming and cooling between steps: every step is a steady state",
    "prefill and decode apart: load stands for both",
    "live migration: a VM stays where it is put",
    "failures, maintenance, VMs that come and go during the replay",
    "memory temperature, which the fit reports where it is measured",
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
    return Report(
        planner="thermal",
        title=header.title or "Placement of GPU VMs in a hall",
        headline=headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.seed,
        samples=0,
        lines=tuple(_lines(result, known)),
        tables=tuple(tables_of(result)),
        warnings=tuple(result.warnings),
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
    )


def values_of(result: Result) -> dict[str, Cell]:
    """The value of every line."""
    case, best, runs, placement = result.case, result.best, result.runs, result.placement
    hall = case.hall
    budget = hall.row_budget_w
    fullest = float(np.max(best.row_peak_w / budget))
    bound = placement.bound
    power = result.emergencies[0]
    saas = power.outcomes[1]
    return {
        "servers": hall.slots,
        "gpus": hall.slots * case.inputs.hall.server_gpus,
        "vms": case.vms.count,
        "vms_placed": result.placed,
        "max_gpu_temperature_c": best.hottest_c,
        "p999_gpu_temperature_c": best.p999_c,
        "random_gpu_temperature_c": runs["random"].hottest_c,
        "row_peak_kw": float(best.row_peak_w.max()) / 1e3,
        "random_row_peak_kw": float(runs["random"].row_peak_w.max()) / 1e3,
        "packed_row_peak_kw": float(runs["packed"].row_peak_w.max()) / 1e3,
        "balance_row_peak_kw": runs["place"].least_row_peak_w / 1e3,
        "routed_row_share": None if result.peak is None else result.peak.share,
        "routed_unmet_fraction": None if result.peak is None else result.peak.unmet_share,
        "row_headroom_fraction": 1.0 - fullest,
        "aisle_use_fraction": float(np.max(best.aisle_peak_cfm / hall.aisle_airflow_cfm)),
        "row_steps_over_fraction": best.over_share,
        "random_steps_over_fraction": runs["random"].over_share,
        "throttle_events": best.throttle_events,
        "capping_fraction": best.shed_share,
        "quality_loss_fraction": best.quality_loss,
        "performance_loss_fraction": best.performance_loss,
        "placement_objective": placement.objective,
        "lp_bound": None if bound is None else bound.objective,
        "placement_gap_fraction": placement.gap,
        "added_capacity_fraction": result.capacity.added,
        "moments_added_fraction": result.moments["peak hour"].added,
        "emergency_shed_kw": float(power.shortage.needed.sum(axis=1).max()) / 1e3,
        "emergency_saas_fraction": float(np.nan_to_num(saas.share, posinf=0.0).max()),
        "emergency_uncovered_kw": float(saas.uncovered.sum(axis=1).max()) / 1e3,
        "binding": _binding(result),
    }


def _binding(result: Result) -> str:
    """The limit used most, with where and when."""
    case, best = result.case, result.best
    hall = case.hall
    power = best.row_peak_w / hall.row_budget_w
    air = best.aisle_peak_cfm / hall.aisle_airflow_cfm
    row, aisle = int(np.argmax(power)), int(np.argmax(air))
    hour = int(best.row_peak_step[row] * case.demand.step_s / 3600.0) % HOURS
    told = {
        f"power of row {row + 1} at {hour:02d}:00": float(power[row]),
        f"air of aisle {aisle + 1}": float(air[aisle]),
        f"temperature in row {int(hall.row[best.hottest_slot]) + 1}": best.hottest_c / hall.t_max_c,
    }
    name = max(told, key=lambda one: told[one])
    return f"{name}: {told[name]:.1%} of its limit"


def _lines(result: Result, known: dict[str, InputRecord]) -> list[Line]:
    values, out = values_of(result), []
    drawn = result.case.synthetic
    for line, (label, unit, formula, wanted) in LINES.items():
        used = [path for path in known if any(path.startswith(start) for start in wanted)]
        grade = worst_grade([known[path].grade for path in used]) if used else "measured"
        # What is drawn was assumed, whatever the numbers it is drawn with.
        grade = "assumption" if drawn else grade
        sources = tuple(dict.fromkeys(source for path in used for source in known[path].sources))
        out.append(Line(line, label, values[line], unit, grade=grade, sources=sources, formula=formula,
                        inputs=tuple(used)))  # fmt: skip
    return out


def headline(result: Result) -> str:
    """One sentence a newcomer can quote; it says when the hall does not exist."""
    values, best = values_of(result), result.best
    random, packed = result.runs["random"], result.runs["packed"]
    whose = "Synthetic hall: " if result.case.synthetic else ""
    cooler = best.hottest_c - random.hottest_c
    peak = float(best.row_peak_w.max())
    against = " and ".join(
        f"{peak / float(run.row_peak_w.max()) - 1.0:+.0%} against {name}"
        for name, run in (("packed", packed), ("random", random))
    )
    if values["vms_placed"] != values["vms"]:
        # Baselines carry every VM: there is nothing to compare with.
        return (
            f"{whose}only {values['vms_placed']:,} of {values['vms']:,} VMs fit: {peak / 1e3:,.0f} kW in the fullest "
            f"row, the hottest GPU {best.hottest_c:.1f} C; no servers can be added."
        )
    return (
        f"{whose}{values['vms_placed']:,} of {values['vms']:,} VMs placed; with all levers the highest row power is "
        f"{values['row_peak_kw']:,.0f} kW ({against}), the hottest GPU {best.hottest_c:.1f} C ({cooler:+.1f} K against "
        f"random); {result.capacity.added:.1%} more servers fit."
    )


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    case = result.case
    hall, vms, placement = case.hall, case.vms, result.placement
    sizes = sorted({int(case.servers_per_row.min()), int(case.servers_per_row.max())})
    how = {
        "batch": "batch: all VMs known, an upper bound of what arrival by arrival gives",
        "online": "online: in order of arrival, nobody moves later",
        "exact": f"by mixed-integer programme, {placement.status}, gap allowed {NEAR_ENOUGH:.1%}",
    }[placement.mode]
    extra = [
        ("Hall", f"{hall.rows} rows of {' to '.join(f'{size}' for size in sizes)} servers, "
                 f"{hall.aisles} aisles; row budgets {case.nameplate_share:.0%} of nameplate"),
        ("VMs", f"{vms.count:,}, {vms.saas.mean():.0%} SaaS on {np.unique(vms.endpoint[vms.saas]).size} endpoints"),
        ("Weather", case.weather),
        ("Replay", f"{case.demand.days:g} days in steps of {case.demand.step_s / 60:g} min"),
        ("Placement", how),
        ("More servers", "placed by the greedy search alone, whatever place.mode says"),
    ]  # fmt: skip
    if case.synthetic:
        extra.append(("Drawn, not given", f"{' and '.join(case.synthetic)}; seed {case.seed}"))
    if scenario.header.as_of:
        extra.append(("Data as of", str(scenario.header.as_of)))
    return tuple(extra)


__all__ = ["LINES", "to_report"]
