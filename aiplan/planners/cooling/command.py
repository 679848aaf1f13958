"""`aiplan cooling` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiplan.planners.door import (
    CatalogOption,
    ExplainOption,
    ForceOption,
    FormatOption,
    OutputOption,
    Planner,
    SamplesOption,
    ScenarioArgument,
    SeedOption,
    SetOption,
    StampOption,
    TableOption,
    run_planner,
    with_examples,
)

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import Scenario
    from aiplan.report.model import Report


def _inputs() -> Any:
    from aiplan.planners.cooling.inputs import CoolingInputs

    return CoolingInputs


def _answer(scenario: Scenario[Any], catalog: Catalog) -> Report:
    from aiplan.planners.cooling.plan import plan
    from aiplan.planners.cooling.report import to_report

    return to_report(plan(scenario.inputs, catalog), scenario, catalog)


COOLING = Planner("cooling", _inputs, "cooling-ashburn", _answer)


@with_examples(
    'aiplan cooling --set site.place="4A" --set cooling.system=hyperscale-air-side',
    "aiplan cooling --weather phoenix.epw --set cooling.system=direct-to-chip-40c-dry --format json",
)
def cooling(
    scenario: ScenarioArgument = None,
    weather: Annotated[
        str | None,
        typer.Option("--weather", metavar="FILE", show_default=False,
                     help="Hourly weather: an EPW, or a CSV of drybulb_c, rh_fraction and pressure_pa."),
    ] = None,
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
) -> None:  # fmt: skip
    """PUE and water of a hall hour by hour, from weather, load and cooling system: the year, the worst hour, and every
    fan, pump, chiller and tower in between.
    """
    import json

    run_planner(
        COOLING,
        scenario,
        [*(set_ or []), *([f"site.weather_file={json.dumps(weather)}"] if weather is not None else [])],
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
