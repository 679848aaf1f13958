"""What the rules of lint look at: entries as written, what they claim, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiplan.catalog.loader import VERSION_FILE
from aiplan.catalog.schema import KINDS
from aiplan.errors import InputError, Problem
from aiplan.inputs.positions import Positions
from aiplan.inputs.quantity import is_quantity_table
from aiplan.inputs.reader import Document, Path_, read_toml
from aiplan.resources import scenario_names, shipped
from aiplan.units import unit_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

_VERSION = re.compile(r"(\d{4})\.(0[1-9]|1[0-2])")
_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-\d{2})?$")
_MONEY = ("money", "local money")
Month = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as written, and the file it stands in."""

    kind: str
    id: str
    raw: Mapping[str, Any]
    document: Document
    folder: Path


@dataclass(frozen=True, slots=True)
class Claim:
    """How good an entry, or one table in it, says its values are; what it leaves unsaid comes from the entry."""

    item: Item
    path: Path_
    source: str
    grade: str
    evidence: str

    @property
    def of_price(self) -> bool:
        """Whether it is about money."""
        return bool(self.path) and is_money(str(self.path[-1]))


class View:
    """A catalog laid out for lint."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.documents = catalog.documents()
        places = {id(document): folder for folder, _, document in self.documents}
        self.items: list[Item] = []
        for kind in (one for one in catalog.kinds() if one in KINDS):
            for entry_id in catalog.ids(kind):
                _, document = catalog.raw(kind, entry_id)
                self.items.append(Item(kind, entry_id, document.data[entry_id], document, places[id(document)]))
        self._positions: dict[int, Positions] = {}

    def of(self, *kinds: str) -> list[Item]:
        """Items of some kinds."""
        return [item for item in self.items if item.kind in kinds]

    @cached_property
    def sources(self) -> dict[str, Item]:
        """Sources by id."""
        return {item.id: item for item in self.of("sources")}

    @cached_property
    def scenarios(self) -> list[Document]:
        """Every shipped scenario."""
        folder = shipped("scenarios")
        return [read_toml(folder / f"{name}.toml", f"scenarios/{name}.toml") for name in scenario_names()]

    def checked(self, item: Item) -> Any:
        """The entry as its kind's class, None where it does not fit its schema."""
        try:
            return self.catalog.checked(item.kind, item.id)
        except InputError:
            return None

    def problem(self, code: str, document: Document, path: Path_, message: str, hint: str) -> Problem:
        """A problem at a place of a file."""
        if id(document) not in self._positions:
            self._positions[id(document)] = Positions(document)
        return self._positions[id(document)].problem(code, message, path, hint)

    def at(self, code: str, item: Item, path: Path_, message: str, hint: str) -> Problem:
        """A problem at a place of an entry."""
        return self.problem(code, item.document, (item.id, *path), message, hint)

    def month(self, folder: Path) -> Month:
        """Year and month of the last review of a folder: its own version, else that of the shipped catalog."""
        own = {where: document for where, file, document in self.documents if file == VERSION_FILE}
        found = version_month(own[folder]) if folder in own else None
        return found or version_month(own[self.catalog.folders[-1]]) or (0, 0)


def version_month(document: Document) -> Month | None:
    """Year and month in a catalog's version, None when it has no such version."""
    table = document.data.get("catalog")
    version = table.get("version") if isinstance(table, dict) else None
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    return (int(match[1]), int(match[2])) if match else None


def numbers(item: Item) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Paths of the fields of an entry, and of the machines of a profile, that hold a number, bare or as a table."""
    for path, table in sections(item):
        for key, value in table.items():
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            if plain or (is_quantity_table(value) and not isinstance(value.get("value"), str)):
                yield (*path, key), value


def sections(item: Item) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """The entry itself and, of a profile, each of its machines."""
    yield (), item.raw
    machines = item.raw.get("machines")
    if item.kind == "profiles" and isinstance(machines, Mapping):
        yield from ((("machines", name), one) for name, one in machines.items() if isinstance(one, Mapping))


def claims(item: Item) -> Iterator[Claim]:
    """What an entry and each table in it say of source, grade and evidence. Conflicts are no claims."""
    source, grade = str(item.raw.get("source", "")), str(item.raw.get("grade", ""))
    evidence = str(item.raw.get("evidence", "published"))
    yield Claim(item, (), source, grade, evidence)
    for path, table in sections(item):
        for key, value in table.items():
            if not isinstance(value, Mapping):
                continue
            # As the loader has it: what was looked up elsewhere does not inherit "assumed".
            own = "published" if value.get("source") and evidence == "assumed" else evidence
            told = (value.get("source", source), value.get("grade", grade), value.get("evidence", own))
            yield Claim(item, (*path, key), *map(str, told))


def named_sources(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, str]]:
    """Every ``source = "..."`` at any depth."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            if key == "source" and isinstance(child, str):
                yield (*path, key), child
            else:
                yield from named_sources(child, (*path, key))
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from named_sources(child, (*path, place))


def is_money(key: str) -> bool:
    """Whether a field's unit is money, or money per something.

    >>> is_money("price_usd_per_kwh"), is_money("embodied_kg")
    (True, False)
    """
    try:
        unit = unit_of(key)
    except ValueError:
        return False
    return unit is not None and any(name in _MONEY for name, _ in unit.dimension)


def month_of(value: object) -> tuple[int, int | None] | None:
    """Year and, where it is told, month of a date, a year or a text such as ``2025-09``; None for anything else.

    >>> month_of(2024), month_of("2025-09"), month_of("soon")
    ((2024, None), (2025, 9), None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value, None
    if isinstance(value, str):
        match = _MONTH.match(value)
        return (int(match[1]), int(match[2]) if match[2] else None) if match else None
    year, month = getattr(value, "year", None), getattr(value, "month", None)
    return (year, month) if isinstance(year, int) else None
