"""Best life for each generation: a search over policies that say how long each is kept, or that it is skipped.

The space is that of Stojkovic et al. 2026 (published): a life per generation of 0 (skipped) to 10 years, by years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.ledger import ledger
from aiplan.planners.lifecycle.placement import Placement
from aiplan.planners.lifecycle.policies import LONGEST_LIFE_YEARS, Policy, by_generation, by_lives
from aiplan.planners.lifecycle.problem import Vintages, on_sale
from aiplan.planners.lifecycle.simulate import run
from aiplan.planners.lifecycle.world import Ints, World

LIVES_YEARS: tuple[float, ...] = tuple(float(life) for life in range(int(LONGEST_LIFE_YEARS) + 1))
BATCH = 256
GAIN = 1e-9
Key = tuple[float, float]
"""Missing share of the demand and cost, by which policies are compared in this order."""


@dataclass(frozen=True, slots=True)
class Best:
    """What a search found.

    Attributes
    ----------
    policy : the best policy found
    usd : what it costs, the mean over draws [USD]
    missing : demand it does not serve over all demand [1]; 0 where it is feasible
    tried : different policies simulated [1]
    """

    policy: Policy
    usd: float
    missing: float
    tried: int


def best_lives(
    world: World, owned: Vintages | None = None, placement: Placement = "aware", *,
    lives_years: Sequence[float] = LIVES_YEARS, start_years: float = 5.0, start: Sequence[float] = (),
) -> Best:  # fmt: skip
    """Life vector of least cost that no change of one generation's life, nor of two neighbours', improves.

    Starts are ``start_years`` for all generations and the best common life; from each, one generation after the other
    takes its best life, then each pair of neighbours, until nothing improves. What serves more of the demand is
    preferred to what costs less. Deterministic; of equal candidates the first stays. A local optimum: not proven best.

    Leading axes of the world are draws or designs; the mean over them counts. With ``start``, a life per generation,
    the search starts there alone.
    """
    search = _Search(world, owned, placement, as_array(lives_years))
    if start:
        lives, key = search.descend(as_array(start))
        return Best(by_generation(lives.tolist()), key[1], key[0], len(search.known))
    common = np.repeat(search.lives[search.lives > 0][:, None], len(world.generations.names), axis=1)
    starts = [np.full(len(world.generations.names), start_years), search.best(common)[0]]
    found = [search.descend(start) for start in starts]
    lives, key = min(found, key=lambda item: item[1])
    return Best(by_generation(lives.tolist()), key[1], key[0], len(search.known))


def exhaustive_lives(
    world: World, owned: Vintages | None = None, placement: Placement = "aware", *,
    lives_years: Sequence[float] = LIVES_YEARS, most: int = 200_000,
) -> Best:  # fmt: skip
    """Best of all life vectors; for a few generations.

    Raises ValueError for more than ``most`` vectors.
    """
    search = _Search(world, owned, placement, as_array(lives_years))
    free = search.free
    require(len(search.lives) ** len(free) <= most, "there are too many generations to try all lives")
    rows = np.full((len(search.lives) ** len(free), len(world.generations.names)), 5.0)
    rows[:, free] = list(product(search.lives.tolist(), repeat=len(free)))
    lives, key = search.best(rows)
    return Best(by_generation(lives.tolist()), key[1], key[0], len(search.known))


class _Search:
    def __init__(self, world: World, owned: Vintages | None, placement: Placement, lives: Array) -> None:
        require(lives.size > 0 and np.any(lives > 0), "there must be lives to try")
        self.world, self.owned, self.placement, self.lives = world, owned, placement, lives
        self.sold = on_sale(world)
        self.axes = max(part.ndim - trailing for part, trailing in (
            (self.sold, 2), (world.demand_per_s, 2), (world.generations.capacity_per_s, 2),
            (world.generations.price_usd, 2), (as_array(world.site.pue_mean), 0)))  # fmt: skip
        self.free = self._free()
        self.reach = self._reach()
        self.known: dict[bytes, Key] = {}

    def _free(self) -> Ints:
        """Generations whose life can matter: ever on sale, or owned."""
        sold = np.asarray(self.sold.any(axis=-1))
        known = np.array(sold.reshape(-1, sold.shape[-1]).any(axis=0))
        if self.owned is not None:
            known[np.unique(self.owned.generation)] = True
        return np.nonzero(known)[0]

    def _reach(self) -> Array:
        """Life of each generation that ends with the study, 0 if never sold, shape (G,) [y]: longer ones are alike."""
        clock = self.world.clock
        sold = self.sold.reshape(-1, *self.sold.shape[-2:]).any(axis=0)
        left = clock.horizon_years - clock.starts_years[sold.argmax(axis=-1)]
        found = np.where(sold.any(axis=-1), left, 0.0)
        if self.owned is not None:
            found[np.unique(self.owned.generation)] = np.inf
        return np.asarray(found)

    def best(self, rows: Array) -> tuple[Array, Key]:
        """The first best of life vectors, shape (N, G), and its missing share and cost."""
        return self._first_best(rows, self._keys(rows))

    def _first_best(self, rows: Array, keys: list[Key]) -> tuple[Array, Key]:
        place = min(range(len(rows)), key=lambda row: keys[row])
        return rows[place], keys[place]

    def _keys(self, rows: Array) -> list[Key]:
        """Missing share and cost of each row; each policy is simulated once."""
        names = [row.tobytes() for row in np.minimum(rows, self.reach)]
        new = list({name: place for place, name in enumerate(names) if name not in self.known}.values())
        for start in range(0, len(new), BATCH):
            part = new[start : start + BATCH]
            self.known |= zip((names[place] for place in part), self._simulated(rows[part]), strict=True)
        return [self.known[name] for name in names]

    def _simulated(self, rows: Array) -> list[Key]:
        wide = rows.reshape(len(rows), *(1,) * self.axes, rows.shape[-1])
        found, plan, shortfall = run(self.world, by_lives(self.world, wide, self.owned, self.sold), self.placement)
        share = shortfall.per_s.sum(axis=(-2, -1)) / found.demand_per_s.sum(axis=(-2, -1)).clip(1e-300)
        share = np.where(shortfall.feasible, 0.0, share)
        means = [_mean(values, len(rows), self.axes) for values in (share, ledger(found, plan).total())]
        return list(zip(*(values.tolist() for values in means), strict=True))

    def descend(self, lives: Array) -> tuple[Array, Key]:
        """From a vector to one that no single or neighbouring change improves."""
        lives, key = self.best(lives[None])
        pairs = [self.free[at : at + 2] for at in range(len(self.free) - 1)]
        while True:
            new, found = self._sweep(lives, key, list(self.free[:, None]))
            if not _better(found, key):
                new, found = self._sweep(lives, key, pairs)
            if not _better(found, key):
                return lives, key
            lives, key = new, found

    def _sweep(self, lives: Array, key: Key, groups: list[Ints]) -> tuple[Array, Key]:
        """Each group of generations in turn at its best lives, the others as they are.

        Groups ahead are simulated together as long as none changes the lives they start from: twice as many each time.
        """
        at, ahead = 0, 1
        while at < len(groups):
            tables = [self._around(lives, which) for which in groups[at : at + ahead]]
            keys = iter(self._keys(np.concatenate(tables)))
            ahead *= 2
            for rows in tables:
                at += 1
                new, found = self._first_best(rows, list(islice(keys, len(rows))))
                if _better(found, key):
                    lives, key, ahead = new, found, 1
                    break
        return lives, key

    def _around(self, lives: Array, which: Ints) -> Array:
        """The vector with all lives of some generations, shape (N, G)."""
        candidates = np.array(list(product(self.lives.tolist(), repeat=len(which))))
        rows = np.repeat(lives[None], len(candidates), axis=0)
        rows[:, which] = candidates
        return rows


def _better(a: Key, b: Key) -> bool:
    """Whether ``a`` serves more, or as much for less, by more than rounding."""
    return a[0] < b[0] - GAIN or (a[0] <= b[0] and a[1] < b[1] - GAIN * abs(b[1]))


def _mean(values: Array, rows: int, axes: int) -> Array:
    wide = np.broadcast_to(values, np.broadcast_shapes(values.shape, (rows, *(1,) * axes)))
    return np.asarray(wide.reshape(rows, -1).mean(axis=1))
