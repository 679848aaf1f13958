"""The latency profiles of the catalog: equal to what the script writes, every value the median of its rows."""

from __future__ import annotations

import tomllib
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from aiplan.catalog.lint import lint_catalog
from aiplan.catalog.loader import Catalog
from aiplan.catalog.schema_profiles import TABLES
from aiplan.cli import main
from aiplan.errors import InputError
from tests.catalog.overlays import write_used
from tests.transcribe.profiles import FILE, Row, read_rows, render
from tests.transcribe.profiles_curated import MACHINES, MODELS

OWN = """\
[own]
name = "Own"
model = "llama-2-70b"
engine = "vLLM"
source = "mine"
grade = "measured"
kv_bytes_per_token = 327680
weights_bytes = 138e9
profile_context_tokens = 576
[own.machines.one]
accelerator = "h100-sxm"
accelerator_count = 4
tensor_parallel = 4
memory_bytes = 343597383680
by_batched_tokens = [[128, 50.0, 28.0], [512, 60.0, 29.0]]
prompt_by_length = [[128, 50.0], [512, 60.0]]
decode_by_batch = [[1, 28.0], [8, 31.0]]
"""
CAPPED = """\
[own.machines.two]
accelerator = "h100-sxm"
accelerator_count = 4
tensor_parallel = 4
memory_bytes = 343597383680
"""


@pytest.fixture(scope="module")
def entries(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / FILE).read_text(encoding="utf-8"))


@pytest.mark.shared_data
def test_the_file_is_what_the_script_writes(shared_data: Path, root: Path) -> None:
    assert [path.name for path in (root / FILE).parent.iterdir()] == ["splitwise.toml"]
    assert (root / FILE).read_bytes() == render(shared_data)[FILE].encode()


def chosen(table: str, first: float, rows: list[Row]) -> list[Row]:
    """Rows behind the row of a table that begins with ``first``, said in another way than the script does."""
    tests = {
        "by_batched_tokens": lambda row: row["prompt_size"] * row["batch_size"] == first,
        "prompt_by_length": lambda row: (row["batch_size"], row["prompt_size"]) == (1, first),
        "prompt_by_batch": lambda row: (row["prompt_size"], row["batch_size"]) == (512, first),
        "decode_by_batch": lambda row: (row["prompt_size"], row["batch_size"], row["token_size"]) == (512, first, 128),
        "decode_by_context": lambda row: (
            (row["batch_size"], row["token_size"], row["prompt_size"]) == (1, 128, first - 64)
        ),
        "power_prompt": lambda row: row["prompt_size"] * row["batch_size"] == first and row["peak_power"] > 0,
    }
    return [row for row in rows if tests[table](row)]


COLUMNS = {"prompt_ms": "prompt_time", "token_ms": "token_time", "tdp_fraction": "peak_power"}


@pytest.mark.shared_data
def test_every_value_is_the_median_of_its_rows(shared_data: Path, entries: dict[str, Any]) -> None:
    rows = read_rows(shared_data / "splitwise" / "perf_model.csv")
    checked = 0
    for profile in MODELS:
        for name, machine in entries[profile.id]["machines"].items():
            if "scaled_from" in machine:
                continue
            hardware = MACHINES[name].csv_hardware
            group = rows[profile.csv_model, hardware, machine["tensor_parallel"]]
            for table, titles in TABLES.items():
                for first, *values in machine.get(table, []):
                    behind = chosen(table, first, group)
                    assert len(behind) >= 5, (name, table, first)
                    for title, value in zip(titles[1:], values, strict=True):
                        assert value == pytest.approx(median(row[COLUMNS[title]] for row in behind), abs=1e-6)
                        checked += 1
    assert checked > 300


@pytest.mark.shared_data
def test_no_configuration_was_lost(shared_data: Path, entries: dict[str, Any]) -> None:
    rows = read_rows(shared_data / "splitwise" / "perf_model.csv")
    assert sum(len(group) for group in rows.values()) == 1260
    measured = [one for entry in entries.values() for one in entry["machines"].values() if "scaled_from" not in one]
    assert len(measured) == sum(1 for _, hardware, _ in rows if not hardware.endswith("-pcap")) == 8


def test_cells_that_did_not_fit_in_memory_are_left_out(entries: dict[str, Any]) -> None:
    """Two accelerators at batch 64: 361 ms against 2,398 ms at batch 32 is no prompt pass."""
    machine = entries["splitwise-llama2-70b"]["machines"]["h100-tp2"]
    assert [row[0] for row in machine["decode_by_batch"]] == [row[0] for row in machine["prompt_by_batch"]]
    assert machine["prompt_by_batch"][-1] == [32, pytest.approx(2397.77, abs=0.01)]
    assert machine["by_batched_tokens"][-1][:2] == [32_768, pytest.approx(360.55, abs=0.01)]


def test_decode_by_batch_is_the_references(entries: dict[str, Any]) -> None:
    """Section 3.3 of the reference, 0.01 ms."""
    machines = entries["splitwise-bloom-176b"]["machines"]
    for name, expected in (
        ("dgx-a100", (48.76, 49.99, 51.00, 52.95, 57.34, 65.38, 96.58)),
        ("dgx-h100", (36.11, 36.91, 38.06, 38.14, 40.64, 45.84, 63.82)),
    ):
        assert [row[1] for row in machines[name]["decode_by_batch"]] == pytest.approx(expected, abs=0.01)


