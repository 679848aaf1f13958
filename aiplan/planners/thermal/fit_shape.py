"""Shapes of the temperature model, and the choice between them by blocks of time left out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.thermal.regression import Floats, Ints, Panel, Sums, independent, panel_of, solve, sums_of

FEW_SAMPLES = 200
"""Samples below which a GPU borrows its slopes."""
FOLDS = 5


class UnfitError(ValueError):
    """Telemetry that cannot be fitted, and why."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Telemetry sorted by GPU, then by time. N samples of G GPUs.

    Attributes
    ----------
    time_s : (N,)
    gpu : (N,) index of the GPU
    inlet_c, power_w, temp_c : (N,)
    position : (G,) index of the GPU's place within its server, over all servers alike
    """

    time_s: Floats
    gpu: Ints
    inlet_c: Floats
    power_w: Floats
    temp_c: Floats
    position: Ints


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the line bends: quantiles of power and of inlet."""

    name: str
    power: tuple[float, ...] = ()
    inlet: tuple[float, ...] = ()


SHAPES = (
    Shape("straight"),
    Shape("bend in power", power=(0.5,)),
    Shape("bend in inlet", inlet=(0.5,)),
    Shape("two bends in power", power=(1 / 3, 2 / 3)),
    Shape("bends in power and inlet", power=(0.5,), inlet=(0.5,)),
)
"""Shapes tried, simplest first."""


@dataclass(frozen=True, slots=True)
class Times:
    """Samples' times as periods in order, and the block of time of each."""

    period: Ints
    periods: int
    fold: Ints
    folds: int


def times_of(time_s: Floats) -> Times:
    every, period = np.unique(time_s, return_inverse=True)
    folds = FOLDS if every.size >= 2 * FOLDS else 1
    fold = period * folds // every.size
    return Times(period.astype(np.int64), every.size, fold.astype(np.int64), folds)


def knots_of(samples: Samples, shape: Shape) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots in inlet and in power at the quantiles of a shape."""
    inlet = tuple(float(np.quantile(samples.inlet_c, share)) for share in shape.inlet)
    power = tuple(float(np.quantile(samples.power_w, share)) for share in shape.power)
    return inlet, power


def _hinges(value: Floats, knots: tuple[float, ...]) -> list[Floats]:
    return [np.maximum(0.0, value - knot) for knot in knots]


def design_of(
    samples: Samples, knots: list[tuple[tuple[float, ...], tuple[float, ...]]]
) -> tuple[Floats, list[list[int]]]:
    """Regressors of all shapes side by side, and the columns of each shape."""
    every = [samples.inlet_c, samples.power_w]
    place: dict[tuple[str, float], int] = {}
    columns = []
    for inlet, power in knots:
        kept = [0, 1]
        for kind, value, own in (("inlet", samples.inlet_c, inlet), ("power", samples.power_w, power)):
            for knot in own:
                if (kind, knot) not in place:
                    place[kind, knot] = len(every)
                    every += _hinges(value, (knot,))
                kept.append(place[kind, knot])
        columns.append(kept)
    return np.column_stack(every), columns


def fold_sums(panel: Panel, groups: int, times: Times) -> Sums:
    """Second moments about the GPU's own mean by GPU and block of time, shape (G, F, ...)."""
    cell = panel.group * times.folds + times.fold
    width, cells = panel.x.shape[1], groups * times.folds
    xx, xy = np.empty((cells, width, width)), np.empty((cells, width))
    for i in range(width):
        xy[:, i] = np.bincount(cell, panel.x[:, i] * panel.y, cells)
        for j in range(i + 1):
            xx[:, i, j] = xx[:, j, i] = np.bincount(cell, panel.x[:, i] * panel.x[:, j], cells)
    yy = np.asarray(np.bincount(cell, panel.y**2, cells), dtype=np.float64)
    shape = (groups, times.folds)
    return Sums(xx.reshape(*shape, width, width), xy.reshape(*shape, width), yy.reshape(shape))


