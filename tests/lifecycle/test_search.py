"""The best lives by generation, against trying all of them."""

from __future__ import annotations

import numpy as np
import pytest

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.policies import (
    fixed,
)  # fmt: skip
from aiplan.planners.lifecycle.search import best_lives, exhaustive_lives
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.world import World
from tests.lifecycle.test_simulate import MODES, drawn, total
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


def test_too_many_lives_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        exhaustive_lives(reference_world(Setup()))
