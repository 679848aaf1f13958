"""How dark the cells of a heat map are, and what the shades mean: the same in every format.

Computed in decimals, as axes are: no range of numbers is too wide or too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aiplan.report.axes import FLAT, between, position
from aiplan.report.model import HeatMap
from aiplan.report.numbers import number

LEVELS = 5
"""Steps that a picture in characters can tell apart, and steps of the labels beside a colour bar."""
MOST_ROWS = 60
"""Rows of one picture, in any format."""
_PLAIN = Decimal("1e300")
"""Below it, a decimal is a float."""
_MOST_DIGITS = 9
"""Enough to tell levels apart in any range that is not drawn as one: see ``FLAT``."""
MIDDLE = 0.5
"""Where a value stands when all are the same."""


@dataclass(frozen=True, slots=True)
class Shades:
    """A heat map ready to be drawn.

    Attributes
    ----------
    places : by row, from 0 for the lowest value of all to 1 for the highest; None where there is none to draw
    texts : the same cells as numbers, rounded alike; empty where there is none
    edges : the ends of the ``LEVELS``, lowest first; a single one where all values are the same
    missing : words on cells that are not drawn, empty when all are
    """

    places: tuple[tuple[float | None, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    edges: tuple[str, ...]
    missing: tuple[str, ...]


def level(place: float) -> int:
    """Which of the ``LEVELS`` a place falls into.

    >>> level(0.0), level(0.2), level(1.0)
    (0, 1, 4)
    """
    return min(int(place * LEVELS), LEVELS - 1)


def _text(value: float | Decimal, digits: int | None) -> str:
    if abs(Decimal(value)) >= _PLAIN:
        return f"{Decimal(value):.{(digits or 3) - 1}e}"
    return number(float(value) if isinstance(value, Decimal) else value, digits)


def _edges(low: Decimal, high: Decimal, log: bool) -> tuple[tuple[str, ...], int | None]:
    """Values between the levels and at their ends, in as many digits as tell them apart."""
    if high - low <= max(abs(low), abs(high)) * FLAT:
        return (_text(low, None),), None
    a, b = (low.log10(), high.log10()) if log else (low, high)
    inner = [a + (b - a) * step / LEVELS for step in range(1, LEVELS)]
    values = [low, *(Decimal(10) ** power if log else power for power in inner), high]
    for digits in (None, *range(4, _MOST_DIGITS + 1)):
        texts = tuple(_text(value, digits) for value in values)
        if len(set(texts)) == len(texts):
            break
    return texts, digits


def shades(heat: HeatMap) -> Shades | None:
    """Places and texts of all cells; None when there is none to draw.

    On a ``log`` scale a value at or below zero has no place.
    """
    log = heat.value.log
    given = [value for row in heat.cells for value in row if value is not None]
    every = [position(value, log=False) for value in given if value > 0 or not log]
    if not every:
        return None
    low, high = min(every), max(every)
    edges, digits = _edges(low, high, log)
    ends = (low.log10(), high.log10()) if log else (low, high)

    def place(value: float | None) -> float | None:
        if value is None or (log and value <= 0):
            return None
        exact = position(value, log=False)
        return between(*ends, exact.log10() if log else exact) if len(edges) > 1 else MIDDLE

    def text(value: float | None) -> str:
        return "" if value is None or (log and value <= 0) else _text(value, digits)

    blank, below = sum(map(len, heat.cells)) - len(given), len(given) - len(every)
    words = [f"blank: {blank:,d} cell{'s' * (blank > 1)} without a value"] * (blank > 0)
    words += [f"blank: {below:,d} cell{'s' * (below > 1)} at or below zero, no place on a log scale"] * (below > 0)
    places = tuple(tuple(map(place, row)) for row in heat.cells)
    return Shades(places, tuple(tuple(map(text, row)) for row in heat.cells), edges, tuple(words))


def room_for(heat: HeatMap, columns: int) -> tuple[int, int, tuple[str, ...]]:
    """How many rows and columns are drawn where ``columns`` have room, and words on the others."""
    kept = (min(len(heat.rows), MOST_ROWS), min(len(heat.columns), columns))
    pairs = zip(kept, (len(heat.rows), len(heat.columns)), ("rows", "columns"), strict=True)
    words = [f"{whole - part:,d} of {whole:,d} {name}" for part, whole, name in pairs if part < whole]
    return *kept, (f"left out for want of room: {' and '.join(words)}",) * bool(words)
