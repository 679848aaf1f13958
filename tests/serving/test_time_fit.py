"""Fitting the time model: recovery of known constants, robustness, priors, groups left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.calibration import sample_of
from aiplan.planners.serving.calibration_recipes import online_recipe
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.service import offline, online
from aiplan.planners.serving.time_constants import TimeConstants
from aiplan.planners.serving.time_fit import (
    FIRST_TOKEN,
    LEVEL,
    Sample,
    Unknown,
    errors,
    fit_time,
    leave_one_out,
    scaled,
    with_values,
)

START = online_recipe().start


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Two models on two accelerators at several loads."""
    return [
        Row(model, hardware, "fp8", "vllm", n_gpus=4, tp=4, isl=isl, osl=500, concurrency=load)
        for model in ("llama-3.1-70b", "qwen3-30b-a3b")
        for hardware in ("h100-sxm", "b200-sxm")
        for isl in (500.0, 4000.0)
        for load in (2.0, 16.0, 128.0)
    ]


@pytest.fixture(scope="module")
def blank(rows: list[Row]) -> Sample:
    return sample_of(rows, Shelf(Catalog()))


def measured(sample: Sample, truth: TimeConstants) -> Sample:
    """The sample as if it had been measured where the constants hold exactly."""
    served = online(sample.deployment, truth, sample.load, sample.limit)
    return replace(sample, tpot_s=served.tpot_s, ttft_s=served.ttft_benchmark_s)


def loose(*names: str) -> dict[str, Unknown]:
    return {name: Unknown(_value(START, name), 5.0) for name in names}


def _value(constants: TimeConstants, name: str) -> float:
    engine, _, factor = name.partition(".")
    return constants.factor(factor, engine) if factor else float(getattr(constants, name))


TRUTH = with_values(
    START, {"memory_efficiency": 0.7, "layer_overhead_s": 90e-6, "compute_efficiency": 0.5, "vllm.first_token_s": 0.06}
)
NAMES = ("memory_efficiency", "layer_overhead_s", "compute_efficiency", "vllm.first_token_s")


def test_known_constants_are_found_again(blank: Sample) -> None:
    found = fit_time(measured(blank, TRUTH), START, loose(*NAMES))
    for name in NAMES:
        assert _value(found, name) == pytest.approx(_value(TRUTH, name), rel=0.03)


def test_a_few_wild_rows_hardly_move_the_fit(blank: Sample) -> None:
    sample = measured(blank, TRUTH)
    wild = sample.tpot_s.copy()
    wild[::8] *= 5.0
    found = fit_time(replace(sample, tpot_s=wild), START, loose(*NAMES[:2]))
    exact = fit_time(sample, START, loose(*NAMES[:2]))
    for name in NAMES[:2]:
        assert _value(found, name) == pytest.approx(_value(exact, name), rel=0.15)


def test_what_no_row_informs_stays_at_its_prior(blank: Sample) -> None:
    unknowns = {"speculative_factor": Unknown(0.6, 0.2), "rank_wait_steps": Unknown(12.0, 0.5)}
    found = fit_time(measured(blank, TRUTH), START, unknowns)
    assert (found.speculative_factor, found.rank_wait_steps) == pytest.approx((0.6, 12.0), rel=1e-6)


def test_bounds_hold(blank: Sample) -> None:
    unknowns = {"memory_efficiency": Unknown(0.9, 5.0, 0.85, 0.95)}
    assert fit_time(measured(blank, TRUTH), START, unknowns).memory_efficiency == pytest.approx(0.85, rel=1e-3)


