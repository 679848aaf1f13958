"""What storage costs: capital by power and energy, a year's share of it, and the price at which a floor is dearer.

Money over time is that of `aiplan.finance`. Prices are arguments; all that the catalog holds of storage are assumed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.finance import capital_recovery_factor
from aiplan.planners.arrays import Array, as_array, require

HOURS_PER_YEAR = 8760.0
WATTS_PER_KILOWATT = 1e3
JOULES_PER_KILOWATT_HOUR = 3.6e6


def _amount(value: npt.ArrayLike, name: str) -> Array:
    amount = as_array(value)
    require((amount >= 0) & np.isfinite(amount), f"{name} must be finite and not negative")
    return amount


def capital_usd(
    power_w: npt.ArrayLike, energy_j: npt.ArrayLike, usd_per_w: npt.ArrayLike, usd_per_j: npt.ArrayLike
) -> Array:
    """Price of converter and store, ``P c_P + E c_E``; shapes broadcast [USD].

    57.6 MW and 120 MWh at 250 $/kW and 350 $/kWh:

    >>> round(float(capital_usd(57.6e6, 120 * 3.6e9, 0.250, 350 / 3.6e6)) / 1e6, 1)
    56.4
    """
    converter = _amount(power_w, "power_w") * _amount(usd_per_w, "usd_per_w")
    return np.asarray(converter + _amount(energy_j, "energy_j") * _amount(usd_per_j, "usd_per_j"))


def annual_usd(
    capital_usd: npt.ArrayLike,
    rate: npt.ArrayLike,
    years: npt.ArrayLike,
    upkeep_fraction: npt.ArrayLike = 0.0,
) -> Array:
    """A year's cost of something bought, ``C (a(n, r) + u)``; shapes broadcast [USD/year].

    Parameters
    ----------
    rate : r, cost of capital [1 per year]
    years : n, years it is written off over [years]
    upkeep_fraction : u, upkeep of a year over the price [1]

    >>> round(float(annual_usd(56.4e6, 0.08, 10.0)) / 1e6, 1)
    8.4
    """
    factor = capital_recovery_factor(years, rate) + _amount(upkeep_fraction, "upkeep_fraction")
    return np.asarray(_amount(capital_usd, "capital_usd") * factor)


def storage_annual_usd(
    power_w: npt.ArrayLike,
    energy_j: npt.ArrayLike,
    usd_per_w: npt.ArrayLike,
    usd_per_j: npt.ArrayLike,
    rate: npt.ArrayLike,
    years: npt.ArrayLike,
    store_life_years: npt.ArrayLike,
    upkeep_fraction: npt.ArrayLike = 0.0,
) -> Array:
    """A year's cost of storage whose store may wear out before its converter; shapes broadcast [USD/year].

    The converter is written off over ``years``, the store over its own life where that is shorter: it is bought again
    at the same price whenever it is worn out, for ever, so that a part of a life left over at the end counts in
    proportion. Other parameters as above.

    >>> once = storage_annual_usd(57.6e6, 2e9, 0.250, 350 / 3.6e6, 0.08, 10.0, 10.0)
    >>> worn = storage_annual_usd(57.6e6, 2e9, 0.250, 350 / 3.6e6, 0.08, 10.0, 0.05)
    >>> round(float(once) / 1e6, 2), round(float(worn) / 1e6, 2)
    (2.18, 6.2)
    """
    converter = capital_usd(power_w, 0.0, usd_per_w, 0.0)
    store = capital_usd(0.0, energy_j, 0.0, usd_per_j)
    life = np.minimum(as_array(years), as_array(store_life_years))
    of_store = annual_usd(store, rate, life, upkeep_fraction)
    return np.asarray(annual_usd(converter, rate, years, upkeep_fraction) + of_store)


def energy_usd_per_year(
    power_w: npt.ArrayLike, price_usd_per_kwh: npt.ArrayLike, uptime_fraction: npt.ArrayLike = 1.0
) -> Array:
    """A year's price of a mean power drawn while the job runs, ``8760 h u P p``; shapes broadcast [USD/year].

    >>> round(float(energy_usd_per_year(14.4e6, 0.060, 0.95)) / 1e6, 1)
    7.2
    """
    share = as_array(uptime_fraction)
    require((share >= 0) & (share <= 1), "uptime_fraction must lie within 0 and 1")
    energy_kwh = _amount(power_w, "power_w") / WATTS_PER_KILOWATT * HOURS_PER_YEAR * share
    return np.asarray(energy_kwh * _amount(price_usd_per_kwh, "price_usd_per_kwh"))


def break_even_usd_per_w(
    avoided_usd_per_year: npt.ArrayLike,
    power_w: npt.ArrayLike,
    rate: npt.ArrayLike,
    years: npt.ArrayLike,
    upkeep_fraction: npt.ArrayLike = 0.0,
) -> Array:
    """Price of storage, all of it over its converter's rating, at which it costs what it saves [USD/W].

    Parameters
    ----------
    avoided_usd_per_year : cost of a year that storage makes unnecessary, as the energy of a floor [USD/year]
    power_w : rating of the converter that does what it did [W]

    >>> round(float(break_even_usd_per_w(7.19e6, 57.6e6, 0.08, 10.0)) * 1e3)
    838
    """
    power = as_array(power_w)
    require((power > 0) & np.isfinite(power), "power_w must be finite and above 0")
    return np.asarray(
        _amount(avoided_usd_per_year, "avoided_usd_per_year") / annual_usd(power, rate, years, upkeep_fraction)
    )
