"""The catalog as planners see it: overlays, siblings, provenance, hostile folders, hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from aiplan.catalog import index as index_module
from aiplan.catalog import loader
from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.inputs.quantity import Quantity
from aiplan.resources import shipped
from tests.catalog.overlays import ACCELERATOR, MODEL, SERVER, SOURCE, THROUGHPUT, write, write_used

PLAIN = ("accelerators", "servers", "models", "throughput", "grids", "operators", "published")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped catalog that stands in for it."""
    folder = tmp_path / "hardware_catalog"
    shutil.copytree(shipped("hardware_catalog"), folder)
    monkeypatch.setattr(loader, "shipped", lambda name: tmp_path / name)
    return folder


def problems_of(folder: Path) -> list[tuple[str, str, int, int]]:
    """Code, file, line and column of everything that keeps an overlay from being opened."""
    with pytest.raises(InputError) as caught:
        Catalog(folder)
    return [(problem.code, problem.file, problem.line, problem.column) for problem in caught.value.problems]


# --- the shipped catalog ----------------------------------------------------------------------------------------------


def test_numbers_carry_the_entrys_source_grade_and_evidence(catalog: Catalog) -> None:
    h100 = catalog.get("accelerators", "h100-sxm")
    bare, own = h100.tdp_w, h100.price_usd
    assert (bare.value, bare.source, bare.grade, bare.evidence) == (
        700.0,
        "aiconfigurator-systems",
        "datasheet",
        "published",
    )
    assert (own.source, own.grade, own.evidence, own.currency_year) == (
        "epoch-ml-hardware",
        "estimate",
        "second-hand",
        2023,
    )
    assert (own.low, own.high) == (24_400.0, 44_500.0)
    # An entry seen second-hand hands that on to numbers that do not say.
    h20 = catalog.get("accelerators", "h20")
    assert (h20.hbm_gb.evidence, h20.scaleup_gb_per_s.evidence) == ("second-hand", "published")


def test_a_remembered_number_is_an_assumption_wherever_it_is_listed(catalog: Catalog) -> None:
    links = catalog.get("accelerators", "h100-nvl").scaleup_domain_count
    assert (links.value, links.grade, links.evidence) == (2.0, "assumption", "unverified")


def test_every_quantity_of_every_entry_says_where_it_comes_from(catalog: Catalog) -> None:
    seen = 0
    for kind in catalog.kinds():
        for entry_id in catalog.ids(kind):
            for name, value in vars(catalog.get(kind, entry_id)).items():
                if isinstance(value, Quantity):
                    seen += 1
                    assert value.source in catalog.names("sources").ids(), (kind, entry_id, name)
                    assert value.grade, (kind, entry_id, name)
                    assert value.evidence, (kind, entry_id, name)
    assert seen > 1000


@pytest.mark.parametrize("kind", PLAIN)
def test_what_the_index_vouches_for_reads_like_the_schema(catalog: Catalog, kind: str) -> None:
    for entry_id in catalog.ids(kind):
        quick, full = vars(catalog.get(kind, entry_id)), dict(catalog.checked(kind, entry_id))
        assert quick.keys() == full.keys()
        for name, value in full.items():
            if name in ("conflicts", "exceptions"):
                assert len(quick[name]) == len(value)
            else:
                # A section inside an entry stays the table it was written as.
                plain = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
                assert quick[name] == plain, (entry_id, name)


def test_a_sibling_has_its_parents_shape_and_its_own_name(catalog: Catalog) -> None:
    child, _ = catalog.raw("models", "llama-3-8b")
    assert child["shape_of"] == "llama-3.1-8b"
    sibling, parent = catalog.get("models", "llama-3-8b"), catalog.get("models", "llama-3.1-8b")
    for name in ("layers", "hidden_size", "kv_heads", "total_params", "matmul_params", "kv_values_per_token"):
        assert getattr(sibling, name) == getattr(parent, name)
    assert sibling.name != parent.name
    assert set(sibling.hf_ids).isdisjoint(parent.hf_ids)
    assert (sibling.max_context_tokens.value, parent.max_context_tokens.value) == (8192.0, 131_072.0)


@pytest.mark.parametrize(
    ("kind", "text", "near"),
    [
        ("accelerators", "h100-sxn", "h100-sxm"),
        ("servers", "dgx-b20", "dgx-b200"),
        ("models", "meta-llama/Llama-3.1-406B", "llama-3.1-405b"),
        ("grids", "egrid-srv", "egrid-srvc"),
        ("sites", "ashburn", "ashburn-va"),
    ],
)
def test_an_unknown_name_gives_the_nearest_ids(catalog: Catalog, kind: str, text: str, near: str) -> None:
    with pytest.raises(InputError) as caught:
        catalog.get(kind, text)
    (problem,) = caught.value.problems
    assert problem.code == "E121"
    assert near in problem.hint


