"""A small index of the catalog, so that a run parses only the files it needs.

The index holds the hash of every file it was made from. When one differs, the index is ignored and every file
is parsed: an edited catalog is slower, never wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import read_bytes

INDEX = "index.json"

FACTS: dict[str, tuple[str, ...]] = {
    "throughput": (
        "model",
        "accelerator",
        "accelerator_count",
        "precision",
        "engine",
        "engine_version",
        "regime",
    ),
    "servers": ("accelerator", "accelerator_count"),
    "profiles": ("model",),
    "models": ("name", "shape_of", "total_params"),
    "sources": ("title",),
}
"""Fields kept in the index because a planner chooses between entries by them."""

OWN = frozenset({"name", "aliases", "hf_ids", "released", "note", "conflicts", "licence", "unverified_fields",
                 "max_context_tokens", "extra_params", "extra_modules", "published_total_params_b",
                 "published_active_params_b", "published_kind", "exceptions"})  # fmt: skip
"""What a model says for itself; everything else may come from the entry whose shape it shares."""

MAX_FILES = 2000

Facts = dict[str, Any]
Form = dict[str, Any]


@dataclass(slots=True)
class Index:
    """Where entries are and by which names they are found.

    ``files`` maps a file to the hash of its bytes, ``entries`` kind and id to the file, ``aliases`` kind and
    alias as written to the id, ``facts`` kind and id to the fields of `FACTS`, ``forms`` a kind to the fields
    that are quantities and to the defaults of the others: enough to read an entry that is known to be valid.
    """

    files: dict[str, str] = field(default_factory=dict)
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: dict[str, dict[str, Facts]] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)

    def add(self, file: str, kind: str, data: Mapping[str, Any]) -> None:
        """Record the entries of one parsed file."""
        for entry_id, entry in data.items():
            if not isinstance(entry, Mapping):
                continue
            self.entries.setdefault(kind, {})[entry_id] = file
            names = [*_texts(entry.get("aliases")), *_texts(entry.get("hf_ids"))]
            for name in names:
                self.aliases.setdefault(kind, {})[name] = entry_id
            if kind in FACTS:
                facts = {name: entry[name] for name in FACTS[kind] if isinstance(entry.get(name), str | int)}
                if kind == "throughput":
                    points = entry.get("points")
                    facts["points"] = len(points) if isinstance(points, list) else 0
                self.facts.setdefault(kind, {})[entry_id] = facts

    def to_json(self) -> str:
        """Text of the index file."""
        content = {
            "files": self.files,
            "entries": self.entries,
            "aliases": self.aliases,
            "facts": self.facts,
            "forms": self.forms,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def kind_of(file: str) -> str:
    """Kind of entry a file holds: the first part of its path, without ``.toml``."""
    return file.split("/", 1)[0].removesuffix(".toml")


def read_files(folder: Path) -> dict[str, bytes]:
    """Every TOML file of a catalog folder, sorted by relative path.

    Raises
    ------
    InputError when a file cannot be read, is too large or leads out of the folder, or when there are so many
    that this cannot be a catalog.
    """
    found: dict[str, bytes] = {}
    inside = folder.resolve()
    for path in sorted(_paths(folder)):
        name = path.relative_to(folder).as_posix()
        shown = f"{folder.name}/{name}"
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise InputError(
                Problem("E124", "is a link that leads out of the catalog", file=shown, hint="copy the file")
            )
        found[name] = read_bytes(path, shown)
    return found


def _paths(folder: Path) -> Iterator[Path]:
    """Paths of TOML files below a folder; links to folders are not followed."""
    seen = 0
    for parent, folders, files in os.walk(folder):
        seen += len(folders) + len(files)
        if seen > MAX_FILES:
            hint = "give the folder that holds accelerators.toml, servers.toml and so on"
            raise InputError(Problem("E124", f"'{folder}' holds more than {MAX_FILES} files", hint=hint))
        for name in files:
            if name.endswith(".toml"):
                if not name.isprintable():
                    raise InputError(
                        Problem("E124", f"'{folder}' holds a file with an unprintable name", hint="rename it")
                    )
                yield Path(parent, name)


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of every file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def load_index(folder: Path, digests: Mapping[str, str]) -> Index | None:
    """The folder's index, or None when there is none or it was made from other files."""
    try:
        content = json.loads((folder / INDEX).read_bytes())
        index = Index(content["files"], content["entries"], content["aliases"], content["facts"], content["forms"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if index.files == dict(digests) else None
