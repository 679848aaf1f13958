"""Jobs behind a connection: the reference job, what scales and what cancels, and the order of measures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import exp, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.arrays import Array
from aiplan.planners.power.losses import Losses
from aiplan.planners.stabilize.case import Case, build_case
from aiplan.planners.stabilize.gpu_smoothing import smooth
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.mitigation import GpuSmoothing, Level, Mix, SecondaryLoad, StartCap, Storage
from aiplan.planners.stabilize.scene import JobSpec, Outcome, Scene
from aiplan.planners.stabilize.secondary_load import fill
from aiplan.planners.stabilize.storage import buffer
from aiplan.planners.stabilize.timeline import Phase
from aiplan.planners.stabilize.wave import CHECKPOINT, IDLE, ITERATION, RESTART
from tests.stabilize.base_case import largest_line
from tests.stabilize.sites import AROUND_W, HIGH_W, IDLE_W, LOW_W, checkpoint, job, site

UPS = Losses(0.006, 0.02, 0.015)


@cache
def reference() -> tuple[Case, Scene]:
    scenario = load_scenario("stabilize-reference", StabilizeInputs, (), "stabilize")
    case = build_case(scenario.inputs, Catalog())
    return case, Scene(case.site)


def steady(run: Outcome) -> Array:
    """Power in iterations at least 20 s after anything else, on the outcome's grid."""
    kind, step_s = run.poi.kind, run.poi.step_s
    assert kind is not None
    away = np.flatnonzero(kind != ITERATION)
    far = np.ones(kind.size, dtype=bool)
    for at in away.tolist():
        far[at : at + round(20.0 / step_s)] = False
    return np.asarray(run.poi.power_w[far])


def line_at(power: Array, f_hz: float, step_s: float) -> float:
    """Amplitude of the sine at a frequency in a whole number of its periods."""
    size = round(round(power.size * step_s * f_hz - 0.5) / f_hz / step_s)
    turn = np.exp(-2j * pi * f_hz * step_s * np.arange(size))
    return float(2.0 * abs(np.mean(power[:size] * turn)))


def test_reference_job_as_it_is() -> None:
    """Check 7 of the reference: mean 129.3, 53 to 149 MW, 26.8 MW at 0.5 Hz; tolerances as stated there."""
    run = reference()[1].apply(Mix())
    power = run.poi.power_w / 1e6
    assert power.mean() == pytest.approx(129.3, rel=0.01)
    assert power.min() == pytest.approx(53.0, rel=0.01)
    assert power.max() == pytest.approx(149.0, rel=0.01)
    amplitude, at_hz = largest_line(power)
    assert amplitude == pytest.approx(26.8, rel=0.03)
    assert at_hz == pytest.approx(0.5, abs=1 / 60)


def test_floor_of_90_percent_on_the_reference_job() -> None:
    """Check 8: 10.6 % more energy in the whole run, 9.6 % in steady state, each to 0.3 points."""
    scene = reference()[1]
    raw, floored = scene.apply(Mix()), scene.apply(Mix(gpu=GpuSmoothing(0.9 * 1200.0)))
    assert floored.poi.energy_wh / raw.poi.energy_wh - 1 == pytest.approx(0.106, abs=0.003)
    assert steady(floored).mean() / steady(raw).mean() - 1 == pytest.approx(0.096, abs=0.003)


MIXES = (
    Mix(),
    Mix(gpu=GpuSmoothing(800.0, 300.0, 200.0, 1.0)),
    Mix(secondary=SecondaryLoad(1000.0, 0.1, 0.1, 1320.0, 0.05)),
    Mix(storage=(Storage("any", "rack", 2e3, 500.0, 0.9, 1.0),)),
)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("factor", [0.5, 3.0, 100.0])
def test_a_scaled_scene_is_a_site_built_larger(mix: Mix, factor: float) -> None:
    """Devices, jobs and other load of twice the site are twice as large, and so is its power at every moment."""
    small = site(job(checkpoint=checkpoint()), conversion=((UPS, 2e6),), cooling_fraction=0.1, other_w=1e4)
    built = site(
        job(checkpoint=checkpoint(), accelerators=1000.0 * factor),
        conversion=((UPS, 2e6 * factor),), cooling_fraction=0.1, other_w=1e4 * factor,
    )  # fmt: skip
    scene = Scene(small)
    one, scaled, other = scene.apply(mix), scene.scaled(factor).apply(mix), Scene(built).apply(mix)
    np.testing.assert_array_equal(scaled.poi.power_w, other.poi.power_w)
    np.testing.assert_allclose(scaled.poi.power_w, factor * one.poi.power_w, rtol=1e-12)
    np.testing.assert_allclose(scaled.withheld_w, factor * one.withheld_w, rtol=1e-12)
    assert scaled.exchange_w == pytest.approx(factor * one.exchange_w, rel=1e-9, abs=1e-3)
    np.testing.assert_array_equal(scaled.beside, one.beside)


def test_arrays_do_not_grow_with_accelerators() -> None:
    for accelerators in (1.0, 1e3, 1e6):
        run = Scene(site(job(accelerators=accelerators))).apply(MIXES[3])
        sizes = {run.poi.power_w.shape, run.it_w.shape, run.withheld_w.shape, run.storage[0].discharge_w.shape}
        assert sizes == {(3000,)}


