"""The catalog: entries by kind and id, found by any name they are known under.

The shipped catalog may be overlaid by a folder of the same layout (``--catalog DIR``): an entry there replaces
the shipped one of the same kind and id, or adds to it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiplan.catalog.index import OWN, Facts, Form, Index, hashes, kind_of, load_index, read_files
from aiplan.catalog.names import Names
from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import Document, check_values, parse_toml
from aiplan.resources import shipped

if TYPE_CHECKING:
    from aiplan.inputs.fields import Section

VERSION_FILE = "catalog.toml"
MAX_PARENTS = 3
UNVERIFIED = ("assumption", "unverified")
"""Grade and evidence of what an entry lists among its ``unverified_fields``."""


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
        problems: list[Problem] = []
        for file in self.files:
            try:
                data = self.document(file).data
            except InputError as error:
                problems += error.problems
                continue
            if file != VERSION_FILE:
                index.add(file, kind_of(file), data)
        if problems:
            raise InputError(problems)
        return index


class Catalog:
    """Everything aiplan knows about hardware, models, places and published figures."""

    def __init__(self, overlay: Path | None = None, *, check: bool = True) -> None:
        """Open the shipped catalog, optionally overlaid.

        Parameters
        ----------
        overlay : folder laid over the shipped one
        check : whether to refuse an overlay with an entry that does not fit its schema

        Raises
        ------
        InputError when the overlay is no folder, one of its files cannot be read, or an entry does not fit.
        """
        self._folders = [_Folder(shipped("hardware_catalog"), trusted=True)]
        if overlay is not None:
            if not os.path.isdir(overlay):  # unlike Path.is_dir, quiet about names too long to exist
                raise InputError(Problem("E120", f"no catalog folder '{overlay}'", hint="give an existing folder"))
            self._folders.insert(0, _Folder(overlay, trusted=False))
        self._names: dict[str, Names] = {}
        self._entries: dict[tuple[str, str], Any] = {}
        self._checked: dict[tuple[str, str], Section] = {}
        if overlay is not None and check and (problems := self._problems(self._folders[:1])):
            raise InputError(problems)

    @property
    def folders(self) -> list[Path]:
        """Folders of the catalog, the shipped one last."""
        return [folder.path for folder in self._folders]

    def documents(self) -> list[tuple[Path, str, Document]]:
        """Every file: its folder, its path there, and what it says; the shipped folder last."""
        return [(folder.path, file, folder.document(file)) for folder in self._folders for file in folder.files]

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

    def is_overlaid(self, kind: str, entry_id: str) -> bool:
        """Whether an entry comes from the folder laid over the shipped catalog."""
        return any(entry_id in folder.index.entries.get(kind, {}) for folder in self._folders[:-1])

    def names(self, kind: str) -> Names:
        """Ids and aliases of a kind."""
        if kind not in self._names:
            aliases: dict[str, str] = {}
            for folder in reversed(self._folders):
                aliases.update(folder.index.aliases.get(kind, {}))
            aliases.update({entry: entry for entry in self.ids(kind)})
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

    def raw(self, kind: str, entry_id: str, parents: int = MAX_PARENTS) -> tuple[Mapping[str, Any], Document]:
        """An entry as written, with the shape of its parent filled in, and the file it stands in.

        At most ``parents`` parents are followed, so that a circle ends in missing fields and not in a crash.
        """
        for folder in self._folders:
            file = folder.index.entries.get(kind, {}).get(entry_id)
            if file is not None:
                document = folder.document(file)
                return self._with_parent(kind, document.data[entry_id], parents), document
        raise KeyError(entry_id)

    def _with_parent(self, kind: str, entry: Mapping[str, Any], parents: int) -> Mapping[str, Any]:
        parent_id = entry.get("shape_of")
        if kind != "models" or not isinstance(parent_id, str) or not parents or parent_id not in self.ids(kind):
            return entry
        parent, _ = self.raw(kind, parent_id, parents - 1)
        shape = {key: value for key, value in parent.items() if key not in OWN and key not in entry}
        doubtful = [*_remembered(entry), *(name for name in _remembered(parent) if name in shape)]
        return {**shape, **entry, **({"unverified_fields": doubtful} if doubtful else {})}

    def _validate(self, kind: str, entry_id: str) -> Any:
        form = next((f.index.forms.get(kind) for f in self._folders if entry_id in f.index.entries.get(kind, {})), None)
        if form is not None:
            return _read_known(self.raw(kind, entry_id)[0], form)
        return self.checked(kind, entry_id)

    def checked(self, kind: str, entry_id: str) -> Section:
        """The entry of an id as its kind's class, asked of the schema even where the index vouches for it.

        Raises
        ------
        InputError when it does not fit.
        """
        from aiplan.catalog.schema import KINDS
        from aiplan.inputs.fields import validate_section, with_sources

        key = (kind, entry_id)
        if key in self._checked:
            return self._checked[key]
        raw, document = self.raw(kind, entry_id)
        entry = validate_section(KINDS[kind], raw, document, (entry_id,))
        source = getattr(entry, "source", "")
        grade, evidence = getattr(entry, "grade", "assumption"), getattr(entry, "evidence", "published")
        doubtful = _remembered(raw)
        self._checked[key] = with_sources(
            entry, lambda path: (source, *UNVERIFIED) if path[0] in doubtful else (source, grade, evidence)
        )
        return self._checked[key]

    def title(self, source_id: str) -> str:
        """Title of a source, or the text itself when it is a file position rather than a source id."""
        return str(self.facts("sources").get(source_id, {}).get("title", source_id))

    def check_all(self) -> list[Problem]:
        """Problems of every entry of every file, where the values fit neither TOML's guards nor the schema."""
        return self._problems(self._folders)

    def _problems(self, folders: list[_Folder]) -> list[Problem]:
        from aiplan.catalog.schema import KINDS

        problems: list[Problem] = []
        for folder in folders:
            for file in folder.files:
                try:
                    check_values(folder.document(file))
                except InputError as error:
                    problems += error.problems
                if file != VERSION_FILE and kind_of(file) not in KINDS:
                    message = f"'{kind_of(file)}' is not a kind of catalog entry"
                    shown = f"{folder.path.name}/{file}"
                    problems.append(Problem("E122", message, file=shown, hint=f"kinds: {', '.join(KINDS)}"))
            above = self._above(folder)
            for kind, entries in folder.index.entries.items():
                for entry_id in entries:
                    if kind in KINDS and (kind, entry_id) not in above:
                        problems += self._misfits(kind, entry_id)
        return problems

    def index_text(self, folder: Path) -> str:
        """Text of the index of one of the catalog's folders. It checks nothing."""
        from aiplan.catalog.schema import forms

        (found,) = [one for one in self._folders if one.path.resolve() == folder.resolve()]
        index = Index(files=found.digests, forms=forms())
        for file in found.files:
            if file != VERSION_FILE:
                index.add(file, kind_of(file), found.document(file).data)
        return index.to_json()

    def converted(self) -> list[Problem]:
        """Numbers in another unit than the schema's: right, but not readable through an index."""
        from aiplan.catalog.schema import KINDS
        from aiplan.inputs.positions import Positions

        problems: list[Problem] = []
        for kind, entry_id in [(one, entry) for one in self.kinds() for entry in self.ids(one)]:
            raw, document = self.raw(kind, entry_id)
            if foreign := [key for key in raw if key not in KINDS[kind].model_fields]:
                where = Positions(document)
                problems += [
                    where.problem("E125", "is not in the unit of its field", (entry_id, key),
                                  f"write it in the unit that `aiplan catalog schema {kind}` names")
                    for key in foreign
                ]  # fmt: skip
        return problems

    def _above(self, folder: _Folder) -> set[tuple[str, str]]:
        """Kind and id of the entries laid over those of a folder."""
        over = self._folders[: self._folders.index(folder)]
        return {(kind, entry_id) for one in over for kind, ids in one.index.entries.items() for entry_id in ids}

    def _misfits(self, kind: str, entry_id: str) -> list[Problem]:
        try:
            self.checked(kind, entry_id)
        except InputError as error:
            return error.problems
        return []


