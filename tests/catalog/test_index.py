"""The index is that of the files, and rebuilding it changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aiplan.catalog import loader
from aiplan.catalog.index import FACTS, INDEX, hashes, kind_of, load_index, read_files
from aiplan.catalog.loader import VERSION_FILE, Catalog, rebuild_index
from aiplan.cli import main
from aiplan.errors import InputError
from aiplan.resources import shipped
from tests.catalog.overlays import ACCELERATOR, SERVER, SOURCE, THROUGHPUT, write, write_used


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped catalog that stands in for it."""
    folder = tmp_path / "hardware_catalog"
    shutil.copytree(shipped("hardware_catalog"), folder)
    monkeypatch.setattr(loader, "shipped", lambda name: tmp_path / name)
    return folder


def test_the_shipped_index_is_in_sync() -> None:
    folder = shipped("hardware_catalog")
    assert (folder / INDEX).read_text(encoding="utf-8") == rebuild_index(folder), "run `aiplan catalog index`"
    assert load_index(folder, hashes(read_files(folder))) is not None


def test_rebuilding_is_idempotent(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (copied / INDEX).read_bytes()
    for _ in range(2):
        assert main(["catalog", "index", str(copied)]) == 0
        assert (copied / INDEX).read_bytes() == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("wrote ") == 2


def test_rebuilding_after_an_edit_brings_the_index_back(copied: Path) -> None:
    with (copied / "grids.toml").open("a", encoding="utf-8") as file:
        file.write('\n[nowhere]\nname = "Nowhere"\nsource = "mine"\ngrade = "estimate"\naliases = ["Utopia"]\n')
    assert load_index(copied, hashes(read_files(copied))) is None
    assert main(["catalog", "index", str(copied)]) == 0
    assert load_index(copied, hashes(read_files(copied))) is not None
    assert Catalog().resolve("grids", "utopia") == "nowhere"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("tdp_w = 700", "tdp_w = -700"), "E102"),
        (("tdp_w = 700", "tdp_kw = 0.7"), "E125"),
        (("[h100-sxm]", "[h100"), "E004"),
    ],
)
def test_an_index_vouches_for_nothing_unchecked(copied: Path, change: tuple[str, str], code: str) -> None:
    path = copied / "accelerators.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    before = (copied / INDEX).read_bytes()
    with pytest.raises(InputError) as caught:
        rebuild_index(copied)
    assert code in {problem.code for problem in caught.value.problems}
    assert all(problem.line for problem in caught.value.problems)
    assert (copied / INDEX).read_bytes() == before


def test_an_index_of_another_folder(tmp_path: Path) -> None:
    files = {"accelerators.toml": ACCELERATOR, "servers/a.toml": SERVER, "throughput/t.toml": THROUGHPUT}
    folder = write_used(tmp_path, files)
    index = json.loads(rebuild_index(folder))
    assert index["entries"]["accelerators"] == {"my-gpu": "accelerators.toml"}
    assert index["entries"]["servers"] == {"my-server": "servers/a.toml"}
    assert index["facts"]["throughput"]["my-table"] == {
        "model": "llama-3.1-8b",
        "accelerator": "h100-sxm",
        "accelerator_count": 1,
        "precision": "fp8",
        "engine": "vLLM",
        "points": 2,
    }
    # It is not read when the folder is laid over the shipped one: it could say anything.
    write(folder, {INDEX: json.dumps({**index, "entries": {"accelerators": {"ghost": "accelerators.toml"}}})})
    assert "ghost" not in Catalog(folder).ids("accelerators")


def test_no_folder_no_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "index", str(tmp_path / "missing")]) == 2
    assert "error[E120]" in capsys.readouterr().err


def test_the_index_names_every_entry_of_every_file() -> None:
    import tomli

    folder = shipped("hardware_catalog")
    index = json.loads((folder / INDEX).read_bytes())
    expected: dict[str, dict[str, str]] = {}
    for file, raw in read_files(folder).items():
        if file != VERSION_FILE:
            for entry_id in tomli.loads(raw.decode("utf-8")):
                expected.setdefault(kind_of(file), {})[entry_id] = file
    assert index["entries"] == expected
    for kind in FACTS:
        assert index["facts"][kind].keys() == expected[kind].keys()


def test_sources_are_read_in_order(tmp_path: Path) -> None:
    folder = write(tmp_path, {"sources/b.toml": SOURCE, "sources/a.toml": "", "x.md": "", "grids.toml": ""})
    assert list(read_files(folder)) == ["grids.toml", "sources/a.toml", "sources/b.toml"]
