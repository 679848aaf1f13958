"""Throughput tables that nobody measured: computed by the time model, or moved to another accelerator by it.

Measured tables win. Where a model has none, the time model's offline regime gives one for the server's accelerator;
where it has one of another accelerator, the ratio of what the model says of the two moves every point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError
from aiplan.planners.energy.notes import TENTH
from aiplan.planners.energy.profiles import (
    MEAN_ABSOLUTE_OF_NORMAL,
    Profile,
    bits_of,
    carried_to,
    fewest_bits,
    no_table,
    runs_at,
)
from aiplan.planners.energy.throughput_fit import fit_physical, in_sample_error
from aiplan.planners.serving.precision import EXPERT_BYTES
from aiplan.planners.serving.predict import Predicted, calibrations, choose, kind_of, predict
from aiplan.planners.serving.rows import Row, Shelf, place
from aiplan.planners.serving.throughput import LengthRange, PhysicalLaw

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

LENGTHS = (128.0, 512.0, 2048.0, 8192.0)
"""Prompts and answers of a computed table; those of the published tables and beyond, each four times the last."""

TRANSFER_ERROR = 0.164
"""Relative error of a table moved so [1]: nine in ten pairs within `TRANSFER_P90_FACTOR`."""

Point = tuple[float, float, float]


def computed_profile(
    catalog: Catalog, model: str, accelerator: str, most: int, typical: Sequence[tuple[float, float]] = ()
) -> Profile:
    """A table of the time model for a model nobody measured.

    Parameters
    ----------
    catalog : where the model, the accelerator and the calibration are looked up
    model, accelerator : ids
    most : accelerators of a server, the largest group
    typical : prompt and answer lengths of the scenario, added to `LENGTHS` [tokens]

    The group is the smallest power of two that leaves room for a cache, at the fewest bits the accelerator multiplies,
    which is how measured tables are chosen too. The law's error is the calibration's P10 or P90 for this class of
    deployment, whichever is farther out, and what the law misses of the computed points.

    Raises
    ------
    InputError when the catalog lacks what the time model needs, or the model does not fit the server.
    """
    shelf = Shelf(catalog)
    entry, device = catalog.get("models", model), catalog.get("accelerators", accelerator)
    precision = _narrowest(entry.native_precision, device)
    # Off NVIDIA's parts the engine behind the calibration does not run; vLLM's memory rule stands in.
    engine = "TensorRT-LLM" if device.vendor == "NVIDIA" else "vLLM"
    cells = {"model": model, "hardware": accelerator, "precision": precision, "framework": engine}
    try:
        whole = place({**cells, "n_gpus": f"{most}", "isl": "1000", "osl": "1000"}, shelf)
        group = round(whole.n_gpus / whole.replicas)
        cells |= {"n_gpus": f"{group}", "tp": f"{group}"}
        pairs = sorted({*product(LENGTHS, LENGTHS), *((max(i, 1.0), max(o, 1.0)) for i, o in typical)})
        rows = [place({**cells, "isl": f"{i:.9g}", "osl": f"{o:.9g}"}, shelf) for i, o in pairs]
        found = predict(rows, shelf, tables=False)
    except ValueError as error:
        raise _cannot(catalog, model, f"none can be computed: {error}") from None
    points: list[Point] = [
        (i, o, float(rate)) for (i, o), rate, fits in zip(pairs, found.output_tok_s, found.fits, strict=True) if fits
    ]
    if not points:
        raise _cannot(catalog, model, f"its weights do not fit {group} x {accelerator} at {precision}")
    law = fit_physical(points)
    name, calibration = _calibration(rows[0], shelf)
    spread, median_error = _band(rows[0], shelf, calibration)
    missed = float(np.mean(np.abs(in_sample_error(points, law))))
    return Profile(
        f"roofline.{name}.{model}.{accelerator}.{group}.{precision}",
        model,
        accelerator,
        group,
        precision,
        f"roofline, calibration {name}",
        None,
        law,
        max(rate for _, _, rate in points),
        LengthRange.of(points),
        median_error,
        hypot(spread, missed / MEAN_ABSOLUTE_OF_NORMAL),
        calibration.source,
        "estimate",
        "derived",
        computed=True,
    )


def _cannot(catalog: Catalog, model: str, why: str) -> InputError:
    return no_table(catalog, model, f"no throughput table for '{model}' in the catalog, and {why}")


def _narrowest(native: str, accelerator: Any) -> str:
    """The fewest bits the accelerator multiplies, or those the weights were published in if still fewer."""
    widths = {4.0: "fp4", 8.0: "fp8", 16.0: "bf16"}
    if native in EXPERT_BYTES and (native == "mxfp4" or bits_of(native) < fewest_bits(accelerator)):
        return native
    return widths[fewest_bits(accelerator)]


def _calibration(row: Row, shelf: Shelf) -> tuple[str, Any]:
    known = calibrations(shelf)
    name = choose(row, known)
    return name, known[name]


def _band(row: Row, shelf: Shelf, calibration: Any) -> tuple[float, float | None]:
    """Standard deviation of the log error of time for a class of deployment, and its median error [1]."""
    held = [one for one in calibration.bands if _field(one, "quantity") == "throughput"]
    mine = [one for one in held if _field(one, "kind") == kind_of(row, shelf)]
    ends = [abs(_field(one, end)) for one in (mine or held) for end in ("p10", "p90")]
    if not ends:
        return TRANSFER_ERROR, None  # an overlay's calibration may state no error
    return max(ends) / TENTH, float(_field(mine[0], "median_error")) if mine else None


def _field(one: Any, name: str) -> Any:
    return one[name] if isinstance(one, dict) else getattr(one, name)


def moved_to(profile: Profile, catalog: Catalog, accelerator: str, most: int) -> Profile:
    """A table measured on one accelerator, as an estimate for another.

    ``rate there = rate here x model(there) / model(here)`` at every point; the law is fitted to the moved points.

    Parameters
    ----------
    profile : the table; one that is already of this accelerator, or whose law is not physical, comes back as it is
    most : accelerators of a server; a group too small for the model there grows by doubling up to it

    Where the model fits no group there, or the catalog lacks what the time model needs, the law is scaled by memory
    bandwidth and FLOP/s instead (`profiles.carried_to`).

    Measured over all pairs of series of one model and precision on two accelerators in the TensorRT-LLM 0.17 and 1.0
    tables, the calibration fitted without the accelerator moved to: a factor of `TRANSFER_MEDIAN_FACTOR` (median) and
    `TRANSFER_P90_FACTOR` (P90), where scaling misses by `SCALED_MEDIAN_FACTOR` and `SCALED_P90_FACTOR`.
    """
    if profile.accelerator == accelerator or not isinstance(profile.law, PhysicalLaw):
        return profile
    shelf = Shelf(catalog)
    entry = catalog.get("throughput", profile.id)
    precision = runs_at(catalog.get("accelerators", accelerator), profile.precision)
    try:
        here = _rates(entry, shelf, profile.accelerator, profile.precision, 1)
        group = 1
        there = _rates(entry, shelf, accelerator, precision, group)
        while not there.fits.all() and profile.accelerator_count * group * 2 <= most:
            group *= 2
            there = _rates(entry, shelf, accelerator, precision, group)
    except (InputError, ValueError):
        return carried_to(profile, catalog, accelerator)
    error = TRANSFER_ERROR
    if catalog.get("accelerators", accelerator).vendor != catalog.get("accelerators", profile.accelerator).vendor:
        # The pairs behind the error are of one vendor; between two, that of the other's own rows comes on top.
        row = place({**_cells(entry, accelerator, precision, group), "isl": "1000", "osl": "1000"}, shelf)
        error = hypot(error, _band(row, shelf, _calibration(row, shelf)[1])[0])
    usable = np.asarray(here.fits, dtype=bool) & np.asarray(there.fits, dtype=bool)
    if usable.sum() * 2 < len(entry.points):
        return carried_to(profile, catalog, accelerator)
    points = np.asarray(entry.points, dtype=np.float64)[usable]
    points[:, 2] *= there.output_tok_s[usable] / here.output_tok_s[usable]
    return replace(
        profile,
        law=fit_physical(points),
        highest_tokens_per_s=float(points[:, 2].max()),
        accelerator=accelerator,
        accelerator_count=profile.accelerator_count * group,
        precision=precision,
        carried_from=profile.accelerator,
        carried_count=profile.accelerator_count,
        by_ratio=True,
        loo_error=None,
        relative_error=error,
        grade="estimate",
        evidence="derived",
    )


def _rates(entry: Any, shelf: Shelf, accelerator: str, precision: str, times: int) -> Predicted:
    """What the time model says of a table's points, on an accelerator, with so many times the group."""
    cells = _cells(entry, accelerator, precision, times)
    return predict(
        [place({**cells, "isl": f"{i:.9g}", "osl": f"{o:.9g}"}, shelf) for i, o, _ in entry.points], shelf, tables=False
    )


def _cells(entry: Any, accelerator: str, precision: str, times: int) -> dict[str, str]:
    """A table's deployment as the texts of a row; a larger group is one of more tensor parallelism."""
    tensor = entry.tensor_parallel and entry.tensor_parallel * times
    degrees = {"tp": tensor, "pp": entry.pipeline_parallel, "ep": entry.expert_parallel}
    return {
        "model": entry.model,
        "hardware": accelerator,
        "precision": precision,
        "framework": f"{entry.engine} {entry.engine_version}".strip(),
        "n_gpus": f"{entry.accelerator_count * times}",
        **{name: f"{degree}" for name, degree in degrees.items() if degree},
    }
