"""Prices of electricity that differ by hour, and demand charges, as prices of the energy used.

The demand charge follows the peak, not the energy (sites-and-grids.md, section 6; lifecycle-tco.md, 4.4 and 5.7). A
year has 8,760 hours and 12 months.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

HOURS_PER_MONTH = 8760.0 / 12.0


def _not_negative(value: npt.ArrayLike, what: str) -> Array:
    numbers = as_array(value)
    require(np.isfinite(numbers) & (numbers >= 0), f"{what} must be finite and not negative")
    return numbers


def load_weighted_price(hourly_price_usd_per_kwh: npt.ArrayLike, load_kw: npt.ArrayLike) -> Array:
    """Flat price that costs a load as much as the hourly ones, ``sum p_h L_h / sum L_h`` [USD/kWh].

    Both ``[..., H]``, any number of hours and any scale of the load: only its shape counts. It holds for another load
    of the same shape. A load of nothing has no mean price and is refused.

    >>> round(float(load_weighted_price([0.02, 0.10], [3.0, 1.0])), 3)
    0.04
    """
    load, price = _not_negative(load_kw, "loads"), as_array(hourly_price_usd_per_kwh)
    require(np.isfinite(price), "energy prices must be finite")
    require(price.ndim >= 1 and load.ndim >= 1 and price.shape[-1] == load.shape[-1], "one price for each hour of load")
    total = load.sum(axis=-1)
    require(total > 0, "a load of nothing has no mean price")
    return np.asarray((price * load).sum(axis=-1) / total)


def demand_usd_per_mwh(price_usd_per_kw_month: npt.ArrayLike, load_factor: npt.ArrayLike) -> Array:
    """Demand charge per unit of energy at a load factor (mean over peak), ``1000 d / (730 L)`` [USD/MWh].

    >>> round(float(demand_usd_per_mwh(14.57, 0.80)), 1)
    24.9
    """
    share = as_array(load_factor)
    require((share > 0) & (share <= 1), "a load factor lies above 0 and at most at 1")
    price = _not_negative(price_usd_per_kw_month, "demand charges")
    return np.asarray(price * 1000.0 / (HOURS_PER_MONTH * share))
