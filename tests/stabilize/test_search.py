"""The search against brute force: the cheapest, the front, what binds, and what tighter limits do."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import pi, sin
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.stabilize.annual import Rates
from aiplan.planners.stabilize.assess import Assessment
from aiplan.planners.stabilize.candidates import Options, before_storage, slopes, storages
from aiplan.planners.stabilize.limits import Limits, RampLimit
from aiplan.planners.stabilize.mitigation import GpuSmoothing, Mix, SecondaryLoad
from aiplan.planners.stabilize.scene import Site
from aiplan.planners.stabilize.search import (
    BETTER,
    Found,
    assessed,
    binding,
    front,
    limit_words,
    reason,
    refined,
    search,
    starts,
    unsized,
)
from aiplan.planners.stabilize.sizing import is_boundless, template
from aiplan.planners.stabilize.words import family
from tests.stabilize.sites import (
    CHECKPOINT_W,
    DUTY,
    FREE,
    HIGH_W,
    IDLE_W,
    LITHIUM,
    LOW_W,
    SUPERCAP,
    SUPPLY,
    TDP_W,
    checkpoint,
    job,
    judge,
    line,
    lines,
    options,
    ramps,
    site,
)

SMALL = options(
    floors_w=(0.0, 700.0, 1080.0), ramp_factors=(0.0, 0.95), secondary=(SecondaryLoad(1000.0, 0.1, 0.1, 1320.0, 0.05),),
    start_cap_w=IDLE_W, technologies=(LITHIUM, SUPERCAP), levels=("site",), time_constants_s=(1.0, 3.0),
)  # fmt: skip
WHERE = site(job(checkpoint=checkpoint(20, 3.0)), duration_s=90.0, step_s=0.05)
CAPS = replace(FREE, energy_overhead=0.2, slowdown=0.1, life_years=10.0)
PAYS = 1e-9
"""Relative tolerance of sums of money [1]."""


@cache
def found(limits: Limits, given_: Options = SMALL, where: Site = WHERE, **changes: object) -> Found:
    return search(judge(where, limits, caps=CAPS, hasty=True, **changes), given_, TDP_W)


def brute(limits: Limits, given_: Options = SMALL, where: Site = WHERE) -> list[Assessment]:
    """Every mix of the options, sized, then simulated as it would be built and held to all limits."""
    one = judge(where, limits, caps=CAPS)
    allowed = slopes(limits, where)
    power = one.raw(Mix())[0].poi.power_w
    swing = float(power.max() - power.min())
    out = []
    for mix in before_storage(given_, allowed, TDP_W, swing):
        for storage in [(), *storages(given_, allowed, swing)]:
            built = assessed(one, replace(mix, storage=storage)).mix
            out.append(one.judge(built))
    return out


LIMITS = (
    ramps(2e5, bands=(line(1e5),)),
    ramps(1e5, 3e5, most_w=1.6e6),
    ramps(5e4, range_w=8e5, range_window_s=5.0),
    lines(2e4),
)


@pytest.mark.parametrize("limits", LIMITS)
def test_the_cheapest_is_what_brute_force_finds_or_cheaper(limits: Limits) -> None:
    every = brute(limits)
    told = found(limits)
    first = told.assessments[: len(every)]
    # What was computed from what boundless storage did is what storage as built does.
    for one, other in zip(first, every, strict=True):
        assert one.mix == other.mix
        assert one.verdict == other.verdict
        assert one.annual_usd == pytest.approx(other.annual_usd, rel=1e-6, abs=1e-3)
        assert one.rejected == other.rejected
    passing = [one for one in every if one.feasible]
    assert passing, "limits that something keeps"
    assert told.best is not None
    kinds = [family(one.mix) for one in starts(first)]
    assert len(set(kinds)) == len(kinds) > 0
    assert told.best.annual_usd <= min(one.annual_usd for one in passing) * (1 + PAYS)
    assert all(told.best.annual_usd <= one.annual_usd for one in told.assessments if one.feasible)
    # As built and held to every limit, not in haste.
    assert judge(WHERE, limits, caps=CAPS).judge(told.best.mix).feasible


@pytest.mark.parametrize("limits", LIMITS)
def test_the_front_is_all_that_nothing_beats(limits: Limits) -> None:
    """By comparing every feasible mix with every other."""
    told = found(limits)
    passing = [one for one in told.assessments if one.feasible]

    def goals(one: Assessment) -> tuple[float, float, float]:
        return one.annual_usd, one.overhead_fraction, one.slowdown_fraction

    def close(one: Assessment, other: Assessment) -> bool:
        return all(abs(a - b) <= 1e-6 * max(abs(b), 1.0) for a, b in zip(goals(one), goals(other), strict=True))

    def beats(one: Assessment, other: Assessment) -> bool:
        pairs = list(zip(goals(one), goals(other), strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    best = [one for one in passing if not any(beats(other, one) for other in passing)]
    for one in best:
        assert any(close(other, one) for other in told.front)
    for one in told.front:
        assert not any(beats(other, one) and not close(other, one) for other in passing)
    assert list(told.front) == sorted(told.front, key=goals)
    assert told.best is not None
    assert told.front[0].annual_usd == told.best.annual_usd


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.01, 0.02, 0.05])] * 3), max_size=12))
def test_a_front_of_any_points(points: list[tuple[float, float, float]]) -> None:
    plain = judge(WHERE, Limits("none")).judge(Mix())
    told = [replace(plain, energy_usd=a, overhead_fraction=b, slowdown_fraction=c) for a, b, c in points]
    kept = {(one.annual_usd, one.overhead_fraction, one.slowdown_fraction) for one in front(told)}
    wanted = {
        one for one in points
        if not any(other != one and all(x <= y for x, y in zip(other, one, strict=True)) for other in points)
    }  # fmt: skip
    assert kept == wanted
    assert len(front(told)) == len(wanted)


def test_a_plain_job_that_passes_is_the_best() -> None:
    told = found(ramps(1e9, bands=(line(1e9),)))
    assert told.best is not None
    assert told.best.mix == Mix()
    assert told.best.annual_usd == 0.0
    assert told.binding == ""
    assert told.front[0] is told.plain


def test_the_plain_job_is_the_plain_job_where_no_option_holds_it() -> None:
    told = found(ramps(2e5), options(floors_w=(700.0,), ramp_factors=(0.95,), period_factors=(2.0,)))
    assert told.plain.mix == Mix()


def test_what_nothing_can_keep_is_named() -> None:
    """A connection of half the job's power: every mix draws too much, so that the rating binds."""
    told = found(Limits("small", most_w=8e5))
    assert told.best is None
    assert told.front == ()
    assert told.binding.startswith("most")
    assert told.refused[told.binding] <= len(told.assessments)
    assert sum(told.refused.values()) == len(told.assessments)


