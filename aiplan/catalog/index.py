"""A small index of the catalog, so that a run parses only the files it needs.

The index holds the hash of every file it was made from. When one differs, the index is ignored and every file
is parsed: an edited catalog is slower, never wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
}
"""Fields kept in the index because a planner chooses between entries by them."""

Facts = dict[str, Any]


@dataclass(slots=True)
class Index:
    """Where entries are and by which names they are found.

    ``files`` maps a file to the hash of its bytes, ``entries`` kind and id to the file, ``aliases`` kind and
    alias as written to the id, ``facts`` kind and id to the fields of `FACTS`.
    """

    files: dict[str, str] = field(default_factory=dict)
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: dict[str, dict[str, Facts]] = field(default_factory=dict)

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
                facts = {name: entry[name] for name in FACTS[kind] if name in entry}
                facts["points"] = len(entry.get("points", ()))
                self.facts.setdefault(kind, {})[entry_id] = facts

    def to_json(self) -> str:
        """Text of the index file."""
        content = {"files": self.files, "entries": self.entries, "aliases": self.aliases, "facts": self.facts}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def kind_of(file: str) -> str:
    """Kind of entry a file holds: the first part of its path, without ``.toml``."""
    return file.split("/", 1)[0].removesuffix(".toml")


def read_files(folder: Path) -> dict[str, bytes]:
    """Every TOML file of a catalog folder, sorted by relative path."""
    paths = sorted(path for path in folder.rglob("*.toml") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of every file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def load_index(folder: Path, digests: Mapping[str, str]) -> Index | None:
    """The folder's index, or None when there is none or it was made from other files."""
    try:
        content = json.loads((folder / INDEX).read_bytes())
        index = Index(content["files"], content["entries"], content["aliases"], content["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if index.files == dict(digests) else None
