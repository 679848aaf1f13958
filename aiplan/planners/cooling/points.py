"""The point tests that the authors of the hyperscale models published: parameters and the PUE they give.

Lei and Masanet, Energy 201 (2020) 117556, tests of their code (section 6.3 of the project's notes), at 20 deg C, 40 %
and 101,325 Pa; the sea at 20 deg C. Numbers that take no part there are neutral.
"""

from __future__ import annotations

import numpy as np

from aiplan.planners.cooling.air_plant import Design
from aiplan.planners.cooling.plant import System
from aiplan.planners.cooling.weather import Weather

POINT = Weather(np.array([20.0]), np.array([0.4]), np.array([101_325.0]), np.array([8760.0]))
"""Outdoor air of the tests."""

_COMMON = {
    "standing_fraction": 0.0,
    "fan_least_fraction": 0.4,
    "condensate_reuse_fraction": 0.0,
    "sensible_fraction": 1.0,
    "latent_fraction": 0.85,
    "windage_fraction": 0.0025,
    "concentration_ratio": 9.0,
}
_ELECTRICAL = {
    "ups_efficiency_fraction": 0.980302734,
    "distribution_loss_fraction": 0.00560546875,
    "lighting_fraction": 0.00181445313,
}

PUBLISHED: dict[str, tuple[System, dict[str, float], float]] = {
    "AE": (
        System(Design("tower", "air", published_rule=True)),
        _COMMON
        | _ELECTRICAL
        | {
            "supply_low_c": 10.3671875,
            "supply_high_c": 34.1953125,
            "dew_point_low_c": -10.4970703,
            "dew_point_high_c": 15.8320312,
            "rh_low_fraction": 0.0901953125,
            "rh_high_fraction": 0.676464844,
            "air_rise_kelvin": 14.7840712,
            "water_rise_kelvin": 6.91894531,
            "tower_range_kelvin": 4.28710938,
            "fan_pressure_pa": 685.058594,
            "fan_efficiency_fraction": 0.829931641,
            "tower_fan_pressure_pa": 203.417969,
            "tower_fan_efficiency_fraction": 0.897802734,
            "humidifier_pressure_pa": 7315820.31,
            "humidifier_efficiency_fraction": 0.704492187,
            "chilled_pump_pressure_pa": 146519.937,
            "chilled_pump_efficiency_fraction": 0.790039062,
            "tower_pump_pressure_pa": 212001.820,
            "tower_pump_efficiency_fraction": 0.716601562,
            "tower_approach_kelvin": 6.33818359,
            "exchanger_effectiveness_fraction": 0.8,
            "chiller_load_fraction": 0.224023438,
            "cop_error_fraction": 0.105488281,
            "liquid_to_gas_ratio": 1.11914062,
        },
        1.0746922970,
    ),
    "WE": (
        System(Design("tower", "water")),
        _COMMON
        | _ELECTRICAL
        | {
            "supply_c": 27.3671875,
            "air_rise_kelvin": 18.8856337,
            "water_rise_kelvin": 7.50488281,
            "tower_range_kelvin": 4.13867188,
            "fan_pressure_pa": 416.992188,
            "fan_efficiency_fraction": 0.713720703,
            "tower_fan_pressure_pa": 148.339844,
            "tower_fan_efficiency_fraction": 0.745947266,
            "humidifier_pressure_pa": 6500976.56,
            "humidifier_efficiency_fraction": 0.674023438,
            "economiser_pump_pressure_pa": 156284.191,
            "economiser_pump_efficiency_fraction": 0.668945312,
            "chilled_pump_pressure_pa": 171884.552,
            "chilled_pump_efficiency_fraction": 0.745117188,
            "tower_pump_pressure_pa": 210534.680,
            "tower_pump_efficiency_fraction": 0.709960938,
            "tower_approach_kelvin": 6.50576172,
            "exchanger_approach_kelvin": 2.29404297,
            "exchanger_effectiveness_fraction": 0.816601563,
            "sensible_fraction": 0.986289063,
            "chiller_load_fraction": 0.224023438,
            "cop_error_fraction": 0.105488281,
            "liquid_to_gas_ratio": 1.11914062,
        },
        1.0887168185,
    ),
    "SE": (
        System(Design("sea", "water")),
        _COMMON
        | {
            "ups_efficiency_fraction": 0.975556641,
            "distribution_loss_fraction": 0.0135351562,
            "lighting_fraction": 0.000560546875,
            "supply_c": 34.2578125,
            "sea_c": 20.0,
            "air_rise_kelvin": 14.1438802,
            "water_rise_kelvin": 9.49707031,
            "sea_rise_kelvin": 7.50488281,
            "fan_pressure_pa": 413.867188,
            "fan_efficiency_fraction": 0.671240234,
            "humidifier_pressure_pa": 6656835.94,
            "humidifier_efficiency_fraction": 0.632226562,
            "economiser_pump_pressure_pa": 136980.148,
            "economiser_pump_efficiency_fraction": 0.628710937,
            "chilled_pump_pressure_pa": 136194.518,
            "chilled_pump_efficiency_fraction": 0.743945313,
            "sea_pump_pressure_pa": 699398.438,
            "sea_pump_efficiency_fraction": 0.798242188,
            "exchanger_approach_kelvin": 2.49814453,
            "exchanger_effectiveness_fraction": 0.804492187,
            "sensible_fraction": 0.971992187,
            "chiller_load_fraction": 0.770117188,
            "cop_error_fraction": 0.00880859375,
        },
        1.1140761465,
    ),
}
"""System, parameters and published PUE of the air-side, water-side and sea-water plant."""
