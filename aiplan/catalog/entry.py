"""What every catalog entry may say, whatever its kind, and where a value was read."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from aiplan.inputs.fields import Section, Text
from aiplan.inputs.scenario import Evidence, Grade

Texts = Annotated[tuple[Text, ...], Field(strict=False)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Year = Annotated[int, Field(ge=1990, le=2100)]
Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8", "fp4", "nvfp4", "mxfp4", "int4", "w4a16"]


class Conflict(Section):
    """A value another source gives for a field of the entry."""

    field: Text
    """Field it is another value of."""
    value: Any
    """What the other source says, in the field's unit."""
    source: Text | None = None
    """Source id of the other value; the entry's own where absent."""
    evidence: Evidence | None = None
    """How the other value was seen; as its source was, where absent."""
    note: Text = ""
    """Why the two differ."""


class Excuse(Section):
    """Why a field breaks a rule that lint checks."""

    field: Text
    """Field that breaks the rule."""
    reason: Text
    """Why it is right all the same."""


class Entry(Section):
    """Fields of every kind."""

    name: Text
    """Name for people."""
    source: Text
    """Source id that holds for every number that names no other."""
    grade: Grade
    """Grade of every number that names no other."""
    evidence: Evidence = "published"
    """How the values were seen, where they do not say it themselves."""
    aliases: Texts = ()
    """Names found in the wild."""
    note: Text = ""
    """What a reader must know before using the numbers."""
    conflicts: Annotated[tuple[Conflict, ...], Field(strict=False)] = ()
    """What other sources say instead."""
    exceptions: Annotated[tuple[Excuse, ...], Field(strict=False)] = ()
    """Rules of lint that a field breaks for a reason."""
    unverified_fields: Texts = ()
    """Fields that were only remembered: an assumption, unverified, where they do not say otherwise."""


class Source(Section):
    """Where a value was read."""

    title: Text
    """Title of the page, paper, data sheet or file."""
    url: Text = ""
    """Address, where there is one."""
    doi: Text = ""
    """DOI, where there is one."""
    published: date | Year | Text | None = None
    """Day, month (``"2025-09"``) or year of publication, where known."""
    accessed: date
    """Day it was read."""
    locator: Text
    """Page, table, file or commit."""
    licence: Text = ""
    """Licence of the text or data."""
    evidence: Evidence = "published"
    """How it was seen: itself, or through a third party."""
    note: Text = ""
    """What a reader must know before relying on it."""


class SourcedText(Section):
    """A text that names its own source."""

    value: Text
    """The text."""
    source: Text | None = None
    """Source id; the entry's where absent."""
    grade: Grade | None = None
    """Grade; the entry's where absent."""
    evidence: Evidence | None = None
    """How it was seen; as the entry where absent."""
    note: Text = ""
    """What a reader must know."""


def _as_table(raw: object) -> object:
    return {"value": raw} if isinstance(raw, str) else raw


Sourced = Annotated[SourcedText, BeforeValidator(_as_table, json_schema_input_type=Text | SourcedText)]
"""A text, or a table of a text with its source."""


def texts(entry: Mapping[str, Any], *fields: str) -> list[tuple[str, int, str]]:
    """Every text of list-valued fields of an entry as written, with the field and the place in its list.

    >>> texts({"aliases": ["A", 3], "hf_ids": "no list"}, "aliases", "hf_ids")
    [('aliases', 0, 'A')]
    """
    return [
        (field, place, item)
        for field in fields
        for place, item in enumerate(entry[field] if isinstance(entry.get(field), list) else ())
        if isinstance(item, str)
    ]
