"""The mixes of a search: what rates and gains they are given, in which order, and that no ramp passes its limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.losses import Losses
from aiplan.planners.stabilize.candidates import (
    WITHIN,
    Options,
    Slopes,
    before_storage,
    marginal_gain,
    slopes,
    storages,
)
from aiplan.planners.stabilize.facility import poi_power_w
from aiplan.planners.stabilize.limits import Limits, RampLimit
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Mix, SecondaryLoad
from aiplan.planners.stabilize.ramps import ramp
from aiplan.planners.stabilize.search import assessed
from aiplan.planners.stabilize.sizing import is_boundless
from aiplan.planners.stabilize.timeline import Phase
from tests.stabilize.sites import (
    AROUND_W,
    HIGH_W,
    IDLE_W,
    LITHIUM,
    SUPERCAP,
    SUPPLY,
    TDP_W,
    checkpoint,
    job,
    judge,
    options,
    ramps,
    site,
)

UPS, TRANSFORMER = Losses(0.006, 0.02, 0.015), Losses(0.001, 0.0, 0.008)
FILLER = SecondaryLoad(1000.0, 0.1, 0.1, 1320.0, 0.05)


def test_gain_is_one_for_each_accelerator_without_losses_and_cooling() -> None:
    assert marginal_gain(site()) == pytest.approx(1000.0, rel=1e-6)


@given(st.floats(1.0, 1e6), st.floats(0.0, 0.5), st.floats(0.3, 1.0))
def test_gain_is_the_slope_of_power_in_equilibrium_at_full_load(count: float, cooling: float, load: float) -> None:
    """By a central difference of the facility at rest, and by the derivative of both loss curves."""
    full = count * (HIGH_W + AROUND_W)
    where = site(job(accelerators=count), conversion=((UPS, full / load), (TRANSFORMER, full / load)),
                 cooling_fraction=cooling)  # fmt: skip
    above, below = (
        float(poi_power_w([full * (1 + by)], 1.0, where.conversion, cooling, 120.0).total_w[0]) for by in (1e-4, -1e-4)
    )
    assert marginal_gain(where) == pytest.approx(count * (above - below) / (2e-4 * full), rel=1e-5)
    inner = load + float(UPS.loss(load))
    chain = (1 + 0.02 + 2 * 0.015 * load) * (1 + 2 * 0.008 * inner)
    assert marginal_gain(where) == pytest.approx(count * (chain + cooling), rel=1e-5)


def test_slopes_are_the_strictest_of_ramps_and_range() -> None:
    two = Limits("two", (RampLimit("a", 5e6, 3e6, 1.0), RampLimit("b", 4e6, INFINITE, 60.0)))
    assert slopes(two, site()) == Slopes(4e6, 3e6, marginal_gain(site()))
    ranged = slopes(replace(two, range_w=60e6, range_window_s=30.0), site())
    assert (ranged.up_w_per_s, ranged.down_w_per_s) == (2e6, 2e6)
    assert slopes(Limits("none"), site()).up_w_per_s == INFINITE


def everything(given_: Options, limits: Limits) -> list[Mix]:
    allowed = slopes(limits, site())
    behind = [(), *storages(given_, allowed, 1e6)]
    return [replace(mix, storage=one) for mix in before_storage(given_, allowed, TDP_W, 1e5) for one in behind]


MANY = options(
    floors_w=(0.0, 600.0, 1080.0), ramp_factors=(0.0, 0.5, 0.95), secondary=(FILLER,), start_cap_w=IDLE_W,
    technologies=(LITHIUM, SUPERCAP, SUPPLY), levels=("psu", "rack", "site"), time_constants_s=(0.5, 3.0),
    period_factors=(1.0, 2.0), stagger=(False, True),
)  # fmt: skip


@pytest.mark.parametrize("limits", [ramps(1e5), ramps(1e5, 2e5), Limits("none"), ramps(INFINITE, 1e5)])
@pytest.mark.parametrize(
    "given_",
    [
        MANY,
        options(),
        options(floors_w=(1080.0,), ramp_factors=(0.5,), period_factors=(2.0,)),
        options(floors_w=(600.0, 0.0), ramp_factors=(0.95, 0.0), stagger=(True,)),
    ],
)
def test_every_mix_comes_once_and_the_plain_job_first(given_: Options, limits: Limits) -> None:
    """The plain job is looked at, too, where no option holds it: a search compares with it."""
    found = everything(given_, limits)
    assert found[0] == Mix()
    assert len(set(found)) == len(found)


def test_of_one_kind_of_measure_there_are_as_many_as_options_say() -> None:
    """Floors x ramps, fillers and one cap on start for each schedule, by counting."""
    mixes = list(before_storage(MANY, slopes(ramps(1e5), site()), TDP_W, 1e5))
    assert len(mixes) == 2 * 2 * (3 * 3 + 1 + 1)
    assert len(list(before_storage(MANY, slopes(Limits("none"), site()), TDP_W, 1e5))) == 2 * 2 * (3 + 1)


def test_storage_acts_in_the_order_in_which_it_is_meant() -> None:
    """The lasting one flattens iterations, so it must see the load before the one that takes the ramps."""
    order = ("psu", "rack", "site")
    pairs = [two for two in storages(MANY, slopes(ramps(1e5), site()), 1e6) if len(two) == 2]
    assert {(fast.level, slow.level) for fast, slow in pairs} == {("rack", "rack"), ("rack", "site"), ("site", "site")}
    for fast, slow in pairs:
        assert (fast.technology, slow.technology) == ("supercap", "lithium")
        assert order.index(fast.level) <= order.index(slow.level)
        assert fast.time_constant_s < slow.time_constant_s
        assert fast.ramp_up_w_per_s == INFINITE > slow.ramp_up_w_per_s


def test_storage_of_a_power_supply_has_the_size_it_comes_with() -> None:
    found = [one for (one, *rest) in storages(MANY, slopes(ramps(1e5), site()), 1e6) if not rest and one.level == "psu"]
    assert {one.energy_j for one in found} == {65.0}
    assert {one.power_w for one in found} == {65.0 / 0.05}
    assert not any(is_boundless(one) for one in found)


def test_a_slow_limit_adds_a_time_constant_that_comes_back_without_overshoot() -> None:
    """dP / (7 R), where that is above all that are given."""
    allowed = slopes(ramps(1e5), site())
    taus = {one.time_constant_s for (one, *_) in storages(MANY, allowed, 7e6)}
    assert taus == {0.5, 3.0, 10.0}
    assert {one.time_constant_s for (one, *_) in storages(MANY, allowed, 1e6)} == {0.5, 3.0}


losses = st.sampled_from([(), ((UPS, 1.6e6),), ((UPS, 2e6), (TRANSFORMER, 2e6))])


@given(st.floats(2e4, 2e6), st.floats(2e4, 2e6), losses, st.floats(0.0, 0.3), st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_no_candidate_that_holds_ramps_passes_the_limit(
    up: float, down: float, conversion: tuple[tuple[Losses, float], ...], cooling: float, pick: int
) -> None:
    """Accelerators that hold ramps, and storage that does, at every level, through losses and cooling."""
    where = site(job(checkpoint=checkpoint(4, 3.0)), conversion=conversion, cooling_fraction=cooling, duration_s=40.0)
    limits = ramps(up, down)
    one = judge(where, limits)
    allowed = slopes(limits, where)
    some = replace(MANY, period_factors=(1.0,), stagger=(False,))
    held = [mix for mix in before_storage(some, allowed, TDP_W, 1e5) if holds(mix.gpu)]
    held += [Mix(storage=store) for store in storages(some, allowed, 1e6) if store[-1].ramp_up_w_per_s < INFINITE]
    held += [Mix(gpu=GpuSmoothing(600.0), storage=store) for store in storages(some, allowed, 1e6) if len(store) == 2]
    mix = held[pick % len(held)]
    found = one.scene.apply(assessed(one, mix).mix)
    assert found.saturated_fraction == 0.0
    change = ramp(found.poi.power_w, 0.02, 1.0)
    assert change.max() <= up * (1 + 1e-9)
    assert -change.min() <= down * (1 + 1e-9)
    steep = np.diff(found.poi.power_w) / 0.02
    assert steep.max() <= up * (1 + 1e-6)
    assert -steep.min() <= down * (1 + 1e-6)


def holds(gpu: GpuSmoothing | None) -> bool:
    return gpu is not None and gpu.ramp_up_w_per_s < INFINITE


def test_a_cap_on_start_rises_within_the_limit() -> None:
    """From idle to TDP at the limit: simulated with a job of one level, whose start is then the only rise."""
    where = site(job(phases=(Phase("a", 2.0, HIGH_W),), scales=(True,)), conversion=((UPS, 2e6),))
    limits = ramps(1e5, INFINITE)
    mixes = list(before_storage(options(start_cap_w=IDLE_W), slopes(limits, where), TDP_W, 1e5))
    assert len(mixes) == 2
    cap = mixes[1].start_cap
    assert cap is not None
    assert (cap.initial_w, cap.final_w) == (IDLE_W, TDP_W)
    assert (TDP_W - IDLE_W) * marginal_gain(where) / cap.duration_s == pytest.approx(WITHIN * 1e5)
    found = judge(where, limits).judge(mixes[1])
    assert found.feasible
    # It is no slower than it must be: the ramp comes near the limit, which holds at full load.
    assert max(one.value or 0.0 for one in found.findings) > 0.9e5
