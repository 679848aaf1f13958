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

Array = npt.NDArray[np.float64]

BOUNDARIES = ("accelerator", "server", "server+idle", "facility")
"""System boundaries, innermost first."""

SECONDS_PER_HOUR = 3600.0


def _array(value: npt.ArrayLike) -> Array:
    return np.asarray(value, dtype=np.float64)


def _require(condition: npt.ArrayLike, message: str) -> None:
    if not np.all(condition):
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class ServerPower:
    """Power drawn while a group of accelerators serves, and while it waits [W].

    Attributes
    ----------
    accelerator_w : accelerators of the group, busy
    server_w : accelerators plus the group's share of the host, busy
    idle_w : the same share of the server with nothing to do
    """

    accelerator_w: Array
    server_w: Array
    idle_w: Array


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
    rate = _array(tokens_per_s)
    _require(rate > 0, "tokens_per_s must be above 0")
    return np.asarray(_array(output_tokens) / rate, dtype=np.float64)


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
    weight = _array(input_weight)
    return np.asarray(_array(output_tokens) + weight * _array(input_tokens), dtype=np.float64)


def load_coupled_power_fraction(
    tokens_per_s: npt.ArrayLike,
    cap_tokens_per_s: npt.ArrayLike,
    at_zero_load: npt.ArrayLike = 0.24,
    slope: npt.ArrayLike = 0.56,
) -> Array:
    """Share of a server's rated power as a linear function of its throughput.

    ``PU = 0.24 + 0.56 min(TPS / TPS_cap, 1)``  [fraction of rated power]

    Parameters
    ----------
    tokens_per_s, cap_tokens_per_s : rate and the highest rate seen [tokens/s]; the cap > 0
    at_zero_load, slope : the two constants

    Source: sensitivity script of Oviedo et al. (arXiv:2509.20241). The script's comments and its printed
    label say 0.66; the constant it computes with is 0.56, so full load is 0.80 and not 0.90 of the rating.

    >>> [round(float(load_coupled_power_fraction(rate, 1000)), 2) for rate in (0, 500, 1000, 2000)]
    [0.24, 0.52, 0.8, 0.8]
    """
    cap = _array(cap_tokens_per_s)
    _require(cap > 0, "cap_tokens_per_s must be above 0")
    load = np.minimum(_array(tokens_per_s) / cap, 1.0)
    return np.asarray(_array(at_zero_load) + _array(slope) * load, dtype=np.float64)


def idle_power_w(rated_w: npt.ArrayLike, share: npt.ArrayLike = 1.0, idle_fraction: npt.ArrayLike = 0.24) -> Array:
    """Power of a server, or a share of one, that is provisioned and has nothing to do [W].

    ``P_idle = idle_fraction * P_rated * share``

    The default 0.24 is the zero-load term of ``load_coupled_power_fraction`` and is an assumption here: the
    script it comes from never used it for idle time.

    >>> float(idle_power_w(10_200))
    2448.0
    """
    return np.asarray(_array(idle_fraction) * _array(rated_w) * _array(share), dtype=np.float64)


def fraction_power(
    rated_w: npt.ArrayLike,
    power_fraction: npt.ArrayLike,
    host_w: npt.ArrayLike,
    share: npt.ArrayLike = 1.0,
    idle_fraction: npt.ArrayLike = 0.24,
) -> ServerPower:
    """Power when the whole server is known as a fraction of its rating.

    ``P_server = P_rated * PU * share``, ``P_accelerator = max(P_server - P_host * share, 0)``  [W]

    Parameters
    ----------
    rated_w : rated power of the server [W]
    power_fraction : PU, power drawn over rated power; the paper's lognormal has median 0.60 (P5-P95 0.4-0.9)
        and exceeds 1 in 2 % of draws, which is kept
    host_w : power of everything in the server that is no accelerator [W]
    share : accelerators of the group over accelerators of the server; S belongs to its own group
    idle_fraction : see ``idle_power_w``

    Source: Oviedo et al. (arXiv:2509.20241), the authors' code, for the server; the split into accelerator
    and host is a subtraction of ours. Where a low draw of PU falls below the host's power the accelerator is
    0.

    >>> power = fraction_power(10_200, 0.6, 1_600)
    >>> float(power.accelerator_w), float(power.server_w)
    (4520.0, 6120.0)
    """
    group = _array(share)
    server_w = np.asarray(_array(rated_w) * _array(power_fraction) * group, dtype=np.float64)
    accelerator_w = np.maximum(server_w - _array(host_w) * group, 0.0)
    return ServerPower(accelerator_w, server_w, idle_power_w(rated_w, group, idle_fraction))


