"""What is claimed of measures, each on inputs that are stated with it.

Cycle lives are assumed (50 million of a supercapacitor, 8,000 of lithium cells), and the 65 J per accelerator are
second-hand; the claims are about what follows from them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.stabilize.annual import STEADY
from aiplan.planners.stabilize.assess import Judge
from aiplan.planners.stabilize.case import build_case
from aiplan.planners.stabilize.closed_forms import full_cycles_per_year, longest_flat_period_s
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.mitigation import GpuSmoothing, Level, Mix, Storage
from aiplan.planners.stabilize.ramps import ramp
from aiplan.planners.stabilize.scene import Scene
from aiplan.planners.stabilize.technology import Technology
from aiplan.planners.stabilize.timeline import Phase
from tests.stabilize.sites import (
    DUTY,
    FREE,
    HIGH_W,
    IDLE_W,
    LITHIUM,
    LOW_W,
    RATES,
    SUPERCAP,
    TDP_W,
    checkpoint,
    job,
    judge,
    ramps,
    site,
)

SWING_W = 700.0
SUPPLY_J = 65.0


def flat(period_s: float, duty: float) -> bool:
    """Whether 65 J per accelerator keep a swing of 700 W flat: never full nor empty in the last 10 s of the run.

    Inputs: 1,120 and 420 W, 100 values a second, no losses, a converter of 1,300 W, a filter of 2 s.
    """
    spec = job(phases=(Phase("a", duty * period_s, LOW_W + SWING_W), Phase("b", (1 - duty) * period_s, LOW_W)))
    supply = Storage("supply", "psu", SUPPLY_J, 1300.0, 1.0, 2.0)
    run = Scene(site(spec, step_s=0.01, duration_s=64.0, idle_s=2.0)).apply(Mix(storage=(supply,)))
    last = slice(5200, 6200)
    steady = run.poi.power_w[last]
    kept = not run.storage[0].saturated[last].any()
    if kept:
        # Flat means flat: a ripple of T / tau at most, where the load swings by 700 W.
        assert np.ptp(steady) <= 1000.0 * SWING_W * period_s / 2.0
    return kept


@pytest.mark.parametrize("duty", [0.5, 0.8])
def test_65_joules_flatten_periods_up_to_half_a_second_and_no_longer(duty: float) -> None:
    """e / (d (1 - d) dP): 0.37 s at a duty of 0.5, 0.58 s at 0.8 (check 10 of the reference, within 5 % simulated)."""
    exact = float(longest_flat_period_s(SUPPLY_J, SWING_W, duty))
    assert exact == pytest.approx({0.5: 0.37, 0.8: 0.58}[duty], rel=0.01)
    assert flat(0.95 * exact, duty)
    assert not flat(1.05 * exact, duty)
    for longer in (0.8, 1.0, 2.0):
        assert not flat(longer, duty)


def test_65_joules_leave_the_swing_of_the_reference_job() -> None:
    """Of line 1 98.5 % stay by the table of section 6, which does not state its filter; with 1 s, 90 % at least."""
    where = site()
    supply = Storage("supply", "psu", SUPPLY_J, 1300.0, 0.95, 1.0)
    scene = Scene(where)
    turn = np.exp(-1j * np.pi * 0.02 * np.arange(2000))
    lines = [abs(np.mean(scene.apply(mix).poi.power_w[500:2500] * turn)) for mix in (Mix(), Mix(storage=(supply,)))]
    assert lines[1] > 0.9 * lines[0]


LARGE = Storage("any", "site", 20e6, 1.2e6, 0.95, 10.0)
"""20 kJ per accelerator, as 0.56 MWh of 100,000."""


def life(technology: Technology) -> tuple[float, tuple[str, ...], float]:
    """Years, caps that are broken, and equivalent full cycles a year."""
    # The state of charge comes back over 50 s after the start: nothing is steady before.
    one = judge(
        site(duration_s=410.0), Limits("none"), caps=replace(FREE, life_years=10.0), settle_s=200.0,
        technologies={technology.id: technology}, rates=replace(RATES, starts=0.0, checkpoints=0.0),
    )  # fmt: skip
    found = one.judge(Mix(storage=(replace(LARGE, technology=technology.id),)))
    return found.storage[0].life_years, found.rejected, found.storage[0].cycles_per_year


def test_lithium_cells_fail_on_cycle_life_where_supercapacitors_pass() -> None:
    """The same size, the same work, ten years: 172,000 equivalent full cycles a year (section 8) at 95 % up-time."""
    expected = float(full_cycles_per_year(1000.0 * (HIGH_W - LOW_W), DUTY, LARGE.energy_j, 0.95))
    assert expected == pytest.approx(172_000, rel=0.01)
    years, rejected, cycles = life(LITHIUM)
    assert rejected == ("cycle life",)
    assert years < 0.06
    # One way of 95 % is lost, and the set-point follows a little: closed form and run agree within 5 %.
    assert cycles == pytest.approx(expected, rel=0.05)
    years, rejected, same = life(SUPERCAP)
    assert rejected == ()
    assert years == pytest.approx(10.0)
    assert same == pytest.approx(cycles, rel=1e-9)


def test_with_the_cycles_of_small_capacitors_those_fail_too() -> None:
    """The claim rests on 50 million cycles, which are assumed: at 500,000, as of small cells, it lasts 3 years."""
    years, rejected, _ = life(replace(SUPERCAP, cycle_life=5e5))
    assert rejected == ("cycle life",)
    assert years == pytest.approx(5e5 / 172_000, rel=0.06)


FLOORS = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_alone_fixes_no_start_stop_or_checkpoint(floor: float) -> None:
    """A job that starts and stops while it computes, with a checkpoint of 8 s at 0.2 of TDP, without hysteresis.

    Rise at the start and fall at the stop are those of the job without a floor. A checkpoint falls from H to the floor
    at least: by more than any limit below H - F in one second, so that 50 W/s per accelerator are broken by every floor
    up to 0.9 there, and by all of them at start and stop.
    """
    where = site(job(checkpoint=checkpoint(10)), duration_s=71.0)
    limits = ramps(5e4)
    one = judge(where, limits)
    raw, found = one.judge(Mix()), one.judge(Mix(gpu=GpuSmoothing(floor * TDP_W)))
    power = [one.scene.apply(each.mix).poi.power_w for each in (raw, found)]
    change = [ramp(each, 0.02, 1.0) for each in power]
    start, stop = slice(190, 310), slice(-310, -190)
    assert change[1][start].max() == pytest.approx(change[0][start].max(), rel=1e-9)
    assert change[1][stop].min() == pytest.approx(change[0][stop].min(), rel=1e-9)
    assert change[0][start].max() == pytest.approx(1000.0 * (HIGH_W - IDLE_W), rel=1e-9)
    assert found.verdict == "fail"
    failed = {each.limit for each in found.findings if each.regime == "transient" and each.verdict == "fail"}
    assert failed == {"ramp_up", "ramp_down"}
    # The checkpoint, from 25 s on for 8 s: over its end, and over its beginning from the last phase of computing.
    kept_w = max(floor * TDP_W, 240.0)
    over = change[1][round(31.5 / 0.02) : round(34.0 / 0.02)]
    assert over.max() >= 1000.0 * (HIGH_W - kept_w) * (1 - 1e-9)
    if floor <= 0.9:
        assert over.max() > 5e4


def test_a_floor_of_90_percent_costs_about_a_tenth_more_energy() -> None:
    """9.5 to 11 % on the reference job, in steady state, in the whole run and in a year.

    Plausibility only: the published 10.5 % (second-hand) are of a job whose duty and low power nobody states.
    """
    case = build_case(load_scenario("stabilize-reference", StabilizeInputs, (), "stabilize").inputs, Catalog())
    one = Judge(Scene(case.site), case.limits, case.settle_s, case.rates, case.prices, case.caps, case.technologies)
    outcome = one.scene.apply(Mix(gpu=GpuSmoothing(0.9 * case.tdp_w)))
    raw, episodes, _, _ = one.raw(Mix())
    inside = episodes.label == STEADY
    steady = outcome.poi.power_w[inside].mean() / raw.poi.power_w[inside].mean() - 1
    run = outcome.poi.energy_wh / raw.poi.energy_wh - 1
    year = one.assess(outcome).overhead_fraction
    for share in (steady, run, year):
        assert 0.095 <= share <= 0.11
    assert steady < year < run


LEVELS: tuple[Level, ...] = ("psu", "rack", "site")


@given(
    st.sampled_from(LEVELS), st.floats(10.0, 1e5), st.floats(10.0, 2e3), st.floats(0.1, 10.0), st.floats(20.0, 2e3),
    st.floats(0.6, 1.0),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_ramp_passes_the_limit_of_storage_unless_it_saturates_and_says_so(
    level: Level, energy_j: float, power_w: float, tau_s: float, slope: float, trip: float
) -> None:
    """Energy, rating and slope per accelerator, of any size: from far too small to ample."""
    units = 1000.0 if level == "site" else 1.0
    storage = Storage("supercap", level, units * energy_j, units * power_w, trip, tau_s, units * slope, units * slope)
    found = WHERE.judge(Mix(storage=(storage,)))
    power = WHERE.scene.apply(found.mix).poi.power_w
    steep = np.abs(np.diff(power)).max() / 0.02
    if steep > 1000.0 * slope * (1 + 1e-6):
        assert found.storage[0].saturated_fraction > 0.0
    if found.storage[0].saturated_fraction == 0.0:
        assert np.abs(ramp(power, 0.02, 1.0)).max() <= 1000.0 * slope * (1 + 1e-6)


WHERE = judge(site(job(checkpoint=checkpoint(4, 3.0)), duration_s=30.0, idle_s=3.0), Limits("none"))


def test_both_kinds_of_storage_are_among_those_tried() -> None:
    """The property above is not empty: ample storage never saturates, small storage does and breaks the ramp."""
    ample = Storage("supercap", "site", 1e9, 1e7, 0.95, 1.0, 1e5, 1e5)
    small = replace(ample, energy_j=1e5)
    told = [WHERE.judge(Mix(storage=(one,))).storage[0].saturated_fraction for one in (ample, small)]
    assert told[0] == 0.0 < told[1]
