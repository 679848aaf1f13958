"""Choosing configurations: exact for few VMs, from the relaxed programme for many, with bounds for both.

Variables count the VMs of a group that run a configuration, ``n[g,c]``. The stages (see `configuration`) are solved
one after the other, each holding the ones before to what they reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.thermal.configuration import (
    STAGES,
    ConfigurationProblem,
    Configured,
    Groups,
    configured,
    groups_of,
    room,
)
from aiplan.planners.thermal.hall import Floats, Ints

OPTIMAL, HEURISTIC, UNPROVEN = "optimal", "heuristic", "stopped before a proof"
MOST_EXACT_VMS = 200
ROUNDING = 1e-7
"""Share of a stage's scale by which a later stage may miss it."""


@dataclass(frozen=True, slots=True)
class _Program:
    """Columns n (G * (C + 1)), unmet (E); stages' costs scaled to about 1, and their scale."""

    left: Any
    right: Floats
    equal: Any
    size: Floats
    upper: Floats
    costs: tuple[Floats, ...]
    scale: tuple[float, ...]


def configure(
    problem: ConfigurationProblem, *, exact: bool | None = None, time_limit_s: float = 60.0, relative_gap: float = 1e-6
) -> Configured:
    """The choice of configurations, first in the order of `STAGES`.

    Parameters
    ----------
    exact : True: mixed-integer programme; False: relaxed programme, rounded and improved one VM at a time; None: exact
        up to `MOST_EXACT_VMS` VMs
    time_limit_s : of each of the four stages when exact [s]; with status "stopped before a proof" where one ran out,
        be it with a plan of the solver or, where it had none, of the relaxed programme
    relative_gap : at which a stage counts as optimal [1]
    """
    groups = groups_of(problem)
    program = _program(problem, groups)
    if problem.row.size == 0:
        unmet = float(problem.demand_tokens_s.sum())
        return configured(problem, groups, np.zeros((0, 1), dtype=np.int64), (unmet, 0.0, 0.0, 0.0), OPTIMAL)
    reached = HEURISTIC
    if problem.row.size <= MOST_EXACT_VMS if exact is None else exact:
        counts, bounds, status = _exact(program, groups, time_limit_s, relative_gap)
        if counts is not None:
            return configured(problem, groups, counts, bounds, status)
        reached = UNPROVEN
    counts = _improve(problem, groups, _rounded(program, groups))
    plan = configured(problem, groups, counts, (0.0, 0.0, 0.0, 0.0), reached)
    return configured(problem, groups, counts, _bounds(program, plan.stages), reached)


def _program(problem: ConfigurationProblem, groups: Groups) -> _Program:
    from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron, vstack

    count, choices = groups.allowed.shape
    endpoints, each = problem.demand_tokens_s.size, np.arange(count)
    power, air = room(problem, groups)

    def lines(index: Ints, size: int, values: Floats, per: Floats) -> Any:
        member = coo_array((1.0 / per[index], (index, each)), shape=(size, count))
        return kron(member, csr_array(values[None, :]))

    demand = np.maximum(problem.demand_tokens_s, 1e-300)
    per_demand = np.where(problem.demand_tokens_s > 0, demand, 1.0)
    aisle = problem.aisle_of_row[groups.row]
    watts, cfm = np.maximum(power, 1.0), np.maximum(air, 1.0)
    served = lines(groups.endpoint, endpoints, groups.tokens_s, per_demand)
    none = [csr_array((size, endpoints)) for size in (power.size, air.size)]
    left = vstack([
        hstack([lines(groups.row, power.size, groups.power_w, watts), none[0]]),
        hstack([lines(aisle, air.size, groups.air_cfm, cfm), none[1]]),
        hstack([-served, -eye_array(endpoints)]),
    ], format="csr")  # fmt: skip
    right = np.r_[power / watts, air / cfm, -problem.demand_tokens_s / per_demand]
    equal = hstack([kron(eye_array(count), np.ones((1, choices))), csr_array((count, endpoints))], format="csr")
    upper = np.r_[np.where(groups.allowed, groups.size[:, None], 0).ravel().astype(np.float64), np.full(endpoints, 1.0)]
    # Unmet demand is counted by share of its endpoint in the columns, in tokens in the cost.
    unmet = np.r_[np.zeros(count * choices), per_demand * (problem.demand_tokens_s > 0)]
    rest = [
        np.r_[costs.ravel(), np.zeros(endpoints)]
        for costs in (groups.quality_loss, groups.performance_loss, np.broadcast_to(groups.power_w, (count, choices)))
    ]
    scale = [max(float(problem.demand_tokens_s.sum()), 1e-300), 1.0, 1.0, max(float(watts.sum()), 1.0)]
    costs = tuple(cost / unit for cost, unit in zip([unmet, *rest], scale, strict=True))
    return _Program(left, right, equal, groups.size.astype(np.float64), upper, costs, tuple(scale))


