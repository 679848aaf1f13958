"""Lines of `aiplan tco`: what each is, how it is computed and what it rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.lifecycle.plan import Result, hall_w
from aiplan.planners.lifecycle.report_tables import flow, kind_flow, names_of
from aiplan.planners.lifecycle.report_values import MW, design_of, plain, rented, share, told_strategy
from aiplan.planners.lifecycle.risk import COST
from aiplan.planners.lifecycle.strategies import BUILD, OPERATE, REFRESH, STAGES, Strategy
from aiplan.planners.parameters import Evidence
from aiplan.report.model import Cell, Line, worst_grade

QUANTILES = ("p5", "p25", "p50", "p75", "p95", "mean")
OF_ACCOUNT = "{accounting}"
"""Stands for the scenario's accounting in a label."""
NOTHING_OFFERED = "nothing is offered for rent"

# id: (label, unit, formula, line that the evidence is of). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str, str]] = {
    "accounting": ("Accounting", None, "account.mode; the others stand in the table accountings", COST),
    "tco_usd": ("Total cost, undiscounted, {accounting}", "USD",
                "capex_usd + opex_usd + tax_usd + terminal_usd of the baseline over the horizon", "tco_usd"),
    "npv_usd": ("Present cost, {accounting}", "USD",
                "capital, operation, tax and terminal value of the baseline, each discounted from when it is paid to "
                "the start at account.discount_fraction; paper and book do not discount: tco_usd", COST),
    "npv_sampled_usd": ("Present cost over the draws", "USD", "median of the baseline's npv_usd, inputs drawn",
                        COST),
    "rented_fraction": ("Demand served by rented servers", None, "requests/s rented / requests/s of demand with its "
                        "reserve, each added up over periods and classes", COST),
    "capex_usd": ("Capital, undiscounted", "USD", "servers + network + halls - resale, over the horizon", "capex_usd"),
    "opex_usd": ("Operation, undiscounted", "USD", "energy, demand charge, water, carbon, upkeep, software, "
                 "staff, rent", "opex_usd"),
    "tax_usd": ("Tax, undiscounted", "USD", "tax on profit that costs and depreciation save (negative), and on "
                "sales", "opex_usd"),
    "terminal_usd": ("Terminal value, undiscounted", "USD", "what stands at the end is worth, as income: negative",
                     "tco_usd"),
    "tco_without_terminal_usd": ("Total cost without terminal value", "USD", "tco_usd - terminal_usd, undiscounted",
                                 "tco_usd"),
    "upfront_usd": ("Capital paid in the first period", "USD", "servers, network and halls bought in it", "capex_usd"),
    "usd_per_year": ("Present cost as equal payments every year", "USD/year", "npv_usd / sum of discount factors x "
                     "period", COST),
    "usd_per_million_tokens": ("Per million answer tokens", "USD", "npv_usd / discounted tokens at the mean load; none "
                               "where demand is not served", COST),
    "usd_per_gpu_h": ("Per accelerator-hour in service", "USD/h", "npv_usd / discounted accelerator-hours, rent left "
                      "out of the cost", COST),
    "usd_per_mw_year": ("Per megawatt of hall and year", "USD/(MW year)", "npv_usd / discounted megawatt-years, rent "
                        "left out of the cost", COST),
    "servers_usd_per_year": ("Servers bought, per year", "USD/year", "cost line servers / years; resale not taken off",
                             "capex_usd"),
    "energy_usd_per_year": ("Energy, per year", "USD/year", "cost line energy / years", "opex_usd"),
    "demand_charge_usd_per_year": ("Demand charge, per year", "USD/year", "cost line demand charge / years",
                                   "opex_usd"),
    "servers_start": ("Servers at the start", "servers", "in service in the first period", COST),
    "accelerators_start": ("Accelerators at the start", None, "of these servers", COST),
    "hall_mw": ("Hall capacity at the start", "MW", "that stands in the first period", COST),
    "saving_build": ("Saving, build alone, {accounting}", None,
                     "1 - best design / baseline, policy and operation kept", COST),
    "saving_refresh": ("Saving, refresh alone, {accounting}", None,
                       "1 - best policy / baseline, design and operation kept", COST),
    "saving_operate": ("Saving, operate alone, {accounting}", None,
                       "1 - best operation / baseline, design and policy kept", COST),
    "saving_joint": ("Saving, all three, {accounting}", None, "1 - best of all strategies / baseline", COST),
    "shapley_build": ("Build's part of the joint saving", None, "what the stage adds, mean over all orders of the "
                      "stages (Shapley); the parts add up to saving_joint", COST),
    "shapley_refresh": ("Refresh's part of the joint saving", None, "as shapley_build", COST),
    "shapley_operate": ("Operate's part of the joint saving", None, "as shapley_build", COST),
    "best_build": ("Best design alone", None, "power / cooling / network of saving_build", COST),
    "best_refresh": ("Best policy alone", None, "of saving_refresh", COST),
    "best_operate": ("Best operation alone", None, "of saving_operate", COST),
    "best_strategy": ("Best strategy", None, "power / cooling / network / policy / operation of saving_joint", COST),
    "regret": ("Regret of the baseline, {accounting}", None, "npv_usd / optimum_usd - 1, same design and operation",
               COST),
    "optimum_usd": ("Least present cost, {accounting}", "USD", "linear programme in the baseline's design and "
                    "operation", COST),
    "optimum_joint_usd": ("Least present cost over all designs, best operation", "USD", "linear programmes in every "
                          "design, in the best operation; the least of them", COST),
    "optimum_status": ("Proof of the optimum", None, "by HiGHS: optimal, within gap, or stopped", COST),
    "optimum_gap": ("Gap of the optimum to its bound", None, "(optimum_usd - bound) / optimum_usd, bound by weak "
                    "duality", COST),
    "optimum_violation": ("Worst violation of a rule by the optimum", None, "recomputed from the plan, relative", COST),
    "site_usd_per_w": ("A watt more of site", "USD/W", "shadow price of site.most_w; 0 without a limit", COST),
    "request_first_usd_s": ("A request/s more in the first period", "USD per request/s", "shadow price of demand "
                            "there, in present dollars", COST),
    "request_mean_usd_s": ("A request/s more in the mean period", "USD per request/s", "mean of the shadow prices of "
                           "demand over the periods, in present dollars", COST),
    "budget_usd_per_usd": ("A dollar more of budget, at most", None, "largest shadow price of the yearly budget; "
                           "0 without one", COST),
    "payback_years": ("Owning costs less than renting after", "years", "undiscounted costs of the baseline and of "
                      "renting all of the demand, added up over time", "tco_usd"),
    "return_on_owning_fraction": ("Return of owning in place of renting, per year", None, "rate at which the cash "
                                  "flows of renting less those of owning have no present value", "tco_usd"),
}  # fmt: skip


