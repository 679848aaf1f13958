"""Water of a site: towers and humidifiers."""

from __future__ import annotations

from typing import Literal

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.cooling import psychrometrics as air
from aiplan.planners.cooling.equipment import Tower, Values

Convention = Literal["drift-concentrated", "drift-in-blowdown"]
CONVENTIONS: dict[str, str] = {
    "drift-concentrated": "make-up = (evaporation + drift) coc / (coc - 1)",
    "drift-in-blowdown": "make-up = evaporation + max(drift, evaporation / (coc - 1))",
}
"""How blow-down is counted (section 6.5, derived): drift is added to what must be flushed, or is part of it."""
TOWER_WATER_C = 25.0
"""Temperature at which the latent heat of evaporation is taken."""
SECONDS_PER_HOUR = 3600.0


def tower_water(p: Values, at: Tower, convention: Convention = "drift-concentrated") -> dict[str, Array]:
    """Water of a tower by what becomes of it [L per kWh of IT]: ``evaporation``, ``blowdown``, ``drift``.

    Evaporation is the latent share of the heat rejected over the latent heat at 25 deg C, drift a share of the water
    through the tower. Blow-down is what keeps solids at ``coc`` times those of the make-up. Source: section 6.5 of the
    project's notes (derived; the 85 % latent share is assumed, the published water equations were not recovered).

    Parameters
    ----------
    p : ``latent_fraction``, ``windage_fraction``, ``concentration_ratio``
    at : the tower at work
    convention : see `CONVENTIONS`
    """
    latent = float(air.latent_heat_kj_per_kg(TOWER_WATER_C))
    evaporation = SECONDS_PER_HOUR / latent * as_array(p["latent_fraction"]) * at.rejected
    drift = SECONDS_PER_HOUR * as_array(p["windage_fraction"]) * at.flow
    flushed = 1.0 / (as_array(p["concentration_ratio"]) - 1.0)
    if convention == "drift-concentrated":
        blowdown = (evaporation + drift) * flushed
    else:
        blowdown = np.maximum(evaporation * flushed - drift, 0.0)
    return {"evaporation": evaporation, "blowdown": blowdown, "drift": drift}
