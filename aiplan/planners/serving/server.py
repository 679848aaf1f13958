"""Power of a server, or of a group of accelerators in one, while it answers and while it waits.

Two ways to know it: accelerators plus host, or a share of the server's rating. Both give the same three numbers, so
that every planner adds host and idle time the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aiplan.planners.arrays import Array, as_array, require

if TYPE_CHECKING:
    import numpy.typing as npt


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
    cap = as_array(cap_tokens_per_s)
    require(cap > 0, "cap_tokens_per_s must be above 0")
    load = np.minimum(as_array(tokens_per_s) / cap, 1.0)
    return np.asarray(as_array(at_zero_load) + as_array(slope) * load, dtype=np.float64)


def idle_power_w(rated_w: npt.ArrayLike, share: npt.ArrayLike = 1.0, idle_fraction: npt.ArrayLike = 0.24) -> Array:
    """Power of a server, or a share of one, that is provisioned and has nothing to do [W].

    ``P_idle = idle_fraction * P_rated * share``

    The default 0.24 is the zero-load term of ``load_coupled_power_fraction`` and is an assumption here: the
    script it comes from never used it for idle time.

    >>> float(idle_power_w(10_200))
    2448.0
    """
    return np.asarray(as_array(idle_fraction) * as_array(rated_w) * as_array(share), dtype=np.float64)


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
    group = as_array(share)
    server_w = np.asarray(as_array(rated_w) * as_array(power_fraction) * group, dtype=np.float64)
    accelerator_w = np.maximum(server_w - as_array(host_w) * group, 0.0)
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
    accelerator_w = np.asarray(as_array(accelerator_count) * as_array(tdp_w) * as_array(tdp_fraction), dtype=np.float64)
    server_w = np.asarray(accelerator_w + as_array(host_w) * as_array(share), dtype=np.float64)
    return ServerPower(accelerator_w, server_w, idle_power_w(rated_w, share, idle_fraction))
