"""Where the values of a chart stand on its axes: round ticks and places from 0 to 1, the same in every format.

Computed in decimals: ticks are exact, and no range of numbers is too wide or too narrow to be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from aiplan.report.model import Axis, Chart, Mark, Series

FLAT = Decimal("1e-6")
"""A relative range below which values are drawn as one."""
PLAIN_FROM, PLAIN_TO = -5, 7
"""Powers of ten between which a tick is written without an exponent."""
_LOG_STEPS = (1, 2, 5)
_EPSILON = Decimal("1e-9")
"""How far, in steps, a value may lie beyond a tick and still be taken to stand on it: rounding in what came before."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, 0 at its low and 1 at its high end."""

    label: str
    place: float


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis with its ends (powers of ten where ``log``) and ticks; ``even`` when ticks divide it evenly."""

    low: Decimal
    high: Decimal
    log: bool
    ticks: tuple[Tick, ...]
    even: bool

    def place(self, value: float) -> float:
        """Where a value stands: 0 at the low and 1 at the high end."""
        return between(self.low, self.high, position(value, self.log))


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a series on the unit square, with its note."""

    x: float
    y: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A chart ready to be drawn on the unit square.

    ``series`` are the points of each series of the chart, ``marks`` its marks with their places. ``left_out``
    says in words what has no place, empty when all has one.
    """

    x: Scale
    y: Scale
    series: tuple[tuple[Point, ...], ...]
    marks: tuple[tuple[Mark, float], ...]
    left_out: str


def caption(axis: Axis) -> str:
    """An axis's name with its unit.

    >>> caption(Axis("time per token", "ms")), caption(Axis("GPUs"))
    ('time per token (ms)', 'GPUs')
    """
    return f"{axis.label} ({axis.unit})" if axis.unit else axis.label


def position(value: float, log: bool) -> Decimal:
    """A value as it counts along an axis, exact, or its power of ten where ``log``."""
    if log:
        return Decimal(math.log10(value))
    # The shortest decimal that reads back as the value: 0.1 is to be a tenth, not a little more.
    return Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)


def between(low: Decimal, high: Decimal, value: Decimal) -> float:
    """Where a position stands: 0 at ``low`` and 1 at ``high``."""
    return float((value - low) / (high - low))


def _label(value: Decimal, *, plain: bool, grouped: bool = True) -> str:
    """A tick as people write it, exact: ``0.25``, ``2,000`` or, where that would be long, ``2.5e7``."""
    if plain:
        return f"{value:,f}" if grouped else f"{value:f}"
    if not value:
        return "0"
    power = value.adjusted()
    return f"{value.scaleb(-power).normalize():f}e{power}"


def linear(low: Decimal, high: Decimal, most: int, *, year: bool = False) -> Scale:
    """The axis from a round number at or below ``low`` to one at or above ``high``; years are whole."""
    if high - low <= max(abs(low), abs(high)) * FLAT:
        pad = max(abs(low), abs(high)) / 2
        low, high = (low - pad, high + pad) if pad else (Decimal(0), Decimal(1))
    power = ((high - low) / (most - 1)).adjusted()
    steps = [Decimal(digit).scaleb(power + more) for more in (0, 1) for digit in _LOG_STEPS]
    for step in [Decimal(1)] * year + steps:
        first = (low / step + _EPSILON).to_integral_value(ROUND_FLOOR)
        last = (high / step - _EPSILON).to_integral_value(ROUND_CEILING)
        if last - first < most and not (year and step < 1):
            break
    values = [step * (first + index) for index in range(int(last - first) + 1)]
    low, high = values[0], values[-1]
    plain = step.adjusted() > PLAIN_FROM and max(abs(low), abs(high)).adjusted() < PLAIN_TO
    ticks = [Tick(_label(value, plain=plain, grouped=not year), between(low, high, value)) for value in values]
    return Scale(low, high, False, tuple(ticks), even=True)


def _log(low: Decimal, high: Decimal, most: int) -> Scale:
    decades = range(math.floor(low) - 1, math.ceil(high) + 2)
    steps = [(digit, power, Decimal(math.log10(digit)) + power) for power in decades for digit in _LOG_STEPS]
    below = [place for _, _, place in steps if place <= low + _EPSILON]
    above = [place for _, _, place in steps if place >= high - _EPSILON]
    if below[-1] == above[0]:
        below, above = below[:-1], above[1:]
    low, high = below[-1], above[0]
    inside = [step for step in steps if low <= step[2] <= high]
    for every in (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500):
        kept = [step for step in inside if not every or (step[0] == 1 and step[1] % every == 0)]
        if len(kept) <= most:
            break
    ticks = []
    for digit, power, place in kept:
        text = _label(Decimal(digit).scaleb(power), plain=PLAIN_FROM < power < PLAIN_TO)
        ticks.append(Tick(text, between(low, high, place)))
    return Scale(low, high, True, tuple(ticks), even=False)


def make_scale(axis: Axis, values: Iterable[float], most: int) -> Scale:
    """The axis that holds all values, which must be above zero where it is logarithmic.

    Parameters
    ----------
    most : as many ticks at most, 3 or more

    >>> [tick.label for tick in make_scale(Axis("time", "s"), (0.3, 1.9), 6).ticks]
    ['0.0', '0.5', '1.0', '1.5', '2.0']
    >>> [tick.label for tick in make_scale(Axis("rate", "1/s", log=True), (3, 40_000), 6).ticks]
    ['10', '100', '1,000', '10,000']
    """
    positions = [position(value, axis.log) for value in values]
    low, high = min(positions), max(positions)
    return _log(low, high, most) if axis.log else linear(low, high, most, year=axis.label.casefold() == "year")


def _placed(chart: Chart, x: float, y: float) -> bool:
    return (x > 0 or not chart.x.log) and (y > 0 or not chart.y.log)


def _kept(chart: Chart, series: Series) -> list[tuple[float, float, str]]:
    notes = series.notes or ("",) * len(series.x)
    return [point for point in zip(series.x, series.y, notes, strict=True) if _placed(chart, point[0], point[1])]


def _left_out(points: int, marks: int) -> str:
    counts = [(points, "point"), (marks, "limit")]
    parts = [f"{count} {name}{'s' * (count > 1)}" for count, name in counts if count]
    if not parts:
        return ""
    return f"left out: {' and '.join(parts)} at or below zero, where a log axis has no place"


def frame(chart: Chart, x_ticks: int, y_ticks: int) -> Frame | None:
    """A chart on the unit square, with as many ticks at most; None when it has no point to draw."""
    points = [_kept(chart, series) for series in chart.series]
    every = [point for kept in points for point in kept]
    if not every:
        return None
    marks = [mark for mark in chart.marks if mark.value > 0 or not (chart.x if mark.axis == "x" else chart.y).log]
    limits: dict[str, list[float]] = {name: [m.value for m in marks if m.axis == name] for name in ("x", "y")}
    x = make_scale(chart.x, [*(point[0] for point in every), *limits["x"]], x_ticks)
    y = make_scale(chart.y, [*(point[1] for point in every), *limits["y"]], y_ticks)
    drawn = [tuple(Point(x.place(a), y.place(b), note) for a, b, note in kept) for kept in points]
    places = [(mark, (x if mark.axis == "x" else y).place(mark.value)) for mark in marks]
    given = sum(len(series.x) for series in chart.series)
    return Frame(x, y, tuple(drawn), tuple(places), _left_out(given - len(every), len(chart.marks) - len(marks)))


def notes_to_show(points: Sequence[Sequence[Point]], most: int) -> bool:
    """Whether a chart has so few notes that they can stand beside their points."""
    return sum(bool(point.note) for series in points for point in series) <= most
