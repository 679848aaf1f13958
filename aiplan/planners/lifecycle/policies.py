"""Policies of a fleet: which generation is bought in each period, and how long each purchase is kept.

A policy looks at the roadmap and the clock, never at the demand to come: what it decides in a period is known in that
period. How many servers are bought follows from the demand, see `simulate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.lifecycle.problem import Vintages, joined, on_sale, pick
from aiplan.planners.lifecycle.world import Bools, Ints, World

Rule = Literal["fixed", "extend", "every-generation", "skip", "lazy", "per-generation"]
MOMENT_YEARS = 1e-9
LONGEST_LIFE_YEARS = 10.0
"""Longest life that the space of per-generation policies holds: Stojkovic et al. 2026, refresh stage (published)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule to buy and to keep by.

    Every rule buys the newest generation on sale that it does not skip and that the site hosts; of equally new ones
    the one with more requests/s per dollar. No server is kept beyond the longest service of its generation.

    Attributes
    ----------
    name : as tables print it
    rule : ``fixed``: kept ``life_years``; ``extend``: kept ``life_years`` and ``extra_years`` more (from which age
        maintenance costs more is `Upkeep.extended_years`); ``every-generation``: all are replaced when a newer
        generation comes on sale; ``skip``: the same, but only every (``skipped`` + 1)-th generation counts, from the
        newest at the start on; while none of those is on sale the newest other is bought. ``lazy``: kept as long as
        they may; before that, those with the least requests/s per watt go first, as many as power, racks or a fallen
        demand force out. ``per-generation``: kept as long as ``lives_years`` says for its generation, 0 for one that
        is skipped; nothing is bought while all on sale are skipped.
    life_years : of ``fixed`` and ``extend``, a number or one per draw, shape (...) [y]
    extra_years : of ``extend`` [y]
    skipped : generations between two that ``skip`` adopts [1]
    lives_years : of ``per-generation``, shape (G,) [y]
    """

    name: str
    rule: Rule
    life_years: float | Array = 5.0
    extra_years: float = 0.0
    skipped: int = 0
    lives_years: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require(as_array(self.life_years) > 0, "a life must be above 0 years")
        require(self.extra_years >= 0 and self.skipped >= 0, "years and generations to add must not be negative")
        lives = as_array(self.lives_years)
        require((lives >= 0) & np.isfinite(lives), "lives must be numbers of at least 0 years")


def fixed(life_years: float | Array, name: str = "") -> Policy:
    """Every server is kept as long."""
    return Policy(name or f"fixed-{life_years:g}", "fixed", life_years)


def extended(life_years: float, extra_years: float) -> Policy:
    """Kept for a life and an extension."""
    return Policy(f"extend-{life_years:g}+{extra_years:g}", "extend", life_years, extra_years)


def skipping(generations: int) -> Policy:
    """All are replaced by every (n + 1)-th generation; 0 is every one."""
    if generations == 0:
        return Policy("every-generation", "every-generation")
    return Policy(f"skip-{generations}", "skip", skipped=generations)


def by_generation(lives_years: Sequence[float], name: str = "per-generation") -> Policy:
    """A life for each generation, 0 to skip it."""
    return Policy(name, "per-generation", lives_years=tuple(float(life) for life in lives_years))


LAZY = Policy("lazy", "lazy")
BASELINE = fixed(5.0)
"""Fixed life of 5 years with gradual replacement: the traditional baseline of Stojkovic et al. 2026 (published)."""
POLICIES: tuple[Policy, ...] = (
    *(fixed(float(life)) for life in (3, 4, 5, 6, 7)), extended(5.0, 3.0),
    skipping(0), skipping(1), skipping(2), LAZY,
)  # fmt: skip
"""What tables compare; the best per-generation policy has to be searched for, see `search`."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A policy in a world: what can be bought and what may stay.

    Attributes
    ----------
    vintages : owned ones first, then one to be bought in each period, K in all
    buys : whether there is a generation to buy, shape (..., T)
    keeps : whether a vintage stays, shape (..., K, T); never again true once false
    lazy : whether servers may go before
    """

    vintages: Vintages
    buys: Bools
    keeps: Bools
    lazy: bool = False


def schedule(world: World, policy: Policy, owned: Vintages | None = None) -> Schedule:
    """What a policy buys and keeps in a world.

    Raises ValueError where ``per-generation`` has not one life for each generation.
    """
    sold = on_sale(world)
    if policy.rule == "per-generation":
        require(len(policy.lives_years) == len(world.generations.names), "there must be one life for each generation")
        return by_lives(world, as_array(policy.lives_years), owned, sold)
    adopted = _adopted(world, policy.skipped) if policy.rule == "skip" else None
    buys, vintages = _purchases(world, sold, adopted, owned)
    if policy.rule in ("every-generation", "skip"):
        keeps = _until_newer(world, sold if adopted is None else sold & adopted[..., None], vintages)
    elif policy.rule == "lazy":
        keeps = np.ones((vintages.generation.shape[-1], world.clock.periods), dtype=bool)
    else:
        extra = policy.extra_years if policy.rule == "extend" else 0.0
        keeps = _for_years(world, vintages, (as_array(policy.life_years) + extra)[..., None])
    return Schedule(vintages, buys, keeps, policy.rule == "lazy")


def by_lives(world: World, lives_years: Array, owned: Vintages | None = None, sold: Bools | None = None) -> Schedule:
    """Schedule of lives by generation, shape (..., G) [y]; axes before G are candidates, draws or designs."""
    sold = on_sale(world) if sold is None else sold
    buys, vintages = _purchases(world, sold & (lives_years > 0)[..., None], None, owned)
    return Schedule(vintages, buys, _for_years(world, vintages, pick(lives_years, vintages.generation)))


def _purchases(world: World, sold: Bools, adopted: Bools | None, owned: Vintages | None) -> tuple[Bools, Vintages]:
    """Whether something is bought, and what: the newest adopted on sale, the newest on sale where there is none."""
    buys = np.asarray(sold.any(axis=-2))
    generation = newest(world, sold)
    if adopted is not None:
        wanted = sold & adopted[..., None]
        generation = np.where(wanted.any(axis=-2), newest(world, wanted), generation)
    periods = np.arange(world.clock.periods)
    zeros = np.zeros(generation.shape)
    found = Vintages(generation, periods, zeros, zeros)
    return buys, found if owned is None else joined(owned, found)


def newest(world: World, sold: Bools) -> Ints:
    """Newest generation of those on sale, shape (..., G, T), in each period, shape (..., T); 0 where there is none.

    Of generations that came on the same day the one with more requests/s per dollar, of equal ones the first.
    """
    gens = world.generations
    came = np.where(sold, gens.available_years[..., None], -np.inf)
    tied = sold & (came >= came.max(axis=-2, keepdims=True) - MOMENT_YEARS)
    if np.all(tied.sum(axis=-2) <= 1):
        return np.asarray(tied.argmax(axis=-2))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.nan_to_num(rate_per_s(gens.capacity_per_s)[..., None] / gens.price_usd, posinf=np.inf)
    return np.asarray(np.where(tied, value, -1.0).argmax(axis=-2))


def rate_per_s(capacity_per_s: Array) -> Array:
    """Requests/s when every request takes all classes in turn, ``1 / sum 1/capacity``, shape (..., W) to (...) [1/s].

    A server that cannot do some class counts with those it can; 0 for none.
    """
    with np.errstate(divide="ignore"):
        times = np.where(capacity_per_s > 0, 1.0 / capacity_per_s, 0.0).sum(axis=-1)
        return np.asarray(np.where(times > 0, 1.0 / times, 0.0))


def _adopted(world: World, skipped: int) -> Bools:
    """Every (n + 1)-th generation by day of coming, counted from the newest at the start, shape (..., G).

    Generations that came before the start and are not the newest are not adopted.
    """
    gens = world.generations
    hosted = world.site.hosts & (gens.capacity_per_s > 0).any(axis=-1)
    came = np.where(hosted, gens.available_years, np.inf)
    rank = (came[..., None, :] < came[..., :, None] - MOMENT_YEARS).sum(axis=-1)
    here = came <= MOMENT_YEARS
    first = np.where(here, rank, 0).max(axis=-1, keepdims=True)
    return np.asarray(hosted & (rank >= first) & ((rank - first) % (skipped + 1) == 0))


def _for_years(world: World, vintages: Vintages, life_years: Array) -> Bools:
    """Whether a vintage is younger than its life, shape (..., K) or (..., 1) [y]."""
    age = (np.arange(world.clock.periods) - vintages.bought[:, None]) * world.clock.dt_years
    return np.asarray(age < life_years[..., None] - MOMENT_YEARS)


def _until_newer(world: World, wanted: npt.NDArray[np.bool_], vintages: Vintages) -> Bools:
    """Whether no newer generation of those wanted has come on sale since a vintage was bought."""
    came = world.generations.available_years
    arrives = np.where(wanted, came[..., None], -np.inf).max(axis=-2)
    since = np.arange(world.clock.periods) > vintages.bought[:, None]
    best = np.maximum.accumulate(np.where(since, arrives[..., None, :], -np.inf), axis=-1)
    return np.asarray(best <= pick(came, vintages.generation)[..., None] + MOMENT_YEARS)
