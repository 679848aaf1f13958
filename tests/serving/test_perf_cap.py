"""A power cap on `aiplan perf`: what it never does, what it costs, and where it pays."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.cli import main
from aiplan.errors import InputError
from aiplan.planners.serving.deployment import deploy
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.power_cap import capped, least_cap_w
from aiplan.planners.serving.predict import Predicted, calibrations, choose, predict, serve
from aiplan.planners.serving.roofline import Pass, rates
from aiplan.planners.serving.rows import Row, Shelf, place
from aiplan.planners.serving.rows_cap import phases_of
from aiplan.planners.serving.time_constants import constants_of
from tests.serving.perf_cases import case, catalog, lines, report, result

SHELF = Shelf(catalog())
LLAMA = {
    "model": "llama-3.1-70b", "hardware": "h200", "n_gpus": "4", "tp": "4", "precision": "fp8", "framework": "vllm",
    "isl": "2000", "osl": "500", "concurrency": "64",
}  # fmt: skip
ROWS = {
    "mixed": LLAMA,
    "prefill": {**LLAMA, "isl": "8000", "osl": "100"},
    "decode": {**LLAMA, "isl": "100", "osl": "1000"},
    "idle ranks": {**LLAMA, "tp": "1", "n_gpus": "8", "concurrency": "2", "model": "llama-3.1-8b"},
    "stages": {**LLAMA, "tp": "2", "pp": "2"},
    "offline": {name: text for name, text in LLAMA.items() if name != "concurrency"},
    "table": {**{name: text for name, text in LLAMA.items() if name != "concurrency"}, "hardware": "h100-sxm",
              "framework": "tensorrt-llm", "isl": "1000", "osl": "1000"},
    "experts": {"model": "deepseek-r1", "hardware": "b200", "n_gpus": "8", "dp": "8", "ep": "8", "precision": "nvfp4",
                "framework": "tensorrt-llm", "isl": "1000", "osl": "1000", "concurrency": "512"},
    "measured": {**LLAMA, "output_tok_s": "2300"},
}  # fmt: skip
VALUES = ("tpot_ms", "itl_ms", "ttft_ms", "ttft_idle_ms", "ttft_steady_ms", "output_tok_s", "power_w",
          "energy_j_per_token", "batch", "batch_limit", "prefill_share", "light_share")  # fmt: skip


def under(name: str, *caps: float) -> tuple[Row, Predicted]:
    row = place(ROWS[name], SHELF)
    return row, predict([replace(row, cap_w=cap) for cap in caps], SHELF)


def least_of(row: Row) -> float:
    chip = SHELF.chip(row.hardware)
    return float(least_cap_w(chip.tdp_w, 0.11, chip.hbm_bytes_per_s))


@pytest.mark.parametrize("name", ROWS)
def test_no_cap_and_one_that_does_not_bind_change_nothing(name: str) -> None:
    row, beside = under(name, np.nan, 1e4, 300.0)
    alone = predict([row], SHELF)
    for value in (*VALUES, *(f"energy_j_per_token_{end}" for end in ("low", "high"))):
        found = getattr(beside, value)
        assert np.array_equal(found[:2], np.repeat(getattr(alone, value), 2), equal_nan=True), value
    assert alone.decode_clock == alone.prompt_clock == alone.capped_rate == alone.capped_power == 1.0


@pytest.mark.parametrize("name", ROWS)
def test_power_stays_below_the_cap_and_a_lower_cap_is_never_faster(name: str) -> None:
    row = place(ROWS[name], SHELF)
    caps = np.linspace(1000.0, least_of(row), 60)
    _, found = under(name, *caps)
    assert np.all(found.power_w <= caps * row.n_gpus * (1 + 1e-12))
    assert np.all(np.diff(found.output_tok_s) <= 1e-9)
    assert np.all(np.diff(found.decode_clock) <= 0)
    assert np.all(np.diff(found.prompt_clock) <= 0)
    assert np.all(found.batch == found.batch[0])
    for time in ("tpot_ms", "itl_ms", "ttft_ms", "ttft_idle_ms", "ttft_steady_ms"):
        values = getattr(found, time)
        assert np.isnan(values).all() or np.all(np.diff(values) >= -1e-9), time
    if name == "measured":
        assert np.all(found.output_tok_s == 2300.0)
    else:
        # Something binds at the lowest cap: the two claims above are not about nothing.
        assert found.output_tok_s[-1] < found.output_tok_s[0]
        assert found.power_w[-1] < found.power_w[0]


@settings(max_examples=40)
@given(
    st.sampled_from(["mixed", "experts"]), st.floats(230, 900), st.integers(1, 20_000), st.integers(1, 4000),
    st.floats(1, 2000),
)  # fmt: skip
def test_power_energy_and_time_hold_together(name: str, cap: float, isl: int, osl: int, load: float) -> None:
    row = replace(place(ROWS[name], SHELF), isl=float(isl), osl=float(osl), concurrency=load)
    cap = max(cap, least_of(row))
    found = predict([row, replace(row, cap_w=cap)], SHELF)
    assert found.power_w[1] <= cap * row.n_gpus * (1 + 1e-12)
    assert found.power_w[1] <= found.power_w[0] * (1 + 1e-12)
    assert found.energy_j_per_token[1] == pytest.approx(found.power_w[1] / found.output_tok_s[1])
    assert found.output_tok_s[1] <= found.output_tok_s[0]
    assert found.tpot_ms[1] >= found.tpot_ms[0]
    assert found.ttft_idle_ms[1] >= found.ttft_idle_ms[0]


def test_energy_has_its_minimum_inside() -> None:
    """Accelerators alone want less than `place` admits; their host's share draws on while they are slow."""
    _, found = under("experts", *range(700, 220, -10))
    best = int(np.argmin(found.energy_j_per_token))
    assert 0 < best < 47
    assert np.all(np.diff(found.energy_j_per_token[: best + 1]) < 0)
    assert np.all(np.diff(found.energy_j_per_token[best:]) > 0)
    host = ("power.host_power_w=8000", "load.input_tokens=2000")
    energy = [lines(*host, f"power.cap_w={cap}")["energy_per_query_wh"] for cap in (700, 350, 230)]
    assert energy[1] < min(energy[0], energy[2])


