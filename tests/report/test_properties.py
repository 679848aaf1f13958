"""Whatever a label holds, no format prints a control byte and JSON and CSV read back; doctests hold."""

from __future__ import annotations

import csv
import doctest
import importlib
import io
import json
import pkgutil
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aiplan.report
from aiplan.report.canvas import cells
from aiplan.report.formats import FORMATS, render
from aiplan.report.json import envelope
from aiplan.report.model import Cell, Column, InputRecord, Line, Origin, Report, Table, Warn
from aiplan.report.pictures import draw
from aiplan.report.terminal import Terminal
from tests.report.sample import bars_of, chart_of, heat_map_of, sample_report
from tests.report.test_sanitize import ANY_TEXT

FINITE = st.floats(allow_nan=False, allow_infinity=False)
CLEAN_TEXT = st.text()
CELLS = st.one_of(st.none(), st.booleans(), st.integers(), FINITE, CLEAN_TEXT)


def report_with(text: str, value: Cell = -1.5) -> Report:
    """A report with ``text`` in every place that a file can set."""
    return replace(
        sample_report(),
        title=text,
        headline=text,
        scenario=Origin(text, "0"),
        catalog=Origin(text, "1", text),
        lines=(Line("x", text, value, text, sources=(text,), formula=text, inputs=("p",)),),
        tables=(Table("t", text, (Column("a", text, text), Column("b")), ((text, value),)),),
        warnings=(Warn(text, text, text),),
        not_modelled=(text,),
        inputs=(InputRecord("p", text, value, text, text, "paper", text, (text,)),),
        sources={text: text},
        context=((text, text),),
        boundary=text,
    )


def assert_harmless(output: str) -> None:
    output.encode("utf-8")
    bad = {c for c in output if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not bad


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT)
def test_no_format_prints_a_control_character(text: str) -> None:
    report = report_with(text)
    for fmt in FORMATS:
        assert_harmless(render(report, fmt))
        assert_harmless(render(report, fmt, table="t"))
    assert_harmless(render(report, terminal=Terminal(True, 60)))
    assert_harmless(render(report, explain=True))
    assert_harmless(render(report, "json", explain=True))
    assert render(report, terminal=Terminal(True, 60, encoding="ascii")).isascii()


@settings(max_examples=40, deadline=None)
@given(ANY_TEXT)
def test_no_picture_prints_a_control_character_or_leaves_its_width(text: str) -> None:
    pictures = (chart_of(text), heat_map_of(text), bars_of(text))
    report = replace(report_with(text), charts=pictures)
    for fmt in FORMATS:
        assert_harmless(render(report, fmt))
    for encoding in ("utf-8", "ascii"):
        for picture in pictures:
            lines = draw(picture, 60, unicode=encoding == "utf-8")
            assert max(len(cells("".join(piece for piece, _ in line))) for line in lines) <= 60
    assert render(report, terminal=Terminal(True, 60, encoding="ascii")).isascii()


@settings(deadline=None)
@given(CLEAN_TEXT, CELLS)
def test_json_reads_back_equal(text: str, value: Cell) -> None:
    report = report_with(text, value)
    assert json.loads(render(report, "json")) == envelope(report)


@settings(deadline=None)
@given(ANY_TEXT, st.lists(st.tuples(FINITE, st.integers(), ANY_TEXT), max_size=5))
def test_csv_reads_back(label: str, rows: list[tuple[float, int, str]]) -> None:
    table = Table("t", "t", (Column("x"), Column("n"), Column("text")), tuple(rows))
    output = render(replace(sample_report(), tables=(table,)), "csv", table="t")
    head, *body = csv.reader(io.StringIO(output, newline=""))
    assert head == ["x", "n", "text"]
    assert [(float(x), int(n)) for x, n, _ in body] == [(x, n) for x, n, _ in rows]
    (_, line) = csv.reader(io.StringIO(render(report_with(label), "csv"), newline=""))
    assert line[3] == "-1.5"
    assert len(line) == 13


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CLEAN_TEXT, FINITE), min_size=1, max_size=4), st.integers(1, 200))
def test_no_width_cuts_a_number(items: list[tuple[str, float]], width: int) -> None:
    lines = tuple(Line(f"l{i}", text, value, "W") for i, (text, value) in enumerate(items))
    report = replace(sample_report(), lines=lines, tables=())
    wide = render(report)
    narrow = render(report, terminal=Terminal(True, width))
    for _, value in items:
        from aiplan.report.numbers import number

        assert number(value) in wide
        assert number(value) in narrow


MODULES = [f"aiplan.report.{module.name}" for module in pkgutil.iter_modules(aiplan.report.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
