"""Tables of what strategies cost: side by side, by year, by cost line, by accounting, and the fleet by year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.ledger import retired
from aiplan.planners.lifecycle.plan import ACCOUNTINGS, Result, Row, hall_w
from aiplan.planners.lifecycle.problem import Kind
from aiplan.planners.lifecycle.report_values import (
    MW,
    TERMINAL,
    ages_years,
    by_year,
    design_of,
    first_periods,
    per_generation,
    plain,
    policy_name,
    rated_w,
    rented,
    share,
    slug,
    some_rows,
    told_strategy,
    usd,
    year_number,
    years_of,
)
from aiplan.planners.lifecycle.strategies import STAGES
from aiplan.report.model import Cell, Column, Table

KINDS: tuple[Kind, ...] = ("capex", "opex", "tax", "terminal")
ACCOUNTS = {
    "paper": "undiscounted, nothing sold, nothing left at the end",
    "book": "undiscounted, book value at the end",
    "finance": "discounted, sold on the way and valued by the market at the end",
}
"""What each accounting does."""
FEW = 1e-9
"""Servers below which a generation counts as gone, over the whole fleet."""


def strategies_table(result: Result) -> Table:
    """Every strategy, the baseline first."""
    columns = (
        Column("id", "strategy", keep=True), Column("power", "power"), Column("cooling", "cooling"),
        Column("network", "network"), Column("policy", "policy"), Column("way", "operation"),
        Column("feasible", "serves all"), usd("npv", "present cost", keep=True), usd("tco", "undiscounted"),
        Column("rented_fraction", "rented", keep=True),
        usd("capex", "capital"), usd("opex", "operation"), usd("tax", "tax"), usd("terminal", "terminal value"),
        Column("saving_fraction", "saving", keep=True), Column("regret_fraction", "regret", keep=True),
        Column("usd_per_million_tokens", "per 1M tokens", "USD"), Column("usd_per_gpu_h", "per GPU-hour", "USD"),
        Column("usd_per_mw_year", "per MW and year", "USD"),
    )  # fmt: skip
    rows = []
    served = result.start.feasible
    for name, row in result.rows.items():
        money, unit = row.money, row.per_unit
        per_tokens = plain(unit.usd_per_million_tokens) if row.feasible else None
        rows.append((
            name, *design_of(result, row.strategy), policy_name(row), row.strategy.way, row.feasible,
            plain(money.total()), plain(money.plain()), rented(row), *(plain(money.plain(kind)) for kind in KINDS),
            plain(row.saving) if served and row.feasible else None, plain(row.regret) if row.feasible else None,
            per_tokens, plain(unit.usd_per_gpu_h), plain(unit.usd_per_mw_year),
        ))  # fmt: skip
    title = f"Strategies, accounting {result.accounting}"
    return Table("strategies", title, columns, tuple(rows))


def names_of(row: Row) -> tuple[str, ...]:
    """Cost lines of a row by name, once each."""
    return tuple(dict.fromkeys(row.money.names))


def flow(row: Row, name: str, *, present: bool = False) -> Array:
    """Dollars of a cost line by period and after the last, shape (T + 1,) [USD]."""
    money = row.money.present_usd if present else row.money.usd
    return np.asarray(sum(money[at] for at, one in enumerate(row.money.names) if one == name))


def kind_flow(row: Row, kind: str) -> Array:
    """Dollars of a kind of cost lines, shape (T + 1,) [USD]."""
    return np.asarray(
        sum((row.money.usd[at] for at, one in enumerate(row.money.kinds) if one == kind), np.zeros(_columns(row)))
    )


def _columns(row: Row) -> int:
    return row.problem.world.clock.periods + 1


def _yearly(result: Result, flows: Array) -> list[float]:
    """Sums by year, then what comes after the last; from shape (T + 1,)."""
    return [*(float(value) for value in by_year(result, flows[:-1])), float(flows[-1])]


def years_table(result: Result, names_of_rows: Sequence[str]) -> Table:
    """Cash flows by year and cost line for a spreadsheet; the last row of a strategy is what is left at the end."""
    rows_of = some_rows(result, names_of_rows)
    names = tuple(dict.fromkeys(name for row in rows_of.values() for name in names_of(row)))
    columns = (
        Column("strategy", "strategy", keep=True), Column("year", "year", keep=True), Column("entry", "entry"),
        *(usd(slug(name), name) for name in names), usd("total", "total", keep=True),
        usd("discounted", "discounted", keep=True),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for label, row in rows_of.items():
        lines = [_yearly(result, flow(row, name)) if name in row.money.names else [0.0] * (len(years_of(result)) + 1)
                 for name in names]  # fmt: skip
        total, present = _yearly(result, row.money.usd.sum(axis=0)), _yearly(result, row.money.present_usd.sum(axis=0))
        for at, (year, entry) in enumerate(_entries(result)):
            rows.append((label, year, entry, *(line[at] for line in lines), total[at], present[at]))
    title = f"Cash flow by year and cost line, accounting {result.accounting}"
    return Table("years", title, columns, tuple(rows), shown=False)


def _entries(result: Result) -> list[tuple[int, str]]:
    """Year and kind of entry of every row of a cash flow."""
    clock = result.case.clock
    end = year_number(clock.start_year + clock.horizon_years)
    return [*((year, "year") for year in years_of(result)), (end, TERMINAL)]


def cash_flow_table(result: Result) -> Table:
    """The baseline's cash flow by kind, short enough to read."""
    columns = (
        Column("year", "year", keep=True), Column("entry", "entry"),
        *(Column(f"{kind}_musd", label, "M USD") for kind, label in zip(
            KINDS, ("capital", "operation", "tax", "terminal value"), strict=True)),
        Column("total_musd", "total", "M USD", keep=True), Column("discounted_musd", "discounted", "M USD", keep=True),
        Column("servers", "servers"), Column("hall_mw", "hall", "MW"),
    )  # fmt: skip
    row = result.start
    kinds = [_yearly(result, kind_flow(row, kind)) for kind in KINDS]
    total, present = _yearly(result, row.money.usd.sum(axis=0)), _yearly(result, row.money.present_usd.sum(axis=0))
    servers, halls = row.plan.serve.sum(axis=0), hall_w(row) / MW
    firsts = first_periods(result)
    rows: list[tuple[Cell, ...]] = []
    for at, (year, entry) in enumerate(_entries(result)):
        stands: tuple[Cell, ...] = (None, None)
        if at < len(firsts):
            stands = float(servers[firsts[at]]), float(halls[firsts[at]])
        rows.append((year, entry, *(kind[at] / 1e6 for kind in kinds), total[at] / 1e6, present[at] / 1e6, *stands))
    return Table("cash_flow", f"Cash flow of the baseline, accounting {result.accounting}", columns, tuple(rows))


