"""Write catalog entries as TOML 1.0 text: one inline table per line, long ones as sub-tables.

A value is a bare scalar, or a dict that becomes an inline table. Numbers may be given as the text of a CSV
cell so that the digits of the source survive (``"2.0"`` stays ``2.0``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_INLINE = 200


@dataclass(frozen=True, slots=True)
class Num:
    """A number with the digits its source prints."""

    text: str

    def __float__(self) -> float:
        return float(self.text)


def number(text: str) -> str:
    """TOML text of a number: whole numbers of five digits or more get ``_`` between thousands.

    >>> number("46834000.0"), number("2.0"), number("9000"), number("0.864")
    ('46_834_000', '2.0', '9000', '0.864')
    """
    value = float(text)
    if value.is_integer() and abs(value) >= 10_000:
        return f"{int(value):_}"
    return text


def scalar(value: Any) -> str:
    """TOML text of a string, number, boolean, date, list or inline table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Num):
        return number(value.text)
    if isinstance(value, int | float):
        return number(repr(value))
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {scalar(item)}" for key, item in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    raise TypeError(f"no TOML text for {type(value).__name__}")


def header(*keys: str) -> str:
    """Table header; keys with a dot are quoted.

    >>> header("h100-sxm", "power_fraction")
    '[h100-sxm.power_fraction]'
    """
    return "[" + ".".join(f'"{key}"' if "." in key else key for key in keys) + "]"


def table_list(key: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """An array of inline tables, one table per line."""
    return "\n".join([f"{key} = [", *(f"  {scalar(row)}," for row in rows), "]"])


def entry(entry_id: str, groups: Sequence[Mapping[str, Any]], tables: Mapping[str, Mapping[str, Any]]) -> str:
    """One catalog entry.

    Parameters
    ----------
    entry_id : id, the table header
    groups : sections separated by a blank line, field to value; a list of dicts becomes one table a line
    tables : sub-tables written at the end, each a mapping of field to value
    """
    blocks: list[str] = []
    long: dict[str, Mapping[str, Any]] = {}
    for group in groups:
        lines: list[str] = []
        for key, value in group.items():
            if isinstance(value, list) and value and isinstance(value[0], Mapping):
                lines.append(table_list(key, value))
                continue
            line = f"{key} = {scalar(value)}"
            if isinstance(value, Mapping) and len(line) > MAX_INLINE:
                long[key] = value
            else:
                lines.append(line)
        if lines:
            blocks.append("\n".join(lines))
    blocks[0] = header(entry_id) + "\n" + blocks[0]
    for key, table in {**long, **tables}.items():
        body = [f"{name} = {scalar(value)}" for name, value in table.items()]
        blocks.append("\n".join([header(entry_id, key), *body]))
    return "\n\n".join(blocks) + "\n"
