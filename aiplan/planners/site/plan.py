"""Inputs to result: power and cooling asked together, then the year they give.

Capacity is found with cooling at its worst hour, the year with cooling hour by hour. Losses from the UPS down warm the
hall, so that cooling and the chain are asked in turn until both agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling.equipment import Outdoor
from aiplan.planners.cooling.plan import condensed, named, warming
from aiplan.planners.cooling.plant import Hourly, mechanical
from aiplan.planners.cooling.year import summary, year
from aiplan.planners.parameters import Evidence, Value, Values
from aiplan.planners.power import plan as power
from aiplan.planners.power.compare import Mechanical
from aiplan.planners.power.limits import GRID
from aiplan.planners.power.provision import Provision
from aiplan.planners.site.annual import Supply, blocks_needed, hall_loss, supply
from aiplan.planners.site.case import Case, build_case, power_inputs
from aiplan.uncertainty.quantiles import summary as quantiles_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.cooling.weather import Weather
    from aiplan.planners.site.inputs import SiteInputs

MOST_EXTRA_BLOCKS = 0.5
"""Blocks added at most, over those that one block's power asks for, until the connection is used up [1]."""
AMPLE = 2.0
"""The connection while one block is looked at alone, over the ratings of the block's first level [1]."""
MOST_NODES = 100_000
"""Nodes of one level that are worked with."""
Summary = Mapping[str, float | None]


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers.

    Attributes
    ----------
    case : what was asked
    power : the power planner's result
    blocks : blocks of the levels
    hourly, weather : cooling at the mean load, hour by hour at medians
    chain : the power chain at the mean load for any power of cooling
    energy_mwh : a year's energy by part, at medians; the parts add up to the whole
    water_m3 : a year's water by use, at medians
    lines : summaries of the draws by line, or single numbers
    evidence : what moves the lines
    """

    case: Case
    power: power.Result
    blocks: int
    hourly: Hourly
    weather: Weather
    chain: Supply
    energy_mwh: dict[str, float] = field(default_factory=dict)
    water_m3: dict[str, float] = field(default_factory=dict)
    lines: dict[str, Summary] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)

    @property
    def found(self) -> Provision:
        """What fits."""
        return self.power.found


def plan(inputs: SiteInputs, catalog: Catalog) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for what cannot be worked with; InfeasibleError where nothing fits.
    """
    case = build_case(inputs, catalog)
    medians = case.parameters.medians()
    cooled = partial(_cooling, case, named(case.cooling, medians), Outdoor.of(case.cooling.climate.weather))
    blocks = inputs.blocks.count or _blocks(case, catalog, cooled)
    result = _result(case, power.plan(power_inputs(case, blocks), catalog, cooled, beside=False), blocks, medians)
    _fill_year(result)
    _fill_lines(result)
    return result


def _cooling(case: Case, p: Values, outdoor: Outdoor, found: Provision | None) -> tuple[float, float]:
    """Cooling over IT at the worst hour and in the mean, for what the power planner found last."""
    weather = case.cooling.climate.weather
    system, convention = case.cooling.system.system, case.cooling.convention
    other = float(case.inputs.facility.other_fraction.distribution.median)
    worst, mean, load = other, other, 1.0
    if found is not None:
        levels, worst, mean = found.design.levels, found.design.other, found.design.other
        worst, mean = worst + hall_loss(levels, found.worst), mean + hall_loss(levels, found.mean)
        load = mean_load(found)
    full = mechanical(system, p, outdoor, worst, 1.0, convention)
    part = mechanical(system, p, outdoor, mean, load, convention)
    return float(full.pue.max()) - 1.0, float(summary(part, weather.hours).pue) - 1.0


def mean_load(found: Provision) -> float:
    """Mean IT power over that of the design hour, which cooling is built for [1]."""
    return min(found.mean.it_w / found.worst.it_w, 1.0)


def _blocks(case: Case, catalog: Catalog, cooled: Mechanical) -> int:
    """The fewest blocks that use up the grid connection.

    One block alone gives a first number; because loads of many blocks level out, a few more may be of use.
    """
    grid = case.inputs.grid
    contract = float(grid.contract_w.distribution.median)
    margin = float(grid.margin_fraction.distribution.median)
    first = next(iter(case.inputs.levels.values()))
    ample = None if first.count is None or first.rated_w is None else AMPLE * first.count * first.rated_w.value
    one = power.capacity(power_inputs(case, 1), catalog, cooled, ample)
    least = blocks_needed(contract * (1.0 - margin), one.worst.grid_w)
    nodes = least * (1.0 + MOST_EXTRA_BLOCKS) * max(level.count or 1 for level in case.inputs.levels.values())
    if nodes > MOST_NODES:
        raise InputError(Problem("E261", f"the connection takes {least:,} blocks, more than can be laid out",
                                 "grid.contract_w", hint="plan a part of it, or give larger blocks"))  # fmt: skip
    servers = 0
    for blocks in range(least, int(least * (1.0 + MOST_EXTRA_BLOCKS)) + 2):
        found = power.capacity(power_inputs(case, blocks), catalog, cooled)
        if found.servers <= servers:
            return blocks - 1
        servers = found.servers
        if found.binding == GRID:
            return blocks
    return blocks


