"""Failures against published counts, binomial sums of scipy, simulation by hand, and orderings that must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from aiplan.planners.lifecycle.failures import (
    Recovery,
    afr_from_rate,
    capacity_loss_fraction,
    effective_time_fraction,
    failures_per_unit_year,
    goodput_fraction,
    maintenance_usd_per_year,
    rate_from_afr,
    server_afr,
    spare_fraction,
    survival_fraction,
    survival_to_age,
)

AFR = st.floats(0.0, 0.9)
HOURS = st.floats(0.0, 1e4)


@pytest.mark.parametrize(("events", "percent"), [(148, 6.11), (220, 9.08), (419, 17.29)])
def test_failure_rates_of_a_training_run(events: int, percent: float) -> None:
    """lifecycle-tco.md, check 5 (derived; counts second-hand): 16,384 GPUs for 54 days."""
    rate = float(failures_per_unit_year(events, 16_384, 54))
    assert 100 * rate == pytest.approx(percent, abs=0.01)
    share = float(afr_from_rate(rate))
    assert share == pytest.approx(1 - np.exp(-rate), rel=1e-12)
    assert share < rate
    assert float(survival_fraction(share, 54 / 365)) == pytest.approx(np.exp(-events / 16_384), rel=1e-12)


@given(st.floats(0.0, 20.0))
def test_rate_and_share_are_inverse(rate: float) -> None:
    assert float(rate_from_afr(afr_from_rate(rate))) == pytest.approx(rate, rel=1e-6, abs=1e-15)


@given(st.floats(1.0, 1e4), st.floats(1.0, 1e5), st.floats(1.0, 1e3), st.floats(0.1, 10.0))
def test_a_rate_scales_with_events_and_against_exposure(events: float, units: float, days: float, k: float) -> None:
    base = float(failures_per_unit_year(events, units, days))
    assert float(failures_per_unit_year(k * events, units, days)) == pytest.approx(k * base, rel=1e-12)
    assert float(failures_per_unit_year(events, k * units, days)) == pytest.approx(base / k, rel=1e-12)
    assert float(failures_per_unit_year(events, units, k * days)) == pytest.approx(base / k, rel=1e-12)


def test_a_server_falls_with_its_first_dead_part() -> None:
    """1 - 0.96^8 = 27.9 %: what 4 % per accelerator means where nothing is repaired."""
    assert float(server_afr(0.04, 8)) == pytest.approx(1 - 0.96**8, rel=1e-12)
    assert float(server_afr(0.04, 8, repaired_fraction=1.0)) == pytest.approx(0.0, abs=1e-15)
    assert float(server_afr(0.04, 8, 0.02, 1.0)) == pytest.approx(0.02, rel=1e-12)
    assert float(capacity_loss_fraction(0.04, 0.02)) == pytest.approx(1 - 0.96 * 0.98, rel=1e-12)


@given(AFR, st.integers(1, 72), AFR, st.floats(0.0, 1.0))
def test_a_server_lasts_between_its_capacity_and_no_repair(part: float, count: int, rest: float, fixed: float) -> None:
    some = float(server_afr(part, count, rest, fixed))
    assert rest - 1e-12 <= some <= float(server_afr(part, count, rest)) + 1e-12
    assert float(server_afr(part, 1, rest)) == pytest.approx(float(capacity_loss_fraction(part, rest)), rel=1e-12)
    assert float(server_afr(part, count, rest)) >= float(capacity_loss_fraction(part, rest)) - 1e-12


def test_repair_thins_failures_as_in_a_simulation() -> None:
    """100,000 servers of 8: failures by their hour of death, each repaired with probability 0.7, by brute force."""
    draw = np.random.Generator(np.random.PCG64(3))
    faults = draw.poisson(-np.log(1 - 0.10), (100_000, 8))
    lost = draw.binomial(faults, 1 - 0.7).sum(axis=1) > 0
    assert float(server_afr(0.10, 8, 0.0, 0.7)) == pytest.approx(lost.mean(), abs=4 * np.sqrt(0.16 / 1e5))


@given(AFR, st.integers(1, 40))
def test_survival_chains_over_periods_of_any_length(afr: float, parts: int) -> None:
    whole = float(survival_fraction(afr, 1.0))
    assert whole == pytest.approx(1 - afr, rel=1e-12)
    assert float(survival_fraction(afr, 1 / parts)) ** parts == pytest.approx(whole, rel=1e-9)


@given(st.lists(AFR, min_size=1, max_size=10), st.integers(0, 15))
def test_survival_by_age_is_the_product_of_the_years(rates: list[float], years: int) -> None:
    each = [rates[min(year, len(rates) - 1)] for year in range(years)]
    assert survival_to_age(rates, [years]) == pytest.approx([np.prod([1 - one for one in each])], rel=1e-9)


@given(AFR, st.lists(st.floats(0.0, 30.0), min_size=1, max_size=8))
def test_an_even_rate_gives_the_plain_power(afr: float, ages: list[float]) -> None:
    assert survival_to_age([afr, afr, afr], ages) == pytest.approx(survival_fraction(afr, ages), rel=1e-9)


@given(st.lists(AFR, min_size=1, max_size=6), st.floats(0.0, 12.0), st.floats(0.0, 3.0))
def test_survival_falls_with_age_and_crosses_years_in_parts(rates: list[float], age: float, dt: float) -> None:
    halves = survival_to_age(rates, [age, age + dt / 2, age + dt])
    assert 1 >= halves[0] >= halves[1] >= halves[2] > 0
    brute = np.exp(-sum(_rate_at(rates, age + (k + 0.5) * dt / 4000) for k in range(4000)) * dt / 4000)
    assert halves[2] / halves[0] == pytest.approx(brute, abs=1e-2)


def _rate_at(rates: list[float], age: float) -> float:
    return float(-np.log1p(-rates[min(int(age), len(rates) - 1)]))


def test_survival_by_age_keeps_leading_axes() -> None:
    table = survival_to_age(np.array([[0.10, 0.04], [0.06, 0.02]]), [0.0, 0.25, 1.0, 2.0, 3.0])
    assert table.shape == (2, 5)
    assert table[0] == pytest.approx([1, 0.9**0.25, 0.9, 0.9 * 0.96, 0.9 * 0.96**2])


def test_maintenance_ages() -> None:
    """lifecycle-tco.md, 5.8: 8 x 1.05^age (derived instance); 5200 USD, x 1.15 when extended (G, published)."""
    assert maintenance_usd_per_year(np.arange(4), 8.0) == pytest.approx([8 * 1.05**age for age in range(4)])
    stepped = maintenance_usd_per_year([4.9, 5.0, 7.0], 5200, 0.0, 5.0)
    assert stepped == pytest.approx([5200, 5980, 5980])


@settings(max_examples=60)
@given(st.integers(1, 400), st.floats(0.5, 1.0), st.floats(0.5, 0.9999))
def test_spares_are_the_fewest_that_keep_the_promise(needed: int, survival: float, target: float) -> None:
    spares = float(spare_fraction(needed, survival, target)) * needed
    count = round(spares)
    assert spares == pytest.approx(count, abs=1e-9)

    def kept(extra: int) -> float:
        return float(binom.sf(needed - 1, needed + extra, survival))

    assert kept(count) >= target - 1e-9
    assert count == 0 or kept(count - 1) < target + 1e-9


def test_five_percent_of_spares_are_more_than_a_month_of_permanent_failures_needs() -> None:
    """lifecycle-tco.md, 4.3 (second-hand): 5 % of spares for 99.9 % job availability. At 4 % a year and a delivery of a
    month independent failures need well below that for a thousand nodes."""
    alive = survival_fraction(0.04, 1 / 12)
    share = spare_fraction([10, 100, 1000, 10_000], alive, 0.999)
    assert np.all(np.diff(share) < 0)
    assert 0.0 < share[-1] < share[2] < 0.05


@st.composite
def recoveries(draw: st.DrawFn) -> Recovery:
    job = draw(st.floats(1.0, 1e5))
    blast = job * draw(st.floats(1e-6, 1.0))
    return Recovery(job, blast, *(draw(HOURS) for _ in range(5)))


@settings(max_examples=400)
@given(recoveries())
def test_better_spares_never_lose_more(case: Recovery) -> None:
    assert case.tolerant_loss_unit_h <= case.hot_loss_unit_h <= case.cold_loss_unit_h


@given(st.floats(1.0, 1e5), st.floats(1e-6, 0.999), HOURS, HOURS, HOURS, st.floats(0.01, 1e4))
def test_a_hot_spare_is_worth_the_wait_of_the_whole_job(
    job: float, part: float, detect: float, checkpoint: float, restart: float, repair: float
) -> None:
    """The artifact charges the repair to the blast radius when cold and to the job when hot: the other way round."""
    case = Recovery(job, part * job, detect, checkpoint, restart, repair)
    gain = float(case.cold_loss_unit_h - case.hot_loss_unit_h)
    assert gain == pytest.approx(repair * job, abs=1e-9 * float(case.cold_loss_unit_h))
    artifact_cold = (max(detect, checkpoint / 2) + restart) * job + repair * part * job
    artifact_hot = (max(detect, checkpoint / 2) + restart + repair) * job
    assert artifact_cold <= artifact_hot


def test_losses_by_hand() -> None:
    """1024 units, 8 out, detection 0.1 h, checkpoints every 2 h, restart 0.5 h, repair 24 h, failover 0.05 or 5 h."""
    case = Recovery(1024, 8, 0.1, 2.0, 0.5, 24.0, 0.05)
    assert float(case.hot_loss_unit_h) == pytest.approx(1.6 * 1024)
    assert float(case.cold_loss_unit_h) == pytest.approx(25.6 * 1024)
    assert float(case.tolerant_loss_unit_h) == pytest.approx(0.15 * 1024 + 0.5 * 8)
    slow = Recovery(1024, 8, 0.1, 2.0, 0.5, 24.0, 5.0)
    assert float(slow.tolerant_loss_unit_h) == float(slow.hot_loss_unit_h)


@pytest.mark.parametrize("mode", ["hot", "cold", "tolerant"])
def test_the_mean_loss_agrees_with_a_job_followed_hour_by_hour(mode: str) -> None:
    """Useful work of a job with failures at random, kept only up to its last checkpoint, against the closed form.

    Failures are rare beside checkpoints, as the closed form assumes; the clock stops while the job is out.
    """
    job, blast, detect, checkpoint, restart, repair, failover = 64.0, 8.0, 0.2, 1.0, 0.3, 3.0, 0.1
    case = Recovery(job, blast, detect, checkpoint, restart, repair, failover)
    gaps = np.random.Generator(np.random.PCG64(11)).exponential(200.0, 40_000)
    out = {"hot": detect + restart, "cold": detect + restart + repair, "tolerant": detect + failover}[mode]
    kept = gaps if mode == "tolerant" else np.floor(gaps / checkpoint) * checkpoint
    useful = np.sum(kept * job) - (restart * blast * gaps.size if mode == "tolerant" else 0.0)
    share = useful / np.sum((gaps + out) * job)
    loss = getattr(case, f"{mode}_loss_unit_h")
    rate = 8760 / (200.0 * job)
    assert float(goodput_fraction(rate, loss)) == pytest.approx(share, abs=3e-4)


def test_losses_broadcast() -> None:
    case = Recovery(np.array([8.0, 1024.0]), 8.0, 0.1, np.array([[1.0], [2.0], [4.0]]), 0.5, 24.0)
    assert case.hot_loss_unit_h.shape == case.tolerant_loss_unit_h.shape == case.cold_loss_unit_h.shape == (3, 2)


@given(st.floats(0.0, 10.0), st.floats(0.0, 1e6), st.floats(0.0, 1.0), st.floats(0.0, 10.0))
def test_goodput_falls_with_failures_losses_and_overhead(rate: float, loss: float, over: float, more: float) -> None:
    base = float(goodput_fraction(rate, loss, over))
    assert 0 <= base <= 1 - over + 1e-15
    assert float(goodput_fraction(rate + more, loss, over)) <= base
    assert float(goodput_fraction(rate, loss + more, over)) <= base
    assert float(goodput_fraction(rate, loss, 0.0)) >= base
    assert float(goodput_fraction(0.0, loss, 0.0)) == 1.0


def test_a_training_run_at_ninety_percent_lost_twenty_minutes_per_interruption() -> None:
    """419 interruptions in 54 days and above 90 % effective time (second-hand) leave 18.6 min lost for each at most."""
    per_year = 419 * 365 / 54
    allowed_h = 0.1 * 54 * 24 / 419
    assert allowed_h * 60 == pytest.approx(18.6, abs=0.05)
    assert float(effective_time_fraction(per_year, allowed_h)) == pytest.approx(0.90, rel=1e-12)


@given(st.floats(0.0, 1e3), st.floats(0.0, 4.0))
def test_counting_in_calendar_or_running_time_is_one_share(per_running_year: float, lost_h: float) -> None:
    """Counted in calendar time the same failures are fewer per year by the share itself."""
    share = float(goodput_fraction(per_running_year, lost_h))
    assert float(effective_time_fraction(per_running_year * share, lost_h)) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: failures_per_unit_year(-1, 10, 10),
        lambda: failures_per_unit_year(1, 0, 10),
        lambda: failures_per_unit_year(1, 10, float("nan")),
        lambda: afr_from_rate(-0.1),
        lambda: rate_from_afr(1.0),
        lambda: server_afr(1.1, 8),
        lambda: server_afr(0.04, 0),
        lambda: server_afr(0.04, 8, 0.0, 2.0),
        lambda: server_afr(float("nan"), 8),
        lambda: capacity_loss_fraction(-0.1),
        lambda: survival_fraction(4, 1),
        lambda: survival_fraction(0.04, -1),
        lambda: survival_to_age([0.04], [-1.0]),
        lambda: survival_to_age(0.04, [1.0]),
        lambda: survival_to_age([1.0], [1.0]),
        lambda: survival_to_age([0.04], 1.0),
        lambda: maintenance_usd_per_year(-1, 5000),
        lambda: maintenance_usd_per_year(1, 5000, -1.0),
        lambda: maintenance_usd_per_year(1, 5000, 0.05, 0.0),
        lambda: spare_fraction(10, 0.0, 0.99),
        lambda: spare_fraction(10, 0.9, 1.0),
        lambda: Recovery(8, 16, 0, 0, 0, 0),
        lambda: Recovery(8, 0, 0, 0, 0, 0),
        lambda: Recovery(8, 1, -1, 0, 0, 0),
        lambda: Recovery(8, 1, 0, 0, 0, float("inf")),
        lambda: goodput_fraction(-1, 1),
        lambda: goodput_fraction(1, 1, 1.5),
        lambda: effective_time_fraction(8760, 2),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()
