"""The checks a planner's tests run on its report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiplan.report.check import problems, require_numbers
from aiplan.report.model import Axis, Chart, Column, InputRecord, Line, Mark, Report, Series, Table
from tests.report.sample import charted_report, nasty_report, sample_report


def test_a_sound_report_has_one_known_gap() -> None:
    # The sample cites its own scenario file, which is not a source with a title.
    assert problems(sample_report()) == ["line water_per_query_ml: no title of source scenario.toml:14"]
    assert problems(charted_report()) == problems(sample_report())
    require_numbers(nasty_report())


def broken(**changes: object) -> Report:
    base = replace(sample_report(), lines=sample_report().lines[:3])
    return replace(base, **changes)  # type: ignore[arg-type]


def chart(*series: Series, marks: tuple[Mark, ...] = (), table: str = "models") -> Report:
    return broken(charts=(Chart("c", "c", Axis("x"), Axis("y"), series, marks, table),))


DOT = Series("s", (1.0,), (2.0,))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (chart(), "chart c: no points"),
        (chart(Series("s", (), ())), "chart c: no points"),
        (chart(DOT, table="model"), "chart c: no table model"),
        (chart(Series("s", (1.0, 2.0), (1.0,))), "series s: 2 x but 1 y"),
        (chart(replace(DOT, notes=("a", "b"))), "series s: 2 notes for 1 points"),
        (chart(replace(DOT, style="bars")), "series s: unknown style bars"),  # type: ignore[arg-type]
        (chart(DOT, marks=(Mark(1.0, "m", "z"),)), "chart c: no axis z"),  # type: ignore[arg-type]
        (broken(charts=chart(DOT).charts * 2), "chart c appears 2 times"),
        (chart(replace(DOT, y=(float("nan"),))), "chart c, series s, y[0]: nan is not a finite number"),
        (chart(replace(DOT, x=(None,))), "chart c, series s, x[0]: NoneType is not a plain number"),  # type: ignore[arg-type]
        (chart(DOT, marks=(Mark(float("inf"), "m"),)), "chart c, mark m: inf is not a finite number"),
        (broken(lines=(Line("a", "a", 1, None), Line("a", "a", 2, None))), "line a appears 2 times"),
        (broken(lines=(Line("a", "a", 1.0, None, p5=1.0, p50=2.0),)), "some quantiles are missing"),
        (broken(lines=(Line("a", "a", 1.0, None, 3.0, 2.0, 1.0, 1.0, 1.0),)), "quantiles fall"),
        (broken(lines=(Line("a", "a", 1.0, None, grade="guess"),)), "unknown grade guess"),
        (
            broken(lines=(Line("a", "a", 1.0, None, inputs=("facility.pue",), effects=(0.1, 0.2)),)),
            "2 effects",
        ),
        (broken(lines=(Line("a", "a", 1.0, None, inputs=("no.where",)),)), "no record of input no.where"),
        (broken(lines=(Line("a", "a", 1.0, None, sources=("x",)),)), "no title of source x"),
        (broken(inputs=(InputRecord("p", "p", 1.0, grade="?"),) * 2), "input p appears 2 times"),
        (broken(tables=(Table("t", "t", (Column("a"), Column("a")), ()),)), "column a appears 2 times"),
        (broken(tables=(Table("t", "t", (Column("a"),), ((1, 2),)),)), "2 cells for 1 columns"),
        (
            broken(tables=(Table("t", "t", (Column("a"),), ((1,),), frozenset({(1, "a")})),)),
            "mark on a cell that is not there: row 1, column a",
        ),
        (broken(lines=(Line("a", "a", float("nan"), None),)), "not a finite number"),
    ],
)
def test_each_problem_is_said(report: Report, said: str) -> None:
    assert any(said in problem for problem in problems(report))
