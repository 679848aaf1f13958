"""Fitting throughput laws to a published table of rates.

A table is an array of shape (n, 3): input tokens, output tokens, output tokens per second of the group. The
physical law is linear in its coefficients on the time axis, so the fit is a non-negative least squares of at
most five unknowns; its optimum is found exactly by trying every set of active coefficients, well under a
millisecond and without scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.serving.throughput import (
    LENGTH_FLOOR,
    ConstantLaw,
    LogLinearLaw,
    PhysicalLaw,
    ThroughputLaw,
)

MIN_POINTS_FOR_ERROR = 7
"""Fewest points for which a leave-one-out error says something about the law rather than about the points."""

_SINGULAR = 1e-12
"""Determinant of a correlation matrix below which its columns are taken as dependent."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Weak knowledge about the shape of a law, pooled over many series.

    It adds to the squared relative errors of the points one squared term for each statement, in the same unit
    (mean share of the query's time, so it is free of scale), times its weight. With many points it hardly
    shows; with one or two it decides.

    Attributes
    ----------
    prefill_per_decode : b/a, prefill work of an input token over decode work of an output token [ratio]
    context_per_decode : d/a, extra decode work per token of context [1/token]
    prefill_weight : weight of ``b = a prefill_per_decode`` [-]
    context_weight : weight of ``d = a context_per_decode`` [-]
    reservation_weight, attention_weight : weights of ``e = 0`` and ``f = 0`` [-]
    """

    prefill_per_decode: float
    context_per_decode: float
    prefill_weight: float
    context_weight: float
    reservation_weight: float
    attention_weight: float


POOLED_PRIOR = Prior(
    prefill_per_decode=0.85,
    context_per_decode=8.5e-4,
    prefill_weight=0.3,
    context_weight=0.06,
    reservation_weight=0.02,
    attention_weight=1.0,
)
"""Prior of the catalog, the same for every model and accelerator.

The two ratios are medians of plain fits to the 65 series of nine and more points of the TensorRT-LLM 0.17
and 1.0 tables. The four weights are rounded from the least mean leave-one-out error over all 72 series, an
optimum so flat that halving or doubling one of them moves that mean by less than 0.2 percentage points.
Chosen without the series of a model and judged on them, they give the same errors within 0.1 points.
"""


def as_points(points: npt.ArrayLike) -> Array:
    """A table of rates as an array of shape (n, 3), checked.

    Raises
    ------
    ValueError when the shape differs, there is no row, or a value is not finite and above 0.
    """
    table = np.asarray(points, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 3 or not len(table):
        raise ValueError("points must be rows of input tokens, output tokens, tokens per second")
    if not np.all(np.isfinite(table)) or np.any(table <= 0):
        raise ValueError("lengths and rates of points must be finite and above 0")
    return table


@cache
def _active_sets(unknowns: int) -> npt.NDArray[np.bool_]:
    sets = [
        [column in chosen for column in range(unknowns)]
        for size in range(1, unknowns + 1)
        for chosen in combinations(range(unknowns), size)
    ]
    return np.array(sets)


def nonnegative_least_squares(matrix: npt.ArrayLike, target: npt.ArrayLike) -> Array:
    """The x >= 0 that minimises ``|| matrix @ x - target ||``, exact, for a handful of unknowns.

    The optimum is the ordinary least-squares solution on some subset of columns; all ``2**k - 1`` subsets are
    solved in one batch and the best feasible one is taken.

    Parameters
    ----------
    matrix : shape (m, k), k small (cost grows as 2**k)
    target : shape (m,)

    Returns
    -------
    Array of shape (k,). Dependent columns: one of the equally good solutions.

    Source: the Karush-Kuhn-Tucker conditions of the problem (Lawson and Hanson 1974, chapter 23).

    >>> nonnegative_least_squares([[1.0, 0.0], [0.0, 1.0]], [2.0, -1.0]).tolist()
    [2.0, 0.0]
    """
    columns, right = np.asarray(matrix, dtype=np.float64), np.asarray(target, dtype=np.float64)
    # Unit columns keep the normal equations well conditioned: coefficients span four orders of magnitude.
    norms = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    scale = np.where(norms > 0, norms, 1.0)
    unit = columns / scale
    gram, moment = unit.T @ unit, unit.T @ right
    active = _active_sets(columns.shape[1])
    pairs = active[:, :, None] & active[:, None, :]
    systems = np.where(pairs, gram, 0.0)
    diagonal = np.arange(columns.shape[1])
    systems[:, diagonal, diagonal] = np.where(active, gram[diagonal, diagonal], 1.0)
    regular = np.linalg.det(systems) > _SINGULAR
    right_sides = np.where(active, moment, 0.0)[regular]
    solutions = np.linalg.solve(systems[regular], right_sides[:, :, None])[:, :, 0]
    # On a subset's optimum the squared error is |target|^2 - moment.x, so the largest gain is the best fit.
    gains = np.where(np.all(solutions >= 0, axis=1), solutions @ moment, 0.0)
    best = int(np.argmax(gains)) if len(gains) else 0
    if not len(gains) or gains[best] <= 0:
        return np.zeros(columns.shape[1])
    return np.asarray(solutions[best] / scale, dtype=np.float64)


def _design(table: Array) -> Array:
    """Rows of ``time of a term / time measured`` per unit coefficient: a, b, d without e, e, f."""
    inputs, outputs, rate = table.T
    terms = [
        np.ones_like(rate),
        inputs / outputs,
        inputs + outputs / 2,
        inputs + outputs,
        inputs**2 / outputs / 2,
    ]
    return np.asarray(np.column_stack(terms) * rate[:, None], dtype=np.float64)


def _prior_rows(design: Array, prior: Prior) -> Array:
    """The prior's statements as rows with target 0, in the unit of the design's rows."""
    rows = np.array(
        [
            [-prior.prefill_per_decode, 1.0, 0.0, 0.0, 0.0],
            [-prior.context_per_decode, 0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    )
    weights = [prior.prefill_weight, prior.context_weight, prior.reservation_weight, prior.attention_weight]
    return np.asarray(rows * (np.sqrt(weights) * design.mean(axis=0)[1:])[:, None], dtype=np.float64)


def fit_physical(points: npt.ArrayLike, prior: Prior | None = POOLED_PRIOR) -> PhysicalLaw:
    """Fit `PhysicalLaw` by non-negative least squares on relative error of time.

    Minimises ``sum_i (S_i / S_measured_i - 1)**2 + prior`` over non-negative coefficients.

    Parameters
    ----------
    points : shape (n, 3), input tokens, output tokens, tokens per second of the group
    prior : pooled shape; None fits a, b and d alone, as published with the tables' coefficients

    Returns
    -------
    PhysicalLaw in seconds of the group the rates belong to. With a prior ``0 <= e <= d``.

    Raises
    ------
    ValueError for malformed points, or a single point without prior.

    Without prior two points determine a and b only (d = 0). Leave-one-out error on the 65 series of nine and
    more points of the TensorRT-LLM 0.17 and 1.0 tables, median over series: 3.1 % with the prior, 4.4 %
    without; on the seven shorter series 6 % and 16 %. Releases of one engine differ by 5-10 %: read nothing
    into less.

    >>> points = [[128, 128, 3627], [128, 2048, 4340], [2048, 128, 453], [5000, 500, 610]]
    >>> round(fit_physical(points, prior=None).a * 1e4, 2)  # Llama 3.1 405B, eight H100, FP8
    1.48
    """
    table = as_points(points)
    design = _design(table)
    if prior is None:
        if len(table) < 2:
            raise ValueError("one point does not determine a law: give two or more, or a prior")
        plain = nonnegative_least_squares(design[:, : 2 if len(table) == 2 else 3], np.ones(len(table)))
        coefficients = np.zeros(5)
        coefficients[: len(plain)] = plain
    else:
        rows = np.vstack([design, _prior_rows(design, prior)])
        coefficients = nonnegative_least_squares(rows, np.concatenate([np.ones(len(table)), np.zeros(4)]))
    a, b, read, reserve, attention = (float(value) for value in coefficients)
    return PhysicalLaw(a, b, read + reserve, reserve, attention)


def fit_loglinear(points: npt.ArrayLike) -> LogLinearLaw | ConstantLaw:
    """Fit the paper's law: least squares on the logarithms, capped at the best rate observed.

    Three or more points give ``ln TPS = b0 + b1 ln L_in + b2 ln L_out``, two a constant at the larger rate.

    Parameters
    ----------
    points : shape (n, 3), input tokens, output tokens, tokens per second of the group

    Raises
    ------
    ValueError for malformed points or a single one (the authors skip such a model).

    Source: Oviedo et al., Joule 2026 (arXiv:2509.20241), the authors' code.
    """
    table = as_points(points)
    if len(table) < 2:
        raise ValueError("one point does not determine a law: give two or more")
    cap = float(table[:, 2].max())
    if len(table) == 2:
        return ConstantLaw(cap)
    lengths = np.log(np.maximum(table[:, :2], LENGTH_FLOOR))
    matrix = np.column_stack([np.ones(len(table)), lengths])
    b0, b1, b2 = (float(value) for value in np.linalg.lstsq(matrix, np.log(table[:, 2]), rcond=None)[0])
    return LogLinearLaw(b0, b1, b2, cap)


def in_sample_error(points: npt.ArrayLike, law: ThroughputLaw) -> Array:
    """Relative error of the rate at each point, ``predicted / measured - 1`` [ratio], shape (n,)."""
    table = as_points(points)
    predicted = law.tokens_per_s(table[:, 0], table[:, 1])
    return np.asarray(predicted / table[:, 2] - 1, dtype=np.float64)


def leave_one_out(points: npt.ArrayLike, fit: Callable[[Array], ThroughputLaw] = fit_physical) -> Array:
    """Relative error of the rate at each point when the law is fitted to the others [ratio], shape (n,).

    Parameters
    ----------
    points : shape (n, 3); below `MIN_POINTS_FOR_ERROR` rows the result mostly measures extrapolation
    fit : from a table to a law

    Raises
    ------
    ValueError for malformed points, or what ``fit`` raises on n - 1 of them.
    """
    table = as_points(points)
    kept = ~np.eye(len(table), dtype=bool)
    errors = [in_sample_error(table[index : index + 1], fit(table[kept[index]]))[0] for index in range(len(table))]
    return np.array(errors)


def mean_absolute_error(errors: npt.ArrayLike) -> float:
    """Mean absolute relative error (MAPE as a ratio) [ratio]."""
    return float(np.mean(np.abs(np.asarray(errors, dtype=np.float64))))
