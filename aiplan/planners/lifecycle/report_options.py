"""Tables of what there is to choose from: designs of the site, ways to run the fleet, policies, generations."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.arrays import as_array
from aiplan.planners.lifecycle.operations import BASELINE
from aiplan.planners.lifecycle.plan import ACCOUNTINGS, Result, Row, hall_w
from aiplan.planners.lifecycle.report_values import (
    MW,
    ages_years,
    design_of,
    first_bought,
    plain,
    rented,
    share,
    usd,
)
from aiplan.planners.lifecycle.strategies import Strategy
from aiplan.planners.lifecycle.words import year_text
from aiplan.report.model import Cell, Column, Table

WEAK = "assumption"
COSTS_OF = {"power": ("power_usd_per_w", "usd_per_w"), "cooling": ("cooling_usd_per_w", "usd_per_w")}


def assumed(result: Result, path: str | None) -> bool:
    """Whether an input rests on an assumption."""
    item = result.case.parameters.items.get(path or "")
    return item is not None and item.quantity.grade == WEAK


def designs_table(result: Result) -> Table:
    """Every design of the site: what it does to the first generation bought, and what the baseline's policy costs."""
    columns = (
        Column("power", "power", keep=True), Column("cooling", "cooling", keep=True),
        Column("network", "network", keep=True), usd("cost", "cost, baseline's policy", keep=True),
        Column("saving_fraction", "saving", keep=True), usd("optimum", "least cost, best operation"),
        Column("stranding_fraction", "stranded"), Column("oversubscription_factor", "oversubscribed"),
        Column("fan_saved_fraction", "fans saved"), Column("derate_fraction", "lost to heat"),
        Column("throughput_factor", "throughput"), Column("pue", "PUE"), Column("wue_l_per_kwh", "water", "L/kWh"),
        Column("power_usd_per_w", "power plant", "USD/W"), Column("cooling_usd_per_w", "cooling plant", "USD/W"),
        usd("network", "network of a server"), Column("hosted", "generations it cools"),
    )  # fmt: skip
    case, grid = result.case, result.grids[result.accounting]
    table, at = case.designs(BASELINE), first_bought(result.start)
    costs = grid.usd[grid.ways.index(grid.start.way), grid.policies.index(grid.start.policy)]
    price = result.start.problem.world.generations.price_usd[at, 0]
    rows: list[tuple[Cell, ...]] = []
    marks: set[tuple[int, str]] = set()
    for number in range(table.size):
        least = None if result.optimum is None else plain(result.optimum.usd[number])
        network = table.network_usd[number, at] + table.network_price_fraction[number] * price
        rows.append((
            table.power[number], table.cooling[number], table.network[number], plain(costs[number]),
            _saving(costs[number], costs[grid.start.design]), least, plain(table.stranding[number, at]),
            plain(table.oversubscription[number, at]), plain(table.fan_saved[number, at]),
            plain(table.derate[number, at]), plain(table.throughput[number, at]), plain(table.pue_mean[number]),
            plain(table.wue_l_per_kwh[number]), plain(table.power_usd_per_w[number]),
            plain(table.cooling_usd_per_w[number]), plain(network),
            f"{int(table.hosts[number].sum())} of {table.hosts.shape[1]}",
        ))  # fmt: skip
        marks |= {(number, column) for column, path in _paths(result, number).items() if assumed(result, path)}
    name = result.start.problem.world.generations.names[at]
    title = f"Designs of the site, for {name}, accounting {result.accounting}"
    return Table("designs", title, columns, tuple(rows), frozenset(marks), shown=False)


def _saving(cost: Any, base: Any) -> float | None:
    part = share(cost, base)
    return None if part is None else 1.0 - float(part)


