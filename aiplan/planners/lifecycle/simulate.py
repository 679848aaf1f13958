"""A policy forward in time: what it buys, keeps, rents and cannot serve, for many draws or designs at once.

The simulator knows in each period only that period: it keeps what the policy keeps, buys the policy's generation for
what is missing, opens halls for what stands, rents what the site, the racks or the budget do not allow, and reports
what is left as not served. Servers are continuous numbers. Python loops over periods alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.ledger import Ledger, Plan, ledger
from aiplan.planners.lifecycle.objective import spending
from aiplan.planners.lifecycle.placement import Placement, at_start, fit, place
from aiplan.planners.lifecycle.policies import Policy, Schedule, rate_per_s, schedule
from aiplan.planners.lifecycle.problem import Problem, Vintages, problem
from aiplan.planners.lifecycle.world import Bools, Ints, World

TOLERANCE = 1e-9
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What a policy does not serve.

    Attributes
    ----------
    per_s : requests/s missing in each period, shape (..., T, W) [1/s]
    feasible : whether all demand is served, shape (...)
    """

    per_s: Array
    feasible: Bools


@dataclass(frozen=True, slots=True)
class Outcome:
    """A policy's plan with its money."""

    problem: Problem
    plan: Plan
    shortfall: Shortfall
    money: Ledger


def simulate(
    world: World, policy: Policy, owned: Vintages | None = None, placement: Placement = "aware"
) -> tuple[Problem, Plan, Shortfall]:
    """What a policy does in a world.

    Parameters
    ----------
    owned : servers at the start, with their ages; none where absent
    placement : see `placement`; two classes need fewer servers where work is placed by what servers are good at

    Leading axes of the plan are those its decisions depend on; money may have more. Halls open in the period in which
    they are needed and are paid their lead time before, as far back as the start. Where demand is not served, the plan
    meets all constraints but that one. Two classes that cannot both be served whole are served in equal shares. Under a
    budget a policy spends on the servers of a period first: it does not save for halls that are paid ahead.

    Raises ValueError for more than two classes.
    """
    return run(world, schedule(world, policy, owned), placement)


def run(world: World, chosen: Schedule, placement: Placement = "aware") -> tuple[Problem, Plan, Shortfall]:
    """As `simulate`, from a schedule."""
    found = problem(world, chosen.vintages)
    fleet = _Fleet(found, chosen, placement)
    for period in range(world.clock.periods):
        fleet.step(period)
    return fleet.finish()


def outcome(world: World, policy: Policy, owned: Vintages | None = None, placement: Placement = "aware") -> Outcome:
    """What a policy does in a world, and what that costs."""
    found, plan, shortfall = simulate(world, policy, owned, placement)
    return Outcome(found, plan, shortfall, ledger(found, plan))