def test_a_name_like_no_other_points_to_the_list(catalog: Catalog) -> None:
    with pytest.raises(InputError) as caught:
        catalog.resolve("grids", "zzzzzzzzzzzzzzzzzzzz\x1b[31m")
    (problem,) = caught.value.problems
    assert problem.hint == "see `aiplan catalog list grids`"
    assert problem.message.isprintable()


def test_titles_of_sources(catalog: Catalog) -> None:
    assert catalog.title("azure-llm-2023").startswith("AzurePublicDataset")
    assert catalog.title("scenario.toml:14") == "scenario.toml:14"


def test_a_fresh_index_spares_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(loader, "parse_toml", refuse)
    assert Catalog().get("accelerators", "H100").tdp_w.value == 700.0


# --- edited files -----------------------------------------------------------------------------------------------------


def test_an_edited_file_costs_the_index_and_changes_no_answer(copied: Path, catalog: Catalog) -> None:
    with (copied / "grids.toml").open("a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    edited = Catalog()
    assert edited.sha256 != catalog.sha256
    for kind in catalog.kinds():
        assert edited.ids(kind) == catalog.ids(kind)
        assert edited.facts(kind) == catalog.facts(kind)
        for entry_id in catalog.ids(kind)[::7]:
            assert edited.checked(kind, entry_id) == catalog.checked(kind, entry_id)
            assert edited.get(kind, entry_id) == edited.checked(kind, entry_id)
    assert edited.resolve("models", "meta-llama/Llama-3.1-405B-Instruct") == "llama-3.1-405b"


@pytest.mark.parametrize("broken", [b"", b"{}", b"[]", b"\xff", b'{"files": 3, "entries": {}}', None])
def test_a_broken_or_missing_index_is_passed_over(copied: Path, catalog: Catalog, broken: bytes | None) -> None:
    if broken is None:
        (copied / "index.json").unlink()
    else:
        (copied / "index.json").write_bytes(broken)
    assert Catalog().ids("accelerators") == catalog.ids("accelerators")


def test_an_edited_value_counts_at_once(copied: Path) -> None:
    path = copied / "accelerators.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("tdp_w = 700", "tdp_kw = 0.71", 1), encoding="utf-8")
    assert Catalog().get("accelerators", "h100-sxm").tdp_w.value == pytest.approx(710.0)


def test_any_byte_changes_the_hash(tmp_path: Path, copied: Path) -> None:
    original = Catalog().sha256
    names = sorted(path.relative_to(copied) for path in copied.rglob("*.toml"))
    seen = {original}
    for number, name in enumerate(names):
        path = copied / name
        raw = path.read_bytes()
        at = raw.index(b"#") + 1 if b"#" in raw else len(raw)
        path.write_bytes(raw[:at] + b"~" + raw[at:] if at < len(raw) else raw + b"#")
        seen.add(hash_of(copied))
        path.write_bytes(raw)
        assert len(seen) == number + 2, name
    assert hash_of(copied) == original
    first = write(tmp_path / "a", {"grids.toml": "# a"})
    second = write(tmp_path / "b", {"grids.toml": "# b"})
    assert len({original, Catalog(first).sha256, Catalog(second).sha256}) == 3


def hash_of(folder: Path) -> str:
    """The catalog's hash, recomputed from nothing but names and bytes."""
    files = sorted((path.relative_to(folder).as_posix(), path.read_bytes()) for path in folder.rglob("*.toml"))
    lines = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# --- overlays ---------------------------------------------------------------------------------------------------------


def test_an_overlay_adds_entries(tmp_path: Path, catalog: Catalog) -> None:
    files = {"accelerators.toml": ACCELERATOR + 'aliases = ["My Card"]\n', "servers/mine.toml": SERVER}
    laid = Catalog(write_used(tmp_path, files))
    assert laid.version == catalog.version + "+overlay"
    assert set(laid.ids("accelerators")) - set(catalog.ids("accelerators")) == {"my-gpu"}
    assert laid.get("accelerators", "my card").hbm_gb.value == 96.0
    assert laid.get("accelerators", "my-gpu").hbm_gb.source == "mine"
    assert laid.get("servers", "my-server").host_power_w.value == 800.0
    assert laid.facts("servers")["my-server"] == {"accelerator": "h100-sxm", "accelerator_count": 4}
    assert laid.get("accelerators", "h100-sxm").tdp_w == catalog.get("accelerators", "h100-sxm").tdp_w
    assert laid.title("mine") == "A page"


def test_an_overlay_replaces_an_entry_as_a_whole(tmp_path: Path, catalog: Catalog) -> None:
    text = ACCELERATOR.replace("my-gpu", "h100-sxm")
    laid = Catalog(write_used(tmp_path, {"accelerators.toml": text}))
    assert laid.ids("accelerators") == catalog.ids("accelerators")
    found = laid.get("accelerators", "h100-sxm")
    assert (found.name, found.hbm_gb.value, found.tdp_w) == ("My GPU", 96.0, None)
    # It is still found under the names the shipped one is known by.
    assert laid.resolve("accelerators", "NVIDIA H100 80GB HBM3") == "h100-sxm"


def test_a_replaced_parent_gives_its_shape_to_shipped_siblings(tmp_path: Path, catalog: Catalog) -> None:
    raw, _ = catalog.raw("models", "llama-3.1-8b")
    text = "\n".join(
        f"{key} = {value}" for key, value in raw.items() if isinstance(value, int) and key != "tied_embeddings"
    )
    texts = dict.fromkeys(("name", "family", "vendor"), "x")
    texts |= {"source": "mine", "grade": "paper", "attention": "gqa"}
    head = "".join(['["llama-3.1-8b"]\n', *(f'{name} = "{value}"\n' for name, value in texts.items())])
    changed = head + "tied_embeddings = false\n" + text.replace("layers = 32", "layers = 33", 1)
    laid = Catalog(write_used(tmp_path, {"models/mine.toml": changed}))
    assert (catalog.get("models", "llama-3-8b").layers, laid.get("models", "llama-3-8b").layers) == (32, 33)


def test_an_overlays_sibling_of_a_shipped_model(tmp_path: Path, catalog: Catalog) -> None:
    laid = Catalog(write_used(tmp_path, {"models/mine.toml": MODEL}))
    found = laid.get("models", "my-model")
    assert found.total_params == catalog.get("models", "llama-3.1-8b").total_params
    assert (found.name, found.source, found.hf_ids) == ("My model", "mine", ())


def test_an_overlays_alias_takes_an_alias_and_never_an_id(tmp_path: Path) -> None:
    text = ACCELERATOR + 'aliases = ["H100-SXM", "h100-sxm", "l4"]\n'
    laid = Catalog(write_used(tmp_path, {"accelerators.toml": text}))
    assert laid.resolve("accelerators", "h100-sxm") == "h100-sxm"
    assert laid.resolve("accelerators", "l4") == "l4"
    assert laid.resolve("accelerators", "H100-SXM") == "my-gpu"


def test_units_of_an_overlay_are_converted(tmp_path: Path) -> None:
    laid = Catalog(write_used(tmp_path, {"accelerators.toml": ACCELERATOR + "tdp_kw = 1.2\n"}))
    assert laid.get("accelerators", "my-gpu").tdp_w.value == pytest.approx(1200.0)


def test_a_count_may_carry_its_source(tmp_path: Path) -> None:
    line = 'scaleup_domain_count = { value = 72, grade = "vendor_claim", note = "said so" }\n'
    found = Catalog(write_used(tmp_path, {"accelerators.toml": ACCELERATOR + line})).get("accelerators", "my-gpu")
    assert (found.scaleup_domain_count.value, found.scaleup_domain_count.grade) == (72.0, "vendor_claim")


def test_no_folder_no_catalog(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(InputError) as caught:
            Catalog(path)
        assert caught.value.code == "E120"


# --- hostile overlays -------------------------------------------------------------------------------------------------

SITE = 'name = "x"\nsource = "mine"\ngrade = "paper"\ncountry = "USA"\nlatitude_deg = 1\nlongitude_deg = 1\n'


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("accelerators.toml", "[a", ("E004", 1)),
        ("accelerators.toml", b"# \xff\n[a]\n", ("E003", 1)),
        ("accelerators.toml", "\n[a]\nname = " + "[" * 1000, ("E005", 3)),
        ("accelerators.toml", ACCELERATOR + "tdp_w = nan\n", ("E006", 8)),
        ("accelerators.toml", ACCELERATOR + 'note = "\\u202e"\n', ("E006", 8)),
        ("accelerators.toml", ACCELERATOR + "tdp_w = true\n", ("E102", 8)),
        ("accelerators.toml", ACCELERATOR + 'tdp_w = "700"\n', ("E102", 8)),
        ("accelerators.toml", ACCELERATOR + "tdp_w = -700\n", ("E102", 8)),
        ("accelerators.toml", ACCELERATOR + "tdp_wat = 700\n", ("E100", 8)),
        ("accelerators.toml", ACCELERATOR + "tdp_w = 700\ntdp_kw = 0.7\n", ("E104", 9)),
        ("accelerators.toml", ACCELERATOR + "aliases = 3\n", ("E101", 8)),
        ("accelerators.toml", ACCELERATOR.replace("released = 2025-01-31", "released = 2025"), ("E101", 6)),
        ("throughput/a.toml", THROUGHPUT.replace("[[128, 128, 20000.0], [2048, 128, 3000.0]]", "3"), ("E101", 10)),
        ("throughput/a.toml", THROUGHPUT.replace("20000.0", "-1"), ("E102", 10)),
        ("throughput/a.toml", THROUGHPUT.replace("[128, 128, 20000.0]", "[128, 128]"), ("E102", 10)),
        ("throughput/a.toml", THROUGHPUT.replace('accelerator = "h100-sxm"\n', ""), ("E103", 1)),
        ("throughput/a.toml", THROUGHPUT.replace('model = "llama-3.1-8b"', "model = {}"), ("E101", 5)),
        ("models/a.toml", MODEL.replace("llama-3.1-8b", "my-model"), ("E103", 1)),
        ("models/a.toml", MODEL.replace('"llama-3.1-8b"', "{}"), ("E101", 5)),
        ("sites.toml", f"[s]\n{SITE}[s.normals]\n", ("E103", 8)),
        ("sites.toml", f"[s]\n{SITE}tariff = 3\n[s.normals]\n", ("E101", 8)),
        ("server.toml", SERVER, ("E122", 0)),
    ],
)
def test_a_hostile_file_is_refused_where_it_is_wrong(
    tmp_path: Path, file: str, content: str | bytes, expected: tuple[str, int]
) -> None:
    found = problems_of(write_used(tmp_path / "over", {file: content}))
    assert expected in [(code, line) for code, _, line, _ in found]
    for _, name, line, column in found:
        assert name == f"over/{file}"
        assert (line > 0) == (column > 0)