def _paths(result: Result, number: int) -> dict[str, str | None]:
    """Inputs behind the cells of a design, by column."""
    case = result.case
    power, cooling, network = design_of(result, Strategy(number, "", BASELINE))
    of = {
        kind: next(choice.paths for choice in choices if choice.option.name == name)
        for kind, choices, name in (
            ("power", case.power, power), ("cooling", case.cooling, cooling), ("network", case.network, network))
    }  # fmt: skip
    return {
        "stranding_fraction": of["power"].get("domain_w"),
        "power_usd_per_w": of["power"].get("usd_per_w"),
        "cooling_usd_per_w": of["cooling"].get("usd_per_w"),
        "fan_saved_fraction": of["cooling"].get("fan_saved_fraction"),
        "derate_fraction": of["cooling"].get("thermal_derate_fraction"),
        "pue": of["cooling"].get("pue_mean"),
        "wue_l_per_kwh": of["cooling"].get("wue_l_per_kwh"),
        "throughput_factor": of["network"].get("throughput_factor"),
        "network_usd": of["network"].get("server_usd") or of["network"].get("server_price_fraction"),
    }


def levers_table(result: Result) -> Table:
    """Ways to run the fleet, each alone and all together, in the baseline's design under its policy."""
    columns = (
        Column("way", "operation", keep=True), usd("cost", "present cost", keep=True),
        Column("saving_fraction", "saving", keep=True), Column("counted", "saving counted"),
        Column("requests_per_s", "of a server", "requests/s", keep=True),
        Column("gain_factor", "over the baseline"), Column("active_kw", "drawn at work", "kW"),
        Column("classes", "pools"), Column("batch", "batch"), Column("layout", "replicas"),
        Column("feasible", "serves all"),
    )  # fmt: skip
    at = first_bought(result.start)
    names = {BASELINE: "baseline"} | {name: f"lever:{name}" for name in result.case.ways if name != BASELINE}
    base = _alone_per_s(result, BASELINE, at)
    rows: list[tuple[Cell, ...]] = []
    for way, row_name in names.items():
        row, setup = result.rows[row_name], result.case.setup(way)
        rate = _alone_per_s(result, way, at)
        serves = result.start.feasible and row.feasible
        rows.append((
            way, plain(row.money.total()), plain(row.saving) if serves else None,
            not setup.way.alone, rate, share(rate, base),
            float(setup.active_w[at].max()) / 1e3, "prefill and decode" if setup.way.classes == 2 else "mixed",
            plain(setup.rates.batch[at]), setup.rates.layout[at], row.feasible,
        ))  # fmt: skip
    title = f"Ways to run the fleet, a server of {result.case.roadmap.names[at]}, accounting {result.accounting}"
    return Table("levers", title, columns, tuple(rows), shown=False)


def _alone_per_s(result: Result, way: str, at: int) -> float:
    """Requests/s of one server that does all of the work in turn, 0 where it serves nothing [1/s]."""
    capacity = result.case.setup(way).capacity_per_s[at]
    return float(1.0 / (1.0 / capacity).sum()) if (capacity > 0).all() else 0.0


