"""Pools known by token rates as a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.planners.split.flow import SECONDS_PER_DAY, Flow, balance
from aiplan.planners.split.inputs import SplitInputs
from aiplan.report.model import Cell, InputRecord, Line, Origin, Report, Warn, worst_grade
from aiplan.units import symbol_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.quantity import Quantity
    from aiplan.inputs.scenario import Scenario

LINES: dict[str, tuple[str, str | None, str]] = {
    "machines": ("Machines, busy all of the time", "machines", "prompt + token machines"),
    "prompt_machines": ("Prompt machines", "machines", "prompt tokens/s over the rate of one"),
    "token_machines": ("Token machines", "machines", "answer tokens/s over the rate of one"),
    "prompt_units": ("Prompt units, whole", "units", "ceil(prompt machines / machines of a unit)"),
    "token_units": ("Token units, whole", "units", "ceil(token machines / machines of a unit)"),
    "token_to_prompt_ratio": ("Token over prompt machines", None, "n_T / n_P"),
    "usd_per_day": ("Cost", "USD/day", "machines x accelerators x rent x 24 h"),
    "usd_per_million_output_tokens": ("Cost per million answer tokens", "USD/M tokens", "cost / answer tokens"),
    "power_kw": ("Power of the machines", "kW", "machines x power of one"),
    "energy_per_million_output_tokens_kwh": ("Energy per million answer tokens", "kWh/M tokens",
                                             "power x 24 h / answer tokens"),
}  # fmt: skip
NOT_MODELLED = (
    "queues and percentiles: machines are taken to be busy all of the time",
    "the swing of load over the day",
    "transfer of caches, failures and spares",
)


def flow_report(scenario: Scenario[Any], catalog: Catalog) -> Report:
    """The report of a scenario with ``[token_rates]``."""
    inputs: SplitInputs = scenario.inputs
    rates = inputs.token_rates
    if rates is None:
        raise ValueError("the scenario has no token rates")
    flow = balance(rates)
    records = []
    for name in type(rates).model_fields:
        given = getattr(rates, name)
        if hasattr(given, "distribution"):
            records.append(_record(f"token_rates.{name}", given))
    grade = worst_grade([record.grade for record in records])
    sources = dict.fromkeys(source for record in records for source in record.sources)
    per_day = rates.output_tokens_per_day.value
    return Report(
        planner="split",
        title=scenario.header.title or "Prompt and token pools by token rates",
        headline=f"{flow.prompts:,.1f} prompt and {flow.tokens:,.1f} token machines carry the tokens of a day at full "
        f"use: {flow.machines:,.1f} machines, {flow.usd_per_day:,.0f} USD a day, "
        f"{flow.usd_per_million_output_tokens:.3g} USD per million answer tokens.",
        scenario=Origin(scenario.header.name, scenario.sha256),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=tuple(_lines(flow, per_day, grade, tuple(sources))),
        warnings=(Warn("W-SPLIT-FLOW", "token rates alone give a lower bound: no queue, no percentile, no promise",
                       "token_rates"),),
        not_modelled=NOT_MODELLED,
        inputs=tuple(records),
        sources={source: catalog.title(source) for source in sources},
        context=(
            ("Load", f"{rates.input_tokens_per_day.value / SECONDS_PER_DAY:,.0f} prompt and "
                     f"{per_day / SECONDS_PER_DAY:,.0f} answer tokens/s on average"),
            ("Machine", f"{rates.accelerator_count} accelerators; units of {rates.prompt_unit_machines} and "
                        f"{rates.token_unit_machines} machines"),
        ),
    )  # fmt: skip


def _record(path: str, given: Quantity) -> InputRecord:
    name = path.rsplit(".", 1)[-1]
    return InputRecord(
        path, name.replace("_", " "), given.distribution.median, symbol_of(name), "", given.grade or "assumption",
        given.evidence or "assumed", (given.source,) if given.source else (),
    )  # fmt: skip


def _lines(flow: Flow, output_tokens_per_day: float, grade: str, sources: tuple[str, ...]) -> list[Line]:
    known = np.isfinite(flow.power_w)
    values: dict[str, Cell] = {
        "machines": flow.machines,
        "prompt_machines": flow.prompts,
        "token_machines": flow.tokens,
        "prompt_units": flow.prompt_units,
        "token_units": flow.token_units,
        "token_to_prompt_ratio": flow.tokens / flow.prompts,
        "usd_per_day": flow.usd_per_day,
        "usd_per_million_output_tokens": flow.usd_per_million_output_tokens,
        "power_kw": flow.power_w / 1e3 if known else None,
        "energy_per_million_output_tokens_kwh": flow.power_w / 1e3 * 24.0 / (output_tokens_per_day / 1e6) if known
        else None,
    }  # fmt: skip
    return [
        Line(name, LINES[name][0], value, LINES[name][1], grade=grade, sources=sources, formula=LINES[name][2])
        for name, value in values.items()
    ]
