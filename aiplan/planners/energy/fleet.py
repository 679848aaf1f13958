"""From energy per query to a fleet: GWh per day, average power and servers.

Fleets pay for the mean, not the median, and for every draw, not the trimmed ones: the functions here take the
untrimmed draws and average them over the last axis. For a billion queries a day, GWh per day before overhead
is numerically the mean Wh per query.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array

SECONDS_PER_DAY = 86_400.0
HOURS_PER_DAY = 24.0
WH_PER_GWH = 1e9
MW_PER_GW = 1e3


def _mean_of_draws(value: npt.ArrayLike) -> Array:
    array = as_array(value)
    return array if array.ndim == 0 else np.asarray(array.mean(axis=-1), dtype=np.float64)


def overhead_factor(
    overhead_a: npt.ArrayLike = 1.10, overhead_b: npt.ArrayLike = 1.076, overhead_c: npt.ArrayLike = 1.12
) -> Array:
    """Energy of a fleet over energy of its queries [ratio].

    ``F = a b c``

    Source: constants in the fleet script of Oviedo et al. (arXiv:2509.20241). Its only explanation is a
    comment naming orchestration and backup; which factor is which, and why, is not documented, hence the
    plain names. Set all three to 1 for a fleet with nothing beyond its queries.

    >>> round(float(overhead_factor()), 4)
    1.3256
    """
    return np.asarray(as_array(overhead_a) * as_array(overhead_b) * as_array(overhead_c), dtype=np.float64)


def fleet_gwh_per_day(energy_wh: npt.ArrayLike, queries_per_day: npt.ArrayLike, overhead: npt.ArrayLike = 1.0) -> Array:
    """Electricity of a fleet that answers one class of query [GWh/day].

    ``G = mean(E) q F / 1e9``

    Parameters
    ----------
    energy_wh : energy per query [Wh]; an array is averaged over its last axis, and must be untrimmed
    queries_per_day : q [1/day]
    overhead : F, see ``overhead_factor``

    Source: fleet script of Oviedo et al. (arXiv:2509.20241). Its error bars bootstrap the mean and so show
    sampling noise, not what is uncertain about the inputs; nothing like them is made here.

    >>> round(float(fleet_gwh_per_day(0.5515, 1e9, overhead_factor())), 3)
    0.731
    """
    mean_wh = _mean_of_draws(energy_wh)
    return np.asarray(mean_wh * as_array(queries_per_day) * as_array(overhead) / WH_PER_GWH, dtype=np.float64)


def mixed_fleet_gwh_per_day(
    short_wh: npt.ArrayLike,
    long_wh: npt.ArrayLike,
    queries_per_day: npt.ArrayLike,
    long_share: npt.ArrayLike = 0.1,
    overhead: npt.ArrayLike = 1.0,
) -> Array:
    """Electricity of a fleet that answers short and long queries [GWh/day].

    ``G = [(1 - s) mean(E_short) + s mean(E_long)] q F / 1e9``

    Parameters
    ----------
    short_wh, long_wh : untrimmed energy per query of each class [Wh]
    long_share : s, share of long queries, 0..1 (0.1 in the paper); ``ValueError`` outside
    queries_per_day, overhead : see ``fleet_gwh_per_day``

    Source: fleet script of Oviedo et al. (arXiv:2509.20241).

    >>> round(float(mixed_fleet_gwh_per_day(0.5515, 7.94, 1e9, overhead=overhead_factor())), 2)
    1.71
    """
    share = as_array(long_share)
    if not np.all((share >= 0) & (share <= 1)):
        raise ValueError("long_share must lie between 0 and 1")
    mean_wh = (1 - share) * _mean_of_draws(short_wh) + share * _mean_of_draws(long_wh)
    return fleet_gwh_per_day(mean_wh[..., np.newaxis], queries_per_day, overhead)


def improved_energy_wh(energy_wh: npt.ArrayLike, multiplier: npt.ArrayLike) -> Array:
    """Energy of each draw after the fleet's one improvement [Wh].

    ``E' = E / m``

    Parameters
    ----------
    energy_wh : draws before [Wh]
    multiplier : ONE efficiency multiplier, a float or one draw for each energy; not a product of levers

    Raises ``ValueError`` for a multiplier that is not positive.

    Source: fleet script of Oviedo et al. (arXiv:2509.20241): P5-P95 1.5-3.5 for short and 1.5-3 for long
    queries. The fall from 1.7 to 0.8 GWh/day in its abstract is therefore a gain of 2.1 and not the combined
    8-20.

    >>> float(improved_energy_wh(0.5, 2.0))
    0.25
    """
    divisor = as_array(multiplier)
    if not np.all(divisor > 0):
        raise ValueError("multiplier must be above 0")
    return np.asarray(as_array(energy_wh) / divisor, dtype=np.float64)


def average_power_mw(gwh_per_day: npt.ArrayLike) -> Array:
    """Mean power of a fleet [MW].

    ``P = G / 24 * 1000``

    >>> round(float(average_power_mw(0.731)), 1)
    30.5
    """
    return np.asarray(as_array(gwh_per_day) / HOURS_PER_DAY * MW_PER_GW, dtype=np.float64)


def node_count(node_seconds: npt.ArrayLike, queries_per_day: npt.ArrayLike, utilisation: npt.ArrayLike) -> Array:
    """Servers that keep up with a day's queries at a target utilisation (not rounded).

    ``N = sum_k S_k q_k / (86400 u)``

    Parameters
    ----------
    node_seconds, queries_per_day : S [s] and q [1/day] per class of query; summed over the last axis
    utilisation : u, busy share of provisioned time, in (0, 1]; ``ValueError`` outside

    A mean over the day: peaks need more servers unless u already leaves room for them.

    >>> float(node_count([0.2, 3.0], [0.9e6, 0.1e6], 0.5))
    11.11111111111111
    """
    busy = as_array(utilisation)
    if not np.all((busy > 0) & (busy <= 1)):
        raise ValueError("utilisation must be above 0 and at most 1")
    work_s = as_array(node_seconds) * as_array(queries_per_day)
    total_s = work_s if work_s.ndim == 0 else work_s.sum(axis=-1)
    return np.asarray(total_s / (SECONDS_PER_DAY * busy), dtype=np.float64)


def searches_gwh(searches: npt.ArrayLike = 1e9, energy_wh: npt.ArrayLike = 0.3) -> Array:
    """Electricity of a number of web searches [GWh], a line to compare with.

    Source: figure script of Oviedo et al. (arXiv:2509.20241): 0.3 Wh per search.

    >>> float(searches_gwh())
    0.3
    """
    return np.asarray(as_array(searches) * as_array(energy_wh) / WH_PER_GWH, dtype=np.float64)


def site_gwh(site_mw: npt.ArrayLike = 30.0, load_fraction: npt.ArrayLike = 0.8, time_h: npt.ArrayLike = 24.0) -> Array:
    """Electricity of a site over a time [GWh], a line to compare with.

    Source: figure script of Oviedo et al. (arXiv:2509.20241): a 30 MW H100 site at 80 % for a day.

    >>> round(float(site_gwh()), 12)
    0.576
    """
    return np.asarray(as_array(site_mw) * as_array(load_fraction) * as_array(time_h) / MW_PER_GW, dtype=np.float64)