def test_a_circle_of_shapes_ends(tmp_path: Path) -> None:
    ring = "".join(
        MODEL.replace("my-model", f"ring-{number}").replace("llama-3.1-8b", f"ring-{(number + 1) % 3}")
        for number in range(3)
    )
    found = problems_of(write_used(tmp_path, {"models/ring.toml": ring}))
    assert {code for code, *_ in found} == {"E103"}


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    files = {"accelerators.toml": "[a", "grids.toml": "[b", "servers.toml": SERVER}
    assert [(code, name) for code, name, *_ in problems_of(write(tmp_path / "over", files))] == [
        ("E004", "over/accelerators.toml"),
        ("E004", "over/grids.toml"),
    ]
    files = {"accelerators.toml": ACCELERATOR + "x = 1\n", "servers.toml": SERVER + "y = 2\n"}
    assert [(code, name, line) for code, name, line, _ in problems_of(write_used(tmp_path / "two", files))] == [
        ("E100", "two/accelerators.toml", 8),
        ("E100", "two/servers.toml", 11),
    ]


def test_an_overlay_may_be_opened_unchecked_to_be_linted(tmp_path: Path) -> None:
    laid = Catalog(write(tmp_path, {"accelerators.toml": ACCELERATOR + "x = 1\n"}), check=False)
    assert [problem.code for problem in laid.check_all()] == ["E100"]
    with pytest.raises(InputError):
        laid.get("accelerators", "my-gpu")


