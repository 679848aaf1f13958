"""A result of `aiplan tco` or `aiplan refresh` as a report: lines, tables, warnings, what is not modelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aiplan.planners.lifecycle import report_options as options
from aiplan.planners.lifecycle import report_risk as unknown
from aiplan.planners.lifecycle import report_tables as money
from aiplan.planners.lifecycle.charts import pictures
from aiplan.planners.lifecycle.plan import Result, Row
from aiplan.planners.lifecycle.report_lines import LINES, lines_of, values_of
from aiplan.planners.lifecycle.report_tables import ACCOUNTS
from aiplan.planners.lifecycle.report_values import RENTED_MUCH, design_of, rented
from aiplan.planners.lifecycle.report_warnings import warnings_of
from aiplan.planners.lifecycle.strategies import BUILD, OPERATE, REFRESH
from aiplan.planners.lifecycle.words import counted, spanned
from aiplan.report.model import Origin, Report, Table
from aiplan.report.numbers import number as told

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario

Name = Literal["tco", "refresh"]
TITLES = {"tco": "The lifecycle of a datacenter", "refresh": "When to replace a fleet"}
DETAILED: dict[Name, tuple[str, ...]] = {"tco": ("baseline", "joint", "optimum"),
                                         "refresh": ("baseline", "refresh", "optimum")}  # fmt: skip
"""Strategies whose years and fleet are printed."""
NOT_MODELLED = (
    "training, and work that cannot wait or move: demand is requests of one reference kind with a peak and a mean",
    "financing: loans, leases, equity; insurance, property tax, cost of delay",
    "outages: what fails for good leaves the fleet; service lost until then is not priced",
    "hours of prices and carbon: a year has one price of electricity and one demand charge",
    "fabric grown step by step: the network of a server is bought with it",
    "halls rebuilt for another cooling or power design during their life",
    "profit of this datacenter: taxes assume other income of the owner that costs are set against; what is sold early "
    "goes on being depreciated for tax",
    "prices of land, permits and grid connection beyond a cost per watt; unused capacity that could be rented out",
)


def to_report(result: Result, scenario: Scenario[Any], catalog: Catalog, name: Name = "tco") -> Report:
    """The report of a result.

    Parameters
    ----------
    result : from `plan.plan`
    scenario : what was asked, for its name and hash
    catalog : for titles of sources
    name : command that asks; ``refresh`` puts policies first
    """
    case, header = result.case, scenario.header
    records = case.parameters.records()
    lines = lines_of(result)
    groups = (*(line.sources for line in lines), *(record.sources for record in records))
    sources = dict.fromkeys(source for group in groups for source in group)
    return Report(
        planner=name,
        title=header.title or TITLES[name],
        headline=refresh_headline(result) if name == "refresh" else headline(result),
        scenario=Origin(header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=case.inputs.uncertainty.seed,
        samples=0 if result.risk is None else len(result.risk.costs.usd),
        lines=lines,
        tables=_tables(result, name),
        charts=pictures(result),
        warnings=(*result.warnings, *case.parameters.tail_warnings(), *warnings_of(result)),
        not_modelled=NOT_MODELLED,
        inputs=records,
        sources={source: catalog.title(source) for source in sources},
        context=_context(result, scenario),
        boundary="facility",
    )


def _tables(result: Result, name: Name) -> tuple[Table, ...]:
    """Tables in the order in which they answer the question."""
    rows = DETAILED[name]
    policies = options.policies_table(result, shown=name == "refresh")
    answer = (money.strategies_table(result), money.accountings_table(result), money.cash_flow_table(result),
              money.fleet_brief_table(result, rows))  # fmt: skip
    first = (policies, *answer) if name == "refresh" else answer
    rest = (
        unknown.uncertainty_table(result), unknown.tornado_table(result), unknown.staged_table(result),
        money.years_table(result, rows), money.fleet_table(result, rows), money.cost_lines_table(result),
        options.designs_table(result), options.levers_table(result), options.generations_table(result),
        unknown.optimum_table(result), unknown.shadow_prices_table(result), unknown.breaks_table(result),
        unknown.robustness_table(result), unknown.shares_table(result), unknown.rent_table(result),
    )  # fmt: skip
    last = () if name == "refresh" else (policies,)
    return tuple(table for table in (*first, *rest, *last) if table.rows)


def _money(amount: float) -> str:
    """Dollars for people: billions or millions.

    >>> _money(3.663e9), _money(226e6)
    ('$3.66 B', '$226 M')
    """
    return f"${told(amount / 1e9, 3)} B" if abs(amount) >= 1e9 else f"${told(amount / 1e6, 3)} M"


def headline(result: Result) -> str:
    """One sentence a newcomer can quote; it names the accounting."""
    values, years = values_of(result), result.case.clock.horizon_years
    plainly = f" ({_money(_number(values['tco_usd']))} undiscounted)" if result.accounting == "finance" else ""
    lasting = f"{spanned(years)} cost{'s' if years == 1 else ''}"
    cost = (
        f"{lasting} {_money(_number(values['npv_usd']))} in {result.accounting} accounting{plainly}"
        f"{_per_tokens(values)}{_rented(result.start)}"
    )
    if values["saving_joint"] is None:
        return f"{cost}; the baseline does not serve all of the demand."
    return f"{cost}{_saved(result, values)}{_regret(values)}."


def _saved(result: Result, values: dict[str, Any]) -> str:
    """What can be saved by the stages that leave a choice."""
    grid = result.grids[result.accounting]
    ways, policies, designs = grid.usd.shape
    choices = {BUILD: designs, REFRESH: policies + len(grid.searched), OPERATE: ways - grid.counted.count(False) - 1}
    open_ = [stage for stage, number in choices.items() if number > 1]
    if not open_:
        return ""
    parts = ", ".join(f"{stage} {_number(values[f'saving_{stage}']):.0%}" for stage in open_)
    together = f" alone and {_number(values['saving_joint']):.0%} together" if len(open_) > 1 else ""
    return f"; {parts}{together} can be saved"


def refresh_headline(result: Result) -> str:
    """The same for an existing fleet: the policy first."""
    values, grid = values_of(result), result.grids[result.accounting]
    costs = {name: float(grid.usd[grid.ways.index(grid.start.way), at, grid.start.design])
             for at, name in enumerate(grid.policies)}  # fmt: skip
    costs |= {one.policy: usd for one, (_, usd) in grid.searched.items()
              if (one.design, one.way) == (grid.start.design, grid.start.way)}  # fmt: skip
    best = min(costs, key=lambda name: costs[name])
    if not np.isfinite(costs[best]):
        return f"No policy serves all of the demand in the baseline's design, accounting {result.accounting}."
    start = costs[grid.start.policy]
    against = f", {1.0 - costs[best] / start:.0%} less than {grid.start.policy}" if np.isfinite(start) else ""
    row = options.row_of_policy(result, best)
    first = f"Of {len(costs)} policies {best} costs least:" if len(costs) > 1 else f"The only policy, {best}, costs"
    return (
        f"{first} {_money(costs[best])} over {spanned(result.case.clock.horizon_years)} in {result.accounting} "
        f"accounting{against if best != grid.start.policy else ', the baseline'}{'' if row is None else _rented(row)}"
        f"{_regret(values)}."
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _per_tokens(values: dict[str, Any]) -> str:
    price = values["usd_per_million_tokens"]
    return "" if price is None else f", ${told(price, 3)} per million tokens"


def _rented(row: Row) -> str:
    """How much of the demand is rented, where that is worth a word."""
    part = rented(row)
    return f"; {part:.0%} of the demand is rented" if part > RENTED_MUCH else ""


def _regret(values: dict[str, Any]) -> str:
    if values["regret"] is None:
        return ""
    return f"; the baseline costs {values['regret']:.0%} over the least any plan of its design and operation could"


def _context(result: Result, scenario: Scenario[Any]) -> tuple[tuple[str, str], ...]:
    case, inputs = result.case, result.case.inputs
    clock, start = case.clock, result.start
    grid = result.grids[result.accounting]
    ways, policies, designs = grid.usd.shape
    known = len(case.hardware.servers)
    rate = case.parameters.medians()[case.paths["account.discount_fraction"]]
    discounting = f", {rate:.2%} a year" if result.accounting == "finance" else ""
    rows = [
        ("Accounting", f"{result.accounting}: {ACCOUNTS[result.accounting]}{discounting}; baseline at inputs' medians"),
        ("Horizon", f"{clock.start_year:g} to {clock.start_year + clock.horizon_years:g} in steps of "
                    f"{spanned(clock.dt_years)}"),
        ("Baseline", f"{' / '.join(design_of(result, start.strategy))}, policy {start.strategy.policy}"),
        ("Strategies", f"{grid.usd.size:,}: {counted(designs, 'design')} x {counted(policies, 'policy')} x "
                       f"{counted(ways, 'way')} to run the fleet; "
                       f"{int(np.isfinite(grid.usd).sum()):,} of {grid.usd.size:,} serve all of the demand"),
        ("Demand", f"{told(float(start.problem.demand_per_s[0].max()))} requests/s at the first peak, of "
                   f"{case.model}, {inputs.demand.input_tokens.distribution.median:g} tokens in and "
                   f"{inputs.demand.output_tokens.distribution.median:g} out"),
        ("Roadmap", f"{counted(known, 'generation')} of the catalog, {len(case.roadmap.names) - known} projected"),
    ]  # fmt: skip
    if inputs.site.place:
        rows.append(("Place", inputs.site.place))
    if case.stabilized is not None:
        rows.append(("Stabilised", case.stabilized.words))
    if result.risk is not None:
        found = result.risk.convergence
        change = "" if np.isnan(found.change) else f", running mean within {found.change:.2%} over the last 2,000"
        rows.append(("Draws", f"{len(result.risk.costs.usd):,}, convergence {found.state}{change}"))
    if scenario.header.as_of:
        rows.append(("Data as of", str(scenario.header.as_of)))
    return tuple(rows)


__all__ = ["LINES", "to_report"]
