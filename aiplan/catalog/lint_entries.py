"""Rules of lint on what entries say: units, ratios, references, names, sums."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from aiplan.catalog.entry import texts
from aiplan.catalog.index import INDEX, kind_of
from aiplan.catalog.lint_view import Item, View, numbers, sections, version_month
from aiplan.catalog.loader import VERSION_FILE
from aiplan.catalog.names import normalise
from aiplan.catalog.schema import KINDS
from aiplan.catalog.schema_models import PARTS
from aiplan.errors import Problem
from aiplan.inputs.fields import ID_PATTERN
from aiplan.inputs.quantity import Quantity
from aiplan.units import UNITLESS, UNITLESS_NAMES, unit_of

TOLERANCE = 0.03
DOUBLES = (("bf16_dense_tflops", "fp8_dense_tflops"), ("fp8_dense_tflops", "fp4_dense_tflops"))
"""Rates of which the second is twice the first unless an exception says why not."""

COUNTS = frozenset(
    {
        "batch",
        "int8_dense_tops",
        "published_active_params_b",
        "published_total_params_b",
        "weight_bits",
    }
)
"""Fields that count something and may be uncertain; whole numbers count by their type."""

REFERENCES = {
    ("throughput", "model"): "models",
    ("throughput", "accelerator"): "accelerators",
    ("servers", "accelerator"): "accelerators",
    ("profiles", "model"): "models",
    ("profiles", "server"): "servers",
    ("profiles", "accelerator"): "accelerators",
    ("sites", "grid"): "grids",
    ("operators", "site"): "sites",
    ("published", "model_id"): "models",
    ("models", "shape_of"): "models",
}
"""Fields that hold the id of another entry, and its kind."""


def unknown_units(view: View) -> Iterator[Problem]:
    """A number's name ends in its unit, or the field counts something."""
    for item in view.items:
        for path, _ in numbers(item):
            key = path[-1]
            try:
                has_unit = unit_of(key) is not None
            except ValueError as error:
                yield view.at("E142", item, path, str(error), "end the name in a unit that aiplan knows")
                continue
            own = len(path) == 1 and key in KINDS[item.kind].model_fields
            if own and not has_unit and not is_count(item.kind, key):
                message = "is a number without a unit in its name"
                yield view.at("E142", item, path, message, "end the name in a unit, or in _count or _fraction")


def is_count(kind: str, name: str) -> bool:
    """Whether a field has no unit because it counts something or is a year or a ratio.

    >>> is_count("models", "layers"), is_count("servers", "max_power_w")
    (True, False)
    """
    if name in COUNTS or name in UNITLESS_NAMES or name.rsplit("_", 1)[-1] in UNITLESS:
        return True
    annotation = KINDS[kind].model_fields[name].annotation
    return int in (annotation, *(part for outer in get_args(annotation) for part in (outer, *get_args(outer))))


def precision_ratios(view: View) -> Iterator[Problem]:
    """FP8 is twice BF16 and FP4 twice FP8 within 3 %, or an exception says why not. Guards against sparse rates."""
    for item in view.of("accelerators"):
        excused = _excused(item)
        for wide, narrow in DOUBLES:
            ratio = _ratio(view.checked(item), wide, narrow)
            if ratio is not None and not _is_twice(ratio) and narrow not in excused:
                hint = f'give the dense rate, or say why: exceptions = [{{ field = "{narrow}", reason = "..." }}]'
                yield view.at("E144", item, (narrow,), f"is {ratio:.3g} x {wide}, not twice", hint)


def idle_exceptions(view: View) -> Iterator[Problem]:
    """An exception excuses something."""
    for item in view.items:
        entry = view.checked(item)
        for place, field in enumerate(_excused(item)):
            pairs = [pair for pair in DOUBLES if pair[1] == field and item.kind == "accelerators"]
            ratios = [ratio for pair in pairs if (ratio := _ratio(entry, *pair)) is not None]
            if entry is not None and all(map(_is_twice, ratios)):
                message = f"excuses '{field}', which breaks no rule"
                yield view.at("E145", item, ("exceptions", place), message, "remove it")


