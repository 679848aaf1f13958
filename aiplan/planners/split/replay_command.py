"""`aiplan split replay` on the command line."""

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
    StampOption,
    TableOption,
    emit,
    now,
    open_catalog,
    with_examples,
)

if TYPE_CHECKING:
    from aiplan.errors import Problem
    from aiplan.planners.split.replay_plan import Asked

MOST_MACHINES = 100_000
PoolOption = list[str] | None


@with_examples(
    "aiplan split replay --trace requests.csv --profile splitwise-bloom-176b --prompt dgx-h100:25 --token dgx-a100:26",
    "aiplan split replay --trace requests.csv.gz --profile splitwise-llama2-70b --mixed dgx-h100:40 --format json",
)
def replay(
    trace: Annotated[
        str, typer.Option("--trace", metavar="FILE", help="Requests: CSV, also .csv.gz, of Azure's or the simulator's "
                          "columns; or the name of a shipped trace.", show_default=False)
    ],
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Measured times of a model on machines, from the catalog.",
                          show_default=False)
    ],
    prompt: Annotated[
        PoolOption, typer.Option("--prompt", metavar="MACHINE:COUNT", help="Prompt machines. Repeatable.",
                                 show_default=False)
    ] = None,
    token: Annotated[
        PoolOption, typer.Option("--token", metavar="MACHINE:COUNT", help="Token machines. Repeatable.",
                                 show_default=False)
    ] = None,
    mixed: Annotated[
        PoolOption, typer.Option("--mixed", metavar="MACHINE:COUNT", help="Machines for both, instead. Repeatable.",
                                 show_default=False)
    ] = None,
    decode_model: Annotated[
        str, typer.Option("--decode-model", metavar="MODEL", help="measured, roofline, or simcompat (the paper's "
                          "simulator, with its artefact).")
    ] = "measured",
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    explain: ExplainOption = None,
    force: ForceOption = False,
    stamp: StampOption = False,
) -> None:  # fmt: skip
    """Send a trace through a cluster of prompt and token machines, event by event: TTFT, TBT and E2E of every request,
    and whether the nine promises of the Splitwise paper hold.
    """
    from dataclasses import replace

    from aiplan.planners.split.replay_plan import replay_plan
    from aiplan.planners.split.replay_report import replay_report
    from aiplan.report.formats import choose_format
    from aiplan.report.progress import progress_bar
    from aiplan.report.write import check_target
    from aiplan.resources import find_trace

    choose_format(format_, output)
    asked = _asked(find_trace(trace), profile, prompt or [], token or [], mixed or [], decode_model)
    check_target(output, force=force, inputs=(asked.trace,))
    shelf = open_catalog(catalog)
    with progress_bar("requests") as progress:
        result = replay_plan(asked, shelf, progress)
    report = replay_report(result, shelf)
    if stamp:
        report = replace(report, stamp=now())
    emit(report, format_=format_, output=output, table=table, explain=explain, force=force, read=(asked.trace,))


def _asked(
    trace: Path, profile: str, prompt: list[str], token: list[str], mixed: list[str], decode_model: str
) -> Asked:
    """The options as a question; every problem of them at once."""
    from aiplan.errors import InputError, Problem
    from aiplan.planners.split.offers import DECODE_MODELS
    from aiplan.planners.split.replay_plan import Asked

    problems: list[Problem] = []
    pools = {
        name: _pool(f"--{name}", texts, problems)
        for name, texts in (("prompt", prompt), ("token", token), ("mixed", mixed))
    }
    if decode_model not in DECODE_MODELS:
        problems.append(Problem("E222", f"--decode-model '{decode_model[:40]}' is not known", file="--decode-model",
                                hint=f"one of {', '.join(DECODE_MODELS)}"))  # fmt: skip
    if mixed and (prompt or token):
        problems.append(Problem("E207", "--mixed excludes --prompt and --token", hint="drop one of them"))
    elif not mixed and not (prompt and token):
        problems.append(Problem("E222", "no cluster: --prompt and --token, or --mixed, must say of what machines",
                                hint="e.g. --prompt dgx-h100:25 --token dgx-a100:26"))  # fmt: skip
    if problems:
        raise InputError(problems)
    model = next(name for name in DECODE_MODELS if name == decode_model)
    return Asked(trace, profile, pools["prompt"], pools["token"], pools["mixed"], model)


def _pool(option: str, texts: list[str], problems: list[Problem]) -> tuple[tuple[str, int], ...]:
    """``dgx-h100:25`` as name and count."""
    from aiplan.errors import Problem

    found = []
    for text in texts:
        name, _, count = text.rpartition(":")
        if not name or not count.isascii() or not count.isdigit() or not 1 <= int(count[:9]) <= MOST_MACHINES:
            problems.append(Problem("E222", f"{option} '{text[:60]}' is not a machine and a count from 1 to "
                                    f"{MOST_MACHINES:,}", file=option, hint="write e.g. dgx-h100:25"))  # fmt: skip
        else:
            found.append((name, int(count)))
    return tuple(found)