def fleet_table(result: Result, names_of_rows: Sequence[str]) -> Table:
    """Servers in service at the start of each year by generation."""
    columns = (
        Column("strategy", "strategy", keep=True), Column("year", "year", keep=True),
        Column("generation", "generation", keep=True), Column("servers", "servers", keep=True),
        Column("accelerators", "accelerators"), Column("it_mw", "rated IT", "MW"),
        Column("hall_mw", "hall it takes", "MW"), Column("age_mean_years", "mean age", "years"),
        Column("bought", "bought in the year"), Column("retired", "retired in the year"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for label, row in some_rows(result, names_of_rows).items():
        rows += _fleet_rows(result, label, row)
    title = "Fleet at the start of each year, by generation"
    return Table("fleet", title, columns, tuple(rows), shown=False)


def _fleet_rows(result: Result, label: str, row: Row) -> list[tuple[Cell, ...]]:
    generations = row.problem.world.generations
    count = np.broadcast_to(generations.accelerators_count, (len(generations.names),))
    servers = per_generation(row, row.plan.serve)
    aged = per_generation(row, row.plan.serve * ages_years(row))
    halls = per_generation(row, row.problem.power_w[:, None] * row.plan.serve)
    bought = by_year(result, per_generation(row, purchases(row)))
    left = by_year(result, per_generation(row, retired(row.problem, row.plan)))
    watts = rated_w(row)
    found: list[tuple[Cell, ...]] = []
    for number, (year, period) in enumerate(zip(years_of(result), first_periods(result), strict=True)):
        least = FEW * float(servers[:, period].sum())
        for at, name in enumerate(generations.names):
            held = float(servers[at, period])
            if max(held, bought[at, number], left[at, number]) > least:
                found.append((label, year, name, held, held * float(count[at]), held * float(watts[at]) / MW,
                              float(halls[at, period]) / MW, share(aged[at, period], held),
                              float(bought[at, number]), float(left[at, number])))  # fmt: skip
    return found


def purchases(row: Row) -> Array:
    """Servers bought by vintage and period, shape (K, T) [1]."""
    when = row.problem.vintages.bought[:, None] == np.arange(row.problem.world.clock.periods)
    return np.asarray(np.where(when, row.plan.buy[:, None], 0.0))


def fleet_brief_table(result: Result, names_of_rows: Sequence[str]) -> Table:
    """Fleets by year, in one line each."""
    rows_of = some_rows(result, names_of_rows)
    columns = (
        Column("year", "year", keep=True),
        *(column for label in rows_of for column in (
            Column(f"{label}_servers", f"{label}: servers", keep=True), Column(f"{label}_it_mw", "rated", "MW"),
            Column(f"{label}_age_mean_years", "mean age", "years"), Column(f"{label}_newest", "newest"))),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for year, period in zip(years_of(result), first_periods(result), strict=True):
        cells: list[Cell] = [year]
        for row in rows_of.values():
            cells += _brief(row, period)
        rows.append(tuple(cells))
    return Table("fleet_brief", "Fleet at the start of each year", columns, tuple(rows))


def _brief(row: Row, period: int) -> tuple[Cell, ...]:
    servers = per_generation(row, row.plan.serve)[:, period]
    aged = float((row.plan.serve * ages_years(row))[:, period].sum())
    total = float(servers.sum())
    present = np.nonzero(servers > FEW * total)[0]
    newest = row.problem.world.generations.names[int(present[-1])] if present.size else None
    return total, float(servers @ rated_w(row)) / MW, share(aged, total), newest


def cost_lines_table(result: Result) -> Table:
    """Cost lines of the baseline: when each is paid and what it comes to."""
    columns = (
        Column("line", "cost line", keep=True), Column("kind", "kind"), Column("paid", "paid"),
        usd("total", "undiscounted", keep=True), usd("present", "present cost", keep=True),
        Column("share_fraction", "of the whole", keep=True),
    )  # fmt: skip
    row = result.start
    booked = {"start": "at the period's start", "mid": "mid-period", "end": "at the period's end"}[
        result.case.inputs.account.booking
    ]
    words = {"start": "at the period's start", "booked": booked, "end": "at the end of the study"}
    when: dict[tuple[str, str], dict[str, None]] = {}
    for line in row.problem.lines:
        when.setdefault((line.name, line.kind), {})[words[line.when]] = None
    base = float(row.money.total())
    rows: list[tuple[Cell, ...]] = []
    for at, key in enumerate(zip(row.money.names, row.money.kinds, strict=True)):
        present = float(row.money.present_usd[at].sum())
        rows.append((*key, ", ".join(when[key]), float(row.money.usd[at].sum()), present, share(present, base)))
    rows.append(("all", "", "", float(row.money.plain()), base, 1.0 if base else None))
    title = f"Cost lines of the baseline, accounting {result.accounting}"
    return Table("cost_lines", title, columns, tuple(rows), shown=False)


def accountings_table(result: Result) -> Table:
    """Savings by stage under each accounting; stages alone do not add up, Shapley values do."""
    columns = (
        Column("accounting", "accounting", keep=True),
        Column("baseline_musd", "baseline", "M USD", keep=True), Column("joint_musd", "joint", "M USD"),
        *(Column(f"saving_{stage}_fraction", stage, keep=True) for stage in STAGES),
        Column("saving_joint_fraction", "joint saving", keep=True),
        *(Column(f"shapley_{stage}_fraction", f"{stage}, Shapley") for stage in STAGES),
        *(Column(f"last_{stage}_fraction", f"{stage}, added last") for stage in STAGES),
        Column("used", "the scenario's"), Column("best", "best strategy"), Column("meaning", "what it does"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name in ACCOUNTINGS:
        grid, saved = result.grids[name], result.savings.get(name)
        base = grid.best(frozenset())[1]
        best, cost = grid.best(frozenset(STAGES))
        found: list[Cell] = [None] * (3 * len(STAGES) + 1)
        if saved is not None:
            found = [*(share(saved.alone[stage], base) for stage in STAGES), share(saved.joint, base),
                     *(share(saved.shapley[stage], base) for stage in STAGES),
                     *(share(saved.last[stage], base) for stage in STAGES)]  # fmt: skip
        both = [None if amount is None else amount / 1e6 for amount in (plain(base), plain(cost))]
        text = told_strategy(result, best) if np.isfinite(cost) else None
        rows.append((name, *both, *found, name == result.accounting, text, ACCOUNTS[name]))
    return Table("accountings", "Savings by stage under each accounting", columns, tuple(rows))
