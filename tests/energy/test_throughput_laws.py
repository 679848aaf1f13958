"""Throughput laws: closed forms, limits, invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.serving.throughput import (
    ConstantLaw,
    LengthRange,
    LogLinearLaw,
    PhysicalLaw,
    ThroughputLaw,
)

coefficients = st.floats(1e-12, 1e-2)
lengths = st.floats(1.0, 1e5)
laws = st.builds(PhysicalLaw, a=coefficients, b=coefficients, d=coefficients, e=coefficients, f=coefficients)


def test_node_seconds_of_the_physical_law_by_hand() -> None:
    law = PhysicalLaw(a=2.0, b=3.0, d=0.5, e=0.25, f=0.125)
    # 2*4 + 3*8 + 0.5*4*(8 + 2) + 0.25*16/2 + 0.125*64/2
    assert float(law.node_seconds(8, 4)) == pytest.approx(8 + 24 + 20 + 2 + 4, rel=1e-15)
    assert float(law.prefill_seconds(8)) == pytest.approx(24 + 4, rel=1e-15)
    assert float(law.decode_seconds(8, 4)) == pytest.approx(8 + 20 + 2, rel=1e-15)


def test_the_rate_form_of_the_law_without_small_terms() -> None:
    law = PhysicalLaw(a=1.36e-4, b=1.17e-4, d=7.01e-8)
    per_token = 1.36e-4 + 1.17e-4 * 500 / 300 + 7.01e-8 * (500 + 150)
    assert float(law.tokens_per_s(500, 300)) == pytest.approx(1 / per_token, rel=1e-14)


def test_decode_is_the_sum_over_tokens_of_work_at_their_context() -> None:
    law = PhysicalLaw(a=1e-4, b=0.0, d=1e-7)
    step = np.arange(1000) + 0.5  # context in the middle of each token
    assert float(law.decode_seconds(700, 1000)) == pytest.approx(np.sum(1e-4 + 1e-7 * (700 + step)), rel=1e-12)


def test_reserving_the_finished_sequence_costs_more_than_its_mean() -> None:
    # Weights read once per step, shared by memory / (L_in + L_out) sequences: r L_out (L_in + L_out).
    law = PhysicalLaw(a=0.0, b=0.0, d=3e-8, e=3e-8)
    assert float(law.node_seconds(300, 700)) == pytest.approx(3e-8 * 700 * 1000, rel=1e-14)


def test_an_empty_answer_still_costs_its_prefill_and_emits_nothing() -> None:
    law = PhysicalLaw(a=1e-4, b=1e-4, d=1e-8)
    assert float(law.node_seconds(500, 0)) == pytest.approx(0.05, rel=1e-14)
    assert float(law.tokens_per_s(500, 0)) == 0.0
    assert float(law.tokens_per_s(0, 0)) == 0.0


@pytest.mark.parametrize("law", [LogLinearLaw(9.762, -0.585, 0.227, 4572.23), ConstantLaw(5200.0)])
def test_an_empty_answer_takes_no_time_in_the_papers_laws(law: ThroughputLaw) -> None:
    assert law.node_seconds([500, 500], [0, 300]).tolist() == [0.0, 300 / float(law.tokens_per_s(500, 300))]


def test_the_loglinear_law_is_a_power_law_below_its_cap_and_flat_above() -> None:
    law = LogLinearLaw(9.762, -0.585, 0.227, 4572.23)
    expected = math.exp(9.762) * 500**-0.585 * 300**0.227
    assert float(law.tokens_per_s(500, 300)) == pytest.approx(expected, rel=1e-12)
    assert float(law.tokens_per_s(1, 1e6)) == pytest.approx(4572.23, rel=1e-12)


def test_the_loglinear_law_floors_lengths_at_a_millionth() -> None:
    law = LogLinearLaw(0.0, -0.5, 0.25, 1e9)
    assert float(law.tokens_per_s(0, 0)) == pytest.approx(1e-6**-0.25, rel=1e-12)
    assert float(LogLinearLaw(800.0, 0.0, 0.0, 7.0).tokens_per_s(1, 1)) == pytest.approx(7.0)


def test_the_constant_law_broadcasts() -> None:
    law = ConstantLaw(5200.0)
    assert law.tokens_per_s(np.ones((2, 1)), np.ones(3)).shape == (2, 3)
    # Published: Nemotron Ultra 253B mean short answer, 432.8 tokens.
    assert float(law.node_seconds(500, 432.8)) == pytest.approx(0.08323, rel=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "d"), [(-1e-9, 1e-4, 0.0), (math.nan, 1e-4, 0.0), (math.inf, 0.0, 0.0), (0.0, 0.0, 0.0)]
)
def test_impossible_coefficients_are_refused(a: float, b: float, d: float) -> None:
    with pytest.raises(ValueError, match="coefficients"):
        PhysicalLaw(a, b, d)


def test_other_impossible_values_are_refused() -> None:
    with pytest.raises(ValueError, match="cap"):
        LogLinearLaw(1.0, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="rate"):
        ConstantLaw(-1.0)
    with pytest.raises(ValueError, match="negative"):
        ConstantLaw(1.0).node_seconds(-1, 1)
    with pytest.raises(ValueError, match="negative"):
        PhysicalLaw(1.0, 1.0, 1.0).node_seconds(1, [-1, 1])
    with pytest.raises(ValueError, match="ratios"):
        PhysicalLaw(1.0, 1.0, 1.0).scaled(0.0, 1.0)


def test_the_range_includes_its_edges_and_counts_what_lies_outside() -> None:
    fitted = LengthRange(128, 20_000, 128, 4096)
    assert fitted.contains([128, 20_000, 127, 500], [4096, 128, 500, 4097]).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert fitted.outside_share([128, 20_000, 127, 500], 500) == pytest.approx(0.25)


@given(laws, lengths, lengths, st.floats(1.001, 10.0))
def test_node_seconds_grow_with_either_length(law: PhysicalLaw, inputs: float, outputs: float, by: float) -> None:
    assert float(law.prefill_seconds(inputs * by)) > float(law.prefill_seconds(inputs))
    assert float(law.decode_seconds(inputs, outputs * by)) > float(law.decode_seconds(inputs, outputs))
    base = float(law.node_seconds(inputs, outputs))
    # A term may be too small to show in the sum, but none shrinks it.
    assert min(law.node_seconds([inputs * by, inputs], [outputs, outputs * by])) >= base


@given(laws, lengths, lengths, st.floats(1.001, 10.0))
def test_tokens_never_get_cheaper_with_context(law: PhysicalLaw, inputs: float, outputs: float, by: float) -> None:
    per_token = float(law.decode_seconds(inputs, outputs)) / outputs * (1 - 1e-12)
    assert float(law.decode_seconds(inputs, outputs * by)) / (outputs * by) >= per_token
    assert float(law.decode_seconds(inputs * by, outputs)) / outputs >= per_token


@given(laws, lengths, lengths)
def test_prefill_and_decode_add_up_to_a_query_at_the_stated_rate(
    law: PhysicalLaw, inputs: float, outputs: float
) -> None:
    seconds = float(law.node_seconds(inputs, outputs))
    parts = float(law.prefill_seconds(inputs)) + float(law.decode_seconds(inputs, outputs))
    assert parts == pytest.approx(seconds, rel=1e-12)
    assert float(law.tokens_per_s(inputs, outputs)) * seconds == pytest.approx(outputs, rel=1e-12)


@given(laws, st.floats(0.1, 10.0), st.floats(0.1, 10.0), lengths, lengths)
def test_scaling_bounds_the_time_between_both_ratios(
    law: PhysicalLaw, bandwidth: float, flops: float, inputs: float, outputs: float
) -> None:
    before = float(law.node_seconds(inputs, outputs))
    after = float(law.scaled(bandwidth, flops).node_seconds(inputs, outputs))
    slowest, fastest = min(bandwidth, flops), max(bandwidth, flops)
    assert before / fastest * (1 - 1e-12) <= after <= before / slowest * (1 + 1e-12)
    there_and_back = law.scaled(bandwidth, flops).scaled(1 / bandwidth, 1 / flops)
    assert float(there_and_back.node_seconds(inputs, outputs)) == pytest.approx(before, rel=1e-9)
