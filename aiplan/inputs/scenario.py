"""From a scenario's name to checked inputs: base, file, ``--set``, units, every problem at once.

A scenario is one TOML file. ``[scenario]`` names it; the other sections are the planner's. A number without a
source of its own carries the scenario's (``source`` and ``grade`` under ``[scenario]``), else the file and line
it stands in, and then it is an assumption.
"""

import contextlib
import difflib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from aiplan.errors import InputError, Problem, in_reading_order
from aiplan.inputs.conversion import tables_of_names
from aiplan.inputs.fields import Finding, Id, Origin, Section, Text, check_section, named_files, with_sources
from aiplan.inputs.overrides import SET, assign, merge, parse_overrides
from aiplan.inputs.positions import Positions, as_written, dotted_path
from aiplan.inputs.reader import Document, Path_, printable, read_toml
from aiplan.resources import find_trace, scenario_names, shipped

S = TypeVar("S", bound=Section)
MAX_SAMPLES = 1 << 20
MAX_BASES = 4

Grade = Literal["measured", "datasheet", "paper", "vendor_claim", "estimate", "assumption"]
Evidence = Literal["published", "second-hand", "derived", "assumed", "unverified"]


class Header(Section):
    """What the scenario is and where its numbers come from."""

    name: Id
    """Short id; becomes the scenario column of a CSV."""
    title: Text = ""
    """One line for people."""
    description: Text = ""
    """What the scenario stands for."""
    planner: Id | None = None
    """Command the scenario is made for."""
    base: Text | None = None
    """Shipped scenario name, or a file in this scenario's folder, whose values hold where this one is silent."""
    as_of: date | None = None
    """Day up to which the data was current."""
    source: Text | None = None
    """Catalog source id of every number here that names none itself."""
    grade: Grade | None = None
    """Grade of every number here that names none itself."""
    evidence: Evidence | None = None
    """How the numbers here were seen, where they do not say it themselves."""


class Correlation(Section):
    """A rank correlation between two uncertain inputs, by a Gaussian copula."""

    a: Text
    """Path of the first input, e.g. ``facility.pue``."""
    b: Text
    """Path of the second input."""
    rho: Annotated[float, Field(ge=-1.0, le=1.0)]
    """Correlation of the underlying normals."""


class Uncertainty(Section):
    """How uncertain inputs are sampled."""

    samples: Annotated[int, Field(ge=2, le=MAX_SAMPLES)] = 200_000
    """Number of draws."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed; the same seed gives the same bytes."""
    sampling: Literal["random", "lhs", "sobol"] = "random"
    """Independent draws, Latin hypercube, or Sobol points (then a power of two of them)."""
    correlations: Annotated[tuple[Correlation, ...], Field(strict=False, max_length=200)] = ()
    """Pairs of inputs that move together."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One file (or the command line) that contributed values."""

    document: Document
    where: Positions
    header: Mapping[str, Any]
    is_file: bool = True

    def depth(self, path: Path_) -> int:
        """How many parts of ``path`` this layer holds, in whatever unit."""
        return len(as_written(self.document.data, path))


@dataclass(frozen=True, slots=True)
class Scenario(Generic[S]):
    """Checked inputs of a planner, with the hash of what they were resolved from."""

    header: Header
    inputs: S
    sha256: str
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()

    def reads(self) -> tuple[Path, ...]:
        """Every file of this run: its scenario files, and those that the inputs name."""
        folders = [path.parent for path in self.files]
        named: list[Path] = []
        for text, mark in named_files(self.inputs):
            with contextlib.suppress(OSError):  # a name that is none is refused where it is read
                named += [folder / text for folder in folders] if mark.beside else []
                named.append(find_trace(text))
        return (*self.files, *named)

    def placed(self, problem: Problem) -> Problem:
        """A planner's problem with an input, by its path, with the place the input was given at."""
        if problem.file or not problem.path:
            return problem
        paths = [(layer, _path_in(layer.document.data, problem.path)) for layer in self.layers]
        layer, path = max(paths, key=lambda pair: len(pair[1]), default=(None, ()))
        if layer is None:
            return problem
        place = layer.where.problem(problem.code, "", path or (problem.path,))
        return replace(place, message=problem.message, path=problem.path, hint=problem.hint)


def _path_in(data: Mapping[str, Any], dotted: str) -> Path_:
    """As much of a dotted path as a table holds, where names may have dots of their own."""
    path: list[str] = []
    table: Any = data
    while isinstance(table, Mapping) and dotted:
        key = max((key for key in table if f"{dotted}.".startswith(f"{key}.")), key=len, default=None)
        if key is None:
            break
        path.append(key)
        table, dotted = table[key], dotted[len(key) + 1 :]
    return tuple(path)


