"""`aiplan catalog`, whole command lines in process."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from aiplan.catalog.index import kind_of, read_files
from aiplan.catalog.loader import VERSION_FILE, Catalog
from aiplan.catalog.schema import KINDS
from aiplan.cli import main
from aiplan.inputs.schema import field_docs
from aiplan.resources import scenario_names, shipped
from tests.catalog.overlays import ACCELERATOR, MODEL, OPERATOR, SOURCE, THROUGHPUT, write, write_used


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    code = main(["catalog", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def plain(value: Any) -> Any:
    """A TOML value as JSON would hold it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


# --- list -------------------------------------------------------------------------------------------------------------


def test_list_names_every_entry(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "list", "--format", "csv")
    catalog = Catalog()
    assert (code, err) == (0, "")
    assert {(row["kind"], row["id"]) for row in rows(out)} == {
        (kind, entry_id) for kind in catalog.kinds() for entry_id in catalog.ids(kind)
    }


def test_list_of_one_kind(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "servers", "--format", "json")
    content = json.loads(out)
    assert code == 0
    assert content["headline"] == "13 entries of 1 kind"
    (found,) = [row for row in content["tables"]["entries"] if row["id"] == "dgx-h100"]
    assert (found["name"], found["grade"], found["evidence"]) == (
        "NVIDIA DGX H100, 8 x H100 80 GB",
        "datasheet",
        "second-hand",
    )


@pytest.mark.parametrize(("text", "hint"), [("server", "did you mean 'servers'?"), ("zzz", "kinds: accelerators, ")])
def test_list_of_no_kind(capsys: pytest.CaptureFixture[str], text: str, hint: str) -> None:
    code, out, err = run(capsys, "list", text)
    assert (code, out) == (2, "")
    assert "error[E122]" in err
    assert hint in err


