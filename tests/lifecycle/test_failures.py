"""Failures against published counts, and an hour-by-hour job."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.lifecycle.failures import effective_time_fraction, failures_per_unit_year


@pytest.mark.parametrize(("events", "percent"), [(148, 6.11), (220, 9.08), (419, 17.29)])
def test_failure_rates_of_a_training_run(events: int, percent: float) -> None:
    """lifecycle-tco.md, check 5 (derived; counts second-hand): 16,384 GPUs for 54 days."""
    assert 100 * float(failures_per_unit_year(events, 16_384, 54)) == pytest.approx(percent, abs=0.01)


@given(st.floats(1.0, 1e4), st.floats(1.0, 1e5), st.floats(1.0, 1e3), st.floats(0.1, 10.0))
def test_a_rate_scales_with_events_and_against_exposure(events: float, units: float, days: float, k: float) -> None:
    base = float(failures_per_unit_year(events, units, days))
    assert float(failures_per_unit_year(k * events, units, days)) == pytest.approx(k * base, rel=1e-12)
    assert float(failures_per_unit_year(events, k * units, days)) == pytest.approx(base / k, rel=1e-12)
    assert float(failures_per_unit_year(events, units, k * days)) == pytest.approx(base / k, rel=1e-12)


def test_a_training_run_at_ninety_percent_lost_twenty_minutes_per_interruption() -> None:
    """419 interruptions in 54 days and above 90 % effective time (second-hand) leave 18.6 min lost for each at most."""
    per_year = 419 * 365 / 54
    allowed_h = 0.1 * 54 * 24 / 419
    assert allowed_h * 60 == pytest.approx(18.6, abs=0.05)
    assert float(effective_time_fraction(per_year, allowed_h)) == pytest.approx(0.90, rel=1e-12)


@pytest.mark.parametrize("lost_h", [0.1, 1.0, 6.0])
def test_useful_time_of_a_job_followed_through_its_interruptions(lost_h: float) -> None:
    """Running and lost time in turn, running times at random: interruptions are counted in all of the time."""
    runs = np.random.Generator(np.random.PCG64(11)).exponential(40.0, 20_000)
    years = float(np.sum(runs + lost_h)) / 8760
    found = effective_time_fraction(runs.size / years, lost_h)
    assert float(found) == pytest.approx(float(np.sum(runs)) / 8760 / years, rel=1e-9)


def test_useful_time_broadcasts() -> None:
    assert effective_time_fraction(np.array([[0.0], [10.0]]), np.array([0.0, 1.0, 876.0])) == pytest.approx(
        np.array([[1.0, 1.0, 1.0], [1.0, 1 - 10 / 8760, 0.0]])
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: failures_per_unit_year(-1, 10, 10),
        lambda: failures_per_unit_year(1, 0, 10),
        lambda: failures_per_unit_year(1, 10, float("nan")),
        lambda: effective_time_fraction(8760, 2),
        lambda: effective_time_fraction(-1, 2),
        lambda: effective_time_fraction(1, float("inf")),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()
