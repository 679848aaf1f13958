"""What `aiplan perf calibrate` prints: errors before, after and with a group left out, and what moved."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiplan.planners.serving.calibration import FEWEST, QUANTITIES, left_out_reasons, measured_bands, score
from aiplan.planners.serving.predict import calibrations, choose
from aiplan.planners.serving.time_constants import ENGINE_FACTORS, NAMES
from aiplan.report.model import Column, Line, Origin, Report, Table, Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.serving.calibration_own import Own
    from aiplan.planners.serving.rows import Shelf

LABELS = {"tpot": "time per token", "ttft": "time to first token", "throughput": "throughput"}


def bands_with_start(own: Own, group: str) -> tuple[list[dict[str, Any]], bool]:
    """Bands from groups left out, those of the start where there are too few rows; whether any are its."""
    study = own.study
    by = study.coarsest(group)
    # A single deployment tells nothing of the next one.
    found = measured_bands(study, (by,)) if by in ("model", "hardware") else []
    have = {(band["quantity"], band["kind"]) for band in found}
    kept = [band for band in own.start_bands if (band["quantity"], band["kind"]) not in have]
    return found + kept, bool(kept)


def report_of(own: Own, catalog: Catalog, shelf: Shelf, entry_id: str, group: str) -> Report:
    """The report of a fit."""
    study = own.study
    by = study.coarsest(group)
    errors = _error_rows(own, by)
    fitted, left = int(study.fitted.sum()), int((~study.fitted).sum()) + len(own.refused)
    main = errors[0]
    left_text = f", {main[7]:.1%} with a {by} left out" if main[7] is not None else ""
    headline = (
        f"{LABELS[main[0]]}: median error {main[3]:.1%} before, {main[5]:.1%} after{left_text}; {fitted} rows fitted, "
        f"{left} left out."
    )
    lines = [Line("rows_fitted", "Rows fitted", fitted, None, grade="measured"),
             Line("rows_left_out", "Rows left out", left, None, grade="measured"),
             Line("constants_fitted", "Constants that may move", len(study.recipe.unknowns), None, grade="measured"),
             *_error_lines(errors)]  # fmt: skip
    return Report(
        planner="perf-calibrate",
        title="Constants of the time model fitted to measurements",
        headline=headline,
        scenario=Origin(entry_id, ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=tuple(lines),
        tables=(_errors_table(errors, by), _constants_table(own), _bands_table(own, group), _left_out_table(own)),
        warnings=_warnings(own, shelf, by, group),
        context=(("Regime", study.recipe.regime), ("Started from", own.start), ("Holds for", _holds(own))),
    )


def _holds(own: Own) -> str:
    return " ".join(part for part in (own.engine, own.engine_version) if part) or "every engine"


def _error_rows(own: Own, by: str) -> list[tuple[Any, ...]]:
    """One row per quantity measured: rows, mean and median before, after and left out, the worst group."""
    study = own.study
    left = study.left_out(by) if by else None
    rows: list[tuple[Any, ...]] = []
    for quantity in QUANTITIES:
        before, after = (score(getattr(one, quantity), study.fitted) for one in (study.before, study.after))
        if not after.rows:
            continue
        numbers = [before.mean, before.median, after.mean, after.median]
        worst: tuple[Any, ...] = (None, None)
        if left is None:
            numbers += [math.nan, math.nan]
        else:
            error = getattr(left, quantity)
            out = score(error, study.fitted)
            numbers += [out.mean, out.median]
            worst = study.worst(error, by)
        rows.append((quantity, after.rows, *(None if math.isnan(one) else one for one in numbers), *worst))
    return rows


def _error_lines(errors: list[tuple[Any, ...]]) -> list[Line]:
    lines = []
    for quantity, _, _, before, _, after, _, out, *_ in errors:
        for key, value, what in (
            ("before", before, "before"),
            ("after", after, "after"),
            ("left_out", out, "left out"),
        ):
            if value is not None:
                label = f"Median error of {LABELS[quantity]}, {what}"
                lines.append(Line(f"{quantity}_error_{key}", label, value, None, grade="measured"))
    return lines


def _errors_table(errors: list[tuple[Any, ...]], by: str) -> Table:
    columns = (
        Column("quantity", "quantity"), Column("rows", "rows"),
        Column("before_mean", "before, mean"), Column("before_median", "before, median", keep=True),
        Column("after_mean", "after, mean"), Column("after_median", "after, median", keep=True),
        Column("left_out_mean", "left out, mean"), Column("left_out_median", "left out, median", keep=True),
        Column("worst_group", "worst group"), Column("worst_median", "its median"),
    )  # fmt: skip
    what = {"model": "one model left out at a time", "hardware": "one accelerator left out at a time",
            "deployment": "one deployment left out at a time", "row": "one row left out at a time",
            "": "nothing to leave out: a single row"}[by]  # fmt: skip
    return Table("errors", f"Error of fitted rows; {what}", columns, tuple(errors))


def _constants_table(own: Own) -> Table:
    """Every constant before and after; engines of fitted rows only."""
    start, end = own.study.recipe.start, own.study.constants
    rows: list[tuple[Any, ...]] = [(name, getattr(start, name), getattr(end, name)) for name in NAMES]
    engines = {row.engine for row, fitted in zip(own.study.rows, own.study.fitted, strict=True) if fitted}
    for engine in sorted(engines):
        rows += [(f"{engine}.{name}", start.factor(name, engine), end.factor(name, engine)) for name in ENGINE_FACTORS]
    shown = tuple((name, before, after, after / before if before else None) for name, before, after in rows)
    columns = (Column("constant", "constant"), Column("before", "before"), Column("after", "after"),
               Column("ratio", "after / before", keep=True))  # fmt: skip
    freed = ", ".join(own.study.recipe.unknowns)
    return Table("constants", f"Constants; may move: {freed}", columns, shown)


def _bands_table(own: Own, group: str) -> Table:
    bands, _ = bands_with_start(own, group)
    columns = (Column("quantity", "quantity"), Column("kind", "class"), Column("rows", "rows"),
               Column("p10", "P10 of ln error"), Column("p90", "P90 of ln error"),
               Column("median_error", "median error"))  # fmt: skip
    rows = tuple(tuple(band[column.id] for column in columns) for band in bands)
    return Table("bands", "Error bands that predictions will carry", columns, rows, shown=False)


def _left_out_table(own: Own) -> Table:
    rows: list[tuple[Any, ...]] = list(left_out_reasons(own.study.rows))
    rows += [(reason, count, "") for reason, count in Counter(own.refused).most_common(50)]
    columns = (Column("reason", "why", keep=True), Column("rows", "rows", keep=True), Column("first", "first of them"))
    return Table("left_out", "Rows left out of the fit", columns, tuple(rows), shown=bool(rows))


def _warnings(own: Own, shelf: Shelf, by: str, group: str) -> tuple[Warn, ...]:
    found = []
    if by != group:
        text = f"all fitted rows are of one {group}: the error left out is that of a {by or 'row'} and says nothing " \
               f"of another {group}"  # fmt: skip
        found.append(Warn("W-CALIBRATE-GROUP", text))
    if bands_with_start(own, group)[1]:
        text = (
            f"classes with fewer than {FEWEST} rows, or without a {group} to leave out, keep the bands of '{own.start}'"
        )
        found.append(Warn("W-CALIBRATE-BANDS", text))
    if own.refused:
        found.append(Warn("W-CALIBRATE-ROWS", f"{len(own.refused)} rows could not be placed; first: {own.refused[0]}"))
    closer = _closer(own, shelf)
    if closer:
        text = f"rows of {', '.join(closer)} have a calibration of their release, which stays closer; see --engine"
        found.append(Warn("W-CALIBRATE-CLOSER", text))
    return tuple(found)


def _closer(own: Own, shelf: Shelf) -> list[str]:
    """Calibrations that fitted rows would still be predicted with, because they name engine or release more closely."""
    from types import SimpleNamespace

    mine = SimpleNamespace(regime=own.study.recipe.regime, engine=own.engine, engine_version=own.engine_version)
    known = {"": mine, **calibrations(shelf)}
    rows = [row for row, fitted in zip(own.study.rows, own.study.fitted, strict=True) if fitted]
    return sorted({choose(row, known) for row in rows} - {""})