def test_measures_act_in_the_order_that_mitigation_states() -> None:
    """Filler, smoothing that sees it, storage of an accelerator, the sum, storage at the site: composed by hand."""
    filler = SecondaryLoad(900.0, 0.1, 0.2, 1320.0, 0.05)
    gpu = GpuSmoothing(600.0, 900.0, 700.0, 1.0)
    rack, large = Storage("any", "rack", 500.0, 300.0, 0.9, 0.5), Storage("any", "site", 1e6, 4e5, 0.9, 1.0, 1e5, 1e5)
    where = site(conversion=((UPS, 2e6),))
    scene = Scene(where)
    base = scene.base()[0]
    filled = fill(base.wave.power_w, 0.02, base.busy, filler)
    smoothed = smooth(filled.power_w, 0.02, base.busy, gpu)
    each = buffer(smoothed.power_w + AROUND_W, 0.02, rack)
    drawn = UPS.input_w(1000.0 * each.grid_w, 2e6)
    expected = buffer(np.asarray(drawn), 0.02, large)
    for order in ((rack, large), (large, rack)):
        run = scene.apply(Mix(gpu=gpu, secondary=filler, storage=order))
        np.testing.assert_allclose(run.poi.power_w, expected.grid_w, rtol=1e-12)
        assert [one.storage.level for one in run.storage] == ["rack", "site"]
    held = np.maximum(base.wave.power_w - smoothed.power_w, 0.0)
    np.testing.assert_allclose(run.withheld_w, 1000.0 * held, rtol=1e-12, atol=1e-9)


def test_a_cap_on_start_binds_at_every_start() -> None:
    """Also after a failure: 100 W/s from idle, so that the job is 9.6 s late at both starts."""
    spec = job(failures_s=(25.0,), restart_s=3.0)
    setting = StartCap(10.0, IDLE_W, IDLE_W + 1000.0)
    run = Scene(site(spec)).apply(Mix(start_cap=setting))
    time = run.poi.time_s
    for begin in (5.0, 5.0 + 25.0 + 3.0):
        inside = (time >= begin) & (time + 0.02 <= begin + 9.0)
        most = 1000.0 * (AROUND_W + IDLE_W + 100.0 * (time[inside] + 0.01 - begin))
        assert np.all(run.poi.power_w[inside] <= most * (1 + 1e-12))
        assert run.withheld_w[inside].max() > 0.0


def test_a_failure_idles_the_accelerators_and_restarts() -> None:
    run = Scene(site(job(failures_s=(20.0,), restart_s=4.0))).apply(Mix())
    kind, time = run.poi.kind, run.poi.time_s
    assert kind is not None
    np.testing.assert_array_equal(kind == RESTART, (time >= 25.0 - 1e-9) & (time < 29.0 - 1e-9))
    np.testing.assert_allclose(run.poi.power_w[kind == RESTART], 1000.0 * (IDLE_W + AROUND_W), rtol=1e-12)
    assert np.all(kind[time < 4.99] == IDLE)


def harmonics(count: int, stagger: bool, seed: int = 0, **others: float) -> Array:
    """Lines 1 to 6 of a site of equal jobs over 40 s of steady state [W]."""
    spec = job(count=count, **others)
    run = Scene(site(spec, seed=seed)).apply(Mix(stagger=stagger))
    # From the second whole iteration of the latest job on: 20 whole periods.
    power = run.poi.power_w[500:2500]
    return np.array([line_at(power, k / 2.0, 0.02) for k in range(1, 7)])


@pytest.mark.parametrize("count", [2, 3, 4])
def test_staggered_jobs_cancel_all_lines_but_multiples_of_their_number(count: int) -> None:
    """The sum of N equal waves 1/N of a period apart holds harmonics N, 2N, ... as if in step, and no others."""
    alone, together = harmonics(1, stagger=False), harmonics(count, stagger=True)
    for k in range(1, 7):
        wanted = count * alone[k - 1] if k % count == 0 else 0.0
        # A third of 2 s is no whole number of steps of 0.02 s: means over steps leave a thousandth.
        assert together[k - 1] == pytest.approx(wanted, abs=2e-3 * count * alone[0]), k


def test_independent_jobs_add_like_a_random_walk() -> None:
    """Section 4.1 of the reference: 1/sqrt(N) of the sum in step. Mean square of 60 draws, N = 8: 1/8 within 35 %.

    The square of a resultant of random phases is distributed about exponentially: its mean over n draws scatters by
    1/sqrt(n), 13 % here. The first job of a kind is at phase 0, which changes nothing.
    """
    alone = harmonics(1, stagger=False)[0]
    powers = [(harmonics(8, stagger=False, seed=seed)[0] / (8 * alone)) ** 2 for seed in range(60)]
    assert np.mean(powers) == pytest.approx(1 / 8, rel=0.35)


def lengths(power: Array) -> Array:
    """Times from one rise to the next, the first left out [s]."""
    rises = np.flatnonzero((power[1:] > 800.0) & (power[:-1] <= 800.0))
    return np.diff(rises)[1:21] * 0.02


