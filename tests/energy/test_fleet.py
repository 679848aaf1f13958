"""Fleet roll-up against the paper's scripts and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.energy.fleet import (
    average_power_mw,
    fleet_gwh_per_day,
    improved_energy_wh,
    mixed_fleet_gwh_per_day,
    node_count,
    overhead_factor,
    searches_gwh,
    site_gwh,
)
from tests.energy.oviedo_draws import lognormal, untrimmed_blend

BILLION = 1e9
positive = st.floats(1e-3, 1e3)


def improved(regime: str, p95: float) -> np.ndarray:
    blend = untrimmed_blend(regime)
    return improved_energy_wh(blend, lognormal(np.random.default_rng(21), 1.5, p95, blend.size))


def test_overhead_factor() -> None:
    assert float(overhead_factor()) == pytest.approx(1.3256, abs=5e-5)
    assert float(overhead_factor(1, 1, 1)) == 1.0


def test_base_and_mixed_fleet() -> None:
    # Authors' scripts: 0.731 and 1.711 GWh/day (abstract: 0.7 and 1.7); long only 10.53.
    short, long = untrimmed_blend("short"), untrimmed_blend("long")
    factor = overhead_factor()
    assert float(fleet_gwh_per_day(short, BILLION, factor)) == pytest.approx(0.731, rel=0.02)
    assert float(fleet_gwh_per_day(long, BILLION, factor)) == pytest.approx(10.53, rel=0.02)
    assert float(mixed_fleet_gwh_per_day(short, long, BILLION, 0.1, factor)) == pytest.approx(1.711, rel=0.02)


def test_improved_fleet_uses_one_multiplier() -> None:
    # Authors' scripts: 0.327 short only, 5.05 long only, 0.800 mixed (abstract: 0.8).
    short, long, factor = improved("short", 3.5), improved("long", 3.0), overhead_factor()
    assert float(fleet_gwh_per_day(short, BILLION, factor)) == pytest.approx(0.327, rel=0.02)
    assert float(fleet_gwh_per_day(long, BILLION, factor)) == pytest.approx(5.05, rel=0.02)
    mixed = float(mixed_fleet_gwh_per_day(short, long, BILLION, 0.1, factor))
    assert mixed == pytest.approx(0.800, rel=0.02)
    assert 1.711 / mixed == pytest.approx(2.14, abs=0.05)  # a gain of 2.1, not 8-20


def test_average_power_of_the_base_fleet() -> None:
    assert float(average_power_mw(0.731)) == pytest.approx(30.5, rel=0.005)


def test_lines_to_compare_with() -> None:
    assert float(searches_gwh()) == pytest.approx(0.3, rel=1e-12)
    assert float(site_gwh()) == pytest.approx(0.576, rel=1e-12)
    assert float(average_power_mw(site_gwh())) == pytest.approx(30 * 0.8)


def test_gwh_per_billion_queries_is_the_mean_wh() -> None:
    draws = np.array([0.1, 0.2, 0.9])
    assert float(fleet_gwh_per_day(draws, BILLION)) == pytest.approx(0.4)
    per_row = fleet_gwh_per_day(np.stack([draws, 2 * draws]), BILLION)
    assert per_row == pytest.approx([0.4, 0.8])


def test_nodes_tie_energy_to_power() -> None:
    # N nodes at utilisation u deliver N u P watts on average: the same as S q P / 86400.
    node_seconds, queries, busy, power_w = 0.2, 1e9, 0.6, 6_120
    nodes = float(node_count(node_seconds, queries, busy))
    assert nodes == pytest.approx(3_858.02, rel=1e-5)
    energy_wh = node_seconds * power_w / 3600
    assert float(average_power_mw(fleet_gwh_per_day(energy_wh, queries))) == pytest.approx(nodes * busy * power_w / 1e6)


def test_nodes_of_classes_add_up() -> None:
    together = float(node_count([0.2, 3.0], [9e8, 1e8], 0.5))
    assert together == pytest.approx(float(node_count(0.2, 9e8, 0.5)) + float(node_count(3.0, 1e8, 0.5)))


def test_impossible_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="long_share"):
        mixed_fleet_gwh_per_day(0.3, 3, BILLION, 1.2)
    with pytest.raises(ValueError, match="utilisation"):
        node_count(1, 1, 0)
    with pytest.raises(ValueError, match="multiplier"):
        improved_energy_wh([1.0, 2.0], [1.0, 0.0])


@given(positive, positive, st.floats(0, 1))
def test_a_mixture_lies_between_its_parts(short: float, long: float, share: float) -> None:
    mixed = float(mixed_fleet_gwh_per_day(short, long, BILLION, share))
    assert min(short, long) * (1 - 1e-12) <= mixed <= max(short, long) * (1 + 1e-12)
    assert float(mixed_fleet_gwh_per_day(short, long, BILLION, 0)) == pytest.approx(short)
    assert float(mixed_fleet_gwh_per_day(short, long, BILLION, 1)) == pytest.approx(long)


@given(positive, st.floats(1e3, 1e10), st.floats(0.1, 10))
def test_homogeneity(energy: float, queries: float, k: float) -> None:
    once = float(fleet_gwh_per_day(energy, queries))
    assert float(fleet_gwh_per_day(k * energy, queries)) == pytest.approx(k * once)
    assert float(fleet_gwh_per_day(energy, k * queries)) == pytest.approx(k * once)
    assert float(node_count(energy, k * queries, 0.5)) == pytest.approx(k * float(node_count(energy, queries, 0.5)))