def test_rows_left_out_have_no_say(blank: Sample, rows: list[Row]) -> None:
    """Measuring the left-out group wrong by a factor moves its errors by that factor and nothing else."""
    sample, fitted = measured(blank, TRUTH), np.ones(len(rows), dtype=np.bool_)
    labels = [row.model for row in rows]
    held = np.array(labels) == "qwen3-30b-a3b"
    wrong = replace(sample, tpot_s=np.where(held, 3.0 * sample.tpot_s, sample.tpot_s))
    unknowns = loose("memory_efficiency", "layer_overhead_s")
    before = leave_one_out(sample, fitted, labels, START, unknowns)
    after = leave_one_out(wrong, fitted, labels, START, unknowns)
    np.testing.assert_allclose(after.tpot[held], before.tpot[held] - np.log(3.0), rtol=1e-9)
    assert np.max(np.abs(after.tpot[~held] - before.tpot[~held])) > 0.05


def test_a_fitted_start_can_be_left_out_too(blank: Sample, rows: list[Row]) -> None:
    sample, fitted = measured(blank, TRUTH), np.ones(len(rows), dtype=np.bool_)
    asked: list[str] = []

    def without(label: str) -> tuple[TimeConstants, dict[str, Unknown]]:
        asked.append(label)
        return TRUTH, {}

    # Nothing to fit: every label is scored under the constants it was given.
    found = leave_one_out(sample, fitted, [row.hardware for row in rows], START, {}, from_without=without)
    assert sorted(asked) == ["b200-sxm", "h100-sxm"]
    np.testing.assert_allclose(found.tpot, 0.0, atol=1e-12)


def test_no_rows_cannot_be_fitted(blank: Sample) -> None:
    with pytest.raises(ValueError, match="no rows"):
        fit_time(blank.pick(np.zeros(len(blank), dtype=np.bool_)), START, loose("memory_efficiency"))


def test_a_new_engine_starts_from_the_others() -> None:
    changed = with_values(START, {"lmdeploy.overhead": 2.0})
    assert changed.engines["lmdeploy"] == {**START.engines["other"], "overhead": 2.0}
    assert "lmdeploy" not in START.engines


@settings(deadline=None, max_examples=25)
@given(level=st.floats(0.9, 5.0), first=st.floats(0.2, 5.0))
def test_a_level_scales_every_time(blank: Sample, level: float, first: float) -> None:
    changed = scaled(START, level, first)
    before = online(blank.deployment, START, blank.load, blank.limit)
    after = online(blank.deployment, changed, blank.load, blank.limit)
    np.testing.assert_allclose(after.tpot_s, level * before.tpot_s, rtol=1e-9)
    np.testing.assert_allclose(after.output_tok_s, before.output_tok_s / level, rtol=1e-9)
    whole = offline(blank.deployment, changed, blank.load, blank.limit, 1000.0)
    np.testing.assert_allclose(
        whole.output_tok_s,
        offline(blank.deployment, START, blank.load, blank.limit, 1000.0).output_tok_s / level,
        rtol=1e-9,
    )
    alike = online(blank.deployment, scaled(START, level), blank.load, blank.limit)
    np.testing.assert_allclose(alike.ttft_benchmark_s, level * before.ttft_benchmark_s, rtol=1e-9)


def test_one_row_moves_the_level_by_two_thirds_of_its_error(blank: Sample) -> None:
    sample = measured(blank, scaled(START, 1.1)).pick(np.arange(1))
    sample = replace(sample, ttft_s=np.full(1, np.nan))
    found = fit_time(sample, START, {LEVEL: Unknown(1.0, 0.28), FIRST_TOKEN: Unknown(1.0, 1.4)})
    moved = np.log(found.layer_overhead_s / START.layer_overhead_s) / np.log(1.1)
    assert moved == pytest.approx(1.0 / 1.5, abs=0.05)


def test_throughput_counts_where_no_time_per_token_was_measured(blank: Sample) -> None:
    served = online(blank.deployment, scaled(START, 1.3), blank.load, blank.limit)
    sample = replace(blank, output_tok_s=served.output_tok_s)
    found = fit_time(sample, START, {LEVEL: Unknown(1.0, 0.28)})
    assert np.median(np.abs(errors(sample, found).throughput)) < 0.02
    assert found.layer_overhead_s > 1.2 * START.layer_overhead_s