def test_a_cap_that_nothing_can_keep_is_named() -> None:
    no = search(judge(WHERE, ramps(1e5), caps=replace(FREE, storage_j=1.0)), options(technologies=(SUPERCAP,)), TDP_W)
    assert no.best is None
    assert sum(name.startswith("ramp") for name in no.refused) == 1
    assert "size" in no.refused


@pytest.mark.parametrize(
    ("limits", "wider", "named"),
    [
        (ramps(5e4, bands=(line(1e6),)), ramps(2e5, bands=(line(1e6),)), "ramp"),
        (lines(2e4), lines(2e5), "line"),
        (ramps(1.4e6, bands=(line(1e5),)), ramps(1.4e6, bands=(line(2.8e5),)), "line"),
    ],
)
def test_what_binds_makes_the_best_cheaper_when_it_is_wider(limits: Limits, wider: Limits, named: str) -> None:
    """Of two limits the one that no mix has trouble with is not named."""
    tight, wide = found(limits), found(wider)
    assert tight.best is not None
    assert wide.best is not None
    assert tight.binding.startswith(named)
    assert wide.best.annual_usd < tight.best.annual_usd


@pytest.mark.parametrize(("tight", "wide"), list(pairwise((1.2e4, 3e4, 7e4, 1.5e5, 3.2e5))))
def test_stricter_lines_never_make_the_best_cheaper(tight: float, wide: float) -> None:
    """The same mixes are looked at, so that before refinement it holds exactly; after it up to a few steps of it.

    At chosen limits: refinement is a local search and promises nothing between any two.
    """
    strict, loose = (found(lines(most)) for most in (tight, wide))
    count = len(brute_count())
    at_first = [
        min((each.annual_usd for each in told.assessments[:count] if each.feasible), default=float("inf"))
        for told in (strict, loose)
    ]
    assert at_first[1] <= at_first[0] * (1 + PAYS)
    if strict.best is not None:
        assert loose.best is not None
        assert loose.best.annual_usd <= strict.best.annual_usd * 1.05


