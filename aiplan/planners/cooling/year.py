"""A year of hours in a few numbers, and many draws of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from aiplan.planners.arrays import Array, as_array, keep_freed, require
from aiplan.planners.cooling.equipment import Outdoor, Value, Values
from aiplan.planners.cooling.plant import FREE, MAKEUP, Hourly, System, cool, mechanical
from aiplan.planners.cooling.warmer import Warmer
from aiplan.planners.cooling.water import Convention
from aiplan.planners.cooling.weather import Weather, weighted_quantile

CELLS = 49_152
"""Draws times hours computed at once: some 400 kB an array, so that a few of them stay in the processor's cache."""
P99 = 0.99


@dataclass(frozen=True, slots=True)
class Year:
    """A year in numbers, each of shape (k,) for k draws, or () for none.

    Attributes
    ----------
    pue : facility over IT energy [1]
    pue_worst, pue_p99 : at the hour with the highest PUE, and the value 99 % of the hours do not exceed [1]
    facility_peak : highest facility power over rated IT power [1]
    wue, makeup : water and tower make-up over IT energy [L/kWh]
    water_peak : highest water use per rated IT power [L/h per kW]
    free_h, liquid_free_h : hours without compressors, of everything and of the liquid loop alone [h]
    power : mean of every component over IT energy [1]
    water : mean of every kind of water over IT energy [L/kWh]
    """

    pue: Array
    pue_worst: Array
    pue_p99: Array
    facility_peak: Array
    wue: Array
    makeup: Array
    water_peak: Array
    free_h: Array
    liquid_free_h: Array | None
    power: Mapping[str, Array]
    water: Mapping[str, Array]


def _dot(values: Array, weights: Array) -> Array:
    # Not a product of BLAS, whose last digits depend on the number of rows and threads.
    return np.asarray(np.einsum("...n,n->...", values, weights))


def summary(found: Hourly, hours: Array, load: Value = 1.0) -> Year:
    """The year of hourly results.

    Parameters
    ----------
    found : per kW of IT, shape (n,) or (k, n)
    hours : weight of each point, shape (n,) [h]
    load : IT load over rated, a number or shape (n,) [1]: means are over IT energy, not over hours
    """
    at = np.broadcast_to(as_array(load), hours.shape)
    share = hours * at
    share = share / share.sum()

    def mean(value: Array) -> Array:
        # What does not change from hour to hour is its own mean.
        if np.ndim(value) == 0:
            return as_array(value)
        return np.asarray(value[..., 0] if value.shape[-1] == 1 else _dot(value, share))

    def free_hours(compressors: Array) -> Array:
        return _dot((np.broadcast_to(compressors, found.shape) < FREE).astype(np.float64), hours)

    def total(means: Iterable[Array]) -> Array:
        return np.broadcast_to(sum(means, np.zeros(())), found.shape[:-1])

    pue, liquid = found.pue, found.liquid_compressor_share
    power = {name: mean(value) for name, value in found.power.items()}
    water = {name: mean(value) for name, value in found.water.items()}
    return Year(
        pue=1.0 + total(power.values()),
        pue_worst=pue.max(axis=-1),
        pue_p99=weighted_quantile(pue, hours, P99),
        facility_peak=(pue * at).max(axis=-1),
        wue=total(water.values()),
        makeup=total(water[name] for name in MAKEUP),
        water_peak=(found.wue * at).max(axis=-1),
        free_h=free_hours(found.compressor_share),
        liquid_free_h=None if liquid is None else free_hours(liquid),
        power=power,
        water=water,
    )


@dataclass(frozen=True, slots=True)
class Warming:
    """How much warmer than its weather a year is, shape (k,) [K], and how far dew points go along [1]."""

    kelvin: Value
    dew_point_share: float


def year(
    system: System,
    p: Values,
    weather: Weather,
    load: Value = 1.0,
    convention: Convention = "drift-concentrated",
    warming: Warming | None = None,
    loss_heat: Value | None = None,
) -> Year:
    """A system's year on some weather, for one set of parameters or for many draws of them.

    Parameters
    ----------
    system, p, load, convention : see `plant.cool`; uncertain parameters have shape (k,) or (k, 1) here
    weather : shape (n,)
    warming : the climate's offset, drawn or not
    loss_heat : heat of losses in the hall over IT power where the caller has a power chain of its own; the year then
        holds cooling alone [1]

    Draws are computed in chunks of some 50,000 cells, which stay in the processor's cache: 8,760 hours times 1,000
    draws take seconds and little memory.
    """
    values = {**p, _WARMING: warming.kelvin} if warming is not None else dict(p)
    columns = {name: as_array(value).reshape(-1, 1) for name, value in values.items() if np.ndim(value)}
    fixed = {name: value for name, value in values.items() if name not in columns}
    # Weather that is the same for all draws is prepared once.
    same = Outdoor.of(weather)
    warmer = None if warming is None else Warmer(weather, warming.kelvin, warming.dew_point_share)

    def run(one: Values) -> Year:
        at = same if warmer is None else warmer.at(one[_WARMING])
        if loss_heat is None:
            return summary(cool(system, one, at, load, convention), weather.hours, load)
        return summary(mechanical(system, one, at, loss_heat, load, convention), weather.hours, load)

    if not columns:
        return run(fixed)
    total = max(map(len, columns.values()))
    require([len(column) in (1, total) for column in columns.values()], "parameters differ in their number of draws")
    rows = max(1, CELLS // weather.hours.size)
    keep_freed()
    parts = []
    for start in range(0, total, rows):
        part = {name: column[start : start + rows] if len(column) > 1 else column for name, column in columns.items()}
        parts.append((min(rows, total - start), run(fixed | part)))
    return _joined(parts)


_WARMING = "warming_kelvin"


def _joined(parts: list[tuple[int, Year]]) -> Year:
    """Years of consecutive draws as one."""

    def join(pick: Callable[[Year], Array]) -> Array:
        return np.concatenate([np.broadcast_to(pick(one), (count,)) for count, one in parts])

    first = parts[0][1]
    plain = {name: join(partial(_field, name)) for name in _NUMBERS}
    liquid = None if first.liquid_free_h is None else join(partial(_field, "liquid_free_h"))
    power = {name: join(partial(_item, "power", name)) for name in first.power}
    water = {name: join(partial(_item, "water", name)) for name in first.water}
    return Year(**plain, liquid_free_h=liquid, power=power, water=water)


_NUMBERS = ("pue", "pue_worst", "pue_p99", "facility_peak", "wue", "makeup", "water_peak", "free_h")


def _field(name: str, one: Year) -> Array:
    return as_array(getattr(one, name))


def _item(table: str, name: str, one: Year) -> Array:
    return as_array(getattr(one, table)[name])
