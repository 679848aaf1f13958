"""`aiplan energy published`: public estimates side by side, as printed and moved to one set of terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.planners.energy.profiles import load_profile
from aiplan.planners.energy.published import (
    BoundaryRatios,
    EcologitsCoefficients,
    Estimate,
    NormalisedEstimate,
    Target,
    ecologits_energies,
    normalise,
)
from aiplan.planners.energy.query import BOUNDARIES
from aiplan.report.model import Column, InputRecord, Line, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

REFERENCE_TABLE = "trtllm-1.0.llama-3.1-405b.h100-sxm.tp8.fp8"
"""The law that scales lengths: ten published points of a dense model with 5 % error."""

ECOLOGITS = "ecologits-0.9.1"
# The sources that state no prompt length count answers only; a short prompt is the least wrong reading.
INPUT_TOKENS_IF_UNKNOWN = 100.0

_COLUMNS = (
    Column("estimate", "estimate"),
    Column("model", "model"),
    Column("year", "year"),
    Column("printed_wh", "as printed", "Wh"),
    Column("boundary", "counts"),
    Column("pue", "PUE"),
    Column("input_tokens", "prompt", "tokens"),
    Column("output_tokens", "answer", "tokens"),
    Column("boundary_factor", "x boundary"),
    Column("pue_factor", "x PUE"),
    Column("token_factor", "x tokens"),
    Column("own_length_wh", "own length", "Wh"),
    Column("normalised_wh", "on our terms", "Wh", keep=True),
    Column("evidence", "evidence"),
    Column("grade", "grade"),
    Column("source", "source"),
    Column("why", "why not, or what was assumed"),
)


def published_report(catalog: Catalog, boundary: str, pue: float, input_tokens: float, output_tokens: float) -> Report:
    """Every public estimate of the catalog, moved to one boundary, PUE and length.

    Parameters
    ----------
    catalog : where the estimates are
    boundary : one of `query.BOUNDARIES`
    pue : PUE to carry [ratio]
    input_tokens, output_tokens : lengths to scale to [tokens]

    Raises
    ------
    InputError for an unknown boundary.
    """
    if boundary not in BOUNDARIES:
        raise InputError(
            Problem(
                "E138",
                f"no boundary '{boundary[:40]}'",
                "boundary",
                "--boundary",
                hint=f"one of {', '.join(BOUNDARIES)}",
            )
        )
    law = load_profile(catalog, REFERENCE_TABLE, "physical").law
    target = Target(boundary, pue, input_tokens, output_tokens)
    ratios = BoundaryRatios()
    rows, used = [], dict[str, str]()
    for entry_id in catalog.ids("published"):
        entry = catalog.get("published", entry_id)
        estimate = _estimate(catalog, entry_id, entry)
        if estimate is None:
            continue
        moved = normalise(
            estimate,
            target,
            ratios,
            lambda i, o: float(law.node_seconds(i, o)),
            None,
            INPUT_TOKENS_IF_UNKNOWN,
        )
        rows.append(_row(entry_id, entry, estimate, moved))
        used[entry.source] = catalog.title(entry.source)
    rows.sort(key=lambda row: (row[12] is None, row[12] or 0.0, row[0]))
    moved_values = [row[12] for row in rows if row[12] is not None]
    marks = frozenset((number, "normalised_wh") for number, row in enumerate(rows) if row[14] == "assumption")
    terms = f"{boundary}, PUE {pue:g}, {input_tokens:g} prompt and {output_tokens:g} answer tokens"
    return Report(
        planner="energy-published",
        title="Public estimates of energy per query, on one set of terms",
        headline=f"On one set of terms ({terms}) {len(moved_values)} of {len(rows)} public estimates span "
        f"{min(moved_values):.2g} to {max(moved_values):.2g} Wh; as printed they are not comparable. The others lack "
        "token counts or a boundary, among them Google's and OpenAI's.",
        scenario=Origin("published", ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=(
            Line("estimates", "Estimates compared", len(moved_values), None, grade="measured"),
            Line("normalised_lowest_wh", "Lowest on our terms", min(moved_values), "Wh", grade="estimate"),
            Line("normalised_highest_wh", "Highest on our terms", max(moved_values), "Wh", grade="estimate"),
        ),
        tables=(Table("estimates", f"Moved to: {terms}", _COLUMNS, tuple(rows), marks),),
        not_modelled=("batch, precision and hardware stay each source's own",),
        inputs=_inputs(ratios),
        sources=used,
        context=(("Terms", terms), ("Lengths scaled by", REFERENCE_TABLE)),
        boundary=boundary,
    )


def _inputs(ratios: BoundaryRatios) -> tuple[InputRecord, ...]:
    source = ("elsworth-2025-summaries",)
    return (
        InputRecord(
            "ratios.host_per_accelerator",
            "host over accelerator energy",
            ratios.host_per_accelerator,
            None,
            "",
            "paper",
            "second-hand",
            source,
        ),
        InputRecord(
            "ratios.idle_per_active",
            "idle over active energy",
            ratios.idle_per_active,
            None,
            "",
            "paper",
            "second-hand",
            source,
        ),
    )


def _estimate(catalog: Catalog, entry_id: str, entry: Any) -> Estimate | None:
    """The figure as printed; EcoLogits prints none, so its formula is evaluated at its own default length."""
    if entry_id == ECOLOGITS:
        return None
    value = {
        name: _number(getattr(entry, name))
        for name in ("energy_wh", "energy_j_per_token", "pue", "input_tokens", "output_tokens")
    }
    if value["energy_wh"] is None and entry.method == ECOLOGITS:
        value["energy_wh"] = _ecologits_wh(catalog, entry, value["output_tokens"] or 0.0)
    return Estimate(entry.boundary or "not_stated", **value)


def _number(quantity: Any) -> float | None:
    return None if quantity is None else float(quantity.value)


def _ecologits_wh(catalog: Catalog, entry: Any, output_tokens: float) -> float:
    formula = catalog.get("published", ECOLOGITS)
    names = list(EcologitsCoefficients.__dataclass_fields__)
    coefficients = EcologitsCoefficients(**{name: float(getattr(formula, name).value) for name in names})
    model = catalog.get("models", entry.model_id)
    pue = _number(entry.pue) or 1.0
    energies = ecologits_energies(model.total_params / 1e9, model.active_params / 1e9, output_tokens, coefficients, pue)
    return float(energies.facility_wh)


def _row(entry_id: str, entry: Any, estimate: Estimate, moved: NormalisedEstimate) -> tuple[Any, ...]:
    return (
        entry_id,
        entry.model or entry.name,
        entry.year,
        moved.printed_wh,
        estimate.boundary,
        estimate.pue,
        estimate.input_tokens,
        estimate.output_tokens,
        moved.boundary_factor,
        moved.pue_factor,
        moved.token_factor,
        moved.own_length_wh,
        moved.normalised_wh,
        entry.evidence,
        entry.grade,
        entry.source,
        moved.reason or "; ".join(moved.assumptions),
    )
