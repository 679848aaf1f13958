"""Numbers as text: rounded for people, shortest exact form for machines; same value, same text."""

from __future__ import annotations

import math

from aiplan.report.model import Cell

MISSING = "-"
"""What people see where a number is missing."""

SMALL_DIGITS = 3
LARGE_DIGITS = 4
LARGE_FROM = 1000.0
EXPONENT_BELOW = 1e-4
EXPONENT_FROM = 1e15


def _exact_digits(value: float) -> int:
    """Significant digits of the shortest decimal that reads back as ``value``."""
    mantissa = float.__repr__(abs(value)).partition("e")[0]
    return len(mantissa.replace(".", "").strip("0")) or 1


def number(value: float | int | None, digits: int | None = None) -> str:
    """A number for people: rounded to significant digits, with thousands separators.

    Integers are counts and stay exact. Other numbers keep ``digits`` significant digits: 3, or 4 from 1000
    on. A number that needs fewer is not padded: ``1.3`` stays ``1.3`` while ``1.2999`` becomes ``1.30``.
    An exponent appears only below 1e-4 and from 1e15 on.

    Raises ValueError for NaN and infinity.

    >>> [number(x) for x in (0.30814, 1.3, 1.2999, 4572.23, 25150.03, 1_000_000_000, 3.2e-7, -0.0, None)]
    ['0.308', '1.3', '1.30', '4,572', '25,150', '1,000,000,000', '3.2e-7', '0', '-']
    """
    if value is None:
        return MISSING
    if isinstance(value, int):
        return f"{value:,d}"
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {value}")
    if value == 0:
        return "0"
    if digits is None:
        digits = SMALL_DIGITS if abs(value) < LARGE_FROM else LARGE_DIGITS
    digits = min(digits, _exact_digits(value))
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    exponent = int(power)
    if abs(value) < EXPONENT_BELOW or abs(value) >= EXPONENT_FROM:
        return f"{mantissa}e{exponent}"
    return f"{float(f'{mantissa}e{exponent}'):,.{max(0, digits - 1 - exponent)}f}"


def cell(value: Cell, digits: int | None = None) -> str:
    """Any cell for people: numbers as ``number`` writes them, booleans as yes and no, text unchanged.

    >>> cell(True), cell("dgx-h100"), cell(None)
    ('yes', 'dgx-h100', '-')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return number(value, digits)


def with_unit(value: Cell, unit: str | None, digits: int | None = None) -> str:
    """A cell followed by its unit; a missing value shows no unit.

    >>> with_unit(0.30814, "Wh"), with_unit(None, "Wh"), with_unit(1.3, None)
    ('0.308 Wh', '-', '1.3')
    """
    text = cell(value, digits)
    return text if value is None or not unit else f"{text} {unit}"


def interval(low: float | None, high: float | None, dash: str = "-") -> str:
    """A range for people, both ends rounded alike; missing when either end is.

    >>> interval(0.16234, 0.60712), interval(None, 2.0)
    ('0.162 - 0.607', '-')
    """
    if low is None or high is None:
        return MISSING
    return f"{number(low)} {dash} {number(high)}"


def effect(change: float) -> str:
    """A relative change in percent with its sign.

    >>> effect(0.1), effect(-0.0456), effect(0.0), effect(2e-5)
    ('+10.0 %', '-4.6 %', '0 %', '+<0.1 %')
    """
    if change == 0:
        return "0 %"
    sign = "+" if change > 0 else "-"
    percent = abs(change) * 100
    return f"{sign}<0.1 %" if percent < 0.05 else f"{sign}{percent:,.1f} %"


def shortest(value: Cell) -> str:
    """A cell for machines: the shortest text that reads back as the same number; empty where missing.

    >>> [shortest(x) for x in (0.1, 3, 1e-07, True, None, "text")]
    ['0.1', '3', '1e-07', 'true', '', 'text']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"not a finite number: {value}")
        return float.__repr__(value)
    return str(value)
