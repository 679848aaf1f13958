"""The played schedule: nothing overlaps, nothing runs before what it needs, and the sum is the closed form."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.stabilize.iteration import bubble_fraction
from aiplan.planners.stabilize.pipeline import play, working_fraction

many = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def test_two_stages_by_hand() -> None:
    # F of 1 s, B of 2 s. Stage 0: F0 F1 . . B0 B0 . B1 B1; stage 1: . F0 B0 B0 F1 B1 B1 . .
    assert working_fraction(2, 2, 1, 9).tolist() == pytest.approx([0.5, 1, 0.5, 0.5, 1, 1, 0.5, 0.5, 0.5])
    assert working_fraction(2, 1, 1, 6).tolist() == pytest.approx([0.5] * 6)


@many
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.sampled_from([2.0, 3.0]))
def test_a_stage_does_all_its_passes_one_after_the_other(stages: int, rounds: int, v: int, factor: float) -> None:
    m = stages * rounds
    passes = play([1.0] * stages, m, v, factor)
    assert len(passes) == 2 * stages * m * v
    for stage in range(stages):
        own = sorted((one.start_s, one.end_s) for one in passes if one.stage == stage)
        assert all(start >= end - 1e-9 for (_, end), (start, _) in pairwise(own))
        assert sum(end - start for start, end in own) == pytest.approx(m * (1 + factor))
    # Whoever is first in the pipeline starts, and ends, the step.
    assert min(passes, key=lambda one: one.start_s).stage == 0
    assert max(passes, key=lambda one: one.end_s).stage == 0


@pytest.mark.parametrize(("stages", "v", "expected"), [(4, 1, 4), (4, 2, 11), (16, 8, 143)])
def test_first_stage_holds_as_many_forward_passes_as_the_schedule_says(stages: int, v: int, expected: int) -> None:
    # PP under 1F1B; 2 (PP - 1) + (v - 1) PP + 1 interleaved (Megatron-LM). Backward passes take twice as long.
    own = sorted((one.start_s, one.end_s - one.start_s) for one in play([1.0] * stages, 4 * stages, v) if not one.stage)
    first_backward = next(at for at, (_, length) in enumerate(own) if length > 1.5 / v)
    assert first_backward == expected


@many
@given(st.integers(1, 8), st.integers(1, 40), st.integers(1, 200), st.sampled_from([2.0, 3.0]))
def test_mean_of_the_shape_is_the_closed_form(stages: int, m: int, slices: int, factor: float) -> None:
    shape = working_fraction(stages, m, 1, slices, factor)
    assert shape.shape == (slices,)
    assert np.all((shape > 0) & (shape < 1 + 1e-9))
    assert shape.mean() == pytest.approx(1 / (1 + bubble_fraction(stages, m)), rel=1e-9)


def test_finer_slices_sum_to_coarser_ones() -> None:
    fine, coarse = working_fraction(8, 16, 4, 120), working_fraction(8, 16, 4, 30)
    assert fine.reshape(30, 4).mean(axis=1) == pytest.approx(coarse, rel=1e-9)


def test_odd_counts_take_the_shape_of_the_next_multiple() -> None:
    assert working_fraction(4, 6, 2, 10).tolist() == working_fraction(4, 8, 2, 10).tolist()
    with pytest.raises(ValueError, match="stages must divide"):
        play([1.0] * 4, 6, 2)
    with pytest.raises(ValueError, match="slices"):
        working_fraction(4, 8, 2, 0)
