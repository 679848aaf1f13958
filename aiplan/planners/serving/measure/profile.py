"""The record of a measurement: what was timed, on what, with what, and when.

A profile is two tables that a time model reads directly: seconds of a prefill by prompt length, and seconds of a
decode step by batch and context, each with power beside it. Times are of the whole model's layers and output head.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import date
from typing import Any

SCHEMA = "aiplan/perf-profile/1"
FORMATS = ("toml", "json")


@dataclass(frozen=True, slots=True)
class Point:
    """One measured point, of all layers.

    Attributes
    ----------
    batch : sequences
    context_tokens : tokens of each sequence, the new ones included; the prompt's length in prefill [tokens]
    tokens : tokens computed: batch times prompt in prefill, batch in a decode step [tokens]
    time_s : median time of the pass [s]
    spread_s : half the distance between the quartiles of single passes [s]
    overhead_s : of ``time_s``, what does not grow with layers: output head and launch [s]
    repeats : fewest runs behind one of the times [1]
    flop, read_bytes : least work of the pass, by count and not measured [FLOP], [B]
    power_w : mean power of the accelerator [W]; None where not measured
    sm_clock_mhz : mean clock of its processors [MHz]; None where not known
    """

    batch: int
    context_tokens: int
    tokens: int
    time_s: float
    spread_s: float
    overhead_s: float
    repeats: int
    flop: float
    read_bytes: float
    power_w: float | None = None
    sm_clock_mhz: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A dated measurement on one accelerator.

    Attributes
    ----------
    measured_on : day, given by the caller
    model : id of the catalog
    precision, kv_precision : of the matrices inside the layers, and of the cache
    tensor_parallel : accelerators the model is divided by; one share was timed, nothing passed between them
    layers, timed_layers : dense layers and layers with experts, of the model and at each depth timed
    hardware, driver, runtime : accelerator, driver and library as they name themselves
    cuda_graphs : whether passes were recorded and replayed, without the host's cost of launching
    power_method : ``energy-counter`` or ``samples``; empty where no power was measured
    power_limit_w, idle_power_w : limit in force, and power with weights loaded and nothing to do [W]
    prefill, decode : the points
    notes : what the reader must know
    """

    measured_on: date
    model: str
    precision: str
    kv_precision: str
    tensor_parallel: int
    layers: tuple[int, int]
    timed_layers: tuple[tuple[int, int], ...]
    hardware: str
    driver: str
    runtime: str
    cuda_graphs: bool
    prefill: tuple[Point, ...]
    decode: tuple[Point, ...]
    power_method: str = ""
    power_limit_w: float | None = None
    idle_power_w: float | None = None
    notes: tuple[str, ...] = ()


_TABLES = ("prefill", "decode")


def to_dict(profile: Profile) -> dict[str, Any]:
    """The profile as plain values, points last; what is not known is left out, as TOML has no null."""
    flat = {"schema": SCHEMA} | {key: value for key, value in asdict(profile).items() if key not in _TABLES}
    points = {name: [_known(asdict(point)) for point in getattr(profile, name)] for name in _TABLES}
    return _known(flat) | points


def _known(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}


def to_text(profile: Profile, form: str) -> str:
    """The profile as TOML or JSON, same profile same bytes.

    Raises
    ------
    ValueError for another format, or a number that is infinite or not a number.
    """
    record = to_dict(profile)
    if form == "json":
        return json.dumps(record, indent=2, allow_nan=False, default=date.isoformat) + "\n"
    if form != "toml":
        raise ValueError(f"a profile is written as one of {', '.join(FORMATS)}")
    lines = []
    for key, value in record.items():
        if key in _TABLES:
            rows = [f"  {{ {', '.join(f'{name} = {_toml(cell)}' for name, cell in row.items())} }}," for row in value]
            lines += [f"{key} = [", *rows, "]"]
        else:
            lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """One value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # TOML's escapes are JSON's, but for characters beyond 16 bits, which JSON splits in two.
        return '"' + "".join(_toml_character(character) for character in value) + '"'
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return repr(value)


def _toml_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() and character.isascii() else f"\\U{ord(character):08x}"


def from_dict(record: Mapping[str, Any]) -> Profile:
    """A profile from what a TOML or JSON reader made of it.

    Raises
    ------
    ValueError saying which field is missing, unknown or of the wrong type, or that the schema is another one.
    """
    rest = dict(record)
    if rest.pop("schema", None) != SCHEMA:
        raise ValueError(f"schema must be '{SCHEMA}'")
    points = {name: tuple(_point(row, name) for row in _rows(rest.pop(name, None), name)) for name in _TABLES}
    day = rest.pop("measured_on", None)
    if isinstance(day, str):
        day = date.fromisoformat(day)
    if type(day) is not date:
        raise ValueError("measured_on must be a day, YYYY-MM-DD")
    layers = _pair(rest.pop("layers", None), "layers")
    timed = tuple(_pair(pair, "timed_layers") for pair in _rows(rest.pop("timed_layers", None), "timed_layers"))
    notes = tuple(str(note) for note in _rows(rest.pop("notes", []), "notes"))
    taken: dict[str, Any] = {"measured_on": day, "layers": layers, "timed_layers": timed, "notes": notes, **points}
    return Profile(**_checked(rest, Profile, frozenset(taken), "profile"), **taken)


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "float | None": (int, float),
    "str": (str,),
    "bool": (bool,),
}


def _checked(record: Mapping[str, Any], form: type, taken: frozenset[str], where: str) -> dict[str, Any]:
    """Fields of a record, each known and of its type; numbers are finite and not below 0."""
    known = {field.name: field for field in fields(form)}
    if unknown := sorted(set(record) - set(known)):
        raise ValueError(f"{where} has an unknown field '{unknown[0]}'")
    out: dict[str, Any] = {}
    for name, field in known.items():
        if name in taken:
            continue
        if name not in record:
            if field.default is MISSING:
                raise ValueError(f"{where} lacks '{name}'")
            continue
        value, kind = record[name], str(field.type)
        wrong = not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "bool")
        if wrong or (not isinstance(value, str | bool) and not (math.isfinite(value) and value >= 0)):
            raise ValueError(f"{where}: '{name}' is not of type {kind}, finite and 0 or more")
        out[name] = float(value) if kind.startswith("float") else value
    return out


def _rows(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"'{name}' must be a list")
    return value


def _point(row: Any, name: str) -> Point:
    if not isinstance(row, dict):
        raise ValueError(f"'{name}' must hold records")
    return Point(**_checked(row, Point, frozenset(), name))


def _pair(value: Any, name: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(count) is int and count >= 0 for count in value):
        raise ValueError(f"'{name}' must be two counts of layers")
    return value[0], value[1]
