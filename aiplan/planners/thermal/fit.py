"""Temperature of a GPU fitted to telemetry: T = a T_inlet + b P + c, per GPU, with a bend where data asks for one.

Slopes of a GPU with few samples, or with samples that do not tell inlet from power, are those of its position in the
server over all servers; its constant stays its own. The shape (straight, or with a bend in power or inlet) is chosen
by cross-validation over blocks of time: neighbouring samples resemble each other, so rows left out at random would
flatter every shape.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.thermal.fit_shape import (
    SHAPES,
    Samples,
    Shape,
    UnfitError,
    choose,
    design_of,
    fold_sums,
    knots_of,
    left_out,
    scores_of,
    slopes_of,
    times_of,
)
from aiplan.planners.thermal.regression import (
    Floats,
    Panel,
    Sums,
    independent,
    one_group,
    panel_of,
    solve,
    standard_errors,
)

TIME_BLOCKS = 10
"""Blocks of time in which the mean residual is told."""
INLET_RANGE = (0.5, 1.5)
"""Slopes on the inlet outside of which something is wrong with sensors or columns."""
LEAST_POWER_RANGE = 0.3
"""Share of the TDP that power should span."""
OUTSIDE_KNOTS_C = (15.0, 25.0)
"""Where the inlet curve may bend; assumed."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted temperature model.

    Attributes
    ----------
    shape : the shape chosen; `power_knots_w`, `inlet_knots_c` are where it bends
    inlet_coefficient, power_coefficient, intercept_c : shared slopes of the straight model, mean of the constants
    errors : (3,) standard errors of these
    slopes, constants : (G, K) and (G,) of each GPU, columns inlet, power, then a hinge for each knot
    own : (G,) whether the slopes are the GPU's own
    inlet_slopes, power_slopes : (G,) mean slope of each GPU over its samples
    slope_errors : (G, 2) standard errors of inlet and power slopes of each GPU with slopes of its own, else NaN
    offset_c : (G,) own offset against the mean GPU at P95 power and median inlet [K]
    mae_c, p95_c, p99_residual_c : mean and P95 of the absolute residual, P99 of the residual [K]
    mae_of_gpu_c : (G,)
    mae_out_of_sample_c : of blocks of time left out; NaN where there are too few times
    score : mean squared error left out, by shape; NaN where not tried
    block_residual_c : mean residual by block of time
    trend_c_per_day : slope of the residual against time
    """

    shape: Shape
    power_knots_w: tuple[float, ...]
    inlet_knots_c: tuple[float, ...]
    inlet_coefficient: float
    power_coefficient: float
    intercept_c: float
    errors: Floats
    slopes: Floats
    constants: Floats
    own: npt.NDArray[np.bool_]
    inlet_slopes: Floats
    power_slopes: Floats
    slope_errors: Floats
    offset_c: Floats
    mae_c: float
    p95_c: float
    p99_residual_c: float
    mae_of_gpu_c: Floats
    mae_out_of_sample_c: float
    score: Floats
    block_residual_c: Floats
    trend_c_per_day: float


def fit(samples: Samples) -> Fit:
    """Fit the model.

    Raises
    ------
    UnfitError where inlet or power never vary, or only together.
    """
    times = times_of(samples.time_s)
    shapes = [(shape, knots_of(samples, shape)) for shape in SHAPES]
    design, columns = design_of(samples, [knots for _, knots in shapes])
    panel = panel_of(samples.gpu, samples.position.size, design, samples.temp_c)
    _check(panel)
    by_fold = fold_sums(panel, samples.position.size, times)
    score = scores_of(by_fold, columns, samples.position)
    chosen = choose(score)
    kept = columns[chosen]
    slopes, own = slopes_of(Sums(*(part.sum(axis=1) for part in (by_fold.xx, by_fold.xy, by_fold.yy))).columns(kept),
                          panel.count, samples.position)  # fmt: skip
    constants = panel.y_mean - np.einsum("gk,gk->g", panel.x_mean[:, kept], slopes)
    residual = panel.y - np.einsum("nk,nk->n", panel.x[:, kept], slopes[panel.group])
    straight = Panel(panel.start, panel.group, panel.x[:, :2], panel.y, panel.x_mean[:, :2], panel.y_mean)
    shared = solve(Sums(straight.x.T @ straight.x, straight.x.T @ straight.y, np.zeros(())))
    errors = standard_errors(straight, straight.y - straight.x @ shared, times.period, times.periods)
    knots = shapes[chosen][1]
    size = np.abs(residual)
    inlet_slopes, power_slopes = _mean_slopes(samples, slopes, knots)
    return Fit(
        shape=SHAPES[chosen],
        power_knots_w=knots[1],
        inlet_knots_c=knots[0],
        inlet_coefficient=float(shared[0]),
        power_coefficient=float(shared[1]),
        intercept_c=float(np.mean(panel.y_mean - panel.x_mean[:, :2] @ shared)),
        errors=errors,
        slopes=slopes,
        constants=constants,
        own=own,
        inlet_slopes=inlet_slopes,
        power_slopes=power_slopes,
        slope_errors=_own_errors(straight, own),
        offset_c=_offsets(samples, slopes, constants, knots),
        mae_c=float(size.mean()),
        p95_c=float(np.quantile(size, 0.95)),
        p99_residual_c=float(np.quantile(residual, 0.99)),
        mae_of_gpu_c=np.add.reduceat(size, panel.start[:-1]) / panel.count,
        mae_out_of_sample_c=left_out(samples, design[:, kept], times),
        score=score.sum(axis=1) / samples.temp_c.size,
        block_residual_c=_by_block(samples.time_s, residual),
        trend_c_per_day=_trend(samples.time_s, residual),
    )


def _check(panel: Panel) -> None:
    """Refuse samples that do not tell inlet from power even over all GPUs."""
    moments = panel.x[:, :2].T @ panel.x[:, :2]
    for number, name in enumerate(("inlet_c", "power_w")):
        if moments[number, number] <= 1e-12 * max(1.0, float(np.sum(panel.x_mean[:, number] ** 2))):
            raise UnfitError(f"{name} never changes on any GPU")
    if not independent(moments):
        raise UnfitError("inlet_c and power_w change only together")


def _mean_slopes(
    samples: Samples, slopes: Floats, knots: tuple[tuple[float, ...], tuple[float, ...]]
) -> tuple[Floats, Floats]:
    """Slopes on inlet and power, averaged over all samples where the line bends; (G,) each."""
    inlet, power = knots
    steps = len(inlet)
    over_inlet = np.array([np.mean(samples.inlet_c > knot) for knot in inlet])
    over_power = np.array([np.mean(samples.power_w > knot) for knot in power])
    return slopes[:, 0] + slopes[:, 2 : 2 + steps] @ over_inlet, slopes[:, 1] + slopes[:, 2 + steps :] @ over_power


def _offsets(
    samples: Samples, slopes: Floats, constants: Floats, knots: tuple[tuple[float, ...], tuple[float, ...]]
) -> Floats:
    inlet, power = float(np.median(samples.inlet_c)), float(np.quantile(samples.power_w, 0.95))
    at = [inlet, power, *(max(0.0, inlet - knot) for knot in knots[0]), *(max(0.0, power - knot) for knot in knots[1])]
    hot = constants + slopes @ np.array(at)
    return np.asarray(hot - hot.mean(), dtype=np.float64)


def _own_errors(panel: Panel, own: npt.NDArray[np.bool_]) -> Floats:
    """Standard errors of each GPU's own straight slopes, (G, 2); NaN where it has none."""
    errors = np.full((own.size, 2), np.nan)
    for number in np.flatnonzero(own):
        one = one_group(panel, int(number))
        moments = one.x.T @ one.x
        if independent(moments):
            slopes = solve(Sums(moments, one.x.T @ one.y, np.zeros(())))
            order = np.arange(one.y.size, dtype=np.int64)
            errors[number] = standard_errors(one, one.y - one.x @ slopes, order, order.size)[:2]
    return errors


def _by_block(time_s: Floats, residual: Floats) -> Floats:
    """Mean residual in equal spans of time; NaN for a span without samples."""
    first, last = float(time_s.min()), float(time_s.max())
    if last <= first:
        return np.array([residual.mean()])
    block = np.minimum(((time_s - first) / (last - first) * TIME_BLOCKS).astype(np.int64), TIME_BLOCKS - 1)
    count = np.bincount(block, minlength=TIME_BLOCKS)
    sums = np.bincount(block, residual, TIME_BLOCKS)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def _trend(time_s: Floats, residual: Floats) -> float:
    """Slope of the residual against time [K/day]."""
    away = time_s - time_s.mean()
    spread = float(away @ away)
    return float(away @ residual / spread * 86_400.0) if spread > 0.0 else 0.0
