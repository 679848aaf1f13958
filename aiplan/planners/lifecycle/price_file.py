"""Prices of electricity by hour from a CSV, with the load they are paid at, as the one price they come to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aiplan import units
from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import printable
from aiplan.inputs.table import Rows, read_csv
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.tariff import load_weighted_price

PRICE, LOAD = "price_usd_per_kwh", "load_kw"
HOURS = (8760, 8784)
"""Rows of a year and of a leap year."""
MOST_SHOWN = 20


def read_price(path: Path) -> tuple[float, bool]:
    """Price of a year that hours come to, and whether they were weighed by a load [USD/kWh].

    Columns: ``price_usd_per_kwh`` (or per mWh, in any unit of the registry) and, if there is one, ``load_kw`` (any unit
    of power; only its shape counts). One row per hour.

    Raises
    ------
    InputError for a file that is no CSV, without the column, of another length than a year, with cells that hold no
    number or negative ones (E280), all of them at once.
    """
    table = read_csv(path)
    price = _column(table, PRICE)
    if price is None:
        raise InputError(Problem("E280", f"has no column {PRICE}", file=table.name,
                                 hint=f"name the prices {PRICE} or price_usd_per_mwh"))  # fmt: skip
    if len(table.rows) not in HOURS:
        text = f"has {len(table.rows):,} rows, a year has {HOURS[0]:,} hours"
        raise InputError(Problem("E280", text, file=table.name, hint="give every hour of one year"))
    load = _column(table, LOAD)
    problems = [*_wrong(table, price), *([] if load is None else _wrong(table, load))]
    if problems:
        raise InputError(problems[:MOST_SHOWN], max(len(problems) - MOST_SHOWN, 0))
    prices = _values(table, price, PRICE)
    loads = np.ones(len(prices)) if load is None else _values(table, load, LOAD)
    if not loads.any():
        raise InputError(Problem("E280", f"{load} is 0 in every hour", file=table.name, hint="leave the column out"))
    return float(load_weighted_price(prices, loads)), load is not None


def _column(table: Rows, wanted: str) -> str | None:
    """The column with the dimension of a name."""
    stem = wanted.split("_")[0]
    return next((name for name in table.columns if name.startswith(stem) and _size(name, wanted)), None)


def _size(name: str, wanted: str) -> float:
    """One of a column's unit in that of a name; 0 where they do not measure the same."""
    try:
        own, unit = units.unit_of(name), units.unit_of(wanted)
    except ValueError:
        return 0.0
    if own is None or unit is None or own.dimension != unit.dimension:
        return 0.0
    return own.factor / unit.factor


def _wrong(table: Rows, name: str) -> list[Problem]:
    found = []
    for line, row in enumerate(table.rows, start=2):
        try:
            value = float(row[name]) if "_" not in row[name] else np.nan
        except ValueError:
            value = np.nan
        if not 0 <= value < np.inf:
            text = f"{printable(name[:80])} must be a number of 0 or more, got '{printable(row[name][:40])}'"
            found.append(Problem("E280", text, "", table.name, line, 1, hint="correct the cell"))
    return found


def _values(table: Rows, name: str, wanted: str) -> Array:
    """A column in the unit of a name."""
    return np.array([float(row[name]) for row in table.rows]) * _size(name, wanted)