def test_power_is_of_a100_rows_only(entries: dict[str, Any]) -> None:
    """Section 2.2 of the reference: means of 0.63 (BLOOM), 0.43 to 0.46, 0.59 to 0.64 and 0.73 to 0.79 (Llama)."""
    bloom, llama = (entries[profile.id]["machines"] for profile in MODELS)
    shares = [bloom["dgx-a100"], *(llama[name] for name in ("dgx-a100", "a100-tp4", "a100-tp2"))]
    means = [one["power_token_fraction"] for one in shares]
    assert means == pytest.approx([0.635, 0.435, 0.60, 0.74], abs=0.01)
    assert bloom["dgx-a100"]["power_prompt"][0] == [128, pytest.approx(0.69, abs=0.01)]
    for machines in (bloom, llama):
        for name, machine in machines.items():
            assert ("power_prompt" in machine) == ("power_token_fraction" in machine) == ("a100" in name)


def test_money_and_power_say_how_they_were_seen() -> None:
    """Nothing second-hand or derived passes for published."""
    catalog = Catalog()
    for profile in MODELS:
        machines = catalog.get("profiles", profile.id).machines
        money = {name: machines[name].usd_per_h.value for name in ("dgx-a100", "dgx-h100", "dgx-h100-pcap")}
        assert money == {"dgx-a100": 17.68, "dgx-h100": 38.08, "dgx-h100-pcap": 38.08}
        for field, values, evidence in (
            ("rated_w", (6500, 10_200, 7140), "published"),
            ("provisioned_w", (6200, 11_000, 7700), "derived"),
            ("power_unit_count", (24.8, 44, 30.8), "published"),
            ("power_ratio", (1, 1.75, 1.23), "second-hand"),
            ("token_cost_ratio", (1, 2.5, 2.5), "second-hand"),
            ("usd_per_h", (17.68, 38.08, 38.08), "derived"),
        ):
            found = [getattr(machines[name], field) for name in money]
            assert [one.value for one in found] == list(values), field
            assert {one.evidence for one in found} == {evidence}, field
        assert machines["dgx-h100"].prompt_cost_ratio.value == 2.35
        assert machines["dgx-h100-pcap"].prompt_cost_ratio is None


# --- an own profile ---------------------------------------------------------------------------------------------------


def test_a_profile_is_shown_with_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "show", "splitwise-bloom-176b", "--format", "csv", "--table", "decode_by_batch"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["machine,batch,token_ms", "dgx-a100,1,48.764173"]
    assert main(["catalog", "show", "splitwise-bloom-176b", "--format", "csv"]) == 0
    assert "machines.dgx-h100-pcap.prompt_factor,1.3,,,assumption,assumed" in capsys.readouterr().out


def test_an_own_profile_is_read(tmp_path: Path) -> None:
    scaled = CAPPED + 'scaled_from = "one"\nprompt_factor = 1.2\ntoken_factor = 1\n'
    machines = Catalog(write_used(tmp_path, {"profiles/own.toml": OWN + scaled})).get("profiles", "own").machines
    assert machines["one"].decode_by_batch == ((1, 28.0), (8, 31.0))
    assert machines["two"].prompt_factor.value == 1.2
    assert (machines["one"].memory_bytes.source, machines["one"].memory_bytes.grade) == ("mine", "measured")


@pytest.mark.parametrize(
    "text",
    [
        OWN.replace("[[1, 28.0], [8, 31.0]]", "[[8, 28.0], [1, 31.0]]"),
        OWN.replace("decode_by_batch", "decode_by_bach"),
        OWN.replace("[[1, 28.0], [8, 31.0]]", "[[1, 28.0], [8, -31.0]]"),
        OWN + CAPPED,
        OWN + CAPPED + 'scaled_from = "one"\n',
        OWN + CAPPED + 'scaled_from = "three"\nprompt_factor = 1.2\ntoken_factor = 1\n',
        OWN + CAPPED + 'scaled_from = "two"\nprompt_factor = 1.2\ntoken_factor = 1\n',
        OWN + CAPPED + 'scaled_from = "one"\nprompt_factor = 1.2\ntoken_factor = 1\nprompt_by_length = [[1, 2.0]]\n',
    ],
)
def test_a_profile_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        Catalog(write_used(tmp_path, {"profiles/own.toml": text}))


def test_lint_looks_into_machines(tmp_path: Path) -> None:
    bad = {
        "E147": OWN.replace('accelerator = "h100-sxm"', 'accelerator = "h100-smx"'),
        "E143": OWN + "usd_per_h = 12\n",
        "E140": OWN + 'rated_w = { value = 3000, source = "nowhere" }\n',
        "E149": OWN + 'rated_w = { value = 3000, evidence = "assumed" }\n',
        "E155": OWN + "rated_w = { value = 3000, range = [1, 2] }\n",
        "W141": OWN + "usd_per_h = { value = 12, currency_year = 2023 }\n",
    }
    for code, text in bad.items():
        folder = write_used(tmp_path / code.lower(), {"profiles/own.toml": text})
        errors, warnings = lint_catalog(Catalog(folder, check=False))
        found = {(one.code, one.path) for one in [*errors, *warnings] if one.path and one.path.startswith("own.")}
        assert {each for each, _ in found} == {code}, found
        assert all(path.startswith("own.machines.one.") for _, path in found)