def component_power(
    accelerator_count: npt.ArrayLike,
    tdp_w: npt.ArrayLike,
    tdp_fraction: npt.ArrayLike,
    host_w: npt.ArrayLike,
    rated_w: npt.ArrayLike,
    share: npt.ArrayLike = 1.0,
    idle_fraction: npt.ArrayLike = 0.24,
) -> ServerPower:
    """Power when the accelerators are known as a fraction of their TDP and the host in watts.

    ``P_accelerator = n TDP f``, ``P_server = P_accelerator + P_host * share``  [W]

    Parameters
    ----------
    accelerator_count, tdp_w : accelerators of the group, and the thermal design power of one [W]
    tdp_fraction : power drawn over TDP; 0.47-0.97 (P5-P95, median 0.70) over 231 measured H100 runs and
        0.36-0.96 (0.70) over 221 on B200, derived from ML.ENERGY v3
    host_w : non-accelerator power of a full server [W]; 1,200-2,200 W for 8 GPUs, default of the planner
        1,600
    rated_w : rated power of a full server, for the idle term [W]
    share : accelerators of the group over accelerators of the server
    idle_fraction : see ``idle_power_w``

    Source: method of Google (arXiv:2508.15734) and Jegham et al. (arXiv:2505.09598): components summed. The
    host is taken as constant; it is not, and the range above is wide for that reason.

    >>> power = component_power(4, 700, 0.75, 1_600, 10_200, share=0.5)
    >>> float(power.accelerator_w), float(power.server_w)
    (2100.0, 2900.0)
    """
    accelerator_w = np.asarray(_array(accelerator_count) * _array(tdp_w) * _array(tdp_fraction), dtype=np.float64)
    server_w = np.asarray(accelerator_w + _array(host_w) * _array(share), dtype=np.float64)
    return ServerPower(accelerator_w, server_w, idle_power_w(rated_w, share, idle_fraction))


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
    busy = _array(utilisation)
    _require((busy > 0) & (busy <= 1), "utilisation must be above 0 and at most 1")
    return np.asarray(_array(node_seconds) * (1 - busy) / busy, dtype=np.float64)


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

    >>> power = fraction_power(10_200, 0.6, 1_600)
    >>> energies = boundary_energies(300 / 1500, power, utilisation=1.0, pue=1.3)
    >>> round(float(energies.facility_wh), 3)
    0.442
    """
    seconds, site_pue = _array(node_seconds), _array(pue)
    _require(seconds >= 0, "node_seconds must not be negative")
    _require(site_pue > 0, "pue must be above 0")
    accelerator_wh = power.accelerator_w * seconds / SECONDS_PER_HOUR
    server_wh = power.server_w * seconds / SECONDS_PER_HOUR
    idle_wh = power.idle_w * idle_node_seconds(seconds, utilisation) / SECONDS_PER_HOUR
    server_idle_wh = server_wh + idle_wh
    arrays = np.broadcast_arrays(accelerator_wh, server_wh, server_idle_wh, site_pue * server_idle_wh)
    return BoundaryEnergies(*(np.asarray(values, dtype=np.float64) for values in arrays))