def compute_share(one: Pass) -> float:
    shape = one.time_s.shape
    held = [np.broadcast_to(term.time_s * (term.compute_s > term.memory_s), shape) for term in one.terms.values()]
    return float((sum(held) / one.time_s)[0])


@pytest.mark.parametrize("name", ["mixed", "prefill", "decode", "experts"])
@pytest.mark.parametrize("cap", [600.0, 400.0])
def test_phases_slow_down_as_the_law_of_the_cap_says(name: str, cap: float) -> None:
    """`capped` knows one share of compute per phase; the roofline may turn memory-bound terms into compute on top."""
    row = place(ROWS[name], SHELF)
    entry = (known := calibrations(SHELF))[choose(row, known)]
    deployment, _, free, _ = serve([row], SHELF, entry)
    _, _, slow, effect = serve([replace(row, cap_w=cap)], SHELF, entry)
    phases = phases_of([row], SHELF, deployment, free, rates(deployment, constants_of(entry)).memory)
    for before, after, power, fixed in (
        (free.decode, slow.decode, phases.decode_w, phases.decode_fixed_w),
        (free.prompt, slow.prompt, phases.prompt_w, phases.prompt_fixed_w),
    ):
        law = float(capped(power, np.minimum(fixed, power), cap, compute_share(before))[1][0])
        ratio = float((after.time_s / before.time_s)[0])
        assert law - 1e-12 <= ratio <= law * 1.08
    mean = (1 - free.prefill_share) * phases.decode_w + free.prefill_share * phases.prompt_w
    assert mean == pytest.approx(phases.mean_w)
    assert predict([row], SHELF).power_w == pytest.approx(phases.mean_w * row.n_gpus)
    # Under the cap the law is asked at the rate without it, and each phase keeps to its own watts.
    kept = (1 - slow.prefill_share) * np.minimum(phases.decode_w, cap)
    kept += slow.prefill_share * np.minimum(phases.prompt_w, cap)
    assert predict([replace(row, cap_w=cap)], SHELF).power_w == pytest.approx(kept * row.n_gpus)
    assert effect.power[0] <= 1.0
    assert effect.rate[0] <= 1.0


