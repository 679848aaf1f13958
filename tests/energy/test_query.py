"""Energy per query at each boundary: closed forms, published constants, invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.planners.energy.query import (
    BOUNDARIES,
    BoundaryEnergies,
    boundary_energies,
    effective_output_tokens,
    idle_node_seconds,
    node_seconds_at_rate,
)
from aiplan.planners.serving.server import (
    ServerPower,
    component_power,
    fraction_power,
    idle_power_w,
    load_coupled_power_fraction,
)

seconds = st.floats(1e-3, 1e4)
watts = st.floats(10, 1e5)
fractions = st.floats(0.05, 1.0)
shares = st.floats(0.125, 1.0)
utilisations = st.floats(0.05, 1.0)
pues = st.floats(1.0, 2.0)


def test_mean_energy_of_nemotron_ultra_in_closed_form() -> None:
    # E[E] = P E[PU] E[PUE] E[L] / (3.6 TPS), TPS constant at 5200 (authors' table): 0.1906 Wh.
    seconds_per_query = node_seconds_at_rate(300 / np.log(2), 5200)
    power = fraction_power(10_200, 0.6185, host_w=1_600)
    energy_wh = boundary_energies(seconds_per_query, power, pue=1.3068).at("facility")
    assert float(energy_wh) == pytest.approx(0.1906, rel=0.005)


def test_mean_energy_of_deepseek_r1_in_closed_form() -> None:
    # Same with a 12.8 kW node and R1 at its cap of 1300 tokens/s for almost all draws: 0.957 Wh.
    power = fraction_power(12_800, 0.6185, host_w=1_600)
    energies = boundary_energies(node_seconds_at_rate(300 / np.log(2), 1300), power, pue=1.3068)
    assert float(energies.facility_wh) == pytest.approx(0.957, rel=0.005)


def test_mean_of_draws_matches_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    n = 200_000
    power_fraction = np.exp(np.log(0.6) + 0.2465 * rng.standard_normal(n))
    pue = np.exp(np.log(1.2961) + 0.1280 * rng.standard_normal(n))
    tokens = rng.exponential(300 / np.log(2), n)
    energies = boundary_energies(
        node_seconds_at_rate(tokens, 5200), fraction_power(10_200, power_fraction, 1_600), pue=pue
    )
    assert float(energies.facility_wh.mean()) == pytest.approx(0.1906, rel=0.01)


def test_epoch_gpt_4o_estimate() -> None:
    # 500 tokens x 2 x 100e9 FLOP at 10 % of 989 TFLOP/s; 10.2 kW per 8 GPUs at 70 %; PUE 1.2.
    # Printed: 0.301 Wh.
    gpu_seconds = 500 * 2 * 100e9 / (0.10 * 989e12)
    power = fraction_power(10_200, 0.7, host_w=1_600, share=1 / 8)
    energy_wh = boundary_energies(gpu_seconds, power, utilisation=1.0, pue=1.2).facility_wh
    assert float(energy_wh) == pytest.approx(0.301, abs=0.0005)


def test_measured_row_to_facility() -> None:
    # ML.ENERGY v3, Qwen3-235B FP8 on 8xH100: 0.1815 Wh at 3,961 W; host 1.6 kW, idle 10 %, PUE 1.2: 0.34 Wh.
    node_seconds = 0.1815 * 3600 / 3961
    server_w = 3961 + 1600
    idle_w = 0.10 * server_w  # at u = 0.5 idle seconds equal busy seconds, so idle is 10 % of active energy
    power = ServerPower(np.asarray(3961.0), np.asarray(float(server_w)), np.asarray(idle_w))
    energies = boundary_energies(node_seconds, power, utilisation=0.5, pue=1.2)
    assert float(energies.accelerator_wh) == pytest.approx(0.1815)
    assert float(energies.facility_wh) == pytest.approx(0.34, rel=0.02)
    assert float(energies.factors()["idle"]) == pytest.approx(1.10)


def test_google_split_sums_to_the_total() -> None:
    # arXiv:2508.15734: accelerator 0.14 + host 0.06 + idle 0.02 + overhead 0.02 = 0.24 Wh.
    energies = BoundaryEnergies(*np.cumsum([0.14, 0.06, 0.02, 0.02]))
    assert float(energies.at("facility")) == pytest.approx(0.24, abs=1e-12)
    factors = energies.factors()
    assert float(factors["host"]) == pytest.approx(1.43, abs=0.005)
    assert float(factors["idle"]) == pytest.approx(1.10, abs=0.005)
    assert float(factors["pue"]) == pytest.approx(1.09, abs=0.005)
    assert float(np.prod(list(factors.values()))) == pytest.approx(1.71, abs=0.005)


def test_load_coupled_power_uses_0_56_and_not_the_commented_0_66() -> None:
    fractions_of_rating = load_coupled_power_fraction([0.0, 650.0, 1300.0, 2600.0], 1300.0)
    assert fractions_of_rating == pytest.approx([0.24, 0.52, 0.80, 0.80])


def test_idle_power_is_the_zero_load_term() -> None:
    assert float(idle_power_w(10_200)) == pytest.approx(10_200 * float(load_coupled_power_fraction(0, 1)))
    assert float(idle_power_w(10_200, share=0.25)) == pytest.approx(612.0)


def test_input_tokens_count_a_thirtieth() -> None:
    assert effective_output_tokens(300, [500, 1000, 5000]) == pytest.approx([316.667, 333.333, 466.667], rel=1e-5)


def test_fraction_mode_splits_off_the_host() -> None:
    power = fraction_power(10_200, 0.60, host_w=1_600, share=0.5, idle_fraction=0.2)
    assert float(power.server_w) == pytest.approx(3_060)
    assert float(power.accelerator_w) == pytest.approx(2_260)
    assert float(power.idle_w) == pytest.approx(1_020)


def test_fraction_mode_never_makes_accelerators_negative() -> None:
    power = fraction_power(10_200, [0.1, 0.6], host_w=1_600)
    assert power.accelerator_w == pytest.approx([0.0, 4_520.0])
    assert power.server_w == pytest.approx([1_020.0, 6_120.0])
    factors = boundary_energies(1.0, power).factors()
    assert np.isnan(factors["host"][0])
    assert factors["host"][1] == pytest.approx(6120 / 4520)


def test_component_mode_adds_the_host_share() -> None:
    # 0.60 x 10.2 kW minus 8 x 700 W x 0.70 leaves the 2.2 kW host that ties the two modes.
    component = component_power(8, 700, 0.70, host_w=2_200, rated_w=10_200)
    fraction = fraction_power(10_200, 0.60, host_w=2_200)
    assert float(component.accelerator_w) == pytest.approx(3_920)
    assert float(component.server_w) == pytest.approx(float(fraction.server_w))
    assert float(component.idle_w) == pytest.approx(float(fraction.idle_w))


def test_at_names_every_boundary_and_no_other() -> None:
    energies = BoundaryEnergies(*np.array([1.0, 2.0, 3.0, 4.0]))
    assert [float(energies.at(name)) for name in BOUNDARIES] == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="unknown boundary 'gpu'"):
        energies.at("gpu")


def test_shapes_broadcast_to_one() -> None:
    power = component_power(8, 700, np.full((3, 1), 0.7), 1_600, 10_200)
    energies = boundary_energies(np.ones(5), power, utilisation=0.5, pue=1.2)
    assert {energies.at(name).shape for name in BOUNDARIES} == {(3, 5)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"node_seconds": -1.0}, "node_seconds"),
        ({"utilisation": 0.0}, "utilisation"),
        ({"utilisation": 1.01}, "utilisation"),
        ({"pue": 0.0}, "pue"),
        ({"pue": np.array([1.2, np.nan])}, "pue"),
    ],
)
def test_impossible_inputs_are_refused(arguments: dict[str, float], message: str) -> None:
    power = fraction_power(10_200, 0.6, 1_600)
    with pytest.raises(ValueError, match=message):
        boundary_energies(**{"node_seconds": 1.0, "power": power, **arguments})  # type: ignore[arg-type]


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="tokens_per_s"):
        node_seconds_at_rate(300, 0)
    with pytest.raises(ValueError, match="cap"):
        load_coupled_power_fraction(1, 0)


@given(seconds, watts, fractions, shares)
def test_full_use_and_pue_one_leave_the_server(s: float, rated_w: float, fraction: float, share: float) -> None:
    energies = boundary_energies(s, fraction_power(rated_w, fraction, 0.0, share), utilisation=1.0, pue=1.0)
    assert float(energies.facility_wh) == float(energies.server_idle_wh) == float(energies.server_wh)
    assert float(energies.server_wh) == float(energies.accelerator_wh)


@given(seconds, utilisations, pues)
def test_boundaries_are_ordered(s: float, utilisation: float, pue: float) -> None:
    energies = boundary_energies(s, component_power(8, 700, 0.7, 1_600, 10_200), utilisation, pue)
    values = [float(energies.at(name)) for name in BOUNDARIES]
    assert values == sorted(values)


@given(seconds, st.floats(1.01, 10), utilisations, pues)
def test_energy_rises_strictly_with_time(s: float, longer: float, utilisation: float, pue: float) -> None:
    power = component_power(8, 700, 0.7, 1_600, 10_200)
    energies = boundary_energies([s, s * longer], power, utilisation, pue)
    for name in BOUNDARIES:
        assert energies.at(name)[1] > energies.at(name)[0]


@given(seconds, watts, fractions, utilisations, pues, st.floats(0.1, 10))
def test_energy_is_homogeneous_in_time_and_in_watts(
    s: float, rated_w: float, fraction: float, utilisation: float, pue: float, k: float
) -> None:
    def facility(time_s: float, scale: float) -> float:
        power = fraction_power(rated_w * scale, fraction, 100 * scale)
        return float(boundary_energies(time_s, power, utilisation, pue).facility_wh)

    assert facility(s * k, 1.0) == pytest.approx(k * facility(s, 1.0))
    assert facility(s, k) == pytest.approx(k * facility(s, 1.0))


@given(seconds, st.floats(0.05, 0.94), pues)
def test_a_busier_server_wastes_less(s: float, utilisation: float, pue: float) -> None:
    power = component_power(8, 700, 0.7, 1_600, 10_200)
    low, high = boundary_energies(s, power, [utilisation, utilisation + 0.05], pue).facility_wh
    assert high < low


@given(seconds, utilisations)
def test_busy_and_idle_time_make_up_the_provisioned_time(s: float, utilisation: float) -> None:
    idle_s = float(idle_node_seconds(s, utilisation))
    assert s / (s + idle_s) == pytest.approx(utilisation)
