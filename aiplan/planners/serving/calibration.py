"""Fits of the time model to measured rows, with the error of groups left out: what `aiplan perf calibrate` does.

`Study` is a set of rows with a recipe; it fits once and leaves groups out on demand. The shipped constants are the
studies in `calibration_public`; a user's own rows make another.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.serving.calibration_recipes import Recipe
from aiplan.planners.serving.predict import kind_of, memory_limit
from aiplan.planners.serving.rows import Row, Shelf, deployment_of, load_of
from aiplan.planners.serving.time_constants import NAMES, TimeConstants
from aiplan.planners.serving.time_fit import TTFT_WEIGHT, Errors, Sample, Unknown, errors, fit_time, leave_one_out

Mask = npt.NDArray[np.bool_]

QUANTITIES = ("tpot", "ttft", "throughput")
KINDS = ("dense", "moe", "fp4", "vendor")
FEWEST = 10
"""Rows below which the percentiles of a class are not stated."""
GROUPS = ("model", "hardware", "deployment", "row")
"""What can be left out together, coarsest first."""


@dataclass(frozen=True, slots=True)
class Score:
    """Absolute relative error over rows, ``|predicted / measured - 1|`` [1]; NaN without rows."""

    rows: int
    mean: float
    median: float


def score(error: Array, mask: Mask | None = None) -> Score:
    """Mean and median of log errors as relative ones, rows without a measurement left aside.

    >>> found = score(np.log([1.1, 0.8, np.nan]))
    >>> found.rows, round(found.mean, 3), round(found.median, 3)
    (2, 0.15, 0.15)
    """
    held = np.asarray(error if mask is None else error[mask], dtype=np.float64)
    held = np.abs(np.expm1(held[~np.isnan(held)]))
    return Score(held.size, float(held.mean()), float(np.median(held))) if held.size else Score(0, math.nan, math.nan)


def sample_of(rows: Sequence[Row], shelf: Shelf) -> Sample:
    """Rows as the fit wants them: what ran, what fits, what was measured."""
    deployment, load = deployment_of(rows, shelf), load_of(rows)
    return Sample(
        deployment=deployment,
        load=load,
        limit=memory_limit(rows, deployment, load),
        requests=np.array([row.requests if row.offline else math.nan for row in rows]),
        tpot_s=np.array([row.tpot_ms for row in rows]) / 1e3,
        ttft_s=np.array([math.nan if row.ttft_left_out else row.ttft_ms for row in rows]) / 1e3,
        output_tok_s=np.array([row.output_tok_s for row in rows]),
    )


def shape_of(model_id: str, shelf: Shelf) -> str:
    """What tells a model's shape from another's: variants trained anew on one shape are one model.

    The catalog's ``shape_of`` leads to the same layers, and models that name no parent may share them too (DeepSeek V3
    and R1), so that width, depth and the weights of feed-forward networks are compared.
    """
    model = shelf.architecture(model_id)
    return f"{model.layers:.0f}x{model.hidden_size:.0f}+{model.routed_params:.0f}+{model.dense_params:.0f}"


def labels_of(rows: Sequence[Row], shelf: Shelf, by: str) -> list[str]:
    """Label of each row: rows of one label are left out together; readable, the first id of a shape stands for all.

    Raises ValueError for a grouping that is not one of `GROUPS`.
    """
    if by not in GROUPS:
        raise ValueError(f"group must be one of {', '.join(GROUPS)}, got '{by[:40]}'")
    if by == "row":
        return [str(number) for number in range(len(rows))]
    if by == "hardware":
        return [row.hardware for row in rows]
    named: dict[str, str] = {}
    models = [named.setdefault(shape_of(row.model, shelf), row.model) for row in rows]
    if by == "model":
        return models
    return [f"{model} on {row.n_gpus:g} {row.hardware}, {row.engine} {row.precision} TP{row.tp:g}"
            for model, row in zip(models, rows, strict=True)]  # fmt: skip


@dataclass
class Study:
    """Measured rows, which of them are fitted, and the recipe.

    Attributes
    ----------
    rows : all rows, those that are only scored too
    fitted : mask of rows that may be fitted
    recipe : what is fitted, from where
    ttft_weight : weight of times to first token [1]
    recipe_without : recipe for a grouping and one of its labels left out, where the start was fitted too
    """

    rows: list[Row]
    fitted: Mask
    recipe: Recipe
    shelf: Shelf
    recipe_without: Callable[[str, str], Recipe] | None = None
    ttft_weight: float = TTFT_WEIGHT
    _left_out: dict[str, Errors] = field(default_factory=dict)

    @cached_property
    def sample(self) -> Sample:
        """The rows as arrays."""
        return sample_of(self.rows, self.shelf)

    @cached_property
    def kinds(self) -> npt.NDArray[np.str_]:
        """Class of each row for its band."""
        return np.array([kind_of(row, self.shelf) for row in self.rows])

    @cached_property
    def constants(self) -> TimeConstants:
        """Constants fitted to all rows that may be."""
        return fit_time(self.sample.pick(self.fitted), self.recipe.start, self.recipe.unknowns, self.ttft_weight)

    @cached_property
    def before(self) -> Errors:
        """Errors of every row under the start."""
        return errors(self.sample, self.recipe.start)

    @cached_property
    def after(self) -> Errors:
        """Errors of every row under the fit."""
        return errors(self.sample, self.constants)

    @cached_property
    def every(self) -> Errors:
        """Errors of every measurement under the fit, those set aside too."""
        every = replace(self.sample, ttft_s=np.array([row.ttft_ms for row in self.rows]) / 1e3)
        return errors(every, self.constants)

    def labels(self, by: str) -> npt.NDArray[np.str_]:
        """Labels of the rows, see `labels_of`."""
        return np.array(labels_of(self.rows, self.shelf, by))

    def groups(self, by: str) -> int:
        """How many groups there are to leave out among fitted rows."""
        return int(np.unique(self.labels(by)[self.fitted]).size)

    def left_out(self, by: str) -> Errors:
        """Errors of every row under constants fitted without its group."""
        if by not in self._left_out:
            anew = self.recipe_without

            def start_of(label: str) -> tuple[TimeConstants, Mapping[str, Unknown]]:
                recipe = self.recipe if anew is None else anew(by, label)
                return recipe.start, recipe.unknowns

            self._left_out[by] = leave_one_out(
                self.sample,
                self.fitted,
                list(self.labels(by)),
                self.recipe.start,
                self.recipe.unknowns,
                self.ttft_weight,
                from_without=start_of,
            )
        return self._left_out[by]

    def coarsest(self, wanted: str) -> str:
        """The grouping asked for, or the next finer one with two groups or more; empty for a single row."""
        for by in GROUPS[GROUPS.index(wanted) :]:
            if self.groups(by) > 1:
                return by
        return ""

    def worst(self, error: Array, by: str) -> tuple[str, float]:
        """The group whose median error is largest, and that error [1]; of fitted rows."""
        labels = self.labels(by)
        medians = {str(name): score(error, self.fitted & (labels == name)).median
                   for name in np.unique(labels[self.fitted])}  # fmt: skip
        known = {name: value for name, value in medians.items() if not math.isnan(value)}
        name = max(known, key=lambda one: known[one], default="")
        return name, known.get(name, math.nan)


def bands_of(
    quantity: str, found: Sequence[Array], kinds: npt.NDArray[np.str_], mask: Mask, fewest: int = FEWEST
) -> list[dict[str, Any]]:
    """P10 and P90 of pooled log errors by class, as entries of a calibration.

    Parameters
    ----------
    found : errors of every row, one array for each way of leaving groups out; pooled
    kinds, mask : class of each row, rows that count
    """
    bands = []
    for kind in KINDS:
        mine = mask & (kinds == kind)
        pooled = np.concatenate([error[mine & ~np.isnan(error)] for error in found])
        if pooled.size >= fewest * len(found):
            low, high = np.quantile(pooled, (0.1, 0.9))
            bands.append({
                "quantity": quantity,
                "kind": kind,
                "rows": pooled.size // len(found),
                "p10": round(float(low), 4),
                "p90": round(float(high), 4),
                "median_error": round(score(pooled).median, 4),
            })  # fmt: skip
    return bands


def measured_bands(study: Study, groups: Sequence[str]) -> list[dict[str, Any]]:
    """Bands of every quantity that was measured, from groups left out."""
    found = [study.left_out(by) for by in groups]
    out: list[dict[str, Any]] = []
    for quantity in QUANTITIES:
        # Throughput of rows with a fixed number in flight is time per token again.
        if quantity == "throughput" and not np.isnan(study.after.tpot[study.fitted]).all():
            continue
        out += bands_of(quantity, [getattr(one, quantity) for one in found], study.kinds, study.fitted)
    return out


@dataclass(frozen=True, slots=True)
class About:
    """What an entry says beside its numbers; see `aiplan.catalog.schema.Calibration`."""

    name: str
    source: str
    rows: str
    fitted_on: date
    engine: str = ""
    engine_version: str = ""


def entry_of(study: Study, about: About, bands: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A fit as a catalog entry of kind ``calibrations``."""
    constants = study.constants
    entry: dict[str, Any] = {
        "name": about.name, "source": about.source, "grade": "measured", "evidence": "derived",
        "regime": study.recipe.regime,
    }  # fmt: skip
    if about.engine:
        entry["engine"] = about.engine
    if about.engine_version:
        entry["engine_version"] = about.engine_version
    entry |= {
        "fitted_on": about.fitted_on,
        "rows": about.rows,
        "rows_fitted": int(study.fitted.sum()),
        "rows_left_out": int((~study.fitted).sum()),
        "constants": {name: getattr(constants, name) for name in NAMES},
        "engines": {name: dict(row) for name, row in constants.engines.items()},
        "bands": list(bands),
    }
    return entry


