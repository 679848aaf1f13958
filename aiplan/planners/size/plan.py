"""Options to result: the best, what each constraint costs, and what the answer rests on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.arrays import Array
from aiplan.planners.parameters import Evidence, Values
from aiplan.planners.serving import chip as chips
from aiplan.planners.serving.deployment import Deployment, numerics, pick
from aiplan.planners.size.inputs import SizeInputs
from aiplan.planners.size.options import Case, Option, build_case, refuse
from aiplan.planners.size.search import BINDING, MEMORY, Found
from aiplan.planners.size.solve import SECONDS_PER_HOUR, At, Change, Solved, of_options, ranked, solve
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

WITHOUT_LIMIT = 1e9
NEAREST = 48
"""Options, best first, among which a changed constraint may choose anew."""
NEAR_MISS = 1.3
"""Options that miss a promise by less than this factor may win where one is relaxed."""

CHIP_FIELDS = {"hbm_tb_per_s": "hbm_bytes_per_s", "hbm_gb": "memory_bytes", "scaleup_gb_per_s": "link_bytes_per_s",
               "bf16_dense_tflops": "bf16_flops", "fp8_dense_tflops": "fp8_flops",
               "fp4_dense_tflops": "fp4_flops"}  # fmt: skip


BARE = Change("no headroom, no spares, no waiting",
              {"utilisation_max": WITHOUT_LIMIT, "arrival_cv2": 0.0, "service_cv2": 0.0}, spares=0.0)  # fmt: skip
CHANGES = (
    Change("TPOT 10 % longer", {"tpot_s": 1.1}),
    Change("TTFT 10 % longer", {"ttft_s": 1.1}),
    Change("10 % more cache", {"memory_factor": 1.1}),
    Change("batch limit 10 % higher", {"batch_max": 1.1}),
    Change("utilisation 10 % higher", {"utilisation_max": 1.1}),
    Change("10 % fewer requests", {"requests_per_s": 0.9}),
    Change("prompts 10 % shorter", {"prompt_tokens": 0.9}),
    Change("answers 10 % shorter", {"output_tokens": 0.9}),
    Change("no spares", spares=0.0),
    BARE,
)


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers."""

    case: Case
    solved: Solved
    order: list[int]
    best: int
    sensitivity: list[dict[str, Any]] = field(default_factory=list)
    bands: dict[str, float | None] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    warnings: list[Warn] = field(default_factory=list)


