"""Greedy placement and the local search after it. Same problem, same plan: nothing is drawn, no clock is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from aiplan.planners.thermal.hall import Floats, Ints
from aiplan.planners.thermal.placement_problem import PlacementProblem, coolest_bound_c
from aiplan.planners.thermal.placement_state import HALF, State

WARM_WEIGHT_PER_K = 0.02
"""Share of a row's budget a slot one kelvin warmer counts as; assumed."""
LEAST_GAIN = 1e-6
"""Smallest fall of the fullest row's share, or of the hottest GPU's temperature in kelvin, worth a step."""
LOOSE = 0.05
"""Share by which the fullest row may pass its bound while the hottest GPU is cooled."""
ROWS_AT_ONCE = 8
"""Rows the search looks at first; each further look takes twice as many."""
TRIES = 48
"""Changes of one look that are tried against air, temperature and kinds, best first."""
MOST_PAIRS = 20_000_000
"""Exchanges a search may weigh before it stops; some seconds. Counted, not timed, so that results repeat."""
HEAT_SUSPECTS = 4
"""VMs of the hottest row that are offered to other rows."""


def fill(state: State, order: Ints, warm_weight_per_k: float = WARM_WEIGHT_PER_K, air_weight: float = 0.0) -> list[int]:
    """Place VMs in the given order, each where ``max_h(row + VM)/budget + weight * warmth of the slot`` is lowest.

    The slot is the row's coolest free one; a row is asked only if its budget, its aisle's air, the temperature there
    and the kinds allow. Returns the VMs that found no row. Ties go to the row with the lowest index.
    """
    everyone = np.arange(state.problem.rows)
    left = []
    for v in order.tolist():
        ok, share, slot_c = doors(state, v)
        open_rows = everyone[ok.all(axis=0)]
        if open_rows.size == 0:
            left.append(v)
            continue
        score = share[open_rows] + warm_weight_per_k * slot_c[open_rows]
        if air_weight:
            air = (state.aisle_cfm + state.air_cfm[v]).max(axis=1) / state.problem.supply_cfm
            score += air_weight * air[state.problem.aisle_of_row[open_rows]]
        state.put(v, int(open_rows[np.argmin(score)]))
    return left


LIMITS = ("slots", "power", "airflow", "temperature", "SaaS share")


def doors(state: State, v: int) -> tuple[np.ndarray, Floats, Floats]:
    """What VM v meets in each row: (5, R) whether each of `LIMITS` lets it in, the row's share after, the slot's C."""
    problem = state.problem
    share = ((state.row_w + state.power_w[v]) / state.budget_w).max(axis=1)
    air = ((state.aisle_cfm + state.air_cfm[v]) <= problem.supply_cfm[:, None] * HALF).all(axis=1)
    slot_c = state.cool_c[np.arange(problem.rows), state.held]
    saas = bool(problem.saas[v])
    kind = state.saas_held < state.saas_most if saas else state.opaque_held < state.opaque_most
    free = state.held < state.room
    # Of a full row neither temperature nor kind is the reason.
    kind = ~free | kind
    cool = ~free | (slot_c + problem.vm_c[v] <= state.limit_c)
    return np.stack([free, share <= HALF, air[problem.aisle_of_row], cool, kind]), share, slot_c


def reason(state: State, v: int) -> str:
    """Why VM v has no row: the limits either of which alone keeps it out, else all that do so together."""
    ok, _, _ = doors(state, v)
    alone = [name for i, name in enumerate(LIMITS) if np.delete(ok, i, axis=0).all(axis=0).any()]
    if alone:
        return " or ".join(alone)
    return " and ".join(name for i, name in enumerate(LIMITS) if not ok[i].all())


def relieve(state: State, target_share: float, *, heat_first: bool) -> None:
    """Local search: changes of place between the fullest, or hottest, row and others, until none of them helps.

    Every step lowers the fullest (hottest) row and lifts no other to where it was, so the search ends; it also ends
    after `MOST_PAIRS` exchanges weighed. `target_share` is a bound: at it the search for power stops.

    Heat first lets power pass its bound by `LOOSE` meanwhile and then keeps the temperature reached; power first
    keeps the share reached. The former mostly ends at less of both; where it gets stuck the latter may not.
    """
    full = state.limit_c
    if heat_first:
        _cool(state, max(float(state.used.max(initial=0.0)), target_share * (1.0 + LOOSE)))
        state.limit_c = min(full, state.hottest_c())
    _descend(state, lambda: _relieve_power(state, target_share))
    state.limit_c = full
    if not heat_first:
        _cool(state, float(state.used.max(initial=0.0)))