COMPARED = ("saving_", "shapley_", "best_", "optimum_joint")
"""Starts of lines that rest on every option of the site, not on the baseline's alone."""


def lines_of(result: Result) -> tuple[Line, ...]:
    """Every line, in the order of `LINES`."""
    values = values_of(result)
    return tuple(_line(result, name, values[name]) for name in LINES if name in values)


def _line(result: Result, name: str, value: Cell) -> Line:
    label, unit, formula, rests_on = LINES[name]
    found = result.evidence.get(rests_on, Evidence())
    quantiles: dict[str, Any] = _drawn(result) if name == "npv_sampled_usd" else {}
    counted_in = None if isinstance(value, str) else unit
    grade = worst_grade([found.grade, *_compared(result)]) if name.startswith(COMPARED) else found.grade
    return Line(name, label.format(accounting=result.accounting), value, counted_in, **quantiles, grade=grade,
                sources=found.sources, formula=formula, inputs=found.inputs,
                effects=found.effects if rests_on == name else ())  # fmt: skip


def _compared(result: Result) -> list[str]:
    """Grades of what sets one design of the site apart from another."""
    case = result.case
    paths = {
        path for kind in (case.power, case.cooling, case.network) for choice in kind for path in choice.paths.values()
    }
    return [record.grade for record in case.parameters.records() if record.path in paths]


def _drawn(result: Result) -> dict[str, float | None]:
    if result.risk is None:
        return {}
    at = result.risk.costs.names.index(result.start.strategy.policy)
    return {name: plain(getattr(result.risk.spread, name)[at]) for name in QUANTILES}


def values_of(result: Result) -> dict[str, Cell]:
    """The value of every line that the result has."""
    return {
        "accounting": result.accounting, **_costs(result), **_per_unit(result), **_savings(result),
        **_optimum(result), **_renting(result),
    }  # fmt: skip


