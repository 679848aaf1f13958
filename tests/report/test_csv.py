"""CSV: tidy lines, one table, numbers as numbers and no formula in any text."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from aiplan.errors import InputError
from aiplan.report.csv import LINE_COLUMNS, render_csv
from aiplan.report.model import Column, Line, Table
from tests.report.sample import NASTY_TEXTS, nasty_report, sample_report
from tests.report.test_sanitize import formulas


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_lines_are_tidy() -> None:
    report = sample_report()
    head, *rows = parsed(render_csv(report))
    assert tuple(head) == LINE_COLUMNS
    assert ",".join(head) == "scenario,line,label,value,unit,p5,p25,p50,p75,p95,mean,grade,sources"
    assert [row[1] for row in rows] == [line.id for line in report.lines]
    assert all(len(row) == len(head) for row in rows)
    first = dict(zip(head, rows[0], strict=True))
    assert first["scenario"] == "frontier-chat"
    assert float(first["value"]) == 0.30814
    assert [float(first[name]) for name in ("p5", "p95", "mean")] == [0.04361, 1.53, 0.4712]
    assert first["sources"] == "oviedo-2026;trtllm-0.19"
    missing = dict(zip(head, rows[-1], strict=True))
    assert missing["value"] == missing["p50"] == ""


def test_line_ends_and_header_of_an_empty_report() -> None:
    assert render_csv(replace(sample_report(), lines=())) == ",".join(LINE_COLUMNS) + "\n"
    assert "\r" not in render_csv(sample_report())


def test_one_table() -> None:
    head, *rows = parsed(render_csv(sample_report(), "models"))
    assert head == ["model", "tokens_per_s", "energy_wh_p50", "energy_wh_p95", "gpus", "fits", "source"]
    assert rows[2] == [
        "nemotron-ultra-253b",
        "5200.0",
        "0.271",
        "",
        "8",
        "false",
        "Llama-Nemotron paper, Fig. 4",
    ]


def test_a_hidden_table_can_be_asked_for_and_an_unknown_one_cannot() -> None:
    assert parsed(render_csv(sample_report(), "levers"))[1] == ["model", "3.87", "0.079"]
    with pytest.raises(InputError, match="nothing"):
        render_csv(sample_report(), "nothing")


def test_label_of_check_14() -> None:
    report = replace(sample_report(), lines=(Line("x", "=1+1", -3.5, "W"),))
    row = parsed(render_csv(report))[1]
    assert row[2] == "'=1+1"
    assert row[3] == "-3.5"


def test_formulas_are_defused_wherever_text_can_stand() -> None:
    for text in formulas():
        table = Table("t", text, (Column(text), Column("n")), ((text, -1.0),))
        report = replace(sample_report(), lines=(Line("x", text, text, text, sources=(text,)),), tables=(table,))
        row = parsed(render_csv(report))[1]
        assert all(row[index].startswith("'") for index in (2, 3, 4, 12)), ascii(text)
        (head, _), (cell, number) = parsed(render_csv(report, "t"))
        assert head.startswith("'")
        assert cell.startswith("'")
        assert number == "-1.0"


def test_one_physical_line_per_row_whatever_the_labels() -> None:
    text = render_csv(nasty_report())
    assert text.count("\n") == 1 + len(NASTY_TEXTS)
    assert len(parsed(text)) == 1 + len(NASTY_TEXTS)