def _excused(item: Item) -> list[str]:
    found = item.raw.get("exceptions")
    return [str(one.get("field")) for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _ratio(entry: Any, below: str, above: str) -> float | None:
    rates = getattr(entry, below, None), getattr(entry, above, None)
    if isinstance(rates[0], Quantity) and isinstance(rates[1], Quantity):
        return rates[1].value / rates[0].value
    return None


def _is_twice(ratio: float) -> bool:
    return abs(ratio / 2 - 1) <= TOLERANCE + 1e-9


def dead_references(view: View) -> Iterator[Problem]:
    """An entry refers to others by ids that exist."""
    for item in view.items:
        for path, table in sections(item):
            for (kind, field), target in REFERENCES.items():
                wanted = table.get(field)
                if item.kind != kind or not isinstance(wanted, str) or wanted in view.catalog.ids(target):
                    continue
                names = view.catalog.names(target)
                known = names.resolve(wanted)
                near = [known] if known else names.nearest(wanted, 1)
                hint = f"did you mean '{near[0]}'?" if near else f"see `aiplan catalog list {target}`"
                yield view.at("E147", item, (*path, field), f"names no entry of {target}", hint)


def ambiguous_names(view: View) -> Iterator[Problem]:
    """Ids and aliases of a kind lead to one entry, however they are spelt."""
    owners: dict[tuple[str, str], str] = {}
    # Ids first and the shipped before what is laid over it, so that the newcomer is the one to complain about.
    last = view.catalog.folders[-1]
    for item in view.items:
        owners.setdefault((item.kind, normalise(item.id)), item.id)
    for item in sorted(view.items, key=lambda one: one.folder != last):
        for field, place, name in texts(item.raw, "aliases", "hf_ids"):
            owner = owners.setdefault((item.kind, normalise(name)), item.id)
            if owner != item.id:
                yield view.at("E148", item, (field, place), f"is a name of '{owner}' too", "remove one of them")


def parameter_sums(view: View) -> Iterator[Problem]:
    """The parts of a model add up to its total, and what a token touches is no more than that."""
    for item in view.of("models"):
        entry = view.checked(item)
        if entry is None:
            continue
        parts = [getattr(entry, name) or 0 for name in PARTS]
        if any(parts) and sum(parts) != entry.total_params:
            message = f"is {entry.total_params:,}, but the parts add up to {sum(parts):,}"
            yield view.at("E151", item, ("total_params",), message, "count again")
        if not entry.matmul_params <= entry.active_params <= entry.total_params:
            message = f"is {entry.active_params:,}, outside matmul_params to total_params"
            yield view.at("E151", item, ("active_params",), message, "count again")


def repeated_ids(view: View) -> Iterator[Problem]:
    """An id stands in one file of a folder only."""
    owners: dict[tuple[object, str, str], str] = {}
    for folder, file, document in view.documents:
        for entry_id in document.data:
            owner = owners.setdefault((folder, kind_of(file), entry_id), file)
            if owner != file:
                yield view.problem("E152", document, (entry_id,), f"stands in {owner} too", "keep one of them")


def strangers(view: View) -> Iterator[Problem]:
    """A file holds tables under ids, and the version file a version."""
    for _, file, document in view.documents:
        if file == VERSION_FILE:
            if version_month(document) is None:
                hint = 'write [catalog] and version = "2026.11": year and month of the last review'
                yield view.problem("E153", document, ("catalog", "version"), "is no year and month", hint)
            continue
        for entry_id, entry in document.data.items():
            if not isinstance(entry, Mapping):
                hint = "write [an-id] and the fields below it"
                yield view.problem("E153", document, (entry_id,), "is no entry but a single value", hint)
            elif not re.match(ID_PATTERN, entry_id):
                hint = "use lower-case letters, digits, '.', '_' and '-'"
                yield view.problem("E153", document, (entry_id,), "is no id", hint)


def unknown_fields(view: View) -> Iterator[Problem]:
    """Conflicts, exceptions and unverified fields name fields of the kind."""
    for item in view.items:
        known = KINDS[item.kind].model_fields
        named = [((field, place), name) for field, place, name in texts(item.raw, "unverified_fields")]
        for field in ("conflicts", "exceptions"):
            found = item.raw.get(field)
            for place, one in enumerate(found if isinstance(found, list) else ()):
                if isinstance(one, Mapping) and isinstance(one.get("field"), str):
                    named.append(((field, place), one["field"]))
        for path, name in named:
            if name not in known:
                yield view.at(
                    "E154", item, path, f"names '{name[:80]}', which is no field of {item.kind}", "correct it"
                )


def values_outside_range(view: View) -> Iterator[Problem]:
    """A value lies within the range it is given with."""
    for item in view.items:
        entry = view.checked(item)
        for path, _ in numbers(item):
            found = _field(entry, path)
            if not isinstance(found, Quantity) or found.low is None or found.high is None:
                continue
            if not found.low <= found.value <= found.high:
                message = f"is {found.value:g}, outside its range {found.low:g} to {found.high:g}"
                yield view.at("E155", item, path, message, "correct one of them")


def _field(entry: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of an entry: fields of sections, keys of tables; None where nothing does."""
    for part in path:
        entry = entry.get(part) if isinstance(entry, Mapping) else getattr(entry, part, None)
    return entry


def stale_index(view: View) -> Iterator[Problem]:
    """The index of the shipped catalog is that of its files."""
    folder = view.catalog.folders[-1]
    try:
        stored = (folder / INDEX).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        stored = ""
    if stored != view.catalog.index_text(folder):
        message = "the index is not that of the files: every run parses all of them"
        yield Problem("W140", message, file=f"{folder.name}/{INDEX}", hint="run `aiplan catalog index`")
