"""The throughput tables of the catalog: equal to what the script writes, and sane on their own."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.energy.throughput_series import entries, fitted_ids, points
from tests.transcribe.throughput import render
from tests.transcribe.throughput_curated import LATER

FIELDS = {
    "name",
    "model",
    "accelerator",
    "accelerator_count",
    "precision",
    "engine",
    "regime",
    "source",
    "grade",
}


@pytest.fixture(scope="module")
def sources(root: Path) -> dict[str, object]:
    return tomllib.loads((root / "hardware_catalog/sources/throughput.toml").read_text(encoding="utf-8"))


@pytest.mark.shared_data
def test_the_files_are_what_the_script_writes(shared_data: Path, root: Path) -> None:
    expected = render(shared_data)
    on_disk = {f"hardware_catalog/throughput/{path.name}" for path in (root / "hardware_catalog/throughput").iterdir()}
    assert on_disk == expected.keys()
    for name, text in expected.items():
        assert (root / name).read_bytes() == text.encode(), name


def test_no_table_row_was_lost() -> None:
    rows = dict.fromkeys(("trtllm-0.17.", "trtllm-1.0.", "trtllm-0.6.1-static.", "trtllm-1.x."), 0)
    for name, entry in entries().items():
        for prefix in rows:
            rows[prefix] += len(entry["points"]) * name.startswith(prefix)
    later = sum(1 for column in LATER for rate in column.per_gpu if rate)
    # 373, 289 and 37 rows in the gathered table; its 20 rows of first-token latency are no throughput.
    assert list(rows.values()) == [373, 289, 37, later]


def test_ids_say_what_the_entry_says() -> None:
    for name, entry in entries().items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,79}", name)
        assert f".{entry['model']}.{entry['accelerator']}." in name
        if "tensor_parallel" in entry:
            assert re.search(rf"\.tp{entry['tensor_parallel']}[.-]", name)
        if entry.get("pipeline_parallel", 1) > 1:
            assert f"-pp{entry['pipeline_parallel']}." in name
        assert f".{entry['precision']}" in name


def test_every_entry_is_complete_and_its_source_known(sources: dict[str, object]) -> None:
    for name, entry in entries().items():
        assert entry.keys() >= FIELDS, name
        assert entry["source"] in sources, name
        assert entry["regime"] in ("offline_max", "static_batch")
        assert ("batch" in entry) == (entry["regime"] == "static_batch")
        if "measured_on" in entry:
            assert entry["unverified_fields"] == ["measured_on"]


def test_every_source_is_used(sources: dict[str, object]) -> None:
    assert {entry["source"] for entry in entries().values()} == sources.keys()


def test_groups_hold_as_many_accelerators_as_their_parallelism() -> None:
    for name, entry in entries().items():
        width = entry.get("tensor_parallel", entry.get("expert_parallel"))
        assert entry["accelerator_count"] == width * entry.get("pipeline_parallel", 1), name


def test_pipeline_parallel_rows_of_the_rtx_tables_are_kept_apart() -> None:
    stages = [entries()[name].get("pipeline_parallel", 1) for name in fitted_ids()]
    assert Counter(stages) == {1: 69, 2: 1, 4: 1, 8: 1}


def test_points_are_lengths_and_rates_and_no_length_pair_repeats() -> None:
    for name in entries():
        table = points(name)
        assert table.shape[1] == 3
        assert np.all(table > 0)
        assert np.all(table[:, :2] == np.round(table[:, :2]))
        if not name.startswith("oviedo-2026.llama-3.1-405b"):  # two studies in one series
            assert len({tuple(row[:2]) for row in table}) == len(table), name


def test_two_releases_agree_where_they_overlap() -> None:
    """Release and transcription noise: 45 cells common to 0.17 and 1.0, median ratio 0.99, 0.90 to 1.21."""
    ratios = []
    for name in fitted_ids():
        twin = name.replace("trtllm-1.0.", "trtllm-0.17.").replace("llama-3.3-70b", "llama-3.1-70b")
        if not name.startswith("trtllm-1.0.") or twin not in entries():
            continue
        old = {tuple(row[:2]): row[2] for row in points(twin)}
        ratios += [row[2] / old[tuple(row[:2])] for row in points(name) if tuple(row[:2]) in old]
    assert len(ratios) == 45
    assert np.median(ratios) == pytest.approx(0.99, abs=0.005)
    assert (min(ratios), max(ratios)) == pytest.approx((0.90, 1.21), abs=0.01)


def test_anchor_values() -> None:
    """Spot checks against the pages themselves."""
    tables = entries()
    assert [2048, 128, 442] in tables["trtllm-1.0.llama-3.3-70b.h200-sxm.tp1.fp8"]["points"]
    assert [20000, 2000, 443.01] in tables["trtllm-0.17.llama-3.1-70b.h100-sxm.tp2.fp8"]["points"]
    assert tables["trtllm-1.x.deepseek-r1.h200-sxm.dep8.fp8"]["points"][0] == [1000, 1000, 8 * 1627]
    assert tables["nvidia-r1-guide.deepseek-r1.b200-sxm.tp8-ep8.fp4-kv-fp8"]["points"] == [[1024, 2048, 43146.2042]]
    assert tables["trtllm-0.6.1-static.gpt-j-6b.h100-sxm.tp1.fp8.b1024"]["points"] == [[128, 128, 26150]]