def slopes_of(sums: Sums, count: Ints, position: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Slopes of each GPU, its own where it has enough samples that vary, and whether they are."""
    places = int(position.max()) + 1
    shared = Sums(*(np.zeros((places, *part.shape[1:])) for part in (sums.xx, sums.xy, sums.yy)))
    for whole, part in ((shared.xx, sums.xx), (shared.xy, sums.xy), (shared.yy, sums.yy)):
        np.add.at(whole, position, part)
    everything = shared.total()
    if not independent(everything.xx):
        raise UnfitError("the samples do not vary enough for this shape")
    slopes = np.tile(solve(everything), (position.size, 1))
    fine = independent(shared.xx)
    borrowed = fine[position]
    if fine.any():
        by_place = np.zeros((places, slopes.shape[1]))
        by_place[fine] = solve(Sums(shared.xx[fine], shared.xy[fine], shared.yy[fine]))
        slopes[borrowed] = by_place[position[borrowed]]
    own = (count >= FEW_SAMPLES) & independent(sums.xx)
    if own.any():
        slopes[own] = solve(Sums(sums.xx[own], sums.xy[own], sums.yy[own]))
    return slopes, own


def scores_of(by_fold: Sums, columns: list[list[int]], position: Ints) -> Floats:
    """Sum of squared errors of each shape on each block left out, (shapes, F); NaN for a shape that cannot be fitted.

    Slopes come from the other blocks, constants from all of the GPU's samples: what is judged is the shape.
    """
    folds = by_fold.yy.shape[1]
    score = np.full((len(columns), folds), np.nan)
    if folds == 1:
        return score
    for number, kept in enumerate(columns):
        part = by_fold.columns(kept)
        for fold in range(folds):
            rest = [fold_ for fold_ in range(folds) if fold_ != fold]
            train = Sums(part.xx[:, rest].sum(axis=1), part.xy[:, rest].sum(axis=1), part.yy[:, rest].sum(axis=1))
            many = np.full(position.size, FEW_SAMPLES, dtype=np.int64)
            try:
                slopes, _ = slopes_of(train, many, position)
            except UnfitError:
                break
            score[number, fold] = _error(part, slopes, fold)
        if np.isnan(score[number]).any():
            score[number] = np.nan
    return score


def _error(sums: Sums, slopes: Floats, fold: int) -> float:
    """Sum of squared errors of slopes on a block."""
    cross = np.einsum("gk,gk->g", sums.xy[:, fold], slopes)
    square = np.einsum("gk,gkl,gl->g", slopes, sums.xx[:, fold], slopes)
    return float(np.sum(sums.yy[:, fold] - 2.0 * cross + square))


def choose(score: Floats) -> int:
    """The simplest shape whose error is no more than a standard error above the least (Breiman et al. 1984).

    The standard error is that of the difference between the two over the blocks.
    """
    mean = score.mean(axis=1)
    if np.isnan(mean).all():
        return 0
    best = int(np.nanargmin(mean))
    for number in range(best):
        gap = score[number] - score[best]
        if np.isfinite(mean[number]) and gap.mean() <= gap.std(ddof=1) / np.sqrt(gap.size):
            return number
    return best


def left_out(samples: Samples, design: Floats, times: Times) -> float:
    """Mean absolute error on blocks of time left out, slopes and constants from the other blocks [K]."""
    if times.folds == 1:
        return float("nan")
    error, rows = 0.0, 0
    for fold in range(times.folds):
        inside = times.fold == fold
        train = np.flatnonzero(~inside)
        seen = np.bincount(samples.gpu[train], minlength=samples.position.size)
        known = np.flatnonzero(seen)
        index = np.full(samples.position.size, -1, dtype=np.int64)
        index[known] = np.arange(known.size)
        part = panel_of(index[samples.gpu[train]], known.size, design[train], samples.temp_c[train])
        try:
            slopes, _ = slopes_of(sums_of(part), part.count, samples.position[known])
        except UnfitError:
            return float("nan")
        constants = part.y_mean - np.einsum("gk,gk->g", part.x_mean, slopes)
        test = np.flatnonzero(inside & (index[samples.gpu] >= 0))
        at = index[samples.gpu[test]]
        guess = np.einsum("nk,nk->n", design[test], slopes[at]) + constants[at]
        error += float(np.abs(samples.temp_c[test] - guess).sum())
        rows += test.size
    return error / rows if rows else float("nan")
