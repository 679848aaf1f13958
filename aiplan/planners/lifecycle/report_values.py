"""What lines, tables and pictures of a lifecycle share: plain numbers, years, names, servers by generation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.world import Ints
from aiplan.report.model import Cell, Column

if TYPE_CHECKING:
    from aiplan.planners.lifecycle.plan import Result, Row
    from aiplan.planners.lifecycle.strategies import Strategy

MW = 1e6
TERMINAL = "terminal value"
RENTED_MUCH = 0.01
"""Share of the demand that is rented which is worth a word [1]."""


def plain(value: Any) -> float | None:
    """A number as Python's, None where it is missing or not finite."""
    if value is None:
        return None
    number = float(np.asarray(value))
    return number if math.isfinite(number) else None


def year_number(year: float) -> int:
    """The calendar year that a time lies in.

    >>> year_number(2026.0), year_number(2026.5)
    (2026, 2026)
    """
    return math.floor(year + 1e-9)


def years_of(result: Result) -> tuple[int, ...]:
    """Years of the study, by the calendar year that each starts in."""
    clock = result.case.clock
    count = math.ceil(clock.horizon_years - 1e-9)
    return tuple(year_number(clock.start_year + number) for number in range(count))


def year_of_period(result: Result) -> Ints:
    """Number of the year that each period lies in, shape (T,)."""
    return np.floor(result.case.clock.starts_years + 1e-9).astype(np.int64)


def first_periods(result: Result) -> list[int]:
    """First period of each year."""
    return [int(period) for period in np.unique(year_of_period(result), return_index=True)[1]]


def by_year(result: Result, values: Array) -> Array:
    """Sums over the periods of each year, shape (..., T) to (..., years)."""
    belongs = year_of_period(result)[:, None] == np.arange(len(years_of(result)))
    return np.asarray(as_array(values) @ belongs.astype(np.float64))


def design_of(result: Result, strategy: Strategy) -> tuple[str, str, str]:
    """Power, cooling and network of a strategy."""
    designs = result.case.designs(strategy.way)
    return designs.power[strategy.design], designs.cooling[strategy.design], designs.network[strategy.design]


def policy_name(row: Row) -> str:
    """The policy of a row; an optimum follows none."""
    if row.id == "rent":
        return "rented"
    return "none: optimised" if row.policy is None else row.strategy.policy


def rented(row: Row) -> float:
    """Share of the demand of all periods and classes that rented servers serve [1]."""
    return float(row.plan.rent_per_s.sum() / row.problem.demand_per_s.sum())


def told_strategy(result: Result, strategy: Strategy) -> str:
    """A strategy in one text."""
    return " / ".join((*design_of(result, strategy), strategy.policy, strategy.way))


def some_rows(result: Result, names: Sequence[str]) -> dict[str, Row]:
    """Rows by id, as far as they are there."""
    return {name: result.rows[name] for name in names if name in result.rows}


def per_generation(row: Row, values: Array) -> Array:
    """Sums over the vintages of each generation, shape (K, T) to (G, T)."""
    generations = len(row.problem.world.generations.names)
    belongs = np.arange(generations)[:, None] == np.asarray(row.problem.vintages.generation)
    return np.asarray(belongs.astype(np.float64) @ as_array(values))


def ages_years(row: Row) -> Array:
    """Age of each vintage in each period, shape (K, T) [y]."""
    clock = row.problem.world.clock
    return as_array((np.arange(clock.periods) - row.problem.vintages.bought[:, None]) * clock.dt_years)


def rated_w(row: Row) -> Array:
    """Rating of each generation's server in the row's design, fans that do not turn taken off, shape (G,) [W]."""
    world = row.problem.world
    return np.broadcast_to(world.generations.rated_w * (1.0 - world.site.fan_saved), (len(world.generations.names),))


def first_bought(row: Row) -> int:
    """Generation that most servers of the first period belong to."""
    return int(per_generation(row, row.plan.serve)[:, 0].argmax())


def slug(name: str) -> str:
    """A name as part of a column's id.

    >>> slug("terminal value of servers")
    'terminal_value_of_servers'
    """
    return name.replace(" ", "_").replace("-", "_")


def usd(name: str, label: str, *, keep: bool = False) -> Column:
    """A column of dollars."""
    return Column(f"{name}_usd", label, "USD", keep=keep)


def share(part: Any, whole: Any) -> Cell:
    """One number over another; None where either is missing or the whole is zero."""
    top, bottom = plain(part), plain(whole)
    return None if top is None or not bottom else top / bottom
