"""`aiplan perf --rows`: every row keeps its place, its columns and its troubles to itself."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.rows_report import BANDS, OUT, VALUES, rows_report
from aiplan.report.formats import render
from aiplan.report.terminal import Terminal

CATALOG = Catalog()
HEADER = "model,hardware,n_gpus,tp,ep,dp,precision,framework,isl,osl,concurrency,output_tok_s"


def answer(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[list[dict[str, Any]], int]:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    report, unknown = rows_report(file, CATALOG)
    text = render(report, "csv", table="rows", explain=False, terminal=Terminal())
    return list(csv.DictReader(io.StringIO(text))), unknown


GOOD = "meta-llama/Llama-3.1-70B,h200_sxm,4,4,,,fp8,vllm,2000,500,64,"


def test_columns_are_the_files_own_and_then_ours(tmp_path: Path) -> None:
    rows, unknown = answer(tmp_path, GOOD)
    assert not unknown
    given = [name for name in HEADER.split(",") if name != "output_tok_s"]
    assert list(rows[0]) == [*given, *OUT]
    assert all(float(rows[0][name]) > 0 for name in (*VALUES, *BANDS))
    for name in VALUES:
        assert float(rows[0][f"{name}_low"]) < float(rows[0][name]) < float(rows[0][f"{name}_high"])


def test_totals_are_over_all_accelerators(tmp_path: Path) -> None:
    rows, _ = answer(tmp_path, GOOD)
    assert 4 * 70 < float(rows[0]["power_w"]) <= 4 * 700
    joules = float(rows[0]["energy_j_per_token"])
    assert joules * float(rows[0]["output_tok_s"]) == pytest.approx(float(rows[0]["power_w"]))


def test_a_row_that_cannot_be_placed_keeps_its_place_and_says_why(tmp_path: Path) -> None:
    lines = [
        GOOD,
        "Llama 3.1 71B,h200,4,4,,,fp8,vllm,2000,500,64,",
        "llama-3.1-8b,rubin-ultra-nvl576,1,1,,,,,,,,",  # the catalog has no bandwidth of it
        "llama-3.1-8b,h100,1,1,,,,,abc,,,",
        GOOD,
    ]
    rows, unknown = answer(tmp_path, *lines)
    assert (len(rows), unknown) == (5, 3)
    assert [bool(row["power_w"]) for row in rows] == [True, False, False, False, True]
    assert rows[0] == rows[4]
    assert "llama-3.1-70b" in rows[1]["warning"]
    assert "hbm_tb_per_s" in rows[2]["warning"]
    assert "isl" in rows[3]["warning"]
    assert all(not rows[at][name] for at in (1, 2, 3) for name in (*VALUES, *BANDS, "method"))


def test_a_measured_rate_is_echoed_and_used(tmp_path: Path) -> None:
    low, high = (answer(tmp_path, GOOD + str(rate))[0][0] for rate in (500, 2000))
    assert (float(low["output_tok_s"]), float(high["output_tok_s"])) == (500, 2000)
    assert low["method"].startswith("measured rate")
    assert float(low["power_w"]) < float(high["power_w"])
    assert low["tpot_ms"] == high["tpot_ms"]
    beyond = answer(tmp_path, GOOD + "1000000")[0][0]
    assert "beyond the accelerators' peak" in beyond["warning"]


def test_warnings_of_the_row_are_those_of_the_planner(tmp_path: Path) -> None:
    rows, _ = answer(
        tmp_path,
        "llama-3.1-70b,h200,4,4,,,fp8,vllm,200000,500,1,",
        "llama-3.1-70b,h200,3,3,,,fp8,vllm,2000,500,1,",
        "llama-3.1-70b,h100,1,1,,,bf16,vllm,2000,500,1,",
        "llama-3.1-405b,h100,16,16,,,fp8,vllm,2000,500,1,",
    )
    for row, text in zip(rows, ("allows 131,072", "heads", "does not fit", "fast links"), strict=True):
        assert text in row["warning"]


def test_measured_columns_with_our_names_are_kept(tmp_path: Path) -> None:
    header = HEADER.replace("output_tok_s", "ttft_ms,measured_ttft_ms")
    rows, _ = answer(tmp_path, GOOD + "12.5,99", header=header)
    assert rows[0]["measured_ttft_ms"] == "99"
    assert rows[0]["measured_measured_ttft_ms"] == "12.5"
    assert float(rows[0]["ttft_ms"]) != 12.5


def test_numbers_of_the_file_stay_numbers(tmp_path: Path) -> None:
    rows, _ = answer(tmp_path, GOOD + ",-3.5,=1+1", header=f"{HEADER},delta,note")
    assert (rows[0]["delta"], rows[0]["note"]) == ("-3.5", "'=1+1")


def test_a_bench_row_without_concurrency_is_a_queue_that_never_empties(tmp_path: Path) -> None:
    rows, _ = answer(tmp_path, "llama-3.1-70b,gh200,1,1,,,fp8,vllm,1000,1000,,")
    assert not rows[0]["ttft_ms"]
    assert "never empties" in rows[0]["warning"]
    assert "offline" in rows[0]["method"]


def test_a_published_table_beats_the_roofline(tmp_path: Path) -> None:
    line = "llama-3.3-70b,h100,2,2,,,fp8,TensorRT-LLM 1.0,1000,1000,,"
    rows, _ = answer(tmp_path, line, line.replace("1000,1000", "1000,50"))
    assert rows[0]["method"].startswith("table trtllm-1.0.llama-3.3-70b.h100-sxm.tp2.fp8")
    # Published: 4,205 tokens/s (TensorRT-LLM 1.0 performance overview); the table's law is within its error of it.
    assert float(rows[0]["output_tok_s"]) == pytest.approx(4205, rel=0.06)
    assert rows[1]["method"].startswith("roofline offline")
