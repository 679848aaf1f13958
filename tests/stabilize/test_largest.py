"""The largest job a connection accepts: closed forms, what does not depend on size, and the size itself run again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.losses import Losses
from aiplan.planners.stabilize.annual import Rates
from aiplan.planners.stabilize.largest import LEAST, MOST, PRECISION, largest, resized
from aiplan.planners.stabilize.limits import Band, Limits, RampLimit
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Mix, StartCap
from aiplan.planners.stabilize.search import assessed
from aiplan.planners.stabilize.sizing import template
from tests.stabilize.sites import (
    AROUND_W,
    FREE,
    HIGH_W,
    IDLE_W,
    SUPERCAP,
    SUPPLY,
    checkpoint,
    job,
    judge,
    line,
    ramps,
    site,
)

WHERE = site(job(checkpoint=checkpoint(20, 3.0)), duration_s=90.0)
PLAIN = [Mix()]


def closed(limits: Limits) -> float:
    """Accelerators over those asked, by scaling what the plain job does: every value grows in proportion."""
    found = judge(WHERE, limits).judge(Mix()).findings
    return min(one.allowed / one.value for one in found if one.value and one.binding)


watts = st.floats(1e4, 1e7)


@given(watts, watts, watts, watts, watts)
@settings(max_examples=12, deadline=None)
def test_without_measures_the_size_is_the_least_ratio_of_limit_and_value(
    up: float, down: float, most: float, swing: float, amplitude: float
) -> None:
    limits = Limits("all", (RampLimit("r", up, down, 1.0),), range_w=swing, range_window_s=5.0, most_w=most,
                    bands=(line(amplitude),), segment_s=20.0)  # fmt: skip
    size = largest(judge(WHERE, limits), PLAIN)
    exact = closed(limits)
    assert exact / (1 + PRECISION) <= size.factor * (1 + 1e-9)
    assert size.factor <= exact * (1 + 1e-8)
    assert size.best is not None
    assert size.binding


def test_losses_and_cooling_grow_with_the_site() -> None:
    where = replace(WHERE, conversion=((Losses(0.006, 0.02, 0.015), 2e6),), cooling_fraction=0.1, other_w=1e5)
    limits = Limits("m", most_w=2.5e6)
    most = judge(where, limits).judge(Mix()).findings
    value = max(one.value for one in most if one.value is not None)
    assert largest(judge(where, limits), PLAIN).factor == pytest.approx(2.5e6 / value, rel=PRECISION)


@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_a_limit_in_percent_does_not_depend_on_size(fraction: float) -> None:
    """Line 1 is 20 % of the mean: a limit of 50 % holds at every size, one of 5 % at none."""
    limits = Limits("p", bands=(Band("b", 0.3, 20.0, line_fraction=fraction),), segment_s=20.0)
    size = largest(judge(WHERE, limits), PLAIN)
    if fraction > 0.2:
        assert (size.factor, size.binding) == (MOST, "")
    else:
        assert (size.factor, size.best) == (0.0, None)
        assert size.binding == "line fraction b in steady state"


def mixes() -> list[Mix]:
    return [
        Mix(gpu=GpuSmoothing(1080.0, 100.0, 100.0, 2.0)),
        Mix(start_cap=StartCap(9.6, IDLE_W, HIGH_W)),
        Mix(storage=(template(SUPERCAP, "site", 1.0, 1e5, 1e5),)),
        Mix(storage=(template(SUPERCAP, "rack", 1.0, 100.0, 100.0),)),
    ]


@pytest.mark.parametrize("place", range(4))
def test_the_size_found_passes_and_one_percent_more_does_not(place: int) -> None:
    """Measures grow with the job: the mix found is run again as it would be built, and once more a size larger."""
    mix = mixes()[place]
    limits = ramps(1e5 if place != 1 else INFINITE, most_w=4e6, bands=(line(4e6),))
    one = judge(WHERE, limits, caps=replace(FREE, slowdown=0.1, life_years=10.0))
    size = largest(one, [mix])
    assert 0 < size.factor < MOST
    assert size.best is not None
    there = replace(one, scene=one.scene.scaled(size.factor), _raw={})
    assert there.judge(size.best.mix).feasible
    larger = replace(one, scene=one.scene.scaled(size.factor * 1.01), _raw={})
    assert not assessed(larger, resized(mix, size.factor * 1.01)).feasible
    assert size.binding


@given(st.floats(1e5, 5e6), st.floats(1.0, 3.0))
@settings(max_examples=5, deadline=None)
def test_a_wider_limit_accepts_no_less(most_w: float, wider: float) -> None:
    two = [largest(judge(WHERE, Limits("m", most_w=most)), PLAIN).factor for most in (most_w, most_w * wider)]
    assert two[1] >= two[0] * (1 - PRECISION)


def test_more_mixes_accept_no_less() -> None:
    one = judge(WHERE, ramps(1e5, most_w=4e6))
    alone = [largest(one, [mix]).factor for mix in mixes()]
    assert largest(one, mixes()).factor >= max(alone) * (1 - PRECISION)


def test_the_least_and_the_most() -> None:
    assert largest(judge(WHERE, Limits("none")), PLAIN).factor == MOST
    none = largest(judge(WHERE, Limits("m", most_w=1.0)), PLAIN)
    assert (none.factor, none.best) == (0.0, None)
    assert none.binding.startswith("most")
    tiny = largest(judge(WHERE, Limits("m", most_w=1.49e6 * LEAST * 2)), PLAIN)
    assert tiny.factor == pytest.approx(2 * LEAST, rel=PRECISION)


@pytest.mark.parametrize("most_w", [6e6, 1.2e8])
def test_a_least_power_is_reached_from_below(most_w: float) -> None:
    """A job too small for the least that must be drawn passes when it is larger, up to the rating or the most tried."""
    limits = Limits("both", most_w=most_w, least_w=1e6)
    size = largest(judge(WHERE, limits), PLAIN)
    wanted = min(most_w / (1000.0 * (HIGH_W + AROUND_W)), MOST)
    assert size.factor == pytest.approx(wanted, rel=PRECISION)
    assert size.binding.startswith("most") == (wanted < MOST)
    assert (size.factor == MOST) == (wanted == MOST)
    both = largest(judge(WHERE, Limits("both", most_w=1.2e6, least_w=1e6)), PLAIN)
    assert (both.factor, both.best) == (0.0, None)
    assert both.binding


def test_twice_the_accelerators_fail_twice_as_often() -> None:
    """Floors burn on for 2 s after every failure: three times that over a floor's own energy is three times the job."""
    burning = Mix(gpu=GpuSmoothing(1080.0, hysteresis_s=2.0))
    often = judge(WHERE, Limits("none"), rates=Rates(0.95, 0.0, 0.0, 1e5))
    rare = replace(often, rates=Rates(0.95, 0.0, 0.0, 0.0))
    own, share = (one.judge(burning).overhead_fraction for one in (rare, often))
    assert share > own
    size = largest(replace(often, caps=replace(FREE, energy_overhead=own + 3.0 * (share - own))), [burning])
    # The job's own energy changes with its starts by less than a hundredth.
    assert size.factor == pytest.approx(3.0, rel=0.02)
    assert size.binding == "energy"


def test_measures_are_those_of_a_larger_job() -> None:
    """Ramps and caps of all accelerators together stay what they are; power supplies come with each."""
    fixed = replace(template(SUPPLY, "psu", 0.1, INFINITE, INFINITE), energy_j=65.0, power_w=1300.0)
    given_ = Mix(
        GpuSmoothing(900.0, 100.0, 50.0, 2.0), None, StartCap(10.0, IDLE_W, HIGH_W), (fixed, *mixes()[2].storage)
    )
    found = resized(given_, 4.0)
    assert found.gpu == GpuSmoothing(900.0, 25.0, 12.5, 2.0)
    assert found.start_cap == StartCap(40.0, IDLE_W, HIGH_W)
    assert found.storage == given_.storage
    assert resized(mixes()[3], 4.0).storage[0].ramp_up_w_per_s == 25.0
