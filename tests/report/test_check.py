"""The checks a planner's tests run on its report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiplan.report.check import problems, require_numbers
from aiplan.report.model import (
    Axis,
    Bars,
    Chart,
    Column,
    HeatMap,
    InputRecord,
    Line,
    Mark,
    Report,
    Segment,
    Series,
    Table,
)
from tests.report.sample import charted_report, nasty_report, pictured_report, sample_report


def test_a_sound_report_has_one_known_gap() -> None:
    # The sample cites its own scenario file, which is not a source with a title.
    assert problems(sample_report()) == ["line water_per_query_ml: no title of source scenario.toml:14"]
    assert problems(charted_report()) == problems(sample_report())
    assert problems(pictured_report()) == problems(sample_report())
    require_numbers(nasty_report())


def broken(**changes: object) -> Report:
    base = replace(sample_report(), lines=sample_report().lines[:3])
    return replace(base, **changes)  # type: ignore[arg-type]


def chart(*series: Series, marks: tuple[Mark, ...] = (), table: str = "models") -> Report:
    return broken(charts=(Chart("c", "c", Axis("x"), Axis("y"), series, marks, table),))


def heat_map(*cells: tuple[float | None, ...], log: bool = False, table: str = "models") -> Report:
    axis = Axis("a", log=log)
    return broken(charts=(HeatMap("h", "h", axis, Axis("y"), ("a", "b"), ("r",), cells, Axis("v"), table),))


def bars(*segments: Segment, marks: tuple[Mark, ...] = (), log: bool = False, table: str = "models") -> Report:
    return broken(charts=(Bars("b", "b", Axis("v", log=log), ("x", "y"), segments, marks, table),))


PAIR = Segment("s", (1.0, None))
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
        (heat_map(), "heat map h: no values"),
        (heat_map((None, None)), "heat map h: no values"),
        (heat_map((1.0, 2.0), (3.0, 4.0)), "heat map h: 2 rows of cells for 1 names"),
        (heat_map((1.0,)), "heat map h, row 0: 1 cells for 2 columns"),
        (heat_map((1.0, 2.0), log=True), "heat map h: names of rows and columns cannot be on a log axis"),
        (heat_map((1.0, 2.0), table="model"), "heat map h: no table model"),
        (heat_map((1.0, float("nan"))), "heat map h, row 0, column 1: nan is not a finite number"),
        (heat_map((1.0, "2")), "heat map h, row 0, column 1: str is not a plain number"),  # type: ignore[arg-type]
        (broken(charts=heat_map((1.0, 2.0)).charts * 2), "chart h appears 2 times"),
        (bars(), "bars b: no values"),
        (bars(Segment("s", (None, None))), "bars b: no values"),
        (bars(PAIR, Segment("t", (1.0,))), "bars b, segment t: 1 values for 2 bars"),
        (bars(PAIR, log=True), "bars b: parts of a whole cannot be on a log axis"),
        (bars(PAIR, table="model"), "bars b: no table model"),
        (bars(PAIR, marks=(Mark(1.0, "m", "y"),)), "bars b: no axis y"),
        (bars(PAIR, marks=(Mark(float("inf"), "m"),)), "bars b, mark m: inf is not a finite number"),
        (bars(Segment("s", (1.0, -1.0))), "bars b, segment s, bar 1: -1.0 is below zero"),
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
