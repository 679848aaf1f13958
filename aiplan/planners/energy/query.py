"""Energy of one query at every boundary, from the time it occupies a server.

The unit of work is the node-second: ``S`` seconds of a group of accelerators per query, whatever law it comes
from. Multiplied by the group's power it is energy; the boundaries say how much of the datacenter is counted::

    accelerator -> server (adds the host) -> server+idle (adds provisioned but unused time) -> facility (x
    PUE)

Numbers of two boundaries are never compared without converting one. Everything broadcasts: a sample is an
array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.serving.server import ServerPower

BOUNDARIES = ("accelerator", "server", "server+idle", "facility")
"""System boundaries, innermost first."""

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class BoundaryEnergies:
    """Energy per query at each boundary [Wh], arrays of one shape.

    The four values are cumulative: each contains the one before it.
    """

    accelerator_wh: Array
    server_wh: Array
    server_idle_wh: Array
    facility_wh: Array

    def at(self, boundary: str) -> Array:
        """Energy at one of ``BOUNDARIES`` [Wh]; ``ValueError`` for any other name."""
        if boundary not in BOUNDARIES:
            raise ValueError(f"unknown boundary '{boundary}': one of {', '.join(BOUNDARIES)}")
        energies = (self.accelerator_wh, self.server_wh, self.server_idle_wh, self.facility_wh)
        return energies[BOUNDARIES.index(boundary)]

    def factors(self) -> dict[str, Array]:
        """Factor from each boundary to the next: ``host``, ``idle`` and ``pue`` [ratios, >= 1].

        A factor is NaN where the inner boundary holds no energy; a report shows it as null.
        Example: the median Gemini prompt (arXiv:2508.15734, split second-hand).

        >>> import numpy as np
        >>> gemini = BoundaryEnergies(*np.array([0.14, 0.20, 0.22, 0.24]))
        >>> {name: round(float(factor), 2) for name, factor in gemini.factors().items()}
        {'host': 1.43, 'idle': 1.1, 'pue': 1.09}
        """
        return {
            "host": _ratio(self.server_wh, self.accelerator_wh),
            "idle": _ratio(self.server_idle_wh, self.server_wh),
            "pue": _ratio(self.facility_wh, self.server_idle_wh),
        }


def _ratio(over: Array, under: Array) -> Array:
    over, under = np.broadcast_arrays(over, under)
    ratio = np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)
    return np.asarray(ratio, dtype=np.float64)


def node_seconds_at_rate(output_tokens: npt.ArrayLike, tokens_per_s: npt.ArrayLike) -> Array:
    """Node-seconds per query of a server that emits ``tokens_per_s`` for all its users together.

    ``S = L_out / TPS``  [s]

    Parameters
    ----------
    output_tokens : output tokens of the query, any shape (see ``effective_output_tokens`` for inputs)
    tokens_per_s : output tokens per second of the whole group, > 0, broadcast against it

    Source: Oviedo et al., Joule 2026 (arXiv:2509.20241), the authors' code. It prices input tokens only
    through the rate; a law with its own prefill term gives S directly and needs no such step.

    >>> float(node_seconds_at_rate(300, 1500))
    0.2
    """
    rate = as_array(tokens_per_s)
    require(rate > 0, "tokens_per_s must be above 0")
    return np.asarray(as_array(output_tokens) / rate, dtype=np.float64)


def effective_output_tokens(
    output_tokens: npt.ArrayLike, input_tokens: npt.ArrayLike, input_weight: npt.ArrayLike = 1 / 30
) -> Array:
    """Output tokens plus input tokens at a fraction of an output token's price.

    ``L_eff = L_out + w L_in``

    Source: sensitivity script of Oviedo et al. (arXiv:2509.20241), w = 1/30. There the throughput law is
    evaluated at the same ``L_in`` (500, 1000 and 5000), so prompts act twice: use it only to repeat that
    study.

    >>> float(effective_output_tokens(300, 3000))
    400.0
    """
    weight = as_array(input_weight)
    return np.asarray(as_array(output_tokens) + weight * as_array(input_tokens), dtype=np.float64)


def idle_node_seconds(node_seconds: npt.ArrayLike, utilisation: npt.ArrayLike) -> Array:
    """Unused node-seconds that each query has to carry.

    ``S_idle = S (1 - u) / u``  [s]

    Parameters
    ----------
    node_seconds : S, busy node-seconds per query
    utilisation : u, busy share of provisioned time, in (0, 1]; ``ValueError`` outside

    >>> round(float(idle_node_seconds(0.2, 0.8)), 3)
    0.05
    """
    busy = as_array(utilisation)
    require((busy > 0) & (busy <= 1), "utilisation must be above 0 and at most 1")
    return np.asarray(as_array(node_seconds) * (1 - busy) / busy, dtype=np.float64)


def boundary_energies(
    node_seconds: npt.ArrayLike,
    power: ServerPower,
    utilisation: npt.ArrayLike = 1.0,
    pue: npt.ArrayLike = 1.0,
) -> BoundaryEnergies:
    """Energy of one query at each boundary.

    ``E_server = P_server S / 3600``; ``E_server+idle = E_server + P_idle S (1 - u) / (3600 u)``;
    ``E_facility = PUE * E_server+idle``  [Wh]

    Parameters
    ----------
    node_seconds : S, group-seconds per query [s]; never negative
    power : power of the same group
    utilisation : busy share of provisioned time, in (0, 1]; 1 leaves idle time out, as Oviedo and Epoch do
    pue : power usage effectiveness of the site, physically >= 1; the paper's lognormal (P5-P95 1.05-1.6) has
        2 % of its draws below 1 and keeps them, so only values that are not positive are refused

    Raises ``ValueError`` for a negative S, a utilisation outside (0, 1] or a PUE that is not positive.

    Source: sections on power and boundaries of Oviedo et al. (arXiv:2509.20241) with the idle term of Google
    (arXiv:2508.15734). Idle power is charged to queries in proportion to busy time; networks and storage
    outside the server are not counted.

    >>> from aiplan.planners.serving.server import fraction_power
    >>> power = fraction_power(10_200, 0.6, 1_600)
    >>> energies = boundary_energies(300 / 1500, power, utilisation=1.0, pue=1.3)
    >>> round(float(energies.facility_wh), 3)
    0.442
    """
    seconds, site_pue = as_array(node_seconds), as_array(pue)
    require(seconds >= 0, "node_seconds must not be negative")
    require(site_pue > 0, "pue must be above 0")
    accelerator_wh = power.accelerator_w * seconds / SECONDS_PER_HOUR
    server_wh = power.server_w * seconds / SECONDS_PER_HOUR
    idle_wh = power.idle_w * idle_node_seconds(seconds, utilisation) / SECONDS_PER_HOUR
    server_idle_wh = server_wh + idle_wh
    arrays = np.broadcast_arrays(accelerator_wh, server_wh, server_idle_wh, site_pue * server_idle_wh)
    return BoundaryEnergies(*(np.asarray(values, dtype=np.float64) for values in arrays))
