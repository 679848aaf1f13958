"""Where the parts of stacked bars stand on their axis: the same in every format.

Sums are decimal and used for places only; what is printed is each part as it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise

from aiplan.report.axes import Scale, between, linear, position
from aiplan.report.model import Bars, Mark

MOST_BARS = 40
"""Bars of one picture, in any format."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar, drawn from one place of the axis to the next; ``index`` is that of its segment."""

    index: int
    value: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Stack:
    """Bars ready to be drawn along an axis that begins at zero.

    ``bars`` are the parts of each bar that have a value, ``whole`` says of each whether all of them have one, and
    ``marks`` are limits with their places. ``left_out`` says in words what is not drawn, empty when all is.
    """

    scale: Scale
    bars: tuple[tuple[Part, ...], ...]
    whole: tuple[bool, ...]
    marks: tuple[tuple[Mark, float], ...]
    left_out: tuple[str, ...]


def stack(bars: Bars, ticks: int) -> Stack | None:
    """Stacked bars on their axis, with as many ticks at most; None when no bar has a value.

    Values and marks are zero or more, as `aiplan.report.check` asks. Bars beyond ``MOST_BARS`` are left out.
    """
    shown = min(len(bars.bars), MOST_BARS)
    columns = [[segment.values[index] for segment in bars.segments] for index in range(shown)]
    known = [[(index, value) for index, value in enumerate(values) if value is not None] for values in columns]
    if not any(known):
        return None
    ends = [list(accumulate((position(value, log=False) for _, value in parts), initial=Decimal(0))) for parts in known]
    tops = [Decimal(0), *(end[-1] for end in ends), *(position(mark.value, log=False) for mark in bars.marks)]
    scale = linear(min(tops), max(tops), ticks)
    drawn = []
    for parts, bounds in zip(known, ends, strict=True):
        places = [between(scale.low, scale.high, bound) for bound in bounds]
        drawn.append(tuple(Part(*part, *pair) for part, pair in zip(parts, pairwise(places), strict=True)))
    whole = tuple(len(parts) == len(bars.segments) for parts in known)
    missing = len(bars.segments) * shown - sum(map(len, known))
    words = [f"left out: {len(bars.bars) - shown:,d} of {len(bars.bars):,d} bars"] * (shown < len(bars.bars))
    words += [f"?: {missing:,d} part{'s' * (missing > 1)} without a value"] * (missing > 0)
    places_of_marks = tuple((mark, scale.place(mark.value)) for mark in bars.marks)
    return Stack(scale, tuple(drawn), whole, places_of_marks, tuple(words))
