"""Lower bounds of a placement: what no plan can beat, however long one searches.

The relaxed problem lets a VM stand in parts, in parts of several rows. Written for VM v and class c of rows:

    min z  s.t.  sum_c x[v,c] = 1,  x >= 0
                 fixed[c,h] + sum_v x[v,c] P_v(h)  <= z B[c]                 power, each class and hour
                 fixed[t,h] + sum_{c in t, v} x[v,c] F_v(h) <= A[t]          air, each type of aisle and hour
                 sum_v x[v,c] <= n[c]                                        slots
                 sum_{v at least as hot as theta_j} x[v,c] <= n_j[c]         slots cool enough for such VMs
                 SaaS and opaque VMs of a class within their limits

Why it is a bound. Take any plan y that keeps to all limits and add up its constraints over the rows of a class (over
the aisles of a type): ``x[v,c] = sum over slots k in c of y[v,k]`` satisfies every line above with z = z_pow of the
plan. So the minimum is at most z_pow, whichever rows are put into one class. Where the rows of a class are alike
nothing is lost by it: the mean over all exchanges of alike rows is feasible too and has the same z.

The multipliers of that programme are then put into its Lagrangian dual with every VM on its own. For any multipliers
of 0 or more with ``sum lambda B <= 1``,

    z >= sum lambda fixed - sum m rhs + sum_v min_c (lambda_c P_v + nu_t(c) F_v + mu_c + ...)

because at a feasible x each weighted violation is at most 0, and the least over x >= 0 with sum_c x[v,c] = 1 puts a
VM where it is cheapest. That holds whatever programme the multipliers come from. So profiles may be gathered into
clusters to solve it, the solver may round, and the bound stays one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.thermal.hall import NOWHERE, Bools, Floats, Ints
from aiplan.planners.thermal.placement_problem import (
    TOLERANCE,
    PlacementProblem,
    coolest_bound_c,
    loads_of,
    objective,
)

MOST_VARIABLES = 5_000
"""Variables of the programme from which rows and profiles are gathered into fewer."""
FEW_ROWS, FEW_AISLES, FEW_PROFILES = 24, 6, 64
HEAT_LEVELS = 6


@dataclass(frozen=True, slots=True)
class PlacementBound:
    """What no plan that places all VMs can beat.

    Attributes
    ----------
    objective : of w1 z_pow + w2 z_temp: the two bounds below, weighted [1]
    z_power : of the fullest row's share [1]
    z_temperature : of the hottest GPU's share, by the order of heat alone [1]
    balance : of the fullest row by balance alone, hall peak over the sum of budgets [1]
    method : "linear programme", or "balance" where that failed or gave less
    gathered : whether rows or profiles were gathered into fewer, which can only lower the bound
    """

    objective: float
    z_power: float
    z_temperature: float
    balance: float
    method: str
    gathered: bool


@dataclass(frozen=True, slots=True)
class _Relaxed:
    """VMs' signatures and classes' right-hand sides; a signature is power (H), slots, heat levels, kinds."""

    signature: Floats  # (V, I)
    air: Floats  # (V, H)
    limit: Floats  # (C, I), power rows hold minus what is fixed
    budget: Floats  # (C,)
    supply: Floats  # (T, H) left for VMs
    type_of: Ints  # (C,)
    group: Ints  # (V,)
    gathered: bool
    hours: int


def placement_bound(problem: PlacementProblem) -> PlacementBound:
    """Bounds for plans that place every VM of the problem; VMs that stand already stay.

    Power and temperature are bounded apart and added with their weights: a plan beats neither. The programme knows
    of heat only that slots must be cool enough for the limit.
    """
    everyone = np.ones(problem.count, dtype=np.bool_)
    balance = balance_share(problem, everyone)
    warm = coolest_bound_c(problem) / problem.limit_c
    relaxed = _relaxed(problem)
    found = _least_share(relaxed) if relaxed.signature.size else balance
    share = max(balance, found)
    method = "linear programme" if found >= balance * (1.0 - TOLERANCE) else "balance"
    return PlacementBound(objective(problem, share, warm), share, warm, balance, method, relaxed.gathered)


def balance_share(problem: PlacementProblem, counted: Bools) -> float:
    """Bound by balance alone: ``max_h(hall power) / sum of budgets``; for equal rows the hall's peak over rows [1].

    The fullest row is at least as full as the hall on the whole, and as what already stands in any row.

    Parameters
    ----------
    counted : (V,) VMs that a plan places
    """
    total = problem.other_w.sum(axis=0) + problem.power_w[counted].sum(axis=0)
    standing, _ = loads_of(problem, problem.placed)
    alone = float((standing / problem.budget_w[:, None]).max(initial=0.0))
    return max(alone, float(total.max(initial=0.0)) / float(problem.budget_w.sum()))


def most_placeable(problem: PlacementProblem) -> int:
    """No plan places more of the new VMs than this: the relaxed problem with z = 1, counting VMs instead of z."""
    relaxed = _relaxed(problem)
    new = relaxed.group.size
    if new == 0:
        return 0
    weights = _solve(relaxed, count=True)
    slots = int(relaxed.limit[:, relaxed.hours].sum())
    if weights is None:
        return min(new, slots)
    by_class, by_type = weights
    limit = relaxed.limit.copy()
    limit[:, : relaxed.hours] += relaxed.budget[:, None]
    price = (relaxed.signature @ by_class.T + relaxed.air @ by_type.T[:, relaxed.type_of]).min(axis=1)
    most = float((by_class * limit).sum() + (by_type * relaxed.supply).sum() + np.maximum(0.0, 1.0 - price).sum())
    return min(new, slots, max(0, int(np.floor(most + 1e-6))))


def _least_share(relaxed: _Relaxed) -> float:
    weights = _solve(relaxed, count=False)
    if weights is None:
        return 0.0
    by_class, by_type = weights
    total = float((by_class[:, : relaxed.hours].sum(axis=1) * relaxed.budget).sum())
    if total <= 0.0:
        return 0.0
    by_class[:, : relaxed.hours] /= max(total, 1.0)
    price = (relaxed.signature @ by_class.T + relaxed.air @ by_type.T[:, relaxed.type_of]).min(axis=1)
    return float(price.sum() - (by_class * relaxed.limit).sum() - (by_type * relaxed.supply).sum())


def _solve(relaxed: _Relaxed, *, count: bool) -> tuple[Floats, Floats] | None:
    """Multipliers, 0 or more, of classes (C, I) and types (T, H); None where HiGHS gave none."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron, vstack

    members = np.bincount(relaxed.group).astype(np.float64)
    groups, classes, types = members.size, relaxed.budget.size, relaxed.supply.shape[0]
    mean = [_mean_by(relaxed.group, part, members) for part in (relaxed.signature, relaxed.air)]
    # Watts and CFM as shares of a class's budget and a type's supply: numbers near 1 for the solver.
    power_unit, air_unit = float(relaxed.budget.mean()), max(float(np.abs(relaxed.supply).mean()), 1.0)
    width = relaxed.signature.shape[1]
    unit = np.r_[np.full(relaxed.hours, power_unit), np.ones(width - relaxed.hours)]
    of_class = kron(eye_array(classes), csr_array((mean[0] / unit).T))
    member = coo_array((np.ones(classes), (relaxed.type_of, np.arange(classes))), shape=(types, classes))
    of_type = kron(member, csr_array(mean[1].T / air_unit))
    budget = np.zeros((classes, width))
    budget[:, : relaxed.hours] = relaxed.budget[:, None] / power_unit
    column = np.r_[-budget.ravel(), np.zeros(types * relaxed.hours)][:, None]
    left = hstack([vstack([of_class, of_type]), csr_array(column)], format="csr")
    right = np.r_[(relaxed.limit / unit).ravel(), (relaxed.supply / air_unit).ravel()]
    once = hstack([kron(np.ones((1, classes)), eye_array(groups)), csr_array((groups, 1))], format="csr")
    bounds: list[tuple[float, float | None]] = [(0.0, None)] * (groups * classes)
    if count:
        cost = np.r_[np.full(groups * classes, -1.0), 0.0]
        result = linprog(cost, A_ub=vstack([left, once]), b_ub=np.r_[right, members], bounds=[*bounds, (1.0, 1.0)])
    else:
        cost = np.r_[np.zeros(groups * classes), 1.0]
        result = linprog(cost, A_ub=left, b_ub=right, A_eq=once, b_eq=members, bounds=[*bounds, (0.0, None)])
    if result.status != 0:
        return None
    multipliers = np.maximum(0.0, -result.ineqlin.marginals[: right.size])
    split = classes * width
    return multipliers[:split].reshape(classes, width) / unit, multipliers[split:].reshape(types, -1) / air_unit


