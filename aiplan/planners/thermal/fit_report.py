"""A fit of telemetry as a report."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from aiplan.planners.thermal.fit_plan import FitResult, gpu_name, gpu_spread
from aiplan.planners.thermal.fit_shape import SHAPES
from aiplan.report.model import Cell, Column, Line, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

WORST = 8
# id: (label, unit, formula). A test checks that every line of a report stands here.
LINES: dict[str, tuple[str, str | None, str]] = {
    "samples": ("Samples", "samples", "rows of the file"),
    "gpus": ("GPUs", "GPUs", "different servers and GPUs"),
    "servers": ("Servers", "servers", "different servers"),
    "shape": ("Shape", None, "the simplest within a standard error of the least error left out, by blocks of time"),
    "mae_c": ("Mean absolute error", "K", "mean |T - fit|"),
    "mae_out_of_sample_c": ("Mean absolute error, left out", "K", "each fifth of the time from the other four"),
    "p95_error_c": ("P95 of the absolute error", "K", "P95 |T - fit|"),
    "p99_residual_c": ("P99 of the residual", "K", "P99 (T - fit): the margin to plan with"),
    "worst_gpu_mae_c": ("Mean absolute error of the worst GPU", "K", "max over GPUs"),
    "inlet_coefficient": ("Inlet coefficient a", "K/K", "straight line shared by all GPUs, each with its own c"),
    "inlet_coefficient_error": ("Standard error of a", "K/K", "Driscoll and Kraay, Bartlett window"),
    "power_coefficient": ("Power coefficient b", "K/W", "as above"),
    "power_coefficient_error": ("Standard error of b", "K/W", "as above"),
    "intercept_c": ("Intercept c", "°C", "mean over GPUs"),
    "intercept_error_c": ("Standard error of c", "°C", "as above"),
    "power_slope_spread": ("Spread of b between GPUs", "K/W", "standard deviation over GPUs with slopes of their own"),
    "gpu_spread_c": ("Spread of GPUs in a server", "K", "s whose largest of n |N(0, s)| is the mean hottest offset"),
    "trend_c_per_day": ("Drift of the residual", "K/day", "slope of T - fit against time"),
    "memory_mae_c": ("Mean absolute error, memory", "K", "the same model for mem_temp_c"),
    "inlet_mae_c": ("Mean absolute error, inlet", "K", "mean |T_in - fit|"),
    "inlet_base_c": ("Inlet in cold weather", "°C", "at half load, mean over rows"),
    "inlet_slope_15_25": (
        "Slope of the inlet, 15 to 25 C outside",
        "K/K",
        "hinge regression, servers' offsets absorbed",
    ),
    "inlet_slope_above_25": ("Slope of the inlet above 25 C", "K/K", "as above"),
    "hall_load_kelvin": ("Inlet from empty to full hall", "K", "as above, mean load of the servers heard of"),
    "row_spread_c": ("Spread of rows", "K", "standard deviation of the rows' offsets"),
    "server_spread_c": ("Spread of servers within rows", "K", "standard deviation of the servers' offsets"),
}

NOT_MODELLED = (
    "warming and cooling between samples: the model is of steady states, samples some minutes apart",
    "fan speed, which hides in c and b",
    "hot air that comes back when an aisle lacks air",
)


def fit_report(result: FitResult, catalog: Catalog) -> Report:
    """The report of a fit."""
    telemetry, found = result.telemetry, result.fit
    values = values_of(result)
    grade = "assumption" if result.synthetic else "measured"
    whose = "Synthetic telemetry: " if result.synthetic else ""
    left_out = found.mae_out_of_sample_c
    told = f", {left_out:.2f} K on time left out" if np.isfinite(left_out) else ""
    lines = tuple(
        Line(name, label, values[name], unit, grade=grade, sources=(telemetry.name,), formula=formula)
        for name, (label, unit, formula) in LINES.items()
        if name in values
    )
    return Report(
        planner="thermal-fit",
        title=f"Temperature model of {telemetry.name}",
        headline=(
            f"{whose}T = {found.inlet_coefficient:.3f} T_inlet + {found.power_coefficient:.4f} P + "
            f"{found.intercept_c:.2f} C over {len(telemetry.gpus):,} GPUs; mean error {found.mae_c:.2f} K{told}."
        ),
        scenario=Origin(telemetry.name, _digest(result)),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=lines,
        tables=tuple(_tables(result)),
        warnings=tuple(result.flags),
        not_modelled=NOT_MODELLED,
        sources={telemetry.name: "telemetry given"},
        context=(
            ("Samples", f"{telemetry.gpu.size:,} of {len(telemetry.gpus):,} GPUs in {len(telemetry.servers):,} servers "
                        f"over {np.ptp(telemetry.time_s) / 86_400:.1f} days"),
            ("Shape", _shape(result)),
            ("Use", "aiplan thermal fit ... --write-fit my-hall.toml && aiplan thermal my-hall.toml"),
        ),
    )  # fmt: skip


def _digest(result: FitResult) -> str:
    """Hash of the samples."""
    found = hashlib.sha256()
    telemetry = result.telemetry
    for values in (telemetry.time_s, telemetry.gpu, *(telemetry.values[name] for name in sorted(telemetry.values))):
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def _shape(result: FitResult) -> str:
    found = result.fit
    knots = [f"{knot:.0f} W" for knot in found.power_knots_w] + [f"{knot:.1f} C" for knot in found.inlet_knots_c]
    return found.shape.name + (f" at {', '.join(knots)}" if knots else "")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def values_of(result: FitResult) -> dict[str, Cell]:
    """The value of every line; lines without data are left out."""
    telemetry, found, inlet = result.telemetry, result.fit, result.inlet
    own = found.power_slopes[found.own]
    values: dict[str, Cell] = {
        "samples": int(telemetry.gpu.size),
        "gpus": len(telemetry.gpus),
        "servers": len(telemetry.servers),
        "shape": _shape(result),
        "mae_c": found.mae_c,
        "mae_out_of_sample_c": _finite(found.mae_out_of_sample_c),
        "p95_error_c": found.p95_c,
        "p99_residual_c": found.p99_residual_c,
        "worst_gpu_mae_c": float(found.mae_of_gpu_c.max()),
        "inlet_coefficient": found.inlet_coefficient,
        "inlet_coefficient_error": float(found.errors[0]),
        "power_coefficient": found.power_coefficient,
        "power_coefficient_error": float(found.errors[1]),
        "intercept_c": found.intercept_c,
        "intercept_error_c": float(found.errors[2]),
        "power_slope_spread": float(own.std(ddof=1)) if own.size > 1 else None,
        "gpu_spread_c": gpu_spread(result),
        "trend_c_per_day": found.trend_c_per_day,
    }
    if result.memory is not None:
        values["memory_mae_c"] = result.memory.mae_c
    if inlet is not None:
        values |= {
            "inlet_mae_c": inlet.mae_c,
            "inlet_base_c": inlet.base_c,
            "inlet_slope_15_25": inlet.slopes[0],
            "inlet_slope_above_25": inlet.slopes[1],
            "hall_load_kelvin": inlet.load_kelvin,
            "row_spread_c": float(inlet.row_c.std(ddof=1)) if inlet.row_c.size > 1 else None,
            "server_spread_c": float(inlet.server_c.std(ddof=1)) if inlet.server_c.size > 1 else None,
        }
    return values


_GPUS = (
    Column("server", "server", keep=True),
    Column("gpu", "GPU", keep=True),
    Column("samples", "samples"),
    Column("own_slopes", "own slopes"),
    Column("inlet_coefficient", "a", "K/K"),
    Column("inlet_error", "+-"),
    Column("power_coefficient", "b", "K/W"),
    Column("power_error", "+-"),
    Column("offset_c", "offset", "K"),
    Column("mae_c", "mean error", "K", keep=True),
)


def _tables(result: FitResult) -> list[Table]:
    found = result.fit
    worst = np.argsort(-found.mae_of_gpu_c, kind="stable")[:WORST]
    every = np.arange(found.mae_of_gpu_c.size)
    blocks = tuple((number + 1, _finite(value)) for number, value in enumerate(found.block_residual_c))
    scores = tuple(
        (shape.name, _finite(np.sqrt(score)) if np.isfinite(score) else None, shape is found.shape)
        for shape, score in zip(SHAPES, found.score, strict=True)
    )
    columns = (Column("block", "block", keep=True), Column("mean_residual_c", "mean residual", "K", keep=True))
    shapes = (Column("shape", "shape", keep=True), Column("rms_left_out_c", "error left out", "K", keep=True),
              Column("chosen", "chosen"))  # fmt: skip
    return [
        Table("worst_gpus", "GPUs the model knows least", _GPUS, _gpu_rows(result, worst.tolist())),
        Table("shapes", "Shapes by error on blocks of time left out", shapes, scores),
        Table("residual", "Mean residual in equal spans of time", columns, blocks),
        Table("gpus", "Every GPU", _GPUS, _gpu_rows(result, every.tolist()), shown=False),
        *_offset_tables(result),
    ]


def _gpu_rows(result: FitResult, gpus: list[int]) -> tuple[tuple[Cell, ...], ...]:
    found, telemetry = result.fit, result.telemetry
    count = np.bincount(telemetry.gpu)
    return tuple(
        (gpu_name(telemetry, gpu).rpartition("/")[0], telemetry.gpus[gpu], int(count[gpu]), bool(found.own[gpu]),
         float(found.inlet_slopes[gpu]), _finite(found.slope_errors[gpu, 0]), float(found.power_slopes[gpu]),
         _finite(found.slope_errors[gpu, 1]), float(found.offset_c[gpu]), float(found.mae_of_gpu_c[gpu]))
        for gpu in gpus
    )  # fmt: skip


def _offset_tables(result: FitResult) -> list[Table]:
    """Offsets of rows and servers, where the inlet could be fitted."""
    inlet, telemetry = result.inlet, result.telemetry
    if inlet is None:
        return []
    servers = tuple(
        (name, telemetry.row_of_server[number], float(inlet.server_c[number]))
        for number, name in enumerate(telemetry.servers)
    )
    columns = (Column("server", "server", keep=True), Column("row", "row"),
               Column("offset_c", "offset in its row", "K", keep=True))  # fmt: skip
    tables = [Table("servers", "Inlet offsets of servers", columns, servers, shown=False)]
    if inlet.row_c.size > 1:
        names = dict.fromkeys(telemetry.row_of_server)
        rows = tuple((name, float(offset)) for name, offset in zip(names, inlet.row_c, strict=True))
        tables.insert(0, Table("row_offsets", "Inlet offsets of rows",
                               (Column("row", "row", keep=True), Column("offset_c", "offset", "K", keep=True)),
                               rows))  # fmt: skip
    return tables