def test_jobs_jitter_each_for_itself_but_staggered_ones_together() -> None:
    """Jobs that are kept apart must stay so; others are independent."""
    scene = Scene(site(job(count=2, jitter_fraction=0.05), duration_s=70.0))
    for stagger in (False, True):
        one, other = (lengths(each.wave.power_w) for each in scene.base(stagger=stagger))
        assert one.std() > 0.02
        alike = max(float(np.corrcoef(one[2:18], other[2 + by : 18 + by])[0, 1]) for by in (-1, 0, 1))
        assert (alike > 0.9) == stagger


@pytest.mark.parametrize("sigma_s", [0.05, 0.1, 0.2])
def test_skew_damps_a_line_like_the_gauss_curve(sigma_s: float) -> None:
    """exp(-(2 pi k f sigma)^2 / 2), section 4.1 of the reference."""
    sharp, blurred = harmonics(1, stagger=False), harmonics(1, stagger=False, skew_s=sigma_s)
    for k in (1, 2, 3):
        assert blurred[k - 1] == pytest.approx(sharp[k - 1] * exp(-((pi * k * sigma_s) ** 2) / 2), rel=1e-6)


def test_another_work_per_iteration_lengthens_what_scales() -> None:
    longer = job().with_period(3.0)
    assert longer.iteration_s == pytest.approx(3 * 1.6 + 0.4)
    assert longer.iteration_j == pytest.approx(3 * 1.6 * HIGH_W + 0.4 * LOW_W)
    with pytest.raises(ValueError, match="zip"):
        JobSpec(1.0, 1, (Phase("a", 1.0, 1.0),), ()).with_period(2.0)


def test_a_run_that_idle_ends_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than its idle ends"):
        Scene(site(idle_s=30.0)).apply(Mix())


LEVELS: tuple[Level, ...] = ("psu", "rack", "site")


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    level = draw(st.sampled_from(LEVELS))
    size = 1000.0 if level == "site" else 1.0
    return Storage("any", level, size * draw(st.floats(1.0, 1e5)), size * draw(st.floats(1.0, 2e3)),
                   draw(st.floats(0.5, 1.0)), draw(st.floats(0.05, 20.0)))  # fmt: skip


@given(st.lists(storages(), min_size=1, max_size=2), st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_energy_of_storage_is_kept(given_: list[Storage], count: int) -> None:
    """What the grid supplies beyond the load is lost or stored, to 1e-9 of the energy that passes."""
    scene = SCENES[count]
    raw, run = scene.apply(Mix()), scene.apply(Mix(storage=tuple(given_)))
    extra = (run.poi.power_w - raw.poi.power_w).sum() * 0.02
    lost = sum(float(one.loss_w.sum()) for one in run.storage) * 0.02
    stored = sum(float(one.state_j[-1] - one.state_j[0]) for one in run.storage)
    assert abs(extra - lost - stored) <= 1e-9 * 2 * raw.poi.energy_wh * 3600.0
    assert run.exchange_w.sum() * 0.02 == pytest.approx(stored, rel=1e-9, abs=1e-9 * raw.poi.energy_wh * 3600.0)
    for one in run.storage:
        units = 1.0 if one.storage.level == "site" else count * 1000.0
        assert one.energy_j == units * one.storage.energy_j
        assert one.power_w == units * one.storage.power_w


SCENES = {
    count: Scene(site(job(count=count, checkpoint=checkpoint()), duration_s=30.0, idle_s=3.0)) for count in (1, 2)
}


def test_the_site_without_its_own_storage_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, run = Scene(site()), Scene._run
    calls: list[Mix] = []

    def counted(self: Scene, mix: Mix) -> Outcome:
        calls.append(mix)
        return run(self, mix)

    monkeypatch.setattr(Scene, "_run", counted)
    large = Storage("any", "site", 1e6, 4e5, 0.9, 1.0)
    first = scene.apply(Mix(storage=(large,)))
    second = scene.apply(Mix(storage=(replace(large, time_constant_s=2.0),)))
    assert len(calls) == 1
    assert not np.array_equal(first.poi.power_w, second.poi.power_w)
    assert scene.apply(Mix(gpu=GpuSmoothing(900.0))).storage == ()
    assert len(calls) == 2


def test_checkpoints_are_named_in_the_wave() -> None:
    run = Scene(site(job(checkpoint=checkpoint()))).apply(Mix())
    assert run.poi.kind is not None
    assert run.poi.power_w[run.poi.kind == CHECKPOINT].max() == pytest.approx(1000.0 * (240.0 + AROUND_W))


@pytest.mark.parametrize("mix", MIXES)
def test_a_phase_that_draws_nothing(mix: Mix) -> None:
    """Means over steps that rounding makes negative are no reason to refuse a job."""
    phases = (Phase("a", 1.0, 300.0), Phase("b", 1.0, 0.0))
    run = Scene(site(job(phases=phases), constant_w=0.0, idle_w=0.1)).apply(mix)
    assert run.poi.power_w.min() >= 0.0