def toml_text(entries: dict[str, dict[str, Any]], header: str) -> str:
    """Entries as a catalog file; numbers to six digits, far below what the rows can tell."""
    parts = ["\n".join(f"# {line}".rstrip() for line in header.splitlines())]
    for name, entry in entries.items():
        lines = [f"[{name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in entry.items() if not isinstance(value, dict | list)]
        lines += ["", f"[{name}.constants]"]
        lines += [f"{key} = {_toml(value)}" for key, value in entry["constants"].items()]
        for engine, factors in entry["engines"].items():
            lines += ["", f"[{name}.engines.{engine}]", *(f"{key} = {_toml(value)}" for key, value in factors.items())]
        for band in entry["bands"]:
            lines += ["", f"[[{name}.bands]]", *(f"{key} = {_toml(value)}" for key, value in band.items())]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, str):
        # Basic strings: names of files may hold quotes and backslashes.
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def left_out_reasons(rows: Sequence[Row]) -> list[tuple[str, int, str]]:
    """Why rows are not fitted: reason, how many, the first of them."""
    count = Counter(row.left_out for row in rows if row.left_out)
    first = {row.left_out: row for row in reversed(rows) if row.left_out}
    return [(reason, number, f"{first[reason].model} on {first[reason].hardware}")
            for reason, number in count.most_common()]  # fmt: skip
