"""Published throughput tables: which one serves a model here, and the law it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf, log
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.planners.serving.load import peak_tflops, weight_bytes
from aiplan.planners.serving.throughput import ConstantLaw, LengthRange, LogLinearLaw, PhysicalLaw

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

# Fewer points than this say too little about three coefficients to prefer the table over a fuller one.
WELL_COVERED = 5
# With fewer points a left-out one is mostly extrapolation and says little of the law.
ENOUGH_TO_LEAVE_OUT = 7
UNNUMBERED = 1_000
# Mean absolute error of a normal is this many standard deviations.
MEAN_ABSOLUTE_OF_NORMAL = 0.7979

FEW_POINTS_ERROR = 0.15
"""Relative error of a table too small to leave a point out [1]: fits to three random points of a fuller table
miss its other points by less than 18 % nine times in ten."""

SCALED_ERROR = 0.60
"""Relative error of a law scaled to another accelerator [1]: nine in ten pairs within `SCALED_P90_FACTOR`."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A throughput table ready for use.

    Attributes
    ----------
    law : node-seconds of its own group of accelerators
    highest_tokens_per_s : best rate of the table
    accelerator : where it is used; ``carried_from`` where it was measured, if elsewhere, on ``carried_count`` of them
    by_ratio : carried by the time model's ratio rather than by bandwidth and FLOP/s
    computed : not measured at all but given by the time model
    loo_error : mean leave-one-out error of the law [1], None for a table too small to tell; for a computed one the
        median error of the calibration
    relative_error : standard deviation of the logarithm of a query's time around the law [1]
    """

    id: str
    model: str
    accelerator: str
    accelerator_count: int
    precision: str
    engine: str
    measured_on: date | None
    law: PhysicalLaw | LogLinearLaw | ConstantLaw
    highest_tokens_per_s: float
    range: LengthRange
    loo_error: float | None
    relative_error: float
    source: str
    grade: str
    evidence: str
    carried_from: str = ""
    carried_count: int = 0
    by_ratio: bool = False
    computed: bool = False

    def covers(self, input_tokens: float, output_tokens: float) -> bool:
        """Whether a query's lengths lie inside the table's."""
        return bool(self.range.contains(input_tokens, output_tokens))

    def overflow(self, total_params: float, hbm_gb: float) -> float:
        """Weights over the memory of the group [1]; above 1 the model does not fit."""
        return weight_bytes(total_params, self.precision) / (self.accelerator_count * hbm_gb * 1e9)


def choose_profile(catalog: Catalog, model: str, accelerator: str) -> str:
    """The table that speaks best for a model on an accelerator.

    A table of the user's own overlay first; then of the accelerator itself, of the model itself rather than a sibling
    of its shape, with enough points, of the newest engine, of the fewest bits and the smallest group of accelerators,
    which is how an operator would run it. Where no table is of the accelerator, one at a precision it has, of the
    accelerator whose memory bandwidth is nearest. Static batches never qualify.

    Raises
    ------
    InputError when no table knows the model.
    """
    shapes = {model, *_siblings(catalog, model)}
    candidates = {
        profile: facts
        for profile, facts in catalog.facts("throughput").items()
        if facts.get("model") in shapes and facts.get("regime", "offline_max") == "offline_max"
    }
    if not candidates:
        raise no_table(catalog, model)
    same = {name: facts for name, facts in candidates.items() if facts["accelerator"] == accelerator}
    distance = dict.fromkeys(candidates, (0.0, 0.0)) if same else _distances(catalog, candidates, accelerator)

    def rank(item: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
        profile, facts = item
        return (
            catalog.is_overlaid("throughput", profile),
            tuple(-apart for apart in distance[profile]),
            facts["model"] == model,
            facts["points"] >= WELL_COVERED,
            _version(str(facts.get("engine_version", ""))),
            -bits_of(str(facts.get("precision", ""))),
            -int(facts["accelerator_count"]),
            profile,
        )

    return max((same or candidates).items(), key=rank)[0]


def has_table(catalog: Catalog, model: str) -> bool:
    """Whether any table of an offline maximum is of the model or a sibling of its shape."""
    shapes = {model, *_siblings(catalog, model)}
    return any(facts.get("model") in shapes for facts in _maxima(catalog))


def _maxima(catalog: Catalog) -> list[dict[str, Any]]:
    tables = catalog.facts("throughput").values()
    return [facts for facts in tables if facts.get("regime", "offline_max") == "offline_max"]


def no_table(catalog: Catalog, model: str, message: str = "") -> InputError:
    """What to say of a model without a table, naming those that have one."""
    known = sorted({str(table["model"]) for table in _maxima(catalog)})
    hint = f"models with a table: {', '.join(known)}; or give one in an overlay with --catalog"
    return InputError(Problem("E136", message or f"no throughput table for '{model}' in the catalog", hint=hint))


def _distances(catalog: Catalog, candidates: Mapping[str, Any], accelerator: str) -> dict[str, tuple[float, float]]:
    """How unlike each table's accelerator is: precisions it has and ours lacks, then the ratio of bandwidths."""
    ours = catalog.get("accelerators", accelerator)
    found: dict[str, tuple[float, float]] = {}
    for profile, facts in candidates.items():
        theirs = catalog.get("accelerators", facts["accelerator"])
        missing = bits_of(str(facts["precision"])) < fewest_bits(ours)
        known = ours.hbm_tb_per_s is not None and theirs.hbm_tb_per_s is not None
        apart = abs(log(theirs.hbm_tb_per_s.value / ours.hbm_tb_per_s.value)) if known else inf
        found[profile] = (float(missing), apart)
    return found


