"""`aiplan thermal fit` and `aiplan thermal telemetry` on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from aiplan.planners.door import (
    CatalogOption,
    ExplainOption,
    ForceOption,
    FormatOption,
    OutputOption,
    SeedOption,
    StampOption,
    TableOption,
    emit,
    now,
    open_catalog,
    with_examples,
)

DEFAULT_TELEMETRY = "synthetic-telemetry.csv"
MOST_SAMPLES = 20_000_000


@with_examples(
    "aiplan thermal fit telemetry.csv --gpu-tdp-w 700 --write-fit my-hall.toml",
    "aiplan thermal fit synthetic-telemetry.csv --table gpus --format csv",
)
def fit(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False,
                             help="CSV with time, server, gpu, inlet_c, power_w, temp_c; and if known load, outside_c, "
                             "row, rack, mem_temp_c.")
    ],
    gpu_tdp_w: Annotated[
        float | None, typer.Option("--gpu-tdp-w", metavar="W", min=1, max=20_000, show_default=False,
                                   help="TDP of a GPU, to judge whether power spans enough.")
    ] = None,
    write_fit: Annotated[
        str | None, typer.Option("--write-fit", metavar="FILE", show_default=False,
                                 help="Write a scenario with the fitted numbers, for `aiplan thermal FILE`.")
    ] = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    explain: ExplainOption = None,
    force: ForceOption = False,
    stamp: StampOption = False,
) -> None:  # fmt: skip
    """Fit GPU temperature to inlet and power, and the inlet to weather and load, from telemetry of your own: slopes
    with standard errors, errors in and out of sample, worst GPUs, and what makes the fit doubtful.
    """
    from dataclasses import replace

    from aiplan.errors import InputError, Problem
    from aiplan.planners.thermal.fit_plan import fit_plan, scenario_text
    from aiplan.planners.thermal.fit_report import fit_report
    from aiplan.planners.thermal.telemetry_file import read_telemetry
    from aiplan.report.formats import choose_format
    from aiplan.report.talk import talk
    from aiplan.report.write import check_target, write_output

    choose_format(format_, output)
    check_target(output, force=force, inputs=(file,))
    if write_fit is not None:
        if not write_fit.endswith(".toml"):
            raise InputError(Problem("E259", f"--write-fit '{write_fit[:80]}' is no .toml file", file="--write-fit",
                                     hint="e.g. --write-fit my-hall.toml"))  # fmt: skip
        check_target(write_fit, force=force, inputs=(file,))
    result = fit_plan(read_telemetry(file), gpu_tdp_w)
    report = fit_report(result, open_catalog(catalog))
    if stamp:
        report = replace(report, stamp=now())
    if write_fit is not None:
        name = re.sub(r"[^a-z0-9._-]", "-", Path(write_fit).stem.lower()).lstrip("._-")[:80] or "fit"
        write_output(scenario_text(result, name), write_fit, force=force, inputs=(file,))
        talk(f"wrote {write_fit}\n")
    emit(report, format_=format_, output=output, table=table, explain=explain, force=force, read=(file,))


@with_examples(
    "aiplan thermal telemetry",
    "aiplan thermal telemetry -o synthetic-small.csv --servers 4 --days 2 --seed 7",
)
def telemetry(
    servers: Annotated[int, typer.Option("--servers", metavar="N", min=1, max=1000, help="Servers per row.")] = 10,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, max=1000, help="Rows of servers.")] = 4,
    days: Annotated[float, typer.Option("--days", metavar="D", min=0.1, max=365, help="Length.")] = 7,
    step_min: Annotated[float, typer.Option("--step-min", metavar="MIN", min=1, max=1440, help="Time between samples.")]
    = 20,
    noise_c: Annotated[float, typer.Option("--noise-c", metavar="K", min=0, max=20, help="Noise of temperatures.")] = 1,
    seed: SeedOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:  # fmt: skip
    """Write SYNTHETIC telemetry in the format `aiplan thermal fit` reads, to try it on. Every server's name starts with
    `synthetic-`, and so does the file's where none is given; numbers are drawn from assumptions.
    """
    from aiplan.errors import InputError, Problem
    from aiplan.planners.thermal.telemetry_text import telemetry_text
    from aiplan.report.talk import talk
    from aiplan.report.write import check_target, write_output

    target = DEFAULT_TELEMETRY if output is None else output
    samples = servers * rows * 8 * round(days * 1440 / step_min)
    if not 1 <= samples <= MOST_SAMPLES:
        raise InputError(Problem("E259", f"{samples:,} samples are none or too many: 1 to {MOST_SAMPLES:,} go",
                                 file="--days", hint="fewer servers or days, or a longer --step-min"))  # fmt: skip
    check_target(target, force=force)
    text = telemetry_text(rows, servers, days, 60.0 * step_min, noise_c, seed or 0)
    write_output(text, target, force=force)
    if target != "-":
        talk(f"wrote {samples:,} synthetic samples to {target}\n")