def _result(case: Case, found: power.Result, blocks: int, medians: Values) -> Result:
    """Cooling at the mean load hour by hour, and the chain under it."""
    provision, weather = found.found, case.cooling.climate.weather
    other = provision.design.other
    loss = other + hall_loss(provision.design.levels, provision.mean)
    hourly = mechanical(
        case.cooling.system.system, named(case.cooling, medians), Outdoor.of(weather), loss, mean_load(provision),
        case.cooling.convention,
    )  # fmt: skip
    chain = supply(provision.design.levels, provision.packed.row_w * provision.design.mean_share, other)
    return Result(case, found, blocks, hourly, weather, chain)


def _fill_year(result: Result) -> None:
    """A year's energy and water part by part, at medians."""
    hours, hourly, chain = result.weather.hours, result.hourly, result.chain

    def mwh(power_w: Any) -> float:
        return float(np.broadcast_to(as_array(power_w), hours.shape) @ hours) / 1e6

    result.energy_mwh = {"IT": mwh(chain.it_w)}
    result.energy_mwh |= {name: mwh(chain.it_w * part) for name, part in hourly.power.items()}
    result.energy_mwh |= {f"loss of {kind}": mwh(lost) for kind, lost in chain.losses_w(hourly.pue - 1.0).items()}
    result.energy_mwh["other"] = mwh(chain.other_w)
    it_kw = chain.it_w / 1e3
    result.water_m3 = {name: mwh(it_kw * part) * 1e6 / 1e3 for name, part in hourly.water.items()}


def _fill_lines(result: Result) -> None:
    """Lines that carry the spread of cooling, climate and place; capacity is taken at medians."""
    case, found = result.case, result.found
    system = case.cooling.system.system
    weather, _ = condensed(result.weather, 1.0, result.hourly.pue)
    other = found.design.other
    loss = other + hall_loss(found.design.levels, found.mean)
    full_loss = other + hall_loss(found.design.levels, found.worst)

    def lines(values: Values) -> dict[str, Value]:
        p, warm = named(case.cooling, values), warming(case.cooling, values)
        mean = year(system, p, weather, mean_load(found), case.cooling.convention, warm, loss_heat=loss)
        full = year(system, p, weather, 1.0, case.cooling.convention, warm, loss_heat=full_loss)
        return lines_of(result, values, mean.pue - 1.0, mean.wue, full.pue_worst - 1.0)

    drawn = lines(case.parameters.draw(case.inputs.uncertainty))
    result.lines = {name: quantiles_of(value) for name, value in drawn.items()}
    result.evidence = case.parameters.evidence(lines)


def lines_of(result: Result, values: Values, mean: Array, wue: Array, worst: Array) -> dict[str, Value]:
    """Lines of the report from a year of cooling.

    Parameters
    ----------
    values : inputs of the place by path
    mean, worst : cooling over IT in the mean and at the worst hour, shape (k,) or () [1]
    wue : water over IT energy [L/kWh]
    """
    found, chain, place = result.found, result.chain, result.case.place
    hours = result.weather.total_hours
    it_mwh = chain.it_w * hours / 1e6
    energy = chain.grid_w(mean) * hours / 1e6
    design = found.worst
    lines: dict[str, Value] = {
        "pue_annual": energy / it_mwh,
        "pue_worst_hour": (design.grid_w + (worst * design.it_w - design.mechanical_w)) / design.it_w,
        "wue_annual_l_per_kwh": wue,
        "energy_mwh": energy,
        "water_m3": it_mwh * wue,
    }
    if "offsite_water_l_per_kwh" in place:
        lines["offsite_water_m3"] = energy * values[place["offsite_water_l_per_kwh"]]
    if "carbon_g_per_kwh" in place:
        lines["carbon_t"] = energy * values[place["carbon_g_per_kwh"]] / 1e3
    if "price_usd_per_kwh" in place:
        lines["electricity_usd"] = energy * 1e3 * values[place["price_usd_per_kwh"]]
    if "shell_usd_per_w" in place:
        shell = values[place["shell_usd_per_w"]]
        lines["shell_usd_per_kw"] = shell * 1e3
        lines["shell_usd"] = shell * design.it_w
    return lines


__all__ = ["Result", "plan"]