def fewest_bits(accelerator: Any) -> float:
    """Bits of the narrowest number format the accelerator multiplies."""
    return next((bits for bits in (4.0, 8.0) if getattr(accelerator, f"fp{bits:.0f}_dense_tflops") is not None), 16.0)


def _siblings(catalog: Catalog, model: str) -> set[str]:
    """Models of the same shape, to the parameter: a table of one holds for the others."""
    facts = catalog.facts("models")

    def shape(name: str) -> object:
        parent = facts.get(name, {}).get("shape_of")
        return facts.get(parent or name, {}).get("total_params")

    return {name for name in facts if shape(name) == shape(model) is not None}


def _version(text: str) -> tuple[int, ...]:
    """A version for comparing; ``1.x`` is a later page than every numbered ``1``."""
    parts = text.replace("v", "").split(".")
    return tuple(UNNUMBERED if part == "x" else int(part) for part in parts if part.isdigit() or part == "x")


def bits_of(precision: str) -> float:
    digits = "".join(char for char in precision if char.isdigit())
    return float(digits) if digits else 16.0


def carried_to(profile: Profile, catalog: Catalog, accelerator_id: str) -> Profile:
    """A table measured on one accelerator, as an estimate for another, where the time model has nothing to say.

    Scaled by memory bandwidth, and by dense FLOP/s at the precision each of the two computes in. Where the other
    lacks the table's number format it runs the next wider one and reads as many times more bytes. Only physical laws
    can be carried; others, and pairs whose specifications the catalog lacks, come back unchanged.
    """
    if not isinstance(profile.law, PhysicalLaw) or profile.accelerator == accelerator_id:
        return profile
    here, there = (catalog.get("accelerators", name) for name in (profile.accelerator, accelerator_id))
    try:
        flops = peak_tflops(there, profile.precision) / peak_tflops(here, profile.precision)
    except ValueError:
        return profile
    if here.hbm_tb_per_s is None or there.hbm_tb_per_s is None:
        return profile
    precision = runs_at(there, profile.precision)
    bytes_ratio = bits_of(precision) / bits_of(profile.precision)
    bandwidth = there.hbm_tb_per_s.value / here.hbm_tb_per_s.value / bytes_ratio
    law = profile.law.scaled(bandwidth_ratio=bandwidth, flops_ratio=flops)
    return replace(
        profile,
        law=law,
        accelerator=accelerator_id,
        precision=precision,
        carried_from=profile.accelerator,
        carried_count=profile.accelerator_count,
        loo_error=None,
        relative_error=SCALED_ERROR,
        grade="estimate",
        evidence="derived",
    )


def runs_at(accelerator: Any, precision: str) -> str:
    """The number format weights are kept in; weight-only formats need no units for them."""
    if precision in ("mxfp4", "int4", "w4a16") or bits_of(precision) >= fewest_bits(accelerator):
        return precision
    return {8.0: "fp8", 16.0: "bf16"}[fewest_bits(accelerator)]


def fit_law(
    points: Sequence[Sequence[float]], law: str
) -> tuple[PhysicalLaw | LogLinearLaw | ConstantLaw, float | None]:
    """A law fitted to a table, and the mean error of left-out points where there are enough of them.

    Raises
    ------
    ValueError when the table has too few points for the law.
    """
    from aiplan.planners.energy.throughput_fit import fit_loglinear, fit_physical, leave_one_out

    if law != "physical":
        return fit_loglinear(points), None
    fitted = fit_physical(points)
    if len(points) < ENOUGH_TO_LEAVE_OUT:
        return fitted, None
    errors = leave_one_out(points, fit_physical)
    return fitted, float(sum(abs(error) for error in errors) / len(errors))


def _stored(entry: Any) -> tuple[PhysicalLaw, float | None]:
    """The law as the entry stores it."""
    fit = entry.fit if isinstance(entry.fit, Mapping) else entry.fit.model_dump()
    return PhysicalLaw(*(fit[name] for name in ("a", "b", "d", "e", "f"))), fit.get("loo_error")


def load_profile(catalog: Catalog, name: str, law: str) -> Profile:
    """Read a table and fit a law to it.

    Parameters
    ----------
    name : id of the table
    law : ``physical`` or ``loglinear``

    Raises
    ------
    InputError when there is no such table or it has too few points for the law.
    """
    profile_id = catalog.resolve("throughput", name)
    entry = catalog.get("throughput", profile_id)
    try:
        fitted, loo = _stored(entry) if law == "physical" and entry.fit is not None else fit_law(entry.points, law)
    except ValueError as error:
        message = f"table '{profile_id}' cannot be fitted: {error}"
        hint = "add points to it in an overlay, or name another table"
        raise InputError(Problem("E137", message, hint=hint)) from None
    when = entry.measured_on
    return Profile(
        profile_id,
        entry.model,
        entry.accelerator,
        entry.accelerator_count,
        entry.precision,
        f"{entry.engine} {entry.engine_version}".strip(),
        when if isinstance(when, date) else None,
        fitted,
        max(row[2] for row in entry.points),
        LengthRange.of(entry.points),
        loo,
        (loo / MEAN_ABSOLUTE_OF_NORMAL) if loo is not None else FEW_POINTS_ERROR,
        entry.source,
        entry.grade,
        entry.evidence,
    )
