"""Losses of UPS, transformers and converters.

Every device here loses ``rating (a0 + a1 l + a2 l^2)`` at load fraction ``l`` of its output: a0 without load, a1 in
proportion, a2 with the square of the load, each per unit of rating. The three-way split is that of Schneider Electric's
white paper 108 (published); the default coefficients are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

UPS_NO_LOAD = 0.006
UPS_PROPORTIONAL = 0.02
UPS_SQUARE_LAW = 0.015
"""Coefficients of a double-conversion UPS [1 per unit of rating]: assumed."""
POINTS_NEEDED = 3


@dataclass(frozen=True, slots=True)
class Losses:
    """Loss coefficients of a device, each per unit of its rating [1]; none of them negative."""

    no_load: float = 0.0
    proportional: float = 0.0
    square_law: float = 0.0

    def __post_init__(self) -> None:
        require(min(self.no_load, self.proportional, self.square_law) >= 0, "loss coefficients must not be negative")

    def loss(self, load_fraction: npt.ArrayLike) -> Array:
        """Loss per unit of rating ``a0 + a1 l + a2 l^2`` [1]; ``load_fraction`` is output over rating, any shape."""
        load = as_array(load_fraction)
        return np.asarray(self.no_load + load * (self.proportional + self.square_law * load))

    def efficiency(self, load_fraction: npt.ArrayLike) -> Array:
        """Output over input [1]; 0 at no load where there is a loss at no load, 1 where nothing is lost."""
        load = as_array(load_fraction)
        drawn = load + self.loss(load)
        return np.divide(load, drawn, out=np.ones_like(drawn), where=drawn > 0)

    def input_w(self, output_w: npt.ArrayLike, rating_w: npt.ArrayLike) -> Array:
        """Power drawn for an output [W], ``P + R loss(P / R)``."""
        out, rating = as_array(output_w), as_array(rating_w)
        require(rating > 0, "a rating must be above 0 W")
        return np.asarray(out + rating * self.loss(out / rating))

    def output_w(self, input_w: npt.ArrayLike, rating_w: npt.ArrayLike) -> Array:
        """Output that an input can feed [W]: the inverse of `input_w`, 0 where the input covers no more than a0.

        The root of ``a2 l^2 + (1 + a1) l = p - a0`` in the form that does not cancel.
        """
        rating = as_array(rating_w)
        require(rating > 0, "a rating must be above 0 W")
        over = np.maximum(as_array(input_w) / rating - self.no_load, 0.0)
        slope = 1.0 + self.proportional
        return np.asarray(rating * 2.0 * over / (slope + np.sqrt(slope**2 + 4.0 * self.square_law * over)))


def ups_efficiency(
    load_fraction: npt.ArrayLike,
    no_load: float = UPS_NO_LOAD,
    proportional: float = UPS_PROPORTIONAL,
    square_law: float = UPS_SQUARE_LAW,
) -> Array:
    """Efficiency of a UPS, ``eta(l) = l / (l + a0 + a1 l + a2 l^2)`` [1].

    Parameters
    ----------
    load_fraction : l, output over rating [1], any shape, above 0 and at most 1
    no_load, proportional, square_law : a0, a1, a2 per unit of rating [1]

    Raises
    ------
    ValueError for loads that are not above 0 and at most 1, and for negative coefficients.

    Source: split by Schneider Electric, white paper 108 (published); default coefficients assumed.

    >>> [round(float(eta), 4) for eta in ups_efficiency([1.0, 0.75, 0.5, 0.25])]
    [0.9606, 0.9622, 0.962, 0.9544]
    """
    load = as_array(load_fraction)
    require((load > 0) & (load <= 1), "load_fraction must be above 0 and at most 1")
    return Losses(no_load, proportional, square_law).efficiency(load)


def fit_losses(load_fraction: npt.ArrayLike, efficiency: npt.ArrayLike) -> Losses:
    """Coefficients from points of a data sheet: least squares of the efficiency, none below zero.

    ``l / eta - l = a0 + a1 l + a2 l^2`` is solved with weights ``eta^2 / l``, which make its residual one of eta to
    first order. The best of all eight sets of coefficients at zero whose others are not negative: exact, since the
    optimum is the plain solution on its own set.

    Parameters
    ----------
    load_fraction : loads [1], shape (n,), at least three different ones, above 0 and at most 1
    efficiency : efficiencies there [1], shape (n,), above 0 and at most 1

    Raises
    ------
    ValueError for fewer than three different loads and for values outside their bounds.
    """
    load, eta = as_array(load_fraction), as_array(efficiency)
    require(load.shape == eta.shape and load.ndim == 1, "as many efficiencies as loads are needed, in one row each")
    require(np.all(np.isfinite(load)) and np.all(np.isfinite(eta)), "loads and efficiencies must be finite")
    require((load > 0) & (load <= 1), "load_fraction must be above 0 and at most 1")
    require((eta > 0) & (eta <= 1), "efficiency must be above 0 and at most 1")
    require(np.unique(load).size >= POINTS_NEEDED, "at least three different loads are needed")
    weight = eta**2 / load
    powers = weight[:, None] * load[:, None] ** np.arange(3)
    lost = weight * (load / eta - load)
    best, least = np.zeros(3), float(lost @ lost)
    for size in (1, 2, 3):
        for kept in combinations(range(3), size):
            some = powers[:, list(kept)]
            found = np.linalg.lstsq(some, lost, rcond=None)[0]
            residual = float(np.sum((some @ found - lost) ** 2))
            if np.all(found >= 0) and residual < least:
                best, least = np.zeros(3), residual
                best[list(kept)] = found
    return Losses(*(float(value) for value in best))
