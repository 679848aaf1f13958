"""Emergencies: the worked case, three policies, deadlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.emergency import (
    COOLING,
    POWER,
    Controls,
    Event,
    Outcome,
    Shortage,
    shed_share,
    shortage,
)
from aiplan.planners.thermal.emergency_reroute import emergency
from aiplan.planners.thermal.hall import Hall, Vms, equal_hall
from aiplan.planners.thermal.model import server_power_w
from tests.thermal.placing import random_hall

FIVE_AND_A_HALF_KW = 3900 / 4900
UPS = Event(POWER)
"""A lost UPS or feed, by the defaults of `Event`."""
AIR = Event(COOLING, factor=0.90, deadline_s=60.0)
"""A lost air handler."""


def two_rows(quiet: float = 0.2) -> tuple[Hall, Vms, np.ndarray]:
    """The row of section 8, 40 servers of 5.5 kW in a budget of 260 kW, half SaaS; and a quieter one beside it."""
    hall = equal_hall(2, 40, 2, 260e3, 840.0)
    saas = np.arange(80) % 2 == 0
    load = np.full(80, FIVE_AND_A_HALF_KW)
    load[40:] = quiet
    high = np.full((80, 24), FIVE_AND_A_HALF_KW)
    return hall, Vms(tuple(map(str, range(80))), saas, np.where(saas, 0, -1), high, high), np.tile(load, (10, 1))


def run(hall: Hall, vms: Vms, load: np.ndarray, **event: object) -> tuple[Shortage, tuple[Outcome, Outcome, Outcome]]:
    struck = replace(UPS, where=np.array([True, False]), **event)  # type: ignore[arg-type]
    return emergency(hall, vms, np.arange(vms.count), load, 60.0, struck)


def test_the_worked_case() -> None:
    # Check 9 of the reference: 25 kW, 32.1 % of SaaS, 16.0 % of all.
    hall, vms, load = two_rows()
    short, (uniform, saas, _) = run(hall, vms, load)
    assert short.needed[0] == pytest.approx([25e3, 0.0])
    assert 100 * saas.share[0, 0] == pytest.approx(32.1, abs=0.1)
    assert 100 * uniform.share[0, 0] == pytest.approx(16.0, abs=0.1)
    assert float(shed_share(np.array(25e3), np.array(20 * 3900.0))) == pytest.approx(0.3205, abs=1e-4)
    assert short.steps.tolist() == [0, 1, 2, 3, 4]


def test_losses_by_policy() -> None:
    hall, vms, load = two_rows()
    _, (uniform, saas, away) = run(hall, vms, load)
    # A quarter less dynamic power costs (1 - 0.16)^(1/2.4) of frequency; half of the VMs stand in the other row.
    ratio = (1 - 25 / 156) ** (1 / 2.4)
    assert uniform.iaas_performance_loss[0] == pytest.approx((1 - ratio) / 2)
    seconds = 0.5 / ratio + 0.5 / ratio**0.3
    assert uniform.saas_performance_loss[0] == pytest.approx((1 - 1 / seconds) / 2)
    assert uniform.saas_performance_loss[0] < uniform.iaas_performance_loss[0]
    # Check 16: opaque VMs lose exactly nothing when SaaS alone is reconfigured.
    assert saas.iaas_performance_loss.tolist() == [0.0] * 5
    assert saas.saas_quality_loss[0] == pytest.approx(25 / 78 / 0.35 * 0.1 / 2)
    assert away.iaas_performance_loss.tolist() == [0.0] * 5
    assert away.saas_performance_loss == pytest.approx([0.0] * 5, abs=1e-9)
    assert away.saas_quality_loss.tolist() == [0.0] * 5
    # As much moves as must: 25 kW of the row's dynamic SaaS power.
    assert away.share[0] == pytest.approx([25 / 78, 0.0], abs=1e-6)
    assert all(outcome.feasible for outcome in (uniform, saas, away))


def test_deadlines() -> None:
    # 40 s out of band miss the 10 s of a UPS; a brake in band, and routing, need not.
    hall, vms, load = two_rows()
    _, (uniform, saas, away) = run(hall, vms, load)
    assert (uniform.comply_s, uniform.in_time) == (pytest.approx(40.1), False)
    assert (saas.comply_s, saas.in_time) == (60.0, False)
    assert (away.comply_s, away.in_time) == (10.0, True)
    _, (brake, _, _) = emergency(hall, vms, np.arange(80), load, 60.0, UPS, Controls(control_s=0.5))
    assert brake.in_time
    assert all(outcome.in_time for outcome in run(hall, vms, load, factor=1.0)[1])


def test_more_than_can_be_shed_is_uncovered() -> None:
    hall, vms, load = two_rows()
    short, (_, saas, _) = run(hall, vms, load, factor=0.6)
    assert short.needed[0, 0] == pytest.approx(64e3)
    assert saas.share[0, 0] == 0.35
    assert not saas.feasible
    assert saas.uncovered[0, 0] == pytest.approx(64e3 - 0.35 * 78e3)
    # Idle power alone is over budget: no policy helps, and each says by how much.
    short, outcomes = run(hall, vms, load, factor=0.2)
    assert not any(outcome.feasible for outcome in outcomes)
    assert outcomes[0].uncovered[0, 0] >= 40 * 1600 - 0.2 * 260e3 - 1e-6


def test_no_room_elsewhere_is_a_loss() -> None:
    hall, vms, load = two_rows(quiet=FIVE_AND_A_HALF_KW)
    _, (_, _, away) = emergency(hall, vms, np.arange(80), load, 60.0, UPS)
    assert away.saas_performance_loss[0] == pytest.approx(25 / 78, abs=1e-6)
    assert away.feasible


def test_cooling_takes_air() -> None:
    hall, vms, _ = two_rows()
    load = np.full((3, 80), 1.0)
    short, (uniform, saas, away) = emergency(hall, vms, np.arange(80), load, 60.0, AIR)
    # One aisle, 80 servers of 840 CFM; 10 % of that is missing, of 540 CFM each that follow load.
    assert short.needed[0] == pytest.approx([0.1 * 80 * 840])
    assert uniform.share[0] == pytest.approx([0.1 * 840 / 540])
    assert saas.share[0] == pytest.approx([0.2 * 840 / 540])
    assert saas.iaas_performance_loss.tolist() == [0.0] * 3
    assert away.saas_performance_loss[0] == pytest.approx(0.2 * 840 / 540, abs=1e-6)
    assert uniform.feasible
    assert saas.feasible
    assert away.feasible


def test_steps_of_an_event() -> None:
    hall, _, load = two_rows()
    slots = np.arange(80)

    def steps(step_s: float, start_s: float) -> list[int]:
        return shortage(hall, slots, load, step_s, replace(UPS, start_s=start_s)).steps.tolist()

    assert steps(1200.0, 2400.0) == [2]
    assert steps(100.0, 250.0) == [2, 3, 4, 5]
    assert steps(60.0, 540.0) == [9]
    with pytest.raises(ValueError, match="outside"):
        steps(60.0, 600.0)
    with pytest.raises(ValueError, match="event is"):
        shortage(hall, slots, load, 60.0, replace(UPS, kind="flood"))


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.3, 1.0), cooling=st.booleans(), saas=st.floats(0, 1))
def test_policies_keep_their_word(seed: int, factor: float, cooling: bool, saas: float) -> None:
    chance = np.random.default_rng(seed)
    hall = random_hall(seed, 4, 5, budget=0.8)
    count = 18
    is_saas = chance.random(count) < saas
    high = np.ones((count, 24))
    endpoint = np.where(is_saas, chance.integers(0, 2, count), -1)
    vms = Vms(tuple(map(str, range(count))), is_saas, endpoint, high, high)
    slots = np.append(chance.permutation(20)[: count - 1], -1)
    load = chance.uniform(0, 1, (2, count))
    event = replace(AIR if cooling else UPS, factor=factor)
    short, outcomes = emergency(hall, vms, slots, load, 200.0, event)
    for outcome in outcomes:
        assert outcome.feasible == (not outcome.uncovered.any())
        assert (outcome.uncovered >= 0).all()
        assert (outcome.uncovered <= short.needed * (1 + 1e-6) + 1e-3).all()
        for loss in (outcome.iaas_performance_loss, outcome.saas_performance_loss, outcome.saas_quality_loss):
            assert ((loss >= -1e-9) & (loss <= 1 + 1e-9)).all()
    uniform, only, away = outcomes
    assert not only.iaas_performance_loss.any()
    assert not away.iaas_performance_loss.any()
    assert (only.share <= 0.35).all()
    # What the uniform cap leaves draws, by the power model itself, no more than allowed where it says so.
    if not cooling:
        for t, step in enumerate(short.steps):
            for r in range(4):
                inside = [v for v in range(count) if slots[v] >= 0 and hall.row[slots[v]] == r]
                left = sum(float(server_power_w(hall, load[step, v] * (1 - uniform.share[t, r]))) for v in inside)
                assert left <= short.limit[r] + uniform.uncovered[t, r] + 1e-6