def _relaxed(program: _Program, limits: list[float], stage: int) -> Any:
    """The relaxed programme of one stage, the stages before it held to `limits` (scaled)."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    left, right = program.left, program.right
    if limits:
        left = vstack([left, csr_array(np.stack(program.costs[: len(limits)]))], format="csr")
        right = np.r_[right, np.array(limits) + ROUNDING]
    return linprog(
        program.costs[stage], A_ub=left, b_ub=right, A_eq=program.equal, b_eq=program.size,
        bounds=np.c_[np.zeros(program.upper.size), program.upper],
    )  # fmt: skip


def _bounds(program: _Program, reached: tuple[float, ...]) -> tuple[float, float, float, float]:
    """For each stage what no choice beats that is no worse in the stages before; 0 where HiGHS gave no answer."""
    scaled = [value / unit for value, unit in zip(reached, program.scale, strict=True)]
    found = []
    for stage in range(len(STAGES)):
        result = _relaxed(program, scaled[:stage], stage)
        lowest = max(float(result.fun), 0.0) * program.scale[stage] if result.x is not None else 0.0
        found.append(min(lowest, reached[stage]))
    return found[0], found[1], found[2], found[3]


def _exact(
    program: _Program, groups: Groups, time_s: float, gap: float
) -> tuple[Ints | None, tuple[float, float, float, float], str]:
    from scipy.optimize import Bounds, LinearConstraint, milp

    columns = groups.allowed.size
    integrality = np.r_[np.ones(columns), np.zeros(program.upper.size - columns)]
    rules = [
        LinearConstraint(program.left, -np.inf, program.right),
        LinearConstraint(program.equal, program.size, program.size),
    ]
    counts, bounds, proven = None, [0.0] * len(STAGES), True
    for stage, cost in enumerate(program.costs):
        result = milp(
            cost, constraints=rules, integrality=integrality, bounds=Bounds(0.0, program.upper),
            options={"time_limit": time_s, "mip_rel_gap": gap},
        )  # fmt: skip
        if result.x is None:
            proven = False
            break
        proven = proven and result.status == 0
        counts = np.rint(result.x[:columns]).astype(np.int64).reshape(groups.allowed.shape)
        bounds[stage] = max(0.0, float(result.mip_dual_bound)) * program.scale[stage]
        rules.append(LinearConstraint(cost[None, :], -np.inf, result.fun + ROUNDING))
    return counts, (bounds[0], bounds[1], bounds[2], bounds[3]), OPTIMAL if proven else UNPROVEN


def _rounded(program: _Program, groups: Groups) -> Ints:
    """Whole numbers below the relaxed solution; VMs that this leaves over are stopped."""
    limits: list[float] = []
    x = np.zeros(program.upper.size)
    for stage in range(len(STAGES)):
        result = _relaxed(program, limits, stage)
        if result.x is None:
            break
        x = result.x
        limits.append(float(result.fun))
    counts = np.floor(x[: groups.allowed.size] + 1e-6).astype(np.int64).reshape(groups.allowed.shape)
    counts[:, -1] += groups.size - counts.sum(axis=1)
    return counts


def _improve(problem: ConfigurationProblem, groups: Groups, counts: Ints) -> Ints:
    """Change one VM at a time, always the change that is first in the order of the stages, until none is left.

    Each change lowers the stages in that order, so it ends.
    """
    power, air = room(problem, groups)
    aisle = problem.aisle_of_row[groups.row]
    counts = counts.copy()
    tokens, watts, cfm = groups.tokens_s, groups.power_w, groups.air_cfm
    size = groups.allowed.shape[0]
    more_w, more_cfm, more_tokens = (np.subtract.outer(v, v).T for v in (watts, cfm, tokens))
    quality = groups.quality_loss[:, None, :] - groups.quality_loss[:, :, None]
    performance = groups.performance_loss[:, None, :] - groups.performance_loss[:, :, None]
    scale = max(float(problem.demand_tokens_s.sum()), 1e-300)
    for _ in range(20 * problem.row.size + 100):
        used_w = np.bincount(groups.row, weights=counts @ watts, minlength=power.size)
        used_cfm = np.bincount(aisle, weights=counts @ cfm, minlength=air.size)
        served = np.bincount(groups.endpoint, weights=counts @ tokens, minlength=problem.demand_tokens_s.size)
        short = (problem.demand_tokens_s - served)[groups.endpoint][:, None, None]
        unmet = (np.maximum(short - more_tokens, 0.0) - np.maximum(short, 0.0)) / scale
        ok = (counts[:, :, None] > 0) & groups.allowed[:, None, :]
        ok &= more_w <= np.maximum((power - used_w)[groups.row], 0.0)[:, None, None] + 1e-9
        ok &= more_cfm <= np.maximum((air - used_cfm)[aisle], 0.0)[:, None, None] + 1e-9
        best = ok
        for change, least in ((unmet, 1e-12), (quality, 1e-12), (performance, 1e-12), (more_w[None], 1e-9)):
            gains = np.where(best, np.broadcast_to(change, (size, *change.shape[1:])), np.inf)
            lowest = float(gains.min())
            if not np.isfinite(lowest) or lowest > least:
                return counts
            best = gains <= lowest + least
            if lowest < -least:
                break
        else:
            return counts
        # The rest of the order decides among equals; what is left over goes to the first.
        g, old, new = np.argwhere(_first(best, (quality, performance, np.broadcast_to(more_w, ok.shape))))[0]
        counts[g, old] -= 1
        counts[g, new] += 1
    return counts


def _first(best: Any, changes: tuple[Any, ...]) -> Any:
    for change in changes:
        gains = np.where(best, change, np.inf)
        best = gains <= gains.min() + 1e-12
    return best
