"""The best placement of a small hall, by mixed-integer programming (HiGHS), with a proof or an honest gap.

Slots of a row are interchangeable for power and air, so the programme only decides rows, ``x[v,r]`` binary. Heat
enters through a level tau, picked among candidates by binaries d: a row takes VMs within tau exactly if, for every
heat theta, it holds no more VMs of theta or hotter than it has slots with ``slot_c + theta <= tau`` (put the hottest
into the coolest slot, and so on down; if one pair were too hot, the VMs before it would outnumber those slots).

VMs left out cost more than any objective of a plan can be, so as many are placed as possible. HiGHS takes no start
through scipy; the greedy plan enters as a cutoff, and is returned where nothing better is found in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.thermal.hall import Bools, Floats, Ints
from aiplan.planners.thermal.placement import EXACT, Placement, Unplaced, finish, place_batch
from aiplan.planners.thermal.placement_lp import PlacementBound, balance_share, placement_bound
from aiplan.planners.thermal.placement_problem import TOLERANCE, PlacementProblem, coolest_bound_c, loads_of
from aiplan.planners.thermal.placement_search import reason
from aiplan.planners.thermal.placement_state import State

MOST_VMS = 200
"""VMs up to which `place_exact` may be asked."""
MOST_LEVELS = 200
OPTIMAL, STOPPED = "optimal", "stopped before a proof"


@dataclass(frozen=True, slots=True)
class _Model:
    new: Ints  # (N,) VMs to place
    levels_c: Floats  # (D,) candidate temperatures, ascending
    step_c: float  # how much warmer than needed a level may be
    worst: float  # no plan's objective is higher
    missing: float  # cost of a VM left out, more than that


def place_exact(
    problem: PlacementProblem, *, time_limit_s: float = 60.0, node_limit: int | None = None, relative_gap: float = 1e-4
) -> Placement:
    """Place new VMs so that fewest are left out and then w1 z_power + w2 z_temperature is lowest.

    Parameters
    ----------
    time_limit_s : of the solver [s]; where it ends the search, the plan may differ from run to run
    node_limit : nodes after which the solver stops, a limit that repeats; None: no such limit
    relative_gap : gap at which a plan counts as optimal [1]

    Returns
    -------
    A plan in mode "exact" with status "optimal", or "stopped before a proof": then `bound` is what was proven, for
    plans that leave out as few VMs. In both cases the plan keeps to every limit.

    A plan whose gap to the relaxed programme is within `relative_gap` is optimal without a search.

    Raises ValueError for more than `MOST_VMS` new VMs.
    """
    new = np.flatnonzero(problem.placed < 0)
    require(new.size <= MOST_VMS, f"more than {MOST_VMS} VMs: use the greedy placement, which comes with a bound")
    start = replace(place_batch(problem), mode=EXACT, status=OPTIMAL)
    if new.size == 0 or (not start.unplaced and start.gap is not None and start.gap <= relative_gap):
        return start
    model = _model(problem, new, start)
    rows, lowest, proven = _solve(problem, model, start, time_limit_s, node_limit, relative_gap)
    best = start
    if rows is not None:
        found = _plan(problem, new, rows)
        if (len(found.unplaced), found.objective) < (len(best.unplaced), best.objective):
            best = found
    # The levels are as coarse as `step_c`: a plan may be cooler than the level it was given.
    lowest -= problem.weights[1] * model.step_c / problem.limit_c
    out = len(best.unplaced)
    surely_out = max(0, int(np.ceil((lowest - model.worst - TOLERANCE) / model.missing)))
    bound = _bound(problem, lowest - out * model.missing if surely_out == out else 0.0, best)
    gap = best.objective - bound.objective
    closed = proven or (surely_out == out and gap <= relative_gap * best.objective)
    return replace(best, bound=bound, status=OPTIMAL if closed else STOPPED)


def _bound(problem: PlacementProblem, lowest: float, plan: Placement) -> PlacementBound:
    """What was proven of plans that leave out as few VMs; the programme relaxed knows only of those that leave none."""
    relaxed = placement_bound(problem) if not plan.unplaced else PlacementBound(0.0, 0.0, 0.0, 0.0, "none", False)
    if lowest <= relaxed.objective:
        return relaxed
    return replace(relaxed, objective=min(lowest, plan.objective), method="mixed-integer programme")


def _plan(problem: PlacementProblem, new: Ints, rows: Ints) -> Placement:
    state = State(problem)
    for v, r in zip(new.tolist(), rows.tolist(), strict=True):
        if r >= 0:
            state.put(v, r)
    left = new[rows < 0].tolist()
    unplaced = tuple(Unplaced(v, problem.id[v], reason(state, v)) for v in left)
    return finish(problem, state.slots(), EXACT, unplaced, OPTIMAL)


def _model(problem: PlacementProblem, new: Ints, start: Placement) -> _Model:
    standing = problem.placed >= 0
    standing_c = float((problem.slot_c[problem.placed[standing]] + problem.vm_c[standing]).max(initial=0.0))
    free = np.setdiff1d(np.arange(problem.row.size), problem.placed[standing])
    sums = np.unique(problem.slot_c[free][:, None] + problem.vm_c[new])
    sums = sums[sums <= problem.limit_c * (1 + TOLERANCE / 2)]
    step_c = 0.0
    if not start.unplaced:
        # Above this the plan at hand wins, even if the best for power were free.
        balance = balance_share(problem, np.ones(problem.count, dtype=np.bool_))
        spare = start.objective - problem.weights[0] * balance
        ceiling = problem.limit_c * min(1.0, spare / problem.weights[1] if problem.weights[1] else 1.0)
        low = max(coolest_bound_c(problem), standing_c)
        sums = sums[(sums >= low * (1 - TOLERANCE)) & (sums <= ceiling * (1 + 1e-7))]
    if sums.size == 0:
        # Nothing fits at all, or rounding left out the level of the plan at hand.
        sums = np.array([problem.limit_c if start.unplaced else start.z_temperature * problem.limit_c])
    if sums.size > MOST_LEVELS:
        levels = np.linspace(sums[0], sums[-1], MOST_LEVELS)
        step_c, sums = float(levels[1] - levels[0]), levels
    # What stands may be over its limits; all else is within.
    worst = problem.weights[0] * max(1.0, _standing_share(problem)) + problem.weights[1] * max(
        1.0, standing_c / problem.limit_c
    )
    return _Model(new, np.maximum(sums, standing_c), step_c, worst, 2.0 * worst + 1.0)


def _solve(
    problem: PlacementProblem, model: _Model, start: Placement, time_s: float, nodes: int | None, gap: float
) -> tuple[Ints | None, float, bool]:
    """Rows of the new VMs (N,) or None, the proven lower bound of the cost, and whether the proof is complete."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, lower, upper = _constraints(problem, model)
    count, rows, levels = model.new.size, problem.rows, model.levels_c.size
    w_power, w_heat = problem.weights
    heat = w_heat * model.levels_c / problem.limit_c
    cost = np.r_[np.zeros(count * rows), np.full(count, model.missing), heat, w_power]
    at_most = start.objective + model.missing * len(start.unplaced)
    # The start is held to its own level, which the grid may have rounded up.
    at_most += w_heat * model.step_c / problem.limit_c + 1e-7
    options = {"time_limit": time_s, "mip_rel_gap": gap} | ({} if nodes is None else {"node_limit": nodes})
    top = max(1.0 + TOLERANCE / 2, _standing_share(problem))
    result = milp(
        cost,
        constraints=[LinearConstraint(matrix, lower, upper), LinearConstraint(cost[None, :], -np.inf, at_most)],
        integrality=np.r_[np.ones(count * rows), np.zeros(count), np.ones(levels), 0],
        bounds=Bounds(0.0, np.r_[np.ones(count * rows + count + levels), top]),
        options=options,
    )
    proven = result.mip_dual_bound if result.mip_dual_bound is not None else 0.0
    if result.x is None:
        # Cut off everywhere: the plan at hand is the best; else nothing is known.
        return None, (at_most if result.status == 2 else float(proven)), result.status == 2
    x = result.x[: count * rows].reshape(count, rows) > 0.5
    where = np.where(x.any(axis=1), x.argmax(axis=1), -1)
    return where, float(proven), result.status == 0


