"""Waiting and spares against closed forms, brute force, a recursion and a simulation."""

from __future__ import annotations

import heapq
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.size.fleet import availability, fleet, spare_units
from aiplan.planners.size.queueing import erlang_c, wait_s


def exact_erlang_c(offered: Fraction, slots: int) -> float:
    """Erlang's formula as in textbooks, in fractions."""
    terms = [offered**k / math.factorial(k) for k in range(slots + 1)]
    last = terms[-1] * slots / (slots - offered)
    return float(last / (sum(terms[:-1]) + last))


@given(st.integers(1, 60), st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000))
def test_erlang_c_is_exact_for_few_slots(slots: int, utilisation: Fraction) -> None:
    offered = utilisation * slots
    assert float(erlang_c(float(offered), slots)) == pytest.approx(exact_erlang_c(offered, slots), rel=1e-9)


@pytest.mark.parametrize(
    ("offered", "slots"), [(1000.0, 1276), (4990.0, 5000), (99_800.0, 100_000), (50_000.0, 100_000)]
)
def test_erlang_c_agrees_with_the_recursion_for_many_slots(offered: float, slots: int) -> None:
    over_loss = 1.0
    for count in range(1, slots + 1):
        over_loss = 1.0 + over_loss * count / offered
        if over_loss > 1e280:
            break
    rho = offered / slots
    expected = 1.0 / (rho + (1.0 - rho) * over_loss)
    assert float(erlang_c(offered, slots)) == pytest.approx(expected, rel=1e-7, abs=1e-250)


@pytest.mark.parametrize("spare", [0.1, 1.0, 3.0])
def test_the_limit_of_many_slots_joins_the_exact_formula(spare: float) -> None:
    slots = np.array([1_000_000.0, 1_000_001.0])
    exact, limit = erlang_c(slots - spare * np.sqrt(slots), slots)
    assert limit == pytest.approx(exact, rel=0.01)


def test_erlang_c_of_one_server_is_its_utilisation() -> None:
    rho = np.linspace(0.0, 1.0, 21)
    assert erlang_c(rho, 1) == pytest.approx(rho, abs=1e-12)


def test_a_queue_that_cannot_keep_up_waits_for_ever() -> None:
    assert erlang_c([3.0, 4.0], [3, 3]).tolist() == [1.0, 1.0]
    assert np.isinf(wait_s(3.0, 3, 1.0))
    assert float(wait_s(3.0, 3, 1.0, 0.0, 0.0)) == 0.0


@given(st.integers(1, 3000), st.floats(0.01, 0.999), st.integers(1, 500))
def test_more_slots_never_wait_longer(slots: int, utilisation: float, more: int) -> None:
    offered = utilisation * slots
    few, many = wait_s(offered, [slots, slots + more], 1.0)
    assert many <= few * (1.0 + 1e-9)


@given(st.floats(0.05, 0.95), st.floats(0.0, 4.0))
def test_one_server_is_pollaczek_and_khinchine(utilisation: float, service_cv2: float) -> None:
    # Cooper, Introduction to Queueing Theory: W = rho S (1 + cs2) / (2 (1 - rho)), exact for M/G/1.
    expected = utilisation * (1.0 + service_cv2) / (2.0 * (1.0 - utilisation))
    assert float(wait_s(utilisation, 1, 1.0, 1.0, service_cv2)) == pytest.approx(expected, rel=1e-9)


def simulated_waits(slots: int, utilisation: float, arrival_cv2: float, count: int) -> np.ndarray:
    """Waits of exponential service behind one queue; arrivals hyperexponential with balanced means."""
    random = np.random.default_rng(1)
    first = (1.0 + np.sqrt((arrival_cv2 - 1.0) / (arrival_cv2 + 1.0))) / 2.0
    share = np.where(random.random(count) < first, first, 1.0 - first)
    arrivals = np.cumsum(random.exponential(1.0, count) / (2.0 * share * utilisation * slots))
    served = random.exponential(1.0, count)
    free = [0.0] * slots
    waits = np.empty(count)
    for number in range(count):
        start = max(arrivals[number], free[0])
        waits[number] = start - arrivals[number]
        heapq.heapreplace(free, start + served[number])
    return waits


@pytest.mark.parametrize(
    ("slots", "utilisation", "arrival_cv2", "tolerance"),
    [(3, 0.7, 1.0, 0.1), (20, 0.9, 1.0, 0.1), (20, 0.85, 4.0, 0.15), (200, 0.9, 4.0, 0.25), (200, 0.85, 20.0, 0.25)],
)
def test_mean_and_p99_of_the_wait_agree_with_a_simulation(
    slots: int, utilisation: float, arrival_cv2: float, tolerance: float
) -> None:
    waits = simulated_waits(slots, utilisation, arrival_cv2, 300_000)
    offered = utilisation * slots
    mean, p99 = wait_s(offered, slots, 1.0, arrival_cv2, quantile=[np.nan, 0.99])
    assert float(mean) == pytest.approx(waits.mean(), rel=tolerance)
    assert float(p99) == pytest.approx(np.quantile(waits, 0.99), rel=tolerance)


def test_slots_are_whole() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        erlang_c(1.0, 1.5)
    with pytest.raises(ValueError, match="negative"):
        erlang_c(-1.0, 2)


# ---- spares and machines ----


def chance_of_enough(needed: int, spares: int, up: float) -> float:
    total = needed + spares
    return sum(math.comb(total, works) * up**works * (1 - up) ** (total - works) for works in range(needed, total + 1))


@given(st.integers(1, 60), st.floats(0.8, 0.9999), st.floats(0.5, 0.9999))
def test_spares_are_the_fewest_that_reach_the_target(needed: int, up: float, target: float) -> None:
    spares = int(spare_units(needed, up, target))
    assert chance_of_enough(needed, spares, up) >= target - 1e-9
    assert spares == 0 or chance_of_enough(needed, spares - 1, up) < target + 1e-9


@pytest.mark.parametrize(("needed", "up", "target"), [(50_000, 0.96, 0.999), (2000, 0.3, 0.9), (900_000, 0.99, 0.5)])
def test_very_many_spares_are_those_of_the_negative_binomial(needed: int, up: float, target: float) -> None:
    from scipy.stats import nbinom

    assert float(spare_units(needed, up, target)) == pytest.approx(nbinom.ppf(target, needed, up), rel=1e-3, abs=2)


def test_no_target_takes_no_spares() -> None:
    assert spare_units([1, 1000, 10_000_000], 0.9, 0.0).tolist() == [0.0, 0.0, 0.0]


def test_availability_of_eight_parts_is_that_of_a_node() -> None:
    # 50,700 GPU-hours between failures is 6,337 h per node of eight; a day to repair.
    assert float(availability(50_700, 24, 8)) == pytest.approx(6337.5 / 6361.5, rel=1e-9)


@settings(max_examples=200)
@given(
    st.integers(1, 400), st.sampled_from([1, 2, 3, 4, 8, 16]), st.sampled_from([4, 8, 72]), st.floats(0, 0.9999),
    st.booleans(),
)  # fmt: skip
def test_fleets_add_up(needed: int, devices: int, seats: int, target: float, whole: bool) -> None:
    found = fleet(needed, devices, seats, 50_700, 24, target, whole_servers=whole)
    replicas, paid, servers = float(found.replicas), float(found.accelerators), float(found.servers)
    assert replicas - float(found.spare_replicas) == needed
    assert float(found.spare_replicas) >= 0
    if whole:
        assert paid == servers * seats
        assert paid >= replicas * devices
    else:
        assert paid == replicas * devices
        assert servers * seats >= paid or devices > seats
