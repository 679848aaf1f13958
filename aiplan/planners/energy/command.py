"""`aiplan energy` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiplan.planners.door import (
    CatalogOption,
    ForceOption,
    FormatOption,
    OutputOption,
    Planner,
    TableOption,
    emit,
    open_catalog,
    planner_command,
    with_examples,
)

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.energy.inputs import EnergyInputs

    return EnergyInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.energy.plan import plan
    from aiplan.planners.energy.report import to_report

    return to_report(plan(scenario.inputs, catalog, scenario.header.as_of), scenario, catalog)


ENERGY = Planner("energy", _inputs, "frontier-chat", _answer)

energy = planner_command(
    ENERGY,
    "Energy, water and carbon of a query, by model and for a blend, and GWh per day for a fleet of them.",
    ("aiplan energy", "aiplan energy oviedo-2026 --set facility.pue=1.1 --format json"),
)


@with_examples("aiplan energy published", "aiplan energy published --output-tokens 1000 --format csv --table estimates")
def published(
    input_tokens: Annotated[
        float, typer.Option("--input-tokens", min=0, max=1e9, help="Prompt tokens to move every estimate to.")
    ] = 500,
    output_tokens: Annotated[
        float,
        typer.Option("--output-tokens", min=1, max=1e9, help="Answer tokens to move every estimate to."),
    ] = 300,
    pue: Annotated[float, typer.Option("--pue", min=1, max=10, help="PUE to move every estimate to.")] = 1.2,
    boundary: Annotated[
        str, typer.Option("--boundary", help="accelerator, server, server+idle or facility.")
    ] = "facility",
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    force: ForceOption = False,
) -> None:
    """Public estimates of energy per query, each as printed and moved to one boundary, PUE and token count."""
    from aiplan.planners.energy.comparison import published_report

    report = published_report(open_catalog(catalog), boundary, pue, input_tokens, output_tokens)
    emit(report, format_=format_, output=output, table=table, force=force)


@with_examples("aiplan energy measured runs.csv", "aiplan energy measured runs.csv -o watts.csv")
def measured(
    rows: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Rows of measured throughput.", show_default=False)],
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    force: ForceOption = False,
) -> None:
    """Accelerator watts and J per output token of rows whose throughput was measured. Columns: model, hardware,
    n_gpus, precision, output_tok_s, concurrency, isl, osl; ML.ENERGY's column names are understood too. Rows keep
    their order; a row that cannot be placed keeps its place, says why, and the exit code is 2. Without --format the
    rows are written as CSV.
    """
    from aiplan.planners.energy.measured import measured_report

    report, unknown = measured_report(rows, open_catalog(catalog))
    chosen = format_ or ("csv" if output is None else None)
    emit(report, format_=chosen, output=output, table=table or "rows", force=force, read=(rows,))
    if unknown:
        raise typer.Exit(2)