def _cool(state: State, ceiling: float) -> None:
    bound_c = coolest_bound_c(state.problem) if state.complete else -np.inf
    _descend(state, lambda: _relieve_heat(state, bound_c, min(ceiling, HALF)))


def _descend(state: State, step: Callable[[], bool]) -> None:
    before = state.pairs
    while state.pairs - before < MOST_PAIRS and step():
        pass


def _partners(state: State, r: int, by: Floats) -> Iterator[tuple[Ints, Ints]]:
    """VMs of other rows with their rows, some rows at a time, lowest `by` first; nobody stands for a free slot."""
    order = np.argsort(by, kind="stable")
    order = order[order != r]
    size, start = ROWS_AT_ONCE, 0
    while start < order.size:
        some = order[start : start + size]
        mask = np.zeros(by.size, dtype=bool)
        mask[some] = True
        there = state.members(mask)
        free = some[state.held[some] < state.room[some]]
        yield np.append(there, np.full(free.size, state.nobody)), np.append(state.row_of[there], free)
        start, size = start + size, 2 * size


def _shares_after(state: State, r: int, mine: Ints, theirs: Ints, rows: Ints) -> tuple[Floats, Floats]:
    """(M, N) share of row r, and of the other row, once VM m of `mine` has changed places with VM n of `theirs`."""
    state.pairs += mine.size * theirs.size
    goes = state.power_w[mine][:, None] - state.power_w[theirs][None]
    own = (state.row_w[r] - goes).max(axis=2) / state.problem.budget_w[r]
    other = (state.row_w[rows] + goes).max(axis=2) / state.problem.budget_w[rows]
    return own, other


def _relieve_power(state: State, target_share: float) -> bool:
    used = state.used
    peaks = used.max(axis=1)
    r = int(np.argmax(peaks))
    mine = state.members(r)
    if peaks[r] <= target_share + LEAST_GAIN or mine.size == 0:
        return False
    for theirs, rows in _partners(state, r, used[:, np.argmax(used[r])]):
        own, other = _shares_after(state, r, mine, theirs, rows)
        worst = np.maximum(own, other)
        better = np.argwhere((worst < peaks[r] - LEAST_GAIN) & (other <= HALF))
        if _first_fitting(state, r, mine, theirs, rows, better, worst, state.limit_c):
            return True
    return False


def _first_fitting(
    state: State, r: int, mine: Ints, theirs: Ints, rows: Ints, pairs: Ints, rank: Floats, limit_c: float
) -> bool:
    """Make the first exchange of `pairs` (N, 2), lowest `rank` first, that air, kinds and temperature allow."""
    if not pairs.size:
        return False
    i, j = pairs.T
    airy = np.flatnonzero(state.air_exchange(r, rows[j], mine[i], theirs[j]))
    for n in airy[np.argsort(rank[i[airy], j[airy]], kind="stable")][:TRIES].tolist():
        v, w, there = int(mine[i[n]]), int(theirs[j[n]]), int(rows[j[n]])
        if state.fits([(r, v, w), (there, w, v)], limit_c):
            state.exchange(v, w, there)
            return True
    return False


def _relieve_heat(state: State, bound_c: float, ceiling: float) -> bool:
    problem = state.problem
    heats = state.heats_c()
    r = int(np.argmax(heats))
    there = state.members(r)
    if there.size == 0 or heats[r] <= bound_c + LEAST_GAIN:
        return False
    # Only a VM at or before the hottest pair, in the order of heat, can lower it by leaving; one cooler must come.
    ranked = there[np.lexsort((there, -problem.vm_c[there]))]
    worst = int(np.argmax(state.cool_c[r, : ranked.size] + problem.vm_c[ranked]))
    suspects = ranked[: worst + 1][::-1][:HEAT_SUSPECTS]
    for theirs, rows in _partners(state, r, heats):
        cooler = np.append(problem.vm_c, -np.inf)[theirs] < problem.vm_c[ranked[worst]]
        theirs, rows = theirs[cooler], rows[cooler]
        own, other = _shares_after(state, r, suspects, theirs, rows)
        pairs = np.argwhere((own <= ceiling) & (other <= ceiling))
        if _first_fitting(state, r, suspects, theirs, rows, pairs, np.zeros(own.shape), float(heats[r] - LEAST_GAIN)):
            return True
    return False


