"""What a mix costs in a year against sums by hand: energy, capital, wear, slowdown, carbon, and caps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiplan.planners.stabilize.assess import Assessment, Judge
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Mix, SecondaryLoad, StartCap, Storage
from aiplan.planners.stabilize.timeline import Phase
from tests.stabilize.sites import (
    AROUND_W,
    FREE,
    HIGH_W,
    IDLE_W,
    LOW_W,
    RATES,
    SUPERCAP,
    job,
    judge,
    line,
    ramps,
    site,
)

MEAN_W = 0.8 * HIGH_W + 0.2 * LOW_W
YEAR_H = 0.95 * 8760.0
STEADY = replace(RATES, starts=0.0, checkpoints=0.0)
"""A year without starts: everything is the steady state."""
NOTHING = Limits("none")
CUT = 2e-3
"""The steady state of the run is 50 s less the step before the stop: means over 25 periods are off by no more [1]."""


def steady(mix: Mix, **changes: object) -> tuple[Judge, Assessment]:
    one = judge(site(duration_s=70.0), NOTHING, rates=STEADY, **changes)
    return one, one.judge(mix)


def test_nothing_costs_nothing() -> None:
    found = judge(site(), NOTHING).judge(Mix())
    assert (found.annual_usd, found.overhead_wh, found.slowdown_fraction, found.carbon_g) == (0.0, 0.0, 0.0, 0.0)
    assert found.feasible


def test_a_floor_by_hand() -> None:
    """(1 - d)(F - L) for 8,322 hours at $60/MWh and 400 g/kWh; no time is lost."""
    _, found = steady(Mix(gpu=GpuSmoothing(1000.0)))
    added = 1000.0 * 0.2 * (1000.0 - LOW_W) * YEAR_H
    assert found.overhead_wh == pytest.approx(added, rel=CUT)
    assert found.overhead_fraction == pytest.approx(0.2 * (1000.0 - LOW_W) / (MEAN_W + AROUND_W), rel=CUT)
    assert found.energy_usd == pytest.approx(added / 1e6 * 60.0, rel=CUT)
    assert found.carbon_g == pytest.approx(added / 1e3 * 400.0, rel=CUT)
    assert found.annual_usd == found.energy_usd
    assert found.slowdown_fraction == 0.0


def test_work_withheld_by_hand() -> None:
    """A rise of 2,400 W/s takes 0.3 s from 420 to 1,140 W: 108 J of the 1,992 J of an iteration are held back.

    Discretised: in steps of 0.02 s the power is 720, 672, ... 48 W short less one step's rise: 100.8 J.
    """
    short = sum(max(720.0 - 48.0 * (n + 1), 0.0) for n in range(15)) * 0.02
    assert short == pytest.approx(100.8)
    _, found = steady(Mix(gpu=GpuSmoothing(0.0, 2400.0, INFINITE)))
    assert found.withheld_fraction == pytest.approx(short / (2.0 * MEAN_W), rel=CUT)
    assert found.slowdown_fraction == found.withheld_fraction
    assert found.slowdown_usd == pytest.approx(found.withheld_fraction * 1000.0 * YEAR_H * 2.0, rel=1e-12)
    # The energy of that work is drawn later; what is added beside is that of the accelerators' surroundings meanwhile.
    assert found.overhead_wh == pytest.approx(1000.0 * found.withheld_fraction * AROUND_W * YEAR_H, rel=0.05)


def test_slowdown_beside_a_filler_by_hand() -> None:
    """A delay of 0.1 s lets the filler run into 0.1 s of every 2 s of iteration: 5 % of that."""
    _, found = steady(Mix(secondary=SecondaryLoad(1000.0, 0.1, 0.0, 2000.0, 0.05)))
    assert found.slowdown_fraction == pytest.approx(0.05 * 0.1 / 2.0, rel=CUT)
    assert found.withheld_fraction == 0.0
    # What it burns: 580 W for 0.4 s of every 2 s, late or not; the ceiling is out of reach. The time lost is made up
    # at the job's own power.
    later = 0.05 * 0.1 / 2.0 * (MEAN_W + AROUND_W)
    assert found.overhead_wh == pytest.approx(1000.0 * (580.0 * 0.2 + later) * YEAR_H, rel=CUT)


def test_a_shorter_iteration_costs_the_time_and_energy_of_its_exchange() -> None:
    """Half the work in an iteration: 0.8 + 0.4 s for half the work, 2.4 s in place of 2."""
    _, found = steady(Mix(period_factor=0.5))
    assert found.slowdown_fraction == pytest.approx(0.2, rel=1e-9)
    before = 1.6 * (HIGH_W + AROUND_W) + 0.4 * (LOW_W + AROUND_W)
    after = 2 * (0.8 * (HIGH_W + AROUND_W) + 0.4 * (LOW_W + AROUND_W))
    assert found.overhead_fraction == pytest.approx(after / before - 1, rel=1e-9)
    _, longer = steady(Mix(period_factor=2.0))
    assert (longer.slowdown_fraction, longer.overhead_fraction) == (0.0, 0.0)


def test_another_iteration_counts_for_every_job() -> None:
    """A job whose iteration is all work loses nothing; one that is half exchange loses by its share."""
    pure = job(accelerators=3000.0, phases=(Phase("a", 2.0, 500.0),), scales=(True,))
    half = job(phases=(Phase("a", 1.0, 500.0), Phase("b", 1.0, 500.0)))
    for jobs in ((pure, half), (half, pure)):
        found = judge(site(*jobs, duration_s=70.0), NOTHING, rates=STEADY).judge(Mix(period_factor=0.5))
        # 1 s of work takes 2 s of exchange in place of 1: half more time, for a quarter of the accelerators.
        assert found.slowdown_fraction == pytest.approx(0.5 / 4, rel=1e-9)
        assert found.overhead_fraction == pytest.approx(0.5 / 4, rel=1e-9)


def store(energy_j: float, technology: str = "supercap", level: str = "site", trip: float = 0.81) -> Storage:
    units = 1.0 if level == "site" else 1000.0
    return Storage(technology, level, energy_j / units, 1e6 / units, trip, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", ["rack", "site"])
def test_storage_by_hand(level: str) -> None:
    """Price, upkeep and payment of a year; wear by discharge over 0.9 on the way out; losses both ways."""
    one, found = steady(Mix(storage=(store(5e6, level=level),)))
    figures = found.storage[0]
    capital = 1e6 * 0.15 + 5e6 * 1e4 / 3.6e6
    recovery = 0.08 / (1 - 1.08**-10)
    assert figures.capital_usd == pytest.approx(capital, rel=1e-12)
    assert figures.annual_usd == pytest.approx(capital * (recovery + 0.01), rel=1e-9)
    assert found.storage_usd == figures.annual_usd
    run = one.scene.apply(found.mix).storage[0]
    inside = one.raw(found.mix)[1].label == 0
    given_w = np.maximum(run.discharge_w, 0.0)[inside].mean()
    taken_w = np.maximum(-run.discharge_w, 0.0)[inside].mean()
    cycles = given_w / 0.9 * YEAR_H * 3600.0 / 5e6
    assert figures.cycles_per_year == pytest.approx(cycles, rel=1e-9)
    assert figures.life_years == pytest.approx(min(50e6 / cycles, 10.0), rel=1e-9)
    losses = (given_w * (1 / 0.9 - 1) + taken_w * 0.1) * YEAR_H
    assert figures.losses_wh == pytest.approx(losses, rel=1e-9)
    assert found.overhead_wh == pytest.approx(losses, rel=0.01)
    assert found.storage_j == pytest.approx(5e6)
    assert found.storage_w == pytest.approx(1e6)


def test_power_to_stay_ready_is_drawn_all_year() -> None:
    flywheel = replace(SUPERCAP, id="supercap", standby=0.02)
    _, with_it = steady(Mix(storage=(store(5e6),)), technologies={"supercap": flywheel})
    _, without = steady(Mix(storage=(store(5e6),)))
    assert with_it.overhead_wh - without.overhead_wh == pytest.approx(0.02 * 1e6 * 8760.0, rel=1e-9)
    assert with_it.storage[0].losses_wh - without.storage[0].losses_wh == pytest.approx(0.02 * 1e6 * 8760.0, rel=1e-9)


@pytest.mark.parametrize("tau_s", [0.5, 5.0, 50.0])
def test_energy_that_is_parked_is_no_energy(tau_s: float) -> None:
    """Without losses storage adds nothing, however much it still holds at the end of the run."""
    lossless = Storage("supercap", "site", 1e9, 1e7, 1.0, tau_s)
    one = judge(site(duration_s=70.0), NOTHING)
    outcome = one.scene.apply(Mix(storage=(lossless,)))
    assert abs(outcome.poi.energy_wh - one.raw(Mix())[0].poi.energy_wh) > 1.0
    found = one.assess(outcome)
    assert abs(found.overhead_fraction) < 1e-9


def test_discharge_of_many_starts_wears_more_than_of_few() -> None:
    lithium = replace(store(3.6e8, "lithium", trip=0.87), time_constant_s=20.0)
    lives = []
    for starts in (0.0, 1e3, 2e3):
        one = judge(site(), NOTHING, rates=replace(RATES, starts=starts))
        lives.append(one.judge(Mix(storage=(lithium,))).storage[0].cycles_per_year)
    assert lives[2] - lives[1] == pytest.approx(lives[1] - lives[0], rel=1e-9)
    assert lives[1] > lives[0]


def test_racks_wear_by_what_each_does_not_by_their_sum() -> None:
    """Two jobs half an iteration apart cancel in the sum; their racks work as hard as alone."""
    phases = (Phase("a", 1.0, HIGH_W), Phase("b", 1.0, LOW_W))
    mix = Mix(storage=(Storage("supercap", "rack", 5e3, 1e3, 0.9, 5.0),))
    cycles = [
        judge(site(job(count=count, phases=phases), duration_s=70.0), NOTHING, rates=STEADY)
        .judge(replace(mix, stagger=count > 1)).storage[0].cycles_per_year
        for count in (1, 2)
    ]  # fmt: skip
    assert cycles[1] == pytest.approx(cycles[0], rel=0.02)


@pytest.mark.parametrize(
    ("cap", "named", "mix"),
    [
        ({"energy_overhead": 0.05}, "energy", Mix(gpu=GpuSmoothing(1000.0))),
        ({"slowdown": 0.01}, "slowdown", Mix(gpu=GpuSmoothing(0.0, 2400.0))),
        ({"storage_j": 1e6}, "size", Mix(storage=(store(5e6),))),
        ({"life_years": 10.0}, "cycle life", Mix(storage=(store(5e6, "lithium"),))),
        ({"life_years": 11.0}, "cycle life", Mix(storage=(store(5e9),))),
    ],
)
def test_a_cap_that_is_broken_is_named_and_a_wider_one_is_not(cap: dict[str, float], named: str, mix: Mix) -> None:
    _, tight = steady(mix, caps=replace(FREE, **cap))
    assert tight.rejected == (named,)
    assert not tight.feasible
    assert tight.verdict == "pass"
    wide = {key: value * 100.0 if key != "life_years" else 1e-3 for key, value in cap.items()}
    assert steady(mix, caps=replace(FREE, **wide))[1].feasible


def test_findings_are_the_same_in_haste_but_for_a_spectrum_that_no_longer_matters() -> None:
    limits = ramps(1e5, bands=(line(1e5),))
    for mix in (Mix(), Mix(gpu=GpuSmoothing(400.0, 50.0, 50.0, 2.0))):
        slow, hasty = (judge(site(), limits, hasty=quick).judge(mix) for quick in (False, True))
        assert slow.verdict == hasty.verdict
        assert set(hasty.findings) <= set(slow.findings)
    assert len(hasty.findings) == len(slow.findings)


def test_a_cap_on_start_holds_work_back_at_every_start() -> None:
    """A ramp of 10 s to full power from idle: half the swing for 10 s less what the low phases leave, 1,460 times."""
    one = judge(site(job(phases=(Phase("a", 2.0, HIGH_W),), scales=(True,))), NOTHING)
    found = one.judge(Mix(start_cap=StartCap(10.0, IDLE_W, HIGH_W)))
    held_wh = 1000.0 * (HIGH_W - IDLE_W) * 5.0 / 3600.0 * 1460.0
    assert found.withheld_fraction == pytest.approx(held_wh / (1000.0 * HIGH_W * YEAR_H), rel=1e-3)


def test_a_job_without_work_of_its_own_loses_none() -> None:
    """Accelerators that draw nothing beside a host that does: a floor costs energy, no time."""
    nothing = job(phases=(Phase("a", 2.0, 0.0),), scales=(True,))
    found = judge(site(nothing, idle_w=0.0), NOTHING).judge(Mix(gpu=GpuSmoothing(100.0, 50.0, 50.0)))
    assert found.withheld_fraction == 0.0
    assert found.overhead_wh > 0.0


def test_two_equal_jobs_are_as_slow_as_one() -> None:
    """A filler beside the work slows both down by the same share, not by twice it."""
    filler = Mix(secondary=SecondaryLoad(1000.0, 0.1, 0.0, 2000.0, 0.05), stagger=True)
    told = [judge(site(job(count=count), duration_s=70.0), NOTHING, rates=STEADY).judge(filler) for count in (1, 2)]
    assert told[1].slowdown_fraction == pytest.approx(told[0].slowdown_fraction, rel=CUT)
