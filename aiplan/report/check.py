"""Is a Report fit to be printed? Rendering refuses what is not a number; planners' tests ask for all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from aiplan.report.model import GRADES, Bars, Chart, HeatMap, Line, Picture, Report

QUANTILES = ("p5", "p25", "p50", "p75", "p95")


def _values(report: Report) -> Iterator[tuple[str, object]]:
    """Every number of a report with the words that locate it."""
    for line in report.lines:
        for name in ("value", *QUANTILES, "mean"):
            yield f"line {line.id}, {name}", getattr(line, name)
        for effect in line.effects:
            yield f"line {line.id}, effects", effect
    for table in report.tables:
        ids = [column.id for column in table.columns]
        for index, row in enumerate(table.rows):
            for column_id, value in zip(ids, row, strict=False):
                yield f"table {table.id}, row {index}, column {column_id}", value
    for record in report.inputs:
        yield f"input {record.path}", record.value


def _coordinates(chart: Chart) -> Iterator[tuple[str, object]]:
    for series in chart.series:
        for name, values in (("x", series.x), ("y", series.y)):
            yield from ((f"chart {chart.id}, series {series.label}, {name}[{i}]", v) for i, v in enumerate(values))
    yield from ((f"chart {chart.id}, mark {mark.label}", mark.value) for mark in chart.marks)


def _cells(heat: HeatMap) -> Iterator[tuple[str, object]]:
    for row, values in enumerate(heat.cells):
        where = f"heat map {heat.id}, row {row}"
        yield from ((f"{where}, column {i}", value) for i, value in enumerate(values) if value is not None)


def _lengths(bars: Bars) -> Iterator[tuple[str, object]]:
    for segment in bars.segments:
        where = f"bars {bars.id}, segment {segment.label}"
        yield from ((f"{where}, bar {i}", value) for i, value in enumerate(segment.values) if value is not None)
    yield from ((f"bars {bars.id}, mark {mark.label}", mark.value) for mark in bars.marks)


def _require_drawable(picture: Picture) -> None:
    """Numbers of a picture: no text; None only where a heat map or a bar has no value; lengths not below zero."""
    if isinstance(picture, Chart):
        found = _coordinates(picture)
    else:
        found = _cells(picture) if isinstance(picture, HeatMap) else _lengths(picture)
    for where, value in found:
        _require_finite(where, value, "a plain number")
        if isinstance(picture, Bars) and isinstance(value, float | int) and value < 0:
            raise ValueError(f"{where}: {value} is below zero, and no part of a stacked bar can be")


def _require_finite(where: str, value: object, kinds: str) -> None:
    if not isinstance(value, float | int):
        raise ValueError(f"{where}: {type(value).__name__} is not {kinds}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}: {value} is not a finite number")


def require_numbers(report: Report) -> None:
    """Raise ValueError naming the first NaN, infinity or foreign type; a renderer must never print one.

    The same for a part of a stacked bar, or a limit of it, that is below zero: it cannot be drawn.
    A planner that hands over NaN, or a numpy integer that JSON cannot write, has a bug: exit code 1.
    """
    for where, value in _values(report):
        if value is not None and not isinstance(value, str):
            _require_finite(where, value, "a plain number, text or None")
    for picture in report.charts:
        _require_drawable(picture)


def _repeated(kind: str, ids: list[str]) -> list[str]:
    return [f"{kind} {name} appears {count} times" for name, count in Counter(ids).items() if count > 1]


def _line_problems(line: Line, known: set[str], sources: set[str]) -> Iterator[str]:
    quantiles = [value for name in QUANTILES if (value := getattr(line, name)) is not None]
    if quantiles and len(quantiles) < len(QUANTILES):
        yield f"line {line.id}: some quantiles are missing"
    if quantiles != sorted(quantiles):
        yield f"line {line.id}: quantiles fall"
    if line.grade not in GRADES:
        yield f"line {line.id}: unknown grade {line.grade}"
    if line.effects and len(line.effects) != len(line.inputs):
        yield f"line {line.id}: {len(line.inputs)} inputs but {len(line.effects)} effects"
    yield from (f"line {line.id}: no record of input {path}" for path in line.inputs if path not in known)
    yield from (f"line {line.id}: no title of source {name}" for name in line.sources if name not in sources)


def _chart_problems(chart: Chart) -> Iterator[str]:
    if not any(series.x for series in chart.series):
        yield f"chart {chart.id}: no points"
    for series in chart.series:
        where = f"chart {chart.id}, series {series.label}"
        if len(series.x) != len(series.y):
            yield f"{where}: {len(series.x)} x but {len(series.y)} y"
        if series.notes and len(series.notes) != len(series.x):
            yield f"{where}: {len(series.notes)} notes for {len(series.x)} points"
        if series.style not in ("line", "points", "steps"):
            yield f"{where}: unknown style {series.style}"
    yield from (f"chart {chart.id}: no axis {mark.axis}" for mark in chart.marks if mark.axis not in ("x", "y"))


def _heat_map_problems(heat: HeatMap) -> Iterator[str]:
    where = f"heat map {heat.id}"
    if not any(value is not None for row in heat.cells for value in row):
        yield f"{where}: no values"
    if len(heat.cells) != len(heat.rows):
        yield f"{where}: {len(heat.cells)} rows of cells for {len(heat.rows)} names"
    for index, row in enumerate(heat.cells):
        if len(row) != len(heat.columns):
            yield f"{where}, row {index}: {len(row)} cells for {len(heat.columns)} columns"
    if heat.x.log or heat.y.log:
        yield f"{where}: names of rows and columns cannot be on a log axis"


def _bars_problems(bars: Bars) -> Iterator[str]:
    where = f"bars {bars.id}"
    if not any(value is not None for segment in bars.segments for value in segment.values):
        yield f"{where}: no values"
    for segment in bars.segments:
        if len(segment.values) != len(bars.bars):
            yield f"{where}, segment {segment.label}: {len(segment.values)} values for {len(bars.bars)} bars"
    if bars.value.log:
        yield f"{where}: parts of a whole cannot be on a log axis"
    yield from (f"{where}: no axis {mark.axis}" for mark in bars.marks if mark.axis != "x")


def _picture_problems(picture: Picture, tables: set[str]) -> Iterator[str]:
    kind = {Chart: "chart", HeatMap: "heat map", Bars: "bars"}[type(picture)]
    if picture.table and picture.table not in tables:
        yield f"{kind} {picture.id}: no table {picture.table}"
    if isinstance(picture, Chart):
        yield from _chart_problems(picture)
    elif isinstance(picture, HeatMap):
        yield from _heat_map_problems(picture)
    else:
        yield from _bars_problems(picture)


def problems(report: Report) -> list[str]:
    """Everything inconsistent in a report, in words; an empty list is what a planner's test asserts.

    Looks at numbers, repeated ids, quantiles out of order, unknown grades, effects that do not match inputs,
    inputs without a record, sources without a title, rows or marks that do not fit their table, and pictures
    without values, of uneven series, rows or segments, or of a table that is not there.
    """
    found = _repeated("line", [line.id for line in report.lines])
    found += _repeated("table", [table.id for table in report.tables])
    found += _repeated("input", [record.path for record in report.inputs])
    known = {record.path for record in report.inputs} | {line.id for line in report.lines}
    for line in report.lines:
        found += _line_problems(line, known, set(report.sources))
    for record in report.inputs:
        if record.grade not in GRADES:
            found.append(f"input {record.path}: unknown grade {record.grade}")
    for table in report.tables:
        ids = [column.id for column in table.columns]
        found += _repeated(f"table {table.id}: column", ids)
        found += [
            f"table {table.id}, row {index}: {len(row)} cells for {len(ids)} columns"
            for index, row in enumerate(table.rows)
            if len(row) != len(ids)
        ]
        found += [
            f"table {table.id}: mark on a cell that is not there: row {index}, column {column_id}"
            for index, column_id in sorted(table.assumed)
            if column_id not in ids or not 0 <= index < len(table.rows)
        ]
    found += _repeated("chart", [chart.id for chart in report.charts])
    tables = {table.id for table in report.tables}
    found += [problem for picture in report.charts for problem in _picture_problems(picture, tables)]
    try:
        require_numbers(report)
    except ValueError as error:
        found.append(str(error))
    return found
