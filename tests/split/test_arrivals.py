"""Arrivals: rate, burstiness and the shape of a day, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.split.arrivals import HOURS, Arrivals, Profile

OFFICE = (0.2, 0.1, 0.1, 0.0, 0.0, 0.3, 0.6, 1.0, 1.5, 1.9, 2.0, 1.9, 1.7, 1.8, 2.0, 2.0, 1.9, 1.6, 1.2, 0.9, 0.7, 0.5,
          0.4, 0.3)  # fmt: skip
DAY_S = 86_400.0


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("cv2", [0.1, 0.25, 0.5, 1.0, 1.2, 2.0, 5.0, 20.0, 173.0])
def test_mean_and_cv2_of_the_gaps(cv2: float) -> None:
    """A million gaps; the tolerance is four standard errors of the estimate, from the distribution's own moments."""
    count = 1_000_000
    gaps = np.diff(Arrivals(3.0, cv2).times_s(generator(), count=count + 1)) * 3.0
    assert gaps.mean() == pytest.approx(1.0, abs=4 * math.sqrt(cv2 / count))
    fourth = np.mean((gaps - 1.0) ** 4)
    assert gaps.var() == pytest.approx(cv2, abs=4 * math.sqrt(fourth / count))
    assert gaps.min() >= 0.0


def test_a_poisson_process_is_one() -> None:
    times = Arrivals(50.0).times_s(generator(), duration_s=20_000.0)
    counts = np.bincount(times.astype(int), minlength=20_000)
    assert counts.mean() == pytest.approx(50.0, abs=4 * math.sqrt(50 / 20_000))
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.05)
    gaps = np.diff(times) * 50.0
    for x in (0.1, 0.5, 1.0, 3.0):
        assert np.mean(gaps > x) == pytest.approx(math.exp(-x), abs=0.003)


def test_third_moment_of_the_bursty_gaps() -> None:
    """Balanced means: E[X^3] = 6 (1/(4 p^2) + 1/(4 (1-p)^2))/2 = 3/4 (1/p^2 + 1/(1-p)^2) for mean 1."""
    cv2 = 4.0
    p = 0.5 * (1 + math.sqrt((cv2 - 1) / (cv2 + 1)))
    gaps = np.diff(Arrivals(1.0, cv2).times_s(generator(), count=4_000_000))
    assert np.mean(gaps**3) == pytest.approx(0.75 * (1 / p**2 + 1 / (1 - p) ** 2), rel=0.03)


def test_a_metronome() -> None:
    assert Arrivals(4.0, 0.0).times_s(generator(), duration_s=2.0).tolist() == [0.25 * k for k in range(1, 8)]


@pytest.mark.parametrize("cv2", [0.3, 1.0, 8.0])
@pytest.mark.parametrize("profile", [None, Profile(OFFICE, 5.5)])
def test_a_longer_run_begins_with_a_shorter_one(cv2: float, profile: Profile | None) -> None:
    arrivals = Arrivals(2.0, cv2, profile)
    long = arrivals.times_s(generator(), count=30_000)
    assert np.array_equal(arrivals.times_s(generator(), count=9_000), long[:9_000])
    until = arrivals.times_s(generator(), duration_s=float(long[20_000]))
    assert np.array_equal(until, long[:20_000])


# --- the day ----------------------------------------------------------------------------------------------------------