def _standing_share(problem: PlacementProblem) -> float:
    power, _ = loads_of(problem, problem.placed)
    return float((power / problem.budget_w[:, None]).max(initial=0.0))


def _constraints(problem: PlacementProblem, model: _Model) -> tuple[object, Floats, Floats]:
    """Columns: x (N, R), left out (N,), levels (D,), z. Every line is ``lower <= a x <= upper``."""
    from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

    new, count, rows, depth = model.new, model.new.size, problem.rows, model.levels_c.size
    power, air = loads_of(problem, problem.placed)
    standing = problem.placed >= 0
    none = csr_array((count, depth + 1))
    once = hstack([kron(eye_array(count), np.ones((1, rows))), eye_array(count), none])
    blocks, lows, highs = [once], [np.ones(count)], [np.ones(count)]

    def add(left: object, levels: Floats, z: Floats, high: Floats) -> None:
        lines = high.size
        blocks.append(hstack([left, csr_array((lines, count)), csr_array(levels), csr_array(z[:, None])]))
        lows.append(np.full(lines, -np.inf))
        highs.append(high)

    hours = power.shape[1]
    of_row = [_by_row(problem.power_w[new] / problem.budget_w[r], r, rows) for r in range(rows)]
    add(vstack(of_row), np.zeros((rows * hours, depth)), -np.ones(rows * hours),
        -(power / problem.budget_w[:, None]).ravel())  # fmt: skip
    # Rows whose standing VMs are over budget already raise z; the others keep to 1.
    room = np.maximum(1.0 + TOLERANCE / 2 - power / problem.budget_w[:, None], 0.0)
    add(vstack(of_row), np.zeros((rows * hours, depth)), np.zeros(rows * hours), room.ravel())
    for a in range(problem.supply_cfm.size):
        inside = (problem.aisle_of_row == a).astype(np.float64)
        left = kron(csr_array((problem.air_cfm[new] / problem.supply_cfm[a]).T), inside[None, :])
        spare = np.maximum(1.0 + TOLERANCE / 2 - air[a] / problem.supply_cfm[a], 0.0)
        add(left, np.zeros((hours, depth)), np.zeros(hours), spare)
    for kind, most in zip((problem.saas, ~problem.saas), problem.kind_limits, strict=True):
        held = np.bincount(problem.row[problem.placed[standing & kind]], minlength=rows)
        left = kron(csr_array(kind[new][None, :].astype(np.float64)), eye_array(rows))
        add(left, np.zeros((rows, depth)), np.zeros(rows), np.maximum(most - held, 0).astype(np.float64))
    _add_heat(problem, model, add)
    one = hstack([csr_array((1, count * rows + count)), np.ones((1, depth)), csr_array((1, 1))])
    return vstack([*blocks, one], format="csr"), np.concatenate([*lows, [1.0]]), np.concatenate([*highs, [1.0]])