def test_a_wider_limit_is_no_dearer_where_another_kind_of_mix_takes_over() -> None:
    """On the grid of options a floor with supercapacitors is cheapest here, refined it is supercapacitors and cells."""
    costs = []
    for most in (1.3e4, 2.2e4, 1e5, 2.5e5):
        best = found(lines(most)).best
        assert best is not None
        costs.append(best.annual_usd)
    assert all(later <= earlier * (1 + BETTER) for earlier, later in pairwise(costs))
    # A floor that is just high enough costs a quarter of the storage that the grid of options says is cheapest.
    assert costs[-1] < 0.3 * costs[-2]


def brute_count() -> list[Mix]:
    allowed = slopes(Limits("l"), WHERE)
    behind = [(), *storages(SMALL, allowed, 1e6)]
    return [replace(mix, storage=one) for mix in before_storage(SMALL, allowed, TDP_W, 1e6) for one in behind]


def test_the_floor_that_a_line_asks_for_is_found() -> None:
    """Line 1 is 2 (H - F) sin(pi d) / pi: the least floor by closed form; its price is found to 2 % of the way."""
    most = 1e5
    needed = HIGH_W - most / 1000.0 * pi / (2 * sin(pi * DUTY))
    given_ = options(floors_w=(0.0, 700.0, 1080.0))
    told = found(lines(most), given_, site(step_s=0.05))
    assert told.best is not None
    gpu = told.best.mix.gpu
    assert gpu is not None
    assert needed * 0.999 <= gpu.floor_w <= needed * 1.05
    assert gpu.floor_w > LOW_W


def test_refinement_only_gets_cheaper_and_tells_every_try() -> None:
    limits = ramps(2e5, bands=(line(1e5),))
    one = judge(WHERE, limits, caps=CAPS)
    start = assessed(one, Mix(storage=(template(SUPERCAP, "site", 3.0, 1e5, 1e5),)))
    assert start.feasible
    tried = list(refined(one, start))
    best = min(each.annual_usd for each in [start, *tried] if each.feasible)
    assert best < start.annual_usd * (1 - BETTER)
    end = min((each for each in tried if each.feasible), key=lambda each: each.annual_usd)
    # From where it ends no single step saves more than it stops for.
    further = [each for each in refined(one, end) if each.feasible]
    assert min(each.annual_usd for each in further) >= end.annual_usd * (1 - 2 * BETTER)


def test_a_reason_is_the_limit_that_is_broken_most() -> None:
    one = judge(WHERE, ramps(9e5, most_w=1.0e6)).judge(Mix())
    broken = {limit_words(each): each.margin_fraction for each in one.findings if each.verdict == "fail"}
    assert len(broken) > 1
    assert broken[reason(one)] == min(value for value in broken.values() if value is not None)
    assert reason(judge(WHERE, Limits("none")).judge(Mix())) == ""
    assert reason(judge(WHERE, Limits("none"), caps=replace(FREE, energy_overhead=0.01)).judge(
        Mix(gpu=GpuSmoothing(1080.0)))) == "energy"  # fmt: skip
    unseen = judge(WHERE, Limits("slow", bands=(line(1e9, low_hz=1e-4),))).judge(Mix())
    assert reason(unseen) == "undetermined"


def test_what_binds_is_what_cheaper_mixes_break_most_often() -> None:
    plain = judge(WHERE, Limits("none")).judge(Mix())
    broken = (("energy",), ("size",), ("size",), (), ("energy",), ("energy",))
    priced = [replace(plain, energy_usd=float(cost), rejected=named) for cost, named in enumerate(broken, 1)]
    assert binding(priced, priced[3]) == "size"
    assert binding(priced, None) == "energy"
    assert binding(priced[3:], priced[3]) == ""


