"""Power smoothing in the accelerator against closed forms, a loop of its own and the base case's table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.gpu_smoothing import held, smooth
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing
from aiplan.planners.stabilize.wave import Flags
from tests.stabilize.base_case import BOARD_W, COUNT, STEP_S, band_rms, base_job, largest_line, ramps, site_mw, square

HIGH, LOW, DUTY, PERIOD_S = 1140.0, 420.0, 0.8, 2.0


def always(wave: Array) -> Flags:
    return np.ones(wave.size, dtype=np.bool_)


def by_hand(power: list[float], busy: list[bool], step_s: float, how: GpuSmoothing) -> list[float]:
    """The law told once more, moment by moment."""
    out: list[float] = []
    since = INFINITE
    for now, works in zip(power, busy, strict=True):
        since = 0.0 if works else since + step_s
        armed = works or since - step_s < how.hysteresis_s - 1e-9 * step_s
        target = max(now, how.floor_w) if armed else now
        before = out[-1] if out else target
        out.append(min(max(target, before - how.ramp_down_w_per_s * step_s), before + how.ramp_up_w_per_s * step_s))
    return out


watts = st.floats(0.0, 1500.0)
rates = st.one_of(st.just(INFINITE), st.floats(0.0, 5000.0))
hows = st.builds(GpuSmoothing, watts, rates, rates, st.floats(0.0, 2.0))
rows = st.lists(st.tuples(watts, st.booleans()), min_size=1, max_size=60)


@given(rows, hows, st.sampled_from([0.02, 0.1, 0.25]))
def test_as_told_by_hand(row: list[tuple[float, bool]], how: GpuSmoothing, step_s: float) -> None:
    power, busy = [value for value, _ in row], [value for _, value in row]
    out = smooth(np.array(power), step_s, np.array(busy), how)
    assert out.power_w == pytest.approx(np.array(by_hand(power, busy, step_s, how)), rel=1e-9, abs=1e-9)


@given(rows, hows)
def test_ramps_floor_and_withheld_work(row: list[tuple[float, bool]], how: GpuSmoothing) -> None:
    power, busy = np.array([value for value, _ in row]), np.array([value for _, value in row])
    out = smooth(power, 0.1, busy, how)
    change = np.diff(out.power_w)
    assert np.all(change <= how.ramp_up_w_per_s * 0.1 + 1e-9)
    assert np.all(-change <= how.ramp_down_w_per_s * 0.1 + 1e-9)
    assert np.array_equal(out.withheld_w, np.maximum(power - out.power_w, 0.0))
    if how.ramp_up_w_per_s == INFINITE:
        assert np.all(out.power_w[busy] >= how.floor_w - 1e-9)
        assert out.withheld_w.max() <= 1e-9


@given(rows, watts, watts)
def test_a_higher_floor_takes_no_less(row: list[tuple[float, bool]], one: float, other: float) -> None:
    power, busy = np.array([value for value, _ in row]), np.array([value for _, value in row])
    low, high = (
        smooth(power, 0.1, busy, GpuSmoothing(floor, 900.0, 300.0, 0.3)).power_w for floor in sorted((one, other))
    )
    assert np.all(high >= low)


def test_without_floor_and_ramps_nothing_changes() -> None:
    job = base_job()
    out = smooth(job.power_w, STEP_S, job.busy, GpuSmoothing(hysteresis_s=3.0))
    assert np.array_equal(out.power_w, job.power_w)
    assert out.withheld_w.max() == 0.0


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 50), st.sampled_from([0.02, 0.1, 1 / 3, 0.7]))
@settings(max_examples=60)
def test_hysteresis_of_whole_steps_holds_for_so_many(busy: list[bool], steps: int, step_s: float) -> None:
    """Products such as 3 x 0.1 are no whole number of 0.1 in binary: no step more or less for that."""
    found = held(np.array(busy), step_s, steps * step_s)
    expected = [any(busy[max(0, at - steps) : at + 1]) for at in range(len(busy))]
    assert found.tolist() == expected


# ---- closed forms of a wave of two levels ----


@pytest.mark.parametrize("floor", [420.0, 600.0, 780.0, 960.0, 1080.0])
@pytest.mark.parametrize(("duty", "low"), [(0.8, LOW), (0.5, 300.0), (0.33, 100.0)])
def test_energy_of_a_floor(floor: float, duty: float, low: float) -> None:
    """(1 - d)(F - L) / mean, within 0.5 % of it; residual swing H - F."""
    wave = square(HIGH, low, duty, 100, 20)
    out = smooth(wave, 0.02, always(wave), GpuSmoothing(floor)).power_w
    mean = duty * HIGH + (1.0 - duty) * low
    assert out.mean() / wave.mean() - 1.0 == pytest.approx((1.0 - duty) * (floor - low) / mean, rel=5e-3, abs=1e-12)
    assert np.ptp(out) == HIGH - floor


@pytest.mark.parametrize(("floor", "down"), [(600.0, 500.0), (900.0, 500.0), (900.0, 5000.0), (0.0, 100.0)])
def test_slow_ramps_down_leave_the_floor_without_effect(floor: float, down: float) -> None:
    """Lowest power max(L, F, H - r t_comm), after whole steps of ramp."""
    wave = square(HIGH, LOW, DUTY, 100, 10)
    out = smooth(wave, PERIOD_S / 100, always(wave), GpuSmoothing(floor, INFINITE, down)).power_w
    assert out[100:].min() == pytest.approx(max(LOW, floor, HIGH - down * (1.0 - DUTY) * PERIOD_S), abs=1e-9)


def test_most_that_a_floor_can_cost() -> None:
    wave = square(HIGH, LOW, DUTY, 100, 10)
    out = smooth(wave, 0.02, always(wave), GpuSmoothing(0.0, INFINITE, 0.0)).power_w
    most = (1.0 - DUTY) * (HIGH - LOW) / (DUTY * HIGH + (1.0 - DUTY) * LOW)
    assert out.mean() / wave.mean() - 1.0 == pytest.approx(most, rel=1e-12)


@pytest.mark.parametrize("rate", [20.0, 100.0, 333.0])
def test_a_start_withholds_and_a_stop_burns_the_ramp_energy(rate: float) -> None:
    """dP^2 / (2 r) each, duration dP / r; the stop goes on at its rate after disarming.

    A ramp of n steps is a staircase and differs from the straight line by 1 / n of that energy.
    """
    swing = 960.0
    ramp_s = swing / rate
    step_s = ramp_s / 400
    on = np.arange(round(4 * ramp_s / step_s))
    busy = (on * step_s >= ramp_s / 2) & (on * step_s < 2 * ramp_s)
    wave = np.where(busy, 180.0 + swing, 180.0)
    out = smooth(wave, step_s, busy, GpuSmoothing(600.0, rate, rate))
    assert out.withheld_w.sum() * step_s == pytest.approx(swing**2 / (2 * rate), rel=5e-3)
    burnt = np.maximum(out.power_w - wave, 0.0)
    assert burnt.sum() * step_s == pytest.approx(swing**2 / (2 * rate), rel=5e-3)
    assert np.flatnonzero(burnt).size * step_s == pytest.approx(ramp_s, abs=2 * step_s)


# ---- the base case ----


@pytest.mark.parametrize(("share", "energy", "line"), [(0.5, 0.027, 21.0), (0.65, 0.055, 14.6), (0.8, 0.085, 7.6)])
def test_floors_on_the_base_case(share: float, energy: float, line: float) -> None:
    """Derived table of the reference notes: energy of the whole run and the largest line [MW]; ramps stay 96 MW/s."""
    job = base_job()
    raw = site_mw(job.power_w)
    out = site_mw(smooth(job.power_w, STEP_S, job.busy, GpuSmoothing(share * BOARD_W)).power_w)
    assert out.sum() / raw.sum() - 1.0 == pytest.approx(energy, abs=1e-3)
    assert largest_line(out)[0] == pytest.approx(line, rel=0.02)
    assert ramps(out) == pytest.approx((96.0, 96.0), rel=1e-3)


def test_a_floor_of_90_percent_on_the_base_case() -> None:
    """+10.6 % of the whole run and +9.6 % in steady state, within 0.3 points; published 10.5 %, at a duty unknown."""
    job = base_job()
    raw = site_mw(job.power_w)
    out = site_mw(smooth(job.power_w, STEP_S, job.busy, GpuSmoothing(0.9 * BOARD_W)).power_w)
    assert out.sum() / raw.sum() - 1.0 == pytest.approx(0.106, abs=1e-3)
    assert out[job.steady].sum() / raw[job.steady].sum() - 1.0 == pytest.approx(0.096, abs=1e-3)


@pytest.mark.parametrize("share", [0.5, 0.65, 0.8, 0.9])
def test_a_floor_alone_fixes_no_ramp(share: float) -> None:
    """Start and stop are as steep as without; at a checkpoint H - F is left within a second, 6 MW even at 90 %."""
    job = base_job()
    raw = site_mw(job.power_w)
    out = site_mw(smooth(job.power_w, STEP_S, job.busy, GpuSmoothing(share * BOARD_W)).power_w)
    first, last = np.flatnonzero(job.busy)[[0, -1]].tolist()
    for around in (slice(first - 100, first + 100), slice(last - 100, last + 100)):
        assert max(ramps(out[around])) == pytest.approx(max(ramps(raw[around])), rel=1e-9)
        assert max(ramps(out[around])) > 90.0
    lowest = int(np.argmin(np.where(job.busy, np.convolve(raw, np.ones(350) / 350, "same"), np.inf)))
    left = COUNT * (0.95 - share) * BOARD_W / 1e6
    assert ramps(out[lowest - 500 : lowest + 500]) == pytest.approx((left, left), rel=1e-3)
    assert left >= 6.0 * (1 - 1e-9)


@pytest.mark.parametrize(
    ("share", "rate", "energy", "ramp", "line", "withheld"),
    [(0.65, 100.0, 0.103, 10.0, 2.3, None), (0.65, 20.0, 0.103, 2.0, 0.7, 0.021), (0.9, 20.0, 0.107, 2.0, 0.43, None)],
)
def test_floor_and_ramps_on_the_base_case(
    share: float, rate: float, energy: float, ramp: float, line: float, withheld: float | None
) -> None:
    """Derived table of the reference notes: energy, ramps [MW/s], largest line [MW], withheld share of the run."""
    job = base_job()
    raw = site_mw(job.power_w)
    found = smooth(job.power_w, STEP_S, job.busy, GpuSmoothing(share * BOARD_W, rate, rate, 2.0))
    out = site_mw(found.power_w)
    assert out.sum() / raw.sum() - 1.0 == pytest.approx(energy, abs=1e-3)
    assert ramps(out) == pytest.approx((ramp, ramp), rel=1e-6)
    assert largest_line(out)[0] == pytest.approx(line, rel=0.03)
    assert band_rms(out[job.steady]) < band_rms(raw[job.steady]) / 15.0
    if withheld is not None:
        assert COUNT * found.withheld_w.sum() / 1e6 / raw.sum() == pytest.approx(withheld, rel=0.02)


# ---- what cannot be ----


@pytest.mark.parametrize(
    "how",
    [
        GpuSmoothing(-1.0),
        GpuSmoothing(INFINITE),
        GpuSmoothing(0.0, -1.0),
        GpuSmoothing(0.0, 1.0, -1.0),
        GpuSmoothing(0.0, 1.0, 1.0, -1.0),
    ],
)
def test_negative_settings_are_refused(how: GpuSmoothing) -> None:
    with pytest.raises(ValueError, match="not"):
        smooth(np.ones(3), 1.0, np.ones(3, dtype=np.bool_), how)


@pytest.mark.parametrize("power", [[1.0, -1.0, 1.0], [1.0, float("nan"), 1.0], [1.0]])
def test_hostile_power_is_refused(power: list[float]) -> None:
    with pytest.raises(ValueError, match="power_w"):
        smooth(np.array(power), 1.0, np.ones(3, dtype=np.bool_), GpuSmoothing(300.0))