def _by_row(values: Floats, r: int, rows: int) -> object:
    """Lines (H,) over the columns x of row r, for values (N, H)."""
    from scipy.sparse import csr_array, kron

    column = np.zeros((1, rows))
    column[0, r] = 1.0
    return kron(csr_array(values.T), column)


def _add_heat(problem: PlacementProblem, model: _Model, add: Callable[[object, Floats, Floats, Floats], None]) -> None:
    from scipy.sparse import csr_array, eye_array, kron

    rows, heat = problem.rows, problem.vm_c[model.new]
    taken: Bools = np.zeros(problem.row.size, dtype=np.bool_)
    taken[problem.placed[problem.placed >= 0]] = True
    for theta in np.unique(heat):
        left = kron(csr_array((heat >= theta)[None, :].astype(np.float64)), eye_array(rows))
        # What stands may be over the limit and set the level; new VMs keep to the limit all the same.
        within_c = np.minimum(model.levels_c, problem.limit_c)
        fits = problem.slot_c[:, None] + theta <= within_c * (1 + TOLERANCE / 4)
        counts = np.zeros((rows, model.levels_c.size))
        np.add.at(counts, problem.row[~taken], fits[~taken].astype(np.float64))
        add(left, -counts, np.zeros(rows), np.zeros(rows))
