"""Inlet temperature fitted to telemetry: outside temperature, load of the hall, and offsets of rows and servers."""

from dataclasses import dataclass

import numpy as np

from aiplan.planners.thermal.regression import Floats, Ints, Sums, independent, panel_of, solve, standard_errors

OUTSIDE_KNOTS_C = (15.0, 25.0)
"""Where the inlet curve may bend; assumed, as the curve's shape is."""
LEAST_BEYOND = 0.02
"""Share of samples past a bend below which the slope there is not fitted."""


@dataclass(frozen=True, slots=True)
class InletSamples:
    """One sample per server and time, sorted by server, then by time. N samples of S servers.

    Attributes
    ----------
    time_s, inlet_c, outside_c : (N,)
    hall_load : (N,) mean load of the hall at that time; None where unknown
    server : (N,)
    row : (S,) index of the server's row; None where unknown
    """

    time_s: Floats
    inlet_c: Floats
    outside_c: Floats
    hall_load: Floats | None
    server: Ints
    row: Ints | None


@dataclass(frozen=True, slots=True)
class InletFit:
    """T_in = base + slopes of the outside temperature past the knots + gamma (L - 0.5) + row + server.

    Attributes
    ----------
    base_c : inlet in cold weather at half load, mean over rows
    slopes : slope past each knot [K/K]; past a knot the samples do not reach it is that before
    errors : standard errors of the slopes; 0 where not fitted
    fitted : whether each slope was
    load_kelvin, load_error : gamma and its standard error; None without loads that vary
    row_c, server_c : offsets of rows, and of servers within their row [K]
    mae_c, p95_c : mean and P95 of the absolute residual [K]
    """

    base_c: float
    slopes: tuple[float, ...]
    errors: tuple[float, ...]
    fitted: tuple[bool, ...]
    load_kelvin: float | None
    load_error: float | None
    row_c: Floats
    server_c: Floats
    mae_c: float
    p95_c: float


def fit_inlet(samples: InletSamples) -> InletFit | None:
    """Fit the inlet; None where neither the outside temperature nor the load tell anything.

    Regressors are the lengths of the outside temperature past each knot and the hall's load; dummies of servers are
    absorbed by centring, those of rows are the means of their servers'.
    """
    columns, names = _columns(samples)
    if not names:
        return None
    servers = int(samples.server.max()) + 1
    panel = panel_of(samples.server, servers, columns, samples.inlet_c)
    if not independent(panel.x.T @ panel.x):
        return None
    found = solve(Sums(panel.x.T @ panel.x, panel.x.T @ panel.y, np.zeros(())))
    residual = panel.y - panel.x @ found
    every, period = np.unique(samples.time_s, return_inverse=True)
    errors = standard_errors(panel, residual, period.astype(np.int64), every.size)
    level = panel.y_mean - panel.x_mean @ found
    row = np.zeros(servers, dtype=np.int64) if samples.row is None else samples.row
    by_row = np.bincount(row, level) / np.bincount(row)
    value, error = dict(zip(names, found, strict=True)), dict(zip(names, errors[:-1], strict=True))
    size = np.abs(residual)
    slopes, slope_errors, before = [], [], 0.0
    for knot in OUTSIDE_KNOTS_C:
        before = float(value.get(f"{knot:g}", before))
        slopes.append(before)
        slope_errors.append(float(error.get(f"{knot:g}", 0.0)))
    return InletFit(
        base_c=float(by_row.mean()),
        slopes=tuple(slopes),
        errors=tuple(slope_errors),
        fitted=tuple(f"{knot:g}" in value for knot in OUTSIDE_KNOTS_C),
        load_kelvin=float(value["load"]) if "load" in value else None,
        load_error=float(error["load"]) if "load" in error else None,
        row_c=by_row - by_row.mean(),
        server_c=level - by_row[row],
        mae_c=float(size.mean()),
        p95_c=float(np.quantile(size, 0.95)),
    )


def _columns(samples: InletSamples) -> tuple[Floats, list[str]]:
    """Regressors that vary: for each knot the length of the outside temperature between it and the next, and load.

    Coefficients of such lengths are the slopes themselves.
    """
    found: list[Floats] = []
    names: list[str] = []
    ends = (*OUTSIDE_KNOTS_C[1:], np.inf)
    for knot, end in zip(OUTSIDE_KNOTS_C, ends, strict=True):
        length = np.clip(samples.outside_c, knot, end) - knot
        if np.mean(samples.outside_c > knot) > LEAST_BEYOND and np.ptp(length) > 0.0:
            found.append(length)
            names.append(f"{knot:g}")
    if samples.hall_load is not None and np.ptp(samples.hall_load) > 0.0:
        found.append(samples.hall_load - 0.5)
        names.append("load")
    return (np.column_stack(found) if found else np.zeros((samples.inlet_c.size, 0))), names
