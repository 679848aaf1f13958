"""First-order shares of a cost's variance by input, from draws that are there already.

For independent inputs `aiplan.uncertainty.sensitivity.sobol_indices` runs the model anew; these two estimates need no
further run, and the second also holds for inputs that are correlated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiplan.planners.arrays import Array, as_array, require

MOST_BINS = 200
LEAST_IN_BIN = 50


@dataclass(frozen=True, slots=True)
class Share:
    """Share of variance.

    Attributes
    ----------
    fraction : first-order share [1]; may miss 0..1 by its sampling error
    method : ``regression``: squared standardised coefficient; ``bins``: variance of the mean given the input
    """

    fraction: float
    method: Literal["regression", "bins"]


def first_order(inputs: Mapping[str, Array], usd: Array, correlated: Collection[str] = ()) -> dict[str, Share]:
    """First-order share of each input, arrays of shape (n,), in the variance of a cost, shape (n,).

    Inputs that are not correlated get the squared coefficient of a linear regression on all inputs, standardised: their
    share where the cost is close to linear in them. Correlated ones get ``Var(E[cost | input])/Var(cost)`` from means
    over bins of equal count (over values where there are few), less what chance alone would give
    (epsilon squared, Kelley 1935): that share holds what an input says about those it is correlated with, and shares
    then need not sum to one.

    Raises ValueError for fewer draws than inputs and names of correlated inputs that are not there.
    """
    require(set(correlated) <= set(inputs), "a correlated input is not among the inputs")
    require(len(usd) > len(inputs) + 1, "there must be more draws than inputs")
    coefficients = _standardised(inputs, usd)
    return {
        name: Share(_binned(as_array(values), usd), "bins")
        if name in correlated
        else Share(coefficients[name] ** 2, "regression")
        for name, values in inputs.items()
    }


def _standardised(inputs: Mapping[str, Array], usd: Array) -> dict[str, float]:
    """Coefficients of a regression in units of standard deviations; 0 for what does not vary."""
    spread = {name: float(np.std(values)) for name, values in inputs.items()}
    total = float(np.std(usd))
    names = [name for name in inputs if spread[name] > 0]
    found = dict.fromkeys(inputs, 0.0)
    if not names or total == 0.0:
        return found
    columns = np.stack([(inputs[name] - np.mean(inputs[name])) / spread[name] for name in names], axis=1)
    solved = np.linalg.lstsq(columns, (usd - np.mean(usd)) / total, rcond=None)[0]
    return found | {name: float(value) for name, value in zip(names, solved, strict=True)}


def _binned(values: Array, usd: Array) -> float:
    total = float(((usd - usd.mean()) ** 2).sum())
    which = _bins(values)
    count = np.bincount(which)
    bins, n = int((count > 0).sum()), len(usd)
    if total == 0.0 or bins < 2 or n <= bins:
        return 0.0
    means = np.bincount(which, weights=usd) / np.maximum(count, 1)
    within = float(((usd - means[which]) ** 2).sum())
    return 1.0 - (within / (n - bins)) / (total / (n - 1))


def _bins(values: Array) -> np.typing.NDArray[np.int64]:
    """Bin of each value: equal counts, equal values together."""
    unique, inverse = np.unique(values, return_inverse=True)
    most = max(2, min(MOST_BINS, len(values) // LEAST_IN_BIN))
    if len(unique) <= most:
        return np.asarray(inverse)
    first = np.searchsorted(np.sort(values), unique)  # rank of the first of equal values
    return np.asarray((first * most // len(values))[inverse])
