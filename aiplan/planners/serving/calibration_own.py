"""A user's own measurements: which of them are fitted, from which constants, and how much they may move."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.serving.calibration import Study, sample_of, shape_of
from aiplan.planners.serving.calibration_recipes import OWN_TTFT_WEIGHT, Recipe, recipe_for, unknowns_for
from aiplan.planners.serving.datasets import read_rows
from aiplan.planners.serving.predict import calibrations, choose
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.time_constants import constants_of
from aiplan.planners.serving.time_fit import TTFT_WEIGHT, errors

REGIMES = ("online", "offline")
SOURCES = ("shipped", "assumed")
FAR_OFF = math.log(10.0)
"""Log error of a row beyond which units or columns are mixed up rather than constants wrong [1]."""


class Wish(NamedTuple):
    """What was asked for; empty texts where nothing was."""

    regime: str = ""
    engine: str = ""
    engine_version: str = ""
    start: str = "shipped"


class Own(NamedTuple):
    """A user's rows, ready to fit.

    Attributes
    ----------
    study : rows and recipe
    start : id of the calibration started from, or ``assumed``
    start_bands : bands of that calibration
    engine, engine_version : what the result holds for, empty for every one
    refused : why lines of the files are no rows
    """

    study: Study
    start: str
    start_bands: list[dict[str, Any]]
    engine: str
    engine_version: str
    refused: list[str]


def own_rows(files: Sequence[Path], shelf: Shelf) -> tuple[list[Row], list[str]]:
    """Rows of all files in order, and why lines are left out.

    Raises InputError (E180) for a file without a row, and for files that cannot be read.
    """
    rows: list[Row] = []
    refused: list[str] = []
    for file in files:
        found = read_rows(file, shelf, refused=refused)
        if not found:
            why = f": {refused[0]}" if refused else ""
            raise _refusal("E180", f"{file} has no row that can be placed{why}", str(file),
                           "see `aiplan perf --rows` for the columns")  # fmt: skip
        rows += found
    return rows, refused


def prepare(files: Sequence[Path], shelf: Shelf, wish: Wish) -> Own:
    """Everything a fit to a user's rows needs.

    Raises
    ------
    InputError: E180 where no row can be placed, E181 where none can be fitted.
    """
    rows, refused = own_rows(files, shelf)
    regime = wish.regime or _most(row for row in rows if not row.left_out)
    for row in rows:
        row.left_out = row.left_out or _unfit(row, wish, regime)
    kept = [row for row in rows if not row.left_out]
    if not kept:
        reasons = Counter(row.left_out for row in rows).most_common(3)
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons)
        raise _refusal("E181", f"no row can be fitted: {why}", str(files[0]),
                       "give ttft_ms, tpot_ms or output_tok_s as measured, and see --engine and --regime")  # fmt: skip
    name, recipe, bands = _start(kept, shelf, wish, regime)
    if name != "assumed":
        _set_aside_far_off(kept, shelf, recipe)
        kept = [row for row in kept if not row.left_out] or _give_back(kept)
        recipe = Recipe(regime, recipe.start, _free(kept, shelf, recipe))
    fitted = np.array([not row.left_out for row in rows])
    engine, version = _holds_for(kept, wish)
    weight = TTFT_WEIGHT if name == "assumed" else OWN_TTFT_WEIGHT
    return Own(Study(rows, fitted, recipe, shelf, ttft_weight=weight), name, bands, engine, version, refused)


def _most(rows: Any) -> str:
    """The regime of most rows."""
    count = Counter("offline" if row.offline else "online" for row in rows)
    return max(REGIMES, key=lambda regime: count[regime])


def _unfit(row: Row, wish: Wish, regime: str) -> str:
    """Why a row is not fitted; empty where it is."""
    if ("offline" if row.offline else "online") != regime:
        other = "offline: no concurrency stated" if row.offline else "online: a concurrency stated"
        return f"{other}; see --regime"
    if wish.engine and row.engine != wish.engine:
        return f"another engine than {wish.engine}"
    if wish.engine_version and not (row.engine_version + ".").startswith(wish.engine_version + "."):
        return f"another release than {wish.engine_version}"
    measured = (row.output_tok_s, math.nan if row.offline else row.tpot_ms, math.nan if row.offline else row.ttft_ms)
    return "nothing measured that can be fitted" if all(map(math.isnan, measured)) else ""


def _start(kept: Sequence[Row], shelf: Shelf, wish: Wish, regime: str) -> tuple[str, Recipe, list[dict[str, Any]]]:
    """Where the fit starts: assumed constants, or the calibration that most rows would be predicted with."""
    if wish.start == "assumed":
        return "assumed", recipe_for(regime), []
    known = calibrations(shelf)
    ((name, _),) = Counter(choose(row, known) for row in kept).most_common(1)
    bands = [{key: _get(band, key) for key in ("quantity", "kind", "rows", "p10", "p90", "median_error")}
             for band in known[name].bands]  # fmt: skip
    return name, Recipe(regime, constants_of(known[name]), {}), bands


def _get(band: Any, key: str) -> Any:
    return band[key] if isinstance(band, dict) else getattr(band, key)


def _set_aside_far_off(kept: Sequence[Row], shelf: Shelf, recipe: Recipe) -> None:
    """Set rows aside that no constants explain: milliseconds given as seconds, totals as per-user rates."""
    found = errors(sample_of(kept, shelf), recipe.start)
    for number, row in enumerate(kept):
        seen = [getattr(found, quantity)[number] for quantity in ("tpot", "throughput")]
        if any(abs(error) > FAR_OFF for error in seen if not math.isnan(error)):
            row.left_out = "off by more than ten times: check units and columns"


def _give_back(rows: Sequence[Row]) -> list[Row]:
    """All rows far off alike: then it may be the machine."""
    for row in rows:
        row.left_out = ""
    return list(rows)


def _free(kept: Sequence[Row], shelf: Shelf, recipe: Recipe) -> Any:
    models = len({shape_of(row.model, shelf) for row in kept})
    return unknowns_for(recipe.start, recipe.regime, len(kept), models, Counter(row.engine for row in kept))


def _holds_for(kept: Sequence[Row], wish: Wish) -> tuple[str, str]:
    """Engine and release that the result holds for: as asked, or what all rows share."""
    if wish.engine:
        return wish.engine, wish.engine_version
    engines = {row.engine for row in kept}
    if len(engines) > 1 or engines == {"other"}:
        return "", ""
    releases = {".".join(row.engine_version.split(".")[:2]) for row in kept}
    return engines.pop(), releases.pop() if len(releases) == 1 else ""


def _refusal(code: str, message: str, file: str, hint: str) -> InputError:
    return InputError(Problem(code, message[:400], file=file, hint=hint))
