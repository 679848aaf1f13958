"""Rules of lint on provenance: sources, grades, evidence, dates and prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from aiplan.catalog.lint_view import Claim, Item, View, claims, is_money, month_of, named_sources, numbers
from aiplan.errors import Problem
from aiplan.inputs.reader import Document, Path_
from aiplan.report.model import GRADES

STALE_MONTHS = 18
_YEARS = ("year", "price_year", "currency_year")
_PRICE_AT_BEST = GRADES.index("estimate")


def unknown_sources(view: View) -> Iterator[Problem]:
    """Every source named, also by a shipped scenario, is in the catalog."""
    places: list[tuple[Document, Path_, Mapping[str, Any]]]
    places = [(item.document, (item.id,), item.raw) for item in view.items]
    places += [(document, (), document.data) for document in view.scenarios]
    for document, path, data in places:
        for place, source in named_sources(data, path):
            if source not in view.sources:
                near = view.catalog.names("sources").nearest(source, 1)
                hint = f"did you mean '{near[0]}'?" if near else "add it to sources/*.toml"
                yield view.problem("E140", document, place, "names a source that is not in the catalog", hint)


def unused_sources(view: View) -> Iterator[Problem]:
    """Every source is used by an entry or a shipped scenario."""
    used: set[str] = set()
    for document in [*view.scenarios, *(document for _, _, document in view.documents)]:
        used |= {source for _, source in named_sources(document.data)}
    for source, item in view.sources.items():
        if source not in used:
            yield view.at("E141", item, (), "is used by no entry and no shipped scenario", "use it or remove it")


def prices_without_year(view: View) -> Iterator[Problem]:
    """A price says of which year its money is."""
    for item in view.items:
        for path, value in numbers(item):
            if is_money(path[-1]) and not (isinstance(value, Mapping) and "currency_year" in value):
                hint = "write { value = ..., currency_year = 2026 }"
                yield view.at("E143", item, path, "is a price without currency_year", hint)


def future_dates(view: View) -> Iterator[Problem]:
    """Nothing is dated after the month of the catalog's version."""
    for item in view.items:
        now = view.month(item.folder)
        for path, value in _dated(item.raw):
            found = month_of(value)
            announced = path == ("released",) and item.raw.get("status") == "roadmap"
            if found and not announced and (found[0], found[1] or 1) > now:
                message = f"lies after the catalog's version, {now[0]}.{now[1]:02d}"
                yield view.at("E146", item, path, message, "correct it, or raise the version in catalog.toml")


def _dated(table: Mapping[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _dated(value, (*path, key))
        elif isinstance(value, date) or key in _YEARS or (key == "published" and not path):
            yield (*path, key), value


def grades_too_good(view: View) -> Iterator[Problem]:
    """What was remembered or chosen is an assumption; a price through a third party is at best an estimate."""
    for claim in _claims(view):
        if claim.evidence in ("unverified", "assumed") and claim.grade != "assumption":
            message = f"is {claim.evidence} and yet graded '{claim.grade}'"
            yield view.at("E149", claim.item, claim.path, message, 'write grade = "assumption"')
        elif claim.evidence == "second-hand" and claim.of_price and GRADES.index(claim.grade) < _PRICE_AT_BEST:
            message = f"is a second-hand price and yet graded '{claim.grade}'"
            yield view.at("E149", claim.item, claim.path, message, 'write grade = "estimate"')


def evidence_too_good(view: View) -> Iterator[Problem]:
    """A value was not seen better than its source was."""
    for claim in _claims(view):
        source = view.sources.get(claim.source)
        seen = str(source.raw.get("evidence", "published")) if source else "published"
        overstated = seen != "published" and claim.evidence == "published"
        overstated |= seen == "unverified" and claim.evidence == "second-hand"
        overstated |= seen == "assumed" and claim.evidence == "second-hand"
        if overstated:
            message = f"says {claim.evidence}, but its source '{claim.source}' was seen {seen}"
            yield view.at("E150", claim.item, claim.path, message, f'write evidence = "{seen}"')


def _claims(view: View) -> Iterator[Claim]:
    """Claims of entries that fit their schemas."""
    for item in view.items:
        if item.kind != "sources" and view.checked(item) is not None:
            yield from claims(item)


def old_prices(view: View) -> Iterator[Problem]:
    """A price is not older than 18 months, counted from the catalog's version and not from the clock."""
    for item in view.items:
        year, month = view.month(item.folder)
        for path, value in numbers(item):
            if not is_money(path[-1]) or not isinstance(value, Mapping):
                continue
            newest = _newest(view, item, value)
            age = (year * 12 + month) - (newest[0] * 12 + newest[1]) if newest else 0
            if age > STALE_MONTHS:
                message = f"is a price at least {age} months old"
                yield view.at("W141", item, path, message, "look for a newer one")


def _newest(view: View, item: Item, value: Mapping[str, Any]) -> tuple[int, int] | None:
    """Last month a price can be of: that of its currency year, or of its source where that is earlier."""
    found = []
    if isinstance(value.get("currency_year"), int):
        found.append((value["currency_year"], 12))
    source = view.sources.get(str(value.get("source", item.raw.get("source", ""))))
    published = month_of(source.raw.get("published")) if source else None
    if published:
        found.append((published[0], published[1] or 12))
    return min(found, default=None)
