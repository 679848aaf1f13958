"""Configurations of a SaaS server from the user's benchmarks, or from the serving model at full and lower clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.planners.thermal.hall import Hall
from aiplan.planners.thermal.llm_config import DECODE_EXPONENT, LlmConfig, server_power_w

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.thermal.inputs import LlmConfigSection, ServingSection


def given_configs(sections: tuple[LlmConfigSection, ...]) -> list[LlmConfig]:
    """Configurations of `[[llm_config]]`.

    Raises
    ------
    InputError (E256) where a name comes twice.
    """
    names = [one.name for one in sections]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(Problem("E256", f"llm_config '{doubled[0][:60]}' is given twice", "llm_config",
                                 hint="give every configuration a name of its own"))  # fmt: skip
    return [
        LlmConfig(
            one.name, one.model, one.precision, one.tp, one.gpus, one.frequency_share.distribution.median, one.batch,
            one.tokens_per_s.distribution.median, one.ttft_ms.distribution.median, one.tpot_ms.distribution.median,
            one.server_w.distribution.median, one.gpu_w.distribution.median, median_of(one.quality), "given",
        )
        for one in sections
    ]  # fmt: skip


def served_configs(
    asked: ServingSection, hall: Hall, gpus: int, power_exponent: float, catalog: Catalog
) -> list[LlmConfig]:
    """Configurations that `aiplan perf` predicts, one replica to a server; those that do not fit are left out.

    Raises
    ------
    InputError for models, accelerators and formats the catalog does not know.
    """
    from aiplan.catalog.names import canonical_precision
    from aiplan.planners.serving.predict import predict
    from aiplan.planners.serving.rows import Row, Shelf

    shelf = Shelf(catalog)
    hardware = _named(shelf.resolve, "accelerators", asked.hardware, "serving.hardware")
    rows = []
    for name in asked.models:
        model = _named(shelf.resolve, "models", name, "serving.models")
        for precision in asked.precisions:
            for tp in asked.tensor_parallel:
                if tp <= gpus:
                    rows.append(Row(model, hardware, canonical_precision(precision) or precision, asked.engine,
                                    n_gpus=tp, tp=tp, isl=asked.prompt_tokens.distribution.median,
                                    osl=asked.output_tokens.distribution.median,
                                    concurrency=float(asked.batch)))  # fmt: skip
    try:
        found = predict(rows, shelf)
    except (KeyError, ValueError) as error:
        hint = "take models, formats and an engine that `aiplan perf` knows"
        raise InputError(Problem("E256", f"serving cannot be timed: {error}", "serving", hint=hint)) from None
    out = []
    for number, row in enumerate(rows):
        if not found.fits[number]:
            continue
        watts = min(float(found.power_w[number]) / row.tp, hall.gpu_tdp_w)
        loss = median_of(asked.quantised_quality_loss) if row.precision not in ("bf16", "fp16") else 0.0
        quality = max(asked.quality.get(row.model, 1.0) - loss, 0.0)
        for clock in asked.frequency_shares:
            speed = 1.0 / (float(found.prefill_share[number]) / clock
                           + (1.0 - float(found.prefill_share[number])) / clock**DECODE_EXPONENT)  # fmt: skip
            gpu_w = hall.gpu_idle_w + max(watts - hall.gpu_idle_w, 0.0) * clock**power_exponent
            out.append(
                LlmConfig(
                    f"{row.model} {row.precision} TP{row.tp:g}" + (f" {clock:.0%} clock" if clock < 1.0 else ""),
                    row.model, row.precision, int(row.tp), int(row.tp), clock, asked.batch,
                    float(found.output_tok_s[number]) * speed, float(found.ttft_ms[number]) / clock,
                    float(found.tpot_ms[number]) / speed, server_power_w(hall, gpus, int(row.tp), gpu_w), gpu_w,
                    quality, "aiplan perf",
                )
            )  # fmt: skip
    return out


def median_of(quantity: Quantity) -> float:
    """The number an uncertain input is taken at."""
    return quantity.distribution.median


def _named(resolve: object, kind: str, name: str, path: str) -> str:
    try:
        return str(resolve(kind, name))  # type: ignore[operator]
    except InputError as error:
        raise InputError(error.under(path)) from None
