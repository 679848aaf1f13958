"""`aiplan perf`, whole command lines in process."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from aiplan.cli import main
from tests.energy.golden import answer
from tests.energy.test_golden import assert_same
from tests.serving.golden_perf import COMMANDS, FOLDER


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    code = main(["perf", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.endswith(".json")])
def test_golden_json(name: str) -> None:
    assert_same(json.loads(answer(COMMANDS[name])), json.loads((FOLDER / name).read_text(encoding="utf-8")))


def test_golden_sweep() -> None:
    name = "perf-sweep.csv"
    found, golden = (
        list(csv.reader(io.StringIO(text)))
        for text in (answer(COMMANDS[name]), (FOLDER / name).read_text(encoding="utf-8"))
    )
    assert len(found) == len(golden)
    for row, expected in zip(found, golden, strict=True):
        for cell, wanted in zip(row, expected, strict=True):
            try:
                assert float(cell) == pytest.approx(float(wanted), rel=1e-9)
            except ValueError:
                assert cell == wanted


def test_a_model_without_room_leaves_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--model", "llama-3.1-405b", "--set", "deployment.n_gpus=2")
    assert (code, out) == (4, "")
    assert "error[E156]" in err
    assert "GB are missing" in err


def test_rows_are_written_before_the_exit_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("model,hardware,n_gpus,tp\nllama-3.1-8b,h100,1,1\nno-such-model,h100,1,1\n")
    code, out, _ = run(capsys, "--rows", str(file))
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 2
    assert [bool(row["output_tok_s"]) for row in rows] == [True, False]
    file.write_text("model,hardware,n_gpus,tp\nllama-3.1-8b,h100,1,1\n")
    assert run(capsys, "--rows", str(file))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--rows", "x.csv", "--sweep", "tp"), "E207"),
        (("llama-70b-h200", "--rows", "x.csv"), "E207"),
        (("--model", "llama-3.1-8b", "--config", "config.json"), "E207"),
        (("--sweep", "everything"), "E102"),
        (("frontier-chat",), "E112"),
        (("--config", "no-such.json"), "E001"),
        (("--explain", "no_such_line"), "E204"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: str) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert f"error[{code}]" in err


def test_short_options_replace_what_stands_against_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[scenario]\nname = "own"\nbase = "llama-70b-h200"\n[deployment]\nserver = "dgx-h200"\n')
    code, out, _ = run(capsys, str(file), "--hardware", "b200", "--model", "llama-3.1-8b", "--format", "json")
    content = json.loads(out)
    assert code == 0
    assert "Llama 3.1 8B on 8 x NVIDIA B200" in content["headline"]


def test_scenario_can_be_written_and_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["init", str(tmp_path), "--template", "llama-70b-h200"]) == 0
    assert f"run: aiplan perf {tmp_path}" in capsys.readouterr().err
    assert run(capsys, str(tmp_path / "llama-70b-h200.toml"))[0] == 0


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "scenario", "perf"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"deployment", "load", "slo", "facility"} <= set(schema["properties"])
    assert "facility" in schema["required"] or "base" in json.dumps(schema)
