"""accelerators.toml is what its script makes of the gathered tables, and the script's rules hold."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import tomli

from tests.transcribe import accelerators, accelerators_historical
from tests.transcribe.accelerators import CURATED, EPOCH_COLUMNS, MODEL_COLUMNS, SPEC_COLUMNS
from tests.transcribe.toml_text import MAX_INLINE, Num, entry, number, scalar

REPLACED = {("tpu-v5e", "scaleup_gb_per_s")}
"""Figures of the gathered table that a better source contradicts."""


def value(raw: Any) -> float:
    return float(raw["value"] if isinstance(raw, dict) else raw)


@pytest.fixture(scope="module")
def catalog(root: Path) -> dict[str, dict[str, Any]]:
    return tomli.loads((root / accelerators.OUTPUT).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "hardware" / "hardware_catalog.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def epoch(shared_data: Path) -> dict[str, dict[str, str]]:
    with (shared_data / "hardware" / "epoch_ml_hardware.csv").open(newline="", encoding="utf-8") as handle:
        return {row["Hardware name"]: row for row in csv.DictReader(handle)}


@pytest.mark.shared_data
def test_file_is_what_the_script_writes(shared_data: Path, root: Path) -> None:
    for name, text in accelerators.render(shared_data).items():
        assert (root / name).read_text(encoding="utf-8") == text


@pytest.mark.shared_data
def test_every_row_and_every_number_of_the_table_is_there(
    rows: list[dict[str, str]], catalog: dict[str, dict[str, Any]]
) -> None:
    assert len(rows) == len(catalog) - len(accelerators_historical.ROWS) == 30
    for row in rows:
        found = catalog[CURATED[row["name"]].id]
        for name, column in {**SPEC_COLUMNS, **MODEL_COLUMNS, "price_usd": "capex_usd_per_gpu"}.items():
            if not row[column]:
                continue
            expected = float(row[column])
            if (CURATED[row["name"]].id, name) in REPLACED:
                recorded = [c["value"] for c in found["conflicts"] if c["field"] == name]
                assert expected in recorded
            else:
                assert value(found[name]) == expected, (row["name"], name)


@pytest.mark.shared_data
def test_differences_from_epoch_above_one_percent_are_recorded(
    catalog: dict[str, dict[str, Any]], epoch: dict[str, dict[str, str]]
) -> None:
    seen = 0
    for curated in CURATED.values():
        if not curated.epoch:
            continue
        found = catalog[curated.id]
        recorded = {c["field"]: c["value"] for c in found.get("conflicts", []) if c["source"] == "epoch-ml-hardware"}
        for name, (column, unit) in EPOCH_COLUMNS.items():
            text = epoch[curated.epoch][column]
            if name not in found or not text:
                continue
            other = float(text) / unit
            if abs(other / value(found[name]) - 1) > 0.01:
                assert recorded[name] == pytest.approx(other, rel=1e-4), (curated.id, name)
                seen += 1
            else:
                assert name not in recorded
    # A100 PCIe 2, H100 PCIe 2, GH200 2, B200 1, B300 2, GB300 1, MI355X 2, TPU v6e 1.
    assert seen == 13


@pytest.mark.shared_data
def test_a_bare_figure_of_an_epoch_entry_is_in_epochs_table(
    catalog: dict[str, dict[str, Any]], epoch: dict[str, dict[str, str]]
) -> None:
    for curated in CURATED.values():
        found = catalog[curated.id]
        if found["source"] != "epoch-ml-hardware":
            continue
        for name, (column, unit) in EPOCH_COLUMNS.items():
            if isinstance(found.get(name), int | float):
                assert float(epoch[curated.epoch][column]) / unit == pytest.approx(found[name], rel=0.01), name


@pytest.mark.shared_data
def test_release_day_is_epochs_or_the_first_of_the_period(
    rows: list[dict[str, str]], catalog: dict[str, dict[str, Any]]
) -> None:
    for row in rows:
        day = catalog[CURATED[row["name"]].id]["released"]
        if "H" in row["release"]:
            assert day.isoformat() == row["release"].replace("H2", "07-01")
        else:
            assert day.isoformat().startswith(row["release"])


def test_curation_names_thirty_distinct_entries() -> None:
    assert len({curated.id for curated in CURATED.values()}) == 30
    for curated in CURATED.values():
        unknown = set(curated.marks) - set(SPEC_COLUMNS) - set(MODEL_COLUMNS) - {"price_usd"}
        assert not unknown, curated.id


def test_accelerators_of_before_2020_say_that_their_rate_is_fp16_and_where_each_figure_was_read() -> None:
    for entry_id, groups in accelerators_historical.ROWS.items():
        found = {name: mark for group in groups for name, mark in group.items()}
        assert found["released"].year < 2020
        assert "fp8_dense_tflops" not in found
        assert "FP16" in found["bf16_dense_tflops"]["note"], entry_id
        assert "released" in found["unverified_fields"], entry_id
    # Tensor cores of V100: 125 TFLOPS over 21.2 without them; 900 over 732 GB/s.
    rows = {key: {name: mark for group in groups for name, mark in group.items()}
            for key, groups in accelerators_historical.ROWS.items()}  # fmt: skip
    ratio = {name: value(rows["v100-32gb-sxm"][name]) / value(rows["p100-16gb-sxm"][name])
             for name in ("bf16_dense_tflops", "hbm_tb_per_s", "hbm_gb")}  # fmt: skip
    assert ratio == pytest.approx({"bf16_dense_tflops": 5.896, "hbm_tb_per_s": 1.2295, "hbm_gb": 2.0}, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "written"),
    [("312", "312"), ("13500", "13_500"), ("2.0", "2.0"), ("46834000.0", "46_834_000"), ("0.0531", "0.0531")],
)
def test_numbers_keep_the_digits_of_their_source(text: str, written: str) -> None:
    assert number(text) == written
    assert tomli.loads(f"x = {written}")["x"] == float(text)


@pytest.mark.parametrize("text", ['say "12"', "back\\slash", "plain"])
def test_text_survives_the_round_trip(text: str) -> None:
    assert tomli.loads(f"x = {scalar(text)}")["x"] == text


def test_a_long_inline_table_becomes_a_sub_table() -> None:
    short, long = {"value": Num("1")}, {"value": Num("2"), "note": "x" * MAX_INLINE}
    text = entry("some-id", [{"name": "n", "a": short, "b": long}], {})
    assert max(map(len, text.splitlines())) <= MAX_INLINE + len('note = ""')
    assert "[some-id.b]" in text
    found = tomli.loads(text)["some-id"]
    assert found["a"] == {"value": 1}
    assert found["b"]["value"] == 2