def _costs(result: Result) -> dict[str, Cell]:
    money = result.start.money
    total, terminal = float(money.plain()), float(money.plain("terminal"))
    found: dict[str, Cell] = {
        "tco_usd": total, "npv_usd": float(money.total()), "capex_usd": float(money.plain("capex")),
        "opex_usd": float(money.plain("opex")), "tax_usd": float(money.plain("tax")), "terminal_usd": terminal,
        "tco_without_terminal_usd": total - terminal, "rented_fraction": rented(result.start),
        "upfront_usd": float(kind_flow(result.start, "capex")[0]),
    }  # fmt: skip
    if result.risk is not None:
        found["npv_sampled_usd"] = _drawn(result).get("p50")
    return found


def _per_unit(result: Result) -> dict[str, Cell]:
    row, years = result.start, result.case.clock.horizon_years

    def yearly(name: str) -> float:
        return float(flow(row, name).sum()) / years if name in names_of(row) else 0.0

    count = row.problem.world.generations.accelerators_count
    generation = np.asarray(row.problem.vintages.generation)
    each = np.broadcast_to(count, (len(row.problem.world.generations.names),))[generation]
    first = row.plan.serve[:, 0]
    unit = row.per_unit
    return {
        **{name: plain(getattr(unit, name)) for name in ("usd_per_year", "usd_per_gpu_h", "usd_per_mw_year")},
        "usd_per_million_tokens": plain(unit.usd_per_million_tokens) if row.feasible else None,
        "servers_usd_per_year": yearly("servers"), "energy_usd_per_year": yearly("energy"),
        "demand_charge_usd_per_year": yearly("demand charge"), "servers_start": float(first.sum()),
        "accelerators_start": float(first @ each), "hall_mw": float(hall_w(row)[0]) / MW,
    }  # fmt: skip


def _savings(result: Result) -> dict[str, Cell]:
    """Savings by stage; None where the baseline or a stage does not serve the demand."""
    grid, saved = result.grids[result.accounting], result.savings.get(result.accounting)
    base = grid.best(frozenset())[1]
    found: dict[str, Cell] = {}
    for stage in STAGES:
        found[f"saving_{stage}"] = None if saved is None else share(saved.alone[stage], base)
        found[f"shapley_{stage}"] = None if saved is None else share(saved.shapley[stage], base)
    found["saving_joint"] = None if saved is None else share(saved.joint, base)
    best, cost = grid.best(frozenset(STAGES))
    found["best_strategy"] = told_strategy(result, best) if np.isfinite(cost) else None
    for stage, told in ((BUILD, _design), (REFRESH, _policy), (OPERATE, _way)):
        strategy, cost = grid.best(frozenset({stage}))
        found[f"best_{stage}"] = told(result, strategy) if np.isfinite(cost) else None
    return found


def _design(result: Result, strategy: Strategy) -> str:
    return " / ".join(design_of(result, strategy))


def _policy(_: Result, strategy: Strategy) -> str:
    return strategy.policy


def _way(_: Result, strategy: Strategy) -> str:
    return strategy.way


def _renting(result: Result) -> dict[str, Cell]:
    """Owning against renting; in words where there is no number."""
    offered = "rent" in result.rows
    payback, rate = plain(result.payback), plain(result.return_on_owning)
    return {
        "payback_years": payback if payback is not None else "never" if offered else NOTHING_OFFERED,
        "return_on_owning_fraction": rate if rate is not None else "no single rate" if offered else NOTHING_OFFERED,
    }


def _optimum(result: Result) -> dict[str, Cell]:
    if result.optimum is None:
        return {"regret": None}
    best = result.optimum.start.optimum
    prices = best.prices
    demand = prices.demand_usd_s.sum(axis=-1)
    return {
        "regret": plain(result.start.regret) if result.start.feasible else None, "optimum_usd": best.objective_usd,
        "optimum_joint_usd": result.optimum.best.optimum.objective_usd, "optimum_status": best.status,
        "optimum_gap": best.gap, "optimum_violation": best.worst_violation, "site_usd_per_w": prices.site_usd_per_w,
        "request_first_usd_s": float(demand[0]), "request_mean_usd_s": float(demand.mean()),
        "budget_usd_per_usd": float(prices.budget_usd_per_usd.max()),
    }  # fmt: skip


__all__ = ["LINES", "lines_of", "values_of"]
