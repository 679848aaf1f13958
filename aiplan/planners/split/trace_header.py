"""Which columns of a trace are time, prompt and answer, told from its first line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import printable, quote
from aiplan.planners.split.trace_stream import refusal


@dataclass(frozen=True, slots=True)
class Format:
    """Names of the columns of time, prompt and answer, and whether times count from the first row."""

    name: str
    columns: tuple[str, str, str]
    from_first_row: bool


FORMATS = (
    Format("Azure's", ("TIMESTAMP", "ContextTokens", "GeneratedTokens"), True),
    Format("the simulator's", ("arrival_timestamp", "prompt_size", "token_size"), False),
)


@dataclass(frozen=True, slots=True)
class Header:
    """The format of a trace, the places of its three columns, and how many columns there are."""

    format: Format
    wanted: tuple[int, int, int]
    columns: int


def read_header(raw: bytes, shown: str) -> Header:
    """Columns named in a line; the case of names does not matter, and other columns are ignored.

    Raises InputError for a line that is no text or lacks a column of both formats, or names one twice.
    """
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8").rstrip("\r\n")
        if "\r" in text:
            hint = "end lines by a line feed"
            raise refusal("E010", shown, "is no CSV: a carriage return inside the first line", hint, 1)
        names = next(csv.reader([text], strict=True), [])
    except UnicodeDecodeError:
        raise refusal("E003", shown, "is not valid UTF-8", "save it as UTF-8", 1) from None
    except csv.Error as error:
        raise refusal("E010", shown, f"is no CSV: {printable(str(error))}", "check the quotes", 1) from None
    if not any(names):
        hint = f"the first line names the columns: {','.join(FORMATS[0].columns)}"
        raise refusal("E010", shown, "has no header" if raw else "is empty", hint)
    known = [name.strip().casefold() for name in names]
    form = max(FORMATS, key=lambda one: _likeness(one, known))
    missing = [name for name in form.columns if name.casefold() not in known]
    if missing:
        raise InputError(_lacking(shown, form, missing, names, text))
    for name in form.columns:
        if known.count(name.casefold()) > 1:
            raise refusal("E010", shown, f"names column '{name}' twice", "rename one", 1)
    time, prompt, output = (known.index(name.casefold()) for name in form.columns)
    return Header(form, (time, prompt, output), len(names))


def _likeness(form: Format, known: Sequence[str]) -> float:
    """How much of a format's columns a header has: one for each, less for one of a similar name."""
    near = [get_close_matches(name.casefold(), known, n=1, cutoff=0.6) for name in form.columns]
    return sum(1.0 if name.casefold() in known else 0.3 * len(found)
               for name, found in zip(form.columns, near, strict=True))  # fmt: skip


def _lacking(shown: str, form: Format, missing: Sequence[str], names: Sequence[str], text: str) -> Problem:
    """What to say of a header without the columns of either format."""
    taken = {name.casefold() for name in form.columns}
    folded = {name.strip().casefold(): name.strip() for name in names if name.strip().casefold() not in taken}
    near = [(name, folded[match[0]]) for name in missing
            if (match := get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6))]  # fmt: skip
    listed = ", ".join(f"'{name}'" for name in missing)
    one = "column" if len(missing) == 1 else "columns"
    message = f"has no {one} {listed}; of the two formats it is nearest to {form.name}: {', '.join(form.columns)}"
    if len(names) == 1 and any(mark in text for mark in ";\t|"):
        hint = "separate the columns by commas"
    elif near:
        hint = "; ".join(f"did you mean '{printable(given)[:40]}'? name it '{name}'" for name, given in near)
    else:
        others = " or ".join(", ".join(one.columns) for one in FORMATS if one is not form)
        hint = f"name the columns in the first line; {others} will do as well"
    quoted, offset = quote(text, 1)
    return Problem("E174", message, "", shown, 1, 1, quoted, 1, hint, offset)
