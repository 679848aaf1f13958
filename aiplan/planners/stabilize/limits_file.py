"""Limits named on the command line: a file with [limits], which may be a whole scenario, or a preset of the catalog."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from aiplan.errors import InputError, Problem, in_reading_order
from aiplan.inputs.fields import Section, check_section, with_sources
from aiplan.inputs.overrides import SET, assign, parse_overrides
from aiplan.inputs.positions import Positions, as_written, dotted_path
from aiplan.inputs.reader import Path_, printable
from aiplan.inputs.scenario import Header, Layer, Scenario, load_scenario
from aiplan.planners.parameters import Parameters
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.limits_inputs import LimitsInputs, to_limits, unknown_preset
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog


class LimitsFile(Section):
    """A file of which only [limits] is read; a scenario's other sections stay unread."""

    model_config = ConfigDict(extra="ignore")

    scenario: Header = Header(name="limits")
    limits: LimitsInputs | None = None


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits, where they come from, and what a reader must know of them.

    Attributes
    ----------
    name : of the file or preset
    note : what the preset's entry says of itself; empty for numbers of one's own
    files : read
    """

    limits: Limits
    name: str
    note: str
    parameters: Parameters
    sha256: str
    files: tuple[Path, ...] = ()
    warnings: list[Warn] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def read_limits(text: str, overrides: Sequence[str], catalog: Catalog) -> ReadLimits:
    """Limits of a file or preset, with changes.

    Parameters
    ----------
    text : a path, or the name of a preset
    overrides : texts of ``--set``, which change limits only

    Raises
    ------
    InputError with every problem of the file and of the changes; see also `to_limits`.
    """
    _only_limits(overrides)
    is_file = text.endswith(".toml") or os.path.isfile(text)
    preset = None if is_file else catalog.names("limits").resolve(text)
    if not is_file and preset is None:
        raise InputError(unknown_preset(text, catalog, file="--limits"))
    scenario = load_scenario(text, LimitsFile, overrides) if preset is None else _of_preset(preset, overrides)
    section = scenario.inputs.limits
    if section is None:
        raise InputError(_no_limits(text, scenario))
    parameters, warnings = Parameters(), list[Warn]()
    try:
        limits = to_limits(section, catalog, parameters, warnings)
    except InputError as error:
        # The name of a band may have dots of its own.
        placed = [_placed(problem, tuple(problem.path.split(".", 2)), scenario.layers) for problem in error.problems]
        raise InputError(in_reading_order(placed)) from None
    name = Path(text).name if is_file else limits.name
    note = "" if section.preset is None else str(catalog.get("limits", section.preset).note)
    return ReadLimits(replace(limits, name=name), name, note, parameters, scenario.sha256, scenario.files, warnings,
                      scenario.notes)  # fmt: skip


def _only_limits(overrides: Sequence[str]) -> None:
    """Refuse changes of anything but limits, which would change nothing."""
    problems = [
        Positions(document).problem(
            "E100", "is not a known key", (key,), "only limits can be changed: limits.most_mw=50"
        )
        for document in parse_overrides(overrides)
        for key in document.data
        if key != "limits"
    ]
    if problems:
        raise InputError(problems)


def _no_limits(text: str, scenario: Scenario[LimitsFile]) -> Problem:
    tables = [key for layer in scenario.layers for key in layer.document.data if layer.is_file]
    hint = f"put them under [limits]; the file has {', '.join(printable(key[:40]) for key in tables[:8]) or 'nothing'}"
    return Problem("E306", "has no [limits]", "limits", printable(text), 1, 1, hint=hint)


def _of_preset(name: str, overrides: Sequence[str]) -> Scenario[LimitsFile]:
    """A preset with changes, as if a file named it."""
    changes = [Layer(document, Positions(document), {}, is_file=False) for document in parse_overrides(overrides)]
    data: Mapping[str, Any] = {"limits": {"preset": name}}
    for change in changes:
        data = assign(data, change.document)
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
    scenario = Scenario(Header(name="limits"), LimitsFile(), digest, (), layers=tuple(reversed(changes)))
    section, found, more = check_section(LimitsFile, data)
    if section is None:
        problems = [
            _placed(
                Problem(code, f"{dotted_path(path)} {message}", dotted_path(path), hint=hint), path, scenario.layers
            )
            for path, message, hint, code in found
        ]
        raise InputError(in_reading_order(problems), more)

    def origin(path: Path_) -> tuple[str, str, str]:
        layer = max(scenario.layers, key=lambda one: one.depth(path))
        return f"{SET} {dotted_path(as_written(layer.document.data, path))}", "assumption", "assumed"

    return replace(scenario, inputs=with_sources(section, origin))


def _placed(problem: Problem, path: Path_, layers: Sequence[Layer]) -> Problem:
    """A problem with the place that its number was given at, in whatever unit; as it is where it was given nowhere."""
    if problem.file or not layers:
        return problem
    layer = max(layers, key=lambda one: one.depth(path))
    place = layer.where.problem(problem.code, "", path)
    return replace(place, message=problem.message, path=problem.path, hint=problem.hint)