def test_a_file_of_more_than_a_mebibyte_is_refused(tmp_path: Path) -> None:
    found = problems_of(write(tmp_path / "over", {"grids.toml": b"#" * (1 << 20) + b"\n"}))
    assert found == [("E002", "over/grids.toml", 0, 0)]


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "grids.toml")
    ((code, file, *_),) = problems_of(tmp_path)
    assert code.startswith("E00")
    assert file.endswith("/grids.toml")


def test_a_link_may_not_lead_out(tmp_path: Path) -> None:
    outside = tmp_path / "secret.toml"
    outside.write_text(ACCELERATOR, encoding="utf-8")
    folder = write_used(tmp_path / "over", {"real.txt": "", "sub/b.txt": ""})
    (folder / "accelerators.toml").symlink_to(outside)
    assert [(code, name) for code, name, *_ in problems_of(folder)] == [("E124", "over/accelerators.toml")]


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    folder = write_used(tmp_path, {"parts/gpu.txt": ACCELERATOR})
    (folder / "accelerators.toml").symlink_to(folder / "parts" / "gpu.txt")
    assert Catalog(folder).get("accelerators", "my-gpu").hbm_gb.value == 96.0


def test_a_folder_of_very_many_files_is_no_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MAX_FILES", 5)
    folder = write(tmp_path, {f"{number}.txt": "" for number in range(6)})
    assert [code for code, *_ in problems_of(folder)] == ["E124"]


def test_a_file_name_that_would_harm_a_terminal_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, {"sources/\x1b[31m.toml": SOURCE})
    with pytest.raises(InputError) as caught:
        Catalog(folder)
    assert caught.value.code == "E124"
    assert "\x1b" not in caught.value.render()
