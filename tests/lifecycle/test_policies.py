"""What policies buy and keep, by hand and by plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiplan.planners.lifecycle.policies import (
    BASELINE,
    LAZY,
    POLICIES,
    Policy,
    by_generation,
    extended,
    fixed,
    newest,
    rate_per_s,
    schedule,
    skipping,
)  # fmt: skip
from aiplan.planners.lifecycle.problem import Vintages, on_sale
from aiplan.planners.lifecycle.world import World
from tests.lifecycle.worlds import HIST, Setup, changed, reference_world, small_world

OWNED = Vintages(np.array([0, 1]), np.array([-3, -1]), np.array([50.0, 20.0]), np.array([1e5, 2e5]))


def yearly(world: World, came: list[float], sale: float = 4.0) -> World:
    """The small world with generations that come in these years and are sold for as long."""
    years = np.array(came)
    return changed(world, available_years=years, last_sale_years=years + sale)


def kept(world: World, policy: Policy, owned: Vintages | None = None) -> list[str]:
    """Rows of vintages as text: x where one stays."""
    keeps = schedule(world, policy, owned).keeps
    return ["".join("x" if stays else "." for stays in row) for row in keeps]


def test_the_newest_on_sale_is_bought() -> None:
    world = small_world(8)  # mid from 0 to 5, new from 2 to 9
    found = schedule(world, BASELINE)
    assert found.vintages.generation.tolist() == [1, 1, 2, 2, 2, 2, 2, 2]
    assert found.buys.all()


def test_the_historic_list_is_bought_as_it_comes() -> None:
    world = reference_world(Setup(known=HIST, start=2016.0, growth=None))
    found = schedule(world, BASELINE).vintages.generation
    # P100, then V100 in 2018, A100 in 2022, H100 in 2024, H200 in 2025, B200 in 2026, then one a year.
    assert found.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]


def test_equally_new_ones_go_by_requests_per_dollar() -> None:
    world = yearly(small_world(3), [0.0, 0.0, 5.0])
    cheap = world.generations.price_usd.copy()
    cheap[0] /= 10
    assert (schedule(world, BASELINE).vintages.generation == 1).all()
    assert (schedule(changed(world, price_usd=cheap), BASELINE).vintages.generation == 0).all()


def test_what_the_site_does_not_host_is_never_bought() -> None:
    world = changed(small_world(6), hosts=np.array([True, True, False]))
    assert (schedule(world, BASELINE).vintages.generation == 1).all()
    world = changed(small_world(6), hosts=np.zeros(3, dtype=bool))
    assert not schedule(world, BASELINE).buys.any()


def test_nothing_is_bought_while_nothing_is_on_sale() -> None:
    found = schedule(yearly(small_world(6), [1.0, 1.0, 4.0], sale=1.0), BASELINE)
    assert found.buys.tolist() == [False, True, True, False, True, True]


def test_fixed_and_extended_lives() -> None:
    world = small_world(6)
    assert kept(world, fixed(2.0)) == ["xx....", "xxx...", "xxxx..", "xxxxx.", "xxxxxx", "xxxxxx"]
    assert kept(world, extended(2.0, 1.0)) == kept(world, fixed(3.0))
    # Owned ones count their age from when they were bought.
    assert kept(world, fixed(5.0), OWNED)[:2] == ["xx....", "xxxx.."]
    assert kept(world, fixed(3.0), OWNED)[:2] == ["......", "xx...."]


def test_lives_need_not_be_whole_periods() -> None:
    world = replace(small_world(4), clock=replace(small_world(4).clock, dt_years=0.5))
    assert kept(world, fixed(1.0))[0] == "xx.."
    assert kept(world, fixed(1.2))[0] == "xxx."


def test_a_life_by_draw() -> None:
    keeps = schedule(small_world(6), fixed(np.array([2.0, 3.0]), "drawn")).keeps
    assert keeps.shape == (2, 6, 6)
    for row, life in enumerate((2.0, 3.0)):
        assert (keeps[row] == schedule(small_world(6), fixed(life)).keeps).all()


def test_every_generation_replaces_all_when_a_newer_one_comes() -> None:
    world = yearly(small_world(6), [0.0, 2.0, 3.5])
    rows = kept(world, skipping(0), OWNED)
    assert rows[0] == "xx...."  # of generation 0: until 1 comes at the start of period 2
    assert rows[1] == "xxxx.."  # of generation 1: until 2 comes
    assert rows[2:] == ["xx....", "xx....", "xxxx..", "xxxx..", "xxxxxx", "xxxxxx"]


def test_owned_ones_of_an_older_generation_go_at_once() -> None:
    assert kept(yearly(small_world(4), [-3.0, 0.0, 9.0]), skipping(0), OWNED)[:2] == ["....", "xxxx"]


def test_skipping_adopts_every_second_and_third() -> None:
    world = reference_world(Setup())  # A100, H100, H200 before the start, B200 in 2026, then one a year
    for skipped in (1, 2):
        found = schedule(world, skipping(skipped))
        rank = found.vintages.generation - 2  # H200 is the newest at the start
        adopted = np.arange(15) // (skipped + 1) * (skipped + 1)
        assert rank.tolist() == adopted.tolist()
        gone = np.minimum((np.arange(15) // (skipped + 1) + 1) * (skipped + 1), 15)
        assert [int(row.sum()) + t for t, row in enumerate(np.triu(found.keeps))] == gone.tolist()


def test_skipping_none_is_every_generation() -> None:
    world = reference_world(Setup(known=HIST, start=2016.0, growth=None))
    one, other = schedule(world, skipping(0)), schedule(world, Policy("zero", "skip", skipped=0))
    assert (one.vintages.generation == other.vintages.generation).all()
    assert (one.keeps == other.keeps).all()


def test_where_no_adopted_one_is_on_sale_the_newest_other_is_bought() -> None:
    # Adopted are 0 and 2; 0 is sold until year 1, 2 comes in year 4.
    world = yearly(small_world(6), [0.0, 2.0, 4.0], sale=1.0)
    world = changed(world, last_sale_years=np.array([1.0, 9.0, 9.0]))
    found = schedule(world, skipping(1))
    assert found.vintages.generation.tolist() == [0, 0, 1, 1, 2, 2]
    assert kept(world, skipping(1))[:3] == ["xxxx..", "xxxx..", "xxxx.."]


def test_generations_before_the_newest_at_the_start_are_not_adopted() -> None:
    world = yearly(small_world(4), [-3.0, -2.0, -1.0])
    world = changed(world, last_sale_years=np.array([9.0, 9.0, 0.0]))
    assert schedule(world, skipping(1)).vintages.generation.tolist() == [2, 1, 1, 1]


def test_lives_by_generation_skip_and_keep() -> None:
    world = small_world(6)
    found = schedule(world, by_generation([0.0, 3.0, 0.0]))
    assert found.vintages.generation.tolist() == [1] * 6
    assert found.buys.all()  # mid is sold until year 5
    rows = kept(world, by_generation([4.0, 2.0, 1.0]), OWNED)
    assert rows[:2] == ["x.....", "x....."]
    assert rows[2] == "xx...."
    assert rows[4] == "xxx..."  # bought in period 2: new, one year; a row also holds for the periods before
    assert not schedule(world, by_generation([0.0, 0.0, 0.0])).buys.any()


def test_lazy_keeps_all() -> None:
    found = schedule(small_world(6), LAZY, OWNED)
    assert found.lazy
    assert found.keeps.all()


def test_nothing_once_gone_comes_back() -> None:
    world = reference_world(Setup())
    for policy in POLICIES:
        found = schedule(world, policy)
        keeps = np.where(np.arange(15) >= found.vintages.bought[:, None], found.keeps, True)
        assert (keeps[:, 1:] <= keeps[:, :-1]).all(), policy.name
        assert keeps[np.arange(15), np.arange(15)].all(), policy.name


def test_the_newest_by_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    base = small_world(6)
    for _ in range(50):
        came = rng.integers(-2, 5, 3).astype(float)
        world = changed(base, available_years=came, last_sale_years=came + rng.integers(1, 6))
        found = newest(world, on_sale(world))
        for t in range(6):
            sold = [g for g in range(3) if came[g] <= t <= world.generations.last_sale_years[g]]
            if not sold:
                continue
            worth = {g: float(world.generations.capacity_per_s[g, 0] / world.generations.price_usd[g, t]) for g in sold}
            assert found[t] == max(sold, key=lambda g: (came[g], worth[g], -g))


def test_rates_of_mixed_work() -> None:
    assert rate_per_s(np.array([[2.0, 2.0], [3.0, 0.0], [0.0, 0.0]])).tolist() == [1.0, 3.0, 0.0]


def test_policies_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="above 0 years"):
        fixed(0.0)
    with pytest.raises(ValueError, match="not be negative"):
        extended(5.0, -1.0)
    with pytest.raises(ValueError, match="at least 0"):
        by_generation([1.0, -1.0])
    with pytest.raises(ValueError, match="one life for each"):
        schedule(small_world(6), by_generation([1.0]))


def test_names_are_told_apart() -> None:
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
