"""The model files are what the transcription writes, and the transcription's formula holds for the whole "
"table."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiplan.catalog.names import Names
from tests.catalog.model_names import NAMES
from tests.transcribe import model_rows, models

pytestmark = pytest.mark.shared_data

THROUGHPUT = ("inferencex_agg.csv", "inferencex_disagg.csv", "mlperf.csv", "trtllm.csv")


def _distinct(path: Path, columns: tuple[str, ...]) -> set[str]:
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return {row[column] for row in csv.DictReader(file) for column in columns if row.get(column)}


def test_files_are_as_transcribed(shared_data: Path, root: Path) -> None:
    for path, text in models.render(shared_data).items():
        assert (root / path).read_bytes() == text.encode("utf-8"), f"run tests.transcribe.models: {path}"


def test_no_model_file_is_left_over(shared_data: Path, root: Path) -> None:
    written = set(models.render(shared_data))
    found = {path.relative_to(root).as_posix() for path in (root / "hardware_catalog" / "models").glob("*.toml")}
    assert found == {path for path in written if "/models/" in path}


def test_every_row_of_the_table_has_an_entry(shared_data: Path) -> None:
    ids = {entry_id for entries in models.entries(shared_data).values() for entry_id in entries}
    rows = {row["id"] for row in model_rows.read_table(shared_data)}
    assert len(rows) == 52
    assert rows <= ids


def test_every_name_in_the_data_files_resolves(shared_data: Path) -> None:
    entries = [
        (entry_id, [*entry["aliases"], *entry["hf_ids"]])
        for content in models.entries(shared_data).values()
        for entry_id, entry in content.items()
    ]
    names = Names(entries)
    files = [(shared_data / "throughput" / name, ("model", "model_path")) for name in THROUGHPUT]
    files.append((shared_data / "energy" / "mlenergy_v3.csv", ("model_id", "nickname")))
    pairs = [(path.name, name) for path, columns in files for name in _distinct(path, columns)]
    assert len(pairs) == 83  # count of llm-shapes, section 1
    assert {name: names.resolve(name) for _, name in pairs} == NAMES
