"""`aiplan perf calibrate`: what a user's rows may move, what is written, and what is refused."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli

from aiplan.catalog.lint import lint_catalog
from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError, OutputError
from aiplan.planners.serving.calibrate_command import calibrate
from aiplan.planners.serving.calibration import (
    About,
    Study,
    bands_of,
    entry_of,
    labels_of,
    sample_of,
    score,
    shape_of,
    toml_text,
)
from aiplan.planners.serving.calibration_own import Wish, prepare
from aiplan.planners.serving.calibration_recipes import (
    ALL_ROWS,
    ENGINE_ROWS,
    OFFLINE_STARTS,
    ONLINE_STARTS,
    SHARED,
    SHARED_ROWS,
    Recipe,
    online_recipe,
    unknowns_for,
)
from aiplan.planners.serving.predict import calibrations, choose, predict
from aiplan.planners.serving.rows import Row, Shelf, place
from aiplan.planners.serving.service import online
from aiplan.planners.serving.time_constants import NAMES, constants_of
from aiplan.planners.serving.time_fit import LEVEL, TTFT_WEIGHT, fit_time, scaled

HEADER = "model,hardware,n_gpus,tp,precision,framework,isl,osl,concurrency,ttft_ms,tpot_ms,output_tok_s\n"


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(Catalog())


def fleet(shelf: Shelf, factor: float, loads: tuple[float, ...] = (1.0, 8.0, 32.0, 128.0)) -> str:
    """A CSV of a fleet that takes `factor` times as long as the shipped constants say."""
    cells = [
        {"model": model, "hardware": "H100", "n_gpus": "4", "tp": "4", "precision": "fp8", "framework": "vllm 0.18",
         "isl": isl, "osl": "500", "concurrency": f"{load:g}"}
        for model in ("meta-llama/Llama-3.1-70B", "Qwen/Qwen3-30B-A3B")
        for isl in ("500", "4000")
        for load in loads
    ]  # fmt: skip
    rows = [place(one, shelf) for one in cells]
    sample = sample_of(rows, shelf)
    truth = scaled(constants_of(calibrations(shelf)["online"]), factor)
    served = online(sample.deployment, truth, sample.load, sample.limit)
    lines = [
        ",".join([*one.values(), f"{1e3 * served.ttft_benchmark_s[n]:.4f}", f"{1e3 * served.tpot_s[n]:.5f}", ""])
        for n, one in enumerate(cells)
    ]
    return HEADER + "\n".join(lines) + "\n"


def write(folder: Path, text: str, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def code_of(call: Any) -> str:
    with pytest.raises((InputError, OutputError)) as caught:
        call()
    return caught.value.code


# --- what is known before, and what may move ---


@pytest.mark.parametrize("starts", [ONLINE_STARTS, OFFLINE_STARTS])
def test_every_start_has_a_grade_and_a_reason_and_lies_in_its_bounds(starts: Any) -> None:
    assert set(starts) == set(NAMES)
    for start in starts.values():
        assert start.grade in ("assumed", "theory", "fitted")
        assert len(start.reason) > 10
        assert start.low <= start.value <= start.high


def test_more_rows_free_more() -> None:
    start = online_recipe().start
    free = {
        rows: set(unknowns_for(start, "online", rows, 3, {"vllm": rows}))
        for rows in (1, ENGINE_ROWS, SHARED_ROWS, ALL_ROWS)
    }
    assert {LEVEL, "vllm.overhead", "vllm.compute"} <= free[1]
    assert not free[1] & set(NAMES)
    assert free[1] < free[ENGINE_ROWS] < free[SHARED_ROWS] < free[ALL_ROWS]
    assert set(SHARED) <= free[SHARED_ROWS]
    assert {name for name in online_recipe().unknowns if "." not in name} <= free[ALL_ROWS]
    # Hundreds of rows of one model do not tell experts from the rest.
    assert set(unknowns_for(start, "online", ALL_ROWS, 1, {"vllm": ALL_ROWS})) == free[SHARED_ROWS]


def test_a_prior_stays_around_a_start_outside_the_usual_bounds() -> None:
    start = scaled(online_recipe().start, 0.5)
    unknown = unknowns_for(start, "online", SHARED_ROWS, 3, {})["memory_efficiency"]
    assert unknown.low <= unknown.centre == start.memory_efficiency <= unknown.high


# --- groups, scores, bands ---


def test_variants_of_a_shape_are_one_model(shelf: Shelf) -> None:
    assert (
        len({shape_of(name, shelf) for name in ("deepseek-v3", "deepseek-r1", "deepseek-v3.1", "deepseek-v3.2")}) == 1
    )
    assert shape_of("llama-3.1-70b", shelf) == shape_of("llama-3.3-70b", shelf) == shape_of("llama-3-70b", shelf)
    assert shape_of("qwen3-omni-30b-a3b", shelf) == shape_of("qwen3-30b-a3b", shelf)
    assert shape_of("llama-3.1-70b", shelf) != shape_of("llama-3.1-8b", shelf) != shape_of("qwen3-8b", shelf)


def test_labels(shelf: Shelf) -> None:
    rows = [Row(name, hardware, "fp8") for name, hardware in
            (("deepseek-r1", "h200-sxm"), ("deepseek-v3", "b200-sxm"), ("qwen3-8b", "b200-sxm"))]  # fmt: skip
    assert labels_of(rows, shelf, "model") == ["deepseek-r1", "deepseek-r1", "qwen3-8b"]
    assert labels_of(rows, shelf, "hardware") == ["h200-sxm", "b200-sxm", "b200-sxm"]
    assert len(set(labels_of(rows, shelf, "deployment"))) == 3
    with pytest.raises(ValueError, match="one of model"):
        labels_of(rows, shelf, "colour")


def test_scores_are_relative_errors() -> None:
    found = score(np.log([2.0, 0.5, 1.0, np.nan]))
    assert (found.rows, found.mean, found.median) == pytest.approx((3, 0.5, 0.5))
    assert math.isnan(score(np.array([np.nan])).median)


def test_bands_are_percentiles_of_pooled_errors() -> None:
    one, other = np.linspace(-1.0, 0.0, 20), np.linspace(0.0, 1.0, 20)
    kinds, mask = np.array(["dense"] * 20), np.ones(20, dtype=np.bool_)
    (band,) = bands_of("tpot", [one, other], kinds, mask)
    low, high = np.quantile(np.concatenate([one, other]), (0.1, 0.9))
    assert (band["rows"], band["p10"], band["p90"]) == pytest.approx((20, low, high), abs=1e-4)
    assert bands_of("tpot", [one], kinds, np.arange(20) < 9) == []


# --- one row, many rows ---


def test_one_row_moves_all_others_most_of_the_way(shelf: Shelf, tmp_path: Path) -> None:
    lines = fleet(shelf, 1.3).splitlines(keepends=True)
    own = prepare([write(tmp_path, lines[0] + lines[2])], shelf, Wish())
    everything = prepare([write(tmp_path, "".join(lines), "all.csv")], shelf, Wish())
    before = score(everything.study.before.tpot).median
    sample = everything.study.sample
    served = online(sample.deployment, own.study.constants, sample.load, sample.limit)
    after = score(np.log(served.tpot_s / sample.tpot_s)).median
    assert before == pytest.approx(1.0 - 1.0 / 1.3, abs=0.001)
    assert after < 0.5 * before


def test_a_fleet_is_fitted_and_its_error_left_out_is_small(shelf: Shelf, tmp_path: Path) -> None:
    own = prepare([write(tmp_path, fleet(shelf, 1.3))], shelf, Wish())
    assert (own.start, own.engine, own.engine_version) == ("online", "vllm", "0.18")
    assert int(own.study.fitted.sum()) == 16
    assert score(own.study.after.tpot).median < 0.02
    assert score(own.study.left_out("model").tpot).median < 0.06


def test_rows_that_cannot_be_fitted_keep_their_reason(shelf: Shelf, tmp_path: Path) -> None:
    lines = fleet(shelf, 1.0).splitlines(keepends=True)
    cells = lines[1].rstrip("\n").split(",")

    def changed(**values: str) -> str:
        names = HEADER.strip().split(",")
        return ",".join(values.get(name, cell) for name, cell in zip(names, cells, strict=True)) + "\n"

    odd = [
        changed(model="no-such-model"),
        changed(concurrency="", ttft_ms="", tpot_ms="", output_tok_s="900"),
        changed(ttft_ms="", tpot_ms=""),
        changed(tpot_ms="9000"),
        changed(framework="sglang 0.5", tpot_ms="12.5", ttft_ms="90"),
    ]
    own = prepare([write(tmp_path, "".join(lines + odd))], shelf, Wish(engine="vllm"))
    reasons = sorted(row.left_out for row in own.study.rows if row.left_out)
    assert [reason.split(":")[0] for reason in reasons] == [
        "another engine than vllm", "nothing measured that can be fitted", "off by more than ten times",
        "offline",
    ]  # fmt: skip
    assert len(own.refused) == 1
    assert "no-such-model" in own.refused[0]


def test_from_assumed_takes_the_documented_starts(shelf: Shelf, tmp_path: Path) -> None:
    own = prepare([write(tmp_path, fleet(shelf, 1.0))], shelf, Wish(start="assumed"))
    assert own.study.recipe == online_recipe()
    assert own.study.ttft_weight == TTFT_WEIGHT
    expected = fit_time(own.study.sample, own.study.recipe.start, own.study.recipe.unknowns)
    assert own.study.constants == expected


# --- the command ---


def test_the_overlay_is_clean_and_is_used(shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, folder = write(tmp_path, fleet(shelf, 1.5)), tmp_path / "mine"
    calibrate([file], output=str(folder), name="my-fleet", format_="csv", table="errors")
    header, first, *_ = capsys.readouterr().out.splitlines()
    said = dict(zip(header.split(","), first.split(","), strict=True))
    assert said["quantity"] == "tpot"
    assert float(said["after_median"]) < 0.02 < 0.3 < float(said["before_median"])
    overlaid = Catalog(folder)
    problems, warnings = lint_catalog(overlaid)
    assert problems == []
    assert not [one for one in warnings if "my-fleet" in one.message]
    known = calibrations(Shelf(overlaid))
    cells = {"model": "llama-3.1-70b", "hardware": "h100", "n_gpus": "4", "tp": "4", "framework": "vllm 0.18.1",
             "concurrency": "16"}  # fmt: skip
    row = place(cells, shelf)
    assert choose(row, known) == "my-fleet"
    assert choose(place({**cells, "framework": "vllm 0.11"}, shelf), known) == "vllm-0-11"
    ratio = predict([row], Shelf(overlaid)).tpot_ms / predict([row], shelf).tpot_ms
    assert ratio[0] == pytest.approx(1.5, rel=0.05)


def test_an_overlay_wins_where_both_are_as_close(shelf: Shelf, tmp_path: Path) -> None:
    file = write(tmp_path, fleet(shelf, 1.5).replace("vllm 0.18", "vllm 0.11"))
    for name in ("a-first", "z-last"):
        calibrate([file], output=str(tmp_path / name), name=name)
        known = calibrations(Shelf(Catalog(tmp_path / name)))
        row = place({"model": "llama-3.1-70b", "hardware": "h100", "framework": "vllm 0.11", "concurrency": "4"}, shelf)
        assert choose(row, known) == name


def test_an_entry_reads_back_as_it_was_fitted(shelf: Shelf, tmp_path: Path) -> None:
    own = prepare([write(tmp_path, fleet(shelf, 1.2))], shelf, Wish())
    about = About('odd "name" \\ here', "source", "rows", date(2026, 11, 22), "vllm", "0.18")
    (entry,) = tomli.loads(toml_text({"x": entry_of(own.study, about, [])}, "two\nlines")).values()
    assert entry["name"] == about.name
    assert entry["rows_fitted"] == 16
    for name in NAMES:
        assert entry["constants"][name] == pytest.approx(getattr(own.study.constants, name), rel=1e-5)
    assert entry["engines"]["vllm"]["overhead"] == pytest.approx(
        own.study.constants.factor("overhead", "vllm"), rel=1e-5
    )


def test_nothing_is_overwritten_unasked(shelf: Shelf, tmp_path: Path) -> None:
    file, folder = write(tmp_path, fleet(shelf, 1.2)), tmp_path / "mine"
    calibrate([file], output=str(folder), name="mine")
    kept = (folder / "calibrations" / "mine.toml").read_bytes()
    other = write(tmp_path, fleet(shelf, 1.4), "other.csv")
    assert code_of(lambda: calibrate([other], output=str(folder), name="mine")) == "E201"
    assert (folder / "calibrations" / "mine.toml").read_bytes() == kept
    calibrate([other], output=str(folder), name="mine", force=True)
    assert (folder / "calibrations" / "mine.toml").read_bytes() != kept
    assert code_of(lambda: calibrate([other], output=str(other.with_suffix(".toml")) + "/no/x.toml")) == "E210"


def test_one_file_holds_the_entry_alone(shelf: Shelf, tmp_path: Path) -> None:
    target = tmp_path / "calibrations.toml"
    calibrate([write(tmp_path, fleet(shelf, 1.2))], output=str(target))
    assert list(tomli.loads(target.read_text(encoding="utf-8"))) == ["own-online-vllm-0-18"]


def test_what_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    good = write(tmp_path, fleet(shelf, 1.0))
    unknown = write(tmp_path, HEADER + "nobody,H100,1,1,fp8,vllm,100,100,1,1,1,\n", "unknown.csv")
    unmeasured = write(tmp_path, HEADER + "llama-3.1-8b,H100,1,1,fp8,vllm,100,100,1,,,\n", "unmeasured.csv")
    assert code_of(lambda: calibrate([unknown])) == "E180"
    assert code_of(lambda: calibrate([unmeasured])) == "E181"
    assert code_of(lambda: calibrate([])) == "E182"
    assert code_of(lambda: calibrate([good], group="colour")) == "E182"
    assert code_of(lambda: calibrate([good], regime="sometimes")) == "E182"
    assert code_of(lambda: calibrate([good], start="nowhere")) == "E182"
    assert code_of(lambda: calibrate([good], engine="steam")) == "E182"
    assert code_of(lambda: calibrate([good], name="../up")) == "E182"
    assert code_of(lambda: calibrate([good], name="a.b")) == "E182"
    assert code_of(lambda: calibrate([good], output="-")) == "E183"
    assert code_of(lambda: calibrate([good], output=str(good))) == "E183"
    assert code_of(lambda: calibrate([], public=tmp_path)) == "E184"
    assert code_of(lambda: calibrate([good], public=tmp_path)) == "E182"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.csv", "unknown.csv", "unmeasured.csv"]


def test_warnings_say_what_the_error_left_out_means(
    shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = fleet(shelf, 1.2).splitlines(keepends=True)
    calibrate([write(tmp_path, lines[0] + lines[1])], format_="json")
    said = capsys.readouterr()
    assert "W-CALIBRATE-GROUP" in said.err
    assert "W-CALIBRATE-BANDS" in said.err
    mixed = "".join(lines).replace("vllm 0.18", "vllm 0.11", 1)
    calibrate([write(tmp_path, mixed)], format_="json")
    assert "W-CALIBRATE-CLOSER" in capsys.readouterr().err


def test_a_study_names_its_worst_group(shelf: Shelf) -> None:
    rows = [Row(model, "h100-sxm", "fp8", "vllm", isl=500, osl=500, concurrency=4, tpot_ms=1.0)
            for model in ("llama-3.1-8b", "qwen3-8b")]  # fmt: skip
    start = online_recipe().start
    study = Study(rows, np.ones(2, dtype=np.bool_), Recipe("online", start, {}), shelf)
    assert study.worst(np.log([1.1, 1.4]), "model") == ("qwen3-8b", pytest.approx(0.4))
    assert study.coarsest("hardware") == "deployment"
