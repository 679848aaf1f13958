"""Published estimates moved to one boundary, and two peers' formulas against their own output."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.energy.published import (
    BoundaryRatios,
    EcologitsCoefficients,
    Estimate,
    Target,
    ecologits_accelerator_count,
    ecologits_energies,
    jegham_energy_wh,
    normalise,
)
from aiplan.planners.energy.query import BOUNDARIES

Entries = dict[str, dict[str, Any]]
positive = st.floats(1e-3, 1e3)
pues = st.floats(1.0, 2.0)
lengths = st.floats(1, 1e5)
boundaries = st.sampled_from(BOUNDARIES)


def law_s(input_tokens: float, output_tokens: float) -> float:
    """Physical law of Llama 3.1 405B on 8xH100 (TensorRT-LLM v1.0, FP8)."""
    a, b, d = 1.36e-4, 1.17e-4, 7.01e-8
    return a * output_tokens + b * input_tokens + d * output_tokens * (input_tokens + output_tokens / 2)


@pytest.fixture(scope="module")
def ecologits(entries: Entries) -> EcologitsCoefficients:
    entry = entries["ecologits-0.9.1"]
    return EcologitsCoefficients(
        **{field.name: entry[field.name] for field in dataclasses.fields(EcologitsCoefficients)}
    )


def plain(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) else value


def estimate_of(entry: dict[str, Any]) -> Estimate:
    return Estimate(**{f.name: plain(entry.get(f.name)) for f in dataclasses.fields(Estimate)})


# --- normalise ---------------------------------------------------------------------------------------


def test_measured_gpu_row_to_facility(entries: Entries) -> None:
    # 0.1815 x (1 + 1.6/3.961) x 1.10 x 1.2 = 0.34 Wh.
    estimate = estimate_of(entries["mlenergy-v3-qwen3-235b-fp8-8xh100-b511"])
    moved = normalise(estimate, Target("facility", 1.2), BoundaryRatios(host_per_accelerator=1.6 / 3.961))
    assert moved.normalised_wh == pytest.approx(0.34, rel=0.02)
    assert moved.pue_factor == 1.2
    assert moved.boundary_factor == pytest.approx(1.40394 * 1.10, rel=1e-5)
    assert moved.token_factor == 1.0
    assert moved.reason == ""


def test_google_full_figure_back_to_its_accelerators(entries: Entries) -> None:
    # 0.14 Wh of accelerators in the split (second-hand).
    moved = normalise(estimate_of(entries["google-gemini-2025"]), Target("accelerator", 1.0))
    assert moved.own_length_wh == pytest.approx(0.14, abs=0.0005)


def test_google_narrow_figure_does_not_become_the_full_one(entries: Entries) -> None:
    moved = normalise(estimate_of(entries["google-gemini-2025-narrow"]), Target("facility", 1.09))
    assert moved.normalised_wh == pytest.approx(0.171, abs=0.0005)


def test_target_on_the_convention_of_the_paper_changes_nothing(entries: Entries) -> None:
    moved = normalise(estimate_of(entries["oviedo-2026-short"]), Target("server", 1.296, 500, 300), node_seconds=law_s)
    assert moved.normalised_wh == pytest.approx(0.31)
    assert (moved.pue_factor, moved.boundary_factor, moved.token_factor) == (1.0, 1.0, 1.0)
    assert moved.assumptions == ()


def test_tokens_scale_with_the_law(entries: Entries) -> None:
    # From 500/300 to 500/5000 the law goes from 0.11297 to 1.7900 s.
    moved = normalise(estimate_of(entries["oviedo-2026-short"]), Target("server", 1.296, 500, 5000), node_seconds=law_s)
    by_hand = (0.68 + 0.0585 + 7.01e-8 * 5000 * 3000) / (0.0408 + 0.0585 + 7.01e-8 * 300 * 650)
    assert moved.token_factor == pytest.approx(by_hand)
    assert moved.normalised_wh == pytest.approx(0.31 * by_hand)


def test_long_query_scaled_down_is_near_the_short_one(entries: Entries) -> None:
    # The paper's own pair differs by 12.6; the physical law of 405B says 15.8.
    moved = normalise(estimate_of(entries["oviedo-2026-long"]), Target("server", 1.296, 500, 300), node_seconds=law_s)
    assert moved.normalised_wh == pytest.approx(0.31, rel=0.35)


def test_unknown_tokens_leave_a_reason(entries: Entries) -> None:
    moved = normalise(estimate_of(entries["google-gemini-2025"]), Target("facility", 1.2, 500, 300), node_seconds=law_s)
    assert moved.normalised_wh is None
    assert moved.reason == "output tokens not stated"
    assert moved.own_length_wh == pytest.approx(0.24 * 1.2 / 1.09)


def test_unknown_input_tokens_may_be_assumed_aloud(entries: Entries) -> None:
    estimate = estimate_of(entries["epoch-gpt-4o"])
    target = Target("server", 1.2, 500, 300)
    assert normalise(estimate, target, node_seconds=law_s).reason == "input tokens not stated"
    moved = normalise(estimate, target, node_seconds=law_s, input_tokens_if_unknown=500)
    assert moved.normalised_wh == pytest.approx(0.301 * law_s(500, 300) / law_s(500, 500))
    assert moved.assumptions == ("input tokens of the source taken as 500",)


def test_unknown_boundary_and_pue_leave_reasons(entries: Entries) -> None:
    altman = normalise(estimate_of(entries["openai-altman-2025"]), Target("facility", 1.2))
    assert (altman.printed_wh, altman.normalised_wh) == (0.34, None)
    assert altman.reason == "boundary not stated; PUE not stated"
    muxup = estimate_of(entries["muxup-deepseek-r1-fp8-8k-1k-best"])
    assert normalise(muxup, Target("facility", 1.2)).reason == "PUE not stated"
    assumed = normalise(muxup, Target("facility", 1.2), pue_if_unknown=1.25)
    assert assumed.normalised_wh == pytest.approx(0.96 * 1.2 / 1.25)
    assert assumed.assumptions == ("PUE of the source taken as 1.25",)


def test_life_cycle_assessment_has_no_energy(entries: Entries) -> None:
    moved = normalise(estimate_of(entries["mistral-large-2-lca"]), Target("facility", 1.2))
    assert moved.printed_wh is None
    assert moved.reason == "no energy published"


def test_per_token_figure_needs_a_length(entries: Entries) -> None:
    estimate = estimate_of(entries["mlenergy-v2-llama-3.1-70b-8xa100"])
    assert normalise(estimate, Target("accelerator", 1.0)).reason == "per-token figure: needs an output length"
    moved = normalise(estimate, Target("accelerator", 1.0, 500, 300))
    assert moved.normalised_wh == pytest.approx(0.957 * 300 / 3600)
    assert moved.own_length_wh is None
    assert "same at any length" in moved.assumptions[0]


def test_no_law_is_a_reason_and_a_broken_law_an_error() -> None:
    estimate = Estimate("server", 1.0, pue=1.0, input_tokens=500, output_tokens=300)
    target = Target("server", 1.0, 500, 301)
    assert normalise(estimate, target).reason == "no law to scale tokens with"
    with pytest.raises(ValueError, match="above 0"):
        normalise(estimate, target, node_seconds=lambda *_: 0.0)


@pytest.mark.parametrize("wrong", [("gpu", 1.2, None, None), ("server", 0.9, None, None), ("server", 1.2, 500, None)])
def test_impossible_targets_are_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"boundary|pue|both"):
        Target(*wrong)


@given(positive, boundaries, boundaries, pues, pues, lengths, lengths, lengths, lengths)
def test_there_and_back_again(
    energy: float,
    own: str,
    to: str,
    own_pue: float,
    to_pue: float,
    i1: float,
    o1: float,
    i2: float,
    o2: float,
) -> None:
    out = normalise(Estimate(own, energy, None, own_pue, i1, o1), Target(to, to_pue, i2, o2), node_seconds=law_s)
    back = normalise(
        Estimate(to, out.normalised_wh, None, to_pue, i2, o2),
        Target(own, own_pue, i1, o1),
        node_seconds=law_s,
    )
    assert back.normalised_wh == pytest.approx(energy)


@given(positive, boundaries, boundaries, pues, pues, st.floats(0.1, 10))
def test_the_result_is_the_product_of_its_steps(
    energy: float, own: str, to: str, own_pue: float, to_pue: float, k: float
) -> None:
    def moved(value: float) -> Any:
        return normalise(
            Estimate(own, value, None, own_pue, 500, 300), Target(to, to_pue, 500, 600), node_seconds=law_s
        )

    once = moved(energy)
    assert once.normalised_wh == pytest.approx(energy * once.pue_factor * once.boundary_factor * once.token_factor)
    assert once.own_length_wh * once.token_factor == pytest.approx(once.normalised_wh)
    assert moved(k * energy).normalised_wh == pytest.approx(k * once.normalised_wh)


# --- EcoLogits ---------------------------------------------------------------------------------------


def test_ecologits_deployment_sizes(ecologits: EcologitsCoefficients) -> None:
    # 1.2 x 16 bit on 80 GB cards: 405B needs 13 and gets 16, 70B needs 3 and gets 4.
    counts = ecologits_accelerator_count([8.03, 70.554, 235.0, 405.85], ecologits)
    assert counts.tolist() == [1, 4, 8, 16]


@pytest.mark.parametrize(
    ("total", "active", "gpu_wh", "host_wh", "facility_wh"),
    [
        (405.85, 405.85, 1.73841, 1.31171, 3.66014),
        (70.554, 70.554, 0.129126, 0.0909467, 0.264087),
        (235.0, 22.0, 0.169780, 0.113259, 0.339648),
        (8.03, 8.03, 0.0180407, 0.0116890, 0.0356756),
    ],
)
def test_ecologits_matches_its_release(
    ecologits: EcologitsCoefficients,
    total: float,
    active: float,
    gpu_wh: float,
    host_wh: float,
    facility_wh: float,
) -> None:
    # Output of the 0.9.1 package itself for 400 tokens and PUE 1.2; our coefficients have five digits.
    energies = ecologits_energies(total, active, 400, ecologits, pue=1.2)
    assert float(energies.accelerator_wh) == pytest.approx(gpu_wh, rel=1e-4)
    assert float(energies.server_wh - energies.accelerator_wh) == pytest.approx(host_wh, rel=1e-4)
    assert float(energies.server_idle_wh) == float(energies.server_wh)
    assert float(energies.facility_wh) == pytest.approx(facility_wh, rel=1e-4)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("gpu", "batch_limit", "ratio", "error", "within_2x"),
    [
        ("H100", None, 0.93, 0.56, 0.57),
        ("B200", None, 1.07, 0.69, 0.45),
        ("H100", "64", None, 0.35, 0.95),
    ],
)
def test_ecologits_against_measured_energy(
    ecologits: EcologitsCoefficients,
    measured: list[dict[str, str]],
    gpu: str,
    batch_limit: str | None,
    ratio: float | None,
    error: float,
    within_2x: float,
) -> None:
    # Accelerator J per token on ML.ENERGY v3, chat and gpqa: 195 H100 and 183 B200 runs.
    rows = [row for row in measured if row["gpu_model"] == gpu and batch_limit in (None, row["max_num_seqs"])]
    total = np.array([float(row["total_params_billions"]) for row in rows])
    active = np.array([float(row["activated_params_billions"]) for row in rows])
    joules = np.array([float(row["energy_per_token_joules"]) for row in rows])
    ratios = ecologits_energies(total, active, 1, ecologits).accelerator_wh * 3600 / joules
    if ratio is not None:
        assert float(np.median(ratios)) == pytest.approx(ratio, rel=0.05)
    assert float(np.median(np.abs(ratios - 1))) == pytest.approx(error, rel=0.05)
    assert float(np.mean((ratios >= 0.5) & (ratios <= 2))) == pytest.approx(within_2x, abs=0.01)


@given(st.floats(1, 1000), st.floats(1, 1000), lengths, st.floats(1.1, 10))
def test_ecologits_is_proportional_to_tokens_and_blind_to_prompts(
    total: float, active: float, tokens: float, k: float
) -> None:
    coefficients = EcologitsCoefficients(1e-6, -0.01, 4e-5, 7e-4, 3e-4, 0.02, 64, 16, 1.2, 80, 1200, 8)
    once = ecologits_energies(total, active, tokens, coefficients).facility_wh
    assert float(ecologits_energies(total, active, k * tokens, coefficients).facility_wh) == pytest.approx(k * once)
    bigger = ecologits_energies(total, k * active, tokens, coefficients).facility_wh
    assert bigger > once


# --- Jegham ------------------------------------------------------------------------------------------

NODE = {"node_accelerator_w": 10_200, "node_host_w": 1_600, "host_fraction": 0.5, "accelerator_count": 8}


def test_jegham_worked_example() -> None:
    # OpenInferESG, GPT-4o at 5.5-7.5 % of a node: 190.5-219.1 W with PUE; 33.84 s gives 1.79 Wh.
    per_hour_wh = jegham_energy_wh(3600, 1, 0, accelerator_fraction=np.array([0.055, 0.075]), **NODE)
    assert per_hour_wh == pytest.approx([190.5, 219.1], abs=0.1)
    long_wh = jegham_energy_wh(1500, 1500 / 33.84, 0, accelerator_fraction=0.055, **NODE)
    assert float(long_wh) == pytest.approx(1.788, rel=0.005)


@given(st.floats(0, 1e4), st.floats(1, 500), st.floats(0, 10), st.integers(1, 256))
def test_jegham_prices_waiting_like_decoding(tokens: float, rate: float, ttft_s: float, batch: int) -> None:
    once = float(jegham_energy_wh(tokens, rate, ttft_s, accelerator_fraction=0.06, batch=batch, **NODE))
    folded = float(jegham_energy_wh(tokens + ttft_s * rate, rate, 0, accelerator_fraction=0.06, batch=batch, **NODE))
    assert folded == pytest.approx(once, abs=1e-12)
    shared = float(jegham_energy_wh(tokens, rate, ttft_s, accelerator_fraction=0.06, batch=2 * batch, **NODE))
    assert shared == pytest.approx(once / 2, abs=1e-12)
