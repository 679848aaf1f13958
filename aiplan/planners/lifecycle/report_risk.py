"""Tables of the optimum, of what limits are worth, and of what is not known."""

from __future__ import annotations

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.extensive import FirstStage
from aiplan.planners.lifecycle.plan import Result
from aiplan.planners.lifecycle.report_values import plain, rented, share, told_strategy, usd, year_number
from aiplan.planners.lifecycle.risk import PATHS
from aiplan.planners.lifecycle.robustness import PUBLISHED_FRACTIONS, agreement
from aiplan.planners.lifecycle.rolling import Carried
from aiplan.planners.lifecycle.stochastic import cvar
from aiplan.report.model import Cell, Column, Table

PUBLISHED_BREAKS = {("demand", 3.0, 5.0): 0.31, ("model", 0.8, 5.0): 0.43}
"""Cost saved by adapting, by kind, factor and year of the break: Stojkovic et al. 2026, section VIII-A (published)."""


def optimum_table(result: Result) -> Table:
    """Plans of least cost with their proof: bound, gap, worst violation, cost computed again from the plan."""
    columns = (
        Column("plan", "plan", keep=True), Column("design", "design / operation"),
        Column("status", "status", keep=True),
        usd("objective", "cost", keep=True), usd("recomputed", "again from the plan"), usd("bound", "no plan is below"),
        Column("gap_fraction", "gap", keep=True), Column("violation_fraction", "worst violation"),
        Column("certified", "certified"), Column("servers_bought", "servers bought"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    if result.optimum is not None:
        for name, found in (("optimum", result.optimum.start), ("optimum-joint", result.optimum.best)):
            best = found.optimum
            parts = told_strategy(result, found.strategy).split(" / ")
            rows.append((name, " / ".join((*parts[:3], parts[-1])), best.status, best.objective_usd,
                         plain(found.money.total()), best.bound_usd, best.gap, best.worst_violation, best.certified,
                         float(best.plan.buy.sum())))  # fmt: skip
    title = f"Plans of least cost, accounting {result.accounting}"
    return Table("optimum", title, columns, tuple(rows), shown=False)


def shadow_prices_table(result: Result) -> Table:
    """What one more unit of each limit saves in the baseline's design, and what one more request/s costs, by period."""
    columns = (
        Column("year", "year", keep=True), Column("after_years", "after", "years"),
        Column("demand_usd_s", "a request/s", "USD per request/s", keep=True),
        Column("demand_booked_usd_s", "a request/s, in that year's money", "USD per request/s"),
        Column("power_usd_per_w", "a watt of hall", "USD/W", keep=True),
        Column("budget_usd_per_usd", "a dollar of budget", keep=True),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    if result.optimum is not None:
        prices, found = result.optimum.start.optimum.prices, result.optimum.start.problem
        clock, demand = result.case.clock, prices.demand_usd_s.sum(axis=-1)
        for period, start in enumerate(clock.starts_years):
            rows.append((year_number(clock.start_year + float(start)), float(start), float(demand[period]),
                         share(demand[period], found.booked[period]), float(prices.power_usd_per_w[period]),
                         float(prices.budget_usd_per_usd[period])))  # fmt: skip
    title = "Shadow prices of the optimum in the baseline's design, in present dollars"
    return Table("shadow_prices", title, columns, tuple(rows), shown=False)


def uncertainty_table(result: Result) -> Table:
    """Each policy over the same draws."""
    columns = (
        Column("policy", "policy", keep=True), usd("mean", "mean", keep=True), usd("sd", "deviation"),
        Column("cv", "deviation over mean"), *(usd(f"p{p}", f"P{p}", keep=p == 95) for p in (5, 25, 50, 75, 95)),
        usd("cvar", "mean of the worst 5 %"), usd("error", "standard error"),
        Column("cheapest_fraction", "cheapest in", keep=True), usd("difference", "difference to the baseline"),
        usd("difference_low", "difference, 95 % from"), usd("difference_high", "difference, 95 % to"),
        Column("cheaper_fraction", "cheaper than the baseline in"), Column("feasible_fraction", "serves all in"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    risk = result.risk
    if risk is not None:
        base = risk.costs.names.index(result.start.strategy.policy)
        for at, name in enumerate(risk.costs.names):
            spread, apart = risk.spread, risk.paired
            values = [plain(part[at]) for part in (
                spread.mean, spread.sd, spread.cv, spread.p5, spread.p25, spread.p50, spread.p75, spread.p95,
                spread.cvar, spread.standard_error, risk.cheapest, apart.mean, apart.low, apart.high)]  # fmt: skip
            below = float((risk.costs.usd[:, at] < risk.costs.usd[:, base]).mean())
            rows.append((name, *values, below, float(risk.costs.feasible[:, at].mean())))
    title = f"Policies over {_draws(result):,} draws, the same for each, accounting {result.accounting}"
    return Table("uncertainty", title, columns, tuple(rows), shown=result.risk is not None)


def _draws(result: Result) -> int:
    return 0 if result.risk is None else len(result.risk.costs.usd)


def tornado_table(result: Result) -> Table:
    """The baseline's cost with each uncertain input at its P5 and P95, longest swing first."""
    columns = (
        Column("input", "input", keep=True), Column("label", "what it is"), Column("input_p5", "input at P5"),
        Column("input_p95", "input at P95"), Column("unit", "unit"), usd("low", "cost at P5", keep=True),
        usd("high", "cost at P95", keep=True), usd("swing", "swing"),
        Column("swing_fraction", "swing over the cost", keep=True),
        Column("variance_fraction", "of the variance"), Column("method", "share found by"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    if result.risk is not None:
        base, items = float(result.start.money.total()), result.case.parameters.items
        for bar in result.risk.tornado:
            item, found = items[bar.name], result.risk.shares.get(bar.name)
            ends = [float(item.quantity.distribution.quantile(p)) for p in (0.05, 0.95)]
            swing = abs(bar.high - bar.low)
            told: tuple[Cell, ...] = (None, None) if found is None else (plain(found.fraction), found.method)
            rows.append((bar.name, item.label, *ends, item.unit, bar.low, bar.high, swing, share(swing, base), *told))
    title = f"What moves the baseline's cost, accounting {result.accounting}"
    return Table("tornado", title, columns, tuple(rows), shown=False)


def shares_table(result: Result) -> Table:
    """First-order share of each input in the variance of the baseline's cost, largest first."""
    columns = (Column("input", "input", keep=True), Column("share_fraction", "share of variance", keep=True),
               Column("method", "method", keep=True))  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    if result.risk is not None:
        ranked = sorted(result.risk.shares.items(), key=lambda one: (-one[1].fraction, one[0]))
        rows = [(path, plain(found.fraction), found.method) for path, found in ranked]
    title = "First-order shares of the variance of the baseline's cost"
    return Table("shares", title, columns, tuple(rows), shown=False)


def breaks_table(result: Result) -> Table:
    """Structural breaks: the same policy, a plan that is not changed, one that adapts, and one that knew."""
    columns = (
        Column("break", "break", keep=True), Column("kind", "kind"), Column("factor", "factor"),
        Column("year", "from year", keep=True), usd("trend", "policy without the break"),
        usd("policy", "policy with the break", keep=True),
        Column("policy_feasible", "serves all"), usd("frozen", "plan kept as it was"),
        Column("frozen_unmet_fraction", "unserved by the plan kept"), usd("adaptive", "planned anew", keep=True),
        usd("clairvoyant", "planned knowing it"), Column("saving_fraction", "saved by adapting", keep=True),
        Column("published_fraction", "published saving"),
        Column("regret_fraction", "regret of adapting"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    clock = result.case.clock
    for name, shock in result.shocks.items():
        asked = result.case.inputs.breaks[name]
        factor, after = asked.factor.distribution.median, asked.after_years.distribution.median
        short = _unmet(shock.adaptive)
        saving = shock.saving if shock.policy_feasible and short <= 1e-9 else None
        rows.append((
            name, asked.kind, factor, year_number(clock.start_year + shock.period * clock.dt_years), shock.trend_usd,
            shock.policy_usd, shock.policy_feasible, shock.frozen.cost_usd, shock.unmet, shock.adaptive.cost_usd,
            shock.clairvoyant_usd, saving, PUBLISHED_BREAKS.get((asked.kind, round(factor, 9), round(after, 9))),
            share(shock.adaptive.cost_usd - shock.clairvoyant_usd, shock.clairvoyant_usd),
        ))  # fmt: skip
    title = f"Structural breaks in the baseline's design and operation, accounting {result.accounting}"
    return Table("breaks", title, columns, tuple(rows), shown=False)


def _unmet(carried: Carried) -> float:
    """Share of the demand that is not served [1]."""
    return float(carried.unmet_per_s.sum() / carried.problem.demand_per_s.sum())


def robustness_table(result: Result) -> Table:
    """How far each trend may be wrong before another policy is best, beside the published table."""
    columns = (
        Column("trend", "trend", keep=True), Column("input", "input"),
        Column("best_fraction", "best policy stays best to", keep=True),
        Column("top_fraction", "among the best five to", keep=True), Column("returns", "best again beyond"),
        Column("published_best_fraction", "published: best to"),
        Column("published_top_fraction", "published: best five to"),
    )  # fmt: skip
    found = result.robustness or {}
    alike = agreement(found)
    rows = tuple(
        (name, PATHS.get(name), each.best_fraction, each.top_fraction, each.returns,
         *PUBLISHED_FRACTIONS.get(name, (None, None)))
        for name, each in found.items()
    )  # fmt: skip
    beside = "" if np.isnan(alike) else f" (rank correlation with the published {alike:.2f})"
    title = f"Change of a trend's annual rate that leaves the best policy best{beside}"
    return Table("robustness", title, columns, rows, shown=False)


def staged_table(result: Result) -> Table:
    """Plans decided before it is known which draw comes."""
    columns = (
        Column("plan", "plan", keep=True), Column("scenarios", "draws"), Column("first_periods", "periods decided"),
        usd("expected", "expected cost", keep=True), usd("bound", "no plan is below"), Column("gap_fraction", "gap"),
        usd("cvar", "mean of the worst 5 %"), usd("worst_regret", "worst regret", keep=True),
        Column("evpi_fraction", "worth of knowing"), Column("vss_fraction", "worth of planning for all"),
        Column("mean_plan_failed", "draws the mean's plan fails"), Column("servers_bought", "servers bought first"),
        Column("method", "method"), Column("rounds", "rounds"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    if result.staged is not None:
        both, best, least = result.staged, result.staged.expected, result.staged.regret
        rows = [
            ("least expected cost", both.scenarios, both.periods, best.expected_usd, best.bound_usd, best.gap,
             best.cvar_usd, float((best.cost_usd - best.alone_usd).max()), best.evpi, plain(best.vss),
             len(best.mean_plan_failed), _bought(best.first), best.method, best.rounds),
            ("least worst regret", both.scenarios, both.periods, float(least.cost_usd.mean()), None, None,
             _worst(least.cost_usd), least.worst_usd, None, None, None, _bought(least.first), None, None),
        ]  # fmt: skip
    title = f"Plans for draws that are known later, accounting {result.accounting}"
    return Table("staged", title, columns, tuple(rows), shown=bool(rows))


def _bought(first: FirstStage) -> float:
    """Servers of a first stage."""
    return float(first.servers.sum())


def _worst(cost_usd: Array) -> float:
    """Mean of the worst 5 % of equally likely costs [USD]."""
    return cvar(cost_usd, np.full(len(cost_usd), 1.0 / len(cost_usd)))


def rent_table(result: Result) -> Table:
    """Renting all capacity against owning it, and what the optimum rents."""
    columns = (
        Column("way", "way", keep=True), usd("cost", "present cost", keep=True), usd("tco", "undiscounted cost"),
        Column("usd_per_million_tokens", "per 1M tokens", "USD", keep=True),
        Column("over_baseline_fraction", "over the baseline", keep=True), Column("rented_fraction", "demand rented"),
        Column("payback_years", "cheaper than renting after", "years"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    if "rent" in result.rows:
        base = float(result.start.money.total())
        for name in ("baseline", "rent", "optimum"):
            row = result.rows.get(name)
            if row is not None:
                cost = float(row.money.total())
                part = rented(row)
                payback = plain(result.payback) if name == "baseline" else None
                rows.append((name, cost, plain(row.money.plain()), plain(row.per_unit.usd_per_million_tokens),
                             share(cost - base, base), part, payback))  # fmt: skip
    return Table("rent", f"Renting against owning, accounting {result.accounting}", columns, tuple(rows), shown=False)
