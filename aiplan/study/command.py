"""`aiplan init`, `aiplan schema` and `aiplan validate`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from aiplan.completion import complete_scenario
from aiplan.planners.door import (
    CatalogOption,
    ForceOption,
    FormatOption,
    OutputOption,
    TableOption,
    emit,
    open_catalog,
    with_examples,
)
from aiplan.report.talk import talk
from aiplan.report.write import write_output

PLANNERS = {
    "energy": ("aiplan.planners.energy.inputs", "EnergyInputs"),
    "perf": ("aiplan.planners.serving.inputs", "PerfInputs"),
    "size": ("aiplan.planners.size.inputs", "SizeInputs"),
    "split": ("aiplan.planners.split.inputs", "SplitInputs"),
    "power": ("aiplan.planners.power.inputs", "PowerInputs"),
    "cooling": ("aiplan.planners.cooling.inputs", "CoolingInputs"),
    "thermal": ("aiplan.planners.thermal.inputs", "ThermalInputs"),
    "site": ("aiplan.planners.site.inputs", "SiteInputs"),
    "tco": ("aiplan.planners.lifecycle.inputs", "LifecycleInputs"),
    "refresh": ("aiplan.planners.lifecycle.inputs", "LifecycleInputs"),
    "stabilize": ("aiplan.planners.stabilize.inputs", "StabilizeInputs"),
}
"""Where the inputs of each command that takes a scenario are described."""


@with_examples("aiplan init", "aiplan init plans --template oviedo-2026")
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.", show_default=False)] = Path("."),
    template: Annotated[
        str,
        typer.Option("--template", metavar="NAME", help="Shipped scenario to copy.", autocompletion=complete_scenario),
    ] = "frontier-chat",
    force: ForceOption = False,
) -> None:
    """Write a commented scenario that runs at once. An existing file is kept unless --force."""
    import tomli

    from aiplan.errors import OutputError
    from aiplan.inputs.scenario import find_scenario
    from aiplan.resources import scenario_names

    if template not in scenario_names():
        find_scenario(template if "/" not in template and not template.endswith(".toml") else "?")
    text = find_scenario(template).read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder '{folder}': {error.strerror}", code="E602") from None
    target = folder / f"{template}.toml"
    write_output(text, str(target), force=force, inputs=())
    planner = tomli.loads(text)["scenario"]["planner"]
    talk(f"wrote {target}; run: aiplan {planner} {target}\n")


@with_examples("aiplan schema scenario", "aiplan schema scenario energy > energy.schema.json")
def schema_scenario(
    planner: Annotated[str, typer.Argument(metavar="PLANNER", help="Command the scenario is for.")] = "energy",
) -> None:
    """JSON Schema of a scenario file, for editors and pipelines."""
    from aiplan.errors import InputError, Problem
    from aiplan.inputs.schema import json_schema

    if planner not in PLANNERS:
        raise InputError(Problem("E117", f"no planner '{planner[:80]}'", hint=f"planners: {', '.join(PLANNERS)}"))
    module, inputs = PLANNERS[planner]
    model = getattr(import_module(module), inputs)
    write_output(json.dumps(json_schema(model), indent=2, ensure_ascii=False) + "\n", None)


@with_examples("aiplan schema result", "aiplan schema result > result.schema.json")
def schema_result() -> None:
    """JSON Schema of what --format json writes."""
    from aiplan.report.schema import result_schema

    write_output(json.dumps(result_schema(), indent=2, ensure_ascii=False) + "\n", None)


@with_examples("aiplan validate", "aiplan validate --strict --format json")
def validate(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder of measured data for the accuracy tables.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when a check fails.")] = False,
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    force: ForceOption = False,
) -> None:
    """Every published number aiplan ships with: expected, got, error, source, verdict; and what is published but not
    reproduced, with the reason.
    """
    from aiplan.errors import PolicyViolatedError
    from aiplan.study.validate import validation_report

    report, failed = validation_report(open_catalog(catalog), data)
    emit(report, format_=format_, output=output, table=table, force=force)
    if strict and failed:
        raise PolicyViolatedError(f"{failed} published numbers are missed", code="E301", hint="see the table above")
