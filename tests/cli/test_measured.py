"""`aiplan energy measured`: rows in, the same rows out in the same order, whatever stands in them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.runner import Outcome, run
from tests.hostile.expectations import said

GOOD = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "output_tok_s": "1000"}


def measured(folder: Path, rows: list[dict[str, str]], *options: str) -> Outcome:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "rows.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    outcome = run("energy", "measured", str(path), *options)
    assert outcome.raw_characters == []
    assert "Traceback" not in outcome.err
    assert "E900" not in outcome.err
    return outcome


def answers(outcome: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(outcome.out)))


def test_rows_keep_their_order_and_their_columns(tmp_path: Path) -> None:
    rows = [GOOD | {"note": str(number), "output_tok_s": str(500 + number)} for number in range(30)]
    rows[7]["model"] = "no-such-model"
    outcome = measured(tmp_path, rows)
    found = answers(outcome)
    assert [row["note"] for row in found] == [str(number) for number in range(30)]
    assert [row["output_tok_s"] for row in found] == [row["output_tok_s"] for row in rows]
    assert (found[7]["power_w"], "no-such-model" in found[7]["warning"]) == ("", True)
    assert all(float(row["power_w"]) > 0 for number, row in enumerate(found) if number != 7)
    # A row that could not be placed is an input that was not understood.
    assert outcome.code == 2
    assert "W-ENERGY-ROWS" in outcome.err


def test_all_placed(tmp_path: Path) -> None:
    outcome = measured(tmp_path, [GOOD])
    assert (outcome.code, outcome.err) == (0, "")
    (row,) = answers(outcome)
    # Energy per token is power over rate: J/token = W / (token/s).
    assert float(row["energy_j_per_token"]) == pytest.approx(float(row["power_w"]) / 1000, rel=1e-9)
    low, high = float(row["energy_j_per_token_low"]), float(row["energy_j_per_token_high"])
    assert low < float(row["energy_j_per_token"]) < high


def test_other_names_of_the_columns(tmp_path: Path) -> None:
    """ML.ENERGY's headers, of which its users have thousands of rows."""
    theirs = {"model_id": "meta-llama/Llama-3.1-8B-Instruct", "gpu_model": "H100", "num_gpus": "1",
              "output_throughput_tokens_per_sec": "1000", "avg_batch_size": "64", "avg_output_len": "500"}  # fmt: skip
    ours = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "n_gpus": "1", "output_tok_s": "1000", "concurrency": "64",
            "osl": "500"}  # fmt: skip
    assert answers(measured(tmp_path, [theirs]))[0]["power_w"] == answers(measured(tmp_path, [ours]))[0]["power_w"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("output_tok_s", "0"), ("output_tok_s", "-5"), ("output_tok_s", "nan"), ("output_tok_s", "inf"),
     ("output_tok_s", "fast"), ("output_tok_s", ""), ("output_tok_s", "0x10"), ("n_gpus", "-1"),
     ("n_gpus", "two"), ("concurrency", "-1"), ("concurrency", "many"), ("isl", "-3"), ("osl", "x"),
     ("precision", "int3"), ("precision", "=1+1"), ("model", ""), ("model", "x" * 5000), ("hardware", "abacus"),
     ("hardware", "")],
)  # fmt: skip
def test_a_row_that_cannot_be_placed_says_why(column: str, value: str, tmp_path: Path) -> None:
    outcome = measured(tmp_path, [GOOD | {column: value}, GOOD])
    assert outcome.code == 2
    bad, good = answers(outcome)
    assert bad["power_w"] == bad["energy_j_per_token"] == ""
    assert len(bad["warning"]) in range(10, 300)
    assert float(good["power_w"]) > 0


def test_cells_of_others_are_text_in_every_format(tmp_path: Path) -> None:
    labels = ["=1+1", "@SUM(A1)", "[red]x[/red]", "<b>", "a,b", 'say "hi"', "naïve"]
    rows = [GOOD | {"note": label} for label in labels]
    assert [row["note"] for row in answers(measured(tmp_path, rows))] == ["'=1+1", "'@SUM(A1)", *labels[2:]]
    as_json = json.loads(measured(tmp_path, rows, "--format", "json").out)
    assert [row["note"] for row in as_json["tables"]["rows"]] == labels
    as_table = measured(tmp_path, rows, "--format", "table").out
    assert all(label in as_table for label in labels)


@pytest.mark.parametrize(
    ("content", "codes"),
    [("", ["E010"]), ("a,b\n1,2\n", ["E139", "E139", "E139"]), ("model,model\nx,y\n", ["E010"]),
     ("model,hardware,output_tok_s\nx\ny,z\n", ["E011", "E011"]), ("model,hardware\nx,y\n", ["E139"]),
     ("model,hardware,output_tok_s\nx\x1b[31m,y,1\n", ["E006"])],
)  # fmt: skip
def test_files_that_are_no_such_table(content: str, codes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    outcome = run("energy", "measured", str(path))
    assert (outcome.code, outcome.out) == (2, "")
    complaints = said(outcome.err)
    assert [complaint.code for complaint in complaints] == codes
    assert all(complaint.file == str(path) for complaint in complaints)


def test_a_header_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("model,hardware,output_tok_s\n")
    outcome = run("energy", "measured", str(path))
    assert outcome.code == 0
    assert answers(outcome) == []


NUMBERS = ["", "0", "1", "8", "0.5", "-1", "1e308", "1e-300", "nan", "inf", "1e9", "x", "1_000", "1,5", "0x10"]
CELLS = {
    "model": ["llama-3.1-8b", "gpt-oss-120b", "deepseek-r1", "nobody", "", "=1+1"],
    "hardware": ["h100-sxm", "B200", "mi300x", "l40s", "abacus", ""],
    "output_tok_s": ["1000", *NUMBERS],
    "n_gpus": NUMBERS,
    "precision": ["fp8", "bf16", "mxfp4", "int3", ""],
    "concurrency": NUMBERS,
    "isl": NUMBERS,
    "osl": NUMBERS,
    "dp": NUMBERS,
    "task": ["lm-arena-chat", "unheard of", ""],
}
ROW = st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in CELLS.items()})
ROWS = st.lists(ROW, min_size=1, max_size=4)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(ROWS, st.sampled_from(["csv", "json", "table"]))
def test_any_row_is_answered_or_excused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], fmt: str
) -> None:
    outcome = measured(tmp_path_factory.getbasetemp(), rows, "--format", fmt)
    assert outcome.code in (0, 2)
    assert outcome.out
    if fmt == "csv":
        found = answers(outcome)
        assert len(found) == len(rows)
        assert all(row["power_w"] or row["warning"] for row in found)