class _Fleet:
    """State of the simulation; arrays have the leading axes of everything that decides."""

    def __init__(self, found: Problem, chosen: Schedule, placement: Placement) -> None:
        world = found.world
        self.problem, self.chosen, self.placement = found, chosen, placement
        self.T, self.first = world.clock.periods, int(chosen.vintages.old.sum())
        self.rule = fit(at_start(found), placement)
        self.stays = found.survival * (found.serves & chosen.keeps)
        self.demand = found.demand_per_s / world.efficiency[..., None]  # of the software of the start
        self.unit_usd, self.hall_usd = spending(found)
        self.budget = np.broadcast_to(as_array(world.market.budget_usd), (self.T,))
        self.limited = bool(np.isfinite(self.budget).any() or np.isfinite(as_array(world.site.most_w)).any()
                            or np.isfinite(world.site.most_racks_count))  # fmt: skip
        self.lead = self._lead()
        K = chosen.vintages.bought.size
        self.n = np.broadcast_to(chosen.vintages.owned, (*self.lead, K)).copy()
        self.n[..., ~chosen.vintages.old] = 0.0
        self.serve = np.zeros((*self.lead, K, self.T))
        self.buy = np.zeros((*self.lead, K))
        self.halls = np.zeros((*self.lead, self.T))
        self.spent = np.zeros((*self.lead, self.T))
        each = np.moveaxis(np.broadcast_to(self.demand, (*self.lead, *self.demand.shape[-2:])), -2, 0)
        self.wanted = self.rule.wanted(each)  # (T, ..., J)
        self.supply = np.empty(self.wanted.shape)
        self.effect = self._wide(self.rule.effect, 2)
        self.power, self.racks = self._wide(found.power_w), self._wide(as_array(found.racks_count))

    def _lead(self) -> tuple[int, ...]:
        found, chosen, world = self.problem, self.chosen, self.problem.world
        parts = [chosen.vintages.generation.shape[:-1], chosen.vintages.owned.shape[:-1], chosen.buys.shape[:-1],
                 self.rule.effect.shape[:-2], self.stays.shape[:-2], found.power_w.shape[:-1],
                 found.racks_count.shape[:-1], self.demand.shape[:-2], as_array(world.site.most_w).shape]  # fmt: skip
        if np.isfinite(self.budget).any():
            parts += [self.unit_usd.shape[:-1], self.hall_usd.shape[:-1]]
        return np.broadcast_shapes(*parts)

    def _wide(self, values: npt.NDArray[Any], trailing: int = 1) -> npt.NDArray[Any]:
        return np.broadcast_to(values, (*self.lead, *values.shape[values.ndim - trailing :]))

    @cached_property
    def lean(self) -> Ints:
        """Vintages by requests/s per watt, the least first, shape (..., K)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rate_per_w = np.nan_to_num(rate_per_s(at_start(self.problem)) / self.problem.power_w, posinf=np.inf)
        return np.asarray(self._wide(np.argsort(rate_per_w, axis=-1, kind="stable")))

    def step(self, t: int) -> None:
        """One period: survive, retire, make room, buy, open halls."""
        self.n = self.n * self.stays[..., t]
        wanted = self.wanted[t]
        if self.limited:
            self._shed_beyond_limits(t)
        supply = np.asarray(np.einsum("...k,...kj->...j", self.n, self.effect))
        if self.chosen.lazy:
            self._shed_spare(supply, wanted)
        k = self.first + t
        new = self.effect[..., k, :]
        need = self._needed(supply, wanted, new, t)
        if self.limited:
            room = self._room(t, k)
            if self.chosen.lazy and np.any(need > room * (1 + TOLERANCE)):
                supply = self._swap(supply, wanted, t, k)
                need, room = self._needed(supply, wanted, new, t), self._room(t, k)
            short = need > room
            need = np.where(short, room, need)
        self.buy[..., k] = need
        self.n[..., k] = need
        self.serve[..., t] = self.n
        self.supply[t] = supply + need[..., None] * new
        self._open(t, k)

    def _needed(self, supply: Array, wanted: Array, new: Array, t: int) -> Array:
        """Servers of the policy's generation that are missing, 0 where they would not help."""
        need = np.maximum(self.rule.balance(supply, wanted, new), 0.0)
        return np.where(self.chosen.buys[..., t] & np.isfinite(need), need, 0.0)

    def _standing(self, t: int) -> Array:
        return np.asarray(self.problem.world.site.standing_w + self.halls @ self.problem.standing[:, t])

    def _used_w(self) -> Array:
        return np.asarray((self.n * self.power).sum(axis=-1))

    def _free_racks(self) -> Array:
        used = (self.n * self.racks).sum(axis=-1)
        return np.asarray(self.problem.world.site.most_racks_count - used)

    def _power_limit(self, t: int) -> Array:
        """Most power that can stand: the site's, and what the budget of the time of payment lets open [W]."""
        standing = self._standing(t)
        most = np.maximum(as_array(self.problem.world.site.most_w), standing)
        paid = int(self.problem.paid_period[t])
        left = self.budget[paid] - self.spent[..., paid]
        usd = self.hall_usd[..., t]
        with np.errstate(divide="ignore", invalid="ignore"):
            opens = np.where(usd > 0, np.maximum(left, 0.0) / usd, np.inf)
        return np.asarray(np.minimum(most, standing + opens))

    def _room(self, t: int, k: int) -> Array:
        """Most servers of a vintage that power, racks and money allow, shape (...)."""
        usd, hall = self.unit_usd[..., k], self.hall_usd[..., t]
        power, racks = self.power[..., k], self.racks[..., k]
        left = self.budget[t] - self.spent[..., t]
        with np.errstate(divide="ignore", invalid="ignore"):
            room = [(self._power_limit(t) - self._used_w()) / power, self._free_racks() / racks]
            if np.isfinite(self.budget[t]):
                room.append(left / usd)
                if self.problem.paid_period[t] == t:
                    # Servers and the halls they need are paid from one budget.
                    room.append((left + hall * (self._standing(t) - self._used_w())) / (usd + hall * power))
            found = np.minimum.reduce(np.broadcast_arrays(*(np.where(np.isnan(x), np.inf, x) for x in room)))
        return np.asarray(np.maximum(found, 0.0))

    def _open(self, t: int, k: int) -> None:
        self.halls[..., t] = np.maximum(self._used_w() - self._standing(t), 0.0)
        if self.limited and np.isfinite(self.budget).any():
            paid = int(self.problem.paid_period[t])
            self.spent[..., t] += self.buy[..., k] * self.unit_usd[..., k]
            self.spent[..., paid] += self.halls[..., t] * self.hall_usd[..., t]

    def _each(self, step: int) -> tuple[Ints, Array, Array]:
        """The vintages at one place of the order of requests/s per watt: index, servers, effect."""
        which = self.lean[..., step, None]
        n = np.take_along_axis(self.n, which, axis=-1)[..., 0]
        effect = np.take_along_axis(self.effect, which[..., None], axis=-2)[..., 0, :]
        return which, n, effect

    def _remove(self, which: Ints, n: Array, go: Array) -> None:
        np.put_along_axis(self.n, which, (n - go)[..., None], axis=-1)

    def _shed_spare(self, supply: Array, wanted: Array) -> None:
        """Retire what a fallen demand leaves over; ``supply`` is changed in place."""
        if not np.any(self.rule.balance(supply, wanted, supply) < -TOLERANCE):
            return
        for step in range(self.lean.shape[-1]):
            which, n, effect = self._each(step)
            go = np.clip(-self.rule.balance(supply, wanted, effect), 0.0, n)
            self._remove(which, n, go)
            supply -= go[..., None] * effect

    def _shed_beyond_limits(self, t: int) -> None:
        """Retire what the site cannot hold: halls that ended and cannot be paid anew, owned servers over the limits."""
        for size, limit in ((self.power, self._power_limit(t)),
                            (self.racks, as_array(self.problem.world.site.most_racks_count))):  # fmt: skip
            over = (self.n * size).sum(axis=-1) - limit
            if not np.any(over > 0):
                continue
            for step in range(self.lean.shape[-1]):
                which, n, _ = self._each(step)
                each = np.take_along_axis(size, which, axis=-1)[..., 0]
                go = np.clip(np.divide(over, each, out=np.zeros_like(n), where=each > 0), 0.0, n)
                self._remove(which, n, go)
                over = over - go * each

    def _swap(self, supply: Array, wanted: Array, t: int, k: int) -> Array:
        """Retire those with the least requests/s per watt so that the new generation fits; the supply that is left.

        One server that goes makes room for as many new ones as the limit that binds allows. It goes only where those
        do more of every class than it did.
        """
        new = self.effect[..., k, :]
        for step in range(self.lean.shape[-1]):
            need, room = self._needed(supply, wanted, new, t), self._room(t, k)
            binds = need > room * (1 + TOLERANCE)
            if not np.any(binds):
                break
            which, n, effect = self._each(step)
            ratio = self._made_room(which, need, t, k)
            gain = ratio[..., None] * new - effect
            better = binds & (gain >= 0).all(axis=-1) & (gain > 0).any(axis=-1)
            still = self.rule.balance(supply + room[..., None] * new, wanted, np.where(better[..., None], gain, 1.0))
            affordable = self._affordable(room, ratio, t, k)
            go = np.where(better, np.clip(still, 0.0, np.minimum(n, affordable)), 0.0)
            self._remove(which, n, go)
            supply = supply - go[..., None] * effect
        return supply

    def _made_room(self, which: Ints, need: Array, t: int, k: int) -> Array:
        """New servers that fit where one of a vintage stood, by the limits that bind."""
        free_w = self._power_limit(t) - self._used_w()
        found = np.full(need.shape, np.inf)
        for size, free in ((self.power, free_w), (self.racks, self._free_racks())):
            old, new = np.take_along_axis(size, which, axis=-1)[..., 0], size[..., k]
            ratio = np.divide(old, new, out=np.full(need.shape, np.inf), where=new > 0)
            found = np.minimum(found, np.where(need * new > free, ratio, np.inf))
        return np.where(np.isfinite(found), found, 0.0)

    def _affordable(self, room: Array, ratio: Array, t: int, k: int) -> Array:
        """Servers that may go so that the new ones in their place can be paid."""
        if not np.isfinite(self.budget[t]):
            return np.full(room.shape, np.inf)
        left = np.maximum(self.budget[t] - self.spent[..., t] - room * self.unit_usd[..., k], 0.0)
        usd = ratio * self.unit_usd[..., k]
        return np.asarray(np.divide(left, usd, out=np.full(room.shape, np.inf), where=usd > 0))

    def finish(self) -> tuple[Problem, Plan, Shortfall]:
        """The plan and what it does not serve."""
        found = self.problem
        demand = np.broadcast_to(found.demand_per_s, (*self.lead, *found.demand_per_s.shape[-2:]))
        share = np.moveaxis(self.rule.share(self.supply, self.wanted), 0, -1)
        served = demand * np.where(share >= 1.0 - ROUNDING, 1.0, share)[..., None]
        use = place(found, self.serve, served, self.placement)
        missing = demand - served
        rent = np.where(found.rentable, missing, 0.0)
        short = missing - rent
        feasible = np.all(short <= TOLERANCE * demand, axis=(-2, -1))
        require(np.isfinite(self.serve), "the numbers of this world give no finite fleet")
        return found, Plan(self.buy, self.serve, use, self.halls, rent), Shortfall(short, np.asarray(feasible))
