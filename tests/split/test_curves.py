"""Latency curves of the profiles against the simulator's, against scipy, against measured cells left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator, interp1d

from aiplan.catalog.loader import Catalog
from aiplan.planners.split.curves import (
    BANDWIDTH_SHARE,
    DECODE_WAYS,
    context_slope_s_per_token,
    decode_left_out,
    decode_table_s,
    decode_way,
    fit_hinge,
    hinge_s,
    interpolated,
    pchip,
    pchip_slopes,
    prompt_left_out,
    prompt_table_s,
    rising,
    simulated_decode_s,
)
from aiplan.planners.split.profile_machines import Curves, catalog_curves, decode_cells, profile_curves, prompt_cells
from tests.transcribe.profiles import read_rows

CATALOG = Catalog()
ENTRIES: dict[str, Any] = {name: CATALOG.get("profiles", name) for name in CATALOG.ids("profiles")}
MEASURED = [
    (name, key) for name, entry in ENTRIES.items() for key, one in entry.machines.items() if one.by_batched_tokens
]
BLOOM, LLAMA = "splitwise-bloom-176b", "splitwise-llama2-70b"
STEADY = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def curves(profile: str, machine: str, decode_model: Any = "simcompat", **most: int) -> Curves:
    return catalog_curves(CATALOG, profile, machine, decode_model, **most)


# --- check 1: bytes ---------------------------------------------------------------------------------------------------


def test_bytes_of_the_cache_follow_from_the_shapes() -> None:
    for name, simulated in ((BLOOM, 4_014_080), (LLAMA, 2_621_440)):
        entry, model = ENTRIES[name], CATALOG.get("models", ENTRIES[name].model)
        assert entry.kv_bytes_per_token.value == 2 * model.kv_values_per_token
        assert entry.simulator_kv_bytes_per_token.value == simulated == 2 * 2 * model.layers * model.hidden_size
        (other,) = [item for item in entry.conflicts if item.field == "weights_bytes"]
        assert other.value == 2 * model.total_params
    assert (ENTRIES[BLOOM].kv_bytes_per_token.value, ENTRIES[LLAMA].kv_bytes_per_token.value) == (4_014_080, 327_680)


def test_room_for_tokens() -> None:
    # Reference, section 4: 358.2e9 bytes beside BLOOM's weights, 89,234 tokens.
    assert int(curves(BLOOM, "dgx-h100").room_tokens) == 89_234
    assert curves(LLAMA, "dgx-a100", "measured").room_tokens == pytest.approx((8 * 80 * 2**30 - 135e9) / 327_680)
    assert curves(LLAMA, "dgx-a100").kv_bytes_per_token == 2_621_440
    assert (curves(BLOOM, "dgx-a100").layers, curves(LLAMA, "a100-tp2").layers) == (70, 80)


# --- check 2: the simulator's curves ----------------------------------------------------------------------------------

LENGTHS, BATCHES = (128, 512, 1020, 1500, 2048, 4096, 8192), (1, 30, 64, 512)


@pytest.mark.parametrize(
    ("profile", "machine", "prompt_ms", "token_ms"),
    [
        (BLOOM, "dgx-h100", (48.28, 76.14, 131.78, 187.88, 251.96, 649.60, 1411.57), (35.33, 35.42, 35.53, 36.17)),
        (BLOOM, "dgx-a100", (79.67, 174.38, 286.58, 403.02, 536.06, 1332.64, 3591.47), (47.52, 47.54, 47.56, 49.31)),
        (LLAMA, "dgx-h100", (58.19, 53.86, 77.50, 104.06, 134.42, 376.22, 831.49), (31.47, 31.10, 30.68, 30.56)),
        (LLAMA, "dgx-a100", (65.35, 93.02, 160.33, 217.50, 282.71, 708.36, 1780.97), (42.58, 42.69, 42.81, 45.03)),
    ],
)
def test_curves_of_the_simulator(
    profile: str, machine: str, prompt_ms: tuple[float, ...], token_ms: tuple[float, ...]
) -> None:
    """Section 3.2 of the reference, derived there from the same file; 0.01 ms."""
    found = curves(profile, machine)
    assert found.prompt_s[list(LENGTHS)] * 1e3 == pytest.approx(prompt_ms, abs=0.01)
    assert found.decode_s[list(BATCHES)] * 1e3 == pytest.approx(token_ms, abs=0.01)
    assert found.context_s_per_token == 0


def test_decode_as_measured_is_not_what_the_simulator_says() -> None:
    """Section 3.3: at batch 64 on 8 x H100 the simulator has 35.5 ms, the file 63.8 ms."""
    simulated, measured = curves(BLOOM, "dgx-h100"), curves(BLOOM, "dgx-h100", "measured")
    assert simulated.decode_s[64] * 1e3 == pytest.approx(35.53, abs=0.01)
    assert measured.decode_s[64] * 1e3 == pytest.approx(63.82, rel=0.01)
    assert measured.decode_s[30] * 1e3 == pytest.approx(45, rel=0.01)
    assert measured.profile_context_tokens == 576


# --- check 3: the capped machine --------------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_capped_rows_are_scaled_rows(shared_data: Path) -> None:
    rows = read_rows(shared_data / "splitwise" / "perf_model.csv")
    seen = 0
    for (model, hardware, width), capped in rows.items():
        if hardware == "h100-80gb-pcap":
            for one, base in zip(capped, rows[model, "h100-80gb", width], strict=True):
                assert one["prompt_time"] / base["prompt_time"] == pytest.approx(1.30, rel=1e-9)
                assert one["token_time"] / base["token_time"] == pytest.approx(1.00, rel=1e-9)
                seen += 1
    assert seen == 420


@pytest.mark.parametrize("profile", ENTRIES)
@pytest.mark.parametrize("decode_model", ["simcompat", "measured"])
def test_the_capped_machine_is_exactly_scaled(profile: str, decode_model: Any) -> None:
    base, capped = (curves(profile, name, decode_model) for name in ("dgx-h100", "dgx-h100-pcap"))
    assert np.array_equal(capped.prompt_s, base.prompt_s * 1.3)
    assert np.array_equal(capped.decode_s, base.decode_s)
    assert (capped.context_s_per_token, capped.room_tokens) == (base.context_s_per_token, base.room_tokens)
    for name, entry in ENTRIES.items():
        machine = entry.machines["dgx-h100-pcap"]
        assert not machine.by_batched_tokens, name
        assert (machine.prompt_factor.evidence, machine.prompt_factor.grade) == ("assumed", "assumption")


# --- check 17: how well the fits do -----------------------------------------------------------------------------------


def test_the_profiles_hold_eight_measured_groups() -> None:
    assert len(MEASURED) == 8


def test_prompt_lengths_left_out() -> None:
    """6.6 % mean, 22 % at worst over the inner lengths of the eight groups, as the reference has it."""
    errors = np.concatenate([prompt_left_out(*prompt_cells(ENTRIES[name].machines[key])) for name, key in MEASURED])
    assert errors.size == 54
    assert errors.mean() == pytest.approx(0.066, abs=0.001)
    assert errors.max() == pytest.approx(0.220, abs=0.001)


def test_decode_batches_left_out() -> None:
    """The hinge predicts an inner batch that was left out within 3 % on average, better than segments do."""
    cells = [decode_cells(ENTRIES[name].machines[key].decode_by_batch) for name, key in MEASURED]
    mean = {way: float(np.mean(np.concatenate([decode_left_out(*one, way) for one in cells]))) for way in DECODE_WAYS}
    assert mean["hinge"] == pytest.approx(0.0155, abs=0.001)
    assert mean["segments"] == pytest.approx(0.0216, abs=0.003)
    chosen = [decode_left_out(*one, decode_way(*one)) for one in cells]
    assert np.mean(np.concatenate(chosen)) <= 0.03
    assert {decode_way(*one) for one in cells[:2]} == {"hinge"}


@pytest.mark.parametrize(
    ("profile", "machine", "a", "c", "d"),
    [
        (BLOOM, "dgx-a100", 48.7, 0.527, 0.442),
        (BLOOM, "dgx-h100", 36.0, 0.305, 0.260),
        (LLAMA, "a100-tp4", 44.3, 0.250, 0.395),
        (LLAMA, "dgx-a100", 44.6, 0.275, 0.292),
        (LLAMA, "h100-tp4", 29.3, 0.235, 0.251),
        (LLAMA, "dgx-h100", 30.1, 0.268, 0.092),
    ],
)
def test_hinges_of_the_reference(profile: str, machine: str, a: float, c: float, d: float) -> None:
    """Section 3.4: a + c b + d max(b - 32, 0), fitted there to all cells at batch 1 too; 5 % of a, 0.04 ms/sequence."""
    found = fit_hinge(*decode_cells(ENTRIES[profile].machines[machine].decode_by_batch)) * 1e3
    assert found[0] == pytest.approx(a, rel=0.01)
    assert found[1] == pytest.approx(c, abs=0.02)
    assert found[2] - found[1] == pytest.approx(d, abs=0.04)


# --- context ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("machine", "slope_ms", "share"), [("dgx-h100", 2.1e-4, 0.72), ("dgx-a100", 4.1e-4, 0.61)])
def test_slope_over_context_of_bloom(machine: str, slope_ms: float, share: float) -> None:
    """Section 3.3: slopes at batch 1 and the shares of the bandwidth they imply."""
    found = curves(BLOOM, machine, "measured")
    chip = CATALOG.get("accelerators", ENTRIES[BLOOM].machines[machine].accelerator)
    assert found.context_s_per_token * 1e3 == pytest.approx(slope_ms, rel=0.05)
    implied = found.kv_bytes_per_token / (8 * chip.hbm_tb_per_s.value * 1e12) / found.context_s_per_token
    assert implied == pytest.approx(share, abs=0.04)


def test_slopes_that_are_no_bandwidth_are_not_taken() -> None:
    """Llama 2 70B shares its keys among heads; at batch 1 slopes imply a twentieth of the bandwidth or are noise."""
    for name, machine in ENTRIES[LLAMA].machines.items():
        chip = CATALOG.get("accelerators", machine.accelerator)
        bandwidth = machine.tensor_parallel * chip.hbm_tb_per_s.value * 1e12
        found = curves(LLAMA, name, "measured").context_s_per_token
        assert found == pytest.approx(327_680 / bandwidth / BANDWIDTH_SHARE), name


def test_slope_over_context_of_a_line() -> None:
    context = np.array([100.0, 1000.0, 4000.0])
    assert context_slope_s_per_token(context, 0.03 + 2e-7 * context, 4e6, 3e13) == pytest.approx(2e-7)
    assert context_slope_s_per_token(context, 0.03 + 2e-5 * context, 4e6, 3e13) == pytest.approx(4e6 / 3e13 / 0.68)
    assert context_slope_s_per_token([], [], 4e6, 3e13) == pytest.approx(4e6 / 3e13 / 0.68)


# --- interpolation against scipy --------------------------------------------------------------------------------------

POSITIVE = st.floats(1e-3, 1e3)


@st.composite
def points(draw: st.DrawFn, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    steps = draw(st.lists(st.integers(1, 900), min_size=least, max_size=9))
    times = draw(st.lists(POSITIVE, min_size=len(steps), max_size=len(steps)))
    return np.cumsum(np.array(steps, float)), np.array(times)


@STEADY
@given(points(), st.lists(st.floats(-50.0, 10_000.0), min_size=1, max_size=20))
def test_interpolation_is_scipys(cells: tuple[np.ndarray, np.ndarray], at: list[float]) -> None:
    expected = interp1d(*cells, fill_value="extrapolate")(at)
    assert interpolated(*cells, at) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@STEADY
@given(points())
def test_pchip_is_scipys(cells: tuple[np.ndarray, np.ndarray]) -> None:
    theirs = PchipInterpolator(*cells)
    at = np.linspace(cells[0][0], cells[0][-1], 97)
    assert pchip_slopes(*cells) == pytest.approx(theirs.derivative()(cells[0]), rel=1e-7, abs=1e-9)
    assert pchip(*cells, at) == pytest.approx(theirs(at), rel=1e-9, abs=1e-9)
    assert pchip(*cells, cells[0]) == pytest.approx(cells[1], rel=1e-12)


def test_points_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="increase"):
        interpolated([2, 1], [1.0, 2.0], 1.5)
    with pytest.raises(ValueError, match="as many"):
        interpolated([1, 2], [1.0], 1.5)
    with pytest.raises(ValueError, match="positive"):
        prompt_table_s([0, 1], [1.0, 2.0], 5, "measured")
    assert interpolated([5], [2.0], [1, 9]).tolist() == [2.0, 2.0]


# --- tables -----------------------------------------------------------------------------------------------------------


@STEADY
@given(points(), st.integers(0, 3000))
def test_tables_are_positive(cells: tuple[np.ndarray, np.ndarray], most: int) -> None:
    for way in ("simcompat", "measured"):
        table = prompt_table_s(*cells, most, way)
        assert table.shape == (most + 1,)
        assert np.all(table > 0)
        assert np.all(np.isfinite(table))
    assert np.all(simulated_decode_s(*cells, most) > 0)


@STEADY
@given(points(least=1), st.integers(1, 1500))
def test_decode_tables_do_not_fall(cells: tuple[np.ndarray, np.ndarray], most: int) -> None:
    table = decode_table_s(*cells, most)
    assert table.shape == (most + 1,)
    assert np.all(table > 0)
    assert np.all(np.diff(table) >= -1e-12 * table[1:])
    assert table[0] == table[1]


@STEADY
@given(st.tuples(st.floats(0.01, 1), st.floats(0, 0.1), st.floats(0, 0.1)))
def test_a_hinge_is_found_again(coefficients: tuple[float, float, float]) -> None:
    batch = np.array([1.0, 2, 4, 8, 16, 32, 64, 96])
    found = fit_hinge(batch, hinge_s(coefficients, batch))
    assert found == pytest.approx(coefficients, rel=1e-6, abs=1e-7)


@STEADY
@given(st.lists(POSITIVE, min_size=1, max_size=12))
def test_rising_values_do_not_fall_and_keep_their_mean(values: list[float]) -> None:
    found = rising(values)
    assert np.all(np.diff(found) >= 0)
    assert found.mean() == pytest.approx(np.mean(values))
    assume(values == sorted(values))
    assert found.tolist() == values


@pytest.mark.parametrize(("profile", "machine"), [(name, key) for name, one in ENTRIES.items() for key in one.machines])
@pytest.mark.parametrize("decode_model", ["simcompat", "measured"])
def test_shipped_tables(profile: str, machine: str, decode_model: Any) -> None:
    found = curves(profile, machine, decode_model, most_tokens=12_000, most_batch=300)
    assert (found.prompt_s.shape, found.decode_s.shape) == ((12_001,), (301,))
    assert np.all(np.diff(found.prompt_s[512:]) >= 0)
    assert found.prompt_s.min() > 0.02
    assert found.decode_s.min() > 0.02
    if decode_model == "measured":
        assert np.all(np.diff(found.decode_s) >= 0)
        assert found.context_s_per_token > 0


def test_measured_curves_go_through_the_measured_prompts() -> None:
    for name, key in MEASURED:
        tokens, time_s = prompt_cells(ENTRIES[name].machines[key])
        table = prompt_table_s(tokens, time_s, 8192, "measured")
        inside = tokens[tokens <= 8192]
        assert table[inside.astype(int)] == pytest.approx(time_s[: inside.size], rel=1e-9)


def test_no_such_machine() -> None:
    with pytest.raises(KeyError):
        profile_curves(ENTRIES[BLOOM], "dgx-b200", "measured", layers=70, hbm_tb_per_s=8.0)