def insert(state: State, left: list[int]) -> list[int]:
    """Try again for VMs left out, smallest first: with the row's slots dealt anew, in exchange for one VM that finds
    room elsewhere, or after two others have changed places. Returns those that still have no row.
    """
    still: list[int] = []
    before = state.pairs
    for v in sorted(left, key=lambda v: (float(state.power_w[v].max()), v)):
        # What asks for no less than one that failed is not tried again.
        hopeless = any(
            (state.power_w[v] >= state.power_w[u]).all()
            and (state.air_cfm[v] >= state.air_cfm[u]).all()
            and state.problem.vm_c[v] >= state.problem.vm_c[u]
            and state.problem.saas[v] == state.problem.saas[u]
            for u in still
        )
        tired = state.pairs - before > MOST_PAIRS
        if hopeless or not (_squeeze(state, v) or _eject(state, v) or (not tired and _make_room(state, v))):
            still.append(v)
    return sorted(still)


def _squeeze(state: State, v: int) -> bool:
    ok, share, _ = doors(state, v)
    rows = np.flatnonzero(ok[0] & ok[1] & ok[2] & ok[4])
    for r in rows[np.argsort(share[rows], kind="stable")].tolist():
        if state.fits([(r, state.nobody, v)], state.limit_c):
            state.put(v, r)
            return True
    return False


def _eject(state: State, v: int) -> bool:
    """VM v takes the place of a VM that goes to a row with a free slot and room for it."""
    there = np.flatnonzero((state.row_of >= 0) & state.movable)
    rows = state.row_of[there]
    after = (state.row_w[rows] - state.power_w[there] + state.power_w[v]).max(axis=1) / state.problem.budget_w[rows]
    there = there[after <= HALF]
    for f in np.flatnonzero(state.held < state.room).tolist():
        room_w = state.problem.budget_w[f] * HALF - state.row_w[f]
        fits = there[(state.power_w[there] <= room_w).all(axis=1) & (state.row_of[there] != f)]
        for w in fits[np.argsort(-state.power_w[fits].max(axis=1), kind="stable")][:TRIES].tolist():
            r = int(state.row_of[w])
            if state.fits([(r, w, v), (f, state.nobody, w)], state.limit_c):
                state.take(w)
                state.put(w, f)
                state.put(v, r)
                return True
    return False


def _make_room(state: State, v: int) -> bool:
    """VM v goes to a row whose aisle has air for it, two others changing places so that its budget has room too."""
    budget_w = state.problem.budget_w
    ok, _, _ = doors(state, v)
    for f in np.flatnonzero(ok[0] & ok[2] & ok[4]).tolist():
        mine = state.members(f)
        for theirs, rows in _partners(state, f, state.used.max(axis=1)):
            state.pairs += mine.size * theirs.size
            goes = state.power_w[mine][:, None] - state.power_w[theirs][None]
            own = (state.row_w[f] + state.power_w[v] - goes).max(axis=2) <= budget_w[f] * HALF
            other = (state.row_w[rows] + goes).max(axis=2) <= budget_w[rows] * HALF
            for i, j in np.argwhere(own & other)[:TRIES].tolist():
                x, y, r = int(mine[i]), int(theirs[j]), int(rows[j])
                if state.fits([(f, x, y), (r, y, x)], state.limit_c):
                    state.exchange(x, y, r)
                    if state.fits([(f, state.nobody, v)], state.limit_c):
                        state.put(v, f)
                        return True
                    if y == state.nobody:
                        state.take(x)
                        state.put(x, f)
                    else:
                        state.exchange(y, x, r)
    return False


def by_load(problem: PlacementProblem) -> Ints:
    """New VMs by their peak power, highest first; equal ones in their order."""
    new = np.flatnonzero(problem.placed < 0)
    return new[np.argsort(-problem.power_w[new].max(axis=1), kind="stable")]