def _read_known(raw: Mapping[str, Any], form: Form) -> SimpleNamespace:
    """An entry whose file is byte for byte one that passed the schema, read without asking the schema again."""
    from aiplan.inputs.quantity import parse_quantity

    source, grade = raw.get("source", ""), raw.get("grade", "assumption")
    evidence = raw.get("evidence", form["defaults"].get("evidence", "published"))
    doubtful = _remembered(raw)
    values = {name: _frozen(value) for name, value in form["defaults"].items()}
    for name, value in raw.items():
        if name in form["quantities"]:
            low, high = form["quantities"][name]
            quantity = parse_quantity(value, (-inf if low is None else low, inf if high is None else high))
            # A number that names its own source was looked up there, so it does not inherit "assumed".
            own = "published" if quantity.source and evidence == "assumed" else evidence
            values[name] = quantity.within(source, *(UNVERIFIED if name in doubtful else (grade, own)))
        elif name in form["sections"]:
            inner = {"value": value} if isinstance(value, str) else value
            values[name] = SimpleNamespace(**{k: _frozen(v) for k, v in (form["sections"][name] | inner).items()})
        else:
            values[name] = _frozen(value)
    return SimpleNamespace(**values)


def _remembered(raw: Mapping[str, Any]) -> list[str]:
    found = raw.get("unverified_fields")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def rebuild_index(folder: Path) -> str:
    """Text of the index of a catalog folder, made from its files as they are now.

    Entries that the index vouches for are later read without the schema, so that all are checked here.

    Raises
    ------
    InputError when the folder is missing, one of its files cannot be read, or an entry does not fit its schema or
    gives a number in another unit than the schema's.
    """
    if not os.path.isdir(folder):
        raise InputError(Problem("E120", f"no catalog folder '{folder}'", hint="give an existing folder"))
    catalog = Catalog(None if folder.resolve() == shipped("hardware_catalog").resolve() else folder, check=False)
    if problems := catalog.check_all() or catalog.converted():
        raise InputError(problems)
    return catalog.index_text(folder)
