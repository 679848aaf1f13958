"""Outdoor air of many warmer climates at once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.equipment import Outdoor
from aiplan.planners.cooling.weather import Weather

NODE_KELVIN = 0.5
"""Step of the warmings at which wet bulbs are computed; a cubic between them is right to 1e-6 K."""


class Warmer:
    """The outdoor air of weather that warms by many amounts.

    Parameters
    ----------
    weather : shape (n,)
    warming_kelvin : all amounts that will be asked for, shape (k,) [K]
    dew_point_share : how far dew points go along, at most up to the dry bulb [1]

    At each point of the weather the wet bulb is a smooth function of the warming alone, so that it is computed at a few
    warmings and interpolated: k draws cost little more than a handful. Nodes are multiples of `NODE_KELVIN`: but for
    rounding a draw does not depend on which others are asked for with it.
    """

    def __init__(self, weather: Weather, warming_kelvin: npt.ArrayLike, dew_point_share: float) -> None:
        self._weather = weather
        self._share = dew_point_share
        place = np.floor(as_array(warming_kelvin) / NODE_KELVIN)
        self._nodes = np.arange(place.min() - 1.0, place.max() + 3.0)

    def at(self, warming_kelvin: npt.ArrayLike) -> Outdoor:
        """The outdoor air at some of the amounts, shape (k, 1), or at a single one."""
        warming = as_array(warming_kelvin)
        t, p = self._weather.drybulb_c + warming, self._weather.pressure_pa

        def moisture() -> Array:
            vapour = air.saturation_pressure_pa(np.minimum(self._weather.dewpoint_c + self._share * warming, t))
            return air.WATER_TO_AIR * vapour / (p - vapour)

        # Where the dew point stops at the dry bulb, so does the wet bulb.
        return Outdoor(t, p, moisture, lambda: np.minimum(self._interpolated(warming).reshape(t.shape), t))

    def _interpolated(self, warming: Array) -> Array:
        """Lagrange's cubic through the four nodes around each warming, shape (k, n)."""
        at = warming.reshape(-1, 1) / NODE_KELVIN
        place = np.floor(at)
        row = (place[:, 0] - self._nodes[0]).astype(np.int64)
        f = at - place
        up, down, far = f + 1.0, f - 1.0, f - 2.0
        weights = (-f * down * far / 6.0, up * down * far / 2.0, -up * f * far / 2.0, up * f * down / 6.0)
        wet = weights[0] * self._wet[row - 1]
        for step in (1, 2, 3):
            wet += weights[step] * self._wet[row - 1 + step]
        return as_array(wet)

    @cached_property
    def _wet(self) -> Array:
        """Wet bulb at the nodes, of air that may hold more water than it can: what it can is cut off later."""
        warming = NODE_KELVIN * self._nodes[:, None]
        t, p = self._weather.drybulb_c + warming, self._weather.pressure_pa
        dew = self._weather.dewpoint_c + self._share * warming
        vapour = air.saturation_pressure_pa(dew, air.WET_BULB_SATURATION_PA)
        return air.saturated_c(air.enthalpy_kj_per_kg(t, air.WATER_TO_AIR * vapour / (p - vapour)), p)