def _mean_by(group: Ints, values: Floats, members: Floats) -> Floats:
    sums = np.zeros((members.size, values.shape[1]))
    np.add.at(sums, group, values)
    return sums / members[:, None]


def _relaxed(problem: PlacementProblem) -> _Relaxed:
    new = problem.placed < 0
    free = np.setdiff1d(np.arange(problem.row.size), problem.placed[~new])
    room = np.bincount(problem.row[free], minlength=problem.rows).astype(np.float64)
    row_w, aisle_cfm = loads_of(problem, problem.placed)
    kinds = _kind_room(problem)
    heat, saas = problem.vm_c[new], problem.saas[new]
    levels = np.unique(np.quantile(heat, np.linspace(0.0, 1.0, HEAT_LEVELS), method="lower")) if heat.size else heat
    hot = heat[:, None] >= levels
    # (R, J) free slots of a row cool enough for a VM of each level or hotter.
    cool = problem.slot_c[free][:, None] + levels <= problem.limit_c * (1 + TOLERANCE)
    enough = np.stack([np.bincount(problem.row[free], weights=ok, minlength=problem.rows) for ok in cool.T], axis=-1) \
        if levels.size else np.zeros((problem.rows, 0))  # fmt: skip
    signature = np.hstack([problem.power_w[new], np.ones((heat.size, 1)), hot, saas[:, None], ~saas[:, None]])
    limit = np.hstack([-row_w, room[:, None], enough, kinds])
    supply = problem.supply_cfm[:, None] - aisle_cfm
    profile = np.hstack([signature, problem.air_cfm[new]])
    group, rows, aisles = _alike(profile), _alike(np.c_[problem.budget_w, limit]), _alike(supply)
    type_of_row = aisles[problem.aisle_of_row]
    gathered = _variables(group, rows, type_of_row) > MOST_VARIABLES
    if gathered:
        # First the rows, by room for power per slot; then the profiles.
        rows = _few((problem.budget_w - row_w.max(axis=1)) / np.maximum(room, 1.0), FEW_ROWS)
        aisles = _few(supply.min(axis=1), FEW_AISLES)
        type_of_row = aisles[problem.aisle_of_row]
        if _variables(group, rows, type_of_row) > MOST_VARIABLES:
            group = _clusters(profile, FEW_PROFILES)
    both = rows * (int(type_of_row.max()) + 1) + type_of_row
    _, first, class_of_row = np.unique(both, return_index=True, return_inverse=True)
    classes, types = first.size, int(aisles.max()) + 1
    return _Relaxed(
        signature, problem.air_cfm[new], _sum_rows(class_of_row, limit, classes),
        np.bincount(class_of_row, weights=problem.budget_w, minlength=classes).astype(np.float64),
        _sum_rows(aisles, supply, types), type_of_row[first], group, gathered, problem.power_w.shape[1],
    )  # fmt: skip