# --- show -------------------------------------------------------------------------------------------------------------


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    code, out, err = run(capsys, "show", *arguments, "--format", "json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    return content, {row["field"]: row for row in content["tables"]["values"]}


def test_show_gives_every_number_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    content, values = shown(capsys, "NVIDIA H100 80GB HBM3")
    assert content["headline"].startswith("h100-sxm (accelerators): NVIDIA H100 SXM5 80 GB")
    tdp, price = values["tdp_w"], values["price_usd"]
    assert (tdp["value"], tdp["unit"], tdp["grade"], tdp["evidence"]) == (700.0, "W", "datasheet", "published")
    assert (price["value"], price["range"], price["evidence"]) == (33_600.0, "24400 to 44500", "second-hand")
    assert price["note"].endswith("(prices of 2023)")
    assert content["sources"]["epoch-ml-hardware"]
    other = content["tables"]["conflicts"]
    assert {"field": "price_usd", "value": 27_000, "source": "azure-lifecycle-compass"}.items() <= other[0].items()


def test_show_marks_what_was_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    _, values = shown(capsys, "ashburn-va")
    assert (values["grid"]["value"], values["grid"]["evidence"], values["grid"]["grade"]) == (
        "egrid-srvc",
        "unverified",
        "assumption",
    )
    tariff = values["tariff"]
    assert (tariff["source"], tariff["evidence"]) == ("rto-insider-gs5", "second-hand")
    assert values["normals.tmax_c"]["unit"] == "°C"
    assert not {name for name in values if name.endswith((".source", ".grade", ".evidence", ".note", ".value"))}


def test_show_gives_a_sibling_its_parents_doubts(capsys: pytest.CaptureFixture[str]) -> None:
    catalog = Catalog()
    checked = 0
    for entry_id in catalog.ids("models"):
        own = catalog.raw("models", entry_id)[1].data[entry_id]
        if "shape_of" not in own:
            continue
        parent = catalog.raw("models", own["shape_of"])[0]
        inherited = set(parent.get("unverified_fields", ())) & {"native_precision", "tied_embeddings"} - set(own)
        for name in inherited:
            checked += 1
            assert name in catalog.raw("models", entry_id)[0]["unverified_fields"]
    assert checked > 0


def test_show_prints_the_points_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    content, _ = shown(capsys, "trtllm-1.0.llama-3.3-70b.h200-sxm.tp1.fp8")
    points = content["tables"]["points"]
    assert {"input_tokens": 2048, "output_tokens": 128, "tokens_per_s": 442} in points


def test_show_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    _, values = shown(capsys, "azure-llm-2023")
    assert values["licence"]["value"] == "CC-BY-4.0"
    assert values["accessed"]["value"] == "2026-11-22"


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_of_a_kind_can_be_shown(kind: str) -> None:
    from aiplan.catalog.describe import describe_entry

    catalog = Catalog()
    for entry_id in catalog.ids(kind):
        headline, tables = describe_entry(catalog, kind, entry_id)
        assert headline.startswith(f"{entry_id} ({kind}): ")
        for table in tables:
            assert all(len(row) == len(table.columns) for row in table.rows)
            cells = [cell for row in table.rows for cell in row]
            assert all(cell is None or isinstance(cell, str | int | float) for cell in cells)


def test_show_nothing_of_that_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", "h100-sxmm")
    assert (code, out) == (2, "")
    assert "error[E121]" in err
    assert "h100-sxm" in err


def test_show_asks_when_a_name_stands_for_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    grid = '[twice]\nname = "G"\nsource = "mine"\ngrade = "paper"\n'
    files = {"operators/b.toml": OPERATOR.replace("my-operator", "twice"), "grids.toml": grid}
    folder = write_used(tmp_path, files)
    code, _, err = run(capsys, "show", "twice", "--catalog", str(folder))
    assert code == 2
    assert "error[E123]" in err
    assert "--kind grids or --kind operators" in err
    code, out, _ = run(capsys, "show", "twice", "--kind", "grids", "--catalog", str(folder))
    assert code == 0
    assert "twice (grids): G" in out


# --- overlays ---------------------------------------------------------------------------------------------------------


def test_an_overlay_is_listed_and_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = str(write_used(tmp_path, {"accelerators.toml": ACCELERATOR + "tdp_kw = 1.2\n"}))
    code, out, _ = run(capsys, "list", "accelerators", "--format", "csv", "--catalog", folder)
    assert code == 0
    assert "my-gpu" in {row["id"] for row in rows(out)}
    content, values = shown(capsys, "my-gpu", "--catalog", folder)
    assert values["tdp_w"]["value"] == pytest.approx(1200.0)
    assert content["catalog"]["version"] == "2026.11+overlay"


@pytest.mark.parametrize("command", [("list",), ("show", "h100-sxm")])
def test_a_bad_overlay_is_refused_with_its_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = write(tmp_path / "mine", {"accelerators.toml": ACCELERATOR + "tdp_wat = 700\n"})
    code, out, err = run(capsys, *command, "--catalog", str(folder))
    assert (code, out) == (2, "")
    assert "error[E100]" in err
    assert "--> mine/accelerators.toml:8:1" in err


# --- lint -------------------------------------------------------------------------------------------------------------


def test_lint_of_the_shipped_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "lint")
    assert code == 0
    assert out == f"no errors, {err.count('warning[')} warnings\n"
    assert "error[" not in err


def test_lint_with_strict_fails_on_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "lint", "--strict")
    assert (code, out) == (2, "")
    assert "error[W141]" in err
    assert "warning[" not in err


