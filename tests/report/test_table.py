"""The terminal format: nothing cut, nothing wider than the terminal, least important columns first to go."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from aiplan.errors import InputError
from aiplan.report import numbers
from aiplan.report.layout import Column as DrawnColumn
from aiplan.report.layout import fit
from aiplan.report.model import Column, Line, Report, Table
from aiplan.report.table import render_table, spread_bars
from tests.report.sample import NASTY_TEXTS, nasty_report, sample_report

WIDTHS = [50, 60, 80, 100, 120, 200]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(report: Report, width: int, *, color: bool = False, encoding: str = "utf-8") -> str:
    return render_table(report, is_terminal=True, width=width, color=color, encoding=encoding)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_nothing_is_wider_than_the_terminal(width: int, encoding: str) -> None:
    lines = on_terminal(sample_report(), width, encoding=encoding).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)


@pytest.mark.parametrize("width", [20, 40, *WIDTHS])
def test_no_number_is_cut_and_no_word_of_a_label_lost(width: int) -> None:
    report = sample_report()
    text = on_terminal(report, width)
    assert "…" not in text
    words = text.split()
    for line in report.lines:
        shown = numbers.cell(line.value)
        assert shown in words or shown + "*" in words, line.id
        assert set(line.label.split()) <= set(words)


def test_columns_go_in_order_of_importance() -> None:
    columns = {
        width: [name for name in ("spread", "9 in 10", "grade", "middle half") if f" {name}" in head]
        for width in (45, 50, 60, 80, 100, 120)
        for head in [on_terminal(sample_report(), width).split("─")[0].replace("median", "")]
    }
    assert columns[120] == ["spread", "9 in 10", "grade", "middle half"]
    assert columns[100] == ["9 in 10", "grade", "middle half"]
    assert columns[80] == ["grade", "middle half"]
    assert columns[60] == ["middle half"]
    assert columns[45] == []


def test_what_was_dropped_is_named() -> None:
    text = on_terminal(sample_report(), 60)
    assert "a wider terminal also shows: grade, 9 in 10 (p5 – p95)" in text
    assert "no room for 2 more columns: fits, throughput from" in text
    assert "wider terminal" not in on_terminal(sample_report(), 120)


def test_a_pipe_gets_the_natural_width_and_no_colour() -> None:
    report = sample_report()
    long_label = "a label of a hundred and more characters " * 4
    report = replace(report, lines=(*report.lines, Line("long", long_label.strip(), 1.0, "W", grade="paper")))
    text = render_table(report, width=60)
    assert "\x1b" not in text
    assert long_label.strip() in text
    assert report.warnings[0].message in text
    assert "--explain" not in text  # hints are for people at a terminal


def test_colour_adds_only_styles() -> None:
    plain = on_terminal(sample_report(), 80)
    colored = on_terminal(sample_report(), 80, color=True)
    assert "\x1b[" in colored
    assert ANSI.sub("", colored) == plain


@pytest.mark.parametrize("report", [sample_report(), nasty_report()], ids=["sample", "nasty"])
def test_other_encodings_get_ascii(report: Report) -> None:
    assert render_table(report, is_terminal=True, width=80, encoding="ISO-8859-1").isascii()


def test_markup_is_printed_literally_and_controls_are_gone() -> None:
    text = render_table(nasty_report())
    for literal in (
        "[red]x[/red]",
        "[/x]",
        "<script>alert(1)</script>",
        "=1+1",
        "a|b|c",
        "usertxt.exe",
        "click",
    ):
        assert literal in text
    assert not set("\x1b\x07\x00\x7f\x9b\u202e\u200b\ufeff\ud800") & set(text)
    assert len(text.splitlines()) == len(render_table(nasty_report(), width=10).splitlines())


def test_hostile_labels_keep_to_the_width_where_they_can() -> None:
    text = on_terminal(nasty_report(), 80)
    for label in NASTY_TEXTS[:3]:
        assert label in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_wide_characters_are_measured_in_cells() -> None:
    lines = (Line("a", "漢字漢字漢字漢字", 1.0, "W"), Line("b", "ascii", 2.0, "W"))
    text = on_terminal(replace(sample_report(), lines=lines, tables=()), 60)
    rows = [line for line in text.splitlines() if line.endswith("W")]
    assert len({cell_len(row) for row in rows}) == 1


def test_the_mark_stands_on_assumptions_and_is_explained() -> None:
    text = render_table(sample_report())
    assert "0.205*" in text
    assert "1,300*" in text
    assert "* rests on an assumption: facility.wue_l_per_kwh" in text
    assert "-*" not in text
    assert "rests on" not in render_table(replace(sample_report(), lines=sample_report().lines[:3], tables=()))


def test_closing_counts() -> None:
    lines = render_table(sample_report()).splitlines()
    assert lines[-1] == (
        "9 lines: 1 measured, 1 datasheet, 3 paper, 2 estimate, 2 assumed * · 3 not modelled"
        " · 200,000 samples · seed 0 · catalog 2026.11"
    )


def test_hints_name_what_can_be_asked_next() -> None:
    text = on_terminal(sample_report(), 80)
    for hint in ("--explain energy_per_query_wh", "--table levers", "--format json|csv|md|html"):
        assert hint in text


def test_hidden_tables_are_printed_only_when_asked_for() -> None:
    assert "What would lower it" not in render_table(sample_report())
    alone = render_table(sample_report(), table="levers")
    assert alone.startswith("What would lower it (levers)\n")
    assert "Energy per query" not in alone
    with pytest.raises(InputError, match="no table"):
        render_table(sample_report(), table="lever5")


def test_one_table_explains_its_marks() -> None:
    assert render_table(sample_report(), table="models").endswith("* rests on an assumption\n")


def test_a_fixed_report_has_no_ranges_and_an_empty_one_still_prints() -> None:
    fixed = replace(sample_report(), lines=sample_report().lines[4:], samples=0)
    text = render_table(fixed)
    assert "middle half" not in text
    assert "samples" not in text
    empty = replace(fixed, lines=(), tables=(Table("t", "", (Column("a"),), ()),), warnings=(), not_modelled=())
    assert "no rows" in render_table(empty)
    assert "no lines" in render_table(empty)


def test_decimal_points_of_a_column_stand_in_one_place() -> None:
    table = Table("t", "t", (Column("x", "x", "W"),), ((0.5,), (12.25,), (3,), (1234.5,), (None,)))
    rows = render_table(replace(sample_report(), tables=(table,)), table="t").splitlines()[-5:]
    points = [row.index(".") if "." in row else len(row) for row in rows]
    assert len(set(points)) == 1


def test_nan_never_reaches_the_screen() -> None:
    bad = replace(sample_report(), lines=(Line("x", "x", float("nan"), "W"),))
    with pytest.raises(ValueError, match="line x"):
        render_table(bad)


class TestSpreadBars:
    def test_medians_stand_in_one_place(self) -> None:
        bars = spread_bars(sample_report().lines, unicode=True)
        assert {bar.index("┿") for bar in bars if bar} == {8}
        assert bars[4:] == [""] * 5

    def test_a_wider_spread_draws_a_longer_bar(self) -> None:
        narrow = Line("n", "n", 1.0, "W", 0.9, 0.95, 1.0, 1.05, 1.1)
        wide = Line("w", "w", 1.0, "W", 0.1, 0.5, 1.0, 2.0, 10.0)
        first, second = spread_bars([narrow, wide], unicode=False)
        assert second == "-----==|==-----"
        assert first.strip() == "|"

    def test_nothing_is_drawn_where_a_log_scale_means_nothing(self) -> None:
        negative = Line("n", "n", 0.0, "W", -1.0, -0.5, 0.0, 0.5, 1.0)
        certain = Line("c", "c", 1.0, "W", 1.0, 1.0, 1.0, 1.0, 1.0)
        assert spread_bars([negative], unicode=True) == [""]
        assert spread_bars([certain], unicode=True) == [""]


class TestFit:
    def test_numbers_overflow_rather_than_being_cut(self) -> None:
        column = DrawnColumn("n", ["123,456,789"], right=True)
        label = DrawnColumn("", ["some words to wrap here"])
        placed, dropped = fit([label, column], 10)
        assert [width for _, width in placed] == [12, 11]
        assert dropped == []

    def test_spare_room_goes_to_the_narrowest_wish_first(self) -> None:
        placed, _ = fit([DrawnColumn("", ["a " * 40]), DrawnColumn("", ["b " * 14])], 60)
        assert [width for _, width in placed] == [30, 28]

    def test_highest_rank_is_dropped_first(self) -> None:
        columns = [
            DrawnColumn(name, ["x" * 20], right=True, rank=rank) for name, rank in (("a", 0), ("b", 2), ("c", 1))
        ]
        _, dropped = fit(columns, 45)
        assert [column.head for column in dropped] == ["b"]
