"""Least squares for the power law of `power`: the shipped constants, and a user's own fleet.

Robust (soft-L1) least squares on ln(predicted / measured), solved with Levenberg-Marquardt in a handful of
unknowns: idle share, energy per byte and scatter gain common to all classes, one compute gain per class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiplan.planners.serving.power import Activity, Device, FloatArray, power_fraction
from aiplan.planners.serving.power_constants import PowerConstants

START = (0.14, 240.0, 1.0, 8.0)
"""Idle share, pJ per byte, scatter gain, compute gain: where the search starts."""
ROBUST_SCALE = 0.1
"""Log error beyond which a row's pull stops growing; single nodes run 15 % hotter than their twins."""

_MAX_STEPS = 200
_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a fit yields: see `PowerConstants` for the meaning; ``compute_gain`` has one entry per class."""

    idle_share: float
    memory_pj_per_byte: float
    scatter_gain: float
    compute_gain: tuple[float, ...]

    def of_class(self, index: int) -> PowerConstants:
        """Constants of one class, without provenance and with unit error ratios."""
        return PowerConstants(
            self.idle_share,
            self.memory_pj_per_byte,
            self.compute_gain[index],
            self.scatter_gain,
            rows="",
            data_date="",
            n_rows=0,
            ratio_p10=1.0,
            ratio_p90=1.0,
            ratio_p10_no_batch=1.0,
            ratio_p90_no_batch=1.0,
            median_error=0.0,
            validation="none",
        )


@dataclass(frozen=True, slots=True)
class PowerSample:
    """Measured rows to fit.

    Attributes
    ----------
    activity : activity of each row, one-dimensional arrays
    device : accelerator of each row, one-dimensional arrays
    share : measured power over ``accelerators * TDP`` [1]
    group : class of each row, 0, 1, ...; one compute gain each
    """

    activity: Activity
    device: Device
    share: FloatArray
    group: NDArray[np.intp]

    def pick(self, mask: NDArray[np.bool_]) -> PowerSample:
        """The rows where ``mask`` is true."""
        busy = Activity(*(np.asarray(getattr(self.activity, name))[mask] for name in Activity.__slots__))
        parts = (np.broadcast_to(getattr(self.device, name), mask.shape)[mask] for name in Device.__slots__)
        return PowerSample(busy, Device(*parts), self.share[mask], self.group[mask])


def predicted_share(coefficients: Coefficients, sample: PowerSample) -> FloatArray:
    """Share of TDP of each row under the coefficients [1]."""
    shares = np.empty(sample.share.shape)
    for index in range(len(coefficients.compute_gain)):
        mask = sample.group == index
        if bool(mask.any()):
            part = sample.pick(mask)
            shares[mask] = power_fraction(part.activity, part.device, coefficients.of_class(index))
    return shares


def _coefficients(unknowns: FloatArray) -> Coefficients:
    idle, memory, scatter, *gains = (float(value) for value in unknowns)
    return Coefficients(idle, memory, scatter, tuple(gains))


def _admissible(unknowns: FloatArray) -> bool:
    """Idle below TDP; energies positive; experts no cheaper than free."""
    idle, memory, scatter = (float(value) for value in unknowns[:3])
    return 0.0 <= idle < 0.9 and memory > 0.0 and scatter > -1.0 and bool(np.all(unknowns[3:] > 0.0))


def _log_error(unknowns: FloatArray, sample: PowerSample) -> FloatArray:
    shares = predicted_share(_coefficients(unknowns), sample)
    return np.log(np.maximum(shares, 1e-6) / sample.share)


def _cost(error: FloatArray, scale: float) -> float:
    return float(np.sum(np.sqrt(1.0 + (error / scale) ** 2) - 1.0))


def fit_power(sample: PowerSample, scale: float = ROBUST_SCALE) -> Coefficients:
    """Coefficients that minimise ``sum(sqrt(1 + (ln(predicted/measured) / scale)**2) - 1)``.

    Parameters
    ----------
    sample : at least as many rows as unknowns (3 + number of classes)
    scale : log error where the loss turns from square to linear [1]

    Raises
    ------
    ValueError
        With too few rows, a share that is not positive, or a class without rows.

    Notes
    -----
    Levenberg-Marquardt on reweighted residuals, weight ``(1 + z**2)**-0.5``; central differences; repeatable.
    An unknown that no row informs keeps its start value.
    """
    classes = int(sample.group.max()) + 1 if sample.group.size else 0
    if sample.share.size < 3 + classes or not bool(np.all(sample.share > 0)):
        raise ValueError("too few rows, or a measured power that is not positive")
    if np.unique(sample.group).size != classes:
        raise ValueError("every class needs a row")
    unknowns = np.array([*START[:3], *(START[3] for _ in range(classes))])
    error, damping = _log_error(unknowns, sample), 1e-3
    for _ in range(_MAX_STEPS):
        jacobian = _jacobian(unknowns, sample)
        weight = 1.0 / np.sqrt(1.0 + (error / scale) ** 2)
        normal = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * error)
        # The floor keeps the system regular when no row informs an unknown (no experts: scatter gain).
        diagonal = np.maximum(np.diag(normal), 1e-9)
        step = np.linalg.solve(normal + damping * np.diag(diagonal), -gradient)
        trial_error = _log_error(unknowns + step, sample)
        if _admissible(unknowns + step) and _cost(trial_error, scale) <= _cost(error, scale):
            unknowns, error, damping = unknowns + step, trial_error, max(damping / 10.0, 1e-9)
            if bool(np.all(np.abs(step) <= 1e-12 * np.abs(unknowns))):
                break
        else:
            damping *= 10.0
            if damping > 1e12:
                break
    return _coefficients(unknowns)


def _jacobian(unknowns: FloatArray, sample: PowerSample) -> FloatArray:
    columns = []
    for index, value in enumerate(unknowns):
        delta = np.zeros_like(unknowns)
        delta[index] = _STEP * max(abs(float(value)), 1e-3)
        ahead, behind = _log_error(unknowns + delta, sample), _log_error(unknowns - delta, sample)
        columns.append((ahead - behind) / (2.0 * delta[index]))
    return np.stack(columns, axis=1)


def leave_one_out(sample: PowerSample, labels: ArrayLike, scale: float = ROBUST_SCALE) -> FloatArray:
    """Predicted share of each row from a fit without any row of the same label [1].

    ``labels`` names what is left out together: a model shape, a task. All classes must survive each omission.
    """
    names = np.asarray(labels)
    shares = np.empty(sample.share.shape)
    for name in np.unique(names):
        held = names == name
        shares[held] = predicted_share(fit_power(sample.pick(~held), scale), sample.pick(held))
    return shares
