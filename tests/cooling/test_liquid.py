"""Liquid cooling: table 7.2 of the reference, limits, and what the loop does at single temperatures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from aiplan.planners.cooling.equipment import Outdoor
from aiplan.planners.cooling.liquid import liquid_loop, trim_cop
from aiplan.planners.cooling.plant import cool
from aiplan.planners.cooling.weather import Weather
from aiplan.planners.cooling.year import Year, year
from tests.cooling.systems import medians, shipped, zones

# Section 7.2 (derived): WE air, then PUE, WUE and compressor-free hours of 40 C dry, PUE and hours of 32 C dry, PUE and
# WUE of a 32 C tower.
TABLE = {
    "0A": (1.266, 1.114, 0.34, 6779, 1.244, 0, 1.144, 2.02),
    "0B": (1.138, 1.139, 0.30, 4682, 1.187, 2796, 1.087, 1.91),
    "1A": (1.188, 1.095, 0.32, 6461, 1.186, 1373, 1.102, 1.94),
    "2A": (1.171, 1.093, 0.31, 7455, 1.148, 3783, 1.098, 1.93),
    "3A": (1.148, 1.082, 0.31, 7807, 1.120, 4918, 1.089, 1.92),
    "3B": (1.139, 1.106, 0.31, 6412, 1.144, 4525, 1.087, 1.91),
    "4A": (1.143, 1.078, 0.31, 8351, 1.106, 6103, 1.088, 1.92),
    "4B": (1.143, 1.080, 0.30, 8042, 1.107, 6184, 1.088, 1.91),
    "5A": (1.140, 1.075, 0.31, 8436, 1.097, 6837, 1.087, 1.92),
    "5B": (1.143, 1.078, 0.30, 8204, 1.099, 7011, 1.088, 1.91),
    "6A": (1.138, 1.073, 0.31, 8655, 1.090, 7132, 1.086, 1.91),
    "7": (1.137, 1.071, 0.31, 8720, 1.079, 7860, 1.086, 1.91),
}
DRY40, DRY32, TOWER32 = "direct-to-chip-40c-dry", "direct-to-chip-32c-dry", "direct-to-chip-32c-tower"


@lru_cache(maxsize=64)
def of(shared_data: Path, name: str, zone: str) -> Year:
    return year(shipped(name).system, medians(name), zones(shared_data)[zone])


@pytest.mark.shared_data
@pytest.mark.parametrize("zone", TABLE)
def test_table(shared_data: Path, zone: str) -> None:
    we, pue40, wue40, free40, pue32, free32, pue_tower, wue_tower = TABLE[zone]
    assert float(of(shared_data, "hyperscale-water-side", zone).pue) == pytest.approx(we, abs=0.002)
    dry40, dry32, tower = (of(shared_data, name, zone) for name in (DRY40, DRY32, TOWER32))
    assert float(dry40.pue) == pytest.approx(pue40, abs=0.002)
    assert float(dry32.pue) == pytest.approx(pue32, abs=0.002)
    assert float(tower.pue) == pytest.approx(pue_tower, abs=0.002)
    assert float(dry40.wue) == pytest.approx(wue40, abs=0.01)
    assert float(tower.wue) == pytest.approx(wue_tower, abs=0.02)
    assert dry40.liquid_free_h is not None
    assert dry32.liquid_free_h is not None
    assert float(dry40.liquid_free_h) == free40
    assert float(dry32.liquid_free_h) == free32


@pytest.mark.shared_data
def test_lesson_of_the_table(shared_data: Path) -> None:
    """40 C dry costs 0.02 PUE against a 32 C tower in 3B, 0.05 in 0B, and cuts water about sixfold."""
    for zone, more in (("3B", 0.02), ("0B", 0.05)):
        assert float(of(shared_data, DRY40, zone).pue - of(shared_data, TOWER32, zone).pue) == pytest.approx(
            more, abs=0.005
        )
    for zone in TABLE:
        assert 5.5 < float(of(shared_data, TOWER32, zone).wue / of(shared_data, DRY40, zone).wue) < 7.0


def one(t: float, rh: float = 0.4) -> Weather:
    return Weather(np.array([t]), np.array([rh]), np.array([101_325.0]), np.array([8760.0]))


@pytest.mark.parametrize(("t", "share"), [(28.0, 0.0), (32.0, 0.5), (36.0, 1.0), (45.0, 1.0)])
def test_share_of_compressors_at_a_temperature(t: float, share: float) -> None:
    """40 - 4 - 8 = 28 C is free; 8 K more and compressors lift everything."""
    loop = liquid_loop("dry", medians(DRY40), Outdoor.of(one(t)))
    assert float(loop.compressor_share[0]) == pytest.approx(share, abs=1e-12)
    assert float(loop.power["chiller"][0]) == pytest.approx(0.85 * share / float(trim_cop(np.array(t))), abs=1e-12)


def test_fans_of_dry_coolers_follow_a_cube() -> None:
    for t, speed in ((-20.0, 16.0 / 64.0), (12.0, 0.5), (28.0, 1.0), (50.0, 1.0)):
        loop = liquid_loop("dry", medians(DRY40), Outdoor.of(one(t)))
        assert float(loop.power["dry_fans"][0]) == pytest.approx(0.85 * 0.02 * speed**3, rel=1e-12)


def test_trim_chillers() -> None:
    assert np.allclose(trim_cop(np.array([25.0, 35.0, 60.0, 0.0])), [5.5, 4.7, 3.0, 7.5], atol=1e-12)


def test_no_liquid_is_the_air_plant_and_all_liquid_has_none() -> None:
    p, weather = medians(DRY40), one(30.0)
    system = shipped(DRY40).system
    none = cool(system, p | {"liquid_fraction": 0.0}, weather)
    air = cool(shipped("hyperscale-water-side").system, p, weather)
    assert float(none.pue[0]) == pytest.approx(float(air.pue[0]), abs=1e-12)
    assert float(none.wue[0]) == pytest.approx(float(air.wue[0]), abs=1e-12)
    whole = cool(shipped("immersion").system, medians("immersion"), weather)
    assert float(whole.power["fans"].ravel()[0]) == 0.0
    assert float(whole.wue[0]) == 0.0


def test_hybrid_lies_between() -> None:
    weather = one(22.0)
    found = [float(cool(shipped(name).system, medians(name), weather).pue[0])
             for name in ("immersion", DRY40, "hybrid-75-25")]  # fmt: skip
    assert found == sorted(found)
    assert medians("hybrid-75-25")["liquid_fraction"] == 0.75


def test_warmer_liquid_never_costs_more() -> None:
    weather = Weather(np.linspace(-10, 45, 40), np.full(40, 0.4), np.full(40, 1e5), np.full(40, 219.0))
    for name in (DRY40, TOWER32):
        p, system = medians(name), shipped(name).system
        pues = [float(year(system, p | {"loop_supply_c": t}, weather).pue) for t in (25.0, 30.0, 35.0, 40.0, 45.0)]
        assert np.all(np.diff(pues) <= 1e-12)
