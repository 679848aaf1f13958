"""What is curated by hand about a model, beside its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.transcribe.model_formula import Shape


@dataclass(frozen=True)
class Count:
    """A parameter count in print, in units of 1e9."""

    value: float
    source: str
    kind: str = "stated"
    """``stated``, or ``rounded name`` where only the model's name tells."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A catalog entry. Either ``shape`` or ``of`` is given.

    ``evidence`` is how the shape was seen; None takes it from the source. ``context`` and ``precision``
    replace what the shape or the parent says.
    """

    id: str
    name: str
    file: str
    family: str
    vendor: str
    source: str
    shape: Shape | None = None
    of: str = ""
    tier: str = ""
    evidence: str | None = None
    released: str = ""
    licence: str = ""
    hf: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    context: int | None = None
    precision: str = ""
    total: Count | None = None
    active: Count | None = None
    extra_params: int | None = None
    extra_modules: str = ""
    note: str = ""
    conflicts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the models of one family share."""

    file: str
    family: str
    vendor: str
    licence: str = ""

    def own(self, id: str, name: str, shape: Shape, tier: str, source: str, **rest: Any) -> Record:
        """A model with a shape of its own."""
        return self._record(id=id, name=name, shape=shape, tier=tier, source=source, **rest)

    def same(self, id: str, name: str, of: str, source: str, **rest: Any) -> Record:
        """A model that shares the shape of ``of``."""
        return self._record(id=id, name=name, of=of, source=source, **rest)

    def _record(self, **values: Any) -> Record:
        shared = {"file": self.file, "family": self.family, "vendor": self.vendor, "licence": self.licence}
        return Record(**(shared | values))