def test_hourly_shares_of_a_day() -> None:
    """30 days of Poisson arrivals: the share of each hour within four standard errors of its factor."""
    days, rate = 30, 2.0
    times = Arrivals(rate, profile=Profile(OFFICE)).times_s(generator(), duration_s=days * DAY_S)
    counts = np.bincount((times % DAY_S // 3600).astype(int), minlength=HOURS)
    expected = rate * 3600 * days * np.array(OFFICE) / np.mean(OFFICE)
    assert times.size == pytest.approx(rate * days * DAY_S, abs=4 * math.sqrt(rate * days * DAY_S))
    assert np.all(np.abs(counts - expected) <= 4 * np.sqrt(expected))
    assert counts[3] == counts[4] == 0


def test_a_day_may_start_at_any_hour() -> None:
    times = Arrivals(5.0, profile=Profile(OFFICE, start_hour=9.5)).times_s(generator(), duration_s=4 * DAY_S)
    hour = ((times / 3600 + 9.5) % 24).astype(int)
    counts = np.bincount(hour, minlength=HOURS)
    expected = 5.0 * 3600 * 4 * np.array(OFFICE) / np.mean(OFFICE)
    assert np.all(np.abs(counts - expected) <= 4 * np.sqrt(expected))


def test_within_a_busy_hour_arrivals_stay_poisson() -> None:
    times = Arrivals(20.0, profile=Profile(OFFICE)).times_s(generator(), duration_s=DAY_S)
    inside = times[(times >= 10 * 3600) & (times < 11 * 3600)]
    counts = np.bincount((inside - 10 * 3600).astype(int), minlength=3600)
    assert counts.mean() == pytest.approx(20.0 * 2.0 / np.mean(OFFICE), rel=0.02)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.1)


def test_burstiness_passes_through_the_day() -> None:
    """The gaps in operational time keep the cv2 that was asked for."""
    profile = Profile.cosine(1.8)
    times = Arrivals(3.0, 6.0, profile).times_s(generator(), duration_s=4 * DAY_S)
    gaps = np.diff([profile.operational_s(float(time)) for time in times[:60_000]])
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(6.0, rel=0.1)


def test_a_cosine_has_the_peak_asked_for() -> None:
    profile = Profile.cosine(1.6, peak_hour=14.5)
    assert max(profile.factors) == profile.factors[14] == pytest.approx(1.6)
    assert math.fsum(profile.factors) == pytest.approx(HOURS)
    assert min(profile.factors) == profile.factors[2] == pytest.approx(0.4)
    assert Profile.cosine(1.0).factors == pytest.approx([1.0] * HOURS)
    assert min(Profile.cosine(2.0).factors) >= 0.0


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    factors=st.lists(st.floats(0, 10).map(lambda x: round(x, 3)), min_size=HOURS, max_size=HOURS).filter(any),
    start=st.floats(0, 23.99),
    times=st.lists(st.floats(0, 40 * DAY_S), min_size=1, max_size=20),
)
def test_operational_time_and_its_inverse(factors: list[float], start: float, times: list[float]) -> None:
    profile = Profile(tuple(factors), start)
    operational = np.sort([profile.operational_s(time) for time in times])
    assert operational[0] >= -1e-6
    back = profile.clock_s(operational)
    assert np.all(np.diff(back) >= 0)
    # Where the rate is zero many times share one operational time, so that is what is compared.
    again = np.array([profile.operational_s(float(time)) for time in back])
    assert again == pytest.approx(operational, rel=1e-9, abs=1e-3)
    assert profile.operational_s(3 * DAY_S) == pytest.approx(3 * DAY_S)


def test_a_flat_day_changes_nothing() -> None:
    plain = Arrivals(2.0, 3.0).times_s(generator(), count=5000)
    assert Arrivals(2.0, 3.0, Profile((7.0,) * HOURS, 3.0)).times_s(generator(), count=5000) == pytest.approx(plain)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factors", [(1.0,) * 23, (1.0,) * 25, (0.0,) * 24, (1.0,) * 23 + (-1.0,),
                                     (1.0,) * 23 + (math.nan,), (1.0,) * 23 + (math.inf,)])  # fmt: skip
def test_what_is_no_day(factors: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="24 factors"):
        Profile(factors)


@pytest.mark.parametrize("hour", [-1.0, 24.0, math.nan])
def test_a_day_has_24_hours(hour: float) -> None:
    with pytest.raises(ValueError, match="hour of the start"):
        Profile(OFFICE, hour)


@pytest.mark.parametrize("ratio", [0.9, 2.1, math.nan])
def test_a_cosine_stays_above_zero(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"1\.\.2"):
        Profile.cosine(ratio)


@pytest.mark.parametrize(("rate", "cv2"), [(0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, -0.1), (1, 2e6),
                                           (1, math.nan)])  # fmt: skip
def test_what_is_no_stream_of_requests(rate: float, cv2: float) -> None:
    with pytest.raises(ValueError, match="must"):
        Arrivals(rate, cv2)


@pytest.mark.parametrize(
    ("count", "duration_s"),
    [(None, None), (5, 5.0), (0, None), (-1, None), (2**31, None), (None, 0.0), (None, -1.0), (None, math.inf),
     (None, math.nan), (None, 1e12)],
)  # fmt: skip
def test_how_many_must_be_said_once(count: int | None, duration_s: float | None) -> None:
    with pytest.raises(ValueError, match=r"not both|must be positive|must lie in"):
        Arrivals(1.0).times_s(generator(), count=count, duration_s=duration_s)
