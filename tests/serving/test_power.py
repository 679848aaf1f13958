"""Power law: published rows, invariants, unknown batch, fitting, helpers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.serving.power import (
    LARGEST_BATCH,
    DecodeLoad,
    Device,
    accelerator_power_w,
    activity,
    energy_j_per_output_token,
    expert_coverage,
    power_fraction,
    power_interval_w,
)
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.power_fit import START, Coefficients, PowerSample, fit_power, predicted_share
from tests.serving.power_anchors import ANCHORS, B200, H100, Anchor, anchor_load, anchor_table

# --- published rows (energy-per-query reference, section 9) ---


def anchor_ratio(anchor: Anchor) -> float:
    load, device = anchor_load(anchor)
    return float(accelerator_power_w(load, device, POWER_CONSTANTS[anchor.device])) / anchor.power_w


WORST = ("deepseek-r1", 8)


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda a: f"{a.model}-{a.accelerators}x{a.device}-{a.batch}")
def test_published_row_within_band(anchor: Anchor) -> None:
    # Twin runs of one model differ by up to 15 % from node to node; the fit adds about 10 %. DeepSeek-R1
    # draws far less at small batches than the other FP8 models with small experts: a known miss.
    tolerance = 0.45 if (anchor.model, anchor.batch) == WORST else 0.20
    assert anchor_ratio(anchor) == pytest.approx(1.0, abs=tolerance)


def test_published_rows_typical_error() -> None:
    errors = [abs(anchor_ratio(anchor) - 1.0) for anchor in ANCHORS]
    assert np.median(errors) <= 0.10


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda a: f"{a.model}-{a.accelerators}x{a.device}-{a.batch}")
def test_published_energy_is_power_over_rate(anchor: Anchor) -> None:
    # Watts and tokens/s are printed as integers, energy to 0.001 J (0.01 J above 10 J).
    energy = float(energy_j_per_output_token(anchor.power_w, anchor.tokens_per_s))
    rounding = 0.5 / anchor.tokens_per_s + 0.5 / anchor.power_w
    digit = 0.005 if anchor.j_per_token > 10 else 0.0005
    assert abs(energy - anchor.j_per_token) <= anchor.j_per_token * rounding + digit


def test_facility_example() -> None:
    # Qwen3-235B FP8 on 8xH100, 881 tokens: 0.1815 Wh * (1 + 1.6/3.961) * 1.10 idle * PUE 1.2 = 0.34 Wh.
    node_w = 3961.0 + 1600.0
    answer_wh = float(energy_j_per_output_token(node_w, 5342.0)) * 881 / 3600
    assert answer_wh * 1.10 * 1.2 == pytest.approx(0.34, rel=0.02)


# --- invariants ---

any_class = st.sampled_from(sorted(POWER_CONSTANTS))
rates = st.floats(1.0, 50_000.0)
batches = st.floats(1.0, 4096.0)
loads = st.builds(
    lambda base, accelerators, batch, prompt, block: replace(
        base, accelerators=accelerators, batch=batch, prompt_tokens=prompt, block_scaled_fp8=block
    ),
    st.sampled_from([anchor_load(anchor)[0] for anchor in ANCHORS]),
    st.sampled_from([1, 2, 4, 8, 16]),
    batches,
    st.floats(0.0, 20_000.0),
    st.booleans(),
)


@given(loads, rates, any_class)
def test_power_lies_between_idle_and_tdp(load: DecodeLoad, rate: float, name: str) -> None:
    constants = POWER_CONSTANTS[name]
    share = float(power_fraction(activity(replace(load, tokens_per_s=rate), H100), H100, constants))
    assert constants.idle_share <= share <= 1.0


@given(loads, rates, st.floats(1.01, 10.0), any_class)
def test_faster_decoding_never_costs_more_per_token(load: DecodeLoad, rate: float, factor: float, name: str) -> None:
    constants = POWER_CONSTANTS[name]
    slow = accelerator_power_w(replace(load, tokens_per_s=rate), B200, constants) / rate
    fast = accelerator_power_w(replace(load, tokens_per_s=rate * factor), B200, constants) / (rate * factor)
    assert float(fast) <= float(slow) * (1 + 1e-9)


@given(loads, rates, st.floats(1.01, 10.0), any_class)
def test_power_rises_with_rate_without_block_scales(load: DecodeLoad, rate: float, factor: float, name: str) -> None:
    plain, constants = replace(load, block_scaled_fp8=False), POWER_CONSTANTS[name]
    slow = accelerator_power_w(replace(plain, tokens_per_s=rate), B200, constants)
    assert float(accelerator_power_w(replace(plain, tokens_per_s=rate * factor), B200, constants)) >= float(slow)


@given(loads, rates, st.floats(0.0, 10_000.0), any_class)
def test_power_rises_with_prompt(load: DecodeLoad, rate: float, more: float, name: str) -> None:
    base = replace(load, tokens_per_s=rate)
    longer = replace(base, prompt_tokens=float(np.asarray(load.prompt_tokens)) + more)
    constants = POWER_CONSTANTS[name]
    assert float(accelerator_power_w(longer, H100, constants)) >= float(accelerator_power_w(base, H100, constants))


@given(loads, rates, st.integers(2, 8), any_class)
def test_replicas_multiply_power(load: DecodeLoad, rate: float, copies: int, name: str) -> None:
    # Identical independent replicas of a dense model; expert coverage would depend on each replica's batch.
    one = replace(load, tokens_per_s=rate, routed_weight_bytes=0.0, experts=0, experts_active=0)
    scaled = {
        field: float(np.asarray(getattr(one, field))) * copies
        for field in ("accelerators", "tokens_per_s", "batch", "fixed_weight_bytes", "state_shards")
    }
    constants = POWER_CONSTANTS[name]
    expected = copies * float(accelerator_power_w(one, H100, constants))
    assert float(accelerator_power_w(replace(one, **scaled), H100, constants)) == pytest.approx(expected, rel=1e-12)


def test_rows_do_not_depend_on_their_neighbours() -> None:
    pairs = [anchor_load(anchor) for anchor in ANCHORS]
    load, device = anchor_table()
    batch = np.where(np.arange(len(pairs)) % 2, np.nan, load.batch)
    together = accelerator_power_w(replace(load, batch=batch), device, POWER_CONSTANTS["other"])
    alone = [
        float(accelerator_power_w(replace(one, batch=value), place, POWER_CONSTANTS["other"]))
        for (one, place), value in zip(pairs, batch, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


# --- a batch that is not known ---


def test_inferred_batch_is_marked_and_widens_the_interval() -> None:
    load, device = anchor_load(ANCHORS[2])
    known, unknown = activity(load, device), activity(replace(load, batch=np.nan), device)
    assert not known.batch_inferred
    assert unknown.batch_inferred
    # 256 sequences measured; four of five inferred batches lie within a factor of two (H100) or five (B200).
    assert 256 / 2 < float(unknown.batch) < 256 * 2
    constants = POWER_CONSTANTS["b200"]
    narrow, wide = (
        power_interval_w(1000.0, constants),
        power_interval_w(1000.0, constants, unknown.batch_inferred),
    )
    assert float(narrow[0]) == pytest.approx(1000 / constants.ratio_p90)
    assert float(wide[0]) < float(narrow[0]) < 1000 < float(narrow[1]) < float(wide[1])


@given(loads, rates)
def test_inferred_batch_stays_in_range(load: DecodeLoad, rate: float) -> None:
    batch = float(activity(replace(load, tokens_per_s=rate, batch=np.nan), H100).batch)
    assert 1.0 <= batch <= LARGEST_BATCH


# --- fitting, helpers, errors ---


def synthetic(truth: Coefficients) -> PowerSample:
    load, device = anchor_table()
    parts = {name: np.repeat(getattr(load, name), 3) for name in DecodeLoad.__slots__}
    rate = parts["tokens_per_s"] * np.tile([0.5, 1.0, 0.8], len(ANCHORS))
    load = DecodeLoad(**{**parts, "tokens_per_s": rate})
    device = Device(*(np.repeat(getattr(device, name), 3) for name in Device.__slots__))
    group = (np.asarray(device.tdp_w) > 800).astype(np.intp)
    sample = PowerSample(activity(load, device), device, np.ones(rate.shape), group)
    return replace(sample, share=predicted_share(truth, sample))


def test_fit_recovers_the_coefficients_that_made_the_data() -> None:
    truth = Coefficients(0.11, 300.0, 0.7, (11.0, 5.0))
    found = fit_power(synthetic(truth))
    assert found.idle_share == pytest.approx(truth.idle_share, rel=1e-6)
    assert found.memory_pj_per_byte == pytest.approx(truth.memory_pj_per_byte, rel=1e-6)
    assert found.scatter_gain == pytest.approx(truth.scatter_gain, rel=1e-6)
    assert found.compute_gain == pytest.approx(truth.compute_gain, rel=1e-6)


def test_fit_resists_a_hot_node() -> None:
    truth = Coefficients(0.15, 240.0, 1.1, (9.0, 6.0))
    sample = synthetic(truth)
    sample.share[3] *= 1.6
    found = predicted_share(fit_power(sample), sample)
    clean = np.arange(len(found)) != 3
    assert float(np.median(np.abs(found[clean] / sample.share[clean] - 1.0))) < 0.01


def test_fit_of_dense_models_leaves_scatter_alone() -> None:
    truth = Coefficients(0.15, 240.0, 1.1, (9.0, 6.0))
    sample = synthetic(truth)
    found = fit_power(sample.pick(sample.activity.scatter == 0))
    assert found.scatter_gain == START[2]
    assert found.memory_pj_per_byte == pytest.approx(truth.memory_pj_per_byte, rel=1e-6)


def test_fit_refuses_what_it_cannot_fit() -> None:
    sample = synthetic(Coefficients(0.15, 240.0, 1.1, (9.0, 6.0)))
    with pytest.raises(ValueError, match="too few rows"):
        fit_power(sample.pick(np.arange(len(sample.share)) < 3))
    with pytest.raises(ValueError, match="not positive"):
        fit_power(replace(sample, share=-sample.share))
    with pytest.raises(ValueError, match="every class"):
        fit_power(replace(sample, group=sample.group * 2))


def test_expert_coverage_of_qwen3_235b() -> None:
    # 128 experts, 8 per token: 125.9 of 128 expected at 64 sequences.
    assert float(expert_coverage(64, 128, 8)) * 128 == pytest.approx(125.9, abs=0.05)
    assert float(expert_coverage(64, 0, 0)) == 0.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accelerators", 0),
        ("tokens_per_s", -1.0),
        ("tokens_per_s", np.nan),
        ("batch", 0.0),
        ("batch", np.inf),
        ("layers", 0),
        ("matmul_params", 0.0),
        ("fixed_weight_bytes", -1.0),
        ("output_tokens", 0.0),
        ("prompt_tokens", np.inf),
    ],
)
def test_bad_load_is_named(field: str, value: float) -> None:
    load, device = anchor_load(ANCHORS[0])
    with pytest.raises(ValueError, match=field):
        activity(replace(load, **{field: value}), device)


def test_bad_arguments_of_helpers() -> None:
    with pytest.raises(ValueError, match="tdp_w"):
        activity(anchor_load(ANCHORS[0])[0], replace(H100, tdp_w=0.0))
    with pytest.raises(ValueError, match="tokens_per_s"):
        energy_j_per_output_token(1.0, 0.0)
