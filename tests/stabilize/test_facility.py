"""From IT power to the point of interconnection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.power.losses import Losses
from aiplan.planners.stabilize.facility import poi_power_w

UPS, TRANSFORMER = Losses(0.006, 0.02, 0.015), Losses(0.002, 0.0, 0.008)
CHAIN = ((UPS, 120e6), (TRANSFORMER, 150e6))
STEP_S = 0.02


def line_w(power_w: Array, frequency_hz: float) -> float:
    """Amplitude of a sine in a whole number of its periods [W]."""
    time_s = STEP_S * (np.arange(power_w.size) + 0.5)
    return float(abs(2.0 * np.mean(power_w * np.exp(-2j * np.pi * frequency_hz * time_s))))


def test_steady_power_is_conversion_and_cooling_on_top_of_it() -> None:
    found = poi_power_w(np.full(50, 100e6), STEP_S, CHAIN, 0.1, 120.0, other_w=2e6)
    load = 100 / 120
    ups = 100e6 + 120e6 * (0.006 + 0.02 * load + 0.015 * load**2)
    feed = ups + 150e6 * (0.002 + 0.008 * (ups / 150e6) ** 2)
    assert found.loss_w == pytest.approx(np.full(50, feed - 100e6), rel=1e-12)
    assert found.cooling_w == pytest.approx(np.full(50, 10e6), rel=1e-12)
    assert found.total_w == pytest.approx(np.full(50, feed + 12e6), rel=1e-12)


def test_a_fast_swing_is_not_multiplied_by_the_pue() -> None:
    """1 Hz, 1 MW on 100 MW: at the margin of conversion, with what a 60 s lag leaves of cooling in quadrature."""
    time_s = STEP_S * (np.arange(6000) + 0.5)
    power = 100e6 + 1e6 * np.sin(2 * np.pi * time_s)
    power[0] = 100e6  # cooling begins in equilibrium with the mean
    found = poi_power_w(power, STEP_S, CHAIN, 0.3, 60.0)
    step = 10.0
    ends = poi_power_w([100e6 - step, 100e6 + step], STEP_S, CHAIN, 0.0, 0.0).total_w
    marginal = float(ends[1] - ends[0]) / (2 * step)
    settled = found.total_w[3000:]
    assert line_w(settled, 1.0) / line_w(power[3000:], 1.0) == pytest.approx(marginal, rel=1e-3)
    by_pue = float(found.total_w.mean() / power.mean())
    assert by_pue > 1.25 * marginal
    assert line_w(found.cooling_w[3000:], 1.0) == pytest.approx(0.3 * 1e6 / (2 * np.pi * 60.0), rel=0.02)


def test_cooling_follows_a_lasting_change_with_its_time_constant() -> None:
    power = np.concatenate([np.full(100, 50e6), np.full(30_000, 100e6)])
    cooling = poi_power_w(power, STEP_S, (), 0.2, 60.0).cooling_w
    assert cooling[:100] == pytest.approx(np.full(100, 10e6), rel=1e-12)
    after_s = STEP_S * (np.arange(30_000) + 0.5)
    # The mean over a step is the value at its middle up to (h / tau)^2 / 24, 5e-9 here.
    assert cooling[100:] == pytest.approx(20e6 - 10e6 * np.exp(-after_s / 60.0), rel=1e-8)


def test_nothing_in_between_leaves_the_power_alone() -> None:
    power = np.array([5e6, 1e6, 7e6])
    found = poi_power_w(power, 1.0, (), 0.0, 0.0, other_w=np.array([1.0, 2.0, 3.0]))
    assert found.total_w.tolist() == [5e6 + 1, 1e6 + 2, 7e6 + 3]
    assert not found.loss_w.any()
    assert not found.cooling_w.any()


@given(
    power=st.lists(st.floats(0.0, 1.3e8), min_size=1, max_size=40),
    fraction=st.floats(0.0, 0.6),
    lag_s=st.floats(0.0, 300.0),
)
def test_parts_add_up_and_more_in_is_never_less_out(power: list[float], fraction: float, lag_s: float) -> None:
    found = poi_power_w(power, STEP_S, CHAIN, fraction, lag_s, other_w=3.0)
    parts = np.array(power) + found.loss_w + found.cooling_w + 3.0
    assert found.total_w == pytest.approx(parts, rel=1e-12)
    assert found.loss_w.min() >= 0.006 * 120e6 + 0.002 * 150e6 - 1e-6
    order = np.argsort(power)
    assert np.all(np.diff((np.array(power) + found.loss_w)[order]) >= -1e-6)
    most = fraction * np.max(power)
    assert found.cooling_w.max() <= most * (1 + 1e-12)
    assert found.cooling_w.min() >= fraction * np.min(power) * (1 - 1e-12) - 1e-6


def test_power_fed_back_loses_as_much_as_power_drawn() -> None:
    out, back = poi_power_w([60e6, -60e6], STEP_S, CHAIN[:1], 0.0, 0.0).loss_w
    assert back == pytest.approx(out, rel=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"it_w": [1.0, float("nan")]},
        {"it_w": []},
        {"it_w": [[1.0]]},
        {"cooling_fraction": -0.1},
        {"cooling_fraction": float("nan")},
        {"cooling_time_constant_s": -1.0},
        {"other_w": float("inf")},
        {"conversion": ((UPS, 0.0),)},
        {"step_s": 0.0},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    plain = {
        "it_w": [1.0, 2.0],
        "step_s": 1.0,
        "conversion": CHAIN,
        "cooling_fraction": 0.1,
        "cooling_time_constant_s": 9.0,
    }
    with pytest.raises(ValueError, match="must"):
        poi_power_w(**{**plain, **change})
