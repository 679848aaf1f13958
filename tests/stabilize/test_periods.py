"""Other lengths of the iteration: where the line goes and what it costs in time, by closed form."""

from __future__ import annotations

from math import pi, sin

import pytest

from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.periods import FACTORS, periods
from tests.stabilize.sites import HIGH_S, HIGH_W, LOW_S, LOW_W, judge, line, site

SEEN = Limits("seen", bands=(line(1e9, low_hz=0.1),), segment_s=50.0)


def test_the_line_moves_with_the_iteration() -> None:
    """Line 1 at 1 / T with 2 dP sin(pi d) / pi, each length of T with its own duty; time by hand."""
    found = list(periods(judge(site(duration_s=120.0), SEEN)))
    assert [one.factor for one in found] == list(FACTORS)
    for one in found:
        own = one.factor * HIGH_S + LOW_S
        assert one.period_s == pytest.approx(own)
        assert one.line_hz == pytest.approx(1 / own, rel=0.01)
        expected = 2 * 1000.0 * (HIGH_W - LOW_W) * sin(pi * LOW_S / own) / pi
        assert one.line_w == pytest.approx(expected, rel=0.02)
        assert one.time_factor == pytest.approx((HIGH_S + LOW_S / one.factor) / (HIGH_S + LOW_S))
