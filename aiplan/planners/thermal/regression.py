"""Least squares for many groups at once, each with its own constant, and errors that allow for correlation in time.

Rows are sorted by group, then by time. Regressors are centred within their group before sums are taken, which absorbs
the constants (Frisch and Waugh 1933) and keeps the normal equations well conditioned; constants follow from the means.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TOLERANCE = 1e-8
"""Smallest eigenvalue of a correlation matrix at which its columns still count as independent."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Sorted rows of G groups, centred within each.

    Attributes
    ----------
    start : (G + 1,) first row of each group, and the number of rows
    group : (N,) group of each row
    x, y : (N, K) and (N,) regressors and response, less their group's mean
    x_mean, y_mean : (G, K) and (G,)
    """

    start: Ints
    group: Ints
    x: Floats
    y: Floats
    x_mean: Floats
    y_mean: Floats

    @property
    def count(self) -> Ints:
        """(G,) rows of each group."""
        return np.diff(self.start)


def panel_of(group: Ints, groups: int, x: Floats, y: Floats) -> Panel:
    """Centre rows within their groups; every group has a row, and rows are sorted by group."""
    start = np.searchsorted(group, np.arange(groups + 1)).astype(np.int64)
    count = np.diff(start)
    x_mean = np.add.reduceat(x, start[:-1], axis=0) / count[:, None]
    y_mean = np.add.reduceat(y, start[:-1]) / count
    return Panel(start, group, x - x_mean[group], y - y_mean[group], x_mean, y_mean)


@dataclass(frozen=True, slots=True)
class Sums:
    """Second moments: X'X (..., K, K), X'y (..., K), y'y (...)."""

    xx: Floats
    xy: Floats
    yy: Floats

    def total(self) -> "Sums":
        """Sums over the first axis."""
        return Sums(self.xx.sum(axis=0), self.xy.sum(axis=0), self.yy.sum(axis=0))

    def columns(self, kept: list[int]) -> "Sums":
        """Sums of some regressors only."""
        return Sums(self.xx[..., kept, :][..., kept], self.xy[..., kept], self.yy)


def sums_of(panel: Panel) -> Sums:
    """Second moments of each group, shape (G, ...)."""
    starts, width = panel.start[:-1], panel.x.shape[1]
    xx = np.empty((starts.size, width, width))
    xy = np.empty((starts.size, width))
    for i in range(width):
        xy[:, i] = np.add.reduceat(panel.x[:, i] * panel.y, starts)
        for j in range(i + 1):
            xx[:, i, j] = xx[:, j, i] = np.add.reduceat(panel.x[:, i] * panel.x[:, j], starts)
    return Sums(xx, xy, np.add.reduceat(panel.y**2, starts))


def independent(xx: Floats) -> npt.NDArray[np.bool_]:
    """Whether the columns behind each X'X (..., K, K) vary and none follows from the others."""
    size = np.sqrt(np.maximum(np.diagonal(xx, axis1=-2, axis2=-1), 0.0))
    varies = np.all(size > 0.0, axis=-1)
    scale = np.where(size > 0.0, size, 1.0)
    least = np.linalg.eigvalsh(xx / (scale[..., :, None] * scale[..., None, :]))[..., 0]
    return np.asarray(varies & (least > TOLERANCE), dtype=np.bool_)


def solve(sums: Sums) -> Floats:
    """Slopes (..., K); the caller has checked that columns are independent."""
    size = np.sqrt(np.diagonal(sums.xx, axis1=-2, axis2=-1))
    scaled = sums.xx / (size[..., :, None] * size[..., None, :])
    return np.asarray(np.linalg.solve(scaled, (sums.xy / size)[..., None])[..., 0] / size, dtype=np.float64)


def lags(samples: int) -> int:
    """Lags of the Bartlett window by the rule of Newey and West 1994: 4 (n / 100)^(2/9).

    >>> lags(100), lags(1000)
    (4, 6)
    """
    return int(4.0 * (samples / 100.0) ** (2.0 / 9.0)) if samples > 1 else 0


def long_run(scores: Floats, most_lags: int) -> Floats:
    """Sum of S_t S_t' and of its neighbours in time, weighted as by Newey and West 1987 (Bartlett); (K, K).

    Parameters
    ----------
    scores : (T, K), in order of time
    """
    total = scores.T @ scores
    for lag in range(1, min(most_lags, len(scores) - 1) + 1):
        cross = scores[lag:].T @ scores[:-lag]
        total = total + (1.0 - lag / (most_lags + 1.0)) * (cross + cross.T)
    return np.asarray(total, dtype=np.float64)


def standard_errors(panel: Panel, residual: Floats, period: Ints, periods: int) -> Floats:
    """Standard errors of slopes shared by all groups and of the mean of their constants, (K + 1,), the constant last.

    What each row moves the coefficients by is added up over groups within a period of time before the Bartlett window
    is laid over it (Driscoll and Kraay 1998), so that what hits all servers at once does not count as many samples. For
    one group these are the errors of Newey and West.

    Parameters
    ----------
    residual : (N,) of the response
    period : (N,) index of each row's time among `periods` times in order
    """
    pull = (panel.x * residual[:, None]) @ np.linalg.inv(panel.x.T @ panel.x)
    share = 1.0 / (panel.count.size * panel.count[panel.group])
    constant = share * residual - pull @ panel.x_mean.mean(axis=0)
    rows = np.column_stack([pull, constant])
    moved = np.zeros((periods, rows.shape[1]))
    for number, column in enumerate(rows.T):
        moved[:, number] = np.bincount(period, column, periods)
    fitted = panel.count.size + panel.x.shape[1]
    correction = residual.size / max(residual.size - fitted, 1)
    variance = np.diagonal(long_run(moved, lags(periods))) * correction
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def one_group(panel: Panel, number: int) -> Panel:
    """The rows of one group as a panel of its own."""
    rows = slice(int(panel.start[number]), int(panel.start[number + 1]))
    size = rows.stop - rows.start
    start, group = np.array([0, size], dtype=np.int64), np.zeros(size, dtype=np.int64)
    at = slice(number, number + 1)
    return Panel(start, group, panel.x[rows], panel.y[rows], panel.x_mean[at], panel.y_mean[at])