def test_lint_tells_all_problems_of_an_overlay(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = {"accelerators.toml": ACCELERATOR + "tdp_wat = 700\nprice_usd = 3\n", "models/a.toml": MODEL}
    code, out, err = run(capsys, "lint", str(write(tmp_path / "mine", files)))
    assert (code, out) == (2, "")
    for text in ("error[E100]", "error[E140]", "error[E143]", "--> mine/accelerators.toml:9:1", "problems found"):
        assert text in err


# --- schema -----------------------------------------------------------------------------------------------------------


def schema_of(capsys: pytest.CaptureFixture[str], kind: str) -> dict[str, Any]:
    code, out, err = run(capsys, "schema", kind)
    assert (code, err) == (0, "")
    content = json.loads(out)
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_file_fits_the_schema_of_its_kind(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    schema = schema_of(capsys, kind)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    checked = 0
    for file, raw in read_files(shipped("hardware_catalog")).items():
        if file != VERSION_FILE and kind_of(file) == kind:
            content = plain(tomli.loads(raw.decode("utf-8")))
            checked += len(content)
            assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(content)] == []
    assert checked == len(Catalog().ids(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_entry_fits_its_class(kind: str) -> None:
    catalog = Catalog()
    for entry_id in catalog.ids(kind):
        assert isinstance(catalog.checked(kind, entry_id), KINDS[kind])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("accelerators", ACCELERATOR + "tdp_wat = 700\n"),
        ("accelerators", ACCELERATOR + "tdp_w = -700\n"),
        ("accelerators", ACCELERATOR + 'tdp_w = { value = 7, soruce = "mine" }\n'),
        ("accelerators", ACCELERATOR + "tdp_w = { lognormal = { p5 = 1 } }\n"),
        ("accelerators", ACCELERATOR.replace("hbm_gb = 96\n", "")),
        ("models", MODEL.replace('shape_of = "llama-3.1-8b"\n', "")),
        ("throughput", THROUGHPUT.replace("20000.0", "0")),
        ("sources", SOURCE.replace("locator", "location")),
        ("operators", OPERATOR + "year = 20\n"),
    ],
)
def test_what_does_not_fit_fails_the_schema_too(capsys: pytest.CaptureFixture[str], kind: str, text: str) -> None:
    validator = Draft202012Validator(schema_of(capsys, kind))
    assert list(validator.iter_errors(plain(tomli.loads(text)))) != []


@pytest.mark.parametrize(
    "line",
    [
        "tdp_w = 700",
        "tdp_w = { lognormal = { p5 = 600, p95 = 800 } }",
        'tdp_w = { triangular = { low = 1, mode = 2, high = 3 }, truncate = true, source = "mine", grade = "paper" }',
        'tdp_w = { value = 7, dist = { uniform = { low = 6, high = 8 } }, evidence = "derived", range = [6, 8] }',
    ],
)
def test_forms_of_a_number_fit_the_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str) -> None:
    text = f"{ACCELERATOR}{line}\n"
    validator = Draft202012Validator(schema_of(capsys, "accelerators"))
    assert list(validator.iter_errors(plain(tomli.loads(text)))) == []
    assert Catalog(write_used(tmp_path, {"accelerators.toml": text})).get("accelerators", "my-gpu").tdp_w


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_is_described(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    schema = schema_of(capsys, kind)
    tables = [schema["additionalProperties"], *schema.get("$defs", {}).values()]
    for table in tables:
        for name, item in table.get("properties", {}).items():
            assert item.get("description") or "properties" in item, name
    assert field_docs(KINDS[kind]).keys() >= KINDS[kind].model_fields.keys()


def test_a_schema_of_no_kind(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "schema", "server")
    assert (code, out) == (2, "")
    assert "error[E122]" in err


def test_schemas_stay_small(capsys: pytest.CaptureFixture[str]) -> None:
    # The forms of a number are written once and referred to: 100 kB each where they were repeated.
    for kind in KINDS:
        assert len(json.dumps(schema_of(capsys, kind))) < 60_000


def test_a_scenario_schema_knows_other_units_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "scenario", "power"]) == 0
    validator = Draft202012Validator(json.loads(capsys.readouterr().out))

    def fits(grid: dict[str, object]) -> bool:
        header = {"name": "x", "planner": "power", "base": "power-100mw"}
        return validator.is_valid({"scenario": header, "grid": grid})

    assert all(fits({name: 1}) for name in ("contract_w", "contract_kw", "contract_mw", "contract_gw"))
    assert fits({"contract_mw": {"value": 100, "source": "ours"}})
    assert not any(fits({name: 1}) for name in ("contract_kwh", "contract_gb", "contract"))
    assert not fits({"contract_mw": "much"})


@pytest.mark.parametrize("name", scenario_names())
def test_shipped_scenarios_fit_the_scenario_schema(capsys: pytest.CaptureFixture[str], name: str) -> None:
    content = plain(tomli.loads((shipped("scenarios") / f"{name}.toml").read_text(encoding="utf-8")))
    assert main(["schema", "scenario", content["scenario"]["planner"]]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(content)] == []
    # What a base may supply may be missing; without one it may not.
    without = {**content, "scenario": {key: item for key, item in content["scenario"].items() if key != "base"}}
    # A split may ask by a workload or by token rates and a hall has defaults: only their header must be there.
    sections = [
        section for section in ("workload", "load", "power", "demand", "machine", "simulation") if section in without
    ]
    del without["scenario" if content["scenario"]["planner"] in ("split", "thermal") else sections[0]]
    assert list(validator.iter_errors(without)) != []
