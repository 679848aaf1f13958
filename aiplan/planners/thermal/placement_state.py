"""A plan while it is being made: which row each VM is in, what rows and aisles draw, and whether a change fits.

Slots of a row are interchangeable for power and air, so only the row of a VM is kept; the slot follows at the end,
the hottest VM of a row in its coolest slot. Only VMs that are new move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from aiplan.planners.thermal.hall import NOWHERE, Bools, Floats, Ints
from aiplan.planners.thermal.placement_problem import TOLERANCE, PlacementProblem, loads_of

HALF = 1.0 + TOLERANCE / 2
"""Limits are kept to half of the tolerance, so that summing in another order cannot break them."""


class State:
    """Rows of VMs and the sums that follow. `nobody` is an index past the last VM: it draws nothing and has no heat.

    `pairs` counts the exchanges a search has weighed.
    """

    def __init__(self, problem: PlacementProblem) -> None:
        self.problem = problem
        self.nobody = problem.count
        self.pairs = 0
        self._heats_c = np.full(problem.rows, -np.inf)
        self._stale = set(range(problem.rows))
        hours = problem.power_w.shape[1]
        self.power_w = np.vstack([problem.power_w, np.zeros(hours)])
        self.air_cfm = np.vstack([problem.air_cfm, np.zeros(hours)])
        self.movable = problem.placed < 0
        self.row_of = np.where(self.movable, NOWHERE, problem.row[np.maximum(problem.placed, 0)])
        self.row_w, self.aisle_cfm = loads_of(problem, problem.placed)
        self.budget_w = problem.budget_w[:, None]
        self.limit_c = problem.limit_c * HALF
        taken = set(problem.placed[~self.movable].tolist())
        by_coolness = np.lexsort((np.arange(problem.row.size), problem.slot_c)).tolist()
        self.slots_of: list[list[int]] = [[] for _ in range(problem.rows)]
        for k in by_coolness:
            if k not in taken:
                self.slots_of[int(problem.row[k])].append(k)
        self.room = np.array([len(slots) for slots in self.slots_of], dtype=np.int64)
        # The next free slot's part of the temperature by VMs held; infinite once the row is full.
        self.cool_c = np.full((problem.rows, int(self.room.max(initial=0)) + 1), np.inf)
        for r, slots in enumerate(self.slots_of):
            self.cool_c[r, : len(slots)] = problem.slot_c[slots]
        self.held = np.zeros(problem.rows, dtype=np.int64)
        self.saas_most, self.opaque_most = problem.kind_limits
        standing = self.row_of[~self.movable]
        self.saas_held = np.bincount(standing[problem.saas[~self.movable]], minlength=problem.rows)
        self.opaque_held = np.bincount(standing[~problem.saas[~self.movable]], minlength=problem.rows)

    @property
    def used(self) -> Floats:
        """(R, H) share of each row's budget in use [1]."""
        return np.asarray(self.row_w / self.budget_w)

    def put(self, v: int, r: int) -> None:
        """Let VM v stand in row r."""
        self._count(v, r, 1)
        self.row_of[v] = r

    def take(self, v: int) -> None:
        """Take VM v out of its row."""
        self._count(v, int(self.row_of[v]), -1)
        self.row_of[v] = NOWHERE

    def _count(self, v: int, r: int, sign: int) -> None:
        self._stale.add(r)
        self.row_w[r] += sign * self.power_w[v]
        self.aisle_cfm[self.problem.aisle_of_row[r]] += sign * self.air_cfm[v]
        self.held[r] += sign
        kind = self.saas_held if self.problem.saas[v] else self.opaque_held
        kind[r] += sign

    def exchange(self, v: int, w: int, r: int) -> None:
        """VM v goes to row r, VM w of that row (or nobody) to where v was."""
        mine = int(self.row_of[v])
        self.take(v)
        if w != self.nobody:
            self.take(w)
            self.put(w, mine)
        self.put(v, r)

    def members(self, rows: int | Bools) -> Ints:
        """New VMs in one row, or in the rows a mask (R,) names."""
        if isinstance(rows, int):
            return np.flatnonzero((self.row_of == rows) & self.movable)
        return np.flatnonzero((self.row_of >= 0) & self.movable & rows[self.row_of])

    def heat_c(self, r: int, leaves: int, comes: int) -> float:
        """Lowest maximum temperature of row r's new VMs after one leaves and one comes (either may be nobody) [C]."""
        there = self.members(r)
        heat = self.problem.vm_c[there[there != leaves]]
        if comes != self.nobody:
            heat = np.append(heat, self.problem.vm_c[comes])
        if heat.size > self.room[r]:
            return np.inf
        return float((self.cool_c[r, : heat.size] + np.sort(heat)[::-1]).max(initial=-np.inf))

    def heats_c(self) -> Floats:
        """(R,) lowest maximum temperature of each row's new VMs, minus infinity for a row without any [C]."""
        for r in sorted(self._stale):
            self._heats_c[r] = self.heat_c(r, self.nobody, self.nobody)
        self._stale.clear()
        return self._heats_c.copy()

    def hottest_c(self) -> float:
        """The highest of `heats_c` [C]."""
        return float(self.heats_c().max(initial=-np.inf))

    @property
    def complete(self) -> bool:
        """Whether every VM has a row."""
        return bool((self.row_of >= 0).all())

    def kinds_allow(self, r: int, leaves: int, comes: int) -> bool:
        """Whether row r may take the kind of `comes` once `leaves` has left."""
        if comes == self.nobody:
            return True
        saas = self.problem.saas
        held, most = (self.saas_held, self.saas_most) if saas[comes] else (self.opaque_held, self.opaque_most)
        left = int(leaves != self.nobody and saas[leaves] == saas[comes])
        return bool(held[r] - left < most[r])

    def air_allows(self, changes: Iterable[tuple[int, int, int]]) -> bool:
        """Whether aisles have the air after changes (row, VM that leaves, VM that comes)."""
        more: dict[int, Floats] = {}
        for r, leaves, comes in changes:
            a = int(self.problem.aisle_of_row[r])
            more[a] = more.get(a, np.zeros(self.air_cfm.shape[1])) + self.air_cfm[comes] - self.air_cfm[leaves]
        return all(self._has_air(a, delta) for a, delta in more.items())

    def _has_air(self, a: int, delta: Floats) -> bool:
        # An aisle that is short already may take what leaves it no shorter at any hour.
        now = self.aisle_cfm[a]
        return bool((now + delta <= np.maximum(self.problem.supply_cfm[a] * HALF, now)).all())

    def air_exchange(self, r: int, rows: Ints, mine: Ints, theirs: Ints) -> Bools:
        """(N,) whether aisles have the air when VMs `mine` (N,) of row r change places with `theirs` of `rows`."""
        goes = self.air_cfm[mine] - self.air_cfm[theirs]
        aisles = self.problem.aisle_of_row[rows]
        supply = self.problem.supply_cfm[:, None] * HALF
        own, now = int(self.problem.aisle_of_row[r]), self.aisle_cfm
        here = (now[own] - goes <= np.maximum(supply[own], now[own])).all(axis=1)
        there = (now[aisles] + goes <= np.maximum(supply[aisles], now[aisles])).all(axis=1)
        return np.asarray((aisles == own) | (here & there))

    def fits(self, changes: Sequence[tuple[int, int, int]], limit_c: float) -> bool:
        """Whether kinds, air and temperature allow changes (row, VM that leaves, VM that comes); power is not asked."""
        return (
            all(self.kinds_allow(*change) for change in changes)
            and self.air_allows(changes)
            and all(self.heat_c(*change) <= limit_c for change in changes)
        )

    def slots(self) -> Ints:
        """(V,) the plan: in each row the hottest VM in the coolest slot, and so on; NOWHERE for those left out."""
        slots = self.problem.placed.copy()
        for r in range(self.problem.rows):
            there = self.members(r)
            hottest = there[np.lexsort((there, -self.problem.vm_c[there]))]
            slots[hottest] = self.slots_of[r][: there.size]
        return slots