def policies_table(result: Result, *, shown: bool = False) -> Table:
    """Refresh policies in the baseline's design and operation, under every accounting."""
    columns = (
        Column("policy", "policy", keep=True), Column("rule", "rule"),
        usd("cost", "present cost", keep=True), Column("saving_fraction", "saving", keep=True),
        Column("regret_fraction", "regret", keep=True), Column("rented_fraction", "rented"),
        *(usd(f"{name}_cost", name) for name in ACCOUNTINGS),
        Column("servers_bought", "servers bought"), Column("age_mean_years", "mean age", "years"),
        Column("hall_peak_mw", "largest hall", "MW"), Column("feasible", "serves all"),
        Column("lives", "lives", "years"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, policy in result.case.policies.items():
        row = row_of_policy(result, name)
        costs = [_cost_of(result, accounting, name) for accounting in ACCOUNTINGS]
        rows.append((name, policy.rule, *_of_row(result, row), *costs, *_of_fleet(row), _lives(row)))
    title = f"Refresh policies in the baseline's design and operation, accounting {result.accounting}"
    return Table("policies", title, columns, tuple(rows), shown=shown)


def row_of_policy(result: Result, name: str) -> Row | None:
    """The row of a policy in the baseline's design and operation; of one that was searched for, where it was."""
    start = result.start.strategy
    found = (one for one in result.rows.values() if one.policy is not None and one.strategy.policy == name
             and (one.strategy.design, one.strategy.way) == (start.design, start.way))  # fmt: skip
    return next(found, None)


def _of_row(result: Result, row: Row | None) -> tuple[Cell, ...]:
    if row is None:
        return None, None, None, None
    saving = plain(row.saving) if result.start.feasible and row.feasible else None
    return plain(row.money.total()), saving, plain(row.regret) if row.feasible else None, rented(row)


def _of_fleet(row: Row | None) -> tuple[Cell, ...]:
    if row is None:
        return None, None, None, None
    aged = share((row.plan.serve * ages_years(row)).sum(), row.plan.serve.sum())
    return float(row.plan.buy.sum()), aged, float(hall_w(row).max()) / MW, row.feasible


def _lives(row: Row | None) -> str | None:
    """Years that servers are kept, in words; by generation where the policy says so."""
    if row is None or row.policy is None:
        return None
    policy = row.policy
    if policy.rule == "per-generation":
        names = row.problem.world.generations.names
        return ", ".join(f"{name} {life:g}" for name, life in zip(names, policy.lives_years, strict=True))
    if policy.rule in ("fixed", "extend"):
        extra = f" + {policy.extra_years:g}" if policy.extra_years else ""
        return f"{float(as_array(policy.life_years)):g}{extra}"
    return None


def _cost_of(result: Result, accounting: Any, policy: str) -> float | None:
    """What a policy costs in the baseline's design and way; of one that was searched for, where it was."""
    grid = result.grids[accounting]
    if policy in grid.policies:
        return plain(grid.usd[grid.ways.index(grid.start.way), grid.policies.index(policy), grid.start.design])
    found = grid.searched.get(Strategy(grid.start.design, policy, grid.start.way))
    return None if found is None else plain(found[1])


def _year(year: Any) -> str | None:
    """A calendar year as text, which is not rounded or grouped as an amount is."""
    found = plain(year)
    return None if found is None else year_text(found)


def generations_table(result: Result) -> Table:
    """The roadmap: generations known and projected, with what a server of each does in the baseline."""
    columns = (
        Column("generation", "generation", keep=True), Column("known", "in the catalog"),
        Column("released_year", "announced"), Column("available_year", "available", keep=True),
        Column("last_sale_year", "sold until"), usd("price", "price when available", keep=True),
        Column("rated_kw", "rated", "kW", keep=True), Column("requests_per_s", "requests/s", keep=True),
        Column("prefill_per_s", "prompts/s alone"), Column("decode_per_s", "answers/s alone"),
        Column("active_kw", "drawn at work", "kW"), Column("usd_s", "price of a request/s", "USD per request/s"),
        Column("life_years", "longest life", "years"), Column("hosted", "baseline cools it"),
        Column("layout", "replicas"), Column("reason", "why nothing is served"),
    )  # fmt: skip
    case, world = result.case, result.start.problem.world
    setup, roadmap, generations = case.setup(BASELINE), case.roadmap, world.generations
    rows: list[tuple[Cell, ...]] = []
    marks: set[tuple[int, str]] = set()
    hosts = np.broadcast_to(world.site.hosts, (len(roadmap.names),))
    for at, name in enumerate(roadmap.names):
        projected = bool(roadmap.projected[at])
        period = int(np.searchsorted(case.clock.starts_years, generations.available_years[at] - 1e-9))
        price = float(generations.price_usd[at, min(period, case.clock.periods - 1)])
        rate = _alone_per_s(result, BASELINE, at)
        rows.append((
            name, not projected, _year(roadmap.release_years[at]), _year(roadmap.available_years[at]),
            _year(roadmap.last_sale_years[at]), price, float(setup.rated_w[at]) / 1e3, rate,
            plain(setup.rates.prefill_per_s[at]), plain(setup.rates.decode_per_s[at]),
            float(setup.active_w[at].max()) / 1e3, share(price, rate), float(generations.life_years[at]),
            bool(hosts[at]), setup.rates.layout[at], setup.rates.reason[at],
        ))  # fmt: skip
        paths = {"price_usd": None if projected else case.hardware.paths.get(f"price_usd.{name}")}
        marks |= {(at, column) for column, path in paths.items() if assumed(result, path)}
        if projected:
            marks |= {(at, column) for column in ("released_year", "available_year", "price_usd", "rated_kw",
                                                  "requests_per_s", "prefill_per_s", "decode_per_s", "active_kw",
                                                  "usd_s")}  # fmt: skip
    return Table("generations", "Servers of the roadmap", columns, tuple(rows), frozenset(marks), shown=False)
