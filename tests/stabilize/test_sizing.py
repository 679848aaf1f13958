"""Storage cut to what it does: as built it does the same, as large as closed forms say, and lasts as long as asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.stabilize.closed_forms import iteration_storage_j, ramp_storage_j
from aiplan.planners.stabilize.cycle_life import rainflow
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Level, Mix
from aiplan.planners.stabilize.scene import JobSpec, Outcome, Scene, Site
from aiplan.planners.stabilize.search import assessed
from aiplan.planners.stabilize.sizing import SPARE, is_boundless, sized, template
from aiplan.planners.stabilize.technology import Technology
from aiplan.planners.stabilize.timeline import Phase
from tests.stabilize.sites import (
    AROUND_W,
    FREE,
    HIGH_W,
    IDLE_W,
    LITHIUM,
    LOW_W,
    SUPERCAP,
    checkpoint,
    job,
    judge,
    site,
)

ANY = replace(SUPERCAP, id="any", round_trip=1.0, cycle_life=INFINITE, least_duration_s=0.0)
FULL_W = 1000.0 * (HIGH_W + AROUND_W)


def cut(where: Site, mix: Mix, technology: Technology, life_years: float = 1e-9) -> tuple[Scene, Outcome]:
    one = judge(where, Limits("none"), technologies={technology.id: technology})
    episodes = one.raw(mix)[1]
    return one.scene, sized(one.scene, mix, one.technologies, episodes, one.rates, life_years)


def held_to_itself(scene: Scene, found: Outcome) -> None:
    """The mix as cut, run again: the same power and storage that has room at every moment.

    To 1e-5: boundless storage resolves 2 mJ, 0.1 W in a step, of powers of 1 MW.
    """
    built = scene.apply(found.mix)
    np.testing.assert_allclose(built.poi.power_w, found.poi.power_w, rtol=1e-5)
    # Storage of next to nothing, for a job that hardly swings, is smaller than what boundless storage resolves.
    least_j = min(one.energy_j / (100.0 if one.storage.level == "site" else one.count) for one in built.storage)
    assert built.saturated_fraction == 0.0 or least_j < 1.0
    for one, other in zip(built.storage, found.storage, strict=True):
        assert one.storage == other.storage
        np.testing.assert_allclose(one.state_j, other.state_j, rtol=1e-6, atol=1e-4 * one.energy_j + 1.0)
        assert one.state_j.min() >= 0.0
        assert one.state_j.max() <= one.energy_j * (1 + 1e-12)


jobs = st.builds(
    lambda high_s, low_s, high_w, share, check, jitter: job(
        phases=(Phase("a", high_s, high_w), Phase("b", low_s, share * high_w)),
        checkpoint=checkpoint(4, 3.0) if check else None, jitter_fraction=jitter,
    ),
    st.floats(0.2, 3.0), st.floats(0.1, 2.0), st.floats(300.0, 1200.0), st.floats(0.0, 1.0), st.booleans(),
    st.sampled_from([0.0, 0.05]),
)  # fmt: skip
technologies = st.builds(
    lambda trip, least: replace(ANY, round_trip=trip, least_duration_s=least),
    st.floats(0.6, 1.0), st.sampled_from([0.0, 3.0, 360.0]),
)  # fmt: skip
slopes = st.one_of(st.just(INFINITE), st.floats(2e4, 5e6))


@given(jobs, technologies, st.sampled_from(["rack", "site"]), st.floats(0.05, 10.0), slopes, slopes, st.booleans())
@settings(max_examples=60, deadline=None)
def test_storage_as_built_does_what_it_was_cut_from(
    spec: JobSpec, technology: Technology, level: Level, tau_s: float, up: float, down: float, floor: bool
) -> None:
    units = 1.0 if level == "site" else 1000.0
    gpu = GpuSmoothing(500.0) if floor else None
    mix = Mix(gpu=gpu, storage=(template(technology, level, tau_s, up / units, down / units),))
    scene, found = cut(site(spec, duration_s=25.0, idle_s=3.0), mix, technology)
    assert not is_boundless(found.storage[0].storage)
    held_to_itself(scene, found)


@pytest.mark.parametrize("stagger", [False, True])
def test_racks_of_several_jobs_are_sized_for_the_job_that_asks_most(stagger: bool) -> None:
    """Jobs half an iteration apart swing against each other: their sum says nothing of what one rack holds."""
    spec = job(count=2, phases=(Phase("a", 1.0, HIGH_W), Phase("b", 1.0, LOW_W)), failures_s=(30.0,), restart_s=5.0)
    small = job(phases=(Phase("a", 3.0, 900.0), Phase("b", 1.0, 300.0)), start_s=4.0)
    mix = Mix(storage=(template(ANY, "rack", 2.0, INFINITE, INFINITE),), stagger=stagger)
    scene, found = cut(site(spec, small), mix, ANY)
    held_to_itself(scene, found)


@pytest.mark.parametrize("last", [HIGH_W, IDLE_W])
def test_racks_have_room_for_the_job_that_fills_them_most(last: float) -> None:
    """One job that stops at full power beside one that never draws more than idle: only the first fills its racks."""
    full, still = (job(phases=(Phase("a", 2.0, watts),), scales=(True,)) for watts in (last, IDLE_W))
    mix = Mix(storage=(template(ANY, "rack", 1.0, INFINITE, 20.0),))
    scene, found = cut(site(full, replace(still, accelerators=9000.0)), mix, ANY)
    held_to_itself(scene, found)
    assert (found.storage[0].energy_j > 0) == (last > IDLE_W)


def test_two_storages_are_both_cut() -> None:
    fast = template(ANY, "rack", 0.5, INFINITE, INFINITE)
    slow = template(ANY, "site", 5.0, 1e5, 1e5)
    scene, found = cut(site(job(checkpoint=checkpoint())), Mix(storage=(fast, slow)), ANY)
    assert all(one.energy_j > 0 and not is_boundless(one.storage) for one in found.storage)
    held_to_itself(scene, found)


def test_size_that_is_given_is_kept() -> None:
    fixed = replace(template(ANY, "rack", 0.5, INFINITE, INFINITE), energy_j=65.0, power_w=1300.0)
    mix = Mix(storage=(fixed, template(ANY, "site", 5.0, 1e5, 1e5)))
    _, found = cut(site(), mix, ANY)
    assert found.storage[0].storage == fixed
    assert not is_boundless(found.storage[1].storage)


@pytest.mark.parametrize("duty", [0.2, 0.5, 0.8])
def test_swing_of_an_iteration_is_the_closed_form(duty: float) -> None:
    """d (1 - d) dP T within 0.5 %: a filter so slow that the grid is flat, and no idle ends to climb from.

    With tau of 2,000 s the set-point moves by T / tau, a thousandth of the swing, within an iteration; the slow drift
    towards the mean is taken out of the state before its swing is read.
    """
    period = 2.0
    spec = job(phases=(Phase("a", duty * period, HIGH_W), Phase("b", (1 - duty) * period, LOW_W)))
    mix = Mix(storage=(template(ANY, "site", 2000.0, INFINITE, INFINITE),))
    _, found = cut(site(spec, idle_s=0.0), mix, ANY)
    state = found.storage[0].state_j[:-1].reshape(-1, 100)
    drift = (state[-1, 0] - state[-2, 0]) * np.arange(100) / 100
    swing = np.ptp(state[-2] - drift)
    assert swing == pytest.approx(float(iteration_storage_j(1000.0 * (HIGH_W - LOW_W), duty, period)), rel=5e-3)


@pytest.mark.parametrize("slope", [5e4, 1e5, 2e5])
def test_swing_of_a_start_is_the_closed_form(slope: float) -> None:
    """dP^2 / (2 R) within 0.5 %, for a job of one level and a filter much faster than the ramp.

    The grid has risen by a whole step's worth as mean over the first step: a ramp of n steps takes 1/n less energy, so
    that 0.5 % needs 200 of them.
    """
    spec = job(phases=(Phase("a", 2.0, HIGH_W),), scales=(True,))
    mix = Mix(storage=(template(ANY, "site", 2e-3, slope, INFINITE),))
    _, found = cut(site(spec), mix, ANY)
    state = found.storage[0].state_j
    expected = float(ramp_storage_j(1000.0 * (HIGH_W - IDLE_W), slope))
    # What stands beside the state is led back at 5 tau as soon as the ramp is over: the deepest point is the start's.
    assert state[0] - state.min() == pytest.approx(expected, rel=5e-3)


def test_energy_and_rating_have_what_is_spare_and_no_more() -> None:
    mix = Mix(storage=(template(ANY, "site", 1.0, 1e5, 1e5),))
    _, found = cut(site(), mix, ANY)
    one = found.storage[0]
    assert one.energy_j == pytest.approx(np.ptp(one.state_j) * (1 + 2 * SPARE), rel=1e-9)
    assert one.power_w == pytest.approx(np.abs(one.discharge_w).max() * (1 + SPARE), rel=1e-9)
    assert one.state_j.min() == pytest.approx(one.energy_j - one.state_j.max(), rel=1e-9)


def test_storage_for_which_there_is_nothing_to_do_has_no_size() -> None:
    spec = job(phases=(Phase("a", 2.0, IDLE_W),), scales=(True,))
    scene, found = cut(site(spec), Mix(storage=(template(ANY, "site", 1.0, 1e5, 1e5),)), ANY)
    assert (found.storage[0].energy_j, found.storage[0].power_w) == (0.0, 0.0)
    held_to_itself(scene, found)


def test_least_duration_of_a_technology_is_kept() -> None:
    _, found = cut(site(), Mix(storage=(template(LITHIUM, "site", 1.0, INFINITE, INFINITE),)), LITHIUM)
    assert found.storage[0].energy_j == pytest.approx(360.0 * found.storage[0].power_w, rel=1e-9)


@pytest.mark.parametrize("level", ["rack", "site"])
@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("years", [5.0, 10.0])
def test_what_is_made_larger_to_last_lasts_exactly_as_long(level: Level, exponent: float, years: float) -> None:
    """At k = 1 and with credit for shallow cycles, by the count that assesses it and by one of its own."""
    worn = replace(ANY, cycle_life=5e4, calendar_years=20.0, depth_exponent=exponent, round_trip=0.9)
    one = judge(site(job(checkpoint=checkpoint())), Limits("none"), technologies={"any": worn},
                caps=replace(FREE, life_years=years))  # fmt: skip
    mix = Mix(storage=(template(worn, level, 2.0, INFINITE, INFINITE),))
    found = assessed(one, mix)
    assert found.storage[0].life_years == pytest.approx(years, rel=1e-6)
    assert "cycle life" not in found.rejected
    # As built and simulated again.
    again = one.judge(found.mix).storage[0]
    assert again.life_years == pytest.approx(years, rel=1e-4)
    # Of its own: cycles of the run, scaled by discharge of the year over that of the run.
    run = one.scene.apply(found.mix).storage[0]
    if exponent == 1.0:
        cycles = float(np.maximum(-np.diff(run.state_j), 0.0).sum() / run.energy_j)
    else:
        depths, counts = rainflow(run.state_j)
        cycles = float(sum(n * (depth / run.energy_j) ** exponent for n, depth in zip(counts, depths, strict=True)))
    given_w = np.maximum(run.discharge_w, 0.0)
    yearly = one.raw(mix)[1].annual(given_w, one.rates) * 3600.0 / (given_w.sum() * 0.02)
    assert 5e4 / (cycles * yearly) == pytest.approx(years, rel=1e-4)


def test_small_storage_is_not_made_larger_where_it_lasts() -> None:
    mix = Mix(storage=(template(SUPERCAP, "site", 1.0, INFINITE, INFINITE),))
    _, short = cut(site(), mix, SUPERCAP, 1e-9)
    _, long = cut(site(), mix, SUPERCAP, 10.0)
    assert long.storage[0].energy_j == short.storage[0].energy_j
    assert FULL_W * 3.0 > short.storage[0].energy_j > 0.0
