"""The catalog: entries by kind and id, found by any name they are known under.

The shipped catalog may be overlaid by a folder of the same layout (``--catalog DIR``): an entry there replaces
the shipped one of the same kind and id, or adds to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiplan.catalog.index import Facts, Index, hashes, kind_of, load_index, read_files
from aiplan.catalog.names import Names
from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import Document, check_values, parse_toml
from aiplan.resources import shipped

if TYPE_CHECKING:
    from aiplan.inputs.fields import Section

VERSION_FILE = "catalog.toml"
# What a sibling says for itself; everything else comes from the entry whose shape it shares.
_OWN = frozenset({"name", "aliases", "hf_ids", "released", "note", "conflicts", "licence", "unverified_fields",
                  "max_context_tokens", "extra_params", "extra_modules", "published_total_params_b",
                  "published_active_params_b", "published_kind", "exceptions"})  # fmt: skip


class _Folder:
    """One catalog folder: its files, its index, and the documents parsed so far."""

    def __init__(self, path: Path, *, trusted: bool) -> None:
        self.path = path
        self._trusted = trusted
        self.files = read_files(path)
        self.digests = hashes(self.files)
        self._documents: dict[str, Document] = {}
        self.index = (load_index(path, self.digests) if trusted else None) or self._build()

    def document(self, file: str) -> Document:
        if file not in self._documents:
            raw, name = self.files[file], f"{self.path.name}/{file}"
            if self._trusted:
                import tomli

                text = raw.decode("utf-8")
                self._documents[file] = Document(tomli.loads(text), text, name, self.path / file)
            else:
                self._documents[file] = parse_toml(raw, name, self.path / file)
        return self._documents[file]

    def _build(self) -> Index:
        self._trusted = False  # edited since it shipped, so every guard applies
        index = Index(files=self.digests)
        for file in self.files:
            if file != VERSION_FILE:
                index.add(file, kind_of(file), self.document(file).data)
        return index


class Catalog:
    """Everything aiplan knows about hardware, models, places and published figures."""

    def __init__(self, overlay: Path | None = None) -> None:
        """Open the shipped catalog, optionally overlaid.

        Raises
        ------
        InputError when the overlay is no folder or one of its files cannot be read.
        """
        self._folders = [_Folder(shipped("hardware_catalog"), trusted=True)]
        if overlay is not None:
            if not overlay.is_dir():
                raise InputError(Problem("E120", f"no catalog folder '{overlay}'", hint="give an existing folder"))
            self._folders.insert(0, _Folder(overlay, trusted=False))
        self._names: dict[str, Names] = {}
        self._entries: dict[tuple[str, str], Section] = {}

    @property
    def version(self) -> str:
        """Version of the shipped catalog; ``+overlay`` where one is laid over it."""
        text = str(self._folders[-1].document(VERSION_FILE).data["catalog"]["version"])
        return text if len(self._folders) == 1 else f"{text}+overlay"

    @property
    def sha256(self) -> str:
        """Hash over all files of the catalog."""
        lines = [f"{name} {digest}" for folder in self._folders for name, digest in folder.digests.items()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def kinds(self) -> list[str]:
        """Kinds that have entries, sorted."""
        return sorted({kind for folder in self._folders for kind in folder.index.entries})

    def ids(self, kind: str) -> list[str]:
        """Ids of a kind, sorted."""
        return sorted({entry for folder in self._folders for entry in folder.index.entries.get(kind, {})})

    def facts(self, kind: str) -> dict[str, Facts]:
        """The indexed fields of every entry of a kind, by id."""
        merged: dict[str, Facts] = {}
        for folder in reversed(self._folders):
            merged.update(folder.index.facts.get(kind, {}))
        return merged

    def names(self, kind: str) -> Names:
        """Ids and aliases of a kind."""
        if kind not in self._names:
            aliases: dict[str, str] = {}
            for folder in reversed(self._folders):
                aliases.update(folder.index.aliases.get(kind, {}))
                aliases.update({entry: entry for entry in folder.index.entries.get(kind, {})})
            self._names[kind] = Names.from_aliases(aliases)
        return self._names[kind]

    def resolve(self, kind: str, text: str) -> str:
        """The id a name stands for.

        Raises
        ------
        InputError with the nearest ids.
        """
        found = self.names(kind).resolve(text)
        if found is None:
            near = self.names(kind).nearest(text)
            hint = f"did you mean {' or '.join(near)}?" if near else f"see `aiplan catalog list {kind}`"
            from aiplan.inputs.reader import printable

            message = f"no {kind.removesuffix('s')} '{printable(text)[:80]}' in the catalog"
            raise InputError(Problem("E121", message, hint=hint))
        return found

    def get(self, kind: str, text: str) -> Any:
        """The entry a name stands for, checked, with every number's source filled in.

        Returns
        -------
        The kind's class of `aiplan.catalog.schema`.

        Raises
        ------
        InputError when there is no such entry or it does not fit its schema.
        """
        entry_id = self.resolve(kind, text)
        key = (kind, entry_id)
        if key not in self._entries:
            self._entries[key] = self._validate(kind, entry_id)
        return self._entries[key]

    def raw(self, kind: str, entry_id: str) -> tuple[Mapping[str, Any], Document]:
        """An entry as written, with the shape of its parent filled in, and the file it stands in."""
        for folder in self._folders:
            file = folder.index.entries.get(kind, {}).get(entry_id)
            if file is not None:
                document = folder.document(file)
                return self._with_parent(kind, document.data[entry_id]), document
        raise KeyError(entry_id)

    def _with_parent(self, kind: str, entry: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
        parent_id = entry.get("shape_of")
        if kind != "models" or not isinstance(parent_id, str) or depth > 3:
            return entry
        if parent_id not in self.ids(kind):
            return entry
        parent, _ = self.raw(kind, parent_id)
        shape = {key: value for key, value in self._with_parent(kind, parent, depth + 1).items() if key not in _OWN}
        return {**shape, **entry}

    def _validate(self, kind: str, entry_id: str) -> Section:
        from aiplan.catalog.schema import KINDS
        from aiplan.inputs.fields import validate_section, with_sources

        raw, document = self.raw(kind, entry_id)
        entry = validate_section(KINDS[kind], raw, document, (entry_id,))
        source = getattr(entry, "source", "")
        grade, evidence = getattr(entry, "grade", "assumption"), getattr(entry, "evidence", "published")
        return with_sources(entry, lambda _: (source, grade, evidence))

    def title(self, source_id: str) -> str:
        """Title of a source, or the text itself when it is a file position rather than a source id."""
        if source_id in self.names("sources").ids():
            raw, _ = self.raw("sources", source_id)
            return str(raw.get("title", source_id))
        return source_id

    def check_all(self) -> list[Problem]:
        """Problems of every entry of every file."""
        from aiplan.catalog.schema import KINDS

        problems: list[Problem] = []
        for folder in self._folders:
            for file in folder.files:
                try:
                    check_values(folder.document(file))
                except InputError as error:
                    problems += error.problems
        for kind in self.kinds():
            if kind not in KINDS:
                problems.append(Problem("E122", f"'{kind}' is not a kind of catalog entry", hint=", ".join(KINDS)))
                continue
            for entry_id in self.ids(kind):
                try:
                    self.get(kind, entry_id)
                except InputError as error:
                    problems += error.problems
        return problems


def rebuild_index(folder: Path) -> str:
    """Text of the index of a catalog folder, made from its files as they are now.

    Raises
    ------
    InputError when the folder is missing or one of its files cannot be read.
    """
    if not folder.is_dir():
        raise InputError(Problem("E120", f"no catalog folder '{folder}'", hint="give an existing folder"))
    files = read_files(folder)
    index = Index(files=hashes(files))
    for file, raw in files.items():
        if file != VERSION_FILE:
            index.add(file, kind_of(file), parse_toml(raw, f"{folder.name}/{file}", folder / file).data)
    return index.to_json()
