"""The one command line every planner has: scenario in, report out.

A planner describes itself with a `Planner`; `planner_command` turns that into the Typer command, so that options,
order of work, messages and exit codes are the same for all of them.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from aiplan.completion import complete_format, complete_scenario, complete_set
from aiplan.inputs.scenario import MAX_SAMPLES, Scenario

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.errors import AiplanError
    from aiplan.report.model import Report

Command = TypeVar("Command", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Planner:
    """What the door needs to know of a planner.

    ``inputs`` is the scenario's model, ``default`` the shipped scenario that runs without an argument, ``answer``
    turns a checked scenario and the catalog into a report. ``refused`` gives the error of a finished report that is no
    solution, None where it is one, for planners whose report is worth reading then, too: it is written before the
    exit code tells.
    """

    name: str
    inputs: Callable[[], Any]
    default: str
    answer: Callable[[Scenario[Any], Catalog], Report]
    refused: Callable[[Report], AiplanError | None] | None = None


ScenarioArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="SCENARIO",
        help="Scenario file, or the name of a shipped one. Without it the shipped default runs.",
        autocompletion=complete_scenario,
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one input, e.g. --set facility.pue=1.2. Repeatable.",
                 autocompletion=complete_set, show_default=False),
]  # fmt: skip
FormatOption = Annotated[
    str | None,
    typer.Option("--format", "-f", metavar="FORMAT", autocompletion=complete_format, show_default=False,
                 help="table (default), json, csv, md or html. With -o the file's ending decides."),
]  # fmt: skip
OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file, whole or not at all; - is stdout.",
                 show_default=False),
]  # fmt: skip
TableOption = Annotated[
    str | None,
    typer.Option("--table", metavar="NAME", help="Print only this table of the report.", show_default=False),
]
SamplesOption = Annotated[
    int | None,
    typer.Option("--samples", metavar="N", min=2, max=MAX_SAMPLES, help="Number of draws.", show_default=False),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, help="Seed of the draws.", show_default=False)
]
CatalogOption = Annotated[
    Path | None,
    typer.Option("--catalog", metavar="DIR", help="Folder of catalog files laid over the shipped ones.",
                 show_default=False),
]  # fmt: skip
ExplainOption = Annotated[
    str | None,
    typer.Option("--explain", metavar="[LINE]", help="Show formula, inputs and sources of one line, or of all.",
                 show_default=False),
]  # fmt: skip
ForceOption = Annotated[bool, typer.Option("--force", help="Let -o replace an existing file.", show_default=False)]
StampOption = Annotated[
    bool, typer.Option("--stamp", help="Add the time of the run to the report.", show_default=False)
]


def planner_command(planner: Planner, about: str, examples: tuple[str, str]) -> Callable[..., None]:
    """The Typer command of a planner.

    Parameters
    ----------
    planner : what to run
    about : first paragraph of the help
    examples : two command lines worth copying
    """

    def command(
        scenario: ScenarioArgument = None,
        set_: SetOption = None,
        format_: FormatOption = None,
        output: OutputOption = None,
        table: TableOption = None,
        samples: SamplesOption = None,
        seed: SeedOption = None,
        catalog: CatalogOption = None,
        explain: ExplainOption = None,
        force: ForceOption = False,
        stamp: StampOption = False,
    ) -> None:
        run_planner(
            planner,
            scenario,
            set_,
            format_=format_,
            output=output,
            table=table,
            samples=samples,
            seed=seed,
            catalog=catalog,
            explain=explain,
            force=force,
            stamp=stamp,
        )

    command.__doc__ = about
    return with_examples(*examples)(command)


def run_planner(
    planner: Planner,
    scenario: str | None,
    set_: list[str] | None,
    *,
    format_: str | None = None,
    output: str | None = None,
    table: str | None = None,
    samples: int | None = None,
    seed: int | None = None,
    catalog: Path | None = None,
    explain: str | None = None,
    force: bool = False,
    stamp: bool = False,
) -> None:
    """Scenario in, report out: what every planner's command does with its options.

    For planners whose command has options of its own; the others take `planner_command`.
    """
    from dataclasses import replace

    from aiplan.inputs.scenario import load_scenario
    from aiplan.report.formats import choose_format
    from aiplan.report.talk import talk
    from aiplan.report.write import check_target

    choose_format(format_, output)
    overrides = list(set_ or [])
    overrides += [f"uncertainty.samples={samples}"] if samples is not None else []
    overrides += [f"uncertainty.seed={seed}"] if seed is not None else []
    loaded = load_scenario(scenario or planner.default, planner.inputs(), overrides, planner.name)
    for note in loaded.notes:
        talk(f"note: {note}\n")
    check_target(output, force=force, inputs=loaded.reads())
    report = _answer(planner, loaded, open_catalog(catalog))
    if stamp:
        report = replace(report, stamp=now())
    emit(report, format_=format_, output=output, table=table, explain=explain, force=force, read=loaded.reads())
    if planner.refused is not None and (why := planner.refused(report)) is not None:
        raise why


def _answer(planner: Planner, scenario: Scenario[Any], catalog: Catalog) -> Report:
    """The planner's report.

    Raises
    ------
    InputError where the numbers given lead beyond those a computer can hold: each is allowed, together they are not.
    """
    import numpy as np

    from aiplan.errors import InputError, Problem, in_reading_order

    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            return planner.answer(scenario, catalog)
    except InputError as error:
        raise InputError(in_reading_order([scenario.placed(problem) for problem in error.problems])) from None
    except ArithmeticError as error:
        hint = "look for one that is far too large, far too small, or zero"
        raise InputError(Problem("E118", f"the numbers given cannot be computed with: {error}", hint=hint)) from None


def with_examples(*examples: str) -> Callable[[Command], Command]:
    """Decorator: command lines worth copying below a command's docstring, which Typer shows as its help."""

    def add(command: Command) -> Command:
        # Click leaves the lines of a paragraph alone behind \b.
        about = inspect.cleandoc(command.__doc__ or "")
        command.__doc__ = "\n".join([about, "", "\b", "Examples:", *(f"  {line}" for line in examples)])
        return command

    return add


def open_catalog(overlay: Path | None) -> Catalog:
    """The shipped catalog, with a folder laid over it if one is given."""
    from aiplan.catalog.loader import Catalog

    return Catalog(overlay)


def now() -> str:
    """Time of the run for ``--stamp``; the only clock aiplan reads."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def emit(
    report: Report,
    *,
    format_: str | None = None,
    output: str | None = None,
    table: str | None = None,
    explain: str | None = None,
    force: bool = False,
    read: tuple[Path, ...] = (),
) -> None:
    """Render a report and write it: data to stdout or a file, warnings to stderr."""
    from aiplan.report.formats import choose_format, render
    from aiplan.report.sanitize import clean_line
    from aiplan.report.talk import talk
    from aiplan.report.terminal import Terminal, detect
    from aiplan.report.write import write_output

    chosen = choose_format(format_, output)
    terminal = detect(sys.stdout, os.environ) if output in (None, "-") else Terminal()
    wanted: bool | str = False if explain is None else explain == "all" or explain
    text = render(report, chosen, table=table, explain=wanted, terminal=terminal)
    if chosen not in ("table", "md", "html"):
        for warning in report.warnings:
            talk(f"warning[{warning.code}]: {clean_line(warning.message)}\n")
    write_output(text, output, force=force, inputs=read)
