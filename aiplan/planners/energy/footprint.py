"""Water and carbon of a query, from its facility energy and its node-seconds.

Two kinds of water and two kinds of carbon are kept apart on purpose. On-site water is evaporated by the
cooling plant, off-site water by the power stations; both are consumption, and must never be added to
withdrawal figures. Operational carbon may be counted by location or by market; embodied carbon does not
depend on energy at all. All functions broadcast NumPy arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

GRAMS_PER_KG = 1000.0
WH_PER_KWH = 1000.0


def water_onsite_ml(energy_facility_wh: npt.ArrayLike, pue: npt.ArrayLike, wue_site_l_per_kwh: npt.ArrayLike) -> Array:
    """Water consumed by the site's cooling plant per query [mL].

    ``W_on = E_facility / PUE * WUE_site``   (Wh x L/kWh = mL)

    Parameters
    ----------
    energy_facility_wh : facility energy, PUE included [Wh]
    pue : the PUE inside that energy; ``ValueError`` where it is not positive
    wue_site_l_per_kwh : water usage effectiveness of the site, per kWh of *IT* energy [L/kWh], as ISO/IEC
        30134-9 defines it; dividing by PUE first keeps PUE from being counted twice

    Source: definition of WUE. Valid for annual means: WUE swings with wet-bulb temperature over hours.

    The median Gemini prompt (arXiv:2508.15734, PUE and WUE second-hand), printed there as 0.26 mL:

    >>> round(float(water_onsite_ml(0.24, 1.09, 1.15)), 3)
    0.253
    """
    site_pue = as_array(pue)
    require(site_pue > 0, "pue must be above 0")
    return np.asarray(as_array(energy_facility_wh) / site_pue * as_array(wue_site_l_per_kwh), dtype=np.float64)


def water_offsite_ml(energy_facility_wh: npt.ArrayLike, wue_grid_l_per_kwh: npt.ArrayLike) -> Array:
    """Water consumed where the electricity is generated, per query [mL].

    ``W_off = E_facility * WUE_grid``

    Parameters
    ----------
    energy_facility_wh : facility energy [Wh]: power stations also serve the overhead, so PUE stays in
    wue_grid_l_per_kwh : consumption factor of the grid [L/kWh]; a withdrawal factor is another quantity

    Source: definition; factors such as 3.13 L/kWh for the USA come from the EcoLogits 0.9.1 data. Reservoir
    evaporation dominates hydropower grids and is allocated differently by every data set: report it
    separately.

    >>> round(float(water_offsite_ml(0.24, 3.13)), 3)
    0.751
    """
    return np.asarray(as_array(energy_facility_wh) * as_array(wue_grid_l_per_kwh), dtype=np.float64)


def carbon_operational_g(energy_facility_wh: npt.ArrayLike, carbon_intensity_g_per_kwh: npt.ArrayLike) -> Array:
    """Greenhouse gas of generating a query's electricity [g CO2e].

    ``C_op = E_facility / 1000 * CI``

    Parameters
    ----------
    energy_facility_wh : facility energy [Wh]
    carbon_intensity_g_per_kwh : with the grid's mean this is the location-based figure, with the intensity
        left after the operator's contracts the market-based one [g/kWh]; call it once for each and name both

    Source: GHG Protocol, Scope 2 guidance. An annual mean hides the hours; it is no marginal effect.

    The median Gemini prompt, market-based (94 g/kWh, second-hand) and location-based (345 g/kWh,
    second-hand):

    >>> [round(float(carbon_operational_g(0.24, intensity)), 4) for intensity in (94, 345)]
    [0.0226, 0.0828]
    """
    energy_kwh = as_array(energy_facility_wh) / WH_PER_KWH
    return np.asarray(energy_kwh * as_array(carbon_intensity_g_per_kwh), dtype=np.float64)


def carbon_embodied_g(
    node_seconds: npt.ArrayLike,
    lifetime_s: npt.ArrayLike,
    utilisation: npt.ArrayLike,
    host_kg: npt.ArrayLike,
    accelerator_kg: npt.ArrayLike,
    accelerator_count: npt.ArrayLike,
    building_kg: npt.ArrayLike = 0.0,
    building_lifetime_s: npt.ArrayLike | None = None,
) -> Array:
    """Manufacturing emissions of the hardware, shared out over the work it does in its life [g CO2e].

    ``C_emb = S / u * [(m_host + n m_accelerator) / T + m_building / T_building] * 1000``

    Parameters
    ----------
    node_seconds : S, busy seconds of the server per query [s]; for a group smaller than the server pass the
        group's share of ``host_kg`` and ``building_kg``
    lifetime_s, utilisation : service life of the server [s] and busy share of it, in (0, 1]
    host_kg, accelerator_kg, accelerator_count : emissions of the server without accelerators and of one
        accelerator [kg CO2e], and their number
    building_kg, building_lifetime_s : emissions of the building per server [kg CO2e] and its life [s], which
        is the server's when not given

    Raises ``ValueError`` for a lifetime that is not positive or a utilisation outside (0, 1].

    Source: straight-line allocation over busy time as in EcoLogits 0.9.1, plus the utilisation it leaves out.
    Nothing is left for a second life. EcoLogits' 5,700 kg server with eight 164 kg H100 over 3 years at 60 %:

    >>> three_years_s = 3 * 365 * 86_400
    >>> round(float(carbon_embodied_g(1.0, three_years_s, 0.6, 5_700, 164, 8)), 4)
    0.1235
    """
    life, busy = as_array(lifetime_s), as_array(utilisation)
    building_life = life if building_lifetime_s is None else as_array(building_lifetime_s)
    require((life > 0) & (building_life > 0), "lifetimes must be above 0")
    require((busy > 0) & (busy <= 1), "utilisation must be above 0 and at most 1")
    server_kg = as_array(host_kg) + as_array(accelerator_count) * as_array(accelerator_kg)
    kg_per_s = server_kg / life + as_array(building_kg) / building_life
    return np.asarray(as_array(node_seconds) / busy * kg_per_s * GRAMS_PER_KG, dtype=np.float64)
