"""Many draws of one future: what is drawn, what each policy costs in each draw, and what can be said of that.

Every policy is simulated in the same draws, so that a difference between policies is theirs. Costs are arrays by draw
and policy, shape (n, P).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.placement import Placement
from aiplan.planners.lifecycle.policies import Policy
from aiplan.planners.lifecycle.problem import Vintages
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.world import Bools, World

CHUNK = 1000
"""Draws simulated at once: enough to hide Python's share, few enough to stay in fast memory."""
CONVERGED_CHANGE = 0.01
CONVERGED_LAST = 2000
CONVERGED_LEAST = 4000
"""The running mean changes by less than 1 % over the last 2,000 of at least 4,000 draws: reference section 7."""
NORMAL_95 = 1.959963984540054
TAIL = 0.05

_TRAILING = {
    "available_years": 1, "last_sale_years": 1, "price_usd": 2, "rated_w": 1, "idle_w": 1, "active_w": 2,
    "capacity_per_s": 2, "embodied_kg": 1, "stranding": 1, "fan_saved": 1, "derate": 1, "throughput": 1, "hosts": 1,
    "oversubscription": 1, "pue_mean": 0, "pue_peak": 0, "wue_l_per_kwh": 0, "network_usd": 1,
    "network_usd_per_year": 1, "network_price_fraction": 0, "most_w": 0, "energy_usd_per_kwh": 1,
    "demand_usd_per_kw_month": 2, "water_usd_per_m3": 1, "carbon_usd_per_kg": 1, "carbon_kg_per_kwh": 1,
    "rent_usd_per_year": 2,
    "maintenance_usd_per_year": 1, "software_usd_per_year": 1, "failures_per_year": 1, "decommission_usd": 1,
    "staff_usd_per_w_year": 0, "hall_maintenance_fraction": 0, "ageing_per_year": 0, "discount_rate": 0,
    "demand_per_s": 2, "efficiency": 1, "load_factor": 0,
}  # fmt: skip
"""Trailing axes of the fields of a world that may have draws."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Costs:
    """What each policy costs in each draw.

    Attributes
    ----------
    names : of the policies
    usd : present value, shape (n, P) [USD]
    feasible : whether all demand is served, shape (n, P)
    """

    names: tuple[str, ...]
    usd: Array
    feasible: Bools


def costs(
    world: World, policies: Sequence[Policy], draws: int, owned: Vintages | None = None,
    placement: Placement = "aware", chunk: int = CHUNK,
) -> Costs:  # fmt: skip
    """Simulate every policy in every draw; ``draws`` is the length of the one leading axis of the world."""
    usd, feasible = np.empty((draws, len(policies))), np.empty((draws, len(policies)), dtype=bool)
    for start in range(0, draws, chunk):
        rows = slice(start, min(start + chunk, draws))
        part, old = rows_of(world, rows, draws), None if owned is None else _rows_owned(owned, rows, draws)
        for place, policy in enumerate(policies):
            life = as_array(policy.life_years)
            own = replace(policy, life_years=life[rows]) if life.ndim else policy
            found = outcome(part, own, old, placement)
            usd[rows, place] = found.money.total()
            feasible[rows, place] = found.shortfall.feasible
    return Costs(tuple(policy.name for policy in policies), usd, feasible)


def rows_of(part: T, rows: slice, draws: int) -> T:
    """Some draws of a world or of a part of it; what has no axis of draws stays."""
    changed: dict[str, Any] = {}
    for each in fields(part):  # type: ignore[arg-type]
        value = getattr(part, each.name)
        if is_dataclass(value):
            changed[each.name] = rows_of(value, rows, draws)
        elif isinstance(value, Mapping):
            changed[each.name] = {name: _rows(as_array(usd), 0, rows, draws) for name, usd in value.items()}
        elif each.name in _TRAILING:
            changed[each.name] = _rows(np.asarray(value), _TRAILING[each.name], rows, draws)
    return replace(part, **changed)  # type: ignore[type-var]


def _rows(values: Any, trailing: int, rows: slice, draws: int) -> Any:
    if values.ndim <= trailing or values.shape[0] == 1:
        return values
    require(values.ndim == trailing + 1 and values.shape[0] == draws, "draws must be the one leading axis")
    return values[rows]


def _rows_owned(owned: Vintages, rows: slice, draws: int) -> Vintages:
    names = ("generation", "owned", "paid_usd")
    return replace(owned, **{name: _rows(getattr(owned, name), 1, rows, draws) for name in names})


@dataclass(frozen=True, slots=True)
class Spread:
    """Distribution of the cost of each policy, arrays of shape (P,) in dollars.

    Attributes
    ----------
    mean, sd : mean and standard deviation
    cv : sd over mean [1]
    p5, p25, p50, p75, p95 : percentiles
    cvar : mean of the worst, that is dearest, 5 %
    standard_error : of the mean
    """

    mean: Array
    sd: Array
    cv: Array
    p5: Array
    p25: Array
    p50: Array
    p75: Array
    p95: Array
    cvar: Array
    standard_error: Array


def spread(usd: Array) -> Spread:
    """Distribution of costs, shape (n, P), over independent draws.

    Raises ValueError for fewer than two draws or numbers that are not finite.
    """
    n = len(usd)
    require(usd.ndim == 2 and n >= 2, "there must be two draws or more")
    require(np.isfinite(usd), "costs must be finite")
    ranked = np.sort(usd, axis=0)
    mean, sd = usd.mean(axis=0), usd.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cv = np.where(mean != 0, sd / np.abs(mean), np.nan)
    p5, p25, p50, p75, p95 = (_quantile(ranked, p) for p in (0.05, 0.25, 0.50, 0.75, 0.95))
    return Spread(mean, sd, cv, p5, p25, p50, p75, p95, cvar(usd), sd / math.sqrt(n))


def _quantile(ranked: Array, p: float) -> Array:
    at = (len(ranked) - 1) * p
    low = math.floor(at)
    high = min(low + 1, len(ranked) - 1)
    return np.asarray(ranked[low] + (ranked[high] - ranked[low]) * (at - low))


def cvar(usd: Array, tail: float = TAIL) -> Array:
    """Mean of the dearest share of draws, shape (n, ...) to (...); the draw on its edge counts in part [USD].

    Source: Rockafellar and Uryasev 2000, for equally likely draws.
    """
    require(0 < tail <= 1, "the tail must be above 0 and at most 1")
    weight = np.clip(tail * len(usd) - np.arange(len(usd)), 0.0, 1.0) / (tail * len(usd))
    ranked = -np.sort(-usd, axis=0)
    return np.asarray(np.tensordot(weight, ranked, axes=1))


def cheaper(usd: Array) -> Array:
    """Share of draws in which the policy of the row costs less than that of the column, shape (P, P); ties: neither."""
    return np.stack([(usd[:, [row]] < usd).mean(axis=0) for row in range(usd.shape[1])])


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences to one policy in the same draws, arrays of shape (P,) [USD].

    Attributes
    ----------
    mean : cost over that of the policy compared with; negative is cheaper
    standard_error : of it
    low, high : 95 % interval of the mean, by the central limit
    """

    mean: Array
    standard_error: Array
    low: Array
    high: Array


