"""`aiplan perf` on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiplan.planners.door import (
    CatalogOption,
    ExplainOption,
    ForceOption,
    FormatOption,
    OutputOption,
    Planner,
    ScenarioArgument,
    SetOption,
    StampOption,
    TableOption,
    emit,
    open_catalog,
    run_planner,
    with_examples,
)

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.serving.inputs import PerfInputs

    return PerfInputs


def _planner(keys: tuple[str, ...] = ()) -> Planner:
    def answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
        from aiplan.planners.serving.collect import build_case
        from aiplan.planners.serving.plan import plan
        from aiplan.planners.serving.report import to_report

        case = build_case(scenario, catalog)
        result = plan(case)
        if not keys:
            return to_report(result, scenario, catalog)
        from aiplan.planners.serving.sweep import sweep

        return to_report(result, scenario, catalog, sweep(case, keys))

    return Planner("perf", _inputs, "llama-70b-h200", answer)


PERF = _planner()


@with_examples(
    "aiplan perf --model qwen3-235b-a22b --hardware b200 --sweep tp,dp,batch",
    "aiplan perf --rows deployments.csv -o predicted.csv",
)
def perf(
    scenario: ScenarioArgument = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Model of the catalog.", show_default=False)
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="A model by its config.json instead.", show_default=False),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option("--hardware", metavar="NAME", help="Accelerator of the catalog.", show_default=False),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option("--sweep", metavar="LIST", show_default=False,
                     help="Try every value of some of tp, dp, ep, precision, engine, batch."),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", metavar="FILE.csv", show_default=False,
                     help="Predict a file of deployments instead, as CSV. Rows keep their order."),
    ] = None,
    set_: SetOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    explain: ExplainOption = None,
    force: ForceOption = False,
    stamp: StampOption = False,
) -> None:  # fmt: skip
    """Time, memory, power, energy and cost of serving one model on one configuration, with measured error bands; with
    --sweep the configurations that no other beats.
    """
    if rows is not None:
        asked = {"SCENARIO": scenario, "--model": model, "--config": config, "--hardware": hardware, "--sweep": sweep,
                 "--set": set_, "--explain": explain}  # fmt: skip
        _rows(rows, asked, format_, output, table, catalog, force)
        return
    keys: tuple[str, ...] = ()
    if sweep is not None:
        from aiplan.planners.serving.sweep import parse_keys

        keys = parse_keys(sweep)
    run_planner(
        _planner(keys),
        scenario,
        [*_overrides(model, config, hardware), *(set_ or [])],
        format_=format_,
        output=output,
        table=table,
        catalog=catalog,
        explain=explain,
        force=force,
        stamp=stamp,
    )


def _overrides(model: str | None, config: str | None, hardware: str | None) -> list[str]:
    """The short options as texts of ``--set``; what they stand against in the scenario is emptied."""
    import json

    from aiplan.errors import InputError, Problem

    if model is not None and config is not None:
        raise InputError(Problem("E207", "--model and --config exclude each other", hint="drop one of them"))
    chosen = {"model": model, "config": config if model is None else "", "hardware": hardware,
              "server": None if hardware is None else ""}  # fmt: skip
    return [f"deployment.{key}={json.dumps(text)}" for key, text in chosen.items() if text is not None]


def _rows(
    rows: Path,
    asked: Mapping[str, object],
    format_: str | None,
    output: str | None,
    table: str | None,
    catalog: Path | None,
    force: bool,
) -> None:
    """Predict a file; the exit code is 2, after writing, where a row could not be placed."""
    from aiplan.errors import InputError, Problem
    from aiplan.planners.serving.rows_report import rows_report

    other = [name for name, value in asked.items() if value]
    if other:
        raise InputError(Problem("E207", f"--rows and {other[0]} exclude each other", hint="drop one of them"))
    report, unknown = rows_report(rows, open_catalog(catalog))
    chosen = format_ or ("csv" if output is None else None)
    emit(report, format_=chosen, output=output, table=table or "rows", force=force, read=(rows,))
    if unknown:
        raise typer.Exit(2)
