"""A number as people give it: plain, uncertain, or with the source it comes from.

One type serves scenarios and the catalog alike. Accepted forms::

    pue = 1.2
    pue = { lognormal = { p5 = 1.05, p95 = 1.6 } }
    price_usd = { value = 30_000, source = "a-source", grade = "estimate", currency_year = 2026, range = [25_000, 4e4] }
    tdp_fraction = { value = 0.70, dist = { percentiles = { p5 = 0.47, p50 = 0.70, p95 = 0.97 } }, grade = "measured" }
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from aiplan.report.model import GRADES
from aiplan.uncertainty.distributions import (
    KINDS,
    Constant,
    Distribution,
    SpecError,
    SpecProblem,
    parse,
)

EVIDENCE = ("published", "second-hand", "derived", "assumed", "unverified")
"""How a value was seen: in the source itself, through a third party, computed by us, chosen, or from memory."""

_FORMS = "write a number or a distribution such as { lognormal = { p5 = 1, p95 = 2 } }"
_EXTRAS = ("value", "dist", "source", "grade", "evidence", "currency_year", "range", "note")
_KNOWN = (*_EXTRAS, *KINDS, "truncate")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its distribution, source and grade.

    ``source``, ``grade`` and ``evidence`` are None until the entry or scenario it stands in supplies its own.
    """

    value: float
    distribution: Distribution
    source: str | None = None
    grade: str | None = None
    evidence: str | None = None
    currency_year: int | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def uncertain(self) -> bool:
        """Whether sampling it gives more than one value."""
        return not isinstance(self.distribution, Constant)

    def scaled(self, factor: float) -> Quantity:
        """The same quantity in a unit ``factor`` times smaller."""
        if factor == 1.0:
            return self
        return replace(
            self,
            value=self.value * factor,
            distribution=self.distribution.scaled(factor),
            low=None if self.low is None else self.low * factor,
            high=None if self.high is None else self.high * factor,
        )

    def within(self, source: str, grade: str, evidence: str) -> Quantity:
        """The quantity with what it does not say itself taken from where it stands."""
        return replace(
            self,
            source=self.source or source,
            grade=self.grade or grade,
            evidence=self.evidence or evidence,
        )


@dataclass(frozen=True, slots=True)
class InUnit:
    """A number as it is written, in another unit than its field's, and the size of that unit in the field's."""

    raw: object
    factor: float


def constant(value: float, source: str, grade: str, evidence: str = "published", note: str = "") -> Quantity:
    """A fixed number with its provenance."""
    return Quantity(float(value), Constant(float(value)), source, grade, evidence, note=note)


def is_quantity_table(value: object) -> bool:
    """Whether a table is a quantity rather than a section: it must be replaced as a whole, never merged."""
    return isinstance(value, Mapping) and any(key in KINDS or key in ("value", "dist") for key in value)


def parse_quantity(raw: object, bounds: tuple[float, float] | None = None) -> Quantity:
    """Read one of the accepted forms; ``truncate = true`` cuts a distribution at ``bounds``.

    Raises
    ------
    SpecError (a ValueError) holding every problem found.
    """
    if isinstance(raw, Quantity):
        return raw
    if isinstance(raw, InUnit):
        written = None if bounds is None else (bounds[0] / raw.factor, bounds[1] / raw.factor)
        return parse_quantity(raw.raw, written).scaled(raw.factor)
    if isinstance(raw, bool) or not isinstance(raw, int | float | Mapping):
        raise SpecError([SpecProblem((), f"must be a number, got {describe(raw)}", _FORMS)])
    if isinstance(raw, int | float):
        number = parse(raw)
        return Quantity(number.median, number)
    return _parse_table(raw, bounds)


def _plain(raw: object) -> Distribution:
    """A fixed number; raises SpecError for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise SpecError([SpecProblem((), f"must be a number, got {describe(raw)}", "write a number")])
    return parse(raw)


def _parse_table(raw: Mapping[str, Any], bounds: tuple[float, float] | None) -> Quantity:
    # "kind" is no key of ours, but the reader of distributions knows what people mean by it, and says so.
    unknown = [] if "kind" in raw else [key for key in raw if key not in _KNOWN]
    problems = [SpecProblem((key,), "is not a known key", _suggest(key)) for key in unknown]
    distribution: Distribution | None = None
    kinds = {key: value for key, value in raw.items() if key not in _EXTRAS and key not in unknown}
    spec = raw.get("dist", kinds or None)
    if "dist" in raw and kinds:
        problems += [SpecProblem((key,), "stands beside 'dist'", "keep one of the two") for key in kinds]
    elif spec is not None:
        try:
            distribution = parse(spec, bounds=bounds)
        except SpecError as error:
            prefix = ("dist",) if "dist" in raw else ()
            problems += [SpecProblem((*prefix, *item.path), item.message, item.hint) for item in error.problems]
    value: Distribution | None = None
    if "value" in raw:
        try:
            value = _plain(raw["value"])
        except SpecError as error:
            problems += [SpecProblem(("value", *item.path), item.message, item.hint) for item in error.problems]
    elif spec is None and not problems:
        problems.append(SpecProblem((), "has neither 'value' nor a distribution", _FORMS))
    if value is not None and distribution is not None:
        floor, ceiling = distribution.support
        if not floor <= value.median <= ceiling:
            text = f"is {value.median:g}, where its distribution ({distribution.text()}) never comes"
            problems.append(SpecProblem(("value",), text, "make the two agree, or leave the value out"))
    problems += _check_extras(raw)
    chosen = distribution or value
    if problems or chosen is None:
        raise SpecError(problems)
    low, high = raw.get("range") or (None, None)
    return Quantity(
        (value or chosen).median,
        chosen,
        raw.get("source"),
        raw.get("grade"),
        raw.get("evidence"),
        raw.get("currency_year"),
        low,
        high,
        raw.get("note", ""),
    )


def _suggest(key: str) -> str:
    near = difflib.get_close_matches(key[:80], _KNOWN, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(_KNOWN)}"


def _check_extras(raw: Mapping[str, Any]) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    for key in ("source", "note"):
        if key in raw and not isinstance(raw[key], str):
            problems.append(SpecProblem((key,), f"must be text, got {describe(raw[key])}", "write it in quotes"))
    for key, allowed in (("grade", GRADES), ("evidence", EVIDENCE)):
        if key in raw and raw[key] not in allowed:
            problems.append(SpecProblem((key,), f"must be one of {', '.join(allowed)}", "choose one of them"))
    year = raw.get("currency_year", 2000)
    if isinstance(year, bool) or not isinstance(year, int) or not 1990 <= year <= 2100:
        problems.append(SpecProblem(("currency_year",), "must be a year", "write e.g. 2026"))
    bounds = raw.get("range")
    if bounds is not None and not (
        isinstance(bounds, list | tuple)
        and len(bounds) == 2
        and all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds)
        and bounds[0] <= bounds[1]
    ):
        problems.append(SpecProblem(("range",), "must be [low, high]", "write e.g. [25_000, 40_000]"))
    return problems


def describe(value: object) -> str:
    """A found value named by type, for messages."""
    names = {
        bool: "a boolean",
        str: "text",
        list: "a list",
        dict: "a table",
        int: "an integer",
        float: "a number",
        date: "a date",
        datetime: "a date and time",
        time: "a time of day",
    }
    name = names.get(type(value), type(value).__name__)
    shown = repr(value) if isinstance(value, str) else str(value)
    shown = shown.lower() if isinstance(value, bool) else shown
    return f"{name} {shown}" if len(shown) <= 40 and not isinstance(value, dict | list) else name