def find_scenario(text: str) -> Path:
    """The file a scenario argument means: a path, or the name of a shipped scenario.

    Raises
    ------
    InputError with the nearest shipped names.
    """
    if text.endswith(".toml") or os.path.isfile(text):
        return Path(text)
    if text in scenario_names():
        return shipped("scenarios") / f"{text}.toml"
    if os.path.lexists(text):
        return Path(text)
    near = difflib.get_close_matches(text[:80], scenario_names(), n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"shipped scenarios: {', '.join(scenario_names())}"
    raise InputError(Problem("E111", f"no scenario '{printable(text[:80])}'", hint=hint))


def load_scenario(text: str, model: type[S], overrides: Sequence[str] = (), planner: str | None = None) -> Scenario[S]:
    """Load, resolve and check a scenario for a planner.

    Parameters
    ----------
    text : path or shipped name
    model : the planner's inputs, one field per section
    overrides : texts of ``--set``
    planner : command asking; a scenario that names another is refused

    Raises
    ------
    InputError with every problem of the file and of the overrides.
    """
    files = _layers(find_scenario(text))
    changes = [Layer(document, Positions(document), {}, is_file=False) for document in parse_overrides(overrides)]
    layers = [*reversed(changes), *files]
    data: dict[str, Any] = {}
    whole = frozenset(tables_of_names(model))
    for layer in reversed(layers):
        if layer.is_file:  # a header speaks for its own file only
            data.pop("scenario", None)
        data = merge(data, layer.document.data, whole) if layer.is_file else assign(data, layer.document)
    _check_headers(files, changes, planner, text)
    inputs, found, more = check_section(model, data)
    if inputs is None:
        raise InputError(in_reading_order([_locate(finding, layers) for finding in found]), more)
    header: Header = inputs.scenario  # type: ignore[attr-defined]
    sourced = with_sources(inputs, _origins(layers))
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
    notes = tuple(f"{layer.document.name}: {note}" for layer in files for note in layer.document.notes)
    paths = tuple(layer.document.path for layer in files if layer.document.path)
    return Scenario(header, sourced, digest, paths, notes, tuple(layers))


def _check_headers(files: list[Layer], changes: list[Layer], planner: str | None, text: str) -> None:
    """Refuse a scenario made for another command, headers of bases that do not hold, and a base given too late."""
    meant = files[0].header.get("planner")
    if planner and isinstance(meant, str) and meant != planner:
        shown = printable(meant[:80])
        hint = f"run `aiplan {shown} {printable(text)}`"
        raise InputError(files[0].where.problem("E112", f"is for `aiplan {shown}`, not `aiplan {planner}`",
                                                ("scenario", "planner"), hint))  # fmt: skip
    problems = [
        layer.where.problem("E113", "cannot be changed", ("scenario", "base"), "name the scenario to run instead")
        for layer in changes
        if layer.depth(("scenario", "base")) == len(("scenario", "base"))
    ]
    for layer in files[1:]:
        for path, message, hint, code in check_section(Header, layer.header)[1]:
            problems.append(layer.where.problem(code, message, ("scenario", *path), hint))
    if problems:
        raise InputError(problems)


def _layers(path: Path) -> list[Layer]:
    """The file and its bases, nearest first."""
    layers: list[Layer] = []
    seen: set[Path] = set()
    current = path
    shown = _shown(path) or str(path)
    while True:
        document = read_toml(current, shown)
        raw = document.data.get("scenario")
        header: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        where = Positions(document)
        layers.append(Layer(document, where, header))
        seen.add(current.resolve())
        base = header.get("base")
        if not isinstance(base, str):
            return layers
        following = _base_path(base, current)
        reason, hint = "", ""
        if following is None:
            reason, hint = "is neither a shipped scenario nor a file in this folder", "name a shipped scenario"
        elif following.resolve() in seen:
            reason, hint = "leads back to a scenario already loaded", "break the circle"
        elif len(layers) > MAX_BASES:
            reason, hint = f"is more than {MAX_BASES} bases deep", "flatten the chain"
        if reason or following is None:
            raise InputError(where.problem("E113", reason, ("scenario", "base"), hint))
        current, shown = following, _shown(following) or str(Path(shown).parent / base)


def _shown(path: Path) -> str | None:
    """A shipped scenario's name in messages and sources, the same wherever aiplan is installed."""
    return f"scenarios/{path.name}" if path.parent == shipped("scenarios") else None


def _base_path(base: str, current: Path) -> Path | None:
    """A base is a shipped name or a file below the scenario's own folder, links resolved."""
    if base in scenario_names():
        return shipped("scenarios") / f"{base}.toml"
    if ".." in Path(base).parts or Path(base).is_absolute():
        return None
    folder = current.resolve().parent
    try:
        candidate = (folder / base).resolve()
        return candidate if candidate.is_relative_to(folder) and candidate.is_file() else None
    except (OSError, RuntimeError):  # a name too long, a circle of links
        return None


def _locate(finding: Finding, layers: list[Layer]) -> Problem:
    """Point at the layer a value comes from; for what is missing, at the file that comes closest to holding it."""
    path, message, hint, code = finding
    holder = next((layer for layer in layers if layer.depth(path) == len(path)), None)
    if holder is None:
        holder = max((layer for layer in layers if layer.is_file), key=lambda layer: layer.depth(path))
        # An item of a quantity given by --set: its number is there, what is wrong with it is not.
        over = max(layers, key=lambda layer: layer.depth(path))
        holder = over if over.depth(path) > holder.depth(path) else holder
    return holder.where.problem(code, message, path, hint)


def _origins(layers: list[Layer]) -> Origin:
    """How to find source, grade and evidence of a number that states none."""

    def origin(path: Path_) -> tuple[str, str, str]:
        layer = next((layer for layer in layers if layer.depth(path) == len(path)), None)
        if layer is None:
            return "default of aiplan", "assumption", "assumed"
        if not layer.is_file:
            return f"{SET} {dotted_path(as_written(layer.document.data, path))}", "assumption", "assumed"
        head = layer.header
        if head.get("source"):
            return head["source"], head.get("grade") or "assumption", head.get("evidence") or "published"
        return layer.where.source(path), head.get("grade") or "assumption", head.get("evidence") or "assumed"

    return origin