@pytest.mark.parametrize("name", ["mixed", "prefill", "experts"])
def test_copies_are_capped_as_one_of_them(name: str) -> None:
    row = place(ROWS[name], SHELF)
    many = replace(row, replicas=4.0, n_gpus=4 * row.n_gpus, concurrency=4 * row.concurrency)
    found = predict([replace(one, cap_w=400.0) for one in (row, many)], SHELF)
    assert found.prompt_clock[1] == pytest.approx(found.prompt_clock[0], rel=0.01)
    assert found.decode_clock[1] == pytest.approx(found.decode_clock[0], rel=0.01)
    assert found.tpot_ms[1] == pytest.approx(found.tpot_ms[0], rel=0.01)
    assert found.power_w[1] == pytest.approx(4 * found.power_w[0], rel=0.01)


def test_a_table_loses_what_the_roofline_loses() -> None:
    row, found = under("table", np.nan, 350.0)
    assert all("table" in method for method in found.method)
    roofline = predict([replace(row, cap_w=cap) for cap in (np.nan, 350.0)], SHELF, tables=False)
    lost = roofline.output_tok_s[1] / roofline.output_tok_s[0]
    assert found.output_tok_s[1] / found.output_tok_s[0] == pytest.approx(lost)
    assert found.tpot_ms[1] * found.output_tok_s[1] == pytest.approx(found.tpot_ms[0] * found.output_tok_s[0])


def test_clock_slows_arithmetic_alone() -> None:
    deployment = deploy(
        [SHELF.architecture("llama-3.1-8b")], [SHELF.chip("h200-sxm")], Layout(), ["bf16"], engine=["vllm"]
    )
    constants = constants_of(calibrations(SHELF)["online"])
    full = rates(deployment, constants)
    half = full.at_clock(0.5)
    slower = {name for name in full.__slots__ if np.all(getattr(half, name) == 0.5 * getattr(full, name))}
    same = {name for name in full.__slots__ if np.all(getattr(half, name) == getattr(full, name))}
    assert slower == {"matrix", "expert", "head", "attention", "prompt_attention", "index"}
    assert same == {"memory", "link", "overhead"}


# In a scenario and in a file.


def test_scenario_says_what_the_cap_does() -> None:
    free, found = report(), report("power.cap_w=350")
    assert [line.id for line in found.lines] == [line.id for line in free.lines]
    assert "350 W per accelerator" in dict(found.context)["Power cap"]
    assert "Power cap" not in dict(free.context)
    warning = next(one for one in found.warnings if one.code == "W-PERF-CAP")
    assert warning.path == "power.cap_w"
    assert "350 W" in warning.message
    assert len(found.not_modelled) == len(free.not_modelled) - 1
    assert not any("cap" in text for text in found.not_modelled)
    assert lines("power.cap_w=350")["power_w"] <= 350 * result().case.row.n_gpus
    assert not any(one.code == "W-PERF-CAP" for one in report("power.cap_w=5000").warnings)
    assert lines("power.cap_w=5000") == pytest.approx(lines(), nan_ok=True)


def test_a_raised_cap_is_an_effect_and_no_evidence() -> None:
    line = next(line for line in report("power.cap_w=350").lines if line.id == "energy_j_per_token")
    assert "power.cap_w" in line.inputs
    assert line.grade == next(one for one in report().lines if one.id == line.id).grade


@pytest.mark.parametrize("cap", ["100", "20"])
def test_a_cap_that_cannot_be_kept_is_refused(cap: str) -> None:
    with pytest.raises(InputError) as error:
        case(f"power.cap_w={cap}")
    problem = error.value.problems[0]
    assert problem.path == "power.cap_w"
    assert "at least 2" in problem.message
    assert f"got {cap} W" in problem.message


def test_a_cap_for_each_row_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plans.csv").write_text(
        "model,hardware,n_gpus,precision,isl,osl,concurrency,cap_w\n"
        + "".join(f"llama-3.1-70b,h200,4,fp8,4000,100,64,{cap}\n" for cap in ("", "400", "50")),
        encoding="utf-8",
    )
    assert main(["perf", "--rows", str(tmp_path / "plans.csv"), "--format", "csv", "--table", "rows"]) == 2
    free, low, refused = csv.DictReader(capsys.readouterr().out.splitlines())
    assert float(low["power_w"]) <= 1600 < float(free["power_w"])
    assert float(low["tpot_ms"]) > float(free["tpot_ms"])
    assert "the cap of 400 W" in low["warning"]
    assert "cap" not in free["warning"]
    assert not refused["power_w"]
    assert "cap_w must be at least" in refused["warning"]


def test_the_command_line_takes_a_cap(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["perf", "--set", "power.cap_w=400", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert any(one["code"] == "W-PERF-CAP" for one in found["warnings"])
