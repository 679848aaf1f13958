"""The chain for any power of cooling against the chain computed whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.flows import chain
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.redundancy import scheme
from aiplan.planners.power.tree import Kind, Level, from_counts
from aiplan.planners.site.annual import MOST, blocks_needed, hall_loss, supply

UPS = Losses(0.006, 0.02, 0.015)
TRANSFORMER = Losses(0.001, 0.0, 0.006)


def tree(*, ups: bool = True) -> tuple[Level, ...]:
    kinds = [Kind("transformer", TRANSFORMER, 1.0, 2, 10e6)]
    kinds += [Kind("ups", UPS, 1.0, 8, 2.4e6)] if ups else []
    kinds += [Kind("pdu", Losses(0.003, 0.0, 0.008), 1.0, 48, 300e3)]
    return tuple(from_counts(kinds, scheme("4n/3" if ups else "n", None)))


ROWS = np.linspace(120e3, 260e3, 48)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.floats(0.0, MOST), st.floats(0.0, 0.05), st.booleans())
def test_any_power_of_cooling_gives_the_whole_chains_grid_power(mechanical: float, other: float, ups: bool) -> None:
    levels = tree(ups=ups)
    whole, quick = chain(levels, ROWS, mechanical, other), supply(levels, ROWS, other)
    assert quick.grid_w(mechanical) == pytest.approx(whole.grid_w, rel=1e-12)
    lost = quick.losses_w(mechanical)
    for level, flow in zip(levels, whole.flows, strict=True):
        assert lost[level.kind] == pytest.approx(flow.loss_w, rel=1e-9)
    parts = quick.it_w * (1.0 + mechanical) + quick.other_w + sum(float(one) for one in lost.values())
    assert parts == pytest.approx(float(quick.grid_w(mechanical)), rel=1e-12)


def test_three_levels_above_the_ups_are_exact_too() -> None:
    kinds = [Kind(f"step{number}", TRANSFORMER, 1.0, 1, 40e6) for number in range(3)]
    levels = tuple(
        from_counts([*kinds, Kind("ups", UPS, 1.0, 4, 6e6), Kind("pdu", UPS, 1.0, 48, 300e3)], scheme("n", None))
    )
    for mechanical in (0.03, 0.4, 3.0):
        whole = chain(levels, ROWS, mechanical)
        assert supply(levels, ROWS, 0.0).grid_w(mechanical) == pytest.approx(whole.grid_w, rel=1e-12)


def test_beyond_what_was_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="times that of IT"):
        supply(tree(), ROWS, 0.0).grid_w(MOST * 1.01)


def test_only_losses_from_the_ups_down_warm_the_hall() -> None:
    levels = tree()
    flow = chain(levels, ROWS, 0.1, 0.001)
    above = flow.flows[0].loss_w
    assert above > 0
    assert hall_loss(levels, flow) * flow.it_w == pytest.approx(flow.loss_w - above, rel=1e-12)


def test_without_ups_all_losses_count() -> None:
    levels = tree(ups=False)
    flow = chain(levels, ROWS, 0.1)
    assert hall_loss(levels, flow) * flow.it_w == pytest.approx(flow.loss_w, rel=1e-12)


@pytest.mark.parametrize(("contract", "block", "expected"), [(100.0, 25.0, 4), (100.0, 24.0, 5), (1.0, 25.0, 1)])
def test_blocks_use_up_the_connection(contract: float, block: float, expected: int) -> None:
    assert blocks_needed(contract, block) == expected
