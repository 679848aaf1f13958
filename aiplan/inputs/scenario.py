"""From a scenario's name to checked inputs: base, file, ``--set``, units, every problem at once.

A scenario is one TOML file. ``[scenario]`` names it; the other sections are the planner's. A number without a
source of its own carries the scenario's (``source`` and ``grade`` under ``[scenario]``), else the file and line
it stands in, and then it is an assumption.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from aiplan.errors import InputError, Problem
from aiplan.inputs.fields import Id, Origin, Section, Text, try_section, with_sources
from aiplan.inputs.overrides import SET, apply, merge
from aiplan.inputs.positions import Positions
from aiplan.inputs.reader import Document, Path_, read_toml
from aiplan.resources import scenario_names, shipped
from aiplan.units import stem

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
    header: Mapping[str, Any]

    def holds(self, path: Path_) -> bool:
        """Whether this layer gives the value at ``path``, in whatever unit."""
        table: Any = self.document.data
        for part in path[:-1]:
            table = table.get(part) if isinstance(table, Mapping) else None
        return isinstance(table, Mapping) and any(_same(key, str(path[-1])) for key in table)


def _same(key: str, wanted: str) -> bool:
    if key == wanted:
        return True
    try:
        return stem(key) == stem(wanted)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Scenario(Generic[S]):
    """Checked inputs of a planner, with the hash of what they were resolved from."""

    header: Header
    inputs: S
    sha256: str
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def find_scenario(text: str) -> Path:
    """The file a scenario argument means: a path, or the name of a shipped scenario.

    Raises
    ------
    InputError with the nearest shipped names.
    """
    path = Path(text)
    if path.suffix == ".toml" or path.exists():
        return path
    if text in scenario_names():
        return shipped("scenarios") / f"{text}.toml"
    near = difflib.get_close_matches(text, scenario_names(), n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"shipped scenarios: {', '.join(scenario_names())}"
    raise InputError(Problem("E111", f"no scenario '{_short(text)}'", hint=hint))


def _short(text: str) -> str:
    from aiplan.inputs.reader import printable

    return printable(text)[:80]


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
    layers = _layers(find_scenario(text))
    data: dict[str, Any] = {}
    for layer in reversed(layers):
        data = merge(data, layer.document.data)
    data["scenario"] = dict(layers[0].header)
    data, touched = apply(data, overrides)
    top = layers[0].document
    inputs, problems = try_section(model, data, top)
    if inputs is None:
        raise InputError([_relocate(problem, layers, touched) for problem in problems])
    header: Header = inputs.scenario  # type: ignore[attr-defined]
    if planner and header.planner and header.planner != planner:
        where = Positions(top)
        raise InputError(where.problem("E112", f"is for `aiplan {header.planner}`, not `aiplan {planner}`",
                                       ("scenario", "planner"), f"run `aiplan {header.planner} {text}`"))  # fmt: skip
    sourced = with_sources(inputs, _origins(layers, touched))
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
    notes = tuple(f"{layer.document.name}: {note}" for layer in layers for note in layer.document.notes)
    files = tuple(layer.document.path for layer in layers if layer.document.path)
    return Scenario(header, sourced, digest, files, notes)


def _layers(path: Path) -> list[Layer]:
    """The file and its bases, nearest first."""
    layers: list[Layer] = []
    seen: set[Path] = set()
    current: Path | None = path
    while current is not None:
        document = read_toml(current)
        header = document.data.get("scenario", {})
        if not isinstance(header, Mapping):
            header = {}
        layers.append(Layer(document, header))
        seen.add(current.resolve())
        base = header.get("base")
        if not isinstance(base, str):
            return layers
        following = _base_path(base, current)
        problem = None
        if following is None:
            problem = ("is neither a shipped scenario nor a file in this folder", "name a shipped scenario")
        elif following.resolve() in seen:
            problem = ("leads back to a scenario already loaded", "break the circle")
        elif len(layers) > MAX_BASES:
            problem = (f"is more than {MAX_BASES} bases deep", "flatten the chain")
        if problem:
            raise InputError(Positions(document).problem("E113", problem[0], ("scenario", "base"), problem[1]))
        current = following
    return layers


def _base_path(base: str, current: Path) -> Path | None:
    """A base is a shipped name or a file below the scenario's own folder, links resolved."""
    if base in scenario_names():
        return shipped("scenarios") / f"{base}.toml"
    folder = current.resolve().parent
    candidate = (folder / base).resolve()
    return candidate if candidate.is_relative_to(folder) and candidate.is_file() else None


def _relocate(problem: Problem, layers: list[Layer], touched: set[tuple[str, ...]]) -> Problem:
    """Point a problem at the layer its value comes from."""
    from dataclasses import replace

    if any(problem.path == ".".join(path) or problem.path.startswith(".".join(path) + ".") for path in touched):
        return replace(problem, file=SET, line=0, source_line="")
    if problem.line or len(layers) == 1:
        return problem
    path = tuple(problem.path.split("."))
    for layer in layers[1:]:
        if layer.holds(path):
            where = Positions(layer.document)
            return where.problem(problem.code, problem.message.removeprefix(problem.path + " "), path, problem.hint)
    return problem


def _origins(layers: list[Layer], touched: set[tuple[str, ...]]) -> Origin:
    """How to find source, grade and evidence of a number that states none."""
    positions: dict[int, Positions] = {}

    def origin(path: Path_) -> tuple[str, str, str]:
        text = tuple(str(part) for part in path)
        if any(text[:end] in touched for end in range(1, len(text) + 1)):
            return f"{SET} {'.'.join(text)}", "assumption", "assumed"
        for number, layer in enumerate(layers):
            if not layer.holds(path):
                continue
            head = layer.header
            if head.get("source"):
                grade = head.get("grade") or "assumption"
                return head["source"], grade, head.get("evidence") or "published"
            where = positions.setdefault(number, Positions(layer.document))
            return where.source(path), head.get("grade") or "assumption", head.get("evidence") or "assumed"
        return "default of aiplan", "assumption", "assumed"

    return origin