def test_storage_that_comes_with_a_power_supply_is_not_sized() -> None:
    given_ = options(technologies=(SUPPLY, SUPERCAP), levels=("psu", "rack"))
    for (one,) in storages(given_, slopes(ramps(1e5), WHERE), 1e6):
        assert is_boundless(unsized(one)) == (one.level == "rack")


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    search(judge(WHERE, ramps(1e9)), options(floors_w=(0.0, 700.0)), TDP_W, lambda done, of: seen.append((done, of)))
    assert seen == [(0, 2), (1, 2)]


@pytest.mark.parametrize("often", [0.0, 1e4])
def test_what_starts_cost_decides_between_measures(often: float) -> None:
    """A cap on start costs nothing where nothing starts, and work at every start; storage does not care."""
    told = found(ramps(1e5), rates=Rates(0.95, often, 0.0, 0.0))
    assert told.best is not None
    assert (told.best.mix.start_cap is None) == bool(often)
    assert told.best.mix.storage


def test_where_nothing_limits_ramps_converters_for_part_of_the_swing_do() -> None:
    """A line of 40 % of the raw one: storage need not take the whole swing."""
    raw_w = 1000.0 * 2.0 * (HIGH_W - LOW_W) * sin(pi * DUTY) / pi
    one = judge(WHERE, lines(0.4 * raw_w), caps=CAPS)
    found = search(one, options(technologies=(SUPERCAP,), levels=("site",), time_constants_s=(3.0,)), TDP_W)
    assert found.best is not None
    built = one.judge(found.best.mix)
    assert built.verdict == "pass"
    assert built.storage[0].saturated_fraction > 0.0
    whole = [
        each for each in found.assessments if each.feasible and each.storage and not each.mix.storage[0].rating_held
    ]
    assert found.best.mix.storage[0].rating_held
    assert found.best.storage_w < 0.7 * min(each.storage_w for each in whole)
    assert found.best.annual_usd < min(each.annual_usd for each in whole)


def test_with_a_ramp_limit_converters_take_the_whole_swing() -> None:
    one = judge(WHERE, ramps(100e3), caps=CAPS)
    found = search(one, options(technologies=(SUPERCAP,), levels=("site",), time_constants_s=(3.0,)), TDP_W)
    assert not any(storage.rating_held for each in found.assessments for storage in each.mix.storage)


@pytest.mark.parametrize("kept", [
    {"ramps": (RampLimit("", 1e9, 1e9, 1.0),)},
    {"range_w": 1e9, "range_window_s": 60.0},
])  # fmt: skip
def test_a_limit_the_job_keeps_as_it_is_makes_nothing_dearer(kept: dict[str, Any]) -> None:
    raw_w = 1000.0 * 2.0 * (HIGH_W - LOW_W) * sin(pi * DUTY) / pi
    wanted = options(technologies=(SUPERCAP,), levels=("site",), time_constants_s=(3.0,))
    alone, both = (search(judge(WHERE, limits, caps=CAPS), wanted, TDP_W).best
                   for limits in (lines(0.4 * raw_w), replace(lines(0.4 * raw_w), **kept)))  # fmt: skip
    assert alone is not None
    assert both is not None
    assert both.annual_usd == pytest.approx(alone.annual_usd, rel=1e-9)


def test_refined_floors_stay_between_the_job_and_the_options() -> None:
    """Ramps that only accelerators hold: higher floors would be cheaper, lower ones than its least do nothing."""
    one = judge(WHERE, ramps(30e3), caps=replace(CAPS, slowdown=0.5, energy_overhead=0.5))
    most = 0.9 * TDP_W
    found = search(one, options(floors_w=(0.0, 700.0, most), ramp_factors=(0.0, 0.95)), TDP_W)
    floors = [
        each.mix.gpu.floor_w for each in found.assessments if each.mix.gpu is not None and each.mix.gpu.floor_w > 0
    ]
    assert max(floors) <= most
    assert min(floors) > min(LOW_W, CHECKPOINT_W)
