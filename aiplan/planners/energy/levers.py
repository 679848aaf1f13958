"""Efficiency levers: what a better model, serving platform or datacenter does to the energy of a query.

A lever is a multiplier by which energy is *divided*; uncertain levers arrive as draws (lognormal in the
paper, given as P5-P95). Levers overlap, since a smaller model leaves less for a better batcher to save, so
their product is damped by one exponent.

What the paper computes and what it does not (Oviedo et al., arXiv:2509.20241): its scripts apply each lever
alone to the blend. The combined "8-20x" of its abstract is computed nowhere in them. The independent product
of its three levers has median 20.5 and P5-P95 6.5-65, so 20x is nearly independence (eta 0.99) and 8x is
strong overlap (eta 0.69). Both exponents are calibrated to the abstract, not measured.

======================  ===========  ======
lever of the paper      P5-P95       median
======================  ===========  ======
model or algorithm      1.5-10       3.87
serving platform        1.5-5        2.74
hardware, datacenter    1.5-2.5      1.94
======================  ===========  ======
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array


def _positive(value: npt.ArrayLike, name: str) -> Array:
    array = as_array(value)
    if not np.all(array > 0):
        raise ValueError(f"{name} must be above 0")
    return array


def combined_multiplier(multipliers: Sequence[npt.ArrayLike], eta: npt.ArrayLike = 1.0) -> Array:
    """Multiplier of several levers pulled together.

    ``M = (m_1 m_2 ... m_k) ** eta``,  0 <= eta <= 1

    Parameters
    ----------
    multipliers : one entry per lever, floats or arrays of draws that broadcast; no lever gives 1
    eta : overlap exponent; 1 means the levers are independent, 0 that they do nothing together

    Raises ``ValueError`` for a multiplier that is not positive or an eta outside 0..1.

    Source: overlap model of this project (assumed). It damps a single lever too: with one lever use eta = 1.

    >>> medians = (3.873, 2.739, 1.936)
    >>> [round(float(combined_multiplier(medians, eta)), 1) for eta in (1.0, 0.69)]
    [20.5, 8.0]
    """
    overlap = as_array(eta)
    if not np.all((overlap >= 0) & (overlap <= 1)):
        raise ValueError("eta must lie between 0 and 1")
    product = np.ones((), dtype=np.float64)
    for multiplier in multipliers:
        product = np.asarray(product * _positive(multiplier, "multiplier"), dtype=np.float64)
    return np.asarray(product**overlap, dtype=np.float64)


def apply_levers(energy_wh: npt.ArrayLike, multipliers: Sequence[npt.ArrayLike], eta: npt.ArrayLike = 1.0) -> Array:
    """Energy per query after the levers, draw by draw [Wh].

    ``E' = E / (m_1 ... m_k) ** eta``

    Parameters
    ----------
    energy_wh : energy before [Wh], float or draws
    multipliers, eta : see ``combined_multiplier``; draws of different levers should be independent of each
        other

    Source: Oviedo et al. (arXiv:2509.20241), lever scripts, one lever at a time on the *trimmed* blend.

    >>> round(float(apply_levers(0.308, [3.873])), 3)
    0.08
    """
    return np.asarray(as_array(energy_wh) / combined_multiplier(multipliers, eta), dtype=np.float64)


def overlap_exponent(combined: float, multipliers: Sequence[float]) -> float:
    """The eta at which levers of the given sizes combine to a stated multiplier.

    ``eta = ln M / ln (m_1 ... m_k)``

    Parameters
    ----------
    combined : the multiplier to reach, >= 1
    multipliers : size of each lever (the median, for draws), their product above 1

    Raises ``ValueError`` when the product is not above 1, or when more is asked than independence gives.

    >>> medians = (15**0.5, 7.5**0.5, 3.75**0.5)
    >>> [round(overlap_exponent(combined, medians), 2) for combined in (8, 20)]
    [0.69, 0.99]
    """
    product = float(np.prod(_positive(multipliers, "multiplier")))
    if product <= 1:
        raise ValueError("the product of the multipliers must be above 1")
    if not 1 <= combined <= product:
        raise ValueError(f"levers whose product is {product:.3g} cannot combine to {combined:.3g}")
    return float(np.log(combined) / np.log(product))
