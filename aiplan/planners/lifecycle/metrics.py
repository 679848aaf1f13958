"""What a plan costs per unit of what it gives: levelised prices, cash flows by year, payback against renting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan import finance
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.ledger import Ledger, Plan, standing_w
from aiplan.planners.lifecycle.problem import Problem, pick
from aiplan.planners.lifecycle.world import HOURS_PER_YEAR

SECONDS_PER_YEAR = 3600.0 * HOURS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Levelised:
    """Present cost over the present amount of what it buys, so that a constant price would just pay it, shape (...).

    Attributes
    ----------
    usd_per_gpu_h : per accelerator and hour in service, rent left out [USD/h]
    usd_per_million_tokens : per million answer tokens of the mean load [USD]
    usd_per_mw_year : per megawatt of hall and year, rent left out [USD/(MW y)]
    usd_per_year : the same cost in every year [USD/y]
    """

    usd_per_gpu_h: Array
    usd_per_million_tokens: Array
    usd_per_mw_year: Array
    usd_per_year: Array


def levelised(problem: Problem, plan: Plan, money: Ledger, requests_per_s: Array, output_tokens: Array) -> Levelised:
    """Levelised prices of a plan.

    Parameters
    ----------
    requests_per_s : peak requests of users by period, model growth not counted, shape (..., T) [1/s]
    output_tokens : answer tokens of a request by period, shape (..., T) [tokens]

    Amounts are discounted as costs of operation are. Source: levelised cost as in the field's practice; a ratio of
    present values.
    """
    world = problem.world
    cost, dt = money.total(), world.clock.dt_years
    per_server = pick(world.generations.accelerators_count, problem.vintages.generation)
    gpu_h = (plan.serve * per_server[..., None]).sum(axis=-2) * HOURS_PER_YEAR * dt
    mean = requests_per_s * as_array(world.load_factor)[..., None]
    tokens = mean * output_tokens * SECONDS_PER_YEAR * dt
    mw_years = standing_w(problem, plan) / 1e6 * dt
    booked = problem.booked

    rented = [place for place, name in enumerate(money.names) if name == "rent"]
    owned = cost - money.present_usd[rented].sum(axis=(0, -1))

    def over(usd: Array, amount: Array) -> Array:
        total = (amount * booked).sum(axis=-1)
        return np.asarray(np.divide(usd, total, out=np.full(np.shape(usd + total), np.nan), where=total > 0))

    years = over(cost, np.broadcast_to(dt, (world.clock.periods,)))
    return Levelised(over(owned, gpu_h), over(cost, tokens) * 1e6, over(owned, mw_years), years)


def return_on_owning(own: Ledger, rented: Ledger, dt_years: float) -> Array:
    """Internal rate of return of owning in place of renting [1/y]; NaN where there is none or more than one.

    Parameters as in `payback_years`; terminal values come in at the end.
    """
    saved = rented.usd.sum(axis=0) - own.usd.sum(axis=0)
    return as_array(finance.internal_rate_of_return(saved, np.arange(saved.shape[-1]) * dt_years))


def payback_years(own: Ledger, rented: Ledger, dt_years: float) -> Array:
    """Years until owning has cost less than renting, undiscounted; NaN where it never has.

    Parameters
    ----------
    own, rented : cash flows of both ways to meet the same demand
    """
    saved = rented.usd.sum(axis=0) - own.usd.sum(axis=0)
    times = np.arange(saved.shape[-1]) * dt_years
    return as_array(finance.payback_years(saved, times))
