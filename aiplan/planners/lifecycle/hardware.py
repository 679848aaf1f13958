"""Servers of a roadmap looked up: what is known of them, how they go on, and what serving is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.machines import Machines
from aiplan.planners.lifecycle.roadmap import FIELDS, Form, Known, Roadmap, Trend, project
from aiplan.planners.lifecycle.roadmap_fit import fit_trend
from aiplan.planners.parameters import Parameters, Values
from aiplan.units import unit_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.lifecycle.inputs import LifecycleInputs

GROWTHS = {"flops": "flops_fraction", "bandwidth": "bandwidth_fraction", "memory": "memory_fraction",
           "power": "power_fraction", "price": "price_fraction"}  # fmt: skip
"""Fields of a trend that a scenario may give, and their names there."""
DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Hardware:
    """What can be bought.

    Attributes
    ----------
    servers : ids of the catalog, shape (G0,)
    entries, chips : their entries, and those of their accelerators
    known : their numbers at medians
    paths : of the inputs behind them: ``price_usd`` by server; the roadmap's own by field
    trend : fitted to the servers; `trend_of` puts what the scenario gives over it
    """

    inputs: LifecycleInputs
    servers: tuple[str, ...]
    entries: tuple[Any, ...]
    chips: tuple[Any, ...]
    known: Known
    paths: dict[str, str]
    trend: Trend

    def trend_of(self, values: Values) -> Trend:
        """The trend with what the scenario gives of it, shape of the draws."""
        asked = self.inputs.roadmap
        given: dict[str, Any] = {"interval_years": values[self.paths["interval_years"]]}
        levels = dict(self.trend.levels)
        for field, name in GROWTHS.items():
            if name in self.paths:
                given[field] = 1.0 + as_array(values[self.paths[name]])
                if getattr(asked, name) is not None:
                    levels.pop(field, None)
        last = -np.inf if asked.trend == "none" else asked.end_year
        return replace(self.trend, **given, levels=levels, last_year=last)

    def roadmap(self, values: Values) -> Roadmap:
        """Known generations and those to come, shape of the draws.

        Raises InputError for a roadmap without bound.
        """
        horizon = self.inputs.horizon
        try:
            return project(
                self.known, self.trend_of(values), values[self.paths["delay_years"]],
                values[self.paths["sale_years"]], horizon.start_year, horizon.start_year + horizon.years,
            )  # fmt: skip
        except ValueError as error:
            hint = "look at interval_years, end_year and the growth per year"
            raise InputError(Problem("E272", f"the roadmap cannot be: {error}", "roadmap", hint=hint)) from None

    def prices(self, values: Values) -> Array:
        """Price of each known server, shape (..., G0) [USD]."""
        found = [as_array(values[self.paths[f"price_usd.{server}"]]) for server in self.servers]
        return np.stack(np.broadcast_arrays(*found), axis=-1)

    def machines(self, roadmap: Roadmap) -> Machines:
        """The generations as servers that serving can be asked about; of a roadmap without draws."""
        base = roadmap.base.tolist()
        count = as_array([float(self.entries[at].accelerator_count) for at in base])
        return Machines(
            roadmap.names, tuple(self.entries[at].accelerator for at in base),
            tuple(self.servers[at] for at in base), count,
            *(as_array(getattr(roadmap, field)) for field in ("flops", "bandwidth", "memory", "link", "power")),
        )  # fmt: skip

    def embodied_kg(self) -> Array:
        """Carbon of making each known server, 0 where no source has it, shape (G0,) [kg]."""

        def of(entry: Any) -> float:
            found: Quantity | None = entry.embodied_kg
            return 0.0 if found is None else found.value

        pairs = zip(self.entries, self.chips, strict=True)
        return as_array([of(entry) + of(chip) * float(entry.accelerator_count) for entry, chip in pairs])


def find_hardware(inputs: LifecycleInputs, catalog: Catalog, parameters: Parameters) -> Hardware:
    """Look servers and their accelerators up, and fit how they go on.

    Raises
    ------
    InputError with everything that is wrong: names the catalog does not know, servers without a price or a date, out
    of order or twice.
    """
    asked = inputs.roadmap
    problems: list[Problem] = []
    servers, entries, chips, prices = [], [], [], []
    for name in asked.servers:
        try:
            server = catalog.resolve("servers", name)
        except InputError as error:
            problems += InputError(error.under("roadmap.servers")).problems
            continue
        entry = catalog.get("servers", server)
        chip = catalog.get("accelerators", entry.accelerator)
        price = asked.price_usd.get(name) or asked.price_usd.get(server) or entry.price_usd
        given = asked.released_year.get(name, asked.released_year.get(server))
        problems += _missing(server, entry, chip, price, given)
        servers.append(server)
        entries.append(entry)
        chips.append(chip)
        prices.append(price)
    for field in ("price_usd", "released_year"):
        problems += [Problem("E271", f"roadmap.{field} has '{name}', which is not among the servers",
                             f"roadmap.{field}.{name}", hint="add it to roadmap.servers, or leave it out")
                     for name in getattr(asked, field) if name not in (*asked.servers, *servers)]  # fmt: skip
    years = [_released(asked.released_year, name, server, entry, chip) for name, server, entry, chip in
             zip(asked.servers, servers, entries, chips, strict=False)]  # fmt: skip
    problems += _out_of_order(servers, years)
    if problems:
        raise InputError(problems)
    paths = {
        f"price_usd.{server}": parameters.add(f"roadmap.price_usd.{server}", f"price of {entry.name}", price, low=0.0,
                                              unit="USD")
        for server, entry, price in zip(servers, entries, prices, strict=True)
    }  # fmt: skip
    known = _known(servers, entries, chips, prices, years)
    trend = _trend(inputs, known, parameters, paths)
    return Hardware(inputs, tuple(servers), tuple(entries), tuple(chips), known, paths, trend)


def _missing(server: str, entry: Any, chip: Any, price: Quantity | None, given: float | None) -> list[Problem]:
    """What a server lacks to be planned with."""
    lacking = [
        what for what, value in (("day of release", given or entry.released or chip.released),
                                 ("BF16 rate of its accelerator", chip.bf16_dense_tflops),
                                 ("memory bandwidth of its accelerator", chip.hbm_tb_per_s)) if value is None
    ]  # fmt: skip
    found = [Problem("E270", f"the catalog has no {' and no '.join(lacking)} of '{server}'", "roadmap.servers",
                     hint="leave it out, or add what is missing with --catalog DIR")] if lacking else []  # fmt: skip
    if price is None:
        found.append(Problem("E271", f"no source has a price of '{server}'", "roadmap.servers",
                             hint=f"give roadmap.price_usd.{server}, or leave it out"))  # fmt: skip
    return found


def _out_of_order(servers: list[str], years: list[float]) -> list[Problem]:
    """Generations that overlap or do not follow each other."""
    found = []
    for place in range(1, len(servers)):
        if servers[place] in servers[:place] or years[place] <= years[place - 1]:
            text = (f"'{servers[place]}' ({years[place]:.2f}) does not follow '{servers[place - 1]}' "
                    f"({years[place - 1]:.2f})")  # fmt: skip
            hint = "name each server once, in the order of release, or give roadmap.released_year"
            found.append(Problem("E273", f"generations overlap: {text}", "roadmap.servers", hint=hint))
    return found


def _released(given: Mapping[str, float], name: str, server: str, entry: Any, chip: Any) -> float:
    """Calendar year of announcement; NaN where no source has it, which is refused elsewhere."""
    day = entry.released or chip.released
    own = given.get(name, given.get(server))
    return own if own is not None else float("nan") if day is None else _year(day)


def _year(day: date) -> float:
    return day.year + (day.timetuple().tm_yday - 1) / DAYS


def _known(
    servers: list[str], entries: list[Any], chips: list[Any], prices: list[Quantity], years: list[float]
) -> Known:
    count = as_array([float(entry.accelerator_count) for entry in entries])

    def of(name: str, default: float = 1.0) -> Array:
        found = [getattr(chip, name) for chip in chips]
        unit = unit_of(name)
        scale = unit.factor if unit is not None else 1.0
        return as_array([default if each is None else each.value * scale for each in found])

    return Known(
        tuple(servers),
        as_array(years),
        as_array([price.distribution.median for price in prices]),
        as_array([entry.max_power_w.value for entry in entries]),
        of("bf16_dense_tflops") * count,
        of("hbm_tb_per_s") * count,
        of("hbm_gb") * count,
        of("scaleup_gb_per_s"),
    )


def _trend(inputs: LifecycleInputs, known: Known, parameters: Parameters, paths: dict[str, str]) -> Trend:
    """The trend fitted to the known servers, with every number of it among the inputs."""
    asked = inputs.roadmap
    form: Form = "linear" if asked.trend == "linear" else "exponential"
    given = {field: getattr(asked, name) for field, name in GROWTHS.items()}
    for name in ("interval_years", "delay_years", "sale_years", "price_change_fraction"):
        paths[name] = parameters.add(f"roadmap.{name}", _words(name), getattr(asked, name))
    if len(known.names) > 1:
        trend = fit_trend(known, form, asked.interval_years.distribution.median)
    else:
        flat: dict[str, Any] = dict.fromkeys(FIELDS, 1.0)
        trend = Trend(asked.interval_years.distribution.median, **flat, form=form)
        lacking = [GROWTHS[field] for field, quantity in given.items() if quantity is None]
        if lacking and asked.trend != "none":
            raise InputError(Problem("E272", "a trend cannot be fitted to one server", f"roadmap.{lacking[0]}",
                                     hint=f'give {", ".join(lacking)}, or trend = "none"'))  # fmt: skip
    if asked.trend == "none":
        return trend
    for field, name in GROWTHS.items():
        quantity = given[field] or constant(float(as_array(getattr(trend, field))) - 1.0, "aiplan-choice", "estimate",
                                            "derived", "fitted to the servers of the roadmap")  # fmt: skip
        paths[name] = parameters.add(f"roadmap.{name}", f"growth of {field} per year", quantity)
    return trend


def _words(name: str) -> str:
    return {
        "interval_years": "time between generations",
        "delay_years": "announcement to availability",
        "sale_years": "time on sale",
        "price_change_fraction": "change of a generation's price per year",
    }[name]
