"""Gaussian copula: how correlated inputs are mixed from independent standard normal streams."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALLEST_EIGENVALUE = -1e-10
"""A correlation matrix with a smaller eigenvalue contradicts itself; what is nearer zero is rounding."""

_ZERO_PIVOT = 1e-9

Mixture = tuple[tuple[str, float], ...]
"""Streams and their weights [1]; the squares of the weights sum to 1."""


class Correlation(NamedTuple):
    """Correlation `rho` [1] between inputs `a` and `b`, on the scale of their normal scores.

    For normal inputs it is their correlation; for lognormal ones that of the logarithms; for others the rank
    correlation is 6/pi asin(rho/2), close to rho.
    """

    a: str
    b: str
    rho: float


def mixtures(names: Sequence[str], correlations: Iterable[tuple[str, str, float]]) -> dict[str, Mixture]:
    """Recipe of each correlated input: score = sum of weight * independent standard normal stream.

    Parameters
    ----------
    names : all inputs that may be drawn; their order decides who keeps its own stream unmixed
    correlations : triples (a, b, rho); pairs not given are uncorrelated

    Returns
    -------
    Only the correlated inputs. Inputs linked with each other form a group of their own, so that a correlation
    elsewhere moves none of their draws.

    Raises ValueError, naming the culprit, for an unknown name, an input correlated with itself, rho outside
    -1..1, a pair given twice, and correlations that cannot all hold (matrix not positive semidefinite).

    Source: Cholesky factor of the correlation matrix; Nelsen 2006, An Introduction to Copulas, section 2.3.
    """
    links: dict[frozenset[str], float] = {}
    for a, b, rho in correlations:
        _check_link(a, b, rho, names, links)
        links[frozenset((a, b))] = float(rho)
    recipes: dict[str, Mixture] = {}
    for group in _groups(names, links):
        matrix = _matrix(group, links)
        _require_consistent(group, matrix)
        factor = _semidefinite_cholesky(matrix)
        for name, row in zip(group, factor, strict=True):
            recipes[name] = tuple((source, float(w)) for source, w in zip(group, row, strict=True) if w)
    return recipes


def _check_link(a: str, b: str, rho: float, names: Sequence[str], links: Mapping[frozenset[str], float]) -> None:
    for name in (a, b):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise ValueError(f"a correlation names {name!r}, which is not an uncertain input{hint}")
    if a == b:
        raise ValueError(f"{a!r} cannot be correlated with itself")
    if not -1.0 <= rho <= 1.0:
        raise ValueError(f"the correlation of {a!r} and {b!r} must lie in -1..1, got {rho}")
    if frozenset((a, b)) in links:
        raise ValueError(f"the correlation of {a!r} and {b!r} is given twice")


def _groups(names: Sequence[str], links: Mapping[frozenset[str], float]) -> list[list[str]]:
    """Inputs linked directly or through others, each group in the order of `names`."""
    neighbours: dict[str, set[str]] = {}
    for pair in links:
        for name in pair:
            neighbours.setdefault(name, set()).update(pair)
    groups: list[list[str]] = []
    placed: set[str] = set()
    for start in names:
        if start not in neighbours or start in placed:
            continue
        reached: set[str] = set()
        frontier = {start}
        while frontier:
            reached |= frontier
            frontier = set().union(*(neighbours[name] for name in frontier)) - reached
        placed |= reached
        groups.append([name for name in names if name in reached])
    return groups


def _matrix(group: Sequence[str], links: Mapping[frozenset[str], float]) -> NDArray[np.float64]:
    return np.array(
        [[1.0 if a == b else links.get(frozenset((a, b)), 0.0) for b in group] for a in group],
        dtype=np.float64,
    )


def _require_consistent(group: Sequence[str], matrix: NDArray[np.float64]) -> None:
    """Raise ValueError for a negative eigenvalue, naming the pair that contributes most to it."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    if eigenvalues[0] >= SMALLEST_EIGENVALUE:
        return
    direction = vectors[:, 0]
    share = matrix * np.outer(direction, direction)
    np.fill_diagonal(share, np.inf)
    row, column = divmod(int(np.argmin(share)), len(group))
    a, b = sorted((row, column))
    raise ValueError(
        f"the correlations of {', '.join(group)} cannot all hold (smallest eigenvalue {eigenvalues[0]:.3g}); "
        f"most at odds with the others is the pair {group[a]!r} and {group[b]!r} (rho = {matrix[a, b]:g})"
    )


def _semidefinite_cholesky(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower triangular L with L L' = matrix; a variable fixed by earlier ones gets no stream of its own."""
    size = len(matrix)
    factor = np.zeros((size, size))
    for j in range(size):
        pivot = matrix[j, j] - factor[j, :j] @ factor[j, :j]
        if pivot <= _ZERO_PIVOT:
            continue
        factor[j, j] = math.sqrt(pivot)
        factor[j + 1 :, j] = (matrix[j + 1 :, j] - factor[j + 1 :, :j] @ factor[j, :j]) / factor[j, j]
    return factor
