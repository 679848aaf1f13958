"""The cap on starts against closed forms and a finer grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.stabilize.mitigation import StartCap
from aiplan.planners.stabilize.start_cap import cap


@pytest.mark.parametrize(("step_s", "start_s"), [(0.02, 0.0), (0.02, 0.013), (0.7, 0.3), (3.0, 1.1)])
def test_energy_withheld_by_a_cap_from_idle_to_the_job(step_s: float, start_s: float) -> None:
    """dP^2 / (2 r) with r = dP / duration, whatever the step."""
    power = np.full(round(60 / step_s), 1140.0)
    out = cap(power, step_s, [start_s], StartCap(20.0, 180.0, 1140.0))
    assert out.withheld_w.sum() * step_s == pytest.approx(0.5 * 960.0 * 20.0, rel=1e-9)
    assert out.power_w + out.withheld_w == pytest.approx(power, rel=1e-12)


def test_ramp_is_that_of_the_cap() -> None:
    power = np.where(np.arange(3000) * 0.02 >= 10.0, 1140.0, 180.0)
    out = cap(power, 0.02, [10.0], StartCap(20.0, 180.0, 1140.0)).power_w
    assert np.abs(np.diff(out)).max() == pytest.approx(960.0 / 20.0 * 0.02, rel=1e-9)
    assert out[-1] == 1140.0


times = st.integers(0, 400)


@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=12),
    st.lists(times, min_size=0, max_size=3),
    st.integers(0, 300), st.integers(0, 500), st.integers(0, 500), st.integers(-50, 50),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_means_over_steps_are_those_of_a_finer_grid(
    power: list[int], starts: list[int], duration: int, initial: int, more: int, begin: int
) -> None:
    """Times in hundredths of a second, steps of 0.4 s, against 20,000 moments of it."""
    fine = 20_000 // 40
    at = begin + (np.arange(len(power) * 20_000) + 0.5) / fine
    job = np.repeat(np.array(power, dtype=np.float64), 20_000)
    limit = np.full(at.size, np.inf)
    for start in sorted(starts):
        # A start begins the cap anew.
        limit[at >= start] = np.inf
        inside = (at >= start) & (at < start + duration)
        limit[inside] = initial + more * (at[inside] - start) / max(duration, 1)
    expected = np.minimum(job, limit).reshape(-1, 20_000).mean(axis=1)
    how = StartCap(duration / 100, float(initial), float(initial + more))
    found = cap(np.array(power, dtype=np.float64), 0.4, np.array(starts) / 100, how, begin / 100)
    assert found.power_w == pytest.approx(expected, rel=1e-4, abs=1e-2)
    assert found.power_w.min() >= 0.0
    assert found.withheld_w.min() >= 0.0


def test_a_cap_above_the_job_and_no_start_change_nothing() -> None:
    power = np.linspace(0.0, 700.0, 100)
    assert np.array_equal(cap(power, 0.1, [0.0], StartCap(5.0, 700.0, 700.0)).power_w, power)
    assert np.array_equal(cap(power, 0.1, [], StartCap(5.0, 0.0, 100.0)).power_w, power)
    assert np.array_equal(cap(power, 0.1, [99.0, -9.0], StartCap(5.0, 0.0, 100.0)).power_w, power)


@pytest.mark.parametrize(
    "how", [StartCap(-1.0, 0.0, 1.0), StartCap(np.inf, 0.0, 1.0), StartCap(1.0, -1.0, 1.0), StartCap(1.0, 2.0, 1.0)]
)
def test_what_cannot_be_is_refused(how: StartCap) -> None:
    with pytest.raises(ValueError, match="not"):
        cap(np.ones(3), 1.0, [0.0], how)
