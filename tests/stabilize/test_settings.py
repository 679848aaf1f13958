"""A recommended mix written as a scenario asks for the same mix; and what the length of a run owes to measures."""

from __future__ import annotations

import json

import pytest

from aiplan.errors import InputError
from aiplan.planners.stabilize.run_length import LEAST_SETTLE_S, RAMPS
from tests.stabilize.golden import DEFAULT, SHORT, answer
from tests.stabilize.test_case import case

SAME = ("ramp_up_mw_per_s", "ramp_down_mw_per_s", "largest_line_mw", "peak_mw", "storage_mwh", "storage_mw",
        "storage_saturated_share")  # fmt: skip


def rebuilt(*overrides: str) -> tuple[str, ...]:
    records = answer(DEFAULT, *SHORT, *overrides).table("settings").records()
    return (*overrides, *(f"{row['key']}={json.dumps(row['value'])}" for row in records))


@pytest.mark.parametrize("overrides", [
    (),
    ('search.technologies=["li-ion", "supercapacitor"]', 'search.levels=["rack"]'),
    ("limits.preset=\"slides-two-bands\"",),
])  # fmt: skip
def test_what_is_recommended_can_be_built_again(overrides: tuple[str, ...]) -> None:
    first, again = answer(DEFAULT, *SHORT, *overrides), answer(DEFAULT, *SHORT, *rebuilt(*overrides))
    assert (first.line("verdict").value, again.line("verdict").value) == ("pass", "pass")
    for line in SAME:
        assert again.line(line).value == pytest.approx(first.line(line).value, rel=1e-6), line


def test_smoothing_that_is_recommended_passes_as_asked() -> None:
    """The run is then as long as its ramps take, so that figures of the stop differ a little."""
    overrides = ("search.technologies=[]",)
    first, again = answer(DEFAULT, *SHORT, *overrides), answer(DEFAULT, *SHORT, *rebuilt(*overrides))
    assert (first.line("verdict").value, again.line("verdict").value) == ("pass", "pass")
    assert again.line("largest_line_mw").value == pytest.approx(first.line("largest_line_mw").value, rel=0.05)


def test_a_cap_on_start_is_over_before_the_state_is_steady() -> None:
    """Its work withheld belongs to the starts of a year: a third of the starts cost a third."""
    cap = ("mitigation.start_cap.duration_s=60", "mitigation.start_cap.initial_fraction=0.3")
    assert case(*cap).settle_s >= 60.0
    often, seldom = (answer(DEFAULT, "simulation.duration_s=400", *cap, f"year.starts_per_day={starts}")
                     for starts in (3, 1))  # fmt: skip
    share = float(often.line("slowdown_share").value or 0.0) / float(seldom.line("slowdown_share").value or 1.0)
    assert share == pytest.approx(3.0, rel=0.02)


def test_a_run_is_long_enough_for_slow_ramps_however_long_it_idles() -> None:
    slow = ("limits.ramp_up_mw_per_min=10", "limits.ramp_down_mw_per_min=10")
    swing_w = 100_000 * (0.95 - 0.15) * 1200.0
    for idle in ((), ("simulation.idle_s=20",)):
        found = case(*slow, *idle)
        assert found.site.idle_s == pytest.approx(RAMPS * swing_w / (10e6 / 60.0))
        assert found.settle_s >= found.site.idle_s
        assert found.site.duration_s > 3.0 * found.settle_s
    assert case().settle_s >= LEAST_SETTLE_S


def test_ramps_that_no_run_can_hold_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        case("limits.ramp_up_mw_per_min=0.3", "limits.ramp_down_mw_per_min=0.3")
    assert [problem.code for problem in caught.value.problems] == ["E312"]
    assert "19,200 s" in caught.value.problems[0].message
