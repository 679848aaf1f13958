"""How far a trend may be wrong: made-up rankings by hand, and a fleet whose trends are changed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.policies import POLICIES, Policy, fixed
from aiplan.planners.lifecycle.robustness import (
    PUBLISHED_FRACTIONS,
    TRENDS,
    agreement,
    grid,
    ordered,
    ranges,
    rank_correlation,
)
from aiplan.planners.lifecycle.search import best_lives
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.world import Ints
from tests.lifecycle.worlds import Setup, changed, reference_world


def order_of(places: Array, policies: int = 8) -> Ints:
    """Orders in which policy 0 stands at these places."""
    others = np.arange(1, policies)
    return np.stack([np.insert(others, int(place), 0) for place in places])


def test_the_grid_has_steps_of_five_percent() -> None:
    found = grid()
    assert len(found) == 41
    assert found[[0, 20, 21, -1]] == pytest.approx([-1.0, 0.0, 0.05, 1.0])
    assert len(grid(0.3, 1.0)) == 7
    with pytest.raises(ValueError, match="step"):
        grid(0.0)


def test_ranges_by_hand() -> None:
    changes = grid(0.25)

    def rank(trend: str, at: Array) -> Ints:
        # Best within +-50 %, among five up to +75 %; and best again at +100 %.
        place = np.where(np.abs(at) <= 0.5, 0, np.where(at == 0.75, 4, 5))
        return order_of(np.where(at == 1.0, 0, place))

    found = ranges(rank, ("price",), changes)["price"]
    assert (found.best_fraction, found.top_fraction) == (0.5, 0.5)
    assert found.returns
    assert found.place.tolist() == [5, 5, 0, 0, 0, 0, 0, 4, 0]


@given(st.lists(st.integers(0, 7), min_size=9, max_size=9))
def test_ranges_are_what_a_walk_outward_finds(places: list[int]) -> None:
    places[4] = 0
    changes = grid(0.25)
    found = ranges(lambda trend, at: order_of(np.array(places)), ("price",), changes)["price"]
    for most, got in ((0, found.best_fraction), (4, found.top_fraction)):
        reached = 0.0
        for step in range(1, 5):
            if places[4 + step] > most or places[4 - step] > most:
                break
            reached = 0.25 * step
        assert got == pytest.approx(reached)
    assert found.best_fraction <= found.top_fraction


def test_one_call_per_trend() -> None:
    calls = []

    def rank(trend: str, at: Array) -> Ints:
        calls.append((trend, len(at)))
        return order_of(np.zeros(len(at)))

    found = ranges(rank)
    assert calls == [(trend, 41) for trend in TRENDS]
    assert all(one.best_fraction == one.top_fraction == 1.0 and not one.returns for one in found.values())


def test_hostile_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="hold 0"):
        ranges(lambda trend, at: order_of(np.zeros(len(at))), ("price",), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="one order for each"):
        ranges(lambda trend, at: order_of(np.zeros(3)), ("price",))
    with pytest.raises(ValueError, match="the same for every trend"):
        ranges(lambda trend, at: order_of(np.full(len(at), float(trend == "price"))), ("power", "price"))


def test_orders_put_those_that_miss_demand_last() -> None:
    costs = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.5]])
    assert ordered(costs).tolist() == [[1, 2, 0], [2, 0, 1]]
    assert ordered(costs * (1 + 1e-14 * np.array([1, 0, 0]))).tolist() == [[1, 2, 0], [2, 0, 1]]
    assert ordered(costs, np.array([[0.0, 0.1, 0.0], [0.0, 0.0, 0.2]])).tolist() == [[2, 0, 1], [0, 1, 2]]


@given(st.lists(st.integers(-5, 5), min_size=3, max_size=9).filter(lambda a: len(set(a)) > 1), st.data())
def test_rank_correlation_is_spearmans(a: list[int], data: st.DataObject) -> None:
    b = data.draw(st.permutations(a))
    found = rank_correlation(np.array(a, dtype=float), np.array(b, dtype=float))
    assert found == pytest.approx(float(spearmanr(a, b).statistic), abs=1e-12)


def test_published_table_agrees_with_itself() -> None:
    # Reference 2.6: compute density is the tightest, memory next; the top-five range is never the smaller.
    order = sorted(PUBLISHED_FRACTIONS, key=lambda trend: PUBLISHED_FRACTIONS[trend][0])
    assert order[:2] == ["compute_density", "memory"]
    assert all(best < top for best, top in PUBLISHED_FRACTIONS.values())
    steps = {trend: np.round(best / 0.05) for trend, (best, _) in PUBLISHED_FRACTIONS.items()}
    found = ranges(lambda trend, at: order_of(np.where(np.abs(at) <= 0.05 * steps[trend] + 1e-9, 0, 6)))
    assert agreement(found) == pytest.approx(1.0)
    assert np.isnan(agreement({}))
    assert np.isnan(agreement({"memory": found["memory"]}))
    assert {trend: found[trend].best_fraction for trend in TRENDS} == pytest.approx(
        {trend: best for trend, (best, _) in PUBLISHED_FRACTIONS.items()}
    )


LIVES = [*POLICIES, fixed(8.0), fixed(9.0)]


@cache
def searched() -> Policy:
    """The best policy by generation without a change."""
    return best_lives(reference_world(Setup())).policy


def fleet_rank(trend: str, changes: Array) -> Ints:
    """Policies by cost in the forward set-up with one trend's annual rate changed, all changes side by side."""
    worlds = []
    base = {"compute_density": 0, "memory": 1, "price": 2, "power": 3}
    for change in changes:
        growth = [1.35, 1.25, 1.12, 1.12]
        if trend in base:
            growth[base[trend]] = 1 + (growth[base[trend]] - 1) * (1 + change)
        worlds.append(reference_world(Setup(growth=tuple(growth))))
    years = np.arange(15)
    grow, model = (0.15 * (1 + changes * (trend == name)) for name in ("demand_growth", "model_growth"))
    demand = 1800 * (1 + grow[:, None]) ** years * (1 + 0.10 / 0.15 * model[:, None] * years) / 16.3
    gens = [world.generations for world in worlds]
    world = changed(
        worlds[0],
        **{name: np.stack([getattr(one, name) for one in gens])
           for name in ("price_usd", "rated_w", "idle_w", "active_w", "capacity_per_s")},
        demand_per_s=demand[..., None],
    )  # fmt: skip
    found = [outcome(world, policy) for policy in (*LIVES, searched())]
    assert all(one.shortfall.feasible.all() for one in found)
    costs = [np.broadcast_to(one.money.total(), (len(changes),)) for one in found]
    return ordered(np.stack(costs, axis=-1))


def test_a_fleet_with_trends_changed() -> None:
    trends = ("model_growth", "demand_growth", "compute_density", "memory", "power", "price")
    found = ranges(fleet_rank, trends, grid(0.1))
    for one in found.values():
        assert 0 <= one.best_fraction <= one.top_fraction <= 1
        assert one.place[10] == 0
    # Reference 2.6 and check 20: compute density is the tightest. The other published sizes are not aimed at.
    tight = {trend: one.best_fraction for trend, one in found.items()}
    assert tight.pop("compute_density") < min(tight.values())
    assert agreement(found) > 0
    # Further out the policy can be best again: halving would have missed what lies between.
    assert found["compute_density"].returns