def paired(usd: Array, against: int) -> Paired:
    """Differences of costs, shape (n, P), to one of the policies."""
    require(len(usd) >= 2, "there must be two draws or more")
    apart = usd - usd[:, [against]]
    mean, error = apart.mean(axis=0), apart.std(axis=0, ddof=1) / math.sqrt(len(usd))
    return Paired(mean, error, mean - NORMAL_95 * error, mean + NORMAL_95 * error)


@dataclass(frozen=True, slots=True)
class Convergence:
    """Whether the mean of one policy has settled.

    Attributes
    ----------
    state : ``not tested`` below 4,000 draws
    change : largest change of the running mean over the last 2,000 draws, over the mean [1]; NaN where not tested
    """

    state: Literal["converged", "not converged", "not tested"]
    change: float


def convergence(usd: Array) -> Convergence:
    """Test of the running mean of costs, shape (n,), in the order of the draws."""
    if len(usd) < CONVERGED_LEAST:
        return Convergence("not tested", math.nan)
    running = np.cumsum(usd) / np.arange(1, len(usd) + 1)
    last = running[-CONVERGED_LAST - 1 :]
    size = float(np.abs(last - running[-1]).max())
    change = size / abs(float(running[-1])) if running[-1] else (0.0 if size == 0 else math.inf)
    return Convergence("converged" if change < CONVERGED_CHANGE else "not converged", change)
