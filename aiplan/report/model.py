"""What a planner hands to the door out: lines, tables, charts, warnings and where every input came from.

Numbers here are final: renderers format, they never compute. A missing number is ``None``, never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Cell = float | int | bool | str | None

GRADES = ("measured", "datasheet", "paper", "vendor_claim", "estimate", "assumption")
"""Grades of evidence, best first."""


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One input as it was used: what ``--explain`` and the assumption marks are made from.

    Attributes
    ----------
    path : dotted path in the scenario or catalog, e.g. ``facility.pue``
    label : the field's name for people
    value : number (median where uncertain), text or None
    unit : unit of ``value``, None when it has none
    distribution : text of the distribution, empty for a fixed number
    grade, evidence : how good the number is and how it was seen (published, second-hand, ...)
    sources : ids of the catalog's sources, or ``file:line`` of the scenario
    """

    path: str
    label: str
    value: Cell
    unit: str | None = None
    distribution: str = ""
    grade: str = "assumption"
    evidence: str = "published"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """The smallest unit of a result.

    ``value`` is the median of a sampled quantity unless the label says mean; the quantile fields are None for
    a quantity that was not sampled. ``inputs`` are paths of the records that move the line (largest effect
    first) and ``effects`` how far each moves it when raised by a tenth (a relative change, aligned with
    ``inputs``).
    """

    id: str
    label: str
    value: Cell
    unit: str | None
    p5: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p95: float | None = None
    mean: float | None = None
    grade: str = "assumption"
    sources: tuple[str, ...] = ()
    formula: str = ""
    inputs: tuple[str, ...] = ()
    effects: tuple[float, ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether the line carries quantiles."""
        return self.p50 is not None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its id carries the unit, ``label`` and ``unit`` are for people.

    ``keep`` marks what a reader came for: it stays on a narrow terminal while others make room.
    """

    id: str
    label: str = ""
    unit: str | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Flat records: one spreadsheet sheet, one CSV.

    ``assumed`` holds (row index, column id) of cells that rest on an assumption and get a mark on screen.
    ``shown`` says whether the table format prints it without being asked (``--table`` prints any).
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    assumed: frozenset[tuple[int, str]] = frozenset()
    shown: bool = True

    def records(self) -> list[dict[str, Cell]]:
        """Rows as dictionaries keyed by column id."""
        ids = [column.id for column in self.columns]
        return [dict(zip(ids, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a picture. A value at or below zero has no place where ``log`` is set: it is left out and counted."""

    label: str
    unit: str | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a chart under one name, in the order in which a line joins them.

    Attributes
    ----------
    label : name in the legend; empty for a series that needs none
    x, y : coordinates in the units of the axes, equally many
    style : joined by a line, single points, or steps (each y holds until the next x)
    notes : a name for each point, or none at all; an empty one names nothing
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    style: Literal["line", "points", "steps"] = "line"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A limit drawn across a chart at ``value`` of an axis, such as an SLO; the label says what is limited."""

    value: float
    label: str
    axis: Literal["x", "y"] = "x"


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of numbers that stand in a table too; ``table`` is the id of that table."""

    id: str
    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    table: str = ""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One number per row and column, drawn as colours or shades; ``table`` is the id of the table that has it too.

    Attributes
    ----------
    x, y : what columns and rows are, such as hour and month; never ``log``
    columns, rows : their names, from left to right and from top to bottom
    cells : values by row, each row as long as ``columns``; None where there is none
    value : what the numbers are; the shades are spaced by powers where ``log``
    """

    id: str
    title: str
    x: Axis
    y: Axis
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    value: Axis
    table: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of every bar under one name: values in the order of the bars, zero or more, None where not known."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars, the parts of each end to end from zero; ``table`` is the id of the table that has them too.

    Attributes
    ----------
    value : what the bars measure; never ``log``
    bars : names of the bars from top to bottom
    segments : parts in the order in which they are stacked
    marks : limits of the value, across all bars, zero or more
    """

    id: str
    title: str
    value: Axis
    bars: tuple[str, ...]
    segments: tuple[Segment, ...]
    marks: tuple[Mark, ...] = ()
    table: str = ""


Picture = Chart | HeatMap | Bars
"""What a report draws: every number in it stands in a table too."""


@dataclass(frozen=True, slots=True)
class Warn:
    """Something the reader must know to use the numbers: not an error."""

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """A named input file with the hash of what was resolved from it."""

    name: str
    sha256: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished answer, ready for any renderer.

    ``headline`` is one sentence a newcomer can quote; ``context`` are (label, text) pairs printed above the
    tables: boundary, models, server, date of the data.
    """

    planner: str
    title: str
    headline: str
    scenario: Origin
    catalog: Origin
    seed: int
    samples: int
    lines: tuple[Line, ...]
    tables: tuple[Table, ...] = ()
    warnings: tuple[Warn, ...] = ()
    not_modelled: tuple[str, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    context: tuple[tuple[str, str], ...] = ()
    boundary: str | None = None
    stamp: str | None = None
    charts: tuple[Picture, ...] = ()

    def line(self, line_id: str) -> Line:
        """The line with this id; KeyError when there is none."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise KeyError(line_id)

    def table(self, table_id: str) -> Table:
        """The table with this id; KeyError when there is none."""
        for table in self.tables:
            if table.id == table_id:
                return table
        raise KeyError(table_id)


def worst_grade(grades: list[str] | tuple[str, ...]) -> str:
    """The weakest of several grades; ``measured`` for an empty list, so that it is the neutral element."""
    return max(grades, key=GRADES.index, default=GRADES[0])
