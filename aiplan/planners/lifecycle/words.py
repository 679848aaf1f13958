"""Numbers in sentences: years, counts, and amounts that are enough when they are followed."""

from __future__ import annotations

import math

ROUNDING = 1e-12
"""Relative error of a computed number that does not count."""
DIGITS = 4


def year_text(year: float) -> str:
    """A time as a calendar year with two decimals at most: a name, not an amount.

    >>> year_text(2021.25), year_text(2026.0), year_text(2024 + 1 / 3)
    ('2021.25', '2026', '2024.33')
    """
    return f"{year:.2f}".rstrip("0").rstrip(".")


def counted(number: int, word: str) -> str:
    """A count with its noun.

    >>> counted(1, "design"), counted(2520, "design"), counted(2, "policy"), counted(2, "way")
    ('1 design', '2,520 designs', '2 policies', '2 ways')
    """
    plural = f"{word[:-1]}ies" if word.endswith("cy") else f"{word}s"
    return f"{number:,} {word if number == 1 else plural}"


def spanned(years: float) -> str:
    """A time in years.

    >>> spanned(1.0), spanned(0.25), spanned(15.0)
    ('1 year', '0.25 years', '15 years')
    """
    return f"{years:g} year{'' if years == 1 else 's'}"


def at_least(value: float) -> str:
    """A number rounded up to four digits, so that what is enough still is.

    >>> at_least(1234567.8), at_least(1.23401), at_least(0.5), at_least(3.0), at_least(0.0)
    ('1,235,000', '1.235', '0.5', '3', '0')
    """
    if value <= 0.0:
        return "0"
    places = DIGITS - 1 - math.floor(math.log10(value))
    step = 10.0 ** abs(places)
    enough = value * (1.0 - ROUNDING)
    if places <= 0:
        return f"{math.ceil(enough / step) * int(step):,}"
    text = f"{math.ceil(enough * step) / step:,.{places}f}"
    return text.rstrip("0").rstrip(".")


def percent(part: float) -> str:
    """A share rounded up to a tenth of a percent.

    >>> percent(0.12345), percent(1.0), percent(0.25)
    ('12.4%', '100%', '25%')
    """
    return f"{math.ceil(part * 1e3 * (1.0 - ROUNDING)) / 10.0:g}%"