def plan(inputs: SizeInputs, catalog: Catalog) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for what cannot be worked with; InfeasibleError where no option keeps the promises.
    """
    case = build_case(inputs, catalog)
    solved = solve(case, case.options, case.deployment, of_options(case, case.options))
    if not solved.found.feasible.any():
        raise _infeasible(case, solved.found)
    order = ranked(solved, inputs.size.objective)
    if inputs.size.objective == "usd" and np.isnan(solved.usd_per_h[order[0]]):
        raise refuse(f"no option has a price by basis '{inputs.cost.basis}'", "cost.basis",
                     "choose another basis, or add prices in an overlay")  # fmt: skip
    result = Result(case, solved, order, order[0])
    _vary_constraints(result)
    result.evidence = case.parameters.evidence(lambda values: _point(result, values))
    _warn(result)
    return result


def _infeasible(case: Case, found: Found) -> InfeasibleError:
    """Which promise fails, and on the candidate that comes closest by how much."""
    promises = case.inputs.slo
    if np.all(found.binding == MEMORY):
        closest = int(np.argmin(found.excess))
        option = case.options[closest]
        return InfeasibleError(
            f"{case.model_name} does not fit: no layout holds a single sequence; closest is {_name(option)} with "
            f"{found.batch_limit[closest]:.2g} of one",
            code="E158",
            hint="name more or larger servers, a narrower precision, or raise serving.gpus_per_replica_max",
        )
    closest = int(np.argmin(np.where(found.binding == MEMORY, np.inf, found.excess)))
    option, why = case.options[closest], BINDING[int(found.binding[closest])]
    fails = sorted({BINDING[int(code)] for code in found.binding})
    return InfeasibleError(
        f"no option keeps TTFT <= {promises.ttft_s.value:g} s and TPOT <= {1e3 * promises.tpot_s.value:g} ms: "
        f"{len(case.options)} tried, they fail on {', '.join(fails)}; closest is {_name(option)}, "
        f"{found.excess[closest]:.2f} x the {why} promised at its best batch",
        code="E157",
        hint=f"relax slo.{'tpot_ms' if why == 'TPOT' else 'ttft_s'}, or name faster servers or a narrower precision",
    )


def _name(option: Option) -> str:
    return f"{option.label} in {option.row.precision} on {option.server}"


def _vary_constraints(result: Result) -> None:
    """Each constraint moved, and the time model off by its measured error: what is best then."""
    case, found = result.case, result.solved.found
    missed = np.flatnonzero(~found.feasible & (found.excess < NEAR_MISS))
    rows = [*result.order[:NEAREST], *missed[np.argsort(found.excess[missed])][:NEAREST].tolist()]
    errors = _errors(case, rows)
    changes = [*CHANGES, *errors.values()]
    many = np.tile(rows, len(changes))
    options = [case.options[row] for row in many]
    solved = solve(case, options, pick(case.deployment, many), of_options(case, options), _side_by_side(changes, rows))
    base = float(result.solved.fleet.accelerators[result.best])
    order = ranked(solved, case.inputs.size.objective)
    for number, change in enumerate(changes):
        best = next((row for row in order if row // len(rows) == number), None)
        gpus = None if best is None else float(solved.fleet.accelerators[best])
        option = "none keeps the promises" if best is None else _name(options[best])
        saved = None if gpus is None else base - gpus
        result.sensitivity.append({"what": change.what, "gpus": gpus, "saved": saved, "option": option})
    by_name = {row["what"]: row["gpus"] for row in result.sensitivity}
    for (quantity, end), change in errors.items():
        result.bands[f"{quantity}_{end}"] = by_name[change.what]
    result.bands["bare"] = by_name[BARE.what]


def _side_by_side(changes: list[Change], rows: list[int]) -> Change:
    """Changes one after the other, each for all rows, as one."""
    names = {name for change in changes for name in change.factors}

    def stretched(values: list[Any]) -> Array:
        return np.concatenate([np.broadcast_to(np.asarray(value, dtype=np.float64), (len(rows),)) for value in values])

    factors = {name: stretched([change.factors.get(name, 1.0) for change in changes]) for name in names}
    return Change("all", factors, stretched([change.spares for change in changes]))


def _errors(case: Case, rows: list[int]) -> dict[tuple[str, str], Change]:
    """The time model off by its measured error, P10 and P90; nothing where it was not measured."""
    return {
        (quantity, end): Change(
            f"{quantity.upper()} {'shorter' if end == 'low' else 'longer'} by the model's error",
            {f"{quantity}_factor": case.bands[quantity][number][rows]},
        )
        for quantity in ("tpot", "ttft")
        for number, end in enumerate(("low", "high"))
        if np.all(np.isfinite(case.bands[quantity][number][rows]))
    }


def _point(result: Result, values: Values) -> dict[str, Any]:
    """Lines of the best option for columns of inputs; replicas unrounded, so that small moves show."""
    case, number = result.case, result.best
    option = case.options[number]
    columns = len(np.atleast_1d(np.asarray(values["workload.requests_per_s"])))

    def at(name: str) -> Array:
        path = option.paths.get(name)
        return np.broadcast_to(np.asarray(values[path] if path else np.nan, dtype=np.float64), (columns,))

    options = [option] * columns
    solved = solve(case, options, _with_chips(case, number, at, columns), at)
    found, exact = solved.found, solved.found.replicas_exact
    gpus = exact * solved.devices
    per_gpu = {name: getattr(solved, name) / solved.fleet.accelerators
               for name in ("accelerator_w", "facility_w", "usd_per_h")}  # fmt: skip
    tokens = at("requests_per_s") * at("output_tokens") * SECONDS_PER_HOUR / 1e6
    return {
        "gpus": gpus,
        "servers": gpus,
        "replicas": exact,
        "batch": found.batch,
        "tok_s_per_gpu": solved.tok_s_per_gpu,
        "ttft_ms": found.ttft_s,
        "tpot_ms": found.tpot_s,
        "utilisation": found.utilisation,
        "power_kw": per_gpu["accelerator_w"] * gpus,
        "facility_power_kw": per_gpu["facility_w"] * gpus,
        "cost_usd_per_h": per_gpu["usd_per_h"] * gpus,
        "usd_per_million_tokens": per_gpu["usd_per_h"] * gpus / tokens,
    }


def _with_chips(case: Case, number: int, at: At, columns: int) -> Deployment:
    """The same deployment in every column, its accelerator as the column's inputs say."""
    option = case.options[number]
    medians = case.parameters.medians()
    base = case.shelf.chip(option.accelerator)
    shares = {
        name: at(short) / medians[option.paths[short]] for short, name in CHIP_FIELDS.items() if short in option.paths
    }
    rows = [
        replace(base, **{name: getattr(base, name) * share[column] for name, share in shares.items()})
        for column in range(columns)
    ]
    same = pick(case.deployment, [number] * columns)
    chip = chips.stack(rows)
    formats = numerics(chip, same.numerics.precision, same.numerics.kv_precision)
    return replace(same, chip=chip, numerics=formats)


def _warn(result: Result) -> None:
    """What a reader must know before buying."""
    case, solved, found = result.case, result.solved, result.solved.found
    option, bands = case.options[result.best], result.bands
    gpus = float(solved.fleet.accelerators[result.best])
    out = result.warnings
    out += case.warnings
    if bands.get("tpot_high", gpus) is None:
        out.append(Warn("W-SIZE-FRAGILE", "with TPOT at the long end of the time model's measured error no option "
                        "keeps the promises", "slo.tpot_s"))  # fmt: skip
    if bands.get("ttft_high", gpus) != gpus:
        then = "none keeps" if bands["ttft_high"] is None else f"{bands['ttft_high']:,.0f} GPUs keep"
        out.append(Warn("W-SIZE-TTFT", f"the plan hinges on TTFT, which the time model knows least: at the long end of "
                        f"its measured error {then} the promises", "slo.ttft_s"))  # fmt: skip
    if option.devices > option.per_server:
        out.append(Warn("W-SIZE-SCALEOUT", "a replica spans servers, whose network is priced like the links within one",
                        "serving.gpus_per_replica_max"))  # fmt: skip
    unpriced = sorted({case.options[row].server for row in result.order if np.isnan(solved.usd_per_h[row])})
    if unpriced:
        out.append(Warn("W-SIZE-PRICE", f"no price by basis '{case.inputs.cost.basis}' of {', '.join(unpriced)}",
                        "cost.basis"))  # fmt: skip
    if float(found.batch[result.best]) < 1.5 and solved.found.batch_limit[result.best] < 2.0:
        out.append(Warn("W-SIZE-MEMORY", "memory holds a single sequence per rank: a little less and the model does "
                        "not fit", "serving.precisions"))  # fmt: skip