def _variables(group: Ints, rows: Ints, type_of_row: Ints) -> int:
    classes = np.unique(np.c_[rows, type_of_row], axis=0).shape[0]
    return (int(group.max(initial=-1)) + 1) * int(classes)


def _kind_room(problem: PlacementProblem) -> Floats:
    """(R, 2) SaaS and opaque VMs a row may still take."""
    standing = problem.placed != NOWHERE
    rows = problem.row[problem.placed[standing]]
    kinds = problem.saas[standing]
    held = [np.bincount(rows[kind], minlength=problem.rows) for kind in (kinds, ~kinds)]
    return np.stack([np.maximum(most - has, 0) for most, has in zip(problem.kind_limits, held, strict=True)], axis=-1)


def _sum_rows(index: Ints, values: npt.NDArray[Any], count: int) -> Floats:
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, index, values)
    return sums


def _alike(values: Floats) -> Ints:
    """(N,) number of the group of equal rows of `values` (N, I)."""
    if not values.size:
        return np.zeros(values.shape[0], dtype=np.int64)
    return np.asarray(np.unique(values, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()


def _few(values: Floats, count: int) -> Ints:
    """(N,) group of each value, `count` groups of equal size at most, in the order of the values."""
    edges = np.unique(np.quantile(values, np.arange(1, count) / count, method="higher"))
    return _alike(np.searchsorted(edges, values, side="right")[:, None].astype(np.float64))


def _clusters(profile: npt.NDArray[np.float64], count: int) -> Ints:
    """(N,) cluster of each profile: the widest is cut in two at the median of its widest column until there are enough.

    Columns are taken by their share of the column's spread, so that watts do not outweigh kinds and heat.
    """
    spread = np.ptp(profile, axis=0)
    scaled = profile / np.where(spread > 0, spread, 1.0)
    parts = [np.arange(profile.shape[0])]
    widths = [np.ptp(scaled, axis=0)]
    while len(parts) < count:
        widest = int(np.argmax([width.max() * part.size for width, part in zip(widths, parts, strict=True)]))
        part, column = parts[widest], int(np.argmax(widths[widest]))
        if widths[widest][column] <= 0.0:
            break
        low = scaled[part, column] < (np.median(scaled[part, column]) or 0.0)
        if not low.any():
            low = scaled[part, column] <= scaled[part, column].min()
        parts[widest], widths[widest] = part[low], np.ptp(scaled[part[low]], axis=0)
        parts.append(part[~low])
        widths.append(np.ptp(scaled[part[~low]], axis=0))
    group = np.empty(profile.shape[0], dtype=np.int64)
    for number, part in enumerate(parts):
        group[part] = number
    return group
