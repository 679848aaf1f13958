"""`aiplan stabilize check` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiplan.planners.door import (
    CatalogOption,
    ExplainOption,
    ForceOption,
    FormatOption,
    OutputOption,
    SetOption,
    StampOption,
    TableOption,
    emit,
    now,
    open_catalog,
    with_examples,
)

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.stabilize.check_plan import CheckResult

SETTLE_S = 30.0
UNTOLD = "W-STABILIZE-UNTOLD"


@with_examples(
    "aiplan stabilize check site.csv --limits reference-a",
    "aiplan stabilize check site.csv --limits my-utility.toml --set limits.ramp_up_mw_per_min=10 --format json",
)
def check(
    wave: Annotated[
        Path, typer.Argument(metavar="WAVE.csv", show_default=False,
                             help="CSV with t_s and a power column that ends in _w, _kw or _mw, or one per server.")
    ],
    limits: Annotated[
        str | None, typer.Option("--limits", metavar="FILE|PRESET", show_default=False,
                                 help="File with [limits], which a scenario is too, or a preset of the catalog.")
    ] = None,
    column: Annotated[
        str, typer.Option("--column", metavar="NAME", show_default=False,
                          help="Column of power, where names do not tell which is the sum.")
    ] = "",
    set_: SetOption = None,
    settle: Annotated[
        float, typer.Option("--settle", metavar="SECONDS", help="Time after a start before the state is steady.")
    ] = SETTLE_S,
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    explain: ExplainOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3, too, where a limit cannot be told.")] = False,
    force: ForceOption = False,
    stamp: StampOption = False,
) -> None:  # fmt: skip
    """Hold a measured wave of power to the limits of a connection: ramps, range, lines, bands and flicker, limit by
    limit with margin, moment and frequency. Exit code 3 where one is broken; what the file cannot tell is said, and
    ends with exit code 0 unless --strict is given.
    """
    from dataclasses import replace

    from aiplan.planners.stabilize.check_plan import check_plan
    from aiplan.planners.stabilize.check_report import check_report
    from aiplan.planners.stabilize.limits_file import read_limits
    from aiplan.planners.stabilize.wave_file import read_wave
    from aiplan.report.formats import choose_format
    from aiplan.report.talk import talk
    from aiplan.report.write import check_target

    chosen = choose_format(format_, output)
    _settles(settle)
    shelf = open_catalog(catalog)
    read = read_limits(_named(limits, shelf), set_ or [], shelf)
    for note in read.notes:
        talk(f"note: {note}\n")
    inputs = (wave, *read.files)
    check_target(output, force=force, inputs=inputs)
    result = check_plan(read_wave(wave, column), read, settle)
    report = check_report(result, shelf)
    if stamp:
        report = replace(report, stamp=now())
    emit(report, format_=format_, output=output, table=table, explain=explain, force=force, read=inputs)
    _end(result, chosen, strict)


def _settles(settle: float) -> None:
    from aiplan.errors import InputError, Problem

    if not 0.0 <= settle <= 1e9:
        raise InputError(Problem("E102", f"--settle must be a time of 0 s or more, got {settle:g}", file="--settle",
                                 hint=f"{SETTLE_S:g} s is the default"))  # fmt: skip


def _named(limits: str | None, shelf: Catalog) -> str:
    from aiplan.errors import InputError, Problem

    if limits:
        return limits
    presets = ", ".join(shelf.ids("limits"))
    raise InputError(Problem("E306", "nothing says what the connection allows", file="--limits",
                             hint=f"give --limits FILE, or a preset: {presets}"))  # fmt: skip


def _end(result: CheckResult, chosen: str, strict: bool) -> None:
    """Say what could not be told where the report goes elsewhere, and end with exit code 3 where a limit is broken.

    Or, with ``strict``, where one cannot be told.
    """
    from aiplan.errors import PolicyViolatedError
    from aiplan.planners.stabilize.check_report import worst_words
    from aiplan.report.sanitize import clean_line
    from aiplan.report.talk import talk

    if chosen in ("table", "md", "html"):  # the other formats have said their warnings already
        for warning in result.warnings:
            if warning.code == UNTOLD:
                talk(f"warning[{warning.code}]: {clean_line(warning.message)}\n")
    if result.verdict == "fail":
        message = f"{result.file.name} breaks {clean_line(worst_words(result.worst))}"
        raise PolicyViolatedError(message, code="E305", hint="the table 'limits' has every limit")
    if strict and result.verdict == "undetermined":
        message = f"{result.file.name} does not tell whether every limit is kept"
        hint = "the table 'limits' says why; without --strict this is no failure"
        raise PolicyViolatedError(message, code="E325", hint=hint)
