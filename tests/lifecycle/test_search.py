"""The best lives by generation, against trying all of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.policies import (
    by_generation,
    fixed,
)  # fmt: skip
from aiplan.planners.lifecycle.search import best_lives, exhaustive_lives
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.world import World
from tests.lifecycle.fleets import MODES, OWNED, drawn, total
from tests.lifecycle.worlds import Setup, changed, reference_world, small_world


def test_searched_lives_are_the_best_of_all_and_repeat() -> None:
    for world in (small_world(), small_world(8, accounting="paper"), small_world(8, accounting="book", classes=2)):
        found, whole = best_lives(world), exhaustive_lives(world)
        assert found.missing == whole.missing == 0
        assert found.usd == pytest.approx(whole.usd, rel=1e-9)
        assert found == best_lives(world)
        assert found.usd <= min(total(world, fixed(float(life))) for life in range(1, 9)) * (1 + 1e-12)
        assert found.usd == pytest.approx(total(world, found.policy))


def odd_worlds(count: int) -> list[World]:
    """Worlds whose generations differ at random, so that lives of several hang together."""
    rng, found = np.random.default_rng(0), []

    def factors(*shape: int) -> Array:
        return np.asarray(np.exp(rng.normal(0.0, 0.4, shape)))

    for row in range(count):
        T = int(rng.integers(6, 12))
        world = small_world(T, accounting=MODES[row % 3])
        gens = world.generations
        world = changed(
            world, price_usd=gens.price_usd * factors(3, 1), capacity_per_s=gens.capacity_per_s * factors(3, 1),
            rated_w=gens.rated_w * factors(3), last_sale_years=np.full(3, 12.0), life_years=np.full(3, 10.0),
            available_years=np.array([-2.0, 0.0, 2.0]) + rng.integers(0, 3, 3) * [0, 0, 1],
            demand_per_s=np.cumprod(factors(T, 1), axis=0) * 50.0,
        )  # fmt: skip
        found.append(world)
    return found


def test_search_changes_neighbours_together() -> None:
    # In these two of 150 worlds tried no change of one generation's life alone leads to the best.
    for world in (odd_worlds(24)[row] for row in (9, 23)):
        assert best_lives(world).usd == pytest.approx(exhaustive_lives(world).usd, rel=1e-9)


def test_search_serves_first_and_saves_second() -> None:
    world = small_world(most_w=np.array(500e3))
    found = best_lives(world)
    assert 0 < found.missing < 1
    assert found.missing == pytest.approx(exhaustive_lives(world).missing, rel=1e-6)


def test_search_over_draws_takes_their_mean() -> None:
    worlds = drawn(small_world(), 4)
    found = best_lives(worlds, lives_years=[0.0, 2.0, 4.0, 6.0])
    assert found.usd == pytest.approx(float(outcome(worlds, found.policy).money.total().mean()))
    assert found.usd == pytest.approx(exhaustive_lives(worlds, lives_years=[0.0, 2.0, 4.0, 6.0]).usd, rel=5e-3)


def one_by_one(world: World, lives: list[float], choices: list[float]) -> tuple[list[float], float]:
    """Descent over one generation, then over two neighbours, each policy simulated by itself."""
    count, best = len(lives), total(world, by_generation(lives))
    singles, pairs = [[g] for g in range(count)], [[g, g + 1] for g in range(count - 1)]
    while True:
        before = best
        for groups in (singles, pairs):
            for group in groups:
                tries = []
                for values in product(choices, repeat=len(group)):
                    row = list(lives)
                    for g, value in zip(group, values, strict=True):
                        row[g] = value
                    found = outcome(world, by_generation(row))
                    tries.append((float(found.money.total()) if found.shortfall.feasible else np.inf, row))
                usd, row = min(tries, key=lambda each: each[0])
                if usd < best * (1 - 1e-9):
                    best, lives = usd, row
            if best < before:
                break
        if best == before:
            return lives, best


@pytest.mark.parametrize("row", [2, 9, 23])
def test_search_takes_the_steps_of_a_plain_descent(row: int) -> None:
    world, choices = odd_worlds(24)[row], [0.0, 1.0, 2.0, 3.0, 5.0, 10.0]
    lives, usd = one_by_one(world, [5.0] * 3, choices)
    found = best_lives(world, lives_years=choices, start=[5.0] * 3)
    assert found.policy.lives_years == tuple(lives)
    assert found.usd == pytest.approx(usd, rel=1e-12)


def test_lives_beyond_the_study_are_tried_once() -> None:
    world = small_world(life_years=np.full(3, 100.0))
    long = [0.0, 2.0, 4.0, 6.0, 10.0, 20.0, 50.0]
    found, whole = (best_lives(world, lives_years=lives) for lives in (long, long[:4]))
    assert found.usd == whole.usd
    assert found.tried <= whole.tried <= 4**3


def test_owned_servers_are_older_than_what_is_bought() -> None:
    # Two periods old at the start: a life of 6 years ends before the study of 6 does, one of 8 does not.
    world, choices = small_world(life_years=np.full(3, 100.0)), [0.0, 6.0, 8.0]
    found = exhaustive_lives(world, OWNED, lives_years=choices)
    each = [outcome(world, by_generation(row), OWNED) for row in product(choices, repeat=3)]
    assert found.usd == pytest.approx(total(world, found.policy, owned=OWNED), rel=1e-12)
    assert found.usd == pytest.approx(min(float(one.money.total()) for one in each if one.shortfall.feasible))
    assert len({float(one.money.total()) for one in each}) > 2**3  # of which lives of 6 and 8 years differ


def test_too_many_lives_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        exhaustive_lives(reference_world(Setup()))
